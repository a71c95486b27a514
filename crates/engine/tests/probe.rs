//! Probing systems that do and do not do what they say, judged by their own truth.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    id::SystemName,
    profile::{Deletion, Form, Profile, WayEffect},
    record::Actor,
    time::SignedDuration,
};
use bailiwick_lab::Behaviour;
use serde_json::json;
use world::{Passing, World};

async fn world(seed: u64, behaviours: &[Behaviour]) -> World {
    let mut world = World::new(seed, &[("chat", behaviours)]).await;
    world.configure().await;
    world.quiet().await;
    world
}

async fn probe(world: &World) -> Profile {
    let chat = SystemName::new("chat").unwrap();
    let by = Actor::Operator("ann".into());
    let profile = world.engine.probe(&chat, by, &Passing(world.hands.clone())).await.unwrap();
    assert_eq!(world.engine.profile(&chat).await.unwrap(), Some((profile.clone(), true)));
    profile
}

fn effects(profile: &Profile) -> Vec<&WayEffect> {
    profile.ways.iter().map(|way| &way.effect).collect()
}

#[tokio::test]
async fn what_is_declared_is_not_what_is_learned() {
    for (behaviour, ways, deletes) in [
        (None, vec![WayEffect::Blocks, WayEffect::Blocks], Deletion::Gone),
        (Some(Behaviour::Noop200), vec![WayEffect::Nothing, WayEffect::Nothing], Deletion::Gone),
        (Some(Behaviour::PutOnly), vec![WayEffect::Nothing, WayEffect::Blocks], Deletion::Gone),
        (
            Some(Behaviour::LimitedPatch),
            vec![WayEffect::Blocks, WayEffect::Refused { code: "unsupported".into() }],
            Deletion::Gone,
        ),
        (Some(Behaviour::KeepsGroups), vec![WayEffect::Blocks, WayEffect::Blocks], Deletion::Gone),
        (Some(Behaviour::StaleRead), vec![WayEffect::Blocks, WayEffect::Blocks], Deletion::Gone),
    ] {
        let behaviours: Vec<Behaviour> = behaviour.into_iter().collect();
        let world = world(1, &behaviours).await;
        let profile = probe(&world).await;
        assert_eq!(effects(&profile), ways.iter().collect::<Vec<_>>(), "{behaviour:?}");
        assert_eq!(profile.deletes, deletes, "{behaviour:?}");
        assert_eq!(profile.canary, None, "{behaviour:?}");
        // Nothing is left of it, and nobody else was touched.
        assert!(world.truth().keys().all(|name| !name.contains("canary")), "{:?}", world.truth());
        let kinds = world.record_kinds().await;
        assert!(kinds.contains("probe-begun") && kinds.contains("probed"));
    }
}

#[tokio::test]
async fn a_leaver_is_disabled_by_the_way_that_was_seen_to_work() {
    const ANN: &str = "1,Ann Archer,ann@x.test,Engineering,,active";
    let disables = async |probed: bool| {
        let mut world = world(2, &[Behaviour::PutOnly]).await;
        if probed {
            assert_eq!(probe(&world).await.first_way(), Some(1));
        }
        world.deliver(&[ANN]).await.unwrap();
        world.quiet().await;
        world.deliver(&[&ANN.replace(",,active", ",2026-01-01,left")]).await.unwrap();
        world.quiet().await;
        assert!(world.truth()["chat/ann@x.test"].contains("active=false"));
        let plans: Vec<_> = world.plans().await.into_iter().flat_map(|row| row.plan.changes).collect();
        plans
            .into_iter()
            .map(|change| change.op.words())
            .filter(|words| words.contains("disable"))
            .collect::<Vec<_>>()
    };
    assert_eq!(disables(false).await, ["disable account", "disable account (way 2)"]);
    assert_eq!(disables(true).await, ["disable account (way 2)"]);
}

/// What was tried, as `+` where all was done, `-` where nothing was, `?` where some was.
fn forms(profile: &Profile) -> Vec<String> {
    let does = |form: &Form| {
        let all = [form.disables, form.enables].into_iter().chain(form.honours.values().copied());
        let (yes, no): (Vec<bool>, Vec<bool>) = all.partition(|does| *does);
        match (yes.len(), no.len()) {
            (_, 0) => '+',
            (0, _) => '-',
            (_, _) => '?',
        }
    };
    profile.forms.iter().map(|form| format!("{} {}", does(form), form.name)).collect()
}

#[tokio::test]
async fn the_dialect_of_patch_is_learned() {
    let (path, value) = ("PATCH by path", "PATCH without a path");
    let (path_text, value_text) = ("PATCH by path, flags as text", "PATCH without a path, flags as text");
    for (behaviour, expect, adopted) in [
        (None, vec![format!("+ {path}")], path),
        (
            Some(Behaviour::PutOnly),
            vec![
                format!("- {path}"),
                format!("- {value}"),
                format!("- {path_text}"),
                format!("- {value_text}"),
                "+ PUT".to_owned(),
            ],
            "PUT",
        ),
        (
            // Without a path it takes texts for texts; yes and no it takes in words alone.
            Some(Behaviour::LimitedPatch),
            vec![
                format!("- {path}"),
                format!("? {value}"),
                format!("- {path_text}"),
                format!("+ {value_text}"),
            ],
            value_text,
        ),
        (
            // It claims a deactivation, and does the rest.
            Some(Behaviour::Noop200),
            vec![
                format!("? {path}"),
                format!("? {value}"),
                format!("? {path_text}"),
                format!("? {value_text}"),
                "? PUT".to_owned(),
            ],
            path,
        ),
    ] {
        let behaviours: Vec<Behaviour> = behaviour.into_iter().collect();
        let profile = probe(&world(6, &behaviours).await).await;
        assert_eq!(forms(&profile), expect, "{behaviour:?}");
        assert_eq!(profile.adopted()[0], adopted, "{behaviour:?}");
        assert_eq!(profile.honours.get("displayName"), Some(&true), "{behaviour:?}");
    }
}

#[tokio::test]
async fn changes_are_written_in_the_dialect_that_was_seen_to_work() {
    const ANN: &str = "1,Ann Archer,ann@x.test,Engineering,,active";
    for behaviour in [Behaviour::LimitedPatch, Behaviour::PutOnly] {
        for probed in [false, true] {
            let mut world = world(7, &[behaviour]).await;
            world.deliver(&[ANN]).await.unwrap();
            world.quiet().await;
            if probed {
                probe(&world).await;
            }
            // A life: another name, away, and back again.
            let renamed = ANN.replace("Archer", "Baker");
            world.deliver(&[&renamed]).await.unwrap();
            world.quiet().await;
            let name = if probed { "name=\"Ann Baker\"" } else { "name=\"Ann Archer\"" };
            assert!(world.truth()["chat/ann@x.test"].contains(name), "{behaviour:?}: {:?}", world.truth());
            if !probed {
                continue;
            }
            for (row, active) in [
                (renamed.replace(",,active", ",2026-01-01,left"), "active=false"),
                (renamed.clone(), "active=true"),
            ] {
                world.deliver(&[&row]).await.unwrap();
                world.quiet().await;
                let truth = world.truth();
                assert!(truth["chat/ann@x.test"].contains(active), "{behaviour:?} {active}: {truth:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_way_outside_of_the_scope_is_learned_and_stops_nothing() {
    let mut world = World::new(3, &[("chat", &[])]).await;
    world
        .configure_with(|configuration| {
            let chat = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "chat").unwrap();
            let rules = &mut chat.scope.rules;
            rules.retain(|rule| !rule.to_string().starts_with("update PUT"));
        })
        .await;
    world.quiet().await;
    let profile = probe(&world).await;
    let refused = WayEffect::Refused { code: "out-of-scope".into() };
    assert_eq!(effects(&profile), [&WayEffect::Blocks, &refused]);
    let chat = SystemName::new("chat").unwrap();
    world.engine.check_system(&chat).await.unwrap();
    assert!(world.engine.open_findings().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_canary_that_a_dead_process_left_is_removed_by_the_next_probe() {
    let points = {
        let world = world(4, &[]).await;
        let begin = world.faults.passed();
        probe(&world).await;
        world.faults.passed() - begin
    };
    assert!(points > 20, "{points}");
    for point in 1..=points {
        let mut world = world(4, &[]).await;
        world.faults.die_at(point);
        let chat = SystemName::new("chat").unwrap();
        let by = Actor::Operator("ann".into());
        let died = world.engine.probe(&chat, by, &Passing(world.hands.clone())).await;
        assert!(died.is_err(), "point {point}");
        world.restart();
        // What the dead one held runs out.
        world.pass(SignedDuration::from_secs(66));
        let profile = probe(&world).await;
        assert_eq!((profile.canary.clone(), profile.first_way()), (None, Some(0)), "point {point}");
        assert!(
            world.truth().keys().all(|name| !name.contains("canary")),
            "point {point}: {:?}",
            world.truth()
        );
    }
}

#[tokio::test]
async fn a_profile_of_another_configuration_says_nothing() {
    let world = world(5, &[Behaviour::PutOnly]).await;
    probe(&world).await;
    world
        .configure_with(|configuration| {
            let chat = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "chat").unwrap();
            chat.settings["read_lag_ms"] = json!(100);
        })
        .await;
    let chat = SystemName::new("chat").unwrap();
    let (_, current) = world.engine.profile(&chat).await.unwrap().unwrap();
    assert!(!current);
}
