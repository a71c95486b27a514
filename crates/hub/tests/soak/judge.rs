//! Whether something grew: the median of the last third of the samples against that of the third before. The first third
//! is not looked at: there caches fill and pools open, up to bounds of their own.

use crate::{company::oracle::Violation, hub::Process};

/// The hub at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Seconds since the load began.
    pub at: f64,
    /// What the kernel says of it.
    pub process: Process,
    /// Items of work that are queued, whether or not they are due.
    pub queued: f64,
    /// Plans that are to be carried out.
    pub plans: f64,
    /// Cases that are open.
    pub cases: f64,
    /// How long the work that waits longest has been due, seconds.
    pub behind: f64,
    /// Changes that were read back so far.
    pub verified: f64,
}

/// What may grow: whoever left is looked at again when their account should be gone, and that stands in the queue.
pub const QUEUED: Measure = Measure { name: "queued work", of: |sample| sample.queued, digits: 0 };

/// Something of a sample that has to stay as it is.
pub struct Measure {
    /// What it is called.
    pub name: &'static str,
    /// What it is of a sample.
    pub of: fn(&Sample) -> f64,
    /// Digits behind the point.
    pub digits: usize,
}

/// What has to stay as it is.
pub const MEASURES: [Measure; 7] = [
    Measure { name: "allocated memory, MiB", of: |sample| mib(sample.process.anonymous), digits: 1 },
    Measure { name: "resident memory, MiB", of: |sample| mib(sample.process.resident), digits: 1 },
    Measure { name: "descriptors", of: |sample| sample.process.descriptors as f64, digits: 0 },
    Measure { name: "threads", of: |sample| sample.process.threads as f64, digits: 0 },
    Measure { name: "plans to do", of: |sample| sample.plans, digits: 0 },
    Measure { name: "open cases", of: |sample| sample.cases, digits: 0 },
    Measure { name: "behind, seconds", of: |sample| sample.behind, digits: 1 },
];

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// By how much each may differ: so many times, and so much more.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Memory. What an allocator gives back, and when, is its own affair, and a check of the whole log takes some for a while:
    /// in a third of ten minutes that comes to a few parts of a hundred. What is kept of every event or of everybody who left
    /// comes to more in the same time: a KiB for each of ten events a second is 6 MiB, of some 60.
    memory: (f64, f64),
    /// Descriptors and threads. Connections to systems are kept for a while, and there are more of them after a moment in which
    /// a system was slow; what a delivery or a decision leaves open comes to hundreds.
    handles: (f64, f64),
    /// Work. What goes on growing from nothing is 1.67 times as much in the last third as in the one before; what is there after
    /// one delivery and not after the next is no growth.
    work: (f64, f64),
}

impl Bounds {
    /// Those of a long run.
    pub const LONG: Self = Self { memory: (1.10, 0.0), handles: (1.25, 8.0), work: (1.25, 0.0) };
    /// Those of half a minute, of which caches fill the most: memory that goes on as it began is refused all the same.
    pub const SHORT: Self = Self { memory: (1.25, 0.0), handles: (1.25, 8.0), work: (1.25, 0.0) };

    /// The bound of a measure, where a delivery brings so many events and comes so many seconds after the last.
    fn of(&self, measure: &Measure, delivery: (f64, f64)) -> (f64, f64) {
        match measure.name {
            "descriptors" | "threads" => self.handles,
            "plans to do" | "open cases" => (self.work.0, self.work.1 + delivery.0),
            "behind, seconds" => (self.work.0, self.work.1 + delivery.1),
            _ => self.memory,
        }
    }

    /// Refuses samples in which something grew.
    pub fn judge(&self, samples: &[Sample], delivery: (f64, f64)) -> Result<(), Violation> {
        if samples.len() < 9 {
            return Err(Violation { oracle: "flat", what: format!("there are {} samples", samples.len()) });
        }
        let grown = MEASURES.iter().filter_map(|measure| {
            let [_, before, last] = thirds(samples, measure.of);
            let (times, more) = self.of(measure, delivery);
            let (digits, most) = (measure.digits, times * before + more);
            (last > most).then(|| {
                let Measure { name, .. } = measure;
                format!("{name}: from {before:.digits$} to {last:.digits$}, at most {most:.digits$}")
            })
        });
        let grown: Vec<String> = grown.collect();
        if grown.is_empty() {
            return Ok(());
        }
        Err(Violation { oracle: "flat", what: format!("it grew: {}", grown.join("; ")) })
    }
}

/// The median of each third.
pub fn thirds(samples: &[Sample], of: fn(&Sample) -> f64) -> [f64; 3] {
    let third = samples.len() / 3;
    let parts = [&samples[..third], &samples[third..2 * third], &samples[2 * third..]];
    parts.map(|part| {
        let mut all: Vec<f64> = part.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or_default()
    })
}
