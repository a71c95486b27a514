//! Who writes which attribute of identities: one writer for each.
//!
//! An attribute has one writer: the sources whose contracts promise it, each for its own people, or else the one
//! integration that says it writes it. Two writers would undo each other for ever, and nobody could say
//! whose value it is. Of two integrations neither is taken; what an integration would write over a source is
//! part of its authority, and is refused at the door.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    authority::Touch,
    id::IntegrationName,
    integration::{Integration, Role},
};

/// The attributes that integrations write at the door, and who writes each. In words, each attribute that two of
/// them would write.
pub fn writers(integrations: &[Integration]) -> Result<BTreeMap<&String, &IntegrationName>, Vec<String>> {
    let mut out: BTreeMap<&String, &IntegrationName> = BTreeMap::new();
    let mut problems = Vec::new();
    for integration in integrations {
        let own = promised(integration);
        for name in acted(integration).filter(|name| !own.contains(name)) {
            if integrations.iter().any(|other| promised(other).contains(name)) {
                continue;
            }
            match out.get(name) {
                Some(other) => problems.push(format!(
                    "the attribute `{name}` would have two writers: `{}` and `{other}`; take it from one of them",
                    integration.name
                )),
                None => drop(out.insert(name, &integration.name)),
            }
        }
    }
    if problems.is_empty() { Ok(out) } else { Err(problems) }
}

/// Whether it is this integration that writes the attribute.
pub fn writes(integrations: &[Integration], integration: &Integration, attribute: &String) -> bool {
    promised(integration).contains(attribute)
        || writers(integrations).is_ok_and(|all| all.get(attribute) == Some(&&integration.name))
}

/// The attributes that an integration says it writes.
fn acted(integration: &Integration) -> impl Iterator<Item = &String> {
    integration.scope.acts.iter().filter_map(|touch| match touch {
        Touch::Attribute(name) => Some(name),
        Touch::Identity
        | Touch::Entitlement(_)
        | Touch::Account(_)
        | Touch::Credential(_)
        | Touch::Object(_)
        | Touch::Decide(_)
        | Touch::Search(_)
        | Touch::Signal => None,
    })
}

fn promised(integration: &Integration) -> BTreeSet<&String> {
    match &integration.role {
        Role::Source { contract, .. } => contract.attributes.keys().collect(),
        Role::Target { .. } | Role::Log { .. } | Role::Partner { .. } => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn integration(name: &str, promises: &[&str], acts: &[&str]) -> Integration {
        let mut value = json!({
            "name": name, "purpose": "test", "owner": "hr/1", "backup": "hr/2", "connector": "csv",
            "endpoint": "file:/x", "scope": { "acts": acts }, "standing": { "state": "enabled" },
        });
        let attributes: serde_json::Map<_, _> =
            promises.iter().map(|name| ((*name).to_owned(), json!({ "type": "text" }))).collect();
        let role = match promises {
            [] => json!({ "role": "partner" }),
            _ => json!({ "role": "source", "source": name, "contract": { "attributes": attributes } }),
        };
        value.as_object_mut().unwrap().extend(role.as_object().unwrap().clone());
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_attribute_has_one_writer() {
        let check = |integrations: &[Integration], expect: Result<&[(&str, &str)], &[&str]>| match (
            writers(integrations),
            expect,
        ) {
            (Ok(got), Ok(expect)) => {
                let got: Vec<_> = got.into_iter().map(|(a, i)| (a.as_str(), i.to_string())).collect();
                let expect: Vec<_> = expect.iter().map(|(a, i)| (*a, (*i).to_owned())).collect();
                assert_eq!(got, expect);
            }
            (Err(got), Err(expect)) => {
                assert_eq!(got.len(), expect.len(), "{got:?}");
                assert!(got.iter().zip(expect).all(|(got, part)| got.contains(part)), "{got:?}");
            }
            (got, expect) => panic!("{got:?}, expected {expect:?}"),
        };
        let hr = || integration("hr", &["email", "site"], &["attribute email"]);
        let agency = || integration("agency", &["email"], &[]);
        let badges = || integration("badges", &[], &["attribute badge", "signal"]);
        check(&[hr(), agency(), badges()], Ok(&[("badge", "badges")]));
        let greedy = || integration("greedy", &[], &["attribute site", "attribute badge"]);
        check(&[hr(), greedy()], Ok(&[("badge", "greedy")]));
        check(&[badges(), greedy()], Err(&["`badge` would have two writers: `greedy` and `badges`"]));
        check(&[hr(), badges(), greedy()], Err(&["`badge`"]));
        // A source writes at the door what it promises, and nothing that another source promises.
        check(&[agency(), integration("hr", &["site"], &["attribute email"])], Ok(&[]));
        let all = [hr(), badges(), integration("greedy", &[], &["attribute site"])];
        let who =
            |attribute: &str| all.iter().map(|i| writes(&all, i, &attribute.to_owned())).collect::<Vec<_>>();
        assert_eq!(who("badge"), [false, true, false]);
        assert_eq!(who("site"), [true, false, false]);
    }
}
