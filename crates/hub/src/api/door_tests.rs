//! The door over HTTP: who is let in, what is taken, and how refusals look.

use std::sync::Arc;

use bailiwick_core::{
    authority::Authority,
    gate::{Certificate, Gate, covers},
    id::{ApprovalId, IntegrationName, PlanId, Tenant},
    integration::Integration,
    record::{Actor, Record, RecordKind},
};
use bailiwick_engine::Engine;
use bailiwick_store::Update;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::{bare_tests, entrance::Entrance, serve::Running};

/// The body of an answer.
async fn json_of(answer: reqwest::Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

struct Bench {
    _dir: tempfile::TempDir,
    engine: Arc<Engine>,
    running: Running,
    client: reqwest::Client,
}

impl Bench {
    async fn start() -> Self {
        let (dir, opened, _) = bare_tests::set_up("ada").await;
        let engine = opened.engine.clone();
        let (running, client) = bare_tests::run(opened, Entrance::default()).await;
        Self { _dir: dir, engine, running, client }
    }

    /// Declares a partner that leaves notes, with its first gate open; its token.
    async fn partner(&self, name: &str, per_minute: u32) -> String {
        let mut integration: Integration = serde_json::from_value(json!({
            "name": name, "purpose": "notes", "owner": "hr/1", "backup": "hr/2", "connector": "manual",
            "endpoint": "person:", "role": "partner", "standing": { "state": "enabled" },
            "scope": { "acts": ["signal", "attribute badge"], "writes_per_minute": per_minute },
            "register": { "boundary": "outside", "data_flows": ["notes"], "privilege_flows": ["none"], "vendor": "B" },
        }))
        .unwrap();
        let parts = self.engine.parts();
        let (now, chance) = (self.engine.now(), &*parts.entropy);
        let (id, authority) = (ApprovalId::new(now, chance), Authority::default());
        let covers = covers(Gate::IntegrationApproved, integration.declared(), &authority);
        let mut approval: bailiwick_core::approval::Approval = serde_json::from_value(json!({
            "id": id, "plan": PlanId::new(now, chance), "digest": covers, "by": "rule", "policies": [],
            "at": now, "expires": now, "used": now,
        }))
        .unwrap();
        approval.covers = vec![covers];
        approval.seal = parts.broker.attest(&approval.sealed_bytes());
        let certificate = Certificate { approval: id, covers, authority, at: now };
        integration.gates.set(Gate::IntegrationApproved, Some(certificate));
        let record = Record::new(RecordKind::Configured, now, Actor::Operator("ada".into()), chance);
        let update = Update::new(record).insert(&integration, chance).insert(&approval, chance);
        let mut tx = parts.store.begin().await.unwrap();
        tx.write(&Tenant::single(), vec![update], chance).await.unwrap();
        tx.commit().await.unwrap();
        let name = IntegrationName::new(name).unwrap();
        self.engine.admit_caller(&name, 1, Actor::Operator("ada".into())).await.unwrap().1
    }

    async fn call(&self, method: Method, path: &str, token: &str, body: &str) -> Response {
        let url = format!("http://{}{path}", self.running.address);
        let request = self.client.request(method, url).header("content-type", "application/json");
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        request.body(body.to_owned()).send().await.unwrap()
    }

    async fn refused(&self, method: Method, path: &str, token: &str, body: &str) -> (u16, String) {
        let answer = self.call(method, path, token, body).await;
        let status = answer.status().as_u16();
        let problem = json_of(answer).await;
        assert!(problem["help"].is_string(), "{problem}");
        (status, problem["code"].as_str().unwrap().to_owned())
    }
}

const NOTE: &str = r#"{"kind":"badge-lost","about":"hr/1","text":"in a taxi"}"#;
const SIGNALS: &str = "/door/v1/signals";
const ANN: &str = "/door/v1/identities/hr/1";

#[tokio::test]
async fn only_the_token_of_an_integration_opens_the_door_and_it_opens_nothing_else() {
    let bench = Bench::start().await;
    let token = bench.partner("badges", 60).await;
    let (_, operator) = bench
        .engine
        .add_operator("bo", ["admin".to_owned()].into(), None, 1, Actor::Operator("ada".into()))
        .await
        .unwrap();
    for not in ["", "bwc_00", operator.as_str()] {
        for (method, path, body) in [(Method::POST, SIGNALS, NOTE), (Method::PATCH, ANN, "{}")] {
            let refused = bench.refused(method, path, not, body).await;
            assert_eq!(refused, (401, "caller-token-refused".into()), "{path}");
        }
    }
    for path in ["/api/v1/status", "/api/v1/signals", "/api/v1/integrations", "/api/v1/identities"] {
        assert_eq!(
            bench.refused(Method::GET, path, &token, "").await,
            (401, "token-refused".into()),
            "{path}"
        );
    }
    let taken = bench.call(Method::POST, SIGNALS, &token, NOTE).await;
    assert_eq!(taken.status(), StatusCode::CREATED);
    assert!(json_of(taken).await["signal"].as_str().unwrap().starts_with("sig_"));
    // An operator reads it; whoever left it does not.
    let shown = json_of(bench.call(Method::GET, "/api/v1/signals", &operator, "").await).await;
    assert_eq!((&shown[0]["integration"], &shown[0]["text"]), (&json!("badges"), &json!("in a taxi")));
    assert_eq!(bench.refused(Method::GET, SIGNALS, &token, "").await, (405, "method-not-allowed".into()));
    bench.running.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_not_understood_is_refused_and_a_gate_says_which() {
    let bench = Bench::start().await;
    let token = bench.partner("badges", 60).await;
    let long = format!(r#"{{"kind":"x","text":"{}"}}"#, "x".repeat(17 * 1024));
    for (method, path, body, expect) in [
        (Method::POST, SIGNALS, r#"{"kind":"x","text":"x","integration":"hr"}"#, (400, "request-malformed")),
        (Method::POST, SIGNALS, r#"{"kind":"X","text":"x"}"#, (400, "request-malformed")),
        (Method::POST, SIGNALS, r#"["x"]"#, (400, "request-malformed")),
        (Method::POST, SIGNALS, long.as_str(), (413, "request-too-large")),
        (
            Method::PATCH,
            ANN,
            r#"{"attributes":{"badge":"gold"},"lifecycle":"left"}"#,
            (400, "request-malformed"),
        ),
        (Method::PATCH, ANN, r#"{"attributes":{"badge":{"a":1}}}"#, (400, "request-malformed")),
        (Method::PATCH, "/door/v1/identities/No Name/1", r#"{"attributes":{}}"#, (400, "request-malformed")),
        (Method::PATCH, ANN, r#"{"attributes":{"badge":"gold"}}"#, (403, "identity-authority-missing")),
    ] {
        let refused = bench.refused(method, path, &token, body).await;
        assert_eq!(refused, (expect.0, expect.1.to_owned()), "{path} {}", &body[..body.len().min(60)]);
    }
    bench.running.stop().await.unwrap();
}

#[tokio::test]
async fn who_calls_too_often_is_told_how_long_to_wait() {
    let bench = Bench::start().await;
    let token = bench.partner("badges", 2).await;
    for _ in 0..2 {
        assert_eq!(bench.call(Method::POST, SIGNALS, &token, NOTE).await.status(), StatusCode::CREATED);
    }
    let answer = bench.call(Method::POST, SIGNALS, &token, NOTE).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let after: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&after), "{after}");
    assert_eq!(json_of(answer).await["code"], "too-many-calls");
    bench.running.stop().await.unwrap();
}
