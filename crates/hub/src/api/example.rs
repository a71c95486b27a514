//! An example of what a schema takes: the smallest value that it allows.
//!
//! The page for people shows it and tests send it. It is made from the description alone, so that a new operation has one by
//! itself.

use serde_json::{Map, Value, json};

use super::description::Description;

/// How deep is looked; deeper, a schema leads to itself.
const DEEPEST: usize = 8;

/// The smallest value of a schema.
pub fn of(description: &Description, schema: &Value) -> Value {
    sample(description, schema, DEEPEST)
}

fn sample(description: &Description, schema: &Value, depth: usize) -> Value {
    let schema = description.resolved(schema);
    let Some(depth) = depth.checked_sub(1) else { return Value::Null };
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(value) = schema["enum"].get(0) {
        return value.clone();
    }
    for kind in ["oneOf", "anyOf"] {
        let first = schema[kind].as_array().into_iter().flatten().find(|one| one["type"] != "null");
        if let Some(first) = first {
            let chosen = sample(description, first, depth);
            return merged(object(description, schema, depth), chosen);
        }
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.first().and_then(Value::as_str),
        other => other.as_str(),
    };
    match kind {
        Some("string") => text(schema).into(),
        Some("integer" | "number") => {
            schema.get("minimum").filter(|least| **least != json!(0)).cloned().unwrap_or(json!(1))
        }
        Some("boolean") => false.into(),
        Some("array") => array(description, schema, depth),
        Some("object") => Value::Object(object(description, schema, depth)),
        Some(_) | None => Value::Null,
    }
}

fn object(description: &Description, schema: &Value, depth: usize) -> Map<String, Value> {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let member = |name: &str| (name.to_owned(), sample(description, &schema["properties"][name], depth));
    required.map(member).collect()
}

fn array(description: &Description, schema: &Value, depth: usize) -> Value {
    if let Some(items) = schema["prefixItems"].as_array() {
        return items.iter().map(|item| sample(description, item, depth)).collect();
    }
    let least = schema["minItems"].as_u64().unwrap_or(1);
    (0..least).map(|_| sample(description, &schema["items"], depth)).collect()
}

fn merged(mut one: Map<String, Value>, other: Value) -> Value {
    match other {
        Value::Object(other) => {
            one.extend(other);
            Value::Object(one)
        }
        other => other,
    }
}

/// A text for the formats and the patterns that there are.
fn text(schema: &Value) -> String {
    if let Some(pattern) = schema["pattern"].as_str() {
        return of_pattern(pattern);
    }
    match schema["format"].as_str() {
        Some("date-time") => "2026-01-01T00:00:00Z",
        Some("date") => "2026-01-01",
        Some(_) | None => "text",
    }
    .to_owned()
}

fn of_pattern(pattern: &str) -> String {
    let id = pattern.strip_prefix('^').and_then(|rest| rest.split_once("_[0-7]"));
    match id {
        Some((prefix, _)) => format!("{prefix}_{}", "0".repeat(26)),
        None if pattern.contains("{64}") => "0".repeat(64),
        None if pattern.contains('/') => "name/name".to_owned(),
        None => "name".to_owned(),
    }
}
