//! Step 5, apply: carries out approved plans, change by change, each once.
//!
//! Before a run goes out, all that it will send is marked as sent, with evidence; after that the outcome
//! of each change is known only when its answer is recorded. Whatever is found marked without an answer
//! is unknown, and is resolved by reading, never by sending again blindly. Runs that end at about the
//! same time are recorded in one transaction.

mod told;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bailiwick_connector::{Applied, Connector, ConnectorError, Effect, Line, Outcome};
use bailiwick_core::{
    account::Account,
    case::Case,
    digest::Digest,
    finding::Finding,
    id::RunId,
    identity::Identity,
    plan::{Change, Op, Plan},
    record::RecordKind,
    reserved,
    system::System,
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{
    Filter, Gathered, NewWork, Select, Stored, Table, Tx, Update, Work,
    entities::{PlanRow, PlanState, Run, Step},
    get, select,
};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::{
    Catalogue, Engine, EngineError, Haste, Job, Result,
    doors::{self, BEGINS_MS, Back, Behind, What},
    limits::shut_out,
    observe::{is_so, not_somebody_elses},
    outcome::{drop_what_cannot_follow, for_good, told},
    work::backoff_ms,
};

/// When to look again at a system that configuration does not declare, milliseconds.
pub(crate) const UNDECLARED_MS: i64 = 15 * 60_000;

/// A run that was taken.
pub(crate) struct Taken {
    pub item: Work,
    /// As it is in the store, but for what was refused of it just now.
    pub run: Stored<Run>,
    pub row: Arc<PlanRow>,
    /// Evidence of what was refused of it.
    pub refused: Vec<Update>,
}

/// A run that went out, with what came back.
struct Returned {
    taken: Taken,
    /// What became of each change that was tried, in order.
    steps: Vec<(u16, Step)>,
    external_id: Option<String>,
    /// Why it stopped early.
    stopped: Option<ConnectorError>,
    /// Whether it stopped because it was too late to go on, or nothing was to be expected of the system: then it is not
    /// a failure.
    put_off: bool,
}

/// Runs that are under way.
pub(crate) struct Sending {
    catalogue: Arc<Catalogue>,
    under_way: JoinSet<Returned>,
    /// What they keep waiting.
    _behind: Vec<Behind>,
}

impl Engine {
    /// Carries out all given runs, which were leased at `leased`. Gives what is still under way when the turn has waited
    /// long enough; it is for [`Self::sent_all`].
    pub(crate) async fn apply_all(
        &self,
        items: Vec<(Work, RunId)>,
        leased: Timestamp,
    ) -> Result<Option<Sending>> {
        if items.is_empty() {
            return Ok(None);
        }
        let works: Vec<Work> = items.iter().map(|(item, _)| item.clone()).collect();
        match self.prepare(items).await {
            Ok((catalogue, ready)) => self.go_out(catalogue, ready, leased).await,
            // A newer decision dropped one of them at this moment, or one cannot be reached at all: nothing
            // was sent, each is looked at again.
            Err(error) => {
                let mut outcome = Err(error);
                for item in &works {
                    self.settle(item, std::mem::replace(&mut outcome, Err(again()))).await?;
                }
                Ok(None)
            }
        }
    }

    /// Marks all that will be sent as sent, in one transaction, before anything goes out.
    async fn prepare(&self, items: Vec<(Work, RunId)>) -> Result<(Arc<Catalogue>, Vec<Taken>)> {
        let mut tx = Box::new(Gathered::new(self.begin().await?, self.tenant()));
        let catalogue = self.catalogue(&mut *tx).await?;
        tx.foresee(Table::Runs, "id", items.iter().map(|(_, run)| run.to_string())).await?;
        let mut ready = Vec::new();
        let mut marks = Vec::new();
        let mut runs = Vec::with_capacity(items.len());
        for (item, id) in items {
            match get::<Run>(&mut *tx, self.tenant(), &id.to_string()).await? {
                Some(run) => runs.push((item, run)),
                None => tx.finish(self.tenant(), &item).await?,
            }
        }
        let plans = || runs.iter().map(|(_, run)| run.value.plan.to_string());
        tx.foresee(Table::Plans, "id", plans()).await?;
        tx.foresee(Table::Approvals, "plan", plans()).await?;
        for (item, run) in runs {
            match self.take(&mut *tx, &catalogue, item, run).await? {
                Next::Go(taken) => ready.push(taken),
                Next::Asked(item, updates, jobs) => {
                    marks.extend(updates);
                    self.enqueue(&mut *tx, jobs).await?;
                    tx.finish(self.tenant(), &item).await?;
                }
                Next::Shut(item) => {
                    let due = later(self.now(), backoff_ms(item.attempts)).as_millisecond();
                    tx.postpone(self.tenant(), &item, due, true).await?;
                }
                Next::Later(item, due) => tx.postpone(self.tenant(), &item, due, false).await?,
                Next::Nothing(item) => tx.finish(self.tenant(), &item).await?,
            }
        }
        let mut go = Vec::with_capacity(ready.len());
        for mut taken in self.within_budgets(&mut *tx, &catalogue, ready, &mut marks).await? {
            let refused = std::mem::take(&mut taken.refused);
            if taken.run.value.steps.values().all(Step::ended) {
                marks.extend(self.refused_whole(&mut *tx, &catalogue, &taken).await?);
            } else {
                marks.extend(self.mark_sent(&taken, !refused.is_empty()));
                go.push(taken);
            }
            marks.extend(refused);
        }
        tx.write(self.tenant(), marks, self.entropy()).await?;
        tx.commit().await?;
        Ok((catalogue, go))
    }

    /// A run of which nothing may be sent ends here.
    async fn refused_whole(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        taken: &Taken,
    ) -> Result<Vec<Update>> {
        let run = &taken.run.value;
        let record = self
            .record(RecordKind::Applied, "apply")
            .event(run.event)
            .identity(run.identity)
            .plan(run.plan)
            .fact("run", run.id)
            .fact("steps", "none was sent")
            .fact("system", &run.system);
        let mut updates = vec![Update::new(record).replace(run, taken.run.revision, self.entropy())];
        let owner = catalogue.route(&run.system)?.integration.owner.clone();
        updates.extend(self.refusals(tx, &taken.row.plan, run, &owner).await?);
        updates.extend(self.end_plan(tx, &taken.row, run).await?);
        let job = self.verify_job(tx, run).await?;
        self.enqueue(tx, vec![job]).await?;
        tx.finish(self.tenant(), &taken.item).await?;
        Ok(updates)
    }

    async fn take(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        item: Work,
        mut run: Stored<Run>,
    ) -> Result<Next> {
        if run.value.steps.values().all(Step::ended) {
            return Ok(Next::Nothing(item));
        }
        let plan = run.value.plan.to_string();
        let row = get::<PlanRow>(tx, self.tenant(), &plan)
            .await?
            .ok_or_else(|| EngineError::Inconsistent(format!("run {} has no plan", run.value.id)))?;
        if let Some(code) = self.unapproved(tx, &row.value, &run.value).await? {
            self.refuse_plan(tx, row, code).await?;
            return Ok(Next::Nothing(item));
        }
        if self.waits_for_name(tx, catalogue, &run.value, &row.value.plan).await? {
            return Ok(Next::Nothing(item));
        }
        // A doubtful change is read back only when a reader can be expected to see it.
        let Ok(route) = catalogue.route(&run.value.system) else {
            let undeclared = self.unreached(catalogue, &run.value.system, Some(run.value.identity));
            let opened = self.open_finding(tx, undeclared).await?.into_iter().collect();
            tx.write(self.tenant(), opened, self.entropy()).await?;
            return Ok(Next::Later(item, later(self.now(), UNDECLARED_MS).as_millisecond()));
        };
        if let Err(shut) = catalogue.permit(&route.integration.name).writes {
            let wrong = shut_out(route.integration, &shut);
            let opened = self.open_finding(tx, wrong).await?.into_iter().collect();
            tx.write(self.tenant(), opened, self.entropy()).await?;
            return Ok(Next::Shut(item));
        }
        let door = self.doors.of(&run.value.system, going(&row.value.plan));
        if let Some(due) = door.closed(self.now()) {
            return Ok(Next::Later(item, due.as_millisecond()));
        }
        let refused = self.refuse_outside(tx, &route, &mut run.value, &row.value.plan).await?;
        if let Some(person) = &route.connector.capability().by_person {
            let holder = get::<Identity>(tx, self.tenant(), &run.value.identity.to_string()).await?;
            let holder = holder.map(|h| h.value.source_key.to_string());
            let (asked, update, job) = self.ask(&route, person, &run, &row.value, holder.as_deref());
            let mut updates = vec![update];
            updates.extend(refused);
            updates.extend(self.refusals(tx, &row.value.plan, &asked, &route.integration.owner).await?);
            if asked.steps.values().all(Step::ended) {
                updates.extend(self.end_plan(tx, &row.value, &asked).await?);
            }
            let jobs = job.map(|job| job.work(None, None, Haste::Usual, self.now())).into_iter().collect();
            return Ok(Next::Asked(item, updates, jobs));
        }
        let lag = i64::try_from(route.connector.capability().read_lag_ms).unwrap_or(i64::MAX);
        let doubtful = run.value.steps.values().filter_map(|step| match step {
            Step::Sent { at } | Step::Unknown { since: at } => Some(*at),
            Step::Asked { .. }
            | Step::Waiting
            | Step::Applied { .. }
            | Step::Refused { .. }
            | Step::Dropped => None,
        });
        if let Some(since) = doubtful.max() {
            let due = since.as_millisecond().saturating_add(lag);
            if due > self.now().as_millisecond() {
                return Ok(Next::Later(item, due));
            }
        }
        Ok(Next::Go(Taken { item, run, row: Arc::new(row.value), refused }))
    }

    /// The update that says what is about to be sent.
    fn mark_sent(&self, taken: &Taken, refused: bool) -> Option<Update> {
        let now = self.now();
        let mut run = taken.run.value.clone();
        let mut seqs = Vec::new();
        for (seq, step) in run.steps.iter_mut().filter(|(_, s)| **s == Step::Waiting) {
            *step = Step::Sent { at: now };
            seqs.push(*seq);
        }
        if seqs.is_empty() && !refused {
            return None;
        }
        let record = self
            .record(RecordKind::Sent, "apply")
            .event(run.event)
            .identity(run.identity)
            .plan(run.plan)
            .fact("changes", seqs)
            .fact("run", run.id)
            .fact("system", &run.system);
        Some(Update::new(record).replace(&run, taken.run.revision, self.entropy()))
    }

    async fn go_out(
        &self,
        catalogue: Arc<Catalogue>,
        ready: Vec<Taken>,
        leased: Timestamp,
    ) -> Result<Option<Sending>> {
        let latest = later(leased, BEGINS_MS);
        let mut under_way = JoinSet::new();
        let mut doors = BTreeMap::new();
        for taken in ready {
            let route = catalogue.route(&taken.run.value.system)?;
            let line = self.writing(&catalogue, route.integration);
            let line = if taken.row.plan.is_of_leaver() { line.for_leaver() } else { line };
            let connector = route.connector.clone();
            let system = catalogue.systems.get(&taken.run.value.system).cloned();
            let (plan, run) = (&taken.row.plan, &taken.run.value);
            let what = going(plan);
            let door = self.doors.of(&run.system, what);
            doors.entry((run.system.clone(), what)).or_insert_with(|| Arc::clone(&door));
            let clock = self.parts.clock.clone();
            let span = tracing::info_span!("apply", event = %plan.decision.event, plan = %plan.id, run = %run.id, system = %run.system);
            let sending = async move {
                let now = || clock.now();
                let Some(_place) = door.enter(latest, now).await else { return Returned::put_off(taken) };
                let returned = carry_out(&*connector, &line, taken, system.as_ref(), (&now, latest)).await;
                door.came(returned.stopped.as_ref(), now());
                returned
            };
            under_way.spawn(sending.instrument(span));
        }
        if self.record_returned(&catalogue, &mut under_way, self.parts.turn).await? {
            return Ok(None);
        }
        let behind = doors.into_values().map(|door| door.left_behind()).collect();
        Ok(Some(Sending { catalogue, under_way, _behind: behind }))
    }

    /// Records what becomes of runs that are under way, until all have come back.
    pub(crate) async fn sent_all(&self, mut sending: Sending) -> Result<()> {
        self.record_returned(&sending.catalogue, &mut sending.under_way, Duration::MAX).await.map(drop)
    }

    /// Records what comes back within the patience; whether that was all.
    async fn record_returned(
        &self,
        catalogue: &Catalogue,
        under_way: &mut JoinSet<Returned>,
        patience: Duration,
    ) -> Result<bool> {
        let mut patience = Box::pin(tokio::time::sleep(patience));
        let lost = |e| EngineError::Inconsistent(format!("a run ended abnormally: {e}"));
        loop {
            match doors::back(under_way, &mut patience).await.map_err(lost)? {
                Back::Some(returned) => self.record_all(catalogue, returned).await?,
                Back::All => return Ok(true),
                Back::NotYet => return Ok(false),
            }
        }
    }

    async fn record_all(&self, catalogue: &Catalogue, returned: Vec<Returned>) -> Result<()> {
        if self.record_group(catalogue, &returned).await.is_err() {
            // Each by itself. What cannot be recorded is found as sent, and read back, by the next lease.
            for one in &returned {
                let outcome = self.record_group(catalogue, std::slice::from_ref(one)).await;
                self.settle(&one.taken.item, outcome).await?;
            }
        }
        Ok(())
    }

    async fn record_group(&self, catalogue: &Catalogue, returned: &[Returned]) -> Result<()> {
        let mut tx = Box::new(Gathered::new(self.begin().await?, self.tenant()));
        let runs = || returned.iter().map(|one| &one.taken.run.value);
        tx.foresee(Table::Runs, "id", runs().map(|run| run.id.to_string())).await?;
        tx.foresee(Table::Runs, "plan", runs().map(|run| run.plan.to_string())).await?;
        tx.foresee(Table::Plans, "id", runs().map(|run| run.plan.to_string())).await?;
        tx.foresee(Table::Cases, "identity", runs().map(|run| run.identity.to_string())).await?;
        let accounts = returned.iter().filter_map(Returned::locator);
        tx.foresee(Table::Accounts, "locator", accounts).await?;
        let stuck = runs().map(|run| Finding::key_of(told::SYSTEM_STUCK, run.system.as_str()));
        tx.foresee(Table::Findings, "open_key", stuck).await?;
        for one in returned {
            self.record_one(&mut *tx, catalogue, one).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn record_one(&self, tx: &mut dyn Tx, catalogue: &Catalogue, returned: &Returned) -> Result<()> {
        let Returned { taken, steps, external_id, stopped, put_off } = returned;
        let before = &taken.run.value;
        let current = get::<Run>(tx, self.tenant(), &before.id.to_string())
            .await?
            .ok_or_else(|| EngineError::Inconsistent(format!("run {} is gone", before.id)))?;
        let mut run = current.value;
        run.external_id = external_id.clone().or(run.external_id);
        // What was marked just now and not tried waits again; nothing of it was sent.
        for (seq, step) in &mut run.steps {
            if before.steps.get(seq) == Some(&Step::Waiting) {
                *step = Step::Waiting;
            }
        }
        for (seq, step) in steps {
            run.steps.insert(*seq, step.clone());
        }
        drop_what_cannot_follow(&taken.row.plan, &mut run);
        let plan = &taken.row.plan;
        let held = stopped.as_ref().is_some_and(|error| self.held_by_the_minute(error, plan, &mut run));
        let mut record = self
            .record(RecordKind::Applied, "apply")
            .event(run.event)
            .identity(run.identity)
            .plan(run.plan)
            .fact("run", run.id)
            .fact("steps", steps.iter().map(told).collect::<BTreeMap<_, _>>())
            .fact("system", &run.system);
        if let Some(error) = stopped {
            record = record.fact("stopped", error.code());
        } else if *put_off {
            record = record.fact("stopped", "put-off");
        }
        let mut update = Update::new(record).replace(&run, current.revision, self.entropy());
        update = self.remember_account(tx, catalogue, &taken.row.plan, &run, steps, update).await?;
        let mut updates = vec![update];
        updates.extend(self.findings_of(tx, catalogue, &run, returned).await?);
        let ended = run.steps.values().all(Step::ended);
        if ended {
            updates.extend(self.end_plan(tx, &taken.row, &run).await?);
        }
        if held {
            updates.extend(self.hold_by_the_minute(tx, catalogue, &run).await?);
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        if ended {
            let job = self.verify_job(tx, &run).await?;
            self.enqueue(tx, vec![job]).await?;
            Ok(tx.finish(self.tenant(), &taken.item).await?)
        } else if held {
            Ok(tx.finish(self.tenant(), &taken.item).await?)
        } else if *put_off {
            let due = doors::soon(self.now()).as_millisecond();
            Ok(tx.postpone(self.tenant(), &taken.item, due, false).await?)
        } else {
            let pause = stopped
                .as_ref()
                .and_then(|e| e.retry_after)
                .and_then(|d| i64::try_from(d.as_millis()).ok())
                .unwrap_or_else(|| backoff_ms(taken.item.attempts));
            let due = self.now().as_millisecond().saturating_add(pause);
            Ok(tx.postpone(self.tenant(), &taken.item, due, true).await?)
        }
    }

    pub(crate) async fn verify_job(&self, tx: &mut dyn Tx, run: &Run) -> Result<NewWork> {
        let open = Select::from(Table::Cases)
            .filter(Filter::Is("identity", run.identity.to_string().into()))
            .filter(Filter::Is("state", "open".into()));
        let mut case = select::<Case>(tx, self.tenant(), open).await?.pop().map(|s| s.value.id);
        // Of somebody who is back while their case is still open, what was given is verified, and not what was taken.
        if case.is_some() && !self.is_gone(tx, run.identity).await? {
            case = None;
        }
        let job = Job::Verify { run: run.id, plan: run.plan, case, changed: self.now() };
        Ok(job.work(Some(run.identity), Some(&run.system), Haste::soon_if(case.is_some()), self.now()))
    }

    /// When the last run of a plan ended, the plan did.
    pub(crate) async fn end_plan(&self, tx: &mut dyn Tx, row: &PlanRow, run: &Run) -> Result<Option<Update>> {
        let under_way = Select::from(Table::Runs)
            .filter(Filter::Is("plan", run.plan.to_string().into()))
            .filter(Filter::Is("state", "running".into()));
        let under_way = select::<Run>(tx, self.tenant(), under_way).await?;
        if under_way.iter().any(|other| other.value.id != run.id) {
            return Ok(None);
        }
        let Some(stored) = get::<PlanRow>(tx, self.tenant(), &row.plan.id.to_string()).await? else {
            return Ok(None);
        };
        let PlanState::Approved { approval } = stored.value.state else { return Ok(None) };
        let done = PlanRow { state: PlanState::Done { approval }, ..stored.value };
        let record = self
            .record(RecordKind::Applied, "apply")
            .event(run.event)
            .identity(run.identity)
            .plan(run.plan)
            .fact("plan", "done");
        Ok(Some(Update::new(record).replace(&done, stored.revision, self.entropy())))
    }
}

/// What to do with a run that is due.
enum Next {
    Go(Taken),
    /// A person was asked; the answer goes on from there.
    Asked(Work, Vec<Update>, Vec<NewWork>),
    Later(Work, i64),
    /// The integration may not write: again and again, with growing pauses.
    Shut(Work),
    Nothing(Work),
}

impl Returned {
    /// A run of which nothing was tried.
    fn put_off(taken: Taken) -> Self {
        let external_id = taken.run.value.external_id.clone();
        Self { taken, steps: Vec::new(), external_id, stopped: None, put_off: true }
    }

    /// By what the account is found that was changed.
    fn locator(&self) -> Option<String> {
        let run = &self.taken.run.value;
        let id = self.external_id.as_ref().or(run.external_id.as_ref())?;
        Some(Account::locator_of(&run.system, id))
    }
}

/// Which door the changes of a plan go through.
fn going(plan: &Plan) -> What {
    if plan.is_of_leaver() { What::Leavers } else { What::Writes }
}

/// Sends the changes of a run in order until one stops it, or it is too late: whoever has the run when the lease is over
/// must not meet what is only sent then.
async fn carry_out(
    connector: &dyn Connector,
    line: &Line,
    taken: Taken,
    system: Option<&System>,
    (now, latest): (&(dyn Fn() -> Timestamp + Sync), Timestamp),
) -> Returned {
    let run = &taken.run.value;
    let mut external_id = run.external_id.clone();
    let mut steps = Vec::new();
    let (mut stopped, mut put_off) = (None, false);
    for change in taken.row.plan.changes.iter().filter(|c| c.system == run.system) {
        let Some(step) = run.steps.get(&change.seq) else { continue };
        if step.ended() {
            continue;
        }
        put_off = now() >= latest;
        if put_off {
            break;
        }
        let doubtful = matches!(step, Step::Sent { .. } | Step::Unknown { .. });
        let key = format!("{}.{}", run.plan, change.seq);
        let sought = system.and_then(|system| reserved::sought(&change.op, system));
        let sent = one(connector, line, external_id.as_deref(), change, (&key, doubtful, sought)).await;
        match sent {
            Ok((applied, already)) => {
                external_id = applied.external_id.or(external_id);
                steps.push((change.seq, Step::Applied { at: now(), already, answer: applied.answer }));
            }
            Err(error) if error.effect == Effect::Unknown => {
                steps.push((change.seq, Step::Unknown { since: now() }));
                stopped = Some(error);
                break;
            }
            Err(error) if for_good(error.kind) => {
                let step = Step::Refused { code: error.code().into(), message: error.message };
                steps.push((change.seq, step));
                if matches!(change.op, Op::CreateAccount { .. }) {
                    break;
                }
            }
            Err(error) => {
                // A doubtful change stays doubtful while it cannot be read.
                let step = if doubtful { Step::Unknown { since: now() } } else { Step::Waiting };
                steps.push((change.seq, step));
                stopped = Some(error);
                break;
            }
        }
    }
    Returned { taken, steps, external_id, stopped, put_off }
}

async fn one(
    connector: &dyn Connector,
    line: &Line,
    account: Option<&str>,
    change: &Change,
    (key, doubtful, sought): (&str, bool, Option<String>),
) -> Result<(Applied, bool), ConnectorError> {
    if doubtful && let Some(id) = is_so(connector, line, account, &change.op).await? {
        let answer = Digest::of(id.as_bytes());
        let external_id = Some(id).filter(|id| !id.is_empty());
        return Ok((Applied { outcome: Outcome::AlreadySo, external_id, version: None, answer }, true));
    }
    if let Some(name) = sought {
        not_somebody_elses(connector, line, &change.op, &name).await?;
    }
    let applied = connector.apply(line, account, &change.op, None, key).await?;
    let already = applied.outcome == Outcome::AlreadySo;
    Ok((applied, already))
}

/// Changes a canary. The key tells the system that it is the same change, should it be made again.
pub(crate) async fn on_canary(
    connector: &dyn Connector,
    line: &Line,
    account: Option<&str>,
    op: &Op,
    precondition: Option<&str>,
    key: &str,
) -> Result<Applied, ConnectorError> {
    connector.apply(line, account, op, precondition, key).await
}

/// Why the others of a group are put off: one of them was in the way.
fn again() -> EngineError {
    bailiwick_store::StoreError::Conflict { table: "runs", id: "group".into() }.into()
}

/// The instant `after` milliseconds from `at`.
pub(crate) fn later(at: Timestamp, after: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_millis(after)).unwrap_or(at)
}
