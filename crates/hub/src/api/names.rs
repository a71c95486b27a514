//! `/names`: names of those who left, which are given to nobody else, and releasing one.

use axum::{Json, extract::State};
use bailiwick_core::{id::ReservedId, reserved::Reserved};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Who,
    answer::{Answer, Body, Segment},
    caller::{Caller, Right},
    operation::{Access, Resource, get, post},
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-names", "/names", list).says("Names that are kept, oldest first."),
        post("release-name", "/names/{name}/release", Access::Right(Right::Accept), release)
            .says("Gives a name free: the first one asks, the second one does it."),
    ];
    Resource::new("Names", "Names of those who left, which are given to nobody else.", operations)
}

/// A name that is kept, and whose it was. The name itself is not known here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NameView {
    /// Whose it was.
    pub who: Who,
    /// What is kept.
    #[serde(flatten)]
    pub name: Reserved,
}

/// Why a name is released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NameRelease {
    /// Why.
    pub reason: String,
}

pub async fn list(State(hub): State<Hub>, _: Caller) -> Answer<Vec<NameView>> {
    let all = hub.engine.reserved_names().await?;
    let who = hub.who(&mut *hub.read().await?, all.iter().map(|name| name.identity)).await?;
    let view = |name: Reserved| NameView { who: Who::of(&who, name.identity), name };
    Ok(Json(all.into_iter().map(view).collect()))
}

pub async fn release(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(name): Segment<ReservedId>,
    Body(asked): Body<NameRelease>,
) -> Answer<Reserved> {
    caller.may(Right::Accept)?;
    let released = hub.engine.release_name(name, &asked.reason, &caller.0).await?;
    hub.worker.nudge();
    Ok(Json(released))
}
