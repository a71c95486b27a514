//! When a system is compared next: a tick in the queue, put there with the record of the run before.
//!
//! A tick names the run that it follows. When there was another run meanwhile, that one has put its own tick,
//! and this one is dropped: however many runs there are, one schedule goes on.

use std::error::Error;

use bailiwick_core::{
    id::SystemName,
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{Tx, Work, entities::Reading, get};

use super::Comparing;
use crate::{
    Catalogue, Engine, EngineError, Haste, Job, Result,
    apply::{UNDECLARED_MS, later},
    finding::{STANDS_STILL, Wrong},
};

/// The finding that there is something to be known of a system.
const REMARK: &str = "system-remark";

/// When to ask again for a system that somebody is at, milliseconds.
const BUSY_MS: i64 = 10_000;

impl Engine {
    pub(super) async fn schedule_reconcile(&self, tx: &mut dyn Tx, comparing: &Comparing<'_>) -> Result<()> {
        let Some(declared) = comparing.declared else { return Ok(()) };
        let job = Job::Reconcile { system: comparing.system.clone(), after: Some(comparing.began) };
        let due = next(comparing.began, declared.reconcile_every_ms);
        let mut jobs = vec![job.work(None, None, Haste::Usual, due)];
        // What was learned of another connector, endpoint or settings says nothing of these.
        if comparing.before.as_ref().is_none_or(|before| before.value.basis != comparing.basis) {
            jobs.extend(self.stale_profile(tx, comparing.integration, comparing.system).await?);
            jobs.extend(self.stale_drill(tx, comparing.integration, comparing.system).await?);
        }
        self.enqueue(tx, jobs).await
    }

    /// Does what a tick, or a change of configuration, asks for.
    pub(crate) async fn reconcile_item(
        &self,
        item: &Work,
        system: &SystemName,
        after: Option<Timestamp>,
    ) -> Result<()> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        if catalogue.standing_still(system).is_some() {
            drop(tx);
            return self.stands_still(item, &catalogue, system).await;
        }
        // Where the integration has ended there is nothing to look through; the next one has it looked at.
        let reached = catalogue.reaches(system);
        let last = get::<Reading>(&mut *tx, self.tenant(), system.as_str()).await?.map(|s| s.value.at);
        drop(tx);
        let wanted = reached && after.is_none_or(|after| last == Some(after));
        let outcome = match wanted {
            true => self.reconcile(system, false).await.map(Some),
            false => Ok(None),
        };
        let mut tx = self.begin().await?;
        match outcome {
            Ok(found) => {
                if let Some(found) = &found {
                    self.tell_remarks(&mut *tx, system, &found.remarks).await?;
                }
                self.tell_partial(&mut *tx, system, found.and_then(|found| found.partial)).await?;
                let mended = [("cannot-reconcile", system.to_string())];
                let mut closed = self.close_findings(&mut *tx, &mended).await?;
                if let Some(goes_on) = self.close_finding(&mut *tx, STANDS_STILL, system.as_str()).await? {
                    closed.push(goes_on);
                    let cause = format!("{system}@{}", self.now().as_millisecond());
                    let job = Job::Redecide { cause, after: None };
                    self.enqueue(&mut *tx, vec![job.work(None, None, Haste::Usual, self.now())]).await?;
                }
                tx.write(self.tenant(), closed, self.entropy()).await?;
                tx.finish(self.tenant(), item).await?;
                Ok(tx.commit().await?)
            }
            Err(EngineError::Busy { .. }) => {
                let due = self.now().as_millisecond().saturating_add(BUSY_MS);
                tx.postpone(self.tenant(), item, due, false).await?;
                Ok(tx.commit().await?)
            }
            Err(error) => {
                let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
                let message = format!("`{system}` cannot be compared: {why} [{}]", error.code());
                let opened = self.about(&mut *tx, system, "cannot-reconcile", message).await?;
                let opened = self.open_finding(&mut *tx, opened).await?.into_iter().collect();
                tx.write(self.tenant(), opened, self.entropy()).await?;
                tx.commit().await?;
                Err(error)
            }
        }
    }

    /// Puts off what is to be done about a system that stands still, and says so.
    pub(crate) async fn stands_still(
        &self,
        item: &Work,
        catalogue: &Catalogue,
        system: &SystemName,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let wrong = self.unreached(catalogue, system, None);
        let opened = self.open_finding(&mut *tx, wrong).await?.into_iter().collect();
        tx.write(self.tenant(), opened, self.entropy()).await?;
        let due = later(self.now(), UNDECLARED_MS).as_millisecond();
        tx.postpone(self.tenant(), item, due, false).await?;
        Ok(tx.commit().await?)
    }

    /// Something is wrong with a whole system; its integration's owner has to act.
    pub(crate) async fn about(
        &self,
        tx: &mut dyn Tx,
        system: &SystemName,
        code: &'static str,
        message: String,
    ) -> Result<Wrong> {
        let catalogue = self.catalogue(tx).await?;
        let owner =
            catalogue.route(system).map_or_else(|_| "operator".into(), |r| r.integration.owner.clone());
        let (subject, system) = (system.to_string(), Some(system.clone()));
        Ok(Wrong { code, subject, identity: None, system, message, owner })
    }

    /// Opens or closes the finding that a system does not show everything.
    async fn tell_partial(
        &self,
        tx: &mut dyn Tx,
        system: &SystemName,
        partial: Option<String>,
    ) -> Result<()> {
        let catalogue = self.catalogue(tx).await?;
        let by_person =
            |name| catalogue.route(name).is_ok_and(|r| r.connector.capability().by_person.is_some());
        let updates = match partial {
            // That a person has to be asked is no fault.
            Some(_) if by_person(system) => Vec::new(),
            Some(why) => {
                let message = format!(
                    "`{system}` was seen only in part, so nothing is said to differ or to be gone there: {why}"
                );
                let wrong = self.about(tx, system, "seen-in-part", message).await?;
                self.open_finding(tx, wrong).await?.into_iter().collect()
            }
            None => self.close_findings(tx, &[("seen-in-part", system.to_string())]).await?,
        };
        Ok(tx.write(self.tenant(), updates, self.entropy()).await?)
    }

    /// Opens, renews or closes the finding that there is something to be known of a system.
    async fn tell_remarks(&self, tx: &mut dyn Tx, system: &SystemName, remarks: &[String]) -> Result<()> {
        let updates = match remarks {
            [] => self.close_findings(tx, &[(REMARK, system.to_string())]).await?,
            [..] => {
                let message = format!("`{system}`: {}", remarks.join("; "));
                let wrong = self.about(tx, system, REMARK, message).await?;
                self.renew_finding(tx, wrong).await?.into_iter().collect()
            }
        };
        Ok(tx.write(self.tenant(), updates, self.entropy()).await?)
    }
}

/// So long after a run.
pub(crate) fn next(at: Timestamp, every_ms: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_millis(every_ms)).unwrap_or(Timestamp::MAX)
}
