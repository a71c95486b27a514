//! Which crate may depend on which.

use super::{
    Violation,
    tree::{Dependency, Package, Tree},
};

/// A crate, what it may depend on, and what its tests and its testkit may use on top.
const ARROWS: [(&str, &[&str], &[&str]); 10] = [
    ("core", &[], &[]),
    ("evidence", &[], &[]),
    ("connector", &["core"], &["lab"]),
    ("connectors", &["connector", "core"], &["lab", "connector"]),
    ("store", &["core"], &["store"]),
    ("lab", &["core"], &[]),
    (
        "engine",
        &["connector", "store", "evidence", "core"],
        &["lab", "connector", "connectors", "store", "engine"],
    ),
    (
        "hub",
        &["engine", "connectors", "connector", "store", "evidence", "core", "lab"],
        &["engine", "connector", "store"],
    ),
    ("benches", &[], &["core", "evidence", "connector", "connectors", "store", "lab", "engine"]),
    ("xtask", &[], &[]),
];

/// A library, the crates that may use it, and what it is.
const LIBRARIES: [(&str, &[&str], &str); 9] = [
    ("reqwest", &["connector", "hub"], "a way out; the broker is the only one towards systems"),
    (
        "hyper",
        &["hub"],
        "a way in and out; only hub takes connections in, and the broker is the only way out",
    ),
    ("axum", &["hub", "lab"], "a way in; only hub has routes"),
    (
        "sqlx",
        &["store", "connector"],
        "a database; store has the hub's own, and the broker is the only way to those of systems",
    ),
    (
        "rusqlite",
        &["store"],
        "a database; the hub's own is in store, and the broker has another way to those of systems",
    ),
    ("cedar-policy", &["core"], "the policy language; only core decides"),
    ("clap", &["hub"], "a command line; only hub has one"),
    ("openssl", &[], "a second TLS provider"),
    ("native-tls", &[], "a second TLS provider"),
];

const PREFIX: &str = "bailiwick-";

fn short(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

fn place(tree: &Tree, package: &Package, dependency: Option<&Dependency>) -> usize {
    let text = tree.texts.get(&package.manifest).map_or("", String::as_str);
    let begins = |line: &str| dependency.is_some_and(|d| line.trim_start().starts_with(&d.name));
    text.lines().position(begins).map_or(1, |line| line + 1)
}

/// The crates are those of the design, and each takes the workspace's lints.
pub(super) fn crates(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in &tree.packages {
        if !ARROWS.iter().any(|(name, ..)| *name == short(&package.name)) {
            let message = format!("the crate `{}` is not in the design", package.name);
            violations.push(Violation::new(&package.manifest, 1, message));
        }
        let text = tree.texts.get(&package.manifest).map_or("", String::as_str);
        if !text.contains("[lints]\nworkspace = true\n") {
            violations.push(Violation::new(&package.manifest, 1, "has no `[lints] workspace = true`"));
        }
    }
    for (name, ..) in ARROWS {
        if !tree.packages.iter().any(|p| short(&p.name) == name) {
            violations.push(Violation::new(
                "Cargo.toml",
                1,
                format!("the crate `{name}` of the design is missing"),
            ));
        }
    }
    violations
}

/// Every arrow is in the design.
pub(super) fn arrows(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in &tree.packages {
        let Some((name, always, beside)) = ARROWS.iter().find(|(name, ..)| *name == short(&package.name))
        else {
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| d.name.starts_with(PREFIX)) {
            let to = short(&dependency.name);
            if always.contains(&to) || (dependency.beside && beside.contains(&to)) {
                continue;
            }
            let message = format!("`{name}` must not depend on `{to}`: there is no such arrow in the design");
            violations.push(Violation::new(
                &package.manifest,
                place(tree, package, Some(dependency)),
                message,
            ));
        }
    }
    violations
}

/// Every library that opens a way is used where it may be.
pub(super) fn libraries(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in &tree.packages {
        let used = package.dependencies.iter().filter(|d| !d.beside);
        for dependency in used {
            let Some((name, rooms, what)) = LIBRARIES.iter().find(|(name, ..)| *name == dependency.name)
            else {
                continue;
            };
            if !rooms.contains(&short(&package.name)) {
                let message = format!("`{}` must not use `{name}`: it is {what}", short(&package.name));
                violations.push(Violation::new(
                    &package.manifest,
                    place(tree, package, Some(dependency)),
                    message,
                ));
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::tidy::tree::packages;

    fn tree(name: &str, manifest: &str, dependencies: &[(&str, &str)]) -> Tree {
        let dependencies: Vec<_> = dependencies
            .iter()
            .map(|(name, kind)| json!({"name": name, "kind": kind, "optional": false}))
            .collect();
        let path = format!("/root/crates/{}/Cargo.toml", short(name));
        let package = json!({"name": name, "manifest_path": path, "dependencies": dependencies});
        let mut tree = Tree::of(&[(&format!("crates/{}/Cargo.toml", short(name)), manifest)]);
        tree.packages = packages(&json!({"packages": [package]}), Path::new("/root")).unwrap();
        tree
    }

    fn lines(violations: Vec<Violation>) -> Vec<String> {
        violations.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_arrow_that_is_not_drawn_is_found() {
        let check = |from: &str, to: &str, kind: &str, expect: bool| {
            let tree =
                tree(&format!("bailiwick-{from}"), "\n\nbailiwick-", &[(&format!("bailiwick-{to}"), kind)]);
            assert_eq!(arrows(&tree).is_empty(), expect, "{from} -> {to} {kind}");
        };
        check("engine", "store", "", true);
        check("engine", "connectors", "", false);
        check("engine", "connectors", "dev", true);
        check("core", "evidence", "dev", false);
        check("evidence", "core", "", false);
        check("connector", "lab", "", false);
        check("connector", "lab", "dev", true);
        check("hub", "lab", "", true);
        check("lab", "engine", "", false);
        check("store", "engine", "", false);
        check("benches", "store", "dev", true);
        check("benches", "store", "", false);
        check("benches", "hub", "dev", false);
        let planted = tree(
            "bailiwick-core",
            "[package]\n[dependencies]\nbailiwick-store.workspace = true\n",
            &[("bailiwick-store", "")],
        );
        let expect = "crates/core/Cargo.toml:3: `core` must not depend on `store`: there is no such arrow in the design";
        assert_eq!(lines(arrows(&planted)), [expect]);
    }

    #[test]
    fn a_crate_that_is_not_designed_and_one_that_is_missing_are_found() {
        let found = lines(crates(&tree("bailiwick-extra", "", &[])));
        assert!(
            found.contains(
                &"crates/extra/Cargo.toml:1: the crate `bailiwick-extra` is not in the design".into()
            )
        );
        assert!(found.contains(&"crates/extra/Cargo.toml:1: has no `[lints] workspace = true`".into()));
        assert!(found.contains(&"Cargo.toml:1: the crate `core` of the design is missing".into()));
    }

    #[test]
    fn a_library_in_the_wrong_room_is_found() {
        let check = |of: &str, library: &str, kind: &str, expect: bool| {
            let tree = tree(&format!("bailiwick-{of}"), "", &[(library, kind)]);
            assert_eq!(libraries(&tree).is_empty(), expect, "{of} uses {library} {kind}");
        };
        check("engine", "sqlx", "", false);
        check("store", "sqlx", "", true);
        check("connector", "sqlx", "", true);
        check("connectors", "sqlx", "", false);
        check("connectors", "reqwest", "", false);
        check("connectors", "reqwest", "dev", true);
        check("engine", "axum", "", false);
        check("lab", "axum", "", true);
        check("hub", "cedar-policy", "", false);
        check("hub", "serde", "", true);
    }
}
