//! Events: everything that makes the hub decide something.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    access::AccessClass,
    digest::Digest,
    id::{EventId, ExceptionId, IdentityId, SystemName, TerminationId},
    join::Act,
    time::{Effective, Timestamp},
};

/// The cause of plans for somebody who was fired.
pub const FIRED: &str = "termination";

/// The cause of plans for those who were joined or split.
pub const MERGED: &str = "join";

/// The names of the kinds by which somebody leaves, as records have them.
pub const LEAVES: [&str; 2] = ["left", "fired"];

/// Something that happened, accepted once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// Where it comes from: the name of a source, or `hub` for what the hub itself noticed.
    pub source: String,
    /// Unique in its source: the same event delivered twice is accepted once.
    pub key: String,
    /// Whom it is about.
    pub identity: IdentityId,
    /// What happened.
    pub kind: EventKind,
    /// When it takes effect.
    pub effective: Effective,
    /// When the hub accepted it.
    pub accepted: Timestamp,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum EventKind {
    /// Known for the first time, or known again after leaving.
    Joined,
    /// Attributes changed.
    Changed {
        /// Their names.
        attributes: Vec<String>,
    },
    /// Has left, positively said by the source or by a date that came.
    Left,
    /// Was made to leave by a person here, whatever the source says.
    Fired {
        /// By which termination.
        termination: TerminationId,
        /// Where the account is disabled although it would be deleted: nobody approved that.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        spared: BTreeSet<SystemName>,
    },
    /// Missing from a complete delivery of its source.
    Absent,
    /// Back in its source after being absent.
    Returned,
    /// The rules changed what should be held.
    PolicyChanged,
    /// A system was seen in a state that the hub did not make.
    Drifted {
        /// Where.
        system: SystemName,
        /// What differs, in words.
        what: String,
    },
    /// Access that should be gone was read back.
    Residue {
        /// Where.
        system: SystemName,
        /// Of which class.
        class: AccessClass,
        /// How many ways of removing it were tried before.
        tried: u8,
    },
    /// The disabled account of a leaver was kept long enough.
    Purge {
        /// Where.
        system: SystemName,
    },
    /// What was only blocked on a system when somebody left is gone for good, and they may use it again.
    Cleared {
        /// Where.
        system: SystemName,
    },
    /// What is declared of the hub itself or of an integration is to be changed.
    Governed {
        /// Why: `registration`, `widening`, `narrowing`, `withdrawal`, `retirement`, `configuration`, `review`.
        cause: Cause,
        /// What, in words.
        what: String,
    },
    /// A person asked that somebody holds something until an end.
    ExceptionAsked {
        /// Which exception.
        exception: ExceptionId,
        /// Where.
        systems: BTreeSet<SystemName>,
    },
    /// The time of an exception is over.
    ExceptionOver {
        /// Which exception.
        exception: ExceptionId,
        /// Where.
        systems: BTreeSet<SystemName>,
    },
    /// Two people said that two identities are one person, or are not.
    Merged {
        /// Which of both.
        act: Act,
        /// The digest of the changes that they saw for this one.
        seen: Digest,
    },
    /// A person asked for a change.
    Requested {
        /// What was asked, in words.
        what: String,
    },
}

/// Why something of the hub itself is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// An integration is new.
    Registration,
    /// An integration is to do more, or something that cannot be compared.
    Widening,
    /// An integration is to do less.
    Narrowing,
    /// What was approved is taken back.
    Withdrawal,
    /// An integration is to go.
    Retirement,
    /// Systems, entitlements, policies, automations or ties of persons are changed.
    Configuration,
    /// A reviewer certifies what an integration can do anew.
    Review,
}

impl Cause {
    /// The name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Widening => "widening",
            Self::Narrowing => "narrowing",
            Self::Withdrawal => "withdrawal",
            Self::Retirement => "retirement",
            Self::Configuration => "configuration",
            Self::Review => "review",
        }
    }
}

impl EventKind {
    /// The name, kebab-case.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Changed { .. } => "changed",
            Self::Left => "left",
            Self::Fired { .. } => "fired",
            Self::Absent => "absent",
            Self::Returned => "returned",
            Self::PolicyChanged => "policy-changed",
            Self::Drifted { .. } => "drifted",
            Self::Residue { .. } => "residue",
            Self::Purge { .. } => "purge",
            Self::Cleared { .. } => "cleared",
            Self::Governed { .. } => "governed",
            Self::ExceptionAsked { .. } => "exception-asked",
            Self::ExceptionOver { .. } => "exception-over",
            Self::Merged { act: Act::Join, .. } => "merged",
            Self::Merged { act: Act::Split, .. } => "split",
            Self::Requested { .. } => "requested",
        }
    }

    /// Whether somebody leaves by it.
    pub const fn leaves(&self) -> bool {
        match self {
            Self::Left | Self::Fired { .. } => true,
            Self::Joined
            | Self::Changed { .. }
            | Self::Absent
            | Self::Returned
            | Self::PolicyChanged
            | Self::Drifted { .. }
            | Self::Residue { .. }
            | Self::Purge { .. }
            | Self::Cleared { .. }
            | Self::Governed { .. }
            | Self::ExceptionAsked { .. }
            | Self::ExceptionOver { .. }
            | Self::Merged { .. }
            | Self::Requested { .. } => false,
        }
    }

    /// The word that approval policies see: `joiner`, `mover`, `leaver`, `termination`, `residue`, `drift`, `purge`, `exception`,
    /// `exception-end`, `join`, `request`.
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Joined | Self::Returned | Self::Cleared { .. } => "joiner",
            Self::Changed { .. } | Self::PolicyChanged => "mover",
            Self::Left => "leaver",
            Self::Fired { .. } => FIRED,
            Self::Absent => "absent",
            Self::Drifted { .. } => "drift",
            Self::Residue { .. } => "residue",
            Self::Purge { .. } => "purge",
            Self::Governed { cause, .. } => cause.as_str(),
            Self::ExceptionAsked { .. } => "exception",
            Self::ExceptionOver { .. } => "exception-end",
            Self::Merged { .. } => MERGED,
            Self::Requested { .. } => "request",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_name_what_leaves_as_it_is_named() {
        let termination = TerminationId::from_bytes([1; 16]);
        let fired = EventKind::Fired { termination, spared: BTreeSet::new() };
        assert_eq!(
            [EventKind::Left, fired].map(|kind| (kind.leaves(), kind.name())),
            LEAVES.map(|name| (true, name))
        );
    }
}
