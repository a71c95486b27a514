//! What holds for every graph and every sequence of changes.

use std::collections::BTreeSet;

use bailiwick_core::effective::{Account, Graph, Group};
use proptest::{prelude::*, sample::Index, test_runner::RngSeed};

use crate::{
    changing::{Step, edges, step, steps},
    oracle::Edges,
};

fn seeded(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(5),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Changes one after the other; everything is asked after each.
fn follow(mut edges: Edges, steps: &[Step], accounts: u32, groups: u32) {
    let mut graph = edges.graph();
    edges.agrees(&graph, accounts + 2, groups + 2);
    for one in steps {
        step(&mut graph, &mut edges, *one, groups + 2);
        edges.agrees(&graph, accounts + 2, groups + 2);
    }
}

proptest! {
    #![proptest_config(seeded(400))]

    #[test]
    fn a_small_graph_answers_like_its_edges_after_each_change(
        edges in edges(4, 7), steps in steps(4, 7, 40),
    ) {
        follow(edges, &steps, 4, 7);
    }

    /// Each edge that there is is taken out and put back: what was lost is gained, and all is as it was.
    #[test]
    fn what_is_taken_out_and_put_back_leaves_the_same_graph(edges in edges(6, 12)) {
        let mut graph = edges.graph();
        let mut now = edges.clone();
        for (account, group) in edges.memberships.iter().copied() {
            step(&mut graph, &mut now, Step::Leave(account, group), 12);
            step(&mut graph, &mut now, Step::Join(account, group), 12);
        }
        for (child, parent) in edges.nestings.iter().copied() {
            step(&mut graph, &mut now, Step::Unnest(child, parent), 12);
            step(&mut graph, &mut now, Step::Nest(child, parent), 12);
        }
        prop_assert_eq!(&now, &edges);
        edges.agrees(&graph, 6, 12);
    }

    /// Edges that come one by one, in any order, make the graph that is computed in full from them.
    #[test]
    fn the_order_of_edges_makes_no_difference(edges in edges(6, 12), places in any::<Vec<Index>>()) {
        let mut todo: Vec<Step> = edges.memberships.iter().map(|(a, g)| Step::Join(*a, *g)).collect();
        todo.extend(edges.nestings.iter().map(|(c, p)| Step::Nest(*c, *p)));
        let count = todo.len();
        for (at, place) in places.iter().enumerate().take(count) {
            todo.swap(at, place.index(count));
        }
        let (mut graph, mut now) = (Graph::default(), Edges::default());
        todo.into_iter().for_each(|one| step(&mut graph, &mut now, one, 12));
        prop_assert_eq!(&now, &edges);
        edges.agrees(&graph, 6, 12);
    }
}

proptest! {
    #![proptest_config(seeded(24))]

    /// Large enough for several words of bits and several circles.
    #[test]
    fn a_larger_graph_answers_like_its_edges_after_each_change(
        edges in edges(70, 140), steps in steps(70, 140, 12),
    ) {
        follow(edges, &steps, 70, 140);
    }
}

#[test]
fn edges_may_be_said_twice_and_unsorted() {
    let memberships = [(1, 2), (0, 2), (1, 2), (1, 0)].map(|(a, g)| (Account(a), Group(g)));
    let nestings = [(2, 1), (0, 1), (2, 1), (1, 1)].map(|(c, p)| (Group(c), Group(p)));
    let edges = Edges {
        memberships: BTreeSet::from([(0, 2), (1, 0), (1, 2)]),
        nestings: BTreeSet::from([(0, 1), (1, 1), (2, 1)]),
    };
    edges.agrees(&Graph::new(&memberships, &nestings), 3, 4);
    Edges::default().agrees(&Graph::new(&[], &[]), 1, 1);
}

/// A circle of 100,000 groups with a chain of 2,000 on it: no depth overflows, and a circle is kept once.
#[test]
fn deep_nesting_is_no_danger() {
    const CIRCLE: u32 = 100_000;
    const ALL: u32 = CIRCLE + 2_000;
    let mut nestings: Vec<(Group, Group)> = (0..ALL - 1).map(|at| (Group(at + 1), Group(at))).collect();
    nestings.push((Group(0), Group(CIRCLE - 1)));
    let mut graph = Graph::new(&[(Account(0), Group(ALL - 1)), (Account(1), Group(7))], &nestings);
    assert_eq!(graph.groups_of(Account(0)).len(), ALL as usize);
    assert_eq!(graph.groups_of(Account(1)).len(), CIRCLE as usize);
    assert_eq!(graph.members(Group(0)).collect::<Vec<_>>(), [Account(0), Account(1)]);
    let way = graph.why(Account(0), Group(0)).unwrap();
    assert_eq!(way.len(), ALL as usize);
    assert!(way.iter().map(|group| group.0).eq((0..ALL).rev()));
    let change = graph.unnest(Group(CIRCLE), Group(CIRCLE - 1));
    assert_eq!(change.groups().count(), 2_000);
    let lost: Vec<_> = change.accounts().map(|(account, groups)| (account, groups.len())).collect();
    assert_eq!(lost, [(Account(0), CIRCLE as usize)]);
}
