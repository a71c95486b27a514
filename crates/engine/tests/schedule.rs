//! Looking at systems on schedule: durable, one at a time, and never multiplied.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    id::SystemName,
    integration::Purpose,
    record::Actor,
    time::{SignedDuration, Timestamp},
};
use bailiwick_lab::Behaviour;
use bailiwick_store::entities::PlanState;
use serde_json::json;
use world::{Passing, Weather, World};

fn chat() -> SystemName {
    SystemName::new("chat").unwrap()
}

async fn configured(seed: u64) -> World {
    let mut world = World::new(seed, &[("chat", &[])]).await;
    world.configure().await;
    world.quiet().await;
    world
}

/// Lets so many hours pass, with all that is due in them.
async fn hours(world: &mut World, hours: i64) {
    let end = world.clock().saturating_add(SignedDuration::from_hours(hours)).unwrap();
    // What is due at the end itself is in them.
    while world.clock() <= end {
        let left = end.duration_since(world.clock()) + SignedDuration::from_millis(1);
        world.quiet_before(left.min(SignedDuration::from_hours(1))).await;
        let next = world.next_due().await.filter(|next| *next <= end);
        let next = next.unwrap_or(end + SignedDuration::from_millis(1));
        world.pass(next.duration_since(world.clock()).max(SignedDuration::ZERO));
    }
}

#[tokio::test]
async fn a_system_is_compared_every_six_hours_however_often_somebody_asks() {
    let mut world = configured(200).await;
    let runs = async |world: &World| world.records("reconciled").await;
    let begin = runs(&world).await;
    hours(&mut world, 24).await;
    assert_eq!(runs(&world).await - begin, 4);
    for _ in 0..5 {
        world.pass(SignedDuration::from_secs(1));
        world.engine.reconcile(&chat(), false).await.unwrap();
    }
    hours(&mut world, 24).await;
    assert_eq!(runs(&world).await - begin, 4 + 5 + 4);
    // A crash loses no schedule.
    world.restart();
    hours(&mut world, 12).await;
    assert_eq!(runs(&world).await - begin, 4 + 5 + 4 + 2);
    // Another rhythm holds at once; a system that is not declared any more is left alone.
    world.configure_with(|c| c.systems[0].reconcile_every_ms = 3_600_000).await;
    world.quiet().await;
    let begin = runs(&world).await;
    hours(&mut world, 5).await;
    assert_eq!(runs(&world).await - begin, 5);
    world
        .configure_with(|c| {
            c.systems.clear();
            c.entitlements.clear();
            c.integrations.retain(|i| i.name.as_str() != "chat");
            c.policies[0].text =
                r#"@id("none") forbid(principal, action == Action::"hold", resource);"#.into();
        })
        .await;
    world.quiet().await;
    let begin = runs(&world).await;
    hours(&mut world, 48).await;
    assert_eq!(runs(&world).await - begin, 0);
    // What comes next is that the feed is reviewed, weeks later.
    let next = world.next_due().await.unwrap().duration_since(world.clock());
    assert!(next > SignedDuration::from_hours(24 * 20), "{next}");
}

#[tokio::test]
async fn a_run_that_fails_is_put_off_and_somebody_is_told() {
    let mut world = World::new(201, &[("chat", &[])]).await;
    let configuration = world.configuration();
    let change = world.engine.configuration_change(&configuration).await.unwrap();
    let by = || Actor::Operator("test".into());
    world.engine.configure(&configuration, change.digest, by()).await.unwrap();
    world.quiet_before(SignedDuration::from_secs(10)).await;
    let codes = async |world: &World| -> Vec<String> {
        world.engine.open_findings().await.unwrap().into_iter().map(|f| f.code).collect()
    };
    assert_eq!(codes(&world).await, ["cannot-reconcile"]);
    assert_eq!(world.records("reconciled").await, 0);
    for (purpose, token) in [(Purpose::Write, "write"), (Purpose::Verify, "read")] {
        world.seal("chat", purpose, &format!("chat-{token}")).await;
    }
    hours(&mut world, 1).await;
    assert_eq!((codes(&world).await.len(), world.records("reconciled").await), (0, 1));
}

#[tokio::test]
async fn one_run_at_a_time() {
    let world = configured(202).await;
    let chat = chat();
    world.faults.hang("chat");
    let run = || Box::pin(world.engine.reconcile(&chat, false));
    let (mut one, mut two) = (run(), run());
    let (turned_away, other) = tokio::select! {
        outcome = &mut one => (outcome, two),
        outcome = &mut two => (outcome, one),
    };
    assert_eq!(turned_away.unwrap_err().code(), "system-busy");
    world.faults.answer();
    other.await.unwrap();
    world.engine.reconcile(&chat, false).await.unwrap();
}

#[tokio::test]
async fn what_was_probed_is_probed_again_in_time_and_after_a_change() {
    let mut world = configured(203).await;
    let at = async |world: &World| -> Option<Timestamp> {
        Some(world.engine.profile(&chat()).await.unwrap()?.0.at)
    };
    // Nobody asked for accounts to be made there.
    hours(&mut world, 24 * 31).await;
    assert_eq!(at(&world).await, None);

    let by = Actor::Operator("ann".into());
    world.engine.probe(&chat(), by, &Passing(world.hands.clone())).await.unwrap();
    let first = at(&world).await.unwrap();
    hours(&mut world, 24 * 29).await;
    assert_eq!(at(&world).await, Some(first));
    hours(&mut world, 24 * 2).await;
    let second = at(&world).await.unwrap();
    assert!(second.duration_since(first) >= SignedDuration::from_hours(24 * 30));
    assert!(world.truth().keys().all(|name| !name.contains("canary")), "{:?}", world.truth());

    world
        .configure_with(|c| {
            let chat = c.integrations.iter_mut().find(|i| i.name.as_str() == "chat").unwrap();
            chat.settings["read_lag_ms"] = json!(100);
        })
        .await;
    world.quiet().await;
    let (profile, current) = world.engine.profile(&chat()).await.unwrap().unwrap();
    assert!(current && profile.at > second, "{profile:?}");
    // One schedule goes on.
    let begin = world.records("probed").await;
    hours(&mut world, 24 * 61).await;
    assert_eq!(world.records("probed").await - begin, 2);
}

#[tokio::test]
async fn a_change_in_doubt_for_hours_has_nobody_decided_anew_all_that_time() {
    const ANN: &str = "1,Ann,ann@x.test,Engineering,,active";
    for (seed, next, most) in
        [(210, "1,Ann,ann@x.test,Sales,,active", 45), (211, "1,Ann,ann@x.test,Finance,2026-01-01,left", 270)]
    {
        let mut world = World::new(seed, &[("chat", &[])]).await;
        world.configure().await;
        world.deliver(&[ANN]).await.unwrap();
        world.quiet().await;
        // The answer to a change is lost, and then the system is down.
        world.faults.lasting(Some((true, Weather::AnswerLost)));
        world.deliver(&[&ANN.replace("Engineering", "Finance")]).await.unwrap();
        world.engine.work().await.unwrap();
        world.engine.work().await.unwrap();
        world.lab.behave("chat", [Behaviour::Down]).unwrap();
        world.deliver(&[next]).await.unwrap();
        let before = world.records("decided").await;
        world.quiet_for(SignedDuration::from_hours(2)).await;
        let decided = world.records("decided").await - before;
        assert!((5..=most).contains(&decided), "{next}: decided {decided} times in two hours");
        // What was in doubt settles, and what came after it is done.
        world.faults.fair();
        world.lab.behave("chat", []).unwrap();
        world.quiet().await;
        let truth = world.lab.truth("chat").unwrap();
        let ann = truth.user("ann@x.test").unwrap();
        assert_eq!(ann.active, !next.ends_with("left"), "{next}");
        assert!(!ann.effective_groups.iter().any(|group| group.contains("Finance")), "{ann:?}");
    }
}

/// What was under way when somebody left is read back into their case, while what is to be removed still waits for its turn.
#[tokio::test]
async fn what_a_plan_that_waits_is_to_remove_is_not_planned_for_once_more() {
    const ANN: &str = "1,Ann,ann@x.test,Engineering,,active";
    let mut world = World::new(212, &[("chat", &[])]).await;
    world.configure().await;
    world.deliver(&[ANN]).await.unwrap();
    world.quiet().await;
    world.faults.lasting(Some((true, Weather::AnswerLost)));
    world.deliver(&["1,Ann Bly,ann@x.test,Engineering,,active"]).await.unwrap();
    world.engine.work().await.unwrap();
    world.engine.work().await.unwrap();
    world.deliver(&["1,Ann Bly,ann@x.test,Engineering,2026-01-01,left"]).await.unwrap();
    world.behind(
        "chat",
        json!({ "tokens": [{ "user": "ann@x.test", "name": "ci" }], "sessions": ["ann@x.test"] }),
    );
    world.faults.lasting(Some((true, Weather::Unreached)));
    world.quiet_for(SignedDuration::from_mins(30)).await;
    let cell = world.cells().await["chat/primary-account"].clone();
    assert_eq!(cell, "residual", "the change was read back into the case");
    let of_leaver = async |world: &World| {
        let plans = world.plans().await;
        plans.iter().filter(|row| row.plan.is_of_leaver()).map(|row| row.state.clone()).collect::<Vec<_>>()
    };
    let waiting = of_leaver(&world).await;
    assert!(matches!(waiting[..], [PlanState::Approved { .. }]), "{waiting:?}");
    world.faults.lasting(None);
    world.quiet().await;
    let done = of_leaver(&world).await;
    assert!(matches!(done[..], [PlanState::Done { .. }]), "{done:?}");
    assert_eq!(world.open_cases().await, 0);
    assert!(!world.lab.truth("chat").unwrap().user("ann@x.test").unwrap().active);
}
