//! What a provider says: each thing that can be wrong, and whatever bytes.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{OpenIdRefusal as No, *};
use crate::time::Timestamp;

const NOW: i64 = 1_800_000_000;

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn keys(seeds: &[u8]) -> Value {
    let key = |seed: &u8| {
        let x = URL_SAFE_NO_PAD.encode(pair(*seed).public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": format!("k{seed}"), "use": "sig" })
    };
    json!({ "keys": seeds.iter().map(key).collect::<Vec<_>>() })
}

fn set(seeds: &[u8]) -> KeySet {
    KeySet::read(keys(seeds).to_string().as_bytes()).unwrap()
}

fn signed(seed: u8, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(pair(seed).sign(text.as_bytes()));
    format!("{text}.{signature}")
}

fn claims() -> Value {
    json!({ "iss": "https://idp.example", "sub": "u-1", "aud": "hub", "exp": NOW + 300, "iat": NOW, "nonce": "n" })
}

fn header() -> Value {
    json!({ "alg": "EdDSA", "kid": "k1" })
}

fn judge(token: &str) -> Result<String> {
    let now = Timestamp::from_second(NOW).unwrap();
    let expected = Expected { issuer: "https://idp.example", client: "hub", nonce: "n", now };
    identify(token, &set(&[1, 2]), &expected).map(|identified| identified.subject)
}

#[test]
fn only_a_token_for_us_and_now_identifies_somebody() {
    let check = |change: Value, expect: Result<&str>| {
        let mut claims = claims();
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        assert_eq!(judge(&signed(1, &header(), &claims)), expect.map(str::to_owned), "{change}");
    };
    let malformed = No::Malformed("a claim is missing or no claim");
    check(json!({}), Ok("u-1"));
    check(json!({ "email": "noor@corp.example", "groups": ["admin"] }), Ok("u-1"));
    check(json!({ "iss": "https://idp.example/" }), Err(No::Issuer("https://idp.example/".into())));
    check(json!({ "iss": "https://evil.example" }), Err(No::Issuer("https://evil.example".into())));
    check(json!({ "aud": "other" }), Err(No::Audience));
    check(json!({ "aud": ["hub"] }), Ok("u-1"));
    check(json!({ "aud": [] }), Err(No::Audience));
    check(json!({ "aud": ["hub", "other"] }), Err(No::Audience));
    check(json!({ "aud": ["hub", "other"], "azp": "hub" }), Ok("u-1"));
    check(json!({ "aud": ["hub", "other"], "azp": "other" }), Err(No::Audience));
    check(json!({ "azp": "other" }), Err(No::Audience));
    check(json!({ "nonce": "m" }), Err(No::Nonce));
    check(json!({ "nonce": null }), Err(No::Nonce));
    check(json!({ "exp": NOW - 60 }), Err(No::Time));
    check(json!({ "exp": NOW - 59 }), Ok("u-1"));
    check(json!({ "iat": NOW + 61 }), Err(No::Time));
    check(json!({ "iat": NOW - 601 }), Err(No::Time));
    check(json!({ "nbf": NOW + 61 }), Err(No::Time));
    check(json!({ "exp": i64::MAX }), Err(No::Time));
    check(json!({ "exp": null }), Err(malformed.clone()));
    check(json!({ "sub": null }), Err(malformed.clone()));
    check(json!({ "sub": 7 }), Err(malformed.clone()));
    check(json!({ "exp": "soon" }), Err(malformed));
    check(json!({ "sub": "" }), Err(No::Malformed("`sub` is none")));
    check(json!({ "sub": "a b" }), Err(No::Malformed("`sub` is none")));
}

#[test]
fn only_a_key_of_the_provider_and_a_method_of_the_list_count() {
    let check = |header: Value, seed: u8, expect: Result<&str>| {
        let judged = judge(&signed(seed, &header, &claims()));
        assert_eq!(judged, expect.map(str::to_owned), "{header} {seed}");
    };
    check(json!({ "alg": "EdDSA" }), 1, Ok("u-1"));
    check(json!({ "alg": "EdDSA" }), 2, Ok("u-1"));
    check(json!({ "alg": "EdDSA" }), 3, Err(No::Signature));
    check(json!({ "alg": "EdDSA", "kid": "k1" }), 2, Err(No::Signature));
    check(json!({ "alg": "EdDSA", "kid": "k3" }), 3, Err(No::Key));
    check(json!({ "alg": "RS256", "kid": "k1" }), 1, Err(No::Key));
    for alg in ["none", "None", "HS256", "RS384", "ES512", ""] {
        check(json!({ "alg": alg, "kid": "k1" }), 1, Err(No::Algorithm(alg.into())));
    }
    check(
        json!({ "alg": "EdDSA", "crit": ["b64"] }),
        1,
        Err(No::Malformed("its header wants something that is not understood")),
    );
    check(json!({ "kid": "k1" }), 1, Err(No::Malformed("its header is not what it should be")));
    // Without a signature, with a key that the token brings along, and what is no token.
    let whole = signed(1, &header(), &claims());
    let (unsigned, _) = whole.rsplit_once('.').unwrap();
    assert_eq!(judge(&format!("{unsigned}.")), Err(No::Signature));
    let own = json!({ "alg": "EdDSA", "jwk": keys(&[3])["keys"][0] });
    assert_eq!(judge(&signed(3, &own, &claims())), Err(No::Signature));
    for text in ["", ".", "..", "a.b", "a.b.c.d", &"x".repeat(20_000)] {
        assert!(judge(text).is_err(), "{text}");
    }
}

/// The example of RFC 7515, appendix A.3 (ES256): its key and its signature, over claims that are none of an ID token.
#[test]
fn the_example_of_the_standard_verifies() {
    let key = json!({ "keys": [{ "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" }]});
    let keys = KeySet::read(key.to_string().as_bytes()).unwrap();
    let text = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19\
                yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let token = token::Token::read(text).unwrap();
    assert_eq!(keys.verify(&token), Ok(()));
    let other = text.replace("DtEh", "DtEi");
    assert_eq!(keys.verify(&token::Token::read(&other).unwrap()), Err(No::Signature));
}

#[test]
fn keys_that_are_not_for_this_are_left_out() {
    let check = |change: Value, left: bool| {
        let mut keys = keys(&[1]);
        for (name, value) in change.as_object().unwrap() {
            keys["keys"][0][name] = value.clone();
        }
        assert_eq!(KeySet::read(keys.to_string().as_bytes()).is_ok(), left, "{change}");
    };
    check(json!({}), true);
    check(json!({ "alg": "EdDSA" }), true);
    check(json!({ "use": "enc" }), false);
    check(json!({ "crv": "X25519" }), false);
    check(json!({ "kty": "oct", "k": "AAAA" }), false);
    check(json!({ "x": "AAAA" }), false);
    check(json!({ "x": "+/==" }), false);
    assert!(KeySet::read(b"[]").is_err() && KeySet::read(b"{\"keys\":[]}").is_err());
    let other = json!({ "keys": [{ "kty": "RSA", "n": "AQAB", "e": "AQAB" }] });
    assert!(KeySet::read(other.to_string().as_bytes()).is_err(), "a key that is too small");
}

#[test]
fn a_provider_is_who_it_was_configured_to_be_and_is_reached_safely() {
    let good = json!({
        "issuer": "https://idp.example",
        "authorization_endpoint": "https://idp.example/authorize",
        "token_endpoint": "https://idp.example/token",
        "jwks_uri": "https://idp.example/keys",
    });
    let check = |change: Value, expect: Option<bool>| {
        let mut document = good.clone();
        for (name, value) in change.as_object().unwrap() {
            document[name] = value.clone();
        }
        let read = Metadata::read(document.to_string().as_bytes(), "https://idp.example");
        assert_eq!(read.ok().and_then(|found| found.secret_in_form()), expect, "{change}");
    };
    check(json!({}), Some(false));
    check(json!({ "issuer": "https://other.example" }), None);
    check(json!({ "issuer": "https://idp.example/" }), None);
    check(json!({ "token_endpoint": "http://idp.example/token" }), None);
    check(json!({ "token_endpoint": "http://127.0.0.1:8200/token" }), Some(false));
    check(json!({ "token_endpoint": "http://127.0.0.1.evil.example/token" }), None);
    check(json!({ "token_endpoint": "http://localhost@evil.example/token" }), None);
    check(json!({ "token_endpoint": "http://localhost:1@evil.example/token" }), None);
    check(json!({ "token_endpoint": "http://localhost:@evil.example/token" }), None);
    check(json!({ "token_endpoint": "http://[::1]:8200/token" }), Some(false));
    check(json!({ "token_endpoint": "http://[::1]/token" }), Some(false));
    check(json!({ "token_endpoint": "http://localhost\\.evil.example/token" }), None);
    check(json!({ "token_endpoint": "https:///token" }), None);
    check(json!({ "jwks_uri": "file:///etc/passwd" }), None);
    check(json!({ "code_challenge_methods_supported": ["plain"] }), None);
    check(json!({ "code_challenge_methods_supported": ["plain", "S256"] }), Some(false));
    check(json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] }), Some(true));
    check(json!({ "token_endpoint_auth_methods_supported": ["private_key_jwt"] }), None);
}

#[test]
fn what_goes_with_an_attempt_follows_from_its_secret_and_says_nothing_of_it() {
    let (one, other) = (Attempt::of("bws_1"), Attempt::of("bws_2"));
    let parts = [&one.state, &one.nonce, &one.verifier, &one.challenge, &other.state, &other.nonce];
    let distinct: std::collections::BTreeSet<_> = parts.iter().collect();
    assert_eq!(distinct.len(), parts.len());
    assert_eq!(one.verifier.len(), 43, "as long as RFC 7636 §4.1 wants it");
    assert_eq!(Attempt::of("bws_1").state, one.state);
}

proptest! {
    #[test]
    fn whatever_comes_is_judged_and_nothing_panics(text in "\\PC{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(judge(&text).is_err());
        let _ = (KeySet::read(&bytes), Metadata::read(&bytes, &text), is_safe(&text));
        let part = URL_SAFE_NO_PAD.encode(&bytes);
        let judged = judge(&format!("{part}.{part}.{part}"));
        prop_assert!(judged.is_err());
    }

    #[test]
    fn a_letter_of_a_token_that_differs_is_refused(at in 0usize..400, letter in "[A-Za-z0-9_.-]") {
        let whole = signed(1, &header(), &claims());
        let at = at % whole.len();
        let other = format!("{}{letter}{}", &whole[..at], &whole[at + 1..]);
        // The last letter of a part has bits that stand for nothing; those must be zero.
        prop_assume!(other != whole);
        prop_assert!(judge(&other).is_err());
    }
}
