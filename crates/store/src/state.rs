//! Compares the rows of state with what evidence says of them.
//!
//! Promises: a row that was edited, added or removed other than through [`Tx::write`] is found, in any
//! table, of any tenant. Absent: whether the evidence itself is what was published; that is checked
//! against the log, before.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{digest::Digest, id::Tenant, record::StateRef};
use serde::Deserialize;

use crate::{Entry, Result, Row, Select, StoreError, Table, Tx, derived::derived};

const PAGE: u32 = 1000;

/// A row that is not as evidence says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deviation {
    /// Whose row.
    pub tenant: Tenant,
    /// The name of the table.
    pub table: String,
    /// The row.
    pub id: String,
    /// In which way.
    pub how: How,
}

/// In which way a row deviates from evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// Its contents, its revision or what it is found by are others.
    Edited,
    /// Evidence says it is there.
    Missing,
    /// No evidence says so.
    Unexplained,
}

#[derive(Deserialize)]
struct Explains {
    tenant: Tenant,
    #[serde(default)]
    state: Vec<StateRef>,
}

/// Tenant, table and id.
type Key = (Tenant, String, String);

/// All rows that deviate from what the entries in this database say, by tenant, table and id. Reads
/// everything; keeps about 150 bytes for each row in memory. `tx` should be a reading one, so that
/// rows and evidence are of one state.
///
/// # Errors
///
/// `Inconsistent` when an entry or a row cannot be read at all.
pub async fn deviations(tx: &mut dyn Tx) -> Result<Vec<Deviation>> {
    let mut expected = expected(tx).await?;
    let mut tenants: BTreeSet<Tenant> = expected.keys().map(|(tenant, ..)| tenant.clone()).collect();
    tenants.extend(tx.tenants().await?);
    let mut found = Vec::new();
    for tenant in tenants {
        for table in Table::ALL {
            let mut after = None;
            loop {
                let rows = tx.select(&tenant, Select::from(table).page(after, PAGE)).await?;
                for row in &rows {
                    let key = (tenant.clone(), table.name().to_owned(), row.id.clone());
                    let how = match expected.remove(&key) {
                        Some(digest) if digest == row.digest() && found_as_it_says(table, row) => continue,
                        Some(_) => How::Edited,
                        None => How::Unexplained,
                    };
                    let (tenant, table, id) = key;
                    found.push(Deviation { tenant, table, id, how });
                }
                match rows.into_iter().nth(PAGE as usize - 1) {
                    Some(last) => after = Some(last.id),
                    None => break,
                }
            }
        }
    }
    let missing = |(tenant, table, id)| Deviation { tenant, table, id, how: How::Missing };
    found.extend(expected.into_keys().map(missing));
    found.sort();
    Ok(found)
}

/// Whether a row is found by what its document says. One that only a newer program can read is left to that.
fn found_as_it_says(table: Table, row: &Row) -> bool {
    derived(table, row).is_none_or(|keys| keys == row.keys)
}

/// The digest of each row that should be there: the last that evidence says.
async fn expected(tx: &mut dyn Tx) -> Result<BTreeMap<Key, Digest>> {
    let mut expected = BTreeMap::new();
    let mut after = 0;
    loop {
        let entries = tx.written(after, PAGE).await?;
        let Some(last) = entries.last() else { return Ok(expected) };
        after = last.seq;
        for Entry { record, bytes, .. } in &entries {
            let explains: Explains = serde_json::from_slice(bytes).map_err(|_| StoreError::Inconsistent {
                table: "evidence",
                column: "bytes",
                row: record.clone(),
            })?;
            for StateRef { digest, id, table, .. } in explains.state {
                let key = (explains.tenant.clone(), table, id);
                match digest {
                    Some(digest) => expected.insert(key, digest),
                    None => expected.remove(&key),
                };
            }
        }
    }
}
