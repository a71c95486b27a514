//! Leaver event → first call, → all calls, on many systems that take their time.
//!
//! Somebody with an account, groups, a token and a session on each of 30 systems is fired, on a SQLite file. Measured
//! are the time to the first call and to the last one. The floor is as many calls one after the other as one system
//! gets, since the calls of one system keep their order and those of different systems go at once.

use std::{sync::Arc, time::Duration};

use bailiwick_core::termination::ROLE;
use bailiwick_engine::ArmRequest;
use bailiwick_lab::Behaviour;
use bailiwick_store::Store;
use serde_json::json;

use super::folder;
use crate::{
    Size,
    measure::{Spread, Watch},
    population::SYSTEMS,
    row::{Goal, Row},
    world::World,
};

/// How often somebody is fired.
pub const ROUNDS: u64 = 7;
const EACH: Duration = Duration::from_millis(10);
/// How soon the first call should go out, and the last, milliseconds.
const FIRST: f64 = 50.0;
const LAST: f64 = 1_000.0;

/// The case; it has one size.
pub fn run(_: Size) -> Vec<Row> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut fired = Fired::default();
        for round in 0..ROUNDS {
            let folder = folder();
            let file = folder.path().join("hub.db").display().to_string();
            fired.add(bailiwick_store::open(&file).await.unwrap(), round).await;
        }
        let ratio = Spread::of(fired.ratios.clone());
        let work = format!("somebody on {SYSTEMS} systems is fired: {}", fired.said());
        let mut rows = fired.rows(&work);
        let against = "the calls of one system, one after the other";
        rows.push(Row::value("the same", against, Goal::Shown, "×", ratio));
        rows
    })
}

/// What came of firing some.
#[derive(Default)]
pub struct Fired {
    calls: usize,
    /// To the first call, and to the last, milliseconds.
    pub firsts: Vec<f64>,
    pub lasts: Vec<f64>,
    ratios: Vec<f64>,
}

impl Fired {
    /// Fires somebody of a company whose hub has this store.
    pub async fn add(&mut self, store: Arc<dyn Store>, round: u64) {
        let names: Vec<String> = (0..SYSTEMS).map(|n| format!("system{n}")).collect();
        let specs: Vec<(&str, &[Behaviour])> = names.iter().map(|name| (name.as_str(), &[][..])).collect();
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
        self.calls = sent.len();
        let last = began.until(*sent.last().unwrap());
        self.firsts.push(began.until(sent[0]) * 1e3);
        self.lasts.push(last * 1e3);
        self.ratios.push(last / (EACH.as_secs_f64() * (self.calls / SYSTEMS) as f64));
    }

    /// The calls that it took.
    pub fn said(&self) -> String {
        format!("{} calls of {} ms", self.calls, EACH.as_millis())
    }

    /// To the first call, and to the last.
    pub fn rows(self, work: &str) -> Vec<Row> {
        let row =
            |work: String, goal, times| Row::value(work, "—", Goal::AtMost(goal), "ms", Spread::of(times));
        vec![
            row(format!("{work}, to the first"), FIRST, self.firsts),
            row("the same, to the last".to_owned(), LAST, self.lasts),
        ]
    }
}
