//! The program, as somebody uses it in a folder of their own.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use bailiwick_evidence::VerifierKey;

use super::systems::tokens;

/// The program.
pub const BINARY: &str = env!("CARGO_BIN_EXE_bailiwick");

/// The program in a folder.
pub struct Program {
    /// The folder.
    pub root: PathBuf,
}

impl Program {
    /// Runs a command that has to succeed.
    pub fn command(&self, args: &[&str]) -> String {
        self.command_with(args, None)
    }

    /// Runs a command, with a text on its standard input. Where it says that another node changed the same thing and nothing
    /// was done, it is run again, as that says.
    pub fn command_with(&self, args: &[&str], input: Option<&str>) -> String {
        fs::write(self.root.join("input"), input.unwrap_or_default()).unwrap();
        for tries in 1.. {
            let mut command = Command::new(BINARY);
            command.args(args).current_dir(&self.root).env_clear().env("HOME", &self.root);
            command.env("BAILIWICK_LOG", "off").env("BAILIWICK_PROFILE", self.profile());
            let done = command.stdin(File::open(self.root.join("input")).unwrap()).output().unwrap();
            if done.status.success() {
                return String::from_utf8(done.stdout).unwrap();
            }
            let said = String::from_utf8_lossy(&done.stderr);
            let again = said.contains("[store-conflict]") && tries < 5;
            assert!(again, "$ bailiwick {}\n{said}", args.join(" "));
        }
        unreachable!("it succeeds, or the fifth try panics")
    }

    /// Where it is written which hub is meant, and by which token it lets in.
    pub fn profile(&self) -> PathBuf {
        self.root.join("profile.toml")
    }

    /// The token of the profile.
    pub fn token(&self) -> String {
        let profile = fs::read_to_string(self.profile()).unwrap();
        let token = profile.lines().find_map(|line| line.strip_prefix("token = ")).unwrap();
        token.trim_matches('"').to_owned()
    }

    /// Applies a configuration, gives its systems their credentials, and compares them.
    pub fn set_up(&self, configuration: &Path, systems: &[&str]) {
        self.command(&["apply", &configuration.display().to_string(), "--yes"]);
        for system in systems {
            let tokens = tokens(system);
            self.command_with(&["credential", "set", system, "write"], Some(&tokens.write));
            self.command_with(&["credential", "set", system, "verify"], Some(&tokens.read));
        }
        for system in systems {
            self.command(&["reconcile", system]);
        }
    }
}

/// The key of the log of a data folder.
pub fn log_key(folder: &Path) -> VerifierKey {
    let text = fs::read_to_string(folder.join("log-key")).unwrap();
    bailiwick_evidence::Signer::parse(text.trim()).unwrap().verifier().clone()
}
