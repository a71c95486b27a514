//! What follows from a change of what is in force, in the same transaction.

use std::collections::BTreeSet;

use bailiwick_core::{
    authority::Authority,
    gate::Shut,
    govern,
    id::{IntegrationName, SystemName},
    integration::{Integration, Role},
    plan::{Plan, Question},
    review,
};
use bailiwick_store::Tx;

use crate::{Catalogue, Engine, Haste, Job, Result, fetch::reading_of, finding::Wrong};

impl Engine {
    /// What follows from a change of what is in force: people are decided anew, systems looked at, and
    /// integrations that can do more than was certified are told.
    pub(crate) async fn follow_up(&self, tx: &mut dyn Tx, before: &Catalogue, plans: &[&Plan]) -> Result<()> {
        let after = self.catalogue(tx).await?;
        let now = self.now();
        let mut jobs = Vec::new();
        for system in now_readable(before, &after) {
            self.read_what_was_attested(tx, &system).await?;
        }
        // One that is declared anew after its end may send again in this process.
        for name in after.integrations.keys().filter(|name| !before.integrations.contains_key(*name)) {
            self.parts.broker.release(name);
        }
        for plan in plans.iter().filter(|plan| plan.ends()) {
            let of = plan.governs.as_ref().and_then(|governs| before.integrations.get(&governs.subject));
            if let Some(integration) = of {
                jobs.extend(self.follow_end(tx, integration, plan).await?);
            }
        }
        let touches_access = declared_kinds(plans).any(|kind| kind != "policy" && kind != "ties")
            || plans
                .iter()
                .any(|plan| plan.governs.as_ref().is_some_and(|g| g.question != Question::Configuration));
        if touches_access {
            let reached = after.systems.keys().filter(|system| after.reaches(system));
            let known = reached.map(|system| Job::Reconcile { system: system.clone(), after: None });
            jobs.extend(known.map(|job| job.work(None, None, Haste::Usual, now)));
            let logged = after.systems.keys().filter(|system| after.audits(system));
            let compared = logged.map(|system| Job::Audit { system: system.clone(), after: None });
            jobs.extend(compared.map(|job| job.work(None, None, Haste::Usual, now)));
        }
        let cause = after.version.short();
        jobs.push(Job::Redecide { cause, after: None }.work(None, None, Haste::Usual, now));
        self.enqueue(tx, jobs).await?;
        let routed = after.systems.keys().filter(|system| after.route(system).is_ok());
        let mended: Vec<_> = routed.map(|system| ("system-undeclared", system.to_string())).collect();
        let closed = self.close_findings(tx, &mended).await?;
        tx.write(self.tenant(), closed, self.entropy()).await?;
        self.to_be_reviewed(tx, before, &after, plans).await?;
        if declared_kinds(plans).any(|kind| kind == "automation") {
            self.judge_automations(tx).await?;
        }
        self.permits_changed(tx, before, &after).await
    }

    /// Opens the reviews that follow from what took effect, and has what is certified now looked at.
    async fn to_be_reviewed(
        &self,
        tx: &mut dyn Tx,
        before: &Catalogue,
        after: &Catalogue,
        plans: &[&Plan],
    ) -> Result<()> {
        let changed: BTreeSet<&IntegrationName> =
            plans.iter().filter_map(|plan| plan.governs.as_ref()).map(|governs| &governs.subject).collect();
        for name in changed {
            let (old, new) = (before.integrations.get(name), after.integrations.get(name));
            let certified = old.filter(|old| old.gates.integration.is_some());
            if let (Some(old), Some(new)) = (certified, new) {
                for trigger in review::triggers(old, new) {
                    self.open_review(tx, name, trigger, self.now()).await?;
                }
            }
            if new.is_some() {
                self.wake_watches(tx, [name.clone()]).await?;
            }
        }
        Ok(())
    }

    /// Lets go on what may write from now on, and tells of what may not.
    pub(crate) async fn permits_changed(
        &self,
        tx: &mut dyn Tx,
        before: &Catalogue,
        after: &Catalogue,
    ) -> Result<()> {
        for (name, integration) in &after.integrations {
            let opened = before.permit(name).writes.is_err() && after.permit(name).writes.is_ok();
            let differs = || before.integrations.get(name) != Some(integration);
            if opened || reading_of(integration, self.now()).is_some() && differs() {
                self.wake_work(tx, integration).await?;
            }
        }
        self.tell_what_is_void(tx, after).await
    }

    /// Tells of integrations that can do more than was certified, or are taken for less than they are, and has
    /// the former looked at.
    async fn tell_what_is_void(&self, tx: &mut dyn Tx, catalogue: &Catalogue) -> Result<()> {
        let mut updates = Vec::new();
        for (name, integration) in &catalogue.integrations {
            let shut = catalogue.permit(name).writes.err();
            for code in ["certification-void", "integration-understated"] {
                let wrong = shut.as_ref().filter(|shut| shut.code() == code);
                let Some(shut) = wrong else {
                    updates.extend(self.close_finding(tx, code, name.as_str()).await?);
                    continue;
                };
                updates.extend(self.open_finding(tx, void(code, integration, catalogue, shut)).await?);
            }
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        let void = catalogue.integrations.keys().filter(|n| catalogue.permit(n).writes == Err(Shut::Void));
        self.wake_watches(tx, void.cloned().collect::<Vec<_>>()).await
    }
}

fn void(code: &'static str, integration: &Integration, catalogue: &Catalogue, shut: &Shut) -> Wrong {
    let name = &integration.name;
    let computed = catalogue.authority(name).cloned().unwrap_or_default();
    let certified = integration.gates.authority.as_ref().map(|c| c.authority.clone()).unwrap_or_default();
    let paths = computed.paths.difference(&certified.paths).cloned().collect();
    let new = Authority { class: computed.class, paths }.explain(name);
    let new = if new.is_empty() { String::new() } else { format!(". New: {}", new.join("; ")) };
    let todo = match shut {
        Shut::Void => {
            format!(". Certify it anew with `bailiwick integration certify {name}`, or take from its scope")
        }
        // These say themselves what to do.
        Shut::Understated { .. }
        | Shut::Ended(_)
        | Shut::Quarantined(_)
        | Shut::Unusable(_)
        | Shut::Incomplete(_)
        | Shut::NotApproved
        | Shut::NoAuthority
        | Shut::Restored(_)
        | Shut::Paused(_) => String::new(),
    };
    Wrong {
        code,
        subject: name.to_string(),
        identity: None,
        system: None,
        message: format!("`{name}` ({}): {shut}{new}{todo}", computed.class),
        owner: integration.owner.clone(),
    }
}

/// The systems that only a person could look at, and that a program reads from now on.
fn now_readable(before: &Catalogue, after: &Catalogue) -> Vec<SystemName> {
    let by_person = |catalogue: &Catalogue, system: &SystemName| {
        catalogue.route(system).ok().map(|route| route.connector.capability().by_person.is_some())
    };
    let served = after.integrations.values().filter_map(|integration| match &integration.role {
        Role::Target { system } => Some(system.clone()),
        Role::Source { .. } | Role::Log { .. } | Role::Partner { .. } => None,
    });
    served.filter(|s| by_person(before, s) == Some(true) && by_person(after, s) == Some(false)).collect()
}

/// The kinds of what these plans declare.
fn declared_kinds(plans: &[&Plan]) -> impl Iterator<Item = String> {
    plans.iter().flat_map(|plan| govern::entries(plan)).map(|(kind, ..)| kind)
}
