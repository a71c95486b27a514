//! AWS Signature Version 4 over one request, checked against AWS's test suite.
//!
//! Absent on purpose: queries, presigned addresses, chunked bodies and session tokens, which no action that
//! is sent here has. Why this is our own code is in `docs/decisions/0005-sigv4.md`.

use ::http::{HeaderValue, Request, header::AUTHORIZATION};
use aws_lc_rs::{digest, hmac};
use bailiwick_core::time::Timestamp;
use bytes::Bytes;

use crate::seal::Credential;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a signature is for, apart from the request.
pub(super) struct Place<'a> {
    /// Such as `us-east-1`.
    pub(super) region: &'a str,
    /// Such as `iam`.
    pub(super) service: &'a str,
}

/// Dates the request and signs it with an access key: method, path, all headers and the body. The request
/// must be whole, its `host` header included, and without a query. `None` when the credential is no access
/// key, or its id or the place cannot stand in a header.
pub(super) fn sign(
    request: &mut Request<Bytes>,
    place: &Place<'_>,
    credential: &Credential,
    now: Timestamp,
) -> Option<()> {
    let (day, instant) = (now.strftime("%Y%m%d").to_string(), now.strftime("%Y%m%dT%H%M%SZ").to_string());
    request.headers_mut().insert("x-amz-date", HeaderValue::from_str(&instant).ok()?);
    let (id, day_key) = credential.day_key(&day)?;
    let (canonical, signed) = canonical(request);
    let scope = format!("{day}/{}/{}/aws4_request", place.region, place.service);
    let to_sign = format!("{ALGORITHM}\n{instant}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let steps = [place.region, place.service, "aws4_request", &to_sign];
    let signature = steps.into_iter().fold(day_key, |key, step| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), step.as_bytes())
    });
    let shown = format!(
        "{ALGORITHM} Credential={id}/{scope}, SignedHeaders={signed}, Signature={}",
        hex(signature.as_ref())
    );
    let mut shown = HeaderValue::from_str(&shown).ok()?;
    shown.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, shown);
    Some(())
}

/// The canonical form of a request without a query, and the names of its headers.
fn canonical(request: &Request<Bytes>) -> (String, String) {
    let mut headers: Vec<(&str, String)> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).trim().to_owned()))
        .collect();
    headers.sort();
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let signed = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let body = sha256(request.body());
    let canonical = format!("{}\n{}\n\n{lines}\n{signed}\n{body}", request.method(), request.uri().path());
    (canonical, signed)
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::{CredentialScheme, Secret};

    fn key(secret: &str) -> Credential {
        let scheme = CredentialScheme::AccessKey { id: "AKIDEXAMPLE".into() };
        Credential { scheme, secret: Secret::new(secret) }
    }

    /// The cases of AWS's `aws-sig-v4-test-suite` that have no query and no session token.
    #[test]
    fn the_test_suite_of_aws_is_met() {
        let form = Some("application/x-www-form-urlencoded");
        for (case, method, kind, body, names, signature) in [
            (
                "get-vanilla",
                "GET",
                None,
                "",
                "host;x-amz-date",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "post-vanilla",
                "POST",
                None,
                "",
                "host;x-amz-date",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "post-x-www-form-urlencoded",
                "POST",
                form,
                "Param1=value1",
                "content-type;host;x-amz-date",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ] {
            let mut request = Request::builder().method(method).uri("https://example.amazonaws.com/");
            request = request.header("host", "example.amazonaws.com");
            if let Some(kind) = kind {
                request = request.header("content-type", kind);
            }
            let mut request = request.body(Bytes::from(body)).unwrap();
            let place = Place { region: "us-east-1", service: "service" };
            let at = "2015-08-30T12:36:00Z".parse().unwrap();
            sign(&mut request, &place, &key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), at).unwrap();
            let expect = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders={names}, Signature={signature}"
            );
            assert_eq!(request.headers()["authorization"], expect, "{case}");
            assert_eq!(request.headers()["x-amz-date"], "20150830T123600Z");
            assert!(!format!("{request:?}").contains(signature), "{case}");
        }
    }

    #[test]
    fn only_an_access_key_signs() {
        let mut request = Request::new(Bytes::new());
        let place = Place { region: "us-east-1", service: "iam" };
        let bearer = Credential::bearer(Secret::new("x"));
        assert!(sign(&mut request, &place, &bearer, Timestamp::UNIX_EPOCH).is_none());
        let bad = Place { region: "us\neast", service: "iam" };
        assert!(sign(&mut request, &bad, &key("k"), Timestamp::UNIX_EPOCH).is_none());
        assert!(!request.headers().contains_key("authorization"));
    }
}
