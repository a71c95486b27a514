//! `/systems`: reach them, and compare them with what is known.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use bailiwick_connector::Sleep;
use bailiwick_core::{difference::Class, drill::Drill, id::SystemName, profile::Profile, system::System};
use bailiwick_engine::{Audited, Classes, Differs, How, Overflow, Reconciled, Tried};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Who,
    answer::{Answer, Params, Segment},
    caller::{Caller, Right},
    operation::{Access, Resource, get, post},
    wait::{Queue, Wait, when_free},
};
use crate::problem::Problem;

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        post("check-system", "/systems/{system}/check", Access::Right(Right::Operate), check)
            .for_programs(Right::Operate)
            .says("Reaches the system and tries the credential.")
            .fails(&[502]),
        get("show-profile", "/systems/{system}/profile", profile)
            .says("What the last probe found."),
        post("probe-system", "/systems/{system}/profile", Access::Right(Right::Govern), probe)
            .for_programs(Right::Govern)
            .says("Learns on a canary how the system behaves.")
            .fails(&[502]),
        get("show-drill", "/systems/{system}/drill", drilled)
            .says("What the last drill found."),
        post("drill-system", "/systems/{system}/drill", Access::Right(Right::Govern), drill)
            .for_programs(Right::Govern)
            .says("Has a canary with real credentials leave, and tries each of them.")
            .fails(&[502]),
        post("try-contract", "/systems/{system}/trial", Access::Right(Right::Govern), trial)
            .for_programs(Right::Govern)
            .says("Tries the sentences of the contract on a canary.")
            .fails(&[502]),
        post("audit-system", "/systems/{system}/audit", Access::Right(Right::Operate), audit)
            .for_programs(Right::Operate)
            .says("Compares the system's audit log with the hub's own.")
            .fails(&[502]),
        get("show-reconciliation", "/systems/{system}/reconciliation", progress)
            .says("How far a reconciliation is."),
        post("reconcile-system", "/systems/{system}/reconciliation", Access::Right(Right::Operate), reconcile)
            .for_programs(Right::Operate)
            .says("Compares a system with what is known of it. `release=true` lets what was held go out, and takes the role `admin`.")
            .fails(&[502]),
    ];
    Resource::new("Systems", "Reaching them, and comparing them with what is known.", operations)
}

/// What a reconciliation found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// What else somebody should know of the system, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// How the queue is after the wait.
    pub queue: Queue,
}

/// A difference, and whose account it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DifferenceView {
    /// Whose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
    /// What differs, and what is done about it.
    #[serde(flatten)]
    pub differs: Differs,
}

/// What is to be looked at, and whether what was held goes out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Extent {
    #[serde(default)]
    pub(crate) full: bool,
    #[serde(default)]
    pub(crate) release: bool,
}

/// How far a reconciliation is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProgressView {
    /// How many accounts the system has shown so far; absent while no reconciliation is under way here.
    pub accounts: Option<u64>,
}

pub async fn progress(
    State(hub): State<Hub>,
    _: Caller,
    Segment(system): Segment<SystemName>,
) -> Answer<ProgressView> {
    hub.find::<System>(&mut *hub.read().await?, "system", system.as_str()).await?;
    Ok(Json(ProgressView { accounts: hub.engine.seen_so_far(&system) }))
}

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
        remarks,
    } = found;
    let Classes { counts, differences } = classes;
    let mut tx = hub.read().await?;
    let who = hub.who(&mut *tx, differences.iter().filter_map(|one| one.identity)).await?;
    drop(tx);
    let view =
        |differs: Differs| DifferenceView { who: differs.identity.map(|id| Who::of(&who, id)), differs };
    let differences = differences.into_iter().map(view).collect();
    let queue = wait.for_quiet(&hub).await?;
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
        unexplained: unexplained.into_iter().map(|one| one.account).collect(),
        remarks,
        queue,
    }))
}

/// A profile, and whether it still speaks of what is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProfileView {
    /// What the probe found.
    #[serde(flatten)]
    pub profile: Profile,
    /// Whether the connector, the endpoint and the settings are those it was learned with.
    pub current: bool,
}

pub async fn probe(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(system): Segment<SystemName>,
) -> Answer<ProfileView> {
    caller.may(Right::Govern)?;
    let profile = when_free(|| hub.engine.probe(&system, caller.actor(), &Sleep)).await?;
    Ok(Json(ProfileView { profile, current: true }))
}

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

pub async fn trial(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(system): Segment<SystemName>,
) -> Answer<Vec<Tried>> {
    caller.may(Right::Govern)?;
    let tried = when_free(|| hub.engine.try_contract(&system, caller.actor(), &Sleep)).await?;
    Ok(Json(tried))
}

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

/// A system that is reached and takes the credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckedView {
    /// What somebody should know of it, a sentence each.
    pub remarks: Vec<String>,
}

pub async fn check(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(system): Segment<SystemName>,
) -> Answer<CheckedView> {
    caller.may(Right::Operate)?;
    let remarks = hub.engine.check_system(&system).await?;
    Ok(Json(CheckedView { remarks }))
}
