//! The data folder: where the database, the keys, the log and the delivered feeds are.
//!
//! `DIR/{bailiwick.db, key, log-key, log/, feeds/SOURCE/current.csv}`. The folder and both key files are
//! for their owner only. Absent on purpose: anything else that the hub would have to remember; that is in
//! the store.

use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use bailiwick_core::{digest::Digest, id::SourceName};
use bytes::Bytes;

use crate::{
    failure::{Failure, Result},
    problem::{Problem, chain},
    profile::private,
};

/// A data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`, which is there.
    ///
    /// # Errors
    /// `no-data-folder`.
    pub fn existing(path: &Path) -> Result<Self> {
        let found = path.canonicalize().ok().filter(|path| path.is_dir());
        found.map(Self).ok_or_else(|| {
            Failure::usage("no-data-folder", format!("there is no data folder at `{}`", path.display()))
        })
    }

    /// The folder at `path`, made if it is not there, for its owner only.
    ///
    /// # Errors
    /// `folder-unwritable`.
    pub fn make(path: &Path) -> Result<Self> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| unwritable(path, &error))?;
        Self::existing(path)
    }

    /// Its path, absolute.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The SQLite database.
    pub fn database(&self) -> PathBuf {
        self.0.join("bailiwick.db")
    }

    /// The key that seals credentials, unless it is kept elsewhere.
    pub fn key(&self) -> PathBuf {
        self.0.join("key")
    }

    /// The key that signs the log.
    pub fn log_key(&self) -> PathBuf {
        self.0.join("log-key")
    }

    /// The published log.
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// Puts a delivery of a source where its integration reads it; whoever reads sees the old delivery or
    /// the new one, never a part. Gives back the digest of the bytes.
    ///
    /// # Errors
    /// `feed-unwritable`.
    pub async fn deliver(&self, source: &SourceName, bytes: Bytes) -> Result<Digest, Problem> {
        let folder = self.0.join("feeds").join(source.as_str());
        let digest = Digest::of(&bytes);
        let written = tokio::task::spawn_blocking(move || -> std::io::Result<()> {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            let incoming = folder.join(".incoming");
            let mut file =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&incoming)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(incoming, folder.join("current.csv"))
        });
        let written = written.await.unwrap_or_else(|_| Err(std::io::Error::other("the writer stopped")));
        written.map(|()| digest).map_err(|error| {
            Problem::new(500, "feed-unwritable", format!("the delivery cannot be stored: {}", chain(&error)))
        })
    }

    /// The digest of the delivery of a source that lies there.
    ///
    /// # Errors
    /// `feed-missing`.
    pub async fn delivered(&self, source: &SourceName) -> Result<Digest, Problem> {
        let file = self.0.join("feeds").join(source.as_str()).join("current.csv");
        let read = tokio::task::spawn_blocking(move || fs::read(file)).await;
        let read = read.unwrap_or_else(|_| Err(std::io::Error::other("the reader stopped")));
        let missing =
            |_| Problem::new(404, "feed-missing", format!("there is no delivery of `{source}` to read"));
        read.map(|bytes| Digest::of(&bytes)).map_err(missing)
    }
}

/// Writes a secret to a new file that only its owner can read.
///
/// # Errors
/// `folder-unwritable`, also when the file is there.
pub fn write_secret(path: &Path, secret: &str) -> Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| unwritable(path, &error))?;
    file.write_all(secret.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| unwritable(path, &error))
}

/// Reads a secret from a file that only its owner can read.
///
/// # Errors
/// `key-file-missing`, `key-file-open`, `key-file-unreadable`.
pub fn read_secret(path: &Path) -> Result<String> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            Failure::unreachable("key-file-missing", format!("there is no key file `{shown}`"))
        }
        _ => Failure::unreachable("key-file-unreadable", format!("cannot read the key file `{shown}`"))
            .because(&error),
    })?;
    if private(path) {
        Ok(text)
    } else {
        Err(Failure::unreachable("key-file-open", format!("others can read the key file `{shown}`")))
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage("folder-unwritable", format!("cannot write `{}`", path.display())).because(error)
}
