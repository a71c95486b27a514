//! What a source delivers, as it came: one piece of memory, from which a record is read when something hangs on it.
//!
//! Most records of a delivery say what they said last time. Of these nothing is made but a digest. What somebody is as of
//! is in the columns of their row; see [`Said`](bailiwick_core::said::Said).

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use bailiwick_connector::{Object, ObjectState, ObjectValue};
use bailiwick_core::{
    contract::{Breach, Sifted, SourceContract, SourceRecord},
    digest::Digest,
    guard,
    id::SourceName,
    identity::{Identity, Lifecycle},
    said::Said,
};
use bailiwick_store::{Filter, KeyValue, Outlines, Select, Stored, Table, Tx, select};

use crate::{Engine, EngineError, Result, intake::record_of};

/// How many rows are asked for at a time.
const PAGE: u32 = 4_000;
/// How many people are read at a time.
const CHUNK: usize = 500;
/// What is done with a record; another number when that changes, so that all of them are read again.
const READING: &str = "bailiwick/record/v1";
/// The attributes of a record that every source may have.
const CONVENTIONAL: [&str; 4] = ["start", "end", "zone", "status"];

/// The records of a delivery, in its order.
#[derive(Default)]
pub(crate) struct Delivery {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Delivery {
    /// Adds a record: of its attributes, those that mean something.
    pub(crate) fn push(&mut self, object: &Object<'_>, contract: &SourceContract) {
        let bytes = &mut self.bytes;
        text(bytes, &object.id);
        bytes.push(u8::from(object.state == ObjectState::Blocked));
        let previous = contract.previous_key.as_ref().map(|previous| previous.attribute.as_str());
        let wanted = |name: &str| {
            contract.attributes.contains_key(name) || CONVENTIONAL.contains(&name) || previous == Some(name)
        };
        for (name, value) in object.attributes.iter().filter(|(name, _)| wanted(name)) {
            text(bytes, name);
            match value {
                ObjectValue::Null => bytes.push(0),
                ObjectValue::Flag(flag) => bytes.push(1 + u8::from(*flag)),
                ObjectValue::Text(value) => {
                    bytes.push(3);
                    text(bytes, value);
                }
                ObjectValue::Many(many) => {
                    bytes.push(4);
                    number(bytes, many.len());
                    many.iter().for_each(|value| text(bytes, value));
                }
            }
        }
        self.ends.push(bytes.len());
    }

    /// How many records it has.
    pub(crate) fn rows(&self) -> usize {
        self.ends.len()
    }

    fn row(&self, at: usize) -> &[u8] {
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[begin..self.ends[at]]
    }

    /// The record, as the connector showed it.
    fn object(&self, at: usize) -> Result<Object<'_>> {
        let mut rest = Rest(self.row(at));
        rest.object()
            .ok_or_else(|| EngineError::Inconsistent("a record of a delivery is not as it was kept".into()))
    }

    /// The breaches of what is one person's alone.
    fn doubles(&self, contract: &SourceContract) -> Result<Vec<Breach>> {
        let mut doubles = Vec::new();
        for name in contract.unique() {
            let mut values = Vec::with_capacity(self.rows());
            for at in 0..self.rows() {
                let record = record_of(&self.object(at)?, contract)?;
                let value = record.values.get(name).and_then(Option::as_ref).map(ToString::to_string);
                values.extend(value.map(|value| (line(at), value)));
            }
            doubles.extend(guard::duplicates(name, values));
        }
        Ok(doubles)
    }
}

fn number(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend_from_slice(&(number as u64).to_le_bytes());
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    number(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

/// What is still to be read of a record.
struct Rest<'d>(&'d [u8]);

impl<'d> Rest<'d> {
    fn object(&mut self) -> Option<Object<'d>> {
        let mut object = Object { id: self.text()?, ..Object::default() };
        if self.byte()? == 1 {
            object.state = ObjectState::Blocked;
        }
        while !self.0.is_empty() {
            let name = self.text()?;
            let value = match self.byte()? {
                0 => ObjectValue::Null,
                flag @ (1 | 2) => ObjectValue::Flag(flag == 2),
                3 => ObjectValue::Text(self.text()?),
                _ => ObjectValue::Many((0..self.number()?).map(|_| self.text()).collect::<Option<_>>()?),
            };
            object.attributes.push((name, value));
        }
        Some(object)
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn number(&mut self) -> Option<usize> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        usize::try_from(u64::from_le_bytes(*number)).ok()
    }

    fn text(&mut self) -> Option<Cow<'d, str>> {
        let length = self.number()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok().map(Cow::Borrowed)
    }
}

/// The line of a record: the first one is the header's.
fn line(at: usize) -> u64 {
    at as u64 + 2
}

/// What of a delivery has to be read, and what is known of those whom that is about.
pub(crate) struct Sieve {
    pub records: Vec<SourceRecord>,
    as_before: u64,
    here: u64,
    doubles: Vec<Breach>,
    /// By their keys; those who are missing from the delivery too, unless they have left.
    pub before: BTreeMap<String, Stored<Identity>>,
}

impl Sieve {
    /// What [`bailiwick_core::contract::intake`] takes.
    pub(crate) fn sifted(&mut self) -> Sifted<'_> {
        let Self { records, as_before, here, doubles, .. } = self;
        Sifted { records, as_before: *as_before, here: *here, doubles: std::mem::take(doubles) }
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
    /// Tells the records that may say something new from those that do not. `others` are the attributes that others write.
    pub(crate) async fn sift(
        &self,
        tx: &mut dyn Tx,
        (source, contract): (&SourceName, &SourceContract),
        others: &BTreeSet<String>,
        delivery: &Delivery,
    ) -> Result<Sieve> {
        let mut kept = self.kept(tx, source).await?;
        let basis = Digest::of_value(&(READING, contract, others));
        let mut read: Vec<(usize, Digest)> = Vec::new();
        let digest_of = |at| Digest::of_parts(&[&basis.0, delivery.row(at)]);
        for at in 0..delivery.rows() {
            let key = Rest(delivery.row(at)).text().unwrap_or_default();
            let digest = digest_of(at);
            let of = kept.get_mut(key.as_ref());
            match of.map(|of| (of.met, of)) {
                Some((Met::Not, of))
                    if of.said == Some(digest.half()) && !names_another(delivery, at, contract)? =>
                {
                    of.met = Met::AsBefore(at);
                    continue;
                }
                Some((Met::AsBefore(first), of)) => {
                    // Two have this key: both are shown.
                    read.push((first, digest_of(first)));
                    of.met = Met::Read;
                }
                Some((Met::Not | Met::Read, of)) => of.met = Met::Read,
                None => {}
            }
            read.push((at, digest));
        }
        read.sort_unstable_by_key(|(at, _)| *at);
        let mut records = Vec::with_capacity(read.len());
        for (at, digest) in read {
            let record = record_of(&delivery.object(at)?, contract)?;
            records.push(SourceRecord { line: line(at), digest: Some(digest), ..record });
        }
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
        let before = self.known(tx, source, looked_at).await?;
        let doubles = delivery.doubles(contract)?;
        Ok(Sieve { records, as_before, here, doubles, before })
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
                let here = *state != KeyValue::Text(Lifecycle::LEFT.into());
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

/// Whether a record says by which key its person was known before: that is looked at each time.
fn names_another(delivery: &Delivery, at: usize, contract: &SourceContract) -> Result<bool> {
    if contract.previous_key.is_none() {
        return Ok(false);
    }
    Ok(contract.previous_of(&record_of(&delivery.object(at)?, contract)?).is_some())
}
