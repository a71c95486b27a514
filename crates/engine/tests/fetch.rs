//! Sources that the hub reads by itself: on schedule, when asked, by a hint; held, released, away, and dying in between.
//! Judged by what the system holds.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    guard::Fate,
    id::{IntegrationName, SourceName, Tenant},
    integration::{Integration, Role, Standing},
    record::{Actor, Record, RecordKind},
    time::SignedDuration,
};
use bailiwick_engine::{Comes, Configuration, EngineError};
use bailiwick_store::{
    Table, Update,
    entities::{Batch, Fetched},
    get,
};
use world::World;

const PEOPLE: [&str; 6] = [
    "1,Ann,ann@x.test,Engineering,,active",
    "2,Bob,bob@x.test,Finance,,active",
    "3,Cyd,cyd@x.test,Finance,9999-12-31,active",
    "4,Dan,dan@x.test,Sales,,active",
    "5,Eve,eve@x.test,Finance,,active",
    "6,Fay,fay@x.test,Finance,,active",
];
const EVERY: u32 = 90;

fn hr() -> SourceName {
    SourceName::new("hr").unwrap()
}

fn hourly(configuration: &mut Configuration) {
    let hr = configuration.integrations.iter_mut().find(|i| i.name.as_str() == "hr").unwrap();
    let Role::Source { contract, .. } = &mut hr.role else { panic!("hr is a source") };
    contract.read_every_minutes = Some(EVERY);
    (contract.always_allowed, contract.max_change_percent) = (2, 40);
    contract.max_age_hours = Some(4);
}

/// A company whose people are read every hour and a half, and were read once.
async fn scene(seed: u64) -> World {
    let mut world = World::new(seed, &[("chat", &[])]).await;
    world.lay(&PEOPLE);
    world.configure_with(hourly).await;
    world.quiet().await;
    world
}

/// The next reading, and what follows.
async fn next(world: &mut World) {
    world.pass(SignedDuration::from_mins(i64::from(EVERY)));
    world.quiet().await;
}

async fn batches(world: &World) -> Vec<Batch> {
    world.all(Table::Batches).await
}

async fn last_read(world: &World) -> Fetched {
    world.all::<Fetched>(Table::Fetched).await.pop().unwrap()
}

fn is_in(world: &World, name: &str) -> bool {
    world.truth().get(&format!("chat/{name}@x.test")).is_some_and(|line| line.contains("active=true"))
}

fn with(lines: &[(usize, &'static str)]) -> Vec<&'static str> {
    let mut all = PEOPLE.to_vec();
    lines.iter().for_each(|(n, line)| all[*n] = line);
    all
}

#[tokio::test]
async fn a_source_is_read_when_its_gates_open_and_again_and_again() {
    let mut world = scene(1).await;
    assert_eq!(world.engine.how_it_comes(&hr()).await.unwrap(), Comes::Read);
    assert!(is_in(&world, "ann") && is_in(&world, "fay"), "{:?}", world.truth());
    let first = batches(&world).await;
    assert_eq!((first.len(), first[0].rows, first[0].events), (1, 6, 6));
    let began = last_read(&world).await;
    assert_eq!(began.batch, first[0].id);
    // What says what it said is that delivery, and that it was asked is known and on record. Nobody misses one, for days.
    let mut upside_down = PEOPLE;
    upside_down.reverse();
    world.lay(&upside_down);
    for _ in 0..20 {
        next(&mut world).await;
    }
    assert_eq!(batches(&world).await, first);
    assert_eq!(world.records("source-read").await, 21);
    let last = last_read(&world).await;
    assert_eq!(last.at.duration_since(began.at), SignedDuration::from_mins(20 * i64::from(EVERY)));
    assert!(world.findings("feed-overdue").await.is_empty());
    // What is new acts.
    world.lay(&with(&[(1, "2,Bob,bob@x.test,Finance,,left"), (3, "4,Dan,dan@x.test,Engineering,,active")]));
    next(&mut world).await;
    assert!(!is_in(&world, "bob") && is_in(&world, "dan"));
    assert_eq!(world.cases().await.len(), 1);
    let all = batches(&world).await;
    assert_eq!((all.len(), all[1].events, all[1].unchanged), (2, 2, 4));
    // A process that begins anew goes on with the schedule, and a shorter one holds at once.
    world.restart();
    next(&mut world).await;
    assert_eq!(world.records("source-read").await, 23);
    world
        .configure_with(|c| {
            hourly(c);
            let hr = c.integrations.iter_mut().find(|i| i.name.as_str() == "hr").unwrap();
            let Role::Source { contract, .. } = &mut hr.role else { panic!("hr is a source") };
            contract.read_every_minutes = Some(45);
        })
        .await;
    world.quiet_before(SignedDuration::from_mins(1)).await;
    assert_eq!(world.records("source-read").await, 24, "the schedule is new");
    for _ in 0..4 {
        world.pass(SignedDuration::from_mins(45));
        world.quiet_before(SignedDuration::from_mins(1)).await;
    }
    assert_eq!(world.records("source-read").await, 28, "and there is one");
}

#[tokio::test]
async fn what_is_held_is_held_once_and_released_as_it_was_seen() {
    let mut world = scene(2).await;
    let first = world.operator_with("first", &["approver"], Some("hr/5"), 30).await;
    let second = world.operator_with("second", &["approver"], Some("hr/6"), 30).await;
    let gone = with(&[
        (0, "1,Ann,ann@x.test,Sales,,active"),
        (1, "2,Bob,bob@x.test,Sales,,active"),
        (2, "3,Cyd,cyd@x.test,Sales,,active"),
    ]);
    world.lay(&gone);
    for _ in 0..3 {
        next(&mut world).await;
    }
    let all = batches(&world).await;
    assert_eq!(all.iter().map(|batch| batch.fate.name()).collect::<Vec<_>>(), ["accepted", "held"]);
    assert_eq!(world.findings("feed-held").await.len(), 1);
    let held = all[1].clone();
    let release = async |world: &World, by| world.engine.release_batch(held.id, held.shown(), None, by).await;
    let asked = release(&world, &first).await.unwrap();
    assert!(matches!(asked.fate, Fate::ReleaseAsked { .. }));
    // Another reading in between changes nothing of what was seen; another word of the source does.
    next(&mut world).await;
    assert_eq!(batches(&world).await.len(), 2);
    world.lay(&with(&[(0, "1,Ann,ann@x.test,Sales,,active")]));
    assert_eq!(release(&world, &second).await.unwrap_err().code(), "feed-replaced");
    world.lay(&gone);
    let released = release(&world, &second).await.unwrap();
    assert!(matches!(released.fate, Fate::Released { .. }));
    next(&mut world).await;
    assert!(world.findings("feed-held").await.is_empty());
    let holds = |name: &str, group: &str| world.truth()[&format!("chat/{name}@x.test")].contains(group);
    assert!(!holds("ann", "Engineering") && !holds("bob", "Finance") && holds("fay", "Finance"));
}

#[tokio::test]
async fn a_hub_that_goes_on_from_a_backup_reads_it_by_itself() {
    let mut world = scene(8).await;
    let boss = world.operator("admin", None).await;
    let before = world.records("source-read").await;
    world.pass(SignedDuration::from_secs(1));
    world.engine.recover(&boss.name).await.unwrap();
    assert_eq!(world.engine.recovery().await.unwrap().unwrap().sources, [hr()].into());
    world.quiet_for(SignedDuration::from_mins(1)).await;
    assert_eq!(world.records("source-read").await, before + 1);
    assert!(world.engine.recovery().await.unwrap().unwrap().sources.is_empty(), "it was asked since");
}

#[tokio::test]
async fn a_source_that_is_away_is_told_of_and_read_again() {
    let mut world = scene(3).await;
    std::fs::remove_file(world.folder.path().join("current.csv")).unwrap();
    world.pass(SignedDuration::from_mins(i64::from(EVERY)));
    world.quiet_for(SignedDuration::from_mins(40)).await;
    let told = world.findings("feed-held").await;
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("`hr` cannot be read") && told[0].contains("read again by itself"), "{told:?}");
    assert_eq!(world.records("source-read").await, 1);
    // Nobody loses anything by it; and whoever is promised more is told that it is late.
    assert!(is_in(&world, "bob"));
    world.quiet_for(SignedDuration::from_hours(4)).await;
    assert_eq!(world.findings("feed-overdue").await.len(), 1);
    world.lay(&with(&[(1, "2,Bob,bob@x.test,Finance,,left")]));
    world.quiet_for(SignedDuration::from_mins(20)).await;
    assert!(!is_in(&world, "bob"));
    for code in ["feed-held", "feed-overdue"] {
        assert!(world.findings(code).await.is_empty(), "{code}");
    }
    let before = world.records("source-read").await;
    next(&mut world).await;
    assert_eq!(world.records("source-read").await, before + 1, "the schedule goes on");
    // It goes away again and comes back with what it said before, and that more than once.
    let file = world.folder.path().join("current.csv");
    let same = std::fs::read(&file).unwrap();
    for _ in 0..2 {
        std::fs::remove_file(&file).unwrap();
        world.pass(SignedDuration::from_mins(i64::from(EVERY)));
        world.quiet_for(SignedDuration::from_hours(5)).await;
        assert_eq!(world.findings("feed-overdue").await.len(), 1);
        std::fs::write(&file, &same).unwrap();
        world.quiet_for(SignedDuration::from_mins(20)).await;
        assert!(world.findings("feed-overdue").await.is_empty());
    }
    // Who promises nothing any more is not late.
    let promises_nothing = |c: &mut Configuration| {
        hourly(c);
        let hr = c.integrations.iter_mut().find(|i| i.name.as_str() == "hr").unwrap();
        let Role::Source { contract, .. } = &mut hr.role else { panic!("hr is a source") };
        contract.max_age_hours = None;
    };
    world.configure_with(promises_nothing).await;
    world.quiet().await;
    std::fs::remove_file(&file).unwrap();
    world.pass(SignedDuration::from_mins(i64::from(EVERY)));
    world.quiet_for(SignedDuration::from_hours(5)).await;
    assert!(world.findings("feed-overdue").await.is_empty());
    assert_eq!(world.findings("feed-held").await.len(), 1, "that it cannot be read is told all the same");
}

#[tokio::test]
async fn a_source_that_answers_and_never_changes_is_told_of() {
    let mut world = scene(9).await;
    let quiet = |c: &mut Configuration| {
        hourly(c);
        let hr = c.integrations.iter_mut().find(|i| i.name.as_str() == "hr").unwrap();
        let Role::Source { contract, .. } = &mut hr.role else { panic!("hr is a source") };
        contract.max_quiet_hours = Some(72);
    };
    world.configure_with(quiet).await;
    for _ in 0..46 {
        next(&mut world).await;
    }
    assert_eq!(world.findings("feed-quiet").await, [""; 0], "69 hours are not too long");
    for _ in 0..4 {
        next(&mut world).await;
    }
    let told = world.findings("feed-quiet").await;
    assert!(told.len() == 1 && told[0].contains("`hr` has said nothing new since"), "{told:?}");
    assert_eq!(batches(&world).await.len(), 1, "it is asked and says the same");
    world.lay(&with(&[(3, "4,Dan,dan@x.test,Engineering,,active")]));
    next(&mut world).await;
    assert_eq!(world.findings("feed-quiet").await, [""; 0]);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_read_again_when_it_is_another() {
    let mut world = scene(4).await;
    world.lay(&with(&[(4, "5,Eve,eve@x.test,Finance,soon,active"), (1, "2,Bob,bob@x.test,Finance,,left")]));
    world.pass(SignedDuration::from_mins(i64::from(EVERY)));
    world.quiet_for(SignedDuration::from_mins(40)).await;
    assert!(is_in(&world, "bob"), "of a form that is broken not even leavers count");
    let told = world.findings("feed-held").await;
    assert!(told.len() == 1 && told[0].contains("line 6 has `soon`"), "{told:?}");
    world.lay(&with(&[(1, "2,Bob,bob@x.test,Finance,,left")]));
    world.quiet_for(SignedDuration::from_mins(20)).await;
    assert!(!is_in(&world, "bob") && world.findings("feed-held").await.is_empty());
}

#[tokio::test]
async fn somebody_asks_and_one_at_a_time_reads() {
    let mut world = scene(5).await;
    world.lay(&with(&[(1, "2,Bob,bob@x.test,Finance,,left")]));
    let read = world.engine.read_source(&hr()).await.unwrap();
    assert_eq!((read.rows, read.unchanged, read.events["left"]), (6, 5, 1));
    world.quiet().await;
    assert!(!is_in(&world, "bob"));
    // While one reads it, another one is told so.
    let (one, other) = tokio::join!(
        async {
            let second = world.second();
            second.read_source(&hr()).await.map(|read| read.unchanged)
        },
        async { world.engine.read_source(&hr()).await.map(|read| read.unchanged) }
    );
    let busy = |error: &EngineError| error.code() == "system-busy";
    for done in [&one, &other] {
        assert!(done.as_ref().map_or_else(busy, |unchanged| *unchanged == 6), "{one:?} {other:?}");
    }
}

#[tokio::test]
async fn where_a_gate_is_shut_nothing_is_read_and_opening_it_has_it_read() {
    let mut world = scene(6).await;
    let before = world.records("source-read").await;
    let name = IntegrationName::new("hr").unwrap();
    let mut tx = world.store.read().await.unwrap();
    let stored = get::<Integration>(&mut *tx, &Tenant::single(), "hr").await.unwrap().unwrap();
    drop(tx);
    let standing = Standing::Quarantined { since: world.clock(), reason: "a test".into() };
    let stopped = Integration { standing, ..stored.value };
    let record = Record::new(RecordKind::Configured, world.clock(), Actor::Hub("test".into()), &*world.dice);
    world.tamper(Update::new(record).replace(&stopped, stored.revision, &*world.dice)).await;
    world.lay(&with(&[(1, "2,Bob,bob@x.test,Finance,,left")]));
    next(&mut world).await;
    next(&mut world).await;
    assert_eq!(world.records("source-read").await, before);
    assert!(is_in(&world, "bob"));
    world.engine.release(&name, Actor::Operator("ada".into())).await.unwrap();
    world.quiet().await;
    assert_eq!(world.records("source-read").await, before + 1);
    assert!(!is_in(&world, "bob"));
}

#[tokio::test]
async fn an_engine_that_dies_while_it_reads_loses_nothing_and_does_nothing_twice() {
    let mut deaths = 0;
    for point in 0..20 {
        let mut world = scene(100 + point).await;
        world.lay(&with(&[(1, "2,Bob,bob@x.test,Finance,,left")]));
        world.faults.die_at(point);
        let before = world.processes();
        next(&mut world).await;
        next(&mut world).await;
        deaths += world.processes() - before;
        assert!(!is_in(&world, "bob"), "{point}: {:?}", world.truth());
        assert_eq!(world.cases().await.len(), 1, "{point}: one leaver, one case");
        assert_eq!(batches(&world).await.len(), 2, "{point}");
        let reads = world.records("source-read").await;
        let mut tx = world.store.read().await.unwrap();
        assert_eq!(bailiwick_store::deviations(&mut *tx).await.unwrap(), [], "{point}");
        drop(tx);
        next(&mut world).await;
        assert_eq!(world.records("source-read").await, reads + 1, "{point}: there is one schedule");
    }
    assert!(deaths >= 8, "{deaths}");
}

#[tokio::test]
async fn how_a_source_comes_follows_from_how_it_is_declared() {
    let world = World::new(7, &[("chat", &[])]).await;
    world.lay(&PEOPLE);
    world.configure().await;
    // A folder of somebody else's is read; the hub's own one is delivered to, unless it is said that it is read.
    assert_eq!(world.engine.how_it_comes(&hr()).await.unwrap(), Comes::Read);
    for (every, comes) in [(None, Comes::Delivered), (Some(60), Comes::Read)] {
        let own = |c: &mut Configuration| {
            let hr = c.integrations.iter_mut().find(|i| i.name.as_str() == "hr").unwrap();
            let Role::Source { contract, .. } = &mut hr.role else { panic!("hr is a source") };
            (hr.endpoint, contract.read_every_minutes) = ("file:feeds/hr".into(), every);
        };
        world.configure_with(own).await;
        assert_eq!(world.engine.how_it_comes(&hr()).await.unwrap(), comes);
    }
}
