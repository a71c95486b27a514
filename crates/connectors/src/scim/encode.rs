//! What is sent: a new user, and PATCH requests in the forms that systems take (RFC 7644 §3.3, §3.5.2).

use bailiwick_connector::{ConnectorError, ErrorKind, Result};
use bailiwick_core::account::{AccountAttributes, AccountValue};
use serde_json::{Map, Value, json};

use super::{
    decode::{Mapping, member},
    path::{ScimPath, USER, quoted},
};

const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

fn invalid(message: String) -> ConnectorError {
    ConnectorError::none(ErrorKind::Invalid, message)
}

/// The paths of attributes, and their values as JSON.
///
/// # Errors
/// `Invalid`, naming the attribute, if it is not mapped or cannot have such a value.
pub(super) fn placed<'m>(
    mapping: &'m Mapping,
    attributes: &AccountAttributes,
) -> Result<Vec<(&'m ScimPath, Value)>> {
    let place = |(name, value): (&String, &AccountValue)| {
        let path = mapping.path(name).ok_or_else(|| {
            let known: Vec<_> = mapping.names().collect();
            invalid(format!("there is no attribute `{name}`; there are {}", known.join(", ")))
        })?;
        Ok((path, value_of(path, value).ok_or_else(|| invalid(format!("attribute `{name}` has one value")))?))
    };
    attributes.iter().map(place).collect()
}

fn value_of(path: &ScimPath, value: &AccountValue) -> Option<Value> {
    match value {
        AccountValue::Text(text) => Some(text.as_str().into()),
        AccountValue::Flag(flag) => Some((*flag).into()),
        AccountValue::Many(_) if path.pick.is_some() || path.part.is_some() => None,
        AccountValue::Many(all) => Some(all.iter().map(|text| json!({"value": text})).collect()),
    }
}

/// The body of a POST that makes a user, active, with the marker as `externalId`.
///
/// # Errors
/// `Invalid` if an attribute is not mapped, or the sign-in name is missing.
pub(super) fn new_user(mapping: &Mapping, marker: &str, attributes: &AccountAttributes) -> Result<Vec<u8>> {
    let placed = placed(mapping, attributes)?;
    let user_name = |(path, value): &(&ScimPath, Value)| {
        path.is(None, "userName", None) && value.as_str().is_some_and(|name| !name.is_empty())
    };
    if !placed.iter().any(user_name) {
        let name = mapping.user_name().unwrap_or("userName");
        return Err(invalid(format!("an account needs the attribute `{name}`")));
    }
    let mut schemas = vec![USER];
    for (path, _) in &placed {
        schemas.extend(path.schema.as_deref().filter(|schema| !schemas.contains(schema)));
    }
    let mut user = Map::new();
    user.insert("schemas".into(), json!(schemas));
    user.insert("externalId".into(), marker.into());
    user.insert("active".into(), true.into());
    nest(&mut user, &placed);
    Ok(Value::Object(user).to_string().into_bytes())
}

/// Puts values where their paths lead.
fn nest(user: &mut Map<String, Value>, placed: &[(&ScimPath, Value)]) {
    for (path, value) in placed {
        match &path.schema {
            Some(schema) => within(user, schema, |extension| put(extension, path, value)),
            None => put(user, path, value),
        }
    }
}

fn put(parent: &mut Map<String, Value>, path: &ScimPath, value: &Value) {
    let name = path.attribute.as_str();
    match (&path.pick, &path.part) {
        (None, None) => {
            parent.insert(name.to_owned(), value.clone());
        }
        (None, Some(part)) => within(parent, name, |child| {
            child.insert(part.clone(), value.clone());
        }),
        (Some(_), _) => match parent.get_mut(name) {
            Some(Value::Array(elements)) => elements.push(element(path, value)),
            _ => {
                parent.insert(name.to_owned(), Value::Array(vec![element(path, value)]));
            }
        },
    }
}

/// Fills the object that a member is, or becomes.
fn within(parent: &mut Map<String, Value>, name: &str, fill: impl FnOnce(&mut Map<String, Value>)) {
    let mut child = match parent.remove(name) {
        Some(Value::Object(child)) => child,
        _ => Map::new(),
    };
    fill(&mut child);
    parent.insert(name.to_owned(), Value::Object(child));
}

/// The element that a path with a filter would pick.
fn element(path: &ScimPath, value: &Value) -> Value {
    let mut element = Map::new();
    if let Some((by, operand)) = &path.pick {
        element.insert(by.clone(), operand.as_str().into());
    }
    element.insert(path.part.clone().unwrap_or_else(|| "value".into()), value.clone());
    Value::Object(element)
}

/// In which of the dialects of PATCH a change is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) form: Form,
    /// Yes and no are the texts `True` and `False`.
    pub(super) words: bool,
}

impl Dialect {
    /// As RFC 7644 has it.
    pub(super) const USUAL: Self = Self { form: Form::Path, words: false };

    fn value(self, value: &Value) -> Value {
        match value {
            Value::Bool(true) if self.words => "True".into(),
            Value::Bool(false) if self.words => "False".into(),
            other => other.clone(),
        }
    }
}

/// How the operations of a PATCH say where they act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// By `path`.
    Path,
    /// By the shape of `value`, without a `path`.
    Value,
}

/// A PATCH that sets attributes. `user` is the user as it is; it is needed where a path picks an element:
/// what is not there cannot be replaced (`noTarget`), and without a path the whole list is.
pub(super) fn set(placed: &[(&ScimPath, Value)], user: Option<&Value>, dialect: Dialect) -> Vec<u8> {
    let placed: Vec<(&ScimPath, Value)> =
        placed.iter().map(|(path, value)| (*path, dialect.value(value))).collect();
    if dialect.form == Form::Value {
        let mut value = Map::new();
        for (path, _) in placed.iter().filter(|(path, _)| path.pick.is_some()) {
            others(&mut value, user, path);
        }
        nest(&mut value, &placed);
        return patch(vec![json!({"op": "replace", "value": value})]);
    }
    let operation = |(path, value): &(&ScimPath, Value)| match path.pick.is_some()
        && !user.is_some_and(|u| has(u, path))
    {
        true => json!({"op": "add", "path": path.top(), "value": [element(path, value)]}),
        false => json!({"op": "replace", "path": path.to_string(), "value": value}),
    };
    patch(placed.iter().map(operation).collect())
}

/// The elements of the list that a path leads into.
fn elements<'u>(user: &'u Value, path: &ScimPath) -> &'u [Value] {
    let parent = match &path.schema {
        Some(schema) => member(user, schema),
        None => Some(user),
    };
    let found = parent.and_then(|parent| member(parent, &path.attribute)).and_then(Value::as_array);
    found.map(Vec::as_slice).unwrap_or_default()
}

/// Whether a path picks an element.
fn picks(path: &ScimPath, element: &Value) -> bool {
    path.pick.as_ref().is_some_and(|(by, operand)| {
        let text = member(element, by).and_then(Value::as_str);
        text.is_some_and(|text| text.eq_ignore_ascii_case(operand))
    })
}

/// Whether a user has an element that the path picks.
fn has(user: &Value, path: &ScimPath) -> bool {
    elements(user, path).iter().any(|element| picks(path, element))
}

/// Puts the elements that a path does not pick where the one that it picks will be, once for each list.
fn others(value: &mut Map<String, Value>, user: Option<&Value>, path: &ScimPath) {
    let kept = |name: &str, value: &mut Map<String, Value>| {
        let held = match value.remove(name) {
            Some(Value::Array(held)) => held,
            _ => user.map(|user| elements(user, path).to_vec()).unwrap_or_default(),
        };
        let others: Vec<Value> = held.into_iter().filter(|element| !picks(path, element)).collect();
        value.insert(name.to_owned(), others.into());
    };
    match &path.schema {
        Some(schema) => within(value, schema, |extension| kept(&path.attribute, extension)),
        None => kept(&path.attribute, value),
    }
}

/// A PATCH that makes a user usable or unusable.
pub(super) fn active(active: bool, dialect: Dialect) -> Vec<u8> {
    let value = dialect.value(&active.into());
    patch(vec![match dialect.form {
        Form::Path => json!({"op": "replace", "path": "active", "value": value}),
        Form::Value => json!({"op": "replace", "value": {"active": value}}),
    }])
}

/// A PATCH that adds a member to a group.
pub(super) fn join(account: &str) -> Vec<u8> {
    patch(vec![json!({"op": "add", "path": "members", "value": [{"value": account}]})])
}

/// A PATCH that takes a member from a group.
pub(super) fn leave(account: &str) -> Vec<u8> {
    patch(vec![json!({"op": "remove", "path": format!("members[value eq {}]", quoted(account))})])
}

fn patch(operations: Vec<Value>) -> Vec<u8> {
    json!({"schemas": [PATCH_OP], "Operations": operations}).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::settings::Settings;

    fn mapping() -> Mapping {
        Settings::new(&json!({"attributes": {"badge": "urn:x:User:badge", "phones": "phoneNumbers"}}))
            .unwrap()
            .mapping
    }

    fn json_of(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    fn attributes(pairs: &[(&str, &str)]) -> AccountAttributes {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), AccountValue::from(*value))).collect()
    }

    #[test]
    fn a_new_user_is_whole_and_declares_its_schemas() {
        let mapping = mapping();
        let wanted = attributes(&[
            ("userName", "ann"),
            ("givenName", "Ann"),
            ("familyName", "Lee"),
            ("email", "a@x"),
            ("department", "D1"),
            ("badge", "7"),
        ]);
        assert_eq!(
            json_of(&new_user(&mapping, "hr/1", &wanted).unwrap()),
            json!({
                "schemas": [USER, "urn:x:User", crate::scim::path::ENTERPRISE],
                "externalId": "hr/1",
                "active": true,
                "userName": "ann",
                "name": {"givenName": "Ann", "familyName": "Lee"},
                "emails": [{"type": "work", "value": "a@x"}],
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "D1"},
                "urn:x:User": {"badge": "7"},
            })
        );
    }

    #[test]
    fn what_is_not_mapped_or_has_the_wrong_shape_is_refused_by_name() {
        let mapping = mapping();
        let many = |name: &str| [(name.to_owned(), AccountValue::Many(vec!["1".into(), "2".into()]))].into();
        for (wanted, names) in [
            (attributes(&[("userName", "a"), ("shoeSize", "9")]), "`shoeSize`"),
            (attributes(&[("title", "T")]), "`userName`"),
            (attributes(&[("userName", "")]), "`userName`"),
            (many("email"), "`email`"),
        ] {
            let error = new_user(&mapping, "m", &wanted).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Invalid);
            assert!(error.message.contains(names), "{}", error.message);
        }
        let phones = placed(&mapping, &many("phones")).unwrap();
        assert_eq!(phones[0].1, json!([{"value": "1"}, {"value": "2"}]));
    }

    #[test]
    fn a_patch_replaces_what_is_there_and_adds_the_element_that_is_not() {
        let mapping = mapping();
        let wanted = attributes(&[("title", "T"), ("email", "a@x"), ("department", "D1")]);
        let placed = placed(&mapping, &wanted).unwrap();
        let department = format!("{}:department", crate::scim::path::ENTERPRISE);
        let operations =
            |user: Value| json_of(&set(&placed, Some(&user), Dialect::USUAL))["Operations"].clone();
        assert_eq!(
            operations(json!({"emails": [{"type": "WORK", "value": "old"}]})),
            json!([
                {"op": "replace", "path": department, "value": "D1"},
                {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "a@x"},
                {"op": "replace", "path": "title", "value": "T"},
            ])
        );
        assert_eq!(
            operations(json!({"emails": [{"type": "home", "value": "old"}]}))[1],
            json!({"op": "add", "path": "emails", "value": [{"type": "work", "value": "a@x"}]})
        );
        let plain = &placed[..1];
        assert_eq!(
            json_of(&set(plain, None, Dialect { form: Form::Value, words: false })),
            json!({"schemas": [PATCH_OP], "Operations": [
                {"op": "replace", "value": {crate::scim::path::ENTERPRISE: {"department": "D1"}}},
            ]})
        );
    }

    #[test]
    fn without_a_path_a_list_keeps_what_is_not_meant() {
        let settings =
            json!({"attributes": {"home": "emails[type eq \"home\"].value", "boss": "urn:x:User:boss"}});
        let mapping = Settings::new(&settings).unwrap().mapping;
        let flag = [("boss".to_owned(), AccountValue::Flag(true))];
        let wanted: AccountAttributes =
            attributes(&[("email", "a@x"), ("home", "h@x")]).into_iter().chain(flag).collect();
        let placed = placed(&mapping, &wanted).unwrap();
        let user = json!({"emails": [
            {"type": "Work", "value": "old", "primary": true}, {"type": "other", "value": "o", "display": "O"},
        ]});
        assert_eq!(
            json_of(&set(&placed, Some(&user), Dialect { form: Form::Value, words: true }))["Operations"],
            json!([{"op": "replace", "value": {
                "emails": [
                    {"type": "other", "value": "o", "display": "O"},
                    {"type": "work", "value": "a@x"},
                    {"type": "home", "value": "h@x"},
                ],
                "urn:x:User": {"boss": "True"},
            }}])
        );
    }

    #[test]
    fn dialects_of_active_and_members() {
        let of = |form, words| Dialect { form, words };
        for (bytes, operation) in [
            (active(false, Dialect::USUAL), json!({"op": "replace", "path": "active", "value": false})),
            (active(true, of(Form::Value, false)), json!({"op": "replace", "value": {"active": true}})),
            (
                active(false, of(Form::Path, true)),
                json!({"op": "replace", "path": "active", "value": "False"}),
            ),
            (active(true, of(Form::Value, true)), json!({"op": "replace", "value": {"active": "True"}})),
            (join("u1"), json!({"op": "add", "path": "members", "value": [{"value": "u1"}]})),
            (leave("u\"1"), json!({"op": "remove", "path": "members[value eq \"u\\\"1\"]"})),
        ] {
            assert_eq!(json_of(&bytes), json!({"schemas": [PATCH_OP], "Operations": [operation]}));
        }
    }
}
