//! Who works with the hub.

use std::collections::BTreeSet;

use bailiwick_core::{
    digest::{Digest, canonical},
    id::{OperatorId, PlanId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{Entity, KeyValue, Table};

/// A person who operates the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// Their id.
    pub id: OperatorId,
    /// Their name.
    pub name: String,
    /// What they may do, as policies see it.
    pub roles: BTreeSet<String>,
    /// `source/key` of the person they are, if they are in a source.
    pub person: Option<String>,
    /// SHA-256 of their token; the token itself is shown once and not kept.
    pub token: Digest,
    /// Until when the token works.
    pub expires: Timestamp,
    /// That they are still to take the token over that others have approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited: Option<Invitation>,
    /// What only the hub can make of the rest, hexadecimal.
    #[serde(default)]
    pub seal: String,
}

/// That somebody may take a token over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// The approved plan that says so.
    pub plan: PlanId,
    /// How many days the token is to work.
    pub days: u16,
}

impl Operator {
    /// The bytes that the seal is made over.
    pub fn sealed_bytes(&self) -> Vec<u8> {
        let Self { id, name, roles, person, token, expires, invited, seal: _ } = self;
        canonical(&("operator-v1", id, name, roles, person, token, expires, invited))
    }
}

impl Entity for Operator {
    const TABLE: Table = Table::Operators;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.token.to_string().into()]
    }
}
