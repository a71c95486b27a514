//! The load: first as much as the hub can carry, then as much as it is offered.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    company::{
        oracle::{self, Violation},
        systems,
    },
    hub::Hub,
    leavers::Leavers,
    population::Population,
    watch,
};

/// How often it is looked how far the hub is.
const LOOK: Duration = Duration::from_millis(250);

/// What HR delivers to the hub.
pub struct Load {
    hub: Arc<Hub>,
    /// The company.
    pub population: Population,
    patience: Duration,
}

/// What the hub can carry.
#[derive(Debug, Clone, Copy)]
pub struct Carried {
    /// Events a second.
    pub events: f64,
    /// How often something is read back for an event.
    pub readings: f64,
    /// How many processors that takes it.
    pub processor: f64,
}

/// What was offered.
#[derive(Debug, Default)]
pub struct Offered {
    /// How many events.
    pub events: usize,
    /// In how many deliveries.
    pub deliveries: usize,
    /// The longest that a delivery had to wait for the one before, seconds.
    pub waited: f64,
    /// The longest that the hub took to take one, seconds.
    pub took: f64,
}

impl Load {
    /// Nothing is delivered yet.
    pub fn new(hub: Arc<Hub>, population: Population, patience: Duration) -> Self {
        Self { hub, population, patience }
    }

    /// Delivers everybody; gives how long it takes until all of it is verified.
    pub async fn fill(&self) -> Result<Duration, Violation> {
        let begun = Instant::now();
        self.hub.deliver(self.population.feed()).await?;
        self.quiet().await?;
        Ok(begun.elapsed())
    }

    /// Waits until nothing is left to do; gives how long that takes.
    pub async fn quiet(&self) -> Result<Duration, Violation> {
        let begun = Instant::now();
        while let Some(left) = oracle::left(&self.hub.get("status").await?) {
            if begun.elapsed() > self.patience {
                return Err(Violation { oracle: "quiet", what: left });
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(begun.elapsed())
    }

    /// Delivers whenever less than two chunks of plans are still to be carried out, so that there is always something to do;
    /// gives how many events a second are carried to verified. The first third of the time is not counted, nor how it ends.
    pub async fn closed(&mut self, chunk: usize, span: Duration) -> Result<Carried, Violation> {
        let (begun, mut events, mut counting) = (Instant::now(), 0, None);
        let before = watch::look(&self.hub, begun).await?;
        while begun.elapsed() < span {
            if counting.is_none() && begun.elapsed() > span / 3 {
                counting = Some(watch::look(&self.hub, begun).await?);
            }
            let status = self.hub.get("status").await?;
            if status["plans"]["approved"].as_u64().unwrap() < 2 * chunk as u64 {
                let turn = self.population.next(chunk);
                events += turn.events;
                self.hub.deliver(turn.feed).await?;
            } else {
                tokio::time::sleep(LOOK).await;
            }
        }
        let last = watch::look(&self.hub, begun).await?;
        self.quiet().await?;
        let after = watch::look(&self.hub, begun).await?;
        let first = counting.unwrap_or(before);
        let (readings, seconds) = (last.verified - first.verified, last.at - first.at);
        let each = (after.verified - before.verified) / events as f64;
        let processor = (last.process.processor - first.process.processor) / seconds;
        Ok(Carried { events: readings / each / seconds, readings: each, processor })
    }

    /// Delivers so many events a second for a time, whether or not the hub gets on. One file is delivered after the other, as
    /// an older one would bring people back; what waits for that counts as delivered when it was to be.
    pub async fn open(
        &mut self,
        rate: f64,
        every: Duration,
        span: Duration,
        leavers: &Leavers,
    ) -> Result<Offered, Violation> {
        let (begun, begun_ms) = (Instant::now(), systems::now().as_millisecond());
        let mut offered = Offered::default();
        for nth in 1.. {
            let due = every * nth;
            if due > span {
                break;
            }
            tokio::time::sleep_until(begun + due).await;
            let events = (rate * due.as_secs_f64()) as usize - offered.events;
            let turn = self.population.next(events);
            leavers.told(&turn.leaving, begun_ms + due.as_millis() as i64);
            offered.waited = offered.waited.max((begun.elapsed() - due).as_secs_f64());
            let sent = Instant::now();
            self.hub.deliver(turn.feed).await?;
            offered.took = offered.took.max(sent.elapsed().as_secs_f64());
            offered.events += turn.events;
            offered.deliveries += 1;
        }
        Ok(offered)
    }
}
