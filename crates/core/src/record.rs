//! Evidence records: what happened, as canonical bytes for the log.
//!
//! A record names things by id and carries digests. Personal values never enter in clear: they become
//! salted commitments, and the salted values are kept beside the log as [`Disclosure`]s, where they can
//! be erased without breaking a proof.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    digest::Digest,
    id::{CaseId, Entropy, EventId, IdentityId, PlanId, RecordId, Tenant},
    time::Timestamp,
};

/// What kind of thing a record says; prints in kebab-case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are the documentation; DESIGN §1 gives the table")]
pub enum RecordKind {
    EventAccepted,
    BatchAccepted,
    BatchHeld,
    Decided,
    Planned,
    Approved,
    Refused,
    Superseded,
    Sent,
    Applied,
    Verified,
    CaseOpened,
    CaseClosed,
    FindingOpened,
    FindingClosed,
    Observed,
    Configured,
    Quarantined,
    CallBlocked,
    CredentialSealed,
    CredentialDestroyed,
    OperatorAdded,
    OperatorRevoked,
    FactorEnrolled,
    Proved,
    ScopeTestBegun,
    ScopeTested,
    ExceptionAsked,
    ExceptionGiven,
    ExceptionEnded,
    ExceptionReviewed,
    TaskAsked,
    TaskAnswered,
    DrillBegun,
    Drilled,
    ProbeBegun,
    Probed,
    Reconciled,
    Tried,
    ControlAccepted,
    Erased,
    OutOfScope,
    Budgeted,
    BudgetReleased,
    SignalLeft,
    CallerAdmitted,
    CallerRefused,
    ReviewOpened,
    ReviewDecided,
    UseCounted,
    KillDrilled,
    SweepOpened,
    TransferOpened,
    TransferAccepted,
    TransferEnded,
    ControlMissing,
    ControlMended,
    BatchReleased,
    TerminationArmed,
    TerminationFired,
    TerminationDisarmed,
    TerminationLapsed,
    TerminationAnswered,
    AuditCompared,
    Aligned,
    SignInOffered,
    SignedIn,
    SignInRefused,
    SignedOut,
    Restored,
    RestoreReleased,
    HookMade,
    HookEnded,
    Hinted,
    IdentityJoined,
    IdentitySplit,
    Exposed,
    NameReserved,
    NameReleased,
    Pushed,
    AccessDecided,
    AccessSearched,
    SessionUsed,
    PasskeyEnrolled,
    PasskeyRemoved,
    TokenMade,
    TokenUsed,
    TokenRevoked,
    RequestBegun,
    RequestAnswered,
}

/// Who or what caused a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// The hub itself, in the step named.
    Hub(String),
    /// A person who operates the hub, by name.
    Operator(String),
    /// A source of identities, by name.
    Source(String),
    /// A policy, by its id.
    Policy(String),
    /// An integration that called at the door, by name.
    Integration(String),
}

impl Actor {
    /// Who it is: the step, the name, or the policy.
    pub fn name(&self) -> &str {
        match self {
            Self::Hub(name)
            | Self::Operator(name)
            | Self::Source(name)
            | Self::Policy(name)
            | Self::Integration(name) => name,
        }
    }
}

/// A record before it is bound to the state it explains.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its id, made by whoever makes the record.
    pub id: RecordId,
    /// What it says.
    pub kind: RecordKind,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// The event that justifies it.
    pub event: Option<EventId>,
    /// Whom it is about.
    pub identity: Option<IdentityId>,
    /// The plan it belongs to.
    pub plan: Option<PlanId>,
    /// The case it belongs to.
    pub case: Option<CaseId>,
    /// Facts that are not personal: names of systems, digests, outcomes. Floats are refused.
    pub facts: BTreeMap<&'static str, Value>,
    /// Personal values, to be committed to and kept beside the log.
    pub personal: BTreeMap<&'static str, Value>,
}

impl Record {
    /// A record of `kind` with nothing else said yet.
    pub fn new(kind: RecordKind, at: Timestamp, actor: Actor, entropy: &dyn Entropy) -> Self {
        let id = RecordId::new(at, entropy);
        let (facts, personal) = (BTreeMap::new(), BTreeMap::new());
        Self { id, kind, at, actor, event: None, identity: None, plan: None, case: None, facts, personal }
    }

    /// Names the event that justifies it.
    #[must_use]
    pub fn event(mut self, event: EventId) -> Self {
        self.event = Some(event);
        self
    }

    /// Names whom it is about.
    #[must_use]
    pub fn identity(mut self, identity: IdentityId) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Names the plan it belongs to.
    #[must_use]
    pub fn plan(mut self, plan: PlanId) -> Self {
        self.plan = Some(plan);
        self
    }

    /// Names the case it belongs to.
    #[must_use]
    pub fn case(mut self, case: CaseId) -> Self {
        self.case = Some(case);
        self
    }

    /// Adds a fact that is not personal.
    #[must_use]
    pub fn fact<T: Serialize>(mut self, name: &'static str, value: T) -> Self {
        self.facts.insert(name, sorted(serde_json::to_value(value).unwrap_or(Value::Null)));
        self
    }

    /// Adds a personal value: the log gets a commitment to it, never the value.
    #[must_use]
    pub fn personal<T: Serialize>(mut self, name: &'static str, value: T) -> Self {
        self.personal.insert(name, sorted(serde_json::to_value(value).unwrap_or(Value::Null)));
        self
    }
}

/// What a record says about one row of state that was written with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateRef {
    /// Digest over salt and body; absent when the row was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The row's id.
    pub id: String,
    /// The revision written.
    pub revision: i64,
    /// The table.
    pub table: String,
}

/// One personal value that a record commits to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disclosure {
    /// The record.
    pub record: RecordId,
    /// The name of the value in the record.
    pub field: String,
    /// The salt of the commitment.
    pub salt: [u8; 16],
    /// The value in clear.
    pub value: Value,
}

/// A record as it goes into the log. Fields are in alphabetical order, so that the encoding is
/// canonical JSON with sorted keys.
#[derive(Serialize, Deserialize)]
struct Encoded<'a> {
    actor: Actor,
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<CaseId>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    commitments: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<EventId>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default, borrow)]
    facts: BTreeMap<&'a str, Value>,
    id: RecordId,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<IdentityId>,
    kind: RecordKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<PlanId>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    state: Vec<StateRef>,
    tenant: Tenant,
}

/// One personal value of a record that is being written: its [`Disclosure`], to be kept beside the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Personal {
    /// The name of the value in the record.
    pub field: &'static str,
    /// The salt of the commitment.
    pub salt: [u8; 16],
    /// The value in clear, canonical JSON: what the commitment is taken over.
    pub value: Vec<u8>,
}

impl Record {
    /// The canonical bytes for the log, bound to the rows `state` that were written with it, and the
    /// personal values to keep beside the log. Takes one fresh salt for each personal value.
    pub fn encode(
        self,
        tenant: &Tenant,
        state: Vec<StateRef>,
        mut salt: impl FnMut() -> [u8; 16],
    ) -> (Vec<u8>, Vec<Personal>) {
        let mut commitments = BTreeMap::new();
        let mut disclosures = Vec::with_capacity(self.personal.len());
        for (field, value) in self.personal {
            let (salt, value) = (salt(), crate::digest::canonical(&value));
            commitments.insert(field.to_owned(), STANDARD.encode(committed(&salt, &value).0));
            disclosures.push(Personal { field, salt, value });
        }
        let encoded = Encoded {
            actor: self.actor,
            at: self.at,
            case: self.case,
            commitments,
            event: self.event,
            facts: self.facts,
            id: self.id,
            identity: self.identity,
            kind: self.kind,
            plan: self.plan,
            state,
            tenant: tenant.clone(),
        };
        (crate::digest::canonical(&encoded), disclosures)
    }
}

/// The parts of a logged record that the hub needs back.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// The record's id.
    pub id: RecordId,
    /// What it says.
    pub kind: RecordKind,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// The event that justifies it.
    pub event: Option<EventId>,
    /// Whom it is about.
    pub identity: Option<IdentityId>,
    /// The plan it belongs to.
    pub plan: Option<PlanId>,
    /// The case it belongs to.
    pub case: Option<CaseId>,
    /// Its facts.
    pub facts: BTreeMap<String, Value>,
    /// The rows it was written with.
    pub state: Vec<StateRef>,
    /// Whose it is.
    pub tenant: Tenant,
}

impl Logged {
    /// Reads the bytes of a record back.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let e: Encoded<'_> = serde_json::from_slice(bytes)?;
        let facts = e.facts.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        let Encoded { id, kind, at, actor, event, identity, plan, case, state, tenant, .. } = e;
        Ok(Self { id, kind, at, actor, event, identity, plan, case, facts, state, tenant })
    }
}

/// The salted commitment to a personal value: SHA-256 over a domain label, the salt and the canonical
/// JSON of the value. The offline verifier of `bailiwick-evidence` computes the same.
pub fn commitment(salt: &[u8; 16], value: &Value) -> Digest {
    committed(salt, sorted(value.clone()).to_string().as_bytes())
}

fn committed(salt: &[u8; 16], canonical: &[u8]) -> Digest {
    Digest::of_parts(&[b"bailiwick/commit/v1\n", salt, canonical])
}

/// `value` with the keys of every object in order.
pub fn sorted(mut value: Value) -> Value {
    value.sort_all_objects();
    value
}
