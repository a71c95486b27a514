//! Bad surroundings: keys, databases, ports, profiles.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::{golden, world::World};

#[test]
fn first_start_says_what_to_do_next() {
    let world = World::empty();
    let hint = world.run(&[]).well();
    assert!(hint.stdout.contains("bailiwick init"), "{}", hint.stdout);
    let early = world.run(&["status"]).refused(2, "no-profile", "bailiwick init");
    let nowhere = world.run(&["serve"]).refused(2, "no-data-folder", "bailiwick-data");
    let made = world.run(&["init", "--operator", "ada", "--origin", "bailiwick.test/log"]).well();
    assert!(made.stderr.contains("bailiwick serve"), "{}", made.stderr);
    let unreachable = world.run(&["status"]).refused(3, "hub-unreachable", "bailiwick serve");
    let again = world.run(&["init", "--operator", "ada"]).refused(2, "profile-exists", "profile.toml");
    let other = world.run(&["init", "--operator", "ada", "--profile", "other.toml"]).refused(
        2,
        "already-initialised",
        "bailiwick.db",
    );
    assert!(!world.path("other.toml").exists());
    golden::check("first-start", &[&hint, &early, &nowhere, &made, &unreachable, &again, &other]);
}

#[test]
fn secrets_are_written_for_their_owner_only_and_not_shown() {
    let world = World::empty();
    let made = world.run(&["init", "data", "--operator", "ada"]).well();
    for file in ["profile.toml", "data/key", "data/log-key"] {
        let mode = fs::metadata(world.path(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let profile = fs::read_to_string(world.path("profile.toml")).unwrap();
    let token = profile.split('"').find(|text| text.starts_with("bwk_")).unwrap();
    assert!(!made.stdout.contains(token) && !made.stderr.contains(token));
    fs::set_permissions(world.path("profile.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    world.run(&["status"]).refused(2, "profile-open", "chmod 600");
}

#[test]
fn a_port_in_use_is_said_with_its_address() {
    let world = World::with_hub();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused =
        world.run(&["serve", "--data", "data", "--listen", &address]).refused(2, "port-in-use", &address);
    golden::check("port-in-use", &[&refused]);
    world.run(&["lab", "--listen", &address]).refused(2, "port-in-use", &address);
    world.run(&["status"]).well();
}

#[test]
fn a_wrong_key_file_is_refused_and_the_right_one_still_works() {
    let mut world = World::with_acme();
    world.kill_hub();
    let right = fs::read(world.path("data/key")).unwrap();
    // The bytes of the file change when SQLite tidies up after the hub that was killed.
    let before = dump(&world, "data/bailiwick.db");
    let serve = ["serve", "--data", "data", "--listen", "127.0.0.1:0"];

    fs::write(world.path("data/key"), format!("{}\n", "ab".repeat(32))).unwrap();
    let wrong = world.run(&serve).refused(3, "key-wrong", "data/key");
    fs::write(world.path("data/key"), "not a key\n").unwrap();
    world.run(&serve).refused(3, "key-file-format", "data/key");
    fs::remove_file(world.path("data/key")).unwrap();
    world.run(&serve).refused(3, "key-file-missing", "data/key");
    assert!(dump(&world, "data/bailiwick.db") == before, "the database is as before");
    golden::check("wrong-key", &[&wrong]);

    fs::write(world.path("data/key"), &right).unwrap();
    fs::set_permissions(world.path("data/key"), fs::Permissions::from_mode(0o644)).unwrap();
    world.run(&serve).refused(3, "key-file-mode", "data/key");
    fs::set_permissions(world.path("data/key"), fs::Permissions::from_mode(0o600)).unwrap();
    world.start_hub();
    world.run(&["reconcile", "chat", "--check"]).well();
}

#[test]
fn a_database_of_a_newer_version_or_of_something_else_is_left_alone() {
    let world = World::empty();
    world.run(&["init", "data", "--operator", "ada"]).well();
    let serve = ["serve", "--data", "data", "--listen", "127.0.0.1:0"];
    world.write("newer.db", "");
    sqlite(
        &world,
        "newer.db",
        "CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT; INSERT INTO schema_version VALUES (99);",
    );
    let before = fs::read(world.path("newer.db")).unwrap();
    let newer = world.run(&[&serve[..], &["--store", "newer.db"]].concat()).refused(3, "store-newer", "99");
    let same = fs::read(world.path("newer.db")).unwrap();
    assert_eq!(before[100..], same[100..], "nothing but the header of SQLite is touched");
    let foreign = world
        .write("other.db", "this is a text and no database at all, and long enough to be one\n".repeat(9));
    world.run(&[&serve[..], &["--store", &foreign]].concat()).refused(3, "store-foreign", "other.db");
    world.run(&[&serve[..], &["--store", "redis://x"]].concat()).refused(3, "store-address", "redis://x");
    golden::check("newer-database", &[&newer]);
}

/// Everything in a database, as SQL.
fn dump(world: &World, file: &str) -> String {
    let script = "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).iterdump(), sep='\\n')";
    let output = std::process::Command::new("python3")
        .args(["-c", script, file])
        .current_dir(world.root())
        .output()
        .unwrap();
    assert!(output.status.success() && output.stdout.len() > 10_000);
    String::from_utf8(output.stdout).unwrap()
}

/// Runs SQL on a file.
fn sqlite(world: &World, file: &str, sql: &str) {
    let script =
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.commit()";
    let done = std::process::Command::new("python3")
        .args(["-c", script, file, sql])
        .current_dir(world.root())
        .status();
    assert!(done.unwrap().success());
}

#[test]
fn a_token_that_is_not_known_is_refused() {
    let world = World::with_hub();
    let profile = fs::read_to_string(world.path("profile.toml")).unwrap();
    let forged = profile.replace("bwk_", "bwk_0");
    fs::write(world.path("profile.toml"), forged).unwrap();
    world.run(&["status"]).refused(1, "token-refused", "token");
}

#[test]
fn a_command_line_that_is_not_understood_ends_with_2() {
    let world = World::empty();
    for args in [&["frobnicate"][..], &["plan", "show", "nonsense"], &["evidence", "export", "-o", "x"]] {
        assert_eq!(world.run(args).code, 2, "{args:?}");
    }
}

#[test]
fn a_role_that_does_not_give_the_right_is_refused_and_may_still_read() {
    let world = World::with_hub();
    let added = world.run(&["operator", "add", "grace", "--role", "auditor", "--to", "grace.toml"]).well();
    assert!(!added.stdout.contains("bwk_"), "the token is not shown: {}", added.stdout);
    let as_grace = |args: &[&str]| world.run(&[&["--profile", "grace.toml"], args].concat());
    as_grace(&["status"]).well();
    let config = world.acme();
    as_grace(&["apply", &config, "--yes"]).refused(1, "not-allowed", "`admin`");
    as_grace(&["reconcile", "chat"]).refused(1, "not-allowed", "`operator`");
    as_grace(&["operator", "add", "eve", "--role", "admin"]).refused(1, "not-allowed", "grace");
    assert!(!world.path("eve.profile.toml").exists());
    assert_eq!(world.integrations(), ["bailiwick"]);
}
