//! Somebody who has left, and whose access is there again: their case is open until it is proven anew that it is gone.
//! Judged by the system's truth and by what the case says.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{access::AccessClass, id::SystemName, time::SignedDuration};
use bailiwick_engine::Configuration;
use bailiwick_lab::Behaviour;
use serde_json::json;
use world::World;

const ANN: &str = "1,Ann Archer,ann@x.test,Engineering,,active";
const BOB: &str = "2,Bob Baker,bob@x.test,Finance,,active";
const GONE: &str = "2,Bob Baker,bob@x.test,Finance,2026-01-01,left";

fn chat() -> SystemName {
    SystemName::new("chat").unwrap()
}

/// A world in which Bob has left, and his case is closed.
async fn closed(seed: u64) -> World {
    let mut world = World::new(seed, &[("chat", &[])]).await;
    world.configure().await;
    world.quiet().await;
    for bob in [BOB, GONE] {
        world.deliver(&[ANN, bob]).await.unwrap();
        world.quiet().await;
    }
    assert_eq!(world.open_cases().await, 0);
    assert!(world.truth()["chat/bob@x.test"].contains("active=false"));
    world
}

async fn seen(world: &mut World) {
    world.pass(SignedDuration::from_secs(60));
    world.engine.reconcile(&chat(), true).await.unwrap();
}

fn let_in(world: &World) {
    world.behind(
        "chat",
        json!({ "users": [{ "userName": "bob@x.test", "active": true }],
            "groups": [{ "name": "Finance", "members": ["bob@x.test"] }] }),
    );
}

#[tokio::test]
async fn a_case_is_open_again_until_what_was_seen_again_is_proven_gone() {
    let mut world = closed(31).await;
    let proven = world.cells().await;
    let_in(&world);
    seen(&mut world).await;
    let cells = world.cells().await;
    assert_eq!(
        [&cells["chat/primary-account"][..], &cells["chat/direct-groups"][..]],
        ["residual"; 2],
        "the case says what was seen: {cells:?}"
    );
    assert_eq!(world.open_cases().await, 1);
    world.quiet().await;
    assert_eq!((world.open_cases().await, world.cells().await), (0, proven));
    let bob = &world.truth()["chat/bob@x.test"];
    assert!(bob.contains("active=false") && !bob.contains("Finance"), "{bob}");
    assert!(world.engine.open_findings().await.unwrap().is_empty());
    // The same again is seen again.
    let_in(&world);
    seen(&mut world).await;
    assert_eq!(world.open_cases().await, 1);
    world.quiet().await;
    assert_eq!(world.open_cases().await, 0);
}

/// A system that only says that it did leaves the case open, and the next ways are tried.
#[tokio::test]
async fn a_case_stays_open_while_the_system_does_not_take_it_away() {
    let mut world = closed(32).await;
    let_in(&world);
    world.lab.behave("chat", [Behaviour::Noop200]).unwrap();
    seen(&mut world).await;
    world.quiet().await;
    assert!(world.truth()["chat/bob@x.test"].contains("active=true"));
    assert_eq!((&world.cells().await["chat/primary-account"][..], world.open_cases().await), ("residual", 1));
    assert!(!world.engine.open_findings().await.unwrap().is_empty(), "somebody is told");
    world.lab.behave("chat", []).unwrap();
    world.pass(SignedDuration::from_hours(7));
    world.quiet().await;
    assert!(world.truth()["chat/bob@x.test"].contains("active=false"), "{:?}", world.truth());
    assert_eq!(world.open_cases().await, 0);
}

/// Somebody else takes it away before the hub does: what was seen is read again, and the case is closed.
#[tokio::test]
async fn what_somebody_else_takes_away_first_is_read_again() {
    let mut world = closed(33).await;
    let_in(&world);
    seen(&mut world).await;
    world.behind(
        "chat",
        json!({ "users": [{ "userName": "bob@x.test", "active": false }],
            "leave": [["Finance", "bob@x.test"]] }),
    );
    world.quiet().await;
    world.pass(SignedDuration::from_hours(2));
    world.quiet().await;
    assert_eq!(world.open_cases().await, 0, "{:?}", world.cells().await);
}

/// Killed at any point, it ends the same, and each effect happens once.
#[tokio::test]
async fn being_seen_again_survives_a_crash_at_every_point() {
    async fn story(world: &mut World) {
        let_in(world);
        world.pass(SignedDuration::from_secs(60));
        while world.engine.reconcile(&chat(), true).await.is_err() {
            assert!(world.faults.died());
            world.restart();
            world.pass(SignedDuration::from_secs(120));
        }
        world.quiet().await;
        world.pass(SignedDuration::from_hours(2));
        world.quiet().await;
    }
    let mut calm = closed(34).await;
    let from = calm.faults.passed();
    story(&mut calm).await;
    let points = calm.faults.passed() - from;
    assert!(points > 5 && calm.open_cases().await == 0, "{points}");
    let ends = (calm.truth(), calm.effects(), calm.cells().await);
    for point in 1..=points {
        let mut world = closed(34).await;
        world.faults.die_at(point);
        story(&mut world).await;
        assert_eq!((world.truth(), world.effects(), world.cells().await), ends, "point {point} of {points}");
    }
}

/// An account that nobody knew of, on a system where whoever left was never seen: it cannot be used, and its token works.
#[tokio::test]
async fn a_case_is_open_again_for_an_account_that_turns_up_later() {
    let mut world = World::new(21, &[("chat", &[]), ("wiki", &[])]).await;
    let nobody_in_the_wiki = |configuration: &mut Configuration| {
        for entitlement in ["account", "everyone", "engineering", "finance"] {
            configuration.policies[0].text += &format!(
                "@id(\"no-{entitlement}\") forbid(principal, action == Action::\"hold\", resource == \
                 Entitlement::\"wiki/{entitlement}\");\n"
            );
        }
    };
    world.configure_with(nobody_in_the_wiki).await;
    world.deliver(&[ANN, BOB]).await.unwrap();
    world.quiet().await;
    world.deliver(&[ANN, GONE]).await.unwrap();
    world.quiet().await;
    assert_eq!((world.cases().await.len(), world.open_cases().await), (1, 0));

    world.behind(
        "wiki",
        json!({
            "users": [{ "userName": "bob@x.test", "externalId": "hr/2", "active": false }],
            "tokens": [{ "user": "bob@x.test", "name": "old" }]
        }),
    );
    let tokens = |world: &World| {
        let truth = world.lab.truth("wiki").unwrap();
        truth.user("bob@x.test").unwrap().tokens.iter().filter(|token| token.works).count()
    };
    assert_eq!(tokens(&world), 1);
    world.pass(SignedDuration::from_mins(1));
    world.engine.reconcile(&SystemName::new("wiki").unwrap(), true).await.unwrap();
    assert_eq!(world.open_cases().await, 1);
    world.quiet().await;
    assert_eq!((tokens(&world), world.open_cases().await), (0, 0));
    let cells = world.all_cells().await;
    let of = |class: AccessClass| {
        cells
            .iter()
            .find(|cell| cell.system.as_str() == "wiki" && cell.class == class)
            .unwrap()
            .verdict
            .name()
    };
    assert_eq!((of(AccessClass::PrimaryAccount), of(AccessClass::ApiTokens)), ("blocked", "removed"));
    // It is told once.
    world.pass(SignedDuration::from_mins(1));
    let again = world.engine.reconcile(&SystemName::new("wiki").unwrap(), true).await.unwrap();
    assert_eq!((again.changed, again.adopted, world.drifts().await), (0, 0, 1));
}
