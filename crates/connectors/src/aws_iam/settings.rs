//! What configuration may say. Every error names the setting.

use std::{collections::BTreeMap, fmt::Display};

use bailiwick_connector::{ConnectorError, ErrorKind, Result};
use serde::Deserialize;
use serde_json::Value;

use super::encode::{DISABLED_TAG, NAME, PATH, READ_ONLY};

/// The largest page that IAM gives.
const LARGEST: u32 = 1_000;

/// The settings of an integration with AWS IAM.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// The key of the user tag that holds the hub's marker.
    pub(super) marker_tag: String,
    /// Attribute → key of the user tag that holds it.
    pub(super) attributes: BTreeMap<String, String>,
    /// The largest page to ask for.
    pub(super) page_size: u32,
    /// How long reads may show what was before a write. IAM is eventually consistent.
    pub(super) read_lag_ms: u64,
    /// Whether the system has service-specific credentials; AWS has, some that speak its API do not.
    pub(super) service_credentials: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let same = ["displayName", "email", "department", "title"].map(|name| (name.into(), name.into()));
        Self {
            marker_tag: "bailiwick:marker".into(),
            attributes: same.into(),
            page_size: LARGEST,
            read_lag_ms: 10_000,
            service_credentials: true,
        }
    }
}

fn wrong(setting: &str, why: impl Display) -> ConnectorError {
    ConnectorError::none(ErrorKind::Settings, format!("setting `{setting}`: {why}"))
}

impl Settings {
    /// Reads settings; `null` is a table without any.
    ///
    /// # Errors
    /// `Settings`, naming the setting.
    pub(super) fn new(settings: &Value) -> Result<Self> {
        let table = match settings {
            Value::Null => return Ok(Self::default()),
            Value::Object(table) => table,
            _ => return Err(ConnectorError::none(ErrorKind::Settings, "the settings are not a table")),
        };
        // One at a time, so that an error of type has the name of its setting with it.
        for (name, value) in table {
            let one = Value::Object([(name.clone(), value.clone())].into_iter().collect());
            serde_json::from_value::<Self>(one).map_err(|error| wrong(name, error))?;
        }
        let read: Self = serde_json::from_value(settings.clone()).map_err(|e| wrong("settings", e))?;
        read.checked()
    }

    fn checked(self) -> Result<Self> {
        if !(1..=LARGEST).contains(&self.page_size) {
            return Err(wrong("page_size", format!("a page has 1 to {LARGEST} objects")));
        }
        tag_key(&self.marker_tag).map_err(|why| wrong("marker_tag", why))?;
        if self.marker_tag == DISABLED_TAG {
            return Err(wrong("marker_tag", format!("`{DISABLED_TAG}` marks accounts that are disabled")));
        }
        for (name, key) in &self.attributes {
            let setting = format!("attributes.{name}");
            if [NAME, PATH].contains(&name.as_str()) || READ_ONLY.contains(&name.as_str()) {
                return Err(wrong(&setting, "a user has this attribute itself, not as a tag"));
            }
            tag_key(key).map_err(|why| wrong(&setting, why))?;
            if *key == self.marker_tag || key == DISABLED_TAG {
                return Err(wrong(&setting, format!("the tag `{key}` is the hub's own")));
            }
            if self.attributes.iter().any(|(other, its)| other != name && its.eq_ignore_ascii_case(key)) {
                return Err(wrong(&setting, format!("two attributes are in the tag `{key}`")));
            }
        }
        Ok(self)
    }
}

/// What IAM takes as the key of a tag.
fn tag_key(key: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
    if key.is_empty() || key.chars().count() > 128 || !key.chars().all(allowed) {
        return Err(format!(
            "`{key}` is not the key of a tag: 1 to 128 letters, digits, spaces and `_.:/=+-@`"
        ));
    }
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err("keys that begin with `aws:` are the system's own".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_is_needed_and_everything_can_be_said() {
        assert_eq!(Settings::new(&Value::Null).unwrap(), Settings::new(&json!({})).unwrap());
        let settings = Settings::new(&json!({
            "marker_tag": "hr", "attributes": {"mail": "Owner Mail"}, "page_size": 7, "read_lag_ms": 0,
            "service_credentials": false,
        }))
        .unwrap();
        assert_eq!(settings.attributes["mail"], "Owner Mail");
        assert_eq!((settings.page_size, settings.read_lag_ms, settings.service_credentials), (7, 0, false));
    }

    #[test]
    fn every_error_names_its_setting() {
        for (settings, names) in [
            (json!([]), "settings are not a table"),
            (json!({"colour": 1}), "`colour`"),
            (json!({"page_size": 0}), "`page_size`"),
            (json!({"page_size": 1001}), "`page_size`"),
            (json!({"page_size": "x"}), "`page_size`"),
            (json!({"read_lag_ms": -1}), "`read_lag_ms`"),
            (json!({"service_credentials": "no"}), "`service_credentials`"),
            (json!({"marker_tag": ""}), "`marker_tag`"),
            (json!({"marker_tag": "a\nb"}), "`marker_tag`"),
            (json!({"marker_tag": "AWS:x"}), "`marker_tag`"),
            (json!({"marker_tag": "bailiwick:disabled"}), "`marker_tag`"),
            (json!({"attributes": {"a": "x'"}}), "`attributes.a`"),
            (json!({"attributes": {"userName": "n"}}), "`attributes.userName`"),
            (json!({"attributes": {"arn": "n"}}), "`attributes.arn`"),
            (json!({"attributes": {"a": "bailiwick:marker"}}), "`attributes.a`"),
            (json!({"attributes": {"a": "x", "b": "X"}}), "`attributes.a`"),
        ] {
            let error = Settings::new(&settings).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Settings, "{settings}");
            assert!(error.message.contains(names), "{settings}: {}", error.message);
        }
    }
}
