//! Whether a case is closed: it follows from its cells, and from nothing else.
//!
//! Whoever wrote a cell settles its case in the same transaction and in turn, and reads the case and all of its cells after
//! that.

use bailiwick_core::{
    account::Account,
    case::{Case, Cell, closes},
    id::CaseId,
    record::RecordKind,
};
use bailiwick_store::{Filter, Select, Stored, Table, Tx, Update, get, select};

use crate::{Engine, Result, turn};

impl Engine {
    /// Closes a case of which every cell is proven, and opens one again of which one is not.
    pub(crate) async fn settle_case(&self, tx: &mut dyn Tx, id: CaseId) -> Result<()> {
        let now = self.now();
        self.take_turn(tx, &turn::of_case(id)).await?;
        let found = get::<Case>(tx, self.tenant(), &id.to_string()).await?;
        let Some(stored) = found.filter(|case| case.value.followed.is_none()) else { return Ok(()) };
        let mine = Select::from(Table::Cells).filter(Filter::Is("case_id", id.to_string().into()));
        let cells: Vec<Cell> =
            select::<Cell>(tx, self.tenant(), mine).await?.into_iter().map(|s| s.value).collect();
        match (closes(&cells, now), stored.value.closed) {
            (true, None) if self.has_all_systems(tx, &stored.value, &cells).await? => {
                let closed = Case { closed: Some(now), ..stored.value.clone() };
                self.write_case(tx, stored, closed, RecordKind::CaseClosed, ("cells", cells.len().into()))
                    .await
            }
            (false, Some(_)) => {
                let open = Case { closed: None, ..stored.value.clone() };
                self.write_case(tx, stored, open, RecordKind::CaseOpened, ("reopened", true.into())).await
            }
            (true, Some(_)) | (_, None) => Ok(()),
        }
    }

    /// Whether every system where the identity was ever seen has its cells.
    async fn has_all_systems(&self, tx: &mut dyn Tx, case: &Case, cells: &[Cell]) -> Result<bool> {
        let theirs =
            Select::from(Table::Accounts).filter(Filter::Is("identity", case.identity.to_string().into()));
        let accounts = select::<Account>(tx, self.tenant(), theirs).await?;
        Ok(accounts.iter().all(|account| cells.iter().any(|cell| cell.system == account.value.system)))
    }

    async fn write_case(
        &self,
        tx: &mut dyn Tx,
        before: Stored<Case>,
        after: Case,
        kind: RecordKind,
        (name, fact): (&'static str, serde_json::Value),
    ) -> Result<()> {
        let record = self
            .record(kind, "verify")
            .event(after.event)
            .identity(after.identity)
            .case(after.id)
            .fact(name, fact);
        let update = Update::new(record).replace(&after, before.revision, self.entropy());
        Ok(tx.write(self.tenant(), vec![update], self.entropy()).await?)
    }
}
