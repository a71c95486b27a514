//! Client credentials from a connector's side: where the token comes from, how long it is used, who sees it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bailiwick_core::{
    digest::Digest,
    id::{IntegrationName, SystemName, Tenant},
    integration::{Integration, Purpose, Role, Standing},
    scope::{Operation, Scope},
    time::SignedDuration,
};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{Broker, Call, Line, Transport, TransportError, TransportErrorKind};
use crate::{
    Effect, ErrorKind,
    seal::{Credential, CredentialScheme, SealContext, SealKey, Secret},
    testkit::{Hands, Seeded},
};

const SECRET: &str = "s3cr3t/+ü";
const TOKEN: &str = "t0ken-of-the-tests";

/// Keeps what was sent; answers tokens from a list and everything else with a status.
struct Wire {
    sent: Mutex<Vec<(String, String, String)>>,
    tokens: Mutex<VecDeque<(u16, String)>>,
    status: Mutex<u16>,
    shown: Mutex<String>,
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: ::http::Request<Bytes>) -> Result<::http::Response<Bytes>, TransportError> {
        self.shown.lock().unwrap().push_str(&format!("{request:?}"));
        let header =
            |name| request.headers().get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
        let auth = header("authorization") + &header("x-auth-token");
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let target = format!("{} {}", request.method(), request.uri());
        self.sent.lock().unwrap().push((target.clone(), auth, body));
        let (status, body) = match target.ends_with("/token") {
            false => (*self.status.lock().unwrap(), "ok".to_owned()),
            true => match self.tokens.lock().unwrap().pop_front() {
                Some(answer) => answer,
                None => {
                    let cause = "gone".to_owned();
                    return Err(TransportError { kind: TransportErrorKind::Timeout, sent: true, cause });
                }
            },
        };
        Ok(::http::Response::builder().status(status).body(body.into()).unwrap())
    }
}

struct Bench {
    wire: Arc<Wire>,
    clock: Arc<Hands>,
    key: Arc<SealKey>,
    broker: Broker,
    integration: Integration,
}

/// A bench whose token endpoint gives these answers, one after the other.
fn bench(settings: Value, tokens: &[(u16, Value)]) -> Bench {
    let tokens = tokens.iter().map(|(status, body)| (*status, body.to_string())).collect();
    let wire = Arc::new(Wire {
        sent: Mutex::default(),
        tokens: Mutex::new(tokens),
        status: Mutex::new(200),
        shown: Mutex::default(),
    });
    let (clock, key) = (Arc::new(Hands::default()), Arc::new(SealKey::generate(&Seeded::new(5))));
    let broker = Broker::new(Tenant::single(), wire.clone(), clock.clone(), key.clone());
    let rules = ["get GET /users/{id}", "update PATCH /users/{id}"].map(|rule| rule.parse().unwrap());
    let integration = Integration {
        name: IntegrationName::new("sso").unwrap(),
        purpose: "sign-on".into(),
        owner: "hr/1".into(),
        backup: "hr/2".into(),
        connector: "rest".into(),
        endpoint: "https://sso.example/admin/realms/acme".into(),
        role: Role::Target { system: SystemName::new("sso").unwrap() },
        scope: Scope { rules: rules.to_vec(), ..Scope::default() },
        settings,
        standing: Standing::Enabled,
        register: Default::default(),
        gates: Default::default(),
        kill: None,
    };
    Bench { wire, clock, key, broker, integration }
}

impl Bench {
    fn line(&self, purpose: Purpose, chance: u64) -> Line {
        let scheme = CredentialScheme::ClientCredentials { client_id: "our client".into() };
        let credential = Credential { scheme, secret: Secret::new(SECRET) };
        let context = SealContext::of(&Tenant::single(), &self.integration, purpose).unwrap();
        let sealed = self.key.seal(&context, &credential, &Seeded::new(chance));
        self.broker.line(&self.integration, purpose, Some(&sealed))
    }

    /// What was sent since the last time, as target and credential.
    fn sent(&self) -> Vec<(String, String)> {
        self.wire.sent.lock().unwrap().drain(..).map(|(target, auth, _)| (target, auth)).collect()
    }

    /// How many tokens were asked for since the last time.
    fn asked(&self) -> usize {
        self.sent().iter().filter(|(target, _)| target.ends_with("/token")).count()
    }
}

fn get() -> Call {
    Call::new(Operation::Get, "GET", "/users/42")
}

fn patch() -> Call {
    Call::new(Operation::Update, "PATCH", "/users/42").body("{}")
}

fn token(n: u32, life: u32) -> (u16, Value) {
    (200, json!({"access_token": format!("{TOKEN}-{n}"), "token_type": "bearer", "expires_in": life}))
}

fn settings() -> Value {
    json!({"token_path": "/realms/acme/token", "token_scope": "read write&x"})
}

#[tokio::test]
async fn a_token_comes_from_the_endpoints_own_host_and_is_shown_instead_of_the_secret() {
    let bench = bench(settings(), &[token(1, 300)]);
    bench.line(Purpose::Write, 6).send(patch()).await.unwrap();
    let sent = bench.wire.sent.lock().unwrap().clone();
    let [asked, call] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(asked.0, "POST https://sso.example:443/realms/acme/token");
    // Each part is in the form encoding before it is in base64 (RFC 6749 §2.3.1).
    assert_eq!(asked.1, "Basic b3VyJTIwY2xpZW50OnMzY3IzdCUyRiUyQiVDMyVCQw==");
    assert_eq!(asked.2, "grant_type=client_credentials&scope=read%20write%26x");
    assert_eq!(call.0, "PATCH https://sso.example:443/admin/realms/acme/users/42");
    assert_eq!(call.1, format!("Bearer {TOKEN}-1"));

    let own = json!({"token_path": "/v3/OS-OAUTH2/token", "token_header": "X-Auth-Token"});
    let bench = self::bench(own, &[token(1, 300)]);
    bench.line(Purpose::Write, 6).send(get()).await.unwrap();
    assert_eq!(bench.sent()[1].1, format!("{TOKEN}-1"));
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_its_end_by_one_purpose_and_one_credential() {
    let tokens: Vec<_> = (1..9).map(|n| token(n, 300)).collect();
    let bench = bench(settings(), &tokens);
    let line = bench.line(Purpose::Write, 6);
    line.send(get()).await.unwrap();
    assert_eq!(bench.asked(), 1);
    // Another line with the same sealed credential has the same token.
    let context = SealContext::of(&Tenant::single(), &bench.integration, Purpose::Write).unwrap();
    assert!(context.origin.contains("sso.example"));
    line.send(patch()).await.unwrap();
    line.clone().send(get()).await.unwrap();
    assert_eq!(bench.asked(), 0);
    bench.line(Purpose::Verify, 6).send(get()).await.unwrap();
    assert_eq!(bench.asked(), 1, "reading back has a token of its own");
    bench.line(Purpose::Write, 7).send(get()).await.unwrap();
    assert_eq!(bench.asked(), 1, "a credential that was set anew gets a new token");
    bench.clock.advance(SignedDuration::from_secs(269));
    bench.line(Purpose::Write, 7).send(get()).await.unwrap();
    assert_eq!(bench.asked(), 0);
    bench.clock.advance(SignedDuration::from_secs(1));
    bench.line(Purpose::Write, 7).send(get()).await.unwrap();
    assert_eq!(bench.asked(), 1, "it would end soon");
}

#[tokio::test]
async fn a_refused_token_is_forgotten_and_nothing_is_sent_twice() {
    let bench = bench(settings(), &[token(1, 300), token(2, 300)]);
    let line = bench.line(Purpose::Write, 6);
    line.send(get()).await.unwrap();
    *bench.wire.status.lock().unwrap() = 401;
    bench.sent();
    for call in [get(), patch()] {
        // The second call is the first with the new token.
        let answer = line.send(call).await.unwrap();
        assert_eq!(answer.status, 401);
        let sent = bench.sent();
        assert_eq!(sent.iter().filter(|(target, _)| target.contains("/users/")).count(), 1, "{sent:?}");
    }
}

#[tokio::test]
async fn without_a_token_nothing_goes_out_and_the_reason_is_said() {
    let refused = |error: &str| json!({"error": error, "error_description": SECRET});
    let plain = settings();
    for (settings, answer, kind, says) in [
        (&plain, Some((401, refused("invalid_client"))), ErrorKind::Unauthorized, "invalid_client"),
        (&plain, Some((400, refused("unauthorized_client"))), ErrorKind::Unauthorized, "unauthorized_client"),
        (&plain, Some((400, refused("invalid_scope"))), ErrorKind::Settings, "invalid_scope"),
        (&plain, Some((404, json!("no"))), ErrorKind::Settings, "404"),
        (&plain, Some((429, json!({}))), ErrorKind::RateLimited, "429"),
        (&plain, Some((503, json!({}))), ErrorKind::SystemFault, "503"),
        (&plain, Some((302, json!({}))), ErrorKind::Malformed, "302"),
        (&plain, Some((200, json!({"token": TOKEN}))), ErrorKind::Malformed, "no token"),
        (
            &plain,
            Some((200, json!({"access_token": TOKEN, "token_type": "mac"}))),
            ErrorKind::Malformed,
            "not a bearer",
        ),
        (&plain, None, ErrorKind::Timeout, "gone"),
        (&json!({}), None, ErrorKind::Settings, "token_path"),
        (&json!({"token_path": "https://evil.example/token"}), None, ErrorKind::Settings, "token_path"),
        (&json!({"token_path": "//evil.example/token"}), None, ErrorKind::Settings, "token_path"),
        (&json!({"token_path": "/a@evil.example/token"}), None, ErrorKind::Settings, "token_path"),
        (&json!({"token_path": "/a\\b"}), None, ErrorKind::Settings, "token_path"),
    ] {
        let answers: Vec<_> = answer.clone().into_iter().collect();
        let bench = bench(settings.clone(), &answers);
        let error = bench.line(Purpose::Write, 6).send(patch()).await.unwrap_err();
        // Nothing was changed even where the answer about the token was lost.
        assert_eq!((error.kind, error.effect), (kind, Effect::None), "{settings} {answer:?} {error}");
        assert!(error.message.contains(says) && !error.message.contains(SECRET), "{error}");
        let sent = bench.sent();
        assert!(
            sent.iter().all(|(target, _)| target == "POST https://sso.example:443/realms/acme/token"),
            "{sent:?}"
        );
    }
}

#[tokio::test]
async fn a_call_that_may_not_go_out_asks_for_no_token() {
    let mut bench = bench(settings(), &[token(1, 300)]);
    bench.integration.scope.writes_per_minute = Some(0);
    let line = bench.line(Purpose::Write, 6);
    assert_eq!(line.send(patch()).await.unwrap_err().kind, ErrorKind::OverBudget);
    let outside = Call::new(Operation::Delete, "DELETE", "/users/42");
    assert_eq!(line.send(outside).await.unwrap_err().kind, ErrorKind::OutOfScope);
    assert!(bench.sent().is_empty());
}

#[tokio::test]
async fn nothing_shows_the_secret_or_the_token() {
    let bench = bench(settings(), &[token(1, 300), (401, json!({"error": "invalid_client"}))]);
    let line = bench.line(Purpose::Write, 6);
    let mut shown = format!("{:?}", line.send(get()).await);
    *bench.wire.status.lock().unwrap() = 401;
    shown += &format!("{:?} {:?}", line.send(get()).await, line.send(patch()).await);
    shown += &format!("{line:?} {:?} {:?}", bench.broker, bench.broker.traffic());
    shown += &bench.wire.shown.lock().unwrap();
    for secret in [SECRET, TOKEN, "b3VyJTIwY2xpZW50", "s3cr3t"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}

#[test]
fn an_address_of_an_answer_is_followed_only_below_the_endpoint() {
    let bench = bench(settings(), &[]);
    let line = bench.line(Purpose::Write, 6);
    for (address, expect) in [
        ("https://sso.example/admin/realms/acme/users?page=2", Some(("/users", "page=2"))),
        ("HTTPS://SSO.example:443/admin/realms/acme/users", Some(("/users", ""))),
        ("/admin/realms/acme/users?a=b", Some(("/users", "a=b"))),
        ("http://sso.example/admin/realms/acme/users", None),
        ("https://sso.example:8443/admin/realms/acme/users", None),
        ("https://sso.example.evil/admin/realms/acme/users", None),
        ("https://sso.example@evil.example/admin/realms/acme/users", None),
        ("https://sso.example/admin/realms/other/users", None),
        ("https://sso.example/admin/realms/acmeusers", None),
        ("//evil.example/admin/realms/acme/users", None),
        ("users?page=2", None),
        ("", None),
    ] {
        let expect = expect.map(|(path, query)| (path.to_owned(), query.to_owned()));
        assert_eq!(line.below(address), expect, "{address}");
    }
}

#[tokio::test]
async fn a_token_is_no_answer_of_a_reading() {
    let bench = bench(settings(), &[token(1, 300)]);
    let (line, heard) = bench.line(Purpose::Verify, 6).heard();
    let answer = line.send(get()).await.unwrap();
    assert_eq!(bench.asked(), 1);
    assert_eq!(heard.digest(), Digest::of(&answer.digest().0));
}
