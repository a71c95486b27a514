//! Tokens that operators made for their programs.

use std::collections::BTreeSet;

use bailiwick_core::{
    digest::{Digest, canonical},
    id::{OperatorId, TokenId},
    right::Right,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{Entity, KeyValue, Table};

/// A token for a program of an operator. What was revoked has no row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// Its id.
    pub id: TokenId,
    /// Whose.
    pub operator: OperatorId,
    /// What they call it.
    pub name: String,
    /// SHA-256 of it; it is shown once and not kept.
    pub secret: Digest,
    /// What it may do besides reading, as far as its operator may at the moment of the call.
    pub rights: BTreeSet<Right>,
    /// When it was made.
    pub made: Timestamp,
    /// Until when it works.
    pub expires: Timestamp,
    /// When it was used last, to the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Timestamp>,
    /// What only the hub can make of the rest, hexadecimal: a row that somebody else writes opens nothing.
    #[serde(default)]
    pub seal: String,
}

impl ApiToken {
    /// The bytes that the seal is made over.
    pub fn sealed_bytes(&self) -> Vec<u8> {
        let Self { id, operator, name, secret, rights, made, expires, used, seal: _ } = self;
        canonical(&("api-token-v1", id, operator, name, secret, rights, made, expires, used))
    }
}

impl Entity for ApiToken {
    const TABLE: Table = Table::ApiTokens;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.secret.to_string().into(), self.operator.to_string().into()]
    }
}
