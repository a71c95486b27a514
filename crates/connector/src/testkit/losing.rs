//! A transport that loses an answer after the system has acted on the request.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response};

use crate::broker::{Transport, TransportError, TransportErrorKind};

/// Carries requests over another transport, counts those that write (all but `GET`, unless it is told
/// otherwise), and loses the answer to the next of them when asked to.
pub struct Losing {
    inner: Arc<dyn Transport>,
    is_write: fn(&Request<Bytes>) -> bool,
    lose: AtomicBool,
    writes: AtomicU64,
}

impl Losing {
    /// Loses answers of `inner`.
    pub fn new(inner: Arc<dyn Transport>) -> Self {
        Self::of(inner, |request| request.method() != Method::GET)
    }

    /// Loses answers of `inner`, where the method does not tell which requests write.
    pub fn of(inner: Arc<dyn Transport>, is_write: fn(&Request<Bytes>) -> bool) -> Self {
        Self { inner, is_write, lose: AtomicBool::new(false), writes: AtomicU64::new(0) }
    }

    /// Loses the answer to the next request that writes.
    pub fn lose_next(&self) {
        self.lose.store(true, Ordering::SeqCst);
    }

    /// How many requests that write were carried.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Transport for Losing {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let writes = (self.is_write)(&request);
        let response = self.inner.send(request).await;
        if !writes {
            return response;
        }
        self.writes.fetch_add(1, Ordering::SeqCst);
        if self.lose.swap(false, Ordering::SeqCst) {
            let cause = "the answer was lost on purpose".into();
            return Err(TransportError { kind: TransportErrorKind::Timeout, sent: true, cause });
        }
        response
    }
}
