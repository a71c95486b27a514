//! `/status`: how the hub is doing, in numbers.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use bailiwick_core::{
    drill::Drill,
    gate::HUB,
    id::SystemName,
    identity::Identity,
    integration::{Integration, Standing},
    profile::Profile,
    system::System,
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{
    Filter, Table, Tx,
    entities::{Reading, Recovery},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    answer::{Answer, ApiError, Params},
    caller::Caller,
    operation::{Resource, get},
    wait::{Queue, Wait},
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("show-status", "/status", show).says("The hub in numbers; with `wait` after the queue is quiet."),
    ];
    Resource::new("Status", "How the hub is doing, in numbers.", operations)
}

/// The hub in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The version of the hub.
    pub version: String,
    /// `sqlite` or `postgres`.
    pub store: String,
    /// Who asked.
    pub operator: String,
    /// State of life → identities that are no integrations.
    pub identities: BTreeMap<String, i64>,
    /// Accounts known on all systems.
    pub accounts: i64,
    /// State → plans.
    pub plans: BTreeMap<String, i64>,
    /// `open` and `closed` → cases.
    pub cases: BTreeMap<String, i64>,
    /// Open findings.
    pub findings: i64,
    /// Systems in the configuration.
    pub systems: i64,
    /// Integrations, the hub itself among them.
    pub integrations: usize,
    /// Integrations that may not do all that they are declared for → why.
    #[serde(default)]
    pub shut: BTreeMap<String, String>,
    /// When each of them was looked at, and when it will be.
    pub schedule: Vec<SystemStatus>,
    /// When the hub was restored, while it changes no system because of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Timestamp>,
    /// Integrations that are stopped.
    pub quarantined: Vec<String>,
    /// The work that is queued.
    pub queue: Queue,
    /// The evidence log.
    pub log: LogStatus,
}

/// When a system was last looked at, and when it will be next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SystemStatus {
    /// The system.
    pub system: SystemName,
    /// When it was last compared with what is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconciled: Option<Timestamp>,
    /// Whether it showed only a part then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_part: bool,
    /// When it is compared next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconcile_next: Option<Timestamp>,
    /// When it was last probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probed: Option<Timestamp>,
    /// When it is probed next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_next: Option<Timestamp>,
    /// When a canary left it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drilled: Option<Timestamp>,
}

/// The evidence log in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogStatus {
    /// Entries that are in the published log.
    pub size: i64,
    /// Entries written, published or not yet.
    pub written: i64,
}

pub async fn show(
    State(hub): State<Hub>,
    Caller(operator, _): Caller,
    Params(wait): Params<Wait>,
) -> Answer<Status> {
    let queue = wait.for_quiet(&hub).await?;
    let mut tx = hub.read().await?;
    let mut by_state = async |table, states: &[&str]| {
        let mut counts = BTreeMap::new();
        for state in states {
            let filter = Filter::Is("state", (*state).into());
            counts.insert((*state).to_owned(), hub.count(&mut *tx, table, Some(filter)).await?);
        }
        Ok::<_, ApiError>(counts)
    };
    let mut identities =
        by_state(Table::Identities, &["pending", "active", "leave", "garden-leave", "absent", "left"])
            .await?;
    let plans = by_state(Table::Plans, &["drafted", "approved", "done", "superseded"]).await?;
    let cases = by_state(Table::Cases, &["open", "closed"]).await?;
    let findings = by_state(Table::Findings, &["open"]).await?.into_values().sum();
    let integrations: Vec<Integration> = hub.all(&mut *tx, vec![]).await?;
    let theirs = integrations.iter().map(|i| format!("{HUB}/{}", i.name).into()).collect();
    for own in hub.all::<Identity>(&mut *tx, vec![Filter::In("source_key", theirs)]).await? {
        identities.entry(own.lifecycle.name().to_owned()).and_modify(|count| *count -= 1);
    }
    let catalogue = hub.engine.catalogue(&mut *tx).await?;
    let code =
        |i: &Integration| Some((i.name.to_string(), catalogue.permit(&i.name).reads.err()?.code().into()));
    // What has ended is shut for good; its case says how far that is proven.
    let shut = integrations.iter().filter(|i| !i.has_ended()).filter_map(code).collect();
    let stopped =
        |i: Integration| matches!(i.standing, Standing::Quarantined { .. }).then(|| i.name.to_string());
    let (_, written) = tx.entry_counts().await?;
    let held = vec![Filter::Is("state", Recovery::HELD.into())];
    let restored = hub.all::<Recovery>(&mut *tx, held).await?.pop().map(|recovery| recovery.at);
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        store: hub.engine.parts().store.kind().to_owned(),
        operator: operator.name,
        identities,
        accounts: hub.count(&mut *tx, Table::Accounts, None).await?,
        plans,
        cases,
        findings,
        systems: hub.count(&mut *tx, Table::Systems, None).await?,
        integrations: integrations.len(),
        shut,
        schedule: schedule(&hub, &mut *tx).await?,
        restored,
        quarantined: integrations.into_iter().filter_map(stopped).collect(),
        queue,
        log: LogStatus { size: tx.log_head().await?.map_or(0, |head| head.size), written },
    }))
}

pub async fn schedule(hub: &Hub, tx: &mut dyn Tx) -> Result<Vec<SystemStatus>, ApiError> {
    let systems: Vec<System> = hub.all(tx, vec![]).await?;
    let readings: Vec<Reading> = hub.all(tx, vec![]).await?;
    let profiles: Vec<Profile> = hub.all(tx, vec![]).await?;
    let drills: Vec<Drill> = hub.all(tx, vec![]).await?;
    let next = |at: Timestamp, every_ms| at.saturating_add(SignedDuration::from_millis(every_ms)).ok();
    let status = |system: System| {
        let reading = readings.iter().find(|reading| reading.system == system.name);
        let (reconciled, probed) = (reading.map(|reading| reading.at), learned(&profiles, &system));
        SystemStatus {
            in_part: reading.is_some_and(|reading| reading.partial.is_some()),
            reconcile_next: reconciled.and_then(|at| next(at, system.reconcile_every_ms)),
            drilled: drills.iter().find(|d| d.system == system.name && !d.drilled.is_empty()).map(|d| d.at),
            probe_next: probed.and_then(|at| next(at, system.probe_every_ms)),
            system: system.name,
            reconciled,
            probed,
        }
    };
    Ok(systems.into_iter().map(status).collect())
}

/// When a system was probed; a probe that never came to its end has learned nothing.
fn learned(profiles: &[Profile], system: &System) -> Option<Timestamp> {
    let profile = profiles.iter().find(|profile| profile.system == system.name)?;
    (!profile.ways.is_empty() || !profile.honours.is_empty()).then_some(profile.at)
}
