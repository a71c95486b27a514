//! Who asks: the token of an integration.

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bailiwick_engine::Asker;

use super::answer::Refused;
use crate::{
    api::{Hub, bearer, token_refused},
    problem::Problem,
};

/// The integration whose token came with the request.
#[derive(Clone)]
pub struct Call(pub Asker);

fn refused() -> Refused {
    let detail = "the request has no token of an integration that is valid here";
    Problem::new(401, "caller-token-refused", detail).into()
}

/// Looks the token up and lets the request through, or answers 401 (RFC 6750 §3) before anything of it is read.
pub async fn authenticate(State(hub): State<Hub>, mut request: Request, next: Next) -> Response {
    let found = match bearer(request.headers()) {
        Some(token) => hub.engine.asker(token).await,
        None => Ok(None),
    };
    match found {
        Ok(Some(asker)) => {
            request.extensions_mut().insert(Call(asker));
            next.run(request).await
        }
        Ok(None) => {
            token_refused(&hub, request.headers(), "caller-token-refused").await;
            ([(header::WWW_AUTHENTICATE, "Bearer")], refused()).into_response()
        }
        Err(error) => Refused::from(error).into_response(),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Call {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        // Every route is behind `authenticate`; one that is not must not run.
        parts.extensions.get::<Self>().cloned().ok_or_else(refused)
    }
}
