//! Reconciling a system of which some accounts differ, against the same system when none does.
//!
//! A whole engine on a SQLite file compares a simulated system over SCIM, in one process: listing, comparing, and for each
//! difference its class, an event with what it rests on, the decision, the plan and their evidence. Out: making good what
//! differs, which is done in between, and groups. CPU time of the whole process; the system is in it, on both sides.

use bailiwick_core::id::SystemName;
use bailiwick_engine::{Configuration, Reconciled};
use serde_json::json;
use tokio::runtime::Runtime;

use super::folder;
use crate::{
    Size,
    measure::{Pairs, Process},
    population::{changed, changes},
    row::{Goal, Row, time},
    world::World,
};

const PAIRS: usize = 5;
/// What a difference may cost on top, in seconds.
const ALLOWED: f64 = 150e-6;

/// The case. The accounts are made by the hub itself, so there are fewer than in the others.
pub fn run(size: Size) -> Vec<Row> {
    let accounts = size.of(100_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = folder();
    let file = folder.path().join("hub.db").display().to_string();
    let mut world = runtime.block_on(async {
        let store = bailiwick_store::open(&file).await.unwrap();
        let mut world = World::on(store, 1, &[("chat", &[])]).await;
        world.configure_with(accounts_only).await;
        world.quiet().await;
        let lines: Vec<String> = (0..accounts)
            .map(|n| {
                let department = ["Engineering", "Finance", "Sales", "Legal"][n % 4];
                format!("{n},Person Number {n},person{n}@example.test,{department},,active")
            })
            .collect();
        world.deliver(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
        world.quiet().await;
        world
    });
    let differences = changes(accounts);
    let (mut pairs, mut each) = (Pairs::default(), Vec::new());
    for pair in 0..PAIRS {
        let (found, same) = reconciled(&runtime, &world);
        assert_eq!((found.accounts, found.changed, found.gone), (accounts as u64, 0, 0), "{found:?}");
        let renamed: Vec<_> = (0..accounts)
            .filter(|n| changed(*n))
            .map(|n| json!({ "userName": format!("person{n}@example.test"), "displayName": format!("Other {pair}") }))
            .collect();
        world.behind("chat", json!({ "users": renamed }));
        let (found, drifted) = reconciled(&runtime, &world);
        assert_eq!((found.changed, found.held), (differences as u64, None), "{:?}", found.classes.counts);
        each.push((drifted - same) / differences as f64);
        pairs.push(same, drifted - ALLOWED * differences as f64);
        runtime.block_on(world.quiet());
    }
    each.sort_by(f64::total_cmp);
    let work = format!(
        "reconcile {accounts} accounts, {differences} differ, less {} for each with event and evidence",
        time(ALLOWED)
    );
    vec![Row::ratio(work, "the same when nothing differs, CPU", Goal::AtMost(1.1), &pairs).with(format!(
        "{} an account when nothing differs, {} more for each that does",
        time(pairs.floor().median / accounts as f64),
        time(each[each.len() / 2])
    ))]
}

/// Leaves no rule by which somebody is in a group.
fn accounts_only(configuration: &mut Configuration) {
    let rules = &mut configuration.policies[0].text;
    let kept = rules
        .split_inclusive(';')
        .filter(|rule| !rule.contains("action == Action::\"hold\"") || rule.contains("/account\""));
    *rules = kept.collect();
}

fn reconciled(runtime: &Runtime, world: &World) -> (Reconciled, f64) {
    world.pass(bailiwick_core::time::SignedDuration::from_secs(60));
    let before = Process::ME.seconds();
    let system = SystemName::new("chat").unwrap();
    let found = runtime.block_on(world.engine.reconcile(&system, true)).unwrap();
    (found, Process::ME.seconds() - before)
}
