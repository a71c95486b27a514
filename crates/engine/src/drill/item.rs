//! Drills on schedule, and after what was drilled has changed.

use bailiwick_core::{
    drill::Drill, id::SystemName, integration::Integration, record::Actor, time::Timestamp,
};
use bailiwick_store::{NewWork, Tx, Work, get};

use crate::{
    Engine, Haste, Job, Result,
    canary::{Cannot, FAILED_MS},
    probe::basis,
};

impl Engine {
    /// What there is to do about a drill that was done with another connector, or another version of it, another endpoint or
    /// other settings.
    pub(crate) async fn stale_drill(
        &self,
        tx: &mut dyn Tx,
        integration: &Integration,
        system: &SystemName,
    ) -> Result<Option<NewWork>> {
        let drill = get::<Drill>(tx, self.tenant(), system.as_str()).await?.map(|stored| stored.value);
        let stale = drill.filter(|drill| !drill.is_of(basis(integration), &self.parts.version));
        let job = stale.map(|drill| Job::Drill { system: system.clone(), after: drill.at });
        Ok(job.map(|job| job.work(None, None, Haste::Usual, self.now())))
    }

    /// Drills again, if no other drill was done since that one. A system that was never drilled is not drilled on
    /// schedule: that somebody may make accounts there is for a person to say.
    pub(crate) async fn drill_item(&self, item: &Work, system: &SystemName, after: Timestamp) -> Result<()> {
        let mut tx = self.read().await?;
        let last =
            get::<Drill>(&mut *tx, self.tenant(), system.as_str()).await?.map(|stored| stored.value.at);
        drop(tx);
        let drill =
            async || self.drill(system, Actor::Hub("drill".into()), &*self.parts.pause).await.map(drop);
        let cannot = Cannot { code: "cannot-drill", done: "drilled", again_ms: FAILED_MS };
        self.on_schedule(item, system, cannot, last == Some(after), drill).await
    }
}
