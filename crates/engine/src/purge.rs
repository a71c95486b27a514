//! Purging: the disabled account of somebody who left is kept for so long, and deleted then.
//!
//! That its time has come is an event; whether it is deleted is decided, planned and approved as everything else.

use bailiwick_core::{
    access::AccessClass,
    case::Cell,
    event::EventKind,
    id::{IdentityId, SystemName},
    identity::Identity,
    system::System,
    time::{SignedDuration, Timestamp},
    verify::Verdict,
};
use bailiwick_store::{Tx, Work, get};

use crate::{Engine, Haste, Job, Result};

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

    /// Files the event by which a disabled account is deleted, if the identity is still gone.
    pub(crate) async fn purge(&self, item: &Work, identity: IdentityId, system: &SystemName) -> Result<()> {
        let mut tx = self.begin().await?;
        let stored = get::<Identity>(&mut *tx, self.tenant(), &identity.to_string()).await?;
        if let Some(stored) = stored.filter(|s| s.value.lifecycle.gone().is_some()) {
            let key = format!("purge/{identity}/{system}/{}", item.seq);
            self.file(&mut *tx, stored, key, EventKind::Purge { system: system.clone() }, None).await?;
        }
        tx.finish(self.tenant(), item).await?;
        Ok(tx.commit().await?)
    }
}

/// Until when an account is kept that was disabled at an instant.
pub(crate) fn purge_date(system: &System, from: Timestamp) -> Option<Timestamp> {
    from.checked_add(SignedDuration::from_hours(24 * i64::from(system.retention_days))).ok()
}
