//! Joiners on 8 systems over HTTP, provisioned and verified, against a bare client making the same calls.
//!
//! The hub is the program itself; the systems are a lab in this process, which writes down every call from the first
//! one after the file is handed over to the last one that reads back. The floor plays exactly those calls again, on a
//! lab that is as the first one was, one connection for each system, and expects the same answers. Wall time: from
//! the file to the last call. In: reading the file, deciding, planning, approving by a rule, evidence on disk, one call
//! for each change, the window of a second in which a system may show old things, and reading back what was done.

use std::{
    fmt::Write as _,
    fs,
    sync::{Arc, Mutex},
    thread,
    time::Instant,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use bailiwick_lab::{Lab, Seed, SeedGroup};

use super::folder;
use crate::{
    Size,
    http::Client,
    hub::Hub,
    laboratory::{faithful, served},
    measure::{Pairs, Spread, Watch, wall},
    row::{Goal, Row, short, time},
};

const PAIRS: usize = 3;
const SYSTEMS: usize = 8;
const DEPARTMENTS: [&str; 4] = ["Engineering", "Finance", "Legal", "Sales"];
/// What midPoint 4.4 publishes for 8 targets on two nodes with 48 threads, identities a second, and by how much to
/// be faster.
const PUBLISHED: f64 = 21.7 * 10.0;

/// The case.
pub fn run(size: Size) -> Vec<Row> {
    let people = size.of(10_000);
    let (mut pairs, mut rates, mut calls) = (Pairs::default(), Vec::new(), 0);
    for _ in 0..PAIRS {
        let (recorded, seconds) = provisioned(people);
        calls = recorded.len();
        pairs.push(played(&recorded), seconds);
        rates.push(people as f64 / seconds);
    }
    let work = format!("{people} joiners on {SYSTEMS} systems over HTTP, provisioned and verified");
    let each = |seconds: Spread| time(seconds.median / calls as f64);
    vec![
        Row::ratio(&work, "a bare client making the same calls, wall", Goal::AtLeast(0.5), &pairs).with(
            format!(
                "{calls} calls, {} an identity on a system; floor {}, ours {} a call",
                short(calls as f64 / (people * SYSTEMS) as f64),
                each(pairs.floor()),
                each(pairs.ours())
            ),
        ),
        Row::value(
            work,
            "10 × what midPoint 4.4 publishes, 48 threads",
            Goal::AtLeast(PUBLISHED),
            "identities a second",
            Spread::of(rates),
        ),
    ]
}

/// A call that came, and what was answered.
struct Call {
    method: String,
    path: String,
    token: String,
    body: String,
    status: u16,
    at: Instant,
}

type Calls = Arc<Mutex<Vec<Call>>>;

fn names() -> Vec<String> {
    (0..SYSTEMS).map(|n| format!("system{n}")).collect()
}

/// Systems with their groups and nobody in them.
fn empty() -> Lab {
    let lab = faithful(&names(), 100);
    for name in names() {
        let groups = DEPARTMENTS.iter().chain(&["Everyone"]).map(|group| SeedGroup {
            name: (*group).to_owned(),
            id: Some(format!("g-{}", group.to_lowercase())),
            ..SeedGroup::default()
        });
        lab.seed(&name, &Seed { groups: groups.collect(), ..Seed::default() }).unwrap();
    }
    lab
}

/// A lab that writes down what it is asked.
fn watched(lab: &Lab, calls: &Calls) -> Router {
    lab.router().layer(middleware::from_fn_with_state(calls.clone(), note))
}

async fn note(State(calls): State<Calls>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let token = head.headers["authorization"].to_str().unwrap().trim_start_matches("Bearer ").to_owned();
    let (method, path) = (head.method.to_string(), head.uri.to_string());
    let text = String::from_utf8(body.to_vec()).unwrap();
    let response = next.run(Request::from_parts(head, Body::from(body))).await;
    let status = response.status().as_u16();
    calls.lock().unwrap().push(Call { method, path, token, body: text, status, at: now() });
    response
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

/// Lets a new hub provision everybody; gives the calls that it took, and the seconds to the last one.
fn provisioned(people: usize) -> (Vec<Call>, f64) {
    let (lab, calls) = (empty(), Calls::default());
    let served = served(watched(&lab, &calls));
    let folder = folder();
    let hub = Hub::start(folder.path());
    let systems: String = names().iter().map(|name| system(name, &served.address)).collect();
    hub.apply(&[("hr.toml", SOURCE), ("systems.toml", &systems), ("rules.cedar", &rules())]);
    for name in names() {
        for (purpose, token) in [("write", "write"), ("verify", "read")] {
            hub.run_with(&["credential", "set", &name, purpose], &format!("{name}-{token}"));
        }
        hub.run(&["reconcile", &name]);
    }
    hub.quiet();
    let mut feed = String::from("id,name,email,dept\n");
    for n in 0..people {
        let department = DEPARTMENTS[n % DEPARTMENTS.len()];
        writeln!(feed, "{n},Person Number {n},person{n}@example.test,{department}").unwrap();
    }
    fs::write(folder.path().join("people.csv"), feed).unwrap();
    calls.lock().unwrap().clear();
    let begun = Watch::start();
    hub.run(&["import", "hr", "people.csv"]);
    hub.quiet();
    proven(&lab, people);
    let calls = std::mem::take(&mut *calls.lock().unwrap());
    let seconds = begun.until(calls.last().unwrap().at);
    (calls, seconds)
}

/// Everybody is everywhere, in two groups, and was read back.
fn proven(lab: &Lab, people: usize) {
    for name in names() {
        let truth = lab.truth(&name).unwrap();
        let theirs = truth.users.iter().filter(|user| user.user_name.starts_with("person"));
        let right = theirs.filter(|user| user.active && user.groups.len() == 2).count();
        assert_eq!(right, people, "{name}");
    }
}

/// Plays the same calls on systems that are as they were; gives the seconds.
fn played(calls: &[Call]) -> f64 {
    let again = Calls::default();
    let lab = empty();
    let served = served(watched(&lab, &again));
    let seconds = wall(|| {
        thread::scope(|scope| {
            for name in names() {
                let address = &served.address;
                scope.spawn(move || {
                    let prefix = format!("/{name}/");
                    let theirs = calls.iter().filter(|call| call.path.starts_with(&prefix));
                    let mut client = Client::new(address, "");
                    for call in theirs {
                        client.show(&call.token);
                        let status = client.call(&call.method, &call.path, &call.body);
                        assert_eq!(status, call.status, "{} {}", call.method, call.path);
                    }
                });
            }
        });
    });
    assert_eq!(again.lock().unwrap().len(), calls.len());
    seconds
}

const SOURCE: &str = r#"
[integration.hr]
purpose = "Who is there"
owner = "hr/1"
backup = "hr/2"
boundary = "inside"
vendor = "Hr Ltd"
data_flows = ["people"]
privilege_flows = ["all"]
connector = "csv"
endpoint = "file:feeds/hr"
source = "hr"
scope = ["list READ /{file}"]
settings = { file = "current.csv", key = "id", columns = { display_name = "name", email = "email", department = "dept" } }
[integration.hr.contract.attributes]
display_name = { type = "text", required = true }
email = { type = "text", required = true }
department = { type = "text", required = true }
"#;

fn system(name: &str, lab: &str) -> String {
    let mut text = format!(
        r#"
[system.{name}]
title = "{name}"
classes = ["primary-account", "direct-groups"]
on_leave = "disable"
convergence = "1s"
retention_days = 30
[system.{name}.account]
userName = "{{email}}"
displayName = "{{display_name}}"
department = "{{department}}"
[entitlement."{name}/account"]
class = "primary-account"
[entitlement."{name}/everyone"]
class = "direct-groups"
label = "Everyone"
[integration.{name}]
purpose = "Accounts and groups"
owner = "hr/1"
backup = "hr/2"
boundary = "inside"
vendor = "Lab Ltd"
data_flows = ["names"]
privilege_flows = ["groups"]
connector = "scim"
endpoint = "http://{lab}/{name}"
system = "{name}"
writes_per_minute = 10000000
scope = [
  "discover GET /scim/v2/ServiceProviderConfig", "discover GET /scim/v2/Schemas",
  "list GET /scim/v2/Users", "get GET /scim/v2/Users/{{id}}",
  "create POST /scim/v2/Users", "update PATCH /scim/v2/Users/{{id}}", "update PUT /scim/v2/Users/{{id}}",
  "delete DELETE /scim/v2/Users/{{id}}",
  "list GET /scim/v2/Groups", "get GET /scim/v2/Groups/{{id}}",
  "grant PATCH /scim/v2/Groups/{{id}}", "revoke PATCH /scim/v2/Groups/{{id}}",
]
[integration.{name}.settings]
base = "/scim/v2"
idempotency_header = "Idempotency-Key"
"#
    );
    for department in DEPARTMENTS {
        let entitlement = department.to_lowercase();
        writeln!(
            text,
            "[entitlement.\"{name}/{entitlement}\"]\nclass = \"direct-groups\"\nlabel = \"{department}\""
        )
        .unwrap();
    }
    text
}

fn rules() -> String {
    let mut text = String::from(
        r#"@id("routine") permit(principal is Rule, action == Action::"approve", resource) when { resource.cause == "joiner" };
"#,
    );
    for name in names() {
        let mut hold = |id: &str, when: &str| {
            writeln!(
                text,
                "@id(\"{name}-{id}\") permit(principal, action == Action::\"hold\", resource == Entitlement::\"{name}/{id}\") when {{ {when} }};"
            )
            .unwrap();
        };
        hold("account", "principal.kind == \"person\"");
        hold("everyone", "principal.kind == \"person\"");
        for department in DEPARTMENTS {
            hold(&department.to_lowercase(), &format!("principal.department == \"{department}\""));
        }
    }
    text
}
