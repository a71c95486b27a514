//! `bailiwick backup`: a copy of what the hub knows, made while it works.
//!
//! A backup is a folder: the database as it was at one moment, the deliveries that lie there, and `backup.json`, which
//! is written last and names every file with its digest under the seal of the hub's key. No key is in it, and no log:
//! the log follows from the database, and is begun anew under a key of its own (see [`crate::restore`]).

mod manifest;

use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use bailiwick_core::{
    digest::{Digest, Digesting},
    time::Clock,
};
use clap::Args;

pub use self::manifest::{FileEntry, Manifest, damaged};
use crate::{
    cli::Context,
    clock::SystemClock,
    failure::{Exit, Failure, Result},
    folder::Folder,
    open,
    problem::chain,
    render::{Waiting, bytes},
};

/// The database in a backup.
pub const DATABASE: &str = "bailiwick.db";
/// The deliveries in a backup, as they lie in the data folder.
pub const FEEDS: &str = "feeds";
/// What is read and written at a time.
const PIECE: usize = 1 << 20;

/// Arguments of `bailiwick backup`.
#[derive(Args)]
#[command(
    after_help = "It may run while the hub works. The backup holds no key: keep `key` of the data folder elsewhere, for\n\
    without it the backup is of no use. A PostgreSQL store is backed up by PostgreSQL's own tools.\n\n\
    Example:\n  bailiwick backup /var/backups/bailiwick/2026-11-29 --data ./bailiwick-data"
)]
pub struct BackupArgs {
    /// The folder for the backup, which is not there yet
    #[arg(value_name = "DIR")]
    to: PathBuf,
    /// The data folder
    #[arg(long, default_value = "./bailiwick-data", value_name = "DIR")]
    data: PathBuf,
}

/// Makes one.
pub async fn run(context: &Context<'_>, args: BackupArgs) -> Result<Exit> {
    let folder = Folder::existing(&args.data)?;
    if !folder.database().exists() {
        let message = format!("there is no SQLite database in `{}`", folder.path().display());
        return Err(Failure::usage("backup-by-server", message));
    }
    let key = open::key(&folder, context.environment)?;
    let made = fs::DirBuilder::new().recursive(false).mode(0o700).create(&args.to);
    made.map_err(|error| Failure::usage("backup-unwritable", unwritable(&args.to)).because(&error))?;
    let waiting = context.output.waiting("copying the database");
    let to = args.to.clone();
    let copied = tokio::task::spawn_blocking(move || copy(&folder, &to, &waiting));
    let files = copied.await.map_err(|_| Failure::unreachable("internal", "the copying ended abnormally"))?;
    let files = match files {
        Ok(files) => files,
        Err(failure) => {
            // Half a backup is none, and would be in the way of the next try.
            drop(fs::remove_dir_all(&args.to));
            return Err(failure);
        }
    };
    let manifest = Manifest::sealed(SystemClock.now(), files, &key);
    manifest.write(&args.to)?;
    context.output.result(&manifest, |output| {
        let size: u64 = manifest.files.iter().map(|file| file.bytes).sum();
        output.line(&format!(
            "backup  {} ({} in {} files)",
            args.to.display(),
            bytes(size),
            manifest.files.len()
        ));
        output.line(&format!("key     {} opens it; it is not in the backup", manifest.key));
        output.say("\nto go on from it somewhere else:");
        output.say(&format!(
            "  bailiwick restore {} --data NEW --key KEYFILE --operator NAME",
            args.to.display()
        ));
    });
    Ok(Exit::Done)
}

fn copy(folder: &Folder, to: &Path, waiting: &Waiting) -> Result<Vec<FileEntry>> {
    let target = to.join(DATABASE);
    bailiwick_store::snapshot(&folder.database(), &target).map_err(|error| {
        Failure::unreachable(error.code(), format!("the database cannot be copied: {}", chain(&error)))
    })?;
    waiting.say("reading the copy");
    let (bytes, digest) = passed(&target, |_| Ok(()))?;
    let mut files = vec![FileEntry { path: DATABASE.into(), bytes, digest }];
    for feed in feeds(&folder.path().join(FEEDS)) {
        let name = Path::new(FEEDS).join(feed);
        waiting.say(&format!("copying {}", name.display()));
        let (bytes, digest) = copied(&folder.path().join(&name), &to.join(&name))?;
        files.push(FileEntry { path: name.display().to_string(), bytes, digest });
    }
    Ok(files)
}

/// The deliveries below a folder, `SOURCE/current.csv`, by name.
fn feeds(folder: &Path) -> Vec<PathBuf> {
    let sources = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = sources
        .map(|source| Path::new(&source.file_name()).join("current.csv"))
        .filter(|file| folder.join(file).is_file())
        .collect();
    found.sort();
    found
}

/// Copies a file to a new one that only its owner can read, and waits until it is on disk; gives the size and the digest
/// of what was copied.
///
/// # Errors
/// `backup-unreadable`, `backup-unwritable`.
pub fn copied(from: &Path, to: &Path) -> Result<(u64, Digest)> {
    let failed =
        |error: std::io::Error| Failure::unreachable("backup-unwritable", unwritable(to)).because(&error);
    if let Some(parent) = to.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed)?;
    }
    let mut target =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(failed)?;
    let done = passed(from, |piece| target.write_all(piece).map_err(failed))?;
    target.sync_all().map_err(failed)?;
    Ok(done)
}

/// Reads a file piece by piece; gives its size and its digest.
fn passed(path: &Path, mut to: impl FnMut(&[u8]) -> Result<()>) -> Result<(u64, Digest)> {
    let unreadable = |error: std::io::Error| {
        Failure::unreachable("backup-unreadable", format!("cannot read `{}`", path.display())).because(&error)
    };
    let mut file = fs::File::open(path).map_err(unreadable)?;
    let (mut digesting, mut bytes, mut piece) = (Digesting::default(), 0, vec![0; PIECE]);
    loop {
        let read = file.read(&mut piece).map_err(unreadable)?;
        if read == 0 {
            return Ok((bytes, digesting.finish()));
        }
        digesting.update(&piece[..read]);
        to(&piece[..read])?;
        bytes += read as u64;
    }
}

fn unwritable(path: &Path) -> String {
    format!("cannot write `{}`", path.display())
}
