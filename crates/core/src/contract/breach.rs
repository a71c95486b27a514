//! Why a delivery is held, with a stable code for each reason.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{id::EntitlementName, time::Timestamp};

/// Why a delivery is held.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error, JsonSchema,
)]
#[schemars(rename = "FeedBreach")]
#[serde(rename_all = "kebab-case", tag = "code")]
pub enum Breach {
    /// Fewer records than promised.
    #[error("the delivery has {rows} records, at least {least} were promised")]
    TooFewRows {
        /// How many there are.
        rows: u64,
        /// How many were promised.
        least: u64,
    },
    /// Too many known people are missing or leave at once.
    #[error(
        "{lost} of {known} people would be missing or leave, at most {allowed} are allowed; is the file cut off?"
    )]
    TooMuchLoss {
        /// How many.
        lost: u64,
        /// Of how many.
        known: u64,
        /// How many are allowed.
        allowed: u64,
    },
    /// Too many known people change at once.
    #[error("{changed} of {known} people would change, at most {allowed} are allowed")]
    TooMuchChange {
        /// How many.
        changed: u64,
        /// Of how many.
        known: u64,
        /// How many are allowed.
        allowed: u64,
    },
    /// Too many of a cohort are missing or leave at once.
    #[error(
        "{lost} of {known} people whose `{attribute}` is `{value}` would be missing or leave, at most {allowed} are allowed"
    )]
    CohortLoss {
        /// The attribute.
        attribute: String,
        /// Its value.
        value: String,
        /// How many.
        lost: u64,
        /// Of how many.
        known: u64,
        /// How many are allowed.
        allowed: u64,
    },
    /// Too many of a cohort change at once.
    #[error(
        "{changed} of {known} people whose `{attribute}` is `{value}` would change, at most {allowed} are allowed"
    )]
    CohortChange {
        /// The attribute.
        attribute: String,
        /// Its value.
        value: String,
        /// How many.
        changed: u64,
        /// Of how many.
        known: u64,
        /// How many are allowed.
        allowed: u64,
    },
    /// Somebody would get power over others because an attribute changes.
    #[error("`{key}` would get `{entitlement}`, which gives power over others, because of `{}`", .attributes.join("`, `"))]
    PrivilegedChange {
        /// Who.
        key: String,
        /// What changes.
        attributes: Vec<String>,
        /// What they would get.
        entitlement: EntitlementName,
    },
    /// It is older than promised.
    #[error(
        "the same delivery was accepted at {since:.0}, longer ago than the {hours} hours in which a new one is promised"
    )]
    Stale {
        /// When it was accepted first.
        since: Timestamp,
        /// How many hours were promised.
        hours: u32,
    },
    /// It was accepted before, others were since, and it would bring back people who have left by those.
    #[error(
        "the same delivery was accepted at {since:.0}, and {later} after it; it would bring back {back} of those who have left \
         since, `{key}` among them"
    )]
    Replayed {
        /// When it was accepted last.
        since: Timestamp,
        /// How many deliveries were accepted after it.
        later: u64,
        /// How many people would be back.
        back: u64,
        /// The first of them, by key.
        key: String,
    },
    /// Two records share a value that is one person's alone.
    #[error("lines {first} and {second} have the same `{attribute}`")]
    DuplicateValue {
        /// The attribute.
        attribute: String,
        /// The first line.
        first: u64,
        /// The second line.
        second: u64,
    },
    /// The same key more than once.
    #[error("the key `{key}` is on lines {first} and {second}")]
    DuplicateKey {
        /// The key.
        key: String,
        /// The first line.
        first: u64,
        /// The second line.
        second: u64,
    },
    /// A record without a key.
    #[error("line {line} has no key")]
    NoKey {
        /// The line.
        line: u64,
    },
    /// A value that is required or may not be empty is empty.
    #[error("line {line}: `{attribute}` of `{key}` is empty, and the contract says that it never is")]
    EmptyValue {
        /// The line.
        line: u64,
        /// Whose.
        key: String,
        /// The attribute.
        attribute: String,
    },
    /// A value is of another type than promised.
    #[error("line {line}: `{attribute}` of `{key}` is not of the promised type")]
    WrongType {
        /// The line.
        line: u64,
        /// Whose.
        key: String,
        /// The attribute.
        attribute: String,
    },
    /// A status that the contract does not list.
    #[error(
        "line {line}: `{attribute}` of `{key}` is `{value}`, which the contract lists neither as at work nor as on leave"
    )]
    UnknownStatus {
        /// The line.
        line: u64,
        /// Whose.
        key: String,
        /// The attribute.
        attribute: String,
        /// What it says.
        value: String,
    },
    /// A date cannot be turned into an instant.
    #[error("line {line}: a day of `{key}`: {problem}")]
    BadDay {
        /// The line.
        line: u64,
        /// Whose.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// More of a kind of which enough are told.
    #[error("{count} more of the same kind, the next: {like}")]
    More {
        /// The first of them.
        like: Box<Breach>,
        /// How many.
        count: u64,
    },
}

impl Breach {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooFewRows { .. } => "feed-too-few-rows",
            Self::TooMuchLoss { .. } => "feed-too-much-loss",
            Self::TooMuchChange { .. } => "feed-too-much-change",
            Self::CohortLoss { .. } => "feed-cohort-loss",
            Self::CohortChange { .. } => "feed-cohort-change",
            Self::PrivilegedChange { .. } => "feed-privileged-change",
            Self::Stale { .. } => "feed-stale",
            Self::Replayed { .. } => "feed-replayed",
            Self::DuplicateValue { .. } => "feed-duplicate-value",
            Self::DuplicateKey { .. } => "feed-duplicate-key",
            Self::NoKey { .. } => "feed-no-key",
            Self::EmptyValue { .. } => "feed-empty-value",
            Self::WrongType { .. } => "feed-wrong-type",
            Self::UnknownStatus { .. } => "feed-unknown-status",
            Self::BadDay { .. } => "feed-bad-day",
            Self::More { like, .. } => like.code(),
        }
    }

    /// The line that it is about, where it is about one.
    pub const fn line(&self) -> Option<u64> {
        match self {
            Self::NoKey { line }
            | Self::EmptyValue { line, .. }
            | Self::WrongType { line, .. }
            | Self::UnknownStatus { line, .. }
            | Self::BadDay { line, .. } => Some(*line),
            Self::DuplicateKey { second, .. } | Self::DuplicateValue { second, .. } => Some(*second),
            Self::TooFewRows { .. }
            | Self::TooMuchLoss { .. }
            | Self::TooMuchChange { .. }
            | Self::CohortLoss { .. }
            | Self::CohortChange { .. }
            | Self::PrivilegedChange { .. }
            | Self::Stale { .. }
            | Self::Replayed { .. }
            | Self::More { .. } => None,
        }
    }

    /// Whether the records themselves cannot be trusted: then not even those who leave by them do. That is what is said of a
    /// line.
    pub fn is_of_form(&self) -> bool {
        let Self::More { like, .. } = self else { return self.line().is_some() };
        like.is_of_form()
    }
}

/// How many breaches of one kind are told of a delivery whose form is broken: a column that is wrong is wrong in each line.
const TOLD: u64 = 20;

/// The breaches of a delivery. Of those of its form the first of each kind are kept, and how many more there are; of the
/// others all, because people let each of them go.
#[derive(Debug, Default)]
pub struct Breaches {
    all: Vec<Breach>,
    told: BTreeMap<&'static str, u64>,
    more: BTreeMap<&'static str, (Breach, u64)>,
}

impl Breaches {
    /// Adds one.
    pub fn add(&mut self, breach: Breach) {
        let code = breach.code();
        let (like, count) = match breach {
            Breach::More { like, count } => (*like, count),
            breach => {
                let told = self.told.entry(code).or_default();
                *told += 1;
                if *told <= TOLD || !breach.is_of_form() {
                    return self.all.push(breach);
                }
                (breach, 1)
            }
        };
        self.more.entry(code).or_insert((like, 0)).1 += count;
    }

    /// All that are told, line by line, and then how many more there are of each kind.
    pub fn told(mut self) -> Vec<Breach> {
        self.all.sort_by_key(|breach| breach.line().unwrap_or(u64::MAX));
        let more = self.more.into_values().map(|(like, count)| Breach::More { like: Box::new(like), count });
        self.all.into_iter().chain(more).collect()
    }
}

impl Extend<Breach> for Breaches {
    fn extend<I: IntoIterator<Item = Breach>>(&mut self, breaches: I) {
        breaches.into_iter().for_each(|breach| self.add(breach));
    }
}
