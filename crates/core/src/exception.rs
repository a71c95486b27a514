//! Exceptions: entitlements that somebody holds until an end although no policy gives them.
//!
//! Break-glass is one kind: a named case, two people, a time box, and a review by a third. Access that was asked for is
//! another: for a time, or kept beyond a change of the job; what comes back when a plan is undone is asked for as well. What was
//! found and stays for now is the third. The fourth withholds instead of giving: what somebody else took away on a system
//! stays away for now ([`beside`]). What
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
    policy::{Holding, PolicyId},
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
    /// Somebody else took it away on a system though it should be there, and it is to stay away for now.
    Lost {
        /// Where.
        system: SystemName,
        /// Whether it is the account as a whole. Then nothing is wanted there.
        whole: bool,
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
            Self::Lost { system, .. } => PolicyId::new(format!("lost-on:{system}")),
        }
    }

    /// What its approval is asked, as approval policies see it.
    pub const fn question(&self) -> &'static str {
        match self {
            Self::BreakGlass { .. } => "break-glass",
            // No policy gives it any more, so it is asked for.
            Self::Asked { .. } | Self::Undo { .. } => "asked-access",
            Self::Found { .. } => "found-access",
            Self::Lost { .. } => "lost-access",
        }
    }

    /// Whether its approval alone does something, though nothing is to be changed anywhere.
    pub const fn keeps(&self) -> bool {
        match self {
            Self::BreakGlass { .. } => false,
            Self::Asked { .. } | Self::Undo { .. } | Self::Found { .. } | Self::Lost { .. } => true,
        }
    }

    /// Whether it takes instead of giving.
    pub const fn withholds(&self) -> bool {
        match self {
            Self::Lost { .. } => true,
            Self::BreakGlass { .. } | Self::Asked { .. } | Self::Undo { .. } | Self::Found { .. } => false,
        }
    }
}

/// What is asked for; an approval binds to every byte of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Terms {
    /// The exception.
    pub exception: ExceptionId,
    /// Who is to have it, or not to have it.
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

    /// Whether it keeps somebody from having this.
    pub fn withholds(&self, name: &EntitlementName) -> bool {
        match &self.because {
            Because::Lost { system, whole: true } => name.system() == *system,
            Because::Lost { whole: false, .. } => self.entitlements.contains(name),
            Because::BreakGlass { .. }
            | Because::Asked { .. }
            | Because::Undo { .. }
            | Because::Found { .. } => false,
        }
    }

    /// When they end, once approved at `from`.
    pub fn until(&self, from: Timestamp) -> Timestamp {
        from.saturating_add(SignedDuration::from_mins(i64::from(self.minutes))).unwrap_or(from)
    }
}

/// What exceptions give together.
pub fn given_by(all: &[Terms]) -> BTreeSet<EntitlementName> {
    all.iter()
        .filter(|terms| !terms.because.withholds())
        .flat_map(|terms| terms.entitlements.clone())
        .collect()
}

/// What is held while these exceptions count: also what they give, unless a policy forbids it, and nothing of what they
/// withhold.
pub fn beside(mut holding: Holding, all: &[Terms]) -> Holding {
    for terms in all.iter().filter(|terms| !terms.because.withholds()) {
        for name in terms.entitlements.iter().filter(|name| !holding.forbidden.contains_key(*name)) {
            holding.held.entry(name.clone()).or_default().push(terms.because.policy());
        }
    }
    for terms in all.iter().filter(|terms| terms.because.withholds()) {
        for (name, _) in holding.held.extract_if(.., |name, _| terms.withholds(name)) {
            holding.forbidden.entry(name).or_default().push(terms.because.policy());
        }
    }
    holding
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
    /// It is withheld from them.
    #[error("somebody else took it from them and a person let that stand: `bailiwick access end {0}` first")]
    Withheld(ExceptionId),
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
            Self::Withheld(_) => "access-withheld",
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
        Because::Found { .. } | Because::Lost { .. } => "",
    };
    if reason.trim().is_empty() { Err(ExceptionRefusal::NoReason) } else { Ok(()) }
}

/// Asks whether a system may stay as it was found. It lapses at `lapses`, and then that is put back. Nothing is asked for
/// somebody who may not hold anything.
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
mod tests;
