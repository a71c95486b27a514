//! What configuration may say of a source that is pushed.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `map` | attribute of the contract → a SCIM path, or a list of which the first with a value counts | see below |
//! | `start`, `end` | the paths of the first and the last day | none |
//! | `groups` | `attribute`, a set of texts of the contract, and `names`, the groups whose names go there | none |
//!
//! Without a path an attribute of the contract is read from where SCIM has what is called so: `email`, `department`,
//! `manager` and so on. An attribute that has no path anywhere is not pushed, and is left as it is.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_connector::{ConnectorError, ErrorKind, Result, broker::LineSettings};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Attribute → the SCIM paths that are looked at, in order.
const USUAL: [(&str, &[&str]); 22] = [
    ("cost_center", &["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter"]),
    ("department", &["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"]),
    ("display_name", &["displayName", "name.formatted", "userName"]),
    ("division", &["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division"]),
    ("email", &["emails"]),
    ("employee_number", &["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber"]),
    ("employee_type", &["userType"]),
    ("external_id", &["externalId"]),
    ("family_name", &["name.familyName"]),
    ("given_name", &["name.givenName"]),
    ("job_title", &["title"]),
    ("locale", &["locale"]),
    ("location", &["addresses.locality"]),
    ("manager", &["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value"]),
    ("mobile", &["phoneNumbers[type eq \"mobile\"].value"]),
    ("nickname", &["nickName"]),
    ("organization", &["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:organization"]),
    ("phone", &["phoneNumbers"]),
    ("preferred_language", &["preferredLanguage"]),
    ("timezone", &["timezone"]),
    ("title", &["title"]),
    ("user_name", &["userName"]),
];

/// What configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Attribute → the paths that are looked at, in order.
    #[serde(default)]
    pub map: BTreeMap<String, Paths>,
    /// Where the first day is.
    #[serde(default)]
    pub start: Option<String>,
    /// Where the last day is.
    #[serde(default)]
    pub end: Option<String>,
    /// Which groups are an attribute of their members.
    #[serde(default)]
    pub groups: Option<Groups>,
}

/// One path or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths(pub Vec<String>);

impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a path or a list of paths is written as text")]
        enum Written {
            One(String),
            Many(Vec<String>),
        }
        Ok(match Written::deserialize(d)? {
            Written::One(path) => Self(vec![path]),
            Written::Many(paths) => Self(paths),
        })
    }
}

/// The groups whose names become an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Groups {
    /// The attribute: a set of texts of the contract.
    pub attribute: String,
    /// The groups that count; no others become anything.
    pub names: BTreeSet<String>,
}

impl Settings {
    /// Reads them; `null` is a table without any.
    ///
    /// # Errors
    /// `Settings`, naming what is wrong.
    pub fn read(settings: &Value) -> Result<Self> {
        let wrong = |why: String| ConnectorError::none(ErrorKind::Settings, why);
        let read = match settings {
            Value::Null => Self::default(),
            given => {
                Self::deserialize(given).map_err(|e| wrong(format!("the settings of `scim-push`: {e}")))?
            }
        };
        if let Some((name, _)) = read.map.iter().find(|(_, paths)| paths.0.is_empty()) {
            return Err(wrong(format!("setting `map.{name}`: an empty list of paths reads nothing")));
        }
        if read.groups.as_ref().is_some_and(|groups| groups.names.is_empty()) {
            return Err(wrong("setting `groups.names`: it is empty, so no group counts".into()));
        }
        Ok(read)
    }

    /// Reads those of an integration, of which some are the broker's.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn of(integration: &Value) -> Result<Self> {
        let (_, settings) = LineSettings::split(integration)?;
        Self::read(&settings)
    }

    /// The paths that are looked at for an attribute, in order; none where it is not pushed.
    pub fn paths(&self, attribute: &str) -> Vec<&str> {
        match self.map.get(attribute) {
            Some(Paths(paths)) => paths.iter().map(String::as_str).collect(),
            None => usual(attribute).to_vec(),
        }
    }
}

fn usual(attribute: &str) -> &'static [&'static str] {
    USUAL.iter().find(|(name, _)| *name == attribute).map_or(&[], |(_, paths)| paths)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_said_is_understood_or_named() {
        let check = |settings: Value, expect: Result<(), &str>| match (Settings::read(&settings), expect) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(part)) => assert!(error.message.contains(part), "{settings}: {error}"),
            (got, expect) => panic!("{settings}: {got:?}, expected {expect:?}"),
        };
        check(Value::Null, Ok(()));
        check(json!({}), Ok(()));
        check(json!({ "map": { "email": "userName", "site": ["urn:x:y:site", "title"] } }), Ok(()));
        check(
            json!({ "groups": { "attribute": "teams", "names": ["Sales"] }, "end": "urn:x:y:end" }),
            Ok(()),
        );
        check(json!({ "map": { "email": [] } }), Err("map.email"));
        check(json!({ "map": { "email": 7 } }), Err("as text"));
        check(json!({ "groups": { "attribute": "teams", "names": [] } }), Err("groups.names"));
        check(json!({ "groups": { "attribute": "teams" } }), Err("names"));
        check(json!({ "key": "externalId" }), Err("key"));
    }

    #[test]
    fn what_is_not_said_is_read_from_where_it_usually_is() {
        let settings = Settings::read(&json!({ "map": { "email": "userName" } })).unwrap();
        assert_eq!(settings.paths("email"), ["userName"]);
        assert_eq!(settings.paths("display_name"), ["displayName", "name.formatted", "userName"]);
        assert_eq!(settings.paths("badge"), [""; 0]);
        assert!(USUAL.is_sorted_by_key(|(name, _)| *name));
    }
}
