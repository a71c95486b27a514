//! Deciding again for everybody after the rules changed, a page at a time.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    account::Account,
    event::{Event, EventKind},
    exception::Terms,
    id::{AccountId, EventId, IdentityId, PlanId},
    identity::{Identity, IdentityKind},
    plan::{self, Inputs, Sweep},
    policy::Bulk,
    time::{Effective, Timestamp},
};
use bailiwick_store::{Filter, Select, Stored, Table, Work, select};

use crate::{
    Catalogue, Engine, Haste, Job, Result,
    decide::{judge, standpoints},
    exception::counting,
};

/// How many identities a change of the rules looks at in one item.
const REDECIDE: u32 = 512;

impl Engine {
    /// Looks at everybody after the rules changed, a page at a time, and files an event for each whose
    /// access would change.
    pub(crate) async fn redecide(&self, item: &Work, cause: &str, after: Option<IdentityId>) -> Result<()> {
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let page = Select::from(Table::Identities).page(after.map(|a| a.to_string()), REDECIDE);
        let identities: Vec<Stored<Identity>> = select(&mut *tx, self.tenant(), page).await?;
        let texts = identities.iter().map(|s| s.value.id.to_string().into()).collect();
        let theirs = Select::from(Table::Accounts).filter(Filter::In("identity", texts));
        let mut accounts: BTreeMap<IdentityId, Vec<Account>> = BTreeMap::new();
        for stored in select::<Account>(&mut *tx, self.tenant(), theirs).await? {
            if let Some(identity) = stored.value.identity {
                accounts.entry(identity).or_default().push(stored.value);
            }
        }
        let exceptions = self.exceptions_of(&mut *tx, identities.iter().map(|s| s.value.id)).await?;
        let mut bulk = catalogue.policies.bulk();
        let mut changed = Vec::new();
        let last = identities.last().map(|s| s.value.id);
        let full = identities.len() == REDECIDE as usize;
        // What integrations hold is not decided by policies of access.
        for stored in identities.into_iter().filter(|s| s.value.kind != IdentityKind::Integration) {
            let theirs = accounts.get(&stored.value.id).map(Vec::as_slice).unwrap_or_default();
            let excepted = counting(exceptions.get(&stored.value.id), None, self.now());
            if self.would_change(&catalogue, &mut bulk, &stored.value, theirs, &excepted) {
                let key = format!("rules/{cause}/{}", stored.value.id);
                changed.push((stored, key, EventKind::PolicyChanged));
            }
        }
        self.file_all(&mut *tx, changed, None).await?;
        if full {
            let next = Job::Redecide { cause: cause.to_owned(), after: last };
            self.enqueue(&mut *tx, vec![next.work(None, None, Haste::Usual, self.now())]).await?;
        }
        tx.finish(self.tenant(), item).await?;
        Ok(tx.commit().await?)
    }

    fn would_change(
        &self,
        catalogue: &Catalogue,
        bulk: &mut Bulk<'_>,
        identity: &Identity,
        accounts: &[Account],
        exceptions: &[Terms],
    ) -> bool {
        let now = self.now();
        let event = imagined(identity.id, now);
        // What cannot be decided becomes a finding by way of the event.
        let Ok(decision) = judge(catalogue, bulk, identity, &event, exceptions) else { return true };
        let known = standpoints(catalogue, &decision, accounts, &BTreeSet::new());
        let plan = plan::make(Inputs {
            id: PlanId::from_bytes([0; 16]),
            event: &event,
            decision,
            marker: String::new(),
            known: &known,
            rules: &catalogue.rules,
            sweep: Sweep::default(),
            new_account: &mut || AccountId::from_bytes([0; 16]),
            now,
        });
        !plan.changes.is_empty()
    }
}

/// An event that did not happen, to ask what would follow from one.
pub(crate) fn imagined(identity: IdentityId, now: Timestamp) -> Event {
    Event {
        id: EventId::from_bytes([0; 16]),
        source: "hub".into(),
        key: String::new(),
        identity,
        kind: EventKind::PolicyChanged,
        effective: Effective::at(now),
        accepted: now,
    }
}
