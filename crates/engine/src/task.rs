//! Tasks: step 5 where not a program but a person makes the changes.
//!
//! A run on such a system is asked of a person in the transaction in which any other would be marked as
//! sent. Until the answer its outcome is open, so nothing newer is planned there; what came meanwhile is
//! decided when the answer comes. Nobody is asked forever in silence: the assignee is reminded, then the
//! integration's backup is told. What was attested is asked again when the attestation ends.

use std::collections::BTreeSet;

use bailiwick_connector::ByPerson;
use bailiwick_core::{
    case::{Case, Cell},
    id::{CaseId, EventId, RunId, SystemName, TaskId},
    identity::Identity,
    plan::{Change, Op},
    record::{Actor, RecordKind},
    task::{Answer, Answerer, Attestation, Task, TaskState, TaskStep},
    time::{SignedDuration, Timestamp},
    verify::{Control, Verdict},
};
use bailiwick_store::{
    Filter, Select, Stored, Table, Tx, Update, Work,
    entities::{Operator, PlanRow, Run, Step},
    get, select,
};

use crate::{Catalogue, Engine, EngineError, Haste, Job, Result, catalogue::Route, finding::Wrong};

/// The verb and the target by which a scope lets a person be asked.
const ASK: (&str, &str) = ("ASK", "person");

impl Engine {
    /// Asks a person for what a run has to do; `holder` is the source key of whom it is about. Gives the run as it is then, and what is to be written and
    /// queued with it.
    pub(crate) fn ask(
        &self,
        route: &Route<'_>,
        person: &ByPerson,
        run: &Stored<Run>,
        row: &PlanRow,
        holder: Option<&str>,
    ) -> (Run, Update, Option<Job>) {
        let now = self.now();
        let mut asked = run.value.clone();
        let mut steps = Vec::new();
        for change in row.plan.changes.iter().filter(|c| c.system == asked.system) {
            let Some(step) = asked.steps.get_mut(&change.seq).filter(|s| **s == Step::Waiting) else {
                continue;
            };
            if route.integration.scope.allows(change.op.operation(), ASK.0, ASK.1) {
                *step = Step::Asked { at: now, then: None };
                steps.push(self.step(route, &run.value, change));
            } else {
                let rule = format!("{} {} {}", change.op.operation().as_str(), ASK.0, ASK.1);
                let message = format!("no rule of the scope of `{}` is `{rule}`", route.integration.name);
                *step = Step::Refused { code: "out-of-scope".into(), message };
            }
        }
        let task = (!steps.is_empty()).then(|| self.task(route, person, &asked, steps, holder));
        let mut record = self
            .record(RecordKind::TaskAsked, "apply")
            .event(asked.event)
            .identity(asked.identity)
            .plan(asked.plan)
            .fact("run", asked.id)
            .fact("system", &asked.system);
        if let Some(task) = &task {
            record = record.fact("due", task.due).fact("task", task.id).personal("assignee", &task.assignee);
        }
        let mut update = Update::new(record).replace(&asked, run.revision, self.entropy());
        if let Some(task) = &task {
            update = update.insert(task, self.entropy());
        }
        (asked, update, task.map(|task| Job::Remind { task: task.id }))
    }

    fn step(&self, route: &Route<'_>, run: &Run, change: &Change) -> TaskStep {
        let mut instruction = route.connector.instruction(&change.op, run.external_id.as_deref());
        if let Some(entitlement) = &change.entitlement {
            instruction = format!("{instruction} ({entitlement})");
        }
        TaskStep { seq: change.seq, instruction }
    }

    fn task(
        &self,
        route: &Route<'_>,
        person: &ByPerson,
        run: &Run,
        steps: Vec<TaskStep>,
        holder: Option<&str>,
    ) -> Task {
        let assignee = person.assignee.as_ref().unwrap_or(&route.integration.owner);
        // Nobody is asked to take away what is their own.
        let assignee = if holder == Some(assignee) { &route.integration.backup } else { assignee };
        let now = self.now();
        let after = |hours: u32| {
            now.saturating_add(SignedDuration::from_hours(i64::from(hours))).unwrap_or(Timestamp::MAX)
        };
        Task {
            id: TaskId::new(now, self.entropy()),
            run: run.id,
            plan: run.plan,
            event: run.event,
            identity: run.identity,
            system: run.system.clone(),
            assignee: assignee.clone(),
            backup: route.integration.backup.clone(),
            steps,
            asked: now,
            remind: after(person.remind_hours),
            due: after(person.hours),
            stands_days: person.stands_days,
            state: TaskState::Open,
        }
    }

    /// Takes the answer to a task.
    ///
    /// # Errors
    /// When there is no such task, when it was answered, when the answer is by the one whom it is about, and
    /// when it says nothing.
    pub async fn answer_task(&self, id: TaskId, answer: &Answer, by: &Operator) -> Result<Task> {
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let stored = get::<Task>(&mut *tx, self.tenant(), &id.to_string())
            .await?
            .ok_or_else(|| EngineError::NotFound { kind: "task", name: id.to_string() })?;
        let person = match &by.person {
            Some(key) => self.by_source_key(&mut *tx, key).await?.map(|s: Stored<Identity>| s.value.id),
            None => None,
        };
        let by = Answerer { operator: by.id, name: &by.name, person };
        let task = stored.value.answer(answer, &by, self.now())?;
        let run = get::<Run>(&mut *tx, self.tenant(), &task.run.to_string()).await?;
        let row = get::<PlanRow>(&mut *tx, self.tenant(), &task.plan.to_string()).await?;
        let (Some(run), Some(row)) = (run, row) else {
            return Err(EngineError::Inconsistent(format!("task {id} has no run or no plan")));
        };
        let (after, steps, then) = answered(&run.value, &row.value, &task, answer);
        let update =
            Update::new(self.answer_record(&task, by.name)).replace(&task, stored.revision, self.entropy());
        let update = update.replace(&after, run.revision, self.entropy());
        let update =
            self.remember_account(&mut *tx, &catalogue, &row.value.plan, &after, &steps, update).await?;
        let mut updates = vec![update];
        let owner = &catalogue.route(&after.system)?.integration.owner;
        updates.extend(self.refusals(&mut *tx, &row.value.plan, &after, owner).await?);
        let mended = [("task-waiting", id.to_string()), ("task-overdue", id.to_string())];
        updates.extend(self.close_findings(&mut *tx, &mended).await?);
        if !steps.is_empty() && after.steps.values().all(Step::ended) {
            updates.extend(self.end_plan(&mut *tx, &row.value, &after).await?);
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        let mut jobs = vec![self.verify_job(&mut *tx, &after).await?];
        jobs.extend(then.map(|event| {
            let job = Job::Decide { identity: after.identity, event };
            job.work(None, None, Haste::Soon, self.now())
        }));
        self.enqueue(&mut *tx, jobs).await?;
        tx.commit().await?;
        Ok(task)
    }

    fn answer_record(&self, task: &Task, by: &str) -> bailiwick_core::record::Record {
        let mut record = self
            .record(RecordKind::TaskAnswered, "apply")
            .event(task.event)
            .identity(task.identity)
            .plan(task.plan)
            .fact("outcome", task.state.name())
            .fact("run", task.run)
            .fact("system", &task.system)
            .fact("task", task.id);
        record.actor = Actor::Operator(by.to_owned());
        match &task.state {
            TaskState::Done { attestation } => {
                let exhibits: Vec<_> = attestation.exhibits.iter().map(|e| e.digest).collect();
                let names: Vec<_> = attestation.exhibits.iter().map(|e| &e.name).collect();
                record
                    .fact("digest", attestation.digest())
                    .fact("exhibits", exhibits)
                    .personal("names", names)
                    .personal("statement", &attestation.statement)
            }
            TaskState::Declined { reason, .. } => record.personal("reason", reason),
            TaskState::Open => record,
        }
    }

    /// Reminds the assignee, then tells the backup.
    pub(crate) async fn remind(&self, item: &Work, id: TaskId) -> Result<()> {
        let mut tx = self.begin().await?;
        let task = get::<Task>(&mut *tx, self.tenant(), &id.to_string()).await?.map(|s| s.value);
        let now = self.now();
        let Some(task) = task.filter(|task| task.state == TaskState::Open) else {
            tx.finish(self.tenant(), item).await?;
            return Ok(tx.commit().await?);
        };
        let late = now >= task.due;
        let (system, until) = (&task.system, task.due);
        let waiting = Wrong {
            code: "task-waiting",
            subject: id.to_string(),
            identity: Some(task.identity),
            system: Some(system.clone()),
            message: format!(
                "what only a person can do on `{system}` is to be done by {until:.0}: `bailiwick task show {id}`"
            ),
            owner: task.assignee.clone(),
        };
        let message = format!(
            "what only a person can do on `{system}` was to be done by {until:.0}: `bailiwick task show {id}`"
        );
        let wrong = match late {
            true => Wrong { code: "task-overdue", message, owner: task.backup.clone(), ..waiting },
            false => waiting,
        };
        let mut updates = Vec::new();
        if now >= task.remind {
            updates.extend(self.open_finding(&mut *tx, wrong).await?);
        }
        if late {
            updates.extend(self.close_finding(&mut *tx, "task-waiting", &id.to_string()).await?);
            tx.finish(self.tenant(), item).await?;
        } else {
            let next = if now < task.remind { task.remind } else { task.due };
            tx.postpone(self.tenant(), item, next.as_millisecond(), false).await?;
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        Ok(tx.commit().await?)
    }

    /// The newest attestation of what a run was to do, with its end.
    pub(crate) async fn attested(&self, tx: &mut dyn Tx, run: &Run) -> Result<Option<Attested>> {
        let asked = Select::from(Table::Tasks).filter(Filter::Is("run", run.id.to_string().into()));
        let tasks = select::<Task>(tx, self.tenant(), asked).await?;
        Ok(tasks.into_iter().rev().find_map(|stored| match stored.value.state {
            TaskState::Done { attestation } => {
                let days = SignedDuration::from_hours(24 * i64::from(stored.value.stands_days));
                let until = attestation.at.saturating_add(days).unwrap_or(Timestamp::MAX);
                Some(Attested { task: stored.value.id, attestation, until })
            }
            TaskState::Open | TaskState::Declined { .. } => None,
        }))
    }

    /// Asks anew for what was attested and whose attestation has ended.
    fn ask_again(
        &self,
        route: &Route<'_>,
        person: &ByPerson,
        run: &Run,
        row: &PlanRow,
        holder: Option<&str>,
    ) -> (Update, Job) {
        let mine = row.plan.changes.iter().filter(|c| c.system == run.system);
        let steps = mine.map(|change| {
            let step = self.step(route, run, change);
            TaskStep { instruction: format!("look whether this is still so: {}", step.instruction), ..step }
        });
        let task = self.task(route, person, run, steps.collect(), holder);
        let record = self
            .record(RecordKind::TaskAsked, "verify")
            .event(run.event)
            .identity(run.identity)
            .plan(run.plan)
            .fact("due", task.due)
            .fact("run", run.id)
            .fact("system", &run.system)
            .fact("task", task.id)
            .personal("assignee", &task.assignee);
        let job = Job::Remind { task: task.id };
        (Update::new(record).insert(&task, self.entropy()), job)
    }

    /// Sees to it that what was attested is looked at again at its end; asks anew when that has come.
    pub(crate) async fn stands(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        run: &Run,
        row: &PlanRow,
        attested: &Attested,
    ) -> Result<()> {
        let now = self.now();
        if now < attested.until {
            let lapse = Job::Lapse { run: run.id, until: attested.until };
            return self.enqueue(tx, vec![lapse.work(None, None, Haste::Usual, attested.until)]).await;
        }
        let route = catalogue.route(&run.system)?;
        let asked = Select::from(Table::Tasks).filter(Filter::Is("run", run.id.to_string().into()));
        let (update, job) = match select::<Task>(tx, self.tenant(), asked).await?.pop().map(|s| s.value.state)
        {
            Some(TaskState::Open) => return Ok(()),
            Some(TaskState::Declined { .. }) => {
                let wrong = Wrong {
                    code: "attestation-lapsed",
                    subject: run.id.to_string(),
                    identity: Some(run.identity),
                    system: Some(run.system.clone()),
                    message: format!(
                        "what a person attested on `{}` does not stand any more, and nobody confirms it: look at \
                         the system, and mend it there",
                        run.system
                    ),
                    owner: route.integration.backup.clone(),
                };
                (self.open_finding(tx, wrong).await?, None)
            }
            Some(TaskState::Done { .. }) | None => match &route.connector.capability().by_person {
                Some(person) => {
                    let holder = get::<Identity>(tx, self.tenant(), &run.identity.to_string()).await?;
                    let holder = holder.map(|h| h.value.source_key.to_string());
                    let (update, job) = self.ask_again(&route, person, run, row, holder.as_deref());
                    (Some(update), Some(job.work(None, None, Haste::Usual, now)))
                }
                None => (None, None),
            },
        };
        tx.write(self.tenant(), update.into_iter().collect(), self.entropy()).await?;
        self.enqueue(tx, job.into_iter().collect()).await
    }

    /// The end of an attestation: reads back again, unless somebody has attested anew.
    pub(crate) async fn lapse(&self, item: &Work, id: RunId, until: Timestamp) -> Result<()> {
        let mut tx = self.begin().await?;
        if let Some(run) = get::<Run>(&mut *tx, self.tenant(), &id.to_string()).await?
            && self.attested(&mut *tx, &run.value).await?.is_some_and(|attested| attested.until == until)
        {
            let case = self.case_resting_on(&mut *tx, &run.value).await?;
            let (plan, changed) = (run.value.plan, self.now());
            let job = Job::Verify { run: id, plan, case, changed };
            let job = job.work(Some(run.value.identity), Some(&run.value.system), Haste::Usual, changed);
            self.enqueue(&mut *tx, vec![job]).await?;
        }
        tx.finish(self.tenant(), item).await?;
        Ok(tx.commit().await?)
    }

    /// The newest case of the identity, for a leaver.
    async fn case_resting_on(&self, tx: &mut dyn Tx, run: &Run) -> Result<Option<CaseId>> {
        let theirs =
            Select::from(Table::Cases).filter(Filter::Is("identity", run.identity.to_string().into()));
        for case in select::<Case>(tx, self.tenant(), theirs).await?.into_iter().rev() {
            if self.rests_on_control(tx, case.value.id, &run.system).await? {
                return Ok(Some(case.value.id));
            }
        }
        Ok(None)
    }

    /// Whether a cell of the case on that system closes by a control only.
    pub(crate) async fn rests_on_control(
        &self,
        tx: &mut dyn Tx,
        case: CaseId,
        system: &SystemName,
    ) -> Result<bool> {
        let mine = Select::from(Table::Cells).filter(Filter::Is("case_id", case.to_string().into()));
        let cells = select::<Cell>(tx, self.tenant(), mine).await?;
        Ok(cells.iter().any(|cell| cell.value.system == *system && controlled(&cell.value)))
    }

    /// Reads back what was only attested on a system, because it can be read from now on.
    pub(crate) async fn read_what_was_attested(&self, tx: &mut dyn Tx, system: &SystemName) -> Result<()> {
        let there = Select::from(Table::Cells)
            .filter(Filter::Is("system", system.as_str().into()))
            .filter(Filter::Is("verdict", "unobservable".into()));
        let cells = select::<Cell>(tx, self.tenant(), there).await?;
        let cases: BTreeSet<CaseId> =
            cells.iter().filter(|cell| controlled(&cell.value)).map(|cell| cell.value.case).collect();
        let mut jobs = Vec::new();
        for case in cases {
            let Some(case) = get::<Case>(tx, self.tenant(), &case.to_string()).await? else { continue };
            jobs.extend(self.reading_for(tx, &case.value, system, (Haste::Soon, self.now())).await?);
        }
        self.enqueue(tx, jobs).await
    }
}

/// What somebody attested, and until when it stands.
pub(crate) struct Attested {
    pub task: TaskId,
    pub attestation: Attestation,
    pub until: Timestamp,
}

impl Attested {
    /// The control that it is in a case. The words of the attestation stay with the task, where they can be
    /// erased.
    pub fn control(&self) -> Control {
        let Attestation { by, at, exhibits, .. } = &self.attestation;
        let shown = match exhibits.len() {
            0 => "nothing was shown".into(),
            1 => "1 file was shown".into(),
            n => format!("{n} files were shown"),
        };
        let what = format!("{by} attested it on {at:.0}, {shown} ({})", self.task);
        Control { what, reason: None, owner: by.clone(), expires: self.until }
    }
}

fn controlled(cell: &Cell) -> bool {
    match &cell.verdict {
        Verdict::Unobservable { control, .. } => control.is_some(),
        Verdict::Removed | Verdict::Blocked { .. } | Verdict::Residual { .. } | Verdict::Pending { .. } => {
            false
        }
    }
}

/// The run after the answer, the steps that it ended, and what is to be decided next.
fn answered(
    run: &Run,
    row: &PlanRow,
    task: &Task,
    answer: &Answer,
) -> (Run, Vec<(u16, Step)>, Option<EventId>) {
    let (mut after, mut steps, mut next) = (run.clone(), Vec::new(), None);
    for (seq, step) in &mut after.steps {
        let Step::Asked { then, .. } = step else { continue };
        next = then.or(next);
        *step = match &task.state {
            TaskState::Done { attestation } => {
                Step::Applied { at: attestation.at, already: false, answer: attestation.digest() }
            }
            TaskState::Declined { reason, .. } => {
                Step::Refused { code: "task-declined".into(), message: reason.clone() }
            }
            TaskState::Open => continue,
        };
        steps.push((*seq, step.clone()));
    }
    let created = row.plan.changes.iter().filter(|c| c.system == run.system).find_map(|c| match &c.op {
        Op::CreateAccount { marker, .. } => Some(marker.clone()),
        Op::SetAttributes { .. }
        | Op::Enable
        | Op::Disable { .. }
        | Op::Delete
        | Op::Grant { .. }
        | Op::Revoke { .. }
        | Op::RevokeAll { .. } => None,
    });
    if let Answer::Done { account, .. } = answer {
        // An account that nobody gave a name here is known by the key of its holder.
        after.external_id = account.clone().or(after.external_id).or(created);
    }
    (after, steps, next)
}
