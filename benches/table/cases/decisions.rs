//! What a decision costs: `POST /access/v1/evaluation` against a bare handler that is asked the same and answers with
//! the same bytes, with 30 and with 1,000 policies; asked about people who are asked about again and again, and about
//! anybody at all. Then the same decision without HTTP, against Cedar with all policies (`sliced.rs`).
//!
//! The hub is the program itself, in a process of its own; so both share the cores with who asks, from four connections
//! at once.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use serde_json::json;

use super::folder;
use crate::{
    Size,
    http::{Client, bare},
    hub::Hub,
    measure::{Pairs, Spread, Watch},
    population::Dice,
    row::{Goal, Row, short},
    source::personnel,
};

/// Who asks, and what about.
const ASKING: &str = r#"
[integration.gateway]
partner = true
purpose = "Asks"
owner = "hr/1"
backup = "hr/2"
boundary = "inside"
vendor = "Gateways Ltd"
data_flows = ["who asks"]
privilege_flows = ["records"]
connector = "manual"
endpoint = "person:"
acts = ["decide record"]
writes_per_minute = 4000000000

[subject.user]
id = "key"
source = "hr"

[resource.record]
actions = [ACTIONS]
context = { hour = "number" }
"#;

const ACTIONS: usize = 20;
const PAIRS: usize = 11;
const CONNECTIONS: usize = 4;
/// How many of the people are asked about again and again.
const HOT: usize = 5_000;
/// How many records they are asked about.
const RECORDS: usize = 2_000;
const SPELL: Duration = Duration::from_millis(400);
const PATH: &str = "/access/v1/evaluation";

/// The case.
pub fn run(size: Size) -> Vec<Row> {
    let count = size.of(1_000_000);
    let hot = HOT.min(count);
    let folder = folder();
    let hub = Hub::start(folder.path());
    apply(&hub, 30);
    let there = people(&hub, folder.path(), count);
    let token = hub.run(&["integration", "token", "gateway"]);
    let connect =
        |address: &str| -> Vec<Client> { (0..CONNECTIONS).map(|_| Client::new(address, &token)).collect() };
    let mut ours = connect(&hub.address);
    ours[0].must(200, "POST", PATH, &question(0, "r7"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut floor = connect(&bare(&runtime, "application/json", ours[0].answer.clone()));

    let (mut rows, mut few) = (Vec::new(), Vec::new());
    for policies in [30, 1_000] {
        if policies > 30 {
            apply(&hub, policies);
        }
        for (of, people) in [("the same people", hot), ("anybody", count)] {
            let pairs = compared(&mut floor, &mut ours, people);
            // What the goal is about is the larger set.
            let goal = if policies > 30 { Goal::AtLeast(0.6) } else { Goal::Shown };
            let work = format!("decisions about {of} of {count} identities, {policies} policies");
            let ratio = Row::ratio(work, "a bare handler, throughput", goal, &pairs);
            rows.push(ratio.with(format!(
                "floor {}, ours {} answers a second",
                short(1.0 / pairs.floor().median),
                short(1.0 / pairs.ours().median)
            )));
            few.push(pairs.cost());
        }
    }
    // Each of the two relative to the same handler, so that what other programs do is in neither.
    let more = Spread::one(few[2].median / few[0].median);
    rows.push(Row::value("1,000 policies, the same people", "30 policies", Goal::AtMost(2.0), "×", more));
    rows.push(super::sliced::row());
    let denied = throughput(&mut ours, hot, 5, Some(false));
    rows.push(
        Row::value(
            "denials, each on disk before it is told",
            "—",
            Goal::Shown,
            "a second",
            Spread::one(denied),
        )
        .with(format!("{count} identities were there {there:.0} s after the file")),
    );
    rows
}

/// So many policies: a permit for each action of each department, as far as they go, and three that forbid.
pub(super) fn policies(count: usize) -> String {
    let mut text = String::new();
    for n in 0..count - 3 {
        let (action, department) = (n % ACTIONS, n / ACTIONS);
        writeln!(
            text,
            "@id(\"p{n}\") permit(principal is Identity, action == Action::\"access\", resource in ResourceType::\"record\")\n  \
             when {{ context.action == \"a{action}\" && principal.department == \"d{department}\" }};"
        )
        .unwrap();
    }
    for (n, when) in [
        "context.said.request has hour && context.said.request.hour < 6",
        "principal.kind == \"agent\"",
        "resource.id == \"r0\"",
    ]
    .iter()
    .enumerate()
    {
        writeln!(text, "@id(\"f{n}\") forbid(principal is Identity, action == Action::\"access\", resource) when {{ {when} }};").unwrap();
    }
    text
}

fn apply(hub: &Hub, count: usize) {
    let actions: Vec<String> = (0..ACTIONS).map(|n| format!("\"a{n}\"")).collect();
    let people = personnel(&[("display_name", "display_name"), ("department", "department")]);
    let configuration = people + &ASKING.replace("ACTIONS", &actions.join(", "));
    hub.apply(&[("all.toml", &configuration), ("all.cedar", &policies(count))]);
}

/// Delivers so many people, of departments that all sets of policies know, so that the answer is yes; gives how long
/// that took.
fn people(hub: &Hub, folder: &Path, count: usize) -> f64 {
    let mut feed = String::from("id,display_name,department\n");
    for n in 0..count {
        writeln!(feed, "{n},Person {n},d{}", n % 2).unwrap();
    }
    fs::write(folder.join("people.csv"), feed).unwrap();
    let begun = Watch::start();
    hub.run(&["import", "hr", "people.csv"]);
    hub.quiet();
    begun.seconds()
}

/// Nobody may do anything to `r0`, and everybody may do this to everything else.
fn question(person: usize, record: &str) -> String {
    json!({ "subject": { "type": "user", "id": person.to_string() }, "action": { "name": "a3" },
        "resource": { "type": "record", "id": record } })
    .to_string()
}

/// Answers a second, from several connections at once, about the first `people`.
fn throughput(clients: &mut [Client], people: usize, seed: u64, permits: Option<bool>) -> f64 {
    let (done, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let begun = Watch::start();
    std::thread::scope(|scope| {
        for (at, client) in clients.iter_mut().enumerate() {
            let (done, over) = (&done, &over);
            scope.spawn(move || {
                let mut dice = Dice(seed.wrapping_mul(31).wrapping_add(at as u64));
                while !over.load(Ordering::Relaxed) {
                    let person = dice.below(people as u32) as usize;
                    let record = match permits {
                        Some(false) => "r0".to_owned(),
                        Some(true) | None => format!("r{}", 1 + dice.below(RECORDS as u32)),
                    };
                    client.must(200, "POST", PATH, &question(person, &record));
                    if let Some(expect) = permits {
                        let yes = client.answer.starts_with(br#"{"decision":true"#);
                        assert_eq!(yes, expect, "{}", String::from_utf8_lossy(&client.answer));
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(SPELL);
        over.store(true, Ordering::Relaxed);
    });
    done.load(Ordering::Relaxed) as f64 / begun.seconds()
}

/// Seconds for each answer, of both.
fn compared(floor: &mut [Client], ours: &mut [Client], people: usize) -> Pairs {
    // What was never asked about is asked about once before it is measured.
    throughput(ours, people, 1, Some(true));
    Pairs::of(
        PAIRS,
        |pair| 1.0 / throughput(floor, people, pair as u64, None),
        |pair| 1.0 / throughput(ours, people, pair as u64 + 100, Some(true)),
    )
}
