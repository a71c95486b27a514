//! Blast radii as people read them.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    access::AccessClass,
    authority::{
        Semantics,
        blast::{Blast, Part, Primitive, Subject, blast},
        compute,
    },
    automation::{Automation, AutomationKind},
    id::AutomationName,
    integration::{Integration, Purpose, Role},
    limit::Population,
    scope::Scope,
};
use proptest::prelude::*;

use crate::generated::{Surroundings, declared, integration, role, scope, source, surroundings, target};

fn of(subject: &str, it: &[Integration], around: &Surroundings) -> Blast {
    let authorities: Vec<_> = it.iter().map(|i| compute(i, around.world())).collect();
    let parts: Vec<Part<'_>> = it
        .iter()
        .zip(&authorities)
        .map(|(integration, authority)| Part {
            integration,
            authority,
            semantics: &around.semantics,
            classes: None,
        })
        .collect();
    blast(subject.parse().unwrap(), &parts, &around.entitlements)
}

fn lines(blast: &Blast) -> Vec<String> {
    let line = |power: &bailiwick_core::authority::blast::Power| {
        let limits =
            if power.limits.is_empty() { String::new() } else { format!(" [{}]", power.limits.join("; ")) };
        format!("{} {} by {}{limits}", power.can.as_str(), power.thing, power.by)
    };
    blast.powers.iter().map(line).collect()
}

fn ways(blast: &Blast) -> Vec<Primitive> {
    blast.persistence.iter().filter(|way| way.possible).map(|way| way.primitive).collect()
}

fn around(grants: &[AccessClass], issues: &[AccessClass], automations: Vec<Automation>) -> Surroundings {
    let grants: BTreeSet<AccessClass> = grants.iter().copied().collect();
    let semantics = Semantics {
        writes_accounts: true,
        removes: grants.clone(),
        grants,
        issues: issues.iter().copied().collect(),
    };
    Surroundings { semantics, entitlements: declared(), policies: Vec::new(), automations }
}

fn rules(rules: &[&str]) -> Scope {
    Scope { rules: rules.iter().map(|r| r.parse().unwrap()).collect(), ..Scope::default() }
}

fn acts(acts: &[&str]) -> Scope {
    Scope { acts: acts.iter().map(|a| a.parse().unwrap()).collect(), ..Scope::default() }
}

fn partner(scope: Scope) -> Integration {
    integration(Role::Partner { system: None }, scope)
}

fn automation(from: &str, to: &str, by_person: bool) -> Automation {
    Automation {
        name: AutomationName::new("rule-12").unwrap(),
        title: "itsm rule 12".into(),
        kind: AutomationKind::TicketRule,
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        by_person,
        owner: None,
    }
}

#[test]
fn what_reads_and_what_leaves_notes_stays_within_bounds() {
    let none = around(&[], &[], Vec::new());
    for it in [
        integration(target(), rules(&["list GET /u", "get GET /u/{id}"])),
        partner(acts(&["signal", "object s/ticket", "attribute a"])),
        partner(Scope::default()),
    ] {
        let blast = of("it", &[it], &none);
        assert_eq!((blast.beyond.possible, blast.beyond.paths.len()), (false, 0), "{blast:?}");
        assert_eq!(ways(&blast), []);
    }
}

#[test]
fn a_call_with_a_body_gives_as_well_as_takes_and_one_without_only_takes() {
    use AccessClass::{ApiTokens, DirectGroups};
    let world = around(&[DirectGroups, ApiTokens], &[], Vec::new());
    let takes = of("it", &[integration(target(), rules(&["revoke DELETE /g/{id}/{user}"]))], &world);
    assert_eq!(
        lines(&takes),
        [
            "change the groups and roles of s themselves by revoke DELETE /g/{id}/{user}",
            "take direct groups on s by revoke DELETE /g/{id}/{user}",
            "take personal access tokens and API keys on s by revoke DELETE /g/{id}/{user}",
        ]
    );
    assert_eq!(ways(&takes), []);
    assert_eq!(
        takes.beyond.paths,
        [
            "it → revoke DELETE /g/{id}/{user} → changes the groups and roles of s themselves",
            "it → does not carry out what ends access on s",
        ]
    );
    let gives = of("it", &[integration(target(), rules(&["revoke PATCH /g/{id}"]))], &world);
    assert_eq!(ways(&gives), [Primitive::Token]);
    assert!(lines(&gives).contains(&"give direct groups on s by revoke PATCH /g/{id}".to_owned()));
    // A statement does what it says, and there is nothing else at its address.
    let statement = of("it", &[integration(target(), rules(&["revoke EXEC take"]))], &world);
    assert_eq!(
        lines(&statement),
        [
            "take direct groups on s by revoke EXEC take",
            "take personal access tokens and API keys on s by revoke EXEC take",
        ]
    );
}

#[test]
fn what_is_issued_is_known_by_its_class() {
    let check = |issues: &[AccessClass], expect: &[Primitive]| {
        let blast =
            of("it", &[integration(target(), rules(&["issue POST /t"]))], &around(&[], issues, Vec::new()));
        assert_eq!(ways(&blast), expect, "{issues:?}");
        assert!(blast.beyond.possible);
    };
    check(&[AccessClass::ApiTokens], &[Primitive::Token]);
    check(&[AccessClass::CloudKeys], &[Primitive::AppCredential]);
    check(&[AccessClass::OauthConsents], &[Primitive::Trust]);
    check(&[AccessClass::MailboxRightsGiven], &[Primitive::MailboxRule]);
    check(&[AccessClass::Automations], &[Primitive::Automation]);
    check(&[AccessClass::HubRoles], &[Primitive::Approval]);
    check(&[AccessClass::DirectGroups], &[]);
    // Whatever it is, if nobody knows.
    check(&[], &[Primitive::Token, Primitive::AppCredential]);
}

#[test]
fn an_update_brings_back_what_was_only_blocked() {
    let blast =
        of("it", &[integration(target(), rules(&["update PATCH /u/{id}"]))], &around(&[], &[], Vec::new()));
    assert_eq!(ways(&blast), []);
    assert_eq!(
        blast.beyond.paths,
        [
            "it → update PATCH /u/{id} → a disabled account on s works again, and what it had",
            "it → does not carry out what ends access on s",
        ]
    );
}

#[test]
fn what_follows_is_listed_and_a_person_in_between_makes_no_yes() {
    let ticket = |by_person| {
        let rule = automation("object s/ticket", "entitlement s/account", by_person);
        of("it", &[partner(acts(&["object s/ticket"]))], &around(&[], &[], vec![rule]))
    };
    let alone = ticket(false);
    assert_eq!(alone.beyond.paths, ["it → object s/ticket → itsm rule 12 → entitlement s/account"]);
    assert_eq!(ways(&alone), [Primitive::Account]);
    assert!(!alone.approves);
    let asked = ticket(true);
    assert!(!asked.beyond.possible);
    assert_eq!(asked.beyond.only_with_a_person, alone.beyond.paths);
    assert_eq!(ways(&asked), []);
    assert_eq!(asked.persistence[0].by, [format!("{}, if a person agrees", alone.beyond.paths[0])]);
    let roles = automation("object s/ticket", "entitlement bailiwick/approvers", false);
    let hub = of("it", &[partner(acts(&["object s/ticket"]))], &around(&[], &[], vec![roles]));
    assert_eq!(ways(&hub), [Primitive::Approval]);
}

#[test]
fn limits_say_what_they_hold() {
    let limited = |scope: Scope| Scope {
        population: Population(BTreeMap::from([(
            "site".into(),
            BTreeSet::from(["Bern".into(), "Rome".into()]),
        )])),
        writes_per_minute: Some(10),
        objects_per_run: Some(5),
        population_percent: Some(2),
        privileged_per_day: Some(1),
        ..scope
    };
    let world = around(&[AccessClass::Licences], &[], Vec::new());
    let blast =
        of("it", &[integration(target(), limited(rules(&["list GET /l", "grant EXEC give"])))], &world);
    assert_eq!(
        lines(&blast),
        [
            "give licences on s by grant EXEC give [10 writes a minute; 5 accounts a run, as the hub plans; \
         2 % of the accounts a day, as the hub plans; 1 privileged a day, as the hub plans; \
         only where site is Bern or Rome, as the hub plans]",
            "read what it shows by list GET /l",
        ]
    );
    let blast = of("it", &[integration(source(&["a"]), limited(Scope::default()))], &world);
    assert_eq!(
        lines(&blast)[2],
        "change attribute a by it → attribute a [10 writes a minute; 5 accounts a run; \
         2 % of the accounts a day; only where site is Bern or Rome; \
         a delivery may lose 10 % of the people, or 5; a delivery may change 30 %, or 5]"
    );
}

#[test]
fn a_credential_outside_of_the_hub_is_limited_by_its_system_alone() {
    let it = [integration(target(), rules(&["list GET /u", "create POST /u"]))];
    let world = around(&[], &[], Vec::new());
    let outside = |purpose: &str| {
        format!(
            "credential it/{purpose} → used outside of the hub → what https://toy.example lets it do, which nobody here knows"
        )
    };
    let write = of("credential it/write", &it, &world);
    // Of a system that is not known, anything.
    let all = Primitive::ALL.into_iter().filter(|way| *way != Primitive::Approval).collect::<Vec<_>>();
    assert_eq!(ways(&write), all);
    assert_eq!(write.persistence[0].by, ["create POST /u".to_owned(), outside("write")]);
    assert_eq!(
        write.beyond.paths,
        ["it → create POST /u → creates accounts on s".to_owned(), outside("write")]
    );
    let authority = compute(&it[0], world.world());
    let classes = BTreeSet::from([AccessClass::PrimaryAccount, AccessClass::Sessions]);
    let part = Part {
        integration: &it[0],
        authority: &authority,
        semantics: &world.semantics,
        classes: Some(&classes),
    };
    let known = blast("credential it/verify".parse().unwrap(), &[part], &world.entitlements);
    assert_eq!(ways(&known), [Primitive::Account, Primitive::Token]);
    let verify = of("credential it/verify", &it, &world);
    assert_eq!(lines(&verify), ["read what it shows by list GET /u [none outside of the hub]"]);
    assert_eq!(verify.beyond.paths, [outside("verify")]);
}

#[test]
fn a_vendor_is_all_its_integrations() {
    let world = around(&[], &[], Vec::new());
    let mut second = partner(acts(&["identity"]));
    second.name = "other".parse().unwrap();
    let blast = of("vendor Some Ltd", &[integration(target(), rules(&["create POST /u"])), second], &world);
    assert_eq!(blast.integrations.iter().map(ToString::to_string).collect::<Vec<_>>(), ["it", "other"]);
    let whose: BTreeSet<&str> = blast.powers.iter().map(|power| power.integration.as_str()).collect();
    assert_eq!(whose, BTreeSet::from(["it", "other"]));
}

#[test]
fn subjects_are_written_as_they_are_read() {
    for text in ["chat", "credential chat/write", "vendor Some Ltd", "vendor"] {
        assert_eq!(text.parse::<Subject>().unwrap().to_string(), text);
    }
    let credential = Subject::Credential("chat".parse().unwrap(), Purpose::Verify);
    assert_eq!("credential  chat/verify".parse::<Subject>().unwrap(), credential);
    for text in ["", "Chat", "credential chat", "credential chat/own", "integration chat"] {
        assert!(text.parse::<Subject>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn the_answer_is_yes_exactly_when_there_is_a_way(
        scope in scope(), role in role(), around in surroundings(),
    ) {
        let it = [integration(role, scope)];
        let blast = of("it", &it, &around);
        prop_assert_eq!(blast.beyond.possible, !blast.beyond.paths.is_empty());
        for way in &blast.persistence {
            prop_assert!(!way.possible || !way.by.is_empty());
        }
        // Whoever could stay could create or preserve access.
        prop_assert!(blast.beyond.possible || ways(&blast).is_empty());
        // Everything that authority reaches is listed.
        let authority = compute(&it[0], around.world());
        for path in authority.paths.iter().filter(|path| !path.steps.is_empty()) {
            prop_assert!(blast.powers.iter().any(|power| power.by.starts_with(&path.explain(&it[0].name))));
        }
        let read: Blast = serde_json::from_value(serde_json::to_value(&blast).unwrap()).unwrap();
        prop_assert_eq!(read, blast);
    }
}
