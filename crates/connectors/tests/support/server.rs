//! A real SCIM service provider, `scim2-server`, as a process of its own, and what is truly in it.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use bailiwick_connector::{
    Connector, Line,
    broker::{HttpLimits, HttpTransport, Transport},
    testkit::{Fixtures, Ids, Losing, Subject, TrueAccount},
};
use bailiwick_connectors::scim::Scim;
use bailiwick_core::{access::AccessClass, account::AccountAttributes, integration::Purpose};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::hiding::Hiding;

pub const TOKEN: &str = "a-token-of-the-tests";

/// How the server pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    Index,
    Cursor,
}

/// A running server; it ends with this value. Each seed has a tenant of its own.
pub struct Server {
    _process: Child,
    _config: tempfile::NamedTempFile,
    port: u16,
    name: String,
    tenant: AtomicU32,
    plain: Arc<HttpTransport>,
    losing: Arc<Losing>,
    hiding: Arc<Hiding>,
    connector: Arc<Scim>,
}

fn tools() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "where the tests' tools are is a matter of the machine")]
    let tools = std::env::var_os("BAILIWICK_TOOLS");
    tools.map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/venv")),
        PathBuf::from,
    )
}

fn config(paging: Paging, without: &[&str]) -> Value {
    let mut config = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": 1000},
        "changePassword": {"supported": false},
        "sort": {"supported": false},
        "etag": {"supported": true},
        "authenticationSchemes": [],
    });
    if paging == Paging::Cursor {
        config["pagination"] = json!({
            "cursor": true, "index": false, "defaultPaginationMethod": "cursor",
            "defaultPageSize": 100, "maxPageSize": 1000, "cursorTimeout": 3600,
        });
    }
    for feature in without {
        config[*feature]["supported"] = false.into();
    }
    config
}

impl Server {
    /// Starts a server without anybody in it and without some features, waits until it says that it listens, and points a
    /// connector with these settings at it.
    pub async fn start(paging: Paging, without: &[&str], settings: &Value) -> Self {
        let program = tools().join("bin/scim2-server");
        assert!(
            program.exists(),
            "`{}` is missing: run `./test`, or `python3 -m venv .tools/venv && .tools/venv/bin/pip install \
             'scim2-server[cursor,precis]==0.8.3'`",
            program.display()
        );
        let config_file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(config_file.path(), config(paging, without).to_string()).unwrap();
        // Free at this moment; if somebody else takes it, the server does not come up and the test says so.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut process = Command::new(program)
            .args(["--hostname", "127.0.0.1", "--port", &port.to_string(), "--bearer-token", TOKEN])
            .arg("--dynamic-tenants")
            .arg("--service-provider-config")
            .arg(config_file.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut said).await.unwrap();
        assert!(said.starts_with("Serving SCIM"), "the server did not come up on port {port}: {said:?}");
        let plain = Arc::new(HttpTransport::new(&HttpLimits::default()).unwrap());
        let losing = Arc::new(Losing::new(plain.clone()));
        Self {
            _process: process,
            _config: config_file,
            port,
            name: format!("scim × scim2-server, {paging:?}, without {without:?}, {settings}"),
            tenant: AtomicU32::new(0),
            hiding: Arc::new(Hiding::new(losing.clone())),
            plain,
            losing,
            connector: Arc::new(Scim::new(settings).unwrap()),
        }
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/t{}", self.port, self.tenant.load(Ordering::SeqCst))
    }

    /// A line to it that shows this token.
    pub fn line_with(&self, token: &str) -> Line {
        super::line::line(self.hiding.clone(), &self.endpoint(), "/v2", token, Purpose::Write)
    }

    /// Asks the server past the connector.
    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}/v2/{path}", self.endpoint()))
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-type", "application/scim+json")
            .body(body.map(|body| Bytes::from(body.to_string())).unwrap_or_default())
            .unwrap();
        let response = self.plain.send(request).await.unwrap();
        let body = String::from_utf8_lossy(response.body()).into_owned();
        assert!(response.status().is_success(), "{method} {path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    pub async fn make(&self, path: &str, resource: Value) -> String {
        self.ask("POST", path, Some(resource)).await["id"].as_str().unwrap().to_owned()
    }
}

#[async_trait::async_trait]
impl Subject for Server {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn connector(&self) -> Arc<dyn Connector> {
        self.connector.clone()
    }

    fn line(&self) -> Line {
        self.line_with(TOKEN)
    }

    async fn seed(&self, fixtures: &Fixtures) -> Ids {
        self.tenant.fetch_add(1, Ordering::SeqCst);
        self.hiding.hides.store(false, Ordering::SeqCst);
        let mut ids = Ids::default();
        if self.connector.capability().people {
            for user in super::line::people(fixtures) {
                self.make("Users", user.into()).await;
            }
            ids.people = fixtures.people.iter().map(|person| person.key.clone()).collect();
            return ids;
        }
        for account in &fixtures.accounts {
            let mut user = json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                "userName": account.name,
                "active": account.live,
            });
            if let Some(marker) = &account.marker {
                user["externalId"] = marker.as_str().into();
            }
            ids.accounts.push(self.make("Users", user).await);
        }
        for group in &fixtures.groups {
            let mut members: Vec<Value> =
                group.members.iter().map(|at| json!({"value": ids.accounts[*at], "type": "User"})).collect();
            // The first account is in the first group; by that one it is in the empty one.
            if members.is_empty() {
                members.push(json!({"value": ids.groups[0], "type": "Group"}));
            }
            let group = json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
                "displayName": group.name,
                "members": members,
            });
            ids.groups.push(self.make("Groups", group).await);
        }
        ids
    }

    async fn truth(&self) -> String {
        let mut all = Vec::new();
        for kind in ["Users", "Groups"] {
            let list = self.ask("GET", kind, None).await;
            all.extend(list["Resources"].as_array().unwrap().iter().map(Value::to_string));
        }
        all.sort();
        all.join("\n")
    }

    async fn account(&self, id: &str) -> Option<TrueAccount> {
        let (users, groups) = (self.ask("GET", "Users", None).await, self.ask("GET", "Groups", None).await);
        let user = users["Resources"].as_array().unwrap().iter().find(|user| user["id"] == id)?;
        let members = |group: &Value| group["members"].as_array().cloned().unwrap_or_default();
        let of = groups["Resources"].as_array().unwrap().iter();
        let of = of.flat_map(|group| members(group).into_iter().map(|member| (group["id"].clone(), member)));
        let of = of.filter(|(_, member)| member["value"] == id);
        let of = of.map(|(group, _)| group.as_str().unwrap().to_owned()).collect();
        Some(super::scim_true::account(user, [(AccessClass::DirectGroups, of)].into()))
    }

    fn attributes(&self, name: &str) -> AccountAttributes {
        [("userName".to_owned(), name.into()), ("email".to_owned(), "kit@acme.example".into())].into()
    }

    fn change(&self, n: u32) -> AccountAttributes {
        super::line::change(n)
    }

    fn grantable(&self, class: AccessClass, ids: &Ids) -> Option<String> {
        (class == AccessClass::DirectGroups).then(|| ids.groups[0].clone())
    }

    fn lose_next_answer(&self) -> bool {
        self.losing.lose_next();
        true
    }

    fn hide_part(&self) -> bool {
        self.hiding.hides.store(true, Ordering::SeqCst);
        true
    }

    fn writes(&self) -> Option<u64> {
        Some(self.losing.writes())
    }

    fn secret(&self) -> Option<String> {
        Some(TOKEN.to_owned())
    }
}
