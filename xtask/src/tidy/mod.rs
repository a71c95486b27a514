//! The invariants of the architecture, each a check with a planted violation that it must catch.
//!
//! Two invariants have no check here because the compiler or a test of behaviour holds them: every
//! update of state takes its evidence record as an argument (the store's signatures), and no transaction
//! is open across a connector call (text cannot tell; the engine's crash tests do).

mod architecture;
mod arrows;
mod files;
mod purity;
mod rooms;
mod rust;
mod secrets;
mod tree;
mod words;

use std::{fmt, path::Path};

use anyhow::Result;

use self::tree::Tree;

/// Something that is not as promised.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    path: String,
    line: usize,
    message: String,
}

impl Violation {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// One invariant.
struct Check {
    name: &'static str,
    promise: &'static str,
    run: fn(&Tree) -> Vec<Violation>,
}

const CHECKS: [Check; 16] = [
    Check {
        name: "crates",
        promise: "the crates are the eight of the design and xtask, under the workspace's lints",
        run: arrows::crates,
    },
    Check {
        name: "arrows",
        promise: "a crate depends only on the crates below it; tests may also use lab and testkits",
        run: arrows::arrows,
    },
    Check {
        name: "libraries",
        promise: "a library that opens a way out, in, or to a database is used in one room only",
        run: arrows::libraries,
    },
    Check {
        name: "apply",
        promise: "only engine/apply changes a system (`Connector::apply`)",
        run: rooms::apply,
    },
    Check {
        name: "credentials",
        promise: "only the broker and the seal touch an authorization header towards systems",
        run: rooms::credentials,
    },
    Check {
        name: "sql",
        promise: "only store has SQL; only store and the broker open databases",
        run: rooms::sql,
    },
    Check {
        name: "routes",
        promise: "only hub has routes (and lab, which plays the systems)",
        run: rooms::routes,
    },
    Check {
        name: "purity",
        promise: "core and evidence read no clock, chance or surroundings and keep ordered maps; core does no I/O",
        run: purity::purity,
    },
    Check {
        name: "secrets",
        promise: "secrets are compared in constant time, and only where a list says",
        run: secrets::secrets,
    },
    Check {
        name: "header",
        promise: "every Rust file begins with what it promises (`//!`)",
        run: files::header,
    },
    Check { name: "length", promise: "no Rust file is longer than 600 lines", run: files::length },
    Check {
        name: "names",
        promise: "no file is called utils, common, manager, helper, service or misc",
        run: files::names,
    },
    Check {
        name: "unfinished",
        promise: "nothing is left to do, and no test is ignored without a reason",
        run: words::unfinished,
    },
    Check {
        name: "lints",
        promise: "no lint of the workspace is switched off without a reason in what ships",
        run: words::allowed,
    },
    Check {
        name: "map",
        promise: "ARCHITECTURE.md has at most 300 lines, and every path that it names exists",
        run: architecture::map,
    },
    Check {
        name: "exceptions",
        promise: "every exception is still needed; the lists only shrink",
        run: exceptions,
    },
];

/// What is checked, for people.
pub(crate) fn promises() -> String {
    let lines = CHECKS.iter().map(|check| format!("  {:<12} {}\n", check.name, check.promise));
    format!("Invariants:\n{}", lines.collect::<String>())
}

/// Everything in the workspace at `root` that is not as promised, by place.
pub(crate) fn run(root: &Path) -> Result<Vec<Violation>> {
    let tree = Tree::load(root)?;
    let mut violations: Vec<Violation> = CHECKS.iter().flat_map(|check| (check.run)(&tree)).collect();
    violations.sort();
    violations.dedup();
    Ok(violations)
}

/// A file that a check leaves out, and why. An entry that the check no longer needs is a violation.
struct Exception {
    path: &'static str,
    reason: &'static str,
}

fn excepted(list: &[Exception], path: &str) -> bool {
    list.iter().any(|exception| exception.path == path)
}

/// The lists of exceptions, each with what it excepts from, as that check would see the tree without it.
fn exceptions(tree: &Tree) -> Vec<Violation> {
    let lists: [(&str, &[Exception], Vec<Violation>); 5] = [
        ("apply", &rooms::APPLY, rooms::apply_unexcepted(tree)),
        ("credentials", &rooms::CREDENTIALS, rooms::credentials_unexcepted(tree)),
        ("sql", &rooms::SQL, rooms::sql_unexcepted(tree)),
        ("length", &files::LENGTH, files::length_unexcepted(tree)),
        ("lints", &words::ALLOWED, words::allowed_unexcepted(tree)),
    ];
    let mut violations = Vec::new();
    for (check, list, found) in lists {
        for Exception { path, reason } in list {
            if reason.is_empty() {
                violations.push(Violation::new(
                    path,
                    1,
                    format!("is excepted from `{check}` without a reason"),
                ));
            }
            if !found.iter().any(|violation| violation.path == *path) {
                let message = format!("needs no exception from `{check}` any more; remove it from the list");
                violations.push(Violation::new(path, 1, message));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_as_promised() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let violations = run(root).unwrap();
        let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
        assert!(violations.is_empty(), "\n{}\n", lines.join("\n"));
    }

    #[test]
    fn an_exception_that_is_not_needed_is_found() {
        let tree = Tree::of(&[("crates/hub/src/client.rs", "//! No header is set here.\n")]);
        let found: Vec<String> = exceptions(&tree).iter().map(ToString::to_string).collect();
        let expect = "crates/hub/src/client.rs:1: needs no exception from `credentials` any more; remove it from the list";
        assert!(found.iter().any(|line| line == expect), "{found:#?}");
    }

    #[test]
    fn every_check_has_a_name_of_its_own_and_is_in_the_help() {
        for check in &CHECKS {
            assert!(promises().contains(check.promise));
            assert_eq!(CHECKS.iter().filter(|other| other.name == check.name).count(), 1, "{}", check.name);
        }
    }
}
