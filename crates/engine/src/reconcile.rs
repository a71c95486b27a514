//! Reconciling: compares a whole system with what is known of it.
//!
//! Pages stream; each account becomes a digest that is compared with the one from before, so that only
//! differences touch the store. What differs is an event like any other; nothing is mended here. A
//! listing that was not complete proves no absence.

use std::collections::BTreeMap;

use bailiwick_connector::{Listing, Object, ObjectState};
use bailiwick_core::{
    access::AccessClass,
    account::{Account, AccountState},
    event::EventKind,
    id::{AccountId, EntitlementName, IdentityId, SystemName},
    identity::Identity,
    index::{Index, Match},
    record::{Record, RecordKind},
    system::Entitlement,
};
use bailiwick_store::{Filter, Select, Stored, Table, Tx, Update, Work, get, select};
use serde::Serialize;

use crate::{
    Catalogue, Engine, Result,
    finding::Wrong,
    observe::{managed, shown_digest},
};

/// The size of a page that is asked for.
const PAGE: u32 = 500;
/// How many rows are read or written at a time.
const CHUNK: usize = 512;
/// How many unmanaged accounts become findings of their own; the rest is counted.
const NAMED: usize = 25;

/// What a reconciliation found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reconciled {
    /// How many accounts the system showed.
    pub accounts: u64,
    /// How many are as they were.
    pub unchanged: u64,
    /// How many differ from what was known.
    pub changed: u64,
    /// How many are new and belong to somebody known.
    pub adopted: u64,
    /// How many are new and belong to nobody known.
    pub unmanaged: u64,
    /// How many are not there any more.
    pub gone: u64,
    /// How many groups the system showed.
    pub groups: u64,
    /// Why not everything was shown, if so: then nothing is taken to be gone.
    pub partial: Option<String>,
}

/// An account as the system showed it.
struct Shown {
    external_id: String,
    username: String,
    marker: Option<String>,
    state: AccountState,
}

/// What reading a system gave, before anything is written.
struct Survey {
    report: Reconciled,
    /// Accounts that are new or differ.
    different: Vec<Shown>,
    /// Label → the system's id, for groups.
    groups: BTreeMap<String, String>,
    /// Expected accounts and what they were seen to hold.
    index: Index,
    /// The declared entitlements that are groups, ascending; their place is their number in `index`.
    numbered: Vec<EntitlementName>,
    /// What accounts hold that were not expected.
    others: BTreeMap<String, Vec<usize>>,
}

impl Engine {
    /// Compares the system with what is known of it and files an event for each difference. A second
    /// run right after finds nothing.
    pub async fn reconcile(&self, system: &SystemName) -> Result<Reconciled> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let numbered: Vec<EntitlementName> = catalogue
            .entitlements
            .values()
            .filter(|e| e.name.system() == *system && e.class == AccessClass::DirectGroups)
            .map(|e| e.name.clone())
            .collect();
        let index = self.index(&mut *tx, system, &numbered).await?;
        drop(tx);
        let (report, different, groups) = Default::default();
        let mut survey = Survey { report, different, groups, index, numbered, others: BTreeMap::new() };
        let read = async {
            self.memberships(&catalogue, system, &mut survey).await?;
            if survey.report.partial.is_some() && !catalogue.route(system)?.connector.capability().accounts {
                return Ok(());
            }
            self.survey(&catalogue, system, &mut survey).await
        };
        let outcome = read.await;
        self.record_incidents().await?;
        outcome?;
        self.write_survey(&catalogue, system, survey).await
    }

    pub(crate) async fn reconcile_item(&self, item: &Work, system: &SystemName) -> Result<()> {
        let outcome = self.reconcile(system).await;
        let mut tx = self.begin().await?;
        let subject = system.to_string();
        if let Err(error) = outcome {
            let catalogue = self.catalogue(&mut *tx).await?;
            let owner =
                catalogue.route(system).map_or_else(|_| "operator".into(), |r| r.integration.owner.clone());
            let message = format!("`{system}` cannot be compared: {}: {error:#}", error.code());
            let wrong = Wrong {
                code: "cannot-reconcile",
                subject,
                identity: None,
                system: Some(system.clone()),
                message,
                owner,
            };
            let updates = self.open_finding(&mut *tx, wrong).await?.into_iter().collect();
            tx.write(self.tenant(), updates, self.entropy()).await?;
            tx.commit().await?;
            return Err(error);
        }
        let closed = self.close_finding(&mut *tx, "cannot-reconcile", &subject).await?.into_iter().collect();
        tx.write(self.tenant(), closed, self.entropy()).await?;
        tx.finish(self.tenant(), item).await?;
        Ok(tx.commit().await?)
    }

    /// Reaches a system and tries the reader's and the writer's credential; changes nothing.
    pub async fn check_system(&self, system: &SystemName) -> Result<()> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        drop(tx);
        let route = catalogue.route(system)?;
        // Each credential by itself: that one of them opens says nothing of the others.
        route.connector.check(&self.reading(&catalogue, route.integration)).await?;
        Ok(route.connector.check(&self.writing(&catalogue, route.integration)).await?)
    }

    async fn index(
        &self,
        tx: &mut dyn Tx,
        system: &SystemName,
        numbered: &[EntitlementName],
    ) -> Result<Index> {
        let mut index = Index::default();
        let mut after = None;
        loop {
            let page = Select::from(Table::Accounts)
                .filter(Filter::Is("system", system.as_str().into()))
                .page(after.take(), CHUNK as u32);
            let rows = select::<Account>(tx, self.tenant(), page).await?;
            for stored in &rows {
                // Only what a listing shows is compared: licences, for one, are not in it.
                let mut state = stored.value.state.clone();
                state.entitlements.retain(|e| numbered.binary_search(e).is_ok());
                index.expect(&stored.value.external_id, &state.digest());
            }
            match rows.last() {
                Some(last) if rows.len() == CHUNK => after = Some(last.value.id.to_string()),
                _ => break,
            }
        }
        index.seal(numbered.len());
        Ok(index)
    }

    /// Reads all accounts; what is as it was leaves no trace but a bit.
    async fn survey(&self, catalogue: &Catalogue, system: &SystemName, survey: &mut Survey) -> Result<()> {
        let route = catalogue.route(system)?;
        let names: Vec<&String> =
            catalogue.systems.get(system).map(|s| s.account.keys().collect()).unwrap_or_default();
        let line = self.reading(catalogue, route.integration);
        let mut cursor: Option<String> = None;
        let mut scratch = Vec::new();
        loop {
            let Survey { report, different, index, numbered, others, .. } = &mut *survey;
            let mut visit = |object: Object<'_>| {
                report.accounts += 1;
                let other = others.get(object.id.as_ref());
                let held: Vec<&EntitlementName> = match other {
                    Some(numbers) => numbers.iter().filter_map(|n| numbered.get(*n)).collect(),
                    None => index.held_by(&object.id).filter_map(|n| numbered.get(n)).collect(),
                };
                let digest = shown_digest(&mut scratch, &object, names.iter().copied(), held.iter().copied());
                if index.see(&object.id, &digest) == Match::Same {
                    report.unchanged += 1;
                    return;
                }
                let state = AccountState {
                    active: object.state == ObjectState::Live,
                    attributes: managed(&object, names.iter().copied()),
                    entitlements: held.into_iter().cloned().collect(),
                };
                different.push(Shown {
                    external_id: object.id.to_string(),
                    username: object.name.to_string(),
                    marker: object.marker.map(|m| m.to_string()),
                    state,
                });
            };
            let page =
                route.connector.list(&line, Listing::Accounts, cursor.as_deref(), PAGE, &mut visit).await?;
            if !page.complete {
                report.partial = Some("the system did not show all accounts".into());
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Reads who is in which declared group. Membership is read from the groups, which are the better
    /// witness than what an account says of itself.
    async fn memberships(
        &self,
        catalogue: &Catalogue,
        system: &SystemName,
        survey: &mut Survey,
    ) -> Result<()> {
        let labels: BTreeMap<&str, usize> = survey
            .numbered
            .iter()
            .enumerate()
            .filter_map(|(n, name)| Some((catalogue.entitlements.get(name)?.label.as_str(), n)))
            .collect();
        let route = catalogue.route(system)?;
        if route.connector.capability().by_person.is_some() {
            // Whoever is asked knows a group by the name that configuration gives it.
            survey.groups = labels.keys().map(|label| ((*label).to_owned(), (*label).to_owned())).collect();
            survey.report.partial = Some("only a person can look at it".into());
            return Ok(());
        }
        if !route.connector.capability().groups {
            return Ok(());
        }
        let line = self.reading(catalogue, route.integration);
        let mut cursor: Option<String> = None;
        loop {
            let Survey { report, groups, index, others, .. } = &mut *survey;
            let mut visit = |object: Object<'_>| {
                report.groups += 1;
                let Some(number) = labels.get(object.name.as_ref()) else { return };
                groups.insert(object.name.to_string(), object.id.to_string());
                for member in object.links.iter().filter(|m| !index.hold(m, *number)) {
                    others.entry(member.to_string()).or_default().push(*number);
                }
            };
            let page =
                route.connector.list(&line, Listing::Groups, cursor.as_deref(), PAGE, &mut visit).await?;
            if !page.complete {
                report.partial = Some("the system did not show all groups".into());
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        survey.others.values_mut().for_each(|numbers| numbers.sort_unstable());
        Ok(())
    }

    async fn write_survey(
        &self,
        catalogue: &Catalogue,
        system: &SystemName,
        survey: Survey,
    ) -> Result<Reconciled> {
        let Survey { mut report, different, groups, index, .. } = survey;
        let mut tx = self.begin().await?;
        self.learn_entitlements(&mut *tx, catalogue, system, &groups).await?;
        // A group that could not be read in full would look like lost memberships: nothing is concluded.
        if report.partial.is_none() {
            for chunk in different.chunks(CHUNK) {
                self.write_different(&mut *tx, catalogue, system, chunk, &mut report).await?;
            }
            if index.unseen() > 0 {
                self.write_gone(&mut *tx, system, &index, &mut report).await?;
            }
        }
        let unmanaged = report.unmanaged as usize;
        if unmanaged > NAMED {
            let owner = catalogue.route(system)?.integration.owner.clone();
            let message = format!(
                "{unmanaged} accounts on `{system}` belong to nobody known; {NAMED} of them are named"
            );
            let subject = format!("{system}/many");
            let wrong = Wrong {
                code: "accounts-unmanaged",
                subject,
                identity: None,
                system: Some(system.clone()),
                message,
                owner,
            };
            let updates = self.open_finding(&mut *tx, wrong).await?.into_iter().collect();
            tx.write(self.tenant(), updates, self.entropy()).await?;
        }
        tx.commit().await?;
        Ok(report)
    }

    /// Notes the system's ids of declared groups; what is held by name alone (licences) needs none.
    async fn learn_entitlements(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        system: &SystemName,
        groups: &BTreeMap<String, String>,
    ) -> Result<()> {
        let mut updates = Vec::new();
        let mut learned = false;
        for declared in catalogue.entitlements.values().filter(|e| e.name.system() == *system) {
            let seen = match declared.class {
                AccessClass::DirectGroups => groups.get(&declared.label).cloned(),
                _ => Some(declared.label.clone()),
            };
            let Some(stored) = get::<Entitlement>(tx, self.tenant(), declared.name.as_str()).await? else {
                continue;
            };
            if stored.value.external_id == seen || seen.is_none() {
                continue;
            }
            learned = true;
            let fresh = Entitlement { external_id: seen, ..stored.value };
            let record = self
                .record(RecordKind::Observed, "reconcile")
                .fact("entitlement", &fresh.name)
                .fact("external_id", &fresh.external_id);
            updates.push(Update::new(record).replace(&fresh, stored.revision, self.entropy()));
            updates.extend(self.close_finding(tx, "entitlement-missing", fresh.name.as_str()).await?);
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        if learned {
            // What could not be given before can be given now.
            let cause = format!("{system}@{}", self.now().as_millisecond());
            let job = crate::Job::Redecide { cause, after: None };
            self.enqueue(tx, vec![job.work(None, None, false, self.now())]).await?;
        }
        Ok(())
    }

    async fn write_different(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        system: &SystemName,
        shown: &[Shown],
        report: &mut Reconciled,
    ) -> Result<()> {
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
                seen: self.now(),
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

    /// Accounts that a complete listing did not show any more.
    async fn write_gone(
        &self,
        tx: &mut dyn Tx,
        system: &SystemName,
        index: &Index,
        report: &mut Reconciled,
    ) -> Result<()> {
        let mine = Select::from(Table::Accounts).filter(Filter::Is("system", system.as_str().into()));
        let accounts = select::<Account>(tx, self.tenant(), mine).await?;
        let gone: Vec<Stored<Account>> =
            accounts.into_iter().filter(|s| index.is_missing(&s.value.external_id)).collect();
        for stored in gone {
            report.gone += 1;
            let record = self
                .record(RecordKind::Observed, "reconcile")
                .fact("account", stored.value.id)
                .fact("gone", true)
                .fact("system", system);
            let record = Record { identity: stored.value.identity, ..record };
            let key = stored.value.id.to_string();
            let update = Update::new(record).delete::<Account>(&key, stored.revision);
            tx.write(self.tenant(), vec![update], self.entropy()).await?;
            if let Some(identity) = stored.value.identity {
                self.drift(tx, identity, &stored.value, stored.revision + 1, "the account is gone").await?;
            }
        }
        Ok(())
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
