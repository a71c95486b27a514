//! What the hub's own log says that it did on a system.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    audit::{Part, Span, Write, takes},
    id::{RunId, SystemName},
    integration::Integration,
    record::{Logged, RecordKind},
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{
    Stored, Tx,
    entities::{Audit, PlanRow, Run, Step},
    get, select,
};

use crate::{Engine, Result};

/// How many records are read at a time.
const PAGE: u32 = 2_048;
/// How long before and after its record something of a canary may be in the system's log.
const AROUND: SignedDuration = SignedDuration::from_mins(15);

/// What begins and ends with a canary.
const CANARIES: [RecordKind; 7] = [
    RecordKind::ProbeBegun,
    RecordKind::Probed,
    RecordKind::Tried,
    RecordKind::DrillBegun,
    RecordKind::Drilled,
    RecordKind::ScopeTestBegun,
    RecordKind::ScopeTested,
];

/// What the hub did on one system.
pub(super) struct Own {
    pub(super) system: SystemName,
    pub(super) writes: Vec<Write>,
    /// When canaries were made or done with.
    pub(super) canaries: Vec<Timestamp>,
    /// Where the next reading of the hub's log begins.
    pub(super) next: i64,
}

impl Own {
    /// Whether the hub may have had a canary there then.
    pub(super) fn had_canary(&self, at: Timestamp) -> bool {
        self.canaries.iter().any(|canary| canary.duration_since(at).abs() <= AROUND)
    }
}

/// What is taken of the log.
#[derive(Default)]
struct Scan {
    /// Run → when its changes were sent, the first time that is in this part of the log.
    sent: BTreeMap<RunId, Timestamp>,
    runs: BTreeSet<RunId>,
    canaries: Vec<Timestamp>,
}

impl Scan {
    fn take(&mut self, logged: &Logged) {
        let at = logged.at;
        if CANARIES.contains(&logged.kind) {
            self.canaries.push(at);
        }
        if ![RecordKind::Sent, RecordKind::Applied].contains(&logged.kind) {
            return;
        }
        let run = logged.facts.get("run").and_then(|run| run.as_str()?.parse::<RunId>().ok());
        let Some(run) = run else { return };
        self.runs.insert(run);
        if logged.kind == RecordKind::Sent {
            self.sent.entry(run).or_insert(at);
        }
    }
}

impl Engine {
    /// The hub's changes since the beginning of the span, and what else explains an entry under its name.
    pub(super) async fn own_writes(
        &self,
        system: &SystemName,
        integration: &Integration,
        before: Option<&Stored<Audit>>,
        span: &Span,
    ) -> Result<Own> {
        let mut scan = Scan::default();
        let mut tx = self.read().await?;
        let (of_system, of_integration) =
            (format!("\"system\":\"{system}\""), format!("\"integration\":\"{}\"", integration.name));
        let keep_from = Span { from: span.to, ..*span }.read_from();
        let mut after = before.map_or(0, |before| before.value.next);
        let mut next = None;
        loop {
            let page = tx.written(after, PAGE).await?;
            for entry in &page {
                let place = after;
                after = entry.seq;
                let text = String::from_utf8_lossy(&entry.bytes);
                if !text.contains(&of_system) && !text.contains(&of_integration) {
                    continue;
                }
                // What cannot be read is damage, which checking the evidence names.
                let Ok(logged) = Logged::parse(&entry.bytes) else { continue };
                if logged.tenant != *self.tenant() || logged.at < span.read_from() {
                    continue;
                }
                if logged.at >= keep_from {
                    next.get_or_insert(place);
                }
                scan.take(&logged);
            }
            if page.len() < PAGE as usize {
                break;
            }
        }
        let writes = self.writes_of(&mut *tx, system, &scan).await?;
        Ok(Own { system: system.clone(), writes, canaries: scan.canaries, next: next.unwrap_or(after) })
    }

    /// Just before the first change that was sent to the system and whose answer is not written down: what was done since
    /// may not be in the hub's log yet.
    pub(super) async fn first_under_way(&self, system: &SystemName) -> Result<Option<Timestamp>> {
        let mut tx = self.read().await?;
        let running = Run::under_way_on(system);
        let running = select::<Run>(&mut *tx, self.tenant(), running).await?;
        let sent = running.iter().flat_map(|run| run.value.steps.values()).filter_map(|step| match step {
            Step::Sent { at } => Some(*at),
            Step::Waiting
            | Step::Asked { .. }
            | Step::Unknown { .. }
            | Step::Applied { .. }
            | Step::Refused { .. }
            | Step::Dropped => None,
        });
        Ok(sent.min().map(|at| at.saturating_sub(SignedDuration::from_millis(1)).unwrap_or(at)))
    }

    async fn writes_of(&self, tx: &mut dyn Tx, system: &SystemName, scan: &Scan) -> Result<Vec<Write>> {
        let mut writes = Vec::new();
        for run in &scan.runs {
            let Some(run) = get::<Run>(tx, self.tenant(), &run.to_string()).await? else { continue };
            let run = run.value;
            let plan = get::<PlanRow>(tx, self.tenant(), &run.plan.to_string()).await?;
            let (Some(plan), Some(account)) = (plan, &run.external_id) else { continue };
            for change in plan.value.plan.changes.iter().filter(|change| change.system == *system) {
                let sent = |at: Timestamp| scan.sent.get(&run.id).copied().map_or(at, |sent| sent.min(at));
                let (sent, done) = match run.steps.get(&change.seq) {
                    Some(Step::Applied { at, already: false, .. }) => (sent(*at), Some(*at)),
                    Some(Step::Applied { at, already: true, .. }) => (sent(*at), None),
                    Some(Step::Sent { at } | Step::Unknown { since: at }) => (sent(*at), None),
                    Some(Step::Asked { .. } | Step::Waiting | Step::Refused { .. } | Step::Dropped)
                    | None => continue,
                };
                writes.push(Write {
                    run: run.id,
                    seq: change.seq,
                    identity: run.identity,
                    account: account.clone(),
                    part: Part::of_op(&change.op),
                    takes: takes(&change.op),
                    sent,
                    done,
                });
            }
        }
        Ok(writes)
    }
}
