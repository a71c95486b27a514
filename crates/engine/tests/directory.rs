//! Reconciling a real OpenLDAP by its news (RFC 4533), with and without a session log.

#![allow(clippy::unwrap_used, reason = "a test")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/ldap_bench.rs"]
mod ldap_bench;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../connectors/tests/support/slapd.rs"]
mod slapd;
mod world;

use bailiwick_connector::seal::{Credential, CredentialScheme, Secret};
use bailiwick_core::{
    dn::Dn,
    id::{IntegrationName, SystemName},
    integration::Purpose,
    record::Actor,
    system::{Entitlement, System},
    time::SignedDuration,
};
use bailiwick_engine::{How, Reconciled};
use ldap_bench::{HUB, Raw, SCOPE, SECRET, account, group, settings};
use serde_json::json;
use slapd::{Policy, Setup, Slapd};
use world::World;

const PEOPLE: usize = 40;

fn dn(name: &str) -> Dn {
    account(name).dn
}

/// A directory with people, every fourth of them an engineer.
fn directory(policy: Policy, session_log: bool) -> Slapd {
    let slapd = Slapd::start(Setup { policy, session_log, ..Setup::default() });
    let names: Vec<String> = (0..PEOPLE).map(|n| format!("u{n}")).collect();
    let engineers: Vec<Dn> = names.iter().step_by(4).map(|name| dn(name)).collect();
    let people = names.iter().map(|name| account(name).with("title", b"Clerk"));
    let mut all: Vec<Raw> = people.collect();
    all.push(group("Engineering", &engineers.iter().collect::<Vec<_>>()));
    slapd.add(&all);
    slapd
}

/// A hub that knows the directory and nobody in it.
async fn hub(seed: u64, slapd: &Slapd) -> World {
    let world = World::new(seed, &[]).await;
    let endpoint = format!("ldap://127.0.0.1:{}", slapd.port);
    world
        .configure_with(|c| {
            c.systems.push(System {
                name: SystemName::new("dir").unwrap(),
                title: "Directory".into(),
                classes: serde_json::from_str(r#"["primary-account","direct-groups"]"#).unwrap(),
                on_leave: Default::default(),
                convergence_ms: 0,
                retention_days: 30,
                reconcile: Default::default(),
                audit_every_ms: System::usual_audit_every(),
                audit_lag_ms: 0,
                anchor: false,
                unique: Default::default(),
                reserved_days: None,
                reconcile_every_ms: System::usual_reconcile_every(),
                probe_every_ms: System::usual_probe_every(),
                account: [("userName".into(), "{email}".into()), ("title".into(), "{department}".into())]
                    .into(),
            });
            let entitlement = |name: &str, class: &str, label: &str| -> Entitlement {
                let it = json!({ "name": name, "class": class, "label": label, "privileged": false });
                serde_json::from_value(it).unwrap()
            };
            c.entitlements.push(entitlement("dir/account", "primary-account", "account"));
            c.entitlements.push(entitlement("dir/engineering", "direct-groups", "Engineering"));
            let dir = json!({
                "name": "dir", "purpose": "accounts", "owner": "hr/1", "backup": "hr/2", "connector": "ldap",
                "endpoint": endpoint, "role": "target", "system": "dir", "settings": settings(true),
                "scope": { "rules": SCOPE }, "standing": { "state": "enabled" }, "register": world::register(),
            });
            c.integrations.push(serde_json::from_value(dir).unwrap());
        })
        .await;
    for purpose in [Purpose::Write, Purpose::Verify] {
        let scheme = CredentialScheme::Basic { user: HUB.to_owned() };
        let secret = Credential { scheme, secret: Secret::new(SECRET) };
        let (dir, by) = (IntegrationName::new("dir").unwrap(), Actor::Operator("test".into()));
        world.engine.seal_credential(&dir, purpose, secret, by).await.unwrap();
    }
    world
}

/// Compares, and gives how many rows of accounts were read for it.
async fn compare(world: &World, full: bool) -> (Reconciled, u64) {
    let dir = SystemName::new("dir").unwrap();
    let before = world.faults.accounts_read();
    let found = world.engine.reconcile(&dir, full).await.unwrap();
    world.pass(SignedDuration::from_mins(2));
    (found, world.faults.accounts_read() - before)
}

async fn engineers(world: &World) -> usize {
    world.holders("dir/engineering").await.len()
}

#[tokio::test]
async fn what_changed_in_a_directory_is_found_by_its_news() {
    for (seed, session_log) in [(500, true), (501, false)] {
        let slapd = directory(Policy::Strict, session_log);
        let world = hub(seed, &slapd).await;
        let (first, _) = compare(&world, false).await;
        assert_eq!((first.how, first.unmanaged, first.groups), (How::Listed, PEOPLE as u64, 1), "{first:?}");
        assert_eq!(engineers(&world).await, 10);
        let (quiet, read) = compare(&world, false).await;
        assert_eq!(quiet, Reconciled { how: How::News, ..Reconciled::default() });
        assert!(!session_log || read == 0, "{read} rows are read though nothing is new");

        let change = format!(
            "dn: {}\nchangetype: modify\nreplace: title\ntitle: Chief\n\n\
             dn: {}\nchangetype: modify\ndelete: member\nmember: {}\n-\nadd: member\nmember: {}\n\n\
             dn: {}\nchangetype: delete\n\n",
            dn("u1"),
            group("Engineering", &[]).dn,
            dn("u0"),
            dn("u2"),
            dn("u4"),
        );
        slapd.tool("ldapmodify", &[], &change).unwrap();
        slapd.add(&[account("stranger")]);
        let member = format!(
            "dn: {}\nchangetype: modify\nadd: member\nmember: {}\n\n",
            group("Engineering", &[]).dn,
            dn("stranger")
        );
        slapd.tool("ldapmodify", &[], &member).unwrap();

        let (found, read) = compare(&world, false).await;
        assert_eq!(
            (found.how, found.changed, found.unmanaged, found.gone),
            (How::News, 3, 1, 1),
            "session log {session_log}: {found:?}"
        );
        assert!(!session_log || read < 20, "{read} rows are read for five changes");
        // u0 and u4 left, u2 and the stranger came.
        assert_eq!(engineers(&world).await, 10);
        let (whole, _) = compare(&world, true).await;
        let count = PEOPLE as u64;
        let expect = Reconciled { accounts: count, unchanged: count, groups: 1, ..Reconciled::default() };
        assert_eq!(whole, expect, "session log {session_log}: a full listing finds nothing more");
    }
}

#[tokio::test]
async fn a_lock_that_locks_nobody_is_told_to_the_owner_until_it_is_mended() {
    let slapd = directory(Policy::Lax, true);
    let mut world = hub(502, &slapd).await;
    let dir = SystemName::new("dir").unwrap();
    world.quiet().await;
    let told = world.findings("system-remark").await;
    assert!(told.len() == 1 && told[0].contains("the default policy has no `pwdLockout: TRUE`"), "{told:?}");
    let checked = world.engine.check_system(&dir).await.unwrap();
    let compared = compare(&world, true).await.0.remarks;
    assert!(checked.len() == 1 && checked == compared, "{checked:?} {compared:?}");
    let policy = "dn: cn=default,ou=policies,dc=acme,dc=example\nchangetype: modify\nreplace: pwdLockout\npwdLockout: TRUE\n";
    slapd.tool("ldapmodify", &[], policy).unwrap();
    world.pass(SignedDuration::from_millis(System::usual_reconcile_every()));
    world.quiet().await;
    assert_eq!(world.findings("system-remark").await, [""; 0]);
    assert_eq!(world.engine.check_system(&dir).await.unwrap(), [""; 0]);
}
