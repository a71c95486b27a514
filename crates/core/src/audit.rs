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
    /// What of the account.
    pub about: About,
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
    /// Of what class.
    pub class: AccessClass,
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
    let told = |write: &Write| {
        let since = write.sent.saturating_sub(SKEW).unwrap_or(Timestamp::MIN);
        let theirs = entries_of.get(write.account.as_str());
        theirs.is_some_and(|all| {
            all.iter().any(|one| one.at >= since && one.about.covers(write.class, write.takes))
        })
    };
    let mut out = Compared::default();
    for write in writes.iter().filter(|write| write.done.is_some_and(|done| span.has(done))) {
        match told(write) {
            true => out.found += 1,
            false => out.silent.push(write.clone()),
        }
    }
    (out.late, out.waiting) = missing.into_iter().partition(told);
    let mut writes_of: BTreeMap<&str, Vec<&Write>> = BTreeMap::new();
    for write in writes {
        writes_of.entry(&write.account).or_default().push(write);
    }
    let explained = |entry: &Entry| {
        let theirs = entry.account.as_deref().and_then(|account| writes_of.get(account));
        theirs.is_some_and(|all| all.iter().any(|write| within(write, entry.at, span.delay)))
    };
    let of_one = |entry: &&Entry| entry.account.is_some() || entry.name.is_some();
    let ours = entries.iter().filter(of_one).filter(|entry| entry.ours && span.has(entry.at));
    out.foreign.extend(ours.filter(|entry| !explained(entry)).cloned());
    out
}

/// Whether the entry can be of that change. One whose end is not known may take effect at any time.
fn within(write: &Write, at: Timestamp, delay: SignedDuration) -> bool {
    let begins = write.sent.saturating_sub(SKEW).unwrap_or(Timestamp::MIN);
    let ends = write.done.and_then(|done| done.saturating_add(delay.saturating_add(SKEW)).ok());
    begins <= at && ends.is_none_or(|ends| at <= ends)
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

/// What others did, account by account: the last deed of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Others {
    last: BTreeMap<String, Explained>,
    ours: BTreeSet<String>,
}

impl Others {
    /// Takes an entry; what the hub did is no news to it.
    pub fn take(&mut self, entry: &Entry) {
        let Some(account) = &entry.account else { return };
        if entry.ours {
            self.ours.insert(account.clone());
            return;
        }
        let (actor, deed, at) = (entry.actor.clone(), entry.deed.clone(), entry.at);
        let later = self.last.get(account).is_none_or(|known| known.at <= at);
        if later {
            self.last.insert(account.clone(), Explained { actor, deed, at });
        }
    }

    /// Whether the log has a word of the account, be it under the hub's name.
    pub fn knows(&self, account: &str) -> bool {
        self.last.contains_key(account) || self.ours.contains(account)
    }

    /// Who changed the account last, if somebody else did.
    pub fn of(&self, account: &str) -> Option<&Explained> {
        self.last.get(account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AccessClass::{ApiTokens, PrimaryAccount, Sessions};

    fn t(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn write(account: &str, class: AccessClass, sent: i64, done: Option<i64>) -> Write {
        Write {
            run: RunId::from_bytes([1; 16]),
            seq: 0,
            identity: IdentityId::from_bytes([2; 16]),
            account: account.into(),
            class,
            takes: true,
            sent: t(sent),
            done: done.map(t),
        }
    }

    fn entry(ours: bool, account: &str, about: About, at: i64) -> Entry {
        let actor = if ours { "hub" } else { "administrator" };
        let (mark, deed) = (at.to_string(), "changed".into());
        Entry {
            mark,
            at: t(at),
            actor: actor.into(),
            ours,
            deed,
            account: Some(account.into()),
            name: None,
            about,
        }
    }

    const SPAN: (i64, i64) = (10_000, 20_000);

    /// Silent and foreign, as counts.
    fn check(writes: &[Write], entries: &[Entry], expect: (usize, usize)) {
        let span = Span { from: t(SPAN.0), to: t(SPAN.1), delay: SignedDuration::from_secs(60) };
        let compared = compare(&span, writes, entries, Vec::new());
        let seen = (compared.silent.len(), compared.foreign.len());
        assert_eq!(seen, expect, "{writes:?} {entries:?}: {compared:?}");
    }

    #[test]
    fn what_was_done_is_in_the_log_of_the_system_or_it_is_silent() {
        let tokens = |about| entry(true, "u1", about, 12_005);
        for (about, silent) in [
            (About::Taken(ApiTokens), 0),
            (About::Anything, 0),
            (About::Changed(ApiTokens), 0),
            (About::Given(ApiTokens), 1),
            (About::End, 0),
            (About::Taken(Sessions), 1),
            (About::Taken(PrimaryAccount), 1),
        ] {
            check(&[write("u1", ApiTokens, 12_000, Some(12_004))], &[tokens(about)], (silent, 0));
        }
        let one = [write("u1", ApiTokens, 12_000, Some(12_004))];
        check(&one, &[], (1, 0));
        check(&one, &[entry(true, "u2", About::Anything, 12_004)], (1, 1));
        // Somebody else ended it at about that time: it is ended.
        check(&one, &[entry(false, "u1", About::Taken(ApiTokens), 12_004)], (0, 0));
        // An entry of long before is of something else.
        check(&one, &[entry(true, "u1", About::Taken(ApiTokens), 11_800)], (1, 1));
    }

    #[test]
    fn what_is_not_known_to_be_done_was_so_already_or_is_not_due_is_not_silent() {
        check(&[write("u1", ApiTokens, 12_000, None)], &[], (0, 0));
        check(&[write("u1", ApiTokens, 19_990, Some(20_001))], &[], (0, 0));
        check(&[write("u1", ApiTokens, 9_000, Some(10_000))], &[], (0, 0));
    }

    #[test]
    fn what_the_log_has_under_our_name_was_sent_by_us_or_is_foreign() {
        let at = |second| [entry(true, "u1", About::Taken(PrimaryAccount), second)];
        let known = |done| [write("u1", PrimaryAccount, 12_000, done)];
        check(&known(Some(12_001)), &at(12_001), (0, 0));
        check(&known(Some(12_001)), &at(12_001 + 60 + 120), (0, 0));
        check(&known(Some(12_001)), &at(12_001 + 60 + 121), (0, 1));
        check(&known(Some(12_001)), &at(12_000 - 121), (1, 1));
        // As long as the end of ours is not known, it can be ours.
        check(&known(None), &at(19_000), (0, 0));
        check(&[], &at(12_000), (0, 1));
        // Of an account that nobody here knows, the log says the name alone.
        let named = Entry { account: None, name: Some("ann".into()), ..entry(true, "", About::End, 12_000) };
        check(&known(Some(12_001)), &[at(12_001)[0].clone(), named.clone()], (0, 1));
        check(&[], &[Entry { name: None, ..named }], (0, 0));
        // What is not due yet, and what was compared before.
        check(&[], &at(20_001), (0, 0));
        check(&[], &at(10_000), (0, 0));
    }

    #[test]
    fn a_late_log_takes_back_what_was_said_of_it() {
        let span = Span { from: t(SPAN.0), to: t(SPAN.1), delay: SignedDuration::ZERO };
        let missing =
            vec![write("u1", ApiTokens, 5_000, Some(5_001)), write("u2", ApiTokens, 5_000, Some(5_001))];
        let entries = [entry(true, "u1", About::Taken(ApiTokens), 5_001)];
        let compared = compare(&span, &[], &entries, missing.clone());
        assert_eq!((&compared.late[..], &compared.waiting[..]), (&missing[..1], &missing[1..]));
        assert_eq!(compared.remembered(), missing[1..]);
    }

    #[test]
    fn the_last_of_the_others_explains_what_differs() {
        let mut others = Others::default();
        for entry in [
            entry(false, "u1", About::Anything, 5),
            entry(true, "u1", About::Anything, 9),
            entry(false, "u1", About::Anything, 3),
        ] {
            others.take(&entry);
        }
        assert_eq!(others.of("u1").map(|explained| explained.at), Some(t(5)));
        assert_eq!(others.of("u2"), None);
        others.take(&entry(true, "u3", About::Anything, 9));
        assert_eq!((others.of("u3"), others.knows("u3"), others.knows("u2")), (None, true, false));
    }
}
