//! Who calls, and what their roles let them do here.
//!
//! Reading takes any valid token. Whether somebody may approve is a question for the policies, not for
//! this file.

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bailiwick_core::record::Actor;
use bailiwick_store::entities::Operator;

use super::{Hub, answer::ApiError};
use crate::problem::Problem;

/// The operator whose token came with the request.
#[derive(Debug, Clone)]
pub struct Caller(pub Operator);

/// What a role lets one do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Change the configuration, credentials and operators; lift a quarantine.
    Govern,
    /// Accept what stands in for seeing.
    Accept,
    /// Deliver feeds and start reconciliations.
    Operate,
    /// Make people ready to go, and fire them. The engine looks at it, for what is done there is not to be seen by others.
    Terminate,
}

impl Right {
    /// The roles that give it.
    pub const fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Govern => &["admin"],
            Self::Accept => &["admin", "approver"],
            Self::Operate => &["admin", "operator"],
            Self::Terminate => &[bailiwick_core::termination::ROLE],
        }
    }
}

impl Caller {
    /// Fails with `not-allowed` unless a role of the caller gives the right.
    pub fn may(&self, right: Right) -> Result<(), ApiError> {
        if right.roles().iter().any(|role| self.0.roles.contains(*role)) {
            return Ok(());
        }
        let roles = right.roles().join("` or `");
        let detail = format!("this takes the role `{roles}`, which `{}` does not have", self.0.name);
        Err(Problem::new(403, "not-allowed", detail).into())
    }

    /// As evidence names them.
    pub fn actor(&self) -> Actor {
        Actor::Operator(self.0.name.clone())
    }
}

/// Looks the token up by its digest and lets the request through, or answers 401 (RFC 6750 §3).
pub async fn authenticate(State(hub): State<Hub>, mut request: Request, next: Next) -> Response {
    let found = match bearer(request.headers()) {
        Some(token) => hub.engine.operator_by_token(token).await,
        None => Ok(None),
    };
    match found {
        Ok(Some(operator)) => {
            if let Err(after) = hub.pace.take(operator.id, hub.engine.now()) {
                let detail = format!("`{}` has had all the calls of this minute", operator.name);
                let problem = Problem::new(429, "too-many-requests", detail);
                return ([(header::RETRY_AFTER, after.to_string())], ApiError::from(problem)).into_response();
            }
            request.extensions_mut().insert(Caller(operator));
            next.run(request).await
        }
        Ok(None) => {
            let problem = Problem::new(401, "token-refused", "the request has no token that is valid here");
            ([(header::WWW_AUTHENTICATE, "Bearer")], ApiError::from(problem)).into_response()
        }
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// The bearer token of a request.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (kind, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    kind.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // Every route is behind `authenticate`; one that is not must not run.
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::new(401, "token-refused", "the request was not authenticated").into())
    }
}
