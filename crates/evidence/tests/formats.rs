//! The C2SP text formats and the entry encoding against published vectors and tables.

#![allow(missing_docs, clippy::unwrap_used)]

use bailiwick_evidence::{
    Checkpoint, Cosigner, Disclosure, Hash, Proof, Signer, VerifierKey, entry, merkle,
    note::Note,
    tile::{self, Kind, Tile},
};
use proptest::prelude::*;
use serde_json::{Value, json};

// The example of Go's `sumdb/note`, from which C2SP `signed-note` came.
const SKEY: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const PETER_LINE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const ENOCH_LINE: &str = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

// The example of C2SP `signed-note`.
const SPEC_VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const SPEC_NOTE: &str = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

#[test]
fn signing_gives_the_published_note() {
    let signer = Signer::parse(SKEY).unwrap();
    assert_eq!(signer.verifier().to_string(), VKEY);
    assert_eq!(signer.skey().unwrap(), SKEY);
    assert_eq!(signer.sign(TEXT).unwrap().to_string(), format!("{TEXT}\n{PETER_LINE}"));
}

#[test]
fn published_notes_verify() {
    let spec = VerifierKey::parse(SPEC_VKEY).unwrap();
    let note = Note::parse(SPEC_NOTE).unwrap();
    assert_eq!(note.to_string(), SPEC_NOTE);
    assert_eq!(note.verify(&[spec]).unwrap().len(), 1);

    let (peter, enoch) = (VerifierKey::parse(VKEY).unwrap(), VerifierKey::parse(ENOCH).unwrap());
    let note = Note::parse(&format!("{TEXT}\n{PETER_LINE}{ENOCH_LINE}")).unwrap();
    let names = |keys: &[VerifierKey]| {
        note.verify(keys)
            .map(|signed| signed.iter().map(|signed| signed.key.name().to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(names(std::slice::from_ref(&peter)).unwrap(), ["PeterNeumann"]);
    assert_eq!(names(&[enoch, peter]).unwrap(), ["PeterNeumann", "EnochRoot"]);
    assert_eq!(names(&[]).unwrap_err().code(), "note-not-signed");
}

#[test]
fn a_changed_text_under_a_known_key_is_refused() {
    let key = VerifierKey::parse(VKEY).unwrap();
    let note = Note::parse(&format!("{}\n{PETER_LINE}", TEXT.replace("answer", "Answer"))).unwrap();
    assert_eq!(note.verify(&[key]).unwrap_err().code(), "note-signature-invalid");
}

#[test]
fn malformed_notes_are_refused() {
    for (note, why) in [
        (format!("{TEXT}{PETER_LINE}"), "no blank line"),
        (format!("{TEXT}\n"), "no signature"),
        (format!("{TEXT}\n{}", PETER_LINE.trim_end()), "last line does not end"),
        (format!("{TEXT}\n{PETER_LINE}x\n"), "a line that is no signature"),
        (format!("{TEXT}\n{}", PETER_LINE.replace('—', "-")), "hyphen"),
        (format!("{TEXT}\n{}", PETER_LINE.replace("Peter", "Peter+")), "plus in the name"),
        (format!("{TEXT}\n{}", PETER_LINE.replace("AM=", "AM")), "no padding"),
        (format!("{TEXT}\n{}", PETER_LINE.replace("AM=", "AN=")), "unused bits"),
        (format!("a\tb\n\n{PETER_LINE}"), "control character"),
    ] {
        let error = Note::parse(&note).err();
        assert_eq!(error.map(|error| error.code()), Some("note-malformed"), "{why}");
    }
}

#[test]
fn malformed_keys_are_refused() {
    for cut in 0..VKEY.len() {
        assert!(VerifierKey::parse(&VKEY[..cut]).is_err(), "the first {cut} bytes");
        assert!(cut == 0 || VerifierKey::parse(&VKEY[cut..]).is_err(), "without the first {cut} bytes");
    }
    for (key, why) in [
        ("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==", "key is too long"),
        ("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "algorithm is not known"),
        ("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "key id differs"),
        ("PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "upper case"),
    ] {
        assert_eq!(VerifierKey::parse(key).unwrap_err().code(), "key-malformed", "{why}");
    }
    assert!(Signer::from_seed("two words", &[0; 32]).is_err());
    assert!(Signer::from_seed("", &[0; 32]).is_err());
}

#[test]
fn a_cosigners_key_is_not_a_signers_key() {
    let cosigner = Cosigner::from_seed("witness.example/w", &[5; 32]).unwrap();
    let skey = cosigner.skey().unwrap();
    assert!(Signer::parse(&skey).is_err());
    assert_eq!(Cosigner::parse(&skey).unwrap().verifier(), cosigner.verifier());
    assert!(Cosigner::parse(SKEY).is_err());
}

fn checkpoint() -> (Checkpoint, Signer) {
    let signer = Signer::from_seed("log.example/a", &[1; 32]).unwrap();
    (Checkpoint::sign(&signer, 7, merkle::leaf_hash(b"x")).unwrap(), signer)
}

#[test]
fn checkpoints_round_trip_and_verify_only_for_their_origin() {
    let (checkpoint, signer) = checkpoint();
    let text = checkpoint.to_string();
    assert!(text.starts_with("log.example/a\n7\n"));
    assert_eq!(Checkpoint::open(&text, &[signer.verifier().clone()]).unwrap(), checkpoint);

    // A key that is trusted for another log does not vouch for this one.
    let other = Signer::from_seed("log.example/b", &[1; 32]).unwrap();
    let forged = other.sign(checkpoint.note().text()).unwrap().to_string();
    let keys = [signer.verifier().clone(), other.verifier().clone()];
    assert_eq!(Checkpoint::open(&forged, &keys).unwrap_err().code(), "note-not-signed");
}

#[test]
fn malformed_checkpoints_are_refused() {
    let signer = Signer::from_seed("log.example/a", &[1; 32]).unwrap();
    let root = merkle::empty_root();
    for text in [
        "log.example/a\n7\n".to_owned(),
        format!("log.example/a\n07\n{root}\n"),
        format!("log.example/a\n+7\n{root}\n"),
        format!("\n7\n{root}\n"),
        "log.example/a\n7\nAAAA\n".to_owned(),
        format!("log.example/a\n7\n{root}\nextension\n"),
        format!("log.example/a\n18446744073709551616\n{root}\n"),
    ] {
        let note = signer.sign(text.as_str()).unwrap().to_string();
        assert_eq!(Checkpoint::parse(&note).unwrap_err().code(), "checkpoint-malformed", "{text:?}");
    }
}

#[test]
fn cosignatures_are_over_time_and_text() {
    let (mut checkpoint, signer) = checkpoint();
    let witness = Cosigner::from_seed("witness.example/w", &[5; 32]).unwrap();
    let stranger = Cosigner::from_seed("stranger.example/w", &[6; 32]).unwrap();
    let lines = format!(
        "{}\n{}\n",
        checkpoint.cosign(&witness, 1_700_000_000),
        checkpoint.cosign(&stranger, 1_700_000_000)
    );
    let trusted = [witness.verifier().clone()];
    assert_eq!(checkpoint.add_cosignatures(&lines, &trusted).unwrap(), 1);
    assert_eq!(checkpoint.note().signatures().len(), 2, "the stranger is left out");
    let keys = [signer.verifier().clone(), witness.verifier().clone()];
    let again = Checkpoint::open(&checkpoint.to_string(), &keys).unwrap();
    let times: Vec<_> = again.verify(&keys).unwrap().iter().map(|signed| signed.unix_seconds).collect();
    assert_eq!(times, [None, Some(1_700_000_000)]);

    // A cosignature of one checkpoint does not fit another, and a witness alone is not the log.
    let (mut other, _) = self::checkpoint();
    let older = Checkpoint::sign(&signer, 6, merkle::empty_root()).unwrap();
    let lines = format!("{}\n", older.cosign(&witness, 1));
    assert_eq!(other.add_cosignatures(&lines, &trusted).unwrap_err().code(), "note-signature-invalid");
    assert_eq!(again.verify(&trusted).unwrap_err().code(), "note-not-signed");
}

#[test]
fn a_published_cosignature_line_round_trips() {
    // From the tests of transparency-dev/formats: key id, time, signature.
    let line = "— witness.example/w ZGhGuQAAAABm/qTPeyKXD+R2rzyQsxPiP8mXum7qq/iF0u4vanlqJyocWODBt97w9uL+8qT7S5gxEHWWOworDcFiEBYJXORmnFBOBA==";
    assert_eq!(bailiwick_evidence::note::Signature::parse(line).unwrap().to_string(), line);
}

#[test]
fn tile_paths() {
    let hashes = |level, index, width| Tile { kind: Kind::Hashes { level }, index, width };
    for (tile, path) in [
        (hashes(0, 0, 256), "tile/0/000"),
        (hashes(0, 1_234_067, 256), "tile/0/x001/x234/067"),
        (hashes(0, 1_234_067, 8), "tile/0/x001/x234/067.p/8"),
        (hashes(1, 999, 255), "tile/1/999.p/255"),
        (hashes(63, 1000, 256), "tile/63/x001/000"),
        (Tile { kind: Kind::Entries, index: 5, width: 1 }, "tile/entries/005.p/1"),
    ] {
        assert_eq!(tile.to_string(), path);
        assert_eq!(Tile::parse(path), Some(tile));
    }
    for path in [
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/001/000",
        "tile/0/x000/000",
        "tile/0/x001",
        "tile/0/+01",
        "tile/0/../000",
        "tile/0/000/",
        "tile//000",
        "tile/data/000",
        "checkpoint",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert_eq!(Tile::parse(path), None, "{path}");
    }
}

#[test]
fn a_tree_of_70_000_has_the_tiles_of_the_specification() {
    let widths = |kind: Kind| {
        let tiles: Vec<Tile> = kind.tiles(70_000).collect();
        (
            tiles.iter().filter(|tile| tile.is_full()).count(),
            tiles.last().filter(|tile| !tile.is_full()).map(|t| t.width),
        )
    };
    assert_eq!(widths(Kind::Hashes { level: 0 }), (273, Some(112)));
    assert_eq!(widths(Kind::Entries), (273, Some(112)));
    assert_eq!(widths(Kind::Hashes { level: 1 }), (1, Some(17)));
    assert_eq!(widths(Kind::Hashes { level: 2 }), (0, Some(1)));
    assert_eq!(widths(Kind::Hashes { level: 3 }), (0, None));
}

#[test]
fn bundles_have_16_bit_lengths() {
    let mut bundle = Vec::new();
    tile::push_entry(&mut bundle, b"").unwrap();
    tile::push_entry(&mut bundle, b"a").unwrap();
    assert_eq!(bundle, [0, 0, 0, 1, b'a']);
    assert_eq!(tile::entries(&bundle).collect::<Vec<_>>(), [&b""[..], b"a"]);
    assert_eq!(tile::push_entry(&mut bundle, &[0; 65_536]).unwrap_err().code(), "entry-too-large");
}

#[test]
fn proofs_round_trip() {
    let (checkpoint, _) = checkpoint();
    for (hashes, extra) in [(0, None), (3, None), (2, Some(b"more".to_vec()))] {
        let proof = Proof {
            index: 4,
            hashes: vec![merkle::empty_root(); hashes],
            checkpoint: checkpoint.clone(),
            extra,
        };
        let text = proof.to_string();
        assert!(text.starts_with("c2sp.org/tlog-proof@v1\n"));
        assert_eq!(Proof::parse(&text).unwrap(), proof);
        for broken in
            [text.replace("index 4", "index 04"), text.replace("@v1", "@v2"), text.replace("index 4\n", "")]
        {
            assert_eq!(Proof::parse(&broken).unwrap_err().code(), "proof-malformed");
        }
    }
}

#[test]
fn canonical_bytes() {
    for (value, bytes) in [
        (json!({}), "{}"),
        (
            json!({ "b": 1, "a": [true, false, null], "B": { "z": "", "y": -1 } }),
            r#"{"B":{"y":-1,"z":""},"a":[true,false,null],"b":1}"#,
        ),
        (json!({ "é": "€😀", "z": "\u{7f}" }), "{\"z\":\"\u{7f}\",\"é\":\"€😀\"}"),
        (json!({ "s": "\"\\/\u{8}\t\n\u{c}\r\u{1}\u{1f}" }), r#"{"s":"\"\\/\b\t\n\f\r\u0001\u001f"}"#),
        (
            json!({ "max": u64::MAX, "min": i64::MIN }),
            r#"{"max":18446744073709551615,"min":-9223372036854775808}"#,
        ),
        // Sorted by the names, not by their escapes: `"` is before `#`.
        (json!({ "\"": 1, "#": 2 }), r##"{"\"":1,"#":2}"##),
    ] {
        assert_eq!(String::from_utf8(entry::canonical(&value).unwrap()).unwrap(), bytes);
        assert!(entry::is_canonical(bytes.as_bytes()), "{bytes}");
    }
    assert_eq!(entry::canonical(&json!({ "a": 1.5 })).unwrap_err().code(), "entry-not-canonical");
}

#[test]
fn other_bytes_of_the_same_value_are_refused() {
    for (bytes, at) in [
        ("", 0),
        ("[]", 0),
        ("{", 1),
        (" {}", 0),
        ("{} ", 2),
        ("{}\n", 2),
        (r#"{"a": 1}"#, 5),
        (r#"{"a":1,}"#, 7),
        (r#"{"b":1,"a":2}"#, 7),
        (r#"{"a":1,"a":2}"#, 7),
        (r##"{"#":1,"\"":2}"##, 7),
        (r#"{"a":01}"#, 5),
        (r#"{"a":-0}"#, 5),
        (r#"{"a":1.0}"#, 5),
        (r#"{"a":1e2}"#, 5),
        (r#"{"a":-}"#, 5),
        (r#"{"a":18446744073709551616}"#, 5),
        (r#"{"a":-9223372036854775809}"#, 5),
        (r#"{"a":+1}"#, 5),
        (r#"{"a":"\/"}"#, 6),
        (r#"{"a":"\u0041"}"#, 6),
        (r#"{"a":"\u000a"}"#, 6),
        (r#"{"a":"\u001F"}"#, 6),
        ("{\"a\":\"\t\"}", 6),
        (r#"{"a":"x}"#, 8),
        (r#"{"a":nul}"#, 5),
        (r#"{"a"}"#, 4),
        (r#"{a:1}"#, 1),
    ] {
        match entry::check(bytes.as_bytes()).unwrap_err() {
            bailiwick_evidence::EvidenceError::NotCanonical { at: found, .. } => {
                assert_eq!(found, at, "{bytes}")
            }
            other => panic!("{bytes}: {other}"),
        }
    }
    assert!(!entry::is_canonical(b"{\"a\":\"\xff\"}"));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(entry::MAX_LEN));
    assert_eq!(entry::check(long.as_bytes()).unwrap_err().code(), "entry-too-large");
}

#[test]
fn a_string_is_scanned_alike_wherever_its_odd_byte_stands() {
    for at in 0..100 {
        for odd in ["\"", "\\", "\n", "\u{1}", "é", "\u{7f}", " "] {
            let text = format!("{}{odd}{}", "x".repeat(at), "y".repeat(99 - at));
            let bytes = entry::canonical(&json!({ "s": text, text.as_str(): 1 }));
            assert!(entry::is_canonical(&bytes.unwrap()), "{odd:?} at {at}");
        }
        for raw in ["\n", "\u{1f}", "\\x", "\0"] {
            let text = format!("{{\"s\":\"{}{raw}{}\"}}", "x".repeat(at), "y".repeat(99 - at));
            let place = format!("{:?}", entry::check(text.as_bytes()).unwrap_err());
            assert!(place.contains(&format!("at: {}", 6 + at)), "{raw:?} at {at}: {place}");
        }
    }
}

#[test]
fn nesting_has_one_limit_for_both_directions() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    for (depth, ok) in [(64, true), (65, false)] {
        let text = nested(depth);
        assert_eq!(entry::is_canonical(text.as_bytes()), ok, "depth {depth}");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(entry::canonical(&value).is_ok(), ok, "depth {depth}");
    }
}

#[test]
fn commitments_open_with_their_salt_and_value_only() {
    let value = json!({ "family": "Ørsted", "given": ["A", "B"] });
    // The message spelled out byte by byte.
    let mut message = b"bailiwick/commit/v1\n".to_vec();
    message.extend_from_slice(&[9; 16]);
    message.extend_from_slice(r#"{"family":"Ørsted","given":["A","B"]}"#.as_bytes());
    let commitment = entry::commit(&[9; 16], &value).unwrap();
    assert_eq!(commitment, Hash::of(&message));

    let logged = json!({ "commitments": { "name": commitment.to_string() } });
    let good = Disclosure { index: 0, field: "name".into(), salt: [9; 16], value };
    good.verify(&logged).unwrap();
    for bad in [
        Disclosure { salt: [8; 16], ..good.clone() },
        Disclosure { value: json!("Ørsted"), ..good.clone() },
        Disclosure { field: "mail".into(), ..good.clone() },
    ] {
        assert_eq!(bad.verify(&logged).unwrap_err().code(), "disclosure-mismatch");
    }
    let shown = format!("{good:?}");
    assert!(!shown.contains("rsted") && !shown.contains('9'), "{shown}");
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\"\\\\\u{0}-\u{20}a]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[\"#\\\\\u{0}-\u{1f}a-cé]{0,3}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_canonical_and_reads_back(value in any_value()) {
        let value = json!({ "v": value });
        let bytes = entry::canonical(&value).unwrap();
        prop_assert!(entry::check(&bytes).is_ok(), "{:?}", entry::check(&bytes));
        prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), value);
    }

    /// The scanner agrees with parsing and writing again, on bytes near canonical ones.
    #[test]
    fn the_scanner_accepts_exactly_the_canonical_bytes(
        value in any_value(), at in any::<prop::sample::Index>(), byte in any::<u8>(), insert in any::<bool>(),
    ) {
        let mut bytes = entry::canonical(&json!({ "v": value })).unwrap();
        let at = at.index(bytes.len());
        if insert { bytes.insert(at, byte) } else { bytes[at] = byte }
        let again = serde_json::from_slice::<Value>(&bytes).ok().filter(Value::is_object)
            .and_then(|value| entry::canonical(&value).ok());
        prop_assert_eq!(entry::is_canonical(&bytes), again.as_deref() == Some(&bytes[..]));
    }
}
