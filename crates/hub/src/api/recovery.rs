//! `/recovery`: that the hub goes on from a backup, and letting it change systems again.

use axum::{Json, extract::State};
use bailiwick_engine::RecoveryView;
use bailiwick_store::entities::Recovery;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    answer::{Answer, Body},
    caller::{Caller, Right},
    operation::{Access, Resource, get, post},
};

/// What can be done after a restore.
pub fn routes() -> Resource {
    let operations = vec![
        get("show-recovery", "/recovery", show).says(
            "The restore that keeps changes back, and what was not looked at since; `null` when none does.",
        ),
        post("release-recovery", "/recovery/release", Access::Right(Right::Govern), release)
            .says("Lets changes go out to systems again.")
            .fails(&[404]),
    ];
    Resource::new("Recovery", "That the hub goes on from a backup.", operations)
}

/// Why a restore is released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoveryRelease {
    /// Why.
    pub reason: String,
    /// Though not everything was looked at since.
    #[serde(default)]
    pub anyway: bool,
}

pub async fn show(State(hub): State<Hub>, _: Caller) -> Answer<Option<RecoveryView>> {
    Ok(Json(hub.engine.recovery().await?))
}

pub async fn release(
    State(hub): State<Hub>,
    caller: Caller,
    Body(asked): Body<RecoveryRelease>,
) -> Answer<Recovery> {
    caller.may(Right::Govern)?;
    let released = hub.engine.release_recovery(&asked.reason, asked.anyway, &caller.0).await?;
    hub.worker.nudge();
    Ok(Json(released))
}
