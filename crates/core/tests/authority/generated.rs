//! Small generated worlds: few names, so that everything meets everything.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    access::AccessClass,
    authority::{Semantics, Touch, World},
    automation::{Automation, AutomationKind},
    contract::SourceContract,
    gate::Gates,
    id::{AutomationName, EntitlementName, IntegrationName, SourceName, SystemName},
    integration::{Integration, Register, Role, Standing},
    limit::{Limit, Population},
    nesting::Inside,
    policy::{Action, PolicyId, PolicyReads},
    scope::{Scope, ScopeRule},
    system::Entitlement,
};
use proptest::{collection::btree_set, option, prelude::*, sample::select, sample::subsequence};
use serde_json::json;

pub const ATTRIBUTES: [&str; 2] = ["a", "b"];
pub const ENTITLEMENTS: [&str; 4] = ["s/x", "s/account", "t/x", "t/y"];

pub fn entitlement(name: &str) -> EntitlementName {
    EntitlementName::new(name).unwrap()
}

/// Everything in a generated world but the integration.
#[derive(Debug, Clone)]
pub struct Surroundings {
    pub semantics: Semantics,
    pub entitlements: Vec<Entitlement>,
    pub policies: Vec<PolicyReads>,
    pub automations: Vec<Automation>,
}

impl Surroundings {
    pub fn world(&self) -> World<'_> {
        World {
            semantics: &self.semantics,
            entitlements: &self.entitlements,
            policies: &self.policies,
            automations: &self.automations,
        }
    }
}

pub fn declared() -> Vec<Entitlement> {
    let class = |name: &str| match name {
        "s/account" => AccessClass::PrimaryAccount,
        "t/y" => AccessClass::Roles,
        _ => AccessClass::DirectGroups,
    };
    let one = |name: &str| Entitlement {
        name: entitlement(name),
        class: class(name),
        label: name.into(),
        privileged: false,
        external_id: None,
        inside: Vec::new(),
    };
    ENTITLEMENTS.map(one).into()
}

pub fn integration(role: Role, scope: Scope) -> Integration {
    Integration {
        name: IntegrationName::new("it").unwrap(),
        purpose: "tests".into(),
        owner: "hr/1".into(),
        backup: "hr/2".into(),
        connector: "toy".into(),
        endpoint: "https://toy.example".into(),
        role,
        register: Register::default(),
        scope,
        settings: json!(null),
        standing: Standing::Enabled,
        gates: Gates::default(),
        kill: None,
    }
}

pub fn source(attributes: &[&str]) -> Role {
    let rules: BTreeMap<_, _> = attributes.iter().map(|name| (*name, json!({ "type": "text" }))).collect();
    let contract: SourceContract = serde_json::from_value(json!({ "attributes": rules })).unwrap();
    Role::Source { source: SourceName::new("hr").unwrap(), contract }
}

pub fn target() -> Role {
    Role::Target { system: SystemName::new("s").unwrap() }
}

pub fn touches() -> impl Strategy<Value = Touch> {
    let all = [
        "identity",
        "attribute a",
        "attribute b",
        "entitlement s/x",
        "entitlement s/account",
        "entitlement t/x",
        "entitlement t/y",
        "account s",
        "account t",
        "credential s",
        "object s/ticket",
        "signal",
    ];
    select(all.map(|text| text.parse::<Touch>().unwrap()).to_vec())
}

pub fn automations() -> impl Strategy<Value = Vec<Automation>> {
    let ends = (touches(), touches(), any::<bool>());
    proptest::collection::vec(ends, 0..8).prop_map(|ends| {
        let one = |(index, (from, to, by_person)): (usize, (Touch, Touch, bool))| Automation {
            name: AutomationName::new(&format!("rule-{index}")).unwrap(),
            title: format!("rule {index}"),
            kind: AutomationKind::Workflow,
            from,
            to,
            by_person,
            owner: None,
        };
        ends.into_iter().enumerate().map(one).collect()
    })
}

pub fn policy() -> impl Strategy<Value = PolicyReads> {
    // Mostly those that can give something.
    let action = prop_oneof![4 => Just(Action::Hold), 1 => select(Action::ALL.to_vec())];
    let attributes = subsequence(ATTRIBUTES.to_vec(), 0..=2);
    let reach = subsequence(ENTITLEMENTS.to_vec(), 0..=3);
    (action, any::<bool>(), attributes, any::<bool>(), reach, 0..100u8).prop_map(
        |(action, forbids, attributes, holding, reach, id)| PolicyReads {
            policy: PolicyId::new(format!("policy-{id}")),
            action,
            forbids,
            attributes: attributes.into_iter().map(str::to_owned).collect(),
            holding,
            entitlements: reach.into_iter().map(entitlement).collect(),
            resources: Default::default(),
        },
    )
}

pub fn surroundings() -> impl Strategy<Value = Surroundings> {
    let classes = || btree_set(select(vec![AccessClass::DirectGroups, AccessClass::Roles]), 0..=2);
    let policies = proptest::collection::vec(policy(), 0..4);
    (classes(), classes(), policies, automations(), nested()).prop_map(
        |(grants, removes, policies, automations, entitlements)| Surroundings {
            semantics: Semantics { writes_accounts: true, grants, removes, issues: BTreeSet::new() },
            entitlements,
            policies,
            automations,
        },
    )
}

/// The entitlements, some of them seen to be in others.
fn nested() -> impl Strategy<Value = Vec<Entitlement>> {
    let inside = || subsequence(ENTITLEMENTS.to_vec(), 0..=1);
    [inside(), inside(), inside(), inside()].prop_map(|all| {
        let around = |of: &str| Inside { of: entitlement(of), through: Vec::new() };
        let with = |(one, inside): (Entitlement, Vec<&str>)| Entitlement {
            inside: inside.into_iter().map(around).filter(|inside| inside.of != one.name).collect(),
            ..one
        };
        declared().into_iter().zip(all).map(with).collect()
    })
}

pub fn role() -> impl Strategy<Value = Role> {
    let sources = subsequence(ATTRIBUTES.to_vec(), 0..=2).prop_map(|names| source(&names));
    prop_oneof![sources, Just(target()), Just(Role::Partner { system: None })]
}

fn rules() -> impl Strategy<Value = Vec<ScopeRule>> {
    let segment = select(vec!["a", "b", "{x}", "{y}"]);
    let path = proptest::collection::vec(segment, 1..=2).prop_map(|s| format!("/{}", s.join("/")));
    let dn = select(vec!["dc=x", "ou=a,dc=x", "uid=1,ou=a,dc=x", "OU=B,dc=x"]);
    let text = prop_oneof![
        (select(vec!["list GET", "update PATCH", "grant PATCH", "list POST"]), path)
            .prop_map(|(call, path)| format!("{call} {path}")),
        (select(vec!["list SEARCH", "update MODIFY", "revoke MODIFY"]), dn)
            .prop_map(|(call, dn)| format!("{call} {dn}")),
        select(vec!["list SEARCH rootDSE", "grant EXEC g", "grant EXEC h", "issue CALL g", "revoke ASK g"])
            .prop_map(str::to_owned),
    ];
    proptest::collection::vec(text.prop_map(|text| text.parse().unwrap()), 0..5)
}

fn limit<T: Ord + Clone + std::fmt::Debug + 'static>(of: [T; 3]) -> impl Strategy<Value = Limit<T>> {
    option::of(subsequence(of.to_vec(), 0..=3)).prop_map(|only| match only {
        Some(only) => Limit::Only(only.into_iter().collect()),
        None => Limit::Any,
    })
}

pub fn scope() -> impl Strategy<Value = Scope> {
    let values = || btree_set(select(vec!["a".to_owned(), "b".to_owned()]), 0..=2);
    let population =
        proptest::collection::btree_map(select(vec!["d".to_owned(), "e".to_owned()]), values(), 0..=2);
    let budget = || option::of(0..3u32);
    (
        rules(),
        btree_set(touches(), 0..3),
        limit(["a", "b", "c"].map(str::to_owned)),
        limit(["s/x", "t/x", "t/y"].map(entitlement)),
        population,
        (budget(), budget(), option::of(0..3u8), budget()),
    )
        .prop_map(|(rules, acts, attributes, entitlements, population, budgets)| Scope {
            rules,
            acts,
            attributes,
            entitlements,
            population: Population(population),
            writes_per_minute: budgets.0,
            objects_per_run: budgets.1,
            population_percent: budgets.2,
            privileged_per_day: budgets.3,
        })
}

/// A scope and one that was made of it by a few changes, so that narrower ones are met often.
pub fn changed(scope: Scope) -> impl Strategy<Value = Scope> {
    (Just(scope), self::scope(), proptest::bits::u8::ANY, any::<u8>()).prop_map(
        |(mut scope, other, parts, drop)| {
            if drop % 3 != 0 && !scope.rules.is_empty() {
                scope.rules.remove(usize::from(drop) % scope.rules.len());
            }
            if parts % 4 == 0 {
                scope.rules.extend(other.rules.into_iter().take(1));
            }
            if parts & 3 == 1 {
                scope.acts = scope.acts.intersection(&other.acts).cloned().collect();
            }
            if parts & 12 == 4 {
                scope.attributes = other.attributes;
            }
            if parts & 48 == 16 {
                scope.entitlements = other.entitlements;
            }
            if parts & 192 == 64 {
                scope.population = other.population;
                scope.writes_per_minute = other.writes_per_minute;
            }
            scope
        },
    )
}

/// Three scopes, the later ones often near the first.
pub fn scopes() -> impl Strategy<Value = [Scope; 3]> {
    scope().prop_flat_map(|one| {
        let two = prop_oneof![changed(one.clone()), scope()];
        (Just(one), two).prop_flat_map(|(one, two)| {
            let three = prop_oneof![changed(two.clone()), scope()];
            (Just(one), Just(two), three).prop_map(|(one, two, three)| [one, two, three])
        })
    })
}
