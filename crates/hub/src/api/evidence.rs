//! `/evidence`: packs, checkpoints, and checking the log against the state.

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use bailiwick_core::id::IdentityId;
use bailiwick_engine::{CheckReport, Damage};
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    answer::{Answer, ApiError, Body, Segment},
    caller::{Caller, Right},
};
use crate::problem::{Fault, Problem};

/// What to check the log against.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// An earlier checkpoint of the log, kept elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<String>,
}

/// What the check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckView {
    /// How many entries the log has.
    pub entries: u64,
    /// How many rows were compared with what the log says of them.
    pub rows: u64,
    /// The root of the log.
    pub root: String,
    /// The first damage, if there is any; its place is the entry of the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<Fault>,
}

/// Whose personal values to erase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EraseRequest {
    /// The id, `source/key`, or the e-mail address.
    pub identity: String,
}

/// What was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EraseView {
    /// Whose.
    pub identity: IdentityId,
    /// How many values that records commit to.
    pub erased: i64,
}

/// `POST /evidence/erasures`: erases what is personal about somebody who has left; proofs stay whole.
pub async fn erase(
    State(hub): State<Hub>,
    caller: Caller,
    Body(request): Body<EraseRequest>,
) -> Answer<EraseView> {
    caller.may(Right::Govern)?;
    let identity = hub.engine.find_identity(&request.identity).await?.value.id;
    let erased = hub.engine.erase(identity, caller.actor()).await?;
    Ok(Json(EraseView { identity, erased }))
}

/// `GET /evidence/checkpoint`: the signed checkpoint (C2SP tlog-checkpoint).
pub async fn checkpoint(State(hub): State<Hub>, _: Caller) -> Result<Response, ApiError> {
    hub.sequencer.publish(hub.engine.now()).await?;
    let head = hub.read().await?.log_head().await?;
    let head = head.ok_or_else(|| Problem::new(404, "not-found", "nothing is published yet"))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], head.checkpoint).into_response())
}

/// `GET /evidence/packs/{subject}`: everything about an identity or a case, to be verified offline.
pub async fn export(
    State(hub): State<Hub>,
    _: Caller,
    Segment(subject): Segment<String>,
) -> Result<Response, ApiError> {
    let pack = hub.engine.export(&subject, &hub.sequencer).await?;
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], pack).into_response())
}

/// `POST /evidence/check`
pub async fn check(
    State(hub): State<Hub>,
    _: Caller,
    Body(request): Body<CheckRequest>,
) -> Answer<CheckView> {
    let report = hub.engine.check_evidence(&hub.sequencer, request.earlier.as_deref()).await?;
    let CheckReport { entries, rows, root, damage } = report;
    let damage = damage.map(|Damage { code, entry, message }| {
        let place = entry.map(|entry| format!("entry {entry}"));
        Fault { code, place, message }
    });
    Ok(Json(CheckView { entries, rows, root, damage }))
}
