//! The log on a real disk: what it appends it gives back, proves, and finds again.

#![allow(missing_docs, clippy::unwrap_used)]

use std::fs;

use bailiwick_evidence::{Hash, Log, Proof, Signer, entry, fsck, merkle};
use serde_json::json;

fn signer() -> Signer {
    Signer::from_seed("log.example/disk", &[2; 32]).unwrap()
}

fn entries(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| entry::canonical(&json!({ "n": n, "pad": "x".repeat(n % 300) })).unwrap()).collect()
}

fn append(log: &mut Log, entries: &[Vec<u8>]) {
    log.append(&entries.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
    log.publish().unwrap();
}

#[test]
fn appends_prove_and_reopen_in_batches_of_any_size() {
    let dir = tempfile::tempdir().unwrap();
    let entries = entries(1500);
    let leaves: Vec<Hash> = entries.iter().map(|entry| merkle::leaf_hash(entry)).collect();
    let mut heads = vec![(0, merkle::empty_root())];
    let mut rest = &entries[..];
    for batch in [1, 2, 253, 1, 255, 512, 76, 400] {
        // A new writer for every batch.
        let mut log = Log::open_sized(dir.path(), signer(), 128 * 1024).unwrap();
        assert_eq!(log.size() as usize, entries.len() - rest.len());
        let (batch, later) = rest.split_at(batch);
        append(&mut log, batch);
        rest = later;
        let size = log.size();
        assert_eq!(log.checkpoint().root(), merkle::root(&leaves[..size as usize]));
        assert_eq!(log.reader().checkpoint().unwrap().as_ref(), Some(log.checkpoint()));
        heads.push((size, log.checkpoint().root()));
    }
    let log = Log::open(dir.path(), signer()).unwrap();
    assert_eq!(log.read_entries(0..1500).unwrap(), entries);
    for &(size, root) in &heads[1..] {
        for index in (0..size).step_by(97).chain([size - 1]) {
            let proof = log.prove_inclusion(index, size).unwrap();
            merkle::verify_inclusion(&leaves[index as usize], index, size, &proof, &root).unwrap();
        }
        for &(old, old_root) in heads.iter().filter(|(old, _)| *old <= size) {
            let proof = log.prove_consistency(old, size).unwrap();
            merkle::verify_consistency((old, &old_root), (size, &root), &proof).unwrap();
        }
    }
    // A size that was never published, from the same tiles.
    let proof = log.prove_inclusion(700, 777).unwrap();
    merkle::verify_inclusion(&leaves[700], 700, 777, &proof, &merkle::root(&leaves[..777])).unwrap();

    let text = log.proof(1234).unwrap().to_string();
    let proof = Proof::parse(&text).unwrap();
    proof.verify(&entries[1234], &[log.verifier().clone()]).unwrap();
    assert_eq!(proof.verify(&entries[1233], &[log.verifier().clone()]).unwrap_err().code(), "proof-invalid");

    for error in [
        log.entry(1500).unwrap_err(),
        log.prove_inclusion(5, 5).unwrap_err(),
        log.prove_inclusion(5, 1501).unwrap_err(),
        log.prove_consistency(9, 8).unwrap_err(),
    ] {
        assert_eq!(error.code(), "log-out-of-range");
    }
}

#[test]
fn a_batch_longer_than_the_journal_is_appended_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::open_sized(dir.path(), signer(), 0).unwrap();
    let long = entry::canonical(&json!({ "a": "x".repeat(entry::MAX_LEN - 8) })).unwrap();
    assert_eq!(long.len(), entry::MAX_LEN);
    let batch = vec![long.clone(); 7];
    append(&mut log, &batch);
    assert_eq!(log.size(), 7);
    drop(log);
    assert_eq!(Log::open(dir.path(), signer()).unwrap().read_entries(0..7).unwrap(), batch);
}

/// The journal starts over again and again, while tiles are written and flushed behind it.
#[test]
fn what_goes_on_behind_the_log_is_there_when_it_is_published_or_closed() {
    let dir = tempfile::tempdir().unwrap();
    let entries: Vec<Vec<u8>> =
        (0..30 * 512).map(|n| entry::canonical(&json!({ "n": n })).unwrap()).collect();
    let keys = [signer().verifier().clone()];
    let mut log = Log::open_sized(dir.path(), signer(), 128 * 1024).unwrap();
    for (number, batch) in entries.chunks(512).enumerate() {
        log.append(&batch.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        if number % 7 == 3 {
            let size = log.publish().unwrap().size();
            let report = fsck(dir.path(), &keys, &[]).unwrap();
            assert_eq!((report.checkpoint.size(), size), (log.durable(), log.durable()));
        }
    }
    drop(log);
    let log = Log::open(dir.path(), signer()).unwrap();
    assert_eq!(log.read_entries(0..entries.len() as u64).unwrap(), entries);
    assert_eq!(fsck(dir.path(), &keys, &[]).unwrap().checkpoint, *log.checkpoint());
}

#[test]
fn a_failure_behind_the_log_closes_it_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let entries = entries(600);
    let mut log = Log::open(dir.path(), signer()).unwrap();
    // Where the first bundle would be, nothing can be written.
    let bundle = dir.path().join("tile/entries/000");
    fs::create_dir_all(&bundle).unwrap();
    let batch = |range: std::ops::Range<usize>| entries[range].iter().map(Vec::as_slice).collect::<Vec<_>>();
    assert_eq!(log.append(&batch(0..300)).unwrap(), 300);
    assert_eq!(log.publish().unwrap_err().code(), "log-io");
    assert_eq!(log.append(&batch(300..600)).unwrap_err().code(), "log-closed");
    assert_eq!(log.size(), 0);
    drop(log);
    fs::remove_dir(&bundle).unwrap();
    let mut log = Log::open(dir.path(), signer()).unwrap();
    assert_eq!((log.durable(), log.size()), (300, 300));
    append(&mut log, &entries[300..]);
    assert_eq!(log.read_entries(0..600).unwrap(), entries);
}

#[test]
fn what_may_not_be_appended_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::open(dir.path(), signer()).unwrap();
    append(&mut log, &entries(3));
    let before = log.checkpoint().clone();
    assert_eq!(log.append(&[b"{}", b"{ }"]).unwrap_err().code(), "entry-not-canonical");
    assert_eq!(log.append(&[]).unwrap(), 3);
    assert_eq!(log.publish().unwrap(), &before);
    append(&mut log, &entries(1));
    assert_eq!(log.size(), 4);
}

#[test]
fn what_is_durable_is_seen_once_it_is_published_or_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::open(dir.path(), signer()).unwrap();
    let entries = entries(600);
    append(&mut log, &entries[..10]);
    let before = log.checkpoint().clone();
    let batches: Vec<Vec<&[u8]>> =
        entries[10..].chunks(100).map(|batch| batch.iter().map(Vec::as_slice).collect()).collect();
    for (at, batch) in batches.iter().enumerate() {
        let durable = 10 + 100 * at as u64 + batch.len() as u64;
        assert_eq!(log.append(batch).unwrap(), durable);
        assert_eq!((log.durable(), log.size()), (durable, 10));
        assert_eq!(log.reader().checkpoint().unwrap().as_ref(), Some(&before));
        // What is published can be read and proved meanwhile, and nothing else.
        assert_eq!(log.read_entries(0..10).unwrap(), entries[..10]);
        log.proof(9).unwrap().verify(&entries[9], &[log.verifier().clone()]).unwrap();
        assert_eq!(log.entry(10).unwrap_err().code(), "log-out-of-range");
    }
    assert_eq!(log.publish().unwrap().size(), 600);
    assert_eq!(log.read_entries(0..600).unwrap(), entries);

    assert_eq!(log.append(&batches[0]).unwrap(), 700);
    drop(log);
    let log = Log::open(dir.path(), signer()).unwrap();
    assert_eq!((log.durable(), log.size()), (700, 700));
    assert_eq!(log.read_entries(600..700).unwrap(), batches[0]);
}

#[test]
fn one_writer_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path(), signer()).unwrap();
    assert_eq!(Log::open(dir.path(), signer()).err().unwrap().code(), "log-locked");
    drop(log);
    Log::open(dir.path(), signer()).unwrap();
}

#[test]
fn another_key_or_a_lost_journal_does_not_continue_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::open(dir.path(), signer()).unwrap();
    append(&mut log, &entries(3));
    drop(log);
    for stranger in [("log.example/disk", [9; 32]), ("log.example/other", [2; 32])] {
        let stranger = Signer::from_seed(stranger.0, &stranger.1).unwrap();
        assert_eq!(Log::open(dir.path(), stranger).err().unwrap().code(), "journal-damaged");
    }
    fs::remove_file(dir.path().join("journal")).unwrap();
    assert_eq!(Log::open(dir.path(), signer()).err().unwrap().code(), "journal-missing");
}

#[test]
fn published_files_are_repaired_from_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::open(dir.path(), signer()).unwrap();
    append(&mut log, &entries(300));
    let head = log.checkpoint().clone();
    drop(log);
    for damage in [
        "checkpoint",
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/entries/000",
        "tile/entries/001.p/44",
        "tile/1/000.p/1",
    ] {
        let path = dir.path().join(damage);
        let good = fs::read(&path).unwrap();
        for bad in [None, Some(&good[..good.len() / 2]), Some(&b""[..])] {
            match bad {
                None => fs::remove_file(&path).unwrap(),
                Some(bytes) => fs::write(&path, bytes).unwrap(),
            }
            let log = Log::open(dir.path(), signer()).unwrap();
            assert_eq!(log.checkpoint(), &head);
            assert_eq!(fs::read(&path).unwrap(), good, "{damage}");
        }
    }
}

#[test]
fn a_journal_from_an_older_copy_does_not_fork_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::open(dir.path(), signer()).unwrap();
    append(&mut log, &entries(3));
    let old = fs::read(dir.path().join("journal")).unwrap();
    append(&mut log, &entries(4));
    drop(log);
    fs::write(dir.path().join("journal"), old).unwrap();
    assert_eq!(Log::open(dir.path(), signer()).err().unwrap().code(), "log-behind-checkpoint");
}
