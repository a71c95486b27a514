//! How handlers take what they are given, and how they answer.

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{body, strict};
use crate::problem::{MEDIA_TYPE, Problem, chain};

/// A problem as an answer.
#[derive(Debug)]
pub struct ApiError(Box<Problem>);

/// What handlers give back.
pub type Answer<T> = Result<Json<T>, ApiError>;

impl<P: Into<Problem>> From<P> for ApiError {
    fn from(problem: P) -> Self {
        Self(Box::new(problem.into()))
    }
}

impl ApiError {
    /// What went wrong.
    pub fn into_problem(self) -> Problem {
        *self.0
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        if problem.status >= 500 {
            tracing::error!(code = problem.code, detail = problem.detail, "a request failed");
        }
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        (status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response()
    }
}

/// 204: it is done, and there is nothing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done;

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

/// 201: something was made.
pub struct Created<T>(pub T);

impl<T: IntoResponse> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, self.0).into_response()
    }
}

/// An answer with a secret in it that is shown this once. No `Debug`. It is kept nowhere: not by whoever stands between,
/// and not for those who ask again with the same key (`idempotency.rs`).
pub struct ShownOnce<T>(pub T);

/// That an answer is not to be kept.
#[derive(Debug, Clone, Copy)]
pub struct NotKept;

impl<T: Serialize> IntoResponse for ShownOnce<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.0).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.extensions_mut().insert(NotKept);
        response
    }
}

/// Plain text.
pub struct Text(pub Vec<u8>);

impl IntoResponse for Text {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], self.0).into_response()
    }
}

/// An evidence pack, a JSON value in each line.
pub struct Pack(pub Vec<u8>);

impl IntoResponse for Pack {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/jsonl")], self.0).into_response()
    }
}

/// A JSON body; one that is not is a problem with its code.
pub struct Body<T>(pub T);

/// Whether a body is said to be JSON (RFC 8259 §11, RFC 6839 §3.1). Who says nothing means JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return true };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            let detail = "the body is said to be something else than `application/json`";
            return Err(Problem::new(415, "content-type-unsupported", detail).into());
        }
        let Raw(bytes) = Raw::from_request(request, state).await?;
        let read = strict::check(&bytes).and_then(|()| serde_json::from_slice(&bytes));
        read.map(Self).map_err(|error| {
            malformed(format!("the body is not what this resource takes: {}", chain(&error)))
        })
    }
}

/// A body of bytes; one that is too long is a problem with its code.
pub struct Raw(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        Ok(Self(body::read(request).await?))
    }
}

/// Query parameters; unknown or unreadable ones are a problem with its code.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(value)| Self(value)).map_err(|rejection| malformed(rejection.body_text()))
    }
}

/// Segments of the path; unreadable ones are a problem with its code.
pub struct Segment<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segment<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(value)| Self(value)).map_err(|rejection| malformed(rejection.body_text()))
    }
}

/// What was asked cannot be read.
pub fn malformed(detail: impl Into<String>) -> ApiError {
    Problem::new(400, "request-malformed", detail).into()
}
