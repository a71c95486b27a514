//! Rights that policies give and take: sessions that are open follow, and who may what is there to be seen.

use reqwest::StatusCode;

use super::visitor::Visitor;
use crate::world::World;

const POLICY: &str = r#"
@id("helpdesk-operates") permit (principal, action == Action::"exercise", resource == Right::"operate")
when { principal.roles.contains("helpdesk") };
@id("nobody-fires") forbid (principal, action == Action::"exercise", resource == Right::"terminate");
"#;

#[test]
fn a_policy_gives_and_takes_rights_and_an_open_session_follows() {
    let world = World::with_acme();
    for (name, roles) in [("hetty", vec!["helpdesk", "terminator"]), ("rick", vec!["auditor"])] {
        let file = format!("{name}.toml");
        let mut add = vec!["operator", "add", name, "--to", &file];
        roles.iter().for_each(|role| add.extend(["--role", role]));
        world.run(&add).well();
    }
    let mut hetty = Visitor::of(&world.url());
    hetty.sign_in_as(&world, "hetty.toml");
    let menu = |visitor: &Visitor| visitor.get("/operators").2;
    let compare = "/systems/chat/compare";
    assert!(menu(&hetty).contains("href=\"/terminations\""), "her role lets her");
    hetty.refused(compare, &[], "not-allowed");

    world.write("acme/policies/rights.cedar", POLICY);
    world.run(&["apply", "acme", "--yes"]).well();
    world.run(&["status", "--wait", "60"]).well();
    // A change counts within a tenth of a second; each question takes a part of that.
    let taken = || world.run(&["operator", "list", "--json"]).well().stdout.contains("nobody-fires");
    assert!((0..200).any(|_| taken()), "the policy counts");
    let (status, _, page) = hetty.act(compare, &[]);
    assert!(status.is_success() || status.is_redirection(), "{status} {page}");
    let page = menu(&hetty);
    assert!(!page.contains("href=\"/terminations\""), "what is taken is not offered: {page}");
    assert_eq!(hetty.get("/terminations").0, StatusCode::FORBIDDEN);
    assert!(page.contains("read, operate; terminate is taken by nobody-fires"), "{page}");
    let (_, _, own) = hetty.get("/signed-in");
    assert!(own.contains("and may read, operate; terminate is taken by nobody-fires"), "{own}");

    let listed = world.run(&["operator", "list", "--json"]).well().json();
    let may = |name: &str| {
        let one = listed.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
        (one["rights"].to_string(), one["taken"].to_string())
    };
    let taken = r#"{"terminate":["nobody-fires"]}"#.to_owned();
    assert_eq!(may("hetty"), (r#"["operate"]"#.into(), taken));
    // What nobody gave is not taken.
    assert_eq!(may("rick"), ("[]".into(), "null".into()));
    assert_eq!(may("ada"), (r#"["govern","accept","operate"]"#.into(), "null".into()));
    world.run(&["operator", "revoke", "hetty"]).well();
    let shown = world.run(&["operator", "list"]).well().stdout;
    let row = shown.lines().find(|line| line.contains("hetty")).unwrap();
    assert!(row.contains("read") && !row.contains("operate"), "{shown}");
}
