//! What operators sign in with at the console, and challenges that were used.

use bailiwick_core::{
    digest::{Digest, canonical},
    id::{OperatorId, PasskeyId},
    passkey::Algorithm,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{Entity, KeyValue, Table};

/// A passkey of an operator: its public half. What was removed has no row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    /// Its id.
    pub id: PasskeyId,
    /// Whose.
    pub operator: OperatorId,
    /// What they call it.
    pub name: String,
    /// The id of its credential, base64url.
    pub credential: String,
    /// Its public key as COSE has it, base64url.
    pub key: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// How often it had signed when it was used last; 0 where it does not count.
    pub counter: u32,
    /// Whether it may be copied to other devices of its owner.
    pub shared: bool,
    /// When it was enrolled.
    pub made: Timestamp,
    /// When it was used last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Timestamp>,
    /// What only the hub can make of the rest, hexadecimal: a key that somebody else writes opens nothing.
    #[serde(default)]
    pub seal: String,
}

impl Passkey {
    /// The bytes that the seal is made over.
    pub fn sealed_bytes(&self) -> Vec<u8> {
        let Self { id, operator, name, credential, key, algorithm, counter, shared, made, used, seal: _ } =
            self;
        let what = (credential, key, algorithm, counter, shared);
        canonical(&("passkey-v1", id, operator, name, what, made, used))
    }

    /// What a credential is looked up by: the digest of its id as text.
    pub fn lookup(credential: &str) -> String {
        Digest::of(credential.as_bytes()).to_string()
    }
}

impl Entity for Passkey {
    const TABLE: Table = Table::Passkeys;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![Self::lookup(&self.credential).into(), self.operator.to_string().into()]
    }
}

/// Something that counts once and was used, for as long as it could come again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// SHA-256 of it.
    pub what: Digest,
    /// Until when it could come again.
    pub until: Timestamp,
}

impl Entity for Spent {
    const TABLE: Table = Table::Spent;
    fn key(&self) -> String {
        self.what.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.until.as_millisecond().into()]
    }
}
