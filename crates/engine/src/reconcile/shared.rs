//! Accounts that several use: who is declared to look after them must be known and here.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::identity::Identity;
use bailiwick_store::{Filter, Select, Table, Tx, Update, select};

use super::{Comparing, accounts::UNMANAGED, accounts_on};
use crate::{Engine, Result, finding::Wrong};

/// The finding that nobody looks after accounts that several use.
const UNATTENDED: &str = "shared-account-unattended";

impl Engine {
    /// Opens, renews or closes the finding about shared accounts; those that were declared just now belong to somebody.
    pub(super) async fn look_after_shared(&self, tx: &mut dyn Tx, comparing: &Comparing<'_>) -> Result<()> {
        let (system, shared) = (comparing.system, &comparing.rules.shared);
        let here = self.here(tx, shared.values().collect()).await?;
        let mut absent: BTreeMap<&String, usize> = BTreeMap::new();
        for custodian in shared.values().filter(|custodian| !here.contains(*custodian)) {
            *absent.entry(custodian).or_default() += 1;
        }
        let mut updates = Vec::new();
        if absent.is_empty() {
            updates.extend(self.close_finding(tx, UNATTENDED, system.as_str()).await?);
        } else {
            let who: Vec<String> =
                absent.iter().map(|(custodian, count)| format!("{custodian} ({count})")).collect();
            let message = format!(
                "accounts on `{system}` that several use are looked after by somebody who is not here: {}; name somebody \
                 else under `shared` in `[system.{system}.reconcile]`, and change what they sign in with",
                who.join(", ")
            );
            updates.extend(self.tell_unattended(tx, comparing, message).await?);
        }
        let anew = comparing.before.as_ref().is_some_and(|before| before.value.basis != comparing.basis);
        if anew && !shared.is_empty() {
            updates.extend(self.managed_now(tx, comparing).await?);
        }
        Ok(tx.write(self.tenant(), updates, self.entropy()).await?)
    }

    /// Those of them who are known and have not left.
    async fn here(&self, tx: &mut dyn Tx, custodians: BTreeSet<&String>) -> Result<BTreeSet<String>> {
        let keys: Vec<_> = custodians.into_iter().map(|key| key.as_str().into()).collect();
        if keys.is_empty() {
            return Ok(BTreeSet::new());
        }
        let asked = Select::from(Table::Identities).filter(Filter::In("source_key", keys));
        let mut here = BTreeSet::new();
        for stored in select::<Identity>(tx, self.tenant(), asked).await? {
            let key = stored.value.source_key.to_string();
            let person = self.followed(tx, stored).await?;
            if person.is_some_and(|person| person.value.lifecycle.gone().is_none()) {
                here.insert(key);
            }
        }
        Ok(here)
    }

    async fn tell_unattended(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        message: String,
    ) -> Result<Option<Update>> {
        let system = comparing.system;
        let wrong = Wrong {
            code: "shared-account-unattended",
            subject: system.to_string(),
            identity: None,
            system: Some(system.clone()),
            message,
            owner: comparing.integration.owner.clone(),
        };
        self.renew_finding(tx, wrong).await
    }

    /// Closes the findings about accounts of nobody that are declared as shared.
    async fn managed_now(&self, tx: &mut dyn Tx, comparing: &Comparing<'_>) -> Result<Vec<Update>> {
        let mut updates = Vec::new();
        let mut pages = accounts_on(comparing.system);
        while let Some(rows) = pages.next(tx, self.tenant()).await? {
            let shared = rows.into_iter().map(|stored| stored.value).filter(|account| {
                account.identity.is_none() && comparing.rules.shared.contains_key(&account.username)
            });
            let mended: Vec<_> = shared.map(|account| (UNMANAGED, account.id.to_string())).collect();
            updates.extend(self.close_findings(tx, &mended).await?);
        }
        Ok(updates)
    }
}
