//! What a large `write` costs: 512 updates of three rows each, with their evidence, in one transaction, on a file; against
//! the same bytes appended to a file and synced.

use std::{fs::File, io::Write as _};

use bailiwick_core::id::Tenant;
use bailiwick_store::{
    Row as Stored, Table, Write, open,
    testkit::{Seeded, row, update},
};

use super::folder;
use crate::{
    Size,
    measure::{Pairs, wall},
    row::{Goal, Row, medians},
};

const ROUNDS: i64 = 24;
const UPDATES: i64 = 512;
/// Bytes of a row.
const BODY: usize = 600;

/// The case; it has one size.
pub fn run(_: Size) -> Vec<Row> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let folder = folder();
    let store = runtime.block_on(open(&folder.path().join("hub.db").display().to_string())).unwrap();
    let mut floor = File::create(folder.path().join("floor")).unwrap();
    let (tenant, entropy) = (Tenant::single(), Seeded::new(1));
    let bytes = vec![b'y'; UPDATES as usize * 3 * BODY];
    let pairs = Pairs::of(
        ROUNDS as usize,
        |_| {
            wall(|| {
                floor.write_all(&bytes).unwrap();
                floor.sync_data().unwrap();
            })
        },
        |round| {
            let updates: Vec<_> = (0..UPDATES).map(|n| as_the_engine(round as i64, n, &entropy)).collect();
            wall(|| {
                runtime.block_on(async {
                    let mut tx = store.begin().await.unwrap();
                    tx.write(&tenant, updates, &entropy).await.unwrap();
                    tx.commit().await.unwrap();
                });
            })
        },
    );
    // Three rows and the entry of evidence.
    let written = UPDATES as usize * 4;
    let work = format!("{UPDATES} updates of three rows with their evidence in one transaction, SQLite file");
    vec![
        Row::ratio(work, "the same bytes appended and synced, wall", Goal::Shown, &pairs)
            .with(medians(&pairs, written, "a row")),
    ]
}

/// A plan and a run are new, the identity is new or replaced.
fn as_the_engine(round: i64, n: i64, entropy: &Seeded) -> bailiwick_store::Update {
    let body = |row: Stored| Stored { body: vec![b'x'; BODY], ..row };
    let id = format!("idn_{:026}", round * UPDATES + n);
    let identity = match round % 2 {
        0 => Write::Insert(Table::Identities, body(row(Table::Identities, &id, 1, entropy))),
        _ => {
            let before = format!("idn_{:026}", (round - 1) * UPDATES + n);
            Write::Replace(Table::Identities, body(row(Table::Identities, &before, 2, entropy)))
        }
    };
    let plan = Write::Insert(Table::Plans, body(row(Table::Plans, &id, 1, entropy)));
    let run = Write::Insert(Table::Runs, body(row(Table::Runs, &id, 1, entropy)));
    update(vec![identity, plan, run], entropy)
}
