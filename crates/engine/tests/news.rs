//! Reconciling by news: what changed is found, what did not change costs nothing, and nothing is lost.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    id::{IntegrationName, SystemName},
    time::SignedDuration,
};
use bailiwick_engine::{How, Reconciled};
use serde_json::json;
use world::{World, newsy};

const MODES: [&str; 2] = ["named", "rest"];

fn chat() -> SystemName {
    SystemName::new("chat").unwrap()
}

fn person(n: usize) -> String {
    let department = ["Engineering", "Finance"][n % 2];
    format!("{n},Person {n},p{n}@x.test,{department},,active")
}

/// A world with so many people on one system that has news.
async fn world(seed: u64, mode: &str, people: usize) -> World {
    let mut world = World::new(seed, &[("chat", &[])]).await;
    let news = format!("{mode}-{seed}");
    world
        .configure_with(|configuration| {
            let chat = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "chat").unwrap();
            chat.settings["news"] = json!(news);
        })
        .await;
    world.quiet().await;
    let lines: Vec<String> = (0..people).map(person).collect();
    world.deliver(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
    world.quiet().await;
    world.pass(SignedDuration::from_secs(60));
    world
}

/// Compares by news; gives what was found and how many rows of accounts were read for it.
async fn heard(world: &World) -> (Reconciled, u64) {
    let before = world.faults.accounts_read();
    let found = world.engine.reconcile(&chat(), false).await.unwrap();
    assert_eq!(found.how, How::News, "{found:?}");
    world.pass(SignedDuration::from_secs(60));
    (found, world.faults.accounts_read() - before)
}

#[tokio::test]
async fn only_what_changed_is_looked_at() {
    for (seed, mode) in (100..).zip(MODES) {
        let mut world = world(seed, mode, 60).await;
        let (first, _) = heard(&world).await;
        assert_eq!((first.accounts, first.unchanged, first.changed, first.gone), (60, 60, 0, 0), "{first:?}");
        let (quiet, read) = heard(&world).await;
        assert_eq!((quiet.accounts, quiet.groups, quiet.gone), (0, 0, 0), "{quiet:?}");
        if mode == "named" {
            assert_eq!(read, 0, "rows are read though nothing is new");
        }

        world.behind(
            "chat",
            json!({
                "users": [{ "userName": "ghost@x.test", "active": true }],
                "groups": [{ "name": "Admins", "members": ["ghost@x.test"] }]
            }),
        );
        world.behind("chat", json!({ "delete": ["p7@x.test"] }));
        let (found, read) = heard(&world).await;
        assert_eq!((found.unmanaged, found.gone, found.changed), (1, 1, 0), "{mode}: {found:?}");
        if mode == "named" {
            assert!(read < 10, "{read} rows are read for two changes");
        }
        world.quiet().await;
        assert!(world.truth().contains_key("chat/p7@x.test"), "it is made again");
        let admins = world.holders("chat/admins").await;
        assert_eq!(admins, ["ghost@x.test"], "{mode}: what a new account holds is asked of the system");
        let full = world.engine.reconcile(&chat(), true).await.unwrap();
        assert_eq!((full.how, full.changed, full.adopted, full.gone), (How::Listed, 0, 0, 0), "{full:?}");
        assert_eq!(full.accounts, full.unchanged, "{full:?}");
    }
}

#[tokio::test]
async fn who_came_to_a_group_and_who_left_it_is_found_and_put_right() {
    for (seed, mode) in (110..).zip(MODES) {
        let mut world = world(seed, mode, 8).await;
        heard(&world).await;
        world.behind("chat", json!({ "groups": [{ "name": "Admins", "members": ["p1@x.test"] }] }));
        world.behind("chat", json!({ "leave": [["Engineering", "p2@x.test"]] }));
        let (found, _) = heard(&world).await;
        assert_eq!((found.changed, found.accounts), (2, 0), "{mode}: {found:?}");
        world.quiet().await;
        assert!(!world.truth()["chat/p1@x.test"].contains("Admins"), "{:?}", world.truth());
        assert!(world.truth()["chat/p2@x.test"].contains("Engineering"), "{:?}", world.truth());
        // What the hub gave since, and somebody took again before the next reading, is found too.
        world.behind("chat", json!({ "leave": [["Engineering", "p2@x.test"]] }));
        let (found, _) = heard(&world).await;
        assert_eq!(found.changed, 1, "{mode}: {found:?}");
        world.quiet().await;
        assert!(world.truth()["chat/p2@x.test"].contains("Engineering"), "{:?}", world.truth());
        heard(&world).await;
        assert_eq!(heard(&world).await.0, Reconciled { how: How::News, ..Reconciled::default() });
    }
}

#[tokio::test]
async fn everything_is_listed_when_news_cannot_tell() {
    let mut world = world(120, "named", 5).await;
    heard(&world).await;
    let listed = async |world: &World, full: bool| {
        let found = world.engine.reconcile(&chat(), full).await.unwrap();
        world.pass(SignedDuration::from_secs(60));
        (found.how, found.accounts, found.gone, found.partial.is_some())
    };
    assert_eq!(listed(&world, true).await, (How::Listed, 5, 0, false), "on demand");
    world.pass(SignedDuration::from_hours(24));
    assert_eq!(listed(&world, false).await, (How::Listed, 5, 0, false), "once a day");
    assert_eq!(heard(&world).await.0.accounts, 0);

    // A token that is as none shows everything, and says that the rest is gone.
    world.behind("chat", json!({ "delete": ["p3@x.test"] }));
    newsy::forget("120");
    let (found, _) = heard(&world).await;
    assert_eq!((found.accounts, found.unchanged, found.gone), (4, 4, 1), "{found:?}");
    world.quiet().await;

    // What is shown in part proves nothing and moves nothing on.
    heard(&world).await;
    world.behind("chat", json!({ "delete": ["p4@x.test"] }));
    newsy::partial("120", true);
    assert_eq!(listed(&world, false).await, (How::Listed, 4, 0, true));
    newsy::partial("120", false);
    let found = world.engine.reconcile(&chat(), false).await.unwrap();
    assert_eq!((found.how, found.gone), (How::Listed, 1), "{found:?}");

    // Another label is another group: what is known of the groups says nothing of it.
    world.pass(SignedDuration::from_secs(60));
    heard(&world).await;
    world
        .configure_with(|configuration| {
            let chat = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "chat").unwrap();
            chat.settings["news"] = json!("named-120");
            let admins =
                configuration.entitlements.iter_mut().find(|e| e.name.as_str() == "chat/admins").unwrap();
            admins.label = "Builders".into();
        })
        .await;
    assert_eq!(listed(&world, false).await.0, How::Listed);
}

#[tokio::test]
async fn a_group_that_comes_into_a_declared_one_is_found_by_news_and_leads_there() {
    for (seed, mode) in (140..).zip(MODES) {
        let mut world = world(seed, mode, 6).await;
        heard(&world).await;
        let nested = async |world: &World| {
            let name = IntegrationName::new("hr").unwrap();
            let (_, authority) = world.engine.authority(&name).await.unwrap();
            let paths = authority.explain(&name);
            let shut = world.findings("certification-void").await.len();
            let told = world.findings("entitlement-nested-privileged").await.len();
            (paths.into_iter().filter(|path| path.contains("seen to be in")).collect::<Vec<_>>(), shut, told)
        };
        assert_eq!(nested(&world).await, (vec![], 0, 0));
        world.behind("chat", json!({ "groups": [{ "name": "Builders", "members": ["Engineering"] }] }));
        world.behind(
            "chat",
            json!({ "groups": [{ "name": "Admins", "members": ["Builders", "p1@x.test"] }] }),
        );
        let found = world.engine.reconcile(&chat(), false).await.unwrap();
        assert_eq!((found.how, found.changed), (How::Listed, 1), "{mode}: {found:?}");
        let rest =
            "chat-eng → seen to be in, through Builders → entitlement chat/admins: nobody else decides";
        let paths = ["identity", "attribute department"].map(|start| format!("hr → {start} → {rest}"));
        assert_eq!(nested(&world).await, (paths.to_vec(), 1, 1), "{mode}");
        world.quiet().await;
        world.pass(SignedDuration::from_secs(60));
        heard(&world).await;
        // It leaves: that is news of a declared group, too.
        world.behind("chat", json!({ "leave": [["Admins", "Builders"]] }));
        let found = world.engine.reconcile(&chat(), false).await.unwrap();
        assert_eq!((found.how, found.changed), (How::Listed, 0), "{mode}: {found:?}");
        assert_eq!(nested(&world).await, (vec![], 0, 0), "{mode}");
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_between_reading_the_news_and_recording_them_loses_nothing() {
    let story = async |world: &mut World, point: Option<u64>| {
        world.behind(
            "chat",
            json!({
                "users": [{ "userName": "ghost@x.test", "active": true }],
                "groups": [{ "name": "Admins", "members": ["p1@x.test"] }]
            }),
        );
        world.behind("chat", json!({ "leave": [["Engineering", "p2@x.test"]] }));
        world.behind("chat", json!({ "delete": ["p3@x.test"] }));
        if let Some(point) = point {
            world.faults.die_at(point);
        }
        let begin = world.faults.passed();
        while world.engine.reconcile(&chat(), false).await.is_err() {
            assert!(world.faults.died(), "{point:?}");
            world.restart();
            // What the dead one held runs out.
            world.pass(SignedDuration::from_secs(61));
        }
        let points = world.faults.passed() - begin;
        world.quiet().await;
        points
    };
    for (seed, mode) in (130..).zip(MODES) {
        let mut calm = world(seed, mode, 5).await;
        heard(&calm).await;
        let points = story(&mut calm, None).await;
        assert!(points > 6, "{points}");
        let ends = (calm.truth(), calm.effects(), calm.drifts().await);
        assert_eq!(ends.2, 3, "{mode}: each difference is one event");
        for point in 1..=points {
            let mut world = world(seed, mode, 5).await;
            heard(&world).await;
            story(&mut world, Some(point)).await;
            assert_eq!((world.truth(), world.effects(), world.drifts().await), ends, "{mode}, point {point}");
        }
    }
}

#[tokio::test]
async fn who_comes_into_a_group_that_nobody_declared_is_found_at_the_cost_of_that_group() {
    let admins = bailiwick_core::id::EntitlementName::new("chat/admins").unwrap();
    for (seed, mode) in (700..).zip(MODES) {
        let world = world(seed, mode, 60).await;
        world.behind("chat", json!({ "groups": [{ "name": "Field", "members": ["p1@x.test"] }] }));
        world.behind("chat", json!({ "groups": [{ "name": "Admins", "members": ["Field"] }] }));
        world.pass(SignedDuration::from_secs(60));
        world.engine.reconcile(&chat(), true).await.unwrap();
        world.pass(SignedDuration::from_secs(60));
        world.behind("chat", json!({ "groups": [{ "name": "Field", "members": ["p2@x.test"] }] }));
        world.pass(SignedDuration::from_secs(60));
        let (found, read) = heard(&world).await;
        assert_eq!((found.groups, found.changed), (1, 0), "{mode}: {found:?}");
        // Where the rest is gone, who that is has to be looked for.
        assert!(read <= 2 || mode == "rest", "{mode}: {read} accounts were read");
        let who = world.engine.holders(&admins, None, 100).await.unwrap().items;
        let mut who: Vec<_> = who.into_iter().map(|one| (one.username, one.through.join(" > "))).collect();
        who.sort();
        let way = || "Field > Admins".to_owned();
        assert_eq!(who, [("p1@x.test".to_owned(), way()), ("p2@x.test".to_owned(), way())], "{mode}");
    }
}
