//! Resources as the system shows them (RFC 7643 §3), and the projection that a client asked for.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::{Map, Value, json};

use super::{
    filter::Source,
    path::{Place, Scope},
    schema::{GROUP, ResourceKind, USER},
};
use crate::{
    clock::rfc3339,
    refusal::Refusal,
    world::{Group, MemberKind, User, World},
};

/// Which attributes to show (RFC 7644 §3.4.2.5). `id` and `schemas` always are.
#[derive(Debug, Default)]
pub(crate) struct Projection {
    only: Option<Vec<Place>>,
    without: Vec<Place>,
}

impl Projection {
    pub(crate) fn parse(
        kind: ResourceKind,
        attributes: Option<&str>,
        excluded: Option<&str>,
    ) -> Result<Self, Refusal> {
        let places = |names: &str| {
            let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
            names
                .map(|name| {
                    let unknown = || Refusal::InvalidPath(format!("no attribute `{name}`"));
                    Scope::Resource(kind).resolve(name).ok_or_else(unknown)
                })
                .collect::<Result<Vec<_>, _>>()
        };
        if attributes.is_some() && excluded.is_some() {
            return Err(Refusal::InvalidValue("give `attributes` or `excludedAttributes`, not both".into()));
        }
        Ok(Self {
            only: attributes.map(places).transpose()?,
            without: excluded.map(places).transpose()?.unwrap_or_default(),
        })
    }

    /// Whether any of a core attribute is shown; saves building what is not.
    fn shows(&self, name: &str) -> bool {
        let is =
            |place: &Place| place.extension.is_none() && place.attribute.is_some_and(|at| at.name == name);
        let excluded = self.without.iter().any(|place| is(place) && place.part.is_none());
        !excluded && self.only.as_ref().is_none_or(|only| only.iter().any(is))
    }

    fn apply(&self, mut resource: Map<String, Value>) -> Map<String, Value> {
        if let Some(only) = &self.only {
            let mut kept = Map::new();
            for name in ["schemas", "id"] {
                kept.extend(resource.get(name).map(|value| (name.to_owned(), value.clone())));
            }
            for place in only {
                copy(&resource, &mut kept, place);
            }
            return kept;
        }
        for place in &self.without {
            remove(&mut resource, place);
        }
        resource
    }
}

fn copy(from: &Map<String, Value>, to: &mut Map<String, Value>, place: &Place) {
    if let Some(urn) = place.extension {
        let Some(Value::Object(inner)) = from.get(urn) else { return };
        let mut kept = match to.remove(urn) {
            Some(Value::Object(kept)) => kept,
            _ => Map::new(),
        };
        match place.attribute {
            None => kept = inner.clone(),
            Some(_) => copy(inner, &mut kept, &Place { extension: None, ..*place }),
        }
        to.insert(urn.to_owned(), Value::Object(kept));
        return;
    }
    let Some(attribute) = place.attribute else { return };
    let Some(value) = from.get(attribute.name) else { return };
    let Some(part) = place.part else {
        to.insert(attribute.name.to_owned(), value.clone());
        return;
    };
    let slot = to.entry(attribute.name).or_insert_with(|| match value {
        Value::Array(all) => Value::Array(vec![json!({}); all.len()]),
        _ => json!({}),
    });
    match (slot, value) {
        (Value::Array(slots), Value::Array(all)) => {
            for (slot, value) in slots.iter_mut().zip(all) {
                if let (Some(slot), Some(value)) = (slot.as_object_mut(), value.get(part.name)) {
                    slot.insert(part.name.to_owned(), value.clone());
                }
            }
        }
        (Value::Object(slot), value) => {
            slot.extend(value.get(part.name).map(|value| (part.name.to_owned(), value.clone())));
        }
        _ => {}
    }
}

fn remove(from: &mut Map<String, Value>, place: &Place) {
    if let Some(urn) = place.extension {
        match (place.attribute, from.get_mut(urn)) {
            (None, _) => {
                from.remove(urn);
            }
            (Some(_), Some(Value::Object(inner))) => remove(inner, &Place { extension: None, ..*place }),
            _ => {}
        }
        return;
    }
    let Some(attribute) = place.attribute.filter(|attribute| attribute.name != "id") else { return };
    let Some(part) = place.part else {
        from.remove(attribute.name);
        return;
    };
    match from.get_mut(attribute.name) {
        Some(Value::Array(all)) => {
            for value in all.iter_mut().filter_map(Value::as_object_mut) {
                value.remove(part.name);
            }
        }
        Some(Value::Object(value)) => {
            value.remove(part.name);
        }
        _ => {}
    }
}

/// The weak entity tag of a version (RFC 7644 §3.14).
pub(crate) fn etag(version: u64) -> String {
    format!("W/\"{version}\"")
}

fn meta(kind: ResourceKind, id: &str, created_ms: i64, modified_ms: i64, version: u64, base: &str) -> Value {
    json!({
        "resourceType": kind.name(),
        "created": rfc3339(created_ms),
        "lastModified": rfc3339(modified_ms),
        "location": format!("{base}/{}/{id}", kind.endpoint()),
        "version": etag(version),
    })
}

/// A user as a filter sees it and a client gets it.
pub(crate) struct UserView<'a> {
    pub(crate) user: &'a User,
    pub(crate) world: &'a World,
    pub(crate) base: &'a str,
}

impl UserView<'_> {
    fn groups(&self) -> Value {
        let entry = |group: &Group| {
            json!({
                "value": group.id,
                "$ref": format!("{}/Groups/{}", self.base, group.id),
                "display": group.display_name(),
                "type": "direct",
            })
        };
        self.world.parents(&self.user.id).map(entry).collect()
    }

    fn meta(&self) -> Value {
        let User { id, created_ms, modified_ms, version, .. } = self.user;
        meta(ResourceKind::User, id, *created_ms, *modified_ms, *version, self.base)
    }

    pub(crate) fn render(&self, projection: &Projection) -> Value {
        let mut resource = self.user.attributes.clone();
        let mut schemas = vec![USER];
        let extension = ResourceKind::User.extension().map(|extension| extension.urn);
        schemas.extend(extension.filter(|urn| resource.contains_key(*urn)));
        resource.insert("schemas".into(), json!(schemas));
        resource.insert("id".into(), self.user.id.clone().into());
        if projection.shows("groups") {
            resource.insert("groups".into(), self.groups());
        }
        resource.insert("meta".into(), self.meta());
        Value::Object(projection.apply(resource))
    }
}

impl Source for UserView<'_> {
    fn attribute(&self, extension: Option<&str>, name: &str) -> Option<Cow<'_, Value>> {
        match (extension, name) {
            (None, "id") => Some(Cow::Owned(self.user.id.clone().into())),
            (None, "meta") => Some(Cow::Owned(self.meta())),
            (None, "groups") => Some(Cow::Owned(self.groups())),
            (None, "active") => Some(Cow::Owned(self.user.active().into())),
            _ => self.user.attributes.attribute(extension, name),
        }
    }
}

/// A group as a filter sees it and a client gets it.
pub(crate) struct GroupView<'a> {
    pub(crate) group: &'a Group,
    pub(crate) members: &'a BTreeMap<String, MemberKind>,
    pub(crate) world: &'a World,
    pub(crate) base: &'a str,
}

impl GroupView<'_> {
    fn members(&self) -> Value {
        let entry = |(id, kind): (&String, &MemberKind)| {
            let (name, endpoint, display) = match kind {
                MemberKind::User => ("User", "Users", self.world.any_user(id).map(User::user_name)),
                MemberKind::Group => ("Group", "Groups", self.world.group(id).map(Group::display_name)),
            };
            json!({
                "value": id,
                "$ref": format!("{}/{endpoint}/{id}", self.base),
                "display": display.unwrap_or_default(),
                "type": name,
            })
        };
        self.members.iter().map(entry).collect()
    }

    fn meta(&self) -> Value {
        let Group { id, created_ms, modified_ms, version, .. } = self.group;
        meta(ResourceKind::Group, id, *created_ms, *modified_ms, *version, self.base)
    }

    pub(crate) fn render(&self, projection: &Projection) -> Value {
        let mut resource = self.group.attributes.clone();
        resource.insert("schemas".into(), json!([GROUP]));
        resource.insert("id".into(), self.group.id.clone().into());
        if projection.shows("members") {
            resource.insert("members".into(), self.members());
        }
        resource.insert("meta".into(), self.meta());
        Value::Object(projection.apply(resource))
    }
}

impl Source for GroupView<'_> {
    fn attribute(&self, extension: Option<&str>, name: &str) -> Option<Cow<'_, Value>> {
        match (extension, name) {
            (None, "id") => Some(Cow::Owned(self.group.id.clone().into())),
            (None, "meta") => Some(Cow::Owned(self.meta())),
            (None, "members") => Some(Cow::Owned(self.members())),
            _ => self.group.attributes.attribute(extension, name),
        }
    }
}
