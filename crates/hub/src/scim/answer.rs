//! How requests are taken and how they are answered: media types, bodies, `ListResponse`.

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{
    fault::{Fault, MEDIA_TYPE, Result, Wrong},
    find::Listed,
    json::read_object,
};
use crate::api::body;

/// An answer with a body, or without one.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, String)>,
    pub body: Option<Value>,
}

impl Answer {
    /// 200 with a body.
    pub fn of(body: Value) -> Self {
        Self { status: StatusCode::OK, headers: Vec::new(), body: Some(body) }
    }

    /// A status and nothing else.
    pub fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    /// The same with a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = match self.body {
            Some(body) => {
                (self.status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body.to_string()).into_response()
            }
            None => self.status.into_response(),
        };
        for (name, value) in self.headers {
            // What cannot stand in a header is left out of it, never cut into two.
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// `ListResponse` (RFC 7644 §3.4.2, RFC 9865 §2.1); `start` is the place of the first where pages go by index.
pub fn list(listed: Listed, start: Option<u32>) -> Answer {
    let Listed { total, items, next } = listed;
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "itemsPerPage": items.len(),
    });
    if let Some(total) = total {
        body["totalResults"] = total.into();
    }
    if let Some(start) = start {
        body["startIndex"] = start.into();
    }
    if let Some(next) = next {
        body["nextCursor"] = next.into();
    }
    if !items.is_empty() {
        body["Resources"] = items.into_iter().map(Value::Object).collect();
    }
    Answer::of(body)
}

/// A body that is a JSON object.
pub struct Body(pub Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let kind = request.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default());
        let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        if !matches!(kind.as_deref(), Some(MEDIA_TYPE | "application/json")) {
            let detail = format!("a body is sent as `{MEDIA_TYPE}`");
            return Err(Fault::new(Wrong::MediaType, detail));
        }
        let bytes = body::read(request).await.map_err(|problem| match problem.status {
            413 => Fault::new(Wrong::TooLarge, problem.detail),
            _ => problem.into(),
        })?;
        read_object(&bytes).map(Self)
    }
}
