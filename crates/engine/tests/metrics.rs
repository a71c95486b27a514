//! Figures and traces from the log: judged by the systems' ledgers, and by reckoning them again from raw bytes.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    metrics::{Figures, Measure, Spread},
    time::{SignedDuration, Timestamp},
    trace::{State, Step, Trace},
};
use bailiwick_lab::{Behaviour, Credential, Effect};
use serde_json::{Value, json};
use world::World;

const ANN: &str = "1,Ann Archer,ann@x.test,Engineering,,active";
const BOB: &str = "2,Bob Baker,bob@x.test,Finance,,active";
const ANN_LEFT: &str = "1,Ann Archer,ann@x.test,Engineering,2026-01-01,left";
const BOB_LEFT: &str = "2,Bob Baker,bob@x.test,Finance,2026-01-01,left";

async fn settled(seed: u64, systems: &[(&str, &[Behaviour])]) -> World {
    let mut world = World::new(seed, systems).await;
    world.configure().await;
    world.quiet().await;
    world.deliver(&[ANN, BOB]).await.unwrap();
    world.quiet().await;
    for (system, _) in systems {
        world.behind(
            system,
            json!({ "tokens": [{ "user": "ann@x.test", "name": "ci" }], "sessions": ["ann@x.test"] }),
        );
    }
    world.pass(SignedDuration::from_mins(10));
    world
}

/// The figures of everything, from what is published.
async fn figures(world: &World) -> Figures {
    world.sequencer().publish(world.clock()).await.unwrap();
    world.engine.metrics(Timestamp::MIN).await.unwrap()
}

/// The records of the published log, as anybody can read them.
async fn raw(world: &World) -> Vec<Value> {
    let mut tx = world.store.read().await.unwrap();
    let entries = tx.entries(0, 100_000).await.unwrap();
    entries.iter().map(|entry| serde_json::from_slice(&entry.bytes).unwrap()).collect()
}

fn at(record: &Value) -> Timestamp {
    record["at"].as_str().unwrap().parse().unwrap()
}

fn since(earlier: Timestamp, later: Timestamp) -> i64 {
    i64::try_from(later.duration_since(earlier).as_millis()).unwrap()
}

/// How long each case took to its first kill and until it was closed, from the raw records alone.
fn reckoned(records: &[Value]) -> (Vec<i64>, Vec<i64>) {
    let (mut kills, mut closed) = (BTreeMap::new(), BTreeMap::new());
    for (place, opened) in records.iter().enumerate() {
        if opened["kind"] != "case-opened" || opened["facts"].get("reopened").is_some() {
            continue;
        }
        let (case, identity) = (opened["case"].as_str().unwrap(), &opened["identity"]);
        let later = &records[place..];
        let took = |r: &&Value| {
            let steps = r["facts"]["steps"].as_object();
            r["kind"] == "applied"
                && r["identity"] == *identity
                && steps.is_some_and(|steps| steps.values().any(|step| step["step"] == "applied"))
        };
        kills.extend(later.iter().find(took).map(|kill| (case, since(at(opened), at(kill)))));
        let of_case =
            |r: &&Value| r["case"] == case && (r["kind"] == "case-opened" || r["kind"] == "case-closed");
        let last = later.iter().rfind(of_case).filter(|last| last["kind"] == "case-closed");
        closed.extend(last.map(|last| (case, since(at(opened), at(last)))));
    }
    (kills.into_values().collect(), closed.into_values().collect())
}

/// `METHOD /path/{}` of a call or of a rule, without the name of the system and the query.
fn shape(text: &str) -> String {
    let known = ["scim", "v2", "Users", "Groups", "ServiceProviderConfig", "Schemas"];
    let vendors = ["api", "users", "licences", "tokens", "sessions"];
    let (before, path) = text.split_once('/').unwrap();
    let path = path.split('?').next().unwrap().trim_start_matches("chat/");
    let segment = |one| if known.contains(&one) || vendors.contains(&one) { one } else { "{}" };
    let path: Vec<&str> = path.split('/').map(segment).collect();
    format!("{} /{}", before.split_whitespace().last().unwrap(), path.join("/"))
}

#[tokio::test]
async fn figures_are_what_the_systems_and_the_raw_log_say() {
    let mut world = settled(1, &[("chat", &[]), ("crm", &[Behaviour::Noop200])]).await;
    let left = world.clock();
    // The figures are asked for on the way, and again from nothing in the end.
    assert_eq!(figures(&world).await.cases, 0);
    world.deliver(&[ANN_LEFT, BOB]).await.unwrap();
    figures(&world).await;
    world.quiet().await;
    figures(&world).await;
    world.pass(SignedDuration::from_mins(5));
    world.deliver(&[ANN_LEFT, BOB_LEFT]).await.unwrap();
    world.quiet().await;
    // Somebody removes one of them by hand where disabling does nothing; the other stays.
    world.behind("crm", json!({ "delete": ["ann@x.test"] }));
    world.pass(SignedDuration::from_hours(2));
    world.quiet().await;
    world.pass(SignedDuration::from_hours(30));
    let figures = figures(&world).await;
    assert_eq!(figures, world.second().metrics(Timestamp::MIN).await.unwrap());

    let records = raw(&world).await;
    assert_eq!(figures.records, records.len() as u64);
    let (kills, closed) = reckoned(&records);
    let took = |measure: Measure| figures.measures.iter().find(|m| m.measure == measure).unwrap();
    assert_eq!((figures.cases, took(Measure::FirstKill).took), (2, Spread::of(kills)));
    assert_eq!(took(Measure::CaseComplete).took, Spread::of(closed));
    assert_eq!(took(Measure::CaseComplete).reached, 1);

    // The rules that count as used are those by which the system was called. Two rules can be for one call.
    let declared =
        world.configuration().integrations.into_iter().find(|i| i.name.as_str() == "chat").unwrap();
    let sent = world.faults.sent();
    let called: BTreeSet<String> =
        sent.iter().filter(|call| call.system() == "chat").map(|call| shape(&call.what)).collect();
    let rules: Vec<String> = declared.scope.rules.iter().map(|rule| shape(&rule.to_string())).collect();
    let most = rules.iter().filter(|rule| called.contains(*rule)).count() as u64;
    let of_chat = figures.scopes.iter().find(|scope| scope.integration == "chat").unwrap();
    assert_eq!(of_chat.declared, rules.len() as u64);
    let used = (called.len() as u64..=most).contains(&of_chat.used) && most < of_chat.declared;
    assert!(used, "{of_chat:?}, called {called:?}");

    // The first thing that was taken from anybody, as the systems know it.
    let taken = |effect: Effect| {
        matches!(
            effect,
            Effect::TokenRevoked | Effect::SessionEnded | Effect::UserDeactivated | Effect::MemberRemoved
        )
    };
    let ledgers = ["chat", "crm"].map(|system| world.lab.ledger(system).unwrap()).concat();
    let by_hub = ledgers.iter().filter(|entry| entry.cause.credential == Credential::Write);
    let first = by_hub.filter(|entry| taken(entry.effect)).map(|entry| entry.at_ms).min().unwrap();
    let quickest = first - left.as_millisecond();
    assert!(took(Measure::FirstKill).took.is_some_and(|took| took.p50_ms >= quickest), "{figures:#?}");
    assert_eq!(took(Measure::FirstKill).within, 2);
    // Who stays on a system that ignores what it is told is in no figure as gone.
    let truth = world.truth();
    assert!(truth["crm/bob@x.test"].contains("active=true"), "{truth:#?}");
    assert_eq!(figures.residual.still.len(), 1);
    assert_eq!(took(Measure::CaseComplete).missed[0].case, figures.residual.still[0]);
    assert!(figures.residual.total_ms > 30 * 3_600_000);
    assert!(!figures.kept());
}

fn states(trace: &Trace, system: Option<&str>) -> Vec<(Step, State)> {
    let of = |hop: &&bailiwick_core::trace::Hop| hop.system.as_deref() == system;
    trace.hops.iter().filter(of).map(|hop| (hop.step, hop.state)).collect()
}

#[tokio::test]
async fn a_departure_is_traced_to_its_proof_and_what_hangs_is_found() {
    let mut world = settled(4, &[("chat", &[]), ("crm", &[Behaviour::Noop200])]).await;
    world.deliver(&[ANN_LEFT, BOB]).await.unwrap();
    let begun = world.engine.trace("hr/1").await.unwrap();
    assert_eq!(begun.kind, "left");
    assert!(begun.in_time(), "{begun:#?}");
    assert_eq!(
        states(&begun, Some("chat")),
        [(Step::Sent, State::Waiting), (Step::Applied, State::Waiting), (Step::ReadBack, State::Waiting)]
    );
    world.quiet().await;
    world.pass(SignedDuration::from_hours(3));
    let trace = world.engine.trace(&begun.event.to_string()).await.unwrap();
    // In truth she is gone from one and not from the other.
    let truth = world.truth();
    assert!(truth["chat/ann@x.test"].contains("active=false"), "{truth:#?}");
    assert!(truth["crm/ann@x.test"].contains("active=true"), "{truth:#?}");
    assert_eq!(
        states(&trace, Some("chat")),
        [(Step::Sent, State::Done), (Step::Applied, State::Done), (Step::ReadBack, State::Done)]
    );
    assert_eq!(states(&trace, Some("crm"))[2], (Step::ReadBack, State::Stuck), "{trace:#?}");
    // Among what is under way it is found, part by part, and nothing twice.
    for limit in [1, 2, 100] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let part = world.engine.under_way(after, limit).await.unwrap();
            found.extend(part.items.into_iter().map(|trace| (trace.event, trace.in_time())));
            match part.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let hers = found.iter().filter(|(event, _)| *event == begun.event).count();
        assert_eq!((hers, found.iter().any(|(_, in_time)| !in_time)), (1, true), "{limit}: {found:?}");
    }
    // Somebody removes her by hand, and nothing hangs any more.
    world.behind("crm", json!({ "delete": ["ann@x.test"] }));
    world.quiet().await;
    let gone = world.engine.trace("hr/1").await.unwrap();
    assert!(gone.hops.iter().all(|hop| hop.state != State::Stuck), "{gone:#?}");
}

#[tokio::test]
async fn a_hub_is_behind_for_as_long_as_work_has_been_due() {
    let mut world = World::new(7, &[("chat", &[])]).await;
    world.configure().await;
    world.quiet().await;
    assert_eq!(world.engine.behind().await.unwrap(), SignedDuration::ZERO, "nothing is due");
    world.deliver(&[ANN]).await.unwrap();
    world.pass(SignedDuration::from_secs(40));
    world.deliver(&[ANN, BOB]).await.unwrap();
    world.pass(SignedDuration::from_secs(2));
    assert_eq!(
        world.engine.behind().await.unwrap(),
        SignedDuration::from_secs(42),
        "the first waits longest"
    );
    world.quiet().await;
    assert_eq!(world.engine.behind().await.unwrap(), SignedDuration::ZERO, "it has kept up");
}
