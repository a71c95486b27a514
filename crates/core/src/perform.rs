//! Whether a change is inside of what was certified: the limits of a scope that no single call shows.
//!
//! The broker sees calls; that one of them gives an entitlement outside of the certified set, or touches
//! somebody outside of the certified population, is known only where the change is. It is asked before
//! anything is marked as sent, and what is outside is refused, never left out in silence.

use std::fmt;

use crate::{
    access::Stage,
    authority::Touch,
    id::EntitlementName,
    plan::{Change, Op},
    policy::Attributes,
    scope::Scope,
};

/// Why something is outside of what was certified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Outside {
    /// The attribute is not one that it may write.
    #[error("the attribute `{0}` is not among those that it may write")]
    Attribute(String),
    /// The entitlement is not one that it may give and take.
    #[error("`{0}` is not among the entitlements that it may give and take")]
    Entitlement(Taken),
    /// The identity is not of those whose access it may change.
    #[error("the person is not among those whose access it may change")]
    Population,
}

/// What would be given or taken, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// An entitlement that is declared.
    Named(EntitlementName),
    /// Something that no entitlement names.
    Unnamed(String),
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => name.fmt(f),
            Self::Unnamed(words) => f.write_str(words),
        }
    }
}

impl Outside {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        "out-of-scope"
    }
}

/// Whether the change is inside of the scope, for somebody with these attributes.
pub fn permits(scope: &Scope, change: &Change, of: &Attributes) -> Result<(), Outside> {
    if !scope.population.has(of) {
        return Err(Outside::Population);
    }
    match &change.op {
        Op::CreateAccount { attributes, .. } | Op::SetAttributes { attributes } => {
            names(scope, attributes.keys())
        }
        Op::Grant { .. } | Op::Revoke { .. } => entitlement(scope, change),
        // Ending what is live gives nobody anything, and no entitlement names a session.
        Op::RevokeAll { class } if class.stage() == Stage::Kill => Ok(()),
        Op::RevokeAll { .. } => entitlement(scope, change),
        Op::Enable | Op::Disable { .. } | Op::Delete => Ok(()),
    }
}

/// Whether the integration itself may write these attributes of somebody who has those now.
pub fn permits_writing<'n>(
    scope: &Scope,
    written: impl IntoIterator<Item = &'n String> + Clone,
    of: &Attributes,
) -> Result<(), Outside> {
    let acts = |name: &&String| !scope.acts.contains(&Touch::Attribute((*name).clone()));
    if let Some(name) = written.clone().into_iter().find(acts) {
        return Err(Outside::Attribute(name.clone()));
    }
    names(scope, written)?;
    if scope.population.has(of) { Ok(()) } else { Err(Outside::Population) }
}

fn names<'n>(scope: &Scope, written: impl IntoIterator<Item = &'n String>) -> Result<(), Outside> {
    match written.into_iter().find(|name| !scope.attributes.allows(name)) {
        Some(name) => Err(Outside::Attribute(name.clone())),
        None => Ok(()),
    }
}

fn entitlement(scope: &Scope, change: &Change) -> Result<(), Outside> {
    match &change.entitlement {
        _ if scope.entitlements.is_any() => Ok(()),
        Some(name) if scope.entitlements.allows(name) => Ok(()),
        Some(name) => Err(Outside::Entitlement(Taken::Named(name.clone()))),
        None => Err(Outside::Entitlement(Taken::Unnamed(change.op.words()))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        access::AccessClass,
        account::AccountAttributes,
        id::{AccountId, SystemName},
        limit::{Limit, Population},
        plan::Target,
        policy::AttributeValue,
    };

    fn change(op: Op, entitlement: Option<&str>) -> Change {
        Change {
            seq: 0,
            system: SystemName::new("chat").unwrap(),
            target: Target::New { account: AccountId::from_bytes([0; 16]) },
            entitlement: entitlement.map(|name| EntitlementName::new(name).unwrap()),
            op,
            because: vec![],
        }
    }

    fn account(names: &[&str]) -> AccountAttributes {
        names.iter().map(|name| ((*name).to_owned(), "x".into())).collect()
    }

    fn people(pairs: &[(&str, &str)]) -> Attributes {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), AttributeValue::Text((*v).to_owned()))).collect()
    }

    fn scope() -> Scope {
        Scope {
            attributes: Limit::Only(["email", "name"].map(str::to_owned).into()),
            entitlements: Limit::Only([EntitlementName::new("chat/users").unwrap()].into()),
            population: Population(BTreeMap::from([(
                "site".into(),
                ["ams", "ber"].map(str::to_owned).into(),
            )])),
            acts: [Touch::Attribute("email".into()), Touch::Attribute("badge".into()), Touch::Signal].into(),
            ..Scope::default()
        }
    }

    #[test]
    fn a_change_is_inside_of_every_limit_or_refused() {
        let groups = AccessClass::DirectGroups;
        let grant = || Op::Grant { class: groups, external_id: "7".into() };
        let revoke = || Op::Revoke { class: groups, external_id: "7".into() };
        let create = |names: &[&str]| Op::CreateAccount { marker: "hr/1".into(), attributes: account(names) };
        let set = |names: &[&str]| Op::SetAttributes { attributes: account(names) };
        let attribute = |name: &str| Err(Outside::Attribute(name.into()));
        let named = |name: &str| Err(Outside::Entitlement(Taken::Named(EntitlementName::new(name).unwrap())));
        let unnamed = |words: &str| Err(Outside::Entitlement(Taken::Unnamed(words.into())));
        let here = people(&[("site", "ber")]);
        for (op, name, of, expect) in [
            (create(&["email", "name"]), None, &here, Ok(())),
            (create(&["email", "admin"]), None, &here, attribute("admin")),
            (set(&["email"]), None, &here, Ok(())),
            (set(&["admin"]), None, &here, attribute("admin")),
            (grant(), Some("chat/users"), &here, Ok(())),
            (grant(), Some("chat/admins"), &here, named("chat/admins")),
            (grant(), None, &here, unnamed("grant direct-groups")),
            (revoke(), Some("chat/users"), &here, Ok(())),
            (revoke(), Some("chat/admins"), &here, named("chat/admins")),
            (revoke(), None, &here, unnamed("revoke direct-groups")),
            (Op::RevokeAll { class: AccessClass::Sessions }, None, &here, Ok(())),
            (Op::RevokeAll { class: groups }, None, &here, unnamed("end all direct-groups")),
            (Op::Enable, None, &here, Ok(())),
            (Op::Disable { way: 0 }, None, &here, Ok(())),
            (Op::Delete, None, &here, Ok(())),
        ] {
            let change = change(op, name);
            assert_eq!(permits(&scope(), &change, of), expect, "{change:?}");
            for elsewhere in [people(&[("site", "lon")]), people(&[("city", "ber")]), people(&[])] {
                assert_eq!(permits(&scope(), &change, &elsewhere), Err(Outside::Population), "{change:?}");
            }
            // Without a limit there is nothing to be outside of.
            assert_eq!(permits(&Scope::default(), &change, &people(&[])), Ok(()), "{change:?}");
        }
    }

    #[test]
    fn an_empty_limit_allows_nothing() {
        let closed = Scope {
            attributes: Limit::Only([].into()),
            entitlements: Limit::Only([].into()),
            population: Population(BTreeMap::from([("site".into(), [].into())])),
            ..Scope::default()
        };
        let disable = change(Op::Disable { way: 0 }, None);
        assert_eq!(permits(&closed, &disable, &people(&[("site", "ber")])), Err(Outside::Population));
        let closed = Scope { population: Population::default(), ..closed };
        let set = change(Op::SetAttributes { attributes: account(&["email"]) }, None);
        assert!(permits(&closed, &set, &people(&[])).is_err());
    }

    #[test]
    fn an_integration_writes_what_it_acts_on_and_nothing_else() {
        let here = people(&[("site", "ber")]);
        let check = |names: &[&str], of: &Attributes, expect: Result<(), Outside>| {
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            assert_eq!(permits_writing(&scope(), &names, of), expect, "{names:?}");
        };
        check(&["email"], &here, Ok(()));
        check(&[], &here, Ok(()));
        check(&["email", "name"], &here, Err(Outside::Attribute("name".into())));
        // It acts on the badge, and the limit does not have it: the narrower one counts.
        check(&["badge"], &here, Err(Outside::Attribute("badge".into())));
        check(&["email"], &people(&[("site", "lon")]), Err(Outside::Population));
    }
}
