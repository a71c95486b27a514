//! `/undo`: asking that what plans took comes back.

use std::collections::BTreeSet;

use axum::{Json, extract::State};
use bailiwick_core::{
    id::{BatchId, ExceptionId, PlanId},
    undo::Line,
};
use bailiwick_engine::{UndoRequest, Undone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Who,
    answer::{Answer, Body},
    caller::Caller,
    operation::{Access, Resource, post},
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        post("undo-plans", "/undo", Access::Decided, ask)
            .says("Any operator may ask; a second person approves each plan.")
            .fails(&[404]),
    ];
    Resource::new("Undoing", "Asking that what plans took comes back.", operations)
}

/// What is to be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Undoing {
    /// These plans.
    #[serde(default)]
    pub plans: BTreeSet<PlanId>,
    /// And all that followed from this delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// For how long it is to be back, minutes from the approval on.
    pub minutes: u32,
    /// Why.
    pub reason: String,
}

/// What came of it for one plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UndoneView {
    /// The plan.
    pub of: PlanId,
    /// For whom it was.
    pub who: Who,
    /// What becomes of each of its changes.
    pub lines: Vec<Line>,
    /// What is asked for; absent when nothing can come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exception: Option<ExceptionId>,
    /// The plan that waits for a second person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanId>,
    /// Why nothing of it is undone, though others of the same call are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedView>,
}

/// A refusal that does not stand in the way of the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedView {
    /// The code.
    pub code: String,
    /// In words.
    pub message: String,
}

pub async fn ask(
    State(hub): State<Hub>,
    Caller(operator, _): Caller,
    Body(undoing): Body<Undoing>,
) -> Answer<Vec<UndoneView>> {
    let Undoing { plans, batch, minutes, reason } = undoing;
    let request = UndoRequest { plans, batch, minutes, reason };
    let all = hub.engine.undo(request, &operator).await?;
    hub.worker.nudge();
    let who = hub.who(&mut *hub.read().await?, all.iter().map(|undone| undone.identity)).await?;
    let view = |undone: Undone| UndoneView {
        of: undone.of,
        who: Who::of(&who, undone.identity),
        lines: undone.lines,
        exception: undone.asked.map(|(exception, _)| exception),
        plan: undone.asked.map(|(_, plan)| plan),
        refused: undone.refused.map(|(code, message)| RefusedView { code: code.to_owned(), message }),
    };
    Ok(Json(all.into_iter().map(view).collect()))
}
