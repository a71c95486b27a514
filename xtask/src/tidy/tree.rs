//! The workspace as the checks see it: its files, and its crates with what they depend on.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::rust::Rust;

/// A dependency as `Cargo.toml` declares it.
#[derive(Debug, Clone)]
pub(super) struct Dependency {
    /// The package.
    pub name: String,
    /// Only for tests, or only with a feature.
    pub beside: bool,
}

/// A crate of the workspace.
#[derive(Debug, Clone)]
pub(super) struct Package {
    /// Its name.
    pub name: String,
    /// The path of its `Cargo.toml`.
    pub manifest: String,
    /// What it depends on directly.
    pub dependencies: Vec<Dependency>,
}

/// The workspace.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Path from the root, with `/`, of every file.
    pub paths: BTreeSet<String>,
    /// Path to text, of the files that are read at all: Rust, Markdown and TOML.
    pub texts: BTreeMap<String, String>,
    /// Path to the Rust file, taken apart.
    pub rust: BTreeMap<String, Rust>,
    /// The crates.
    pub packages: Vec<Package>,
}

impl Tree {
    /// The tree of these files, without crates.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.add(path, (*text).to_owned());
        }
        tree
    }

    /// Reads the workspace at `root`.
    pub fn load(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.walk(root, "")?;
        let output = Command::new("cargo")
            .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
            .current_dir(root)
            .output()
            .context("cannot run `cargo metadata`")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        tree.packages = packages(&serde_json::from_slice(&output.stdout)?, root)?;
        Ok(tree)
    }

    /// Whether a file or folder exists.
    pub fn exists(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.paths.contains(path) || self.paths.iter().any(|p| p.starts_with(&folder))
    }

    /// The Rust files that ship, with those that are tests as a whole left out.
    pub fn shipped(&self) -> impl Iterator<Item = (&str, &Rust)> {
        self.rust.iter().map(|(path, rust)| (path.as_str(), rust)).filter(|(path, _)| !is_test(path))
    }

    fn add(&mut self, path: &str, text: String) {
        self.paths.insert(path.to_owned());
        if path.ends_with(".rs") {
            self.rust.insert(path.to_owned(), Rust::of(&text));
        }
        self.texts.insert(path.to_owned(), text);
    }

    fn walk(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        let entries = fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            if entry.file_type()?.is_dir() {
                // Hidden folders are tools and history, but for what continuous integration runs.
                if path != "target" && (!name.starts_with('.') || name == ".ci") {
                    self.walk(&entry.path(), &format!("{path}/"))?;
                }
            } else if [".rs", ".md", ".toml"].iter().any(|end| name.ends_with(end)) {
                let text =
                    fs::read_to_string(entry.path()).with_context(|| format!("cannot read `{path}`"))?;
                self.add(&path, text);
            } else {
                self.paths.insert(path);
            }
        }
        Ok(())
    }
}

fn is_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.contains("/tests/")
        || path.starts_with("benches/")
        || name == "tests.rs"
        || name.ends_with("_tests.rs")
}

/// The crates in the answer of `cargo metadata`.
pub(super) fn packages(metadata: &Value, root: &Path) -> Result<Vec<Package>> {
    let list = metadata["packages"].as_array().context("`cargo metadata` lists no packages")?;
    list.iter().map(|package| read_package(package, root)).collect()
}

fn read_package(package: &Value, root: &Path) -> Result<Package> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("`cargo metadata` has another form");
    let manifest = text(&package["manifest_path"])?;
    let within = Path::new(&manifest).strip_prefix(root).map(|p| p.to_string_lossy().into_owned());
    let dependencies = package["dependencies"].as_array().context("a package lists no dependencies")?;
    let dependencies = dependencies
        .iter()
        .map(|d| {
            let beside = d["kind"] == "dev" || d["optional"] == true;
            Ok(Dependency { name: text(&d["name"])?, beside })
        })
        .collect::<Result<_>>()?;
    Ok(Package { name: text(&package["name"])?, manifest: within.unwrap_or(manifest), dependencies })
}
