//! Integrations: connector + system + credentials + scope + owner.

use serde::{Deserialize, Serialize};

use crate::{
    contract::SourceContract,
    id::{IntegrationName, SourceName, SystemName},
    scope::Scope,
    time::Timestamp,
};

/// What a credential is for. Reading, writing and verifying are different rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Changes the system.
    Write,
    /// Reads it back, independently of the writer.
    Verify,
}

impl Purpose {
    /// The name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Verify => "verify",
        }
    }
}

/// Whether an integration may be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Standing {
    /// In use.
    Enabled,
    /// Stopped, because a call was outside of its scope or somebody stopped it. Nothing goes out.
    Quarantined {
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: String,
    },
}

/// Which end of the flow an integration serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "role")]
pub enum Role {
    /// Identities come from it.
    Source {
        /// The name of the source.
        source: SourceName,
        /// What it promises.
        contract: SourceContract,
    },
    /// Access is held there.
    Target {
        /// The system.
        system: SystemName,
    },
}

/// A configured, governed instance of a connector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Integration {
    /// Its name.
    pub name: IntegrationName,
    /// What it is for.
    pub purpose: String,
    /// Who answers for it, `source/key` of a person.
    pub owner: String,
    /// Who answers when the owner cannot; somebody else.
    pub backup: String,
    /// The kind of connector: `csv`, `scim`, …
    pub connector: String,
    /// The one address that it may talk to: an `http(s)` URL or a `file:` folder.
    pub endpoint: String,
    /// Source or target.
    #[serde(flatten)]
    pub role: Role,
    /// What it may do.
    pub scope: Scope,
    /// Settings for the connector, checked by the connector.
    #[serde(default)]
    pub settings: serde_json::Value,
    /// Whether it may be used.
    pub standing: Standing,
}
