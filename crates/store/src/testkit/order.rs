//! What the seam says of the order in which rows come.

use bailiwick_core::id::Tenant;

use super::{Bed, Seeded, code, read, row, update, write};
use crate::{Filter, Select, Table, Write};

/// "By id ascending", compared by bytes; "only rows whose id is greater", "at most so many".
pub async fn a_select_is_in_order_of_bytes_and_comes_in_pages(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(10));
    let table = Table::Policies;
    let mut ids = ["b", "B", "ä", "a", "_", "Z", "aa", "a b", "10", "9", "é", "a-b", "ab"].map(str::to_owned);
    let writes = ids.iter().map(|id| Write::Insert(table, row(table, id, 1, &entropy))).collect();
    write(bed, &tenant, vec![update(writes, &entropy)], &entropy).await.unwrap();
    ids.sort();
    for size in [1, 2, 5, 13, 100] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let select = Select::from(table).page(after.clone(), size);
            let page = read(bed).await.select(&tenant, select).await.unwrap();
            assert!(page.len() <= size as usize);
            let Some(last) = page.last() else { break };
            after = Some(last.id.clone());
            seen.extend(page.into_iter().map(|row| row.id));
        }
        assert_eq!(seen, ids, "pages of {size}");
    }
}

/// "In order of this column, and of the id only where that is the same", "at most so many".
pub async fn the_first_by_a_column_come_in_its_order(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(12));
    let table = Table::Identities;
    let named = table.keys().iter().position(|(column, ..)| *column == "name").unwrap();
    let insert = |(id, name): (&str, &str)| {
        let mut row = row(table, id, 1, &entropy);
        row.keys[named] = name.into();
        Write::Insert(table, row)
    };
    let names = [("a", "zed"), ("b", "zoë"), ("c", "Zed"), ("d", "zed"), ("e", "ann"), ("f", "z")];
    write(bed, &tenant, vec![update(names.map(insert).into(), &entropy)], &entropy).await.unwrap();
    for (begin, limit, expect) in [("z", 9, "fadb"), ("z", 2, "fa"), ("", 9, "cefadb"), ("y", 9, "")] {
        let select = Select::from(table).filter(Filter::Starts("name", begin.into())).first_by("name", limit);
        let found = read(bed).await.select(&tenant, select).await.unwrap();
        assert_eq!(found.iter().map(|row| row.id.as_str()).collect::<String>(), expect, "{begin} {limit}");
    }
    let unknown = Select::from(table).first_by("body", 1);
    assert_eq!(code(read(bed).await.select(&tenant, unknown).await), "store-internal");
}
