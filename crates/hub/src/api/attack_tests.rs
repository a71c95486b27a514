//! What an attacker sends: too long, too deep, two readings, other people's paths, lines in headers. The hub refuses it with
//! a code, and goes on.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    DESCRIPTION, Described, Verb,
    body::USUAL,
    stage_tests::{Stage, path_of},
};

fn nested(depth: usize) -> Vec<u8> {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth)).into_bytes()
}

fn takes_json() -> impl Iterator<Item = &'static Described> {
    DESCRIPTION
        .operations()
        .filter(|one| one.body.as_ref().is_some_and(|body| body.media == "application/json"))
}

async fn sent(stage: &Stage, one: &Described, body: Vec<u8>, kind: Option<&str>) -> (u16, String) {
    let ask = stage.ask(one.verb.as_str(), &path_of(one, &BTreeMap::new())).by("admin").body(body);
    let ask = match kind {
        Some(kind) => ask.with("content-type", kind),
        None => ask,
    };
    let reply = ask.send().await;
    (reply.status, reply.code())
}

#[tokio::test]
async fn a_body_that_is_too_deep_too_long_or_ambiguous_is_refused_everywhere() {
    let stage = Stage::start().await;
    let malformed = (400, "request-malformed".to_owned());
    for one in takes_json() {
        let json = Some("application/json");
        assert_eq!(sent(&stage, one, nested(100_000), json).await, malformed, "{}", one.id);
        assert_eq!(sent(&stage, one, b"{\"a\":".repeat(20_000), json).await, malformed, "{}", one.id);
        assert_eq!(sent(&stage, one, Vec::new(), json).await, malformed, "{}", one.id);
        assert_eq!(sent(&stage, one, b"\xff\xfe".to_vec(), json).await, malformed, "{}", one.id);
        assert_eq!(
            sent(&stage, one, b"{\"reason\":\"\\u0000\"}".to_vec(), json).await,
            malformed,
            "{}",
            one.id
        );
        assert_eq!(sent(&stage, one, br#"{"x":1,"x":2}"#.to_vec(), json).await, malformed, "{}", one.id);
        assert_eq!(sent(&stage, one, b"{} {}".to_vec(), json).await, malformed, "{}", one.id);
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "json"] {
            let expect = (415, "content-type-unsupported".to_owned());
            assert_eq!(sent(&stage, one, b"{}".to_vec(), Some(kind)).await, expect, "{} {kind}", one.id);
        }
        let long = vec![b' '; one.limit.unwrap_or(USUAL) + 1];
        assert_eq!(sent(&stage, one, long, json).await, (413, "request-too-large".to_owned()), "{}", one.id);
    }
    stage.stop().await;
}

#[tokio::test]
async fn json_is_json_whatever_else_its_name_says() {
    let stage = Stage::start().await;
    let check = DESCRIPTION.operations().find(|one| one.id == "check-evidence").unwrap();
    for kind in
        [Some("application/json"), Some("Application/JSON; charset=utf-8"), Some("application/x+json"), None]
    {
        assert_eq!(sent(&stage, check, b"{}".to_vec(), kind).await.0, 200, "{kind:?}");
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_name_in_a_path_is_a_name_and_no_way() {
    let stage = Stage::start().await;
    let bad = [
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "a%2f..%2fb",
        "%00",
        "a%0d%0ab",
        "%ff",
        "%F0%9F%92%A3",
        "'%20or%201=1--",
        "*",
        "%25",
    ];
    for one in DESCRIPTION.operations().filter(|one| !one.segments.is_empty()) {
        for text in bad {
            let mut path = one.path.to_owned();
            for (name, _) in &one.segments {
                path = path.replace(&format!("{{{name}}}"), text);
            }
            let body = one.body.as_ref().filter(|body| body.media == "application/json");
            let mut ask = stage.ask(one.verb.as_str(), &path).by("admin");
            if let Some(body) = body {
                ask = ask.json(&super::example::of(&DESCRIPTION, &body.schema));
            }
            let reply = ask.send().await;
            assert!((400..500).contains(&reply.status), "{} {text}: {} {}", one.id, reply.status, reply.text);
            assert!(!reply.headers.contains_key("b"), "{}", one.id);
        }
    }
    stage.stop().await;
}

#[tokio::test]
async fn absurd_pages_and_unknown_parameters_are_refused_or_harmless() {
    let stage = Stage::start().await;
    for one in DESCRIPTION.operations().filter(|one| one.verb == Verb::Get) {
        let path = path_of(one, &BTreeMap::new());
        let ask = async |query: &str| stage.ask("GET", &format!("{path}?{query}")).by("admin").send().await;
        for query in ["no-such-thing=1", "limit=1&limit=2", "%00=1", "wait=%00"] {
            let reply = ask(query).await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (400, "request-malformed"),
                "{} {query}",
                one.id
            );
        }
        let paged = one.query.iter().any(|parameter| parameter.name == "after");
        for query in ["limit=-1", "limit=x", "limit=99999999999999999999", "limit=1.5", "limit="] {
            let reply = ask(query).await;
            assert_eq!(reply.status, 400, "{} {query}: {}", one.id, reply.text);
        }
        if !paged {
            continue;
        }
        for query in [
            "limit=0",
            "limit=4294967295",
            "after=",
            "after=%ff%ff",
            "after=zzz",
            "after=%F0%9F%92%A3",
            "after='",
        ] {
            let reply = ask(query).await;
            assert!([200, 400, 404].contains(&reply.status), "{} {query}: {}", one.id, reply.text);
        }
        let long = ask(&format!("after={}", "9".repeat(30_000))).await;
        assert!(long.status < 500, "{}: {}", one.id, long.status);
    }
    stage.stop().await;
}

/// What comes back for bytes that no client library would send.
async fn raw(stage: &Stage, bytes: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(stage.running.address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    // A connection that the server closes in anger is an end too.
    let _ = stream.read_to_end(&mut all).await;
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test]
async fn lines_in_headers_and_ids_come_back_nowhere() {
    let stage = Stage::start().await;
    let token = stage.token("admin");
    let get = |path: &str, more: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{more}\r\n"
        )
    };
    for id in ["a%0d%0aSet-Cookie: x=1", "a\rSet-Cookie: x=1", "<script>", &"x".repeat(65)] {
        let answer = raw(&stage, &get("/api/v1/status", &format!("X-Request-Id: {id}\r\n"))).await;
        assert!(!answer.to_lowercase().contains("set-cookie") && !answer.contains("<script>"), "{answer}");
    }
    for path in
        ["/api/v1/../../etc/passwd", "/api/v1//status", "/api/v1/plans/../status", "/api/v1/%2e%2e/status"]
    {
        let answer = raw(&stage, &get(path, "")).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
    }
    // Two lengths, and a length beside chunks: where one request ends must be nobody's guess.
    let post = |more: &str| {
        format!(
            "POST /api/v1/evidence/check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{more}\r\n"
        )
    };
    for more in
        ["Content-Length: 2\r\nContent-Length: 3\r\n", "Content-Length: x\r\n", "Content-Length: -1\r\n"]
    {
        let answer = raw(&stage, &format!("{}{{}}GET /x HTTP/1.1\r\n\r\n", post(more))).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{more}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{more}: {answer}");
    }
    // It goes on.
    assert_eq!(stage.ask("GET", "/status").by("admin").send().await.status, 200);
    stage.stop().await;
}

#[tokio::test]
async fn a_token_in_the_address_opens_nothing() {
    let stage = Stage::start().await;
    for name in ["token", "access_token", "authorization"] {
        let path = format!("/status?{name}={}", stage.token("admin"));
        assert_eq!(stage.ask("GET", &path).send().await.status, 401, "{name}");
    }
    let body: Value = json!({ "token": stage.token("admin") });
    assert_eq!(stage.ask("POST", "/evidence/check").json(&body).send().await.status, 401);
    stage.stop().await;
}
