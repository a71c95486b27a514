//! Accounts in tables of a SQLite file, judged by a connection of the test's own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

#[path = "support/database.rs"]
mod database;
#[path = "support/page.rs"]
mod page;
#[path = "support/tables.rs"]
mod tables;

use async_trait::async_trait;
use bailiwick_connector::{
    Connector, Effect, ErrorKind, Line, Listing, Locator, Outcome,
    broker::Statement,
    testkit::{self, Fixtures, Subject},
};
use bailiwick_connectors::sql::Sql;
use bailiwick_core::{integration::Purpose, plan::Op, scope::Operation};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use tables::{Behind, Dialect, TABLES, Tables};

/// SQLite has numbers and texts.
const SQLITE: Dialect = Dialect {
    flag: |column| column.to_owned(),
    number: ":admin",
    list: |query| format!("(SELECT json_group_array(x) FROM ({query}))"),
    unlist: ":labels",
    labels: "NULLIF(p.labels, '')",
};

/// A file of the test.
struct File(tempfile::NamedTempFile);

impl File {
    fn new() -> Self {
        Self(tempfile::NamedTempFile::new().unwrap())
    }

    async fn open(&self) -> SqliteConnection {
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(self.0.path())).await.unwrap()
    }
}

#[async_trait]
impl Behind for File {
    fn title(&self) -> &'static str {
        "SQLite"
    }

    async fn run(&self, sql: &str) {
        let done = self.open().await.execute(AssertSqlSafe(sql)).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn rows(&self) -> String {
        let mut connection = self.open().await;
        let mut all = Vec::new();
        for table in TABLES {
            let rows =
                connection.fetch_all(AssertSqlSafe(format!("SELECT * FROM {table} ORDER BY 1, 2"))).await;
            for row in rows.unwrap() {
                let cells = (0..row.len()).map(|at| row.try_get_unchecked::<Option<String>, _>(at).unwrap());
                all.push(format!("{table} {:?}", cells.collect::<Vec<_>>()));
            }
        }
        all.join("\n")
    }

    async fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let rows = self.open().await.fetch_all(AssertSqlSafe(sql)).await.unwrap();
        rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect()
    }

    fn way(&self, _: Purpose) -> (String, Option<(&'static str, &'static str)>) {
        (format!("sqlite:{}", self.0.path().display()), None)
    }
}

#[tokio::test]
async fn the_contract_holds() {
    page::kept(&testkit::run(&Tables::new(File::new(), &SQLITE).await).await);
    page::all_kept("the_contract_holds");
}

/// The tables, with the standard accounts in them.
async fn seeded() -> (Tables<File>, Vec<String>) {
    let system = Tables::new(File::new(), &SQLITE).await;
    let ids = system.seed(&Fixtures::standard()).await;
    (system, ids.accounts)
}

#[tokio::test]
async fn every_name_is_kept_to_the_byte_or_refused() {
    let (system, _) = seeded().await;
    let (sql, line) = (system.connector(), system.line_for(Purpose::Write));
    let before = system.truth().await;
    let long = "ü".repeat(200);
    for (name, fits) in [
        ("x\"; DROP TABLE person; --", true),
        ("x' OR '1'='1", true),
        (":id", true),
        ("$1 ?1 @x", true),
        ("a\\' b", true),
        ("%", true),
        ("../%2f*)(uid=*", true),
        ("cafe\u{301}", true),
        ("caf\u{e9}", true),
        (long.as_str(), true),
        (&"x".repeat(256), false),
    ] {
        // The same text as name, as marker, as attribute and as id.
        let attributes = [("name".to_owned(), name.into()), ("email".to_owned(), name.into())].into();
        let create = Op::CreateAccount { marker: name.into(), attributes };
        let made = sql.apply(&line, None, &create, None, "k").await;
        if !fits {
            let error = made.unwrap_err();
            assert_eq!((error.kind, error.effect), (ErrorKind::Invalid, Effect::None), "{error}");
            continue;
        }
        let id = made.unwrap().external_id.unwrap();
        for locator in [Locator::Account(&id), Locator::AccountNamed(name), Locator::AccountMarked(name)] {
            let seen = sql.get(&line, locator).await.unwrap().unwrap();
            assert_eq!((&*seen.id, &*seen.name, seen.marker.as_deref()), (&*id, name, Some(name)));
        }
        assert_eq!(sql.get(&line, Locator::Account(name)).await.unwrap(), None);
        assert_eq!(sql.get(&line, Locator::Group(name)).await.unwrap(), None);
        for op in [
            Op::Grant { class: bailiwick_core::access::AccessClass::DirectGroups, external_id: name.into() },
            Op::Enable,
        ] {
            let error = sql.apply(&line, Some(name), &op, None, "k").await.unwrap_err();
            assert_eq!((error.kind, error.effect), (ErrorKind::NotFound, Effect::None), "{name} {error}");
        }
        sql.apply(&line, Some(&id), &Op::Delete, None, "k").await.unwrap();
    }
    assert_eq!(system.truth().await, before);
}

#[tokio::test]
async fn a_statement_that_reads_cannot_write() {
    let (system, _) = seeded().await;
    let before = system.truth().await;
    let mut settings = system.settings.clone();
    settings["statements"]["list"]["text"] =
        "DELETE FROM person WHERE :after IS NULL AND :limit > 0 RETURNING id".into();
    let line = database::line(
        &system.behind.way(Purpose::Write).0,
        &settings,
        &["list EXEC list"],
        None,
        Purpose::Write,
    );
    let sql = Sql::new(&settings).unwrap();
    let error = sql.list(&line, Listing::Accounts, None, 10, &mut |_| {}).await.unwrap_err();
    assert_eq!((error.code(), error.effect), ("statement-writes", Effect::None), "{error}");
    assert_eq!(system.truth().await, before);
}

#[tokio::test]
async fn a_statement_that_touches_many_is_undone() {
    let (system, ids) = seeded().await;
    let before = system.truth().await;
    let mut settings = system.settings.clone();
    settings["statements"]["disable"]["text"] = "UPDATE person SET active = 0 WHERE :id <> ''".into();
    let scope = ["update EXEC disable", "get EXEC get"];
    let line = database::line(&system.behind.way(Purpose::Write).0, &settings, &scope, None, Purpose::Write);
    let sql = Sql::new(&settings).unwrap();
    let error = sql.apply(&line, Some(&ids[0]), &Op::Disable { way: 0 }, None, "k").await.unwrap_err();
    assert_eq!((error.kind, error.effect), (ErrorKind::Settings, Effect::None), "{error}");
    assert_eq!(system.truth().await, before);
    // The connection is good for more.
    assert!(sql.get(&line, Locator::Account(&ids[0])).await.unwrap().is_some());
}

async fn refused(line: &Line, statement: Statement<'_>) -> ErrorKind {
    line.execute(statement).await.unwrap_err().kind
}

#[tokio::test]
async fn a_line_executes_what_its_scope_names_and_its_settings_have() {
    let (system, _) = seeded().await;
    let endpoint = system.behind.way(Purpose::Write).0;
    let with = |scope: &[&str], purpose| database::line(&endpoint, &system.settings, scope, None, purpose);
    let get = |operation| Statement::new(operation, "get").text("id", "8").text("name", None);
    let line = with(&["get EXEC get", "get EXEC gone"], Purpose::Write);
    assert_eq!(line.execute(get(Operation::Get)).await.unwrap().len(), 1);
    assert_eq!(refused(&line, Statement::new(Operation::Get, "gone")).await, ErrorKind::Settings);
    assert_eq!(refused(&line, Statement::new(Operation::Get, "get")).await, ErrorKind::Settings);
    // Another operation, another name, and a purpose that does not write: each stops the integration.
    for (scope, purpose, statement) in [
        (["get EXEC get"], Purpose::Write, get(Operation::List)),
        (["get EXEC get"], Purpose::Write, Statement::new(Operation::Delete, "delete")),
        (
            ["delete EXEC delete"],
            Purpose::Verify,
            Statement::new(Operation::Delete, "delete").text("id", "8"),
        ),
    ] {
        let line = with(&scope, purpose);
        assert_eq!(refused(&line, statement).await, ErrorKind::OutOfScope);
        assert_eq!(refused(&line, get(Operation::Get)).await, ErrorKind::Quarantined);
    }
}

#[tokio::test]
async fn a_statement_is_executed_for_what_it_says_to_be_for_whatever_the_scope_says() {
    let (system, _) = seeded().await;
    let endpoint = system.behind.way(Purpose::Write).0;
    let before = system.truth().await;
    for (rule, operation, name) in [
        ("list EXEC delete", Operation::List, "delete"),
        ("update EXEC delete", Operation::Update, "delete"),
        ("delete EXEC get", Operation::Delete, "get"),
    ] {
        let line = database::line(&endpoint, &system.settings, &[rule], None, Purpose::Write);
        let statement = Statement::new(operation, name).text("id", "8").text("name", None);
        let error = line.execute(statement.text("version", None)).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (ErrorKind::OutOfScope, Effect::None), "{rule}: {error}");
        assert_eq!(error.code(), "statement-for-other-operation");
        // It is an attack, or a mistake that looks like one: the integration is stopped.
        let next = Statement::new(operation, name).text("id", "8");
        assert_eq!(refused(&line, next).await, ErrorKind::Quarantined, "{rule}");
        assert_eq!(system.truth().await, before, "{rule}");
        let error = bailiwick_connectors::serves("sql", &system.settings, &rule.parse().unwrap());
        assert_eq!(error.unwrap_err().kind, ErrorKind::Settings, "{rule}");
    }
    for rule in tables::scope(&system.settings) {
        bailiwick_connectors::serves("sql", &system.settings, &rule.parse().unwrap()).unwrap();
    }
}

#[tokio::test]
async fn a_listing_that_does_not_go_on_is_an_error() {
    let (system, _) = seeded().await;
    for (text, why) in [
        (
            "SELECT id, login AS name FROM person WHERE :after IS NULL OR 1 = 1 ORDER BY id LIMIT :limit",
            "go on",
        ),
        ("SELECT id, login AS name FROM person WHERE :after IS NULL OR :limit > 0", "`:limit` was"),
        ("SELECT 1 AS id, login AS name FROM person WHERE :after IS NULL LIMIT :limit", "twice"),
        ("SELECT login AS name FROM person WHERE :after IS NULL LIMIT :limit", "`id`"),
        ("SELECT id, 1.5 AS name FROM person WHERE :after IS NULL LIMIT :limit", "`REAL`"),
        ("SELECT id, x'00ff' AS name FROM person WHERE :after IS NULL LIMIT :limit", "`BLOB`"),
        ("SELECT id, CAST(x'ff' AS text) AS name FROM person WHERE :after IS NULL LIMIT :limit", "utf-8"),
    ] {
        let mut settings = system.settings.clone();
        settings["statements"]["list"]["text"] = text.into();
        let line = database::line(
            &system.behind.way(Purpose::Write).0,
            &settings,
            &["list EXEC list"],
            None,
            Purpose::Write,
        );
        let sql = Sql::new(&settings).unwrap();
        let mut cursor = None;
        let error = loop {
            match sql.list(&line, Listing::Accounts, cursor.as_deref(), 2, &mut |_| {}).await {
                Ok(page) => cursor = Some(page.next.unwrap_or_else(|| panic!("{text} came to its end"))),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind, ErrorKind::Malformed, "{text}: {error}");
        assert!(error.message.contains(why), "{text}: {error}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_or_no_database_or_locked_says_so() {
    let (system, ids) = seeded().await;
    let sql = system.connector();
    let other = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(other.path(), "a text that is long enough to be taken for no database at all").unwrap();
    let at = |endpoint: &str| {
        database::line(endpoint, &system.settings, &["list EXEC list"], None, Purpose::Write)
    };
    for (endpoint, kind) in [
        ("sqlite:/nowhere/at/all.db".to_owned(), ErrorKind::Unreachable),
        (format!("sqlite:{}", other.path().display()), ErrorKind::Malformed),
        ("https://127.0.0.1/".to_owned(), ErrorKind::Settings),
    ] {
        let error = sql.check(&at(&endpoint)).await.unwrap_err();
        assert_eq!((error.kind, error.effect), (kind, Effect::None), "{endpoint}: {error}");
    }
    let mut writer = system.behind.open().await;
    writer.execute("BEGIN EXCLUSIVE").await.unwrap();
    let line = system.line_for(Purpose::Write);
    let error = sql.apply(&line, Some(&ids[0]), &Op::Enable, None, "k").await.unwrap_err();
    assert_eq!((error.code(), error.effect), ("database-locked", Effect::None), "{error}");
    writer.execute("ROLLBACK").await.unwrap();
    let again = sql.apply(&line, Some(&ids[0]), &Op::Enable, None, "k").await.unwrap();
    assert_eq!(again.outcome, Outcome::AlreadySo);
}

#[test]
fn what_the_page_shows_is_right() {
    let page = include_str!("../../../docs/connectors/sql.md");
    let text = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let read: Value = toml::from_str(text).unwrap();
    let settings = &read["integration"]["crm"]["settings"];
    let capability = Sql::new(settings).unwrap().capability().clone();
    assert!(capability.accounts && capability.writes.is_empty() && capability.disable_ways.len() == 1);
    for rule in ["list EXEC list", "get EXEC get", "update EXEC disable"] {
        bailiwick_connectors::serves("sql", settings, &rule.parse().unwrap()).unwrap();
    }
}

#[test]
fn what_can_be_done_follows_from_the_statements() {
    let with = |names: &[&str]| {
        let mut settings = tables::settings(&SQLITE);
        let all = settings["statements"].as_object().unwrap().clone();
        let some = all.into_iter().filter(|(name, _)| names.contains(&name.as_str()));
        settings["statements"] = Value::Object(some.collect());
        settings["attributes"] = json!({});
        Sql::new(&settings).unwrap().capability().clone()
    };
    let reads = with(&["list", "get"]);
    assert!(reads.accounts && !reads.groups && reads.writes.is_empty() && reads.disable_ways.is_empty());
    assert_eq!(reads.observes.len(), 1);
    let kills = with(&["list", "get", "disable", "list-api-tokens", "revoke-api-tokens"]);
    assert!(kills.writes.is_empty() && !kills.conditional);
    assert_eq!((kills.disable_ways.len(), kills.removes.len(), kills.grants.len()), (1, 1, 0));
}
