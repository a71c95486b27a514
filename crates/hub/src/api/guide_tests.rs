//! The examples of `docs/api.md` do what it says of them.

use std::path::Path;

use super::stage_tests::Stage;

/// What stands behind an option of a call, in quotes.
fn behind<'c>(call: &'c str, option: &str) -> Vec<&'c str> {
    let option = format!("{option} ");
    let parts = call.split(option.as_str()).skip(1);
    parts
        .filter_map(|rest| {
            let quote = rest.chars().next().filter(|sign| *sign == '\'' || *sign == '"')?;
            rest[1..].split(quote).next()
        })
        .collect()
}

#[tokio::test]
async fn the_examples_of_the_guide_work() {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md")).unwrap();
    let stage = Stage::start().await;
    let mut calls = 0;
    for call in text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        calls += 1;
        let method = call.split("-X ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or("GET");
        let path = call.split("$HUB/api/v1").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let mut ask = stage.ask(method, path).by("admin");
        for header in behind(call, "-H") {
            let (name, value) = header.split_once(": ").unwrap();
            if name != "Authorization" {
                ask = ask.with(name, value);
            }
        }
        if let Some(body) = behind(call, "-d").first() {
            ask = ask.body(body.as_bytes().to_vec());
        }
        let reply = ask.send().await;
        let expect = if path.contains("stat=open") { 400 } else { 200 };
        assert_eq!(reply.status, expect, "{call}{}", reply.text);
    }
    assert!(calls >= 4, "{calls}");
    stage.stop().await;
}
