//! `fsck` against a log that somebody changed with a knowledge of the format, and against one that nobody did.

#![allow(missing_docs, clippy::unwrap_used)]

use std::{fs, path::Path};

use bailiwick_evidence::{
    Checkpoint, Cosigner, EvidenceError, Log, Signer, VerifierKey, entry,
    fsck::{Broken, Fault, fsck},
};
use serde_json::json;

const ORIGIN: &str = "log.example/check";

fn signer() -> Signer {
    Signer::from_seed(ORIGIN, &[4; 32]).unwrap()
}

fn keys() -> Vec<VerifierKey> {
    vec![signer().verifier().clone()]
}

/// Entries of one length, so that an edit does not move its neighbours.
fn entry_at(index: u64, text: &str) -> Vec<u8> {
    entry::canonical(&json!({ "n": 1_000_000 + index, "text": text })).unwrap()
}

fn build(dir: &Path, count: u64, text: impl Fn(u64) -> &'static str) -> Vec<Checkpoint> {
    let mut log = Log::open_sized(dir, signer(), 128 * 1024).unwrap();
    let mut heads = Vec::new();
    let entries: Vec<Vec<u8>> = (0..count).map(|index| entry_at(index, text(index))).collect();
    for batch in entries.chunks(100) {
        let batch: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
        log.append(&batch).unwrap();
        heads.push(log.publish().unwrap().clone());
    }
    heads
}

fn broken(dir: &Path, earlier: &[Checkpoint]) -> Broken {
    match fsck(dir, &keys(), earlier).unwrap_err() {
        EvidenceError::Broken(broken) => broken,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_whole_log_passes() {
    let dir = tempfile::tempdir().unwrap();
    let heads = build(dir.path(), 750, |_| "good");
    let report = fsck(dir.path(), &keys(), &heads).unwrap();
    assert_eq!(report.checkpoint, *heads.last().unwrap());
    assert_eq!(report.signed_by, [ORIGIN]);
    assert_eq!(report.earlier, 8);
    assert_eq!(report.bytes, (0..750).map(|index| entry_at(index, "good").len() as u64).sum::<u64>());
}

#[test]
fn an_empty_log_passes() {
    let dir = tempfile::tempdir().unwrap();
    drop(Log::open(dir.path(), signer()).unwrap());
    assert_eq!(fsck(dir.path(), &keys(), &[]).unwrap().checkpoint.size(), 0);
}

#[test]
fn an_edited_entry_is_named() {
    for index in [0, 255, 256, 511, 600, 749] {
        let dir = tempfile::tempdir().unwrap();
        build(dir.path(), 750, |_| "good");
        let bundle = match index / 256 {
            2 => dir.path().join("tile/entries/002.p/238"),
            n => dir.path().join(format!("tile/entries/{n:03}")),
        };
        let mut bytes = fs::read(&bundle).unwrap();
        let len = 2 + entry_at(0, "good").len();
        let start = (index % 256) as usize * len;
        let at = start + bytes[start..].windows(4).position(|window| window == b"good").unwrap();
        bytes[at..at + 4].copy_from_slice(b"evil");
        fs::write(&bundle, bytes).unwrap();
        let broken = broken(dir.path(), &[]);
        assert_eq!((broken.fault, broken.first, broken.before), (Fault::EntryChanged, index, index + 1));
        assert_eq!(broken.code(), "log-entry-changed");
    }
}

#[test]
fn a_removed_tail_is_named() {
    let cases: [(&str, Option<usize>, u64); 3] = [
        ("tile/entries/002.p/238", None, 512),
        ("tile/entries/001", None, 256),
        ("tile/entries/001", Some(10), 266),
    ];
    for (file, keep, index) in cases {
        let dir = tempfile::tempdir().unwrap();
        build(dir.path(), 750, |_| "good");
        let path = dir.path().join(file);
        match keep {
            None => fs::remove_file(path).unwrap(),
            Some(entries) => {
                let mut bytes = fs::read(&path).unwrap();
                bytes.truncate(entries * (2 + entry_at(0, "good").len()));
                fs::write(path, bytes).unwrap();
            }
        }
        let broken = broken(dir.path(), &[]);
        assert_eq!((broken.fault, broken.first), (Fault::EntryMissing, index), "{file} {keep:?}");
    }
}

#[test]
fn damaged_tiles_are_named() {
    for (file, flip, fault, first) in [
        ("tile/0/001", 32 * 7, Fault::EntryChanged, 256 + 7),
        ("tile/0/002.p/238", 0, Fault::EntryChanged, 512),
        ("tile/1/000.p/2", 40, Fault::Tile, 0),
    ] {
        let dir = tempfile::tempdir().unwrap();
        build(dir.path(), 750, |_| "good");
        let path = dir.path().join(file);
        let good = fs::read(&path).unwrap();
        let mut bytes = good.clone();
        bytes[flip] ^= 1;
        fs::write(&path, bytes).unwrap();
        let found = broken(dir.path(), &[]);
        assert_eq!((found.fault, found.first), (fault, first), "{file}");
        for bytes in [&good[..good.len() - 1], &[good.clone(), vec![0]].concat()] {
            fs::write(&path, bytes).unwrap();
            assert_eq!(broken(dir.path(), &[]).fault, Fault::Tile, "{file}");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(broken(dir.path(), &[]).fault, Fault::Tile, "{file}");
    }
}

#[test]
fn an_unsigned_or_foreign_checkpoint_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    build(dir.path(), 10, |_| "good");
    let stranger = Signer::from_seed(ORIGIN, &[5; 32]).unwrap();
    let error = fsck(dir.path(), &[stranger.verifier().clone()], &[]).unwrap_err();
    assert_eq!(error.code(), "log-checkpoint-invalid");
    fs::remove_file(dir.path().join("checkpoint")).unwrap();
    assert_eq!(broken(dir.path(), &[]).fault, Fault::Checkpoint);
}

/// Somebody with the log's key builds the log again with another entry, all hashes right.
#[test]
fn a_rewritten_tail_is_found_by_an_earlier_checkpoint() {
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let heads = build(before.path(), 750, |_| "good");
    build(after.path(), 750, |index| if index == 333 { "evil" } else { "good" });
    fsck(after.path(), &keys(), &[]).unwrap();
    fsck(after.path(), &keys(), &heads[..3]).unwrap();
    for (earlier, range) in [
        (&heads[..], (300, 400)),
        (&heads[4..5], (0, 500)),
        (&heads[7..8], (0, 750)),
        (&[heads[6].clone(), heads[1].clone()][..], (200, 700)),
    ] {
        let found = broken(after.path(), earlier);
        assert_eq!((found.fault, found.first, found.before), (Fault::Rewritten, range.0, range.1));
        assert_eq!(found.code(), "log-rewritten");
    }
}

#[test]
fn a_witness_finds_a_rewritten_tail_without_the_owners_help() {
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    build(before.path(), 300, |_| "good");
    let witness = Cosigner::from_seed("witness.example/w", &[8; 32]).unwrap();
    let mut log = Log::open(before.path(), signer()).unwrap();
    let line = format!("{}\n", log.checkpoint().cosign(&witness, 1_700_000_000));
    assert_eq!(log.add_cosignatures(&line, &[witness.verifier().clone()]).unwrap(), 1);
    drop(log);
    // What was kept is the published file; it shows both signatures.
    let kept = fs::read_to_string(before.path().join("checkpoint")).unwrap();
    let both = [keys(), vec![witness.verifier().clone()]].concat();
    let kept = Checkpoint::open(&kept, &both).unwrap();
    assert_eq!(kept.verify(&both).unwrap().len(), 2);
    build(after.path(), 750, |index| if index == 42 { "evil" } else { "good" });
    assert_eq!(broken(after.path(), &[kept]).fault, Fault::Rewritten);
}

#[test]
fn a_log_that_was_rolled_back_is_found_by_an_earlier_checkpoint() {
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let heads = build(before.path(), 750, |_| "good");
    build(after.path(), 400, |_| "good");
    let found = broken(after.path(), &heads[7..]);
    assert_eq!((found.fault, found.first, found.before), (Fault::Shrunk, 400, 750));
    let other =
        Checkpoint::sign(&Signer::from_seed("log.example/other", &[1; 32]).unwrap(), 0, heads[0].root())
            .unwrap();
    assert_eq!(fsck(after.path(), &keys(), &[other]).unwrap_err().code(), "checkpoint-malformed");
}

#[test]
fn every_flipped_byte_of_every_published_file_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let heads = build(dir.path(), 300, |_| "good");
    for file in ["checkpoint", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/001.p/44"] {
        let path = dir.path().join(file);
        let good = fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(if good.len() > 500 { 13 } else { 1 }) {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(&path, &bad).unwrap();
            assert!(fsck(dir.path(), &keys(), &[]).is_err(), "byte {at} of {file}");
        }
        fs::write(&path, &good).unwrap();
    }
    fsck(dir.path(), &keys(), &heads).unwrap();
}
