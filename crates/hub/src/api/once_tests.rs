//! `Idempotency-Key` over HTTP, judged by what is in the store.

use bailiwick_core::id::Tenant;
use bailiwick_store::{
    Select, Table,
    entities::{Operator, Session},
    select,
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::stage_tests::{Reply, Stage};

const KEY: &str = "Idempotency-Key";

async fn sessions(stage: &Stage) -> usize {
    let mut tx = stage.engine.parts().store.read().await.unwrap();
    select::<Session>(&mut *tx, &Tenant::single(), Select::from(Table::Sessions)).await.unwrap().len()
}

async fn operator(stage: &Stage, name: &str) -> Operator {
    let mut tx = stage.engine.parts().store.read().await.unwrap();
    let all = select::<Operator>(&mut *tx, &Tenant::single(), Select::from(Table::Operators)).await.unwrap();
    all.into_iter().map(|stored| stored.value).find(|one| one.name == name).unwrap()
}

async fn offer(stage: &Stage, role: &str, key: &str) -> Reply {
    stage.ask("POST", "/sessions").by(role).with(KEY, key).send().await
}

#[tokio::test]
async fn the_same_request_is_done_once_and_answered_alike() {
    let stage = Stage::start().await;
    let session = offer(&stage, "admin", "k-0").await.json()["session"].as_str().unwrap().to_owned();
    let path = format!("/sessions/{session}");
    let end = async |key: &str| stage.ask("DELETE", &path).by("admin").with(KEY, key).send().await;
    let first = end("\"k-1\"").await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (204, ""), "{}", first.text);
    // A key is the same key in quotes and without.
    for key in ["\"k-1\"", "k-1"] {
        let again = end(key).await;
        assert_eq!(
            (again.status, again.text.as_str(), again.header("idempotent-replayed")),
            (204, "", "true")
        );
    }
    // It was done. A refusal is an answer too.
    for replayed in ["", "true"] {
        let gone = end("k-2").await;
        assert_eq!((gone.status, gone.code().as_str()), (404, "not-found"));
        assert_eq!(
            (gone.header("idempotent-replayed"), gone.header("content-type")),
            (replayed, "application/problem+json")
        );
    }
    // An answer with a body comes back as it was.
    let check = async |body: Value| {
        stage.ask("POST", "/evidence/check").by("admin").with(KEY, "k-3").json(&body).send().await
    };
    let (one, two) = (check(json!({})).await, check(json!({})).await);
    assert_eq!((one.status, one.text.as_str()), (200, two.text.as_str()));
    assert_eq!((two.header("idempotent-replayed"), two.header("content-type")), ("true", "application/json"));
    // Another body, another path, another query: another request.
    let other =
        stage.ask("POST", "/systems/chat/reconciliation?full=true").by("admin").with(KEY, "k-4").send().await;
    assert_eq!(other.code(), "not-found");
    let query = stage.ask("POST", "/systems/chat/reconciliation").by("admin").with(KEY, "k-4").send().await;
    for reply in [check(json!({ "earlier": "x" })).await, offer(&stage, "admin", "k-1").await, query] {
        assert_eq!((reply.status, reply.code().as_str()), (422, "idempotency-key-reused"), "{}", reply.text);
    }
    assert_eq!(sessions(&stage).await, 0);
    // Somebody else's key is another key.
    assert_eq!(offer(&stage, "viewer", "k-1").await.status, 201);
    stage.stop().await;
}

#[tokio::test]
async fn a_secret_is_shown_once_and_kept_nowhere() {
    let stage = Stage::start().await;
    let first = offer(&stage, "admin", "k").await;
    assert_eq!((first.status, first.header("cache-control")), (201, "no-store"));
    let again = offer(&stage, "admin", "k").await;
    assert_eq!((again.status, again.code().as_str()), (409, "idempotency-answer-not-kept"));
    assert!(again.text.contains("status 201"), "{}", again.text);
    assert_eq!(sessions(&stage).await, 1);
    let code = first.json()["code"].as_str().unwrap().to_owned();
    let mut tx = stage.engine.parts().store.read().await.unwrap();
    for table in Table::ALL {
        for row in tx.select(&Tenant::single(), Select::from(table)).await.unwrap() {
            assert!(!String::from_utf8_lossy(&row.body).contains(&code), "{}", table.name());
        }
    }
    drop(tx);
    stage.stop().await;
}

#[tokio::test]
async fn of_many_at_once_one_is_done() {
    let stage = Stage::start().await;
    let replies = join_all((0..12).map(|_| offer(&stage, "operator", "k"))).await;
    let done = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!((done, sessions(&stage).await), (1, 1));
    for reply in replies.iter().filter(|reply| reply.status != 201) {
        let code = reply.code();
        assert!(
            ["idempotency-key-in-use", "idempotency-answer-not-kept"].contains(&code.as_str()),
            "{}",
            reply.text
        );
    }
    stage.stop().await;
}

#[tokio::test]
async fn what_was_begun_and_never_answered_is_not_done_again() {
    let stage = Stage::start().await;
    let who = operator(&stage, "operator").await;
    // As a process leaves it that dies before it answers.
    let seal = stage.engine.request_seal(&[b"POST", b"/sessions", b""]);
    stage.engine.begin_request(&who, "offer-session", "k", seal).await.unwrap();
    for _ in 0..2 {
        let reply = offer(&stage, "operator", "k").await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (409, "idempotency-key-unanswered"),
            "{}",
            reply.text
        );
        assert!(reply.json()["help"].as_str().unwrap().contains("look at what there is now"));
    }
    assert_eq!(sessions(&stage).await, 0);
    stage.stop().await;
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_before_anything_is_done() {
    let stage = Stage::start().await;
    for key in ["", "a b", "\"a", &"x".repeat(129)] {
        let reply = offer(&stage, "operator", key).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "request-malformed"), "{key}");
    }
    assert_eq!(sessions(&stage).await, 0);
    stage.stop().await;
}
