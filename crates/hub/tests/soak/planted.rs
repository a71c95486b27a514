//! Made-up samples: what grows must be refused, by its name, and what only moves must not.

use crate::{
    company::{oracle::Violation, people::Numbers},
    hub::Process,
    judge::{Bounds, Delivery, Sample},
};

/// How many samples are made up, and how many seconds lie between two.
const SAMPLES: (usize, f64) = (900, 2.0);
/// What a delivery brings, and when the next comes.
const DELIVERY: Delivery = Delivery { events: 200.0, every: 5.0 };

/// A hub that stays as it is, with noise: memory within four parts of a hundred with a check of the log now and then,
/// work that a delivery brings and that is done before the next.
fn steady(numbers: &mut Numbers) -> Vec<Sample> {
    let mut below = |end: u64| numbers.below(end);
    (0..SAMPLES.0)
        .map(|nth| Sample {
            at: nth as f64 * SAMPLES.1,
            process: Process {
                resident: 110_000 + below(4_000),
                anonymous: 80_000 + below(3_200) + if nth % 150 < 10 { 30_000 } else { 0 },
                files: 20 + below(4),
                connections: 130 + below(140),
                threads: 9 + below(3),
                processor: nth as f64,
            },
            queued: 3.0 * nth as f64,
            plans: below(200) as f64,
            cases: below(80) as f64,
            behind: below(20) as f64 / 10.0,
            verified: nth as f64 * 60.0,
        })
        .collect()
}

/// The same with something that goes on growing.
fn growing(grow: impl Fn(&mut Sample, f64)) -> Vec<Sample> {
    let mut samples = steady(&mut Numbers::of(0));
    samples.iter_mut().for_each(|sample| grow(sample, sample.at / (SAMPLES.0 as f64 * SAMPLES.1)));
    samples
}

/// Judges each.
pub fn all_are_told_apart() -> Result<(), Violation> {
    for seed in 0..50 {
        accepted("noise", &steady(&mut Numbers::of(seed)))?;
    }
    let filling =
        growing(|sample, done| sample.process.anonymous += (90_000.0 * (3.0 * done).min(1.0)) as u64);
    accepted("a cache that fills up in the first third", &filling)?;
    let leaking = growing(|sample, done| sample.process.anonymous += (40_000.0 * done) as u64);
    refused("memory that goes on growing", "allocated memory", &leaking)?;
    let mapping = growing(|sample, done| sample.process.resident += (80_000.0 * done) as u64);
    refused("files that stay mapped", "resident memory", &mapping)?;
    let opening = growing(|sample, done| sample.process.files += (120.0 * done) as u64);
    refused("files that stay open", "open files", &opening)?;
    // One for each of twenty events.
    let connecting = growing(|sample, done| sample.process.connections += (3_600.0 * done) as u64);
    refused("connections that stay open", "connections", &connecting)?;
    let threading = growing(|sample, done| sample.process.threads += (80.0 * done) as u64);
    refused("threads that stay", "threads", &threading)?;
    // Of forty events a second for half an hour, three of a hundred more than it carries.
    let queueing = growing(|sample, done| sample.plans += 2_000.0 * done);
    refused("work that piles up", "plans to do", &queueing)?;
    let open = growing(|sample, done| sample.cases += 1_500.0 * done);
    refused("cases that stay open", "open cases", &open)?;
    let lagging = growing(|sample, done| sample.behind += 40.0 * done);
    refused("work that waits longer and longer", "behind", &lagging)?;
    refused("nothing to look at", "samples", &[])
}

fn accepted(what: &str, samples: &[Sample]) -> Result<(), Violation> {
    Bounds::LONG.judge(samples, DELIVERY).map_err(|violation| Violation {
        oracle: "planted",
        what: format!("`{}` refuses {what}: {}", violation.oracle, violation.what),
    })
}

fn refused(what: &str, name: &str, samples: &[Sample]) -> Result<(), Violation> {
    match Bounds::LONG.judge(samples, DELIVERY) {
        Err(violation) if violation.what.contains(name) => {
            println!("planted {what}: {}", violation.what);
            Ok(())
        }
        other => Err(Violation { oracle: "planted", what: format!("`flat` misses {what}: {other:?}") }),
    }
}
