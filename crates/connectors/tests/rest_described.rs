//! What a description says beyond calls: refusals, pauses, versions, keys, headers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

#[path = "support/rest_line.rs"]
mod rest_line;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bailiwick_connector::{
    Connector, ConnectorError, Effect, ErrorKind, Line, Listing, Locator, Outcome,
    broker::{Transport, TransportError},
    seal::{Credential, Secret},
};
use bailiwick_connectors::rest::Rest;
use bailiwick_core::{access::AccessClass, integration::Purpose, plan::Op};
use bytes::Bytes;
use serde_json::{Value, json};

/// Keeps requests as text, and gives answers one after the other.
#[derive(Default)]
struct Wire {
    sent: Mutex<Vec<String>>,
    answers: Mutex<VecDeque<http::Response<Bytes>>>,
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let mut shown = format!("{} {}", request.method(), request.uri().path_and_query().unwrap());
        for name in ["accept", "x-version", "if-match", "idempotency-key"] {
            for value in request.headers().get_all(name) {
                shown.push_str(&format!(" {name}={}", value.to_str().unwrap()));
            }
        }
        shown.push_str(&format!(" {}", String::from_utf8_lossy(request.body())));
        self.sent.lock().unwrap().push(shown.trim_end().to_owned());
        Ok(self.answers.lock().unwrap().pop_front().unwrap())
    }
}

fn description() -> Value {
    json!({
        "name": "x", "title": "X", "version": "1", "docs": "https://x.example", "auth": {"style": "bearer"},
        "headers": {"Accept": "application/vnd.x+json", "X-Version": "7"},
        "paging": {"style": "cursor", "cursor": "after", "size": "limit", "next": "/meta/next", "total": "header:x-total"},
        "conditional": true, "idempotency_header": "Idempotency-Key",
        "errors": {"code": "/error/code", "message": ["/error/text", "/text"], "map": [
            {"status": 400, "code": "duplicate", "is": "already-exists"},
            {"status": 422, "says": "no such user", "is": "not-found"},
        ]},
        "rate": {"remaining": "X-Left", "reset": "X-Reset", "reset_is": "epoch"},
        "accounts": {
            "items": "/data", "item": "/data", "id": "/id", "name": "/name", "marker": "/marker", "version": "/v",
            "attributes": {"name": "/name"},
            "list": {"call": "POST /search", "reads": true, "body": {"kind": "user"}},
            "get": {"call": "GET /users/{id}"},
            "create": {"call": "POST /users", "body": {"name": "{attributes.name}", "marker": "{marker}"}},
            "update": {"call": "PUT /users/{id}", "merge": true, "body": {"name": "{attributes.name}"}},
            "enable": {"call": "POST /users/{id}/on"},
            "disable": [{"call": "POST /users/{id}/off", "already": [{"status": 409, "code": "is-off"}]}],
            "delete": {"call": "DELETE /users/{id}"},
        },
        "held": {"sessions": {
            "items": "/data", "id": "/id", "list": {"call": "GET /users/{id}/sessions"},
            "revoke": {"call": "DELETE /sessions/{item}"},
        }},
    })
}

struct Bench {
    wire: Arc<Wire>,
    rest: Rest,
    line: Line,
}

/// Status, headers, body.
type Said<'s> = (u16, &'s [(&'s str, &'s str)], Value);

/// A bench whose system gives these answers.
fn bench(answers: &[Said<'_>]) -> Bench {
    let wire = Arc::new(Wire::default());
    for (status, headers, body) in answers {
        let mut answer = http::Response::builder().status(*status);
        for (name, value) in *headers {
            answer = answer.header(*name, *value);
        }
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        wire.answers.lock().unwrap().push_back(answer.body(body).unwrap());
    }
    let rest = Rest::new(&json!({"description": description()})).unwrap();
    let credential = Credential::bearer(Secret::new("t"));
    let line =
        rest_line::line(wire.clone(), "https://x.test/api", &rest, json!({}), &credential, Purpose::Write);
    Bench { wire, rest, line }
}

impl Bench {
    async fn apply(&self, op: &Op, version: Option<&str>) -> Result<Outcome, ConnectorError> {
        self.rest.apply(&self.line, Some("7"), op, version, "key-1").await.map(|applied| applied.outcome)
    }

    fn sent(&self) -> Vec<String> {
        self.wire.sent.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_refusal_means_what_the_description_or_its_status_says() {
    use {Effect as E, ErrorKind as K};
    let off = Op::Disable { way: 0 };
    let text = |code: &str, text: &str| json!({"error": {"code": code, "text": text}});
    let none: &[(&str, &str)] = &[];
    // The clock of the tests stands at 1,800,000,000.
    let spent: &[_] = &[("x-left", "0"), ("x-reset", "1800000030")];
    for (status, headers, body, kind, effect, wait) in [
        (400, none, text("duplicate", ""), K::AlreadyExists, E::None, None),
        (400, none, text("other", ""), K::Invalid, E::None, None),
        (422, none, json!({"text": "no such user 7"}), K::NotFound, E::None, None),
        (401, none, Value::Null, K::Unauthorized, E::None, None),
        (403, none, Value::Null, K::Forbidden, E::None, None),
        (403, spent, Value::Null, K::RateLimited, E::None, Some(30)),
        (403, &[("x-left", "9"), ("x-reset", "1800000030")], Value::Null, K::Forbidden, E::None, None),
        (429, &[("x-reset", "1800000007")], Value::Null, K::RateLimited, E::None, Some(7)),
        (
            429,
            &[("retry-after", "5"), ("x-reset", "1800000007")],
            Value::Null,
            K::RateLimited,
            E::None,
            Some(5),
        ),
        (409, none, text("busy", ""), K::Invalid, E::None, None),
        (404, none, Value::Null, K::NotFound, E::None, None),
        (500, none, json!("<html>"), K::SystemFault, E::Unknown, None),
        (503, &[("retry-after", "9")], Value::Null, K::SystemFault, E::None, Some(9)),
        (302, none, Value::Null, K::Malformed, E::Unknown, None),
    ] {
        let error = bench(&[(status, headers, body.clone())]).apply(&off, None).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (kind, effect), "{status} {body}");
        assert_eq!(error.retry_after, wait.map(Duration::from_secs), "{status} {headers:?}");
    }
    let said = bench(&[(409, none, text("is-off", "it is off"))]).apply(&off, None).await.unwrap();
    assert_eq!(said, Outcome::AlreadySo);
    let error = bench(&[(409, none, text("busy", "try\nlater"))]).apply(&off, None).await.unwrap_err();
    assert_eq!(error.message, "POST /users/7/off was answered 409: busy: trylater");
}

#[tokio::test]
async fn calls_carry_headers_versions_and_keys_as_described() {
    let none: &[(&str, &str)] = &[];
    let user = |v: u32| json!({"data": {"id": "7", "name": "ann", "v": v, "more": {"kept": true}}});
    let bench = self::bench(&[(200, none, user(3)), (200, none, user(4)), (412, none, Value::Null)]);
    let set = Op::SetAttributes { attributes: [("name".to_owned(), "Ann \"A\"".into())].into() };
    bench.apply(&set, Some("3")).await.unwrap();
    let error = bench.apply(&Op::Delete, Some("3")).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (ErrorKind::Stale, Effect::None));
    let sent = bench.sent();
    let common = "accept=application/vnd.x+json x-version=7";
    assert_eq!(sent[0], format!("GET /api/users/7 {common}"));
    let (head, body) = sent[1].split_once(" {").unwrap();
    assert_eq!(head, format!("PUT /api/users/7 {common} if-match=3 idempotency-key=key-1"));
    let expect = json!({"id": "7", "name": "Ann \"A\"", "v": 3, "more": {"kept": true}});
    assert_eq!(serde_json::from_str::<Value>(&format!("{{{body}")).unwrap(), expect);
    assert_eq!(sent[2], format!("DELETE /api/users/7 {common} if-match=3 idempotency-key=key-1"));

    // One change that makes several calls has a key for each, and the same ones the next time.
    let two = || (200, none, json!({"data": [{"id": "a"}, {"id": "b"}]}));
    let gone = || (204, none, Value::Null);
    let bench = self::bench(&[two(), gone(), gone(), two(), gone(), gone()]);
    for _ in 0..2 {
        bench.apply(&Op::RevokeAll { class: AccessClass::Sessions }, None).await.unwrap();
    }
    let keys: Vec<String> = bench
        .sent()
        .iter()
        .filter_map(|sent| Some(sent.split_once("idempotency-key=")?.1.to_owned()))
        .collect();
    assert!(keys.len() == 4 && keys[0] != keys[1] && keys[..2] == keys[2..], "{keys:?}");
}

#[tokio::test]
async fn a_search_by_post_reads_pages_by_cursor() {
    let page = |ids: &[&str], next: Value| {
        let data: Vec<Value> = ids.iter().map(|id| json!({"id": id, "name": id})).collect();
        json!({"data": data, "meta": {"next": next}})
    };
    let total: &[_] = &[("x-total", "3")];
    let bench =
        bench(&[(200, total, page(&["1", "2"], json!("c&2"))), (200, total, page(&["3"], Value::Null))]);
    let (mut seen, mut cursor) = (0, None::<String>);
    loop {
        let mut visit = |_: bailiwick_connector::Object<'_>| seen += 1;
        let page =
            bench.rest.list(&bench.line, Listing::Accounts, cursor.as_deref(), 2, &mut visit).await.unwrap();
        assert!(page.complete);
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, 3);
    let sent = bench.sent();
    assert!(
        sent[1].starts_with("POST /api/search?limit=2&after=c%262 ")
            && sent[1].ends_with("{\"kind\":\"user\"}"),
        "{sent:?}"
    );
    assert!(!sent[0].contains("idempotency"), "a read has no key: {sent:?}");
}

#[tokio::test]
async fn an_answer_that_is_not_as_described_proves_nothing() {
    let none: &[(&str, &str)] = &[];
    for (body, what) in [
        (json!({"users": []}), "no list"),
        (json!({"data": {"id": "7"}}), "not a list"),
        (json!("login page"), "a text"),
    ] {
        let bench = bench(&[(200, none, body)]);
        let error = bench.rest.get(&bench.line, Locator::AccountNamed("zed")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Malformed, "{what}");
    }
    // Somebody without an id is there, so nobody can be said to be missing.
    let bench = bench(&[(200, none, json!({"data": [{"name": "who"}], "meta": {}}))]);
    let error = bench.rest.get(&bench.line, Locator::AccountNamed("zed")).await.unwrap_err();
    assert!(error.message.contains("did not show everything"), "{error}");
    // Another than was asked for is not taken for the one.
    let other = json!({"data": {"id": "8", "name": "bob"}});
    let bench = self::bench(&[(200, none, other)]);
    let error = bench.rest.get(&bench.line, Locator::Account("7")).await.unwrap_err();
    assert!(error.message.contains("`8` came when `7`"), "{error}");
}
