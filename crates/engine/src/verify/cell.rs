//! What one reading says of one class of access.

use std::collections::BTreeSet;

use bailiwick_connector::{ConnectorError, ErrorKind};
use bailiwick_core::{
    access::AccessClass,
    case::Cell,
    drill::Drill,
    id::{AccountId, CaseId},
    plan::Op,
    verify::{Coverage, Observation, Verdict, judge},
};

use super::look::Task;
use bailiwick_store::{Tx, get};

use crate::{
    Engine, Result, apply::later, audit::unlogged, purge::purge_date, task::Attested, work::backoff_ms,
};

/// Why what a system says may not be believed.
pub(super) struct Doubts {
    /// The last drill of the system.
    drill: Option<Drill>,
    /// The classes of whose end the system's own log has no word.
    silent: BTreeSet<AccessClass>,
}

impl Engine {
    /// What is known now of whether a system is to be believed about somebody.
    pub(super) async fn doubts(&self, tx: &mut dyn Tx, task: &Task) -> Result<Doubts> {
        let system = &task.run.system;
        let drill = get::<Drill>(tx, self.tenant(), system.as_str()).await?.map(|stored| stored.value);
        let silent = self.silent_about(tx, task.run.identity, Some(system)).await?;
        Ok(Doubts { drill, silent: silent.into_iter().map(|(_, class)| class).collect() })
    }

    /// What a reading says of one class of access.
    pub(super) fn cell(
        &self,
        (task, doubts): (&Task, &Doubts),
        case: CaseId,
        class: AccessClass,
        account: AccountId,
        observed: &std::result::Result<Observation, ConnectorError>,
        tried: u8,
    ) -> Cell {
        let now = self.now();
        let (verdict, method, witness, answer) = match observed {
            Err(_) if task.attested.is_some() => {
                let attested = task.attested.as_ref();
                let answer = attested.map(|a| a.attestation.digest());
                let control = attested.map(Attested::control);
                let why = "only a person can look at it".to_owned();
                (Verdict::Unobservable { why, control }, "attested".into(), None, answer)
            }
            Ok(seen) => {
                let verdict = match judge(seen, task.changed, task.system.convergence_ms) {
                    // A disabled account is kept for so long, then deleted.
                    Verdict::Blocked { purges_at: None } if class == AccessClass::PrimaryAccount => {
                        Verdict::Blocked { purges_at: purge_date(&task.system, task.changed) }
                    }
                    other => other,
                };
                let verdict = match &doubts.drill {
                    Some(drill) => drill.believed(class, task.changed, verdict),
                    None => verdict,
                };
                let verdict = match doubts.silent.contains(&class) {
                    true => unlogged(class, verdict),
                    false => verdict,
                };
                (verdict, seen.method.clone(), Some(seen.witness), Some(seen.digest))
            }
            Err(error) if error.kind == ErrorKind::Unsupported => {
                let verdict = Verdict::Unobservable { why: error.to_string(), control: None };
                (verdict, "none".into(), None, None)
            }
            Err(error) => {
                let verdict = Verdict::Pending { until: later(now, backoff_ms(task.item.attempts)) };
                (verdict, format!("not readable: {}", error.code()), None, None)
            }
        };
        Cell {
            case,
            system: task.run.system.clone(),
            class,
            account,
            verdict,
            at: now,
            method,
            witness,
            answer,
            tried,
        }
    }
}

/// Whether it could not be read: nobody has said anything of it.
pub(super) fn is_unread(cell: &Cell) -> bool {
    cell.witness.is_none() && matches!(cell.verdict, Verdict::Pending { .. })
}

/// Whether the account was looked for and is not there.
pub(super) fn is_gone(seen: &std::result::Result<Observation, ConnectorError>) -> bool {
    seen.as_ref().is_ok_and(|seen| seen.held.is_empty() && seen.coverage == Coverage::Complete)
}

/// Of an account that is gone a system may show nothing any more. What was seen to be gone before stays so: nothing is
/// given to an account that is not there.
pub(super) fn stays_removed(before: &Cell, now: &Cell) -> bool {
    before.verdict == Verdict::Removed && matches!(now.verdict, Verdict::Unobservable { .. })
}

/// How many ways of removing were tried, this run included: disabling counts by its way, deleting comes
/// after all ways.
pub(super) fn tried_of(task: &Task, ways: usize) -> u8 {
    let mine = task.row.plan.changes.iter().filter(|c| c.system == task.run.system);
    let all = u8::try_from(ways).unwrap_or(u8::MAX);
    mine.map(|c| match &c.op {
        Op::Disable { way } => way + 1,
        Op::Delete => all.saturating_add(1),
        Op::CreateAccount { .. }
        | Op::SetAttributes { .. }
        | Op::Enable
        | Op::Grant { .. }
        | Op::Revoke { .. }
        | Op::RevokeAll { .. } => 0,
    })
    .max()
    .unwrap_or(all)
}
