//! Verifying: from what was read back to a verdict for each cell of a case.
//!
//! A verdict rests on an observation and nothing else; that a write answered 200 is not evidence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{account::Held, digest::Digest, time::Timestamp};

/// Whether an observation shows everything there is. A partial one proves no absence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coverage {
    /// Everything of the class for the account.
    Complete,
    /// Something may be missing, and why.
    Partial(String),
}

/// With whose credential it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Witness {
    /// The verifier's own, which cannot write.
    Independent,
    /// The reader's, which cannot write and lists day by day: not the verifier's own, and said so.
    Reader,
    /// The writer's, because there is no other: weaker, and said so.
    Writer,
}

/// What was read back of one class for one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// When.
    pub at: Timestamp,
    /// How complete.
    pub coverage: Coverage,
    /// What is there.
    pub held: Vec<Held>,
    /// By which path, in words.
    pub method: String,
    /// With whose credential.
    pub witness: Witness,
    /// Digest of what the system answered, over all calls of the reading.
    pub digest: Digest,
}

/// What is known of one cell of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    /// Absent in an independent read.
    Removed,
    /// There, proven not to work now, would work again.
    Blocked {
        /// When the system purges it for good; without it the cell does not close.
        purges_at: Option<Timestamp>,
    },
    /// Still there and working.
    Residual {
        /// What.
        what: Vec<String>,
    },
    /// Not known yet; inside the window in which a reader may see the old state.
    Pending {
        /// Until when.
        until: Timestamp,
    },
    /// Cannot be seen.
    Unobservable {
        /// Why.
        why: String,
        /// The control that stands in for seeing, if one was accepted.
        control: Option<Control>,
    },
}

/// A compensating control that somebody accepted for what cannot be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Control {
    /// What stands in.
    pub what: String,
    /// Why that is enough, in the words of who accepted it; an attestation has its words in its task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who answers for it.
    pub owner: String,
    /// Until when.
    pub expires: Timestamp,
}

impl Verdict {
    /// The name, kebab-case.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Blocked { .. } => "blocked",
            Self::Residual { .. } => "residual",
            Self::Pending { .. } => "pending",
            Self::Unobservable { .. } => "unobservable",
        }
    }

    /// Whether a case can close with this cell at `now` (PRODUCT E2).
    pub fn closes(&self, now: Timestamp) -> bool {
        match self {
            Self::Removed => true,
            Self::Blocked { purges_at } => purges_at.is_some(),
            Self::Unobservable { control, .. } => control.as_ref().is_some_and(|c| c.expires > now),
            Self::Residual { .. } | Self::Pending { .. } => false,
        }
    }
}

/// Judges what was read back of a class that should be gone. `changed` is the instant of the last
/// change to it and `window_ms` how long a reader may still see the old state after that.
///
/// * something live → residual, or pending while inside the window;
/// * something there but blocked → blocked, until the earliest purge that covers all of it;
/// * nothing, in a complete observation → removed, once the window has passed;
/// * nothing, in a partial observation → unobservable: what was not shown is not absent.
pub fn judge(observation: &Observation, changed: Timestamp, window_ms: i64) -> Verdict {
    let until = changed.saturating_add(jiff::SignedDuration::from_millis(window_ms)).unwrap_or(changed);
    let inside = observation.at < until;
    let live: Vec<String> = observation.held.iter().filter(|h| h.live).map(|h| h.name.clone()).collect();
    if !live.is_empty() {
        return if inside { Verdict::Pending { until } } else { Verdict::Residual { what: live } };
    }
    if let Coverage::Partial(why) = &observation.coverage {
        return Verdict::Unobservable { why: why.clone(), control: None };
    }
    if inside {
        return Verdict::Pending { until };
    }
    if observation.held.is_empty() {
        return Verdict::Removed;
    }
    let dates: Option<Vec<Timestamp>> = observation.held.iter().map(|h| h.purges_at).collect();
    Verdict::Blocked { purges_at: dates.and_then(|d| d.into_iter().max()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::AccessClass;

    fn t(s: i64) -> Timestamp {
        Timestamp::from_second(s).unwrap()
    }

    #[test]
    fn a_verdict_says_no_more_than_was_seen() {
        let item = |live, purges: Option<i64>| Held {
            class: AccessClass::ApiTokens,
            external_id: "t1".into(),
            name: "ci".into(),
            live,
            purges_at: purges.map(t),
        };
        let partial = || Coverage::Partial("page 2 failed".into());
        let check = |at, coverage, held, expect: Verdict| {
            let seen = Observation {
                at: t(at),
                coverage,
                held,
                method: "list".into(),
                witness: Witness::Independent,
                digest: Digest::of(b""),
            };
            assert_eq!(judge(&seen, t(100), 10_000), expect);
        };
        let pending = Verdict::Pending { until: t(110) };
        check(105, Coverage::Complete, vec![], pending.clone());
        check(105, Coverage::Complete, vec![item(true, None)], pending);
        check(110, Coverage::Complete, vec![], Verdict::Removed);
        check(110, Coverage::Complete, vec![item(true, None)], Verdict::Residual { what: vec!["ci".into()] });
        check(110, partial(), vec![item(true, None)], Verdict::Residual { what: vec!["ci".into()] });
        check(110, partial(), vec![], Verdict::Unobservable { why: "page 2 failed".into(), control: None });
        check(
            110,
            Coverage::Complete,
            vec![item(false, Some(900))],
            Verdict::Blocked { purges_at: Some(t(900)) },
        );
        check(
            110,
            Coverage::Complete,
            vec![item(false, Some(900)), item(false, None)],
            Verdict::Blocked { purges_at: None },
        );
    }

    #[test]
    fn a_cell_closes_only_on_proof_or_an_accepted_control() {
        let control = |expires| {
            Some(Control {
                what: "badge log".into(),
                reason: None,
                owner: "hr/1".into(),
                expires: t(expires),
            })
        };
        let check = |verdict: Verdict, expect| assert_eq!(verdict.closes(t(50)), expect, "{verdict:?}");
        check(Verdict::Removed, true);
        check(Verdict::Blocked { purges_at: Some(t(99)) }, true);
        check(Verdict::Blocked { purges_at: None }, false);
        check(Verdict::Residual { what: vec![] }, false);
        check(Verdict::Pending { until: t(0) }, false);
        check(Verdict::Unobservable { why: String::new(), control: None }, false);
        check(Verdict::Unobservable { why: String::new(), control: control(51) }, true);
        check(Verdict::Unobservable { why: String::new(), control: control(50) }, false);
    }
}
