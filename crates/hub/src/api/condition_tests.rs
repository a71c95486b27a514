//! `ETag`, `If-None-Match` and `If-Match` over HTTP.

use bailiwick_core::record::Actor;
use serde_json::json;

use super::{
    DESCRIPTION,
    stage_tests::{Stage, path_of},
};

#[tokio::test]
async fn what_is_read_has_a_tag_and_who_has_it_is_told_so() {
    let stage = Stage::start().await;
    let read = async |unless: &str| {
        let ask = stage.ask("GET", "/operators").by("viewer");
        if unless.is_empty() { ask.send().await } else { ask.with("If-None-Match", unless).send().await }
    };
    let first = read("").await;
    let tag = first.header("etag").to_owned();
    assert!(first.status == 200 && tag.starts_with('"') && tag.len() == 34, "{tag}");
    assert_eq!(read("").await.header("etag"), tag, "the same answer, the same tag");
    for unless in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".into()] {
        let same = read(&unless).await;
        assert_eq!(
            (same.status, same.text.as_str(), same.header("etag")),
            (304, "", tag.as_str()),
            "{unless}"
        );
    }
    assert_eq!(read("\"x\"").await.status, 200);
    let by = Actor::Operator("ada".into());
    stage.engine.add_operator("bo", ["operator".to_owned()].into(), None, 1, by).await.unwrap();
    let changed = read(&tag).await;
    assert!(changed.status == 200 && changed.header("etag") != tag);
    // A problem has none.
    assert_eq!(stage.ask("GET", "/cases/cas_x").by("viewer").send().await.header("etag"), "");
    stage.stop().await;
}

#[tokio::test]
async fn a_change_is_done_only_while_its_view_has_the_tag() {
    let stage = Stage::start().await;
    let view = async || stage.ask("GET", "/configuration").by("admin").send().await;
    let policy = r#"@id("one") permit(principal is Rule, action == Action::"approve", resource);"#;
    let mut bundle = json!({ "files": { "policies/all.cedar": policy } });
    let change = stage.ask("POST", "/configuration/change").by("admin").json(&bundle).send().await;
    bundle["seen"] = change.json()["digest"].clone();
    let put = async |tag: &str| {
        stage.ask("PUT", "/configuration").by("admin").with("If-Match", tag).json(&bundle).send().await
    };
    let asked = async || {
        stage.ask("GET", "/plans").by("admin").send().await.json()["items"].as_array().unwrap().len()
    };
    // Operators who were added wait for plans of their own.
    let first = asked().await;
    let before = view().await;
    for stale in ["\"x\"", &format!("W/{}", before.header("etag")), ""] {
        let refused = put(stale).await;
        assert_eq!((refused.status, refused.code().as_str()), (412, "view-changed"), "{stale}");
    }
    assert_eq!(asked().await, first, "nothing was done");
    stage.policy("policies/other.cedar", "").await;
    assert_eq!(put(before.header("etag")).await.code(), "view-changed");
    assert_eq!(asked().await, first, "nothing was done");
    // What was seen is not what would be done any more, and that is looked at beside the tag.
    assert_eq!(put(view().await.header("etag")).await.code(), "configuration-changed");
    let change = stage.ask("POST", "/configuration/change").by("admin").json(&bundle).send().await;
    let bundle = json!({ "files": bundle["files"], "seen": change.json()["digest"] });
    let tag = view().await.header("etag").to_owned();
    let done =
        stage.ask("PUT", "/configuration").by("admin").with("If-Match", &tag).json(&bundle).send().await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert!(asked().await > first);
    stage.stop().await;
}

#[tokio::test]
async fn no_change_is_done_under_a_condition_that_does_not_hold() {
    let stage = Stage::start().await;
    for one in DESCRIPTION.operations().filter(|one| one.keyed()) {
        let path = path_of(one, &Default::default());
        let reply = stage.ask(one.verb.as_str(), &path).by("admin").with("If-Match", "\"x\"").send().await;
        assert_eq!((reply.status, reply.code().as_str()), (412, "view-changed"), "{}", one.id);
    }
    stage.stop().await;
}
