//! How far systems and their audit logs were read: when, where the next reading begins, and who was in which group.

use std::collections::BTreeMap;

use bailiwick_core::{
    audit::{Part, Write},
    difference::Class,
    digest::Digest,
    id::{EntitlementName, SystemName},
    nesting::Inside,
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Entity, KeyValue, Table};

/// The last reading of a system that was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The system.
    pub system: SystemName,
    /// Identifies with what and for what it was read; a reading with another basis begins anew.
    pub basis: Digest,
    /// When it began.
    pub at: Timestamp,
    /// When the last one began in which the system showed everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Timestamp>,
    /// Where the news of the next one begin; without it, everything has to be shown again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// Why not everything was shown, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
    /// That a comparison found more than it may set in motion: the rest waits for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// The mark of the last entry of the system's audit log that was read, to explain what differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audited: Option<String>,
    /// What differed and the system's audit log has no word of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unexplained: Vec<Unexplained>,
    /// The last comparisons in numbers, the newest first; the log has all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Comparison>,
}

/// A comparison of a system in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// When it began.
    pub began: Timestamp,
    /// When what it found was written.
    pub ended: Timestamp,
    /// Whether everything was listed, and not only what was new.
    pub listed: bool,
    /// Whether the system showed only a part: then nothing is concluded.
    pub partial: bool,
    /// How many accounts the system showed.
    pub accounts: u64,
    /// How many of them differ from what was known.
    pub changed: u64,
    /// How many accounts are not there any more.
    pub gone: u64,
    /// How many differences there are of each class.
    pub classes: BTreeMap<Class, u64>,
    /// About how many accounts nothing was done, because there was no room for it.
    pub held: u64,
    /// How many accounts differ of which the system's own log has no word.
    pub unexplained: u64,
}

/// A change of an account that its system's audit log has no word of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unexplained {
    /// The system's id of the account.
    pub account: String,
    /// What of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// When it was found.
    pub at: Timestamp,
}

/// How far the audit log of a system was compared with the hub's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// The system.
    pub system: SystemName,
    /// When that was done last.
    pub at: Timestamp,
    /// Up to when both logs were compared.
    pub until: Timestamp,
    /// The mark of an entry of the system's log; what comes after it is read next time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// The index of the entry of the hub's log that is read next.
    pub next: i64,
    /// Changes that the system said it made, and its log has no word of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Write>,
    /// When something was last done under the hub's name, and not by the hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign: Option<Timestamp>,
    /// When it was last found that the system's log did not go back to the mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Timestamp>,
}

impl Entity for Audit {
    const TABLE: Table = Table::Audits;
    fn key(&self) -> String {
        self.system.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![]
    }
}

/// What a comparison found and did nothing about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Since when.
    pub since: Timestamp,
    /// About how many accounts.
    pub accounts: u64,
}

/// Tokens of a connector, opaque.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// For the news of accounts.
    pub accounts: String,
    /// For the news of groups, where there are groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<String>,
}

/// Who was in a declared group at the last reading. Kept only where there are news, which show a group and
/// not who has left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The entitlement that the group is.
    pub entitlement: EntitlementName,
    /// The system's id of the group; absent when there was none.
    pub group: Option<String>,
    /// The system's ids of its members, ascending.
    pub members: Vec<String>,
}

/// A group that nobody declared and that lies in a declared one: whoever is in it has what that one gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NestedGroup {
    /// The system.
    pub system: SystemName,
    /// The system's id of the group.
    pub group: String,
    /// What it is called there.
    pub label: String,
    /// The declared groups around it.
    pub inside: Vec<Inside>,
    /// The system's ids of its members, accounts and groups, ascending.
    pub members: Vec<String>,
    /// From when on the log says who is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Timestamp>,
}

impl NestedGroup {
    /// By what it is found.
    pub fn key_of(system: &SystemName, group: &str) -> String {
        format!("{system}/{group}")
    }
}

impl Entity for NestedGroup {
    const TABLE: Table = Table::NestedGroups;
    fn key(&self) -> String {
        Self::key_of(&self.system, &self.group)
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.system.as_str().into()]
    }
}

impl Entity for Reading {
    const TABLE: Table = Table::Readings;
    fn key(&self) -> String {
        self.system.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![]
    }
}

impl Entity for Membership {
    const TABLE: Table = Table::Memberships;
    fn key(&self) -> String {
        self.entitlement.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.entitlement.system().as_str().into()]
    }
}
