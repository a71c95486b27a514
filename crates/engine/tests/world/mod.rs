//! A small world: an engine, one store, simulated systems, a clock that a test moves, and faults.
//!
//! Nothing leaves the process and nothing is random: a world is its seed. Every commit and every call
//! to a system is a point at which the process can be made to die, before or after its effect. What is
//! judged is the systems' own truth, never what the hub says of itself.

#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod certify;
pub mod declared;
mod faults;
pub mod newsy;
mod phone;
pub mod planted;
mod template;
mod together;
mod transport;
mod truth;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bailiwick_connector::{
    Broker, Pause,
    broker::Places,
    seal::{Credential, SealKey, Secret},
};
use bailiwick_core::{
    account::Account,
    case::{Case, Cell},
    digest::Digest,
    event::{Event, EventKind},
    id::{Ascending, Entropy, IntegrationName, SourceName, Tenant},
    integration::Purpose,
    record::{Actor, Logged},
    review::Whereabouts,
    time::{Clock, SignedDuration, Timestamp},
};
use bailiwick_engine::{Compiled, Configuration, Engine, EngineError, Parts, Slow};
use bailiwick_lab::{Behaviour, Lab, LabClock, Seed, SystemSpec, Tokens};
use bailiwick_store::{
    Entity, Select, Store, Table, Update,
    entities::{Operator, PlanRow, PlanState},
    select,
};
use serde_json::json;

use self::together::join_all;
#[allow(unused_imports, reason = "each test uses a part of it")]
pub use declared::{CLASSES, register};
#[allow(unused_imports, reason = "each test uses a part of it")]
pub use faults::{Faults, Weather};
#[allow(unused_imports, reason = "each test uses a part of it")]
pub use phone::Phone;
#[allow(unused_imports, reason = "each test uses a part of it")]
pub use template::Template;

/// The instant at which every world begins.
pub const BEGIN: i64 = 1_790_000_000_000;

/// People whom no feed of a test is about.
const OTHERS: (&str, &str) = ("desk/1", "desk/2");

/// A clock that stands still until it is moved; the lab and the hub look at the same one.
pub struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

impl Hands {
    /// Moves the hands on.
    pub fn advance(&self, by: SignedDuration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl LabClock for Hands {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Lets time pass instead of waiting.
pub struct Passing(pub Arc<Hands>);

#[async_trait]
impl Pause for Passing {
    async fn pause(&self, time: std::time::Duration) {
        self.0.advance(SignedDuration::try_from(time).unwrap());
    }
}

/// Bytes that look random and are a function of the seed (SplitMix64).
pub struct Dice(AtomicU64, Ascending);

impl Entropy for Dice {
    fn uuid(&self, millis: u64) -> u128 {
        self.1.next(millis, &|out| self.fill(out))
    }

    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_be_bytes()[..chunk.len()]);
        }
    }
}

/// Where addresses lead, as the test says; nothing is looked up.
#[derive(Default)]
pub struct Signposts(pub std::sync::Mutex<BTreeMap<String, Whereabouts>>);

#[async_trait::async_trait]
impl Places for Signposts {
    async fn place(&self, address: &str) -> Whereabouts {
        let known = self.0.lock().unwrap().get(address).cloned();
        known.unwrap_or_else(|| Whereabouts::Lost { why: "no such name".into() })
    }
}

/// The world.
pub struct World {
    pub seed: u64,
    pub hands: Arc<Hands>,
    pub dice: Arc<Dice>,
    pub lab: Lab,
    pub store: Arc<dyn Store>,
    pub faults: Arc<Faults>,
    pub engine: Engine,
    /// Other engines on the same store, which live as long as the world.
    pub others: Vec<Engine>,
    pub folder: Arc<tempfile::TempDir>,
    pub systems: Vec<String>,
    /// Who answers for the integrations, and the backup: nobody of the feed, unless a test says so.
    pub people: (&'static str, &'static str),
    /// Where callbacks lead.
    pub places: Arc<Signposts>,
    key: Arc<SealKey>,
    /// What every process here knows of policies.
    compiled: Arc<Compiled>,
    /// The first line of the feed.
    pub header: &'static str,
    names: u64,
    deliveries: AtomicU64,
    /// The store itself.
    bare: Arc<dyn Store>,
    /// Which log of the folder is this world's.
    log: u64,
}

/// How many worlds were made.
static WORLDS: AtomicU64 = AtomicU64::new(0);

/// What a world begins with.
struct Beginning {
    store: Arc<dyn Store>,
    hands: i64,
    key: Arc<SealKey>,
    folder: Arc<tempfile::TempDir>,
    compiled: Arc<Compiled>,
}

impl World {
    /// A world with an empty store in memory, and one simulated system for each entry.
    pub async fn new(seed: u64, systems: &[(&str, &[Behaviour])]) -> Self {
        let store = bailiwick_store::open("sqlite::memory:").await.unwrap();
        Self::on(store, seed, systems).await
    }

    /// The same on a given store.
    pub async fn on(store: Arc<dyn Store>, seed: u64, systems: &[(&str, &[Behaviour])]) -> Self {
        let key = Arc::new(SealKey::generate(&Dice(AtomicU64::new(seed), Ascending::default())));
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let compiled = Arc::default();
        Self::begin(Beginning { store, hands: BEGIN, key, folder, compiled }, seed, systems)
    }

    fn begin(beginning: Beginning, seed: u64, systems: &[(&str, &[Behaviour])]) -> Self {
        let Beginning { store: bare, hands, key, folder, compiled } = beginning;
        let hands = Arc::new(Hands(AtomicI64::new(hands)));
        let dice = Arc::new(Dice(AtomicU64::new(seed), Ascending::default()));
        let specs = systems
            .iter()
            .map(|(name, behaviours)| {
                let tokens = Tokens { write: format!("{name}-write"), read: format!("{name}-read") };
                SystemSpec::new(*name, seed, tokens).with(behaviours.iter().copied())
            })
            .collect();
        let lab = Lab::new(hands.clone(), specs).unwrap();
        let faults = Arc::new(Faults::default());
        let store: Arc<dyn Store> = Arc::new(faults::Breakable::new(bare.clone(), faults.clone()));
        let places = Arc::new(Signposts::default());
        let parts = parts(&store, &lab, &hands, &dice, &key, &faults, (0, &places));
        let engine = Engine::new(Parts { compiled: Arc::clone(&compiled), ..parts });
        let systems = systems.iter().map(|(name, _)| (*name).to_owned()).collect();
        let world = Self {
            seed,
            hands,
            dice,
            lab,
            store,
            faults,
            engine,
            others: Vec::new(),
            folder,
            systems,
            people: OTHERS,
            places,
            key,
            compiled,
            header: "id,name,email,dept,last_day,status",
            names: 0,
            deliveries: AtomicU64::new(0),
            bare,
            log: WORLDS.fetch_add(1, Ordering::SeqCst),
        };
        for system in &world.systems {
            let groups = json!([
                {"name": "Everyone", "id": "g-everyone"}, {"name": "Engineering", "id": "g-engineering"},
                {"name": "Finance", "id": "g-finance"}, {"name": "Admins", "id": "g-admins"},
                {"name": "Builders", "id": "g-builders", "members": ["Engineering"]}
            ]);
            let seed: Seed = serde_json::from_value(json!({ "groups": groups, "users": [], "licences": [],
                "tokens": [], "sessions": [], "leave": [], "delete": [] }))
            .unwrap();
            world.lab.seed(system, &seed).unwrap();
        }
        // Also a reader that lags sees what was there from the beginning.
        world.pass(SignedDuration::from_secs(60));
        world
    }

    /// The process died: a new one takes over what the store holds.
    pub fn restart(&mut self) {
        self.names += 1;
        self.faults.revive();
        self.engine = self.process(&self.faults, self.names);
    }

    /// How many processes there were so far.
    pub fn processes(&self) -> u64 {
        self.names
    }

    /// The process died, and a new one takes over another store, which was the hub's once. The systems are as they are.
    pub fn set_back(&mut self, store: Arc<dyn Store>) {
        self.bare = store;
        self.restart();
        self.store = Arc::new(faults::Breakable::new(self.bare.clone(), self.faults.clone()));
        self.log = WORLDS.fetch_add(1, Ordering::SeqCst);
    }

    /// Another engine on the same store, at the same time. It dies with the first.
    pub fn second(&self) -> Engine {
        self.process(&self.faults, 1_000)
    }

    /// Another engine on the same store, which works whenever the first does, and does not die with it.
    pub fn joined(&mut self) {
        let number = 2_000 + self.others.len() as u64;
        self.others.push(self.process(&Arc::new(self.faults.of_another()), number));
    }

    /// Turns wait so long for systems from now on, by the time of whoever plays this.
    pub fn impatient(&mut self, turn: std::time::Duration) {
        self.remade(|parts| Parts { turn, ..parts });
    }

    /// Another version of the program goes on.
    pub fn upgraded(&mut self, version: &str) {
        self.remade(|parts| Parts { version: version.into(), ..parts });
    }

    fn remade(&mut self, change: impl FnOnce(Parts) -> Parts) {
        let store = self.store.clone();
        let parts =
            parts(&store, &self.lab, &self.hands, &self.dice, &self.key, &self.faults, (0, &self.places));
        self.engine = Engine::new(change(Parts { compiled: Arc::clone(&self.compiled), ..parts }));
    }

    fn process(&self, faults: &Arc<Faults>, number: u64) -> Engine {
        let store: Arc<dyn Store> = Arc::new(faults::Breakable::new(self.bare.clone(), faults.clone()));
        let parts =
            parts(&store, &self.lab, &self.hands, &self.dice, &self.key, faults, (number, &self.places));
        Engine::new(Parts { compiled: Arc::clone(&self.compiled), ..parts })
    }

    /// Moves the clock.
    pub fn pass(&self, by: SignedDuration) {
        self.hands.advance(by);
    }

    /// Declares systems, entitlements, integrations, credentials and policies.
    pub async fn configure(&self) {
        self.configure_with(|_| {}).await;
    }

    /// The same, with something changed in it.
    pub async fn configure_with(&self, change: impl FnOnce(&mut Configuration)) {
        let configuration = self.reconfigure(change).await;
        let declared =
            |system: &&String| configuration.integrations.iter().any(|i| i.name.as_str() == **system);
        for system in self.systems.iter().filter(declared) {
            for (purpose, token) in [(Purpose::Write, "write"), (Purpose::Verify, "read")] {
                let secret = Credential::bearer(Secret::new(format!("{system}-{token}")));
                let name = IntegrationName::new(system).unwrap();
                self.engine
                    .seal_credential(&name, purpose, secret, Actor::Operator("test".into()))
                    .await
                    .unwrap();
            }
        }
    }

    /// Declares all but the credentials.
    pub async fn reconfigure(&self, change: impl FnOnce(&mut Configuration)) -> Configuration {
        let mut configuration = self.configuration();
        change(&mut configuration);
        let change = self.engine.configuration_change(&configuration).await.unwrap();
        self.engine.configure(&configuration, change.digest, Actor::Operator("test".into())).await.unwrap();
        configuration
    }

    /// Delivers a file: lines of `id,name,email,dept,last_day,status`.
    pub async fn deliver_file(&self, lines: &[&str]) -> Result<bailiwick_engine::Imported, EngineError> {
        let text = self.lay(lines);
        self.import(Digest::of(text.as_bytes())).await
    }

    /// The same from a source of which no two deliveries are alike, because each says which one it is.
    pub async fn deliver(&self, lines: &[&str]) -> Result<bailiwick_engine::Imported, EngineError> {
        let text = self.lay(lines);
        let nth = self.deliveries.fetch_add(1, Ordering::SeqCst);
        self.import(Digest::of_value(&(text, nth))).await
    }

    pub fn lay(&self, lines: &[&str]) -> String {
        let text = format!("{}\n{}\n", self.header, lines.join("\n"));
        std::fs::write(self.folder.path().join("current.csv"), &text).unwrap();
        text
    }

    async fn import(&self, digest: Digest) -> Result<bailiwick_engine::Imported, EngineError> {
        self.engine.import(&SourceName::new("hr").unwrap(), digest).await
    }

    /// Works, letting time pass to whatever is due within an hour, until nothing is. When the process
    /// dies on the way, a new one takes over.
    pub async fn quiet(&mut self) {
        self.quiet_before(SignedDuration::from_mins(59)).await;
    }

    /// The same, but at most for so long: with a system that never answers there is always something due soon.
    pub async fn quiet_for(&mut self, most: SignedDuration) {
        self.quiet_until(SignedDuration::from_mins(59), self.hands.now() + most).await;
    }

    /// The same with another horizon.
    pub async fn quiet_before(&mut self, horizon: SignedDuration) {
        self.quiet_until(horizon, Timestamp::MAX).await;
    }

    async fn quiet_until(&mut self, horizon: SignedDuration, end: Timestamp) {
        for _ in 0..2_000 {
            let (mine, theirs) =
                tokio::join!(self.engine.work(), join_all(self.others.iter().map(Engine::work)));
            let mut busy = false;
            for (at, other) in theirs.into_iter().enumerate() {
                let quiet = other.unwrap();
                busy |= quiet.taken > 0;
                for slow in quiet.slow {
                    self.others[at].carry_out(slow).await.unwrap();
                }
            }
            match mine {
                Err(_) if self.faults.died() => {
                    self.restart();
                    // The dead one's leases run out.
                    self.pass(SignedDuration::from_secs(61));
                }
                Err(error) => panic!("seed {}: {}: {error:?}", self.seed, error.code()),
                Ok(quiet) if quiet.taken > 0 => self.carry_out(quiet.slow).await,
                Ok(_) if busy => {}
                Ok(quiet) => {
                    let now = self.hands.now();
                    match quiet.next {
                        _ if now >= end => return,
                        Some(next) if next > now && next.duration_since(now) < horizon => {
                            self.pass(next.duration_since(now));
                        }
                        Some(next) if next <= now => self.pass(SignedDuration::from_millis(50)),
                        _ => return,
                    }
                }
            }
        }
        panic!("seed {}: it does not become quiet: {:?}", self.seed, self.due().await);
    }

    async fn carry_out(&mut self, slow: Vec<Slow>) {
        for slow in slow {
            match self.engine.carry_out(slow).await {
                Ok(()) => {}
                // The next turn finds that it is dead.
                Err(_) if self.faults.died() => return,
                Err(error) => panic!("seed {}: {}: {error:?}", self.seed, error.code()),
            }
        }
    }

    /// Verdicts of all cells, by `system/class`.
    pub async fn cells(&self) -> BTreeMap<String, String> {
        let cells: Vec<Cell> = self.all(Table::Cells).await;
        cells.iter().map(|c| (format!("{}/{}", c.system, c.class), c.verdict.name().to_owned())).collect()
    }

    /// The accounts that hold an entitlement, as far as the hub knows.
    pub async fn holders(&self, entitlement: &str) -> Vec<String> {
        let accounts: Vec<Account> = self.all(Table::Accounts).await;
        let holds = |a: &&Account| a.state.entitlements.iter().any(|e| e.as_str() == entitlement);
        accounts.iter().filter(holds).map(|a| a.username.clone()).collect()
    }

    /// How many events say that something is not as it was made.
    pub async fn drifts(&self) -> usize {
        let events: Vec<Event> = self.all(Table::Events).await;
        events.iter().filter(|e| matches!(e.kind, EventKind::Drifted { .. })).count()
    }

    /// All cases.
    pub async fn cases(&self) -> Vec<Case> {
        self.all(Table::Cases).await
    }

    /// All cells.
    pub async fn all_cells(&self) -> Vec<Cell> {
        self.all(Table::Cells).await
    }

    /// How many cases are open.
    pub async fn open_cases(&self) -> usize {
        let cases: Vec<Case> = self.all(Table::Cases).await;
        cases.iter().filter(|c| c.closed.is_none()).count()
    }

    /// The messages of the open findings with a code.
    pub async fn findings(&self, code: &str) -> Vec<String> {
        let open = self.engine.open_findings().await.unwrap();
        open.into_iter().filter(|finding| finding.code == code).map(|finding| finding.message).collect()
    }

    /// All plans.
    pub async fn plans(&self) -> Vec<PlanRow> {
        self.all(Table::Plans).await
    }

    /// The plans that wait for a person.
    pub async fn drafted(&self) -> Vec<PlanRow> {
        self.plans().await.into_iter().filter(|p| p.state == PlanState::Drafted).collect()
    }

    /// A new operator with the role that they are called by, for a day, and the person they are.
    pub async fn operator(&self, role: &str, person: Option<&str>) -> Operator {
        self.operator_with(role, &[role], person, 1).await
    }

    /// A new operator with these roles, for so many days, and the person they are.
    pub async fn operator_with(
        &self,
        name: &str,
        roles: &[&str],
        person: Option<&str>,
        days: u16,
    ) -> Operator {
        let roles = roles.iter().map(ToString::to_string).collect();
        let by = Actor::Operator("test".into());
        self.engine.add_operator(name, roles, person.map(str::to_owned), days, by).await.unwrap().0
    }

    /// Somebody writes into the database, past every rule of the hub.
    pub async fn tamper(&self, update: Update) {
        let mut tx = self.store.begin().await.unwrap();
        tx.write(&Tenant::single(), vec![update], &*self.dice).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The instant it is now.
    pub fn clock(&self) -> Timestamp {
        self.hands.now()
    }

    /// The lanes of what is due now, with how often each was tried.
    async fn due(&self) -> Vec<(String, i64)> {
        let mut tx = self.store.begin().await.unwrap();
        let later = self.hands.now().as_millisecond() + 61_000;
        let items = tx.lease(&Tenant::single(), "nobody", later, 1, 100, 100).await.unwrap();
        items.into_iter().map(|item| (item.lane, item.attempts)).collect()
    }

    /// When the next item of the queue is due.
    pub async fn next_due(&self) -> Option<Timestamp> {
        let mut tx = self.store.read().await.unwrap();
        let next = tx.next_due(&Tenant::single()).await.unwrap();
        next.map(|ms| Timestamp::from_millisecond(ms).unwrap())
    }

    /// Seals a credential.
    pub async fn seal(&self, system: &str, purpose: Purpose, token: &str) {
        let secret = Credential::bearer(Secret::new(token.to_owned()));
        let (name, by) = (IntegrationName::new(system).unwrap(), Actor::Operator("test".into()));
        self.engine.seal_credential(&name, purpose, secret, by).await.unwrap();
    }

    /// How many records of a kind there are.
    pub async fn records(&self, kind: &str) -> usize {
        let mut tx = self.store.read().await.unwrap();
        let entries = tx.written(0, 100_000).await.unwrap();
        let is = |bytes: &[u8]| {
            Logged::parse(bytes).is_ok_and(|logged| serde_json::to_value(logged.kind).unwrap() == kind)
        };
        entries.iter().filter(|entry| is(&entry.bytes)).count()
    }

    /// The kinds of all records.
    pub async fn record_kinds(&self) -> BTreeSet<String> {
        let mut tx = self.store.read().await.unwrap();
        let entries = tx.written(0, 100_000).await.unwrap();
        let kind = |bytes: &[u8]| Logged::parse(bytes).map(|l| serde_json::to_value(l.kind).unwrap());
        entries.iter().filter_map(|e| kind(&e.bytes).ok()?.as_str().map(str::to_owned)).collect()
    }

    /// Every row of a kind.
    pub async fn all<T: Entity>(&self, table: Table) -> Vec<T> {
        let mut tx = self.store.read().await.unwrap();
        let rows = select::<T>(&mut *tx, &Tenant::single(), Select::from(table)).await.unwrap();
        rows.into_iter().map(|s| s.value).collect()
    }

    /// The published log of this world.
    pub fn sequencer(&self) -> bailiwick_engine::Sequencer {
        let signer = bailiwick_evidence::Signer::from_seed("world.test/log", &[7; 32]).unwrap();
        let folder = self.folder.path().join(format!("log-{}", self.log));
        // As small as a journal may be: there are many worlds.
        let store = self.store.clone();
        bailiwick_engine::Sequencer::open_sized(store, &folder, signer, &*self.dice, 0).unwrap()
    }

    /// Seeds something behind the hub's back.
    pub fn behind(&self, system: &str, seed: serde_json::Value) {
        let mut whole = json!({ "groups": [], "users": [], "licences": [], "tokens": [], "sessions": [],
            "leave": [], "delete": [] });
        for (name, value) in seed.as_object().unwrap() {
            whole[name] = value.clone();
        }
        self.lab.seed(system, &serde_json::from_value(whole).unwrap()).unwrap();
    }
}

/// Makes the parts of an engine.
fn parts(
    store: &Arc<dyn Store>,
    lab: &Lab,
    hands: &Arc<Hands>,
    dice: &Arc<Dice>,
    key: &Arc<SealKey>,
    faults: &Arc<Faults>,
    (number, places): (u64, &Arc<Signposts>),
) -> Parts {
    let transport = Arc::new(transport::InProcess::new(lab.router(), faults.clone(), hands.clone()));
    let broker = Broker::new(Tenant::single(), transport, hands.clone(), key.clone());
    let broker = bailiwick_connectors::sql::with_dialects(broker.with_places(places.clone())).unwrap();
    Parts {
        store: store.clone(),
        tenant: Tenant::single(),
        clock: hands.clone(),
        entropy: dice.clone(),
        broker: Arc::new(broker),
        build: newsy::build,
        pause: Arc::new(Passing(hands.clone())),
        // The time of this world is not that of whoever plays it.
        turn: std::time::Duration::MAX,
        compiled: Arc::default(),
        name: format!("engine-{number}"),
        version: "0.0.1".into(),
    }
}
