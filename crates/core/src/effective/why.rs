//! The ways by which an account, or a group, is in a group.

use std::collections::{BTreeMap, VecDeque};

use super::{Account, Graph, Group};

impl Graph {
    /// The groups from one that the account is in directly to `group`, each in the next; `None` if it is not in
    /// it. It is a shortest way, and of those the one with the lowest numbers.
    pub fn why(&self, account: Account, group: Group) -> Option<Vec<Group>> {
        // Breadth first, and only to where a way to the group goes on.
        let leads = |at: &Group| self.closure.above(*at).contains(group.0);
        let mut layer = self.direct(account).to_vec();
        let mut came_from: BTreeMap<Group, Option<Group>> =
            layer.iter().map(|group| (*group, None)).collect();
        while !layer.is_empty() && !came_from.contains_key(&group) {
            let mut next = Vec::new();
            for at in layer {
                for parent in self.closure.up[at.at()].iter().filter(|parent| leads(parent)) {
                    came_from.entry(*parent).or_insert_with(|| {
                        next.push(*parent);
                        Some(at)
                    });
                }
            }
            layer = next;
        }
        came_from.contains_key(&group).then(|| {
            let before = |at: &Group| came_from.get(at).copied().flatten();
            let mut way: Vec<Group> = std::iter::successors(Some(group), before).collect();
            way.reverse();
            way
        })
    }

    /// Of the groups around one, those that are wanted, each with the groups in between, from the inner one outwards.
    /// It is a shortest way, and of those the one with the lowest numbers. The group is not around itself.
    pub fn around(&self, group: Group, wanted: impl Fn(Group) -> bool) -> Vec<(Group, Vec<Group>)> {
        let mut found = Vec::new();
        let mut came_from = BTreeMap::from([(group, group)]);
        let mut ahead = VecDeque::from([group]);
        while let Some(here) = ahead.pop_front() {
            for parent in self.closure.up.get(here.at()).into_iter().flatten() {
                if came_from.contains_key(parent) {
                    continue;
                }
                came_from.insert(*parent, here);
                ahead.push_back(*parent);
                if wanted(*parent) {
                    let before = |at: &Group| came_from.get(at).copied();
                    let back = std::iter::successors(before(parent), before);
                    let mut between: Vec<Group> = back.take_while(|at| *at != group).collect();
                    between.reverse();
                    found.push((*parent, between));
                }
            }
        }
        found
    }
}
