//! The file operations that the log is made of, as one seam, so that a test can stop at each of them.
//!
//! Absent: any operation whose effect on power loss this crate does not rely on knowing.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    thread,
};

use crate::{
    behind::{Behind, Hand},
    whole::Whole,
};

/// What the log does to a disk.
pub(crate) trait Files: Send + Sync {
    /// The whole file, `None` if there is none.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;
    /// Creates or replaces the file and the directories above it. Not durable, not atomic.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Overwrites a part of an existing file; durable when it returns.
    fn write_durable(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Somebody who writes and flushes behind the log.
    fn behind(self: Arc<Self>) -> io::Result<Box<dyn Behind>>;
    /// Atomic replacement. Not durable.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file. Not durable.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory. Not durable.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// The files of a directory; none if there is no directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;
    /// Makes files and directories below that of the lock durable, in any order, and perhaps more than those.
    fn sync(&self, paths: &[PathBuf]) -> io::Result<()>;
    /// Keeps other writers out for as long as the result lives; `None` if another one is in.
    fn lock(&self, path: &Path) -> io::Result<Option<Lock>>;
}

/// Held while a log is open for writing.
pub(crate) struct Lock(
    #[expect(dead_code, reason = "closing the file releases the lock")] pub(crate) Option<File>,
);

/// The operating system's files.
#[derive(Default)]
pub(crate) struct Disk {
    /// The file system of the log that is locked, opened before anything is written there.
    whole: OnceLock<Whole>,
}

/// Flushes share the device's work when they wait together: 230 tiles took 60 ms one at a time, 22 ms with 8
/// threads, 15 ms with 32.
const SYNC_THREADS: usize = 32;

/// From so many paths on it is better to flush their whole file system, if that can be done.
const MANY: usize = 24;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        found(fs::read(path))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        match fs::write(path, bytes) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent)?;
                }
                fs::write(path, bytes)
            }
            result => result,
        }
    }

    fn write_durable(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)?;
        file.sync_data()
    }

    fn behind(self: Arc<Self>) -> io::Result<Box<dyn Behind>> {
        Ok(Box::new(Hand::start(self)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        found(fs::remove_file(path)).map(|_| ())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        found(fs::remove_dir(path)).map(|_| ())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let Some(entries) = found(fs::read_dir(dir))? else { return Ok(Vec::new()) };
        entries.map(|entry| Ok(entry?.path())).collect()
    }

    fn sync(&self, paths: &[PathBuf]) -> io::Result<()> {
        if let Some(whole) = self.whole.get().filter(|_| paths.len() >= MANY) {
            return whole.sync();
        }
        let share = paths.len().div_ceil(SYNC_THREADS).max(1);
        thread::scope(|scope| {
            let threads: Vec<_> = paths
                .chunks(share)
                .map(|paths| scope.spawn(|| paths.iter().try_for_each(|path| File::open(path)?.sync_all())))
                .collect();
            threads.into_iter().try_for_each(|thread| joined(thread.join()))
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
            if let Some(whole) = Whole::of(File::open(parent)?) {
                self.whole.get_or_init(|| whole);
            }
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock(Some(file)))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn joined(result: thread::Result<io::Result<()>>) -> io::Result<()> {
    result.unwrap_or_else(|_| Err(io::Error::other("a writing thread panicked")))
}
