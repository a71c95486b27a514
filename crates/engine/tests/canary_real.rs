//! Canaries on real servers, for probes, trials of the contract, and drills: OpenLDAP by binding, PostgreSQL by signing in,
//! OpenBao by a token, Keystone. Each credential is tried on the server; that nothing of a canary is left there is asked of
//! the server past the connector.

#![allow(clippy::unwrap_used, reason = "a test")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/database.rs"]
mod database;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/keystone.rs"]
mod keystone;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/ldap_bench.rs"]
mod ldap_bench;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/postgres.rs"]
mod postgres;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/rest_beside.rs"]
mod rest_beside;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/rest_line.rs"]
mod rest_line;
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

use bailiwick_connector::{
    seal::{Credential, CredentialScheme, Secret},
    testkit::{Fixtures, Subject},
};
use bailiwick_core::{
    access::AccessClass,
    drill::{Drill, Finding},
    id::IntegrationName,
    integration::Purpose,
    profile::{Deletion, WayEffect},
    record::Actor,
    system::System,
};
use bailiwick_engine::TriedVerdict;
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

/// What a probe learns: of each way of disabling what it does and whom it turns away; and what deleting does.
async fn probed(world: &World) -> (Vec<(String, WayEffect, usize)>, Deletion) {
    let by = Actor::Operator("ada".into());
    let pause = Passing(world.hands.clone());
    let profile = world.engine.probe(&"it".parse().unwrap(), by, &pause).await.unwrap();
    assert!(profile.canary.is_none(), "{profile:#?}");
    let known = world.engine.profile(&"it".parse().unwrap()).await.unwrap();
    assert_eq!(known, Some((profile.clone(), true)));
    let ways = profile.ways.into_iter().map(|way| (way.name, way.effect, way.turned_away.len()));
    (ways.collect(), profile.deletes)
}

/// The sentences of the contract that a trial shows to hold; none is broken.
async fn kept(world: &World) -> Vec<String> {
    let by = Actor::Operator("ada".into());
    let pause = Passing(world.hands.clone());
    let tried = world.engine.try_contract(&"it".parse().unwrap(), by, &pause).await.unwrap();
    assert!(tried.iter().all(|one| one.verdict != TriedVerdict::Broken), "{tried:#?}");
    let holds = tried.into_iter().filter(|one| one.verdict == TriedVerdict::Holds);
    holds.map(|one| one.sentence).collect()
}

/// What a trial shows of every system here.
const SHOWN: [&str; 8] = [
    "declared is implemented",
    "check changes nothing",
    "list visits each once",
    "get agrees with list",
    "apply then get holds",
    "what is so already answers so",
    "refusal has no effect",
    "identifiers keep bytes and case",
];

fn shows(kept: &[String]) {
    let missing: Vec<_> = SHOWN.iter().filter(|sentence| !kept.iter().any(|one| one == *sentence)).collect();
    assert!(missing.is_empty(), "{missing:?} of {kept:?}");
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
    let blocks = |way: &str| (way.to_owned(), WayEffect::Blocks, 1);
    let idle = || WayEffect::Refused { code: "way-without-effect".into() };
    let (lock, password) = ("ppolicy-lock", "unusable-password");
    for (seed, policy, ways) in [
        (600, slapd::Policy::Strict, vec![blocks(lock), blocks(password)]),
        (601, slapd::Policy::NoOverlay, vec![(lock.to_owned(), idle(), 0), blocks(password)]),
        // The policy that the settings name is there, says that it locks, and is not in force.
        (602, slapd::Policy::None, vec![(lock.to_owned(), WayEffect::Nothing, 0), blocks(password)]),
    ] {
        let slapd = slapd::Slapd::start(slapd::Setup { policy, ..slapd::Setup::default() });
        slapd.add(&[ldap_bench::account("ann")]);
        if policy == slapd::Policy::None {
            slapd.add(&[ldap_bench::not_in_force()]);
        }
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
        assert_eq!(probed(&world).await, (ways, Deletion::Gone), "{policy:?}");
        shows(&kept(&world).await);
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
    let ways = ["NOLOGIN", "VALID UNTIL the past"].map(|way| (way.to_owned(), WayEffect::Blocks, 1));
    assert_eq!(probed(&world).await, (ways.into(), Deletion::Gone));
    shows(&kept(&world).await);
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
    let ways = vec![("disabled=true".to_owned(), WayEffect::Blocks, 1)];
    assert_eq!(probed(&world).await, (ways, Deletion::Gone));
    shows(&kept(&world).await);
    let drill = drill(&world).await;
    assert!(drill.passed(), "{drill:#?}");
    assert_eq!(found(&drill, AccessClass::VaultTokens), Finding::Proven, "{drill:#?}");
    assert_eq!(admin.keys("identity/entity/name").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keystone_does_is_learned_and_its_contract_is_tried() {
    let server = keystone::Keystone::start().await;
    let ids = server.seed(&Fixtures::standard()).await;
    let mut settings = keystone::token_settings();
    settings["description"] = "keystone".into();
    settings["parameters"] = json!({ "domain": server.domain_id() });
    let credential = || server.credential(keystone::SECRET);
    let world = hub(
        630,
        Declared {
            connector: "rest",
            endpoint: server.endpoint(),
            settings,
            scope: server.rest().scope().iter().map(ToString::to_string).collect(),
            classes: &["primary-account", "direct-groups", "roles"],
            account: json!({ "name": "{email}", "email": "{email}" }),
            credentials: [credential(), credential()],
        },
    )
    .await;
    let before = server.truth().await;
    let (ways, deletes) = probed(&world).await;
    assert_eq!((ways.len(), &ways[0].1, deletes), (1, &WayEffect::Blocks, Deletion::Gone), "{ways:?}");
    shows(&kept(&world).await);
    assert_eq!(server.truth().await, before, "of {} users", ids.accounts.len());
}
