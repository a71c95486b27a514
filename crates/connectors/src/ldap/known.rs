//! What was learned of a directory: its dialect and what it supports, once; its password policies, again
//! after a while, because an administrator can take a lock's effect away at any time.

use std::{
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bailiwick_connector::{
    AccountWrite, Capability, Line, Result,
    broker::ldap::{Base, Depth, Filter, Search, Shown},
};
use bailiwick_core::{access::AccessClass, scope::Operation, time::Timestamp};
use serde_json::json;

use super::{
    ask::{Ask, refusal},
    decode::Reading,
    policy::{Book, Trust},
    settings::{Dialect, Settings, Shape, Way},
};

/// For how long policies are believed to be as they were read.
const FRESH: Duration = Duration::from_secs(60);

/// What a directory says about itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Supported {
    /// Writes can depend on what the entry is (RFC 4528).
    pub(super) assertion: bool,
    /// Answers show what the entry is after a write (RFC 4527).
    pub(super) read_after: bool,
    /// What is new can be asked for (RFC 4533, or by the numbers of Active Directory).
    pub(super) refresh: bool,
    /// Passwords are set by an operation of their own (RFC 3062).
    pub(super) passwords: bool,
    /// It has password policies.
    pub(super) policies: bool,
}

/// What is known of a directory for good.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) shape: Arc<Shape>,
    pub(super) supported: Supported,
    /// What it can do, for each trust in the lock.
    capabilities: [Capability; Trust::ALL.len()],
    /// How accounts are read, likewise.
    readings: [Reading; Trust::ALL.len()],
}

/// What is known at this moment.
#[derive(Clone)]
pub(super) struct Now {
    pub(super) known: Arc<Known>,
    pub(super) book: Arc<Book>,
    pub(super) trust: Trust,
}

impl Now {
    /// How accounts are read.
    pub(super) fn reading(&self) -> &Reading {
        &self.known.readings[place(self.trust)]
    }

    /// What is to be known of the lock, where it would be used.
    pub(super) fn remark(&self) -> Option<&'static str> {
        self.trust.remark().filter(|_| self.known.shape.ways.contains(&Way::Lock))
    }

    /// The way to disable at a place or, if that one has no effect, the next that has.
    pub(super) fn way(&self, place: u8) -> Option<Way> {
        let way = self.known.capabilities[self::place(self.trust)].way_from(place)?;
        self.known.shape.ways.get(usize::from(way)).copied()
    }
}

/// Remembers what was learned.
pub(super) struct Memory {
    /// Before the directory was asked.
    usual: Arc<Known>,
    known: OnceLock<Arc<Known>>,
    book: RwLock<Option<(Timestamp, Arc<Book>)>>,
    /// The place of the trust in [`Trust::ALL`].
    trust: AtomicUsize,
}

fn place(trust: Trust) -> usize {
    Trust::ALL.iter().position(|known| *known == trust).unwrap_or_default()
}

fn works(way: Way, trust: Trust) -> bool {
    way != Way::Lock || trust == Trust::Works
}

fn working(shape: &Shape, trust: Trust) -> Vec<Way> {
    shape.ways.iter().copied().filter(|way| works(*way, trust)).collect()
}

impl Known {
    fn new(shape: Arc<Shape>, supported: Supported) -> Self {
        let capabilities = Trust::ALL.map(|trust| capability(&shape, supported, trust));
        let readings = Trust::ALL.map(|trust| Reading::accounts(&shape, &working(&shape, trust)));
        Self { shape, supported, capabilities, readings }
    }
}

fn capability(shape: &Shape, supported: Supported, trust: Trust) -> Capability {
    use AccessClass::{DirectGroups, NestedGroups, PrimaryAccount, Roles};
    let groups = shape.groups.as_ref();
    let direct = groups.map(|_| DirectGroups);
    let nested = groups.filter(|groups| !groups.by_name).map(|_| NestedGroups);
    let roles = shape.sees_roles().then_some(Roles);
    Capability {
        people: shape.people.is_some(),
        pushed: false,
        accounts: true,
        groups: groups.is_some(),
        observes: [PrimaryAccount].into_iter().chain(direct).chain(nested).chain(roles).collect(),
        removes: direct.into_iter().collect(),
        grants: direct.into_iter().collect(),
        tries: [PrimaryAccount].into(),
        writes: AccountWrite::ALL.into(),
        forms: Vec::new(),
        disable_ways: shape.ways.iter().copied().map(Way::name).collect(),
        idle_ways: (0..)
            .zip(&shape.ways)
            .filter(|(_, way)| !works(**way, trust))
            .map(|(place, _)| place)
            .collect(),
        conditional: supported.assertion,
        idempotency_keys: false,
        by_person: None,
        incremental: supported.refresh,
        audits: shape.log.is_some(),
        read_lag_ms: shape.read_lag_ms,
        max_page: shape.page_size,
    }
}

/// What it can do where everything is configured, and every policy locks.
pub(super) fn most() -> Capability {
    let settings = json!({
        "accounts": {"base": "dc=x"},
        "groups": {"base": "dc=x"},
        "people": {"base": "dc=x"},
        "switch": {"attribute": "loginShell", "off": "/usr/sbin/nologin"},
    });
    let supported = Supported { assertion: true, refresh: true, ..Supported::default() };
    let of = |dialect| {
        let settings = Settings::new(&settings);
        settings
            .map(|settings| capability(settings.shape(dialect), supported, Trust::Works))
            .unwrap_or_default()
    };
    let (mut most, active) = (of(Dialect::OpenLdap), of(Dialect::ActiveDirectory));
    most.observes.extend(active.observes);
    most.disable_ways.extend(active.disable_ways);
    most
}

impl Memory {
    pub(super) fn new(settings: &Settings) -> Self {
        let shape = settings.shape(settings.dialect.unwrap_or(Dialect::OpenLdap)).clone();
        Self {
            usual: Arc::new(Known::new(shape, Supported::default())),
            known: OnceLock::new(),
            book: RwLock::default(),
            trust: AtomicUsize::new(place(Trust::NotSaid)),
        }
    }

    fn trust(&self) -> Trust {
        Trust::ALL.get(self.trust.load(Ordering::Relaxed)).copied().unwrap_or(Trust::NotSaid)
    }

    pub(super) fn capability(&self) -> &Capability {
        &self.known.get().unwrap_or(&self.usual).capabilities[place(self.trust())]
    }

    /// Believes nothing about policies any more.
    pub(super) fn forget(&self) {
        *self.book.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A locked canary was let in: no lock is believed as long as this connector lives.
    pub(super) fn refute(&self) {
        self.trust.store(place(Trust::Refuted), Ordering::Relaxed);
    }

    /// What is known, after asking for what is not or not any more.
    pub(super) async fn now(&self, settings: &Settings, line: &Line) -> Result<Now> {
        let known = match self.known.get() {
            Some(known) => known.clone(),
            None => {
                let known = Arc::new(learn(settings, line).await?);
                self.known.get_or_init(|| known).clone()
            }
        };
        let book = self.book(&known, line).await?;
        Ok(Now { known, book, trust: self.trust() })
    }

    async fn book(&self, known: &Known, line: &Line) -> Result<Arc<Book>> {
        let held = self.book.read().unwrap_or_else(PoisonError::into_inner).clone();
        let now = line.now();
        if let Some((read, book)) = held
            && now.duration_since(read).unsigned_abs() < FRESH
        {
            return Ok(book);
        }
        let shape = &known.shape;
        let (book, trust) = match (&shape.policies, shape.dialect, known.supported.policies) {
            (_, Dialect::ActiveDirectory, _) | (None, ..) => (Book::default(), Trust::NotSaid),
            (Some(_), Dialect::OpenLdap, false) => (Book::default(), Trust::NoPolicies),
            (Some(policies), Dialect::OpenLdap, true) => {
                let book = Book::read(&Ask { line, shape }, policies).await?;
                let trust = book.trust();
                (book, trust)
            }
        };
        if self.trust() != Trust::Refuted && self.trust() != trust {
            if let Some(remark) = trust.remark().filter(|_| shape.ways.contains(&Way::Lock)) {
                tracing::warn!(remark, "locks of accounts");
            }
            self.trust.store(place(trust), Ordering::Relaxed);
        }
        let book = Arc::new(book);
        *self.book.write().unwrap_or_else(PoisonError::into_inner) = Some((now, book.clone()));
        Ok(book)
    }
}

/// Reads the directory's description of itself.
async fn learn(settings: &Settings, line: &Line) -> Result<Known> {
    let filter = Filter::Present("objectClass".to_owned());
    let search = Search {
        operation: Operation::Discover,
        base: Base::RootDse,
        depth: Depth::Base,
        filter: &filter,
        attributes: &["supportedControl", "supportedExtension", "supportedCapabilities"],
        controls: &[],
        connection: None,
    };
    let mut said: Vec<String> = Vec::new();
    let mut show = |shown: Shown<'_>| {
        if let Shown::Entry(entry) = shown {
            let values = entry.attributes().flat_map(|(_, values)| values);
            said.extend(values.map(|value| String::from_utf8_lossy(value).into_owned()));
        }
    };
    let answered = line.search(&search, &mut show).await?;
    if answered.code != 0 {
        return Err(refusal(&answered, "read the directory's description of itself"));
    }
    let says = |oid: &str| said.iter().any(|known| known == oid);
    let dialect = settings.dialect.unwrap_or(match says("1.2.840.113556.1.4.800") {
        true => Dialect::ActiveDirectory,
        false => Dialect::OpenLdap,
    });
    let open = dialect == Dialect::OpenLdap;
    let supported = Supported {
        assertion: open && says("1.3.6.1.1.12"),
        read_after: open && says("1.3.6.1.1.13.2"),
        refresh: !open || says("1.3.6.1.4.1.4203.1.9.1.1"),
        passwords: open && says("1.3.6.1.4.1.4203.1.11.1"),
        policies: says("1.3.6.1.4.1.42.2.27.8.5.1"),
    };
    Ok(Known::new(settings.shape(dialect).clone(), supported))
}
