//! `/reconciliations`: when each system was compared and what that found, and the drift of late.

use std::collections::BTreeSet;

use axum::{Json, extract::State};
use bailiwick_core::{
    finding::Finding,
    id::{IdentityId, PlanId, SystemName},
    record::{Logged, RecordKind},
    system::System,
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{
    Filter, Tx,
    entities::{Comparison, Reading},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Who,
    answer::{Answer, ApiError},
    caller::Caller,
    operation::{Resource, get},
};

/// The findings that comparing a system opens about it.
const CODES: [&str; 5] = [
    "cannot-reconcile",
    "seen-in-part",
    "differences-held",
    "change-unexplained",
    "shared-account-unattended",
];
/// How many of the newest records of the log are looked through for drift.
const LOOKED_THROUGH: i64 = 1_000;
/// How many plans because of drift are shown.
const DRIFT: usize = 50;

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![get("list-reconciliations", "/reconciliations", list).says(
        "Each system with its last comparisons, and the plans because of drift among the newest records.",
    )];
    Resource::new("Reconciliations", "When each system was compared, and what that found.", operations)
}

/// All systems, and the drift of late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReconciliationsView {
    /// The systems, by name.
    pub systems: Vec<ReconciliationView>,
    /// The plans because of drift among the newest thousand records of the log, the newest first; fifty at most.
    pub drift: Vec<DriftView>,
}

/// A system, and how it was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReconciliationView {
    /// The system.
    pub system: SystemName,
    /// How many accounts it has shown so far, while it is being compared here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way: Option<u64>,
    /// When everything was listed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Timestamp>,
    /// When it is compared next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// Since when differences are held, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_since: Option<Timestamp>,
    /// The codes of what is open about comparing it.
    pub findings: BTreeSet<String>,
    /// The last ten comparisons, the newest first; none where a person has to be asked what is there.
    pub runs: Vec<Comparison>,
}

/// A plan because something on a system was not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DriftView {
    /// When it was planned.
    pub at: Timestamp,
    /// Whose access it is.
    pub who: Who,
    /// The plan.
    pub plan: PlanId,
}

pub async fn list(State(hub): State<Hub>, _: Caller) -> Answer<ReconciliationsView> {
    let mut tx = hub.read().await?;
    let systems: Vec<System> = hub.all(&mut *tx, vec![]).await?;
    let readings: Vec<Reading> = hub.all(&mut *tx, vec![]).await?;
    let keys = systems
        .iter()
        .flat_map(|system| CODES.map(|code| Finding::key_of(code, system.name.as_str()).into()))
        .collect();
    let open: Vec<Finding> = hub.all(&mut *tx, vec![Filter::In("open_key", keys)]).await?;
    let view = |system: System| {
        let reading = readings.iter().find(|reading| reading.system == system.name);
        let every = SignedDuration::from_millis(system.reconcile_every_ms);
        let of_it = open.iter().filter(|finding| finding.system.as_ref() == Some(&system.name));
        ReconciliationView {
            under_way: hub.engine.seen_so_far(&system.name),
            listed: reading.and_then(|reading| reading.listed),
            next: reading.and_then(|reading| reading.at.saturating_add(every).ok()),
            held_since: reading.and_then(|reading| Some(reading.held.as_ref()?.since)),
            findings: of_it.map(|finding| finding.code.clone()).collect(),
            runs: reading.map_or_else(Vec::new, |reading| reading.runs.clone()),
            system: system.name,
        }
    };
    let drift = drift(&hub, &mut *tx).await?;
    Ok(Json(ReconciliationsView { systems: systems.into_iter().map(view).collect(), drift }))
}

/// The plans because of drift, the newest first, as far back as is looked.
async fn drift(hub: &Hub, tx: &mut dyn Tx) -> Result<Vec<DriftView>, ApiError> {
    let (published, _) = tx.entry_counts().await?;
    let entries = tx.news((published - LOOKED_THROUGH).max(0), 2 * LOOKED_THROUGH as u32).await?;
    let planned = |logged: Logged| -> Option<(Timestamp, IdentityId, PlanId)> {
        let drifted = logged.kind == RecordKind::Planned
            && logged.facts.get("cause").and_then(serde_json::Value::as_str) == Some("drift")
            && logged.tenant == *hub.tenant();
        drifted.then_some((logged.at, logged.identity?, logged.plan?))
    };
    let found = entries.iter().rev().filter_map(|entry| planned(Logged::parse(&entry.bytes).ok()?));
    let found: Vec<_> = found.take(DRIFT).collect();
    let known = hub.who(tx, found.iter().map(|(_, identity, _)| *identity)).await?;
    let view = |(at, identity, plan)| DriftView { at, who: Who::of(&known, identity), plan };
    Ok(found.into_iter().map(view).collect())
}
