//! Keeps what is described: what an operation does not know is refused, and what it does not say it never answers.
//!
//! A parameter that the operation does not have is refused and not overlooked: a filter with a slip in it would show
//! everything. In a build for development an answer with a status that is not described is a fault of its own, so that
//! every test of the program is a test of the description too.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{ApiError, answer::malformed, description::Described};

/// What is kept of one operation.
pub struct Kept {
    id: &'static str,
    query: BTreeSet<String>,
    statuses: BTreeSet<u16>,
}

impl From<&Described> for Kept {
    fn from(operation: &Described) -> Self {
        let query = operation.query.iter().map(|parameter| parameter.name.clone()).collect();
        Self { id: operation.id, query, statuses: operation.statuses.clone() }
    }
}

/// Keeps it.
pub async fn keep(State(kept): State<Arc<Kept>>, request: Request, next: Next) -> Response {
    let response = match kept.read(&request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    let status = response.status().as_u16();
    if !kept.statuses.contains(&status) {
        tracing::error!(operation = kept.id, status, "the answer has a status that is not described");
        debug_assert!(false, "`{}` answers {status}, and does not say so", kept.id);
    }
    response
}

impl Kept {
    fn read(&self, request: &Request) -> Result<(), ApiError> {
        let uri = request.uri();
        let (path, query) = (uri.path(), uri.query().unwrap_or_default());
        if path.contains("%00") || query.contains("%00") {
            return Err(malformed("the address has a NUL character"));
        }
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query)
            .map_err(|error| malformed(format!("the query cannot be read: {error}")))?;
        let mut seen = BTreeSet::new();
        for (name, _) in &pairs {
            if !self.query.contains(name) {
                let known: Vec<&str> = self.query.iter().map(String::as_str).collect();
                let known = match known.is_empty() {
                    true => "it has none".to_owned(),
                    false => format!("it has `{}`", known.join("`, `")),
                };
                return Err(malformed(format!("there is no parameter `{name}` here; {known}")));
            }
            if !seen.insert(name) {
                return Err(malformed(format!("the parameter `{name}` stands there twice")));
            }
        }
        Ok(())
    }
}
