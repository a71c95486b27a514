//! That something happened: a stream of events for pages that are open (server-sent events, WHATWG HTML §9.2).
//!
//! It says only that the log has grown, or that a comparison has come further; a page then reads itself again, with the
//! rights of who looks at it. It ends with the hub, and there are only so many at once.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::signed_in::SignedIn;
use crate::api::Hub;

/// How often it is looked whether something happened.
const EVERY: Duration = Duration::from_secs(1);

struct Watching {
    hub: Hub,
    seen: Option<(i64, u64)>,
    stopping: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl Watching {
    /// Waits until something happened; `None` when the hub stops.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Ok(now) = self.state().await
                && self.seen.replace(now) != Some(now)
            {
                return Some((Ok(Event::default().data(told(now))), self));
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                _ = self.stopping.wait_for(|stop| *stop) => return None,
            }
        }
    }

    /// How many records are written, and how far comparisons are.
    async fn state(&self) -> Result<(i64, u64), super::trouble::Trouble> {
        let (_, written) = self.hub.read().await?.entry_counts().await?;
        Ok((written, self.hub.engine.seen_in_all()))
    }
}

/// The number of records, as pages say it; and how far comparisons are while there are some.
fn told((written, compared): (i64, u64)) -> String {
    if compared == 0 { written.to_string() } else { format!("{written}+{compared}") }
}

/// `GET /live`
pub async fn show(State(hub): State<Hub>, _: SignedIn) -> Response {
    let Ok(place) = Arc::clone(&hub.watching).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "30")]).into_response();
    };
    let stopping = hub.stopping.clone();
    let watching = Watching { hub, seen: None, stopping, _place: place };
    let events = stream::unfold(watching, Watching::next);
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}
