//! One more node on the database of a hub, and who cannot be one.

use std::fs;

use crate::{golden, world::World};

#[test]
fn a_node_joins_with_both_keys_and_leaves_nothing_behind_when_it_is_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let database = || runtime.block_on(bailiwick_store::testkit::postgres::database());
    let (Some(store), Some(empty)) = (database(), database()) else {
        return println!("skipped: told to test without PostgreSQL");
    };
    let mut world = World::empty();
    let init = ["init", "data", "--operator", "ada", "--origin", "bailiwick.test/log", "--store", &store];
    world.run(&init).well();
    world.start_hub_with("data", &["--store", &store], &[]);
    // What its log is called is known to the store once something was published.
    world.run(&["status", "--wait", "60"]).well();
    world.run(&["init", "other", "--operator", "eve", "--profile", "other.toml"]).well();

    let join = |store: &str, key: &str, log_key: &str| {
        world.run(&["join", "two", "--store", store, "--key", key, "--log-key", log_key])
    };
    let refusals = [
        join("two.db", "data/key", "data/log-key").refused(2, "store-not-shared", "file"),
        join(&empty, "data/key", "data/log-key").refused(1, "nothing-to-join", "database"),
        join(&store, "other/key", "data/log-key").refused(3, "key-wrong", "two/key"),
        join(&store, "data/key", "other/log-key").refused(3, "log-key-wrong", "two/log-key"),
        join(&store, "missing", "data/log-key").refused(3, "key-file-missing", "missing"),
    ];
    assert!(!world.path("two").exists(), "nothing is left of what was refused");
    let joined = join(&store, "data/key", "data/log-key").well();
    assert_eq!(fs::read(world.path("two/key")).unwrap(), fs::read(world.path("data/key")).unwrap());
    let again = join(&store, "data/key", "data/log-key").refused(2, "already-initialised", "two");
    let shown: Vec<_> = refusals.into_iter().chain([joined, again]).collect();
    let shown = shown.into_iter().map(|outcome| outcome.with(&store, "STORE").with(&empty, "EMPTY"));
    golden::check("join", &shown.collect::<Vec<_>>().iter().collect::<Vec<_>>());

    // It works beside the first, and goes on when that one is gone; a profile of one is a profile of all.
    world.run(&["operator", "add", "grace", "--role", "auditor", "--to", "grace.toml"]).well();
    world.start_hub_with("two", &["--store", &store], &[]);
    let operators = world.run(&["operator", "list", "--json"]).well().json();
    assert_eq!(operators.as_array().unwrap().len(), 2, "{operators}");
    world.run(&["status", "--wait", "60"]).well();
    world.run(&["evidence", "check"]).well();
}
