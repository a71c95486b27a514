//! Alignment (PRODUCT E7): what systems say of one person agrees. Whoever is inactive has no access that works, no
//! credential that is alive, no session, and what was done about that is in the logs of the systems.
//!
//! [`Alignment::judge`] weighs who says that somebody is inactive against what was seen. What was not seen this time stays
//! as it was known: a system that does not answer mends nothing.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::AccessClass,
    id::{IdentityId, SystemName},
    time::Timestamp,
};

/// Something that holds of everybody who is inactive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Invariant {
    /// No session goes on.
    NoSession,
    /// No credential lets them in.
    NoCredential,
    /// Nothing that they hold has an effect.
    NoEntitlement,
    /// The system's own log says that it was taken.
    Logged,
}

impl Invariant {
    /// The name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSession => "no-session",
            Self::NoCredential => "no-credential",
            Self::NoEntitlement => "no-entitlement",
            Self::Logged => "logged",
        }
    }

    /// What is so where it does not hold.
    pub const fn broken(self) -> &'static str {
        match self {
            Self::NoSession => "a session goes on",
            Self::NoCredential => "a credential is alive",
            Self::NoEntitlement => "access works",
            Self::Logged => "its end is in no log",
        }
    }

    /// Which one speaks of things of that class being alive.
    pub const fn of(class: AccessClass) -> Self {
        match class {
            AccessClass::Sessions | AccessClass::PamSessions => Self::NoSession,
            AccessClass::OauthConsents
            | AccessClass::ApiTokens
            | AccessClass::SshKeys
            | AccessClass::CloudKeys
            | AccessClass::VaultTokens
            | AccessClass::DeviceTrust
            | AccessClass::SecretCopies => Self::NoCredential,
            AccessClass::PrimaryAccount
            | AccessClass::SecondaryAccounts
            | AccessClass::DirectGroups
            | AccessClass::NestedGroups
            | AccessClass::Roles
            | AccessClass::Licences
            | AccessClass::MailboxRightsHeld
            | AccessClass::MailboxRightsGiven
            | AccessClass::OwnedNhis
            | AccessClass::Automations
            | AccessClass::KnownSecrets
            | AccessClass::HubRoles
            | AccessClass::PartnerAccounts => Self::NoEntitlement,
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Who says that somebody is inactive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "by", content = "name")]
pub enum Claimant {
    /// Their source, or a termination: they have left.
    Departure,
    /// A system that is an anchor: their account there is disabled.
    Anchor(SystemName),
}

impl fmt::Display for Claimant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Departure => f.write_str("they have left"),
            Self::Anchor(system) => write!(f, "disabled on {system}"),
        }
    }
}

/// That somebody is inactive, and since when that is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Claim {
    /// Who says so.
    #[serde(flatten)]
    pub claimant: Claimant,
    /// Since when.
    pub since: Timestamp,
}

/// What was seen of one class on one system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Something of it works.
    Alive,
    /// Nothing of it works, or it is not known to.
    Gone,
    /// Its end is not in the system's log.
    Unlogged,
}

/// One look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// Where.
    pub system: SystemName,
    /// At what.
    pub class: AccessClass,
    /// What was seen.
    pub seen: Seen,
    /// Who answers for the system.
    pub acts: String,
}

/// That a system disagrees.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Violation {
    /// What does not hold.
    pub invariant: Invariant,
    /// Where.
    pub system: SystemName,
    /// Of which class.
    pub class: AccessClass,
    /// Since when that is known.
    pub since: Timestamp,
    /// Who must act.
    pub acts: String,
}

impl Violation {
    fn is_of(&self, sight: &Sight) -> bool {
        self.system == sight.system && self.class == sight.class
    }
}

/// How the systems agree about one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alignment {
    /// Who.
    pub identity: IdentityId,
    /// When it was judged.
    pub at: Timestamp,
    /// Who says that they are inactive; nobody: there is nothing to agree about.
    pub claims: Vec<Claim>,
    /// What disagrees, by system and class.
    pub violations: Vec<Violation>,
}

impl Alignment {
    /// Weighs the claims against what was seen, given what was known `before`.
    pub fn judge(
        identity: IdentityId,
        at: Timestamp,
        claims: Vec<Claim>,
        sights: &[Sight],
        before: Option<&Self>,
    ) -> Self {
        if claims.is_empty() {
            return Self { identity, at, claims, violations: Vec::new() };
        }
        let earlier: &[Violation] = before.map(|before| &before.violations[..]).unwrap_or_default();
        let unseen = earlier.iter().filter(|violation| !sights.iter().any(|sight| violation.is_of(sight)));
        let mut violations: Vec<Violation> = unseen.cloned().collect();
        for sight in sights {
            let invariant = match sight.seen {
                Seen::Gone => continue,
                Seen::Alive => Invariant::of(sight.class),
                Seen::Unlogged => Invariant::Logged,
            };
            let known = earlier.iter().find(|one| one.is_of(sight) && one.invariant == invariant);
            violations.push(Violation {
                invariant,
                system: sight.system.clone(),
                class: sight.class,
                since: known.map_or(at, |known| known.since),
                acts: sight.acts.clone(),
            });
        }
        violations.sort_by(|one, other| (&one.system, one.class).cmp(&(&other.system, other.class)));
        violations.dedup();
        Self { identity, at, claims, violations }
    }

    /// Whether it says the same as another, whenever that was judged.
    pub fn says_as(&self, other: &Self) -> bool {
        self.claims == other.claims && self.violations == other.violations
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AccessClass::{ApiTokens, DirectGroups, PamSessions, PrimaryAccount, VaultTokens};

    fn t(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn sight(system: &str, class: AccessClass, seen: Seen) -> Sight {
        Sight { system: SystemName::new(system).unwrap(), class, seen, acts: format!("owner of {system}") }
    }

    fn disabled(since: i64) -> Vec<Claim> {
        let claimant = Claimant::Anchor(SystemName::new("directory").unwrap());
        vec![Claim { claimant, since: t(since) }]
    }

    fn judge(at: i64, claims: Vec<Claim>, sights: &[Sight], before: Option<&Alignment>) -> Alignment {
        Alignment::judge(IdentityId::from_bytes([1; 16]), t(at), claims, sights, before)
    }

    fn told(alignment: &Alignment) -> Vec<(&str, Invariant, i64)> {
        let told = |v: &'_ Violation| (v.invariant, v.since.as_second());
        alignment.violations.iter().map(|v| (v.system.as_str(), told(v).0, told(v).1)).collect()
    }

    #[test]
    fn each_system_that_disagrees_is_named() {
        let sights = [
            sight("vault", VaultTokens, Seen::Alive),
            sight("pam", PamSessions, Seen::Alive),
            sight("chat", ApiTokens, Seen::Unlogged),
            sight("wiki", PrimaryAccount, Seen::Gone),
            sight("crm", DirectGroups, Seen::Alive),
        ];
        let judged = judge(20, disabled(10), &sights, None);
        assert_eq!(
            told(&judged),
            [
                ("chat", Invariant::Logged, 20),
                ("crm", Invariant::NoEntitlement, 20),
                ("pam", Invariant::NoSession, 20),
                ("vault", Invariant::NoCredential, 20),
            ]
        );
        assert_eq!(judged.violations[3].acts, "owner of vault");
        assert!(judge(20, Vec::new(), &sights, None).violations.is_empty());
    }

    #[test]
    fn since_when_stays_and_what_is_not_seen_stays_too() {
        let alive = [sight("vault", VaultTokens, Seen::Alive), sight("pam", PamSessions, Seen::Alive)];
        let first = judge(20, disabled(10), &alive, None);
        let second = judge(30, disabled(10), &alive[..1], Some(&first));
        assert_eq!(told(&second), told(&first));
        assert!(second.says_as(&first));
        let gone = [sight("pam", PamSessions, Seen::Gone)];
        let third = judge(40, disabled(10), &gone, Some(&second));
        assert_eq!(told(&third), [("vault", Invariant::NoCredential, 20)]);
        let unlogged = [sight("vault", VaultTokens, Seen::Unlogged)];
        let fourth = judge(50, disabled(10), &unlogged, Some(&third));
        assert_eq!(told(&fourth), [("vault", Invariant::Logged, 50)]);
    }

    #[test]
    fn every_class_has_an_invariant_of_its_kind() {
        for class in AccessClass::ALL {
            let kill = class.stage() == crate::access::Stage::Kill;
            let entitlement = Invariant::of(class) == Invariant::NoEntitlement;
            assert!(kill != entitlement || class == AccessClass::SecretCopies, "{class}");
        }
    }
}
