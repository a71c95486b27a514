//! Waiting for the queue to become quiet, for requests that ask for it with `?wait=SECONDS`.

use std::time::Duration;

use bailiwick_core::time::Timestamp;
use bailiwick_engine::EngineError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Hub, answer::ApiError};
use crate::worker::Pulse;

/// The longest wait, seconds.
const LONGEST: u64 = 120;

/// How long a request waits for a system that somebody is at, or for the log that another node publishes, and how often it
/// looks.
const FREE: (u32, Duration) = (120, Duration::from_millis(250));

/// Does it as soon as nobody else is at the system or the log; after half a minute it is said that somebody is.
pub async fn when_free<T, F>(run: impl Fn() -> F) -> Result<T, EngineError>
where
    F: Future<Output = Result<T, EngineError>>,
{
    for _ in 1..FREE.0 {
        match run().await {
            Err(EngineError::Busy { .. } | EngineError::LogBusy(_)) => tokio::time::sleep(FREE.1).await,
            outcome => return outcome,
        }
    }
    run().await
}

/// The work of the hub.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Queue {
    /// Whether nothing is under way, and nothing is due within five seconds.
    pub quiet: bool,
    /// How many items are queued.
    pub queued: i64,
    /// When the next is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// Why nothing can be done at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<String>,
}

/// How long to wait.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
pub struct Wait {
    /// Seconds; none is not at all.
    wait: Option<u64>,
}

impl Wait {
    /// Waits as asked; gives back how the queue is then.
    pub async fn for_quiet(self, hub: &Hub) -> Result<Queue, ApiError> {
        let Pulse { quiet, next, failing, .. } = match self.wait {
            Some(seconds) => hub.worker.quiet(Duration::from_secs(seconds.min(LONGEST))).await,
            None => {
                hub.worker.nudge();
                hub.worker.pulse()
            }
        };
        Ok(Queue { quiet, queued: hub.engine.queued().await?, next, failing })
    }
}
