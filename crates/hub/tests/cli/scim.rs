//! The hub as a SCIM service provider, judged by somebody else's tester: `scim2-tester`, as `scim2-cli` runs it, against
//! the program as people run it.

use std::process::Command;

use crate::world::{World, tool};

const SOURCE: &str = r#"
[integration.idp]
purpose = "The identity provider pushes who is there"
owner = "idp/1"
backup = "idp/2"
boundary = "the provider's cloud"
vendor = "Idp Ltd"
data_flows = ["people → hub"]
privilege_flows = ["who is there → all"]
connector = "scim-push"
endpoint = "https://idp.example.com"
source = "idp"
acts = ["identity", "attribute user_name", "attribute display_name", "attribute department"]

[integration.idp.contract.attributes]
user_name = { type = "text", required = true, unique = true }
display_name = { type = "text", required = true }
department = { type = "text" }
"#;

#[test]
fn somebody_elses_tester_finds_no_error() {
    let world = World::with_hub();
    world.write("config/idp.toml", SOURCE);
    world.run(&["apply", "config", "--yes"]).well();
    world.run(&["status", "--wait", "60"]).well();
    let token = world.run(&["integration", "token", "idp"]).well().stdout;
    let run = Command::new(tool("scim2"))
        .args(["--url", &format!("{}/scim/v2", world.url()), "test"])
        .env("SCIM_CLI_HEADERS", format!("Authorization: Bearer {}", token.trim()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
    let bad: Vec<&str> =
        said.lines().filter(|line| ["ERROR", "CRITICAL"].iter().any(|word| line.contains(word))).collect();
    assert!(bad.is_empty(), "{said}");
    // It looked at something.
    assert!(said.lines().filter(|line| line.contains("SUCCESS")).count() > 20, "{said}");
}
