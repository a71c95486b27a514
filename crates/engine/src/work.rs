//! The queue: what work there is, and the loop that does it.

use bailiwick_core::{
    access::AccessClass,
    case::Cell,
    gate::Shut,
    id::{
        BatchId, CaseId, EventId, ExceptionId, IdentityId, IntegrationName, PlanId, RunId, SourceName,
        SystemName, TaskId, TerminationId,
    },
    integration::{Integration, Role},
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{NewWork, Pages, StoreError, Tx, Work, entities::Run};
use serde::{Deserialize, Serialize};

use crate::{
    Doing, Engine, EngineError, Result, apply::Sending, fetch::reading_of, finding::Wrong, limits::waiting,
    verify::Reading,
};

/// How long a worker holds what it took, milliseconds; after that another may take it.
const LEASE_MS: i64 = 60_000;
/// When to look again at an item that is not understood, milliseconds.
const NOT_UNDERSTOOD_MS: i64 = 3_600_000;
/// How many items one worker takes at a time; they are committed in groups.
const TAKE: u32 = 512;

/// How soon a thing is to be done, relative to others that are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Haste {
    /// Somebody or something has left: before everything else, and on a lane of its own.
    Leaver,
    /// Something else is taken away, or proven.
    Soon,
    /// Everything else.
    Usual,
}

impl Haste {
    /// `Soon` if it is so, else `Usual`.
    pub(crate) const fn soon_if(soon: bool) -> Self {
        if soon { Self::Soon } else { Self::Usual }
    }

    const fn priority(self) -> i64 {
        match self {
            Self::Leaver => 0,
            Self::Soon => 5,
            Self::Usual => 10,
        }
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "job")]
pub enum Job {
    /// Decide and plan for an identity.
    Decide {
        /// For whom.
        identity: IdentityId,
        /// Because of what.
        event: EventId,
    },
    /// Look at an identity whose date may have come.
    Wake {
        /// Whom.
        identity: IdentityId,
    },
    /// Carry out a run.
    Apply {
        /// Which.
        run: RunId,
    },
    /// Read back what a run was to achieve.
    Verify {
        /// Which run.
        run: RunId,
        /// Its plan.
        plan: PlanId,
        /// The case, for a leaver.
        case: Option<CaseId>,
        /// When the last change was made.
        changed: Timestamp,
    },
    /// Compare a system with what is known of it.
    Reconcile {
        /// Which.
        system: SystemName,
        /// The run that this one follows on schedule; without it, it is done whatever was done before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Timestamp>,
    },
    /// Read a source.
    Fetch {
        /// Which.
        source: SourceName,
        /// The reading that this one follows on schedule; without it, it is read whenever it was read before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Timestamp>,
    },
    /// Probe a system again.
    Probe {
        /// Which.
        system: SystemName,
        /// The probe that this one follows.
        after: Timestamp,
    },
    /// Drill a system again.
    Drill {
        /// Which.
        system: SystemName,
        /// The drill that this one follows.
        after: Timestamp,
    },
    /// Look at what was read of a system in the light of its last drill; goes on after `after`.
    Distrust {
        /// Which.
        system: SystemName,
        /// The last cell that was looked at.
        after: Option<String>,
    },
    /// Compare a system's audit log with the hub's own.
    Audit {
        /// Which system's.
        system: SystemName,
        /// The comparison that this one follows on schedule; without it, it is done whatever was done before.
        after: Option<Timestamp>,
    },
    /// See how the systems agree about somebody who is inactive.
    Align {
        /// Whom.
        identity: IdentityId,
        /// When that was judged last, where this follows on schedule.
        after: Option<Timestamp>,
    },
    /// See whether a person has done what they were asked.
    Remind {
        /// Which task.
        task: TaskId,
    },
    /// The end of what a person attested about a run.
    Lapse {
        /// Which run.
        run: RunId,
        /// The end.
        until: Timestamp,
    },
    /// The end of what stands in for seeing a class of access.
    ControlEnds {
        /// Of which case.
        case: CaseId,
        /// On which system.
        system: SystemName,
        /// Which class.
        class: AccessClass,
        /// The end.
        until: Timestamp,
    },
    /// Look at an exception whose time has come.
    Exception {
        /// Which.
        exception: ExceptionId,
        /// Which time.
        at: Timestamp,
    },
    /// Delete the disabled account of a leaver that was kept long enough.
    Purge {
        /// Whose.
        identity: IdentityId,
        /// Where.
        system: SystemName,
    },
    /// Look at what somebody could still do whose departure was told late.
    Expose {
        /// By which case.
        case: CaseId,
    },
    /// See whether what was only blocked is gone for good.
    Clear {
        /// Of which case.
        case: CaseId,
        /// On which system.
        system: SystemName,
    },
    /// See whether a delivery of a source followed the one that was accepted.
    Overdue {
        /// Which source.
        source: SourceName,
        /// Which delivery.
        batch: BatchId,
    },
    /// Nobody may fire a termination any more.
    Disarm {
        /// Which.
        termination: TerminationId,
    },
    /// Look at an integration: its review, who answers for it, its credentials.
    Upkeep {
        /// Which.
        integration: IntegrationName,
        /// The instant that was agreed on; the item of another one does nothing.
        at: Timestamp,
    },
    /// End and try the grant of a killed integration.
    Kill {
        /// Which.
        integration: IntegrationName,
        /// Its case.
        case: CaseId,
    },
    /// End and try a credential that was replaced.
    Rotated {
        /// Whose.
        integration: IntegrationName,
        /// Its key.
        credential: String,
    },
    /// Decide again for everybody, because the rules changed; goes on after `after`.
    Redecide {
        /// What changed, unique.
        cause: String,
        /// The last identity that was looked at.
        after: Option<IdentityId>,
    },
}

impl Job {
    /// Where it queues; items of one lane are done in order.
    fn lane(&self, identity: Option<IdentityId>, system: Option<&SystemName>, due: Timestamp) -> String {
        match self {
            Self::Decide { identity, .. } => identity.to_string(),
            // A date that was moved to an earlier one does not wait for the later one.
            Self::Wake { identity } => format!("wake/{identity}/{}", due.as_millisecond()),
            // Reading back never stands in the way of the next change.
            Self::Verify { run, .. } => format!("verify/{run}"),
            Self::Apply { run } => match (identity, system) {
                (Some(identity), Some(system)) => format!("{identity}/{system}"),
                _ => run.to_string(),
            },
            Self::Reconcile { system, after: None } => format!("reconcile/{system}"),
            // What is only due later never stands in the way of what is due now.
            Self::Reconcile { system, after: Some(_) } => {
                format!("reconcile/{system}/{}", due.as_millisecond())
            }
            Self::Fetch { source, after: None } => format!("fetch/{source}"),
            Self::Fetch { source, after: Some(_) } => format!("fetch/{source}/{}", due.as_millisecond()),
            Self::Probe { system, .. } => format!("probe/{system}/{}", due.as_millisecond()),
            Self::Drill { system, .. } => format!("drill/{system}/{}", due.as_millisecond()),
            Self::Distrust { system, .. } => format!("distrust/{system}"),
            Self::Audit { system, .. } => format!("audit/{system}/{}", due.as_millisecond()),
            Self::Align { identity, .. } => format!("align/{identity}/{}", due.as_millisecond()),
            Self::Remind { task } => task.to_string(),
            Self::Lapse { run, .. } => format!("lapse/{run}"),
            Self::ControlEnds { case, system, class, until } => {
                format!("control/{case}/{system}/{class}/{}", until.as_millisecond())
            }
            Self::Exception { exception, at } => format!("{exception}/{at}"),
            Self::Purge { identity, system } => format!("purge/{identity}/{system}"),
            Self::Clear { case, system } => format!("clear/{case}/{system}/{}", due.as_millisecond()),
            Self::Expose { case } => format!("expose/{case}"),
            Self::Overdue { batch, .. } => format!("overdue/{batch}"),
            Self::Disarm { termination } => termination.to_string(),
            Self::Upkeep { integration, at } => format!("upkeep/{integration}/{at}"),
            Self::Kill { integration, .. } => format!("kill/{integration}"),
            Self::Rotated { credential, .. } => format!("rotated/{credential}"),
            Self::Redecide { .. } => "redecide".into(),
        }
    }

    /// A work item for it.
    pub(crate) fn work(
        &self,
        identity: Option<IdentityId>,
        system: Option<&SystemName>,
        haste: Haste,
        due: Timestamp,
    ) -> NewWork {
        NewWork {
            lane: self.lane(identity, system, due),
            priority: haste.priority(),
            due: due.as_millisecond(),
            body: bailiwick_core::digest::canonical(self),
        }
    }
}

/// What a call of [`Engine::work`] found.
pub struct Quiet {
    /// How many items were taken.
    pub taken: usize,
    /// When the next item is due, if any is queued.
    pub next: Option<Timestamp>,
    /// What was taken and takes long: hand each to [`Engine::carry_out`], beside everything else.
    pub slow: Vec<Slow>,
}

/// Something that was taken and takes long, so that nothing else should wait for it.
pub struct Slow(Beside);

enum Beside {
    Job(Work, Job),
    /// What systems have not answered yet.
    Sending(Box<Sending>),
    Reading(Box<Reading>),
}

impl Engine {
    /// Takes what is due and does it. Gives back what is left. An item that fails for a reason that may
    /// pass is put off with growing pauses; nothing is dropped after so many tries.
    pub fn work(&self) -> Doing<'_, Quiet> {
        Box::pin(async {
            self.record_use_now_and_then().await?;
            self.work_on(Haste::Usual).await
        })
    }

    /// The same for leavers alone: to be called at the same time as [`Engine::work`], so that they never wait
    /// for what is under way there.
    pub fn work_on_leavers(&self) -> Doing<'_, Quiet> {
        Box::pin(self.work_on(Haste::Leaver))
    }

    /// How many items are queued, whether or not they are due.
    pub async fn queued(&self) -> Result<i64> {
        Ok(self.read().await?.queued(self.tenant()).await?)
    }

    /// How long the work that waits longest has been due: how far behind the hub is. Nothing, while it keeps up.
    pub async fn behind(&self) -> Result<SignedDuration> {
        let due = self.read().await?.next_due(self.tenant()).await?;
        let due = due.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        Ok(due.map_or(SignedDuration::ZERO, |due| self.now().duration_since(due)).max(SignedDuration::ZERO))
    }

    /// Gives up what this engine held when it was there last, so that nobody waits for it. To be called once, before
    /// anything else is done in its name.
    pub async fn come_back(&self) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.give_up(self.tenant(), &self.parts.name, self.now().as_millisecond()).await?;
        Ok(tx.commit().await?)
    }

    async fn work_on(&self, least: Haste) -> Result<Quiet> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let (at, least) = (now.as_millisecond(), least.priority());
        let taken = tx.lease(self.tenant(), &self.parts.name, at, LEASE_MS, TAKE, least).await?;
        if taken.is_empty() {
            let next = tx.next_due(self.tenant()).await?;
            let next = next.and_then(|ms| Timestamp::from_millisecond(ms).ok());
            return Ok(Quiet { taken: 0, next, slow: Vec::new() });
        }
        tx.commit().await?;
        let count = taken.len();
        let mut decides = Vec::new();
        let mut runs = Vec::new();
        let mut verifies = Vec::new();
        let (mut others, mut slow) = (Vec::new(), Vec::new());
        for item in taken {
            match serde_json::from_slice::<Job>(&item.body) {
                Ok(Job::Decide { identity, event }) => decides.push((item, identity, event)),
                Ok(Job::Apply { run }) => runs.push((item, run)),
                Ok(Job::Verify { run, plan, case, changed }) => {
                    verifies.push((item, run, plan, case, changed))
                }
                Ok(
                    job @ (Job::Wake { .. }
                    | Job::Remind { .. }
                    | Job::Lapse { .. }
                    | Job::ControlEnds { .. }
                    | Job::Exception { .. }
                    | Job::Purge { .. }
                    | Job::Clear { .. }
                    | Job::Overdue { .. }
                    | Job::Disarm { .. }
                    | Job::Upkeep { .. }
                    | Job::Kill { .. }
                    | Job::Rotated { .. }
                    | Job::Distrust { .. }
                    | Job::Redecide { .. }),
                ) => {
                    others.push((item, job));
                }
                Ok(
                    job @ (Job::Reconcile { .. }
                    | Job::Fetch { .. }
                    | Job::Probe { .. }
                    | Job::Drill { .. }
                    | Job::Audit { .. }
                    | Job::Expose { .. }
                    | Job::Align { .. }),
                ) => slow.push(Slow(Beside::Job(item, job))),
                // Made by a newer program, or by nobody: it waits, and stops nothing else.
                Err(_) => self.not_understood(&item).await?,
            }
        }
        self.decide_all(decides).await?;
        if let Some(sending) = self.apply_all(runs, now).await? {
            slow.push(Slow(Beside::Sending(Box::new(sending))));
        }
        if let Some(reading) = self.verify_all(verifies, now).await? {
            slow.push(Slow(Beside::Reading(Box::new(reading))));
        }
        for (item, job) in others {
            let outcome = match job {
                Job::Wake { identity } => self.wake(&item, identity).await,
                Job::Lapse { run, until } => self.lapse(&item, run, until).await,
                Job::ControlEnds { case, system, class, until } => {
                    self.control_ends(&item, &Cell::key_of(case, &system, class), until).await
                }
                Job::Remind { task } => self.remind(&item, task).await,
                Job::Exception { exception, .. } => self.watch_exception(&item, exception).await,
                Job::Purge { identity, system } => self.purge(&item, identity, &system).await,
                Job::Clear { case, system } => self.clear(&item, case, &system).await,
                Job::Overdue { source, batch } => self.overdue(&item, &source, batch).await,
                Job::Disarm { termination } => self.lapse_termination(&item, termination).await,
                Job::Upkeep { integration, at } => self.upkeep(&item, &integration, at).await,
                Job::Kill { integration, case } => self.kill_item(&item, &integration, case).await,
                Job::Rotated { integration, credential } => {
                    self.rotated_item(&item, &integration, &credential).await
                }
                Job::Distrust { system, after } => self.distrust(&item, &system, after).await,
                Job::Redecide { cause, after } => self.redecide(&item, &cause, after).await,
                Job::Decide { .. }
                | Job::Apply { .. }
                | Job::Verify { .. }
                | Job::Reconcile { .. }
                | Job::Fetch { .. }
                | Job::Probe { .. }
                | Job::Drill { .. }
                | Job::Audit { .. }
                | Job::Expose { .. }
                | Job::Align { .. } => Ok(()),
            };
            self.settle(&item, outcome).await?;
        }
        self.record_incidents().await?;
        Ok(Quiet { taken: count, next: Some(now), slow })
    }

    /// Does what takes long. Its lease may run out meanwhile; then another finds that somebody is at it.
    pub fn carry_out(&self, slow: Slow) -> Doing<'_, ()> {
        Box::pin(self.carry_out_one(slow))
    }

    async fn carry_out_one(&self, Slow(beside): Slow) -> Result<()> {
        let (item, job) = match beside {
            Beside::Job(item, job) => (item, job),
            Beside::Sending(sending) => {
                self.sent_all(*sending).await?;
                return self.record_incidents().await;
            }
            Beside::Reading(reading) => {
                self.read_all(*reading).await?;
                return self.record_incidents().await;
            }
        };
        let outcome = match job {
            Job::Reconcile { system, after } => self.reconcile_item(&item, &system, after).await,
            Job::Fetch { source, after } => self.fetch_item(&item, &source, after).await,
            Job::Probe { system, after } => self.probe_item(&item, &system, after).await,
            Job::Drill { system, after } => self.drill_item(&item, &system, after).await,
            Job::Audit { system, after } => self.audit_item(&item, &system, after).await,
            Job::Expose { case } => self.expose(&item, case).await,
            Job::Align { identity, after } => self.align_item(&item, identity, after).await,
            Job::Decide { .. }
            | Job::Wake { .. }
            | Job::Apply { .. }
            | Job::Verify { .. }
            | Job::Remind { .. }
            | Job::Lapse { .. }
            | Job::ControlEnds { .. }
            | Job::Exception { .. }
            | Job::Purge { .. }
            | Job::Clear { .. }
            | Job::Overdue { .. }
            | Job::Disarm { .. }
            | Job::Upkeep { .. }
            | Job::Kill { .. }
            | Job::Rotated { .. }
            | Job::Distrust { .. }
            | Job::Redecide { .. } => Ok(()),
        };
        self.settle(&item, outcome).await?;
        self.record_incidents().await
    }

    /// After a failed item: puts it off if the failure may pass, hands on what the store itself says.
    pub(crate) async fn settle(&self, item: &Work, outcome: Result<()>) -> Result<()> {
        match outcome {
            Ok(()) => Ok(()),
            // Somebody else changed the row or took the item: it is or will be done again from the start.
            Err(EngineError::Store(StoreError::LostLease { .. })) => Ok(()),
            Err(EngineError::Store(StoreError::Conflict { .. })) => self.put_off(item, 50).await,
            Err(error @ EngineError::Store(_)) => Err(error),
            Err(error) => {
                tracing::warn!(code = error.code(), error = %error, lane = %item.lane, "put off");
                self.put_off(item, backoff_ms(item.attempts)).await
            }
        }
    }

    async fn not_understood(&self, item: &Work) -> Result<()> {
        let mut tx = self.begin().await?;
        let wrong = Wrong {
            code: "work-not-understood",
            subject: item.seq.to_string(),
            identity: None,
            system: None,
            message: format!(
                "work item {} is of a kind that this program does not know; use the newer program",
                item.seq
            ),
            owner: "operator".into(),
        };
        let opened = self.open_finding(&mut *tx, wrong).await?.into_iter().collect();
        tx.write(self.tenant(), opened, self.entropy()).await?;
        let due = self.now().as_millisecond().saturating_add(NOT_UNDERSTOOD_MS);
        tx.postpone(self.tenant(), item, due, false).await?;
        Ok(tx.commit().await?)
    }

    pub(crate) async fn put_off(&self, item: &Work, after_ms: i64) -> Result<()> {
        let mut tx = self.begin().await?;
        let due = self.now().as_millisecond().saturating_add(after_ms);
        match tx.postpone(self.tenant(), item, due, true).await {
            Ok(()) => Ok(tx.commit().await?),
            Err(StoreError::LostLease { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Has the runs of an integration that were put off looked at now, and a source read: what kept them may be over.
    pub(crate) async fn wake_work(&self, tx: &mut dyn Tx, integration: &Integration) -> Result<()> {
        let now = self.now();
        self.enqueue(tx, reading_of(integration, now).into_iter().collect()).await?;
        let Role::Target { system } = &integration.role else { return Ok(()) };
        // What still may not go out says so again.
        let told: Vec<_> = Shut::CODES.map(|code| (code, waiting(&integration.name))).into();
        let closed = self.close_findings(tx, &told).await?;
        tx.write(self.tenant(), closed, self.entropy()).await?;
        let mut pages = Pages::<Run>::of(Run::under_way_on(system), TAKE);
        while let Some(runs) = pages.next(tx, self.tenant()).await? {
            let lane = |run: &Run| Job::Apply { run: run.id }.lane(Some(run.identity), Some(system), now);
            let lanes: Vec<String> = runs.iter().map(|stored| lane(&stored.value)).collect();
            tx.wake(self.tenant(), &lanes, now.as_millisecond()).await?;
        }
        Ok(())
    }

    /// Enqueues jobs, each with its lane's identity and system.
    pub(crate) async fn enqueue(&self, tx: &mut dyn Tx, jobs: Vec<NewWork>) -> Result<()> {
        if jobs.is_empty() {
            return Ok(());
        }
        Ok(tx.enqueue(self.tenant(), jobs).await?)
    }
}

/// The pause before the next try: 1 s, doubling, at most 15 minutes.
pub(crate) fn backoff_ms(attempts: i64) -> i64 {
    let doubled = 1_000_i64 << attempts.clamp(0, 10);
    doubled.min(15 * 60 * 1_000)
}
