//! One table of what everything costs, each compared with a floor that is measured in the same run.
//!
//! ```text
//! cargo bench                  # everything, at a tenth of the size
//! cargo bench -- --full        # everything, at the size that the goals are about
//! cargo bench -- 3 9 leaver    # only these
//! cargo bench -- --share 100   # at a hundredth of the size, or any other
//! cargo bench -- --write       # writes what came out into docs/performance.md too
//! ```
//!
//! Every case runs in a process of its own, so that its memory is its own and one that fails ends nothing but itself. A
//! figure is printed only after what was measured is found to be right.

#![allow(clippy::unwrap_used, reason = "a case that cannot run should stop")]

mod cases;
mod company;
mod http;
mod hub;
mod laboratory;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../../crates/connectors/tests/support/ldap_bench.rs"]
mod ldap_bench;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../../crates/connectors/tests/support/line.rs"]
mod line;
mod machine;
mod measure;
mod page;
mod population;
mod python;
mod row;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../../crates/connectors/tests/support/slapd.rs"]
mod slapd;
mod source;
mod turn;
#[path = "../../crates/engine/tests/world/mod.rs"]
mod world;

use std::process::{Command, ExitCode};

use cases::{CASES, Case};
use row::Verdict;

/// The size of the cases: one of so many parts of what the goals are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    share: usize,
}

impl Size {
    /// How many, of so many at full size.
    pub fn of(self, full: usize) -> usize {
        full / self.share
    }

    /// As it is said.
    pub fn name(self) -> String {
        match self.share {
            1 => "full size".to_owned(),
            share => format!("1/{share} of the size"),
        }
    }
}

/// What is asked for.
struct Asked {
    size: Size,
    write: bool,
    /// The one to run in this process.
    child: Option<String>,
    names: Vec<String>,
}

impl Asked {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut asked = Self { size: Size { share: 10 }, write: false, child: None, names: Vec::new() };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // Cargo says that it is a benchmark.
                "--bench" => {}
                "--full" => asked.size = Size { share: 1 },
                "--share" => {
                    let share = arguments.next().and_then(|share| share.parse().ok()).filter(|n| *n > 0);
                    asked.size = Size { share: share.ok_or("`--share` takes a number")? };
                }
                "--write" => asked.write = true,
                "--child" => asked.child = arguments.next(),
                name if CASES.iter().any(|case| case.name == name) => asked.names.push(name.to_owned()),
                other => {
                    let names: Vec<&str> = CASES.iter().map(|case| case.name).collect();
                    return Err(format!(
                        "`{other}` is no case; there are {}, and --full, --share N, --write",
                        names.join(", ")
                    ));
                }
            }
        }
        Ok(asked)
    }

    fn cases(&self) -> impl Iterator<Item = &'static Case> {
        CASES.iter().filter(|case| self.names.is_empty() || self.names.iter().any(|name| name == case.name))
    }
}

fn main() -> ExitCode {
    let asked = match Asked::read(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    if let Some(name) = &asked.child {
        turn::child(name, asked.size);
        return ExitCode::SUCCESS;
    }
    if asked.cases().any(|case| case.hub) {
        build_hub();
    }
    let rows: Vec<_> = asked.cases().flat_map(|case| turn::run(case, asked.size)).collect();
    let page = page::Page { rows, size: asked.size, machine: machine::machine(), commit: machine::commit() };
    println!("{}", page.text());
    if asked.write {
        page.write();
    }
    match page.rows.iter().any(|row| matches!(row.verdict, Verdict::Failed(_))) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

/// Builds the program with the features that the table is built with: all else that it needs is built already.
fn build_hub() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--profile", "bench"]);
    cargo.args(["-p", "bailiwick-hub", "-p", "bailiwick-benches", "--bin", "bailiwick", "--bench", "table"]);
    assert!(cargo.status().unwrap().success(), "the hub cannot be built");
}
