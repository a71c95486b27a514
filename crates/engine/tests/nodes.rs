//! More than one engine on one PostgreSQL: the same end as one engine on SQLite, each effect once.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_lab::Behaviour;
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
