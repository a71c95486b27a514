//! Groups that are nested in each other in a circle are one component: who is in one of them is in all.
//!
//! R. Tarjan, *Depth-first search and linear graph algorithms*, SIAM J. Comput. 1(2), 1972, with a stack of its
//! own in place of recursion, so that no depth of nesting overflows anything. Every group and every edge is looked
//! at once.

use super::Group;

/// The components of some groups, those above first. `groups` ascend; edges of `up` that lead out of them are
/// passed over.
pub(super) fn condense(groups: &[Group], up: &[Vec<Group>]) -> Vec<Vec<Group>> {
    let mut walk =
        Walk { groups, up, found: vec![0; groups.len()], low: vec![0; groups.len()], ..Walk::default() };
    for at in 0..groups.len() {
        if walk.found[at] == 0 {
            walk.from(at);
        }
    }
    walk.components
}

/// Has its component: higher than any number of a group that has none yet.
const CLOSED: u32 = u32::MAX;

/// Places in `groups` stand for groups.
#[derive(Default)]
struct Walk<'a> {
    groups: &'a [Group],
    up: &'a [Vec<Group>],
    /// When a group was found, from 1 on; 0 is not yet.
    found: Vec<u32>,
    /// The earliest found that is known to be reached from a group and to have no component yet.
    low: Vec<u32>,
    count: u32,
    /// Found, and without a component yet, as found.
    open: Vec<usize>,
    components: Vec<Vec<Group>>,
}

impl Walk<'_> {
    fn find(&mut self, at: usize) -> (usize, usize) {
        self.count += 1;
        (self.found[at], self.low[at]) = (self.count, self.count);
        self.open.push(at);
        (at, 0)
    }

    fn from(&mut self, start: usize) {
        // A group and how many of its edges were followed.
        let mut path = vec![self.find(start)];
        while let Some((at, followed)) = path.pop() {
            let edges = &self.up[self.groups[at].at()];
            if let Some(parent) = edges.get(followed) {
                path.push((at, followed + 1));
                let Ok(parent) = self.groups.binary_search(parent) else { continue };
                if self.found[parent] == 0 {
                    path.push(self.find(parent));
                } else {
                    self.low[at] = self.low[at].min(self.found[parent]);
                }
                continue;
            }
            if self.low[at] == self.found[at] {
                self.close(at);
            }
            if let Some((below, _)) = path.last() {
                self.low[*below] = self.low[*below].min(self.low[at]);
            }
        }
    }

    /// All that was found since the group, and is open still, is one component with it.
    fn close(&mut self, first: usize) {
        let mut groups = Vec::new();
        while let Some(at) = self.open.pop() {
            (self.found[at], self.low[at]) = (CLOSED, CLOSED);
            groups.push(self.groups[at]);
            if at == first {
                break;
            }
        }
        groups.sort_unstable();
        self.components.push(groups);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(groups: &[u32], edges: &[(u32, u32)], expect: &[&[u32]]) {
        let mut up = vec![Vec::new(); 10];
        edges.iter().for_each(|(child, parent)| up[*child as usize].push(Group(*parent)));
        let groups: Vec<Group> = groups.iter().copied().map(Group).collect();
        let found = condense(&groups, &up);
        let found: Vec<Vec<u32>> = found.iter().map(|groups| groups.iter().map(|g| g.0).collect()).collect();
        assert_eq!(found, expect, "{edges:?}");
    }

    #[test]
    fn circles_are_components_and_those_above_come_first() {
        check(&[], &[], &[]);
        check(&[0, 1], &[], &[&[0], &[1]]);
        check(&[0, 1, 2], &[(0, 1), (1, 2)], &[&[2], &[1], &[0]]);
        check(&[0, 1, 2], &[(0, 0), (0, 1), (1, 2), (2, 1)], &[&[1, 2], &[0]]);
        check(&[0, 1, 2, 3], &[(0, 1), (1, 0), (1, 2), (2, 3), (3, 2)], &[&[2, 3], &[0, 1]]);
        check(&[0, 1, 2, 3], &[(0, 1), (0, 2), (1, 3), (2, 3), (3, 0)], &[&[0, 1, 2, 3]]);
        // Two circles that share a group.
        check(&[0, 1, 2], &[(0, 1), (1, 0), (1, 2), (2, 1)], &[&[0, 1, 2]]);
    }

    #[test]
    fn edges_that_lead_elsewhere_are_passed_over() {
        check(&[2, 5, 7], &[(2, 5), (5, 3), (3, 2), (5, 9), (7, 2)], &[&[5], &[2], &[7]]);
    }

    #[test]
    fn neither_a_long_chain_nor_a_long_circle_overflows() {
        let count = 1_000_000;
        let groups: Vec<Group> = (0..count).map(Group).collect();
        let mut up: Vec<Vec<Group>> = (1..=count).map(|above| vec![Group(above)]).collect();
        assert_eq!(condense(&groups, &up).len(), count as usize);
        up[count as usize - 1] = vec![Group(0)];
        assert_eq!(condense(&groups, &up), [groups]);
    }
}
