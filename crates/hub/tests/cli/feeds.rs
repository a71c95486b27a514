//! Bad feeds: each is held whole, says why and where, and nobody loses access.

use crate::{golden, world::World};

#[test]
fn a_bad_feed_is_held_whole_and_nobody_loses_access() {
    let world = World::with_acme();
    world.run(&["import", "hr", "acme/hr.csv"]).well();
    let before = world.state();
    let truth: Vec<_> = ["chat", "crm", "wiki"].iter().map(|system| world.truth(system)).collect();
    let mut transcript = Vec::new();
    for (file, code, place) in [
        ("missing-column.csv", "feed-missing-column", "E-mail"),
        ("wrong-encoding.csv", "feed-bad-encoding", "line 2"),
        ("duplicate-keys.csv", "feed-duplicate-key", "line"),
        ("truncated.csv", "feed-too-much-loss", "at most"),
        ("empty.csv", "feed-too-few-rows", "0 records"),
    ] {
        let file = format!("acme/feeds/{file}");
        transcript.push(world.run(&["import", "hr", &file]).refused(1, code, place));
        assert_eq!(world.state(), before, "{file}");
    }
    for (system, before) in ["chat", "crm", "wiki"].iter().zip(truth) {
        assert_eq!(world.truth(system), before, "nobody lost access on {system}");
    }
    golden::check("bad-feeds", &transcript.iter().collect::<Vec<_>>());
}

#[test]
fn a_feed_that_is_not_there_or_of_no_source_is_refused() {
    let world = World::with_acme();
    let before = world.state();
    world.run(&["import", "hr", "nowhere.csv"]).refused(2, "file-unreadable", "nowhere.csv");
    let file = world.write("people.csv", "Employee ID\n1\n");
    world.run(&["import", "payroll", &file]).refused(1, "not-found", "payroll");
    world.run(&["import", "No Source", &file]).refused(1, "request-malformed", "No Source");
    assert_eq!(world.state(), before);
}
