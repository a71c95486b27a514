//! Event → durable plan on SQLite, against bare group commits of the same bytes.
//!
//! One delivery of new people is accepted, decided and planned; nothing is approved, so nothing goes
//! out. The floor writes the same number of bytes, a row for each event, in groups of 512, with the same
//! durability. Pairs are interleaved. Goal: at least 0.2 of the floor's rate.
//!
//! `cargo bench -p bailiwick-engine --bench plan [-- PEOPLE]`

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

#[path = "../tests/world/mod.rs"]
mod world;

use std::time::{Duration, Instant};

use bailiwick_core::{id::Tenant, time::SignedDuration};
use bailiwick_store::{Select, Table};
use sqlx::{Connection, Row as _, SqliteConnection};
use world::World;

const PAIRS: usize = 5;
const GROUP: usize = 512;

fn main() {
    let people: usize = std::env::args().filter_map(|a| a.parse().ok()).next().unwrap_or(20_480);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(people));
}

async fn run(people: usize) {
    let (mut ratios, mut floors, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    let mut bytes = 0;
    for pair in 0..PAIRS {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let file = folder.path().join("hub.db");
        let store = bailiwick_store::open(&file.display().to_string()).await.unwrap();
        let mut world = World::on(store, pair as u64, &[("chat", &[])]).await;
        configure_without_rules(&mut world).await;
        let lines: Vec<String> = (0..people)
            .map(|n| {
                let department = ["Engineering", "Finance", "Sales", "Legal"][n % 4];
                format!("{n},Person Number {n},person{n}@example.test,{department},,active")
            })
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let before = written(&file).await;
        // What was declared has plans of its own.
        let declared = plans(&world).await;
        let ours = timed(async || {
            world.deliver(&lines).await.unwrap();
            while world.engine.work().await.unwrap().taken > 0 {}
        })
        .await;
        bytes = (written(&file).await - before) / people as i64;
        assert_eq!(plans(&world).await - declared, people as i64);
        let bare = floor(folder.path(), people, bytes as usize).await;
        ratios.push(bare.as_secs_f64() / ours.as_secs_f64());
        floors.push(people as f64 / bare.as_secs_f64());
        rates.push(people as f64 / ours.as_secs_f64());
    }
    println!("event to durable plan, {people} joiners of {bytes} bytes each, SQLite file, {PAIRS} pairs");
    println!("  floor  min / median / max  {} a second", spread(floors, 0));
    println!("  ours   min / median / max  {} a second", spread(rates, 0));
    println!("  ratio  min / median / max  {} (goal: at least 0.2)", spread(ratios, 3));
}

async fn plans(world: &World) -> i64 {
    let mut tx = world.store.read().await.unwrap();
    tx.count(&Tenant::single(), Select::from(Table::Plans)).await.unwrap()
}

/// As every world, but no rule approves: plans are drafted and nothing goes out.
async fn configure_without_rules(world: &mut World) {
    let mut configuration = world.configuration();
    let text = &mut configuration.policies[0].text;
    *text = text.replace("!resource.privileged && !resource.destructive", "resource.cause == \"nothing\"");
    let change = world.engine.configuration_change(&configuration).await.unwrap();
    let by = bailiwick_core::record::Actor::Operator("bench".into());
    world.engine.configure(&configuration, change.digest, by.clone()).await.unwrap();
    for system in &world.systems {
        use bailiwick_connector::seal::{Credential, Secret};
        let name = bailiwick_core::id::IntegrationName::new(system).unwrap();
        let secret = Credential::bearer(Secret::new(format!("{system}-write")));
        let purpose = bailiwick_core::integration::Purpose::Write;
        world.engine.seal_credential(&name, purpose, secret, by.clone()).await.unwrap();
    }
    world.quiet().await;
    world.pass(SignedDuration::from_secs(1));
}

/// All bytes of documents and evidence in the database.
async fn written(file: &std::path::Path) -> i64 {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let mut sum = 0;
    for (table, column) in [
        ("identities", "body"),
        ("events", "body"),
        ("plans", "body"),
        ("evidence", "bytes"),
        ("disclosures", "value"),
    ] {
        let statement = format!("SELECT COALESCE(SUM(LENGTH({column})), 0) FROM {table}");
        sum += sqlx::query(sqlx::AssertSqlSafe(statement))
            .fetch_one(&mut connection)
            .await
            .unwrap()
            .get::<i64, _>(0);
    }
    connection.close().await.unwrap();
    sum
}

async fn floor(folder: &std::path::Path, rows: usize, bytes: usize) -> Duration {
    let address = format!("sqlite://{}?mode=rwc", folder.join("floor.db").display());
    let mut connection = SqliteConnection::connect(&address).await.unwrap();
    for statement in [
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "CREATE TABLE bare (id INTEGER PRIMARY KEY, body BLOB)",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    let body = vec![b'x'; bytes];
    timed(async || {
        for first in (0..rows).step_by(GROUP) {
            let mut tx = connection.begin().await.unwrap();
            let count = GROUP.min(rows - first);
            // As many rows in a statement as ours: the floor pays for bytes and commits, not for calls.
            for chunk in (0..count).collect::<Vec<_>>().chunks(64) {
                let places = vec!["(?)"; chunk.len()].join(",");
                let statement = format!("INSERT INTO bare (body) VALUES {places}");
                let mut query = sqlx::query(sqlx::AssertSqlSafe(statement));
                for _ in chunk {
                    query = query.bind(&body[..]);
                }
                query.execute(&mut *tx).await.unwrap();
            }
            tx.commit().await.unwrap();
        }
    })
    .await
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures time")]
async fn timed(work: impl AsyncFnOnce()) -> Duration {
    let start = Instant::now();
    work().await;
    start.elapsed()
}

fn spread(mut values: Vec<f64>, digits: usize) -> String {
    values.sort_by(f64::total_cmp);
    format!(
        "{:.digits$} / {:.digits$} / {:.digits$}",
        values[0],
        values[values.len() / 2],
        values[values.len() - 1]
    )
}
