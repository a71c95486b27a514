//! The AWS IAM connector against an IAM in this process: the contract kit, and what only a system that can be
//! looked into and broken can show.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "support/aws_fake.rs"]
mod aws_fake;
#[path = "support/aws_line.rs"]
mod aws_line;
#[path = "support/aws_scenarios.rs"]
mod aws_scenarios;
#[path = "support/aws_subject.rs"]
mod aws_subject;
#[path = "support/page.rs"]
mod page;

use std::sync::Arc;

use async_trait::async_trait;
use aws_fake::Fake;
use aws_scenarios::attributes;
use aws_subject::{Iam, System};
use bailiwick_connector::{
    Connector, ConnectorError, Effect, Entry, ErrorKind, Listing, Locator, Object, ObjectState, Outcome,
    broker::{Transport, TransportError, TransportErrorKind},
    seal::Secret,
    testkit::{self, Fixtures, Hands, Subject},
};
use bailiwick_core::{access::AccessClass, integration::Purpose, plan::Op, time::SignedDuration};
use bytes::Bytes;

async fn seeded() -> (Iam<Fake>, testkit::Ids) {
    let iam = Iam::new(Fake::default());
    let ids = iam.seed(&Fixtures::standard()).await;
    (iam, ids)
}

async fn make(iam: &Iam<Fake>, account: &str, op: Op) -> Result<Outcome, ConnectorError> {
    iam.connector.apply(&iam.line(), Some(account), &op, None, "k").await.map(|applied| applied.outcome)
}

async fn state(iam: &Iam<Fake>, account: &str) -> Option<ObjectState> {
    iam.connector.get(&iam.reader(), Locator::Account(account)).await.unwrap().map(|object| object.state)
}

#[tokio::test]
async fn the_contract_holds() {
    page::kept(&testkit::run(&Iam::new(Fake::default())).await);
    page::all_kept("the_contract_holds");
}

#[tokio::test]
async fn no_field_reaches_another_object() {
    aws_scenarios::no_field_reaches_another_object(&Iam::new(Fake::default())).await;
}

#[tokio::test]
async fn wrong_keys_are_found_and_a_key_that_still_works_too() {
    let iam = Iam::new(Fake::default());
    aws_scenarios::what_is_wrong_is_said(&iam).await;
    aws_scenarios::a_canary_tells_which_way_locks(&iam, true).await;
    aws_scenarios::temporary_credentials_are_ended(&iam).await;
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_named_and_says_nothing_of_a_canary() {
    let (iam, ids) = seeded().await;
    let issued =
        iam.connector.issue(&iam.line(), &ids.accounts[1], AccessClass::CloudKeys, Secret::new("x")).await;
    let issued = issued.unwrap();
    let (id, secret) = iam.key();
    let hands = Hands::default();
    hands.advance(SignedDuration::from_mins(-30));
    let slow = iam.line_with((&id, &secret), Purpose::Write, Arc::new(hands));
    let error = iam.connector.check(&slow).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized);
    assert!(error.message.contains("the clock here shows 2027-01-15T07:30:00Z"), "{error}");
    let tried = iam.connector.attempt(&slow, &issued).await.unwrap_err();
    assert!(tried.message.contains("the clock here"), "{tried}");
    assert_eq!(iam.connector.attempt(&iam.line(), &issued).await.unwrap(), Entry::Accepted);
}

#[tokio::test]
async fn a_system_that_is_not_there_is_unreachable_and_nothing_was_done() {
    struct Nobody;
    #[async_trait]
    impl Transport for Nobody {
        async fn send(&self, _: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
            let cause = "connection refused".into();
            Err(TransportError { kind: TransportErrorKind::Unreachable, sent: false, cause })
        }
    }
    let (iam, ids) = seeded().await;
    let line = aws_line::line(
        Arc::new(Nobody),
        "https://iam.amazonaws.com",
        ("AKIA1", "s"),
        Purpose::Write,
        Arc::new(Hands::default()),
    );
    let error = iam.connector.check(&line).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (ErrorKind::Unreachable, Effect::None));
    let apply = iam.connector.apply(&line, Some(&ids.accounts[0]), &Op::Enable, None, "k").await.unwrap_err();
    assert_eq!((apply.kind, apply.effect), (ErrorKind::Unreachable, Effect::None));
}

#[tokio::test]
async fn a_change_that_stopped_half_way_is_unknown_and_the_same_again_ends_it() {
    for (action, before) in [("DeleteLoginProfile", false), ("UpdateAccessKey", true), ("TagUser", true)] {
        let (iam, ids) = seeded().await;
        let ann = ids.accounts[0].as_str();
        let off = || Op::Disable { way: 1 };
        iam.system.0.lock().unwrap().fault = Some((action, 400, "Throttling"));
        let error = make(&iam, ann, off()).await.unwrap_err();
        let effect = if before { Effect::Unknown } else { Effect::None };
        assert_eq!((error.kind, error.effect), (ErrorKind::RateLimited, effect), "{action}");
        assert_eq!(state(&iam, ann).await, Some(ObjectState::Live), "{action}");
        assert_eq!(make(&iam, ann, off()).await, Ok(Outcome::Done), "{action}");
        assert_eq!(state(&iam, ann).await, Some(ObjectState::Blocked), "{action}");
        assert_eq!(make(&iam, ann, off()).await, Ok(Outcome::AlreadySo), "{action}");
        // A system that broke at the first write may have done it.
        iam.system.0.lock().unwrap().fault = Some(("UntagUser", 503, "ServiceFailure"));
        assert_eq!(make(&iam, ann, Op::Enable).await.unwrap_err().effect, Effect::Unknown);
        assert_eq!(make(&iam, ann, Op::Enable).await, Ok(Outcome::Done));
    }
}

#[tokio::test]
async fn what_undoes_a_disabling_makes_the_account_live() {
    let (iam, ids) = seeded().await;
    let ann = ids.accounts[0].as_str();
    make(&iam, ann, Op::Disable { way: 0 }).await.unwrap();
    let weak = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#;
    let policy = [("UserName", "ann.smith"), ("PolicyName", "BailiwickDenyAll"), ("PolicyDocument", weak)];
    iam.system.raw("PutUserPolicy", &policy).await;
    assert_eq!(state(&iam, ann).await, Some(ObjectState::Live));
    assert_eq!(make(&iam, ann, Op::Disable { way: 0 }).await, Ok(Outcome::Done));
    assert_eq!(make(&iam, ann, Op::Enable).await, Ok(Outcome::Done));
    make(&iam, ann, Op::Disable { way: 1 }).await.unwrap();
    assert_eq!(state(&iam, ann).await, Some(ObjectState::Blocked));
    iam.system.raw("CreateLoginProfile", &[("UserName", "ann.smith"), ("Password", "x")]).await;
    assert_eq!(state(&iam, ann).await, Some(ObjectState::Live));
    // Ending the policies of somebody who is denied everything does not end that.
    make(&iam, ann, Op::Disable { way: 0 }).await.unwrap();
    make(&iam, ann, Op::RevokeAll { class: AccessClass::Roles }).await.unwrap();
    assert_eq!(state(&iam, ann).await, Some(ObjectState::Blocked));
}

#[tokio::test]
async fn a_delete_names_what_is_in_the_way_and_strips_nothing() {
    let (iam, ids) = seeded().await;
    let ann = ids.accounts[0].as_str();
    make(&iam, ann, Op::Disable { way: 0 }).await.unwrap();
    let before = iam.truth().await;
    let error = make(&iam, ann, Op::Delete).await.unwrap_err();
    assert_eq!((error.kind, error.effect), (ErrorKind::Invalid, Effect::None));
    for class in [
        "direct-groups (Engineering, everyone)",
        "roles (attached, own)",
        "cloud-keys",
        "ssh-keys",
        "device-trust",
        "api-tokens",
    ] {
        assert!(error.message.contains(class), "{class}: {error}");
    }
    assert_eq!(iam.truth().await, before);
    for class in iam.connector.capability().removes.clone() {
        assert_eq!(make(&iam, ann, Op::RevokeAll { class }).await, Ok(Outcome::Done), "{class}");
    }
    assert_eq!(state(&iam, ann).await, Some(ObjectState::Blocked));
    assert_eq!(make(&iam, ann, Op::Delete).await, Ok(Outcome::Done));
    assert_eq!((make(&iam, ann, Op::Delete).await, state(&iam, ann).await), (Ok(Outcome::AlreadySo), None));
}

#[tokio::test]
async fn an_id_stays_with_its_user_and_does_not_pass_to_who_gets_the_name() {
    let (iam, ids) = seeded().await;
    let bo = ids.accounts[1].as_str();
    let rename = Op::SetAttributes {
        attributes: attributes(&[("userName", "bo"), ("path", "/sales/"), ("title", "x")]),
    };
    assert_eq!(make(&iam, bo, rename).await, Ok(Outcome::Done));
    let seen = iam.connector.get(&iam.reader(), Locator::Account(bo)).await.unwrap().unwrap();
    assert_eq!((&*seen.name, seen.marker.as_deref()), ("bo", Some("hr/0012")));
    // Behind the hub's back: renamed again, and somebody else gets the name.
    iam.system.raw("UpdateUser", &[("UserName", "bo"), ("NewUserName", "bo2")]).await;
    iam.system.raw("CreateUser", &[("UserName", "bo")]).await;
    assert_eq!(make(&iam, bo, Op::Disable { way: 0 }).await, Ok(Outcome::Done));
    let denied = |name: &str| {
        let state = iam.system.0.lock().unwrap();
        let user = state.users.iter().find(|user| user.name == name).unwrap();
        user.inline.contains_key("BailiwickDenyAll")
    };
    assert!(denied("bo2") && !denied("bo"));
    for op in [Op::Enable, Op::RevokeAll { class: AccessClass::DirectGroups }, Op::Delete] {
        make(&iam, bo, op).await.unwrap();
    }
    assert_eq!(make(&iam, bo, Op::Disable { way: 0 }).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(make(&iam, bo, Op::Delete).await, Ok(Outcome::AlreadySo));
    assert!(!denied("bo"));
}

#[tokio::test]
async fn two_thousand_users_are_three_pages_and_each_is_shown_once() {
    let (iam, ids) = seeded().await;
    for n in 0..2_500 {
        iam.system.raw("CreateUser", &[("UserName", &format!("user{n}"))]).await;
    }
    iam.system.0.lock().unwrap().log.clear();
    let (mut seen, mut cursor, mut pages) = (Vec::new(), None::<String>, 0);
    loop {
        let mut visit = |object: Object<'_>| seen.push(object.id.into_owned());
        let page =
            iam.connector.list(&iam.reader(), Listing::Accounts, cursor.as_deref(), 5_000, &mut visit).await;
        let page = page.unwrap();
        assert!(page.complete);
        pages += 1;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!((pages, seen.len()), (3, 2_500 + ids.accounts.len()));
    assert_eq!(iam.system.0.lock().unwrap().log, ["GetAccountAuthorizationDetails"; 3]);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 2_500 + ids.accounts.len());
    // What was listed is found again with one question.
    iam.system.0.lock().unwrap().log.clear();
    iam.connector.get(&iam.reader(), Locator::Account(&seen[2_000])).await.unwrap().unwrap();
    assert_eq!(iam.system.0.lock().unwrap().log, ["GetUser", "GetUserPolicy"]);
}
