//! Leaver event → first call, → all calls, on many systems that take their time.
//!
//! Somebody with an account, groups, a token and a session on each of 30 systems is fired, on a SQLite file. Measured
//! are the time to the first call and to the last one. The floor is as many calls one after the other as one system
//! gets, since the calls of one system keep their order and those of different systems go at once.

use std::time::Duration;

use bailiwick_core::termination::ROLE;
use bailiwick_engine::ArmRequest;
use bailiwick_lab::Behaviour;
use serde_json::json;

use super::folder;
use crate::{
    Size,
    measure::{Spread, Watch},
    population::SYSTEMS,
    row::{Goal, Row},
    world::World,
};

const ROUNDS: u64 = 7;
const EACH: Duration = Duration::from_millis(10);

/// The case; it has one size.
pub fn run(_: Size) -> Vec<Row> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(fired())
}

async fn fired() -> Vec<Row> {
    let names: Vec<String> = (0..SYSTEMS).map(|n| format!("system{n}")).collect();
    let specs: Vec<(&str, &[Behaviour])> = names.iter().map(|name| (name.as_str(), &[][..])).collect();
    let (mut firsts, mut lasts, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut calls = 0;
    for round in 0..ROUNDS {
        let folder = folder();
        let store = bailiwick_store::open(&folder.path().join("hub.db").display().to_string()).await.unwrap();
        let mut world = World::on(store, round, &specs).await;
        world.configure().await;
        world
            .deliver(&["1,Ann,ann@x.test,Engineering,,active", "2,Bo,bo@x.test,Finance,,active"])
            .await
            .unwrap();
        world.quiet().await;
        for name in &names {
            let user = "ann@x.test";
            world.behind(name, json!({ "sessions": [user], "tokens": [{ "user": user, "name": "ci" }] }));
        }
        let legal = world.operator_with("legal", &[ROLE], Some("hr/2"), 1).await;
        let asked = ArmRequest { persons: vec!["hr/1".into()], reason: "a benchmark".into(), hours: 1 };
        world.engine.arm(asked, &legal).await.unwrap();
        world.faults.slow(EACH);
        let began = Watch::start();
        world.engine.fire(&["hr/1".into()], &legal).await.unwrap();
        world.engine.work_on_leavers().await.unwrap();
        let sent = world.faults.sent_at();
        for (name, line) in world.truth().iter().filter(|(name, _)| name.ends_with("/ann@x.test")) {
            assert!(line.contains("active=false") && line.contains("sessions=0"), "{name}: {line}");
        }
        calls = sent.len();
        let last = began.until(*sent.last().unwrap());
        firsts.push(began.until(sent[0]) * 1e3);
        lasts.push(last * 1e3);
        ratios.push(last / (EACH.as_secs_f64() * (calls / SYSTEMS) as f64));
    }
    let work = format!("somebody on {SYSTEMS} systems is fired: {calls} calls of {} ms", EACH.as_millis());
    vec![
        Row::value(format!("{work}, to the first"), "—", Goal::AtMost(50.0), "ms", Spread::of(firsts)),
        Row::value("the same, to the last", "—", Goal::AtMost(1_000.0), "ms", Spread::of(lasts)),
        Row::value(
            "the same",
            "the calls of one system, one after the other",
            Goal::Shown,
            "×",
            Spread::of(ratios),
        ),
    ]
}
