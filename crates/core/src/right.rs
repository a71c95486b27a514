//! What an operator may do here besides reading: rights, and the roles that give them. Policies of `exercise` give more of
//! them and take them ([`PolicySet::rights`](crate::policy::PolicySet::rights)).

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::PolicyId;

/// What a role or a policy lets one do. Whether somebody may approve is a question of its own for the policies, and no right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// Change the configuration, credentials and operators; lift a quarantine.
    Govern,
    /// Accept what stands in for seeing.
    Accept,
    /// Deliver feeds and start reconciliations.
    Operate,
    /// Make people ready to go, and fire them. The engine looks at it, for what is done there is not to be seen by others.
    Terminate,
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Govern, Self::Accept, Self::Operate, Self::Terminate];

    /// The roles that give it.
    pub const fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Govern => &["admin"],
            Self::Accept => &["admin", "approver"],
            Self::Operate => &["admin", "operator"],
            Self::Terminate => &[crate::termination::ROLE],
        }
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Govern => "govern",
            Self::Accept => "accept",
            Self::Operate => "operate",
            Self::Terminate => "terminate",
        }
    }

    /// Whether one of the roles gives it, where no policy says otherwise.
    pub fn is_given_by(self, roles: &BTreeSet<String>) -> bool {
        self.roles().iter().any(|role| roles.contains(*role))
    }

    /// Whether no policy can take it from who has these roles: somebody must be able to mend the policies.
    pub fn is_kept_by(self, roles: &BTreeSet<String>) -> bool {
        self == Self::Govern && self.is_given_by(roles)
    }
}

/// What somebody may do now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    given: BTreeSet<Right>,
    /// What policies take, and which do.
    taken: BTreeMap<Right, Vec<PolicyId>>,
}

impl Rights {
    /// What the roles give by themselves.
    pub fn of_roles(roles: &BTreeSet<String>) -> Self {
        let given = Right::ALL.into_iter().filter(|right| right.is_given_by(roles)).collect();
        Self { given, taken: BTreeMap::new() }
    }

    /// Whether it is among them.
    pub fn has(&self, right: Right) -> bool {
        self.given.contains(&right)
    }

    /// All of them.
    pub const fn given(&self) -> &BTreeSet<Right> {
        &self.given
    }

    /// What policies take, and which do.
    pub const fn taken(&self) -> &BTreeMap<Right, Vec<PolicyId>> {
        &self.taken
    }

    /// The policies that take it, if any does.
    pub fn taken_by(&self, right: Right) -> Option<&[PolicyId]> {
        self.taken.get(&right).map(Vec::as_slice)
    }

    /// Those alone that are among these too.
    #[must_use]
    pub fn within(mut self, rights: &BTreeSet<Right>) -> Self {
        self.given.retain(|right| rights.contains(right));
        self
    }

    pub(crate) fn give(&mut self, right: Right) {
        self.given.insert(right);
    }

    pub(crate) fn take(&mut self, right: Right, by: Vec<PolicyId>) {
        self.given.remove(&right);
        self.taken.insert(right, by);
    }
}
