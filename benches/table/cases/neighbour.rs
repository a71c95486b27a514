//! Somebody of one tenant is fired while another tenant floods.
//!
//! A tenant is a hub of its own: its own process, database, key and log. What two of them may share is the server of the
//! databases and the machine, so both are shared here: while the neighbour's hub provisions everybody whom a first file
//! names, somebody on 30 systems of ours is fired, as in `leaver`. Before that the same without a neighbour.

use bailiwick_store::testkit::postgres;
use tokio::runtime::Runtime;

use super::{
    folder,
    leaver::{Fired, ROUNDS},
};
use crate::{
    Size,
    company::Company,
    hub::Hub,
    laboratory::served,
    measure::Spread,
    row::{Goal, Row},
};

/// The case.
pub fn run(size: Size) -> Vec<Row> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let work = "somebody is fired, on PostgreSQL";
    let Some(theirs) = runtime.block_on(postgres::durable_database()) else {
        return vec![Row::without(work, "—", Goal::Shown, "there is no PostgreSQL")];
    };
    let alone = fired(&runtime);
    let company = Company { people: size.of(20_000), systems: 8, groups: &[("team", 50)] };
    let lab = company.lab();
    let served = served(lab.router());
    let folder = folder();
    let hub = Hub::on(folder.path(), Some(&theirs));
    company.set_up(&hub, &served.address);
    company.hand_over(&hub, folder.path(), 0);
    let beside = fired(&runtime);
    assert!(!hub.is_quiet(), "the neighbour has nothing more to do");
    let slower = |beside: &[f64], alone: &[f64]| {
        Spread::of(beside.iter().map(|time| time / Spread::of(alone.to_vec()).median).collect())
    };
    let slower = [slower(&beside.firsts, &alone.firsts), slower(&beside.lasts, &alone.lasts)];
    let mut rows = alone.rows(work);
    let people = company.people;
    rows.extend(beside.rows(&format!("{work}, beside another tenant's {people} joiners on 8 systems")));
    let whats = ["to the first call, beside them", "to the last call, beside them"];
    rows.extend(
        whats.iter().zip(slower).map(|(what, slower)| Row::value(*what, "alone", Goal::Shown, "×", slower)),
    );
    rows
}

fn fired(runtime: &Runtime) -> Fired {
    runtime.block_on(async {
        let mut fired = Fired::default();
        for round in 0..ROUNDS {
            let address = postgres::durable_database().await.unwrap();
            fired.add(bailiwick_store::open(&address).await.unwrap(), round).await;
        }
        fired
    })
}
