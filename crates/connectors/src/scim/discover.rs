//! What a system says about itself (RFC 7644 §4, RFC 9865 §4). It is believed only where being wrong
//! costs a refused call; what it says it does to a user is never believed.
//!
//! A system without these endpoints is taken for one that has PATCH and filters, pages by index and
//! knows no versions: each of these shows itself when it is tried.

use std::collections::BTreeMap;

use bailiwick_connector::{ErrorKind, Result};
use bailiwick_core::scope::Operation;
use serde_json::Value;

use super::{
    decode::{json, member},
    exchange::{Exchange, Kind, refusal},
    path::{ScimPath, USER},
};

/// What is known of a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Learned {
    /// Whether it has PATCH.
    pub(super) patch: bool,
    /// Whether lists can be filtered.
    pub(super) filter: bool,
    /// Whether it refuses a write with a stale version.
    pub(super) etag: bool,
    /// Whether lists are paged by cursor.
    pub(super) cursor: bool,
    /// The largest page it gives, if it says so.
    pub(super) max_page: Option<u32>,
}

impl Default for Learned {
    fn default() -> Self {
        Self { patch: true, filter: true, etag: false, cursor: false, max_page: None }
    }
}

impl Learned {
    /// Reads the service provider configuration.
    pub(super) async fn read(exchange: &Exchange<'_>) -> Result<Self> {
        match document(exchange, "ServiceProviderConfig").await? {
            Some(config) => Ok(Self::of(&config)),
            None => Ok(Self::default()),
        }
    }

    fn of(config: &Value) -> Self {
        let flag = |feature: &str, name: &str| match member(member(config, feature)?, name)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.to_ascii_lowercase().parse().ok(),
            Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
        };
        let number = |feature: &str, name: &str| {
            let number = member(member(config, feature)?, name)?.as_u64()?;
            u32::try_from(number).ok().filter(|number| *number > 0)
        };
        let usual = Self::default();
        Self {
            patch: flag("patch", "supported").unwrap_or(usual.patch),
            filter: flag("filter", "supported").unwrap_or(usual.filter),
            etag: flag("etag", "supported").unwrap_or(usual.etag),
            cursor: flag("pagination", "cursor").unwrap_or(usual.cursor),
            max_page: number("filter", "maxResults")
                .into_iter()
                .chain(number("pagination", "maxPageSize"))
                .min(),
        }
    }
}

/// The attributes of each schema, names in lower case.
pub(super) struct Schemas(BTreeMap<String, Vec<Attribute>>);

struct Attribute {
    name: String,
    parts: Vec<String>,
}

impl Schemas {
    /// Reads the schemas; none if the system does not show them.
    pub(super) async fn read(exchange: &Exchange<'_>) -> Result<Option<Self>> {
        Ok(document(exchange, "Schemas").await?.map(|list| Self::of(&list)))
    }

    fn of(list: &Value) -> Self {
        let all = member(list, "Resources").unwrap_or(list).as_array().map(Vec::as_slice).unwrap_or_default();
        let name =
            |value: &Value| member(value, "name").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        let array = |value: &Value, name: &str| -> Vec<Value> {
            member(value, name).and_then(Value::as_array).cloned().unwrap_or_default()
        };
        let attribute = |value: &Value| Attribute {
            name: name(value),
            parts: array(value, "subAttributes").iter().map(name).collect(),
        };
        let schema = |value: &Value| {
            let id = member(value, "id")?.as_str()?.to_lowercase();
            Some((id, array(value, "attributes").iter().map(attribute).collect()))
        };
        Self(all.iter().filter_map(schema).collect())
    }

    /// Whether the path leads somewhere. Of a schema that is not shown in full nothing is held missing.
    pub(super) fn have(&self, path: &ScimPath) -> bool {
        if !self.0.contains_key(&USER.to_lowercase()) {
            return true;
        }
        let schema = path.schema.as_deref().unwrap_or(USER).to_lowercase();
        let Some(attributes) = self.0.get(&schema) else { return false };
        let Some(found) = attributes.iter().find(|a| a.name == path.attribute.to_lowercase()) else {
            return false;
        };
        let wanted = path.part.as_deref().into_iter().chain(path.pick.as_ref().map(|(by, _)| by.as_str()));
        found.parts.is_empty() || wanted.map(str::to_lowercase).all(|part| found.parts.contains(&part))
    }
}

/// A discovery document; none if the system does not have it.
async fn document(exchange: &Exchange<'_>, name: &str) -> Result<Option<Value>> {
    let path = format!("{}/{name}", exchange.base);
    let label = format!("GET {path}");
    let answer = exchange.ask(Operation::Discover, path, Vec::new()).await?;
    match answer.status {
        200..=299 => json(&answer.body).map(Some),
        _ => {
            let refused = refusal(&label, Kind::Read, &answer);
            match refused.kind {
                ErrorKind::NotFound | ErrorKind::Unsupported => Ok(None),
                _ => Err(refused),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_said_is_learned_and_what_is_not_said_is_as_usual() {
        let usual = Learned::default();
        for (config, expect) in [
            (json!({}), usual.clone()),
            (json!({"patch": {"supported": false}}), Learned { patch: false, ..usual.clone() }),
            (json!({"PATCH": {"Supported": "False"}}), Learned { patch: false, ..usual.clone() }),
            (json!({"filter": {"supported": false}}), Learned { filter: false, ..usual.clone() }),
            (json!({"etag": {"supported": true}}), Learned { etag: true, ..usual.clone() }),
            (json!({"filter": {"maxResults": 0}}), usual.clone()),
            (
                json!({"filter": {"maxResults": 200}, "pagination": {"cursor": true, "maxPageSize": 50}}),
                Learned { cursor: true, max_page: Some(50), ..usual },
            ),
        ] {
            assert_eq!(Learned::of(&config), expect, "{config}");
        }
    }

    #[test]
    fn a_path_is_looked_up_in_the_schemas() {
        let schemas = Schemas::of(&json!({"Resources": [
            {"id": USER, "attributes": [
                {"name": "userName"},
                {"name": "emails", "subAttributes": [{"name": "value"}, {"name": "type"}]},
            ]},
            {"id": "urn:x:User", "attributes": [{"name": "badge"}]},
        ]}));
        for (path, expect) in [
            ("USERNAME", true),
            ("emails[type eq \"work\"].value", true),
            ("emails[kind eq \"work\"].value", false),
            ("emails.display", false),
            ("nickName", false),
            ("urn:x:user:Badge", true),
            ("urn:x:User:desk", false),
            ("urn:y:User:badge", false),
        ] {
            assert_eq!(schemas.have(&path.parse().unwrap()), expect, "{path}");
        }
        let none = Schemas::of(&json!({"Resources": []}));
        assert!(none.have(&"anything".parse().unwrap()));
    }
}
