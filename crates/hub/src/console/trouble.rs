//! What went wrong, as a page.

use askama::Template;
use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};

use super::assets;
use crate::{api::ApiError, problem::Problem};

/// A problem, shown to a person.
pub struct Trouble(Box<Problem>);

impl<P: Into<Problem>> From<P> for Trouble {
    fn from(problem: P) -> Self {
        Self(Box::new(problem.into()))
    }
}

impl From<ApiError> for Trouble {
    fn from(error: ApiError) -> Self {
        Self(Box::new(error.into_problem()))
    }
}

impl From<askama::Error> for Trouble {
    fn from(error: askama::Error) -> Self {
        Problem::new(500, "page-failed", format!("the page cannot be made: {error}")).into()
    }
}

impl Trouble {
    /// What went wrong.
    pub fn problem(&self) -> &Problem {
        &self.0
    }
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct Page<'a> {
    problem: &'a Problem,
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        if problem.status >= 500 {
            tracing::error!(code = problem.code, detail = problem.detail, "a page failed");
        }
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = Page { problem: &problem }.render().unwrap_or_else(|_| problem.title.clone());
        (status, Html(body)).into_response()
    }
}
