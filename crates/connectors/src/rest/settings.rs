//! What configuration may say. Every error names the setting.

use bailiwick_connector::{ConnectorError, ErrorKind, Result};
use bailiwick_core::access::AccessClass;
use serde_json::{Map, Value};

use super::{description::Description, shipped, template::Holes};
use crate::http::segment;

/// The settings of a REST integration.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    pub(super) description: Description,
    pub(super) parameters: Holes,
    pub(super) page_size: Option<u32>,
    pub(super) read_lag_ms: Option<u64>,
}

fn wrong(setting: &str, why: impl std::fmt::Display) -> ConnectorError {
    ConnectorError::none(ErrorKind::Settings, format!("setting `{setting}`: {why}"))
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
        let mut description = description(settings.remove("description").as_ref())?;
        without(settings.remove("without"), &mut description)?;
        let parameters = parameters(settings.remove("parameters"), &description)?;
        let number = |name: &str, value: Option<Value>, least: u64| {
            value
                .map(|value| {
                    value
                        .as_u64()
                        .filter(|n| *n >= least)
                        .ok_or_else(|| wrong(name, "it is a number of its own"))
                })
                .transpose()
        };
        let page_size = number("page_size", settings.remove("page_size"), 1)?;
        let read_lag_ms = number("read_lag_ms", settings.remove("read_lag_ms"), 0)?;
        match settings.keys().next() {
            None => {
                let page_size = page_size.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
                Ok(Self { description, parameters, page_size, read_lag_ms })
            }
            Some(unknown) => Err(wrong(
                unknown,
                "there is none of this name; there are description, parameters, without, page_size and read_lag_ms",
            )),
        }
    }
}

fn description(value: Option<&Value>) -> Result<Description> {
    let names = || shipped::NAMES.join(", ");
    let faults = match value {
        None => {
            return Err(wrong(
                "description",
                format!("it is the name of a description ({}) or a table", names()),
            ));
        }
        Some(Value::String(name)) => match shipped::text(name) {
            Some(text) => Description::read(text),
            None => {
                let why = format!("there is none called `{name}`; there are {}, or write a table", names());
                return Err(wrong("description", why));
            }
        },
        Some(table @ Value::Object(_)) => Description::of(table),
        Some(_) => return Err(wrong("description", "it is a name or a table")),
    };
    faults.map_err(|faults| {
        let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
        wrong("description", all.join("; "))
    })
}

/// Leaves out classes that this system does not have, though others of its kind do.
fn without(value: Option<Value>, description: &mut Description) -> Result<()> {
    let Some(value) = value else { return Ok(()) };
    let classes: Vec<AccessClass> = serde_json::from_value(value).map_err(|error| wrong("without", error))?;
    for class in classes {
        if description.held.remove(&class).is_none() {
            return Err(wrong("without", format!("`{}` does not describe {class}", description.name)));
        }
    }
    Ok(())
}

fn parameters(value: Option<Value>, description: &Description) -> Result<Holes> {
    let given = match value {
        None => Map::new(),
        Some(Value::Object(given)) => given,
        Some(_) => return Err(wrong("parameters", "it is a table of texts")),
    };
    let mut parameters = Holes::new();
    for (name, value) in given {
        let setting = format!("parameters.{name}");
        if !description.parameters.contains_key(&name) {
            let names: Vec<&str> = description.parameters.keys().map(String::as_str).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(wrong(
                &setting,
                format!("`{}` has no such parameter; it has {known}", description.name),
            ));
        }
        let text = value.as_str().ok_or_else(|| wrong(&setting, "it is a text"))?;
        segment(text).map_err(|error| wrong(&setting, error.message))?;
        parameters.insert(name, text.into());
    }
    for (name, what) in &description.parameters {
        if !parameters.contains_key(name) {
            return Err(wrong(&format!("parameters.{name}"), format!("it is missing: {what}")));
        }
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_error_names_its_setting() {
        let plain = json!({
            "name": "x", "title": "X", "version": "1", "docs": "https://x.example", "auth": {"style": "bearer"},
            "accounts": {"id": "/id", "name": "/name", "list": {"call": "GET /users", "paging": {"style": "none"}}},
        });
        assert!(Settings::new(&json!({"description": plain})).is_ok());
        assert!(Settings::new(&json!({"description": "github-org", "parameters": {"org": "acme"}})).is_ok());
        let mut bad = plain.clone();
        bad["accounts"]["get"] = json!({"call": "GET /users/{who}"});
        for (settings, names) in [
            (json!([]), "settings are not a table"),
            (Value::Null, "`description`"),
            (json!({"description": "github"}), "there are github-org"),
            (json!({"description": 3}), "`description`"),
            (json!({"description": bad}), "`accounts.get.call`: nothing fills `{who}`"),
            (json!({"description": {"nam": "x"}}), "unknown field `nam`"),
            (json!({"description": "github-org"}), "`parameters.org`"),
            (json!({"description": "github-org", "parameters": {"org": "../x"}}), "`parameters.org`"),
            (json!({"description": "github-org", "parameters": {"org": 3}}), "`parameters.org`"),
            (
                json!({"description": "github-org", "parameters": {"org": "a", "team": "b"}}),
                "`parameters.team`",
            ),
            (json!({"description": "github-org", "parameters": "acme"}), "`parameters`"),
            (json!({"description": plain, "page_size": 0}), "`page_size`"),
            (json!({"description": plain, "colour": "red"}), "`colour`"),
            (json!({"description": plain, "without": ["sessions"]}), "`without`"),
            (json!({"description": plain, "without": ["session"]}), "`without`"),
        ] {
            let error = Settings::new(&settings).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Settings, "{settings}");
            assert!(error.message.contains(names), "{settings}: {}", error.message);
        }
    }
}
