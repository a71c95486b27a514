//! Authority of integrations as people have them: cases in words.

use std::collections::BTreeSet;

use bailiwick_core::{
    access::AccessClass,
    authority::{Class, Semantics, World, compute},
    automation::{Automation, AutomationKind},
    id::{AutomationName, IntegrationName},
    integration::Role,
    limit::Limit,
    nesting::Inside,
    policy::{Action, PolicyId, PolicyReads},
    scope::Scope,
};

use crate::generated::{declared, entitlement, integration, source, target};

/// What is around it, in short.
#[derive(Default)]
struct Around {
    semantics: Semantics,
    policies: Vec<PolicyReads>,
    automations: Vec<Automation>,
}

fn acts(acts: &[&str]) -> Scope {
    Scope { acts: acts.iter().map(|a| a.parse().unwrap()).collect(), ..Scope::default() }
}

fn rules(rules: &[&str]) -> Scope {
    Scope { rules: rules.iter().map(|r| r.parse().unwrap()).collect(), ..Scope::default() }
}

fn partner() -> Role {
    Role::Partner { system: None }
}

/// Whatever its scope would allow: no call of it leads to the system.
#[test]
fn who_reads_a_log_gives_no_access() {
    let role = || Role::Log { system: "s".parse().unwrap() };
    check(role(), rules(&["list READ /{file}", "create POST /x"]), &Around::default(), Class::Advisory, &[]);
}

fn automation(title: &str, from: &str, to: &str) -> Automation {
    Automation {
        name: AutomationName::new(&title.replace(' ', "-")).unwrap(),
        title: title.into(),
        kind: AutomationKind::TicketRule,
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        by_person: false,
        owner: None,
    }
}

fn by_person(title: &str, from: &str, to: &str) -> Automation {
    Automation { by_person: true, ..automation(title, from, to) }
}

fn hold(id: &str, reads: &[&str], reach: &[&str]) -> PolicyReads {
    PolicyReads {
        policy: PolicyId::new(id),
        action: Action::Hold,
        forbids: false,
        attributes: reads.iter().map(|a| (*a).to_owned()).collect(),
        holding: false,
        entitlements: reach.iter().map(|e| entitlement(e)).collect(),
        resources: Default::default(),
    }
}

fn check(role: Role, scope: Scope, around: &Around, class: Class, expect: &[&str]) {
    let entitlements = declared();
    let world = World {
        semantics: &around.semantics,
        entitlements: &entitlements,
        policies: &around.policies,
        automations: &around.automations,
    };
    let authority = compute(&integration(role, scope), world);
    assert_eq!(authority.explain(&IntegrationName::new("it").unwrap()), expect);
    assert_eq!(authority.class, class);
}

#[test]
fn a_ticket_opens_a_group_that_is_inside_of_another() {
    let around = Around {
        automations: vec![
            automation("itsm rule 12", "object s/ticket", "entitlement t/x"),
            automation("ad group vpn", "entitlement t/x", "entitlement s/x"),
            automation("and back", "entitlement s/x", "entitlement t/x"),
        ],
        ..Around::default()
    };
    check(
        partner(),
        acts(&["object s/ticket"]),
        &around,
        Class::Authoritative,
        &[
            "it → object s/ticket → itsm rule 12 → entitlement t/x: nobody else decides",
            "it → object s/ticket → itsm rule 12 → ad group vpn → entitlement s/x: nobody else decides",
            "it → object s/ticket: nothing follows from it",
        ],
    );
}

#[test]
fn a_person_in_between_makes_it_operational_unless_there_is_a_way_round() {
    let mut around = Around {
        automations: vec![
            by_person("asks the team lead", "object s/ticket", "entitlement t/x"),
            automation("ad group vpn", "entitlement t/x", "entitlement s/x"),
        ],
        ..Around::default()
    };
    check(
        partner(),
        acts(&["object s/ticket"]),
        &around,
        Class::Operational,
        &[
            "it → object s/ticket → asks the team lead → entitlement t/x: a person decides in between",
            "it → object s/ticket → asks the team lead → ad group vpn → entitlement s/x: a person decides in between",
            "it → object s/ticket: nothing follows from it",
        ],
    );
    around.automations.extend([
        automation("tags it", "object s/ticket", "object s/tag"),
        automation("fast lane", "object s/tag", "entitlement t/x"),
    ]);
    check(
        partner(),
        acts(&["object s/ticket"]),
        &around,
        Class::Authoritative,
        &[
            "it → object s/ticket → tags it → fast lane → entitlement t/x: nobody else decides",
            "it → object s/ticket → tags it → fast lane → ad group vpn → entitlement s/x: nobody else decides",
            "it → object s/ticket: nothing follows from it",
        ],
    );
}

#[test]
fn an_attribute_matters_from_the_day_on_which_a_policy_reads_it() {
    let mut around = Around { policies: vec![hold("engineers", &["b"], &["t/x"])], ..Around::default() };
    check(
        partner(),
        acts(&["attribute a"]),
        &around,
        Class::Advisory,
        &["it → attribute a: nothing follows from it"],
    );
    around.policies.push(hold("marketing", &["a"], &["t/y"]));
    check(
        partner(),
        acts(&["attribute a"]),
        &around,
        Class::Authoritative,
        &[
            "it → attribute a → marketing → entitlement t/y: nobody else decides",
            "it → attribute a: nothing follows from it",
        ],
    );
    let elsewhere = Scope { attributes: Limit::Only(BTreeSet::from(["b".into()])), ..acts(&["attribute a"]) };
    check(partner(), elsewhere, &around, Class::Advisory, &[]);
}

#[test]
fn a_forbid_is_controlled_by_what_it_reads_and_by_what_decides_what_it_looks_at() {
    let forbid = PolicyReads { forbids: true, holding: true, ..hold("not-both", &[], &["t/x"]) };
    let around = Around {
        policies: vec![hold("payments", &["a"], &["s/x"]), hold("idle", &["b"], &[]), forbid],
        ..Around::default()
    };
    check(
        partner(),
        acts(&["attribute a", "attribute b"]),
        &around,
        Class::Authoritative,
        &[
            "it → attribute a → not-both → entitlement t/x: nobody else decides",
            "it → attribute a → payments → entitlement s/x: nobody else decides",
            "it → attribute a: nothing follows from it",
            "it → attribute b: nothing follows from it",
        ],
    );
}

#[test]
fn policies_of_approval_give_nothing() {
    let approve = PolicyReads { action: Action::Approve, ..hold("leads-approve", &["a"], &["t/x"]) };
    let around = Around { policies: vec![approve], ..Around::default() };
    check(
        partner(),
        acts(&["attribute a"]),
        &around,
        Class::Advisory,
        &["it → attribute a: nothing follows from it"],
    );
}

#[test]
fn a_source_says_who_exists_and_so_who_there_is_to_hold_anything() {
    let forbid = PolicyReads { forbids: true, ..hold("never", &[], &["t/y"]) };
    let around = Around {
        policies: vec![hold("everybody", &[], &["s/account"]), forbid],
        automations: vec![automation("default group", "account s", "entitlement t/x")],
        ..Around::default()
    };
    check(
        source(&["a"]),
        Scope::default(),
        &around,
        Class::Authoritative,
        &[
            "it → identity: nobody else decides",
            "it → identity → everybody → entitlement s/account: nobody else decides",
            "it → identity → everybody → default group → entitlement t/x: nobody else decides",
            "it → attribute a: nothing follows from it",
        ],
    );
}

#[test]
fn a_target_carries_out_within_its_operations_and_limits() {
    let around = Around {
        semantics: Semantics {
            grants: BTreeSet::from([AccessClass::DirectGroups]),
            removes: BTreeSet::from([AccessClass::DirectGroups, AccessClass::Roles]),
            ..Semantics::default()
        },
        automations: vec![automation("nested", "entitlement s/x", "entitlement t/y")],
        ..Around::default()
    };
    let reads = ["list GET /u", "get GET /u/{id}", "try GET /me", "discover GET /config"];
    check(target(), rules(&reads), &around, Class::Advisory, &[]);
    // Only taking counts, and so does only giving; what is on another system is out of reach by itself.
    for only in ["grant PATCH /g/{id}", "revoke PATCH /g/{id}"] {
        check(
            target(),
            rules(&[only]),
            &around,
            Class::Operational,
            &[
                "it → entitlement s/x: it carries out what is decided",
                "it → entitlement s/x → nested → entitlement t/y: it carries out what is decided",
            ],
        );
    }
    let limited = Scope { entitlements: Limit::Only(BTreeSet::new()), ..rules(&["grant PATCH /g/{id}"]) };
    check(target(), limited, &around, Class::Advisory, &[]);
    check(
        target(),
        rules(&["delete DELETE /u/{id}"]),
        &around,
        Class::Operational,
        &["it → account s: it carries out what is decided"],
    );
    check(
        target(),
        rules(&["issue POST /tokens"]),
        &around,
        Class::Authoritative,
        &["it → credential s: nobody else decides"],
    );
    check(
        target(),
        acts(&["account s"]),
        &around,
        Class::Authoritative,
        &["it → account s: nobody else decides"],
    );
}

#[test]
fn a_partner_decides_what_it_does_by_itself() {
    for (act, class, words) in [
        ("signal", Class::Advisory, "nothing follows from it"),
        ("object s/ticket", Class::Advisory, "nothing follows from it"),
        ("attribute a", Class::Advisory, "nothing follows from it"),
        ("identity", Class::Authoritative, "nobody else decides"),
        ("entitlement t/x", Class::Authoritative, "nobody else decides"),
        ("account s", Class::Authoritative, "nobody else decides"),
        ("credential s", Class::Authoritative, "nobody else decides"),
    ] {
        check(partner(), acts(&[act]), &Around::default(), class, &[&format!("it → {act}: {words}")]);
    }
    check(partner(), Scope::default(), &Around::default(), Class::Advisory, &[]);
}

#[test]
fn a_group_that_was_seen_in_another_leads_there() {
    let mut entitlements = declared();
    let inside = |of: &str, through: &[&str]| Inside {
        of: entitlement(of),
        through: through.iter().map(|label| (*label).to_owned()).collect(),
    };
    let [tx, sx] =
        ["t/x", "s/x"].map(|name| entitlements.iter().position(|e| e.name.as_str() == name).unwrap());
    entitlements[tx].inside = vec![inside("t/y", &["Everybody"])];
    entitlements[sx].inside = vec![inside("t/x", &[])];
    let rule = automation("rule 12", "object s/ticket", "entitlement s/x");
    let around = Around { automations: vec![rule], ..Around::default() };
    let world = World {
        semantics: &around.semantics,
        entitlements: &entitlements,
        policies: &around.policies,
        automations: &around.automations,
    };
    let authority = compute(&integration(partner(), acts(&["object s/ticket"])), world);
    assert_eq!(
        authority.explain(&IntegrationName::new("it").unwrap())[2],
        "it → object s/ticket → rule 12 → seen to be in → seen to be in, through Everybody → entitlement t/y: \
         nobody else decides"
    );
}
