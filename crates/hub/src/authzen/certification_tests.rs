//! The scenario of the certification, over HTTP, with the configuration that the page shows.
//!
//! | who | does | record-1 | record-2, archived |
//! |---|---|---|---|
//! | alice | read | yes | yes |
//! | alice | write | yes | no, but as `role` `admin` |
//! | alice | delete, `soft` | yes | yes |
//! | bob | read | yes | yes |
//! | bob | write, delete | no | no |

use serde_json::{Value, json};

use super::stage_tests::Stage;

fn subject(id: &str) -> Value {
    json!({ "type": "user", "id": id })
}

fn record(id: &str) -> Value {
    json!({ "type": "record", "id": id })
}

fn with(mut of: Value, properties: Value) -> Value {
    of["properties"] = properties;
    of
}

fn action(name: &str) -> Value {
    json!({ "name": name })
}

/// The questions of the basic level, with the answers.
fn basic() -> Vec<(Value, Value, Value, bool)> {
    let mut all = Vec::new();
    for (who, what, which, expect) in [
        ("alice", "read", "record-1", true),
        ("alice", "write", "record-1", true),
        ("alice", "read", "record-2", true),
        ("alice", "write", "record-2", false),
        ("bob", "read", "record-1", true),
        ("bob", "write", "record-1", false),
        ("bob", "read", "record-2", true),
        ("bob", "write", "record-2", false),
        ("bob", "delete", "record-1", false),
        ("alice", "delete", "record-1", false),
        ("alice", "approve", "record-1", false),
        ("carol", "read", "record-1", false),
        ("mallory", "read", "record-1", false),
        ("alice", "read", "record-3", true),
    ] {
        all.push((subject(who), action(what), record(which), expect));
    }
    // What is said of subject, action and resource.
    let status = |of: &str| json!({ "status": of });
    let role = |of: &str| json!({ "role": of });
    let soft = |of: bool| json!({ "soft": of });
    for (who, what, which, expect) in [
        (subject("alice"), action("write"), with(record("record-1"), status("archived")), false),
        (subject("alice"), action("write"), with(record("record-1"), status("active")), true),
        (
            with(subject("alice"), role("admin")),
            action("write"),
            with(record("record-1"), status("archived")),
            true,
        ),
        (
            with(subject("alice"), role("user")),
            action("write"),
            with(record("record-1"), status("archived")),
            false,
        ),
        (with(subject("bob"), role("admin")), action("write"), record("record-1"), false),
        (with(subject("bob"), role("admin")), action("read"), record("record-1"), true),
        (with(subject("alice"), role("admin")), action("write"), record("record-2"), true),
        (subject("alice"), with(action("delete"), soft(true)), record("record-1"), true),
        (subject("alice"), with(action("delete"), soft(false)), record("record-1"), false),
        (subject("bob"), with(action("delete"), soft(true)), record("record-1"), false),
        (subject("alice"), with(action("read"), json!({ "method": "GET" })), record("record-1"), true),
    ] {
        all.push((who, what, which, expect));
    }
    all
}

#[tokio::test]
async fn the_basic_level_core_and_properties() {
    let stage = Stage::start().await;
    let all = basic();
    assert_eq!(all.len(), 25);
    for (subject, action, resource, expect) in &all {
        let body = json!({ "subject": subject, "action": action, "resource": resource });
        let plain = stage.ask("/evaluation", &body).await;
        assert_eq!(plain.decision(), *expect, "{body}");
        // A context, and what nobody knows at any level, changes nothing.
        let mut more = body.clone();
        more["context"] = json!({ "time": "2026-06-01T00:00:00Z", "nested": { "a": [1, null] } });
        more["unknown"] = json!([1, 2]);
        for of in ["subject", "action", "resource"] {
            more[of]["unknown"] = json!({ "x": true });
        }
        assert_eq!(stage.ask("/evaluation", &more).await.decision(), *expect, "{more}");
        // The same question as a batch of none is the same.
        assert_eq!(stage.ask("/evaluations", &body).await.decision(), *expect, "{body}");
    }
    stage.stop().await;
}

#[tokio::test]
async fn the_batch_level() {
    let stage = Stage::start().await;
    let all = basic();
    let items: Vec<Value> =
        all.iter().map(|(s, a, r, _)| json!({ "subject": s, "action": a, "resource": r })).collect();
    let reply = stage.ask("/evaluations", &json!({ "evaluations": items })).await;
    let decisions = |reply: &super::stage_tests::Reply| -> Vec<bool> {
        assert_eq!(reply.status, 200, "{reply:?}");
        let list = reply.body["evaluations"].as_array().unwrap_or_else(|| panic!("{reply:?}"));
        list.iter().map(|item| item["decision"].as_bool().unwrap()).collect()
    };
    assert_eq!(decisions(&reply), all.iter().map(|(.., expect)| *expect).collect::<Vec<_>>());

    let item = |who: &str, what: &str, which: &str| json!({ "subject": subject(who), "action": action(what), "resource": record(which) });
    let (yes, no) = (item("alice", "read", "record-1"), item("bob", "write", "record-1"));
    for (semantic, items, expect) in [
        (json!({}), vec![&yes, &no, &yes], vec![true, false, true]),
        (json!({ "evaluations_semantic": "execute_all" }), vec![&no, &yes, &no], vec![false, true, false]),
        (json!({ "evaluations_semantic": "deny_on_first_deny" }), vec![&yes, &no, &yes], vec![true, false]),
        (json!({ "evaluations_semantic": "deny_on_first_deny" }), vec![&yes, &yes], vec![true, true]),
        (
            json!({ "evaluations_semantic": "permit_on_first_permit" }),
            vec![&no, &yes, &no],
            vec![false, true],
        ),
        (json!({ "evaluations_semantic": "permit_on_first_permit" }), vec![&no, &no], vec![false, false]),
        (json!({ "another": 1 }), vec![&no, &yes], vec![false, true]),
    ] {
        let body = json!({ "options": semantic, "evaluations": items });
        assert_eq!(decisions(&stage.ask("/evaluations", &body).await), expect, "{body}");
    }

    // Defaults are taken whole, and nothing of them is mixed in.
    let defaults = json!({
        "subject": with(subject("alice"), json!({ "role": "admin" })), "action": action("write"), "resource": record("record-2"),
        "evaluations": [
            {},
            { "resource": record("record-1") },
            { "subject": subject("alice") },
            { "subject": subject("bob"), "action": action("read") },
            { "action": { "name": "read", "properties": { "soft": true } } },
            { "context": { "hour": 3 } },
        ],
    });
    assert_eq!(decisions(&stage.ask("/evaluations", &defaults).await), [true, true, false, true, true, true]);

    // What fails of several is denied by itself, and says why.
    let broken = json!({ "action": action("read"), "resource": record("record-1"), "evaluations": [
        { "subject": subject("alice") }, {}, { "subject": { "type": "user" } }, { "subject": "alice" }, 7, null,
        { "subject": subject("alice"), "resource": { "type": "door", "id": "1" } },
        { "subject": subject("bob") },
    ]});
    let reply = stage.ask("/evaluations", &broken).await;
    assert_eq!(decisions(&reply), [true, false, false, false, false, false, false, true]);
    let statuses: Vec<&Value> = reply.body["evaluations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| &i["context"]["error"]["status"])
        .collect();
    assert_eq!(
        statuses,
        [
            &Value::Null,
            &json!(400),
            &json!(400),
            &json!(400),
            &json!(400),
            &json!(400),
            &Value::Null,
            &Value::Null
        ]
    );
    assert!(
        reply.body["evaluations"][1]["context"]["error"]["message"].as_str().unwrap().contains("`subject`")
    );
    stage.stop().await;
}

#[tokio::test]
async fn the_search_level() {
    let stage = Stage::start().await;
    for (path, body, expect) in [
        (
            "subject",
            json!({ "subject": { "type": "user" }, "action": action("read"), "resource": record("record-1") }),
            vec!["alice", "bob"],
        ),
        (
            "subject",
            json!({ "subject": { "type": "user" }, "action": action("write"), "resource": record("record-1") }),
            vec!["alice"],
        ),
        (
            "subject",
            json!({ "subject": { "type": "user" }, "action": action("write"), "resource": record("record-2") }),
            vec![],
        ),
        // A stray id is not looked at.
        (
            "subject",
            json!({ "subject": { "type": "user", "id": "bob" }, "action": action("write"), "resource": record("record-1") }),
            vec!["alice"],
        ),
        (
            "subject",
            json!({ "subject": { "type": "user", "properties": { "role": "admin" } }, "action": action("write"), "resource": record("record-2") }),
            vec!["alice"],
        ),
        (
            "subject",
            json!({ "subject": { "type": "alien" }, "action": action("read"), "resource": record("record-1") }),
            vec![],
        ),
        (
            "subject",
            json!({ "subject": { "type": "user" }, "action": action("read"), "resource": { "type": "door", "id": "1" } }),
            vec![],
        ),
        (
            "subject",
            json!({ "subject": { "type": "user" }, "action": action("burn"), "resource": record("record-1") }),
            vec![],
        ),
        (
            "resource",
            json!({ "subject": subject("alice"), "action": action("read"), "resource": { "type": "record" } }),
            vec!["record-1", "record-2"],
        ),
        (
            "resource",
            json!({ "subject": subject("alice"), "action": action("write"), "resource": { "type": "record", "id": "record-2" } }),
            vec!["record-1"],
        ),
        (
            "resource",
            json!({ "subject": subject("bob"), "action": action("write"), "resource": { "type": "record" } }),
            vec![],
        ),
        (
            "resource",
            json!({ "subject": subject("mallory"), "action": action("read"), "resource": { "type": "record" } }),
            vec![],
        ),
        (
            "resource",
            json!({ "subject": subject("alice"), "action": action("read"), "resource": { "type": "door" } }),
            vec![],
        ),
        (
            "action",
            json!({ "subject": subject("alice"), "resource": record("record-1") }),
            vec!["read", "write"],
        ),
        (
            "action",
            json!({ "subject": subject("alice"), "action": action("delete"), "resource": record("record-2") }),
            vec!["read"],
        ),
        (
            "action",
            json!({ "subject": subject("bob"), "resource": record("record-1"), "context": { "x": 1 } }),
            vec!["read"],
        ),
        ("action", json!({ "subject": subject("mallory"), "resource": record("record-1") }), vec![]),
        ("action", json!({ "subject": subject("alice"), "resource": { "type": "door", "id": "1" } }), vec![]),
    ] {
        let reply = stage.ask(&format!("/search/{path}"), &body).await;
        assert_eq!(reply.found(), expect, "{path} {body}");
        for item in reply.body["results"].as_array().unwrap() {
            match path {
                "action" => assert!(item.get("type").is_none(), "{item}"),
                _ => assert_eq!(item["type"], body[path]["type"], "{item}"),
            }
        }
        assert_eq!(reply.body["page"]["next_token"], "", "{path} {body}");
        assert_eq!(reply.body["page"]["count"], json!(expect.len()));
    }
    // Page by page, with everything else the same.
    let mut body = json!({ "subject": { "type": "user" }, "action": action("read"), "resource": record("record-1"),
        "page": { "limit": 1, "properties": { "sort": "x" } } });
    let mut all = Vec::new();
    loop {
        let reply = stage.ask("/search/subject", &body).await;
        let found = reply.found();
        assert!(found.len() <= 1);
        all.extend(found);
        match reply.body["page"]["next_token"].as_str().unwrap() {
            "" => break,
            next => body["page"]["token"] = next.into(),
        }
    }
    all.sort();
    assert_eq!(all, ["alice", "bob"]);
    stage.stop().await;
}

#[tokio::test]
async fn the_discovery_level() {
    let stage = Stage::start().await;
    let path = (reqwest::Method::GET, "/.well-known/authzen-configuration");
    // Whatever a request calls the hub, it has the address that it was told.
    let headers = [("host", "evil.example"), ("x-forwarded-host", "evil.example")];
    let reply = stage.call(path, "", &headers, "").await;
    let at = "https://hub.acme.example";
    assert_eq!((reply.status, &reply.body["policy_decision_point"]), (200, &json!(at)));
    assert_eq!(reply.headers["content-type"], "application/json");
    for (name, path) in [
        ("access_evaluation_endpoint", "/access/v1/evaluation"),
        ("access_evaluations_endpoint", "/access/v1/evaluations"),
        ("search_subject_endpoint", "/access/v1/search/subject"),
        ("search_resource_endpoint", "/access/v1/search/resource"),
        ("search_action_endpoint", "/access/v1/search/action"),
    ] {
        assert_eq!(reply.body[name], json!(format!("{at}{path}")), "{name}");
        let there = stage.call((reqwest::Method::POST, path), "", &[], "").await;
        assert_eq!(there.code(), (401, "caller-token-refused"), "what is said to be there is");
    }
    assert!(reply.body.get("capabilities").is_none(), "what has no value is left out");
    stage.stop().await;
}
