//! Killing an integration: the same way as a leaver's, until its provider rejects the credential that it had.
//!
//! That it has ended is in force with the plan that takes its gates. In the same transaction a case is opened,
//! its work is stopped, and its credentials are sealed anew so that they can only be ended and tried. Then each
//! is tried, ended, and tried again, on a growing schedule, until the provider turns it away; only then is the
//! hub's copy destroyed. What a provider answers to the call that ends a credential proves nothing.

mod drill;
mod prove;
mod rotate;
mod sweep;

pub(crate) use prove::{UNPROVEN, about};
pub use sweep::{Sweep, Swept};

use std::collections::BTreeMap;

use bailiwick_core::{
    access::AccessClass,
    case::{Case, Cell},
    event::Cause,
    gate::Permit,
    govern::Declaration,
    id::{AccountId, CaseId, IdentityId, IntegrationName, SystemName},
    identity::{Identity, SourceKey},
    integration::{Integration, Role},
    kill::NoKill,
    plan::Plan,
    record::{Actor, RecordKind},
    time::Timestamp,
    verify::Verdict,
};
use bailiwick_store::{
    Entity, Filter, NewWork, Select, Stored, Table, Tx, Update,
    entities::{Caller, Credential, PlanRow, Run, Step},
    get, select,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Engine, EngineError, Haste, Job, Requester, Result, Waiting,
    activate::hub_system,
    finding::Wrong,
    govern::{hub, hub_source},
};

/// What became of a kill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Killed {
    /// Its case; absent while the kill waits for an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<Case>,
    /// What is known of each kind of access that it had.
    pub cells: Vec<Cell>,
    /// The plans that wait.
    pub waiting: Vec<Waiting>,
}

/// The finding that says what was stopped.
const STOPPED: &str = "work-stopped";

impl Engine {
    /// Kills an integration: it ends at once, and its case says what became of its grant. Of one that has ended
    /// before, gives the case that there is. One authorised person is enough.
    ///
    /// # Errors
    /// When there is no such integration, and for the hub itself.
    pub async fn kill(&self, name: &IntegrationName, by: impl Into<Requester>) -> Result<Killed> {
        if *name == hub() {
            return Err(EngineError::HubStays);
        }
        let mut waiting = Vec::new();
        if !self.ended(name).await? {
            let make = |declaration: &Declaration<'_>, _: &Permit, id| Some(declaration.retire(id));
            waiting = self.amend(name, Cause::Retirement, by.into(), make).await?;
        }
        if !waiting.is_empty() {
            return Ok(Killed { case: None, cells: Vec::new(), waiting });
        }
        // What is on its way in this process was let through before.
        self.parts.broker.stop(name, "it has ended");
        self.killed(name).await
    }

    /// The case of an integration that has ended, as it stands.
    ///
    /// # Errors
    /// When it has not ended.
    pub async fn killed(&self, name: &IntegrationName) -> Result<Killed> {
        let mut tx = self.read().await?;
        let case = self.case_of(&mut *tx, name).await?;
        let Some(case) = case.map(|stored| stored.value) else {
            return Err(match get::<Integration>(&mut *tx, self.tenant(), name.as_str()).await? {
                Some(_) => EngineError::NoKill(name.clone(), NoKill::NotEnded),
                None => EngineError::NotFound { kind: "integration", name: name.to_string() },
            });
        };
        let mine = Select::from(Table::Cells).filter(Filter::Is("case_id", case.id.to_string().into()));
        let cells = select::<Cell>(&mut *tx, self.tenant(), mine).await?;
        let cells = cells.into_iter().map(|stored| stored.value).collect();
        Ok(Killed { case: Some(case), cells, waiting: Vec::new() })
    }

    /// The integration that an identity is, if it is one.
    pub(crate) async fn integration_that_is(
        &self,
        tx: &mut dyn Tx,
        identity: IdentityId,
    ) -> Result<Option<Integration>> {
        let known = get::<Identity>(tx, self.tenant(), &identity.to_string()).await?;
        let Some(known) = known.filter(|known| known.value.source_key.source == hub_source()) else {
            return Ok(None);
        };
        let key = &known.value.source_key.key;
        Ok(get::<Integration>(tx, self.tenant(), key).await?.map(|stored| stored.value))
    }

    async fn ended(&self, name: &IntegrationName) -> Result<bool> {
        let mut tx = self.read().await?;
        let known = get::<Integration>(&mut *tx, self.tenant(), name.as_str()).await?;
        Ok(known.is_some_and(|stored| stored.value.has_ended()))
    }

    /// The last case of an integration.
    pub(crate) async fn case_of(
        &self,
        tx: &mut dyn Tx,
        name: &IntegrationName,
    ) -> Result<Option<Stored<Case>>> {
        let key = SourceKey { source: hub_source(), key: name.to_string() };
        let Some(identity) = self.by_source_key(tx, &key.to_string()).await? else { return Ok(None) };
        self.latest_case(tx, identity.value.id).await
    }

    /// What follows in the same transaction from an integration having ended by this plan. `before` is what it
    /// was until then.
    pub(crate) async fn follow_end(
        &self,
        tx: &mut dyn Tx,
        before: &Integration,
        plan: &Plan,
    ) -> Result<Vec<NewWork>> {
        let now = self.now();
        let case = Case {
            exposure: None,
            id: CaseId::new(now, self.entropy()),
            identity: plan.decision.identity,
            event: plan.decision.event,
            opened: now,
            effective: now,
            closed: None,
            followed: None,
        };
        let mut record = self
            .record(RecordKind::CaseOpened, "kill")
            .event(case.event)
            .identity(case.identity)
            .case(case.id)
            .fact("integration", &before.name);
        record.plan = Some(plan.id);
        let mut opened = Update::new(record).insert(&case, self.entropy());
        for cell in self.first_cells(before, &case, now) {
            opened = opened.insert(&cell, self.entropy());
        }
        let mut updates = vec![opened];
        updates.extend(self.keep_last(tx, before, &case).await?);
        updates.extend(self.stop_work(tx, before, &case).await?);
        if let Some(token) = get::<Caller>(tx, self.tenant(), before.name.as_str()).await? {
            updates.push(self.dismissal(tx, &token, Actor::Hub("kill".into())).await?);
        }
        updates.extend(self.hook_ended(tx, &before.name, Actor::Hub("kill".into())).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        // Nobody has to accept it any more.
        self.wake_watches(tx, [before.name.clone()]).await?;
        let job = Job::Kill { integration: before.name.clone(), case: case.id };
        Ok(vec![job.work(None, None, Haste::Soon, now)])
    }

    /// The cells of a killed integration: its grant at the provider, what calls by itself, its gates here.
    fn first_cells(&self, before: &Integration, case: &Case, now: Timestamp) -> Vec<Cell> {
        let cell = |system: SystemName, class, verdict, method: &str| Cell {
            case: case.id,
            system,
            class,
            account: AccountId::from_bytes(*case.identity.as_bytes()),
            verdict,
            at: now,
            method: method.to_owned(),
            witness: None,
            answer: None,
            tried: 0,
        };
        let pending = || Verdict::Pending { until: now };
        let mut cells = vec![
            cell(provider(before), grant_class(before), pending(), "not tried yet"),
            cell(hub_system(), AccessClass::HubRoles, pending(), "not read yet"),
            cell(hub_system(), AccessClass::Automations, pending(), "not read yet"),
        ];
        if !before.register.callbacks.is_empty() {
            let why = format!(
                "nobody here can see whether `{}` still serves {}; take it out there",
                before.register.vendor,
                before.register.callbacks.join(", ")
            );
            let verdict = Verdict::Unobservable { why, control: None };
            cells.push(cell(provider(before), AccessClass::Automations, verdict, "none"));
        }
        cells
    }

    /// Seals the credentials anew, so that they can only be ended and tried.
    async fn keep_last(&self, tx: &mut dyn Tx, before: &Integration, case: &Case) -> Result<Option<Update>> {
        let held = self.credentials_of(tx, &before.name).await?;
        let living: Vec<&Stored<Credential>> = held.iter().filter(|c| !c.value.purpose.is_last()).collect();
        if living.is_empty() {
            return Ok(None);
        }
        let record = self
            .record(RecordKind::CredentialSealed, "kill")
            .identity(case.identity)
            .case(case.id)
            .fact("integration", &before.name)
            .fact("kept", living.iter().map(|c| c.value.purpose.last()).collect::<Vec<_>>());
        let mut update = Update::new(record);
        for stored in living {
            let Credential { integration, purpose, sealed, at, .. } = &stored.value;
            update = update.delete::<Credential>(&stored.value.key(), stored.revision);
            // One that does not open is kept as it is: it says that there is a grant of which nothing is known.
            let last = serde_json::from_value(sealed.clone())
                .ok()
                .and_then(|old| self.parts.broker.reseal(before, *purpose, &old, self.entropy()).ok())
                .and_then(|new| serde_json::to_value(new).ok());
            let kept = Credential {
                integration: integration.clone(),
                purpose: purpose.last(),
                sealed: last.unwrap_or_else(|| sealed.clone()),
                at: *at,
                accepted: None,
                retired: None,
            };
            let same = held.iter().find(|c| c.value.key() == kept.key());
            update = match same {
                Some(old) => update.replace(&kept, old.revision, self.entropy()),
                None => update.insert(&kept, self.entropy()),
            };
        }
        Ok(Some(update))
    }

    pub(crate) async fn credentials_of(
        &self,
        tx: &mut dyn Tx,
        name: &IntegrationName,
    ) -> Result<Vec<Stored<Credential>>> {
        let asked = Select::from(Table::Credentials).filter(Filter::Is("integration", name.as_str().into()));
        Ok(select::<Credential>(tx, self.tenant(), asked).await?)
    }

    /// Drops what was on its way through the integration, and says what that was.
    async fn stop_work(&self, tx: &mut dyn Tx, before: &Integration, case: &Case) -> Result<Vec<Update>> {
        let Role::Target { system } = &before.role else { return Ok(Vec::new()) };
        let asked = Run::under_way_on(system);
        let mut updates = Vec::new();
        let mut held: BTreeMap<String, usize> = BTreeMap::new();
        let mut doubtful = 0;
        for stored in select::<Run>(tx, self.tenant(), asked).await? {
            let mut run = stored.value;
            let row = get::<PlanRow>(tx, self.tenant(), &run.plan.to_string()).await?;
            for (seq, step) in run.steps.iter_mut().filter(|(_, step)| !step.ended()) {
                doubtful += usize::from(matches!(step, Step::Sent { .. } | Step::Unknown { .. }));
                *step = Step::Dropped;
                let changes = row.iter().flat_map(|row| &row.value.plan.changes);
                let words = changes.filter(|c| c.seq == *seq).map(|c| c.op.words()).next();
                *held.entry(words.unwrap_or_default()).or_default() += 1;
            }
            let record = self
                .record(RecordKind::Superseded, "kill")
                .event(run.event)
                .identity(run.identity)
                .plan(run.plan)
                .case(case.id)
                .fact("run", run.id)
                .fact("system", system);
            updates.push(Update::new(record).replace(&run, stored.revision, self.entropy()));
            if let Some(row) = row {
                updates.extend(self.end_plan(tx, &row.value, &run).await?);
            }
        }
        if held.is_empty() {
            return Ok(updates);
        }
        let what: Vec<String> = held.iter().map(|(words, n)| format!("{n} × {words}")).collect();
        let wrong = Wrong {
            code: STOPPED,
            subject: format!("{}/{}", before.name, case.id),
            identity: Some(case.identity),
            system: Some(system.clone()),
            message: format!(
                "`{}` was killed with work under way on `{system}`, which was stopped: {}; of that {doubtful} were \
                 sent and may have been done",
                before.name,
                what.join(", ")
            ),
            owner: before.owner.clone(),
        };
        updates.extend(self.open_finding(tx, wrong).await?);
        Ok(updates)
    }
}

/// Where the grant of an integration lies: its system, or what bears its own name where that is none of ours.
pub(crate) fn provider(integration: &Integration) -> SystemName {
    match &integration.role {
        Role::Target { system } | Role::Partner { system: Some(system) } => system.clone(),
        // It lies where the log is kept, which is elsewhere than the system.
        Role::Source { .. } | Role::Log { .. } | Role::Partner { system: None } => {
            SystemName::new(integration.name.as_str()).unwrap_or_else(|_| hub_system())
        }
    }
}

/// What kind of access its grant is.
pub(crate) fn grant_class(integration: &Integration) -> AccessClass {
    integration.kill.as_ref().map_or(AccessClass::ApiTokens, |kill| kill.class)
}
