//! Changes: each computes what depends on it, and says who gains or loses what.

use std::{collections::BTreeSet, mem};

use super::{
    Account, Change, Graph, Group, Way,
    closure::Moved,
    set::{Marks, Set},
};

impl Graph {
    /// Puts an account in a group. Gives the groups that it is in by that and was not in before, ascending.
    pub fn join(&mut self, account: Account, group: Group) -> Vec<Group> {
        self.fit(group);
        self.groups.fit(account.at() + 1);
        let gained = self.only_by(account, group);
        if self.groups.insert(account.at(), group) {
            self.members[group.at()].insert(account);
        }
        gained
    }

    /// Takes an account out of a group. Gives the groups that it is in no more, ascending.
    pub fn leave(&mut self, account: Account, group: Group) -> Vec<Group> {
        if !self.groups.remove(account.at(), group) {
            return Vec::new();
        }
        self.members[group.at()].remove(&account);
        self.only_by(account, group)
    }

    /// What an account is, or would be, in by one group and by no other that it is in directly.
    fn only_by(&self, account: Account, group: Group) -> Vec<Group> {
        let mut marks = Marks::new(self.closure.count());
        marks.add_all(self.closure.above(group));
        self.direct(account).iter().for_each(|other| marks.remove_all(self.closure.above(*other)));
        let mut only = Vec::new();
        marks.drain(|group| only.push(Group(group)));
        only
    }

    /// Puts a group in another.
    pub fn nest(&mut self, child: Group, parent: Group) -> Change<'_> {
        self.fit(child.max(parent));
        let moved = self.closure.join(child, parent);
        Change::new(self, Way::Gained, moved, None)
    }

    /// Takes a group out of another.
    pub fn unnest(&mut self, child: Group, parent: Group) -> Change<'_> {
        let moved = self.closure.leave(&[(child, parent)]);
        Change::new(self, Way::Lost, moved, None)
    }

    /// Takes an account out of all groups. Gives the groups that it was in effectively, ascending; its number can
    /// be handed out again.
    pub fn remove_account(&mut self, account: Account) -> Vec<Group> {
        let lost = self.groups_of(account);
        for group in self.groups.take(account.at()) {
            self.members[group.at()].remove(&account);
        }
        lost
    }

    /// Takes everybody out of a group, and it out of all groups; its number can be handed out again.
    pub fn remove_group(&mut self, group: Group) -> Change<'_> {
        let mut edges = Vec::new();
        if let (Some(up), Some(down)) = (self.closure.up.get(group.at()), self.closure.down.get(group.at())) {
            edges.extend(up.iter().map(|parent| (group, *parent)));
            edges.extend(down.iter().map(|child| (*child, group)));
        }
        let mut moved = self.closure.leave(&edges);
        let members: BTreeSet<Account> = self.members.get_mut(group.at()).map(mem::take).unwrap_or_default();
        for account in &members {
            self.groups.remove(account.at(), group);
        }
        // Who was in it lost it, too. It is by itself now, so nothing moved together with it.
        let alone = || Moved { groups: vec![group], before: Set::Few(vec![group.0]), by: Set::default() };
        let at = moved.iter().position(|moved| moved.groups == [group]).unwrap_or_else(|| {
            moved.push(alone());
            moved.len() - 1
        });
        moved[at].by = moved[at].before.clone();
        Change::new(self, Way::Lost, moved, Some((group, members)))
    }
}
