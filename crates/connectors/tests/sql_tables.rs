//! Accounts in tables of a real PostgreSQL server, judged by a connection of the test's own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

#[path = "support/database.rs"]
mod database;
#[path = "support/page.rs"]
mod page;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/postgres.rs"]
mod postgres;
#[path = "support/tables.rs"]
mod tables;

use async_trait::async_trait;
use bailiwick_connector::{
    Effect, ErrorKind, Locator,
    broker::Statement,
    testkit::{self, Fixtures, Subject},
};
use bailiwick_core::{integration::Purpose, plan::Op, scope::Operation};
use postgres::{Postgres, Proxy, run};
use sqlx::Row;
use tables::{Behind, Dialect, TABLES, Tables};

/// PostgreSQL has types of its own for all.
const POSTGRES: Dialect = Dialect {
    flag: |column| format!("{column} = 1"),
    number: "CAST(:admin AS int)",
    list: |query| format!("ARRAY({query})"),
    unlist: "array_to_string(:labels, ',')",
    labels: "string_to_array(NULLIF(p.labels, ''), ',')",
};

const HUB: [(&str, &str, &str); 2] = [
    ("bailiwick_write", "the-write-password", "SELECT, INSERT, UPDATE, DELETE"),
    ("bailiwick_read", "the-read-password", "SELECT"),
];

/// A database of the test.
struct Served {
    server: Postgres,
    proxy: Proxy,
}

impl Served {
    async fn start() -> Self {
        let server = Postgres::start("");
        let mut admin = server.admin("postgres").await;
        for (role, password, rights) in HUB {
            run(&mut admin, &format!("CREATE ROLE {role} LOGIN PASSWORD '{password}'")).await;
            let default = format!("ALTER DEFAULT PRIVILEGES GRANT {rights} ON TABLES TO {role}");
            run(&mut admin, &default).await;
        }
        Self { proxy: Proxy::before(server.port).await, server }
    }
}

#[async_trait]
impl Behind for Served {
    fn title(&self) -> &'static str {
        "PostgreSQL"
    }

    async fn run(&self, sql: &str) {
        run(&mut self.server.admin("postgres").await, sql).await;
    }

    async fn rows(&self) -> String {
        let mut admin = self.server.admin("postgres").await;
        let mut all = Vec::new();
        for table in TABLES {
            let sql = format!("SELECT (t.*)::text FROM {table} t ORDER BY 1");
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut admin).await.unwrap();
            all.extend(rows.iter().map(|row| format!("{table} {}", row.get::<String, _>(0))));
        }
        all.join("\n")
    }

    async fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let mut admin = self.server.admin("postgres").await;
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut admin).await.unwrap();
        rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect()
    }

    fn way(&self, purpose: Purpose) -> (String, Option<(&'static str, &'static str)>) {
        let (user, password, _) = if purpose.writes() { HUB[0] } else { HUB[1] };
        (format!("postgres://127.0.0.1:{}/postgres", self.proxy.port), Some((user, password)))
    }

    fn logs(&self) -> bool {
        true
    }

    fn lose(&self) -> bool {
        self.proxy.lose_next();
        true
    }

    fn writes(&self) -> Option<u64> {
        Some(self.proxy.commits())
    }

    /// A policy of the database hides one row from everybody but its owner.
    fn hide(&self) -> bool {
        let hide = async {
            for table in ["person", "team"] {
                self.run(&format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")).await;
                self.run(&format!("CREATE POLICY hides ON {table} USING (id NOT IN (11, 102))")).await;
            }
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(hide));
        true
    }

    async fn show(&self) {
        for table in ["person", "team"] {
            self.run(&format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")).await;
            self.run(&format!("DROP POLICY IF EXISTS hides ON {table}")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_holds() {
    page::kept(&testkit::run(&Tables::new(Served::start().await, &POSTGRES).await).await);
    page::all_kept("the_contract_holds");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_name_is_kept_to_the_byte_or_refused() {
    let system = Tables::new(Served::start().await, &POSTGRES).await;
    system.seed(&Fixtures::standard()).await;
    let (sql, line) = (system.connector(), system.line_for(Purpose::Write));
    let before = system.truth().await;
    for (name, fits) in [
        ("x\"; DROP TABLE person; --", true),
        ("x' OR '1'='1", true),
        ("a\\' b", true),
        ("$1 :id %", true),
        ("cafe\u{301}", true),
        ("caf\u{e9}", true),
        (&"x".repeat(256), false),
        ("a\0b", false),
    ] {
        let attributes = [("name".to_owned(), name.into()), ("email".to_owned(), name.into())].into();
        let create = Op::CreateAccount { marker: "kit".into(), attributes };
        match sql.apply(&line, None, &create, None, "k").await {
            Err(error) => {
                assert!(!fits, "{name}: {error}");
                assert_eq!((error.kind, error.effect), (ErrorKind::Invalid, Effect::None), "{error}");
            }
            Ok(made) => {
                assert!(fits, "{name}");
                let id = made.external_id.unwrap();
                let seen = sql.get(&line, Locator::AccountNamed(name)).await.unwrap().unwrap();
                assert_eq!((&*seen.id, &*seen.name), (&*id, name));
                assert_eq!(sql.get(&line, Locator::Account(name)).await.unwrap(), None);
                sql.apply(&line, Some(&id), &Op::Delete, None, "k").await.unwrap();
            }
        }
    }
    assert_eq!(system.truth().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_itself_refuses_to_write_for_what_reads() {
    let mut system = Tables::new(Served::start().await, &POSTGRES).await;
    system.seed(&Fixtures::standard()).await;
    let before = system.truth().await;
    system.settings["statements"]["get"]["text"] =
        "DELETE FROM person WHERE CAST(id AS text) = :id RETURNING id".into();
    let statement = Statement::new(Operation::Get, "get").text("id", "8");
    let error = system.line_for(Purpose::Write).execute(statement).await.unwrap_err();
    assert_eq!((error.code(), error.effect), ("statement-writes", Effect::None), "{error}");
    assert_eq!(system.truth().await, before);
    // And what only reads has no right to write by another way either.
    let line = system.line_for(Purpose::Verify);
    let error = line.execute(Statement::new(Operation::Delete, "delete").text("id", "8")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutOfScope);
    assert_eq!(system.truth().await, before);
}
