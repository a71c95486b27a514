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
    golden::check("tour", &tour.iter().collect::<Vec<_>>());
}
