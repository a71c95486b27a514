//! What `core` and `evidence` never read.

use super::{
    Violation,
    rust::{find_word, line},
    tree::Tree,
};

const MAPS: &str = "its order differs from run to run; use a `BTreeMap` or `BTreeSet`";
const CLOCK: &str = "time is an argument";
const CHANCE: &str = "chance is an argument (`Entropy`)";
const SURROUNDINGS: &str = "the surroundings are arguments";
const OUT: &str = "it does no I/O";

/// A word, why it may not be, and whether only `core` must do without.
const WORDS: [(&str, &str, bool); 22] = [
    ("HashMap", MAPS, false),
    ("HashSet", MAPS, false),
    ("SystemTime", CLOCK, false),
    ("Instant", CLOCK, false),
    ("Timestamp::now", CLOCK, false),
    ("Zoned::now", CLOCK, false),
    ("rand", CHANCE, false),
    ("thread_rng", CHANCE, false),
    ("getrandom", CHANCE, false),
    ("SystemRandom", CHANCE, false),
    ("new_v4", CHANCE, false),
    ("now_v7", CHANCE, false),
    ("RandomState", CHANCE, false),
    ("env::", SURROUNDINGS, false),
    ("process::", SURROUNDINGS, false),
    ("tokio", OUT, false),
    ("std::net", OUT, false),
    ("std::fs", OUT, true),
    ("std::io", OUT, true),
    ("std::thread", OUT, true),
    ("async", OUT, true),
    ("await", OUT, true),
];

/// `core` and `evidence` read no clock, chance or surroundings and keep ordered maps; `core` does no I/O.
pub(super) fn purity(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, rust) in &tree.rust {
        let core = path.starts_with("crates/core/src/");
        if !core && !path.starts_with("crates/evidence/src/") {
            continue;
        }
        let room = if core { "core" } else { "evidence" };
        for (word, why, only_core) in WORDS.into_iter().filter(|(.., only_core)| core || !only_core) {
            // Maps and chance are out in tests too: a test that differs from run to run proves nothing.
            let code = if only_core || why == SURROUNDINGS { &rust.code } else { &rust.all_code };
            let found = find_word(code, word).map(|at| line(code, at));
            violations
                .extend(found.map(|line| {
                    Violation::new(path, line, format!("`{room}` must not use `{word}`: {why}"))
                }));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_from_outside_is_found() {
        let check = |path: &str, text: &str, expect: &[usize]| {
            let lines: Vec<usize> = purity(&Tree::of(&[(path, text)])).iter().map(|v| v.line).collect();
            assert_eq!(lines, expect, "{path}: {text}");
        };
        check("crates/core/src/a.rs", "use std::collections::HashMap;", &[1]);
        check("crates/core/src/a.rs", "\n#[cfg(test)]\nmod tests { use std::collections::HashSet; }", &[3]);
        check("crates/evidence/src/a.rs", "let t =\n Instant::now();", &[2]);
        check("crates/core/src/a.rs", "std::env::var(\"X\")", &[1]);
        check("crates/core/src/a.rs", "let x = rand::random();", &[1]);
        check("crates/core/src/a.rs", "use std::fs;\nasync fn f() {}", &[1, 2]);
        check("crates/evidence/src/a.rs", "use std::fs;", &[]);
        check("crates/evidence/src/a.rs", "use std::net::TcpStream;", &[1]);
        check("benches/table/a.rs", "Instant::now()", &[]);
        check("crates/engine/src/a.rs", "use std::collections::HashMap;", &[]);
        check("crates/core/src/a.rs", "//! The instant, no HashMap\nlet operand = \"HashMap\";", &[]);
        check("crates/core/src/a.rs", "env!(\"CARGO_MANIFEST_DIR\")", &[]);
    }
}
