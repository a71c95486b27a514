//! Budgets: an integration that would use more than it may is stopped, and the rest is held.
//!
//! What was used is kept in one row for each integration that has a budget, its ledger, and is written in the
//! transaction that marks the changes as sent. That is right on a crash: what was marked may have been sent,
//! so it counts. It is right with two nodes: both replace the same revision of the ledger, so one of them
//! conflicts and looks again. Counting runs and steps instead would be neither: it grows with history, and two
//! nodes that count at the same time each see room for one more. Whether a run was counted is kept with the
//! run, so that trying again costs nothing, and whether its account was changed today is seen there too.
//! Writes per minute are counted in the broker, by each process: a restart begins a new minute.
//!
//! A breach holds the runs that had no room and everything after them, whatever the day; their changes wait
//! and are not looked at any more. An operator releases what is held at that moment, once: it goes out
//! although there is no room for it, and what comes later is counted as before.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_connector::{ConnectorError, ErrorKind};
use bailiwick_core::{
    budget::{Breach, Budget, Ledger, Use, kept_for_leavers},
    event::Event,
    id::{EventId, IdentityId, IntegrationName, SystemName},
    integration::{Integration, Role},
    plan::{Op, Plan},
    record::{Actor, RecordKind},
    scope::Scope,
};
use bailiwick_store::{
    Filter, Select, Stored, Table, Tx, Update,
    entities::{Charge, PlanRow, Run, Step},
    get, select,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Catalogue, Engine, Haste, Job, Result, apply::Taken, finding::Wrong};

/// How many runs one record releases; a record has a longest length.
const RELEASED: usize = 100;

/// A change that is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeldChange {
    /// Whose access it changes.
    pub identity: IdentityId,
    /// The system.
    pub system: SystemName,
    /// The plan that it is of.
    pub plan: bailiwick_core::id::PlanId,
    /// What it does, in words.
    pub what: String,
}

/// What an integration has used, and what is held of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spending {
    /// What was used; none before the first run that counts.
    pub ledger: Option<Ledger>,
    /// The changes that wait for a release, in the order of their runs.
    pub held: Vec<HeldChange>,
}

/// The ledgers of one transaction.
#[derive(Default)]
struct Ledgers(BTreeMap<IntegrationName, (Option<Stored<Ledger>>, Ledger)>);

impl Engine {
    /// Leaves of the runs those that the budgets have room for, and takes it. The others are held: `marks`
    /// gets what is to be written.
    pub(crate) async fn within_budgets(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        ready: Vec<Taken>,
        marks: &mut Vec<Update>,
    ) -> Result<Vec<Taken>> {
        let limited = |taken: &Taken| {
            let route = catalogue.route(&taken.run.value.system);
            route.is_ok_and(|route| is_limited(&route.integration.scope))
        };
        if !ready.iter().any(limited) {
            return Ok(ready);
        }
        let known = self.known_of(tx, &ready).await?;
        let (mut ledgers, mut populations) = (Ledgers::default(), BTreeMap::new());
        let mut changed: BTreeSet<(SystemName, IdentityId)> = known.changed;
        let (mut go, mut held) = (Vec::with_capacity(ready.len()), Vec::new());
        let (now, today) = (self.now(), Ledger::day_of(self.now()));
        for mut taken in ready {
            let run = &taken.run.value;
            let integration = catalogue.route(&run.system)?.integration;
            let waits = run.steps.values().any(|step| *step == Step::Waiting);
            let counted = match run.charge {
                Charge::Released { .. } => true,
                Charge::Counted { day, .. } => day == today,
                Charge::None | Charge::Held { .. } => false,
            };
            if !is_limited(&integration.scope) || !waits || counted {
                go.push(taken);
                continue;
            }
            let population = match populations.get(&run.system) {
                Some(count) => *count,
                None => {
                    let count = self.population(tx, &run.system).await?;
                    populations.insert(run.system.clone(), count);
                    count
                }
            };
            let place = (run.system.clone(), run.identity);
            let wanted = Use {
                piece: known.pieces.get(&run.event).cloned().filter(|_| run.charge.is_none()),
                account: run.external_id.is_some() && !changed.contains(&place),
                privileged: privileged(catalogue, &taken),
                leaver: taken.row.plan.is_of_leaver(),
            };
            let ledger = self.ledger(tx, &mut ledgers, &integration.name).await?;
            match ledger.take(&integration.scope, &wanted, population, now) {
                Ok(()) => {
                    taken.run.value.charge = Charge::Counted { day: today, account: wanted.account };
                    changed.extend(wanted.account.then_some(place));
                    go.push(taken);
                }
                Err(breach) => held.push((taken, integration, breach)),
            }
        }
        marks.extend(self.changed_ledgers(ledgers));
        let going: BTreeSet<_> = go.iter().map(|taken: &Taken| taken.run.value.id).collect();
        let mut told = BTreeSet::new();
        for (taken, integration, breach) in held {
            if told.insert(integration.name.clone()) {
                let left = self.waiting(tx, &taken.run.value.system).await?;
                let left = left.iter().filter(|(id, _)| !going.contains(id)).map(|(_, count)| count).sum();
                marks.extend(self.budget_finding(tx, integration, &breach, left).await?);
            }
            marks.extend(self.hold_back(tx, integration, &breach, taken).await?);
        }
        Ok(go)
    }

    async fn ledger<'l>(
        &self,
        tx: &mut dyn Tx,
        ledgers: &'l mut Ledgers,
        integration: &IntegrationName,
    ) -> Result<&'l mut Ledger> {
        if !ledgers.0.contains_key(integration) {
            let stored = get::<Ledger>(tx, self.tenant(), integration.as_str()).await?;
            let fresh = || Ledger::new(integration.clone(), Ledger::day_of(self.now()));
            let ledger = stored.as_ref().map_or_else(fresh, |stored| stored.value.clone());
            ledgers.0.insert(integration.clone(), (stored, ledger));
        }
        let found = ledgers.0.get_mut(integration).map(|(_, ledger)| ledger);
        found.ok_or_else(|| crate::EngineError::Inconsistent("a ledger is lost".into()))
    }

    fn changed_ledgers(&self, ledgers: Ledgers) -> Vec<Update> {
        let changed = |(before, now): &(Option<Stored<Ledger>>, Ledger)| {
            before.as_ref().is_none_or(|before| before.value != *now)
        };
        let ledgers = ledgers.0.into_values().filter(changed);
        ledgers.map(|(before, ledger)| self.spent(before, &ledger)).collect()
    }

    /// The update by which a ledger is what it is now.
    fn spent(&self, before: Option<Stored<Ledger>>, ledger: &Ledger) -> Update {
        let record = self
            .record(RecordKind::Budgeted, "budget")
            .fact("accounts", ledger.accounts)
            .fact("day", ledger.day)
            .fact("held", &ledger.held)
            .fact("integration", &ledger.integration)
            .fact("privileged", ledger.privileged);
        match before {
            Some(before) => Update::new(record).replace(ledger, before.revision, self.entropy()),
            None => Update::new(record).insert(ledger, self.entropy()),
        }
    }

    /// Holds a run that was taken; what was refused of it stays refused.
    async fn hold_back(
        &self,
        tx: &mut dyn Tx,
        integration: &Integration,
        breach: &Breach,
        taken: Taken,
    ) -> Result<Vec<Update>> {
        let run = Run { charge: Charge::Held { since: breach.since }, ..taken.run.value };
        let record = self
            .record(RecordKind::Budgeted, "budget")
            .event(run.event)
            .identity(run.identity)
            .plan(run.plan)
            .fact("budget", breach.budget)
            .fact("held", run.steps.values().filter(|step| **step == Step::Waiting).count())
            .fact("integration", &integration.name)
            .fact("run", run.id)
            .fact("system", &run.system);
        let mut updates = vec![Update::new(record).replace(&run, taken.run.revision, self.entropy())];
        updates.extend(taken.refused);
        updates.extend(self.refusals(tx, &taken.row.plan, &run, &integration.owner).await?);
        tx.finish(self.tenant(), &taken.item).await?;
        Ok(updates)
    }

    /// Whether a run that stopped is held because of the writes of a minute. One whose outcome is in doubt is
    /// not: that must be resolved first. Nor is one that was released, nor a leaver's: it goes on with the next
    /// writes, of which some are kept for it.
    pub(crate) fn held_by_the_minute(&self, error: &ConnectorError, plan: &Plan, run: &mut Run) -> bool {
        let doubtful = |step: &Step| !step.ended() && *step != Step::Waiting;
        let held = error.kind == ErrorKind::OverBudget
            && !plan.is_of_leaver()
            && !matches!(run.charge, Charge::Released { .. })
            && !run.steps.values().any(doubtful);
        if held {
            run.charge = Charge::Held { since: self.now() };
        }
        held
    }

    /// Holds everything of the integration of a run that the broker stopped.
    pub(crate) async fn hold_by_the_minute(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        run: &Run,
    ) -> Result<Vec<Update>> {
        let integration = catalogue.route(&run.system)?.integration;
        let mut ledgers = Ledgers::default();
        let ledger = self.ledger(tx, &mut ledgers, &integration.name).await?;
        let limit = integration.scope.writes_per_minute.unwrap_or(0);
        let limit = u64::from(limit - kept_for_leavers(limit));
        let fresh = Breach { budget: Budget::WritesPerMinute, used: limit, limit, since: self.now() };
        let breach = ledger.held.get_or_insert(fresh).clone();
        let mut updates = self.changed_ledgers(ledgers);
        let left = self.waiting(tx, &run.system).await?.into_iter().map(|(_, count)| count).sum();
        updates.extend(self.budget_finding(tx, integration, &breach, left).await?);
        Ok(updates)
    }

    /// The finding that says what is held, with how much of it there is now.
    async fn budget_finding(
        &self,
        tx: &mut dyn Tx,
        integration: &Integration,
        breach: &Breach,
        left: usize,
    ) -> Result<Option<Update>> {
        let (name, budget) = (&integration.name, breach.budget.as_str());
        let message = format!(
            "`{name}` has used {} of {} of `{budget}` and is stopped: {left} changes are held; look at them with \
             `bailiwick integration held {name}`, then let them go once with `bailiwick integration release {name}`",
            breach.used, breach.limit
        );
        let wrong = Wrong {
            code: "budget-exceeded",
            subject: name.to_string(),
            identity: None,
            system: system_of(integration).cloned(),
            message,
            owner: integration.owner.clone(),
        };
        self.renew_finding(tx, wrong).await
    }

    /// How many changes wait in each run on the system that is not over.
    async fn waiting(
        &self,
        tx: &mut dyn Tx,
        system: &SystemName,
    ) -> Result<Vec<(bailiwick_core::id::RunId, usize)>> {
        let runs = self.running(tx, system).await?.into_iter().map(|stored| stored.value);
        let waits = |run: &Run| run.steps.values().filter(|step| **step == Step::Waiting).count();
        Ok(runs.map(|run| (run.id, waits(&run))).collect())
    }

    async fn running(&self, tx: &mut dyn Tx, system: &SystemName) -> Result<Vec<Stored<Run>>> {
        let running = Run::under_way_on(system);
        Ok(select::<Run>(tx, self.tenant(), running).await?)
    }

    pub(crate) async fn population(&self, tx: &mut dyn Tx, system: &SystemName) -> Result<u64> {
        let theirs = Select::from(Table::Accounts).filter(Filter::Is("system", system.as_str().into()));
        Ok(u64::try_from(tx.count(self.tenant(), theirs).await?).unwrap_or(0))
    }

    /// What the ledgers need to know of the runs: to which piece of work each belongs, and whose accounts were
    /// changed today already.
    async fn known_of(&self, tx: &mut dyn Tx, ready: &[Taken]) -> Result<KnownOf> {
        let mut known = KnownOf::default();
        let events: BTreeSet<EventId> = ready.iter().map(|taken| taken.run.value.event).collect();
        let events = events.iter().map(|id| id.to_string().into()).collect();
        let asked = Select::from(Table::Events).filter(Filter::In("id", events));
        for stored in select::<Event>(tx, self.tenant(), asked).await? {
            if let Some(piece) = piece(&stored.value) {
                known.pieces.insert(stored.value.id, piece);
            }
        }
        let today = Ledger::day_of(self.now());
        let people: BTreeSet<IdentityId> = ready.iter().map(|taken| taken.run.value.identity).collect();
        let people = people.iter().map(|id| id.to_string().into()).collect();
        let asked = Select::from(Table::Runs).filter(Filter::In("identity", people));
        for stored in select::<Run>(tx, self.tenant(), asked).await? {
            let run = stored.value;
            if run.charge == (Charge::Counted { day: today, account: true }) {
                known.changed.insert((run.system, run.identity));
            }
        }
        Ok(known)
    }

    /// What an integration has used, and what is held of it.
    pub async fn spending(&self, integration: &IntegrationName) -> Result<Spending> {
        let mut tx = self.read().await?;
        let ledger = get::<Ledger>(&mut *tx, self.tenant(), integration.as_str()).await?.map(|s| s.value);
        let Some(found) = get::<Integration>(&mut *tx, self.tenant(), integration.as_str()).await? else {
            let name = integration.to_string();
            return Err(crate::EngineError::NotFound { kind: "integration", name });
        };
        let mut held = Vec::new();
        if let Some(system) = system_of(&found.value) {
            let runs = self.held(&mut *tx, system).await?;
            let plans = runs.iter().map(|stored| stored.value.plan.to_string().into()).collect();
            let asked = Select::from(Table::Plans).filter(Filter::In("id", plans));
            let rows = select::<PlanRow>(&mut *tx, self.tenant(), asked).await?;
            let plans: BTreeMap<_, _> = rows.iter().map(|row| (row.value.plan.id, &row.value.plan)).collect();
            for run in runs.iter().map(|stored| &stored.value) {
                let changes = plans.get(&run.plan).map(|plan| plan.changes.as_slice()).unwrap_or_default();
                let waits = |seq: &u16| run.steps.get(seq) == Some(&Step::Waiting);
                for change in changes.iter().filter(|c| c.system == run.system && waits(&c.seq)) {
                    let what = match &change.entitlement {
                        Some(name) => format!("{} {name}", change.op.words()),
                        None => change.op.words(),
                    };
                    let (identity, system, plan) = (run.identity, run.system.clone(), run.plan);
                    held.push(HeldChange { identity, system, plan, what });
                }
            }
        }
        Ok(Spending { ledger, held })
    }

    async fn held(&self, tx: &mut dyn Tx, system: &SystemName) -> Result<Vec<Stored<Run>>> {
        let mut runs = self.running(tx, system).await?;
        runs.retain(|stored| matches!(stored.value.charge, Charge::Held { .. }));
        Ok(runs)
    }

    /// Lets everything go, once, that is held of an integration. Gives what is to be written.
    pub(crate) async fn release_held(
        &self,
        tx: &mut dyn Tx,
        integration: &Integration,
        by: &Actor,
    ) -> Result<Vec<Update>> {
        let Some(stored) = get::<Ledger>(tx, self.tenant(), integration.name.as_str()).await? else {
            return Ok(Vec::new());
        };
        if stored.value.held.is_none() {
            return Ok(Vec::new());
        }
        let (now, name) = (self.now(), &integration.name);
        let runs = match system_of(integration) {
            Some(system) => self.held(tx, system).await?,
            None => Vec::new(),
        };
        let record = |what: usize| {
            let mut record = self
                .record(RecordKind::BudgetReleased, "release")
                .fact("integration", name)
                .fact("runs", what);
            record.actor = by.clone();
            record
        };
        let open = Ledger { held: None, ..stored.value };
        let mut updates =
            vec![Update::new(record(runs.len())).replace(&open, stored.revision, self.entropy())];
        let mut jobs = Vec::with_capacity(runs.len());
        for some in runs.chunks(RELEASED) {
            let mut update = Update::new(record(some.len()));
            for held in some {
                let run = Run { charge: Charge::Released { at: now }, ..held.value.clone() };
                jobs.push(Job::Apply { run: run.id }.work(
                    Some(run.identity),
                    Some(&run.system),
                    Haste::Usual,
                    now,
                ));
                update = update.replace(&run, held.revision, self.entropy());
            }
            updates.push(update);
        }
        updates.extend(self.close_finding(tx, EXCEEDED, name.as_str()).await?);
        self.enqueue(tx, jobs).await?;
        Ok(updates)
    }
}

/// How the keys of events begin that one comparison of a system files.
pub(crate) const DRIFT: &str = "drift";
/// The code of a budget that was used up.
const EXCEEDED: &str = "budget-exceeded";

/// See [`Engine::known_of`].
#[derive(Default)]
struct KnownOf {
    pieces: BTreeMap<EventId, String>,
    changed: BTreeSet<(SystemName, IdentityId)>,
}

const fn is_limited(scope: &Scope) -> bool {
    scope.writes_per_minute.is_some()
        || scope.objects_per_run.is_some()
        || scope.population_percent.is_some()
        || scope.privileged_per_day.is_some()
}

fn system_of(integration: &Integration) -> Option<&SystemName> {
    match &integration.role {
        Role::Target { system } => Some(system),
        Role::Source { .. } | Role::Log { .. } | Role::Partner { .. } => None,
    }
}

/// How many privileged entitlements the rest of a run gives.
fn privileged(catalogue: &Catalogue, taken: &Taken) -> u64 {
    let waits = |seq: &u16| taken.run.value.steps.get(seq) == Some(&Step::Waiting);
    let power = |name| catalogue.entitlements.get(name).is_some_and(|declared| declared.privileged);
    let changes = taken.row.plan.changes.iter().filter(|c| waits(&c.seq));
    let given = changes.filter(|c| matches!(c.op, Op::Grant { .. }));
    given.filter(|c| c.entitlement.as_ref().is_some_and(power)).count() as u64
}

/// The piece of work that an event belongs to with others: a delivery of a source, a change of the rules, or one
/// comparison of a system.
/// What happens to one identity alone is a piece by itself.
fn piece(event: &Event) -> Option<String> {
    match event.source.as_str() {
        "hub" => {
            let (kind, rest) = event.key.split_once('/')?;
            let (cause, _) = rest.split_once('/')?;
            matches!(kind, "rules" | DRIFT).then(|| format!("{kind}/{cause}"))
        }
        source => Some(format!("{source}@{}", event.accepted)),
    }
}
