//! A system's own audit log beside the hub's: both ways (PRODUCT H2).
//!
//! What the hub was told was done, and the system's log has no word of, was perhaps not done. What the log has
//! under the hub's name, and the hub never sent, somebody else did with the hub's credential. What the log has
//! under other names explains what differs on the system.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::AccessClass,
    id::{IdentityId, RunId},
    plan::Op,
    time::{SignedDuration, Timestamp},
};
use AccessClass::PrimaryAccount;

/// How far the clocks of hub and system may be apart.
pub const SKEW: SignedDuration = SignedDuration::from_secs(120);
/// The code of a log that does not go back to the mark that it is asked to go on from.
pub const LOST: &str = "audit-log-lost";
/// How many writes that a log has no word of are remembered, in case that it is late.
const REMEMBERED: usize = 1_000;

/// What an entry of an audit log is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AuditAbout")]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// Access of one class was given.
    Given(AccessClass),
    /// Access of one class was taken.
    Taken(AccessClass),
    /// Access of one class was changed, in a way that the log does not say.
    Changed(AccessClass),
    /// The end of the account, and with it of whatever ends with an account.
    End,
    /// The log does not say, so it may be anything.
    Anything,
}

impl About {
    /// Whether a change of that class can be the one of the entry; `takes`: it took access, or gave none.
    pub fn covers(self, class: AccessClass, takes: bool) -> bool {
        match self {
            Self::Given(own) => own == class && !takes,
            Self::Taken(own) => own == class && takes,
            Self::Changed(own) => own == class,
            Self::End | Self::Anything => true,
        }
    }

    /// Whether something of that class can be the one of the entry.
    fn is_of(self, class: AccessClass) -> bool {
        self.covers(class, true) || self.covers(class, false)
    }
}

/// A part of an account: what a change or a difference is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Part {
    /// Of which class.
    pub class: AccessClass,
    /// The group alone whose members it is about, by the system's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Whether the account came to be with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub made: bool,
}

impl Part {
    /// Something of a class that the account holds.
    pub const fn of(class: AccessClass) -> Self {
        Self { class, group: None, made: false }
    }

    /// What a change is about.
    pub fn of_op(op: &Op) -> Self {
        let group = match op {
            Op::Grant { class: AccessClass::DirectGroups, external_id }
            | Op::Revoke { class: AccessClass::DirectGroups, external_id } => Some(external_id.clone()),
            Op::Grant { .. }
            | Op::Revoke { .. }
            | Op::RevokeAll { .. }
            | Op::CreateAccount { .. }
            | Op::SetAttributes { .. }
            | Op::Enable
            | Op::Disable { .. }
            | Op::Delete => None,
        };
        Self { class: class_of(op), group, made: matches!(op, Op::CreateAccount { .. }) }
    }
}

/// One entry of a system's audit log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
pub struct Entry {
    /// The place in the log; handed back, it gives what comes after it.
    pub mark: String,
    /// When, by the system's clock.
    pub at: Timestamp,
    /// Who, as the system calls them.
    pub actor: String,
    /// Whether that is the hub's own integration.
    pub ours: bool,
    /// What was done, in the system's word.
    pub deed: String,
    /// The system's id of the account, where it is about one.
    pub account: Option<String>,
    /// The name that people sign in with there, where the log has no more of the account than that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The system's id of the group whose members it is about, where the log says that and not whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What of the account.
    pub about: About,
}

impl Entry {
    /// Whether the log does not say whose account it is about.
    const fn is_nameless(&self) -> bool {
        self.account.is_none() && self.name.is_none()
    }

    /// Whether it says what of an account it is about.
    pub fn says_what(&self) -> bool {
        self.about != About::Anything
    }

    /// Whether it can be about that part of an account, though it does not say whose. What gives an account without saying
    /// which is its making: of one that is there the log would say the name.
    fn may_be_of(&self, part: &Part) -> bool {
        let one_group =
            self.group.as_ref().zip(part.group.as_ref()).is_none_or(|(own, theirs)| own == theirs);
        self.is_nameless()
            && match self.about {
                About::Given(PrimaryAccount) => part.class == PrimaryAccount && part.made,
                About::Taken(PrimaryAccount) | About::Changed(PrimaryAccount) | About::End => {
                    part.class == PrimaryAccount && !part.made
                }
                About::Given(class) | About::Taken(class) | About::Changed(class) => {
                    class == part.class && one_group
                }
                // It says nothing.
                About::Anything => false,
            }
    }

    /// Whether it can be that change of an account, though it does not say whose account it is about. Of a change of the hub's
    /// to an account that is there, the log says whose it is.
    fn may_be(&self, part: &Part, takes: bool) -> bool {
        let nameless = part.class != PrimaryAccount || part.made;
        nameless && self.may_be_of(part) && self.about.covers(part.class, takes)
    }

    /// Whether it tells of that change of that account, by itself.
    pub fn tells(&self, account: &str, part: &Part, takes: bool) -> bool {
        let named = self.account.as_deref() == Some(account) && self.about.covers(part.class, takes);
        named || self.may_be(part, takes)
    }
}

/// A change that the hub made, as its own log has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Write {
    /// The run.
    pub run: RunId,
    /// The number of the change in its plan.
    pub seq: u16,
    /// Whose access it changed.
    pub identity: IdentityId,
    /// The system's id of the account.
    pub account: String,
    /// What of the account.
    #[serde(flatten)]
    pub part: Part,
    /// Whether it took access.
    pub takes: bool,
    /// When it was sent.
    pub sent: Timestamp,
    /// When the system said that it was done; nothing while that is not known, or where it had been so already.
    pub done: Option<Timestamp>,
}

/// The class of access that a change is about.
pub const fn class_of(op: &Op) -> AccessClass {
    match op {
        Op::CreateAccount { .. }
        | Op::SetAttributes { .. }
        | Op::Enable
        | Op::Disable { .. }
        | Op::Delete => AccessClass::PrimaryAccount,
        Op::Grant { class, .. } | Op::Revoke { class, .. } | Op::RevokeAll { class } => *class,
    }
}

/// Whether a change takes access.
pub const fn takes(op: &Op) -> bool {
    match op {
        Op::CreateAccount { .. } | Op::SetAttributes { .. } | Op::Enable | Op::Grant { .. } => false,
        Op::Disable { .. } | Op::Delete | Op::Revoke { .. } | Op::RevokeAll { .. } => true,
    }
}

/// Which part of both logs is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// What was done or logged up to here was compared before.
    pub from: Timestamp,
    /// What was done or logged up to here is compared; later entries may not be in the log yet.
    pub to: Timestamp,
    /// How long after it was sent a change may take effect.
    pub delay: SignedDuration,
}

impl Span {
    /// Where the parts of both logs begin that have to be read: what came just before can belong to what is compared.
    pub fn read_from(&self) -> Timestamp {
        let back = self.delay.saturating_add(SKEW);
        self.from.saturating_sub(back).unwrap_or(Timestamp::MIN)
    }

    /// Whether what was done or logged then is compared.
    pub fn has(&self, at: Timestamp) -> bool {
        self.from < at && at <= self.to
    }
}

/// What comparing gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// How many changes that the hub made are in the system's log.
    pub found: u64,
    /// Changes that the system said it made, and its log has no word of.
    pub silent: Vec<Write>,
    /// The same of earlier, of which the log has a word now.
    pub late: Vec<Write>,
    /// The same of earlier, of which it still has none.
    pub waiting: Vec<Write>,
    /// What was done under the hub's name, and not by the hub.
    pub foreign: Vec<Entry>,
}

impl Compared {
    /// What is remembered, in case that the log is late; the newest.
    pub fn remembered(&self) -> Vec<Write> {
        let mut all: Vec<Write> = self.waiting.iter().chain(&self.silent).cloned().collect();
        all.sort_by_key(|write| write.sent);
        all.split_off(all.len().saturating_sub(REMEMBERED))
    }
}

/// Compares both logs over a span. `writes` and `entries` are all since [`Span::read_from`]; `missing` are writes of
/// earlier that the log had no word of.
pub fn compare(span: &Span, writes: &[Write], entries: &[Entry], missing: Vec<Write>) -> Compared {
    let mut entries_of: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        if let Some(account) = &entry.account {
            entries_of.entry(account).or_default().push(entry);
        }
    }
    let named = |write: &&Write| {
        let since = write.sent.saturating_sub(SKEW).unwrap_or(Timestamp::MIN);
        let theirs = entries_of.get(write.account.as_str());
        theirs.is_some_and(|all| {
            all.iter().any(|one| one.at >= since && one.about.covers(write.part.class, write.takes))
        })
    };
    let nameless = told_nameless(writes.iter().chain(&missing).filter(|write| !named(write)), entries, span);
    let told = |write: &Write| named(&write) || nameless.contains(&(write.run, write.seq));
    let mut out = Compared::default();
    for write in writes.iter().filter(|write| write.done.is_some_and(|done| span.has(done))) {
        match told(write) {
            true => out.found += 1,
            false => out.silent.push(write.clone()),
        }
    }
    let mut writes_of: BTreeMap<&str, Vec<&Write>> = BTreeMap::new();
    for write in writes {
        writes_of.entry(&write.account).or_default().push(write);
    }
    let explained = |entry: &Entry| match &entry.account {
        Some(account) => {
            let theirs = writes_of.get(account.as_str());
            theirs.is_some_and(|all| all.iter().any(|write| within(write, entry.at, span.delay)))
        }
        None => writes
            .iter()
            .any(|write| entry.may_be(&write.part, write.takes) && within(write, entry.at, span.delay)),
    };
    let of_one = |entry: &&Entry| !entry.is_nameless() || entry.says_what();
    let ours = entries.iter().filter(of_one).filter(|entry| entry.ours && span.has(entry.at));
    out.foreign.extend(ours.filter(|entry| !explained(entry)).cloned());
    (out.late, out.waiting) = missing.iter().cloned().partition(told);
    out
}

/// Those of the writes that entries under the hub's name can be which do not say whose account they are about. One entry is one
/// write: first by the time as it is written down, then by clocks that are apart. Where there are fewer entries than writes,
/// it is open which of these is missing.
fn told_nameless<'w>(
    writes: impl Iterator<Item = &'w Write>,
    entries: &[Entry],
    span: &Span,
) -> BTreeSet<(RunId, u16)> {
    let mut free: Vec<&Entry> = entries.iter().filter(|entry| entry.ours && entry.is_nameless()).collect();
    free.sort_by_key(|entry| entry.at);
    let mut open: Vec<&Write> = writes.filter(|write| write.done.is_some()).collect();
    // What can be fewer entries chooses first.
    open.sort_by_key(|write| (write.part.group.is_none(), write.done));
    let mut told = BTreeSet::new();
    for (skew, delay) in [(SignedDuration::ZERO, SignedDuration::ZERO), (SKEW, span.delay)] {
        open.retain(|write| {
            let (begins, ends) = time_of(write, delay, skew);
            let first = free.partition_point(|entry| entry.at < begins);
            let mut near = free[first..].iter().take_while(|entry| ends.is_none_or(|ends| entry.at <= ends));
            let Some(one) = near.position(|entry| entry.may_be(&write.part, write.takes)) else {
                return true;
            };
            free.remove(first + one);
            told.insert((write.run, write.seq));
            false
        });
    }
    told
}

/// Whether the entry can be of that change.
fn within(write: &Write, at: Timestamp, delay: SignedDuration) -> bool {
    let (begins, ends) = time_of(write, delay, SKEW);
    begins <= at && ends.is_none_or(|ends| at <= ends)
}

/// When a change may have taken effect, first and last. One whose end is not known may do so at any time.
fn time_of(write: &Write, delay: SignedDuration, skew: SignedDuration) -> (Timestamp, Option<Timestamp>) {
    let begins = write.sent.saturating_sub(skew).unwrap_or(Timestamp::MIN);
    let ends = write.done.and_then(|done| done.saturating_add(delay.saturating_add(skew)).ok());
    (begins, ends)
}

/// Who changed what, by the system's log: what explains a difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Explained {
    /// Who, as the system calls them.
    pub actor: String,
    /// What, in the system's word.
    pub deed: String,
    /// When.
    pub at: Timestamp,
}

impl Explained {
    fn by(entry: &Entry) -> Self {
        Self { actor: entry.actor.clone(), deed: entry.deed.clone(), at: entry.at }
    }
}

/// What was done, account by account: the last deed of others, and what of it does not say whose account it is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Others {
    last: BTreeMap<String, (About, Explained)>,
    ours: BTreeSet<String>,
    /// The last of each actor about the same.
    nameless: BTreeMap<(About, Option<String>, String), Entry>,
}

impl Others {
    /// Takes an entry; what the hub did to an account is no news to it.
    pub fn take(&mut self, entry: &Entry) {
        let Some(account) = &entry.account else {
            if entry.is_nameless() && entry.says_what() {
                let key = (entry.about, entry.group.clone(), entry.actor.clone());
                let known = self.nameless.entry(key).or_insert_with(|| entry.clone());
                if known.at <= entry.at {
                    known.clone_from(entry);
                }
            }
            return;
        };
        if entry.ours {
            self.ours.insert(account.clone());
            return;
        }
        let later = self.last.get(account).is_none_or(|(_, known)| known.at <= entry.at);
        if later {
            self.last.insert(account.clone(), (entry.about, Explained::by(entry)));
        }
    }

    /// Whether the log has a word of the account, be it under the hub's name, or one that can be of what differs.
    pub fn knows(&self, account: &str, differs: &[Part]) -> bool {
        self.last.contains_key(account) || self.ours.contains(account) || self.able(differs).next().is_some()
    }

    /// Who changed the account last, if somebody else did. Of what does not say whose account it is about, only what nobody
    /// else can have done, not even the hub.
    pub fn of(&self, account: &str, differs: &[Part]) -> Option<Explained> {
        let named = self.last.get(account);
        let fits = |(about, _): &&(About, Explained)| differs.iter().any(|part| about.is_of(part.class));
        let known = || named.map(|(_, known)| known.clone());
        match named.filter(fits) {
            Some((_, known)) => Some(known.clone()),
            None => self.only(differs).or_else(known),
        }
    }

    /// What can be of that and does not say whose account it is about.
    fn able(&self, differs: &[Part]) -> impl Iterator<Item = &Entry> {
        self.nameless.values().filter(|entry| differs.iter().any(|part| entry.may_be_of(part)))
    }

    fn only(&self, differs: &[Part]) -> Option<Explained> {
        let last = self.able(differs).max_by_key(|entry| entry.at)?;
        let alone = !last.ours && self.able(differs).all(|entry| entry.actor == last.actor);
        alone.then(|| Explained::by(last))
    }
}

#[cfg(test)]
mod tests;
