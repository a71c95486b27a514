//! PATCH (RFC 7644 §3.5.2): operations parsed against the schema, then applied to a document, all or nothing.
//!
//! Form is taken liberally (`Add` for `add`, paths as keys of a value without a path), effect strictly: what cannot be
//! done as asked is refused. Membership of groups is not a document here; `groups` applies those steps itself.

use serde_json::{Map, Value};

use super::{
    document::{self, element, entry, normalise, wrong_type},
    filter::Filter,
    path::{Place, Scope},
    schema::{Attribute, Kind, ResourceKind, named},
};
use crate::refusal::Refusal;

const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Add,
    Remove,
    Replace,
}

/// One operation on one place.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) place: Place,
    /// Which elements of a multi-valued attribute.
    pub(crate) elements: Option<Filter>,
    pub(crate) value: Option<Value>,
    /// The path as given, for refusals.
    path: String,
}

impl Step {
    /// The attribute that the step is about; none for a whole extension.
    pub(crate) fn attribute(&self) -> Option<&'static Attribute> {
        self.place.attribute
    }
}

/// A body in the form of old services, which have no paths and take yes and no as text, in the usual form; none
/// if it is in another form.
pub(crate) fn as_old_services_have_it(kind: ResourceKind, body: &[u8]) -> Option<Vec<u8>> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    for operation in body.get_mut("Operations")?.as_array_mut()? {
        if operation.get("path").is_some() {
            return None;
        }
        for (name, value) in operation.get_mut("value")?.as_object_mut()? {
            let place = Scope::Resource(kind).resolve(name);
            if !place.and_then(|place| place.attribute).is_some_and(|known| known.kind == Kind::Flag) {
                continue;
            }
            *value = match value.as_str()?.to_ascii_lowercase().as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => return None,
            };
        }
    }
    Some(body.to_string().into_bytes())
}

/// The steps of a PATCH body. An operation without a path becomes a step for each of its attributes.
pub(crate) fn parse(kind: ResourceKind, body: &[u8]) -> Result<Vec<Step>, Refusal> {
    let body = document::object(body, PATCH_OP)?;
    let Some(Value::Array(operations)) = entry(&body, "Operations") else {
        return Err(Refusal::InvalidSyntax("`Operations` must be an array".into()));
    };
    if operations.is_empty() {
        return Err(Refusal::InvalidSyntax("`Operations` is empty".into()));
    }
    let mut steps = Vec::new();
    for operation in operations {
        parse_operation(kind, operation, &mut steps)?;
    }
    Ok(steps)
}

fn parse_operation(kind: ResourceKind, operation: &Value, steps: &mut Vec<Step>) -> Result<(), Refusal> {
    let Value::Object(operation) = operation else {
        return Err(Refusal::InvalidSyntax("an operation must be an object".into()));
    };
    let op = match entry(operation, "op").and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
        Some("add") => Op::Add,
        Some("remove") => Op::Remove,
        Some("replace") => Op::Replace,
        _ => return Err(Refusal::InvalidSyntax("`op` must be `add`, `remove` or `replace`".into())),
    };
    let value = entry(operation, "value");
    if value.is_none() && op != Op::Remove {
        return Err(Refusal::InvalidValue("`value` is required to add or replace".into()));
    }
    match entry(operation, "path") {
        Some(Value::String(path)) => parse_step(kind, op, path, value, steps),
        None | Some(Value::Null) if op == Op::Remove => {
            Err(Refusal::NoTarget("`path` is required to remove".into()))
        }
        None | Some(Value::Null) => match value {
            Some(Value::Object(attributes)) => {
                for (path, value) in attributes.iter().filter(|(key, _)| !key.eq_ignore_ascii_case("schemas"))
                {
                    parse_step(kind, op, path, Some(value), steps)?;
                }
                Ok(())
            }
            _ => Err(wrong_type("value", "an object when there is no path")),
        },
        Some(_) => Err(Refusal::InvalidPath("`path` must be a string".into())),
    }
}

fn parse_step(
    kind: ResourceKind,
    op: Op,
    path: &str,
    value: Option<&Value>,
    steps: &mut Vec<Step>,
) -> Result<(), Refusal> {
    let invalid = || Refusal::InvalidPath(format!("path `{path}` names no attribute"));
    let scope = Scope::Resource(kind);
    let (place, elements) = match path.split_once('[') {
        None => (scope.resolve(path).ok_or_else(invalid)?, None),
        Some((name, rest)) => {
            let (inside, tail) = rest.rsplit_once(']').ok_or_else(invalid)?;
            let whole = scope.resolve(name).filter(|place| place.part.is_none()).ok_or_else(invalid)?;
            let attribute = whole.attribute.filter(|attribute| attribute.many).ok_or_else(invalid)?;
            let part = match (tail, tail.strip_prefix('.')) {
                ("", _) => None,
                (_, Some(part)) => Some(named(attribute.parts, part).ok_or_else(invalid)?),
                (_, None) => return Err(invalid()),
            };
            let place = Place { part, ..whole };
            (place, Some(Filter::parse(inside, Scope::Element(attribute))?))
        }
    };
    match (place.extension, place.attribute) {
        (Some(urn), None) if op != Op::Remove => {
            let Some(Value::Object(parts)) = value else { return Err(wrong_type(urn, "an object")) };
            for (name, value) in parts.iter().filter(|(key, _)| !key.eq_ignore_ascii_case("schemas")) {
                parse_step(kind, op, &format!("{urn}:{name}"), Some(value), steps)?;
            }
            return Ok(());
        }
        (_, Some(attribute)) if attribute.read_only || place.part.is_some_and(|part| part.read_only) => {
            return Err(Refusal::Mutability(path.to_owned()));
        }
        _ => {}
    }
    steps.push(Step { op, place, elements, value: value.cloned(), path: path.to_owned() });
    Ok(())
}

/// Applies a step to a document.
pub(crate) fn apply(document: &mut Map<String, Value>, step: &Step) -> Result<(), Refusal> {
    let Some(attribute) = step.place.attribute else {
        if let Some(urn) = step.place.extension {
            document.remove(urn);
        }
        return Ok(());
    };
    match step.place.extension {
        None => apply_attribute(document, attribute, step),
        Some(urn) => {
            let mut inner = match document.remove(urn) {
                Some(Value::Object(inner)) => inner,
                _ => Map::new(),
            };
            let applied = apply_attribute(&mut inner, attribute, step);
            if !inner.is_empty() {
                document.insert(urn.to_owned(), Value::Object(inner));
            }
            applied
        }
    }
}

fn apply_attribute(
    parent: &mut Map<String, Value>,
    attribute: &Attribute,
    step: &Step,
) -> Result<(), Refusal> {
    let value = step.value.as_ref().unwrap_or(&Value::Null);
    match (attribute.many, step.place.part) {
        (true, None) if step.elements.is_none() => apply_all(parent, attribute, step.op, step.value.as_ref()),
        (true, _) => apply_elements(parent, attribute, step),
        (false, Some(part)) => {
            let mut parts = match parent.remove(attribute.name) {
                Some(Value::Object(parts)) => parts,
                _ => Map::new(),
            };
            let applied = set(&mut parts, part, step.op, value);
            if !parts.is_empty() {
                parent.insert(attribute.name.to_owned(), Value::Object(parts));
            }
            applied
        }
        (false, None) => set(parent, attribute, step.op, value),
    }
}

/// Sets or clears a single value. A complex one is merged: parts not given stay (RFC 7644 §3.5.2.3).
fn set(parent: &mut Map<String, Value>, attribute: &Attribute, op: Op, value: &Value) -> Result<(), Refusal> {
    let given = if op == Op::Remove { None } else { normalise(attribute, value)? };
    match (given, parent.get_mut(attribute.name)) {
        (None, _) => {
            parent.remove(attribute.name);
        }
        (Some(Value::Object(given)), Some(Value::Object(held))) if attribute.kind == Kind::Complex => {
            held.extend(given);
        }
        (Some(given), _) => {
            parent.insert(attribute.name.to_owned(), given);
        }
    }
    Ok(())
}

/// Adds to, replaces or removes from a multi-valued attribute as a whole.
fn apply_all(
    parent: &mut Map<String, Value>,
    attribute: &Attribute,
    op: Op,
    value: Option<&Value>,
) -> Result<(), Refusal> {
    let given = match value.map(|value| normalise(attribute, value)).transpose()?.flatten() {
        Some(Value::Array(given)) => given,
        _ => Vec::new(),
    };
    let mut held = match parent.remove(attribute.name) {
        Some(Value::Array(held)) => held,
        _ => Vec::new(),
    };
    match op {
        Op::Replace => held = given,
        Op::Remove if value.is_none_or(Value::is_null) => held.clear(),
        // Some clients name what to remove in the value. Taking that for "remove all" would be a disaster.
        Op::Remove => held.retain(|element| !given.iter().any(|given| given["value"] == element["value"])),
        Op::Add => {
            for element in given {
                if !held.contains(&element) {
                    if element["primary"] == true {
                        clear_primary(&mut held);
                    }
                    held.push(element);
                }
            }
        }
    }
    if !held.is_empty() {
        parent.insert(attribute.name.to_owned(), Value::Array(held));
    }
    Ok(())
}

/// Changes those elements of a multi-valued attribute that the step's filter chooses.
fn apply_elements(
    parent: &mut Map<String, Value>,
    attribute: &Attribute,
    step: &Step,
) -> Result<(), Refusal> {
    let chosen = |element: &Value| match (&step.elements, element) {
        (None, _) => true,
        (Some(filter), Value::Object(parts)) => filter.matches(parts),
        (Some(_), _) => false,
    };
    let mut held = match parent.get(attribute.name) {
        Some(Value::Array(held)) => held.clone(),
        _ => Vec::new(),
    };
    if step.op != Op::Remove && !held.iter().any(chosen) {
        return Err(Refusal::NoTarget(format!("path `{}` matches no value", step.path)));
    }
    let value = step.value.as_ref().unwrap_or(&Value::Null);
    let picks: Vec<usize> = (0..held.len()).filter(|at| chosen(&held[*at])).collect();
    for at in &picks {
        let Value::Object(parts) = &mut held[*at] else { continue };
        match (step.place.part, step.op) {
            (Some(part), op) => set(parts, part, op, value)?,
            (None, Op::Remove) => parts.clear(),
            (None, Op::Add | Op::Replace) => {
                let given = element(attribute, value)?;
                let Some(Value::Object(given)) = given else {
                    return Err(wrong_type(&step.path, "an object"));
                };
                if step.op == Op::Replace {
                    parts.clear();
                }
                parts.extend(given);
            }
        }
    }
    if let [at] = picks[..]
        && held[at]["primary"] == true
    {
        clear_primary(&mut held);
        held[at]["primary"] = true.into();
    }
    held.retain(|element| element.as_object().is_none_or(|parts| !parts.is_empty()));
    match held.is_empty() {
        true => parent.remove(attribute.name),
        false => parent.insert(attribute.name.to_owned(), Value::Array(held)),
    };
    Ok(())
}

/// At most one value is primary (RFC 7644 §3.5.2): a new one takes it from the others.
fn clear_primary(held: &mut [Value]) {
    for parts in held.iter_mut().filter_map(Value::as_object_mut) {
        parts.remove("primary");
    }
}
