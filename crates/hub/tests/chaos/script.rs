//! What happens in a round, from its seed: who is there, who leaves and joins, what breaks when.

use std::time::Duration;

use crate::company::people::{self, DEPARTMENTS, Numbers, Person};

/// How many people a round has, and for how long things break.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Who is there and stays.
    pub staying: usize,
    /// Who is there and leaves.
    pub leaving: usize,
    /// Who comes.
    pub joining: usize,
    /// Within how many milliseconds after the delivery something breaks.
    pub window_ms: u64,
    /// How many things break.
    pub faults: u64,
    /// The longest that a node stands still or is cut off, milliseconds.
    pub longest_ms: u64,
    /// How long everything may take after the last fault.
    pub patience: Duration,
}

impl Scale {
    /// A round for every day.
    pub const SMALL: Self = Self {
        staying: 12,
        leaving: 10,
        joining: 80,
        window_ms: 5_000,
        faults: 5,
        longest_ms: 6_000,
        patience: Duration::from_secs(60),
    };
    /// A round for the night.
    pub const FULL: Self = Self {
        staying: 50,
        leaving: 200,
        joining: 2_000,
        window_ms: 40_000,
        faults: 12,
        longest_ms: 75_000,
        patience: Duration::from_secs(600),
    };
}

/// Something that goes wrong on one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9`; the node is started again after the time.
    Kill,
    /// It stands still for the time.
    Stop,
    /// What it sends to the database is lost.
    NoStore,
    /// What the database answers is lost.
    DeafToStore,
    /// What it sends to a system is lost.
    NoTarget(usize),
    /// What a system answers is lost: what it was asked for happens.
    DeafToTarget(usize),
    /// The database waits for its disk, a tenth of a second at each commit.
    SlowDisk,
    /// The node's clock jumps by so many seconds.
    Clock(i64),
}

/// A fault, when it begins after the delivery, and how long it lasts.
#[derive(Debug, Clone, Copy)]
pub struct Planned {
    /// What.
    pub fault: Fault,
    /// On which node.
    pub node: usize,
    /// When, milliseconds after the delivery.
    pub at_ms: u64,
    /// For how long.
    pub for_ms: u64,
}

/// How many nodes there are.
pub const NODES: usize = 3;
/// The systems.
pub const SYSTEMS: [&str; 2] = ["chat", "wiki"];
/// A round.
#[derive(Debug, Clone)]
pub struct Script {
    /// What it follows from.
    pub seed: u64,
    /// How large it is.
    pub scale: Scale,
    /// Which node the deliveries go to first.
    pub door: usize,
    /// What breaks, in order.
    pub faults: Vec<Planned>,
}

impl Script {
    /// The round of a seed.
    pub fn of(seed: u64, scale: Scale) -> Self {
        let mut numbers = Numbers::of(seed);
        let door = numbers.below(NODES as u64) as usize;
        let mut faults: Vec<Planned> = (0..scale.faults)
            .map(|nth| {
                // Something is killed in every round.
                let kind = if nth == 0 { 0 } else { numbers.below(10) };
                let system = numbers.below(SYSTEMS.len() as u64) as usize;
                let fault = match kind {
                    0 | 1 => Fault::Kill,
                    2 | 3 => Fault::Stop,
                    4 => Fault::NoStore,
                    5 => Fault::DeafToStore,
                    6 => Fault::NoTarget(system),
                    7 => Fault::DeafToTarget(system),
                    8 => Fault::SlowDisk,
                    _ => Fault::Clock([-300, -90, 90, 300][numbers.below(4) as usize]),
                };
                Planned {
                    fault,
                    node: numbers.below(NODES as u64) as usize,
                    at_ms: numbers.below(scale.window_ms),
                    for_ms: 200 + numbers.below(scale.longest_ms),
                }
            })
            .collect();
        faults.sort_by_key(|planned| planned.at_ms);
        Self { seed, scale, door, faults }
    }

    /// Who is there on the first or the second day.
    pub fn people(&self, day: u8) -> Vec<Person> {
        let Scale { staying, leaving, joining, .. } = self.scale;
        let there = staying + leaving;
        let all = if day == 1 { there } else { there + joining };
        let person = |nth: usize| Person {
            number: 1001 + nth,
            department: nth % DEPARTMENTS.len(),
            left: day > 1 && (staying..there).contains(&nth),
        };
        (0..all).map(person).collect()
    }

    /// What HR delivers on that day.
    pub fn feed(&self, day: u8) -> String {
        people::feed(&self.people(day), "01.02.2026")
    }
}
