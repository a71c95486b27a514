//! The transport of production: HTTP/1.1 over TLS. A request with a [`TrustAnchor`] goes over a client that
//! trusts nobody else; there is no other way for it.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bailiwick_core::digest::Digest;
use bytes::{Bytes, BytesMut};
use reqwest::redirect::Policy;

use super::transport::{Transport, TransportError, TransportErrorKind, TrustAnchor};

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

/// HTTP over rustls, with the certificates that the machine trusts or the request's own authority. No
/// redirects, no proxy, no retry.
pub struct HttpTransport {
    client: reqwest::Client,
    limits: HttpLimits,
    /// Clients that trust one authority alone, by its file, with the digest of what was in it.
    anchored: Mutex<BTreeMap<TrustAnchor, (Digest, reqwest::Client)>>,
}

impl HttpTransport {
    /// A transport with these limits.
    pub fn new(limits: &HttpLimits) -> Result<Self, TransportError> {
        // A machine without any trusted certificate can still reach what needs none; TLS then fails
        // call by call, which is where the operator sees it.
        let client = builder(limits).build().or_else(|_| builder(limits).tls_certs_only([]).build());
        let client = client.map_err(|e| failure(e, false))?;
        Ok(Self { client, limits: limits.clone(), anchored: Mutex::default() })
    }

    /// The client that trusts the authority alone; a new one when its file was changed.
    async fn anchored(&self, anchor: &TrustAnchor) -> Result<reqwest::Client, TransportError> {
        let bad = |what: &str| TransportError {
            kind: TransportErrorKind::Unreachable,
            sent: false,
            cause: format!("the authority `{}` of `ca_file` {what}", anchor.0.display()),
        };
        let pem = tokio::fs::read(&anchor.0).await.map_err(|e| bad(&format!("cannot be read: {e}")))?;
        let digest = Digest::of(&pem);
        let mut known = self.anchored.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = known.get(anchor).filter(|(seen, _)| *seen == digest) {
            return Ok(client.clone());
        }
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).ok().filter(|all| !all.is_empty());
        let certificates = certificates.ok_or_else(|| bad("has no certificate in PEM"))?;
        let client = builder(&self.limits).tls_certs_only(certificates).https_only(true).build();
        let client = client.map_err(|_| bad("is not a certificate that can be trusted"))?;
        known.insert(anchor.clone(), (digest, client.clone()));
        Ok(client)
    }
}

fn builder(limits: &HttpLimits) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .user_agent(concat!("bailiwick/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(limits.connect)
        .timeout(limits.overall)
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: ::http::Request<Bytes>) -> Result<::http::Response<Bytes>, TransportError> {
        let client = match request.extensions().get::<TrustAnchor>() {
            Some(anchor) => self.anchored(anchor).await?,
            None => self.client.clone(),
        };
        let request = reqwest::Request::try_from(request).map_err(|e| failure(e, false))?;
        let mut answer = client.execute(request).await.map_err(|e| {
            let sent = !e.is_connect() && !e.is_builder();
            failure(e, sent)
        })?;
        let too_large = || TransportError {
            kind: TransportErrorKind::TooLarge,
            sent: true,
            cause: format!("the answer is larger than {} bytes", self.limits.body),
        };
        if answer.content_length().is_some_and(|n| n > self.limits.body as u64) {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| failure(e, true))? {
            if body.len() + chunk.len() > self.limits.body {
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
