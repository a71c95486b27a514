//! The scenarios in `tests/scenarios`: documents that happen on a real hub, line by line.
//!
//! A block tagged `console` holds commands and what they print; a prompt such as `cy$` says who works. A
//! block tagged with a path is written to that file, one tagged `diff` and a path changes it. `CODE` is the
//! code of the moment of who works; ids and digests have short names, which later commands use. Before each
//! command the hub finishes what it has to do. `BAILIWICK_BLESS=1` writes what was printed into the
//! documents, and never a word of their prose.

mod names;
mod script;
mod stage;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use self::{script::Script, stage::Stage};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

#[allow(clippy::disallowed_methods, reason = "the one switch of these tests")]
fn check(name: &str) {
    let file = folder().join(name);
    let written = fs::read_to_string(&file).unwrap();
    let mut script = Script::read(&file);
    Stage::new().play(&mut script);
    let happened = script.write();
    if std::env::var_os("BAILIWICK_BLESS").is_some() {
        fs::write(&file, happened).unwrap();
        return;
    }
    let differs = written.lines().zip(happened.lines()).position(|(said, is)| said != is);
    assert!(
        written == happened,
        "{name} is not what happens, from line {} on; BAILIWICK_BLESS=1 writes it anew\n{happened}",
        differs.map_or(0, |line| line + 1)
    );
}

macro_rules! scenarios {
    ($($test:ident: $file:literal,)+) => {
        $(#[test] fn $test() { check($file); })+

        /// The documents that are checked.
        const CHECKED: &[&str] = &[$($file),+];
    };
}

scenarios! {
    the_files: "base/the-files.md",
    the_company: "base/the-company.md",
    the_chat: "base/the-chat.md",
    register_and_declare: "01-register-and-declare.md",
    authority_and_class: "02-authority-and-class.md",
    two_gates: "03-two-gates.md",
    approvals_that_hold: "04-approvals-that-hold.md",
    widening_and_narrowing: "05-widening-and-narrowing.md",
    the_edge: "06-the-edge.md",
    reviews: "07-reviews.md",
    the_owner_is_a_person: "08-the-owner-is-a-person.md",
    blast_radius: "09-blast-radius.md",
    kill_retire_sweep: "10-kill-retire-sweep.md",
    break_glass: "11-break-glass.md",
    the_hub_governs_itself: "12-the-hub-governs-itself.md",
    drills: "13-drills.md",
    metrics_and_traces: "14-metrics-and-traces.md",
    why_and_who_can: "15-why-and-who-can.md",
    two_people_are_fired: "16-two-people-are-fired.md",
    access_for_a_time: "17-access-for-a-time.md",
    differences: "18-differences.md",
    the_feed_is_guarded: "19-the-feed-is-guarded.md",
    undo: "20-undo.md",
    what_its_own_log_says: "22-what-its-own-log-says.md",
    one_person_two_records: "23-one-person-two-records.md",
    may_they: "24-may-they.md",
}

#[test]
fn each_document_is_checked() {
    fn documents(folder: &Path, found: &mut BTreeSet<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => documents(&path, found),
                false => found.extend([path]),
            }
        }
    }
    let mut found = BTreeSet::new();
    documents(&folder(), &mut found);
    // What it is all about, and how it is checked.
    found.remove(&folder().join("README.md"));
    assert_eq!(found, CHECKED.iter().map(|name| folder().join(name)).collect());
}
