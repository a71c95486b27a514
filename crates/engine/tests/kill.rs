//! An integration is killed: judged by whether its vendor still lets its token in.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::collections::BTreeSet;

use bailiwick_connector::seal::{Credential, Secret};
use bailiwick_core::{
    access::AccessClass,
    case::Case,
    control::Acceptance,
    id::{IntegrationName, RunId, Tenant},
    identity::{Identity, IdentityKind, Lifecycle},
    integration::{Integration, Purpose},
    kill::Kill,
    record::{Actor, Record, RecordKind},
    review::LastDrill,
    scope_test::Shown,
    time::SignedDuration,
};
use bailiwick_engine::{Configuration, EngineError, Sweep, Swept};
use bailiwick_lab::{Behaviour, Effect};
use bailiwick_store::{
    Entity, Select, Table, Update,
    entities::{Credential as Kept, Operator, Run},
    get, select,
};
use serde_json::json;
use world::{World, declared::automation};

const PEOPLE: [&str; 2] = ["1,Ann,ann@x.test,Engineering,,active", "2,Bo,bo@x.test,Finance,,active"];

fn chat() -> IntegrationName {
    IntegrationName::new("chat").unwrap()
}

/// What the configuration says of ending the grant.
fn killable(configuration: &mut Configuration) {
    let body = Some("token={credential}&token_type_hint=access_token");
    let kill = Kill::new("POST /api/oauth/revoke", body, "GET /api/oauth/me", Some("oauth-consents"));
    for integration in configuration.integrations.iter_mut().filter(|i| i.name == chat()) {
        integration.kill = Some(kill.clone().unwrap());
    }
}

/// A world in which `chat` is connected and has accounts, and its only administrator.
async fn connected(seed: u64) -> (World, Operator) {
    let mut world = World::new(seed, &[("chat", &[])]).await;
    let admin = world.operator("admin", Some("hr/9")).await;
    world.configure_with(killable).await;
    world.deliver(&PEOPLE).await.unwrap();
    world.quiet().await;
    assert_eq!(world.effects()["chat UserCreated ann@x.test -"], 1, "{:?}", world.effects());
    (world, admin)
}

/// Whether the vendor lets the tokens of the integration in: for writing, for reading.
fn alive(world: &World) -> (bool, bool) {
    let grants = world.lab.truth("chat").unwrap().grants;
    (grants["write"], grants["read"])
}

fn revoked(world: &World) -> usize {
    world.lab.ledger("chat").unwrap().iter().filter(|entry| entry.effect == Effect::GrantRevoked).count()
}

async fn all<T: Entity>(world: &World, table: Table) -> Vec<T> {
    let mut tx = world.store.read().await.unwrap();
    let rows = select::<T>(&mut *tx, &Tenant::single(), Select::from(table)).await.unwrap();
    rows.into_iter().map(|stored| stored.value).collect()
}

async fn purposes(world: &World) -> BTreeSet<&'static str> {
    let all: Vec<Kept> = all(world, Table::Credentials).await;
    all.into_iter().filter(|c| c.integration == chat()).map(|c| c.purpose.as_str()).collect()
}

async fn findings(world: &World) -> BTreeSet<String> {
    world.engine.open_findings().await.unwrap().into_iter().map(|finding| finding.code).collect()
}

#[tokio::test]
async fn a_killed_integration_ends_at_once_and_its_case_closes_when_the_vendor_rejects_it() {
    let (mut world, admin) = connected(1).await;
    let case = world.engine.kill(&chat(), &admin).await.unwrap().case;
    // Before any work was done: it has ended, and what it had opens for nothing but its end.
    assert_eq!(purposes(&world).await, BTreeSet::from(["kill-verify", "kill-write"]));
    let integrations: Vec<Integration> = all(&world, Table::Integrations).await;
    let ended = integrations.iter().find(|i| i.name == chat()).unwrap();
    assert!(ended.has_ended() && ended.gates == Default::default());
    let known: Vec<Identity> = all(&world, Table::Identities).await;
    let identity = known.iter().find(|i| i.source_key.to_string() == "bailiwick/chat").unwrap();
    assert_eq!(identity.kind, IdentityKind::Integration);
    assert!(matches!(identity.lifecycle, Lifecycle::Left { .. }));
    assert_eq!((alive(&world), world.open_cases().await), ((true, true), 1));

    world.quiet().await;
    assert_eq!(alive(&world), (false, false));
    assert_eq!((world.open_cases().await, purposes(&world).await), (0, BTreeSet::new()));
    let cells = world.cells().await;
    for cell in ["chat/oauth-consents", "bailiwick/hub-roles", "bailiwick/automations"] {
        assert_eq!(cells[cell], "removed", "{cells:?}");
    }
    // Killed again: the same case, and nothing happens.
    let closed = world.cases().await[0].closed;
    assert_eq!(
        world.engine.kill(&chat(), &admin).await.unwrap().case,
        case.map(|case| Case { closed, ..case })
    );
    assert_eq!(revoked(&world), 2);
}

#[tokio::test]
async fn a_vendor_that_answers_200_and_keeps_the_token_alive_stays_residual() {
    let (mut world, admin) = connected(2).await;
    world.lab.behave("chat", [Behaviour::Noop200]).unwrap();
    world.engine.kill(&chat(), &admin).await.unwrap();
    world.quiet().await;
    assert_eq!(alive(&world), (true, true));
    assert_eq!(
        (world.cells().await["chat/oauth-consents"].as_str(), world.open_cases().await),
        ("residual", 1)
    );
    assert!(findings(&world).await.contains("residual-access"));
    // The hub keeps its copy to go on trying, and for nothing else.
    assert_eq!(purposes(&world).await, BTreeSet::from(["kill-verify", "kill-write"]));
    let (other, by) = (Credential::bearer(Secret::new("x")), Actor::Hub("test".into()));
    let refused = world.engine.seal_credential(&chat(), Purpose::Write, other, by).await;
    assert_eq!(refused.unwrap_err().code(), "integration-ended");

    // The vendor mends it: the next try finds it dead.
    world.lab.behave("chat", []).unwrap();
    world.pass(SignedDuration::from_hours(7));
    world.quiet().await;
    assert_eq!((alive(&world), world.open_cases().await), ((false, false), 0));
    assert!(!findings(&world).await.contains("residual-access"));
}

#[tokio::test]
async fn a_vendor_that_cannot_be_reached_proves_nothing() {
    let (mut world, admin) = connected(3).await;
    world.lab.behave("chat", [Behaviour::Down]).unwrap();
    world.engine.kill(&chat(), &admin).await.unwrap();
    world.quiet().await;
    assert_eq!(
        (world.cells().await["chat/oauth-consents"].as_str(), world.open_cases().await),
        ("pending", 1)
    );
    world.pass(SignedDuration::from_hours(25));
    world.quiet().await;
    assert_eq!(world.cells().await["chat/oauth-consents"], "unobservable");
    assert!(findings(&world).await.contains("grant-unproven"));
    world.lab.behave("chat", []).unwrap();
    world.pass(SignedDuration::from_hours(7));
    world.quiet().await;
    assert_eq!((alive(&world), world.open_cases().await), ((false, false), 0));
}

#[tokio::test]
async fn what_was_under_way_is_stopped_and_somebody_is_told() {
    let (mut world, admin) = connected(4).await;
    // A change is decided and not sent when the kill comes.
    world.deliver(&[PEOPLE[0], PEOPLE[1], "3,Cy,cy@x.test,Finance,,active"]).await.unwrap();
    let running = |runs: Vec<Run>| -> BTreeSet<RunId> {
        runs.into_iter().filter(|run| run.state() == "running").map(|run| run.id).collect()
    };
    let under_way = running(all(&world, Table::Runs).await);
    assert_eq!(under_way.len(), 1);
    world.engine.kill(&chat(), &admin).await.unwrap();
    assert!(running(all(&world, Table::Runs).await).is_empty(), "stopped with the kill, not some time later");
    // That Cy is to have an account is still so, and waits for another integration.
    world.quiet_before(SignedDuration::from_mins(2)).await;
    assert!(!world.truth().contains_key("chat/cy@x.test"), "{:?}", world.truth());
    assert!(findings(&world).await.contains("system-undeclared"));
    assert!(running(all(&world, Table::Runs).await).is_disjoint(&under_way));
    let told = world.engine.open_findings().await.unwrap();
    let told = told.iter().find(|finding| finding.code == "work-stopped").unwrap();
    assert!(told.message.contains("create account") && told.owner == "desk/1", "{}", told.message);
}

#[tokio::test]
async fn what_is_taken_out_of_the_configuration_is_kept_until_its_grant_is_proven_dead() {
    let (mut world, admin) = connected(5).await;
    world.lab.behave("chat", [Behaviour::Noop200]).unwrap();
    let mut without = world.configuration();
    without.integrations.retain(|i| i.name != chat());
    let change = world.engine.configuration_change(&without).await.unwrap();
    world.engine.configure(&without, change.digest, &admin).await.unwrap();
    world.quiet().await;
    assert_eq!((alive(&world), world.open_cases().await), ((true, true), 1));
    assert!(all::<Integration>(&world, Table::Integrations).await.iter().any(|i| i.name == chat()));
    // The folder that has it no more says nothing new, and the name is not free yet.
    assert_eq!(world.engine.configuration_change(&without).await.unwrap().lines, []);
    let again = |world: &World| {
        let mut with = world.configuration();
        killable(&mut with);
        with
    };
    let outcome = world.engine.configuration_change(&again(&world)).await;
    assert!(matches!(&outcome, Err(EngineError::Unproven(name)) if *name == chat()), "{outcome:?}");
    assert_eq!(outcome.unwrap_err().code(), "integration-not-proven-dead");

    world.lab.behave("chat", []).unwrap();
    world.pass(SignedDuration::from_hours(7));
    world.quiet().await;
    assert_eq!(alive(&world), (false, false));
    let change = world.engine.configuration_change(&again(&world)).await.unwrap();
    assert!(change.lines.iter().any(|line| line.sign == '+' && line.name == "chat"), "{:?}", change.lines);
    world.engine.configure(&again(&world), change.digest, &admin).await.unwrap();
    let integrations: Vec<Integration> = all(&world, Table::Integrations).await;
    assert!(!integrations.iter().find(|i| i.name == chat()).unwrap().has_ended());
}

#[tokio::test]
async fn killed_between_any_two_lines_it_comes_to_the_same_end() {
    let points = {
        let (mut world, admin) = connected(6).await;
        let before = world.faults.passed();
        world.engine.kill(&chat(), &admin).await.unwrap();
        world.quiet().await;
        world.faults.passed() - before
    };
    assert!(points > 10, "{points}");
    for point in 1..=points {
        let (mut world, admin) = connected(6).await;
        world.faults.die_at(point);
        if world.engine.kill(&chat(), &admin).await.is_err() {
            world.restart();
            // Whoever asked has no answer and asks again.
            world.engine.kill(&chat(), &admin).await.unwrap();
        }
        world.quiet().await;
        assert_eq!(alive(&world), (false, false), "point {point}");
        assert_eq!(revoked(&world), 2, "point {point}");
        assert_eq!((world.open_cases().await, purposes(&world).await), (0, BTreeSet::new()), "point {point}");
    }
}

/// Writes what an attacker with the database's password writes, without the hub's key.
#[tokio::test]
async fn the_last_calls_are_the_ones_that_were_approved() {
    let (mut world, admin) = connected(7).await;
    world.lab.behave("chat", [Behaviour::Down]).unwrap();
    world.engine.kill(&chat(), &admin).await.unwrap();
    world.quiet().await;
    world.lab.behave("chat", []).unwrap();
    // Whoever writes into the database has the old credential used for something else.
    let mut tx = world.store.read().await.unwrap();
    let stored = get::<Integration>(&mut *tx, &Tenant::single(), "chat").await.unwrap().unwrap();
    drop(tx);
    let mut other = stored.value;
    let kill = Kill::new("DELETE /scim/v2/Users/1", None, "GET /scim/v2/Users", Some("oauth-consents"));
    other.kill = Some(kill.unwrap());
    let by = Actor::Operator("kim".into());
    let record = Record::new(RecordKind::Configured, world.clock(), by, &*world.dice);
    world.tamper(Update::new(record).replace(&other, stored.revision, &*world.dice)).await;
    let before = world.lab.ledger("chat").unwrap().len();
    world.pass(SignedDuration::from_hours(7));
    world.quiet().await;
    assert_eq!(world.lab.ledger("chat").unwrap().len(), before, "nothing was sent with it");
    assert_eq!(world.cells().await["chat/oauth-consents"], "unobservable");
    assert!(findings(&world).await.contains("grant-unproven"));
}

#[tokio::test]
async fn a_kill_needs_nothing_but_what_it_kills() {
    for broken in ["chat", "hr"] {
        let (mut world, admin) = connected(20).await;
        // A newer program does not take what an older one stored: of the killed one itself, or of another.
        let mut tx = world.store.read().await.unwrap();
        let stored = get::<Integration>(&mut *tx, &Tenant::single(), broken).await.unwrap().unwrap();
        drop(tx);
        let other = Integration { settings: json!({ "no-such-setting": true }), ..stored.value };
        let by = Actor::Operator("kim".into());
        let record = Record::new(RecordKind::Configured, world.clock(), by, &*world.dice);
        world.tamper(Update::new(record).replace(&other, stored.revision, &*world.dice)).await;
        world.restart();
        let mut tx = world.store.read().await.unwrap();
        let permit = world.engine.catalogue(&mut *tx).await.unwrap().permit(&other.name);
        drop(tx);
        assert_eq!(permit.reads.map_err(|shut| shut.code()), Err("connector-unusable"), "{broken}");
        world.engine.kill(&chat(), &admin).await.unwrap();
        world.quiet().await;
        assert_eq!(alive(&world), (false, false), "{broken}");
        assert_eq!(world.cells().await["chat/oauth-consents"], "removed", "{broken}");
    }
}

#[tokio::test]
async fn what_stands_still_goes_on_with_a_program_that_takes_its_settings() {
    let (mut world, _) = connected(21).await;
    world.behind("chat", json!({ "tokens": [{ "user": "ann@x.test", "name": "ci" }] }));
    let settings = async |world: &mut World, settings: serde_json::Value| {
        let mut tx = world.store.read().await.unwrap();
        let stored = get::<Integration>(&mut *tx, &Tenant::single(), "chat").await.unwrap().unwrap();
        drop(tx);
        let before = stored.value.settings.clone();
        let other = Integration { settings, ..stored.value };
        let by = Actor::Operator("kim".into());
        let record = Record::new(RecordKind::Configured, world.clock(), by, &*world.dice);
        world.tamper(Update::new(record).replace(&other, stored.revision, &*world.dice)).await;
        world.restart();
        before
    };
    let good = settings(&mut world, json!({ "no-such-setting": true })).await;
    world.deliver(&["1,Ann,ann@x.test,Engineering,2026-01-01,left", PEOPLE[1]]).await.unwrap();
    world.quiet_before(SignedDuration::from_mins(2)).await;
    // What its connector could take away is not known, so nothing is planned, and nothing is said to be gone.
    let planned = world.plans().await.into_iter().filter(|p| p.plan.cause == "leaver");
    assert_eq!(planned.flat_map(|row| row.plan.changes).count(), 0);
    assert_eq!((world.findings("connector-unusable").await.len(), world.open_cases().await), (1, 1));
    assert!(world.truth()["chat/ann@x.test"].contains("active=true"));

    // Ticks were not lost meanwhile.
    world.pass(SignedDuration::from_hours(13));
    world.quiet_before(SignedDuration::from_mins(2)).await;
    settings(&mut world, good).await;
    world.pass(SignedDuration::from_mins(16));
    world.quiet().await;
    let ann = world.lab.truth("chat").unwrap().user("ann@x.test").unwrap().clone();
    assert!(ann.is_stripped(), "{ann:?}");
    assert_eq!((world.findings("connector-unusable").await.len(), world.open_cases().await), (0, 0));
}

#[tokio::test]
async fn a_drill_ends_nothing_and_says_whether_the_kill_would_work() {
    let (mut world, _) = connected(8).await;
    let by = || Actor::Operator("admin".into());
    let shown = |drill: &LastDrill| -> Vec<(String, bool)> {
        drill.tried.iter().map(|t| (t.what.clone(), t.shown == Shown::Works)).collect()
    };
    let drill = world.engine.drill_kill(&chat(), None, by()).await.unwrap();
    assert!(drill.passed, "{drill:?}");
    let own = ["its verify credential is let in", "its write credential is let in"];
    let turned = "a credential that nobody issued is turned away";
    let ended = "a credential that is ended is turned away";
    let expect = |works: &[&str], not: &[&str]| -> Vec<(String, bool)> {
        let of = |all: &[&str], works| all.iter().map(|w| ((*w).to_owned(), works)).collect::<Vec<_>>();
        [of(works, true), of(not, false)].concat()
    };
    assert_eq!(shown(&drill), expect(&[own[0], own[1], turned], &[ended]));
    assert_eq!((alive(&world), revoked(&world)), ((true, true), 0));

    // With a spare credential, also that ending one works.
    world.behind("chat", json!({ "grants": [["spare", "chat-spare"]] }));
    let drill = world.engine.drill_kill(&chat(), Some(Secret::new("chat-spare")), by()).await.unwrap();
    assert!(drill.passed, "{drill:?}");
    let spare = "the spare credential is let in";
    assert_eq!(shown(&drill), expect(&[own[0], own[1], turned, spare, ended], &[]));
    assert_eq!((alive(&world), revoked(&world)), ((true, true), 1));
    assert!(!world.lab.truth("chat").unwrap().grants["spare"]);

    // A vendor that answers 200 and ends nothing is found, and somebody has to look.
    world.lab.behave("chat", [Behaviour::Noop200]).unwrap();
    world.behind("chat", json!({ "grants": [["other", "chat-other"]] }));
    let drill = world.engine.drill_kill(&chat(), Some(Secret::new("chat-other")), by()).await.unwrap();
    assert!(!drill.passed, "{drill:?}");
    assert_eq!(shown(&drill), expect(&[own[0], own[1], turned, spare], &[ended]));
    world.quiet_before(SignedDuration::from_mins(2)).await;
    assert!(findings(&world).await.contains("review-due"));
    let kept = world.engine.review_shown(&chat()).await.unwrap().drill.unwrap();
    assert_eq!(kept, drill);

    // What cannot be taken back writes nothing, until a drill shows that it can.
    let shut = async |world: &World| {
        let mut tx = world.store.read().await.unwrap();
        let permit = world.engine.catalogue(&mut *tx).await.unwrap().permit(&chat());
        permit.writes.err().map(|shut| shut.code())
    };
    assert_eq!(shut(&world).await, Some("drill-failed"));
    assert!(findings(&world).await.contains("drill-failed"));
    world.lab.behave("chat", []).unwrap();
    assert!(world.engine.drill_kill(&chat(), None, by()).await.unwrap().passed);
    world.quiet_before(SignedDuration::from_mins(2)).await;
    assert_eq!(shut(&world).await, None);
    assert!(!findings(&world).await.contains("drill-failed"));

    // What declares no such calls cannot be drilled.
    let refused = world.engine.drill_kill(&IntegrationName::new("hr").unwrap(), None, by()).await;
    assert_eq!(refused.unwrap_err().code(), "kill-undeclared");
}

#[tokio::test]
async fn a_sweep_is_open_until_every_credential_of_the_vendor_is_dead_or_another() {
    let (mut world, admin) = connected(9).await;
    let swept = |sweep: &Sweep| -> Vec<(String, Swept)> {
        sweep.integrations.iter().map(|(name, swept)| (name.to_string(), *swept)).collect()
    };
    let chat_is = |how| vec![("chat".to_owned(), how), ("hr".to_owned(), Swept::Unseen)];
    // However the vendor is written, it is one sweep.
    let sweep = world.engine.sweep("NoBody", false, &admin).await.unwrap();
    assert_eq!(swept(&sweep), chat_is(Swept::Unrotated));
    assert!(findings(&world).await.contains("sweep-open"));
    world.pass(SignedDuration::from_mins(1));
    let seal = async |purpose, token: &str| {
        world.pass(SignedDuration::from_secs(1));
        let one = Credential::bearer(Secret::new(token));
        world.engine.seal_credential(&chat(), purpose, one, Actor::Operator("admin".into())).await.unwrap()
    };
    // The same secrets again are no others, also where each is used for what the other was.
    for (one, other) in [("chat-write", "chat-read"), ("chat-read", "chat-write")] {
        assert!(seal(Purpose::Write, one).await.is_some() && seal(Purpose::Verify, other).await.is_some());
        assert_eq!(swept(&world.engine.swept("nobody").await.unwrap()), chat_is(Swept::Unrotated));
    }
    world.behind("chat", json!({ "grants": [["second", "chat-second"], ["third", "chat-third"]] }));
    for (purpose, token) in [(Purpose::Write, "chat-second"), (Purpose::Verify, "chat-third")] {
        assert_eq!(seal(purpose, token).await, None);
        assert_eq!(swept(&world.engine.swept("nobody").await.unwrap()), chat_is(Swept::Unrotated));
    }
    // What was replaced counts until the vendor rejects it.
    assert_eq!(alive(&world), (true, true));
    world.quiet_before(SignedDuration::from_mins(2)).await;
    assert_eq!(alive(&world), (false, false));
    assert_eq!(swept(&world.engine.swept("nobody").await.unwrap()), chat_is(Swept::Rotated));
    // What the hub has no credential of keeps it open: nobody here can say that it is another.
    assert!(findings(&world).await.contains("sweep-open"));

    // Asked again and told to, it kills; a vendor that keeps a token alive keeps the sweep open.
    world.lab.behave("chat", [Behaviour::Noop200]).unwrap();
    let sweep = world.engine.sweep("nobody", true, &admin).await.unwrap();
    let dead_feed = |how| vec![("chat".to_owned(), how), ("hr".to_owned(), Swept::Dead)];
    assert_eq!(swept(&sweep)[0].1, Swept::Unproven);
    world.quiet().await;
    assert_eq!(swept(&world.engine.swept("nobody").await.unwrap()), dead_feed(Swept::Unproven));
    assert!(findings(&world).await.contains("sweep-open"));
    world.lab.behave("chat", []).unwrap();
    world.pass(SignedDuration::from_hours(7));
    world.quiet().await;
    assert!(world.lab.truth("chat").unwrap().grants.values().all(|alive| !alive));
    assert_eq!(swept(&world.engine.swept("nobody").await.unwrap()), dead_feed(Swept::Dead));
    assert!(!findings(&world).await.contains("sweep-open"));
}

#[tokio::test]
async fn a_callback_that_nobody_can_see_keeps_the_case_open_until_a_person_answers_for_it() {
    let mut world = World::new(10, &[("chat", &[])]).await;
    let admin = world.operator("admin", Some("hr/2")).await;
    let called = |configuration: &mut Configuration| {
        killable(configuration);
        for integration in configuration.integrations.iter_mut().filter(|i| i.name == chat()) {
            integration.register.callbacks = vec!["https://hooks.chat.test/in".into()];
        }
    };
    world.configure_with(called).await;
    world.deliver(&PEOPLE).await.unwrap();
    world.quiet().await;
    let case = world.engine.kill(&chat(), &admin).await.unwrap().case.unwrap();
    world.quiet().await;
    assert_eq!(alive(&world), (false, false));
    assert_eq!(
        (world.cells().await["chat/automations"].as_str(), world.open_cases().await),
        ("unobservable", 1)
    );
    assert!(
        !world
            .engine
            .sweep("nobody", false, &admin)
            .await
            .unwrap()
            .integrations
            .contains(&(chat(), Swept::Dead))
    );
    let asked = Acceptance {
        owner: "hr/1".into(),
        reason: "taken out at the vendor, by hand".into(),
        until: "2026-10-20".parse().unwrap(),
    };
    let system = "chat".parse().unwrap();
    let (cell, closed) = world
        .engine
        .accept_control(case.id, &system, AccessClass::Automations, &asked, &admin)
        .await
        .unwrap();
    assert!(closed, "{cell:?}");
    assert!(world.engine.swept("nobody").await.unwrap().integrations.contains(&(chat(), Swept::Dead)));
}

#[tokio::test]
async fn what_a_leaver_answered_for_is_gone_from_their_case_when_its_grant_is_dead() {
    let mut world = World::new(21, &[("chat", &[])]).await;
    let admin = world.operator("admin", Some("hr/9")).await;
    let owned = |configuration: &mut Configuration| {
        killable(configuration);
        for integration in configuration.integrations.iter_mut().filter(|i| i.name == chat()) {
            integration.owner = "hr/1".into();
        }
    };
    world.configure_with(owned).await;
    world.deliver(&PEOPLE).await.unwrap();
    world.quiet().await;
    world.deliver(&["1,Ann,ann@x.test,Engineering,,left", PEOPLE[1]]).await.unwrap();
    world.quiet().await;
    let cells = world.cells().await;
    let owned = ["bailiwick/owned-nhis", "bailiwick/known-secrets"];
    assert_eq!(owned.map(|cell| &cells[cell][..]), ["residual"; 2], "{cells:?}");
    assert_eq!((alive(&world), world.open_cases().await), ((true, true), 1));
    // That it has ended here proves nothing: as long as the vendor lets in what she knew, it is left.
    world.lab.behave("chat", [Behaviour::Noop200]).unwrap();
    world.engine.kill(&chat(), &admin).await.unwrap();
    world.quiet().await;
    assert_eq!(alive(&world), (true, true));
    let cells = world.cells().await;
    assert_eq!(owned.map(|cell| &cells[cell][..]), ["residual"; 2], "{cells:?}");
    world.lab.behave("chat", []).unwrap();
    world.pass(SignedDuration::from_hours(7));
    world.quiet().await;
    assert_eq!(alive(&world), (false, false));
    let cells = world.cells().await;
    assert_eq!(owned.map(|cell| &cells[cell][..]), ["removed"; 2], "{cells:?}");
    assert_eq!(world.open_cases().await, 0);
}

/// What a system does by itself outlives who set it up: their case is open until somebody else answers for it.
#[tokio::test]
async fn the_automations_of_a_leaver_stand_in_their_case_until_somebody_else_answers_for_them() {
    let mut world = World::new(22, &[("chat", &[])]).await;
    let of = |owner: &'static str| {
        move |configuration: &mut Configuration| configuration.automations = vec![automation(owner)]
    };
    world.configure_with(of("hr/1")).await;
    world.deliver(&PEOPLE).await.unwrap();
    world.quiet().await;
    world.deliver(&["1,Ann,ann@x.test,Engineering,,left", PEOPLE[1]]).await.unwrap();
    world.quiet().await;
    let cell = "bailiwick/automations";
    assert_eq!((&world.cells().await[cell][..], world.open_cases().await), ("residual", 1));
    assert_eq!(world.findings("automation-ownerless").await.len(), 1);
    // Nobody is no answer to who answers for it, and neither is the same person again.
    world.configure_with(of("hr/1")).await;
    world.quiet().await;
    assert_eq!((&world.cells().await[cell][..], world.open_cases().await), ("residual", 1));
    world.configure_with(of("hr/2")).await;
    world.quiet().await;
    assert_eq!((&world.cells().await[cell][..], world.open_cases().await), ("removed", 0));
    assert!(world.findings("automation-ownerless").await.is_empty());
    // So it is when it goes.
    world.deliver(&["1,Ann,ann@x.test,Engineering,,left", "2,Bo,bo@x.test,Finance,,left"]).await.unwrap();
    world.quiet().await;
    assert_eq!((world.open_cases().await, world.findings("automation-ownerless").await.len()), (1, 1));
    world.configure_with(|configuration| configuration.automations.clear()).await;
    world.quiet().await;
    assert_eq!((world.open_cases().await, world.findings("automation-ownerless").await.len()), (0, 0));
}
