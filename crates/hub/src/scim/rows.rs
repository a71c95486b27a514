//! What is kept, as a resource: the document that was sent, with its id, its schemas and what the hub knows of it.

use std::collections::{BTreeMap, BTreeSet};

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

/// Adds what is not in the rows, where it is wanted: the members of groups, the groups of users.
pub async fn complete<T: Kept>(
    hub: &Hub,
    tx: &mut dyn Tx,
    of: (&SourceName, &str),
    resources: &mut [Map<String, Value>],
    wanted: &Projection,
) -> Result<()> {
    let id = |resource: &Map<String, Value>| resource.get("id").and_then(Value::as_str).map(str::to_owned);
    let ids: Vec<String> = resources.iter().filter_map(id).collect();
    let (name, mut found) = match T::RESOURCE {
        _ if ids.is_empty() => return Ok(()),
        Resource::Group if wanted.wants("members", Returned::Default) => {
            ("members", members_of(hub, tx, of.1, &ids).await?)
        }
        Resource::User if wanted.wants("groups", Returned::Request) => {
            ("groups", groups_of(hub, tx, of, &ids).await?)
        }
        Resource::Group | Resource::User => return Ok(()),
    };
    for resource in resources {
        if let Some(theirs) = id(resource).and_then(|id| found.remove(&id)) {
            resource.insert(name.into(), theirs.into());
        }
    }
    Ok(())
}

/// The members of each of these groups that has any.
async fn members_of(
    hub: &Hub,
    tx: &mut dyn Tx,
    base: &str,
    groups: &[String],
) -> Result<BTreeMap<String, Vec<Value>>> {
    let of = Filter::In("group_id", groups.iter().map(|id| id.as_str().into()).collect());
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for row in select::<PushedMember>(tx, hub.tenant(), Select::from(Table::PushedMembers).filter(of)).await?
    {
        found.entry(row.value.group.to_string()).or_default().push(member(&row.value, base));
    }
    Ok(found)
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

/// The groups of each of these users who is in any.
async fn groups_of(
    hub: &Hub,
    tx: &mut dyn Tx,
    (source, base): (&SourceName, &str),
    users: &[String],
) -> Result<BTreeMap<String, Vec<Value>>> {
    let members = users.iter().map(|user| format!("{source}/{user}").into()).collect();
    let of = Select::from(Table::PushedMembers).filter(Filter::In("member", members));
    let rows: BTreeSet<(String, PushedGroupId)> = select::<PushedMember>(tx, hub.tenant(), of)
        .await?
        .into_iter()
        .map(|row| (row.value.member, row.value.group))
        .collect();
    let groups: BTreeSet<PushedGroupId> = rows.iter().map(|(_, group)| *group).collect();
    if groups.is_empty() {
        return Ok(BTreeMap::new());
    }
    let keys = groups.iter().map(|id| PushedGroup::key_of(source, *id).into()).collect();
    let of = Select::from(Table::PushedGroups).filter(Filter::In("id", keys));
    let shown = |group: &PushedGroup| {
        let place = location(Resource::Group, base, &group.id.to_string());
        json!({ "value": group.id, "$ref": place, "display": group.display_name, "type": "direct" })
    };
    let shown: BTreeMap<PushedGroupId, Value> = select::<PushedGroup>(tx, hub.tenant(), of)
        .await?
        .into_iter()
        .map(|row| (row.value.id, shown(&row.value)))
        .collect();
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (user, group) in rows {
        found.entry(user).or_default().extend(shown.get(&group).cloned());
    }
    Ok(found)
}
