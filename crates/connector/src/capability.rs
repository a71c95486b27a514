//! What a connector can do, and its limits. The default is nothing.

use std::collections::BTreeSet;

use bailiwick_core::access::AccessClass;

/// How a person is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByPerson {
    /// Who, `source/key` or the name of an operator; without it, the owner of the integration.
    pub assignee: Option<String>,
    /// When they are reminded, hours after they were asked.
    pub remind_hours: u32,
    /// Until when it is to be done, hours after they were asked.
    pub hours: u32,
    /// How long their answer stands before somebody looks again, days.
    pub stands_days: u32,
}

/// What can be done to an account itself, besides making it unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccountWrite {
    /// It is made.
    Create,
    /// Its attributes are changed.
    Update,
    /// It is made usable again.
    Enable,
    /// It is removed.
    Delete,
}

impl AccountWrite {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Create, Self::Update, Self::Enable, Self::Delete];

    /// The name, as people and programs read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Enable => "enable",
            Self::Delete => "delete",
        }
    }
}

/// A form in which a change of an account can be written, of several that systems take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// What it is called, for people and in profiles.
    pub name: &'static str,
    /// The way of disabling that acts in this form; its place in [`Capability::disable_ways`].
    pub way: u8,
}

/// What a connector can do with the system it is pointed at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capability {
    /// It lists and gets people of a source of identities.
    pub people: bool,
    /// People are not read: they are pushed to the hub.
    pub pushed: bool,
    /// It lists and gets accounts.
    pub accounts: bool,
    /// It lists and gets groups with their members.
    pub groups: bool,
    /// The classes whose things it can list for one account; all others are unobservable.
    pub observes: BTreeSet<AccessClass>,
    /// The classes it can take from an account.
    pub removes: BTreeSet<AccessClass>,
    /// The classes it can give to an account.
    pub grants: BTreeSet<AccessClass>,
    /// The classes whose credentials it can give to a canary and try.
    pub tries: BTreeSet<AccessClass>,
    /// What it can do to accounts, besides [`disable_ways`](Self::disable_ways).
    pub writes: BTreeSet<AccountWrite>,
    /// The ways it knows to make an account unusable, best first; `Op::Disable { way }` picks one.
    pub disable_ways: Vec<&'static str>,
    /// The places of those of them that are known to have no effect on this system, so that a place means the same
    /// whatever is known. Where one is asked for, the next that has an effect is taken.
    pub idle_ways: BTreeSet<u8>,
    /// The forms in which it can write a change of an account, the usual one first; empty where there is one.
    /// A probe learns which of them the system honours, and tells it: [`Connector::adopt`](crate::Connector::adopt).
    pub forms: Vec<Form>,
    /// A write with a stale version is refused by the system.
    pub conditional: bool,
    /// The system itself takes the idempotency key: the same key twice is one effect even when the first
    /// answer was lost.
    pub idempotency_keys: bool,
    /// Set when not a program but a person makes the changes and looks.
    pub by_person: Option<ByPerson>,
    /// It shows what changed since a reading before: [`Connector::changes`](crate::Connector::changes).
    pub incremental: bool,
    /// It shows what the system's own audit log says: [`Connector::audit`](crate::Connector::audit).
    pub audits: bool,
    /// How long after a write a read may still show the old state, milliseconds.
    pub read_lag_ms: u64,
    /// The largest page that the system gives.
    pub max_page: u32,
}

impl Capability {
    /// The way of disabling at a place or, if that one is idle, the next; none where there are no more.
    pub fn way_from(&self, place: u8) -> Option<u8> {
        let all = u8::try_from(self.disable_ways.len()).unwrap_or(u8::MAX);
        (place..all).find(|way| !self.idle_ways.contains(way))
    }

    /// Whether it can take an account from its beginning to its end.
    pub fn manages_accounts(&self) -> bool {
        AccountWrite::ALL.iter().all(|write| self.writes.contains(write))
    }
}
