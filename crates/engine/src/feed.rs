//! The feed guard: what of a delivery is looked at beyond its records, and how a held one is let go.
//!
//! A held delivery stays as it is seen: why, what it would have done, and its digest. Two people release it, as long as
//! the same bytes lie in the feed; it is then read and judged anew, and only the very reasons that they saw are passed
//! over. A later delivery that is accepted corrects it.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    contract::{Arrival, Breach, Intake, Known, SourceContract},
    digest::Digest,
    event::EventKind,
    guard::{self, Cohort, Fate, ReleaseRefusal, Would, release},
    id::{BatchId, EntitlementName, SourceName},
    identity::Identity,
    integration::Role,
    person::Conflict,
    policy::Attributes,
    record::{Actor, RecordKind},
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{
    Filter, Pages, Select, Stored, Table, Tx, Update, Work,
    entities::{Batch, Operator},
    get, select,
};

use crate::{
    Catalogue, Comes, Engine, EngineError, Haste, Job, Result,
    finding::Wrong,
    intake::{Taking, known_by},
};

/// How many people are read at a time.
const PAGE: u32 = 1_000;
/// The finding that nothing came when something should have.
const OVERDUE: &str = "feed-overdue";
/// The finding that a source says nothing new for longer than it usually does.
const QUIET: &str = "feed-quiet";

impl Engine {
    /// That a delivery is an old one: its bytes were accepted longer ago than its source delivers anew.
    pub(crate) async fn stale(
        &self,
        tx: &mut dyn Tx,
        (source, contract): (&SourceName, &SourceContract),
        delivered: Digest,
        read: &Intake,
    ) -> Result<Option<Breach>> {
        let Some(hours) = contract.max_age_hours.filter(|_| !read.breaches.iter().any(Breach::is_of_form))
        else {
            return Ok(None);
        };
        let since = self.accepted_before(tx, source, delivered).await?;
        let old = since.filter(|since| *since < ago(self.now(), hours));
        Ok(old.map(|since| Breach::Stale { since, hours }))
    }

    /// The breaches of the limits for cohorts. Who is in them is counted, over everybody whom the source names, only where
    /// enough are lost or change that it matters.
    pub(crate) async fn cohorts(
        &self,
        tx: &mut dyn Tx,
        (source, contract): (&SourceName, &SourceContract),
        known: &BTreeMap<String, Known>,
        read: &Intake,
    ) -> Result<Vec<Breach>> {
        let hit = guard::hit(contract, known, &read.arrivals);
        if hit.is_empty() {
            return Ok(Vec::new());
        }
        let mut of: BTreeMap<Cohort, u64> = BTreeMap::new();
        let theirs =
            Select::from(Table::Identities).filter(Filter::Starts("source_key", format!("{source}/")));
        let mut pages = Pages::<Identity>::of(theirs, PAGE);
        while let Some(page) = pages.next(tx, self.tenant()).await? {
            for stored in page {
                let key = stored.value.source_key.key.clone();
                let Some(person) = self.followed(tx, stored).await? else { continue };
                let known = known_by(&person.value, source, &key, None);
                let cohorts = guard::cohorts_of(contract, &known).filter(|cohort| hit.contains_key(cohort));
                cohorts.for_each(|cohort| *of.entry(cohort).or_default() += 1);
            }
        }
        Ok(guard::cohorts(contract, hit, &of))
    }

    /// That a delivery is one of before and would bring somebody back who has left since: an old file that is delivered once
    /// more must not give access back. A source that takes an end back may deliver the very bytes of before, too; people
    /// tell the two apart.
    pub(crate) async fn replayed(
        &self,
        tx: &mut dyn Tx,
        source: &SourceName,
        delivered: Digest,
        known: &BTreeMap<String, Known>,
        read: &Intake,
    ) -> Result<Option<Breach>> {
        let has_left = |key: &String| known.get(key).is_some_and(|k| k.lifecycle.gone().is_some());
        let joined = read.arrivals.iter().filter(|arrival| arrival.kind == EventKind::Joined);
        let back: Vec<&String> = joined.map(|arrival| &arrival.key).filter(|key| has_left(key)).collect();
        let Some(key) = back.first() else { return Ok(None) };
        let accepted = self.accepted_of(tx, source).await?;
        let same = accepted.iter().rposition(|batch| batch.digest == delivered);
        let after = same.map(|at| (&accepted[at], accepted.len() - at - 1)).filter(|(_, later)| *later > 0);
        Ok(after.map(|(batch, later)| Breach::Replayed {
            since: batch.at,
            later: later as u64,
            back: back.len() as u64,
            key: (*key).clone(),
        }))
    }

    /// When the same bytes were accepted first.
    async fn accepted_before(
        &self,
        tx: &mut dyn Tx,
        source: &SourceName,
        delivered: Digest,
    ) -> Result<Option<Timestamp>> {
        let accepted = self.accepted_of(tx, source).await?;
        Ok(accepted.iter().find(|batch| batch.digest == delivered).map(|batch| batch.at))
    }

    /// The deliveries of a source that were accepted, in the order in which they were.
    async fn accepted_of(&self, tx: &mut dyn Tx, source: &SourceName) -> Result<Vec<Batch>> {
        let of = Select::from(Table::Batches)
            .filter(Filter::Is("source", source.as_str().into()))
            .filter(Filter::In("state", vec!["accepted".into(), "released".into()]));
        let mut accepted: Vec<Batch> =
            select::<Batch>(tx, self.tenant(), of).await?.into_iter().map(|s| s.value).collect();
        accepted.sort_by_key(|batch| (batch.at, batch.id));
        Ok(accepted)
    }

    /// What follows from a delivery being accepted: what was held before is corrected by it, and the next one is due.
    pub(crate) async fn accepted_delivery(
        &self,
        tx: &mut dyn Tx,
        batch: &Batch,
        contract: &SourceContract,
    ) -> Result<()> {
        let source = &batch.source;
        let held = Select::from(Table::Batches)
            .filter(Filter::Is("source", source.as_str().into()))
            .filter(Filter::Is("state", "held".into()));
        let mut updates: Vec<Update> = Vec::new();
        for Stored { value, revision } in select::<Batch>(tx, self.tenant(), held).await? {
            let record = self
                .record(RecordKind::BatchAccepted, "intake")
                .fact("batch", value.id)
                .fact("corrected_by", batch.id);
            let corrected = Batch { fate: Fate::Corrected { by: batch.id }, ..value };
            updates.push(Update::new(record).replace(&corrected, revision, self.entropy()));
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        let Some(due) = due_after(batch.at, contract) else { return Ok(()) };
        let job = Job::Overdue { source: source.clone(), batch: batch.id };
        self.enqueue(tx, vec![job.work(None, None, Haste::Usual, due)]).await
    }

    /// Tells the owner of a source when nothing came after a delivery for as long as is promised.
    pub(crate) async fn overdue(&self, item: &Work, source: &SourceName, batch: BatchId) -> Result<()> {
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let last = self.accepted_of(&mut *tx, source).await?.pop();
        let Some(last) = last.filter(|last| last.id == batch) else {
            tx.finish(self.tenant(), item).await?;
            return Ok(tx.commit().await?);
        };
        // A source that was read since and says the same has kept its word.
        let read = self.last_read(&mut *tx, source).await?.filter(|read| read.value.batch == batch);
        let last = read.map_or(last.at, |read| read.value.at);
        let promised = catalogue.source(source).ok().and_then(|route| {
            let Role::Source { contract, .. } = &route.integration.role else { return None };
            Some((
                route.integration.owner.clone(),
                due_after(last, contract)?,
                due_after(self.now(), contract)?,
            ))
        });
        // Who promises nothing any more breaks no promise.
        let Some((owner, due, again)) = promised else {
            tx.finish(self.tenant(), item).await?;
            return Ok(tx.commit().await?);
        };
        let next = if due > self.now() {
            due
        } else {
            let message = format!(
                "no delivery of `{source}` was accepted since {last:.0}, and one is promised sooner than that: who left since \
                 then still has their access; see that it is delivered"
            );
            let subject = source.to_string();
            let wrong = Wrong { code: OVERDUE, subject, identity: None, system: None, message, owner };
            let opened = self.open_finding(&mut *tx, wrong).await?.into_iter().collect();
            tx.write(self.tenant(), opened, self.entropy()).await?;
            // A source that is read may come back with what it said before, and go away once more.
            again
        };
        tx.postpone(self.tenant(), item, next.as_millisecond(), false).await?;
        Ok(tx.commit().await?)
    }

    /// What follows from a source having been heard, whether or not it said anything new: it is not overdue, and its owner
    /// is told where it has been quiet for too long.
    pub(crate) async fn heard_from(
        &self,
        tx: &mut dyn Tx,
        (source, owner, contract): (&SourceName, &str, &SourceContract),
        says_something: bool,
    ) -> Result<()> {
        let mut updates: Vec<Update> =
            self.close_finding(tx, OVERDUE, source.as_str()).await?.into_iter().collect();
        let quiet = match contract.max_quiet_hours.filter(|_| !says_something) {
            Some(hours) => {
                self.quiet_since(tx, source).await?.filter(|since| *since < ago(self.now(), hours))
            }
            None => None,
        };
        updates.extend(match quiet {
            Some(since) => {
                let message = format!(
                    "`{source}` has said nothing new since {since:.0}, which is longer than `max_quiet_hours` of its contract: \
                     see that what it shows is still kept up to date; who left since then may still have their access"
                );
                let (subject, owner) = (source.to_string(), owner.to_owned());
                let wrong = Wrong { code: QUIET, subject, identity: None, system: None, message, owner };
                self.open_finding(tx, wrong).await?
            }
            None => self.close_finding(tx, QUIET, source.as_str()).await?,
        });
        Ok(tx.write(self.tenant(), updates, self.entropy()).await?)
    }

    /// Since when a source has said nothing new; since it was heard first, where it never has.
    async fn quiet_since(&self, tx: &mut dyn Tx, source: &SourceName) -> Result<Option<Timestamp>> {
        let accepted = self.accepted_of(tx, source).await?;
        let new = accepted.iter().rev().find(|batch| batch.events > 0);
        Ok(new.or(accepted.first()).map(|batch| batch.at))
    }

    /// Somebody wants a held delivery released: the first one asks, and it is done when a second person says so too.
    /// `lying` is the digest of what lies in the feed now, where it was delivered; what is read is compared once it is read
    /// again.
    ///
    /// # Errors
    /// When there is no such delivery, when [`ReleaseRefusal`] says why, and with [`EngineError::Held`] when it is held
    /// for other reasons by now.
    pub async fn release_batch(
        &self,
        id: BatchId,
        seen: Digest,
        lying: Option<Digest>,
        by: &Operator,
    ) -> Result<Batch> {
        let mut tx = self.begin().await?;
        let stored = self.held_batch(&mut *tx, id).await?;
        let fate = self.wanted(&mut *tx, &stored.value, seen, by).await?;
        if lying.is_some_and(|lying| lying != stored.value.digest) {
            return Err(ReleaseRefusal::Replaced.into());
        }
        let catalogue = self.catalogue(&mut *tx).await?;
        // What was pushed lies nowhere: it is taken when it is said again.
        let read_anew = catalogue.source_comes(&stored.value.source)? != Comes::Pushed;
        if let Fate::Released { .. } = fate
            && read_anew
        {
            drop(tx);
            return self.take_released(stored, fate, lying, by).await;
        }
        let asked = Batch { fate, ..stored.value };
        self.write_fate(&mut *tx, &asked, stored.revision, by).await?;
        tx.commit().await?;
        Ok(asked)
    }

    async fn held_batch(&self, tx: &mut dyn Tx, id: BatchId) -> Result<Stored<Batch>> {
        let found = get::<Batch>(tx, self.tenant(), &id.to_string()).await?;
        found.ok_or_else(|| EngineError::NotFound { kind: "delivery", name: id.to_string() })
    }

    async fn wanted(&self, tx: &mut dyn Tx, batch: &Batch, seen: Digest, by: &Operator) -> Result<Fate> {
        let persons = self.persons(tx).await?;
        let first = match &batch.fate {
            Fate::ReleaseAsked { by, .. } => Some(*by),
            Fate::Accepted | Fate::Held | Fate::Released { .. } | Fate::Corrected { .. } => None,
        };
        let mut own: Vec<(String, Conflict)> = Vec::new();
        own.extend(self.part_of(tx, first, Conflict::Requester).await?);
        for breach in &batch.breaches {
            if let Breach::PrivilegedChange { key, .. } = breach {
                own.push((format!("{}/{key}", batch.source), Conflict::Beneficiary));
            }
        }
        let conflicts = persons.conflicts(own.iter().map(|(who, why)| (who.as_str(), *why)));
        let person = self.person_of(tx, &persons, by).await?;
        let (seen, by) = ((seen, batch.shown()), (by.id, person.as_deref()));
        Ok(release(&batch.fate, &batch.breaches, seen, by, &conflicts, self.now())?)
    }

    /// Reads the delivery again and takes it, but for what was seen of it.
    async fn take_released(
        &self,
        stored: Stored<Batch>,
        fate: Fate,
        lying: Option<Digest>,
        by: &Operator,
    ) -> Result<Batch> {
        let held = stored.value;
        let (delivery, owner, contract) = self.read_feed(&held.source, lying, None).await?;
        if lying.is_none() && delivery.digest() != held.digest {
            return Err(ReleaseRefusal::Replaced.into());
        }
        let mut tx = self.begin().await?;
        let released = Batch { fate, ..held.clone() };
        self.write_fate(&mut *tx, &released, stored.revision, by).await?;
        let feed = (&held.source, owner.as_str(), &contract);
        let taking = Taking { letting: &held.breaches, may_be_old: true, ..Taking::of(held.digest) };
        let taken = self.take_delivery(&mut *tx, feed, &delivery, taking).await?;
        if taken.batch.breaches.is_empty() {
            tx.commit().await?;
            return Ok(released);
        }
        // Nothing of this stays but that it is held again, for what is wrong with it now.
        drop(tx);
        let mut tx = self.begin().await?;
        let again = self.take_delivery(&mut *tx, feed, &delivery, Taking::of(held.digest)).await?;
        tx.commit().await?;
        Err(EngineError::Held(again.batch.breaches))
    }

    async fn write_fate(&self, tx: &mut dyn Tx, batch: &Batch, revision: i64, by: &Operator) -> Result<()> {
        let mut record = self
            .record(RecordKind::BatchReleased, "feed")
            .fact("batch", batch.id)
            .fact("breaches", batch.breaches.iter().map(Breach::code).collect::<BTreeSet<_>>())
            .fact("delivered", batch.digest)
            .fact("fate", batch.fate.name())
            .fact("shown", batch.shown());
        record.actor = Actor::Operator(by.name.clone());
        let update = Update::new(record).replace(batch, revision, self.entropy());
        Ok(tx.write(self.tenant(), vec![update], self.entropy()).await?)
    }
}

/// Adds to what was read that somebody would get power by an attribute. Gives what the delivery would do, if it is held and
/// its form is right.
pub(crate) fn guard(
    catalogue: &Catalogue,
    known: &BTreeMap<String, Known>,
    newcomers: impl Iterator<Item = Result<Arrival>>,
    read: &mut Intake,
) -> Result<Option<Would>> {
    if read.breaches.iter().any(Breach::is_of_form) {
        return Ok(None);
    }
    let mut bulk = catalogue.policies.bulk();
    let mut fault = None;
    let mut holds = |attributes: &Attributes| -> BTreeSet<EntitlementName> {
        match bulk.holds("person", attributes) {
            Ok(holding) => holding.held.keys().cloned().collect(),
            // Who cannot be decided gets nothing, and a finding says so.
            Err(found) => {
                fault = Some(found);
                BTreeSet::new()
            }
        }
    };
    let power = |name: &EntitlementName| catalogue.entitlements.get(name).is_some_and(|e| e.privileged);
    read.breaches.extend(guard::privileged(&read.arrivals, known, &power, &mut holds));
    if read.breaches.is_empty() {
        return Ok(None);
    }
    let mut would = Would::default();
    read.arrivals.iter().for_each(|arrival| would.count(arrival, known.get(&arrival.key), &mut holds));
    for arrival in newcomers {
        would.count(&arrival?, None, &mut holds);
    }
    if let Some(fault) = fault {
        tracing::warn!(%fault, "what a held delivery would do is not known for everybody");
    }
    Ok(Some(would))
}

/// By when the next delivery after one is promised.
fn due_after(at: Timestamp, contract: &SourceContract) -> Option<Timestamp> {
    let hours = i64::from(contract.max_age_hours?);
    Some(at.saturating_add(SignedDuration::from_hours(hours)).unwrap_or(at))
}

fn ago(now: Timestamp, hours: u32) -> Timestamp {
    now.saturating_sub(SignedDuration::from_hours(i64::from(hours))).unwrap_or(now)
}
