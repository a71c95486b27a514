//! Effective access computed in full against a bare traversal of the same edges, and what a change costs.
//!
//! 20,000 groups on 5 levels, each in two of the next; 100 circles of two on the third; accounts with 5 memberships
//! each on the lowest. One process, one thread, CPU time of the thread.
//!
//! The floor is what a program does that wants nothing but the number of effective memberships: for each account it
//! follows each edge above it once and counts the groups that it meets, of which it remembers only for whom it met
//! them last. Its edges lie ready for that, account after account and group after group; laying them so is not
//! counted. Ours takes the pairs as they come, computes the graph, which can be asked and changed in both directions
//! then, and shows each account with all its groups in order.
//!
//! Then single changes of the same graph: memberships out and in again, and nestings out and in again with everybody
//! shown who loses or gains, and what.

use bailiwick_core::effective::{Account, Change, Graph, Group};

use crate::{
    Size,
    measure::{Pairs, Process, Spread, cpu},
    population::{Dice, HELD, LEVELS, NESTED, memberships, nestings},
    row::{Goal, Row, time},
};

const PAIRS: usize = 7;
/// How many single memberships are changed in a pair.
const CHANGES: u32 = 40_000;
/// How many nestings on each level, from below, are changed in a run: the higher, the more depends on one.
const EDGES: [usize; 4] = [300, 100, 24, 6];

/// The case.
pub fn run(size: Size) -> Vec<Row> {
    let accounts = size.of(1_000_000) as u32;
    let mut dice = Dice(1);
    let (memberships, nestings) = (memberships(accounts, &mut dice), nestings(&mut dice));
    let floor = Floor::new(accounts, &memberships, &nestings);
    let before = Process::ME.resident();
    let mut graph = Graph::new(&memberships, &nestings);
    let grown = Process::ME.resident().saturating_sub(before);

    let (mut full, mut single, mut builds) = (Pairs::default(), Pairs::default(), Vec::new());
    let mut pairs = 0;
    for _ in 0..PAIRS {
        let bare = cpu(|| pairs = std::hint::black_box(floor.count()));
        let mut made = Graph::default();
        let build = cpu(|| made = Graph::new(&memberships, &nestings));
        let mut shown = 0;
        let show = cpu(|| made.each(|_, groups| shown += std::hint::black_box(groups).len() as u64));
        assert_eq!(shown, pairs);
        drop(made);
        full.push(bare, build + show);
        single.push(build + show, memberships_out_and_in(&mut graph, accounts, &mut dice));
        builds.push(build);
    }
    let work = format!("effective access of {accounts} accounts, {} memberships", memberships.len());
    let mut rows = vec![
        Row::ratio(work, "a bare traversal, CPU", Goal::AtMost(2.0), &full).with(format!(
            "floor {}, ours {}, of it {} to compute the graph; {pairs} pairs; {:.1} B a membership",
            time(full.floor().median),
            time(full.ours().median),
            time(Spread::of(builds).median),
            grown as f64 / memberships.len() as f64
        )),
        // A change of a graph is a matter of its edges, not of how many accounts there are: the goal follows the size.
        Row::ratio(
            "one membership of the same graph in or out",
            "computing it in full, CPU",
            Goal::AtLeast(size.of(20_000) as f64),
            &single,
        )
        .with(format!("{} a change", time(single.ours().median))),
    ];
    rows.extend(nestings_out_and_in(&mut graph, &nestings, pairs, &mut dice));
    rows
}

/// Seconds for one change of a membership.
fn memberships_out_and_in(graph: &mut Graph, accounts: u32, dice: &mut Dice) -> f64 {
    let chosen: Vec<(Account, Group)> = (0..CHANGES / 2)
        .map(|_| {
            let account = Account(dice.below(accounts));
            let direct = graph.direct(account);
            (account, direct[dice.below(direct.len() as u32) as usize])
        })
        .collect();
    let (mut lost, mut gained) = (0, 0);
    let seconds = cpu(|| {
        for (account, group) in &chosen {
            lost += graph.leave(*account, *group).len();
            gained += graph.join(*account, *group).len();
        }
    });
    assert!(lost >= chosen.len() && lost == gained);
    seconds / f64::from(CHANGES)
}

/// Takes nestings out and puts them back, level by level of what is nested.
fn nestings_out_and_in(
    graph: &mut Graph,
    nestings: &[(Group, Group)],
    pairs: u64,
    dice: &mut Dice,
) -> Vec<Row> {
    let (mut first, mut rows) = (0, Vec::new());
    for ((level, groups), edges) in LEVELS.into_iter().enumerate().zip(EDGES) {
        let level_has = |group: &Group| (first..first + groups).contains(&group.0);
        let here: Vec<_> = nestings.iter().filter(|(child, _)| level_has(child)).copied().collect();
        first += groups;
        let (mut accounts, mut costs) = (0, Vec::new());
        for _ in 0..PAIRS {
            let chosen: Vec<_> = (0..edges).map(|_| here[dice.below(here.len() as u32) as usize]).collect();
            let (mut lost, mut gained) = (Vec::new(), Vec::new());
            let seconds = cpu(|| {
                for (child, parent) in &chosen {
                    lost.push(affected(&graph.unnest(*child, *parent)));
                    gained.push(affected(&graph.nest(*child, *parent)));
                }
            });
            assert_eq!(lost, gained);
            let count: u64 = lost.iter().map(|(accounts, _)| accounts).sum();
            accounts += count;
            costs.push(seconds * 1e6 / (2 * count) as f64);
        }
        proven(graph, here[0], pairs);
        let each = accounts / (PAIRS * edges) as u64;
        let work = format!("one nesting on level {level} in or out, {each} accounts gain or lose");
        rows.push(Row::value(work, "—", Goal::AtMost(2.0), "µs each", Spread::of(costs)));
    }
    rows
}

/// What a change says is lost is what there is less of.
fn proven(graph: &mut Graph, (child, parent): (Group, Group), pairs: u64) {
    let count = |graph: &Graph| {
        let mut shown = 0;
        graph.each(|_, groups| shown += groups.len() as u64);
        shown
    };
    let (_, lost) = affected(&graph.unnest(child, parent));
    assert_eq!(count(graph) + lost, pairs);
    let (_, gained) = affected(&graph.nest(child, parent));
    assert_eq!((gained, count(graph)), (lost, pairs));
}

/// How many accounts gain or lose, and how many groups together.
fn affected(change: &Change<'_>) -> (u64, u64) {
    let of_each = change.accounts().map(|(_, groups)| groups.len() as u64);
    of_each.fold((0, 0), |(accounts, groups), more| (accounts + 1, groups + more))
}

/// Edges that lie ready to be followed upwards.
struct Floor {
    memberships: Rows,
    nestings: Rows,
}

impl Floor {
    fn new(accounts: u32, memberships: &[(Account, Group)], nestings: &[(Group, Group)]) -> Self {
        assert_eq!(memberships.len(), accounts as usize * HELD);
        Self {
            memberships: Rows::new(accounts, memberships.iter().map(|(account, group)| (account.0, group.0))),
            nestings: Rows::new(NESTED, nestings.iter().map(|(child, parent)| (child.0, parent.0))),
        }
    }

    /// How many pairs of an account and a group there are, effectively.
    fn count(&self) -> u64 {
        let mut met_for = vec![u32::MAX; NESTED as usize];
        let (mut pairs, mut todo) = (0, Vec::new());
        for account in 0..self.memberships.starts.len() as u32 - 1 {
            let mut meet = |group: u32, todo: &mut Vec<u32>| {
                if met_for[group as usize] != account {
                    met_for[group as usize] = account;
                    todo.push(group);
                    pairs += 1;
                }
            };
            self.memberships.of(account).iter().for_each(|group| meet(*group, &mut todo));
            while let Some(group) = todo.pop() {
                self.nestings.of(group).iter().for_each(|parent| meet(*parent, &mut todo));
            }
        }
        pairs
    }
}

/// Rows of numbers, one after the other.
struct Rows {
    starts: Vec<u32>,
    numbers: Vec<u32>,
}

impl Rows {
    fn new(count: u32, pairs: impl Iterator<Item = (u32, u32)>) -> Self {
        let mut pairs: Vec<(u32, u32)> = pairs.collect();
        pairs.sort_unstable();
        let starts = (0..=count).map(|row| pairs.partition_point(|(of, _)| *of < row) as u32).collect();
        Self { starts, numbers: pairs.into_iter().map(|(_, number)| number).collect() }
    }

    fn of(&self, row: u32) -> &[u32] {
        &self.numbers[self.starts[row as usize] as usize..self.starts[row as usize + 1] as usize]
    }
}
