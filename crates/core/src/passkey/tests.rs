//! Answers of passkeys: the published vectors, each thing that can be wrong, and whatever bytes.

use proptest::prelude::*;

use super::{PasskeyRefusal as No, soft::Soft, *};

/// The published vectors of Web Authentication Level 3, §16: for each a name, then challenge, client data and attestation
/// object of the registration, and challenge, authenticator data, client data and signature of the use, hexadecimal.
const VECTORS: &str = include_str!("vectors.txt");

const OWNER: [u8; 16] = [7; 16];

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

struct Vector {
    name: &'static str,
    party: Party,
    making: Making,
    challenges: [Vec<u8>; 2],
    using: Using,
}

fn vectors() -> Vec<Vector> {
    let read = |block: &'static str| {
        let mut lines = block.lines();
        let name = lines.next().unwrap();
        let parts: Vec<Vec<u8>> = lines.map(hex).collect();
        let [asked, client, object, again, data, said, signature] = parts.try_into().unwrap();
        Vector {
            name,
            party: Party { origin: "https://example.org".into(), id: "example.org".into() },
            making: Making { client: text(&client), attestation: text(&object) },
            challenges: [asked, again],
            using: Using {
                id: String::new(),
                client: text(&said),
                authenticator: text(&data),
                signature: text(&signature),
                user: None,
            },
        }
    };
    VECTORS.split("\n\n").map(read).collect()
}

/// The key of a vector, whatever its statement is.
fn key_of(vector: &Vector) -> (Vec<u8>, Data<'static>) {
    let object = Box::leak(bytes(&vector.making.attestation).unwrap().into_boxed_slice());
    let (_, _, data) = attested(object).unwrap();
    let read = Data::read(data).unwrap();
    (read.credential.unwrap().key.to_vec(), read)
}

#[test]
fn the_published_vectors_are_judged_as_they_are() {
    let mut judged = std::collections::BTreeMap::new();
    for vector in vectors() {
        let (key, read) = key_of(&vector);
        let known = Known {
            key: &key,
            counter: 0,
            shared: read.flags.shareable,
            operator: OperatorId::from_bytes(OWNER),
        };
        let [first, second] = &vector.challenges;
        let made = made(&vector.making, first, &vector.party).map(|made| made.algorithm);
        let used = used(&vector.using, second, &vector.party, known);
        judged.insert(vector.name, (made, used));
    }
    // Where nobody was verified, everything before that was right, also the signature.
    let expect = [
        ("none-es256", (Err(No::Unverified), Err(No::Unverified))),
        ("packed-self-es256", (Ok(Algorithm::Es256), Err(No::Unverified))),
        ("none-es256-crossOrigin", (Err(No::Origin), Err(No::Origin))),
        ("none-es256-topOrigin", (Err(No::Origin), Err(No::Origin))),
        ("none-es256-long-credential-id", (Err(No::Unverified), Ok(0))),
        ("packed-es256", (Err(No::Attestation), Ok(0))),
        ("packed-es384", (Err(No::Algorithm), Err(No::Algorithm))),
        ("packed-rs256", (Err(No::Attestation), Err(No::Unverified))),
        ("packed-eddsa", (Err(No::Attestation), Err(No::Unverified))),
        ("tpm-es256", (Err(No::Attestation), Ok(0))),
        ("fido-u2f-es256", (Err(No::Attestation), Err(No::Unverified))),
    ];
    assert_eq!(judged, expect.into_iter().collect());
}

#[test]
fn a_bit_of_a_vector_that_differs_is_refused() {
    for vector in vectors().iter().filter(|vector| ["packed-es256", "tpm-es256"].contains(&vector.name)) {
        let (key, read) = key_of(vector);
        let operator = OperatorId::from_bytes(OWNER);
        let known = Known { key: &key, counter: 0, shared: read.flags.shareable, operator };
        for part in 0..3 {
            let mut using = vector.using.clone();
            let at = match part {
                0 => &mut using.authenticator,
                1 => &mut using.client,
                _ => &mut using.signature,
            };
            let whole = bytes(at).unwrap();
            for n in 0..whole.len() {
                let mut other = whole.clone();
                other[n] ^= 1;
                let mut using = vector.using.clone();
                match part {
                    0 => using.authenticator = text(&other),
                    1 => using.client = text(&other),
                    _ => using.signature = text(&other),
                }
                let judged = used(&using, &vector.challenges[1], &vector.party, known);
                assert!(judged.is_err(), "{} part {part} byte {n}", vector.name);
            }
        }
    }
}

fn hub() -> Party {
    Party { origin: "https://hub.example".into(), id: "hub.example".into() }
}

fn soft() -> Soft {
    Soft::new(3, &OWNER, "https://hub.example", "hub.example")
}

fn make(soft: &Soft, challenge: &[u8]) -> Result<Made> {
    let [client, attestation] = soft.make(&text(challenge));
    made(&Making { client, attestation }, challenge, &hub())
}

fn sign(soft: &mut Soft, challenge: &[u8], counter: u32) -> Result<u32> {
    let using: Using = serde_json::from_value(soft.sign(&text(challenge))).unwrap();
    let key = soft.cose();
    let operator = OperatorId::from_bytes(OWNER);
    used(&using, challenge, &hub(), Known { key: &key, counter, shared: false, operator })
}

/// What an authenticator, a browser or somebody between them does wrong, and what is said of it.
#[test]
fn each_thing_that_is_not_as_asked_has_its_refusal() {
    type Wrong = fn(&mut Soft);
    let wrongs: [(&str, Wrong, No); 8] = [
        ("another site", |soft| soft.origin = "https://hub.example.evil.example".into(), No::Origin),
        ("without TLS", |soft| soft.origin = "http://hub.example".into(), No::Origin),
        ("another port", |soft| soft.origin = "https://hub.example:444".into(), No::Origin),
        ("a page of the same domain", |soft| soft.origin = "https://www.hub.example".into(), No::Origin),
        ("another relying party", |soft| soft.party = "example".into(), No::Origin),
        ("nobody verified", |soft| soft.flags = soft::PRESENT, No::Unverified),
        ("nobody there", |soft| soft.flags = 0b100, No::Unverified),
        (
            "copied, which may not be",
            |soft| soft.flags |= 0b1_0000,
            No::Malformed("it is copied and may not be"),
        ),
    ];
    assert!(make(&soft(), b"c").is_ok());
    assert_eq!(sign(&mut soft(), b"c", 1), Ok(2));
    for (what, wrong, expect) in wrongs {
        let mut soft = soft();
        wrong(&mut soft);
        assert_eq!(make(&soft, b"c").unwrap_err(), expect, "made: {what}");
        assert_eq!(sign(&mut soft, b"c", 1).unwrap_err(), expect, "used: {what}");
    }
    // An answer for one challenge is none for another, and of one ceremony none of the other.
    let using: Using = serde_json::from_value(soft().sign(&text(b"one"))).unwrap();
    let (key, operator) = (soft().cose(), OperatorId::from_bytes(OWNER));
    let known = Known { key: &key, counter: 1, shared: false, operator };
    assert_eq!(used(&using, b"other", &hub(), known), Err(No::Challenge));
    let [client, attestation] = soft().make(&text(b"c"));
    let making = Making { client: using.client.clone(), attestation };
    assert_eq!(made(&making, b"one", &hub()), Err(No::Malformed("it is of another ceremony")));
    let crossed = Using { client, ..using.clone() };
    assert_eq!(used(&crossed, b"c", &hub(), known), Err(No::Malformed("it is of another ceremony")));
    // Another's key, another's name, a passkey that was said to stay where it is.
    let others = Soft::new(4, &OWNER, "https://hub.example", "hub.example").cose();
    assert_eq!(used(&using, b"one", &hub(), Known { key: &others, ..known }), Err(No::Signature));
    let other = Known { operator: OperatorId::from_bytes([8; 16]), ..known };
    assert_eq!(used(&using, b"one", &hub(), other), Err(No::Unknown));
    let moved = used(&using, b"one", &hub(), Known { shared: true, ..known });
    assert_eq!(moved, Err(No::Malformed("whether it may be copied has changed")));
}

#[test]
fn a_counter_that_does_not_grow_is_noticed() {
    let check = |kept: u32, says: u32, expect: Result<u32>| {
        let mut soft = soft();
        // It counts before it signs.
        soft.counter = says.saturating_sub(1);
        if says == 0 {
            soft.counter = 0;
        }
        if says == 1 {
            return;
        }
        assert_eq!(sign(&mut soft, b"c", kept), expect, "{kept} {says}");
    };
    check(0, 0, Ok(0));
    check(0, 2, Ok(2));
    check(4, 5, Ok(5));
    check(5, 5, Err(No::Counter));
    check(6, 5, Err(No::Counter));
    check(6, 0, Err(No::Counter));
}

#[test]
fn keys_that_are_none_are_refused() {
    let good = soft().cose();
    assert_eq!(Key::read(&good).unwrap().algorithm(), Algorithm::Ed25519);
    let es256 = key_of(&vectors()[0]).0;
    assert_eq!(Key::read(&es256).unwrap().algorithm(), Algorithm::Es256);
    let with = |at: usize, byte: u8, key: &[u8]| {
        let mut key = key.to_vec();
        key[at] = byte;
        Key::read(&key).is_ok()
    };
    assert!(!with(4, 0x26, &good), "an algorithm of another kind of key");
    assert!(!with(6, 0x04, &good), "another curve");
    assert!(!with(40, es256[40] ^ 1, &es256), "a point that is not on the curve");
    assert!(Key::read(&[]).is_err() && Key::read(&[0xa0]).is_err());
    let short =
        [&[0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x58, 128], &[0xff; 128][..], &[0x21, 0x43, 1, 0, 1]].concat();
    assert_eq!(Key::read(&short), Err(No::Algorithm), "RSA with 1024 bits");
}

proptest! {
    #[test]
    fn whatever_comes_is_judged_and_nothing_panics(
        client in proptest::collection::vec(any::<u8>(), 0..200),
        data in proptest::collection::vec(any::<u8>(), 0..400),
        cut in 0usize..200,
    ) {
        let [good, object] = soft().make(&text(b"c"));
        let making = Making { client: text(&client), attestation: text(&data) };
        prop_assert!(made(&making, b"c", &hub()).is_err());
        let mut spoiled = bytes(&object).unwrap();
        spoiled.truncate(cut);
        let making = Making { client: good.clone(), attestation: text(&spoiled) };
        prop_assert_eq!(made(&making, b"c", &hub()).is_ok(), cut >= bytes(&object).unwrap().len());
        let making = Making { client: good, attestation: text(&data) };
        prop_assert!(made(&making, b"c", &hub()).is_err());
        let operator = OperatorId::from_bytes(OWNER);
        let known = Known { key: &data, counter: 0, shared: false, operator };
        let using: Using = serde_json::from_value(soft().sign(&text(b"c"))).unwrap();
        prop_assert!(used(&using, b"c", &hub(), known).is_err());
        let using = Using { authenticator: text(&data), ..using };
        let key = soft().cose();
        let judged = used(&using, b"c", &hub(), Known { key: &key, ..known });
        prop_assert!(judged.is_err());
    }

    #[test]
    fn a_byte_of_a_statement_that_differs_never_makes_another_key(at in 0usize..180, byte in any::<u8>()) {
        let [client, object] = soft().make(&text(b"c"));
        let mut other = bytes(&object).unwrap();
        let at = at % other.len();
        prop_assume!(other[at] != byte);
        other[at] = byte;
        // No statement is signed: what may differ is the counter, the model, the id and the key itself, and then it is that.
        if let Ok(made) = made(&Making { client, attestation: text(&other) }, b"c", &hub()) {
            prop_assert!(Key::read(&made.key).is_ok() && made.id.len() == 20);
        }
    }
}
