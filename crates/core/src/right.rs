//! What an operator may do here besides reading: rights, and the roles that give them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What a role lets one do. Whether somebody may approve is a question for the policies, and no right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// Change the configuration, credentials and operators; lift a quarantine.
    Govern,
    /// Accept what stands in for seeing.
    Accept,
    /// Deliver feeds and start reconciliations.
    Operate,
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Govern, Self::Accept, Self::Operate];

    /// The roles that give it.
    pub const fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Govern => &["admin"],
            Self::Accept => &["admin", "approver"],
            Self::Operate => &["admin", "operator"],
        }
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Govern => "govern",
            Self::Accept => "accept",
            Self::Operate => "operate",
        }
    }

    /// Whether one of the roles gives it.
    pub fn is_given_by(self, roles: &BTreeSet<String>) -> bool {
        self.roles().iter().any(|role| roles.contains(*role))
    }
}
