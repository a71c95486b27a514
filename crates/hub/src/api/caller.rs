//! Who calls, and what their roles and the policies let them do here.
//!
//! Reading takes any valid token. Whether somebody may approve is a question for the policies, not for
//! this file.

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
pub use bailiwick_core::right::{Right, Rights};
use bailiwick_core::{policy::PolicyId, record::Actor};
use bailiwick_engine::TurnedAway;
use bailiwick_store::entities::Operator;

use super::{Hub, answer::ApiError, programs};
use crate::problem::Problem;

/// The operator whose token came with the request, and what they may do.
#[derive(Debug, Clone)]
pub struct Caller(pub Operator, pub Rights);

impl Caller {
    /// Fails with `not-allowed` unless a role of the caller or a policy gives the right.
    pub fn may(&self, right: Right) -> Result<(), ApiError> {
        if self.1.has(right) {
            return Ok(());
        }
        let (name, roles) = (&self.0.name, right.roles().join("` or `"));
        let detail = match self.1.taken_by(right) {
            Some(policies) => {
                let policies: Vec<&str> = policies.iter().map(PolicyId::as_str).collect();
                let (word, policies) = (right.as_str(), policies.join("`, `"));
                format!("this takes the right `{word}`, which policies take from `{name}`: `{policies}`")
            }
            None => format!("this takes the role `{roles}`, which `{name}` does not have"),
        };
        Err(Problem::new(403, "not-allowed", detail).into())
    }

    /// As evidence names them.
    pub fn actor(&self) -> Actor {
        Actor::Operator(self.0.name.clone())
    }
}

/// Looks the token up by its digest and lets the request through, or answers 401 (RFC 6750 §3).
pub async fn authenticate(State(hub): State<Hub>, mut request: Request, next: Next) -> Response {
    let token = bearer(request.headers()).map(str::to_owned);
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let found = match &token {
        Some(token) if token.starts_with(programs::PREFIX) => {
            programs::caller(&hub, token, (&method, &route)).await
        }
        Some(token) => person(&hub, token).await,
        None => Ok(None),
    };
    match found {
        Ok(Some(caller)) => {
            let operator = &caller.0;
            if let Err(after) = hub.pace.take(operator.id, hub.engine.now()) {
                let detail = format!("`{}` has had all the calls of this minute", operator.name);
                let problem = Problem::new(429, "too-many-requests", detail);
                return ([(header::RETRY_AFTER, after.to_string())], ApiError::from(problem)).into_response();
            }
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Ok(None) => {
            token_refused(&hub, request.headers(), "token-refused").await;
            let problem = Problem::new(401, "token-refused", "the request has no token that is valid here");
            ([(header::WWW_AUTHENTICATE, "Bearer")], ApiError::from(problem)).into_response()
        }
        Err(error) => error.into_response(),
    }
}

async fn person(hub: &Hub, token: &str) -> Result<Option<Caller>, ApiError> {
    let Some(operator) = hub.engine.operator_by_token(token).await? else { return Ok(None) };
    let rights = hub.engine.rights(&operator).await;
    Ok(Some(Caller(operator, rights)))
}

/// Writes down that the token of a request opens nothing here, one for operators or for integrations, as far as there is room
/// for more of that. The answer is the same.
pub async fn token_refused(hub: &Hub, headers: &HeaderMap, code: &'static str) {
    // Who brings none has not tried any.
    if bearer(headers).is_none() {
        return;
    }
    guess_refused(hub, "token", code).await;
}

/// Writes down that what somebody brought is no secret of this hub, as far as there is room for more of that. The answer is the
/// same.
pub async fn guess_refused(hub: &Hub, by: &'static str, code: &'static str) {
    let turned = TurnedAway { by, code, operator: None };
    if let Some(many) = hub.turned_away.note(turned, hub.engine.now())
        && let Err(error) = hub.engine.refused_session(turned, many).await
    {
        tracing::warn!(code = error.code(), by, "what was refused could not be written down");
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
