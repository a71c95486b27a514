//! What carries a finished request to a system and its answer back.
//!
//! A request comes with a [`Guide`](super::Guide) among its extensions, which says where its name may lead.
//! Without one a name may lead to the world alone.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;

/// Carries requests. It neither follows redirects nor tries again.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends the request and waits for the whole answer, whatever its status.
    async fn send(&self, request: ::http::Request<Bytes>) -> Result<::http::Response<Bytes>, TransportError>;
}

/// An extension of a request: the file with the authority, in PEM, that alone vouches for the system, instead
/// of those that the machine trusts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrustAnchor(pub Arc<Path>);

/// What happened instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportErrorKind {
    /// No connection could be made.
    Unreachable,
    /// No whole answer in time.
    Timeout,
    /// The connection broke, or the answer was cut off.
    Broken,
    /// The answer is larger than what is read.
    TooLarge,
    /// The name of the system leads to where it may not; no connection was made.
    Astray,
}

/// There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct TransportError {
    /// What happened.
    pub kind: TransportErrorKind,
    /// Whether any of the request may have reached the system. When in doubt, it may.
    pub sent: bool,
    /// For the operator, without the address and without anything of the request.
    pub cause: String,
}
