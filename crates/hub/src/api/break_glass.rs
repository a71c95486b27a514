//! `/break-glass`: named cases, what was opened, and its review.

use axum::{Json, extract::State};
use bailiwick_core::{
    exception::{Because, Exception, GlassCase},
    id::{ExceptionId, GlassName, PlanId},
};
use bailiwick_engine::GlassRequest;
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    access::{ExceptionView, views},
    answer::{Answer, Body, Segment},
    caller::Caller,
};

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
    let mut exceptions = hub.engine.exceptions().await?;
    exceptions.retain(|e| matches!(e.terms.because, Because::BreakGlass { .. }));
    let exceptions = views(&hub, exceptions).await?;
    let cases: Vec<GlassCase> = hub.all(&mut *hub.read().await?, vec![]).await?;
    Ok(Json(GlassView { cases, exceptions }))
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
