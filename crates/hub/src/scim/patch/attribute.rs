//! What one operation makes of one attribute.

use serde_json::{Map, Value};

use super::{
    super::{
        fault::{Fault, Result, Wrong},
        filter::{Filter, Literal, Operator},
        path::Place,
        schema::{Attribute, Kind},
        shape,
    },
    Op,
};

type Object = Map<String, Value>;

fn value_fault(of: &Attribute, why: &str) -> Fault {
    Fault::new(Wrong::Value, format!("`{}` {why}", of.name))
}

fn no_target(of: &Attribute) -> Fault {
    Fault::new(Wrong::NoTarget, format!("no value of `{}` is so", of.name))
}

/// The value of the attribute after the operation; `None` is none.
pub(super) fn after(
    op: Op,
    of: Place<'_>,
    filter: Option<&Filter<'_>>,
    before: Option<Value>,
    value: Option<Value>,
) -> Result<Option<Value>> {
    match (op, value) {
        (Op::Remove, value) => removed(of, filter, before, value.filter(|value| !value.is_null())),
        // To be replaced by nothing is to be removed (RFC 7643 §2.5).
        (Op::Replace, Some(Value::Null)) => removed(of, filter, before, None),
        (Op::Add | Op::Replace, None | Some(Value::Null)) => {
            Err(value_fault(of.attribute, "is given no value"))
        }
        (Op::Add | Op::Replace, Some(value)) => match (filter, of.part) {
            (None, None) => set(op, of.attribute, before, value).map(Some),
            (None, Some(part)) => set_part(of.attribute, part, before, value).map(Some),
            (Some(filter), part) => set_picked(op, (of.attribute, part), filter, before, value).map(Some),
        },
    }
}

fn removed(
    of: Place<'_>,
    filter: Option<&Filter<'_>>,
    before: Option<Value>,
    value: Option<Value>,
) -> Result<Option<Value>> {
    let attribute = of.attribute;
    let whole = filter.is_none() && of.part.is_none();
    if whole && attribute.required {
        let detail = format!("`{}` cannot be removed; say what it is to be", attribute.name);
        return Err(Fault::new(Wrong::Mutability, detail));
    }
    if !attribute.multi {
        return Ok(match (before, of.part) {
            (Some(Value::Object(mut parts)), Some(part)) => {
                parts.remove(&*part.name);
                (!parts.is_empty()).then_some(Value::Object(parts))
            }
            (_, _) => None,
        });
    }
    let mut items = items(before);
    match (filter, value) {
        (None, None) if of.part.is_none() => return Ok(None),
        // Some name what is to go by its value.
        (None, Some(value)) if of.part.is_none() => {
            let named = self::items(shape::value(attribute, value)?);
            items.retain(|item| !named.iter().any(|other| same(attribute, item, other)));
        }
        (filter, _) => {
            let picked = |item: &Object| filter.is_none_or(|filter| filter.holds(item));
            if !items.iter().any(picked) && filter.is_some() {
                return Err(no_target(attribute));
            }
            match of.part {
                Some(part) => items.iter_mut().filter(|item| picked(item)).for_each(|item| {
                    item.remove(&*part.name);
                }),
                None => items.retain(|item| !picked(item)),
            }
        }
    }
    Ok(listed(items))
}

fn set(op: Op, of: &Attribute, before: Option<Value>, value: Value) -> Result<Value> {
    let new = shape::value(of, value)?.ok_or_else(|| value_fault(of, "is given nothing"))?;
    match (&of.kind, of.multi, op) {
        // What is not said of a complex attribute stays, whichever the operation (§3.5.2.3).
        (Kind::Complex(_), false, _) => Ok(Value::Object(merged(object(before), object(Some(new))))),
        (_, true, Op::Add) => {
            let mut all = items(before);
            let mut touched = Vec::new();
            for item in items(Some(new)) {
                match all.iter().position(|known| same(of, known, &item)) {
                    Some(at) => {
                        all[at] = merged(std::mem::take(&mut all[at]), item);
                        touched.push(at);
                    }
                    None => {
                        touched.push(all.len());
                        all.push(item);
                    }
                }
            }
            one_primary(&mut all, &touched);
            Ok(Value::Array(all.into_iter().map(Value::Object).collect()))
        }
        (Kind::Complex(_), true, Op::Replace | Op::Remove)
        | (
            Kind::Text | Kind::Flag | Kind::Instant | Kind::Reference(_),
            true | false,
            Op::Add | Op::Replace | Op::Remove,
        ) => Ok(new),
    }
}

fn set_part(of: &Attribute, part: &Attribute, before: Option<Value>, value: Value) -> Result<Value> {
    let new = shape::single(part, value)?.ok_or_else(|| value_fault(part, "is given nothing"))?;
    let name = part.name.clone().into_owned();
    if !of.multi {
        let mut parts = object(before);
        parts.insert(name, new);
        return Ok(Value::Object(parts));
    }
    let mut all = items(before);
    if all.is_empty() {
        all.push(Object::new());
    }
    for item in &mut all {
        item.insert(name.clone(), new.clone());
    }
    Ok(Value::Array(all.into_iter().map(Value::Object).collect()))
}

fn set_picked(
    op: Op,
    (of, part): (&Attribute, Option<&'static Attribute>),
    filter: &Filter<'_>,
    before: Option<Value>,
    value: Value,
) -> Result<Value> {
    let new = match part {
        Some(part) => {
            let value = shape::single(part, value)?.ok_or_else(|| value_fault(part, "is given nothing"))?;
            [(part.name.clone().into_owned(), value)].into_iter().collect()
        }
        None => object(Some(shape::single(of, value)?.ok_or_else(|| value_fault(of, "is given nothing"))?)),
    };
    let mut all = items(before);
    let mut touched: Vec<usize> = (0..all.len()).filter(|at| filter.holds(&all[*at])).collect();
    if touched.is_empty() {
        // To add to what is not there makes it; to replace it does not (§3.5.2.3).
        let mut fresh = Object::new();
        if op != Op::Add || !says(filter, &mut fresh) {
            return Err(no_target(of));
        }
        touched.push(all.len());
        all.push(merged(fresh, new));
    } else {
        for at in &touched {
            let item = std::mem::take(&mut all[*at]);
            let whole = part.is_none() && op == Op::Replace;
            all[*at] = if whole { new.clone() } else { merged(item, new.clone()) };
        }
    }
    one_primary(&mut all, &touched);
    Ok(Value::Array(all.into_iter().map(Value::Object).collect()))
}

/// What a value is of which a filter holds, where the filter says no more than that.
fn says(filter: &Filter<'_>, out: &mut Object) -> bool {
    match filter {
        Filter::And(left, right) => says(left, out) && says(right, out),
        Filter::Compare(place, Operator::Eq, literal) => {
            let value = match literal {
                Literal::Text(text) => text.as_str().into(),
                Literal::Flag(flag) => (*flag).into(),
                Literal::Number(_) | Literal::Null => return false,
            };
            out.insert(place.attribute.name.clone().into_owned(), value);
            true
        }
        Filter::Or(..) | Filter::Not(_) | Filter::Present(_) | Filter::Compare(..) | Filter::Some(..) => {
            false
        }
    }
}

/// Where what was touched is the primary value, nothing else is (§3.5.2).
fn one_primary(all: &mut [Object], touched: &[usize]) {
    let primary = |item: &Object| item.get("primary") == Some(&Value::Bool(true));
    if !touched.iter().any(|at| primary(&all[*at])) {
        return;
    }
    for (at, item) in all.iter_mut().enumerate() {
        if !touched.contains(&at) && primary(item) {
            item.insert("primary".into(), false.into());
        }
    }
}

/// Whether two values are the same one: the same `value`, for the same.
fn same(of: &Attribute, one: &Object, other: &Object) -> bool {
    let text = |item: &Object, name: &str| {
        let exact = of.part(name).is_some_and(|part| part.exact);
        item.get(name)
            .and_then(Value::as_str)
            .map(|text| if exact { text.to_owned() } else { text.to_lowercase() })
    };
    let (value, kind) =
        ((text(one, "value"), text(other, "value")), (text(one, "type"), text(other, "type")));
    match (value, kind) {
        ((Some(one), Some(other)), (_, None)) => one == other,
        ((Some(one), Some(other)), (kind, other_kind)) => one == other && kind == other_kind,
        (_, _) => one == other,
    }
}

fn merged(mut before: Object, new: Object) -> Object {
    before.extend(new);
    before
}

fn object(value: Option<Value>) -> Object {
    match value {
        Some(Value::Object(parts)) => parts,
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) | None => {
            Object::new()
        }
    }
}

fn items(value: Option<Value>) -> Vec<Object> {
    match value {
        Some(Value::Array(items)) => items.into_iter().map(|item| object(Some(item))).collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_))
        | None => Vec::new(),
    }
}

fn listed(mut items: Vec<Object>) -> Option<Value> {
    items.retain(|item| !item.is_empty());
    (!items.is_empty()).then(|| Value::Array(items.into_iter().map(Value::Object).collect()))
}
