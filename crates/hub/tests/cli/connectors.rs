//! What can be connected, and descriptions of APIs: valid ones and each way to be wrong.

use crate::{
    golden,
    world::{Outcome, World},
};

const GOOD: &str = r#"name = "ticketing"
title = "Ticketing"
version = "1"
docs = "https://tickets.example/api"
auth = { style = "header", header = "X-Api-Key" }
paging = { style = "cursor", cursor = "after", size = "limit", next = "/meta/next" }

[accounts]
items = "/data"
id = "/id"
name = "/login"
live = { at = "/status", is = "active" }
list = { call = "GET /v1/users" }
get = { call = "GET /v1/users/{id}" }
disable = [{ call = "POST /v1/users/{id}/suspend" }]
"#;

#[test]
fn a_description_is_checked_and_says_what_it_lets_the_hub_do() {
    let world = World::empty();
    world.write("good.toml", GOOD);
    let good = world.run(&["connector", "check", "good.toml"]).well();
    let json = world.run(&["connector", "check", "good.toml", "--json"]).well().json();
    assert_eq!(json["scope"][2], "update POST /v1/users/{id}/suspend");
    assert_eq!(json["observes"], serde_json::json!(["primary-account"]));
    let shipped = world.run(&["connector", "check", "keycloak"]).well();
    let mut transcript: Vec<Outcome> = Vec::new();
    for (from, to, code, place) in [
        ("[accounts]", "[accounts", "description-syntax", "bad.toml:8:"),
        ("items =", "itmes =", "description-syntax", "bad.toml:9:1"),
        ("GET /v1/users/{id}", "GET /v1/users/{user}", "description-hole", "bad.toml:14:"),
        ("GET /v1/users\"", "DELETE /v1/users\"", "description-value", "bad.toml:13:"),
        ("GET /v1/users/{id}", "GET /v1/users/x?id={id}", "description-syntax", "bad.toml:14:"),
        ("paging =", "#", "description-missing", "bad.toml:13:"),
        (
            "[accounts]",
            "[parameters]\norg = \"the organisation\"\n[accounts]",
            "description-hole",
            "bad.toml:9:1",
        ),
        (
            "disable = [",
            "create = { call = \"POST /v1/users\", body = { tag = \"{marker}\" } } #",
            "description-missing",
            "bad.toml:8:2",
        ),
    ] {
        assert!(GOOD.contains(from));
        world.write("bad.toml", GOOD.replacen(from, to, 1));
        let outcome = world.run(&["connector", "check", "bad.toml"]).refused(1, "description-invalid", place);
        assert!(outcome.stderr.contains(&format!("[{code}]")), "{code}: {}", outcome.stderr);
        transcript.push(outcome);
    }
    world.run(&["connector", "check", "nowhere.toml"]).refused(2, "file-unreadable", "nowhere.toml");
    let mut all = vec![&good, &shipped];
    all.extend(&transcript);
    golden::check("connector-check", &all);
}

#[test]
fn every_kind_says_what_it_can_observe_change_and_remove() {
    let world = World::empty();
    let json = world.run(&["connector", "list", "--json"]).well().json();
    let rest = json.as_array().unwrap().iter().find(|kind| kind["name"] == "rest").unwrap();
    assert!(rest["descriptions"].as_array().unwrap().iter().any(|one| one["name"] == "jupyterhub"));
    let listed = world.run(&["connector", "list"]).well();
    golden::check("connector-list", &[&listed]);
}

#[test]
fn a_credential_is_shown_to_the_system_as_it_was_set() {
    let world = World::with_acme();
    let set = |how: &[&str]| {
        let args: Vec<&str> = ["credential", "set", "chat", "write"].iter().chain(how).copied().collect();
        world.run_with(&args, b"lab-chat-write")
    };
    world.run(&["reconcile", "chat", "--check"]).well();
    // The lab takes bearer tokens alone.
    for how in [["--basic", "svc"], ["--header", "X-Api-Key"], ["--client", "bailiwick"]] {
        set(&how).well();
        let (code, says) = match how[0] {
            "--client" => ("connector-settings", "token_path"),
            _ => ("credential-refused", "401"),
        };
        world.run(&["reconcile", "chat", "--check"]).refused(1, code, says);
    }
    assert_eq!(set(&["--basic", "svc", "--header", "X-Api-Key"]).code, 2);
    set(&[]).well();
    world.run(&["reconcile", "chat", "--check"]).well();
}
