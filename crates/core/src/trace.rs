//! The trace of one event: every hop from its source to the proof, with its time, its deadline, and where it stands.
//!
//! It is reckoned from the records about the identity and from the instant it is now. That a hop is stuck is kept
//! nowhere: its deadline has passed, and the log shows nothing that moves it.

mod hops;
mod mine;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::mine::Mine;
use crate::{
    id::{CaseId, EventId, IdentityId},
    record::Logged,
    time::{SignedDuration, Timestamp},
};

/// How long after the last sign of life something that is overdue counts as stuck. Work that fails is tried again
/// after at most so long, and says so.
pub const STILL: SignedDuration = SignedDuration::from_mins(15);

/// A hop of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "HopStep")]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// It took effect where it is known from.
    Source,
    /// The hub accepted it.
    Accepted,
    /// What should be was decided.
    Decided,
    /// What is to be changed was planned.
    Planned,
    /// The plan was approved, by a person or by a rule.
    Approved,
    /// The changes went out to a system.
    Sent,
    /// The system answered that it did them.
    Applied,
    /// The system was read, and it is so.
    ReadBack,
    /// The case was closed.
    Closed,
}

impl Step {
    /// What people call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Accepted => "accepted",
            Self::Decided => "decided",
            Self::Planned => "planned",
            Self::Approved => "approved",
            Self::Sent => "sent",
            Self::Applied => "applied",
            Self::ReadBack => "read back",
            Self::Closed => "closed",
        }
    }
}

/// Where a hop stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "HopState")]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Done, in time.
    Done,
    /// There is nothing to do.
    NotNeeded,
    /// Not done, and there is time.
    Waiting,
    /// Done after its deadline; or not done after it, and still moving.
    Late,
    /// Not done after its deadline, and nothing moves it.
    Stuck,
}

impl State {
    /// What people call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::NotNeeded => "not needed",
            Self::Waiting => "waiting",
            Self::Late => "late",
            Self::Stuck => "stuck",
        }
    }
}

/// One hop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hop {
    /// Which.
    pub step: Step,
    /// The system, where each has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// When it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// How long after the hop before it, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<i64>,
    /// Until when it has time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Where it stands.
    pub state: State,
    /// By whom it was done, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The hops of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trace {
    /// The event.
    pub event: EventId,
    /// As of when.
    pub now: Timestamp,
    /// What happened, as its record says.
    pub kind: String,
    /// Whom it is about.
    pub identity: IdentityId,
    /// The case that it opened, or that it goes on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    /// The hops, in order; of what is done on systems, those of one system after the other.
    pub hops: Vec<Hop>,
}

impl Trace {
    /// The trace of `event` as of `now`, from the records about its identity, in the order in which they were
    /// written; `None` when none of them says that it was accepted.
    pub fn of(event: EventId, records: &[Logged], now: Timestamp) -> Option<Self> {
        let mine = Mine::of(event, records)?;
        let hops = hops::all(&mine, now);
        let (kind, identity, case) = (mine.kind.to_owned(), mine.identity, mine.case);
        Some(Self { event, now, kind, identity, case, hops })
    }

    /// Whether nothing is late or stuck.
    pub fn in_time(&self) -> bool {
        self.hops.iter().all(|hop| hop.state < State::Late)
    }
}
