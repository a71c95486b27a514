//! `/evidence`: records, packs, checkpoints, and checking the log against the state.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use bailiwick_core::{
    id::{CaseId, EventId, IdentityId, PlanId, RecordId},
    record::{Actor, Logged, RecordKind},
    time::Timestamp,
};
use bailiwick_engine::{CheckReport, Damage};
use bailiwick_store::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Page,
    answer::{Answer, ApiError, Body, Pack, Params, Segment, Text, malformed},
    caller::{Caller, Right},
    operation::{Access, Resource, get, post},
    page::Wanted,
    wait::when_free,
};
use crate::problem::{Fault, Problem};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("show-checkpoint", "/evidence/checkpoint", checkpoint)
            .says("The signed checkpoint of the log (C2SP tlog-checkpoint).")
            .fails(&[404]),
        get("list-records", "/evidence/records/{subject}", records)
            .says("What the log says about an identity, `bailiwick/NAME` of an integration, or a case, the newest first.")
            .fails(&[409]),
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
    Resource::new(
        "Evidence",
        "Records, packs, checkpoints, and checking the log against the state.",
        operations,
    )
}

/// A record of the log. What is personal in it is committed to, and not here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecordView {
    /// Its id.
    pub id: RecordId,
    /// Its place in the log, once it is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<i64>,
    /// What it says.
    pub kind: RecordKind,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// The event that justifies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventId>,
    /// The plan it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanId>,
    /// The case it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    /// Its facts.
    pub facts: BTreeMap<String, serde_json::Value>,
}

impl RecordView {
    /// What an entry says; one that cannot be read is damage, which checking the log names.
    pub fn of(entry: &Entry) -> Option<Self> {
        let Logged { id, kind, at, actor, event, plan, case, facts, .. } =
            Logged::parse(&entry.bytes).ok()?;
        Some(Self { id, index: entry.index, kind, at, actor, event, plan, case, facts })
    }
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

pub async fn records(
    State(hub): State<Hub>,
    _: Caller,
    Segment(subject): Segment<String>,
    Params(wanted): Params<Wanted>,
) -> Answer<Page<RecordView>> {
    let about = match subject.starts_with("cas_") {
        true => subject.clone(),
        false => hub.engine.find_identity(&subject).await?.value.id.to_string(),
    };
    let (limit, after) = wanted.parts();
    let before = after.map(|after| after.parse::<i64>()).transpose();
    let before = before.map_err(|_| malformed("`after` is not the `next` of the page before"))?;
    let mut found = hub.read().await?.latest_about(hub.tenant(), &about, before, limit + 1).await?;
    if found.is_empty() && before.is_none() {
        return Err(Problem::new(404, "not-found", format!("there is no evidence about `{subject}`")).into());
    }
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|entry| entry.seq.to_string());
    Ok(Json(Page { items: found.iter().filter_map(RecordView::of).collect(), next }))
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
