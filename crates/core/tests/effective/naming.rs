//! Ids and numbers together: how a system's own ids come in and out.

use bailiwick_core::effective::{Account, Graph, Group, Names};

#[test]
fn a_number_that_is_handed_out_again_has_nothing_of_who_had_it() {
    let (mut accounts, mut groups, mut graph) = (Names::default(), Names::default(), Graph::default());
    let (ada, team, all) =
        (Account(accounts.number("ada")), Group(groups.number("team")), Group(groups.number("all")));
    assert_eq!(graph.nest(team, all).accounts().count(), 0);
    assert_eq!(graph.join(ada, team), [team, all]);
    assert_eq!(graph.remove_account(ada), [team, all]);
    accounts.forget("ada");
    let bob = Account(accounts.number("bob"));
    assert_eq!((bob, graph.groups_of(bob)), (ada, vec![]));

    graph.join(bob, team);
    let change = graph.remove_group(team);
    assert_eq!(change.accounts().collect::<Vec<_>>(), [(bob, vec![team, all])]);
    groups.forget("team");
    let crew = Group(groups.number("crew"));
    assert_eq!((crew, graph.above(crew), graph.members(all).count()), (team, vec![crew], 0));
    assert_eq!(graph.join(bob, crew), [crew]);
    assert_eq!(groups.name(crew.0), Some("crew"));
}
