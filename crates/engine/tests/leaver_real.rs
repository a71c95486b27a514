//! Somebody joins, moves and leaves on a real OpenBao and a real PostgreSQL at once, and what the hub says of it is held
//! against what the servers let in: a token, a password, a session.

#![allow(clippy::unwrap_used, reason = "a test")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/database.rs"]
mod database;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/postgres.rs"]
mod postgres;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/roles.rs"]
mod roles;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/vault.rs"]
mod vault;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/vault_server.rs"]
mod vault_server;
mod world;

use bailiwick_connector::seal::{Credential, CredentialScheme, Secret};
use bailiwick_core::{
    access::AccessClass, id::IntegrationName, integration::Purpose, record::Actor, verify::Verdict,
};
use bailiwick_engine::Configuration;
use postgres::run;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use world::World;

const ANN: &str = "1,Ann,ann@x.test,Engineering,,active";
const MOVED: &str = "1,Ann,ann@x.test,Finance,,active";
const LEFT: &str = "1,Ann,ann@x.test,Finance,2026-01-01,left";
const BO: &str = "2,Bo,bo@x.test,Engineering,,active";
const PASSWORD: &str = "of-ann";

const RULES: &str = r#"
@id("bao-account") permit(principal, action == Action::"hold", resource == Entitlement::"bao/account");
@id("db-account") permit(principal, action == Action::"hold", resource == Entitlement::"db/account");
@id("bao-engineers") permit(principal, action == Action::"hold", resource == Entitlement::"bao/engineers")
  when { principal.department == "Engineering" };
@id("db-engineers") permit(principal, action == Action::"hold", resource == Entitlement::"db/engineers")
  when { principal.department == "Engineering" };
"#;

/// What is declared of one system.
struct Declared {
    name: &'static str,
    connector: &'static str,
    endpoint: String,
    settings: Value,
    scope: Vec<String>,
    classes: &'static [&'static str],
}

fn declare(configuration: &mut Configuration, declared: Declared) {
    let Declared { name, connector, endpoint, settings, scope, classes } = declared;
    configuration.systems.push(
        serde_json::from_value(json!({
            "name": name, "title": name, "classes": classes, "on_leave": "disable", "convergence_ms": 0,
            "retention_days": 30, "account": { "name": "{email}" },
        }))
        .unwrap(),
    );
    for (of, class, label) in
        [("account", "primary-account", "account"), ("engineers", "direct-groups", "engineers")]
    {
        let entitlement =
            json!({ "name": format!("{name}/{of}"), "class": class, "label": label, "privileged": false });
        configuration.entitlements.push(serde_json::from_value(entitlement).unwrap());
    }
    let integration = json!({
        "name": name, "purpose": "accounts", "owner": "desk/1", "backup": "desk/2", "connector": connector,
        "endpoint": endpoint, "role": "target", "system": name, "settings": settings, "scope": { "rules": scope },
        "standing": { "state": "enabled" }, "register": world::register(),
    });
    configuration.integrations.push(serde_json::from_value(integration).unwrap());
}

async fn seal(world: &World, name: &str, credentials: [Credential; 2]) {
    for (purpose, credential) in [Purpose::Write, Purpose::Verify].into_iter().zip(credentials) {
        let (name, by) = (IntegrationName::new(name).unwrap(), Actor::Operator("test".into()));
        world.engine.seal_credential(&name, purpose, credential, by).await.unwrap();
    }
}

/// Whether the server lets Ann in, by her password.
async fn signs_in(port: u16) -> Option<PgConnection> {
    let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port).database("postgres");
    PgConnection::connect_with(&options.username("ann@x.test").password(PASSWORD)).await.ok()
}

async fn count(admin: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(admin).await.unwrap()
}

const OF_ANN: &str = "SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member \
                      WHERE r.rolname = 'ann@x.test'";

#[tokio::test(flavor = "multi_thread")]
async fn who_left_is_let_in_nowhere_and_each_class_of_access_is_proven() {
    let bao = vault_server::Server::start(vault::Rooms::Root).await;
    let vault = &bao.tested.admin;
    let group = vault.ask("POST", "identity/group", json!({ "name": "engineers" })).await;
    let group = format!("identity/group/id/{}", group["data"]["id"].as_str().unwrap());
    let database = roles::Roles::start("", &roles::settings()).await;
    let port = database.server.port;
    let mut admin = database.server.admin("postgres").await;
    run(&mut admin, "CREATE ROLE engineers NOLOGIN").await;
    run(&mut admin, "GRANT engineers TO bailiwick_write WITH ADMIN OPTION").await;
    let mut world = World::new(640, &[]).await;
    world
        .configure_with(|configuration| {
            configuration.policies[0].text.push_str(RULES);
            declare(
                configuration,
                Declared {
                    name: "bao",
                    connector: "vault",
                    endpoint: vault.endpoint.clone(),
                    settings: vault::settings(),
                    scope: vault::block("text scope").lines().map(str::to_owned).collect(),
                    classes: &["primary-account", "direct-groups", "vault-tokens", "api-tokens"],
                },
            );
            declare(
                configuration,
                Declared {
                    name: "db",
                    connector: "sql",
                    endpoint: format!("postgres://127.0.0.1:{port}/postgres"),
                    settings: roles::settings(),
                    scope: roles::ROLES.map(str::to_owned).into(),
                    classes: &["primary-account", "direct-groups", "sessions"],
                },
            );
        })
        .await;
    let token = async |purpose| Credential {
        scheme: CredentialScheme::Header { name: "X-Vault-Token".into() },
        secret: Secret::new(vault.token_for(purpose).await),
    };
    seal(&world, "bao", [token(Purpose::Write).await, token(Purpose::Verify).await]).await;
    let basic = |user: &str, secret: &str| Credential {
        scheme: CredentialScheme::Basic { user: user.to_owned() },
        secret: Secret::new(secret),
    };
    seal(&world, "db", [basic("bailiwick_write", roles::WRITE), basic("bailiwick_read", roles::READ)]).await;

    // They join: an account and a group on both.
    world.deliver(&[ANN, BO]).await.unwrap();
    world.quiet().await;
    let read = vault.ask("GET", "identity/entity/name/ann@x.test", Value::Null).await;
    let ann = read["data"]["id"].as_str().unwrap().to_owned();
    let members = async || vault.ask("GET", &group, Value::Null).await["data"]["member_entity_ids"].clone();
    assert!(members().await.as_array().unwrap().contains(&json!(ann)), "{}", members().await);
    assert_eq!(count(&mut admin, OF_ANN).await, 1);
    // She is given a secret there that logs in, and a password and a session here.
    vault.ask("POST", "auth/approle/role/ann", json!({ "token_policies": "default" })).await;
    vault.alias(&ann, "approle/", &vault.role_id("ann").await).await;
    let (held, ..) = vault.login("ann").await;
    assert!(vault.lets_in(&held).await);
    run(&mut admin, &format!("ALTER ROLE \"ann@x.test\" PASSWORD '{PASSWORD}'")).await;
    let mut session = signs_in(port).await.expect("she has a password");

    // She moves: the group is gone, and what she signs in with works.
    world.deliver(&[MOVED, BO]).await.unwrap();
    world.quiet().await;
    assert!(!members().await.as_array().unwrap().contains(&json!(ann)));
    assert_eq!(count(&mut admin, OF_ANN).await, 0);
    assert!(vault.lets_in(&held).await && session.ping().await.is_ok());

    // She leaves: no token, no password and no session lets her in.
    world.deliver(&[LEFT, BO]).await.unwrap();
    world.quiet().await;
    assert!(!vault.lets_in(&held).await);
    assert_eq!(vault.keys("auth/approle/role/ann/secret-id").await, Vec::<String>::new());
    let read = vault.ask("GET", &format!("identity/entity/id/{ann}"), Value::Null).await;
    assert_eq!(read["data"]["disabled"], true);
    assert!(session.ping().await.is_err());
    assert!(signs_in(port).await.is_none());
    // Nobody else lost anything.
    assert_eq!(members().await.as_array().map(Vec::len), Some(1));
    assert_eq!(
        count(&mut admin, "SELECT count(*) FROM pg_roles WHERE rolname = 'bo@x.test' AND rolcanlogin").await,
        1
    );

    // And that is what the case says of each class, by the credential that only reads.
    let cases = world.cases().await;
    assert!(cases.len() == 1 && cases[0].closed.is_some(), "{cases:?} {:#?}", world.all_cells().await);
    let cells = world.all_cells().await;
    for (system, class, blocked) in [
        ("bao", AccessClass::PrimaryAccount, true),
        ("bao", AccessClass::DirectGroups, false),
        ("bao", AccessClass::VaultTokens, false),
        ("bao", AccessClass::ApiTokens, false),
        ("db", AccessClass::PrimaryAccount, true),
        ("db", AccessClass::DirectGroups, false),
        ("db", AccessClass::Sessions, false),
    ] {
        let cell = cells.iter().find(|cell| cell.system.as_str() == system && cell.class == class).unwrap();
        let as_it_is = match blocked {
            true => matches!(cell.verdict, Verdict::Blocked { .. }),
            false => cell.verdict == Verdict::Removed,
        };
        assert!(as_it_is, "{cell:#?}");
    }
    assert!(
        world.engine.open_findings().await.unwrap().is_empty(),
        "{:#?}",
        world.engine.open_findings().await
    );
}
