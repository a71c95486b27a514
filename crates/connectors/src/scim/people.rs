//! Users of a service provider as the people of a source: which of its attributes they are known by, and what is read.
//!
//! Who is not active has left, as where they are pushed. A user without the key cannot be told apart from others and is
//! nobody's person.

use std::{borrow::Cow, collections::BTreeMap};

use bailiwick_connector::{Locator, Object, ObjectValue, Page, Result, Visit};
use serde::Deserialize;

use super::{
    decode::Mapping,
    path::{ENTERPRISE, ScimPath, quoted},
    read::{Reader, only},
};

/// Attribute of a contract → where users have it, without being configured.
const USUAL: [(&str, &str); 8] = [
    ("display_name", "displayName"),
    ("email", "emails[type eq \"work\"].value"),
    ("employee_type", "userType"),
    ("family_name", "name.familyName"),
    ("given_name", "name.givenName"),
    ("job_title", "title"),
    ("title", "title"),
    ("user_name", "userName"),
];

/// The same, of the enterprise extension.
const USUAL_ENTERPRISE: [(&str, &str); 6] = [
    ("cost_center", "costCenter"),
    ("department", "department"),
    ("division", "division"),
    ("employee_number", "employeeNumber"),
    ("manager", "manager.value"),
    ("organization", "organization"),
];

/// What configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PeopleSetting {
    key: Option<String>,
}

/// How users become people.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct People {
    key: Key,
    mapping: Mapping,
}

/// What a person is known by, for good.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    /// The provider's own `id`.
    Id,
    /// `externalId`.
    ExternalId,
    /// An attribute of this name.
    Attribute(String),
}

/// Attribute of a contract → where users have it, without being configured.
pub(super) fn usual() -> BTreeMap<String, String> {
    let enterprise = USUAL_ENTERPRISE.map(|(name, path)| (name.to_owned(), format!("{ENTERPRISE}:{path}")));
    let core = USUAL.map(|(name, path)| (name.to_owned(), path.to_owned()));
    core.into_iter().chain(enterprise).collect()
}

impl People {
    /// Takes a setting, and where the attributes are. The error says why the key is none.
    pub(super) fn new(
        setting: PeopleSetting,
        paths: BTreeMap<String, ScimPath>,
    ) -> std::result::Result<Self, String> {
        let mapping = Mapping::new(paths);
        let key = match setting.key.as_deref() {
            None | Some("id") => Key::Id,
            Some("externalId") => Key::ExternalId,
            Some(name) if mapping.path(name).is_some() => Key::Attribute(name.to_owned()),
            Some(name) => {
                return Err(format!("`{name}` is not `id`, `externalId` or the name of an attribute"));
            }
        };
        Ok(Self { key, mapping })
    }

    /// A user as a person; none if they have no key.
    fn person<'o>(&self, user: Object<'o>) -> Option<Object<'o>> {
        let id: Cow<'o, str> = match &self.key {
            Key::Id => user.id.clone(),
            Key::ExternalId => user.marker.clone()?,
            Key::Attribute(name) => text(&user, name)?,
        };
        let name = text(&user, "display_name").unwrap_or_else(|| user.name.clone());
        let person = Object { id, name, marker: None, version: None, links: Vec::new(), ..user };
        (!person.id.is_empty()).then_some(person)
    }

    /// One page of all people.
    pub(super) async fn list(
        &self,
        reader: &Reader<'_>,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        let mut show = |user: Object<'_>| self.person(user).into_iter().for_each(&mut *visit);
        reader.users(&self.mapping, cursor, size, &mut show).await
    }

    /// The person that a locator means.
    pub(super) async fn get(
        &self,
        reader: &Reader<'_>,
        locator: Locator<'_>,
    ) -> Result<Option<Object<'static>>> {
        let Locator::Person(key) = locator else { return Err(super::unsupported(super::ACCESS)) };
        let path = match &self.key {
            Key::Id => {
                let user = reader.user(key, &self.mapping).await?;
                return Ok(user.and_then(|user| self.person(user)));
            }
            Key::ExternalId => "externalId".to_owned(),
            Key::Attribute(name) => self.mapping.path(name).map(ToString::to_string).unwrap_or_default(),
        };
        let filter = format!("{path} eq {}", quoted(key));
        let matches = |user: &Object<'_>| self.person(user.clone()).is_some_and(|person| person.id == key);
        let found = reader.find(&filter, &self.mapping, matches).await?;
        let people = found.into_iter().filter_map(|user| self.person(user)).collect();
        only(people, "key", key)
    }
}

/// An attribute that is text.
fn text<'o>(user: &Object<'o>, name: &str) -> Option<Cow<'o, str>> {
    match user.attributes.iter().find(|(known, _)| known == name) {
        Some((_, ObjectValue::Text(text))) => Some(text.clone()),
        Some((_, ObjectValue::Flag(_) | ObjectValue::Many(_) | ObjectValue::Null)) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_is_one_that_is_read() {
        let paths = || usual().into_iter().map(|(name, path)| (name, path.parse().unwrap()));
        let people = |setting: serde_json::Value| {
            People::new(serde_json::from_value(setting).unwrap(), paths().collect())
        };
        for (key, expect) in [
            (json!({}), Key::Id),
            (json!({ "key": "id" }), Key::Id),
            (json!({ "key": "externalId" }), Key::ExternalId),
            (json!({ "key": "employee_number" }), Key::Attribute("employee_number".into())),
        ] {
            assert_eq!(people(key).unwrap().key, expect);
        }
        let why = people(json!({ "key": "badge" })).unwrap_err();
        assert!(why.contains("`badge`"), "{why}");
        let badge = BTreeMap::from([("badge".to_owned(), "urn:x:User:badge".parse().unwrap())]);
        let setting = serde_json::from_value(json!({ "key": "badge" })).unwrap();
        assert_eq!(People::new(setting, badge).unwrap().key, Key::Attribute("badge".into()));
    }
}
