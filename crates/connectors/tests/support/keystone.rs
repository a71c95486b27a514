//! A real OpenStack Keystone as a process of its own, and what is truly in it. Each seed has a domain of its own.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use bailiwick_connector::{
    Connector, Line,
    broker::{HttpLimits, HttpTransport, Transport, TransportError},
    seal::{Credential, CredentialScheme, Secret},
    testkit::{Fixtures, Ids, Losing, Subject, TrueAccount},
};
use bailiwick_connectors::rest::Rest;
use bailiwick_core::{access::AccessClass, account::AccountAttributes, integration::Purpose};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::rest_beside::Beside;

/// The password that the server script gives the administrator.
const PASSWORD: &str = "a-password-of-the-tests";
/// The secret of the administrator's application credential. Its characters are those of the secrets that Keystone
/// makes: it does not take the encoding of RFC 6749 §2.3.1 off again, which changes any others.
pub const SECRET: &str = "a-s3cret_of-the-tests";

/// A running server; it ends with this value.
pub struct Keystone {
    _process: Child,
    _folder: tempfile::TempDir,
    port: u16,
    plain: Arc<HttpTransport>,
    losing: Arc<Losing>,
    cutting: Arc<Cutting>,
    /// A token of the administrator, and the id of the application credential.
    admin: String,
    client: String,
    seeds: AtomicU32,
    domain: Mutex<Domain>,
}

/// The domain of the last seed.
#[derive(Clone, Default)]
struct Domain {
    id: String,
    project: String,
    role: String,
}

/// Cuts lists off as a Keystone does that has a limit and no pages.
struct Cutting {
    inner: Arc<dyn Transport>,
    cuts: AtomicBool,
}

#[async_trait]
impl Transport for Cutting {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let mut response = self.inner.send(request).await?;
        if self.cuts.load(Ordering::SeqCst)
            && let Ok(mut page) = serde_json::from_slice::<Value>(response.body())
            && let Some(key) = ["users", "groups"].into_iter().find(|key| page[*key].is_array())
        {
            page[key].as_array_mut().unwrap().pop();
            page["links"]["next"] = Value::Null;
            page["truncated"] = true.into();
            *response.body_mut() = page.to_string().into();
        }
        Ok(response)
    }
}

fn tools() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "where the tests' tools are is a matter of the machine")]
    let tools = std::env::var_os("BAILIWICK_TOOLS");
    tools.map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/venv")),
        PathBuf::from,
    )
}

/// The broker's settings: where tokens come from, and how they are shown.
pub fn token_settings() -> Value {
    json!({"token_path": "/v3/OS-OAUTH2/token", "token_header": "X-Auth-Token"})
}

impl Keystone {
    /// Starts a server, waits until it listens, and gives its administrator an application credential.
    pub async fn start() -> Self {
        let python = tools().join("bin/python");
        assert!(
            tools().join("bin/keystone-manage").exists(),
            "`{}/bin/keystone-manage` is missing: run `./test`, or `python3 -m venv .tools/venv && \
             .tools/venv/bin/pip install keystone==30.0.0`",
            tools().display()
        );
        let folder = tempfile::tempdir().unwrap();
        // Free at this moment; if somebody else takes it, the server does not come up and the test says so.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // Other crates start it too.
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../connectors/tests/support/keystone_server.py");
        let mut process = Command::new(python)
            .arg(script)
            .arg(folder.path())
            .arg(port.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut last = String::new();
        while last != "ready" {
            let line = lines.next_line().await.unwrap();
            last = line
                .unwrap_or_else(|| panic!("Keystone did not come up on port {port}; it last said {last:?}"));
        }
        let plain = Arc::new(HttpTransport::new(&HttpLimits::default()).unwrap());
        let losing = Arc::new(Losing::new(plain.clone()));
        let cutting = Arc::new(Cutting { inner: losing.clone(), cuts: AtomicBool::new(false) });
        let mut server = Self {
            _process: process,
            _folder: folder,
            port,
            plain,
            losing,
            cutting,
            admin: String::new(),
            client: String::new(),
            seeds: AtomicU32::new(0),
            domain: Mutex::default(),
        };
        let user = json!({"name": "admin", "domain": {"id": "default"}, "password": PASSWORD});
        let scope = json!({"project": {"name": "admin", "domain": {"id": "default"}}});
        let auth = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}});
        let (token, answer) = server.send("POST", "auth/tokens", Some(auth)).await;
        server.admin = token.unwrap();
        let user = answer["token"]["user"]["id"].as_str().unwrap();
        let credential =
            json!({"application_credential": {"name": "bailiwick", "secret": SECRET, "unrestricted": true}});
        let path = format!("users/{user}/application_credentials");
        let made = server.send("POST", &path, Some(credential)).await.1;
        server.client = made["application_credential"]["id"].as_str().unwrap().to_owned();
        server
    }

    /// Asks the server past the connector.
    async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (Option<String>, Value) {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("http://127.0.0.1:{}/v3/{path}", self.port))
            .header("x-auth-token", &self.admin)
            .header("content-type", "application/json")
            .body(body.map(|body| Bytes::from(body.to_string())).unwrap_or_default())
            .unwrap();
        let response = self.plain.send(request).await.unwrap();
        let body = String::from_utf8_lossy(response.body()).into_owned();
        assert!(response.status().is_success(), "{method} {path}: {body}");
        let token = response.headers().get("x-subject-token").map(|token| token.to_str().unwrap().to_owned());
        (token, serde_json::from_str(&body).unwrap_or_default())
    }

    async fn make(&self, path: &str, kind: &str, body: Value) -> String {
        let made = self.send("POST", path, Some(json!({kind: body}))).await.1;
        made[kind]["id"].as_str().unwrap().to_owned()
    }

    fn domain(&self) -> Domain {
        self.domain.lock().unwrap().clone()
    }

    /// What it truly has of a user; nothing where there is none.
    pub async fn user(&self, id: &str) -> Value {
        self.send("GET", &format!("users/{id}"), None).await.1["user"].clone()
    }

    /// Whether it lets a user in with the password that seeding gave.
    pub async fn lets_in(&self, id: &str) -> bool {
        let user = json!({"id": id, "password": PASSWORD});
        let auth = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}});
        let request = http::Request::post(format!("http://127.0.0.1:{}/v3/auth/tokens", self.port))
            .header("content-type", "application/json")
            .body(Bytes::from(auth.to_string()))
            .unwrap();
        self.plain.send(request).await.unwrap().status().is_success()
    }

    /// The connector to the domain of the last seed.
    pub fn rest(&self) -> Rest {
        let domain = self.domain().id;
        Rest::new(&json!({"description": "keystone", "parameters": {"domain": domain}})).unwrap()
    }

    /// A line to it that shows this secret.
    pub fn line_with(&self, secret: &str) -> Line {
        let both = Arc::new(Beside { calls: self.cutting.clone(), tokens: self.plain.clone() });
        let credential = self.credential(secret);
        super::rest_line::line(
            both,
            &self.endpoint(),
            &self.rest(),
            token_settings(),
            &credential,
            Purpose::Write,
        )
    }

    /// Where it is.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/v3", self.port)
    }

    /// The administrator's application credential, with this secret.
    pub fn credential(&self, secret: &str) -> Credential {
        let scheme = CredentialScheme::ClientCredentials { client_id: self.client.clone() };
        Credential { scheme, secret: Secret::new(secret) }
    }

    /// The id of the domain of the last seed.
    #[allow(dead_code, reason = "other tests use the rest")]
    pub fn domain_id(&self) -> String {
        self.domain().id
    }
}

#[async_trait]
impl Subject for Keystone {
    fn name(&self) -> String {
        "rest × keystone 30.0.0".into()
    }

    fn connector(&self) -> Arc<dyn Connector> {
        Arc::new(self.rest())
    }

    fn line(&self) -> Line {
        self.line_with(SECRET)
    }

    async fn seed(&self, fixtures: &Fixtures) -> Ids {
        self.cutting.cuts.store(false, Ordering::SeqCst);
        let n = self.seeds.fetch_add(1, Ordering::SeqCst);
        let id = self.make("domains", "domain", json!({"name": format!("d{n}")})).await;
        let project =
            self.make("projects", "project", json!({"name": format!("p{n}"), "domain_id": id})).await;
        let role = self.make("roles", "role", json!({"name": format!("r{n}")})).await;
        *self.domain.lock().unwrap() =
            Domain { id: id.clone(), project: project.clone(), role: role.clone() };
        let mut ids = Ids::default();
        for account in &fixtures.accounts {
            let mut user =
                json!({"name": account.name, "domain_id": id, "enabled": account.live, "password": PASSWORD});
            if let Some(marker) = &account.marker {
                user["bailiwick"] = marker.as_str().into();
            }
            ids.accounts.push(self.make("users", "user", user).await);
        }
        for group in &fixtures.groups {
            let id = self.make("groups", "group", json!({"name": group.name, "domain_id": id})).await;
            for at in &group.members {
                self.send("PUT", &format!("groups/{id}/users/{}", ids.accounts[*at]), None).await;
            }
            ids.groups.push(id);
        }
        // The first account has a role, and with that an application credential.
        let first = &ids.accounts[0];
        self.send("PUT", &format!("projects/{project}/users/{first}/roles/{role}"), None).await;
        let user = json!({"id": first, "password": PASSWORD});
        let auth = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"id": project}}}});
        let token = self.send("POST", "auth/tokens", Some(auth)).await.0.unwrap();
        let body = json!({"application_credential": {"name": "ci"}}).to_string();
        let request = http::Request::post(format!(
            "http://127.0.0.1:{}/v3/users/{first}/application_credentials",
            self.port
        ))
        .header("x-auth-token", token)
        .header("content-type", "application/json")
        .body(Bytes::from(body))
        .unwrap();
        assert!(self.plain.send(request).await.unwrap().status().is_success());
        ids
    }

    async fn truth(&self) -> String {
        let domain = self.domain().id;
        let mut all = Vec::new();
        for kind in ["users", "groups"] {
            let list = self.send("GET", &format!("{kind}?domain_id={domain}"), None).await.1;
            for thing in list[kind].as_array().unwrap() {
                let mut shown = thing.to_string();
                if kind == "groups" {
                    let members = self
                        .send("GET", &format!("groups/{}/users", thing["id"].as_str().unwrap()), None)
                        .await
                        .1;
                    shown.push_str(&members["users"].to_string());
                } else {
                    let id = thing["id"].as_str().unwrap();
                    for path in [
                        format!("role_assignments?user.id={id}"),
                        format!("users/{id}/application_credentials"),
                    ] {
                        shown.push_str(&self.send("GET", &path, None).await.1.to_string());
                    }
                }
                all.push(shown);
            }
        }
        all.sort();
        all.join("\n")
    }

    async fn account(&self, id: &str) -> Option<TrueAccount> {
        let domain = self.domain().id;
        let list = async |path: String, key: &str| {
            self.send("GET", &path, None).await.1[key].as_array().unwrap().clone()
        };
        let users = list(format!("users?domain_id={domain}"), "users").await;
        let user = users.iter().find(|user| user["id"] == id)?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let mut groups = Vec::new();
        for group in list(format!("groups?domain_id={domain}"), "groups").await {
            let group = text(&group["id"])?;
            let members = list(format!("groups/{group}/users"), "users").await;
            groups.extend(members.iter().filter(|member| member["id"] == id).map(|_| group.clone()));
        }
        let assigned = list(format!("role_assignments?user.id={id}"), "role_assignments").await;
        let part = |value: &Value| text(value).unwrap_or_default();
        let role =
            |one: &Value| format!("{}:{}", part(&one["scope"]["project"]["id"]), part(&one["role"]["id"]));
        let keys = list(format!("users/{id}/application_credentials"), "application_credentials").await;
        let one = |name: &str| (name.to_owned(), text(&user[name]).into_iter().collect());
        Some(TrueAccount {
            name: text(&user["name"])?,
            marker: text(&user["bailiwick"]),
            usable: user["enabled"] == true,
            attributes: ["name", "email", "description"].map(one).into(),
            held: [
                (AccessClass::DirectGroups, groups),
                (AccessClass::Roles, assigned.iter().map(role).collect()),
                (AccessClass::ApiTokens, keys.iter().filter_map(|key| text(&key["id"])).collect()),
            ]
            .into(),
        })
    }

    fn attributes(&self, name: &str) -> AccountAttributes {
        [("name".to_owned(), name.into()), ("email".to_owned(), "kit@acme.example".into())].into()
    }

    fn change(&self, n: u32) -> AccountAttributes {
        [
            ("description".to_owned(), format!("Desk {n} Ä\"").as_str().into()),
            ("email".to_owned(), format!("kit{n}@acme.example").as_str().into()),
        ]
        .into()
    }

    fn grantable(&self, class: AccessClass, ids: &Ids) -> Option<String> {
        let Domain { project, role, .. } = self.domain();
        match class {
            AccessClass::DirectGroups => Some(ids.groups[0].clone()),
            AccessClass::Roles => Some(format!("{project}:{role}")),
            _ => None,
        }
    }

    fn lose_next_answer(&self) -> bool {
        self.losing.lose_next();
        true
    }

    fn hide_part(&self) -> bool {
        self.cutting.cuts.store(true, Ordering::SeqCst);
        true
    }

    fn writes(&self) -> Option<u64> {
        Some(self.losing.writes())
    }

    fn secret(&self) -> Option<String> {
        Some(SECRET.to_owned())
    }
}
