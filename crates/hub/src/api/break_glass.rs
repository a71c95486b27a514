//! `/break-glass`: named cases, what was opened, and its review.

use axum::{Json, extract::State};
use bailiwick_core::{
    exception::{Exception, GlassCase},
    id::{ExceptionId, GlassName, PlanId},
};
use bailiwick_engine::GlassRequest;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Who,
    answer::{Answer, Body, Segment},
    caller::Caller,
};

/// An exception, and who it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionView {
    /// For whom.
    pub who: Who,
    /// The exception and where it stands.
    #[serde(flatten)]
    pub exception: Exception,
}

/// The cases that there are, and what was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlassView {
    /// The cases.
    pub cases: Vec<GlassCase>,
    /// What was asked for, oldest first.
    pub exceptions: Vec<ExceptionView>,
}

/// A case to be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlassOpen {
    /// For whom: id, `source/key` or e-mail address.
    pub identity: String,
    /// For how long, minutes.
    pub minutes: u32,
    /// Why.
    pub reason: String,
}

/// What was asked for, and the plan that waits for a second person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlassOpened {
    /// The exception.
    #[serde(flatten)]
    pub exception: Exception,
    /// The plan.
    pub plan: PlanId,
}

/// What a reviewer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewRequest {
    /// What they make of it.
    pub reason: String,
}

/// `GET /break-glass`
pub async fn list(State(hub): State<Hub>, _: Caller) -> Answer<GlassView> {
    let exceptions = hub.engine.exceptions().await?;
    let mut tx = hub.read().await?;
    let cases: Vec<GlassCase> = hub.all(&mut *tx, vec![]).await?;
    let who = hub.who(&mut *tx, exceptions.iter().map(|e| e.terms.identity)).await?;
    let view = |e: Exception| ExceptionView { who: Who::of(&who, e.terms.identity), exception: e };
    Ok(Json(GlassView { cases, exceptions: exceptions.into_iter().map(view).collect() }))
}

/// `POST /break-glass/{case}`: any operator may ask; a second person approves the plan.
pub async fn open(
    State(hub): State<Hub>,
    Caller(operator): Caller,
    Segment(case): Segment<GlassName>,
    Body(asked): Body<GlassOpen>,
) -> Answer<GlassOpened> {
    let GlassOpen { identity, minutes, reason } = asked;
    let request = GlassRequest { case, identity, minutes, reason };
    let (exception, plan) = hub.engine.open_glass(request, &operator).await?;
    hub.worker.nudge();
    Ok(Json(GlassOpened { exception, plan }))
}

/// `POST /break-glass/exceptions/{exception}/review`
pub async fn review(
    State(hub): State<Hub>,
    Caller(operator): Caller,
    Segment(exception): Segment<ExceptionId>,
    Body(request): Body<ReviewRequest>,
) -> Answer<Exception> {
    let reviewed = hub.engine.review_exception(exception, &request.reason, &operator).await?;
    hub.worker.nudge();
    Ok(Json(reviewed))
}
