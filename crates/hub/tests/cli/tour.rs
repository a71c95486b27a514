//! A tour of the commands, as documentation: what each prints when all is well.

use crate::{golden, world::World};

#[test]
fn a_tour() {
    let world = World::with_acme();
    let import = world.run(&["import", "hr", "acme/hr.csv"]).well();
    assert!(import.stdout.contains("500 records"), "{}", import.stdout);
    let day_2 = world.run(&["import", "hr", "acme/feeds/day-2.csv"]).well();
    world.run(&["status", "--wait", "60"]).well();
    let tour = [
        day_2,
        world.run(&["identity", "show", "hr/1042"]).well(),
        world.run(&["integration", "list"]).well(),
        world.run(&["operator", "list"]).well(),
    ];
    assert!(tour[1].stdout.contains("Finance"), "{}", tour[1].stdout);
    for args in [
        &["plan", "list", "--limit", "3"][..],
        &["case", "list"],
        &["finding", "list"],
        &["identity", "list", "--state", "left"],
        &["account", "list", "--system", "chat", "--all"],
        &["why", "vera.djordjevic@acme.example", "chat/finance"],
        &["evidence", "checkpoint"],
        &["completions", "zsh"],
    ] {
        let plain = world.run(args).well();
        assert!(!plain.stdout.is_empty() && !plain.stdout.contains('\u{1b}'), "{args:?}: {}", plain.stdout);
    }
    let left = world.run(&["identity", "list", "--state", "left", "--json"]).well().json();
    assert_eq!(left.as_array().unwrap().len(), 2);
    // What is personal goes when somebody has left, is asked for, and never otherwise; proofs stay whole.
    world.run(&["evidence", "erase", "hr/1042", "--yes"]).refused(1, "identity-not-left", "");
    world.run(&["evidence", "erase", "hr/1007"]).refused(2, "confirmation-needed", "");
    world.run(&["evidence", "erase", "hr/1007", "--yes"]).well();
    world.run(&["evidence", "export", "--identity", "hr/1007", "-o", "erased.pack"]).well();
    let pack = std::fs::read_to_string(world.path("erased.pack")).unwrap();
    assert!(!pack.contains("Costa") && !pack.contains("william"), "the pack tells who it was");
    world.run(&["evidence", "verify", "erased.pack"]).well();
    world.run(&["evidence", "check"]).well();
    golden::check("tour", &tour.iter().collect::<Vec<_>>());
}
