//! Several records of one person: what a delivery says of those who have more than one, and a record that says by which
//! key its person was known before.
//!
//! A record joins the person whom its source names by their earlier key, and makes no identity of its own: what is kept
//! of its key is only where it leads. Of somebody inactive, or with power over others, two people say so instead; never
//! does an e-mail address or a name join anybody.

use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry};

use bailiwick_core::{
    account::Account,
    contract::{Arrival, SourceContract, SourceRecord},
    digest::Digest,
    engagement::{self, Engagement, RANK},
    event::Event,
    finding::Finding,
    id::{EventId, IdentityId, SourceName},
    identity::{Identity, IdentityKind, Lifecycle, SourceKey},
    integration::Role,
    record::{Actor, Record, RecordKind},
    time::{Effective, Timestamp},
};
use bailiwick_store::{Filter, Pages, Select, Stored, Table, Tx, Update, entities::Operator, get, select};

use crate::{Catalogue, Engine, Result, accept::Accepted, finding::Wrong};

/// How many people are read at a time.
const PAGE: u32 = 1_000;
/// The finding that a record names an earlier key that nobody is known by.
const UNKNOWN: &str = "previous-key-unknown";
/// The finding that two identities may be one person, and people are to say.
pub(crate) const AMBIGUOUS: &str = "identity-ambiguous";

/// What several records say of one person, being gathered.
struct Gathered {
    before: Stored<Identity>,
    after: Identity,
    /// The key whose event it is.
    key: SourceKey,
}

/// What a delivery says of a source that is known.
pub(crate) struct Delivered<'d> {
    pub source: &'d SourceName,
    pub owner: &'d str,
    pub contract: &'d SourceContract,
    pub records: &'d [SourceRecord],
}

impl Engine {
    /// The events of a delivery: one for each person, whatever number of records says something new.
    pub(crate) async fn gather(
        &self,
        tx: &mut dyn Tx,
        delivered: &Delivered<'_>,
        at: Timestamp,
        before: &BTreeMap<String, Stored<Identity>>,
        arrivals: Vec<Arrival>,
    ) -> Result<Vec<Accepted>> {
        let catalogue = self.catalogue(tx).await?;
        let joining = self.joining(tx, &catalogue, delivered, before, &arrivals).await?;
        let joined: BTreeSet<IdentityId> = joining.values().map(|stored| stored.value.id).collect();
        let (mut out, mut gathered) = (Vec::with_capacity(arrivals.len()), BTreeMap::new());
        let mut forwards = Vec::new();
        for arrival in arrivals {
            let known = before.get(&arrival.key).or_else(|| joining.get(&arrival.key));
            let several =
                |s: &&Stored<Identity>| !s.value.engagements.is_empty() || joined.contains(&s.value.id);
            let Some(stored) = known.filter(several) else {
                out.push(self.arrived(delivered.source, at, before.get(&arrival.key), arrival));
                continue;
            };
            if joining.contains_key(&arrival.key) {
                forwards.push(self.forward(delivered.source, &arrival.key, stored.value.id));
            }
            let key = SourceKey { source: delivered.source.clone(), key: arrival.key.clone() };
            let one = gathered.entry(stored.value.id).or_insert_with(|| Gathered {
                before: stored.clone(),
                after: stored.value.clone(),
                key: key.clone(),
            });
            let rank = rank_of(&catalogue, &one.after.source_key.source);
            one.after.cancelled.retain(|cancelled| cancelled.key != key);
            one.after.cancelled.extend(arrival.cancelled.clone());
            let record = self.as_record(key, arrival, &one.after, delivered.contract.rank);
            one.after = one.after.clone().with_record(record, rank, self.now());
        }
        tx.write(self.tenant(), forwards, self.entropy()).await?;
        out.extend(gathered.into_values().map(|one| self.gathered(delivered.source, at, one)));
        Ok(out)
    }

    fn as_record(&self, key: SourceKey, arrival: Arrival, of: &Identity, rank: u16) -> Engagement {
        let known = of.engagements.iter().find(|record| record.key == key);
        let was_here = known.filter(|record| !matches!(record.lifecycle, Lifecycle::Left { .. }));
        let began = match (&arrival.lifecycle, was_here) {
            (Lifecycle::Pending { starts, .. }, _) => Some(starts.at),
            (_, Some(record)) => record.began,
            // Of the record that they were first known by nobody asked when it began.
            (_, None) if known.is_none() && of.source_key == key => None,
            (_, None) => Some(self.now()),
        };
        let Arrival { attributes, lifecycle, .. } = arrival;
        // Where nothing is said of their being here, nothing is said against that they were fired.
        let fired = known.filter(|record| record.lifecycle == lifecycle).and_then(|record| record.fired);
        Engagement { key, attributes, lifecycle, rank, began, fired }
    }

    fn gathered(&self, source: &SourceName, at: Timestamp, one: Gathered) -> Accepted {
        let Gathered { before, mut after, key } = one;
        after.generation = before.value.generation + 1;
        let event = self.event_between(&before.value, &after, source.as_str(), |generation| {
            format!("{}#{generation}", key.key)
        });
        let event = Event { accepted: at, ..event };
        let actor = Actor::Source(source.to_string());
        Accepted { identity: after, revision: Some(before.revision), event, actor }
    }

    /// The event by which somebody came from one state to the other.
    pub(crate) fn event_between(
        &self,
        before: &Identity,
        after: &Identity,
        source: &str,
        key: impl FnOnce(u64) -> String,
    ) -> Event {
        let now = self.now();
        let kind = engagement::change(before, after);
        let effective = match (&after.lifecycle, kind.leaves()) {
            (Lifecycle::Left { at, .. } | Lifecycle::GardenLeave { since: at, .. }, true) => at.clone(),
            (_, _) => Effective::at(now),
        };
        Event {
            id: EventId::new(now, self.entropy()),
            source: source.to_owned(),
            key: key(after.generation),
            identity: after.id,
            kind,
            effective,
            accepted: now,
        }
    }

    /// What is kept of a key by which somebody is known besides their own: where it leads.
    fn forward(&self, source: &SourceName, key: &str, into: IdentityId) -> Update {
        let now = self.now();
        let forward = Identity {
            id: IdentityId::new(now, self.entropy()),
            kind: IdentityKind::Person,
            source_key: SourceKey { source: source.clone(), key: key.to_owned() },
            attributes: Default::default(),
            lifecycle: Lifecycle::Merged { into, since: now },
            owner: None,
            generation: 1,
            engagements: Vec::new(),
            cancelled: Vec::new(),
            said: None,
        };
        let record =
            Record::new(RecordKind::IdentityJoined, now, Actor::Source(source.to_string()), self.entropy())
                .identity(into)
                .fact("other", forward.id)
                .personal("key", &forward.source_key);
        Update::new(record).insert(&forward, self.entropy())
    }

    /// Those of the new records that join somebody who is known, by the earlier key that they name.
    async fn joining(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        delivered: &Delivered<'_>,
        before: &BTreeMap<String, Stored<Identity>>,
        arrivals: &[Arrival],
    ) -> Result<BTreeMap<String, Stored<Identity>>> {
        let mut joining = BTreeMap::new();
        if delivered.contract.previous_key.is_none() {
            return Ok(joining);
        }
        let new: BTreeSet<&str> = arrivals
            .iter()
            .map(|arrival| arrival.key.as_str())
            .filter(|key| !before.contains_key(*key))
            .collect();
        let (mut wrongs, mut mended) = (Vec::new(), Vec::new());
        for record in delivered.records {
            let Some(previous) = delivered.contract.previous_of(record) else { continue };
            let own = SourceKey { source: delivered.source.clone(), key: record.key.clone() };
            let found = self.by_source_key(tx, &previous.to_string()).await?;
            let known = before.get(&record.key);
            match (found, known) {
                (Some(_), _) if previous == own => {}
                (Some(found), Some(known)) if found.value.id == known.value.id => {}
                (Some(found), Some(known)) => {
                    wrongs.push(apart(
                        &known.value,
                        &found.value,
                        "its source says that they are one person",
                    ));
                }
                (Some(found), None) if new.contains(record.key.as_str()) => {
                    match self.needs_people(tx, catalogue, &found.value).await? {
                        None => drop(joining.insert(record.key.clone(), found)),
                        Some(why) => wrongs.push(to_be_joined(&own, &found.value, why)),
                    }
                }
                (None, _) if new.contains(record.key.as_str()) || known.is_some() => {
                    wrongs.push(unknown(delivered, &own, &previous));
                    continue;
                }
                (Some(_) | None, None) | (None, Some(_)) => continue,
            }
            mended.push((UNKNOWN, own.to_string()));
        }
        let mut updates = self.open_all(tx, wrongs).await?;
        updates.extend(self.close_findings(tx, &mended).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        Ok(joining)
    }

    /// Why only people may say that somebody is the same person as another; nothing where a source may.
    pub(crate) async fn needs_people(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        identity: &Identity,
    ) -> Result<Option<&'static str>> {
        if !matches!(identity.lifecycle, Lifecycle::Active { .. } | Lifecycle::Pending { .. }) {
            return Ok(Some("is not active"));
        }
        if identity.kind != IdentityKind::Person {
            return Ok(Some("is no person"));
        }
        let theirs =
            Select::from(Table::Accounts).filter(Filter::Is("identity", identity.id.to_string().into()));
        let accounts = select::<Account>(tx, self.tenant(), theirs).await?;
        let mut held = accounts.iter().flat_map(|stored| &stored.value.state.entitlements);
        if held.any(|name| catalogue.entitlements.get(name).is_some_and(|e| e.privileged)) {
            return Ok(Some("has power over others"));
        }
        let keys: Vec<String> = identity.source_keys().iter().map(ToString::to_string).collect();
        let operators = select::<Operator>(tx, self.tenant(), Select::from(Table::Operators)).await?;
        let is_one = operators.iter().any(|o| o.value.person.as_ref().is_some_and(|p| keys.contains(p)));
        Ok(is_one.then_some("operates the hub"))
    }

    /// Says who shares a value that is one person's alone with somebody else, and closes what is not so any more.
    pub(crate) async fn tell_ambiguous(
        &self,
        tx: &mut dyn Tx,
        source: &SourceName,
        contract: &SourceContract,
    ) -> Result<()> {
        let unique: Vec<&String> = contract.unique().collect();
        if unique.is_empty() {
            return Ok(());
        }
        let mut wrongs: BTreeMap<String, Wrong> = BTreeMap::new();
        for (name, sharing) in self.sharing(tx, &unique).await? {
            let ours = |person: &Identity| person.source_keys().iter().any(|key| key.source == *source);
            let Some((first, others)) = sharing.split_first().filter(|_| sharing.iter().any(ours)) else {
                continue;
            };
            for other in others {
                let wrong = apart(first, other, &format!("they have the same `{name}`"));
                wrongs.insert(wrong.subject.clone(), wrong);
            }
        }
        let open = Select::from(Table::Findings).filter(Filter::Is("state", "open".into()));
        let of_values =
            |finding: &Finding| finding.code == AMBIGUOUS && finding.message.contains("they have the same `");
        let open = select::<Finding>(tx, self.tenant(), open).await?;
        let over: Vec<(&'static str, String)> = open
            .into_iter()
            .map(|stored| stored.value)
            .filter(|finding| of_values(finding) && !wrongs.contains_key(&finding.subject))
            .map(|finding| (AMBIGUOUS, finding.subject))
            .collect();
        let mut updates = self.open_all(tx, wrongs.into_values().collect()).await?;
        updates.extend(self.close_findings(tx, &over).await?);
        Ok(tx.write(self.tenant(), updates, self.entropy()).await?)
    }

    /// Those who share a value of one of these attributes, each with its name. Reads everybody, and keeps a digest of each
    /// value.
    async fn sharing<'n>(
        &self,
        tx: &mut dyn Tx,
        names: &[&'n String],
    ) -> Result<Vec<(&'n String, Vec<Identity>)>> {
        let mut first: HashMap<(usize, [u8; 16]), IdentityId> = HashMap::new();
        let mut shared: BTreeMap<(usize, [u8; 16]), Vec<IdentityId>> = BTreeMap::new();
        let mut pages = Pages::<Identity>::of(Select::from(Table::Identities), PAGE);
        while let Some(page) = pages.next(tx, self.tenant()).await? {
            for person in page.into_iter().map(|stored| stored.value) {
                for (at, name) in names.iter().enumerate().filter(|_| is_person(&person)) {
                    let Some(value) = person.attributes.get(*name) else { continue };
                    let value = (at, Digest::of(value.to_string().to_lowercase().as_bytes()).half());
                    match first.entry(value) {
                        Entry::Vacant(free) => drop(free.insert(person.id)),
                        Entry::Occupied(taken) => {
                            shared.entry(value).or_insert_with(|| vec![*taken.get()]).push(person.id);
                        }
                    }
                }
            }
        }
        let mut sharing = Vec::with_capacity(shared.len());
        for ((at, _), ids) in shared {
            let ids = ids.iter().map(|id| id.to_string().into()).collect();
            let asked = Select::from(Table::Identities).filter(Filter::In("id", ids));
            let people = select::<Identity>(tx, self.tenant(), asked).await?;
            sharing.push((names[at], people.into_iter().map(|stored| stored.value).collect()));
        }
        Ok(sharing)
    }

    /// Whom a row leads to: itself, or who has its records now.
    pub(crate) async fn followed(
        &self,
        tx: &mut dyn Tx,
        stored: Stored<Identity>,
    ) -> Result<Option<Stored<Identity>>> {
        match stored.value.lifecycle {
            Lifecycle::Merged { into, .. } => Ok(get(tx, self.tenant(), &into.to_string()).await?),
            Lifecycle::Pending { .. }
            | Lifecycle::Active { .. }
            | Lifecycle::Leave { .. }
            | Lifecycle::GardenLeave { .. }
            | Lifecycle::Absent { .. }
            | Lifecycle::Left { .. } => Ok(Some(stored)),
        }
    }

    /// The rows of the other keys of somebody, which lead to them.
    pub(crate) async fn forwards(&self, tx: &mut dyn Tx, of: &Identity) -> Result<Vec<Stored<Identity>>> {
        let others: Vec<_> = of.source_keys().into_iter().skip(1).map(|key| key.to_string().into()).collect();
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let asked = Select::from(Table::Identities).filter(Filter::In("source_key", others));
        Ok(select(tx, self.tenant(), asked).await?)
    }

    /// Of these records of somebody who was fired here, what their sources say counts again.
    pub(crate) async fn heard_of(
        &self,
        tx: &mut dyn Tx,
        identity: IdentityId,
        which: impl Fn(&SourceKey) -> bool,
        actor: Actor,
    ) -> Result<()> {
        let Some(stored) = get::<Identity>(tx, self.tenant(), &identity.to_string()).await? else {
            return Ok(());
        };
        let mut heard = stored.value.clone();
        for record in heard.engagements.iter_mut().filter(|record| which(&record.key)) {
            record.fired = None;
        }
        if heard == stored.value {
            return Ok(());
        }
        let mut record = self.record(RecordKind::TerminationAnswered, "termination").identity(identity);
        record.actor = actor;
        let update = Update::new(record).replace(&heard, stored.revision, self.entropy());
        Ok(tx.write(self.tenant(), vec![update], self.entropy()).await?)
    }
}

/// Somebody who may be the same person as another.
fn is_person(identity: &Identity) -> bool {
    identity.kind == IdentityKind::Person && !matches!(identity.lifecycle, Lifecycle::Merged { .. })
}

/// The rank of a source by its contract.
pub(crate) fn rank_of(catalogue: &Catalogue, source: &SourceName) -> u16 {
    let rank = |role: &Role| match role {
        Role::Source { source: named, contract, .. } if named == source => Some(contract.rank),
        Role::Source { .. } | Role::Target { .. } | Role::Log { .. } | Role::Partner { .. } => None,
    };
    catalogue.integrations.values().find_map(|integration| rank(&integration.role)).unwrap_or(RANK)
}

/// Everything gone by the word of somebody here, at that instant.
pub(crate) fn all_fired(identity: &Identity, now: Timestamp) -> Vec<Engagement> {
    let mut records = identity.engagements.clone();
    for record in records.iter_mut().filter(|r| !matches!(r.lifecycle, Lifecycle::Left { .. })) {
        record.lifecycle = record.lifecycle.left(Effective::at(now));
        record.fired = Some(now);
    }
    records
}

/// Two identities that may be one person. The id that was known first is named first.
fn apart(one: &Identity, other: &Identity, why: &str) -> Wrong {
    let (first, second) = if one.id <= other.id { (one, other) } else { (other, one) };
    Wrong {
        code: AMBIGUOUS,
        subject: format!("{}+{}", first.id, second.id),
        identity: Some(second.id),
        system: None,
        message: format!(
            "`{}` ({}) and `{}` ({}) may be one person: {why}. If they are, `bailiwick identity join {} {} --reason TEXT`; if \
             not, have the value corrected at its source; a wrong join is undone by `bailiwick identity split`",
            first.source_key, first.id, second.source_key, second.id, first.source_key, second.source_key
        ),
        owner: "operator".into(),
    }
}

fn to_be_joined(new: &SourceKey, known: &Identity, why: &str) -> Wrong {
    Wrong {
        code: AMBIGUOUS,
        subject: format!("{new}+{}", known.id),
        identity: Some(known.id),
        system: None,
        message: format!(
            "the source of `{new}` says that it was `{}` before ({}), who {why}: two people say so, with `bailiwick identity \
             join {} {new} --reason TEXT`; a wrong join is undone by `bailiwick identity split`",
            known.source_key, known.id, known.source_key
        ),
        owner: "operator".into(),
    }
}

fn unknown(delivered: &Delivered<'_>, new: &SourceKey, previous: &SourceKey) -> Wrong {
    Wrong {
        code: UNKNOWN,
        subject: new.to_string(),
        identity: None,
        system: None,
        message: format!(
            "`{new}` says that it was `{previous}` before, and nobody is known by that key: `{new}` is taken as somebody \
             new; correct the key at the source, or deliver `{}` and join them by hand",
            previous.source
        ),
        owner: delivered.owner.to_owned(),
    }
}
