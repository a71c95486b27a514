//! How each value of the core is kept: its table, its id, its key columns.
//!
//! Values that exist in core and need nothing more are kept as they are. The few that the store
//! wraps ([`PlanRow`], [`Run`], …) are the states of the flow that only storage and engine know.

mod batch;
mod credential;
mod fetched;
mod hook;
mod keyed;
mod operator;
mod passkey;
mod pushed;
mod recovery;
mod session;
mod token;

use std::collections::BTreeMap;

use bailiwick_core::{
    account::Account,
    alignment::Alignment,
    approval::Approval,
    automation::Automation,
    budget::Ledger,
    case::{Case, Cell},
    digest::Digest,
    drill::Drill,
    event::Event,
    exception::{Exception, GlassCase},
    factor::Factor,
    finding::Finding,
    id::{ApprovalId, EventId, IdentityId, OperatorId, PlanId, RunId, SystemName},
    identity::Identity,
    integration::Integration,
    person::Ties,
    plan::Plan,
    policy::PolicyFile,
    profile::Profile,
    reserved::Reserved,
    review::{Review, Watch},
    scope_test::ScopeTest,
    signal::Signal,
    system::{Entitlement, System},
    task::Task,
    termination::{Termination, TerminationState},
    time::{Date, Timestamp},
    transfer::Transfer,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    batch::Batch,
    credential::{Caller, Credential},
    fetched::Fetched,
    hook::{Hint, Hook},
    keyed::{KeptAnswer, KeyedRequest, RequestState},
    operator::{Invitation, Operator, Subject},
    passkey::{Passkey, Spent},
    pushed::{MemberKind, PushedGroup, PushedMember, PushedUser},
    recovery::{Recovery, Release},
    session::{Session, Way},
    token::ApiToken,
};
pub use crate::reading::{Audit, Comparison, Held, Membership, NestedGroup, Reading, Since, Unexplained};
use crate::{Entity, Filter, KeyValue, Select, Table};

impl Entity for Identity {
    const TABLE: Table = Table::Identities;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        let lookup = self.text("email").unwrap_or_default().to_lowercase();
        let due = self.lifecycle.due().map(Timestamp::as_millisecond);
        let name = self.display_name().to_lowercase();
        vec![
            self.source_key.to_string().into(),
            self.lifecycle.name().into(),
            lookup.into(),
            due.into(),
            name.into(),
            self.said.map(|said| said.to_string()).into(),
        ]
    }
}

impl Entity for Account {
    const TABLE: Table = Table::Accounts;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        let locator = Self::locator_of(&self.system, &self.external_id);
        let identity = self.identity.map(|i| i.to_string());
        vec![locator.into(), self.system.as_str().into(), identity.into(), self.seen.as_millisecond().into()]
    }
}

macro_rules! named {
    ($($type:ty => $table:ident, $keys:expr;)*) => {$(
        impl Entity for $type {
            const TABLE: Table = Table::$table;
            fn key(&self) -> String {
                self.name.to_string()
            }
            fn keys(&self) -> Vec<KeyValue> {
                let keys: fn(&Self) -> Vec<KeyValue> = $keys;
                keys(self)
            }
        }
    )*};
}

named! {
    System => Systems, |_| vec![];
    Integration => Integrations, |_| vec![];
    Automation => Automations, |_| vec![];
    GlassCase => GlassCases, |_| vec![];
    Entitlement => Entitlements, |e| vec![e.name.system().as_str().into()];
}

impl Entity for Factor {
    const TABLE: Table = Table::Factors;
    fn key(&self) -> String {
        self.operator.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![]
    }
}

impl Entity for ScopeTest {
    const TABLE: Table = Table::ScopeTests;
    fn key(&self) -> String {
        format!("{}/{}", self.integration, self.declared)
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.integration.as_str().into()]
    }
}

impl Entity for Exception {
    const TABLE: Table = Table::Exceptions;
    fn key(&self) -> String {
        self.terms.exception.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.terms.identity.to_string().into(), self.state.name().into()]
    }
}

impl Entity for Ties {
    const TABLE: Table = Table::Ties;
    fn key(&self) -> String {
        self.person.clone()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![]
    }
}

impl Entity for PolicyFile {
    const TABLE: Table = Table::Policies;
    fn key(&self) -> String {
        self.path.clone()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![]
    }
}

impl Entity for Event {
    const TABLE: Table = Table::Events;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![format!("{}/{}", self.source, self.key).into()]
    }
}

impl Entity for Approval {
    const TABLE: Table = Table::Approvals;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.plan.to_string().into()]
    }
}

impl Entity for Task {
    const TABLE: Table = Table::Tasks;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.run.to_string().into(), self.state.name().into(), self.identity.to_string().into()]
    }
}

impl Entity for Profile {
    const TABLE: Table = Table::Profiles;
    fn key(&self) -> String {
        self.system.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![]
    }
}

impl Entity for Alignment {
    const TABLE: Table = Table::Alignments;
    fn key(&self) -> String {
        self.identity.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![if self.violations.is_empty() { "aligned" } else { "violated" }.into()]
    }
}

impl Entity for Drill {
    const TABLE: Table = Table::Drills;
    fn key(&self) -> String {
        self.system.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![]
    }
}

impl Entity for Case {
    const TABLE: Table = Table::Cases;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        let state = if self.closed.is_some() { "closed" } else { "open" };
        vec![self.identity.to_string().into(), state.into()]
    }
}

impl Entity for Cell {
    const TABLE: Table = Table::Cells;
    fn key(&self) -> String {
        Self::key(self)
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.case.to_string().into(), self.system.as_str().into(), self.verdict.name().into()]
    }
}

impl Entity for Finding {
    const TABLE: Table = Table::Findings;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        let state = if self.closed.is_some() { "closed" } else { "open" };
        vec![self.open_key().into(), state.into(), self.identity.map(|i| i.to_string()).into()]
    }
}

impl Entity for Review {
    const TABLE: Table = Table::Reviews;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        let open = self.outcome.is_none().then(|| self.integration.to_string());
        vec![open.into(), self.integration.as_str().into()]
    }
}

impl Entity for Transfer {
    const TABLE: Table = Table::Transfers;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        let open = (!self.state.ended()).then(|| format!("{}/{}", self.integration, self.post));
        vec![open.into(), self.integration.as_str().into(), self.state.name().into()]
    }
}

impl Entity for Termination {
    const TABLE: Table = Table::Terminations;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        let armed = matches!(self.state, TerminationState::Armed { .. });
        let open = armed.then(|| self.identity.to_string());
        // Those of whom their source owes its word are looked for at each delivery.
        let state = if self.owed().is_some() { "owed" } else { self.state.name() };
        vec![open.into(), self.identity.to_string().into(), state.into(), self.plan.id.to_string().into()]
    }
}

impl Entity for Reserved {
    const TABLE: Table = Table::ReservedNames;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.digest.as_str().into(), self.identity.to_string().into()]
    }
}

impl Entity for Watch {
    const TABLE: Table = Table::Watches;
    fn key(&self) -> String {
        self.integration.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![]
    }
}

/// Where a plan stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum PlanState {
    /// Waits for an approval by a person.
    Drafted,
    /// About the hub itself: approved, and takes effect when it can.
    Waiting {
        /// The approval that will be used for it.
        approval: ApprovalId,
    },
    /// Is being carried out.
    Approved {
        /// The approval that was used for it.
        approval: ApprovalId,
    },
    /// All its runs ended.
    Done {
        /// The approval that was used for it.
        approval: ApprovalId,
    },
    /// A newer plan for the same identity took its place before it was carried out.
    Superseded {
        /// The generation that did.
        by: u64,
    },
}

impl PlanState {
    /// The name, kebab-case.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Drafted => "drafted",
            Self::Waiting { .. } => "waiting",
            Self::Approved { .. } => "approved",
            Self::Done { .. } => "done",
            Self::Superseded { .. } => "superseded",
        }
    }
}

/// A plan, which never changes, and where it stands, which does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanRow {
    /// The plan.
    pub plan: Plan,
    /// Its digest.
    pub digest: Digest,
    /// The operator who asked for it, if a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<OperatorId>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: PlanState,
}

impl PlanRow {
    /// Whether it is being carried out.
    pub const fn is_approved(&self) -> bool {
        matches!(self.state, PlanState::Approved { .. })
    }
}

impl Entity for PlanRow {
    const TABLE: Table = Table::Plans;
    fn key(&self) -> String {
        self.plan.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.plan.decision.identity.to_string().into(), self.state.name().into()]
    }
}

/// Where one change of a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RunStep")]
#[serde(rename_all = "kebab-case", tag = "step")]
pub enum Step {
    /// Not sent yet.
    Waiting,
    /// About to be sent, or sent; the answer is not recorded. Found like this after a crash, it is
    /// `Unknown`.
    Sent {
        /// When.
        at: Timestamp,
    },
    /// A person was asked and has not answered.
    Asked {
        /// When.
        at: Timestamp,
        /// A later event that could not be planned for until the answer: it is decided then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        then: Option<EventId>,
    },
    /// The answer was lost; only reading tells.
    Unknown {
        /// When that was found.
        since: Timestamp,
    },
    /// Done, says the system.
    Applied {
        /// When.
        at: Timestamp,
        /// Whether it was so already.
        already: bool,
        /// Digest of the answer.
        answer: Digest,
    },
    /// Refused by the system for good; a finding says so.
    Refused {
        /// The code.
        code: String,
        /// What the system said.
        message: String,
    },
    /// Not done, because the plan was superseded.
    Dropped,
}

impl Step {
    /// Whether there is nothing left to do.
    pub const fn ended(&self) -> bool {
        match self {
            Self::Applied { .. } | Self::Refused { .. } | Self::Dropped => true,
            Self::Waiting | Self::Sent { .. } | Self::Asked { .. } | Self::Unknown { .. } => false,
        }
    }
}

/// The execution of one plan on one system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The plan.
    pub plan: PlanId,
    /// For whom.
    pub identity: IdentityId,
    /// The event behind it.
    pub event: EventId,
    /// The generation it belongs to.
    pub generation: u64,
    /// Where.
    pub system: SystemName,
    /// Sequence number of the change in the plan → where it stands.
    pub steps: BTreeMap<u16, Step>,
    /// The system's id of the account, once known.
    pub external_id: Option<String>,
    /// Whether it was counted against the budgets of its integration.
    #[serde(default, skip_serializing_if = "Charge::is_none")]
    pub charge: Charge,
}

/// Where a run stands with the budgets of its integration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "charge")]
pub enum Charge {
    /// Not counted yet.
    #[default]
    None,
    /// It was counted that day (UTC).
    Counted {
        /// The day.
        day: Date,
        /// Whether its account was counted; one that it makes is not.
        account: bool,
    },
    /// There was no room for it: what waits of it is not sent.
    Held {
        /// Since when.
        since: Timestamp,
    },
    /// It was held, and somebody let it go.
    Released {
        /// When.
        at: Timestamp,
    },
}

impl Charge {
    /// Whether it is `None`.
    pub const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

impl Run {
    /// `running`, `done`, or `failed` when a change was refused.
    pub fn state(&self) -> &'static str {
        if !self.steps.values().all(Step::ended) {
            "running"
        } else if self.steps.values().any(|s| matches!(s, Step::Refused { .. })) {
            "failed"
        } else {
            "done"
        }
    }
}

impl Run {
    /// Those that are under way on a system: of all that ever were there the fewest are.
    pub fn under_way_on(system: &SystemName) -> Select {
        Select::from(Table::Runs)
            .filter(Filter::Is("state", "running".into()))
            .filter(Filter::Is("system", system.as_str().into()))
    }
}

impl Entity for Run {
    const TABLE: Table = Table::Runs;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![
            self.plan.to_string().into(),
            self.identity.to_string().into(),
            self.system.as_str().into(),
            self.state().into(),
        ]
    }
}

impl Entity for Ledger {
    const TABLE: Table = Table::Ledgers;
    fn key(&self) -> String {
        self.integration.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![]
    }
}

impl Entity for Signal {
    const TABLE: Table = Table::Signals;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.integration.as_str().into()]
    }
}
