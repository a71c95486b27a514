//! How a case measures: pairs taken in turn, seconds of the clock or of the processor, and resident memory.
//!
//! Other programs slow this machine down for seconds at a time. So the floor and what is compared with it are taken one
//! after the other, pair by pair, and what counts is the median of the ratios; where the floor itself moved by more
//! than two, the run says nothing.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

/// By how much the floor may move before the run is void.
const STEADY: f64 = 2.0;

/// The least, the median and the most of some values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The least.
    pub least: f64,
    /// The middle one.
    pub median: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// Of at least one value.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self { least: values[0], median: values[values.len() / 2], most: values[values.len() - 1] }
    }

    /// Of one value.
    pub fn one(value: f64) -> Self {
        Self { least: value, median: value, most: value }
    }
}

/// What floors and what is compared with them took, in seconds, pair by pair.
#[derive(Debug, Default)]
pub struct Pairs {
    floors: Vec<f64>,
    ours: Vec<f64>,
}

impl Pairs {
    /// So many pairs, the floor first in each. Both are given the number of the pair and give seconds.
    pub fn of(count: usize, mut floor: impl FnMut(usize) -> f64, mut ours: impl FnMut(usize) -> f64) -> Self {
        let mut pairs = Self::default();
        for pair in 0..count {
            let low = floor(pair);
            pairs.push(low, ours(pair));
        }
        pairs
    }

    /// One more pair.
    pub fn push(&mut self, floor: f64, ours: f64) {
        self.floors.push(floor);
        self.ours.push(ours);
    }

    /// How many times the floor's time ours takes.
    pub fn cost(&self) -> Spread {
        self.each(|floor, own| own / floor)
    }

    /// How many times the floor's rate ours has.
    pub fn rate(&self) -> Spread {
        self.each(|floor, own| floor / own)
    }

    /// Something of each pair.
    pub fn each(&self, of: impl Fn(f64, f64) -> f64) -> Spread {
        Spread::of(self.floors.iter().zip(&self.ours).map(|(floor, own)| of(*floor, *own)).collect())
    }

    /// Seconds of the floor.
    pub fn floor(&self) -> Spread {
        Spread::of(self.floors.clone())
    }

    /// Seconds of ours.
    pub fn ours(&self) -> Spread {
        Spread::of(self.ours.clone())
    }

    /// Why the run says nothing, if it does not.
    pub fn void(&self) -> Option<String> {
        let floor = self.floor();
        let moved = floor.most / floor.least;
        (moved > STEADY).then(|| format!("the floor itself moved by {moved:.1} ×"))
    }
}

/// Seconds of the clock.
pub fn wall(work: impl FnOnce()) -> f64 {
    let watch = Watch::start();
    work();
    watch.seconds()
}

/// A watch that runs.
pub struct Watch(Instant);

impl Watch {
    /// Starts one.
    #[expect(clippy::disallowed_methods, reason = "this is where the table reads the clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long it runs.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// The same in seconds.
    pub fn seconds(&self) -> f64 {
        self.elapsed().as_secs_f64()
    }

    /// Seconds from its start to an instant.
    pub fn until(&self, instant: Instant) -> f64 {
        instant.duration_since(self.0).as_secs_f64()
    }
}

/// Seconds for each of `count` times.
pub fn each(count: usize, work: impl FnMut(usize)) -> f64 {
    wall(|| (0..count).for_each(work)) / count as f64
}

/// Seconds of the processor that this thread takes. The kernel brings its account up to date every few milliseconds: what
/// is measured should take much longer.
pub fn cpu(work: impl FnOnce()) -> f64 {
    let before = thread_seconds();
    work();
    (thread_seconds() - before).max(f64::MIN_POSITIVE)
}

fn thread_seconds() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// A process, as the kernel counts it.
#[derive(Debug, Clone, Copy)]
pub struct Process(Option<u32>);

impl Process {
    /// This one.
    pub const ME: Self = Self(None);

    /// The one with this number.
    pub fn of(id: u32) -> Self {
        Self(Some(id))
    }

    /// Seconds of the processor that it took so far, by all threads that are there; what one took that has ended is not
    /// in it.
    pub fn seconds(self) -> f64 {
        let threads = fs::read_dir(self.path("task")).unwrap().flatten();
        let spent = threads.filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok());
        spent.map(|text| text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9).sum()
    }

    /// Seconds of the processor that it and its children took so far, whether or not they are there still; counted by the
    /// kernel in hundredths.
    pub fn family_seconds(self) -> f64 {
        let own = self.read("stat");
        let children = fs::read_dir("/proc").unwrap().flatten().filter_map(|process| {
            let stat = fs::read_to_string(process.path().join("stat")).ok()?;
            let id = own.split(' ').next()?;
            (fields(&stat).next() == Some(id)).then(|| fields(&stat).skip(10).take(4).map(ticks).sum::<f64>())
        });
        children.sum::<f64>() + fields(&own).skip(10).take(4).map(ticks).sum::<f64>()
    }

    /// Resident bytes. What [`highest`](Self::highest) says counts from here.
    pub fn resident(self) -> usize {
        fs::write(self.path("clear_refs"), "5").unwrap();
        self.status("VmRSS:")
    }

    /// The most that was resident since [`resident`](Self::resident) was asked, or since it began.
    pub fn highest(self) -> usize {
        self.status("VmHWM:")
    }

    fn status(self, name: &str) -> usize {
        let text = self.read("status");
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
    }

    fn read(self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn path(self, name: &str) -> String {
        match self.0 {
            Some(id) => format!("/proc/{id}/{name}"),
            None => format!("/proc/self/{name}"),
        }
    }
}

/// The fields of `/proc/PID/stat` from the fourth on, its parent: a name may hold anything.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(1)
}

fn ticks(text: &str) -> f64 {
    text.parse::<f64>().unwrap() / 100.0
}
