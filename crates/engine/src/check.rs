//! Checking the evidence: log against itself, log against database, database against log.
//!
//! Everything is derived again. The first damage is named with its place: the entry, or the row and the
//! entry that says what the row should be.

use bailiwick_core::record::Logged;
use bailiwick_evidence::{Checkpoint, EvidenceError, VerifierKey, fsck};
use bailiwick_store::{Deviation, How, Tx, deviations, row_count};
use serde::Serialize;

use crate::{Engine, EngineError, Result, Sequencer, finding::Wrong};

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

/// The finding that the log or the database was changed behind the hub's back.
pub const DAMAGED: &str = "evidence-damaged";

impl Engine {
    /// Checks the evidence as [`Self::check_evidence`] does, and has it told to people what is damaged, until a check finds
    /// nothing.
    pub async fn watch_evidence(&self, sequencer: &Sequencer) -> Result<CheckReport> {
        let report = self.check_evidence(sequencer, None).await?;
        let mut tx = self.begin().await?;
        let told = match &report.damage {
            None => self.close_finding(&mut *tx, DAMAGED, "log").await?,
            Some(damage) => {
                let wrong = Wrong {
                    code: DAMAGED,
                    subject: "log".into(),
                    identity: None,
                    system: None,
                    message: format!("{}: {}", damage.code, damage.message),
                    owner: "operator".into(),
                };
                self.renew_finding(&mut *tx, wrong).await?
            }
        };
        if told.is_some() {
            tx.write(self.tenant(), told.into_iter().collect(), self.entropy()).await?;
            tx.commit().await?;
        }
        Ok(report)
    }

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
        match published {
            Err(EngineError::Evidence(message)) if message.starts_with("log-shrunk") => {
                report.damage = Some(Damage::new("log-shrunk", None, message));
                return Ok(report);
            }
            other => drop(other?),
        }
        report.damage = match check_log(sequencer, key, earlier)? {
            Some(damage) => Some(damage),
            None => {
                let mut tx = self.read().await?;
                match compare_entries(&mut *tx, sequencer, size).await? {
                    Some(damage) => Some(damage),
                    None => {
                        report.rows = row_count(&mut *tx).await?;
                        compare_rows(&mut *tx).await?
                    }
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

/// Compares the entries in the database with those of the log.
async fn compare_entries(tx: &mut dyn Tx, sequencer: &Sequencer, size: u64) -> Result<Option<Damage>> {
    let mut next = 0u64;
    while next < size {
        let stored = tx.entries(i64::try_from(next).unwrap_or(i64::MAX), PAGE).await?;
        let end = size.min(next + u64::from(PAGE));
        let logged =
            sequencer.log()?.read_entries(next..end).map_err(|e| EngineError::Evidence(e.to_string()))?;
        for (offset, bytes) in logged.iter().enumerate() {
            let index = next + offset as u64;
            let same_place = |e: &&bailiwick_store::Entry| e.index == i64::try_from(index).ok();
            let Some(entry) = stored.get(offset).filter(same_place) else {
                let message = format!("entry {index} is in the log and not in the database");
                return Ok(Some(Damage::new("database-entry-missing", Some(index), message)));
            };
            if entry.bytes != *bytes {
                let record = &entry.record;
                let message =
                    format!("entry {index}: the database has another text than the log (record {record})");
                return Ok(Some(Damage::new("database-entry-changed", Some(index), message)));
            }
        }
        next = end;
    }
    Ok(None)
}

/// Compares every row with the last that the entries say of it; gives the deviation that concerns the
/// earliest entry.
async fn compare_rows(tx: &mut dyn Tx) -> Result<Option<Damage>> {
    let found = deviations(tx).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let mut placed = Vec::with_capacity(found.len());
    for deviation in found {
        placed.push((explaining(tx, &deviation).await?, deviation));
    }
    // What no entry explains comes last: it has no place in the log.
    placed.sort_by_key(|(entry, _)| entry.unwrap_or(u64::MAX));
    Ok(placed.into_iter().next().map(|(entry, deviation)| {
        let Deviation { table, id, how, .. } = deviation;
        let said = entry.map_or_else(|| "an unpublished entry".to_owned(), |e| format!("entry {e}"));
        let (code, message) = match how {
            How::Edited => ("row-changed", format!("row `{id}` of {table} is not what {said} says it is")),
            How::Missing => {
                ("row-missing", format!("row `{id}` of {table} is missing; {said} says that it is there"))
            }
            How::Unexplained => (
                "row-unexplained",
                format!("row `{id}` of {table} was put there by nobody: no entry explains it"),
            ),
        };
        Damage::new(code, entry, message)
    }))
}

/// The index of the last entry that was written with the row.
async fn explaining(tx: &mut dyn Tx, deviation: &Deviation) -> Result<Option<u64>> {
    let mut last = None;
    let mut from = 0;
    loop {
        let entries = tx.entries(from, PAGE).await?;
        for entry in &entries {
            let Ok(record) = Logged::parse(&entry.bytes) else { continue };
            if record.tenant == deviation.tenant
                && record.state.iter().any(|s| s.table == deviation.table && s.id == deviation.id)
            {
                last = entry.index.and_then(|i| u64::try_from(i).ok());
            }
        }
        match entries.len() {
            0 => return Ok(last),
            read => from += read as i64,
        }
    }
}
