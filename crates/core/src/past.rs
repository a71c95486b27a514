//! What the log says of somebody and an entitlement at one time: what was decided last, and what was seen last.

use serde_json::Value;

use crate::{
    id::EntitlementName,
    policy::PolicyId,
    record::{Logged, RecordKind},
    time::Timestamp,
};

/// What is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Sought<'n> {
    /// The entitlement.
    pub name: &'n EntitlementName,
    /// Whether it is the account itself.
    pub account: bool,
}

/// What a record says was decided about an entitlement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Whether it was wanted.
    pub wanted: bool,
    /// The policies that gave it.
    pub because: Vec<PolicyId>,
    /// The policies that forbade it.
    pub forbidden_by: Vec<PolicyId>,
}

impl Decided {
    /// Reads it from a record; nothing from one that says nothing of what is wanted. What is wanted stands in the record by
    /// system, as pairs of a name and policies; the account is named like its system.
    pub fn read(record: &Logged, sought: Sought<'_>) -> Option<Self> {
        // One that only puts something off does not say what is wanted.
        let desired = record.facts.get("desired").filter(|_| record.kind == RecordKind::Decided)?;
        let system = sought.name.system();
        let name = if sought.account { system.as_str() } else { sought.name.as_str() };
        let there = desired.get(system.as_str()).and_then(Value::as_array);
        let mine = there.into_iter().flatten().find(|pair| pair.get(0).and_then(Value::as_str) == Some(name));
        let forbidden = record.facts.get("forbidden").and_then(|all| all.get(sought.name.as_str()));
        Some(Self {
            wanted: mine.is_some(),
            because: policies(mine.and_then(|pair| pair.get(1))),
            forbidden_by: policies(forbidden),
        })
    }
}

/// How it was at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// What was decided last; absent before the first decision.
    pub decided: Option<Decided>,
    /// Whether the account was last seen or made to hold it, and when.
    pub seen: Option<(bool, Timestamp)>,
}

impl Past {
    /// Reads it from the records about an identity, oldest first, those of `until` among them.
    pub fn read<'r>(
        records: impl IntoIterator<Item = &'r Logged>,
        sought: Sought<'_>,
        until: Timestamp,
    ) -> Self {
        let mut past = Self::default();
        for record in records.into_iter().filter(|record| record.at <= until) {
            past.decided = Decided::read(record, sought).or(past.decided);
            past.seen = seen(record, sought).map(|holds| (holds, record.at)).or(past.seen);
        }
        past
    }
}

/// Whether a record shows that it is held, if it shows that.
fn seen(record: &Logged, sought: Sought<'_>) -> Option<bool> {
    let of_system = record.facts.get("system").and_then(Value::as_str) == Some(sought.name.system().as_str());
    if !of_system || ![RecordKind::Observed, RecordKind::Applied].contains(&record.kind) {
        return None;
    }
    if record.facts.get("gone") == Some(&Value::Bool(true)) {
        return Some(false);
    }
    if sought.account {
        return record.facts.get("active").and_then(Value::as_bool);
    }
    let held = record.facts.get("entitlements").and_then(Value::as_array)?;
    Some(held.iter().any(|name| name.as_str() == Some(sought.name.as_str())))
}

fn policies(listed: Option<&Value>) -> Vec<PolicyId> {
    let listed = listed.and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(|id| id.as_str().map(PolicyId::new)).collect()
}
