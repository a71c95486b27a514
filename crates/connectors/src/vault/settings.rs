//! What configuration may say. Every error names the setting.

use std::{collections::BTreeMap, fmt::Display};

use bailiwick_connector::{ConnectorError, ErrorKind, Result};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::encode::KEY_LIMIT;

/// The attribute that is the entity's name.
pub(super) const NAME: &str = "name";
/// The key of the metadata that bears the marker, when nothing else is said.
const MARKER: &str = "bailiwick";
/// How long leases outlive the token that they end with, when nothing else is said.
const READ_LAG_MS: u64 = 1_000;

/// Whose tokens are that have neither an entity nor a parent and were made by another token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Orphans {
    /// They may be anybody's.
    #[default]
    Unknown,
    /// Whoever wrote the settings knows that they are no account's.
    Nobody,
}

/// Whether the system gives out batch tokens, which are in no list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Batch {
    /// It may.
    #[default]
    Possible,
    /// Whoever wrote the settings knows that it does not.
    None,
}

/// The settings of an integration.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    pub(super) namespace: Option<String>,
    pub(super) marker: String,
    /// Attribute → key of the metadata.
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) own_leases: Vec<OwnLeases>,
    /// Without slashes at the ends; one empty path is everywhere.
    pub(super) leases: Vec<String>,
    pub(super) orphans: Orphans,
    pub(super) batch: Batch,
    pub(super) canary_role: Option<String>,
    pub(super) delete_with_logins: bool,
    pub(super) read_lag_ms: u64,
}

/// A path below which all leases are one account's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnLeases(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Name,
    Id,
}

impl OwnLeases {
    /// The path for an account. `None` for a name that cannot be one segment of a path: then nothing is
    /// below, and least of all what is somebody else's.
    pub(super) fn path(&self, name: &str, id: &str) -> Option<String> {
        let part = |part: &Part| match part {
            Part::Text(text) => Some(text.clone()),
            Part::Name => plain(name).then(|| name.to_owned()),
            Part::Id => plain(id).then(|| id.to_owned()),
        };
        let parts: Option<Vec<String>> = self.0.iter().map(part).collect();
        parts.map(|parts| parts.join("/"))
    }
}

/// Whether a text can be a segment of the path of a mount, a role or a lease.
pub(super) fn plain(segment: &str) -> bool {
    !segment.is_empty()
        && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@'))
        && segment.bytes().any(|b| b != b'.')
}

fn wrong(setting: &str, why: impl Display) -> ConnectorError {
    ConnectorError::none(ErrorKind::Settings, format!("setting `{setting}`: {why}"))
}

fn take<T: DeserializeOwned>(settings: &mut Map<String, Value>, name: &str) -> Result<Option<T>> {
    let value = settings.remove(name);
    value.map(|value| serde_json::from_value(value).map_err(|error| wrong(name, error))).transpose()
}

impl Settings {
    /// Reads settings.
    ///
    /// # Errors
    /// `Settings`, naming the setting.
    pub(super) fn new(settings: &Value) -> Result<Self> {
        let mut settings = match settings {
            Value::Null => Map::new(),
            Value::Object(settings) => settings.clone(),
            _ => return Err(ConnectorError::none(ErrorKind::Settings, "the settings are not a table")),
        };
        let marker: String = take(&mut settings, "marker")?.unwrap_or_else(|| MARKER.into());
        let read = Self {
            namespace: namespace(take(&mut settings, "namespace")?)?,
            attributes: attributes(take(&mut settings, "attributes")?.unwrap_or_default(), &marker)?,
            marker: key("marker", marker)?,
            own_leases: own_leases(take(&mut settings, "own_leases")?.unwrap_or_default())?,
            leases: leases(take(&mut settings, "leases")?)?,
            orphans: take(&mut settings, "orphan_tokens")?.unwrap_or_default(),
            batch: take(&mut settings, "batch_tokens")?.unwrap_or_default(),
            canary_role: segment("canary_role", take(&mut settings, "canary_role")?)?,
            delete_with_logins: take(&mut settings, "delete_with_logins")?.unwrap_or_default(),
            read_lag_ms: take(&mut settings, "read_lag_ms")?.unwrap_or(READ_LAG_MS),
        };
        match settings.keys().next() {
            None => Ok(read),
            Some(unknown) => Err(wrong(
                unknown,
                "there is none of this name; there are namespace, marker, attributes, own_leases, leases, \
                 orphan_tokens, batch_tokens, canary_role, delete_with_logins and read_lag_ms",
            )),
        }
    }
}

fn namespace(text: Option<String>) -> Result<Option<String>> {
    let Some(text) = text else { return Ok(None) };
    match text.split('/').all(plain) {
        true => Ok(Some(text)),
        false => Err(wrong("namespace", format!("`{text}` is not a path such as `team1/app`"))),
    }
}

fn segment(setting: &str, text: Option<String>) -> Result<Option<String>> {
    match text {
        Some(text) if !plain(&text) => Err(wrong(setting, format!("`{text}` cannot be part of a path"))),
        text => Ok(text),
    }
}

/// A key of metadata as the system takes it.
fn key(setting: &str, key: String) -> Result<String> {
    let fits = !key.is_empty()
        && key.len() <= KEY_LIMIT
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"=/+_-".contains(&b));
    match fits {
        true => Ok(key),
        false => {
            let why = format!(
                "`{key}` is no key of metadata: at most {KEY_LIMIT} letters, digits and `=`, `/`, `+`, `_`, `-`"
            );
            Err(wrong(setting, why))
        }
    }
}

fn attributes(table: BTreeMap<String, String>, marker: &str) -> Result<BTreeMap<String, String>> {
    let entry = |(name, text): (String, String)| {
        let setting = format!("attributes.{name}");
        match (name.as_str(), text.as_str()) {
            (NAME, _) => Err(wrong(&setting, "it is the name of the entity, not a key of its metadata")),
            (_, text) if text == marker => Err(wrong(&setting, "the hub's marker is no attribute")),
            _ => Ok((name, key(&setting, text)?)),
        }
    };
    table.into_iter().map(entry).collect()
}

fn own_leases(templates: Vec<String>) -> Result<Vec<OwnLeases>> {
    let read = |text: &String| {
        let parts = text.split('/').map(|part| match part {
            "{name}" => Some(Part::Name),
            "{id}" => Some(Part::Id),
            part => plain(part).then(|| Part::Text(part.to_owned())),
        });
        let parts: Option<Vec<Part>> = parts.collect();
        let whose = |parts: &[Part]| parts.iter().filter(|p| matches!(p, Part::Name | Part::Id)).count() == 1;
        parts.filter(|parts| whose(parts) && parts.len() > 1).map(OwnLeases).ok_or_else(|| {
            wrong(
                "own_leases",
                format!("`{text}` is not a path with one segment `{{name}}` or `{{id}}`, such as `database/creds/{{name}}`"),
            )
        })
    };
    templates.iter().map(read).collect()
}

fn leases(paths: Option<Vec<String>>) -> Result<Vec<String>> {
    let Some(paths) = paths else { return Ok(vec![String::new()]) };
    match paths.iter().find(|path| !path.split('/').all(plain) || path.starts_with("auth/")) {
        Some(bad) => {
            Err(wrong("leases", format!("`{bad}` is not a path of leases such as `database/creds`")))
        }
        None => Ok(paths),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_is_needed() {
        let settings = Settings::new(&Value::Null).unwrap();
        assert_eq!(
            (settings.marker.as_str(), settings.leases.len(), settings.orphans),
            ("bailiwick", 1, Orphans::Unknown)
        );
        assert_eq!(settings, Settings::new(&json!({})).unwrap());
    }

    #[test]
    fn everything_can_be_said() {
        let settings = Settings::new(&json!({
            "namespace": "team1/app", "marker": "hub", "attributes": {"department": "dept"},
            "own_leases": ["database/creds/{name}", "pki/{id}/x"], "leases": ["database/creds"],
            "orphan_tokens": "nobody", "batch_tokens": "none", "canary_role": "canary", "delete_with_logins": true, "read_lag_ms": 5,
        }))
        .unwrap();
        assert_eq!(settings.attributes["department"], "dept");
        assert_eq!((settings.orphans, settings.batch), (Orphans::Nobody, Batch::None));
    }

    #[test]
    fn a_name_that_is_no_segment_owns_no_leases() {
        let settings = Settings::new(&json!({"own_leases": ["database/creds/{name}"]})).unwrap();
        for (name, path) in [
            ("ann.smith", Some("database/creds/ann.smith")),
            ("ann/x", None),
            ("..", None),
            ("", None),
            ("a b", None),
            ("%2f", None),
            ("zoë", None),
        ] {
            assert_eq!(settings.own_leases[0].path(name, "7").as_deref(), path, "{name}");
        }
    }

    #[test]
    fn every_error_names_its_setting() {
        for (settings, names) in [
            (json!([]), "settings are not a table"),
            (json!({"namespaces": ""}), "`namespaces`"),
            (json!({"namespace": "team1/"}), "`namespace`"),
            (json!({"namespace": "../x"}), "`namespace`"),
            (json!({"namespace": "a\nb"}), "`namespace`"),
            (json!({"marker": ""}), "`marker`"),
            (json!({"marker": "a b"}), "`marker`"),
            (json!({"attributes": {"name": "x"}}), "`attributes.name`"),
            (json!({"attributes": {"x": "bailiwick"}}), "`attributes.x`"),
            (json!({"attributes": {"x": "ü"}}), "`attributes.x`"),
            (json!({"own_leases": ["database/creds"]}), "`own_leases`"),
            (json!({"own_leases": ["{name}"]}), "`own_leases`"),
            (json!({"own_leases": ["database/{name}/{id}"]}), "`own_leases`"),
            (json!({"own_leases": ["database/../{name}"]}), "`own_leases`"),
            (json!({"own_leases": ["database/x{name}"]}), "`own_leases`"),
            (json!({"leases": ["auth/token"]}), "`leases`"),
            (json!({"leases": [""]}), "`leases`"),
            (json!({"orphan_tokens": "mine"}), "`orphan_tokens`"),
            (json!({"batch_tokens": false}), "`batch_tokens`"),
            (json!({"canary_role": "a/b"}), "`canary_role`"),
            (json!({"delete_with_logins": 1}), "`delete_with_logins`"),
            (json!({"read_lag_ms": -1}), "`read_lag_ms`"),
        ] {
            let error = Settings::new(&settings).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Settings, "{settings}");
            assert!(error.message.contains(names), "{settings}: {}", error.message);
        }
    }
}
