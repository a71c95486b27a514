//! `/recovery`: that the hub goes on from a backup, and letting it change systems again.

use axum::{Json, extract::State};
use bailiwick_engine::RecoveryView;
use bailiwick_store::entities::Recovery;
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    answer::{Answer, Body},
    caller::{Caller, Right},
};

/// Why a restore is released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryRelease {
    /// Why.
    pub reason: String,
    /// Though not everything was looked at since.
    #[serde(default)]
    pub anyway: bool,
}

/// `GET /recovery`: the restore that keeps changes back; `null` when none does.
pub async fn show(State(hub): State<Hub>, _: Caller) -> Answer<Option<RecoveryView>> {
    Ok(Json(hub.engine.recovery().await?))
}

/// `POST /recovery/release`: changes go out again.
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
