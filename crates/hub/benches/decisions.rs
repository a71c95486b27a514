//! What a decision costs, against a floor of the same run: `POST /access/v1/evaluation` against a bare handler that is asked the
//! same and answers with the same bytes, with 30 and with 1,000 policies; asked about people who are asked about again and again,
//! and about anybody at all. The hub is the program itself, in a process of its own. Pairs are taken in turn; the median of the
//! ratios is printed.
//!
//! `cargo bench -p bailiwick-hub --bench decisions` has 100,000 identities, `-- --full` 1,000,000.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, http::header, routing::post};
use serde_json::json;

const CONFIGURATION: &str = r#"
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
settings = { file = "current.csv", key = "id", columns = { display_name = "display_name", department = "department" } }
[integration.hr.contract.attributes]
display_name = { type = "text", required = true }
department = { type = "text", required = true }

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

/// The program; it ends with this.
struct Hub(Child);

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick"));
    command.current_dir(folder).args(args).env("BAILIWICK_PROFILE", folder.join("profile.toml"));
    command.env("BAILIWICK_LOG", "error");
    command
}

fn run(folder: &Path, args: &[&str]) -> String {
    let done = command(folder, args).output().unwrap();
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// Starts a hub; gives where it listens.
fn hub(folder: &Path) -> (Hub, String) {
    run(folder, &["init", "data", "--operator", "ada", "--origin", "bench.test/log"]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut serve = command(folder, &["serve", "--data", "data", "--listen", &address]);
    let mut child = serve.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("listens on") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "the hub does not start");
    }
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    let profile = fs::read_to_string(folder.join("profile.toml")).unwrap();
    fs::write(folder.join("profile.toml"), profile.replace("127.0.0.1:7460", &address)).unwrap();
    (Hub(child), address)
}

/// So many policies: a permit for each action of each department, as far as they go, and three that forbid.
fn policies(count: usize) -> String {
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

fn apply(folder: &Path, count: usize) {
    let actions: Vec<String> = (0..ACTIONS).map(|n| format!("\"a{n}\"")).collect();
    let config = folder.join("config");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("all.toml"), CONFIGURATION.replace("ACTIONS", &actions.join(", "))).unwrap();
    fs::write(config.join("all.cedar"), policies(count)).unwrap();
    run(folder, &["apply", "config", "--yes"]);
    run(folder, &["status", "--wait", "60"]);
}

/// Departments that all sets of policies know, so that the answer is yes.
fn department(person: usize) -> usize {
    person % 2
}

fn people(folder: &Path, count: usize) {
    let mut feed = String::from("id,display_name,department\n");
    for n in 0..count {
        writeln!(feed, "{n},Person {n},d{}", department(n)).unwrap();
    }
    fs::write(folder.join("people.csv"), feed).unwrap();
    let begun = Instant::now();
    run(folder, &["import", "hr", "people.csv"]);
    run(folder, &["status", "--wait", "300"]);
    println!("{count} identities are there after {:.0} s", begun.elapsed().as_secs_f64());
}

/// One connection that is kept.
struct Client {
    stream: BufReader<TcpStream>,
    token: String,
    answer: Vec<u8>,
}

impl Client {
    fn new(address: &str, token: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream), token: token.to_owned(), answer: Vec::new() }
    }

    fn ask(&mut self, body: &str) -> u16 {
        let request = format!(
            "POST {PATH} HTTP/1.1\r\nHost: hub.test\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut status, mut length, mut line) = (0, 0, String::new());
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            let lower = line.trim().to_ascii_lowercase();
            if let Some(rest) = lower.strip_prefix("http/1.1 ") {
                status = rest[..3].parse().unwrap();
            } else if let Some(rest) = lower.strip_prefix("content-length:") {
                length = rest.trim().parse().unwrap();
            } else if lower.is_empty() {
                break;
            }
        }
        self.answer.resize(length, 0);
        self.stream.read_exact(&mut self.answer).unwrap();
        status
    }
}

/// Nobody may do anything to `r0`, and everybody may do this to everything else.
fn question(person: usize, record: &str) -> String {
    json!({ "subject": { "type": "user", "id": person.to_string() }, "action": { "name": "a3" },
        "resource": { "type": "record", "id": record } })
    .to_string()
}

/// SplitMix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Answers a second, from several connections at once, about the first `people`.
fn throughput(clients: &mut [Client], people: usize, seed: u64, permits: Option<bool>) -> f64 {
    let (done, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for (at, client) in clients.iter_mut().enumerate() {
            let (done, over) = (&done, &over);
            scope.spawn(move || {
                let mut state = seed.wrapping_mul(31).wrapping_add(at as u64);
                while !over.load(Ordering::Relaxed) {
                    let person = random(&mut state) as usize % people;
                    let record = match permits {
                        Some(false) => "r0".to_owned(),
                        Some(true) | None => format!("r{}", 1 + random(&mut state) as usize % RECORDS),
                    };
                    assert_eq!(client.ask(&question(person, &record)), 200);
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
    done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

/// The medians of the ratio to the floor, of the floor and of ours, answers a second.
fn compared(floor: &mut [Client], ours: &mut [Client], people: usize) -> (f64, f64, f64) {
    // What was never asked about is asked about once before it is measured.
    throughput(ours, people, 1, Some(true));
    let pairs: Vec<(f64, f64)> = (0..PAIRS as u64)
        .map(|pair| (throughput(floor, people, pair, None), throughput(ours, people, pair + 100, Some(true))))
        .collect();
    let lows: Vec<f64> = pairs.iter().map(|(low, _)| *low).collect();
    let (least, most) =
        (lows.iter().copied().fold(f64::MAX, f64::min), lows.iter().copied().fold(0.0, f64::max));
    if most > 2.0 * least {
        println!("  the floor moved by {:.1} x: look at this with care", most / least);
    }
    let middle = |of: &dyn Fn(&(f64, f64)) -> f64| {
        let mut all: Vec<f64> = pairs.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    (middle(&|(low, own)| own / low), middle(&|(low, _)| *low), middle(&|(_, own)| *own))
}

fn bare(runtime: &tokio::runtime::Runtime, answer: Vec<u8>) -> String {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let handler = move |_asked: Bytes| {
        let answer = answer.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], answer) }
    };
    let router = Router::new().route(PATH, post(handler));
    runtime.spawn(async move { axum::serve(listener, router).await });
    address
}

fn main() {
    let full = std::env::args().any(|arg| arg == "--full");
    let count = if full { 1_000_000 } else { 100_000 };
    let folder = tempfile::tempdir().unwrap();
    let (_hub, address) = hub(folder.path());
    apply(folder.path(), 30);
    people(folder.path(), count);
    let token = run(folder.path(), &["integration", "token", "gateway"]);
    let connect =
        |address: &str| -> Vec<Client> { (0..CONNECTIONS).map(|_| Client::new(address, &token)).collect() };
    let mut ours = connect(&address);
    assert_eq!(ours[0].ask(&question(0, "r7")), 200);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut floor = connect(&bare(&runtime, ours[0].answer.clone()));

    let mut few = 0.0;
    for policies in [30, 1_000] {
        if policies > 30 {
            apply(folder.path(), policies);
        }
        for (of, people) in [("of the same 5,000 people", HOT), ("of anybody", count)] {
            let (ratio, low, own) = compared(&mut floor, &mut ours, people);
            println!(
                "{policies} policies, {count} identities, {of}: {own:.0} answers/s, a bare handler {low:.0}/s: {ratio:.2} x its throughput"
            );
            if people == HOT {
                match policies {
                    30 => few = own,
                    _ => println!("  1,000 policies cost {:.2} x what 30 cost", few / own),
                }
            }
        }
    }
    let denied = throughput(&mut ours, HOT, 5, Some(false));
    println!("denials, each on disk before it is told, {CONNECTIONS} connections: {denied:.0} answers/s");
}
