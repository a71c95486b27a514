//! What the SCIM provider costs: `GET /Users/{id}` against a bare handler that answers with the same bytes, `POST /Users`
//! against one durable insert into a store of the same kind, and one more member of a group of many against one of 100.
//! Then the same calls of `scim2-server`, a provider in Python that keeps everything in memory.
//!
//! The hub is the program itself, in a process of its own.

use bailiwick_core::id::{Entropy, Tenant};
use bailiwick_store::{
    Table, Write,
    testkit::{Seeded, row, update},
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::folder;
use crate::{
    Size,
    http::{Client, bare},
    hub::Hub,
    measure::{Pairs, Spread, each},
    python::{Provider, TOKEN},
    row::{Goal, Row, medians},
};

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
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// How many users a request of the crowd brings.
const TOGETHER: usize = 500;

/// The case.
pub fn run(size: Size) -> Vec<Row> {
    let folder = folder();
    let hub = Hub::start(folder.path());
    hub.apply(&[("idp.toml", SOURCE)]);
    let token = hub.run(&["integration", "token", "idp"]);
    let mut client = Client::new(&hub.address, &token);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let ids = crowd(&mut client, size.of(100_000) / TOGETHER * TOGETHER);
    let users = ids.len();
    let members = users / 2;
    let mut rows = vec![read(&runtime, &mut client, &hub, &token, users)];
    rows.extend(listed(&runtime, &mut client, &hub, &token, users));
    rows.push(created(&runtime, &mut client, folder.path(), users));
    rows.push(patched(&runtime, &mut client, folder.path(), &ids, users));
    let small = group(&mut client, "/scim/v2", "small", &ids[1..101]);
    let large = group(&mut client, "/scim/v2", "large", &ids[1..=members]);
    let [small, large] = [small, large].map(|id| format!("/scim/v2/Groups/{id}"));
    let mut other = Client::new(&hub.address, &token);
    let pairs = Pairs::of(
        PAIRS,
        |_| in_and_out(&mut client, &small, &ids[0], 8),
        |_| in_and_out(&mut other, &large, &ids[0], 8),
    );
    let work = format!("one member more of a group of {members}");
    rows.push(
        Row::ratio(work, "the same on a group of 100, wall", Goal::AtMost(1.5), &pairs)
            .with(medians(&pairs, 1, "a change")),
    );
    rows.extend(beside_another(&mut client, &ids[..size.of(10_000) + 1]));
    let highest = hub.process().highest() as f64;
    rows.push(Row::value(
        format!("the provider's memory at its height, with {users} users"),
        "—",
        Goal::Shown,
        "MiB",
        Spread::one(highest / f64::from(1 << 20)),
    ));
    rows
}

fn read(runtime: &Runtime, client: &mut Client, hub: &Hub, token: &str, users: usize) -> Row {
    let id = made(client, "/scim/v2/Users", &user("first@bench.test"));
    let answer = client.answer.clone();
    let mut floor = Client::new(&bare(runtime, "application/scim+json", answer), token);
    let mut ours = Client::new(&hub.address, token);
    let path = format!("/scim/v2/Users/{id}");
    let get = |client: &mut Client| each(200, |_| client.must(200, "GET", &path, ""));
    let pairs = Pairs::of(PAIRS, |_| get(&mut floor), |_| get(&mut ours));
    Row::ratio(format!("GET one of {users} users"), "a bare handler, wall", Goal::AtLeast(0.5), &pairs)
        .with(medians(&pairs, 1, "a call"))
}

fn listed(runtime: &Runtime, client: &mut Client, hub: &Hub, token: &str, users: usize) -> Vec<Row> {
    let path = format!("/scim/v2/Users?startIndex={}&count=100", users / 2);
    client.must(200, "GET", &path, "");
    let page: Value = serde_json::from_slice(&client.answer).unwrap();
    assert_eq!(page["Resources"].as_array().map(Vec::len), Some(100));
    let mut floor = Client::new(&bare(runtime, "application/scim+json", client.answer.clone()), token);
    let mut ours = Client::new(&hub.address, token);
    let get = |client: &mut Client| each(10, |_| client.must(200, "GET", &path, ""));
    let pairs = Pairs::of(PAIRS, |_| get(&mut floor), |_| get(&mut ours));
    let work = format!("list 100 in the middle of {users} users");
    vec![
        Row::ratio(work, "a bare handler, wall", Goal::AtLeast(0.5), &pairs)
            .with(medians(&pairs, 1, "a call")),
    ]
}

/// A store of the same kind as the hub's, into which one row after the other is written.
struct Floor<'r> {
    runtime: &'r Runtime,
    store: std::sync::Arc<dyn bailiwick_store::Store>,
    chance: Seeded,
    written: usize,
}

impl<'r> Floor<'r> {
    fn new(runtime: &'r Runtime, folder: &std::path::Path, name: &str) -> Self {
        let file = folder.join(name).display().to_string();
        let store = runtime.block_on(bailiwick_store::open(&file)).unwrap();
        Self { runtime, store, chance: Seeded::new(1), written: 0 }
    }

    fn insert(&mut self) {
        self.written += 1;
        let row = row(Table::PushedGroups, &format!("{:08}", self.written), 1, &self.chance);
        let row = bailiwick_store::Row { body: vec![b'x'; 600], ..row };
        self.runtime.block_on(async {
            let mut tx = self.store.begin().await.unwrap();
            let update = update(vec![Write::Insert(Table::PushedGroups, row)], &self.chance);
            tx.write(&Tenant::single(), vec![update], &self.chance as &dyn Entropy).await.unwrap();
            tx.commit().await.unwrap();
        });
    }
}

fn created(runtime: &Runtime, client: &mut Client, folder: &std::path::Path, users: usize) -> Row {
    let mut floor = Floor::new(runtime, folder, "floor.db");
    let push = |pair: usize| {
        each(40, |at| drop(made(client, "/scim/v2/Users", &user(&format!("u{pair}x{at}@bench.test")))))
    };
    let pairs = Pairs::of(PAIRS, |_| each(40, |_| floor.insert()), push);
    let work = format!("POST a user, durable, beside {users}");
    Row::ratio(work, "a bare durable insert, wall", Goal::AtLeast(0.5), &pairs)
        .with(medians(&pairs, 1, "a call"))
}

/// Somebody is called otherwise, by one operation on a path.
fn patched(
    runtime: &Runtime,
    client: &mut Client,
    folder: &std::path::Path,
    ids: &[String],
    users: usize,
) -> Row {
    let mut floor = Floor::new(runtime, folder, "floor-of-patch.db");
    let change = |pair: usize| {
        each(40, |at| {
            let name = format!("Name {pair} {at}");
            let operation = json!({ "op": "replace", "path": "displayName", "value": name });
            let body = json!({ "schemas": [PATCH], "Operations": [operation] }).to_string();
            client.must(200, "PATCH", &format!("/scim/v2/Users/{}", ids[at]), &body);
            assert!(String::from_utf8_lossy(&client.answer).contains(&name));
        })
    };
    let pairs = Pairs::of(PAIRS, |_| each(40, |_| floor.insert()), change);
    let work = format!("PATCH one of {users} users, durable");
    Row::ratio(work, "a bare durable insert, wall", Goal::AtLeast(0.5), &pairs)
        .with(medians(&pairs, 1, "a call"))
}

/// The same calls of `scim2-server`, which has nobody else in it.
fn beside_another(client: &mut Client, ids: &[String]) -> Vec<Row> {
    const FEW: usize = 5;
    let members = ids.len() - 1;
    let goal = Goal::AtLeast(30.0);
    let (post, patch) = ("POST a user, durable", format!("one member more of a group of {members}"));
    let against = "`scim2-server` in memory, wall";
    let other = match Provider::start() {
        Err(why) => {
            return vec![Row::without(post, against, goal, &*why), Row::without(patch, against, goal, why)];
        }
        Ok(other) => other,
    };
    let mut theirs = Client::new(&other.address, TOKEN);
    let push = |client: &mut Client, root: &str, pair: usize| {
        each(20, |at| {
            let body = user(&format!("b{pair}x{at}@bench.test"));
            drop(made(client, &format!("{root}/Users"), &body));
        })
    };
    let posted = Pairs::of(FEW, |pair| push(&mut theirs, "/v2", pair), |pair| push(client, "/scim/v2", pair));
    let groups =
        [group(&mut theirs, "/v2", "another", &ids[1..]), group(client, "/scim/v2", "another", &ids[1..])];
    let patched = Pairs::of(
        FEW,
        |_| in_and_out(&mut theirs, &format!("/v2/Groups/{}", groups[0]), &ids[0], 2),
        |_| in_and_out(client, &format!("/scim/v2/Groups/{}", groups[1]), &ids[0], 8),
    );
    vec![
        Row::ratio(post, against, goal, &posted).with(medians(&posted, 1, "a call")),
        Row::ratio(patch, against, goal, &patched).with(medians(&patched, 1, "a change")),
    ]
}

fn user(name: &str) -> String {
    json!({
        "schemas": [USER], "userName": name, "displayName": name, "active": true,
        "name": { "givenName": "Given", "familyName": "Family" }, "title": "Engineer", "locale": "en-US",
        "emails": [{ "value": name, "type": "work", "primary": true }],
    })
    .to_string()
}

/// Makes something; gives its id.
fn made(client: &mut Client, path: &str, body: &str) -> String {
    client.must(201, "POST", path, body);
    serde_json::from_slice::<Value>(&client.answer).unwrap()["id"].as_str().unwrap().to_owned()
}

/// Makes so many users who are not there yet, and so nobody's identities; gives their ids.
fn crowd(client: &mut Client, n: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for chunk in 0..n / TOGETHER {
        let operations: Vec<Value> = (0..TOGETHER)
            .map(|at| {
                let name = format!("c{}@bench.test", chunk * TOGETHER + at);
                let data =
                    json!({ "schemas": [USER], "userName": name, "displayName": name, "active": false });
                json!({ "method": "POST", "path": "/Users", "bulkId": format!("{at}"), "data": data })
            })
            .collect();
        let body = json!({ "schemas": [BULK], "Operations": operations });
        client.must(200, "POST", "/scim/v2/Bulk", &body.to_string());
        let answer: Value = serde_json::from_slice(&client.answer).unwrap();
        for done in answer["Operations"].as_array().unwrap() {
            assert_eq!(done["status"], "201", "{done}");
            ids.push(done["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned());
        }
    }
    ids
}

fn group(client: &mut Client, root: &str, name: &str, members: &[String]) -> String {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    let body = json!({ "schemas": [GROUP], "displayName": name, "members": members });
    made(client, &format!("{root}/Groups?attributes=displayName"), &body.to_string())
}

fn patch(op: &str, id: &str) -> String {
    let operation = match op {
        "add" => json!({ "op": "add", "path": "members", "value": [{ "value": id }] }),
        _ => json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") }),
    };
    json!({ "schemas": [PATCH], "Operations": [operation] }).to_string()
}

/// Seconds to take somebody into a group or out again, so many times.
fn in_and_out(client: &mut Client, group: &str, id: &str, times: usize) -> f64 {
    let path = format!("{group}?attributes=displayName");
    each(times, |at| client.must(200, "PATCH", &path, &patch(["add", "remove"][at % 2], id)))
}
