//! The course of one case, as the log tells it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{fact, text};
use crate::{
    access::{AccessClass, Stage},
    id::{EventId, IdentityId},
    record::{Logged, RecordKind},
    time::Timestamp,
};

/// A case: what began it, and how far access has ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Course {
    pub identity: IdentityId,
    event: EventId,
    /// From when the time is taken: when it was known and in effect.
    pub start: Timestamp,
    /// When the departure took effect, which may have been told late.
    pub effective: Timestamp,
    /// Whether it had taken effect when it was heard of.
    pub late: bool,
    /// When a system first said that it had taken something away.
    pub killed: Option<Timestamp>,
    /// Since when every session, token and key is known to be dead.
    pub dead: Option<Timestamp>,
    /// Since when nothing is left of any class.
    pub gone: Option<Timestamp>,
    /// When it was closed last; not while it is open.
    pub closed: Option<Timestamp>,
    /// Nothing was to be done, so nothing has to be proven.
    pub empty: bool,
    /// Whether it was closed before.
    was_closed: bool,
    /// Systems with something to do that were not read back.
    awaited: BTreeSet<String>,
    /// Where something may be alive; `true` where live credentials are.
    alive: BTreeMap<(String, String), bool>,
    /// Whether anything was read back at all.
    read: bool,
}

impl Course {
    pub(super) const fn new(
        identity: IdentityId,
        event: EventId,
        start: Timestamp,
        effective: Timestamp,
    ) -> Self {
        Self {
            identity,
            event,
            start,
            effective,
            late: false,
            killed: None,
            dead: None,
            gone: None,
            closed: None,
            empty: false,
            was_closed: false,
            awaited: BTreeSet::new(),
            alive: BTreeMap::new(),
            read: false,
        }
    }

    /// There was no account anywhere: it was closed when it was opened.
    pub(super) const fn nothing_to_prove(&mut self, at: Timestamp) {
        (self.empty, self.closed, self.gone, self.was_closed) = (true, Some(at), Some(at), true);
    }

    pub(super) const fn reopen(&mut self) {
        self.closed = None;
    }

    /// Closes it; gives whether that is the first time.
    pub(super) fn close(&mut self, at: Timestamp) -> bool {
        self.closed = Some(at);
        // A map out of which everything was taken keeps its room, and courses are kept for good.
        if self.alive.is_empty() {
            self.alive = BTreeMap::new();
        }
        if self.awaited.is_empty() {
            self.awaited = BTreeSet::new();
        }
        !std::mem::replace(&mut self.was_closed, true)
    }

    /// A record about its identity, or with its name on it.
    pub(super) fn take(&mut self, logged: &Logged) {
        let kind = logged.kind;
        if kind == RecordKind::Decided && logged.event == Some(self.event) {
            self.empty = fact(logged, "changes").and_then(Value::as_u64) == Some(0) && !self.begun();
        } else if kind == RecordKind::Planned && logged.event == Some(self.event) {
            self.empty = false;
            let changes = fact(logged, "changes").and_then(Value::as_array).into_iter().flatten();
            let systems = changes.filter_map(|change| change.as_str()?.split(' ').next());
            self.awaited.extend(systems.map(str::to_owned));
        } else if self.takes_away(logged) {
            self.killed.get_or_insert(logged.at);
        } else if kind == RecordKind::Verified && logged.case.is_some() {
            self.read(logged);
        } else if kind == RecordKind::ControlAccepted && logged.case.is_some() {
            cell(logged).map(|cell| self.alive.remove(&cell));
        }
        self.settle(logged.at);
    }

    fn begun(&self) -> bool {
        self.read || self.killed.is_some() || !self.awaited.is_empty()
    }

    /// Whether it says that something was taken away. What an event from before began is none of it; ids of events
    /// ascend in time.
    fn takes_away(&self, logged: &Logged) -> bool {
        let since = logged.event >= Some(self.event);
        let kind = logged.kind;
        (kind == RecordKind::Applied && since && took_something(logged))
            || (kind == RecordKind::TaskAnswered && since && text(logged, "outcome") == Some("done"))
            // Ending an integration: the call that ends its credential, which worked until then.
            || (kind == RecordKind::Sent
                && logged.case.is_some()
                && fact(logged, "accepted") == Some(&Value::Bool(true)))
    }

    fn read(&mut self, logged: &Logged) {
        let Some(cell) = cell(logged) else { return };
        self.read = true;
        self.empty = false;
        self.awaited.remove(&cell.0);
        if is_gone(logged) {
            self.alive.remove(&cell);
        } else {
            let live = cell.1.parse::<AccessClass>().is_ok_and(|class| class.stage() == Stage::Kill);
            self.alive.insert(cell, live);
        }
    }

    fn settle(&mut self, at: Timestamp) {
        let known = self.read && self.awaited.is_empty();
        keep(&mut self.dead, known && !self.alive.values().any(|live| *live), at);
        keep(&mut self.gone, known && self.alive.is_empty(), at);
    }
}

/// Since when something is so.
fn keep(since: &mut Option<Timestamp>, so: bool, at: Timestamp) {
    *since = so.then(|| since.unwrap_or(at));
}

/// Whether what was read says that it is gone: absent, or shown not to work, or somebody answers for what stands in
/// for seeing it.
pub(crate) fn is_gone(logged: &Logged) -> bool {
    match text(logged, "verdict") {
        Some("removed" | "blocked") => true,
        Some("unobservable") => text(logged, "method") == Some("attested"),
        Some(_) | None => false,
    }
}

/// Which cell a record is about.
pub(super) fn cell(logged: &Logged) -> Option<(String, String)> {
    Some((text(logged, "system")?.to_owned(), text(logged, "class")?.to_owned()))
}

/// Whether a system answered that it did at least one change.
fn took_something(logged: &Logged) -> bool {
    let steps = fact(logged, "steps").and_then(Value::as_object);
    steps.is_some_and(|steps| steps.values().any(|step| step["step"] == "applied"))
}
