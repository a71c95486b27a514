//! The connector against a scripted line: exactly these calls, in this order, with these answers.

mod reading;
mod writing;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bailiwick_connector::{
    Broker, Capability, Connector, ConnectorError, Effect, Entry, ErrorKind, Line, Listing, Locator,
    ObjectState, Outcome,
    broker::{Transport, TransportError, TransportErrorKind},
    seal::{SealKey, Secret},
    testkit::{Hands, Seeded},
};
use bailiwick_core::{
    access::AccessClass,
    digest::Digest,
    integration::{Integration, Purpose},
    plan::Op,
};
use bytes::Bytes;
use serde_json::{Value, json};

use super::Scim;

/// An answer: status, headers, body. Status 0: the connection breaks after the request was sent.
type Reply = (u16, &'static [(&'static str, &'static str)], &'static str);

/// What a system is asked, and what it answers.
struct Script(Mutex<VecDeque<(String, Reply)>>);

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let mut asked =
            format!("{} {}", request.method(), decoded(&request.uri().path_and_query().unwrap().to_string()));
        let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap());
        let body = std::str::from_utf8(request.body()).unwrap();
        if let Some(version) = header("if-match") {
            asked += &format!(" match={version}");
        }
        if let Some(key) = header("idempotency-key") {
            let whole = format!("{} {}\n{body}", request.method(), request.uri().path());
            let own = format!("k.{}", Digest::of(whole.as_bytes()).short());
            asked += &format!(" key={}", if key == own { "k.own" } else { key });
        }
        let (expected, (status, headers, reply)) = self
            .0
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or_else(|| panic!("nothing more is expected, and there is: {asked}"));
        let (line, wanted) = match expected.find(" {") {
            Some(at) => expected.split_at(at),
            None => (expected.as_str(), ""),
        };
        assert_eq!(asked, line);
        let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
        assert_eq!(parsed(body), parsed(wanted), "{line}");
        if status == 0 {
            return Err(TransportError {
                kind: TransportErrorKind::Broken,
                sent: true,
                cause: "gone".into(),
            });
        }
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        Ok(response.body(Bytes::from_static(reply.as_bytes())).unwrap())
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        match (first, tail) {
            (b'%', [a, b, ..]) => {
                let hex = std::str::from_utf8(&[*a, *b]).unwrap().to_owned();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap());
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// A connector and its line to a script.
struct Stage {
    scim: Scim,
    line: Line,
    script: Arc<Script>,
}

impl Stage {
    fn new(settings: Value, config: &'static str, script: &[(&str, Reply)]) -> Self {
        let discovery = ("GET /ServiceProviderConfig".to_owned(), (200, &[][..], config));
        let steps = script.iter().map(|(asked, reply)| ((*asked).to_owned(), *reply));
        let script = Arc::new(Script(Mutex::new(std::iter::once(discovery).chain(steps).collect())));
        let rules = [
            "discover GET /ServiceProviderConfig",
            "discover GET /Schemas",
            "list GET /Users",
            "list GET /Groups",
            "list GET /u/{id}/tokens",
            "get GET /Users/{id}",
            "get GET /Groups/{id}",
            "create POST /Users",
            "update PATCH /Users/{id}",
            "update PUT /Users/{id}",
            "delete DELETE /Users/{id}",
            "grant PATCH /Groups/{id}",
            "revoke PATCH /Groups/{id}",
            "grant PUT /Groups/{id}",
            "revoke PUT /Groups/{id}",
            "revoke DELETE /u/{id}/tokens/{token}",
            "issue POST /u/{id}/tokens",
            "try GET /me",
        ];
        let integration: Integration = serde_json::from_value(json!({
            "name": "app", "purpose": "test", "owner": "hr/1", "backup": "hr/2", "connector": "scim",
            "endpoint": "https://app.test", "role": "target", "system": "app",
            "scope": {"rules": rules}, "settings": {"auth": "none"}, "standing": {"state": "enabled"},
        }))
        .unwrap();
        let key = Arc::new(SealKey::generate(&Seeded::new(1)));
        let broker = Broker::new("acme".parse().unwrap(), script.clone(), Arc::new(Hands::default()), key);
        let line = broker.line(&integration, Purpose::Write, None);
        Self { scim: Scim::new(&settings).unwrap(), line, script }
    }

    fn over(&self) {
        let left: Vec<_> = self.script.0.lock().unwrap().iter().map(|(asked, _)| asked.clone()).collect();
        assert!(left.is_empty(), "not asked: {left:?}");
    }

    async fn apply(
        &self,
        op: Op,
        precondition: Option<&str>,
    ) -> Result<(Outcome, Option<String>), ConnectorError> {
        let account = (!matches!(op, Op::CreateAccount { .. })).then_some("u1");
        let applied = self.scim.apply(&self.line, account, &op, precondition, "k").await;
        self.over();
        applied.map(|applied| (applied.outcome, applied.external_id))
    }
}

fn settings() -> Value {
    json!({"idempotency_header": "Idempotency-Key"})
}

const PLAIN: &str = "{}";
const ETAG: &str = r#"{"etag":{"supported":true}}"#;
const NO_PATCH: &str = r#"{"patch":{"supported":false},"etag":{"supported":true}}"#;
const NO_FILTER: &str = r#"{"filter":{"supported":false}}"#;
const ANN: &str = r#"{"totalResults":1,"Resources":[{"id":"u1","userName":"ann","externalId":"hr/1"}]}"#;
const BOB: &str = r#"{"totalResults":1,"Resources":[{"id":"u2","userName":"Ann","externalId":"hr/2"}]}"#;
const WHOLE: &str = r#"{"id":"u1","userName":"ann","active":true,"x-odd":{"n":1.0},"meta":{"version":"v1"}}"#;
const NOBODY: &str = r#"{"totalResults":0,"Resources":[]}"#;

fn ok(body: &'static str) -> Reply {
    (200, &[], body)
}

fn status(status: u16) -> Reply {
    (status, &[], "")
}

const BY_MARKER: &str = r#"GET /Users?startIndex=1&count=100&filter=externalId eq "hr/1""#;
const BY_NAME: &str = r#"GET /Users?startIndex=1&count=100&filter=userName eq "ann""#;

#[test]
fn what_is_not_configured_is_not_observable() {
    let capability = |settings: Value| -> Capability { Scim::new(&settings).unwrap().capability().clone() };
    let plain = capability(Value::Null);
    assert!(
        !plain.observes.contains(&AccessClass::ApiTokens) && !plain.idempotency_keys && !plain.conditional
    );
    assert_eq!(plain.disable_ways, ["PATCH active=false", "PUT active=false"]);
    assert_eq!(capability(json!({"update": "put"})).disable_ways, ["PUT active=false"]);
    assert_eq!(capability(json!({"update": "patch"})).disable_ways, ["PATCH active=false"]);
    let held = capability(
        json!({"held": {"sessions": {"list": "/u/{id}"}, "licences": {"list": "/l/{id}", "grant": "/l/{id}/{item}"}}}),
    );
    assert!(held.observes.is_superset(&[AccessClass::Sessions, AccessClass::Licences].into()));
    assert_eq!(held.removes, [AccessClass::DirectGroups].into());
    assert_eq!(held.grants, [AccessClass::DirectGroups, AccessClass::Licences].into());
}
