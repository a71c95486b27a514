//! A small world: an engine, one store, simulated systems, a clock that a test moves, and faults.
//!
//! Nothing leaves the process and nothing is random: a world is its seed. Every commit and every call
//! to a system is a point at which the process can be made to die, before or after its effect. What is
//! judged is the systems' own truth, never what the hub says of itself.

#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod faults;
mod transport;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use bailiwick_connector::{
    Broker,
    seal::{Credential, SealKey, Secret},
};
use bailiwick_core::{
    case::{Case, Cell},
    digest::Digest,
    id::{Ascending, Entropy, IntegrationName, SourceName, SystemName, Tenant},
    integration::{Integration, Purpose, Register, Role, Standing},
    policy::PolicyFile,
    record::{Actor, Logged},
    system::{Entitlement, OnLeave, System},
    time::{Clock, SignedDuration, Timestamp},
};
use bailiwick_engine::{Configuration, Engine, EngineError, Parts};
use bailiwick_lab::{Behaviour, Lab, LabClock, Seed, SystemSpec, Tokens};
use bailiwick_store::{
    Entity, Select, Store, Table,
    entities::{Operator, PlanRow, PlanState},
    select,
};
use serde_json::json;

pub use faults::Faults;

/// The instant at which every world begins.
pub const BEGIN: i64 = 1_790_000_000_000;

/// The classes that every simulated system has.
pub const CLASSES: &str =
    r#"["primary-account","direct-groups","nested-groups","licences","api-tokens","sessions"]"#;

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

/// What is on record of every integration here.
pub fn register() -> Register {
    Register {
        boundary: "inside".into(),
        data_flows: vec!["names".into()],
        privilege_flows: vec!["groups".into()],
        vendor: "nobody".into(),
        ..Register::default()
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
    pub folder: tempfile::TempDir,
    pub systems: Vec<String>,
    key: Arc<SealKey>,
    names: u64,
}

impl World {
    /// A world with an empty store in memory, and one simulated system for each entry.
    pub async fn new(seed: u64, systems: &[(&str, &[Behaviour])]) -> Self {
        let store = bailiwick_store::open("sqlite::memory:").await.unwrap();
        Self::on(store, seed, systems).await
    }

    /// The same on a given store.
    pub async fn on(store: Arc<dyn Store>, seed: u64, systems: &[(&str, &[Behaviour])]) -> Self {
        let hands = Arc::new(Hands(AtomicI64::new(BEGIN)));
        let dice = Arc::new(Dice(AtomicU64::new(seed), Ascending::default()));
        let specs = systems
            .iter()
            .map(|(name, behaviours)| {
                let tokens = Tokens { write: format!("{name}-write"), read: format!("{name}-read") };
                SystemSpec::new(*name, seed, tokens).with(behaviours.iter().copied())
            })
            .collect();
        let lab = Lab::new(hands.clone(), specs).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let faults = Arc::new(Faults::default());
        let key = Arc::new(SealKey::generate(&*dice));
        let store: Arc<dyn Store> = Arc::new(faults::Breakable::new(store, faults.clone()));
        let engine = engine(&store, &lab, &hands, &dice, &key, &faults, 0);
        let systems = systems.iter().map(|(name, _)| (*name).to_owned()).collect();
        let world = Self { seed, hands, dice, lab, store, faults, engine, folder, systems, key, names: 0 };
        for system in &world.systems {
            let groups = json!([
                {"name": "Everyone"}, {"name": "Engineering"}, {"name": "Finance"}, {"name": "Admins"},
                {"name": "Builders", "members": ["Engineering"]}
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
        self.engine =
            engine(&self.store, &self.lab, &self.hands, &self.dice, &self.key, &self.faults, self.names);
    }

    /// Another engine on the same store, at the same time.
    pub fn second(&self) -> Engine {
        engine(&self.store, &self.lab, &self.hands, &self.dice, &self.key, &self.faults, 1_000)
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
        let mut configuration = self.configuration();
        change(&mut configuration);
        let change = self.engine.configuration_change(&configuration).await.unwrap();
        self.engine.configure(&configuration, change.digest, Actor::Operator("test".into())).await.unwrap();
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

    /// The configuration of this world.
    pub fn configuration(&self) -> Configuration {
        let mut out = Configuration {
            policies: vec![PolicyFile { path: "rules.cedar".into(), text: self.policies() }],
            integrations: vec![self.source()],
            ..Configuration::default()
        };
        for system in &self.systems {
            out.systems.push(System {
                name: SystemName::new(system).unwrap(),
                title: system.clone(),
                classes: serde_json::from_str(CLASSES).unwrap(),
                on_leave: OnLeave::Disable,
                convergence_ms: 5_000,
                retention_days: 30,
                account: BTreeMap::from([
                    ("userName".into(), "{email}".into()),
                    ("displayName".into(), "{display_name}".into()),
                ]),
            });
            let entitlement = |name: &str, class: &str, label: &str, privileged: bool| -> Entitlement {
                serde_json::from_value(json!({
                    "name": format!("{system}/{name}"), "class": class, "label": label, "privileged": privileged
                }))
                .unwrap()
            };
            out.entitlements.extend([
                entitlement("account", "primary-account", "account", false),
                entitlement("everyone", "direct-groups", "Everyone", false),
                entitlement("engineering", "direct-groups", "Engineering", false),
                entitlement("finance", "direct-groups", "Finance", false),
                entitlement("admins", "direct-groups", "Admins", true),
            ]);
            out.integrations.push(self.target(system));
        }
        out
    }

    fn policies(&self) -> String {
        let mut text = String::from(
            r#"
@id("rule-ordinary") permit(principal is Rule, action == Action::"approve", resource)
  when { !resource.privileged && !resource.destructive };
@id("person-any") permit(principal is Operator, action == Action::"approve", resource)
  when { principal.roles.contains("approver") };
"#,
        );
        for system in &self.systems {
            text.push_str(&format!(
                r#"
@id("{system}-all") permit(principal, action == Action::"hold", resource == Entitlement::"{system}/account");
@id("{system}-everyone") permit(principal, action == Action::"hold", resource == Entitlement::"{system}/everyone");
@id("{system}-eng") permit(principal, action == Action::"hold", resource == Entitlement::"{system}/engineering")
  when {{ principal.department == "Engineering" }};
@id("{system}-fin") permit(principal, action == Action::"hold", resource == Entitlement::"{system}/finance")
  when {{ principal.department == "Finance" }};
"#
            ));
        }
        text
    }

    fn source(&self) -> Integration {
        let text = |required| json!({ "type": "text", "required": required });
        let contract = serde_json::from_value(json!({
            "attributes": { "email": text(true), "display_name": text(true), "department": text(true) },
            "always_allowed": 5, "max_loss_percent": 20, "max_change_percent": 50
        }))
        .unwrap();
        Integration {
            name: IntegrationName::new("hr").unwrap(),
            purpose: "people".into(),
            owner: "hr/1".into(),
            backup: "hr/2".into(),
            connector: "csv".into(),
            endpoint: format!("file://{}", self.folder.path().display()),
            role: Role::Source { source: SourceName::new("hr").unwrap(), contract },
            scope: serde_json::from_value(json!({ "rules": ["list READ /{file}", "get READ /{file}"] }))
                .unwrap(),
            settings: json!({
                "file": "current.csv", "key": "id",
                "columns": { "email": "email", "display_name": "name", "department": "dept" },
                "end": "last_day",
                "status": "status", "active": ["active"], "terminated": ["left"]
            }),
            standing: Standing::Enabled,
            register: register(),
            gates: Default::default(),
            kill: None,
            drill: None,
        }
    }

    fn target(&self, system: &str) -> Integration {
        let vendor = "/api/users/{id}";
        Integration {
            name: IntegrationName::new(system).unwrap(),
            purpose: "accounts".into(),
            owner: "hr/1".into(),
            backup: "hr/2".into(),
            connector: "scim".into(),
            endpoint: format!("http://127.0.0.1:9/{system}"),
            role: Role::Target { system: SystemName::new(system).unwrap() },
            scope: serde_json::from_value(json!({ "rules": [
                "discover GET /scim/v2/ServiceProviderConfig", "discover GET /scim/v2/Schemas",
                "list GET /scim/v2/Users", "get GET /scim/v2/Users", "get GET /scim/v2/Users/{id}",
                "create POST /scim/v2/Users", "update PATCH /scim/v2/Users/{id}", "update PUT /scim/v2/Users/{id}",
                "delete DELETE /scim/v2/Users/{id}",
                "list GET /scim/v2/Groups", "get GET /scim/v2/Groups", "get GET /scim/v2/Groups/{id}",
                "grant PATCH /scim/v2/Groups/{id}", "revoke PATCH /scim/v2/Groups/{id}",
                "list GET /api/users/{id}/licences", "grant PUT /api/users/{id}/licences/{sku}",
                "revoke DELETE /api/users/{id}/licences/{sku}",
                "list GET /api/users/{id}/tokens", "revoke DELETE /api/users/{id}/tokens/{tid}",
                "list GET /api/users/{id}/sessions", "revoke DELETE /api/users/{id}/sessions/{sid}"
            ] }))
            .unwrap(),
            settings: json!({
                "base": "/scim/v2", "idempotency_header": "Idempotency-Key", "read_lag_ms": 2_500,
                "held": {
                    "licences": { "list": format!("{vendor}/licences"), "grant": format!("{vendor}/licences/{{item}}"),
                        "revoke": format!("{vendor}/licences/{{item}}"), "item": "sku", "name": "sku" },
                    "api-tokens": { "list": format!("{vendor}/tokens"), "revoke": format!("{vendor}/tokens/{{item}}"),
                        "item": "id", "name": "name", "live": { "field": "status", "equals": "active" }, "gone": { "field": "status", "equals": "revoked" },
                        "purges": "purges_at" },
                    "sessions": { "list": format!("{vendor}/sessions"), "revoke": format!("{vendor}/sessions/{{item}}"),
                        "item": "id", "name": "id" }
                }
            }),
            standing: Standing::Enabled,
            register: register(),
            gates: Default::default(),
            kill: None,
            drill: None,
        }
    }

    /// Delivers a feed: lines of `id,name,email,dept,last_day,status`.
    pub async fn deliver(&self, lines: &[&str]) -> Result<bailiwick_engine::Imported, EngineError> {
        let text = format!("id,name,email,dept,last_day,status\n{}\n", lines.join("\n"));
        std::fs::write(self.folder.path().join("current.csv"), &text).unwrap();
        self.engine.import(&SourceName::new("hr").unwrap(), Digest::of(text.as_bytes())).await
    }

    /// Works, letting time pass to whatever is due within an hour, until nothing is. When the process
    /// dies on the way, a new one takes over.
    pub async fn quiet(&mut self) {
        self.quiet_before(SignedDuration::from_mins(59)).await;
    }

    /// The same with another horizon.
    pub async fn quiet_before(&mut self, horizon: SignedDuration) {
        for _ in 0..10_000 {
            match self.engine.work().await {
                Err(_) if self.faults.died() => {
                    self.restart();
                    // The dead one's leases run out.
                    self.pass(SignedDuration::from_secs(61));
                }
                Err(error) => panic!("seed {}: {}: {error:?}", self.seed, error.code()),
                Ok(quiet) if quiet.taken > 0 => {}
                Ok(quiet) => {
                    let now = self.hands.now();
                    match quiet.next {
                        Some(next) if next > now && next.duration_since(now) < horizon => {
                            self.pass(next.duration_since(now));
                        }
                        Some(next) if next <= now => self.pass(SignedDuration::from_millis(50)),
                        _ => return,
                    }
                }
            }
        }
        panic!("seed {}: it does not become quiet", self.seed);
    }

    /// What is true of every user of every system, by sign-in name, without ids and times.
    pub fn truth(&self) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        for system in &self.systems {
            let truth = self.lab.truth(system).unwrap();
            let name_of: BTreeMap<&str, &str> =
                truth.groups.iter().map(|g| (g.id.as_str(), g.display_name.as_str())).collect();
            for user in &truth.users {
                let groups: BTreeSet<&str> =
                    user.groups.iter().map(|g| name_of.get(g.as_str()).copied().unwrap_or("?")).collect();
                let tokens = user.tokens.iter().filter(|t| t.works).count();
                let (licences, sessions) = (user.licences.len(), user.sessions.len());
                let line = format!(
                    "active={} hidden={} name={:?} groups={groups:?} tokens={tokens} licences={licences} sessions={sessions}",
                    user.active,
                    user.hidden,
                    user.attributes.get("displayName").and_then(|n| n.as_str()).unwrap_or_default()
                );
                out.insert(format!("{system}/{}", user.user_name), line);
            }
        }
        out
    }

    /// How often each effect happened, by whom the hub acted on: from the systems' ledgers.
    pub fn effects(&self) -> BTreeMap<String, u64> {
        let mut out: BTreeMap<String, u64> = BTreeMap::new();
        for system in &self.systems {
            let truth = self.lab.truth(system).unwrap();
            let user_of: BTreeMap<&str, &str> =
                truth.users.iter().map(|u| (u.id.as_str(), u.user_name.as_str())).collect();
            let group_of: BTreeMap<&str, &str> =
                truth.groups.iter().map(|g| (g.id.as_str(), g.display_name.as_str())).collect();
            for entry in self.lab.ledger(system).unwrap() {
                if entry.cause.credential == bailiwick_lab::Credential::BackDoor {
                    continue;
                }
                let user = entry.user.as_deref().map(|u| user_of.get(u).copied().unwrap_or("(gone)"));
                let group = entry.group.as_deref().map(|g| group_of.get(g).copied().unwrap_or("(gone)"));
                let key =
                    format!("{system} {:?} {} {}", entry.effect, user.unwrap_or("-"), group.unwrap_or("-"));
                *out.entry(key).or_default() += 1;
            }
        }
        out
    }

    /// Verdicts of all cells, by `system/class`.
    pub async fn cells(&self) -> BTreeMap<String, String> {
        let cells: Vec<Cell> = self.all(Table::Cells).await;
        cells.iter().map(|c| (format!("{}/{}", c.system, c.class), c.verdict.name().to_owned())).collect()
    }

    /// How many cases are open.
    pub async fn open_cases(&self) -> usize {
        let cases: Vec<Case> = self.all(Table::Cases).await;
        cases.iter().filter(|c| c.closed.is_none()).count()
    }

    /// All plans.
    pub async fn plans(&self) -> Vec<PlanRow> {
        self.all(Table::Plans).await
    }

    /// The plans that wait for a person.
    pub async fn drafted(&self) -> Vec<PlanRow> {
        self.plans().await.into_iter().filter(|p| p.state == PlanState::Drafted).collect()
    }

    /// A new operator with a role, and the person they are.
    pub async fn operator(&self, role: &str, person: Option<&str>) -> Operator {
        let (roles, person) = (BTreeSet::from([role.to_owned()]), person.map(str::to_owned));
        let by = Actor::Operator("test".into());
        self.engine.add_operator(role, roles, person, 1, by).await.unwrap().0
    }

    /// The kinds of all records.
    pub async fn record_kinds(&self) -> BTreeSet<String> {
        let mut tx = self.store.read().await.unwrap();
        let entries = tx.written(0, 100_000).await.unwrap();
        let kind = |bytes: &[u8]| Logged::parse(bytes).map(|l| serde_json::to_value(l.kind).unwrap());
        entries.iter().filter_map(|e| kind(&e.bytes).ok()?.as_str().map(str::to_owned)).collect()
    }

    async fn all<T: Entity>(&self, table: Table) -> Vec<T> {
        let mut tx = self.store.read().await.unwrap();
        let rows = select::<T>(&mut *tx, &Tenant::single(), Select::from(table)).await.unwrap();
        rows.into_iter().map(|s| s.value).collect()
    }

    /// The published log of this world.
    pub fn sequencer(&self) -> bailiwick_engine::Sequencer {
        let signer = bailiwick_evidence::Signer::from_seed("world.test/log", &[7; 32]).unwrap();
        let folder = self.folder.path().join("log");
        bailiwick_engine::Sequencer::open(self.store.clone(), &folder, signer, &*self.dice).unwrap()
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

fn engine(
    store: &Arc<dyn Store>,
    lab: &Lab,
    hands: &Arc<Hands>,
    dice: &Arc<Dice>,
    key: &Arc<SealKey>,
    faults: &Arc<Faults>,
    number: u64,
) -> Engine {
    let transport = Arc::new(transport::InProcess::new(lab.router(), faults.clone()));
    let broker = Broker::new(Tenant::single(), transport, hands.clone(), key.clone());
    Engine::new(Parts {
        store: store.clone(),
        tenant: Tenant::single(),
        clock: hands.clone(),
        entropy: dice.clone(),
        broker: Arc::new(broker),
        build: bailiwick_connectors::build,
        name: format!("engine-{number}"),
    })
}
