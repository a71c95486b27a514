//! Entity tags (RFC 9110 §8.8.3) and the conditions on them, for all operations alike.
//!
//! What is read is answered with a strong tag: the digest of what is answered. Who has it already is told so (304). A change
//! may be bound to the view that it was made from: it is done only while that view has the tag (412), and the view is asked
//! for as the caller, so that a condition tells nobody more than reading does. Where two changes meet, the revisions of rows
//! and the digests that approvals name decide; a tag only tells the second one early.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bailiwick_core::digest::Digest;
use tower::ServiceExt as _;

use super::{ApiError, caller::Caller};
use crate::problem::Problem;

/// What a list of tags looks like, or `*`.
pub const PATTERN: &str = r#"^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$"#;

/// What a change may be bound to.
#[derive(Clone)]
pub struct Bound {
    /// The views, by path.
    pub views: Router,
    /// How many parts of the path are the path of the view; none when there is no view.
    pub parts: Option<usize>,
}

/// Gives what is read its tag.
pub async fn tag(request: Request, next: Next) -> Response {
    let unless = list(request.headers(), header::IF_NONE_MATCH);
    let response = next.run(request).await;
    if response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // What handlers answer with is in memory already.
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return ApiError::from(Problem::new(500, "inconsistent", "an answer broke off")).into_response();
    };
    let tag = format!("\"{}\"", &Digest::of(&bytes).to_string()[..32]);
    if let Ok(value) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, value);
    }
    if unless.is_some_and(|unless| names(&unless, &tag, true)) {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// Lets a change through if its view is as `If-Match` says; without that, always.
pub async fn bind(State(bound): State<Arc<Bound>>, request: Request, next: Next) -> Response {
    let Some(only_if) = list(request.headers(), header::IF_MATCH) else { return next.run(request).await };
    let seen = match bound.look(&request) {
        Some(look) => bound.tag_of(look).await,
        None => None,
    };
    match seen {
        Some(tag) if names(&only_if, &tag, false) => next.run(request).await,
        seen => {
            let detail = match seen {
                Some(tag) => format!("the view has the tag {tag} now; nothing was done"),
                None => "there is no view that has a tag; nothing was done".to_owned(),
            };
            ApiError::from(Problem::new(412, "view-changed", detail)).into_response()
        }
    }
}

impl Bound {
    /// A look at the view, as the caller of `request`.
    fn look(&self, request: &Request) -> Option<Request> {
        let parts = self.parts?;
        let path: Vec<&str> = request.uri().path().split('/').take(parts).collect();
        let mut look = Request::new(Body::empty());
        *look.method_mut() = Method::GET;
        *look.uri_mut() = path.join("/").parse::<Uri>().ok()?;
        look.extensions_mut().insert(request.extensions().get::<Caller>()?.clone());
        Some(look)
    }

    async fn tag_of(&self, look: Request) -> Option<String> {
        let answer = self.views.clone().oneshot(look).await.ok()?;
        answer.headers().get(header::ETAG)?.to_str().ok().map(str::to_owned)
    }
}

/// All values of a header that is a list, as one; one that is no text names nothing.
fn list(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let all: Vec<&str> =
        headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default()).collect();
    if all.is_empty() { None } else { Some(all.join(",")) }
}

/// Whether a list names a tag. A weak one names it only where that is enough (RFC 9110 §8.8.3.2). Our tags have no comma.
fn names(list: &str, tag: &str, weakly: bool) -> bool {
    list.split(',').map(str::trim).any(|one| {
        one == "*" || one == tag || weakly && one.strip_prefix("W/").is_some_and(|strong| strong == tag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_a_tag_strongly_or_weakly() {
        for (list, weakly, expect) in [
            ("\"a\"", false, true),
            ("\"a\"", true, true),
            ("W/\"a\"", false, false),
            ("W/\"a\"", true, true),
            ("\"b\", \"a\"", false, true),
            ("\"b\",W/\"a\"", true, true),
            ("*", false, true),
            ("a", true, false),
            ("\"ab\"", true, false),
            ("", true, false),
        ] {
            assert_eq!(names(list, "\"a\"", weakly), expect, "{list} {weakly}");
        }
    }
}
