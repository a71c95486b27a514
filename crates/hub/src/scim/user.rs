//! Users: from what a caller sends to what the engine is told, and back.

use bailiwick_connectors::scim_push::Settings;
use bailiwick_core::{
    id::{PushedUserId, SourceName},
    policy::AttributeType,
};
use bailiwick_engine::{Pushing, UserWrite};
use bailiwick_store::{Stored, Tx, entities::PushedUser, get};
use serde_json::{Map, Value};

use super::{
    call::Call,
    etag::Condition,
    fault::{Fault, Result},
    mapping, patch,
    schema::{Resource, Schemas},
    shape::{self, ACTIVE},
    write::{Action, Done},
};
use crate::{api::Hub, problem::Problem};

/// The settings of the source that pushes.
pub fn settings(pushing: &Pushing) -> Result<Settings> {
    Settings::of(&pushing.integration()?.settings).map_err(|error| Problem::from(error).into())
}

/// The user with this id, of this source.
pub async fn find(hub: &Hub, tx: &mut dyn Tx, source: &SourceName, id: &str) -> Result<Stored<PushedUser>> {
    let none = || Fault::no("user", &super::path::shown(id));
    let id: PushedUserId = id.parse().map_err(|_| none())?;
    get(tx, hub.tenant(), &PushedUser::key_of(source, id)).await?.ok_or_else(none)
}

/// Writes a user.
pub async fn write(
    hub: &Hub,
    call: &Call,
    id: Option<&str>,
    action: &Action,
    condition: &Condition,
) -> Result<Done> {
    let pushing = hub.engine.pushing(&call.caller)?;
    let settings = settings(&pushing)?;
    let schemas = mapping::user_schemas(&settings);
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
    let (said, shaped) = match (action, &before) {
        (Action::Delete, Some(before)) => {
            let who = before.value.id;
            hub.engine.push_gone(call.caller.name(), who, before.revision).await?;
            return Ok(Done::gone(Resource::User, &who.to_string(), &call.base));
        }
        (Action::Create(body), _) => ("create", created(body.clone(), &schemas)?),
        (Action::Replace(body), before) => ("replace", replaced(body.clone(), before.as_ref(), &schemas)?),
        (Action::Patch(body), before) => ("patch", patched(body.clone(), before.as_ref(), &schemas)?),
        (Action::Delete, None) => return Err(Fault::no("user", "")),
    };
    shape::whole(&shaped.document, &schemas)?;
    let text = |name: &str| shaped.document.get(name).and_then(Value::as_str).map(str::to_owned);
    let contract = pushing.contract()?;
    let groups = mapping::group_rule(&settings).filter(|rule| {
        contract.attributes.get(&rule.attribute).is_some_and(|rule| rule.kind == AttributeType::TextSet)
    });
    let write = UserWrite {
        of: before.as_ref().map(|before| (before.value.id, before.revision)),
        user_name: text("userName").unwrap_or_default(),
        external: text("externalId"),
        record: mapping::record(&shaped.document, &schemas, &settings, contract)?,
        document: shaped.document,
        ignored: shaped.ignored,
        said,
        groups,
    };
    let stored = hub.engine.push_user(call.caller.name(), write).await?;
    Ok(Done::written(&stored, before.is_none(), &call.base))
}

fn created(body: Map<String, Value>, schemas: &Schemas) -> Result<shape::Shaped> {
    let mut shaped = shape::resource(body, schemas)?;
    shaped.document.entry(ACTIVE).or_insert(Value::Bool(true));
    Ok(shaped)
}

/// What is not said of `active` says nothing: nobody leaves by it, and nobody comes back.
fn replaced(
    body: Map<String, Value>,
    before: Option<&Stored<PushedUser>>,
    schemas: &Schemas,
) -> Result<shape::Shaped> {
    let mut shaped = shape::resource(body, schemas)?;
    let was = before.and_then(|before| before.value.document.get(ACTIVE)).cloned();
    shaped.document.entry(ACTIVE).or_insert(was.unwrap_or(Value::Bool(true)));
    Ok(shaped)
}

fn patched(
    body: Map<String, Value>,
    before: Option<&Stored<PushedUser>>,
    schemas: &Schemas,
) -> Result<shape::Shaped> {
    let operations = patch::read(body)?;
    let mut document = before.map(|before| before.value.document.clone()).unwrap_or_default();
    let patch::Patched { ignored, .. } = patch::apply(&mut document, operations, schemas)?;
    Ok(shape::Shaped { document, members: None, ignored })
}
