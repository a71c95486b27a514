//! Reconciling unchanged SCIM accounts against only parsing the same pages into the same types.
//!
//! One process, one thread, pages on disk, CPU time of the thread. The comparison is the engine's: the digest of what is
//! shown, the index of what is expected. What it does not contain: the pages of groups.
//!
//! Then the index is loaded from a SQLite file: how long that takes, and how much memory it needs at its height beside
//! holding all rows at once.

use std::{
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
use tempfile::TempDir;

use super::folder;
use crate::{
    Size,
    measure::{Pairs, Process, Spread, Watch, cpu},
    population::{GROUPS, PAGE, scim_page},
    row::{Goal, Row, medians, short, time},
    world::{self, World},
};

const PAIRS: usize = 7;
/// The case.
pub fn run(size: Size) -> Vec<Row> {
    let accounts = size.of(1_000_000) / PAGE * PAGE;
    let folder = folder();
    let pages = Pages::write(&folder.path().join("pages"), accounts, false);
    let shown = Shown::new();
    let mut scratch = Vec::new();
    let before = Process::ME.resident();
    let mut index = Index::with_capacity(accounts);
    pages.each(|bytes| {
        let mut expect = |object: Object<'_>| index.expect(&object.id, &shown.digest(&mut scratch, &object));
        page(bytes, shown.scim.mapping(), &mut expect).unwrap();
    });
    index.seal(GROUPS);
    let grown = Process::ME.resident().saturating_sub(before);
    let pairs = Pairs::of(
        PAIRS,
        |_| pages.parse(),
        |_| {
            let (mut same, mut active) = (0, 0);
            let seconds = cpu(|| {
                pages.each(|bytes| {
                    let mut visit = |object: Object<'_>| {
                        active += usize::from(object.state == ObjectState::Live);
                        let digest = shown.digest(&mut scratch, &object);
                        same += usize::from(index.see(&object.id, &digest) == Match::Same);
                    };
                    page(bytes, shown.scim.mapping(), &mut visit).unwrap();
                });
            });
            assert_eq!((same, active, index.unseen()), (accounts, accounts, 0));
            seconds
        },
    );
    let work = format!("reconcile {accounts} SCIM accounts, nothing changed, pages on disk");
    let held = |bytes: usize| Spread::one(bytes as f64 / accounts as f64);
    let mut rows = vec![
        Row::ratio(&work, "parsing the same pages into the same types, CPU", Goal::AtMost(1.3), &pairs).with(
            format!("{} of {} bytes", medians(&pairs, accounts, "an account"), pages.bytes() / accounts),
        ),
        Row::value("the same: memory", "nothing", Goal::AtMost(80.0), "B an account", held(index.bytes()))
            .with(format!("{} more resident", short(grown as f64 / accounts as f64))),
    ];
    drop(index);
    rows.push(tokio::runtime::Runtime::new().unwrap().block_on(load(&folder, size.of(1_000_000))));
    rows
}

/// What the engine makes of an account that is shown.
pub struct Shown {
    /// The connector.
    pub scim: Scim,
    names: Vec<String>,
    entitlements: Vec<EntitlementName>,
}

impl Shown {
    /// Of the system `big`.
    pub fn new() -> Self {
        let name = |g| EntitlementName::new(&format!("big/group-{g:02}")).unwrap();
        Self {
            scim: Scim::new(&serde_json::json!({})).unwrap(),
            names: ["displayName", "userName"].map(str::to_owned).to_vec(),
            entitlements: (0..GROUPS).map(name).collect(),
        }
    }

    /// The digest of it.
    pub fn digest(&self, scratch: &mut Vec<u8>, object: &Object<'_>) -> bailiwick_core::digest::Digest {
        let number = |id: &str| -> u32 { id[id.len() - 2..].parse().unwrap() };
        let mask = object.links.iter().fold(0_u64, |mask, id| mask | 1 << number(id));
        let held = (0..GROUPS).filter(|n| mask & (1 << n) != 0).map(|n| &self.entitlements[n]);
        shown_digest(scratch, object, self.names.iter(), held)
    }
}

/// Pages, one after the other in a file.
pub struct Pages {
    file: std::path::PathBuf,
    lengths: Vec<usize>,
}

impl Pages {
    /// Writes them; with `drift` some of the people have changed.
    pub fn write(file: &Path, accounts: usize, drift: bool) -> Self {
        let mut out = BufWriter::new(File::create(file).unwrap());
        let mut lengths = Vec::new();
        for first in (0..accounts).step_by(PAGE) {
            let text = scim_page(first, accounts, drift);
            out.write_all(text.as_bytes()).unwrap();
            lengths.push(text.len());
        }
        out.flush().unwrap();
        Self { file: file.to_owned(), lengths }
    }

    /// Reads them one after the other.
    pub fn each(&self, mut look: impl FnMut(&[u8])) {
        let mut input = File::open(&self.file).unwrap();
        let mut buffer = Vec::new();
        for length in &self.lengths {
            buffer.resize(*length, 0);
            input.read_exact(&mut buffer).unwrap();
            look(&buffer);
        }
    }

    /// Seconds of the processor to do nothing but parse them.
    pub fn parse(&self) -> f64 {
        let mut live = 0;
        let seconds = cpu(|| {
            self.each(|bytes| {
                let typed = parse_page(bytes).unwrap();
                live += std::hint::black_box(&typed).resources.as_ref().map_or(0, Vec::len);
            });
        });
        assert_eq!(live, self.lengths.len() * PAGE);
        seconds
    }

    fn bytes(&self) -> usize {
        fs::metadata(&self.file).unwrap().len() as usize
    }
}

/// Loads the index from the store, page by page, and then, to compare, all rows at once.
async fn load(folder: &TempDir, stored: usize) -> Row {
    let file = folder.path().join("hub.db");
    let store = bailiwick_store::open(&file.display().to_string()).await.unwrap();
    let world = World::on(store, 1, &[("chat", &[])]).await;
    world.configure().await;
    let system = SystemName::new("chat").unwrap();
    let groups = ["admins", "engineering", "everyone", "finance"];
    let numbered: Vec<EntitlementName> =
        groups.iter().map(|name| EntitlementName::new(&format!("chat/{name}")).unwrap()).collect();
    for first in (0..stored).step_by(1_000) {
        let updates = (first..first + 1_000).map(|n| account(&world, &system, n, &numbered)).collect();
        let mut tx = world.store.begin().await.unwrap();
        tx.write(&Tenant::single(), updates, &*world.dice).await.unwrap();
        tx.commit().await.unwrap();
    }
    let before = Process::ME.resident();
    let watch = Watch::start();
    let index = world.engine.expected(&system, &numbered).await.unwrap();
    let (took, paged) = (watch.seconds(), Process::ME.highest().saturating_sub(before));
    assert_eq!(index.unseen(), stored);
    let bytes = index.bytes() / stored;
    drop(index);
    let mut tx = world.store.read().await.unwrap();
    let mine = Select::from(Table::Accounts).filter(Filter::Is("system", system.as_str().into()));
    let before = Process::ME.resident();
    let watch = Watch::start();
    let rows = tx.select(&Tenant::single(), mine).await.unwrap();
    let whole = watch.seconds();
    let memory = Process::ME.resident().saturating_sub(before);
    assert_eq!(rows.len(), stored);
    let mut pairs = Pairs::default();
    pairs.push(whole, took);
    Row::ratio(
        format!("load {stored} accounts from the store into the index"),
        "reading all rows at once",
        Goal::Shown,
        &pairs,
    )
    .with(format!(
        "{} an account; {bytes} B each in the index, {} at its height; all rows at once {}",
        time(took / stored as f64),
        paged / stored,
        memory / stored
    ))
}

/// An account as the hub knows it.
fn account(world: &World, system: &SystemName, n: usize, groups: &[EntitlementName]) -> Update {
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
