//! Accounts that differ, are new or are gone: what is known of them from now on, and the events.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use bailiwick_core::{
    access::AccessClass,
    account::{Account, AccountState},
    difference::{Answer, Class},
    event::EventKind,
    id::{AccountId, IdentityId},
    identity::Identity,
    record::{Record, RecordKind},
};
use bailiwick_store::{Filter, Select, Stored, Table, Tx, Update, select};

use super::{
    CHUNK, Comparing, Gone, Reconciled, Shown, accounts_on,
    again::Again,
    classes::{Judged, Owners, Room, Seen, words},
    keep::Keep,
};
use crate::{Engine, Result, budget::DRIFT, finding::Wrong};

/// How many unmanaged accounts become findings of their own; the rest is counted.
pub(super) const NAMED: usize = 25;
/// The finding about an account that belongs to nobody known.
pub(super) const UNMANAGED: &str = "account-unmanaged";

/// That something differs about an account of somebody.
struct Drift {
    identity: IdentityId,
    account: AccountId,
    /// That the observation wrote: what was put right and drifts again in the same way is a new event.
    revision: i64,
    what: String,
}

impl Engine {
    pub(super) async fn write_different(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        shown: &[Shown],
        report: &mut Reconciled,
        room: &mut Room,
    ) -> Result<()> {
        let known = self.known_accounts(tx, comparing, shown).await?;
        let theirs = known.values().filter_map(|stored| stored.value.identity);
        let markers = shown.iter().filter_map(|one| one.marker.clone());
        let owners = self.owners(tx, theirs, markers).await?;
        let seconds = self.seconds(tx, comparing, shown, &known, &owners).await?;
        let mut bulk = comparing.catalogue.policies.bulk();
        let (mut updates, mut drifted, mut kept, mut again) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut new: BTreeMap<&str, AccountId> = BTreeMap::new();
        for one in shown {
            let stored = known.get(&one.external_id);
            if stored.is_some_and(|s| s.value.seen > comparing.began) {
                // The hub changed it while the system was being read: the next reading compares it.
                continue;
            }
            let before = stored.map(|stored| &stored.value);
            let second = seconds.contains(&one.external_id);
            let marked = owners.marked(one.marker.as_ref()).filter(|_| !second);
            let identity = before.and_then(|account| account.identity).or(marked);
            let mut account = self.as_shown(comparing, one, before, identity);
            if before.is_none_or(|before| before.identity.is_none()) {
                account.for_key = owners.came_with(identity, one.marker.as_ref());
            }
            let seen = Seen {
                identity,
                username: &one.username,
                marker: one.marker.as_ref(),
                stored: before,
                observed: Some(&account.state),
            };
            let differences = self.differences(comparing, &mut bulk, &owners, &seen);
            let held = stored.is_some() && takes_room(&differences) && !room.take();
            let made = stored.is_none();
            report.classes.tell(
                (&account, identity),
                &differences,
                |one| comparing.by(&account, one, made),
                held,
            );
            if held {
                continue;
            }
            report.unexplained.extend(comparing.unexplained(&account, &differences, made));
            if let Some(identity) = identity.filter(|_| comparing.says_whether_active(before, &account)) {
                self.align_soon(tx, identity).await?;
            }
            let update = self.observed(comparing, &account, &differences, made);
            match stored {
                Some(s) => {
                    report.changed += 1;
                    updates.push(update.replace(&account, s.revision, self.entropy()));
                    if s.value.identity.is_none() && identity.is_some() {
                        updates.extend(self.close_finding(tx, UNMANAGED, &account.id.to_string()).await?);
                    }
                }
                None => {
                    *(if identity.is_some() { &mut report.adopted } else { &mut report.unmanaged }) += 1;
                    updates.push(update.insert(&account, self.entropy()));
                    new.insert(&one.external_id, account.id);
                    if identity.is_none() && report.unmanaged as usize <= NAMED {
                        let unmanaged = self.unmanaged(tx, comparing, (&account, second), &differences);
                        updates.extend(unmanaged.await?);
                    }
                }
            }
            let Some(identity) = identity else { continue };
            again.extend(Again::of(comparing, identity, &account, &differences));
            match Keep::of(comparing, identity, &differences) {
                Some(keep) => kept.push(keep),
                None => {
                    let (account, revision) = (account.id, stored.map_or(1, |s| s.revision + 1));
                    drifted.push(Drift { identity, account, revision, what: words(&differences) });
                }
            }
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        self.came_to_lie(tx, comparing, &new).await?;
        for again in again {
            self.seen_again(tx, comparing, again).await?;
        }
        for keep in kept {
            self.ask_to_keep(tx, keep).await?;
        }
        self.drift(tx, comparing, drifted).await
    }

    /// Those that bear the mark of somebody who has another account here. They do not become theirs: the one that the hub
    /// knows would be lost from sight behind it.
    async fn seconds(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        shown: &[Shown],
        known: &BTreeMap<String, Stored<Account>>,
        owners: &Owners,
    ) -> Result<BTreeSet<String>> {
        let mine = |one: &&Shown| known.get(&one.external_id).is_some_and(|s| s.value.identity.is_some());
        let marked: Vec<(&String, IdentityId)> = shown
            .iter()
            .filter(|one| !mine(one))
            .filter_map(|one| Some((&one.external_id, owners.marked(one.marker.as_ref())?)))
            .collect();
        if marked.is_empty() {
            return Ok(BTreeSet::new());
        }
        let ids: BTreeSet<String> = marked.iter().map(|(_, id)| id.to_string()).collect();
        let theirs = Filter::In("identity", ids.into_iter().map(Into::into).collect());
        let accounts =
            select::<Account>(tx, self.tenant(), Select::from(Table::Accounts).filter(theirs)).await?;
        let here = accounts.into_iter().filter(|stored| stored.value.system == *comparing.system);
        let mut have: BTreeSet<IdentityId> = here.filter_map(|stored| stored.value.identity).collect();
        let second =
            |(external_id, id): (&String, IdentityId)| (!have.insert(id)).then(|| external_id.clone());
        Ok(marked.into_iter().filter_map(second).collect())
    }

    async fn known_accounts(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        shown: &[Shown],
    ) -> Result<BTreeMap<String, Stored<Account>>> {
        let locators = shown.iter().map(|s| Account::locator_of(comparing.system, &s.external_id).into());
        let asked = Select::from(Table::Accounts).filter(Filter::In("locator", locators.collect()));
        let known = select::<Account>(tx, self.tenant(), asked).await?;
        Ok(known.into_iter().map(|s| (s.value.external_id.clone(), s)).collect())
    }

    /// The account as it is known from now on.
    fn as_shown(
        &self,
        comparing: &Comparing<'_>,
        one: &Shown,
        before: Option<&Account>,
        identity: Option<IdentityId>,
    ) -> Account {
        let mut state: AccountState = one.state.clone();
        if let Some(before) = before {
            // What the listing does not show stays as it was known.
            let declared = &comparing.catalogue.entitlements;
            let kept = before.state.entitlements.iter().filter(|name| {
                declared.get(*name).is_some_and(|entitlement| entitlement.class != AccessClass::DirectGroups)
            });
            state.entitlements.extend(kept.cloned());
            state.entitlements.sort();
        }
        Account {
            id: before.map_or_else(|| AccountId::new(self.now(), self.entropy()), |account| account.id),
            system: comparing.system.clone(),
            external_id: one.external_id.clone(),
            username: one.username.clone(),
            identity,
            for_key: before.and_then(|account| account.for_key.clone()),
            state,
            applied: before.and_then(|account| account.applied.clone()),
            seen: comparing.began,
        }
    }

    fn observed(
        &self,
        comparing: &Comparing<'_>,
        account: &Account,
        differences: &[Judged],
        made: bool,
    ) -> Update {
        let record = self
            .record(RecordKind::Observed, "reconcile")
            .fact("active", account.state.active)
            .fact("entitlements", &account.state.entitlements)
            .fact("state", account.state.digest())
            .fact("system", comparing.system)
            .personal("username", &account.username);
        let record = match comparing.told.others.of(&account.external_id, &comparing.parts(differences, made))
        {
            Some(by) => record.fact("deed", &by.deed).fact("done", by.at).personal("by", &by.actor),
            None => record,
        };
        Update::new(Record { identity: account.identity, ..record })
    }

    /// The finding about a new account that belongs to nobody known, unless several are known to use it.
    async fn unmanaged(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        (account, second): (&Account, bool),
        differences: &[Judged],
    ) -> Result<Option<Update>> {
        let is = |class| differences.iter().any(|one| one.difference.class == class);
        if is(Class::Shared) {
            return Ok(None);
        }
        let system = comparing.system;
        let message = match (second, is(Class::Ghost)) {
            (true, _) => format!(
                "an account on `{system}` bears the mark of somebody who has another one there: find out who made it, then \
                 take the mark away or remove it"
            ),
            (false, true) => format!(
                "an account on `{system}` bears the mark of somebody whom their source does not know: find out who made \
                 it, then remove it"
            ),
            (false, false) => {
                format!("an account on `{system}` belongs to nobody known: give it an owner or remove it")
            }
        };
        let wrong = Wrong {
            code: "account-unmanaged",
            subject: account.id.to_string(),
            identity: None,
            system: Some(system.clone()),
            message,
            owner: comparing.integration.owner.clone(),
        };
        self.open_finding(tx, wrong).await
    }

    /// Accounts that are not there any more.
    pub(super) async fn write_gone(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        gone: Gone,
        report: &mut Reconciled,
        room: &mut Room,
    ) -> Result<()> {
        match gone {
            Gone::Nobody => {}
            Gone::These(ids) => {
                for ids in ids.chunks(CHUNK) {
                    let locator = |id: &String| Account::locator_of(comparing.system, id).into();
                    let asked = Select::from(Table::Accounts)
                        .filter(Filter::In("locator", ids.iter().map(locator).collect()));
                    for stored in select::<Account>(tx, self.tenant(), asked).await? {
                        self.write_one_gone(tx, comparing, stored, report, room).await?;
                    }
                }
            }
            Gone::All(is_missing) => {
                let mut pages = accounts_on(comparing.system);
                while let Some(rows) = pages.next(tx, self.tenant()).await? {
                    for stored in rows {
                        if is_missing(&stored.value.external_id) {
                            self.write_one_gone(tx, comparing, stored, report, room).await?;
                        }
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
        room: &mut Room,
    ) -> Result<()> {
        let Stored { value: account, revision } = stored;
        if account.seen > comparing.began {
            // The hub made it while the system was being read.
            return Ok(());
        }
        let differences = self.of_gone(tx, comparing, &account).await?;
        let held = takes_room(&differences) && !room.take();
        let by = |one: &Judged| comparing.by(&account, one, false);
        report.classes.tell((&account, account.identity), &differences, by, held);
        if held {
            return Ok(());
        }
        report.unexplained.extend(comparing.unexplained(&account, &differences, false));
        report.gone += 1;
        let record = self
            .record(RecordKind::Observed, "reconcile")
            .fact("account", account.id)
            .fact("gone", true)
            .fact("system", comparing.system);
        let record = Record { identity: account.identity, ..record };
        let key = account.id.to_string();
        let mut updates = vec![Update::new(record).delete::<Account>(&key, revision)];
        updates.extend(self.close_finding(tx, UNMANAGED, &key).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        let Some(identity) = account.identity else { return Ok(()) };
        if let Some(keep) = Keep::of(comparing, identity, &differences) {
            return self.ask_to_keep(tx, keep).await;
        }
        let what = match differences.is_empty() {
            true => "the account is gone".into(),
            false => words(&differences),
        };
        let drift = Drift { identity, account: account.id, revision: revision + 1, what };
        self.drift(tx, comparing, vec![drift]).await
    }

    async fn of_gone(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        account: &Account,
    ) -> Result<Vec<Judged>> {
        let Some(identity) = account.identity else { return Ok(Vec::new()) };
        let owners = self.owners(tx, [identity].into_iter(), std::iter::empty()).await?;
        let mut bulk = comparing.catalogue.policies.bulk();
        let seen = Seen {
            identity: Some(identity),
            username: &account.username,
            marker: None,
            stored: Some(account),
            observed: None,
        };
        Ok(self.differences(comparing, &mut bulk, &owners, &seen))
    }

    /// Files an event for each observation. One comparison is one piece of work, as budgets count.
    async fn drift(&self, tx: &mut dyn Tx, comparing: &Comparing<'_>, mut drifted: Vec<Drift>) -> Result<()> {
        let run = format!("{}@{}", comparing.system, comparing.began.as_millisecond());
        while !drifted.is_empty() {
            // Of somebody with several accounts that differ, the event of the second rests on the first.
            let (mut once, mut next) = (BTreeMap::new(), Vec::new());
            for drift in drifted {
                match once.entry(drift.identity) {
                    Entry::Vacant(place) => drop(place.insert(drift)),
                    Entry::Occupied(_) => next.push(drift),
                }
            }
            let ids = once.keys().map(|id| id.to_string().into()).collect();
            let asked = Select::from(Table::Identities).filter(Filter::In("id", ids));
            let known = select::<Identity>(tx, self.tenant(), asked).await?;
            let noticed = known.into_iter().filter_map(|stored| {
                let Drift { account, revision, what, .. } = once.remove(&stored.value.id)?;
                let kind = EventKind::Drifted { system: comparing.system.clone(), what };
                Some((stored, format!("{DRIFT}/{run}/{account}/{revision}"), kind))
            });
            self.file_all(tx, noticed.collect(), None).await?;
            drifted = next;
        }
        Ok(())
    }
}

/// Whether something would be done about it that can wait: what takes access from somebody who is not here cannot.
fn takes_room(differences: &[Judged]) -> bool {
    differences.iter().all(|one| one.difference.class != Class::Ghost)
        && differences.iter().any(|one| one.answer == Answer::Revert)
}
