//! Bad evidence: packs that were cut off or changed, a database that was edited.

use std::fs;

use crate::{golden, world::World};

#[test]
fn a_pack_verifies_offline_and_not_when_it_was_cut_off_or_changed() {
    let mut world = World::with_acme();
    world.run(&["import", "hr", "acme/hr.csv"]).well();
    world.run(&["evidence", "export", "--identity", "hr/1042", "-o", "ada.pack"]).well();
    world.run(&["evidence", "check"]).well();
    world.kill_hub();
    world.kill_lab();

    world.run(&["evidence", "verify", "ada.pack"]).well();
    let pack = fs::read(world.path("ada.pack")).unwrap();
    let mut transcript = Vec::new();
    world.write("cut.pack", &pack[..pack.len() * 2 / 3]);
    transcript.push(world.run(&["evidence", "verify", "cut.pack"]).refused(1, "pack-truncated", "line"));
    let mut flipped = pack.clone();
    flipped[pack.len() / 2] ^= 1;
    world.write("flipped.pack", &flipped);
    assert_eq!(world.run(&["evidence", "verify", "flipped.pack"]).code, 1);
    world.write("longer.pack", [&pack[..], b"{}\n"].concat());
    transcript.push(world.run(&["evidence", "verify", "longer.pack"]).refused(
        1,
        "pack-trailing-data",
        "line",
    ));
    world.write("empty.pack", "");
    transcript.push(world.run(&["evidence", "verify", "empty.pack"]).refused(1, "pack-truncated", "line 1"));
    world.run(&["evidence", "verify", "ada.pack", "--key", "bailiwick.test/log+00000000+AAAA"]).refused(
        2,
        "key-malformed",
        "--key",
    );
    assert!(transcript[0].stderr.contains("help: "), "{}", transcript[0].stderr);
    // Where a pack was cut or ends depends on how much there was to say.
    golden::check("bad-pack", &[&transcript[2]]);
}
