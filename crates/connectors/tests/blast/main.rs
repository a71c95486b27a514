//! Somebody has taken over an integration: whatever they do with its real line, scope and credential, what came of
//! it in the system's truth is within its blast radius. The attacker tries every call of the system's API with
//! every purpose and every body that it takes, and is not told what is allowed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

mod attacker;

use std::collections::BTreeSet;

use attacker::Attacker;
use bailiwick_connector::{Connector, testkit::Seeded};
use bailiwick_connectors::scim::Scim;
use bailiwick_core::{
    authority::{
        Semantics, World,
        blast::{Blast, Can, Part, Power, Primitive, Subject, Thing, blast},
        compute,
    },
    id::Entropy,
    integration::Integration,
    scope::Operation,
};
use bailiwick_lab::{Effect, LedgerEntry};
use serde_json::{Value, json};

/// Every call of the system's API, each for what it is meant for.
const ALL: [&str; 25] = [
    "discover GET /scim/v2/ServiceProviderConfig",
    "list GET /scim/v2/Users",
    "list POST /scim/v2/Users/.search",
    "get GET /scim/v2/Users/{id}",
    "create POST /scim/v2/Users",
    "update PUT /scim/v2/Users/{id}",
    "update PATCH /scim/v2/Users/{id}",
    "delete DELETE /scim/v2/Users/{id}",
    "list GET /scim/v2/Groups",
    "get GET /scim/v2/Groups/{id}",
    "grant POST /scim/v2/Groups",
    "grant PUT /scim/v2/Groups/{id}",
    "grant PATCH /scim/v2/Groups/{id}",
    "revoke PATCH /scim/v2/Groups/{id}",
    "revoke DELETE /scim/v2/Groups/{id}",
    "grant PUT /api/users/{id}/licences/{sku}",
    "revoke DELETE /api/users/{id}/licences/{sku}",
    "list GET /api/users/{id}/tokens",
    "issue POST /api/users/{id}/tokens",
    "revoke DELETE /api/users/{id}/tokens/{token}",
    "list GET /api/users/{id}/sessions",
    "issue POST /api/users/{id}/sessions",
    "revoke DELETE /api/users/{id}/sessions",
    "revoke DELETE /api/users/{id}/sessions/{session}",
    "list GET /api/users/{id}/effective",
];

fn settings() -> Value {
    let held = |class: &str| {
        json!({
            "list": format!("/api/users/{{id}}/{class}"),
            "revoke": format!("/api/users/{{id}}/{class}/{{item}}"),
        })
    };
    let mut licences = held("licences");
    licences["item"] = "sku".into();
    licences["grant"] = "/api/users/{id}/licences/{item}".into();
    json!({
        "base": "/scim/v2",
        "held": { "api-tokens": held("tokens"), "sessions": held("sessions"), "licences": licences },
    })
}

fn integration(rules: &[&str]) -> Integration {
    serde_json::from_value(json!({
        "name": "app", "purpose": "test", "owner": "hr/1", "backup": "hr/2", "connector": "scim",
        "endpoint": "https://lab.test/app", "role": "target", "system": "app", "settings": settings(),
        "scope": { "rules": rules }, "standing": { "state": "enabled" },
    }))
    .unwrap()
}

fn radius(integration: &Integration) -> Blast {
    let connector = Scim::new(&settings()).unwrap();
    let capability = connector.capability();
    let semantics = Semantics {
        writes_accounts: !capability.writes.is_empty(),
        grants: capability.grants.clone(),
        removes: capability.removes.clone(),
        issues: capability.tries.clone(),
    };
    let world = World { semantics: &semantics, entitlements: &[], policies: &[], automations: &[] };
    let authority = compute(integration, world);
    let part = Part { integration, authority: &authority, semantics: &semantics, classes: None };
    blast(Subject::Integration(integration.name.clone()), &[part], &[])
}

/// Whether a power with this call has this effect in it.
fn covers(power: &Power, entry: &LedgerEntry) -> bool {
    let path = entry.cause.path.strip_prefix("/app").unwrap();
    let called =
        |operation| power.call.as_ref().is_some_and(|call| call.allows(operation, &entry.cause.method, path));
    if !Operation::ALL.into_iter().any(called) {
        return false;
    }
    let held =
        |class: &str| matches!(&power.thing, Thing::Held { class: held, .. } if held.as_str() == class);
    let with = matches!(power.thing, Thing::WithAccounts { .. });
    let accounts = matches!(power.thing, Thing::Accounts { .. });
    let holders = matches!(power.thing, Thing::Holders { .. });
    let credentials = matches!(power.thing, Thing::Credentials { .. });
    let takes = matches!(power.can, Can::Take | Can::Change);
    match entry.effect {
        Effect::UserCreated => accounts && power.can == Can::Create,
        Effect::UserChanged
        | Effect::UserDeactivated
        | Effect::UserActivated
        | Effect::UserSoftDeleted
        | Effect::UserDeleted => accounts && power.can == Can::Change,
        Effect::GroupCreated | Effect::GroupChanged | Effect::GroupDeleted => holders,
        // A group in a group is a matter of the groups themselves.
        Effect::MemberAdded if entry.user.is_none() => holders,
        Effect::MemberAdded => held("direct-groups") && power.can == Can::Give,
        Effect::MemberRemoved if entry.user.is_none() => holders,
        Effect::MemberRemoved => (held("direct-groups") || with) && takes,
        Effect::LicenceAssigned => held("licences") && power.can == Can::Give,
        Effect::LicenceRemoved => (held("licences") || with) && takes,
        // The hub's own grant is the kill's matter, and no operation of a scope.
        Effect::GrantIssued | Effect::GrantRevoked => false,
        Effect::TokenCreated | Effect::SessionStarted | Effect::ThingMade => {
            credentials && power.can == Can::Create
        }
        // Only whoever changes accounts can bring back what was blocked with them.
        Effect::TokenResumed => with && power.can == Can::Change,
        Effect::TokenSuspended | Effect::TokenRevoked => (held("api-tokens") || with) && takes,
        Effect::SessionEnded => (held("sessions") || with) && takes,
        // They go with their account, or pass to somebody else with it.
        Effect::ThingPassed | Effect::ThingEnded => with && takes,
    }
}

/// What came of it and was not listed.
fn unlisted<'e>(blast: &Blast, effects: &'e [LedgerEntry]) -> Vec<&'e LedgerEntry> {
    effects.iter().filter(|entry| !blast.powers.iter().any(|power| covers(power, entry))).collect()
}

fn possible(blast: &Blast, primitive: Primitive) -> bool {
    blast.persistence.iter().any(|way| way.primitive == primitive && way.possible)
}

/// Lets the attacker at it and judges by truth. Gives the kinds of effects that they had.
async fn check(rules: &[&str]) -> BTreeSet<Effect> {
    let integration = integration(rules);
    let blast = radius(&integration);
    let done = Attacker::new(&integration).try_everything().await;
    assert_eq!(unlisted(&blast, &done.effects), Vec::<&LedgerEntry>::new(), "{rules:?}");
    for (method, path) in &done.read {
        let listed = blast.powers.iter().any(|power| {
            let shown = power.can == Can::Read;
            let allows = |call: &bailiwick_core::scope::ScopeRule| {
                Operation::ALL.into_iter().any(|operation| call.allows(operation, method, path))
            };
            shown && power.call.as_ref().is_some_and(allows)
        });
        assert!(listed, "{method} {path} was read and not listed: {rules:?}");
    }
    let effects: BTreeSet<Effect> = done.effects.iter().map(|entry| entry.effect).collect();
    let had = |these: &[Effect]| these.iter().any(|effect| effects.contains(effect));
    if had(&[Effect::UserCreated]) {
        assert!(possible(&blast, Primitive::Account), "{rules:?}");
    }
    if had(&[Effect::TokenCreated, Effect::SessionStarted]) {
        assert!(possible(&blast, Primitive::Token), "{rules:?}");
    }
    let creates = [
        Effect::UserCreated,
        Effect::UserActivated,
        Effect::MemberAdded,
        Effect::LicenceAssigned,
        Effect::TokenCreated,
        Effect::TokenResumed,
        Effect::SessionStarted,
    ];
    if had(&creates) {
        assert!(blast.beyond.possible, "{rules:?}");
    }
    effects
}

#[tokio::test]
async fn whoever_has_the_whole_api_does_nothing_that_is_not_listed() {
    let effects = check(&ALL).await;
    // The attacker is one who gets something done.
    let all = [
        Effect::UserCreated,
        Effect::UserChanged,
        Effect::UserDeactivated,
        Effect::UserActivated,
        Effect::UserDeleted,
        Effect::GroupCreated,
        Effect::GroupChanged,
        Effect::GroupDeleted,
        Effect::MemberAdded,
        Effect::MemberRemoved,
        Effect::LicenceAssigned,
        Effect::LicenceRemoved,
        Effect::TokenCreated,
        Effect::TokenRevoked,
        Effect::SessionStarted,
        Effect::SessionEnded,
    ];
    assert_eq!(all.into_iter().filter(|effect| !effects.contains(effect)).collect::<Vec<_>>(), []);
}

#[tokio::test]
async fn each_rule_alone_does_what_is_listed_and_reading_does_nothing() {
    for rule in ALL {
        let effects = check(&[rule]).await;
        let reads = rule.parse::<bailiwick_core::scope::ScopeRule>().unwrap().operation.reads();
        assert_eq!(effects.is_empty(), reads, "{rule}: {effects:?}");
    }
    let reading: Vec<&str> = ALL.into_iter().filter(|rule| rule.contains(" GET ")).collect();
    assert_eq!(check(&reading).await, BTreeSet::new());
    let blast = radius(&integration(&reading));
    assert!(!blast.beyond.possible && blast.persistence.iter().all(|way| !way.possible));
}

#[tokio::test]
async fn any_scope_holds_against_whoever_has_it() {
    let chance = Seeded::new(4);
    for _ in 0..12 {
        let mut bits = [0u8; 4];
        chance.fill(&mut bits);
        let bits = u32::from_be_bytes(bits);
        let some: Vec<&str> =
            ALL.into_iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, rule)| rule).collect();
        check(&some).await;
    }
}

/// The judge sees when something is left out: each rule that does something, planted as forgotten.
#[tokio::test]
async fn a_radius_that_forgets_a_rule_is_caught() {
    let whole = integration(&ALL);
    let effects = Attacker::new(&whole).try_everything().await.effects;
    for forgotten in ALL.into_iter().filter(|rule| !rule.contains(" GET ") && !rule.contains(".search")) {
        let twins = |rule: &&str| rule.split_once(' ').unwrap().1 != forgotten.split_once(' ').unwrap().1;
        let rest: Vec<&str> = ALL.into_iter().filter(twins).collect();
        assert!(!unlisted(&radius(&integration(&rest)), &effects).is_empty(), "{forgotten}");
    }
}
