//! Accounts on systems, and what they hold.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::AccessClass,
    digest::Digest,
    id::{AccountId, EntitlementName, IdentityId, SystemName},
    identity::SourceKey,
    time::Timestamp,
};

/// Attributes of an account by the connector's names; lists are lists of texts.
pub type AccountAttributes = BTreeMap<String, AccountValue>;

/// The value of an account's attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AccountValue {
    /// A text.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// Several texts.
    Many(Vec<String>),
}

impl std::fmt::Display for AccountValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Flag(flag) => f.write_str(if *flag { "yes" } else { "no" }),
            Self::Many(many) => f.write_str(&many.join(", ")),
        }
    }
}

impl From<&str> for AccountValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A principal on a system as the hub last knew it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// Its id here.
    pub id: AccountId,
    /// The system it is on.
    pub system: SystemName,
    /// The system's own id for it; bytes and case are kept.
    pub external_id: String,
    /// The name people sign in with.
    pub username: String,
    /// The identity it belongs to, once correlated.
    pub identity: Option<IdentityId>,
    /// For which of their records it was made, or with which it came, if not for the identity's own key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_key: Option<SourceKey>,
    /// What was last seen or last written.
    pub state: AccountState,
    /// What the hub last applied; absent for accounts it did not make or adopt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<AccountState>,
    /// When it was last observed.
    pub seen: Timestamp,
}

impl Account {
    /// By what the account with the system's own id is found again: no two have the same.
    pub fn locator_of(system: &SystemName, external_id: &str) -> String {
        format!("{system}/{external_id}")
    }
}

/// The state of an account that reconciliation compares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountState {
    /// Whether the account can be used.
    pub active: bool,
    /// The attributes the hub manages.
    pub attributes: AccountAttributes,
    /// The entitlements it holds directly, those that configuration names.
    pub entitlements: Vec<EntitlementName>,
}

impl AccountState {
    /// A digest of the state, by which a reconciliation finds what changed.
    pub fn digest(&self) -> Digest {
        let mut scratch = Vec::with_capacity(256);
        let mut digest = StateDigest::new(&mut scratch, self.active);
        for (name, value) in &self.attributes {
            digest.attribute(name);
            match value {
                AccountValue::Text(text) => digest.text(text),
                AccountValue::Flag(flag) => digest.flag(*flag),
                AccountValue::Many(many) => many.iter().for_each(|text| digest.text(text)),
            }
        }
        self.entitlements.iter().for_each(|name| digest.entitlement(name));
        digest.finish()
    }
}

/// Makes the digest of an [`AccountState`] from its parts, without the state: attributes by name
/// ascending, each followed by its values, then entitlements ascending. Every part is prefixed with
/// what it is and how long it is, so that no two states give the same bytes.
pub struct StateDigest<'b>(&'b mut Vec<u8>);

impl<'b> StateDigest<'b> {
    /// Begins with whether the account can be used. `scratch` is emptied, and is kept by the caller so
    /// that a million digests need one allocation.
    pub fn new(scratch: &'b mut Vec<u8>, active: bool) -> Self {
        scratch.clear();
        scratch.push(u8::from(active));
        Self(scratch)
    }

    /// An attribute follows.
    pub fn attribute(&mut self, name: &str) {
        self.part(b'a', name);
    }

    /// A text of the attribute.
    pub fn text(&mut self, text: &str) {
        self.part(b't', text);
    }

    /// A yes or no of the attribute.
    pub fn flag(&mut self, flag: bool) {
        self.part(b'f', if flag { "1" } else { "0" });
    }

    /// An entitlement that the account holds.
    pub fn entitlement(&mut self, name: &EntitlementName) {
        self.part(b'e', name.as_str());
    }

    /// The digest.
    pub fn finish(self) -> Digest {
        Digest::of(self.0)
    }

    fn part(&mut self, kind: u8, text: &str) {
        self.0.push(kind);
        self.0.extend_from_slice(&(text.len() as u64).to_be_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }
}

/// Something an account holds on a system, as seen in an observation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Held {
    /// Its class.
    pub class: AccessClass,
    /// The system's id for it.
    pub external_id: String,
    /// Its name on the system.
    pub name: String,
    /// Whether it works now.
    pub live: bool,
    /// When the system will purge it for good, if it is only blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purges_at: Option<Timestamp>,
}
