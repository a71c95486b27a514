//! A transport beside another, for what the broker says to a token endpoint.

use std::sync::Arc;

use async_trait::async_trait;
use bailiwick_connector::broker::{Transport, TransportError};
use bytes::Bytes;

/// Carries the connector's calls over one transport and the broker's own over another, so that what is lost or
/// counted is the connector's.
pub struct Beside {
    pub calls: Arc<dyn Transport>,
    pub tokens: Arc<dyn Transport>,
}

#[async_trait]
impl Transport for Beside {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let tokens = request.uri().path().ends_with("/token");
        if tokens { self.tokens.send(request).await } else { self.calls.send(request).await }
    }
}
