//! Before a run goes out: what of it is outside of what was certified is refused, with evidence and a
//! finding, and never left out in silence.

use bailiwick_core::{
    gate::Shut, id::IntegrationName, identity::Identity, integration::Integration, perform::permits,
    plan::Plan, policy::Attributes, record::RecordKind,
};
use bailiwick_store::{
    Tx, Update,
    entities::{Run, Step},
    get,
};

use crate::{Engine, Result, catalogue::Route, finding::Wrong, outcome::drop_what_cannot_follow};

/// The code of what was refused here and never sent.
pub(crate) const OUTSIDE: &str = "out-of-scope";

impl Engine {
    /// Refuses the changes of a run that are outside of the limits of its integration's scope. Gives the
    /// evidence; whoever calls writes the run with it.
    pub(crate) async fn refuse_outside(
        &self,
        tx: &mut dyn Tx,
        route: &Route<'_>,
        run: &mut Run,
        plan: &Plan,
    ) -> Result<Vec<Update>> {
        let scope = &route.integration.scope;
        let limited =
            !scope.attributes.is_any() || !scope.entitlements.is_any() || !scope.population.is_everybody();
        if !limited || !run.steps.values().any(|step| *step == Step::Waiting) {
            return Ok(Vec::new());
        }
        let attributes: Attributes = match scope.population.is_everybody() {
            true => Attributes::new(),
            // Whom nobody knows any more belongs to no population.
            false => get::<Identity>(tx, self.tenant(), &run.identity.to_string())
                .await?
                .map(|stored| stored.value.attributes)
                .unwrap_or_default(),
        };
        let mut evidence = Vec::new();
        for change in &plan.changes {
            let Some(step) = run.steps.get_mut(&change.seq).filter(|step| **step == Step::Waiting) else {
                continue;
            };
            let Err(reason) = permits(scope, change, &attributes) else { continue };
            *step = Step::Refused { code: OUTSIDE.into(), message: reason.to_string() };
            let record = self
                .record(RecordKind::OutOfScope, "apply")
                .event(run.event)
                .identity(run.identity)
                .plan(run.plan)
                .fact("change", change.op.words())
                .fact("integration", &route.integration.name)
                .fact("reason", reason.to_string())
                .fact("run", run.id)
                .fact("seq", change.seq)
                .fact("system", &run.system);
            evidence.push(Update::new(record));
        }
        if !evidence.is_empty() {
            drop_what_cannot_follow(plan, run);
        }
        Ok(evidence)
    }
}

/// The finding of a change that was refused here.
pub(crate) fn outside(run: &Run, seq: u16, words: &str, reason: &str, owner: &str) -> Wrong {
    Wrong {
        code: OUTSIDE,
        subject: format!("{}/{seq}", run.id),
        identity: Some(run.identity),
        system: Some(run.system.clone()),
        message: format!(
            "to {words} on `{}` was refused and not sent: {reason}; have the scope of its integration widened, \
             or make the change by hand",
            run.system
        ),
        owner: owner.to_owned(),
    }
}

/// What the finding is about that changes wait for an integration.
pub(crate) fn waiting(integration: &IntegrationName) -> String {
    format!("{integration}/waiting")
}

/// What is waiting to be sent by an integration that may not write.
pub(crate) fn shut_out(integration: &Integration, shut: &Shut) -> Wrong {
    Wrong {
        code: shut.code(),
        subject: waiting(&integration.name),
        identity: None,
        system: None,
        message: format!("changes wait for `{}`, which may not write: {shut}", integration.name),
        owner: integration.owner.clone(),
    }
}
