//! What is said of a transaction in which much is done together.

use std::collections::BTreeMap;

use bailiwick_core::id::Tenant;

use super::{Bed, Seeded, begin, code, read, row, update};
use crate::{Filter, Gathered, KeyValue, NewWork, Row, Select, Table, Tx, Write};

const TABLE: Table = Table::Accounts;

/// What is done in a transaction.
#[derive(Debug, Clone)]
enum Act {
    Foresee(&'static str, Vec<KeyValue>),
    Get(String),
    Select(Select),
    Count(Select),
    Write(Write),
    Finish,
    Postpone,
    Enqueue(String),
}

fn among(seeded: &Seeded, end: u64) -> KeyValue {
    match seeded.below(end + 1) {
        0 => KeyValue::Null,
        n => format!("v{n}").into(),
    }
}

fn column(seeded: &Seeded) -> (&'static str, KeyValue) {
    match seeded.below(4) {
        0 => ("id", format!("a{}", seeded.below(12)).into()),
        1 => ("locator", format!("l/a{}", seeded.below(12)).into()),
        2 => ("system", among(seeded, 2)),
        _ => ("identity", among(seeded, 3)),
    }
}

fn filter(seeded: &Seeded) -> Filter {
    let (named, value) = column(seeded);
    match seeded.below(8) {
        0 => Filter::AtMost("seen", i64::try_from(seeded.below(9)).unwrap()),
        1 => Filter::Above("seen", i64::try_from(seeded.below(9)).unwrap()),
        2 => Filter::Starts("locator", format!("l/a{}", seeded.below(3))),
        3 => Filter::Starts("id", format!("a{}", seeded.below(3))),
        4 | 5 => Filter::In(named, vec![value.clone(), value]),
        _ => Filter::Is(named, value),
    }
}

fn asked(seeded: &Seeded) -> Select {
    let mut select = Select::from(TABLE).filter(filter(seeded));
    if seeded.below(2) == 0 {
        select = select.filter(filter(seeded));
    }
    match seeded.below(4) {
        0 => select.page(Some(format!("a{}", seeded.below(9))), 3),
        1 => select.from_place(1, 2),
        _ => select,
    }
}

fn account(id: &str, revision: i64, seeded: &Seeded) -> Row {
    let seen = i64::try_from(seeded.below(9)).unwrap();
    let keys = vec![format!("l/{id}").into(), among(seeded, 2), among(seeded, 3), seen.into()];
    Row { keys, ..row(TABLE, id, revision, seeded) }
}

/// Some acts that are possible one after the other; `there` are the revisions of the rows.
fn acts(seeded: &Seeded, there: &mut BTreeMap<String, i64>) -> Vec<Act> {
    let mut acts = Vec::new();
    let (mut held, mut lanes) = (3, 0);
    for _ in 0..40 {
        let id = format!("a{}", seeded.below(12));
        acts.push(match seeded.below(12) {
            0..=2 => {
                let (named, value) = column(seeded);
                Act::Foresee(named, vec![value.clone(), column(seeded).1, value])
            }
            3 | 4 => Act::Get(id),
            5 | 6 => Act::Select(asked(seeded)),
            7 => Act::Count(Select { after: None, limit: None, skip: 0, ..asked(seeded) }),
            8 if held > 0 => {
                held -= 1;
                if seeded.below(3) == 0 { Act::Postpone } else { Act::Finish }
            }
            9 => {
                lanes += 1;
                Act::Enqueue(format!("new{lanes}"))
            }
            _ => match there.get(&id).copied() {
                Some(revision) if seeded.below(3) == 0 => {
                    there.remove(&id);
                    Act::Write(Write::Delete(TABLE, id, revision))
                }
                Some(revision) => {
                    there.insert(id.clone(), revision + 1);
                    Act::Write(Write::Replace(TABLE, account(&id, revision + 1, seeded)))
                }
                None => {
                    there.insert(id.clone(), 1);
                    Act::Write(Write::Insert(TABLE, account(&id, 1, seeded)))
                }
            },
        });
    }
    acts
}

fn work(lane: String) -> NewWork {
    NewWork { lane, priority: 1, due: 0, body: b"{}".to_vec() }
}

/// Does it all; gives what was seen meanwhile and is there afterwards.
async fn done(bed: &Bed, tenant: &Tenant, all: &[Vec<Act>], gathered: bool, seeded: &Seeded) -> Vec<String> {
    let mut seen = Vec::new();
    for acts in all {
        let mut tx = begin(bed).await;
        tx.enqueue(tenant, (0..3).map(|n| work(format!("held{n}"))).collect()).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = begin(bed).await;
        let mut held = tx.lease(tenant, "w", 0, 100, 3, 9).await.unwrap();
        tx.commit().await.unwrap();
        let (mut plain, mut ours) = match gathered {
            true => (None, Some(Gathered::new(begin(bed).await, tenant))),
            false => (Some(begin(bed).await), None),
        };
        for act in acts {
            if let (Act::Foresee(column, values), Some(ours)) = (act, &mut ours) {
                ours.foresee(TABLE, column, values.clone()).await.unwrap();
            }
            let tx: &mut dyn Tx = match (&mut ours, &mut plain) {
                (Some(ours), _) => ours,
                (None, Some(plain)) => &mut **plain,
                (None, None) => unreachable!("one of them is there"),
            };
            match act.clone() {
                Act::Foresee(..) => {}
                Act::Get(id) => seen.push(format!("{:?}", tx.get(tenant, TABLE, &id).await.unwrap())),
                Act::Select(select) => seen.push(format!("{:?}", tx.select(tenant, select).await.unwrap())),
                Act::Count(select) => seen.push(format!("{:?}", tx.count(tenant, select).await.unwrap())),
                Act::Write(write) => {
                    tx.write(tenant, vec![update(vec![write], seeded)], seeded).await.unwrap();
                }
                Act::Finish => tx.finish(tenant, &held.remove(0)).await.unwrap(),
                Act::Postpone => tx.postpone(tenant, &held.remove(0), 7, true).await.unwrap(),
                Act::Enqueue(lane) => tx.enqueue(tenant, vec![work(lane)]).await.unwrap(),
            }
        }
        match (ours, plain) {
            (Some(ours), _) => Box::new(ours).commit().await.unwrap(),
            (None, plain) => plain.unwrap().commit().await.unwrap(),
        }
        let mut tx = read(bed).await;
        seen.push(format!("{:?}", tx.select(tenant, Select::from(TABLE)).await.unwrap()));
        seen.push(format!("{:?}", tx.next_due(tenant).await.unwrap()));
        seen.push(format!("{:?}", tx.queued(tenant).await.unwrap()));
        drop(tx);
        let mut tx = begin(bed).await;
        let left = tx.lease(tenant, "v", 1_000, 100, 99, 9).await.unwrap();
        seen.push(left.iter().map(|work| format!("{}×{} ", work.lane, work.attempts)).collect());
        tx.finish_all(tenant, &left).await.unwrap();
        tx.commit().await.unwrap();
    }
    seen
}

/// "Whoever uses it sees what they would see without it, their own writes included."
pub async fn what_is_gathered_looks_as_if_it_were_done_at_once(bed: &Bed) {
    for seed in 0..25 {
        let seeded = Seeded::new(seed);
        let mut there = BTreeMap::new();
        let all: Vec<Vec<Act>> = (0..4).map(|_| acts(&seeded, &mut there)).collect();
        let tenant = |what: &str| Tenant::new(&format!("{what}-{seed}")).unwrap();
        let plain = done(bed, &tenant("plain"), &all, false, &seeded).await;
        let gathered = done(bed, &tenant("gathered"), &all, true, &seeded).await;
        for (place, (plain, gathered)) in plain.iter().zip(&gathered).enumerate() {
            assert_eq!(plain, gathered, "seed {seed}, answer {place}");
        }
        assert_eq!(plain.len(), gathered.len());
    }
}

/// "What is only known once it is written, such as a conflict, is told later … at the latest by `commit`." Nothing is left
/// behind then.
pub async fn what_is_gathered_fails_as_a_whole(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(7));
    let insert = |id: &str| vec![update(vec![Write::Insert(TABLE, account(id, 1, &entropy))], &entropy)];
    let mut tx = begin(bed).await;
    tx.write(&tenant, insert("taken"), &entropy).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = Box::new(Gathered::new(begin(bed).await, &tenant));
    tx.write(&tenant, insert("new"), &entropy).await.unwrap();
    tx.write(&tenant, insert("taken"), &entropy).await.unwrap();
    tx.enqueue(&tenant, vec![work("lane".into())]).await.unwrap();
    assert_eq!(code(tx.commit().await), "store-conflict");
    let mut tx = Box::new(Gathered::new(begin(bed).await, &tenant));
    tx.write(&tenant, insert("taken"), &entropy).await.unwrap();
    assert_eq!(code(tx.next_due(&tenant).await), "store-conflict", "it has to be written first");
    assert_eq!(code(tx.get(&tenant, TABLE, "taken").await.map(drop)), "store-aborted");
    assert_eq!(code(tx.commit().await), "store-aborted");
    let other = Tenant::new("other").unwrap();
    let mut tx = Box::new(Gathered::new(begin(bed).await, &tenant));
    assert_eq!(code(tx.get(&other, TABLE, "taken").await), "store-internal");
    drop(tx);
    let mut tx = read(bed).await;
    let ids = tx.select(&tenant, Select::from(TABLE)).await.unwrap();
    assert_eq!(ids.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["taken"]);
    assert_eq!(tx.queued(&tenant).await.unwrap(), 0);
}
