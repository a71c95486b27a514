//! Deciding: what an identity should have on every system, and which policies say so.

use std::collections::BTreeMap;

use crate::{
    access::AccessClass,
    account::{AccountAttributes, AccountValue},
    digest::Digest,
    event::Event,
    id::{EntitlementName, SystemName},
    identity::Identity,
    plan::{Decision, Desired},
    policy::Holding,
    system::{Entitlement, System},
};

/// An account attribute cannot be made from the identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{attribute}` of an account on `{system}` needs `{needs}`, which the identity does not have")]
pub struct Incomplete {
    /// The system.
    pub system: SystemName,
    /// The account's attribute.
    pub attribute: String,
    /// The identity's attribute that is missing.
    pub needs: String,
}

/// What is declared, as deciding needs it.
pub struct Catalogue<'a> {
    /// All systems.
    pub systems: &'a BTreeMap<SystemName, System>,
    /// All entitlements.
    pub entitlements: &'a BTreeMap<EntitlementName, Entitlement>,
    /// The version of the policies that made the holding.
    pub policy: Digest,
}

/// Decides for `identity`, who is to hold `holding`, by policies and by the exceptions that count now. An identity that
/// may not hold anything in its state of life gets an empty decision. Fails when an attribute that
/// an account cannot do without is missing: nothing is made up.
pub fn decide(
    identity: &Identity,
    event: &Event,
    holding: &Holding,
    catalogue: &Catalogue<'_>,
) -> Result<Decision, Incomplete> {
    let mut desired: BTreeMap<SystemName, Desired> = BTreeMap::new();
    let mut forbidden = BTreeMap::new();
    if identity.lifecycle.may_hold() {
        forbidden = holding.forbidden.clone();
        for (name, because) in &holding.held {
            let because = because.iter().cloned();
            let system = name.system();
            let Some(declared) = catalogue.systems.get(&system) else { continue };
            if !desired.contains_key(&system) {
                let attributes = account_attributes(identity, declared)?;
                let fresh = Desired { attributes, entitlements: BTreeMap::new(), because: Vec::new() };
                desired.insert(system.clone(), fresh);
            }
            let Some(entry) = desired.get_mut(&system) else { continue };
            let class = catalogue.entitlements.get(name).map(|e| e.class);
            if class == Some(AccessClass::PrimaryAccount) {
                entry.because.extend(because);
            } else {
                entry.entitlements.entry(name.clone()).or_default().extend(because);
            }
        }
    }
    // An account that only carries entitlements is wanted because of them.
    for wanted in desired.values_mut().filter(|d| d.because.is_empty()) {
        wanted.because = wanted.entitlements.values().flatten().cloned().collect();
        wanted.because.sort();
        wanted.because.dedup();
    }
    Ok(Decision {
        event: event.id,
        identity: identity.id,
        generation: identity.generation,
        policy: catalogue.policy,
        desired,
        forbidden,
        leads: (!identity.engagements.is_empty()).then(|| identity.leading_key().clone()),
    })
}

/// Makes the attributes of an account from templates such as `{given_name} {family_name}`.
pub fn account_attributes(identity: &Identity, system: &System) -> Result<AccountAttributes, Incomplete> {
    let mut out = AccountAttributes::new();
    for (attribute, template) in &system.account {
        let optional = template.starts_with('?');
        match fill(template.strip_prefix('?').unwrap_or(template), identity) {
            Ok(text) => drop(out.insert(attribute.clone(), AccountValue::Text(text))),
            Err(_) if optional => {}
            Err(needs) => {
                return Err(Incomplete { system: system.name.clone(), attribute: attribute.clone(), needs });
            }
        }
    }
    Ok(out)
}

fn fill(template: &str, identity: &Identity) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        out.push_str(before);
        match identity.attributes.get(name) {
            Some(value) => out.push_str(&value.to_string()),
            None if name == "source_key" => out.push_str(&identity.source_key.key),
            None => return Err(name.to_owned()),
        }
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}
