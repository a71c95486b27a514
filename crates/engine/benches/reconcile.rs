//! Reconciling unchanged SCIM accounts against only parsing the same pages into the same types.
//!
//! One process, one thread, pages on disk, pairs interleaved, CPU time of the thread. The comparison is
//! the engine's: the digest of what is shown, the index of what is expected. What it does not contain:
//! the pages of groups. Goal: at most 1.6 × the parse, at most 100 bytes an account.
//!
//! Then the index of 100,000 accounts is loaded from a SQLite file: how long that takes, and how much memory it
//! needs at its height beside holding all rows at once.
//!
//! `cargo bench -p bailiwick-engine --bench reconcile [-- ACCOUNTS]`

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run should stop")]
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

#[path = "../tests/world/mod.rs"]
mod world;

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{BufWriter, Read as _, Write as _},
    path::Path,
};

use bailiwick_connector::{Object, ObjectState};
use bailiwick_connectors::scim::{
    Scim,
    decode::{page, parse_page},
};
use bailiwick_core::{
    account::{Account, AccountState},
    id::{AccountId, EntitlementName, SystemName, Tenant},
    index::{Index, Match},
    record::{Actor, Record, RecordKind},
    time::Timestamp,
};
use bailiwick_engine::shown_digest;
use bailiwick_store::{Filter, Select, Table, Update};
use world::World;

const PAIRS: usize = 5;
const PAGE: usize = 200;
const GROUPS: usize = 40;

fn main() {
    let accounts: usize =
        std::env::args().filter_map(|a| a.parse().ok()).next().unwrap_or(1_000_000) / PAGE * PAGE;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = folder.path().join("pages");
    let pages = write_pages(&file, accounts);
    let scim = Scim::new(&serde_json::json!({})).unwrap();
    let names: Vec<String> = ["displayName", "userName"].map(str::to_owned).to_vec();
    let entitlements: Vec<EntitlementName> =
        (0..GROUPS).map(|g| EntitlementName::new(&format!("big/group-{g:02}")).unwrap()).collect();

    let digest_of = |scratch: &mut Vec<u8>, object: &Object<'_>| {
        let number = |id: &str| -> u32 { id[id.len() - 2..].parse().unwrap() };
        let mask = object.links.iter().fold(0_u64, |mask, id| mask | 1 << number(id));
        let held = (0..GROUPS).filter(|n| mask & (1 << n) != 0).map(|n| &entitlements[n]);
        shown_digest(scratch, object, names.iter(), held)
    };
    let mut scratch = Vec::new();
    let before = resident();
    let mut index = Index::with_capacity(accounts);
    each_page(&file, &pages, |bytes| {
        page(bytes, scim.mapping(), &mut |object| {
            index.expect(&object.id, &digest_of(&mut scratch, &object))
        })
        .unwrap();
    });
    index.seal(GROUPS);
    let grown = resident().saturating_sub(before);

    let (mut ratios, mut parses, mut compares) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let mut live = 0;
        let parse = cpu(|| {
            each_page(&file, &pages, |bytes| {
                let typed = parse_page(bytes).unwrap();
                live += std::hint::black_box(&typed).resources.as_ref().map_or(0, Vec::len);
            });
        });
        assert_eq!(live, accounts);
        let (mut same, mut active) = (0, 0);
        let compare = cpu(|| {
            each_page(&file, &pages, |bytes| {
                let mut visit = |object: Object<'_>| {
                    active += usize::from(object.state == ObjectState::Live);
                    same +=
                        usize::from(index.see(&object.id, &digest_of(&mut scratch, &object)) == Match::Same);
                };
                page(bytes, scim.mapping(), &mut visit).unwrap();
            });
        });
        assert_eq!((same, active, index.unseen()), (accounts, accounts, 0));
        ratios.push(compare / parse);
        parses.push(parse * 1e6 / accounts as f64);
        compares.push(compare * 1e6 / accounts as f64);
    }
    let bytes = fs::metadata(&file).unwrap().len() as usize / accounts;
    println!("reconcile, {accounts} unchanged SCIM accounts of {bytes} bytes, 5 groups each, {PAIRS} pairs");
    println!("  parse      min / median / max  {} us an account", spread(parses));
    println!("  reconcile  min / median / max  {} us an account", spread(compares));
    println!("  ratio      min / median / max  {} (goal: at most 1.6)", spread(ratios));
    println!(
        "  memory     {} bytes an account in the index, {} resident above the base (goal: at most 100)",
        index.bytes() / accounts,
        grown / accounts
    );
    tokio::runtime::Runtime::new().unwrap().block_on(load(&folder));
}

/// How many accounts the store holds.
const STORED: usize = 100_000;

/// Loads the index from the store, page by page, and then, to compare, all rows at once.
async fn load(folder: &tempfile::TempDir) {
    let file = folder.path().join("hub.db");
    let store = bailiwick_store::open(&file.display().to_string()).await.unwrap();
    let world = World::on(store, 1, &[("chat", &[])]).await;
    world.configure().await;
    let system = SystemName::new("chat").unwrap();
    let groups = ["admins", "engineering", "everyone", "finance"];
    let numbered: Vec<EntitlementName> =
        groups.iter().map(|name| EntitlementName::new(&format!("chat/{name}")).unwrap()).collect();
    for first in (0..STORED).step_by(1_000) {
        let updates = (first..first + 1_000).map(|n| stored(&world, &system, n, &numbered)).collect();
        let mut tx = world.store.begin().await.unwrap();
        tx.write(&Tenant::single(), updates, &*world.dice).await.unwrap();
        tx.commit().await.unwrap();
    }
    let before = resident();
    let watch = std::time::Instant::now();
    let index = world.engine.expected(&system, &numbered).await.unwrap();
    let (took, paged) = (watch.elapsed(), highest().saturating_sub(before));
    assert_eq!(index.unseen(), STORED);
    let mut tx = world.store.read().await.unwrap();
    let mine = Select::from(Table::Accounts).filter(Filter::Is("system", system.as_str().into()));
    let before = resident();
    let rows = tx.select(&Tenant::single(), mine).await.unwrap();
    let whole = resident().saturating_sub(before);
    assert_eq!(rows.len(), STORED);
    println!(
        "loading {STORED} accounts into the index: {:.2} s, {:.1} us each; {} bytes an account in the index",
        took.as_secs_f64(),
        took.as_secs_f64() * 1e6 / STORED as f64,
        index.bytes() / STORED
    );
    println!(
        "  memory     page by page {} bytes an account at its height, all rows at once {}",
        paged / STORED,
        whole / STORED
    );
}

/// An account as the hub knows it.
fn stored(world: &World, system: &SystemName, n: usize, groups: &[EntitlementName]) -> Update {
    let now = Timestamp::from_millisecond(world::BEGIN).unwrap();
    let state = AccountState {
        active: true,
        attributes: [
            ("displayName".to_owned(), format!("Given{n} Family{n}").as_str().into()),
            ("userName".to_owned(), format!("person{n}@example.test").as_str().into()),
        ]
        .into(),
        entitlements: groups.iter().skip(n % 3).cloned().collect(),
    };
    let account = Account {
        for_key: None,
        id: AccountId::new(now, &*world.dice),
        system: system.clone(),
        external_id: format!("9f8e7d6c-0000-4000-8000-{n:012}"),
        username: format!("person{n}@example.test"),
        identity: None,
        applied: Some(state.clone()),
        state,
        seen: now,
    };
    let record = Record::new(RecordKind::Observed, now, Actor::Hub("bench".into()), &*world.dice);
    Update::new(record).insert(&account, &*world.dice)
}

/// Writes the pages one after the other; gives their lengths.
fn write_pages(file: &Path, accounts: usize) -> Vec<usize> {
    let mut out = BufWriter::new(File::create(file).unwrap());
    let mut lengths = Vec::new();
    for first in (0..accounts).step_by(PAGE) {
        let mut text = String::from(
            r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":"#,
        );
        write!(text, "{accounts},\"startIndex\":{},\"itemsPerPage\":{PAGE},\"Resources\":[", first + 1)
            .unwrap();
        for n in first..first + PAGE {
            if n > first {
                text.push(',');
            }
            user(&mut text, n);
        }
        text.push_str("]}");
        out.write_all(text.as_bytes()).unwrap();
        lengths.push(text.len());
    }
    out.flush().unwrap();
    lengths
}

fn user(text: &mut String, n: usize) {
    let id = format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        n.wrapping_mul(2_654_435_761) & 0xffff_ffff,
        n & 0xffff,
        n % 4096,
        n % 4095,
        n
    );
    write!(
        text,
        r#"{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"id":"{id}","externalId":"hr/{n}","userName":"person{n}@example.test","name":{{"formatted":"Given{n} Family{n}","familyName":"Family{n}","givenName":"Given{n}"}},"displayName":"Given{n} Family{n}","title":"Engineer {}","active":true,"preferredLanguage":"en-GB","timezone":"Europe/Berlin","emails":[{{"value":"person{n}@example.test","type":"work","primary":true}},{{"value":"person{n}@home.test","type":"home"}}],"phoneNumbers":[{{"value":"+49 30 {n:07}","type":"work"}}],"groups":["#,
        n % 7
    )
    .unwrap();
    for g in 0..5 {
        let group = (n * 7 + g * 8) % GROUPS;
        let comma = if g == 0 { "" } else { "," };
        write!(text, r#"{comma}{{"value":"9f8e7d6c-0000-4000-8000-{group:02}","display":"Group {group:02}","type":"direct"}}"#).unwrap();
    }
    write!(
        text,
        r#"],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{{"employeeNumber":"{n}","department":"Department {}","costCenter":"{}","manager":{{"value":"{id}","displayName":"Boss of {n}"}}}},"meta":{{"resourceType":"User","created":"2026-01-01T00:00:00Z","lastModified":"2026-06-01T00:00:00Z","version":"W/\"{n}\"","location":"https://big.example.test/scim/v2/Users/{id}"}}}}"#,
        n % 13,
        n % 101
    )
    .unwrap();
}

fn each_page(file: &Path, lengths: &[usize], mut look: impl FnMut(&[u8])) {
    let mut input = File::open(file).unwrap();
    let mut buffer = Vec::new();
    for length in lengths {
        buffer.resize(*length, 0);
        input.read_exact(&mut buffer).unwrap();
        look(&buffer);
    }
}

/// CPU seconds of this thread that `work` takes.
fn cpu(work: impl FnOnce()) -> f64 {
    let nanoseconds = || -> f64 {
        let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        text.split(' ').next().unwrap().parse().unwrap()
    };
    let before = nanoseconds();
    work();
    (nanoseconds() - before) / 1e9
}

/// Resident bytes of this process.
fn resident() -> usize {
    // So that the highest is the highest from here on.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    status("VmRSS:")
}

/// The most that was resident since [`resident`] was asked.
fn highest() -> usize {
    status("VmHWM:")
}

fn status(name: &str) -> usize {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|l| l.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    format!("{:.2} / {:.2} / {:.2}", values[0], values[values.len() / 2], values[values.len() - 1])
}
