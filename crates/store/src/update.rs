//! A change of state together with the evidence that explains it.

use bailiwick_core::{digest::Digest, id::Entropy, record::Record, record::StateRef};

use crate::{Entity, Row, Table};

/// One row to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// A new row, revision 1. Fails with `Conflict` when the id or a unique key is taken.
    Insert(Table, Row),
    /// The next revision of a row. Fails with `Conflict` unless `revision - 1` is stored.
    Replace(Table, Row),
    /// Removes the row `id` at `revision`. Fails with `Conflict` unless that revision is stored.
    Delete(Table, String, i64),
}

/// An evidence record and the rows it explains: the only way state is changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// What happened.
    pub record: Record,
    /// What it changed.
    pub writes: Vec<Write>,
}

impl Update {
    /// An update that changes nothing yet.
    pub fn new(record: Record) -> Self {
        Self { record, writes: Vec::new() }
    }

    /// Adds a new document.
    #[must_use]
    pub fn insert<T: Entity>(mut self, value: &T, entropy: &dyn Entropy) -> Self {
        self.writes.push(Write::Insert(T::TABLE, value.row(1, entropy.salt())));
        self
    }

    /// Adds the replacement of the document at `revision` by `value`.
    #[must_use]
    pub fn replace<T: Entity>(mut self, value: &T, revision: i64, entropy: &dyn Entropy) -> Self {
        self.writes.push(Write::Replace(T::TABLE, value.row(revision + 1, entropy.salt())));
        self
    }

    /// Adds the removal of the document `id` at `revision`.
    #[must_use]
    pub fn delete<T: Entity>(mut self, id: &str, revision: i64) -> Self {
        self.writes.push(Write::Delete(T::TABLE, id.to_owned(), revision));
        self
    }
}

impl Write {
    /// What the evidence record says of this row.
    pub fn state_ref(&self) -> StateRef {
        match self {
            Self::Insert(table, row) | Self::Replace(table, row) => StateRef {
                digest: Some(row.digest()),
                id: row.id.clone(),
                revision: row.revision,
                table: table.name().to_owned(),
            },
            Self::Delete(table, id, revision) => {
                StateRef { digest: None, id: id.clone(), revision: *revision, table: table.name().to_owned() }
            }
        }
    }
}

impl Row {
    /// The digest that evidence holds of this row: SHA-256 over salt, revision and body.
    pub fn digest(&self) -> Digest {
        Digest::of_parts(&[b"bailiwick/row/v1\n", &self.salt, &self.revision.to_be_bytes(), &self.body])
    }
}
