//! Carries requests to the lab inside the process, and loses them on demand.

use std::sync::Arc;

use async_trait::async_trait;
use axum::{Router, body::Body};
use bailiwick_connector::broker::{HttpLimits, HttpTransport, Transport, TransportError, TransportErrorKind};
use bailiwick_lab::Dropped;
use bytes::Bytes;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::Faults;

/// Where the lab is.
const LAB: &str = "127.0.0.1:9";

/// The lab's router, as a transport. What is elsewhere is a real server.
pub struct InProcess {
    router: Router,
    faults: Arc<Faults>,
    outside: HttpTransport,
}

impl InProcess {
    pub fn new(router: Router, faults: Arc<Faults>) -> Self {
        Self { router, faults, outside: HttpTransport::new(&HttpLimits::default()).unwrap() }
    }
}

fn lost(sent: bool) -> TransportError {
    let kind = if sent { TransportErrorKind::Broken } else { TransportErrorKind::Unreachable };
    TransportError { kind, sent, cause: "the line is dead".into() }
}

#[async_trait]
impl Transport for InProcess {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        if self.faults.point() {
            return Err(lost(false));
        }
        self.faults.calling().await;
        if request.method() == http::Method::POST {
            self.faults.making().await;
        }
        if request.uri().authority().is_some_and(|authority| authority.as_str() != LAB) {
            return self.outside.send(request).await;
        }
        let response = self.router.clone().oneshot(request.map(Body::from)).await.map_err(|_| lost(true))?;
        if response.extensions().get::<Dropped>().is_some() || self.faults.point() {
            return Err(lost(true));
        }
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|_| lost(true))?.to_bytes();
        Ok(http::Response::from_parts(parts, body))
    }
}
