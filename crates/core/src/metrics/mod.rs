//! Metrics: what the evidence log says of how well access ends (PRODUCT H5).
//!
//! [`Fold`] takes records in the order of the log and keeps what figures need; [`Fold::figures`] reckons them for an
//! instant and a window. The same records give the same figures, whether they came at once or little by little.
//! Of whoever left, a few instants are kept for good; of what was read of them, only what is not gone.
//!
//! Absent on purpose: any look at rows. A figure that the log cannot give is not given.

mod course;
mod figures;
mod histogram;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub(crate) use self::course::is_gone;
use self::{course::Course, histogram::Histograms};
pub use self::{
    figures::{Drills, Figures, Measure, Measured, Missed, Outside, Overdue, Residual, Spread, Utilisation},
    histogram::Histogram,
};
use crate::{
    event::LEAVES,
    id::{CaseId, EventId, IdentityId},
    record::{Logged, RecordKind},
    time::{SignedDuration, Timestamp},
};

/// The drift that follows from a divergence is filed in the same transaction, so it is logged about then.
const SAME_FINDING: SignedDuration = SignedDuration::from_secs(10);

/// What the log said so far, as far as figures need it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fold {
    records: u64,
    kinds: BTreeMap<RecordKind, u64>,
    /// Departures that have no case yet: when they were accepted, and when they take effect.
    departures: BTreeMap<EventId, (Timestamp, Timestamp)>,
    courses: BTreeMap<CaseId, Course>,
    /// Whose case is open; its own events are its identity's.
    open: BTreeMap<IdentityId, CaseId>,
    /// Open reviews of integrations, and when they are due, if the log says so.
    reviews: BTreeMap<String, Option<Timestamp>>,
    /// How many rules of its scope an integration used since its last review, and how many it has.
    scopes: BTreeMap<String, (u64, u64)>,
    /// System → the last drill that came to an end, and whether nothing was found alive.
    drills: BTreeMap<String, (Timestamp, bool)>,
    /// The systems that changes were sent to.
    systems: BTreeSet<String>,
    /// Whose change was read back as not done, and when.
    diverged: BTreeMap<IdentityId, Timestamp>,
    /// Hour → changes that nobody explained, and changes that a system said it did and did not.
    outside: BTreeMap<i64, (u64, u64)>,
    histograms: Histograms,
}

impl Fold {
    /// Takes the next record.
    pub fn take(&mut self, logged: &Logged) {
        self.records += 1;
        *self.kinds.entry(logged.kind).or_default() += 1;
        match logged.kind {
            RecordKind::EventAccepted => self.accepted(logged),
            RecordKind::CaseOpened => self.case_opened(logged),
            RecordKind::CaseClosed => self.case_closed(logged),
            RecordKind::Decided
            | RecordKind::Planned
            | RecordKind::Sent
            | RecordKind::Applied
            | RecordKind::TaskAnswered
            | RecordKind::Verified
            | RecordKind::ControlAccepted => self.gone_on(logged),
            RecordKind::ReviewOpened => {
                let due = fact(logged, "due").and_then(Value::as_str).and_then(|due| due.parse().ok());
                self.reviews.extend(text(logged, "integration").map(|name| (name.to_owned(), due)));
            }
            RecordKind::ReviewDecided => {
                text(logged, "integration").map(|name| self.reviews.remove(name));
            }
            RecordKind::UseCounted => self.used(logged),
            RecordKind::Drilled => self.drilled(logged),
            RecordKind::BatchAccepted
            | RecordKind::BatchHeld
            | RecordKind::Approved
            | RecordKind::Refused
            | RecordKind::Superseded
            | RecordKind::FindingOpened
            | RecordKind::FindingClosed
            | RecordKind::Observed
            | RecordKind::Configured
            | RecordKind::Quarantined
            | RecordKind::CallBlocked
            | RecordKind::CredentialSealed
            | RecordKind::CredentialDestroyed
            | RecordKind::OperatorAdded
            | RecordKind::OperatorRevoked
            | RecordKind::FactorEnrolled
            | RecordKind::Proved
            | RecordKind::ScopeTestBegun
            | RecordKind::ScopeTested
            | RecordKind::ExceptionAsked
            | RecordKind::ExceptionGiven
            | RecordKind::ExceptionEnded
            | RecordKind::ExceptionReviewed
            | RecordKind::TaskAsked
            | RecordKind::DrillBegun
            | RecordKind::ProbeBegun
            | RecordKind::Probed
            | RecordKind::Reconciled
            | RecordKind::Tried
            | RecordKind::Erased
            | RecordKind::OutOfScope
            | RecordKind::Budgeted
            | RecordKind::BudgetReleased
            | RecordKind::SignalLeft
            | RecordKind::CallerAdmitted
            | RecordKind::CallerRefused
            | RecordKind::KillDrilled
            | RecordKind::SweepOpened
            | RecordKind::TransferOpened
            | RecordKind::TransferAccepted
            | RecordKind::TransferEnded
            | RecordKind::ControlMissing
            | RecordKind::ControlMended
            | RecordKind::BatchReleased
            | RecordKind::SourceRead
            | RecordKind::TerminationArmed
            | RecordKind::TerminationFired
            | RecordKind::TerminationDisarmed
            | RecordKind::TerminationLapsed
            | RecordKind::TerminationAnswered
            | RecordKind::AuditCompared
            | RecordKind::Aligned
            | RecordKind::SignInOffered
            | RecordKind::SignedIn
            | RecordKind::SignInRefused
            | RecordKind::SignedOut
            | RecordKind::Restored
            | RecordKind::RestoreReleased
            | RecordKind::HookMade
            | RecordKind::HookEnded
            | RecordKind::Hinted
            | RecordKind::IdentityJoined
            | RecordKind::IdentitySplit
            | RecordKind::Exposed
            | RecordKind::NameReserved
            | RecordKind::NameReleased
            | RecordKind::Pushed
            | RecordKind::AccessDecided
            | RecordKind::AccessSearched
            | RecordKind::SessionUsed
            | RecordKind::PasskeyEnrolled
            | RecordKind::PasskeyRemoved
            | RecordKind::TokenMade
            | RecordKind::TokenUsed
            | RecordKind::TokenRevoked
            | RecordKind::RequestBegun
            | RecordKind::RequestAnswered
            | RecordKind::Continued => {}
        }
    }

    /// How many records it took.
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// How many records of each kind it took.
    pub const fn kinds(&self) -> &BTreeMap<RecordKind, u64> {
        &self.kinds
    }

    /// How long things took, of the cases that were closed. These only grow.
    pub fn histograms(&self) -> [(Measure, &Histogram); 3] {
        self.histograms.all()
    }

    fn accepted(&mut self, logged: &Logged) {
        match (text(logged, "kind"), logged.event, logged.identity) {
            (Some(kind), Some(event), _) if LEAVES.contains(&kind) => {
                let said = text(logged, "effective").and_then(|at| at.parse().ok());
                self.departures.insert(event, (logged.at, said.unwrap_or(logged.at)));
            }
            (Some("drifted"), _, Some(identity)) => {
                let made = self.diverged.remove(&identity);
                let ours = made.is_some_and(|at| logged.at.duration_since(at) <= SAME_FINDING);
                let (unexplained, diverged) =
                    self.outside.entry(logged.at.as_second().div_euclid(3_600)).or_default();
                *(if ours { diverged } else { unexplained }) += 1;
            }
            _ => {}
        }
    }

    fn case_opened(&mut self, logged: &Logged) {
        let Some(case) = logged.case else { return };
        if fact(logged, "reopened").is_some() {
            if let Some(course) = self.courses.get_mut(&case) {
                course.reopen();
                self.open.insert(course.identity, case);
            }
            return;
        }
        let (Some(identity), Some(event)) = (logged.identity, logged.event) else { return };
        let integration = text(logged, "integration");
        if let Some(name) = integration {
            // What has ended is not reviewed any more, and its scope is used by nobody.
            self.reviews.remove(name);
            self.scopes.remove(name);
        }
        let (accepted, effective) = self.departures.remove(&event).unwrap_or((logged.at, logged.at));
        let start = match integration {
            // It ends when that is in force; before, people approved it.
            Some(_) => logged.at,
            None => accepted.max(effective),
        };
        let mut course = Course::new(identity, event, start, effective.min(start));
        course.late = effective < accepted;
        match fact(logged, "closed") {
            Some(_) => course.nothing_to_prove(logged.at),
            None => drop(self.open.insert(identity, case)),
        }
        self.courses.insert(case, course);
    }

    fn case_closed(&mut self, logged: &Logged) {
        // Nothing is proven by it: they were back, and the case of their next departure is measured.
        if fact(logged, "followed_by").is_some() {
            logged.case.and_then(|case| self.courses.remove(&case));
            return;
        }
        let Some(course) = logged.case.and_then(|case| self.courses.get_mut(&case)) else { return };
        if course.close(logged.at) {
            self.histograms.observe(course);
        }
        let identity = course.identity;
        if self.open.get(&identity).copied() == logged.case {
            self.open.remove(&identity);
        }
    }

    /// Something was done for somebody; of interest when a case of theirs is open.
    fn gone_on(&mut self, logged: &Logged) {
        if logged.kind == RecordKind::Sent {
            self.systems.extend(text(logged, "system").map(str::to_owned));
        }
        if logged.kind == RecordKind::Verified
            && let Some(identity) = logged.identity
        {
            match text(logged, "outcome") {
                Some("diverged") => drop(self.diverged.insert(identity, logged.at)),
                Some(_) => drop(self.diverged.remove(&identity)),
                None => {}
            }
        }
        let open = logged.identity.and_then(|identity| self.open.get(&identity).copied());
        if let Some(course) = logged.case.or(open).and_then(|case| self.courses.get_mut(&case)) {
            course.take(logged);
        }
    }

    fn used(&mut self, logged: &Logged) {
        let (Some(name), Some(used), Some(declared)) = (
            text(logged, "integration"),
            fact(logged, "used").and_then(Value::as_u64),
            fact(logged, "declared").and_then(Value::as_u64),
        ) else {
            return;
        };
        self.scopes.insert(name.to_owned(), (used, declared));
    }

    fn drilled(&mut self, logged: &Logged) {
        let (Some(system), Some("drilled")) = (text(logged, "system"), text(logged, "outcome")) else {
            return;
        };
        let found = fact(logged, "classes").and_then(Value::as_object);
        let alive = |found: &Value| matches!(found.as_str(), Some("alive" | "untrusted"));
        let passed = found.is_none_or(|found| !found.values().any(alive));
        self.drills.insert(system.to_owned(), (logged.at, passed));
    }
}

fn fact<'l>(logged: &'l Logged, name: &str) -> Option<&'l Value> {
    logged.facts.get(name)
}

fn text<'l>(logged: &'l Logged, name: &str) -> Option<&'l str> {
    fact(logged, name).and_then(Value::as_str)
}
