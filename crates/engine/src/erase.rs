//! Erasing what is personal about somebody who is gone, without breaking a proof.

use bailiwick_core::{
    engagement::Engagement,
    id::IdentityId,
    identity::{Identity, Lifecycle},
    policy::Attributes,
    record::{Actor, RecordKind},
    task::Task,
};
use bailiwick_store::{Filter, Select, Stored, Table, Tx, Update, entities::PushedUser, get, select};

use crate::{Engine, EngineError, Result};

impl Engine {
    /// Erases the personal values behind all records about an identity that has left, its attributes, what people were
    /// told and said about it in tasks, why controls were accepted, the document in which it was pushed, and the
    /// answers that are kept for who asks again.
    /// The records stay: their commitments cannot be opened any more and their proofs still verify. Gives
    /// how many values were erased.
    pub async fn erase(&self, identity: IdentityId, by: Actor) -> Result<i64> {
        let mut tx = self.begin().await?;
        let key = identity.to_string();
        let stored = get::<Identity>(&mut *tx, self.tenant(), &key)
            .await?
            .ok_or_else(|| EngineError::NotFound { kind: "identity", name: key.clone() })?;
        if !matches!(stored.value.lifecycle, Lifecycle::Left { .. }) {
            return Err(EngineError::NotGone { identity });
        }
        if stored.value.preserved().is_some() {
            return Err(EngineError::Preserved { identity });
        }
        let mut record = self.record(RecordKind::Erased, "erase").identity(identity);
        record.actor = by;
        let others = self.forwards(&mut *tx, &stored.value).await?;
        let still = |record: &Engagement| !matches!(record.lifecycle, Lifecycle::Left { .. });
        if stored.value.engagements.iter().any(still) {
            return Err(EngineError::NotGone { identity });
        }
        let mut engagements = stored.value.engagements.clone();
        engagements.iter_mut().for_each(|record| record.attributes = Attributes::new());
        let bare = Identity { attributes: Attributes::new(), engagements, said: None, ..stored.value };
        let mut update = Update::new(record).replace(&bare, stored.revision, self.entropy());
        let asked = Select::from(Table::Tasks).filter(Filter::Is("identity", key.as_str().into()));
        for task in select::<Task>(&mut *tx, self.tenant(), asked).await? {
            update = update.replace(&task.value.erased(), task.revision, self.entropy());
        }
        for user in self.pushed_of(&mut *tx, &key).await? {
            update = self.without_user(&mut *tx, update, &user).await?;
        }
        for (cell, revision) in self.cells_without_words(&mut *tx, &key).await? {
            update = update.replace(&cell, revision, self.entropy());
        }
        for (request, revision) in self.requests_without_answers(&mut *tx).await? {
            update = update.replace(&request, revision, self.entropy());
        }
        let mut erased = tx.erase(self.tenant(), &key, update, self.entropy()).await?;
        // What is known of them by the ids that were joined to this one.
        for other in others {
            let record = self.record(RecordKind::Erased, "erase").identity(other.value.id);
            let key = other.value.id.to_string();
            let mut update = Update::new(record);
            for user in self.pushed_of(&mut *tx, &key).await? {
                update = self.without_user(&mut *tx, update, &user).await?;
            }
            erased += tx.erase(self.tenant(), &key, update, self.entropy()).await?;
        }
        tx.commit().await?;
        Ok(erased)
    }

    /// The documents in which they were pushed.
    async fn pushed_of(&self, tx: &mut dyn Tx, identity: &str) -> Result<Vec<Stored<PushedUser>>> {
        let theirs = Select::from(Table::PushedUsers).filter(Filter::Is("identity", identity.into()));
        Ok(select(tx, self.tenant(), theirs).await?)
    }
}
