//! `/evidence`: packs, checkpoints, and checking the log against the state.

use axum::{Json, extract::State};
use bailiwick_core::id::IdentityId;
use bailiwick_engine::{CheckReport, Damage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    answer::{Answer, ApiError, Body, Pack, Segment, Text},
    caller::{Caller, Right},
    operation::{Access, Resource, get, post},
    wait::when_free,
};
use crate::problem::{Fault, Problem};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("show-checkpoint", "/evidence/checkpoint", checkpoint)
            .says("The signed checkpoint of the log (C2SP tlog-checkpoint).")
            .fails(&[404]),
        get("export-pack", "/evidence/packs/{subject}", export)
            .says("Everything about an identity or a case, to be verified offline.")
            .fails(&[409]),
        post("check-evidence", "/evidence/check", Access::Token, check)
            .for_programs(Right::Operate)
            .says("Checks the log against itself and the state."),
        post("erase-personal", "/evidence/erasures", Access::Right(Right::Govern), erase)
            .says("Erases what is personal about somebody who has left; proofs stay whole.")
            .fails(&[404]),
    ];
    Resource::new("Evidence", "Packs, checkpoints, and checking the log against the state.", operations)
}

/// What to check the log against.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// An earlier checkpoint of the log, kept elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<String>,
}

/// What the check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseRequest {
    /// The id, `source/key`, or the e-mail address.
    pub identity: String,
}

/// What was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EraseView {
    /// Whose.
    pub identity: IdentityId,
    /// How many values that records commit to.
    pub erased: i64,
}

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

pub async fn checkpoint(State(hub): State<Hub>, _: Caller) -> Result<Text, ApiError> {
    when_free(|| hub.sequencer.publish(hub.engine.now())).await?;
    let head = hub.read().await?.log_head().await?;
    let head = head.ok_or_else(|| Problem::new(404, "not-found", "nothing is published yet"))?;
    Ok(Text(head.checkpoint))
}

pub async fn export(
    State(hub): State<Hub>,
    _: Caller,
    Segment(subject): Segment<String>,
) -> Result<Pack, ApiError> {
    let pack = when_free(|| hub.engine.export(&subject, &hub.sequencer)).await?;
    Ok(Pack(pack))
}

pub async fn check(
    State(hub): State<Hub>,
    _: Caller,
    Body(request): Body<CheckRequest>,
) -> Answer<CheckView> {
    let earlier = request.earlier.as_deref();
    let report = when_free(|| hub.engine.check_evidence(&hub.sequencer, earlier)).await?;
    let CheckReport { entries, rows, root, damage } = report;
    let damage = damage.map(|Damage { code, entry, message }| {
        let place = entry.map(|entry| format!("entry {entry}"));
        Fault { code, place, message }
    });
    Ok(Json(CheckView { entries, rows, root, damage }))
}
