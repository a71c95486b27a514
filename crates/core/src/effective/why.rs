//! The way by which an account is in a group.

use std::collections::BTreeMap;

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
}
