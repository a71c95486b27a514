//! What a plan about the hub itself asks of those who approve it.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{authority::Class, id::IntegrationName};

/// What a plan about the hub itself is for, as those who approve it must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Governs {
    /// What it asks for.
    pub question: Question,
    /// The integration it is about, or the hub.
    pub subject: IntegrationName,
    /// The computed class of the integration after it.
    pub class: Class,
    /// Whether it gives more than was certified.
    pub widens: bool,
    /// Whether what is new in the scope must have been tried before it is approved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tested: bool,
    /// Owner and backup, before and after, `source/key`.
    pub owners: BTreeSet<String>,
}

/// What a plan about the hub itself asks those who approve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// May it be connected?
    IntegrationApproved,
    /// May it change who has access?
    IdentityAuthorityApproved,
    /// May the hub's systems, entitlements, policies be so?
    Configuration,
    /// Is less of it wanted? One person is enough.
    Less,
}

impl Question {
    /// The name, kebab-case; approval policies see it as `question`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IntegrationApproved => "integration-approved",
            Self::IdentityAuthorityApproved => "identity-authority-approved",
            Self::Configuration => "configuration",
            Self::Less => "less",
        }
    }
}
