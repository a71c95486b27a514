//! What a change of nesting did: to groups, and by that to accounts.

use std::collections::BTreeSet;

use super::{Account, Graph, Group, closure::Moved, set::Marks};

/// Whether something was gained or lost by a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Gained.
    Gained,
    /// Lost.
    Lost,
}

/// What a change did. It can be asked until the next one.
#[derive(Debug)]
pub struct Change<'a> {
    graph: &'a Graph,
    way: Way,
    moved: Vec<Moved>,
    /// The groups that gained or lost, ascending, with the place in `moved`.
    groups: Vec<(Group, usize)>,
    /// The group that was removed, and who was in it directly.
    removed: Option<(Group, BTreeSet<Account>)>,
}

impl<'a> Change<'a> {
    pub(super) fn new(
        graph: &'a Graph,
        way: Way,
        moved: Vec<Moved>,
        removed: Option<(Group, BTreeSet<Account>)>,
    ) -> Self {
        let places = moved.iter().enumerate().flat_map(|(at, one)| one.groups.iter().map(move |g| (*g, at)));
        let mut groups: Vec<(Group, usize)> = places.collect();
        groups.sort_unstable();
        Self { graph, way, moved, groups, removed }
    }

    /// Whether what it gives back was gained or lost.
    pub const fn way(&self) -> Way {
        self.way
    }

    /// Each group that gained or lost, ascending, and the groups that it is in now, or no more; ascending. A group
    /// that was removed lost itself, too.
    pub fn groups(&self) -> impl Iterator<Item = (Group, impl Iterator<Item = Group>)> {
        self.groups.iter().map(|(group, at)| (*group, self.moved[*at].by.iter().map(Group)))
    }

    /// Each account that gained or lost, ascending, and the groups that it is in now and was not in before, or the
    /// other way round; ascending. They are worked out one after the other.
    pub fn accounts(&self) -> impl Iterator<Item = (Account, Vec<Group>)> {
        let mut marks = Marks::new(self.graph.closure.count());
        let candidates = self.graph.together(self.groups.iter().map(|(group, _)| self.members(*group)));
        candidates.into_iter().map(Account).filter_map(move |account| {
            let groups = self.of(account, &mut marks);
            (!groups.is_empty()).then_some((account, groups))
        })
    }

    /// Who was directly in a group that gained or lost.
    fn members(&self, group: Group) -> &BTreeSet<Account> {
        match &self.removed {
            Some((removed, members)) if *removed == group => members,
            Some(_) | None => &self.graph.members[group.at()],
        }
    }

    /// What an account gained or lost: what its groups did, without what it had by another, or still has.
    fn of(&self, account: Account, marks: &mut Marks) -> Vec<Group> {
        let direct = self.graph.direct(account);
        direct.iter().filter_map(|group| self.moved(*group)).for_each(|moved| marks.add_all(&moved.by));
        // Everybody who lost anything was in the group that was removed, if only by another.
        let removed = self.removed.as_ref().and_then(|(removed, _)| self.moved(*removed));
        removed.into_iter().for_each(|moved| marks.add_all(&moved.by));
        for group in direct {
            marks.remove_all(match (self.way, self.moved(*group)) {
                (Way::Gained, Some(moved)) => &moved.before,
                (Way::Gained, None) | (Way::Lost, _) => self.graph.closure.above(*group),
            });
        }
        let mut groups = Vec::new();
        marks.drain(|group| groups.push(Group(group)));
        groups
    }

    fn moved(&self, group: Group) -> Option<&Moved> {
        let place = self.groups.binary_search_by_key(&group, |(group, _)| *group).ok()?;
        Some(&self.moved[self.groups[place].1])
    }
}
