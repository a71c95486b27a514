//! An answer before it is HTTP: a value that can be kept for an idempotency key and sent again.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, StatusCode, header},
};
use serde_json::{Value, json};

use crate::refusal::Refusal;

/// Which of a system's two interfaces is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Scim,
    Vendor,
}

/// Marks a response that must never reach the client: the write behind it is committed and its answer lost.
///
/// [`serve`](crate::serve) closes the connection without a byte. A transport that calls the router in process finds
/// this in the response's extensions and must report a lost answer (a timeout), never the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped;

#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: StatusCode,
    headers: Vec<(HeaderName, String)>,
    body: Option<Value>,
}

impl Reply {
    pub(crate) fn json(status: StatusCode, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(body) }
    }

    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    pub(crate) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// The refusal as this interface words it: RFC 7644 §3.12, or `{"error": code, "message": text}`.
    pub(crate) fn refused(door: Door, refusal: &Refusal) -> Self {
        let status = refusal.status();
        let body = match door {
            Door::Scim => {
                let mut body = json!({
                    "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
                    "status": status.as_u16().to_string(),
                    "detail": refusal.to_string(),
                });
                if let Some(scim_type) = refusal.scim_type() {
                    body["scimType"] = scim_type.into();
                }
                body
            }
            Door::Vendor => json!({"error": refusal.code(), "message": refusal.to_string()}),
        };
        let reply = Reply::json(status, body);
        match refusal {
            Refusal::TooManyRequests { retry_after_s } => {
                reply.with(header::RETRY_AFTER, retry_after_s.to_string())
            }
            Refusal::Unauthorized => reply.with(header::WWW_AUTHENTICATE, "Bearer"),
            _ => reply,
        }
    }

    pub(crate) fn into_response(self, door: Door) -> Response<Body> {
        let body = match &self.body {
            Some(value) => Body::from(value.to_string()),
            None => Body::empty(),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        if self.body.is_some() {
            let media = match door {
                Door::Scim => "application/scim+json",
                Door::Vendor => "application/json",
            };
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
