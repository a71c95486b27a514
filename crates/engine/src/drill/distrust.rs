//! What a drill showed to be untrue proves nothing any more, and what it showed to be true again is read again.
//!
//! All cells of a system are gone through, page by page, each page a transaction: a process that dies in between goes
//! on with the page after the last.

use std::collections::BTreeSet;

use bailiwick_core::{
    access::AccessClass,
    case::{Case, Cell},
    drill::Drill,
    id::{CaseId, SystemName},
    identity::{Identity, Lifecycle},
    record::RecordKind,
    verify::Verdict,
};
use bailiwick_store::{Filter, NewWork, Select, Stored, Table, Tx, Update, Work, get, select};

use crate::{Engine, Job, Result};

/// How many cells are gone through at a time.
const PAGE: u32 = 256;

impl Engine {
    /// Goes through a page of the cells of a system, after the one with the key `after`.
    pub(crate) async fn distrust(
        &self,
        item: &Work,
        system: &SystemName,
        after: Option<String>,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let drill = get::<Drill>(&mut *tx, self.tenant(), system.as_str()).await?.map(|stored| stored.value);
        let catalogue = self.catalogue(&mut *tx).await?;
        let observes = catalogue.route(system).map(|route| route.connector.capability().observes.clone());
        let (Some(drill), Ok(observes)) = (drill, observes) else {
            tx.finish(self.tenant(), item).await?;
            return Ok(tx.commit().await?);
        };
        let page =
            Select::from(Table::Cells).filter(Filter::Is("system", system.as_str().into())).page(after, PAGE);
        let cells = select::<Cell>(&mut *tx, self.tenant(), page).await?;
        let last = cells.last().map(|stored| stored.value.key()).filter(|_| cells.len() == PAGE as usize);
        let (mut doubted, mut again) = (BTreeSet::new(), BTreeSet::new());
        let mut updates = Vec::new();
        for stored in cells {
            let cell = &stored.value;
            let believed = drill.believed(cell.class, cell.verdict.clone());
            if believed != cell.verdict {
                if self.is_of_a_leaver(&mut *tx, cell.case).await? {
                    doubted.insert(cell.case);
                    updates.push(self.doubt(&drill, stored, believed));
                }
            } else if may_be_read_again(cell, &drill, &observes) {
                again.insert(cell.case);
            }
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        for case in doubted {
            let stored = get::<Case>(&mut *tx, self.tenant(), &case.to_string()).await?;
            if let Some(closed) = stored.filter(|stored| stored.value.closed.is_some()) {
                self.reopen_case(&mut *tx, closed).await?;
            }
        }
        let mut jobs = Vec::new();
        for case in again {
            jobs.extend(self.verify_again(&mut *tx, case, system).await?);
        }
        if last.is_some() {
            let next = Job::Distrust { system: system.clone(), after: last };
            jobs.push(next.work(None, None, true, self.now()));
        }
        self.enqueue(&mut *tx, jobs).await?;
        tx.finish(self.tenant(), item).await?;
        Ok(tx.commit().await?)
    }

    /// Whether the case is of somebody who is still gone. Whoever came back has a case that is over.
    async fn is_of_a_leaver(&self, tx: &mut dyn Tx, case: CaseId) -> Result<bool> {
        let Some(case) = get::<Case>(tx, self.tenant(), &case.to_string()).await? else { return Ok(false) };
        let identity = get::<Identity>(tx, self.tenant(), &case.value.identity.to_string()).await?;
        Ok(identity.is_some_and(|i| matches!(i.value.lifecycle, Lifecycle::Left { .. })))
    }

    fn doubt(&self, drill: &Drill, stored: Stored<Cell>, believed: Verdict) -> Update {
        let record = self
            .record(RecordKind::Verified, "drill")
            .case(stored.value.case)
            .fact("class", stored.value.class)
            .fact("drill", drill.at)
            .fact("system", &drill.system)
            .fact("verdict", believed.name());
        let cell = Cell { verdict: believed, at: self.now(), ..stored.value };
        Update::new(record).replace(&cell, stored.revision, self.entropy())
    }

    /// The reading back of what a case says of a system, once more.
    pub(crate) async fn verify_again(
        &self,
        tx: &mut dyn Tx,
        case: CaseId,
        system: &SystemName,
    ) -> Result<Option<NewWork>> {
        use bailiwick_store::entities::Run;
        let Some(case) = get::<Case>(tx, self.tenant(), &case.to_string()).await? else { return Ok(None) };
        let theirs = Select::from(Table::Runs)
            .filter(Filter::Is("identity", case.value.identity.to_string().into()))
            .filter(Filter::Is("system", system.as_str().into()));
        let Some(run) = select::<Run>(tx, self.tenant(), theirs).await?.pop() else { return Ok(None) };
        let (run, changed) = (run.value, self.now());
        let job = Job::Verify { run: run.id, plan: run.plan, case: Some(case.value.id), changed };
        Ok(Some(job.work(Some(run.identity), Some(&run.system), true, changed)))
    }
}

/// Whether a cell may only be unseen because a drill before showed that what is read is not true.
fn may_be_read_again(cell: &Cell, drill: &Drill, observes: &BTreeSet<AccessClass>) -> bool {
    matches!(cell.verdict, Verdict::Unobservable { .. })
        && observes.contains(&cell.class)
        && !drill.untrusted().contains(&cell.class)
}
