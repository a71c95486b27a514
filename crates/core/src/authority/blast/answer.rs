//! What could outlast its discovery, and whether access could be created or preserved.

use std::collections::BTreeSet;

use super::{Beyond, Can, Part, Persistence, Power, Primitive, Subject, Thing};
use crate::{access::AccessClass, authority::Effect, gate::HUB, integration::Role};

/// Each way to stay, with everything that opens it. What a credential can do outside of the hub only its
/// system knows: whatever there is on the system is taken to be open. A system's credential opens nothing at
/// the hub, so it makes no approval.
pub(super) fn persistence(subject: &Subject, parts: &[Part<'_>], powers: &[Power]) -> Vec<Persistence> {
    let outside = outside(subject, parts);
    let there =
        |class: &AccessClass| parts.iter().any(|p| p.classes.is_none_or(|there| there.contains(class)));
    let unknown: BTreeSet<Primitive> =
        AccessClass::ALL.into_iter().filter(there).filter_map(of_class).collect();
    let of = |primitive| {
        let opens: Vec<&Power> = powers.iter().filter(|power| stays(power).contains(&primitive)).collect();
        let mut by: Vec<String> = opens.iter().map(|power| power.by.clone()).collect();
        by.sort();
        by.dedup();
        let unknown = unknown.contains(&primitive) && primitive != Primitive::Approval;
        by.extend(outside.clone().filter(|_| unknown));
        let certain = opens.iter().any(|power| !power.by_person);
        Persistence { primitive, possible: certain || outside.is_some() && unknown, by }
    };
    Primitive::ALL.map(of).into()
}

/// Where a credential leads that is used outside of the hub.
fn outside(subject: &Subject, parts: &[Part<'_>]) -> Option<String> {
    let Subject::Credential(name, purpose) = subject else { return None };
    let endpoint = parts.first().map_or("", |part| part.integration.endpoint.as_str());
    let purpose = purpose.as_str();
    Some(format!(
        "credential {name}/{purpose} → used outside of the hub → what {endpoint} lets it do, which nobody here knows"
    ))
}

/// The ways to stay that a power opens. Whoever can only take leaves nothing behind.
fn stays(power: &Power) -> Vec<Primitive> {
    match (power.can, &power.thing) {
        (Can::Take | Can::Read, _) => Vec::new(),
        // Whoever exists gets an account.
        (Can::Create, Thing::Identities | Thing::Accounts { .. }) => vec![Primitive::Account],
        (_, Thing::Held { class, .. }) => of_class(*class).into_iter().collect(),
        (_, Thing::Credentials { class: Some(class), .. }) => of_class(*class).into_iter().collect(),
        (_, Thing::Credentials { class: None, .. }) => vec![Primitive::Token, Primitive::AppCredential],
        (_, Thing::Entitlement { name, class }) => {
            let role = (name.system().as_str() == HUB).then_some(Primitive::Approval);
            role.into_iter().chain(class.and_then(of_class)).collect()
        }
        (Can::Create | Can::Give | Can::Change, _) => Vec::new(),
    }
}

/// What something of a class is to somebody who wants to stay.
const fn of_class(class: AccessClass) -> Option<Primitive> {
    match class {
        AccessClass::PrimaryAccount | AccessClass::SecondaryAccounts | AccessClass::PartnerAccounts => {
            Some(Primitive::Account)
        }
        AccessClass::Sessions
        | AccessClass::ApiTokens
        | AccessClass::VaultTokens
        | AccessClass::PamSessions => Some(Primitive::Token),
        AccessClass::SshKeys
        | AccessClass::CloudKeys
        | AccessClass::OwnedNhis
        | AccessClass::KnownSecrets
        | AccessClass::SecretCopies => Some(Primitive::AppCredential),
        AccessClass::OauthConsents | AccessClass::DeviceTrust => Some(Primitive::Trust),
        AccessClass::MailboxRightsHeld | AccessClass::MailboxRightsGiven => Some(Primitive::MailboxRule),
        AccessClass::Automations => Some(Primitive::Automation),
        AccessClass::HubRoles => Some(Primitive::Approval),
        AccessClass::DirectGroups
        | AccessClass::NestedGroups
        | AccessClass::Roles
        | AccessClass::Licences => None,
    }
}

/// The answer, with every way. What a person has to agree to makes no yes.
pub(super) fn beyond(subject: &Subject, parts: &[Part<'_>], powers: &[Power], reads_only: bool) -> Beyond {
    let mut paths = Vec::new();
    let mut only_with_a_person = Vec::new();
    for power in powers.iter().filter(|power| power.call.is_some()) {
        let name = &power.integration;
        let what = match (power.can, &power.thing) {
            (Can::Create, thing) => format!("creates {thing}"),
            (Can::Give, thing) => format!("gives {thing}"),
            (Can::Change, Thing::WithAccounts { system }) => {
                format!("a disabled account on {system} works again, and what it had")
            }
            (Can::Change, thing @ Thing::Holders { .. }) => format!("changes {thing}"),
            (Can::Change | Can::Take | Can::Read, _) => continue,
        };
        paths.push(format!("{name} → {} → {what}", power.by));
    }
    for part in parts.iter().filter(|_| !reads_only) {
        let name = &part.integration.name;
        for path in part.authority.by_weight() {
            let line = path.explain(name);
            match path.effect {
                Effect::Decides => paths.push(line),
                // What it starts with itself is among the calls.
                Effect::Executes if path.steps.is_empty() => {}
                Effect::Executes => paths.push(line),
                Effect::Influences => only_with_a_person.push(line),
                Effect::None => {}
            }
        }
        let takes = powers.iter().any(|power| {
            power.integration == *name && power.call.as_ref().is_some_and(|call| !call.operation.reads())
        });
        // Only whoever has the integration itself says what it did and what it knows.
        if matches!(subject, Subject::Credential(..)) {
            continue;
        }
        match &part.integration.role {
            // Whoever carries out what ends access can say that it was done.
            Role::Target { system } if takes => {
                paths.push(format!("{name} → does not carry out what ends access on {system}"));
            }
            Role::Source { .. } => paths.push(format!("{name} → does not say that somebody has left")),
            // It does not say who did what, which ends no access and gives none.
            Role::Target { .. } | Role::Log { .. } | Role::Partner { .. } => {}
        }
    }
    paths.extend(outside(subject, parts));
    Beyond { possible: !paths.is_empty(), paths, only_with_a_person }
}
