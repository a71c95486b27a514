//! A connection to a database, and a transaction on it.
//!
//! What only reads is executed in a transaction that cannot write, and is undone at its end; what writes
//! lasts when the database says so. Rows come one by one and are counted while they come. The texts of a
//! statement are sent as they are; besides them only the limits of a transaction are, and the driver's own
//! questions about types that it does not know.

use std::sync::Arc;

use futures_util::{Stream, TryStreamExt};
use sqlx::{
    AssertSqlSafe, Column, Decode, Either, Executor, PgConnection, Postgres, Row, Sqlite, SqliteConnection,
    TypeInfo, ValueRef,
    postgres::{PgArguments, PgRow},
    sqlite::{SqliteArguments, SqliteRow},
};

use super::{
    failure::{Stage, Trouble},
    text::Text,
    values::{Cell, Parameter, Rows},
};
use crate::ErrorKind;

/// The most that one answer may hold, bytes.
const ANSWER: usize = 64 << 20;

/// A connection.
pub(super) enum Session {
    /// To a PostgreSQL server.
    Postgres(Box<PgConnection>),
    /// To a SQLite file.
    Sqlite(Box<SqliteConnection>),
}

/// What is to be done in one transaction.
pub(super) struct Work<'w> {
    pub(super) texts: &'w [Text],
    /// What is bound to each text's parameters; as many as it has.
    pub(super) bound: Vec<Vec<&'w Parameter<'w>>>,
    /// The verifiers of passwords among them, by name.
    pub(super) verifier: Option<String>,
    pub(super) writes: bool,
    pub(super) most: Option<u64>,
}

impl Session {
    /// Does it. After an error that is not the database's own, the connection is of no further use.
    pub(super) async fn run(&mut self, work: &Work<'_>) -> Result<Rows, (Trouble, Stage)> {
        match self {
            Self::Postgres(connection) => run(&mut **connection, work).await,
            Self::Sqlite(connection) => run(&mut **connection, work).await,
        }
    }
}

/// What the two databases have in common.
trait Link: Send {
    /// Begins a transaction that can write, or cannot.
    fn begin(&mut self, writes: bool) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Executes one text.
    fn step(
        &mut self,
        text: &Text,
        bound: &[&Parameter<'_>],
        verifier: Option<&str>,
    ) -> impl Future<Output = Result<Rows, Trouble>> + Send;

    /// Ends the transaction; what was done in it lasts, or does not.
    fn end(&mut self, lasts: bool) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

async fn run(link: &mut impl Link, work: &Work<'_>) -> Result<Rows, (Trouble, Stage)> {
    link.begin(work.writes).await.map_err(|error| (error.into(), Stage::Opening))?;
    match steps(link, work).await {
        Ok(rows) => {
            link.end(work.writes).await.map_err(|error| (error.into(), Stage::Ending))?;
            Ok(rows)
        }
        Err(trouble) => {
            let lasts = matches!(&trouble, Trouble::Sql(error) if error.as_database_error().is_none());
            // A connection that broke has nothing left to undo; one that cannot undo is broken.
            if !lasts && let Err(error) = link.end(false).await {
                tracing::debug!(%error, "undoing was not answered; the connection is closed");
            }
            Err((trouble, Stage::Running))
        }
    }
}

async fn steps(link: &mut impl Link, work: &Work<'_>) -> Result<Rows, Trouble> {
    let mut last = Rows { columns: Arc::from([]), rows: Vec::new(), touched: 0 };
    for (text, bound) in work.texts.iter().zip(&work.bound) {
        last = link.step(text, bound, work.verifier.as_deref()).await?;
    }
    match work.most.filter(|most| last.touched > *most) {
        None => Ok(last),
        Some(most) => {
            let problem = format!("it touches {} rows, and may touch {most}; all was undone", last.touched);
            Err(Trouble::Answer(ErrorKind::Settings, problem))
        }
    }
}

/// Takes rows as they come.
async fn collect<Q, R: Row>(
    mut stream: impl Stream<Item = Result<Either<Q, R>, sqlx::Error>> + Unpin + Send,
    touched: impl Fn(&Q) -> u64 + Send,
    cell: impl Fn(&R, usize) -> Result<Cell, String> + Send,
) -> Result<Rows, Trouble> {
    let mut rows = Rows { columns: Arc::from([]), rows: Vec::new(), touched: 0 };
    let mut size = 0_usize;
    while let Some(item) = stream.try_next().await? {
        let row = match item {
            Either::Left(done) => {
                rows.touched += touched(&done);
                continue;
            }
            Either::Right(row) => row,
        };
        if rows.rows.is_empty() {
            rows.columns = row.columns().iter().map(|column| column.name().to_owned()).collect();
        }
        let wrong = |at: usize, problem: String| {
            let column = rows.columns.get(at).map_or("?", String::as_str);
            Trouble::Answer(ErrorKind::Malformed, format!("column `{column}`: {problem}"))
        };
        let read = |at| cell(&row, at).map_err(|problem| wrong(at, problem));
        let cells = (0..row.columns().len()).map(read).collect::<Result<Vec<_>, _>>()?;
        size += cells.iter().map(Cell::size).sum::<usize>();
        if size > ANSWER {
            return Err(Trouble::Answer(ErrorKind::Malformed, format!("more than {ANSWER} bytes")));
        }
        rows.rows.push(cells);
    }
    Ok(rows)
}

fn unbound(error: impl std::fmt::Display) -> Trouble {
    Trouble::Answer(ErrorKind::Invalid, format!("a value cannot be bound: {error}"))
}

fn not_taken(kind: &str) -> String {
    format!("the type `{kind}` is not taken; cast it to text, a whole number or a boolean")
}

impl Link for PgConnection {
    async fn begin(&mut self, writes: bool) -> Result<(), sqlx::Error> {
        let begin = if writes { "BEGIN READ WRITE" } else { "BEGIN READ ONLY" };
        self.execute(begin).await.map(drop)
    }

    async fn step(
        &mut self,
        text: &Text,
        bound: &[&Parameter<'_>],
        verifier: Option<&str>,
    ) -> Result<Rows, Trouble> {
        let mut query = sqlx::query_with(AssertSqlSafe(text.sql.as_str()), PgArguments::default());
        for parameter in bound {
            let bound = match parameter {
                Parameter::Text(text) => query.try_bind(*text),
                Parameter::Number(number) => query.try_bind(*number),
                Parameter::Flag(flag) => query.try_bind(*flag),
                Parameter::Many(many) => query.try_bind(*many),
                Parameter::Password(_) => query.try_bind(verifier),
            };
            bound.map_err(unbound)?;
        }
        // Kept statements would outlive a change of the tables, and their types would be those of the
        // first time.
        let stream = self.fetch_many(query.persistent(false));
        collect(stream, |done| done.rows_affected(), of_postgres).await
    }

    async fn end(&mut self, lasts: bool) -> Result<(), sqlx::Error> {
        self.execute(if lasts { "COMMIT" } else { "ROLLBACK" }).await.map(drop)
    }
}

fn of_postgres(row: &PgRow, at: usize) -> Result<Cell, String> {
    let value = row.try_get_raw(at).map_err(|e| e.to_string())?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let kind = value.type_info().name().to_owned();
    let cell = match kind.as_str() {
        "TEXT" | "VARCHAR" | "CHAR" | "NAME" => Decode::<Postgres>::decode(value).map(Cell::Text),
        "BOOL" => Decode::<Postgres>::decode(value).map(Cell::Flag),
        "INT2" => Decode::<Postgres>::decode(value).map(|n: i16| Cell::Number(n.into())),
        "INT4" => Decode::<Postgres>::decode(value).map(|n: i32| Cell::Number(n.into())),
        "INT8" => Decode::<Postgres>::decode(value).map(Cell::Number),
        "TEXT[]" | "VARCHAR[]" | "NAME[]" => Decode::<Postgres>::decode(value).map(Cell::Many),
        "VOID" => Ok(Cell::Null),
        other => return Err(not_taken(other)),
    };
    cell.map_err(|error| error.to_string())
}

impl Link for SqliteConnection {
    async fn begin(&mut self, writes: bool) -> Result<(), sqlx::Error> {
        let (guard, begin) = match writes {
            true => ("PRAGMA query_only = OFF", "BEGIN IMMEDIATE"),
            false => ("PRAGMA query_only = ON", "BEGIN"),
        };
        self.execute(guard).await?;
        self.execute(begin).await.map(drop)
    }

    async fn step(
        &mut self,
        text: &Text,
        bound: &[&Parameter<'_>],
        verifier: Option<&str>,
    ) -> Result<Rows, Trouble> {
        if text.brackets {
            let problem = "brackets are quotes in SQLite; quote names with `\"`".to_owned();
            return Err(Trouble::Answer(ErrorKind::Settings, problem));
        }
        let mut query =
            sqlx::query_with(AssertSqlSafe(text.sql.as_str()), SqliteArguments::default()).persistent(false);
        for parameter in bound {
            let bound = match parameter {
                Parameter::Text(text) => query.try_bind(text.map(str::to_owned)),
                Parameter::Number(number) => query.try_bind(*number),
                Parameter::Flag(flag) => query.try_bind(flag.map(i64::from)),
                Parameter::Many(many) => {
                    let list = many.map(serde_json::to_string).transpose().map_err(unbound)?;
                    query.try_bind(list)
                }
                Parameter::Password(_) => query.try_bind(verifier.map(str::to_owned)),
            };
            bound.map_err(unbound)?;
        }
        let stream = self.fetch_many(query);
        collect(stream, |done| done.rows_affected(), of_sqlite).await
    }

    async fn end(&mut self, lasts: bool) -> Result<(), sqlx::Error> {
        self.execute(if lasts { "COMMIT" } else { "ROLLBACK" }).await.map(drop)
    }
}

fn of_sqlite(row: &SqliteRow, at: usize) -> Result<Cell, String> {
    let value = row.try_get_raw(at).map_err(|e| e.to_string())?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let kind = value.type_info().name().to_owned();
    let cell = match kind.as_str() {
        "TEXT" => Decode::<Sqlite>::decode(value).map(Cell::Text),
        "INTEGER" => Decode::<Sqlite>::decode(value).map(Cell::Number),
        other => return Err(not_taken(other)),
    };
    cell.map_err(|error| error.to_string())
}
