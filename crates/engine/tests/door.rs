//! The door: what an integration can do here with its token, and what it cannot. What follows from a write is
//! judged by what the systems hold.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::collections::BTreeMap;

use bailiwick_core::{
    authority::Touch,
    gate::Gate,
    id::{IntegrationName, SourceName, Tenant},
    integration::Integration,
    limit::Population,
    policy::AttributeValue,
    record::Actor,
    signal::Note,
    time::SignedDuration,
};
use bailiwick_engine::{Configuration, EngineError, Written};
use bailiwick_lab::Behaviour;
use bailiwick_store::{Select, Table, entities::Caller, select};
use serde_json::json;
use world::World;

const CHAT: &[(&str, &[Behaviour])] = &[("chat", &[])];
const ANN: &str = "1,Ann,ann@x.test,Finance,,active";
const BOB: &str = "2,Bob,bob@x.test,Sales,,active";

fn name(text: &str) -> IntegrationName {
    IntegrationName::new(text).unwrap()
}

fn hr() -> SourceName {
    SourceName::new("hr").unwrap()
}

/// A partner that acts on these things.
fn partner(called: &str, acts: &[&str]) -> Integration {
    serde_json::from_value(json!({
        "name": called, "purpose": "badges", "owner": "hr/1", "backup": "hr/2", "connector": "manual",
        "endpoint": "person:", "role": "partner", "scope": { "acts": acts }, "standing": { "state": "enabled" },
        "register": { "boundary": "outside", "data_flows": ["badges"], "privilege_flows": ["doors"], "vendor": "B" },
    }))
    .unwrap()
}

/// What the world declares: where somebody writes badges, one opens a group on `chat`.
fn declare(configuration: &mut Configuration, partners: Vec<Integration>) {
    let badge = Touch::Attribute("badge".into());
    let written = partners.iter().any(|partner| partner.scope.acts.contains(&badge));
    configuration.integrations.extend(partners);
    if !written {
        return;
    }
    configuration.policies[0].text.push_str(
        r#"
@id("chat-badge") permit(principal, action == Action::"hold", resource == Entitlement::"chat/engineering")
  when { principal has badge && principal.badge == "gold" };
"#,
    );
}

async fn world(seed: u64, partners: Vec<Integration>) -> World {
    let mut world = World::new(seed, CHAT).await;
    let names: Vec<IntegrationName> = partners.iter().map(|partner| partner.name.clone()).collect();
    world.configure_with(|configuration| declare(configuration, partners)).await;
    for name in names {
        world.certify(&name, &Gate::ALL).await;
    }
    world.quiet().await;
    world.deliver(&[ANN, BOB]).await.unwrap();
    world.quiet().await;
    world
}

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, Option<AttributeValue>> {
    let value = |text: &str| (!text.is_empty()).then(|| AttributeValue::Text(text.to_owned()));
    pairs.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect()
}

async fn write(
    world: &World,
    caller: &str,
    key: &str,
    pairs: &[(&str, &str)],
) -> Result<Written, EngineError> {
    world.engine.write_attributes(&name(caller), &hr(), key, values(pairs)).await
}

async fn refused(world: &World, caller: &str, key: &str, pairs: &[(&str, &str)]) -> &'static str {
    write(world, caller, key, pairs).await.unwrap_err().code()
}

fn note(text: &str) -> Note {
    Note { kind: "badge-lost".into(), about: Some("hr/1".into()), text: text.into() }
}

fn builds(world: &World, who: &str) -> bool {
    world.truth()[&format!("chat/{who}@x.test")].contains("Engineering")
}

#[tokio::test]
async fn a_policy_elsewhere_that_raises_somebody_voids_the_certificate_and_says_by_which_path() {
    let mut world = world(9, vec![partner("badges", &["attribute badge", "attribute nickname"])]).await;
    assert!(write(&world, "badges", "1", &[("nickname", "Annie")]).await.is_ok());
    let reads = r#"
@id("vip") permit(principal, action == Action::"hold", resource == Entitlement::"chat/admins")
  when { principal has nickname && principal.nickname == "Boss" };
"#;
    // The integration itself is as it was; only a policy is new.
    let raise = |configuration: &mut Configuration| {
        declare(configuration, vec![partner("badges", &["attribute badge", "attribute nickname"])]);
        configuration.policies[0].text.push_str(reads);
    };
    world.configure_with(raise).await;
    assert_eq!(refused(&world, "badges", "1", &[("nickname", "Boss")]).await, "certification-void");
    assert_eq!(refused(&world, "badges", "1", &[("badge", "gold")]).await, "certification-void");
    world.quiet().await;
    assert!(!world.truth()["chat/ann@x.test"].contains("admins"), "{:?}", world.truth());
    let told = world.engine.open_findings().await.unwrap();
    let told = told.iter().find(|f| f.code == "certification-void").unwrap();
    for part in ["badges", "attribute nickname", "vip", "chat/admins"] {
        assert!(told.message.contains(part), "`{part}` is missing from: {}", told.message);
    }
    assert!(!told.message.contains("chat-badge"), "only what is new: {}", told.message);

    // Who may do it approves what it is now, and the finding goes.
    world.certify(&name("badges"), &Gate::ALL).await;
    assert!(write(&world, "badges", "1", &[("nickname", "Boss")]).await.is_ok());
}

#[tokio::test]
async fn a_certified_write_is_an_event_and_survives_the_next_delivery() {
    let mut world = world(1, vec![partner("badges", &["attribute badge"])]).await;
    assert!(!builds(&world, "ann"));
    let written = write(&world, "badges", "1", &[("badge", "gold")]).await.unwrap();
    assert_eq!(written.changed, ["badge"]);
    world.quiet().await;
    assert!(builds(&world, "ann") && !builds(&world, "bob"));
    // The same again says nothing new.
    let written = write(&world, "badges", "1", &[("badge", "gold")]).await.unwrap();
    assert_eq!(written.changed, Vec::<String>::new());

    // The source says what it promised, and nothing of what another writes.
    world.deliver(&["1,Ann Archer,ann@x.test,Sales,,active", BOB]).await.unwrap();
    world.quiet().await;
    assert!(builds(&world, "ann"), "{:?}", world.truth());
    assert!(world.truth()["chat/ann@x.test"].contains("Ann Archer"));

    let written = write(&world, "badges", "1", &[("badge", "")]).await.unwrap();
    assert_eq!(written.changed, ["badge"]);
    world.quiet().await;
    assert!(!builds(&world, "ann"));
    assert_eq!(world.findings("integration-quarantined").await.len(), 0);
    let why = world.engine.why("hr/1", &"chat/engineering".parse().unwrap(), None).await.unwrap().to_string();
    assert!(why.contains("changed (integration badges)"), "{why}");
}

#[tokio::test]
async fn a_write_outside_of_the_scope_is_refused_recorded_and_stops_the_integration() {
    let finance = Population([("department".to_owned(), ["Finance".to_owned()].into())].into());
    for (key, pairs) in [
        ("1", vec![("department", "Engineering")]),
        ("1", vec![("badge", "gold"), ("email", "eve@x.test")]),
        ("2", vec![("badge", "gold")]),
        // Where nobody is, what is outside is outside all the same.
        ("99", vec![("department", "Engineering")]),
    ] {
        let mut limited = partner("badges", &["attribute badge", "signal"]);
        limited.scope.population = finance.clone();
        let mut world = world(2, vec![limited]).await;
        let before = world.truth();
        assert_eq!(refused(&world, "badges", key, &pairs).await, "out-of-scope", "{key} {pairs:?}");
        world.quiet().await;
        assert_eq!(world.truth(), before, "{key} {pairs:?}");
        assert_eq!(world.findings("integration-quarantined").await.len(), 1);
        assert!(world.record_kinds().await.contains("call-blocked"));
        // It is stopped for everything, also in a new process.
        world.restart();
        assert_eq!(refused(&world, "badges", "1", &[("badge", "gold")]).await, "integration-quarantined");
        let left = world.engine.leave_signal(&name("badges"), note("hello")).await.unwrap_err();
        assert_eq!(left.code(), "integration-quarantined");
        world.engine.release(&name("badges"), Actor::Operator("ada".into())).await.unwrap();
        write(&world, "badges", "1", &[("badge", "gold")]).await.unwrap();
    }
}

#[tokio::test]
async fn without_both_gates_there_is_no_write_and_without_the_first_no_note() {
    let mut world = World::new(3, CHAT).await;
    let advisory = partner("advice", &["signal"]);
    let partners = vec![advisory, partner("badges", &["attribute badge"])];
    world.configure_with(|configuration| declare(configuration, partners)).await;
    world.quiet().await;
    world.deliver(&[ANN, BOB]).await.unwrap();
    world.quiet().await;
    for caller in ["advice", "badges"] {
        world.certify(&name(caller), &[]).await;
        assert_eq!(refused(&world, caller, "1", &[("badge", "gold")]).await, "integration-approval-missing");
        let left = world.engine.leave_signal(&name(caller), note("hello")).await.unwrap_err();
        assert_eq!(left.code(), "integration-approval-missing");
        world.certify(&name(caller), &[Gate::IntegrationApproved]).await;
        world.engine.leave_signal(&name(caller), note("hello")).await.unwrap();
        assert_eq!(refused(&world, caller, "1", &[("badge", "gold")]).await, "identity-authority-missing");
    }
    // What is not approved is no trespass: nobody is stopped for asking.
    world.quiet().await;
    assert_eq!(world.findings("integration-quarantined").await.len(), 0);
    world.certify(&name("badges"), &Gate::ALL).await;
    write(&world, "badges", "1", &[("badge", "gold")]).await.unwrap();
    // Notes change nothing; they wait for somebody to read them.
    let signals = world.engine.signals().await.unwrap();
    let told: Vec<(&str, &str)> =
        signals.iter().map(|s| (s.integration.as_str(), s.note.text.as_str())).collect();
    assert_eq!(told, [("advice", "hello"), ("badges", "hello")]);
}

#[tokio::test]
async fn what_cannot_be_taken_is_said_and_changes_nothing() {
    let mut world = world(4, vec![partner("badges", &["attribute badge", "signal"])]).await;
    world.deliver(&[ANN, "2,Bob,bob@x.test,Sales,2026-01-01,left"]).await.unwrap();
    world.quiet().await;
    let before = world.truth();
    let of = |value| BTreeMap::from([("badge".to_owned(), Some(value))]);
    let number =
        world.engine.write_attributes(&name("badges"), &hr(), "1", of(AttributeValue::Number(7))).await;
    assert_eq!(number.unwrap_err().code(), "attribute-wrong-type");
    assert_eq!(refused(&world, "badges", "2", &[("badge", "gold")]).await, "identity-left");
    assert_eq!(refused(&world, "badges", "3", &[("badge", "gold")]).await, "not-found");
    assert_eq!(refused(&world, "badges", "1", &[]).await, "request-malformed");
    assert_eq!(refused(&world, "nobody", "1", &[("badge", "gold")]).await, "not-found");
    assert_eq!(refused(&world, "chat", "1", &[("badge", "gold")]).await, "integration-not-caller");
    let long = world.engine.leave_signal(&name("badges"), note(&"x".repeat(5_000))).await.unwrap_err();
    assert_eq!(long.code(), "request-malformed");
    world.quiet().await;
    assert_eq!(world.truth(), before);
    assert_eq!(world.findings("integration-quarantined").await.len(), 0);
}

#[tokio::test]
async fn a_caller_has_its_pace_and_nobody_elses() {
    let mut slow = partner("slow", &["signal"]);
    slow.scope.writes_per_minute = Some(2);
    let world = world(5, vec![slow, partner("badges", &["signal"])]).await;
    let leave = async |caller: &str| world.engine.leave_signal(&name(caller), note("x")).await;
    leave("slow").await.unwrap();
    world.pass(SignedDuration::from_secs(10));
    leave("slow").await.unwrap();
    let error = leave("slow").await.unwrap_err();
    assert_eq!(error.code(), "too-many-calls");
    let EngineError::Door(bailiwick_engine::DoorRefusal::Busy { after, limit, .. }) = error else { panic!() };
    assert_eq!((after, limit), (50, 2));
    leave("badges").await.unwrap();
    world.pass(SignedDuration::from_secs(50));
    leave("slow").await.unwrap();
    // Without a limit of its own a caller has sixty.
    for _ in 0..59 {
        leave("badges").await.unwrap();
    }
    world.pass(SignedDuration::from_secs(10));
    let mut left = 0;
    while leave("badges").await.is_ok() {
        left += 1;
    }
    assert_eq!(left, 1, "only the one of a minute ago is over");
}

#[tokio::test]
async fn a_token_is_one_integrations_and_ends() {
    let mut world = world(6, vec![partner("badges", &["signal"]), partner("advice", &["signal"])]).await;
    let by = || Actor::Operator("ada".into());
    let admit = async |world: &World, caller: &str| world.engine.admit_caller(&name(caller), 30, by()).await;
    let whose = async |world: &World, token: &str| world.engine.caller_by_token(token).await.unwrap();
    let (caller, badges) = admit(&world, "badges").await.unwrap();
    let (_, advice) = admit(&world, "advice").await.unwrap();
    assert!(badges.starts_with("bwc_") && !format!("{caller:?}").contains(&badges));
    assert_eq!(whose(&world, &badges).await, Some(name("badges")));
    assert_eq!(whose(&world, &advice).await, Some(name("advice")));
    // Neither is an operator's, nor is an operator's one of these.
    assert!(world.engine.operator_by_token(&badges).await.unwrap().is_none());
    let roles = [String::from("admin")].into();
    let (ada, operator) = world.engine.add_operator("ada", roles, None, 30, by()).await.unwrap();
    assert_eq!(whose(&world, &operator).await, None);
    for not in
        ["", "bwc_", "bwc_00", &badges.to_uppercase(), &badges[..badges.len() - 1], &caller.token.to_string()]
    {
        assert_eq!(whose(&world, not).await, None, "{not}");
    }
    // A new one ends the old one; a revoked one and an expired one are over.
    let (_, newer) = admit(&world, "badges").await.unwrap();
    assert_eq!((whose(&world, &badges).await, whose(&world, &newer).await), (None, Some(name("badges"))));
    assert!(world.engine.dismiss_caller(&name("badges"), by()).await.unwrap());
    assert!(!world.engine.dismiss_caller(&name("badges"), by()).await.unwrap());
    assert_eq!(whose(&world, &newer).await, None);
    world.pass(SignedDuration::from_hours(24 * 30));
    assert_eq!(whose(&world, &advice).await, None);
    // What serves a system has none, nor what is not declared.
    assert_eq!(admit(&world, "chat").await.unwrap_err().code(), "integration-not-caller");
    assert_eq!(admit(&world, "nobody").await.unwrap_err().code(), "not-found");
    let (_, again) = admit(&world, "badges").await.unwrap();
    // One authorised person is enough to take something away.
    let less = world.configuration();
    let change = world.engine.configuration_change(&less).await.unwrap();
    assert_eq!(world.engine.configure(&less, change.digest, &ada).await.unwrap().waiting, []);
    world.quiet().await;
    assert_eq!(whose(&world, &again).await, None, "its integration is gone");
}

#[tokio::test]
async fn two_writers_of_one_attribute_are_not_configured() {
    let world = World::new(7, CHAT).await;
    for (partners, says) in [(
        vec![partner("a", &["attribute badge"]), partner("b", &["attribute badge"])],
        "`badge` would have two",
    )] {
        let mut configuration = world.configuration();
        configuration.integrations.extend(partners);
        let error = world.engine.configuration_change(&configuration).await.unwrap_err();
        assert!(matches!(&error, EngineError::Configuration(all) if all[0].contains(says)), "{error:?}");
    }
}

#[tokio::test]
async fn a_partner_that_was_killed_has_no_token_any_more_and_nobody_can_say_that_its_grant_is_dead() {
    let mut world = world(10, vec![partner("badges", &["attribute badge"])]).await;
    let by = Actor::Operator("admin".into());
    let (_, token) = world.engine.admit_caller(&name("badges"), 30, by).await.unwrap();
    assert!(world.engine.caller_by_token(&token).await.unwrap().is_some());
    let admin = world.operator("admin", Some("hr/2")).await;
    world.engine.kill(&name("badges"), &admin).await.unwrap();
    // At once, before any work was done.
    assert!(world.engine.caller_by_token(&token).await.unwrap().is_none());
    assert_eq!(refused(&world, "badges", "1", &[("badge", "gold")]).await, "not-found");
    let mut tx = world.store.read().await.unwrap();
    let kept = Select::from(Table::Callers);
    assert!(select::<Caller>(&mut *tx, &Tenant::single(), kept).await.unwrap().is_empty());
    drop(tx);
    world.quiet().await;
    assert_eq!((world.findings("grant-unproven").await.len(), world.open_cases().await), (1, 1));
}
