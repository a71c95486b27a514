//! What a source delivers, as it came: one piece of memory, from which a record is read when something hangs on it.

use std::borrow::Cow;

use bailiwick_connector::{Object, ObjectState, ObjectValue};
use bailiwick_core::{
    contract::{Breach, SourceContract, SourceRecord},
    digest::Digest,
    guard,
};

use crate::{EngineError, Result, intake::record_of};

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

    /// The bytes of a record.
    pub(crate) fn row(&self, at: usize) -> &[u8] {
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[begin..self.ends[at]]
    }

    /// Its key.
    pub(crate) fn key(&self, at: usize) -> Cow<'_, str> {
        Rest(self.row(at)).text().unwrap_or_default()
    }

    /// The record, read against the contract.
    pub(crate) fn record(&self, at: usize, contract: &SourceContract) -> Result<SourceRecord> {
        let kept = Rest(self.row(at)).object();
        let broken = || EngineError::Inconsistent("a record of a delivery is not as it was kept".into());
        Ok(SourceRecord { line: line(at), ..record_of(&kept.ok_or_else(broken)?, contract) })
    }

    /// The digest of all that it says, in whatever order: a source that is asked again may answer in another one.
    pub(crate) fn digest(&self) -> Digest {
        let mut rows: Vec<Digest> = (0..self.rows()).map(|at| Digest::of(self.row(at))).collect();
        rows.sort_unstable();
        let rows: Vec<&[u8]> = rows.iter().map(|row| &row.0[..]).collect();
        Digest::of_parts(&rows)
    }

    /// The breaches of what is one person's alone.
    pub(crate) fn doubles(&self, contract: &SourceContract) -> Result<Vec<Breach>> {
        let mut doubles = Vec::new();
        for name in contract.unique() {
            let mut broken = None;
            let values = (0..self.rows()).filter_map(|at| match self.record(at, contract) {
                Ok(mut record) => Some((record.line, record.values.remove(name)??.to_string())),
                Err(error) => {
                    broken = Some(error);
                    None
                }
            });
            doubles.extend(guard::duplicates(name, values));
            broken.map_or(Ok(()), Err)?;
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
