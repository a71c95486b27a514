//! What a system shows against what was decided and what was last applied: which differences there are, of which
//! class, and what is done about each class.
//!
//! [`classify`] looks at one account three ways: what should be, what the hub last applied, what was observed. What
//! should be, was never given and is not there is no difference: the flow gives it. Nor is what was given, is not
//! wanted any more and is still there: the flow takes it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{account::AccountState, id::EntitlementName, plan::Desired};

/// The class of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DifferenceClass")]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Access of somebody who has left, or who bears the mark of a source that does not know them.
    Ghost,
    /// Access that nobody decided.
    Rogue,
    /// Decided, applied, and gone.
    Missing,
    /// The account is not as it was applied.
    Drifted,
    /// Several use it: it is declared so, or two identities claim it.
    Shared,
    /// Changed by somebody else to what should be.
    OutOfBand,
    /// An account that belongs to nobody known.
    Unmanaged,
}

impl Class {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 7] = [
        Self::Ghost,
        Self::Rogue,
        Self::Missing,
        Self::Drifted,
        Self::Shared,
        Self::OutOfBand,
        Self::Unmanaged,
    ];

    /// The name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ghost => "ghost",
            Self::Rogue => "rogue",
            Self::Missing => "missing",
            Self::Drifted => "drifted",
            Self::Shared => "shared",
            Self::OutOfBand => "out-of-band",
            Self::Unmanaged => "unmanaged",
        }
    }

    /// What is done about it where configuration says nothing.
    pub const fn usual(self) -> Answer {
        match self {
            Self::Ghost | Self::Rogue | Self::Missing | Self::Drifted => Answer::Revert,
            Self::Shared | Self::OutOfBand | Self::Unmanaged => Answer::Tell,
        }
    }

    /// Why the answer cannot be given, if it cannot.
    pub const fn refuses(self, answer: Answer) -> Option<&'static str> {
        match (self, answer) {
            (
                Self::Rogue | Self::Missing | Self::Drifted,
                Answer::Revert | Answer::Adopt | Answer::Except { .. },
            )
            | (Self::Ghost, Answer::Revert)
            | (Self::Shared | Self::OutOfBand | Self::Unmanaged, Answer::Tell) => None,
            (Self::Rogue, Answer::Tell) => {
                Some("access that nobody decided does not stay without a decision")
            }
            (Self::Ghost, _) => Some("nothing is kept for somebody who is not here"),
            (Self::Missing | Self::Drifted, Answer::Tell) => {
                Some("what should be does not stay away without a decision")
            }
            (Self::Shared, _) => Some("who looks after a shared account is declared under `shared`"),
            (Self::OutOfBand, _) => Some("it is as it should be, so nothing can be reverted or kept"),
            (Self::Unmanaged, _) => {
                Some("a plan is for somebody, and whose it is must be found out by a person")
            }
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is done about a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DifferenceAnswer")]
#[serde(rename_all = "kebab-case", tag = "answer")]
pub enum Answer {
    /// It is put back, by an event and a plan like all others.
    Revert,
    /// It stays as it was found if a person approves that, for a year; otherwise it is put back.
    Adopt,
    /// It stays as it was found for so many days if a person approves that; otherwise, and then, it is put back.
    Except {
        /// How many.
        days: u16,
    },
    /// It is shown, and where somebody has to act a finding says so.
    Tell,
}

/// What was adopted is asked for again after so many days: nothing is kept for ever that no policy gives.
pub const ADOPTED_DAYS: u16 = 365;

impl Answer {
    /// For how many days a person is asked, if one is.
    pub const fn days(self) -> Option<u16> {
        match self {
            Self::Adopt => Some(ADOPTED_DAYS),
            Self::Except { days } => Some(days),
            Self::Revert | Self::Tell => None,
        }
    }

    /// The name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revert => "revert",
            Self::Adopt => "adopt",
            Self::Except { .. } => "except",
            Self::Tell => "tell",
        }
    }
}

/// What a difference is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "what", content = "name")]
pub enum Aspect {
    /// The account as a whole.
    Account,
    /// Whether it can be used.
    Use,
    /// One of its attributes.
    Attribute(String),
    /// Something that it holds.
    Entitlement(EntitlementName),
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account => f.write_str("the account"),
            Self::Use => f.write_str("whether it can be used"),
            Self::Attribute(name) => f.write_str(name),
            Self::Entitlement(name) => write!(f, "{name}"),
        }
    }
}

/// Whose an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Somebody who is known and has not left.
    Known,
    /// Somebody who has left.
    Left,
    /// It bears the mark of somebody whom their source does not know.
    Stranger,
    /// It is known as one identity's and bears the mark of another.
    Several,
    /// Declared as used by several.
    Shared,
    /// Nobody known.
    Nobody,
}

/// One account, seen three ways.
#[derive(Debug, Clone, Copy)]
pub struct Compared<'a> {
    /// Whose it is.
    pub owner: Owner,
    /// What should be; nothing where no account is wanted.
    pub desired: Option<&'a Desired>,
    /// What the hub last applied; nothing where it never wrote.
    pub applied: Option<&'a AccountState>,
    /// What was known before this observation: what is as it was is told once.
    pub known: Option<&'a AccountState>,
    /// What was observed; nothing where the account is proven to be absent.
    pub observed: Option<&'a AccountState>,
}

/// One difference of an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Its class.
    pub class: Class,
    /// What it is about.
    #[serde(flatten)]
    pub aspect: Aspect,
}

impl Difference {
    /// Whether somebody else took something away that should be there.
    pub const fn is_loss(&self) -> bool {
        match self.class {
            Class::Missing | Class::Drifted => !matches!(self.aspect, Aspect::Attribute(_)),
            Class::Ghost | Class::Rogue | Class::Shared | Class::OutOfBand | Class::Unmanaged => false,
        }
    }

    /// Whether the whole account was taken away: it is blocked, or gone.
    pub fn is_loss_of_all(&self) -> bool {
        self.is_loss() && matches!(self.aspect, Aspect::Use | Aspect::Account)
    }
}

/// The differences of an account, the most urgent first.
pub fn classify(compared: &Compared<'_>) -> Vec<Difference> {
    let whole = |class| vec![Difference { class, aspect: Aspect::Account }];
    if compared.observed.is_some() {
        match compared.owner {
            Owner::Nobody => return whole(Class::Unmanaged),
            Owner::Stranger => return whole(Class::Ghost),
            Owner::Shared => return whole(Class::Shared),
            Owner::Known | Owner::Left | Owner::Several => {}
        }
    }
    let mut out = Vec::new();
    if compared.owner == Owner::Several && compared.observed.is_some() {
        out.extend(whole(Class::Shared));
    }
    out.extend(compared.account());
    if compared.observed.is_some() {
        out.extend(compared.attributes());
        out.extend(compared.entitlements());
    }
    out.sort();
    out
}

impl Compared<'_> {
    /// Whether there is an account that can be used.
    fn account(&self) -> Option<Difference> {
        let usable = |state: Option<&AccountState>| state.is_some_and(|state| state.active);
        let Self { desired, applied, known, observed, .. } = self;
        let difference = |class, aspect| Some(Difference { class, aspect });
        if desired.is_some() && applied.is_some() && observed.is_none() {
            return difference(Class::Missing, Aspect::Account);
        }
        // What was never known of somebody who has left is in no case of theirs, also where the account cannot be used: a
        // token may work without it.
        let found = known.is_none() && applied.is_none() && observed.is_some();
        if found && desired.is_none() && self.owner == Owner::Left {
            return difference(Class::Ghost, Aspect::Account);
        }
        let class = self.of_one(
            desired.is_some(),
            applied.map(|state| state.active),
            usable(*known),
            usable(*observed),
        )?;
        match class {
            // It is there and blocked.
            Class::Missing => difference(Class::Drifted, Aspect::Use),
            Class::OutOfBand if observed.is_some() => difference(class, Aspect::Use),
            other => difference(other, Aspect::Account),
        }
    }

    /// The attributes that should be somehow.
    fn attributes(&self) -> Vec<Difference> {
        let value = |state: Option<&AccountState>, name: &String| {
            state.and_then(|state| state.attributes.get(name)).cloned()
        };
        let wanted = self.desired.iter().flat_map(|desired| &desired.attributes);
        let different = |(name, wanted): (&String, _)| {
            let (before, now) = (value(self.applied, name), value(self.observed, name));
            // What was never applied is for the flow to set: the account had it before it was managed.
            if before.is_none() || before == now {
                return None;
            }
            let class = match now.as_ref() == Some(wanted) {
                false => Class::Drifted,
                true if value(self.known, name) != now => Class::OutOfBand,
                true => return None,
            };
            Some(Difference { class, aspect: Aspect::Attribute(name.clone()) })
        };
        wanted.filter_map(different).collect()
    }

    /// What it holds and what it should hold.
    fn entitlements(&self) -> Vec<Difference> {
        let wanted = |name: &EntitlementName| self.desired.is_some_and(|d| d.entitlements.contains_key(name));
        let has = |state: Option<&AccountState>, name: &EntitlementName| {
            state.is_some_and(|state| state.entitlements.contains(name))
        };
        let mut all: BTreeSet<&EntitlementName> =
            self.desired.iter().flat_map(|desired| desired.entitlements.keys()).collect();
        for state in [self.applied, self.observed].into_iter().flatten() {
            all.extend(&state.entitlements);
        }
        let different = |name: &EntitlementName| {
            let applied = self.applied.map(|_| has(self.applied, name));
            let class =
                self.of_one(wanted(name), applied, has(self.known, name), has(self.observed, name))?;
            Some(Difference { class, aspect: Aspect::Entitlement(name.clone()) })
        };
        all.into_iter().filter_map(different).collect()
    }

    /// One thing that is there or not: whether it should be, whether it was so when the hub last wrote, and is.
    fn of_one(&self, wanted: bool, applied: Option<bool>, known: bool, observed: bool) -> Option<Class> {
        match (wanted, applied, observed) {
            (false, None | Some(false), true) if self.owner == Owner::Left => Some(Class::Ghost),
            (false, None | Some(false), true) => Some(Class::Rogue),
            (true, Some(true), false) => Some(Class::Missing),
            (true, Some(false), true) | (false, Some(true), false) => {
                (known != observed).then_some(Class::OutOfBand)
            }
            (true, None, _) | (true, Some(false), false) | (true, Some(true), true) => None,
            (false, None | Some(false), false) | (false, Some(true), true) => None,
        }
    }
}

/// What is done on one system: the answers that are not the usual ones, who looks after shared accounts, and how much
/// one comparison may set in motion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reconciling {
    /// Class → what is done, where it is not the usual answer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub answers: BTreeMap<Class, Answer>,
    /// Sign-in name of an account that several use → who looks after it, `source/key`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub shared: BTreeMap<String, String>,
    /// The share of the known accounts about which one comparison files something, percent.
    pub max_change_percent: u8,
    /// About so many it always may, whatever the share.
    pub always_allowed: u64,
}

impl Default for Reconciling {
    fn default() -> Self {
        Self { answers: BTreeMap::new(), shared: BTreeMap::new(), max_change_percent: 30, always_allowed: 25 }
    }
}

impl Reconciling {
    /// What is done about a class.
    pub fn answer(&self, class: Class) -> Answer {
        self.answers.get(&class).copied().unwrap_or(class.usual())
    }

    /// About how many of `known` accounts one comparison files something.
    pub fn allowed(&self, known: u64) -> u64 {
        (known * u64::from(self.max_change_percent)).div_ceil(100).max(self.always_allowed)
    }

    /// Whether nothing is said.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}
