//! Backing up a hub that works, and going on from that somewhere else.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::world::World;

/// Leaves a world with a backup in `backup`, in which the first delivery is known and the second is not; the systems
/// have seen both.
fn backed_up() -> World {
    let world = World::with_acme();
    world.run(&["import", "hr", "acme/hr.csv"]).well();
    world.run(&["status", "--wait", "60"]).well();
    world.run(&["evidence", "export", "--identity", "hr/1042", "-o", "before.pack"]).well();
    let made = world.run(&["backup", "backup", "--data", "data"]).well();
    assert!(made.stdout.contains("it is not in the backup"), "{}", made.stdout);
    world.run(&["import", "hr", "acme/feeds/day-2.csv"]).well();
    world.run(&["status", "--wait", "60"]).well();
    world
}

#[test]
fn a_restored_hub_plans_and_sends_nothing_until_it_is_released() {
    let mut world = backed_up();
    for file in ["backup", "backup/bailiwick.db", "backup/backup.json", "backup/feeds/hr/current.csv"] {
        let mode = fs::metadata(world.path(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "others can read {file}");
    }
    let key = fs::read(world.path("data/key")).unwrap();
    let database = fs::read(world.path("backup/bailiwick.db")).unwrap();
    assert!(!database.windows(key.len()).any(|part| part == key), "the key is not in the backup");

    let old = fs::read_to_string(world.path("profile.toml")).unwrap();
    let truth: Vec<_> = ["chat", "crm", "wiki"].map(|system| world.truth(system)).into();
    world.kill_hub();
    fs::rename(world.path("profile.toml"), world.path("old.toml")).unwrap();
    let args = ["restore", "backup", "--data", "new", "--key", "data/key", "--operator", "ada"];
    let restored = world.run(&args).well();
    assert!(restored.stdout.contains("bailiwick.test/log/2+"), "{}", restored.stdout);
    world.start_hub_on("new");

    let refused = world.run(&["recovery", "release", "--reason", "looked"]);
    refused.refused(1, "restore-unseen", "source `hr` delivered nothing");
    world.run(&["import", "hr", "acme/feeds/day-2.csv"]).well();
    for system in ["chat", "crm", "wiki"] {
        world.run(&["reconcile", system]).well();
    }
    let status = world.run(&["status", "--wait", "60"]).well();
    assert!(status.stdout.contains("no system is changed"), "{}", status.stdout);
    assert_eq!(truth, ["chat", "crm", "wiki"].map(|system| world.truth(system)), "nothing was sent");
    let shown = world.run(&["recovery", "show", "--json"]).well().json();
    assert_eq!((&shown["systems"], &shown["sources"]), (&serde_json::json!([]), &serde_json::json!([])));

    // The token of before is none any more, and the log is whole and goes on.
    let stale =
        old.lines().find_map(|line| line.strip_prefix("token = ")).unwrap().trim_matches('"').to_owned();
    assert!(world.answer_to("/api/v1/status", Some(&stale)).starts_with("HTTP/1.1 401"));
    world.run(&["evidence", "check"]).well();
    // What was proven before the backup is proven with the old key, whatever became of the hub.
    world.run(&["evidence", "verify", "before.pack"]).well();

    world.run(&["recovery", "release", "--reason", "looked"]).well();
    world.run(&["status", "--wait", "60"]).well();
    assert_eq!(world.run(&["recovery", "show"]).well().stdout, "nothing is kept back by a restore\n");
    world.run(&["evidence", "check"]).well();
    world.run(&["recovery", "release", "--reason", "again"]).refused(1, "not-found", "restore");
}

#[test]
fn a_lease_that_the_backup_holds_keeps_nobody_waiting() {
    let mut world = World::with_hub();
    world.kill_hub();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = bailiwick_store::open(world.path("data/bailiwick.db").to_str().unwrap()).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        // Another publishes at this moment, and for long.
        let now = bailiwick_core::time::Timestamp::MAX.as_millisecond() / 2;
        assert!(tx.lock("sequencer", "another", now, 60_000).await.unwrap().is_some());
        tx.commit().await.unwrap();
    });
    world.run(&["backup", "backup", "--data", "data"]).well();
    fs::rename(world.path("profile.toml"), world.path("old.toml")).unwrap();
    world.run(&["restore", "backup", "--data", "new", "--key", "data/key", "--operator", "ada"]).well();
}

#[test]
fn what_is_no_whole_backup_of_this_hub_is_not_restored() {
    let mut world = backed_up();
    world.kill_hub();
    world.run(&["backup", "backup", "--data", "data"]).refused(2, "backup-unwritable", "backup");
    world.run(&["backup", "other", "--data", "nowhere"]).refused(2, "no-data-folder", "nowhere");
    let profile = world.path("profile.toml");
    let restore = |backup: &str, key: &str, operator: &str| {
        world.run(&["restore", backup, "--data", "new", "--key", key, "--operator", operator])
    };
    restore("backup", "data/key", "ada").refused(2, "profile-exists", "profile.toml");
    fs::rename(&profile, world.path("old.toml")).unwrap();
    restore("acme", "data/key", "ada").refused(2, "backup-missing", "acme");
    restore("backup", "data/key", "bob").refused(1, "not-found", "bob");
    let other = World::with_hub();
    fs::copy(other.path("data/key"), world.path("other-key")).unwrap();
    restore("backup", "other-key", "ada").refused(3, "key-wrong", "key");
    world.run(&["restore", "backup", "--data", "data", "--operator", "ada"]).refused(
        2,
        "already-initialised",
        "data",
    );

    // One byte anywhere, in the list too.
    let spoil = |file: &str, at: usize| {
        let path = world.path(file);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        good
    };
    let size = fs::metadata(world.path("backup/bailiwick.db")).unwrap().len() as usize;
    for (file, at) in [("bailiwick.db", size / 2), ("feeds/hr/current.csv", 100)] {
        let file = format!("backup/{file}");
        let good = spoil(&file, at);
        restore("backup", "data/key", "ada").refused(1, "backup-damaged", "is not what was backed up");
        fs::write(world.path(&file), good).unwrap();
    }
    let list = fs::read_to_string(world.path("backup/backup.json")).unwrap();
    let forged = list.replacen("\"at\": \"2", "\"at\": \"3", 1);
    assert_ne!(list, forged);
    fs::write(world.path("backup/backup.json"), forged).unwrap();
    restore("backup", "data/key", "ada").refused(1, "backup-damaged", "backup.json");
    fs::write(world.path("backup/backup.json"), "{}").unwrap();
    restore("backup", "data/key", "ada").refused(2, "backup-form", "backup.json");
    fs::write(world.path("backup/backup.json"), list).unwrap();

    // Nothing of all that was left behind: the next try does it.
    assert!(!world.path("new").exists() && !profile.exists());
    restore("backup", "data/key", "ada").well();
}

#[test]
fn a_database_that_its_server_restored_is_gone_on_from() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let Some(store) = runtime.block_on(bailiwick_store::testkit::postgres::database()) else {
        return println!("skipped: told to test without PostgreSQL");
    };
    let mut world = World::empty();
    let init = ["init", "data", "--operator", "ada", "--origin", "bailiwick.test/log", "--store", &store];
    world.run(&init).well();
    world.start_hub_with("data", &["--store", &store], &[]);
    // What its log is called is known to the store once something was published.
    world.run(&["status", "--wait", "60"]).well();
    world.run(&["backup", "backup", "--data", "data"]).refused(2, "backup-by-server", "data");
    world.kill_hub();
    fs::rename(world.path("profile.toml"), world.path("old.toml")).unwrap();
    let args = ["restore", "--store", &store, "--data", "new", "--key", "data/key", "--operator", "ada"];
    let restored = world.run(&args).well();
    assert!(restored.stdout.contains("bailiwick.test/log/2+"), "{}", restored.stdout);
    assert!(!restored.stdout.contains(&store), "the address may hold a password: {}", restored.stdout);
    world.start_hub_with("new", &["--store", &store], &[]);
    let shown = world.run(&["recovery", "show", "--json"]).well().json();
    assert!(
        shown["at"].is_string() && shown["before"].as_str().unwrap().starts_with("bailiwick.test/log\n"),
        "{shown}"
    );
    world.run(&["evidence", "check"]).well();
    world.run(&["recovery", "release", "--reason", "nothing is connected yet"]).well();
}

#[test]
fn an_upgrade_can_be_rehearsed() {
    let mut world = World::with_hub();
    world.kill_hub();
    let told = world.run(&["upgrade", "--dry-run", "--data", "data", "--json"]).well().json();
    assert_eq!((&told["from"], &told["done"]), (&told["to"], &serde_json::json!(false)));
    let told = world.run(&["upgrade", "--data", "data"]).well();
    assert!(told.stdout.contains("as this program"), "{}", told.stdout);
}
