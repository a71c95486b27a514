//! Schemas and types of resources as `/Schemas` and `/ResourceTypes` show them (RFC 7643 §6, §7).

use serde_json::{Map, Value, json};

use super::{Attribute, Kind, Mutability, Resource, Returned, Schema};

/// A schema, as `/Schemas` shows it.
pub fn schema(schema: &Schema, base: &str) -> Map<String, Value> {
    object(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": schema.urn,
        "name": schema.name,
        "description": schema.what,
        "attributes": schema.attributes.iter().map(attribute).collect::<Vec<_>>(),
        "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{}", schema.urn) },
    }))
}

/// A type of resources, as `/ResourceTypes` shows it.
pub fn resource_type(resource: Resource, base: &str) -> Map<String, Value> {
    let extension = |schema: &Schema| json!({ "schema": schema.urn, "required": false });
    let core = resource.core();
    object(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": resource.name(),
        "name": resource.name(),
        "endpoint": resource.endpoint(),
        "description": core.what,
        "schema": core.urn,
        "schemaExtensions": resource.extensions().iter().map(extension).collect::<Vec<_>>(),
        "meta": { "resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", resource.name()) },
    }))
}

fn attribute(of: &Attribute) -> Value {
    let (kind, refers) = match &of.kind {
        Kind::Text => ("string", None),
        Kind::Flag => ("boolean", None),
        Kind::Instant => ("dateTime", None),
        Kind::Reference(types) => ("reference", Some(*types)),
        Kind::Complex(_) => ("complex", None),
    };
    let mutability = match of.mutability {
        Mutability::ReadWrite => "readWrite",
        Mutability::ReadOnly => "readOnly",
        Mutability::Immutable => "immutable",
    };
    let returned = match of.returned {
        Returned::Always => "always",
        Returned::Default => "default",
        Returned::Request => "request",
    };
    let mut shown = object(json!({
        "name": of.name,
        "type": kind,
        "multiValued": of.multi,
        "description": of.what,
        "required": of.required,
        "mutability": mutability,
        "returned": returned,
    }));
    if let Kind::Complex(parts) = &of.kind {
        shown.insert("subAttributes".into(), parts.iter().map(attribute).collect());
    } else {
        shown.insert("caseExact".into(), of.exact.into());
        shown.insert("uniqueness".into(), if of.unique { "server" } else { "none" }.into());
    }
    if let Some(types) = refers {
        shown.insert("referenceTypes".into(), types.iter().copied().map(Value::from).collect());
    }
    if !of.canonical.is_empty() {
        shown.insert("canonicalValues".into(), of.canonical.iter().copied().map(Value::from).collect());
    }
    Value::Object(shown)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
