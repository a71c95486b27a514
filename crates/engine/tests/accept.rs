//! Accepting deliveries: many people at once, and what is wrong with many of them alike.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::collections::BTreeMap;

use bailiwick_core::{
    event::Event,
    id::Tenant,
    identity::{Identity, IdentityKind},
};
use bailiwick_store::{Entity, Select, Table, deviations, entities::PlanRow, select};
use world::World;

async fn all<T: Entity>(world: &World) -> Vec<T> {
    let mut tx = world.store.read().await.unwrap();
    let stored = select::<T>(&mut *tx, &Tenant::single(), Select::from(T::TABLE)).await.unwrap();
    stored.into_iter().map(|s| s.value).collect()
}

/// More than are drafted at a time, and not a multiple of it.
#[tokio::test]
async fn a_delivery_of_any_length_is_decided_to_the_last() {
    let mut world = World::new(51, &[("chat", &[])]).await;
    world
        .configure_with(|c| {
            let text = &mut c.policies[0].text;
            *text = text
                .replace("!resource.privileged && !resource.destructive", "resource.cause == \"nothing\"");
        })
        .await;
    world.quiet().await;
    let line = |n: usize, department: &str| format!("{n},Person {n},person{n}@x.test,{department},,active");
    let first: Vec<String> = (0..1_100).map(|n| line(n, "Sales")).collect();
    let second: Vec<String> =
        (0..1_150).map(|n| line(n, if n % 3 == 0 { "Finance" } else { "Sales" })).collect();
    for (lines, events) in [(first, 1_100), (second, 1_100 + 367 + 50)] {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        world.deliver(&lines).await.unwrap();
        let about_people = |e: &Event| e.source != "bailiwick";
        assert_eq!(all::<Event>(&world).await.into_iter().filter(about_people).count(), events);
    }
    // Who moved has a plan of the second generation that takes the place of the first.
    let plans = all::<PlanRow>(&world).await;
    let mut drafted: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for plan in plans.iter().filter(|p| p.state.name() == "drafted") {
        drafted.entry(plan.plan.decision.identity).or_default().push(plan.plan.decision.generation);
    }
    let mut identities = all::<Identity>(&world).await;
    identities.retain(|identity| identity.kind == IdentityKind::Person);
    assert_eq!(identities.len(), 1_150);
    for identity in identities {
        assert_eq!(drafted[&identity.id], [identity.generation], "{}", identity.source_key);
    }
    assert_eq!(plans.iter().filter(|p| p.state.name() == "superseded").count(), 367);
    let mut tx = world.store.read().await.unwrap();
    assert_eq!(deviations(&mut *tx).await.unwrap(), []);
    assert_eq!(tx.count(&Tenant::single(), Select::from(Table::Findings)).await.unwrap(), 0);
}

#[tokio::test]
async fn what_is_wrong_for_many_alike_is_one_finding() {
    let mut world = World::new(52, &[("chat", &[])]).await;
    world
        .configure_with(|c| {
            let everyone = c.entitlements.iter_mut().find(|e| e.name.as_str() == "chat/everyone").unwrap();
            everyone.label = "Nobody Made This".into();
        })
        .await;
    world.quiet().await;
    let lines = [
        "1,Ann,ann@x.test,Sales,,active",
        "2,Bob,bob@x.test,Sales,,active",
        "3,Cyd,cyd@x.test,Sales,,active",
    ];
    world.deliver(&lines).await.unwrap();
    let findings = world.engine.open_findings().await.unwrap();
    let found: Vec<(&str, &str)> = findings.iter().map(|f| (f.code.as_str(), f.subject.as_str())).collect();
    assert_eq!(found, [("entitlement-missing", "chat/everyone")]);
}
