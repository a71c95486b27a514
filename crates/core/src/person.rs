//! Persons: who is the same human being, who acts for whom, and who may therefore not approve.
//!
//! People have second accounts, operate the hub under several tokens, delegate, and own service identities. Before
//! anybody is compared with anybody, all of these are resolved to persons.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is declared of a person beyond what their source says; all names are `source/key`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ties {
    /// The person.
    pub person: String,
    /// Other identities that are the same human being, or that only they control.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub also: BTreeSet<String>,
    /// Persons who act for them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub delegates: BTreeSet<String>,
}

/// Why somebody may not approve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conflict {
    /// They asked for it.
    Requester,
    /// They profit from it.
    Beneficiary,
    /// They answer for the integration.
    Owner,
    /// They gave the other approval.
    OtherGate,
    /// They act for somebody who may not.
    Delegate,
}

/// Resolves identities to persons.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Persons {
    /// Identity → the identity that stands for the human being.
    same: BTreeMap<String, String>,
    delegates: BTreeMap<String, BTreeSet<String>>,
}

impl Persons {
    /// From all that is declared.
    pub fn new<'t>(ties: impl IntoIterator<Item = &'t Ties> + Clone) -> Self {
        let mut persons = Self::default();
        for tie in ties.clone() {
            for other in &tie.also {
                persons.join(&tie.person, other);
            }
        }
        for tie in ties {
            let person = persons.resolve(&tie.person);
            let delegates: BTreeSet<String> = tie.delegates.iter().map(|d| persons.resolve(d)).collect();
            persons.delegates.entry(person).or_default().extend(delegates);
        }
        persons
    }

    fn join(&mut self, one: &str, other: &str) {
        let (one, other) = (self.resolve(one), self.resolve(other));
        if one != other {
            for person in self.same.values_mut().filter(|person| **person == other) {
                person.clone_from(&one);
            }
            self.same.insert(other, one);
        }
    }

    /// The identity that stands for the human being behind `identity`.
    pub fn resolve(&self, identity: &str) -> String {
        self.same.get(identity).map_or_else(|| identity.to_owned(), Clone::clone)
    }

    /// Everybody who may not approve, given those who are in conflict themselves. Who acts for one of
    /// them may not either, nor who acts for those.
    pub fn conflicts<'c>(
        &self,
        own: impl IntoIterator<Item = (&'c str, Conflict)>,
    ) -> BTreeMap<String, Conflict> {
        let mut out = BTreeMap::new();
        let mut open: Vec<(String, Conflict)> = Vec::new();
        for (identity, conflict) in own {
            open.push((self.resolve(identity), conflict));
        }
        while let Some((person, conflict)) = open.pop() {
            let worse = out.get(&person).is_none_or(|known| conflict < *known);
            if worse {
                let known = out.insert(person.clone(), conflict).is_some();
                if !known {
                    let delegates = self.delegates.get(&person).into_iter().flatten();
                    open.extend(delegates.map(|d| (d.clone(), Conflict::Delegate)));
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tie(person: &str, also: &[&str], delegates: &[&str]) -> Ties {
        let set = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        Ties { person: person.into(), also: set(also), delegates: set(delegates) }
    }

    #[test]
    fn second_accounts_and_delegates_are_the_person_or_act_for_them() {
        let ties = [
            tie("hr/1", &["hr/91", "svc/a"], &["hr/2"]),
            tie("hr/92", &["hr/91"], &[]),
            tie("hr/2", &[], &["hr/3", "hr/1"]),
        ];
        let persons = Persons::new(&ties);
        let check = |identity: &str, expect: Option<Conflict>| {
            let own = [("svc/a", Conflict::Owner), ("hr/7", Conflict::Requester)];
            assert_eq!(persons.conflicts(own).get(&persons.resolve(identity)).copied(), expect, "{identity}");
        };
        check("hr/1", Some(Conflict::Owner));
        check("hr/91", Some(Conflict::Owner));
        check("hr/92", Some(Conflict::Owner));
        check("svc/a", Some(Conflict::Owner));
        check("hr/2", Some(Conflict::Delegate));
        check("hr/3", Some(Conflict::Delegate));
        check("hr/7", Some(Conflict::Requester));
        check("hr/8", None);
    }

    #[test]
    fn own_conflict_is_named_before_a_delegation() {
        let ties = [tie("hr/1", &[], &["hr/2"])];
        let own = [("hr/2", Conflict::Requester), ("hr/1", Conflict::Owner)];
        assert_eq!(Persons::new(&ties).conflicts(own)["hr/2"], Conflict::Requester);
    }
}
