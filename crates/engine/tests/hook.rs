//! Hints of systems: signed, young, once; and the system is looked at for itself.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use aws_lc_rs::hmac;
use bailiwick_connector::seal::Signed;
use bailiwick_core::{
    account::Account,
    id::IntegrationName,
    record::Actor,
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{Table, entities::Hint};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use world::World;

/// A system that sends hints.
struct Sender {
    secret: Vec<u8>,
}

impl Sender {
    async fn of(world: &World) -> Self {
        Self::named(world, "chat").await
    }

    async fn named(world: &World, name: &str) -> Self {
        let name = IntegrationName::new(name).unwrap();
        let made = world.engine.make_hook(&name, Actor::Operator("ada".into())).await.unwrap();
        Self { secret: STANDARD.decode(made.text().strip_prefix("whsec_").unwrap()).unwrap() }
    }

    async fn send(
        &self,
        world: &World,
        to: &str,
        id: &str,
        at: Timestamp,
    ) -> Result<Timestamp, &'static str> {
        let (timestamp, body) = (at.as_second().to_string(), br#"{"type":"user.updated"}"#);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.secret);
        let message = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
        let signature = format!("v1,{}", STANDARD.encode(hmac::sign(&key, &message)));
        let hint = Signed { id, timestamp: &timestamp, signature: &signature, body };
        world.engine.take_hint(to, hint).await.map_err(|error| error.code())
    }
}

async fn scene(seed: u64) -> World {
    begun(World::new(seed, &[("chat", &[])]).await).await
}

async fn begun(mut world: World) -> World {
    world.configure().await;
    world.deliver(&["3,Cy,cy@x.test,Finance,,active"]).await.unwrap();
    world.quiet().await;
    world
}

#[tokio::test]
async fn a_hint_has_the_system_looked_at_and_what_it_says_is_not_believed() {
    let mut world = scene(1).await;
    let sender = Sender::of(&world).await;
    // Somebody makes an account by hand, and the system says that something happened.
    let before = world.records("reconciled").await;
    world.behind("chat", json!({ "users": [{ "userName": "stranger", "active": true }] }));
    let now = world.clock();
    let read = sender.send(&world, "chat", "msg_1", now).await.unwrap();
    assert!(read > now && read.duration_since(now) <= SignedDuration::from_secs(5), "{read} for {now}");
    assert_eq!(world.records("reconciled").await, before, "nothing happens by the hint itself");
    // The same hint again, and others of the same seconds, are one comparison.
    assert_eq!(sender.send(&world, "chat", "msg_1", now).await, Ok(read));
    assert_eq!(sender.send(&world, "chat", "msg_2", now).await, Ok(read));
    assert_eq!(world.records("hinted").await, 2);
    world.pass(SignedDuration::from_secs(6));
    world.quiet_for(SignedDuration::from_secs(30)).await;
    assert_eq!(world.records("reconciled").await, before + 1);
    let accounts = world.all::<Account>(Table::Accounts).await;
    assert!(accounts.iter().any(|account| account.username == "stranger"), "it was seen");
    // A later one is another.
    let later = sender.send(&world, "chat", "msg_3", world.clock()).await.unwrap();
    assert!(later > read);
    world.pass(SignedDuration::from_secs(6));
    world.quiet_for(SignedDuration::from_secs(30)).await;
    assert_eq!(world.records("reconciled").await, before + 2);
    // What is older than it could come again is forgotten.
    world.pass(SignedDuration::from_mins(16));
    sender.send(&world, "chat", "msg_4", world.clock()).await.unwrap();
    assert_eq!(world.all::<Hint>(Table::Hints).await.len(), 1);
}

#[tokio::test]
async fn a_source_that_hints_is_read_and_what_it_says_counts() {
    let mut world = scene(7).await;
    let sender = Sender::named(&world, "hr").await;
    world.lay(&["3,Cy,cy@x.test,Engineering,,active", "4,Di,di@x.test,Finance,,active"]);
    let now = world.clock();
    let read = sender.send(&world, "hr", "msg_1", now).await.unwrap();
    assert_eq!(sender.send(&world, "hr", "msg_2", now).await, Ok(read));
    world.pass(SignedDuration::from_secs(6));
    world.quiet_for(SignedDuration::from_secs(30)).await;
    assert_eq!((world.records("source-read").await, world.records("hinted").await), (1, 2));
    let truth = world.truth();
    assert!(truth["chat/cy@x.test"].contains("Engineering"), "{truth:?}");
    assert!(truth["chat/di@x.test"].contains("active=true"), "{truth:?}");
}

#[tokio::test]
async fn what_is_forged_stale_or_shut_out_does_nothing() {
    let world = scene(2).await;
    let sender = Sender::of(&world).await;
    let now = world.clock();
    let far = |minutes| now.checked_add(SignedDuration::from_mins(minutes)).unwrap();
    let stranger = Sender { secret: vec![7; 32] };
    let long = "x".repeat(300);
    for (what, outcome, expect) in [
        ("another secret", stranger.send(&world, "chat", "msg_1", now).await, "hint-unsigned"),
        ("an integration without a hook", sender.send(&world, "hr", "msg_1", now).await, "hint-unsigned"),
        ("no integration", sender.send(&world, "nobody", "msg_1", now).await, "hint-unsigned"),
        ("no name", sender.send(&world, "../chat", "msg_1", now).await, "hint-unsigned"),
        ("an old one", sender.send(&world, "chat", "msg_1", far(-6)).await, "hint-stale"),
        ("one of tomorrow", sender.send(&world, "chat", "msg_1", far(6)).await, "hint-stale"),
        ("an id that is too long", sender.send(&world, "chat", &long, now).await, "request-malformed"),
        ("no id", sender.send(&world, "chat", "", now).await, "request-malformed"),
    ] {
        assert_eq!(outcome, Err(expect), "{what}");
    }
    assert_eq!(world.records("hinted").await, 0);
    // What is delivered is not read for a hint either.
    let hr = IntegrationName::new("hr").unwrap();
    let delivered = |c: &mut bailiwick_engine::Configuration| {
        c.integrations.iter_mut().find(|i| i.name == hr).unwrap().endpoint = "file:feeds/hr".into();
    };
    world.configure_with(delivered).await;
    let made = world.engine.make_hook(&hr, Actor::Operator("ada".into())).await;
    assert_eq!(made.err().map(|error| error.code()), Some("hint-reads-nothing"));
}

#[tokio::test]
async fn whoever_forges_hints_keeps_nobody_waiting_who_writes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db").display().to_string();
    let store = bailiwick_store::open(&file).await.unwrap();
    let world = begun(World::on(store, 9, &[("chat", &[])]).await).await;
    let (sender, stranger) = (Sender::of(&world).await, Sender { secret: vec![7; 32] });
    let now = world.clock();
    let old = now.checked_sub(SignedDuration::from_mins(6)).unwrap();
    // Another process writes: whoever would write as well is told after a while that the store is busy.
    let other = bailiwick_store::open(&file).await.unwrap();
    let writing = other.begin().await.unwrap();
    assert_eq!(stranger.send(&world, "chat", "msg_1", now).await, Err("hint-unsigned"));
    assert_eq!(sender.send(&world, "chat", "msg_1", old).await, Err("hint-stale"));
    drop(writing);
    assert!(sender.send(&world, "chat", "msg_1", now).await.is_ok());
}

#[tokio::test]
async fn a_new_secret_works_at_once_and_the_one_before_for_a_day() {
    let world = scene(3).await;
    let (first, second) = (Sender::of(&world).await, Sender::of(&world).await);
    assert_ne!(first.secret, second.secret);
    for (id, sender) in [("a", &first), ("b", &second)] {
        sender.send(&world, "chat", id, world.clock()).await.unwrap();
    }
    world.pass(SignedDuration::from_hours(24));
    assert_eq!(first.send(&world, "chat", "c", world.clock()).await, Err("hint-unsigned"));
    second.send(&world, "chat", "d", world.clock()).await.unwrap();
    let chat = IntegrationName::new("chat").unwrap();
    world.engine.end_hook(&chat, Actor::Operator("ada".into())).await.unwrap();
    assert_eq!(second.send(&world, "chat", "e", world.clock()).await, Err("hint-unsigned"));
    // One that is made after the end gives no old secret back.
    let third = Sender::of(&world).await;
    third.send(&world, "chat", "f", world.clock()).await.unwrap();
    for old in [&first, &second] {
        assert_eq!(old.send(&world, "chat", "g", world.clock()).await, Err("hint-unsigned"));
    }
}

#[tokio::test]
async fn who_floods_waits() {
    let world = scene(4).await;
    let sender = Sender::of(&world).await;
    let mut outcomes = Vec::new();
    for n in 0..61 {
        outcomes.push(sender.send(&world, "chat", &format!("msg_{n}"), world.clock()).await);
    }
    assert!(outcomes[..60].iter().all(Result::is_ok));
    assert_eq!(outcomes[60], Err("too-many-calls"));
}
