//! Figures from the log, kept at the cost of what was logged since they were last asked for.

use bailiwick_core::{
    metrics::{Figures, Fold},
    record::Logged,
    time::Timestamp,
};

use crate::{Engine, Result};

/// How many entries are read at a time.
const PAGE: u32 = 2_048;

/// What was taken of the log so far. Lost with the process: it comes from the log again.
#[derive(Default)]
pub(crate) struct Meter {
    fold: Fold,
    /// The index of the entry that comes next.
    next: i64,
}

impl Engine {
    /// The figures, as of now, of what began at `since` or later. They rest on what is published of the log.
    pub async fn metrics(&self, since: Timestamp) -> Result<Figures> {
        let now = self.now();
        self.measured(|fold| fold.figures(since, now)).await
    }

    /// Takes what was logged since the last time, and has it looked at.
    pub async fn measured<T>(&self, look: impl FnOnce(&Fold) -> T) -> Result<T> {
        let mut meter = self.meter.lock().await;
        let mut tx = self.read().await?;
        if tx.entry_counts().await?.0 < meter.next {
            // The store was put back to an earlier time.
            *meter = Meter::default();
        }
        loop {
            let page = tx.entries(meter.next, PAGE).await?;
            for entry in &page {
                meter.next += 1;
                // What cannot be read is damage, which checking the evidence names.
                let Ok(logged) = Logged::parse(&entry.bytes) else { continue };
                if logged.tenant == *self.tenant() {
                    meter.fold.take(&logged);
                }
            }
            if page.len() < PAGE as usize {
                return Ok(look(&meter.fold));
            }
        }
    }
}
