//! One thing that can be done.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::AccessClass,
    id::{EntitlementName, IntegrationName, ResourceTypeName, SystemName},
    scope::ScopeRule,
};

/// What is done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PowerTo")]
#[serde(rename_all = "kebab-case")]
pub enum Can {
    /// Made anew.
    Create,
    /// Given to somebody.
    Give,
    /// Changed.
    Change,
    /// Taken from somebody.
    Take,
    /// Read.
    Read,
}

impl Can {
    /// The name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Give => "give",
            Self::Change => "change",
            Self::Take => "take",
            Self::Read => "read",
        }
    }
}

/// What something is done with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PowerOver")]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Thing {
    /// Who exists.
    Identities,
    /// An attribute of identities.
    Attribute {
        /// Its name.
        name: String,
    },
    /// Accounts on a system.
    Accounts {
        /// The system.
        system: SystemName,
    },
    /// What accounts have there, as far as it goes, and comes back, with the account.
    WithAccounts {
        /// The system.
        system: SystemName,
    },
    /// Anything of a class that an account holds, declared or not.
    Held {
        /// The system.
        system: SystemName,
        /// The class.
        class: AccessClass,
    },
    /// The groups and roles themselves: what they are called, what is inside of them.
    Holders {
        /// The system.
        system: SystemName,
    },
    /// What lets somebody in.
    Credentials {
        /// The system.
        system: SystemName,
        /// Its class, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<AccessClass>,
    },
    /// A declared entitlement.
    Entitlement {
        /// Its name.
        name: EntitlementName,
        /// Its class; unknown of one that is not declared.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<AccessClass>,
    },
    /// Things such as tickets.
    Objects {
        /// `system/name`.
        name: EntitlementName,
    },
    /// What may be done to resources of a type.
    Access {
        /// The type.
        of: ResourceTypeName,
    },
    /// Notes that a person may read.
    Signals,
    /// What the other side shows.
    Shown,
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identities => f.write_str("who exists"),
            Self::Attribute { name } => write!(f, "attribute {name}"),
            Self::Accounts { system } => write!(f, "accounts on {system}"),
            Self::WithAccounts { system } => write!(f, "what goes and comes with accounts on {system}"),
            Self::Held { system, class } => write!(f, "{} on {system}", class.title()),
            Self::Holders { system } => write!(f, "the groups and roles of {system} themselves"),
            Self::Credentials { system, class: None } => write!(f, "credentials on {system}"),
            Self::Credentials { system, class: Some(class) } => write!(f, "{} on {system}", class.title()),
            Self::Entitlement { name, .. } => write!(f, "entitlement {name}"),
            Self::Objects { name } => write!(f, "object {name}"),
            Self::Access { of } => write!(f, "who may use {of}"),
            Self::Signals => f.write_str("signals"),
            Self::Shown => f.write_str("what it shows"),
        }
    }
}

/// One thing that can be done, by what, and how far.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Power {
    /// Whose power it is.
    pub integration: IntegrationName,
    /// What is done.
    pub can: Can,
    /// With what.
    pub thing: Thing,
    /// The shape of the calls that do it; `None` when others do it or it is done without the hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<ScopeRule>,
    /// By what, in words.
    pub by: String,
    /// Whether a person has to agree in between.
    pub by_person: bool,
    /// What limits it; empty when nothing does.
    pub limits: Vec<String>,
}
