//! Effective access on one system: accounts in groups, groups in groups, and what follows.
//!
//! A [`Graph`] answers which groups an account is in effectively ([`Graph::groups_of`], [`Graph::is_in`]), who is
//! in a group effectively ([`Graph::members`]) and by which way ([`Graph::why`], [`Graph::around`]); and it takes changes
//! ([`Graph::join`] and its siblings) and says exactly who gains or loses what by them. Pairs of an account and a
//! group are made when they are asked for and never kept: there are a hundred times as many of them as there are
//! memberships.
//!
//! Accounts and groups are dense numbers, which [`Names`] hands out for ids. A number that no edge has is an
//! account in no group, or a group by itself: nothing needs to be declared, nothing can be missing. Where groups
//! are in each other in a circle, who is in one is in all.
//!
//! | what | costs |
//! |---|---|
//! | [`Graph::new`] | each membership some times; for each component of groups what the groups directly above have |
//! | [`Graph::each`] | what is above the groups that each account is in directly |
//! | [`Graph::groups_of`], [`Graph::join`], [`Graph::leave`] | what is above the groups that the account is in directly |
//! | [`Graph::is_in`] | a search in what is above each group that it is in directly |
//! | [`Graph::members`] | the memberships of the group and of all below it |
//! | [`Graph::why`] | the edges on all ways from the account to the group |
//! | [`Graph::around`] | the edges on all ways from the group outwards |
//! | [`Graph::nest`] | what is gained, and the edges of the groups that gain |
//! | [`Graph::unnest`] | nothing more if another way is left; otherwise the groups below, and all above those that lose |
//! | [`Change::accounts`] | what is above each account that is directly in a group that gains or loses |
//!
//! In memory are 12 bytes for each account and about 10 for each membership; and for each component of groups
//! 4 bytes for each group above it, at most a bit for each group that there is: 50 MB where 20,000 groups are nested
//! so that each has most of the others above it.
//!
//! Absent: what a membership is worth, and until when. A membership that comes by a rule of the system is not
//! known here unless the system shows it.

mod affected;
mod ask;
mod change;
mod closure;
mod condense;
mod lists;
mod names;
mod set;
mod why;

use std::collections::BTreeSet;

pub use affected::{Change, Way};
pub use names::Names;

use closure::Closure;
use lists::Lists;

/// The number of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(pub u32);

/// The number of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group(pub u32);

impl Account {
    const fn at(self) -> usize {
        self.0 as usize
    }
}

impl Group {
    const fn at(self) -> usize {
        self.0 as usize
    }
}

/// Who is in what.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// The groups that each account is in directly, ascending.
    groups: Lists,
    /// The accounts that are directly in each group.
    members: Vec<BTreeSet<Account>>,
    closure: Closure,
}

impl Graph {
    /// Computed in full. A membership is an account and the group that it is in, a nesting a group and the group
    /// that it is in; in any order, and as often as one likes.
    pub fn new(memberships: &[(Account, Group)], nestings: &[(Group, Group)]) -> Self {
        let of_nestings = nestings.iter().map(|(child, parent)| child.at().max(parent.at()) + 1).max();
        let of_memberships = memberships.iter().map(|(_, group)| group.at() + 1).max();
        let count = of_nestings.max(of_memberships).unwrap_or(0);
        let rooms = counts(count, memberships.iter().map(|(_, group)| group.at()));
        let mut members: Vec<Vec<Account>> =
            rooms.into_iter().map(|room| Vec::with_capacity(room as usize)).collect();
        for (account, group) in memberships {
            members[group.at()].push(*account);
        }
        for members in &mut members {
            members.sort_unstable();
            members.dedup();
        }
        let accounts = memberships.iter().map(|(account, _)| account.at() + 1).max().unwrap_or(0);
        let mut groups = Lists::with_room(&counts(accounts, members.iter().flatten().map(|a| a.at())));
        // Groups ascend, so they do in each list.
        for (members, group) in members.iter().zip((0..).map(Group)) {
            members.iter().for_each(|account| groups.push(account.at(), group));
        }
        let members = members.into_iter().map(BTreeSet::from_iter).collect();
        Self { groups, members, closure: Closure::new(count, nestings) }
    }

    /// The groups that an account is in directly, ascending.
    pub fn direct(&self, account: Account) -> &[Group] {
        self.groups.get(account.at())
    }

    /// Makes room for a group. Lists of members and of nesting are of one length.
    fn fit(&mut self, group: Group) {
        self.closure.fit(group.at() + 1);
        if self.members.len() <= group.at() {
            self.members.resize_with(group.at() + 1, BTreeSet::new);
        }
    }
}

/// How often each number below `count` occurs.
fn counts(count: usize, numbers: impl Iterator<Item = usize>) -> Vec<u32> {
    let mut counts = vec![0; count];
    numbers.for_each(|number| counts[number] += 1);
    counts
}
