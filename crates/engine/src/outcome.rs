//! What became of a run, in what the log says and in what is known of the account.

use bailiwick_connector::ErrorKind;
use bailiwick_core::{
    account::AccountState,
    plan::{Change, Op, Plan},
};
use bailiwick_store::entities::{Run, Step};

use crate::Catalogue;

/// What the log says of a step: not what the system said, which may name a person.
pub(crate) fn told((seq, step): &(u16, Step)) -> (String, serde_json::Value) {
    let mut step = serde_json::to_value(step).unwrap_or_default();
    if let Some(step) = step.as_object_mut() {
        step.remove("message");
    }
    (seq.to_string(), step)
}

/// Nothing can be given to an account that was not created.
pub(crate) fn drop_what_cannot_follow(plan: &Plan, run: &mut Run) {
    let refused = plan.changes.iter().any(|c| {
        matches!(c.op, Op::CreateAccount { .. })
            && c.system == run.system
            && matches!(run.steps.get(&c.seq), Some(Step::Refused { .. }))
    });
    if refused {
        for step in run.steps.values_mut().filter(|s| !s.ended()) {
            *step = Step::Dropped;
        }
    }
}

/// What a change makes of the state of its account.
pub(crate) fn advance(state: &mut AccountState, change: &Change, catalogue: &Catalogue) {
    match &change.op {
        Op::CreateAccount { attributes, .. } => {
            *state = AccountState { active: true, attributes: attributes.clone(), entitlements: Vec::new() };
        }
        Op::SetAttributes { attributes } => state.attributes.extend(attributes.clone()),
        Op::Enable => state.active = true,
        Op::Disable { .. } => state.active = false,
        Op::Delete => (state.active, state.entitlements) = (false, Vec::new()),
        Op::Grant { .. } => {
            if let Some(name) = &change.entitlement
                && !state.entitlements.contains(name)
            {
                state.entitlements.push(name.clone());
                state.entitlements.sort();
            }
        }
        Op::Revoke { .. } => state.entitlements.retain(|e| Some(e) != change.entitlement.as_ref()),
        Op::RevokeAll { class } => state
            .entitlements
            .retain(|e| catalogue.entitlements.get(e).is_none_or(|declared| declared.class != *class)),
    }
}

/// Whether the system will never do this, whoever asks again.
pub(crate) const fn for_good(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::AlreadyExists | ErrorKind::Invalid | ErrorKind::Unsupported | ErrorKind::NotFound => true,
        ErrorKind::Unreachable
        | ErrorKind::Timeout
        | ErrorKind::Unauthorized
        | ErrorKind::Forbidden
        | ErrorKind::Stale
        | ErrorKind::RateLimited
        | ErrorKind::SystemFault
        | ErrorKind::Malformed
        | ErrorKind::OutOfScope
        | ErrorKind::OverBudget
        | ErrorKind::Quarantined
        | ErrorKind::Shut
        | ErrorKind::NoCredential
        | ErrorKind::Settings => false,
    }
}
