//! What is kept, as a resource: the document that was sent, with its id, its schemas and what the hub knows of it.

use std::collections::BTreeMap;

use bailiwick_core::{id::PushedGroupId, id::SourceName, time::Timestamp};
use bailiwick_store::{
    Entity, Filter, Select, Stored, Table, Tx,
    entities::{MemberKind, PushedGroup, PushedMember, PushedUser},
    select,
};
use serde_json::{Map, Value, json};

use super::{
    etag::tag,
    fault::Result,
    project::Projection,
    schema::{Resource, Returned, is_urn},
};
use crate::api::Hub;

/// A kind of row that is a resource.
pub trait Kept: Entity + Send + Sync {
    /// Which.
    const RESOURCE: Resource;
    /// The column by which its name is found.
    const NAME: (&'static str, &'static str);

    fn id(&self) -> String;
    fn document(&self) -> &Map<String, Value>;
    /// When it was made and last changed.
    fn times(&self) -> (Timestamp, Timestamp);
}

impl Kept for PushedUser {
    const RESOURCE: Resource = Resource::User;
    const NAME: (&'static str, &'static str) = ("userName", "user_name");

    fn id(&self) -> String {
        self.id.to_string()
    }
    fn document(&self) -> &Map<String, Value> {
        &self.document
    }
    fn times(&self) -> (Timestamp, Timestamp) {
        (self.created, self.modified)
    }
}

impl Kept for PushedGroup {
    const RESOURCE: Resource = Resource::Group;
    const NAME: (&'static str, &'static str) = ("displayName", "display_name");

    fn id(&self) -> String {
        self.id.to_string()
    }
    fn document(&self) -> &Map<String, Value> {
        &self.document
    }
    fn times(&self) -> (Timestamp, Timestamp) {
        (self.created, self.modified)
    }
}

/// Where a resource is.
pub fn location(resource: Resource, base: &str, id: &str) -> String {
    format!("{base}{}/{id}", resource.endpoint())
}

/// A row as its resource.
pub fn rendered<T: Kept>(stored: &Stored<T>, base: &str) -> Map<String, Value> {
    let Stored { value, revision } = stored;
    let id = value.id();
    let mut resource = value.document().clone();
    let core: &str = &T::RESOURCE.core().urn;
    let extensions = value.document().keys().filter(|name| is_urn(name)).map(String::as_str);
    let schemas: Vec<&str> = std::iter::once(core).chain(extensions).collect();
    let (created, modified) = value.times();
    let meta = json!({
        "resourceType": T::RESOURCE.name(),
        "created": format!("{created:.3}"),
        "lastModified": format!("{modified:.3}"),
        "location": location(T::RESOURCE, base, &id),
        "version": tag(*revision),
    });
    resource.insert("schemas".into(), schemas.into());
    resource.insert("id".into(), id.into());
    resource.insert("meta".into(), meta);
    resource
}

/// Adds what is not in the row, where it is wanted: the members of a group, the groups of a user.
pub async fn complete<T: Kept>(
    hub: &Hub,
    tx: &mut dyn Tx,
    (source, base): (&SourceName, &str),
    resource: &mut Map<String, Value>,
    wanted: &Projection,
) -> Result<()> {
    let Some(id) = resource.get("id").and_then(Value::as_str).map(str::to_owned) else { return Ok(()) };
    let (name, found) = match T::RESOURCE {
        Resource::Group if wanted.wants("members", Returned::Default) => {
            ("members", members(hub, tx, &id, None).await?.into_iter().map(|m| member(&m, base)).collect())
        }
        Resource::User if wanted.wants("groups", Returned::Request) => {
            ("groups", groups(hub, tx, (source, base), &id).await?)
        }
        Resource::Group | Resource::User => return Ok(()),
    };
    if found != Value::Array(Vec::new()) {
        resource.insert(name.into(), found);
    }
    Ok(())
}

/// The rows of the members of a group, at most so many.
pub async fn members(
    hub: &Hub,
    tx: &mut dyn Tx,
    group: &str,
    limit: Option<u32>,
) -> Result<Vec<PushedMember>> {
    let of = Select::from(Table::PushedMembers).filter(Filter::Is("group_id", group.into()));
    let found = select::<PushedMember>(tx, hub.tenant(), Select { limit, ..of }).await?;
    Ok(found.into_iter().map(|stored| stored.value).collect())
}

fn member(of: &PushedMember, base: &str) -> Value {
    let resource = match of.kind {
        MemberKind::User => Resource::User,
        MemberKind::Group => Resource::Group,
    };
    json!({ "value": of.member, "$ref": location(resource, base, &of.member), "type": resource.name() })
}

async fn groups(
    hub: &Hub,
    tx: &mut dyn Tx,
    (source, base): (&SourceName, &str),
    user: &str,
) -> Result<Value> {
    let of = Filter::Is("member", format!("{source}/{user}").into());
    let rows =
        select::<PushedMember>(tx, hub.tenant(), Select::from(Table::PushedMembers).filter(of)).await?;
    let ids: Vec<PushedGroupId> = rows.into_iter().map(|row| row.value.group).collect();
    let keys = ids.iter().map(|id| PushedGroup::key_of(source, *id).into()).collect();
    let of = Select::from(Table::PushedGroups).filter(Filter::In("id", keys));
    let named: BTreeMap<PushedGroupId, String> = select::<PushedGroup>(tx, hub.tenant(), of)
        .await?
        .into_iter()
        .map(|row| (row.value.id, row.value.display_name))
        .collect();
    let shown = |(id, display): (PushedGroupId, String)| {
        let place = location(Resource::Group, base, &id.to_string());
        json!({ "value": id, "$ref": place, "display": display, "type": "direct" })
    };
    Ok(named.into_iter().map(shown).collect())
}
