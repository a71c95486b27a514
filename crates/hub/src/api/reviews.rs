//! `/reviews`, `/transfers` and what belongs to them: integrations that are looked at anew, and that go to
//! somebody else.

use axum::{Json, extract::State};
use bailiwick_core::{
    digest::Digest,
    id::IntegrationName,
    passkey::Using,
    review::{Decision, Review, Shown},
    transfer::{Post, Transfer},
};
use bailiwick_engine::Waiting;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub, Page,
    answer::{Answer, Body, Params, Segment},
    caller::{Caller, Right},
    operation::{Access, Resource, get, post},
    page::{Wanted, is},
    passkeys::given,
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        get("list-reviews", "/reviews", list).says("Reviews, oldest first."),
        get("list-transfers", "/transfers", transfers).says("Transfers, oldest first."),
        get("show-review", "/integrations/{integration}/review", show)
            .says("What there is to look at now, with the digest that a decision names.")
            .fails(&[409]),
        post("decide-review", "/integrations/{integration}/review", Access::Decided, decide)
            .says("Decides what was shown: keep, narrow or end it.")
            .of("/integrations/{integration}/review"),
        post(
            "propose-transfer",
            "/integrations/{integration}/transfer",
            Access::Right(Right::Operate),
            propose,
        )
        .says("Proposes who answers for an integration."),
        post("accept-transfer", "/integrations/{integration}/acceptance", Access::Decided, accept)
            .says("Takes over what was proposed; gives the plans that wait."),
    ];
    Resource::new(
        "Reviews and transfers",
        "Integrations that are looked at anew, and that go to somebody else.",
        operations,
    )
}

/// What a reviewer is shown, and what identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewView {
    /// What is shown.
    #[serde(flatten)]
    pub shown: Shown,
    /// Give it back with the decision.
    pub digest: Digest,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionRequest {
    /// What.
    pub decision: Decision,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// The digest of what was shown.
    pub shown: Digest,
    /// The code of the moment, where keeping takes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the reviewer's passkey signed for exactly what was shown, instead of a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<Using>,
}

/// Who is proposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// `source/key` of the person.
    pub to: String,
    /// In which place.
    pub post: Post,
}

/// That the caller answers for it from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TransferAcceptance")]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// Who is the backup, if that changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
}

/// Which reviews and transfers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub struct Which {
    pub(crate) integration: Option<IntegrationName>,
}

pub async fn list(
    State(hub): State<Hub>,
    _: Caller,
    Params(which): Params<Which>,
    Params(wanted): Params<Wanted>,
) -> Answer<Page<Review>> {
    let mut tx = hub.read().await?;
    let filters = is("integration", which.integration.map(|name| name.to_string()));
    Ok(Json(wanted.read(&hub, &mut *tx, filters.into_iter().collect()).await?))
}

pub async fn transfers(
    State(hub): State<Hub>,
    _: Caller,
    Params(which): Params<Which>,
    Params(wanted): Params<Wanted>,
) -> Answer<Page<Transfer>> {
    let mut tx = hub.read().await?;
    let filters = is("integration", which.integration.map(|name| name.to_string()));
    Ok(Json(wanted.read(&hub, &mut *tx, filters.into_iter().collect()).await?))
}

pub async fn show(
    State(hub): State<Hub>,
    _: Caller,
    Segment(name): Segment<IntegrationName>,
) -> Answer<ReviewView> {
    let shown = hub.engine.review_shown(&name).await?;
    Ok(Json(ReviewView { digest: shown.digest(), shown }))
}

pub async fn decide(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(name): Segment<IntegrationName>,
    Body(asked): Body<DecisionRequest>,
) -> Answer<Review> {
    let DecisionRequest { decision, reason, shown, code, passkey } = asked;
    let given = given(&hub, code.as_deref(), passkey.as_ref())?;
    let review = hub.engine.review(&name, decision, &reason, shown, &caller.0, given).await?;
    hub.worker.nudge();
    Ok(Json(review))
}

pub async fn propose(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(name): Segment<IntegrationName>,
    Body(asked): Body<Proposal>,
) -> Answer<Transfer> {
    caller.may(Right::Operate)?;
    let transfer = hub.engine.propose_transfer(&name, asked.post, &asked.to, &caller.0).await?;
    hub.worker.nudge();
    Ok(Json(transfer))
}

pub async fn accept(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(name): Segment<IntegrationName>,
    Body(asked): Body<Acceptance>,
) -> Answer<Vec<Waiting>> {
    let waiting = hub.engine.accept_transfer(&name, asked.backup.as_deref(), &caller.0).await?;
    hub.worker.nudge();
    Ok(Json(waiting))
}
