//! Words that say that something is not done, or not meant to be looked at.

use super::{
    Exception, Violation, excepted,
    rust::{find_word, line},
    tree::Tree,
};

/// Nothing is left to do, and no test is ignored without a reason.
pub(super) fn unfinished(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, rust) in &tree.rust {
        for word in ["TODO", "FIXME", "XXX", "HACK"] {
            let found = find_word(&rust.comments, word).map(|at| line(&rust.comments, at));
            violations.extend(
                found.map(|line| Violation::new(path, line, format!("`{word}`: do it, or open an issue"))),
            );
        }
        for word in ["todo!", "unimplemented!", "dbg!"] {
            let found = find_word(&rust.all_code, word).map(|at| line(&rust.all_code, at));
            violations.extend(found.map(|line| Violation::new(path, line, format!("`{word}` is left over"))));
        }
        for (at, _) in rust.all_code.match_indices("#[ignore]") {
            let message = "the test is ignored without a reason; write `#[ignore = \"why\"]`";
            violations.push(Violation::new(path, line(&rust.all_code, at), message));
        }
    }
    violations
}

pub(super) const ALLOWED: [Exception; 0] = [];

/// No lint of the workspace is switched off without a reason in what ships.
pub(super) fn allowed(tree: &Tree) -> Vec<Violation> {
    let mut violations = allowed_unexcepted(tree);
    violations.retain(|violation| !excepted(&ALLOWED, &violation.path));
    violations
}

pub(super) fn allowed_unexcepted(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, rust) in tree.shipped() {
        for marker in ["[allow(", "[expect("] {
            for (at, _) in rust.code.match_indices(marker) {
                let inner = super::rust::bracketed(&rust.code, at + marker.len() - 1);
                if !inner.contains("reason =") {
                    let message = "a lint is switched off without a reason; write `reason = \"why\"`";
                    violations.push(Violation::new(path, line(&rust.code, at), message));
                }
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(run: fn(&Tree) -> Vec<Violation>, text: &str, expect: &[usize]) {
        let lines: Vec<usize> = run(&Tree::of(&[("a.rs", text)])).iter().map(|v| v.line).collect();
        assert_eq!(lines, expect, "{text}");
    }

    #[test]
    fn what_is_left_over_is_found() {
        check(unfinished, "// TODO: later", &[1]);
        check(unfinished, "x(); /* a\n FIXME */", &[2]);
        check(unfinished, "fn f() { todo!() }\nfn g() { unimplemented!() }", &[1, 2]);
        check(unfinished, "#[test]\n#[ignore]\nfn f() {}", &[2]);
        check(unfinished, "#[ignore = \"needs a server\"]\nfn f() {}", &[]);
        check(unfinished, "let x = \"TODO\"; // A TODOLIST\nlet todo = 1;", &[]);
    }

    #[test]
    fn a_lint_switched_off_in_silence_is_found() {
        check(allowed, "#![allow(dead_code)]", &[1]);
        check(allowed, "\n#[allow(\n  clippy::x,\n)]\nfn f() {}", &[2]);
        check(allowed, "#[expect(clippy::x, reason = \"because\")]", &[]);
        check(allowed, "value.expect(\"proven\"); \"#[allow(x)]\"", &[]);
    }
}
