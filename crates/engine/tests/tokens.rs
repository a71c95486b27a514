//! Tokens for programs: shown once, ended by themselves, never wider than who made them; and who a provider vouches for.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::collections::BTreeSet;

use bailiwick_core::{digest::Digest, record::Actor, right::Right, time::SignedDuration};
use bailiwick_engine::{IDLE, OperatorAsked, OperatorRequest, Told, Vouched};
use bailiwick_store::{
    Table,
    entities::{ApiToken, Operator},
};
use world::World;

async fn scene(seed: u64) -> (World, Operator) {
    let world = World::new(seed, &[("chat", &[])]).await;
    world.configure().await;
    let operator = world.operator_with("ops", &["operator"], None, 400).await;
    (world, operator)
}

fn rights(rights: &[Right]) -> BTreeSet<Right> {
    rights.iter().copied().collect()
}

#[tokio::test]
async fn a_token_is_made_within_bounds() {
    let (world, operator) = scene(1).await;
    let check = async |name: &str, wanted: &[Right], days: u16, expect: Option<&str>| {
        let made = world.engine.make_token(name, rights(wanted), days, &operator).await;
        assert_eq!(made.err().map(|error| error.code()), expect, "{name} {wanted:?} {days}");
    };
    check("feed", &[], 1, None).await;
    check("feed", &[Right::Operate], 365, None).await;
    check("feed", &[Right::Govern], 1, Some("token-wider")).await;
    check("feed", &[Right::Accept], 1, Some("token-approves-nothing")).await;
    check("feed", &[], 0, Some("token-terms")).await;
    check("feed", &[], 366, Some("token-terms")).await;
    check(" ", &[], 1, Some("token-terms")).await;
    check(&"x".repeat(61), &[], 1, Some("token-terms")).await;
    check("a\nb", &[], 1, Some("token-terms")).await;
    for _ in 2..50 {
        check("many", &[], 1, None).await;
    }
    check("one more", &[], 1, Some("too-many")).await;
}

#[tokio::test]
async fn a_token_ends_by_itself_is_revoked_and_its_use_is_written_down_seldom() {
    let (world, operator) = scene(2).await;
    let engine = &world.engine;
    let made = engine.make_token("feed", rights(&[Right::Operate]), 2, &operator).await.unwrap();
    assert_ne!(made.token.secret.to_string(), made.secret);
    for _ in 0..10 {
        let (who, token) = engine.operator_by_api_token(&made.secret).await.unwrap().unwrap();
        assert_eq!((who.id, token.id), (operator.id, made.token.id));
        world.pass(SignedDuration::from_mins(5));
    }
    assert_eq!(world.records("token-used").await, 1);
    world.pass(SignedDuration::from_hours(1));
    assert!(engine.operator_by_api_token(&made.secret).await.unwrap().is_some());
    assert_eq!(world.records("token-used").await, 2);
    assert!(engine.operator_by_token(&made.secret).await.unwrap().is_none(), "it is not an operator's own");
    assert!(engine.operator_in_session(&made.secret, IDLE).await.unwrap().is_none(), "and no cookie");
    world.pass(SignedDuration::from_hours(48));
    assert!(engine.operator_by_api_token(&made.secret).await.unwrap().is_none(), "two days are over");
    let other = engine.make_token("other", rights(&[]), 2, &operator).await.unwrap();
    assert_eq!(world.all::<ApiToken>(Table::ApiTokens).await.len(), 1, "what is over is gone");
    engine.revoke_token(other.token.id, &operator).await.unwrap();
    assert!(engine.operator_by_api_token(&other.secret).await.unwrap().is_none());
    assert_eq!(engine.revoke_token(other.token.id, &operator).await.err().unwrap().code(), "not-found");
    let kinds = world.record_kinds().await;
    assert!(kinds.contains("token-made") && kinds.contains("token-revoked"), "{kinds:?}");
}

async fn vouched(world: &World, issuer: &str, subject: &str, flow: u8) -> Result<String, &'static str> {
    let until = world.clock().saturating_add(SignedDuration::from_mins(10)).unwrap();
    let vouched = Vouched { issuer, subject, flow: Digest([flow; 32]), until };
    match world.engine.open_session_by_provider(vouched).await.unwrap() {
        Told::Opened(opened) => Ok(opened.secret.clone()),
        Told::Unknown => Err("unknown"),
        Told::Used => Err("used"),
    }
}

#[tokio::test]
async fn a_provider_vouches_for_who_was_bound_to_it_and_for_nobody_else() {
    const IDP: &str = "https://idp.test";
    let (world, ops) = scene(3).await;
    let admin = world.operator_with("admin", &["admin"], None, 400).await;
    let bound = |subject: &str| OperatorRequest {
        roles: ["operator".to_owned()].into(),
        person: None,
        subject: Some((IDP.to_owned(), subject.to_owned())),
    };
    let asked = world.engine.ask_operator("noor", bound("u-1"), 2, &admin).await.unwrap();
    let OperatorAsked::Added(noor, token) = asked else { panic!("nobody else is there to approve it") };
    // Not by an address of mail, not by another provider's word, not by a name.
    for (issuer, subject) in [
        (IDP, "noor@corp.test"),
        (IDP, "U-1"),
        (IDP, "noor"),
        ("https://evil.test", "u-1"),
        ("https://idp.test/", "u-1"),
    ] {
        assert_eq!(vouched(&world, issuer, subject, 1).await, Err("unknown"), "{issuer} {subject}");
    }
    let secret = vouched(&world, IDP, "u-1", 2).await.unwrap();
    let (who, _) = world.engine.operator_in_session(&secret, IDLE).await.unwrap().unwrap();
    assert_eq!(who.id, noor.id);
    assert_eq!(vouched(&world, IDP, "u-1", 2).await, Err("used"), "the same answer again");
    // Nobody else is that, and what is none is not taken.
    for (name, subject, expect) in [
        ("kim", "u-1", "operator-subject-taken"),
        ("kim", "", "operator-subject"),
        ("kim", "a b", "operator-subject"),
    ] {
        let refused = world.engine.ask_operator(name, bound(subject), 2, &admin).await;
        assert_eq!(refused.err().map(|error| error.code()), Some(expect), "{subject}");
    }
    // It ends with the operator, and with the days that were approved.
    world.engine.revoke_operator("noor", &admin).await.unwrap();
    assert!(world.engine.operator_in_session(&secret, IDLE).await.unwrap().is_none());
    assert!(world.engine.operator_by_token(&token).await.unwrap().is_none());
    assert_eq!(vouched(&world, IDP, "u-1", 3).await, Err("unknown"));
    let by = Actor::Operator("test".into());
    assert_eq!(ops.name, "ops");
    world.engine.add_operator("later", ["operator".to_owned()].into(), None, 1, by).await.unwrap();
    world.pass(SignedDuration::from_hours(49));
    assert_eq!(vouched(&world, IDP, "u-1", 4).await, Err("unknown"));
}
