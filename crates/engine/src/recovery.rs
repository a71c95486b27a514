//! The hub was set back to an earlier state: it decides and plans, and changes no system until it is released.
//!
//! A backup does not know what happened after it: who left meanwhile, what was changed on systems, whose token was
//! taken away. So every token of an operator and every session ends with the restore but one, every system is
//! compared at once, and [`Shut::Restored`](bailiwick_core::gate::Shut::Restored) keeps every write back: what is
//! planned from old knowledge is seen before it is done. Reading goes on, and so does ending an integration.
//!
//! The tokens with which others call are as they were, for a feed that stops is a leaver who is not heard of. But one
//! that was taken away meanwhile works again: each is renewed or ended before changes go out.

use std::collections::BTreeSet;

use bailiwick_core::{
    digest::Digest,
    gate::HUB,
    id::{IntegrationName, RecoveryId, SourceName, SystemName},
    integration::{Integration, Role},
    record::{Actor, Logged, RecordKind},
    time::Timestamp,
};
use bailiwick_store::{
    Entity, Filter, Select, Stored, Table, Tx, Update,
    entities::{ApiToken, Batch, Caller, Operator, Passkey, Reading, Recovery, Release, Session},
    select,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Catalogue, Comes, Engine, EngineError, Result,
    fetch::reading_of,
    finding::Wrong,
    operator::in_days,
    work::{Haste, Job},
};

/// The finding while it is held; what waits for it says the same.
const HELD: &str = "hub-restored";
/// How long the token of who restores works, days.
const DAYS: u16 = 30;

/// What is known of a restore, and what was not looked at since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecoveryView {
    /// The restore.
    #[serde(flatten)]
    pub recovery: Recovery,
    /// Systems that were not compared as a whole since.
    pub systems: BTreeSet<SystemName>,
    /// Sources that delivered nothing since.
    pub sources: BTreeSet<SourceName>,
    /// Integrations that call with a token of before; that it was taken away meanwhile is not known.
    pub callers: BTreeSet<IntegrationName>,
    /// How many plans wait for somebody's approval, or to be done.
    pub plans: i64,
}

impl Engine {
    /// Begins anew from what the store holds: ends every token and session, gives `admin` a new token, holds what
    /// would go out, and has every system compared.
    ///
    /// # Errors
    /// `NotFound` when there is no administrator of this name.
    pub async fn recover(&self, admin: &str) -> Result<(Recovery, String)> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let head = tx.log_head().await?;
        let recovery = Recovery {
            id: RecoveryId::new(now, self.entropy()),
            at: now,
            of: last_known(&mut *tx).await?.unwrap_or(now),
            before: head.map(|head| String::from_utf8_lossy(&head.checkpoint).into_owned()),
            released: None,
        };
        let (operators, token) = self.only(&mut *tx, admin).await?;
        let sessions = select::<Session>(&mut *tx, self.tenant(), Select::from(Table::Sessions)).await?;
        let record = self
            .record(RecordKind::Restored, "recovery")
            .fact("recovery", recovery.id)
            .fact("of", recovery.of)
            .fact("before", &recovery.before)
            .fact("operators", operators.len())
            .fact("sessions", sessions.len());
        let mut update = Update::new(record).insert(&recovery, self.entropy());
        for (operator, revision) in &operators {
            update = update.replace(operator, *revision, self.entropy());
        }
        for session in &sessions {
            update = update.delete::<Session>(&session.value.key(), session.revision);
        }
        // What was taken away after the backup would open the hub again.
        let tokens = select::<ApiToken>(&mut *tx, self.tenant(), Select::from(Table::ApiTokens)).await?;
        for token in &tokens {
            update = update.delete::<ApiToken>(&token.value.key(), token.revision);
        }
        let passkeys = select::<Passkey>(&mut *tx, self.tenant(), Select::from(Table::Passkeys)).await?;
        for passkey in &passkeys {
            update = update.delete::<Passkey>(&passkey.value.key(), passkey.revision);
        }
        let mut updates = vec![update];
        updates.extend(self.open_finding(&mut *tx, held(&recovery, admin)).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        let mut jobs = Vec::new();
        let catalogue = self.catalogue(&mut *tx).await?;
        for system in catalogue.integrations.values().filter_map(reached) {
            let job = Job::Reconcile { system: system.clone(), after: None };
            jobs.push(job.work(None, None, Haste::Usual, now));
        }
        jobs.extend(catalogue.integrations.values().filter_map(|one| reading_of(one, now)));
        self.enqueue(&mut *tx, jobs).await?;
        tx.commit().await?;
        Ok((recovery, token))
    }

    /// The operators as they are to be: all tokens ended, but for the new one of `admin`, which is given too.
    async fn only(&self, tx: &mut dyn Tx, admin: &str) -> Result<(Vec<(Operator, i64)>, String)> {
        let token = self.new_token();
        let mut out = Vec::new();
        let mut found = false;
        for Stored { value, revision, .. } in
            select::<Operator>(tx, self.tenant(), Select::from(Table::Operators)).await?
        {
            let operator = if value.name == admin && value.roles.contains("admin") {
                found = true;
                let expires = in_days(self.now(), DAYS);
                self.sealed_operator(Operator { token: Digest::of(token.as_bytes()), expires, ..value })
            } else {
                self.ended_operator(&value)
            };
            out.push((operator, revision));
        }
        let missing = || EngineError::NotFound { kind: "administrator", name: admin.to_owned() };
        found.then_some((out, token)).ok_or_else(missing)
    }

    /// The restore that holds the hub's writes, if one does.
    pub(crate) async fn holding(&self, tx: &mut dyn Tx) -> Result<Option<Stored<Recovery>>> {
        let asked = Select::from(Table::Recoveries).filter(Filter::Is("state", Recovery::HELD.into()));
        Ok(select::<Recovery>(tx, self.tenant(), asked).await?.pop())
    }

    /// The restore that holds the hub's writes, and what was not looked at since.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn recovery(&self) -> Result<Option<RecoveryView>> {
        let mut tx = self.read().await?;
        let Some(held) = self.holding(&mut *tx).await? else { return Ok(None) };
        self.seen_since(&mut *tx, held.value).await.map(Some)
    }

    async fn seen_since(&self, tx: &mut dyn Tx, recovery: Recovery) -> Result<RecoveryView> {
        let catalogue = self.catalogue(tx).await?;
        let mut systems: BTreeSet<SystemName> =
            catalogue.integrations.values().filter_map(reached).cloned().collect();
        for reading in select::<Reading>(tx, self.tenant(), Select::from(Table::Readings)).await? {
            if reading.value.at >= recovery.at && reading.value.partial.is_none() {
                systems.remove(&reading.value.system);
            }
        }
        let mut sources = BTreeSet::new();
        for source in delivering(&catalogue) {
            let theirs = Select::from(Table::Batches).filter(Filter::Is("source", source.as_str().into()));
            let batches = select::<Batch>(tx, self.tenant(), theirs).await?;
            let read = self.last_read(tx, source).await?.map(|read| read.value.at);
            if batches.iter().map(|batch| batch.value.at).chain(read).all(|at| at < recovery.at) {
                sources.insert(source.clone());
            }
        }
        let now = self.now();
        let all = select::<Caller>(tx, self.tenant(), Select::from(Table::Callers)).await?;
        let old = |caller: &Caller| caller.made < recovery.at && caller.expires > now;
        let callers =
            all.into_iter().map(|stored| stored.value).filter(old).map(|caller| caller.integration).collect();
        let mut plans = 0;
        for state in ["drafted", "approved"] {
            let asked = Select::from(Table::Plans).filter(Filter::Is("state", state.into()));
            plans += tx.count(self.tenant(), asked).await?;
        }
        Ok(RecoveryView { recovery, systems, sources, callers, plans })
    }

    /// Lets changes go out again. What was not looked at since the restore stands in the way, unless `anyway`; then
    /// it is in the evidence.
    ///
    /// # Errors
    /// `NotFound` when nothing is held, `Unseen`, and when no reason is given.
    pub async fn release_recovery(&self, reason: &str, anyway: bool, by: &Operator) -> Result<Recovery> {
        if reason.trim().is_empty() {
            return Err(EngineError::NoReason);
        }
        let mut tx = self.begin().await?;
        let nothing = || EngineError::NotFound { kind: "restore that is held", name: HUB.into() };
        let held = self.holding(&mut *tx).await?.ok_or_else(nothing)?;
        let view = self.seen_since(&mut *tx, held.value).await?;
        let unseen: Vec<String> = view
            .systems
            .iter()
            .map(|system| format!("system `{system}` was not compared"))
            .chain(view.sources.iter().map(|source| format!("source `{source}` delivered nothing")))
            .chain(view.callers.iter().map(|caller| format!("the token of `{caller}` is of before")))
            .collect();
        if !unseen.is_empty() && !anyway {
            return Err(EngineError::Unseen(unseen));
        }
        let mut record = self
            .record(RecordKind::RestoreReleased, "recovery")
            .fact("recovery", view.recovery.id)
            .fact("unseen", &unseen)
            .personal("reason", reason);
        record.actor = Actor::Operator(by.name.clone());
        let release = Release { at: self.now(), by: by.id, unseen };
        let released = Recovery { released: Some(release), ..view.recovery };
        let mut updates = vec![Update::new(record).replace(&released, held.revision, self.entropy())];
        updates.extend(self.close_finding(&mut *tx, HELD, HUB).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        for integration in self.catalogue(&mut *tx).await?.integrations.values() {
            self.wake_work(&mut *tx, integration).await?;
        }
        tx.commit().await?;
        Ok(released)
    }
}

/// When the last record of the store was made.
async fn last_known(tx: &mut dyn Tx) -> Result<Option<Timestamp>> {
    let (indexed, _) = tx.entry_counts().await?;
    let mut last = tx.entries(indexed - 1, 1).await?.pop();
    // What has no place in the log yet is younger than what has one; it is seldom much.
    loop {
        let more = tx.written(last.as_ref().map_or(0, |entry| entry.seq), 1_000).await?;
        let Some(younger) = more.into_iter().next_back() else { break };
        last = Some(younger);
    }
    let record = last.and_then(|entry| Logged::parse(&entry.bytes).ok());
    Ok(record.map(|record| record.at))
}

/// The system that an integration reaches; the hub itself is none.
fn reached(integration: &Integration) -> Option<&SystemName> {
    match &integration.role {
        Role::Target { system } if system.as_str() != HUB => Some(system),
        Role::Target { .. } | Role::Source { .. } | Role::Log { .. } | Role::Partner { .. } => None,
    }
}

/// The sources that deliver or are read; one that pushes comes by itself.
fn delivering(catalogue: &Catalogue) -> impl Iterator<Item = &SourceName> {
    catalogue.integrations.iter().filter_map(|(name, integration)| match &integration.role {
        Role::Source { source, .. } if catalogue.comes(name) != Some(Comes::Pushed) => Some(source),
        Role::Source { .. } | Role::Target { .. } | Role::Log { .. } | Role::Partner { .. } => None,
    })
}

fn held(recovery: &Recovery, owner: &str) -> Wrong {
    Wrong {
        code: HELD,
        subject: HUB.into(),
        identity: None,
        system: None,
        message: format!(
            "the hub goes on from a backup of {:.0} and changes no system: look at what it plans, have the sources \
             deliver, then run `bailiwick recovery release --reason TEXT`",
            recovery.of
        ),
        owner: owner.to_owned(),
    }
}
