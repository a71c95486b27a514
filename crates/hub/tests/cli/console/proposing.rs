//! Proposing configuration at the console: the same rules, the same difference, the same approvals as from a folder.

use reqwest::StatusCode;

use super::{browser::Browser, sign_in, visitor::Visitor, work::company};

#[test]
fn a_policy_is_changed_seen_and_asked_for_and_nothing_is_in_force_before_somebody_approves() {
    let world = company();
    // While there is one admin, there is nobody to ask.
    world
        .run(&["operator", "add", "cleo", "--role", "admin", "--person", "hr/1003", "--to", "cleo.toml"])
        .well();
    let (browser, hub) = (Browser::start(), world.url());
    sign_in(&world, &browser);
    browser.open(&format!("{hub}/policies/policies/birthright.cedar"));
    browser.run(
        "const text = document.querySelector('#policy'); text.value = text.value.replace('Finance', 'Legal')",
    );
    browser.press("Who would gain or lose access?");
    browser.press("Go on to propose it");
    browser.see("What it would change");
    browser.see("policy policies/birthright.cedar");
    browser.see("What it would do");
    let before = world.run(&["plan", "list", "--state", "drafted", "--json"]).well().json();
    browser.press("Propose this change");
    browser.see("Asked for. It takes effect with these approvals.");
    browser.see("takes an admin");
    let after = world.run(&["plan", "list", "--state", "drafted", "--json"]).well().json();
    assert_eq!(after.as_array().unwrap().len(), before.as_array().unwrap().len() + 1);
    let same = world.run(&["apply", &world.acme(), "--dry-run"]).well();
    assert!(same.stdout.contains("nothing to change"), "{}", same.stdout);
    browser.press("bailiwick");
    browser.see("waits for approval");
    browser.press("Approve these");
    browser.see("approval-by-requester");
}

#[test]
fn a_file_is_held_to_the_rules_at_its_line_and_changes_only_what_it_names() {
    let world = company();
    let mut ada = Visitor::of(&world.url());
    ada.sign_in(&world);
    let preview = |path: &str, text: &str| ada.act("/configuration", &[("path", path), ("text", text)]).2;
    for (path, text, expect) in [
        ("bad.toml", "[system.lobby", "bad.toml:1"),
        (
            "bad.toml",
            "[entitlement.\"chat/lobby\"]\r\nclass = \"direct-groups\"\r\nlabbel = \"Lobby\"\r\n",
            "bad.toml:3:1",
        ),
        (
            "bad.cedar",
            "@id(\"broken\")\npermit (principal, action == Action::\"hold\", resource\n",
            "bad.cedar",
        ),
        ("lobby.toml", "[entitlement.\"lobby/visitors\"]\nclass = \"direct-groups\"\n", "lobby.toml:1"),
    ] {
        let page = preview(path, text);
        assert!(
            page.contains("Mistakes") && page.contains(expect) && !page.contains("Propose this"),
            "{path}: {page}"
        );
    }
    let legal = "[entitlement.\"chat/legal\"]\nclass = \"direct-groups\"\nlabel = \"Legal\"\n";
    let page = preview("legal.toml", legal);
    assert!(page.contains("entitlement chat/legal") && page.contains("Propose this change"), "{page}");
    assert_eq!(page.matches("class=\"sign give\"").count(), 1, "the rest stays: {page}");

    // What was not seen is not made, and who may not govern is refused.
    let other = [("path", "legal.toml"), ("text", legal), ("seen", &"0".repeat(64))];
    let (status, _, page) = ada.act("/configuration/propose", &other);
    assert!(status == StatusCode::OK && page.contains("configuration-changed"), "{status} {page}");
    let mut berta = Visitor::of(&world.url());
    berta.sign_in_as(&world, "berta.toml");
    let (_, _, page) = berta.act("/configuration", &[("path", "legal.toml"), ("text", legal)]);
    assert!(page.contains("not-allowed") && !page.contains("Propose this change"), "{page}");
}
