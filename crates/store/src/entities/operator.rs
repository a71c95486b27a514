//! Who works with the hub.

use std::collections::BTreeSet;

use bailiwick_core::{
    digest::{Digest, canonical},
    id::{OperatorId, PlanId},
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Entity, KeyValue, Table};

/// A person who operates the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// Who they are for the provider that they sign in by, if they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// When all that they had ended last: passkeys, tokens and sessions of before open nothing, also when they are let
    /// in again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// What only the hub can make of the rest, hexadecimal.
    #[serde(default)]
    pub seal: String,
}

/// Who somebody is for a provider of identities (OpenID Connect Core §2): both together never name another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// The provider, `iss`.
    pub issuer: String,
    /// Whom it means, `sub`.
    pub subject: String,
    /// Until when they may sign in by it.
    pub until: Timestamp,
}

/// That somebody may take a token over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Invitation {
    /// The approved plan that says so.
    pub plan: PlanId,
    /// How many days the token is to work.
    pub days: u16,
}

impl Operator {
    /// The bytes that the seal is made over.
    pub fn sealed_bytes(&self) -> Vec<u8> {
        let Self { id, name, roles, person, token, expires, invited, subject, ended, seal: _ } = self;
        match (subject, ended) {
            // As it was before there was either: who has neither has the seal of then.
            (None, None) => canonical(&("operator-v1", id, name, roles, person, token, expires, invited)),
            (subject, ended) => {
                let more = (subject, ended);
                canonical(&("operator-v2", id, name, roles, person, token, expires, invited, more))
            }
        }
    }

    /// Whether something of theirs that was made then has ended with all that they had.
    pub fn voids(&self, made: Timestamp) -> bool {
        self.ended.is_some_and(|ended| made <= ended)
    }

    /// Until when they may do anything: with their token, or by the provider.
    pub fn until(&self) -> Timestamp {
        self.subject.as_ref().map_or(self.expires, |subject| self.expires.max(subject.until))
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
