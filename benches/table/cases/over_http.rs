//! Reconciling over HTTP from the lab, against a client that fetches the same pages and drops them, and against what one
//! would write in Python; and on files, against DuckDB.
//!
//! Ours is the connector with the real broker and transport, the digest of each account and its comparison. The lab is
//! a thread of this process and answers all of them; what it needs for a page is in both sides of every ratio, so that
//! one over Python can be no larger than the lab lets it be. Wall time: how the two of them get along on the cores is
//! what is asked. Absent: the pages of groups.

use std::{fs::File, io::Write as _, sync::Arc};

use bailiwick_connector::{
    Connector as _, Line, Listing, Object,
    broker::{HttpLimits, HttpTransport},
};
use bailiwick_connectors::scim::{Scim, decode::page};
use bailiwick_core::{
    index::{Index, Match},
    integration::Purpose,
};
use bailiwick_lab::{Lab, Seed, SeedGroup};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use super::{
    folder,
    reconcile::{Pages, Shown},
};
use crate::{
    Size,
    http::Client,
    laboratory::{faithful, served},
    line::line,
    measure::{Pairs, wall},
    population::{GROUPS, HELD, PAGE, scim_user},
    python::Reconciler,
    row::{Goal, Row, medians},
};

const PAIRS: usize = 5;
/// How many pairs with a program of another language, which takes its time.
const OTHERS: usize = 3;
const SYSTEM: &str = "big";
const USERS: &str = "/big/scim/v2/Users";

/// The case.
pub fn run(size: Size) -> Vec<Row> {
    let accounts = size.of(1_000_000) / PAGE * PAGE;
    vec![from_the_lab(accounts), in_files(accounts)].into_iter().flatten().collect()
}

fn from_the_lab(accounts: usize) -> Vec<Row> {
    let lab = faithful(&[SYSTEM.to_owned()], PAGE);
    filled(&lab, accounts);
    let served = served(lab.router());
    let token = format!("{SYSTEM}-read");
    let mut client = Client::new(&served.address, &token);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut ours = Ours::new(&served.address, &token, accounts);
    ours.learn(&runtime);
    let work = format!("reconcile {accounts} SCIM accounts over HTTP from the lab, nothing changed");
    let pairs =
        Pairs::of(PAIRS, |_| wall(|| fetched(&mut client, accounts)), |_| wall(|| ours.compare(&runtime)));
    let mut rows = vec![
        Row::ratio(
            &work,
            "a client that fetches the same pages and drops them, wall",
            Goal::AtMost(1.4),
            &pairs,
        )
        .with(medians(&pairs, accounts, "an account")),
    ];
    let (against, goal) = ("a reconciler in Python with orjson, wall", Goal::AtLeast(10.0));
    rows.push(match Reconciler::start(&["http", &served.address, &token, USERS, &PAGE.to_string()]) {
        Err(why) => Row::without(work, against, goal, why),
        Ok(mut other) => {
            let theirs = |_| {
                let (seconds, same) = other.compare();
                assert_eq!(same, accounts);
                seconds
            };
            let pairs = Pairs::of(OTHERS, theirs, |_| wall(|| ours.compare(&runtime)));
            Row::ratio(work, against, goal, &pairs).with(medians(&pairs, accounts, "an account"))
        }
    });
    rows
}

/// DuckDB reads one page a line.
fn in_files(accounts: usize) -> Vec<Row> {
    let folder = folder();
    let pages = Pages::write(&folder.path().join("pages"), accounts, false);
    let lines = folder.path().join("lines.json");
    let mut out = File::create(&lines).unwrap();
    pages.each(|bytes| {
        out.write_all(bytes).unwrap();
        out.write_all(b"\n").unwrap();
    });
    drop(out);
    let shown = Shown::new();
    let (mut index, mut scratch) = (Index::with_capacity(accounts), Vec::new());
    pages.each(|bytes| {
        let mut expect = |object: Object<'_>| index.expect(&object.id, &shown.digest(&mut scratch, &object));
        page(bytes, shown.scim.mapping(), &mut expect).unwrap();
    });
    index.seal(GROUPS);
    let work = format!("reconcile {accounts} SCIM accounts, pages on disk, one core");
    let (against, goal) = ("DuckDB on the same pages, all cores, wall", Goal::AtLeast(1.0));
    let mut other = match Reconciler::start(&["duckdb", &lines.display().to_string()]) {
        Err(why) => return vec![Row::without(work, against, goal, why)],
        Ok(other) => other,
    };
    let theirs = |_| {
        let (seconds, same) = other.compare();
        assert_eq!(same, accounts);
        seconds
    };
    let pairs = Pairs::of(OTHERS, theirs, |_| {
        let mut same = 0;
        let seconds = wall(|| {
            pages.each(|bytes| {
                let mut visit = |object: Object<'_>| {
                    let digest = shown.digest(&mut scratch, &object);
                    same += usize::from(index.see(&object.id, &digest) == Match::Same);
                };
                page(bytes, shown.scim.mapping(), &mut visit).unwrap();
            });
        });
        assert_eq!((same, index.unseen()), (accounts, 0));
        seconds
    });
    vec![Row::ratio(work, against, goal, &pairs).with(medians(&pairs, accounts, "an account"))]
}

/// What is done with each account.
type Look<'l> = &'l mut (dyn FnMut(&Shown, &mut Index, &mut Vec<u8>, Object<'_>) + Send);

/// The connector, and what it should be shown.
struct Ours {
    scim: Scim,
    line: Line,
    shown: Shown,
    index: Index,
    scratch: Vec<u8>,
    accounts: usize,
}

impl Ours {
    fn new(address: &str, token: &str, accounts: usize) -> Self {
        let transport = Arc::new(HttpTransport::new(&HttpLimits::default()).unwrap());
        let endpoint = format!("http://{address}/{SYSTEM}");
        Self {
            scim: Scim::new(&json!({ "base": "/scim/v2" })).unwrap(),
            line: line(transport, &endpoint, "/scim/v2", token, Purpose::Verify),
            shown: Shown::new(),
            index: Index::with_capacity(accounts),
            scratch: Vec::new(),
            accounts,
        }
    }

    fn learn(&mut self, runtime: &Runtime) {
        let mut expect = |shown: &Shown, index: &mut Index, scratch: &mut Vec<u8>, object: Object<'_>| {
            index.expect(&object.id, &shown.digest(scratch, &object));
        };
        runtime.block_on(self.each(&mut expect));
        self.index.seal(GROUPS);
    }

    fn compare(&mut self, runtime: &Runtime) {
        let mut same = 0;
        let mut see = |shown: &Shown, index: &mut Index, scratch: &mut Vec<u8>, object: Object<'_>| {
            let digest = shown.digest(scratch, &object);
            same += usize::from(index.see(&object.id, &digest) == Match::Same);
        };
        runtime.block_on(self.each(&mut see));
        assert_eq!((same, self.index.unseen()), (self.accounts, 0));
    }

    async fn each(&mut self, look: Look<'_>) {
        let mut cursor = None::<String>;
        loop {
            let (shown, index, scratch) = (&self.shown, &mut self.index, &mut self.scratch);
            let mut visit = |object: Object<'_>| look(shown, index, scratch, object);
            let listing = Listing::Accounts;
            let page = self
                .scim
                .list(&self.line, listing, cursor.as_deref(), PAGE as u32, &mut visit)
                .await
                .unwrap();
            assert!(page.complete);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return,
            }
        }
    }
}

/// Fetches all pages and looks at none of them.
fn fetched(client: &mut Client, accounts: usize) {
    for first in (0..accounts).step_by(PAGE) {
        client.must(200, "GET", &format!("{USERS}?startIndex={}&count={PAGE}", first + 1), "");
        assert!(client.answer.len() > PAGE * 500);
    }
}

/// Fills the system with the people of the company, each in their groups.
fn filled(lab: &Lab, accounts: usize) {
    let (mut users, mut members) = (Vec::new(), vec![Vec::new(); GROUPS]);
    for n in 0..accounts {
        let mut text = String::new();
        scim_user(&mut text, n, None);
        let mut user: Map<String, Value> = serde_json::from_str(&text).unwrap();
        let id = user["id"].as_str().unwrap().to_owned();
        for place in 0..HELD {
            members[(n * 7 + place * 8) % GROUPS].push(id.clone());
        }
        user.retain(|name, _| !["groups", "meta", "schemas"].contains(&name.as_str()));
        users.push(user);
    }
    let groups = members.into_iter().enumerate().map(|(number, members)| SeedGroup {
        name: format!("Group {number:02}"),
        id: Some(format!("9f8e7d6c-0000-4000-8000-{number:02}")),
        members,
        ..SeedGroup::default()
    });
    lab.seed(SYSTEM, &Seed { users, groups: groups.collect(), ..Seed::default() }).unwrap();
}
