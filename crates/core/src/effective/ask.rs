//! Questions: who is in what, effectively.

use std::collections::BTreeSet;

use super::{
    Account, Graph, Group,
    set::{Marks, Met, Set},
};

impl Graph {
    /// The groups that an account is in effectively, ascending.
    pub fn groups_of(&self, account: Account) -> Vec<Group> {
        let mut marks = Marks::new(self.closure.count());
        self.mark(account, &mut marks);
        let mut groups = Vec::new();
        marks.drain(|group| groups.push(Group(group)));
        groups
    }

    /// Shows each account that is in a group, ascending, with all groups that it is in effectively, each once, in
    /// no order that means anything.
    pub fn each(&self, mut visit: impl FnMut(Account, &[Group])) {
        let mut met = Met::new(self.closure.count());
        for (direct, account) in
            self.groups.iter().zip((0..).map(Account)).filter(|(direct, _)| !direct.is_empty())
        {
            direct.iter().for_each(|group| met.add_all(self.closure.above(*group)));
            met.show(|groups| visit(account, groups));
        }
    }

    fn mark(&self, account: Account, marks: &mut Marks) {
        self.direct(account).iter().for_each(|group| marks.add_all(self.closure.above(*group)));
    }

    /// Whether an account is in a group effectively.
    pub fn is_in(&self, account: Account, group: Group) -> bool {
        self.direct(account).iter().any(|direct| self.closure.above(*direct).contains(group.0))
    }

    /// The group, and the groups that whoever is in it is in by that, ascending.
    pub fn above(&self, group: Group) -> Vec<Group> {
        match group.at() < self.closure.count() {
            true => self.closure.above(group).iter().map(Group).collect(),
            false => vec![group],
        }
    }

    /// The accounts that are in a group effectively, ascending. In memory is a bit for each account of the system
    /// at most, whatever is shown.
    pub fn members(&self, group: Group) -> impl Iterator<Item = Account> + use<> {
        let below = match group.at() < self.members.len() {
            true => self.closure.below(group),
            false => BTreeSet::new(),
        };
        self.together(below.iter().map(|group| &self.members[group.at()])).into_iter().map(Account)
    }

    /// The accounts that are in one of these, as a list while that is the smaller.
    pub(super) fn together<'a>(&self, all: impl Iterator<Item = &'a BTreeSet<Account>> + Clone) -> Set {
        let accounts = self.groups.count();
        let most: usize = all.clone().map(BTreeSet::len).sum();
        if most * u32::BITS as usize <= accounts {
            let mut few: Vec<u32> = all.flatten().map(|account| account.0).collect();
            few.sort_unstable();
            few.dedup();
            return Set::Few(few);
        }
        let mut marks = Marks::new(accounts);
        all.flatten().for_each(|account| marks.add(account.0));
        marks.take()
    }
}
