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

/// Of what kind a measure is; the bounds are by that.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Memory.
    Memory,
    /// Files and threads.
    Handles,
    /// Connections.
    Connections,
    /// What is left to do.
    Work,
    /// How long something waits.
    Delay,
    /// It may grow.
    Free,
}

/// Something of a sample.
pub struct Measure {
    /// What it is called.
    pub name: &'static str,
    kind: Kind,
    /// What it is.
    pub of: fn(&Sample) -> f64,
    /// Digits behind the point.
    pub digits: usize,
}

impl Measure {
    const fn new(name: &'static str, kind: Kind, digits: usize, of: fn(&Sample) -> f64) -> Self {
        Self { name, kind, of, digits }
    }
}

/// What is looked at. Whoever left is looked at again when their account should be gone, and that stands in the queue until then.
pub const MEASURES: [Measure; 9] = [
    Measure::new("allocated memory, MiB", Kind::Memory, 1, |sample| mib(sample.process.anonymous)),
    Measure::new("resident memory, MiB", Kind::Memory, 1, |sample| mib(sample.process.resident)),
    Measure::new("open files", Kind::Handles, 0, |sample| sample.process.files as f64),
    Measure::new("connections", Kind::Connections, 0, |sample| sample.process.connections as f64),
    Measure::new("threads", Kind::Handles, 0, |sample| sample.process.threads as f64),
    Measure::new("plans to do", Kind::Work, 0, |sample| sample.plans),
    Measure::new("open cases", Kind::Work, 0, |sample| sample.cases),
    Measure::new("behind, seconds", Kind::Delay, 1, |sample| sample.behind),
    Measure::new("queued work", Kind::Free, 0, |sample| sample.queued),
];

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// What comes at once.
#[derive(Debug, Clone, Copy)]
pub struct Delivery {
    /// How many events.
    pub events: f64,
    /// How many seconds after the last.
    pub every: f64,
}

/// By how much each may differ: so many times, and so much more.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Memory. Most of what a hub of this size has is caches of the store that are full and what the allocator keeps of earlier
    /// heights; that moves by a few parts of a hundred. What is kept of every event or of everybody who left comes to more: a
    /// tenth of 200 MiB are 4 KiB for each of ten events a second, from the middle of one third of half an hour to the next.
    memory: (f64, f64),
    /// Files and threads: one more or less at the moment of looking.
    handles: (f64, f64),
    /// Connections. Those to systems are kept for a while, some fifty for each; there are more after a moment in which one was slow.
    connections: (f64, f64),
    /// Work and delay. What goes on growing from nothing is 1.67 times as much in the last third as in the one before; what one
    /// delivery brings, and how long it is until the next, is no growth and is allowed besides.
    work: f64,
}

impl Bounds {
    /// Those of a long run.
    pub const LONG: Self =
        Self { memory: (1.10, 0.0), handles: (1.25, 8.0), connections: (1.25, 160.0), work: 1.25 };
    /// Those of half a minute, of which caches fill the most: memory that goes on as it began is refused all the same.
    pub const SHORT: Self =
        Self { memory: (1.25, 0.0), handles: (1.25, 8.0), connections: (1.25, 160.0), work: 1.25 };

    /// So many times, and so much more; nothing where it may grow.
    fn of(&self, kind: Kind, delivery: Delivery) -> Option<(f64, f64)> {
        match kind {
            Kind::Memory => Some(self.memory),
            Kind::Handles => Some(self.handles),
            Kind::Connections => Some(self.connections),
            Kind::Work => Some((self.work, delivery.events)),
            Kind::Delay => Some((self.work, delivery.every)),
            Kind::Free => None,
        }
    }

    /// Refuses samples in which something grew.
    pub fn judge(&self, samples: &[Sample], delivery: Delivery) -> Result<(), Violation> {
        if samples.len() < 9 {
            return Err(Violation { oracle: "flat", what: format!("there are {} samples", samples.len()) });
        }
        let grown = MEASURES.iter().filter_map(|measure| {
            let (times, more) = self.of(measure.kind, delivery)?;
            let [_, before, last] = thirds(samples, measure.of);
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
