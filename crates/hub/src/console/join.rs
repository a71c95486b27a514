//! Joining and splitting people from the page of an identity: one asks, somebody else approves the plan.

use axum::{Json, extract::State, response::Response};
use serde::Deserialize;

use super::{
    act::acted,
    identities::shown,
    signed_in::{Posted, SignedIn},
    trouble::Trouble,
};
use crate::api::{
    Hub, JoinRequest, PlanView, SplitRequest,
    answer::{Body, Segment},
    identities,
};

/// What is to become of whom.
#[derive(Deserialize)]
pub struct Given {
    key: String,
    reason: String,
}

/// Where somebody goes who asked for a plan: to the plan.
pub fn waits(Json(view): Json<PlanView>) -> String {
    format!("/plans/{}?done=asked", view.row.plan.id)
}

/// `POST /identities/{identity}/join`: another record is this person's.
pub async fn join(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(identity): Segment<String>,
    Posted(Given { key, reason }): Posted<Given>,
) -> Result<Response, Trouble> {
    let request = Body(JoinRequest { other: key.trim().to_owned(), reason });
    let segment = Segment(identity.clone());
    let asked = identities::join(State(hub.clone()), signed_in.caller.clone(), segment, request).await;
    acted(asked, waits, |notice| shown(&hub, &signed_in, &identity, notice)).await
}

/// `POST /identities/{identity}/split`: a key is somebody else's again.
pub async fn split(
    State(hub): State<Hub>,
    signed_in: SignedIn,
    Segment(identity): Segment<String>,
    Posted(Given { key, reason }): Posted<Given>,
) -> Result<Response, Trouble> {
    let request = Body(SplitRequest { key, reason });
    let segment = Segment(identity.clone());
    let asked = identities::split(State(hub.clone()), signed_in.caller.clone(), segment, request).await;
    acted(asked, waits, |notice| shown(&hub, &signed_in, &identity, notice)).await
}
