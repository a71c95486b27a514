//! What integrations can in effect do, and what could be done with one that was taken over.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
};

use crate::{
    golden,
    world::{Outcome, World},
};

const CONFIGURATION: &str = r#"
[system.desk]
title = "Help desk"
convergence = "0s"
classes = ["primary-account"]
account = { userName = "{email}" }

[system.vpn]
title = "Way into the network"
convergence = "0s"
classes = ["primary-account", "direct-groups", "device-trust"]
account = { userName = "{email}" }

[entitlement."vpn/account"]
class = "primary-account"

[entitlement."vpn/engineers"]
class = "direct-groups"

[entitlement."vpn/laptop"]
class = "device-trust"

[integration.vpn]
purpose = "Who gets into the network"
owner = "hr/1"
backup = "hr/2"
connector = "manual"
endpoint = "person:"
system = "vpn"
scope = ["create ASK person", "update ASK person", "grant ASK person", "revoke ASK person"]
objects_per_run = 20
privileged_per_day = 1
boundary = "A person of the network team"
data_flows = ["who gets in → the network team"]
privilege_flows = ["the network → whoever gets in"]
vendor = "Acme itself"

[integration.desk]
purpose = "Accounts of the help desk"
owner = "hr/1"
backup = "hr/2"
connector = "scim"
endpoint = "http://127.0.0.1:9/desk"
system = "desk"
scope = ["list GET /Users", "get GET /Users/{id}", "update PATCH /Users/{id}"]
writes_per_minute = 60
boundary = "The vendor's cloud, over the internet"
data_flows = ["names and e-mail → help desk"]
privilege_flows = ["who may answer tickets → help desk"]
vendor = "Deskhelp Ltd"

[integration.helpdesk]
purpose = "Tickets of people who need something"
owner = "hr/1"
backup = "hr/2"
connector = "manual"
endpoint = "person:"
partner = true
acts = ["object desk/ticket", "signal"]
class = "authoritative"
boundary = "The vendor's cloud, over the internet"
data_flows = ["tickets ← people"]
privilege_flows = ["tickets with the right words → groups"]
vendor = "Deskhelp Ltd"

[integration.analytics]
purpose = "Counts who uses what"
owner = "hr/2"
backup = "hr/1"
connector = "manual"
endpoint = "person:"
partner = true
acts = ["signal"]
class = "advisory"
boundary = "The vendor's cloud, over the internet"
data_flows = ["numbers → the vendor"]
privilege_flows = ["none"]
vendor = "Deskhelp Ltd"

[integration.marketing]
purpose = "Keeps departments in step with campaigns"
owner = "hr/2"
backup = "hr/1"
connector = "manual"
endpoint = "person:"
partner = true
acts = ["attribute department", "attribute email"]
population = { department = ["Marketing"] }
writes_per_minute = 30
boundary = "The vendor's cloud, over the internet"
data_flows = ["departments ↔ campaigns"]
privilege_flows = ["none, they say"]
vendor = "Campaigner Inc."

[automation.vpn-tickets]
title = "itsm rule 12"
kind = "ticket-rule"
from = "object desk/ticket"
to = "entitlement vpn/engineers"

[automation.laptops]
title = "the network group"
kind = "nested-group"
from = "entitlement vpn/engineers"
to = "entitlement vpn/laptop"

[automation.accounts]
title = "the desk asks the team lead"
kind = "workflow"
from = "object desk/ticket"
to = "account vpn"
by_person = true

[integration.hr]
purpose = "People"
owner = "hr/1"
backup = "hr/2"
connector = "csv"
endpoint = "file:feeds/hr"
source = "hr"
scope = ["list READ /{file}", "get READ /{file}"]
boundary = "A file on a share of our own network"
data_flows = ["who works here ← HR"]
privilege_flows = ["who gets in follows from who works here"]
vendor = "Acme itself"
settings = { file = "current.csv", key = "id", end = "last_day", status = "status", active = ["active"], terminated = ["left"], columns = { email = "email", department = "department" } }

[integration.hr.contract]
attributes.email = { type = "text", required = true }
attributes.department = { type = "text", required = true }
"#;

const RULES: &str = r#"
@id("engineers-get-in") permit(principal, action == Action::"hold", resource == Entitlement::"vpn/engineers")
when { principal.department == "Engineering" };
@id("rule") permit(principal is Rule, action == Action::"approve", resource) when { !resource.privileged };
"#;

#[test]
fn every_way_to_an_effect_is_explained_and_a_radius_is_answered_with_yes_or_no() {
    let world = World::with_hub();
    world.write("company/all.toml", CONFIGURATION);
    world.write("company/rules.cedar", RULES);
    world.run(&["apply", "company", "--yes"]).well();
    let mut told: Vec<Outcome> = Vec::new();
    for name in ["helpdesk", "marketing", "analytics", "vpn", "hr"] {
        told.push(world.run(&["authority", "explain", name]).well());
    }
    for args in [
        &["blast", "helpdesk"][..],
        &["blast", "analytics"],
        &["blast", "marketing"],
        &["blast", "vpn"],
        &["blast", "credential", "desk/write"],
        &["blast", "credential", "desk/verify"],
        &["blast", "vendor", "deskhelp ltd"],
    ] {
        told.push(world.run(args).well());
    }
    told.push(world.run(&["authority", "explain", "nobody"]).refused(1, "not-found", "nobody"));
    told.push(world.run(&["blast", "vendor", "Nobody Ltd"]).refused(1, "not-found", "Nobody Ltd"));
    told.push(world.run(&["blast", "credential", "vpn"]).refused(2, "blast-subject", "credential vpn"));
    golden::check("authority", &told.iter().collect::<Vec<_>>());

    let explained = world.run(&["authority", "explain", "helpdesk", "--json"]).well().json();
    assert_eq!(explained["class"], "authoritative");
    assert_eq!(explained["paths"][0]["start"], "object desk/ticket");
    for (name, possible) in [("helpdesk", true), ("analytics", false), ("marketing", true), ("vpn", true)] {
        let blast = world.run(&["blast", name, "--json"]).well().json();
        assert_eq!(blast["beyond"]["possible"], possible, "{name}");
        assert_eq!(blast["approves"], false);
    }
}

/// Whoever has the credential of a system has nothing at the hub's door: every route, with every method.
#[test]
fn the_credential_of_an_integration_opens_nothing_here() {
    let world = World::with_acme();
    let before = world.state();
    let profile = std::fs::read_to_string(world.path("profile.toml")).unwrap();
    let address = profile.split("http://").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let described: serde_json::Value =
        serde_json::from_str(include_str!("../../../../docs/openapi.json")).unwrap();
    let paths = described["paths"].as_object().unwrap();
    let routes: Vec<&str> = paths.keys().map(|path| path.strip_prefix("/api/v1").unwrap_or(path)).collect();
    assert!(routes.len() > 80 && routes.contains(&"/integrations/{integration}/blast"), "{routes:?}");
    for token in ["lab-chat-write", "lab-chat-verify"] {
        for route in &routes {
            let path: String = route
                .split('/')
                .skip(1)
                .map(|part| if part.starts_with('{') { "/chat" } else { part })
                .fold(String::new(), |path, part| path + "/" + part.trim_start_matches('/'));
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                let status = status_of(&address, method, &format!("/api/v1{path}"), token);
                // Whoever joins has no token yet: both halves of the invitation are asked for instead.
                let joins = *route == "/operators/{name}/joining" && status == 400;
                assert!(joins || matches!(status, 401 | 404 | 405), "{method} {path} with {token}: {status}");
                let door = status_of(&address, method, &format!("/door/v1{path}"), token);
                assert!(matches!(door, 401 | 404 | 405), "{method} {path} at the door with {token}: {door}");
            }
        }
    }
    assert_eq!(world.state(), before);
}

fn status_of(address: &str, method: &str, path: &str, token: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
    )
    .unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line.split(' ').nth(1).unwrap().parse().unwrap()
}
