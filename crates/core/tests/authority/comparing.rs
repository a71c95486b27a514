//! Scopes and integrations against what was certified: cases in words.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    integration::{Assurance, Integration, Role, compare},
    limit::{Limit, Population},
    scope::{Comparison, Scope},
};

use crate::generated::{entitlement, integration, source, target};

fn rules(rules: &[&str]) -> Scope {
    Scope { rules: rules.iter().map(|r| r.parse().unwrap()).collect(), ..Scope::default() }
}

fn wider(beyond: &[&str]) -> Comparison {
    Comparison::Wider { beyond: beyond.iter().map(|text| (*text).to_owned()).collect() }
}

#[test]
fn rules_are_compared_as_sets_of_calls() {
    let check = |new: &[&str], certified: &[&str], expect: Comparison| {
        assert_eq!(rules(new).compare(&rules(certified)), expect, "{new:?} {certified:?}");
    };
    use Comparison::{Narrower, Same};
    check(&["get GET /u/{id}"], &["get GET /u/{name}"], Same);
    check(&["get GET /u/1", "get GET /u/{id}"], &["get GET /u/{id}"], Same);
    check(&["get GET /u/1"], &["get GET /u/{id}"], Narrower);
    check(&[], &["get GET /u/{id}"], Narrower);
    check(&["get GET /u/{id}"], &["get GET /u/1"], wider(&["call `get GET /u/{id}`"]));
    check(&["get GET /u/{id}/x"], &["get GET /u/{id}"], wider(&["call `get GET /u/{id}/x`"]));
    check(&["list GET /u"], &["get GET /u"], wider(&["call `list GET /u`"]));
    check(&["update PUT /u"], &["update PATCH /u"], wider(&["call `update PUT /u`"]));
    check(&["update MODIFY uid=1,OU=People,dc=x"], &["update MODIFY ou=people,dc=x"], Narrower);
    check(&["update MODIFY dc=x"], &["update MODIFY ou=people,dc=x"], wider(&["call `update MODIFY dc=x`"]));
    // What looks like the same tail is another name.
    check(
        &["update MODIFY uid=1\\,ou=people,dc=x"],
        &["update MODIFY ou=people,dc=x"],
        wider(&["call `update MODIFY uid=1\\,ou\\=people,dc=x`"]),
    );
    check(&["grant EXEC give"], &["grant EXEC give", "grant EXEC take"], Narrower);
    check(&["grant EXEC give-all"], &["grant EXEC give"], wider(&["call `grant EXEC give-all`"]));
    check(&["list SEARCH rootDSE"], &["list SEARCH dc=x"], wider(&["call `list SEARCH rootDSE`"]));
}

#[test]
fn limits_and_budgets_are_compared_as_sets_and_numbers() {
    let base = Scope {
        acts: BTreeSet::from(["attribute a".parse().unwrap()]),
        attributes: Limit::Only(BTreeSet::from(["a".into(), "b".into()])),
        entitlements: Limit::Only(BTreeSet::from([entitlement("s/x")])),
        population: Population(BTreeMap::from([("site".into(), BTreeSet::from(["Bern".into()]))])),
        writes_per_minute: Some(10),
        objects_per_run: Some(5),
        population_percent: Some(2),
        privileged_per_day: Some(0),
        ..Scope::default()
    };
    let check = |change: fn(&mut Scope), expect: Comparison, back: Comparison| {
        let mut new = base.clone();
        change(&mut new);
        assert_eq!(new.compare(&base), expect);
        assert_eq!(base.compare(&new), back);
    };
    use Comparison::{Narrower, Same};
    check(|_| {}, Same, Same);
    check(|s| s.acts.clear(), Narrower, wider(&["act `attribute a`"]));
    // Outside of the limit it is no act.
    check(
        |s| {
            s.acts.insert("attribute z".parse().unwrap());
        },
        Same,
        Same,
    );
    check(|s| s.attributes = Limit::Any, wider(&["every attribute"]), Narrower);
    check(|s| s.attributes = Limit::Only(BTreeSet::from(["a".into()])), Narrower, wider(&["attribute `b`"]));
    check(
        |s| s.entitlements = Limit::Only(BTreeSet::from([entitlement("s/y")])),
        wider(&["entitlement `s/y`"]),
        wider(&["entitlement `s/x`"]),
    );
    check(|s| s.population.0.clear(), wider(&["identities of any `site`"]), Narrower);
    check(
        |s| drop(s.population.0.insert("site".into(), BTreeSet::from(["Bern".into(), "Rome".into()]))),
        wider(&["identities whose `site` is `Rome`"]),
        Narrower,
    );
    check(
        |s| drop(s.population.0.insert("team".into(), BTreeSet::from(["HR".into()]))),
        Narrower,
        wider(&["identities of any `team`"]),
    );
    check(
        |s| s.writes_per_minute = None,
        wider(&["any number of writes a minute, 10 were certified"]),
        Narrower,
    );
    check(|s| s.objects_per_run = Some(6), wider(&["6 accounts a run, 5 were certified"]), Narrower);
    check(
        |s| s.population_percent = Some(1),
        Narrower,
        wider(&["2 percent of the population a day, 1 were certified"]),
    );
    check(
        |s| s.privileged_per_day = Some(1),
        wider(&["1 privileged grants a day, 0 were certified"]),
        Narrower,
    );
    check(
        |s| {
            s.writes_per_minute = Some(1);
            s.objects_per_run = Some(50);
        },
        wider(&["50 accounts a run, 5 were certified"]),
        wider(&["10 writes a minute, 1 were certified"]),
    );
}

#[test]
fn only_a_smaller_scope_and_fewer_callbacks_make_an_integration_narrower() {
    let mut base = integration(target(), rules(&["list GET /u", "update PATCH /u/{id}"]));
    base.register.callbacks = vec!["https://a.example".into(), "https://b.example".into()];
    let check = |change: fn(&mut Integration), expect: Comparison| {
        let mut new = base.clone();
        change(&mut new);
        assert_eq!(compare(&new, &base), expect);
    };
    use Comparison::{Narrower, Same};
    check(|_| {}, Same);
    check(|i| i.register.callbacks.reverse(), Same);
    check(|i| drop(i.register.callbacks.pop()), Narrower);
    check(|i| drop(i.scope.rules.pop()), Narrower);
    check(
        |i| i.register.callbacks = vec!["https://evil.example".into()],
        wider(&["callback `https://evil.example`"]),
    );
    check(|i| i.owner = "hr/9".into(), wider(&["another owner"]));
    check(|i| i.backup = "hr/9".into(), wider(&["another backup"]));
    check(|i| i.connector = "scim".into(), wider(&["another connector"]));
    check(|i| i.endpoint = "https://evil.example".into(), wider(&["another endpoint"]));
    check(|i| i.settings = serde_json::json!({ "page": 1 }), wider(&["another settings"]));
    check(|i| i.purpose = "other".into(), wider(&["another purpose"]));
    check(|i| i.role = Role::Partner { system: None }, wider(&["another role"]));
    check(|i| i.role = source(&["a"]), wider(&["another role"]));
    check(|i| i.register.vendor = "other".into(), wider(&["another vendor"]));
    check(
        |i| i.register.assurances.push(Assurance { claim: "safe".into(), tested: None }),
        wider(&["another assurances"]),
    );
    // What is given up does not pay for what is taken.
    check(
        |i| {
            i.scope.rules = rules(&["list GET /u", "delete DELETE /u/{id}"]).rules;
            i.register.callbacks.clear();
        },
        wider(&["call `delete DELETE /u/{id}`"]),
    );
    check(
        |i| {
            i.standing = bailiwick_core::integration::Standing::Quarantined {
                since: bailiwick_core::time::Timestamp::UNIX_EPOCH,
                reason: "x".into(),
            }
        },
        Same,
    );
}
