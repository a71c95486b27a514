//! Listing a directory through the connector, with the digest of each account and its comparison, against
//! `ldapsearch` paging the same tree to nowhere.
//!
//! One slapd, wall time, pairs interleaved, both with pages of the same size and the same attributes. The
//! comparison is the engine's: the digest of what is shown, the index of what is expected. Also printed: how
//! much of this process is resident above what it was before, and what the connector takes of the processor.
//! Goal: at most 1.3 × `ldapsearch`, in bounded memory.
//!
//! `cargo bench -p bailiwick-connectors --bench ldap [-- ENTRIES]`

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/support/ldap_bench.rs"]
mod ldap_bench;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/support/slapd.rs"]
mod slapd;

use std::{
    fs,
    process::{Command, Stdio},
};

use bailiwick_connector::{Connector, Line, Listing, Object, ObjectState, ObjectValue, testkit::Subject};
use bailiwick_core::{
    account::StateDigest,
    digest::Digest,
    index::{Index, Match},
};
use ldap_bench::{Bench, HUB, SECRET, account, settings};
use slapd::{Setup, Slapd, ldif};

const PAIRS: usize = 7;
const PAGE: u32 = 500;
const NAMES: [&str; 5] = ["department", "displayName", "email", "title", "userName"];

fn main() {
    let entries: usize = std::env::args().filter_map(|a| a.parse().ok()).next().unwrap_or(100_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tree = Slapd::with(Setup::default(), &(0..entries).map(person).collect::<String>());
    let url = format!("ldap://127.0.0.1:{}", tree.port);
    let bench = Bench::new(tree, &settings(true), true);
    let line = bench.line();
    let mut index = Index::with_capacity(entries);
    let mut scratch = Vec::new();
    let first = runtime.block_on(list(&bench, &line, &mut |object| {
        index.expect(&object.id, &digest_of(&mut scratch, &object));
    }));
    assert_eq!(first, entries);
    index.seal(0);
    let attributes = asked(&runtime, &bench, &line);
    search(&url, &attributes, entries);
    let before = resident();
    let (mut ratios, mut floors, mut lists, mut cpus, mut grown) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), 0);
    for _ in 0..PAIRS {
        let floor = seconds(|| search(&url, &attributes, entries));
        let mut same = 0;
        let cpu = cpu();
        let listed = seconds(|| {
            let shown = runtime.block_on(list(&bench, &line, &mut |object| {
                let digest = digest_of(&mut scratch, &object);
                same += usize::from(index.see(&object.id, &digest) == Match::Same);
            }));
            assert_eq!(shown, entries);
        });
        assert_eq!((same, index.unseen()), (entries, 0));
        cpus.push((self::cpu() - cpu) * 1e6 / entries as f64);
        ratios.push(listed / floor);
        floors.push(entries as f64 / floor);
        lists.push(entries as f64 / listed);
        grown = grown.max(resident().saturating_sub(before));
    }
    println!("ldap, {entries} entries, pages of {PAGE}, {PAIRS} pairs");
    println!("  ldapsearch  min / median / max  {} entries a second", spread(floors));
    println!("  connector   min / median / max  {} entries a second", spread(lists));
    println!(
        "  processor   min / median / max  {} us an entry in the connector and the comparison",
        spread(cpus)
    );
    println!("  ratio       min / median / max  {} (goal: at most 1.3)", spread(ratios));
    println!(
        "  memory      {} bytes an entry in the index, {} KiB more resident while listing",
        index.bytes() / entries,
        grown / 1024
    );
}

fn person(n: usize) -> String {
    let mut raw = account(&format!("person{n:06}"));
    for (name, value) in [
        ("displayName", format!("Given{n} Family{n}")),
        ("givenName", format!("Given{n}")),
        ("mail", format!("person{n}@acme.example")),
        ("title", format!("Engineer {}", n % 7)),
        ("departmentNumber", format!("Department {}", n % 13)),
        ("employeeNumber", format!("hr/{n}")),
        ("telephoneNumber", format!("+49 30 {n:07}")),
        ("description", format!("A person of the tests, number {n} of many")),
    ] {
        raw = raw.with(name, value.as_bytes());
    }
    ldif(&raw)
}

async fn list(bench: &Bench<Slapd>, line: &Line, look: &mut (dyn FnMut(Object<'_>) + Send)) -> usize {
    let (mut shown, mut cursor) = (0, None::<String>);
    loop {
        let mut visit = |object: Object<'_>| {
            shown += 1;
            look(object);
        };
        let page =
            bench.ldap().list(line, Listing::Accounts, cursor.as_deref(), PAGE, &mut visit).await.unwrap();
        assert!(page.complete);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return shown,
        }
    }
}

/// What the connector asks for, so that both ask for the same.
fn asked(runtime: &tokio::runtime::Runtime, bench: &Bench<Slapd>, line: &Line) -> Vec<String> {
    runtime.block_on(bench.ldap().check(line)).unwrap();
    bench.seen.attributes.lock().unwrap().clone()
}

/// Pages through the tree with `ldapsearch`, and throws everything away.
fn search(url: &str, attributes: &[String], entries: usize) {
    let page = format!("pr={PAGE}/noprompt");
    let status = Command::new("ldapsearch")
        .args(["-x", "-H", url, "-D", HUB, "-w", SECRET, "-LLL", "-o", "ldif-wrap=no", "-E", &page])
        .args(["-b", "ou=people,dc=acme,dc=example", "(objectClass=inetOrgPerson)"])
        .args(attributes)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().success() && entries > 0);
}

fn digest_of(scratch: &mut Vec<u8>, object: &Object<'_>) -> Digest {
    let mut digest = StateDigest::new(scratch, object.state == ObjectState::Live);
    for name in NAMES {
        match object.attribute(name) {
            Some(ObjectValue::Text(text)) => {
                digest.attribute(name);
                digest.text(text);
            }
            Some(other) => panic!("{name} is {other:?}"),
            None => {}
        }
    }
    digest.finish()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn seconds(work: impl FnOnce()) -> f64 {
    let start = std::time::Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// CPU seconds of this thread.
fn cpu() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// Resident bytes of this process.
fn resident() -> usize {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    format!("{:.2} / {:.2} / {:.2}", values[0], values[values.len() / 2], values[values.len() - 1])
}
