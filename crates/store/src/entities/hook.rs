//! Hints of systems, and what they are signed with.

use bailiwick_core::{digest::Digest, id::IntegrationName, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Entity, KeyValue, Table};

/// That a system may send hints. What it signs them with follows from the key of the tenant and is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// The integration; it has one at a time.
    pub integration: IntegrationName,
    /// Which secret it is, counted from 1.
    pub number: u64,
    /// When that was made; the one before goes on working for a day.
    pub made: Timestamp,
    /// Since when none is taken, if so. The row stays, so that no secret comes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

/// A hint that was taken, for as long as the same could come again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// Whose.
    pub integration: IntegrationName,
    /// SHA-256 of its id.
    pub id: Digest,
    /// When it came.
    pub at: Timestamp,
    /// When the system is read for it, and for all others that come before that.
    pub read: Timestamp,
}

impl Hint {
    /// The id in the store of the hint with this id.
    pub fn key_of(integration: &IntegrationName, id: Digest) -> String {
        format!("{integration}/{id}")
    }
}

impl Entity for Hook {
    const TABLE: Table = Table::Hooks;
    fn key(&self) -> String {
        self.integration.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![]
    }
}

impl Entity for Hint {
    const TABLE: Table = Table::Hints;
    fn key(&self) -> String {
        Self::key_of(&self.integration, self.id)
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.integration.as_str().into()]
    }
}
