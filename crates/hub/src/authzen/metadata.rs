//! `GET /.well-known/authzen-configuration`: where questions are asked. Said to anybody, and only where the hub was told
//! its own address: what a request calls it proves nothing.

use axum::{Json, extract::State};
use serde::Serialize;

use super::BASE;
use crate::{
    api::{ApiError, Hub},
    problem::Problem,
};

/// Where it is.
pub const PATH: &str = "/.well-known/authzen-configuration";

/// The metadata of the decision point. It has no capabilities beyond the specification, and says so by saying nothing.
#[derive(Serialize)]
pub struct Metadata {
    policy_decision_point: String,
    access_evaluation_endpoint: String,
    access_evaluations_endpoint: String,
    search_subject_endpoint: String,
    search_resource_endpoint: String,
    search_action_endpoint: String,
}

/// Shows it.
pub async fn show(State(hub): State<Hub>) -> Result<Json<Metadata>, ApiError> {
    let Some(address) = &hub.entrance.url else {
        let detail = "the hub does not know its own address";
        return Err(Problem::new(404, "hub-address-unknown", detail).into());
    };
    let at = |path: &str| format!("{address}{BASE}{path}");
    Ok(Json(Metadata {
        policy_decision_point: address.to_string(),
        access_evaluation_endpoint: at("/evaluation"),
        access_evaluations_endpoint: at("/evaluations"),
        search_subject_endpoint: at("/search/subject"),
        search_resource_endpoint: at("/search/resource"),
        search_action_endpoint: at("/search/action"),
    }))
}
