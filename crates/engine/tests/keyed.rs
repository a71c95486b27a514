//! Requests with a key: what stands under one, for how long, and what is kept.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    digest::Digest,
    id::Tenant,
    record::{Actor, Record, RecordKind},
    time::{SignedDuration, Timestamp},
};
use bailiwick_engine::{EngineError, KeyRefusal, UnderKey};
use bailiwick_store::{
    Table, Update,
    entities::{KeptAnswer, KeyedRequest, Operator, RequestState},
};
use world::World;

async fn scene(seed: u64) -> (World, Operator) {
    let world = World::new(seed, &[("chat", &[])]).await;
    world.configure().await;
    let operator = world.operator("admin", None).await;
    (world, operator)
}

async fn begin(world: &World, who: &Operator, key: &str, request: &str) -> Result<UnderKey, EngineError> {
    let seal = world.engine.request_seal(&[b"POST", request.as_bytes()]);
    world.engine.begin_request(who, "an-operation", key, seal).await
}

fn whole(body: &str) -> KeptAnswer {
    KeptAnswer::Whole { media: Some("application/json".into()), body: body.into() }
}

#[tokio::test]
async fn under_a_key_is_one_request_for_a_day_and_then_none() {
    let (world, who) = scene(1).await;
    let Ok(UnderKey::New(begun)) = begin(&world, &who, "k", "a").await else { panic!("it is new") };
    assert!(matches!(begin(&world, &who, "k", "a").await, Ok(UnderKey::Before(before)) if before == begun));
    let reused = begin(&world, &who, "k", "b").await;
    assert!(matches!(reused, Err(EngineError::Key(KeyRefusal::Reused(of))) if of == "an-operation"));
    world.engine.answer_request(&who, &begun, 200, whole("{}")).await.unwrap();
    world.pass(SignedDuration::from_hours(23));
    let Ok(UnderKey::Before(before)) = begin(&world, &who, "k", "a").await else { panic!("it stands") };
    assert_eq!(before.state, RequestState::Answered { status: 200, answer: whole("{}") });
    world.pass(SignedDuration::from_hours(1));
    assert!(matches!(begin(&world, &who, "k", "b").await, Ok(UnderKey::New(_))), "a day is over");
    let kinds = world.record_kinds().await;
    assert!(kinds.contains("request-begun") && kinds.contains("request-answered"), "{kinds:?}");
}

#[tokio::test]
async fn an_answer_that_comes_after_the_key_was_given_anew_changes_nothing() {
    let (world, who) = scene(2).await;
    let Ok(UnderKey::New(slow)) = begin(&world, &who, "k", "a").await else { panic!("it is new") };
    world.pass(SignedDuration::from_hours(24));
    assert!(matches!(begin(&world, &who, "k", "b").await, Ok(UnderKey::New(_))));
    let late = world.engine.answer_request(&who, &slow, 200, whole("a")).await;
    assert!(matches!(late, Err(EngineError::Key(KeyRefusal::Reused(_)))));
    let rows: Vec<KeyedRequest> = world.all(Table::KeyedRequests).await;
    assert_eq!(rows.iter().map(|row| &row.state).collect::<Vec<_>>(), [&RequestState::Begun]);
}

#[tokio::test]
async fn keys_are_bounded_and_those_that_are_over_go() {
    let (world, who) = scene(3).await;
    let now = world.engine.now();
    let row = |n: u32, until: Timestamp| KeyedRequest {
        operator: who.id,
        key: Digest::of(&n.to_be_bytes()),
        operation: "an-operation".into(),
        request: String::new(),
        begun: now,
        until,
        state: RequestState::Begun,
    };
    let later = now.saturating_add(SignedDuration::from_hours(1)).unwrap();
    let parts = world.engine.parts();
    let mut update = Update::new(Record::new(
        RecordKind::RequestBegun,
        now,
        Actor::Operator(who.name.clone()),
        &*parts.entropy,
    ));
    for n in 0..5_000 {
        update = update.insert(&row(n, later), &*parts.entropy);
    }
    let mut tx = parts.store.begin().await.unwrap();
    tx.write(&Tenant::single(), vec![update], &*parts.entropy).await.unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(begin(&world, &who, "one more", "a").await, Err(EngineError::Key(KeyRefusal::Full))));
    let other = world.operator("approver", None).await;
    assert!(begin(&world, &other, "one more", "a").await.is_ok(), "somebody else has keys of their own");
    world.pass(SignedDuration::from_hours(2));
    for n in 0..3 {
        assert!(begin(&world, &who, &format!("k{n}"), "a").await.is_ok());
    }
    let rows: Vec<KeyedRequest> = world.all(Table::KeyedRequests).await;
    assert_eq!(rows.len(), 5_000 - 3 * 20 + 3 + 1);
}
