//! What follows from edges, worked out breadth first from nothing each time.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::effective::{Account, Graph, Group};

/// The edges of one system: who is in which group, and which group is in which.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edges {
    pub memberships: BTreeSet<(u32, u32)>,
    pub nestings: BTreeSet<(u32, u32)>,
}

/// Everything that somebody is in.
pub type Access = BTreeMap<u32, BTreeSet<u32>>;

impl Edges {
    pub fn graph(&self) -> Graph {
        let memberships: Vec<_> = self.memberships.iter().map(|(a, g)| (Account(*a), Group(*g))).collect();
        let nestings: Vec<_> = self.nestings.iter().map(|(c, p)| (Group(*c), Group(*p))).collect();
        Graph::new(&memberships, &nestings)
    }

    fn parents(&self, group: u32) -> impl Iterator<Item = u32> {
        self.nestings.range((group, 0)..=(group, u32::MAX)).map(|(_, parent)| *parent)
    }

    fn children(&self, group: u32) -> impl Iterator<Item = u32> {
        self.nestings.iter().filter(move |(_, parent)| *parent == group).map(|(child, _)| *child)
    }

    fn direct(&self, account: u32) -> impl Iterator<Item = u32> {
        self.memberships.range((account, 0)..=(account, u32::MAX)).map(|(_, group)| *group)
    }

    /// The group and all that it is in.
    pub fn above(&self, group: u32) -> BTreeSet<u32> {
        let (mut above, mut todo) = (BTreeSet::from([group]), vec![group]);
        while let Some(group) = todo.pop() {
            todo.extend(self.parents(group).filter(|parent| above.insert(*parent)));
        }
        above
    }

    /// The groups that each account is in.
    pub fn access(&self) -> Access {
        let mut access = Access::new();
        for (account, group) in &self.memberships {
            access.entry(*account).or_default().extend(self.above(*group));
        }
        access
    }

    /// What each group of some is in, itself too.
    pub fn all_above(&self, groups: u32) -> Access {
        (0..groups).map(|group| (group, self.above(group))).collect()
    }

    /// How many steps it is from each group to one, counted from that backwards.
    fn distances(&self, to: u32) -> BTreeMap<u32, usize> {
        let mut distances = BTreeMap::from([(to, 0)]);
        let mut layer = vec![to];
        for distance in 1.. {
            layer = layer.iter().flat_map(|group| self.children(*group)).collect();
            layer.retain(|group| !distances.contains_key(group));
            if layer.is_empty() {
                break;
            }
            distances.extend(layer.iter().map(|group| (*group, distance)));
        }
        distances
    }

    /// The shortest way from an account to a group, of several the one with the lowest numbers: from step to step
    /// the lowest number from which it is nearest.
    fn why(&self, account: u32, group: u32, distances: &BTreeMap<u32, usize>) -> Option<Vec<u32>> {
        let nearest = |groups: &mut dyn Iterator<Item = u32>| {
            groups.filter_map(|group| Some((*distances.get(&group)?, group))).min().map(|(_, group)| group)
        };
        let mut way = vec![nearest(&mut self.direct(account))?];
        while way.last() != Some(&group) {
            way.push(nearest(&mut self.parents(*way.last()?))?);
        }
        Some(way)
    }

    /// The groups between one and another around it, by the way that is likewise.
    fn between(&self, inner: u32, outer: u32, distances: &BTreeMap<u32, usize>) -> Option<Vec<u32>> {
        distances.get(&inner).filter(|_| inner != outer)?;
        let (mut between, mut here) = (Vec::new(), inner);
        loop {
            let parents = self.parents(here).filter_map(|group| Some((*distances.get(&group)?, group)));
            here = parents.min()?.1;
            if here == outer {
                return Some(between);
            }
            between.push(here);
        }
    }

    /// Asks the graph everything about these accounts and groups.
    pub fn agrees(&self, graph: &Graph, accounts: u32, groups: u32) {
        let access = self.access();
        let nothing = BTreeSet::new();
        let mut shown = Access::new();
        graph.each(|account, groups| drop(shown.insert(account.0, set(groups.iter().copied()))));
        assert_eq!(shown, access, "each");
        for account in 0..accounts {
            let is_in = access.get(&account).unwrap_or(&nothing);
            assert!(graph.groups_of(Account(account)).iter().map(|g| &g.0).eq(is_in), "groups of {account}");
            assert!(graph.direct(Account(account)).iter().map(|g| g.0).eq(self.direct(account)));
        }
        let mut around: BTreeMap<(u32, u32), Vec<u32>> = BTreeMap::new();
        for inner in 0..groups {
            // The odd ones are not asked for, and are in between all the same.
            for (outer, between) in graph.around(Group(inner), |group| group.0 % 2 == 0) {
                let between = between.into_iter().map(|group| group.0).collect();
                assert_eq!(
                    around.insert((inner, outer.0), between),
                    None,
                    "{inner} is told once of {outer:?}"
                );
            }
        }
        for group in 0..groups {
            assert!(graph.above(Group(group)).iter().map(|g| g.0).eq(self.above(group)), "above {group}");
            let members =
                access.iter().filter(|(_, is_in)| is_in.contains(&group)).map(|(account, _)| *account);
            assert!(graph.members(Group(group)).map(|a| a.0).eq(members), "members of {group}");
            let distances = self.distances(group);
            for inner in 0..groups {
                let expect = self.between(inner, group, &distances).filter(|_| group % 2 == 0);
                assert_eq!(around.get(&(inner, group)), expect.as_ref(), "around {inner}: {group}");
            }
            for account in 0..accounts {
                let expect = self.why(account, group, &distances);
                assert_eq!(graph.is_in(Account(account), Group(group)), expect.is_some());
                let why = graph.why(Account(account), Group(group));
                let why = why.map(|way| way.iter().map(|g| g.0).collect());
                assert_eq!(why, expect, "why {account} is in {group}");
            }
        }
    }
}

pub fn set(groups: impl IntoIterator<Item = Group>) -> BTreeSet<u32> {
    groups.into_iter().map(|group| group.0).collect()
}

/// What is in the one and not in the other; nobody with nothing.
pub fn beyond(one: &Access, other: &Access) -> Access {
    let nothing = BTreeSet::new();
    let beyond = one.iter().map(|(who, is_in)| (*who, is_in - other.get(who).unwrap_or(&nothing)));
    beyond.filter(|(_, groups)| !groups.is_empty()).collect()
}
