//! Many nodes on one PostgreSQL: from each seed people join and leave while nodes are killed, stand still, are cut off,
//! wait for their disk and have wrong clocks; judged by the systems' truth and ledgers and the published logs.
//!
//! `cargo test -p bailiwick-hub --test chaos -- --rounds N --from SEED`; `--full` plays rounds for the night, `--show`
//! prints what a seed holds. A failure prints its seed and keeps what the nodes said. It needs root, for namespaces; told so by
//! `BAILIWICK_TEST_WITHOUT_NAMESPACES=1` it does without, and tests nothing.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../company/mod.rs"]
mod company;
mod faults;
mod nodes;
mod planted;
mod script;
mod stage;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use bailiwick_lab::Lab;
use bailiwick_store::testkit::postgres::Reachable;
use tokio::time::Instant;

use crate::{
    company::{
        arguments::{argument, spared},
        oracle::{self, Seen, Violation},
        people::Person,
        program, systems,
    },
    nodes::Nodes,
    script::{NODES, SYSTEMS, Scale, Script},
};

/// How many rounds are played when nobody says.
const USUAL: u64 = 5;
/// How often it is looked whether a round is over.
const LOOK: Duration = Duration::from_millis(250);

/// What is left to do, by every node's own word; nothing when all of them are quiet.
async fn left(nodes: &Nodes) -> Option<String> {
    let mut left = Vec::new();
    for nth in 0..NODES {
        let Some(status) = nodes.get(nth, "status").await else {
            left.push(format!("node {nth} is silent"));
            continue;
        };
        left.extend(oracle::left(&status).map(|left| format!("node {nth}: {left}")));
    }
    (!left.is_empty()).then(|| left.join("; "))
}

/// Waits until nothing is left to do and truth is what policy says.
async fn over(
    nodes: &Nodes,
    (lab, store): (&Lab, &Reachable),
    people: &[Person],
    patience: Duration,
) -> Result<(), Violation> {
    let until = Instant::now() + patience;
    loop {
        let left = left(nodes).await;
        let truth = oracle::truth(&Seen::of(lab), people);
        match (left, truth) {
            (None, Ok(())) => return Ok(()),
            (None, Err(violation)) if Instant::now() > until => return Err(violation),
            (Some(what), _) if Instant::now() > until => {
                let what = format!("{what}\nthe database is at\n{}", store.activity().await);
                return Err(Violation { oracle: "quiet", what });
            }
            _ => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Plays a round and judges it.
async fn round(script: &Script, root: &Path, store: &Reachable, plant: bool) -> Result<(), Violation> {
    let lab = systems::lab(script.seed, &SYSTEMS);
    let mut serving = stage::serve(&lab).await;
    let judged = on_stage(script, root, (&lab, store), plant).await;
    // The next round's systems have the same addresses.
    serving.shutdown().await;
    judged
}

async fn on_stage(
    script: &Script,
    root: &Path,
    (lab, store): (&Lab, &Reachable),
    plant: bool,
) -> Result<(), Violation> {
    let begun = Instant::now();
    let database = store.database(&format!("round_{}", script.seed)).await;
    let mut nodes = Nodes::start(root, database).await;
    nodes.program.set_up(&stage::configuration(root), &SYSTEMS);
    nodes.deliver(script.door, &script.feed(1)).await;
    over(&nodes, (lab, store), &script.people(1), script.scale.patience).await?;
    let settled = begun.elapsed();
    nodes.deliver(script.door, &script.feed(2)).await;
    faults::play(script, &mut nodes, store).await;
    for nth in 0..NODES {
        nodes.ready(nth).await;
    }
    let broken = begun.elapsed() - settled;
    let people = script.people(2);
    over(&nodes, (lab, store), &people, script.scale.patience).await?;
    let quiet = begun.elapsed() - settled - broken;
    nodes.program.command(&["evidence", "check"]);
    for nth in 0..NODES {
        if !nodes.stop(nth) {
            return Err(Violation { oracle: "stop", what: format!("node {nth} does not end well") });
        }
    }
    let folders: Vec<PathBuf> = (0..NODES).map(|nth| nodes.folder(nth)).collect();
    let key = program::log_key(&folders[0]);
    oracle::truth(&Seen::of(lab), &people)?;
    oracle::once(&Seen::of(lab))?;
    oracle::logs(&folders, &key)?;
    if plant {
        planted::all_are_caught(lab, &people, &folders, &key).await?;
    }
    println!(
        "seed {}: set up {:.1} s, broken {:.1} s, quiet after {:.1} s",
        script.seed,
        settled.as_secs_f32(),
        broken.as_secs_f32(),
        quiet.as_secs_f32()
    );
    Ok(())
}

/// Keeps what the nodes said where it outlives the test.
fn keep(root: &Path, seed: u64) -> PathBuf {
    let to = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{seed}"));
    fs::create_dir_all(&to).unwrap();
    for nth in 0..NODES {
        let name = format!("node-{nth}.log");
        // One that was never started said nothing.
        let _ = fs::copy(root.join(&name), to.join(&name));
    }
    to
}

fn inside(all: &[String]) -> ExitCode {
    let (from, rounds) = (argument(all, "--from").unwrap_or(0), argument(all, "--rounds").unwrap_or(USUAL));
    let scale = if all.iter().any(|argument| argument == "--full") { Scale::FULL } else { Scale::SMALL };
    stage::network();
    let store = stage::postgres().expect("the caller has asked whether there is PostgreSQL");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut failed = Vec::new();
    for seed in from..from + rounds {
        let script = Script::of(seed, scale);
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(round(&script, &root, &store, seed == from))
        }));
        let told = match played {
            Ok(Ok(())) => continue,
            Ok(Err(Violation { oracle, what })) => format!("{oracle}: {what}"),
            Err(_) => "panic".into(),
        };
        println!(
            "seed {seed} failed: {told}\n{:#?}\nwhat the nodes said: {}",
            script.faults,
            keep(&root, seed).display()
        );
        failed.push(seed);
    }
    println!("{rounds} rounds from {from}: {} failed {failed:?}", failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::disallowed_methods, reason = "this is where the tests are told")]
fn told(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| value == "1")
}

fn main() -> ExitCode {
    let all: Vec<String> = std::env::args().skip(1).collect();
    if spared(&all, "chaos") {
        return ExitCode::SUCCESS;
    }
    if all.iter().any(|argument| argument == stage::INSIDE) {
        return inside(&all);
    }
    if let Some(seed) = argument(&all, "--show") {
        println!("{:#?}", Script::of(seed, Scale::SMALL));
        return ExitCode::SUCCESS;
    }
    for without in ["BAILIWICK_TEST_WITHOUT_POSTGRES", "BAILIWICK_TEST_WITHOUT_NAMESPACES"] {
        if told(without) {
            println!("skipped: {without}=1");
            return ExitCode::SUCCESS;
        }
    }
    if let Some(missing) = stage::missing() {
        println!("{missing}, or set BAILIWICK_TEST_WITHOUT_NAMESPACES=1 to test without it");
        return ExitCode::FAILURE;
    }
    stage::enter(&all)
}
