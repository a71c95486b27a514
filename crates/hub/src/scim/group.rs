//! Groups: a document, and members that are never read to be changed.

use bailiwick_core::id::{PushedGroupId, SourceName};
use bailiwick_engine::{GroupWrite, Removed};
use bailiwick_store::{Stored, Tx, entities::PushedGroup, get};
use serde_json::{Map, Value};

use super::{
    call::Call,
    etag::Condition,
    fault::{Fault, Result},
    mapping,
    patch::{self, MemberChange},
    schema::{Resource, Schemas},
    shape, user,
    write::{Action, Done},
};
use crate::api::Hub;

/// The group with this id, of this source.
pub async fn find(hub: &Hub, tx: &mut dyn Tx, source: &SourceName, id: &str) -> Result<Stored<PushedGroup>> {
    let none = || Fault::no("group", &super::path::shown(id));
    let id: PushedGroupId = id.parse().map_err(|_| none())?;
    get(tx, hub.tenant(), &PushedGroup::key_of(source, id)).await?.ok_or_else(none)
}

/// Writes a group.
pub async fn write(
    hub: &Hub,
    call: &Call,
    id: Option<&str>,
    action: &Action,
    condition: &Condition,
) -> Result<Done> {
    let pushing = hub.engine.pushing(&call.caller)?;
    let rule = mapping::group_rule(&user::settings(&pushing)?);
    let schemas = Schemas::of(Resource::Group);
    let before = match id {
        Some(id) => {
            let mut tx = hub.engine.parts().store.read().await?;
            Some(find(hub, &mut *tx, pushing.source(), id).await?)
        }
        None => None,
    };
    if let Some(before) = &before {
        condition.allows(before.revision)?;
    }
    let (said, document, members) = match (action, &before) {
        (Action::Delete, Some(before)) => {
            let which = (before.value.id, before.revision);
            hub.engine.push_group_gone(call.caller.name(), which, rule.as_ref()).await?;
            return Ok(Done::gone(Resource::Group, &before.value.id.to_string(), &call.base));
        }
        (Action::Delete, None) => return Err(Fault::no("group", "")),
        (Action::Create(body), _) => with_members("create", shape::resource(body.clone(), &schemas)?),
        (Action::Replace(body), _) => with_members("replace", shape::resource(body.clone(), &schemas)?),
        (Action::Patch(body), before) => patched(body.clone(), before.as_ref(), &schemas)?,
    };
    shape::whole(&document, &schemas)?;
    let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
    let removed = match members.others {
        true => Removed::Others,
        false => Removed::These(members.removed),
    };
    let write = GroupWrite {
        of: before.as_ref().map(|before| (before.value.id, before.revision)),
        display_name: text("displayName").unwrap_or_default(),
        external: text("externalId"),
        document,
        added: members.added,
        removed,
        said,
        rule,
    };
    let stored = hub.engine.push_group(call.caller.name(), write).await?;
    Ok(Done::written(&stored, before.is_none(), &call.base))
}

type Said = (&'static str, Map<String, Value>, MemberChange);

/// A whole group has the members that it names and no others.
fn with_members(said: &'static str, shaped: shape::Shaped) -> Said {
    let added = shaped.members.unwrap_or_default();
    (said, shaped.document, MemberChange { added, others: true, ..MemberChange::default() })
}

fn patched(
    body: Map<String, Value>,
    before: Option<&Stored<PushedGroup>>,
    schemas: &Schemas,
) -> Result<Said> {
    let operations = patch::read(body)?;
    let mut document = before.map(|before| before.value.document.clone()).unwrap_or_default();
    let patch::Patched { members, .. } = patch::apply(&mut document, operations, schemas)?;
    Ok(("patch", document, members))
}
