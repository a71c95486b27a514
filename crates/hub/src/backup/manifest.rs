//! `backup.json`: what is in a backup, under the seal of the hub's key.

use std::path::Path;

use bailiwick_connector::seal::SealKey;
use bailiwick_core::{
    digest::{Digest, canonical},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    failure::{Failure, Result},
    folder::write_secret,
};

/// Its name.
const NAME: &str = "backup.json";
/// The only form there is.
const FORM: u32 = 1;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form of the backup.
    pub form: u32,
    /// The version of the program that made it.
    pub version: String,
    /// When it was made.
    pub at: Timestamp,
    /// The id of the key that opens what is sealed in it.
    pub key: String,
    /// Every file.
    pub files: Vec<FileEntry>,
    /// What only this key makes of the rest.
    pub seal: String,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its path in the backup.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256.
    pub digest: Digest,
}

impl Manifest {
    /// Of these files, sealed.
    pub fn sealed(at: Timestamp, files: Vec<FileEntry>, key: &SealKey) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let made = Self { form: FORM, version, at, key: key.id(), files, seal: String::new() };
        let seal = key.attest(&made.sealed_bytes());
        Self { seal, ..made }
    }

    /// Puts it into the backup, as the last of its files.
    ///
    /// # Errors
    /// `folder-unwritable`.
    pub fn write(&self, backup: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        write_secret(&backup.join(NAME), &format!("{text}\n"))
    }

    /// Reads that of a backup.
    ///
    /// # Errors
    /// `backup-missing`, `backup-form`.
    pub fn read(backup: &Path) -> Result<Self> {
        let path = backup.join(NAME);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let message = format!("`{}` is no backup: it has no `{NAME}`", backup.display());
            Failure::usage("backup-missing", message).because(&error)
        })?;
        let form = |why: String| Failure::usage("backup-form", format!("`{}`: {why}", path.display()));
        let read: Self = serde_json::from_str(&text).map_err(|error| form(error.to_string()))?;
        if read.form == FORM { Ok(read) } else { Err(form(format!("its form is {}, not {FORM}", read.form))) }
    }

    /// That it was made with this key.
    ///
    /// # Errors
    /// `key-wrong`, `backup-damaged`.
    pub fn is_of(&self, backup: &Path, key: &SealKey) -> Result<()> {
        if self.key != key.id() {
            let message =
                format!("the backup is of a hub with the key {}, and this is {}", self.key, key.id());
            return Err(Failure::unreachable("key-wrong", message));
        }
        match key.attested(&self.sealed_bytes(), &self.seal) {
            true => Ok(()),
            false => Err(damaged(backup, NAME)),
        }
    }

    fn sealed_bytes(&self) -> Vec<u8> {
        let Self { form, version, at, key, files, seal: _ } = self;
        canonical(&("backup-v1", form, version, at, key, files))
    }
}

/// That a file of a backup is another than it was.
pub fn damaged(backup: &Path, file: &str) -> Failure {
    let message = format!("`{file}` of the backup `{}` is not what was backed up", backup.display());
    Failure::refused("backup-damaged", message)
}
