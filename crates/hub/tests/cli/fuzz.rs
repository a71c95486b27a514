//! The API, judged by somebody else's fuzzer: schemathesis reads the description and asks what it says may be asked, and what
//! it says may not. The hub is one of its own: whoever has all rights and asks at random ends things.

use std::process::Command;

use crate::world::{World, fuzzer};

/// What is looked at in each answer: no fault of the hub, no status, type, header or body that is not described; what does
/// not fit is refused; no method that is not there; and nothing without a token. Of what was made, that it is there, and of
/// what was taken away that it is not.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
    response_schema_conformance,unsupported_method,ignored_auth,ensure_resource_availability,use_after_free";

#[test]
fn somebody_elses_fuzzer_finds_no_answer_that_is_not_described() {
    let world = World::with_acme();
    world.run(&["import", "hr", "acme/hr.csv"]).well();
    world.run(&["import", "hr", "acme/feeds/day-2.csv"]).well();
    world.run(&["status", "--wait", "60"]).well();
    // Of every operation but the one that is left out.
    let [selected, described, tested] = asked(&world, "examples,coverage,fuzzing", 60);
    assert_eq!([selected + 1, tested], [described, selected]);
    // One after the other, with what the answers before have said: as far as the time goes.
    let [_, _, tested] = asked(&world, "stateful", 30);
    assert!(tested > 0);
    // It goes on, and its evidence is whole.
    world.run(&["evidence", "check"]).well();
}

/// Asks in these ways, for so many seconds. Gives how many operations it was to ask about, how many are described, and how
/// many it did ask about.
fn asked(world: &World, phases: &str, longest: u32) -> [u32; 3] {
    let run = Command::new(fuzzer("schemathesis"))
        .current_dir(world.root())
        .arg("run")
        .arg(format!("{}/api/v1/openapi.json", world.url()))
        .args(["--header", &format!("Authorization: Bearer {}", world.profile("token"))])
        .args(["--checks", CHECKS, "--seed", "1", "--max-examples", "8", "--phases", phases])
        // Whoever ends their own token is asked for no more.
        .args(["--exclude-operation-id", "revoke-operator", "--rate-limit", "18/s"])
        .args(["--max-time", &longest.to_string()])
        // What waits for the hub to be done may take as long as it is allowed to.
        .args(["--request-timeout", "120"])
        .args([
            "--continue-on-failure",
            "--no-shrink",
            "--generation-database",
            "none",
            "--no-color",
            "--warnings",
            "off",
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    // Shown when something is wrong with it.
    print!("{said}");
    assert!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
    // That stands there too when time ran out.
    assert!(said.contains("No issues found"), "{said}");
    let after = |word: &str| {
        let found = said.lines().find_map(|line| line.trim().strip_prefix(word));
        found.unwrap_or_else(|| panic!("no `{word}` in {said}"))
    };
    let (selected, described) = after("Selected: ").split_once('/').unwrap();
    [selected, described, after("Tested: ")].map(|number| number.parse().unwrap())
}
