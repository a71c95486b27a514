//! A whole HR file that says little that is new, against only parsing it.
//!
//! Ours is the import as the hub does it: the file is read through the connector and compared with everybody who is
//! known, guarded, and what changed is accepted, decided and planned in one transaction with its evidence, on a SQLite
//! file. The floor lists the same file through the same connector, and drops what it shows. Both in CPU time of the
//! whole process. Absent: what follows from the plans; no rule approves them.

use std::{fmt::Write as _, sync::Arc};

use bailiwick_connector::{
    Broker, Connector as _, Line, Listing, Object,
    broker::{HttpLimits, HttpTransport},
    seal::SealKey,
    testkit::{Hands, Seeded},
};
use bailiwick_connectors::csv::Csv;
use bailiwick_core::{
    digest::Digest,
    id::{SourceName, Tenant},
    integration::{Integration, Purpose},
};
use tokio::runtime::Runtime;

use super::{folder, plan::configure_without_rules};
use crate::{
    Size,
    measure::{Pairs, Process, Watch},
    population::{changed, changes},
    row::{Goal, Row, medians},
    world::World,
};

const PAIRS: usize = 5;
/// As many records as the hub reads at a time.
const PAGE: u32 = 1_000;
/// What those who change are in turn.
const TURNS: [&str; 2] = ["Legal", "Sales"];

/// The case.
pub fn run(size: Size) -> Vec<Row> {
    let people = size.of(1_000_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = folder();
    let file = folder.path().join("hub.db").display().to_string();
    let mut world = runtime.block_on(async {
        let store = bailiwick_store::open(&file).await.unwrap();
        let mut world = World::on(store, 1, &[("chat", &[])]).await;
        configure_without_rules(&mut world).await;
        world
    });
    let first = Watch::start();
    assert_eq!(import(&runtime, &mut world, &feed(people, "Sales")).0, people as u64);
    let first = first.seconds();
    let source = world.configuration().integrations.swap_remove(0);
    let (connector, line) = (Csv::new(&source.settings).unwrap(), line(&source));
    let mut pairs = Pairs::default();
    for pair in 0..PAIRS {
        let text = feed(people, TURNS[pair % TURNS.len()]);
        // The file that lies there is the one before, of the same length but for the names of departments.
        let before = Process::ME.seconds();
        assert_eq!(runtime.block_on(parse(&connector, &line)), people);
        let floor = Process::ME.seconds() - before;
        let (events, seconds) = import(&runtime, &mut world, &text);
        assert_eq!(events, changes(people) as u64);
        pairs.push(floor, seconds);
    }
    let work = format!("an HR file of {people} rows of which {} changed", changes(people));
    vec![
        Row::ratio(work, "only parsing it, CPU", Goal::AtMost(2.0), &pairs)
            .with(format!("{}; the first file took {first:.0} s", medians(&pairs, people, "a row"))),
    ]
}

/// The file; those who have changed are in this department.
fn feed(people: usize, department: &str) -> String {
    let mut text = String::from("id,name,email,dept,last_day,status\n");
    for n in 0..people {
        let department = match changed(n) {
            true => department,
            false => ["Engineering", "Finance", "Sales", "Legal"][n % 4],
        };
        writeln!(text, "{n},Person Number {n},person{n}@example.test,{department},,active").unwrap();
    }
    text
}

/// Imports a file and lets what follows settle; gives how many events there were, and what the import took.
fn import(runtime: &Runtime, world: &mut World, text: &str) -> (u64, f64) {
    std::fs::write(world.folder.path().join("current.csv"), text).unwrap();
    let before = Process::ME.seconds();
    let source = SourceName::new("hr").unwrap();
    let imported = runtime.block_on(world.engine.import(&source, Digest::of(text.as_bytes()))).unwrap();
    let seconds = Process::ME.seconds() - before;
    runtime.block_on(async { while world.engine.work().await.unwrap().taken > 0 {} });
    (imported.events.values().sum(), seconds)
}

/// A line to the folder of the source's feed.
fn line(source: &Integration) -> Line {
    let transport = Arc::new(HttpTransport::new(&HttpLimits::default()).unwrap());
    let key = Arc::new(SealKey::generate(&Seeded::new(1)));
    let broker = Broker::new(Tenant::single(), transport, Arc::new(Hands::default()), key);
    broker.line(source, Purpose::Verify, None)
}

async fn parse(connector: &Csv, line: &Line) -> usize {
    let (mut shown, mut cursor) = (0, None::<String>);
    loop {
        let mut visit = |person: Object<'_>| {
            std::hint::black_box(&person);
            shown += 1;
        };
        let page = connector.list(line, Listing::People, cursor.as_deref(), PAGE, &mut visit).await.unwrap();
        match page.next {
            Some(next) => cursor = Some(next),
            None => return shown,
        }
    }
}
