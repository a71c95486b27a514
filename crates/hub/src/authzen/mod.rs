//! AuthZEN Authorization API 1.0 at `/access/v1`: others ask whether somebody may do something now.
//!
//! A caller has the token of an integration whose certified scope has `decide TYPE` or `search TYPE`. This room speaks
//! the protocol and decides nothing: what is permitted, who is known and what is written down is up to the engine. A
//! denial is an answer (200), and is told once it is written down. Absent: any session of a caller, and any address but
//! the one that the hub was told it has.

mod answer;
mod call;
mod evaluate;
mod metadata;
mod search;
mod wire;

use axum::{
    Router,
    routing::{get, post},
};

use crate::api::{Hub, body};

/// The path below which questions are asked.
pub const BASE: &str = "/access/v1";
/// The longest body, bytes.
const BODY: usize = 1024 * 1024;

/// All routes below the base.
pub fn router(hub: Hub) -> Router<Hub> {
    Router::new()
        .route("/evaluation", post(evaluate::one))
        .route("/evaluations", post(evaluate::many))
        .route("/search/subject", post(search::subjects))
        .route("/search/resource", post(search::resources))
        .route("/search/action", post(search::actions))
        .layer(body::limit(BODY))
        .layer(axum::middleware::from_fn_with_state(hub, call::authenticate))
}

/// What anybody may read: where questions are asked.
pub fn well_known() -> Router<Hub> {
    Router::new().route(metadata::PATH, get(metadata::show))
}

#[cfg(test)]
mod attacker_tests;
#[cfg(test)]
mod certification_tests;
#[cfg(test)]
mod protocol_tests;
#[cfg(test)]
pub mod stage_tests;
