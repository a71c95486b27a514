//! Systems and the entitlements on them, as configuration declares them.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::AccessClass,
    difference::Reconciling,
    id::{EntitlementName, SystemName},
    nesting::Inside,
};

/// What is done to the account of a leaver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnLeave {
    /// The account stays and cannot be used.
    #[default]
    Disable,
    /// The account is removed.
    Delete,
}

/// A connected thing outside that holds access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct System {
    /// Its name.
    pub name: SystemName,
    /// What it is for.
    pub title: String,
    /// The classes of access that exist there. A class that no connector can observe is
    /// `unobservable` in a case; it is never passed in silence.
    pub classes: BTreeSet<AccessClass>,
    /// What is done to the account of a leaver.
    pub on_leave: OnLeave,
    /// How long a change may take to be visible to a reader, milliseconds.
    pub convergence_ms: i64,
    /// How long the disabled account of a leaver is kept before it is deleted, days.
    pub retention_days: u32,
    /// How often it is compared with what is known of it, milliseconds.
    #[serde(default = "System::usual_reconcile_every")]
    pub reconcile_every_ms: i64,
    /// How long after a probe the next one is made, milliseconds.
    #[serde(default = "System::usual_probe_every")]
    pub probe_every_ms: i64,
    /// How often its audit log is compared with the hub's own, milliseconds, where its connector reads one.
    #[serde(default = "System::usual_audit_every")]
    pub audit_every_ms: i64,
    /// How long its audit log may take to have what was done, milliseconds.
    #[serde(default = "System::usual_audit_lag")]
    pub audit_lag_ms: i64,
    /// Whether an account that is disabled there says that its person is to have no access anywhere (PRODUCT E7).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anchor: bool,
    /// The attributes of accounts that name one there: of somebody who left they are kept, and given to nobody else.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unique: BTreeSet<String>,
    /// For how long, days; without it, for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_days: Option<u32>,
    /// What is done about differences.
    #[serde(default, skip_serializing_if = "Reconciling::is_usual")]
    pub reconcile: Reconciling,
    /// How an account's attributes are made from an identity's: connector's name → template such as
    /// `{given_name} {family_name}`.
    pub account: BTreeMap<String, String>,
}

impl System {
    /// Six hours: how often a system is compared where configuration says nothing.
    pub const fn usual_reconcile_every() -> i64 {
        6 * 3_600_000
    }

    /// Fifteen minutes: how often an audit log is compared where configuration says nothing.
    pub const fn usual_audit_every() -> i64 {
        15 * 60_000
    }

    /// Five minutes: how late an audit log may be where configuration says nothing.
    pub const fn usual_audit_lag() -> i64 {
        5 * 60_000
    }

    /// Thirty days: when a system is probed again where configuration says nothing.
    pub const fn usual_probe_every() -> i64 {
        30 * 24 * 3_600_000
    }
}

/// Something an account can hold on a system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entitlement {
    /// `system/name`.
    pub name: EntitlementName,
    /// Its class; `primary-account` is the account itself.
    pub class: AccessClass,
    /// What it is called on the system: the display name of the group, the SKU of the licence.
    pub label: String,
    /// Whether it gives power over other access.
    pub privileged: bool,
    /// The system's own id for it, once it was seen there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The declared groups that it is in, as was seen there: whoever gets it gets those as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inside: Vec<Inside>,
}

impl Entitlement {
    /// As it is declared, with what was learned of it on the system while its label is the same.
    pub fn knowing(&self, before: &Self) -> Self {
        match before.label == self.label {
            true => Self {
                external_id: before.external_id.clone(),
                inside: before.inside.clone(),
                ..self.clone()
            },
            false => self.clone(),
        }
    }
}
