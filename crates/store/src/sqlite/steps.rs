//! Calls cost what they change or find, however much else is there: told by the steps of SQLite's machine, which are
//! the same on every computer. Absent: [`Tx::give_up`], which goes through all lanes once when a node starts, and what
//! counts (`queued`, `count`, `entry_counts`).

#![allow(clippy::unwrap_used, reason = "a test")]

use std::{cell::Cell, sync::Arc};

use bailiwick_core::id::Tenant;
use rusqlite::{Statement, StatementStatus};

use super::{SqliteStore, Thread};
use crate::{
    Filter, Gathered, KeyKind, KeyValue, NewWork, Outlines, Row, Select, Store, Table, Tx, Write,
    testkit::{Seeded, row, update},
};

thread_local! {
    static STEPS: Cell<i64> = const { Cell::new(0) };
}

/// Adds what a statement took since it was asked last.
pub(super) fn counted(statement: &Statement<'_>) {
    let steps = statement.reset_status(StatementStatus::VmStep);
    STEPS.with(|all| all.set(all.get() + i64::from(steps)));
}

/// What the calls of one store cost.
struct Costs {
    all: Vec<(String, i64)>,
}

impl Costs {
    fn of(&mut self, what: impl Into<String>) {
        self.all.push((what.into(), STEPS.with(|all| all.replace(0))));
    }
}

fn item(lane: String, due: i64) -> NewWork {
    NewWork { lane, priority: 5, due, body: b"{}".to_vec() }
}

/// A row that shares no value with another.
fn alone(table: Table, id: &str, revision: i64, entropy: &Seeded) -> Row {
    let mut row = row(table, id, revision, entropy);
    let number: i64 = id.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
    for key in &mut row.keys {
        if matches!(key, KeyValue::Int(_)) {
            *key = KeyValue::Int(number);
        }
    }
    row
}

/// What each call costs where there are so many rows in each table, so many lanes asleep and so much evidence.
async fn costs(many: usize) -> Vec<(String, i64)> {
    let tenant = Tenant::single();
    let entropy = Seeded::new(1);
    let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory(Thread::Own).await.unwrap());
    let mut tx = store.begin().await.unwrap();
    for table in Table::ALL {
        let rows = (0..many).map(|n| Write::Insert(table, alone(table, &format!("row-{n:06}"), 1, &entropy)));
        let updates = rows.map(|write| update(vec![write], &entropy)).collect();
        tx.write(&tenant, updates, &entropy).await.unwrap();
    }
    while tx.sequence(512).await.unwrap() > 0 {}
    tx.enqueue(&tenant, (0..many).map(|n| item(format!("asleep-{n}"), 1_000_000)).collect()).await.unwrap();
    tx.commit().await.unwrap();
    let mut costs = Costs { all: Vec::new() };
    STEPS.with(|all| all.set(0));
    let mut tx = store.begin().await.unwrap();
    for table in Table::ALL {
        let name = table.name();
        tx.get(&tenant, table, "row-000007").await.unwrap().unwrap();
        costs.of(format!("get of {name}"));
        let there = alone(table, "row-000007", 2, &entropy);
        tx.write(&tenant, vec![update(vec![Write::Replace(table, there.clone())], &entropy)], &entropy)
            .await
            .unwrap();
        costs.of(format!("replace in {name}"));
        // What is only read along finds no rows.
        let found_by = |(_, (column, ..)): &(usize, &(&str, KeyKind, bool))| *column != "said";
        for (at, (column, ..)) in table.keys().iter().enumerate().filter(found_by) {
            let value = there.keys[at].clone();
            let is = Filter::Is(column, value.clone());
            for filter in [is.clone(), Filter::In(column, vec![value])] {
                let found = tx.select(&tenant, Select::from(table).filter(filter)).await.unwrap();
                assert_eq!(found.len(), 1, "{name}.{column}");
                costs.of(format!("select of {name} by {column}"));
            }
            for (other, (second, ..)) in table.keys().iter().enumerate().filter(found_by) {
                let both = Select::from(table).filter(is.clone());
                let both = both.filter(Filter::Is(second, there.keys[other].clone()));
                assert_eq!(tx.select(&tenant, both).await.unwrap().len(), 1);
                costs.of(format!("select of {name} by {column} and {second}"));
            }
            let page = Select::from(table).filter(is).page(Some("row-000001".into()), 10);
            assert_eq!(tx.select(&tenant, page).await.unwrap().len(), 1);
            costs.of(format!("page of {name} by {column}"));
        }
        if let Some((by, ..)) =
            table.keys().iter().find(|(_, kind, unique)| *unique && *kind == KeyKind::Text)
        {
            let columns =
                if table == Table::Identities { &["source_key", "said", "state", "due"][..] } else { &[] };
            let asked = Outlines { table, by, begins: String::new(), after: None, columns, limit: 10 };
            assert_eq!(tx.outlines(&tenant, asked).await.unwrap().len(), 10);
            costs.of(format!("outlines of {name}"));
        }
        let page = Select::from(table).page(Some("row-000003".into()), 10);
        assert_eq!(tx.select(&tenant, page).await.unwrap().len(), 10);
        costs.of(format!("page of {name}"));
        let writes = vec![Write::Insert(table, alone(table, "new-999999", 1, &entropy))];
        tx.write(&tenant, vec![update(writes, &entropy)], &entropy).await.unwrap();
        costs.of(format!("insert into {name}"));
        let gone = vec![Write::Delete(table, "new-999999".into(), 1)];
        tx.write(&tenant, vec![update(gone, &entropy)], &entropy).await.unwrap();
        costs.of(format!("delete from {name}"));
    }
    queue(&mut *tx, &tenant, &mut costs).await;
    log(&mut *tx, &tenant, &mut costs).await;
    tx.commit().await.unwrap();
    costs.all
}

async fn queue(tx: &mut dyn Tx, tenant: &Tenant, costs: &mut Costs) {
    assert!(tx.lease(tenant, "w", 0, 100, 512, 9).await.unwrap().is_empty());
    costs.of("lease where all are asleep");
    assert_eq!(tx.next_due(tenant).await.unwrap(), Some(1_000_000));
    costs.of("next_due");
    tx.enqueue(tenant, (0..4).map(|n| item(format!("lane-{n}"), 0)).collect()).await.unwrap();
    costs.of("enqueue");
    let held = tx.lease(tenant, "w", 0, 100, 512, 9).await.unwrap();
    assert_eq!(held.len(), 4);
    costs.of("lease");
    tx.postpone(tenant, &held[0], 500, true).await.unwrap();
    costs.of("postpone");
    tx.wake(tenant, &["lane-0".to_owned()], 0).await.unwrap();
    costs.of("wake");
    tx.finish(tenant, &held[1]).await.unwrap();
    costs.of("finish");
    tx.finish_all(tenant, &held[2..]).await.unwrap();
    costs.of("finish all");
    tx.lock("lock", "w", 0, 100).await.unwrap().unwrap();
    costs.of("lock");
}

async fn log(tx: &mut dyn Tx, tenant: &Tenant, costs: &mut Costs) {
    assert!(tx.sequence(512).await.unwrap() > 100);
    costs.of("sequence");
    let first = tx.entries(0, 10).await.unwrap();
    costs.of("entries");
    assert_eq!(tx.written(first[4].seq, 10).await.unwrap().len(), 10);
    costs.of("written");
    assert!(tx.news(5, 10).await.unwrap().len() >= 10);
    costs.of("news");
    tx.disclosures(tenant, &[first[3].record.clone()]).await.unwrap();
    costs.of("disclosures");
    tx.log_head().await.unwrap();
    costs.of("head of the log");
}

#[tokio::test]
async fn no_call_costs_more_where_much_else_is_there() {
    let (few, many) = (costs(40).await, costs(4_000).await);
    let mut dearer = Vec::new();
    for ((what, few), (_, many)) in few.iter().zip(&many) {
        // A tree is a little deeper where there is more.
        if *many > few * 2 + 100 {
            dearer.push(format!("{what}: {few} steps, and {many}"));
        }
    }
    assert!(few.len() > 500, "{}", few.len());
    assert!(dearer.is_empty(), "{}", dearer.join("\n"));
}

#[tokio::test]
async fn what_is_foreseen_is_not_asked_for_and_what_is_written_waits_for_the_end() {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(2));
    let store = SqliteStore::in_memory(Thread::Own).await.unwrap();
    let insert = |id: &str| {
        vec![update(vec![Write::Insert(Table::Runs, alone(Table::Runs, id, 1, &entropy))], &entropy)]
    };
    let mut tx = store.begin().await.unwrap();
    for n in 0..20 {
        tx.write(&tenant, insert(&format!("row-{n}")), &entropy).await.unwrap();
    }
    tx.enqueue(&tenant, vec![item("held".into(), 0)]).await.unwrap();
    let held = tx.lease(&tenant, "w", 0, 100, 1, 9).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = Box::new(Gathered::new(store.begin().await.unwrap(), &tenant));
    tx.foresee(Table::Runs, "id", (0..25).map(|n| format!("row-{n}"))).await.unwrap();
    tx.foresee(Table::Runs, "plan", ["plan/row-3", "plan/new-99"]).await.unwrap();
    STEPS.with(|all| all.set(0));
    for n in 0..25 {
        let row = tx.get(&tenant, Table::Runs, &format!("row-{n}")).await.unwrap();
        assert_eq!(row.is_some(), n < 20);
    }
    let of = |plan: &str| Select::from(Table::Runs).filter(Filter::Is("plan", plan.into()));
    assert_eq!(tx.select(&tenant, of("plan/row-3")).await.unwrap().len(), 1);
    tx.write(&tenant, insert("new-99"), &entropy).await.unwrap();
    assert_eq!(tx.select(&tenant, of("plan/new-99")).await.unwrap().len(), 1);
    tx.enqueue(&tenant, vec![item("new".into(), 0)]).await.unwrap();
    tx.finish_all(&tenant, &held).await.unwrap();
    assert_eq!(STEPS.with(Cell::get), 0, "the database was asked");
    tx.commit().await.unwrap();
    assert!(STEPS.with(Cell::get) > 0);
}
