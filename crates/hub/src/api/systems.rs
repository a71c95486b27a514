//! `/systems`: reach them, and compare them with what is known.

use axum::{Json, extract::State, http::StatusCode};
use bailiwick_core::id::SystemName;
use bailiwick_engine::Reconciled;
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    answer::{Answer, ApiError, Params, Segment},
    caller::{Caller, Right},
    wait::Wait,
};
use crate::worker::Pulse;

/// What a reconciliation found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconciledView {
    /// How many accounts the system showed.
    pub accounts: u64,
    /// How many are as they were.
    pub unchanged: u64,
    /// How many differ from what was known.
    pub changed: u64,
    /// How many are new and belong to somebody known.
    pub adopted: u64,
    /// How many are new and belong to nobody known.
    pub unmanaged: u64,
    /// How many are not there any more.
    pub gone: u64,
    /// How many groups the system showed.
    pub groups: u64,
    /// Why not everything was shown, if so: then nothing is taken to be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
    /// How the queue is after the wait.
    pub queue: Pulse,
}

/// `POST /systems/{system}/reconciliation?wait=SECONDS`
pub async fn reconcile(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(system): Segment<SystemName>,
    Params(wait): Params<Wait>,
) -> Answer<ReconciledView> {
    caller.may(Right::Operate)?;
    let Reconciled { accounts, unchanged, changed, adopted, unmanaged, gone, groups, partial } =
        hub.engine.reconcile(&system).await?;
    let queue = wait.for_quiet(&hub).await;
    Ok(Json(ReconciledView {
        accounts,
        unchanged,
        changed,
        adopted,
        unmanaged,
        gone,
        groups,
        partial,
        queue,
    }))
}

/// `POST /systems/{system}/check`: reaches the system and tries the credential; 204 when both work.
pub async fn check(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(system): Segment<SystemName>,
) -> Result<StatusCode, ApiError> {
    caller.may(Right::Operate)?;
    hub.engine.check_system(&system).await?;
    Ok(StatusCode::NO_CONTENT)
}
