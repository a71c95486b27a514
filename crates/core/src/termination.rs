//! Terminations: somebody is to go at a moment that a person chooses, and everything for it is ready before.
//!
//! Arming makes the plan that a leaver would get and collects the approval that it may need; it changes nothing. Firing
//! makes the event. It acts on what is true then: its plan is made anew, and what was prepared only says whether
//! accounts may be deleted at once ([`Termination::covered`]). Who was fired stays gone, whatever their source goes on
//! saying, until it has said that they left, or says that they were hired anew, or two people say so ([`SourceWord`]).
//! Absent on purpose: anything by which somebody who is armed could find that out.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    id::{EventId, IdentityId, OperatorId, SystemName, TerminationId},
    identity::Lifecycle,
    person::Conflict,
    plan::{Op, Plan, Target},
    time::{SignedDuration, Timestamp},
};

/// The role of operators who may arm, see and fire.
pub const ROLE: &str = "terminator";
/// The longest that somebody may be armed, hours.
pub const LONGEST_HOURS: u32 = 7 * 24;
/// How long the wish to lift a termination waits for a second person, hours.
pub const LIFT_HOURS: i64 = 24;

/// What a source says of somebody who was fired, and what that counts for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "word")]
pub enum SourceWord {
    /// It has not said that they left: that it says they are here counts for nothing.
    Owed,
    /// One person wants it to count again, and waits for a second one.
    LiftAsked {
        /// Who.
        by: OperatorId,
        /// Until when.
        until: Timestamp,
    },
    /// It has said that they left: what it says counts again.
    Given {
        /// When.
        at: Timestamp,
    },
    /// It said that they begin on a day after they were fired.
    HiredAnew {
        /// When it said so.
        at: Timestamp,
    },
    /// Two people said that what it says counts again.
    Lifted {
        /// The second one.
        by: OperatorId,
        /// When.
        at: Timestamp,
    },
}

impl SourceWord {
    /// Whether what the source says of their being here counts for nothing.
    pub const fn is_owed(&self) -> bool {
        match self {
            Self::Owed | Self::LiftAsked { .. } => true,
            Self::Given { .. } | Self::HiredAnew { .. } | Self::Lifted { .. } => false,
        }
    }
}

/// Where a termination stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum TerminationState {
    /// It can be fired.
    Armed {
        /// Until when.
        expires: Timestamp,
    },
    /// It was fired.
    Fired {
        /// When.
        at: Timestamp,
        /// By whom.
        by: OperatorId,
        /// The event that it made.
        event: EventId,
        /// Where the account is disabled although it is deleted elsewhere in this case: nobody approved that.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        spared: BTreeSet<SystemName>,
        /// What the source says of it.
        word: SourceWord,
    },
    /// Somebody took it back.
    Disarmed {
        /// When.
        at: Timestamp,
        /// Who.
        by: OperatorId,
    },
    /// Nobody fired it in time.
    Lapsed {
        /// When.
        at: Timestamp,
    },
    /// They had left before it was fired.
    Overtaken {
        /// When that was found.
        at: Timestamp,
    },
}

impl TerminationState {
    /// The name, kebab-case.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Armed { .. } => "armed",
            Self::Fired { .. } => "fired",
            Self::Disarmed { .. } => "disarmed",
            Self::Lapsed { .. } => "lapsed",
            Self::Overtaken { .. } => "overtaken",
        }
    }
}

/// Somebody who is to go, and where that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Termination {
    /// Its id.
    pub id: TerminationId,
    /// Who.
    pub identity: IdentityId,
    /// Why, in the words of who armed it.
    pub reason: String,
    /// Who armed it.
    pub by: OperatorId,
    /// When.
    pub armed: Timestamp,
    /// The plan that a leaver would have got then.
    pub plan: Plan,
    /// The digest of the plan, to which an approval binds.
    pub digest: Digest,
    /// Whether the plan takes an approval by a person: no rule approves it.
    pub asks: bool,
    /// Where it stands.
    pub state: TerminationState,
}

/// Why something cannot be done with a termination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TerminationRefusal {
    /// The caller has not the role.
    #[error("this takes the role `{ROLE}`, which `{0}` does not have")]
    NotAllowed(String),
    /// The caller is the person, or acts for them.
    #[error("nobody arms themselves, nor somebody for whom they act")]
    Own,
    /// Nobody says why.
    #[error("say why: a reason cannot be empty")]
    NoReason,
    /// It would be armed for too long.
    #[error("somebody is armed for 1 to {LONGEST_HOURS} hours")]
    TooLong,
    /// Only people are terminated.
    #[error("`{0}` is no person; an integration is ended with `bailiwick kill`")]
    NoPerson(String),
    /// They have left.
    #[error("`{0}` has left already")]
    Gone(String),
    /// They are armed already.
    #[error("`{0}` is armed already: {1}")]
    Already(String, TerminationId),
    /// It is not armed any more.
    #[error("{0} is {1} and not armed")]
    NotArmed(TerminationId, &'static str),
    /// It is armed no longer.
    #[error("{0} was armed until {1}; arm it again")]
    Expired(TerminationId, Timestamp),
    /// There is nothing to lift.
    #[error("{0}: what the source says of them counts already")]
    NotOwed(TerminationId),
    /// One person alone wants to lift it.
    #[error("that a source counts again for somebody who was fired takes a second person")]
    SamePerson,
    /// It is not known which person the caller is.
    #[error(
        "only a person who is known and here can do this; who an operator is, is said with \
         `bailiwick operator add NAME --person SOURCE/KEY`"
    )]
    Unknown,
}

impl TerminationRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAllowed(_) => "not-allowed",
            Self::Own => "termination-own",
            Self::NoReason => "reason-missing",
            Self::TooLong => "termination-too-long",
            Self::NoPerson(_) => "termination-no-person",
            Self::Gone(_) => "termination-gone",
            Self::Already(..) => "termination-armed",
            Self::NotArmed(..) => "termination-not-armed",
            Self::Expired(..) => "termination-expired",
            Self::NotOwed(_) => "termination-not-owed",
            Self::SamePerson => "termination-same-person",
            Self::Unknown => "terminator-unknown",
        }
    }
}

/// Checks what is asked for before somebody is armed.
pub fn may_arm(
    name: &str,
    lifecycle: &Lifecycle,
    reason: &str,
    hours: u32,
) -> Result<(), TerminationRefusal> {
    if reason.trim().is_empty() {
        return Err(TerminationRefusal::NoReason);
    }
    if !(1..=LONGEST_HOURS).contains(&hours) {
        return Err(TerminationRefusal::TooLong);
    }
    match lifecycle {
        Lifecycle::Left { .. } => Err(TerminationRefusal::Gone(name.to_owned())),
        Lifecycle::Pending { .. }
        | Lifecycle::Active { .. }
        | Lifecycle::Leave { .. }
        | Lifecycle::GardenLeave { .. }
        | Lifecycle::Absent { .. }
        | Lifecycle::Merged { .. } => Ok(()),
    }
}

impl Termination {
    /// Fails unless it can be fired or taken back at `now`.
    pub fn armed_at(&self, now: Timestamp) -> Result<(), TerminationRefusal> {
        match self.state {
            TerminationState::Armed { expires } if expires > now => Ok(()),
            TerminationState::Armed { expires } => Err(TerminationRefusal::Expired(self.id, expires)),
            TerminationState::Fired { .. }
            | TerminationState::Disarmed { .. }
            | TerminationState::Lapsed { .. }
            | TerminationState::Overtaken { .. } => {
                Err(TerminationRefusal::NotArmed(self.id, self.state.name()))
            }
        }
    }

    /// When it was fired, while what its source says of their being here counts for nothing.
    pub fn owed(&self) -> Option<Timestamp> {
        match &self.state {
            TerminationState::Fired { at, word, .. } if word.is_owed() => Some(*at),
            TerminationState::Fired { .. }
            | TerminationState::Armed { .. }
            | TerminationState::Disarmed { .. }
            | TerminationState::Lapsed { .. }
            | TerminationState::Overtaken { .. } => None,
        }
    }

    /// The same with another word of the source; of one that was not fired, nothing changes.
    #[must_use]
    pub fn told(self, said: SourceWord) -> Self {
        let state = match self.state {
            TerminationState::Fired { at, by, event, spared, .. } => {
                TerminationState::Fired { at, by, event, spared, word: said }
            }
            other => other,
        };
        Self { state, ..self }
    }

    /// Somebody wants that what the source says counts again: the first one asks, a second person does it.
    /// `person` is who they are; `conflicts` are the persons who may not, the first one among them.
    pub fn lift(
        self,
        by: OperatorId,
        person: Option<&str>,
        conflicts: &BTreeMap<String, Conflict>,
        now: Timestamp,
    ) -> Result<Self, TerminationRefusal> {
        let TerminationState::Fired { word, .. } = &self.state else {
            return Err(TerminationRefusal::NotOwed(self.id));
        };
        let Some(person) = person else { return Err(TerminationRefusal::Unknown) };
        let said = match word {
            SourceWord::LiftAsked { by: first, until } if *until > now => {
                if *first == by || conflicts.contains_key(person) {
                    return Err(TerminationRefusal::SamePerson);
                }
                SourceWord::Lifted { by, at: now }
            }
            SourceWord::Owed | SourceWord::LiftAsked { .. } => {
                let until = now.saturating_add(SignedDuration::from_hours(LIFT_HOURS)).unwrap_or(now);
                SourceWord::LiftAsked { by, until }
            }
            SourceWord::Given { .. } | SourceWord::HiredAnew { .. } | SourceWord::Lifted { .. } => {
                return Err(TerminationRefusal::NotOwed(self.id));
            }
        };
        Ok(self.told(said))
    }

    /// Of the systems that delete accounts of leavers (`deletes`), those where the account is disabled instead: `fresh`, the
    /// plan of the moment, deletes there what the prepared plan did not, or nobody `approved` that plan. What can be taken
    /// back needs no preparation: taking access away is one person's word.
    pub fn spared<'s>(
        &self,
        fresh: &Plan,
        deletes: impl IntoIterator<Item = &'s SystemName>,
        approved: bool,
    ) -> BTreeSet<SystemName> {
        let prepared: BTreeSet<_> = deleted(&self.plan).collect();
        let covered = |system: &SystemName| {
            approved
                && prepared.iter().any(|(on, _)| *on == system)
                && deleted(fresh).filter(|(on, _)| *on == system).all(|delete| prepared.contains(&delete))
        };
        deletes.into_iter().filter(|system| !covered(system)).cloned().collect()
    }
}

/// The accounts that a plan deletes.
fn deleted(plan: &Plan) -> impl Iterator<Item = (&SystemName, &str)> {
    plan.changes.iter().filter(|change| change.op == Op::Delete).filter_map(|change| match &change.target {
        Target::Known { external_id, .. } => Some((&change.system, external_id.as_str())),
        Target::New { .. } => None,
    })
}

/// The systems where a plan deletes an account.
pub fn deleting(plan: &Plan) -> BTreeSet<SystemName> {
    deleted(plan).map(|(system, _)| system.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::FIRED,
        id::{AccountId, PlanId},
        plan::{Change, Decision},
    };

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hour * 3_600).unwrap()
    }

    fn system(name: &str) -> SystemName {
        SystemName::new(name).unwrap()
    }

    /// A plan that disables (`chat`) or deletes (`chat!ID`) accounts.
    fn plan(changes: &[&str]) -> Plan {
        let change = |(seq, text): (usize, &&str)| {
            let (on, id, op) = match text.split_once('!') {
                Some((on, id)) => (on, id, Op::Delete),
                None => (*text, "x", Op::Disable { way: 0 }),
            };
            let target = Target::Known { account: AccountId::from_bytes([1; 16]), external_id: id.into() };
            let (system, seq) = (system(on), u16::try_from(seq).unwrap());
            Change { seq, system, target, entitlement: None, op, because: vec![] }
        };
        Plan {
            id: PlanId::from_bytes([1; 16]),
            decision: Decision {
                leads: None,
                event: EventId::from_bytes([2; 16]),
                identity: IdentityId::from_bytes([3; 16]),
                generation: 2,
                policy: Digest::of(b""),
                desired: BTreeMap::new(),
                forbidden: BTreeMap::new(),
            },
            rests_on: Digest::of(b""),
            cause: FIRED.into(),
            changes: changes.iter().enumerate().map(change).collect(),
            before: BTreeMap::new(),
            missing: vec![],
            privileged: false,
            governs: None,
            exception: None,
            joint: None,
            stay: None,
            made: at(0),
        }
    }

    fn termination(changes: &[&str], state: TerminationState) -> Termination {
        let plan = plan(changes);
        Termination {
            id: TerminationId::from_bytes([4; 16]),
            identity: plan.decision.identity,
            reason: "why".into(),
            by: operator(1),
            armed: at(0),
            digest: plan.digest(),
            asks: true,
            plan,
            state,
        }
    }

    fn operator(n: u8) -> OperatorId {
        OperatorId::from_bytes([n; 16])
    }

    fn fired(word: SourceWord) -> Termination {
        let (at, by, event) = (at(1), operator(1), EventId::from_bytes([5; 16]));
        termination(&[], TerminationState::Fired { at, by, event, spared: BTreeSet::new(), word })
    }

    #[test]
    fn an_account_is_deleted_at_once_only_where_exactly_that_was_approved() {
        let check = |prepared: &[&str], fresh: &[&str], approved, expect: &[&str]| {
            let armed = termination(prepared, TerminationState::Armed { expires: at(9) });
            let deletes = [system("chat"), system("wiki")];
            let spared = armed.spared(&plan(fresh), &deletes, approved);
            let spared: Vec<&str> = spared.iter().map(|s| s.as_str()).collect();
            assert_eq!(spared, expect, "{prepared:?} {fresh:?} {approved}");
        };
        check(&["chat!1", "wiki!1"], &["chat!1", "wiki!1"], true, &[]);
        check(&["chat!1", "wiki!1"], &["chat!1", "wiki!1"], false, &["chat", "wiki"]);
        check(&["chat!1"], &["chat!1", "wiki!1"], true, &["wiki"]);
        check(&["chat!1"], &["chat!2"], true, &["chat", "wiki"]);
        check(&["chat!1"], &["chat!1", "chat!2"], true, &["chat", "wiki"]);
        // What is gone meanwhile needs nothing; what was only to be disabled covers no deletion.
        check(&["chat!1", "wiki!1"], &["chat!1"], true, &[]);
        check(&["chat", "wiki!1"], &["chat!1", "wiki!1"], true, &["chat"]);
    }

    #[test]
    fn who_may_be_armed() {
        let here = Lifecycle::Active { ends: None };
        let left = Lifecycle::Left { at: crate::time::Effective::at(at(0)), kept_out: None };
        let check = |lifecycle: &Lifecycle, reason: &str, hours, expect: &str| {
            let told = may_arm("hr/1", lifecycle, reason, hours);
            assert_eq!(told.map_or_else(|refusal| refusal.code(), |()| "done"), expect);
        };
        check(&here, "why", 1, "done");
        check(&here, "why", LONGEST_HOURS, "done");
        check(&here, " ", 1, "reason-missing");
        check(&here, "why", 0, "termination-too-long");
        check(&here, "why", LONGEST_HOURS + 1, "termination-too-long");
        check(&left, "why", 1, "termination-gone");
    }

    #[test]
    fn it_is_fired_while_it_is_armed() {
        let check = |of: Termination, now, expect: &str| {
            assert_eq!(of.armed_at(at(now)).map_or_else(|refusal| refusal.code(), |()| "done"), expect);
        };
        let armed = || termination(&[], TerminationState::Armed { expires: at(9) });
        check(armed(), 8, "done");
        check(armed(), 9, "termination-expired");
        check(fired(SourceWord::Owed), 2, "termination-not-armed");
        check(termination(&[], TerminationState::Lapsed { at: at(9) }), 2, "termination-not-armed");
    }

    #[test]
    fn a_source_counts_again_when_a_second_person_says_so_in_time() {
        let conflicts = BTreeMap::from([("hr/1".to_owned(), Conflict::Requester)]);
        let check = |of: &Termination, by: u8, person: Option<&str>, now, expect: &str| {
            let told = of.clone().lift(operator(by), person, &conflicts, at(now));
            let told = told.map(|lifted| if lifted.owed().is_some() { "asked" } else { "lifted" });
            assert_eq!(told.unwrap_or_else(|refusal| refusal.code()), expect);
        };
        let asked = fired(SourceWord::Owed).lift(operator(1), Some("hr/1"), &BTreeMap::new(), at(2)).unwrap();
        check(&fired(SourceWord::Owed), 1, Some("hr/1"), 2, "asked");
        check(&fired(SourceWord::Owed), 1, None, 2, "terminator-unknown");
        check(&asked, 1, Some("hr/9"), 3, "termination-same-person");
        check(&asked, 2, Some("hr/1"), 3, "termination-same-person");
        check(&asked, 2, Some("hr/2"), 3, "lifted");
        // After a day it is a new wish.
        check(&asked, 2, Some("hr/2"), 2 + LIFT_HOURS, "asked");
        check(&fired(SourceWord::Given { at: at(2) }), 2, Some("hr/2"), 3, "termination-not-owed");
        let armed = termination(&[], TerminationState::Armed { expires: at(9) });
        check(&armed, 2, Some("hr/2"), 3, "termination-not-owed");
    }
}
