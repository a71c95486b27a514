//! Probing a system, as people see it.

use crate::{golden, world::World};

#[test]
fn a_probe_shows_what_a_system_really_does() {
    let mut world = World::with_hub();
    world.start_lab();
    let company = world.acme();
    for system in ["chat", "crm"] {
        // Nothing is read late there; so no time is spent on waiting.
        let file = world.path(&format!("acme/{system}.toml"));
        let text =
            std::fs::read_to_string(&file).unwrap().replace("convergence = \"2s\"", "convergence = \"0s\"");
        std::fs::write(&file, text).unwrap();
    }
    world.run(&["apply", &company, "--yes"]).well();
    for system in ["chat", "crm"] {
        for purpose in ["write", "verify"] {
            let token = format!("lab-{system}-{purpose}");
            world.run_with(&["credential", "set", system, purpose], token.as_bytes()).well();
        }
    }
    world.run(&["probe", "chat", "--show"]).refused(1, "not-probed", "chat");
    let chat = world.run(&["probe", "chat"]).well();
    let crm = world.run(&["probe", "crm"]);
    assert_eq!(crm.code, 1, "{}{}", crm.stdout, crm.stderr);
    let again = world.run(&["probe", "crm", "--show"]);
    assert_eq!(again.stdout, crm.stdout);
    golden::check("probe", &[&chat, &crm]);
    for system in ["chat", "crm"] {
        assert!(!world.truth(system)["users"].to_string().contains("canary"));
    }
    world.run(&["evidence", "check"]).well();
}
