//! Accepting events: what is accepted is decided and planned in the same transaction.
//!
//! Two things take their time, working out what is to be written and writing it, and they go on at
//! once: while a chunk is written, the next one is drafted on another thread. Drafting reads nothing and
//! decides from what was read before, so it must not depend on the chunk that is being written; it
//! does not, because no identity is in a delivery twice and what is known of one is its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bailiwick_core::{
    event::{Event, EventKind},
    id::OperatorId,
    identity::Identity,
    record::{Actor, Record, RecordKind},
    transfer,
};
use bailiwick_store::{Ready, Tx, Update};
use tokio::task::JoinHandle;

use crate::{
    Catalogue, Engine, EngineError, Haste, Job, Result,
    decide::{Known, Outcome},
};

/// How many events are drafted and written at a time.
const CHUNK: usize = 512;

/// An event that is being accepted, with what it makes of its identity.
pub(crate) struct Accepted {
    pub identity: Identity,
    /// The revision of the identity that is replaced; `None` when it is new.
    pub revision: Option<i64>,
    pub event: Event,
    pub actor: Actor,
}

/// What came of drafting a chunk: the updates apart, ready to be written.
type Draft = (Outcome, Ready);

impl Engine {
    /// Accepts events and decides and plans for them, in one transaction. No identity is among them twice.
    pub(crate) async fn accept(&self, tx: &mut dyn Tx, accepted: Vec<Accepted>) -> Result<()> {
        self.accept_each(tx, accepted.into_iter().map(Ok)).await
    }

    /// The same with events that are made as they are needed: a few hundred of them are there at a time.
    #[tracing::instrument(name = "decide", skip_all, fields(events = accepted.size_hint().0))]
    pub(crate) async fn accept_each(
        &self,
        tx: &mut dyn Tx,
        mut accepted: impl Iterator<Item = Result<Accepted>> + Send,
    ) -> Result<()> {
        let catalogue = self.catalogue(tx).await?;
        let (mut departed, mut gone, mut come_or_gone) = (BTreeMap::new(), BTreeSet::new(), false);
        let (mut drafted, mut ended): (Option<Draft>, _) = (None, BTreeSet::new());
        loop {
            let chunk = accepted.by_ref().take(CHUNK).collect::<Result<Vec<Accepted>>>()?;
            for Accepted { identity, revision, event, .. } in &chunk {
                departed.extend(
                    transfer::departure(&event.kind).map(|how| (identity.source_key.to_string(), how)),
                );
                let leaves = event.kind.leaves();
                gone.extend(leaves.then_some(identity.id));
                come_or_gone |= leaves || (revision.is_some() && event.kind == EventKind::Joined);
            }
            let drafting = match chunk.is_empty() {
                true => None,
                false => {
                    let leave = chunk.iter().filter(|a| a.event.kind.leaves()).map(|a| &a.identity);
                    self.take_turn_of_operators(tx, leave).await?;
                    // Nothing can be known of who is new.
                    let old = chunk.iter().filter(|a| a.revision.is_some()).map(|a| a.identity.id).collect();
                    let known = self.know(tx, old).await?;
                    let ended = std::mem::take(&mut ended);
                    Some(self.drafting(catalogue.clone(), known, chunk, ended))
                }
            };
            if let Some((out, ready)) = drafted {
                self.write_outcome(tx, out, ready).await?;
            }
            let Some(drafting) = drafting else {
                self.keep_names(tx, &catalogue, gone).await?;
                self.departed(tx, &catalogue, departed).await?;
                return if come_or_gone { self.judge_automations(tx).await } else { Ok(()) };
            };
            let lost = |_| EngineError::Inconsistent("deciding was cut off; nothing of it is kept".into());
            let draft = drafting.await.map_err(lost)??;
            ended.clone_from(&draft.0.ended);
            drafted = Some(draft);
        }
    }

    /// Drafts a chunk on a thread for work that blocks: it is nothing but computing. `ended` are the operators whom the
    /// chunks before it end: what was read may not say so yet.
    fn drafting(
        &self,
        catalogue: Arc<Catalogue>,
        known: Known,
        chunk: Vec<Accepted>,
        ended: BTreeSet<OperatorId>,
    ) -> JoinHandle<Result<Draft>> {
        let engine = self.clone();
        tokio::task::spawn_blocking(move || {
            let mut bulk = catalogue.policies.bulk();
            let mut out = Outcome { ended, ..Outcome::default() };
            for Accepted { identity, revision, event, actor } in chunk {
                out.updates.push(engine.accepted(actor, &event, &identity, revision));
                if let Some(due) = identity.due(engine.now()) {
                    out.jobs.push(Job::Wake { identity: identity.id }.work(None, None, Haste::Soon, due));
                }
                engine.decide_one(&catalogue, &mut bulk, &known, &identity, &event, &mut out);
            }
            let updates = std::mem::take(&mut out.updates);
            Ok((out, Ready::new(engine.tenant(), updates, engine.entropy())?))
        })
    }

    /// The update by which an event and what it makes of its identity are accepted.
    pub(crate) fn accepted(
        &self,
        actor: Actor,
        event: &Event,
        identity: &Identity,
        revision: Option<i64>,
    ) -> Update {
        let record = Record::new(RecordKind::EventAccepted, event.accepted, actor, self.entropy())
            .event(event.id)
            .identity(identity.id)
            .fact("effective", event.effective.at)
            .fact("generation", identity.generation)
            .fact("kind", event.kind.name())
            .fact("state", identity.lifecycle.name())
            .personal("identity", (&identity.source_key, &identity.attributes));
        let update = Update::new(record).insert(event, self.entropy());
        match revision {
            Some(revision) => update.replace(identity, revision, self.entropy()),
            None => update.insert(identity, self.entropy()),
        }
    }

    /// Writes what deciding wants written. `ready` are its updates.
    pub(crate) async fn write_outcome(&self, tx: &mut dyn Tx, out: Outcome, ready: Ready) -> Result<()> {
        tx.write_ready(ready).await?;
        let mut findings = self.open_all(tx, out.wrongs).await?;
        findings.extend(self.close_findings(tx, &out.mended).await?);
        if !findings.is_empty() {
            tx.write(self.tenant(), findings, self.entropy()).await?;
        }
        self.enqueue(tx, out.jobs).await
    }
}
