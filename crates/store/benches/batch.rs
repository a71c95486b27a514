//! What a large `write` costs: 512 updates of three rows each, with their evidence, in one transaction,
//! on a file. Prints microseconds a row, and the ratio to the floor: the same bytes appended to a file
//! and synced.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::{io::Write as _, time::Instant};

use bailiwick_core::id::Tenant;
use bailiwick_store::{
    Row, Table, Write, open,
    testkit::{Seeded, row, update},
};

const ROUNDS: i64 = 24;
const UPDATES: i64 = 512;

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hub.db");
    // Or another store, such as `postgres://…`.
    let address = std::env::args().nth(1).filter(|a| !a.starts_with('-'));
    let store = open(&address.unwrap_or_else(|| path.display().to_string())).await.unwrap();
    let mut floor = std::fs::File::create(directory.path().join("floor")).unwrap();
    let (tenant, entropy) = (Tenant::single(), Seeded::new(1));
    let body = |row: Row| Row { body: vec![b'x'; 600], ..row };
    let (mut micros, mut ratios) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let mut bytes = Vec::new();
        let updates: Vec<_> = (0..UPDATES)
            .map(|n| {
                let id = format!("idn_{:026}", round * UPDATES + n);
                // As the engine does: a plan and a run are new, the identity is new or replaced.
                let identity = match round % 2 {
                    0 => Write::Insert(Table::Identities, body(row(Table::Identities, &id, 1, &entropy))),
                    _ => {
                        let id = format!("idn_{:026}", (round - 1) * UPDATES + n);
                        Write::Replace(Table::Identities, body(row(Table::Identities, &id, 2, &entropy)))
                    }
                };
                let plan = Write::Insert(Table::Plans, body(row(Table::Plans, &id, 1, &entropy)));
                let run = Write::Insert(Table::Runs, body(row(Table::Runs, &id, 1, &entropy)));
                bytes.extend([b'y'; 3 * 600]);
                update(vec![identity, plan, run], &entropy)
            })
            .collect();
        let start = Instant::now();
        floor.write_all(&bytes).unwrap();
        floor.sync_data().unwrap();
        let lowest = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let mut tx = store.begin().await.unwrap();
        tx.write(&tenant, updates, &entropy).await.unwrap();
        tx.commit().await.unwrap();
        let took = start.elapsed().as_secs_f64();
        // Three rows and the entry of evidence.
        micros.push(took * 1e6 / (UPDATES * 4) as f64);
        ratios.push(took / lowest);
    }
    micros.sort_by(f64::total_cmp);
    ratios.sort_by(f64::total_cmp);
    let middle = micros.len() / 2;
    println!(
        "{}: {:.1} us a row (best {:.1}), {:.1} x the floor",
        store.kind(),
        micros[middle],
        micros[0],
        ratios[middle]
    );
}
