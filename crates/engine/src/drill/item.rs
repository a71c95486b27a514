//! Drills on schedule, and after what was drilled has changed.

use bailiwick_connector::ErrorKind;
use bailiwick_core::{
    drill::Drill, id::SystemName, integration::Integration, record::Actor, time::Timestamp,
};
use bailiwick_store::{NewWork, Tx, Work, get};

use crate::{Engine, EngineError, Job, Result, probe::basis};

/// When to drill again after a drill on schedule failed, milliseconds: each try makes a canary.
const FAILED_MS: i64 = 6 * 3_600_000;
/// When to ask again for a system that somebody is at, milliseconds.
const BUSY_MS: i64 = 60_000;
/// The finding that a drill on schedule cannot be done.
const CANNOT: &str = "cannot-drill";

impl Engine {
    /// What there is to do about a drill that was done with another connector, endpoint or settings.
    pub(crate) async fn stale_drill(
        &self,
        tx: &mut dyn Tx,
        integration: &Integration,
        system: &SystemName,
    ) -> Result<Option<NewWork>> {
        let drill = get::<Drill>(tx, self.tenant(), system.as_str()).await?.map(|stored| stored.value);
        let stale = drill.filter(|drill| !drill.is_of(basis(integration)));
        let job = stale.map(|drill| Job::Drill { system: system.clone(), after: drill.at });
        Ok(job.map(|job| job.work(None, None, false, self.now())))
    }

    /// Drills again, if no other drill was done since that one. A system that was never drilled is not drilled on
    /// schedule: that somebody may make accounts there is for a person to say.
    pub(crate) async fn drill_item(&self, item: &Work, system: &SystemName, after: Timestamp) -> Result<()> {
        let mut tx = self.read().await?;
        let reached = self.catalogue(&mut *tx).await?.reaches(system);
        let last =
            get::<Drill>(&mut *tx, self.tenant(), system.as_str()).await?.map(|stored| stored.value.at);
        drop(tx);
        let outcome = match reached && last == Some(after) {
            true => self.drill(system, Actor::Hub("drill".into()), &*self.parts.pause).await.map(drop),
            false => Ok(()),
        };
        self.record_incidents().await?;
        let mut tx = self.begin().await?;
        let later = |ms| self.now().as_millisecond().saturating_add(ms);
        let updates = match outcome {
            Ok(()) => self.close_findings(&mut *tx, &[(CANNOT, system.to_string())]).await?,
            Err(EngineError::Busy { .. }) => {
                tx.postpone(self.tenant(), item, later(BUSY_MS), false).await?;
                return Ok(tx.commit().await?);
            }
            // There is nothing (any more) that a drill could show there.
            Err(EngineError::Connector(error)) if error.kind == ErrorKind::Unsupported => Vec::new(),
            Err(error @ EngineError::Store(_)) => return Err(error),
            Err(error) => {
                let message = format!("`{system}` cannot be drilled: {}: {error:#}", error.code());
                let wrong = self.about(&mut *tx, system, CANNOT, message).await?;
                let opened = self.open_finding(&mut *tx, wrong).await?.into_iter().collect();
                tx.write(self.tenant(), opened, self.entropy()).await?;
                tx.postpone(self.tenant(), item, later(FAILED_MS), true).await?;
                return Ok(tx.commit().await?);
            }
        };
        tx.write(self.tenant(), updates, self.entropy()).await?;
        tx.finish(self.tenant(), item).await?;
        Ok(tx.commit().await?)
    }
}
