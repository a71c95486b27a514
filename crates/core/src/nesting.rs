//! Groups in groups, as a listing of a system shows them.
//!
//! A group that is in another gives whoever is in it what the other gives: an automation that nobody declared.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::id::EntitlementName;

/// That a declared group is in another declared group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Inside {
    /// The group that it is in.
    pub of: EntitlementName,
    /// What the groups in between are called, from the inner one outwards; empty when it is in it directly.
    pub through: Vec<String>,
}

/// Which groups are in which, filled as a listing shows them.
#[derive(Debug, Default)]
pub struct Nesting {
    /// What the groups are called, by id.
    labels: BTreeMap<String, String>,
    /// What is in something, by id, and in what. It may be an account: that is not known before all groups were
    /// shown.
    holders: BTreeMap<String, BTreeSet<String>>,
}

impl Nesting {
    /// Notes a group.
    pub fn group(&mut self, id: &str, label: &str) {
        self.labels.insert(id.to_owned(), label.to_owned());
    }

    /// Notes that something, which may be a group, is in a group.
    pub fn member(&mut self, group: &str, member: &str) {
        self.holders.entry(member.to_owned()).or_default().insert(group.to_owned());
    }

    /// Of the declared groups, which are in which, directly or through any others, each by the shortest way.
    /// `declared` says which entitlement a group is, by the group's id. Groups that contain each other do no harm.
    pub fn inside(
        &self,
        declared: &BTreeMap<String, EntitlementName>,
    ) -> BTreeMap<EntitlementName, Vec<Inside>> {
        let mut out = BTreeMap::new();
        for (id, name) in declared {
            let mut found = self.around(id, declared);
            found.retain(|inside| inside.of != *name);
            found.sort();
            out.entry(name.clone()).or_insert(found);
        }
        out
    }

    /// The declared groups around one, breadth first.
    fn around(&self, start: &str, declared: &BTreeMap<String, EntitlementName>) -> Vec<Inside> {
        let mut found = Vec::new();
        let mut entered = BTreeSet::from([start]);
        let mut ahead = VecDeque::from([(start, Vec::new())]);
        while let Some((here, through)) = ahead.pop_front() {
            for holder in self.holders.get(here).into_iter().flatten() {
                if !entered.insert(holder) {
                    continue;
                }
                if let Some(of) = declared.get(holder) {
                    found.push(Inside { of: of.clone(), through: through.clone() });
                }
                let label = self.labels.get(holder).unwrap_or(holder);
                ahead.push_back((holder, through.iter().chain([label]).cloned().collect()));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Edges `inner < outer`; the groups in capitals are declared.
    fn check(edges: &str, expect: &[(&str, &str, &str)]) {
        let mut nesting = Nesting::default();
        let mut declared = BTreeMap::new();
        for edge in edges.split(", ") {
            let (inner, outer) = edge.split_once(" < ").unwrap();
            for id in [inner, outer].into_iter().filter(|id| *id != "person") {
                nesting.group(id, &format!("label of {id}"));
                if id.chars().all(char::is_uppercase) {
                    declared.insert(id.to_owned(), name(id));
                }
            }
            nesting.member(outer, inner);
        }
        let found = nesting.inside(&declared);
        let found: Vec<(EntitlementName, EntitlementName, String)> = found
            .into_iter()
            .flat_map(|(inner, all)| {
                all.into_iter().map(move |one| (inner.clone(), one.of, one.through.join(", ")))
            })
            .collect();
        let expect: Vec<_> = expect.iter().map(|(i, o, t)| (name(i), name(o), (*t).to_owned())).collect();
        assert_eq!(found, expect, "{edges}");
    }

    fn name(id: &str) -> EntitlementName {
        EntitlementName::new(&format!("saas/{}", id.to_lowercase())).unwrap()
    }

    #[test]
    fn declared_groups_are_found_in_declared_groups_through_whatever_is_in_between() {
        check("A < B", &[("A", "B", "")]);
        check("A < x, x < B", &[("A", "B", "label of x")]);
        check("x < A, x < B", &[]);
        check("person < A, A < B, person < B", &[("A", "B", "")]);
        check("A < x, x < y, y < B, A < z, z < B", &[("A", "B", "label of z")]);
        check("A < B, B < C", &[("A", "B", ""), ("A", "C", "label of B"), ("B", "C", "")]);
        check("A < B, B < A", &[("A", "B", ""), ("B", "A", "")]);
        check("A < x, x < A", &[]);
    }
}
