//! What is measured: a file for each case, and the list of them.

mod batch;
mod decisions;
mod drift;
mod effective;
mod evidence;
mod hr;
mod joiners;
mod ldap;
mod leaver;
mod neighbour;
mod over_http;
mod plan;
mod policy;
mod reconcile;
mod scale;
mod scim;
mod sliced;
mod start;

use crate::{Size, row::Row};

/// A case: some work, and what it is compared with.
pub struct Case {
    /// What it is asked for by: its number in the list of goals, or a word.
    pub name: &'static str,
    /// What it is about.
    pub what: &'static str,
    /// Whether it needs the program.
    pub hub: bool,
    /// Does it; gives its rows.
    pub run: fn(Size) -> Vec<Row>,
}

/// All of them.
pub const CASES: [Case; 17] = [
    case("1", "reconciling what has not changed", reconcile::run),
    case("2", "reconciling over HTTP", over_http::run),
    case("3", "a directory, nothing changed", ldap::run),
    case("4", "reconciling what has changed", drift::run),
    case("5", "an HR file that says little new", hr::run),
    case("6", "policy over everybody", policy::run),
    case("7", "an event becomes a durable plan", plan::run),
    with_hub("8", "joiners on 8 systems", joiners::run),
    with_hub("9", "decisions", decisions::run),
    case("10", "evidence", evidence::run),
    case("11", "effective access", effective::run),
    with_hub("12", "the SCIM provider", scim::run),
    with_hub("13", "starting", start::run),
    case("leaver", "somebody is fired", leaver::run),
    with_hub("neighbour", "somebody is fired while another tenant floods", neighbour::run),
    case("batch", "large writes", batch::run),
    with_hub("scale", "one more of everything, and one more node", scale::run),
];

const fn case(name: &'static str, what: &'static str, run: fn(Size) -> Vec<Row>) -> Case {
    Case { name, what, hub: false, run }
}

const fn with_hub(name: &'static str, what: &'static str, run: fn(Size) -> Vec<Row>) -> Case {
    Case { name, what, hub: true, run }
}

/// A folder for what a case writes, on the disk that holds what is built.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}
