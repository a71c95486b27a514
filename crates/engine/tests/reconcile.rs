//! Comparing a system three ways, judged by what was put into the lab behind the hub's back and by what is there in the
//! end.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    difference::{Answer, Class},
    id::SystemName,
    record::Actor,
    time::SignedDuration,
};
use bailiwick_engine::{Differs, Reconciled};
use bailiwick_lab::Behaviour;
use serde_json::json;
use world::World;

const ANN: &str = "1,Ann Archer,ann@x.test,Engineering,,active";
const BOB: &str = "2,Bob Baker,bob@x.test,Finance,,active";
const CYD: &str = "3,Cyd Cole,cyd@x.test,Engineering,,active";
const DEE: &str = "4,Dee Dale,dee@x.test,Finance,,active";

fn chat() -> SystemName {
    SystemName::new("chat").unwrap()
}

fn ada() -> Actor {
    Actor::Operator("ada".into())
}

fn told(found: &Reconciled) -> Vec<String> {
    let line = |one: &Differs| {
        let held = if one.held { " (held)" } else { "" };
        format!("{} {}: {}{held}", one.difference.class, one.username, one.difference.aspect)
    };
    let mut told: Vec<String> = found.classes.differences.iter().map(line).collect();
    told.sort();
    let counted: u64 = found.classes.counts.values().sum();
    assert_eq!(counted, told.len() as u64);
    told
}

async fn settled(seed: u64, lines: &[&str]) -> World {
    let mut world = World::new(seed, &[("chat", &[])]).await;
    world.configure().await;
    world.quiet().await;
    world.deliver(lines).await.unwrap();
    world.quiet().await;
    world
}

/// What differs is of these classes, and what is there in the end is what policy gives.
#[tokio::test]
async fn each_class_is_told_and_put_right_and_a_second_run_is_empty() {
    let mut world = settled(1, &[ANN, BOB, CYD, DEE]).await;
    let before = world.truth();
    world.deliver(&[ANN, BOB, "3,Cyd Cole,cyd@x.test,Engineering,2026-01-01,left", DEE]).await.unwrap();
    world.quiet().await;
    let gone = world.truth()["chat/cyd@x.test"].clone();
    assert!(gone.contains("active=false"), "{gone}");

    world.behind(
        "chat",
        json!({
            "users": [
                { "userName": "dee@x.test", "displayName": "Queen Dee" },
                { "userName": "cyd@x.test", "active": true },
                { "userName": "who@x.test", "active": true },
                { "userName": "odd@x.test", "active": true, "externalId": "hr/99" },
                { "userName": "okta@x.test", "active": true, "externalId": "00u1a2b3" }
            ],
            "groups": [{ "name": "Admins", "members": ["bob@x.test"] }],
            "leave": [["Everyone", "bob@x.test"]],
            "delete": ["ann@x.test"]
        }),
    );
    world.pass(SignedDuration::from_secs(60));
    let found = world.engine.reconcile(&chat(), false).await.unwrap();
    assert_eq!(
        told(&found),
        [
            "drifted dee@x.test: displayName",
            "ghost cyd@x.test: the account",
            "ghost odd@x.test: the account",
            "missing ann@x.test: the account",
            "missing bob@x.test: chat/everyone",
            "rogue bob@x.test: chat/admins",
            "unmanaged okta@x.test: the account",
            "unmanaged who@x.test: the account",
        ]
    );
    assert_eq!(found.held, None);
    let answers =
        |class| found.classes.differences.iter().find(|d| d.difference.class == class).unwrap().answer;
    assert_eq!((answers(Class::Rogue), answers(Class::Unmanaged)), (Answer::Revert, Answer::Tell));
    assert_eq!(world.findings("account-unmanaged").await.len(), 3);

    world.quiet().await;
    let again = world.engine.reconcile(&chat(), true).await.unwrap();
    assert_eq!((told(&again).len(), again.changed, again.gone), (0, 0, 0), "{again:?}");
    let after = world.truth();
    for who in ["chat/ann@x.test", "chat/bob@x.test", "chat/dee@x.test"] {
        assert_eq!(after[who], before[who], "{who}");
    }
    assert_eq!(after["chat/cyd@x.test"], gone);
}

/// An account that nobody knew is somebody's once it bears their mark, and an attribute that is managed from now on has not
/// drifted in everybody at once.
#[tokio::test]
async fn what_was_there_before_it_was_managed_is_no_difference() {
    let mut world = settled(7, &[ANN, BOB]).await;
    world.behind(
        "chat",
        json!({ "users": [
            { "userName": "dee@x.test", "active": true, "title": "Guest" },
            { "userName": "ann@x.test", "title": "Queen" }, { "userName": "bob@x.test", "title": "King" }
        ] }),
    );
    world.pass(SignedDuration::from_secs(60));
    world.engine.reconcile(&chat(), false).await.unwrap();
    assert_eq!(world.findings("account-unmanaged").await.len(), 1);
    world.behind(
        "chat",
        json!({ "users": [{ "userName": "dee@x.test", "externalId": "hr/4", "displayName": "Dee" }] }),
    );
    world.deliver(&[ANN, BOB, DEE]).await.unwrap();
    world.pass(SignedDuration::from_secs(60));
    world.configure_with(|c| drop(c.systems[0].account.insert("title".into(), "{department}".into()))).await;
    let found = world.engine.reconcile(&chat(), true).await.unwrap();
    assert_eq!(told(&found), [] as [&str; 0], "{found:?}");
    assert!(world.findings("account-unmanaged").await.is_empty());
    world.quiet().await;
    let title = |who: &str| {
        let truth = world.lab.truth("chat").unwrap();
        let user = truth.users.iter().find(|user| user.user_name == who).unwrap();
        user.attributes["title"].as_str().unwrap().to_owned()
    };
    assert_eq!(["ann@x.test", "bob@x.test"].map(title), ["Engineering", "Finance"]);
}

/// What somebody else changed to what should be is told, once, and nothing is done.
#[tokio::test]
async fn what_was_done_by_hand_before_the_plan_was_approved_is_out_of_band() {
    let mut world = World::new(2, &[("chat", &[])]).await;
    let admins = |configuration: &mut bailiwick_engine::Configuration| {
        configuration.policies[0].text.push_str(
            r#"@id("admins") permit(principal, action == Action::"hold", resource == Entitlement::"chat/admins")
                when { principal.email == "ann@x.test" };"#,
        );
    };
    world.configure().await;
    world.quiet().await;
    world.deliver(&[ANN, BOB]).await.unwrap();
    world.quiet().await;
    world.configure_with(admins).await;
    world.quiet().await;
    assert_eq!(world.drafted().await.len(), 1, "what gives power waits for a person");
    world.behind("chat", json!({ "groups": [{ "name": "Admins", "members": ["ann@x.test"] }] }));
    world.pass(SignedDuration::from_secs(60));
    let effects = world.effects();
    let found = world.engine.reconcile(&chat(), false).await.unwrap();
    assert_eq!(told(&found), ["out-of-band ann@x.test: chat/admins"]);
    world.quiet().await;
    assert!(world.truth()["chat/ann@x.test"].contains("Admins"));
    let added = |effects: &std::collections::BTreeMap<String, u64>| {
        effects.iter().filter(|(what, _)| what.contains("Admins")).count()
    };
    assert_eq!(added(&world.effects()), added(&effects), "nothing was done about it");
    // What is seen anew about the account does not tell the same again.
    world.behind("chat", json!({ "users": [{ "userName": "ann@x.test", "displayName": "Queen Ann" }] }));
    world.pass(SignedDuration::from_secs(60));
    let again = world.engine.reconcile(&chat(), true).await.unwrap();
    assert!(!told(&again).iter().any(|line| line.contains("chat/admins")), "{again:?}");
}

/// Two identities claim one account, or it is declared as shared: it is told, and somebody looks after it.
#[tokio::test]
async fn an_account_that_several_use_is_shared() {
    let mut world = World::new(3, &[("chat", &[])]).await;
    let shared = |configuration: &mut bailiwick_engine::Configuration| {
        let shared = &mut configuration.systems[0].reconcile.shared;
        shared.insert("desk@x.test".into(), "hr/2".into());
    };
    world.configure_with(shared).await;
    world.quiet().await;
    world.deliver(&[ANN, BOB]).await.unwrap();
    world.quiet().await;
    world.behind(
        "chat",
        json!({ "users": [
            { "userName": "desk@x.test", "active": true },
            { "userName": "ann@x.test", "externalId": "hr/2", "displayName": "Ann and Bob" }
        ] }),
    );
    world.pass(SignedDuration::from_secs(60));
    let found = world.engine.reconcile(&chat(), false).await.unwrap();
    assert_eq!(
        told(&found),
        [
            "drifted ann@x.test: displayName",
            "shared ann@x.test: the account",
            "shared desk@x.test: the account"
        ]
    );
    assert!(world.findings("account-unmanaged").await.is_empty());
    assert!(world.findings("shared-account-unattended").await.is_empty());
    // Who looks after it leaves: somebody else has to.
    world.deliver(&[ANN, "2,Bob Baker,bob@x.test,Finance,2026-01-01,left"]).await.unwrap();
    world.quiet().await;
    world.engine.reconcile(&chat(), false).await.unwrap();
    assert_eq!(world.findings("shared-account-unattended").await.len(), 1);
    world
        .configure_with(|c| {
            c.systems[0].reconcile.shared.insert("desk@x.test".into(), "hr/1".into());
        })
        .await;
    world.quiet().await;
    world.engine.reconcile(&chat(), false).await.unwrap();
    assert!(world.findings("shared-account-unattended").await.is_empty());
}

/// A comparison that would set too much in motion stops; what is held waits for a person, whatever time passes and
/// whatever process looks, and a leaver's access is taken all the same.
#[tokio::test]
async fn a_comparison_does_as_much_as_it_may_and_the_rest_waits_for_a_person() {
    let people: Vec<String> =
        (1..=10).map(|n| format!("{n},P {n},p{n}@x.test,Engineering,,active")).collect();
    let mut lines: Vec<&str> = people.iter().map(String::as_str).collect();
    let mut world = World::new(4, &[("chat", &[])]).await;
    let three = |configuration: &mut bailiwick_engine::Configuration| {
        configuration.systems[0].reconcile.max_change_percent = 30;
        configuration.systems[0].reconcile.always_allowed = 0;
    };
    world.configure_with(three).await;
    world.quiet().await;
    world.deliver(&lines).await.unwrap();
    world.quiet().await;
    lines[9] = "10,P 10,p10@x.test,Engineering,2026-01-01,left";
    world.deliver(&lines).await.unwrap();
    world.quiet().await;
    let before = world.truth();
    // Somebody empties the group, deletes two, and lets the leaver in again.
    let leave: Vec<_> = (1..=7).map(|n| ["Engineering".to_owned(), format!("p{n}@x.test")]).collect();
    world.behind(
        "chat",
        json!({ "leave": leave, "delete": ["p8@x.test", "p9@x.test"],
            "users": [{ "userName": "p10@x.test", "active": true }] }),
    );
    world.pass(SignedDuration::from_secs(60));
    let found = world.engine.reconcile(&chat(), false).await.unwrap();
    let overflow = found.held.unwrap();
    assert_eq!((overflow.filed, overflow.held), (3, 6), "{found:?}");
    assert_eq!(found.classes.counts, [(Class::Ghost, 1), (Class::Missing, 9)].into());
    let held = |found: &Reconciled| found.classes.differences.iter().filter(|one| one.held).count();
    assert_eq!(held(&found), 6, "the rest is shown");
    world.quiet().await;
    let right =
        |world: &World| world.truth().iter().filter(|(who, line)| before.get(*who) == Some(line)).count();
    assert_eq!(right(&world), 4, "three, and the leaver: {:?}", world.truth());
    let told = world.findings("differences-held").await;
    assert!(told.len() == 1 && told[0].starts_with("6 accounts on `chat` differ"), "{told:?}");

    // Another run, another process, another day: nothing more.
    world.restart();
    world.pass(SignedDuration::from_hours(25));
    world.quiet().await;
    let again = world.engine.reconcile(&chat(), false).await.unwrap();
    assert_eq!(again.held.map(|o| (o.filed, o.held)), Some((0, 6)), "{again:?}");
    world.quiet().await;
    assert_eq!(right(&world), 4);

    // What came since then nobody has looked at: as many go as were held.
    world.behind("chat", json!({ "leave": [["Everyone", "p1@x.test"], ["Everyone", "p2@x.test"]] }));
    world.pass(SignedDuration::from_secs(60));
    let released = world.engine.release_differences(&chat(), ada()).await.unwrap();
    assert_eq!(released.held.map(|o| (o.filed, o.held)), Some((6, 2)), "{released:?}");
    world.quiet().await;
    let released = world.engine.release_differences(&chat(), ada()).await.unwrap();
    assert_eq!((released.held, held(&released)), (None, 0), "{released:?}");
    world.quiet().await;
    assert_eq!(world.truth(), before);
    assert!(world.findings("differences-held").await.is_empty());
    assert_eq!(world.records("budget-released").await, 2);
    let last = world.engine.reconcile(&chat(), true).await.unwrap();
    assert!(last.classes.differences.is_empty() && last.held.is_none(), "{last:?}");
}

/// What only looked so by a mistake of the system is mended there, and nothing was done.
#[tokio::test]
async fn what_is_held_and_is_right_again_is_forgotten() {
    let mut world = World::new(5, &[("chat", &[])]).await;
    world
        .configure_with(|c| {
            c.systems[0].reconcile.max_change_percent = 1;
            c.systems[0].reconcile.always_allowed = 0;
        })
        .await;
    world.quiet().await;
    world.deliver(&[ANN, BOB, CYD, DEE]).await.unwrap();
    world.quiet().await;
    let all = ["ann@x.test", "bob@x.test", "cyd@x.test", "dee@x.test"];
    world.behind("chat", json!({ "leave": all.map(|who| ["Everyone", who]) }));
    world.pass(SignedDuration::from_secs(60));
    let (truth, effects) = (world.truth(), world.effects());
    let first = world.engine.reconcile(&chat(), false).await.unwrap();
    assert_eq!(first.held.map(|o| (o.filed, o.held)), Some((1, 3)), "{first:?}");
    world.behind("chat", json!({ "groups": [{ "name": "Everyone", "members": all }] }));
    world.pass(SignedDuration::from_secs(60));
    assert_ne!(world.truth(), truth);
    let second = world.engine.reconcile(&chat(), false).await.unwrap();
    assert_eq!((second.held, told(&second).iter().filter(|l| l.contains("held")).count()), (None, 0));
    assert!(world.findings("differences-held").await.is_empty());
    world.quiet().await;
    let given = |effects: &std::collections::BTreeMap<String, u64>| effects.values().sum::<u64>();
    assert!(given(&world.effects()) <= given(&effects) + 1, "only the one that had room");
}

/// One comparison is one piece of work: what it sets in motion is counted together against the integration's budget.
#[tokio::test]
async fn what_one_comparison_puts_back_is_one_piece_of_work_for_the_budget() {
    let mut world = World::new(6, &[("chat", &[] as &[Behaviour])]).await;
    world.configure().await;
    world.quiet().await;
    world.deliver(&[ANN, BOB, CYD, DEE]).await.unwrap();
    world.quiet().await;
    world
        .configure_with(|c| {
            let chat = c.integrations.iter_mut().find(|i| i.name.as_str() == "chat").unwrap();
            chat.scope.objects_per_run = Some(2);
        })
        .await;
    world.quiet().await;
    let before = world.truth();
    let all = ["ann@x.test", "bob@x.test", "cyd@x.test", "dee@x.test"];
    world.behind("chat", json!({ "leave": all.map(|who| ["Everyone", who]) }));
    world.pass(SignedDuration::from_secs(60));
    let found = world.engine.reconcile(&chat(), false).await.unwrap();
    assert_eq!((found.changed, found.held), (4, None));
    world.quiet().await;
    let right = world.truth().iter().filter(|(who, line)| before.get(*who) == Some(line)).count();
    assert_eq!(right, 2, "{:?}", world.truth());
    assert_eq!(world.findings("budget-exceeded").await.len(), 1);
}

/// A world where it is asked whether access that nobody decided stays, and Bob is in a group by hand.
async fn asked(seed: u64, rogue: Answer, group: &str) -> (World, Reconciled) {
    let mut world = World::new(seed, &[("chat", &[])]).await;
    world.configure_with(|c| c.systems[0].reconcile.answers = [(Class::Rogue, rogue)].into()).await;
    world.quiet().await;
    world.deliver(&[ANN, BOB, CYD, DEE]).await.unwrap();
    world.quiet().await;
    world.behind("chat", json!({ "groups": [{ "name": group, "members": ["bob@x.test"] }] }));
    world.pass(SignedDuration::from_secs(60));
    let found = world.engine.reconcile(&chat(), false).await.unwrap();
    world.quiet().await;
    (world, found)
}

fn holds(world: &World, group: &str) -> bool {
    world.truth()["chat/bob@x.test"].contains(group)
}

/// Somebody who may approve, with the code of the moment, approves what waits.
async fn approved(world: &World, person: &str) -> Result<(), &'static str> {
    let name = format!("approver-{}", person.replace('/', "-"));
    let roles = ["approver", "break-glass-approver"];
    let operator = world.operator_with(&name, &roles, Some(person), 365).await;
    let address = world.engine.enrol(&name, &operator, None).await.unwrap();
    let phone = world::Phone::reads(address.address());
    world.pass(SignedDuration::from_secs(30));
    let [row] = &world.drafted().await[..] else { panic!("one plan waits") };
    let code = phone.code(world.engine.now());
    let outcome = world.engine.approve_with(row.plan.id, row.digest, &operator, Some(&code)).await;
    outcome.map(drop).map_err(|error| error.code())
}

#[tokio::test]
async fn what_nobody_decided_stays_when_a_person_approves_it_and_until_its_end() {
    let (mut world, found) = asked(11, Answer::Except { days: 7 }, "Engineering").await;
    assert_eq!(told(&found), ["rogue bob@x.test: chat/engineering"]);
    assert_eq!(found.classes.differences[0].answer, Answer::Except { days: 7 });
    assert!(holds(&world, "Engineering"), "nothing is taken while somebody is asked");
    assert_eq!(approved(&world, "hr/2").await, Err("approval-by-beneficiary"));
    assert_eq!(approved(&world, "hr/1").await, Ok(()));
    // Whatever else happens to him, it stays.
    world.deliver(&[ANN, "2,Bob Baker-Bly,bob@x.test,Finance,,active", CYD, DEE]).await.unwrap();
    world.quiet().await;
    world.pass(SignedDuration::from_hours(6 * 24));
    world.quiet().await;
    assert!(holds(&world, "Engineering") && holds(&world, "Baker-Bly"), "{:?}", world.truth());
    let again = world.engine.reconcile(&chat(), true).await.unwrap();
    assert!(told(&again).is_empty(), "{again:?}");
    let name = bailiwick_core::id::EntitlementName::new("chat/engineering").unwrap();
    let who = world.engine.holders(&name, None, 10).await.unwrap().items;
    let bob = who.iter().find(|one| one.username == "bob@x.test").unwrap();
    assert_eq!(bob.because.iter().map(ToString::to_string).collect::<Vec<_>>(), ["found-on:chat"]);
    // At the end it is taken, whoever approved it.
    world.pass(SignedDuration::from_hours(25));
    world.quiet().await;
    assert!(!holds(&world, "Engineering"), "{:?}", world.truth());
    assert!(world.engine.open_findings().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_nobody_decided_goes_when_nobody_approves_it() {
    let (mut world, _) = asked(12, Answer::Adopt, "Engineering").await;
    assert_eq!(world.drafted().await.len(), 1);
    // It is looked at again and again meanwhile, and asked once.
    world.engine.reconcile(&chat(), true).await.unwrap();
    world.quiet().await;
    assert_eq!((world.drafted().await.len(), holds(&world, "Engineering")), (1, true));
    world.pass(SignedDuration::from_hours(73));
    world.quiet().await;
    assert!(!holds(&world, "Engineering"), "{:?}", world.truth());
    assert!(world.drafted().await.is_empty());
}

#[tokio::test]
async fn what_gives_power_is_taken_whatever_may_stay_and_so_is_all_beside_something_to_be_put_right() {
    let (world, found) = asked(13, Answer::Adopt, "Admins").await;
    assert_eq!(found.classes.differences[0].answer, Answer::Revert);
    assert!(!holds(&world, "Admins") && world.drafted().await.is_empty(), "{:?}", world.truth());

    let (mut world, _) = asked(14, Answer::Adopt, "Builders").await;
    world.behind(
        "chat",
        json!({ "groups": [{ "name": "Engineering", "members": ["bob@x.test"] }],
            "leave": [["Everyone", "bob@x.test"]] }),
    );
    world.pass(SignedDuration::from_secs(60));
    let found = world.engine.reconcile(&chat(), true).await.unwrap();
    assert_eq!(told(&found), ["missing bob@x.test: chat/everyone", "rogue bob@x.test: chat/engineering"]);
    assert!(found.classes.differences.iter().all(|one| one.answer == Answer::Revert), "{found:?}");
    world.quiet().await;
    assert!(!holds(&world, "Engineering") && holds(&world, "Everyone"), "{:?}", world.truth());
}

/// Killed at any point between finding and the end, each effect happens once and the end is the same.
#[tokio::test]
async fn asking_survives_a_crash_at_every_point() {
    async fn story(world: &mut World) {
        world.behind("chat", json!({ "groups": [{ "name": "Engineering", "members": ["bob@x.test"] }] }));
        world.pass(SignedDuration::from_secs(60));
        while world.engine.reconcile(&chat(), false).await.is_err() {
            assert!(world.faults.died());
            world.restart();
            world.pass(SignedDuration::from_secs(120));
        }
        world.quiet().await;
        world.pass(SignedDuration::from_hours(73));
        world.quiet().await;
    }
    async fn begin() -> World {
        let mut world = World::new(15, &[("chat", &[])]).await;
        world
            .configure_with(|c| c.systems[0].reconcile.answers = [(Class::Rogue, Answer::Adopt)].into())
            .await;
        world.quiet().await;
        world.deliver(&[ANN, BOB]).await.unwrap();
        world.quiet().await;
        world
    }
    let mut calm = begin().await;
    let from = calm.faults.passed();
    story(&mut calm).await;
    let points = calm.faults.passed() - from;
    assert!(points > 10 && !holds(&calm, "Engineering"), "{points}");
    let ends = (calm.truth(), calm.effects());
    for point in 1..=points {
        let mut world = begin().await;
        world.faults.die_at(point);
        story(&mut world).await;
        assert_eq!((world.truth(), world.effects()), ends, "point {point} of {points}");
    }
}

/// Killed at any point of holding and of letting go, the end is the same and each effect happens once.
#[tokio::test]
async fn holding_survives_a_crash_at_every_point() {
    async fn until_it_is_done(world: &mut World, release: bool) {
        loop {
            let found = match release {
                true => world.engine.release_differences(&chat(), ada()).await,
                false => world.engine.reconcile(&chat(), false).await,
            };
            if found.is_ok() {
                return world.quiet().await;
            }
            assert!(world.faults.died());
            world.restart();
            // The dead one's hold and leases run out.
            world.pass(SignedDuration::from_secs(120));
        }
    }
    async fn begin() -> World {
        let mut world = World::new(16, &[("chat", &[])]).await;
        world
            .configure_with(|c| {
                c.systems[0].reconcile.max_change_percent = 1;
                c.systems[0].reconcile.always_allowed = 0;
            })
            .await;
        world.quiet().await;
        world.deliver(&[ANN, BOB, CYD]).await.unwrap();
        world.quiet().await;
        let leave = ["ann@x.test", "bob@x.test", "cyd@x.test"].map(|who| ["Everyone", who]);
        world.behind("chat", json!({ "leave": leave }));
        world.pass(SignedDuration::from_secs(60));
        world
    }
    /// How many are right before they are let go, and what is there in the end.
    async fn story(world: &mut World) -> (usize, std::collections::BTreeMap<String, String>) {
        until_it_is_done(world, false).await;
        let right = world.truth().values().filter(|line| line.contains("Everyone")).count();
        until_it_is_done(world, true).await;
        (right, world.truth())
    }
    let mut calm = begin().await;
    let from = calm.faults.passed();
    let ends = (story(&mut calm).await, calm.effects());
    let points = calm.faults.passed() - from;
    assert!(points > 10 && ends.0.0 == 1, "{points} points, {ends:?}");
    for point in 1..=points {
        let mut world = begin().await;
        world.faults.die_at(point);
        assert_eq!((story(&mut world).await, world.effects()), ends, "point {point} of {points}");
    }
}

/// What was seen only in part neither files nor holds nor forgets anything.
#[tokio::test]
async fn a_partial_listing_says_nothing_of_what_is_held() {
    let mut world = World::new(17, &[("chat", &[])]).await;
    world
        .configure_with(|c| {
            c.systems[0].reconcile.max_change_percent = 1;
            c.systems[0].reconcile.always_allowed = 0;
            let chat = c.integrations.iter_mut().find(|i| i.name.as_str() == "chat").unwrap();
            chat.settings["news"] = json!("named-917");
        })
        .await;
    world.quiet().await;
    world.deliver(&[ANN, BOB, CYD, DEE]).await.unwrap();
    world.quiet().await;
    let all = ["ann@x.test", "bob@x.test", "cyd@x.test"].map(|who| ["Everyone", who]);
    world.behind("chat", json!({ "leave": all }));
    world.pass(SignedDuration::from_secs(60));
    let first = world.engine.reconcile(&chat(), false).await.unwrap();
    assert_eq!(first.held.map(|o| (o.filed, o.held)), Some((1, 2)), "{first:?}");
    world.quiet().await;
    let (truth, told_of) = (world.truth(), world.findings("differences-held").await);
    assert_eq!(told_of.len(), 1);

    world::newsy::partial("917", true);
    world.behind("chat", json!({ "delete": ["dee@x.test"] }));
    world.pass(SignedDuration::from_secs(60));
    let part = world.engine.reconcile(&chat(), false).await.unwrap();
    assert!(part.partial.is_some() && part.held.is_none() && told(&part).is_empty(), "{part:?}");
    let part = world.engine.release_differences(&chat(), ada()).await.unwrap();
    assert!(part.partial.is_some() && told(&part).is_empty(), "{part:?}");
    world.quiet().await;
    let same = world.truth().iter().filter(|(who, line)| truth.get(*who) == Some(line)).count();
    assert_eq!((same, world.truth().len()), (3, 3), "nothing was done: {:?}", world.truth());
    assert_eq!(world.findings("differences-held").await, told_of);

    world::newsy::partial("917", false);
    let whole = world.engine.reconcile(&chat(), false).await.unwrap();
    assert_eq!(whole.held.map(|o| (o.filed, o.held)), Some((0, 3)), "still held: {whole:?}");
}

/// Whoever may set marks on a system cannot hide somebody's account behind another one.
#[tokio::test]
async fn a_second_account_with_the_mark_of_somebody_hides_nothing_of_the_first() {
    let mut world = World::new(31, &[("chat", &[])]).await;
    world.configure().await;
    world.deliver(&[ANN]).await.unwrap();
    world.quiet().await;
    world.behind(
        "chat",
        json!({ "users": [{ "userName": "other@x.test", "externalId": "hr/1" }, { "userName": "third@x.test", "externalId": "hr/1" }] }),
    );
    for _ in 0..2 {
        world.engine.reconcile(&chat(), true).await.unwrap();
        world.quiet().await;
        let told = world.findings("account-unmanaged").await;
        let says = "bears the mark of somebody who has another one there";
        assert!(told.len() == 2 && told.iter().all(|message| message.contains(says)), "{told:?}");
    }
    let truth = |world: &World, who: &str| world.lab.truth("chat").unwrap().user(who).unwrap().active;
    assert!(truth(&world, "ann@x.test"));
    world.deliver(&["1,Ann,ann@x.test,Engineering,2026-01-01,left"]).await.unwrap();
    world.quiet().await;
    assert!(!truth(&world, "ann@x.test"), "she is out by the account that she has");
    assert_eq!(world.open_cases().await, 0, "{:?}", world.cells().await);
    assert_eq!(world.findings("account-unmanaged").await.len(), 2, "of the others a person decides");
}
