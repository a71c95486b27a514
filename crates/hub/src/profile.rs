//! The profile file: where the hub is and the token to talk to it.
//!
//! It holds a token, so it is written with mode 0600 and not read when others can read it too.

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    environment::Environment,
    failure::{Failure, Result},
};

/// Where the hub is, and who asks. No `Debug`: it holds the token.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The hub's address, such as `http://127.0.0.1:7460`.
    pub url: String,
    /// Certificates, PEM, of which one has issued the hub's; the machine's own without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// The operator's name, for messages.
    pub operator: String,
    /// The operator's token.
    pub token: String,
}

/// The profile file to use: as named, else `BAILIWICK_PROFILE`, else in the user's configuration folder.
pub fn path(named: Option<&Path>, environment: &Environment) -> Result<PathBuf> {
    let fallback = || environment.config_home.as_ref().map(|home| home.join("bailiwick/profile.toml"));
    named
        .map(Path::to_owned)
        .or_else(|| environment.profile.clone())
        .or_else(fallback)
        .ok_or_else(|| Failure::usage("no-profile", "there is no home folder to look for a profile in"))
}

/// A file of certificates as a profile names it: wherever a command is run.
pub fn ca(file: Option<PathBuf>) -> Option<PathBuf> {
    file.map(|file| std::path::absolute(&file).unwrap_or(file))
}

impl Profile {
    /// Reads it.
    ///
    /// # Errors
    /// `no-profile`, `profile-open` when others can read it, `profile-malformed`.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let text = fs::read_to_string(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Failure::usage("no-profile", format!("there is no profile at `{shown}`")),
            _ => Failure::usage("profile-unreadable", format!("cannot read the profile `{shown}`"))
                .because(&error),
        })?;
        if !private(path) {
            return Err(Failure::usage(
                "profile-open",
                format!("others can read the profile `{shown}`, and it holds a token"),
            ));
        }
        toml::from_str(&text).map_err(|error| {
            let line =
                error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
            Failure::usage("profile-malformed", format!("`{shown}`, line {line}: {}", error.message()))
        })
    }

    /// Writes it where there is none yet, readable by its owner only.
    ///
    /// # Errors
    /// `profile-exists`, `profile-unwritable`.
    pub fn write(&self, path: &Path) -> Result<()> {
        let shown = path.display();
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::AlreadyExists => {
                Failure::usage("profile-exists", format!("there is a profile at `{shown}`"))
            }
            _ => Failure::usage("profile-unwritable", format!("cannot write the profile `{shown}`"))
                .because(&error),
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let text = toml::to_string(self).map_err(|error| {
            Failure::usage("profile-unwritable", format!("cannot write the profile `{shown}`"))
                .because(&error)
        })?;
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)
    }
}

/// Whether only its owner can read the file.
pub fn private(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 == 0)
}
