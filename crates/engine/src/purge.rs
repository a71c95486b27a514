//! Purging: the disabled account of somebody who left is kept for so long, and deleted then.
//!
//! That its time has come is an event; whether it is deleted is decided, planned and approved as everything else.

use bailiwick_core::{
    access::AccessClass,
    account::Account,
    case::Cell,
    event::EventKind,
    id::{IdentityId, SystemName},
    identity::Identity,
    plan::Op,
    system::System,
    time::{SignedDuration, Timestamp},
    verify::Verdict,
};
use bailiwick_store::{Filter, Select, Table, Tx, Work, entities::PlanRow, get, select};

use crate::{Engine, Haste, Job, Result};

/// When an account is looked at again that was to be deleted, hours.
const AGAIN_HOURS: i64 = 24;

impl Engine {
    /// A disabled account that is only kept is deleted when its time has come.
    pub(crate) async fn schedule_purge(
        &self,
        tx: &mut dyn Tx,
        identity: IdentityId,
        system: &System,
        cells: &[Cell],
    ) -> Result<()> {
        let due = cells.iter().find_map(|c| match (&c.verdict, c.class) {
            (Verdict::Blocked { purges_at: Some(at) }, AccessClass::PrimaryAccount) => Some(*at),
            _ => None,
        });
        // Where accounts are deleted, one is only kept when nobody had approved that it goes at once.
        let Some(due) = due else { return Ok(()) };
        let job = Job::Purge { identity, system: system.name.clone() };
        self.enqueue(tx, vec![job.work(None, None, Haste::Usual, due.max(self.now()))]).await
    }

    /// Files the event by which a disabled account is deleted, as long as its person is gone and it is there. It is looked at
    /// again until it is not: what would delete it may have been overtaken, or what is theirs is preserved.
    pub(crate) async fn purge(&self, item: &Work, identity: IdentityId, system: &SystemName) -> Result<()> {
        let mut tx = self.begin().await?;
        let stored = get::<Identity>(&mut *tx, self.tenant(), &identity.to_string()).await?;
        let stored = stored.filter(|s| s.value.lifecycle.gone().is_some());
        let theirs = |table| Select::from(table).filter(Filter::Is("identity", identity.to_string().into()));
        let accounts = select::<Account>(&mut *tx, self.tenant(), theirs(Table::Accounts)).await?;
        let Some(stored) = stored.filter(|_| accounts.iter().any(|account| account.value.system == *system))
        else {
            tx.finish(self.tenant(), item).await?;
            return Ok(tx.commit().await?);
        };
        let open = Filter::In("state", vec!["drafted".into(), "approved".into()]);
        let plans = select::<PlanRow>(&mut *tx, self.tenant(), theirs(Table::Plans).filter(open)).await?;
        let deletes =
            |row: &PlanRow| row.plan.changes.iter().any(|c| c.system == *system && c.op == Op::Delete);
        if stored.value.preserved().is_none() && !plans.iter().any(|row| deletes(&row.value)) {
            let key = format!("purge/{identity}/{system}/{}/{}", item.seq, stored.value.generation);
            self.file(&mut *tx, stored, key, EventKind::Purge { system: system.clone() }, None).await?;
        }
        let again = self.now().saturating_add(SignedDuration::from_hours(AGAIN_HOURS)).unwrap_or(self.now());
        tx.postpone(self.tenant(), item, again.as_millisecond(), false).await?;
        Ok(tx.commit().await?)
    }
}

/// Until when an account is kept that was disabled at an instant.
pub(crate) fn purge_date(system: &System, from: Timestamp) -> Option<Timestamp> {
    from.checked_add(SignedDuration::from_hours(24 * i64::from(system.retention_days))).ok()
}
