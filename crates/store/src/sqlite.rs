//! SQLite: one file, one writer, some readers.
//!
//! Promises: writers queue in order of asking; a commit is on disk when it returns (WAL with
//! `synchronous = FULL`); readers see one state and never wait for the writer; a new file can be read by
//! its owner only. In memory there is a single connection, for which readers queue too.

mod connections;
mod link;
mod snapshot;
#[cfg(test)]
mod steps;

use std::{io, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

pub(crate) use self::connections::Thread;
pub use self::snapshot::snapshot;
use self::{connections::Connections, link::SqliteLink};
use crate::{
    Result, Store, StoreError, Tx, Upgrade, migrate,
    sql::{Failure, Link},
    transaction::Transaction,
};

const READERS: usize = 4;
const BUSY: Duration = Duration::from_secs(5);
/// How long after a file was found locked it is tried again.
const PAUSE: Duration = Duration::from_millis(10);
/// More than all the texts this crate has.
const STATEMENTS: usize = 512;

/// What the connection that writes is told. In pages of twice the usual size fewer of the rows are cut, most of
/// which are of some hundred bytes to some thousand, and a large call makes half the frames of the log; larger ones
/// would make the small calls write more. A large call must not spill half-written pages, nor move the log into the
/// file each time. What undoes half a call is needed for as long as the call: not worth a file.
const WRITING: &str = "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                       PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4000; PRAGMA temp_store = MEMORY;";
const READING: &str = "PRAGMA query_only = ON;";

/// A SQLite database.
pub(crate) struct SqliteStore {
    writer: Connections,
    readers: Connections,
}

impl SqliteStore {
    /// Opens the file at `path`, or makes it.
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(StoreError::Unavailable(error.into())),
        }
        let store = Self { writer: on_file(1, path, WRITING), readers: on_file(READERS, path, READING) };
        let link = SqliteLink::begin(&store.writer).await.map_err(|failure| refused(failure, path))?;
        migrated(link, &path.display().to_string()).await?;
        Ok(store)
    }

    /// A database in memory, gone when the store is dropped.
    pub(crate) async fn in_memory(thread: Thread) -> Result<Self> {
        let store = Self::of(usual(Connection::open_in_memory()).map_err(Failure::from)?, thread)?;
        migrated(SqliteLink::begin(&store.writer).await?, "memory").await?;
        Ok(store)
    }

    /// All that a database in memory holds.
    #[cfg(feature = "testkit")]
    pub(crate) async fn image(&self) -> Result<Vec<u8>> {
        let held = self.writer.take().await?;
        let (_held, image) = held.run(|connection| Ok(connection.serialize("main")?.to_vec())).await?;
        Ok(image.map_err(Failure::from)?)
    }

    /// A database in memory that holds what another held.
    #[cfg(feature = "testkit")]
    pub(crate) fn of_image(image: &[u8], thread: Thread) -> Result<Self> {
        let mut connection = usual(Connection::open_in_memory()).map_err(Failure::from)?;
        connection.deserialize_read_exact("main", image, image.len(), false).map_err(Failure::from)?;
        Self::of(connection, thread)
    }

    /// The store of the only connection there can be.
    fn of(connection: Connection, thread: Thread) -> Result<Self> {
        let no_other = || Err(rusqlite::Error::InvalidQuery);
        let writer = Connections::new(1, thread, Box::new(no_other)).with(connection);
        let writer = writer.map_err(Failure::from)?;
        Ok(Self { readers: writer.clone(), writer })
    }
}

/// Brings the file at `path` up to date and takes it back again; what it says is what would be done.
pub(crate) async fn rehearse(path: &Path) -> Result<Upgrade> {
    std::fs::metadata(path).map_err(|error| StoreError::Unavailable(error.into()))?;
    let writer = on_file(1, path, WRITING);
    let mut link = SqliteLink::begin(&writer).await.map_err(|failure| refused(failure, path))?;
    migrate::migrate(&mut link, &path.display().to_string()).await
}

async fn migrated(mut link: SqliteLink, address: &str) -> Result<()> {
    migrate::migrate(&mut link, address).await?;
    Ok(link.commit().await?)
}

fn usual(opened: rusqlite::Result<Connection>) -> rusqlite::Result<Connection> {
    let connection = opened?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Values of placeholders change no plan, or a statement would be prepared anew whenever they do.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

fn on_file(most: usize, path: &Path, told: &'static str) -> Connections {
    let path = path.to_owned();
    let opening = move || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = usual(Connection::open_with_flags(&path, flags))?;
        connection.busy_timeout(BUSY)?;
        patiently(|| connection.execute_batch(told))?;
        Ok(connection)
    };
    Connections::new(most, Thread::Another, Box::new(opening))
}

/// Tries again while the file is locked: SQLite does not wait by itself when two want to make a file's log at once.
fn patiently(mut attempt: impl FnMut() -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    let busy = |done: &rusqlite::Result<()>| match done {
        Err(error) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy),
        Ok(()) => false,
    };
    for _ in 0..BUSY.as_millis() / PAUSE.as_millis() {
        let done = attempt();
        if !busy(&done) {
            return done;
        }
        std::thread::sleep(PAUSE);
    }
    attempt()
}

fn refused(failure: Failure, path: &Path) -> StoreError {
    match failure.sqlite_code() {
        Some(rusqlite::ffi::SQLITE_NOTADB) => StoreError::Foreign(path.display().to_string()),
        _ => failure.into(),
    }
}

#[async_trait::async_trait]
impl Store for SqliteStore {
    async fn begin(&self) -> Result<Box<dyn Tx>> {
        Ok(Box::new(Transaction::writing(SqliteLink::begin(&self.writer).await?)))
    }

    async fn read(&self) -> Result<Box<dyn Tx>> {
        Ok(Box::new(Transaction::reading(SqliteLink::begin_reading(&self.readers).await?)))
    }

    fn kind(&self) -> &'static str {
        "sqlite"
    }
}
