//! More than one engine on one PostgreSQL: the same end as one engine on SQLite, each effect once.

#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use bailiwick_core::{
    access::AccessClass,
    control::Acceptance,
    id::{PlanId, RunId, SystemName, Tenant},
    plan::Plan,
    record::{Actor, Record, RecordKind},
    time::SignedDuration,
};
use bailiwick_engine::Configuration;
use bailiwick_lab::Behaviour;
use bailiwick_store::{
    Table, Update,
    entities::{PlanRow, PlanState, Run},
    get,
};
use world::{World, declared::automation};

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

/// What was planned for two systems and not begun is taken back system by system, because something was found to be left on
/// each. The plan ends with the last of it.
#[tokio::test]
async fn a_plan_that_is_taken_back_piece_by_piece_ends_with_the_last_piece() {
    let systems: &[(&str, &[Behaviour])] =
        &[("chat", &[Behaviour::Noop200]), ("wiki", &[Behaviour::Noop200])];
    let mut world = World::new(4, systems).await;
    world.configure().await;
    world.quiet().await;
    for ann in ["1,Ann,ann@x.test,Finance,,active", "1,Ann,ann@x.test,Finance,2026-01-01,left"] {
        world.quiet().await;
        world.deliver(&[ann]).await.unwrap();
    }
    // Beside the plan for the leaver there is the same once more, of which nothing is begun.
    let rows = world.plans().await;
    let row = rows.iter().find(|row| row.plan.is_of_leaver()).unwrap();
    let twin = PlanId::new(world.clock(), &*world.dice);
    let plan = Plan { id: twin, ..row.plan.clone() };
    let record = Record::new(RecordKind::Planned, world.clock(), Actor::Hub("test".into()), &*world.dice);
    let mut update = Update::new(record).insert(&PlanRow { plan, ..row.clone() }, &*world.dice);
    let runs: Vec<Run> = world.all(Table::Runs).await;
    for run in runs.iter().filter(|run| run.plan == row.plan.id) {
        let id = RunId::new(world.clock(), &*world.dice);
        update = update.insert(&Run { id, plan: twin, ..run.clone() }, &*world.dice);
    }
    world.tamper(update).await;
    world.quiet().await;
    let all = world.plans().await;
    let twin = all.iter().find(|row| row.plan.id == twin).unwrap();
    assert!(matches!(twin.state, PlanState::Superseded { .. }), "{:?}", twin.state);
}

/// One node writes that something is left while another concludes that nothing is, and neither sees what the other writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_case_is_not_closed_beside_somebody_who_writes_that_something_is_left() {
    let Some(address) = bailiwick_store::testkit::postgres::database().await else { return };
    let store = bailiwick_store::open(&address).await.unwrap();
    let mut world = World::on(store, 3, &[("chat", &[])]).await;
    let unseen = |c: &mut Configuration| {
        c.systems[0].classes.insert(AccessClass::OauthConsents);
    };
    world.configure_with(unseen).await;
    world.quiet().await;
    let others = ["2,Bob,bob@x.test,Finance,,active", "3,Cyd,cyd@x.test,Finance,,active"];
    for ann in ["1,Ann,ann@x.test,Finance,,active", "1,Ann,ann@x.test,Finance,2026-01-01,left"] {
        world.deliver(&[ann, others[0], others[1]]).await.unwrap();
        world.quiet().await;
    }
    let case = world.cases().await[0].id;
    let approver = world.operator("approver", Some("hr/3")).await;
    let second = world.second();
    let (reached, open) = world.faults.before_turn("case/");
    // Ann is named as the one who answers for an automation, and she has left.
    let left = world.reconfigure(|c| {
        unseen(c);
        c.automations.push(automation("hr/1"));
    });
    let chat = SystemName::new("chat").unwrap();
    let until = world.clock().saturating_add(SignedDuration::from_hours(24 * 10)).unwrap();
    let control = Acceptance {
        owner: "hr/2".into(),
        until: until.to_string()[..10].parse().unwrap(),
        reason: "the vendor's report".into(),
    };
    let concluded = async {
        reached.acquire().await.unwrap().forget();
        let class = AccessClass::OauthConsents;
        let (_, closed) = second.accept_control(case, &chat, class, &control, &approver).await.unwrap();
        open.close();
        closed
    };
    let (_, closed) = tokio::join!(left, concluded);
    assert!(closed, "nothing else was to be seen then");
    assert_eq!(world.cells().await["bailiwick/automations"], "residual");
    assert_eq!(world.open_cases().await, 1, "it is closed, and something is left");
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
