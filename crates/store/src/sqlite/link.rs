//! Statements on a SQLite connection.

use std::sync::Arc;

use rusqlite::{
    Connection, Statement, ToSql,
    types::{FromSqlError, ToSqlOutput, Type, Value as Stored, ValueRef},
};
use sqlx::SqlStr;

use super::connections::{Connections, Held};
#[cfg(test)]
use super::steps;
use crate::{
    Result, StoreError,
    sql::{Cell, Cells, Dialect, Failure, Link, Sql, Value},
};

/// Values of at most so many bytes are written on the thread that gives them.
const LITTLE: usize = 8 * 1024;

/// A transaction. Without a connection while that is in use by a call, also one that was given up.
pub(super) struct SqliteLink(Option<Held>);

impl SqliteLink {
    /// Begins one that writes.
    pub(super) async fn begin(connections: &Connections) -> Result<Self, Failure> {
        let mut link = Self(Some(connections.take().await?));
        link.ask(|connection| connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])).await?;
        Ok(link)
    }

    /// Begins one that reads: that alone makes nobody wait.
    pub(super) async fn begin_reading(connections: &Connections) -> Result<Self, Failure> {
        let mut link = Self(Some(connections.take().await?));
        link.ask(|connection| connection.prepare_cached("BEGIN")?.execute([])).await?;
        Ok(link)
    }

    /// Asks something: here if that is short, else on a thread that may wait.
    async fn ask<T: Send + 'static>(
        &mut self,
        question: impl Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let held = self.0.take().ok_or(Failure::Gone)?;
        let answer = held.shortly(&question);
        self.0 = Some(held);
        let Some(answer) = answer else { return self.work(question).await };
        if self.0.as_ref().is_some_and(Held::shares_its_thread) {
            // Who asks very much lets others go on in between.
            tokio::task::coop::consume_budget().await;
        }
        Ok(answer?)
    }

    /// Does something that is short.
    async fn here<T>(&mut self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Failure> {
        let mut held = self.0.take().ok_or(Failure::Gone)?;
        let done = held.now(work);
        let shared = held.shares_its_thread();
        self.0 = Some(held);
        if shared {
            tokio::task::coop::consume_budget().await;
        }
        Ok(done?)
    }

    async fn work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let (held, done) = self.0.take().ok_or(Failure::Gone)?.run(work).await?;
        self.0 = Some(held);
        Ok(done?)
    }
}

impl Link for SqliteLink {
    const DIALECT: Dialect = Dialect::Sqlite;
    type Row = Vec<Stored>;
    type Bound = Vec<Given>;

    fn bind(values: &[Value<'_>]) -> Result<Self::Bound, Failure> {
        values.iter().map(given).collect()
    }

    async fn run(&mut self, sql: SqlStr, values: Self::Bound) -> Result<u64, Failure> {
        let much = values.iter().map(Given::size).sum::<usize>() > LITTLE;
        let run = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(sql.as_str())?;
            fill(&mut statement, &values)?;
            let changed = statement.raw_execute();
            #[cfg(test)]
            steps::counted(&statement);
            changed
        };
        // What is changed is in memory until it is committed.
        let changed = if much { self.work(run).await? } else { self.here(run).await? };
        Ok(changed as u64)
    }

    async fn fetch(&mut self, sql: SqlStr, values: &[Value<'_>]) -> Result<Vec<Self::Row>, Failure> {
        let values = Self::bind(values)?;
        let fetch = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(sql.as_str())?;
            fill(&mut statement, &values)?;
            let columns = statement.column_count();
            let mut rows = statement.raw_query();
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push((0..columns).map(|at| row.get(at)).collect::<rusqlite::Result<_>>()?);
            }
            #[cfg(test)]
            {
                drop(rows);
                steps::counted(&statement);
            }
            Ok(all)
        };
        self.ask(fetch).await
    }

    async fn script(&mut self, sql: SqlStr) -> Result<(), Failure> {
        self.work(move |connection| connection.execute_batch(sql.as_str())).await
    }

    async fn tables(&mut self, named: &str) -> Result<(bool, bool)> {
        let sql = "SELECT count(*), coalesce(sum(name = $1), 0) FROM sqlite_schema WHERE type = 'table'";
        let rows = self.fetch(sql.text(), &[named.into()]).await?;
        let row = rows.first().ok_or_else(|| StoreError::misuse("nothing was counted"))?;
        Ok((row.cell::<i64>(0)? > 0, row.cell::<i64>(1)? > 0))
    }

    async fn commit(mut self) -> Result<(), Failure> {
        self.work(|connection| connection.prepare_cached("COMMIT")?.execute([])).await?;
        Ok(())
    }
}

/// A value that a statement takes along to another thread.
pub(super) enum Given {
    Nothing,
    Text(Box<str>),
    Shared(Arc<str>),
    Int(i64),
    Blob(Box<[u8]>),
}

impl Given {
    fn size(&self) -> usize {
        match self {
            Self::Nothing | Self::Int(_) => 8,
            Self::Text(text) => text.len(),
            Self::Shared(text) => text.len(),
            Self::Blob(bytes) => bytes.len(),
        }
    }
}

fn given(value: &Value<'_>) -> Result<Given, Failure> {
    let json = |text: serde_json::Result<String>| match text {
        Ok(text) => Ok(Given::Text(text.into())),
        Err(error) => Err(Failure::Sqlite(rusqlite::Error::ToSqlConversionFailure(error.into()))),
    };
    match value {
        _ if !value.is_storable() => Err(Failure::Sqlite(rusqlite::Error::ToSqlConversionFailure(
            "a text with a NUL character cannot be stored".into(),
        ))),
        Value::Text(text) => Ok(text.map_or(Given::Nothing, |text| Given::Text(text.into()))),
        Value::Shared(text) => Ok(Given::Shared(Arc::clone(text))),
        Value::Int(number) => Ok(number.map_or(Given::Nothing, Given::Int)),
        Value::Blob(bytes) => Ok(Given::Blob((*bytes).into())),
        Value::Texts(texts) => json(serde_json::to_string(texts)),
        Value::Ints(ints) => json(serde_json::to_string(ints)),
    }
}

impl ToSql for Given {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Nothing => ValueRef::Null,
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Shared(text) => ValueRef::Text(text.as_bytes()),
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Binds values. To SQLite `$2` is a name, which has the place in which it first occurs; `?` has none.
fn fill(statement: &mut Statement<'_>, values: &[Given]) -> rusqlite::Result<()> {
    let places = statement.parameter_count();
    for place in 1..=places {
        let number = statement.parameter_name(place).and_then(|name| name[1..].parse().ok());
        let value = values.get(number.unwrap_or(place) - 1);
        let value = value.ok_or(rusqlite::Error::InvalidParameterCount(values.len(), places))?;
        statement.raw_bind_parameter(place, value)?;
    }
    Ok(())
}

impl Cells for Vec<Stored> {
    fn cell<T: Cell>(&self, at: usize) -> Result<T, Failure> {
        let value = self.get(at).ok_or(rusqlite::Error::InvalidColumnIndex(at))?;
        T::column_result(value.into()).map_err(|error| mistyped(at, value.data_type(), error))
    }
}

fn mistyped(at: usize, found: Type, error: FromSqlError) -> Failure {
    Failure::Sqlite(rusqlite::Error::FromSqlConversionFailure(at, found, error.into()))
}
