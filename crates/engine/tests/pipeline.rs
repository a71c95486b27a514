//! The whole flow in a simulated world, judged by the systems' own truth.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{control::Acceptance, digest::Digest, time::SignedDuration, verify::Verdict};
use bailiwick_lab::Behaviour;
use serde_json::json;
use world::World;

const ANN: &str = "1,Ann Archer,ann@x.test,Engineering,,active";
const BOB: &str = "2,Bob Baker,bob@x.test,Finance,,active";
const CYD: &str = "3,Cyd Cole,cyd@x.test,Engineering,,active";

async fn settled(seed: u64, systems: &[(&str, &[Behaviour])]) -> World {
    let mut world = World::new(seed, systems).await;
    world.configure().await;
    world.quiet().await;
    world.deliver(&[ANN, BOB, CYD]).await.unwrap();
    world.quiet().await;
    world
}

#[tokio::test]
async fn joiners_get_exactly_what_policy_gives() {
    let world = settled(1, &[("chat", &[]), ("wiki", &[Behaviour::PutOnly])]).await;
    let truth = world.truth();
    for system in ["chat", "wiki"] {
        let ann = &truth[&format!("{system}/ann@x.test")];
        assert!(ann.contains("active=true") && ann.contains(r#"{"Engineering", "Everyone"}"#), "{ann}");
        let bob = &truth[&format!("{system}/bob@x.test")];
        assert!(bob.contains(r#"{"Everyone", "Finance"}"#), "{bob}");
    }
    assert!(
        world.engine.open_findings().await.unwrap().is_empty(),
        "{:?}",
        world.engine.open_findings().await
    );
}

#[tokio::test]
async fn a_mover_holds_the_target_set_exactly() {
    let mut world = settled(2, &[("chat", &[])]).await;
    world.deliver(&["1,Ann Archer-Bly,ann@x.test,Finance,,active", BOB, CYD]).await.unwrap();
    world.quiet().await;
    let ann = &world.truth()["chat/ann@x.test"];
    assert!(ann.contains(r#"{"Everyone", "Finance"}"#) && ann.contains("Archer-Bly"), "{ann}");
}

#[tokio::test]
async fn a_leaver_is_stripped_on_systems_that_keep_and_found_on_systems_that_lie() {
    let behaviours: &[(&str, &[Behaviour])] = &[
        ("chat", &[]),
        ("wiki", &[Behaviour::KeepsGroups]),
        ("crm", &[Behaviour::Noop200]),
        ("mail", &[Behaviour::PutOnly]),
        ("pay", &[Behaviour::DormantToken]),
    ];
    let mut world = settled(3, behaviours).await;
    for system in ["chat", "wiki", "crm", "mail", "pay"] {
        world.behind(
            system,
            json!({ "tokens": [{ "user": "ann@x.test", "name": "ci" }], "sessions": ["ann@x.test"],
                "licences": [{ "user": "ann@x.test", "sku": "pro" }] }),
        );
    }
    world.deliver(&["1,Ann Archer,ann@x.test,Engineering,2026-01-01,left", BOB, CYD]).await.unwrap();
    world.quiet().await;
    let truth = world.truth();
    for system in ["chat", "wiki", "mail", "pay"] {
        let ann = &truth[&format!("{system}/ann@x.test")];
        assert!(
            ann.contains("active=false") && ann.contains("groups={} tokens=0 licences=0 sessions=0"),
            "{system}: {ann}"
        );
    }
    let crm = &truth["crm/ann@x.test"];
    assert!(crm.contains("active=true") && crm.contains("groups={} tokens=0 licences=0 sessions=0"), "{crm}");
    let findings = world.engine.open_findings().await.unwrap();
    let codes: Vec<(&str, &str)> = findings
        .iter()
        .map(|f| (f.code.as_str(), f.system.as_ref().map(|s| s.as_str()).unwrap_or_default()))
        .collect();
    assert_eq!(codes, [("residual-access", "crm")]);
    // Everybody else is as before.
    assert!(truth["crm/bob@x.test"].contains("active=true"));
    // The case says of each cell what is true, stays open because of one, and closes when that is gone.
    let cells = world.cells().await;
    assert_eq!(cells["crm/primary-account"], "residual");
    assert_eq!(cells["chat/primary-account"], "blocked");
    for cell in
        ["chat/direct-groups", "wiki/direct-groups", "wiki/licences", "pay/api-tokens", "mail/sessions"]
    {
        assert_eq!(cells[cell], "removed", "{cell}");
    }
    assert_eq!(cells.len(), 5 * 6);
    // Each bears the digest of what the system answered: of bytes, not of the list that was made of them.
    for cell in world.all_cells().await {
        let made = [Digest::of(b""), Digest::of(b"[]")];
        assert!(cell.answer.is_some_and(|answer| !made.contains(&answer)), "{cell:?}");
    }
    assert_eq!(world.open_cases().await, 1);
    // Somebody removes it by hand; the hub reads again within the hour and closes finding and case.
    world.behind("crm", json!({ "delete": ["ann@x.test"] }));
    world.pass(SignedDuration::from_mins(61));
    world.quiet().await;
    assert_eq!(world.cells().await["crm/primary-account"], "removed");
    assert_eq!(world.open_cases().await, 0);
    assert!(world.engine.open_findings().await.unwrap().is_empty());
}

#[tokio::test]
async fn when_every_way_failed_a_person_can_approve_the_deletion() {
    let mut world = settled(30, &[("crm", &[Behaviour::Noop200])]).await;
    world.deliver(&["1,Ann Archer,ann@x.test,Engineering,2026-01-01,left", BOB, CYD]).await.unwrap();
    world.quiet().await;
    let plans = world.drafted().await;
    assert_eq!(plans.len(), 1, "one plan waits for a person");
    let plan = &plans[0];
    // Nobody approves with another digest, twice, or without a policy that lets them.
    let approver = world.operator("approver", None).await;
    let other = bailiwick_core::digest::Digest::of(b"other");
    let refused = async |digest, operator: &bailiwick_store::entities::Operator| {
        world.engine.approve(plan.plan.id, digest, operator).await.unwrap_err().code()
    };
    assert_eq!(refused(other, &approver).await, "approval-digest-mismatch");
    assert_eq!(refused(plan.digest, &world.operator("reader", None).await).await, "approval-not-allowed");
    let herself = world.operator("approver", Some("hr/1")).await;
    assert_eq!(refused(plan.digest, &herself).await, "approval-by-beneficiary");
    world.engine.approve(plan.plan.id, plan.digest, &approver).await.unwrap();
    assert_eq!(refused(plan.digest, &approver).await, "approval-used");
    world.quiet().await;
    assert!(!world.truth().contains_key("crm/ann@x.test"), "{:?}", world.truth());
    assert_eq!(world.open_cases().await, 0);
}

#[tokio::test]
async fn a_disabled_account_is_kept_for_its_retention_and_then_deleted() {
    let mut world = settled(31, &[("chat", &[])]).await;
    world.deliver(&["1,Ann Archer,ann@x.test,Engineering,2026-01-01,left", BOB, CYD]).await.unwrap();
    world.quiet().await;
    assert!(world.truth()["chat/ann@x.test"].contains("active=false"));
    assert_eq!(world.open_cases().await, 0);
    world.pass(SignedDuration::from_hours(24 * 30 + 1));
    world.quiet().await;
    // Deleting is destructive: in this world a person has to approve it.
    let plans = world.drafted().await;
    assert_eq!(plans.len(), 1);
    let approver = world.operator("approver", None).await;
    world.engine.approve(plans[0].plan.id, plans[0].digest, &approver).await.unwrap();
    world.quiet().await;
    assert!(!world.truth().contains_key("chat/ann@x.test"));
}

#[tokio::test]
async fn a_call_outside_of_the_scope_is_blocked_recorded_and_stops_the_integration() {
    let mut world = World::new(32, &[("chat", &[])]).await;
    world
        .configure_with(|configuration| {
            for integration in &mut configuration.integrations {
                integration.scope.rules.retain(|rule| !rule.to_string().starts_with("grant PATCH"));
            }
        })
        .await;
    world.quiet().await;
    world.deliver(&[ANN]).await.unwrap();
    // The work is put off again and again, never dropped.
    world.quiet_before(SignedDuration::from_mins(2)).await;
    let findings = world.engine.open_findings().await.unwrap();
    assert!(findings.iter().any(|f| f.code == "integration-quarantined"), "{findings:?}");
    assert!(!world.effects().keys().any(|e| e.contains("MemberAdded")), "{:?}", world.effects());
    let kinds = world.record_kinds().await;
    assert!(kinds.contains("call-blocked") && kinds.contains("quarantined"), "{kinds:?}");
    // The scope is corrected and the integration released: the work goes on where it was.
    world.configure().await;
    let name = bailiwick_core::id::IntegrationName::new("chat").unwrap();
    world.engine.release(&name, bailiwick_core::record::Actor::Operator("test".into())).await.unwrap();
    world.pass(SignedDuration::from_mins(20));
    world.quiet().await;
    assert!(
        world.truth()["chat/ann@x.test"].contains(r#"{"Engineering", "Everyone"}"#),
        "{:?}",
        world.truth()
    );
}

#[tokio::test]
async fn a_truncated_feed_is_held_and_nobody_loses_access() {
    let people: Vec<String> =
        (1..=20).map(|n| format!("{n},P {n},p{n}@x.test,Engineering,,active")).collect();
    let lines: Vec<&str> = people.iter().map(String::as_str).collect();
    let mut world = World::new(4, &[("chat", &[])]).await;
    world.configure().await;
    world.quiet().await;
    world.deliver(&lines).await.unwrap();
    world.quiet().await;
    let before = world.truth();
    let error = world.deliver(&lines[..8]).await.unwrap_err();
    assert_eq!(error.code(), "feed-too-much-loss");
    world.quiet().await;
    world.pass(SignedDuration::from_hours(24 * 35));
    world.quiet().await;
    assert_eq!(world.truth(), before);
    // A positive leaver flows all the same.
    let left = "3,P 3,p3@x.test,Engineering,2026-01-01,left";
    world.deliver(&[&lines[..2], &[left]].concat()).await.unwrap_err();
    world.quiet().await;
    assert!(world.truth()["chat/p3@x.test"].contains("active=false"));
}

#[tokio::test]
async fn the_second_reconciliation_is_empty_and_drift_is_put_right() {
    let mut world = settled(5, &[("chat", &[])]).await;
    let chat = bailiwick_core::id::SystemName::new("chat").unwrap();
    let first = world.engine.reconcile(&chat, false).await.unwrap();
    assert_eq!((first.accounts, first.changed, first.adopted, first.gone), (3, 0, 0, 0), "{first:?}");
    world.behind("chat", json!({ "groups": [{ "name": "Admins", "members": ["bob@x.test"] }] }));
    world.behind("chat", json!({ "users": [{ "userName": "ghost@x.test", "active": true }] }));
    let second = world.engine.reconcile(&chat, false).await.unwrap();
    assert_eq!((second.changed, second.unmanaged), (1, 1), "{second:?}");
    world.quiet().await;
    assert!(!world.truth()["chat/bob@x.test"].contains("Admins"), "{}", world.truth()["chat/bob@x.test"]);
    // The same again within the minute is put right again.
    world.behind("chat", json!({ "groups": [{ "name": "Admins", "members": ["bob@x.test"] }] }));
    assert_eq!(world.engine.reconcile(&chat, false).await.unwrap().changed, 1);
    world.quiet().await;
    assert!(!world.truth()["chat/bob@x.test"].contains("Admins"), "{}", world.truth()["chat/bob@x.test"]);
    let third = world.engine.reconcile(&chat, false).await.unwrap();
    assert_eq!((third.changed, third.unmanaged, third.unchanged), (0, 0, 4), "{third:?}");
}

#[tokio::test]
async fn kill_the_process_anywhere_and_the_end_is_the_same_each_effect_once() {
    async fn deliver(world: &mut World, lines: &[&str]) {
        while world.deliver(lines).await.is_err() {
            assert!(world.faults.died());
            world.restart();
        }
    }
    async fn story(world: &mut World) {
        deliver(world, &[ANN, BOB]).await;
        world.quiet().await;
        deliver(world, &["1,Ann Archer,ann@x.test,Finance,,active", BOB]).await;
        world.quiet().await;
        deliver(world, &["1,Ann Archer,ann@x.test,Finance,2026-01-01,left", BOB]).await;
        world.quiet().await;
    }
    let systems: &[(&str, &[Behaviour])] = &[("chat", &[]), ("wiki", &[Behaviour::KeepsGroups])];
    let mut calm = World::new(6, systems).await;
    calm.configure().await;
    calm.quiet().await;
    let begin = calm.faults.passed();
    story(&mut calm).await;
    let points = calm.faults.passed() - begin;
    let (truth, effects) = (calm.truth(), calm.effects());
    let mut differ = Vec::new();
    for point in 1..=points {
        let mut world = World::new(6, systems).await;
        world.configure().await;
        world.quiet().await;
        world.faults.die_at(point);
        story(&mut world).await;
        if world.truth() != truth || world.effects() != effects {
            differ.push(point);
        }
    }
    println!("crash sweep: {points} points, {} differ", differ.len());
    assert!(points > 100, "only {points} points");
    assert!(differ.is_empty(), "of {points} points these differ: {differ:?}");
}

#[tokio::test]
async fn answers_that_are_lost_and_readers_that_lag_change_nothing_in_the_end() {
    let story = async |behaviours: &'static [Behaviour], seed: u64| {
        let mut world = World::new(seed, &[("chat", behaviours)]).await;
        world.configure().await;
        world.quiet().await;
        for lines in [
            vec![ANN, BOB, CYD],
            vec!["1,Ann Archer,ann@x.test,Finance,,active", BOB, CYD],
            vec!["1,Ann Archer,ann@x.test,Finance,2026-01-01,left", BOB, CYD],
        ] {
            world.deliver(&lines).await.unwrap();
            world.quiet().await;
        }
        // What is asynchronous at the system comes to its end.
        world.pass(SignedDuration::from_secs(10));
        world.quiet().await;
        world
    };
    let (calm, _) = (story(&[], 20).await, ());
    let expected = (calm.truth(), calm.effects());
    for behaviours in [
        &[Behaviour::TimeoutAfterCommit] as &'static [Behaviour],
        &[Behaviour::StaleRead],
        &[Behaviour::AsyncMembers],
        &[Behaviour::TimeoutAfterCommit, Behaviour::StaleRead],
        &[Behaviour::TimeoutAfterCommit, Behaviour::AsyncMembers, Behaviour::StaleRead],
    ] {
        for seed in 20..26 {
            let world = story(behaviours, seed).await;
            assert_eq!(world.truth(), expected.0, "seed {seed}, {behaviours:?}");
            assert_eq!(world.effects(), expected.1, "seed {seed}, {behaviours:?}: each effect once");
        }
    }
}

#[tokio::test]
async fn reconciling_keeps_what_a_listing_does_not_show_and_takes_nobody_new_for_gone() {
    let licence = |configuration: &mut bailiwick_engine::Configuration| {
        let pro = json!({ "name": "chat/pro", "class": "licences", "label": "pro", "privileged": false });
        configuration.entitlements.push(serde_json::from_value(pro).unwrap());
        configuration.policies[0].text.push_str(
            r#"@id("pro") permit(principal, action == Action::"hold", resource == Entitlement::"chat/pro");"#,
        );
    };
    let mut world = World::new(33, &[("chat", &[])]).await;
    world.configure_with(licence).await;
    world.quiet().await;
    world.deliver(&[ANN, BOB]).await.unwrap();
    world.quiet().await;
    assert!(world.truth()["chat/ann@x.test"].contains("licences=1"), "{:?}", world.truth());
    let chat = bailiwick_core::id::SystemName::new("chat").unwrap();
    world.behind("chat", json!({ "users": [{ "userName": "ghost@x.test", "active": true }] }));
    world.behind("chat", json!({ "delete": ["bob@x.test"] }));
    let found = world.engine.reconcile(&chat, false).await.unwrap();
    assert_eq!((found.unchanged, found.changed, found.unmanaged, found.gone), (1, 0, 1, 1), "{found:?}");
    world.quiet().await;
    let again = world.engine.reconcile(&chat, false).await.unwrap();
    assert_eq!((again.changed, again.unmanaged, again.gone, again.adopted), (0, 0, 0, 0), "{again:?}");
    assert!(world.truth()["chat/bob@x.test"].contains("licences=1"), "made again: {:?}", world.truth());
}

#[tokio::test]
async fn access_on_a_system_that_is_not_declared_any_more_is_said_and_waits() {
    let mut world = settled(34, &[("chat", &[]), ("wiki", &[])]).await;
    world
        .configure_with(|configuration| {
            configuration.systems.retain(|s| s.name.as_str() != "wiki");
            configuration.integrations.retain(|i| i.name.as_str() != "wiki");
            configuration.entitlements.retain(|e| e.name.system().as_str() != "wiki");
            configuration.policies[0].text = configuration.policies[0]
                .text
                .split_inclusive(";\n")
                .filter(|policy| !policy.contains("wiki/"))
                .collect();
        })
        .await;
    world.quiet().await;
    world.deliver(&["1,Ann Archer,ann@x.test,Engineering,2026-01-01,left", BOB, CYD]).await.unwrap();
    world.quiet().await;
    let codes: Vec<String> =
        world.engine.open_findings().await.unwrap().into_iter().map(|f| f.code).collect();
    assert_eq!(codes, ["grant-unproven", "system-undeclared"]);
    assert!(world.truth()["chat/ann@x.test"].contains("active=false"));
    assert_eq!(
        world.open_cases().await,
        2,
        "nothing is proven about wiki, nor that its integration has ended"
    );
    // That one nobody can try: a person answers for it, and only then is the name free again.
    let again = world.engine.configuration_change(&world.configuration()).await;
    assert_eq!(again.err().map(|error| error.code()), Some("integration-not-proven-dead"));
    let ended = world
        .all_cells()
        .await
        .into_iter()
        .find(|cell| cell.method == "none" && matches!(cell.verdict, Verdict::Unobservable { .. }))
        .unwrap();
    let answered = Acceptance {
        owner: "hr/2".into(),
        until: "2026-12-01".parse().unwrap(),
        reason: "its token was taken back at the vendor, by hand".into(),
    };
    let by = world.operator("admin", Some("hr/3")).await;
    let system = "wiki".parse().unwrap();
    let accepted = world.engine.accept_control(ended.case, &system, ended.class, &answered, &by).await;
    assert!(accepted.unwrap().1, "the case is closed with it");
    // Declared again, it is swept as well.
    world.configure().await;
    world.pass(SignedDuration::from_secs(3_600));
    world.quiet().await;
    assert!(world.truth()["wiki/ann@x.test"].contains("active=false"), "{:?}", world.truth());
    assert_eq!(world.open_cases().await, 0);
}

#[tokio::test]
async fn work_that_is_not_understood_waits_and_stops_nothing_else() {
    let mut world = settled(35, &[("chat", &[])]).await;
    let mut tx = world.store.begin().await.unwrap();
    let strange = bailiwick_store::NewWork {
        lane: "strange".into(),
        priority: 0,
        due: 0,
        body: br#"{"job":"from-the-future"}"#.to_vec(),
    };
    tx.enqueue(&bailiwick_core::id::Tenant::single(), vec![strange]).await.unwrap();
    tx.commit().await.unwrap();
    world.deliver(&["1,Ann Archer,ann@x.test,Finance,,active", BOB, CYD]).await.unwrap();
    world.quiet().await;
    assert!(world.truth()["chat/ann@x.test"].contains("Finance"));
    let codes: Vec<String> =
        world.engine.open_findings().await.unwrap().into_iter().map(|f| f.code).collect();
    assert_eq!(codes, ["work-not-understood"]);
}

#[tokio::test]
async fn a_system_that_hangs_keeps_no_other_waiting() {
    let mut world = settled(21, &[("chat", &[]), ("wiki", &[])]).await;
    let before = world.effects();
    world.impatient(std::time::Duration::from_millis(20));
    world.faults.hang("chat");
    let left = ANN.replace(",,active", ",2026-01-01,left");
    world.deliver(&[&left, BOB, "4,Dan Dyer,dan@x.test,Engineering,,active"]).await.unwrap();
    let mut beside = Vec::new();
    loop {
        let leavers = world.engine.work_on_leavers().await.unwrap();
        let others = world.engine.work().await.unwrap();
        let taken = leavers.taken + others.taken;
        beside.extend(leavers.slow.into_iter().chain(others.slow));
        if taken == 0 {
            break;
        }
    }
    let truth = world.truth();
    assert!(truth["wiki/ann@x.test"].contains("active=false"), "{truth:?}");
    assert!(truth["wiki/dan@x.test"].contains("Engineering"), "{truth:?}");
    assert!(truth["chat/ann@x.test"].contains("active=true") && !truth.contains_key("chat/dan@x.test"));
    assert!(!beside.is_empty(), "what chat was asked is under way");

    world.faults.answer();
    for slow in beside {
        world.engine.carry_out(slow).await.unwrap();
    }
    world.quiet().await;
    let truth = world.truth();
    assert!(truth["chat/ann@x.test"].contains("active=false") && truth.contains_key("chat/dan@x.test"));
    assert_eq!(world.open_cases().await, 0);
    for (effect, times) in world.effects() {
        assert!(times - before.get(&effect).copied().unwrap_or(0) <= 1, "{effect} {times} times");
    }
}
