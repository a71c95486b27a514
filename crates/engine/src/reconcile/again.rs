//! Access of somebody who has left that is seen again, after it was proven to be gone, or is seen for the first time.
//!
//! It is put back like every difference. But what their case says is not so any more: the cell says what was seen, so that
//! the case is open until reading back shows every class of access to be gone again. Where nothing can be planned, it
//! stays open.

use std::collections::BTreeMap;

use bailiwick_core::{
    access::AccessClass,
    account::Account,
    case::Cell,
    difference::{Aspect, Class},
    id::{AccountId, IdentityId},
    record::RecordKind,
    verify::Verdict,
};
use bailiwick_store::{Tx, Update, get};

use super::{Comparing, classes::Judged};
use crate::{Engine, Haste, Result, apply::later, verify::RECHECK_MS};

/// What was seen again on an account of somebody who has left, by class.
pub(super) struct Again {
    identity: IdentityId,
    account: AccountId,
    /// Whether the account can be used. What else works there is not known where it cannot.
    usable: bool,
    seen: BTreeMap<AccessClass, Vec<String>>,
}

impl Again {
    /// What of the differences of an account is that.
    pub(super) fn of(
        comparing: &Comparing<'_>,
        identity: IdentityId,
        account: &Account,
        differences: &[Judged],
    ) -> Option<Self> {
        let mut seen: BTreeMap<AccessClass, Vec<String>> = BTreeMap::new();
        for one in differences.iter().filter(|one| one.difference.class == Class::Ghost) {
            let (class, what) = match &one.difference.aspect {
                Aspect::Account => (AccessClass::PrimaryAccount, account.username.clone()),
                Aspect::Entitlement(name) => match comparing.catalogue.entitlements.get(name) {
                    Some(entitlement) => (entitlement.class, entitlement.label.clone()),
                    None => continue,
                },
                Aspect::Use | Aspect::Attribute(_) => continue,
            };
            seen.entry(class).or_default().push(what);
        }
        (!seen.is_empty()).then_some(Self {
            identity,
            account: account.id,
            usable: account.state.active,
            seen,
        })
    }
}

impl Engine {
    /// Writes it into the case of whoever left, which is open again by that.
    pub(super) async fn seen_again(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        again: Again,
    ) -> Result<()> {
        let Some(case) = self.latest_case(tx, again.identity).await?.map(|stored| stored.value) else {
            return Ok(());
        };
        if !self.is_of_a_leaver(tx, case.id).await? {
            return Ok(());
        }
        let system = comparing.system;
        let witness = self.listing_witness(comparing.catalogue, comparing.integration);
        let mut updates = Vec::new();
        for (class, what) in again.seen {
            let verdict = match class {
                AccessClass::PrimaryAccount if !again.usable => Verdict::Pending { until: self.now() },
                _ => Verdict::Residual { what },
            };
            let before = get::<Cell>(tx, self.tenant(), &Cell::key_of(case.id, system, class)).await?;
            if before.as_ref().is_some_and(|before| before.value.verdict == verdict) {
                continue;
            }
            let known = before.as_ref().map(|before| &before.value);
            let cell = Cell {
                case: case.id,
                system: system.clone(),
                class,
                account: known.map_or(again.account, |cell| cell.account),
                verdict,
                at: self.now(),
                method: "listing".into(),
                witness: Some(witness),
                answer: None,
                tried: known.map_or(0, |cell| cell.tried),
            };
            let record = self
                .record(RecordKind::Verified, "reconcile")
                .identity(case.identity)
                .case(case.id)
                .fact("class", cell.class)
                .fact("method", &cell.method)
                .fact("system", &cell.system)
                .fact("verdict", cell.verdict.name())
                .fact("witness", cell.witness);
            let update = Update::new(record);
            updates.push(match before {
                Some(before) => update.replace(&cell, before.revision, self.entropy()),
                None => update.insert(&cell, self.entropy()),
            });
        }
        if updates.is_empty() {
            return Ok(());
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        self.settle_case(tx, case.id).await?;
        // What is carried out meanwhile is read back by itself, and then this is not.
        let due = later(self.now(), RECHECK_MS);
        let reading = self.reading_for(tx, &case, system, (Haste::Usual, due)).await?;
        self.enqueue(tx, reading.into_iter().collect()).await
    }
}
