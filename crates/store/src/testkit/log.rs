//! What the seam says of evidence.

use std::{collections::BTreeMap, sync::Arc};

use bailiwick_core::{
    id::{CaseId, IdentityId, Tenant},
    record::{LONGEST, Logged, commitment},
};
use tokio::sync::Barrier;

use super::{Bed, Seeded, begin, code, read, record, row, update, write};
use crate::{Entry, LogHead, StoreError, Table, Update, Write, deviations};

/// An entry carries the state of each row it was written with: its revision and digest.
pub async fn an_entry_binds_the_rows_it_explains(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(31));
    let make = |n: i64| {
        let id = n.to_string();
        let (plan, run) = (row(Table::Plans, &id, 1, &entropy), row(Table::Runs, &id, 1, &entropy));
        update(vec![Write::Insert(Table::Plans, plan), Write::Insert(Table::Runs, run)], &entropy)
    };
    let removal = vec![
        Write::Delete(Table::Plans, "0".to_owned(), 1),
        Write::Replace(Table::Runs, row(Table::Runs, "0", 2, &entropy)),
    ];
    let updates: Vec<Update> = (0..100).map(make).chain([update(removal, &entropy)]).collect();
    let records: Vec<_> = updates.iter().map(|update| update.record.id).collect();
    write(bed, &tenant, updates, &entropy).await.unwrap();
    let mut tx = read(bed).await;
    let entries = tx.written(0, 1000).await.unwrap();
    assert_eq!(
        entries.iter().map(|e| e.record.clone()).collect::<Vec<_>>(),
        records.iter().map(ToString::to_string).collect::<Vec<_>>()
    );
    for (at, entry) in entries.iter().enumerate() {
        let logged = Logged::parse(&entry.bytes).unwrap();
        assert_eq!((logged.id, entry.index), (records[at], None));
        assert_eq!(logged.state.len(), 2);
        for (state, table) in logged.state.iter().zip([Table::Plans, Table::Runs]) {
            assert_eq!(state.table, table.name());
            match at {
                0 => {} // Its rows were changed by the last.
                100 if table == Table::Plans => assert_eq!((state.digest, state.revision), (None, 1)),
                _ => {
                    let stored = tx.get(&tenant, table, &state.id).await.unwrap().unwrap();
                    assert_eq!((state.digest, state.revision), (Some(stored.digest()), stored.revision));
                }
            }
        }
    }
}

async fn append(bed: &Bed, count: u64, entropy: &Seeded) {
    let updates = (0..count).map(|_| update(vec![], entropy)).collect();
    write(bed, &Tenant::single(), updates, entropy).await.unwrap();
}

/// "Gives indices to all entries that have none, in order of writing, contiguous after the last; at
/// most `limit`." `entries` gives them "in order, at most `limit`".
pub async fn indices_are_contiguous_in_order_of_writing(bed: &Bed) {
    let entropy = Seeded::new(32);
    let sequence = async |limit| {
        let mut tx = begin(bed).await;
        let count = tx.sequence(limit).await.unwrap();
        tx.commit().await.unwrap();
        count
    };
    assert_eq!(sequence(10).await, 0);
    append(bed, 25, &entropy).await;
    // A sequence number is used up by what was never committed.
    begin(bed).await.write(&Tenant::single(), vec![update(vec![], &entropy)], &entropy).await.unwrap();
    append(bed, 5, &entropy).await;
    assert_eq!(read(bed).await.entry_counts().await.unwrap(), (0, 30));
    assert_eq!((sequence(10).await, sequence(0).await, sequence(7).await), (10, 0, 7));
    assert_eq!(read(bed).await.entry_counts().await.unwrap(), (17, 30));
    assert_eq!(read(bed).await.entries(0, 100).await.unwrap().len(), 17);
    append(bed, 3, &entropy).await;
    assert_eq!((sequence(1000).await, sequence(1000).await), (16, 0));
    let mut tx = read(bed).await;
    let all = tx.entries(0, 100).await.unwrap();
    assert_eq!(all.iter().map(|e| e.index).collect::<Vec<_>>(), (0..33).map(Some).collect::<Vec<_>>());
    assert!(all.is_sorted_by(|a, b| a.seq < b.seq));
    assert_eq!(tx.entries(30, 2).await.unwrap(), all[30..32]);
    assert_eq!(tx.entries(33, 2).await.unwrap(), []);
    assert_eq!(tx.written(all[29].seq, 2).await.unwrap(), all[30..32]);
}

/// What is new is what came after an index and what has none yet.
pub async fn news_are_what_has_no_index_and_what_got_one(bed: &Bed) {
    let entropy = Seeded::new(35);
    let sequence = async |limit| {
        let mut tx = begin(bed).await;
        tx.sequence(limit).await.unwrap();
        tx.commit().await.unwrap();
    };
    let news = async |from, limit| {
        let entries = read(bed).await.news(from, limit).await.unwrap();
        entries.into_iter().map(|entry| (entry.seq, entry.index)).collect::<Vec<_>>()
    };
    assert_eq!(news(0, 10).await, []);
    append(bed, 4, &entropy).await;
    let unplaced = news(0, 10).await;
    assert!(unplaced.len() == 4 && unplaced.iter().all(|(_, index)| index.is_none()));
    sequence(3).await;
    append(bed, 1, &entropy).await;
    let seqs: Vec<i64> = read(bed).await.written(0, 10).await.unwrap().iter().map(|e| e.seq).collect();
    let (two, last) = ((seqs[2], Some(2)), [(seqs[3], None), (seqs[4], None)]);
    assert_eq!(news(2, 10).await, [&[two][..], &last].concat());
    assert_eq!(news(3, 10).await, last);
    assert_eq!(news(2, 2).await, [two, last[0]]);
    assert_eq!(news(0, 2).await, [(seqs[0], Some(0)), (seqs[1], Some(1))]);
}

/// Two at once, while entries are being written: no index twice, none left out.
pub async fn two_sequencers_give_every_index_once(bed: &Bed) {
    let tenant = Tenant::single();
    for round in 0..10 {
        let barrier = Arc::new(Barrier::new(3));
        let sequencer = |_| {
            let (store, barrier) = (Arc::clone(&bed.store), Arc::clone(&barrier));
            tokio::spawn(async move {
                barrier.wait().await;
                let mut tx = store.begin().await.unwrap();
                let count = tx.sequence(7).await.unwrap();
                tx.commit().await.unwrap();
                count
            })
        };
        let writer = {
            let (store, barrier, tenant) = (Arc::clone(&bed.store), Arc::clone(&barrier), tenant.clone());
            tokio::spawn(async move {
                let entropy = Seeded::new(1000 + round);
                barrier.wait().await;
                let mut tx = store.begin().await.unwrap();
                let updates = (0..10).map(|_| update(vec![], &entropy)).collect();
                tx.write(&tenant, updates, &entropy).await.unwrap();
                tx.commit().await.unwrap();
            })
        };
        let sequencers = [0, 1].map(sequencer);
        writer.await.unwrap();
        for handle in sequencers {
            handle.await.unwrap();
        }
    }
    let mut tx = begin(bed).await;
    tx.sequence(1000).await.unwrap();
    tx.commit().await.unwrap();
    let all = read(bed).await.entries(0, 1000).await.unwrap();
    assert_eq!(all.iter().map(|e| e.index).collect::<Vec<_>>(), (0..100).map(Some).collect::<Vec<_>>());
}

/// "The entries about an identity or a case, in order of writing"; "the newest first", "with a smaller `seq`", "at most".
pub async fn entries_are_found_by_whom_they_are_about(bed: &Bed) {
    let entropy = Seeded::new(33);
    let [tenant, other] = ["one", "other"].map(|name| Tenant::new(name).unwrap());
    let [ann, bob] = [1, 2].map(|n| IdentityId::from_bytes([n; 16]));
    let case = CaseId::from_bytes([3; 16]);
    let about = |record| Update::new(record);
    let updates = vec![
        about(record(&entropy).identity(ann)),
        about(record(&entropy).identity(bob).case(case)),
        about(record(&entropy)),
        about(record(&entropy).identity(ann).case(case)),
        about(record(&entropy).identity(bob)),
        about(record(&entropy).case(case)),
    ];
    let ids: Vec<String> = updates.iter().map(|update| update.record.id.to_string()).collect();
    write(bed, &tenant, updates, &entropy).await.unwrap();
    write(bed, &other, vec![about(record(&entropy).identity(ann).case(case))], &entropy).await.unwrap();
    let mut tx = read(bed).await;
    for (subject, expect) in
        [(ann.to_string(), vec![0, 3]), (bob.to_string(), vec![1, 4]), (case.to_string(), vec![1, 3, 5])]
    {
        let found = tx.entries_about(&tenant, &subject).await.unwrap();
        let expect: Vec<&String> = expect.into_iter().map(|at: usize| &ids[at]).collect();
        assert_eq!(found.iter().map(|e| &e.record).collect::<Vec<_>>(), expect, "{subject}");
        let latest = tx.latest_about(&tenant, &subject, None, 100).await.unwrap();
        assert!(latest.iter().eq(found.iter().rev()), "{subject}: {latest:?}");
        assert_eq!(tx.latest_about(&tenant, &subject, None, 1).await.unwrap(), latest[..1]);
        let older = tx.latest_about(&tenant, &subject, Some(latest[0].seq), 1).await.unwrap();
        assert_eq!(older, latest[1..2]);
        assert_eq!(
            tx.entries_about(&other, &subject).await.unwrap().len(),
            usize::from(subject != bob.to_string())
        );
    }
}

fn commitments(entry: &Entry) -> BTreeMap<String, String> {
    let value: serde_json::Value = serde_json::from_slice(&entry.bytes).unwrap();
    value.get("commitments").map(|c| serde_json::from_value(c.clone()).unwrap()).unwrap_or_default()
}

/// The log has salted commitments, the values are beside it; "erases the disclosures of all records
/// about the identity", of nobody else, and the entries stay as they were.
pub async fn personal_values_stay_beside_the_log_until_erased(bed: &Bed) {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let (tenant, entropy) = (Tenant::single(), Seeded::new(34));
    let [ann, bob] = [1, 2].map(|n| IdentityId::from_bytes([n; 16]));
    let say =
        |who, name: &str| record(&entropy).identity(who).personal("name", name).personal("phone", [1, 2]);
    let mut updates: Vec<Update> = [(ann, "Ann Secret"), (bob, "Bob Secret"), (ann, "Ann Married")]
        .map(|(who, name)| Update::new(say(who, name)))
        .into();
    let ids: Vec<String> = updates.iter().map(|update| update.record.id.to_string()).collect();
    updates.extend((0..50).map(|_| Update::new(record(&entropy).identity(ann))));
    write(bed, &tenant, updates, &entropy).await.unwrap();
    let before = read(bed).await.written(0, 100).await.unwrap();
    let disclosed = read(bed).await.disclosures(&tenant, &ids).await.unwrap();
    assert_eq!(disclosed.len(), 6);
    for (at, id) in ids.iter().enumerate() {
        let entry = &before[at];
        assert!(!String::from_utf8_lossy(&entry.bytes).contains("Secret"));
        let commitments = commitments(entry);
        let of_record: Vec<_> = disclosed.iter().filter(|d| d.record.to_string() == *id).collect();
        assert_eq!(of_record.iter().map(|d| d.field.as_str()).collect::<Vec<_>>(), ["name", "phone"]);
        for d in of_record {
            assert_eq!(commitments[&d.field], STANDARD.encode(commitment(&d.salt, &d.value).0));
        }
    }
    let other = Tenant::new("other").unwrap();
    assert_eq!(read(bed).await.disclosures(&other, &ids).await.unwrap(), []);
    assert_eq!(read(bed).await.disclosures(&tenant, &[]).await.unwrap(), []);

    // The record of the erasure says a name itself.
    let mut tx = begin(bed).await;
    let erasure = Update::new(say(ann, "Ann Once More"));
    let own = erasure.record.id.to_string();
    assert_eq!(tx.erase(&other, &ann.to_string(), update(vec![], &entropy), &entropy).await.unwrap(), 0);
    assert_eq!(tx.erase(&tenant, &ann.to_string(), erasure, &entropy).await.unwrap(), 6);
    tx.commit().await.unwrap();
    let mut tx = read(bed).await;
    let left = tx.disclosures(&tenant, &[ids.clone(), vec![own]].concat()).await.unwrap();
    assert!(left.len() == 2 && left.iter().all(|d| d.record.to_string() == ids[1]));
    let after = tx.written(0, 100).await.unwrap();
    assert_eq!(after[..before.len()], before);
    assert_eq!(after.len(), before.len() + 2);
}

/// No record is longer than the log takes. What is too long of one is kept beside the log, and it commits to that; where
/// many rows are written, others go on.
pub async fn what_is_too_long_for_a_record_is_beside_the_log(bed: &Bed) {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let (tenant, entropy) = (Tenant::single(), Seeded::new(36));
    let long: Vec<String> = (0..4_000).map(|n| format!("group-{n}-of-everything")).collect();
    let longer = "x".repeat(1 << 20);
    let said = record(&entropy).fact("few", 7).fact("groups", &long).fact("note", &longer);
    let rows = (0..700).map(|n| {
        let name = format!("{n}/{}", "a long name".repeat(20));
        Write::Insert(Table::Plans, row(Table::Plans, &name, 1, &entropy))
    });
    let many = update(rows.collect(), &entropy);
    let (first, updates) = (said.id, vec![Update::new(said), many.clone()]);
    write(bed, &tenant, updates, &entropy).await.unwrap();
    let mut tx = read(bed).await;
    let entries = tx.written(0, 100).await.unwrap();
    assert!(entries.iter().all(|entry| entry.bytes.len() <= LONGEST));

    let mut logged = Logged::parse(&entries[0].bytes).unwrap();
    assert!(logged.has_beside() && logged.facts["few"] == 7 && !logged.facts.contains_key("groups"));
    let beside = tx.disclosures(&tenant, &[first.to_string()]).await.unwrap();
    for kept in &beside {
        let committed = STANDARD.encode(commitment(&kept.salt, &kept.value).0);
        assert_eq!(commitments(&entries[0])[&kept.field], committed);
    }
    logged.put_back(beside);
    assert_eq!(logged.facts["groups"], serde_json::json!(long));
    assert_eq!(logged.facts["note"], longer.as_str());

    let named: Vec<Logged> = entries[1..].iter().map(|entry| Logged::parse(&entry.bytes).unwrap()).collect();
    assert_eq!(named.iter().map(|logged| logged.state.len()).sum::<usize>(), 700);
    assert_eq!((named[0].id, named[0].kind), (many.record.id, many.record.kind));
    for (before, after) in named.iter().zip(&named[1..]) {
        assert_eq!(after.facts["continues"], before.id.to_string());
    }
}

/// A record that is already there is a conflict, alone and among others.
pub async fn a_record_is_written_once(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(35));
    let again = update(vec![], &entropy);
    write(bed, &tenant, vec![again.clone()], &entropy).await.unwrap();
    for others in [0, 3, 100] {
        let updates = (0..others).map(|_| update(vec![], &entropy)).chain([again.clone()]).collect();
        match write(bed, &tenant, updates, &entropy).await {
            Err(StoreError::Conflict { table: "evidence", id }) => {
                assert_eq!(id, again.record.id.to_string())
            }
            other => panic!("among {others}: {other:?}"),
        }
    }
    assert_eq!(read(bed).await.entry_counts().await.unwrap(), (0, 1));
}

/// "Moves the end of the published log from `old_size` to `head`. Fails with `Conflict` when it is
/// elsewhere, or would become shorter."
pub async fn the_end_of_the_log_moves_by_compare_and_swap(bed: &Bed) {
    let head =
        |size: i64| LogHead { size, root: [size as u8; 32], checkpoint: format!("size {size}").into_bytes() };
    let steps = [
        (Some(0), 1, false),
        (None, 3, true),
        (None, 4, false),
        (Some(2), 4, false),
        (Some(3), 5, true),
        (Some(3), 6, false),
        (Some(5), 4, false),
    ];
    let mut now = None;
    for (old, size, expect) in steps {
        let mut tx = begin(bed).await;
        let result = tx.advance_log(old, &head(size)).await;
        assert_eq!(code(result), if expect { "ok" } else { "store-conflict" }, "{old:?} to {size}");
        if expect {
            tx.commit().await.unwrap();
            now = Some(head(size));
        } else {
            drop(tx);
        }
        assert_eq!(read(bed).await.log_head().await.unwrap(), now);
    }
    let advance = |size| {
        let (store, head) = (Arc::clone(&bed.store), head(size));
        tokio::spawn(async move {
            let mut tx = store.begin().await?;
            tx.advance_log(Some(5), &head).await?;
            tx.commit().await
        })
    };
    let [one, other] = [7, 8].map(advance);
    let mut results = [code(one.await.unwrap()), code(other.await.unwrap())];
    results.sort_unstable();
    assert_eq!(results, ["ok", "store-conflict"]);
}

/// What evidence says of rows is what they are, after inserts, replacements and removals.
pub async fn a_store_written_through_the_seam_does_not_deviate(bed: &Bed) {
    let entropy = Seeded::new(36);
    for name in ["one", "other"] {
        let tenant = Tenant::new(name).unwrap();
        for table in Table::ALL {
            let id = |n: i64| format!("{n}");
            let mut writes: Vec<Write> =
                (0..20).map(|n| Write::Insert(table, row(table, &id(n), 1, &entropy))).collect();
            writes.extend((0..10).map(|n| Write::Replace(table, row(table, &id(n), 2, &entropy))));
            writes.extend((5..15).map(|n| Write::Delete(table, id(n), if n < 10 { 2 } else { 1 })));
            writes.extend((5..7).map(|n| Write::Insert(table, row(table, &id(n), 1, &entropy))));
            let updates = writes.into_iter().map(|step| update(vec![step], &entropy)).collect();
            write(bed, &tenant, updates, &entropy).await.unwrap();
        }
    }
    assert_eq!(deviations(&mut *read(bed).await).await.unwrap(), []);
}
