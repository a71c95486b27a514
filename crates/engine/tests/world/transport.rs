//! Carries requests to the lab inside the process, and loses them on demand.

use std::sync::{Arc, OnceLock, atomic::Ordering};

use async_trait::async_trait;
use axum::{Router, body::Body};
use bailiwick_connector::broker::{HttpLimits, HttpTransport, Transport, TransportError, TransportErrorKind};
use bailiwick_lab::Dropped;
use bytes::Bytes;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::{Faults, Hands, faults::Weather};

/// Where the lab is.
const LAB: &str = "127.0.0.1:9";

/// The lab's router, as a transport. What is elsewhere is a real server.
pub struct InProcess {
    router: Router,
    faults: Arc<Faults>,
    hands: Arc<Hands>,
    /// Made when something is elsewhere: it reads all certificates that this machine trusts.
    outside: OnceLock<HttpTransport>,
}

impl InProcess {
    pub fn new(router: Router, faults: Arc<Faults>, hands: Arc<Hands>) -> Self {
        Self { router, faults, hands, outside: OnceLock::new() }
    }
}

fn lost(sent: bool) -> TransportError {
    let kind = if sent { TransportErrorKind::Broken } else { TransportErrorKind::Unreachable };
    TransportError { kind, sent, cause: "the line is dead".into() }
}

/// An answer that asks to come again.
fn refusal(status: u16) -> http::Response<Bytes> {
    http::Response::builder().status(status).header("Retry-After", "1").body(Bytes::new()).unwrap()
}

#[async_trait]
impl Transport for InProcess {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        if self.faults.point() {
            return Err(lost(false));
        }
        self.faults.calling().await;
        self.faults.hanging(request.uri().path()).await;
        if request.method() == http::Method::POST {
            self.faults.making().await;
        }
        if request.uri().authority().is_some_and(|authority| authority.as_str() != LAB) {
            let outside = || HttpTransport::new(&HttpLimits::default()).unwrap();
            return self.outside.get_or_init(outside).send(request).await;
        }
        let weather = self.faults.weather(request.method() != http::Method::GET);
        let number = self.faults.sends(&request, self.hands.0.load(Ordering::SeqCst));
        match weather {
            Some(Weather::Unreached) => return Err(lost(false)),
            Some(Weather::TooMany) => return Ok(refusal(429)),
            Some(Weather::Unavailable) => return Ok(refusal(503)),
            Some(Weather::AnswerLost | Weather::Twice) | None => {}
        }
        self.faults.reaches(number);
        if weather == Some(Weather::Twice) {
            let _ = self.router.clone().oneshot(request.clone().map(Body::from)).await;
        }
        let response = self.router.clone().oneshot(request.map(Body::from)).await.map_err(|_| lost(true))?;
        let dropped =
            response.extensions().get::<Dropped>().is_some() || weather == Some(Weather::AnswerLost);
        if dropped || self.faults.point() {
            return Err(lost(true));
        }
        self.faults.answered(number);
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|_| lost(true))?.to_bytes();
        Ok(http::Response::from_parts(parts, body))
    }
}
