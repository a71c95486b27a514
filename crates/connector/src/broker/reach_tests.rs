//! Where the name of an endpoint may lead, by a resolver that plays the attacker and servers that are real:
//! what counts is whether anybody was connected to, and what they were shown.

use std::{
    collections::VecDeque,
    io,
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use bailiwick_core::{
    id::{IntegrationName, SystemName, Tenant},
    integration::{Integration, Purpose, Role, Standing},
    scope::{Operation, Scope},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::{
    ConnectorError, Effect, ErrorKind,
    seal::{Credential, CredentialScheme, Secret},
    testkit::{Hands, Seeded},
};

const SECRET: &str = "s3cr3t-of-the-endpoint";

/// Answers from a list, the last answer for ever, and counts how often it was asked.
struct Script {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl Script {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let answers = answers.iter().map(|one| one.iter().map(|a| a.parse().unwrap()).collect()).collect();
        Arc::new(Self { answers: Mutex::new(answers), asked: AtomicUsize::new(0) })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Resolver for Script {
    async fn look_up(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        Ok(if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0].clone() })
    }
}

/// A server that answers everybody the same and keeps what it was sent.
struct Server {
    port: u16,
    got: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let got: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = got.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let at = heard.lock().unwrap().len();
                heard.lock().unwrap().push(String::new());
                let mut head = vec![0; 8192];
                let length = stream.read(&mut head).await.unwrap_or(0);
                heard.lock().unwrap()[at] = String::from_utf8_lossy(&head[..length]).into_owned();
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { port, got }
    }

    async fn kind() -> Self {
        Self::start("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi".into()).await
    }

    fn got(&self) -> Vec<String> {
        self.got.lock().unwrap().clone()
    }
}

fn integration(endpoint: &str, settings: Value) -> Integration {
    let rules =
        ["get GET /Users/{id}", "update PATCH /Users/{id}", "list SEARCH dc=acme", "list CALL ListUsers"];
    Integration {
        name: IntegrationName::new("chat").unwrap(),
        purpose: "test".into(),
        owner: "hr/1".into(),
        backup: "hr/2".into(),
        connector: "scim".into(),
        endpoint: endpoint.into(),
        role: Role::Target { system: SystemName::new("chat").unwrap() },
        scope: Scope { rules: rules.map(|r| r.parse().unwrap()).to_vec(), ..Scope::default() },
        settings,
        standing: Standing::Enabled,
        register: Default::default(),
        gates: Default::default(),
        kill: None,
    }
}

/// A line over the real transport, with names looked up by the script.
fn line(integration: &Integration, script: &Arc<Script>, scheme: CredentialScheme) -> Line {
    let (key, clock) = (Arc::new(SealKey::generate(&Seeded::new(1))), Arc::new(Hands::default()));
    let transport = Arc::new(HttpTransport::new(&HttpLimits::default()).unwrap());
    let broker = Broker::new(Tenant::single(), transport, clock, key.clone()).with_resolver(script.clone());
    let context = SealContext::of(&Tenant::single(), integration, Purpose::Write).unwrap();
    let credential = Credential { scheme, secret: Secret::new(SECRET) };
    broker.line(integration, Purpose::Write, Some(&key.seal(&context, &credential, &Seeded::new(2))))
}

fn get() -> Call {
    Call::new(Operation::Get, "GET", "/Users/1")
}

fn refused(error: &ConnectorError) -> bool {
    (error.kind, error.code(), error.effect) == (ErrorKind::Settings, "destination-refused", Effect::None)
}

#[tokio::test]
async fn a_name_that_leads_inside_is_not_connected_to_unless_its_range_is_named() {
    let server = Server::kind().await;
    let endpoint = format!("http://chat.example:{}", server.port);
    let settings = |networks: &[&str]| json!({ "allow_plaintext": true, "networks": networks });
    for (answer, networks, reached) in [
        (vec!["127.0.0.1"], vec![], false),
        (vec!["127.0.0.1"], vec!["10.0.0.0/8"], false),
        (vec!["1.1.1.1", "127.0.0.1"], vec![], false),
        (vec!["::ffff:127.0.0.1"], vec![], false),
        (vec!["::1"], vec![], false),
        (vec!["10.0.0.1"], vec![], false),
        (vec!["169.254.169.254"], vec![], false),
        (vec!["169.254.169.254"], vec!["169.254.0.0/16", "0.0.0.0/0"], false),
        (vec!["127.0.0.1", "169.254.169.254"], vec!["127.0.0.0/8"], false),
        (vec!["fd00:ec2::254"], vec!["fd00::/8"], false),
        (vec!["0.0.0.0"], vec!["0.0.0.0/0"], false),
        (vec!["127.0.0.1"], vec!["127.0.0.0/8"], true),
    ] {
        let (script, before) = (Script::new(&[&answer]), server.got().len());
        let integration = integration(&endpoint, settings(&networks));
        let sent = line(&integration, &script, CredentialScheme::Bearer).send(get()).await;
        match &sent {
            Ok(answer) => assert!(reached && answer.status == 200, "{answer:?} {networks:?}"),
            Err(error) => assert!(!reached && refused(error), "{answer:?} {networks:?}: {error:?}"),
        }
        assert_eq!((script.asked(), server.got().len() - before), (1, usize::from(reached)), "{answer:?}");
    }
}

#[tokio::test]
async fn what_is_registered_at_an_address_is_reached_there_and_asks_nobody() {
    let server = Server::kind().await;
    let script = Script::new(&[&["10.0.0.1"]]);
    let at_address = integration(&format!("http://127.0.0.1:{}", server.port), json!({}));
    line(&at_address, &script, CredentialScheme::Bearer).send(get()).await.unwrap();
    assert_eq!((script.asked(), server.got().len()), (0, 1));
    assert!(server.got()[0].contains(SECRET));

    // `localhost` is this machine, whatever somebody answers.
    let local = integration(&format!("http://localhost:{}", server.port), json!({}));
    for (answer, reached) in
        [("127.0.0.1", true), ("10.0.0.1", false), ("1.1.1.1", false), ("169.254.1.1", false)]
    {
        let sent = line(&local, &Script::new(&[&[answer]]), CredentialScheme::Bearer).send(get()).await;
        assert_eq!(sent.is_ok(), reached, "{answer}: {sent:?}");
        assert!(reached || refused(&sent.unwrap_err()), "{answer}");
    }
    assert_eq!(server.got().len(), 2);
}

#[tokio::test]
async fn an_answer_that_changes_is_judged_again_before_anything_is_sent() {
    let server = Server::kind().await;
    let endpoint = format!("http://chat.example:{}", server.port);
    let integration = integration(&endpoint, json!({ "allow_plaintext": true, "networks": ["127.0.0.0/8"] }));
    let script = Script::new(&[&["127.0.0.1"], &["169.254.169.254"], &["127.0.0.1"]]);
    let line = line(&integration, &script, CredentialScheme::Bearer);
    line.send(get()).await.unwrap();
    assert!(refused(&line.send(get()).await.unwrap_err()));
    line.send(get()).await.unwrap();
    // Once for each connection, and never a second time behind the judgement.
    assert_eq!((script.asked(), server.got().len()), (3, 2));
}

#[tokio::test]
async fn connections_are_not_shared_with_who_may_not_go_there() {
    // It answers and leaves the connection open, so that it could be used again.
    let server = Server::start("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi".into()).await;
    let endpoint = format!("http://chat.example:{}", server.port);
    let settings = |networks: &[&str]| json!({ "allow_plaintext": true, "networks": networks });
    let (may, may_not) =
        (integration(&endpoint, settings(&["127.0.0.0/8"])), integration(&endpoint, settings(&[])));
    let script = Script::new(&[&["127.0.0.1"]]);
    let transport = Arc::new(HttpTransport::new(&HttpLimits::default()).unwrap());
    let key = Arc::new(SealKey::generate(&Seeded::new(1)));
    let broker = Broker::new(Tenant::single(), transport, Arc::new(Hands::default()), key.clone())
        .with_resolver(script.clone());
    let open = |integration: &Integration| Integration {
        settings: {
            let mut settings = integration.settings.clone();
            settings["auth"] = json!("none");
            settings
        },
        ..integration.clone()
    };
    broker.line(&open(&may), Purpose::Write, None).send(get()).await.unwrap();
    let error = broker.line(&open(&may_not), Purpose::Write, None).send(get()).await.unwrap_err();
    assert!(refused(&error), "{error:?}");
    assert_eq!(server.got().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_carries_nothing() {
    let thief = Server::kind().await;
    for (status, to) in [
        (301, format!("http://127.0.0.1:{}/Users/1", thief.port)),
        (302, format!("http://localhost:{}/", thief.port)),
        (303, format!("//127.0.0.1:{}/", thief.port)),
        (307, format!("http://127.0.0.1:{}/Users/1", thief.port)),
        (308, format!("http://169.254.169.254:{}/latest/meta-data", thief.port)),
    ] {
        let answer = format!(
            "HTTP/1.1 {status} X\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let server = Server::start(answer).await;
        let integration = integration(&format!("http://127.0.0.1:{}", server.port), json!({}));
        let line = line(&integration, &Script::new(&[&["127.0.0.1"]]), CredentialScheme::Bearer);
        for call in [get(), Call::new(Operation::Update, "PATCH", "/Users/1").body("{}")] {
            let answer = line.send(call).await.unwrap();
            assert_eq!((answer.status, answer.header("location")), (status, Some(to.as_str())));
            // Nor does the connector get a way there by asking for it.
            assert_eq!(line.below(&to), None, "{to}");
        }
        assert_eq!(server.got().len(), 2);
    }
    assert_eq!(thief.got(), Vec::<String>::new());
}

#[tokio::test]
async fn tokens_actions_directories_and_databases_go_by_the_same_guide() {
    let server = Server::kind().await;
    let astray = || Script::new(&[&["127.0.0.1"]]);
    let plain = json!({ "allow_plaintext": true, "token_path": "/token" });
    let web = integration(&format!("http://chat.example:{}", server.port), plain.clone());
    let client = CredentialScheme::ClientCredentials { client_id: "hub".into() };
    let error = line(&web, &astray(), client).send(get()).await.unwrap_err();
    assert!(refused(&error), "token: {error:?}");

    let key = CredentialScheme::AccessKey { id: "AKIA1".into() };
    let action = Action {
        operation: Operation::List,
        service: "iam",
        version: "2010-05-08",
        name: "ListUsers",
        parameters: vec![],
    };
    let error = line(&web, &astray(), key).call(action).await.unwrap_err();
    assert!(refused(&error), "action: {error:?}");

    let basic = || CredentialScheme::Basic { user: "cn=hub,dc=acme".into() };
    let directory =
        integration(&format!("ldap://dc1.example:{}", server.port), json!({ "allow_plaintext": true }));
    let error = line(&directory, &astray(), basic()).look_at("dc=acme").await.unwrap_err();
    assert!(refused(&error), "directory: {error:?}");

    let mut database = integration(
        &format!("postgres://db.example:{}/app", server.port),
        json!({ "allow_plaintext": true, "statements": {
            "all": { "operations": ["list"], "text": "SELECT 1 AS id" } } }),
    );
    database.scope.rules.push("list EXEC all".parse().unwrap());
    let statement = Statement::new(Operation::List, "all");
    let error = line(&database, &astray(), basic()).execute(statement).await.unwrap_err();
    assert!(refused(&error), "database: {error:?}");

    let canary = Credential { scheme: CredentialScheme::Bearer, secret: Secret::new("canary") };
    let mut tried = web.clone();
    tried.scope.rules.push("try GET /Me".parse().unwrap());
    let call = Call::new(Operation::Try, "GET", "/Me");
    let error = line(&tried, &astray(), CredentialScheme::Bearer).send_as(call, &canary).await.unwrap_err();
    assert!(refused(&error), "canary: {error:?}");
    assert_eq!(server.got(), Vec::<String>::new());
}

impl Line {
    /// A search that asks for one entry.
    async fn look_at(&self, base: &str) -> crate::Result<ldap::Answered> {
        let (base, filter) = (base.parse().unwrap(), "(objectClass=*)".parse().unwrap());
        let search = ldap::Search {
            operation: Operation::List,
            base: ldap::Base::Entry(&base),
            depth: ldap::Depth::Base,
            filter: &filter,
            attributes: &["1.1"],
            controls: &[],
            connection: None,
        };
        self.search(&search, &mut |_| {}).await
    }
}

#[tokio::test]
async fn a_credential_goes_nowhere_but_to_what_it_was_sealed_for() {
    let (home, away) = (Server::kind().await, Server::kind().await);
    let key = Arc::new(SealKey::generate(&Seeded::new(1)));
    let transport = Arc::new(HttpTransport::new(&HttpLimits::default()).unwrap());
    let broker = Broker::new(Tenant::single(), transport, Arc::new(Hands::default()), key.clone());
    let chat = integration(&format!("http://127.0.0.1:{}", home.port), json!({}));
    let context = SealContext::of(&Tenant::single(), &chat, Purpose::Write).unwrap();
    let sealed = key.seal(&context, &Credential::bearer(Secret::new(SECRET)), &Seeded::new(2));
    broker.line(&chat, Purpose::Write, Some(&sealed)).send(get()).await.unwrap();

    let moved = |endpoint: String| Integration { endpoint, ..chat.clone() };
    let mail = Integration { name: IntegrationName::new("mail").unwrap(), ..chat.clone() };
    for (what, integration, purpose) in [
        ("another integration", mail, Purpose::Write),
        ("another port", moved(format!("http://127.0.0.1:{}", away.port)), Purpose::Write),
        ("another name of it", moved(format!("http://localhost:{}", home.port)), Purpose::Write),
        ("another address of it", moved(format!("http://127.0.0.2:{}", home.port)), Purpose::Write),
        ("another purpose", chat.clone(), Purpose::Read),
        ("a third purpose", chat.clone(), Purpose::Verify),
    ] {
        let error = broker.line(&integration, purpose, Some(&sealed)).send(get()).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::NoCredential, Effect::None), "{what}: {error}");
    }
    assert_eq!((home.got().len(), away.got().len()), (1, 0));
}
