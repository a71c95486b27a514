//! Writing what a comparison found: differences, who is gone, what is known now, all in one transaction.

use std::collections::BTreeMap;

use bailiwick_core::{
    access::AccessClass,
    account::Account,
    digest::Digest,
    event::EventKind,
    id::{AccountId, IdentityId, SystemName},
    identity::Identity,
    record::{Record, RecordKind},
};
use bailiwick_store::{
    Filter, Select, Stored, Table, Tx, Update,
    entities::{Membership, Reading},
    get, select,
};

use super::{CHUNK, Comparing, Found, Gone, Reconciled, Shown};
use crate::{Catalogue, Engine, Result, finding::Wrong};

/// How many unmanaged accounts become findings of their own; the rest is counted.
const NAMED: usize = 25;

impl Engine {
    pub(super) async fn write_found(&self, comparing: &Comparing<'_>, found: Found) -> Result<Reconciled> {
        let Found { mut report, different, gone, groups, inside, members, since } = found;
        let Comparing { system, .. } = *comparing;
        let mut tx = self.begin().await?;
        self.learn_entitlements(&mut *tx, comparing, &groups, inside.as_ref()).await?;
        // What was not shown in full would look like lost memberships and lost accounts: nothing is concluded.
        if report.partial.is_none() {
            for chunk in different.chunks(CHUNK) {
                self.write_different(&mut *tx, comparing, chunk, &mut report).await?;
            }
            self.write_gone(&mut *tx, comparing, gone, &mut report).await?;
            self.write_members(&mut *tx, comparing, members).await?;
        }
        let unmanaged = report.unmanaged as usize;
        if unmanaged > NAMED {
            let wrong = Wrong {
                code: "accounts-unmanaged",
                subject: format!("{system}/many"),
                identity: None,
                system: Some(system.clone()),
                message: format!(
                    "{unmanaged} accounts on `{system}` belong to nobody known; {NAMED} of them are named"
                ),
                owner: comparing.integration.owner.clone(),
            };
            let updates = self.open_finding(&mut *tx, wrong).await?.into_iter().collect();
            tx.write(self.tenant(), updates, self.entropy()).await?;
        }
        if !comparing.by_person() {
            self.write_reading(&mut *tx, comparing, since, &report).await?;
            self.schedule_reconcile(&mut *tx, comparing).await?;
        }
        tx.commit().await?;
        Ok(report)
    }

    /// What was read, and where the next reading begins.
    async fn write_reading(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        since: Option<bailiwick_store::entities::Since>,
        report: &Reconciled,
    ) -> Result<()> {
        let before = comparing.before.as_ref();
        let listed = match (report.how, &report.partial) {
            (super::How::Listed, None) => Some(comparing.began),
            (super::How::Listed, Some(_)) | (super::How::News, _) => before.and_then(|b| b.value.listed),
        };
        let reading = Reading {
            system: comparing.system.clone(),
            basis: comparing.basis,
            at: comparing.began,
            listed,
            since,
            partial: report.partial.clone(),
        };
        let record = self
            .record(RecordKind::Reconciled, "reconcile")
            .fact("accounts", report.accounts)
            .fact("adopted", report.adopted)
            .fact("changed", report.changed)
            .fact("gone", report.gone)
            .fact("how", report.how)
            .fact("partial", report.partial.is_some())
            .fact("system", comparing.system)
            .fact("unchanged", report.unchanged)
            .fact("unmanaged", report.unmanaged);
        let update = Update::new(record);
        let update = match before {
            Some(before) => update.replace(&reading, before.revision, self.entropy()),
            None => update.insert(&reading, self.entropy()),
        };
        Ok(tx.write(self.tenant(), vec![update], self.entropy()).await?)
    }

    async fn write_members(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        members: Vec<Membership>,
    ) -> Result<()> {
        for membership in members {
            let name = &membership.entitlement;
            let before = get::<Membership>(tx, self.tenant(), name.as_str()).await?;
            let record = self
                .record(RecordKind::Observed, "reconcile")
                .fact("entitlement", name)
                .fact("members", Digest::of_value(&membership.members))
                .fact("system", comparing.system);
            let update = Update::new(record);
            let update = match before {
                Some(before) => update.replace(&membership, before.revision, self.entropy()),
                None => update.insert(&membership, self.entropy()),
            };
            tx.write(self.tenant(), vec![update], self.entropy()).await?;
        }
        Ok(())
    }

    async fn write_different(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        shown: &[Shown],
        report: &mut Reconciled,
    ) -> Result<()> {
        let (catalogue, system) = (comparing.catalogue, comparing.system);
        let locators = shown.iter().map(|s| format!("{system}/{}", s.external_id).into()).collect();
        let asked = Select::from(Table::Accounts).filter(Filter::In("locator", locators));
        let known: BTreeMap<String, Stored<Account>> = select::<Account>(tx, self.tenant(), asked)
            .await?
            .into_iter()
            .map(|s| (s.value.external_id.clone(), s))
            .collect();
        let markers = shown.iter().filter_map(|s| s.marker.clone()).map(Into::into).collect();
        let asked = Select::from(Table::Identities).filter(Filter::In("source_key", markers));
        let people: BTreeMap<String, IdentityId> = select::<Identity>(tx, self.tenant(), asked)
            .await?
            .into_iter()
            .map(|s| (s.value.source_key.to_string(), s.value.id))
            .collect();
        let mut updates = Vec::new();
        let mut drifted = Vec::new();
        for one in shown {
            let marked = one.marker.as_ref().and_then(|m| people.get(m)).copied();
            let stored = known.get(&one.external_id);
            if stored.is_some_and(|s| s.value.seen > comparing.began) {
                // The hub changed it while the system was being read: the next reading compares it.
                continue;
            }
            let identity = stored.and_then(|s| s.value.identity).or(marked);
            let mut state = one.state.clone();
            if let Some(s) = stored {
                // What the listing does not show stays as it was known.
                let kept = s.value.state.entitlements.iter().filter(|e| {
                    catalogue.entitlements.get(*e).is_some_and(|d| d.class != AccessClass::DirectGroups)
                });
                state.entitlements.extend(kept.cloned());
                state.entitlements.sort();
            }
            let account = Account {
                id: stored.map_or_else(|| AccountId::new(self.now(), self.entropy()), |s| s.value.id),
                system: system.clone(),
                external_id: one.external_id.clone(),
                username: one.username.clone(),
                identity,
                state,
                applied: stored.and_then(|s| s.value.applied.clone()),
                seen: comparing.began,
            };
            let record = self
                .record(RecordKind::Observed, "reconcile")
                .fact("active", account.state.active)
                .fact("entitlements", &account.state.entitlements)
                .fact("state", account.state.digest())
                .fact("system", system)
                .personal("username", &account.username);
            let record = Record { identity, ..record };
            let update = Update::new(record);
            match stored {
                Some(s) => {
                    report.changed += 1;
                    updates.push(update.replace(&account, s.revision, self.entropy()));
                }
                None => {
                    *(if identity.is_some() { &mut report.adopted } else { &mut report.unmanaged }) += 1;
                    updates.push(update.insert(&account, self.entropy()));
                    if identity.is_none() && report.unmanaged as usize <= NAMED {
                        updates.extend(self.unmanaged(tx, catalogue, system, &account).await?);
                    }
                }
            }
            if let Some(identity) = identity {
                drifted.push((identity, account, stored.map_or(1, |s| s.revision + 1)));
            }
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        for (identity, account, revision) in drifted {
            self.drift(tx, identity, &account, revision, "the account differs from what the hub made of it")
                .await?;
        }
        Ok(())
    }

    async fn unmanaged(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        system: &SystemName,
        account: &Account,
    ) -> Result<Option<Update>> {
        let wrong = Wrong {
            code: "account-unmanaged",
            subject: account.id.to_string(),
            identity: None,
            system: Some(system.clone()),
            message: format!(
                "an account on `{system}` belongs to nobody known: give it an owner or remove it"
            ),
            owner: catalogue.route(system)?.integration.owner.clone(),
        };
        self.open_finding(tx, wrong).await
    }

    /// Accounts that are not there any more.
    async fn write_gone(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        gone: Gone,
        report: &mut Reconciled,
    ) -> Result<()> {
        match gone {
            Gone::Nobody => {}
            Gone::These(ids) => {
                for ids in ids.chunks(CHUNK) {
                    let locator = |id: &String| format!("{}/{id}", comparing.system).into();
                    let asked = Select::from(Table::Accounts)
                        .filter(Filter::In("locator", ids.iter().map(locator).collect()));
                    for stored in select::<Account>(tx, self.tenant(), asked).await? {
                        self.write_one_gone(tx, comparing, stored, report).await?;
                    }
                }
            }
            Gone::All(is_missing) => {
                let mut after = None;
                loop {
                    let page = Select::from(Table::Accounts)
                        .filter(Filter::Is("system", comparing.system.as_str().into()))
                        .page(after.take(), CHUNK as u32);
                    let rows = select::<Account>(tx, self.tenant(), page).await?;
                    let full = rows.len() == CHUNK;
                    for stored in rows {
                        after = Some(stored.value.id.to_string());
                        if is_missing(&stored.value.external_id) {
                            self.write_one_gone(tx, comparing, stored, report).await?;
                        }
                    }
                    if !full {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    async fn write_one_gone(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        stored: Stored<Account>,
        report: &mut Reconciled,
    ) -> Result<()> {
        if stored.value.seen > comparing.began {
            // The hub made it while the system was being read.
            return Ok(());
        }
        report.gone += 1;
        let record = self
            .record(RecordKind::Observed, "reconcile")
            .fact("account", stored.value.id)
            .fact("gone", true)
            .fact("system", comparing.system);
        let record = Record { identity: stored.value.identity, ..record };
        let key = stored.value.id.to_string();
        let update = Update::new(record).delete::<Account>(&key, stored.revision);
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        match stored.value.identity {
            Some(identity) => {
                self.drift(tx, identity, &stored.value, stored.revision + 1, "the account is gone").await
            }
            None => Ok(()),
        }
    }

    /// Files the event for one observation. Its key is the revision that the observation wrote: what was put
    /// right and drifts again in the same way is a new event.
    async fn drift(
        &self,
        tx: &mut dyn Tx,
        identity: IdentityId,
        account: &Account,
        revision: i64,
        what: &str,
    ) -> Result<()> {
        let Some(stored) = get::<Identity>(tx, self.tenant(), &identity.to_string()).await? else {
            return Ok(());
        };
        let key = format!("drift/{}/{revision}", account.id);
        let kind = EventKind::Drifted { system: account.system.clone(), what: what.to_owned() };
        self.file(tx, stored, key, kind, None).await?;
        Ok(())
    }
}
