//! Compares the rows of state with what evidence says of them.
//!
//! Promises: a row that was edited, added or removed other than through [`Tx::write`] is found, in any
//! table, of any tenant. Absent: whether the evidence itself is what was published; that is checked
//! against the log, before.

use std::collections::{BTreeSet, HashMap};

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

/// About how many rows are compared at a time: some 50 MB of what evidence says of them.
const AT_ONCE: u64 = 500_000;
/// In how many parts at most, each of which reads everything once more.
const PARTS: u64 = 8;

/// Tenant, table and id.
type Key = (Tenant, String, String);

/// What stands for a key where many are kept.
type Short = [u8; 16];

/// Some of all keys, by what stands for them.
#[derive(Clone, Copy)]
struct Part {
    nth: u64,
    of: u64,
    /// About how many rows it has.
    rows: u64,
}

impl Part {
    fn has(self, short: &Short) -> bool {
        let [first, second, ..] = *short;
        u64::from(u16::from_be_bytes([first, second])) % self.of == self.nth
    }
}

fn short(tenant: &Tenant, table: &str, id: &str) -> Short {
    let end: &[u8] = b"\0";
    Digest::of_parts(&[tenant.as_str().as_bytes(), end, table.as_bytes(), end, id.as_bytes()]).half()
}

/// How many rows there are, of all tenants.
///
/// # Errors
///
/// Those of the store.
pub async fn row_count(tx: &mut dyn Tx) -> Result<u64> {
    let mut rows = 0;
    for tenant in tx.tenants().await? {
        for table in Table::ALL {
            rows += u64::try_from(tx.count(&tenant, Select::from(table)).await?).unwrap_or(0);
        }
    }
    Ok(rows)
}

/// All rows that deviate from what the entries in this database say, by tenant, table and id. Reads
/// everything, once for each half a million rows and at most eight times; keeps some 100 bytes for each of these rows in memory. `tx`
/// should be a reading one, so that rows and evidence are of one state.
///
/// # Errors
///
/// `Inconsistent` when an entry or a row cannot be read at all.
pub async fn deviations(tx: &mut dyn Tx) -> Result<Vec<Deviation>> {
    deviations_by(tx, AT_ONCE).await
}

/// The same, comparing about so many rows at a time.
///
/// # Errors
///
/// As [`deviations`].
pub async fn deviations_by(tx: &mut dyn Tx, at_once: u64) -> Result<Vec<Deviation>> {
    let rows = row_count(tx).await?;
    let of = rows.div_ceil(at_once.max(1)).clamp(1, PARTS);
    let mut found = Vec::new();
    for nth in 0..of {
        compare(tx, Part { nth, of, rows: rows / of }, &mut found).await?;
    }
    found.sort();
    Ok(found)
}

async fn compare(tx: &mut dyn Tx, part: Part, found: &mut Vec<Deviation>) -> Result<()> {
    let mut expected = expected(tx, part).await?;
    for tenant in tx.tenants().await? {
        for table in Table::ALL {
            let mut after = None;
            loop {
                let rows = tx.select(&tenant, Select::from(table).page(after, PAGE)).await?;
                for row in &rows {
                    let short = short(&tenant, table.name(), &row.id);
                    if !part.has(&short) {
                        continue;
                    }
                    let how = match expected.remove(&short) {
                        Some(digest) if digest == row.digest() && found_as_it_says(table, row) => continue,
                        Some(_) => How::Edited,
                        None => How::Unexplained,
                    };
                    let (tenant, table, id) = (tenant.clone(), table.name().to_owned(), row.id.clone());
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
    found.extend(keys(tx, &expected).await?.into_iter().map(missing));
    Ok(())
}

/// Whether a row is found by what its document says. One that only a newer program can read is left to that.
fn found_as_it_says(table: Table, row: &Row) -> bool {
    derived(table, row).is_none_or(|keys| keys == row.keys)
}

/// The digest of each row of a part that should be there: the last that evidence says.
async fn expected(tx: &mut dyn Tx, part: Part) -> Result<HashMap<Short, Digest>> {
    // In one piece, which goes back to the system as a whole: many small ones would stay with the process.
    let mut expected = HashMap::with_capacity(usize::try_from(part.rows + part.rows / 8).unwrap_or(0));
    said(tx, |tenant, StateRef { digest, id, table, .. }| {
        let short = short(tenant, &table, &id);
        match digest.filter(|_| part.has(&short)) {
            Some(digest) => expected.insert(short, digest),
            None => expected.remove(&short),
        };
    })
    .await?;
    Ok(expected)
}

/// The keys of those that are left; evidence is read once more where there are any.
async fn keys(tx: &mut dyn Tx, left: &HashMap<Short, Digest>) -> Result<BTreeSet<Key>> {
    let mut keys = BTreeSet::new();
    if !left.is_empty() {
        said(tx, |tenant, StateRef { id, table, .. }| {
            if left.contains_key(&short(tenant, &table, &id)) {
                keys.insert((tenant.clone(), table, id));
            }
        })
        .await?;
    }
    Ok(keys)
}

/// Goes through all that evidence says of rows, in the order in which it was written.
async fn said(tx: &mut dyn Tx, mut each: impl FnMut(&Tenant, StateRef) + Send) -> Result<()> {
    let mut after = 0;
    loop {
        let entries = tx.written(after, PAGE).await?;
        let Some(last) = entries.last() else { return Ok(()) };
        after = last.seq;
        for Entry { record, bytes, .. } in &entries {
            let explains: Explains = serde_json::from_slice(bytes).map_err(|_| StoreError::Inconsistent {
                table: "evidence",
                column: "bytes",
                row: record.clone(),
            })?;
            let tenant = explains.tenant;
            explains.state.into_iter().for_each(|row| each(&tenant, row));
        }
    }
}
