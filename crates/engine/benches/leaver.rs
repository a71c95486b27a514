//! Leaver event → first call, → all calls, on many systems that take their time.
//!
//! Somebody with an account, groups, a token and a session on each system is fired. Measured are the time to the first
//! call and to the last one, against the floor: as many calls one after the other as one system gets, since the calls of one
//! system keep their order and those of different systems go at once. Goals: 50 ms to the first, 1 s to the last, at
//! 30 systems and 10 ms for each call.
//!
//! `cargo bench -p bailiwick-engine --bench leaver [-- SYSTEMS]`

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

#[path = "../tests/world/mod.rs"]
mod world;

use std::time::{Duration, Instant};

use bailiwick_core::termination::ROLE;
use bailiwick_engine::ArmRequest;
use bailiwick_lab::Behaviour;
use serde_json::json;
use world::World;

const ROUNDS: u64 = 7;
const EACH: Duration = Duration::from_millis(10);

fn main() {
    let systems: usize = std::env::args().filter_map(|a| a.parse().ok()).next().unwrap_or(30);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(systems));
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures time")]
async fn run(systems: usize) {
    let names: Vec<String> = (0..systems).map(|n| format!("system{n}")).collect();
    let specs: Vec<(&str, &[Behaviour])> = names.iter().map(|name| (name.as_str(), &[][..])).collect();
    let (mut firsts, mut lasts, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut calls = 0;
    for round in 0..ROUNDS {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
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
        let began = Instant::now();
        world.engine.fire(&["hr/1".into()], &legal).await.unwrap();
        world.engine.work_on_leavers().await.unwrap();
        let sent = world.faults.sent_at();
        for (name, line) in world.truth().iter().filter(|(name, _)| name.ends_with("/ann@x.test")) {
            assert!(line.contains("active=false") && line.contains("sessions=0"), "{name}: {line}");
        }
        calls = sent.len();
        let after = |at: &Instant| at.duration_since(began).as_secs_f64() * 1e3;
        let (first, last) = (after(sent.first().unwrap()), after(sent.last().unwrap()));
        let floor = EACH.as_secs_f64() * 1e3 * (calls / systems) as f64;
        firsts.push(first);
        lasts.push(last);
        ratios.push(last / floor);
    }
    println!(
        "somebody is fired who is on {systems} systems: {calls} calls of {} ms each, SQLite file",
        EACH.as_millis()
    );
    println!("  to the first call  min / median / max  {} ms (goal: 50)", spread(firsts, 1));
    println!("  to the last call   min / median / max  {} ms (goal: 1000)", spread(lasts, 1));
    println!("  last : one system  min / median / max  {}", spread(ratios, 2));
}

fn spread(mut values: Vec<f64>, digits: usize) -> String {
    values.sort_by(f64::total_cmp);
    let (middle, last) = (values.len() / 2, values.len() - 1);
    format!("{:.digits$} / {:.digits$} / {:.digits$}", values[0], values[middle], values[last])
}
