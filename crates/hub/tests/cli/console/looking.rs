//! What happened to an integration, how systems were compared, and what search finds: as the pages say it.

use reqwest::{StatusCode, header};
use serde_json::json;

use super::{visitor::Visitor, work::company};

#[test]
fn a_page_says_what_happened_what_was_compared_and_what_fits() {
    let world = company();
    let mut visitor = Visitor::of(&world.url());
    visitor.sign_in(&world);
    let page = |path: &str| {
        let (status, _, page) = visitor.get(path);
        assert_eq!(status, StatusCode::OK, "{path}: {page}");
        page
    };
    let says = |path: &str, expected: &[&str]| {
        let page = page(path);
        for text in expected {
            assert!(page.contains(text), "{path} does not say {text}: {page}");
        }
    };

    // It was declared by a plan, and its credentials were set by somebody.
    let happened = [
        "<strong>planned</strong>",
        "<strong>credential sealed</strong>",
        "operator ada",
        "integration wiki",
    ];
    says("/integrations/wiki", &happened);
    says("/integrations/wiki", &["href=\"/plans/pln_", "/evidence?subject=bailiwick/wiki"]);
    says("/evidence?subject=bailiwick/wiki", &happened);
    assert!(!page("/evidence?subject=bailiwick/chat").contains("integration wiki"), "and of no other");

    says("/reconciling", &["href=\"/systems/chat\"", "href=\"/systems/wiki\"", "everything"]);
    let listed = world.run(&["reconcile", "--list", "--json"]).well().json();
    let chat = listed["systems"].as_array().unwrap().iter().find(|one| one["system"] == "chat").unwrap();
    assert_eq!(chat["runs"][0]["partial"], false);
    world.run(&["reconcile", "chat", "--full"]).well();
    let again = world.run(&["reconcile", "--list", "--json"]).well().json();
    let again = again["systems"].as_array().unwrap().iter().find(|one| one["system"] == "chat").unwrap();
    let earlier = &again["runs"].as_array().unwrap()[1..];
    assert!(earlier.contains(&chat["runs"][0]), "the one before is remembered: {again}");

    // Somebody lets a person in with Finance behind the hub's back. No rule takes that back: it is open until a person does.
    let seed = json!({ "groups": [{ "name": "Finance", "members": ["oskar.delacruz@acme.example"] }] });
    let behind = visitor.http.post(format!("http://{}/truth/chat/seed", world.lab())).body(seed.to_string());
    let (status, _, answer) = visitor.send(behind.header(header::CONTENT_TYPE, "application/json"));
    assert_eq!(status, StatusCode::OK, "{answer}");
    world.run(&["reconcile", "chat", "--full"]).well();
    world.run(&["status", "--wait", "60"]).well();
    let found = world.run(&["reconcile", "--list", "--json"]).well().json();
    let open = found["open"].as_array().unwrap();
    assert_eq!(open.len(), 1, "{found}");
    assert_eq!((&open[0]["who"]["key"], &open[0]["state"]), (&json!("hr/1017"), &json!("drafted")));
    let plan = open[0]["plan"].as_str().unwrap();
    let link = format!("href=\"/plans/{plan}\"");
    says("/reconciling", &["1 rogue", "waits for approval", link.as_str()]);
    says("/systems/chat", &["How it was compared before"]);
    world.run(&["--profile", "berta.toml", "approve", plan]).well();
    world.run(&["status", "--wait", "60"]).well();
    let found = world.run(&["reconcile", "--list", "--json"]).well().json();
    assert_eq!(found["open"], json!([]));
    assert_eq!((&found["drift"][0]["plan"], &found["drift"][0]["state"]), (&json!(plan), &json!("done")));

    // Twenty of those whose names begin so and twenty of those whose addresses do are not the same people.
    assert_eq!(page("/search?q=b").matches("href=\"/identities/idn_").count(), 20);
    says("/search?q=FINANCE", &["chat/finance", "wiki/finance-reports"]);
    says("/search?q=ada", &["href=\"/operators?has=ada\""]);
    let accounts = world.run(&["account", "list", "--system", "chat", "--json"]).well().json();
    let account = accounts.as_array().unwrap()[0]["external_id"].as_str().unwrap().to_owned();
    let typed: String = account.bytes().map(|byte| format!("%{byte:02X}")).collect();
    says(&format!("/search?q={typed}"), &["aria-label=\"Accounts\"", "href=\"/systems/chat\""]);
}
