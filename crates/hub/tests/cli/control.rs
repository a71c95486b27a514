//! What stands in for seeing, and what a live system keeps of the contract, as people see it.

use crate::{
    golden,
    world::{World, tool},
};

#[test]
fn what_cannot_be_seen_is_accepted_by_somebody_who_answers_for_it() {
    let world = World::with_acme();
    world.run(&["import", "hr", "acme/hr.csv"]).well();
    world.run(&["import", "hr", "acme/feeds/day-2.csv"]).well();
    world.run(&["status", "--wait", "60"]).well();
    let cases = world.run(&["case", "list", "--state", "open", "--json"]).well().json();
    let case = cases[0]["id"].as_str().unwrap().to_owned();
    let leaver = cases[0]["who"]["key"].as_str().unwrap().to_owned();
    let accept = |class: &str, owner: &str, until: &str, reason: &str| {
        let wanted =
            ["--system", "crm", "--class", class, "--owner", owner, "--until", until, "--reason", reason];
        world.run(&[&["case", "accept", &case][..], &wanted].concat())
    };
    let until = day_after(45);
    let reason = "the vendor confirmed it";
    accept("direct-groups", "hr/1002", &until, reason).refused(1, "control-not-needed", "removed");
    accept("oauth-consents", "hr/1002", "2026-01-01", reason).refused(1, "control-over", "2026-01-01");
    accept("oauth-consents", "hr/1002", "2099-01-01", reason).refused(1, "control-too-long", "2099-01-01");
    accept("oauth-consents", "hr/none", &until, reason).refused(1, "control-owner-unfit", "hr/none");
    accept("oauth-consents", &leaver, &until, reason).refused(1, "control-owner-unfit", &leaver);
    accept("oauth-consents", "hr/1002", &until, " ").refused(1, "control-empty-reason", "");
    accept("vault-tokens", "hr/1002", &until, reason).refused(1, "not-found", "cell");
    let tour = [
        accept("oauth-consents", "hr/1002", &until, reason).well(),
        world.run(&["case", "show", &case, "--matrix"]).well(),
    ];
    assert!(tour[1].stdout.contains("the vendor confirmed it"), "{}", tour[1].stdout);
    let shown: Vec<_> = tour.into_iter().map(|outcome| outcome.with(&until, "DAY")).collect();
    golden::check("control", &shown.iter().collect::<Vec<_>>());
    world.run(&["evidence", "check"]).well();
}

/// The date so many days from now, as people write it.
#[allow(clippy::disallowed_methods, reason = "the hub in the other process has the real clock")]
fn day_after(days: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let at = jiff::Timestamp::from_second(now.as_secs() as i64 + days * 86_400).unwrap();
    at.to_string()[..10].to_owned()
}

#[test]
fn a_live_system_is_tried_on_a_canary() {
    let mut world = World::with_hub();
    world.start_lab();
    let company = world.acme();
    for system in ["chat", "crm"] {
        // Nothing is read late there; so no time is spent on waiting.
        let file = world.path(&format!("acme/{system}.toml"));
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("convergence = \"2s\"", "convergence = \"0s\"")).unwrap();
    }
    world.run(&["apply", &company, "--yes"]).well();
    for system in ["chat", "crm"] {
        for purpose in ["write", "verify"] {
            let token = format!("lab-{system}-{purpose}");
            world.run_with(&["credential", "set", system, purpose], token.as_bytes()).well();
        }
        world.run(&["reconcile", system]).well();
    }
    let before = [world.truth("chat"), world.truth("crm")];
    let chat = world.run(&["connector", "try", "chat"]).well();
    let crm = world.run(&["connector", "try", "crm"]);
    assert_eq!(crm.code, 1, "{}{}", crm.stdout, crm.stderr);
    let rows = world.run(&["connector", "try", "chat", "--json"]).well().json();
    assert!(rows.as_array().unwrap().iter().all(|row| row["verdict"] != "broken"), "{rows}");
    world.run(&["connector", "try", "nowhere"]).refused(1, "not-found", "nowhere");
    golden::check("connector-try", &[&chat, &crm]);
    assert_eq!(
        [world.truth("chat")["users"].clone(), world.truth("crm")["users"].clone()],
        [before[0]["users"].clone(), before[1]["users"].clone()]
    );
    world.run(&["evidence", "check"]).well();
}

const REAL: &str = r#"
[system.app]
title = "A real SCIM service provider"
convergence = "0s"
classes = ["primary-account", "direct-groups"]
account = { userName = "{email}", displayName = "{display_name}" }

[integration.app]
purpose = "Accounts of the provider"
owner = "hr/1"
backup = "hr/2"
boundary = "on this machine"
data_flows = ["names of people"]
privilege_flows = ["accounts and groups"]
vendor = "nobody"
connector = "scim"
endpoint = "http://127.0.0.1:PORT"
system = "app"
scope = [
  "discover GET /v2/ServiceProviderConfig", "discover GET /v2/Schemas",
  "list GET /v2/Users", "get GET /v2/Users/{id}", "create POST /v2/Users", "update PATCH /v2/Users/{id}",
  "update PUT /v2/Users/{id}", "delete DELETE /v2/Users/{id}", "list GET /v2/Groups", "get GET /v2/Groups/{id}",
  "grant PATCH /v2/Groups/{id}", "revoke PATCH /v2/Groups/{id}",
]
settings = { base = "/v2" }
"#;

#[test]
fn a_real_service_provider_is_tried_on_a_canary() {
    use std::{
        io::{BufRead, BufReader},
        process::{Command, Stdio},
    };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let mut server = Command::new(tool("scim2-server"))
        .args(["--hostname", "127.0.0.1", "--port", &port, "--bearer-token", "real-token"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let tried = std::panic::catch_unwind(|| {
        let world = World::with_hub();
        world.write("company/app.toml", REAL.replace("PORT", &port));
        world.write("company/hr.toml", crate::manual::SOURCE);
        world.write("company/rules.cedar", "");
        world.run(&["apply", "company", "--yes"]).well();
        for purpose in ["write", "verify"] {
            world.run_with(&["credential", "set", "app", purpose], b"real-token").well();
        }
        let rows = world.run(&["connector", "try", "app", "--json"]).well().json();
        let verdict = |sentence: &str| {
            let row = rows.as_array().unwrap().iter().find(|row| row["sentence"] == sentence).unwrap();
            row["verdict"].as_str().unwrap().to_owned()
        };
        for holds in [
            "apply then get holds",
            "same key once",
            "what is so already answers so",
            "refusal has no effect",
        ] {
            assert_eq!(verdict(holds), "holds", "{rows}");
        }
        let found = world.run(&["reconcile", "app", "--json"]).well().json();
        assert_eq!(found["accounts"], 0, "the canary is gone: {found}");
    });
    server.kill().unwrap();
    server.wait().unwrap();
    tried.unwrap();
}
