//! The two gates of an integration: two approvals by different people for different questions.
//!
//! *Integration approved*: may it be connected at all? Without it nothing is sent. *Identity authority
//! approved*: may it change who has access? Without it the integration only reads. Each is an entitlement
//! of the integration on the hub itself, given by a plan of its own and taken alone. What was approved is
//! what counts: a gate whose certificate covers something else than what is declared now is shut.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    authority::{Authority, Class},
    digest::Digest,
    id::ApprovalId,
    integration::{Control, Integration, Role, Standing},
    time::Timestamp,
};

/// The system that the hub itself is.
pub const HUB: &str = "bailiwick";

/// One of the two gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// It may be connected.
    IntegrationApproved,
    /// It may change who has access.
    IdentityAuthorityApproved,
}

impl Gate {
    /// Both, in the order in which they are asked for.
    pub const ALL: [Self; 2] = [Self::IntegrationApproved, Self::IdentityAuthorityApproved];

    /// The name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IntegrationApproved => "integration-approved",
            Self::IdentityAuthorityApproved => "identity-authority-approved",
        }
    }

    /// The entitlement on the hub that it is.
    pub fn entitlement(self) -> String {
        format!("{HUB}/{}", self.as_str())
    }
}

/// That a gate was approved, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Certificate {
    /// The approval.
    pub approval: ApprovalId,
    /// What it covers.
    pub covers: Digest,
    /// The authority that was approved.
    pub authority: Authority,
    /// When.
    pub at: Timestamp,
}

/// What was approved of an integration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gates {
    /// That it may be connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<Certificate>,
    /// That it may change who has access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Certificate>,
}

impl Gates {
    /// The certificate of a gate.
    pub const fn of(&self, gate: Gate) -> Option<&Certificate> {
        match gate {
            Gate::IntegrationApproved => self.integration.as_ref(),
            Gate::IdentityAuthorityApproved => self.authority.as_ref(),
        }
    }

    /// Sets or takes the certificate of a gate.
    pub fn set(&mut self, gate: Gate, certificate: Option<Certificate>) {
        match gate {
            Gate::IntegrationApproved => self.integration = certificate,
            Gate::IdentityAuthorityApproved => self.authority = certificate,
        }
    }
}

/// What an approval of a gate is for: what is declared, and for the second gate what that amounts to.
pub fn covers(gate: Gate, declared: Digest, authority: &Authority) -> Digest {
    match gate {
        Gate::IntegrationApproved => Digest::of_value(&(gate, declared)),
        Gate::IdentityAuthorityApproved => Digest::of_value(&(gate, declared, authority.digest())),
    }
}

/// Why an integration may not be used, or may not write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Shut {
    /// It was killed or retired.
    #[error("it was ended at {0}; nothing goes out any more")]
    Ended(Timestamp),
    /// It was stopped.
    #[error("it is stopped: {0}")]
    Quarantined(String),
    /// This program cannot make its connector from the settings that are in force.
    #[error("its connector cannot be made: {0}")]
    Unusable(String),
    /// Something must be on record and is not.
    #[error("the register lacks {}", .0.join(", "))]
    Incomplete(Vec<&'static str>),
    /// The owner takes it for less than it is.
    #[error("it is declared {declared} and is {computed}; declare it {computed}, or take from its scope")]
    Understated {
        /// What is declared.
        declared: Class,
        /// What it is.
        computed: Class,
    },
    /// The first gate is shut.
    #[error("nobody has approved that it is connected")]
    NotApproved,
    /// The second gate is shut.
    #[error("nobody has approved that it changes who has access; it only reads")]
    NoAuthority,
    /// What it can do is more than what was approved.
    #[error("it can do more than was approved; its certificate is void, it only reads")]
    Void,
    /// The hub goes on from a backup and changes nothing yet.
    #[error("the hub was restored from a backup at {0} and only plans until it is released")]
    Restored(Timestamp),
    /// A control is missing.
    #[error("its writes are off until `{}` is mended", .0.code())]
    Paused(Control),
}

impl Shut {
    /// All codes.
    pub const CODES: [&str; 13] = [
        "integration-ended",
        "integration-quarantined",
        "connector-unusable",
        "integration-incomplete",
        "integration-understated",
        "integration-approval-missing",
        "identity-authority-missing",
        "certification-void",
        "hub-restored",
        Control::Review.code(),
        Control::Owner.code(),
        Control::Rotation.code(),
        Control::Drill.code(),
    ];

    /// The stable code, one of [`CODES`](Self::CODES).
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Ended(_) => "integration-ended",
            Self::Quarantined(_) => "integration-quarantined",
            Self::Unusable(_) => "connector-unusable",
            Self::Incomplete(_) => "integration-incomplete",
            Self::Understated { .. } => "integration-understated",
            Self::NotApproved => "integration-approval-missing",
            Self::NoAuthority => "identity-authority-missing",
            Self::Void => "certification-void",
            Self::Restored(_) => "hub-restored",
            Self::Paused(control) => control.code(),
        }
    }
}

/// What an integration may do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// Whether it may be read.
    pub reads: Result<(), Shut>,
    /// Whether it may write. Never without reading.
    pub writes: Result<(), Shut>,
}

impl Permit {
    /// The same while the hub goes on from a backup made good at `restored`: systems are read and not written.
    #[must_use]
    pub fn held(self, integration: &Integration, restored: Option<Timestamp>) -> Self {
        let system = matches!(&integration.role, Role::Target { system } if system.as_str() != HUB);
        match restored.filter(|_| system && self.writes.is_ok()) {
            Some(at) => Self { writes: Err(Shut::Restored(at)), ..self },
            None => self,
        }
    }
}

/// What an integration with this computed authority may do. `counts` says whether the approval that a
/// certificate names is there and genuine.
pub fn permit(
    integration: &Integration,
    authority: &Authority,
    counts: impl Fn(&Certificate) -> bool,
) -> Permit {
    match readable(integration, authority, &counts) {
        Err(shut) => Permit { reads: Err(shut.clone()), writes: Err(shut) },
        Ok(()) => Permit { reads: Ok(()), writes: writable(integration, authority, &counts) },
    }
}

fn readable(
    integration: &Integration,
    authority: &Authority,
    counts: &impl Fn(&Certificate) -> bool,
) -> Result<(), Shut> {
    match &integration.standing {
        Standing::Ended { since } => return Err(Shut::Ended(*since)),
        Standing::Quarantined { reason, .. } => return Err(Shut::Quarantined(reason.clone())),
        Standing::Enabled | Standing::Paused { .. } => {}
    }
    let missing = integration.register.missing();
    if !missing.is_empty() {
        return Err(Shut::Incomplete(missing));
    }
    if let Some(declared) = integration.register.class.filter(|class| *class < authority.class) {
        return Err(Shut::Understated { declared, computed: authority.class });
    }
    let covered = covers(Gate::IntegrationApproved, integration.declared(), authority);
    match &integration.gates.integration {
        Some(certificate) if certificate.covers == covered && counts(certificate) => Ok(()),
        Some(_) | None => Err(Shut::NotApproved),
    }
}

fn writable(
    integration: &Integration,
    authority: &Authority,
    counts: &impl Fn(&Certificate) -> bool,
) -> Result<(), Shut> {
    if let Standing::Paused { control, .. } = &integration.standing {
        return Err(Shut::Paused(*control));
    }
    let Some(certificate) = &integration.gates.authority else { return Err(Shut::NoAuthority) };
    let covered = covers(Gate::IdentityAuthorityApproved, integration.declared(), &certificate.authority);
    if certificate.covers != covered || !counts(certificate) {
        return Err(Shut::NoAuthority);
    }
    // What shrank since was approved along with the rest.
    if authority.within(&certificate.authority) { Ok(()) } else { Err(Shut::Void) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_being_shut_has_one_of_the_codes() {
        let why = || "it".to_owned();
        let all = [
            Shut::Ended(Timestamp::UNIX_EPOCH),
            Shut::Quarantined(why()),
            Shut::Unusable(why()),
            Shut::Incomplete(vec!["vendor"]),
            Shut::Understated { declared: Class::Advisory, computed: Class::Authoritative },
            Shut::NotApproved,
            Shut::NoAuthority,
            Shut::Void,
            Shut::Restored(Timestamp::UNIX_EPOCH),
            Shut::Paused(Control::Review),
            Shut::Paused(Control::Owner),
            Shut::Paused(Control::Rotation),
            Shut::Paused(Control::Drill),
        ];
        assert_eq!(all.map(|shut| shut.code()), Shut::CODES);
    }
}
