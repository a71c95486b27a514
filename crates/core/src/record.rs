//! Evidence records: what happened, as canonical bytes for the log.
//!
//! A record names things by id and carries digests. Personal values never enter in clear: they become
//! salted commitments, and the salted values are kept beside the log as [`Disclosure`]s, where they can
//! be erased without breaking a proof.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    digest::Digest,
    id::{CaseId, Entropy, EventId, IdentityId, PlanId, RecordId, Tenant},
    time::Timestamp,
};

/// The longest that a record may be, in bytes: the lengths of C2SP `tlog-tiles` have sixteen bits.
pub const LONGEST: usize = 65_535;
/// The fact that names those which are too long for a record: it commits to them, and they are kept beside the log.
pub const BESIDE: &str = "beside";

/// What kind of thing a record says; prints in kebab-case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
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
    SourceRead,
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
    Continued,
}

/// Who or what caused a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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
    /// Facts that are not personal: names of systems, digests, outcomes.
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

    /// One that goes on where this one names as many rows as a record can.
    #[must_use]
    pub fn going_on(&self, entropy: &dyn Entropy) -> Self {
        let Self { event, identity, plan, case, .. } = *self;
        let record = Self::new(RecordKind::Continued, self.at, self.actor.clone(), entropy);
        Self { event, identity, plan, case, ..record }.fact("continues", self.id)
    }

    /// Adds a fact that is not personal.
    #[must_use]
    pub fn fact<T: Serialize>(mut self, name: &'static str, value: T) -> Self {
        self.facts.insert(name, said(value));
        self
    }

    /// Adds a fact, if there is one.
    #[must_use]
    pub fn fact_if<T: Serialize>(self, name: &'static str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.fact(name, value),
            None => self,
        }
    }

    /// Adds a personal value: the log gets a commitment to it, never the value.
    #[must_use]
    pub fn personal<T: Serialize>(mut self, name: &'static str, value: T) -> Self {
        self.personal.insert(name, said(value));
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
#[derive(Serialize)]
struct Written<'a> {
    actor: &'a Actor,
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<CaseId>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    commitments: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<EventId>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    facts: &'a BTreeMap<&'static str, Value>,
    id: RecordId,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<IdentityId>,
    kind: RecordKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<PlanId>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    state: &'a [StateRef],
    tenant: &'a Tenant,
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
    ///
    /// What makes a record longer than [`LONGEST`] is kept beside the log too, the longest facts first; see [`BESIDE`].
    pub fn encode(
        mut self,
        tenant: &Tenant,
        state: &[StateRef],
        mut salt: impl FnMut() -> [u8; 16],
    ) -> (Vec<u8>, Vec<Personal>) {
        loop {
            let (bytes, beside) = self.written(tenant, state, &mut salt);
            if bytes.len() <= LONGEST || !self.put_longest_beside() {
                return (bytes, beside);
            }
        }
    }

    fn written(
        &self,
        tenant: &Tenant,
        state: &[StateRef],
        salt: &mut impl FnMut() -> [u8; 16],
    ) -> (Vec<u8>, Vec<Personal>) {
        let mut commitments = BTreeMap::new();
        let mut disclosures = Vec::with_capacity(self.personal.len());
        for (&field, value) in &self.personal {
            let (salt, value) = (salt(), crate::digest::canonical(value));
            commitments.insert(field, STANDARD.encode(committed(&salt, &value).0));
            disclosures.push(Personal { field, salt, value });
        }
        let written = Written {
            actor: &self.actor,
            at: self.at,
            case: self.case,
            commitments,
            event: self.event,
            facts: &self.facts,
            id: self.id,
            identity: self.identity,
            kind: self.kind,
            plan: self.plan,
            state,
            tenant,
        };
        (crate::digest::canonical(&written), disclosures)
    }

    /// Has the longest fact kept beside the log; whether there was one.
    fn put_longest_beside(&mut self) -> bool {
        let facts = self.facts.iter().filter(|(name, _)| **name != BESIDE);
        let longest = facts.max_by_key(|(_, value)| value.to_string().len()).map(|(name, _)| *name);
        let Some((name, value)) = longest.and_then(|name| self.facts.remove_entry(name)) else {
            return false;
        };
        self.personal.insert(name, value);
        if let Value::Array(names) = self.facts.entry(BESIDE).or_insert_with(|| Value::Array(Vec::new())) {
            names.push(name.into());
        }
        true
    }
}

/// A record as it is read back from the log.
#[derive(Deserialize)]
struct Read<'a> {
    actor: Actor,
    at: Timestamp,
    case: Option<CaseId>,
    event: Option<EventId>,
    #[serde(default, borrow)]
    facts: BTreeMap<&'a str, Value>,
    id: RecordId,
    identity: Option<IdentityId>,
    kind: RecordKind,
    plan: Option<PlanId>,
    #[serde(default)]
    state: Vec<StateRef>,
    tenant: Tenant,
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
        let read: Read<'_> = serde_json::from_slice(bytes)?;
        let facts = read.facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let Read { id, kind, at, actor, event, identity, plan, case, state, tenant, .. } = read;
        Ok(Self { id, kind, at, actor, event, identity, plan, case, facts, state, tenant })
    }

    /// Whether facts of it are kept beside the log.
    pub fn has_beside(&self) -> bool {
        self.facts.contains_key(BESIDE)
    }

    /// Puts back what of its facts is kept beside the log; personal values stay where they are.
    pub fn put_back(&mut self, kept: Vec<Disclosure>) {
        let names = self.facts.get(BESIDE).and_then(Value::as_array).cloned().unwrap_or_default();
        for Disclosure { record, field, value, .. } in kept {
            if record == self.id && names.iter().any(|name| name.as_str() == Some(&field)) {
                self.facts.insert(field, value);
            }
        }
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

/// How deep a value in a record may nest; the log takes twice as much.
const DEEPEST: usize = 32;

/// A value as a record has it. The log takes no number that is not an integer, and nothing that nests too deep: that is
/// said as text.
fn said<T: Serialize>(value: T) -> Value {
    plain(sorted(serde_json::to_value(value).unwrap_or(Value::Null)), DEEPEST)
}

fn plain(value: Value, deeper: usize) -> Value {
    match value {
        Value::Number(number) if !number.is_i64() && !number.is_u64() => number.to_string().into(),
        value @ (Value::Array(_) | Value::Object(_)) if deeper == 0 => value.to_string().into(),
        Value::Array(items) => items.into_iter().map(|item| plain(item, deeper - 1)).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, member)| (name, plain(member, deeper - 1))).collect()
        }
        value @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => value,
    }
}

/// `value` with the keys of every object in order.
pub fn sorted(mut value: Value) -> Value {
    value.sort_all_objects();
    value
}
