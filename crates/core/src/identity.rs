//! Identities: people and non-human identities, and where they are in their life.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    engagement::Engagement,
    id::{IdentityId, SourceName},
    policy::{AttributeValue, Attributes},
    said::Said,
    stay::Cancelled,
    time::{Effective, Timestamp},
};

/// The attribute, a flag, that puts somebody under legal hold: access goes as it would, and nothing of theirs is deleted.
pub const LEGAL_HOLD: &str = "legal_hold";

/// What kind of identity it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityKind {
    /// A human being.
    Person,
    /// An account that a program uses.
    ServiceAccount,
    /// A program that proves itself.
    Workload,
    /// A program that acts for a person.
    Agent,
    /// An integration.
    Integration,
}

impl IdentityKind {
    /// The name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::ServiceAccount => "service-account",
            Self::Workload => "workload",
            Self::Agent => "agent",
            Self::Integration => "integration",
        }
    }
}

/// The immutable key of an identity at its source; the only thing that correlates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct SourceKey {
    /// The source.
    pub source: SourceName,
    /// The key in that source.
    pub key: String,
}

impl std::fmt::Display for SourceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.source, self.key)
    }
}

/// Where an identity is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Lifecycle {
    /// Will start; holds nothing yet.
    Pending {
        /// When it starts.
        starts: Effective,
        /// When it leaves, if that is known.
        ends: Option<Effective>,
    },
    /// Holds what policy gives.
    Active {
        /// When it leaves, if that is known.
        ends: Option<Effective>,
    },
    /// Employed and away for a time, as on parental leave; holds what policy gives to who is away.
    Leave {
        /// When it leaves, if that is known.
        ends: Option<Effective>,
    },
    /// Employed and kept out until the end: holds nothing, and nothing of theirs is deleted before they have left.
    GardenLeave {
        /// Since when.
        since: Effective,
        /// When it leaves, if that is known.
        ends: Option<Effective>,
    },
    /// Missing from its source; keeps its access until a person decides.
    Absent {
        /// Since when.
        since: Timestamp,
        /// When the grace ends and a person must have decided.
        grace_until: Timestamp,
    },
    /// Has left; holds nothing.
    Left {
        /// When it took effect.
        at: Effective,
        /// Since when they had been kept out, if they were: what was proven then counts for the same departure.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kept_out: Option<Timestamp>,
    },
    /// Was found to be somebody else, who has its records now; holds nothing by itself.
    Merged {
        /// Who.
        into: IdentityId,
        /// Since when.
        since: Timestamp,
    },
}

impl Lifecycle {
    /// The name of the state of whoever has left.
    pub const LEFT: &'static str = "left";
    /// The name of the state of whoever is kept out until they leave.
    pub const GARDEN_LEAVE: &'static str = "garden-leave";
    /// The names of the states of people who are there, as their sources say, or will be.
    pub const HERE: [&'static str; 4] = ["pending", "active", "leave", "absent"];

    /// The name of the state, kebab-case.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Active { .. } => "active",
            Self::Leave { .. } => "leave",
            Self::GardenLeave { .. } => Self::GARDEN_LEAVE,
            Self::Absent { .. } => "absent",
            Self::Left { .. } => Self::LEFT,
            Self::Merged { .. } => "merged",
        }
    }

    /// Since when nothing is to be held under this id: they left or are kept out, or are somebody else who has their records.
    pub const fn gone(&self) -> Option<Timestamp> {
        match self {
            Self::Left { kept_out: Some(since), .. } => Some(*since),
            Self::Left { at, kept_out: None } | Self::GardenLeave { since: at, .. } => Some(at.at),
            Self::Merged { since, .. } => Some(*since),
            Self::Pending { .. } | Self::Active { .. } | Self::Leave { .. } | Self::Absent { .. } => None,
        }
    }

    /// The state of whoever was in this one and left at that instant.
    #[must_use]
    pub const fn left(&self, at: Effective) -> Self {
        let kept_out = match self {
            Self::GardenLeave { since, .. } => Some(since.at),
            Self::Left { kept_out, .. } => *kept_out,
            Self::Pending { .. }
            | Self::Active { .. }
            | Self::Leave { .. }
            | Self::Absent { .. }
            | Self::Merged { .. } => None,
        };
        Self::Left { at, kept_out }
    }

    /// Whether policy may give access in this state.
    pub const fn may_hold(&self) -> bool {
        match self {
            Self::Active { .. } | Self::Leave { .. } | Self::Absent { .. } => true,
            Self::Pending { .. } | Self::GardenLeave { .. } | Self::Left { .. } | Self::Merged { .. } => {
                false
            }
        }
    }

    /// The next instant at which the state changes by itself.
    pub fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Pending { starts, .. } => Some(starts.at),
            Self::Active { ends } | Self::Leave { ends } | Self::GardenLeave { ends, .. } => {
                ends.as_ref().map(|e| e.at)
            }
            Self::Absent { grace_until, .. } => Some(*grace_until),
            Self::Left { .. } | Self::Merged { .. } => None,
        }
    }

    /// What becomes of the state at `now` by the passing of time alone. `Absent` never turns into
    /// `Left` by itself: absence is not termination.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        match self {
            Self::Pending { starts, ends } if starts.at <= now => Self::Active { ends }.at(now),
            Self::Active { ends: Some(ref end) }
            | Self::Leave { ends: Some(ref end) }
            | Self::GardenLeave { ends: Some(ref end), .. }
                if end.at <= now =>
            {
                self.left(end.clone())
            }
            other => other,
        }
    }
}

/// Somebody or something known to the hub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// Its immutable id.
    pub id: IdentityId,
    /// Person or what else.
    pub kind: IdentityKind,
    /// The key by which it was first known; it never changes.
    pub source_key: SourceKey,
    /// What the source says of it, by the record that leads.
    pub attributes: Attributes,
    /// Where it is in its life.
    #[serde(flatten)]
    pub lifecycle: Lifecycle,
    /// Who answers for it, if it is not a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<SourceKey>,
    /// Grows with every event that is decided for it; a plan of an older generation is void.
    pub generation: u64,
    /// All its records, of somebody who is known by more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub engagements: Vec<Engagement>,
    /// Ends that a source said and that two people took back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancelled: Vec<Cancelled>,
    /// A digest of the record that it is as of, where it has one record alone, and the revision for which that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub said: Option<Said>,
}

impl Identity {
    /// The text value of an attribute.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.attributes.get(name) {
            Some(AttributeValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Why nothing of theirs is deleted, whatever else is done, in a word: `legal-hold` or `garden-leave`.
    pub fn preserved(&self) -> Option<&'static str> {
        if self.attributes.get(LEGAL_HOLD) == Some(&AttributeValue::Flag(true)) {
            return Some("legal-hold");
        }
        matches!(self.lifecycle, Lifecycle::GardenLeave { .. }).then_some(Lifecycle::GARDEN_LEAVE)
    }

    /// What to call it in front of people: `display_name`, or the source key.
    pub fn display_name(&self) -> String {
        self.text("display_name").map_or_else(|| self.source_key.to_string(), str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_alone_starts_and_ends_but_absence_never_ends() {
        let t = |s: i64| Timestamp::from_second(s).unwrap();
        let at = |s| Effective::at(t(s));
        let check = |state: Lifecycle, now, expect: &str| assert_eq!(state.at(t(now)).name(), expect);
        check(Lifecycle::Pending { starts: at(10), ends: None }, 9, "pending");
        check(Lifecycle::Pending { starts: at(10), ends: None }, 10, "active");
        check(Lifecycle::Pending { starts: at(10), ends: Some(at(20)) }, 30, "left");
        check(Lifecycle::Active { ends: Some(at(20)) }, 19, "active");
        check(Lifecycle::Active { ends: Some(at(20)) }, 20, "left");
        check(Lifecycle::Absent { since: t(0), grace_until: t(5) }, 1_000, "absent");
        check(Lifecycle::Leave { ends: Some(at(20)) }, 19, "leave");
        check(Lifecycle::Leave { ends: Some(at(20)) }, 20, "left");
        check(Lifecycle::GardenLeave { since: at(1), ends: Some(at(20)) }, 19, "garden-leave");
        check(Lifecycle::GardenLeave { since: at(1), ends: Some(at(20)) }, 20, "left");
        check(Lifecycle::GardenLeave { since: at(1), ends: None }, 1_000, "garden-leave");
        // It is one departure from when they were kept out.
        let left = Lifecycle::GardenLeave { since: at(1), ends: Some(at(20)) }.at(t(20));
        assert_eq!((&left, left.gone()), (&Lifecycle::Left { at: at(20), kept_out: Some(t(1)) }, Some(t(1))));
        assert_eq!(Lifecycle::Leave { ends: Some(at(20)) }.at(t(20)).gone(), Some(t(20)));
    }
}
