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

use bailiwick_core::{digest::Digesting, time::Clock};
use clap::Args;

pub use self::manifest::{FileEntry, Manifest};
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
    let mut files = vec![entry(to, Path::new(DATABASE))?];
    for feed in feeds(&folder.path().join(FEEDS)) {
        let name = Path::new(FEEDS).join(feed);
        waiting.say(&format!("copying {}", name.display()));
        copied(&folder.path().join(&name), &to.join(&name))?;
        files.push(entry(to, &name)?);
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

/// The size and the digest of a file below `root`.
pub fn entry(root: &Path, name: &Path) -> Result<FileEntry> {
    let path = root.join(name);
    let unreadable = |error: std::io::Error| {
        Failure::unreachable("backup-unreadable", format!("cannot read `{}`", path.display())).because(&error)
    };
    let mut file = fs::File::open(&path).map_err(unreadable)?;
    let (mut digesting, mut bytes, mut piece) = (Digesting::default(), 0, vec![0; PIECE]);
    loop {
        let read = file.read(&mut piece).map_err(unreadable)?;
        if read == 0 {
            return Ok(FileEntry { path: name.display().to_string(), bytes, digest: digesting.finish() });
        }
        digesting.update(&piece[..read]);
        bytes += read as u64;
    }
}

/// Copies a file to a new one that only its owner can read, and waits until it is on disk.
pub fn copied(from: &Path, to: &Path) -> Result<()> {
    let done = || -> std::io::Result<()> {
        if let Some(parent) = to.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        let mut source = fs::File::open(from)?;
        let mut target = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        std::io::copy(&mut source, &mut target)?;
        target.flush()?;
        target.sync_all()
    };
    done().map_err(|error| Failure::unreachable("backup-unwritable", unwritable(to)).because(&error))
}

fn unwritable(path: &Path) -> String {
    format!("cannot write `{}`", path.display())
}
