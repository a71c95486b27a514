//! Checks of the tree that the compiler cannot make, and the generator of the example company.
//!
//! Reads the sources as text and the crates through `cargo metadata`; changes nothing but what `codegen`
//! says that it writes.

mod acme;
mod tidy;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};

const USAGE: &str = "\
Usage: cargo xtask COMMAND

Commands:
  tidy           checks the invariants below; prints `path:line: message` for each violation
  codegen acme   writes the people of examples/acme again; the same bytes each time
";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["tidy"] => {
            let violations = tidy::run(&root()?)?;
            for violation in &violations {
                println!("{violation}");
            }
            let done = violations.is_empty();
            Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        ["codegen", "acme"] => {
            acme::write(&root()?.join("examples/acme"))?;
            Ok(ExitCode::SUCCESS)
        }
        ["--help" | "-h" | "help"] => {
            println!("{USAGE}\n{}", tidy::promises());
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprintln!("{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}

/// The root of the workspace.
fn root() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in a workspace")?;
    Ok(root.to_owned())
}
