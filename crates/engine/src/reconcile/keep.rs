//! What differs and may stay as it was found, if a person approves it: an exception that the hub asks for.
//!
//! Access that nobody decided is asked for only where nothing else is to be put right on the account, and never if it is
//! power over other access. What somebody else took away may have been taken for a reason that the hub does not know: an
//! account that is blocked during an incident must not be opened again by a program. Nobody who does not answer has said
//! yes: then it is put back, and so it is when anything else about the person is decided first.

use std::collections::BTreeSet;

use bailiwick_core::{
    access::AccessClass,
    account::Account,
    difference::{Answer, Aspect, Class, Difference},
    event::EventKind,
    exception::{self, Because, Terms},
    id::{EntitlementName, ExceptionId, IdentityId},
    identity::Identity,
    plan::Desired,
    record::RecordKind,
    time::SignedDuration,
};
use bailiwick_store::{Tx, Update, get};

use super::{Comparing, classes::Judged};
use crate::{Engine, EngineError, Result, exception::watch};

/// How long an approval is waited for, hours.
const LAPSES_HOURS: i64 = 72;
/// How many minutes a day has.
const MINUTES: u32 = 24 * 60;

/// What may stay as it was found.
pub(super) struct Keep {
    identity: IdentityId,
    class: Class,
    entitlements: BTreeSet<EntitlementName>,
    days: u16,
    because: Because,
}

impl Keep {
    /// What may stay of what differs, if nothing is to be put back.
    pub(super) fn of(
        comparing: &Comparing<'_>,
        identity: IdentityId,
        differences: &[Judged],
    ) -> Option<Self> {
        if differences.iter().any(|one| one.answer == Answer::Revert) {
            return None;
        }
        let asked = || differences.iter().filter_map(|one| Some((one, one.answer.days()?)));
        let system = comparing.system.clone();
        let whole = asked().any(|(one, _)| one.difference.is_loss_of_all());
        let lost = asked().any(|(one, _)| one.difference.is_loss());
        let concerned = || asked().filter(|(one, _)| one.difference.is_loss() == lost);
        Some(Self {
            identity,
            class: concerned().next()?.0.difference.class,
            entitlements: concerned().flat_map(|(one, _)| one.about.iter().cloned()).collect(),
            days: concerned().map(|(_, days)| days).min()?,
            because: match lost {
                true => Because::Lost { system, whole },
                false => Because::Found { system },
            },
        })
    }
}

impl Comparing<'_> {
    /// What is done about each difference of an account. Where one of them has to be put back, all are; where the whole
    /// account is blocked or gone, that is asked about, and the rest goes with it.
    pub(super) fn judge(
        &self,
        differences: Vec<Difference>,
        desired: Option<&Desired>,
        may_hold: bool,
    ) -> Vec<Judged> {
        let mut judged: Vec<Judged> = differences
            .into_iter()
            .map(|difference| {
                let about = self.about(&difference, desired);
                let answer = self.answer(&difference, &about, may_hold);
                Judged { difference, answer, about }
            })
            .collect();
        let asked = |one: &&Judged| one.answer.days().is_some();
        let whole = judged.iter().filter(asked).find(|one| one.difference.is_loss_of_all());
        let mixed = judged.iter().filter(asked).any(|one| one.difference.is_loss())
            && judged.iter().filter(asked).any(|one| !one.difference.is_loss());
        let for_all = match whole {
            Some(whole) => Some(whole.answer),
            None if mixed || judged.iter().any(|one| one.answer == Answer::Revert) => Some(Answer::Revert),
            None => None,
        };
        if let Some(answer) = for_all {
            judged.iter_mut().filter(|one| one.answer != Answer::Tell).for_each(|one| one.answer = answer);
        }
        judged
    }

    fn answer(&self, difference: &Difference, about: &BTreeSet<EntitlementName>, may_hold: bool) -> Answer {
        match self.rules.answer(difference.class) {
            // Nobody is let in again by a program where being disabled says that they are to have no access.
            _ if difference.class == Class::Drifted
                && difference.aspect == Aspect::Use
                && self.is_anchor() =>
            {
                Answer::Tell
            }
            answer @ (Answer::Adopt | Answer::Except { .. })
                if may_hold && self.may_stay(difference, about) =>
            {
                answer
            }
            Answer::Adopt | Answer::Except { .. } | Answer::Revert => Answer::Revert,
            Answer::Tell => Answer::Tell,
        }
    }

    fn is_anchor(&self) -> bool {
        self.declared.is_some_and(|system| system.anchor)
    }

    /// Whether the account says something new of whether its person is to have access.
    pub(super) fn says_whether_active(&self, before: Option<&Account>, now: &Account) -> bool {
        self.is_anchor() && before.map_or(!now.state.active, |before| before.state.active != now.state.active)
    }

    /// Whether an exception can be about it: that it has ended can be read by a program, and it gives no power over other access.
    fn may_stay(&self, difference: &Difference, about: &BTreeSet<EntitlementName>) -> bool {
        let harmless = |name: &EntitlementName| {
            self.catalogue.entitlements.get(name).is_some_and(|entitlement| !entitlement.privileged)
        };
        !about.is_empty() && !self.by_person() && (difference.is_loss() || about.iter().all(harmless))
    }

    /// The entitlements that a difference is about: of the account as a whole, the one by which it stays, and all that it
    /// should hold.
    fn about(&self, difference: &Difference, desired: Option<&Desired>) -> BTreeSet<EntitlementName> {
        match &difference.aspect {
            Aspect::Entitlement(name) => [name.clone()].into(),
            Aspect::Attribute(_) => BTreeSet::new(),
            Aspect::Use | Aspect::Account => {
                let all = self.catalogue.entitlements.values();
                let mut accounts = all
                    .filter(|e| e.name.system() == *self.system && e.class == AccessClass::PrimaryAccount)
                    .map(|entitlement| entitlement.name.clone());
                let held = desired.filter(|_| difference.is_loss()).into_iter();
                accounts.next().into_iter().chain(held.flat_map(|d| d.entitlements.keys().cloned())).collect()
            }
        }
    }
}

impl Engine {
    /// Asks whether it may stay so: a plan waits for a person.
    pub(super) async fn ask_to_keep(&self, tx: &mut dyn Tx, keep: Keep) -> Result<()> {
        let Some(stored) = get::<Identity>(tx, self.tenant(), &keep.identity.to_string()).await? else {
            return Ok(());
        };
        let now = self.now();
        let terms = Terms {
            exception: ExceptionId::new(now, self.entropy()),
            identity: keep.identity,
            entitlements: keep.entitlements,
            minutes: u32::from(keep.days) * MINUTES,
            because: keep.because,
            requester: None,
        };
        let lapses = now.saturating_add(SignedDuration::from_hours(LAPSES_HOURS)).unwrap_or(now);
        let asked = exception::keep(terms, &stored.value.lifecycle, now, lapses)?;
        match self.not_twice(tx, &asked).await {
            // It is asked already.
            Err(EngineError::Exception(_)) => return Ok(()),
            other => other?,
        }
        let record =
            self.exception_record(RecordKind::ExceptionAsked, &asked).fact("class", keep.class.as_str());
        let update = Update::new(record).insert(&asked, self.entropy());
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        let (id, systems) = (asked.terms.exception, asked.terms.systems());
        let kind = EventKind::ExceptionAsked { exception: id, systems };
        self.file(tx, stored, format!("exception/{id}/asked"), kind, None).await?;
        self.enqueue(tx, vec![watch(id, lapses)]).await
    }
}
