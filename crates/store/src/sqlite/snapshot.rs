//! A copy of a SQLite database while others work on it.

use std::{fs::File, os::unix::fs::OpenOptionsExt, path::Path};

use rusqlite::{Connection, OpenFlags};

use super::{BUSY, patiently};
use crate::{Result, StoreError, sql::Failure};

/// Copies the database at `from` to the new file `to`, as it is at one moment: who writes meanwhile is not kept
/// waiting. The copy is one file, for its owner only, and on disk when this returns. Blocks.
///
/// # Errors
/// `Unavailable` when there is no database at `from`, or `to` is there already or cannot be written.
pub fn snapshot(from: &Path, to: &Path) -> Result<()> {
    let io = |error: std::io::Error| StoreError::Unavailable(error.into());
    File::open(from).map_err(io)?;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(io)?;
    let name = to.to_str().ok_or_else(|| StoreError::Address(to.display().to_string()))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let copied = Connection::open_with_flags(from, flags).and_then(|connection| {
        connection.busy_timeout(BUSY)?;
        // Reads every row, in one transaction; in WAL mode nobody waits for a reader.
        patiently(|| connection.execute("VACUUM INTO ?1", [name]).map(drop))
    });
    copied.map_err(Failure::from)?;
    File::open(to).and_then(|file| file.sync_all()).map_err(io)
}
