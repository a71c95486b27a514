//! Terminations at the console: in silence, for who may see them, and by no single click.

use reqwest::StatusCode;

use super::{browser::Browser, pictures::look, visitor::Visitor, work::company};
use crate::world::World;

fn visitor(world: &World, profile: &str) -> Visitor {
    let mut visitor = Visitor::of(&world.url());
    visitor.sign_in_as(world, profile);
    visitor
}

#[test]
fn who_is_armed_is_seen_by_who_may_and_fired_with_what_was_typed_once_more() {
    let world = company();
    for (name, roles, person) in
        [("hal", &["terminator"][..], "hr/1010"), ("ed", &["terminator", "admin"][..], "hr/1020")]
    {
        let file = format!("{name}.toml");
        let mut args = vec!["operator", "add", name, "--person", person, "--to", &file];
        roles.iter().for_each(|role| args.extend(["--role", role]));
        world.run(&args).well();
    }
    let (hal, ed) = (visitor(&world, "hal.toml"), visitor(&world, "ed.toml"));
    let ada = visitor(&world, "profile.toml");
    let pages =
        ["/", "/plans", "/findings", "/identities/hr%2F1020", "/search?q=hr/1020", "/access", "/departures"];
    let before: Vec<String> = pages.iter().map(|path| said(&ada, path)).collect();

    // It is armed, and nothing is changed.
    hal.refused(
        "/terminations",
        &[("persons", "hr/1010"), ("reason", "me"), ("hours", "24")],
        "termination-own",
    );
    hal.refused(
        "/terminations",
        &[("persons", "hr/1020"), ("reason", " "), ("hours", "24")],
        "reason-missing",
    );
    let (_, page) = hal.well(
        "/terminations",
        &[("persons", "hr/1020\r\nhr/1021"), ("reason", "sold the price list"), ("hours", "24")],
    );
    assert!(page.contains("hr/1020") && page.contains("hr/1021") && page.contains("armed, lapses"), "{page}");
    let ids: Vec<String> =
        page.split("name=\"which\" value=\"").skip(1).map(|rest| rest[..30].to_owned()).collect();
    assert_eq!(ids.len(), 2, "{ids:?}");

    let browser = Browser::start();
    let link = world.run(&["--profile", "hal.toml", "sign-in", "--json"]).well().json();
    browser.open(link["link"].as_str().unwrap());
    browser.see("What needs you today");
    for (picture, path) in [("58-terminations", String::new()), ("59-termination", format!("/{}", ids[0]))] {
        browser.open(&format!("{}/terminations{path}", world.url()));
        look(&browser, picture);
    }

    // Who has not the role is told that they have not, and finds it nowhere else; the armed person finds what is not about
    // themselves, and nothing that says that more is there.
    for path in ["/terminations".to_owned(), format!("/terminations/{}", ids[0])] {
        let (status, _, page) = ada.get(&path);
        assert!(status == StatusCode::FORBIDDEN && !page.contains("1020"), "{path}: {status} {page}");
    }
    let after: Vec<String> = pages.iter().map(|path| said(&ada, path)).collect();
    assert_eq!(before, after);
    assert!(!said(&ada, "/").contains("Terminations"));
    let page = said(&ed, "/terminations");
    assert!(page.contains("hr/1021") && !page.contains("hr/1020"), "{page}");
    let theirs = |id: &String| ed.get(&format!("/terminations/{id}")).0;
    let seen: Vec<StatusCode> = ids.iter().map(theirs).collect();
    assert!(seen.contains(&StatusCode::NOT_FOUND) && seen.contains(&StatusCode::OK), "{seen:?}");
    let plan =
        world.run(&["--profile", "hal.toml", "termination", "show", "hr/1020", "--json"]).well().json();
    let plan = plan["termination"]["plan"]["id"].as_str().unwrap().to_owned();
    for (visitor, expect) in
        [(&ada, StatusCode::NOT_FOUND), (&ed, StatusCode::NOT_FOUND), (&hal, StatusCode::OK)]
    {
        assert_eq!(visitor.get(&format!("/plans/{plan}")).0, expect);
    }
    ed.refused("/terminations/fire", &[("which", "hr/1020"), ("confirm", "hr/1020")], "not-found");
    ada.act("/terminations/fire", &[("which", &ids[0]), ("confirm", "hr/1020")]);

    // Nobody is fired by what was not typed.
    let both = [("which", ids[0].as_str()), ("which", ids[1].as_str())];
    hal.refused("/terminations/fire", &[], "not-confirmed");
    hal.refused("/terminations/fire", &[both[0], both[1], ("confirm", "fire 3")], "not-confirmed");
    hal.refused("/terminations/fire", &[both[0], ("confirm", "fire 2")], "not-confirmed");
    let states = |state: &str| {
        let listed = world.run(&["--profile", "hal.toml", "termination", "list", "--json"]).well().json();
        listed.as_array().unwrap().iter().filter(|one| one["termination"]["state"]["state"] == state).count()
    };
    assert_eq!((states("armed"), states("fired")), (2, 0));

    // One is taken back, and made ready again; both go at once, and are gone in truth.
    let (_, page) = hal.well(&format!("/terminations/{}/disarm", ids[1]), &[]);
    assert!(page.contains("Taken back."), "{page}");
    hal.refused("/terminations/fire", &[both[0], both[1], ("confirm", "fire 2")], "termination-not-armed");
    let (again, _) =
        hal.well("/terminations", &[("persons", "hr/1021"), ("reason", "and they"), ("hours", "1")]);
    let again = again.split('?').next().unwrap().rsplit('/').next().unwrap().to_owned();
    let (status, _, page) =
        hal.act("/terminations/fire", &[both[0], ("which", again.as_str()), ("confirm", "fire 2")]);
    assert!(status == StatusCode::OK && page.matches("badge good\">gone").count() == 2, "{status} {page}");
    world.run(&["status", "--wait", "60"]).well();
    assert_eq!(ed.get("/").0, StatusCode::SEE_OTHER, "who was fired is signed in no more");
    let truth = world.truth("chat");
    let addresses = ["hr/1020", "hr/1021"].map(|key| {
        let shown = world.run(&["identity", "show", key, "--json"]).well().json();
        shown["identity"]["attributes"]["email"].as_str().unwrap().to_owned()
    });
    for user in truth["users"].as_array().unwrap() {
        let user = user["attributes"].to_string();
        let theirs = addresses.iter().any(|address| user.contains(address.as_str()));
        assert!(!theirs || user.contains("\"active\":false"), "{user}");
    }

    // What the source says counts again when two people say so.
    let fired = format!("/terminations/{}", ids[0]);
    let (_, page) = hal.well(&format!("{fired}/lift"), &[("reason", "the other one")]);
    assert!(page.contains("one person wants it lifted"), "{page}");
    hal.refused(&format!("{fired}/lift"), &[("reason", "the other one")], "termination-same-person");
}

/// What a page says, but for what counts the records and says how long ago things were.
#[track_caller]
fn said(visitor: &Visitor, path: &str) -> String {
    let (status, _, page) = visitor.get(path);
    assert_eq!(status, StatusCode::OK, "{path}: {page}");
    let main = page.split_once("<main").unwrap().1.split_once('>').unwrap().1;
    let parts = main.split("<time").map(|part| part.split_once("</time>").map_or(part, |(_, rest)| rest));
    format!("{}{}", page.split("<main").next().unwrap(), parts.collect::<String>())
}
