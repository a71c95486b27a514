//! Doing something from a page: it is done and the browser goes on, or the page comes again with what was refused on top.

use std::fmt::Display;

use askama::Template;
use axum::{
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};

use super::{
    frame::{Notice, page},
    trouble::Trouble,
};
use crate::api::ApiError;

/// What came of a form: where it leads, or the page that was acted on once more.
pub async fn acted<T, A, S, F>(
    outcome: Result<T, ApiError>,
    to: impl FnOnce(T) -> A,
    again: impl FnOnce(Option<Notice>) -> F,
) -> Result<Response, Trouble>
where
    A: Display,
    S: Template,
    F: Future<Output = Result<S, Trouble>>,
{
    match outcome {
        Ok(done) => Ok(Redirect::to(&to(done).to_string()).into_response()),
        Err(error) => refused(error, again).await,
    }
}

/// The page that was acted on, with what was refused on top and the status that says so.
pub async fn refused<S, F>(
    error: ApiError,
    again: impl FnOnce(Option<Notice>) -> F,
) -> Result<Response, Trouble>
where
    S: Template,
    F: Future<Output = Result<S, Trouble>>,
{
    let trouble = Trouble::from(error);
    let notice = Notice::refused(trouble.problem());
    let status = StatusCode::from_u16(trouble.problem().status).unwrap_or(StatusCode::CONFLICT);
    match again(Some(notice)).await {
        Ok(shown) => Ok((status, page(&shown)?).into_response()),
        Err(_) => Err(trouble),
    }
}
