//! Drills: a canary that got real credentials leaves as a person would, and each of them is tried.
//!
//! Reading back says what a system shows; a credential that is tried says what is so. Where a credential gets in
//! behind a read that was clean, what is read of that class is not believed any more.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::AccessClass,
    digest::Digest,
    id::{IntegrationName, SystemName},
    time::Timestamp,
    verify::Verdict,
};

/// The last drill of one system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drill {
    /// The system.
    pub system: SystemName,
    /// The integration that it was drilled through.
    pub integration: IntegrationName,
    /// Digest of the connector, endpoint and settings it was drilled with.
    pub basis: Digest,
    /// The version of the program that drilled it: its connectors come with it. Empty for a drill of before that was
    /// written down.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
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
    /// The classes of which a drill got in behind a clean read, and until when that is doubted: the drill that found
    /// it mended. Until there was one, it is doubted without end.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub doubts: BTreeMap<AccessClass, Option<Timestamp>>,
}

/// What came of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drilled {
    /// The class.
    pub class: AccessClass,
    /// What reading back said after the canary had left, as it would of a person.
    pub read: Verdict,
    /// What became of the credential of that class.
    pub tried: Tried,
}

/// What became of a credential that the canary had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DrillTried")]
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

    /// Whether it was done with this configuration, by this version of the program.
    pub fn is_of(&self, basis: Digest, version: &str) -> bool {
        self.basis == basis && self.version == version
    }

    /// The classes that the system has and of which no credential was tried, and why. Of these the drill shows no more than
    /// reading back does.
    pub fn untried(&self) -> BTreeMap<AccessClass, &str> {
        let untried = self.drilled.iter().filter_map(|drilled| match &drilled.tried {
            Tried::Not { why } => Some((drilled.class, why.as_str())),
            Tried::TurnedAway | Tried::LetIn => None,
        });
        untried.collect()
    }

    /// What is doubted after it, given what was `before`. A class is believed again from the drill on whose
    /// credential was turned away; what was ended before that may be alive all the same.
    pub fn doubting(mut self, before: &BTreeMap<AccessClass, Option<Timestamp>>) -> Self {
        self.doubts = before.clone();
        for drilled in &self.drilled {
            match drilled.finding() {
                Finding::Untrusted => drop(self.doubts.insert(drilled.class, None)),
                Finding::Proven => {
                    self.doubts.entry(drilled.class).and_modify(|until| *until = until.or(Some(self.at)));
                }
                Finding::Read | Finding::Unseen | Finding::Alive => {}
            }
        }
        self
    }

    /// What is to be said of a class in the case of somebody whose access was `changed` last then, given what was
    /// read. What a drill showed to be untrue proves nothing.
    pub fn believed(&self, class: AccessClass, changed: Timestamp, read: Verdict) -> Verdict {
        let doubted = self.doubts.get(&class).is_some_and(|until| until.is_none_or(|until| changed < until));
        match read {
            Verdict::Removed | Verdict::Blocked { .. } if doubted => {
                let why = format!("a drill got in behind a clean read of {class}");
                Verdict::Unobservable { why, control: None }
            }
            read => read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASS: AccessClass = AccessClass::ApiTokens;

    fn check(read: Verdict, tried: Tried, expect: Finding) {
        let drilled = Drilled { class: CLASS, read: read.clone(), tried };
        assert_eq!(drilled.finding(), expect, "{drilled:?}");
        let drill = drill(10, vec![drilled]).doubting(&BTreeMap::new());
        assert_eq!(drill.passed(), expect < Finding::Alive);
        let believed = drill.believed(CLASS, t(20), read.clone());
        assert_eq!(believed == read, expect != Finding::Untrusted, "{believed:?}");
        let other = drill.believed(AccessClass::Sessions, t(20), read.clone());
        assert_eq!(other, read, "of another class it says nothing");
    }

    fn t(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn drill(at: i64, drilled: Vec<Drilled>) -> Drill {
        Drill {
            system: SystemName::new("chat").unwrap(),
            integration: IntegrationName::new("chat").unwrap(),
            basis: Digest::of(b""),
            version: "1".into(),
            at: t(at),
            by: "ada".into(),
            canary: None,
            ways: 1,
            drilled,
            doubts: BTreeMap::new(),
        }
    }

    #[test]
    fn a_drill_says_what_it_did_not_try_and_with_what_it_was_done() {
        let of = |class, tried| Drilled { class, read: Verdict::Removed, tried };
        let not = Tried::Not { why: "it gives none".into() };
        let drill = drill(10, vec![of(CLASS, Tried::TurnedAway), of(AccessClass::Sessions, not)]);
        assert_eq!(drill.untried(), [(AccessClass::Sessions, "it gives none")].into());
        let basis = drill.basis;
        for (basis, version, expect) in
            [(basis, "1", true), (basis, "2", false), (Digest::of(b"x"), "1", false)]
        {
            assert_eq!(drill.is_of(basis, version), expect, "{basis} {version}");
        }
    }

    #[test]
    fn what_was_ended_while_it_was_doubted_stays_doubted() {
        let of = |tried| vec![Drilled { class: CLASS, read: Verdict::Removed, tried }];
        let not = || Tried::Not { why: "it gives none".into() };
        let lied = drill(10, of(Tried::LetIn)).doubting(&BTreeMap::new());
        let unsaid = drill(20, of(not())).doubting(&lied.doubts);
        let mended = drill(30, of(Tried::TurnedAway)).doubting(&unsaid.doubts);
        let still = drill(40, of(Tried::TurnedAway)).doubting(&mended.doubts);
        let again = drill(50, of(Tried::LetIn)).doubting(&still.doubts);
        let believed =
            |drill: &Drill, changed| drill.believed(CLASS, t(changed), Verdict::Removed) == Verdict::Removed;
        for (drill, at, expect) in [
            (&lied, 60, false),
            (&unsaid, 60, false),
            (&mended, 29, false),
            (&mended, 30, true),
            (&still, 29, false),
            (&still, 31, true),
            (&again, 31, false),
        ] {
            assert_eq!(believed(drill, at), expect, "{:?} at {at}", drill.at);
        }
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
