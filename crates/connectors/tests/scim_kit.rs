//! The SCIM connector against simulated systems, judged by their truth: the contract kit, and what the
//! behaviours are there to show.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to stop")]

#[path = "support/hiding.rs"]
mod hiding;
#[path = "support/lab.rs"]
mod lab;
#[path = "support/line.rs"]
mod line;
#[path = "support/page.rs"]
mod page;
#[path = "support/scim_true.rs"]
mod scim_true;

use bailiwick_connector::{Connector, Effect, ErrorKind, Listing, Locator, ObjectState, Outcome, testkit};
use bailiwick_core::{access::AccessClass, account::AccountAttributes, integration::Purpose, plan::Op};
use bailiwick_lab::{Behaviour, Paging, Seed, SeedGroup, SeedLicence, SeedToken};
use lab::{Simulated, settings};
use serde_json::json;

fn attributes(pairs: &[(&str, &str)]) -> AccountAttributes {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
}

/// Ann is in `Ops`, which is in `Staff`, which is in `All`; she has a licence, a token and a session.
fn ann() -> Seed {
    let group = |name: &str, member: &str| SeedGroup {
        id: None,
        name: name.into(),
        external_id: None,
        members: vec![member.into()],
    };
    let user = json!({"userName": "ann", "externalId": "hr/1", "displayName": "Ann"});
    Seed {
        users: vec![user.as_object().unwrap().clone()],
        groups: vec![
            group("Ops", "ann"),
            group("Staff", "Ops"),
            group("All", "Staff"),
            group("Other", "Ops"),
        ],
        licences: vec![SeedLicence { user: "ann".into(), sku: "pro".into() }],
        tokens: vec![SeedToken { user: "ann".into(), name: "ci".into() }],
        sessions: vec!["ann".into()],
        ..Seed::default()
    }
}

async fn held(system: &Simulated, account: &str, class: AccessClass) -> Vec<(String, ObjectState)> {
    let mut seen = Vec::new();
    let mut visit =
        |object: bailiwick_connector::Object<'_>| seen.push((object.name.to_string(), object.state));
    let line = system.line_for(Purpose::Verify);
    let page =
        system.scim().list(&line, Listing::Held { account, class }, None, 100, &mut visit).await.unwrap();
    assert!(page.complete && page.next.is_none());
    seen.sort_by(|a, b| a.0.cmp(&b.0));
    seen
}

#[tokio::test]
async fn the_contract_holds() {
    let usual = settings();
    let mut put = usual.clone();
    put["update"] = "put".into();
    for (paging, behaviours, settings) in [
        (Paging::Index, &[][..], &usual),
        (Paging::Cursor, &[], &usual),
        (Paging::Index, &[Behaviour::PutOnly], &put),
        (Paging::Cursor, &[Behaviour::StaleRead], &usual),
        (Paging::Index, &[Behaviour::AsyncMembers], &usual),
        (Paging::Index, &[Behaviour::KeepsGroups, Behaviour::DormantToken], &usual),
    ] {
        page::kept(&testkit::run(&Simulated::new(paging, behaviours, settings)).await);
    }
    // Where users are the people of a source.
    for (paging, behaviours, key) in
        [(Paging::Index, &[][..], "externalId"), (Paging::Cursor, &[Behaviour::StaleRead], "employee_number")]
    {
        let settings = json!({ "base": "/scim/v2", "people": { "key": key } });
        page::kept(&testkit::run(&Simulated::new(paging, behaviours, &settings)).await);
    }
    let mut patch = usual.clone();
    patch["update"] = "patch".into();
    let limited = Simulated::new(Paging::Index, &[Behaviour::LimitedPatch], &patch).adopting(&[OLD]);
    page::kept(&testkit::run(&limited).await);
    page::all_kept("the_contract_holds");
}

/// The form of old services.
const OLD: &str = "PATCH without a path, flags as text";

#[tokio::test]
async fn a_form_that_was_learned_is_the_form_that_is_used() {
    let other = json!([{"type": "home", "value": "ann@home"}]);
    for (behaviour, form) in [
        (Behaviour::LimitedPatch, OLD),
        (Behaviour::PutOnly, "PUT"),
        (Behaviour::Faithful, "PATCH without a path"),
        (Behaviour::Faithful, "PATCH by path"),
    ] {
        let system = Simulated::new(Paging::Index, &[behaviour], &settings()).adopting(&["by post", form]);
        let mut seed = ann();
        seed.users[0].insert("emails".into(), other.clone());
        let id = system.lab.seed("app", &seed).unwrap().users["ann"].clone();
        let (scim, line) = (system.scim(), system.line_for(Purpose::Write));
        let set = Op::SetAttributes { attributes: attributes(&[("title", "Boss"), ("email", "ann@x")]) };
        scim.apply(&line, Some(&id), &set, None, "k1").await.unwrap();
        let truth = system.lab.truth("app").unwrap();
        let user = &truth.user("ann").unwrap().attributes;
        assert_eq!(user["title"], "Boss", "{form}");
        // What it was not asked to change is as it was.
        let mails: Vec<&str> =
            user["emails"].as_array().unwrap().iter().map(|m| m["value"].as_str().unwrap()).collect();
        assert_eq!(mails, ["ann@home", "ann@x"], "{form}");
        let way = u8::from(behaviour == Behaviour::PutOnly);
        for (op, active) in [(Op::Disable { way }, false), (Op::Enable, true)] {
            scim.apply(&line, Some(&id), &op, None, &format!("k{active}")).await.unwrap();
            assert_eq!(system.lab.truth("app").unwrap().user("ann").unwrap().active, active, "{form}");
        }
    }
}

#[tokio::test]
async fn everything_an_account_holds_is_seen_and_taken() {
    for paging in [Paging::Index, Paging::Cursor] {
        let system = Simulated::new(paging, &[], &settings());
        let id = system.lab.seed("app", &ann()).unwrap().users["ann"].clone();
        let scim = system.scim();
        let live = |names: &[&str]| -> Vec<_> {
            names.iter().map(|name| ((*name).to_owned(), ObjectState::Live)).collect()
        };
        let names_of = |class| held(&system, &id, class);
        assert_eq!(names_of(AccessClass::PrimaryAccount).await, live(&["ann"]));
        assert_eq!(names_of(AccessClass::DirectGroups).await, live(&["Ops"]));
        assert_eq!(names_of(AccessClass::NestedGroups).await, live(&["All", "Other", "Staff"]));
        assert_eq!(names_of(AccessClass::Licences).await, live(&["pro"]));
        assert_eq!(names_of(AccessClass::ApiTokens).await, live(&["ci"]));
        assert_eq!(names_of(AccessClass::Sessions).await.len(), 1);
        let write = system.line_for(Purpose::Write);
        let classes =
            [AccessClass::Sessions, AccessClass::ApiTokens, AccessClass::DirectGroups, AccessClass::Licences];
        for (n, class) in classes.into_iter().enumerate() {
            let all = Op::RevokeAll { class };
            for outcome in [Outcome::Done, Outcome::AlreadySo] {
                let applied = scim.apply(&write, Some(&id), &all, None, &format!("k{n}")).await.unwrap();
                assert_eq!(applied.outcome, outcome, "{class}");
            }
            assert_eq!(held(&system, &id, class).await, [], "{class}");
        }
        let truth = system.lab.truth("app").unwrap();
        let user = truth.user("ann").unwrap();
        assert!(user.active && user.effective_groups.is_empty() && user.licences.is_empty());
        assert!(user.sessions.is_empty() && user.tokens.iter().all(|token| !token.works));
    }
}

#[tokio::test]
async fn a_system_that_ignores_patch_is_moved_by_put() {
    let system = Simulated::new(Paging::Index, &[Behaviour::PutOnly], &settings());
    let id = system.lab.seed("app", &ann()).unwrap().users["ann"].clone();
    let scim = system.scim();
    let line = system.line_for(Purpose::Write);
    let active = || system.lab.truth("app").unwrap().user("ann").unwrap().active;
    assert_eq!(scim.capability().disable_ways.len(), 2);
    for (way, after) in [(0, true), (1, false)] {
        let op = Op::Disable { way };
        let applied = scim.apply(&line, Some(&id), &op, None, &format!("k{way}")).await.unwrap();
        assert_eq!((applied.outcome, active()), (Outcome::Done, after));
    }
    let mut put = settings();
    put["update"] = "put".into();
    let scim = &bailiwick_connectors::scim::Scim::new(&put).unwrap();
    let wanted =
        attributes(&[("title", "Boss"), ("email", "ann@x"), ("department", "D1"), ("givenName", "Ann")]);
    let set = Op::SetAttributes { attributes: wanted };
    assert_eq!(scim.apply(&line, Some(&id), &set, None, "k3").await.unwrap().outcome, Outcome::Done);
    assert_eq!(scim.apply(&line, Some(&id), &set, None, "k3").await.unwrap().outcome, Outcome::AlreadySo);
    let truth = system.lab.truth("app").unwrap();
    let user = &truth.user("ann").unwrap().attributes;
    assert_eq!(user["title"], "Boss");
    assert_eq!(user["emails"], json!([{"type": "work", "value": "ann@x"}]));
    assert_eq!(user["externalId"], "hr/1");
    assert_eq!(user["displayName"], "Ann");
}

#[tokio::test]
async fn a_success_that_did_nothing_is_seen_by_reading() {
    let system = Simulated::new(Paging::Index, &[Behaviour::Noop200], &settings());
    let id = system.lab.seed("app", &ann()).unwrap().users["ann"].clone();
    let scim = system.scim();
    let line = system.line_for(Purpose::Write);
    for way in 0..2 {
        let applied =
            scim.apply(&line, Some(&id), &Op::Disable { way }, None, &format!("k{way}")).await.unwrap();
        assert_eq!(applied.outcome, Outcome::Done);
        let seen = scim.get(&system.line_for(Purpose::Verify), Locator::Account(&id)).await.unwrap().unwrap();
        assert_eq!(seen.state, ObjectState::Live);
    }
    assert_eq!(scim.apply(&line, Some(&id), &Op::Delete, None, "k3").await.unwrap().outcome, Outcome::Done);
    assert_eq!(
        scim.apply(&line, Some(&id), &Op::Delete, None, "k4").await.unwrap().outcome,
        Outcome::AlreadySo
    );
    assert!(system.lab.truth("app").unwrap().users.is_empty());
}

#[tokio::test]
async fn a_dormant_token_is_blocked_with_a_date_and_then_revoked() {
    let system = Simulated::new(Paging::Index, &[Behaviour::DormantToken], &settings());
    let id = system.lab.seed("app", &ann()).unwrap().users["ann"].clone();
    let scim = system.scim();
    let line = system.line_for(Purpose::Write);
    scim.apply(&line, Some(&id), &Op::Disable { way: 0 }, None, "k1").await.unwrap();
    let (mut state, mut purges_at) = (None, None);
    let mut visit = |object: bailiwick_connector::Object<'_>| {
        state = Some(object.state);
        purges_at = object.purges_at;
    };
    let class = AccessClass::ApiTokens;
    scim.list(&line, Listing::Held { account: &id, class }, None, 100, &mut visit).await.unwrap();
    assert_eq!(state, Some(ObjectState::Blocked));
    assert_eq!(purges_at.unwrap().as_millisecond(), 1_800_000_000_000 + 30 * 24 * 3_600 * 1_000);
    let revoke = Op::RevokeAll { class };
    assert_eq!(scim.apply(&line, Some(&id), &revoke, None, "k2").await.unwrap().outcome, Outcome::Done);
    assert_eq!(held(&system, &id, class).await, []);
    scim.apply(&line, Some(&id), &Op::Enable, None, "k3").await.unwrap();
    let truth = system.lab.truth("app").unwrap();
    assert!(truth.user("ann").unwrap().active && !truth.user("ann").unwrap().tokens[0].works);
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_the_same_again_has_no_second_effect() {
    let system = Simulated::new(Paging::Index, &[], &settings());
    let scim = system.scim();
    let line = system.line_for(Purpose::Write);
    scim.check(&line).await.unwrap();
    system.lab.behave("app", [Behaviour::TimeoutAfterCommit]).unwrap();
    let (mut lost, mut effects) = (0, 0);
    for n in 0..20 {
        let op = Op::CreateAccount {
            marker: format!("hr/{n}"),
            attributes: attributes(&[("userName", &format!("user{n}"))]),
        };
        let key = format!("k{n}");
        match scim.apply(&line, None, &op, None, &key).await {
            Ok(applied) => assert_eq!(applied.outcome, Outcome::Done),
            Err(error) => {
                assert_eq!((error.kind, error.effect), (ErrorKind::Timeout, Effect::Unknown));
                lost += 1;
                let again = scim.apply(&line, None, &op, None, &key).await.unwrap();
                assert_eq!(again.outcome, Outcome::AlreadySo);
            }
        }
        effects += 1;
        assert_eq!(system.lab.truth("app").unwrap().users.len(), effects);
    }
    assert_eq!(lost, 4);
}

#[tokio::test]
async fn a_name_that_a_hidden_account_holds_is_not_adopted() {
    let system = Simulated::new(Paging::Index, &[Behaviour::SoftDelete], &settings());
    let id = system.lab.seed("app", &ann()).unwrap().users["ann"].clone();
    let scim = system.scim();
    let line = system.line_for(Purpose::Write);
    scim.apply(&line, Some(&id), &Op::Delete, None, "k1").await.unwrap();
    assert_eq!(scim.get(&line, Locator::Account(&id)).await.unwrap(), None);
    let create = Op::CreateAccount { marker: "hr/1".into(), attributes: attributes(&[("userName", "ann")]) };
    let error = scim.apply(&line, None, &create, None, "k2").await.unwrap_err();
    assert_eq!((error.kind, error.effect), (ErrorKind::AlreadyExists, Effect::None));
    assert!(error.message.contains("not shown"), "{}", error.message);
}
