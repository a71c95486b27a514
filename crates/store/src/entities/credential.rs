//! What integrations are let in by, here and at their systems.

use bailiwick_core::{digest::Digest, id::IntegrationName, integration::Purpose, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Entity, KeyValue, Table};

/// The token by which an integration calls at the door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The integration; it has one token at a time.
    pub integration: IntegrationName,
    /// SHA-256 of the token; the token itself is shown once and not kept.
    pub token: Digest,
    /// When it was made.
    pub made: Timestamp,
    /// Until when it works.
    pub expires: Timestamp,
}

impl Entity for Caller {
    const TABLE: Table = Table::Callers;
    fn key(&self) -> String {
        self.integration.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.token.to_string().into()]
    }
}

/// A sealed credential of an integration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Credential {
    /// The integration.
    pub integration: IntegrationName,
    /// What for.
    pub purpose: Purpose,
    /// The sealed bytes, as the broker made them.
    pub sealed: serde_json::Value,
    /// Since when the hub has had its secret, wherever it was used.
    pub at: Timestamp,
    /// Of one that is to be ended: when the provider was first seen to let it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Timestamp>,
    /// Of one that another has taken the place of: when. It is kept until the provider rejects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<Timestamp>,
}

impl Credential {
    /// Its id in the store.
    pub fn key_of(integration: &IntegrationName, purpose: Purpose) -> String {
        format!("{integration}/{}", purpose.as_str())
    }
}

impl Entity for Credential {
    const TABLE: Table = Table::Credentials;
    fn key(&self) -> String {
        let key = Self::key_of(&self.integration, self.purpose);
        match self.retired {
            Some(at) => format!("{key}/{}", at.as_millisecond()),
            None => key,
        }
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.integration.as_str().into()]
    }
}
