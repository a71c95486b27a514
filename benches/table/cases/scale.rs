//! What one more of everything costs a hub, whether that foretells what a company costs that was not asked about, and what
//! one, two and three nodes do on one PostgreSQL.
//!
//! The costs are differences of whole hubs that serve a company: people alone, with accounts, with accounts and small groups,
//! with accounts and large ones; and a second file in which some are called otherwise. A grant costs the more the larger its
//! group is, because a system shows a group with all its members: what the two sizes differ by is the price of a member. Counted is the processor's time of the hub, and the bytes of store and
//! log, from the file to quiet. In: reading, deciding, planning, approving by a rule, each call, reading back, evidence.
//! Out: the systems, which are a lab in this process.

use std::{fs, path::Path};

use bailiwick_store::testkit::postgres;
use sqlx::{Connection as _, Executor as _, Row as _, SqliteConnection};

use super::folder;
use crate::{
    Size,
    company::Company,
    hub::Hub,
    laboratory::served,
    measure::{Process, Spread, Watch},
    row::{Goal, Row, time},
};

/// How far what is foretold may be off.
const OFF: f64 = 1.25;
const TEAM: (&str, usize) = ("team", 50);
const OFFICE: (&str, usize) = ("office", 250);
/// What the model was not made from.
const FLOOR: (&str, usize) = ("floor", 100);
const NODES: usize = 3;

/// What something costs.
#[derive(Clone, Copy)]
struct Cost {
    /// Seconds of the hub's processor.
    seconds: f64,
    store: f64,
    log: f64,
}

impl Cost {
    const NOTHING: Self = Self { seconds: 0.0, store: 0.0, log: 0.0 };

    fn plus(self, other: Self, times: usize) -> Self {
        let with = |one: f64, other: f64| one + other * times as f64;
        Self {
            seconds: with(self.seconds, other.seconds),
            store: with(self.store, other.store),
            log: with(self.log, other.log),
        }
    }

    fn less(self, other: Self) -> Self {
        Self {
            seconds: self.seconds - other.seconds,
            store: self.store - other.store,
            log: self.log - other.log,
        }
    }

    fn each(self, count: usize) -> Self {
        let of = |value: f64| value / count as f64;
        Self { seconds: of(self.seconds), store: of(self.store), log: of(self.log) }
    }

    fn bytes(self) -> f64 {
        self.store + self.log
    }

    fn row(self, what: &str) -> Row {
        let spread = Spread::one(self.seconds * 1e6);
        Row::value(format!("one more {what}"), "—", Goal::Shown, "µs of the hub's processor", spread)
            .with(format!("{:.0} B in the store, {:.0} B in the log", self.store, self.log))
    }
}

/// The case.
pub fn run(size: Size) -> Vec<Row> {
    let people = size.of(20_000);
    let of = |systems, groups| Company { people, systems, groups };
    let (alone, renamed, renames) = costs(&of(0, &[]));
    let (accounts, ..) = costs(&of(2, &[]));
    let granted = |group: &'static (&str, usize)| {
        let (grants, ..) = costs(&of(2, std::slice::from_ref(group)));
        grants.less(accounts).each(2 * people)
    };
    let (small, large) = (granted(&TEAM), granted(&OFFICE));
    let identity = alone.each(people);
    let account = accounts.less(alone).each(2 * people);
    let member = large.less(small).each(OFFICE.1 - TEAM.1);
    let grant = small.less(Cost::NOTHING.plus(member, TEAM.1));
    let event = renamed.each(renames);
    let mut rows = vec![
        identity.row("identity, with its event and decision"),
        account.row("account, made and read back"),
        grant.row("grant, made and read back, without who is in its group"),
        member.row("member of its group, for each grant"),
        event.row("event of somebody known, with nothing to be done"),
    ];
    let other = Company { people: people * 3 / 2, systems: 4, groups: &[FLOOR] };
    let (measured, ..) = costs(&other);
    let foretold = identity.plus(account, 4).plus(grant.plus(member, FLOOR.1), 4);
    let foretold = foretold.plus(foretold, other.people - 1);
    let work = format!("{} people on 4 systems in one group of {} each", other.people, FLOOR.1);
    let row = |what: &str, measured: f64, foretold: f64| {
        let off = (measured / foretold).max(foretold / measured);
        Row::value(
            format!("{work}: {what}"),
            "what the costs above foretell",
            Goal::AtMost(OFF),
            "× off",
            Spread::one(off),
        )
    };
    rows.extend([
        row("processor", measured.seconds, foretold.seconds).with(format!(
            "{} measured, {} foretold",
            time(measured.seconds),
            time(foretold.seconds)
        )),
        row("store and log", measured.bytes(), foretold.bytes()).with(format!(
            "{:.1} MB measured, {:.1} MB foretold",
            measured.bytes() / 1e6,
            foretold.bytes() / 1e6
        )),
    ]);
    rows.extend(
        (1..=NODES)
            .map(|nodes| together(&Company { people: people / 2, systems: 2, groups: &[TEAM] }, nodes)),
    );
    rows
}

/// What it costs a hub to serve a company, and what a second file in which some are called otherwise; with how many.
fn costs(company: &Company) -> (Cost, Cost, usize) {
    let lab = company.lab();
    let served = served(lab.router());
    let folder = folder();
    let hub = Hub::start(folder.path());
    company.set_up(&hub, &served.address);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let so_far = || Cost {
        seconds: hub.process().family_seconds(),
        store: runtime.block_on(stored(&folder.path().join("data/bailiwick.db"))),
        log: length(&folder.path().join("data/log")) as f64,
    };
    let before = so_far();
    company.import(&hub, folder.path(), 0);
    company.proven(&lab);
    let first = so_far();
    let renames = company.import(&hub, folder.path(), 1);
    (first.less(before), so_far().less(first), renames)
}

/// The bytes of a database, with what has not come into its file yet.
async fn stored(file: &Path) -> f64 {
    let mut database = SqliteConnection::connect(&file.display().to_string()).await.unwrap();
    let mut of = async |pragma: &'static str| -> i64 { database.fetch_one(pragma).await.unwrap().get(0) };
    (of("PRAGMA page_count").await * of("PRAGMA page_size").await) as f64
}

/// The bytes of a file, or of all that are in a folder.
fn length(path: &Path) -> u64 {
    match fs::read_dir(path) {
        Ok(inside) => inside.flatten().map(|entry| length(&entry.path())).sum(),
        Err(_) => fs::metadata(path).map_or(0, |file| file.len()),
    }
}

/// So many nodes of one hub provision everybody together.
fn together(company: &Company, nodes: usize) -> Row {
    let (goal, unit) = (Goal::Shown, "identities a second");
    let many = if nodes == 1 { "one node".to_owned() } else { format!("{nodes} nodes") };
    let work = format!("{} joiners on 2 systems, {many} on one PostgreSQL", company.people);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let Some(store) = runtime.block_on(postgres::durable_database()) else {
        return Row::without(work, "—", goal, "there is no PostgreSQL");
    };
    let lab = company.lab();
    let served = served(lab.router());
    let folder = folder();
    let hub = Hub::on(folder.path(), Some(&store));
    company.set_up(&hub, &served.address);
    let others: Vec<Hub> = (1..nodes).map(|n| hub.beside(&format!("node-{n}"), &store)).collect();
    let hubs = || std::iter::once(&hub).chain(&others).map(|hub| hub.process().family_seconds()).sum::<f64>();
    let before = (hubs(), server(&store).family_seconds(), Watch::start());
    company.import(&hub, folder.path(), 0);
    company.proven(&lab);
    let seconds = before.2.seconds();
    let each = |after: f64, before: f64| time((after - before) / company.people as f64);
    let rate = Spread::one(company.people as f64 / seconds);
    Row::value(work, "—", goal, unit, rate).with(format!(
        "{} of the hubs' processor an identity, {} of PostgreSQL's",
        each(hubs(), before.0),
        each(server(&store).family_seconds(), before.1)
    ))
}

/// The process of the server that a test's address names.
fn server(address: &str) -> Process {
    let folder = address.split("host=").nth(1).and_then(|rest| rest.split('&').next()).unwrap();
    let file = fs::read_to_string(format!("{folder}/data/postmaster.pid")).unwrap();
    Process::of(file.lines().next().unwrap().trim().parse().unwrap())
}
