//! Ends that are known, and taking one back (PRODUCT D7).
//!
//! What a source says of an end is visible ahead. Two people can say that somebody stays all the same: then that end counts
//! for nothing, until the source says something else about it. That the day came is nothing else; another day is, and so is
//! that the record is terminated now and was not before.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    id::{IdentityId, OperatorId, PlanId},
    identity::{Identity, Lifecycle, SourceKey},
    time::Effective,
};

/// An end that a source said and that two people took back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancelled {
    /// Whose record said it.
    pub key: SourceKey,
    /// The end.
    pub end: Effective,
    /// By which plan.
    pub plan: PlanId,
    /// Whether the record was terminated, as it was delivered first after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminated: Option<bool>,
}

impl Cancelled {
    /// Whether a record that says this end says nothing new.
    pub fn holds(&self, end: Option<&Effective>, terminated: bool) -> bool {
        end == Some(&self.end) && !(terminated && self.terminated == Some(false))
    }
}

/// What a plan asks that takes ends back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stay {
    /// The ends, and whose records say them.
    pub ends: Vec<(SourceKey, Effective)>,
    /// Who asked.
    pub requester: OperatorId,
    /// Why.
    pub reason: String,
}

/// Somebody whose end is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Leaving {
    /// Who.
    pub identity: IdentityId,
    /// When: the instant, and the date that was meant.
    pub end: Effective,
    /// The records that say so.
    pub said_by: Vec<SourceKey>,
    /// The plan by which two people took it back, where they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<PlanId>,
}

/// The end of an identity that is known, and the records that say it.
pub fn known_end(identity: &Identity) -> Option<(Effective, Vec<SourceKey>)> {
    let end = ends(&identity.lifecycle)?;
    let says = |lifecycle: &Lifecycle| ends(lifecycle).is_some_and(|own| own.at == end.at);
    let mut by: Vec<SourceKey> =
        identity.engagements.iter().filter(|record| says(&record.lifecycle)).map(|r| r.key.clone()).collect();
    if identity.engagements.is_empty() {
        by.push(identity.source_key.clone());
    }
    Some((end, by))
}

/// The ends that are known or taken back.
pub fn leaving(identity: &Identity) -> Vec<Leaving> {
    let stands = known_end(identity).map(|(end, said_by)| Leaving {
        identity: identity.id,
        end,
        said_by,
        cancelled: None,
    });
    let cancelled = identity.cancelled.iter().map(|one| Leaving {
        identity: identity.id,
        end: one.end.clone(),
        said_by: vec![one.key.clone()],
        cancelled: Some(one.plan),
    });
    stands.into_iter().chain(cancelled).collect()
}

fn ends(lifecycle: &Lifecycle) -> Option<Effective> {
    match lifecycle {
        Lifecycle::Pending { ends, .. }
        | Lifecycle::Active { ends }
        | Lifecycle::Leave { ends }
        | Lifecycle::GardenLeave { ends, .. } => ends.clone(),
        Lifecycle::Absent { .. } | Lifecycle::Left { .. } | Lifecycle::Merged { .. } => None,
    }
}

impl Identity {
    /// The same without the ends that two people took back.
    #[must_use]
    pub fn staying(mut self, asked: &Stay, plan: PlanId) -> Self {
        let taken = |key: &SourceKey| asked.ends.iter().any(|(own, _)| own == key);
        for record in self.engagements.iter_mut().filter(|record| taken(&record.key)) {
            record.lifecycle = without_end(record.lifecycle.clone());
        }
        self.lifecycle = match self.engagements.is_empty() {
            true => without_end(self.lifecycle),
            false => crate::engagement::together(&self.engagements).unwrap_or(self.lifecycle),
        };
        self.cancelled.retain(|known| !taken(&known.key));
        let fresh = asked.ends.iter().cloned();
        self.cancelled.extend(fresh.map(|(key, end)| Cancelled { key, end, plan, terminated: None }));
        self
    }
}

/// The same state, and no end is known.
pub fn without_end(lifecycle: Lifecycle) -> Lifecycle {
    match lifecycle {
        Lifecycle::Pending { starts, .. } => Lifecycle::Pending { starts, ends: None },
        Lifecycle::Active { .. } => Lifecycle::Active { ends: None },
        Lifecycle::Leave { .. } => Lifecycle::Leave { ends: None },
        Lifecycle::GardenLeave { since, .. } => Lifecycle::GardenLeave { since, ends: None },
        same @ (Lifecycle::Absent { .. } | Lifecycle::Left { .. } | Lifecycle::Merged { .. }) => same,
    }
}

/// Why no end is taken back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StayRefusal {
    /// No end is known.
    #[error("no end of `{0}` is known; `bailiwick identity leaving` shows those that are")]
    NoEnd(String),
    /// They have left.
    #[error("`{0}` has left; who is back begins anew, by a word of the source")]
    Gone(String),
    /// No reason is given.
    #[error("say why, with `--reason`")]
    NoReason,
}

impl StayRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoEnd(_) => "stay-no-end",
            Self::Gone(_) => "stay-gone",
            Self::NoReason => "stay-no-reason",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn only_something_new_ends_a_cancelled_end() {
        let at = |s: i64| Effective::at(Timestamp::from_second(s).unwrap());
        let check = |before: Option<bool>, end: Option<i64>, terminated: bool, expect: bool| {
            let cancelled = Cancelled {
                key: SourceKey { source: "hr".parse().unwrap(), key: "1".into() },
                end: at(9),
                plan: PlanId::from_bytes([1; 16]),
                terminated: before,
            };
            assert_eq!(cancelled.holds(end.map(at).as_ref(), terminated), expect, "{end:?} {terminated}");
        };
        check(None, Some(9), false, true);
        check(None, Some(9), true, true);
        check(Some(true), Some(9), true, true);
        check(Some(false), Some(9), false, true);
        check(Some(false), Some(9), true, false);
        check(Some(false), Some(8), false, false);
        check(Some(false), None, false, false);
    }
}
