//! The whole flow in a simulated world, judged by the systems' own truth.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::time::SignedDuration;
use bailiwick_lab::Behaviour;
use serde_json::json;
use world::World;

const ANN: &str = "1,Ann Archer,ann@x.test,Engineering,,active";
const BOB: &str = "2,Bob Baker,bob@x.test,Finance,,active";
const CYD: &str = "3,Cyd Cole,cyd@x.test,Engineering,,active";

async fn settled(seed: u64, systems: &[(&str, &[Behaviour])]) -> World {
    let mut world = World::new(seed, systems).await;
    world.configure().await;
    world.quiet().await;
    world.deliver(&[ANN, BOB, CYD]).await.unwrap();
    world.quiet().await;
    world
}

#[tokio::test]
async fn joiners_get_exactly_what_policy_gives() {
    let world = settled(1, &[("chat", &[]), ("wiki", &[Behaviour::PutOnly])]).await;
    let truth = world.truth();
    for system in ["chat", "wiki"] {
        let ann = &truth[&format!("{system}/ann@x.test")];
        assert!(ann.contains("active=true") && ann.contains(r#"{"Engineering", "Everyone"}"#), "{ann}");
        let bob = &truth[&format!("{system}/bob@x.test")];
        assert!(bob.contains(r#"{"Everyone", "Finance"}"#), "{bob}");
    }
    assert!(world.engine.open_findings().await.unwrap().is_empty(), "{:?}", world.engine.open_findings().await);
}

#[tokio::test]
async fn a_mover_holds_the_target_set_exactly() {
    let mut world = settled(2, &[("chat", &[])]).await;
    world.deliver(&["1,Ann Archer-Bly,ann@x.test,Finance,,active", BOB, CYD]).await.unwrap();
    world.quiet().await;
    let ann = &world.truth()["chat/ann@x.test"];
    assert!(ann.contains(r#"{"Everyone", "Finance"}"#) && ann.contains("Archer-Bly"), "{ann}");
}

#[tokio::test]
async fn a_leaver_is_stripped_on_systems_that_keep_and_found_on_systems_that_lie() {
    let behaviours: &[(&str, &[Behaviour])] = &[
        ("chat", &[]),
        ("wiki", &[Behaviour::KeepsGroups]),
        ("crm", &[Behaviour::Noop200]),
        ("mail", &[Behaviour::PutOnly]),
        ("pay", &[Behaviour::DormantToken]),
    ];
    let mut world = settled(3, behaviours).await;
    for system in ["chat", "wiki", "crm", "mail", "pay"] {
        world.behind(
            system,
            json!({ "tokens": [{ "user": "ann@x.test", "name": "ci" }], "sessions": ["ann@x.test"],
                "licences": [{ "user": "ann@x.test", "sku": "pro" }] }),
        );
    }
    world.deliver(&["1,Ann Archer,ann@x.test,Engineering,2026-01-01,left", BOB, CYD]).await.unwrap();
    world.quiet().await;
    let truth = world.truth();
    for system in ["chat", "wiki", "mail", "pay"] {
        let ann = &truth[&format!("{system}/ann@x.test")];
        assert!(ann.contains("active=false") && ann.contains("groups={} tokens=0 licences=0 sessions=0"), "{system}: {ann}");
    }
    let crm = &truth["crm/ann@x.test"];
    assert!(crm.contains("active=true") && crm.contains("groups={} tokens=0 licences=0 sessions=0"), "{crm}");
    let findings = world.engine.open_findings().await.unwrap();
    let codes: Vec<(&str, &str)> = findings
        .iter()
        .map(|f| (f.code.as_str(), f.system.as_ref().map(|s| s.as_str()).unwrap_or_default()))
        .collect();
    assert_eq!(codes, [("residual-access", "crm")]);
    // Everybody else is as before.
    assert!(truth["crm/bob@x.test"].contains("active=true"));
}

#[tokio::test]
async fn a_truncated_feed_is_held_and_nobody_loses_access() {
    let people: Vec<String> =
        (1..=20).map(|n| format!("{n},P {n},p{n}@x.test,Engineering,,active")).collect();
    let lines: Vec<&str> = people.iter().map(String::as_str).collect();
    let mut world = World::new(4, &[("chat", &[])]).await;
    world.configure().await;
    world.quiet().await;
    world.deliver(&lines).await.unwrap();
    world.quiet().await;
    let before = world.truth();
    let error = world.deliver(&lines[..8]).await.unwrap_err();
    assert_eq!(error.code(), "feed-too-much-loss");
    world.quiet().await;
    world.pass(SignedDuration::from_hours(24 * 40));
    world.quiet().await;
    assert_eq!(world.truth(), before);
    // A positive leaver flows all the same.
    let left = "3,P 3,p3@x.test,Engineering,2026-01-01,left";
    world.deliver(&[&lines[..2], &[left]].concat()).await.unwrap_err();
    world.quiet().await;
    assert!(world.truth()["chat/p3@x.test"].contains("active=false"));
}

#[tokio::test]
async fn the_second_reconciliation_is_empty_and_drift_is_put_right() {
    let mut world = settled(5, &[("chat", &[])]).await;
    let chat = bailiwick_core::id::SystemName::new("chat").unwrap();
    let first = world.engine.reconcile(&chat).await.unwrap();
    assert_eq!((first.accounts, first.changed, first.adopted, first.gone), (3, 0, 0, 0), "{first:?}");
    world.behind("chat", json!({ "groups": [{ "name": "Admins", "members": ["bob@x.test"] }] }));
    world.behind("chat", json!({ "users": [{ "userName": "ghost@x.test", "active": true }] }));
    let second = world.engine.reconcile(&chat).await.unwrap();
    assert_eq!((second.changed, second.unmanaged), (1, 1), "{second:?}");
    world.quiet().await;
    assert!(!world.truth()["chat/bob@x.test"].contains("Admins"), "{}", world.truth()["chat/bob@x.test"]);
    let third = world.engine.reconcile(&chat).await.unwrap();
    assert_eq!((third.changed, third.unmanaged, third.unchanged), (0, 0, 4), "{third:?}");
}

#[tokio::test]
async fn kill_the_process_anywhere_and_the_end_is_the_same_each_effect_once() {
    async fn deliver(world: &mut World, lines: &[&str]) {
        while world.deliver(lines).await.is_err() {
            assert!(world.faults.died());
            world.restart();
        }
    }
    async fn story(world: &mut World) {
        deliver(world, &[ANN, BOB]).await;
        world.quiet().await;
        deliver(world, &["1,Ann Archer,ann@x.test,Finance,,active", BOB]).await;
        world.quiet().await;
        deliver(world, &["1,Ann Archer,ann@x.test,Finance,2026-01-01,left", BOB]).await;
        world.quiet().await;
    }
    let systems: &[(&str, &[Behaviour])] = &[("chat", &[]), ("wiki", &[Behaviour::KeepsGroups])];
    let mut calm = World::new(6, systems).await;
    calm.configure().await;
    calm.quiet().await;
    let begin = calm.faults.passed();
    story(&mut calm).await;
    let points = calm.faults.passed() - begin;
    let (truth, effects) = (calm.truth(), calm.effects());
    let mut differ = Vec::new();
    for point in 1..=points {
        let mut world = World::new(6, systems).await;
        world.configure().await;
        world.quiet().await;
        world.faults.die_at(point);
        story(&mut world).await;
        if world.truth() != truth || world.effects() != effects {
            differ.push(point);
        }
    }
    println!("crash sweep: {points} points, {} differ", differ.len());
    assert!(points > 100, "only {points} points");
    assert!(differ.is_empty(), "of {points} points these differ: {differ:?}");
}

#[tokio::test]
async fn answers_that_are_lost_and_readers_that_lag_change_nothing_in_the_end() {
    let story = async |behaviours: &'static [Behaviour], seed: u64| {
        let mut world = World::new(seed, &[("chat", behaviours)]).await;
        world.configure().await;
        world.quiet().await;
        for lines in [
            vec![ANN, BOB, CYD],
            vec!["1,Ann Archer,ann@x.test,Finance,,active", BOB, CYD],
            vec!["1,Ann Archer,ann@x.test,Finance,2026-01-01,left", BOB, CYD],
        ] {
            world.deliver(&lines).await.unwrap();
            world.quiet().await;
        }
        // What is asynchronous at the system comes to its end.
        world.pass(SignedDuration::from_secs(10));
        world.quiet().await;
        world
    };
    let (calm, _) = (story(&[], 20).await, ());
    let expected = (calm.truth(), calm.effects());
    for behaviours in [
        &[Behaviour::TimeoutAfterCommit] as &'static [Behaviour],
        &[Behaviour::StaleRead],
        &[Behaviour::AsyncMembers],
        &[Behaviour::TimeoutAfterCommit, Behaviour::StaleRead],
        &[Behaviour::TimeoutAfterCommit, Behaviour::AsyncMembers, Behaviour::StaleRead],
    ] {
        for seed in 20..26 {
            let world = story(behaviours, seed).await;
            assert_eq!(world.truth(), expected.0, "seed {seed}, {behaviours:?}");
            assert_eq!(world.effects(), expected.1, "seed {seed}, {behaviours:?}: each effect once");
        }
    }
}
