//! The hub goes on from a backup: it plans, and changes no system until it is released.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    id::IntegrationName, integration::Purpose, record::Actor, right::Right, time::SignedDuration,
};
use bailiwick_engine::EngineError;
use bailiwick_store::{Table, entities::Session, open, snapshot};
use world::World;

const ANN: &str = "1,Ann Archer,ann@x.test,Engineering,,active";
const ANN_LEFT: &str = "1,Ann Archer,ann@x.test,Engineering,2026-01-01,left";
const BOB: &str = "2,Bob Baker,bob@x.test,Finance,,active";
const CYD: &str = "3,Cyd Cole,cyd@x.test,Engineering,,active";
const DAN: &str = "4,Dan Dyer,dan@x.test,Engineering,,active";

/// While it is held something is always due soon: what waits is looked at again and again.
const HELD_FOR: SignedDuration = SignedDuration::from_hours(2);

/// A world that was set back: what the backup does not know is that Ann left, that Cyd came and that a token was
/// taken away.
async fn set_back(seed: u64) -> (World, tempfile::TempDir, String) {
    let (world, home, boss, _) = set_back_with(seed).await;
    (world, home, boss)
}

/// The same, with the token of a program that was revoked.
async fn set_back_with(seed: u64) -> (World, tempfile::TempDir, String, String) {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let store = open(at("hub.db").to_str().unwrap()).await.unwrap();
    let mut world = World::on(store, seed, &[("chat", &[])]).await;
    world.configure().await;
    let boss = world.operator("admin", None).await;
    let gone = world.operator("approver", None).await;
    world.engine.offer_session(&boss).await.unwrap();
    let program = world.engine.make_token("nightly", [Right::Operate].into(), 30, &boss).await.unwrap();
    world.deliver(&[ANN, BOB]).await.unwrap();
    world.quiet().await;
    snapshot(&at("hub.db"), &at("backup.db")).unwrap();

    world.pass(SignedDuration::from_hours(1));
    world.deliver(&[ANN_LEFT, BOB, CYD]).await.unwrap();
    world.quiet().await;
    world.engine.revoke_operator(&gone.name, &boss).await.unwrap();
    world.engine.revoke_token(program.token.id, &boss).await.unwrap();
    let truth = world.truth();
    assert!(truth["chat/ann@x.test"].contains("active=false") && truth.contains_key("chat/cyd@x.test"));

    world.pass(SignedDuration::from_hours(1));
    world.set_back(open(at("backup.db").to_str().unwrap()).await.unwrap());
    (world, home, boss.name, program.secret)
}

#[tokio::test]
async fn nothing_goes_out_until_somebody_has_looked() {
    let (mut world, _home, boss) = set_back(1).await;
    let (recovery, token) = world.engine.recover(&boss).await.unwrap();
    let admin = world.engine.operator_by_token(&token).await.unwrap().expect("the new token works");
    assert!(recovery.of < recovery.at);
    let before = (world.truth(), world.effects());

    // The old knowledge and today's: Ann left, and Dan is new.
    world.quiet_for(HELD_FOR).await;
    let view = world.engine.recovery().await.unwrap().unwrap();
    assert!(view.systems.is_empty(), "every system was compared by itself: {:?}", view.systems);
    assert_eq!(view.sources.iter().map(|s| s.as_str()).collect::<Vec<_>>(), ["hr"]);
    let early = world.engine.release_recovery("looked", false, &admin).await.unwrap_err();
    assert_eq!(early.code(), "restore-unseen");
    world.deliver(&[ANN_LEFT, BOB, CYD, DAN]).await.unwrap();
    world.quiet_for(HELD_FOR).await;
    world.pass(SignedDuration::from_hours(1));
    world.quiet_for(HELD_FOR).await;
    assert_eq!((world.truth(), world.effects()), before, "nothing was sent");
    assert_eq!(world.findings("hub-restored").await.len(), 2, "the hub, and what waits for chat");
    let view = world.engine.recovery().await.unwrap().unwrap();
    assert!(view.sources.is_empty() && view.plans > 0, "{view:?}");

    // A new process does not forget it.
    world.restart();
    world.quiet_for(HELD_FOR).await;
    assert_eq!(world.effects(), before.1);

    assert_eq!(world.engine.release_recovery(" ", false, &admin).await.unwrap_err().code(), "reason-missing");
    world.engine.release_recovery("looked", false, &admin).await.unwrap();
    world.quiet().await;
    let truth = world.truth();
    assert!(truth["chat/ann@x.test"].contains("active=false"), "she stays out");
    assert!(truth["chat/cyd@x.test"].contains("active=true"), "who came meanwhile is known again");
    assert!(truth.contains_key("chat/dan@x.test"), "and who came since is let in");
    assert_eq!(world.findings("hub-restored").await, [""; 0]);
    assert!(world.engine.recovery().await.unwrap().is_none());
    assert_eq!(world.engine.release_recovery("again", false, &admin).await.unwrap_err().code(), "not-found");
    let kinds = world.record_kinds().await;
    assert!(kinds.contains("restored") && kinds.contains("restore-released"), "{kinds:?}");
}

#[tokio::test]
async fn whose_token_was_taken_away_after_the_backup_has_none_again() {
    let (world, _home, boss, program) = set_back_with(2).await;
    assert!(
        world.engine.operator_by_api_token(&program).await.unwrap().is_some(),
        "the backup does not know that it was revoked"
    );
    assert_eq!(world.engine.recover("nobody").await.unwrap_err().code(), "not-found");
    assert!(world.engine.recovery().await.unwrap().is_none(), "nothing was half done");
    let (_, token) = world.engine.recover(&boss).await.unwrap();
    let now = world.engine.now();
    let alive: Vec<String> = world
        .all::<bailiwick_store::entities::Operator>(Table::Operators)
        .await
        .into_iter()
        .filter(|operator| operator.expires > now)
        .map(|operator| operator.name)
        .collect();
    assert_eq!(alive, [boss]);
    assert_eq!(world.all::<Session>(Table::Sessions).await, []);
    assert!(world.engine.operator_by_api_token(&program).await.unwrap().is_none());
    assert!(world.engine.operator_by_token(&token).await.unwrap().is_some());
}

#[tokio::test]
async fn a_callers_token_of_before_works_and_is_looked_at_before_anything_goes_out() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let store = open(at("hub.db").to_str().unwrap()).await.unwrap();
    let mut world = World::on(store, 4, &[("chat", &[])]).await;
    world.configure().await;
    let boss = world.operator("admin", None).await;
    let (hr, by) = (IntegrationName::new("hr").unwrap(), || Actor::Operator("test".into()));
    let (_, taken) = world.engine.admit_caller(&hr, 90, by()).await.unwrap();
    world.deliver(&[ANN, BOB]).await.unwrap();
    world.quiet().await;
    snapshot(&at("hub.db"), &at("backup.db")).unwrap();
    world.pass(SignedDuration::from_hours(1));
    assert!(world.engine.dismiss_caller(&hr, by()).await.unwrap());
    world.set_back(open(at("backup.db").to_str().unwrap()).await.unwrap());

    let (_, token) = world.engine.recover(&boss.name).await.unwrap();
    let admin = world.engine.operator_by_token(&token).await.unwrap().unwrap();
    world.pass(SignedDuration::from_mins(1));
    world.deliver(&[ANN, BOB]).await.unwrap();
    world.quiet_for(HELD_FOR).await;
    // The backup does not know that it was taken away.
    assert_eq!(world.engine.caller_by_token(&taken).await.unwrap(), Some(hr.clone()));
    let view = world.engine.recovery().await.unwrap().unwrap();
    assert_eq!((view.systems.len(), view.sources.len(), view.callers), (0, 0, [hr.clone()].into()));
    let refused = world.engine.release_recovery("looked", false, &admin).await.unwrap_err();
    assert_eq!(refused.code(), "restore-unseen");
    assert!(
        matches!(&refused, EngineError::Unseen(all) if *all == ["the token of `hr` is of before"]),
        "{refused:?}"
    );
    let (_, renewed) = world.engine.admit_caller(&hr, 90, by()).await.unwrap();
    assert_eq!(world.engine.caller_by_token(&taken).await.unwrap(), None);
    assert_eq!(world.engine.caller_by_token(&renewed).await.unwrap(), Some(hr));
    assert!(world.engine.recovery().await.unwrap().unwrap().callers.is_empty());
    world.engine.release_recovery("looked", false, &admin).await.unwrap();
}

#[tokio::test]
async fn it_may_be_released_unseen_and_that_is_written_down() {
    let (mut world, _home, boss) = set_back(3).await;
    let (_, token) = world.engine.recover(&boss).await.unwrap();
    let admin = world.engine.operator_by_token(&token).await.unwrap().unwrap();
    let released = world.engine.release_recovery("the source is down for days", true, &admin).await.unwrap();
    let unseen = released.released.unwrap().unseen;
    assert_eq!(unseen, ["system `chat` was not compared", "source `hr` delivered nothing"]);
    world.quiet().await;
    // A credential may be changed before and after: it is the hub's own.
    world.seal("chat", Purpose::Write, "chat-write").await;
}
