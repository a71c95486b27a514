//! Why, why not, who can: judged by what is declared and what was put into the lab.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    id::EntitlementName,
    time::{SignedDuration, Timestamp},
};
use bailiwick_engine::{Holder, How, Why};
use serde_json::json;
use world::World;

const ANN: &str = "1,Ann,ann@x.test,Engineering,,active";
const BO: &str = "2,Bo,bo@x.test,Finance,,active";

fn name(entitlement: &str) -> EntitlementName {
    EntitlementName::new(entitlement).unwrap()
}

/// Everybody who holds it, in parts of `limit`: sign-in name, the way, what gives it.
async fn who(world: &World, entitlement: &str, limit: usize) -> Vec<(String, String, String)> {
    who_at(world, entitlement, None, limit).await
}

/// The same of a time in the past, if one is given.
async fn who_at(
    world: &World,
    entitlement: &str,
    at: Option<Timestamp>,
    limit: usize,
) -> Vec<(String, String, String)> {
    let (mut all, mut after): (Vec<Holder>, _) = (Vec::new(), None);
    loop {
        let part = match at {
            Some(at) => world.engine.holders_then(&name(entitlement), at, after, limit).await.unwrap(),
            None => world.engine.holders(&name(entitlement), after, limit).await.unwrap(),
        };
        assert!(part.items.len() <= limit);
        assert_eq!(part.unrecorded, [], "the log has had every group from its beginning");
        all.extend(part.items);
        match part.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let line = |holder: Holder| {
        let because: Vec<String> = holder.because.iter().map(ToString::to_string).collect();
        (holder.username, holder.through.join(" > "), because.join(" "))
    };
    let mut all: Vec<_> = all.into_iter().map(line).collect();
    all.sort();
    all
}

fn told(who: &str, way: &str, because: &str) -> (String, String, String) {
    (who.into(), way.into(), because.into())
}

async fn why(world: &World, who: &str, entitlement: &str) -> Why {
    world.engine.why(who, &name(entitlement), None).await.unwrap()
}

#[tokio::test]
async fn who_can_names_everybody_with_the_way_and_what_gives_it() {
    let mut world = World::new(1, &[("chat", &[])]).await;
    world.configure().await;
    world.deliver(&[ANN, BO]).await.unwrap();
    world.quiet().await;
    // Somebody unknown is put into a group, and a group into another, through a third.
    world.behind(
        "chat",
        json!({
            "users": [{ "userName": "ghost@x.test", "active": true }],
            "groups": [
                { "name": "Admins", "members": ["ghost@x.test"] },
                { "name": "Builders", "members": ["Engineering"] }
            ]
        }),
    );
    world.behind("chat", json!({ "groups": [{ "name": "Admins", "members": ["Builders"] }] }));
    let earlier = world.clock();
    world.pass(SignedDuration::from_secs(60));
    world.engine.reconcile(&"chat".parse().unwrap(), true).await.unwrap();
    for limit in [1, 2, 100] {
        assert_eq!(
            who(&world, "chat/admins", limit).await,
            [told("ann@x.test", "Engineering > Builders > Admins", ""), told("ghost@x.test", "", "")],
        );
        assert_eq!(who(&world, "chat/engineering", limit).await, [told("ann@x.test", "", "chat-eng")]);
        assert_eq!(
            who(&world, "chat/account", limit).await,
            [
                told("ann@x.test", "", "chat-all"),
                told("bo@x.test", "", "chat-all"),
                told("ghost@x.test", "", "")
            ]
        );
    }
    let unknown = world.engine.holders(&name("chat/nothing"), None, 9).await.unwrap_err();
    assert_eq!(unknown.code(), "not-found");

    // It is the same told from the log, as of then, whatever became of it since.
    let known = world.clock();
    world.pass(SignedDuration::from_hours(2));
    world.behind("chat", json!({ "delete": ["ghost@x.test"] }));
    world.engine.reconcile(&"chat".parse().unwrap(), true).await.unwrap();
    assert_eq!(
        who(&world, "chat/admins", 9).await,
        [told("ann@x.test", "Engineering > Builders > Admins", "")]
    );
    for limit in [1, 9] {
        let then = |at, entitlement| who_at(&world, entitlement, Some(at), limit);
        assert_eq!(then(earlier, "chat/admins").await, []);
        assert_eq!(
            then(known, "chat/admins").await,
            [told("ann@x.test", "Engineering > Builders > Admins", ""), told("ghost@x.test", "", "")],
            "of an account that is gone the name is known that it was last seen with"
        );
        assert_eq!(then(known, "chat/engineering").await, [told("ann@x.test", "", "chat-eng")]);
        assert_eq!(then(known, "chat/account").await.len(), 3);
        assert_eq!(then(earlier, "chat/account").await.len(), 2);
    }

    let admins = why(&world, "hr/1", "chat/admins").await;
    assert_eq!((admins.wanted, admins.seen.unwrap().0), (false, true));
    assert_eq!(admins.through, ["Engineering", "Builders", "Admins"]);
    let then = async |at| world.engine.why("hr/1", &name("chat/admins"), Some(at)).await.unwrap();
    assert_eq!((then(known).await.through, then(known).await.seen.unwrap().0), (admins.through, true));
    assert_eq!((then(earlier).await.through, then(earlier).await.seen.unwrap().0), (vec![], false));
}

#[tokio::test]
async fn why_not_says_what_the_policies_look_at() {
    let mut world = World::new(2, &[("chat", &[])]).await;
    world.configure().await;
    world.deliver(&[ANN, BO]).await.unwrap();
    world.quiet().await;
    let not = why(&world, "hr/2", "chat/engineering").await;
    assert!(!not.wanted && not.because.is_empty());
    let [might] = &not.might[..] else { panic!("{:?}", not.might) };
    assert_eq!(might.policy.as_str(), "chat-eng");
    assert_eq!(might.reads, [("department".to_owned(), Some("Finance".to_owned()))].into());
    let text = not.to_string();
    assert!(text.contains("chat-eng would give it, and does not: department is Finance"), "{text}");
    assert_eq!(why(&world, "hr/1", "chat/engineering").await.might, []);
    assert_eq!(why(&world, "hr/1", "chat/account").await.seen.map(|(seen, _)| seen), Some(true));
}

#[tokio::test]
async fn what_was_so_at_a_time_is_told_from_the_log() {
    let mut world = World::new(3, &[("chat", &[])]).await;
    world.configure().await;
    let before = world.clock();
    world.pass(SignedDuration::from_hours(1));
    world.deliver(&[ANN, BO]).await.unwrap();
    world.quiet().await;
    let engineer = world.clock();
    world.pass(SignedDuration::from_hours(1));
    world.deliver(&[&ANN.replace("Engineering", "Finance"), BO]).await.unwrap();
    world.quiet().await;
    let financier = world.clock();
    world.pass(SignedDuration::from_hours(1));
    world.deliver(&[&ANN.replace(",,active", ",2026-01-01,left"), BO]).await.unwrap();
    world.quiet().await;
    let gone = world.clock();
    for (at, entitlement, wanted, because, seen) in [
        (before, "chat/engineering", false, "", None),
        (engineer, "chat/engineering", true, "chat-eng", Some(true)),
        (engineer, "chat/finance", false, "", Some(false)),
        (financier, "chat/engineering", false, "", Some(false)),
        (financier, "chat/finance", true, "chat-fin", Some(true)),
        (gone, "chat/finance", false, "", Some(false)),
        (before, "chat/account", false, "", None),
        (engineer, "chat/account", true, "chat-all", Some(true)),
        (financier, "chat/account", true, "chat-all", Some(true)),
        (gone, "chat/account", false, "", Some(false)),
    ] {
        let then = world.engine.why("hr/1", &name(entitlement), Some(at)).await.unwrap();
        let policies: Vec<String> = then.because.iter().map(ToString::to_string).collect();
        let shown = (then.wanted, policies.join(" "), then.seen.map(|(seen, _)| seen));
        assert_eq!(shown, (wanted, because.to_owned(), seen), "{entitlement} at {at}");
        assert!(then.history.iter().all(|moment| moment.at <= at), "{:?}", then.history);
    }
}

/// Groups that nobody declared count as well, directly in a declared one and through others, and so does what changes
/// in them by the news alone.
#[tokio::test]
async fn who_can_names_the_members_of_groups_that_nobody_declared() {
    for (seed, mode) in (4..).zip(["none", "named", "rest"]) {
        let mut world = World::new(seed, &[("chat", &[])]).await;
        let by_news = |configuration: &mut bailiwick_engine::Configuration| {
            let chat = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "chat").unwrap();
            if mode != "none" {
                chat.settings["news"] = json!(format!("{mode}-{seed}"));
            }
        };
        world.configure_with(by_news).await;
        world.deliver(&[ANN, BO]).await.unwrap();
        world.quiet().await;
        // Bo is in `Field`, that in `Crews`, and that in the group of the administrators; `Idle` lies nowhere.
        for (group, member) in
            [("Field", "bo@x.test"), ("Crews", "Field"), ("Admins", "Crews"), ("Idle", "ann@x.test")]
        {
            world.behind("chat", json!({ "groups": [{ "name": group, "members": [member] }] }));
        }
        world.pass(SignedDuration::from_secs(60));
        world.engine.reconcile(&"chat".parse().unwrap(), true).await.unwrap();
        let bo = told("bo@x.test", "Field > Crews > Admins", "");
        assert_eq!(who(&world, "chat/admins", 100).await, std::slice::from_ref(&bo), "{mode}");
        assert_eq!(who(&world, "chat/admins", 1).await, [bo]);
        assert_eq!(why(&world, "hr/2", "chat/admins").await.through, ["Field", "Crews", "Admins"]);
        assert_eq!(why(&world, "hr/1", "chat/admins").await.through, [] as [&str; 0]);
        let lay = world.clock();
        let told_of = world.findings("group-nested-privileged").await;
        assert!(told_of.len() == 2 && told_of.iter().any(|m| m.contains("`Field`")), "{told_of:?}");

        // Somebody comes into it, by the shorter way as well, and somebody leaves it.
        world.behind(
            "chat",
            json!({ "groups": [
            { "name": "Field", "members": ["ann@x.test"] }, { "name": "Crews", "members": ["ann@x.test"] }
        ], "leave": [["Field", "bo@x.test"]] }),
        );
        world.pass(SignedDuration::from_secs(60));
        let found = world.engine.reconcile(&"chat".parse().unwrap(), false).await.unwrap();
        assert_eq!(found.how == How::News, mode != "none", "{found:?}");
        assert_eq!(
            who(&world, "chat/admins", 100).await,
            [told("ann@x.test", "Crews > Admins", "")],
            "{mode}"
        );
        let moved = world.clock();

        // The nesting ends: nobody has it, and nobody is told any more.
        let crews = world.lab.truth("chat").unwrap().group("Crews").unwrap().id.clone();
        world.behind("chat", json!({ "leave": [["Admins", crews]] }));
        world.pass(SignedDuration::from_secs(60));
        world.engine.reconcile(&"chat".parse().unwrap(), false).await.unwrap();
        assert_eq!(who(&world, "chat/admins", 100).await, [], "{mode}");
        assert!(world.findings("group-nested-privileged").await.is_empty());

        // The log has who was in them then, and who came and left by the news alone.
        for limit in [1, 100] {
            let then = |at| who_at(&world, "chat/admins", Some(at), limit);
            assert_eq!(then(lay).await, [told("bo@x.test", "Field > Crews > Admins", "")], "{mode}");
            assert_eq!(then(moved).await, [told("ann@x.test", "Crews > Admins", "")], "{mode}");
            assert_eq!(then(world.clock()).await, [], "{mode}");
        }
        let bo = world.engine.why("hr/2", &name("chat/admins"), Some(lay)).await.unwrap();
        assert_eq!(bo.through, ["Field", "Crews", "Admins"], "{mode}");
    }
}
