//! What one reading says of one class of access.

use bailiwick_connector::{ConnectorError, ErrorKind};
use bailiwick_core::{
    access::AccessClass,
    case::Cell,
    id::{AccountId, CaseId},
    plan::Op,
    verify::{Coverage, Observation, Verdict, judge},
};

use super::look::Task;
use crate::{Engine, apply::later, audit::unlogged, purge::purge_date, task::Attested, work::backoff_ms};

impl Engine {
    /// What a reading says of one class of access.
    pub(super) fn cell(
        &self,
        task: &Task,
        case: CaseId,
        class: AccessClass,
        account: AccountId,
        observed: &Result<Observation, ConnectorError>,
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
                let verdict = match &task.drill {
                    Some(drill) => drill.believed(class, task.changed, verdict),
                    None => verdict,
                };
                let verdict = match task.silent.contains(&class) {
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

/// Whether the account was looked for and is not there.
pub(super) fn is_gone(seen: &Result<Observation, ConnectorError>) -> bool {
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
