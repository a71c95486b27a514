//! Documents from outside, brought to the schema: canonical names, right types, nothing unknown.
//!
//! Unassigned values (`null`, empty arrays and objects; RFC 7643 §2.5) are dropped, read-only ones ignored on POST and
//! PUT (RFC 7644 §3.3). A boolean in a string is refused, not guessed.

use serde_json::{Map, Value};

use super::schema::{Attribute, Kind, ResourceKind, named};
use crate::refusal::Refusal;

/// Parses a body that must be a JSON object with this schema among its `schemas`.
pub(crate) fn object(body: &[u8], schema: &str) -> Result<Map<String, Value>, Refusal> {
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
        return Err(Refusal::InvalidSyntax("the body is not a JSON object".into()));
    };
    let listed = entry(&object, "schemas").and_then(Value::as_array).is_some_and(|schemas| {
        schemas.iter().filter_map(Value::as_str).any(|listed| listed.eq_ignore_ascii_case(schema))
    });
    match listed {
        true => Ok(object),
        false => Err(Refusal::InvalidSyntax(format!("`schemas` does not name `{schema}`"))),
    }
}

/// A member of an object, by name without case.
pub(crate) fn entry<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// A resource as a client sent it, in canonical form. `members` of a group come out as any other attribute.
pub(crate) fn resource(kind: ResourceKind, body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let raw = object(body, kind.core().urn)?;
    let mut document = Map::new();
    for (key, value) in &raw {
        if key.eq_ignore_ascii_case("schemas") {
            continue;
        }
        if let Some(extension) = kind.extension().filter(|e| key.eq_ignore_ascii_case(e.urn)) {
            let Value::Object(inner) = value else { return Err(wrong_type(extension.urn, "an object")) };
            let mut parts = Map::new();
            for (key, value) in inner.iter().filter(|(key, _)| !key.eq_ignore_ascii_case("schemas")) {
                let attribute = named(extension.attributes, key).ok_or_else(|| unknown(key))?;
                keep(&mut parts, attribute, value)?;
            }
            if !parts.is_empty() {
                document.insert(extension.urn.to_owned(), Value::Object(parts));
            }
            continue;
        }
        let attribute = kind.attribute(key).ok_or_else(|| unknown(key))?;
        keep(&mut document, attribute, value)?;
    }
    complete(kind, &document)?;
    if kind == ResourceKind::User {
        document.entry("active").or_insert(Value::Bool(true));
    }
    Ok(document)
}

/// Checks that a resource has what it must.
pub(crate) fn complete(kind: ResourceKind, document: &Map<String, Value>) -> Result<(), Refusal> {
    for attribute in kind.core().attributes.iter().filter(|attribute| attribute.required) {
        let given = document.get(attribute.name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        if !given {
            return Err(Refusal::InvalidValue(format!("`{}` is required", attribute.name)));
        }
    }
    Ok(())
}

fn keep(document: &mut Map<String, Value>, attribute: &Attribute, value: &Value) -> Result<(), Refusal> {
    if attribute.read_only {
        return Ok(());
    }
    if let Some(value) = normalise(attribute, value)? {
        document.insert(attribute.name.to_owned(), value);
    }
    Ok(())
}

/// A value in canonical form, or none if it is unassigned.
pub(crate) fn normalise(attribute: &Attribute, value: &Value) -> Result<Option<Value>, Refusal> {
    match value {
        Value::Null => Ok(None),
        Value::Array(all) if attribute.many => {
            let mut elements = Vec::new();
            for value in all {
                elements.extend(element(attribute, value)?);
            }
            let primaries = elements.iter().filter(|e| e.get("primary") == Some(&Value::Bool(true))).count();
            if primaries > 1 {
                return Err(Refusal::InvalidValue(format!("`{}` has two primary values", attribute.name)));
            }
            Ok((!elements.is_empty()).then_some(Value::Array(elements)))
        }
        one if attribute.many => Ok(element(attribute, one)?.map(|one| Value::Array(vec![one]))),
        one => element(attribute, one),
    }
}

/// One value of an attribute in canonical form.
pub(crate) fn element(attribute: &Attribute, value: &Value) -> Result<Option<Value>, Refusal> {
    match (attribute.kind, value) {
        (_, Value::Null) => Ok(None),
        (Kind::Complex, Value::Object(raw)) => {
            let (mut parts, mut ignored) = (Map::new(), false);
            for (key, value) in raw {
                let part = named(attribute.parts, key)
                    .ok_or_else(|| unknown(&format!("{}.{key}", attribute.name)))?;
                match normalise(part, value)? {
                    Some(_) if part.read_only => ignored = true,
                    Some(value) => drop(parts.insert(part.name.to_owned(), value)),
                    None => {}
                }
            }
            // An element of which only ignored parts were given is not nothing: it must not vanish silently.
            let is_given = !parts.is_empty() || (ignored && attribute.many);
            Ok(is_given.then_some(Value::Object(parts)))
        }
        (Kind::Flag, Value::Bool(_)) => Ok(Some(value.clone())),
        (Kind::Text | Kind::Reference | Kind::Instant, Value::String(_)) => Ok(Some(value.clone())),
        (Kind::Complex, _) => Err(wrong_type(attribute.name, "an object")),
        (Kind::Flag, _) => Err(wrong_type(attribute.name, "a boolean")),
        (Kind::Text | Kind::Reference | Kind::Instant, _) => Err(wrong_type(attribute.name, "a string")),
    }
}

pub(crate) fn wrong_type(name: &str, wanted: &str) -> Refusal {
    Refusal::InvalidValue(format!("`{name}` must be {wanted}"))
}

fn unknown(name: &str) -> Refusal {
    Refusal::InvalidSyntax(format!("no attribute `{name}`: see /Schemas"))
}
