//! Drills: a canary that got real credentials leaves as a person would, and each of them is tried.
//!
//! Reading back says what a system shows; a credential that is tried says what is so. Where a credential gets in
//! behind a read that was clean, what is read of that class is not believed any more.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    access::AccessClass,
    digest::Digest,
    id::{IntegrationName, SystemName},
    time::Timestamp,
    verify::Verdict,
};

/// The last drill of one system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// The system.
    pub system: SystemName,
    /// The integration that it was drilled through.
    pub integration: IntegrationName,
    /// Digest of the connector, endpoint and settings it was drilled with.
    pub basis: Digest,
    /// When.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: String,
    /// The marker of a canary that is still there; the next drill removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<String>,
    /// How many ways of removing it took, the last one included.
    pub ways: u8,
    /// What came of each class that the system has.
    pub drilled: Vec<Drilled>,
}

/// What came of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drilled {
    /// The class.
    pub class: AccessClass,
    /// What reading back said after the canary had left, as it would of a person.
    pub read: Verdict,
    /// What became of the credential of that class.
    pub tried: Tried,
}

/// What became of a credential that the canary had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "tried")]
pub enum Tried {
    /// It got in before, and was turned away after.
    TurnedAway,
    /// It still got in.
    LetIn,
    /// The canary had none that got in before, so nothing can be said.
    Not {
        /// Why.
        why: String,
    },
}

/// What a drill says of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// A credential worked, and does not any more.
    Proven,
    /// Reading back says that it is gone; nothing could be tried.
    Read,
    /// Neither reading nor trying says anything.
    Unseen,
    /// Something was left, and reading back says so.
    Alive,
    /// A credential gets in although reading back says that nothing is left.
    Untrusted,
}

impl Finding {
    /// The name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Read => "read",
            Self::Unseen => "unseen",
            Self::Alive => "alive",
            Self::Untrusted => "untrusted",
        }
    }
}

impl Drilled {
    /// What it comes to.
    pub const fn finding(&self) -> Finding {
        match (&self.read, &self.tried) {
            (Verdict::Removed | Verdict::Blocked { .. }, Tried::LetIn) => Finding::Untrusted,
            (Verdict::Residual { .. } | Verdict::Pending { .. }, _)
            | (Verdict::Unobservable { .. }, Tried::LetIn) => Finding::Alive,
            (
                Verdict::Removed | Verdict::Blocked { .. } | Verdict::Unobservable { .. },
                Tried::TurnedAway,
            ) => Finding::Proven,
            (Verdict::Removed | Verdict::Blocked { .. }, Tried::Not { .. }) => Finding::Read,
            (Verdict::Unobservable { .. }, Tried::Not { .. }) => Finding::Unseen,
        }
    }
}

impl Drill {
    /// The classes of which what is read is not true.
    pub fn untrusted(&self) -> BTreeSet<AccessClass> {
        self.of(Finding::Untrusted)
    }

    /// The classes of which something was left.
    pub fn alive(&self) -> BTreeSet<AccessClass> {
        self.of(Finding::Alive)
    }

    /// Whether nothing was found alive.
    pub fn passed(&self) -> bool {
        self.drilled.iter().all(|drilled| drilled.finding() < Finding::Alive)
    }

    fn of(&self, finding: Finding) -> BTreeSet<AccessClass> {
        let mine = self.drilled.iter().filter(|drilled| drilled.finding() == finding);
        mine.map(|drilled| drilled.class).collect()
    }

    /// Whether it was done with this configuration.
    pub fn is_of(&self, basis: Digest) -> bool {
        self.basis == basis
    }

    /// What is to be said of a class in the case of somebody who left, given what was read. What a drill showed
    /// to be untrue proves nothing.
    pub fn believed(&self, class: AccessClass, read: Verdict) -> Verdict {
        match read {
            Verdict::Removed | Verdict::Blocked { .. } if self.untrusted().contains(&class) => {
                Verdict::Unobservable { why: self.why(class), control: None }
            }
            read => read,
        }
    }

    /// Why what is read of a class is not believed.
    fn why(&self, class: AccessClass) -> String {
        format!("the drill of {:.0} got in behind a clean read of {class}", self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASS: AccessClass = AccessClass::ApiTokens;

    fn check(read: Verdict, tried: Tried, expect: Finding) {
        let drilled = Drilled { class: CLASS, read: read.clone(), tried };
        assert_eq!(drilled.finding(), expect, "{drilled:?}");
        let drill = Drill {
            system: SystemName::new("chat").unwrap(),
            integration: IntegrationName::new("chat").unwrap(),
            basis: Digest::of(b""),
            at: Timestamp::UNIX_EPOCH,
            by: "ada".into(),
            canary: None,
            ways: 1,
            drilled: vec![drilled],
        };
        assert_eq!(drill.passed(), expect < Finding::Alive);
        let believed = drill.believed(CLASS, read.clone());
        assert_eq!(believed == read, expect != Finding::Untrusted, "{believed:?}");
        assert_eq!(
            drill.believed(AccessClass::Sessions, read.clone()),
            read,
            "of another class it says nothing"
        );
    }

    #[test]
    fn a_credential_that_gets_in_counts_for_more_than_what_is_read() {
        let purges = Verdict::Blocked { purges_at: Some(Timestamp::UNIX_EPOCH) };
        let residual = Verdict::Residual { what: vec!["ci".into()] };
        let pending = Verdict::Pending { until: Timestamp::UNIX_EPOCH };
        let unseen = Verdict::Unobservable { why: "no list".into(), control: None };
        let not = || Tried::Not { why: "it gives none".into() };
        check(Verdict::Removed, Tried::TurnedAway, Finding::Proven);
        check(Verdict::Removed, Tried::LetIn, Finding::Untrusted);
        check(Verdict::Removed, not(), Finding::Read);
        check(purges.clone(), Tried::TurnedAway, Finding::Proven);
        check(purges.clone(), Tried::LetIn, Finding::Untrusted);
        check(purges, not(), Finding::Read);
        check(residual.clone(), Tried::TurnedAway, Finding::Alive);
        check(residual.clone(), Tried::LetIn, Finding::Alive);
        check(residual, not(), Finding::Alive);
        check(pending, Tried::TurnedAway, Finding::Alive);
        check(unseen.clone(), Tried::TurnedAway, Finding::Proven);
        check(unseen.clone(), Tried::LetIn, Finding::Alive);
        check(unseen, not(), Finding::Unseen);
    }
}
