//! What a decision and its plan rest on: what policies give, where the accounts stand, and how thorough a removal is.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    account::Account,
    decide::{self, Catalogue as Declared},
    event::{Event, EventKind},
    exception::{Exception, ExceptionState, Terms},
    id::SystemName,
    identity::Identity,
    plan::{Decision, KnownAccount, Standpoint, Sweep},
    policy::Bulk,
};

use crate::Catalogue;

/// What the policies and the catalogue say the identity should have; in words, why they cannot say.
pub(crate) fn judge(
    catalogue: &Catalogue,
    bulk: &mut Bulk<'_>,
    identity: &Identity,
    event: &Event,
    exceptions: &[Terms],
) -> Result<Decision, String> {
    // Who may hold nothing needs no policy to say so: what is missing of them keeps nobody from leaving.
    let holding = match identity.lifecycle.may_hold() {
        true => bulk
            .holds_with(identity.kind.as_str(), &identity.attributes, exceptions)
            .map_err(|fault| format!("the policies cannot decide: {fault}"))?,
        false => Default::default(),
    };
    let declared = Declared {
        systems: &catalogue.systems,
        entitlements: &catalogue.entitlements,
        policy: catalogue.policies.version(),
    };
    decide::decide(identity, event, &holding, &declared).map_err(|incomplete| incomplete.to_string())
}

/// The exception that a plan for this event begins: the one whose asking it is.
pub(super) fn begun(of: Option<&Vec<Exception>>, event: &Event) -> Option<Terms> {
    let is_asked = |e: &&Exception| {
        let (exception, systems) = (e.terms.exception, e.terms.systems());
        let asked = EventKind::ExceptionAsked { exception, systems };
        matches!(e.state, ExceptionState::Asked { .. }) && event.kind == asked
    };
    of.into_iter().flatten().find(is_asked).map(|e| e.terms.clone())
}

/// What is known of every system that matters for the decision, less those where a change is unsettled.
pub(crate) fn standpoints(
    catalogue: &Catalogue,
    decision: &Decision,
    accounts: &[Account],
    unsettled: &BTreeSet<SystemName>,
) -> BTreeMap<SystemName, Standpoint> {
    let mut out: BTreeMap<SystemName, Standpoint> = decision
        .desired
        .keys()
        .map(|system| (system.clone(), Standpoint { account: None, seen: None }))
        .collect();
    for account in accounts {
        let known = KnownAccount {
            id: account.id,
            external_id: account.external_id.clone(),
            state: account.state.clone(),
            stays_disabled: disabled_by_others(catalogue, account),
        };
        out.insert(account.system.clone(), Standpoint { account: Some(known), seen: Some(account.seen) });
    }
    out.retain(|system, _| !unsettled.contains(system));
    out
}

/// Whether somebody else disabled it where that says that its person is to have no access.
fn disabled_by_others(catalogue: &Catalogue, account: &Account) -> bool {
    let anchor = catalogue.systems.get(&account.system).is_some_and(|system| system.anchor);
    let used = account.applied.as_ref().is_some_and(|applied| applied.active);
    anchor && used && !account.state.active
}

/// How thorough the removal is: a leaver's is, and residue is met with the next way, at last by deleting.
pub(crate) fn sweep(identity: &Identity, event: &Event, catalogue: &Catalogue) -> Sweep {
    let (thorough, preserve) = (identity.lifecycle.gone().is_some(), identity.preserved().is_some());
    let mut sweep = Sweep { thorough, preserve, ..Sweep::default() };
    match &event.kind {
        EventKind::Residue { system, tried, .. } => {
            sweep.only.insert(system.clone());
            let next = catalogue.route(system).ok().and_then(|r| r.connector.capability().way_from(*tried));
            match next {
                Some(way) => drop(sweep.ways.insert(system.clone(), way)),
                None => drop(sweep.delete.insert(system.clone())),
            }
        }
        EventKind::ExceptionAsked { systems, .. } | EventKind::ExceptionOver { systems, .. } => {
            sweep.only.clone_from(systems);
        }
        EventKind::Purge { system } => {
            sweep.only.insert(system.clone());
            sweep.delete.insert(system.clone());
        }
        EventKind::Cleared { system } => drop(sweep.only.insert(system.clone())),
        EventKind::Fired { spared, .. } => sweep.spare.clone_from(spared),
        EventKind::Joined
        | EventKind::Changed { .. }
        | EventKind::Left
        | EventKind::Absent
        | EventKind::Returned
        | EventKind::PolicyChanged
        | EventKind::Drifted { .. }
        | EventKind::Governed { .. }
        | EventKind::Merged { .. }
        | EventKind::Requested { .. } => {}
    }
    sweep
}
