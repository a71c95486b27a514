//! The transport of production: HTTP/1.1 over TLS.
//!
//! A request says by its extensions whom it trusts and where its name may lead, and goes over a client that
//! knows nothing else: connections are shared only by requests for which both are the same. A client looks a
//! name up for each connection that it makes, by the request's [`Guide`], and connects to what was judged.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bailiwick_core::digest::Digest;
use bytes::{Bytes, BytesMut};
use reqwest::{
    dns::{Name, Resolve, Resolving},
    redirect::Policy,
};

use super::{
    network::{Astray, Reach},
    resolve::{Guide, Lost, SystemResolver},
    transport::{Transport, TransportError, TransportErrorKind, TrustAnchor},
};

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
        Self { connect: Duration::from_secs(10), overall: Duration::from_secs(30), body: 64 << 20 }
    }
}

/// Whom a client trusts and where it goes.
type Way = (Option<TrustAnchor>, Reach);

/// A client, with what it was made from.
struct Made {
    /// Digest of what was in the anchor's file.
    seen: Option<Digest>,
    guide: Guide,
    client: reqwest::Client,
}

/// HTTP over rustls, with the certificates that the machine trusts or the request's own authority. No
/// redirects, no proxy, no retry.
pub struct HttpTransport {
    limits: HttpLimits,
    /// For requests without a guide: a name leads to the world alone.
    guide: Guide,
    clients: Mutex<BTreeMap<Way, Made>>,
}

impl HttpTransport {
    /// A transport with these limits. Fails where no client can be made, now and not at the first call.
    pub fn new(limits: &HttpLimits) -> Result<Self, TransportError> {
        let guide = Guide::new(Arc::new(SystemResolver), Reach::default());
        let transport = Self { limits: limits.clone(), guide: guide.clone(), clients: Mutex::default() };
        transport.trusting_the_world(&guide)?;
        Ok(transport)
    }

    /// The client for a request; a new one when the anchor's file was changed or somebody else looks names up.
    async fn client(
        &self,
        anchor: Option<&TrustAnchor>,
        guide: &Guide,
    ) -> Result<reqwest::Client, TransportError> {
        let pem = match anchor {
            Some(anchor) => {
                let read = tokio::fs::read(&anchor.0).await;
                Some(read.map_err(|e| bad_anchor(anchor, &format!("cannot be read: {e}")))?)
            }
            None => None,
        };
        let seen = pem.as_deref().map(Digest::of);
        let way = (anchor.cloned(), guide.reach().clone());
        let mut known = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = known.get(&way).filter(|made| made.seen == seen && made.guide == *guide) {
            return Ok(made.client.clone());
        }
        let client = match anchor.zip(pem) {
            Some((anchor, pem)) => self.trusting(anchor, &pem, guide)?,
            None => self.trusting_the_world(guide)?,
        };
        known.insert(way, Made { seen, guide: guide.clone(), client: client.clone() });
        Ok(client)
    }

    fn trusting(
        &self,
        anchor: &TrustAnchor,
        pem: &[u8],
        guide: &Guide,
    ) -> Result<reqwest::Client, TransportError> {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).ok().filter(|all| !all.is_empty());
        let certificates = certificates.ok_or_else(|| bad_anchor(anchor, "has no certificate in PEM"))?;
        let client = self.builder(guide).tls_certs_only(certificates).https_only(true).build();
        client.map_err(|_| bad_anchor(anchor, "is not a certificate that can be trusted"))
    }

    fn trusting_the_world(&self, guide: &Guide) -> Result<reqwest::Client, TransportError> {
        // A machine without any trusted certificate can still reach what needs none; TLS then fails
        // call by call, which is where the operator sees it.
        let client = self.builder(guide).build().or_else(|_| self.builder(guide).tls_certs_only([]).build());
        client.map_err(|e| failure(e, false))
    }

    fn builder(&self, guide: &Guide) -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .dns_resolver(Guided(guide.clone()))
            .user_agent(concat!("bailiwick/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.limits.connect)
            .timeout(self.limits.overall)
    }
}

fn bad_anchor(anchor: &TrustAnchor, what: &str) -> TransportError {
    let cause = format!("the authority `{}` of `ca_file` {what}", anchor.0.display());
    TransportError { kind: TransportErrorKind::Unreachable, sent: false, cause }
}

/// A guide, as the client asks for it.
struct Guided(Guide);

impl Resolve for Guided {
    fn resolve(&self, name: Name) -> Resolving {
        let guide = self.0.clone();
        Box::pin(async move {
            // The client puts the port in.
            let found = guide.addresses(name.as_str(), 0).await.map_err(|lost| match lost {
                // As itself, so that it is found again among the causes of the client's error.
                Lost::Astray(astray) => Box::<dyn Error + Send + Sync>::from(astray),
                Lost::Unknown(error) => Box::from(error),
            })?;
            Ok(Box::new(found.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: ::http::Request<Bytes>) -> Result<::http::Response<Bytes>, TransportError> {
        let known = request.extensions();
        let guide = known.get::<Guide>().unwrap_or(&self.guide);
        let client = self.client(known.get::<TrustAnchor>(), guide).await?;
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
    let timed_out = error.is_timeout();
    // The innermost cause says what happened; the layers above only say that something did.
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let kind = if cause.is::<Astray>() {
        TransportErrorKind::Astray
    } else if timed_out {
        TransportErrorKind::Timeout
    } else if sent {
        TransportErrorKind::Broken
    } else {
        TransportErrorKind::Unreachable
    };
    TransportError { kind, sent: sent && kind != TransportErrorKind::Astray, cause: cause.to_string() }
}
