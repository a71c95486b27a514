//! Authority: what an integration can in effect do, computed and never typed in.
//!
//! What it may do directly (its scope × what its connector can do) is the start. From there the edges of
//! hidden authority are followed: an attribute that a policy reads leads to the entitlements that the
//! policy can touch, an automation leads from what sets it off to what it does. The class is the largest
//! effect at the end of any path.

pub mod blast;
mod compute;
mod edges;
mod explain;
mod touch;

use std::{collections::BTreeSet, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use compute::compute;
pub use touch::{BadTouch, Touch};

use crate::{
    access::AccessClass,
    automation::Automation,
    digest::Digest,
    id::AutomationName,
    policy::{PolicyId, PolicyReads},
    system::Entitlement,
};

/// The class of an integration: the largest effect that it can reach.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[schemars(rename = "AuthorityClass")]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Changes nothing.
    #[default]
    Advisory,
    /// Executes or influences changes that somebody else decides.
    Operational,
    /// Decides who exists or what somebody holds, or issues credentials.
    Authoritative,
}

impl Class {
    /// The name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Advisory => "advisory",
            Self::Operational => "operational",
            Self::Authoritative => "authoritative",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What kind of effect the end of a path has. Ordered by weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AuthorityEffect")]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Nothing follows from it.
    None,
    /// A person decides before anything follows.
    Influences,
    /// The hub decides and it carries out.
    Executes,
    /// Nobody else decides.
    Decides,
}

/// Why one touch leads to the next.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PathBecause")]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// A policy reads the attribute.
    Policy(PolicyId),
    /// An automation does it.
    Automation {
        /// Its name.
        name: AutomationName,
        /// What people call it.
        title: String,
    },
    /// The group was seen in another on its system.
    Nested {
        /// What the groups in between are called, from the inner one outwards.
        through: Vec<String>,
    },
}

/// One way from an integration to an effect.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AuthorityPath")]
pub struct Path {
    /// What the integration touches itself.
    pub start: Touch,
    /// What follows, and why.
    pub steps: Vec<(Because, Touch)>,
    /// What the end of it amounts to.
    pub effect: Effect,
}

impl Path {
    /// What is reached.
    pub fn end(&self) -> &Touch {
        self.steps.last().map_or(&self.start, |(_, touch)| touch)
    }
}

/// What an integration can in effect do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Authority {
    /// The largest effect.
    pub class: Class,
    /// What it touches itself, and every way to an effect: for each start and end the one with the largest
    /// effect, of those the shortest.
    pub paths: BTreeSet<Path>,
}

impl Authority {
    /// Identifies it: the same authority has the same digest.
    pub fn digest(&self) -> Digest {
        Digest::of_value(self)
    }

    /// What it reaches.
    pub fn reach(&self) -> BTreeSet<(&Touch, Effect)> {
        self.paths.iter().map(|path| (path.end(), path.effect)).collect()
    }

    /// Whether everything that it reaches is reached by `other` with at least the same effect.
    pub fn within(&self, other: &Self) -> bool {
        self.reach()
            .iter()
            .all(|(end, effect)| other.paths.iter().any(|path| path.end() == *end && path.effect >= *effect))
    }
}

/// What a connector makes of operations, as far as authority depends on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Semantics {
    /// It makes, changes and removes accounts.
    pub writes_accounts: bool,
    /// The classes that it gives.
    pub grants: BTreeSet<AccessClass>,
    /// The classes that it takes.
    pub removes: BTreeSet<AccessClass>,
    /// The classes whose credentials it issues.
    pub issues: BTreeSet<AccessClass>,
}

/// What authority is computed from, besides the integration itself.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// What its connector makes of operations.
    pub semantics: &'a Semantics,
    /// The entitlements that are declared.
    pub entitlements: &'a [Entitlement],
    /// What the policies read and can touch.
    pub policies: &'a [PolicyReads],
    /// The automations that are known.
    pub automations: &'a [Automation],
}
