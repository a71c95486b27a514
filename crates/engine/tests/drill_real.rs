//! Drills on real servers: OpenLDAP by binding, PostgreSQL by signing in, OpenBao by a token. Each credential is tried
//! on the server; that nothing of a canary is left there is asked of the server past the connector.

#![allow(clippy::unwrap_used, reason = "a test")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/database.rs"]
mod database;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/ldap_bench.rs"]
mod ldap_bench;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/postgres.rs"]
mod postgres;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/roles.rs"]
mod roles;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/slapd.rs"]
mod slapd;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/vault.rs"]
mod vault;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/vault_server.rs"]
mod vault_server;
mod world;

use bailiwick_connector::seal::{Credential, CredentialScheme, Secret};
use bailiwick_core::{
    access::AccessClass,
    drill::{Drill, Finding},
    id::IntegrationName,
    integration::Purpose,
    record::Actor,
    system::System,
};
use serde_json::{Value, json};
use world::{Passing, World};

/// A system called `it`, reached through this connector.
struct Declared {
    connector: &'static str,
    endpoint: String,
    settings: Value,
    scope: Vec<String>,
    classes: &'static [&'static str],
    account: Value,
    /// To write and to verify.
    credentials: [Credential; 2],
}

async fn hub(seed: u64, declared: Declared) -> World {
    let world = World::new(seed, &[]).await;
    let Declared { connector, endpoint, settings, scope, classes, account, credentials } = declared;
    world
        .configure_with(|configuration| {
            let system: System = serde_json::from_value(json!({
                "name": "it", "title": "It", "classes": classes, "on_leave": "disable", "convergence_ms": 0,
                "retention_days": 30, "account": account,
            }))
            .unwrap();
            configuration.systems.push(system);
            let it = json!({
                "name": "it", "purpose": "accounts", "owner": "hr/1", "backup": "hr/2", "connector": connector,
                "endpoint": endpoint, "role": "target", "system": "it", "settings": settings,
                "scope": { "rules": scope }, "standing": { "state": "enabled" }, "register": world::register(),
            });
            configuration.integrations.push(serde_json::from_value(it).unwrap());
        })
        .await;
    for (purpose, credential) in [Purpose::Write, Purpose::Verify].into_iter().zip(credentials) {
        let (it, by) = (IntegrationName::new("it").unwrap(), Actor::Operator("test".into()));
        world.engine.seal_credential(&it, purpose, credential, by).await.unwrap();
    }
    world
}

async fn drill(world: &World) -> Drill {
    let by = Actor::Operator("ada".into());
    let pause = Passing(world.hands.clone());
    world.engine.drill(&"it".parse().unwrap(), by, &pause).await.unwrap()
}

fn found(drill: &Drill, class: AccessClass) -> Finding {
    drill.drilled.iter().find(|drilled| drilled.class == class).unwrap().finding()
}

fn basic(user: &str, secret: &str) -> Credential {
    Credential { scheme: CredentialScheme::Basic { user: user.to_owned() }, secret: Secret::new(secret) }
}

fn owned(rules: &[&str]) -> Vec<String> {
    rules.iter().map(|rule| (*rule).to_owned()).collect()
}

#[tokio::test]
async fn a_canary_that_left_openldap_cannot_bind() {
    for (seed, policy) in [(600, slapd::Policy::Strict), (601, slapd::Policy::NoOverlay)] {
        let slapd = slapd::Slapd::start(slapd::Setup { policy, ..slapd::Setup::default() });
        slapd.add(&[ldap_bench::account("ann")]);
        let credential = || basic(ldap_bench::HUB, ldap_bench::SECRET);
        let world = hub(
            seed,
            Declared {
                connector: "ldap",
                endpoint: format!("ldap://127.0.0.1:{}", slapd.port),
                settings: ldap_bench::settings(true),
                scope: owned(&ldap_bench::SCOPE),
                classes: &["primary-account", "direct-groups"],
                account: json!({ "userName": "{email}", "title": "{department}" }),
                credentials: [credential(), credential()],
            },
        )
        .await;
        let drill = drill(&world).await;
        let left =
            slapd.tool("ldapsearch", &["-b", "dc=acme,dc=example", "(uid=*canary*)", "dn"], "").unwrap();
        assert!(!left.contains("dn: "), "{left}");
        assert_eq!(found(&drill, AccessClass::PrimaryAccount), Finding::Proven, "{drill:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_left_postgresql_cannot_sign_in() {
    let server = roles::Roles::start("", &roles::settings()).await;
    let world = hub(
        610,
        Declared {
            connector: "sql",
            endpoint: format!("postgres://127.0.0.1:{}/postgres", server.server.port),
            settings: roles::settings(),
            scope: owned(&[&roles::ROLES[..], &roles::TRYING].concat()),
            classes: &["primary-account", "direct-groups", "roles", "sessions"],
            account: json!({ "name": "{email}" }),
            credentials: [basic("bailiwick_write", roles::WRITE), basic("bailiwick_read", roles::READ)],
        },
    )
    .await;
    let drill = drill(&world).await;
    assert!(drill.passed(), "{drill:#?}");
    assert_eq!(found(&drill, AccessClass::PrimaryAccount), Finding::Proven, "{drill:#?}");
    let mut admin = server.server.admin("postgres").await;
    let asked = sqlx::query_scalar("SELECT count(*) FROM pg_roles WHERE rolname LIKE '%canary%'");
    let left: i64 = asked.fetch_one(&mut admin).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_canary_that_left_openbao_is_turned_away() {
    let server = vault_server::Server::start(vault::Rooms::Root).await;
    let admin = &server.tested.admin;
    let token = async |purpose| Credential {
        scheme: CredentialScheme::Header { name: "X-Vault-Token".into() },
        secret: Secret::new(admin.token_for(purpose).await),
    };
    let world = hub(
        620,
        Declared {
            connector: "vault",
            endpoint: admin.endpoint.clone(),
            settings: vault::settings(),
            scope: vault::block("text scope").lines().map(str::to_owned).collect(),
            classes: &["primary-account", "direct-groups", "vault-tokens"],
            account: json!({ "name": "{email}" }),
            credentials: [token(Purpose::Write).await, token(Purpose::Verify).await],
        },
    )
    .await;
    let drill = drill(&world).await;
    assert!(drill.passed(), "{drill:#?}");
    assert_eq!(found(&drill, AccessClass::VaultTokens), Finding::Proven, "{drill:#?}");
    assert_eq!(admin.keys("identity/entity/name").await, Vec::<String>::new());
}
