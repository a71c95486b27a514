//! What every Rust file looks like from outside: header, length, name.

use super::{Exception, Violation, excepted, tree::Tree};

const LONGEST: usize = 600;
const NAMES: [&str; 10] =
    ["util", "utils", "common", "manager", "managers", "helper", "helpers", "service", "services", "misc"];

pub(super) const LENGTH: [Exception; 0] = [];

/// Every Rust file begins with what it promises.
pub(super) fn header(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for path in tree.rust.keys() {
        let first = tree.texts[path].lines().next().unwrap_or_default();
        match first.strip_prefix("//! ") {
            None => violations.push(Violation::new(
                path,
                1,
                "begins without a header: `//!` and what it promises",
            )),
            Some(words) if words.split_whitespace().count() < 2 => {
                violations.push(Violation::new(
                    path,
                    1,
                    "has a header that says nothing; say what the file promises",
                ));
            }
            Some(_) => {}
        }
    }
    violations
}

/// No Rust file is too long.
pub(super) fn length(tree: &Tree) -> Vec<Violation> {
    let mut violations = length_unexcepted(tree);
    violations.retain(|violation| !excepted(&LENGTH, &violation.path));
    violations
}

pub(super) fn length_unexcepted(tree: &Tree) -> Vec<Violation> {
    let lines = |path: &str| tree.texts[path].lines().count();
    let long = tree.rust.keys().filter(|path| lines(path) > LONGEST);
    long.map(|path| {
        let message = format!("has {} lines, at most {LONGEST} are good for a reader; split it", lines(path));
        Violation::new(path, LONGEST + 1, message)
    })
    .collect()
}

/// No file or folder of sources has a name that says nothing.
pub(super) fn names(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for path in tree.rust.keys() {
        let parts = path.trim_end_matches(".rs").split(['/', '_']);
        for part in parts.filter(|part| NAMES.contains(part)) {
            violations.push(Violation::new(
                path,
                1,
                format!("`{part}` names nothing; call it by what it does"),
            ));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(run: fn(&Tree) -> Vec<Violation>, path: &str, text: &str) -> Vec<String> {
        run(&Tree::of(&[(path, text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_without_a_header_is_found() {
        let check =
            |text: &str, expect: usize| assert_eq!(lines(header, "a.rs", text).len(), expect, "{text}");
        check("//! What it promises.\n", 0);
        check("//! hub\n", 1);
        check("// What it promises.\n", 1);
        check("use std::fmt;\n//! What it promises.\n", 1);
        check("", 1);
        check("\n//! What it promises.\n", 1);
    }

    #[test]
    fn a_file_that_is_too_long_is_found() {
        assert!(lines(length, "a.rs", &"x\n".repeat(600)).is_empty());
        let expect = "a.rs:601: has 601 lines, at most 600 are good for a reader; split it";
        assert_eq!(lines(length, "a.rs", &"x\n".repeat(601)), [expect]);
    }

    #[test]
    fn a_name_that_says_nothing_is_found() {
        let check = |path: &str, expect: usize| assert_eq!(lines(names, path, "").len(), expect, "{path}");
        check("crates/hub/src/utils.rs", 1);
        check("crates/hub/src/account_manager.rs", 1);
        check("crates/hub/src/common/mod.rs", 1);
        check("crates/hub/src/commons.rs", 0);
        check("crates/hub/src/account.rs", 0);
    }
}
