//! Who can: everybody who holds an entitlement, by which way, and what gives it to them; and who could at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bailiwick_core::{
    access::AccessClass,
    account::{Account, AccountState},
    id::{EntitlementName, IdentityId},
    identity::Identity,
    nesting::Inside,
    policy::PolicyId,
    time::Timestamp,
};
use bailiwick_store::{Filter, Select, Table, Tx, entities::NestedGroup, select};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Catalogue, Engine, EngineError, Result, exception::counting, then::Unrecorded};

/// How many accounts are read at a time.
const PAGE: u32 = 512;
/// How many accounts one answer looks at, at most.
const LOOKED_AT: usize = 50_000;

/// Somebody who holds an entitlement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Holder {
    /// Whose account it is; absent when that is not known.
    pub identity: Option<IdentityId>,
    /// The name people sign in with.
    pub username: String,
    /// Whether the account can be used.
    pub active: bool,
    /// The groups by which it is held, from the one that the account is in; empty when it is held directly.
    pub through: Vec<String>,
    /// The policies and exceptions that give it now; empty when nothing does.
    pub because: Vec<PolicyId>,
    /// When that was seen or made so.
    pub seen: Timestamp,
}

/// Part of those who hold an entitlement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Holders {
    /// They, by the ids of their accounts.
    pub items: Vec<Holder>,
    /// Where to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The groups that lay in it at the time and of which the log does not say who was in them then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unrecorded: Vec<Unrecorded>,
}

impl Engine {
    /// Who holds the entitlement, as far as the system was seen: accounts that hold it, and accounts that are in a group
    /// that was seen in it, declared or not. `after` is the `next` of the part before. A part may be short: it ends
    /// after so many accounts that were looked at.
    ///
    /// # Errors
    /// When there is no such entitlement, and when the policies cannot decide about one of them.
    pub async fn holders(
        &self,
        entitlement: &EntitlementName,
        after: Option<String>,
        limit: usize,
    ) -> Result<Holders> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        if !catalogue.entitlements.contains_key(entitlement) {
            return Err(EngineError::NotFound { kind: "entitlement", name: entitlement.to_string() });
        }
        let nested = self.nested_in(&mut *tx, entitlement).await?;
        let ways = Ways::to(&catalogue, entitlement, &nested);
        let (mut items, mut after, mut looked) = (Vec::new(), after, 0);
        loop {
            let page = Select::from(Table::Accounts)
                .filter(Filter::Is("system", entitlement.system().as_str().into()))
                .page(after.take(), PAGE);
            let accounts = select::<Account>(&mut *tx, self.tenant(), page).await?;
            let last = accounts.len() < PAGE as usize;
            let mut holding = Vec::new();
            for account in accounts.into_iter().map(|s| s.value) {
                looked += 1;
                after = Some(account.id.to_string());
                let through = ways.of(&account).map(<[String]>::to_vec);
                let Account { state, username, identity, seen, .. } = account;
                if let Some(through) = through {
                    let (active, because) = (state.active, Vec::new());
                    holding.push(Holder { identity, username, active, through, because, seen });
                }
                if items.len() + holding.len() >= limit {
                    break;
                }
            }
            self.say_why(&mut *tx, &catalogue, entitlement, &mut holding).await?;
            items.append(&mut holding);
            if items.len() >= limit || looked >= LOOKED_AT {
                return Ok(Holders { items, next: after, unrecorded: Vec::new() });
            }
            if last {
                return Ok(Holders { items, next: None, unrecorded: Vec::new() });
            }
        }
    }

    /// The groups that nobody declared and that were seen to lie in the entitlement.
    pub(crate) async fn nested_in(
        &self,
        tx: &mut dyn Tx,
        entitlement: &EntitlementName,
    ) -> Result<Vec<NestedGroup>> {
        let theirs = Select::from(Table::NestedGroups)
            .filter(Filter::Is("system", entitlement.system().as_str().into()));
        let all = select::<NestedGroup>(tx, self.tenant(), theirs).await?.into_iter().map(|s| s.value);
        Ok(all.filter(|group| group.inside.iter().any(|inside| inside.of == *entitlement)).collect())
    }

    /// Says of each what gives it to them now.
    async fn say_why(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        entitlement: &EntitlementName,
        holding: &mut [Holder],
    ) -> Result<()> {
        let ids: BTreeSet<IdentityId> = holding.iter().filter_map(|holder| holder.identity).collect();
        let texts = ids.iter().map(|id| id.to_string().into()).collect();
        let asked = Select::from(Table::Identities).filter(Filter::In("id", texts));
        let people: BTreeMap<IdentityId, Identity> = select::<Identity>(tx, self.tenant(), asked)
            .await?
            .into_iter()
            .map(|stored| (stored.value.id, stored.value))
            .collect();
        let exceptions = self.exceptions_of(tx, ids).await?;
        let mut bulk = catalogue.policies.bulk();
        for holder in holding {
            let Some(person) = holder.identity.and_then(|id| people.get(&id)) else { continue };
            if !person.lifecycle.may_hold() {
                continue;
            }
            let given = counting(exceptions.get(&person.id), None, self.now());
            let holds = bulk.holds_with(person.kind.as_str(), &person.attributes, &given);
            let holds = holds.map_err(|fault| EngineError::Undecidable(fault.to_string()))?;
            holder.because = holds.held.get(entitlement).cloned().unwrap_or_default();
        }
        Ok(())
    }
}

/// What an account may hold to have an entitlement, and the groups on the way.
pub(crate) struct Ways<'c> {
    /// The entitlement is the account itself: whoever has one has it.
    account: bool,
    by: BTreeMap<&'c EntitlementName, Vec<String>>,
    /// By the system's id of the account: the way by a group that nobody declared.
    nested: BTreeMap<&'c str, Arc<[String]>>,
}

impl<'c> Ways<'c> {
    /// To the entitlement: itself, every declared group that was seen in it, and the groups that nobody declared and
    /// that lie in it.
    pub(crate) fn to(
        catalogue: &'c Catalogue,
        entitlement: &'c EntitlementName,
        groups: &'c [NestedGroup],
    ) -> Self {
        let inside = catalogue.entitlements.values().map(|inner| (&inner.name, inner.inside.as_slice()));
        Self::by(catalogue, entitlement, inside, groups)
    }

    /// The same, where these declared groups were in others. `catalogue` says what they are called, as far as it knows them.
    pub(crate) fn by(
        catalogue: &'c Catalogue,
        entitlement: &'c EntitlementName,
        declared: impl Iterator<Item = (&'c EntitlementName, &'c [Inside])>,
        groups: &'c [NestedGroup],
    ) -> Self {
        let label = |name: &EntitlementName| {
            let known = catalogue.entitlements.get(name);
            known.map_or_else(|| name.to_string(), |known| known.label.clone())
        };
        let way = |inner: &String, inside: &Inside| -> Vec<String> {
            [inner.clone()].into_iter().chain(inside.through.clone()).chain([label(&inside.of)]).collect()
        };
        let there = |inside: &&Inside| inside.of == *entitlement;
        let mut by = BTreeMap::from([(entitlement, Vec::new())]);
        for (inner, around) in declared {
            if let Some(inside) = around.iter().find(there) {
                by.insert(inner, way(&label(inner), inside));
            }
        }
        let mut nested: BTreeMap<&str, Arc<[String]>> = BTreeMap::new();
        for group in groups {
            let Some(inside) = group.inside.iter().find(there) else { continue };
            let way: Arc<[String]> = way(&group.label, inside).into();
            for member in &group.members {
                let known = nested.entry(member).or_insert_with(|| way.clone());
                if way.len() < known.len() {
                    *known = way.clone();
                }
            }
        }
        let class = catalogue.entitlements.get(entitlement).map(|declared| declared.class);
        Self { account: class == Some(AccessClass::PrimaryAccount), by, nested }
    }

    /// The shortest way by which an account has it; `None` when it has it not.
    pub(crate) fn of(&self, account: &Account) -> Option<&[String]> {
        let AccountState { active, entitlements, .. } = &account.state;
        self.of_one(*active, entitlements, &account.external_id)
    }

    /// The same of an account that holds this directly, and that the groups which nobody declared have as `member`.
    pub(crate) fn of_one(&self, active: bool, held: &[EntitlementName], member: &str) -> Option<&[String]> {
        if self.account {
            return active.then_some(&[]);
        }
        let declared = held.iter().filter_map(|held| self.by.get(held));
        let nested = self.nested.get(member);
        declared.map(Vec::as_slice).chain(nested.map(AsRef::as_ref)).min_by_key(|way| way.len())
    }
}
