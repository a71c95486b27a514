//! A vault under test, in this process or a real one: who looks after it past the connector, what is put
//! into it, and lines to it that may do what the documentation says and nothing else.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use async_trait::async_trait;
use bailiwick_connector::{
    Broker, Connector, Line,
    broker::{Transport, TransportError},
    seal::{Credential, CredentialScheme, SealContext, SealKey, Secret},
    testkit::{Fixtures, Hands, Ids, Losing, Seeded, Subject, TrueAccount},
};
use bailiwick_connectors::vault::Vault;
use bailiwick_core::{
    access::AccessClass,
    account::AccountAttributes,
    id::Tenant,
    integration::{Integration, Purpose},
};
use bytes::Bytes;
use serde_json::{Value, json};

/// The token that may do everything, which the connector never gets.
pub const ROOT: &str = "root";
/// What the operator's book says about policies and scope.
const BOOK: &str = include_str!("../../../../docs/connectors/vault.md");

/// A block of the operator's book.
pub fn block(what: &str) -> &'static str {
    let (_, rest) = BOOK.split_once(&format!("\n```{what}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

/// Past the connector, with the root token.
pub struct Admin {
    pub transport: Arc<dyn Transport>,
    pub endpoint: String,
    /// The namespace; empty for the root.
    pub namespace: Mutex<String>,
}

impl Admin {
    /// Asks, and gives the status and the body.
    pub async fn ask_as(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}/v1/{path}", self.endpoint))
            .header("x-vault-token", token);
        let namespace = self.namespace.lock().unwrap().clone();
        if !namespace.is_empty() {
            request = request.header("x-vault-namespace", namespace);
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let response = self.transport.send(request.body(body).unwrap()).await.unwrap();
        let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        (response.status().as_u16(), body)
    }

    /// Asks what must succeed; gives the answer.
    pub async fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        let body = Some(body).filter(|body| !body.is_null());
        let (status, answer) = self.ask_as(ROOT, method, path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// The keys of a list.
    pub async fn keys(&self, path: &str) -> Vec<String> {
        let (_, answer) = self.ask_as(ROOT, "GET", &format!("{path}?list=true"), None).await;
        let keys = answer["data"]["keys"].as_array().cloned().unwrap_or_default();
        keys.iter().map(|key| key.as_str().unwrap().to_owned()).collect()
    }

    /// Makes a token of these policies, which is nobody's, and which the log calls `token-bailiwick`.
    pub async fn token(&self, policies: &[&str]) -> String {
        let asked = json!({"policies": policies, "display_name": "bailiwick"});
        let made = self.ask("POST", "auth/token/create", asked).await;
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// Makes an entity; gives its id.
    pub async fn entity(&self, entity: Value) -> String {
        let made = self.ask("POST", "identity/entity", entity).await;
        made["data"]["id"].as_str().unwrap().to_owned()
    }

    /// The accessor of a mount of logins.
    pub async fn mount(&self, name: &str) -> String {
        let mounts = self.ask("GET", "sys/auth", Value::Null).await;
        mounts["data"][name]["accessor"].as_str().unwrap().to_owned()
    }

    /// Leads a login to an entity.
    pub async fn alias(&self, entity: &str, mount: &str, name: &str) {
        let accessor = self.mount(mount).await;
        let alias = json!({"name": name, "canonical_id": entity, "mount_accessor": accessor});
        self.ask("POST", "identity/entity-alias", alias).await;
    }

    /// The id of the role of AppRole.
    pub async fn role_id(&self, role: &str) -> String {
        let read = self.ask("GET", &format!("auth/approle/role/{role}/role-id"), Value::Null).await;
        read["data"]["role_id"].as_str().unwrap().to_owned()
    }

    /// Makes a secret-id of a role and logs in with it; gives the token, its accessor, and the secret-id's.
    pub async fn login(&self, role: &str) -> (String, String, String) {
        let role_id = self.role_id(role).await;
        let made = self.ask("POST", &format!("auth/approle/role/{role}/secret-id"), json!({})).await;
        let login = json!({"role_id": role_id, "secret_id": made["data"]["secret_id"]});
        let auth = self.ask("POST", "auth/approle/login", login).await["auth"].clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&auth["client_token"]), text(&auth["accessor"]), text(&made["data"]["secret_id_accessor"]))
    }

    /// Whether the system lets the holder of a token in.
    pub async fn lets_in(&self, token: &str) -> bool {
        self.ask_as(token, "GET", "auth/token/lookup-self", None).await.0 == 200
    }

    /// Mounts, policies and roles that the tests need.
    pub async fn furnish(&self) {
        for login in ["userpass", "approle"] {
            self.ask("POST", &format!("sys/auth/{login}"), json!({"type": login})).await;
        }
        let (verify, write, canary) = (block("hcl verify"), block("hcl write"), block("hcl canary"));
        // Where two policies have the same path, what they allow adds up.
        for (name, policy) in [
            ("bailiwick-verify", verify),
            ("bailiwick-write", write),
            ("bailiwick-canary", canary),
            ("kit-held", "path \"x/*\" { capabilities = [\"read\"] }"),
            ("kit-grant", "path \"y/*\" { capabilities = [\"read\"] }"),
        ] {
            self.ask("POST", &format!("sys/policies/acl/{name}"), json!({"policy": policy})).await;
        }
        let role = json!({
            "orphan": true, "allowed_policies": "default", "allowed_entity_aliases": "*",
            "token_explicit_max_ttl": "24h",
        });
        self.ask("POST", "auth/token/roles/bailiwick-canary", role).await;
    }

    /// A token for the purpose, with the policies of the book.
    pub async fn token_for(&self, purpose: Purpose) -> String {
        match purpose.writes() {
            false => self.token(&["bailiwick-verify"]).await,
            true => self.token(&["bailiwick-verify", "bailiwick-write", "bailiwick-canary"]).await,
        }
    }
}

/// Carries requests over another transport and, when asked to, answers questions about single entities and
/// groups as policies do that do not allow them.
pub struct Denying {
    inner: Arc<dyn Transport>,
    denies: AtomicBool,
}

#[async_trait]
impl Transport for Denying {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let path = request.uri().path();
        let single =
            ["/v1/identity/entity/id/", "/v1/identity/group/id/"].iter().any(|p| path.starts_with(p));
        if single && request.method() == http::Method::GET && self.denies.load(Ordering::SeqCst) {
            let said = json!({"errors": ["1 error occurred:\n\t* permission denied\n\n"]});
            let answer = http::Response::builder().status(403).body(said.to_string().into());
            return Ok(answer.unwrap());
        }
        self.inner.send(request).await
    }
}

/// A line to a vault that shows `token`, in the scope of the book.
pub fn line(transport: Arc<dyn Transport>, endpoint: &str, token: &str, purpose: Purpose) -> Line {
    let rules: Vec<&str> = block("text scope").lines().collect();
    let integration: Integration = serde_json::from_value(json!({
        "name": "vault", "purpose": "test", "owner": "hr/1", "backup": "hr/2", "connector": "vault",
        "endpoint": endpoint, "role": "target", "system": "vault",
        "scope": {"rules": rules}, "standing": {"state": "enabled"},
    }))
    .unwrap();
    let chance = Seeded::new(1);
    let key = Arc::new(SealKey::generate(&chance));
    let tenant = Tenant::single();
    let context = SealContext::of(&tenant, &integration, purpose).unwrap();
    let scheme = CredentialScheme::Header { name: "X-Vault-Token".into() };
    let credential = Credential { scheme, secret: Secret::new(token) };
    let sealed = key.seal(&context, &credential, &chance);
    let broker = Broker::new(tenant, transport, Arc::new(Hands::default()), key);
    broker.line(&integration, purpose, Some(&sealed))
}

/// Whether each seed is a namespace of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rooms {
    Root,
    Namespaces,
}

/// One vault with a connector for the kit.
pub struct Tested {
    pub name: String,
    pub admin: Admin,
    rooms: Rooms,
    seeds: AtomicU32,
    losing: Arc<Losing>,
    denying: Arc<Denying>,
    tokens: Mutex<[String; 2]>,
    connector: Mutex<Arc<Vault>>,
}

/// The settings of the tests.
pub fn settings() -> Value {
    json!({
        "attributes": {"department": "department", "email": "mail"},
        "own_leases": ["database/creds/{name}"],
        "batch_tokens": "none",
        "canary_role": "bailiwick-canary",
    })
}

impl Tested {
    /// A vault at `endpoint`, which only the root token knows yet.
    pub async fn new(name: &str, transport: Arc<dyn Transport>, endpoint: &str, rooms: Rooms) -> Self {
        let losing = Arc::new(Losing::new(transport.clone()));
        let denying = Arc::new(Denying { inner: losing.clone(), denies: AtomicBool::new(false) });
        let admin = Admin { transport, endpoint: endpoint.into(), namespace: Mutex::default() };
        let tested = Self {
            name: format!("vault × {name}, {rooms:?}"),
            admin,
            rooms,
            seeds: AtomicU32::new(0),
            losing,
            denying,
            tokens: Mutex::default(),
            connector: Mutex::new(Arc::new(Vault::new(&settings()).unwrap())),
        };
        if rooms == Rooms::Root {
            tested.admin.furnish().await;
            tested.let_in().await;
        }
        tested
    }

    async fn let_in(&self) {
        let tokens =
            [self.admin.token_for(Purpose::Write).await, self.admin.token_for(Purpose::Verify).await];
        *self.tokens.lock().unwrap() = tokens;
    }

    pub fn vault(&self) -> Arc<Vault> {
        self.connector.lock().unwrap().clone()
    }

    /// A line with the policies for the purpose.
    pub fn line_for(&self, purpose: Purpose) -> Line {
        let [write, verify] = self.tokens.lock().unwrap().clone();
        let token = if purpose == Purpose::Write { write } else { verify };
        line(self.denying.clone(), &self.admin.endpoint, &token, purpose)
    }

    /// A line that shows this token.
    pub fn line_with(&self, token: &str) -> Line {
        line(self.denying.clone(), &self.admin.endpoint, token, Purpose::Write)
    }

    /// Makes room for a seed: a namespace of its own, or the root without what was in it.
    async fn clear(&self) {
        let number = self.seeds.fetch_add(1, Ordering::SeqCst);
        self.denying.denies.store(false, Ordering::SeqCst);
        if self.rooms == Rooms::Namespaces {
            self.admin.namespace.lock().unwrap().clear();
            let name = format!("kit{number}");
            self.admin.ask("POST", &format!("sys/namespaces/{name}"), json!({})).await;
            self.admin.namespace.lock().unwrap().clone_from(&name);
            let mut settings = settings();
            settings["namespace"] = name.into();
            *self.connector.lock().unwrap() = Arc::new(Vault::new(&settings).unwrap());
            self.admin.furnish().await;
            return self.let_in().await;
        }
        for kind in ["entity", "group"] {
            for id in self.admin.keys(&format!("identity/{kind}/id")).await {
                self.admin.ask("DELETE", &format!("identity/{kind}/id/{id}"), Value::Null).await;
            }
        }
        for accessor in self.admin.keys("auth/token/accessors").await {
            let asked = json!({"accessor": accessor});
            let token = self.admin.ask("POST", "auth/token/lookup-accessor", asked.clone()).await;
            if token["data"]["entity_id"] != "" {
                self.admin.ask_as(ROOT, "POST", "auth/token/revoke-accessor", Some(asked)).await;
            }
        }
        for role in self.admin.keys("auth/approle/role").await {
            self.admin.ask("DELETE", &format!("auth/approle/role/{role}"), Value::Null).await;
        }
    }
}

#[async_trait]
impl Subject for Tested {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn connector(&self) -> Arc<dyn Connector> {
        self.vault()
    }

    fn line(&self) -> Line {
        self.line_for(Purpose::Write)
    }

    fn reader(&self) -> Line {
        self.line_for(Purpose::Verify)
    }

    async fn seed(&self, fixtures: &Fixtures) -> Ids {
        self.clear().await;
        let mut ids = Ids::default();
        for account in &fixtures.accounts {
            let metadata =
                account.marker.as_ref().map(|marker| json!({"bailiwick": marker, "other": "kept"}));
            let mut entity = json!({"name": account.name, "metadata": metadata, "disabled": !account.live});
            if ids.accounts.is_empty() {
                entity["policies"] = json!(["kit-held"]);
            }
            ids.accounts.push(self.admin.entity(entity).await);
        }
        for group in &fixtures.groups {
            let members: Vec<&String> = group.members.iter().map(|at| &ids.accounts[*at]).collect();
            // The first account is in the first group; by that one it is in the empty one.
            let inner = &ids.groups[..usize::from(members.is_empty())];
            let group = json!({"name": group.name, "member_entity_ids": members, "member_group_ids": inner});
            let made = self.admin.ask("POST", "identity/group", group).await;
            ids.groups.push(made["data"]["id"].as_str().unwrap().to_owned());
        }
        // Two logins lead to the first account; one of them was used twice.
        self.admin.ask("POST", "auth/approle/role/svc", json!({"token_policies": "kit-held"})).await;
        self.admin.alias(&ids.accounts[0], "approle/", &self.admin.role_id("svc").await).await;
        self.admin.alias(&ids.accounts[0], "userpass/", "ann").await;
        for _ in 0..2 {
            self.admin.login("svc").await;
        }
        ids
    }

    async fn truth(&self) -> String {
        let mut truth = Vec::new();
        for kind in ["entity", "group"] {
            for id in self.admin.keys(&format!("identity/{kind}/id")).await {
                let mut read = self.admin.ask("GET", &format!("identity/{kind}/id/{id}"), Value::Null).await;
                // Lists of ids come in any order.
                for list in read["data"].as_object_mut().unwrap().values_mut() {
                    if let Value::Array(list) = list {
                        list.sort_by_key(Value::to_string);
                    }
                }
                truth.push(read["data"].to_string());
            }
        }
        for accessor in self.admin.keys("auth/token/accessors").await {
            let asked = json!({"accessor": accessor});
            let token = self.admin.ask("POST", "auth/token/lookup-accessor", asked).await;
            truth.push(format!("{accessor} {}", token["data"]["entity_id"]));
        }
        for role in self.admin.keys("auth/approle/role").await {
            let path = format!("auth/approle/role/{role}/secret-id");
            truth.push(format!("{role} {:?}", self.admin.keys(&path).await));
        }
        truth.join("\n")
    }

    async fn account(&self, id: &str) -> Option<TrueAccount> {
        let (status, read) = self.admin.ask_as(ROOT, "GET", &format!("identity/entity/id/{id}"), None).await;
        let entity = Some(&read["data"]).filter(|_| status == 200)?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let texts =
            |value: &Value| value.as_array().into_iter().flatten().filter_map(text).collect::<Vec<_>>();
        let (mut groups, mut tokens, mut secrets) = (Vec::new(), Vec::new(), Vec::new());
        for group in self.admin.keys("identity/group/id").await {
            let read = self.admin.ask("GET", &format!("identity/group/id/{group}"), Value::Null).await;
            let members = texts(&read["data"]["member_entity_ids"]);
            groups.extend(members.iter().filter(|member| *member == id).map(|_| group.clone()));
        }
        for accessor in self.admin.keys("auth/token/accessors").await {
            let asked = json!({"accessor": accessor});
            let token = self.admin.ask("POST", "auth/token/lookup-accessor", asked).await;
            tokens.extend((token["data"]["entity_id"] == id).then_some(accessor));
        }
        let logins: Vec<String> =
            entity["aliases"].as_array().into_iter().flatten().filter_map(|a| text(&a["name"])).collect();
        for role in self.admin.keys("auth/approle/role").await {
            if logins.contains(&self.admin.role_id(&role).await) {
                secrets.extend(self.admin.keys(&format!("auth/approle/role/{role}/secret-id")).await);
            }
        }
        let one = |name: &str, value: &Value| (name.to_owned(), text(value).into_iter().collect());
        Some(TrueAccount {
            name: text(&entity["name"])?,
            marker: text(&entity["metadata"]["bailiwick"]),
            usable: entity["disabled"] == false,
            attributes: [
                one("name", &entity["name"]),
                one("department", &entity["metadata"]["department"]),
                one("email", &entity["metadata"]["mail"]),
            ]
            .into(),
            held: [
                (AccessClass::DirectGroups, groups),
                (AccessClass::Roles, texts(&entity["policies"])),
                (AccessClass::VaultTokens, tokens),
                (AccessClass::ApiTokens, secrets),
            ]
            .into(),
        })
    }

    fn attributes(&self, name: &str) -> AccountAttributes {
        [("name".to_owned(), name.into()), ("email".to_owned(), "kit@acme.example".into())].into()
    }

    fn change(&self, n: u32) -> AccountAttributes {
        [
            ("department".to_owned(), format!("R&D {n} Ä\"\n").as_str().into()),
            ("email".to_owned(), format!("kit{n}@acme.example").as_str().into()),
        ]
        .into()
    }

    fn grantable(&self, class: AccessClass, ids: &Ids) -> Option<String> {
        match class {
            AccessClass::DirectGroups => Some(ids.groups[0].clone()),
            AccessClass::Roles => Some("kit-grant".into()),
            _ => None,
        }
    }

    fn lose_next_answer(&self) -> bool {
        self.losing.lose_next();
        true
    }

    fn hide_part(&self) -> bool {
        self.denying.denies.store(true, Ordering::SeqCst);
        true
    }

    fn writes(&self) -> Option<u64> {
        Some(self.losing.writes())
    }

    fn secret(&self) -> Option<String> {
        Some(self.tokens.lock().unwrap()[0].clone())
    }
}
