//! One person who is pushed: joiner, mover, leaver and back again, with the document of what was said.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    contract::{Known, NullPolicy, Sifted, SourceContract, SourceRecord, intake},
    digest::Digest,
    id::{IdentityId, IntegrationName, PushedUserId},
    identity::{Identity, Lifecycle},
    policy::AttributeValue,
    record::RecordKind,
};
use bailiwick_store::{
    Filter, Select, Stored, Table, Tx, Update,
    entities::{PushedMember, PushedUser},
    get, select,
};
use serde_json::{Map, Value};

use super::{GroupRule, Heard, PushRefusal, Pushing};
use crate::{Engine, EngineError, Result, intake::known_by};

/// What is said of one person, whole.
#[derive(Debug, Clone)]
pub struct UserWrite {
    /// Who, at the revision that was read; `None` is somebody new.
    pub of: Option<(PushedUserId, i64)>,
    /// The name that is unique in the source.
    pub user_name: String,
    /// The caller's own id.
    pub external: Option<String>,
    /// All of what was said, to be read back.
    pub document: Map<String, Value>,
    /// What it says to the hub; its key is not looked at.
    pub record: SourceRecord,
    /// What was said and is not taken from anybody, by name.
    pub ignored: BTreeSet<String>,
    /// How it was said: `create`, `replace`, `patch`.
    pub said: &'static str,
    /// Which groups are an attribute.
    pub groups: Option<GroupRule>,
}

/// The contract for one person by themselves: what it says of whole deliveries means nothing. Who leaves is heard
/// whatever is missing of them.
fn for_one(contract: &SourceContract, leaves: bool) -> SourceContract {
    let mut attributes = contract.attributes.clone();
    if leaves {
        for rule in attributes.values_mut() {
            rule.required = false;
            rule.null = NullPolicy::Ignore;
        }
    }
    SourceContract {
        attributes,
        min_rows: 0,
        max_loss_percent: 100,
        max_change_percent: 100,
        always_allowed: u64::MAX,
        cohorts: BTreeSet::new(),
        ..contract.clone()
    }
}

impl Engine {
    /// Takes what a caller says of a person.
    ///
    /// # Errors
    /// [`PushRefusal`], [`DoorRefusal`](crate::DoorRefusal); [`EngineError::Held`] when it breaks a promise of its
    /// contract, or would give power over others; `NotFound`. Nothing of it is kept then.
    pub async fn push_user(&self, caller: &IntegrationName, write: UserWrite) -> Result<Stored<PushedUser>> {
        let mut tx = self.begin().await?;
        let pushing = self.pusher(&mut *tx, caller).await?;
        let before = self.pushed_user(&mut *tx, &pushing, write.of).await?;
        self.alone_in_name(&mut *tx, &pushing, &write).await?;
        let now = self.now();
        let id = before.as_ref().map_or_else(|| PushedUserId::new(now, self.entropy()), |b| b.value.id);
        let mut record = SourceRecord { key: id.to_string(), line: 1, ..write.record };
        if let (Some(rule), Some(_)) = (&write.groups, &before) {
            let names = self.groups_of(&mut *tx, &pushing, &record.key, rule).await?;
            record.values.insert(rule.attribute.clone(), set(names));
        }
        let of = before.as_ref().and_then(|stored| stored.value.identity);
        let identity = match self.say_of(&mut *tx, &pushing, of, record).await? {
            Ok(identity) => identity,
            Err(said) => {
                drop(tx);
                return Err(self.not_taken(&pushing, said).await?);
            }
        };
        let created = before.as_ref().map_or(now, |stored| stored.value.created);
        let user = PushedUser {
            id,
            source: pushing.source().clone(),
            identity,
            user_name: write.user_name,
            external: write.external,
            document: write.document,
            created,
            modified: now,
        };
        let mut record =
            self.pushed_record(&pushing, RecordKind::Pushed).fact("resource", id).fact("said", write.said);
        record.identity = identity;
        if !write.ignored.is_empty() {
            record = record.fact("ignored", &write.ignored);
        }
        if let Some(before) = before.as_ref().filter(|before| same(&before.value, &user)) {
            let same = Stored { value: before.value.clone(), revision: before.revision };
            // What was passed over is written down also where nothing else was said.
            if !write.ignored.is_empty() {
                tx.write(self.tenant(), vec![Update::new(record)], self.entropy()).await?;
            }
            tx.commit().await?;
            return Ok(same);
        }
        let update = Update::new(record);
        let (update, revision) = match &before {
            Some(before) => (update.replace(&user, before.revision, self.entropy()), before.revision + 1),
            None => (update.insert(&user, self.entropy()), 1),
        };
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok(Stored { value: user, revision })
    }

    /// A caller takes a person out of what it pushes: they leave, and its document goes.
    ///
    /// # Errors
    /// As of [`push_user`](Self::push_user).
    pub async fn push_gone(&self, caller: &IntegrationName, who: PushedUserId, revision: i64) -> Result<()> {
        let mut tx = self.begin().await?;
        let pushing = self.pusher(&mut *tx, caller).await?;
        let Some(before) = self.pushed_user(&mut *tx, &pushing, Some((who, revision))).await? else {
            return Err(no_user(who));
        };
        let record = SourceRecord { key: who.to_string(), terminated: true, line: 1, ..Default::default() };
        if let Err(said) = self.say_of(&mut *tx, &pushing, before.value.identity, record).await? {
            drop(tx);
            return Err(self.not_taken(&pushing, said).await?);
        }
        let mut record =
            self.pushed_record(&pushing, RecordKind::Pushed).fact("resource", who).fact("said", "delete");
        record.identity = before.value.identity;
        let update = Update::new(record);
        let update = self.without_user(&mut *tx, update, &before).await?;
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        Ok(tx.commit().await?)
    }

    /// Takes the document of somebody away, and that they are in groups.
    pub(crate) async fn without_user(
        &self,
        tx: &mut dyn Tx,
        update: Update,
        of: &Stored<PushedUser>,
    ) -> Result<Update> {
        let key = PushedUser::key_of(&of.value.source, of.value.id);
        let asked = Select::from(Table::PushedMembers).filter(Filter::Is("member", key.as_str().into()));
        let mut update = update.delete::<PushedUser>(&key, of.revision);
        for Stored { value, revision } in select::<PushedMember>(tx, self.tenant(), asked).await? {
            let row = PushedMember::key_of(&value.source, value.group, &value.member);
            update = update.delete::<PushedMember>(&row, revision);
        }
        Ok(update)
    }

    async fn pushed_user(
        &self,
        tx: &mut dyn Tx,
        pushing: &Pushing,
        of: Option<(PushedUserId, i64)>,
    ) -> Result<Option<Stored<PushedUser>>> {
        let Some((id, revision)) = of else { return Ok(None) };
        let key = PushedUser::key_of(pushing.source(), id);
        let found = get::<PushedUser>(tx, self.tenant(), &key).await?.ok_or_else(|| no_user(id))?;
        match found.revision == revision {
            true => Ok(Some(found)),
            false => Err(PushRefusal::Stale(id.to_string()).into()),
        }
    }

    /// The names by which people are found are one person's alone.
    async fn alone_in_name(&self, tx: &mut dyn Tx, pushing: &Pushing, write: &UserWrite) -> Result<()> {
        let own = write.of.map(|(id, _)| id);
        let name = PushedUser::name_key(pushing.source(), &write.user_name);
        let asked = Select::from(Table::PushedUsers).filter(Filter::Is("user_name", name.into()));
        let taken = select::<PushedUser>(tx, self.tenant(), asked).await?;
        if taken.iter().any(|stored| Some(stored.value.id) != own) {
            return Err(PushRefusal::Taken("userName").into());
        }
        let rule = pushing.contract()?.attributes.get("email");
        let Some(Some(AttributeValue::Text(email))) = write.record.values.get("email") else { return Ok(()) };
        if rule.is_none_or(|rule| !rule.unique) {
            return Ok(());
        }
        let asked = Select::from(Table::Identities).filter(Filter::Is("lookup", email.to_lowercase().into()));
        let own = own.map(|id| id.to_string());
        let taken = select::<Identity>(tx, self.tenant(), asked).await?.into_iter().any(|stored| {
            let key = &stored.value.source_key;
            let here = !matches!(stored.value.lifecycle, Lifecycle::Left { .. });
            here && key.source == *pushing.source() && Some(&key.key) != own.as_ref()
        });
        if taken { Err(PushRefusal::Taken("emails").into()) } else { Ok(()) }
    }

    /// Says a record of one person: what becomes of them is accepted. Gives their identity, if they ever had one, or
    /// why it is not taken.
    async fn say_of(
        &self,
        tx: &mut dyn Tx,
        pushing: &Pushing,
        of: Option<IdentityId>,
        record: SourceRecord,
    ) -> Result<std::result::Result<Option<IdentityId>, NotTaken>> {
        // By its key and not by the id: whoever was joined to somebody is that one now.
        let own = format!("{}/{}", pushing.source(), record.key);
        let stored = match of {
            Some(_) => self.by_source_key(tx, &own).await?,
            None => None,
        };
        let fired = match &stored {
            Some(stored) => self.owed(tx).await?.get(&stored.value.id).and_then(|fired| fired.value.owed()),
            None => None,
        };
        let before: BTreeMap<_, _> = stored.into_iter().map(|stored| (record.key.clone(), stored)).collect();
        let known = before.iter();
        let known = known.map(|(key, s)| (key.clone(), known_by(&s.value, pushing.source(), key, fired)));
        let known: BTreeMap<String, Known> = known.collect();
        let said = digest(&record);
        let kept = pushing.catalogue.written_at_the_door();
        let contract = for_one(pushing.contract()?, record.terminated);
        let records = [record];
        let read = intake(Sifted::whole(&records, &contract), &contract, &known, &kept, self.now());
        if !read.breaches.is_empty() {
            return Err(EngineError::Held(read.breaches));
        }
        match self.heard(tx, pushing, &known, said, read).await? {
            Heard::Taken(read) => {
                let now = self.take_heard(tx, pushing, &before, &records, read).await?;
                Ok(Ok(now.first().map(|identity| identity.id).or(of)))
            }
            heard @ (Heard::Outside(_) | Heard::Held { .. }) => Ok(Err(NotTaken { heard, said })),
        }
    }

    /// Writes down why something was not taken, by itself; gives the refusal.
    pub(super) async fn not_taken(&self, pushing: &Pushing, not: NotTaken) -> Result<EngineError> {
        match not.heard {
            Heard::Outside(outside) => self.outside_of_push(pushing, outside).await,
            Heard::Held { breaches, would } => self.hold_push(pushing, not.said, breaches, would).await,
            Heard::Taken(_) => Err(EngineError::Inconsistent("what was taken is not refused".into())),
        }
    }
}

/// What is not taken, and the digest of what was said.
pub(super) struct NotTaken {
    pub heard: Heard,
    pub said: Digest,
}

fn digest(record: &SourceRecord) -> Digest {
    let SourceRecord { key, values, starts, ends, zone, terminated, line: _, digest: _, no_days: _ } = record;
    let day = |date: &Option<bailiwick_core::time::Date>| date.map(|date| date.to_string());
    Digest::of_value(&("pushed-v1", key, values, day(starts), day(ends), zone, terminated))
}

fn same(before: &PushedUser, after: &PushedUser) -> bool {
    PushedUser { modified: before.modified, ..after.clone() } == *before
}

pub(super) fn no_user(id: PushedUserId) -> EngineError {
    EngineError::NotFound { kind: "user", name: id.to_string() }
}

/// A set as an attribute; nothing in it is no value.
pub(super) fn set(names: BTreeSet<String>) -> Option<AttributeValue> {
    (!names.is_empty()).then_some(AttributeValue::TextSet(names))
}
