//! `/reconciliations`: when each system was compared and what that found, and the drift that is open and of late.

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
    Filter, KeyValue, Tx,
    entities::{Comparison, PlanRow, PlanState, Reading},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Page, Who,
    answer::{Answer, ApiError},
    caller::Caller,
    operation::{Resource, get},
    page::Wanted,
};

/// The findings that comparing a system opens about it.
const CODES: [&str; 5] = [
    "cannot-reconcile",
    "seen-in-part",
    "differences-held",
    "change-unexplained",
    "shared-account-unattended",
];
/// The cause of plans because of drift.
const DRIFT: &str = "drift";
/// How many of the newest records of the log are looked through for them.
const LOOKED_THROUGH: i64 = 1_000;
/// How many plans of a state, the oldest, are looked through for those that are open.
const OLDEST: u32 = 500;
/// How many are shown of those that are open, and of those of late.
const SHOWN: usize = 25;

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![get("list-reconciliations", "/reconciliations", list).says(
        "Each system with its last comparisons, and the plans because of drift that are open and of late.",
    )];
    Resource::new("Reconciliations", "When each system was compared, and what that found.", operations)
}

/// All systems, and the drift of late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReconciliationsView {
    /// The systems, by name.
    pub systems: Vec<ReconciliationView>,
    /// The plans because of drift that wait for an approval or are being carried out, the oldest first: those among the oldest
    /// five hundred of each state; twenty-five at most.
    pub open: Vec<DriftView>,
    /// The plans because of drift among the newest thousand records of the log, the newest first; twenty-five at most.
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
    /// Where it stands.
    #[serde(flatten)]
    pub state: PlanState,
}

pub async fn list(State(hub): State<Hub>, _: Caller) -> Answer<ReconciliationsView> {
    let mut tx = hub.read().await?;
    let systems: Vec<System> = hub.all(&mut *tx, vec![]).await?;
    let readings: Vec<Reading> = hub.all(&mut *tx, vec![]).await?;
    let keys = systems
        .iter()
        .flat_map(|system| CODES.map(|code| Finding::key_of(code, system.name.as_str()).into()))
        .collect();
    let wrong: Vec<Finding> = hub.all(&mut *tx, vec![Filter::In("open_key", keys)]).await?;
    let view = |system: System| {
        let reading = readings.iter().find(|reading| reading.system == system.name);
        let every = SignedDuration::from_millis(system.reconcile_every_ms);
        let of_it = wrong.iter().filter(|finding| finding.system.as_ref() == Some(&system.name));
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
    let (open, late) = (open(&hub, &mut *tx).await?, late(&hub, &mut *tx).await?);
    let whose: Vec<IdentityId> = open.iter().chain(&late).map(|row| row.plan.decision.identity).collect();
    let who = hub.who(&mut *tx, whose).await?;
    let drift = |PlanRow { plan, state, .. }: PlanRow| DriftView {
        at: plan.made,
        who: Who::of(&who, plan.decision.identity),
        plan: plan.id,
        state,
    };
    Ok(Json(ReconciliationsView {
        systems: systems.into_iter().map(view).collect(),
        open: open.into_iter().map(drift).collect(),
        drift: late.into_iter().map(drift).collect(),
    }))
}

/// The plans because of drift that are not carried out yet, the oldest first. What happens meanwhile pushes none of them
/// out, as it does from among the newest records.
async fn open(hub: &Hub, tx: &mut dyn Tx) -> Result<Vec<PlanRow>, ApiError> {
    let mut open = Vec::new();
    for state in ["drafted", "approved"] {
        let oldest = Wanted::of(OLDEST, None);
        let found: Page<PlanRow> = oldest.read(hub, tx, vec![Filter::Is("state", state.into())]).await?;
        open.extend(found.items.into_iter().filter(|row| row.plan.cause == DRIFT));
    }
    open.sort_by_key(|row| row.plan.id);
    open.truncate(SHOWN);
    Ok(open)
}

/// The plans because of drift, the newest first, as far back as is looked.
async fn late(hub: &Hub, tx: &mut dyn Tx) -> Result<Vec<PlanRow>, ApiError> {
    let (published, _) = tx.entry_counts().await?;
    let entries = tx.news((published - LOOKED_THROUGH).max(0), 2 * LOOKED_THROUGH as u32).await?;
    let planned = |logged: Logged| -> Option<PlanId> {
        let drifted = logged.kind == RecordKind::Planned
            && logged.facts.get("cause").and_then(serde_json::Value::as_str) == Some(DRIFT)
            && logged.tenant == *hub.tenant();
        logged.plan.filter(|_| drifted)
    };
    let found = entries.iter().rev().filter_map(|entry| planned(Logged::parse(&entry.bytes).ok()?));
    let found: Vec<KeyValue> = found.take(SHOWN).map(|plan| plan.to_string().into()).collect();
    let mut late: Vec<PlanRow> = hub.all(tx, vec![Filter::In("id", found)]).await?;
    // Ids of plans go up with time.
    late.reverse();
    Ok(late)
}
