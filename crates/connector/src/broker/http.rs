//! The transport of production: HTTP/1.1 over TLS.

use std::{error::Error, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::redirect::Policy;

use super::transport::{Transport, TransportError, TransportErrorKind};

/// How long and how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpLimits {
    /// To make a connection, TLS included.
    pub connect: Duration,
    /// From the first byte of the request to the last of the answer.
    pub overall: Duration,
    /// The largest body of an answer, bytes.
    pub body: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), overall: Duration::from_secs(60), body: 64 << 20 }
    }
}

/// HTTP over rustls, with the certificates that the machine trusts. No redirects, no proxy, no retry.
pub struct HttpTransport {
    client: reqwest::Client,
    body: usize,
}

impl HttpTransport {
    /// A transport with these limits.
    pub fn new(limits: &HttpLimits) -> Result<Self, TransportError> {
        let builder = || {
            reqwest::Client::builder()
                .redirect(Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .referer(false)
                .user_agent(concat!("bailiwick/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(limits.connect)
                .timeout(limits.overall)
        };
        // A machine without any trusted certificate can still reach what needs none; TLS then fails
        // call by call, which is where the operator sees it.
        let client = builder().build().or_else(|_| builder().tls_certs_only([]).build());
        Ok(Self { client: client.map_err(|e| failure(e, false))?, body: limits.body })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: ::http::Request<Bytes>) -> Result<::http::Response<Bytes>, TransportError> {
        let request = reqwest::Request::try_from(request).map_err(|e| failure(e, false))?;
        let mut answer = self.client.execute(request).await.map_err(|e| {
            let sent = !e.is_connect() && !e.is_builder();
            failure(e, sent)
        })?;
        let too_large = || TransportError {
            kind: TransportErrorKind::TooLarge,
            sent: true,
            cause: format!("the answer is larger than {} bytes", self.body),
        };
        if answer.content_length().is_some_and(|n| n > self.body as u64) {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| failure(e, true))? {
            if body.len() + chunk.len() > self.body {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = ::http::Response::new(body.freeze());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

fn failure(error: reqwest::Error, sent: bool) -> TransportError {
    let kind = if error.is_timeout() {
        TransportErrorKind::Timeout
    } else if sent {
        TransportErrorKind::Broken
    } else {
        TransportErrorKind::Unreachable
    };
    // The innermost cause says what happened; the layers above only say that something did.
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    TransportError { kind, sent, cause: cause.to_string() }
}
