//! Waiting for the queue to become quiet, for requests that ask for it with `?wait=SECONDS`.

use std::time::Duration;

use serde::Deserialize;

use super::Hub;
use crate::worker::Pulse;

/// The longest wait, seconds.
const LONGEST: u64 = 120;

/// How long to wait.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Wait {
    /// Seconds; none is not at all.
    wait: Option<u64>,
}

impl Wait {
    /// Waits as asked; gives back how the queue is then.
    pub async fn for_quiet(self, hub: &Hub) -> Pulse {
        match self.wait {
            Some(seconds) => hub.worker.quiet(Duration::from_secs(seconds.min(LONGEST))).await,
            None => {
                hub.worker.nudge();
                hub.worker.pulse()
            }
        }
    }
}
