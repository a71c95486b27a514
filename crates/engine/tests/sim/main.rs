//! The simulated world: a script from each seed, played by one to three engines on one store, with systems that
//! misbehave, calls that are lost and processes that die; judged by oracles that read truth.
//!
//! `cargo test -p bailiwick-engine --test sim -- --seeds N --from S`; `--tell` shows how each
//! planted mistake was caught, `--unplanted` leaves them and the fault grid out, `--grid` plays that alone, `--show SEED` prints a script. A failure prints its seed and the shortest
//! script that still fails.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../world/mod.rs"]
mod world;

mod grid;
mod oracle;
mod play;
mod script;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use crate::{oracle::Violation, play::Play, script::Script, world::planted::Bug};

/// How many seeds are played when nobody says; `./test` plays more.
const USUAL: u64 = 100;

/// Of how many seeds one has its whole log checked, and is compared with itself undisturbed.
const THOROUGH: u64 = 8;

/// Of how many seeds one is played twice: it is the same story.
const TWICE: u64 = 64;

/// Plays a script and judges it.
fn judge(script: &Script) -> Result<bool, Violation> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let played = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let play = Play::all(script.clone()).await?;
            let everywhere = oracle::all(&play).await?;
            if script.seed.is_multiple_of(THOROUGH) {
                oracle::log(&play).await?;
            }
            if script.seed % THOROUGH == 1 && script.is_timeless() {
                let other = Play::all(script.undisturbed()).await?;
                oracle::same(&play, &other)?;
            }
            if script.seed % TWICE == 2 {
                let again = Play::all(script.clone()).await?;
                oracle::again(&play, &again).await?;
            }
            Ok(everywhere)
        })
    }));
    played.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Violation::new("panic", said.unwrap_or_default()))
    })
}

/// Leaves out steps for as long as the same oracle says no.
fn shrunk(mut script: Script, oracle: &str) -> Script {
    let mut at = script.steps.len();
    while at > 0 {
        at -= 1;
        let mut shorter = script.clone();
        shorter.steps.remove(at);
        if judge(&shorter).is_err_and(|violation| violation.oracle == oracle) {
            script = shorter;
        }
    }
    script
}

/// The value after a flag.
fn argument(name: &str) -> Option<u64> {
    let all: Vec<String> = std::env::args().collect();
    let at = all.iter().position(|argument| argument == name)?;
    all.get(at + 1)?.parse().ok()
}

/// Each planted mistake, and the oracle that must catch it.
const BUGS: [(Bug, &str); 7] = [
    (Bug::RetriesBlindly, "settled"),
    (Bug::IgnoresLag, "verdict"),
    (Bug::TrustsPartial, "verdict"),
    (Bug::Unapproved, "approved"),
    (Bug::BelievesOk, "verdict"),
    (Bug::ResumesBlindly, "settled"),
    (Bug::Overtaken, "once"),
];

/// Within how many seeds.
const CAUGHT_WITHIN: u64 = 100;

/// Whether every planted mistake is caught by its oracle; says by which seed first.
fn all_bugs_are_caught(tell: bool) -> bool {
    let next = AtomicUsize::new(0);
    let missed = AtomicUsize::new(0);
    on_all_cores(|| {
        while let Some((bug, oracle)) = BUGS.get(next.fetch_add(1, Ordering::SeqCst)) {
            let caught = (0..CAUGHT_WITHIN).find_map(|seed| {
                let violation = judge(&Script::of(seed).with(*bug)).err()?;
                (violation.oracle == *oracle).then_some((seed, violation))
            });
            match caught {
                Some((seed, violation)) => {
                    println!("planted {}: caught by `{oracle}` with seed {seed}", bug.name());
                    if tell {
                        let short = shrunk(Script::of(seed).with(*bug), oracle);
                        println!("{}\n{short:#?}", violation.what);
                    }
                }
                None => {
                    println!("planted {}: `{oracle}` misses it in {CAUGHT_WITHIN} seeds", bug.name());
                    missed.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
    });
    missed.into_inner() == 0
}

fn on_all_cores(work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(&work);
        }
    });
}

fn main() -> ExitCode {
    // As the usual harness: lists when asked, and does nothing when other tests were named.
    let named = |argument: String| {
        !argument.starts_with("--") && argument.parse::<u64>().is_err() && argument != "sim"
    };
    if std::env::args().skip(1).any(|argument| argument == "--list" || named(argument)) {
        return ExitCode::SUCCESS;
    }
    let (from, seeds) = (argument("--from").unwrap_or(0), argument("--seeds").unwrap_or(USUAL));
    let next = AtomicU64::new(from);
    let everywhere = AtomicU64::new(0);
    let failed = Mutex::new(Vec::new());
    std::panic::set_hook(Box::new(|_| {}));
    if let Some(seed) = argument("--show") {
        println!("{:#?}", Script::of(seed));
        return ExitCode::SUCCESS;
    }
    let told = |flag: &str| std::env::args().any(|argument| argument == flag);
    if told("--grid") {
        return if grid::all() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let caught = told("--unplanted") || all_bugs_are_caught(told("--tell"));
    on_all_cores(|| {
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= from + seeds {
                return;
            }
            if (seed - from) % 1_000 == 999 {
                println!("{} of {seeds} seeds", seed - from + 1);
            }
            match judge(&Script::of(seed)) {
                Ok(true) => _ = everywhere.fetch_add(1, Ordering::SeqCst),
                Ok(false) => {}
                Err(violation) => failed.lock().unwrap().push((seed, violation)),
            }
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort_by_key(|(seed, _)| *seed);
    let mut by_oracle = std::collections::BTreeMap::<&str, Vec<u64>>::new();
    for (seed, violation) in &failed {
        by_oracle.entry(violation.oracle).or_default().push(*seed);
    }
    for (seed, violation) in failed.iter().take(3) {
        let short = shrunk(Script::of(*seed), violation.oracle);
        let said = judge(&short).err().map(|violation| violation.what).unwrap_or_default();
        println!("seed {seed}: {}: {said}\n{short:#?}", violation.oracle);
    }
    println!(
        "in {} truth is what policy says, in the others the hub says where not",
        everywhere.into_inner()
    );
    println!("{seeds} seeds from {from}: {} failed {by_oracle:?}", failed.len());
    let whole = told("--unplanted") || grid::all();
    if whole && caught && failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
