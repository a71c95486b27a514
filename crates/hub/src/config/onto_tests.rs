//! What a file means that is put onto what is in force.

use super::{
    tests::{SOUND, bundle, read},
    *,
};

/// Puts a file onto the sound configuration.
fn onto(text: &str) -> Result<Configuration, Vec<String>> {
    let base =
        read(&bundle(&[("a.toml", SOUND), ("p/a.cedar", "permit(principal, action, resource);")])).unwrap();
    let check = |_: &str, _: &serde_json::Value| Ok(());
    let rule = |_: &str, _: &serde_json::Value, _: &ScopeRule| Ok(());
    let connectors = Connectors { kinds: &["csv", "scim"], settings: &check, rule: &rule };
    let read = parse_with(&bundle(&[("b.toml", text)]), &connectors, &base);
    read.map_err(|errors| errors.iter().map(|error| format!("{} {error}", error.code())).collect())
}

#[test]
fn a_file_is_put_onto_what_is_in_force_and_may_name_what_is_kept() {
    let merged =
        onto("[entitlement.\"chat/legal\"]\nclass = \"direct-groups\"\nlabel = \"Legal\"\n").unwrap();
    let names: Vec<&str> = merged.entitlements.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["chat/account", "chat/legal", "chat/sales"]);
    assert_eq!((merged.systems.len(), merged.integrations.len(), merged.policies.len()), (1, 2, 1));
    let hr = merged.integrations.iter().find(|one| one.name.as_str() == "hr").unwrap();
    assert_eq!(hr.endpoint, "file:feeds/hr", "what is kept is kept as it is");
}

#[test]
fn a_file_on_top_is_held_to_the_same_rules() {
    let check = |text: &str, expect: &str| {
        let errors = onto(text).err().unwrap_or_default();
        assert!(errors.iter().any(|error| error.contains(expect)), "{text}: {errors:?}");
    };
    check("[entitlement.\"chatt/legal\"]\nclass = \"direct-groups\"\n", "b.toml:1");
    check(
        "[entitlement.\"chat/others\"]\nclass = \"direct-groups\"\nlabel = \"Sales\"\n",
        "is the same on the system as `chat/sales`",
    );
    let sound = |from: &str| {
        let rest = SOUND.split_once(from).unwrap().1;
        format!("{from}{}", rest.split("\n[").next().unwrap())
    };
    let chat = sound("[system.chat]");
    assert!(onto(&chat).is_ok());
    let less = chat.replace(", \"direct-groups\"", "");
    assert_ne!(less, chat);
    check(&less, "config-dangling b.toml:1:9: `direct-groups` is missing");
}
