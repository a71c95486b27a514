//! Where the tests of this room happen: a hub on a socket, two sources that push, and a simulated chat whose truth is
//! what is judged.

use std::sync::Arc;

use bailiwick_core::{
    gate::{Certificate, Gate, covers},
    id::{ApprovalId, IntegrationName, PlanId, SystemName, Tenant},
    integration::{Integration, Purpose},
    record::{Actor, Record, RecordKind},
};
use bailiwick_engine::Engine;
use bailiwick_lab::{Lab, LabClock, Seed, SystemSpec, Tokens};
use bailiwick_store::{Entity, Select, Update, get, select};
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};

use crate::{bare_tests, clock::SystemClock, config, entrance::Entrance, open, serve::Running};

/// What is declared. `idp` may say everything of its contract but `title`; `agency` only says something of people in
/// Sales; `hr` is read, and `helpdesk` is a partner.
const CONFIGURATION: &str = r#"
[system.chat]
title = "Team chat"
classes = ["primary-account", "direct-groups", "sessions"]
on_leave = "disable"
convergence = "1s"
account = { userName = "{email}", displayName = "{display_name}", title = "?{department}" }

[entitlement."chat/account"]
class = "primary-account"

[entitlement."chat/builders"]
class = "direct-groups"
label = "Builders"

[entitlement."chat/admins"]
class = "direct-groups"
label = "Admins"
privileged = true

[integration.chat]
purpose = "Accounts of the chat"
owner = "hr/1"
backup = "hr/2"
boundary = "inside"
vendor = "Chatterbox"
data_flows = ["names"]
privilege_flows = ["groups"]
connector = "scim"
endpoint = "CHAT"
system = "chat"
settings = { base = "/scim/v2" }
scope = [
  "discover GET /scim/v2/ServiceProviderConfig", "discover GET /scim/v2/Schemas", "list GET /scim/v2/Users",
  "get GET /scim/v2/Users", "get GET /scim/v2/Users/{id}", "create POST /scim/v2/Users",
  "update PATCH /scim/v2/Users/{id}", "update PUT /scim/v2/Users/{id}", "delete DELETE /scim/v2/Users/{id}",
  "list GET /scim/v2/Groups", "get GET /scim/v2/Groups", "get GET /scim/v2/Groups/{id}",
  "grant PATCH /scim/v2/Groups/{id}", "revoke PATCH /scim/v2/Groups/{id}",
]

[integration.idp]
purpose = "The identity provider pushes who is there"
owner = "hr/1"
backup = "hr/2"
boundary = "the provider's cloud"
vendor = "Idp Ltd"
data_flows = ["people → hub"]
privilege_flows = ["who is there → all"]
connector = "scim-push"
endpoint = "https://idp.example.com"
source = "idp"
writes_per_minute = 100000
acts = [
  "identity", "attribute email", "attribute display_name", "attribute department", "attribute manager", "attribute teams",
  "attribute site", "attribute clearance",
]

[integration.idp.settings]
map = { site = "urn:acme:hr:2.0:User:site", clearance = "nickName" }
end = "urn:acme:hr:2.0:User:lastDay"
groups = { attribute = "teams", names = ["Builders", "Painters"] }

[integration.idp.contract]
max_loss_percent = 1
always_allowed = 0
min_rows = 1000

[integration.idp.contract.attributes]
email = { type = "text", required = true, unique = true }
display_name = { type = "text", required = true }
department = { type = "text" }
manager = { type = "text" }
title = { type = "text" }
site = { type = "text" }
clearance = { type = "text" }
teams = { type = "text-set" }

[integration.agency]
purpose = "The agency pushes its salespeople"
owner = "hr/1"
backup = "hr/2"
boundary = "the agency's cloud"
vendor = "Agency Ltd"
data_flows = ["people → hub"]
privilege_flows = ["who is there → all"]
connector = "scim-push"
endpoint = "https://agency.example.com"
source = "agency"
acts = ["identity", "attribute email", "attribute display_name", "attribute department"]
writes_per_minute = 100
population = { department = ["Sales"] }

[integration.agency.contract.attributes]
email = { type = "text", required = true }
display_name = { type = "text", required = true }
department = { type = "text" }

[integration.hr]
purpose = "Files of people"
owner = "hr/1"
backup = "hr/2"
boundary = "inside"
vendor = "Hr Ltd"
data_flows = ["people → hub"]
privilege_flows = ["who is there → all"]
connector = "csv"
endpoint = "file:feeds/hr"
source = "hr"
scope = ["list READ /{file}"]
settings = { file = "current.csv", key = "id" }

[integration.hr.contract.attributes]
email = { type = "text", required = true }
display_name = { type = "text", required = true }

[integration.helpdesk]
partner = true
purpose = "Notes"
owner = "hr/1"
backup = "hr/2"
boundary = "inside"
vendor = "Desk Ltd"
data_flows = ["notes → hub"]
privilege_flows = ["none"]
connector = "manual"
endpoint = "person:"
acts = ["signal"]
"#;

const POLICIES: &str = r#"
@id("rule-any") permit(principal is Rule, action == Action::"approve", resource) when { !resource.privileged && !resource.destructive };
@id("person-any") permit(principal is Operator, action == Action::"approve", resource) when { principal.roles.contains("approver") };
@id("chat-all") permit(principal, action == Action::"hold", resource == Entitlement::"chat/account");
@id("chat-build") permit(principal, action == Action::"hold", resource == Entitlement::"chat/builders")
  when { principal has teams && principal.teams.contains("Builders") };
@id("chat-admin") permit(principal, action == Action::"hold", resource == Entitlement::"chat/admins")
  when { principal has clearance && principal.clearance == "root" };
"#;

struct Now;

impl LabClock for Now {
    fn now_ms(&self) -> i64 {
        use bailiwick_core::time::Clock;
        SystemClock.now().as_millisecond()
    }
}

/// The stage.
pub struct Stage {
    _dir: tempfile::TempDir,
    pub engine: Arc<Engine>,
    pub running: Option<Running>,
    pub url: String,
    client: reqwest::Client,
    lab: Lab,
    /// The tokens of `idp` and of `agency`, and the operator's.
    pub idp: String,
    pub agency: String,
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
    /// A text in the body.
    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The stable code of a fault.
    pub fn code(&self) -> &str {
        self.text("/detail").split(':').next().unwrap_or_default()
    }

    pub fn id(&self) -> String {
        self.text("/id").to_owned()
    }
}

fn name(text: &str) -> IntegrationName {
    IntegrationName::new(text).unwrap()
}

impl Stage {
    pub async fn start() -> Self {
        let (dir, opened, token) = bare_tests::set_up("ada").await;
        let engine = opened.engine.clone();
        let tokens = Tokens { write: "chat-write".into(), read: "chat-read".into() };
        let lab = Lab::new(Arc::new(Now), vec![SystemSpec::new("chat", 1, tokens)]).unwrap();
        let groups =
            json!([{ "name": "Builders", "id": "g-builders" }, { "name": "Admins", "id": "g-admins" }]);
        let seed: Seed =
            serde_json::from_value(json!({ "groups": groups, "users": [], "licences": [], "tokens": [],
            "sessions": [], "leave": [], "delete": [] }))
            .unwrap();
        lab.seed("chat", &seed).unwrap();
        let chat = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let chat_url = format!("http://{}/chat", chat.local_addr().unwrap());
        tokio::spawn(bailiwick_lab::serve(lab.clone(), chat, std::future::pending()));
        let text = CONFIGURATION.replace("CHAT", &chat_url);
        let bundle = [("all.toml".to_owned(), text), ("all.cedar".to_owned(), POLICIES.to_owned())].into();
        let wanted = config::parse(&bundle).unwrap();
        let change = engine.configuration_change(&wanted).await.unwrap();
        engine.configure(&wanted, change.digest, Actor::Operator("test".into())).await.unwrap();
        while engine.work().await.unwrap().taken > 0 {}
        for (purpose, token) in [(Purpose::Write, "chat-write"), (Purpose::Verify, "chat-read")] {
            let secret = open::credential(bailiwick_connector::seal::CredentialScheme::Bearer, token);
            let by = Actor::Operator("test".into());
            engine.seal_credential(&name("chat"), purpose, secret, by).await.unwrap();
        }
        for integration in ["chat", "idp", "agency", "hr", "helpdesk"] {
            certify(&engine, &name(integration)).await;
        }
        // The groups of the chat are known by their names from now on.
        engine.reconcile(&SystemName::new("chat").unwrap(), true).await.unwrap();
        let admitted = async |caller: &str| {
            engine.admit_caller(&name(caller), 1, Actor::Operator("ada".into())).await.unwrap().1
        };
        let (idp, agency) = (admitted("idp").await, admitted("agency").await);
        let (running, client) = bare_tests::run(opened, Entrance::default()).await;
        let url = format!("http://{}", running.address);
        let operator = token.secret;
        Self { _dir: dir, engine, running: Some(running), url, client, lab, idp, agency, operator }
    }

    /// A token for another integration.
    pub async fn admit(&self, caller: &str) -> String {
        self.engine.admit_caller(&name(caller), 1, Actor::Operator("ada".into())).await.unwrap().1
    }

    /// Calls with a token and headers.
    pub async fn call_with(
        &self,
        (method, path): (Method, &str),
        token: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Reply {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.body(body).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await.unwrap();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        if !bytes.is_empty() && path.starts_with("/scim") {
            assert_eq!(headers["content-type"], "application/scim+json", "{path}");
        }
        if status >= 400 && path.starts_with("/scim") {
            assert_eq!(
                body["schemas"],
                json!(["urn:ietf:params:scim:api:messages:2.0:Error"]),
                "{path} {body}"
            );
            assert_eq!(body["status"], json!(status.to_string()), "{path}");
        }
        Reply { status, headers, body }
    }

    /// Calls as `idp`, below the base.
    pub async fn idp(&self, method: &str, path: &str, body: Value) -> Reply {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let headers = [("content-type", "application/scim+json")];
        self.call_with((method, &format!("/scim/v2{path}")), &self.idp, &headers, body).await
    }

    /// Makes a user of `idp`; gives its id.
    pub async fn user(&self, name: &str, more: Value) -> String {
        let made = self.idp("POST", "/Users", user(name, more)).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.id()
    }

    /// Waits until nothing is left to do.
    pub async fn quiet(&self) {
        let path = "/api/v1/status?wait=60";
        let reply = self.call_with((Method::GET, path), &self.operator, &[], Vec::new()).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    /// Whether somebody can sign in to the chat; `None` where there is no such account.
    pub fn active(&self, user_name: &str) -> Option<bool> {
        self.lab.truth("chat").unwrap().user(user_name).map(|user| user.active)
    }

    /// Whether somebody is in a group of the chat.
    pub fn is_in(&self, user_name: &str, group: &str) -> bool {
        let truth = self.lab.truth("chat").unwrap();
        truth.user(user_name).is_some_and(|user| user.groups.iter().any(|id| *id == format!("g-{group}")))
    }

    /// Every row of a kind.
    pub async fn all<T: Entity>(&self) -> Vec<T> {
        let mut tx = self.engine.parts().store.read().await.unwrap();
        let rows = select::<T>(&mut *tx, &Tenant::single(), Select::from(T::TABLE)).await.unwrap();
        rows.into_iter().map(|stored| stored.value).collect()
    }

    pub async fn stop(mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await.unwrap();
        }
    }
}

/// A user, as an identity provider sends one.
pub fn user(name: &str, more: Value) -> Value {
    let mut user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name, "active": true,
        "displayName": name, "emails": [{ "value": name, "type": "work", "primary": true }],
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        user[key] = value.clone();
    }
    user
}

/// A PATCH of these operations.
pub fn patch(operations: Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}

/// Both gates of an integration are open as it is declared.
async fn certify(engine: &Engine, integration: &IntegrationName) {
    let parts = engine.parts();
    let (tenant, chance, now) = (Tenant::single(), &*parts.entropy, engine.now());
    let mut tx = parts.store.begin().await.unwrap();
    let mut stored =
        get::<Integration>(&mut *tx, &tenant, integration.as_str()).await.unwrap().expect("it is declared");
    let authority = engine.catalogue(&mut *tx).await.unwrap().authority(integration).unwrap().clone();
    let mut update =
        Update::new(Record::new(RecordKind::Approved, now, Actor::Operator("test".into()), chance));
    stored.value.gates = Default::default();
    for gate in Gate::ALL {
        let (id, covers) = (ApprovalId::new(now, chance), covers(gate, stored.value.declared(), &authority));
        let mut approval: bailiwick_core::approval::Approval = serde_json::from_value(json!({
            "id": id, "plan": PlanId::new(now, chance), "digest": covers, "by": "rule", "policies": [],
            "at": now, "expires": now, "used": now,
        }))
        .unwrap();
        approval.covers = vec![covers];
        approval.seal = parts.broker.attest(&approval.sealed_bytes());
        update = update.insert(&approval, chance);
        let certificate = Certificate { approval: id, covers, authority: authority.clone(), at: now };
        stored.value.gates.set(gate, Some(certificate));
    }
    let update = update.replace(&stored.value, stored.revision, chance);
    tx.write(&tenant, vec![update], chance).await.unwrap();
    tx.commit().await.unwrap();
}
