//! `/hooks/v1/{integration}`: hints of systems (Standard Webhooks 1.0.0), and `/integrations/{integration}/hook`, by which
//! somebody lets a system send them.
//!
//! A hint is no fact: what it says is not read. It has the system looked at, by the way that is looked at anyway.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use bailiwick_connector::seal::Signed;
use bailiwick_core::{id::IntegrationName, time::Timestamp};
use bailiwick_engine::{DoorRefusal, EngineError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    answer::{ApiError, Done, Raw, Segment, ShownOnce, malformed},
    caller::{Caller, Right, guess_refused},
    door::Refused,
    operation::{Access, Resource, delete, post},
};

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![
        post("make-hook", "/integrations/{integration}/hook", Access::Right(Right::Govern), make)
            .says("Makes a new secret to sign hints with; the one before works for a day more."),
        delete("end-hook", "/integrations/{integration}/hook", Access::Right(Right::Govern), end)
            .says("Takes no hint any more."),
    ];
    Resource::new("Hooks", "Hints that systems send.", operations)
}

/// A hook that was made.
// No `Debug`: it holds the secret, this once.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct HookMade {
    /// The integration.
    pub integration: IntegrationName,
    /// Where its system sends hints, below the hub's address.
    pub path: String,
    /// What it signs them with; it is not kept and not shown again.
    pub secret: String,
}

/// A hint that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HintTaken {
    /// When the system is read for it.
    pub read: Timestamp,
}

pub async fn make(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(name): Segment<IntegrationName>,
) -> Result<ShownOnce<HookMade>, ApiError> {
    caller.may(Right::Govern)?;
    let secret = hub.engine.make_hook(&name, caller.actor()).await?.text().to_owned();
    Ok(ShownOnce(HookMade { path: format!("/hooks/v1/{name}"), integration: name, secret }))
}

pub async fn end(
    State(hub): State<Hub>,
    caller: Caller,
    Segment(name): Segment<IntegrationName>,
) -> Result<Done, ApiError> {
    caller.may(Right::Govern)?;
    hub.engine.end_hook(&name, caller.actor()).await?;
    Ok(Done)
}

/// `POST /hooks/v1/{integration}`: takes a hint; 202, also of one that was taken before.
pub async fn take(
    State(hub): State<Hub>,
    Segment(name): Segment<String>,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<(StatusCode, Json<HintTaken>), Refused> {
    let header = |name: &str| {
        let found = headers.get(name).and_then(|value| value.to_str().ok());
        found.ok_or_else(|| Refused::from(malformed(format!("the header `{name}` is missing or no text"))))
    };
    let hint = Signed {
        id: header("webhook-id")?,
        timestamp: header("webhook-timestamp")?,
        signature: header("webhook-signature")?,
        body: &body,
    };
    match hub.engine.take_hint(&name, hint).await {
        Ok(read) => {
            hub.worker.nudge();
            Ok((StatusCode::ACCEPTED, Json(HintTaken { read })))
        }
        Err(error) => {
            if let EngineError::Door(unsigned @ DoorRefusal::Unsigned) = &error {
                guess_refused(&hub, "hint", unsigned.code()).await;
            }
            Err(error.into())
        }
    }
}
