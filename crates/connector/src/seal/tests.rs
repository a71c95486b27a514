//! What is sealed opens for exactly its context and key, and shows nothing to anybody else.

use std::{fs, os::unix::fs::PermissionsExt};

use super::*;
use crate::testkit::Seeded;

fn context() -> SealContext {
    SealContext {
        tenant: Tenant::single(),
        integration: IntegrationName::new("chat").unwrap(),
        purpose: Purpose::Write,
        origin: "https://chat.example:443".into(),
        last_calls: None,
    }
}

fn credential() -> Credential {
    let scheme = CredentialScheme::Basic { user: "svc-bailiwick".into() };
    Credential { scheme, secret: Secret::new("hunter2-hunter2") }
}

#[test]
fn a_sealed_credential_opens_for_what_it_was_sealed_for_and_for_nothing_else() {
    let key = SealKey::generate(&Seeded::new(1));
    let sealed = key.seal(&context(), &credential(), &Seeded::new(2));
    let opened = key.unseal(&context(), &sealed).ok().unwrap();
    assert!(opened.secret.same(&Secret::new("hunter2-hunter2")) && opened.scheme == credential().scheme);

    let elsewhere = [
        SealContext { tenant: Tenant::new("other").unwrap(), ..context() },
        SealContext { integration: IntegrationName::new("mail").unwrap(), ..context() },
        SealContext { purpose: Purpose::Verify, ..context() },
        SealContext { origin: "https://chat.example:8443".into(), ..context() },
        SealContext { origin: "https://chat.example.evil:443".into(), ..context() },
    ];
    for context in elsewhere {
        let error = key.unseal(&context, &sealed).err().unwrap();
        assert_eq!(error.code(), "seal-context", "{context:?}");
    }
}

#[test]
fn another_key_says_which_one_is_needed() {
    let (ours, other) = (SealKey::generate(&Seeded::new(1)), SealKey::generate(&Seeded::new(2)));
    let sealed = ours.seal(&context(), &credential(), &Seeded::new(3));
    let error = other.unseal(&context(), &sealed).err().unwrap();
    assert_eq!(error, SealError::WrongKey { needed: ours.id(), have: other.id() });
    assert_eq!(error.code(), "seal-wrong-key");
    // Saying that it is the right key does not help.
    let forged = Sealed { key_id: other.id(), ..sealed };
    assert_eq!(other.unseal(&context(), &forged).err().unwrap().code(), "seal-context");
}

#[test]
fn no_flipped_bit_opens() {
    let key = SealKey::generate(&Seeded::new(1));
    let sealed = key.seal(&context(), &credential(), &Seeded::new(2));
    for at in 0..sealed.ciphertext.len() {
        let mut altered = sealed.clone();
        altered.ciphertext[at] ^= 1;
        assert!(key.unseal(&context(), &altered).is_err(), "byte {at}");
    }
    for at in 0..sealed.nonce.len() {
        let mut altered = sealed.clone();
        altered.nonce[at] ^= 1;
        assert!(key.unseal(&context(), &altered).is_err(), "nonce byte {at}");
    }
    for length in 0..sealed.ciphertext.len() {
        let cut = Sealed { ciphertext: sealed.ciphertext[..length].to_vec(), ..sealed.clone() };
        assert!(key.unseal(&context(), &cut).is_err(), "cut to {length}");
    }
}

#[test]
fn a_sealed_credential_reads_back_from_json_and_shows_nothing() {
    let key = SealKey::generate(&Seeded::new(1));
    let sealed = key.seal(&context(), &credential(), &Seeded::new(2));
    let json = serde_json::to_string(&sealed).unwrap();
    assert_eq!(serde_json::from_str::<Sealed>(&json).unwrap(), sealed);
    for shown in [json, format!("{sealed:?}")] {
        assert!(!shown.contains("hunter2") && !shown.contains("svc-bailiwick"), "{shown}");
    }
    assert!(serde_json::from_str::<Sealed>(r#"{"key_id":"x","nonce":"!","ciphertext":""}"#).is_err());
}

#[test]
fn a_credential_is_shown_as_its_scheme_says() {
    let check = |scheme, secret: &str, expect: Option<(&str, &str)>| {
        let header = Credential { scheme, secret: Secret::new(secret) }.header();
        assert_eq!(header.is_some(), expect.is_some(), "{secret:?}");
        if let (Some((name, value)), Some(expect)) = (header, expect) {
            assert_eq!((name.as_str(), value.to_str().unwrap()), expect);
            assert_eq!(format!("{value:?}"), "Sensitive");
        }
    };
    check(CredentialScheme::Bearer, "t0k", Some(("authorization", "Bearer t0k")));
    check(
        CredentialScheme::Basic { user: "ann".into() },
        "pw:1",
        Some(("authorization", "Basic YW5uOnB3OjE=")),
    );
    check(CredentialScheme::Header { name: "X-Api-Key".into() }, "k", Some(("x-api-key", "k")));
    check(CredentialScheme::Bearer, "two\nlines", None);
    check(CredentialScheme::Header { name: "bad name".into() }, "k", None);
    check(CredentialScheme::AccessKey { id: "AKIA1".into() }, "k", None);
}

#[test]
fn a_key_file_is_read_only_when_it_is_ours_alone_and_holds_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let key = SealKey::generate(&Seeded::new(7));
    key.write_new(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(SealKey::load(&path).ok().unwrap().id(), key.id());
    assert_eq!(key.write_new(&path).unwrap_err().code(), "key-file-exists");

    for (mode, good) in
        [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o700, false), (0o660, false)]
    {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        match SealKey::load(&path) {
            Ok(_) => assert!(good, "{mode:o}"),
            Err(error) => {
                assert!(!good && error.code() == "key-file-mode", "{mode:o}: {error}");
                assert!(error.to_string().contains(&format!("{mode:04o}")), "{error}");
            }
        }
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let hex = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
    for (text, good) in [
        (hex, true),
        (&format!("  {hex}\n\n"), true),
        ("", false),
        (&hex[1..], false),
        ("zz112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF", false),
        ("c2hvcnQ=", false),
        (&"A".repeat(5000), false),
    ] {
        fs::write(&path, text).unwrap();
        match SealKey::load(&path) {
            Ok(_) => assert!(good, "{text}"),
            Err(error) => {
                assert!(!good && error.code() == "key-file-format", "{text}: {error}");
                assert!(text.is_empty() || !error.to_string().contains(text), "{error}");
            }
        }
    }
    assert_eq!(SealKey::load(folder.path()).err().unwrap().code(), "key-file-format");
    assert_eq!(SealKey::load(&folder.path().join("none")).err().unwrap().code(), "key-file-unreadable");
}
