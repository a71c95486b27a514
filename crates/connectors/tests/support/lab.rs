//! A simulated system in this process, and its truth.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use bailiwick_connector::{
    Line,
    broker::{Transport, TransportError, TransportErrorKind},
};
use bailiwick_core::integration::Purpose;
use bailiwick_lab::{Behaviour, Dropped, Lab, ManualClock, Paging, SystemSpec, Tokens};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

const WRITE: &str = "the-write-token";
const READ: &str = "the-read-token";

/// One system.
pub struct Simulated {
    pub lab: Lab,
}

/// Carries requests to a lab without sockets.
struct InProcess(Lab);

#[async_trait]
impl Transport for InProcess {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let lost = |cause: &str| TransportError { kind: TransportErrorKind::Timeout, sent: true, cause: cause.into() };
        let response = self.0.router().oneshot(request.map(Body::from)).await.map_err(|never| match never {})?;
        if response.extensions().get::<Dropped>().is_some() {
            return Err(lost("the answer is lost"));
        }
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| lost(&error.to_string()))?.to_bytes();
        Ok(http::Response::from_parts(head, body))
    }
}

impl Simulated {
    /// A system without anybody in it.
    pub fn new(paging: Paging, behaviours: &[Behaviour]) -> Self {
        let tokens = Tokens { write: WRITE.into(), read: READ.into() };
        let spec = SystemSpec::new("app", 7, tokens).paged(paging, 50).with(behaviours.iter().copied());
        Self { lab: Lab::new(Arc::new(ManualClock::new(1_800_000_000_000)), vec![spec]).unwrap() }
    }

    /// A line to it, with the credential for the purpose.
    pub fn line(&self, purpose: Purpose) -> Line {
        let token = match purpose {
            Purpose::Write => WRITE,
            Purpose::Verify => READ,
        };
        super::line::line(Arc::new(InProcess(self.lab.clone())), "https://lab.test/app", "/scim/v2", token, purpose)
    }
}

/// The settings of a connector to a simulated system.
pub fn settings() -> Value {
    let held = |class: &str, rest: Value| {
        let mut setting = json!({
            "list": format!("/api/users/{{id}}/{class}"),
            "revoke": format!("/api/users/{{id}}/{class}/{{item}}"),
        });
        setting.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        setting
    };
    json!({
        "base": "/scim/v2",
        "idempotency_header": "Idempotency-Key",
        "held": {
            "api-tokens": held("tokens", json!({
                "name": "name", "purges": "purges_at",
                "live": {"field": "status", "equals": "active"},
                "gone": {"field": "status", "equals": "revoked"},
            })),
            "sessions": held("sessions", json!({})),
            "licences": held("licences", json!({"item": "sku", "grant": "/api/users/{id}/licences/{item}"})),
        },
    })
}
