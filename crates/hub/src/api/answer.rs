//! How handlers take what they are given, and how they answer.

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;

use super::body;
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

/// A JSON body; one that is not is a problem with its code.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let Raw(bytes) = Raw::from_request(request, state).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let detail = format!("the body is not what this resource takes: {}", chain(&error));
            Problem::new(400, "request-malformed", detail).into()
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
