//! The demo keeps its promises, and leaves what it says it leaves.

use crate::world::World;

#[test]
fn the_demo_keeps_every_promise_and_what_it_leaves_verifies() {
    let world = World::empty();
    let report = world.run(&["demo", "--keep", "kept", "--json"]).well().json();
    let promises = report["promises"].as_u64().unwrap();
    assert!(promises >= 36, "{promises} promises: {report}");
    for act in report["acts"].as_array().unwrap().iter().take(8) {
        assert!(!act["promises"].as_array().unwrap().is_empty(), "nothing was promised in {act}");
    }
    world.run(&["evidence", "verify", "kept/case.pack", "--key", "kept/log.vkey"]).well();
    for file in ["kept/profile.toml", "kept/world.json", "kept/config/chat.toml", "kept/data/bailiwick.db"] {
        assert!(world.path(file).exists(), "{file}");
    }
    world.run(&["demo", "--keep", "kept"]).refused(2, "folder-not-empty", "kept");
}
