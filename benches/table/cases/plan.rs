//! Event → durable plan on SQLite and on PostgreSQL, against bare group commits of the same bytes.
//!
//! One delivery of new people is accepted, decided and planned; nothing is approved, so nothing goes
//! out. The floor writes the same number of bytes, a row for each event, in groups of 512, with the same
//! durability, into a database of the same kind.

use std::path::Path;

use bailiwick_core::{id::Tenant, time::SignedDuration};
use bailiwick_store::{Select, Table, testkit::postgres};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row as _, SqliteConnection};
use tokio::runtime::Runtime;

use super::folder;
use crate::{
    Size,
    measure::{Pairs, wall},
    row::{Goal, Row, short},
    world::World,
};

const PAIRS: usize = 5;
const GROUP: usize = 512;
/// As many rows in a statement as ours: the floor pays for bytes and commits, not for calls.
const ROWS: usize = 64;
/// The tables of a plan's documents and evidence, and what is in them.
const WRITTEN: [(&str, &str); 5] = [
    ("identities", "body"),
    ("events", "body"),
    ("plans", "body"),
    ("evidence", "bytes"),
    ("disclosures", "value"),
];
const GOAL: Goal = Goal::AtLeast(0.4);

/// The case.
pub fn run(size: Size) -> Vec<Row> {
    let people = size.of(204_800);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut rows = vec![row(&runtime, people, "SQLite file", &|folder| {
        Some(Database::Sqlite(folder.join("hub.db").display().to_string()))
    })];
    rows.push(row(&runtime, people, "PostgreSQL", &|_| {
        runtime.block_on(postgres::durable_database()).map(Database::Postgres)
    }));
    rows
}

/// A new database, by its address.
enum Database {
    Sqlite(String),
    Postgres(String),
}

fn row(runtime: &Runtime, people: usize, kind: &str, new: &dyn Fn(&Path) -> Option<Database>) -> Row {
    let (work, against) =
        (format!("{people} joiners, event to durable plan, {kind}"), "bare group commits, wall");
    let (mut pairs, mut bytes) = (Pairs::default(), 0);
    for pair in 0..PAIRS {
        let folder = folder();
        let Some(database) = new(folder.path()) else {
            return Row::without(work, against, GOAL, "the tests are told to do without it");
        };
        let mut world = runtime.block_on(async {
            let store = bailiwick_store::open(database.address()).await.unwrap();
            let mut world = World::on(store, pair as u64, &[("chat", &[])]).await;
            configure_without_rules(&mut world).await;
            world
        });
        let (written, planned) = runtime.block_on(async { (database.written().await, plans(&world).await) });
        let ours = wall(|| runtime.block_on(planned_all(&mut world, people)));
        let (more, now) = runtime.block_on(async { (database.written().await, plans(&world).await) });
        assert_eq!(now - planned, people as i64);
        bytes = (more - written) as usize / people;
        let bare = match &database {
            Database::Sqlite(_) => on_sqlite(runtime, folder.path(), people, bytes),
            Database::Postgres(address) => on_postgres(runtime, address, people, bytes),
        };
        pairs.push(bare, ours);
    }
    Row::ratio(work, against, GOAL, &pairs).with(format!(
        "floor {}, ours {} events a second of {bytes} bytes each",
        short(people as f64 / pairs.floor().median),
        short(people as f64 / pairs.ours().median)
    ))
}

async fn planned_all(world: &mut World, people: usize) {
    let lines: Vec<String> = (0..people)
        .map(|n| {
            let department = ["Engineering", "Finance", "Sales", "Legal"][n % 4];
            format!("{n},Person Number {n},person{n}@example.test,{department},,active")
        })
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    world.deliver(&lines).await.unwrap();
    while world.engine.work().await.unwrap().taken > 0 {}
}

async fn plans(world: &World) -> i64 {
    let mut tx = world.store.read().await.unwrap();
    tx.count(&Tenant::single(), Select::from(Table::Plans)).await.unwrap()
}

/// As every world, but no rule approves: plans are drafted and nothing goes out.
pub(super) async fn configure_without_rules(world: &mut World) {
    world
        .configure_with(|configuration| {
            let text = &mut configuration.policies[0].text;
            *text = text
                .replace("!resource.privileged && !resource.destructive", "resource.cause == \"nothing\"");
        })
        .await;
    world.quiet().await;
    world.pass(SignedDuration::from_secs(1));
}

impl Database {
    fn address(&self) -> &str {
        match self {
            Self::Sqlite(address) | Self::Postgres(address) => address,
        }
    }

    /// All bytes of documents and evidence in it.
    async fn written(&self) -> i64 {
        let sums = WRITTEN
            .map(|(table, column)| format!("(SELECT COALESCE(SUM(LENGTH({column})), 0) FROM {table})"));
        let statement = format!("SELECT CAST({} AS BIGINT)", sums.join(" + "));
        match self {
            Self::Sqlite(file) => {
                let mut connection = SqliteConnection::connect(&format!("sqlite://{file}")).await.unwrap();
                connection.fetch_one(AssertSqlSafe(statement)).await.unwrap().get(0)
            }
            Self::Postgres(address) => {
                let mut connection = PgConnection::connect(address).await.unwrap();
                connection.fetch_one(AssertSqlSafe(statement)).await.unwrap().get(0)
            }
        }
    }
}

/// Seconds of the floor: so many rows of so many bytes.
fn on_sqlite(runtime: &Runtime, folder: &Path, rows: usize, bytes: usize) -> f64 {
    let address = format!("sqlite://{}?mode=rwc", folder.join("floor.db").display());
    let mut connection = runtime.block_on(SqliteConnection::connect(&address)).unwrap();
    for statement in [
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "CREATE TABLE bare (id INTEGER PRIMARY KEY, body BLOB)",
    ] {
        runtime.block_on(connection.execute(statement)).unwrap();
    }
    let body = vec![b'x'; bytes];
    wall(|| {
        runtime.block_on(async {
            for count in groups(rows, GROUP) {
                let mut tx = connection.begin().await.unwrap();
                for chunk in groups(count, ROWS) {
                    let statement =
                        format!("INSERT INTO bare (body) VALUES {}", vec!["(?)"; chunk].join(","));
                    let mut query = sqlx::query(AssertSqlSafe(statement));
                    for _ in 0..chunk {
                        query = query.bind(&body[..]);
                    }
                    query.execute(&mut *tx).await.unwrap();
                }
                tx.commit().await.unwrap();
            }
        });
    })
}

/// The same in the same PostgreSQL server.
fn on_postgres(runtime: &Runtime, address: &str, rows: usize, bytes: usize) -> f64 {
    let mut connection = runtime.block_on(PgConnection::connect(address)).unwrap();
    let table = "CREATE TABLE bare (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body BYTEA)";
    runtime.block_on(connection.execute(table)).unwrap();
    let body = vec![b'x'; bytes];
    wall(|| {
        runtime.block_on(async {
            for count in groups(rows, GROUP) {
                let mut tx = connection.begin().await.unwrap();
                for chunk in groups(count, ROWS) {
                    let places: Vec<String> = (1..=chunk).map(|n| format!("(${n})")).collect();
                    let statement = format!("INSERT INTO bare (body) VALUES {}", places.join(","));
                    let mut query = sqlx::query(AssertSqlSafe(statement));
                    for _ in 0..chunk {
                        query = query.bind(&body[..]);
                    }
                    query.execute(&mut *tx).await.unwrap();
                }
                tx.commit().await.unwrap();
            }
        });
    })
}

/// So many, in groups of so many.
fn groups(count: usize, group: usize) -> impl Iterator<Item = usize> {
    (0..count).step_by(group).map(move |first| group.min(count - first))
}
