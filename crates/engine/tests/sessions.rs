//! Operators at the console: a link opens once, a session ends, and nothing but the hub makes one.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    digest::Digest,
    record::{Actor, Record, RecordKind},
    time::SignedDuration,
};
use bailiwick_engine::{IDLE, TurnedAway};
use bailiwick_store::{
    Table, Update,
    entities::{Operator, Session},
};
use world::World;

const TURNED: TurnedAway = TurnedAway { by: "link", code: "sign-in-refused", operator: None };

async fn scene(seed: u64) -> (World, Operator) {
    let world = World::new(seed, &[("chat", &[])]).await;
    world.configure().await;
    let operator = world.operator("admin", None).await;
    (world, operator)
}

#[tokio::test]
async fn a_link_opens_once_and_within_minutes_and_the_cookie_is_a_fresh_secret() {
    let (world, operator) = scene(1).await;
    let offered = world.engine.offer_session(&operator).await.unwrap();
    assert!(
        world.engine.operator_in_session(&offered.secret, IDLE).await.unwrap().is_none(),
        "a link is no cookie"
    );
    let opened = world.engine.open_session(&offered.secret).await.unwrap().unwrap();
    assert_ne!(opened.secret, offered.secret);
    assert!(world.engine.open_session(&offered.secret).await.unwrap().is_none(), "once");
    assert!(world.engine.open_session(&opened.secret).await.unwrap().is_none(), "a cookie is no link");
    let (who, session) = world.engine.operator_in_session(&opened.secret, IDLE).await.unwrap().unwrap();
    assert_eq!((who.id, session.id), (operator.id, opened.session.id));

    let late = world.engine.offer_session(&operator).await.unwrap();
    world.pass(SignedDuration::from_mins(5));
    assert!(world.engine.open_session(&late.secret).await.unwrap().is_none(), "five minutes are over");

    // It is used all day, or it would be over sooner.
    for _ in 0..29 {
        world.pass(SignedDuration::from_mins(20));
        let (_, session) = world.engine.operator_in_session(&opened.secret, IDLE).await.unwrap().unwrap();
        world.engine.session_used(&session, IDLE).await.unwrap();
    }
    world.pass(SignedDuration::from_mins(20));
    assert!(
        world.engine.operator_in_session(&opened.secret, IDLE).await.unwrap().is_none(),
        "a working day is over"
    );
    world.engine.offer_session(&operator).await.unwrap();
    assert_eq!(world.all::<Session>(Table::Sessions).await.len(), 1, "what is over is gone");
    let kinds = world.record_kinds().await;
    assert!(kinds.contains("sign-in-offered") && kinds.contains("signed-in"), "{kinds:?}");
}

#[tokio::test]
async fn a_session_that_lies_idle_ends_and_using_one_writes_seldom() {
    let (world, operator) = scene(7).await;
    let offered = world.engine.offer_session(&operator).await.unwrap();
    let opened = world.engine.open_session(&offered.secret).await.unwrap().unwrap();
    let looked = async || world.engine.operator_in_session(&opened.secret, IDLE).await.unwrap();
    // A page a second, for ten minutes.
    for _ in 0..600 {
        world.pass(SignedDuration::from_secs(1));
        let (_, session) = looked().await.unwrap();
        world.engine.session_used(&session, IDLE).await.unwrap();
    }
    let written = world.records("session-used").await;
    assert!((3..=4).contains(&written), "{written}");
    world.pass(SignedDuration::from_mins(26));
    assert!(looked().await.is_some());
    world.pass(SignedDuration::from_mins(4));
    assert!(looked().await.is_none(), "half an hour without use");
    let gone = world.all::<Session>(Table::Sessions).await.pop().unwrap();
    world.engine.session_used(&gone, IDLE).await.unwrap();
    assert!(looked().await.is_some(), "the row is there; only who is let in uses it");
}

#[tokio::test]
async fn whoever_may_do_nothing_any_more_has_no_session_either() {
    let (world, other) = scene(2).await;
    let operator = world.operator("approver", None).await;
    let offered = world.engine.offer_session(&operator).await.unwrap();
    let opened = world.engine.open_session(&offered.secret).await.unwrap().unwrap();
    let waiting = world.engine.offer_session(&operator).await.unwrap();
    assert!(world.engine.operator_in_session(&opened.secret, IDLE).await.unwrap().is_some());
    world.engine.revoke_operator(&operator.name, &other).await.unwrap();
    assert!(world.engine.operator_in_session(&opened.secret, IDLE).await.unwrap().is_none());
    assert!(world.engine.open_session(&waiting.secret).await.unwrap().is_none());
}

#[tokio::test]
async fn a_row_that_the_hub_did_not_make_opens_nothing() {
    let (world, operator) = scene(3).await;
    let other = world.operator("approver", None).await;
    let offered = world.engine.offer_session(&other).await.unwrap();
    let opened = world.engine.open_session(&offered.secret).await.unwrap().unwrap();
    // Somebody who writes to the database makes the session of one the session of another, and makes one up.
    let stolen = Session { operator: operator.id, ..opened.session.clone() };
    let known = "bws_known";
    let made_up = Session { id: offered.session.id, secret: Digest::of(known.as_bytes()), ..stolen.clone() };
    let record = || {
        Record::new(
            RecordKind::Configured,
            world.clock(),
            Actor::Hub("x".into()),
            &*world.engine.parts().entropy,
        )
    };
    let entropy = &*world.engine.parts().entropy;
    world.tamper(Update::new(record()).replace(&stolen, 2, entropy)).await;
    assert!(world.engine.operator_in_session(&opened.secret, IDLE).await.unwrap().is_none());
    world.tamper(Update::new(record()).replace(&made_up, 3, entropy)).await;
    assert!(world.engine.operator_in_session(known, IDLE).await.unwrap().is_none());
}

#[tokio::test]
async fn many_who_are_turned_away_are_found() {
    let (world, _) = scene(4).await;
    for _ in 0..3 {
        world.engine.refused_session(TURNED, false).await.unwrap();
    }
    assert!(world.findings("sign-ins-refused").await.is_empty());
    world.engine.refused_session(TURNED, true).await.unwrap();
    world.engine.refused_session(TURNED, true).await.unwrap();
    assert_eq!(world.findings("sign-ins-refused").await.len(), 1);
    assert_eq!(world.records("sign-in-refused").await, 5);
}

#[tokio::test]
async fn what_other_policies_would_do_is_said_and_nothing_changes() {
    let (mut world, _) = scene(5).await;
    world.deliver(&["3,Cy,cy@x.test,Finance,,active", "4,Di,di@x.test,Sales,,active"]).await.unwrap();
    world.quiet().await;
    let files = world.engine.policy_files().await.unwrap();
    let same = world.engine.simulate(&files).await.unwrap();
    assert_eq!((same.identities, same.changed), (2, 0), "{same:?}");
    let (before, truth) = (world.plans().await.len(), world.truth());
    let none = world.engine.simulate(&[]).await.unwrap();
    assert_eq!((none.identities, none.changed), (2, 2), "{none:?}");
    assert!(none.gets.is_empty() && !none.loses.is_empty(), "{none:?}");
    let mut wrong = files.clone();
    wrong[0].text.push_str("permit");
    assert_eq!(world.engine.simulate(&wrong).await.err().map(|error| error.code()), Some("policy-syntax"));
    assert_eq!((world.plans().await.len(), world.truth()), (before, truth));
}
