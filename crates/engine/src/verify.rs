//! Step 6, verify: reads back what a run was to achieve, by the verifier's own credential.
//!
//! For a joiner or mover each change is looked for; what is not so after the system's window is drift, and drift is an
//! event. For a leaver every class of access that the system has gets a verdict in the case's matrix; what is still there
//! is residue, which is an event too, until no way is left to try: then somebody is told.

mod cell;
mod look;
mod unread;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bailiwick_connector::ConnectorError;
use bailiwick_core::{
    access::AccessClass,
    account::Account,
    case::{Case, Cell},
    digest::Digest,
    event::EventKind,
    finding::Finding,
    id::{AccountId, CaseId, SystemName},
    identity::Identity,
    plan::Op,
    record::RecordKind,
    time::Timestamp,
    verify::Verdict,
};
use bailiwick_store::{
    Filter, Gathered, NewWork, Select, Stored, Table, Tx, Update,
    entities::{PlanRow, Run, Step},
    get, select,
};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use cell::{is_gone, is_unread, stays_removed, tried_of};
pub(crate) use look::{Item, Reading};
use look::{Seen, Task, look};

use crate::{
    Catalogue, Engine, EngineError, Haste, Job, Result,
    apply::{UNDECLARED_MS, later},
    control::with_control,
    doors::{self, BEGINS_MS, Back, What},
    finding::Wrong,
    turn,
    work::backoff_ms,
};

/// How long after a residue that nothing more can be done about the cell is read again, milliseconds.
pub(crate) const RECHECK_MS: i64 = 3_600_000;
/// The finding that a system did not do what it answered that it did.
const DIVERGED: &str = "diverged";

/// What comes after a run on the same account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Successor {
    None,
    /// Nothing of it was sent.
    Waits,
    Begun,
}

impl Engine {
    /// Verifies all given items, which were leased at `leased`. Gives what is still under way when the turn has waited long
    /// enough; it is for [`Self::read_all`].
    pub(crate) async fn verify_all(&self, items: Vec<Item>, leased: Timestamp) -> Result<Option<Reading>> {
        if items.is_empty() {
            return Ok(None);
        }
        let latest = later(leased, BEGINS_MS);
        let mut doors = BTreeMap::new();
        let mut tx = Box::new(Gathered::new(self.read().await?, self.tenant()));
        let catalogue = self.catalogue(&mut *tx).await?;
        tx.foresee(Table::Runs, "id", items.iter().map(|(_, run, ..)| run.to_string())).await?;
        tx.foresee(Table::Plans, "id", items.iter().map(|(_, _, plan, ..)| plan.to_string())).await?;
        let mut under_way = JoinSet::new();
        let mut orphans = Vec::new();
        for (item, run, plan, case, changed) in items {
            let run = get::<Run>(&mut *tx, self.tenant(), &run.to_string()).await?;
            let row = get::<PlanRow>(&mut *tx, self.tenant(), &plan.to_string()).await?;
            let (Some(run), Some(row)) = (run, row) else {
                return Err(EngineError::Inconsistent(format!(
                    "work item {} has no run or no plan",
                    item.seq
                )));
            };
            let declared = catalogue.systems.get(&run.value.system).cloned();
            let (Ok(route), Some(system)) = (catalogue.route(&run.value.system), declared) else {
                orphans.push((item, self.unreached(&catalogue, &run.value.system, Some(run.value.identity))));
                continue;
            };
            let door = self.doors.of(&system.name, What::Readings);
            let closed = door.closed(self.now());
            if closed.is_none() {
                doors.entry(system.name.clone()).or_insert_with(|| Arc::clone(&door));
            }
            let (line, witness) = self.witnessing(&catalogue, route.integration);
            let attested = match route.connector.capability().by_person {
                Some(_) => self.attested(&mut *tx, &run.value).await?,
                None => None,
            };
            let (run, row, now) = (run.value, Arc::new(row.value), self.now());
            let task = Task { item, run, row, case, changed, system, witness, attested };
            let span = tracing::info_span!("verify", event = %task.row.plan.decision.event, run = %task.run.id, system = %task.run.system);
            let connector = route.connector.clone();
            let clock = self.parts.clock.clone();
            let looking = async move {
                if let Some(due) = closed {
                    return Seen::put_off(task, due);
                }
                let Some(_place) = door.enter(latest, || clock.now()).await else {
                    return Seen::put_off(task, doors::soon(clock.now()));
                };
                let seen = look(&*connector, &line, task, now).await;
                door.came(seen.failure(), clock.now());
                seen
            };
            under_way.spawn(looking.instrument(span));
        }
        drop(tx);
        for (item, undeclared) in orphans {
            let mut tx = self.begin().await?;
            let opened = self.open_finding(&mut *tx, undeclared).await?.into_iter().collect();
            tx.write(self.tenant(), opened, self.entropy()).await?;
            let due = later(self.now(), UNDECLARED_MS).as_millisecond();
            tx.postpone(self.tenant(), &item, due, false).await?;
            tx.commit().await?;
        }
        if self.conclude_returned(&catalogue, &mut under_way, self.parts.turn).await? {
            return Ok(None);
        }
        let behind = doors.into_values().map(|door| door.left_behind()).collect();
        Ok(Some(Reading { catalogue, under_way, _behind: behind }))
    }

    /// Concludes from readings that are under way, until all have come back.
    pub(crate) async fn read_all(&self, mut reading: Reading) -> Result<()> {
        self.conclude_returned(&reading.catalogue, &mut reading.under_way, Duration::MAX).await.map(drop)
    }

    /// Concludes from what comes back within the patience; whether that was all.
    async fn conclude_returned(
        &self,
        catalogue: &Catalogue,
        under_way: &mut JoinSet<Seen>,
        patience: Duration,
    ) -> Result<bool> {
        let mut patience = Box::pin(tokio::time::sleep(patience));
        let lost = |e| EngineError::Inconsistent(format!("a reading ended abnormally: {e}"));
        loop {
            let mut seen = match doors::back(under_way, &mut patience).await.map_err(lost)? {
                Back::Some(seen) => seen,
                Back::All => return Ok(true),
                Back::NotYet => return Ok(false),
            };
            // Two nodes that settle the same cases wait for each other in the same order.
            seen.sort_by_key(|one| one.task.case.map(turn::of_case));
            if self.conclude_group(catalogue, &seen).await.is_err() {
                for one in &seen {
                    let outcome = self.conclude_group(catalogue, std::slice::from_ref(one)).await;
                    self.settle(&one.task.item, outcome).await?;
                }
            }
        }
    }

    async fn conclude_group(&self, catalogue: &Catalogue, seen: &[Seen]) -> Result<()> {
        let mut tx = Box::new(Gathered::new(self.begin().await?, self.tenant()));
        let runs = || seen.iter().map(|one| &one.task.run);
        tx.foresee(Table::Runs, "identity", runs().map(|run| run.identity.to_string())).await?;
        let open =
            || seen.iter().filter(|one| one.task.row.is_approved()).map(|one| one.task.run.plan.to_string());
        tx.foresee(Table::Runs, "plan", open()).await?;
        tx.foresee(Table::Plans, "id", open()).await?;
        let diverged = runs().map(|run| Finding::key_of(DIVERGED, &subject_of(run)));
        tx.foresee(Table::Findings, "open_key", diverged).await?;
        for one in seen {
            self.conclude(&mut *tx, catalogue, one).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn conclude(&self, tx: &mut dyn Tx, catalogue: &Catalogue, seen: &Seen) -> Result<()> {
        let item = &seen.task.item;
        if let Some(due) = seen.put_off {
            return Ok(tx.postpone(self.tenant(), item, due.as_millisecond(), false).await?);
        }
        // Of two nodes that record the last runs of a plan at the same time neither sees that it is over. Whoever reads
        // back after both does.
        if seen.task.row.is_approved() {
            let ended = self.end_plan(tx, &seen.task.row, &seen.task.run).await?;
            tx.write(self.tenant(), ended.into_iter().collect(), self.entropy()).await?;
        }
        let successor = self.successor(tx, &seen.task.run).await?;
        match seen.task.case {
            // That one is verified, and not this.
            _ if successor == Successor::Begun => Ok(tx.finish(self.tenant(), item).await?),
            Some(case) => self.conclude_case(tx, catalogue, case, seen, successor).await,
            None => self.conclude_changes(tx, catalogue, seen).await,
        }
    }

    /// How far that is which comes after this run on the same account.
    async fn successor(&self, tx: &mut dyn Tx, run: &Run) -> Result<Successor> {
        let theirs = Select::from(Table::Runs)
            .filter(Filter::Is("identity", run.identity.to_string().into()))
            .filter(Filter::Is("system", run.system.as_str().into()));
        let runs = select::<Run>(tx, self.tenant(), theirs).await?;
        let after = runs.iter().map(|stored| &stored.value).filter(|other| other.generation > run.generation);
        let steps: Vec<&Step> = after.flat_map(|run| run.steps.values()).collect();
        let begun = steps.iter().any(|step| !matches!(step, Step::Waiting | Step::Dropped));
        Ok(match steps.contains(&&Step::Waiting) {
            _ if begun => Successor::Begun,
            true => Successor::Waits,
            false => Successor::None,
        })
    }

    async fn conclude_changes(&self, tx: &mut dyn Tx, catalogue: &Catalogue, seen: &Seen) -> Result<()> {
        let Seen { task, changes, .. } = seen;
        let now = self.now();
        let diverged = match changes {
            Ok(diverged) => diverged,
            Err(error) => return self.cannot_read(tx, catalogue, task, error).await,
        };
        let until = later(task.changed, task.system.convergence_ms);
        if !diverged.is_empty() && now < until {
            return Ok(tx.postpone(self.tenant(), &task.item, until.as_millisecond(), false).await?);
        }
        let outcome = match (&task.attested, diverged.is_empty()) {
            (Some(_), _) => "attested",
            (None, true) => "verified",
            (None, false) => "diverged",
        };
        // It was put off because it could not be read, and was read now.
        if task.item.attempts > 0 {
            let read = self.was_read(tx, &task.run.system, [None]).await?;
            tx.write(self.tenant(), read, self.entropy()).await?;
        }
        let words: Vec<&String> = diverged.iter().map(|(_, w)| w).collect();
        let record = self
            .record(RecordKind::Verified, "verify")
            .event(task.run.event)
            .identity(task.run.identity)
            .plan(task.run.plan)
            .fact("diverged", &words)
            .fact("outcome", outcome)
            .fact("run", task.run.id)
            .fact("system", &task.run.system)
            .fact("witness", task.witness);
        let mut updates = vec![Update::new(record)];
        let subject = subject_of(&task.run);
        if diverged.is_empty() {
            updates.extend(self.close_finding(tx, DIVERGED, &subject).await?);
            tx.write(self.tenant(), updates, self.entropy()).await?;
        } else {
            let what = words.iter().map(|w| w.as_str()).collect::<Vec<_>>().join(", ");
            let route = catalogue.route(&task.run.system)?;
            let wrong = Wrong {
                code: DIVERGED,
                subject: subject.clone(),
                identity: Some(task.run.identity),
                system: Some(task.run.system.clone()),
                message: format!(
                    "`{}` answered that it did, and reading back shows that it did not: {what}",
                    task.run.system
                ),
                owner: route.integration.owner.clone(),
            };
            updates.extend(self.open_finding(tx, wrong).await?);
            updates.extend(self.unbelieve(tx, catalogue, task, diverged).await?);
            tx.write(self.tenant(), updates, self.entropy()).await?;
            // While a finding is open, the same divergence makes one event: a system that never does it is
            // not asked forever, and one that fails again after it was mended is.
            let open = self.open_with(tx, &Finding::key_of(DIVERGED, &subject)).await?;
            let finding = open.map(|f| f.value.id.to_string()).unwrap_or_default();
            let key = format!("diverged/{finding}/{}", Digest::of_value(&words).short());
            if let Some(identity) = get::<Identity>(tx, self.tenant(), &task.run.identity.to_string()).await?
            {
                let kind = EventKind::Drifted { system: task.run.system.clone(), what };
                self.file(tx, identity, key, kind, None).await?;
            }
        }
        Ok(tx.finish(self.tenant(), &task.item).await?)
    }

    /// Takes back from the account's recorded state what reading did not confirm.
    async fn unbelieve(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        task: &Task,
        diverged: &[(u16, String)],
    ) -> Result<Option<Update>> {
        let Some(stored) = self.account_of(tx, &task.run).await? else { return Ok(None) };
        let mut account = stored.value;
        for change in task.row.plan.changes.iter().filter(|c| diverged.iter().any(|(seq, _)| *seq == c.seq)) {
            match &change.op {
                Op::SetAttributes { attributes } => {
                    account.state.attributes.retain(|name, _| !attributes.contains_key(name));
                }
                Op::Enable => account.state.active = false,
                Op::Disable { .. } | Op::Delete => account.state.active = true,
                Op::Grant { .. } => {
                    account.state.entitlements.retain(|e| Some(e) != change.entitlement.as_ref());
                }
                Op::Revoke { .. } => account.state.entitlements.extend(change.entitlement.clone()),
                Op::CreateAccount { .. } | Op::RevokeAll { .. } => {}
            }
        }
        account.state.entitlements.retain(|e| catalogue.entitlements.contains_key(e));
        account.state.entitlements.sort();
        account.state.entitlements.dedup();
        let record = self
            .record(RecordKind::Observed, "verify")
            .identity(task.run.identity)
            .fact("active", account.state.active)
            .fact("entitlements", &account.state.entitlements)
            .fact("system", &task.run.system);
        Ok(Some(Update::new(record).replace(&account, stored.revision, self.entropy())))
    }

    async fn account_of(&self, tx: &mut dyn Tx, run: &Run) -> Result<Option<Stored<Account>>> {
        let Some(external_id) = &run.external_id else { return Ok(None) };
        let locator = Account::locator_of(&run.system, external_id);
        let asked = Select::from(Table::Accounts).filter(Filter::Is("locator", locator.into()));
        Ok(select(tx, self.tenant(), asked).await?.pop())
    }

    /// The system cannot be read: nothing is concluded; it is tried again and somebody is told.
    async fn cannot_read(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        task: &Task,
        error: &ConnectorError,
    ) -> Result<()> {
        let update = self.tell_unread(tx, catalogue, (&task.run.system, None), error).await?;
        tx.write(self.tenant(), update.into_iter().collect(), self.entropy()).await?;
        let pause = error.retry_after.and_then(|d| i64::try_from(d.as_millis()).ok());
        let due = self.now().as_millisecond() + pause.unwrap_or_else(|| backoff_ms(task.item.attempts));
        Ok(tx.postpone(self.tenant(), &task.item, due, true).await?)
    }

    async fn conclude_case(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        case: CaseId,
        seen: &Seen,
        successor: Successor,
    ) -> Result<()> {
        let Seen { task, cells, .. } = seen;
        let Some(stored_case) = get::<Case>(tx, self.tenant(), &case.to_string()).await? else {
            return Ok(tx.finish(self.tenant(), &task.item).await?);
        };
        // What was only attested is looked at again, also after the case was closed with it.
        let Case { closed, followed, .. } = stored_case.value;
        if followed.is_some()
            || closed.is_some() && !self.rests_on_control(tx, case, &task.run.system).await?
        {
            return Ok(tx.finish(self.tenant(), &task.item).await?);
        }
        let ways = catalogue.route(&task.run.system)?.connector.capability().disable_ways.len();
        let account = self.account_of(tx, &task.run).await?;
        let tried = tried_of(task, ways);
        // Not before the system was read: that may have taken long, and be doubted since.
        let doubts = self.doubts(tx, task).await?;
        let mut updates = Vec::new();
        let (mut fresh, mut read) = (Vec::new(), Vec::new());
        let gone = cells.iter().any(|(class, seen)| *class == AccessClass::PrimaryAccount && is_gone(seen));
        for (class, observed) in cells {
            let account = account.as_ref().map_or(AccountId::from_bytes([0; 16]), |a| a.value.id);
            let cell = self.cell((task, &doubts), case, *class, account, observed, tried);
            let before = get::<Cell>(tx, self.tenant(), &cell.key()).await?;
            match observed {
                Err(error) if is_unread(&cell) => {
                    let place = (&task.run.system, Some(*class));
                    updates.extend(self.tell_unread(tx, catalogue, place, error).await?);
                }
                Ok(_) if before.as_ref().is_some_and(|before| is_unread(&before.value)) => {
                    read.push(Some(*class));
                }
                Ok(_) | Err(_) => {}
            }
            let cell = with_control(cell, before.as_ref().map(|stored| &stored.value));
            let cell = match &before {
                Some(stored) if gone && stays_removed(&stored.value, &cell) => stored.value.clone(),
                Some(_) | None => cell,
            };
            if !matches!(cell.verdict, Verdict::Unobservable { .. }) {
                // It can be seen from now on: nothing has to stand in.
                updates.extend(self.close_finding(tx, "control-lapsed", &cell.key()).await?);
            }
            let record = self
                .record(RecordKind::Verified, "verify")
                .event(task.run.event)
                .identity(task.run.identity)
                .plan(task.run.plan)
                .case(case)
                .fact("answer", cell.answer)
                .fact("class", class)
                .fact("method", &cell.method)
                .fact("system", &task.run.system)
                .fact("verdict", cell.verdict.name())
                .fact("witness", cell.witness);
            let record = match &cell.verdict {
                Verdict::Removed => record,
                Verdict::Blocked { purges_at } => record.fact("purges_at", purges_at),
                // The names of what is left may be names of people.
                Verdict::Residual { what } => record.personal("what", what),
                Verdict::Pending { until } => record.fact("until", until),
                Verdict::Unobservable { why, .. } => record.fact("why", why),
            };
            updates.push(match before {
                // Read again with the same result: nothing new to say.
                Some(b) if b.value.verdict == cell.verdict && b.value.tried == cell.tried => {
                    fresh.push(cell);
                    continue;
                }
                Some(b) => Update::new(record).replace(&cell, b.revision, self.entropy()),
                None => Update::new(record).insert(&cell, self.entropy()),
            });
            fresh.push(cell);
        }
        updates.extend(self.was_read(tx, &task.run.system, read).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        self.align_after(tx, task.run.identity, &fresh).await?;
        let next = match successor {
            // What is left may be what that one is to remove. Should nothing come of it, this is read again.
            Successor::Waits if fresh.iter().any(is_residual) => Some(later(self.now(), RECHECK_MS)),
            Successor::Waits | Successor::Begun | Successor::None => {
                self.follow(tx, catalogue, task, &fresh, tried, ways).await?
            }
        };
        if let Some(attested) = &task.attested {
            self.stands(tx, catalogue, &task.run, &task.row, attested).await?;
        }
        self.settle_case(tx, case).await?;
        match next {
            Some(due) => {
                let again = fresh.iter().any(is_unread);
                Ok(tx.postpone(self.tenant(), &task.item, due.as_millisecond(), again).await?)
            }
            None => {
                self.schedule_purge(tx, task.run.identity, &task.system, &fresh).await?;
                self.schedule_clearing(tx, case, &task.run.system, &fresh).await?;
                Ok(tx.finish(self.tenant(), &task.item).await?)
            }
        }
    }

    /// What follows from the cells of one system; gives when to read again, if that is needed.
    async fn follow(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        task: &Task,
        cells: &[Cell],
        tried: u8,
        ways: usize,
    ) -> Result<Option<Timestamp>> {
        let now = self.now();
        let system = &task.run.system;
        let subject = subject_of(&task.run);
        let residual: Vec<&Cell> = cells.iter().filter(|cell| is_residual(cell)).collect();
        let unreadable = cells.iter().any(is_unread);
        let pending = cells.iter().filter_map(|c| match &c.verdict {
            Verdict::Pending { until } => Some(*until),
            Verdict::Removed
            | Verdict::Blocked { .. }
            | Verdict::Residual { .. }
            | Verdict::Unobservable { .. } => None,
        });
        if let Some(until) = pending.max() {
            return Ok(Some(if unreadable { later(now, backoff_ms(task.item.attempts)) } else { until }));
        }
        let Some(first) = residual.first() else {
            let closed = self.close_finding(tx, "residual-access", &subject).await?;
            tx.write(self.tenant(), closed.into_iter().collect(), self.entropy()).await?;
            return Ok(None);
        };
        // Who is back has it by right, and their case is over.
        let who = get::<Identity>(tx, self.tenant(), &task.run.identity.to_string()).await?;
        let Some(who) = who.filter(|who| who.value.lifecycle.gone().is_some()) else { return Ok(None) };
        let names: Vec<&str> = residual.iter().map(|c| c.class.as_str()).collect();
        if usize::from(tried) >= ways {
            let owner = catalogue.route(system)?.integration.owner.clone();
            let message = format!(
                "{} still alive on `{system}` after {tried} way(s) of removing it: {}; {}remove it there by hand: it is \
                 read again every hour",
                if names.len() == 1 { "one class of access is" } else { "several classes of access are" },
                names.join(", "),
                match who.value.preserved() {
                    None => "a plan to delete the account waits for an approval, or ".to_owned(),
                    Some(why) => format!("the account is not deleted (`{why}`), so "),
                },
            );
            let wrong = Wrong {
                code: "residual-access",
                subject,
                identity: Some(task.run.identity),
                system: Some(system.clone()),
                message,
                owner,
            };
            let opened = self.open_finding(tx, wrong).await?;
            tx.write(self.tenant(), opened.into_iter().collect(), self.entropy()).await?;
        }
        // Each way is tried once for a departure; after the last one comes the plan to delete.
        if usize::from(tried) <= ways {
            let key = format!("residue/{}/{system}/{tried}", first.case);
            let kind = EventKind::Residue { system: system.clone(), class: first.class, tried };
            if self.file(tx, who, key, kind, None).await? && usize::from(tried) < ways {
                // The next run verifies again.
                return Ok(None);
            }
        }
        Ok(Some(later(now, RECHECK_MS)))
    }

    /// The work that reads a system back for a case, at `due`, after whatever was last carried out there for its person;
    /// nothing where nothing ever was.
    pub(crate) async fn reading_for(
        &self,
        tx: &mut dyn Tx,
        case: &Case,
        system: &SystemName,
        (haste, due): (Haste, Timestamp),
    ) -> Result<Option<NewWork>> {
        let theirs = Select::from(Table::Runs)
            .filter(Filter::Is("identity", case.identity.to_string().into()))
            .filter(Filter::Is("system", system.as_str().into()));
        let Some(run) = select::<Run>(tx, self.tenant(), theirs).await?.pop() else { return Ok(None) };
        let (run, changed) = (run.value, self.now());
        let job = Job::Verify { run: run.id, plan: run.plan, case: Some(case.id), changed };
        Ok(Some(job.work(Some(run.identity), Some(&run.system), haste, due)))
    }
}

fn is_residual(cell: &Cell) -> bool {
    matches!(cell.verdict, Verdict::Residual { .. })
}

/// What a finding about an account that was read back is about.
fn subject_of(run: &Run) -> String {
    format!("{}/{}", run.identity, run.system)
}
