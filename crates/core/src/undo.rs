//! Undoing a plan: what of it can be brought back today, and what stays as it is.
//!
//! A plan keeps what it found ([`Plan::before`]), but the past decides nothing: each change is judged by what is so
//! now. What the plan took and no policy gives any more can be asked for, with a reason and an end, like all access that no
//! policy gives ([`crate::exception`]). What the plan gave stays as long as a policy gives it, or the next decision
//! would undo the undoing. What somebody changed since is shown and left alone. Live credentials that were ended are dead.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::AccessClass,
    account::{Account, AccountState},
    id::{EntitlementName, ExceptionId, PlanId, SystemName},
    plan::{Change, Op, Plan},
    policy::{Holding, PolicyId},
    system::Entitlement,
};

/// What becomes of one change when its plan is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "UndoFate")]
#[serde(rename_all = "kebab-case", tag = "fate")]
pub enum Fate {
    /// It comes back until an end, once a second person approves.
    Back,
    /// It is as it was before the plan.
    AsBefore,
    /// Policies give it today: the hub gives it, or leaves it, by itself.
    Given {
        /// Which.
        policies: Vec<PolicyId>,
    },
    /// Policies forbid it today, and nothing gives what is forbidden.
    Forbidden {
        /// Which.
        policies: Vec<PolicyId>,
    },
    /// It gives power over other access, and is left out where several plans are undone at once.
    Power,
    /// Credentials that were ended stay dead; new ones are made where they are needed.
    Dead,
    /// A later plan changed it: that one is to be undone.
    Later {
        /// Which.
        plan: PlanId,
    },
    /// Somebody changed the account on the system since.
    Touched,
    /// Only a person can look there, so its end could not be proven.
    Unprovable,
    /// What an account says of somebody follows the source.
    Source,
    /// Nothing gives it any more, so the hub takes it by itself.
    Going,
    /// It is there as long as something that it carries.
    Carried,
    /// Nothing of the name is declared any more.
    Undeclared,
    /// The plan never did it.
    NotDone,
}

/// One change of the plan, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "UndoLine")]
pub struct Line {
    /// Where.
    pub system: SystemName,
    /// What the plan did, in words.
    pub did: String,
    /// The entitlement that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitlement: Option<EntitlementName>,
    /// What becomes of it.
    #[serde(flatten)]
    pub fate: Fate,
}

/// Why a plan cannot be undone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UndoRefusal {
    /// Nothing of it was done.
    #[error("nothing of {0} was done, so there is nothing to undo")]
    NotDone(PlanId),
    /// It is being carried out.
    #[error("{0} is being carried out; it can be undone when each of its changes is settled")]
    UnderWay(PlanId),
    /// It is about the hub itself.
    #[error("{0} changed the hub itself: apply the configuration that was in force before")]
    Hub(PlanId),
    /// It gave something until an end.
    #[error("{plan} gave something until an end: `bailiwick access end {exception}` takes it back")]
    Gave {
        /// The plan.
        plan: PlanId,
        /// What it gave.
        exception: ExceptionId,
    },
    /// Somebody left by it.
    #[error(
        "somebody left by {0}: whoever comes back begins with what policies give, and credentials that were ended stay dead"
    )]
    Leaver(PlanId),
    /// Another plan of the same person is undone by the same call.
    #[error("{0} is for somebody of whom another plan is undone here; undo it by itself when that is done")]
    SamePerson(PlanId),
    /// No plan is named.
    #[error("name at least one plan, or a delivery whose plans are to be undone")]
    Nothing,
}

impl UndoRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotDone(_) => "undo-not-done",
            Self::UnderWay(_) => "undo-under-way",
            Self::Hub(_) => "undo-of-hub",
            Self::Gave { .. } => "undo-of-exception",
            Self::Leaver(_) => "undo-of-leaver",
            Self::SamePerson(_) => "undo-same-person",
            Self::Nothing => "undo-nothing",
        }
    }
}

/// What a plan did: the changes that a system says are done.
pub type Done = BTreeSet<u16>;

/// What is so now, as far as it matters.
pub struct Present<'a> {
    /// The accounts of the person.
    pub accounts: &'a BTreeMap<SystemName, Account>,
    /// What policies say of them, asked with [`taken`] beside.
    pub holding: &'a Holding,
    /// All entitlements.
    pub entitlements: &'a BTreeMap<EntitlementName, Entitlement>,
    /// What later plans did, and the last that did it.
    pub later: &'a BTreeMap<Touch, PlanId>,
    /// Where only a person can look.
    pub by_person: &'a BTreeSet<SystemName>,
    /// Whether several plans are undone at once.
    pub mass: bool,
}

/// What a change is about: an entitlement, or the account itself.
pub type Touch = (SystemName, Option<EntitlementName>);

/// What a change is about; `None` for what an account says of somebody, and for credentials.
pub fn touch(change: &Change) -> Option<Touch> {
    match &change.op {
        Op::Grant { .. } | Op::Revoke { .. } => {
            Some((change.system.clone(), Some(change.entitlement.clone()?)))
        }
        Op::CreateAccount { .. } | Op::Enable | Op::Disable { .. } | Op::Delete => {
            Some((change.system.clone(), None))
        }
        Op::SetAttributes { .. } | Op::RevokeAll { .. } => None,
    }
}

/// Whether a plan can be undone at all. `under_way` says whether a change of it is not settled.
pub fn undoable(plan: &Plan, done: &Done, under_way: bool) -> Result<(), UndoRefusal> {
    if plan.governs.is_some() {
        return Err(UndoRefusal::Hub(plan.id));
    }
    if let Some(terms) = &plan.exception {
        return Err(UndoRefusal::Gave { plan: plan.id, exception: terms.exception });
    }
    if plan.is_of_leaver() {
        return Err(UndoRefusal::Leaver(plan.id));
    }
    match (under_way, done.is_empty()) {
        (true, _) => Err(UndoRefusal::UnderWay(plan.id)),
        (false, true) => Err(UndoRefusal::NotDone(plan.id)),
        (false, false) => Ok(()),
    }
}

/// What the plan took from somebody: entitlements, and the account where one stands for it.
pub fn taken(
    plan: &Plan,
    done: &Done,
    entitlements: &BTreeMap<EntitlementName, Entitlement>,
) -> BTreeSet<EntitlementName> {
    let changes = plan.changes.iter().filter(|change| done.contains(&change.seq) && change.op.removes());
    changes.filter_map(|change| subject(change, entitlements)).collect()
}

/// What becomes of each change of the plan.
pub fn judge(plan: &Plan, done: &Done, present: &Present<'_>) -> Vec<Line> {
    let line = |change: &Change| {
        let entitlement = subject(change, present.entitlements);
        let fate = match done.contains(&change.seq) {
            false => Fate::NotDone,
            true => fate(plan, change, entitlement.as_ref(), present),
        };
        let named = change.entitlement.as_ref().map(|name| match change.op.removes() {
            true => format!("revoke {name}"),
            false => format!("grant {name}"),
        });
        let did = named.unwrap_or_else(|| change.op.words());
        Line { system: change.system.clone(), did, entitlement, fate }
    };
    plan.changes.iter().map(line).collect()
}

/// What is to be asked for.
pub fn back(lines: &[Line]) -> BTreeSet<EntitlementName> {
    let back = lines.iter().filter(|line| line.fate == Fate::Back);
    back.filter_map(|line| line.entitlement.clone()).collect()
}

/// The entitlement that a change is about: its own, or the one that is the account.
fn subject(
    change: &Change,
    entitlements: &BTreeMap<EntitlementName, Entitlement>,
) -> Option<EntitlementName> {
    let (system, named) = touch(change)?;
    let account = |e: &&Entitlement| e.class == AccessClass::PrimaryAccount && e.name.system() == system;
    named.or_else(|| entitlements.values().find(account).map(|e| e.name.clone()))
}

fn fate(plan: &Plan, change: &Change, about: Option<&EntitlementName>, present: &Present<'_>) -> Fate {
    let account = present.accounts.get(&change.system);
    match &change.op {
        Op::RevokeAll { .. } => Fate::Dead,
        Op::SetAttributes { attributes } => {
            let before = plan.before.get(&change.system);
            let value = |state: Option<&AccountState>, name: &String| {
                state.and_then(|state| state.attributes.get(name).cloned())
            };
            let now = account.map(|account| &account.state);
            match attributes.keys().all(|name| value(before, name) == value(now, name)) {
                true => Fate::AsBefore,
                false => Fate::Source,
            }
        }
        Op::CreateAccount { .. } | Op::Enable | Op::Grant { .. } => given(change, about, present, account),
        Op::Disable { .. } | Op::Delete | Op::Revoke { .. } => lost(change, about, present, account),
    }
}

/// What the plan gave.
fn given(
    change: &Change,
    about: Option<&EntitlementName>,
    present: &Present<'_>,
    account: Option<&Account>,
) -> Fate {
    if !holds(account, change.entitlement.as_ref()) {
        return Fate::AsBefore;
    }
    match (about, about.and_then(|name| given_by(present, name))) {
        (_, Some(policies)) => Fate::Given { policies },
        (Some(_), None) if change.entitlement.is_some() => Fate::Going,
        (_, None) => Fate::Carried,
    }
}

/// What the plan took.
fn lost(
    change: &Change,
    about: Option<&EntitlementName>,
    present: &Present<'_>,
    account: Option<&Account>,
) -> Fate {
    if holds(account, change.entitlement.as_ref()) {
        return Fate::AsBefore;
    }
    if let Some(plan) = touch(change).and_then(|touch| present.later.get(&touch)) {
        return Fate::Later { plan: *plan };
    }
    let Some(name) = about else { return Fate::Carried };
    let Some(declared) = present.entitlements.get(name) else { return Fate::Undeclared };
    if let Some(policies) = present.holding.forbidden.get(name) {
        return Fate::Forbidden { policies: policies.clone() };
    }
    if let Some(policies) = given_by(present, name) {
        return Fate::Given { policies };
    }
    if present.mass && declared.privileged {
        return Fate::Power;
    }
    if present.by_person.contains(&change.system) {
        return Fate::Unprovable;
    }
    match account.is_some_and(touched) {
        true => Fate::Touched,
        false => Fate::Back,
    }
}

fn given_by(present: &Present<'_>, name: &EntitlementName) -> Option<Vec<PolicyId>> {
    present.holding.held.get(name).filter(|policies| !policies.is_empty()).cloned()
}

/// Whether it is held now; without a name, whether the account can be used.
fn holds(account: Option<&Account>, name: Option<&EntitlementName>) -> bool {
    account.is_some_and(|account| match name {
        Some(name) => account.state.entitlements.contains(name),
        None => account.state.active,
    })
}

/// Whether somebody else changed what can be used or is held since the hub last wrote it.
fn touched(account: &Account) -> bool {
    let held = |state: &AccountState| {
        (state.active, state.entitlements.iter().cloned().collect::<BTreeSet<EntitlementName>>())
    };
    account.applied.as_ref().is_some_and(|applied| held(applied) != held(&account.state))
}

#[cfg(test)]
mod tests;
