//! Sources that the hub reads by itself: a table of a database, and an interface that answers JSON.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use sqlx::{Connection, Executor, SqliteConnection};

use crate::{golden, world::World};

const PAYROLL: &str = r#"
[integration.payroll]
purpose = "People, as payroll knows them"
owner = "payroll/1"
backup = "payroll/2"
boundary = "A database of our own network"
vendor = "Acme itself"
data_flows = ["who is paid ← payroll"]
privilege_flows = ["who gets in follows from who is paid"]
connector = "sql"
endpoint = "sqlite:DATABASE"
source = "payroll"
scope = ["list EXEC list-people", "get EXEC get-person"]

[integration.payroll.settings]
dialect = "tables"
auth = "none"

[integration.payroll.settings.statements.list-people]
operations = ["list"]
text = """
SELECT id, active, first_day AS start, last_day AS "end", full_name AS display_name, mail AS email FROM staff
WHERE id > COALESCE(:after, '') ORDER BY id LIMIT :limit"""

[integration.payroll.settings.statements.get-person]
operations = ["get"]
text = """
SELECT id, active, first_day AS start, last_day AS "end", full_name AS display_name, mail AS email FROM staff
WHERE id = :id"""

[integration.payroll.contract]
read_every_minutes = 60
min_rows = 2
always_allowed = 1
max_loss_percent = 30
attributes.email = { type = "text", required = true }
attributes.display_name = { type = "text", required = true }
"#;

const STAFF: &str = r#"
[integration.staff]
purpose = "People, as the HR service knows them"
owner = "staff/1"
backup = "staff/2"
boundary = "The service's cloud"
vendor = "Staffbook Ltd"
data_flows = ["who works there ← Staffbook"]
privilege_flows = ["who gets in follows from who works there"]
connector = "rest"
endpoint = "http://ADDRESS"
source = "staff"
scope = ["list GET /v1/employees"]

[integration.staff.settings.description]
name = "staffbook"
title = "Staffbook"
version = "1"
docs = "https://staffbook.example/api"
auth = { style = "bearer" }

[integration.staff.settings.description.people]
items = "/data"
id = "/number"
name = "/name"
live = { at = "/status", is_not = "left" }
attributes = { display_name = "/name", email = "/contact/mail", end = "/employment/until" }
list = { call = "GET /v1/employees", paging = { style = "none" }, cut = "/more" }

[integration.staff.contract]
attributes.email = { type = "text", required = true }
attributes.display_name = { type = "text", required = true }
"#;

/// A database beside the hub.
pub struct Database(String);

impl Database {
    /// Runs a statement as whoever keeps it.
    pub fn run(&self, sql: &'static str) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let address = format!("sqlite:{}?mode=rwc", self.0);
            let mut database = SqliteConnection::connect(&address).await.unwrap();
            database.execute(sql).await.unwrap();
            database.close().await.unwrap();
        });
    }
}

/// An interface that answers each request with the same; gives its address.
fn serves(answer: &Arc<Mutex<Value>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, answer) = (listener.local_addr().unwrap().to_string(), Arc::clone(answer));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n > 0) {
                head.push(byte[0]);
            }
            let allowed = String::from_utf8_lossy(&head).contains("Bearer the-key");
            let (status, body) = match allowed {
                true => ("200 OK", answer.lock().unwrap().to_string()),
                false => ("401 Unauthorized", "{}".to_owned()),
            };
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

/// A hub that reads people from a table of a database.
pub fn payroll() -> (World, Database) {
    let world = World::with_hub();
    let database = Database(world.path("payroll.db").display().to_string());
    database.run(
        "CREATE TABLE staff (id TEXT PRIMARY KEY, full_name TEXT, mail TEXT, active INTEGER, first_day TEXT, last_day TEXT);
         INSERT INTO staff VALUES ('1', 'Ann Archer', 'ann@acme.example', 1, '2020-01-01', '9999-12-31'),
           ('2', 'Bo Baker', 'bo@acme.example', 1, '2020-01-01 00:00:00', NULL),
           ('3', 'Cy Cooper', 'cy@acme.example', 1, '20200101', '')",
    );
    world.write("company/payroll.toml", PAYROLL.replace("DATABASE", &database.0));
    world.run(&["apply", "company", "--yes"]).well();
    world.run(&["status", "--wait", "60"]).well();
    (world, database)
}

#[test]
fn people_are_read_from_a_database() {
    let (world, database) = payroll();
    let mut transcript = vec![world.run(&["source", "list"]).well()];
    let people = world.run(&["identity", "list"]).well().stdout;
    assert_eq!(people.lines().filter(|line| line.contains(" payroll/")).count(), 3, "{people}");
    // What says the same says nothing new; a leaver leaves.
    transcript.push(world.run(&["source", "read", "payroll"]).well());
    database.run("UPDATE staff SET active = 0 WHERE id = '2'");
    transcript.push(world.run(&["source", "read", "payroll"]).well());
    // Nothing is delivered of it, and what is none is said by whose it is.
    let file = world.write("people.csv", "id\n1\n");
    transcript.push(world.run(&["import", "payroll", &file]).refused(1, "source-not-delivered", "by itself"));
    transcript.push(world.run(&["source", "read", "hr"]).refused(1, "not-found", "hr"));
    let before = world.state();
    database.run("UPDATE staff SET last_day = 'soon' WHERE id = '3'");
    transcript.push(world.run(&["source", "read", "payroll"]).refused(1, "feed-bad-day", "`3`"));
    database.run("UPDATE staff SET last_day = NULL, mail = NULL WHERE id = '3'");
    transcript.push(world.run(&["source", "read", "payroll"]).refused(1, "feed-empty-value", "`3`"));
    database.run("DELETE FROM staff WHERE id <> '1'");
    transcript.push(world.run(&["source", "read", "payroll"]).refused(1, "feed-too-few-rows", ""));
    assert_eq!(world.state(), before, "nothing of it was used");
    transcript.push(world.run(&["source", "list"]).well());
    golden::check("sources", &transcript.iter().collect::<Vec<_>>());
}

#[test]
fn people_are_read_from_an_interface_that_one_file_describes() {
    let world = World::with_hub();
    let person = |number: u32, name: &str, status: &str, until: Value| {
        let mail = format!("{}@acme.example", name.to_lowercase());
        json!({ "number": number, "name": name, "contact": { "mail": mail }, "status": status, "employment": { "until": until } })
    };
    let all = |second: Value| json!({ "data": [person(1, "Ann", "here", Value::Null), second] });
    let answer = Arc::new(Mutex::new(all(person(2, "Bo", "here", json!("2099-12-31T00:00:00Z")))));
    world.write("company/staff.toml", STAFF.replace("ADDRESS", &serves(&answer)));
    world.run(&["apply", "company", "--yes"]).well();
    // It is read when somebody asks, and needs its key.
    let listed = world.run(&["source", "list"]).well();
    assert!(listed.stdout.contains("read when asked for") && listed.stdout.contains("nothing came yet"));
    world.run(&["source", "read", "staff"]).refused(1, "no-credential", "the read credential of `staff`");
    world.run_with(&["credential", "set", "staff", "read"], b"the-key").well();
    let read = world.run(&["source", "read", "staff"]).well();
    assert!(read.stdout.contains("2 records: 2 joined, 0 unchanged"), "{}", read.stdout);
    let leaving = world.run(&["identity", "leaving", "--within", "30000d"]).well();
    assert!(leaving.stdout.contains("2099-12-31"), "{}", leaving.stdout);
    *answer.lock().unwrap() = all(person(2, "Bo", "left", Value::Null));
    let read = world.run(&["source", "read", "staff"]).well();
    assert!(read.stdout.contains("1 left, 1 unchanged"), "{}", read.stdout);
    // A part of them says nothing of the others.
    *answer.lock().unwrap() = json!({ "data": [person(1, "Ann", "here", Value::Null)], "more": true });
    world.run(&["source", "read", "staff"]).refused(1, "feed-in-part", "only a part");
    let told = world.run(&["source", "list"]).well();
    assert!(
        told.stdout.contains("cannot be read") && told.stdout.contains("feed-in-part"),
        "{}",
        told.stdout
    );
    // What does not answer as described is no delivery.
    *answer.lock().unwrap() = json!({ "data": "none" });
    let before = world.state();
    world.run(&["source", "read", "staff"]).refused(1, "answer-malformed", "`/data`");
    assert_eq!(world.state(), before);
}

#[test]
fn what_lists_no_people_is_no_source() {
    let world = World::with_hub();
    let (head, rest) = PAYROLL.split_once("[integration.payroll.settings]").unwrap();
    let contract = rest.split_once("[integration.payroll.contract]").unwrap().1;
    let vault = head
        .replace("\"sql\"", "\"vault\"")
        .replace("sqlite:DATABASE", "http://127.0.0.1:1")
        .replace(r#""list EXEC list-people", "get EXEC get-person""#, r#""list GET /v1/identity/entity/id""#);
    world.write("company/payroll.toml", vault + "[integration.payroll.contract]" + contract);
    world.run(&["apply", "company", "--yes"]).refused(
        1,
        "configuration",
        "`payroll` is a source, and `vault`",
    );
    assert_eq!(world.integrations(), ["bailiwick"]);
}
