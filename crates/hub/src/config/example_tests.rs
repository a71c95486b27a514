//! What `examples/acme` says: who holds what, who may approve what, and that its parts fit together.

use std::{collections::BTreeSet, path::Path};

use bailiwick_core::{
    integration::Role,
    policy::{
        ApproverFacts, ApproverKind, AttributeValue, Attributes, ChangeFacts, EntitlementFacts, PolicySet,
        Vocabulary,
    },
};

use super::*;

fn acme() -> Configuration {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/acme");
    parse(&read_folder(&folder).unwrap()).unwrap_or_else(|errors| {
        panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

fn policies(acme: &Configuration) -> PolicySet {
    let contract = acme.integrations.iter().find_map(|i| match &i.role {
        Role::Source { contract, .. } => Some(contract),
        Role::Target { .. } | Role::Log { .. } | Role::Partner { .. } => None,
    });
    let attributes = &contract.unwrap().attributes;
    let facts = |e: &Entitlement| EntitlementFacts {
        name: e.name.clone(),
        class: e.class,
        privileged: e.privileged,
        labels: BTreeSet::new(),
    };
    let vocabulary = Vocabulary {
        identity: attributes.iter().map(|(name, rule)| (name.clone(), rule.kind)).collect(),
        required: attributes.iter().filter(|(_, rule)| rule.required).map(|(name, _)| name.clone()).collect(),
        entitlements: acme.entitlements.iter().map(facts).collect(),
        ..Vocabulary::default()
    };
    PolicySet::load(&acme.policies, &vocabulary).unwrap_or_else(|errors| {
        panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

#[test]
fn three_systems_are_reached_each_by_one_integration() {
    let acme = acme();
    let systems: Vec<_> = acme.systems.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(systems, ["chat", "crm", "wiki"]);
    for system in &acme.systems {
        let reached = acme
            .integrations
            .iter()
            .filter(|i| matches!(&i.role, Role::Target { system: s } if *s == system.name));
        assert_eq!(reached.count(), 1, "{}", system.name);
        let on_it = acme.entitlements.iter().filter(|e| e.name.system() == system.name);
        assert!((5..=8).contains(&on_it.clone().count()), "{}", system.name);
        assert_eq!(
            on_it.clone().filter(|e| e.class == AccessClass::PrimaryAccount).count(),
            1,
            "{}",
            system.name
        );
        assert_eq!(on_it.filter(|e| e.privileged).count(), 1, "{}", system.name);
    }
}

#[test]
fn who_holds_what_follows_from_department_title_and_employment() {
    let policies = policies(&acme());
    let check = |department: &str, title: &str, employment: &str, expect: &str| {
        let person: Attributes = [
            ("department", department),
            ("title", title),
            ("employment", employment),
            ("display_name", "A B"),
            ("email", "a.b@acme.example"),
        ]
        .map(|(name, value)| (name.to_owned(), AttributeValue::Text(value.to_owned())))
        .into();
        let holding = policies.holds("person", &person).unwrap();
        let held = holding.held.keys().map(ToString::to_string);
        let forbidden = holding.forbidden.keys().map(|name| format!("-{name}"));
        let words: Vec<String> = held.chain(forbidden).collect();
        assert_eq!(words.join(" "), expect, "{department}, {title}, {employment}");
    };
    // The mover, before and after; the two who leave; the head of Sales; somebody from outside.
    check(
        "Sales",
        "Account executive",
        "employee",
        "chat/account chat/pro chat/sales crm/account crm/pipeline crm/request-discount crm/seat wiki/account wiki/staff",
    );
    check(
        "Finance",
        "Financial analyst",
        "employee",
        "chat/account chat/finance crm/account wiki/account wiki/finance-reports wiki/staff",
    );
    check(
        "Engineering",
        "Staff engineer",
        "employee",
        "chat/account chat/engineering chat/incidents chat/pro crm/support-cases wiki/account wiki/engineering-handbook wiki/staff",
    );
    check(
        "Finance",
        "Controller",
        "employee",
        "chat/account chat/finance crm/account crm/approve-discount wiki/account wiki/finance-reports wiki/staff",
    );
    check(
        "Sales",
        "Head of Sales",
        "employee",
        "chat/account chat/pro chat/sales crm/account crm/pipeline crm/request-discount crm/seat wiki/account \
         wiki/finance-reports wiki/staff -crm/approve-discount",
    );
    check("Marketing", "Copywriter", "contractor", "chat/account crm/account crm/campaigns wiki/account");
    check(
        "IT",
        "Systems administrator",
        "employee",
        "chat/account wiki/account wiki/engineering-handbook wiki/staff",
    );
}

#[test]
fn a_rule_approves_what_is_routine_and_a_person_the_rest() {
    let policies = policies(&acme());
    let by = |kind, roles: &[&str]| ApproverFacts {
        kind,
        name: "x".into(),
        roles: roles.iter().map(|r| (*r).to_owned()).collect(),
    };
    let rule = by(ApproverKind::Rule, &[]);
    let check = |cause: &str, privileged, removes_only, destructive, expect: bool| {
        let change = ChangeFacts {
            cause: cause.into(),
            privileged,
            removes_only,
            destructive,
            ..ChangeFacts::default()
        };
        assert_eq!(policies.approves(&rule, &change).unwrap().allowed, expect, "{change:?}");
        let person = |roles| policies.approves(&by(ApproverKind::Operator, roles), &change).unwrap().allowed;
        assert!(person(&["approver"]) && !person(&["viewer"]) && !person(&[]), "{change:?}");
    };
    for cause in ["joiner", "mover", "leaver", "residue"] {
        check(cause, false, false, false, true);
        check(cause, false, true, true, false);
        check(cause, true, false, false, false);
    }
    check("leaver", true, true, false, true);
    for cause in ["drift", "purge", "request", "absent"] {
        check(cause, false, true, false, false);
    }
}
