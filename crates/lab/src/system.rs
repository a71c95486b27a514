//! One simulated system: its true state, what it shows, what is still to come, and its ledger.
//!
//! [`System::commit`] is the only place where truth changes, and it always enters the ledger. Whoever holds a system
//! calls [`System::settle`] first, so that everything due by now has happened.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    Behaviour, SystemSpec,
    ledger::{Cause, Credential, LedgerEntry},
    mint::{Mint, Secret},
    reply::Reply,
    world::{Change, Grant, MemberKind, World},
};

/// An answer kept for its idempotency key.
pub(crate) struct Kept {
    /// Fingerprint of the request it answered.
    pub(crate) request: u64,
    pub(crate) reply: Reply,
}

/// What is still to become of a user.
pub(crate) struct Retained {
    pub(crate) due: i64,
    pub(crate) cause: Cause,
    pub(crate) deletes: bool,
}

pub(crate) struct System {
    pub(crate) spec: SystemSpec,
    behaviours: BTreeSet<Behaviour>,
    pub(crate) mint: Mint,
    pub(crate) truth: World,
    /// What reads see while they lag behind.
    shown: Option<World>,
    /// Changes on their way to `shown`: when they show, when they happened.
    lagging: VecDeque<(i64, i64, Change)>,
    /// Changes on their way to `truth`, by due time and order of asking.
    pending: BTreeMap<(i64, u64), (Cause, Change)>,
    /// What the next sync will do to users: when, because of what.
    pub(crate) retained: BTreeMap<String, Retained>,
    /// Tokens that are said to be revoked and are not.
    pub(crate) lied: BTreeSet<String>,
    ledger: Vec<LedgerEntry>,
    /// Answers kept by idempotency key. They live as long as the system.
    pub(crate) kept: BTreeMap<String, Kept>,
    requests: u64,
    writes: u64,
    scheduled: u64,
    /// The minute now counted for the rate limit, and its count.
    minute: (i64, u32),
}

impl System {
    pub(crate) fn new(spec: SystemSpec) -> Self {
        let mut system = Self {
            behaviours: BTreeSet::new(),
            mint: Mint::new(spec.seed),
            truth: World::default(),
            shown: None,
            lagging: VecDeque::new(),
            pending: BTreeMap::new(),
            retained: BTreeMap::new(),
            lied: BTreeSet::new(),
            ledger: Vec::new(),
            kept: BTreeMap::new(),
            requests: 0,
            writes: 0,
            scheduled: 0,
            minute: (0, 0),
            spec,
        };
        for (name, secret, writes) in
            [("write", &system.spec.tokens.write, true), ("read", &system.spec.tokens.read, false)]
        {
            let (name, secret) = (name.to_owned(), Secret::of(secret));
            let grant = Grant { name, secret, writes, alive: true };
            system.truth.apply(&Change::GrantIssued { grant }, 0);
        }
        let behaviours = system.spec.behaviours.clone();
        system.behave(behaviours);
        system
    }

    /// From now on the system deviates in these ways.
    pub(crate) fn behave(&mut self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.behaviours = behaviours.into_iter().collect();
        if !self.is(Behaviour::StaleRead) {
            self.shown = None;
            self.lagging.clear();
        } else if self.shown.is_none() {
            self.shown = Some(self.truth.clone());
        }
    }

    pub(crate) fn is(&self, behaviour: Behaviour) -> bool {
        self.behaviours.contains(&behaviour)
    }

    pub(crate) fn ledger(&self) -> &[LedgerEntry] {
        &self.ledger
    }

    /// What a read sees.
    pub(crate) fn shown(&self) -> &World {
        self.shown.as_ref().unwrap_or(&self.truth)
    }

    /// Lets everything happen that is due by `now`, each at its own time.
    pub(crate) fn settle(&mut self, now: i64) {
        self.sync(now);
        while let Some(entry) = self.pending.first_entry() {
            let due = entry.key().0;
            if due > now {
                break;
            }
            let (cause, change) = entry.remove();
            self.commit(&cause, change, due);
        }
        while let Some((visible, at, change)) = self.lagging.pop_front() {
            if visible > now {
                self.lagging.push_front((visible, at, change));
                break;
            }
            if let Some(shown) = &mut self.shown {
                shown.apply(&change, at);
            }
        }
    }

    /// Makes a change true and enters it in the ledger; false, and no entry, if there was nothing to change.
    pub(crate) fn commit(&mut self, cause: &Cause, change: Change, now: i64) -> bool {
        if !self.truth.apply(&change, now) {
            return false;
        }
        if let Change::TokenSuspended { user, token, purges_at_ms } = &change {
            let purge =
                Change::TokenPurged { user: user.clone(), token: token.clone(), purges_at_ms: *purges_at_ms };
            self.schedule(cause, purge, *purges_at_ms);
        }
        if let Change::ThingMade { thing } = &change
            && let Some(end) = thing.ends_at_ms
        {
            let ended = Change::ThingEnded { thing: thing.id.clone(), holder: thing.holder.clone() };
            self.schedule(cause, ended, end);
        }
        let seq = self.ledger.len() as u64 + 1;
        self.ledger.push(LedgerEntry::of(&change, seq, now, cause.clone()));
        if self.shown.is_some() {
            self.lagging.push_back((now + self.spec.timing.stale_read_ms, now, change));
        }
        true
    }

    /// Commits a change of membership, now or, on a system where that takes its time, later.
    pub(crate) fn commit_member(&mut self, cause: &Cause, change: Change, now: i64) {
        if self.is(Behaviour::AsyncMembers) {
            self.schedule(cause, change, now + self.spec.timing.async_members_ms);
        } else {
            self.commit(cause, change, now);
        }
    }

    fn schedule(&mut self, cause: &Cause, change: Change, due: i64) {
        self.scheduled += 1;
        self.pending.insert((due, self.scheduled), (cause.clone(), change));
    }

    /// Membership changes accepted and not yet true.
    pub(crate) fn pending_members(&self) -> usize {
        let of_members = |(_, change): &&(Cause, Change)| {
            matches!(change, Change::MemberAdded { .. } | Change::MemberRemoved { .. })
        };
        self.pending.values().filter(of_members).count()
    }

    /// The members of a group once everything accepted has happened.
    pub(crate) fn accepted_members(&self, group: &str) -> BTreeMap<String, MemberKind> {
        let mut members = self.truth.group(group).map(|group| group.members.clone()).unwrap_or_default();
        for (_, change) in self.pending.values() {
            match change {
                Change::MemberAdded { group: of, member, kind } if of == group => {
                    members.insert(member.clone(), *kind);
                }
                Change::MemberRemoved { group: of, member, .. } if of == group => {
                    members.remove(member);
                }
                _ => {}
            }
        }
        members
    }

    /// Whether a member is in a group once everything accepted has happened; does not visit the other members.
    pub(crate) fn accepted_member(&self, group: &str, member: &str) -> bool {
        let last = self.pending.values().rev().find_map(|(_, change)| match change {
            Change::MemberAdded { group: g, member: m, .. } if g == group && m == member => Some(true),
            Change::MemberRemoved { group: g, member: m, .. } if g == group && m == member => Some(false),
            _ => None,
        });
        last.unwrap_or_else(|| {
            self.truth.group(group).is_some_and(|group| group.members.contains_key(member))
        })
    }

    /// A cause for what a request is about to do.
    pub(crate) fn cause(
        &mut self,
        method: &str,
        path: &str,
        credential: Credential,
        idempotency_key: Option<String>,
    ) -> Cause {
        self.requests += 1;
        Cause {
            request: self.requests,
            method: method.to_owned(),
            path: path.to_owned(),
            credential,
            idempotency_key,
        }
    }

    /// Counts a successful write; true if its answer is to be lost.
    pub(crate) fn loses_answer(&mut self) -> bool {
        self.writes += 1;
        let every = self.spec.timing.timeout_every;
        self.is(Behaviour::TimeoutAfterCommit) && (self.writes + self.spec.seed % every).is_multiple_of(every)
    }

    /// Counts a request against the rate limit; if it is too much, the seconds until the next minute.
    pub(crate) fn over_limit(&mut self, now: i64) -> Option<i64> {
        let limit = self.spec.rate?.per_minute;
        let minute = now.div_euclid(60_000);
        if self.minute.0 != minute {
            self.minute = (minute, 0);
        }
        if self.minute.1 >= limit {
            return Some(((minute + 1) * 60_000 - now + 999).div_euclid(1_000));
        }
        self.minute.1 += 1;
        None
    }
}
