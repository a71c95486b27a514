//! Durable append against its floor: one write and one `fdatasync` of the same bytes, in the same batches, on a
//! preallocated file. Pairs are interleaved.
//!
//! In: the check of every entry, the tree, the journal, all tiles, their flushes behind the log (four while the
//! journal fills), the wait for them and for the rest when it starts over (twice in every run: 92 batches fill
//! it), and one publication at the end. The sequencer works like that when it catches up: appends until the store
//! has no more, then one publication; a single batch that is published alone pays for a checkpoint and partial
//! tiles besides. Out: opening the log, and what is left to flush of the tiles of the last 72 batches of 256, for
//! which nobody has to wait yet.
//!
//! Prints the ratio floor time / append time; 1 would be free, the goal is 0.5.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

use std::{
    fs::{File, OpenOptions},
    io::{Seek as _, SeekFrom, Write as _},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use bailiwick_evidence::{Log, Signer, entry, fsck::fsck, tile};
use serde_json::json;

const PAIRS: usize = 9;
/// Enough to fill the journal of 16 MiB more than twice.
const BATCHES: usize = 256;
const BATCH: usize = 512;
const GOAL: f64 = 0.5;
/// Microseconds; 15 to 25 are usual.
const SLOW_FILE: f64 = 80.0;

#[allow(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn entries() -> Vec<Vec<u8>> {
    (0..BATCHES * BATCH)
        .map(|n| {
            let (kind, text) = ("applied", "0123456789abcdef".repeat(18));
            entry::canonical(
                &json!({ "at": 1_700_000_000_000_u64, "kind": kind, "n": n, "text": text, "to": "sys_7" }),
            )
            .unwrap()
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
    let made = timed(|| (0..FILES).for_each(|n| drop(File::create(path(n)).unwrap())));
    made.as_secs_f64() * 1e6 / f64::from(FILES)
}

/// Lets neither side pay for what the other left to be written.
fn settle() {
    assert!(Command::new("sync").status().unwrap().success());
}

fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[0], values[values.len() / 2], values[values.len() - 1])
}

fn main() {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let entries = entries();
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
    let len = bailiwick_evidence::log::JOURNAL_BYTES;
    let path = root.path().join("floor");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(path).unwrap();
    file.write_all(&vec![0; len as usize]).unwrap();
    file.sync_all().unwrap();

    let (mut ratios, mut floors, mut appends, mut files) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        let dir = root.path().join(format!("log-{pair}"));
        let mut log = Log::open(&dir, signer()).unwrap();
        settle();
        let bare = timed(|| floor(&mut file, len, &bytes)).as_secs_f64();
        settle();
        let ours = timed(|| {
            for batch in &batches {
                log.append(batch).unwrap();
            }
            log.publish().unwrap();
        })
        .as_secs_f64();
        drop(log);
        check(&dir, &entries);
        files.push(making_a_file(&dir));
        ratios.push(bare / ours);
        floors.push(bare);
        appends.push(ours);
    }
    let per_batch = |(low, middle, high): (f64, f64, f64)| {
        let us = |seconds: f64| seconds * 1e6 / BATCHES as f64;
        format!("{:.0} / {:.0} / {:.0} us a batch", us(low), us(middle), us(high))
    };
    let (low, _, high) = spread(floors.clone());
    println!(
        "evidence append, {BATCH} entries of {} bytes a batch, {BATCHES} batches, {PAIRS} pairs",
        entries[0].len()
    );
    println!("  floor   min / median / max  {}", per_batch(spread(floors)));
    println!("  append  min / median / max  {}", per_batch(spread(appends)));
    let (worst, median, best) = spread(ratios);
    println!("  ratio   min / median / max  {worst:.2} / {median:.2} / {best:.2} (goal {GOAL})");
    if high > 2.0 * low {
        println!("  void: the floor itself moved by {:.1} x", high / low);
    }
    let (_, file_us, _) = spread(files);
    if file_us > SLOW_FILE {
        println!(
            "  void: making a file took {file_us:.0} us; if many were deleted here, wait for six minutes"
        );
    }
}
