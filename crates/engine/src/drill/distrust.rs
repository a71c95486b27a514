//! What a drill showed to be untrue proves nothing any more: what rests on it is open again.
//!
//! All cells of a system are gone through, page by page, each page a transaction: a process that dies in between goes
//! on with the page after the last.

use std::collections::BTreeSet;

use bailiwick_core::{
    case::{Case, Cell},
    drill::Drill,
    id::{CaseId, IdentityId, SystemName},
    identity::Identity,
    record::RecordKind,
    verify::Verdict,
};
use bailiwick_store::{Filter, Select, Stored, Table, Tx, Update, Work, get, select};

use crate::{Engine, Haste, Job, Result, turn};

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
        let Some(drill) = drill else {
            tx.finish(self.tenant(), item).await?;
            return Ok(tx.commit().await?);
        };
        let page =
            Select::from(Table::Cells).filter(Filter::Is("system", system.as_str().into())).page(after, PAGE);
        let cells = select::<Cell>(&mut *tx, self.tenant(), page).await?;
        let last = cells.last().map(|stored| stored.value.key()).filter(|_| cells.len() == PAGE as usize);
        let mut doubted = BTreeSet::new();
        let mut updates = Vec::new();
        for stored in cells {
            let cell = &stored.value;
            // Whatever was seen before now was ended before now.
            let believed = drill.believed(cell.class, cell.at, cell.verdict.clone());
            if believed != cell.verdict && self.is_of_a_leaver(&mut *tx, cell.case).await? {
                doubted.insert(cell.case);
                updates.push(self.doubt("drill", stored, believed));
            }
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        let mut doubted: Vec<CaseId> = doubted.into_iter().collect();
        doubted.sort_by_key(|case| turn::of_case(*case));
        for case in doubted {
            self.settle_case(&mut *tx, case).await?;
        }
        if last.is_some() {
            let next = Job::Distrust { system: system.clone(), after: last };
            self.enqueue(&mut *tx, vec![next.work(None, None, Haste::Soon, self.now())]).await?;
        }
        tx.finish(self.tenant(), item).await?;
        Ok(tx.commit().await?)
    }

    /// Whether the case is of somebody who is still gone. Whoever came back has a case that is over.
    pub(crate) async fn is_of_a_leaver(&self, tx: &mut dyn Tx, case: CaseId) -> Result<bool> {
        let Some(case) = get::<Case>(tx, self.tenant(), &case.to_string()).await? else { return Ok(false) };
        self.is_gone(tx, case.value.identity).await
    }

    /// Whether nothing is to be held under this id any more.
    pub(crate) async fn is_gone(&self, tx: &mut dyn Tx, identity: IdentityId) -> Result<bool> {
        let identity = get::<Identity>(tx, self.tenant(), &identity.to_string()).await?;
        Ok(identity.is_some_and(|i| i.value.lifecycle.gone().is_some()))
    }

    /// The cell as it is believed; `step` says by what.
    pub(crate) fn doubt(&self, step: &str, stored: Stored<Cell>, believed: Verdict) -> Update {
        let record = self
            .record(RecordKind::Verified, step)
            .case(stored.value.case)
            .fact("class", stored.value.class)
            .fact("system", &stored.value.system)
            .fact("verdict", believed.name());
        let cell = Cell { verdict: believed, at: self.now(), ..stored.value };
        Update::new(record).replace(&cell, stored.revision, self.entropy())
    }
}
