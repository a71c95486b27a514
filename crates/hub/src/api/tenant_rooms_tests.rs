//! The rooms beside the API: whoever lives in the same store under another tenant is not there either. An id of theirs is
//! answered like one that nobody has, on every route of the console, of SCIM, of AuthZEN, of hooks and of the door.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::record::Actor;
use bailiwick_store::{Row, Table};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    stage_tests::{Reply, Stage, encoded},
    tenant_tests::{names, rows_of_a_hub_that_was_used, secrets, somebody_else_lives_there},
};
use crate::{authzen::stage_tests as asking, scim::stage_tests as lived};

const CONSOLE: &str = include_str!("../console/mod.rs");
const SCIM: &str = include_str!("../scim/routes.rs");
const AUTHZEN: &str = include_str!("../authzen/mod.rs");
const REST: &str = include_str!("mod.rs");

/// What opens without a session and shows nothing of a tenant, and what never ends.
const NO_PAGES: [&str; 4] = ["/assets", "/api", "/sign-in", "/live"];

/// Where an id stands in the query of a page.
const IN_QUERIES: [&str; 4] =
    ["/search?q=", "/evidence?subject=", "/configuration?file=", "/identities?has="];

/// Where ids stand in forms of pages without any in their path.
const IN_FORMS: [&str; 2] = ["/terminations", "/terminations/fire"];

/// The routes that a source makes, each with what follows it on its line.
fn routes(source: &'static str) -> Vec<(&'static str, &'static str)> {
    let made = source.split(".route(").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
    let made = made.filter_map(|rest| rest.split_once('"'));
    made.map(|(route, rest)| (route, rest.lines().next().unwrap_or_default())).collect()
}

/// The names of the parts of a route that are filled in.
fn parts(route: &'static str) -> Vec<&'static str> {
    route.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect()
}

/// One of the same shape that nobody has.
fn nobodys(part: &str, value: &str) -> String {
    match value.split_once('_') {
        Some((kind, rest)) if rest.len() == 26 => format!("{kind}_{}", "0".repeat(26)),
        _ => format!("absent-{}", part.trim_start_matches('*')),
    }
}

/// What a page takes, whichever it is, about somebody.
fn form(token: &str, id: &str) -> String {
    let (digest, id) = ("0".repeat(64), encoded(id));
    format!(
        "token={token}&digest={digest}&shown={digest}&seen={digest}&time=4h&hours=1&until=2030-01-01&reason=a+test\
         &cell=chat%2Fsessions&owner=hr%2F1&outcome=done&statement=a+test&what=chat%2Faccount&gate=integration-approved\
         &decision=keep&text=x&path=x.toml&file=x.toml&key={id}&persons={id}&which={id}&confirm={id}"
    )
}

/// The console of somebody who may do everything.
struct Console<'s> {
    stage: &'s Stage,
    cookie: String,
    token: String,
}

impl<'s> Console<'s> {
    async fn open(stage: &'s Stage) -> Self {
        let roles = ["operator", "approver", "terminator", "admin"].map(str::to_owned).into();
        let by = Actor::Operator("ada".into());
        let (operator, _) = stage.engine.add_operator("everything", roles, None, 1, by).await.unwrap();
        let offered = stage.engine.offer_session(&operator).await.unwrap();
        let opened = stage.engine.open_session(&offered.secret).await.unwrap().unwrap();
        let mut console =
            Self { stage, cookie: format!("bailiwick={}", opened.secret), token: String::new() };
        let home = console.get("/").await;
        let (_, rest) = home.text.split_once(r#"name="token" value=""#).unwrap();
        console.token = rest.split('"').next().unwrap().to_owned();
        console
    }

    async fn get(&self, path: &str) -> Reply {
        self.stage.ask_anywhere("GET", path).with("cookie", &self.cookie).send().await
    }

    async fn post(&self, path: &str, id: &str) -> Reply {
        let ask = self.stage.ask_anywhere("POST", path).with("cookie", &self.cookie);
        let ask = ask.with("content-type", "application/x-www-form-urlencoded");
        ask.body(form(&self.token, id).into_bytes()).send().await
    }
}

/// The ids that go into the routes of the console, by the names of their parts.
fn ids(rows: &[(Table, Row)]) -> BTreeMap<&'static str, Vec<String>> {
    let mut ids = names(rows);
    let of = |table: Table| {
        rows.iter().filter(|(of, _)| *of == table).map(|(_, row)| row.id.clone()).collect::<Vec<_>>()
    };
    ids.insert("name", of(Table::ReservedNames));
    ids.insert("*path", of(Table::Policies));
    ids.insert("source", vec!["idp".into()]);
    let last = |name: &String| name.rsplit('/').next().unwrap_or_default().to_owned();
    let entitlements = of(Table::Entitlements).iter().map(last).collect();
    ids.insert("entitlement", entitlements);
    ids
}

/// A route filled in, and the same with what nobody has.
fn filled(route: &str, values: &[(&str, String)]) -> [String; 2] {
    let mut paths = [route.to_owned(), route.to_owned()];
    for (part, value) in values {
        let hole = format!("{{{part}}}");
        paths[0] = paths[0].replace(&hole, &encoded(value));
        paths[1] = paths[1].replace(&hole, &encoded(&nobodys(part, value)));
    }
    paths
}

/// Whether it tells an id of theirs that nobody asked by.
fn told<'r>(secrets: &BTreeSet<&'r str>, text: &str, asked: &[String]) -> Option<&'r str> {
    secrets.iter().copied().find(|one| text.contains(one) && !asked.iter().any(|own| own.contains(one)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_not_there_for_an_id_of_another_tenant() {
    let rows = rows_of_a_hub_that_was_used().await;
    let (ids, secrets) = (ids(&rows), secrets(&rows));
    let stage = Stage::start().await;
    somebody_else_lives_there(&stage.engine, &rows).await;
    let console = Console::open(&stage).await;
    let (mut asked, mut wrong) = (0, Vec::new());
    for (route, methods) in routes(CONSOLE) {
        if NO_PAGES.iter().any(|open| route.starts_with(open)) {
            continue;
        }
        let parts = parts(route);
        let values = |n: usize| -> Vec<(&str, String)> {
            let value = |part: &&'static str| {
                let all = ids.get(part).filter(|all| !all.is_empty());
                let all = all.unwrap_or_else(|| panic!("say which ids {route} takes as `{part}`"));
                (*part, all[n % all.len()].clone())
            };
            parts.iter().map(value).collect()
        };
        let rounds = parts.iter().filter_map(|part| Some(ids.get(part)?.len())).max().unwrap_or(1).min(4);
        for (verb, made) in [("GET", methods.contains("get(")), ("POST", methods.contains("post("))] {
            if !made || verb == "POST" && parts.is_empty() {
                continue;
            }
            for n in 0..rounds {
                let values = values(n);
                let [theirs, nobodys_path] = filled(route, &values);
                let first = values.first();
                let id = first.map_or(String::new(), |(_, value)| value.clone());
                let none = first.map_or(String::new(), |(part, value)| nobodys(part, value));
                let [one, other] = match verb {
                    "GET" => [console.get(&theirs).await, console.get(&nobodys_path).await],
                    _ => [console.post(&theirs, &id).await, console.post(&nobodys_path, &none).await],
                };
                asked += 1;
                let own: Vec<String> = values.iter().map(|(_, value)| value.clone()).collect();
                assert_eq!(told(&secrets, &one.text, &own), None, "{verb} {theirs}: {}", one.text);
                // A page about nothing has no time and no figure in it: both say the same, each of its own.
                let mut same = other.text.clone();
                for (part, value) in &values {
                    same = same.replace(&nobodys(part, value), value);
                }
                let about_nothing = one.text.contains("class=\"door\"");
                let missing = match (parts.is_empty(), verb) {
                    (true, _) => one.status < 500,
                    // Terminations are shown to nobody who is not known as a person here.
                    (false, "GET") if route.starts_with("/terminations/") => one.status == 403,
                    (false, "GET") => one.status == 404,
                    (false, _) => (400..500).contains(&one.status) && !one.text.contains("request-malformed"),
                };
                if !missing || one.status != other.status || about_nothing && one.text != same {
                    wrong.push(format!("{verb} {theirs}: {} {}\n{}", one.status, other.status, one.text));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked > 80, "{asked}");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_found_or_done_by_an_id_of_another_tenant_in_a_query_or_a_form() {
    let rows = rows_of_a_hub_that_was_used().await;
    let (ids, secrets) = (ids(&rows), secrets(&rows));
    let stage = Stage::start().await;
    somebody_else_lives_there(&stage.engine, &rows).await;
    let console = Console::open(&stage).await;
    for (part, values) in &ids {
        for value in values.iter().take(4) {
            let (own, none) = ([value.clone()], nobodys(part, value));
            for begin in IN_QUERIES {
                let one = console.get(&format!("{begin}{}", encoded(value))).await;
                let other = console.get(&format!("{begin}{}", encoded(&none))).await;
                assert_eq!(told(&secrets, &one.text, &own), None, "{begin}{value}: {}", one.text);
                assert_eq!(one.status, other.status, "{begin}{value}: {}", one.text);
            }
            for path in IN_FORMS {
                let (one, other) = (console.post(path, value).await, console.post(path, &none).await);
                assert_eq!(told(&secrets, &one.text, &own), None, "{path} {value}: {}", one.text);
                assert!((400..500).contains(&one.status), "{path} {value}: {} {}", one.status, one.text);
                assert_eq!(one.status, other.status, "{path} {value}: {}", one.text);
            }
        }
    }
    // A hook of theirs is none of this hub's, under any name.
    assert!(routes(REST).iter().any(|(route, _)| *route == "/hooks/v1/{integration}"));
    for name in ids["integration"].iter().map(String::as_str).chain(["absent-one"]) {
        let ask = stage.ask_anywhere("POST", &format!("/hooks/v1/{name}")).body(b"{}".to_vec());
        let ask = ask.with("webhook-id", "msg_1").with("webhook-timestamp", "1");
        let reply = ask.with("webhook-signature", "v1,AAAA").send().await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "hint-unsigned"), "{name}: {}", reply.text);
    }
    stage.stop().await;
}

/// What SCIM is asked about an id, wherever one may stand: route, method, path below the base, body.
fn pushed(id: &str) -> Vec<(&'static str, &'static str, String, Value)> {
    let api = "urn:ietf:params:scim:api:messages:2.0:";
    let off = lived::patch(json!([{ "op": "replace", "path": "active", "value": false }]));
    let rename = lived::patch(json!([{ "op": "replace", "path": "displayName", "value": "Mine" }]));
    let joins = lived::patch(json!([{ "op": "add", "path": "members", "value": [{ "value": id }] }]));
    let core = "urn:ietf:params:scim:schemas:core:2.0:Group";
    let group = json!({ "schemas": [core], "displayName": "Mine", "members": [{ "value": id }] });
    let is = format!("id eq \"{id}\"");
    let search = json!({ "schemas": [format!("{api}SearchRequest")], "filter": is });
    let operations = json!([{ "method": "DELETE", "path": format!("/Users/{id}") }]);
    let bulk = json!({ "schemas": [format!("{api}BulkRequest")], "Operations": operations });
    let (user, of, query) =
        (format!("/Users/{id}"), format!("/Groups/{id}"), format!("?filter={}", encoded(&is)));
    vec![
        ("/Users", "GET", format!("/Users{query}"), Value::Null),
        ("/Users/.search", "POST", "/Users/.search".into(), search.clone()),
        ("/Users/{id}", "GET", user.clone(), Value::Null),
        ("/Users/{id}", "PUT", user.clone(), lived::user("eve@acme.test", json!({}))),
        ("/Users/{id}", "PATCH", user.clone(), off),
        ("/Users/{id}", "DELETE", user, Value::Null),
        ("/Groups", "GET", format!("/Groups{query}"), Value::Null),
        ("/Groups", "POST", "/Groups".into(), group.clone()),
        ("/Groups/.search", "POST", "/Groups/.search".into(), search.clone()),
        ("/Groups/{id}", "GET", of.clone(), Value::Null),
        ("/Groups/{id}", "PUT", of.clone(), group),
        ("/Groups/{id}", "PATCH", of.clone(), rename),
        ("/Groups/{id}", "PATCH", of.clone(), joins),
        ("/Groups/{id}", "DELETE", of, Value::Null),
        ("/.search", "POST", "/.search".into(), search),
        ("/Bulk", "POST", "/Bulk".into(), bulk),
    ]
}

/// The routes of SCIM that are the same for everybody.
const ABOUT_NOBODY: [&str; 6] =
    ["/ServiceProviderConfig", "/ResourceTypes", "/ResourceTypes/{id}", "/Schemas", "/Schemas/{id}", "/Me"];

#[tokio::test(flavor = "multi_thread")]
async fn who_pushes_and_who_calls_at_the_door_meets_nobody_of_another_tenant() {
    let rows = rows_of_a_hub_that_was_used().await;
    let covered: BTreeSet<&str> = pushed("").iter().map(|(route, ..)| *route).chain(ABOUT_NOBODY).collect();
    let made: BTreeSet<&str> = routes(SCIM).iter().map(|(route, _)| *route).collect();
    assert_eq!(covered, made, "every route of SCIM is asked by ids, or has none");
    let stage = lived::Stage::start().await;
    somebody_else_lives_there(&stage.engine, &rows).await;
    let pushed_ids = rows.iter().filter(|(of, _)| matches!(of, Table::PushedUsers | Table::PushedGroups));
    let pushed_ids: Vec<&str> = pushed_ids.map(|(_, row)| row.id.as_str()).collect();
    assert!(pushed_ids.len() >= 3, "{pushed_ids:?}");
    for id in pushed_ids {
        let none = nobodys("id", id);
        for ((_, method, path, body), (.., path_of_none, body_of_none)) in
            pushed(id).into_iter().zip(pushed(&none))
        {
            let one = stage.idp(method, &path, body).await;
            let other = stage.idp(method, &path_of_none, body_of_none).await;
            let same = other.body.to_string().replace(&none, id);
            assert_eq!((one.status, one.body.to_string()), (other.status, same), "{method} {path}");
        }
    }
    let key = &rows.iter().find(|(of, _)| *of == Table::PushedUsers).unwrap().1.id;
    let door = stage.admit("helpdesk").await;
    let (kind, attributes) =
        ([("content-type", "application/json")], json!({ "attributes": { "badge": "x" } }));
    let mut answers = Vec::new();
    for key in [key.clone(), nobodys("key", key)] {
        let path = format!("/door/v1/identities/idp/{key}");
        let body = attributes.to_string().into_bytes();
        let written = stage.call_with((Method::PATCH, &path), &door, &kind, body).await;
        let note = json!({ "kind": "badge-lost", "about": format!("idp/{key}"), "text": "x" });
        let signal = (Method::POST, "/door/v1/signals");
        let left = stage.call_with(signal, &door, &kind, note.to_string().into_bytes()).await;
        answers.push((written.status, written.text("/code").to_owned(), left.status));
    }
    assert_eq!(answers[0], answers[1]);
    let at_the_door: Vec<&str> = routes(REST).iter().map(|(route, _)| *route).collect();
    let expect = [
        "/openapi.json",
        "/metrics",
        "/signals",
        "/identities/{source}/{key}",
        "/hooks/v1/{integration}",
        "/healthz",
        "/readyz",
    ];
    assert_eq!(at_the_door, expect, "a route that is new here is asked by ids of another tenant as well");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_about_somebody_of_another_tenant_asks_about_nobody() {
    let rows = rows_of_a_hub_that_was_used().await;
    let (ids, secrets) = (names(&rows), secrets(&rows));
    let stage = asking::Stage::start().await;
    somebody_else_lives_there(&stage.engine, &rows).await;
    let question = |subject: &str, resource: &str| {
        json!({ "subject": { "type": "identity", "id": subject }, "action": { "name": "use" },
            "resource": { "type": "entitlement", "id": resource } })
    };
    let routes: Vec<&str> = routes(AUTHZEN).iter().map(|(route, _)| *route).collect();
    assert!(routes.len() >= 5, "{routes:?}");
    for subject in &ids["identity"] {
        for resource in ids["entitlement"].iter().take(1) {
            let none = question(&nobodys("identity", subject), "absent/entitlement");
            for route in &routes {
                // What is one question elsewhere is a list of one there.
                let asked = |one: Value| match *route {
                    "/evaluations" => json!({ "evaluations": [one] }),
                    _ => one,
                };
                let one = stage.ask(route, &asked(question(subject, resource))).await;
                let other = stage.ask(route, &asked(none.clone())).await;
                let heard = |reply: &asking::Reply| {
                    let first = &reply.body["evaluations"][0];
                    [&reply.body["decision"], &first["decision"], &reply.body["results"], &reply.body["code"]]
                        .map(Value::clone)
                };
                assert_eq!((one.status, heard(&one)), (other.status, heard(&other)), "{route} {one:?}");
                let own = [subject.clone(), resource.clone()];
                assert_eq!(told(&secrets, &one.body.to_string(), &own), None, "{route} {one:?}");
            }
        }
    }
    stage.stop().await;
}
