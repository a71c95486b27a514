//! What the specification says must be, sentence by sentence, over HTTP.

use bailiwick_core::id::DecisionId;
use reqwest::Method;
use serde_json::{Value, json};

use super::stage_tests::{Reply, Stage, shown};

const PATHS: [&str; 5] = [
    "/access/v1/evaluation",
    "/access/v1/evaluations",
    "/access/v1/search/subject",
    "/access/v1/search/resource",
    "/access/v1/search/action",
];

fn good() -> Value {
    json!({ "subject": { "type": "user", "id": "alice" }, "action": { "name": "read" },
        "resource": { "type": "record", "id": "record-1" } })
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn who_is_not_let_in_is_told_how_to_come_and_which_gate_is_shut() {
    let stage = Stage::start().await;
    let unapproved = stage.admit("unapproved").await;
    let body = good().to_string();
    for path in PATHS {
        for token in ["", "bwc_00", stage.operator.as_str()] {
            let reply = stage.call((Method::POST, path), token, &[JSON], body.clone()).await;
            assert_eq!(reply.code(), (401, "caller-token-refused"), "{path}");
            assert_eq!(reply.headers["www-authenticate"], "Bearer");
        }
        let reply = stage.call((Method::POST, path), &unapproved, &[JSON], body.clone()).await;
        let (status, code) = reply.code();
        assert!(status == 403 && code.ends_with("missing"), "{path} {reply:?}");
    }
    // A caller's token opens nothing else, and what is not in its scope is refused.
    let reply = stage.call((Method::GET, "/api/v1/status"), &stage.gateway, &[], "").await;
    assert_eq!(reply.code(), (401, "token-refused"));
    let reply = stage.call((Method::POST, PATHS[0]), &stage.stranger, &[JSON], body.clone()).await;
    assert_eq!(reply.code(), (403, "ask-out-of-scope"));
    let reply = stage.call((Method::POST, PATHS[2]), &stage.stranger, &[JSON], body.clone()).await;
    assert_eq!(reply.found(), ["alice", "bob"]);
    let batch = json!({ "evaluations": [good(), { "subject": { "type": "identity", "id": "hr/alice" },
        "action": { "name": "use" }, "resource": { "type": "entitlement", "id": "no/thing" } }] });
    let reply = stage.call((Method::POST, PATHS[1]), &stage.stranger, &[JSON], batch.to_string()).await;
    assert_eq!(reply.body["evaluations"][0]["context"]["error"]["status"], json!(403), "{reply:?}");
    assert_eq!(reply.body["evaluations"][1]["decision"], json!(false));
    assert!(reply.body["evaluations"][1]["context"].get("error").is_none(), "{reply:?}");
    stage.stop().await;
}

#[tokio::test]
async fn what_is_not_a_question_is_400_and_another_method_405() {
    let stage = Stage::start().await;
    let without = |key: &str, inner: Option<&str>| {
        let mut body = good();
        match inner {
            None => drop(body.as_object_mut().unwrap().remove(key)),
            Some(inner) => drop(body[key].as_object_mut().unwrap().remove(inner)),
        }
        body.to_string()
    };
    let set = |pointer: &str, value: Value| {
        let mut body = good();
        *body.pointer_mut(pointer).unwrap() = value;
        body.to_string()
    };
    let mut bad = vec![
        ("no body", String::new()),
        ("no JSON", "{".into()),
        ("a list", format!("[{}]", good())),
        (
            "a list that reads as fields",
            r#"[{"type":"user","id":"alice"},{"name":"read"},{"type":"record","id":"record-1"}]"#.into(),
        ),
        ("a text", "\"alice\"".into()),
        ("null", "null".into()),
        ("subject as a list", set("/subject", json!(["user", "alice"]))),
        ("subject as a text", set("/subject", json!("alice"))),
        ("id as a number", set("/subject/id", json!(1))),
        ("id as null", set("/subject/id", Value::Null)),
        ("type as an object", set("/resource/type", json!({}))),
        ("name as a list", set("/action/name", json!(["read"]))),
        ("action as a text", set("/action", json!("read"))),
    ];
    for key in ["subject", "action", "resource"] {
        bad.push(("without a part", without(key, None)));
    }
    for (key, inner) in
        [("subject", "type"), ("subject", "id"), ("action", "name"), ("resource", "type"), ("resource", "id")]
    {
        bad.push(("without a field", without(key, Some(inner))));
    }
    let mut context = good();
    context["context"] = json!([1]);
    bad.push(("context as a list", context.to_string()));
    let mut properties = good();
    properties["subject"]["properties"] = json!("x");
    bad.push(("properties as a text", properties.to_string()));
    for (what, body) in &bad {
        let reply = stage.call((Method::POST, PATHS[0]), &stage.gateway, &[JSON], body.clone()).await;
        assert_eq!(reply.code(), (400, "request-malformed"), "{what}: {body}");
    }
    // Of a batch, what is not about one item.
    for body in [
        json!({ "evaluations": {} }),
        json!({ "evaluations": "x" }),
        json!({ "evaluations": [good()], "options": [] }),
        json!({ "evaluations": [good()], "options": { "evaluations_semantic": "all" } }),
        json!({ "evaluations": [good()], "options": { "evaluations_semantic": 1 } }),
        json!({ "evaluations": [good()], "subject": "alice" }),
        json!({ "evaluations": [] }),
        json!({}),
    ] {
        let reply = stage.ask("/evaluations", &body).await;
        assert_eq!(reply.code(), (400, "request-malformed"), "{body}");
    }
    // Of searches: what is searched by must be there, and a page must be one.
    for (path, body) in [
        (
            "subject",
            json!({ "subject": {}, "action": { "name": "read" }, "resource": { "type": "record", "id": "1" } }),
        ),
        (
            "subject",
            json!({ "subject": { "type": "user" }, "action": { "name": "read" }, "resource": { "type": "record" } }),
        ),
        ("subject", json!({ "subject": { "type": "user" }, "resource": { "type": "record", "id": "1" } })),
        (
            "resource",
            json!({ "subject": { "type": "user" }, "action": { "name": "read" }, "resource": { "type": "record" } }),
        ),
        (
            "resource",
            json!({ "subject": { "type": "user", "id": "alice" }, "action": {}, "resource": { "type": "record" } }),
        ),
        ("action", json!({ "subject": { "type": "user", "id": "alice" }, "resource": { "type": "record" } })),
        ("action", json!({ "resource": { "type": "record", "id": "1" } })),
    ] {
        let reply = stage.ask(&format!("/search/{path}"), &body).await;
        assert_eq!(reply.code(), (400, "request-malformed"), "{path} {body}");
    }
    for page in [
        json!({ "limit": 0 }),
        json!({ "limit": "x" }),
        json!({ "limit": -1 }),
        json!({ "token": 1 }),
        json!([]),
    ] {
        let mut body = good();
        body["page"] = page;
        assert_eq!(stage.ask("/search/subject", &body).await.code(), (400, "request-malformed"), "{body}");
    }
    let kinds =
        ["", "text/plain", "application/xml", "application/x-www-form-urlencoded", "application/jsonx"];
    for path in PATHS {
        for kind in kinds {
            let headers = if kind.is_empty() { vec![] } else { vec![("content-type", kind)] };
            let reply = stage.call((Method::POST, path), &stage.gateway, &headers, good().to_string()).await;
            assert_eq!(reply.code(), (400, "request-malformed"), "{path} {kind}");
        }
        for kind in ["application/json; charset=utf-8", "Application/JSON"] {
            let headers = [("content-type", kind), ("accept", "application/json; charset=utf-8")];
            let reply = stage.call((Method::POST, path), &stage.gateway, &headers, good().to_string()).await;
            assert_eq!(
                (reply.status, reply.headers["content-type"].to_str().unwrap()),
                (200, "application/json")
            );
        }
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
            let reply = stage.call((method, path), &stage.gateway, &[JSON], good().to_string()).await;
            assert_eq!(reply.code(), (405, "method-not-allowed"), "{path}");
        }
    }
    let reply = stage.call((Method::POST, "/access/v1/other"), &stage.gateway, &[JSON], "{}").await;
    assert_eq!(reply.status, 404);
    stage.stop().await;
}

#[tokio::test]
async fn an_answer_has_its_id_version_and_digest_and_says_why_only_to_whom_it_may() {
    let stage = Stage::start().await;
    let headers = [JSON, ("x-request-id", "bfe9eb29-ab87-4ca3-be83-a1d5d8305716")];
    let reply = stage.call((Method::POST, PATHS[0]), &stage.gateway, &headers, good().to_string()).await;
    assert_eq!(reply.headers["x-request-id"], "bfe9eb29-ab87-4ca3-be83-a1d5d8305716");
    for (id, same) in
        [("a word: (with) \"signs\"", true), (&*"x".repeat(256), true), (&*"x".repeat(257), false)]
    {
        let headers = [JSON, ("x-request-id", id)];
        let told = stage.call((Method::POST, PATHS[0]), &stage.gateway, &headers, good().to_string()).await;
        assert_eq!(told.headers["x-request-id"] == id, same, "{id}");
    }
    let context = |reply: &Reply, name: &str| reply.body["context"][name].as_str().unwrap().to_owned();
    assert!(context(&reply, "id").parse::<DecisionId>().is_ok());
    assert_eq!(context(&reply, "policy_version").len(), 64);
    // The digest is of what was put in, whatever its order and white space.
    let other = r#"{ "resource": {"id":"record-1", "type":"record"}, "action":{"name":"read"},"subject":{"id":"alice","type":"user"} }"#;
    let again = stage.call((Method::POST, PATHS[0]), &stage.gateway, &[JSON], other).await;
    assert_eq!(context(&again, "input_digest"), context(&reply, "input_digest"));
    assert_ne!(context(&again, "id"), context(&reply, "id"));
    let mut more = good();
    more["context"] = json!({ "b": 1, "a": 2 });
    let said = stage.ask("/evaluation", &more).await;
    assert_ne!(context(&said, "input_digest"), context(&reply, "input_digest"));
    let ordered = more.to_string().replace(r#""a":2,"b":1"#, r#""b":1,"a":2"#);
    let ordered = stage.call((Method::POST, PATHS[0]), &stage.gateway, &[JSON], ordered).await;
    assert_eq!(context(&said, "input_digest"), context(&ordered, "input_digest"));
    // The page shows a type with reasons; entitlements have none.
    assert_eq!(reply.body["context"]["reason"]["code"], "permitted");
    assert_eq!(reply.body["context"]["reason"]["policies"], json!(["records-read"]));
    let quiet = json!({ "subject": { "type": "user", "id": "carol" }, "action": { "name": "use" },
        "resource": { "type": "entitlement", "id": "no/thing" } });
    let reply = stage.ask("/evaluation", &quiet).await;
    assert!(!reply.decision() && reply.body["context"].get("reason").is_none(), "{reply:?}");
    // Carol has left, and nobody called mallory was ever here: a caller is told that where it may be.
    for (who, code) in [("carol", "subject-not-active"), ("mallory", "subject-unknown")] {
        let mut body = good();
        body["subject"]["id"] = who.into();
        assert_eq!(stage.ask("/evaluation", &body).await.body["context"]["reason"]["code"], json!(code));
    }
    stage.stop().await;
}

#[tokio::test]
async fn what_the_page_shows_is_what_is_answered() {
    let stage = Stage::start().await;
    let pairs = shown("json");
    assert!(pairs.len() >= 4 && pairs.len().is_multiple_of(2), "questions and answers");
    for pair in pairs.chunks(2) {
        let (asked, expect): (Value, Value) =
            (serde_json::from_str(&pair[0]).unwrap(), serde_json::from_str(&pair[1]).unwrap());
        let path = match (asked.get("evaluations"), asked["subject"].get("id")) {
            (Some(_), _) => "/evaluations",
            (None, None) => "/search/subject",
            (None, Some(_)) => "/evaluation",
        };
        let mut reply = stage.ask(path, &asked).await;
        same_ids(&mut reply.body, &expect);
        assert_eq!(reply.body, expect, "{asked}");
    }
    stage.stop().await;
}

/// Takes over from the page what is another each time.
fn same_ids(of: &mut Value, page: &Value) {
    match (of, page) {
        (Value::Object(of), Value::Object(page)) => {
            for (name, value) in of {
                match page.get(name) {
                    Some(shown)
                        if matches!(
                            name.as_str(),
                            "id" | "policy_version" | "input_digest" | "next_token"
                        ) && value.as_str().is_some_and(|text| text.len() > 20) =>
                    {
                        *value = shown.clone()
                    }
                    Some(shown) => same_ids(value, shown),
                    None => {}
                }
            }
        }
        (Value::Array(of), Value::Array(page)) => {
            of.iter_mut().zip(page).for_each(|(of, page)| same_ids(of, page))
        }
        _ => {}
    }
}
