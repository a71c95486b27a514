//! Where the tests of the API happen: a hub on a socket, and an operator for each role.

use std::{collections::BTreeMap, sync::Arc};

use bailiwick_core::{
    id::Tenant,
    policy::PolicyFile,
    record::{Actor, Record, RecordKind},
};
use bailiwick_engine::Engine;
use bailiwick_store::{Update, get};
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::{DESCRIPTION, Described, Verb, example};
use crate::{bare_tests, entrance::Entrance, serve::Running};

/// The roles that there are, and none.
pub const ROLES: [&str; 5] = ["viewer", "operator", "approver", "terminator", "admin"];

/// The stage.
pub struct Stage {
    _dir: tempfile::TempDir,
    pub engine: Arc<Engine>,
    pub running: Running,
    tokens: BTreeMap<&'static str, String>,
    client: reqwest::Client,
}

/// An answer.
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The code of a problem, or nothing.
    pub fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.text).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A request in the making.
pub struct Ask<'s> {
    request: reqwest::RequestBuilder,
    stage: &'s Stage,
}

impl Ask<'_> {
    /// As the operator with this role; the name is the role.
    pub fn by(mut self, role: &str) -> Self {
        self.request = self.request.bearer_auth(&self.stage.tokens[role]);
        self
    }

    pub fn with(mut self, header: &str, value: &str) -> Self {
        self.request = self.request.header(header, value);
        self
    }

    pub fn json(mut self, body: &Value) -> Self {
        self.request = self.request.header("content-type", "application/json").body(body.to_string());
        self
    }

    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.request = self.request.body(body);
        self
    }

    pub async fn send(self) -> Reply {
        let answer = match self.request.send().await {
            Ok(answer) => answer,
            // Status 0 is what no test expects.
            Err(error) => return Reply { status: 0, headers: HeaderMap::new(), text: format!("{error:?}") },
        };
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Reply { status, headers, text: String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned() }
    }
}

impl Stage {
    pub async fn start() -> Self {
        let (dir, opened, _) = bare_tests::set_up("gov").await;
        let engine = opened.engine.clone();
        let mut tokens = BTreeMap::new();
        for role in ROLES {
            let roles = if role == "viewer" { [].into() } else { [role.to_owned()].into() };
            let by = Actor::Operator("ada".into());
            let (_, token) = engine.add_operator(role, roles, None, 1, by).await.unwrap();
            tokens.insert(role, token);
        }
        let (running, client) = bare_tests::run(opened, Entrance::default()).await;
        Self { _dir: dir, engine, running, tokens, client }
    }

    pub fn token(&self, role: &str) -> &str {
        &self.tokens[role]
    }

    /// A file of policies is in force, or another in its place, without anybody having approved it.
    pub async fn policy(&self, path: &str, text: &str) {
        let file = PolicyFile { path: path.into(), text: text.into() };
        let parts = self.engine.parts();
        let (tenant, by) = (Tenant::single(), Actor::Operator("ada".into()));
        let update = Update::new(Record::new(RecordKind::Configured, self.engine.now(), by, &*parts.entropy));
        let mut tx = parts.store.begin().await.unwrap();
        let update = match get::<PolicyFile>(&mut *tx, &tenant, path).await.unwrap() {
            Some(known) => update.replace(&file, known.revision, &*parts.entropy),
            None => update.insert(&file, &*parts.entropy),
        };
        tx.write(&tenant, vec![update], &*parts.entropy).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// A request for a path below `/api/v1`.
    pub fn ask(&self, method: &str, path: &str) -> Ask<'_> {
        self.ask_anywhere(method, &format!("/api/v1{path}"))
    }

    /// A request for any path of the hub.
    pub fn ask_anywhere(&self, method: &str, path: &str) -> Ask<'_> {
        let url = format!("http://{}{path}", self.running.address);
        Ask { request: self.client.request(method.parse().unwrap(), url), stage: self }
    }

    /// The request that the description gives as an example, for other names in the path than there.
    pub fn example(&self, one: &Described, names: &BTreeMap<&str, String>) -> Ask<'_> {
        let ask = self.ask(one.verb.as_str(), &path_of(one, names));
        match &one.body {
            Some(body) if body.media == "application/json" => {
                ask.json(&example::of(&DESCRIPTION, &body.schema))
            }
            Some(_) => ask.body(b"text".to_vec()),
            None => ask,
        }
    }

    pub async fn stop(self) {
        self.running.stop().await.unwrap();
    }
}

/// The path of an operation, with these names, or else with examples.
pub fn path_of(one: &Described, names: &BTreeMap<&str, String>) -> String {
    let mut path = one.path.to_owned();
    for (name, schema) in &one.segments {
        let made = example::of(&DESCRIPTION, schema);
        let value = names.get(name).cloned().unwrap_or_else(|| made.as_str().unwrap().to_owned());
        path = path.replace(&format!("{{{name}}}"), &encoded(&value));
    }
    path
}

/// A text as one part of a path.
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let one = |byte: u8| if plain(byte) { (byte as char).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

#[test]
fn every_operation_has_an_example_that_can_be_sent() {
    for one in DESCRIPTION.operations() {
        let path = path_of(one, &BTreeMap::new());
        assert!(!path.contains('{'), "{path}");
        assert!(one.verb != Verb::Get || one.body.is_none(), "{}", one.id);
    }
}
