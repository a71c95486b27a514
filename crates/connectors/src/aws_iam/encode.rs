//! What is said to IAM: attributes as parameters and tags, and the hub's own policies.

use bailiwick_connector::{Action, ConnectorError, ErrorKind, Result};
use bailiwick_core::{
    account::{AccountAttributes, AccountValue},
    scope::Operation,
    time::{SignedDuration, Timestamp},
};
use serde_json::{Value, json};

use super::settings::Settings;

/// The attribute that is the user's name.
pub(super) const NAME: &str = "userName";
/// The attribute that is the user's path.
pub(super) const PATH: &str = "path";
/// The attributes that are shown and not set.
pub(super) const READ_ONLY: [&str; 1] = ["arn"];
/// The tag of a user whose credentials were switched off.
pub(super) const DISABLED_TAG: &str = "bailiwick:disabled";
/// What that tag says.
pub(super) const CREDENTIALS_OFF: &str = "credentials-off";
/// The inline policy of a user that may do nothing at all.
pub(super) const DENY: &str = "BailiwickDenyAll";
/// The inline policy that lets a canary do the one thing that its key is tried with.
pub(super) const CANARY: &str = "BailiwickCanary";

/// The inline policy by which what was handed out to a user for a time is worth nothing any more.
pub(super) const ENDED: &str = "BailiwickEndedSessions";
/// What the hub gives users by itself; none of it is access.
pub(super) const OWN: [&str; 3] = [CANARY, DENY, ENDED];
/// How far the clock of AWS may be ahead, seconds.
const AHEAD: i64 = 60;

/// An action of IAM.
pub(super) const fn iam(operation: Operation, name: &'static str) -> Action {
    Action { operation, service: "iam", version: "2010-05-08", name, parameters: Vec::new() }
}

/// An action about a user.
pub(super) fn on(operation: Operation, name: &'static str, user: &str) -> Action {
    iam(operation, name).with("UserName", user)
}

/// Adds tags.
pub(super) fn tagged(action: Action, tags: &[(String, String)]) -> Action {
    tags.iter().zip(1..).fold(action, |action, ((key, value), n): (_, u32)| {
        action.with(format!("Tags.member.{n}.Key"), key).with(format!("Tags.member.{n}.Value"), value)
    })
}

/// Attributes, sorted by how they are set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) name: Option<String>,
    pub(super) path: Option<String>,
    /// Key and value.
    pub(super) tags: Vec<(String, String)>,
}

impl Wanted {
    /// Sorts attributes. Fails with `Invalid` when one is not known, or is not a text.
    pub(super) fn new(settings: &Settings, attributes: &AccountAttributes) -> Result<Self> {
        let mut wanted = Self::default();
        for (name, value) in attributes {
            let invalid =
                |why: &str| ConnectorError::none(ErrorKind::Invalid, format!("the attribute `{name}` {why}"));
            let text = match value {
                AccountValue::Text(text) => text.clone(),
                AccountValue::Flag(_) | AccountValue::Many(_) => {
                    return Err(invalid("is one text on this system"));
                }
            };
            match (name.as_str(), settings.attributes.get(name)) {
                (NAME, _) => wanted.name = Some(text),
                (PATH, _) => wanted.path = Some(text),
                (_, Some(key)) => wanted.tags.push((key.clone(), text)),
                (_, None) => {
                    return Err(invalid("is not known; name its tag in the setting `attributes`"));
                }
            }
        }
        Ok(wanted)
    }
}

/// Refuses what cannot reach IAM, or cannot come back in its XML, as the same bytes.
pub(super) fn sayable(action: &Action) -> Result<()> {
    let bad = |c: char| c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}');
    for (name, value) in &action.parameters {
        let problem = if value.chars().any(bad) {
            "has a control character, which its answers cannot carry"
        } else if value.is_empty() && !name.ends_with(".Value") {
            "is empty, which some of its actions take for somebody else"
        } else {
            continue;
        };
        let message = format!("`{}` is not sent: `{name}` {problem}", action.name);
        return Err(ConnectorError::none(ErrorKind::Invalid, message));
    }
    Ok(())
}

/// The document of [`DENY`]. It also ends what temporary credentials of the user may do.
pub(super) fn deny_all() -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "BailiwickDisabled", "Effect": "Deny", "Action": "*", "Resource": "*"},
    ]})
}

/// The document of [`ENDED`]: temporary credentials say when they were issued, and keys of a user do not.
pub(super) fn ended_before(now: Timestamp) -> Value {
    let at = now.saturating_add(SignedDuration::from_secs(AHEAD)).unwrap_or(now);
    let issued = json!({"DateLessThan": {"aws:TokenIssueTime": format!("{at:.0}")}});
    json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "BailiwickEndedSessions", "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": issued},
    ]})
}

/// The document of [`CANARY`]: what it lets see is nobody's, and cannot be narrowed to a resource.
pub(super) fn may_be_tried() -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "BailiwickCanary", "Effect": "Allow", "Action": "iam:ListAccountAliases", "Resource": "*"},
    ]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_become_parameters_and_tags_or_are_refused() {
        let settings = Settings::default();
        let wanted = |pairs: &[(&str, AccountValue)]| {
            let attributes = pairs.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
            Wanted::new(&settings, &attributes)
        };
        let got =
            wanted(&[("userName", "ann".into()), ("path", "/x/".into()), ("email", "a@x".into())]).unwrap();
        assert_eq!((got.name.as_deref(), got.path.as_deref()), (Some("ann"), Some("/x/")));
        assert_eq!(got.tags, [("email".to_owned(), "a@x".to_owned())]);
        for (name, value) in [
            ("arn", "x".into()),
            ("colour", "x".into()),
            ("email", AccountValue::Flag(true)),
            ("email", AccountValue::Many(vec![])),
        ] {
            let error = wanted(&[(name, value)]).unwrap_err();
            assert!(error.kind == ErrorKind::Invalid && error.message.contains(name), "{error}");
        }
    }

    #[test]
    fn what_cannot_come_back_is_not_sent() {
        for (value, fine) in [
            ("ann", true),
            ("a&Action=DeleteUser", true),
            ("Ünï\u{308} +%41", true),
            ("", false),
            ("a\0", false),
            ("a\r\n", false),
            ("a\u{85}", false),
            ("\u{FFFF}", false),
        ] {
            let action = on(Operation::Get, "GetUser", value);
            assert_eq!(sayable(&action).is_ok(), fine, "{value:?}");
        }
        let tags = tagged(iam(Operation::Update, "TagUser"), &[("k".into(), String::new())]);
        assert!(sayable(&tags).is_ok());
    }
}
