//! Bad configuration and policies: refused with the place, and nothing is changed.

use crate::{
    golden,
    world::{Outcome, World},
};

#[test]
fn a_bad_configuration_is_refused_with_its_place_and_nothing_changes() {
    let world = World::with_acme();
    let before = world.run(&["integration", "list", "--json"]).well().json();
    let config = world.acme();
    let mut transcript: Vec<Outcome> = Vec::new();
    let mut check = |name: &str, text: &str, code: &str, place: &str| {
        let file = world.write(&format!("acme/{name}"), text);
        transcript.push(world.run(&["apply", "acme", "--yes"]).refused(1, code, place));
        std::fs::remove_file(file).unwrap();
        assert_eq!(world.run(&["integration", "list", "--json"]).well().json(), before, "{name}");
        let same = world.run(&["apply", &config, "--dry-run"]).well();
        assert!(same.stdout.contains("nothing to change"), "{name}: {}", same.stdout);
    };
    check(
        "bad.toml",
        "[entitlement.\"chat/lobby\"]\nclass = \"direct-groups\"\nlabbel = \"Lobby\"\n",
        "config-unknown-key",
        "bad.toml:3:1",
    );
    check("bad.toml", "[system.lobby\n", "config-syntax", "bad.toml:1");
    check(
        "bad.toml",
        "[system.lobby]\ntitle = \"Lobby\"\nclasses = [\"primary-account\"]\nconvergence = \"1s\"\naccount = { userName = \"{email}\" }\n\n\
         [integration.lobby]\npurpose = \"Visitors\"\nconnector = \"scim\"\nendpoint = \"https://lobby.example\"\n\
         system = \"lobby\"\nscope = [\"list GET /Users\"]\n",
        "config-no-owner",
        "bad.toml:7",
    );
    check(
        "bad.cedar",
        "@id(\"broken\")\npermit (principal, action == Action::\"hold\", resource\n",
        "policy-syntax",
        "bad.cedar:",
    );
    check(
        "bad.cedar",
        "@id(\"typo\")\npermit (principal, action == Action::\"hold\", resource)\nwhen { principal.departmnt == \"IT\" };\n",
        "policy-unknown-attribute",
        "bad.cedar:3",
    );
    golden::check("bad-configuration", &transcript.iter().collect::<Vec<_>>());
}

#[test]
fn a_change_is_made_only_when_somebody_says_so() {
    let mut world = World::with_hub();
    world.start_lab();
    let config = world.acme();
    world.run(&["apply", &config]).refused(2, "confirmation-needed", "--yes");
    assert_eq!(world.integrations(), ["bailiwick"]);
    world.run(&["apply", "nowhere"]).refused(1, "config-read", "nowhere");
}

#[test]
fn a_system_that_cannot_be_reached_is_said_with_its_address() {
    let mut world = World::with_acme();
    let lab = world.lab().to_owned();
    world.run(&["reconcile", "chat", "--check"]).well();
    world.kill_lab();
    let before = world.run(&["account", "list", "--json"]).well().json();
    world.run(&["reconcile", "chat", "--check"]).refused(1, "system-unreachable", &lab);
    world.run(&["reconcile", "chat"]).refused(1, "system-unreachable", &lab);
    assert_eq!(world.run(&["account", "list", "--json"]).well().json(), before);
}
