//! A change of state together with the evidence that explains it.

use bailiwick_core::{
    digest::Digest,
    id::{Entropy, Tenant},
    record::{Personal, Record, StateRef},
};

use crate::{Entity, Result, Row, StoreError, Table, as_key};

/// How many rows one record names: with more it might be too long for the log, and others go on.
const NAMED: usize = 128;

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
        self.writes.push(Write::Delete(T::TABLE, as_key(id).into_owned(), revision));
        self
    }
}

/// Updates as [`crate::Tx::write_ready`] takes them: the rows are checked, the salts are drawn, and the
/// evidence is encoded with the digests of the rows. That is computing and needs no transaction.
pub struct Ready {
    pub(crate) tenant: Tenant,
    pub(crate) updates: Vec<(Explained, Vec<Write>)>,
}

/// What is stored for one update, but for the writes.
pub(crate) struct Explained {
    pub record: String,
    pub identity: Option<String>,
    pub case: Option<String>,
    pub bytes: Vec<u8>,
    pub personal: Vec<Personal>,
}

impl Ready {
    /// Makes `updates` of `tenant` ready.
    ///
    /// # Errors
    ///
    /// `Internal` when a row has the wrong revision or number of keys.
    pub fn new(tenant: &Tenant, updates: Vec<Update>, entropy: &dyn Entropy) -> Result<Self> {
        let mut ready = Vec::with_capacity(updates.len());
        for Update { record, writes } in updates {
            writes.iter().try_for_each(check)?;
            let mut rest = writes.into_iter().peekable();
            let mut next = Some(record);
            while let Some(record) = next {
                let writes: Vec<Write> = rest.by_ref().take(NAMED).collect();
                next = rest.peek().map(|_| record.going_on(entropy));
                ready.push((explained(tenant, record, &writes, entropy), writes));
            }
        }
        Ok(Self { tenant: tenant.clone(), updates: ready })
    }
}

fn explained(tenant: &Tenant, record: Record, writes: &[Write], entropy: &dyn Entropy) -> Explained {
    let (id, identity, case) = (record.id, record.identity, record.case);
    let state: Vec<StateRef> = writes.iter().map(Write::state_ref).collect();
    let (bytes, personal) = record.encode(tenant, &state, || entropy.salt());
    Explained {
        record: id.to_string(),
        identity: identity.map(|id| id.to_string()),
        case: case.map(|id| id.to_string()),
        bytes,
        personal,
    }
}

/// Refuses what no caller should ask for.
fn check(write: &Write) -> Result<()> {
    let well_formed = match write {
        Write::Insert(table, row) => row.revision == 1 && row.keys.len() == table.keys().len(),
        Write::Replace(table, row) => row.revision > 1 && row.keys.len() == table.keys().len(),
        Write::Delete(_, _, revision) => *revision >= 1,
    };
    match well_formed {
        true => Ok(()),
        false => Err(StoreError::misuse("a write has the wrong revision or number of keys")),
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
