//! Which values are kept, and where.

use serde::{Serialize, de::DeserializeOwned};

use crate::{KeyValue, Result, Row, StoreError, Table, as_key};

/// A value that is kept as one document of a table.
pub trait Entity: Serialize + DeserializeOwned {
    /// Its table.
    const TABLE: Table;

    /// Its id in the table.
    fn key(&self) -> String;

    /// Its key columns, in the order of [`Table::keys`].
    fn keys(&self) -> Vec<KeyValue>;

    /// The row to be stored for it.
    fn row(&self, revision: i64, salt: [u8; 16]) -> Row {
        let body = bailiwick_core::digest::canonical(self);
        Row { id: as_key(&self.key()).into_owned(), revision, salt, keys: self.keys(), body }
    }

    /// Reads it back. Fails with `Inconsistent` when the body is not of this type.
    fn from_row(row: &Row) -> Result<Self> {
        serde_json::from_slice(&row.body).map_err(|_| StoreError::Inconsistent {
            table: Self::TABLE.name(),
            column: "body",
            row: row.id.clone(),
        })
    }
}
