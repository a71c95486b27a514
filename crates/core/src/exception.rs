//! Exceptions: entitlements that somebody holds until an end although no policy gives them.
//!
//! Break-glass is one kind: a named case, two people, a time box, and a review by a third. Access that was asked for is
//! another: for a time, or kept beyond a change of the job; what comes back when a plan is undone is asked for as well. What was
//! found and stays for now is the third. What
//! is asked for is bound into the plan that is approved ([`Terms::digest`]); an exception counts only from that
//! approval to its end. Absent on purpose: prolonging. Who needs longer asks again.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    gate::HUB,
    id::{ApprovalId, EntitlementName, ExceptionId, GlassName, IdentityId, OperatorId, PlanId, SystemName},
    identity::Lifecycle,
    person::Conflict,
    policy::PolicyId,
    time::{SignedDuration, Timestamp},
};

/// The longest that any case may be open, minutes.
pub const LONGEST_MINUTES: u32 = 24 * 60;
/// The longest that anything may be asked for, minutes.
pub const LONGEST_ASKED: u32 = 90 * 24 * 60;
/// The longest that power over other access may be asked for, minutes.
pub const LONGEST_POWER: u32 = 24 * 60;

/// A named case in which the glass may be broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GlassCase {
    /// Its name.
    pub name: GlassName,
    /// What it is for.
    pub purpose: String,
    /// What it gives.
    pub entitlements: BTreeSet<EntitlementName>,
    /// For how long at most, minutes.
    pub longest_minutes: u32,
}

impl GlassCase {
    /// What is wrong with it, in words. `known` says whether there is such an entitlement.
    pub fn wrongs(&self, known: impl Fn(&EntitlementName) -> bool) -> Vec<String> {
        let mut wrongs = Vec::new();
        let name = &self.name;
        if self.entitlements.is_empty() {
            wrongs.push(format!("break-glass `{name}` gives nothing"));
        }
        for entitlement in &self.entitlements {
            if entitlement.system().as_str() == HUB {
                wrongs.push(format!(
                    "break-glass `{name}` may not give `{entitlement}`: the hub's own log, keys and scope are out of its reach"
                ));
            } else if !known(entitlement) {
                wrongs.push(format!("break-glass `{name}`: there is no entitlement `{entitlement}`"));
            }
        }
        if !(1..=LONGEST_MINUTES).contains(&self.longest_minutes) {
            wrongs.push(format!("break-glass `{name}` is open for 1 to {LONGEST_MINUTES} minutes"));
        }
        wrongs
    }
}

/// Why somebody is to have what no policy gives them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ExceptionBecause")]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Because {
    /// The glass was broken.
    BreakGlass {
        /// Which case.
        case: GlassName,
        /// Why, in the words of who asked.
        reason: String,
    },
    /// Somebody asked for it: for a time, or to keep it beyond a change.
    Asked {
        /// Why, in the words of who asked.
        reason: String,
    },
    /// It was held before a plan took it, and that plan is to be undone.
    Undo {
        /// Which plan.
        plan: PlanId,
        /// Why, in the words of who asked.
        reason: String,
    },
    /// It was found on a system though nobody had decided it, and is to stay for now.
    Found {
        /// Where.
        system: SystemName,
    },
}

impl Because {
    /// What stands in decisions in the place of a policy.
    pub fn policy(&self) -> PolicyId {
        match self {
            Self::BreakGlass { case, .. } => PolicyId::new(format!("break-glass:{case}")),
            Self::Asked { .. } => PolicyId::new("asked-for"),
            Self::Undo { .. } => PolicyId::new("undone"),
            Self::Found { system } => PolicyId::new(format!("found-on:{system}")),
        }
    }

    /// What its approval is asked, as approval policies see it.
    pub const fn question(&self) -> &'static str {
        match self {
            Self::BreakGlass { .. } => "break-glass",
            // No policy gives it any more, so it is asked for.
            Self::Asked { .. } | Self::Undo { .. } => "asked-access",
            Self::Found { .. } => "found-access",
        }
    }

    /// Whether its approval alone does something, though nothing is to be changed anywhere.
    pub const fn keeps(&self) -> bool {
        match self {
            Self::BreakGlass { .. } => false,
            Self::Asked { .. } | Self::Undo { .. } | Self::Found { .. } => true,
        }
    }
}

/// What is asked for; an approval binds to every byte of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Terms {
    /// The exception.
    pub exception: ExceptionId,
    /// Who is to have it.
    pub identity: IdentityId,
    /// What.
    pub entitlements: BTreeSet<EntitlementName>,
    /// How long, minutes from the approval.
    pub minutes: u32,
    /// Why.
    pub because: Because,
    /// Who asks; nobody where the hub does, because it found something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<OperatorId>,
}

impl Terms {
    /// Identifies them.
    pub fn digest(&self) -> Digest {
        Digest::of_value(&("exception-v1", self))
    }

    /// Where it is held.
    pub fn systems(&self) -> BTreeSet<SystemName> {
        self.entitlements.iter().map(EntitlementName::system).collect()
    }

    /// When they end, once approved at `from`.
    pub fn until(&self, from: Timestamp) -> Timestamp {
        from.saturating_add(SignedDuration::from_mins(i64::from(self.minutes))).unwrap_or(from)
    }
}

/// What exceptions give together.
pub fn given_by(all: &[Terms]) -> BTreeSet<EntitlementName> {
    all.iter().flat_map(|terms| terms.entitlements.iter().cloned()).collect()
}

/// That an exception was approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ExceptionGiven")]
pub struct Given {
    /// The approval.
    pub approval: ApprovalId,
    /// Who gave it.
    pub approver: OperatorId,
    /// Since when it counts.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// Where an exception stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum ExceptionState {
    /// Nobody has approved it yet; then it lapses.
    Asked {
        /// When it lapses.
        lapses: Timestamp,
    },
    /// It counts.
    Given(Given),
    /// Its time is over; that nothing is left is not proven yet.
    Ending(Given),
    /// It is proven that nothing of it is left.
    Ended {
        /// What was given.
        #[serde(flatten)]
        given: Given,
        /// When that was proven.
        ended: Timestamp,
    },
    /// Nobody approved it in time.
    Lapsed {
        /// When.
        lapsed: Timestamp,
    },
}

impl ExceptionState {
    /// The name, kebab-case.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Asked { .. } => "asked",
            Self::Given(_) => "given",
            Self::Ending(_) => "ending",
            Self::Ended { .. } => "ended",
            Self::Lapsed { .. } => "lapsed",
        }
    }

    /// That it was approved, if it was.
    pub const fn given(&self) -> Option<&Given> {
        match self {
            Self::Given(given) | Self::Ending(given) | Self::Ended { given, .. } => Some(given),
            Self::Asked { .. } | Self::Lapsed { .. } => None,
        }
    }
}

/// That a third person looked at what was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "GlassReview")]
pub struct Review {
    /// Who.
    pub by: OperatorId,
    /// When.
    pub at: Timestamp,
    /// What they say.
    pub reason: String,
}

/// An exception, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exception {
    /// What was asked for.
    #[serde(flatten)]
    pub terms: Terms,
    /// When.
    pub asked: Timestamp,
    /// Where it stands.
    #[serde(flatten)]
    pub state: ExceptionState,
    /// That it was reviewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
}

/// Why something cannot be done with an exception.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExceptionRefusal {
    /// Longer than the case allows.
    #[error("`{case}` is open for 1 to {longest} minutes")]
    TooLong {
        /// The case.
        case: GlassName,
        /// Its longest.
        longest: u32,
    },
    /// Longer than may be asked for.
    #[error("{what} can be asked for {longest} at most")]
    Longer {
        /// What.
        what: &'static str,
        /// How long.
        longest: &'static str,
    },
    /// Policies forbid it.
    #[error("they may not hold `{entitlement}`: {} forbids it", policies.join(", "))]
    Forbidden {
        /// What.
        entitlement: EntitlementName,
        /// By which policies.
        policies: Vec<String>,
    },
    /// Nothing of it counts.
    #[error("it is {0}; only what counts can be ended")]
    NotGiven(&'static str),
    /// Nobody says why.
    #[error("say why: a reason cannot be empty")]
    NoReason,
    /// The person may hold nothing.
    #[error("they are {0} and may not hold anything")]
    NotHere(&'static str),
    /// It is open already.
    #[error("the same is asked for or open for them already: {0}")]
    Already(ExceptionId),
    /// There is nothing to give.
    #[error(
        "there is nothing to give now: what the case gives is held already, forbidden, missing, or waits for a change under way"
    )]
    Nothing,
    /// Its end could not be proven.
    #[error("`{0}` can only be looked at by a person: that access ends there could not be proven")]
    Unprovable(EntitlementName),
    /// It is not open for an approval any more.
    #[error("it is {0}; ask again")]
    NotAsked(&'static str),
    /// It is not over yet.
    #[error("it is {0}; it is reviewed when its end is proven")]
    NotEnded(&'static str),
    /// Somebody did it.
    #[error("it was reviewed at {0}")]
    Reviewed(Timestamp),
    /// The reviewer had part in it.
    #[error("who asked, approved or profited, and who acts for them, cannot review it")]
    Involved,
    /// It is not known which person the reviewer is.
    #[error(
        "only a person who is known and here can review; who an operator is, is said with \
         `bailiwick operator add NAME --person SOURCE/KEY`"
    )]
    NoPerson,
}

impl ExceptionRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "break-glass-too-long",
            Self::Longer { .. } => "access-too-long",
            Self::Forbidden { .. } => "access-forbidden",
            Self::NotGiven(_) => "access-not-open",
            Self::NoReason => "reason-missing",
            Self::NotHere(_) => "identity-not-active",
            Self::Already(_) => "access-asked-already",
            Self::Nothing => "break-glass-nothing",
            Self::Unprovable(_) => "access-unprovable",
            Self::NotAsked(_) => "access-asked-over",
            Self::NotEnded(_) => "break-glass-running",
            Self::Reviewed(_) => "review-done",
            Self::Involved => "review-by-involved",
            Self::NoPerson => "reviewer-unknown",
        }
    }
}

/// Asks for a case to be opened; `terms` are what is asked for. It lapses at `lapses`.
pub fn ask(
    case: &GlassCase,
    terms: Terms,
    lifecycle: &Lifecycle,
    now: Timestamp,
    lapses: Timestamp,
) -> Result<Exception, ExceptionRefusal> {
    because_of(&terms)?;
    if !(1..=case.longest_minutes).contains(&terms.minutes) {
        let (case, longest) = (case.name.clone(), case.longest_minutes);
        return Err(ExceptionRefusal::TooLong { case, longest });
    }
    keep(terms, lifecycle, now, lapses)
}

/// Asks for access, for a time. `power` says whether it gives power over other access. It lapses at `lapses`.
pub fn ask_for(
    terms: Terms,
    power: bool,
    lifecycle: &Lifecycle,
    now: Timestamp,
    lapses: Timestamp,
) -> Result<Exception, ExceptionRefusal> {
    because_of(&terms)?;
    let (longest, what, words) = match power {
        true => (LONGEST_POWER, "power over other access", "a day"),
        false => (LONGEST_ASKED, "access", "90 days"),
    };
    if !(1..=longest).contains(&terms.minutes) {
        return Err(ExceptionRefusal::Longer { what, longest: words });
    }
    keep(terms, lifecycle, now, lapses)
}

fn because_of(terms: &Terms) -> Result<(), ExceptionRefusal> {
    let reason = match &terms.because {
        Because::BreakGlass { reason, .. } | Because::Asked { reason } | Because::Undo { reason, .. } => {
            reason.as_str()
        }
        Because::Found { .. } => "",
    };
    if reason.trim().is_empty() { Err(ExceptionRefusal::NoReason) } else { Ok(()) }
}

/// Asks whether what was found may stay. It lapses at `lapses`, and then it is taken. Nothing is asked for somebody who
/// may not hold anything.
pub fn keep(
    terms: Terms,
    lifecycle: &Lifecycle,
    now: Timestamp,
    lapses: Timestamp,
) -> Result<Exception, ExceptionRefusal> {
    if !lifecycle.may_hold() {
        return Err(ExceptionRefusal::NotHere(lifecycle.name()));
    }
    Ok(Exception { terms, asked: now, state: ExceptionState::Asked { lapses }, review: None })
}

impl Exception {
    /// What counts of it at `now`, if it does.
    pub fn live(&self, now: Timestamp) -> Option<&Terms> {
        match &self.state {
            ExceptionState::Given(given) if given.until > now => Some(&self.terms),
            ExceptionState::Given(_)
            | ExceptionState::Asked { .. }
            | ExceptionState::Ending(_)
            | ExceptionState::Ended { .. }
            | ExceptionState::Lapsed { .. } => None,
        }
    }

    /// It was approved at `now`.
    pub fn give(
        self,
        approval: ApprovalId,
        approver: OperatorId,
        now: Timestamp,
    ) -> Result<Self, ExceptionRefusal> {
        match self.state {
            ExceptionState::Asked { lapses } if lapses > now => {
                let until = self.terms.until(now);
                let state = ExceptionState::Given(Given { approval, approver, from: now, until });
                Ok(Self { state, ..self })
            }
            other => Err(ExceptionRefusal::NotAsked(other.name())),
        }
    }

    /// It is ended before its time. Whether something is left is proven as at any end.
    pub fn end(self, now: Timestamp) -> Result<Self, ExceptionRefusal> {
        match self.state {
            ExceptionState::Given(given) => {
                let state = ExceptionState::Ending(Given { until: given.until.min(now), ..given });
                Ok(Self { state, ..self })
            }
            other => Err(ExceptionRefusal::NotGiven(other.name())),
        }
    }

    /// A third person looked at it. `person` is who they are; `conflicts` are those who may not.
    pub fn review(
        self,
        by: OperatorId,
        person: Option<&str>,
        conflicts: &BTreeMap<String, Conflict>,
        reason: &str,
        now: Timestamp,
    ) -> Result<Self, ExceptionRefusal> {
        if let Some(review) = &self.review {
            return Err(ExceptionRefusal::Reviewed(review.at));
        }
        let ExceptionState::Ended { given, .. } = &self.state else {
            return Err(ExceptionRefusal::NotEnded(self.state.name()));
        };
        if by == given.approver || Some(by) == self.terms.requester {
            return Err(ExceptionRefusal::Involved);
        }
        match person {
            None => return Err(ExceptionRefusal::NoPerson),
            Some(person) if conflicts.contains_key(person) => return Err(ExceptionRefusal::Involved),
            Some(_) => {}
        }
        if reason.trim().is_empty() {
            return Err(ExceptionRefusal::NoReason);
        }
        Ok(Self { review: Some(Review { by, at: now, reason: reason.to_owned() }), ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    fn case(entitlements: &[&str], longest_minutes: u32) -> GlassCase {
        let entitlements = entitlements.iter().map(|e| EntitlementName::new(e).unwrap()).collect();
        let name = GlassName::new("outage").unwrap();
        GlassCase { name, purpose: "an outage".into(), entitlements, longest_minutes }
    }

    fn terms(minutes: u32, reason: &str) -> Terms {
        let case = case(&["chat/admins"], 60);
        Terms {
            exception: ExceptionId::from_bytes([1; 16]),
            identity: IdentityId::from_bytes([2; 16]),
            entitlements: case.entitlements,
            minutes,
            because: Because::BreakGlass { case: case.name, reason: reason.into() },
            requester: Some(OperatorId::from_bytes([3; 16])),
        }
    }

    fn asked() -> Exception {
        let active = Lifecycle::Active { ends: None };
        ask(&case(&["chat/admins"], 60), terms(30, "mail is down"), &active, at(0), at(60)).unwrap()
    }

    #[test]
    fn a_case_reaches_nothing_of_the_hub_and_has_an_end() {
        let check = |case: GlassCase, expect: &str| {
            let wrongs = case.wrongs(|name| name.as_str() == "chat/admins").join("; ");
            assert!(if expect.is_empty() { wrongs.is_empty() } else { wrongs.contains(expect) }, "{wrongs}");
        };
        check(case(&["chat/admins"], 60), "");
        check(case(&[], 60), "gives nothing");
        check(case(&["bailiwick/integration-approved"], 60), "out of its reach");
        check(case(&["chat/other"], 60), "no entitlement `chat/other`");
        check(case(&["chat/admins"], 0), "minutes");
        check(case(&["chat/admins"], 1_441), "minutes");
    }

    #[test]
    fn what_is_asked_is_within_the_case_and_for_somebody_who_is_here() {
        let check = |minutes: u32, reason: &str, lifecycle: Lifecycle, expect: Result<(), &str>| {
            let told = ask(&case(&["chat/admins"], 60), terms(minutes, reason), &lifecycle, at(0), at(60));
            assert_eq!(told.map(|_| ()).map_err(|r| r.code()), expect);
        };
        let active = || Lifecycle::Active { ends: None };
        check(60, "down", active(), Ok(()));
        check(0, "down", active(), Err("break-glass-too-long"));
        check(61, "down", active(), Err("break-glass-too-long"));
        check(60, " ", active(), Err("reason-missing"));
        let left = Lifecycle::Left { at: crate::time::Effective::at(at(0)) };
        check(60, "down", left, Err("identity-not-active"));
    }

    #[test]
    fn it_counts_from_its_approval_to_its_end() {
        let given = |minute| {
            asked().give(ApprovalId::from_bytes([4; 16]), OperatorId::from_bytes([5; 16]), at(minute))
        };
        assert!(asked().live(at(1)).is_none());
        assert_eq!(given(60).unwrap_err().code(), "access-asked-over");
        let open = given(10).unwrap();
        assert!(open.live(at(39)).is_some());
        assert!(open.live(at(40)).is_none());
        let again = open.give(ApprovalId::from_bytes([6; 16]), OperatorId::from_bytes([5; 16]), at(11));
        assert_eq!(again.unwrap_err().code(), "access-asked-over");
    }

    #[test]
    fn terms_are_bound_to_every_byte() {
        let base = terms(30, "down").digest();
        let altered: [fn(&mut Terms); 4] = [
            |t| t.minutes = 31,
            |t| t.identity = IdentityId::from_bytes([9; 16]),
            |t| t.entitlements.clear(),
            |t| t.requester = Some(OperatorId::from_bytes([9; 16])),
        ];
        for alter in altered {
            let mut other = terms(30, "down");
            alter(&mut other);
            assert_ne!(other.digest(), base, "{other:?}");
        }
    }

    #[test]
    fn a_third_person_reviews_it_once_after_its_end() {
        let open =
            asked().give(ApprovalId::from_bytes([4; 16]), OperatorId::from_bytes([5; 16]), at(1)).unwrap();
        let given = open.state.given().unwrap().clone();
        let ended = Exception { state: ExceptionState::Ended { given, ended: at(50) }, ..open.clone() };
        let conflicts = BTreeMap::from([("hr/1".to_owned(), Conflict::Beneficiary)]);
        let check = |of: &Exception, by: u8, person: Option<&str>, reason: &str, expect: Result<(), &str>| {
            let by = OperatorId::from_bytes([by; 16]);
            let told = of.clone().review(by, person, &conflicts, reason, at(60));
            assert_eq!(told.map(|_| ()).map_err(|r| r.code()), expect);
        };
        check(&open, 7, Some("hr/7"), "fine", Err("break-glass-running"));
        check(&ended, 3, Some("hr/7"), "fine", Err("review-by-involved"));
        check(&ended, 5, Some("hr/7"), "fine", Err("review-by-involved"));
        check(&ended, 7, Some("hr/1"), "fine", Err("review-by-involved"));
        check(&ended, 7, None, "fine", Err("reviewer-unknown"));
        check(&ended, 7, Some("hr/7"), " ", Err("reason-missing"));
        check(&ended, 7, Some("hr/7"), "fine", Ok(()));
        let done =
            ended.review(OperatorId::from_bytes([7; 16]), Some("hr/7"), &conflicts, "fine", at(60)).unwrap();
        check(&done, 8, Some("hr/8"), "fine", Err("review-done"));
    }
}
