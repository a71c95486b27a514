//! The log of a real PostgreSQL server against the hub's: who dropped a role behind its back, who has its credential, and
//! a log that is lost.

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
mod world;

use bailiwick_connector::seal::{Credential, CredentialScheme, Secret};
use bailiwick_core::{
    id::{IntegrationName, SystemName},
    integration::Purpose,
    record::Actor,
    time::{SignedDuration, Timestamp},
};
use bailiwick_engine::{Audited, Reconciled};
use postgres::run;
use roles::{READ, ROLES, Roles, WRITE, audited};
use serde_json::json;
use world::World;

const PEOPLE: [&str; 2] = ["1,Ann,ann@x.test,Engineering,,active", "2,Bo,bo@x.test,Finance,,active"];

/// A hub with that server.
struct Hub {
    world: World,
    server: Roles,
}

impl Hub {
    async fn start(seed: u64) -> Self {
        let server = Roles::start_logged("").await;
        run(
            &mut server.server.admin("postgres").await,
            "CREATE ROLE alice LOGIN CREATEROLE PASSWORD 'of-alice'",
        )
        .await;
        let hub = Self { world: World::new(seed, &[]).await, server };
        // The log says when by the server's clock, so the hub's is to be that too.
        hub.catch_up().await;
        let endpoint = format!("postgres://127.0.0.1:{}/postgres", hub.server.server.port);
        hub.world
            .configure_with(|configuration| {
                let system = json!({
                    "name": "it", "title": "It", "classes": ["primary-account"], "on_leave": "disable", "convergence_ms": 0,
                    "retention_days": 30, "audit_lag_ms": 0, "account": { "name": "{email}" },
                });
                configuration.systems.push(serde_json::from_value(system).unwrap());
                let account = json!({ "name": "it/account", "class": "primary-account", "label": "account", "privileged": false });
                configuration.entitlements.push(serde_json::from_value(account).unwrap());
                let all = r#"@id("it-all") permit(principal, action == Action::"hold", resource == Entitlement::"it/account");"#;
                configuration.policies[0].text.push_str(all);
                let it = json!({
                    "name": "it", "purpose": "accounts", "owner": "hr/1", "backup": "hr/2", "connector": "sql",
                    "endpoint": endpoint, "role": "target", "system": "it", "settings": audited(),
                    "scope": { "rules": ROLES }, "standing": { "state": "enabled" }, "register": world::register(),
                });
                configuration.integrations.push(serde_json::from_value(it).unwrap());
            })
            .await;
        for (purpose, user, secret) in
            [(Purpose::Write, "bailiwick_write", WRITE), (Purpose::Verify, "bailiwick_read", READ)]
        {
            let scheme = CredentialScheme::Basic { user: user.to_owned() };
            let credential = Credential { scheme, secret: Secret::new(secret) };
            let (it, by) = (IntegrationName::new("it").unwrap(), Actor::Operator("test".into()));
            hub.world.engine.seal_credential(&it, purpose, credential, by).await.unwrap();
        }
        hub
    }

    /// Waits until all is logged, and sets the hub's clock by the server's.
    async fn catch_up(&self) {
        self.server.server.logged().await;
        let asked = sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
        let now: i64 = asked.fetch_one(&mut self.server.server.admin("postgres").await).await.unwrap();
        let ahead = Timestamp::from_millisecond(now).unwrap().duration_since(self.world.clock());
        self.world.pass(ahead + SignedDuration::from_millis(10));
    }

    async fn reconcile(&self) -> Reconciled {
        self.catch_up().await;
        self.world.engine.reconcile(&it(), true).await.unwrap()
    }

    async fn audit(&self) -> Audited {
        self.catch_up().await;
        self.world.engine.audit(&it()).await.unwrap()
    }

    async fn as_somebody(&self, user: &str, password: &str, statement: &str) {
        run(&mut self.server.sign_in(user, password).await.unwrap(), statement).await;
    }

    async fn as_alice(&self, statement: &str) {
        self.as_somebody("alice", "of-alice", statement).await;
    }
}

fn it() -> SystemName {
    "it".parse().unwrap()
}

/// The differences of a comparison, and who made each.
fn by(found: &Reconciled) -> Vec<String> {
    let who = |by: &bailiwick_core::audit::Explained| format!("{} by {}", by.deed, by.actor);
    let differences = found.classes.differences.iter();
    differences
        .map(|one| format!("{} {}", one.account, one.by.as_ref().map_or_else(String::new, who)))
        .collect()
}

fn unexplained(found: &Reconciled) -> Vec<&str> {
    found.unexplained.iter().map(|one| one.account.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_real_server_says_who_dropped_a_role_and_who_has_the_hubs_credential() {
    let mut hub = Hub::start(700).await;
    hub.audit().await;
    hub.catch_up().await;
    hub.world.deliver(&PEOPLE).await.unwrap();
    hub.world.quiet_for(SignedDuration::ZERO).await;
    let ann = hub.server.id("ann@x.test").await.unwrap();
    let bo = hub.server.id("bo@x.test").await.unwrap();
    hub.reconcile().await;
    let joined = hub.audit().await;
    assert_eq!(
        (joined.found, joined.silent, joined.foreign.len(), joined.others),
        (2, 0, 0, 0),
        "{joined:?}"
    );

    // What a block does the server does not log; so the change is there, and nobody's.
    hub.as_alice("DO $do$ BEGIN EXECUTE 'ALTER ROLE \"ann@x.test\" NOLOGIN'; END $do$").await;
    let found = hub.reconcile().await;
    assert_eq!((by(&found), unexplained(&found)), (vec![format!("{ann} ")], vec![&*ann]), "{found:?}");
    assert_eq!(hub.world.findings("change-unexplained").await.len(), 1);
    // What she says herself is hers, also of a role that is gone, of which the log has no more than the name.
    hub.as_alice("ALTER ROLE \"ann@x.test\" VALID UNTIL 'infinity'; DROP ROLE \"bo@x.test\"").await;
    let found = hub.reconcile().await;
    assert!(by(&found).contains(&format!("{bo} DROP ROLE by alice")), "{found:?}");
    assert_eq!(found.unexplained, []);
    assert_eq!(hub.world.findings("change-unexplained").await, Vec::<String>::new());
    let audited = hub.audit().await;
    assert_eq!((audited.silent, audited.foreign.len()), (0, 0), "{audited:?}");

    // Somebody has the hub's own credential.
    let alice = hub.server.id("alice").await.unwrap();
    let stolen = "CREATE ROLE mallory LOGIN; DROP ROLE alice";
    hub.as_somebody("bailiwick_write", WRITE, stolen).await;
    let audited = hub.audit().await;
    let mallory = hub.server.id("mallory").await.unwrap();
    let foreign = audited.foreign.iter().map(|entry| (&*entry.deed, entry.account.as_deref()));
    let expected = [("CREATE ROLE", Some(&*mallory)), ("DROP ROLE", Some(&*alice))];
    assert_eq!(foreign.collect::<Vec<_>>(), expected, "{audited:?}");
    assert_eq!(hub.world.findings("credential-used-elsewhere").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_lost_is_told_and_what_is_there_of_it_is_compared() {
    let mut hub = Hub::start(701).await;
    hub.audit().await;
    hub.catch_up().await;
    hub.world.deliver(&PEOPLE[..1]).await.unwrap();
    hub.world.quiet_for(SignedDuration::ZERO).await;
    hub.reconcile().await;
    assert_eq!(hub.audit().await.found, 1);
    let ann = hub.server.id("ann@x.test").await.unwrap();
    // What is younger than the clocks may be apart is read again, so the mark is of some minutes ago.
    hub.world.pass(SignedDuration::from_mins(10));
    hub.world.engine.audit(&it()).await.unwrap();
    assert_eq!(hub.world.findings("audit-log-lost").await, Vec::<String>::new());

    let before = hub.server.server.logs();
    hub.server.server.rotate().await;
    before.iter().for_each(|file| std::fs::remove_file(file).unwrap());
    hub.as_alice("ALTER ROLE \"ann@x.test\" NOLOGIN").await;
    hub.server.server.logged().await;
    hub.world.pass(SignedDuration::from_mins(1));
    let audited = hub.world.engine.audit(&it()).await.unwrap();
    assert_eq!(audited.silent, 0, "{audited:?}");
    assert_eq!(hub.world.findings("audit-log-lost").await.len(), 1);
    // Who did what is in what is left, which is not all: nothing is said to have left no trace.
    let found = hub.world.engine.reconcile(&it(), true).await.unwrap();
    assert_eq!((by(&found), found.unexplained), (vec![format!("{ann} ALTER ROLE by alice")], Vec::new()));
    hub.world.pass(SignedDuration::from_hours(23));
    hub.world.engine.audit(&it()).await.unwrap();
    assert_eq!(hub.world.findings("audit-log-lost").await.len(), 1, "for a day");
    hub.world.pass(SignedDuration::from_hours(2));
    hub.world.engine.audit(&it()).await.unwrap();
    assert_eq!(hub.world.findings("audit-log-lost").await, Vec::<String>::new());
}
