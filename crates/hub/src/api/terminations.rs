//! `/terminations`: people who are made ready to go, and who were made to. What a caller may not see is not there.

use axum::{Json, extract::State};
use bailiwick_core::{approval::Approval, id::TerminationId, termination::Termination};
use bailiwick_engine::{ArmRequest, Fired};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Who,
    answer::{Answer, Body, Params, Segment},
    caller::{Caller, Right},
    operation::{Access, Resource, get, post},
    wait::Wait,
};

/// Who may do anything here.
const FIRES: Access = Access::Right(Right::Terminate);

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-terminations", "/terminations", list)
            .takes(FIRES)
            .says("Terminations that the caller may see."),
        post("arm-terminations", "/terminations", FIRES, arm)
            .says("Makes people ready to go, in silence.")
            .fails(&[404]),
        post("fire-terminations", "/terminations/fire", FIRES, fire)
            .says("All of them leave, in one transaction.")
            .fails(&[404]),
        post("disarm-terminations", "/terminations/disarm", FIRES, disarm)
            .says("Takes them back.")
            .fails(&[404]),
        get("show-termination", "/terminations/{termination}", show)
            .takes(FIRES)
            .says("One termination, by its id or by the person who is armed.")
            .fails(&[409]),
        post("lift-termination", "/terminations/{termination}/lift", FIRES, lift)
            .says("What the source says of who was fired counts again, when two people say so.")
            .of("/terminations/{termination}"),
    ];
    Resource::new(
        "Terminations",
        "People who are made ready to go, and who were made to. What a caller may not see is not there.",
        operations,
    )
}

/// A termination, who it is about, and what was approved ahead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TerminationView {
    /// Who.
    pub who: Who,
    /// The termination and where it stands.
    pub termination: Termination,
    /// The approval that was given ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
}

/// Who is to be armed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arming {
    /// Who: id, `source/key` or e-mail address.
    pub persons: Vec<String>,
    /// Why.
    pub reason: String,
    /// For how long, hours.
    pub hours: u32,
}

/// Which terminations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct These {
    /// Their ids, or the people who are armed.
    pub which: Vec<String>,
}

/// What became of one that was fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FiredView {
    /// Who.
    pub who: Who,
    /// What became of it.
    #[serde(flatten)]
    pub fired: Fired,
}

/// Why something is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LiftRequest")]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// Why.
    pub reason: String,
}

async fn views(
    hub: &Hub,
    all: Vec<(Termination, Option<Approval>)>,
) -> Result<Vec<TerminationView>, super::answer::ApiError> {
    let who = hub.who(&mut *hub.read().await?, all.iter().map(|(t, _)| t.identity)).await?;
    let view = |(termination, approval): (Termination, Option<Approval>)| TerminationView {
        who: Who::of(&who, termination.identity),
        termination,
        approval,
    };
    Ok(all.into_iter().map(view).collect())
}

pub async fn list(State(hub): State<Hub>, caller: Caller) -> Answer<Vec<TerminationView>> {
    caller.may(Right::Terminate)?;
    let all = hub.engine.terminations(&caller.0).await?;
    Ok(Json(views(&hub, all).await?))
}

pub async fn show(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(which): Segment<String>,
) -> Answer<TerminationView> {
    caller.may(Right::Terminate)?;
    let one = hub.engine.termination(&which, &caller.0).await?;
    let who = Who::of(&hub.who(&mut *hub.read().await?, [one.0.identity]).await?, one.0.identity);
    Ok(Json(TerminationView { who, termination: one.0, approval: one.1 }))
}

pub async fn arm(
    State(hub): State<Hub>,
    caller: Caller,
    Body(asked): Body<Arming>,
) -> Answer<Vec<TerminationView>> {
    caller.may(Right::Terminate)?;
    let Arming { persons, reason, hours } = asked;
    let armed = hub.engine.arm(ArmRequest { persons, reason, hours }, &caller.0).await?;
    Ok(Json(views(&hub, armed.into_iter().map(|armed| (armed, None)).collect()).await?))
}

pub async fn fire(
    State(hub): State<Hub>,
    caller: Caller,
    Params(wait): Params<Wait>,
    Body(these): Body<These>,
) -> Answer<Vec<FiredView>> {
    caller.may(Right::Terminate)?;
    let fired = hub.engine.fire(&these.which, &caller.0).await?;
    hub.worker.nudge();
    let who = hub.who(&mut *hub.read().await?, fired.iter().map(|fired| fired.identity)).await?;
    let view = |fired: Fired| FiredView { who: Who::of(&who, fired.identity), fired };
    let fired = fired.into_iter().map(view).collect();
    wait.for_quiet(&hub).await?;
    Ok(Json(fired))
}

pub async fn disarm(
    State(hub): State<Hub>,
    caller: Caller,
    Body(these): Body<These>,
) -> Answer<Vec<TerminationId>> {
    caller.may(Right::Terminate)?;
    let disarmed = hub.engine.disarm(&these.which, &caller.0).await?;
    Ok(Json(disarmed.into_iter().map(|termination| termination.id).collect()))
}

pub async fn lift(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(which): Segment<String>,
    Body(Because { reason }): Body<Because>,
) -> Answer<Termination> {
    caller.may(Right::Terminate)?;
    Ok(Json(hub.engine.lift_termination(&which, &reason, &caller.0).await?))
}
