//! What configuration may say of the log.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `ours` | what the log calls the hub: the id of the entity of its token, or the token's display name | must be said |
//! | `file` | its name in the endpoint's folder | `audit.log` |
//! | `rotated` | the name that the file before it has | that one is not kept |
//! | `namespace` | the namespace, such as `team1/app` | the root namespace |

use bailiwick_connector::{ConnectorError, ErrorKind, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::segment;

/// What configuration says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) ours: Vec<String>,
    #[serde(default = "usual")]
    pub(super) file: String,
    pub(super) rotated: Option<String>,
    #[serde(default)]
    pub(super) namespace: String,
}

fn usual() -> String {
    "audit.log".to_owned()
}

impl Settings {
    pub(super) fn new(settings: &Value) -> Result<Self> {
        let given = if settings.is_null() { &json!({}) } else { settings };
        let this: Self = Deserialize::deserialize(given).map_err(|error| wrong(&error.to_string()))?;
        let blank = this.ours.iter().any(|name| name.trim().is_empty());
        let names = [Some(&this.file), this.rotated.as_ref()].into_iter().flatten();
        if this.ours.is_empty() || blank {
            return Err(wrong("`ours` names nobody, and nobody's deeds can be told apart without it"));
        }
        for name in names.clone() {
            path(name).map_err(|_| {
                wrong(&format!("`{name}` is not the name of a file in the endpoint's folder"))
            })?;
        }
        if names.count() == 2 && this.rotated.as_ref() == Some(&this.file) {
            return Err(wrong("`rotated` is another file than `file`"));
        }
        if this.namespace.starts_with('/') || this.namespace.ends_with('/') {
            return Err(wrong("`namespace` is a path such as `team1/app`"));
        }
        Ok(this)
    }
}

/// The path of a file of the folder.
pub(super) fn path(name: &str) -> Result<String> {
    name.split('/').try_fold(String::new(), |path, part| Ok(path + "/" + &segment(part)?))
}

fn wrong(why: &str) -> ConnectorError {
    ConnectorError::none(ErrorKind::Settings, format!("vault-log: {why}"))
}
