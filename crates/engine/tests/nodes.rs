//! More than one engine on one PostgreSQL: the same end as one engine on SQLite, each effect once.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    id::Tenant,
    record::{Actor, Record, RecordKind},
    time::SignedDuration,
};
use bailiwick_lab::Behaviour;
use bailiwick_store::{
    Table, Update,
    entities::{PlanRow, PlanState},
    get,
};
use world::World;

const SYSTEMS: &[(&str, &[Behaviour])] = &[("chat", &[]), ("wiki", &[Behaviour::KeepsGroups])];

fn people(day: usize) -> Vec<String> {
    (1..=12)
        .map(|n| match (day, n) {
            (2, 3) => format!("{n},P {n},p{n}@x.test,Finance,,active"),
            (2, 5) => format!("{n},P {n},p{n}@x.test,Engineering,2026-01-01,left"),
            _ => format!("{n},P {n},p{n}@x.test,Engineering,,active"),
        })
        .collect()
}

async fn alone(world: &mut World) {
    world.configure().await;
    world.quiet().await;
    for day in [1, 2] {
        let lines = people(day);
        world.deliver(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
        world.quiet().await;
    }
}

/// Of two nodes that record the last runs of a plan at the same moment, each sees one that is still under way, and neither
/// ends it.
#[tokio::test]
async fn a_plan_that_nobody_ended_is_ended_by_whoever_reads_back() {
    let mut world = World::new(2, SYSTEMS).await;
    world.configure().await;
    world.quiet().await;
    world.deliver(&["1,Ann,ann@x.test,Engineering,,active"]).await.unwrap();
    let ended = async |world: &World| {
        let rows = world.all::<PlanRow>(Table::Plans).await;
        rows.into_iter().find(|row| matches!(row.state, PlanState::Done { .. }))
    };
    let mut turns = 0;
    let row = loop {
        if let Some(row) = ended(&world).await {
            break row;
        }
        turns += 1;
        assert!(turns < 20, "it is never ended");
        world.engine.work().await.unwrap();
        world.pass(SignedDuration::from_secs(1));
    };
    let PlanState::Done { approval } = row.state else { panic!("{row:?}") };
    // As both left it.
    let mut tx = world.store.read().await.unwrap();
    let id = row.plan.id.to_string();
    let stored = get::<PlanRow>(&mut *tx, &Tenant::single(), &id).await.unwrap().unwrap();
    drop(tx);
    let record = Record::new(RecordKind::Applied, world.clock(), Actor::Hub("test".into()), &*world.dice);
    let open = PlanRow { state: PlanState::Approved { approval }, ..stored.value };
    world.tamper(Update::new(record).replace(&open, stored.revision, &*world.dice)).await;
    world.quiet().await;
    assert!(ended(&world).await.is_some(), "it stays under way for ever");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_engines_on_postgresql_end_where_one_on_sqlite_does() {
    let mut one = World::new(1, SYSTEMS).await;
    alone(&mut one).await;

    let Some(address) = bailiwick_store::testkit::postgres::database().await else { return };
    let store = bailiwick_store::open(&address).await.unwrap();
    let mut many = World::on(store, 1, SYSTEMS).await;
    many.configure().await;
    many.quiet().await;
    let second = many.second();
    for day in [1, 2] {
        let lines = people(day);
        many.deliver(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
        // Both take what they can get, until neither gets anything.
        let busy = async |engine: &bailiwick_engine::Engine| {
            let mut turns = 0;
            while engine.work().await.unwrap().taken > 0 {
                turns += 1;
            }
            turns
        };
        tokio::join!(busy(&many.engine), busy(&second));
        many.quiet().await;
    }
    assert_eq!(many.truth(), one.truth());
    assert_eq!(many.effects(), one.effects(), "each effect once");
    assert_eq!(many.open_cases().await, 0);
    let sequencer = many.sequencer();
    let report = many.engine.check_evidence(&sequencer, None).await.unwrap();
    assert_eq!(report.damage, None);
}
