//! Drives the flow: event → decide → plan → approve → apply → verify → evidence.
//!
//! Each step is a module with the step's name. All state is in the store and all work is in its queue;
//! an engine holds nothing that matters, so any number of them can run, and any of them can die at any
//! point. No transaction is open while a system is called.
//!
//! Absent on purpose: any knowledge of a protocol (connectors), of SQL (store), of HTTP (hub).

mod accept;
mod access;
mod activate;
mod align;
mod alone;
mod apply;
mod approve;
mod ask;
mod audit;
mod authority;
mod budget;
mod canary;
mod catalogue;
mod check;
mod configure;
mod control;
mod decide;
mod delivery;
mod door;
mod doors;
mod drill;
mod engagement;
mod erase;
mod error;
mod exception;
mod export;
mod exposure;
mod factor;
mod feed;
mod fetch;
mod finding;
mod follow_up;
mod govern;
mod holders;
mod hook;
mod hub_roles;
mod intake;
mod invite;
mod join;
mod keyed;
mod kill;
mod limits;
mod metrics;
mod observe;
mod operator;
mod outcome;
mod owned;
mod passkey;
mod probe;
mod progress;
mod provider;
mod purge;
mod push;
mod quarantine;
mod reconcile;
mod recovery;
mod redecide;
mod rehire;
mod reserved;
mod review;
mod scope_test;
mod sequencer;
mod session;
mod settle;
mod sieve;
mod simulate;
mod stay;
mod task;
mod termination;
mod then;
mod token;
mod trace;
mod transfer;
mod trial;
mod turn;
mod undo;
mod upkeep;
mod verify;
mod why;
mod work;

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use bailiwick_connector::{Broker, Connector, Pause, broker::Window};
use bailiwick_core::{
    id::{Entropy, IntegrationName, Tenant},
    record::{Actor, Record, RecordKind},
    time::{Clock, Timestamp},
};
use bailiwick_store::{Store, Tx};

pub use access::AccessRequest;
pub use approve::Decided;
pub use ask::{
    AskRefusal, Asker, Entity as AskedAbout, Explained, Found, PageRequest, Question as AccessAsked, Reason,
    Verdict, Written as WrittenDown,
};
pub use audit::Audited;
pub use budget::{HeldChange, Spending};
pub use catalogue::{Catalogue, Compiled};
pub use check::{CheckReport, Damage};
pub use configure::{ConfigChange, Configuration, DiffLine, Requester, Waiting};
pub use door::{DoorRefusal, Written};
pub use error::{EngineError, Result};
pub use exception::GlassRequest;
pub use factor::Given;
pub use fetch::Comes;
pub use holders::{Holder, Holders};
pub use intake::Imported;
pub use invite::{OperatorAsked, OperatorRequest};
pub use keyed::{KeyRefusal, UnderKey};
pub use kill::{Killed, Sweep, Swept};
pub use observe::{is_so, shown_digest};
pub use passkey::{Entered, NewPasskey};
pub use provider::{Told, Vouched};
pub use push::{Admitted, GroupRule, GroupWrite, PushRefusal, Pushing, Removed, UserWrite};
pub use reconcile::{Classes, Differs, How, Overflow, Reconciled};
pub use recovery::RecoveryView;
pub use sequencer::Sequencer;
pub use session::{IDLE, Opened, TurnedAway};
pub use simulate::{Changed, Simulation};
pub use termination::{ArmRequest, Fired};
pub use then::Unrecorded;
pub use token::{LONGEST_DAYS, MadeToken};
pub use trace::Traces;
pub use trial::{Tried, TriedVerdict};
pub use undo::{UndoRequest, Undone};
pub use why::{Might, Why};
pub(crate) use work::Haste;
pub use work::{Job, Quiet, Slow};

/// What is being done, whatever it takes: the calls that lead to most of the others give this back, or every
/// program that makes one of them would be compiled with all of it.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Makes a connector of a kind from its settings.
pub type Build = fn(&str, &serde_json::Value) -> bailiwick_connector::Result<Arc<dyn Connector>>;

/// What an engine is made of.
pub struct Parts {
    /// Where state is kept.
    pub store: Arc<dyn Store>,
    /// Whose state.
    pub tenant: Tenant,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// The only way out.
    pub broker: Arc<Broker>,
    /// Makes connectors.
    pub build: Build,
    /// Waits until a system shows what was changed, when it is probed on schedule.
    pub pause: Arc<dyn Pause>,
    /// How long a turn waits for systems. What is under way then goes on beside it.
    pub turn: Duration,
    /// The policies that were compiled.
    pub compiled: Arc<Compiled>,
    /// Distinguishes this engine from others on the same store.
    pub name: String,
    /// The version of the program, and so of the connectors that come with it.
    pub version: String,
}

/// One engine: does the work that the store's queue holds. A clone is the same engine.
#[derive(Clone)]
pub struct Engine {
    parts: Arc<Parts>,
    catalogue: Arc<Mutex<Option<Arc<Catalogue>>>>,
    progress: Arc<progress::Progress>,
    /// The calls of the last minute at the door, by caller.
    pace: Arc<Mutex<BTreeMap<(IntegrationName, door::Calls), Window>>>,
    /// When the use of scopes was last written down.
    counted: Arc<Mutex<Option<Timestamp>>>,
    meter: Arc<tokio::sync::Mutex<metrics::Meter>>,
    remembered: Arc<then::Remembered>,
    /// What questions need to know, at most a tenth of a second old.
    live: Arc<ask::Live>,
    /// How often integrations asked in this minute.
    asked: Arc<ask::Asked>,
    /// What is to be written down of decisions.
    ledger: ask::Ledger,
    doors: Arc<doors::Doors>,
}

impl Engine {
    /// An engine of the given parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
            catalogue: Arc::default(),
            progress: Arc::default(),
            pace: Arc::default(),
            counted: Arc::default(),
            meter: Arc::default(),
            remembered: Arc::default(),
            live: Arc::default(),
            asked: Arc::default(),
            ledger: ask::Ledger::default(),
            doors: Arc::default(),
        }
    }

    /// The parts it is made of.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The instant it is now.
    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    fn entropy(&self) -> &dyn Entropy {
        &*self.parts.entropy
    }

    fn tenant(&self) -> &Tenant {
        &self.parts.tenant
    }

    async fn begin(&self) -> Result<Box<dyn Tx>> {
        Ok(self.parts.store.begin().await?)
    }

    async fn read(&self) -> Result<Box<dyn Tx>> {
        Ok(self.parts.store.read().await?)
    }

    fn record(&self, kind: RecordKind, step: &str) -> Record {
        Record::new(kind, self.now(), Actor::Hub(step.to_owned()), self.entropy())
    }
}
