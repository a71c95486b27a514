//! Who held something at a time in the past, and by which way, as the log tells it.
//!
//! The log knows no systems: it is gone through from its beginning, once for a question about a time. What it told last is
//! kept for the next part of the answer, where nothing of that time can be written any more.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
    sync::Arc,
};

use bailiwick_core::{
    access::AccessClass,
    account::Account,
    id::{EntitlementName, IdentityId},
    past::Sought,
    record::Logged,
    then::Then,
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{Filter, Select, Table, Tx, entities::NestedGroup, get, select};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::{
    Catalogue, Engine, EngineError, Result,
    holders::{Holder, Holders, Ways},
};

/// How many records are read at a time.
const PAGE: u32 = 2_048;
/// What a record says was so before it was written, and no transaction takes longer than this.
const LATE: SignedDuration = SignedDuration::from_hours(1);

/// A group of which it is not on record who was in it at the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unrecorded {
    /// What it is called.
    pub group: String,
    /// From when on it is; absent where the group was gone before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl std::fmt::Display for Unrecorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { group, since } = self;
        match since {
            Some(since) => {
                write!(f, "who was in the group `{group}`, which lay in it, is on record from {since:.0} on")
            }
            None => write!(f, "who was in the group `{group}`, which lay in it, is not on record"),
        }
    }
}

/// Of which entitlement and which time something is asked.
type Asked = (EntitlementName, Timestamp);

/// What the log told last, and what was asked.
#[derive(Default)]
pub(crate) struct Remembered(Mutex<Option<(Asked, Arc<Then>)>>);

/// How somebody held it.
pub(crate) struct Held {
    /// When that was seen or made so.
    pub(crate) seen: Timestamp,
    /// The groups by which, from the one that the account was in.
    pub(crate) through: Vec<String>,
}

impl Engine {
    /// Who held the entitlement `at` a time, as far as the system had been seen by then. `after` is the `next` of the part
    /// before.
    ///
    /// # Errors
    /// When there is no such entitlement.
    pub async fn holders_then(
        &self,
        entitlement: &EntitlementName,
        at: Timestamp,
        after: Option<String>,
        limit: usize,
    ) -> Result<Holders> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let then = self.then(&mut *tx, &catalogue, entitlement, at).await?;
        let groups = groups_of(&then, entitlement);
        let ways = ways(&catalogue, entitlement, &then, &groups);
        let from = after.map_or(Unbounded, Excluded);
        let (mut found, mut next): (Vec<(String, String, Holder)>, _) = (Vec::new(), None);
        for (id, account) in then.accounts.range::<String, _>((from, Unbounded)) {
            let Some(way) = ways.of_one(account.active, &account.entitlements, id) else { continue };
            if found.len() == limit {
                next = found.last().map(|(id, ..)| id.clone());
                break;
            }
            let because = account.identity.and_then(|identity| then.given.get(&identity)).cloned();
            let holder = Holder {
                identity: account.identity,
                username: String::new(),
                active: account.active,
                through: way.to_vec(),
                because: because.unwrap_or_default(),
                seen: account.seen,
            };
            found.push((id.clone(), account.record.to_string(), holder));
        }
        let items = self.named_then(&mut *tx, found).await?;
        let unrecorded = self.unrecorded(&mut *tx, entitlement, &then).await?;
        Ok(Holders { items, next, unrecorded })
    }

    /// Whether somebody held it at a time by any way, and of which groups that is not known.
    pub(crate) async fn held_then(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        entitlement: &EntitlementName,
        (identity, at): (IdentityId, Timestamp),
    ) -> Result<(Option<Held>, Vec<Unrecorded>)> {
        let then = self.then(tx, catalogue, entitlement, at).await?;
        let groups = groups_of(&then, entitlement);
        let ways = ways(catalogue, entitlement, &then, &groups);
        let theirs = then.accounts.iter().filter(|(_, account)| account.identity == Some(identity));
        let held = theirs.filter_map(|(id, account)| {
            let way = ways.of_one(account.active, &account.entitlements, id)?;
            Some(Held { seen: account.seen, through: way.to_vec() })
        });
        let held = held.min_by_key(|held| held.through.len());
        let unrecorded = match held {
            Some(_) => Vec::new(),
            None => self.unrecorded(tx, entitlement, &then).await?,
        };
        Ok((held, unrecorded))
    }

    /// What the log says of an entitlement at a time.
    async fn then(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        entitlement: &EntitlementName,
        at: Timestamp,
    ) -> Result<Arc<Then>> {
        let declared = catalogue.entitlements.get(entitlement);
        let declared = declared
            .ok_or_else(|| EngineError::NotFound { kind: "entitlement", name: entitlement.to_string() })?;
        let sought = Sought { name: entitlement, account: declared.class == AccessClass::PrimaryAccount };
        let asked: Asked = (entitlement.clone(), at);
        let mut remembered = self.remembered.0.lock().await;
        if let Some((of, then)) = remembered.as_ref()
            && *of == asked
        {
            return Ok(then.clone());
        }
        let mut then = Then::of(sought, at);
        let latest = at.saturating_add(LATE).unwrap_or(Timestamp::MAX);
        let (telling, mut after) = (Telling::of(entitlement), 0);
        'log: loop {
            let page = tx.written(after, PAGE).await?;
            for entry in &page {
                after = entry.seq;
                if !telling.may(&entry.bytes) {
                    continue;
                }
                // What cannot be read is damage, which checking the evidence names.
                let Ok(mut logged) = Logged::parse(&entry.bytes) else { continue };
                if logged.at > latest {
                    break 'log;
                }
                if logged.tenant != *self.tenant() {
                    continue;
                }
                if logged.has_beside() {
                    logged.put_back(tx.disclosures(self.tenant(), &[logged.id.to_string()]).await?);
                }
                then.take(&logged);
            }
            if page.len() < PAGE as usize {
                break;
            }
        }
        let then = Arc::new(then);
        if latest < self.now() {
            *remembered = Some((asked, then.clone()));
        }
        Ok(then)
    }

    /// The groups of which it was not on record who was in them.
    async fn unrecorded(
        &self,
        tx: &mut dyn Tx,
        entitlement: &EntitlementName,
        then: &Then,
    ) -> Result<Vec<Unrecorded>> {
        let mut unrecorded = Vec::new();
        for (id, group) in &then.groups {
            if group.whole || group.inside.iter().all(|inside| inside.of != *entitlement) {
                continue;
            }
            let key = NestedGroup::key_of(&entitlement.system(), id);
            let now = get::<NestedGroup>(tx, self.tenant(), &key).await?.map(|stored| stored.value);
            let label = group.label.clone().or_else(|| now.as_ref().map(|now| now.label.clone()));
            let since = now.and_then(|now| now.told);
            unrecorded.push(Unrecorded { group: label.unwrap_or_else(|| id.clone()), since });
        }
        Ok(unrecorded)
    }

    /// Gives them the names that people sign in with: of an account that is gone the one it was last seen with, unless that
    /// was erased.
    async fn named_then(&self, tx: &mut dyn Tx, found: Vec<(String, String, Holder)>) -> Result<Vec<Holder>> {
        let ids = found.iter().map(|(id, ..)| id.as_str().into()).collect();
        let asked = Select::from(Table::Accounts).filter(Filter::In("id", ids));
        let accounts =
            select::<Account>(tx, self.tenant(), asked).await?.into_iter().map(|stored| stored.value);
        let names: BTreeMap<String, String> =
            accounts.map(|account| (account.id.to_string(), account.username)).collect();
        let records: Vec<String> = found
            .iter()
            .filter(|(id, ..)| !names.contains_key(id))
            .map(|(_, record, _)| record.clone())
            .collect();
        let kept = match records.is_empty() {
            true => Vec::new(),
            false => tx.disclosures(self.tenant(), &records).await?,
        };
        let kept: BTreeMap<String, String> = kept
            .into_iter()
            .filter(|kept| kept.field == "username")
            .filter_map(|kept| Some((kept.record.to_string(), kept.value.as_str()?.to_owned())))
            .collect();
        let named = |(id, record, holder): (String, String, Holder)| {
            let username = names.get(&id).or_else(|| kept.get(&record)).cloned().unwrap_or_default();
            Holder { username, ..holder }
        };
        Ok(found.into_iter().map(named).collect())
    }
}

/// What a record has in it that may tell something; the others are not read.
struct Telling([String; 5]);

impl Telling {
    fn of(entitlement: &EntitlementName) -> Self {
        let system = entitlement.system();
        let kind = |kind: &str| format!("\"kind\":\"{kind}\"");
        Self([
            format!("\"{system}\""),
            format!("\"{system}/"),
            kind("decided"),
            kind("identity-joined"),
            kind("identity-split"),
        ])
    }

    fn may(&self, record: &[u8]) -> bool {
        let text = String::from_utf8_lossy(record);
        self.0.iter().any(|one| text.contains(one))
    }
}

/// The groups that nobody declared and that lay in the entitlement, with the hub's own ids of the accounts in them.
fn groups_of(then: &Then, entitlement: &EntitlementName) -> Vec<NestedGroup> {
    let lay =
        then.groups.iter().filter(|(_, group)| group.inside.iter().any(|inside| inside.of == *entitlement));
    let as_now = |(id, group): (&String, &bailiwick_core::then::Group)| NestedGroup {
        system: entitlement.system(),
        group: id.clone(),
        label: group.label.clone().unwrap_or_else(|| id.clone()),
        inside: group.inside.clone(),
        members: group.members.iter().map(ToString::to_string).collect(),
        told: None,
    };
    lay.map(as_now).collect()
}

fn ways<'c>(
    catalogue: &'c Catalogue,
    entitlement: &'c EntitlementName,
    then: &'c Then,
    groups: &'c [NestedGroup],
) -> Ways<'c> {
    let inside = then.inside.iter().map(|(inner, inside)| (inner, inside.as_slice()));
    Ways::by(catalogue, entitlement, inside, groups)
}
