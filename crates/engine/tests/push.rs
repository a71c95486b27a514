//! What a source pushes by itself, at the engine: what follows is judged by what the systems hold.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    authority::Touch,
    contract::SourceRecord,
    id::{IntegrationName, PushedUserId},
    integration::Integration,
    policy::AttributeValue,
    termination::ROLE,
};
use bailiwick_engine::{ArmRequest, EngineError, UserWrite};
use bailiwick_lab::Behaviour;
use bailiwick_store::{Stored, entities::PushedUser};
use serde_json::json;
use world::{World, register};

const CHAT: &[(&str, &[Behaviour])] = &[("chat", &[])];

fn idp() -> IntegrationName {
    IntegrationName::new("idp").unwrap()
}

/// A source that pushes.
fn pushing() -> Integration {
    let text = json!({ "type": "text", "required": true });
    let mut integration: Integration = serde_json::from_value(json!({
        "name": "idp", "purpose": "people", "owner": "hr/1", "backup": "hr/2", "connector": "scim-push",
        "endpoint": "https://idp.example.com", "role": "source", "source": "idp",
        "contract": { "attributes": { "email": text, "display_name": text, "department": text }, "min_rows": 500 },
        "scope": { "acts": ["identity", "attribute email", "attribute display_name", "attribute department"] },
        "standing": { "state": "enabled" },
    }))
    .unwrap();
    integration.register = register();
    integration
}

async fn world(seed: u64, change: impl FnOnce(&mut Integration)) -> World {
    let mut world = World::new(seed, CHAT).await;
    let mut integration = pushing();
    change(&mut integration);
    world.configure_with(|configuration| configuration.integrations.push(integration)).await;
    world.quiet().await;
    world
}

/// What is said of somebody.
fn said(of: Option<&Stored<PushedUser>>, name: &str, department: &str, active: bool) -> UserWrite {
    let value = |text: &str| Some(AttributeValue::Text(text.to_owned()));
    let email = format!("{name}@x.test");
    let values = [("email", value(&email)), ("display_name", value(name)), ("department", value(department))];
    UserWrite {
        of: of.map(|stored| (stored.value.id, stored.revision)),
        user_name: email.clone(),
        external: None,
        document: serde_json::Map::from_iter([
            ("userName".to_owned(), email.into()),
            ("department".to_owned(), department.into()),
            ("active".to_owned(), active.into()),
        ]),
        record: SourceRecord {
            values: values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            terminated: !active,
            ..SourceRecord::default()
        },
        ignored: Default::default(),
        said: "create",
        groups: None,
    }
}

fn of(world: &World, name: &str) -> String {
    world.truth().get(&format!("chat/{name}@x.test")).cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_person_who_is_pushed_goes_the_way_of_all_people_and_no_engine_that_dies_changes_that() {
    let mut deaths = 0;
    for point in 0..14 {
        let mut world = world(point, |_| ()).await;
        let ann = world.engine.push_user(&idp(), said(None, "ann", "Engineering", true)).await.unwrap();
        world.quiet().await;
        assert!(of(&world, "ann").contains("active=true") && of(&world, "ann").contains("Engineering"));
        world.faults.die_at(point);
        // Who is not answered says it again, as callers do.
        let mut leave = said(Some(&ann), "ann", "Finance", false);
        let mut heard = false;
        for _ in 0..3 {
            match world.engine.push_user(&idp(), leave.clone()).await {
                Ok(stored) => {
                    heard = true;
                    leave.of = Some((stored.value.id, stored.revision));
                    break;
                }
                Err(_) if world.faults.died() => {
                    deaths += 1;
                    world.restart();
                    let now: Vec<PushedUser> = world.all(bailiwick_store::Table::PushedUsers).await;
                    let changed = now[0].document["active"] == json!(false);
                    leave.of = Some((ann.value.id, ann.revision + i64::from(changed)));
                }
                Err(error) => panic!("{point}: {error:?}"),
            }
        }
        assert!(heard, "{point}");
        world.quiet().await;
        assert!(of(&world, "ann").contains("active=false"), "{point}: {:?}", world.truth());
        assert_eq!(world.cases().await.len(), 1, "{point}: one leaver, one case");
        let mut tx = world.store.read().await.unwrap();
        assert_eq!(bailiwick_store::deviations(&mut *tx).await.unwrap(), [], "{point}");
    }
    assert!(deaths >= 2, "some died while they were told: {deaths}");
}

#[tokio::test]
async fn only_what_is_certified_is_said_and_what_is_refused_leaves_nothing() {
    for (without, changed, inside) in [
        (Touch::Identity, None, false),
        (Touch::Attribute("department".into()), Some("Finance"), false),
        (Touch::Attribute("badge".into()), Some("Finance"), true),
    ] {
        let world = world(3, |idp| idp.scope.acts.retain(|act| *act != without)).await;
        let made = world.engine.push_user(&idp(), said(None, "ann", changed.unwrap_or("Sales"), true)).await;
        assert_eq!(made.is_ok(), inside, "{without}");
        if let Err(error) = made {
            assert_eq!(error.code(), "out-of-scope", "{without}");
            assert!(world.all::<PushedUser>(bailiwick_store::Table::PushedUsers).await.is_empty());
            assert_eq!(world.findings("out-of-scope").await.len(), 1);
            assert_eq!(world.records("out-of-scope").await, 1);
        }
    }
}

#[tokio::test]
async fn a_revision_that_is_gone_and_a_person_of_nobody_are_said_so() {
    let world = world(4, |_| ()).await;
    let ann = world.engine.push_user(&idp(), said(None, "ann", "Sales", true)).await.unwrap();
    world.engine.push_user(&idp(), said(Some(&ann), "ann", "Finance", true)).await.unwrap();
    let stale =
        world.engine.push_user(&idp(), said(Some(&ann), "ann", "Engineering", true)).await.unwrap_err();
    assert_eq!(stale.code(), "push-stale");
    let stale = world.engine.push_gone(&idp(), ann.value.id, ann.revision).await.unwrap_err();
    assert_eq!(stale.code(), "push-stale");
    let nobody = PushedUserId::from_bytes([7; 16]);
    assert_eq!(world.engine.push_gone(&idp(), nobody, 1).await.unwrap_err().code(), "not-found");
    let twin = world.engine.push_user(&idp(), said(None, "ANN", "Sales", true)).await.unwrap_err();
    assert_eq!(twin.code(), "push-not-unique");
    let hr = IntegrationName::new("hr").unwrap();
    let read = world.engine.push_user(&hr, said(None, "bob", "Sales", true)).await.unwrap_err();
    assert_eq!(read.code(), "integration-not-pushing");
    let mut empty = said(None, "cat", "Sales", true);
    empty.record.values.insert("department".into(), None);
    let held = world.engine.push_user(&idp(), empty).await.unwrap_err();
    assert!(
        matches!(held, EngineError::Held(ref breaches) if breaches[0].code() == "feed-empty-value"),
        "{held:?}"
    );
}

#[tokio::test]
async fn who_was_fired_is_not_brought_back_by_a_word_that_they_are_here() {
    let mut world = world(5, |_| ()).await;
    let ann = world.engine.push_user(&idp(), said(None, "ann", "Sales", true)).await.unwrap();
    world.quiet().await;
    let key = format!("idp/{}", ann.value.id);
    let legal = world.operator_with("legal", &[ROLE, "approver"], Some("desk/5"), 30).await;
    let chief = world.operator_with("chief", &[ROLE, "approver"], Some("desk/6"), 30).await;
    let request = ArmRequest { persons: vec![key], reason: "they sold the plans".into(), hours: 24 };
    let armed = world.engine.arm(request, &legal).await.unwrap();
    let (plan, digest) = (armed[0].plan.id, armed[0].digest);
    world.engine.approve(plan, digest, &chief).await.unwrap();
    world.engine.fire(&[armed[0].id.to_string()], &legal).await.unwrap();
    world.quiet().await;
    assert!(of(&world, "ann").contains("active=false"));
    let still = world.engine.push_user(&idp(), said(Some(&ann), "ann", "Finance", true)).await.unwrap();
    world.quiet().await;
    assert!(of(&world, "ann").contains("active=false"));
    assert_eq!(world.findings("fired-still-here").await.len(), 1);
    // Once the source has said that they left, its word counts again.
    let gone = world.engine.push_user(&idp(), said(Some(&still), "ann", "Finance", false)).await.unwrap();
    world.engine.push_user(&idp(), said(Some(&gone), "ann", "Finance", true)).await.unwrap();
    world.quiet().await;
    assert!(of(&world, "ann").contains("active=true"), "{:?}", world.truth());
    assert_eq!(world.findings("fired-still-here").await.len(), 0);
}
