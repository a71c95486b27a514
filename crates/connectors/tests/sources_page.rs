//! What `docs/sources.md` shows is what the connectors take.

#![allow(clippy::unwrap_used, reason = "a test")]

use bailiwick_connector::Connector;
use bailiwick_connectors::{ldap::Ldap, rest::Description, scim::Scim, sql::Sql};
use bailiwick_core::scope::ScopeRule;
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/sources.md");

/// More of what identity providers show.
const PROVIDER: &str = include_str!("../../../docs/connectors/scim.md");

/// The blocks of TOML of the page, in its order.
fn blocks() -> Vec<toml::Table> {
    let blocks = PAGE.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| block.parse().unwrap()).collect()
}

/// The value under some keys of the first block that has it.
fn shown(path: &[&str]) -> Value {
    let of = |block: &toml::Table| {
        let begin = Value::Object(serde_json::from_value(serde_json::to_value(block).unwrap()).unwrap());
        path.iter().try_fold(begin, |value, key| value.get(key).cloned())
    };
    blocks().iter().find_map(of).unwrap_or_else(|| panic!("{path:?} is on no block of the page"))
}

#[test]
fn what_is_shown_is_taken() {
    let directory = Ldap::new(&shown(&["integration", "people", "settings"])).unwrap();
    let database = Sql::new(&shown(&["integration", "hr", "settings"])).unwrap();
    let provider = Scim::new(&shown(&["integration", "idp", "settings"])).unwrap();
    assert!(directory.capability().people && database.capability().people && provider.capability().people);
    let (_, beside) = PROVIDER.split_once("## Users as the people of a source\n\n```toml\n").unwrap();
    let beside: Value = toml::from_str(beside.split("```").next().unwrap()).unwrap();
    let beside = Scim::new(&beside["integration"]["people"]["settings"]).unwrap();
    assert!(beside.capability().people && !beside.capability().accounts);
    assert!(!database.capability().accounts);
    for integration in ["people", "hr"] {
        for rule in shown(&["integration", integration, "scope"]).as_array().unwrap() {
            rule.as_str().unwrap().parse::<ScopeRule>().unwrap();
        }
    }
    let mut description: Value = serde_json::json!({
        "name": "x", "title": "X", "version": "1", "docs": "https://x.example", "auth": { "style": "bearer" },
        "paging": { "style": "none" },
    });
    description["people"] = shown(&["people"]);
    let description = Description::of(&description).unwrap();
    assert!(description.capability().people);
    let scope: Vec<String> = description.scope(&Default::default()).iter().map(ToString::to_string).collect();
    assert_eq!(scope, ["list GET /v1/people", "get GET /v1/people/{id}"]);
}
