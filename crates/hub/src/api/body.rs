//! Reading what comes with a request: so much and no more, and not for ever.
//!
//! Promises: a body that is too long is refused, and its sender gets to read that: some more of it is taken and thrown
//! away, because a connection that is closed on somebody who still sends tells them nothing. Memory is bounded by the
//! limit. Who sends nothing for half a minute is not waited for.

use std::time::Duration;

use axum::{Extension, body::Bytes, extract::Request};
use bytes::BytesMut;
use futures_util::StreamExt as _;

use crate::problem::Problem;

/// How long a body may be, bytes, where nothing else is said.
pub const USUAL: usize = 256 * 1024;
/// How much beyond the limit is taken and thrown away.
const SPILL: usize = 8 * 1024 * 1024;
/// How long the next part may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a body may be, bytes; the innermost that is said counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(usize);

/// Says how long bodies may be on the routes that it is a layer of.
pub const fn limit(bytes: usize) -> Extension<Limit> {
    Extension(Limit(bytes))
}

/// Reads the body of a request.
///
/// # Errors
/// `request-too-large`, `request-too-slow`, and `request-malformed` when it does not come to its end.
pub async fn read(request: Request) -> Result<Bytes, Problem> {
    read_within(request, PATIENCE).await
}

async fn read_within(request: Request, patience: Duration) -> Result<Bytes, Problem> {
    let Limit(limit) = request.extensions().get().copied().unwrap_or(Limit(USUAL));
    let mut parts = request.into_body().into_data_stream();
    let (mut body, mut length) = (BytesMut::new(), 0usize);
    loop {
        let next = tokio::time::timeout(patience, parts.next()).await;
        let next =
            next.map_err(|_| Problem::new(408, "request-too-slow", "the rest of the body did not come"))?;
        let Some(part) = next else { break };
        let part = part.map_err(|error| {
            Problem::new(400, "request-malformed", format!("the body does not come to its end: {error}"))
        })?;
        length = length.saturating_add(part.len());
        if length > limit.saturating_add(SPILL) {
            break;
        }
        if length <= limit {
            body.extend_from_slice(&part);
        } else {
            body = BytesMut::new();
        }
    }
    match length > limit {
        true => Err(Problem::new(413, "request-too-large", format!("the body is longer than {limit} bytes"))),
        false => Ok(body.freeze()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    async fn sent(body: Vec<u8>, most: Option<usize>) -> Result<usize, String> {
        let mut request = Request::new(Body::from(body));
        if let Some(most) = most {
            request.extensions_mut().insert(Limit(most));
        }
        read(request).await.map(|bytes| bytes.len()).map_err(|problem| problem.code)
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_and_not_a_byte_further() {
        assert_eq!(sent(vec![0; USUAL], None).await, Ok(USUAL));
        assert_eq!(sent(vec![0; USUAL + 1], None).await, Err("request-too-large".into()));
        assert_eq!(sent(vec![0; 10], Some(10)).await, Ok(10));
        assert_eq!(sent(vec![0; 11], Some(10)).await, Err("request-too-large".into()));
        assert_eq!(sent(vec![0; SPILL * 2], Some(10)).await, Err("request-too-large".into()));
        assert_eq!(sent(Vec::new(), Some(0)).await, Ok(0));
    }

    #[tokio::test]
    async fn who_sends_nothing_any_more_is_not_waited_for() {
        let forever = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let request = Request::new(Body::from_stream(forever));
        assert_eq!(read_within(request, Duration::ZERO).await.err().map(|problem| problem.status), Some(408));
    }
}
