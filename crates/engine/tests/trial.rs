//! Trying the contract on systems that keep it and on systems that do not, judged by their own truth.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::collections::BTreeMap;

use bailiwick_core::{id::SystemName, record::Actor, time::SignedDuration};
use bailiwick_engine::{Tried, TriedVerdict};
use bailiwick_lab::Behaviour;
use world::{Passing, World};

const PEOPLE: [&str; 3] = [
    "1,Ann Archer,ann@x.test,Engineering,,active",
    "2,Bob Baker,bob@x.test,Finance,,active",
    "3,Cyd Cole,cyd@x.test,Engineering,,active",
];

async fn world(seed: u64, behaviours: &[Behaviour]) -> World {
    let mut world = World::new(seed, &[("chat", behaviours)]).await;
    world.configure().await;
    world.quiet().await;
    world.deliver(&PEOPLE).await.unwrap();
    world.quiet().await;
    world
}

async fn attempt(world: &World) -> bailiwick_engine::Result<Vec<Tried>> {
    let chat = SystemName::new("chat").unwrap();
    world.engine.try_contract(&chat, Actor::Operator("ann".into()), &Passing(world.hands.clone())).await
}

/// Sentence → what came of it.
fn verdicts(tried: &[Tried]) -> BTreeMap<&str, TriedVerdict> {
    tried.iter().map(|one| (one.sentence.as_str(), one.verdict)).collect()
}

const NOT_SHOWN: [&str; 7] = [
    "says when partial",
    "lost answer is unknown",
    "never writes again by itself",
    "a tried credential tells who is let in",
    "news tells what changed",
    "the audit log tells who changed what",
    "nothing secret in debug",
];

#[tokio::test]
async fn a_faithful_system_keeps_what_can_be_shown_and_nobody_else_is_touched() {
    let world = world(300, &[]).await;
    let (truth, effects) = (world.truth(), world.effects());
    let tried = attempt(&world).await.unwrap();
    assert_eq!(tried.len(), 18);
    for one in &tried {
        let expect = match NOT_SHOWN.contains(&one.sentence.as_str()) {
            true => TriedVerdict::NotShown,
            false => TriedVerdict::Holds,
        };
        assert!(one.verdict == expect && !one.told.is_empty(), "{one:?}");
    }
    assert_eq!(world.truth(), truth);
    let touched: Vec<_> =
        world.effects().into_iter().filter(|(what, _)| !effects.contains_key(what)).collect();
    assert!(touched.iter().all(|(what, _)| what.contains("(gone)")), "{touched:?}");
    assert!(world.record_kinds().await.contains("tried"));
    let chat = SystemName::new("chat").unwrap();
    assert_eq!(world.engine.profile(&chat).await.unwrap(), None, "a trial is no probe");
}

#[tokio::test]
async fn what_a_system_does_not_keep_is_said() {
    for (behaviour, broken) in [
        (Behaviour::Noop200, vec!["apply then get holds"]),
        (Behaviour::PutOnly, vec!["apply then get holds"]),
        (Behaviour::StaleRead, vec![]),
    ] {
        let world = world(301, &[behaviour]).await;
        let truth = world.truth();
        let tried = attempt(&world).await.unwrap();
        let found: Vec<_> = verdicts(&tried)
            .into_iter()
            .filter(|(_, verdict)| *verdict == TriedVerdict::Broken)
            .map(|(sentence, _)| sentence)
            .collect();
        assert_eq!(found, broken, "{behaviour:?}: {tried:?}");
        assert_eq!(world.truth(), truth, "{behaviour:?}");
    }
}

#[tokio::test]
async fn what_is_not_allowed_cannot_be_shown_and_stops_nothing() {
    let mut world = World::new(302, &[("chat", &[])]).await;
    world
        .configure_with(|configuration| {
            let chat = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "chat").unwrap();
            chat.scope.rules.retain(|rule| !rule.to_string().starts_with("update PUT"));
        })
        .await;
    world.quiet().await;
    let tried = attempt(&world).await.unwrap();
    assert_eq!(verdicts(&tried)["apply then get holds"], TriedVerdict::NotShown, "{tried:?}");
    assert!(tried.iter().all(|one| one.verdict != TriedVerdict::Broken), "{tried:?}");
    world.engine.check_system(&SystemName::new("chat").unwrap()).await.unwrap();
    assert!(world.truth().keys().all(|name| !name.contains("canary")), "{:?}", world.truth());
}

#[tokio::test]
async fn a_canary_that_a_dead_process_left_is_removed_by_the_next() {
    let points = {
        let world = world(303, &[]).await;
        let begin = world.faults.passed();
        attempt(&world).await.unwrap();
        world.faults.passed() - begin
    };
    assert!(points > 60, "{points}");
    // Every point would take long; these lie all over it, the first and the last ones among them.
    let some = (1..=12).chain((13..points - 12).step_by(7)).chain(points - 12..=points);
    for point in some {
        let mut world = world(303, &[]).await;
        let truth = world.truth();
        world.faults.die_at(point);
        // Near its end a trial may come to its end all the same: what it still writes is nothing.
        let _ = attempt(&world).await;
        assert!(world.faults.died(), "point {point}");
        world.restart();
        world.pass(SignedDuration::from_secs(66));
        attempt(&world).await.unwrap();
        assert_eq!(world.truth(), truth, "point {point}");
    }
}
