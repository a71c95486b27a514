//! Putting in force what was approved of the hub itself.
//!
//! The hub is the one system that is reached without a connector: what is approved takes effect in the
//! transaction that finds it ready. Execution chooses nothing: what is written is what the plan says. Several
//! plans that need each other (a policy and the source whose attribute it reads) take effect together;
//! what does not fit yet waits, and a finding says for what.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    approval::Approval,
    automation::Automation,
    exception::GlassCase,
    gate::{Certificate, Gate, Gates, HUB, covers},
    govern,
    id::{ApprovalId, IdentityId, PlanId, RunId, SystemName},
    integration::{Integration, Standing},
    person::Ties,
    plan::{Plan, Question, Target},
    policy::PolicyFile,
    record::RecordKind,
    resource::{ResourceType, SubjectType},
    system::{Entitlement, System},
};
use bailiwick_store::{
    Entity, Filter, Select, Stored, Table, Tx, Update, Write,
    entities::{Operator, PlanRow, PlanState, Run, Step},
    get, select,
};

use crate::{
    Configuration, Engine, EngineError, Result, catalogue::validate, configure::current, finding::Wrong,
    invite::OPERATOR, turn::GOVERN,
};

/// The finding about a plan that cannot take effect yet.
const WAITS: &str = "plan-waits";

/// An approved plan about the hub, ready to take effect.
struct Ready {
    stored: Stored<PlanRow>,
    approval: Stored<Approval>,
}

/// A part of what is in force, and its revision when it has one.
struct Slot<T> {
    value: Option<T>,
    revision: i64,
}

type Slots<T> = BTreeMap<String, Slot<T>>;

/// Everything that is in force, in the making.
struct Force {
    systems: Slots<System>,
    entitlements: Slots<Entitlement>,
    policies: Slots<PolicyFile>,
    automations: Slots<Automation>,
    ties: Slots<Ties>,
    glass_cases: Slots<GlassCase>,
    subjects: Slots<SubjectType>,
    resources: Slots<ResourceType>,
    integrations: Slots<Integration>,
    /// By name.
    operators: Slots<Operator>,
}

impl Engine {
    /// Puts in force every approved plan about the hub that can be, in order; gives them.
    pub(crate) async fn activate(&self, tx: &mut dyn Tx) -> Result<Vec<PlanId>> {
        self.take_turn(tx, GOVERN).await?;
        let asked = Select::from(Table::Plans).filter(Filter::Is("state", "waiting".into()));
        let mut waiting = Vec::new();
        for stored in select::<PlanRow>(tx, self.tenant(), asked).await? {
            waiting.extend(self.usable(tx, stored).await?);
        }
        waiting.sort_by_key(|ready| (order(&ready.stored.value.plan), ready.stored.value.plan.id));
        let before = self.catalogue(tx).await?;
        let drafted = self.drafted_gates(tx).await?;
        let mut done = Vec::new();
        // All of it together, or else one after the other until nothing more fits.
        let mut groups: Vec<Vec<usize>> = vec![(0..waiting.len()).collect()];
        groups.extend((0..waiting.len()).map(|one| vec![one]));
        for group in groups {
            let chosen: Vec<&Ready> = group
                .iter()
                .map(|n| &waiting[*n])
                .filter(|r| !done.contains(&r.stored.value.plan.id))
                .collect();
            if !chosen.is_empty() {
                done.extend(self.activate_together(tx, &chosen, &drafted).await?);
            }
        }
        self.say_what_waits(tx, &waiting, &done).await?;
        if !done.is_empty() {
            let plans = waiting.iter().map(|ready| &ready.stored.value.plan);
            let plans: Vec<&Plan> = plans.filter(|plan| done.contains(&plan.id)).collect();
            self.follow_up(tx, &before, &plans).await?;
        }
        Ok(done)
    }

    /// The plan with its approval, if that is genuine and in time; otherwise the plan is taken back.
    async fn usable(&self, tx: &mut dyn Tx, stored: Stored<PlanRow>) -> Result<Option<Ready>> {
        let PlanState::Waiting { approval } = stored.value.state else { return Ok(None) };
        let plan = &stored.value.plan;
        let kept = get::<Approval>(tx, self.tenant(), &approval.to_string()).await?;
        let wrong = match &kept {
            Some(kept) if !self.genuine(&kept.value) => Some("approval-forged"),
            Some(kept) => kept.value.clone().consume(plan, self.now()).err().map(|refusal| refusal.code()),
            None => Some("approval-missing"),
        };
        match (wrong, kept) {
            (None, Some(approval)) => Ok(Some(Ready { stored, approval })),
            (code, _) => {
                let code = code.unwrap_or("approval-missing");
                self.refuse_plan(tx, stored, code).await?;
                Ok(None)
            }
        }
    }

    /// Takes a plan back whose approval does not count, and says so.
    pub(crate) async fn refuse_plan(
        &self,
        tx: &mut dyn Tx,
        stored: Stored<PlanRow>,
        code: &'static str,
    ) -> Result<()> {
        let id = stored.value.plan.id;
        let identity = stored.value.plan.decision.identity;
        let record =
            self.record(RecordKind::Refused, "approve").plan(id).identity(identity).fact("code", code);
        let mut updates = vec![Update::new(record), self.void(stored, 0)];
        let wrong = Wrong {
            code,
            subject: id.to_string(),
            identity: Some(identity),
            system: None,
            message: format!(
                "the approval of {id} does not count and nothing of it was done; {}, then ask for the change again",
                match code {
                    "approval-expired" => "approve what it waits for in time",
                    _ => "find out who touched the database",
                }
            ),
            owner: "operator".into(),
        };
        updates.extend(self.open_finding(tx, wrong).await?);
        Ok(tx.write(self.tenant(), updates, self.entropy()).await?)
    }

    /// Puts the plans in force together, as far as they are ready; nothing when the result is not valid.
    async fn activate_together(
        &self,
        tx: &mut dyn Tx,
        chosen: &[&Ready],
        drafted: &BTreeSet<IdentityId>,
    ) -> Result<Vec<PlanId>> {
        let mut force = self.in_force(tx).await?;
        let mut updates = Vec::new();
        let mut done = Vec::new();
        for ready in chosen {
            if let Some(update) = self.effect(&mut force, ready, drafted)? {
                updates.push(update);
                done.push(ready.stored.value.plan.id);
            }
        }
        // That something ends makes nothing invalid, and waits for nothing that is.
        let ends = chosen.iter().all(|ready| ready.stored.value.plan.ends());
        if done.is_empty() || !ends && validate(self, &force.configuration()).is_err() {
            return Ok(Vec::new());
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        Ok(done)
    }

    /// Identities whose second gate still waits for a person.
    async fn drafted_gates(&self, tx: &mut dyn Tx) -> Result<BTreeSet<IdentityId>> {
        let asked = Select::from(Table::Plans).filter(Filter::Is("state", "drafted".into()));
        let drafted = select::<PlanRow>(tx, self.tenant(), asked).await?;
        let second = |row: &PlanRow| {
            row.plan.governs.as_ref().is_some_and(|g| g.question == Question::IdentityAuthorityApproved)
        };
        Ok(drafted.into_iter().filter(|s| second(&s.value)).map(|s| s.value.plan.decision.identity).collect())
    }

    /// What the plan writes; `None` when it is not ready.
    fn effect(
        &self,
        force: &mut Force,
        ready: &Ready,
        second_gate_drafted: &BTreeSet<IdentityId>,
    ) -> Result<Option<Update>> {
        let row = &ready.stored.value;
        let Some(governs) = &row.plan.governs else { return Ok(None) };
        let writes = match governs.question {
            Question::Configuration => force.set_parts(&row.plan, self)?,
            Question::IntegrationApproved | Question::IdentityAuthorityApproved | Question::Less => {
                let slot = force
                    .integrations
                    .entry(governs.subject.to_string())
                    .or_insert(Slot { value: None, revision: 0 });
                let second = second_gate_drafted.contains(&row.plan.decision.identity);
                let Some(next) = integration_after(
                    slot.value.as_ref(),
                    &row.plan,
                    ready.approval.value.id,
                    second,
                    self.now(),
                )?
                else {
                    return Ok(None);
                };
                slot.set(governs.subject.as_str(), next, self).into_iter().collect()
            }
        };
        let approval = &ready.approval;
        let used = approval.value.clone().consume(&row.plan, self.now())?;
        let done = PlanRow { state: PlanState::Done { approval: used.id }, ..row.clone() };
        let run = self.run_of(&row.plan);
        let record = self
            .record(RecordKind::Applied, "activate")
            .event(row.plan.decision.event)
            .identity(row.plan.decision.identity)
            .plan(row.plan.id)
            .fact("approval", used.id)
            .fact("subject", &governs.subject)
            .fact("system", HUB);
        let mut update = Update::new(record)
            .replace(&used, approval.revision, self.entropy())
            .replace(&done, ready.stored.revision, self.entropy())
            .insert(&run, self.entropy());
        update.writes.extend(writes);
        Ok(Some(update))
    }

    fn run_of(&self, plan: &Plan) -> Run {
        let now = self.now();
        let step = Step::Applied { at: now, already: false, answer: plan.digest() };
        Run {
            id: RunId::new(now, self.entropy()),
            plan: plan.id,
            identity: plan.decision.identity,
            event: plan.decision.event,
            generation: plan.decision.generation,
            steps: plan.changes.iter().map(|change| (change.seq, step.clone())).collect(),
            external_id: plan.changes.iter().find_map(|change| match &change.target {
                Target::Known { external_id, .. } => Some(external_id.clone()),
                Target::New { .. } => None,
            }),
            system: hub_system(),
            charge: Default::default(),
        }
    }

    /// Everything that is in force, as it would be declared.
    pub(crate) async fn declared_now(&self, tx: &mut dyn Tx) -> Result<Configuration> {
        Ok(self.in_force(tx).await?.configuration())
    }

    /// Everything that is in force.
    async fn in_force(&self, tx: &mut dyn Tx) -> Result<Force> {
        let tenant = self.tenant();
        Ok(Force {
            systems: slots(current(tx, tenant).await?),
            entitlements: slots(current(tx, tenant).await?),
            policies: slots(current(tx, tenant).await?),
            automations: slots(current(tx, tenant).await?),
            ties: slots(current(tx, tenant).await?),
            glass_cases: slots(current(tx, tenant).await?),
            subjects: slots(current(tx, tenant).await?),
            resources: slots(current(tx, tenant).await?),
            integrations: slots(current(tx, tenant).await?),
            operators: slots(current::<Operator>(tx, tenant).await?.into_values().map(by_name).collect()),
        })
    }

    async fn say_what_waits(&self, tx: &mut dyn Tx, waiting: &[Ready], done: &[PlanId]) -> Result<()> {
        let mut updates = Vec::new();
        for ready in waiting {
            let row = &ready.stored.value;
            let Some(governs) = &row.plan.governs else { continue };
            let id = row.plan.id;
            if done.contains(&id) {
                updates.extend(self.close_finding(tx, WAITS, &id.to_string()).await?);
                continue;
            }
            let wrong = Wrong {
                code: WAITS,
                subject: id.to_string(),
                identity: Some(row.plan.decision.identity),
                system: None,
                message: format!(
                    "the plan for `{}` is approved and cannot take effect alone: it waits for another plan \
                     about the hub that is not approved yet (`bailiwick plan list --state drafted`)",
                    governs.subject
                ),
                owner: "operator".into(),
            };
            updates.extend(self.open_finding(tx, wrong).await?);
        }
        Ok(tx.write(self.tenant(), updates, self.entropy()).await?)
    }
}

/// Declarations before gates, gates before what rests on them.
fn order(plan: &Plan) -> u8 {
    match plan.governs.as_ref().map(|g| g.question) {
        Some(Question::Less) | None => 0,
        Some(Question::Configuration) => 1,
        Some(Question::IntegrationApproved) => 2,
        Some(Question::IdentityAuthorityApproved) => 3,
    }
}

/// The integration after the plan took effect; `Some(None)` when it goes, `None` when the plan is not ready.
fn integration_after(
    before: Option<&Integration>,
    plan: &Plan,
    approval: ApprovalId,
    second_gate_drafted: bool,
    now: bailiwick_core::time::Timestamp,
) -> Result<Option<Option<Integration>>> {
    let Some(governs) = &plan.governs else { return Ok(None) };
    if plan.ends() {
        // It stays in the inventory: its grant is not dead because somebody here says so.
        let Some(before) = before.filter(|before| !before.has_ended()) else { return Ok(None) };
        let (standing, gates) = (Standing::Ended { since: now }, Gates::default());
        return Ok(Some(Some(Integration { standing, gates, ..before.clone() })));
    }
    // One that has ended and is declared anew begins anew.
    let before = before.filter(|before| !before.has_ended());
    let declares = plan.declares();
    let mut next = match (before, declares.is_empty()) {
        (Some(before), true) => before.clone(),
        // The gate of something that is not declared yet.
        (None, true) => return Ok(None),
        (before, false) => {
            // What is certified stays in force until what replaces it is certified as far.
            let held = before.is_some_and(|b| b.gates.authority.is_some());
            if held && second_gate_drafted && governs.question == Question::IntegrationApproved {
                return Ok(None);
            }
            let mut all = before.map(govern::attributes).unwrap_or_default();
            all.extend(declares);
            let declared = govern::integration(&governs.subject, &all)
                .map_err(|what| EngineError::Inconsistent(format!("plan {}: {what}", plan.id)))?;
            let standing = before.map_or(Standing::Enabled, |b| b.standing.clone());
            let gates = before.map(|b| b.gates.clone()).unwrap_or_default();
            Integration { standing, gates, ..declared }
        }
    };
    for gate in plan.shuts() {
        next.gates.set(gate, None);
    }
    for (gate, covered) in plan.opens() {
        let held = next.gates.authority.as_ref().map(|c| c.authority.clone());
        let authority = plan.certifies().or(held).unwrap_or_default();
        let certified = match gate {
            Gate::IntegrationApproved => covered == covers(gate, next.declared(), &authority),
            Gate::IdentityAuthorityApproved => {
                plan.certifies().is_none() || covered == covers(gate, next.declared(), &authority)
            }
        };
        if !certified {
            return Ok(None);
        }
        next.gates.set(gate, Some(Certificate { approval, covers: covered, authority, at: now }));
    }
    Ok(Some(Some(next)))
}

impl Force {
    fn configuration(&self) -> Configuration {
        fn values<T: Clone>(slots: &Slots<T>) -> Vec<T> {
            slots.values().filter_map(|slot| slot.value.clone()).collect()
        }
        Configuration {
            systems: values(&self.systems),
            entitlements: values(&self.entitlements),
            integrations: values(&self.integrations)
                .into_iter()
                .filter(|i: &Integration| i.name.as_str() != HUB)
                .collect(),
            policies: values(&self.policies),
            automations: values(&self.automations),
            ties: values(&self.ties),
            glass_cases: values(&self.glass_cases),
            subjects: values(&self.subjects),
            resources: values(&self.resources),
        }
    }

    fn put_operator(
        &mut self,
        name: &str,
        text: Option<&str>,
        plan: PlanId,
        engine: &Engine,
    ) -> Result<Option<Write>> {
        let Some(text) = text else { return Ok(None) };
        let slot = self.operators.entry(name.to_owned()).or_insert(Slot { value: None, revision: 0 });
        let next = engine.invite(slot.value.as_ref(), name, text, plan)?;
        Ok(slot.set(name, Some(next), engine))
    }

    fn set_parts(&mut self, plan: &Plan, engine: &Engine) -> Result<Vec<Write>> {
        let mut writes = Vec::new();
        for (kind, name, text) in govern::entries(plan) {
            let text = text.as_deref();
            writes.extend(match kind.as_str() {
                "system" => put(&mut self.systems, &name, text, |_, wanted| wanted, engine)?,
                "entitlement" => {
                    put(&mut self.entitlements, &name, text, |before, wanted| wanted.knowing(before), engine)?
                }
                "policy" => put(&mut self.policies, &name, text, |_, wanted| wanted, engine)?,
                "automation" => put(&mut self.automations, &name, text, |_, wanted| wanted, engine)?,
                "subject" => put(&mut self.subjects, &name, text, |_, wanted| wanted, engine)?,
                "resource" => put(&mut self.resources, &name, text, |_, wanted| wanted, engine)?,
                "break-glass" => put(&mut self.glass_cases, &name, text, |_, wanted| wanted, engine)?,
                OPERATOR => self.put_operator(&name, text, plan.id, engine)?,
                "ties" => put(&mut self.ties, &name, text, |_, wanted| wanted, engine)?,
                other => {
                    return Err(EngineError::Inconsistent(format!("plan {} changes a `{other}`", plan.id)));
                }
            });
        }
        Ok(writes)
    }
}

fn put<T: Entity>(
    slots: &mut Slots<T>,
    name: &str,
    text: Option<&str>,
    merge: impl Fn(&T, T) -> T,
    engine: &Engine,
) -> Result<Option<Write>> {
    let wanted = text.map(serde_json::from_str::<T>).transpose();
    let wanted = wanted.map_err(|error| EngineError::Inconsistent(format!("`{name}`: {error}")))?;
    let slot = slots.entry(name.to_owned()).or_insert(Slot { value: None, revision: 0 });
    let next = match (&slot.value, wanted) {
        (Some(before), Some(wanted)) => Some(merge(before, wanted)),
        (_, wanted) => wanted,
    };
    Ok(slot.set(name, next, engine))
}

impl<T: Entity> Slot<T> {
    /// Takes the value in and gives the write that keeps it.
    fn set(&mut self, id: &str, next: Option<T>, engine: &Engine) -> Option<Write> {
        let salt = engine.entropy().salt();
        let write = match (&self.value, &next) {
            (None, None) => return None,
            (None, Some(next)) => Write::Insert(T::TABLE, next.row(1, salt)),
            (Some(_), Some(next)) => Write::Replace(T::TABLE, next.row(self.revision + 1, salt)),
            (Some(_), None) => Write::Delete(T::TABLE, id.to_owned(), self.revision),
        };
        self.revision = if next.is_some() { self.revision + 1 } else { 0 };
        self.value = next;
        Some(write)
    }
}

fn by_name(stored: Stored<Operator>) -> (String, Stored<Operator>) {
    (stored.value.name.clone(), stored)
}

fn slots<T>(current: BTreeMap<String, Stored<T>>) -> Slots<T> {
    let slot = |stored: Stored<T>| Slot { value: Some(stored.value), revision: stored.revision };
    current.into_iter().map(|(name, stored)| (name, slot(stored))).collect()
}

pub(crate) fn hub_system() -> SystemName {
    SystemName::new(HUB).unwrap_or_else(|_| unreachable!("`{HUB}` is a name"))
}
