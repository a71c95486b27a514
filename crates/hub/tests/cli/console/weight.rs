//! Every page is light: under 100 kB, whatever is on it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use reqwest::{StatusCode, header};

use super::visitor::Visitor;
use crate::world::World;

/// The most that a page may weigh, bytes.
const MOST: usize = 100_000;
/// How many pages of one kind are looked at.
const OF_A_KIND: usize = 6;

/// The kind of a page: its address without what it is about.
fn kind(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap();
    let mut parts = path.split('/').skip(1);
    let first = parts.next().unwrap_or_default();
    format!("/{first}{}", "/_".repeat(parts.count()))
}

#[test]
fn every_page_of_the_company_weighs_less_than_100_kilobytes() {
    let world = World::with_demo();
    let mut visitor = Visitor::of(&world.url());
    visitor.sign_in(&world);
    let mut seen = BTreeSet::from(["/".to_owned()]);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut heaviest = (0, String::new());
    let mut open = VecDeque::from(["/".to_owned()]);
    while let Some(path) = open.pop_front() {
        let (status, headers, page) = visitor.get(&path);
        let html =
            headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.to_str().unwrap().contains("html"));
        if status != StatusCode::OK || !html {
            assert!(!status.is_server_error(), "{path}: {status}");
            continue;
        }
        assert!(page.len() < MOST, "{path} weighs {} bytes", page.len());
        heaviest = heaviest.max((page.len(), path.clone()));
        for link in page.split("href=\"/").skip(1) {
            let link = format!("/{}", link.split(['"', '#']).next().unwrap().replace("&#38;", "&"));
            let of_kind = kinds.entry(kind(&link)).or_default();
            if !link.starts_with("/assets/") && *of_kind < OF_A_KIND && seen.insert(link.clone()) {
                *of_kind += 1;
                open.push_back(link);
            }
        }
    }
    for expected in
        ["/identities/_", "/plans/_", "/cases/_", "/integrations/_", "/systems/_", "/api/_", "/access"]
    {
        assert!(kinds.contains_key(expected), "{expected} is not among {kinds:?}");
    }
    assert!(seen.len() > 60 && heaviest.0 > 10_000, "{} pages, {heaviest:?}", seen.len());
}
