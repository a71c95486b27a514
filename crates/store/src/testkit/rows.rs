//! What the seam says of rows.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
};

use bailiwick_core::id::Tenant;
use tokio::sync::Barrier;

use super::{Bed, Seeded, begin, code, read, row, update, write};
use crate::{Filter, KeyKind, KeyValue, Outline, Outlines, Row, Select, StoreError, Table, Write};

fn conflict(result: crate::Result<()>) -> (&'static str, String) {
    match result {
        Err(StoreError::Conflict { table, id }) => (table, id),
        other => panic!("not a conflict: {other:?}"),
    }
}

/// Every column of every table comes back as it went in, and absence is `None`.
pub async fn a_row_reads_back_as_it_was_written(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(1));
    for table in Table::ALL {
        let full = Row { body: vec![0, 255, b'{'], ..row(table, "full", 1, &entropy) };
        let mut bare = row(table, "bare ☃ 'quoted' \"twice\" $1", 1, &entropy);
        bare.keys.fill(KeyValue::Null);
        bare.body = Vec::new();
        let writes = vec![Write::Insert(table, full.clone()), Write::Insert(table, bare.clone())];
        write(bed, &tenant, vec![update(writes, &entropy)], &entropy).await.unwrap();
        let mut tx = read(bed).await;
        assert_eq!(tx.get(&tenant, table, &full.id).await.unwrap(), Some(full));
        assert_eq!(tx.get(&tenant, table, &bare.id).await.unwrap(), Some(bare));
        assert_eq!(tx.get(&tenant, table, "other").await.unwrap(), None);
    }
}

/// "Fails with `Conflict` when the id … is taken."
pub async fn a_taken_id_is_a_conflict(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(2));
    for table in Table::ALL {
        let insert = || {
            let mut row = row(table, "a", 1, &entropy);
            row.keys.fill(KeyValue::Null);
            vec![update(vec![Write::Insert(table, row)], &entropy)]
        };
        write(bed, &tenant, insert(), &entropy).await.unwrap();
        let refused = write(bed, &tenant, insert(), &entropy).await;
        assert_eq!(conflict(refused), (table.name(), "a".to_owned()));
    }
}

/// "… or a unique key is taken", by an insert or a replacement; NULL excepted.
pub async fn a_taken_unique_key_is_a_conflict(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(3));
    let mut checked = 0;
    for table in Table::ALL {
        let texts = table.keys().iter().enumerate().filter(|(_, (_, kind, _))| *kind == KeyKind::Text);
        for (at, (_, _, unique)) in texts {
            let with = |id: &str, revision, key: KeyValue| {
                let mut row = row(table, &format!("{at}{id}"), revision, &entropy);
                row.keys[at] = key;
                row
            };
            let insert = |id: &str, key| vec![update(vec![Write::Insert(table, with(id, 1, key))], &entropy)];
            let taken = || KeyValue::from("taken");
            write(bed, &tenant, insert("holder", taken()), &entropy).await.unwrap();
            write(bed, &tenant, insert("none", KeyValue::Null), &entropy).await.unwrap();
            write(bed, &tenant, insert("none too", KeyValue::Null), &entropy).await.unwrap();
            let inserted = write(bed, &tenant, insert("late", taken()), &entropy).await;
            let replace = vec![update(vec![Write::Replace(table, with("none", 2, taken()))], &entropy)];
            let replaced = write(bed, &tenant, replace, &entropy).await;
            if *unique {
                checked += 1;
                assert_eq!(conflict(inserted), (table.name(), format!("{at}late")));
                assert_eq!(conflict(replaced), (table.name(), format!("{at}none")));
            } else {
                inserted.unwrap();
                replaced.unwrap();
            }
        }
    }
    assert!(checked >= 6, "an approval's plan, an account's locator and others are unique");
}

/// "Fails with `Conflict` unless `revision - 1` is stored."
pub async fn a_replacement_names_the_revision_it_replaces(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(4));
    let table = Table::Plans;
    let replace =
        |revision| vec![update(vec![Write::Replace(table, row(table, "p", revision, &entropy))], &entropy)];
    assert_eq!(conflict(write(bed, &tenant, replace(2), &entropy).await), ("plans", "p".to_owned()));
    let insert = vec![update(vec![Write::Insert(table, row(table, "p", 1, &entropy))], &entropy)];
    write(bed, &tenant, insert, &entropy).await.unwrap();
    for (revision, expect) in
        [(3, "store-conflict"), (2, "ok"), (2, "store-conflict"), (4, "store-conflict"), (3, "ok")]
    {
        assert_eq!(
            code(write(bed, &tenant, replace(revision), &entropy).await),
            expect,
            "revision {revision}"
        );
    }
    assert_eq!(read(bed).await.get(&tenant, table, "p").await.unwrap().unwrap().revision, 3);
}

/// "Removes the row `id` at `revision`. Fails with `Conflict` unless that revision is stored."
pub async fn a_removal_names_the_revision_it_removes(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(5));
    let table = Table::Cells;
    let insert = || vec![update(vec![Write::Insert(table, row(table, "c", 1, &entropy))], &entropy)];
    let delete = |revision| vec![update(vec![Write::Delete(table, "c".to_owned(), revision)], &entropy)];
    assert_eq!(conflict(write(bed, &tenant, delete(1), &entropy).await), ("cells", "c".to_owned()));
    write(bed, &tenant, insert(), &entropy).await.unwrap();
    assert_eq!(conflict(write(bed, &tenant, delete(2), &entropy).await), ("cells", "c".to_owned()));
    write(bed, &tenant, delete(1), &entropy).await.unwrap();
    assert_eq!(read(bed).await.get(&tenant, table, "c").await.unwrap(), None);
    write(bed, &tenant, insert(), &entropy).await.unwrap();
}

/// One row of many that does not fit is named; the transaction is over and nothing of it is kept.
pub async fn a_conflict_in_a_batch_names_the_row_and_leaves_nothing(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(6));
    let (table, other) = (Table::Accounts, Table::Runs);
    let id = |n: usize| format!("{n:03}");
    let insert = |n: usize| Write::Insert(table, row(table, &id(n), 1, &entropy));
    let first = (0..200).map(|n| update(vec![insert(n)], &entropy)).collect();
    write(bed, &tenant, first, &entropy).await.unwrap();
    let stale = |n: usize| Write::Replace(table, row(table, &id(n), if n == 137 { 3 } else { 2 }, &entropy));
    let taken = |n: usize| insert(if n == 77 { 150 } else { n + 200 });
    let gone = |n: usize| Write::Delete(table, id(n), if n == 42 { 2 } else { 1 });
    let cases: [(&dyn Fn(usize) -> Write, &str); 3] = [(&stale, "137"), (&taken, "150"), (&gone, "042")];
    for (make, expect) in cases {
        let mut tx = begin(bed).await;
        let several = |n: usize| vec![Write::Insert(other, row(other, &id(n), 1, &entropy)), make(n)];
        let updates = (0..200).map(|n| update(several(n), &entropy)).collect();
        assert_eq!(conflict(tx.write(&tenant, updates, &entropy).await), ("accounts", expect.to_owned()));
        assert_eq!(code(tx.get(&tenant, table, "000").await), "store-aborted");
        assert_eq!(code(tx.commit().await), "store-aborted");
    }
    let mut tx = read(bed).await;
    let rows = tx.select(&tenant, Select::from(table)).await.unwrap();
    assert_eq!(rows.len(), 200);
    assert!(rows.iter().all(|row| row.revision == 1));
    assert_eq!(tx.count(&tenant, Select::from(other)).await.unwrap(), 0);
    assert_eq!(tx.entry_counts().await.unwrap(), (0, 200));
}

/// "The order given is kept for the writes of one row."
pub async fn the_writes_of_one_row_keep_their_order(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(7));
    let table = Table::Findings;
    let make = |revision| row(table, "f", revision, &entropy);
    let last = make(2);
    let steps = vec![
        Write::Insert(table, make(1)),
        Write::Replace(table, make(2)),
        Write::Replace(table, make(3)),
        Write::Delete(table, "f".to_owned(), 3),
        Write::Insert(table, make(1)),
        Write::Replace(table, last.clone()),
    ];
    let updates = steps.into_iter().map(|step| update(vec![step], &entropy)).collect();
    write(bed, &tenant, updates, &entropy).await.unwrap();
    let mut tx = read(bed).await;
    assert_eq!(tx.get(&tenant, table, "f").await.unwrap(), Some(last));
    assert_eq!(tx.entry_counts().await.unwrap(), (0, 6));
    drop(tx);
    let wrong = [make(4), make(3)].map(|row| update(vec![Write::Replace(table, row)], &entropy));
    assert_eq!(code(write(bed, &tenant, wrong.into(), &entropy).await), "store-conflict");
}

/// "Between rows [the order] only matters where a unique key passes from one to another."
pub async fn a_unique_key_passes_from_row_to_row_in_one_call(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(8));
    let table = Table::Findings;
    let with = |id: &str, revision, key: Option<&str>| {
        let mut row = row(table, id, revision, &entropy);
        row.keys[0] = key.into();
        row
    };
    let one = |step| update(vec![step], &entropy);
    let start = ["a", "b", "c", "d", "e", "f"].map(|id| one(Write::Insert(table, with(id, 1, Some(id)))));
    write(bed, &tenant, start.into(), &entropy).await.unwrap();
    // a closes, b takes its key, c that of b, a new row that of c; d and e swap over three steps.
    let steps = vec![
        Write::Replace(table, with("a", 2, None)),
        Write::Replace(table, with("b", 2, Some("a"))),
        Write::Replace(table, with("c", 2, Some("b"))),
        Write::Insert(table, with("g", 1, Some("c"))),
        Write::Replace(table, with("d", 2, None)),
        Write::Replace(table, with("e", 2, Some("d"))),
        Write::Replace(table, with("d", 3, Some("e"))),
        Write::Delete(table, "f".to_owned(), 1),
        Write::Insert(table, with("h", 1, Some("f"))),
    ];
    write(bed, &tenant, steps.into_iter().map(one).collect(), &entropy).await.unwrap();
    let rows = read(bed).await.select(&tenant, Select::from(table)).await.unwrap();
    let keys: Vec<String> = rows.iter().map(|row| format!("{}{:?}", row.id, row.keys[0])).collect();
    let expect = [
        ("a", None),
        ("b", Some("a")),
        ("c", Some("b")),
        ("d", Some("e")),
        ("e", Some("d")),
        ("g", Some("c")),
        ("h", Some("f")),
    ];
    assert_eq!(keys, expect.map(|(id, key)| format!("{id}{:?}", KeyValue::from(key))));
}

/// Whatever is written, in calls of whatever length, the store says yes when a map of rows does, and
/// then holds the same.
pub async fn any_writes_agree_with_a_model(bed: &Bed) {
    let tables = [Table::Identities, Table::Plans, Table::Findings];
    for seed in 0..20 {
        let entropy = Seeded::new(seed);
        let tenant = Tenant::new(&format!("t{seed}")).unwrap();
        let mut model: BTreeMap<(Table, String), Row> = BTreeMap::new();
        for call in 0..12 {
            let mut next = model.clone();
            let (mut updates, mut fits) = (Vec::new(), true);
            for _ in 0..1 + entropy.below(40) {
                let table = tables[entropy.below(3) as usize];
                let id = format!("{:02}", entropy.below(30));
                let revision = next.get(&(table, id.clone())).map_or(0, |row| row.revision);
                let astray = i64::from(entropy.below(150) == 0);
                let step = match (revision, entropy.below(4)) {
                    (0, _) if astray == 0 => Write::Insert(table, row(table, &id, 1, &entropy)),
                    (_, 0) => Write::Delete(table, id.clone(), (revision + astray).max(1)),
                    _ => Write::Replace(table, row(table, &id, revision + 1 + astray, &entropy)),
                };
                fits &= astray == 0;
                match &step {
                    Write::Insert(_, row) | Write::Replace(_, row) => next.insert((table, id), row.clone()),
                    Write::Delete(..) => next.remove(&(table, id)),
                };
                updates.push(update(vec![step], &entropy));
            }
            let result = write(bed, &tenant, updates, &entropy).await;
            assert_eq!(code(result), if fits { "ok" } else { "store-conflict" }, "seed {seed}, call {call}");
            if fits {
                model = next;
            }
        }
        let mut tx = read(bed).await;
        for table in tables {
            let stored = tx.select(&tenant, Select::from(table)).await.unwrap();
            let expect: Vec<Row> =
                model.iter().filter(|((t, _), _)| *t == table).map(|(_, row)| row.clone()).collect();
            assert_eq!(stored, expect, "seed {seed}, {}", table.name());
        }
    }
}

/// Each filter finds what its documentation says, and `count` agrees with `select`.
pub async fn a_select_finds_what_its_filters_say(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(9));
    let table = Table::Identities;
    let mut writes = Vec::new();
    for (id, state, due) in [("a", "active", 10), ("b", "active", 20), ("c", "gone", 30), ("d", "gone", 0)] {
        let mut row = row(table, id, 1, &entropy);
        row.keys[1] = state.into();
        row.keys[3] = if due == 0 { KeyValue::Null } else { due.into() };
        writes.push(Write::Insert(table, row));
    }
    write(bed, &tenant, vec![update(writes, &entropy)], &entropy).await.unwrap();
    let text = |text: &str| KeyValue::from(text);
    let int = |number: i64| KeyValue::from(number);
    let many = (0..40_000).map(|n| text(&format!("x{n}"))).chain([text("a"), text("d")]).collect();
    let cases: Vec<(Vec<Filter>, &str)> = vec![
        (vec![], "abcd"),
        (vec![Filter::Is("state", text("active"))], "ab"),
        (vec![Filter::Is("state", text("Active"))], ""),
        (vec![Filter::Is("state", text("' OR 1=1 --"))], ""),
        (vec![Filter::Is("due", KeyValue::Null)], "d"),
        (vec![Filter::Is("due", int(20))], "b"),
        (vec![Filter::AtMost("due", 20)], "ab"),
        (vec![Filter::AtMost("due", 9)], ""),
        (vec![Filter::AtMost("due", i64::MAX)], "abc"),
        (vec![Filter::Above("due", 10)], "bc"),
        (vec![Filter::Above("due", i64::MIN)], "abc"),
        (vec![Filter::Above("due", 30)], ""),
        (vec![Filter::Above("due", 10), Filter::AtMost("due", 20)], "b"),
        (vec![Filter::Starts("state", "act".into())], "ab"),
        (vec![Filter::Starts("state", "active".into())], "ab"),
        (vec![Filter::Starts("state", "activex".into())], ""),
        (vec![Filter::Starts("state", String::new())], "abcd"),
        (vec![Filter::Starts("state", "a%".into())], ""),
        (vec![Filter::Starts("id", "c".into()), Filter::Starts("state", "g".into())], "c"),
        (vec![Filter::In("due", vec![int(30), int(10), int(7)])], "ac"),
        (vec![Filter::In("due", vec![int(30), KeyValue::Null])], "cd"),
        (vec![Filter::In("state", vec![])], ""),
        (vec![Filter::In("id", many)], "ad"),
        (vec![Filter::Is("state", text("gone")), Filter::AtMost("due", 30)], "c"),
        (vec![Filter::Is("state", text("gone")), Filter::In("id", vec![text("a"), text("d")])], "d"),
    ];
    for (filters, expect) in cases {
        let select = Select { filters, ..Select::from(table) };
        let shown = format!("{:.200}", format!("{:?}", select.filters));
        let mut tx = read(bed).await;
        let found = tx.select(&tenant, select.clone()).await.unwrap();
        assert_eq!(found.iter().map(|row| row.id.as_str()).collect::<String>(), expect, "{shown}");
        let count = tx.count(&tenant, select.page(None, 1)).await.unwrap();
        assert_eq!(count, expect.len() as i64, "{shown}");
    }
}

/// Wrong columns, types and revisions, and texts that not every database can hold, are refused.
pub async fn what_no_caller_should_ask_for_is_refused(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(11));
    let table = Table::Identities;
    let filters = [
        Filter::Is("body", "x".into()),
        Filter::Is("state", 1.into()),
        Filter::Is("due", "1".into()),
        Filter::In("due", vec!["1".into()]),
        Filter::AtMost("state", 1),
        Filter::Above("state", 1),
        Filter::Starts("due", "1".into()),
        Filter::Is("1=1 OR state", "x".into()),
        Filter::Is("state", KeyValue::Text("a\0b".to_owned())),
    ];
    for filter in filters {
        let shown = format!("{filter:?}");
        let result = read(bed).await.select(&tenant, Select::from(table).filter(filter)).await;
        assert_eq!(code(result), "store-internal", "{shown}");
    }
    let good = || row(table, "a", 1, &entropy);
    let mut odd_key = good();
    odd_key.keys[3] = "not a number".into();
    let writes = [
        Write::Insert(table, Row { revision: 2, ..good() }),
        Write::Insert(table, Row { revision: 0, ..good() }),
        Write::Insert(table, Row { keys: vec![], ..good() }),
        Write::Insert(table, Row { id: "a\0".to_owned(), ..good() }),
        Write::Insert(table, odd_key),
        Write::Replace(table, Row { revision: 1, ..good() }),
        Write::Delete(table, "a".to_owned(), 0),
    ];
    for refused in writes {
        let shown = format!("{refused:?}");
        let result = write(bed, &tenant, vec![update(vec![refused], &entropy)], &entropy).await;
        assert_eq!(code(result), "store-internal", "{shown}");
    }
    assert_eq!(read(bed).await.entry_counts().await.unwrap(), (0, 0));
}

/// "Dropped without `commit`, it leaves nothing behind", and the next one can begin.
pub async fn a_dropped_transaction_leaves_nothing(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(12));
    let insert =
        || vec![update(vec![Write::Insert(Table::Cases, row(Table::Cases, "c", 1, &entropy))], &entropy)];
    for _ in 0..3 {
        let mut tx = begin(bed).await;
        tx.write(&tenant, insert(), &entropy).await.unwrap();
        assert!(tx.get(&tenant, Table::Cases, "c").await.unwrap().is_some(), "it sees its own writes");
    }
    let mut tx = read(bed).await;
    assert_eq!(tx.get(&tenant, Table::Cases, "c").await.unwrap(), None);
    assert_eq!(tx.entry_counts().await.unwrap(), (0, 0));
    drop(tx);
    write(bed, &tenant, insert(), &entropy).await.unwrap();
}

/// "After a call failed, or its future was dropped, every later call fails with `Aborted`."
pub async fn an_abandoned_call_ends_the_transaction(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(13));
    // So much that it is not done on the thread that asks.
    let much = |n| Row { body: vec![b'x'; 4_096], ..row(Table::Runs, &format!("{n}"), 1, &entropy) };
    let insert = |n| Write::Insert(Table::Runs, much(n));
    let mut tx = begin(bed).await;
    {
        let updates = (0..100).map(|n| update(vec![insert(n)], &entropy)).collect();
        let call = pin!(tx.write(&tenant, updates, &entropy));
        let polled = call.poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled.is_ready(), bed.at_once, "{polled:?}");
    }
    if !bed.at_once {
        assert_eq!(code(tx.entry_counts().await), "store-aborted");
        assert_eq!(code(tx.commit().await), "store-aborted");
    } else {
        drop(tx);
    }
    write(bed, &tenant, vec![update(vec![insert(0)], &entropy)], &entropy).await.unwrap();
    assert_eq!(read(bed).await.entry_counts().await.unwrap(), (0, 1));
}

/// "Sees one state of the database", whatever is committed meanwhile.
pub async fn a_reader_sees_one_state(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Arc::new(Seeded::new(14)));
    let table = Table::Systems;
    let insert = |n: i64| {
        vec![update(vec![Write::Insert(table, row(table, &format!("{n}"), 1, &*entropy))], &*entropy)]
    };
    write(bed, &tenant, insert(0), &*entropy).await.unwrap();
    let mut reader = read(bed).await;
    assert_eq!(reader.count(&tenant, Select::from(table)).await.unwrap(), 1);
    let (updates, store) = (insert(1), Arc::clone(&bed.store));
    let (for_task, chance) = (tenant.clone(), Arc::clone(&entropy));
    let mut writer = tokio::spawn(async move {
        let mut tx = store.begin().await.unwrap();
        tx.write(&for_task, updates, &*chance).await.unwrap();
        tx.commit().await.unwrap();
    });
    if !bed.one_connection {
        (&mut writer).await.unwrap();
    }
    assert_eq!(reader.count(&tenant, Select::from(table)).await.unwrap(), 1);
    assert_eq!(reader.entry_counts().await.unwrap(), (0, 1));
    drop(reader);
    if bed.one_connection {
        writer.await.unwrap();
    }
    assert_eq!(read(bed).await.count(&tenant, Select::from(table)).await.unwrap(), 2);
}

/// "Writing through it fails."
pub async fn a_reader_cannot_write(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(15));
    let insert = vec![update(vec![], &entropy)];
    assert_eq!(code(read(bed).await.write(&tenant, insert, &entropy).await), "store-internal");
    assert_eq!(code(read(bed).await.sequence(1).await), "store-internal");
    assert_eq!(code(read(bed).await.lock("l", "h", 0, 1).await), "store-internal");
    let mut tx = read(bed).await;
    assert_eq!(tx.entry_counts().await.unwrap(), (0, 0));
    tx.commit().await.unwrap();
}

/// "The ids and revisions of all rows of the tables", of this tenant alone.
pub async fn stamps_are_the_ids_and_revisions_of_all_rows(bed: &Bed) {
    let (tenant, other, entropy) = (Tenant::single(), Tenant::new("other").unwrap(), Seeded::new(23));
    let tables = [Table::Systems, Table::Integrations, Table::Policies];
    for (of, ids) in [(&tenant, ["b", "a", "B", "ab"].as_slice()), (&other, &["c"])] {
        let writes = tables[..2]
            .iter()
            .flat_map(|table| ids.iter().map(|id| Write::Insert(*table, row(*table, id, 1, &entropy))))
            .collect();
        write(bed, of, vec![update(writes, &entropy)], &entropy).await.unwrap();
    }
    let replacement = Write::Replace(Table::Systems, row(Table::Systems, "ab", 2, &entropy));
    write(bed, &tenant, vec![update(vec![replacement], &entropy)], &entropy).await.unwrap();
    let removal = Write::Delete(Table::Integrations, "a".to_owned(), 1);
    write(bed, &tenant, vec![update(vec![removal], &entropy)], &entropy).await.unwrap();
    let mut tx = read(bed).await;
    let found = tx.stamps(&tenant, &tables).await.unwrap();
    let mut expect = Vec::new();
    for table in tables {
        let rows = tx.select(&tenant, Select::from(table)).await.unwrap();
        expect.extend(rows.into_iter().map(|row| (row.id, row.revision)));
    }
    assert_eq!(found, expect);
    assert_eq!(found.len(), 7);
    assert_eq!(tx.stamps(&tenant, &[]).await.unwrap(), []);
}

/// "What rows have in key columns, ascending": of this tenant alone, with the revisions of their rows.
pub async fn outlines_are_the_key_columns_of_rows_in_their_order(bed: &Bed) {
    let (tenant, other, entropy) = (Tenant::single(), Tenant::new("other").unwrap(), Seeded::new(24));
    let table = Table::Identities;
    let person = |key: &str, said: KeyValue, revision: i64| {
        let mut row = row(table, &format!("id-{}", key.replace('/', "-")), revision, &entropy);
        (row.keys[0], row.keys[1], row.keys[5]) = (key.into(), "active".into(), said);
        row
    };
    let keys = ["hr/b", "hr/a", "hr/B", "hr", "hrx/a", "hr/\u{10fffe}", "hr/ä", "h/z"];
    let writes = keys.iter().map(|key| Write::Insert(table, person(key, KeyValue::Null, 1))).collect();
    write(bed, &tenant, vec![update(writes, &entropy)], &entropy).await.unwrap();
    let theirs = vec![Write::Insert(table, person("hr/c", "x".into(), 1))];
    write(bed, &other, vec![update(theirs, &entropy)], &entropy).await.unwrap();
    let again = vec![Write::Replace(table, person("hr/a", "was".into(), 2))];
    write(bed, &tenant, vec![update(again, &entropy)], &entropy).await.unwrap();

    let mut tx = read(bed).await;
    let columns = &["said", "source_key", "state", "due"];
    let asked = |after: Option<&str>, limit| Outlines {
        table,
        by: "source_key",
        begins: "hr/".into(),
        after: after.map(str::to_owned),
        columns,
        limit,
    };
    let all = tx.outlines(&tenant, asked(None, 100)).await.unwrap();
    let found: Vec<&KeyValue> = all.iter().map(|outline| &outline.values[1]).collect();
    assert_eq!(found, ["hr/B", "hr/a", "hr/b", "hr/ä", "hr/\u{10fffe}"].map(KeyValue::from).each_ref());
    let values = vec!["was".into(), "hr/a".into(), "active".into(), all[1].values[3].clone()];
    assert_eq!(all[1], Outline { revision: 2, values });
    assert_eq!((all[2].revision, &all[2].values[0]), (1, &KeyValue::Null));
    // Page by page it is the same, wherever a page ends.
    for limit in 1..6 {
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let page = tx.outlines(&tenant, asked(after.as_deref(), limit)).await.unwrap();
            let KeyValue::Text(last) = page.last().map_or(&KeyValue::Null, |last| &last.values[1]) else {
                break;
            };
            after = Some(last.clone());
            paged.extend(page);
        }
        assert_eq!(paged, all);
    }
    let none = Outlines { columns: &[], ..asked(Some("hr/b"), 1) };
    assert_eq!(tx.outlines(&tenant, none).await.unwrap(), [Outline { revision: 1, values: Vec::new() }]);
    let unknown = Outlines { columns: &["body"], ..asked(None, 1) };
    assert_eq!(code(tx.outlines(&tenant, unknown).await), "store-internal");
}

/// Two who replace the same revision at once: one commits, one gets `Conflict`.
pub async fn of_two_writers_of_one_revision_one_wins(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Arc::new(Seeded::new(16)));
    let table = Table::Identities;
    let insert = vec![update(vec![Write::Insert(table, row(table, "i", 1, &*entropy))], &*entropy)];
    write(bed, &tenant, insert, &*entropy).await.unwrap();
    for round in 0..20 {
        let barrier = Arc::new(Barrier::new(2));
        let contend = |_| {
            let (store, barrier) = (Arc::clone(&bed.store), Arc::clone(&barrier));
            let (tenant, entropy) = (tenant.clone(), Arc::clone(&entropy));
            tokio::spawn(async move {
                let seen = store.read().await.unwrap().get(&tenant, table, "i").await.unwrap().unwrap();
                barrier.wait().await;
                let mut tx = store.begin().await?;
                let next = row(table, "i", seen.revision + 1, &*entropy);
                tx.write(&tenant, vec![update(vec![Write::Replace(table, next)], &*entropy)], &*entropy)
                    .await?;
                tx.commit().await
            })
        };
        let [one, other] = [0, 1].map(contend);
        let mut results = [code(one.await.unwrap()), code(other.await.unwrap())];
        results.sort_unstable();
        assert_eq!(results, ["ok", "store-conflict"], "round {round}");
    }
    let mut tx = read(bed).await;
    assert_eq!(tx.get(&tenant, table, "i").await.unwrap().unwrap().revision, 21);
    assert_eq!(tx.entry_counts().await.unwrap(), (0, 21));
}

/// The same ids and keys in two tenants are different rows; both tenants are known.
pub async fn tenants_are_apart_and_are_listed(bed: &Bed) {
    let entropy = Seeded::new(17);
    assert_eq!(read(bed).await.tenants().await.unwrap(), []);
    let tenants = ["a", "b", "c.d-e_f"].map(|name| Tenant::new(name).unwrap());
    for (at, tenant) in tenants.iter().enumerate() {
        // The same unique keys, in one table for the last.
        let tables = if at == 2 { &Table::ALL[15..] } else { &Table::ALL[..] };
        let writes =
            tables.iter().map(|table| Write::Insert(*table, row(*table, "x", 1, &entropy))).collect();
        write(bed, tenant, vec![update(writes, &entropy)], &entropy).await.unwrap();
    }
    let removal = vec![update(vec![Write::Delete(Table::Plans, "x".to_owned(), 1)], &entropy)];
    write(bed, &tenants[0], removal, &entropy).await.unwrap();
    let mut tx = read(bed).await;
    assert_eq!(tx.tenants().await.unwrap(), tenants);
    assert_eq!(tx.get(&tenants[0], Table::Plans, "x").await.unwrap(), None);
    assert!(tx.get(&tenants[1], Table::Plans, "x").await.unwrap().is_some());
    assert_eq!(tx.count(&tenants[1], Select::from(Table::Plans)).await.unwrap(), 1);
}
