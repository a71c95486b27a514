//! Who held something on a system at one time, as the log tells it: accounts, groups in groups, and what was decided.
//!
//! [`Then`] takes records in the order of the log; what was written later than the time that is asked for it passes over.
//! Who was in a group that nobody declared is on record from the first time that the log says all of it. Before that
//! [`Group::whole`] is false, and nothing may be concluded from who is not among its members.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    id::{AccountId, EntitlementName, IdentityId, RecordId},
    nesting::Inside,
    past::{Decided, Sought},
    policy::PolicyId,
    record::{Logged, RecordKind},
    time::Timestamp,
};

/// The table of accounts, as records name it.
const ACCOUNTS: &str = "accounts";

/// An account as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Whose it was, as far as that was known.
    pub identity: Option<IdentityId>,
    /// Whether it could be used.
    pub active: bool,
    /// What it held directly.
    pub entitlements: Vec<EntitlementName>,
    /// When it was seen or made so.
    pub seen: Timestamp,
    /// The record that says so.
    pub record: RecordId,
}

/// A group that nobody declared, as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// What it was called, if the log says so.
    pub label: Option<String>,
    /// The declared groups around it.
    pub inside: Vec<Inside>,
    /// The accounts in it.
    pub members: BTreeSet<AccountId>,
    /// Whether these are all.
    pub whole: bool,
}

/// How it was with one entitlement and its system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Then {
    entitlement: EntitlementName,
    account: bool,
    until: Timestamp,
    /// By their ids as texts, in whose order they are shown.
    pub accounts: BTreeMap<String, Account>,
    /// What gave it to whom, as was decided last.
    pub given: BTreeMap<IdentityId, Vec<PolicyId>>,
    /// Which declared groups were in which.
    pub inside: BTreeMap<EntitlementName, Vec<Inside>>,
    /// The groups that nobody declared, by the system's ids.
    pub groups: BTreeMap<String, Group>,
}

impl Then {
    /// Before the first record.
    pub fn of(sought: Sought<'_>, until: Timestamp) -> Self {
        Self {
            entitlement: sought.name.clone(),
            account: sought.account,
            until,
            accounts: BTreeMap::new(),
            given: BTreeMap::new(),
            inside: BTreeMap::new(),
            groups: BTreeMap::new(),
        }
    }

    /// Takes the next record.
    pub fn take(&mut self, record: &Logged) {
        if record.at > self.until {
            return;
        }
        match record.kind {
            RecordKind::Decided => self.decided(record),
            RecordKind::Observed | RecordKind::Applied => self.seen(record),
            RecordKind::IdentityJoined | RecordKind::IdentitySplit => self.moved(record),
            _ => {}
        }
    }

    fn decided(&mut self, record: &Logged) {
        let sought = Sought { name: &self.entitlement, account: self.account };
        let (Some(identity), Some(decided)) = (record.identity, Decided::read(record, sought)) else {
            return;
        };
        match decided.wanted {
            true => drop(self.given.insert(identity, decided.because)),
            false => drop(self.given.remove(&identity)),
        }
    }

    fn seen(&mut self, record: &Logged) {
        let system = self.entitlement.system();
        // Which groups a declared one is in is said of it alone.
        if let (Some(inner), Some(inside)) =
            (fact::<EntitlementName>(record, "entitlement"), fact(record, "inside"))
        {
            if inner.system() == system {
                self.inside.insert(inner, inside);
            }
            return;
        }
        if text(record, "system") != Some(system.as_str()) {
            return;
        }
        match text(record, "group") {
            Some(group) => self.group(record, group),
            None => self.one(record),
        }
    }

    fn group(&mut self, record: &Logged, id: &str) {
        if is(record, "gone") {
            self.groups.remove(id);
            return;
        }
        let group = self.groups.entry(id.to_owned()).or_default();
        group.label = text(record, "label").map(str::to_owned).or(group.label.take());
        if let Some(inside) = fact(record, "inside") {
            group.inside = inside;
        }
        if is(record, "whole") {
            group.members.clear();
            group.whole = true;
        }
        group.members.extend(fact::<Vec<AccountId>>(record, "joined").unwrap_or_default());
        for left in fact::<Vec<AccountId>>(record, "left").unwrap_or_default() {
            group.members.remove(&left);
        }
    }

    fn one(&mut self, record: &Logged) {
        let Some(row) = record.state.iter().find(|row| row.table == ACCOUNTS) else { return };
        if row.digest.is_none() {
            self.accounts.remove(&row.id);
            return;
        }
        let active = record.facts.get("active").and_then(Value::as_bool);
        let (Some(active), Some(entitlements)) = (active, fact(record, "entitlements")) else { return };
        let (identity, seen, record) = (record.identity, record.at, record.id);
        self.accounts.insert(row.id.clone(), Account { identity, active, entitlements, seen, record });
    }

    /// Accounts that became somebody else's with a record of theirs.
    fn moved(&mut self, record: &Logged) {
        for (id, owner) in fact::<BTreeMap<String, IdentityId>>(record, "accounts").unwrap_or_default() {
            if let Some(account) = self.accounts.get_mut(&id) {
                account.identity = Some(owner);
            }
        }
    }
}

fn text<'r>(record: &'r Logged, name: &str) -> Option<&'r str> {
    record.facts.get(name).and_then(Value::as_str)
}

fn is(record: &Logged, name: &str) -> bool {
    record.facts.get(name) == Some(&Value::Bool(true))
}

/// A fact, if it is there and of this kind.
fn fact<T: DeserializeOwned>(record: &Logged, name: &str) -> Option<T> {
    serde_json::from_value(record.facts.get(name)?.clone()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        digest::Digest,
        id::Tenant,
        record::{Actor, StateRef},
    };

    const NAME: &str = "chat/admins";

    fn t(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn account(number: u8) -> AccountId {
        AccountId::from_bytes([number; 16])
    }

    fn ann() -> IdentityId {
        IdentityId::from_bytes([7; 16])
    }

    /// A record about a row of an account, or one that has none.
    fn logged(at: i64, kind: RecordKind, facts: Value, row: Option<(AccountId, bool)>) -> Logged {
        let state = row.map(|(id, there)| StateRef {
            digest: there.then(|| Digest::of(b"")),
            id: id.to_string(),
            revision: 1,
            table: ACCOUNTS.into(),
        });
        Logged {
            id: RecordId::from_bytes([1; 16]),
            kind,
            at: t(at),
            actor: Actor::Hub("test".into()),
            event: None,
            identity: Some(ann()),
            plan: None,
            case: None,
            facts: serde_json::from_value(facts).unwrap(),
            state: state.into_iter().collect(),
            tenant: Tenant::single(),
        }
    }

    fn then(until: i64, records: &[Logged]) -> Then {
        let name = NAME.parse().unwrap();
        let mut then = Then::of(Sought { name: &name, account: false }, t(until));
        records.iter().for_each(|record| then.take(record));
        then
    }

    #[test]
    fn an_account_is_as_the_last_record_before_the_time_says() {
        let seen = |at, held: &[&str]| {
            let facts = json!({ "active": true, "entitlements": held, "system": "chat" });
            logged(at, RecordKind::Observed, facts, Some((account(1), true)))
        };
        let gone = json!({ "account": account(1), "gone": true, "system": "chat" });
        let other = json!({ "active": true, "entitlements": ["wiki/all"], "system": "wiki" });
        let bob = IdentityId::from_bytes([8; 16]);
        let records = [
            seen(10, &[]),
            seen(20, &[NAME]),
            logged(25, RecordKind::Observed, other, Some((account(2), true))),
            logged(
                30,
                RecordKind::IdentityJoined,
                json!({ "accounts": { account(1).to_string(): bob } }),
                None,
            ),
            logged(40, RecordKind::Observed, gone, Some((account(1), false))),
        ];
        let at = |until| {
            let account = then(until, &records).accounts.into_values().next();
            account.map(|account| (account.entitlements.len(), account.identity.unwrap(), account.seen))
        };
        assert_eq!(at(9), None);
        assert_eq!(at(19), Some((0, ann(), t(10))));
        assert_eq!(at(20), Some((1, ann(), t(20))));
        assert_eq!(at(30), Some((1, bob, t(20))), "it is of whom it was joined to");
        assert_eq!(at(40), None);
        assert_eq!(then(39, &records).accounts.len(), 1, "what is on another system is not here");
    }

    #[test]
    fn groups_in_groups_are_as_they_were_and_members_are_known_from_the_first_whole_record_on() {
        let observed = |at, facts| logged(at, RecordKind::Observed, facts, None);
        let inside = json!([{ "of": NAME, "through": [] }]);
        let records = [
            observed(10, json!({ "entitlement": "chat/eng", "inside": inside })),
            observed(10, json!({ "group": "g1", "inside": inside, "members": "a digest", "system": "chat" })),
            observed(
                20,
                json!({ "group": "g1", "inside": inside, "joined": [account(1), account(2)],
                "label": "Field", "left": [], "system": "chat", "whole": true }),
            ),
            observed(
                30,
                json!({ "group": "g1", "joined": [account(3)], "left": [account(1)], "system": "chat" }),
            ),
            observed(40, json!({ "entitlement": "chat/eng", "inside": [] })),
            observed(40, json!({ "gone": true, "group": "g1", "system": "chat" })),
        ];
        let group = |until| {
            let group = then(until, &records).groups.remove("g1")?;
            let members: Vec<AccountId> = group.members.into_iter().collect();
            Some((group.label.unwrap_or_default(), group.whole, members, group.inside.len()))
        };
        assert_eq!(group(9), None);
        assert_eq!(group(10), Some((String::new(), false, vec![], 1)));
        assert_eq!(group(20), Some(("Field".into(), true, vec![account(1), account(2)], 1)));
        assert_eq!(group(30), Some(("Field".into(), true, vec![account(2), account(3)], 1)));
        assert_eq!(group(40), None);
        let inner: EntitlementName = "chat/eng".parse().unwrap();
        assert_eq!(then(39, &records).inside[&inner].len(), 1);
        assert_eq!(then(40, &records).inside[&inner], []);
    }

    #[test]
    fn what_gave_it_is_what_was_decided_last() {
        let decided = |at, desired| logged(at, RecordKind::Decided, json!({ "desired": desired }), None);
        let records = [
            decided(10, json!({ "chat": [["chat", ["all"]], [NAME, ["admins-policy"]]] })),
            decided(20, json!({})),
            logged(30, RecordKind::Decided, json!({ "outcome": "put-off" }), None),
        ];
        let given = |until| then(until, &records).given.remove(&ann());
        assert_eq!(given(10), Some(vec![PolicyId::new("admins-policy")]));
        assert_eq!(given(30), None);
    }
}
