//! A pack verifies with public keys alone, and no byte of it can be changed, dropped or added.

#![allow(missing_docs, clippy::unwrap_used)]

use bailiwick_evidence::{
    Cosigner, Disclosure, Log, PackRequest, Signer, VerifierKey, entry,
    pack::{KeyTrust, Record, read_pack, verify_pack, write_pack},
};
use serde_json::{Value, json};

const ORIGIN: &str = "log.example/pack";
const NOW: u64 = 1_700_000_000;

struct World {
    _dir: tempfile::TempDir,
    log: Log,
    witness: VerifierKey,
    disclosures: Vec<Disclosure>,
}

/// A log of 300 entries; each commits to a name; a witness has cosigned.
fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let mut log = Log::open_sized(dir.path(), Signer::from_seed(ORIGIN, &[4; 32]).unwrap(), 0).unwrap();
    let mut disclosures = Vec::new();
    let entries: Vec<Vec<u8>> = (0..300_u64)
        .map(|index| {
            let (salt, value) = ([index as u8; 16], json!({ "name": format!("Zoë \"{index}\"") }));
            let commitment = entry::commit(&salt, &value).unwrap().to_string();
            disclosures.push(Disclosure { index, field: "person".into(), salt, value });
            entry::canonical(
                &json!({ "commitments": { "person": commitment }, "type": "leaver", "at": index }),
            )
            .unwrap()
        })
        .collect();
    log.append(&entries.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
    log.publish().unwrap();
    let cosigner = Cosigner::from_seed("witness.example/w", &[8; 32]).unwrap();
    let witness = cosigner.verifier().clone();
    let line = format!("{}\n", log.checkpoint().cosign(&cosigner, NOW));
    log.add_cosignatures(&line, std::slice::from_ref(&witness)).unwrap();
    World { _dir: dir, log, witness, disclosures }
}

fn pack(world: &World, indices: &[u64], disclosures: &[Disclosure]) -> Vec<u8> {
    let witnesses = std::slice::from_ref(&world.witness);
    let request = PackRequest { subject: "idn_42, \"Zoë\"\n", indices, disclosures, witnesses };
    let mut out = Vec::new();
    write_pack(&world.log, &request, &mut out).unwrap();
    out
}

fn code(pack: &[u8]) -> (&'static str, u64) {
    match verify_pack(pack, None) {
        Ok(report) => panic!("it verifies: {report}\n{}", String::from_utf8_lossy(pack)),
        Err(error) => (error.code(), error.line),
    }
}

#[test]
fn verifies_and_reports_whose_key_it_believed() {
    let world = world();
    let pack = pack(&world, &[3, 299, 0, 3], &world.disclosures);
    let mut records = Vec::new();
    let report = read_pack(&pack[..], None, |record| records.push(record)).unwrap();
    assert_eq!((report.records, report.disclosures), (3, 3));
    assert_eq!(report.subject, "idn_42, \"Zoë\"\n");
    assert_eq!(report.checkpoint, *world.log.checkpoint());
    assert_eq!(report.log.trust, KeyTrust::SelfAsserted);
    let shown = report.to_string();
    assert!(shown.contains("key: self-asserted"), "{shown}");
    assert!(shown.contains(&world.log.verifier().fingerprint()), "{shown}");

    let indices: Vec<u64> = records.iter().map(|record: &Record| record.index).collect();
    assert_eq!(indices, [0, 3, 299]);
    for record in records {
        assert_eq!(record.entry, world.log.entry(record.index).unwrap());
        assert_eq!(record.disclosures, [world.disclosures[record.index as usize].clone()]);
    }

    let trusted = [world.log.verifier().clone(), world.witness.clone()];
    let report = verify_pack(&pack[..], Some(&trusted)).unwrap();
    assert_eq!(report.log.trust, KeyTrust::Trusted);
    let witnesses: Vec<_> = report.witnesses.iter().map(|w| (w.trust, w.unix_seconds)).collect();
    assert_eq!(witnesses, [(KeyTrust::Trusted, Some(NOW))]);
    let report = verify_pack(&pack[..], Some(&trusted[..1])).unwrap();
    assert_eq!(report.witnesses[0].trust, KeyTrust::SelfAsserted);
}

#[test]
fn a_key_that_is_not_trusted_is_refused() {
    let world = world();
    let pack = pack(&world, &[1], &[]);
    for trusted in [
        vec![],
        vec![world.witness.clone()],
        vec![Signer::from_seed(ORIGIN, &[5; 32]).unwrap().verifier().clone()],
    ] {
        let error = verify_pack(&pack[..], Some(&trusted)).unwrap_err();
        assert_eq!((error.code(), error.line), ("pack-key-untrusted", 1));
    }
}

#[test]
fn erasing_a_disclosure_leaves_the_proof_valid() {
    let world = world();
    let with = pack(&world, &[7, 8], &world.disclosures[7..9]);
    let without = pack(&world, &[7, 8], &world.disclosures[8..9]);
    assert!(String::from_utf8_lossy(&with).contains(r#"\"7\""#));
    assert!(!String::from_utf8_lossy(&without).contains(r#"\"7\""#));
    assert_eq!(verify_pack(&with[..], None).unwrap().disclosures, 2);
    assert_eq!(verify_pack(&without[..], None).unwrap().disclosures, 1);
}

#[test]
fn an_empty_selection_is_a_pack() {
    let pack = pack(&world(), &[], &[]);
    assert_eq!(verify_pack(&pack[..], None).unwrap().records, 0);
}

#[test]
fn a_wrong_disclosure_is_not_written() {
    let world = world();
    let wrong = Disclosure { salt: [99; 16], ..world.disclosures[5].clone() };
    let request = PackRequest { subject: "", indices: &[5], disclosures: &[wrong], witnesses: &[] };
    let error = write_pack(&world.log, &request, &mut Vec::new()).unwrap_err();
    assert_eq!(error.code(), "disclosure-mismatch");
    let request = PackRequest { subject: "", indices: &[300], disclosures: &[], witnesses: &[] };
    assert_eq!(write_pack(&world.log, &request, &mut Vec::new()).unwrap_err().code(), "log-out-of-range");
}

#[test]
fn every_flipped_byte_fails() {
    let world = world();
    let good = pack(&world, &[2, 258], &world.disclosures[2..3]);
    verify_pack(&good[..], None).unwrap();
    let mut bad = good.clone();
    for at in 0..good.len() {
        // All bits of one byte, one bit of it, and a space: what a parser may be lenient about.
        for byte in [good[at] ^ 0xff, good[at] ^ (1 << (at % 7)), b' '] {
            if byte != good[at] {
                bad[at] = byte;
                code(&bad);
            }
        }
        bad[at] = good[at];
    }
}

#[test]
fn every_missing_byte_and_every_added_byte_fails() {
    let world = world();
    let good = pack(&world, &[2], &world.disclosures[2..3]);
    for at in 0..good.len() {
        code(&[&good[..at], &good[at + 1..]].concat());
        for byte in [b' ', b'\n', b'0'] {
            code(&[&good[..at], &[byte], &good[at..]].concat());
        }
    }
}

#[test]
fn every_truncation_says_so() {
    let good = pack(&world(), &[2, 3], &[]);
    for end in 0..good.len() {
        let lines = 1 + good[..end].iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!(code(&good[..end]), ("pack-truncated", lines), "at byte {end}");
    }
}

fn lines(pack: &[u8]) -> Vec<Vec<u8>> {
    pack.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

#[test]
fn dropped_repeated_and_moved_records_fail() {
    let world = world();
    let good = lines(&pack(&world, &[2, 3, 4], &[]));
    for (at, expected) in [
        (0, ("pack-malformed", 1)),
        (1, ("pack-record-count", 4)),
        (2, ("pack-record-count", 4)),
        (3, ("pack-record-count", 4)),
        (4, ("pack-malformed", 5)),
        (5, ("pack-truncated", 6)),
    ] {
        let mut bad = good.clone();
        bad.remove(at);
        assert_eq!(code(&bad.concat()), expected, "line {} dropped", at + 1);
    }
    let swapped = [0, 2, 1, 3, 4, 5].map(|at: usize| good[at].clone()).concat();
    assert_eq!(code(&swapped), ("pack-order", 3));
    let doubled = [0, 1, 1, 2, 3, 4, 5].map(|at: usize| good[at].clone()).concat();
    assert_eq!(code(&doubled), ("pack-order", 3));
    let trailing = [good.concat(), b"\n".to_vec()].concat();
    assert_eq!(code(&trailing), ("pack-trailing-data", 7));
}

/// Somebody without the log's key makes a smaller selection and seals it again.
#[test]
fn a_selection_that_the_log_did_not_sign_fails() {
    let world = world();
    let good = lines(&pack(&world, &[2, 3], &[]));
    let seal = |body: &[u8]| {
        let digest = bailiwick_evidence::Hash::of(body);
        [body, format!("{{\"sha256\":\"{digest}\"}}\n").as_bytes()].concat()
    };
    let mut header: Value = serde_json::from_slice(&good[0]).unwrap();
    let edit = |header: &Value| [entry::canonical(header).unwrap(), b"\n".to_vec()].concat();
    assert_eq!(edit(&header), good[0], "the header is canonical");

    header["records"] = json!(1);
    let smaller = seal(&[edit(&header), good[1].clone(), good[3].clone()].concat());
    assert_eq!(code(&smaller), ("pack-manifest-invalid", 3));

    header["records"] = json!(2);
    header["subject"] = json!("idn_43");
    let renamed = seal(&[edit(&header), good[1].clone(), good[2].clone(), good[3].clone()].concat());
    assert_eq!(code(&renamed), ("pack-manifest-invalid", 4));

    // With a manifest by another key of the same name.
    let stranger = Signer::from_seed(ORIGIN, &[5; 32]).unwrap();
    let manifest: Value = serde_json::from_slice(&good[3]).unwrap();
    let text = manifest["manifest"].as_str().unwrap().split_once("\n\n").unwrap().0.to_owned() + "\n";
    let forged = edit(&json!({ "manifest": stranger.sign(text).unwrap().to_string() }));
    let forged = seal(&[good[0].clone(), good[1].clone(), good[2].clone(), forged].concat());
    assert_eq!(code(&forged), ("pack-manifest-invalid", 4));

    // A record of the log moved to another index.
    let mut record: Value = serde_json::from_slice(&good[2]).unwrap();
    record["index"] = json!(4);
    let moved = seal(&[good[0].clone(), good[1].clone(), edit(&record), good[3].clone()].concat());
    assert_eq!(code(&moved), ("pack-proof-invalid", 3));

    // An entry with a member more.
    record["index"] = json!(3);
    record["entry"]["zone"] = json!(1);
    let changed = seal(&[good[0].clone(), good[1].clone(), edit(&record), good[3].clone()].concat());
    assert_eq!(code(&changed), ("pack-proof-invalid", 3));
}

#[test]
fn an_unknown_format_and_a_stripped_cosignature_are_named() {
    let world = world();
    let good = lines(&pack(&world, &[2], &[]));
    let header: Value = serde_json::from_slice(&good[0]).unwrap();
    let with = |member: &str, value: Value| {
        let mut header = header.clone();
        header[member] = value;
        let line = [entry::canonical(&header).unwrap(), b"\n".to_vec()].concat();
        code(&[line, good[1..].concat()].concat())
    };
    assert_eq!(with("format", json!("bailiwick-evidence-pack/v2")), ("pack-format-unknown", 1));
    assert_eq!(with("surprise", json!(1)), ("pack-malformed", 1));
    let note = header["checkpoint"].as_str().unwrap();
    let stripped: String = note.split_inclusive('\n').filter(|line| !line.contains("witness")).collect();
    assert_eq!(with("checkpoint", json!(stripped)), ("pack-checkpoint-invalid", 1));
    assert_eq!(with("log", json!(world.witness.to_string())), ("pack-malformed", 1));
}
