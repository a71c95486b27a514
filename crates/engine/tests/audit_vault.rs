//! A vault whose log is an integration of its own, on a real OpenBao: the hub's changes are in it, a difference says who
//! made it, and who has the hub's token or takes a line out of the log is found.

#![allow(clippy::unwrap_used, reason = "a test")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/vault.rs"]
mod vault;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/vault_server.rs"]
mod vault_server;
mod world;

use bailiwick_connector::seal::{Credential, CredentialScheme, Secret};
use bailiwick_core::{
    id::{IntegrationName, SystemName},
    integration::Purpose,
    record::Actor,
    time::{SignedDuration, Timestamp},
};
use bailiwick_engine::{Audited, Configuration, Reconciled, TriedVerdict};
use serde_json::{Value, json};
use vault::Rooms;
use vault_server::Server;
use world::{Passing, World};

const ANN: &str = "1,Ann,ann@x.test,Engineering,,active";
const BO: &str = "2,Bo,bo@x.test,Finance,,active";
const CY: &str = "3,Cy,cy@x.test,Engineering,,active";

/// A hub with a vault and its log.
struct Hub {
    world: World,
    server: Server,
    /// The hub's own, for writing.
    token: String,
    alice: String,
    group: String,
}

fn it() -> SystemName {
    "it".parse().unwrap()
}

/// When a line of the log was written.
fn at(line: &str) -> Timestamp {
    serde_json::from_str::<Value>(line).unwrap()["time"].as_str().unwrap().parse().unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn declare(configuration: &mut Configuration, server: &Server, entity: &str) {
    let system = json!({
        "name": "it", "title": "It", "classes": ["primary-account", "direct-groups", "vault-tokens"],
        "on_leave": "disable", "convergence_ms": 0, "retention_days": 30, "audit_lag_ms": 0,
        "account": { "name": "{email}" },
    });
    configuration.systems.push(serde_json::from_value(system).unwrap());
    for (name, class, label) in
        [("it/account", "primary-account", "account"), ("it/ops", "direct-groups", "ops")]
    {
        let entitlement = json!({ "name": name, "class": class, "label": label, "privileged": false });
        configuration.entitlements.push(serde_json::from_value(entitlement).unwrap());
    }
    configuration.policies[0].text.push_str(
        r#"@id("it-all") permit(principal, action == Action::"hold", resource == Entitlement::"it/account");
        @id("it-ops") permit(principal, action == Action::"hold", resource == Entitlement::"it/ops")
        when { principal.department == "Engineering" };"#,
    );
    let of = |name: &str, connector: &str, endpoint: &str, role: &str, settings: Value, rules: Value| {
        let integration = json!({
            "name": name, "purpose": "accounts", "owner": "hr/1", "backup": "hr/2", "connector": connector,
            "endpoint": endpoint, "role": role, "system": "it", "settings": settings, "scope": { "rules": rules },
            "standing": { "state": "enabled" }, "register": world::register(),
        });
        serde_json::from_value(integration).unwrap()
    };
    let rules: Vec<&str> = vault::block("text scope").lines().collect();
    let endpoint = &server.tested.admin.endpoint;
    configuration.integrations.push(of("it", "vault", endpoint, "target", vault::settings(), json!(rules)));
    let (folder, rules) = (format!("file:{}", server.folder().display()), json!(["list READ /{file}"]));
    configuration.integrations.push(of(
        "it-log",
        "vault-log",
        &folder,
        "log",
        json!({"ours": [entity]}),
        rules,
    ));
}

impl Hub {
    async fn start(seed: u64) -> Self {
        let server = Server::start(Rooms::Root).await;
        let admin = &server.tested.admin;
        // As the book has it: the hub's token has an entity.
        let role = json!({
            "allowed_entity_aliases": "bailiwick",
            "allowed_policies": "bailiwick-verify,bailiwick-write,bailiwick-canary",
        });
        admin.ask("POST", "auth/token/roles/bailiwick", role).await;
        let asked = json!({"entity_alias": "bailiwick"});
        let auth = admin.ask("POST", "auth/token/create/bailiwick", asked).await["auth"].clone();
        let (token, entity) = (text(&auth["client_token"]), text(&auth["entity_id"]));
        let group = admin.ask("POST", "identity/group", json!({"name": "ops"})).await;
        let group = text(&group["data"]["id"]);
        let all = "path \"*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"sudo\"] }";
        admin.ask("POST", "sys/policies/acl/all", json!({"policy": all})).await;
        let user = json!({"password": "of-alice", "token_policies": "all"});
        admin.ask("POST", "auth/userpass/users/alice", user).await;
        let login = json!({"password": "of-alice"});
        let alice = admin.ask("POST", "auth/userpass/login/alice", login).await;
        let alice = text(&alice["auth"]["client_token"]);

        let hub = Self { world: World::new(seed, &[]).await, server, token, alice, group };
        // The log says when by the server's clock, so the hub's is to be that too.
        hub.catch_up().await;
        hub.world.configure_with(|configuration| declare(configuration, &hub.server, &entity)).await;
        for purpose in [Purpose::Write, Purpose::Verify] {
            let scheme = CredentialScheme::Header { name: "X-Vault-Token".into() };
            let credential = Credential { scheme, secret: Secret::new(hub.token.clone()) };
            let (it, by) = (IntegrationName::new("it").unwrap(), Actor::Operator("test".into()));
            hub.world.engine.seal_credential(&it, purpose, credential, by).await.unwrap();
        }
        hub
    }

    /// Sets the hub's clock by the server's, as the last line of the log has it.
    async fn catch_up(&self) {
        self.server.tested.admin.ask("GET", "sys/auth", Value::Null).await;
        let log = std::fs::read_to_string(self.server.folder().join("audit.log")).unwrap();
        let ahead = at(log.lines().last().unwrap()).duration_since(self.world.clock());
        // Both are written down to a millisecond at best, and what is as young as that is not compared yet.
        self.world.pass(ahead + SignedDuration::from_millis(2));
    }

    async fn deliver(&mut self, people: &[&str]) {
        self.catch_up().await;
        self.world.deliver(people).await.unwrap();
        self.world.quiet_for(SignedDuration::ZERO).await;
    }

    async fn reconcile(&self) -> Reconciled {
        self.catch_up().await;
        self.world.engine.reconcile(&it(), true).await.unwrap()
    }

    async fn audit(&self) -> Audited {
        self.catch_up().await;
        self.world.engine.audit(&it()).await.unwrap()
    }

    /// Does something as the holder of a token.
    async fn as_(&self, token: &str, path: &str, body: Value) -> Value {
        let (status, said) = self.server.tested.admin.ask_as(token, "POST", path, Some(body)).await;
        assert!((200..300).contains(&status), "{path}: {status} {said}");
        said
    }

    async fn entity(&self, name: &str) -> Value {
        self.server.tested.admin.ask("GET", &format!("identity/entity/name/{name}"), Value::Null).await["data"]
            .clone()
    }

    async fn id(&self, name: &str) -> String {
        text(&self.entity(name).await["id"])
    }

    async fn members(&self) -> Value {
        let path = format!("identity/group/id/{}", self.group);
        self.server.tested.admin.ask("GET", &path, Value::Null).await["data"]["member_entity_ids"].clone()
    }
}

/// The differences of a comparison, and who made each.
fn by(found: &Reconciled) -> Vec<String> {
    let who = |by: &bailiwick_core::audit::Explained| {
        format!("{} by {}", by.deed, by.actor.split(" (").next().unwrap())
    };
    let differences = found.classes.differences.iter();
    let mut all: Vec<_> = differences
        .map(|one| format!("{}: {}", one.username, one.by.as_ref().map_or_else(|| "?".into(), who)))
        .collect();
    all.sort();
    all
}

fn counts(audited: &Audited) -> (u64, u64, usize) {
    (audited.found, audited.silent, audited.foreign.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_s_log_says_who_made_a_difference_and_who_has_the_hubs_token() {
    let mut hub = Hub::start(720).await;
    hub.audit().await;
    hub.deliver(&[ANN, BO]).await;
    let (ann, bo) = (hub.id("ann@x.test").await, hub.id("bo@x.test").await);
    assert_eq!(hub.members().await, json!([ann]));
    hub.reconcile().await;
    // Two were made, and one was put into the group: of none of it the log has the id of the account.
    let joined = hub.audit().await;
    assert_eq!(counts(&joined), (3, 0, 0), "{joined:?}");

    let alice = hub.alice.clone();
    hub.as_(&alice, &format!("identity/entity/id/{ann}"), json!({"disabled": true})).await;
    let members = json!({"member_entity_ids": [ann, bo]});
    hub.as_(&alice, &format!("identity/group/id/{}", hub.group), members).await;
    hub.as_(&alice, "identity/entity", json!({"name": "eve"})).await;
    let found = hub.reconcile().await;
    assert_eq!(
        by(&found),
        [
            "ann@x.test: update identity/entity/id by userpass-alice",
            "bo@x.test: update identity/group/id by userpass-alice",
            "eve: update identity/entity by userpass-alice",
        ],
        "{found:?}"
    );
    assert_eq!(found.unexplained, []);
    hub.world.quiet_for(SignedDuration::ZERO).await;
    assert_eq!(hub.members().await, json!([ann]), "it was put back");
    assert_eq!(by(&hub.reconcile().await), [""; 0]);
    let mended = hub.audit().await;
    assert_eq!(counts(&mended), (2, 0, 0), "{mended:?}");
    assert!(mended.others >= 1, "{mended:?}");
    assert_eq!(hub.world.findings("credential-used-elsewhere").await, Vec::<String>::new());

    // Somebody has the hub's own token.
    let (token, eve) = (hub.token.clone(), hub.id("eve").await);
    hub.as_(&token, &format!("identity/entity/id/{eve}"), json!({"disabled": true})).await;
    let login = hub.server.tested.admin.ask("POST", "auth/token/create", json!({})).await;
    let accessor = json!({"accessor": login["auth"]["accessor"]});
    hub.as_(&token, "auth/token/revoke-accessor", accessor).await;
    let stolen = hub.audit().await;
    let deeds = stolen.foreign.iter().map(|entry| (&*entry.deed, entry.account.as_deref()));
    let expected = [("update identity/entity/id", Some(&*eve)), ("update auth/token/revoke", None)];
    assert_eq!(deeds.collect::<Vec<_>>(), expected, "{stolen:?}");
    assert_eq!(hub.world.findings("credential-used-elsewhere").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_a_line_of_the_hub_out_of_the_log_makes_its_change_silent() {
    let mut hub = Hub::start(721).await;
    hub.audit().await;
    hub.deliver(&[ANN, BO, CY]).await;
    assert_eq!(counts(&hub.audit().await), (5, 0, 0));
    let cy = hub.id("cy@x.test").await;
    // Somebody leaves, with a token that lives.
    let role = json!({"allowed_entity_aliases": "*", "allowed_policies": "default"});
    hub.server.tested.admin.ask("POST", "auth/token/roles/people", role).await;
    hub.server.tested.admin.alias(&cy, "token/", "cy").await;
    let asked = json!({"entity_alias": "cy"});
    let held = hub.server.tested.admin.ask("POST", "auth/token/create/people", asked).await;
    let held = text(&held["auth"]["client_token"]);
    assert!(hub.server.tested.admin.lets_in(&held).await);
    let last = hub.audit().await.until;
    hub.deliver(&[ANN, BO, &CY.replace(",,active", ",2026-01-01,left")]).await;
    assert!(!hub.server.tested.admin.lets_in(&held).await);
    assert_eq!(hub.world.open_cases().await, 0);
    let lines = std::fs::read_to_string(hub.server.folder().join("audit.log")).unwrap();
    let revokes = |text: &&str| {
        let line: Value = serde_json::from_str(text).unwrap();
        line["type"] == "response"
            && line["request"]["path"] == "auth/token/revoke-accessor"
            && at(text) > last
    };
    assert_eq!(lines.lines().filter(revokes).count(), 1);
    let rest: String = lines.lines().filter(|line| !revokes(line)).map(|line| format!("{line}\n")).collect();
    std::fs::write(hub.server.folder().join("audit.log"), rest).unwrap();

    let audited = hub.audit().await;
    assert_eq!((audited.silent, audited.foreign.len()), (1, 0), "{audited:?}");
    assert!(audited.found >= 1, "of the rest the log has a word: {audited:?}");
    assert_eq!(hub.world.findings("audit-silent").await.len(), 1);
    hub.world.quiet_for(SignedDuration::ZERO).await;
    assert_eq!(
        (hub.world.open_cases().await, &hub.world.cells().await["it/vault-tokens"][..]),
        (1, "unobservable")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_in_the_log_and_is_nobody_else_s_doing() {
    let hub = Hub::start(723).await;
    hub.audit().await;
    let by = Actor::Operator("ada".into());
    let tried = hub.world.engine.try_contract(&it(), by, &Passing(hub.world.hands.clone())).await.unwrap();
    let one = tried.iter().find(|one| one.sentence == "the audit log tells who changed what").unwrap();
    assert_eq!(one.verdict, TriedVerdict::Holds, "{one:?}");
    let audited = hub.audit().await;
    assert!(audited.entries > 0, "{audited:?}");
    assert_eq!(counts(&audited), (0, 0, 0), "{audited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_read_is_not_replaced_by_another() {
    let hub = Hub::start(722).await;
    hub.audit().await;
    std::fs::rename(hub.server.folder().join("audit.log"), hub.server.folder().join("else.log")).unwrap();
    let error = hub.world.engine.audit(&it()).await.unwrap_err();
    assert!(format!("{error:?}").contains("`audit.log`: there is no such file"), "{error:?}");

    // Neither is one taken for a log that is none.
    let mut configuration = hub.world.configuration();
    declare(&mut configuration, &hub.server, "x");
    let log = configuration.integrations.last_mut().unwrap();
    (log.connector, log.settings) = ("csv".into(), json!({"key": "id"}));
    let error = hub.world.engine.configuration_change(&configuration).await.unwrap_err();
    assert!(error.to_string().contains("`csv` with these settings reads none"), "{error}");
}
