//! Statements as both databases understand them: one text, typed values in, typed cells out.
//!
//! Promises: a value never becomes part of a text; a NULL has a type; what the databases write
//! differently is a method of [`Dialect`]. Absent: anything that knows a table of ours.

use std::{fmt::Write, future::Future, sync::Arc};

use rusqlite::{ffi, types::FromSql};
use sqlx::{AssertSqlSafe, Decode, Postgres, SqlSafeStr, SqlStr, Type};

use crate::{KeyKind, Result, StoreError};

/// A value bound to a placeholder.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Text(Option<&'a str>),
    /// A text that many values of a statement are.
    Shared(Arc<str>),
    Int(Option<i64>),
    Blob(&'a [u8]),
    /// For [`Dialect::one_of`].
    Texts(Vec<&'a str>),
    /// For [`Dialect::one_of`].
    Ints(Vec<i64>),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text))
    }
}
impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Some(text))
    }
}
impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(text: &'a Option<String>) -> Self {
        Self::Text(text.as_deref())
    }
}
impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Blob(bytes)
    }
}
impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl Value<'_> {
    /// PostgreSQL has no text with a NUL character; SQLite is held to the same.
    pub(crate) fn is_storable(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_some_and(|t| t.as_bytes().contains(&0)),
            Self::Shared(text) => !text.as_bytes().contains(&0),
            Self::Texts(texts) => !texts.iter().any(|t| t.as_bytes().contains(&0)),
            Self::Int(_) | Self::Ints(_) | Self::Blob(_) => true,
        }
    }
}

/// What the two databases write differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// The condition that `column` is in the list bound at `$place`; one text for every length.
    pub(crate) fn one_of(self, column: &str, place: usize) -> String {
        match self {
            Self::Sqlite => format!("{column} IN (SELECT value FROM json_each(${place}))"),
            Self::Postgres => format!("{column} = ANY(${place})"),
        }
    }

    /// A column that is compared and is no way to the rows: a database that knows little of them may take what
    /// narrows least for one.
    pub(crate) fn aside(self, column: &str, kind: KeyKind) -> String {
        match (self, kind) {
            (Self::Sqlite, _) => format!("+{column}"),
            (Self::Postgres, KeyKind::Text) => format!("({column} || '')"),
            (Self::Postgres, KeyKind::Int) => format!("({column} + 0)"),
        }
    }

    /// A column that some rows are sorted by, once they are found: SQLite would rather go through all rows in order.
    pub(crate) fn sorted(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("+{column}"),
            Self::Postgres => column.to_owned(),
        }
    }

    /// Ends a SELECT that must hold the rows of `table` until the transaction ends. SQLite has one
    /// writer, which holds everything.
    pub(crate) fn for_update(self, table: &str, skip_locked: bool) -> String {
        match (self, skip_locked) {
            (Self::Sqlite, _) => String::new(),
            (Self::Postgres, false) => format!(" FOR UPDATE OF {table}"),
            (Self::Postgres, true) => format!(" FOR UPDATE OF {table} SKIP LOCKED"),
        }
    }

    /// `VALUES (…), (…)` with `rows * width` placeholders in order, the first of the statement.
    ///
    /// SQLite gets `?`: it looks a numbered placeholder up by a scan of all of them, which costs
    /// more than the insert itself when there are hundreds.
    pub(crate) fn values(self, rows: usize, width: usize) -> String {
        let mut sql = String::with_capacity(8 + rows * width * 5);
        sql.push_str("VALUES ");
        for row in 0..rows {
            sql.push_str(if row == 0 { "(" } else { ",(" });
            for column in 0..width {
                if column > 0 {
                    sql.push(',');
                }
                match self {
                    Self::Sqlite => sql.push('?'),
                    Self::Postgres => {
                        let _infallible = write!(sql, "${}", row * width + column + 1);
                    }
                }
            }
            sql.push(')');
        }
        sql
    }

    /// The placeholder after `before` others, in a statement with [`Dialect::values`].
    pub(crate) fn next(self, before: usize) -> String {
        match self {
            Self::Sqlite => "?".to_owned(),
            Self::Postgres => format!("${}", before + 1),
        }
    }
}

/// A type that both databases can give back from a column.
pub(crate) trait Cell: FromSql + for<'r> Decode<'r, Postgres> + Type<Postgres> {}
impl<T> Cell for T where T: FromSql + for<'r> Decode<'r, Postgres> + Type<Postgres> {}

/// One row of an answer.
pub(crate) trait Cells: Send {
    /// The value of the column at `at`, counted from 0.
    fn cell<T: Cell>(&self, at: usize) -> Result<T, Failure>;

    /// The same for a column of ours that somebody else may have written to.
    fn ours<T: Cell>(&self, at: usize, table: &'static str, column: &'static str, row: &str) -> Result<T> {
        self.cell(at).map_err(|_| StoreError::Inconsistent { table, column, row: row.to_owned() })
    }
}

/// An open transaction on one of the databases. Dropped, it is rolled back.
pub(crate) trait Link: Send + Sized + 'static {
    /// Which database.
    const DIALECT: Dialect;
    /// Its rows.
    type Row: Cells;
    /// Values as it takes them.
    type Bound: Send;

    /// Makes values ready for a statement.
    fn bind(values: &[Value<'_>]) -> Result<Self::Bound, Failure>;

    /// Runs a statement; gives back how many rows it changed.
    fn run(&mut self, sql: SqlStr, values: Self::Bound) -> impl Future<Output = Result<u64, Failure>> + Send;

    /// Binds and runs a statement; gives back how many rows it changed.
    fn execute(
        &mut self,
        sql: SqlStr,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<u64, Failure>> + Send {
        async move { self.run(sql, Self::bind(values)?).await }
    }

    /// Runs a query; gives back its rows.
    fn fetch(
        &mut self,
        sql: SqlStr,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<Vec<Self::Row>, Failure>> + Send;

    /// Runs a text of many statements without values.
    fn script(&mut self, sql: SqlStr) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Whether the database has tables of its own, and the one named.
    fn tables(&mut self, named: &str) -> impl Future<Output = Result<(bool, bool)>> + Send;

    /// Has others told that there is work, once it lasts; nothing where nobody can be told.
    fn ring(&mut self) {}

    /// Ends it so that it lasts.
    fn commit(self) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// The text of a statement: a literal, or composed of literals and names of ours.
pub(crate) trait Sql {
    /// The text for sqlx.
    fn text(self) -> SqlStr;
}
impl Sql for &'static str {
    fn text(self) -> SqlStr {
        self.into_sql_str()
    }
}
impl Sql for String {
    fn text(self) -> SqlStr {
        // Only this crate makes these, from names that it declares itself.
        AssertSqlSafe(self).into_sql_str()
    }
}

/// What the database answered instead of doing what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    Postgres(sqlx::Error),
    Sqlite(rusqlite::Error),
    /// The thread that worked on it has ended, with the program.
    Gone,
}

impl Failure {
    /// Whether a unique key was taken.
    pub(crate) fn is_taken(&self) -> bool {
        match self {
            Self::Postgres(error) => error.as_database_error().is_some_and(|e| e.is_unique_violation()),
            Self::Sqlite(error) => error.sqlite_error().is_some_and(|e| {
                let taken = [ffi::SQLITE_CONSTRAINT_UNIQUE, ffi::SQLITE_CONSTRAINT_PRIMARYKEY];
                taken.contains(&e.extended_code)
            }),
            Self::Gone => false,
        }
    }

    /// The primary code of SQLite.
    pub(crate) fn sqlite_code(&self) -> Option<i32> {
        match self {
            Self::Sqlite(error) => error.sqlite_error().map(|e| e.extended_code & 0xff),
            Self::Postgres(_) | Self::Gone => None,
        }
    }

    /// The same as a conflict about the row `id` of `table` when a unique key was taken.
    pub(crate) fn about(self, table: &'static str, id: &str) -> StoreError {
        if self.is_taken() { StoreError::Conflict { table, id: id.to_owned() } } else { self.into() }
    }

    /// Whether a kept statement was there already, or was gone: each connection names its own.
    fn is_of_pooler(&self) -> bool {
        match self {
            Self::Postgres(sqlx::Error::Database(error)) => {
                matches!(error.code().as_deref(), Some("42P05" | "26000"))
            }
            Self::Postgres(_) | Self::Sqlite(_) | Self::Gone => false,
        }
    }

    fn is_passing(&self) -> bool {
        match self {
            Self::Postgres(
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed,
            )
            | Self::Gone => true,
            Self::Postgres(sqlx::Error::Database(error)) => {
                let code = error.code().unwrap_or_default();
                // Connection, resources, shutdown, deadlock or serialization, lock, standby.
                ["08", "53", "57P", "40", "55P03", "25006"].iter().any(|class| code.starts_with(class))
            }
            Self::Postgres(_) => false,
            Self::Sqlite(_) => matches!(
                self.sqlite_code(),
                Some(
                    ffi::SQLITE_BUSY
                        | ffi::SQLITE_LOCKED
                        | ffi::SQLITE_IOERR
                        | ffi::SQLITE_FULL
                        | ffi::SQLITE_CANTOPEN
                )
            ),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        if failure.is_of_pooler() {
            return Self::Pooled;
        }
        let passing = failure.is_passing();
        let cause = match failure {
            Failure::Postgres(error) => error.into(),
            Failure::Sqlite(error) => error.into(),
            Failure::Gone => "the thread of the database has ended".into(),
        };
        if passing { Self::Unavailable(cause) } else { Self::Internal(cause) }
    }
}
