//! Values that nobody has until somebody does: what a source or a system says is taken on each store, or refused with a reason.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::sync::Arc;

use bailiwick_core::{
    id::{EntitlementName, SystemName, Tenant},
    identity::Identity,
    policy::PolicyId,
    record::Logged,
    system::Entitlement,
    time::SignedDuration,
};
use bailiwick_store::{Store, Table, open, testkit::postgres};
use serde_json::json;
use world::World;

/// Text that no compression makes short.
fn noise(seed: u64, length: usize) -> String {
    let mut state = seed;
    let letters = (0..length).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + (state >> 40).to_le_bytes()[0] % 26)
    });
    letters.collect()
}

/// On each kind of store.
async fn stores() -> Vec<Arc<dyn Store>> {
    let mut stores = vec![open("sqlite::memory:").await.unwrap()];
    if let Some(address) = postgres::database().await {
        stores.push(open(&address).await.unwrap());
    }
    stores
}

/// An index of PostgreSQL holds no text of five thousand letters.
#[tokio::test]
async fn people_with_very_long_values_come_change_and_leave() {
    let long = |seed| noise(seed, 5_000);
    let people = |department: &str, end: &str| {
        [
            format!("{},Ann,ann@x.test,{department},{end}", long(1)),
            format!("{},Bob,bob@x.test,{department},{end}", &long(1)[..4_999]),
            format!("3,Cyd,{}@x.test,{department},{end}", long(2)),
            format!("4,{},dan@x.test,{department},{end}", long(3)),
            format!("\"6\n,\"\"7\",Fay,fay@x.test,{department},{end}"),
        ]
    };
    for store in stores().await {
        let mut world = World::on(store, 1, &[("chat", &[])]).await;
        world.configure().await;
        world.quiet().await;
        for (department, end, kind) in [
            ("Finance", ",active", "joined"),
            ("Engineering", ",active", "changed"),
            ("Engineering", "2026-01-01,left", "left"),
        ] {
            let lines = people(department, end);
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let taken = world.deliver(&lines).await.unwrap();
            assert_eq!(taken.events, [(kind.to_owned(), 5)].into(), "{kind}");
            world.quiet().await;
            assert_eq!(world.deliver(&lines).await.unwrap().unchanged, 5, "said again");
        }
        let all: Vec<Identity> = world.all(Table::Identities).await;
        assert!(all.iter().any(|one| one.source_key.key == long(1)), "it is kept whole");
        assert_eq!(world.open_cases().await, 0);
        for (name, user) in world.truth() {
            assert!(user.contains("active=false"), "{name}: {user}");
        }
        let report = world.engine.check_evidence(&world.sequencer(), None).await.unwrap();
        assert!(report.damage.is_none(), "{:?}", report.damage);
    }
}

/// A system may call its accounts and groups what it likes.
#[tokio::test]
async fn a_system_whose_ids_are_very_long_is_compared() {
    for store in stores().await {
        let mut world = World::on(store, 2, &[("chat", &[])]).await;
        world.configure().await;
        world.quiet().await;
        let (user, group) = (noise(5, 5_000), noise(6, 5_000));
        world.behind(
            "chat",
            json!({
                "users": [{ "userName": user, "displayName": noise(7, 5_000) }],
                "groups": [{ "id": group, "name": noise(8, 5_000), "members": [user] }],
            }),
        );
        let chat = SystemName::new("chat").unwrap();
        let first = world.engine.reconcile(&chat, true).await.unwrap();
        assert_eq!((first.accounts, first.unmanaged, first.partial), (1, 1, None));
        let second = world.engine.reconcile(&chat, true).await.unwrap();
        assert_eq!((second.unchanged, second.changed, second.classes.differences.len()), (1, 0, 0));
        assert_eq!(world.findings("account-unmanaged").await.len(), 1);
    }
}

/// What is decided of somebody may be longer than an entry of the log, and is told all the same.
#[tokio::test]
async fn a_decision_that_is_longer_than_an_entry_is_explained() {
    const TEAMS: usize = 230;
    let mut world = World::new(3, &[("chat", &[])]).await;
    let teams: Vec<serde_json::Value> =
        (0..TEAMS).map(|n| json!({ "id": format!("g-{n}"), "name": format!("Team {n}") })).collect();
    world.behind("chat", json!({ "groups": teams }));
    world
        .configure_with(|configuration| {
            let everyone = configuration
                .entitlements
                .iter()
                .find(|e| e.name.as_str() == "chat/everyone")
                .unwrap()
                .clone();
            for n in 0..TEAMS {
                let name = format!("chat/team-number-{n}");
                let rule = format!(
                    "@id(\"{}-{n}\") permit(principal, action == Action::\"hold\", resource == \
                     Entitlement::\"{name}\");\n",
                    noise(9, 300)
                );
                configuration.policies[0].text.push_str(&rule);
                configuration.entitlements.push(Entitlement {
                    name: EntitlementName::new(&name).unwrap(),
                    label: format!("Team {n}"),
                    ..everyone.clone()
                });
            }
        })
        .await;
    world.quiet().await;
    world.deliver(&["1,Ann,ann@x.test,Finance,,active"]).await.unwrap();
    world.quiet().await;
    let groups = |world: &World| world.lab.truth("chat").unwrap().user("ann@x.test").unwrap().groups.len();
    assert_eq!(groups(&world), TEAMS + 2);
    let last = EntitlementName::new(&format!("chat/team-number-{}", TEAMS - 1)).unwrap();
    let then = world.engine.why("hr/1", &last, Some(world.clock())).await.unwrap();
    assert_eq!(then.because, [PolicyId::new(format!("{}-{}", noise(9, 300), TEAMS - 1))]);
    assert!(then.wanted && then.seen.is_some_and(|(held, _)| held));
    let ann = then.identity.to_string();
    let mut tx = world.store.read().await.unwrap();
    let entries = tx.entries_about(&Tenant::single(), &ann).await.unwrap();
    drop(tx);
    let beside = entries.iter().filter(|entry| Logged::parse(&entry.bytes).unwrap().has_beside()).count();
    assert_eq!(beside, 1, "of all that is said of Ann one record is too long");
    world.pass(SignedDuration::from_hours(1));
    world.deliver(&["1,Ann,ann@x.test,Finance,2026-01-01,left"]).await.unwrap();
    world.quiet().await;
    assert_eq!((groups(&world), world.open_cases().await), (0, 0));
    let report = world.engine.check_evidence(&world.sequencer(), None).await.unwrap();
    assert!(report.damage.is_none(), "{:?}", report.damage);
}
