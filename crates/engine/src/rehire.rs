//! Coming back: an account is used again on a system only when nothing of the former life would wake with it.
//!
//! What was only blocked when somebody left (PRODUCT E2) works again with the account. So whoever is back waits there,
//! and only there, until that is gone for good: their owner is told what and until when, it is read again every hour,
//! and once it is seen to be gone an event goes on from there. The end of what is blocked is looked at when its time has
//! come in any case; what a system said about it is no proof. Nothing is enabled here.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_connector::ConnectorError;
use bailiwick_core::{
    account::Account,
    case::{Case, Cell, Former, former},
    drill::Drill,
    event::EventKind,
    id::{CaseId, IdentityId, SystemName},
    identity::Identity,
    plan::Decision,
    record::RecordKind,
    time::Timestamp,
    verify::{Observation, Verdict, judge},
};
use bailiwick_store::{Filter, Select, Stored, Table, Tx, Update, Work, get, select};

use crate::{
    Catalogue, Engine, EngineError, Haste, Job, Result,
    apply::later,
    decide::{Known, Outcome},
    finding::Wrong,
    observe::held,
    verify::RECHECK_MS,
    work::backoff_ms,
};

/// The finding of somebody who is back and waits.
const HELD: &str = "rehire-held";

/// The last case of somebody, as far as it may be in the way of coming back.
pub(crate) struct FormerCase {
    pub(crate) case: Stored<Case>,
    cells: BTreeMap<SystemName, Vec<Cell>>,
}

impl FormerCase {
    fn on(&self, system: &SystemName) -> Former {
        former(self.cells.get(system).into_iter().flatten())
    }
}

/// A cell that is blocked, with what was read of it now.
type Read = (Stored<Cell>, Result<Observation, ConnectorError>);

impl Engine {
    /// The last cases of those who have an account that is not in use.
    pub(crate) async fn former_cases(
        &self,
        tx: &mut dyn Tx,
        accounts: &BTreeMap<IdentityId, Vec<Account>>,
    ) -> Result<BTreeMap<IdentityId, FormerCase>> {
        let unused = accounts.iter().filter(|(_, theirs)| theirs.iter().any(|account| !account.state.active));
        let ids: Vec<_> = unused.map(|(identity, _)| identity.to_string().into()).collect();
        let mut out: BTreeMap<IdentityId, FormerCase> = BTreeMap::new();
        if ids.is_empty() {
            return Ok(out);
        }
        let theirs = Select::from(Table::Cases).filter(Filter::In("identity", ids));
        for case in select::<Case>(tx, self.tenant(), theirs).await? {
            let identity = case.value.identity;
            if out.get(&identity).is_none_or(|known| known.case.value.opened < case.value.opened) {
                out.insert(identity, FormerCase { case, cells: BTreeMap::new() });
            }
        }
        let ids: Vec<_> = out.values().map(|former| former.case.value.id.to_string().into()).collect();
        let mut of: BTreeMap<CaseId, &mut FormerCase> =
            out.values_mut().map(|former| (former.case.value.id, former)).collect();
        let cells = Select::from(Table::Cells).filter(Filter::In("case_id", ids));
        for Stored { value: cell, .. } in select::<Cell>(tx, self.tenant(), cells).await? {
            if let Some(former) = of.get_mut(&cell.case) {
                former.cells.entry(cell.system.clone()).or_default().push(cell);
            }
        }
        Ok(out)
    }

    /// The systems where somebody who is wanted there again has to wait. Has them looked at, and their owners told.
    pub(crate) fn not_yet_back(
        &self,
        catalogue: &Catalogue,
        known: &Known,
        decision: &Decision,
        out: &mut Outcome,
    ) -> BTreeSet<SystemName> {
        let mut waiting = BTreeSet::new();
        let Some(left) = known.former.get(&decision.identity) else { return waiting };
        let accounts = known.accounts.get(&decision.identity).into_iter().flatten();
        let unused = accounts.filter(|account| !account.state.active);
        for system in unused.map(|account| &account.system).filter(|s| decision.desired.contains_key(*s)) {
            // Where nothing is ever looked at, nothing is waited for.
            if catalogue.systems.get(system).is_none_or(|declared| declared.classes.is_empty()) {
                continue;
            }
            let due = match left.on(system) {
                Former::Cleared => continue,
                Former::Unread => later(self.now(), backoff_ms(0)),
                blocked @ Former::Blocked { .. } => {
                    out.wrongs.extend(held_back(catalogue, decision.identity, system, &blocked));
                    self.next_look(&blocked)
                }
            };
            let job = Job::Clear { case: left.case.value.id, system: system.clone() };
            out.jobs.push(job.work(None, None, Haste::Usual, due));
            waiting.insert(system.clone());
        }
        waiting
    }

    /// Has what a case leaves blocked on a system looked at when it should be gone.
    pub(crate) async fn schedule_clearing(
        &self,
        tx: &mut dyn Tx,
        case: CaseId,
        system: &SystemName,
        cells: &[Cell],
    ) -> Result<()> {
        let Former::Blocked { purged: Some(due), .. } = former(cells) else { return Ok(()) };
        let job = Job::Clear { case, system: system.clone() };
        self.enqueue(tx, vec![job.work(None, None, Haste::Usual, due.max(self.now()))]).await
    }

    /// When to look again at what is blocked: when it should be gone, and every hour, because somebody may end it by
    /// hand.
    fn next_look(&self, blocked: &Former) -> Timestamp {
        let hour = later(self.now(), RECHECK_MS);
        match blocked {
            Former::Blocked { purged: Some(at), .. } if *at > self.now() => hour.min(*at),
            Former::Blocked { .. } | Former::Cleared | Former::Unread => hour,
        }
    }

    /// Looks at what a case left blocked on a system. When nothing is, whoever is back goes on.
    pub(crate) async fn clear(&self, item: &Work, case: CaseId, system: &SystemName) -> Result<()> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let blocked = self.blocked_cells(&mut *tx, case, system).await?;
        let accounts = self.accounts_of(&mut *tx, &blocked).await?;
        drop(tx);
        let reads = self.read_blocked(&catalogue, system, blocked, &accounts).await?;
        let mut tx = self.begin().await?;
        let unread = self.write_cleared(&mut *tx, &catalogue, case, system, reads).await?;
        let next = match unread {
            Some(error) => Some(later(self.now(), backoff_ms(item.attempts).max(pause(&error)))),
            None => self.go_on(&mut *tx, &catalogue, case, system, item).await?,
        };
        match next {
            Some(due) => tx.postpone(self.tenant(), item, due.as_millisecond(), true).await?,
            None => tx.finish(self.tenant(), item).await?,
        }
        Ok(tx.commit().await?)
    }

    async fn cells_on(
        &self,
        tx: &mut dyn Tx,
        case: CaseId,
        system: &SystemName,
    ) -> Result<Vec<Stored<Cell>>> {
        let mine = Select::from(Table::Cells)
            .filter(Filter::Is("case_id", case.to_string().into()))
            .filter(Filter::Is("system", system.as_str().into()));
        Ok(select(tx, self.tenant(), mine).await?)
    }

    async fn blocked_cells(
        &self,
        tx: &mut dyn Tx,
        case: CaseId,
        system: &SystemName,
    ) -> Result<Vec<Stored<Cell>>> {
        let mut cells = self.cells_on(tx, case, system).await?;
        cells.retain(|cell| matches!(former([&cell.value]), Former::Blocked { .. }));
        Ok(cells)
    }

    /// The system's ids of the accounts that cells are about.
    async fn accounts_of(&self, tx: &mut dyn Tx, cells: &[Stored<Cell>]) -> Result<BTreeMap<String, String>> {
        let mut out = BTreeMap::new();
        for cell in cells {
            let id = cell.value.account.to_string();
            if let Some(account) = get::<Account>(tx, self.tenant(), &id).await? {
                out.insert(id, account.value.external_id);
            }
        }
        Ok(out)
    }

    async fn read_blocked(
        &self,
        catalogue: &Catalogue,
        system: &SystemName,
        blocked: Vec<Stored<Cell>>,
        accounts: &BTreeMap<String, String>,
    ) -> Result<Vec<Read>> {
        let mut out = Vec::new();
        if blocked.is_empty() {
            return Ok(out);
        }
        let route = catalogue.route(system)?;
        let (line, witness) = self.witnessing(catalogue, route.integration);
        for cell in blocked {
            let id = cell.value.account.to_string();
            let account = accounts.get(&id).ok_or_else(|| {
                EngineError::Inconsistent(format!("the account of cell {} is gone", cell.value.key()))
            })?;
            let seen = held(&**route.connector, &line, witness, account, cell.value.class, self.now()).await;
            out.push((cell, seen));
        }
        Ok(out)
    }

    /// Writes what was read; gives the first error that kept something from being read.
    async fn write_cleared(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        case: CaseId,
        system: &SystemName,
        reads: Vec<Read>,
    ) -> Result<Option<ConnectorError>> {
        let (mut unread, mut updates) = (None, Vec::new());
        let drill = get::<Drill>(tx, self.tenant(), system.as_str()).await?.map(|stored| stored.value);
        for (Stored { value: before, revision }, seen) in reads {
            let seen = match seen {
                Ok(seen) => seen,
                Err(error) => {
                    unread = unread.or(Some(error));
                    continue;
                }
            };
            // Nothing was changed just now: what is shown is how it is.
            let verdict = judge(&seen, Timestamp::UNIX_EPOCH, 0);
            let verdict = match &drill {
                Some(drill) => drill.believed(before.class, before.at, verdict),
                None => verdict,
            };
            let known = before.verdict.clone();
            let cell = Cell {
                verdict,
                at: self.now(),
                method: seen.method,
                witness: Some(seen.witness),
                answer: Some(seen.digest),
                ..before
            };
            if cell.verdict == known {
                continue;
            }
            let mut record = self
                .record(RecordKind::Verified, "rehire")
                .case(case)
                .fact("answer", cell.answer)
                .fact("class", cell.class)
                .fact("system", system)
                .fact("verdict", cell.verdict.name())
                .fact("witness", cell.witness);
            if let Verdict::Blocked { purges_at } = &cell.verdict {
                record = record.fact("purges_at", purges_at);
            }
            updates.push(Update::new(record).replace(&cell, revision, self.entropy()));
        }
        if let Some(error) = &unread {
            updates.extend(self.tell_unread(tx, catalogue, (system, None), error).await?);
        } else {
            updates.extend(self.was_read(tx, system, [None]).await?);
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        Ok(unread)
    }

    /// Goes on from what is known now; gives when to look again, if something is still in the way.
    async fn go_on(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        case: CaseId,
        system: &SystemName,
        item: &Work,
    ) -> Result<Option<Timestamp>> {
        let Some(stored) = get::<Case>(tx, self.tenant(), &case.to_string()).await? else { return Ok(None) };
        let identity = stored.value.identity;
        let cells = self.cells_on(tx, case, system).await?;
        let left = former(cells.iter().map(|cell| &cell.value));
        self.settle_case(tx, case).await?;
        let who = get::<Identity>(tx, self.tenant(), &identity.to_string()).await?;
        // Who has left again waits for nothing; that case will be looked at by itself.
        let back = who.filter(|who| who.value.lifecycle.may_hold());
        let subject = format!("{identity}/{system}");
        match (&left, back) {
            (Former::Cleared, Some(back)) => {
                let closed = self.close_finding(tx, HELD, &subject).await?;
                tx.write(self.tenant(), closed.into_iter().collect(), self.entropy()).await?;
                let kind = EventKind::Cleared { system: system.clone() };
                self.file(tx, back, format!("cleared/{case}/{system}"), kind, None).await?;
                Ok(None)
            }
            (Former::Cleared, None) | (Former::Unread, None) => Ok(None),
            (Former::Unread, Some(_)) => Ok(Some(later(self.now(), backoff_ms(item.attempts)))),
            (Former::Blocked { .. }, Some(_)) => {
                let held = held_back(catalogue, identity, system, &left);
                let opened = self.open_all(tx, held.into_iter().collect()).await?;
                tx.write(self.tenant(), opened, self.entropy()).await?;
                Ok(Some(self.next_look(&left)))
            }
            // Nobody waits for it. What should be gone and is not is looked at until it is.
            (Former::Blocked { purged: Some(at), .. }, None) if *at > self.now() => Ok(Some(*at)),
            (Former::Blocked { .. }, None) => Ok(Some(later(self.now(), RECHECK_MS))),
        }
    }
}

fn pause(error: &ConnectorError) -> i64 {
    error.retry_after.and_then(|pause| i64::try_from(pause.as_millis()).ok()).unwrap_or_default()
}

/// What the owner of the system's integration is told.
fn held_back(
    catalogue: &Catalogue,
    identity: IdentityId,
    system: &SystemName,
    blocked: &Former,
) -> Option<Wrong> {
    let Former::Blocked { classes, purged } = blocked else { return None };
    let owner = catalogue.route(system).map_or_else(|_| "operator".into(), |r| r.integration.owner.clone());
    let classes: Vec<&str> = classes.iter().map(|class| class.as_str()).collect();
    let until = match purged {
        Some(at) => format!("until `{system}` purges it on {at:.0}"),
        None => format!("and `{system}` does not say when it purges it"),
    };
    Some(Wrong {
        code: HELD,
        subject: format!("{identity}/{system}"),
        identity: Some(identity),
        system: Some(system.clone()),
        message: format!(
            "somebody is back, and the account on `{system}` stays as it is: of {} something is only blocked and would \
             work again with it, {until}; end it there by hand to have it sooner: it is read again every hour, and goes \
             on by itself",
            classes.join(", ")
        ),
        owner,
    })
}
