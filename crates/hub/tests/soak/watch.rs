//! Looks at the hub every few seconds, as a scraper does, and says what it sees.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    company::oracle::Violation,
    hub::{Hub, wrong},
    judge::Sample,
    leavers::Leavers,
    report,
};

/// Somebody who looks.
pub struct Watch {
    ending: watch::Sender<bool>,
    looking: JoinHandle<Result<Vec<Sample>, Violation>>,
}

impl Watch {
    /// Begins to look, every so often, and to say what is seen, every so often.
    pub fn begin(hub: &Arc<Hub>, leavers: &Arc<Leavers>, looks: Duration, tells: Duration) -> Self {
        let (ending, mut ended) = watch::channel(false);
        let (hub, leavers) = (hub.clone(), leavers.clone());
        let looking = tokio::spawn(async move {
            let (begun, mut samples, mut told) = (Instant::now(), Vec::new(), tells);
            let mut turns = interval(looks);
            turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = ended.wait_for(|ended| *ended) => return Ok(samples),
                    _ = turns.tick() => {}
                }
                samples.push(look(&hub, begun).await?);
                if begun.elapsed() >= told {
                    told += tells;
                    leavers.read(&hub).await?;
                    report::line(&samples, &leavers, tells);
                }
            }
        });
        Self { ending, looking }
    }

    /// What was seen.
    pub async fn end(self) -> Result<Vec<Sample>, Violation> {
        self.ending.send_replace(true);
        self.looking.await.unwrap()
    }
}

/// How it is at this moment.
pub async fn look(hub: &Hub, begun: Instant) -> Result<Sample, Violation> {
    let figures = hub.text("/metrics").await?;
    let value = |name: &str| -> Result<f64, Violation> {
        let line = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let line = line.ok_or_else(|| wrong(format!("`/metrics` has no `{name}`")))?;
        line.parse().map_err(|_| wrong(format!("`{name}` is `{line}`")))
    };
    let status = hub.get("status").await?;
    Ok(Sample {
        at: begun.elapsed().as_secs_f64(),
        process: hub.process(),
        queued: value("bailiwick_work_queued")?,
        plans: status["plans"]["approved"].as_f64().unwrap(),
        cases: status["cases"]["open"].as_f64().unwrap(),
        behind: value("bailiwick_work_behind_seconds")?,
        verified: value("bailiwick_records_total{kind=\"verified\"}")?,
    })
}
