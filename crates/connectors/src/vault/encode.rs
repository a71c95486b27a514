//! What is sent: bodies that make and change entities. What the system would refuse with an answer that
//! leaves open whether it did something, or keep as something else, is refused here.

use std::collections::BTreeMap;

use bailiwick_connector::{ConnectorError, ErrorKind, Result};
use bailiwick_core::account::{AccountAttributes, AccountValue};
use serde_json::{Map, Value, json};

use super::settings::{NAME, Settings};

/// The longest key of metadata, bytes.
pub(super) const KEY_LIMIT: usize = 128;
/// The longest value of metadata, bytes.
const VALUE_LIMIT: usize = 512;

fn invalid(message: String) -> ConnectorError {
    ConnectorError::none(ErrorKind::Invalid, message)
}

/// What attributes say about an entity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The name, if it is among them.
    pub(super) name: Option<String>,
    /// Keys of the metadata and their values.
    pub(super) metadata: BTreeMap<String, String>,
}

/// Places attributes.
///
/// # Errors
/// `Invalid`, naming the attribute, if there is none of this name or it cannot have such a value.
pub(super) fn wanted(settings: &Settings, attributes: &AccountAttributes) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    for (name, value) in attributes {
        let text = match value {
            AccountValue::Text(text) => text,
            AccountValue::Flag(_) | AccountValue::Many(_) => {
                return Err(invalid(format!("attribute `{name}` is one text")));
            }
        };
        match settings.attributes.get(name) {
            _ if name == NAME && text.is_empty() => {
                return Err(invalid(format!("attribute `{NAME}` is empty, and the system would invent one")));
            }
            _ if name == NAME => wanted.name = Some(text.clone()),
            Some(key) => {
                wanted.metadata.insert(key.clone(), value_of(name, text)?);
            }
            None => {
                let known: Vec<&str> = settings.attributes.keys().map(String::as_str).collect();
                return Err(invalid(format!(
                    "there is no attribute `{name}`; there are {}",
                    [&[NAME], &known[..]].concat().join(", ")
                )));
            }
        }
    }
    Ok(wanted)
}

fn value_of(what: &str, text: &str) -> Result<String> {
    match text.len() <= VALUE_LIMIT {
        true => Ok(text.to_owned()),
        false => Err(invalid(format!("`{what}` is longer than the {VALUE_LIMIT} bytes that metadata takes"))),
    }
}

/// The body that makes an entity, usable, with the marker in its metadata.
///
/// # Errors
/// `Invalid` if the name is missing or the marker does not fit.
pub(super) fn new_entity(settings: &Settings, marker: &str, wanted: &Wanted) -> Result<Value> {
    let name =
        wanted.name.as_ref().ok_or_else(|| invalid(format!("an account needs the attribute `{NAME}`")))?;
    let mut metadata = wanted.metadata.clone();
    metadata.insert(settings.marker.clone(), value_of("marker", marker)?);
    Ok(json!({"name": name, "metadata": metadata, "disabled": false}))
}

/// The body that makes an entity what is wanted, given the metadata that it has; `None` if it is so.
pub(super) fn changed(name: &str, metadata: &BTreeMap<String, String>, wanted: &Wanted) -> Option<Value> {
    let mut body = Map::new();
    if let Some(new) = wanted.name.as_ref().filter(|new| *new != name) {
        body.insert(NAME.into(), new.as_str().into());
    }
    if wanted.metadata.iter().any(|(key, value)| metadata.get(key) != Some(value)) {
        let mut all = metadata.clone();
        all.extend(wanted.metadata.clone());
        body.insert("metadata".into(), json!(all));
    }
    (!body.is_empty()).then_some(Value::Object(body))
}

/// The name of a policy, as the system keeps it.
///
/// # Errors
/// `Invalid` for one that the system would keep as another one, and for `root`.
pub(super) fn policy(name: &str) -> Result<&str> {
    match name {
        "" | "root" => Err(invalid(format!("the policy `{name}` cannot be given to an entity"))),
        _ if name.trim() != name || name.to_lowercase() != name => {
            Err(invalid(format!("names of policies are in lower case, without spaces around: `{name}`")))
        }
        _ => Ok(name),
    }
}

/// A name as the system compares it.
pub(super) fn folded(name: &str) -> String {
    // One character for one, as the system does it; more than one come of `İ` alone.
    name.chars().filter_map(|c| c.to_lowercase().next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::new(&json!({"attributes": {"department": "dept", "email": "mail"}})).unwrap()
    }

    fn attributes(pairs: &[(&str, &str)]) -> AccountAttributes {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
    }

    #[test]
    fn a_new_entity_bears_its_marker() {
        let settings = settings();
        let wanted = wanted(&settings, &attributes(&[("name", "Ann \"A\""), ("department", "D\0")])).unwrap();
        assert_eq!(
            new_entity(&settings, "hr/1", &wanted).unwrap(),
            json!({"name": "Ann \"A\"", "metadata": {"bailiwick": "hr/1", "dept": "D\0"}, "disabled": false})
        );
    }

    #[test]
    fn what_the_system_would_not_keep_as_it_is_is_refused_by_name() {
        let settings = settings();
        let many = |name: &str| [(name.to_owned(), AccountValue::Many(vec!["1".into()]))].into();
        for (attributes, names) in [
            (attributes(&[("name", "")]), "`name`"),
            (attributes(&[("shoeSize", "9")]), "`shoeSize`"),
            (attributes(&[("dept", "9")]), "`dept`"),
            (attributes(&[("bailiwick", "9")]), "`bailiwick`"),
            (attributes(&[("email", &"é".repeat(257))]), "`email`"),
            (many("name"), "`name`"),
            (many("email"), "`email`"),
        ] {
            let error = wanted(&settings, &attributes).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Invalid);
            assert!(error.message.contains(names), "{}", error.message);
        }
        assert!(new_entity(&settings, "m", &Wanted::default()).unwrap_err().message.contains("`name`"));
        let long =
            new_entity(&settings, &"m".repeat(513), &Wanted { name: Some("a".into()), ..Wanted::default() });
        assert!(long.unwrap_err().message.contains("`marker`"));
        for name in ["", "root", "Ops", " ops", "ops ", "Ärzte"] {
            assert_eq!(policy(name).unwrap_err().kind, ErrorKind::Invalid, "{name:?}");
        }
        assert_eq!(policy("ops/a b").unwrap(), "ops/a b");
    }

    #[test]
    fn a_change_keeps_what_is_not_spoken_of() {
        let metadata: BTreeMap<String, String> = [("bailiwick", "m"), ("dept", "old"), ("other", "kept")]
            .map(|(k, v)| (k.into(), v.into()))
            .into();
        let settings = settings();
        let change = |pairs: &[(&str, &str)]| {
            changed("ann", &metadata, &wanted(&settings, &attributes(pairs)).unwrap())
        };
        assert_eq!(change(&[("name", "ann"), ("department", "old")]), None);
        assert_eq!(change(&[("name", "Ann")]), Some(json!({"name": "Ann"})));
        assert_eq!(
            change(&[("department", "new"), ("email", "a@x")]),
            Some(json!({"metadata": {"bailiwick": "m", "dept": "new", "mail": "a@x", "other": "kept"}}))
        );
    }

    #[test]
    fn names_are_compared_without_case() {
        for (one, other) in
            [("Ann", "aNN"), ("ZOË", "zoë"), ("ΑΣ", "ας".replace('ς', "σ").as_str()), ("İ", "i")]
        {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        assert_ne!(folded("ﬁ"), folded("fi"));
    }
}
