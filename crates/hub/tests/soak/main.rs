//! A hub under a steady load: what it can carry is measured, and four fifths of that are offered for as long as one says,
//! while others read from it. Memory, descriptors, threads and what is left to do have to stay as they are, though
//! everybody who ever left stays in the store.
//!
//! `cargo test -p bailiwick-hub --test soak -- --minutes 30` is the run for the night; without `--minutes` it is a short one,
//! which refuses what can be seen in half a minute. `--seed N` has other people move and leave, `--people N` makes the company
//! larger, and `--postgres` keeps the state there. Time is the real one.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../company/mod.rs"]
mod company;
mod hub;
mod judge;
mod leavers;
mod load;
mod planted;
mod population;
mod report;
mod visitors;
mod watch;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use bailiwick_store::testkit::postgres::Reachable;
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    company::{
        arguments::{argument, spared},
        oracle::{self, Seen, Violation},
        program, systems,
    },
    hub::Hub,
    judge::Bounds,
    leavers::Leavers,
    load::Load,
    population::Population,
    report::Report,
    visitors::Visitors,
    watch::Watch,
};

/// The systems.
const SYSTEMS: [&str; 3] = ["chat", "crm", "wiki"];
/// Of what the hub can carry, what is offered.
const OFFERED: f64 = 0.8;

/// How large a run is, and how long its parts take.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// How many people work there at any time.
    people: usize,
    /// How many events are delivered at once while it is measured what the hub can carry.
    chunk: usize,
    /// For how long that is measured.
    measured: Duration,
    /// For how long the load is offered.
    offered: Duration,
    /// How often HR delivers then.
    delivers: Duration,
    /// How often it is looked at the hub.
    looked_at: Duration,
    /// How often a line is printed.
    told: Duration,
    /// How often the whole log is checked.
    checked: Duration,
    /// How long everything may take that is to come to an end.
    patience: Duration,
    /// What may have grown by how much.
    bounds: Bounds,
}

impl Scale {
    /// The run of every day.
    const SHORT: Self = Self {
        people: 300,
        chunk: 24,
        measured: Duration::from_secs(6),
        offered: Duration::from_secs(24),
        delivers: Duration::from_secs(2),
        looked_at: Duration::from_millis(500),
        told: Duration::from_secs(10),
        checked: Duration::from_secs(15),
        patience: Duration::from_secs(60),
        bounds: Bounds::SHORT,
    };

    /// A run of so many minutes.
    fn long(minutes: u64) -> Self {
        let measured = Duration::from_secs(90);
        Self {
            people: 2_000,
            chunk: 100,
            measured,
            offered: Duration::from_secs(60 * minutes).saturating_sub(measured),
            delivers: Duration::from_secs(5),
            looked_at: Duration::from_secs(2),
            told: Duration::from_secs(30),
            checked: Duration::from_secs(300),
            patience: Duration::from_secs(900),
            bounds: Bounds::LONG,
        }
    }
}

async fn soak(scale: Scale, seed: u64, root: &Path, store: Option<&Reachable>) -> Result<(), Violation> {
    let lab = systems::lab(seed, &SYSTEMS);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let router = lab.router();
    // The systems end with this.
    let mut serving = JoinSet::new();
    serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let store = match store {
        Some(store) => Some(store.database("soak").await),
        None => None,
    };
    let hub = Arc::new(Hub::start(root, store.as_deref()).await);
    let places = SYSTEMS.map(|system| (system, address.clone()));
    let configuration = systems::configuration(root, &places, None);
    visitors::configure(&configuration);
    hub.program.set_up(&configuration, &SYSTEMS);

    let mut load = Load::new(hub.clone(), Population::of(seed, scale.people), scale.patience);
    let filled = load.fill().await?;
    println!("{} people on {} systems after {:.0} s", scale.people, SYSTEMS.len(), filled.as_secs_f64());
    let leavers = Arc::new(Leavers::default());
    let visitors = Visitors::begin(&hub, &leavers, scale.checked).await?;
    let carried = load.closed(scale.chunk, scale.measured).await?;
    let rate = OFFERED * carried.events;
    println!(
        "the hub carries {:.1} events a second, each read back {:.1} times, with {:.2} processors; it is offered {rate:.1}",
        carried.events, carried.readings, carried.processor
    );
    let watch = Watch::begin(&hub, &leavers, scale.looked_at, scale.told);
    let offered = load.open(rate, scale.delivers, scale.offered, &leavers).await?;
    let samples = watch.end().await?;
    let visits = visitors.end().await?;
    let drained = load.quiet().await?;
    leavers.read(&hub).await?;
    let report =
        Report { carried, offered: &offered, drained, samples: &samples, leavers: &leavers, visits: &visits };
    report.print();
    report.judged(&scale.bounds, scale.delivers)?;

    let people = load.population.people();
    oracle::truth(&Seen::of(&lab), people)?;
    oracle::once(&Seen::of(&lab))?;
    hub.program.command(&["evidence", "check"]);
    if !hub.stop() {
        return Err(Violation { oracle: "stop", what: "the hub does not end well".into() });
    }
    oracle::logs(&[hub.folder()], &program::log_key(&hub.folder()))?;
    println!("{} people were there, and truth is what policy says; the log verifies", people.len());
    Ok(())
}

/// Keeps what the hub said where it outlives the test.
fn keep(root: &Path, seed: u64) -> PathBuf {
    let to = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("soak-{seed}.log"));
    // One that was never started said nothing.
    let _ = fs::copy(hub::said(root), &to);
    to
}

fn main() -> ExitCode {
    let all: Vec<String> = std::env::args().skip(1).collect();
    if spared(&all, "soak") {
        return ExitCode::SUCCESS;
    }
    let seed = argument(&all, "--seed").unwrap_or(0);
    let mut scale = argument(&all, "--minutes").map_or(Scale::SHORT, Scale::long);
    scale.people = argument(&all, "--people").map_or(scale.people, |people| people as usize);
    let postgres = all.iter().any(|argument| argument == "--postgres");
    let store = postgres.then(|| Reachable::start("127.0.0.1").expect("there is PostgreSQL"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let soaked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        planted::all_are_told_apart()?;
        runtime.block_on(soak(scale, seed, &root, store.as_ref()))
    }));
    let told = match soaked {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(Violation { oracle, what })) => format!("{oracle}: {what}"),
        Err(_) => "panic".into(),
    };
    println!("seed {seed} failed: {told}\nwhat the hub said: {}", keep(&root, seed).display());
    ExitCode::FAILURE
}
