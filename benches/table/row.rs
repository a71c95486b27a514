//! A row of the table: what was done, what it was compared with, the goal, what came out, and the verdict.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::measure::{Pairs, Spread};

/// What a value should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Goal {
    /// Or less.
    AtMost(f64),
    /// Or more.
    AtLeast(f64),
    /// It is shown, and has no goal.
    Shown,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Verdict {
    /// The goal is met.
    Met,
    /// It is not.
    Missed,
    /// There is none.
    Shown,
    /// It cannot be said, and why.
    Void(String),
    /// What it needs is not here, or it is not written, and why.
    NotMeasured(String),
    /// It ended before there was a number, and how.
    Failed(String),
}

/// A row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The case that it is of.
    pub case: String,
    /// What was done.
    pub work: String,
    /// What it was compared with, in the same run.
    pub against: String,
    /// What should come out.
    pub goal: Goal,
    /// What came out, if anything, in [`unit`](Self::unit).
    pub spread: Option<Spread>,
    /// What the values are in: `×` for a ratio.
    pub unit: String,
    /// Whether the goal is met.
    pub verdict: Verdict,
    /// What else is worth knowing: what both took.
    pub figures: String,
}

impl Row {
    /// A ratio: of what both took if the goal is at most, of their rates if it is at least.
    pub fn ratio(work: impl Into<String>, against: impl Into<String>, goal: Goal, pairs: &Pairs) -> Self {
        let spread = match goal {
            Goal::AtMost(_) | Goal::Shown => pairs.cost(),
            Goal::AtLeast(_) => pairs.rate(),
        };
        Self::value(work, against, goal, "×", spread).unless(pairs.void())
    }

    /// A value.
    pub fn value(
        work: impl Into<String>,
        against: impl Into<String>,
        goal: Goal,
        unit: &str,
        spread: Spread,
    ) -> Self {
        let verdict = match goal {
            Goal::AtMost(most) if spread.median <= most => Verdict::Met,
            Goal::AtLeast(least) if spread.median >= least => Verdict::Met,
            Goal::AtMost(_) | Goal::AtLeast(_) => Verdict::Missed,
            Goal::Shown => Verdict::Shown,
        };
        let spread = Some(spread);
        Self { verdict, spread, unit: unit.to_owned(), ..Self::without(work, against, goal, "") }
    }

    /// What was not measured, and why.
    pub fn without(
        work: impl Into<String>,
        against: impl Into<String>,
        goal: Goal,
        why: impl Into<String>,
    ) -> Self {
        Self {
            case: String::new(),
            work: work.into(),
            against: against.into(),
            goal,
            spread: None,
            unit: "×".to_owned(),
            verdict: Verdict::NotMeasured(why.into()),
            figures: String::new(),
        }
    }

    /// It says nothing, if there is a reason.
    pub fn unless(mut self, reason: Option<String>) -> Self {
        if let Some(reason) = reason {
            self.verdict = Verdict::Void(reason);
        }
        self
    }

    /// What both took, or what else is worth knowing.
    pub fn with(mut self, figures: impl Into<String>) -> Self {
        self.figures = figures.into();
        self
    }

    /// What should come out, as it is printed.
    pub fn goal(&self) -> String {
        match self.goal {
            Goal::AtMost(most) => format!("≤ {} {}", short(most), self.unit),
            Goal::AtLeast(least) => format!("≥ {} {}", short(least), self.unit),
            Goal::Shown => "—".to_owned(),
        }
    }

    /// What came out, as it is printed.
    pub fn measured(&self) -> String {
        match self.spread {
            None => "—".to_owned(),
            Some(Spread { least, median, most }) if least == most => short(median),
            Some(Spread { least, median, most }) => {
                format!("{} / {} / {}", short(least), short(median), short(most))
            }
        }
    }

    /// The verdict, as it is printed.
    pub fn said(&self) -> String {
        match &self.verdict {
            Verdict::Met => "met".to_owned(),
            Verdict::Missed => "missed".to_owned(),
            Verdict::Shown => "—".to_owned(),
            Verdict::Void(why) => format!("void: {why}"),
            Verdict::NotMeasured(why) => format!("not measured: {why}"),
            Verdict::Failed(how) => format!("failed: {how}"),
        }
    }
}

/// Three figures that count, and no more.
pub fn short(value: f64) -> String {
    let digits = match value.abs() {
        small if small < 0.1 && small > 0.0 => 4,
        small if small < 10.0 => 2,
        small if small < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    let trimmed = text.trim_end_matches('0').trim_end_matches('.');
    if text.contains('.') && digits > 0 && !trimmed.is_empty() { trimmed.to_owned() } else { text }
}

/// The medians of both, for so many of something: `floor 1.8 µs, ours 2.2 µs an account`.
pub fn medians(pairs: &Pairs, count: usize, of: impl Display) -> String {
    let micros = |spread: Spread| time(spread.median / count as f64);
    format!("floor {}, ours {} {of}", micros(pairs.floor()), micros(pairs.ours()))
}

/// Seconds in the unit that fits.
pub fn time(seconds: f64) -> String {
    match seconds {
        long if long >= 1.0 => format!("{} s", short(long)),
        middle if middle >= 1e-3 => format!("{} ms", short(middle * 1e3)),
        brief if brief >= 1e-6 => format!("{} µs", short(brief * 1e6)),
        _ => format!("{} ns", short(seconds * 1e9)),
    }
}
