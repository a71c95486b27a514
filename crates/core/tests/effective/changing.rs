//! Changes that are made to a graph and to the bare edges, with what each says that it did.

use std::collections::BTreeSet;

use bailiwick_core::effective::{Account, Change, Graph, Group, Way};
use proptest::prelude::*;

use crate::oracle::{Access, Edges, beyond, set};

#[derive(Debug, Clone, Copy)]
pub enum Step {
    Join(u32, u32),
    Leave(u32, u32),
    Nest(u32, u32),
    Unnest(u32, u32),
    RemoveAccount(u32),
    RemoveGroup(u32),
}

/// What a graph says that a change did: to accounts, and to groups where it can be more than an account.
struct Said {
    way: Way,
    accounts: Access,
    groups: Option<Access>,
}

impl Said {
    fn of_account(way: Way, account: u32, groups: &[Group]) -> Self {
        let groups = set(groups.iter().copied());
        let accounts = if groups.is_empty() { Access::new() } else { Access::from([(account, groups)]) };
        Self { way, accounts, groups: None }
    }

    fn of_nesting(change: &Change<'_>) -> Self {
        let accounts: Vec<(Account, Vec<Group>)> = change.accounts().collect();
        assert!(accounts.is_sorted_by(|a, b| a.0 < b.0), "each account once, ascending");
        Self {
            way: change.way(),
            accounts: accounts.into_iter().map(|(account, groups)| (account.0, set(groups))).collect(),
            groups: Some(change.groups().map(|(group, groups)| (group.0, set(groups))).collect()),
        }
    }
}

/// Makes the change in both, and holds what the graph says to what the edges say.
pub fn step(graph: &mut Graph, edges: &mut Edges, step: Step, groups: u32) {
    let (access, above) = (edges.access(), edges.all_above(groups));
    let said = match step {
        Step::Join(account, group) => {
            edges.memberships.insert((account, group));
            Said::of_account(Way::Gained, account, &graph.join(Account(account), Group(group)))
        }
        Step::Leave(account, group) => {
            edges.memberships.remove(&(account, group));
            Said::of_account(Way::Lost, account, &graph.leave(Account(account), Group(group)))
        }
        Step::Nest(child, parent) => {
            edges.nestings.insert((child, parent));
            Said::of_nesting(&graph.nest(Group(child), Group(parent)))
        }
        Step::Unnest(child, parent) => {
            edges.nestings.remove(&(child, parent));
            Said::of_nesting(&graph.unnest(Group(child), Group(parent)))
        }
        Step::RemoveAccount(account) => {
            edges.memberships.retain(|(a, _)| *a != account);
            Said::of_account(Way::Lost, account, &graph.remove_account(Account(account)))
        }
        Step::RemoveGroup(group) => {
            edges.memberships.retain(|(_, g)| *g != group);
            edges.nestings.retain(|(child, parent)| ![child, parent].contains(&&group));
            Said::of_nesting(&graph.remove_group(Group(group)))
        }
    };
    let mut above_now = edges.all_above(groups);
    if let Step::RemoveGroup(group) = step {
        above_now.insert(group, BTreeSet::new());
    }
    let between = |before: &Access, now: &Access| match said.way {
        Way::Gained => (beyond(now, before), beyond(before, now)),
        Way::Lost => (beyond(before, now), beyond(now, before)),
    };
    let (expect, contrary) = between(&access, &edges.access());
    assert_eq!((&said.accounts, contrary), (&expect, Access::new()), "accounts by {step:?}");
    let (expect, contrary) = between(&above, &above_now);
    match &said.groups {
        Some(groups) => assert_eq!((groups, contrary), (&expect, Access::new()), "groups by {step:?}"),
        None => assert!(expect.is_empty()),
    }
}

/// Edges among so many accounts and groups: none, few, or so many that nearly all are in circles.
pub fn edges(accounts: u32, groups: u32) -> impl Strategy<Value = Edges> {
    let most = groups as usize;
    let memberships = proptest::collection::btree_set((0..accounts, 0..groups), 0..accounts as usize * 3);
    let nestings = (0..=most * 2)
        .prop_flat_map(move |up_to| proptest::collection::btree_set((0..groups, 0..groups), 0..=up_to));
    (memberships, nestings).prop_map(|(memberships, nestings)| Edges { memberships, nestings })
}

/// Changes, most of them of nesting; numbers one beyond what edges began with.
pub fn steps(accounts: u32, groups: u32, most: usize) -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        3 => (0..=accounts, 0..=groups).prop_map(|(account, group)| Step::Join(account, group)),
        3 => (0..=accounts, 0..=groups).prop_map(|(account, group)| Step::Leave(account, group)),
        8 => (0..=groups, 0..=groups).prop_map(|(child, parent)| Step::Nest(child, parent)),
        8 => (0..=groups, 0..=groups).prop_map(|(child, parent)| Step::Unnest(child, parent)),
        1 => (0..=accounts).prop_map(Step::RemoveAccount),
        1 => (0..=groups).prop_map(Step::RemoveGroup),
    ];
    proptest::collection::vec(one, 1..=most)
}
