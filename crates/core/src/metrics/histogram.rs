//! Histograms of how long things took: counts below fixed bounds, which only grow.

use super::{Measure, course::Course};
use crate::time::SignedDuration;

/// Counts of durations below bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    bounds: &'static [i64],
    /// One for each bound: how many were at most so long and longer than the bound before.
    counts: Vec<u64>,
    count: u64,
    sum_ms: i64,
}

impl Histogram {
    const fn new(bounds: &'static [i64]) -> Self {
        Self { bounds, counts: Vec::new(), count: 0, sum_ms: 0 }
    }

    fn observe(&mut self, took: SignedDuration) {
        let millis = i64::try_from(took.as_millis()).unwrap_or(i64::MAX).max(0);
        self.counts.resize(self.bounds.len(), 0);
        if let Some(at) = self.bounds.iter().position(|bound| millis <= bound.saturating_mul(1_000)) {
            self.counts[at] += 1;
        }
        self.count += 1;
        self.sum_ms = self.sum_ms.saturating_add(millis);
    }

    /// Each bound in seconds, and how many took at most so long.
    pub fn buckets(&self) -> impl Iterator<Item = (i64, u64)> {
        let mut sum = 0;
        let counts = self.counts.iter().copied().chain(std::iter::repeat(0));
        self.bounds.iter().zip(counts).map(move |(bound, count)| {
            sum += count;
            (*bound, sum)
        })
    }

    /// How many there are.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// How long all took together.
    pub const fn sum(&self) -> SignedDuration {
        SignedDuration::from_millis(self.sum_ms)
    }
}

/// One histogram for each measure, of the cases that were closed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Histograms([Histogram; 3]);

impl Default for Histograms {
    fn default() -> Self {
        Self(Measure::ALL.map(|measure| Histogram::new(measure.bounds())))
    }
}

impl Histograms {
    /// A case was closed for the first time. All is known of it by then, so nothing has to be taken back later.
    pub(super) fn observe(&mut self, course: &Course) {
        for (measure, histogram) in Measure::ALL.into_iter().zip(&mut self.0) {
            if let Some(at) = measure.reached(course) {
                histogram.observe(at.duration_since(course.start));
            }
        }
    }

    pub(super) const fn all(&self) -> [(Measure, &Histogram); 3] {
        let [kill, dead, complete] = &self.0;
        [(Measure::FirstKill, kill), (Measure::CredentialsDead, dead), (Measure::CaseComplete, complete)]
    }
}
