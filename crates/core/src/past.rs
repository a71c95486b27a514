//! What the log says of somebody and an entitlement at one time: what was decided last, and what was seen last.

use serde_json::Value;

use crate::{
    id::EntitlementName,
    policy::PolicyId,
    record::{Logged, RecordKind},
    time::Timestamp,
};

/// How it was at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// Whether it was decided that they hold it, and the policies that gave it then; absent before the first decision.
    pub wanted: Option<(bool, Vec<PolicyId>)>,
    /// The policies that forbade it then.
    pub forbidden_by: Vec<PolicyId>,
    /// Whether the account was last seen or made to hold it, and when.
    pub seen: Option<(bool, Timestamp)>,
}

impl Past {
    /// Reads it from the records about an identity, oldest first, those of `until` among them.
    pub fn read<'r>(
        records: impl IntoIterator<Item = &'r Logged>,
        entitlement: &EntitlementName,
        until: Timestamp,
    ) -> Self {
        let mut past = Self::default();
        for record in records.into_iter().filter(|record| record.at <= until) {
            past.take(record, entitlement);
        }
        past
    }

    fn take(&mut self, record: &Logged, entitlement: &EntitlementName) {
        let system = entitlement.system();
        match record.kind {
            RecordKind::Decided => {
                // One that only puts something off says nothing of what is wanted.
                let Some(desired) = record.facts.get("desired") else { return };
                let there = desired.get(system.as_str()).and_then(Value::as_array);
                let mine = there.into_iter().flatten().find(|pair| pair.get(0) == Some(&named(entitlement)));
                self.wanted = Some((mine.is_some(), policies(mine.and_then(|pair| pair.get(1)))));
                let forbidden = record.facts.get("forbidden").and_then(|all| all.get(entitlement.as_str()));
                self.forbidden_by = policies(forbidden);
            }
            RecordKind::Observed | RecordKind::Applied => {
                if record.facts.get("system").and_then(Value::as_str) != Some(system.as_str()) {
                    return;
                }
                let gone = record.facts.get("gone") == Some(&Value::Bool(true));
                let holds = record.facts.get("entitlements").and_then(Value::as_array);
                match (gone, holds) {
                    (true, _) => self.seen = Some((false, record.at)),
                    (false, Some(all)) => {
                        self.seen = Some((all.contains(&named(entitlement)), record.at));
                    }
                    (false, None) => {}
                }
            }
            _ => {}
        }
    }
}

fn named(entitlement: &EntitlementName) -> Value {
    Value::String(entitlement.to_string())
}

fn policies(listed: Option<&Value>) -> Vec<PolicyId> {
    let listed = listed.and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(|id| id.as_str().map(PolicyId::new)).collect()
}
