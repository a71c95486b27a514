//! A credential is replaced: judged by whether its vendor still lets the old one in.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::collections::BTreeMap;

use bailiwick_connector::seal::{Credential, Secret};
use bailiwick_core::{
    id::{IntegrationName, Tenant},
    integration::Purpose,
    kill::Kill,
    record::Actor,
    time::SignedDuration,
};
use bailiwick_lab::Behaviour;
use bailiwick_store::{Select, Table, entities::Credential as Kept, select};
use serde_json::json;
use world::World;

fn chat() -> IntegrationName {
    IntegrationName::new("chat").unwrap()
}

/// A world in which `chat` is connected and something is declared of its end. Its vendor has issued more tokens.
async fn connected(seed: u64) -> World {
    let mut world = World::new(seed, &[("chat", &[])]).await;
    world
        .configure_with(|configuration| {
            let body = Some("token={credential}&token_type_hint=access_token");
            let kill = Kill::new("POST /api/oauth/revoke", body, "GET /api/oauth/me", Some("oauth-consents"));
            for integration in configuration.integrations.iter_mut().filter(|i| i.name == chat()) {
                integration.kill = Some(kill.clone().unwrap());
            }
        })
        .await;
    world.behind("chat", json!({ "grants": [["second", "chat-second"], ["third", "chat-third"]] }));
    world.deliver(&["1,Ann,ann@x.test,Engineering,,active"]).await.unwrap();
    world.quiet().await;
    world
}

async fn set(world: &World, purpose: Purpose, token: &str) {
    let secret = Credential::bearer(Secret::new(token));
    world.engine.seal_credential(&chat(), purpose, secret, Actor::Operator("ada".into())).await.unwrap();
}

/// Whether the vendor lets each of its tokens in.
fn alive(world: &World) -> BTreeMap<String, bool> {
    world.lab.truth("chat").unwrap().grants
}

/// How many credentials that were replaced the hub still has.
async fn kept(world: &World) -> usize {
    let mut tx = world.store.read().await.unwrap();
    let all = select::<Kept>(&mut *tx, &Tenant::single(), Select::from(Table::Credentials)).await.unwrap();
    all.into_iter().filter(|stored| stored.value.retired.is_some()).count()
}

#[tokio::test]
async fn what_was_replaced_is_ended_and_rejected_and_the_new_one_works() {
    let mut world = connected(1).await;
    set(&world, Purpose::Write, "chat-second").await;
    assert_eq!(kept(&world).await, 1);
    world.quiet().await;
    let now = alive(&world);
    assert_eq!((now["write"], now["read"], now["second"]), (false, true, true), "{now:?}");
    assert_eq!((kept(&world).await, world.records("credential-destroyed").await), (0, 1));
    world.deliver(&["1,Ann,ann@x.test,Finance,,active"]).await.unwrap();
    world.quiet().await;
    assert!(world.truth()["chat/ann@x.test"].contains("Finance"));
}

#[tokio::test]
async fn a_vendor_that_keeps_it_alive_is_told_of_until_it_is_dead() {
    let mut world = connected(2).await;
    world.lab.behave("chat", [Behaviour::Noop200]).unwrap();
    set(&world, Purpose::Write, "chat-second").await;
    world.quiet().await;
    assert!(alive(&world)["write"]);
    assert_eq!((world.findings("rotated-credential-alive").await.len(), kept(&world).await), (1, 1));
    world.lab.behave("chat", []).unwrap();
    world.pass(SignedDuration::from_hours(7));
    world.quiet().await;
    assert!(!alive(&world)["write"]);
    assert_eq!((world.findings("rotated-credential-alive").await.len(), kept(&world).await), (0, 0));
}

#[tokio::test]
async fn the_old_one_is_left_until_the_new_one_works() {
    let mut world = connected(3).await;
    set(&world, Purpose::Write, "chat-mistyped").await;
    world.quiet().await;
    assert!(alive(&world)["write"], "both would be useless otherwise");
    assert_eq!(world.findings("rotation-refused").await.len(), 1);
    set(&world, Purpose::Write, "chat-second").await;
    world.pass(SignedDuration::from_hours(7));
    world.quiet().await;
    let now = alive(&world);
    assert_eq!((now["write"], now["second"]), (false, true), "{now:?}");
    assert_eq!((world.findings("rotation-refused").await.len(), kept(&world).await), (0, 0));
}

#[tokio::test]
async fn an_old_one_that_is_put_back_is_not_ended() {
    let mut world = connected(7).await;
    set(&world, Purpose::Write, "chat-mistyped").await;
    world.quiet_before(SignedDuration::from_mins(2)).await;
    assert_eq!((world.findings("rotation-refused").await.len(), kept(&world).await), (1, 1));
    set(&world, Purpose::Write, "chat-write").await;
    world.pass(SignedDuration::from_hours(7));
    world.quiet().await;
    assert!(alive(&world)["write"], "it is what the hub writes with");
    assert_eq!((world.findings("rotation-refused").await.len(), kept(&world).await), (0, 0));
    world.deliver(&["1,Ann,ann@x.test,Finance,,active"]).await.unwrap();
    world.quiet().await;
    assert!(world.truth()["chat/ann@x.test"].contains("Finance"));
}

#[tokio::test]
async fn a_secret_that_is_still_in_use_is_not_ended() {
    let mut world = connected(4).await;
    // The same one once more.
    set(&world, Purpose::Write, "chat-write").await;
    world.quiet().await;
    assert!(alive(&world)["write"] && kept(&world).await == 0);
    // The reader has the writer's.
    set(&world, Purpose::Verify, "chat-write").await;
    world.quiet().await;
    assert!(!alive(&world)["read"], "the verifier's own was replaced");
    set(&world, Purpose::Write, "chat-second").await;
    world.quiet().await;
    assert!(alive(&world)["write"] && kept(&world).await == 0, "the verifier still shows it");
    set(&world, Purpose::Verify, "chat-third").await;
    world.quiet().await;
    let now = alive(&world);
    assert_eq!((now["write"], now["second"], now["third"]), (false, true, true), "{now:?}");
}

#[tokio::test]
async fn a_kill_ends_what_was_replaced_too() {
    let mut world = connected(5).await;
    let admin = world.operator("admin", Some("hr/9")).await;
    world.lab.behave("chat", [Behaviour::Down]).unwrap();
    set(&world, Purpose::Write, "chat-second").await;
    world.quiet_before(SignedDuration::from_mins(2)).await;
    assert_eq!(kept(&world).await, 1);
    world.engine.kill(&chat(), &admin).await.unwrap();
    world.lab.behave("chat", []).unwrap();
    world.pass(SignedDuration::from_hours(7));
    world.quiet().await;
    let now = alive(&world);
    assert_eq!((now["write"], now["read"], now["second"]), (false, false, false), "{now:?}");
    assert_eq!((kept(&world).await, &world.cells().await["chat/oauth-consents"][..]), (0, "removed"));
}

#[tokio::test]
async fn kill_the_process_anywhere_and_the_rotation_ends_the_same() {
    let story = async |point: Option<u64>| {
        let mut world = connected(6).await;
        let begin = world.faults.passed();
        if let Some(point) = point {
            world.faults.die_at(point);
        }
        let by = || Actor::Operator("ada".into());
        let secret = || Credential::bearer(Secret::new("chat-second"));
        while world.engine.seal_credential(&chat(), Purpose::Write, secret(), by()).await.is_err() {
            assert!(world.faults.died(), "{point:?}");
            world.restart();
        }
        world.quiet().await;
        let points = world.faults.passed() - begin;
        world.pass(SignedDuration::from_hours(7));
        world.quiet().await;
        let now = alive(&world);
        assert_eq!((now["write"], now["second"], kept(&world).await), (false, true, 0), "{point:?}: {now:?}");
        points
    };
    let points = story(None).await;
    assert!(points > 8, "{points}");
    for point in 1..=points {
        story(Some(point)).await;
    }
}
