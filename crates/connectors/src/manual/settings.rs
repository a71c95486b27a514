//! What configuration may say. Every error names the setting.

use std::{collections::BTreeMap, fmt::Display};

use bailiwick_connector::{ByPerson, ConnectorError, ErrorKind, Result};
use bailiwick_core::{plan::Op, scope::Operation};
use serde::Deserialize;
use serde_json::Value;

/// The longest that something may stay undone, hours: 90 days.
const LONGEST: u32 = 90 * 24;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    assignee: Option<String>,
    hours: Option<u32>,
    remind_hours: Option<u32>,
    stands_days: Option<u32>,
    #[serde(default)]
    instructions: BTreeMap<Operation, String>,
}

/// The settings of an integration with a person.
pub(super) struct Settings {
    /// How they are asked.
    pub(super) person: ByPerson,
    instructions: BTreeMap<Operation, String>,
}

fn wrong(setting: &str, why: impl Display) -> ConnectorError {
    ConnectorError::none(ErrorKind::Settings, format!("setting `{setting}`: {why}"))
}

impl Settings {
    pub(super) fn new(settings: &Value) -> Result<Self> {
        let raw = match settings {
            Value::Null => Raw::default(),
            given => Raw::deserialize(given).map_err(|e| {
                ConnectorError::none(ErrorKind::Settings, format!("the settings of `manual`: {e}"))
            })?,
        };
        let hours = raw.hours.unwrap_or(48);
        if !(1..=LONGEST).contains(&hours) {
            return Err(wrong("hours", format!("{hours} is not between 1 and {LONGEST}")));
        }
        let remind_hours = raw.remind_hours.unwrap_or(hours / 2);
        if remind_hours > hours {
            return Err(wrong("remind_hours", "the reminder would come after the deadline"));
        }
        let stands_days = raw.stands_days.unwrap_or(90);
        if !(1..=3_650).contains(&stands_days) {
            return Err(wrong("stands_days", format!("{stands_days} is not between 1 and 3650")));
        }
        if raw.assignee.as_deref().is_some_and(|name| name.trim().is_empty()) {
            return Err(wrong("assignee", "it is empty; leave it out to ask the owner"));
        }
        for (operation, text) in &raw.instructions {
            let setting = format!("instructions.{}", operation.as_str());
            if operation.reads() || *operation == Operation::Issue {
                return Err(wrong(&setting, "there are create, update, delete, grant and revoke"));
            }
            let rest = text.replace("{change}", "").replace("{account}", "");
            if rest.contains(['{', '}']) {
                return Err(wrong(&setting, "there are the holes `{change}` and `{account}`, no others"));
            }
        }
        let person = ByPerson { assignee: raw.assignee, remind_hours, hours, stands_days };
        Ok(Self { person, instructions: raw.instructions })
    }

    /// What to do, in words.
    pub(super) fn instruction(&self, op: &Op, account: Option<&str>) -> String {
        let change = match op {
            Op::CreateAccount { attributes, .. } => {
                let told = attributes.iter().map(|(name, value)| format!("{name}: {value}"));
                format!("{} ({})", op.words(), told.collect::<Vec<_>>().join(", "))
            }
            Op::SetAttributes { attributes } => {
                let told = attributes.iter().map(|(name, value)| format!("{name} to {value}"));
                format!("set {}", told.collect::<Vec<_>>().join(", "))
            }
            Op::Grant { external_id, .. } | Op::Revoke { external_id, .. } => {
                format!("{} `{external_id}`", op.words())
            }
            Op::Enable | Op::Disable { .. } | Op::Delete | Op::RevokeAll { .. } => op.words(),
        };
        match (self.instructions.get(&op.operation()), account) {
            // What fills one hole is never looked through for another.
            (Some(text), _) => {
                let parts =
                    text.split("{change}").map(|part| part.replace("{account}", account.unwrap_or("(new)")));
                parts.collect::<Vec<_>>().join(&change)
            }
            (None, Some(account)) => format!("{change}, account `{account}`"),
            (None, None) => change,
        }
    }
}

#[cfg(test)]
mod tests {
    use bailiwick_core::access::AccessClass;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_error_names_its_setting() {
        for (settings, names) in [
            (json!([]), "manual"),
            (json!({"colour": "red"}), "colour"),
            (json!({"hours": 0}), "`hours`"),
            (json!({"hours": 99_999}), "`hours`"),
            (json!({"hours": 4, "remind_hours": 5}), "`remind_hours`"),
            (json!({"stands_days": 0}), "`stands_days`"),
            (json!({"assignee": " "}), "`assignee`"),
            (json!({"instructions": {"list": "look"}}), "`instructions.list`"),
            (json!({"instructions": {"grant": "give {what}"}}), "`instructions.grant`"),
            (json!({"instructions": {"jump": "x"}}), "jump"),
        ] {
            let error = Settings::new(&settings).err().unwrap();
            assert_eq!(error.kind, ErrorKind::Settings, "{settings}");
            assert!(error.message.contains(names), "{settings}: {}", error.message);
        }
    }

    #[test]
    fn a_person_is_told_what_to_do_and_to_which_account() {
        let settings = json!({"instructions": {"revoke": "At the front desk: {change} of {account}."}});
        let settings = Settings::new(&settings).unwrap();
        let revoke = Op::Revoke { class: AccessClass::Roles, external_id: "lab {account}".into() };
        assert_eq!(
            settings.instruction(&revoke, Some("B-77")),
            "At the front desk: revoke roles `lab {account}` of B-77."
        );
        assert_eq!(settings.instruction(&Op::Delete, Some("B-77")), "delete account, account `B-77`");
        assert_eq!((settings.person.hours, settings.person.remind_hours), (48, 24));
    }
}
