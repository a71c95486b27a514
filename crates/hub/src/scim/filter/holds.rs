//! Whether a filter holds of a resource. Of an attribute with several values it holds when it holds of one of them.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::{Filter, Literal, Operator};
use crate::scim::{
    path::each,
    schema::{Attribute, Kind},
};

impl Filter<'_> {
    /// Whether it holds of a resource.
    pub fn holds(&self, of: &Map<String, Value>) -> bool {
        match self {
            Self::And(left, right) => left.holds(of) && right.holds(of),
            Self::Or(left, right) => left.holds(of) || right.holds(of),
            Self::Not(inner) => !inner.holds(of),
            Self::Present(place) => place.values(of).into_iter().any(is_something),
            Self::Compare(place, operator, literal) => {
                compares(&place.values(of), place.leaf(), *operator, literal)
            }
            Self::Some(place, inner) => {
                let found = place.home(of).and_then(|home| home.get(&*place.attribute.name));
                found.into_iter().flat_map(each).any(|value| inner.holds_of(value))
            }
        }
    }

    /// Whether it holds of one value of an attribute.
    pub fn holds_of(&self, value: &Value) -> bool {
        value.as_object().is_some_and(|value| self.holds(value))
    }
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(parts) => !parts.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

fn compares(values: &[&Value], leaf: &Attribute, operator: Operator, literal: &Literal) -> bool {
    let any = |fits: &dyn Fn(&Value) -> bool| values.iter().any(|value| fits(value));
    let equal = || match literal {
        Literal::Null => !any(&|value| !value.is_null()),
        Literal::Text(_) | Literal::Number(_) | Literal::Flag(_) => {
            any(&|value| order(value, leaf, literal) == Some(Ordering::Equal))
        }
    };
    let ordered = |fits: fn(Ordering) -> bool| any(&|value| order(value, leaf, literal).is_some_and(fits));
    let part = |fits: fn(&str, &str) -> bool| {
        any(&|value| match (value, literal) {
            (Value::String(value), Literal::Text(text)) => fits(&folded(value, leaf), &folded(text, leaf)),
            _ => false,
        })
    };
    match operator {
        Operator::Eq => equal(),
        Operator::Ne => !equal(),
        Operator::Co => part(|value, text| value.contains(text)),
        Operator::Sw => part(|value, text| value.starts_with(text)),
        Operator::Ew => part(|value, text| value.ends_with(text)),
        Operator::Gt => ordered(Ordering::is_gt),
        Operator::Ge => ordered(Ordering::is_ge),
        Operator::Lt => ordered(Ordering::is_lt),
        Operator::Le => ordered(Ordering::is_le),
    }
}

/// How a value stands to a literal; `None` where they are of different kinds.
fn order(value: &Value, leaf: &Attribute, literal: &Literal) -> Option<Ordering> {
    match (value, literal) {
        (Value::String(value), Literal::Text(text)) if leaf.kind == Kind::Instant => {
            let instant = |text: &str| text.parse::<jiff::Timestamp>().ok();
            Some(instant(value)?.cmp(&instant(text)?))
        }
        (Value::String(value), Literal::Text(text)) => Some(folded(value, leaf).cmp(&folded(text, leaf))),
        (Value::Number(value), Literal::Number(number)) => Some(value.as_i64()?.cmp(number)),
        (Value::Bool(value), Literal::Flag(flag)) => Some(value.cmp(flag)),
        _ => None,
    }
}

/// A text as it is compared.
pub fn folded(text: &str, leaf: &Attribute) -> String {
    if leaf.exact { text.to_owned() } else { text.to_lowercase() }
}
