//! What the SCIM provider costs, against floors of the same run: `GET /Users/{id}` against a bare handler that answers with the
//! same bytes, `POST /Users` against one durable insert into a store of the same kind, and one more member of a group of 50,000
//! against one of 100. The hub is the program itself, in a process of its own. Pairs are taken in turn; the median of the
//! ratios is printed.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::Instant,
};

use axum::{Router, http::header, routing::get};
use bailiwick_core::id::{Entropy, Tenant};
use bailiwick_store::{
    Table, Write as RowWrite,
    testkit::{Seeded, row, update},
};
use serde_json::{Value, json};

const SOURCE: &str = r#"
[integration.idp]
purpose = "Who is there"
owner = "idp/1"
backup = "idp/2"
boundary = "outside"
vendor = "Idp Ltd"
data_flows = ["people"]
privilege_flows = ["all"]
connector = "scim-push"
endpoint = "https://idp.example.com"
source = "idp"
writes_per_minute = 10000000
acts = ["identity", "attribute user_name", "attribute display_name"]
[integration.idp.contract.attributes]
user_name = { type = "text", required = true, unique = true }
display_name = { type = "text", required = true }
"#;

const PAIRS: usize = 15;

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

/// Starts a hub that people are pushed to; gives where it listens and the token.
fn hub(folder: &Path) -> (Hub, String, String) {
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
    fs::create_dir(folder.join("config")).unwrap();
    fs::write(folder.join("config/idp.toml"), SOURCE).unwrap();
    run(folder, &["apply", "config", "--yes"]);
    run(folder, &["status", "--wait", "60"]);
    let token = run(folder, &["integration", "token", "idp"]);
    (Hub(child), address, token)
}

/// One connection that is kept.
struct Client {
    stream: BufReader<TcpStream>,
    token: String,
}

impl Client {
    fn new(address: &str, token: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream), token: token.to_owned() }
    }

    fn call(&mut self, method: &str, path: &str, body: &str) -> (u16, Vec<u8>) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: hub.test\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n{body}",
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
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).unwrap();
        (status, answer)
    }
}

/// Seconds for each of `n` times.
fn timed(n: usize, mut what: impl FnMut(usize)) -> f64 {
    let start = Instant::now();
    (0..n).for_each(&mut what);
    start.elapsed().as_secs_f64() / n as f64
}

/// The median of pairs, as `floor / ours`, with the medians of both in microseconds.
fn compared(mut floor: impl FnMut(usize) -> f64, mut ours: impl FnMut(usize) -> f64) -> (f64, f64, f64) {
    let pairs: Vec<(f64, f64)> = (0..PAIRS).map(|pair| (floor(pair), ours(pair))).collect();
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
    (middle(&|(low, own)| low / own), middle(&|(low, _)| low * 1e6), middle(&|(_, own)| own * 1e6))
}

fn user(name: &str) -> String {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name, "displayName": name, "active": true,
        "name": { "givenName": "Given", "familyName": "Family" }, "title": "Engineer", "locale": "en-US",
        "emails": [{ "value": name, "type": "work", "primary": true }],
    })
    .to_string()
}

fn made(client: &mut Client, path: &str, body: &str) -> (String, Vec<u8>) {
    let (status, answer) = client.call("POST", path, body);
    assert_eq!(status, 201, "{}", String::from_utf8_lossy(&answer));
    let id = serde_json::from_slice::<Value>(&answer).unwrap()["id"].as_str().unwrap().to_owned();
    (id, answer)
}

/// Makes so many users who are not there yet, and so nobody's identities; gives their ids.
fn crowd(client: &mut Client, n: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for chunk in 0..n / 500 {
        let operations: Vec<Value> = (0..500)
            .map(|at| {
                let name = format!("c{}@bench.test", chunk * 500 + at);
                let data = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name,
                    "displayName": name, "active": false });
                json!({ "method": "POST", "path": "/Users", "bulkId": format!("{at}"), "data": data })
            })
            .collect();
        let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations });
        let (status, answer) = client.call("POST", "/scim/v2/Bulk", &body.to_string());
        assert_eq!(status, 200);
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        for done in answer["Operations"].as_array().unwrap() {
            assert_eq!(done["status"], "201", "{done}");
            ids.push(done["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned());
        }
    }
    ids
}

fn group(client: &mut Client, name: &str, members: &[String]) -> String {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    let body = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name, "members": members });
    made(client, "/scim/v2/Groups?attributes=displayName", &body.to_string()).0
}

fn patch(op: &str, id: &str) -> String {
    let operation = match op {
        "add" => json!({ "op": "add", "path": "members", "value": [{ "value": id }] }),
        _ => json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") }),
    };
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation] })
        .to_string()
}

/// Seconds to take somebody into a group and out again, twice over.
fn in_and_out(client: &mut Client, group: &str, id: &str) -> f64 {
    let path = format!("/scim/v2/Groups/{group}?attributes=displayName");
    timed(8, |at| {
        let (status, answer) = client.call("PATCH", &path, &patch(["add", "remove"][at % 2], id));
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    })
}

fn bare(runtime: &tokio::runtime::Runtime, body: Vec<u8>) -> String {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let handler = move || {
        let body = body.clone();
        async move { ([(header::CONTENT_TYPE, "application/scim+json")], body) }
    };
    let router = Router::new().route("/scim/v2/Users/{id}", get(handler));
    runtime.spawn(async move { axum::serve(listener, router).await });
    address
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let (_hub, address, token) = hub(folder.path());
    let mut client = Client::new(&address, &token);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();

    let (id, body) = made(&mut client, "/scim/v2/Users", &user("first@bench.test"));
    let mut floor = Client::new(&bare(&runtime, body), &token);
    let path = format!("/scim/v2/Users/{id}");
    let read = |client: &mut Client| timed(200, |_| assert_eq!(client.call("GET", &path, "").0, 200));
    let (ratio, low, own) = compared(|_| read(&mut floor), |_| read(&mut client));
    println!(
        "GET /Users/{{id}}: {own:.0} us, a bare handler {low:.0} us: {ratio:.2} x its throughput (goal 0.6)"
    );

    let chance = Seeded::new(1);
    let store = runtime
        .block_on(bailiwick_store::open(&folder.path().join("floor.db").display().to_string()))
        .unwrap();
    let tenant = Tenant::single();
    let mut inserted = 0;
    let insert = |_| {
        timed(40, |_| {
            inserted += 1;
            let row = row(Table::PushedGroups, &format!("{inserted:08}"), 1, &chance);
            let row = bailiwick_store::Row { body: vec![b'x'; 600], ..row };
            runtime.block_on(async {
                let mut tx = store.begin().await.unwrap();
                let update = update(vec![RowWrite::Insert(Table::PushedGroups, row)], &chance);
                tx.write(&tenant, vec![update], &chance as &dyn Entropy).await.unwrap();
                tx.commit().await.unwrap();
            });
        })
    };
    let push = |pair: usize| {
        timed(40, |at| drop(made(&mut client, "/scim/v2/Users", &user(&format!("u{pair}x{at}@bench.test")))))
    };
    let (ratio, low, own) = compared(insert, push);
    println!(
        "POST /Users: {own:.0} us, a durable insert {low:.0} us: {ratio:.2} x its throughput (goal 0.4)"
    );

    let ids = crowd(&mut client, 50_000);
    let small = group(&mut client, "small", &ids[1..101]);
    let large = group(&mut client, "large", &ids[1..]);
    let mut other = Client::new(&address, &token);
    let (ratio, low, own) =
        compared(|_| in_and_out(&mut client, &small, &ids[0]), |_| in_and_out(&mut other, &large, &ids[0]));
    println!("one more of 50,000 members: {own:.0} us, of 100 {low:.0} us: {:.2} x the time", 1.0 / ratio);
}
