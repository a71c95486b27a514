//! The audit log of a real OpenBao, as its audit device `file` writes it: the hub's changes are in it under its name, what
//! others did is told by whom, and it goes on where the server begins another file.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "support/folder.rs"]
mod folder;
#[path = "support/page.rs"]
mod page;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/vault.rs"]
mod vault;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/vault_server.rs"]
mod vault_server;

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use bailiwick_connector::{
    Applied, Capability, Connector, Entry, Issued, Line, Listing, Locator, Object, Page, Read, Result, Start,
    Visit,
    seal::Secret,
    testkit::{self, Fixtures, Ids, Subject, TrueAccount},
};
use bailiwick_connectors::{vault::Vault, vault_log::VaultLog};
use bailiwick_core::{
    access::AccessClass, account::AccountAttributes, audit, integration::Purpose, plan::Op, time::Timestamp,
};
use serde_json::{Value, json};
use vault::{ROOT, Rooms, Tested};
use vault_server::Server;

/// What the log calls the tokens of the connector.
const HUB: &str = "token-bailiwick";

/// A vault and its log, as one.
struct Logged {
    vault: Arc<Vault>,
    capability: Capability,
    log: VaultLog,
    folder: Line,
}

#[async_trait]
impl Connector for Logged {
    fn capability(&self) -> &Capability {
        &self.capability
    }

    async fn check(&self, line: &Line) -> Result<()> {
        self.log.check(&self.folder).await?;
        self.vault.check(line).await
    }

    async fn list(
        &self,
        line: &Line,
        listing: Listing<'_>,
        cursor: Option<&str>,
        size: u32,
        visit: Visit<'_>,
    ) -> Result<Page> {
        self.vault.list(line, listing, cursor, size, visit).await
    }

    async fn audit(&self, _: &Line, from: Start<'_>, size: u32, read: Read<'_>) -> Result<()> {
        self.log.audit(&self.folder, from, size, read).await
    }

    async fn get(&self, line: &Line, locator: Locator<'_>) -> Result<Option<Object<'static>>> {
        self.vault.get(line, locator).await
    }

    async fn apply(
        &self,
        line: &Line,
        account: Option<&str>,
        op: &Op,
        precondition: Option<&str>,
        key: &str,
    ) -> Result<Applied> {
        self.vault.apply(line, account, op, precondition, key).await
    }

    async fn issue(&self, line: &Line, account: &str, class: AccessClass, secret: Secret) -> Result<Issued> {
        self.vault.issue(line, account, class, secret).await
    }

    async fn attempt(&self, line: &Line, issued: &Issued) -> Result<Entry> {
        self.vault.attempt(line, issued).await
    }
}

/// What the kit tests: a vault whose log is read.
struct WithLog<'s>(&'s Server);

impl WithLog<'_> {
    fn vault(&self) -> &Tested {
        &self.0.tested
    }
}

#[async_trait]
impl Subject for WithLog<'_> {
    fn name(&self) -> String {
        self.vault().name().replace("openbao", "openbao and its log")
    }

    fn connector(&self) -> Arc<dyn Connector> {
        let namespace = self.vault().admin.namespace.lock().unwrap().clone();
        let vault = self.vault().vault();
        Arc::new(Logged {
            capability: Capability { audits: true, ..vault.capability().clone() },
            vault,
            log: VaultLog::new(&json!({"ours": [HUB], "namespace": namespace})).unwrap(),
            folder: folder::line(&self.0.folder()),
        })
    }

    fn line(&self) -> Line {
        self.vault().line()
    }

    fn reader(&self) -> Line {
        self.vault().reader()
    }

    async fn seed(&self, fixtures: &Fixtures) -> Ids {
        self.vault().seed(fixtures).await
    }

    async fn truth(&self) -> String {
        self.vault().truth().await
    }

    async fn account(&self, id: &str) -> Option<TrueAccount> {
        self.vault().account(id).await
    }

    fn attributes(&self, name: &str) -> AccountAttributes {
        self.vault().attributes(name)
    }

    fn change(&self, n: u32) -> AccountAttributes {
        self.vault().change(n)
    }

    fn grantable(&self, class: AccessClass, ids: &Ids) -> Option<String> {
        self.vault().grantable(class, ids)
    }

    fn lose_next_answer(&self) -> bool {
        self.vault().lose_next_answer()
    }

    fn hide_part(&self) -> bool {
        self.vault().hide_part()
    }

    fn writes(&self) -> Option<u64> {
        self.vault().writes()
    }

    fn secret(&self) -> Option<String> {
        self.vault().secret()
    }
}

#[tokio::test]
async fn the_contract_holds() {
    for rooms in [Rooms::Root, Rooms::Namespaces] {
        page::kept(&testkit::run(&WithLog(&Server::start(rooms).await)).await);
    }
    page::all_kept("the_contract_holds");
}

/// Reads the log.
struct Reading {
    log: VaultLog,
    folder: PathBuf,
    mark: Option<String>,
}

impl Reading {
    fn of(server: &Server, ours: &str) -> Self {
        let log = VaultLog::new(&json!({"ours": [ours], "rotated": "audit.log.1"})).unwrap();
        Self { log, folder: server.folder(), mark: None }
    }

    /// What was done since the last time.
    async fn since(&mut self) -> Vec<audit::Entry> {
        let line = folder::line(&self.folder);
        let mut all = Vec::new();
        let from = self.mark.as_deref().map_or(Start::Instant(Timestamp::UNIX_EPOCH), Start::Mark);
        self.log.audit(&line, from, 10_000, &mut |entry| all.push(entry)).await.unwrap();
        self.mark = all.last().map(|entry| entry.mark.clone()).or(self.mark.take());
        all
    }

    /// The same in short; everything is by this actor.
    async fn by(&mut self, actor: &str) -> Vec<String> {
        let all = self.since().await;
        assert!(all.iter().all(|entry| entry.actor.starts_with(&format!("{actor} ("))), "{all:?}");
        all.iter().map(short).collect()
    }
}

fn short(entry: &audit::Entry) -> String {
    let whom = entry.account.as_deref().or(entry.name.as_deref()).or(entry.group.as_deref());
    format!("{} {:?} {}", entry.deed, entry.about, whom.unwrap_or("?"))
}

/// Somebody with a login who may do everything; gives their token and their entity.
async fn administrator(tested: &Tested, name: &str) -> (String, String) {
    let all =
        "path \"*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\", \"sudo\"] }";
    tested.admin.ask("POST", "sys/policies/acl/all", json!({"policy": all})).await;
    let user = json!({"password": "of-theirs", "token_policies": "all"});
    tested.admin.ask("POST", &format!("auth/userpass/users/{name}"), user).await;
    let login = format!("auth/userpass/login/{name}");
    let auth = tested.admin.ask("POST", &login, json!({"password": "of-theirs"})).await["auth"].clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&auth["client_token"]), text(&auth["entity_id"]))
}

#[tokio::test]
async fn what_others_do_is_told_by_whom() {
    let server = Server::start(Rooms::Root).await;
    let tested = &server.tested;
    let (alice, entity) = administrator(tested, "alice").await;
    let ann = tested.admin.entity(json!({"name": "ann"})).await;
    let group = tested.admin.ask("POST", "identity/group", json!({"name": "ops"})).await;
    let group = group["data"]["id"].as_str().unwrap().to_owned();
    tested.admin.ask("POST", "auth/approle/role/ann", json!({"token_policies": "default"})).await;
    let (_, accessor, secret) = tested.admin.login("ann").await;
    let mut log = Reading::of(&server, HUB);
    log.since().await;

    let does = async |method: &str, path: &str, body: Value| {
        let (status, said) = tested.admin.ask_as(&alice, method, path, Some(body)).await;
        assert!((200..300).contains(&status), "{path}: {status} {said}");
    };
    does("POST", &format!("identity/entity/id/{ann}"), json!({"disabled": true})).await;
    does("POST", &format!("identity/entity/id/{ann}"), json!({"policies": ["default"]})).await;
    does("POST", "identity/entity/name/ann", json!({"metadata": {"team": "red"}})).await;
    does("POST", &format!("identity/group/id/{group}"), json!({"member_entity_ids": [ann]})).await;
    does("POST", "auth/token/revoke-accessor", json!({"accessor": accessor})).await;
    does("POST", "auth/approle/role/ann/secret-id-accessor/destroy", json!({"secret_id_accessor": secret}))
        .await;
    does("POST", "identity/entity", json!({"name": "eve"})).await;
    does("POST", "identity/entity", json!({"name": "eve", "policies": ["default"]})).await;
    does("POST", "identity/entity/name/mallory", json!({})).await;
    does("POST", "auth/token/create", json!({})).await;
    does("DELETE", &format!("identity/group/id/{group}"), Value::Null).await;
    does("DELETE", &format!("identity/entity/id/{ann}"), Value::Null).await;
    assert_eq!(
        log.by("userpass-alice").await,
        [
            format!("update identity/entity/id Taken(PrimaryAccount) {ann}"),
            format!("update identity/entity/id Changed(Roles) {ann}"),
            "update identity/entity/name Changed(PrimaryAccount) ann".to_owned(),
            format!("update identity/group/id Changed(DirectGroups) {group}"),
            "update auth/token/revoke Taken(VaultTokens) ?".to_owned(),
            "update auth/approle/role Taken(ApiTokens) ?".to_owned(),
            "update identity/entity Given(PrimaryAccount) ?".to_owned(),
            "update identity/entity Changed(Roles) ?".to_owned(),
            "update identity/entity/name Given(PrimaryAccount) ?".to_owned(),
            format!("update auth/token/create Given(VaultTokens) {entity}"),
            format!("delete identity/group/id Taken(DirectGroups) {group}"),
            format!("delete identity/group/id Taken(NestedGroups) {group}"),
            format!("delete identity/entity/id End {ann}"),
        ]
    );
    // What is refused, by the policies or by what is behind the path, was not done. Neither is what is only asked.
    for (token, path) in [(alice.as_str(), "identity/entity/id/nobody"), ("else", "identity/entity/name/eve")]
    {
        let disable = Some(json!({"disabled": true}));
        assert!(tested.admin.ask_as(token, "POST", path, disable).await.0 >= 400);
    }
    tested.admin.ask("GET", "identity/entity/name/eve", Value::Null).await;
    tested.admin.ask("POST", "identity/lookup/entity", json!({"name": "eve"})).await;
    administrator(tested, "alice").await;
    assert_eq!(log.since().await, []);
}

#[tokio::test]
async fn the_log_goes_on_in_the_file_that_the_server_begins() {
    let server = Server::start(Rooms::Root).await;
    let tested = &server.tested;
    let ann = tested.admin.entity(json!({"name": "ann"})).await;
    let mut log = Reading::of(&server, HUB);
    log.since().await;
    let (vault, line) = (tested.vault(), tested.line_for(Purpose::Write));
    let apply = async |op: Op| vault.apply(&line, Some(&ann), &op, None, "key").await.unwrap();
    apply(Op::Disable { way: 0 }).await;
    server.rotate().await;
    apply(Op::Enable).await;
    let seen = log.since().await;
    let ours: Vec<_> = seen.iter().map(|entry| (entry.ours, short(entry))).collect();
    let said = |about: &str| (true, format!("update identity/entity/id {about}(PrimaryAccount) {ann}"));
    assert_eq!(ours, [said("Taken"), said("Given")]);
    assert_eq!(log.since().await, []);
    // Where the one before is not kept, it is lost.
    apply(Op::Disable { way: 0 }).await;
    log.since().await;
    server.rotate().await;
    std::fs::remove_file(server.folder().join("audit.log.1")).unwrap();
    tested.admin.ask_as(ROOT, "GET", "sys/health", None).await;
    let (folder, mark) = (folder::line(&server.folder()), log.mark.clone().unwrap());
    let lost = log.log.audit(&folder, Start::Mark(&mark), 1, &mut |_| {}).await.unwrap_err();
    assert_eq!(lost.code(), audit::LOST);
}
