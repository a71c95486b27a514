//! What is pushed and held: it is kept as a held delivery is, with a digest of what was said. Two people release it;
//! then the same, said again, is taken once. Callers say again what was refused, so nothing waits for long.

use bailiwick_core::{
    contract::Breach,
    digest::Digest,
    guard::{Fate, Would},
    id::BatchId,
    record::RecordKind,
};
use bailiwick_store::{Filter, Select, Stored, Table, Tx, Update, entities::Batch, select};

use super::Pushing;
use crate::{Engine, EngineError, Result};

impl Engine {
    async fn of_digest(
        &self,
        tx: &mut dyn Tx,
        pushing: &Pushing,
        (state, said): (&str, Digest),
    ) -> Result<Option<Stored<Batch>>> {
        let asked = Select::from(Table::Batches)
            .filter(Filter::Is("state", state.into()))
            .filter(Filter::Is("source", pushing.source().as_str().into()));
        let all = select::<Batch>(tx, self.tenant(), asked).await?;
        Ok(all.into_iter().find(|stored| stored.value.digest == said))
    }

    /// Whether two people have let this go; then that is used up by it.
    pub(super) async fn was_released(
        &self,
        tx: &mut dyn Tx,
        pushing: &Pushing,
        said: Digest,
    ) -> Result<bool> {
        let Some(Stored { value, revision }) = self.of_digest(tx, pushing, ("released", said)).await? else {
            return Ok(false);
        };
        let record = self.pushed_record(pushing, RecordKind::BatchAccepted).fact("batch", value.id);
        let used = Batch { fate: Fate::Accepted, ..value };
        let mut updates = vec![Update::new(record).replace(&used, revision, self.entropy())];
        updates.extend(self.close_finding(tx, "feed-held", used.source.as_str()).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        Ok(true)
    }

    /// Keeps what is held, unless the same is held already. Gives the refusal.
    pub(super) async fn hold_push(
        &self,
        pushing: &Pushing,
        said: Digest,
        breaches: Vec<Breach>,
        would: Option<Would>,
    ) -> Result<EngineError> {
        let mut tx = self.begin().await?;
        if self.of_digest(&mut *tx, pushing, ("held", said)).await?.is_none() {
            let now = self.now();
            let batch = Batch {
                id: BatchId::new(now, self.entropy()),
                source: pushing.source().clone(),
                digest: said,
                at: now,
                rows: 1,
                events: 0,
                unchanged: 0,
                breaches: breaches.clone(),
                would,
                fate: Fate::Held,
            };
            self.write_batch(&mut *tx, &batch).await?;
            self.tell_whether_held(&mut *tx, &batch, &pushing.integration()?.owner).await?;
            tx.commit().await?;
        }
        Ok(EngineError::Held(breaches))
    }
}
