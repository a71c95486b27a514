//! Access that nobody decided and that may stay, if a person approves it: an exception that the hub asks for.
//!
//! It is asked only where nothing else is to be put right on the account, and never for power over other access. Nobody
//! who does not answer has said yes: then it is taken, and so it is when anything else about the person is decided first.

use std::collections::BTreeSet;

use bailiwick_core::{
    access::AccessClass,
    account::Account,
    difference::{ADOPTED_DAYS, Answer, Aspect, Class, Difference},
    event::EventKind,
    exception::{self, Because, Terms},
    id::{EntitlementName, ExceptionId, IdentityId},
    identity::Identity,
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

/// What may stay.
pub(super) struct Keep {
    identity: IdentityId,
    entitlements: BTreeSet<EntitlementName>,
    days: u16,
}

impl Keep {
    /// What may stay of what differs, if nothing is to be put back.
    pub(super) fn of(
        comparing: &Comparing<'_>,
        identity: IdentityId,
        differences: &[Judged],
    ) -> Option<Self> {
        let mut entitlements = BTreeSet::new();
        let mut days = u16::MAX;
        for Judged { difference, answer } in differences {
            days = days.min(match answer {
                Answer::Revert => return None,
                Answer::Adopt => ADOPTED_DAYS,
                Answer::Except { days } => *days,
                Answer::Tell => continue,
            });
            entitlements.extend(comparing.kept_by(&difference.aspect));
        }
        (!entitlements.is_empty()).then_some(Self { identity, entitlements, days })
    }
}

impl Comparing<'_> {
    /// What is done about each difference of an account. Where one of them has to be put back, all are.
    pub(super) fn judge(&self, differences: Vec<Difference>, may_hold: bool) -> Vec<Judged> {
        let answer = |one: &Difference| match self.rules.answer(one.class) {
            // Nobody is let in again by a program where being disabled says that they are to have no access.
            _ if one.class == Class::Drifted && one.aspect == Aspect::Use && self.is_anchor() => Answer::Tell,
            answer @ (Answer::Adopt | Answer::Except { .. }) if may_hold && self.may_stay(&one.aspect) => {
                answer
            }
            Answer::Adopt | Answer::Except { .. } | Answer::Revert => Answer::Revert,
            Answer::Tell => Answer::Tell,
        };
        let answers: Vec<Answer> = differences.iter().map(answer).collect();
        let back = answers.contains(&Answer::Revert);
        let judged = |(difference, answer): (Difference, Answer)| {
            let answer = if back && answer != Answer::Tell { Answer::Revert } else { answer };
            Judged { difference, answer }
        };
        differences.into_iter().zip(answers).map(judged).collect()
    }

    fn is_anchor(&self) -> bool {
        self.declared.is_some_and(|system| system.anchor)
    }

    /// Whether the account says something new of whether its person is to have access.
    pub(super) fn says_whether_active(&self, before: Option<&Account>, now: &Account) -> bool {
        self.is_anchor() && before.map_or(!now.state.active, |before| before.state.active != now.state.active)
    }

    /// Whether an account differs, and the system's own log, which was read to its end, has no word of that.
    pub(super) fn is_unexplained(&self, account: &str, differences: &[Judged]) -> bool {
        let changed = differences.iter().any(|one| one.difference.class != Class::Shared);
        let read = self.told.read.whole && self.before.is_some();
        read && changed && !self.told.others.knows(account)
    }

    /// Whether it is something that an exception can give, whose end can be read and that is no power over other access.
    fn may_stay(&self, aspect: &Aspect) -> bool {
        let declared = self.kept_by(aspect).and_then(|name| self.catalogue.entitlements.get(&name));
        declared.is_some_and(|entitlement| !entitlement.privileged) && !self.by_person()
    }

    /// The entitlement by which it would stay.
    fn kept_by(&self, aspect: &Aspect) -> Option<EntitlementName> {
        let account = || {
            let all = self.catalogue.entitlements.values();
            let mut accounts = all
                .filter(|e| e.name.system() == *self.system && e.class == AccessClass::PrimaryAccount)
                .map(|entitlement| entitlement.name.clone());
            accounts.next()
        };
        match aspect {
            Aspect::Account => account(),
            Aspect::Entitlement(name) => Some(name.clone()),
            Aspect::Use | Aspect::Attribute(_) => None,
        }
    }
}

impl Engine {
    /// Asks whether it may stay: a plan that changes nothing waits for a person.
    pub(super) async fn ask_to_keep(
        &self,
        tx: &mut dyn Tx,
        comparing: &Comparing<'_>,
        keep: Keep,
    ) -> Result<()> {
        let Some(stored) = get::<Identity>(tx, self.tenant(), &keep.identity.to_string()).await? else {
            return Ok(());
        };
        let now = self.now();
        let terms = Terms {
            exception: ExceptionId::new(now, self.entropy()),
            identity: keep.identity,
            entitlements: keep.entitlements,
            minutes: u32::from(keep.days) * MINUTES,
            because: Because::Found { system: comparing.system.clone() },
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
            self.exception_record(RecordKind::ExceptionAsked, &asked).fact("class", Class::Rogue.as_str());
        let update = Update::new(record).insert(&asked, self.entropy());
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        let (id, systems) = (asked.terms.exception, asked.terms.systems());
        let kind = EventKind::ExceptionAsked { exception: id, systems };
        self.file(tx, stored, format!("exception/{id}/asked"), kind, None).await?;
        self.enqueue(tx, vec![watch(id, lapses)]).await
    }
}
