//! What is said of values that are read part by part.

use bailiwick_core::{id::Tenant, policy::PolicyFile};

use super::{Bed, Seeded, begin, update};
use crate::{Pages, Select, Table, Tx, Update};

fn file(path: &str) -> PolicyFile {
    PolicyFile { path: path.into(), text: format!("// {path}") }
}

async fn parts(tx: &mut dyn Tx, size: u32) -> Vec<Vec<String>> {
    let mut pages = Pages::<PolicyFile>::of(Select::from(Table::Policies), size);
    let mut seen = Vec::new();
    while let Some(part) = pages.next(tx, &Tenant::single()).await.unwrap() {
        seen.push(part.into_iter().map(|stored| stored.value.path).collect());
    }
    assert!(pages.next(tx, &Tenant::single()).await.unwrap().is_none(), "what is over stays over");
    seen
}

/// "Part by part and ascending by id"; no part is empty, however the size divides what there is.
pub async fn parts_come_one_after_the_other_and_none_is_empty(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(71));
    let mut tx = begin(bed).await;
    assert!(parts(&mut *tx, 2).await.is_empty());
    let made = ["d", "a", "c", "b"].map(file);
    let all = made.iter().fold(update(Vec::new(), &entropy), |all, one| all.insert(one, &entropy));
    tx.write(&tenant, vec![all], &entropy).await.unwrap();
    for (size, expect) in [
        (1, vec![vec!["a"], vec!["b"], vec!["c"], vec!["d"]]),
        (2, vec![vec!["a", "b"], vec!["c", "d"]]),
        (3, vec![vec!["a", "b", "c"], vec!["d"]]),
        (9, vec![vec!["a", "b", "c", "d"]]),
    ] {
        assert_eq!(parts(&mut *tx, size).await, expect, "parts of {size}");
    }
}

/// "What was replaced or deleted since the one before is seen as it is now."
pub async fn parts_show_what_is_there_when_they_are_read(bed: &Bed) {
    let (tenant, entropy) = (Tenant::single(), Seeded::new(72));
    let mut tx = begin(bed).await;
    let write =
        async |tx: &mut dyn Tx, update: Update| tx.write(&tenant, vec![update], &entropy).await.unwrap();
    let made = ["a", "b", "c", "d"].map(file);
    let all = made.iter().fold(update(Vec::new(), &entropy), |all, one| all.insert(one, &entropy));
    write(&mut *tx, all).await;
    let mut pages = Pages::<PolicyFile>::of(Select::from(Table::Policies), 2);
    assert_eq!(pages.next(&mut *tx, &tenant).await.unwrap().map(|part| part.len()), Some(2));
    let changed = PolicyFile { text: "// otherwise".into(), ..file("d") };
    let later = update(Vec::new(), &entropy)
        .delete::<PolicyFile>("b", 1)
        .delete::<PolicyFile>("c", 1)
        .replace(&changed, 1, &entropy);
    write(&mut *tx, later).await;
    let rest = pages.next(&mut *tx, &tenant).await.unwrap().unwrap();
    assert_eq!(rest.iter().map(|stored| &stored.value).collect::<Vec<_>>(), [&changed]);
    assert!(pages.next(&mut *tx, &tenant).await.unwrap().is_none());
}
