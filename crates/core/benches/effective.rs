//! Effective access computed in full against a bare traversal of the same edges, and what a change costs.
//!
//! 20,000 groups on 5 levels, each in two of the next; 100 circles of two on the third; accounts with 5 memberships
//! each on the lowest. One process, one thread, pairs interleaved, CPU time of the thread.
//!
//! The floor is what a program does that wants nothing but the number of effective memberships: for each account it
//! follows each edge above it once and counts the groups that it meets, of which it remembers only for whom it met
//! them last. Its edges lie ready for that, account after account and group after group; laying them so is not
//! counted. Ours takes the pairs as they come, computes the graph, which can be asked and changed in both directions
//! then, and shows each account with all its groups in order. Goal: at most 3 × the floor.
//!
//! Then single changes of the same graph: memberships out and in again, goal at most 1/10,000 of the full
//! computation; nestings out and in again with everybody shown who loses or gains, and what, goal at most 2 us for
//! each of them.
//!
//! `cargo bench -p bailiwick-core --bench effective [-- ACCOUNTS]`

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

use std::fs;

use bailiwick_core::effective::{Account, Change, Graph, Group};

const PAIRS: usize = 7;
/// How many groups are on each level, from below.
const LEVELS: [u32; 5] = [10_000, 5_000, 3_000, 1_500, 500];
const GROUPS: u32 = 20_000;
const MEMBERSHIPS: u32 = 5;
const CIRCLES: u32 = 100;
/// How many single memberships are changed in a pair.
const CHANGES: u32 = 40_000;
/// How many nestings on each level, from below, are changed in a run: the higher, the more depends on one.
const EDGES: [usize; 4] = [300, 100, 24, 6];

fn main() {
    let accounts: u32 = std::env::args().filter_map(|a| a.parse().ok()).next().unwrap_or(1_000_000);
    let mut dice = Dice(1);
    let (memberships, nestings) = (memberships(accounts, &mut dice), nestings(&mut dice));
    let floor = Floor::new(accounts, &memberships, &nestings);
    let before = resident();
    let mut graph = Graph::new(&memberships, &nestings);
    let grown = resident().saturating_sub(before);

    let (mut floors, mut builds, mut fulls, mut ratios) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut changes, mut shares) = (Vec::new(), Vec::new());
    let mut pairs = 0;
    for _ in 0..PAIRS {
        let bare = cpu(|| pairs = std::hint::black_box(floor.count()));
        let mut made = Graph::default();
        let build = cpu(|| made = Graph::new(&memberships, &nestings));
        let mut shown = 0;
        let show = cpu(|| made.each(|_, groups| shown += std::hint::black_box(groups).len() as u64));
        assert_eq!(shown, pairs);
        drop(made);
        let change = memberships_out_and_in(&mut graph, accounts, &mut dice);
        floors.push(bare * 1e3);
        builds.push(build * 1e3);
        fulls.push((build + show) * 1e3);
        ratios.push((build + show) / bare);
        changes.push(change * 1e6);
        shares.push((build + show) / change);
    }
    let void =
        floors.iter().copied().fold(0.0, f64::max) > 2.0 * floors.iter().copied().fold(f64::MAX, f64::min);
    println!(
        "effective access, {accounts} accounts, {} memberships, {GROUPS} groups, {} nestings, {pairs} pairs, {PAIRS} pairs of runs",
        memberships.len(),
        nestings.len()
    );
    println!("  floor      min / median / max  {} ms", spread(floors));
    println!("  computed   min / median / max  {} ms", spread(builds));
    println!("  and shown  min / median / max  {} ms", spread(fulls));
    println!("  ratio      min / median / max  {} (goal: at most 3)", spread(ratios));
    println!("  membership min / median / max  {} us", spread(changes));
    println!("  full / one min / median / max  {} (goal: at least 10000)", spread(shares));
    nestings_out_and_in(&mut graph, &nestings, pairs, &mut dice);
    let bytes = grown as f64 / memberships.len() as f64;
    println!("  memory     {bytes:.1} bytes a membership, accounts and groups included");
    if void {
        println!("  void: the floor itself moved by more than 2 x");
    }
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
fn nestings_out_and_in(graph: &mut Graph, nestings: &[(Group, Group)], pairs: u64, dice: &mut Dice) {
    let mut first = 0;
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
        println!(
            "  nesting on level {level}, {} accounts gain or lose  min / median / max  {} us each (goal: at most 2)",
            accounts / (PAIRS * edges) as u64,
            spread(costs)
        );
    }
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
        Self {
            memberships: Rows::new(accounts, memberships.iter().map(|(account, group)| (account.0, group.0))),
            nestings: Rows::new(GROUPS, nestings.iter().map(|(child, parent)| (child.0, parent.0))),
        }
    }

    /// How many pairs of an account and a group there are, effectively.
    fn count(&self) -> u64 {
        let mut met_for = vec![u32::MAX; GROUPS as usize];
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

/// As a listing of groups shows them: group after group, the members of each in no order.
fn memberships(accounts: u32, dice: &mut Dice) -> Vec<(Account, Group)> {
    let mut all: Vec<(Account, Group)> = Vec::new();
    for account in (0..accounts).map(Account) {
        let first = all.len();
        while all.len() < first + MEMBERSHIPS as usize {
            let group = Group(dice.below(LEVELS[0]));
            if !all[first..].contains(&(account, group)) {
                all.push((account, group));
            }
        }
    }
    for at in (1..all.len()).rev() {
        all.swap(at, dice.below(at as u32 + 1) as usize);
    }
    all.sort_by_key(|(_, group)| *group);
    all
}

/// Each group is in two of the next level, and some of the third in each other.
fn nestings(dice: &mut Dice) -> Vec<(Group, Group)> {
    let mut all = Vec::new();
    let mut first = 0;
    for (here, next) in LEVELS.into_iter().zip(LEVELS.into_iter().skip(1)) {
        for child in (first..first + here).map(Group) {
            let one = dice.below(next);
            let other = (one + 1 + dice.below(next - 1)) % next;
            all.extend([one, other].map(|parent| (child, Group(first + here + parent))));
        }
        first += here;
    }
    let third = LEVELS[0] + LEVELS[1];
    for (one, other) in (0..CIRCLES).map(|n| (Group(third + 2 * n), Group(third + 2 * n + 1))) {
        all.extend([(one, other), (other, one)]);
    }
    all
}

/// Numbers that look thrown and are the same in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((((word ^ (word >> 31)) >> 32) * u64::from(count)) >> 32) as u32
    }
}

/// CPU seconds of this thread that `work` takes.
fn cpu(work: impl FnOnce()) -> f64 {
    let nanoseconds = || -> f64 {
        let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        text.split(' ').next().unwrap().parse().unwrap()
    };
    let before = nanoseconds();
    work();
    (nanoseconds() - before) / 1e9
}

/// Resident bytes of this process.
fn resident() -> usize {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    format!("{:.2} / {:.2} / {:.2}", values[0], values[values.len() / 2], values[values.len() - 1])
}
