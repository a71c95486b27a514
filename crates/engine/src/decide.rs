//! Steps 2 and 3, decide and plan: what should be, and what takes the world there.

mod basis;

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    account::Account,
    case::Case,
    event::{Event, EventKind},
    exception::Exception,
    exposure::Exposure,
    id::{AccountId, CaseId, EventId, IdentityId, OperatorId, PlanId, SystemName},
    identity::{Identity, Lifecycle},
    join::Act,
    plan::{self, Inputs, Plan},
    policy::Bulk,
    record::RecordKind,
};
use bailiwick_store::{
    Filter, Gathered, NewWork, Ready, Select, Stored, Table, Tx, Update, Work,
    entities::{Operator, PlanRow, PlanState, Run, Step},
    get, select,
};

use crate::{
    Catalogue, Engine, Haste, Job, Result, apply::later, exception::counting, finding::Wrong, intake::ABSENT,
    rehire::FormerCase,
};

use basis::begun;
pub(crate) use basis::{judge, standpoints, sweep};

/// How many identities are decided in one transaction.
const CHUNK: usize = 512;
/// When to look again at systems whose last change is not settled yet, milliseconds: soon at first, then after as long as
/// it has lasted, so that a system that is down for hours does not have everybody decided anew all that time.
const UNSETTLED_MS: i64 = 2_000;
/// The longest pause.
const LONGEST_MS: i64 = 5 * 60_000;
/// The longest pause for leavers.
const LONGEST_OF_LEAVER_MS: i64 = 30_000;

/// One item to decide.
type Item = (Work, IdentityId, EventId);

/// What is known about identities, read at once.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) accounts: BTreeMap<IdentityId, Vec<Account>>,
    runs: BTreeMap<IdentityId, Vec<Stored<Run>>>,
    /// Plans that wait for an approval or are being carried out.
    plans: BTreeMap<IdentityId, Vec<Stored<PlanRow>>>,
    cases: BTreeMap<IdentityId, Stored<Case>>,
    /// Their last cases, of those who have accounts that are not in use.
    pub(crate) former: BTreeMap<IdentityId, FormerCase>,
    pub(crate) operators: Vec<Stored<Operator>>,
    /// What is asked for or given although no policy gives it.
    exceptions: BTreeMap<IdentityId, Vec<Exception>>,
}

/// What deciding wants written.
#[derive(Default)]
pub(crate) struct Outcome {
    pub updates: Vec<Update>,
    pub jobs: Vec<NewWork>,
    pub wrongs: Vec<Wrong>,
    /// Findings that are no longer true: code and subject.
    pub mended: Vec<(&'static str, String)>,
    /// The operators whose tokens it ends.
    pub ended: BTreeSet<OperatorId>,
}

impl Known {
    /// Whether a change for them is under way or in doubt.
    pub(crate) fn is_unsettled(&self, identity: IdentityId) -> bool {
        self.runs.contains_key(&identity)
    }

    /// Whether something is given to them, or asked for, until an end.
    pub(crate) fn has_exceptions(&self, identity: IdentityId) -> bool {
        self.exceptions.contains_key(&identity)
    }

    /// What is given to them, or asked for, until an end.
    pub(crate) fn exceptions_of(&self, identity: IdentityId) -> Option<&Vec<Exception>> {
        self.exceptions.get(&identity)
    }
}

impl Engine {
    /// Decides again where a change was in doubt before.
    pub(crate) async fn decide_all(&self, items: Vec<Item>) -> Result<()> {
        for chunk in items.chunks(CHUNK) {
            if self.decide_chunk(chunk).await.is_ok() {
                continue;
            }
            // One of them is in the way of the others: each by itself.
            for item in chunk {
                let outcome = self.decide_chunk(std::slice::from_ref(item)).await;
                self.settle(&item.0, outcome).await?;
            }
        }
        Ok(())
    }

    #[tracing::instrument(name = "decide", skip_all, fields(events = items.len()))]
    async fn decide_chunk(&self, items: &[Item]) -> Result<()> {
        let mut tx = Box::new(Gathered::new(self.begin().await?, self.tenant()));
        let catalogue = self.catalogue(&mut *tx).await?;
        let whom: BTreeSet<IdentityId> = items.iter().map(|(_, identity, _)| *identity).collect();
        tx.foresee(Table::Identities, "id", whom.iter().map(ToString::to_string)).await?;
        let known = self.know(&mut *tx, whom).await?;
        tx.foresee(Table::Events, "id", items.iter().map(|(.., event)| event.to_string())).await?;
        let mut bulk = catalogue.policies.bulk();
        let mut out = Outcome::default();
        for (_, identity, event) in items {
            let identity = get::<Identity>(&mut *tx, self.tenant(), &identity.to_string()).await?;
            let event = get::<Event>(&mut *tx, self.tenant(), &event.to_string()).await?;
            if let (Some(identity), Some(event)) = (identity, event) {
                self.decide_one(&catalogue, &mut bulk, &known, &identity.value, &event.value, &mut out);
            }
        }
        let ready = Ready::new(self.tenant(), std::mem::take(&mut out.updates), self.entropy())?;
        self.write_outcome(&mut *tx, out, ready).await?;
        let works: Vec<Work> = items.iter().map(|(item, ..)| item.clone()).collect();
        tx.finish_all(self.tenant(), &works).await?;
        Ok(tx.commit().await?)
    }

    /// What is known about the identities before they are decided.
    pub(crate) async fn know(&self, tx: &mut dyn Tx, ids: BTreeSet<IdentityId>) -> Result<Known> {
        let mut known = Known::default();
        if ids.is_empty() {
            return Ok(known);
        }
        let theirs = |table| {
            let ids = ids.iter().map(|i| i.to_string().into()).collect();
            Select::from(table).filter(Filter::In("identity", ids))
        };
        let in_state = |table, state: &str| theirs(table).filter(Filter::Is("state", state.into()));
        for stored in select::<Account>(tx, self.tenant(), theirs(Table::Accounts)).await? {
            if let Some(identity) = stored.value.identity {
                known.accounts.entry(identity).or_default().push(stored.value);
            }
        }
        for stored in select::<Run>(tx, self.tenant(), in_state(Table::Runs, "running")).await? {
            known.runs.entry(stored.value.identity).or_default().push(stored);
        }
        let open = vec!["drafted".into(), "approved".into()];
        let open = theirs(Table::Plans).filter(Filter::In("state", open));
        for stored in select::<PlanRow>(tx, self.tenant(), open).await? {
            known.plans.entry(stored.value.plan.decision.identity).or_default().push(stored);
        }
        for stored in select::<Case>(tx, self.tenant(), in_state(Table::Cases, "open")).await? {
            known.cases.insert(stored.value.identity, stored);
        }
        known.former = self.former_cases(tx, &known.accounts).await?;
        known.operators = select(tx, self.tenant(), Select::from(Table::Operators)).await?;
        known.exceptions = self.exceptions_of(tx, ids).await?;
        Ok(known)
    }

    pub(crate) fn decide_one(
        &self,
        catalogue: &Catalogue,
        bulk: &mut Bulk<'_>,
        known: &Known,
        identity: &Identity,
        event: &Event,
        out: &mut Outcome,
    ) {
        let now = self.now();
        let subject = identity.id.to_string();
        let theirs = known.exceptions.get(&identity.id);
        let exceptions = counting(theirs, Some(event), now);
        let decision = match judge(catalogue, bulk, identity, event, &exceptions) {
            Ok(decision) => decision,
            Err(message) => {
                out.wrongs.push(Wrong {
                    code: "identity-undecidable",
                    subject,
                    identity: Some(identity.id),
                    system: None,
                    message,
                    owner: "operator".into(),
                });
                return;
            }
        };
        // Of somebody who was not known before, nothing can have been wrong.
        if identity.generation > 1 {
            if !identity.is_overdue(now) {
                out.mended.push((ABSENT, subject.clone()));
            }
            out.mended.push(("identity-undecidable", subject));
        }
        let sweep = sweep(identity, event, catalogue);
        let Unsettled { systems: mut unsettled, soon } =
            self.supersede(known, identity, event, &sweep.only, out);
        unsettled.extend(self.not_yet_back(catalogue, known, &decision, out));
        let case = self.open_case(known, identity, event, out);
        let accounts = known.accounts.get(&identity.id).map(Vec::as_slice).unwrap_or_default();
        for account in accounts.iter().filter(|a| !catalogue.rules.contains_key(&a.system)) {
            out.wrongs.push(self.unreached(catalogue, &account.system, Some(identity.id)));
        }
        // What a connector cannot do that cannot be made is not known: nothing is planned there. Once it can, the
        // next reading of the system has everybody decided again.
        let concerned = accounts.iter().map(|account| &account.system).chain(decision.desired.keys());
        for system in concerned.filter(|system| catalogue.standing_still(system).is_some()) {
            out.wrongs.push(self.unreached(catalogue, system, None));
            unsettled.insert(system.clone());
        }
        let standpoints = standpoints(catalogue, &decision, accounts, &unsettled);
        let mut planned = plan::make(Inputs {
            id: PlanId::new(now, self.entropy()),
            event,
            decision,
            marker: identity.source_key.to_string(),
            known: &standpoints,
            rules: &catalogue.rules,
            sweep,
            new_account: &mut || AccountId::new(now, self.entropy()),
            now,
        });
        planned.exception = begun(theirs, event);
        if matches!(event.kind, EventKind::ExceptionOver { .. }) {
            // An end gives nothing; what is to be given is planned when it is over.
            planned.changes.retain(|change| change.op.removes());
        }
        out.updates.push(self.decided(identity, event, &planned));
        for missing in &planned.missing {
            out.wrongs.push(self.missing(catalogue, missing));
        }
        let keeps = planned.exception.as_ref().is_some_and(|terms| terms.because.keeps());
        if keeps || !planned.changes.is_empty() {
            self.plan_row(bulk, planned, case, event, out);
        }
        if soon {
            let (haste, longest) = match identity.lifecycle.gone() {
                Some(_) => (Haste::Leaver, LONGEST_OF_LEAVER_MS),
                None => (Haste::Usual, LONGEST_MS),
            };
            let lasted = now.as_millisecond().saturating_sub(event.accepted.as_millisecond());
            let job = Job::Decide { identity: identity.id, event: event.id };
            out.jobs.push(job.work(None, None, haste, later(now, lasted.clamp(UNSETTLED_MS, longest))));
        }
    }

    /// The plan that `event` would make for `identity` if nothing were under way. Nothing is written.
    pub(crate) fn foreseen(
        &self,
        catalogue: &Catalogue,
        known: &Known,
        identity: &Identity,
        event: &Event,
    ) -> Result<Plan, String> {
        let now = self.now();
        let mut bulk = catalogue.policies.bulk();
        let decision = judge(catalogue, &mut bulk, identity, event, &[])?;
        let accounts = known.accounts.get(&identity.id).map(Vec::as_slice).unwrap_or_default();
        let standpoints = standpoints(catalogue, &decision, accounts, &BTreeSet::new());
        Ok(plan::make(Inputs {
            id: PlanId::new(now, self.entropy()),
            event,
            decision,
            marker: identity.source_key.to_string(),
            known: &standpoints,
            rules: &catalogue.rules,
            sweep: sweep(identity, event, catalogue),
            new_account: &mut || AccountId::new(now, self.entropy()),
            now,
        }))
    }

    /// Takes back what older plans have not begun, on the systems that the new plan is for (`only`, or all
    /// when empty). Gives the systems where a change is still under way
    /// or its outcome is not known: nothing can be planned there yet.
    fn supersede(
        &self,
        known: &Known,
        identity: &Identity,
        event: &Event,
        only: &BTreeSet<SystemName>,
        out: &mut Outcome,
    ) -> Unsettled {
        let mut unsettled = Unsettled::default();
        let (mut under_way, mut dropped) = (BTreeSet::new(), BTreeSet::new());
        for stored in known.runs.get(&identity.id).into_iter().flatten() {
            let run = &stored.value;
            if !only.is_empty() && !only.contains(&run.system) {
                under_way.insert(run.plan);
                continue;
            }
            if run.steps.values().any(|s| matches!(s, Step::Asked { .. })) {
                out.updates.push(self.when_answered(stored, event));
                unsettled.systems.insert(run.system.clone());
                under_way.insert(run.plan);
                continue;
            }
            if run.generation >= identity.generation
                || run.steps.values().any(|s| matches!(s, Step::Sent { .. } | Step::Unknown { .. }))
            {
                unsettled.systems.insert(run.system.clone());
                unsettled.soon = true;
                under_way.insert(run.plan);
                continue;
            }
            let mut run = run.clone();
            for step in run.steps.values_mut().filter(|s| **s == Step::Waiting) {
                *step = Step::Dropped;
            }
            let record = self
                .record(RecordKind::Superseded, "decide")
                .identity(identity.id)
                .plan(run.plan)
                .event(run.event)
                .fact("run", run.id)
                .fact("system", &run.system);
            out.updates.push(Update::new(record).replace(&run, stored.revision, self.entropy()));
            dropped.insert(run.plan);
        }
        for stored in known.plans.get(&identity.id).into_iter().flatten() {
            let plan = &stored.value.plan;
            // What is for other systems as well stays, unless the last of it was taken back here.
            let elsewhere =
                !only.is_empty() && !plan.concerns().is_subset(only) && !dropped.contains(&plan.id);
            if plan.decision.generation >= identity.generation || under_way.contains(&plan.id) || elsewhere {
                continue;
            }
            let state = PlanState::Superseded { by: identity.generation };
            let row = PlanRow { state, ..stored.value.clone() };
            let record = self.record(RecordKind::Superseded, "decide").identity(identity.id);
            let record = record.plan(row.plan.id).event(row.plan.decision.event);
            out.updates.push(Update::new(record).replace(&row, stored.revision, self.entropy()));
        }
        unsettled
    }

    /// Lets the event be decided again when the person whom the run was asked of has answered.
    fn when_answered(&self, stored: &Stored<Run>, event: &Event) -> Update {
        let mut run = stored.value.clone();
        for step in run.steps.values_mut() {
            if let Step::Asked { then, .. } = step {
                *then = Some(event.id);
            }
        }
        let record = self
            .record(RecordKind::Decided, "decide")
            .identity(run.identity)
            .event(event.id)
            .fact("run", run.id)
            .fact("system", &run.system)
            .fact("waits_for", "a person's answer");
        Update::new(record).replace(&run, stored.revision, self.entropy())
    }

    /// The case of somebody who is gone: the one that is open, or a new one. Of whom was joined into another it proves that
    /// what did not come along is ended.
    fn open_case(
        &self,
        known: &Known,
        identity: &Identity,
        event: &Event,
        out: &mut Outcome,
    ) -> Option<CaseId> {
        let effective = identity.lifecycle.gone()?;
        let open = known.cases.get(&identity.id);
        if let Some(open) = open.filter(|open| !event.kind.leaves() || open.value.event == event.id) {
            return Some(open.value.id);
        }
        if let Some(same) = self.same_departure(known, identity, event, out) {
            return Some(same);
        }
        let accounts = known.accounts.get(&identity.id).map(Vec::as_slice).unwrap_or_default();
        let joined = matches!(event.kind, EventKind::Merged { act: Act::Join, .. }) && !accounts.is_empty();
        if !event.kind.leaves() && !joined {
            return None;
        }
        let now = self.now();
        let id = CaseId::new(now, self.entropy());
        // Whoever was joined is still there, and so is what they may do here.
        let ended = joined || self.end_hub_roles(known, identity, id, out);
        // A date that came was known before; what a source says of the past was not.
        let exposure = Exposure::of(event.effective.at, event.accepted, accounts);
        let case = Case {
            id,
            identity: identity.id,
            event: event.id,
            opened: now,
            effective,
            exposure,
            // Somebody without an account anywhere has nothing more to prove.
            closed: (ended && !known.accounts.contains_key(&identity.id)).then_some(now),
            followed: None,
        };
        // They were back, and what was proven of them before says nothing of what they were given since.
        if let Some(open) = open {
            let before = Case { closed: Some(now), followed: Some(id), ..open.value.clone() };
            let record = self.record(RecordKind::CaseClosed, "decide").event(event.id).identity(identity.id);
            let record = record.case(before.id).fact("followed_by", id);
            out.updates.push(Update::new(record).replace(&before, open.revision, self.entropy()));
        }
        let mut record = self
            .record(RecordKind::CaseOpened, "decide")
            .event(event.id)
            .identity(identity.id)
            .case(case.id)
            .fact("effective", effective);
        if case.closed.is_some() {
            record = record.fact("closed", true);
        }
        if case.exposure.is_some() {
            out.jobs.push(Job::Expose { case: case.id }.work(None, None, Haste::Usual, now));
        }
        out.updates.push(Update::new(record).insert(&case, self.entropy()));
        case.closed.is_none().then_some(case.id)
    }

    /// The case of the same departure: of who was kept out before they left it is the one of that, and open again. What was
    /// proven then stands in it.
    fn same_departure(
        &self,
        known: &Known,
        identity: &Identity,
        event: &Event,
        out: &mut Outcome,
    ) -> Option<CaseId> {
        let Lifecycle::Left { kept_out: Some(since), .. } = identity.lifecycle else { return None };
        let is_of_it = |case: &&Stored<Case>| case.value.effective == since && case.value.followed.is_none();
        if let Some(open) = known.cases.get(&identity.id).filter(is_of_it) {
            return Some(open.value.id);
        }
        let former = known.former.get(&identity.id).filter(|_| event.kind.leaves())?;
        let stored = Some(&former.case).filter(is_of_it)?;
        let open = Case { closed: None, ..stored.value.clone() };
        let record = self.record(RecordKind::CaseOpened, "decide").event(event.id).identity(identity.id);
        let record = record.case(open.id).fact("reopened", true);
        out.updates.push(Update::new(record).replace(&open, stored.revision, self.entropy()));
        Some(open.id)
    }

    fn decided(&self, identity: &Identity, event: &Event, planned: &Plan) -> Update {
        let decision = &planned.decision;
        let desired: BTreeMap<&SystemName, Vec<_>> = decision
            .desired
            .iter()
            .map(|(system, wanted)| {
                let account = (system.as_str(), &wanted.because);
                let held = wanted.entitlements.iter().map(|(name, because)| (name.as_str(), because));
                (system, std::iter::once(account).chain(held).collect())
            })
            .collect();
        let policies: BTreeSet<_> = decision
            .desired
            .values()
            .flat_map(|d| d.because.iter().chain(d.entitlements.values().flatten()))
            .collect();
        let record = self
            .record(RecordKind::Decided, "decide")
            .event(event.id)
            .identity(identity.id)
            .fact("changes", planned.changes.len())
            .fact("desired", desired)
            .fact("forbidden", &decision.forbidden)
            .fact("generation", decision.generation)
            .fact("policies", policies)
            .fact("policy_version", decision.policy);
        Update::new(record)
    }

    /// Drafts the plan and lets the rules approve it, if they do.
    pub(crate) fn plan_row(
        &self,
        bulk: &mut Bulk<'_>,
        planned: Plan,
        case: Option<CaseId>,
        event: &Event,
        out: &mut Outcome,
    ) {
        let digest = planned.digest();
        let mut record = self
            .record(RecordKind::Planned, "plan")
            .event(event.id)
            .identity(planned.decision.identity)
            .plan(planned.id)
            .fact("cause", &planned.cause)
            .fact(
                "changes",
                planned.changes.iter().map(|c| format!("{} {}", c.system, c.op.words())).collect::<Vec<_>>(),
            )
            .fact("digest", digest)
            .fact("rests_on", planned.rests_on);
        record.case = case;
        let requester = planned.exception.as_ref().and_then(|terms| terms.requester);
        let requester = requester.or(planned.joint.as_ref().map(|joint| joint.requester));
        let requester = requester.or(planned.stay.as_ref().map(|stay| stay.requester));
        let row = PlanRow { plan: planned, digest, requester, state: PlanState::Drafted };
        let approval = self.approve_by_rule(bulk, &row, event).unwrap_or_else(|fault| {
            out.wrongs.push(Wrong {
                code: "approval-undecidable",
                subject: row.plan.id.to_string(),
                identity: Some(row.plan.decision.identity),
                system: None,
                message: format!("the approval policies cannot say, so a person must: {fault}"),
                owner: "operator".into(),
            });
            None
        });
        match approval {
            None => out.updates.push(Update::new(record).insert(&row, self.entropy())),
            Some(approval) => {
                let approved = PlanRow { state: PlanState::Approved { approval: approval.id }, ..row };
                out.updates.push(Update::new(record).insert(&approved, self.entropy()));
                let (update, jobs) = self.approved(&approved, approval, case);
                out.updates.push(update);
                out.jobs.extend(jobs);
            }
        }
    }

    fn missing(&self, catalogue: &Catalogue, name: &bailiwick_core::id::EntitlementName) -> Wrong {
        let system = name.system();
        let owner =
            catalogue.route(&system).map_or_else(|_| "operator".into(), |r| r.integration.owner.clone());
        Wrong {
            code: "entitlement-missing",
            subject: name.to_string(),
            identity: None,
            system: Some(system.clone()),
            message: format!(
                "`{name}` is wanted but was not found on `{system}`: make it there, or correct its label, then reconcile"
            ),
            owner,
        }
    }
}

/// Where nothing can be planned yet.
#[derive(Default)]
struct Unsettled {
    /// The systems where a change is under way or its outcome is not known.
    systems: BTreeSet<SystemName>,
    /// Whether one of them settles by itself, so that it is looked at again soon; a person's answer looks
    /// by itself.
    soon: bool,
}
