//! Firing: one event for each of the people, all in one transaction, and what follows from it before it ends.

use std::collections::BTreeSet;

use bailiwick_core::{
    approval::Approval,
    id::{EventId, IdentityId, SystemName, TerminationId},
    identity::{Identity, Lifecycle},
    record::{Actor, RecordKind},
    system::OnLeave,
    termination::{SourceWord, Termination, TerminationState},
};
use bailiwick_store::{Stored, Tx, Update, entities::Operator, get};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gone;
use crate::{Catalogue, Engine, EngineError, Result, accept::Accepted};

/// What came of firing a termination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fired {
    /// Which.
    pub termination: TerminationId,
    /// Who.
    pub identity: IdentityId,
    /// The event that it made; none for somebody who had left before.
    pub event: Option<EventId>,
    /// Where the account is disabled and not deleted, because nobody approved that.
    pub spared: BTreeSet<SystemName>,
}

impl Engine {
    /// Makes people leave, now and all at once. One authorised person is enough. Who has left before is passed over.
    ///
    /// # Errors
    /// When there is no such termination for the caller, or one of them is not armed; then nobody leaves.
    pub async fn fire(&self, which: &[String], by: &Operator) -> Result<Vec<Fired>> {
        let found = self.find_all(which, by).await?;
        let now = self.now();
        for stored in &found {
            stored.value.armed_at(now)?;
        }
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let (mut fired, mut events) = (Vec::with_capacity(found.len()), Vec::with_capacity(found.len()));
        for stored in found {
            let id = stored.value.identity.to_string();
            let nobody = || EngineError::Inconsistent(format!("{} is for nobody", stored.value.id));
            let identity = get::<Identity>(&mut *tx, self.tenant(), &id).await?.ok_or_else(nobody)?;
            // Who was joined to another since is that one.
            let identity = self.followed(&mut *tx, identity).await?.ok_or_else(nobody)?;
            if matches!(identity.value.lifecycle, Lifecycle::Left { .. }) {
                fired.push(self.gone_before(&mut *tx, stored, by).await?);
                continue;
            }
            let (done, accepted) = self.fire_one(&mut *tx, &catalogue, stored, identity, by).await?;
            fired.push(done);
            events.push(accepted);
        }
        self.accept(&mut *tx, events).await?;
        tx.commit().await?;
        Ok(fired)
    }

    async fn fire_one(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        stored: Stored<Termination>,
        identity: Stored<Identity>,
        by: &Operator,
    ) -> Result<(Fired, Accepted)> {
        let now = self.now();
        let Stored { value: termination, revision } = stored;
        let fresh = self.foresee(tx, catalogue, &identity.value, termination.id).await?;
        let ahead = self.usable_ahead(tx, &termination).await?;
        let spared = match self.rule_deletes(catalogue, &fresh)? {
            true => BTreeSet::new(),
            false => {
                let deletes = catalogue.rules.iter().filter(|(_, rule)| rule.on_leave == OnLeave::Delete);
                termination.spared(&fresh, deletes.map(|(system, _)| system), ahead.is_some())
            }
        };
        let event = self.fired_event(&identity.value, termination.id, spared.clone());
        let (at, by_id, word) = (now, by.id, SourceWord::Owed);
        let state = TerminationState::Fired { at, by: by_id, event: event.id, spared: spared.clone(), word };
        let reason = termination.reason.clone();
        let done = Termination { state, ..termination };
        let mut record = self
            .told(RecordKind::TerminationFired, &done, by)
            .event(event.id)
            .identity(done.identity)
            .fact("changed_since", done.plan.rests_on != fresh.rests_on)
            .fact("prepared", done.digest)
            .fact("spared", &spared)
            .personal("reason", reason);
        if let Some(ahead) = &ahead {
            record = record.fact("approval", ahead.value.id);
        }
        let mut update = Update::new(record).replace(&done, revision, self.entropy());
        if let Some(Stored { value, revision }) = ahead {
            let used = value.consume(&done.plan, now)?;
            update = update.replace(&used, revision, self.entropy());
        }
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        let fired = Fired { termination: done.id, identity: done.identity, event: Some(event.id), spared };
        let accepted = Accepted {
            identity: gone(&identity.value, now),
            revision: Some(identity.revision),
            event,
            actor: Actor::Operator(by.name.clone()),
        };
        Ok((fired, accepted))
    }

    /// The approval that was given ahead, if it is ours, for this plan, and neither used nor too old.
    async fn usable_ahead(&self, tx: &mut dyn Tx, of: &Termination) -> Result<Option<Stored<Approval>>> {
        let given = self.approved_ahead(tx, of.plan.id).await?;
        let now = self.now();
        Ok(given
            .filter(|given| self.genuine(&given.value) && given.value.clone().consume(&of.plan, now).is_ok()))
    }

    async fn gone_before(
        &self,
        tx: &mut dyn Tx,
        stored: Stored<Termination>,
        by: &Operator,
    ) -> Result<Fired> {
        let state = TerminationState::Overtaken { at: self.now() };
        let over = Termination { state, ..stored.value };
        let record = self.told(RecordKind::TerminationFired, &over, by).fact("had_left", true);
        let update = Update::new(record).replace(&over, stored.revision, self.entropy());
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        Ok(Fired { termination: over.id, identity: over.identity, event: None, spared: BTreeSet::new() })
    }
}
