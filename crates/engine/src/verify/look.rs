//! What is read of a system, before anything is concluded from it.

use std::sync::Arc;

use bailiwick_connector::{Connector, ConnectorError, ErrorKind, Line};
use bailiwick_core::{
    access::AccessClass,
    id::{CaseId, PlanId, RunId},
    plan::{Change, Op},
    system::System,
    time::Timestamp,
    verify::{Observation, Witness},
};
use bailiwick_store::{
    Work,
    entities::{PlanRow, Run, Step},
};
use tokio::task::JoinSet;

use crate::{
    Catalogue,
    doors::Behind,
    observe::{held, is_so},
    task::Attested,
};

/// One item to verify.
pub(crate) type Item = (Work, RunId, PlanId, Option<CaseId>, Timestamp);

/// An item with all that reading needs.
pub(super) struct Task {
    pub(super) item: Work,
    pub(super) run: Run,
    pub(super) row: Arc<PlanRow>,
    pub(super) case: Option<CaseId>,
    pub(super) changed: Timestamp,
    pub(super) system: System,
    pub(super) witness: Witness,
    /// What a person attested, where nothing else can look.
    pub(super) attested: Option<Attested>,
}

/// What reading gave.
pub(super) struct Seen {
    pub(super) task: Task,
    /// Changes that are not so, in words; or the error that kept them from being read.
    pub(super) changes: Result<Vec<(u16, String)>, ConnectorError>,
    /// One observation for each class, for a leaver.
    pub(super) cells: Vec<(AccessClass, Result<Observation, ConnectorError>)>,
    /// When to come again, where nothing was looked at.
    pub(super) put_off: Option<Timestamp>,
}

/// Readings that are under way.
pub(crate) struct Reading {
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) under_way: JoinSet<Seen>,
    /// What they keep waiting.
    pub(super) _behind: Vec<Behind>,
}

impl Seen {
    /// Of something that was not looked at.
    pub(super) fn put_off(task: Task, due: Timestamp) -> Self {
        Self { task, changes: Ok(Vec::new()), cells: Vec::new(), put_off: Some(due) }
    }

    /// Why something could not be read, if so; of what nobody can see the system was not asked.
    pub(super) fn failure(&self) -> Option<&ConnectorError> {
        let of_cells = self.cells.iter().filter_map(|(_, seen)| seen.as_ref().err());
        let mut failures = self.changes.as_ref().err().into_iter().chain(of_cells);
        failures.find(|error| error.kind != ErrorKind::Unsupported)
    }
}

/// Reads back one item. Nothing is written here and no transaction is open.
pub(super) async fn look(connector: &dyn Connector, line: &Line, task: Task, now: Timestamp) -> Seen {
    let account = task.run.external_id.clone();
    let mut cells = Vec::new();
    let mut changes = Ok(Vec::new());
    let by_person = connector.capability().by_person.is_some();
    if task.case.is_some() {
        for class in &task.system.classes {
            let observed = match &account {
                Some(id) if connector.capability().observes.contains(class) => {
                    held(connector, line, task.witness, id, *class, now).await
                }
                Some(_) | None => Err(ConnectorError::none(
                    ErrorKind::Unsupported,
                    format!("no connector can see {class} on `{}`", task.run.system),
                )),
            };
            cells.push((*class, observed));
        }
    } else if !by_person {
        changes = not_so(connector, line, &task, account.as_deref()).await;
    }
    Seen { task, changes, cells, put_off: None }
}

async fn not_so(
    connector: &dyn Connector,
    line: &Line,
    task: &Task,
    account: Option<&str>,
) -> Result<Vec<(u16, String)>, ConnectorError> {
    let mut out = Vec::new();
    let applied = |c: &&Change| matches!(task.run.steps.get(&c.seq), Some(Step::Applied { .. }));
    let mine = || task.row.plan.changes.iter().filter(|c| c.system == task.run.system).filter(applied);
    // What an account held that was deleted cannot be seen, and went with it.
    let deleted = mine().any(|change| change.op == Op::Delete);
    for change in mine().filter(|change| !deleted || change.op == Op::Delete) {
        if is_so(connector, line, account, &change.op).await?.is_none() {
            let what = change
                .entitlement
                .as_ref()
                .map_or_else(|| change.op.words(), |e| format!("{} {e}", change.op.words()));
            out.push((change.seq, what));
        }
    }
    Ok(out)
}
