//! What somebody else took away on a system, where a person is asked whether it stays away; judged by the system's truth.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    difference::{Answer, Class},
    id::{EntitlementName, SystemName},
    time::SignedDuration,
};
use bailiwick_engine::{AccessRequest, Differs, Reconciled};
use serde_json::{Value, json};
use world::World;

const ANN: &str = "1,Ann Archer,ann@x.test,Engineering,,active";
const BOB: &str = "2,Bob Baker,bob@x.test,Engineering,,active";

fn chat() -> SystemName {
    SystemName::new("chat").unwrap()
}

fn told(found: &Reconciled) -> Vec<String> {
    let line = |one: &Differs| {
        format!("{} {}: {}", one.difference.class, one.difference.aspect, one.answer.as_str())
    };
    found.classes.differences.iter().map(line).collect()
}

/// A world that asks about what was taken away. Of Bob, `behind` was done behind the hub's back.
async fn asked(seed: u64, behind: Value) -> (World, Reconciled) {
    let mut world = begin(seed).await;
    world.behind("chat", behind);
    world.pass(SignedDuration::from_secs(60));
    let found = world.engine.reconcile(&chat(), false).await.unwrap();
    world.quiet().await;
    (world, found)
}

async fn begin(seed: u64) -> World {
    let mut world = World::new(seed, &[("chat", &[])]).await;
    let answers =
        [(Class::Missing, Answer::Except { days: 7 }), (Class::Drifted, Answer::Except { days: 7 })];
    world.configure_with(|c| c.systems[0].reconcile.answers = answers.into()).await;
    world.quiet().await;
    world.deliver(&[ANN, BOB]).await.unwrap();
    world.quiet().await;
    world
}

fn bob(world: &World) -> String {
    world.truth().get("chat/bob@x.test").cloned().unwrap_or_default()
}

async fn approved(world: &World) {
    let operator =
        world.operator_with("approver", &["approver", "break-glass-approver"], Some("hr/1"), 365).await;
    let address = world.engine.enrol("approver", &operator, None).await.unwrap();
    let phone = world::Phone::reads(address.address());
    world.pass(SignedDuration::from_secs(30));
    let [row] = &world.drafted().await[..] else { panic!("one plan waits") };
    let code = phone.code(world.engine.now());
    world.engine.approve_with(row.plan.id, row.digest, &operator, Some(&code)).await.unwrap();
}

/// Somebody blocks an account by hand during an incident: no program opens it before a person has said so, or nobody has
/// said anything for three days.
#[tokio::test]
async fn an_account_that_somebody_blocked_stays_blocked_until_its_end() {
    let blocked =
        json!({ "users": [{ "userName": "bob@x.test", "active": false, "displayName": "LOCKED" }] });
    let (mut world, found) = asked(21, blocked).await;
    // That somebody calls it otherwise goes with it.
    assert_eq!(told(&found), ["drifted whether it can be used: except", "drifted displayName: except"]);
    assert!(bob(&world).contains("active=false"), "nothing is opened while somebody is asked");
    let again = world.engine.reconcile(&chat(), true).await.unwrap();
    assert_eq!((world.drafted().await.len(), again.changed), (1, 0), "it is asked once");
    approved(&world).await;
    world.quiet().await;
    // Whatever else happens to him, he has nothing there.
    world.deliver(&[ANN, "2,Bob Baker-Bly,bob@x.test,Finance,,active"]).await.unwrap();
    world.quiet().await;
    assert!(bob(&world).contains("active=false") && !bob(&world).contains("Engineering"), "{}", bob(&world));
    let again = world.engine.reconcile(&chat(), true).await.unwrap();
    assert!(told(&again).is_empty(), "{again:?}");
    let everyone = EntitlementName::new("chat/everyone").unwrap();
    let why = world.engine.why("hr/2", &everyone, None).await.unwrap();
    let by: Vec<String> = why.forbidden_by.iter().map(ToString::to_string).collect();
    assert_eq!((why.wanted, by), (false, vec!["lost-on:chat".to_owned()]));
    // At the end, policy says again what he has.
    world.pass(SignedDuration::from_hours(7 * 24 + 1));
    world.quiet().await;
    assert!(bob(&world).contains("active=true") && bob(&world).contains("Baker-Bly"), "{}", bob(&world));
    assert!(bob(&world).contains("Everyone"), "{}", bob(&world));
    assert!(world.engine.open_findings().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_taken_away_is_put_back_when_nobody_says_that_it_may_stay_away() {
    for (seed, behind, what) in [
        (22, json!({ "users": [{ "userName": "bob@x.test", "active": false }] }), "whether it can be used"),
        (23, json!({ "leave": [["Engineering", "bob@x.test"]] }), "chat/engineering"),
        (24, json!({ "delete": ["bob@x.test"] }), "the account"),
    ] {
        let (mut world, found) = asked(seed, behind).await;
        let class = if seed == 22 { "drifted" } else { "missing" };
        assert_eq!(told(&found), [format!("{class} {what}: except")]);
        let whole = |world: &World| {
            ["active=true", "Engineering", "Everyone"].iter().all(|part| bob(world).contains(part))
        };
        assert!(!whole(&world) && world.drafted().await.len() == 1, "{}", bob(&world));
        world.pass(SignedDuration::from_hours(73));
        world.quiet().await;
        assert!(whole(&world) && world.drafted().await.is_empty(), "{}", bob(&world));
    }
}

/// One entitlement stays away, and the rest is as policy says. Whoever wants it back first ends that.
#[tokio::test]
async fn one_thing_that_was_taken_away_is_withheld_and_nothing_else() {
    let (mut world, _) = asked(25, json!({ "leave": [["Engineering", "bob@x.test"]] })).await;
    approved(&world).await;
    world.quiet().await;
    world.pass(SignedDuration::from_hours(5 * 24));
    world.quiet().await;
    assert!(bob(&world).contains("Everyone") && !bob(&world).contains("Engineering"), "{}", bob(&world));
    let asker = world.operator_with("asker", &["admin"], Some("hr/1"), 365).await;
    let wanted = || AccessRequest {
        identity: "hr/2".into(),
        entitlements: [EntitlementName::new("chat/engineering").unwrap()].into(),
        minutes: 60,
        reason: "a release".into(),
    };
    let refused = world.engine.ask_access(wanted(), &asker).await.unwrap_err();
    assert_eq!(refused.code(), "access-withheld");
    let [exception] = &world.engine.exceptions().await.unwrap()[..] else { panic!("one exception") };
    world.engine.end_exception(exception.terms.exception, &asker).await.unwrap();
    world.quiet().await;
    assert!(bob(&world).contains("Engineering"), "{}", bob(&world));
}

/// Where something has to go and something may stay away, everything is put right: an exception says one thing.
#[tokio::test]
async fn something_found_and_something_taken_are_put_right_together() {
    let mut world = begin(26).await;
    let answers = [(Class::Rogue, Answer::Adopt), (Class::Missing, Answer::Adopt)];
    world.configure_with(|c| c.systems[0].reconcile.answers = answers.into()).await;
    world.quiet().await;
    world.behind(
        "chat",
        json!({ "groups": [{ "name": "Finance", "members": ["bob@x.test"] }],
            "leave": [["Engineering", "bob@x.test"]] }),
    );
    world.pass(SignedDuration::from_secs(60));
    let found = world.engine.reconcile(&chat(), false).await.unwrap();
    world.quiet().await;
    assert_eq!(told(&found), ["rogue chat/finance: revert", "missing chat/engineering: revert"]);
    assert!(bob(&world).contains("Engineering") && !bob(&world).contains("Finance"), "{}", bob(&world));
}

/// Killed at any point between finding and the end, the end is the same and each effect happens once.
#[tokio::test]
async fn withholding_survives_a_crash_at_every_point() {
    async fn story(world: &mut World) {
        world.behind("chat", json!({ "users": [{ "userName": "bob@x.test", "active": false }] }));
        world.pass(SignedDuration::from_secs(60));
        while world.engine.reconcile(&chat(), false).await.is_err() {
            assert!(world.faults.died());
            world.restart();
            world.pass(SignedDuration::from_secs(120));
        }
        world.quiet().await;
        world.pass(SignedDuration::from_hours(73));
        world.quiet().await;
    }
    let mut calm = begin(27).await;
    let from = calm.faults.passed();
    story(&mut calm).await;
    let points = calm.faults.passed() - from;
    assert!(points > 10 && bob(&calm).contains("active=true"), "{points}: {}", bob(&calm));
    let ends = (calm.truth(), calm.effects());
    for point in 1..=points {
        let mut world = begin(27).await;
        world.faults.die_at(point);
        story(&mut world).await;
        assert_eq!((world.truth(), world.effects()), ends, "point {point} of {points}");
    }
}
