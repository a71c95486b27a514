//! Simulated SaaS systems, each a SCIM 2.0 service provider with a small vendor API, and a back door to their truth.
//!
//! Promised: everything is in memory and follows from the specs, the calls and the clock alone, so the same calls give
//! the same bytes; the back door always tells the truth, whatever the [`Behaviour`] makes the system say; every effect
//! is in the ledger once. In process the [`Lab::router`] is called as a tower service, without sockets; [`serve`]
//! puts the same router on a loopback listener.
//!
//! | path | what |
//! |---|---|
//! | `/{system}/scim/v2/…` | SCIM 2.0 with the integration's bearer tokens |
//! | `/{system}/api/users/{id}/licences\|tokens\|sessions\|effective` | the vendor API, same tokens |
//! | `/{system}/api/users/{id}/held/{class}`, `/{system}/api/held/{class}/{side}/{id}` | things of every other class |
//! | `/{system}/api/audit` | the system's own audit log |
//! | `/{system}/api/oauth/revoke\|me` | ends the integration's token, and tries it |
//! | `/{system}/api/whoami` | tries a *user's* token or session secret |
//! | `/truth/{system}`, `…/ledger`, `…/users/{id}`, `…/try/{credential}` | back door, reading |
//! | `/truth/{system}/seed`, `…/reset`, `…/behaviours` | back door, acting |
//!
//! Deliberately absent: persistence, real security (secrets follow from the seed), and any other crate of the workspace.

mod audit;
mod backdoor;
mod behaviour;
mod clock;
mod exchange;
mod held;
mod ledger;
mod lifecycle;
mod mint;
mod oauth;
mod refusal;
mod reply;
mod scim;
mod seed;
mod serve;
mod spec;
mod system;
mod truth;
mod vendor;
mod world;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Path, State},
    http::{Method, Response, request::Parts},
    routing::any,
};

pub use crate::{
    behaviour::{Behaviour, UnknownBehaviour},
    clock::{LabClock, ManualClock},
    ledger::{Cause, Credential, Effect, LedgerEntry},
    reply::Dropped,
    seed::{Seed, SeedGroup, SeedLicence, SeedThing, SeedToken, Seeded, SeededCredential},
    serve::serve,
    spec::{LabError, Paging, Rate, SystemSpec, Timing, Tokens},
    truth::{TrueGroup, TrueThing, TrueToken, TrueUser, Truth},
    world::TokenStatus,
};

use crate::{reply::Door, system::System};

/// Most bytes of a request body: room for a group of some hundred thousand members.
const MAX_BODY: usize = 32 * 1024 * 1024;

/// Some simulated systems behind one router. Clones share them.
#[derive(Clone)]
pub struct Lab {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Arc<dyn LabClock>,
    systems: BTreeMap<String, Mutex<System>>,
}

impl Lab {
    /// A lab of empty systems.
    ///
    /// # Errors
    /// [`LabError::BadSpec`] and [`LabError::Twice`] for specs that cannot be served.
    pub fn new(clock: Arc<dyn LabClock>, specs: Vec<SystemSpec>) -> Result<Self, LabError> {
        let mut systems = BTreeMap::new();
        for spec in specs {
            spec.check()?;
            let name = spec.name.clone();
            if systems.insert(name.clone(), Mutex::new(System::new(spec))).is_some() {
                return Err(LabError::Twice(name));
            }
        }
        Ok(Self { inner: Arc::new(Inner { clock, systems }) })
    }

    /// The HTTP interface of all systems and of the back door, to be called in process.
    ///
    /// A response with [`Dropped`] in its extensions stands for a lost answer.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/truth", any(truth_root))
            .route("/truth/{*rest}", any(truth))
            .route("/{system}/scim/v2/{*rest}", any(scim_door))
            .route("/{system}/api/{*rest}", any(vendor_door))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(self.clone())
    }

    /// Names of the systems, in order.
    pub fn systems(&self) -> Vec<&str> {
        self.inner.systems.keys().map(String::as_str).collect()
    }

    /// The real state of a system, never delayed and never lying.
    ///
    /// # Errors
    /// [`LabError::NoSystem`], as for every method that names a system.
    pub fn truth(&self, system: &str) -> Result<Truth, LabError> {
        self.with(system, |system, now| Truth::of(system, now))
    }

    /// Every effect that a system had, in order.
    ///
    /// # Errors
    /// [`LabError::NoSystem`].
    pub fn ledger(&self, system: &str) -> Result<Vec<LedgerEntry>, LabError> {
        self.with(system, |system, _| system.ledger().to_vec())
    }

    /// Whether a user's API token, session or other thing gets in now; given as its secret or its id.
    ///
    /// # Errors
    /// [`LabError::NoSystem`].
    pub fn works(&self, system: &str, credential: &str) -> Result<bool, LabError> {
        self.with(system, |system, _| {
            let world = &system.truth;
            world.entered(credential).is_some()
                || world.things().any(|thing| thing.id == credential)
                || world.all_users().any(|user| world.live(&user.id, credential))
        })
    }

    /// Does to a system what an administrator would, out of band.
    ///
    /// # Errors
    /// [`LabError::NoSystem`]; [`LabError::BadSeed`] at the first entry that cannot be done, with what came before it
    /// done.
    pub fn seed(&self, system: &str, seed: &Seed) -> Result<Seeded, LabError> {
        self.with(system, |system, now| {
            let path = format!("/truth/{}/seed", system.spec.name);
            let cause = system.cause("POST", &path, Credential::BackDoor, None);
            system.seed(seed, &cause, now)
        })?
    }

    /// Empties a system: as if it had just been created.
    ///
    /// # Errors
    /// [`LabError::NoSystem`].
    pub fn reset(&self, system: &str) -> Result<(), LabError> {
        self.with(system, |system, _| *system = System::new(system.spec.clone()))
    }

    /// Makes a system deviate in these ways from now on, until it is reset.
    ///
    /// # Errors
    /// [`LabError::NoSystem`].
    pub fn behave(
        &self,
        system: &str,
        behaviours: impl IntoIterator<Item = Behaviour>,
    ) -> Result<(), LabError> {
        self.with(system, |system, _| system.behave(behaviours))
    }

    fn with<T>(&self, name: &str, act: impl FnOnce(&mut System, i64) -> T) -> Result<T, LabError> {
        let system = self.system(name).ok_or_else(|| LabError::NoSystem(name.to_owned()))?;
        let now = self.now();
        let mut system = Self::lock(system);
        system.settle(now);
        Ok(act(&mut system, now))
    }

    fn system(&self, name: &str) -> Option<&Mutex<System>> {
        self.inner.systems.get(name)
    }

    fn now(&self) -> i64 {
        self.inner.clock.now_ms()
    }

    /// A system whose handler panicked is still the system that the test wants to look at.
    fn lock(system: &Mutex<System>) -> MutexGuard<'_, System> {
        system.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn scim_door(
    State(lab): State<Lab>,
    Path((system, rest)): Path<(String, String)>,
    parts: Parts,
    body: Bytes,
) -> Response<Body> {
    lab.answer(Door::Scim, &system, &rest, &parts, &body)
}

async fn vendor_door(
    State(lab): State<Lab>,
    Path((system, rest)): Path<(String, String)>,
    parts: Parts,
    body: Bytes,
) -> Response<Body> {
    lab.answer(Door::Vendor, &system, &rest, &parts, &body)
}

async fn truth_root(State(lab): State<Lab>, method: Method) -> Response<Body> {
    lab.answer_truth(&method, "", &[])
}

async fn truth(
    State(lab): State<Lab>,
    method: Method,
    Path(rest): Path<String>,
    body: Bytes,
) -> Response<Body> {
    lab.answer_truth(&method, &rest, &body)
}
