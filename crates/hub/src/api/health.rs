//! `/healthz` and `/readyz`: for whoever runs the process. They take no token and say nothing else.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{Hub, answer::ApiError};
use crate::problem::Problem;

/// `GET /healthz`: the process answers; 204.
pub async fn lives() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// `GET /readyz`: the store answers and the log is in order, so that work can be done; 204, or 503. What is wrong is in the
/// hub's own log, and not told to whoever asks.
pub async fn ready(State(hub): State<Hub>) -> Response {
    let stored = async { Ok::<_, ApiError>(hub.read().await?.entry_counts().await?) };
    let problem = match (stored.await, hub.sequencer.log()) {
        (Ok(_), Ok(_)) if !*hub.stopping.borrow() => return StatusCode::NO_CONTENT.into_response(),
        (Ok(_), Ok(_)) => "the hub is stopping",
        (Err(error), _) => {
            tracing::error!(code = error.into_problem().code, "not ready: the store does not answer");
            "the store does not answer"
        }
        (Ok(_), Err(error)) => {
            tracing::error!(code = error.code(), "not ready: the log is not in order");
            "the log is not in order"
        }
    };
    ApiError::from(Problem::new(503, "not-ready", problem)).into_response()
}
