//! Approvals: bound to the digest of a plan, single use, expiring, never by who profits.
//!
//! The hard rules live here and no policy can switch them off. Whether somebody may approve at all is a
//! question for the policies ([`crate::policy`]); that answer comes in as [`Asked::policies`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    exception::Terms,
    factor::Proof,
    gate::{Gate, covers},
    id::{ApprovalId, IdentityId, OperatorId, PlanId},
    passkey::PasskeyRefusal,
    person::Conflict,
    plan::Plan,
    policy::PolicyId,
    time::Timestamp,
};

/// Who approves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Approver {
    /// A person who operates the hub, and the identity they are, if the hub knows it.
    Operator {
        /// The operator.
        id: OperatorId,
        /// Their name, for evidence.
        name: String,
        /// The person they are.
        person: Option<IdentityId>,
    },
    /// A rule; the same path, without a person.
    Rule,
}

/// An approval that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// The plan.
    pub plan: PlanId,
    /// The digest of the plan that was approved.
    pub digest: Digest,
    /// Who approved.
    pub by: Approver,
    /// The policies that let them.
    pub policies: Vec<PolicyId>,
    /// The gates that it opens: what each covers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<Digest>,
    /// When.
    pub at: Timestamp,
    /// Until when it can be used.
    pub expires: Timestamp,
    /// When it was used; once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Timestamp>,
    /// What only the hub can make of the rest, hexadecimal: an approval that somebody put into the
    /// database has none that holds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub seal: String,
}

/// Why an approval is not given, or does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is for other content.
    #[error("the approval is for digest {approved}, the plan has {actual}; look at the plan again")]
    DigestMismatch {
        /// What was approved.
        approved: Digest,
        /// What the plan is.
        actual: Digest,
    },
    /// It was used before.
    #[error("the approval was used at {0}")]
    Used(Timestamp),
    /// It is too late.
    #[error("the approval expired at {0}")]
    Expired(Timestamp),
    /// The approver asked for the change.
    #[error("who asked for a change cannot approve it")]
    Requester,
    /// The approver profits from the change.
    #[error("nobody approves their own access")]
    Beneficiary,
    /// The approver answers for the integration.
    #[error("who answers for an integration cannot approve what it may do")]
    Owner,
    /// The approver gave the other approval.
    #[error("the two gates are opened by two people, and you opened the other one")]
    OtherGate,
    /// The approver acts for somebody who may not approve this.
    #[error("you act for somebody who asked for this, profits from it or answers for it")]
    Delegate,
    /// It is not known which person the approver is, or they have left.
    #[error(
        "only a person who is known and here can approve this; who an operator is, is said with \
         `bailiwick operator add NAME --person SOURCE/KEY`"
    )]
    NoPerson,
    /// What is wider than before was not tried.
    #[error("what is new in the scope was not tried; `bailiwick integration test {0}` does, then approve")]
    Untested(String),
    /// An approval of this needs who approves to prove anew who they are.
    #[error(
        "this needs you to prove anew who you are: give the code of the moment with `--code`, or approve it at the console with a passkey"
    )]
    StepUp,
    /// What was given is no code of the moment.
    #[error("the code is wrong, was used before or is too old; wait for the next one")]
    StepUpWrong,
    /// There were too many wrong codes.
    #[error("there were too many wrong codes; none is looked at before {0}")]
    StepUpSlowed(Timestamp),
    /// The approver has nothing to prove it with.
    #[error("this needs a second factor and you have none: `bailiwick operator enrol {0}` gives you one")]
    NotEnrolled(String),
    /// What the approver's passkey said does not count.
    #[error("the passkey does not prove who you are: {0}")]
    Passkey(PasskeyRefusal),
    /// The review of the integration is overdue.
    #[error("the review of `{0}` is overdue and nothing more is given to it; `bailiwick review show {0}`")]
    ReviewOverdue(String),
    /// Who is to answer for the integration has not said that they will.
    #[error("`{person}` has not accepted `{integration}` yet; `bailiwick integration accept {integration}`")]
    NotAccepted {
        /// The integration.
        integration: String,
        /// The person.
        person: String,
    },
    /// No policy lets the approver approve this.
    #[error("no policy lets `{0}` approve this change")]
    NotAllowed(String),
    /// The plan was replaced by a newer one.
    #[error("the plan was superseded; a newer one exists for the same identity")]
    Superseded,
}

impl Refusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DigestMismatch { .. } => "approval-digest-mismatch",
            Self::Used(_) => "approval-used",
            Self::Expired(_) => "approval-expired",
            Self::Requester => "approval-by-requester",
            Self::Beneficiary => "approval-by-beneficiary",
            Self::Owner => "approval-by-owner",
            Self::OtherGate => "approval-by-same-person",
            Self::Delegate => "approval-by-delegate",
            Self::NoPerson => "approver-unknown",
            Self::Untested(_) => "scope-untested",
            Self::StepUp => "step-up-needed",
            Self::StepUpWrong => "step-up-wrong",
            Self::StepUpSlowed(_) => "step-up-slowed",
            Self::NotEnrolled(_) => "step-up-not-enrolled",
            Self::Passkey(refusal) => refusal.code(),
            Self::ReviewOverdue(_) => "review-overdue",
            Self::NotAccepted { .. } => "owner-not-accepted",
            Self::NotAllowed(_) => "approval-not-allowed",
            Self::Superseded => "plan-superseded",
        }
    }
}

/// Everything that giving an approval is decided from.
pub struct Asked<'a> {
    /// The approval's id.
    pub id: ApprovalId,
    /// The plan.
    pub plan: &'a Plan,
    /// The digest that the approver saw.
    pub seen: Digest,
    /// Who approves.
    pub by: Approver,
    /// The operator who asked for the change, if a person did.
    pub requester: Option<OperatorId>,
    /// The person that the approver is, `source/key` resolved; `None` when that is not known, or they
    /// have left.
    pub person: Option<String>,
    /// The persons who may not approve it, and why.
    pub conflicts: BTreeMap<String, Conflict>,
    /// The policies that let the approver approve; empty when none does.
    pub policies: Vec<PolicyId>,
    /// Whether the approver proved anew who they are.
    pub proof: Proof,
    /// What was declared of the integration and tried with success; only what bears the hub's seal.
    pub tested: Vec<Digest>,
    /// How long the approval can be used, milliseconds.
    pub valid_ms: i64,
    /// The instant.
    pub now: Timestamp,
}

/// Gives the approval, or says why not.
pub fn approve(asked: Asked<'_>) -> Result<Approval, Refusal> {
    let Asked { id, plan, seen, by, requester, person: approver, conflicts, policies, .. } = asked;
    let Asked { proof, tested, valid_ms, now, .. } = asked;
    let actual = plan.digest();
    if seen != actual {
        return Err(Refusal::DigestMismatch { approved: seen, actual });
    }
    let who = match &by {
        Approver::Operator { id, name, person } => {
            if requester == Some(*id) {
                return Err(Refusal::Requester);
            }
            if *person == Some(plan.decision.identity) {
                return Err(Refusal::Beneficiary);
            }
            match approver.as_ref().map(|person| conflicts.get(person)) {
                None if plan.governs.is_some() || plan.takes_a_person() => return Err(Refusal::NoPerson),
                None | Some(None) => {}
                Some(Some(conflict)) => return Err((*conflict).into()),
            }
            name.clone()
        }
        Approver::Rule => "rule".to_owned(),
    };
    let by_rule = by == Approver::Rule;
    if policies.is_empty() || (by_rule && plan.takes_a_person()) {
        return Err(Refusal::NotAllowed(who));
    }
    // A rule has nothing to prove, and the one that lets a single administrator set a hub up takes no test.
    if !by_rule {
        was_tested(plan, &tested)?;
        if plan.needs_step_up() {
            proved(proof, &who)?;
        }
    }
    let expires = now.saturating_add(crate::time::SignedDuration::from_millis(valid_ms)).unwrap_or(now);
    let opened = plan.opens().into_iter().map(|(_, covers)| covers);
    let covers = opened.chain(plan.exception.as_ref().map(Terms::digest)).collect();
    let (at, used, seal) = (now, None, String::new());
    Ok(Approval { id, plan: plan.id, digest: actual, by, policies, covers, at, expires, used, seal })
}

/// Fails unless what the second gate opens for was tried, where that must be: exactly what is declared.
fn was_tested(plan: &Plan, tested: &[Digest]) -> Result<(), Refusal> {
    let Some(governs) = plan.governs.as_ref().filter(|g| g.tested) else { return Ok(()) };
    let authority = plan.certifies().unwrap_or_default();
    let shown =
        |(gate, covered): (Gate, Digest)| tested.iter().any(|d| covers(gate, *d, &authority) == covered);
    match plan.opens().into_iter().all(shown) {
        true => Ok(()),
        false => Err(Refusal::Untested(governs.subject.to_string())),
    }
}

/// Fails unless the proof is fresh; `who` is the name of who was to prove it.
pub fn proved(proof: Proof, who: &str) -> Result<(), Refusal> {
    match proof {
        Proof::Fresh => Ok(()),
        Proof::Missing => Err(Refusal::StepUp),
        Proof::NotEnrolled => Err(Refusal::NotEnrolled(who.to_owned())),
        Proof::Wrong => Err(Refusal::StepUpWrong),
        Proof::Slowed(until) => Err(Refusal::StepUpSlowed(until)),
        Proof::Passkey(refusal) => Err(Refusal::Passkey(refusal)),
    }
}

impl From<Conflict> for Refusal {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::Requester => Self::Requester,
            Conflict::Beneficiary => Self::Beneficiary,
            Conflict::Owner => Self::Owner,
            Conflict::OtherGate => Self::OtherGate,
            Conflict::Delegate => Self::Delegate,
        }
    }
}

impl Approval {
    /// The bytes that its seal is made over: everything else, but when it was used.
    pub fn sealed_bytes(&self) -> Vec<u8> {
        let Self { id, plan, digest, by, policies, covers, at, expires, used: _, seal: _ } = self;
        crate::digest::canonical(&("approval-v1", id, plan, digest, by, policies, covers, at, expires))
    }

    /// Uses it for `plan` at `now`: gives back the used approval, or why it does not count.
    pub fn consume(self, plan: &Plan, now: Timestamp) -> Result<Self, Refusal> {
        let actual = plan.digest();
        if self.digest != actual || self.plan != plan.id {
            return Err(Refusal::DigestMismatch { approved: self.digest, actual });
        }
        match self.used {
            Some(at) => Err(Refusal::Used(at)),
            None if self.expires <= now => Err(Refusal::Expired(self.expires)),
            None => Ok(Self { used: Some(now), ..self }),
        }
    }
}
