//! `/systems`: reach them, and compare them with what is known.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode};
use bailiwick_connector::Sleep;
use bailiwick_core::{difference::Class, drill::Drill, id::SystemName, profile::Profile};
use bailiwick_engine::{Audited, Classes, Differs, How, Overflow, Reconciled, Tried};
use serde::{Deserialize, Serialize};

use super::{
    Hub, Who,
    answer::{Answer, ApiError, Params, Segment},
    caller::{Caller, Right},
    wait::{Wait, when_free},
};
use crate::{problem::Problem, worker::Pulse};

/// What a reconciliation found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconciledView {
    /// `listed`: everything was looked at; `news`: what is new since the last time.
    pub how: How,
    /// How many accounts the system showed.
    pub accounts: u64,
    /// How many of them are as they were.
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
    /// Why not everything was shown, if so: then nothing is concluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
    /// How many differences there are of each class: `ghost`, `rogue`, `missing`, `drifted`, `shared`, `out-of-band`,
    /// `unmanaged`.
    #[serde(default)]
    pub classes: BTreeMap<Class, u64>,
    /// The differences, as far as they are shown: a thousand.
    #[serde(default)]
    pub differences: Vec<DifferenceView>,
    /// What the comparison had no room for, if so: a person lets it go with `release=true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Overflow>,
    /// Accounts that differ, and the system's own log has no word of that: by their ids there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unexplained: Vec<String>,
    /// How the queue is after the wait.
    pub queue: Pulse,
}

/// A difference, and whose account it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferenceView {
    /// Whose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
    /// What differs, and what is done about it.
    #[serde(flatten)]
    pub differs: Differs,
}

/// What is to be looked at, and whether what was held goes out.
#[derive(Debug, Default, Deserialize)]
pub struct Extent {
    #[serde(default)]
    pub(crate) full: bool,
    #[serde(default)]
    pub(crate) release: bool,
}

/// How far a reconciliation is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressView {
    /// How many accounts the system has shown so far; absent while no reconciliation is under way here.
    pub accounts: Option<u64>,
}

/// `GET /systems/{system}/reconciliation`: how far it is.
pub async fn progress(
    State(hub): State<Hub>,
    _: Caller,
    Segment(system): Segment<SystemName>,
) -> Json<ProgressView> {
    Json(ProgressView { accounts: hub.engine.seen_so_far(&system) })
}

/// `POST /systems/{system}/reconciliation?full=BOOL&release=BOOL&wait=SECONDS`
pub async fn reconcile(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(system): Segment<SystemName>,
    Params(extent): Params<Extent>,
    Params(wait): Params<Wait>,
) -> Answer<ReconciledView> {
    let found = match extent.release {
        true => {
            caller.may(Right::Govern)?;
            when_free(|| hub.engine.release_differences(&system, caller.actor())).await?
        }
        false => {
            caller.may(Right::Operate)?;
            when_free(|| hub.engine.reconcile(&system, extent.full)).await?
        }
    };
    let Reconciled {
        how,
        accounts,
        unchanged,
        changed,
        adopted,
        unmanaged,
        gone,
        groups,
        partial,
        classes,
        held,
        unexplained,
    } = found;
    let Classes { counts, differences } = classes;
    let mut tx = hub.read().await?;
    let who = hub.who(&mut *tx, differences.iter().filter_map(|one| one.identity)).await?;
    drop(tx);
    let view =
        |differs: Differs| DifferenceView { who: differs.identity.map(|id| Who::of(&who, id)), differs };
    let differences = differences.into_iter().map(view).collect();
    let queue = wait.for_quiet(&hub).await;
    Ok(Json(ReconciledView {
        how,
        accounts,
        unchanged,
        changed,
        adopted,
        unmanaged,
        gone,
        groups,
        partial,
        classes: counts,
        differences,
        held,
        unexplained,
        queue,
    }))
}

/// A profile, and whether it still speaks of what is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileView {
    /// What the probe found.
    #[serde(flatten)]
    pub profile: Profile,
    /// Whether the connector, the endpoint and the settings are those it was learned with.
    pub current: bool,
}

/// `POST /systems/{system}/profile`: probes the system on a canary.
pub async fn probe(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(system): Segment<SystemName>,
) -> Answer<ProfileView> {
    caller.may(Right::Govern)?;
    let profile = when_free(|| hub.engine.probe(&system, caller.actor(), &Sleep)).await?;
    Ok(Json(ProfileView { profile, current: true }))
}

/// `POST /systems/{system}/drill`: a canary with real credentials leaves, and each is tried.
pub async fn drill(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(system): Segment<SystemName>,
) -> Answer<Drill> {
    caller.may(Right::Govern)?;
    let drill = when_free(|| hub.engine.drill(&system, caller.actor(), &Sleep)).await?;
    hub.worker.nudge();
    Ok(Json(drill))
}

/// `GET /systems/{system}/drill`: what the last drill found.
pub async fn drilled(
    State(hub): State<Hub>,
    _: Caller,
    Segment(system): Segment<SystemName>,
) -> Answer<Drill> {
    match hub.engine.last_drill(&system).await?.filter(|drill| !drill.drilled.is_empty()) {
        Some(drill) => Ok(Json(drill)),
        None => {
            let detail = format!("`{system}` was never drilled");
            Err(Problem::new(404, "not-drilled", detail).into())
        }
    }
}

/// `POST /systems/{system}/trial`: tries the sentences of the contract on a canary.
pub async fn trial(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(system): Segment<SystemName>,
) -> Answer<Vec<Tried>> {
    caller.may(Right::Govern)?;
    let tried = when_free(|| hub.engine.try_contract(&system, caller.actor(), &Sleep)).await?;
    Ok(Json(tried))
}

/// `POST /systems/{system}/audit`: compares the system's audit log with the hub's own.
pub async fn audit(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(system): Segment<SystemName>,
) -> Answer<Audited> {
    caller.may(Right::Operate)?;
    let audited = when_free(|| hub.engine.audit(&system)).await?;
    hub.worker.nudge();
    Ok(Json(audited))
}

/// `GET /systems/{system}/profile`: what the last probe found.
pub async fn profile(
    State(hub): State<Hub>,
    _: Caller,
    Segment(system): Segment<SystemName>,
) -> Answer<ProfileView> {
    match hub.engine.profile(&system).await? {
        Some((profile, current)) => Ok(Json(ProfileView { profile, current })),
        None => {
            let detail = format!("`{system}` was never probed");
            Err(Problem::new(404, "not-probed", detail).into())
        }
    }
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
