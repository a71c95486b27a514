//! Access that somebody asks for: for a time, or to keep it beyond a change of the job.
//!
//! It goes the way of every exception ([`crate::exception`]): a plan that a second person approves, an end that comes
//! by itself, and proof that nothing is left.

use std::collections::BTreeSet;

use bailiwick_core::{
    exception::{self, Because, Exception, ExceptionRefusal, Terms},
    id::{EntitlementName, ExceptionId, PlanId},
    identity::Identity,
    time::SignedDuration,
};
use bailiwick_store::{entities::Operator, get};

use crate::{Catalogue, Engine, EngineError, Result, exception::provable};

/// How long an approval may be waited for, hours.
const LAPSES_HOURS: i64 = 72;

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct AccessRequest {
    /// For whom: id, `source/key` or e-mail address.
    pub identity: String,
    /// What.
    pub entitlements: BTreeSet<EntitlementName>,
    /// For how long from the approval on, minutes.
    pub minutes: u32,
    /// Why.
    pub reason: String,
}

impl Engine {
    /// Asks that somebody holds something for a time, whether or not they hold it now. Gives the exception and the plan
    /// that waits for a second person.
    ///
    /// # Errors
    /// When there is no such person or entitlement, and when [`ExceptionRefusal`] says why.
    pub async fn ask_access(&self, asked: AccessRequest, by: &Operator) -> Result<(Exception, PlanId)> {
        let who = self.find_identity(&asked.identity).await?.value.id;
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let identity = get::<Identity>(&mut *tx, self.tenant(), &who.to_string())
            .await?
            .ok_or_else(|| EngineError::NotFound { kind: "identity", name: asked.identity.clone() })?;
        let power = power(&catalogue, &asked.entitlements)?;
        provable(&catalogue, &asked.entitlements)?;
        allowed(&catalogue, &identity.value, &asked.entitlements)?;
        let now = self.now();
        let terms = Terms {
            exception: ExceptionId::new(now, self.entropy()),
            identity: who,
            entitlements: asked.entitlements,
            minutes: asked.minutes,
            because: Because::Asked { reason: asked.reason },
            requester: Some(by.id),
        };
        let lapses = now.saturating_add(SignedDuration::from_hours(LAPSES_HOURS)).unwrap_or(now);
        let made = exception::ask_for(terms, power, &identity.value.lifecycle, now, lapses)?;
        let plan = self.ask_exception(&mut *tx, identity, &made, lapses, by).await?;
        tx.commit().await?;
        Ok((made, plan))
    }
}

/// Whether one of them gives power over other access. All of them must be known.
fn power(catalogue: &Catalogue, asked: &BTreeSet<EntitlementName>) -> Result<bool> {
    if asked.is_empty() {
        return Err(ExceptionRefusal::Nothing.into());
    }
    let mut power = false;
    for name in asked {
        let known = catalogue.entitlements.get(name);
        let known =
            known.ok_or_else(|| EngineError::NotFound { kind: "entitlement", name: name.to_string() })?;
        power |= known.privileged;
    }
    Ok(power)
}

/// Refuses what policies forbid: no exception gives that.
fn allowed(catalogue: &Catalogue, identity: &Identity, asked: &BTreeSet<EntitlementName>) -> Result<()> {
    let holding = catalogue.policies.holds_beside(identity.kind.as_str(), &identity.attributes, asked);
    let holding = holding.map_err(|fault| EngineError::Undecidable(fault.to_string()))?;
    match asked.iter().find_map(|name| holding.forbidden.get_key_value(name)) {
        None => Ok(()),
        Some((name, policies)) => Err(ExceptionRefusal::Forbidden {
            entitlement: name.clone(),
            policies: policies.iter().map(ToString::to_string).collect(),
        }
        .into()),
    }
}
