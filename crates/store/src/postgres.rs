//! PostgreSQL: many nodes on one database.
//!
//! Promises: a writing transaction is READ COMMITTED (what protects a decision is the revision of every
//! row it replaces, and the unique keys); a reading one is REPEATABLE READ and sees one state. Text is
//! compared by bytes (`COLLATE "C"`). Everything is done in transactions, and nothing of a connection is used that ends
//! with one, so that a pooler may stand in between. Absent: anything that only PostgreSQL itself has and not what
//! speaks its protocol, but for the lock that migrations queue on, and the bell, which nobody depends on.

mod bell;

use std::{str::FromStr, time::Duration};

use sqlx::{
    Connection, PgConnection, PgPool, Postgres, Row as _, SqlStr,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow},
};

use bell::Rope;

use crate::{
    Bell, Result, Store, StoreError, Tx, Upgrade, migrate,
    sql::{Cell, Cells, Dialect, Failure, Link, Sql, Value},
    transaction::Transaction,
};

const CONNECTIONS: u32 = 16;
const PATIENCE: Duration = Duration::from_secs(10);
const STATEMENTS: usize = 512;
/// What an address says where no statement may outlive its transaction: behind a pooler.
const KEEPS_NOTHING: &str = "statement-cache-capacity=0";
/// The advisory lock that migrations queue on; the number is "bailiwik" in ASCII.
const MIGRATION_LOCK: i64 = 0x6261_696c_6977_696b;

/// A PostgreSQL database.
pub(crate) struct PostgresStore {
    options: PgConnectOptions,
    pool: PgPool,
    rope: Rope,
    /// Whether connections keep statements.
    keeps: bool,
}

impl PostgresStore {
    /// Connects to the database at `url`, a `postgres://` address.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let (store, link, _) = Self::migrating(url).await?;
        link.commit().await?;
        Ok(store)
    }

    /// Brings the database up to date and takes it back again; what it says is what would be done.
    pub(crate) async fn rehearse(url: &str) -> Result<Upgrade> {
        Self::migrating(url).await.map(|(_, _, upgrade)| upgrade)
    }

    /// The store, and the transaction that brings it up to date, which is not committed.
    async fn migrating(url: &str) -> Result<(Self, PostgresLink, Upgrade)> {
        use sqlx::ConnectOptions;
        let shown = without_secrets(url);
        let options = PgConnectOptions::from_str(url).map_err(|_| StoreError::Address(shown.clone()))?;
        let keeps = !url.contains(KEEPS_NOTHING);
        // What a pooler does not know of, it refuses.
        let options = options
            .application_name("bailiwick")
            .extra_float_digits(None)
            .statement_cache_capacity(if keeps { STATEMENTS } else { 0 })
            .disable_statement_logging();
        // A pool would ask a server that refuses again and again; the first answer is the one to show.
        let first = PgConnection::connect_with(&options).await.map_err(Failure::Postgres)?;
        first.close().await.map_err(Failure::Postgres)?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .connect_lazy_with(options.clone());
        let rope = Rope::new(pool.clone());
        let tx = pool.begin().await.map_err(Failure::Postgres)?;
        let mut link = PostgresLink { tx, rope: rope.clone(), rings: false, keeps };
        link.execute("SELECT pg_advisory_xact_lock($1)".text(), &[MIGRATION_LOCK.into()]).await?;
        let upgrade = migrate::migrate(&mut link, &shown).await?;
        Ok((Self { options, pool, rope, keeps }, link, upgrade))
    }
}

impl PostgresStore {
    fn link(&self, tx: sqlx::Transaction<'static, Postgres>) -> PostgresLink {
        PostgresLink { tx, rope: self.rope.clone(), rings: false, keeps: self.keeps }
    }
}

/// The address without user, password and parameters, which may hold a password too.
pub(crate) fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let rest = rest.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{rest}")
}

#[async_trait::async_trait]
impl Store for PostgresStore {
    async fn begin(&self) -> Result<Box<dyn Tx>> {
        let tx = self
            .pool
            .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
            .await
            .map_err(Failure::Postgres)?;
        Ok(Box::new(Transaction::writing(self.link(tx))))
    }

    async fn read(&self) -> Result<Box<dyn Tx>> {
        let tx = self
            .pool
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await
            .map_err(Failure::Postgres)?;
        Ok(Box::new(Transaction::reading(self.link(tx))))
    }

    async fn bell(&self) -> Result<Option<Box<dyn Bell>>> {
        // Behind a pooler, whoever gets the connection next would be told instead, in the middle of something else.
        if !self.keeps {
            return Ok(None);
        }
        bell::hang(self.options.clone(), &self.pool).await
    }

    async fn server_time(&self) -> Result<Option<i64>> {
        let sql = "SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT)";
        let row = sqlx::query(sql).fetch_one(&self.pool).await.map_err(Failure::Postgres)?;
        Ok(Some(row.cell(0)?))
    }

    fn kind(&self) -> &'static str {
        "postgres"
    }
}

struct PostgresLink {
    tx: sqlx::Transaction<'static, Postgres>,
    rope: Rope,
    rings: bool,
    keeps: bool,
}

impl Link for PostgresLink {
    const DIALECT: Dialect = Dialect::Postgres;
    type Row = PgRow;
    type Bound = PgArguments;

    fn bind(values: &[Value<'_>]) -> Result<Self::Bound, Failure> {
        bind(values)
    }

    async fn run(&mut self, sql: SqlStr, values: Self::Bound) -> Result<u64, Failure> {
        let query = sqlx::query_with(sql, values).persistent(self.keeps);
        Ok(query.execute(&mut *self.tx).await?.rows_affected())
    }

    async fn fetch(&mut self, sql: SqlStr, values: &[Value<'_>]) -> Result<Vec<PgRow>, Failure> {
        let query = sqlx::query_with(sql, bind(values)?).persistent(self.keeps);
        Ok(query.fetch_all(&mut *self.tx).await?)
    }

    async fn script(&mut self, sql: SqlStr) -> Result<(), Failure> {
        sqlx::raw_sql(sql).execute(&mut *self.tx).await?;
        Ok(())
    }

    async fn tables(&mut self, named: &str) -> Result<(bool, bool)> {
        let sql = "SELECT count(*), count(*) FILTER (WHERE tablename = $1) FROM pg_catalog.pg_tables \
                   WHERE schemaname = current_schema()";
        let rows = self.fetch(sql.text(), &[named.into()]).await?;
        let row = rows.first().ok_or(Failure::Postgres(sqlx::Error::RowNotFound))?;
        Ok((row.cell::<i64>(0)? > 0, row.cell::<i64>(1)? > 0))
    }

    fn ring(&mut self) {
        self.rings = true;
    }

    async fn commit(self) -> Result<(), Failure> {
        let Self { tx, rope, rings, keeps: _ } = self;
        tx.commit().await?;
        if rings {
            rope.pull();
        }
        Ok(())
    }
}

fn bind(values: &[Value<'_>]) -> Result<PgArguments, Failure> {
    use sqlx::Arguments;
    let mut arguments = PgArguments::default();
    arguments.reserve(values.len(), values.len() * 16);
    for value in values {
        match value {
            _ if !value.is_storable() => Err("a text with a NUL character cannot be stored".into()),
            Value::Text(text) => arguments.add(*text),
            Value::Shared(text) => arguments.add(&**text),
            Value::Int(number) => arguments.add(*number),
            Value::Blob(bytes) => arguments.add(*bytes),
            Value::Texts(texts) => arguments.add(texts.as_slice()),
            Value::Ints(ints) => arguments.add(ints.as_slice()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

impl Cells for PgRow {
    fn cell<T: Cell>(&self, at: usize) -> Result<T, Failure> {
        Ok(self.try_get(at)?)
    }
}
