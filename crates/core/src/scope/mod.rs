//! What an integration may do: operations on shapes of calls, and budgets.
//!
//! A scope is a list of rules: what for, the verb of the wire, and what the verb may be pointed at:
//!
//! | wire | example |
//! |---|---|
//! | HTTP | `update PATCH /scim/v2/Users/{id}` |
//! | file | `list READ /{file}` |
//! | directory | `update MODIFY ou=people,dc=acme,dc=example`: the entry and all below it |
//! | database | `grant EXEC grant-role`: the statement of that name |
//! | action API | `create CALL CreateUser` |
//! | a person | `revoke ASK person` |
//!
//! A call is allowed only when a rule matches its operation, verb and target; everything else is outside.
//! What an integration does by itself is not called by the hub; it is declared as acts ([`Touch`]).
//!
//! Two scopes are compared as sets, part by part: see [`Scope::compare`]. A part that is left out limits
//! nothing, so leaving one out never narrows. Nothing here sends.

mod compare;
mod rule;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use compare::Comparison;
pub use rule::{BadRule, Operation, PathTemplate, ROOT_DSE, ScopeRule, Target};

use rule::{VERBS, Wire};

use crate::{
    authority::Touch,
    dn::{Dn, Rdn},
    id::EntitlementName,
    limit::{Limit, Population},
};

/// Everything an integration may do. What it says is narrowed further by every limit that is set: an act
/// on an attribute or an entitlement that is outside of the limit is no act.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The calls that it makes, or that the hub makes on its line.
    #[serde(default)]
    pub rules: Vec<ScopeRule>,
    /// What it does by itself: at the hub's door, or on systems where it has a grant of its own.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub acts: BTreeSet<Touch>,
    /// The attributes of accounts and identities that it may write.
    #[serde(default, skip_serializing_if = "Limit::is_any")]
    pub attributes: Limit<String>,
    /// The entitlements that it may give and take.
    #[serde(default, skip_serializing_if = "Limit::is_any")]
    pub entitlements: Limit<EntitlementName>,
    /// The identities whose access it may change.
    #[serde(default, skip_serializing_if = "Population::is_everybody")]
    pub population: Population,
    /// How many writes are allowed in a minute; without it, any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes_per_minute: Option<u32>,
    /// How many accounts one piece of work may change; without it, any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects_per_run: Option<u32>,
    /// The share of the known accounts of its system that may be changed in a day, percent; without it, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub population_percent: Option<u8>,
    /// How many privileged entitlements it may give in a day; without it, any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privileged_per_day: Option<u32>,
}

impl Scope {
    /// Whether some rule allows the call.
    pub fn allows(&self, operation: Operation, verb: &str, target: &str) -> bool {
        self.rules.iter().any(|rule| rule.allows(operation, verb, target))
    }

    /// What it does by itself, within the limits.
    pub fn acts(&self) -> impl Iterator<Item = &Touch> {
        self.acts.iter().filter(|act| match act {
            Touch::Attribute(name) => self.attributes.allows(name),
            Touch::Entitlement(name) => self.entitlements.allows(name),
            Touch::Identity
            | Touch::Account(_)
            | Touch::Credential(_)
            | Touch::Object(_)
            | Touch::Decide(_)
            | Touch::Search(_)
            | Touch::Signal => true,
        })
    }

    /// What a call was pointed at, with everything hidden that no rule has in clear, so that nothing
    /// personal is in it. Names of statements and actions are the connector's own and stay.
    pub fn shape(&self, verb: &str, target: &str) -> String {
        let wire = VERBS.into_iter().find(|(name, ..)| *name == verb).map(|(_, wire, _)| wire);
        match wire {
            Some(Wire::Path) => {
                let known = |segment: &str| self.rules.iter().any(|rule| rule.target.says(segment));
                let path = target.split(['?', '#']).next().unwrap_or_default();
                let shown = path.split('/').skip(1).map(|s| if known(s) { s } else { "{}" });
                shown.fold(String::new(), |path, segment| path + "/" + segment)
            }
            Some(Wire::Directory) if target != ROOT_DSE => {
                let bases = || self.rules.iter().filter_map(|rule| rule.target.subtree());
                let known = |rdn: &Rdn| bases().any(|base| base.rdns().contains(rdn));
                target.parse().map_or_else(|_| "{}".to_owned(), |dn: Dn| dn.shape(known))
            }
            Some(Wire::Directory | Wire::Name) => target.to_owned(),
            None => "{}".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_inside_only_when_a_rule_says_so() {
        let scope = Scope {
            rules: ["list GET /v2/Users", "get GET /v2/Users/{id}", "update PATCH /v2/Users/{id}"]
                .map(|r| r.parse().unwrap())
                .to_vec(),
            ..Scope::default()
        };
        let check = |operation, method, path, expect| {
            assert_eq!(scope.allows(operation, method, path), expect, "{method} {path}");
        };
        check(Operation::List, "GET", "/v2/Users", true);
        check(Operation::Get, "GET", "/v2/Users/42", true);
        check(Operation::Get, "GET", "/v2/Users/a%20b", true);
        check(Operation::Update, "PATCH", "/v2/Users/42", true);
        check(Operation::Get, "GET", "/v2/Groups/42", false);
        check(Operation::Delete, "PATCH", "/v2/Users/42", false);
        check(Operation::Update, "DELETE", "/v2/Users/42", false);
        for path in [
            "/v2/Users/",
            "/v2/Users/..",
            "/v2/Users/%2e%2E",
            "/v2/Users/1%2f2",
            "/v2/Users/1/x",
            "v2/Users/1",
            "/v2//1",
            "/v2/Users/1?x=1",
            "/v2/Users/1#x",
            "/v2/Users/a b",
            "/v2/Users/..",
        ] {
            check(Operation::Update, "PATCH", path, false);
        }
    }

    #[test]
    fn a_subtree_and_a_name_allow_what_is_in_them() {
        let rules = ["list SEARCH ou=people,dc=acme", "update MODIFY ou=people,dc=acme", "grant EXEC grant"];
        let scope = Scope { rules: rules.map(|r| r.parse().unwrap()).to_vec(), ..Scope::default() };
        for (operation, verb, target, expect) in [
            (Operation::List, "SEARCH", "OU=People,dc=acme", true),
            (Operation::Update, "MODIFY", "uid=ann,ou=people,dc=acme", true),
            (Operation::Update, "MODIFY", "uid=ann\\,ou=people,dc=acme", false),
            (Operation::Update, "MODIFY", "dc=acme", false),
            (Operation::Update, "REMOVE", "uid=ann,ou=people,dc=acme", false),
            (Operation::List, "SEARCH", "rootDSE", false),
            (Operation::List, "SEARCH", "", false),
            (Operation::Grant, "EXEC", "grant", true),
            (Operation::Grant, "EXEC", "grant-all", false),
            (Operation::Revoke, "EXEC", "grant", false),
        ] {
            assert_eq!(scope.allows(operation, verb, target), expect, "{verb} {target}");
        }
        for (verb, target, expect) in [
            ("MODIFY", "uid=ann,ou=secret,dc=acme", "uid={},ou={},dc=acme"),
            ("MODIFY", "not a name", "{}"),
            ("EXEC", "drop", "drop"),
            ("GET", "/people/7", "/{}/{}"),
        ] {
            assert_eq!(scope.shape(verb, target), expect);
        }
    }
}
