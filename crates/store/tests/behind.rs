//! What can only be seen by going behind the store's back: on both databases, by SQL of its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use bailiwick_core::id::Tenant;
use bailiwick_store::{
    Deviation, How, KeyKind, NewWork, Select, Store, StoreError, Table, Update, Upgrade, Write, deviations,
    deviations_by, open, rehearse, snapshot,
    testkit::{Seeded, postgres, row, update},
};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, SqliteConnection};

/// The version of the schema that this program knows, and the tables that came with all but the first.
const KNOWN: i64 = 3;
const SINCE: [&str; 6] = ["recoveries", "passkeys", "spent", "api_tokens", "keyed_requests", "fetched"];
const VERSION: &str = "SELECT CAST(version AS TEXT) FROM schema_version";

/// A database and where it is.
struct Place {
    address: String,
    _directory: Option<tempfile::TempDir>,
}

impl Place {
    /// One of each kind.
    async fn all() -> Vec<Self> {
        let directory = tempfile::tempdir().unwrap();
        let address = format!("sqlite:{}", directory.path().join("hub.db").display());
        let mut places = vec![Self { address, _directory: Some(directory) }];
        match postgres::database().await {
            Some(address) => places.push(Self { address, _directory: None }),
            None => println!("skipped on PostgreSQL: told to test without it"),
        }
        places
    }

    fn is_postgres(&self) -> bool {
        self.address.starts_with("postgres:")
    }

    async fn open(&self) -> Arc<dyn Store> {
        open(&self.address).await.unwrap()
    }

    /// The schema becomes as the first program left it.
    async fn goes_back(&self) {
        for since in SINCE {
            self.run(&format!("DROP TABLE {since}")).await.unwrap();
        }
        for since in ["DROP INDEX identities_said", "ALTER TABLE identities DROP COLUMN said"] {
            self.run(since).await.unwrap();
        }
        self.run("UPDATE schema_version SET version = 1").await.unwrap();
    }

    /// Runs a statement as somebody else would.
    async fn run(&self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.is_postgres() {
            let mut connection = PgConnection::connect(&self.address).await?;
            Ok(connection.execute(sql).await?.rows_affected())
        } else {
            let mut connection = SqliteConnection::connect(&self.address).await?;
            Ok(connection.execute(sql).await?.rows_affected())
        }
    }

    /// The texts in the first column of an answer.
    async fn ask(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.is_postgres() {
            let mut connection = PgConnection::connect(&self.address).await.unwrap();
            connection.fetch_all(sql).await.unwrap().iter().map(|row| row.get(0)).collect()
        } else {
            let mut connection = SqliteConnection::connect(&self.address).await.unwrap();
            connection.fetch_all(sql).await.unwrap().iter().map(|row| row.get(0)).collect()
        }
    }
}

async fn insert(store: &dyn Store, tenant: &Tenant, ids: &[&str], entropy: &Seeded) {
    let writes = Table::ALL
        .iter()
        .flat_map(|table| ids.iter().map(|id| Write::Insert(*table, row(*table, id, 1, entropy))));
    let updates = writes.map(|write| update(vec![write], entropy)).collect();
    let mut tx = store.begin().await.unwrap();
    tx.write(tenant, updates, entropy).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_behind_the_back_is_a_deviation() {
    let tenant = Tenant::single();
    for place in Place::all().await {
        let (store, entropy) = (place.open().await, Seeded::new(1));
        insert(&*store, &tenant, &["a", "b", "c", "d"], &entropy).await;
        let blob = if place.is_postgres() { "'\\x7b7d'::bytea" } else { "x'7b7d'" };
        for table in Table::ALL.map(Table::name) {
            for sql in [
                format!("UPDATE {table} SET body = {blob} WHERE id = 'a'"),
                format!("UPDATE {table} SET revision = 2 WHERE id = 'b'"),
                format!("DELETE FROM {table} WHERE id = 'c'"),
                format!(
                    "INSERT INTO {table} (tenant, id, revision, salt, body) SELECT 'evil', id, 1, salt, body FROM {table} WHERE id = 'd'"
                ),
                format!(
                    "INSERT INTO {table} (tenant, id, revision, salt, body) SELECT tenant, 'e', 1, salt, body FROM {table} WHERE id = 'd' AND tenant = 'default'"
                ),
            ] {
                assert_eq!(place.run(&sql).await.unwrap(), 1, "{sql}");
            }
        }
        let found = deviations(&mut *store.read().await.unwrap()).await.unwrap();
        // However many rows are compared at a time.
        for at_once in [1, 60] {
            let mut tx = store.read().await.unwrap();
            assert_eq!(deviations_by(&mut *tx, at_once).await.unwrap(), found, "{at_once}");
        }
        let mut expect = Vec::new();
        for table in Table::ALL {
            let rows = [
                ("default", "a", How::Edited),
                ("default", "b", How::Edited),
                ("default", "c", How::Missing),
                ("default", "e", How::Unexplained),
                ("evil", "d", How::Unexplained),
            ];
            expect.extend(rows.map(|(tenant, id, how)| Deviation {
                tenant: Tenant::new(tenant).unwrap(),
                table: table.name().to_owned(),
                id: id.to_owned(),
                how,
            }));
        }
        expect.sort();
        assert_eq!(found, expect, "{}", store.kind());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_row_has_another_digest_than_its_evidence() {
    let tenant = Tenant::single();
    for place in Place::all().await {
        let (store, entropy) = (place.open().await, Seeded::new(2));
        let written = Write::Insert(Table::Plans, row(Table::Plans, "p", 1, &entropy));
        let said = written.state_ref();
        let mut tx = store.begin().await.unwrap();
        tx.write(&tenant, vec![update(vec![written], &entropy)], &entropy).await.unwrap();
        tx.commit().await.unwrap();
        let stored =
            async || store.read().await.unwrap().get(&tenant, Table::Plans, "p").await.unwrap().unwrap();
        assert_eq!(said.digest, Some(stored().await.digest()));
        let longer =
            if place.is_postgres() { "body || '\\x00'::bytea" } else { "CAST(body || x'00' AS BLOB)" };
        for edit in [format!("body = {longer}"), "revision = 7".to_owned()] {
            place.run(&format!("UPDATE plans SET {edit}")).await.unwrap();
            assert_ne!(said.digest, Some(stored().await.digest()), "{edit}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_itself_refuses_what_breaks_a_rule() {
    let tenant = Tenant::single();
    for place in Place::all().await {
        let (store, entropy) = (place.open().await, Seeded::new(3));
        insert(&*store, &tenant, &["a", "b"], &entropy).await;
        for sql in [
            "UPDATE approvals SET plan = 'plan/a' WHERE id = 'b'",
            "UPDATE accounts SET locator = 'locator/a' WHERE id = 'b'",
            "UPDATE events SET dedupe = 'dedupe/a' WHERE id = 'b'",
            "UPDATE plans SET revision = 0 WHERE id = 'a'",
            "UPDATE findings SET revision = -1 WHERE id = 'a'",
            "UPDATE plans SET id = 'a' WHERE id = 'b'",
            "UPDATE plans SET tenant = NULL",
            "UPDATE evidence SET idx = 3",
            "UPDATE evidence SET idx = -1 WHERE seq = (SELECT min(seq) FROM evidence)",
            "UPDATE evidence SET record = (SELECT min(record) FROM evidence)",
            "INSERT INTO log_head (id, size, root, checkpoint) SELECT 2, 1, bytes, bytes FROM evidence",
            "INSERT INTO sequencer (id) VALUES (2)",
        ] {
            let error = place.run(sql).await.unwrap_err();
            let kind = error.as_database_error().unwrap().kind();
            assert_ne!(kind, sqlx::error::ErrorKind::Other, "{sql}: {error}");
        }
        assert_eq!(deviations(&mut *store.read().await.unwrap()).await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_has_the_key_columns_that_the_tables_say() {
    for place in Place::all().await {
        place.open().await;
        for table in Table::ALL {
            let name = table.name();
            let columns = match place.is_postgres() {
                true => format!(
                    "SELECT column_name || ' ' || data_type || coalesce(' ' || collation_name, '') FROM information_schema.columns WHERE table_name = '{name}' ORDER BY ordinal_position"
                ),
                false => format!("SELECT name || ' ' || type FROM pragma_table_info('{name}')"),
            };
            let type_of = |kind: &KeyKind| match (kind, place.is_postgres()) {
                (KeyKind::Text, false) => "TEXT",
                (KeyKind::Int, false) => "INTEGER",
                (KeyKind::Text, true) => "text C",
                (KeyKind::Int, true) => "bigint",
            };
            let expect: Vec<String> =
                table.keys().iter().map(|(key, kind, _)| format!("{key} {}", type_of(kind))).collect();
            assert_eq!(place.ask(&columns).await[5..], expect, "{name}");
            let indices = match place.is_postgres() {
                true => format!("SELECT indexdef FROM pg_indexes WHERE tablename = '{name}'"),
                false => format!(
                    "SELECT sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = '{name}' AND sql IS NOT NULL"
                ),
            };
            let indices = place.ask(&indices).await;
            for (key, _, unique) in table.keys() {
                let index = indices.iter().find(|sql| sql.contains(&format!(" {name}_{key} "))).unwrap();
                let leads = match (table, *key) {
                    // It finds no rows: it is read along with who they are.
                    (Table::Identities, "said") => {
                        "(tenant, source_key, said, state, due, revision)".to_owned()
                    }
                    (_, key) => format!("(tenant, {key}"),
                };
                assert!(index.contains(&leads), "{index}");
                assert_eq!(index.contains("UNIQUE"), *unique, "{index}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_is_there_when_opened_again() {
    let tenant = Tenant::single();
    for place in Place::all().await {
        let entropy = Seeded::new(4);
        {
            let store = place.open().await;
            insert(&*store, &tenant, &["a"], &entropy).await;
            // A node that dies in the middle of a transaction, holding everything it holds.
            let mut tx = store.begin().await.unwrap();
            let lost = vec![update(
                vec![Write::Insert(Table::Plans, row(Table::Plans, "lost", 1, &entropy))],
                &entropy,
            )];
            tx.write(&tenant, lost, &entropy).await.unwrap();
            drop((tx, store));
        }
        let (one, other) = (place.open().await, place.open().await);
        for store in [&one, &other] {
            let mut tx = store.read().await.unwrap();
            assert_eq!(tx.count(&tenant, Select::from(Table::Plans)).await.unwrap(), 1);
            assert_eq!(tx.entry_counts().await.unwrap(), (0, Table::ALL.len() as i64));
            assert_eq!(deviations(&mut *tx).await.unwrap(), []);
        }
        insert(&*one, &tenant, &["b"], &entropy).await;
        insert(&*other, &tenant, &["c"], &entropy).await;
        assert_eq!(one.read().await.unwrap().entry_counts().await.unwrap(), (0, 3 * Table::ALL.len() as i64));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_runs_goes_on_while_another_brings_the_schema_up() {
    let tenant = Tenant::single();
    for place in Place::all().await {
        let (running, seeded) = (place.open().await, Seeded::new(1));
        place.goes_back().await;
        let item = |body: &str| NewWork { lane: "l".into(), priority: 0, due: 0, body: body.into() };
        let mut tx = running.begin().await.unwrap();
        tx.write(&tenant, vec![inserted("before", &seeded)], &seeded).await.unwrap();
        tx.enqueue(&tenant, vec![item("first"), item("second")]).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = running.begin().await.unwrap();
        let held = tx.lease(&tenant, "running", 0, 10, 9, 9).await.unwrap();
        tx.commit().await.unwrap();
        // It is in the middle of looking.
        let mut looking = running.read().await.unwrap();
        assert!(looking.get(&tenant, Table::Systems, "before").await.unwrap().is_some());

        let newer = place.open().await;
        assert_eq!(place.ask(VERSION).await, [KNOWN.to_string()]);

        assert!(looking.get(&tenant, Table::Systems, "after").await.unwrap().is_none());
        drop(looking);
        let mut tx = running.begin().await.unwrap();
        tx.write(&tenant, vec![inserted("after", &seeded)], &seeded).await.unwrap();
        tx.finish_all(&tenant, &held).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = running.begin().await.unwrap();
        assert_eq!(tx.sequence(9).await.unwrap(), 2);
        tx.commit().await.unwrap();
        let mut tx = newer.begin().await.unwrap();
        assert!(tx.get(&tenant, Table::Systems, "after").await.unwrap().is_some());
        let next = tx.lease(&tenant, "newer", 0, 10, 9, 9).await.unwrap();
        assert_eq!(next.iter().map(|work| work.body.as_slice()).collect::<Vec<_>>(), [b"second"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_database_is_refused_and_left_alone() {
    for place in Place::all().await {
        drop(place.open().await);
        place.run("UPDATE schema_version SET version = 1000").await.unwrap();
        match open(&place.address).await.map(|_| ()) {
            Err(StoreError::Newer { found: 1000, known }) => assert!(known < 1000),
            other => panic!("{other:?}"),
        }
        assert_eq!(place.ask("SELECT CAST(version AS TEXT) FROM schema_version").await, ["1000"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_something_else_is_refused_and_left_alone() {
    for place in Place::all().await {
        if !place.is_postgres() {
            std::fs::write(place.address.strip_prefix("sqlite:").unwrap(), b"").unwrap();
        }
        place.run("CREATE TABLE wiki (page TEXT)").await.unwrap();
        let error = open(&place.address).await.map(|_| ()).unwrap_err();
        assert_eq!(error.code(), "store-foreign", "{error}");
        assert!(place.run("SELECT * FROM schema_version").await.is_err(), "nothing was made in it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_is_inconsistent() {
    let tenant = Tenant::single();
    for place in Place::all().await {
        let (store, entropy) = (place.open().await, Seeded::new(5));
        insert(&*store, &tenant, &["a"], &entropy).await;
        place.run("UPDATE runs SET salt = body").await.unwrap();
        match store.read().await.unwrap().get(&tenant, Table::Runs, "a").await {
            Err(StoreError::Inconsistent { table: "runs", column: "salt", row }) => assert_eq!(row, "a"),
            other => panic!("{other:?}"),
        }
        place.run("UPDATE cells SET tenant = 'Not A Tenant'").await.unwrap();
        match store.read().await.unwrap().tenants().await {
            Err(StoreError::Inconsistent { table: "cells", column: "tenant", row }) => {
                assert_eq!(row, "Not A Tenant")
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_open_a_new_database_at_once() {
    for place in Place::all().await {
        let openers: Vec<_> = (0..4)
            .map(|_| {
                let address = place.address.clone();
                tokio::spawn(async move { open(&address).await.map(|_| ()) })
            })
            .collect();
        for opener in openers {
            opener.await.unwrap().unwrap();
        }
        assert_eq!(place.ask(VERSION).await, [KNOWN.to_string()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_does_not_work_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let garbage = directory.path().join("garbage");
    std::fs::write(&garbage, "no database at all ".repeat(1000)).unwrap();
    let missing = directory.path().join("no/such/directory/hub.db");
    let cases = [
        ("", "store-address"),
        ("sqlite:", "store-address"),
        (":memory:", "store-address"),
        ("mysql://root:hunter2@localhost/hub", "store-address"),
        ("postgres://hub:hunter2@localhost:port/hub", "store-address"),
        ("postgres://hub:hunter2@127.0.0.1:1/hub?sslmode=disable", "store-unavailable"),
        ("postgres:///hub?host=/no/such/socket&user=hub&password=hunter2", "store-unavailable"),
        (missing.to_str().unwrap(), "store-unavailable"),
        (directory.path().to_str().unwrap(), "store-unavailable"),
        (garbage.to_str().unwrap(), "store-foreign"),
    ];
    for (address, expect) in cases {
        let error = open(address).await.map(|_| ()).unwrap_err();
        assert_eq!(error.code(), expect, "{address}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    assert!(std::fs::read(&garbage).unwrap().starts_with(b"no database at all"));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_new_file_can_be_read_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path().join("hub.db").to_str().unwrap()).await.unwrap();
    insert(&*store, &Tenant::single(), &["a"], &Seeded::new(6)).await;
    let mut files = 0;
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
        files += 1;
    }
    assert_eq!(files, 3, "the database, its log and the index of that");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_synced_at_each_commit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hub.db");
    drop(open(path.to_str().unwrap()).await.unwrap());
    // What the file keeps; `synchronous` is of a connection, and FULL is what SQLite was built with.
    let mut connection = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    let mode: String = connection.fetch_one("PRAGMA journal_mode").await.unwrap().get(0);
    assert_eq!(mode, "wal");
}

/// A new system, with its record.
fn inserted(id: &str, seeded: &Seeded) -> Update {
    let row = row(Table::Systems, id, 1, seeded);
    update(vec![Write::Insert(Table::Systems, row)], seeded)
}

#[tokio::test]
async fn an_upgrade_is_rehearsed_on_its_own_rows_and_leaves_nothing() {
    for place in Place::all().await {
        let store = place.open().await;
        let mut tx = store.begin().await.unwrap();
        let seeded = Seeded::new(1);
        tx.write(&Tenant::single(), vec![inserted("kept", &seeded)], &seeded).await.unwrap();
        tx.commit().await.unwrap();
        drop(store);
        place.goes_back().await;

        // Something is in the way: the rehearsal meets it, and nothing was done.
        place.run("CREATE TABLE recoveries (other TEXT)").await.unwrap();
        assert!(rehearse(&place.address).await.is_err());
        assert_eq!(place.ask(VERSION).await, ["1"]);
        place.run("DROP TABLE recoveries").await.unwrap();

        let would = rehearse(&place.address).await.unwrap();
        assert_eq!(would, Upgrade { from: 1, to: KNOWN });
        assert_eq!(place.ask(VERSION).await, ["1"]);
        assert!(place.run("SELECT * FROM recoveries").await.is_err(), "it was a rehearsal");

        let store = place.open().await;
        assert_eq!(place.ask(VERSION).await, [KNOWN.to_string()]);
        let mut tx = store.read().await.unwrap();
        assert!(tx.get(&Tenant::single(), Table::Systems, "kept").await.unwrap().is_some());
        assert_eq!(rehearse(&place.address).await.unwrap(), Upgrade { from: KNOWN, to: KNOWN });
    }
}

#[tokio::test]
async fn a_snapshot_is_one_moment_while_others_write() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("hub.db"), directory.path().join("copy.db"));
    let store = open(from.to_str().unwrap()).await.unwrap();
    let tenant = Tenant::single();
    // Two rows in each transaction: half of one in the copy would be seen.
    let writing = tokio::spawn({
        let (store, tenant) = (store.clone(), tenant.clone());
        async move {
            for number in 0..200 {
                let seeded = Seeded::new(number);
                let mut tx = store.begin().await.unwrap();
                let both = ["a", "b"].map(|half| inserted(&format!("{half}{number}"), &seeded));
                tx.write(&tenant, both.into(), &seeded).await.unwrap();
                tx.commit().await.unwrap();
            }
        }
    });
    let copied = {
        let (from, to) = (from.clone(), to.clone());
        tokio::task::spawn_blocking(move || snapshot(&from, &to)).await.unwrap()
    };
    copied.unwrap();
    writing.await.unwrap();
    let copy = open(to.to_str().unwrap()).await.unwrap();
    let mut tx = copy.read().await.unwrap();
    let rows = tx.select(&tenant, Select::from(Table::Systems)).await.unwrap();
    let firsts = rows.iter().filter(|row| row.id.starts_with('a')).count();
    assert_eq!(firsts * 2, rows.len());
    assert_eq!(tx.entry_counts().await.unwrap().1, rows.len() as i64, "each with its record");
    // What is there is never overwritten.
    assert!(snapshot(&from, &to).is_err());
    assert!(snapshot(&directory.path().join("none.db"), &directory.path().join("other.db")).is_err());
}
