//! Exposure: what somebody could still do between leaving and the hub hearing of it (PRODUCT D7).
//!
//! A departure that is told late acts at once; that undoes nothing of what happened before. So its case says how long
//! that was, what they held meanwhile and where, and what the systems' own logs have of them in that time. No log means that
//! it is not known, and is said so.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, AccountState},
    audit::Entry,
    id::{AccountId, EntitlementName, SystemName},
    time::Timestamp,
};

/// How many uses are named of each system; all are counted.
const NAMED: usize = 10;

/// What somebody could still do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exposure {
    /// When they had left.
    pub from: Timestamp,
    /// When the hub heard of it.
    pub heard: Timestamp,
    /// System → what they could use there in that time.
    pub access: BTreeMap<SystemName, Open>,
}

/// What was open to them on one system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ExposureOpen")]
pub struct Open {
    /// The account.
    pub account: AccountId,
    /// What it held at some time of it.
    pub entitlements: BTreeSet<EntitlementName>,
    /// What the system's own log has of them.
    pub uses: Uses,
}

/// What a system's log has of somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ExposureUses")]
#[serde(rename_all = "kebab-case", tag = "log")]
pub enum Uses {
    /// It was not looked at yet.
    Unread,
    /// There is none that is read here: it is not known.
    None,
    /// It could not be read.
    Failed {
        /// Why: the code.
        code: String,
    },
    /// It was read.
    Read {
        /// How many entries of that time are theirs.
        count: u64,
        /// The last of them.
        last: Vec<Use>,
        /// Whether it was read to its end.
        whole: bool,
    },
}

/// One thing that they did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ExposureUse")]
pub struct Use {
    /// When, by the system's clock.
    pub at: Timestamp,
    /// What, in the system's word.
    pub deed: String,
}

impl Exposure {
    /// Of somebody who had left before the hub heard of it, with the accounts that they have; `None` where it was told
    /// in time.
    pub fn of(from: Timestamp, heard: Timestamp, accounts: &[Account]) -> Option<Self> {
        let usable = accounts.iter().filter(|account| account.state.active);
        let open = |account: &Account| Open {
            account: account.id,
            entitlements: account.state.entitlements.iter().cloned().collect(),
            uses: Uses::Unread,
        };
        let access = usable.map(|account| (account.system.clone(), open(account))).collect();
        (from < heard).then_some(Self { from, heard, access })
    }

    /// Adds what an account held before a change within that time.
    pub fn held_before(&mut self, system: &SystemName, account: AccountId, before: &AccountState) {
        if !before.active {
            return;
        }
        let fresh = || Open { account, entitlements: BTreeSet::new(), uses: Uses::Unread };
        let open = self.access.entry(system.clone()).or_insert_with(fresh);
        open.entitlements.extend(before.entitlements.iter().cloned());
    }

    /// How long it lasted, milliseconds.
    pub fn millis(&self) -> i64 {
        self.heard.as_millisecond().saturating_sub(self.from.as_millisecond())
    }

    /// How many uses are known.
    pub fn known_uses(&self) -> u64 {
        let count = |open: &Open| match &open.uses {
            Uses::Read { count, .. } => *count,
            Uses::Unread | Uses::None | Uses::Failed { .. } => 0,
        };
        self.access.values().map(count).sum()
    }

    /// Whether an entry of a log is something that the holder of the account did in that time. Who did it may be written as a
    /// name with an id in brackets: then the id counts, because names are chosen.
    pub fn is_use(&self, account: &Account, entry: &Entry) -> bool {
        let id = entry.actor.strip_suffix(')').and_then(|actor| Some(actor.rsplit_once(" (")?.1));
        let actor = id.unwrap_or(&entry.actor);
        let named = |name: &str| !name.is_empty() && name.eq_ignore_ascii_case(actor);
        let theirs = named(&account.username)
            || named(&account.external_id)
            || account.state.attributes.values().any(|value| named(&value.to_string()));
        theirs && !entry.ours && self.from <= entry.at && entry.at <= self.heard
    }
}

impl Uses {
    /// What was read: the uses in the order of the log.
    pub fn read(mut uses: Vec<Use>, whole: bool) -> Self {
        let count = uses.len() as u64;
        uses.sort_by_key(|one| one.at);
        let last = uses.split_off(uses.len().saturating_sub(NAMED));
        Self::Read { count, last, whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::About;

    fn t(s: i64) -> Timestamp {
        Timestamp::from_second(s).unwrap()
    }

    fn account(active: bool, held: &[&str]) -> Account {
        Account {
            id: AccountId::from_bytes([1; 16]),
            system: SystemName::new("chat").unwrap(),
            external_id: "u-1".into(),
            username: "Ann@x.test".into(),
            identity: None,
            for_key: None,
            state: AccountState { active, entitlements: names(held), ..AccountState::default() },
            applied: None,
            seen: t(0),
        }
    }

    fn names(held: &[&str]) -> Vec<EntitlementName> {
        held.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn what_is_told_late_exposes_what_could_be_used() {
        let check = |from: i64, heard: i64, active: bool, expect: Option<usize>| {
            let exposed = Exposure::of(t(from), t(heard), &[account(active, &["chat/a"])]);
            assert_eq!(exposed.map(|exposed| exposed.access.len()), expect);
        };
        check(5, 5, true, None);
        check(6, 5, true, None);
        check(4, 5, true, Some(1));
        check(4, 5, false, Some(0));
    }

    #[test]
    fn what_was_taken_in_that_time_was_held_in_it() {
        let mut exposed = Exposure::of(t(1), t(9), &[account(true, &["chat/a"])]).unwrap();
        let chat = SystemName::new("chat").unwrap();
        let before =
            |active| AccountState { active, entitlements: names(&["chat/b"]), ..AccountState::default() };
        exposed.held_before(&chat, AccountId::from_bytes([1; 16]), &before(true));
        let crm = SystemName::new("crm").unwrap();
        exposed.held_before(&crm, AccountId::from_bytes([2; 16]), &before(false));
        assert_eq!(exposed.access[&chat].entitlements, names(&["chat/a", "chat/b"]).into_iter().collect());
        assert_eq!((exposed.access.len(), exposed.millis()), (1, 8_000));
    }

    #[test]
    fn a_use_is_theirs_and_of_that_time() {
        let exposed = Exposure::of(t(10), t(20), &[]).unwrap();
        let check = |actor: &str, at: i64, ours: bool, expect: bool| {
            let entry = Entry {
                mark: "1".into(),
                at: t(at),
                actor: actor.into(),
                ours,
                deed: "read".into(),
                account: None,
                name: None,
                group: None,
                about: About::Anything,
            };
            assert_eq!(exposed.is_use(&account(true, &[]), &entry), expect, "{actor} {at}");
        };
        check("ann@x.test", 15, false, true);
        check("u-1", 10, false, true);
        check("somebody (u-1)", 10, false, true);
        check("ann@x.test (u-2)", 10, false, false);
        check("ann@x.test", 9, false, false);
        check("ann@x.test", 21, false, false);
        check("ann@x.test", 15, true, false);
        check("bo@x.test", 15, false, false);
    }

    #[test]
    fn the_last_uses_are_named_and_all_are_counted() {
        let uses = (0..12).rev().map(|s| Use { at: t(s), deed: "read".into() }).collect();
        let Uses::Read { count, last, whole } = Uses::read(uses, true) else { panic!("it was read") };
        assert_eq!((count, last.len(), last[0].at, whole), (12, 10, t(2), true));
    }
}
