//! One call out, and its answer.

use std::borrow::Cow;

use bailiwick_core::{digest::Digest, scope::Operation};
use bytes::Bytes;

/// One call that a connector wants to make, below the integration's endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What for; matched against the scope.
    pub operation: Operation,
    /// `GET`, `POST`, `PUT`, `PATCH`, `DELETE`; `READ` for a file.
    pub method: &'static str,
    /// The path below the endpoint, beginning with `/`, segments percent-encoded; matched against the
    /// scope.
    pub path: String,
    /// Query parameters, not yet encoded.
    pub query: Vec<(Cow<'static, str>, String)>,
    /// Headers other than the credential.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// The body.
    pub body: Option<Bytes>,
}

impl Call {
    /// A call without query, headers and body.
    pub fn new(operation: Operation, method: &'static str, path: impl Into<String>) -> Self {
        Self { operation, method, path: path.into(), query: Vec::new(), headers: Vec::new(), body: None }
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }
}

/// What the system answered, whatever the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status; 200 for a file that was read.
    pub status: u16,
    /// Header names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, at most as large as the broker allows.
    pub body: Bytes,
}

impl Answer {
    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Digest of status and body, for evidence.
    pub fn digest(&self) -> Digest {
        Digest::of_parts(&[&self.status.to_be_bytes(), &self.body])
    }
}
