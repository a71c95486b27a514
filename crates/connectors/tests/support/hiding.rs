//! A transport that leaves something out of every list.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use bailiwick_connector::broker::{Transport, TransportError};
use bytes::Bytes;
use serde_json::Value;

/// Carries requests over another transport and, when asked to, takes the last resource off every page,
/// as a server does that hides what a token may not see and counts it nevertheless.
pub struct Hiding {
    inner: Arc<dyn Transport>,
    pub hides: AtomicBool,
}

impl Hiding {
    pub fn new(inner: Arc<dyn Transport>) -> Self {
        Self { inner, hides: AtomicBool::new(false) }
    }
}

#[async_trait]
impl Transport for Hiding {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let mut response = self.inner.send(request).await?;
        if self.hides.load(Ordering::SeqCst)
            && let Ok(mut page) = serde_json::from_slice::<Value>(response.body())
            && let Some(resources) = page.get_mut("Resources").and_then(Value::as_array_mut)
        {
            resources.pop();
            *response.body_mut() = page.to_string().into();
        }
        Ok(response)
    }
}
