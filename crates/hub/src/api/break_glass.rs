//! `/break-glass`: named cases, what was opened, and its review.

use axum::{Json, extract::State};
use bailiwick_core::{
    exception::{Because, Exception, GlassCase},
    id::{ExceptionId, GlassName, PlanId},
};
use bailiwick_engine::GlassRequest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    access::{ExceptionView, views},
    answer::{Answer, Body, Segment},
    caller::Caller,
    operation::{Access, Resource, get, post},
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-break-glass", "/break-glass", list).says("The cases that there are, and what was opened."),
        post("break-glass", "/break-glass/{case}", Access::Decided, open)
            .says("Any operator may ask; a second person approves the plan."),
        post("review-break-glass", "/break-glass/exceptions/{exception}/review", Access::Decided, review)
            .says("Says what somebody who had no part in it makes of it."),
    ];
    Resource::new("Break-glass", "Named cases, what was opened, and its review.", operations)
}

/// The cases that there are, and what was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GlassView {
    /// The cases.
    pub cases: Vec<GlassCase>,
    /// What was asked for, oldest first.
    pub exceptions: Vec<ExceptionView>,
}

/// A case to be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GlassOpened {
    /// The exception.
    #[serde(flatten)]
    pub exception: Exception,
    /// The plan.
    pub plan: PlanId,
}

/// What a reviewer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewRequest {
    /// What they make of it.
    pub reason: String,
}

pub async fn list(State(hub): State<Hub>, _: Caller) -> Answer<GlassView> {
    let mut exceptions = hub.engine.exceptions().await?;
    exceptions.retain(|e| matches!(e.terms.because, Because::BreakGlass { .. }));
    let exceptions = views(&hub, exceptions).await?;
    let cases: Vec<GlassCase> = hub.all(&mut *hub.read().await?, vec![]).await?;
    Ok(Json(GlassView { cases, exceptions }))
}

pub async fn open(
    State(hub): State<Hub>,
    Caller(operator, _): Caller,
    Segment(case): Segment<GlassName>,
    Body(asked): Body<GlassOpen>,
) -> Answer<GlassOpened> {
    let GlassOpen { identity, minutes, reason } = asked;
    let request = GlassRequest { case, identity, minutes, reason };
    let (exception, plan) = hub.engine.open_glass(request, &operator).await?;
    hub.worker.nudge();
    Ok(Json(GlassOpened { exception, plan }))
}

pub async fn review(
    State(hub): State<Hub>,
    Caller(operator, _): Caller,
    Segment(exception): Segment<ExceptionId>,
    Body(request): Body<ReviewRequest>,
) -> Answer<Exception> {
    let reviewed = hub.engine.review_exception(exception, &request.reason, &operator).await?;
    hub.worker.nudge();
    Ok(Json(reviewed))
}
