//! Listing a directory through the connector, with the digest of each account and its comparison, against
//! `ldapsearch` paging the same tree to nowhere.
//!
//! One slapd, wall time, both with pages of the same size and the same attributes. The comparison is the engine's: the
//! digest of what is shown, the index of what is expected. Also said: what the connector takes of the processor. A row of
//! its own: how much of this process is resident above what it was before. Then news: ten changes of this tree against
//! ten of one of a thousand entries, which should take the same, because what is sent is the same.

use std::{
    fmt::Write as _,
    process::{Command, Stdio},
};

use bailiwick_connector::{
    Connector, Line, Listing, News, Object, ObjectState, ObjectValue, testkit::Subject as _,
};
use bailiwick_core::{
    account::StateDigest,
    digest::Digest,
    index::{Index, Match},
};

use crate::{
    Size,
    ldap_bench::{Bench, HUB, SECRET, account, settings},
    measure::{Pairs, Process, Spread, cpu, wall},
    population::directory_entry,
    row::{Goal, Row, medians, time},
    slapd::{Setup, Slapd, ldif},
};

const PAIRS: usize = 7;
const PAGE: u32 = 500;
/// The entries of the tree that news of a large one is compared with, and the changes of each run.
const SMALL: usize = 1_000;
const CHANGES: usize = 10;
const NAMES: [&str; 5] = ["department", "displayName", "email", "title", "userName"];

/// The case.
pub fn run(size: Size) -> Vec<Row> {
    let entries = size.of(1_000_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bench = bench(entries);
    let url = format!("ldap://127.0.0.1:{}", bench.tree.port);
    let line = bench.line();
    let mut index = Index::with_capacity(entries);
    let mut scratch = Vec::new();
    let first = runtime.block_on(list(&bench, &line, &mut |object| {
        index.expect(&object.id, &digest_of(&mut scratch, &object));
    }));
    assert_eq!(first, entries);
    index.seal(0);
    let attributes = asked(&runtime, &bench, &line);
    search(&url, &attributes);
    let before = Process::ME.resident();
    let mut processor = Vec::new();
    let pairs = Pairs::of(
        PAIRS,
        |_| wall(|| search(&url, &attributes)),
        |_| {
            let (mut same, mut listed) = (0, 0.0);
            processor.push(cpu(|| {
                listed = wall(|| {
                    let shown = runtime.block_on(list(&bench, &line, &mut |object| {
                        let digest = digest_of(&mut scratch, &object);
                        same += usize::from(index.see(&object.id, &digest) == Match::Same);
                    }));
                    assert_eq!(shown, entries);
                });
            }));
            assert_eq!((same, index.unseen()), (entries, 0));
            listed
        },
    );
    let grown = Process::ME.highest().saturating_sub(before);
    let work = format!("reconcile an LDAP tree of {entries} entries, nothing changed, pages of {PAGE}");
    let against = "`ldapsearch` paging the same tree to nowhere, wall";
    let listed = Row::ratio(work.as_str(), against, Goal::AtMost(1.2), &pairs).with(format!(
        "{}, of it {} of the connector's processor; {} B each in the index",
        medians(&pairs, entries, "an entry"),
        time(Spread::of(processor).median / entries as f64),
        index.bytes() / entries,
    ));
    let memory = Spread::one(grown as f64 / f64::from(1 << 20));
    let memory = Row::value(
        format!("memory to {work}"),
        "what is resident before, the index with it",
        Goal::AtMost(16.0),
        "MiB",
        memory,
    );
    vec![listed, memory, news(&runtime, &bench, entries)]
}

/// A directory of so many people.
fn bench(entries: usize) -> Bench<Slapd> {
    let tree = Slapd::with(Setup::default(), &(0..entries).map(person).collect::<String>());
    Bench::new(tree, &settings(true), true)
}

/// What news of a few changes takes, in a large tree against a small one.
fn news(runtime: &tokio::runtime::Runtime, large: &Bench<Slapd>, entries: usize) -> Row {
    let small = bench(SMALL.min(entries));
    let mut tokens = [&small, large].map(|bench| runtime.block_on(hear(bench, None)).1);
    let [floor, ours] = &mut tokens;
    let run = |bench: &Bench<Slapd>, token: &mut String, pair: usize| {
        edit(bench, pair);
        let (mut shown, mut next) = (0, String::new());
        let took = wall(|| (shown, next) = runtime.block_on(hear(bench, Some(token))));
        assert_eq!(shown, CHANGES);
        *token = next;
        took
    };
    // The first one after a while is slower on either.
    run(&small, floor, PAIRS);
    run(large, ours, PAIRS);
    let pairs = Pairs::of(PAIRS, |pair| run(&small, floor, pair), |pair| run(large, ours, pair));
    let work = format!("news of {CHANGES} changes in an LDAP tree of {entries} entries");
    let against = format!("the same in a tree of {SMALL}, wall");
    Row::ratio(work, against, Goal::AtMost(1.3), &pairs).with(medians(&pairs, 1, "a run"))
}

/// How many are shown, and where the next news begins.
async fn hear(bench: &Bench<Slapd>, since: Option<&str>) -> (usize, String) {
    let mut shown = 0;
    let mut count = |news: News<'_>| shown += usize::from(matches!(news, News::Shown(_)));
    let since = bench.ldap().changes(&bench.line(), Listing::Accounts, since, &mut count).await.unwrap();
    assert!(since.complete);
    (shown, since.next)
}

/// Changes a few entries, the same in every tree.
fn edit(bench: &Bench<Slapd>, pair: usize) {
    let mut edits = String::new();
    for n in 0..CHANGES {
        let dn = format!("uid=person{n:06},ou=people,dc=acme,dc=example");
        write!(edits, "dn: {dn}\nchangetype: modify\nreplace: title\ntitle: {pair}\n\n").unwrap();
    }
    bench.tree.tool("ldapmodify", &[], &edits).unwrap();
}

fn person(n: usize) -> String {
    let mut raw = account(&format!("person{n:06}"));
    for (name, value) in directory_entry(n) {
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
fn search(url: &str, attributes: &[String]) {
    let page = format!("pr={PAGE}/noprompt");
    let status = Command::new("ldapsearch")
        .args(["-x", "-H", url, "-D", HUB, "-w", SECRET, "-LLL", "-o", "ldif-wrap=no", "-E", &page])
        .args(["-b", "ou=people,dc=acme,dc=example", "(objectClass=inetOrgPerson)"])
        .args(attributes)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().success());
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
