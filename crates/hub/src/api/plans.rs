//! `/plans`: what is to be changed for whom, and who approves it.

use axum::{Json, extract::State};
use bailiwick_core::{
    digest::Digest,
    id::{IdentityId, PlanId},
    passkey::Using,
};
use bailiwick_store::{
    Filter,
    entities::{PlanRow, Run},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Page, Who,
    answer::{Answer, ApiError, Body, Done, Params, Segment},
    caller::Caller,
    operation::{Access, Resource, get, post},
    page::{Wanted, is},
    passkeys::given,
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-plans", "/plans", list)
            .says("Plans, oldest first."),
        get("show-plan", "/plans/{plan}", show)
            .says("One plan, and how far it was carried out. What was prepared for a termination is there for who may see it."),
        post("approve-plan", "/plans/{plan}/approval", Access::Decided, approve)
            .says("Approves the plan that was seen.")
            .of("/plans/{plan}"),
    ];
    Resource::new("Plans", "What is to be changed for whom, and who approves it.", operations)
}

/// A plan, for whom it is, and how far it was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanView {
    /// For whom.
    pub who: Who,
    /// The plan and where it stands.
    #[serde(flatten)]
    pub row: PlanRow,
    /// Its execution on each system; in a list it is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Run>,
}

/// An approval: of what was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRequest {
    /// The digest of the plan that the approver saw.
    pub digest: Digest,
    /// The code of the moment, for a plan that takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the approver's passkey signed for exactly this plan, instead of a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<Using>,
}

/// Which plans.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Which {
    pub(crate) state: Option<String>,
    pub(crate) identity: Option<IdentityId>,
}

pub async fn list(
    State(hub): State<Hub>,
    _: Caller,
    Params(which): Params<Which>,
    Params(wanted): Params<Wanted>,
) -> Answer<Page<PlanView>> {
    let mut tx = hub.read().await?;
    let filters = [is("identity", which.identity.map(|id| id.to_string())), is("state", which.state)];
    let page: Page<PlanRow> = wanted.read(&hub, &mut *tx, filters.into_iter().flatten().collect()).await?;
    let who = hub.who(&mut *tx, page.items.iter().map(|row| row.plan.decision.identity)).await?;
    Ok(Json(page.map(|row| PlanView {
        who: Who::of(&who, row.plan.decision.identity),
        row,
        runs: Vec::new(),
    })))
}

pub async fn show(
    State(hub): State<Hub>,
    Caller(operator, _): Caller,
    Segment(plan): Segment<PlanId>,
) -> Answer<PlanView> {
    let mut tx = hub.read().await?;
    let row = match hub.find::<PlanRow>(&mut *tx, "plan", &plan.to_string()).await {
        Ok(row) => row,
        Err(missing) => {
            drop(tx);
            let prepared = hub.engine.prepared(plan, &operator).await;
            tx = hub.read().await?;
            prepared.map_err(|_| missing)?
        }
    };
    let runs = hub.all(&mut *tx, vec![Filter::Is("plan", plan.to_string().into())]).await?;
    let identity = row.plan.decision.identity;
    let who = Who::of(&hub.who(&mut *tx, [identity]).await?, identity);
    Ok(Json(PlanView { who, row, runs }))
}

pub async fn approve(
    State(hub): State<Hub>,
    Caller(operator, _): Caller,
    Segment(plan): Segment<PlanId>,
    Body(request): Body<ApprovalRequest>,
) -> Result<Done, ApiError> {
    let given = given(&hub, request.code.as_deref(), request.passkey.as_ref())?;
    hub.engine.approve_given(plan, request.digest, &operator, given).await?;
    hub.worker.nudge();
    Ok(Done)
}
