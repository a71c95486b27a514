//! Step 1, intake: a delivery of a source becomes events, or is held whole.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_connector::{ConnectorError, ErrorKind, Listing, Object, ObjectState, ObjectValue, Page};
use bailiwick_core::{
    contract::{Arrival, AttributeRule, Breach, Intake, Known, SourceContract, SourceRecord, intake},
    digest::Digest,
    event::{Event, EventKind},
    finding::Finding,
    guard::Fate,
    id::{BatchId, EventId, IdentityId, SourceName},
    identity::{Identity, IdentityKind, Lifecycle, SourceKey},
    integration::Role,
    policy::{AttributeType, AttributeValue},
    record::{Actor, Record, RecordKind},
    said::Said,
    time::{Effective, Timestamp, day},
};
use bailiwick_store::{Filter, Select, Stored, Table, Tx, Update, Work, entities::Batch, get, select};
use serde::Serialize;

use crate::{
    Doing, Engine, EngineError, Result, accept::Accepted, alone::Alone, delivery::Delivery,
    engagement::Delivered, feed::guard, finding::Wrong, sieve::Sieve,
};

/// The finding that somebody is missing for longer than the grace.
pub(crate) const ABSENT: &str = "absent-grace-over";
/// How many records are read at a time.
const PAGE: u32 = 1_000;

/// What came of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// The delivery.
    pub batch: BatchId,
    /// How many records it has.
    pub rows: u64,
    /// Events by kind.
    pub events: BTreeMap<String, u64>,
    /// How many records said nothing new.
    pub unchanged: u64,
}

/// What is taken, and how.
pub(crate) struct Taking<'t> {
    /// The digest of all of it.
    pub digest: Digest,
    /// The reasons to hold it that two people saw and passed over.
    pub letting: &'t [Breach],
    /// That the same was accepted long ago is no fault: the source was asked what it says now, or two people let it go.
    pub may_be_old: bool,
    /// The delivery before it: where this says the same and the same comes of it, it is that one.
    pub before: Option<Batch>,
}

impl Taking<'_> {
    /// A delivery of this digest.
    pub(crate) const fn of(digest: Digest) -> Self {
        Self { digest, letting: &[], may_be_old: false, before: None }
    }
}

/// What came of taking a delivery.
pub(crate) struct Taken {
    pub batch: Batch,
    events: BTreeMap<String, u64>,
    unchanged: u64,
}

impl Taken {
    /// # Errors
    /// [`EngineError::Held`].
    pub(crate) fn imported(self) -> Result<Imported> {
        let Self { batch: Batch { id, rows, breaches, .. }, events, unchanged } = self;
        match breaches.is_empty() {
            true => Ok(Imported { batch: id, rows, events, unchanged }),
            false => Err(EngineError::Held(breaches)),
        }
    }
}

impl Engine {
    /// Takes the delivery that lies in the source's feed. `delivered` is the digest of its bytes.
    ///
    /// Either all of it is accepted, in one transaction, or all of it is held: then this fails with
    /// [`EngineError::Held`], the batch and a finding say why, and only positive leavers flow.
    pub fn import<'a>(&'a self, source: &'a SourceName, delivered: Digest) -> Doing<'a, Imported> {
        Box::pin(self.take_feed(source, delivered))
    }

    async fn take_feed(&self, source: &SourceName, delivered: Digest) -> Result<Imported> {
        let (delivery, owner, contract) = self.read_feed(source, Some(delivered), None).await?;
        let mut tx = self.begin().await?;
        let feed = (source, owner.as_str(), &contract);
        let taken = self.take_delivery(&mut *tx, feed, &delivery, Taking::of(delivered)).await?;
        tx.commit().await?;
        taken.imported()
    }

    /// Reads all that a source says now; with who answers for it and what it promises. `delivered` is the digest of what was
    /// delivered, if it was; a long reading keeps its hold.
    pub(crate) async fn read_feed(
        &self,
        source: &SourceName,
        delivered: Option<Digest>,
        alone: Option<&Alone>,
    ) -> Result<(Delivery, String, SourceContract)> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        drop(tx);
        let route = catalogue.source(source)?;
        let Role::Source { contract, .. } = &route.integration.role else {
            return Err(EngineError::NotFound { kind: "source", name: source.to_string() });
        };
        // A source decides who exists: it takes both gates, before anything of it is looked at.
        let name = &route.integration.name;
        catalogue.permit(name).writes.map_err(|shut| EngineError::Shut(name.clone(), shut))?;
        let line = self.reading(&catalogue, route.integration);
        let mut delivery = Delivery::default();
        let mut cursor: Option<String> = None;
        loop {
            let mut visit = |object: Object<'_>| delivery.push(&object, contract);
            let listed =
                route.connector.list(&line, Listing::People, cursor.as_deref(), PAGE, &mut visit).await;
            let page = match listed.and_then(whole) {
                Ok(page) => page,
                Err(error) => {
                    self.unreadable(source, delivered, &route.integration.owner, &error).await?;
                    return Err(error.into());
                }
            };
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
            if let Some(alone) = alone {
                self.hold(alone, 0).await?;
            }
        }
        Ok((delivery, route.integration.owner.clone(), contract.clone()))
    }

    /// Takes what a delivery says: accepts it, or holds it.
    pub(crate) async fn take_delivery(
        &self,
        tx: &mut dyn Tx,
        (source, owner, contract): (&SourceName, &str, &SourceContract),
        delivery: &Delivery,
        taking: Taking<'_>,
    ) -> Result<Taken> {
        let (now, delivered) = (self.now(), taking.digest);
        let catalogue = self.catalogue(tx).await?;
        let others = catalogue.written_at_the_door();
        let mut sieve = self.sift(tx, (source, contract), &others, delivery, now).await?;
        let owed = self.owed(tx).await?;
        let known: BTreeMap<String, Known> = sieve
            .before
            .iter()
            .map(|(key, s)| {
                let fired = owed.get(&s.value.id).and_then(|fired| fired.value.owed());
                (key.clone(), known_by(&s.value, source, key, fired))
            })
            .collect();
        let mut read = intake(sieve.sifted(), contract, &known, &others, now);
        read.breaches.extend(self.cohorts(tx, (source, contract), &known, &read).await?);
        read.breaches.extend(self.replayed(tx, source, delivered, &known, &read).await?);
        if !taking.may_be_old {
            read.breaches.extend(self.stale(tx, (source, contract), delivered, &read).await?);
        }
        let Sieve { records, before, newcomers, .. } = sieve;
        let would = guard(&catalogue, &known, newcomers.arrivals(delivery, contract), &mut read)?;
        read.breaches.retain(|breach| !taking.letting.contains(breach));
        let held = !read.breaches.is_empty();
        let come = newcomers.arrivals(delivery, contract).take(if held { 0 } else { delivery.rows() });
        let Intake { arrivals, unchanged, fired, breaches } = if held { read.held() } else { read };
        let mut events: BTreeMap<String, u64> = BTreeMap::new();
        for arrival in &arrivals {
            *events.entry(arrival.kind.name().to_owned()).or_default() += 1;
        }
        if come.len() > 0 {
            *events.entry(EventKind::Joined.name().to_owned()).or_default() += come.len() as u64;
        }
        let count = (arrivals.len() + come.len()) as u64;
        let as_before = taking.before.filter(|before| {
            before.digest == delivered && before.breaches == breaches && (held || count == 0)
        });
        let said_again = as_before.is_some();
        let batch = as_before.unwrap_or_else(|| Batch {
            id: BatchId::new(now, self.entropy()),
            source: source.clone(),
            digest: delivered,
            at: now,
            rows: delivery.rows() as u64,
            events: count,
            unchanged,
            breaches,
            would: would.filter(|_| held),
            fate: if held { Fate::Held } else { Fate::Accepted },
        });
        if !said_again {
            self.write_batch(tx, &batch).await?;
        }
        self.tell_whether_held(tx, &batch, owner).await?;
        if !held {
            self.heard_from(tx, (source, owner, contract), count > 0).await?;
            if !said_again {
                self.accepted_delivery(tx, &batch, contract).await?;
            }
        }
        self.hear_of_fired(tx, (source, owner), &fired, &before, owed).await?;
        let said = Delivered { source, owner, contract, records: &records };
        let accepted = self.gather(tx, &said, now, &before, arrivals).await?;
        let anything = !accepted.is_empty() || come.len() > 0;
        let come = come.map(|arrival| Ok(self.arrived(source, now, None, arrival?)));
        self.accept_each(tx, accepted.into_iter().map(Ok).chain(come)).await?;
        for key in &fired.gone {
            let Some(of) = before.get(key) else { continue };
            let this = |record: &SourceKey| record.source == *source && record.key == *key;
            self.heard_of(tx, of.value.id, this, Actor::Source(source.to_string())).await?;
        }
        if !held && anything {
            self.tell_ambiguous(tx, source, contract).await?;
        }
        Ok(Taken { batch, events, unchanged })
    }

    /// A delivery that cannot even be read: nothing of it is used, and somebody is told.
    async fn unreadable(
        &self,
        source: &SourceName,
        delivered: Option<Digest>,
        owner: &str,
        error: &ConnectorError,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let actor = Actor::Source(source.to_string());
        let record = Record::new(RecordKind::BatchHeld, self.now(), actor, self.entropy())
            .fact("breaches", [error.code()])
            .fact_if("delivered", delivered);
        let code = error.code();
        let message = match delivered {
            Some(_) => format!(
                "a delivery of `{source}` cannot be read ({code}) and nothing of it was used; deliver it again when it is \
                 mended"
            ),
            None => format!(
                "`{source}` cannot be read ({code}: {}), so nothing new is known of its people; it is read again by itself",
                error.message
            ),
        };
        let (subject, owner) = (source.to_string(), owner.to_owned());
        let wrong = Wrong { code: "feed-held", subject, identity: None, system: None, message, owner };
        let mut updates = vec![Update::new(record)];
        updates.extend(self.renew_finding(&mut *tx, wrong).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        Ok(tx.commit().await?)
    }

    /// Writes a new delivery down.
    pub(crate) async fn write_batch(&self, tx: &mut dyn Tx, batch: &Batch) -> Result<()> {
        let held = !batch.breaches.is_empty();
        let kind = if held { RecordKind::BatchHeld } else { RecordKind::BatchAccepted };
        let codes: BTreeSet<&str> = batch.breaches.iter().map(Breach::code).collect();
        let record = Record::new(kind, batch.at, Actor::Source(batch.source.to_string()), self.entropy())
            .fact("batch", batch.id)
            .fact("breaches", codes)
            .fact("delivered", batch.digest)
            .fact("rows", batch.rows);
        let update = Update::new(record).insert(batch, self.entropy());
        Ok(tx.write(self.tenant(), vec![update], self.entropy()).await?)
    }

    /// Opens or closes the finding that a source is held.
    pub(crate) async fn tell_whether_held(&self, tx: &mut dyn Tx, batch: &Batch, owner: &str) -> Result<()> {
        let mut updates = Vec::new();
        let subject = batch.source.to_string();
        if !batch.breaches.is_empty() {
            let form = batch.breaches.iter().any(Breach::is_of_form);
            let message = format!(
                "a delivery of `{}` is held and nothing of it was used: {}; it is taken once it is mended at the source and comes \
                 again{}",
                batch.source,
                batch.breaches.iter().take(3).map(ToString::to_string).collect::<Vec<_>>().join("; "),
                match form {
                    true => String::new(),
                    false => format!(", or let two people release it: `bailiwick batch show {}`", batch.id),
                }
            );
            let wrong = Wrong {
                code: "feed-held",
                subject,
                identity: None,
                system: None,
                message,
                owner: owner.to_owned(),
            };
            updates.extend(self.renew_finding(tx, wrong).await?);
        } else {
            updates.extend(self.close_finding(tx, "feed-held", &subject).await?);
        }
        Ok(tx.write(self.tenant(), updates, self.entropy()).await?)
    }

    /// What an arrival says, as an event with what it makes of its identity.
    pub(crate) fn arrived(
        &self,
        source: &SourceName,
        at: Timestamp,
        before: Option<&Stored<Identity>>,
        arrival: Arrival,
    ) -> Accepted {
        let generation = before.map_or(1, |s| s.value.generation + 1);
        let id = before.map_or_else(|| IdentityId::new(at, self.entropy()), |s| s.value.id);
        let event = Event {
            id: EventId::new(at, self.entropy()),
            source: source.to_string(),
            key: format!("{}#{generation}", arrival.key),
            identity: id,
            kind: arrival.kind,
            effective: arrival.effective,
            accepted: at,
        };
        let identity = Identity {
            id,
            kind: IdentityKind::Person,
            source_key: SourceKey { source: source.clone(), key: arrival.key },
            attributes: arrival.attributes,
            lifecycle: arrival.lifecycle,
            owner: None,
            generation,
            engagements: Vec::new(),
            cancelled: arrival.cancelled.into_iter().collect(),
            said: arrival.digest.map(|record| Said::new(&record, before.map_or(1, |s| s.revision + 1))),
        };
        let actor = Actor::Source(source.to_string());
        Accepted { identity, revision: before.map(|s| s.revision), event, actor }
    }

    /// Files an event that the hub itself noticed, and with `lifecycle` what it makes of the identity.
    /// `key` makes it happen once: the same key again is nothing new, and gives back `false`.
    pub(crate) async fn file(
        &self,
        tx: &mut dyn Tx,
        stored: Stored<Identity>,
        key: String,
        kind: EventKind,
        lifecycle: Option<Lifecycle>,
    ) -> Result<bool> {
        Ok(self.file_all(tx, vec![(stored, key, kind)], lifecycle).await? > 0)
    }

    /// Files one event for each identity whose key is new; gives how many. No identity is among them twice.
    pub(crate) async fn file_all(
        &self,
        tx: &mut dyn Tx,
        noticed: Vec<(Stored<Identity>, String, EventKind)>,
        lifecycle: Option<Lifecycle>,
    ) -> Result<usize> {
        let keys = noticed.iter().map(|(_, key, _)| format!("hub/{key}").into()).collect();
        let asked = Select::from(Table::Events).filter(Filter::In("dedupe", keys));
        let known: BTreeSet<String> =
            select::<Event>(tx, self.tenant(), asked).await?.into_iter().map(|s| s.value.key).collect();
        let now = self.now();
        let mut accepted = Vec::with_capacity(noticed.len());
        for (stored, key, kind) in noticed.into_iter().filter(|(_, key, _)| !known.contains(key)) {
            let Stored { value, revision } = stored;
            let identity = Identity {
                lifecycle: lifecycle.clone().unwrap_or(value.lifecycle),
                generation: value.generation + 1,
                ..value
            };
            let event = Event {
                id: EventId::new(now, self.entropy()),
                source: "hub".into(),
                key,
                identity: identity.id,
                kind,
                effective: Effective::at(now),
                accepted: now,
            };
            let actor = Actor::Hub("intake".into());
            accepted.push(Accepted { identity, revision: Some(revision), event, actor });
        }
        let count = accepted.len();
        if count > 0 {
            self.accept(tx, accepted).await?;
        }
        Ok(count)
    }

    /// Looks at an identity whose date may have come: starts or ends it, and reminds of the absent.
    pub(crate) async fn wake(&self, item: &Work, id: IdentityId) -> Result<()> {
        let now = self.now();
        let mut tx = self.begin().await?;
        if let Some(stored) = get::<Identity>(&mut *tx, self.tenant(), &id.to_string()).await? {
            let after = stored.value.clone().at(now);
            if after.is_overdue(now) {
                let wrong = Wrong {
                    code: ABSENT,
                    subject: id.to_string(),
                    identity: Some(id),
                    system: None,
                    message: "the record is missing from its source and the grace is over; \
                              absence is not termination: decide whether the person has left"
                        .into(),
                    owner: "operator".into(),
                };
                let updates = self.open_finding(&mut *tx, wrong).await?.into_iter().collect();
                tx.write(self.tenant(), updates, self.entropy()).await?;
            }
            // Where the date was moved meanwhile, another item waits for the new one.
            self.awoken(&mut *tx, stored, after).await?;
        }
        tx.finish(self.tenant(), item).await?;
        Ok(tx.commit().await?)
    }

    /// Files what the passing of time made of somebody, if it made anything.
    async fn awoken(&self, tx: &mut dyn Tx, before: Stored<Identity>, mut after: Identity) -> Result<()> {
        if after == before.value {
            return Ok(());
        }
        after.generation += 1;
        after.said = after.said.map(Said::renewed);
        let key = format!("wake/{}#{}", after.id, before.value.generation);
        let event = self.event_between(&before.value, &after, "hub", |_| key);
        // A date that came is nothing that is said now.
        let event = Event { effective: Effective::at(self.now()), ..event };
        let actor = Actor::Hub("intake".into());
        let accepted = Accepted { identity: after, revision: Some(before.revision), event, actor };
        self.accept(tx, vec![accepted]).await
    }

    /// All open findings, for callers that show them.
    pub async fn open_findings(&self) -> Result<Vec<Finding>> {
        let mut tx = self.read().await?;
        let open = Select::from(Table::Findings).filter(Filter::Is("state", "open".into()));
        Ok(select(&mut *tx, self.tenant(), open).await?.into_iter().map(|s| s.value).collect())
    }
}

/// A part of who is there says nothing of anybody else, and a delivery is whole.
fn whole(page: Page) -> Result<Page, ConnectorError> {
    let part = || {
        let error = ConnectorError::none(ErrorKind::Malformed, "only a part of the people was shown");
        error.with_detail("feed-in-part")
    };
    page.complete.then_some(page).ok_or_else(part)
}

/// What is known of a record: of somebody with several, this one's own.
pub(crate) fn known_by(
    identity: &Identity,
    source: &SourceName,
    key: &str,
    owed: Option<Timestamp>,
) -> Known {
    let key = SourceKey { source: source.clone(), key: key.to_owned() };
    let (attributes, lifecycle) =
        identity.by_key(&key).unwrap_or((&identity.attributes, &identity.lifecycle));
    let fired = match identity.engagements.is_empty() {
        true => owed,
        false => identity.engagements.iter().find(|record| record.key == key).and_then(|record| record.fired),
    };
    let cancelled = identity.cancelled.iter().find(|cancelled| cancelled.key == key).cloned();
    Known { attributes: attributes.clone(), lifecycle: lifecycle.clone(), fired, cancelled }
}

/// A person as a connector shows them → a record. The conventional attributes `start`, `end`, `zone`
/// and `status` are dates and state; all others are the source's.
pub(crate) fn record_of(object: &Object<'_>, contract: &SourceContract) -> SourceRecord {
    let mut record = SourceRecord {
        key: object.id.to_string(),
        terminated: object.state == ObjectState::Blocked,
        ..SourceRecord::default()
    };
    for (name, value) in &object.attributes {
        let mut date = || match value {
            ObjectValue::Text(text) if text.trim().is_empty() => None,
            ObjectValue::Text(text) => {
                let read = day(text);
                record.no_days.extend(read.is_none().then(|| text.to_string()));
                read
            }
            ObjectValue::Flag(_) | ObjectValue::Many(_) | ObjectValue::Null => None,
        };
        match (name.as_ref(), value) {
            ("start", _) => record.starts = date(),
            ("end", _) => record.ends = date(),
            ("zone", ObjectValue::Text(zone)) => record.zone = Some(zone.to_string()),
            ("status", ObjectValue::Text(status)) => record.terminated |= status == "terminated",
            _ => drop(
                record.values.insert(name.to_string(), typed(value, contract.attributes.get(name.as_ref()))),
            ),
        }
    }
    record
}

fn typed(value: &ObjectValue<'_>, rule: Option<&AttributeRule>) -> Option<AttributeValue> {
    match value {
        ObjectValue::Text(text) => match rule.map(|r| r.kind) {
            Some(AttributeType::Number) => Some(
                text.parse().map_or_else(|_| AttributeValue::Text(text.to_string()), AttributeValue::Number),
            ),
            Some(AttributeType::TextSet) => Some(AttributeValue::TextSet([text.to_string()].into())),
            // What is no day stays as it is, so that the contract refuses it.
            Some(AttributeType::Date) => {
                Some(AttributeValue::Text(day(text).map_or_else(|| text.to_string(), |day| day.to_string())))
            }
            Some(AttributeType::Text | AttributeType::Flag) | None => {
                Some(AttributeValue::Text(text.to_string()))
            }
        },
        ObjectValue::Flag(flag) => Some(AttributeValue::Flag(*flag)),
        ObjectValue::Many(many) => {
            Some(AttributeValue::TextSet(many.iter().map(ToString::to_string).collect()))
        }
        ObjectValue::Null => None,
    }
}
