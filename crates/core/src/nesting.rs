//! Groups in groups, as a listing of a system shows them.
//!
//! A group that is in another gives whoever is in it what the other gives: an automation that nobody declared.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    effective::{Graph, Group, Names},
    id::EntitlementName,
};

/// That a declared group is in another declared group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Inside {
    /// The group that it is in.
    pub of: EntitlementName,
    /// What the groups in between are called, from the inner one outwards; empty when it is in it directly.
    pub through: Vec<String>,
}

/// What lies in declared groups.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// Of each declared group, the other declared ones around it.
    pub declared: BTreeMap<EntitlementName, Vec<Inside>>,
    /// Of each other group that lies in a declared one, by its id, the declared ones around it.
    pub others: BTreeMap<String, Vec<Inside>>,
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

    /// Which groups are in which declared ones, directly or through any others, each by the shortest way. `declared`
    /// says which entitlement a group is, by the group's id. Groups that contain each other do no harm.
    pub fn around(&self, declared: &BTreeMap<String, EntitlementName>) -> Around {
        let mut names = Names::default();
        for id in self.labels.keys() {
            names.number(id);
        }
        let group = |id: &String| names.find(id).map(Group);
        let inner = self.holders.iter().filter_map(|(member, holders)| Some((group(member)?, holders)));
        let edges: Vec<(Group, Group)> = inner
            .flat_map(|(inner, holders)| holders.iter().filter_map(group).map(move |outer| (inner, outer)))
            .collect();
        let graph = Graph::new(&[], &edges);
        let outer: BTreeMap<Group, &EntitlementName> =
            declared.iter().filter_map(|(id, name)| Some((group(id)?, name))).collect();
        let inside = |id: &String| {
            let label = |group: Group| names.name(group.0).and_then(|id| self.labels.get(id)).cloned();
            let start = group(id).filter(|start| graph.above(*start).len() > 1);
            let ways =
                start.map(|start| graph.around(start, |at| outer.contains_key(&at))).unwrap_or_default();
            let one = |(at, between): (Group, Vec<Group>)| Inside {
                of: outer[&at].clone(),
                through: between.into_iter().filter_map(label).collect(),
            };
            let mut found: Vec<Inside> = ways.into_iter().map(one).collect();
            found.sort();
            found
        };
        let mut around = Around::default();
        for (id, name) in declared {
            let mut found = inside(id);
            found.retain(|inside| inside.of != *name);
            around.declared.entry(name.clone()).or_insert(found);
        }
        let others = self.labels.keys().filter(|id| !declared.contains_key(*id));
        let found = others.map(|id| (id.clone(), inside(id))).filter(|(_, inside)| !inside.is_empty());
        around.others.extend(found);
        around
    }

    /// What a group is called.
    pub fn label(&self, id: &str) -> Option<&String> {
        self.labels.get(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Edges `inner < outer`; the groups in capitals are declared.
    fn read(edges: &str) -> (Nesting, BTreeMap<String, EntitlementName>) {
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
        (nesting, declared)
    }

    fn check(edges: &str, expect: &[(&str, &str, &str)]) {
        let (nesting, declared) = read(edges);
        let found = nesting.around(&declared).declared;
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

    /// Of groups that nobody declared, those that lie in a declared one.
    fn others(edges: &str, expect: &[(&str, &str, &str)]) {
        let (nesting, declared) = read(edges);
        let found: Vec<(String, EntitlementName, String)> = nesting
            .around(&declared)
            .others
            .into_iter()
            .flat_map(|(id, all)| {
                all.into_iter().map(move |one| (id.clone(), one.of, one.through.join(", ")))
            })
            .collect();
        let expect: Vec<_> =
            expect.iter().map(|(i, o, t)| ((*i).to_owned(), name(o), (*t).to_owned())).collect();
        assert_eq!(found, expect, "{edges}");
    }

    #[test]
    fn other_groups_are_found_as_far_as_they_lie_in_declared_ones() {
        others("x < A", &[("x", "A", "")]);
        others("A < x", &[]);
        others(
            "x < y, y < A, z < x",
            &[("x", "A", "label of y"), ("y", "A", ""), ("z", "A", "label of x, label of y")],
        );
        others("x < A, A < B", &[("x", "A", ""), ("x", "B", "label of A")]);
        others("x < y, y < x", &[]);
        others("x < y, y < x, y < A", &[("x", "A", "label of y"), ("y", "A", "")]);
        others("person < x, x < A, person < A", &[("x", "A", "")]);
        others("x < y, w < v", &[]);
    }
}
