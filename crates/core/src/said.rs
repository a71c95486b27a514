//! Of whom a record of a source says nothing new: told without reading them.
//!
//! An identity bears the digest of the record that it was last made from, and the revision of its row that this made. As
//! long as the row has that revision and the record that digest, nothing else has happened to the one and the other says
//! what it said. Whatever writes the row without renewing this ends it, and the record is read in full.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::Digest;

/// The record that an identity was made from, and the revision of the identity that it made.
///
/// ```
/// use bailiwick_core::{digest::Digest, said::Said};
/// let said = Said::new(&Digest::of(b"a record"), 3);
/// assert_eq!(said.to_string().parse(), Ok(said));
/// assert_eq!(said.of(3), Some(Digest::of(b"a record").half()));
/// assert_eq!(said.of(4), None, "the row was written since");
/// assert_eq!(said.renewed().of(4), said.of(3));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// See [`Digest::half`].
    record: [u8; 16],
    revision: i64,
}

impl Said {
    /// What is borne by the row with this revision, which a record with this digest made.
    pub fn new(record: &Digest, revision: i64) -> Self {
        Self { record: record.half(), revision }
    }

    /// The same for the next revision of the row, which changed nothing that the record says.
    #[must_use]
    pub fn renewed(self) -> Self {
        Self { revision: self.revision + 1, ..self }
    }

    /// The record by its half, if nothing has written the row since, which has this revision now.
    pub fn of(&self, revision: i64) -> Option<[u8; 16]> {
        (self.revision == revision).then_some(self.record)
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}.{}", u128::from_be_bytes(self.record), self.revision)
    }
}

/// The text is not what a record is remembered by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a record is remembered by 32 hexadecimal digits, a dot and a revision")]
pub struct BadSaid;

impl FromStr for Said {
    type Err = BadSaid;
    fn from_str(text: &str) -> Result<Self, BadSaid> {
        let (record, revision) =
            text.split_once('.').filter(|(record, _)| record.len() == 32).ok_or(BadSaid)?;
        let record = u128::from_str_radix(record, 16).map_err(|_| BadSaid)?.to_be_bytes();
        Ok(Self { record, revision: revision.parse().map_err(|_| BadSaid)? })
    }
}
impl Serialize for Said {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
