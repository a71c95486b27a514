//! Integrations: connector + system + credentials + scope + owner.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    authority::Class,
    contract::SourceContract,
    digest::Digest,
    gate::Gates,
    id::{IntegrationName, SourceName, SystemName},
    kill::Kill,
    scope::{Comparison, Scope},
    time::Timestamp,
};

/// What a credential is for. Reading, writing and verifying are different rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Changes the system.
    Write,
    /// Lists and looks, day by day; changes nothing.
    Read,
    /// Reads it back, independently of the writer and of the daily reader.
    Verify,
    /// Was for writing; is kept until the provider rejects it, to end and to try it and for nothing else.
    KillWrite,
    /// Was for reading; the same.
    KillRead,
    /// Was for reading back; the same.
    KillVerify,
}

impl Purpose {
    /// The name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::Verify => "verify",
            Self::KillWrite => "kill-write",
            Self::KillRead => "kill-read",
            Self::KillVerify => "kill-verify",
        }
    }

    /// What a credential of this purpose is kept for once its integration has ended.
    #[must_use]
    pub const fn last(self) -> Self {
        match self {
            Self::Write | Self::KillWrite => Self::KillWrite,
            Self::Read | Self::KillRead => Self::KillRead,
            Self::Verify | Self::KillVerify => Self::KillVerify,
        }
    }

    /// What a credential that is kept for its end was for.
    #[must_use]
    pub const fn first(self) -> Self {
        match self {
            Self::Write | Self::KillWrite => Self::Write,
            Self::Read | Self::KillRead => Self::Read,
            Self::Verify | Self::KillVerify => Self::Verify,
        }
    }

    /// Whether it is kept only to end and to try it.
    pub const fn is_last(self) -> bool {
        match self {
            Self::Write | Self::Read | Self::Verify => false,
            Self::KillWrite | Self::KillRead | Self::KillVerify => true,
        }
    }

    /// Whether anything may be changed with it.
    pub const fn writes(self) -> bool {
        match self {
            Self::Write => true,
            Self::Read | Self::Verify | Self::KillWrite | Self::KillRead | Self::KillVerify => false,
        }
    }
}

/// A control that every integration that writes must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "IntegrationControl")]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// A review that is not overdue.
    Review,
    /// An owner who is here and has accepted.
    Owner,
    /// A credential that was changed since its owner changed.
    Rotation,
    /// A drill of its revocation that did not fail.
    Drill,
}

impl Control {
    /// The stable code of it being missing.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Review => "review-overdue",
            Self::Owner => "owner-missing",
            Self::Rotation => "rotation-overdue",
            Self::Drill => "drill-failed",
        }
    }
}

/// Whether an integration may be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Standing {
    /// In use.
    Enabled,
    /// Stopped, because a call was outside of its scope or somebody stopped it. Nothing goes out.
    Quarantined {
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: String,
    },
    /// Its writes are off until what is missing is there; it may still be read.
    Paused {
        /// Since when.
        since: Timestamp,
        /// What is missing.
        control: Control,
    },
    /// Killed or retired: nothing goes out any more, ever.
    Ended {
        /// Since when.
        since: Timestamp,
    },
}

/// Which end of the flow an integration serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "role")]
pub enum Role {
    /// Identities come from it.
    Source {
        /// The name of the source.
        source: SourceName,
        /// What it promises.
        contract: SourceContract,
    },
    /// Access is held there.
    Target {
        /// The system.
        system: SystemName,
    },
    /// The log of a system is read there, where the system itself has none that can be asked: who did what.
    Log {
        /// The system whose log it is.
        system: SystemName,
    },
    /// It acts by itself: at the hub's door, or on systems where it has a grant of its own. The hub sends
    /// nothing on its behalf but what ends its grant.
    Partner {
        /// The system where its grant lies, if that is one of ours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        system: Option<SystemName>,
    },
}

/// What is on record of an integration besides what it does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Register {
    /// Where it runs and what lies between it and us, in words.
    pub boundary: String,
    /// What data goes where.
    pub data_flows: Vec<String>,
    /// What rights go where.
    pub privilege_flows: Vec<String>,
    /// Whose product or service it is.
    pub vendor: String,
    /// What the vendor assures. Nothing of it counts until a test backs it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assurances: Vec<Assurance>,
    /// Addresses that it calls back, or from which it is called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub callbacks: Vec<String>,
    /// The class that its owner takes it for; below the computed one it is blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
}

impl Register {
    /// What is not on record and must be.
    pub fn missing(&self) -> Vec<&'static str> {
        let blank = |text: &String| text.trim().is_empty();
        [
            ("boundary", blank(&self.boundary)),
            ("data_flows", self.data_flows.iter().all(blank)),
            ("privilege_flows", self.privilege_flows.iter().all(blank)),
            ("vendor", blank(&self.vendor)),
        ]
        .into_iter()
        .filter_map(|(name, missing)| missing.then_some(name))
        .collect()
    }
}

/// Something that a vendor assures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Assurance {
    /// What.
    pub claim: String,
    /// The evidence of the test that backs it; without it, it is unverified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tested: Option<Digest>,
}

/// A configured, governed instance of a connector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Integration {
    /// Its name.
    pub name: IntegrationName,
    /// What it is for.
    pub purpose: String,
    /// Who answers for it, `source/key` of a person.
    pub owner: String,
    /// Who answers when the owner cannot; somebody else.
    pub backup: String,
    /// The kind of connector: `csv`, `scim`, …
    pub connector: String,
    /// The one address that it may talk to: an `http(s)` URL or a `file:` folder.
    pub endpoint: String,
    /// Which end of the flow it serves.
    #[serde(flatten)]
    pub role: Role,
    /// What is on record of it.
    #[serde(default)]
    pub register: Register,
    /// What it may do.
    pub scope: Scope,
    /// Settings for the connector, checked by the connector.
    #[serde(default)]
    pub settings: serde_json::Value,
    /// How its grant at the provider is ended, and how that is proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill: Option<Kill>,
    /// Whether it may be used.
    pub standing: Standing,
    /// What was approved of it.
    #[serde(default)]
    pub gates: Gates,
}

impl Integration {
    /// Whether it was killed or retired.
    pub const fn has_ended(&self) -> bool {
        match &self.standing {
            Standing::Ended { .. } => true,
            Standing::Enabled | Standing::Quarantined { .. } | Standing::Paused { .. } => false,
        }
    }

    /// Identifies what is declared of it: everything but how it stands and what was approved.
    pub fn declared(&self) -> Digest {
        let Self { name, purpose, owner, backup, connector, endpoint, .. } = self;
        let Self { role, register, scope, settings, kill, .. } = self;
        // The store may give the keys back in another order.
        let settings = crate::record::sorted(settings.clone());
        Digest::of_value(&(
            name, purpose, owner, backup, connector, endpoint, role, register, scope, settings, kill,
        ))
    }
}

/// Compares what is declared of an integration with what was certified of it.
///
/// Only two things can be shown to be less by themselves: a smaller scope and fewer callbacks. Everything else
/// that differs changes what the approvers looked at, cannot be compared, and counts as wider. How it stands
/// and what was approved of it is not declared, and does not matter here.
pub fn compare(new: &Integration, certified: &Integration) -> Comparison {
    let (register, theirs) = (&new.register, &certified.register);
    let mut beyond: Vec<String> = [
        ("name", new.name != certified.name),
        ("purpose", new.purpose != certified.purpose),
        ("owner", new.owner != certified.owner),
        ("backup", new.backup != certified.backup),
        ("connector", new.connector != certified.connector),
        ("endpoint", new.endpoint != certified.endpoint),
        ("role", new.role != certified.role),
        ("settings", new.settings != certified.settings),
        ("way of ending its grant", new.kill != certified.kill),
        ("boundary", register.boundary != theirs.boundary),
        ("data flows", register.data_flows != theirs.data_flows),
        ("privilege flows", register.privilege_flows != theirs.privilege_flows),
        ("vendor", register.vendor != theirs.vendor),
        ("assurances", register.assurances != theirs.assurances),
        ("declared class", register.class != theirs.class),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .map(|(what, _)| format!("another {what}"))
    .collect();
    let added = |a: &[String], b: &[String]| -> Vec<String> {
        a.iter().filter(|callback| !b.contains(callback)).map(|c| format!("callback `{c}`")).collect()
    };
    beyond.extend(added(&register.callbacks, &theirs.callbacks));
    let fewer = !added(&theirs.callbacks, &register.callbacks).is_empty();
    match new.scope.compare(&certified.scope) {
        Comparison::Same => Comparison::of(beyond, fewer),
        Comparison::Narrower => Comparison::of(beyond, true),
        Comparison::Wider { beyond: more } => {
            beyond.extend(more);
            Comparison::of(beyond, false)
        }
    }
}
