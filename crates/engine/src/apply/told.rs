//! What is known once a run has been sent: the account as it is now believed to be, and what somebody has to be told.

use bailiwick_connector::ErrorKind;
use bailiwick_core::{
    account::{Account, AccountValue},
    plan::{Change, Plan},
};
use bailiwick_store::{
    Filter, Select, Table, Tx, Update,
    entities::{Run, Step},
    select,
};

use super::Returned;
use crate::{
    Catalogue, Engine, Result,
    finding::Wrong,
    limits::{OUTSIDE, outside},
    outcome::advance,
};

/// After how many failed tries somebody is told.
const PATIENCE: i64 = 3;
/// The finding that work on a system cannot go on.
pub(super) const SYSTEM_STUCK: &str = "system-stuck";

impl Engine {
    /// What the hub now believes of the account, from what was applied.
    pub(crate) async fn remember_account(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        plan: &Plan,
        run: &Run,
        steps: &[(u16, Step)],
        update: Update,
    ) -> Result<Update> {
        let Some(external_id) = &run.external_id else { return Ok(update) };
        let done: Vec<&Change> = steps
            .iter()
            .filter(|(_, step)| matches!(step, Step::Applied { .. }))
            .filter_map(|(seq, _)| plan.changes.iter().find(|c| c.seq == *seq))
            .collect();
        let Some(first) = done.first() else { return Ok(update) };
        let locator = Account::locator_of(&run.system, external_id);
        let asked = Select::from(Table::Accounts).filter(Filter::Is("locator", locator.into()));
        let stored = select::<Account>(tx, self.tenant(), asked).await?.pop();
        let now = self.now();
        let mut state = stored.as_ref().map(|s| s.value.state.clone()).unwrap_or_default();
        for change in &done {
            advance(&mut state, change, catalogue);
        }
        let sign_in = catalogue.route(&run.system).ok().and_then(|route| route.connector.sign_in());
        let given = sign_in.and_then(|attribute| state.attributes.get(attribute));
        let username = match (&stored, given) {
            (_, Some(AccountValue::Text(name))) => name.clone(),
            (Some(s), _) => s.value.username.clone(),
            (None, _) => String::new(),
        };
        let account = Account {
            id: stored.as_ref().map_or(first.target.account(), |s| s.value.id),
            system: run.system.clone(),
            external_id: external_id.clone(),
            username,
            identity: Some(run.identity),
            for_key: match &stored {
                Some(known) => known.value.for_key.clone(),
                None => plan.decision.leads.clone(),
            },
            applied: Some(state.clone()),
            state,
            seen: now,
        };
        let Update { record, writes } = update;
        let record =
            record.fact("active", account.state.active).fact("entitlements", &account.state.entitlements);
        let update = Update { record, writes };
        Ok(match stored {
            Some(s) => update.replace(&account, s.revision, self.entropy()),
            None => update.insert(&account, self.entropy()),
        })
    }

    pub(super) async fn findings_of(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        run: &Run,
        Returned { taken, stopped, put_off, .. }: &Returned,
    ) -> Result<Vec<Update>> {
        let owner = catalogue.route(&run.system)?.integration.owner.clone();
        let mut updates = self.refusals(tx, &taken.row.plan, run, &owner).await?;
        let subject = run.system.to_string();
        match stopped.as_ref() {
            // What is over budget is held, and that has a finding of its own.
            Some(error) if error.kind == ErrorKind::OverBudget => {}
            Some(error) if !error.kind.transient() || taken.item.attempts + 1 >= PATIENCE => {
                let wrong = Wrong {
                    code: SYSTEM_STUCK,
                    subject,
                    identity: None,
                    system: Some(run.system.clone()),
                    message: format!("work on `{}` cannot go on: {}: {error}", run.system, error.code()),
                    owner,
                };
                updates.extend(self.open_finding(tx, wrong).await?);
            }
            // That it was not asked says nothing of a system.
            None if *put_off => {}
            None => updates.extend(self.close_finding(tx, SYSTEM_STUCK, &subject).await?),
            Some(_) => {}
        }
        Ok(updates)
    }

    /// A finding for each change that was refused for good.
    pub(crate) async fn refusals(
        &self,
        tx: &mut dyn Tx,
        plan: &Plan,
        run: &Run,
        owner: &str,
    ) -> Result<Vec<Update>> {
        let mut updates = Vec::new();
        for (seq, step) in &run.steps {
            let Step::Refused { code, message } = step else { continue };
            let words = plan.changes.iter().find(|c| c.seq == *seq).map(|c| c.op.words()).unwrap_or_default();
            if code == OUTSIDE {
                updates.extend(self.open_finding(tx, outside(run, *seq, &words, message, owner)).await?);
                continue;
            }
            let wrong = Wrong {
                code: "change-refused",
                subject: format!("{}/{seq}", run.id),
                identity: Some(run.identity),
                system: Some(run.system.clone()),
                message: format!("`{}` refused to {words}: {code}: {message}", run.system),
                owner: owner.to_owned(),
            };
            updates.extend(self.open_finding(tx, wrong).await?);
        }
        Ok(updates)
    }
}
