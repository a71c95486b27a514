//! Where the tests of this room happen: a hub on a socket, two people of a feed, two records, and callers.

use std::{collections::BTreeMap, sync::Arc};

use bailiwick_core::{
    gate::Gates,
    id::{IntegrationName, SourceName, Tenant},
    integration::Integration,
    record::{Actor, Record, RecordKind},
};
use bailiwick_engine::Engine;
use bailiwick_store::{Update, get};
use reqwest::{Method, header::HeaderMap};
use serde_json::Value;

use crate::{bare_tests, config, entrance::Entrance, serve::Running};

/// The configuration that docs/authzen.md shows, so that what it says is true.
const PAGE: &str = include_str!("../../../../docs/authzen.md");

/// The feed: alice edits, bob reads, carol has left.
const FEED: &str = "id,email,display_name,department,status\n\
    alice,alice@acme.example,Alice,Editors,active\n\
    bob,bob@acme.example,Bob,Readers,active\n\
    carol,carol@acme.example,Carol,Editors,left\n";

/// What is not in the page: the source, and callers that the page has no need of.
const MORE: &str = r#"
[integration.hr]
purpose = "Files of people"
owner = "hr/alice"
backup = "hr/bob"
boundary = "inside"
vendor = "Hr Ltd"
data_flows = ["people → hub"]
privilege_flows = ["who is there → all"]
connector = "csv"
endpoint = "file:feeds/hr"
source = "hr"
scope = ["list READ /{file}"]
settings = { file = "current.csv", key = "id", columns = { email = "email", display_name = "display_name", department = "department" }, status = "status", active = ["active"], terminated = ["left"] }

[integration.hr.contract]
max_loss_percent = 50
max_change_percent = 50

[integration.hr.contract.attributes]
email = { type = "text", required = true }
display_name = { type = "text", required = true }
department = { type = "text", required = true }

[integration.stranger]
partner = true
purpose = "Doors"
owner = "hr/alice"
backup = "hr/bob"
boundary = "inside"
vendor = "Doors Ltd"
data_flows = ["who asks"]
privilege_flows = ["doors"]
connector = "manual"
endpoint = "person:"
acts = ["decide entitlement", "search record"]

[integration.unapproved]
partner = true
purpose = "Doors"
owner = "hr/alice"
backup = "hr/bob"
boundary = "inside"
vendor = "Doors Ltd"
data_flows = ["who asks"]
privilege_flows = ["doors"]
connector = "manual"
endpoint = "person:"
acts = ["decide record"]
"#;

/// The parts of the page in a language.
pub fn shown(language: &str) -> Vec<String> {
    let begin = format!("```{language}\n");
    PAGE.split(&begin).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

/// The stage.
pub struct Stage {
    _dir: tempfile::TempDir,
    pub engine: Arc<Engine>,
    running: Option<Running>,
    pub url: String,
    client: reqwest::Client,
    /// The token of the gateway, of another caller, and of an operator.
    pub gateway: String,
    pub stranger: String,
    pub operator: String,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Reply {
    /// The decision; anything else is no answer to a question.
    pub fn decision(&self) -> bool {
        assert_eq!(self.status, 200, "{self:?}");
        self.body["decision"].as_bool().unwrap_or_else(|| panic!("{self:?}"))
    }

    /// The stable code of a refusal.
    pub fn code(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    /// The ids or names that were found, in order.
    pub fn found(&self) -> Vec<String> {
        assert_eq!(self.status, 200, "{self:?}");
        let results = self.body["results"].as_array().unwrap_or_else(|| panic!("{self:?}"));
        let text = |item: &Value| item["id"].as_str().or(item["name"].as_str()).unwrap().to_owned();
        let mut found: Vec<String> = results.iter().map(text).collect();
        found.sort();
        found
    }
}

fn name(text: &str) -> IntegrationName {
    IntegrationName::new(text).unwrap()
}

impl Stage {
    pub async fn start() -> Self {
        let (dir, opened, operator) = bare_tests::set_up("ada").await;
        let engine = opened.engine.clone();
        let mut bundle = BTreeMap::from([("more.toml".to_owned(), MORE.to_owned())]);
        for (language, end) in [("toml", "toml"), ("cedar", "cedar")] {
            let parts = shown(language);
            assert!(!parts.is_empty(), "the page shows {language}");
            bundle.insert(format!("page.{end}"), parts.concat());
        }
        let wanted = config::parse(&bundle).unwrap_or_else(|errors| panic!("{errors:#?}"));
        let by = || Actor::Operator("test".into());
        let change = engine.configuration_change(&wanted).await.unwrap();
        engine.configure(&wanted, change.digest, by()).await.unwrap();
        while engine.work().await.unwrap().taken > 0 {}
        // The first configuration is in force with all its gates; this one's are shut.
        shut(&engine, "unapproved").await;
        let hr = SourceName::new("hr").unwrap();
        for feed in [FEED.replace("left", "active"), FEED.to_owned()] {
            let digest = opened.folder.deliver(&hr, feed.into()).await.unwrap();
            engine.import(&hr, digest).await.unwrap();
            while engine.work().await.unwrap().taken > 0 {}
        }
        let token = async |of: &str| engine.admit_caller(&name(of), 1, by()).await.unwrap().1;
        let (gateway, stranger) = (token("gateway").await, token("stranger").await);
        let mut entrance = Entrance::default();
        entrance.url = Some("https://hub.acme.example".into());
        let (running, client) = bare_tests::run(opened, entrance).await;
        let url = format!("http://{}", running.address);
        let operator = operator.secret;
        Self { _dir: dir, engine, running: Some(running), url, client, gateway, stranger, operator }
    }

    /// A token for another integration.
    pub async fn admit(&self, of: &str) -> String {
        self.engine.admit_caller(&name(of), 1, Actor::Operator("ada".into())).await.unwrap().1
    }

    /// Calls with a token and headers.
    pub async fn call(
        &self,
        (method, path): (Method, &str),
        token: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Reply {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.body(body.into()).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await.unwrap();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Reply { status, headers, body }
    }

    /// Asks as the gateway, below the base.
    pub async fn ask(&self, path: &str, body: &Value) -> Reply {
        let headers = [("content-type", "application/json")];
        self.call((Method::POST, &format!("/access/v1{path}")), &self.gateway, &headers, body.to_string())
            .await
    }

    pub async fn stop(mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await.unwrap();
        }
    }
}

/// No gate of an integration is open.
async fn shut(engine: &Engine, of: &str) {
    let parts = engine.parts();
    let (tenant, chance) = (Tenant::single(), &*parts.entropy);
    let mut tx = parts.store.begin().await.unwrap();
    let stored = get::<Integration>(&mut *tx, &tenant, of).await.unwrap().unwrap();
    let bare = Integration { gates: Gates::default(), ..stored.value };
    let record = Record::new(RecordKind::Configured, engine.now(), Actor::Operator("test".into()), chance);
    let update = Update::new(record).replace(&bare, stored.revision, chance);
    tx.write(&tenant, vec![update], chance).await.unwrap();
    tx.commit().await.unwrap();
}
