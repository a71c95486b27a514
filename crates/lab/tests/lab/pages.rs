//! Every resource once, whatever the method and the size of the page.

use std::collections::BTreeSet;

use bailiwick_lab::Paging;
use serde_json::{Value, json};

use crate::harness::{Rig, spec};

const USERS: usize = 7;
const MAX: usize = 5;

fn rig(paging: Paging) -> Rig {
    let rig = Rig::new(spec(&[]).paged(paging, MAX));
    for number in 0..USERS {
        rig.create_user(&format!("user-{number}"));
    }
    rig
}

fn all(rig: &Rig) -> BTreeSet<String> {
    rig.truth().users.into_iter().map(|user| user.id).collect()
}

#[test]
fn index_pages_visit_each_once() {
    for paging in [Paging::Index, Paging::Both] {
        for count in [1, 2, MAX, 100] {
            let rig = rig(paging);
            let mut seen = Vec::new();
            loop {
                let path = format!("/scim/v2/Users?startIndex={}&count={count}", seen.len() + 1);
                let page = rig.get(&path);
                assert_eq!(page.body["totalResults"], USERS);
                assert_eq!(page.body["startIndex"], seen.len() + 1);
                let ids = page.ids();
                assert_eq!(page.body["itemsPerPage"], ids.len());
                assert!(ids.len() <= count.min(MAX));
                if ids.is_empty() {
                    break;
                }
                seen.extend(ids);
            }
            assert_eq!(seen.len(), USERS, "count {count}");
            assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), all(&rig));
        }
    }
}

/// Follows cursors from the first page; `between` acts after each page.
fn by_cursor(rig: &Rig, query: &str, between: impl Fn(&Rig)) -> Vec<String> {
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = rig.get(&format!("/scim/v2/Users?cursor={cursor}&{query}"));
        assert_eq!(page.status, 200, "{}", page.body);
        seen.extend(page.ids());
        between(rig);
        match page.body.get("nextCursor") {
            Some(Value::String(next)) => cursor = next.clone(),
            None => return seen,
            Some(other) => panic!("a cursor, not {other}"),
        }
        assert!(cursor.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c)), "{cursor}");
    }
}

#[test]
fn cursor_pages_visit_each_once() {
    for paging in [Paging::Cursor, Paging::Both] {
        for count in [1, 2, MAX, 100] {
            let rig = rig(paging);
            let seen = by_cursor(&rig, &format!("count={count}"), |_| {});
            assert_eq!(seen.len(), USERS, "count {count}");
            assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), all(&rig));
        }
    }
}

#[test]
fn cursors_survive_what_happens_between_pages() {
    let rig = rig(Paging::Cursor);
    let before = all(&rig);
    let seen = by_cursor(&rig, "count=2", |rig| {
        rig.create_user(&format!("late-{}", rig.truth().users.len()));
    });
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), seen.len(), "none twice");
    assert!(before.iter().all(|id| seen.contains(id)), "none missed");
}

#[test]
fn cursor_is_the_default_where_it_is_the_only_one() {
    let page = rig(Paging::Cursor).get("/scim/v2/Users");
    assert!(page.body["nextCursor"].is_string());
    assert!(page.body.get("startIndex").is_none());
}

#[test]
fn a_filter_is_paged_too() {
    let rig = rig(Paging::Cursor);
    let seen = by_cursor(&rig, "count=1&filter=userName%20ge%20%22user-4%22", |_| {});
    assert_eq!(seen.len(), 3);
}

#[test]
fn a_count_of_nothing_gives_the_total() {
    for (paging, count) in
        [(Paging::Index, "0"), (Paging::Index, "-3"), (Paging::Cursor, "0"), (Paging::Both, "0")]
    {
        let page = rig(paging).get(&format!("/scim/v2/Users?count={count}"));
        assert_eq!((&page.body["totalResults"], page.ids().len()), (&json!(USERS), 0));
    }
}

#[test]
fn wrong_pages_are_refused() {
    for (paging, query, scim_type) in [
        (Paging::Index, "count=many", "invalidValue"),
        (Paging::Index, "startIndex=first", "invalidValue"),
        (Paging::Cursor, "cursor=&count=many", "invalidCount"),
        (Paging::Cursor, "cursor=deadbeef", "invalidCursor"),
        (Paging::Cursor, "cursor=1.0000000000000000.x", "invalidCursor"),
        (Paging::Cursor, "cursor=&startIndex=1", "invalidValue"),
    ] {
        let answer = rig(paging).get(&format!("/scim/v2/Users?{query}"));
        assert_eq!(
            (answer.status.as_u16(), answer.body["scimType"].as_str()),
            (400, Some(scim_type)),
            "{query}"
        );
        assert_eq!(answer.body["status"], "400");
    }
}

#[test]
fn a_cursor_belongs_to_its_query_and_expires() {
    let rig = rig(Paging::Cursor);
    let first = rig.get("/scim/v2/Users?count=2");
    let cursor = first.body["nextCursor"].as_str().unwrap().to_owned();
    let other = rig.get(&format!("/scim/v2/Users?count=2&filter=active%20eq%20true&cursor={cursor}"));
    assert_eq!(other.body["scimType"], "invalidCursor");
    let groups = rig.get(&format!("/scim/v2/Groups?count=2&cursor={cursor}"));
    assert_eq!(groups.body["scimType"], "invalidCursor");
    rig.clock.advance(3_600_000);
    assert_eq!(rig.get(&format!("/scim/v2/Users?count=2&cursor={cursor}")).status, 200);
    rig.clock.advance(1);
    let late = rig.get(&format!("/scim/v2/Users?count=2&cursor={cursor}"));
    assert_eq!(late.body["scimType"], "expiredCursor");
}

#[test]
fn an_index_server_ignores_cursors() {
    let page = rig(Paging::Index).get("/scim/v2/Users?cursor=&count=2");
    assert_eq!((page.ids().len(), page.body.get("nextCursor")), (2, None));
}

#[test]
fn the_configuration_says_how() {
    for (paging, cursor, index, default) in [
        (Paging::Index, false, true, "index"),
        (Paging::Cursor, true, false, "cursor"),
        (Paging::Both, true, true, "index"),
    ] {
        let config = rig(paging).get("/scim/v2/ServiceProviderConfig").body;
        let pagination = &config["pagination"];
        assert_eq!(pagination["cursor"], cursor);
        assert_eq!(pagination["index"], index);
        assert_eq!(pagination["defaultPaginationMethod"], default);
        assert_eq!(pagination["maxPageSize"], MAX);
    }
}
