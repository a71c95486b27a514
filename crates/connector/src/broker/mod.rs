//! The broker: the only code that opens connections to systems and attaches credentials.
//!
//! A call goes out only when, in this order: the integration is in use · a rule of its scope has the
//! call's operation, verb and target · the line's purpose allows it · the address is the integration's
//! endpoint, and its name leads to where it may · there is a credential that opens, or the settings say that none is needed · the budget is
//! not used up. Only then is the credential attached. A call outside of the scope is not sent, is recorded
//! as an [`Incident`], and stops the integration at once.
//!
//! Absent on purpose: following redirects or addresses from answers, trying anything again, proxies.

mod action;
mod budget;
mod call;
mod destination;
mod file;
mod heard;
mod http;
mod kill;
pub mod ldap;
mod line;
mod network;
mod oauth;
mod ongoing;
mod places;
mod resolve;
mod settings;
mod sigv4;
mod sql;
mod transport;

use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bailiwick_core::{
    digest::Digest,
    id::{IntegrationName, Tenant},
    integration::{Integration, Purpose},
    review::{Use, Whereabouts},
    scope::{Operation, ScopeRule},
    time::{Clock, Timestamp},
};

pub use action::Action;
pub use budget::Window;
pub use call::{Answer, Call};
pub use heard::Heard;
pub use http::{HttpLimits, HttpTransport};
pub use kill::KillLine;
pub use line::{Line, reserved};
pub use network::{Astray, BadNetwork, Network, Place, Reach};
pub use places::{NetworkPlaces, Places};
pub use resolve::{Guide, Lost, Resolver, SystemResolver};
pub use settings::{Auth, LineSettings};
pub use sql::{Cell, Rows, Statement, Statements};
pub use transport::{Transport, TransportError, TransportErrorKind, TrustAnchor};

pub(crate) use destination::{Destination, encode};

use crate::seal::{Credential, SealContext, SealKey, Sealed};

/// The largest file that is read when nothing else is said: 1 GiB.
pub const FILE_LIMIT: u64 = 1 << 30;

/// A call that was not sent because it was outside of what its integration may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// The integration; it is stopped.
    pub integration: IntegrationName,
    /// What the call was for.
    pub operation: Operation,
    /// Its verb.
    pub method: &'static str,
    /// The shape of its target: what no rule of the scope has in clear is `{}`, so that nothing personal is
    /// in it.
    pub path: String,
    /// The target as it was called, without its query. It may name a person.
    pub called: String,
    /// Why it was not sent.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// What went over the lines of an integration since the broker was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Calls that were sent.
    pub calls: u64,
    /// Those of them that write.
    pub writes: u64,
    /// Calls that were sent and got no answer.
    pub unanswered: u64,
    /// Bytes of the answers' bodies.
    pub received: u64,
    /// Time spent waiting for answers.
    pub waited: Duration,
    /// Digest of the last answer to a write. Answers to reads go into observations; see [`Heard`].
    pub last_write: Option<Digest>,
}

/// Makes lines to systems. One for each tenant.
pub struct Broker {
    inner: Arc<Inner>,
}

struct Inner {
    tenant: Tenant,
    transport: Arc<dyn Transport>,
    directory: Arc<dyn ldap::Directory>,
    resolver: Arc<dyn Resolver>,
    places: Arc<dyn Places>,
    clock: Arc<dyn Clock>,
    key: Arc<SealKey>,
    file_limit: u64,
    folder: Option<PathBuf>,
    dialects: BTreeMap<String, Arc<Statements>>,
    state: Mutex<State>,
}

/// The use of the rules of each integration.
pub type Used = BTreeMap<IntegrationName, BTreeMap<ScopeRule, Use>>;

#[derive(Default)]
struct State {
    stopped: BTreeMap<IntegrationName, String>,
    incidents: Vec<Incident>,
    windows: BTreeMap<IntegrationName, Window>,
    traffic: BTreeMap<IntegrationName, Traffic>,
    used: Used,
    tokens: oauth::Tokens,
}

impl Broker {
    /// A broker that sends over `transport` and opens the tenant's credentials with `key`.
    pub fn new(
        tenant: Tenant,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        key: Arc<SealKey>,
    ) -> Self {
        let (file_limit, dialects, state) = (FILE_LIMIT, BTreeMap::new(), Mutex::default());
        let directory = Arc::new(ldap::Sockets::default());
        let resolver = Arc::new(SystemResolver);
        let places = Arc::new(NetworkPlaces);
        Self {
            inner: Arc::new(Inner {
                tenant,
                transport,
                directory,
                resolver,
                places,
                clock,
                key,
                file_limit,
                folder: None,
                dialects,
                state,
            }),
        }
    }

    /// Makes connections to directories by `directory` instead of sockets. Lines that were made before keep
    /// theirs.
    #[must_use]
    pub fn with_directory(self, directory: Arc<dyn ldap::Directory>) -> Self {
        self.remade(|inner| inner.directory = directory)
    }

    /// Looks names up by `resolver` instead of this machine's. Lines that were made before keep theirs.
    #[must_use]
    pub fn with_resolver(self, resolver: Arc<dyn Resolver>) -> Self {
        self.remade(|inner| inner.resolver = resolver)
    }

    /// Finds out where callbacks lead by `places` instead of the network.
    #[must_use]
    pub fn with_places(self, places: Arc<dyn Places>) -> Self {
        self.remade(|inner| inner.places = places)
    }

    /// Where the address leads now.
    pub async fn place(&self, address: &str) -> Whereabouts {
        self.inner.places.place(address).await
    }

    /// Hands out the use of the integrations' rules since the last time, once. A rule was used by a call that was
    /// let through to be sent.
    pub fn take_used(&self) -> Used {
        std::mem::take(&mut self.inner.state().used)
    }

    /// Gives back use that could not be written down.
    pub fn put_back(&self, used: Used) {
        let mut state = self.inner.state();
        for (integration, rules) in used {
            for (rule, more) in rules {
                let known = state.used.entry(integration.clone()).or_default();
                let known = known.entry(rule).or_insert(Use { calls: 0, last: more.last });
                known.calls += more.calls;
                known.last = known.last.max(more.last);
            }
        }
    }

    /// Reads files of at most `bytes`. Lines that were made before keep their limit.
    #[must_use]
    pub fn with_file_limit(self, bytes: u64) -> Self {
        self.remade(|inner| inner.file_limit = bytes)
    }

    /// Reads files of endpoints such as `file:feeds/hr` in `folder`. Lines that were made before keep theirs.
    #[must_use]
    pub fn with_folder(self, folder: PathBuf) -> Self {
        self.remade(|inner| inner.folder = Some(folder))
    }

    /// Executes these statements for integrations whose setting `dialect` is `name`, and none of their own.
    #[must_use]
    pub fn with_dialect(self, name: &str, statements: Statements) -> Self {
        self.remade(|inner| drop(inner.dialects.insert(name.to_owned(), Arc::new(statements))))
    }

    fn remade(self, change: impl FnOnce(&mut Inner)) -> Self {
        let old = &*self.inner;
        let mut inner = Inner {
            tenant: old.tenant.clone(),
            transport: old.transport.clone(),
            directory: old.directory.clone(),
            resolver: old.resolver.clone(),
            places: old.places.clone(),
            clock: old.clock.clone(),
            key: old.key.clone(),
            file_limit: old.file_limit,
            folder: old.folder.clone(),
            dialects: old.dialects.clone(),
            state: Mutex::default(),
        };
        change(&mut inner);
        Self { inner: Arc::new(inner) }
    }

    /// A line to the integration's system, for one purpose. Nothing is opened yet; what is wrong with
    /// the integration is said by [`Line::send`].
    pub fn line(&self, integration: &Integration, purpose: Purpose, sealed: Option<&Sealed>) -> Line {
        Line::new(self.inner.clone(), integration, purpose, sealed)
    }

    /// Seals a credential for [`line`](Self::line) to attach later; only a broker with the same key can.
    pub fn seal(
        &self,
        context: &SealContext,
        credential: &Credential,
        entropy: &dyn bailiwick_core::id::Entropy,
    ) -> Sealed {
        self.inner.key.seal(context, credential, entropy)
    }

    /// A seal over `bytes`, hexadecimal, that only somebody with the tenant's key can make: what carries it
    /// was not put into the database by hand.
    pub fn attest(&self, bytes: &[u8]) -> String {
        self.inner.key.attest(bytes)
    }

    /// Whether `seal` is one that [`attest`](Self::attest) made over `bytes`. Takes the same time whatever
    /// differs.
    pub fn attested(&self, bytes: &[u8], seal: &str) -> bool {
        self.inner.key.attested(bytes, seal)
    }

    /// The secret that an integration signs its hints with, to be shown this once; `number` counts them from 1.
    pub fn hook_secret(&self, integration: &IntegrationName, number: u64) -> crate::seal::HookSecret {
        self.inner.key.hook_secret(&self.inner.tenant, integration, number)
    }

    /// Whether a hint is signed with the secret of that number.
    pub fn hook_signed(
        &self,
        integration: &IntegrationName,
        number: u64,
        hint: crate::seal::Signed<'_>,
    ) -> bool {
        self.inner.key.hook_signed(&self.inner.tenant, integration, number, hint)
    }

    /// Makes the secret of an operator's second factor, sealed for them alone, and the address by which they
    /// take it over.
    pub fn enrol(
        &self,
        operator: bailiwick_core::id::OperatorId,
        name: &str,
        entropy: &dyn bailiwick_core::id::Entropy,
    ) -> (Sealed, crate::seal::Enrolment) {
        self.inner.key.enrol(&self.inner.tenant, operator, name, entropy)
    }

    /// Whether `code` is the one of a step of the operator's second factor. `None` when its secret does not
    /// open for them with this key.
    pub fn is_code(
        &self,
        operator: bailiwick_core::id::OperatorId,
        sealed: &Sealed,
        step: i64,
        code: &str,
    ) -> Option<bool> {
        self.inner.key.is_code(&self.inner.tenant, operator, sealed, step, code)
    }

    /// Hands out the incidents since the last time, oldest first, each once.
    pub fn incidents(&self) -> Vec<Incident> {
        std::mem::take(&mut self.inner.state().incidents)
    }

    /// Stops an integration: nothing goes out on any of its lines until [`release`](Self::release).
    pub fn stop(&self, integration: &IntegrationName, reason: impl Into<String>) {
        self.inner.state().stopped.insert(integration.clone(), reason.into());
    }

    /// Lets an integration send again, as far as its standing says so too.
    pub fn release(&self, integration: &IntegrationName) {
        self.inner.state().stopped.remove(integration);
    }

    /// What went over the lines, by integration.
    pub fn traffic(&self) -> BTreeMap<IntegrationName, Traffic> {
        self.inner.state().traffic.clone()
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("tenant", &self.inner.tenant).finish_non_exhaustive()
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change of the state is one insertion or removal; a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod oauth_tests;
#[cfg(test)]
mod reach_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
