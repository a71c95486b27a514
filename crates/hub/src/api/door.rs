//! The door, `/door/v1/…`: what integrations call, each with the token of its own.
//!
//! A caller's token is nobody's but its integration's: it opens nothing of the API of operators, and no
//! operator's token opens anything here. What a caller may do is decided by the engine. Absent: anything that
//! reads.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{FromRequestParts, Request, State},
    http::{StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bailiwick_core::{
    id::{IntegrationName, SignalId, SourceName},
    policy::AttributeValue,
    signal::{Note, Signal},
};
use bailiwick_engine::{DoorRefusal, EngineError, Written};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Hub,
    answer::{Answer, ApiError, Body, Segment},
    caller::{Caller, bearer, token_refused},
    operation::{Resource, get},
};
use crate::problem::Problem;

/// What can be done with them.
pub fn routes() -> Resource {
    let operations = vec![get("list-signals", "/signals", list).says("The notes, the latest last.")];
    Resource::new("Signals", "Notes that integrations left.", operations)
}

/// The integration whose token came with the request.
#[derive(Debug, Clone)]
pub struct Calling(pub IntegrationName);

/// A note that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Noted {
    /// Its id.
    pub signal: SignalId,
}

/// Attributes to be written; `null` takes a value away.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attributes {
    /// Name → value.
    pub attributes: BTreeMap<String, Option<AttributeValue>>,
}

/// A refusal at the door, with the time to wait where it is one of pace (RFC 6585 §4).
pub struct Refused(ApiError, Option<u64>);

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self(error, None)
    }
}

impl From<EngineError> for Refused {
    fn from(error: EngineError) -> Self {
        let after = match &error {
            EngineError::Door(DoorRefusal::Busy { after, .. }) => Some(*after),
            _ => None,
        };
        Self(error.into(), after)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        if let Some(after) = self.1 {
            response.headers_mut().insert(header::RETRY_AFTER, after.into());
        }
        response
    }
}

/// Looks the token up by its digest and lets the request through, or answers 401 (RFC 6750 §3).
pub async fn authenticate(State(hub): State<Hub>, mut request: Request, next: Next) -> Response {
    let found = match bearer(request.headers()) {
        Some(token) => hub.engine.caller_by_token(token).await,
        None => Ok(None),
    };
    match found {
        Ok(Some(integration)) => {
            request.extensions_mut().insert(Calling(integration));
            next.run(request).await
        }
        Ok(None) => {
            token_refused(&hub, request.headers(), "caller-token-refused").await;
            let detail = "the request has no token of an integration that is valid here";
            let problem = Problem::new(401, "caller-token-refused", detail);
            ([(header::WWW_AUTHENTICATE, "Bearer")], ApiError::from(problem)).into_response()
        }
        Err(error) => ApiError::from(error).into_response(),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Calling {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // Every route is behind `authenticate`; one that is not must not run.
        let calling = parts.extensions.get::<Self>().cloned();
        let refused = || Problem::new(401, "caller-token-refused", "the request was not authenticated");
        calling.ok_or_else(|| refused().into())
    }
}

/// `POST /door/v1/signals`: leaves a note for people; 201.
pub async fn signal(
    State(hub): State<Hub>,
    Calling(integration): Calling,
    Body(note): Body<Note>,
) -> Result<(StatusCode, Json<Noted>), Refused> {
    let signal = hub.engine.leave_signal(&integration, note).await?;
    hub.worker.nudge();
    Ok((StatusCode::CREATED, Json(Noted { signal: signal.id })))
}

/// `PATCH /door/v1/identities/{source}/{key}`: writes attributes of somebody.
pub async fn write(
    State(hub): State<Hub>,
    Calling(integration): Calling,
    Segment((source, key)): Segment<(SourceName, String)>,
    Body(Attributes { attributes }): Body<Attributes>,
) -> Result<Json<Written>, Refused> {
    let written = hub.engine.write_attributes(&integration, &source, &key, attributes).await;
    // A refusal has its evidence too, and what follows from it.
    hub.worker.nudge();
    Ok(Json(written?))
}

pub async fn list(State(hub): State<Hub>, _: Caller) -> Answer<Vec<Signal>> {
    Ok(Json(hub.engine.signals().await?))
}
