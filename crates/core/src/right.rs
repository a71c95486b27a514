//! What an operator may do here besides reading: rights, and the roles that give them.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a role lets one do. Whether somebody may approve is a question for the policies, and no right.
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

    /// Whether one of the roles gives it.
    pub fn is_given_by(self, roles: &BTreeSet<String>) -> bool {
        self.roles().iter().any(|role| roles.contains(*role))
    }
}
