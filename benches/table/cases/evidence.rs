//! Durable append against its floor: one write and one `fdatasync` of the same bytes, in the same batches, on a
//! preallocated file. Then the check of the whole log, against nothing but SHA-256 of its leaves.
//!
//! In: the check of every entry, the tree, the journal, all tiles, their flushes behind the log (four while the
//! journal fills), the wait for them and for the rest when it starts over (twice in every run: 92 batches fill
//! it), and one publication at the end. The sequencer works like that when it catches up: appends until the store
//! has no more, then one publication; a single batch that is published alone pays for a checkpoint and partial
//! tiles besides. Out: opening the log, and what is left to flush of the tiles of the last 72 batches of 256, for
//! which nobody has to wait yet.
//!
//! The check derives everything again from the entries: it reads them, looks at each as canonical JSON, hashes it,
//! builds the tree and compares it with the tiles and the signed checkpoint. The floor has the leaves in memory.

use std::{
    fs::{File, OpenOptions},
    io::{Seek as _, SeekFrom, Write as _},
    path::Path,
    process::Command,
};

use bailiwick_evidence::{Log, Signer, entry, fsck::fsck, log::JOURNAL_BYTES, merkle::leaf_hash, tile};
use serde_json::json;

use super::folder;
use crate::{
    Size,
    measure::{Pairs, Spread, cpu, wall},
    row::{Goal, Row, medians},
};

const PAIRS: usize = 9;
/// Enough to fill the journal of 16 MiB more than twice.
const BATCHES: usize = 256;
const BATCH: usize = 512;
/// Microseconds; 15 to 25 are usual.
const SLOW_FILE: f64 = 80.0;
/// How many pairs of checks.
const CHECKS: usize = 5;

/// The case. What is appended has one size: the journal's.
pub fn run(size: Size) -> Vec<Row> {
    vec![appended(), checked(size.of(1_000_000))]
}

fn appended() -> Row {
    let root = folder();
    let entries = entries(BATCHES * BATCH);
    let batches: Vec<Vec<&[u8]>> =
        entries.chunks(BATCH).map(|batch| batch.iter().map(Vec::as_slice).collect()).collect();
    let bytes: Vec<Vec<u8>> = batches
        .iter()
        .map(|batch| {
            let mut bytes = Vec::new();
            batch.iter().for_each(|entry| tile::push_entry(&mut bytes, entry).unwrap());
            bytes
        })
        .collect();
    let path = root.path().join("floor");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(path).unwrap();
    file.write_all(&vec![0; JOURNAL_BYTES as usize]).unwrap();
    file.sync_all().unwrap();
    let mut files = Vec::new();
    let pairs = Pairs::of(
        PAIRS,
        |_| {
            settle();
            wall(|| floor(&mut file, JOURNAL_BYTES, &bytes))
        },
        |pair| {
            let dir = root.path().join(format!("log-{pair}"));
            let mut log = Log::open(&dir, signer()).unwrap();
            settle();
            let seconds = wall(|| {
                for batch in &batches {
                    log.append(batch).unwrap();
                }
                log.publish().unwrap();
            });
            drop(log);
            check(&dir, &entries);
            files.push(making_a_file(&dir));
            seconds
        },
    );
    let file = Spread::of(files).median;
    let slow = (file > SLOW_FILE)
        .then(|| format!("making a file took {file:.0} µs; if many were deleted here, wait for six minutes"));
    let work = format!(
        "append to the log, durable, {BATCHES} batches of {BATCH} entries of {} bytes",
        entries[0].len()
    );
    Row::ratio(work, "bare `fdatasync` of the same bytes, wall", Goal::AtLeast(0.6), &pairs)
        .unless(pairs.void().or(slow))
        .with(medians(&pairs, BATCHES, "a batch"))
}

fn checked(records: usize) -> Row {
    let root = folder();
    let entries = entries(records);
    let mut log = Log::open(root.path(), signer()).unwrap();
    for batch in entries.chunks(BATCH) {
        let batch: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
        log.append(&batch).unwrap();
    }
    log.publish().unwrap();
    drop(log);
    let pairs = Pairs::of(
        CHECKS,
        |_| cpu(|| entries.iter().for_each(|entry| _ = std::hint::black_box(leaf_hash(entry)))),
        |_| {
            cpu(|| {
                let report = fsck(root.path(), &[signer().verifier().clone()], &[]).unwrap();
                assert_eq!(report.checkpoint.size(), records as u64);
            })
        },
    );
    let work = format!("check the whole log, {records} records of {} bytes", entries[0].len());
    Row::ratio(work, "SHA-256 of the same leaves, CPU", Goal::AtMost(2.0), &pairs)
        .with(medians(&pairs, records, "a record"))
}

fn entries(count: usize) -> Vec<Vec<u8>> {
    let (kind, text) = ("applied", "0123456789abcdef".repeat(18));
    (0..count)
        .map(|n| {
            let value =
                json!({ "at": 1_700_000_000_000_u64, "kind": kind, "n": n, "text": text, "to": "sys_7" });
            entry::canonical(&value).unwrap()
        })
        .collect()
}

fn floor(file: &mut File, len: u64, batches: &[Vec<u8>]) {
    let mut offset = 0;
    for bytes in batches {
        if offset + bytes.len() as u64 > len {
            offset = 0;
        }
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.write_all(bytes).unwrap();
        file.sync_data().unwrap();
        offset += bytes.len() as u64;
    }
}

fn signer() -> Signer {
    Signer::from_seed("log.example/bench", &[1; 32]).unwrap()
}

fn check(dir: &Path, entries: &[Vec<u8>]) {
    let report = fsck(dir, &[signer().verifier().clone()], &[]).unwrap();
    assert_eq!(report.checkpoint.size(), entries.len() as u64);
    assert_eq!(report.bytes, entries.iter().map(|entry| entry.len() as u64).sum::<u64>());
    let log = Log::open(dir, signer()).unwrap();
    assert_eq!(log.view().entry(12_345).unwrap(), entries[12_345]);
}

/// What it takes to make an empty file beside the tiles, in microseconds. ext4 passes over every file that was
/// deleted near by within the last minutes before it gives a new one its place: after some thousands of them a
/// file may take half a millisecond, and the append side alone pays for it.
fn making_a_file(dir: &Path) -> f64 {
    const FILES: u32 = 200;
    let path = |n| dir.join("tile/entries").join(format!("probe-{n}"));
    let made = wall(|| (0..FILES).for_each(|n| drop(File::create(path(n)).unwrap())));
    made * 1e6 / f64::from(FILES)
}

/// Lets neither side pay for what the other left to be written.
fn settle() {
    assert!(Command::new("sync").status().unwrap().success());
}
