//! What of a delivery has to be read: the records that may say something new.
//!
//! Most records of a delivery say what they said last time. Of these nothing is made but a digest; what somebody is as of is
//! in the columns of their row, see [`Said`](bailiwick_core::said::Said). Of people whom nobody knows it is seen that their
//! records are in order, and nothing is kept but where they lie: a first delivery is read as it is taken.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry},
};

use bailiwick_core::{
    contract::{Arrival, Breach, Breaches, Sifted, SourceContract, SourceRecord, newcomer},
    digest::Digest,
    id::SourceName,
    identity::{Identity, Lifecycle},
    said::Said,
    time::Timestamp,
};
use bailiwick_store::{Filter, KeyValue, Outlines, Select, Stored, Table, Tx, as_key, select};

use crate::{Engine, EngineError, Result, delivery::Delivery};

/// How many rows are asked for at a time.
const PAGE: u32 = 4_000;
/// How many people are read at a time.
const CHUNK: usize = 500;
/// What is done with a record; another number when that changes, so that all of them are read again.
const READING: &str = "bailiwick/record/v1";

/// What of a delivery has to be read, and what is known of those whom that is about.
pub(crate) struct Sieve {
    /// What is said of those who are known.
    pub records: Vec<SourceRecord>,
    /// By their keys; those who are missing from the delivery too, unless they have left.
    pub before: BTreeMap<String, Stored<Identity>>,
    /// Those whom nobody knows and who come.
    pub newcomers: Newcomers,
    as_before: u64,
    here: u64,
    faults: Vec<Breach>,
}

impl Sieve {
    /// What [`bailiwick_core::contract::intake`] takes.
    pub(crate) fn sifted(&mut self) -> Sifted<'_> {
        Sifted {
            records: &self.records,
            as_before: self.as_before,
            here: self.here,
            newcomers: self.newcomers.count(),
            faults: std::mem::take(&mut self.faults),
        }
    }
}

/// Those whom nobody knows: where their records lie in the delivery, in its order.
pub(crate) struct Newcomers {
    basis: Basis,
    now: Timestamp,
    places: Vec<usize>,
}

impl Newcomers {
    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.places.len() as u64
    }

    /// What each of them says.
    pub(crate) fn arrivals<'n>(
        &'n self,
        delivery: &'n Delivery,
        contract: &'n SourceContract,
    ) -> impl ExactSizeIterator<Item = Result<Arrival>> + 'n {
        let changed = || EngineError::Inconsistent("a record that was in order is not any more".into());
        self.places.iter().map(move |at| {
            let record = self.basis.record(delivery, *at, contract)?;
            newcomer(&record, contract, self.now).ok().flatten().ok_or_else(changed)
        })
    }
}

/// What the digest of a record rests on besides what the record says.
struct Basis(Digest);

impl Basis {
    fn digest(&self, delivery: &Delivery, at: usize) -> Digest {
        Digest::of_parts(&[&self.0.0, delivery.row(at)])
    }

    /// The record with its digest.
    fn record(&self, delivery: &Delivery, at: usize, contract: &SourceContract) -> Result<SourceRecord> {
        Ok(SourceRecord { digest: Some(self.digest(delivery, at)), ..delivery.record(at, contract)? })
    }
}

/// What a key of a source is as of.
struct Kept {
    /// The digest of the record that made its row, if nothing else wrote it since.
    said: Option<[u8; 16]>,
    here: bool,
    met: Met,
}

/// What a delivery has of a key so far.
#[derive(Clone, Copy, PartialEq)]
enum Met {
    Not,
    /// The record at this place, which says what it said.
    AsBefore(usize),
    Read,
}

impl Engine {
    /// Tells the records that may say something new `now` from those that do not. `others` are the attributes that others
    /// write.
    pub(crate) async fn sift(
        &self,
        tx: &mut dyn Tx,
        (source, contract): (&SourceName, &SourceContract),
        others: &BTreeSet<String>,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<Sieve> {
        let mut kept = self.kept(tx, source).await?;
        let basis = Basis(Digest::of_value(&(READING, contract, others)));
        let (read, new) = places(&mut kept, (source, &basis), delivery, contract)?;
        let records = read.iter().map(|at| basis.record(delivery, *at, contract)).collect::<Result<_>>()?;
        let (mut as_before, mut here, mut looked_at) = (0, 0, BTreeSet::new());
        for (key, kept) in kept {
            match kept.met {
                Met::AsBefore(_) => {
                    as_before += 1;
                    here += u64::from(kept.here);
                }
                // Nothing follows for whoever has left and is not told of any more.
                Met::Not if !kept.here => {}
                Met::Not | Met::Read => drop(looked_at.insert(key)),
            }
        }
        let (mut places, mut faults) = (Vec::with_capacity(new.len()), Breaches::default());
        for at in new {
            match newcomer(&delivery.record(at, contract)?, contract, now) {
                Ok(Some(_)) => places.push(at),
                Ok(None) => as_before += 1,
                Err(found) => faults.extend(found),
            }
        }
        faults.extend(delivery.doubles(contract)?);
        let newcomers = Newcomers { basis, now, places };
        let before = self.known(tx, source, looked_at).await?;
        Ok(Sieve { records, before, newcomers, as_before, here, faults: faults.told() })
    }

    /// What everybody whom a source has ever named is as of.
    async fn kept(&self, tx: &mut dyn Tx, source: &SourceName) -> Result<HashMap<String, Kept>> {
        let (begins, now) = (format!("{source}/"), self.now().as_millisecond());
        let mut all = HashMap::new();
        let mut after = None;
        loop {
            let asked = Outlines {
                table: Table::Identities,
                by: "source_key",
                begins: begins.clone(),
                after: after.take(),
                columns: &["source_key", "said", "state", "due"],
                limit: PAGE,
            };
            let page = tx.outlines(self.tenant(), asked).await?;
            let full = page.len() == PAGE as usize;
            for outline in page {
                let [KeyValue::Text(key), said, state, due] = outline.values.as_slice() else { continue };
                // Whose day has come is looked at, whether or not somebody woke them.
                let came = matches!(due, KeyValue::Int(due) if *due <= now);
                let said = match said {
                    KeyValue::Text(said) if !came => {
                        said.parse().ok().and_then(|said: Said| said.of(outline.revision))
                    }
                    KeyValue::Text(_) | KeyValue::Int(_) | KeyValue::Null => None,
                };
                // What leads to somebody else is as that one is, and is looked at.
                let gone = [Lifecycle::LEFT, Lifecycle::GARDEN_LEAVE];
                let here = !gone.iter().any(|gone| *state == KeyValue::Text((*gone).into()));
                all.insert(key[begins.len()..].to_owned(), Kept { said, here, met: Met::Not });
                after = Some(key.clone());
            }
            if !full {
                return Ok(all);
            }
        }
    }

    /// Those whom a source knows by these keys.
    async fn known(
        &self,
        tx: &mut dyn Tx,
        source: &SourceName,
        keys: BTreeSet<String>,
    ) -> Result<BTreeMap<String, Stored<Identity>>> {
        let mut known = BTreeMap::new();
        let mut keys = keys.into_iter().map(|key| format!("{source}/{key}").into()).peekable();
        while keys.peek().is_some() {
            let chunk = keys.by_ref().take(CHUNK).collect();
            let asked = Select::from(Table::Identities).filter(Filter::In("source_key", chunk));
            for stored in select::<Identity>(tx, self.tenant(), asked).await? {
                let key = stored.value.source_key.key.clone();
                known.extend(self.followed(tx, stored).await?.map(|person| (key, person)));
            }
        }
        Ok(known)
    }
}

/// The places of the records that may say something new of somebody who is known, or whose key is not one person's, and of
/// those of people whom nobody knows.
fn places(
    kept: &mut HashMap<String, Kept>,
    (source, basis): (&SourceName, &Basis),
    delivery: &Delivery,
    contract: &SourceContract,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let (mut read, mut new) = (Vec::new(), HashMap::new());
    for at in 0..delivery.rows() {
        let key = delivery.key(at);
        match kept.get_mut(&*of_row(source, &key)) {
            Some(of) => match of.met {
                Met::Not
                    if of.said == Some(basis.digest(delivery, at).half())
                        && !names_another(delivery, at, contract)? =>
                {
                    of.met = Met::AsBefore(at);
                    continue;
                }
                // Two have this key: both are shown.
                Met::AsBefore(first) => {
                    read.push(first);
                    of.met = Met::Read;
                }
                Met::Not | Met::Read => of.met = Met::Read,
            },
            None if key.is_empty() => {}
            None => match new.entry(key) {
                Entry::Occupied(first) => read.push(*first.get()),
                Entry::Vacant(free) => {
                    free.insert(at);
                    if !names_another(delivery, at, contract)? {
                        continue;
                    }
                }
            },
        }
        read.push(at);
    }
    read.sort_unstable();
    read.dedup();
    let mut new: Vec<usize> = new.into_values().filter(|at| read.binary_search(at).is_err()).collect();
    new.sort_unstable();
    Ok((read, new))
}

/// A key as the row of a source has it.
fn of_row<'k>(source: &SourceName, key: &'k str) -> Cow<'k, str> {
    let whole = format!("{source}/{key}");
    match as_key(&whole) {
        Cow::Borrowed(_) => Cow::Borrowed(key),
        Cow::Owned(short) => Cow::Owned(short[source.as_str().len() + 1..].to_owned()),
    }
}

/// Whether a record says by which key its person was known before: that is looked at each time.
fn names_another(delivery: &Delivery, at: usize, contract: &SourceContract) -> Result<bool> {
    Ok(contract.previous_key.is_some() && contract.previous_of(&delivery.record(at, contract)?).is_some())
}
