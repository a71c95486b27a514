//! The wire from a connector's side: what goes out, what broken servers come to, which connection is used.

use std::{
    io::{Read, Write as _},
    net::{TcpListener, TcpStream},
    sync::Mutex,
    thread,
    time::Duration,
};

use bailiwick_core::{
    id::{IntegrationName, SystemName, Tenant},
    integration::{Integration, Purpose, Role, Standing},
    scope::Scope,
};
use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::{
    Broker, Effect,
    broker::{Transport, TransportErrorKind},
    seal::{SealContext, SealKey},
    testkit::{Hands, Seeded},
};

const HUB: &str = "cn=hub,dc=x";
const SECRET: &str = "s3cr3t";

struct NoWeb;

#[async_trait]
impl Transport for NoWeb {
    async fn send(&self, _: ::http::Request<Bytes>) -> Result<::http::Response<Bytes>, TransportError> {
        panic!("a directory is not asked over HTTP")
    }
}

fn integration(endpoint: &str, settings: serde_json::Value) -> Integration {
    let rules = [
        "list SEARCH ou=people,dc=x",
        "update MODIFY ou=people,dc=x",
        "delete REMOVE ou=people,dc=x",
        "issue MODIFY ou=canaries,dc=x",
        "try BIND ou=canaries,dc=x",
    ];
    Integration {
        name: IntegrationName::new("dir").unwrap(),
        purpose: "test".into(),
        owner: "hr/1".into(),
        backup: "hr/2".into(),
        connector: "ldap".into(),
        endpoint: endpoint.into(),
        role: Role::Target { system: SystemName::new("dir").unwrap() },
        scope: Scope {
            rules: rules.map(|r| r.parse().unwrap()).to_vec(),
            writes_per_minute: Some(2),
            ..Scope::default()
        },
        settings,
        standing: Standing::Enabled,
        register: Default::default(),
        gates: Default::default(),
        kill: None,
    }
}

fn sealed_line(directory: Arc<dyn Directory>, integration: &Integration, purpose: Purpose) -> Line {
    let key = Arc::new(SealKey::generate(&Seeded::new(1)));
    let context = SealContext::of(&Tenant::single(), integration, purpose).unwrap();
    let scheme = CredentialScheme::Basic { user: HUB.into() };
    let credential = Credential { scheme, secret: Secret::new(SECRET) };
    let sealed = key.seal(&context, &credential, &Seeded::new(2));
    let broker = Broker::new(Tenant::single(), Arc::new(NoWeb), Arc::new(Hands::default()), key);
    broker.with_directory(directory).line(integration, purpose, Some(&sealed))
}

fn dn(text: &str) -> Dn {
    text.parse().unwrap()
}

async fn list(line: &Line, base: &Dn, page: Option<u64>) -> Result<Answered> {
    let filter = Filter::Present("uid".into());
    let controls = [Control::Page { size: 1, cookie: if page.is_some() { b"next" } else { b"" } }];
    let search = Search {
        operation: Operation::List,
        base: Base::Entry(base),
        depth: Depth::Subtree,
        filter: &filter,
        attributes: &["uid"],
        controls: &controls,
        connection: page,
    };
    line.search(&search, &mut |_| {}).await
}

async fn retitle(line: &Line, target: &str) -> Result<Answered> {
    let edits = [Edit::Replace("title", vec![b"x".to_vec()])];
    let target = dn(target);
    let change = Change::Modify(&edits);
    line.write(&super::Write { operation: Operation::Update, target: &target, change, controls: &[] }).await
}

/// What a scripted server does with a message after it has read it.
enum Step {
    Say(Vec<u8>),
    Close,
    Keep,
}

/// A message with this number: a result with a code.
fn result(id: u8, tag: u8, code: u8) -> Vec<u8> {
    vec![0x30, 0x0c, 2, 1, id, tag, 7, 0x0a, 1, code, 4, 0, 4, 0]
}

fn read_message(stream: &mut TcpStream) -> bool {
    let mut read = Vec::new();
    let mut byte = [0];
    loop {
        match ber::whole(&read) {
            Ok(Some(length)) if length == read.len() => return true,
            _ => match stream.read(&mut byte) {
                Ok(1) => read.push(byte[0]),
                _ => return false,
            },
        }
    }
}

/// A server that does these things with the messages of its one connection, in order.
fn server(steps: Vec<Step>) -> (String, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("ldap://{}", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for step in steps {
            if !read_message(&mut stream) {
                return;
            }
            match step {
                Step::Say(bytes) => stream.write_all(&bytes).unwrap(),
                Step::Close => return,
                // Until the other side has had enough.
                Step::Keep => drop(stream.read(&mut [0])),
            }
        }
    });
    (endpoint, served)
}

fn sockets() -> Arc<dyn Directory> {
    let silence = Duration::from_millis(100);
    Arc::new(Sockets::new(SocketLimits { silence, message: 1_000, ..SocketLimits::default() }))
}

#[tokio::test]
async fn a_write_without_an_answer_may_have_happened_and_a_read_has_not() {
    let bound = || Step::Say(result(1, 0x61, 0));
    let huge = [&[0x30, 0x84, 0, 1, 0, 0][..], &[0; 64]].concat();
    let ends: [(fn() -> Step, ErrorKind); 2] =
        [(|| Step::Close, ErrorKind::Unreachable), (|| Step::Keep, ErrorKind::Timeout)];
    let says: [(Vec<u8>, ErrorKind); 6] = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), ErrorKind::Unreachable),
        (result(9, 0x65, 0), ErrorKind::Unreachable),
        // A notice of disconnection (RFC 4511 §4.4.1).
        (result(0, 0x78, 52), ErrorKind::Unreachable),
        (vec![0x30, 3, 2, 1, 2], ErrorKind::Unreachable),
        (vec![0x30, 0x80], ErrorKind::Unreachable),
        (huge, ErrorKind::Malformed),
    ];
    let ends = ends.into_iter().map(|(step, kind)| (vec![bound(), step()], kind));
    let says = says.into_iter().map(|(bytes, kind)| (vec![bound(), Step::Say(bytes)], kind));
    let mut scripts: Vec<(Vec<Step>, ErrorKind)> = ends.chain(says).collect();
    for write in [false, true] {
        for (steps, kind) in &mut scripts {
            let again = steps.iter().map(|step| match step {
                Step::Say(bytes) => Step::Say(bytes.clone()),
                Step::Close => Step::Close,
                Step::Keep => Step::Keep,
            });
            let (endpoint, served) = server(again.collect());
            let line = sealed_line(sockets(), &integration(&endpoint, json!({})), Purpose::Write);
            let error = match write {
                true => retitle(&line, "uid=a,ou=people,dc=x").await.unwrap_err(),
                false => list(&line, &dn("ou=people,dc=x"), None).await.unwrap_err(),
            };
            let effect = if write { Effect::Unknown } else { Effect::None };
            assert_eq!((error.kind, error.effect), (*kind, effect), "{error}");
            drop(line);
            served.join().unwrap();
        }
    }
}

#[tokio::test]
async fn what_fails_before_the_write_went_out_had_no_effect() {
    for (steps, kind) in [
        (vec![Step::Close], ErrorKind::Unreachable),
        (vec![Step::Keep], ErrorKind::Timeout),
        (vec![Step::Say(result(1, 0x61, 49))], ErrorKind::Unauthorized),
        (vec![Step::Say(result(1, 0x61, 13))], ErrorKind::Settings),
        (vec![Step::Say(result(1, 0x61, 51))], ErrorKind::RateLimited),
    ] {
        let (endpoint, served) = server(steps);
        let line = sealed_line(sockets(), &integration(&endpoint, json!({})), Purpose::Write);
        let error = retitle(&line, "uid=a,ou=people,dc=x").await.unwrap_err();
        assert_eq!((error.kind, error.effect), (kind, Effect::None), "{error}");
        assert!(!error.message.contains(SECRET), "{error}");
        served.join().unwrap();
    }
}

#[tokio::test]
async fn what_follows_start_tls_in_clear_is_not_read() {
    let said = [result(1, 0x78, 0), result(2, 0x61, 0)].concat();
    let (endpoint, served) = server(vec![Step::Say(said)]);
    let line = sealed_line(sockets(), &integration(&endpoint, json!({"start_tls": true})), Purpose::Write);
    let error = list(&line, &dn("ou=people,dc=x"), None).await.unwrap_err();
    assert!(error.kind == ErrorKind::Unreachable && error.message.contains("TLS"), "{error}");
    drop(line);
    served.join().unwrap();
}

/// An entry with this name and the end of the search, both in messages with this number.
fn found(id: u8, name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    ber::put(&mut out, ber::SEQUENCE, |out| {
        ber::integer(out, ber::INTEGER, id.into());
        ber::octets(out, 0x64, &entry(name, &[("uid".to_owned(), vec![b"a".to_vec()])]));
    });
    [out, result(id, 0x65, 0)].concat()
}

#[tokio::test]
async fn what_is_heard_of_a_search_is_what_it_shows() {
    let (ann, bob) = ("uid=ann,ou=people,dc=x", "uid=bob,ou=people,dc=x");
    let (endpoint, served) = server(vec![
        Step::Say(result(1, 0x61, 0)),
        Step::Say(found(2, ann)),
        Step::Say(found(3, ann)),
        Step::Say(found(4, bob)),
        Step::Say(result(5, 0x65, 0)),
    ]);
    let line = sealed_line(sockets(), &integration(&endpoint, json!({})), Purpose::Write);
    let mut digests = Vec::new();
    for _ in 0..4 {
        let (line, heard) = line.heard();
        list(&line, &dn("ou=people,dc=x"), None).await.unwrap();
        digests.push(heard.digest());
    }
    drop(line);
    served.join().unwrap();
    assert_eq!(digests[0], digests[1], "the number of a message is not what was answered");
    digests.dedup();
    assert_eq!(digests.len(), 3, "another entry is another answer, and none is another one: {digests:?}");
}

/// A directory that answers everything with success, counts connections, and can stop answering.
#[derive(Default)]
struct Counting {
    opened: Mutex<u64>,
    said: Mutex<Vec<String>>,
    hangs: Mutex<bool>,
    more: Mutex<bool>,
}

struct Counted(Arc<Counting>);

#[async_trait]
impl Directory for Arc<Counting> {
    async fn open(&self, _: &Address) -> Result<Box<dyn Connection>, TransportError> {
        *self.opened.lock().unwrap() += 1;
        Ok(Box::new(Counted(self.clone())))
    }
}

#[async_trait]
impl Connection for Counted {
    fn usable(&mut self) -> bool {
        true
    }
    async fn bind(&mut self, name: &str, secret: &[u8]) -> Result<Answered, TransportError> {
        assert!(!secret.is_empty());
        self.0.said.lock().unwrap().push(format!("bind {name}"));
        Ok(Answered::default())
    }
    async fn search(&mut self, _: &Search<'_>, _: Show<'_>) -> Result<Answered, TransportError> {
        if *self.0.hangs.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        self.0.said.lock().unwrap().push("search".into());
        let next_page = self.0.more.lock().unwrap().then(|| b"next".to_vec());
        Ok(Answered { next_page, ..Answered::default() })
    }
    async fn write(&mut self, write: &super::Write<'_>) -> Result<Answered, TransportError> {
        self.0.said.lock().unwrap().push(format!("write {}", write.target));
        Ok(Answered::default())
    }
    async fn set_password(
        &mut self,
        target: &Dn,
        _: &[u8],
        _: PasswordForm,
    ) -> Result<Answered, TransportError> {
        self.0.said.lock().unwrap().push(format!("password {target}"));
        Err(TransportError { kind: TransportErrorKind::Broken, sent: true, cause: "x".into() })
    }
}

fn counted(purpose: Purpose) -> (Arc<Counting>, Line) {
    let counting = Arc::new(Counting::default());
    let line = sealed_line(Arc::new(counting.clone()), &integration("ldaps://x", json!({})), purpose);
    (counting, line)
}

#[tokio::test]
async fn a_call_outside_of_the_scope_is_not_sent_and_stops_the_integration() {
    let canary = |user: &str| Credential {
        scheme: CredentialScheme::Basic { user: user.into() },
        secret: Secret::new("x"),
    };
    for case in 0..8 {
        let purpose = if case == 7 { Purpose::Verify } else { Purpose::Write };
        let (counting, line) = counted(purpose);
        let people = dn("uid=ann.smith,ou=people,dc=x");
        let write =
            |change| super::Write { operation: Operation::Update, target: &people, change, controls: &[] };
        let error = match case {
            0 => retitle(&line, "uid=ann.smith,ou=admins,dc=x").await.map(drop),
            1 => retitle(&line, "uid=ann.smith\\,ou\\=people,dc=x").await.map(drop),
            2 => line.write(&write(Change::Remove)).await.map(drop),
            3 => list(&line, &dn("dc=x"), None).await.map(drop),
            4 => line.bind_as(&canary("uid=ann.smith,ou=people,dc=x")).await.map(drop),
            5 => line.bind_as(&canary("not a name")).await.map(drop),
            6 => {
                let form = PasswordForm::Extended;
                line.set_password(&people, &Secret::new("x"), form).await.map(drop)
            }
            _ => retitle(&line, "uid=ann.smith,ou=people,dc=x").await.map(drop),
        };
        let error = error.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::OutOfScope, Effect::None), "{case}");
        assert!(!error.message.contains("ann.smith"), "{error}");
        let after = list(&line, &dn("ou=people,dc=x"), None).await.unwrap_err();
        assert_eq!((after.kind, counting.said.lock().unwrap().len()), (ErrorKind::Quarantined, 0), "{case}");
    }
}

#[tokio::test]
async fn one_connection_serves_one_request_after_the_other_and_a_listing_keeps_its_own() {
    let (counting, line) = counted(Purpose::Write);
    let people = dn("ou=people,dc=x");
    for _ in 0..3 {
        list(&line, &people, None).await.unwrap();
    }
    assert_eq!(*counting.opened.lock().unwrap(), 1);
    *counting.more.lock().unwrap() = true;
    let first = list(&line.clone(), &people, None).await.unwrap().connection;
    let second = list(&line, &people, None).await.unwrap().connection;
    assert_ne!(first, second);
    *counting.more.lock().unwrap() = false;
    for connection in [second, first] {
        assert_eq!(list(&line, &people, Some(connection)).await.unwrap().connection, connection);
    }
    assert_eq!(*counting.opened.lock().unwrap(), 2);
    // It is over, and so is the connection's listing.
    let error = list(&line, &people, Some(first)).await.unwrap_err();
    assert_eq!((error.kind, error.code()), (ErrorKind::Unreachable, "listing-interrupted"));
    // What was not waited for leaves nothing behind that another request could read.
    *counting.hangs.lock().unwrap() = true;
    for _ in 0..2 {
        let mut hanging = Box::pin(list(&line, &people, None));
        let mut now = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(hanging.as_mut().poll(&mut now).is_pending());
    }
    *counting.hangs.lock().unwrap() = false;
    list(&line, &people, None).await.unwrap();
    assert_eq!(*counting.opened.lock().unwrap(), 3);
}

#[tokio::test]
async fn writes_are_taken_from_the_budget_and_a_lost_one_is_unknown() {
    let (counting, line) = counted(Purpose::Write);
    retitle(&line, "uid=a,ou=people,dc=x").await.unwrap();
    let canary = dn("uid=canary,ou=canaries,dc=x");
    let set = line.set_password(&canary, &Secret::new("x"), PasswordForm::Extended).await.unwrap_err();
    assert_eq!(set.effect, Effect::Unknown);
    let over = retitle(&line, "uid=a,ou=people,dc=x").await.unwrap_err();
    assert_eq!((over.kind, over.effect), (ErrorKind::OverBudget, Effect::None));
    list(&line, &dn("ou=people,dc=x"), None).await.unwrap();
    let said = counting.said.lock().unwrap().clone();
    assert_eq!(
        said,
        [
            "bind cn=hub,dc=x",
            "write uid=a,ou=people,dc=x",
            "password uid=canary,ou=canaries,dc=x",
            "bind cn=hub,dc=x",
            "search"
        ]
    );
}

#[tokio::test]
async fn an_empty_password_is_never_tried() {
    let (counting, line) = counted(Purpose::Write);
    for (user, secret) in [("uid=c,ou=canaries,dc=x", ""), ("", "x")] {
        let scheme = CredentialScheme::Basic { user: user.into() };
        let error = line.bind_as(&Credential { scheme, secret: Secret::new(secret) }).await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Settings | ErrorKind::OutOfScope), "{error}");
    }
    assert_eq!(*counting.opened.lock().unwrap(), 0);
}

/// What spans say.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<String>>>);

impl tracing::field::Visit for Spans {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push(format!("{}={value:?}", field.name()));
    }
}

impl tracing::Subscriber for Spans {
    fn enabled(&self, of: &tracing::Metadata<'_>) -> bool {
        of.is_span()
    }
    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        self.0.lock().unwrap().push(span.metadata().name().into());
        span.record(&mut self.clone());
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn a_span_says_what_became_of_a_call_and_not_of_whom_it_was() {
    let (_, line) = counted(Purpose::Write);
    let spans = Spans::default();
    let _heard = tracing::subscriber::set_default(spans.clone());
    retitle(&line, "uid=ann.smith,ou=people,dc=x").await.unwrap();
    let (canary, secret) = (dn("uid=c,ou=canaries,dc=x"), Secret::new("x"));
    let lost = line.set_password(&canary, &secret, PasswordForm::Extended).await.unwrap_err();
    assert_eq!(lost.effect, Effect::Unknown);
    let said = spans.0.lock().unwrap().join(" ");
    assert_eq!(
        said,
        "call integration=dir operation=\"update\" method=\"BIND\" \
         call integration=dir operation=\"update\" method=\"MODIFY\" answered=true status=0 \
         call integration=dir operation=\"issue\" method=\"MODIFY\" answered=false"
    );
}
