//! What other policies would do, before anybody proposes them: who would get and who would lose what.
//!
//! Promises: nothing is written; people are decided as they would be in force, once for each distinct tuple of the
//! attributes that policies read; memory does not grow with the number of people. Absent: what a plan would do on systems,
//! which depends on what is held there; and what exceptions give, which policies do not take.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    id::{EntitlementName, IdentityId},
    identity::{Identity, IdentityKind},
    integration::Integration,
    policy::{Holding, PolicyFault, PolicyFile},
    resource::{ResourceType, SubjectType},
    system::Entitlement,
};
use bailiwick_store::{Pages, Select, Table, select};
use serde::{Deserialize, Serialize};

use crate::{Engine, Result, catalogue::compile, configure::current};

/// How many people are read at once.
const PAGE: u32 = 1_000;
/// How many are named.
const NAMED: usize = 50;

/// What other policies would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Simulation {
    /// How many identities were looked at.
    pub identities: u64,
    /// How many of them would have more or less.
    pub changed: u64,
    /// Entitlement → how many would get it.
    pub gets: BTreeMap<EntitlementName, u64>,
    /// Entitlement → how many would lose it.
    pub loses: BTreeMap<EntitlementName, u64>,
    /// The first of those who would change, with what they would get and lose.
    pub people: Vec<Changed>,
    /// How many cannot be decided with the other policies, and could before.
    pub undecidable: u64,
}

/// Somebody who would have more or less.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Who.
    pub identity: IdentityId,
    /// What they are called.
    pub name: String,
    /// What they would get.
    pub gets: BTreeSet<EntitlementName>,
    /// What they would lose.
    pub loses: BTreeSet<EntitlementName>,
}

impl Engine {
    /// The policies in force, by path.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn policy_files(&self) -> Result<Vec<PolicyFile>> {
        let mut tx = self.read().await?;
        let stored = select::<PolicyFile>(&mut *tx, self.tenant(), Select::from(Table::Policies)).await?;
        Ok(stored.into_iter().map(|stored| stored.value).collect())
    }

    /// Decides for everybody with `files` in the place of the policies in force.
    ///
    /// # Errors
    /// `Policy` with every mistake when the files are not valid.
    pub async fn simulate(&self, files: &[PolicyFile]) -> Result<Simulation> {
        let mut tx = self.read().await?;
        let now = self.catalogue(&mut *tx).await?;
        let integrations =
            select::<Integration>(&mut *tx, self.tenant(), Select::from(Table::Integrations)).await?;
        let integrations: Vec<Integration> = integrations.into_iter().map(|stored| stored.value).collect();
        let entitlements: Vec<Entitlement> = now.entitlements.values().cloned().collect();
        let subjects: Vec<SubjectType> =
            current::<SubjectType>(&mut *tx, self.tenant()).await?.into_values().map(|s| s.value).collect();
        let resources: Vec<ResourceType> =
            current::<ResourceType>(&mut *tx, self.tenant()).await?.into_values().map(|s| s.value).collect();
        let then =
            compile(&self.parts.compiled, &integrations, &entitlements, files, (&subjects, &resources))?;
        let (mut before, mut after) = (now.policies.bulk(), then.bulk());
        let mut found = Simulation::default();
        let mut pages = Pages::<Identity>::of(Select::from(Table::Identities), PAGE);
        while let Some(people) = pages.next(&mut *tx, self.tenant()).await? {
            // What integrations hold is not decided by policies of access.
            for one in
                people.iter().map(|stored| &stored.value).filter(|i| i.kind != IdentityKind::Integration)
            {
                let holds = |answer: std::result::Result<std::sync::Arc<Holding>, PolicyFault>| {
                    let holding = answer.ok()?;
                    let held = holding.held.keys().filter(|_| one.lifecycle.may_hold());
                    Some(held.cloned().collect::<BTreeSet<_>>())
                };
                let kind = one.kind.as_str();
                found.compare(
                    one,
                    holds(before.holds(kind, &one.attributes)),
                    holds(after.holds(kind, &one.attributes)),
                );
            }
        }
        Ok(found)
    }
}

impl Simulation {
    /// Counts what one identity has now and would have; who cannot be decided gets nothing.
    fn compare(
        &mut self,
        one: &Identity,
        now: Option<BTreeSet<EntitlementName>>,
        then: Option<BTreeSet<EntitlementName>>,
    ) {
        self.identities += 1;
        self.undecidable += u64::from(now.is_some() && then.is_none());
        let (now, then) = (now.unwrap_or_default(), then.unwrap_or_default());
        if now == then {
            return;
        }
        self.changed += 1;
        let gets: BTreeSet<_> = then.difference(&now).cloned().collect();
        let loses: BTreeSet<_> = now.difference(&then).cloned().collect();
        gets.iter().for_each(|name| *self.gets.entry(name.clone()).or_default() += 1);
        loses.iter().for_each(|name| *self.loses.entry(name.clone()).or_default() += 1);
        if self.people.len() < NAMED {
            self.people.push(Changed { identity: one.id, name: one.display_name(), gets, loses });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailiwick_core::{
        id::SourceName,
        identity::{Lifecycle, SourceKey},
    };

    #[test]
    fn what_differs_is_counted_and_the_first_are_named() {
        let one = |n: u8| Identity {
            id: IdentityId::from_bytes([n; 16]),
            kind: IdentityKind::Person,
            source_key: SourceKey { source: SourceName::new("hr").unwrap(), key: n.to_string() },
            attributes: BTreeMap::new(),
            lifecycle: Lifecycle::Active { ends: None },
            owner: None,
            generation: 1,
            engagements: Vec::new(),
            cancelled: Vec::new(),
            said: None,
        };
        let set = |names: &[&str]| {
            Some(names.iter().map(|n| EntitlementName::new(n).unwrap()).collect::<BTreeSet<_>>())
        };
        let mut found = Simulation::default();
        found.compare(&one(1), set(&["chat/a"]), set(&["chat/a"]));
        found.compare(&one(2), set(&["chat/a"]), set(&["chat/b"]));
        found.compare(&one(3), set(&["chat/a"]), None);
        found.compare(&one(4), None, set(&["chat/b"]));
        (5..=200).for_each(|n| found.compare(&one(n), set(&[]), set(&["chat/c"])));
        let name = |n: &str| EntitlementName::new(n).unwrap();
        assert_eq!((found.identities, found.changed, found.undecidable), (200, 199, 1));
        assert_eq!(found.gets, BTreeMap::from([(name("chat/b"), 2), (name("chat/c"), 196)]));
        assert_eq!(found.loses, BTreeMap::from([(name("chat/a"), 2)]));
        assert_eq!((found.people.len(), found.people[0].gets.len()), (NAMED, 1));
    }
}
