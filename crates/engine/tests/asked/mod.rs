//! Where the tests of what is asked happen: records, three kinds of subjects, and four callers.

use bailiwick_core::{
    gate::Gate,
    id::{IntegrationName, Tenant},
    integration::{Integration, Standing},
    record::{Actor, Record, RecordKind},
    resource::{ResourceType, SubjectType},
    time::{Clock as _, SignedDuration},
};
use bailiwick_engine::{AccessAsked, AskedAbout, Configuration, Engine, PageRequest, Verdict};
use bailiwick_lab::Behaviour;
use bailiwick_store::{Update, get};
use serde_json::json;

use crate::world::World;

pub const CHAT: &[(&str, &[Behaviour])] = &[("chat", &[])];
pub const ANN: &str = "1,Ann,ann@x.test,Engineering,,active";
pub const BOB: &str = "2,Bob,bob@x.test,Finance,,active";
pub const CYN: &str = "3,Cyn,cyn@x.test,Finance,,active";
pub const ACTS: &[&str] = &["decide record", "search record", "decide entitlement", "search entitlement"];

pub fn name(text: &str) -> IntegrationName {
    IntegrationName::new(text).unwrap()
}

pub fn gateway(called: &str, acts: &[&str], per_minute: Option<u32>) -> Integration {
    let mut gateway: Integration = serde_json::from_value(json!({
        "name": called, "purpose": "opens records", "owner": "desk/1", "backup": "desk/2", "connector": "manual",
        "endpoint": "person:", "role": "partner", "scope": { "acts": acts }, "standing": { "state": "enabled" },
        "register": { "boundary": "inside", "data_flows": ["who asks"], "privilege_flows": ["records"], "vendor": "G" },
    }))
    .unwrap();
    gateway.scope.writes_per_minute = per_minute;
    gateway
}

pub fn declare(configuration: &mut Configuration) {
    let subject = |value| serde_json::from_value::<SubjectType>(value).unwrap();
    configuration.subjects = vec![
        subject(json!({ "name": "user", "by": "email", "properties": { "role": "text" } })),
        subject(json!({ "name": "employee", "by": "key", "source": "hr" })),
        subject(json!({ "name": "robot", "by": "email", "kind": "workload" })),
    ];
    let resource: ResourceType = serde_json::from_value(json!({
        "name": "record", "actions": ["read", "write"], "properties": { "status": "text" }, "sample": 1_000_000,
        "known": { "r1": { "status": "open" }, "r2": { "status": "closed" }, "r3": { "status": "open" } },
    }))
    .unwrap();
    configuration.resources = vec![resource];
    configuration.integrations.extend([
        gateway("gateway", ACTS, None),
        gateway("narrow", &["decide entitlement"], None),
        gateway("slow", ACTS, Some(3)),
        gateway("other", ACTS, None),
    ]);
    configuration.policies[0].text.push_str(
        r#"
@id("all-read") permit(principal is Identity, action == Action::"access", resource in ResourceType::"record")
  when { context.action == "read" && resource has status && resource.status == "open" };
@id("finance-writes") permit(principal is Identity, action == Action::"access", resource in ResourceType::"record")
  when { context.action == "write" && principal.department == "Finance" };
@id("robots") permit(principal is Integration, action == Action::"access", resource in ResourceType::"record")
  when { context.action == "read" && principal.writes };
"#,
    );
}

pub async fn world(seed: u64) -> World {
    let mut world = World::new(seed, CHAT).await;
    world.configure_with(declare).await;
    for called in ["gateway", "narrow", "slow", "other"] {
        world.certify(&name(called), &Gate::ALL).await;
    }
    world.quiet().await;
    world.deliver(&[ANN, BOB, CYN]).await.unwrap();
    world.quiet().await;
    world
}

pub async fn token(world: &World, called: &str) -> String {
    let by = Actor::Operator("ada".into());
    world.engine.admit_caller(&name(called), 30, by).await.unwrap().1
}

/// `type/id`, and the rest.
pub fn question(subject: &str, action: &str, resource: &str) -> AccessAsked {
    let entity = |text: &str| {
        let (kind, id) = text.split_once('/').unwrap();
        AskedAbout { kind: kind.into(), id: id.into(), ..Default::default() }
    };
    AccessAsked {
        subject: entity(subject),
        action: (action.into(), Default::default()),
        resource: entity(resource),
        ..Default::default()
    }
}

pub async fn verdict(engine: &Engine, token: &str, asked: &AccessAsked) -> Verdict {
    let asker = engine.asker(token).await.unwrap().expect("the token is valid");
    engine.may_ask(&asker, 1).unwrap();
    let (verdict, written) = engine.answer(&asker, asked).await.unwrap();
    assert!(verdict.permits() || written.wait().await);
    verdict
}

pub async fn reason(
    engine: &Engine,
    token: &str,
    subject: &str,
    action: &str,
    resource: &str,
) -> &'static str {
    verdict(engine, token, &question(subject, action, resource)).await.reason.name()
}

pub async fn refused(engine: &Engine, token: &str, resource: &str) -> &'static str {
    let asker = engine.asker(token).await.unwrap().unwrap();
    match engine.may_ask(&asker, 1) {
        Err(error) => error.code(),
        Ok(()) => {
            engine.answer(&asker, &question("user/ann@x.test", "read", resource)).await.err().unwrap().code()
        }
    }
}

pub async fn found(engine: &Engine, token: &str, kind: &str, action: &str, resource: &str) -> Vec<String> {
    pages(engine, token, kind, action, resource, 1_000).await
}

pub async fn pages(
    engine: &Engine,
    token: &str,
    kind: &str,
    action: &str,
    resource: &str,
    limit: usize,
) -> Vec<String> {
    let asker = engine.asker(token).await.unwrap().unwrap();
    let asked = question(&format!("{kind}/"), action, resource);
    let mut all = Vec::new();
    let mut page = PageRequest { token: String::new(), limit };
    loop {
        let found = engine.find_subjects(&asker, &asked, &page).await.unwrap();
        assert!(found.items.len() <= limit);
        all.extend(found.items);
        match found.next {
            Some(next) => page.token = next,
            None => return all,
        }
    }
}

pub async fn holdings(engine: &Engine, token: &str, who: &str) -> Vec<String> {
    let asker = engine.asker(token).await.unwrap().unwrap();
    let page = PageRequest { token: String::new(), limit: 100 };
    engine.find_resources(&asker, &question(who, "use", "entitlement/"), &page).await.unwrap().items
}

/// The day in so many days.
pub fn in_days(world: &World, days: i64) -> String {
    let then = world.hands.now() + SignedDuration::from_hours(24 * days);
    then.to_string()[..10].to_owned()
}

/// An integration stands so from now on.
pub async fn stand(world: &World, called: &str, standing: Standing) {
    let (tenant, chance) = (Tenant::single(), &*world.dice);
    let mut tx = world.store.begin().await.unwrap();
    let stored = get::<Integration>(&mut *tx, &tenant, called).await.unwrap().unwrap();
    let record =
        Record::new(RecordKind::Configured, world.hands.now(), Actor::Operator("test".into()), chance);
    let update =
        Update::new(record).replace(&Integration { standing, ..stored.value }, stored.revision, chance);
    tx.write(&tenant, vec![update], chance).await.unwrap();
    tx.commit().await.unwrap();
}
