//! What news of a directory costs, as the server sends it: ten changes in a thousand entries and in a hundred
//! thousand. Against a real server, OpenLDAP.

#![allow(clippy::unwrap_used, reason = "a test")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/ldap_bench.rs"]
mod ldap_bench;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "support/slapd.rs"]
mod slapd;

use std::{fmt::Write as _, sync::atomic::Ordering::SeqCst};

use bailiwick_connector::{Connector, Listing, News, Since};
use ldap_bench::{Bench, HUB, SECRET, account, settings};
use slapd::{Setup, Slapd, ldif};

const SMALL: usize = 1_000;
const LARGE: usize = 100_000;
/// What the id of an entry that is as it was takes in an answer: sixteen bytes and what stands before them.
const ID: u64 = 18;

#[derive(Debug, PartialEq, Eq)]
struct Told {
    shown: usize,
    same: usize,
    gone: usize,
    rest_is_gone: bool,
    /// Entries and bytes that came.
    entries: u64,
    bytes: u64,
}

fn tree(setup: Setup<'_>, size: usize) -> Bench<Slapd> {
    let entries: String = (0..size).map(|n| ldif(&account(&format!("u{n:06}")))).collect();
    Bench::new(Slapd::with(setup, &entries), &settings(true), true)
}

async fn ask(bench: &Bench<Slapd>, since: Option<&str>) -> (Told, Since) {
    let (before, bytes) = (bench.seen.entries.load(SeqCst), bench.seen.bytes.load(SeqCst));
    let (mut shown, mut same, mut gone) = (0, 0, 0);
    let mut count = |news: News<'_>| match news {
        News::Shown(_) => shown += 1,
        News::Same(_) => same += 1,
        News::Gone(_) => gone += 1,
    };
    // Each time a line of its own: a restart ends connections.
    let line = bench.line_as(HUB, SECRET);
    let after = bench.ldap().changes(&line, Listing::Accounts, since, &mut count).await.unwrap();
    assert!(after.complete);
    let told = Told {
        shown,
        same,
        gone,
        rest_is_gone: after.rest_is_gone,
        entries: bench.seen.entries.load(SeqCst) - before,
        bytes: bench.seen.bytes.load(SeqCst) - bytes,
    };
    (told, after)
}

/// Changes nine entries from a place on, and deletes one.
fn change(bench: &Bench<Slapd>, from: usize) {
    let mut edits = String::new();
    for n in from..from + 9 {
        let dn = format!("uid=u{n:06},ou=people,dc=acme,dc=example");
        write!(edits, "dn: {dn}\nchangetype: modify\nreplace: title\ntitle: x\n\n").unwrap();
    }
    writeln!(edits, "dn: uid=u{:06},ou=people,dc=acme,dc=example\nchangetype: delete", from + 9).unwrap();
    bench.tree.tool("ldapmodify", &[], &edits).unwrap();
}

/// News of ten changes, of this many entries.
async fn ten(bench: &Bench<Slapd>, size: usize) -> Told {
    let (all, since) = ask(bench, None).await;
    assert_eq!((all.shown, all.rest_is_gone), (size, true));
    change(bench, 0);
    ask(bench, Some(&since.next)).await.0
}

fn is_by_what_changed(told: &Told) {
    let Told { shown, same, gone, rest_is_gone, .. } = *told;
    assert_eq!((shown, same, gone, rest_is_gone), (9, 0, 1, false), "{told:?}");
}

/// Everything that is as it was is named.
fn is_by_what_there_is(told: &Told, size: usize) {
    let Told { shown, same, gone, rest_is_gone, .. } = *told;
    // What was changed is named as present too (RFC 4533 §3.3.1).
    assert_eq!((shown, same, gone, rest_is_gone), (9, size - 1, 0, true), "{told:?}");
}

#[tokio::test]
async fn with_a_session_log_news_costs_what_changed_and_not_what_there_is() {
    for from_access_log in [false, true] {
        let mut costs = Vec::new();
        for size in [SMALL, LARGE] {
            let bench = tree(Setup { from_access_log, ..Setup::default() }, size);
            // A log knows only what was after it began.
            touch(&bench);
            let told = ten(&bench, size).await;
            is_by_what_changed(&told);
            costs.push(told);
        }
        assert_eq!(costs[0], costs[1], "from the access log: {from_access_log}");
    }
}

#[tokio::test]
async fn without_a_session_log_news_costs_the_ids_of_all_that_is_as_it_was() {
    let mut costs = Vec::new();
    for size in [SMALL, LARGE] {
        let told = ten(&tree(Setup { session_log: false, ..Setup::default() }, size), size).await;
        is_by_what_there_is(&told, size);
        costs.push(told);
    }
    assert_eq!(costs[0].entries, costs[1].entries);
    let (more, ids) = (costs[1].bytes - costs[0].bytes, (LARGE - SMALL) as u64 * ID);
    assert!((ids..ids * 11 / 10).contains(&more), "{more} bytes more for {ids} bytes of ids");
}

/// One change that nobody listens to.
fn touch(bench: &Bench<Slapd>) {
    let hub = "dn: cn=hub,dc=acme,dc=example\nchangetype: modify\nreplace: description\ndescription: x\n";
    bench.tree.tool("ldapmodify", &[], hub).unwrap();
}

#[tokio::test]
async fn a_session_log_from_the_access_log_outlives_a_restart() {
    let mut costs = Vec::new();
    for size in [SMALL, LARGE] {
        let mut bench = tree(Setup { from_access_log: true, ..Setup::default() }, size);
        touch(&bench);
        let (_, mut since) = ask(&bench, None).await;
        let mut of_this_size = Vec::new();
        // What was changed before the restart, ended by its administrator and by the kernel.
        for (at, gently) in [(0, true), (10, false)] {
            change(&bench, at);
            bench.tree.restart(gently);
            // Ended by the kernel, it says nothing of what it took since it last noted where it stood, until
            // something is written.
            if !gently {
                touch(&bench);
            }
            let (told, after) = ask(&bench, Some(&since.next)).await;
            is_by_what_changed(&told);
            of_this_size.push(told);
            since = after;
        }
        let (nothing, _) = ask(&bench, Some(&since.next)).await;
        assert_eq!((nothing.shown, nothing.same, nothing.gone), (0, 0, 0));
        costs.push(of_this_size);
    }
    assert_eq!(costs[0], costs[1]);
}

#[tokio::test]
async fn what_no_log_reaches_back_to_is_told_by_naming_all() {
    // One in memory begins with the server.
    let mut bench = tree(Setup::default(), SMALL);
    touch(&bench);
    let (_, since) = ask(&bench, None).await;
    change(&bench, 0);
    bench.tree.restart(true);
    is_by_what_there_is(&ask(&bench, Some(&since.next)).await.0, SMALL);
    // One from the access log begins with its first change.
    let bench = tree(Setup { from_access_log: true, ..Setup::default() }, SMALL);
    is_by_what_there_is(&ten(&bench, SMALL).await, SMALL);
}
