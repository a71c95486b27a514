//! What is answered at request time, and from what: who has left is denied a tenth of a second after the event, on every node and
//! over a restart; who asks is governed; denials are on record and nothing personal is. Time is a hand that the tests move.

#![allow(clippy::unwrap_used, reason = "a test")]

mod asked;
mod world;

use std::collections::BTreeSet;

use asked::*;
use bailiwick_core::{
    gate::Gate,
    id::{RecoveryId, Tenant},
    integration::Standing,
    record::{Actor, Logged, Record, RecordKind},
    time::{Clock as _, SignedDuration},
};
use bailiwick_engine::{Engine, PageRequest, Reason};
use bailiwick_store::{Update, entities::Recovery};
use serde_json::json;
use world::World;

#[tokio::test]
async fn policies_answer_for_who_is_here_and_everybody_else_is_denied() {
    let world = world(1).await;
    let token = token(&world, "gateway").await;
    for (subject, action, resource, expect) in [
        ("user/ann@x.test", "read", "record/r1", "permitted"),
        ("user/ANN@x.test", "read", "record/r1", "permitted"),
        ("employee/1", "read", "record/r1", "permitted"),
        ("identity/hr/1", "read", "record/r1", "permitted"),
        ("user/ann@x.test", "read", "record/r2", "no-permit"),
        ("user/ann@x.test", "read", "record/r9", "no-permit"),
        ("user/ann@x.test", "write", "record/r1", "no-permit"),
        ("user/bob@x.test", "write", "record/r1", "permitted"),
        ("user/ann@x.test", "burn", "record/r1", "action-unknown"),
        ("user/ann@x.test", "read", "book/r1", "resource-type-unknown"),
        ("user/ann@x.test", "read", "RECORD/r1", "resource-type-unknown"),
        ("user/nobody@x.test", "read", "record/r1", "subject-unknown"),
        ("user/", "read", "record/r1", "subject-unknown"),
        ("user/ann@x.test\0", "read", "record/r1", "subject-unknown"),
        ("user/1", "read", "record/r1", "subject-unknown"),
        ("employee/hr/1", "read", "record/r1", "subject-unknown"),
        ("employee/9", "read", "record/r1", "subject-unknown"),
        ("robot/ann@x.test", "read", "record/r1", "subject-unknown"),
        ("alien/1", "read", "record/r1", "subject-type-unknown"),
        ("integration/other", "read", "record/r1", "permitted"),
        ("integration/other", "write", "record/r1", "no-permit"),
        ("integration/hr", "read", "record/r1", "permitted"),
        ("integration/none", "read", "record/r1", "subject-unknown"),
        ("integration/Bad Name", "read", "record/r1", "subject-unknown"),
    ] {
        assert_eq!(
            reason(&world.engine, &token, subject, action, resource).await,
            expect,
            "{subject} {action} {resource}"
        );
    }
    // What is said of another type than declared is no answer, and what is said replaces nothing.
    let mut asked = question("user/ann@x.test", "read", "record/r2");
    asked.resource.properties.insert("status".into(), json!(7));
    assert_eq!(
        verdict(&world.engine, &token, &asked).await.reason,
        Reason::PropertyWrongType("status".into())
    );
    asked.resource.properties.insert("status".into(), json!("open"));
    asked.subject.properties.insert("department".into(), json!("Finance"));
    assert_eq!(verdict(&world.engine, &token, &asked).await.reason, Reason::NoPermit);
}

#[tokio::test]
async fn who_leaves_is_denied_at_once_on_every_node_and_after_a_restart() {
    let mut world = world(2).await;
    let token = token(&world, "gateway").await;
    let other = world.second();
    let ask = async |engine: &Engine| reason(engine, &token, "user/bob@x.test", "write", "record/r1").await;
    // Both know him by now.
    for _ in 0..2 {
        assert_eq!((ask(&world.engine).await, ask(&other).await), ("permitted", "permitted"));
        world.pass(SignedDuration::from_millis(60));
    }
    let left = "2,Bob,bob@x.test,Finance,,left";
    world.deliver(&[ANN, left, CYN]).await.unwrap();
    world.pass(SignedDuration::from_millis(100));
    assert_eq!((ask(&world.engine).await, ask(&other).await), ("subject-not-active", "subject-not-active"));
    // The process dies; nothing of what it knew is needed.
    world.restart();
    assert_eq!(ask(&world.engine).await, "subject-not-active");
    world.quiet().await;
    assert_eq!(ask(&world.engine).await, "subject-not-active");
    assert_eq!(reason(&world.engine, &token, "user/cyn@x.test", "write", "record/r1").await, "permitted");
}

/// Whatever is delivered, who was asked about all the time is answered as by somebody who never heard of anybody.
#[tokio::test]
async fn what_is_kept_answers_as_what_is_read() {
    let mut world = world(12).await;
    let token = token(&world, "gateway").await;
    let mut state = 12u64;
    let mut below = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let mut people: Vec<(u64, u64, u64)> = (0..8).map(|n| (n, n % 3, 0)).collect();
    let mut seen = BTreeSet::new();
    for round in 0..25 {
        for _ in 0..2 {
            let at = usize::try_from(below(8)).unwrap();
            // Addresses wander between people; somebody leaves now and then, and is back.
            people[at] = (below(8), below(3), u64::from(below(6) == 0));
        }
        let line = |(n, (email, department, left)): (usize, &(u64, u64, u64))| {
            let department = ["Finance", "Engineering", "Sales"][*department as usize];
            let status = ["active", "left"][*left as usize];
            format!("{},P{n},p{email}@x.test,{department},,{status}", n + 1)
        };
        let lines: Vec<String> = people.iter().enumerate().map(line).collect();
        world.deliver(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
        world.pass(SignedDuration::from_millis(100));
        let fresh = world.second();
        for n in 0..9 {
            for who in [format!("user/p{n}@x.test"), format!("employee/{n}")] {
                let (kept, read) = (
                    reason(&world.engine, &token, &who, "write", "record/r1").await,
                    reason(&fresh, &token, &who, "write", "record/r1").await,
                );
                assert_eq!(kept, read, "round {round}: {who}");
                seen.insert(kept);
            }
        }
        if round % 5 == 4 {
            world.quiet().await;
        }
    }
    let all = ["no-permit", "permitted", "subject-ambiguous", "subject-not-active", "subject-unknown"];
    assert_eq!(seen, all.into());
}

#[tokio::test]
async fn an_end_that_is_known_ahead_needs_no_event() {
    let mut world = world(3).await;
    let token = token(&world, "gateway").await;
    let ends = in_days(&world, 2);
    world.deliver(&[ANN, &format!("2,Bob,bob@x.test,Finance,{ends},active"), CYN]).await.unwrap();
    world.quiet_before(SignedDuration::from_mins(1)).await;
    let ask =
        async |world: &World| reason(&world.engine, &token, "user/bob@x.test", "write", "record/r1").await;
    assert_eq!(ask(&world).await, "permitted");
    // Nobody has worked since: the day alone decides.
    world.pass(SignedDuration::from_hours(24 * 4));
    assert_eq!(ask(&world).await, "subject-not-active");
}

#[tokio::test]
async fn two_with_one_address_are_nobody_also_when_the_second_comes_later() {
    let world = world(4).await;
    let token = token(&world, "gateway").await;
    let ask = async |subject: &str| reason(&world.engine, &token, subject, "read", "record/r1").await;
    assert_eq!(ask("user/ann@x.test").await, "permitted");
    world.deliver(&[ANN, BOB, CYN, "4,Dan,Ann@X.test,Sales,,active"]).await.unwrap();
    world.pass(SignedDuration::from_secs(1));
    assert_eq!(ask("user/ann@x.test").await, "subject-ambiguous");
    assert_eq!((ask("employee/1").await, ask("employee/4").await), ("permitted", "permitted"));
    let found = found(&world.engine, &token, "user", "read", "record/r1").await;
    assert_eq!(found, ["bob@x.test", "cyn@x.test"]);
}

#[tokio::test]
async fn an_entitlement_may_be_used_while_it_is_given_and_held() {
    let mut world = world(5).await;
    let token = token(&world, "gateway").await;
    let uses = async |world: &World, who: &str, what: &str| {
        reason(&world.engine, &token, who, "use", &format!("entitlement/chat/{what}")).await
    };
    assert_eq!(uses(&world, "user/ann@x.test", "engineering").await, "permitted");
    assert_eq!(uses(&world, "user/ann@x.test", "account").await, "permitted");
    assert_eq!(uses(&world, "user/ann@x.test", "finance").await, "not-held");
    assert_eq!(uses(&world, "user/ann@x.test", "nothing").await, "resource-unknown");
    assert_eq!(uses(&world, "integration/other", "engineering").await, "not-held");
    assert_eq!(
        reason(&world.engine, &token, "user/ann@x.test", "have", "entitlement/chat/account").await,
        "action-unknown"
    );
    assert_eq!(
        found(&world.engine, &token, "user", "use", "entitlement/chat/finance").await,
        ["bob@x.test", "cyn@x.test"]
    );
    assert_eq!(
        holdings(&world.engine, &token, "user/bob@x.test").await,
        ["chat/account", "chat/everyone", "chat/finance"]
    );

    // What is decided and not done is not held; what is to go counts no more, though it is still there.
    world.deliver(&["1,Ann,ann@x.test,Finance,,active", BOB, CYN]).await.unwrap();
    world.pass(SignedDuration::from_secs(1));
    assert_eq!(uses(&world, "user/ann@x.test", "finance").await, "not-held");
    assert_eq!(uses(&world, "user/ann@x.test", "engineering").await, "not-held");
    assert!(world.truth()["chat/ann@x.test"].contains("Engineering"));
    world.quiet().await;
    assert_eq!(uses(&world, "user/ann@x.test", "finance").await, "permitted");
    assert!(world.truth()["chat/ann@x.test"].contains("Finance"));
}

#[tokio::test]
async fn who_asks_is_governed_like_everything_else() {
    let mut world = world(6).await;
    let (gateway, narrow, slow) =
        (token(&world, "gateway").await, token(&world, "narrow").await, token(&world, "slow").await);
    let engine = &world.engine;
    assert!(engine.asker("bwc_nothing").await.unwrap().is_none());
    // Its class is what it makes of the answers.
    let authority = async |called: &str| {
        let mut tx = world.store.read().await.unwrap();
        engine.catalogue(&mut *tx).await.unwrap().authority(&name(called)).unwrap().class.as_str()
    };
    assert_eq!(authority("gateway").await, "operational");
    // Outside of its scope it is refused, and goes on.
    assert_eq!(refused(engine, &narrow, "record/r1").await, "ask-out-of-scope");
    assert_eq!(
        reason(engine, &narrow, "user/ann@x.test", "use", "entitlement/chat/account").await,
        "permitted"
    );
    let asker = engine.asker(&narrow).await.unwrap().unwrap();
    let page = PageRequest { token: String::new(), limit: 10 };
    let asked = question("user/", "use", "entitlement/chat/account");
    assert_eq!(engine.find_subjects(&asker, &asked, &page).await.unwrap_err().code(), "ask-out-of-scope");
    // A minute has so many questions.
    for _ in 0..3 {
        assert_eq!(reason(engine, &slow, "user/ann@x.test", "read", "record/r1").await, "permitted");
    }
    assert_eq!(refused(engine, &slow, "record/r1").await, "too-many-calls");
    world.pass(SignedDuration::from_secs(60));
    assert_eq!(reason(engine, &slow, "user/ann@x.test", "read", "record/r1").await, "permitted");
    // Without its second gate it is not answered; stopped, neither.
    for (gates, standing, expect) in [
        (&[Gate::IntegrationApproved][..], Standing::Enabled, "identity-authority-missing"),
        (&[], Standing::Enabled, "integration-approval-missing"),
        (
            &Gate::ALL,
            Standing::Quarantined { since: world.hands.now(), reason: "test".into() },
            "integration-quarantined",
        ),
    ] {
        world.certify(&name("gateway"), gates).await;
        stand(&world, "gateway", standing).await;
        world.pass(SignedDuration::from_secs(1));
        assert_eq!(refused(&world.engine, &gateway, "record/r1").await, expect);
    }
    stand(&world, "gateway", Standing::Enabled).await;
    world.certify(&name("gateway"), &Gate::ALL).await;
    world.pass(SignedDuration::from_secs(1));
    assert_eq!(reason(&world.engine, &gateway, "user/ann@x.test", "read", "record/r1").await, "permitted");
    // Who is stopped is not permitted anything either.
    stand(&world, "other", Standing::Quarantined { since: world.hands.now(), reason: "test".into() }).await;
    world.pass(SignedDuration::from_secs(1));
    assert_eq!(
        reason(&world.engine, &gateway, "integration/other", "read", "record/r1").await,
        "subject-shut"
    );
    // Its token is taken back, and expires.
    assert!(world.engine.dismiss_caller(&name("gateway"), Actor::Operator("ada".into())).await.unwrap());
    world.pass(SignedDuration::from_secs(1));
    assert!(world.engine.asker(&gateway).await.unwrap().is_none());
    let again = token(&world, "gateway").await;
    assert!(world.engine.asker(&again).await.unwrap().is_some());
    world.pass(SignedDuration::from_hours(24 * 31));
    assert!(world.engine.asker(&again).await.unwrap().is_none());
    // One that has ended is nobody.
    let last = token(&world, "other").await;
    stand(&world, "other", Standing::Ended { since: world.hands.now() }).await;
    world.pass(SignedDuration::from_secs(1));
    assert!(world.engine.asker(&last).await.unwrap().is_none());
    world.quiet().await;
}

#[tokio::test]
async fn who_writes_what_a_policy_of_access_reads_decides_who_may_use_it() {
    let world = world(7).await;
    let mut tx = world.store.read().await.unwrap();
    let catalogue = world.engine.catalogue(&mut *tx).await.unwrap();
    let paths: Vec<String> = catalogue
        .authority(&name("hr"))
        .unwrap()
        .by_weight()
        .iter()
        .map(|path| path.explain(&name("hr")))
        .collect();
    let expect = "attribute department";
    assert!(
        paths
            .iter()
            .any(|p| p.contains(expect) && p.contains("finance-writes") && p.contains("decide record")),
        "{paths:#?}"
    );
}

#[tokio::test]
async fn every_denial_is_on_record_and_of_permits_those_that_their_ids_say() {
    let mut world = world(8).await;
    world
        .configure_with(|configuration| {
            declare(configuration);
            configuration.resources[0].sample = 4;
        })
        .await;
    world.quiet().await;
    let token = token(&world, "gateway").await;
    let mut expect: BTreeSet<(String, bool)> = BTreeSet::new();
    for n in 0..60 {
        let who = ["ann@x.test", "secret-person@x.test"][n % 2];
        let verdict =
            verdict(&world.engine, &token, &question(&format!("user/{who}"), "read", "record/r1")).await;
        let [.., last] = *verdict.id.as_bytes();
        if !verdict.permits() || last.is_multiple_of(4) {
            expect.insert((verdict.id.to_string(), verdict.permits()));
        }
    }
    // A sampled permit is written beside the answer.
    let denied = expect.iter().filter(|(_, permits)| !permits).count();
    assert!(denied == 30 && expect.len() > denied && expect.len() < 60, "{}", expect.len());
    let mut found = BTreeSet::new();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let mut tx = world.store.read().await.unwrap();
    for entry in tx.written(0, 100_000).await.unwrap() {
        let logged = Logged::parse(&entry.bytes).unwrap();
        if logged.kind == RecordKind::AccessDecided {
            let text = String::from_utf8(entry.bytes).unwrap();
            assert!(
                !text.contains("secret-person") && !text.contains("ann@") && !text.contains("\"r1\""),
                "{text}"
            );
            assert!(text.contains("\"asked\":") && text.contains("\"input\":"), "committed to: {text}");
            assert_eq!(logged.actor, Actor::Integration("gateway".into()));
            assert_eq!(logged.identity.is_some(), logged.facts["permits"] == true, "who is known is named");
            assert!(logged.facts["policy"].as_str().unwrap().len() == 64);
            let id = logged.facts["decision"].as_str().unwrap().to_owned();
            found.insert((id, logged.facts["permits"] == true));
        }
    }
    assert_eq!(found, expect);
}

#[tokio::test]
async fn searches_find_who_would_be_permitted_and_page_by_page_the_same() {
    let mut world = world(9).await;
    let lines: Vec<String> = (1..60)
        .map(|n| {
            let department = ["Finance", "Engineering", "Sales"][n % 3];
            let status = if n % 10 == 7 { "left" } else { "active" };
            format!("{n},P{n},p{n}@x.test,{department},,{status}")
        })
        .collect();
    world.quiet().await;
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    // More than half of the people are new at once, which the contract of the feed lets pass for new ones.
    world.deliver(&lines).await.unwrap();
    world.quiet().await;
    let (token, foreign) = (token(&world, "gateway").await, token(&world, "other").await);
    let engine = &world.engine;
    for (action, resource) in [("write", "record/r1"), ("read", "record/r2"), ("read", "record/r3")] {
        let mut expect = Vec::new();
        for n in 1..60 {
            let id = format!("p{n}@x.test");
            if reason(engine, &token, &format!("user/{id}"), action, resource).await == "permitted" {
                expect.push(id);
            }
        }
        let mut got = found(engine, &token, "user", action, resource).await;
        got.sort();
        expect.sort();
        assert_eq!(got, expect, "{action} {resource}");
        let mut paged = pages(engine, &token, "user", action, resource, 7).await;
        paged.sort();
        assert_eq!(paged, expect, "{action} {resource}");
    }
    let robots = pages(engine, &token, "integration", "read", "record/r1", 1).await;
    assert_eq!(robots, ["chat", "gateway", "hr", "narrow", "other", "slow"]);
    let asker = engine.asker(&token).await.unwrap().unwrap();
    let page = PageRequest { token: String::new(), limit: 10 };
    let asked = question("user/p2@x.test", "read", "record/");
    let resources = engine.find_resources(&asker, &asked, &page).await.unwrap();
    assert_eq!((resources.items, resources.next), (vec!["r1".into(), "r3".into()], None));
    let asked = question("user/p3@x.test", "", "record/r1");
    assert_eq!(engine.find_actions(&asker, &asked, &page).await.unwrap().items, ["read", "write"]);
    for (subject, resource) in
        [("user/nobody@x.test", "record/"), ("alien/1", "record/"), ("user/p2@x.test", "book/")]
    {
        let asked = question(subject, "read", resource);
        assert_eq!(engine.find_resources(&asker, &asked, &page).await.unwrap().items, Vec::<String>::new());
    }

    // A token is good for the one who got it and for that search.
    let asked = question("user/", "write", "record/r1");
    let first =
        engine.find_subjects(&asker, &asked, &PageRequest { token: String::new(), limit: 2 }).await.unwrap();
    let next = first.next.unwrap();
    let go_on = |token: &str| PageRequest { token: token.to_owned(), limit: 2 };
    assert!(engine.find_subjects(&asker, &asked, &go_on(&next)).await.is_ok());
    let other = engine.asker(&foreign).await.unwrap().unwrap();
    let elsewhere = question("user/", "read", "record/r1");
    let forged = format!("{}{}", &next[..64], "69646e5f");
    for (asker, asked, token) in [
        (&other, &asked, next.as_str()),
        (&asker, &elsewhere, next.as_str()),
        (&asker, &asked, "nonsense"),
        (&asker, &asked, &forged),
        (&asker, &asked, &next[..70]),
        (&asker, &asked, &"ü".repeat(40)),
    ] {
        let refused = engine.find_subjects(asker, asked, &go_on(token)).await.unwrap_err();
        assert_eq!(refused.code(), "page-token-refused", "{token}");
    }
    assert_eq!(
        engine.find_resources(&asker, &asked, &go_on(&next)).await.unwrap_err().code(),
        "page-token-refused"
    );
}

#[tokio::test]
async fn a_hub_that_goes_on_from_a_backup_answers_nothing_until_it_is_released() {
    let world = world(11).await;
    let token = token(&world, "gateway").await;
    assert_eq!(reason(&world.engine, &token, "user/ann@x.test", "read", "record/r1").await, "permitted");
    let (tenant, chance, at) = (Tenant::single(), &*world.dice, world.hands.now());
    let restored = Recovery { id: RecoveryId::new(at, chance), at, of: at, before: None, released: None };
    let mut tx = world.store.begin().await.unwrap();
    let record = Record::new(RecordKind::Restored, at, Actor::Operator("test".into()), chance);
    tx.write(&tenant, vec![Update::new(record).insert(&restored, chance)], chance).await.unwrap();
    tx.commit().await.unwrap();
    world.pass(SignedDuration::from_millis(100));
    assert_eq!(refused(&world.engine, &token, "record/r1").await, "hub-restored");
}

#[tokio::test]
async fn a_store_that_is_away_permits_nothing() {
    let world = world(10).await;
    let token = token(&world, "gateway").await;
    assert_eq!(reason(&world.engine, &token, "user/ann@x.test", "read", "record/r1").await, "permitted");
    let asker = world.engine.asker(&token).await.unwrap().unwrap();
    // Nothing can be read or written from its next commit on.
    world.faults.die_at(1);
    let by = Actor::Operator("ada".into());
    assert!(world.engine.admit_caller(&name("slow"), 1, by).await.is_err() && world.faults.died());
    // Somebody whom nobody asked about yet.
    let (verdict, written) =
        world.engine.answer(&asker, &question("user/bob@x.test", "write", "record/r1")).await.unwrap();
    assert!(matches!(verdict.reason, Reason::Undecidable(_)), "{verdict:?}");
    assert!(!written.wait().await, "and nothing says that it was written down");
    world.pass(SignedDuration::from_secs(1));
    assert!(world.engine.asker(&token).await.is_err());
}
