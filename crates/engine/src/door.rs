//! The door: what integrations do here by themselves.
//!
//! A caller is its integration and nothing else: a token belongs to one integration, is looked up by its
//! digest, ends by itself, and says nothing about operators. What a caller may do is what was certified: with
//! the first gate it leaves notes for people, with both it writes the attributes that its scope has, of the
//! people that its scope has. What is written is an event like a source's: it is accepted, decided and planned
//! in one transaction. A write outside of the scope is refused, recorded, and stops the integration, as a call
//! out does.
//!
//! Absent on purpose: reading. A caller learns nothing here but whether its own words were taken. The pace is
//! counted by each process: a restart begins a new minute.

use std::collections::BTreeMap;

use bailiwick_connector::broker::Incident;
use bailiwick_core::{
    contract::SourceContract,
    digest::Digest,
    event::{Event, EventKind},
    gate::Shut,
    id::{EventId, IntegrationName, SignalId, SourceName},
    identity::{Identity, LEGAL_HOLD, Lifecycle},
    integration::{Integration, Role, Standing},
    perform::{Outside, permits_writing},
    policy::{AttributeType, AttributeValue},
    record::{Actor, Record, RecordKind},
    said::Said,
    scope::Operation,
    signal::{Note, Signal},
    time::{Effective, SignedDuration},
    writer::writes,
};
use bailiwick_store::{Filter, Select, Stored, Table, Tx, Update, entities::Caller, get, select};
use serde::{Deserialize, Serialize};

use crate::{Catalogue, Engine, EngineError, Result, accept::Accepted};

/// How many calls a caller has in a minute, when its scope says nothing.
const PER_MINUTE: u32 = 60;
/// How many writes a source that pushes people has in a minute, when its scope says nothing.
const PUSHES_PER_MINUTE: u32 = 6_000;
/// How often it may look at what it pushed in a minute.
const LOOKS_PER_MINUTE: u32 = 12_000;

/// Calls that have a minute of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Calls {
    /// At the door.
    Door,
    /// Of a source that pushes people: what it says.
    Push,
    /// Of the same: what it looks at.
    Look,
}

/// Why a call at the door is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DoorRefusal {
    /// Its gate is shut.
    #[error("`{0}` may not do this: {1}")]
    Shut(IntegrationName, Shut),
    /// It calls too often.
    #[error("`{integration}` has had its {limit} calls of this minute")]
    Busy {
        /// The caller.
        integration: IntegrationName,
        /// How many it has.
        limit: u32,
        /// When there is the next, seconds.
        after: u64,
    },
    /// It is outside of its scope; it is stopped.
    #[error("`{0}` is stopped: {1}")]
    Outside(IntegrationName, Outside),
    /// Somebody else writes the attribute.
    #[error("`{0}` is written by a source; the door takes it from nobody else")]
    HasWriter(String),
    /// The value is of another type than the attribute.
    #[error("`{0}` is not of the type of this attribute")]
    WrongType(String),
    /// Nobody is there any more.
    #[error("`{0}` has left; nothing is written of them any more")]
    Gone(String),
    /// What was sent says nothing that can be taken.
    #[error("{0}")]
    Malformed(&'static str),
    /// A hint is not signed by the integration that it is said to come from.
    #[error("the hint is not signed by an integration that may send hints here")]
    Unsigned,
    /// A hint is older, or younger, than it may be.
    #[error("the hint is more than five minutes old, or its sender's clock is wrong")]
    Stale,
    /// There is nothing that could be read because of a hint.
    #[error("`{0}` reaches no system that could be read because of a hint")]
    NothingToRead(IntegrationName),
    /// It is no integration that calls.
    #[error("`{0}` serves a system; only a source and a partner call at the door")]
    NoCaller(IntegrationName),
}

impl DoorRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Shut(_, shut) => shut.code(),
            Self::Busy { .. } => "too-many-calls",
            Self::Outside(_, outside) => outside.code(),
            Self::HasWriter(_) => "attribute-has-writer",
            Self::WrongType(_) => "attribute-wrong-type",
            Self::Gone(_) => "identity-left",
            Self::Malformed(_) => "request-malformed",
            Self::Unsigned => "hint-unsigned",
            Self::Stale => "hint-stale",
            Self::NothingToRead(_) => "hint-reads-nothing",
            Self::NoCaller(_) => "integration-not-caller",
        }
    }
}

/// What came of a write at the door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The attributes whose values are new.
    pub changed: Vec<String>,
}

impl Engine {
    /// Gives an integration a token to call with, which is shown this once and kept only as a digest. One
    /// that it had before does not work any more.
    pub async fn admit_caller(
        &self,
        integration: &IntegrationName,
        days: u16,
        by: Actor,
    ) -> Result<(Caller, String)> {
        let mut tx = self.begin().await?;
        let found = get::<Integration>(&mut *tx, self.tenant(), integration.as_str()).await?;
        let found = found.ok_or_else(|| no_integration(integration))?;
        if let Role::Target { .. } | Role::Log { .. } = found.value.role {
            return Err(DoorRefusal::NoCaller(integration.clone()).into());
        }
        let mut random = [0u8; 32];
        self.entropy().fill(&mut random);
        let (now, token) = (self.now(), format!("bwc_{}", Digest(random)));
        let caller = Caller {
            integration: integration.clone(),
            token: Digest::of(token.as_bytes()),
            made: now,
            expires: now.saturating_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(now),
        };
        let mut record = self
            .record_of(&mut *tx, (RecordKind::CallerAdmitted, "door"), integration)
            .await?
            .fact("expires", caller.expires);
        record.actor = by;
        let update = Update::new(record);
        let update = match get::<Caller>(&mut *tx, self.tenant(), integration.as_str()).await? {
            Some(before) => update.replace(&caller, before.revision, self.entropy()),
            None => update.insert(&caller, self.entropy()),
        };
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok((caller, token))
    }

    /// Takes the token of an integration back: it does not work any more. Gives whether there was one.
    pub async fn dismiss_caller(&self, integration: &IntegrationName, by: Actor) -> Result<bool> {
        let mut tx = self.begin().await?;
        let Some(before) = get::<Caller>(&mut *tx, self.tenant(), integration.as_str()).await? else {
            return Ok(false);
        };
        let update = self.dismissal(&mut *tx, &before, by).await?;
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The update by which a token is taken back.
    pub(crate) async fn dismissal(
        &self,
        tx: &mut dyn Tx,
        before: &Stored<Caller>,
        by: Actor,
    ) -> Result<Update> {
        let integration = &before.value.integration;
        let mut record = self.record_of(tx, (RecordKind::CallerRefused, "door"), integration).await?;
        record.actor = by;
        Ok(Update::new(record).delete::<Caller>(integration.as_str(), before.revision))
    }

    /// Whose token it is, if it is one, has not expired, and its integration is declared and not ended. Looks up a
    /// digest, so that the time it takes says nothing about tokens.
    pub async fn caller_by_token(&self, token: &str) -> Result<Option<IntegrationName>> {
        let mut tx = self.read().await?;
        let Some(caller) = self.caller_of(&mut *tx, token).await? else { return Ok(None) };
        let declared = get::<Integration>(&mut *tx, self.tenant(), caller.integration.as_str()).await?;
        let ended = |standing: &Standing| matches!(standing, Standing::Ended { .. });
        Ok(declared.filter(|found| !ended(&found.value.standing)).map(|_| caller.integration))
    }

    /// The token that this is, if there is one and it has not expired.
    pub(crate) async fn caller_of(&self, tx: &mut dyn Tx, token: &str) -> Result<Option<Caller>> {
        let digest = Digest::of(token.as_bytes()).to_string();
        let asked = Select::from(Table::Callers).filter(Filter::Is("token_digest", digest.into()));
        let found = select::<Caller>(tx, self.tenant(), asked).await?.pop();
        Ok(found.map(|stored| stored.value).filter(|caller| caller.expires > self.now()))
    }

    /// Takes a note that a caller leaves for people. Nothing follows from it by itself.
    ///
    /// # Errors
    /// [`DoorRefusal`]: it calls too often, its first gate is shut, the note cannot be taken.
    pub async fn leave_signal(&self, caller: &IntegrationName, note: Note) -> Result<Signal> {
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let integration = calling(&catalogue, caller)?;
        self.keep_pace(integration, Calls::Door)?;
        catalogue.permit(caller).reads.map_err(|shut| DoorRefusal::Shut(caller.clone(), shut))?;
        if let Some(fault) = note.fault() {
            return Err(DoorRefusal::Malformed(fault).into());
        }
        let now = self.now();
        let id = SignalId::new(now, self.entropy());
        let signal = Signal { id, integration: caller.clone(), note, at: now };
        let actor = Actor::Integration(caller.to_string());
        let mut record = Record::new(RecordKind::SignalLeft, now, actor, self.entropy())
            .fact("integration", caller)
            .fact("kind", &signal.note.kind)
            .fact("signal", id)
            .personal("note", (&signal.note.about, &signal.note.text));
        // Under the person it is about, so that it can be erased with what else is personal about them.
        if let Some(about) = &signal.note.about {
            record.identity = self.by_source_key(&mut *tx, about).await?.map(|stored| stored.value.id);
        }
        let update = Update::new(record).insert(&signal, self.entropy());
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok(signal)
    }

    /// All notes, the latest last.
    pub async fn signals(&self) -> Result<Vec<Signal>> {
        let mut tx = self.read().await?;
        let all = select::<Signal>(&mut *tx, self.tenant(), Select::from(Table::Signals)).await?;
        Ok(all.into_iter().map(|stored| stored.value).collect())
    }

    /// Writes attributes of an identity for a caller; `None` takes a value away. What is new is an event of
    /// the caller's, decided and planned in the same transaction.
    ///
    /// # Errors
    /// [`DoorRefusal`]: as of [`leave_signal`](Self::leave_signal), and the second gate is shut, the write is
    /// outside of the scope (then the integration is stopped), a value is of the wrong type, the identity has
    /// left. `NotFound` when there is no such identity.
    pub async fn write_attributes(
        &self,
        caller: &IntegrationName,
        source: &SourceName,
        key: &str,
        attributes: BTreeMap<String, Option<AttributeValue>>,
    ) -> Result<Written> {
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let integration = calling(&catalogue, caller)?;
        self.keep_pace(integration, Calls::Door)?;
        catalogue.permit(caller).writes.map_err(|shut| DoorRefusal::Shut(caller.clone(), shut))?;
        if attributes.is_empty() {
            return Err(DoorRefusal::Malformed("`attributes` names nothing to be written").into());
        }
        let name = format!("{source}/{key}");
        let found = self.by_source_key(&mut *tx, &name).await?;
        // What is outside is outside also where nobody is: it must not tell who is there.
        let of = found.as_ref().map(|stored| &stored.value.attributes);
        let nobody = bailiwick_core::policy::Attributes::new();
        let inside = permits_writing(&integration.scope, attributes.keys(), of.unwrap_or(&nobody));
        if let Err(outside) = inside {
            let is_unknown = found.is_none() && outside == Outside::Population;
            drop(tx);
            if is_unknown {
                return Err(EngineError::NotFound { kind: "identity", name });
            }
            self.trespass(caller, &name, &outside).await?;
            return Err(DoorRefusal::Outside(caller.clone(), outside).into());
        }
        let all: Vec<Integration> = catalogue.integrations.values().cloned().collect();
        if let Some(taken) = attributes.keys().find(|attribute| !writes(&all, integration, attribute)) {
            return Err(DoorRefusal::HasWriter(taken.clone()).into());
        }
        let stored = found.ok_or_else(|| EngineError::NotFound { kind: "identity", name: name.clone() })?;
        // Whether they are under legal hold counts beyond that.
        let of_hold = attributes.keys().all(|attribute| attribute == LEGAL_HOLD);
        if matches!(stored.value.lifecycle, Lifecycle::Left { .. }) && !of_hold {
            return Err(DoorRefusal::Gone(name).into());
        }
        if let Some(wrong) = attributes.iter().find(|(name, value)| !fits(integration, name, value.as_ref()))
        {
            return Err(DoorRefusal::WrongType(wrong.0.clone()).into());
        }
        let (identity, changed) = written(&stored, attributes);
        if changed.is_empty() {
            return Ok(Written { changed });
        }
        let accepted = self.taken(caller, identity, stored.revision, &changed);
        self.accept(&mut *tx, vec![accepted]).await?;
        tx.commit().await?;
        Ok(Written { changed })
    }

    fn taken(
        &self,
        caller: &IntegrationName,
        identity: Identity,
        revision: i64,
        changed: &[String],
    ) -> Accepted {
        let now = self.now();
        let event = Event {
            id: EventId::new(now, self.entropy()),
            source: caller.to_string(),
            key: format!("{}#{}", identity.source_key, identity.generation),
            identity: identity.id,
            kind: EventKind::Changed { attributes: changed.to_vec() },
            effective: Effective::at(now),
            accepted: now,
        };
        let actor = Actor::Integration(caller.to_string());
        Accepted { identity, revision: Some(revision), event, actor }
    }

    /// Records a write outside of the scope and stops the integration.
    async fn trespass(&self, caller: &IntegrationName, target: &str, outside: &Outside) -> Result<()> {
        let reason = outside.to_string();
        self.parts.broker.stop(caller, reason.clone());
        self.record_incident(Incident {
            integration: caller.clone(),
            operation: Operation::Update,
            method: "PATCH",
            path: "/identities/{}/{}".into(),
            called: format!("/identities/{target}"),
            reason,
            at: self.now(),
        })
        .await
    }

    /// Takes one call out of the minute of a caller.
    pub(crate) fn keep_pace(&self, integration: &Integration, calls: Calls) -> Result<()> {
        let own = integration.scope.writes_per_minute;
        let limit = match calls {
            Calls::Door => own.map_or(PER_MINUTE, |own| own.min(PER_MINUTE)),
            Calls::Push => own.unwrap_or(PUSHES_PER_MINUTE),
            Calls::Look => LOOKS_PER_MINUTE,
        };
        let mut pace =
            self.pace.lock().map_err(|_| EngineError::Inconsistent("the pace is in disorder".into()))?;
        let window = pace.entry((integration.name.clone(), calls)).or_default();
        window.take(self.now(), limit).map_err(|wait| {
            let after = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            DoorRefusal::Busy { integration: integration.name.clone(), limit, after }.into()
        })
    }
}

/// The integration that calls, as it is declared.
pub(crate) fn calling<'c>(catalogue: &'c Catalogue, caller: &IntegrationName) -> Result<&'c Integration> {
    let found = catalogue.integrations.get(caller).ok_or_else(|| no_integration(caller))?;
    match found.role {
        Role::Source { .. } | Role::Partner { .. } => Ok(found),
        // It was something else when it got its token.
        Role::Target { .. } | Role::Log { .. } => Err(DoorRefusal::NoCaller(caller.clone()).into()),
    }
}

fn no_integration(name: &IntegrationName) -> EngineError {
    EngineError::NotFound { kind: "integration", name: name.to_string() }
}

/// Whether a value is of the type of the attribute: the one that the caller's own contract promises, or text.
fn fits(integration: &Integration, name: &str, value: Option<&AttributeValue>) -> bool {
    let rule = match &integration.role {
        Role::Source { contract: SourceContract { attributes, .. }, .. } => attributes.get(name),
        Role::Target { .. } | Role::Log { .. } | Role::Partner { .. } => None,
    };
    match (value, rule) {
        (Some(value), rule) => rule.map_or(AttributeType::Text, |rule| rule.kind).admits(value),
        (None, Some(rule)) => !rule.required,
        (None, None) => true,
    }
}

/// The identity after the write, and which values are new.
fn written(
    stored: &Stored<Identity>,
    attributes: BTreeMap<String, Option<AttributeValue>>,
) -> (Identity, Vec<String>) {
    let mut identity = stored.value.clone();
    let mut changed = Vec::new();
    for (name, value) in attributes {
        if identity.attributes.get(&name) != value.as_ref() {
            // What is written here is the person's, whichever of their records leads.
            let records = identity.engagements.iter_mut().map(|record| &mut record.attributes);
            for attributes in records.chain([&mut identity.attributes]) {
                match &value {
                    Some(value) => drop(attributes.insert(name.clone(), value.clone())),
                    None => drop(attributes.remove(&name)),
                }
            }
            changed.push(name);
        }
    }
    identity.generation += 1;
    // No source says anything of it.
    identity.said = identity.said.map(Said::renewed);
    (identity, changed)
}
