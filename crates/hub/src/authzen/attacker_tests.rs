//! What somebody with a token might try: too much, too deep, in the name of another, and saying what is for the hub to know.

use bailiwick_core::record::{Logged, RecordKind};
use reqwest::Method;
use serde_json::{Value, json};

use super::stage_tests::Stage;

const JSON: (&str, &str) = ("content-type", "application/json");

fn write(who: &str, which: &str) -> Value {
    json!({ "subject": { "type": "user", "id": who }, "action": { "name": "write" },
        "resource": { "type": "record", "id": which } })
}

#[tokio::test]
async fn too_much_and_too_deep_is_refused_and_the_hub_goes_on() {
    let stage = Stage::start().await;
    let many = |n: usize| json!({ "evaluations": vec![write("alice", "record-1"); n] });
    assert_eq!(stage.ask("/evaluations", &many(1_001)).await.code(), (400, "too-many-evaluations"));
    let reply = stage.ask("/evaluations", &many(1_000)).await;
    assert_eq!(reply.body["evaluations"].as_array().unwrap().len(), 1_000);
    let deep =
        format!(r#"{{"context":{}{}}}"#, r#"{"a":"#.repeat(20_000), "1".to_owned() + &"}".repeat(20_000));
    let path = (Method::POST, "/access/v1/evaluation");
    assert_eq!(
        stage.call(path.clone(), &stage.gateway, &[JSON], deep).await.code(),
        (400, "request-malformed")
    );
    let long = format!(r#"{{"subject":{{"type":"user","id":"{}"}}}}"#, "x".repeat(1024 * 1024));
    assert_eq!(
        stage.call(path.clone(), &stage.gateway, &[JSON], long).await.code(),
        (413, "request-too-large")
    );
    let mut large = write("alice", "record-1");
    large["context"]["x"] = "y".repeat(500_000).into();
    assert!(stage.ask("/evaluation", &large).await.decision());
    let id = "ü\u{202e}'\"--%00/../".repeat(1_000);
    assert!(!stage.ask("/evaluation", &write(&id, &id)).await.decision());
    assert!(!stage.ask("/evaluation", &write("alice\0", "record-1")).await.decision());
    assert!(stage.ask("/evaluation", &write("alice", "record-1")).await.decision());
    stage.stop().await;
}

#[tokio::test]
async fn what_is_said_does_not_become_what_is_known() {
    let stage = Stage::start().await;
    // Bob is a reader, whatever a caller says of him; record-2 is archived, and so it stays.
    for said in [
        json!({ "department": "Editors" }),
        json!({ "principal": { "department": "Editors" } }),
        json!({ "kind": "person", "department": ["Editors"] }),
        json!({ "role": "admin", "department": "Editors" }),
    ] {
        let mut body = write("bob", "record-1");
        body["subject"]["properties"] = said.clone();
        assert!(!stage.ask("/evaluation", &body).await.decision(), "{body}");
        body["context"] = said;
        assert!(!stage.ask("/evaluation", &body).await.decision(), "{body}");
    }
    for status in [json!("active"), json!(null), json!("")] {
        let mut body = write("alice", "record-2");
        body["resource"]["properties"] = json!({ "status": status });
        assert!(!stage.ask("/evaluation", &body).await.decision(), "{body}");
    }
    // Of another type than declared it is not taken for nothing.
    for (of, properties) in
        [("subject", json!({ "role": 7 })), ("resource", json!({ "status": ["archived"] }))]
    {
        let mut body = write("alice", "record-1");
        body[of]["properties"] = properties;
        let reply = stage.ask("/evaluation", &body).await;
        assert!(
            !reply.decision() && reply.body["context"]["reason"]["code"] == "property-wrong-type",
            "{body}"
        );
    }
    // Somebody who has left is not let in by being called otherwise.
    for who in ["carol", "hr/carol", "CAROL", " carol", "carol "] {
        assert!(!stage.ask("/evaluation", &write(who, "record-1")).await.decision(), "{who}");
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_page_is_for_whoever_got_its_token() {
    let stage = Stage::start().await;
    let mut body = json!({ "subject": { "type": "user" }, "action": { "name": "read" },
        "resource": { "type": "record", "id": "record-1" }, "page": { "limit": 1 } });
    let first = stage.ask("/search/subject", &body).await;
    let next = first.body["page"]["next_token"].as_str().unwrap().to_owned();
    assert!(!next.is_empty() && !next.contains("alice"));
    body["page"]["token"] = next.clone().into();
    let path = (Method::POST, "/access/v1/search/subject");
    let stranger = stage.call(path, &stage.stranger, &[JSON], body.to_string()).await;
    assert_eq!(stranger.code(), (400, "page-token-refused"));
    let mut other = body.clone();
    other["resource"]["id"] = "record-2".into();
    assert_eq!(stage.ask("/search/subject", &other).await.code(), (400, "page-token-refused"));
    for token in [next.replace(&next[..4], "0000"), format!("{next}00"), "x".repeat(100_000)] {
        body["page"]["token"] = token.into();
        assert_eq!(stage.ask("/search/subject", &body).await.code(), (400, "page-token-refused"));
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_denial_is_on_record_when_it_is_told_and_says_nothing_personal() {
    let stage = Stage::start().await;
    let mut ids = Vec::new();
    for who in ["bob", "carol", "mallory-the-secret"] {
        let reply = stage.ask("/evaluation", &write(who, "record-1")).await;
        assert!(!reply.decision() && reply.body["context"].get("evidence").is_none(), "{reply:?}");
        ids.push(reply.body["context"]["id"].as_str().unwrap().to_owned());
        let mut tx = stage.engine.parts().store.read().await.unwrap();
        let entries = tx.written(0, 100_000).await.unwrap();
        let denials = entries.iter().filter_map(|entry| Logged::parse(&entry.bytes).ok());
        let denials: Vec<Logged> =
            denials.filter(|logged| logged.kind == RecordKind::AccessDecided).collect();
        let decisions: Vec<&str> =
            denials.iter().map(|logged| logged.facts["decision"].as_str().unwrap()).collect();
        assert_eq!(decisions, ids);
        let secret = entries.iter().any(|entry| String::from_utf8_lossy(&entry.bytes).contains("mallory"));
        assert!(!secret);
    }
    // That somebody asked outside of its scope is on record as well.
    let path = (Method::POST, "/access/v1/evaluation");
    let reply = stage.call(path, &stage.stranger, &[JSON], write("alice", "record-1").to_string()).await;
    assert_eq!(reply.status, 403);
    stage.stop().await;
}
