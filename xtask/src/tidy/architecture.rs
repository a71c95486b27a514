//! The map of the house says what is there.

use super::{Violation, tree::Tree};

const MAP: &str = "ARCHITECTURE.md";
const LONGEST: usize = 300;

/// `ARCHITECTURE.md` is short, and every path that it names in backticks exists.
pub(super) fn map(tree: &Tree) -> Vec<Violation> {
    let Some(text) = tree.texts.get(MAP) else {
        return vec![Violation::new(MAP, 1, "is missing: the flow, the map and the invariants")];
    };
    let mut violations = Vec::new();
    let length = text.lines().count();
    if length > LONGEST {
        violations.push(Violation::new(
            MAP,
            LONGEST + 1,
            format!("has {length} lines, at most {LONGEST} are read"),
        ));
    }
    for (number, line) in text.lines().enumerate() {
        for name in line.split('`').skip(1).step_by(2).filter(|name| !exists(tree, name)) {
            violations.push(Violation::new(MAP, number + 1, format!("names `{name}`, which does not exist")));
        }
    }
    violations
}

/// Whether what is named exists; what does not look like a path of the workspace is not looked for. A
/// path may begin at the root, or with the name of a crate: `core/policy` is `crates/core/src/policy`. A
/// bare `plan.rs` is any file of that name.
fn exists(tree: &Tree, name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/*".contains(c);
    if name.is_empty() || !name.chars().all(plain) || name.starts_with('/') {
        return true;
    }
    let (first, rest) = name.split_once('/').unwrap_or((name, ""));
    let candidates = if tree.exists(first) && (name.contains('/') || first.contains('.')) {
        vec![name.to_owned()]
    } else if name.contains('/') && tree.exists(&format!("crates/{first}")) {
        let base = format!("crates/{first}");
        let inner = format!("{base}/src/{rest}");
        vec![format!("{base}/{rest}"), format!("{inner}.rs"), inner]
    } else {
        let file = [".rs", ".md", ".toml"].iter().any(|end| name.ends_with(end) && !name.starts_with("*."));
        return !file || tree.paths.iter().any(|path| path.ends_with(&format!("/{name}")));
    };
    candidates.iter().any(|candidate| match candidate.split_once('*') {
        Some((before, after)) => tree.paths.iter().any(|p| p.starts_with(before) && p.ends_with(after)),
        None => tree.exists(candidate),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(map_text: &str) -> Vec<String> {
        let files = [
            ("crates/core/src/policy/mod.rs", ""),
            ("crates/core/src/plan.rs", ""),
            ("docs/decisions/0001-x.md", ""),
            ("Cargo.toml", ""),
            (MAP, map_text),
        ];
        map(&Tree::of(&files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_path_that_does_not_exist_is_found() {
        for good in [
            "crates/core",
            "crates/core/src/plan.rs",
            "core/policy",
            "core/plan",
            "core/src/plan.rs",
            "docs/decisions/",
            "docs/decisions/0001-*.md",
            "Cargo.toml",
            "plan.rs",
            "core",
            "system/name",
            "/scim/v2/Users",
            "Plan::digest",
            "*.cedar",
            "decide",
        ] {
            assert_eq!(found(&format!("see `{good}` there")), [""; 0], "{good}");
        }
        for bad in [
            "crates/none",
            "core/none",
            "crates/core/src/gone.rs",
            "docs/x.md",
            "GONE.md",
            "gone.rs",
            "lan.rs",
            "core/plan/x",
        ] {
            let expect = format!("{MAP}:2: names `{bad}`, which does not exist");
            assert_eq!(found(&format!("text\nsee `{bad}`")), [expect], "{bad}");
        }
    }

    #[test]
    fn a_map_that_is_too_long_or_missing_is_found() {
        assert_eq!(found(&"x\n".repeat(300)), [""; 0]);
        assert_eq!(found(&"x\n".repeat(301)), [format!("{MAP}:301: has 301 lines, at most 300 are read")]);
        assert_eq!(map(&Tree::of(&[])).len(), 1);
    }
}
