//! Operators at the console.

use bailiwick_core::{
    digest::{Digest, canonical},
    id::{OperatorId, PasskeyId, SessionId},
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Entity, KeyValue, Table};

/// One operator's way to the console: offered by a link, then open by a cookie. What has ended has no row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose.
    pub operator: OperatorId,
    /// SHA-256 of the code of the link, then of the cookie; neither is kept.
    pub secret: Digest,
    /// When it was offered.
    pub offered: Timestamp,
    /// When the link was used; absent before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<Timestamp>,
    /// Until when the link, then the cookie, works.
    pub until: Timestamp,
    /// How it was opened.
    #[serde(default)]
    pub way: Way,
    /// When it was used last, to a few minutes; absent before it was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Timestamp>,
    /// What only the hub can make of the rest, hexadecimal: a row that somebody else writes opens nothing.
    #[serde(default)]
    pub seal: String,
}

impl Session {
    /// The bytes that the seal is made over.
    pub fn sealed_bytes(&self) -> Vec<u8> {
        let Self { id, operator, secret, offered, opened, until, way, used, seal: _ } = self;
        canonical(&("session-v2", id, operator, secret, offered, opened, until, way, used))
    }
}

/// How a session was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// By a link that works once.
    #[default]
    Link,
    /// By a passkey; with it goes the session.
    Passkey(PasskeyId),
    /// By the provider of identities.
    Provider,
}

impl Entity for Session {
    const TABLE: Table = Table::Sessions;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.secret.to_string().into(), self.operator.to_string().into()]
    }
}
