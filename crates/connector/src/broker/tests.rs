//! The broker from a connector's side: what is sent, what is refused before it is sent, and what is counted.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    sync::Mutex,
};

use async_trait::async_trait;
use bailiwick_core::{
    authority::Class,
    gate::{Permit, Shut},
    integration::{Control, Role, Standing},
    scope::Scope,
    time::SignedDuration,
};
use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::{
    Effect, ErrorKind,
    seal::{Credential, CredentialScheme, SealContext, Secret},
    testkit::{Hands, Seeded},
};

mod folder;
mod heard;

const SECRET: &str = "s3cr3t-t0ken";

/// Keeps what was sent and answers 200, or what it is told.
#[derive(Default)]
struct Wire {
    sent: Mutex<Vec<::http::Request<Bytes>>>,
    fail: Mutex<Option<TransportError>>,
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: ::http::Request<Bytes>) -> Result<::http::Response<Bytes>, TransportError> {
        self.sent.lock().unwrap().push(request);
        match self.fail.lock().unwrap().clone() {
            Some(error) => Err(error),
            None => {
                Ok(::http::Response::builder().header("ETag", "v1").body(Bytes::from_static(b"ok")).unwrap())
            }
        }
    }
}

struct Bench {
    wire: Arc<Wire>,
    clock: Arc<Hands>,
    key: Arc<SealKey>,
    broker: Broker,
    integration: Integration,
}

fn bench() -> Bench {
    let (wire, clock, key) =
        (Arc::new(Wire::default()), Arc::new(Hands::default()), Arc::new(SealKey::generate(&Seeded::new(5))));
    let broker = Broker::new(Tenant::single(), wire.clone(), clock.clone(), key.clone());
    let rules =
        ["list GET /Users", "get GET /Users/{id}", "update PATCH /Users/{id}", "list POST /Users/.search"];
    let integration = Integration {
        name: IntegrationName::new("chat").unwrap(),
        purpose: "provision chat".into(),
        owner: "hr/1".into(),
        backup: "hr/2".into(),
        connector: "scim".into(),
        endpoint: "https://chat.example/scim/v2".into(),
        role: Role::Target { system: bailiwick_core::id::SystemName::new("chat").unwrap() },
        scope: Scope { rules: rules.map(|r| r.parse().unwrap()).to_vec(), ..Scope::default() },
        settings: json!({}),
        standing: Standing::Enabled,
        register: Default::default(),
        gates: Default::default(),
        kill: None,
    };
    Bench { wire, clock, key, broker, integration }
}

impl Bench {
    fn sealed(&self, purpose: Purpose) -> Sealed {
        let context = SealContext::of(&Tenant::single(), &self.integration, purpose).unwrap();
        self.key.seal(&context, &Credential::bearer(Secret::new(SECRET)), &Seeded::new(6))
    }

    fn line(&self, purpose: Purpose) -> Line {
        self.broker.line(&self.integration, purpose, Some(&self.sealed(purpose)))
    }

    fn sent(&self) -> usize {
        self.wire.sent.lock().unwrap().len()
    }
}

fn patch() -> Call {
    Call::new(Operation::Update, "PATCH", "/Users/42").body("{}")
}

fn get() -> Call {
    Call::new(Operation::Get, "GET", "/Users/42")
}

#[tokio::test]
async fn a_call_in_scope_goes_to_the_endpoint_with_the_credential() {
    let bench = bench();
    let call =
        Call::new(Operation::List, "GET", "/Users").query("filter", "a eq \"b&c\"").header("accept", "x/y");
    let answer = bench.line(Purpose::Write).send(call).await.unwrap();
    assert_eq!((answer.status, answer.header("etag"), &answer.body[..]), (200, Some("v1"), &b"ok"[..]));
    let sent = bench.wire.sent.lock().unwrap();
    let request = &sent[0];
    assert_eq!(request.uri(), "https://chat.example:443/scim/v2/Users?filter=a%20eq%20%22b%26c%22");
    assert_eq!(request.method(), "GET");
    assert_eq!(request.headers()["accept"], "x/y");
    assert_eq!(request.headers()["authorization"], format!("Bearer {SECRET}"));
    assert!(request.headers()["authorization"].is_sensitive());
    assert!(!format!("{request:?}").contains(SECRET));
}

#[tokio::test]
async fn a_call_outside_is_not_sent_is_recorded_and_stops_the_integration() {
    let calls = [
        Call::new(Operation::Delete, "DELETE", "/Users/ann.smith"),
        Call::new(Operation::Update, "PUT", "/Users/ann.smith"),
        Call::new(Operation::Get, "GET", "/Groups/ann.smith"),
        Call::new(Operation::Get, "GET", "/Users/../Groups"),
        Call::new(Operation::Get, "GET", "/Users/%2e%2e"),
        Call::new(Operation::Get, "GET", "//evil.example/Users"),
        Call::new(Operation::Get, "GET", "/Users/1?x=ann.smith"),
        Call::new(Operation::Get, "GET", "@evil.example/Users"),
        Call::new(Operation::Delete, "PATCH", "/Users/ann.smith"),
        get().header("Host", "evil.example"),
        get().header("x-http-method-override", "DELETE"),
        get().header("AUTHORIZATION", "Bearer mine"),
    ];
    for call in calls {
        let bench = bench();
        let other = Integration { name: IntegrationName::new("mail").unwrap(), ..bench.integration.clone() };
        // The credential cannot be opened; a call outside must not even try.
        let foreign = SealKey::generate(&Seeded::new(99));
        let context = SealContext::of(&Tenant::single(), &bench.integration, Purpose::Write).unwrap();
        let sealed = foreign.seal(&context, &Credential::bearer(Secret::new(SECRET)), &Seeded::new(6));
        let line = bench.broker.line(&bench.integration, Purpose::Write, Some(&sealed));
        let error = line.send(call.clone()).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::OutOfScope, Effect::None), "{call:?}");
        assert!(!error.message.contains("ann.smith"), "{error}");

        for line in [line, bench.line(Purpose::Write), bench.line(Purpose::Verify)] {
            assert_eq!(line.send(get()).await.unwrap_err().kind, ErrorKind::Quarantined, "{call:?}");
        }
        assert_eq!(bench.sent(), 0, "{call:?}");
        let incidents = bench.broker.incidents();
        assert_eq!(incidents.len(), 1, "{call:?}");
        assert_eq!(
            (incidents[0].operation, incidents[0].method, &incidents[0].called),
            (call.operation, call.method, &call.path)
        );
        assert!(!incidents[0].path.contains("ann.smith"), "{incidents:?}");
        assert_eq!(incidents[0].at, bench.clock.now());
        assert!(bench.broker.incidents().is_empty());

        let sealed = {
            let context = SealContext::of(&Tenant::single(), &other, Purpose::Write).unwrap();
            bench.key.seal(&context, &Credential::bearer(Secret::new(SECRET)), &Seeded::new(7))
        };
        bench.broker.line(&other, Purpose::Write, Some(&sealed)).send(get()).await.unwrap();
        bench.broker.release(&bench.integration.name);
        bench.line(Purpose::Write).send(get()).await.unwrap();
        assert_eq!(bench.sent(), 2, "{call:?}");
    }
}

#[tokio::test]
async fn a_line_for_reading_does_not_write() {
    let bench = bench();
    let lines = [
        bench.line(Purpose::Read),
        bench.line(Purpose::Verify),
        // Also where there is no other credential than the writer's.
        bench.line(Purpose::Write).reading(),
    ];
    for line in lines {
        line.send(get()).await.unwrap();
        line.send(Call::new(Operation::List, "POST", "/Users/.search")).await.unwrap();
        for call in [patch(), Call::new(Operation::Delete, "PATCH", "/Users/42")] {
            let error = line.send(call).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::OutOfScope, "{line:?}");
            bench.broker.release(&bench.integration.name);
        }
    }
    assert_eq!((bench.sent(), bench.broker.incidents().len()), (6, 6));
    bench.line(Purpose::Write).send(patch()).await.unwrap();
}

#[tokio::test]
async fn a_line_does_no_more_than_was_approved() {
    let at = bench().clock.now();
    let open = || Permit { reads: Ok(()), writes: Ok(()) };
    let no_writes = |shut| Permit { reads: Ok(()), writes: Err(shut) };
    let nothing = |shut: Shut| Permit { reads: Err(shut.clone()), writes: Err(shut) };
    let understated = Shut::Understated { declared: Class::Advisory, computed: Class::Authoritative };
    for (permit, read, write) in [
        (open(), None, None),
        (no_writes(Shut::NoAuthority), None, Some("identity-authority-missing")),
        (no_writes(Shut::Void), None, Some("certification-void")),
        (no_writes(Shut::Paused(Control::Review)), None, Some("review-overdue")),
        (no_writes(Shut::Paused(Control::Owner)), None, Some("owner-missing")),
        (no_writes(Shut::Paused(Control::Rotation)), None, Some("rotation-overdue")),
        (no_writes(Shut::Paused(Control::Drill)), None, Some("drill-failed")),
        (
            nothing(Shut::NotApproved),
            Some("integration-approval-missing"),
            Some("integration-approval-missing"),
        ),
        (
            nothing(Shut::Incomplete(vec!["vendor"])),
            Some("integration-incomplete"),
            Some("integration-incomplete"),
        ),
        (nothing(understated), Some("integration-understated"), Some("integration-understated")),
        (nothing(Shut::Ended(at)), Some("integration-ended"), Some("integration-ended")),
        (
            nothing(Shut::Quarantined("it".into())),
            Some("integration-quarantined"),
            Some("integration-quarantined"),
        ),
    ] {
        for (call, code) in [(get(), read), (patch(), write)] {
            let bench = bench();
            let sent = bench.line(Purpose::Write).under(permit.clone()).send(call).await;
            match (&sent, code) {
                (Ok(_), None) => assert_eq!(bench.sent(), 1, "{permit:?}"),
                (Err(error), Some(code)) => {
                    let kind = if code == "integration-quarantined" {
                        ErrorKind::Quarantined
                    } else {
                        ErrorKind::Shut
                    };
                    assert_eq!(
                        (error.kind, error.code(), error.effect),
                        (kind, code, Effect::None),
                        "{permit:?}"
                    );
                    assert_eq!(bench.sent(), 0, "{permit:?}");
                }
                (got, expect) => panic!("{permit:?}: {got:?}, expected {expect:?}"),
            }
            // What nobody approved is not the integration's trespass: it stays as it stands.
            assert!(bench.broker.incidents().is_empty(), "{permit:?}");
            bench.line(Purpose::Write).send(get()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_approval_does_not_make_the_scope_wider_nor_start_what_was_stopped() {
    let bench = bench();
    let permit = Permit { reads: Ok(()), writes: Ok(()) };
    let line = bench.line(Purpose::Write).under(permit);
    let error = line.send(Call::new(Operation::Delete, "DELETE", "/Users/42")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutOfScope);
    assert_eq!(line.send(get()).await.unwrap_err().kind, ErrorKind::Quarantined);
    bench.broker.release(&bench.integration.name);
    // A line that may read and not write does not have its write taken for one outside of the scope.
    let shut = Permit { reads: Ok(()), writes: Err(Shut::NoAuthority) };
    let line = bench.line(Purpose::Write).under(shut);
    line.send(get()).await.unwrap();
    assert_eq!(line.send(patch()).await.unwrap_err().kind, ErrorKind::Shut);
    line.send(get()).await.unwrap();
    assert_eq!(bench.sent(), 2);
}

#[tokio::test]
async fn an_integration_that_is_stopped_sends_nothing() {
    let mut bench = bench();
    bench.broker.stop(&bench.integration.name, "somebody pulled the plug");
    let error = bench.line(Purpose::Write).send(get()).await.unwrap_err();
    assert!(error.kind == ErrorKind::Quarantined && error.message.contains("pulled the plug"), "{error}");
    bench.broker.release(&bench.integration.name);
    let (since, reason) = (bench.clock.now(), "it went outside".to_owned());
    bench.integration.standing = Standing::Quarantined { since, reason };
    let error = bench.line(Purpose::Write).send(get()).await.unwrap_err();
    assert!(error.kind == ErrorKind::Quarantined && error.message.contains("went outside"), "{error}");
    assert_eq!(bench.sent(), 0);
}

#[tokio::test]
async fn writes_have_a_budget_and_reads_have_none() {
    let mut bench = bench();
    bench.integration.scope.writes_per_minute = Some(2);
    let (one, two) = (bench.line(Purpose::Write), bench.line(Purpose::Write));
    one.send(patch()).await.unwrap();
    bench.clock.advance(SignedDuration::from_secs(10));
    two.send(patch()).await.unwrap();
    for line in [&one, &two] {
        let error = line.send(patch()).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::OverBudget, Effect::None));
        assert_eq!(error.retry_after, Some(Duration::from_secs(50)));
        line.send(get()).await.unwrap();
    }
    bench.clock.advance(SignedDuration::from_secs(50));
    one.send(patch()).await.unwrap();
    assert_eq!(bench.sent(), 5);
    assert!(bench.broker.incidents().is_empty());
}

#[tokio::test]
async fn without_the_right_credential_nothing_is_sent() {
    let mut bench = bench();
    let sealed = bench.sealed(Purpose::Write);
    let foreign = SealKey::generate(&Seeded::new(99));
    let context = SealContext::of(&Tenant::single(), &bench.integration, Purpose::Write).unwrap();
    let other = foreign.seal(&context, &Credential::bearer(Secret::new(SECRET)), &Seeded::new(6));
    let moved = Integration { endpoint: "https://evil.example/scim/v2".into(), ..bench.integration.clone() };
    let renamed = Integration { name: IntegrationName::new("mail").unwrap(), ..bench.integration.clone() };
    let split = bench.key.seal(&context, &Credential::bearer(Secret::new("two\r\nx: y")), &Seeded::new(6));
    for (integration, purpose, sealed, code) in [
        (&bench.integration, Purpose::Write, None, "is missing"),
        (&bench.integration, Purpose::Write, Some(&other), "seal-wrong-key"),
        (&bench.integration, Purpose::Verify, Some(&sealed), "seal-context"),
        (&moved, Purpose::Write, Some(&sealed), "seal-context"),
        (&renamed, Purpose::Write, Some(&sealed), "seal-context"),
        (&bench.integration, Purpose::Write, Some(&split), "line breaks"),
    ] {
        let error = bench.broker.line(integration, purpose, sealed).send(get()).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::NoCredential, Effect::None), "{code}");
        assert!(error.message.contains(code), "{error}");
    }
    assert_eq!(bench.sent(), 0);
    bench.integration.settings = json!({"auth": "none", "page": 3});
    bench.broker.line(&bench.integration, Purpose::Write, Some(&sealed)).send(get()).await.unwrap();
    assert!(!bench.wire.sent.lock().unwrap()[0].headers().contains_key("authorization"));
}

#[tokio::test]
async fn a_bad_endpoint_or_setting_is_said_without_its_password() {
    for (endpoint, settings, says) in [
        ("http://chat.example/", json!({}), "allow_plaintext"),
        ("https://ann:pa55word@chat.example/", json!({}), "user or a password"),
        ("gopher://pa55word", json!({}), "is not an"),
        ("https://chat.example/", json!({"auth": "maybe"}), "auth"),
        ("https://chat.example/", json!({"allow_plaintext": "yes"}), "allow_plaintext"),
    ] {
        let mut bench = bench();
        let sealed = bench.sealed(Purpose::Write);
        (bench.integration.endpoint, bench.integration.settings) = (endpoint.into(), settings);
        let error = bench
            .broker
            .line(&bench.integration, Purpose::Write, Some(&sealed))
            .send(get())
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Settings, "{endpoint}");
        assert!(error.message.contains(says) && !error.message.contains("pa55word"), "{error}");
        assert_eq!(bench.sent(), 0);
    }
    let settings = json!({"auth": "none", "allow_plaintext": true, "file": "x"});
    let (ours, rest) = LineSettings::split(&settings).unwrap();
    assert_eq!(
        (ours, rest),
        (
            LineSettings { auth: Auth::None, allow_plaintext: true, ..LineSettings::default() },
            json!({"file": "x"})
        )
    );
}

#[tokio::test]
async fn only_a_write_that_may_have_arrived_is_unknown() {
    use TransportErrorKind::{Broken, Timeout, TooLarge, Unreachable};
    for (kind, sent, call, effect, expect) in [
        (Unreachable, false, patch(), Effect::None, ErrorKind::Unreachable),
        (Timeout, false, patch(), Effect::None, ErrorKind::Timeout),
        (Timeout, true, patch(), Effect::Unknown, ErrorKind::Timeout),
        (Broken, true, patch(), Effect::Unknown, ErrorKind::Unreachable),
        (TooLarge, true, patch(), Effect::Unknown, ErrorKind::Malformed),
        (Timeout, true, get(), Effect::None, ErrorKind::Timeout),
        (
            Broken,
            true,
            Call::new(Operation::List, "POST", "/Users/.search"),
            Effect::None,
            ErrorKind::Unreachable,
        ),
    ] {
        let bench = bench();
        *bench.wire.fail.lock().unwrap() = Some(TransportError { kind, sent, cause: "because".into() });
        let error = bench.line(Purpose::Write).send(call).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (expect, effect), "{kind:?} {sent}");
        assert!(
            error.message.contains("because") && error.message.contains("https://chat.example:443"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn traffic_is_counted() {
    let bench = bench();
    let line = bench.line(Purpose::Write);
    line.send(get()).await.unwrap();
    let answer = line.send(patch()).await.unwrap();
    *bench.wire.fail.lock().unwrap() =
        Some(TransportError { kind: TransportErrorKind::Timeout, sent: true, cause: String::new() });
    line.send(patch()).await.unwrap_err();
    let expect = Traffic {
        calls: 3,
        writes: 2,
        unanswered: 1,
        received: 4,
        waited: Duration::ZERO,
        last_write: Some(answer.digest()),
    };
    assert_eq!(bench.broker.traffic()[&bench.integration.name], expect);
}

#[tokio::test]
async fn nothing_shows_the_secret() {
    let bench = bench();
    let schemes = [
        CredentialScheme::Bearer,
        CredentialScheme::Basic { user: "svc".into() },
        CredentialScheme::Header { name: "x-api-key".into() },
    ];
    for scheme in schemes {
        let context = SealContext::of(&Tenant::single(), &bench.integration, Purpose::Write).unwrap();
        let sealed =
            bench.key.seal(&context, &Credential { scheme, secret: Secret::new(SECRET) }, &Seeded::new(8));
        let line = bench.broker.line(&bench.integration, Purpose::Write, Some(&sealed));
        let answer = line.send(patch()).await.unwrap();
        let mut shown =
            format!("{line:?} {sealed:?} {answer:?} {:?} {:?}", bench.broker, bench.broker.traffic());
        *bench.wire.fail.lock().unwrap() =
            Some(TransportError { kind: TransportErrorKind::Timeout, sent: true, cause: "slow".into() });
        shown += &format!("{:?}", line.send(patch()).await);
        *bench.wire.fail.lock().unwrap() = None;
        shown += &format!("{:?}", line.send(Call::new(Operation::Delete, "DELETE", "/x")).await);
        shown += &format!("{:?} {:?}", bench.broker.incidents(), line.send(get()).await);
        bench.broker.release(&bench.integration.name);
        for request in bench.wire.sent.lock().unwrap().drain(..) {
            shown += &format!("{request:?}");
        }
        // The secret itself, and `svc:` with it in base64.
        assert!(!shown.contains(SECRET) && !shown.contains("c3ZjOnMzY3IzdC10MGtlbg"), "{shown}");
    }
}

/// Takes one connection, reads the head of a request, and does with it as it is told.
fn server(then: impl FnOnce(std::net::TcpStream) + Send + 'static) -> (String, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
            head.push(byte[0]);
        }
        then(stream);
    });
    (address, serving)
}

#[tokio::test]
async fn http_says_what_was_lost_and_follows_nothing() {
    let limits = |overall| HttpLimits { connect: Duration::from_secs(30), overall, body: 64 };
    let calm = HttpTransport::new(&limits(Duration::from_secs(30))).unwrap();
    let hasty = HttpTransport::new(&limits(Duration::from_millis(100))).unwrap();
    let send = async |transport: &HttpTransport, address: &str| {
        let request = ::http::Request::post(address).body(Bytes::from_static(b"{}")).unwrap();
        transport.send(request).await
    };
    let say = |text: &'static str| {
        move |mut stream: std::net::TcpStream| {
            let _ = stream.write_all(text.as_bytes());
        }
    };
    type Fails = Result<(u16, &'static str), (TransportErrorKind, bool)>;
    let cases: [(&'static str, Fails); 5] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", Ok((200, "hi"))),
        ("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", Ok((302, ""))),
        ("", Err((TransportErrorKind::Broken, true))),
        ("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhi", Err((TransportErrorKind::Broken, true))),
        ("HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\nhi", Err((TransportErrorKind::TooLarge, true))),
    ];
    for (text, expect) in cases {
        let (address, serving) = server(say(text));
        let got = send(&calm, &address).await;
        serving.join().unwrap();
        match (got, expect) {
            (Ok(response), Ok((status, body))) => {
                assert_eq!((response.status().as_u16(), &response.body()[..]), (status, body.as_bytes()));
            }
            (Err(error), Err(expect)) => {
                assert_eq!((error.kind, error.sent), expect, "{text}: {error}");
                assert!(!error.cause.contains("127.0.0.1"), "{error}");
            }
            (got, expect) => panic!("{text}: {got:?}, expected {expect:?}"),
        }
    }
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let (address, serving) = server(move |stream| {
        let _ = wait.recv();
        drop(stream);
    });
    let error = send(&hasty, &address).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (TransportErrorKind::Timeout, true));
    done.send(()).unwrap();
    serving.join().unwrap();

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = send(&calm, &format!("http://{closed}/")).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (TransportErrorKind::Unreachable, false), "{error}");
}
