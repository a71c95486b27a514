//! Checking the evidence: log against itself, log against database, database against log.
//!
//! Everything is derived again. The first damage is named with its place: the entry, or the row and the
//! entry that says what the row should be.

use std::collections::BTreeMap;

use bailiwick_core::{digest::Digest, id::Tenant, record::Logged};
use bailiwick_evidence::{Checkpoint, EvidenceError, VerifierKey, fsck};
use bailiwick_store::{Row, Select, Table, Tx};
use serde::Serialize;

use crate::{Engine, EngineError, Result, Sequencer};

/// How many entries or rows are looked at at a time.
const PAGE: u32 = 2_048;

/// A log and a database that agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// How many entries the log has.
    pub entries: u64,
    /// How many rows were compared with what the log says of them.
    pub rows: u64,
    /// The root of the log.
    pub root: String,
    /// The first damage found, if any.
    pub damage: Option<Damage>,
}

/// Something was changed behind the hub's back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// The stable code.
    pub code: String,
    /// The first bad entry of the log, if it is about one.
    pub entry: Option<u64>,
    /// Where and what, for people.
    pub message: String,
}

impl Damage {
    fn new(code: &str, entry: Option<u64>, message: String) -> Self {
        Self { code: code.to_owned(), entry, message }
    }
}

/// What the log says a row is.
struct Expected {
    revision: i64,
    digest: Option<Digest>,
    entry: u64,
}

impl Engine {
    /// Derives everything again and gives the first damage, if there is any. `earlier` is a checkpoint of
    /// the same log from before, or one with a witness's signature: with it, a rewritten past is found
    /// even when all hashes were made anew.
    pub async fn check_evidence(&self, sequencer: &Sequencer, earlier: Option<&str>) -> Result<CheckReport> {
        // Not publishing first would call everything since the last publication damage; what publishing
        // appends cannot hide damage, because it changes nothing that is there.
        let published = sequencer.publish(self.now()).await;
        let (key, root, size) = {
            let log = sequencer.log()?;
            (log.verifier().clone(), log.checkpoint().root().to_string(), log.size())
        };
        let mut report = CheckReport { entries: size, rows: 0, root, damage: None };
        if let Err(EngineError::Evidence(message)) = published {
            let code = message.split(':').next().unwrap_or("log").to_owned();
            report.damage = Some(Damage { code, entry: None, message });
            return Ok(report);
        }
        report.damage = match check_log(sequencer, key, earlier)? {
            Some(damage) => Some(damage),
            None => {
                let mut tx = self.read().await?;
                match compare_entries(&mut *tx, sequencer, size).await? {
                    Ok(expected) => compare_rows(&mut *tx, expected, &mut report.rows).await?,
                    Err(damage) => Some(damage),
                }
            }
        };
        Ok(report)
    }
}

fn check_log(sequencer: &Sequencer, key: VerifierKey, earlier: Option<&str>) -> Result<Option<Damage>> {
    let failed = |e: EvidenceError| EngineError::Evidence(format!("{}: {e}", e.code()));
    let earlier: Vec<Checkpoint> = match earlier {
        Some(text) => vec![Checkpoint::open(text, std::slice::from_ref(&key)).map_err(failed)?],
        None => Vec::new(),
    };
    match fsck(sequencer.dir(), &[key], &earlier) {
        Ok(_) => Ok(None),
        Err(EvidenceError::Broken(broken)) => {
            Ok(Some(Damage::new(broken.code(), Some(broken.first), broken.to_string())))
        }
        Err(error) => Err(failed(error)),
    }
}

type States = BTreeMap<(Tenant, String, String), Expected>;

/// Compares the entries in the database with those of the log and collects what they say of rows.
async fn compare_entries(tx: &mut dyn Tx, sequencer: &Sequencer, size: u64) -> Result<Result<States, Damage>> {
    let mut states = States::new();
    let mut next = 0u64;
    while next < size {
        let stored = tx.entries(i64::try_from(next).unwrap_or(i64::MAX), PAGE).await?;
        let end = size.min(next + u64::from(PAGE));
        let logged = sequencer.log()?.read_entries(next..end).map_err(|e| EngineError::Evidence(e.to_string()))?;
        for (offset, bytes) in logged.iter().enumerate() {
            let index = next + offset as u64;
            match stored.get(offset) {
                Some(entry) if entry.index == i64::try_from(index).ok() && entry.bytes == *bytes => {}
                Some(entry) if entry.index == i64::try_from(index).ok() => {
                    let message = format!("entry {index}: the database has another text than the log (record {})", entry.record);
                    return Ok(Err(Damage::new("database-entry-changed", Some(index), message)));
                }
                Some(_) | None => {
                    let message = format!("entry {index} is in the log and not in the database");
                    return Ok(Err(Damage::new("database-entry-missing", Some(index), message)));
                }
            }
            let Ok(record) = Logged::parse(bytes) else {
                let message = format!("entry {index} is not a record of this program");
                return Ok(Err(Damage::new("entry-not-ours", Some(index), message)));
            };
            for state in record.state {
                let expected = Expected { revision: state.revision, digest: state.digest, entry: index };
                states.insert((record.tenant.clone(), state.table, state.id), expected);
            }
        }
        next = end;
    }
    Ok(Ok(states))
}

/// Compares every row with the last that the log says of it.
async fn compare_rows(tx: &mut dyn Tx, mut expected: States, rows: &mut u64) -> Result<Option<Damage>> {
    for tenant in tx.tenants().await? {
        for table in Table::ALL {
            let mut after = None;
            loop {
                let page = tx.select(&tenant, Select::from(table).page(after.take(), PAGE)).await?;
                for row in &page {
                    *rows += 1;
                    let key = (tenant.clone(), table.name().to_owned(), row.id.clone());
                    if let Some(damage) = judge(table, row, expected.remove(&key)) {
                        return Ok(Some(damage));
                    }
                }
                match page.last() {
                    Some(last) if page.len() == PAGE as usize => after = Some(last.id.clone()),
                    _ => break,
                }
            }
        }
    }
    let lost = expected.into_iter().filter(|(_, e)| e.digest.is_some()).min_by_key(|(_, e)| e.entry);
    Ok(lost.map(|((_, table, id), expected)| {
        let entry = expected.entry;
        let message = format!("row `{id}` of {table} is missing; entry {entry} says that it is there");
        Damage::new("row-missing", Some(entry), message)
    }))
}

fn judge(table: Table, row: &Row, expected: Option<Expected>) -> Option<Damage> {
    let name = table.name();
    let id = &row.id;
    match expected {
        None => {
            let message = format!("row `{id}` of {name} was put there by nobody: no entry explains it");
            Some(Damage::new("row-unexplained", None, message))
        }
        Some(e) if e.digest == Some(row.digest()) && e.revision == row.revision => None,
        Some(e) => {
            let message = format!("row `{id}` of {name} is not what entry {} says it is", e.entry);
            Some(Damage::new("row-changed", Some(e.entry), message))
        }
    }
}
