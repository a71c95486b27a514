//! Hints: a system says that something happened there (Standard Webhooks 1.0.0), and the hub looks for itself.
//!
//! Promises: a hint is signed with a secret of its integration, is young, and counts once; what it says is not even read. It
//! has the system compared or the source read, which is what would be done anyway, only sooner: many hints within seconds are
//! one comparison, and none is lost while one runs. So nobody gains anything by a forged or repeated hint but a comparison.
//! Absent: hints of sources that deliver or push; and hints by keys of their own (`v1a`).

use std::sync::Arc;

use bailiwick_connector::seal::{HookSecret, Signed};
use bailiwick_core::{
    digest::Digest,
    id::IntegrationName,
    integration::{Integration, Role},
    record::{Actor, RecordKind},
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{
    Filter, Select, Stored, Table, Tx, Update,
    entities::{Hint, Hook},
    get, select,
};

use crate::{Catalogue, Comes, DoorRefusal, Engine, EngineError, Haste, Job, Result, door::Calls};

/// How old a hint may be, or how far ahead its sender's clock.
const YOUNG: SignedDuration = SignedDuration::from_mins(5);
/// How long its id is remembered: for as long as it could come again.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(15);
/// How long the secret before the present one goes on working.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// Hints of so many seconds are one comparison.
const TOGETHER: i64 = 5;
/// The longest id of a hint, bytes.
const ID: usize = 256;

impl Engine {
    /// Makes a secret for the hints of an integration, which is shown this once. The one before works for a day more.
    ///
    /// # Errors
    /// `NotFound`; [`DoorRefusal::NothingToRead`] when the integration reaches no system and is of no source that is read.
    pub async fn make_hook(&self, name: &IntegrationName, by: Actor) -> Result<HookSecret> {
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        read_for(&catalogue, integration(&catalogue, name)?)?;
        let before = get::<Hook>(&mut *tx, self.tenant(), name.as_str()).await?;
        // After an end the last secret is over at once: a number is left out, which nobody has.
        let skipped = |hook: &Hook| if hook.ended.is_some() { 2 } else { 1 };
        let number = before.as_ref().map_or(1, |before| before.value.number + skipped(&before.value));
        let hook = Hook { integration: name.clone(), number, made: self.now(), ended: None };
        let mut record =
            self.record_of(&mut *tx, (RecordKind::HookMade, "hook"), name).await?.fact("number", number);
        record.actor = by;
        let update = Update::new(record);
        let update = match before {
            Some(before) => update.replace(&hook, before.revision, self.entropy()),
            None => update.insert(&hook, self.entropy()),
        };
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok(self.parts.broker.hook_secret(name, number))
    }

    /// Takes the secret back: no hint of the integration is taken any more.
    ///
    /// # Errors
    /// `NotFound` when it has none.
    pub async fn end_hook(&self, name: &IntegrationName, by: Actor) -> Result<()> {
        let mut tx = self.begin().await?;
        let update = self.hook_ended(&mut *tx, name, by).await?;
        let update =
            update.ok_or_else(|| EngineError::NotFound { kind: "hook of", name: name.to_string() })?;
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        Ok(tx.commit().await?)
    }

    /// What takes the secret back, if there is one.
    pub(crate) async fn hook_ended(
        &self,
        tx: &mut dyn Tx,
        name: &IntegrationName,
        by: Actor,
    ) -> Result<Option<Update>> {
        let before = get::<Hook>(tx, self.tenant(), name.as_str()).await?;
        let Some(before) = before.filter(|before| before.value.ended.is_none()) else { return Ok(None) };
        let mut record = self.record_of(tx, (RecordKind::HookEnded, "hook"), name).await?;
        record.actor = by;
        let ended = Hook { ended: Some(self.now()), ..before.value };
        Ok(Some(Update::new(record).replace(&ended, before.revision, self.entropy())))
    }

    /// Takes a hint. The same one twice is taken once; gives when the system or source is read for it.
    ///
    /// # Errors
    /// [`DoorRefusal`]: not signed by the integration (also when there is none of that name), too old, too many, shut.
    pub async fn take_hint(&self, name: &str, hint: Signed<'_>) -> Result<Timestamp> {
        let now = self.now();
        let name = IntegrationName::new(name).map_err(|_| DoorRefusal::Unsigned)?;
        // Whoever forges hints, or sends too many, is not to keep those who write waiting.
        let catalogue = self.signed_for(&mut *self.read().await?, &name, hint, now).await?;
        self.keep_pace(signer(&catalogue, &name)?, Calls::Door)?;
        readable(&catalogue, &name)?;
        if hint.id.is_empty() || hint.id.len() > ID {
            return Err(DoorRefusal::Malformed("`webhook-id` is empty or too long").into());
        }
        let sent = hint.timestamp.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        if sent.is_none_or(|sent| sent.duration_since(now).abs() > YOUNG) {
            return Err(DoorRefusal::Stale.into());
        }
        let mut tx = self.begin().await?;
        // The hook may have ended meanwhile, or a gate been shut.
        let catalogue = self.signed_for(&mut *tx, &name, hint, now).await?;
        let job = readable(&catalogue, &name)?;
        let read = self.keep_hint(&mut *tx, &name, job, hint, now).await?;
        tx.commit().await?;
        Ok(read)
    }

    /// What is declared, if the integration has a hook and signed the hint.
    async fn signed_for(
        &self,
        tx: &mut dyn Tx,
        name: &IntegrationName,
        hint: Signed<'_>,
        now: Timestamp,
    ) -> Result<Arc<Catalogue>> {
        let catalogue = self.catalogue(tx).await?;
        let hook = get::<Hook>(tx, self.tenant(), name.as_str()).await?;
        match hook.is_some_and(|hook| self.is_signed(&hook.value, hint, now)) {
            true => Ok(catalogue),
            false => Err(DoorRefusal::Unsigned.into()),
        }
    }

    fn is_signed(&self, hook: &Hook, hint: Signed<'_>, now: Timestamp) -> bool {
        let signed = |number| self.parts.broker.hook_signed(&hook.integration, number, hint);
        let before = hook.number > 1 && now.duration_since(hook.made) < OVERLAP;
        hook.ended.is_none() && (signed(hook.number) || before && signed(hook.number - 1))
    }

    /// Writes the hint down, and has the system read unless that is to come already.
    async fn keep_hint(
        &self,
        tx: &mut dyn Tx,
        name: &IntegrationName,
        job: Job,
        hint: Signed<'_>,
        now: Timestamp,
    ) -> Result<Timestamp> {
        let id = Digest::of(hint.id.as_bytes());
        let theirs = Select::from(Table::Hints).filter(Filter::Is("integration", name.as_str().into()));
        let known: Vec<Stored<Hint>> = select(tx, self.tenant(), theirs).await?;
        if let Some(same) = known.iter().find(|known| known.value.id == id) {
            return Ok(same.value.read);
        }
        let slot = (now.as_second().div_euclid(TOGETHER) + 1) * TOGETHER;
        let read = Timestamp::from_second(slot).unwrap_or(now);
        let taken = Hint { integration: name.clone(), id, at: now, read };
        let mut record = self
            .record(RecordKind::Hinted, "hook")
            .fact("body", Digest::of(hint.body))
            .fact("hint", id)
            .fact("integration", name)
            .fact_if("source", if let Job::Fetch { source, .. } = &job { Some(source) } else { None })
            .fact_if("system", if let Job::Reconcile { system, .. } = &job { Some(system) } else { None });
        record.actor = Actor::Integration(name.to_string());
        let mut update = Update::new(record).insert(&taken, self.entropy());
        for old in known.iter().filter(|known| now.duration_since(known.value.at) > REMEMBERED) {
            update = update.delete::<Hint>(&Hint::key_of(name, old.value.id), old.revision);
        }
        if !known.iter().any(|known| known.value.read == read) {
            self.enqueue(tx, vec![job.work(None, None, Haste::Usual, read)]).await?;
        }
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        Ok(read)
    }
}

fn integration<'c>(catalogue: &'c Catalogue, name: &IntegrationName) -> Result<&'c Integration> {
    let missing = || EngineError::NotFound { kind: "integration", name: name.to_string() };
    catalogue.integrations.get(name).ok_or_else(missing)
}

/// The integration that signed a hint, if it is still declared.
fn signer<'c>(catalogue: &'c Catalogue, name: &IntegrationName) -> Result<&'c Integration> {
    integration(catalogue, name).map_err(|_| DoorRefusal::Unsigned.into())
}

/// What is read for a hint of the integration, as its gates stand.
fn readable(catalogue: &Catalogue, name: &IntegrationName) -> Result<Job> {
    let found = signer(catalogue, name)?;
    catalogue.permit(name).reads.map_err(|shut| DoorRefusal::Shut(name.clone(), shut))?;
    read_for(catalogue, found)
}

/// What is read for a hint of the integration.
fn read_for(catalogue: &Catalogue, integration: &Integration) -> Result<Job> {
    match &integration.role {
        Role::Target { system } | Role::Partner { system: Some(system) } => {
            Ok(Job::Reconcile { system: system.clone(), after: None })
        }
        Role::Source { source, .. } if catalogue.comes(&integration.name) == Some(Comes::Read) => {
            Ok(Job::Fetch { source: source.clone(), after: None })
        }
        Role::Source { .. } | Role::Log { .. } | Role::Partner { system: None } => {
            Err(DoorRefusal::NothingToRead(integration.name.clone()).into())
        }
    }
}
