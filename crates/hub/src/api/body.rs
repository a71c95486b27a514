//! Reading what comes with a request: so much and no more, and not for ever.
//!
//! Promises: a body that is too long is refused, and its sender gets to read that: some more of it is taken and thrown
//! away, because a connection that is closed on somebody who still sends tells them nothing. Memory is bounded by the
//! limit. Who sends nothing for half a minute is not waited for, nor is who lets a body drip: all of it has two minutes, and
//! one second more for each 64 KiB that are taken there.

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
const SILENCE: Duration = Duration::from_secs(30);
/// How long all of a body may take, however short it is.
const WHOLE: Duration = Duration::from_secs(120);
/// How many bytes a second a sender has to be good for, where a body may be long.
const LEAST: usize = 64 * 1024;

/// How long a body may be, bytes; the innermost that is said counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(usize);

/// Says how long bodies may be on the routes that it is a layer of.
pub const fn limit(bytes: usize) -> Extension<Limit> {
    Extension(Limit(bytes))
}

/// How long a sender is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Patience {
    /// Until the next part is there.
    silence: Duration,
    /// Until all of it is.
    whole: Duration,
}

impl Patience {
    /// For a body of at most so many bytes: a feed of 256 MiB may come over a slow line, and a form need not.
    fn of(limit: usize) -> Self {
        let seconds = u32::try_from(limit / LEAST).unwrap_or(u32::MAX);
        Self { silence: SILENCE, whole: WHOLE.saturating_add(Duration::from_secs(seconds.into())) }
    }
}

/// Reads the body of a request.
///
/// # Errors
/// `request-too-large`, `request-too-slow`, and `request-malformed` when it does not come to its end.
pub async fn read(request: Request) -> Result<Bytes, Problem> {
    let Limit(limit) = request.extensions().get().copied().unwrap_or(Limit(USUAL));
    read_within(request, limit, Patience::of(limit)).await
}

async fn read_within(request: Request, limit: usize, patience: Patience) -> Result<Bytes, Problem> {
    // Each drop of a body that drips comes in time; a place is not held for days by them.
    let taken = tokio::time::timeout(patience.whole, take(request, limit, patience.silence));
    taken.await.map_err(|_| too_slow("the body took too long to come"))?
}

fn too_slow(detail: &str) -> Problem {
    Problem::new(408, "request-too-slow", detail)
}

async fn take(request: Request, limit: usize, silence: Duration) -> Result<Bytes, Problem> {
    let mut parts = request.into_body().into_data_stream();
    let (mut body, mut length) = (BytesMut::new(), 0usize);
    loop {
        let next = tokio::time::timeout(silence, parts.next()).await;
        let Some(part) = next.map_err(|_| too_slow("the rest of the body did not come"))? else { break };
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
        let patience = Patience { silence: Duration::ZERO, whole: WHOLE };
        let read = read_within(request, USUAL, patience).await;
        assert_eq!(read.err().map(|problem| problem.status), Some(408));
    }

    #[tokio::test]
    async fn a_body_that_drips_is_not_waited_for_however_steadily() {
        // Never silent and never at its end: after each byte others have their turn, and that is all it waits for.
        let drops = futures_util::stream::unfold((), |()| async {
            tokio::task::yield_now().await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
        });
        let request = Request::new(Body::from_stream(drops));
        let patience = Patience { silence: SILENCE, whole: Duration::ZERO };
        let read = read_within(request, usize::MAX, patience).await;
        assert_eq!(read.err().map(|problem| problem.code).as_deref(), Some("request-too-slow"));
    }

    #[test]
    fn how_long_a_body_may_take_follows_from_how_long_it_may_be() {
        let whole = |limit| Patience::of(limit).whole.as_secs();
        assert_eq!([whole(0), whole(USUAL), whole(8 * 1024 * 1024)], [120, 124, 248]);
        assert_eq!(whole(256 * 1024 * 1024), 4_216, "a feed over a line of half a megabit");
        assert_eq!(Patience::of(usize::MAX).silence, SILENCE);
    }
}
