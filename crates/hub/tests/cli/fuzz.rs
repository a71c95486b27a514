//! The API, judged by somebody else's fuzzer: schemathesis reads the description and asks what it says may be asked, and what
//! it says may not. The hub is one of its own: whoever has all rights and asks at random ends things.

use std::process::Command;

use crate::world::{World, fuzzer};

/// What is looked at in each answer: no fault of the hub, no status, type, header or body that is not described; what does
/// not fit is refused; no method that is not there; and nothing without a token.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
    response_schema_conformance,unsupported_method,ignored_auth";
/// Seconds.
const LONGEST: &str = "60";

#[test]
fn somebody_elses_fuzzer_finds_no_answer_that_is_not_described() {
    let world = World::with_acme();
    world.run(&["import", "hr", "acme/hr.csv"]).well();
    world.run(&["import", "hr", "acme/feeds/day-2.csv"]).well();
    world.run(&["status", "--wait", "60"]).well();
    let run = Command::new(fuzzer("schemathesis"))
        .current_dir(world.root())
        .arg("run")
        .arg(format!("{}/api/v1/openapi.json", world.url()))
        .args(["--header", &format!("Authorization: Bearer {}", world.profile("token"))])
        .args([
            "--checks",
            CHECKS,
            "--seed",
            "1",
            "--max-examples",
            "8",
            "--phases",
            "examples,coverage,fuzzing",
        ])
        // Whoever ends their own token is asked for no more.
        .args(["--exclude-operation-id", "revoke-operator", "--max-time", LONGEST, "--rate-limit", "18/s"])
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
    assert!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
    // It asked something, of every operation.
    assert!(said.contains("No issues found"), "{said}");
    // It goes on, and its evidence is whole.
    world.run(&["evidence", "check"]).well();
}
