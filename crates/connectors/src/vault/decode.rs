//! What the system says of entities, groups, tokens and leases.

use std::{borrow::Cow, collections::BTreeMap};

use bailiwick_connector::{Object, ObjectState, ObjectValue, Result};
use serde::Deserialize;

use super::{
    exchange::malformed,
    settings::{NAME, Settings},
};

/// An identity entity. What is missing in it is `null` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Entity {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) metadata: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) disabled: bool,
    pub(super) policies: Option<Vec<String>>,
    pub(super) aliases: Option<Vec<Alias>>,
    pub(super) direct_group_ids: Option<Vec<String>>,
    pub(super) inherited_group_ids: Option<Vec<String>>,
    pub(super) merged_entity_ids: Option<Vec<String>>,
    pub(super) last_update_time: Option<String>,
}

/// A login that leads to an entity.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Alias {
    pub(super) id: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) mount_path: String,
    #[serde(default)]
    pub(super) mount_type: String,
    pub(super) metadata: Option<BTreeMap<String, String>>,
}

/// An identity group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) member_entity_ids: Option<Vec<String>>,
    pub(super) member_group_ids: Option<Vec<String>>,
    pub(super) last_update_time: Option<String>,
}

/// A token, as its accessor shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Token {
    pub(super) accessor: String,
    #[serde(default)]
    pub(super) entity_id: String,
    #[serde(default)]
    pub(super) display_name: String,
    #[serde(default)]
    pub(super) path: String,
    #[serde(default)]
    pub(super) orphan: bool,
    pub(super) policies: Option<Vec<String>>,
    pub(super) expire_time: Option<String>,
}

/// A lease; it names neither its token nor its entity.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Lease {
    /// Seconds that it still has; none when it is overdue, whether or not the system still tries.
    pub(super) ttl: i64,
}

/// An entity as an account.
///
/// # Errors
/// `Malformed` when it is another one than was asked for.
pub(super) fn account(entity: Entity, asked: Option<&str>, settings: &Settings) -> Result<Object<'static>> {
    if let Some(asked) = asked.filter(|asked| *asked != entity.id) {
        return Err(malformed(&format!("`{}` came when `{asked}` was asked for", entity.id)));
    }
    let mut metadata = entity.metadata.unwrap_or_default();
    let marker = metadata.remove(&settings.marker).map(Cow::Owned);
    let mut attributes = vec![(Cow::from(NAME), ObjectValue::Text(entity.name.clone().into()))];
    for (name, key) in &settings.attributes {
        let value = metadata.get(key).map(|value| ObjectValue::Text(value.clone().into()));
        attributes.extend(value.map(|value| (name.clone().into(), value)));
    }
    Ok(Object {
        id: entity.id.into(),
        name: entity.name.into(),
        marker,
        state: if entity.disabled { ObjectState::Blocked } else { ObjectState::Live },
        version: entity.last_update_time.map(Into::into),
        purges_at: None,
        attributes,
        links: ascending(entity.direct_group_ids.into_iter().flatten()),
    })
}

/// A group with its members, entities and groups.
///
/// # Errors
/// `Malformed` when it is another one than was asked for.
pub(super) fn group(group: Group, asked: &str) -> Result<Object<'static>> {
    if group.id != asked {
        return Err(malformed(&format!("`{}` came when `{asked}` was asked for", group.id)));
    }
    let members = group.member_entity_ids.into_iter().chain(group.member_group_ids).flatten();
    Ok(Object {
        id: group.id.into(),
        name: group.name.into(),
        version: group.last_update_time.map(Into::into),
        attributes: vec![("type".into(), ObjectValue::Text(group.kind.into()))],
        links: ascending(members),
        ..Object::default()
    })
}

/// The system gives lists of ids in any order, another one each time.
fn ascending(ids: impl Iterator<Item = String>) -> Vec<Cow<'static, str>> {
    let mut ids: Vec<_> = ids.map(Cow::Owned).collect();
    ids.sort_unstable();
    ids
}

/// An alias as a secondary account, named after the mount and the name there.
pub(super) fn alias(alias: Alias) -> Object<'static> {
    Object {
        name: format!("{}{}", alias.mount_path, alias.name).into(),
        id: alias.id.into(),
        attributes: vec![("mount".into(), ObjectValue::Text(alias.mount_type.into()))],
        ..Object::default()
    }
}

/// A token as something held. It is live however its entity is: see the head of the module.
pub(super) fn token(token: Token) -> Object<'static> {
    let text = |name: &'static str, value: String| (name.into(), ObjectValue::Text(value.into()));
    let mut attributes = vec![text("path", token.path)];
    attributes.extend(token.expire_time.map(|time| text("expires", time)));
    Object {
        id: format!("{ACCESSOR}{}", token.accessor).into(),
        name: match token.display_name.is_empty() {
            true => token.accessor.into(),
            false => token.display_name.into(),
        },
        attributes,
        ..Object::default()
    }
}

/// What the id of a token begins with.
pub(super) const ACCESSOR: &str = "accessor:";
/// What the id of a lease begins with.
pub(super) const LEASE: &str = "lease:";

/// A lease as something held.
pub(super) fn lease(id: &str) -> Object<'static> {
    Object { id: format!("{LEASE}{id}").into(), name: id.to_owned().into(), ..Object::default() }
}
