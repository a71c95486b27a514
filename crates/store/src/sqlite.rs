//! SQLite: one file, one writer, some readers.
//!
//! Promises: writers queue in order of asking; a commit is on disk when it returns (WAL with
//! `synchronous = FULL`); readers see one state and never wait for the writer; a new file can be read by
//! its owner only. In memory there is a single connection, for which readers queue too.

use std::{io, os::unix::fs::OpenOptionsExt, path::Path, sync::Arc, time::Duration};

use sqlx::{
    Connection, Row as _, SqlStr, Sqlite, SqlitePool,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
        SqliteSynchronous,
    },
};

use crate::{
    Result, Store, StoreError, Tx, migrate,
    sql::{Cell, Cells, Dialect, Failure, Link, Sql, Value},
    transaction::Transaction,
};

const READERS: u32 = 4;
const BUSY: Duration = Duration::from_secs(5);
/// More than all the texts this crate has.
const STATEMENTS: usize = 512;

/// A SQLite database.
pub(crate) struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens the file at `path`, or makes it.
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(StoreError::Unavailable(error.into())),
        }
        let file = options().filename(path).busy_timeout(BUSY);
        let writing = file
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // Most rows are of some hundred bytes to some thousand: in pages of twice the usual size fewer are
            // cut, and a large call makes half the frames of the log. Larger ones would make the small calls
            // write more.
            .page_size(8192)
            // A large call must not spill half-written pages, nor move the log into the file each time.
            .pragma("cache_size", "-65536")
            .pragma("wal_autocheckpoint", "4000")
            // What undoes half a call is needed for as long as the call: not worth a file.
            .pragma("temp_store", "MEMORY");
        let writer = pool(1).connect_with(writing).await.map_err(|error| refused(error, path))?;
        let readers = pool(READERS).connect_lazy_with(file.pragma("query_only", "ON"));
        let store = Self { writer, readers };
        store.migrate(&path.display().to_string()).await?;
        Ok(store)
    }

    /// A database in memory, gone when the store is dropped.
    pub(crate) async fn in_memory() -> Result<Self> {
        let writer = pool(1).connect_with(options().in_memory(true)).await.map_err(Failure)?;
        let store = Self { readers: writer.clone(), writer };
        store.migrate("memory").await?;
        Ok(store)
    }

    /// All that a database in memory holds.
    #[cfg(feature = "testkit")]
    pub(crate) async fn image(&self) -> Result<Vec<u8>> {
        let mut connection = self.writer.acquire().await.map_err(Failure)?;
        Ok(connection.serialize(None).await.map_err(Failure)?.to_vec())
    }

    /// A database in memory that holds what another held.
    #[cfg(feature = "testkit")]
    pub(crate) async fn of_image(image: &[u8]) -> Result<Self> {
        let writer = pool(1).connect_with(options().in_memory(true)).await.map_err(Failure)?;
        let image = sqlx::sqlite::SqliteOwnedBuf::try_from(image).map_err(Failure)?;
        let mut connection = writer.acquire().await.map_err(Failure)?;
        connection.deserialize(None, image, false).await.map_err(Failure)?;
        drop(connection);
        Ok(Self { readers: writer.clone(), writer })
    }

    async fn migrate(&self, address: &str) -> Result<()> {
        let mut link = SqliteLink(self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(Failure)?);
        migrate::migrate(&mut link, address).await?;
        Ok(link.commit().await?)
    }
}

fn options() -> SqliteConnectOptions {
    use sqlx::ConnectOptions;
    SqliteConnectOptions::new().statement_cache_capacity(STATEMENTS).disable_statement_logging()
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // A full disk makes SQLite roll back by itself; sqlx then loses count of the transaction, and
        // the connection could never begin another.
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
}

fn refused(error: sqlx::Error, path: &Path) -> StoreError {
    let not_a_database = |code: &str| code.parse::<i32>().is_ok_and(|c| c & 0xff == 26);
    match error.as_database_error().and_then(|e| e.code()) {
        Some(code) if not_a_database(&code) => StoreError::Foreign(path.display().to_string()),
        _ => Failure(error).into(),
    }
}

#[async_trait::async_trait]
impl Store for SqliteStore {
    async fn begin(&self) -> Result<Box<dyn Tx>> {
        let tx = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(Failure)?;
        Ok(Box::new(Transaction::writing(SqliteLink(tx))))
    }

    async fn read(&self) -> Result<Box<dyn Tx>> {
        let tx = self.readers.begin_with("BEGIN").await.map_err(Failure)?;
        Ok(Box::new(Transaction::reading(SqliteLink(tx))))
    }

    fn kind(&self) -> &'static str {
        "sqlite"
    }
}

struct SqliteLink(sqlx::Transaction<'static, Sqlite>);

impl Link for SqliteLink {
    const DIALECT: Dialect = Dialect::Sqlite;
    type Row = SqliteRow;
    type Bound = SqliteArguments;

    fn bind(values: &[Value<'_>]) -> Result<Self::Bound, Failure> {
        bind(values)
    }

    async fn run(&mut self, sql: SqlStr, values: Self::Bound) -> Result<u64, Failure> {
        Ok(sqlx::query_with(sql, values).execute(&mut *self.0).await?.rows_affected())
    }

    async fn fetch(&mut self, sql: SqlStr, values: &[Value<'_>]) -> Result<Vec<SqliteRow>, Failure> {
        let query = sqlx::query_with(sql, bind(values)?);
        Ok(query.fetch_all(&mut *self.0).await?)
    }

    async fn script(&mut self, sql: SqlStr) -> Result<(), Failure> {
        sqlx::raw_sql(sql).execute(&mut *self.0).await?;
        Ok(())
    }

    async fn tables(&mut self, named: &str) -> Result<(bool, bool)> {
        let sql = "SELECT count(*), coalesce(sum(name = $1), 0) FROM sqlite_schema WHERE type = 'table'";
        let rows = self.fetch(sql.text(), &[named.into()]).await?;
        let row = rows.first().ok_or(Failure(sqlx::Error::RowNotFound))?;
        Ok((row.cell::<i64>(0)? > 0, row.cell::<i64>(1)? > 0))
    }

    async fn commit(self) -> Result<(), Failure> {
        Ok(self.0.commit().await?)
    }
}

fn bind(values: &[Value<'_>]) -> Result<SqliteArguments, Failure> {
    use sqlx::Arguments;
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        match value {
            _ if !value.is_storable() => Err("a text with a NUL character cannot be stored".into()),
            Value::Text(text) => arguments.add(text.map(Arc::<str>::from)),
            Value::Shared(text) => arguments.add(Arc::clone(text)),
            Value::Int(number) => arguments.add(*number),
            Value::Blob(bytes) => arguments.add(*bytes),
            Value::Texts(texts) => {
                serde_json::to_string(texts).map_err(Into::into).and_then(|t| arguments.add(t))
            }
            Value::Ints(ints) => {
                serde_json::to_string(ints).map_err(Into::into).and_then(|t| arguments.add(t))
            }
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

impl Cells for SqliteRow {
    fn cell<T: Cell>(&self, at: usize) -> Result<T, Failure> {
        Ok(self.try_get(at)?)
    }
}
