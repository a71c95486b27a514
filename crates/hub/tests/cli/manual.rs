//! A system without an interface: the task, the answer, the case.

use crate::{golden, world::World};

const CONFIGURATION: &str = r#"
[system.badges]
title = "Door badges"
convergence = "0s"
classes = ["primary-account", "device-trust"]
account = { userName = "{email}" }

[entitlement."badges/account"]
class = "primary-account"

[integration.badges]
purpose = "Badges that open doors"
owner = "hr/1"
backup = "hr/2"
connector = "manual"
endpoint = "person:"
system = "badges"
scope = ["create ASK person", "update ASK person", "revoke ASK person"]
boundary = "A person at the front desk"
data_flows = ["who gets and gives back a badge → the front desk"]
privilege_flows = ["doors that open → whoever has a badge"]
vendor = "Acme itself"
settings = { hours = 8, instructions.update = "At the front desk: {change}, badge of {account}" }
"#;

/// A source of people.
pub const SOURCE: &str = r#"
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
privilege_flows = ["who has a badge follows from who works here"]
vendor = "Acme itself"
settings = { file = "current.csv", key = "id", end = "last_day", status = "status", active = ["active"], terminated = ["left"], columns = { email = "email", display_name = "name" } }

[integration.hr.contract]
attributes.email = { type = "text", required = true }
attributes.display_name = { type = "text", required = true }
"#;

const RULES: &str = r#"
@id("badge") permit(principal, action == Action::"hold", resource == Entitlement::"badges/account");
@id("rule") permit(principal is Rule, action == Action::"approve", resource) when { !resource.privileged };
"#;

/// Two who join.
const JOINED: &str =
    "id,name,email,last_day,status\n1,Ann Archer,ann@x.test,,active\n2,Bob Baker,bob@x.test,,active\n";

/// A company whose badges a person gives out, and two who are to get one.
pub fn badges() -> World {
    let world = World::with_hub();
    world.write("company/badges.toml", CONFIGURATION);
    world.write("company/hr.toml", SOURCE);
    world.write("company/rules.cedar", RULES);
    world.run(&["apply", "company", "--yes"]).well();
    world.run(&["status", "--wait", "60"]).well();
    world.write("hr.csv", JOINED);
    world.run(&["import", "hr", "hr.csv"]).well();
    world
}

#[test]
fn a_person_is_asked_and_answers() {
    let world = badges();
    let id = |state: &str, of: &str| {
        world.run(&["status", "--wait", "60"]).well();
        let tasks = world.run(&["task", "list", "--state", state, "--json"]).well().json();
        let mine = tasks.as_array().unwrap().iter().find(|task| task["who"]["key"] == of).unwrap();
        mine["id"].as_str().unwrap().to_owned()
    };
    let photo = world.write("photo.jpg", "not really a picture");
    for person in ["hr/1", "hr/2"] {
        let task = id("open", person);
        world.run(&["task", "done", &task, "--said", "made", "--account", &format!("B-{person}")]).well();
    }
    world.write("hr.csv", JOINED.replace(",,active\n2", ",2026-01-01,left\n2"));
    world.run(&["import", "hr", "hr.csv"]).well();
    let task = id("open", "hr/1");
    world.run(&["task", "done", &task, "--said", " "]).refused(1, "task-empty-answer", "");
    world.run(&["task", "done", &task, "--said", "x", "--file", "none.jpg"]).refused(
        2,
        "file-unreadable",
        "none.jpg",
    );
    let mut tour = vec![world.run(&["task", "list"]).well(), world.run(&["task", "show", &task]).well()];
    tour.push(world.run(&["task", "done", &task, "--said", "badge shredded", "--file", &photo]).well());
    world.run(&["task", "decline", &task, "--because", "no"]).refused(1, "task-answered", "");
    world.run(&["status", "--wait", "60"]).well();
    tour.push(world.run(&["task", "show", &task]).well());
    let cases = world.run(&["case", "list", "--json"]).well().json();
    let case = cases[0]["id"].as_str().unwrap().to_owned();
    tour.push(world.run(&["case", "show", &case, "--matrix"]).well());
    assert!(tour[4].stdout.contains("unobservable"), "{}", tour[4].stdout);
    golden::check("manual", &tour.iter().collect::<Vec<_>>());
    world.run(&["evidence", "erase", "hr/1", "--yes"]).well();
    let shown = world.run(&["task", "show", &task]).well();
    assert!(!shown.stdout.contains("shredded") && shown.stdout.contains("(erased)"), "{}", shown.stdout);
    world.run(&["evidence", "check"]).well();
}
