//! The corpus of deactivations: every way in which somebody is said to have left ends with an account that nobody can
//! sign in with, or with a refusal. None is answered with a 200 that did nothing. The chat's own truth is what counts.

use serde_json::{Value, json};

use super::stage_tests::{Stage, patch, user};

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// What is sent: a method, and a body for somebody of that name.
type Sent = (&'static str, Box<dyn Fn(&str) -> Value>);

fn patched(operations: Value) -> Sent {
    ("PATCH", Box::new(move |_| patch(operations.clone())))
}

fn raw(body: Value) -> Sent {
    ("PATCH", Box::new(move |_| body.clone()))
}

fn put(more: Value) -> Sent {
    ("PUT", Box::new(move |name| user(name, more.clone())))
}

/// Dialect, what is sent, and whether it is one by which somebody leaves.
fn corpus() -> Vec<(&'static str, Sent, bool)> {
    let op =
        |op: &str, path: &str, value: Value| patched(json!([{ "op": op, "path": path, "value": value }]));
    let pathless = |op: &str, value: Value| patched(json!([{ "op": op, "value": value }]));
    vec![
        ("rfc", op("replace", "active", json!(false)), true),
        ("rfc, add", op("add", "active", json!(false)), true),
        ("entra, capital and a text", op("Replace", "active", json!("False")), true),
        ("entra, add and a text", op("Add", "active", json!("false")), true),
        ("capital path", op("REPLACE", "Active", json!("FALSE")), true),
        ("path with white space", op("replace", " active ", json!(false)), true),
        ("okta, no path", pathless("replace", json!({ "active": false })), true),
        ("no path and a text", pathless("Replace", json!({ "active": "False" })), true),
        ("no path and a capital", pathless("replace", json!({ "Active": false })), true),
        ("empty path", patched(json!([{ "op": "replace", "path": "", "value": { "active": false } }])), true),
        ("no path and an id", pathless("replace", json!({ "id": "x", "active": false })), true),
        ("urn path", op("replace", &format!("{CORE}:active"), json!(false)), true),
        (
            "urn path in capitals",
            op("replace", &format!("{}:ACTIVE", CORE.to_uppercase()), json!(false)),
            true,
        ),
        ("urn as a name", pathless("replace", json!({ format!("{CORE}:active"): false })), true),
        ("below the urn", pathless("replace", json!({ CORE: { "active": false } })), true),
        (
            "capital keys",
            raw(json!({ "SCHEMAS": ["urn:ietf:params:scim:api:messages:2.0:PATCHOP"],
                "operations": [{ "OP": "replace", "PATH": "active", "VALUE": false }] })),
            true,
        ),
        (
            "several operations",
            patched(json!([
                { "op": "replace", "path": "displayName", "value": "Somebody Gone" },
                { "op": "Add", "path": format!("{ENTERPRISE}:department"), "value": "Gone" },
                { "op": "Replace", "path": "active", "value": "False" },
                { "op": "replace", "path": "name.givenName", "value": "Some" },
            ])),
            true,
        ),
        (
            "on and off again",
            patched(json!([
                { "op": "replace", "path": "active", "value": true },
                { "op": "replace", "path": "active", "value": false },
            ])),
            true,
        ),
        ("put", put(json!({ "active": false })), true),
        ("put and a text", put(json!({ "active": "False" })), true),
        (
            "put below the urn",
            (
                "PUT",
                Box::new(|name| {
                    let mut body = user(name, json!({ CORE: { "active": false } }));
                    body.as_object_mut().unwrap().remove("active");
                    body
                }),
            ),
            true,
        ),
        ("delete", ("DELETE", Box::new(|_| Value::Null)), true),
        // What cannot be done is refused.
        ("unknown path", op("replace", "enabled", json!(false)), false),
        ("unknown name", pathless("replace", json!({ "enabled": false })), false),
        ("unknown name in put", put(json!({ "enabled": false })), false),
        ("unknown urn", op("replace", "urn:foo:bar:active", json!(false)), false),
        ("unknown urn in put", put(json!({ "urn:foo:bar": { "active": false } })), false),
        ("the wrong urn", op("replace", &format!("{ENTERPRISE}:active"), json!(false)), false),
        ("active of the wrong urn", pathless("replace", json!({ ENTERPRISE: { "active": false } })), false),
        ("a part of it", op("replace", "active.value", json!(false)), false),
        ("a filter on it", op("replace", "active[value eq true]", json!(false)), false),
        ("a number", op("replace", "active", json!(0)), false),
        ("a word", op("replace", "active", json!("no")), false),
        ("a list", op("replace", "active", json!([{ "value": false }])), false),
        ("nothing", op("replace", "active", json!(null)), false),
        ("no value", patched(json!([{ "op": "replace", "path": "active" }])), false),
        ("removed", patched(json!([{ "op": "remove", "path": "active" }])), false),
        ("removed with a value", op("remove", "active", json!(false)), false),
        ("nothing in put", put(json!({ "active": null })), false),
        ("an unknown operation", op("disable", "active", json!(false)), false),
        ("no operation", patched(json!([])), false),
        ("an empty value", pathless("replace", json!({})), false),
        (
            "no operations",
            raw(json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"] })),
            false,
        ),
        (
            "another message",
            raw(
                json!({ "schemas": [CORE], "Operations": [{ "op": "replace", "path": "active", "value": false }] }),
            ),
            false,
        ),
        (
            "one of several cannot be done",
            patched(json!([
                { "op": "replace", "path": "active", "value": false },
                { "op": "replace", "path": "nothing", "value": "x" },
            ])),
            false,
        ),
        ("twice in one body", raw(json!("{\"active\":false,\"Active\":true}")), false),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_dialect_ends_with_a_leaver_or_a_refusal() {
    let stage = Stage::start().await;
    let mut people = Vec::new();
    for (at, (dialect, sent, leaves)) in corpus().into_iter().enumerate() {
        let name = format!("p{at}@acme.example");
        let id = stage.user(&name, json!({ "name": { "givenName": "P" } })).await;
        people.push((dialect, sent, leaves, name, id));
    }
    stage.quiet().await;
    for (dialect, .., name, _) in &people {
        assert_eq!(stage.active(name), Some(true), "{dialect}: it begins with an account");
    }
    for (dialect, (method, body), leaves, name, id) in &people {
        let body = body(name);
        let path = format!("/Users/{id}");
        let reply = match body.as_str() {
            // What no JSON value can be.
            Some(text) => {
                let text =
                    format!("{{\"schemas\":[],\"Operations\":[{{\"op\":\"replace\",\"value\":{text}}}]}}");
                let headers = [("content-type", "application/scim+json")];
                let path = format!("/scim/v2{path}");
                stage.call_with((reqwest::Method::PATCH, &path), &stage.idp, &headers, text.into()).await
            }
            None => stage.idp(method, &path, body).await,
        };
        let expect = match (*leaves, *method) {
            (true, "DELETE") => 204..=204,
            (true, _) => 200..=200,
            (false, _) => 400..=499,
        };
        assert!(expect.contains(&reply.status), "{dialect}: {reply:?}");
        if *leaves && *method != "DELETE" {
            assert_eq!(reply.body["active"], json!(false), "{dialect}");
        }
    }
    stage.quiet().await;
    for (dialect, _, leaves, name, _) in &people {
        assert_eq!(stage.active(name), Some(!leaves), "{dialect}");
    }
    let cases = stage.all::<bailiwick_core::case::Case>().await.len();
    assert_eq!(
        cases,
        people.iter().filter(|person| person.2).count(),
        "a case for each leaver and for nobody else"
    );
    stage.stop().await;
}
