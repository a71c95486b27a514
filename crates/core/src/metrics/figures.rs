//! Figures: what the fold comes to at an instant, for a window of time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fold, course::Course};
use crate::{
    id::CaseId,
    time::{SignedDuration, Timestamp},
};

/// What is measured of each case, from the instant at which the departure was known and in effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Until a system said that it had taken something away.
    FirstKill,
    /// Until every session, token and key was read back as dead.
    CredentialsDead,
    /// Until the case was closed.
    CaseComplete,
}

impl Measure {
    /// All of them, in the order in which they come.
    pub const ALL: [Self; 3] = [Self::FirstKill, Self::CredentialsDead, Self::CaseComplete];

    /// The name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstKill => "first-kill",
            Self::CredentialsDead => "credentials-dead",
            Self::CaseComplete => "case-complete",
        }
    }

    /// How long it may take (PRODUCT H5).
    pub const fn target(self) -> SignedDuration {
        match self {
            Self::FirstKill => SignedDuration::from_secs(60),
            Self::CredentialsDead => SignedDuration::from_mins(5),
            Self::CaseComplete => SignedDuration::from_hours(24),
        }
    }

    /// The bounds of its histogram, seconds; the target is one of them.
    pub(super) const fn bounds(self) -> &'static [i64] {
        match self {
            Self::FirstKill => &[1, 5, 15, 30, 60, 120, 300, 900, 3_600],
            Self::CredentialsDead => &[5, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 86_400],
            Self::CaseComplete => &[60, 300, 900, 3_600, 14_400, 43_200, 86_400, 172_800, 604_800],
        }
    }

    pub(super) const fn reached(self, course: &Course) -> Option<Timestamp> {
        match self {
            Self::FirstKill => course.killed,
            Self::CredentialsDead => course.dead,
            Self::CaseComplete => course.closed,
        }
    }
}

/// The figures of a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// Only what began at this instant or later.
    pub since: Timestamp,
    /// As of when.
    pub now: Timestamp,
    /// How many records of the log they rest on.
    pub records: u64,
    /// Cases that began in the window, of people and of integrations.
    pub cases: usize,
    /// Those of them with nothing to take away; they are not measured.
    pub empty: usize,
    /// Each measure.
    pub measures: Vec<Measured>,
    /// How long access outlived the departures.
    pub residual: Residual,
    /// Departures that were told late.
    pub late: Late,
    /// Reviews of integrations that are open.
    pub reviews: Overdue,
    /// How much of their scopes integrations used since their last review.
    pub scopes: Vec<Utilisation>,
    /// When each system was drilled last.
    pub drills: Vec<Drills>,
    /// Changes that the hub did not make.
    pub outside: Outside,
}

/// One measure over the cases of the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// Which.
    pub measure: Measure,
    /// How long it may take, seconds.
    pub target_s: i64,
    /// How many cases came so far.
    pub reached: usize,
    /// How many of them in time.
    pub within: usize,
    /// How many have not, and still have time.
    pub waiting: usize,
    /// Which did not in time, the longest first.
    pub missed: Vec<Missed>,
    /// How long it took those that came so far.
    pub took: Option<Spread>,
}

/// A case that did not come so far in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Missed {
    /// The case.
    pub case: CaseId,
    /// How long it took, or takes by now, milliseconds.
    pub took_ms: i64,
    /// Whether it has come so far by now.
    pub reached: bool,
}

/// A spread of durations, milliseconds; the value at a rank, nothing in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// Half of them took at most so long.
    pub p50_ms: i64,
    /// 95 of 100 took at most so long.
    pub p95_ms: i64,
    /// None took longer.
    pub max_ms: i64,
}

/// How long access outlived departures: from when one took effect until nothing of any class was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Residual {
    /// All of it together, milliseconds, that of open cases until now.
    pub total_ms: i64,
    /// The spread of it.
    pub spread: Option<Spread>,
    /// The cases in which something is not known to be gone.
    pub still: Vec<CaseId>,
}

/// Departures that had taken effect before the hub heard of them, also those with nothing to take away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LateFigures")]
pub struct Late {
    /// How many.
    pub cases: usize,
    /// How long it was until they were heard of.
    pub spread: Option<Spread>,
}

/// Reviews of integrations that are open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Overdue {
    /// How many are open.
    pub open: usize,
    /// The integrations whose review was due before now.
    pub overdue: Vec<String>,
}

/// How much of its scope an integration used since its last review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Utilisation {
    /// The integration.
    pub integration: String,
    /// Rules that were used.
    pub used: u64,
    /// Rules that it has.
    pub declared: u64,
}

/// When a system was drilled last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drills {
    /// The system.
    pub system: String,
    /// When, and whether nothing was found alive; absent when it never was.
    pub last: Option<(Timestamp, bool)>,
}

/// Changes that the hub did not make, in the window; its beginning is that of its hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outside {
    /// Somebody changed something on a system, and it is not known who.
    pub unexplained: u64,
    /// A system said that it did a change, and reading back showed that it did not.
    pub diverged: u64,
}

impl Spread {
    /// The spread of `all`, if there are any.
    pub fn of(mut all: Vec<i64>) -> Option<Self> {
        all.sort_unstable();
        let max_ms = all.last().copied()?;
        let rank = |percent: usize| all[(all.len() * percent).div_ceil(100).max(1) - 1];
        Some(Self { p50_ms: rank(50), p95_ms: rank(95), max_ms })
    }
}

impl Figures {
    /// Whether every case was, or still can be, in time.
    pub fn kept(&self) -> bool {
        self.measures.iter().all(|measured| measured.missed.is_empty())
    }
}

impl Fold {
    /// The figures as of `now`, of what began at `since` or later.
    pub fn figures(&self, since: Timestamp, now: Timestamp) -> Figures {
        let courses: Vec<(CaseId, &Course)> = self
            .courses
            .iter()
            .filter(|(_, course)| course.start >= since && course.start <= now)
            .map(|(case, course)| (*case, course))
            .collect();
        let (empty, measurable): (Vec<_>, Vec<_>) = courses.iter().partition(|(_, course)| course.empty);
        let overdue = self.reviews.iter().filter(|(_, due)| due.is_some_and(|due| due < now));
        Figures {
            since,
            now,
            records: self.records,
            cases: courses.len(),
            empty: empty.len(),
            measures: Measure::ALL.map(|measure| measured(measure, &measurable, now)).into(),
            residual: residual(&measurable, now),
            late: late(&courses),
            reviews: Overdue {
                open: self.reviews.len(),
                overdue: overdue.map(|(name, _)| name.clone()).collect(),
            },
            scopes: self.scopes.iter().map(utilisation).collect(),
            drills: self.last_drills(),
            outside: self.outside_since(since),
        }
    }

    fn last_drills(&self) -> Vec<Drills> {
        let never = self.systems.iter().filter(|system| !self.drills.contains_key(*system));
        let mut all: Vec<Drills> =
            never.map(|system| Drills { system: system.clone(), last: None }).collect();
        let drilled = |(system, last): (&String, &_)| Drills { system: system.clone(), last: Some(*last) };
        all.extend(self.drills.iter().map(drilled));
        all.sort_by(|a, b| a.system.cmp(&b.system));
        all
    }

    fn outside_since(&self, since: Timestamp) -> Outside {
        let within = self.outside.range(since.as_second().div_euclid(3_600)..).map(|(_, counts)| *counts);
        within.fold(Outside::default(), |sum, (unexplained, diverged)| Outside {
            unexplained: sum.unexplained + unexplained,
            diverged: sum.diverged + diverged,
        })
    }
}

fn utilisation((name, (used, declared)): (&String, &(u64, u64))) -> Utilisation {
    Utilisation { integration: name.clone(), used: *used, declared: *declared }
}

fn millis(from: Timestamp, to: Timestamp) -> i64 {
    i64::try_from(to.duration_since(from).as_millis()).unwrap_or(i64::MAX).max(0)
}

fn measured(measure: Measure, courses: &[&(CaseId, &Course)], now: Timestamp) -> Measured {
    let target = i64::try_from(measure.target().as_millis()).unwrap_or(i64::MAX);
    let (mut took, mut missed, mut within, mut waiting) = (Vec::new(), Vec::new(), 0, 0);
    for (case, course) in courses {
        let reached = measure.reached(course);
        let took_ms = millis(course.start, reached.unwrap_or(now));
        took.extend(reached.map(|_| took_ms));
        match (took_ms <= target, reached.is_some()) {
            (true, true) => within += 1,
            (true, false) => waiting += 1,
            (false, reached) => missed.push(Missed { case: *case, took_ms, reached }),
        }
    }
    missed.sort_by_key(|missed| (std::cmp::Reverse(missed.took_ms), missed.case));
    let target_s = measure.target().as_secs();
    Measured { measure, target_s, reached: took.len(), within, waiting, missed, took: Spread::of(took) }
}

fn late(courses: &[(CaseId, &Course)]) -> Late {
    let late = courses.iter().filter(|(_, course)| course.late);
    let late: Vec<i64> = late.map(|(_, course)| millis(course.effective, course.start)).collect();
    Late { cases: late.len(), spread: Spread::of(late) }
}

fn residual(courses: &[&(CaseId, &Course)], now: Timestamp) -> Residual {
    let lasted: Vec<i64> =
        courses.iter().map(|(_, course)| millis(course.effective, course.gone.unwrap_or(now))).collect();
    let still = courses.iter().filter(|(_, course)| course.gone.is_none()).map(|(case, _)| *case).collect();
    Residual { total_ms: lasted.iter().sum(), spread: Spread::of(lasted), still }
}
