//! The answers of C2SP `tlog-witness`, one by one, with a log on the other side.

#![allow(missing_docs, clippy::unwrap_used)]

use std::{collections::BTreeMap, convert::Infallible};

use bailiwick_evidence::{
    Checkpoint, Cosigner, Hash, Log, Signer, VerifierKey, entry,
    witness::{Answer, Memory, Request, Seen, Witness},
};
use serde_json::json;

const ORIGIN: &str = "log.example/witnessed";
const NOW: u64 = 1_700_000_000;

#[derive(Default)]
struct Table {
    seen: BTreeMap<String, Seen>,
    /// Somebody else's swap wins just before ours.
    overtaken_by: Option<Seen>,
}

impl Memory for Table {
    type Error = Infallible;

    fn latest(&self, origin: &str) -> Result<Option<Seen>, Infallible> {
        Ok(self.seen.get(origin).copied())
    }

    fn swap(&mut self, origin: &str, old: Option<Seen>, new: Seen) -> Result<bool, Infallible> {
        if let Some(other) = self.overtaken_by.take() {
            self.seen.insert(origin.to_owned(), other);
        }
        let wins = self.seen.get(origin).copied() == old;
        if wins {
            self.seen.insert(origin.to_owned(), new);
        }
        Ok(wins)
    }
}

fn signer() -> Signer {
    Signer::from_seed(ORIGIN, &[4; 32]).unwrap()
}

fn witness() -> Witness {
    let cosigner = Cosigner::from_seed("witness.example/w", &[8; 32]).unwrap();
    Witness::new(cosigner, BTreeMap::from([(ORIGIN.to_owned(), vec![signer().verifier().clone()])]))
}

/// A log and its heads at 0, 1, 5 and 300 entries.
fn log() -> (tempfile::TempDir, Log, BTreeMap<u64, Checkpoint>) {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::open_sized(dir.path(), signer(), 0).unwrap();
    let mut heads = BTreeMap::from([(0, log.checkpoint().clone())]);
    for batch in [1, 4, 295] {
        let entries: Vec<Vec<u8>> =
            (0..batch).map(|n| entry::canonical(&json!({ "n": n })).unwrap()).collect();
        log.append(&entries.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        let head = log.publish().unwrap();
        heads.insert(head.size(), head.clone());
    }
    (dir, log, heads)
}

fn request(log: &Log, heads: &BTreeMap<u64, Checkpoint>, old: u64, new: u64) -> Request {
    Request { old, proof: log.prove_consistency(old, new).unwrap(), checkpoint: heads[&new].clone() }
}

#[test]
fn cosigns_a_growing_log_and_the_log_publishes_it() {
    let (_dir, mut log, heads) = log();
    let (witness, mut table) = (witness(), Table::default());
    for (old, new) in [(0, 0), (0, 1), (1, 5), (5, 5), (5, 300)] {
        let body = request(&log, &heads, old, new).to_string();
        let answer = witness.add_checkpoint(&mut table, &body, NOW).unwrap();
        assert_eq!(answer.status(), 200, "{old} to {new}");
        assert_eq!(table.seen[ORIGIN], Seen { size: new, root: heads[&new].root() });
        if new == 300 {
            log.add_cosignatures(&answer.body(), &[witness.verifier().clone()]).unwrap();
        }
    }
    let keys: [VerifierKey; 2] = [log.verifier().clone(), witness.verifier().clone()];
    let published = log.reader().checkpoint().unwrap().unwrap();
    let times: Vec<_> = published.verify(&keys).unwrap().iter().map(|signed| signed.unix_seconds).collect();
    assert_eq!(times, [None, Some(NOW)]);
}

#[test]
fn refuses_as_the_specification_says() {
    let (_dir, log, heads) = log();
    let witness = witness();
    let good = request(&log, &heads, 5, 300);
    let stranger = Signer::from_seed(ORIGIN, &[5; 32]).unwrap();
    let elsewhere = Signer::from_seed("log.example/unknown", &[4; 32]).unwrap();
    let with = |checkpoint: Checkpoint| Request { checkpoint, ..good.clone() }.to_string();
    let forked = Checkpoint::sign(&signer(), 300, Hash::of(b"another history")).unwrap();
    let forked_now = Checkpoint::sign(&signer(), 5, Hash::of(b"another history")).unwrap();
    let (size, root) = (good.checkpoint.size(), good.checkpoint.root());
    let text = good.to_string();
    let too_many = Request { proof: vec![root; 64], ..good.clone() }.to_string();
    for (body, status, why) in [
        (String::new(), 400, "nothing"),
        (text.replace("old 5", "old 05"), 400, "leading zero"),
        (text.replace("old 5", "size 5"), 400, "no old line"),
        (too_many, 400, "64 proof lines"),
        (Request { old: 301, ..good.clone() }.to_string(), 400, "old above new"),
        (with(Checkpoint::sign(&stranger, size, root).unwrap()), 403, "another key"),
        (with(Checkpoint::sign(&elsewhere, size, root).unwrap()), 404, "another origin"),
        (request(&log, &heads, 1, 300).to_string(), 409, "older than the witness"),
        (request(&log, &heads, 0, 300).to_string(), 409, "from nothing"),
        (
            Request { old: 5, proof: vec![], checkpoint: forked_now }.to_string(),
            409,
            "another root at the same size",
        ),
        (with(forked), 422, "a fork"),
        (Request { proof: good.proof[1..].to_vec(), ..good.clone() }.to_string(), 422, "proof is too short"),
        (
            Request { proof: [good.proof.clone(), vec![root]].concat(), ..good.clone() }.to_string(),
            422,
            "too long",
        ),
    ] {
        let before = Seen { size: 5, root: heads[&5].root() };
        let mut table = Table { seen: BTreeMap::from([(ORIGIN.to_owned(), before)]), overtaken_by: None };
        let answer = witness.add_checkpoint(&mut table, &body, NOW).unwrap();
        assert_eq!(answer.status(), status, "{why}");
        assert_eq!(table.seen[ORIGIN], before, "{why}");
        if status == 409 {
            assert_eq!((answer.body().as_str(), answer.content_type()), ("5\n", "text/x.tlog.size"), "{why}");
        }
    }
}

#[test]
fn of_two_requests_at_once_one_wins() {
    let (_dir, log, heads) = log();
    let other = Seen { size: 300, root: heads[&300].root() };
    let mut table = Table { overtaken_by: Some(other), ..Table::default() };
    let body = request(&log, &heads, 0, 5).to_string();
    let answer = witness().add_checkpoint(&mut table, &body, NOW).unwrap();
    assert_eq!(answer, Answer::Conflict { size: 300 });
    assert_eq!(table.seen[ORIGIN], other, "nothing was rolled back");
}
