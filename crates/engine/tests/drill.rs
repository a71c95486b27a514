//! Drills: what is found is judged by whether the lab lets the credential in.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    access::AccessClass,
    drill::{Drill, Finding, Tried},
    id::SystemName,
    integration::Integration,
    record::Actor,
    time::SignedDuration,
};
use bailiwick_engine::Configuration;
use bailiwick_lab::Behaviour;
use serde_json::json;
use world::{Passing, World};

const ANN: &str = "1,Ann,ann@x.test,Engineering,,active";
const CY: &str = "3,Cy,cy@x.test,Finance,,active";
const BO: &str = "2,Bo,bo@x.test,Finance,,active";

fn chat() -> SystemName {
    SystemName::new("chat").unwrap()
}

fn left(line: &str) -> String {
    line.replace(",,active", ",2026-01-01,left")
}

/// Lets a canary have a token, and try it.
fn tryable(configuration: &mut Configuration) {
    configuration.systems.iter_mut().for_each(|system| system.probe_every_ms = 3 * 24 * 3_600_000);
    let integration: &mut Integration =
        configuration.integrations.iter_mut().find(|i| i.name.as_str() == "chat").unwrap();
    integration.settings["held"]["api-tokens"]["issue"] =
        json!({ "make": "POST /api/users/{id}/tokens", "body": { "name": "canary" }, "given": "secret" });
    integration.settings["held"]["api-tokens"]["try"] = json!("/api/whoami");
    for rule in ["issue POST /api/users/{id}/tokens", "try GET /api/whoami"] {
        integration.scope.rules.push(rule.parse().unwrap());
    }
}

/// A world in which `chat` behaves so, and a canary can have a token there.
async fn world(seed: u64, behaviours: &[Behaviour]) -> World {
    let mut world = World::new(seed, &[("chat", behaviours)]).await;
    world.configure_with(tryable).await;
    world.deliver(&[ANN, BO]).await.unwrap();
    world.quiet().await;
    world
}

async fn drill(world: &World) -> Drill {
    let by = Actor::Operator("ada".into());
    world.engine.drill(&chat(), by, &Passing(world.hands.clone())).await.unwrap()
}

fn of(drill: &Drill, class: AccessClass) -> Finding {
    drill.drilled.iter().find(|drilled| drilled.class == class).unwrap().finding()
}

fn canaries(world: &World) -> usize {
    let users = world.lab.truth("chat").unwrap().users;
    users.iter().filter(|user| user.user_name.contains("canary") && user.active).count()
}

#[tokio::test]
async fn a_canary_that_leaves_a_faithful_system_is_turned_away() {
    let world = world(1, &[]).await;
    let drill = drill(&world).await;
    assert!(drill.passed(), "{drill:#?}");
    assert_eq!(of(&drill, AccessClass::ApiTokens), Finding::Proven);
    assert_eq!((of(&drill, AccessClass::DirectGroups), drill.ways), (Finding::Read, 1));
    let untried = drill.untried();
    assert_eq!(untried[&AccessClass::DirectGroups], "the connector gives no credential of it");
    assert!(untried[&AccessClass::Sessions].ends_with("may have had nothing of it to lose"), "{untried:?}");
    assert!(!untried.contains_key(&AccessClass::ApiTokens), "{untried:?}");
    assert_eq!((drill.canary.clone(), canaries(&world)), (None, 0));
    assert_eq!(world.findings("verification-untrusted").await, Vec::<String>::new());
    assert_eq!((world.records("drill-begun").await, world.records("drilled").await), (1, 1));
    assert_eq!(world.engine.last_drill(&chat()).await.unwrap(), Some(drill));
}

#[tokio::test]
async fn a_canary_leaves_by_the_next_way_where_the_first_does_nothing() {
    let world = world(2, &[Behaviour::Noop200]).await;
    let drill = drill(&world).await;
    assert!(drill.passed() && drill.ways > 1, "{drill:#?}");
    assert_eq!(canaries(&world), 0);
}

#[tokio::test]
async fn what_a_liar_shows_is_not_believed_and_past_leavers_are_open_again() {
    let mut world = world(3, &[Behaviour::Liar]).await;
    world.behind("chat", json!({ "tokens": [{ "user": "ann@x.test", "name": "ci" }] }));
    world.deliver(&[&left(ANN), BO]).await.unwrap();
    world.quiet().await;
    // Everything reads clean, and the token works.
    assert_eq!((world.open_cases().await, &world.cells().await["chat/api-tokens"][..]), (0, "removed"));
    let truth = world.lab.truth("chat").unwrap();
    assert!(truth.user("ann@x.test").unwrap().tokens.iter().any(|token| token.works));

    let found = drill(&world).await;
    assert_eq!(of(&found, AccessClass::ApiTokens), Finding::Untrusted, "{found:#?}");
    let api = found.drilled.iter().find(|drilled| drilled.class == AccessClass::ApiTokens).unwrap();
    assert_eq!(api.tried, Tried::LetIn);
    assert_eq!(world.findings("verification-untrusted").await.len(), 1);
    world.quiet().await;
    assert_eq!((world.open_cases().await, &world.cells().await["chat/api-tokens"][..]), (1, "unobservable"));
    assert_eq!(
        world.cells().await["chat/sessions"],
        "removed",
        "of what was not shown to lie nothing is doubted"
    );

    // Whoever leaves now is not said to have no token either.
    world.deliver(&[&left(ANN), &left(BO)]).await.unwrap();
    world.quiet().await;
    assert_eq!(world.open_cases().await, 2);

    // The vendor mends it. What is ended from now on is believed; what was ended before may be alive, and it is.
    world.lab.behave("chat", []).unwrap();
    let mended = drill(&world).await;
    assert!(mended.passed(), "{mended:#?}");
    assert_eq!(world.findings("verification-untrusted").await, Vec::<String>::new());
    world.pass(SignedDuration::from_secs(1));
    world.deliver(&[&left(ANN), &left(BO), CY]).await.unwrap();
    world.quiet().await;
    world.deliver(&[&left(ANN), &left(BO), &left(CY)]).await.unwrap();
    world.quiet().await;
    let (cases, open) = (world.cases().await.len(), world.open_cases().await);
    assert_eq!((cases, open), (3, 2), "who left after that has a case that closes");
    let truth = world.lab.truth("chat").unwrap();
    assert!(truth.user("ann@x.test").unwrap().tokens.iter().any(|token| token.works));
}

#[tokio::test]
async fn drills_go_on_by_themselves_and_after_a_change_of_the_connector() {
    let mut world = world(4, &[]).await;
    // Nobody is drilled whom no person asked for.
    world.pass(SignedDuration::from_hours(24 * 4));
    world.quiet().await;
    assert_eq!(world.records("drilled").await, 0);
    drill(&world).await;
    world.pass(SignedDuration::from_hours(24 * 3));
    world.quiet().await;
    assert_eq!(world.records("drilled").await, 2);
    // It becomes a liar; the next drill on schedule finds that out.
    world.lab.behave("chat", [Behaviour::Liar]).unwrap();
    world.pass(SignedDuration::from_hours(24 * 3));
    world.quiet().await;
    assert_eq!(
        (world.records("drilled").await, world.findings("verification-untrusted").await.len()),
        (3, 1)
    );
    world
        .configure_with(|configuration| {
            tryable(configuration);
            let chat = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "chat").unwrap();
            chat.settings["read_lag_ms"] = json!(2_600);
        })
        .await;
    world.quiet().await;
    assert_eq!(world.records("drilled").await, 4, "another connector is drilled at once");
}

#[tokio::test]
async fn another_version_of_the_connectors_is_drilled_and_only_once() {
    let mut world = world(6, &[]).await;
    let first = drill(&world).await;
    world.upgraded("0.0.2");
    for _ in 0..2 {
        world.pass(SignedDuration::from_secs(60));
        world.engine.reconcile(&chat(), false).await.unwrap();
        world.quiet().await;
        let last = world.engine.last_drill(&chat()).await.unwrap().unwrap();
        assert_eq!((&first.version[..], &last.version[..]), ("0.0.1", "0.0.2"));
        assert_eq!(world.records("drilled").await, 2);
    }
}

#[tokio::test]
async fn a_drill_that_dies_anywhere_leaves_no_canary_behind_the_next() {
    let passed = async |point: Option<u64>| {
        let mut world = world(5, &[]).await;
        let begin = world.faults.passed();
        if let Some(point) = point {
            world.faults.die_at(point);
        }
        let by = || Actor::Operator("ada".into());
        while world.engine.drill(&chat(), by(), &Passing(world.hands.clone())).await.is_err() {
            assert!(world.faults.died(), "{point:?}");
            world.restart();
            world.pass(SignedDuration::from_secs(120));
        }
        let points = world.faults.passed() - begin;
        world.quiet().await;
        assert_eq!(canaries(&world), 0, "{point:?}");
        let last = world.engine.last_drill(&chat()).await.unwrap().unwrap();
        assert!(last.passed() && last.canary.is_none(), "{point:?}: {last:#?}");
        points
    };
    let points = passed(None).await;
    assert!(points > 20, "{points}");
    for point in 1..=points {
        passed(Some(point)).await;
    }
}
