//! Undoing what plans did: judged by what is so now, and asked for like all access that no policy gives.
//!
//! Nothing is written but the question: an event, an exception and a plan for each person, which a second person approves.
//! Each person is a transaction by itself, so many at once hold nothing up, and one who cannot be helped leaves
//! the others alone.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    account::Account,
    event::Event,
    exception::{self, Because, ExceptionRefusal, Terms},
    id::{BatchId, EntitlementName, EventId, ExceptionId, IdentityId, PlanId},
    identity::Identity,
    time::{SignedDuration, Timestamp},
    undo::{self, Done, Line, Present, Touch, UndoRefusal},
};
use bailiwick_store::{
    Filter, Select, Table, Tx,
    entities::{Batch, Operator, PlanRow, Run, Step},
    get, select,
};

use crate::{Catalogue, Engine, EngineError, Result};

/// How long an approval may be waited for, hours.
const LAPSES_HOURS: i64 = 72;
/// How many rows are read at once.
const CHUNK: u32 = 512;

/// What is to be undone.
#[derive(Debug, Clone)]
pub struct UndoRequest {
    /// These plans.
    pub plans: BTreeSet<PlanId>,
    /// And all that followed from this delivery.
    pub batch: Option<BatchId>,
    /// For how long what no policy gives any more is to be back, minutes from the approval on.
    pub minutes: u32,
    /// Why.
    pub reason: String,
}

/// What came of undoing one plan.
#[derive(Debug, Clone)]
pub struct Undone {
    /// The plan.
    pub of: PlanId,
    /// For whom it was.
    pub identity: IdentityId,
    /// What becomes of each of its changes.
    pub lines: Vec<Line>,
    /// What is asked for and the plan that waits for a second person; `None` when nothing can come back.
    pub asked: Option<(ExceptionId, PlanId)>,
    /// Why nothing of it is undone, though others of the same call are.
    pub refused: Option<(&'static str, String)>,
}

/// What one plan did, and where it stands.
struct Past {
    row: PlanRow,
    done: Done,
    under_way: bool,
}

impl Engine {
    /// Asks that what plans took comes back. Where several are named, power over other access is left out, and what is
    /// refused of one is said with it.
    ///
    /// # Errors
    /// When nothing is named, there is no such plan or delivery, or the only one named is refused.
    pub async fn undo(&self, asked: UndoRequest, by: &Operator) -> Result<Vec<Undone>> {
        let mut plans = asked.plans.clone();
        if let Some(batch) = asked.batch {
            plans.extend(self.plans_of_batch(batch).await?);
        }
        if plans.is_empty() {
            return Err(UndoRefusal::Nothing.into());
        }
        let mass = plans.len() > 1 || asked.batch.is_some();
        let (mut out, mut people) = (Vec::new(), BTreeSet::new());
        // The newest first: what it did is in the way of undoing an older one.
        for plan in plans.into_iter().rev() {
            let mut tx = self.read().await?;
            let row = self.undo_row(&mut *tx, plan).await?;
            drop(tx);
            let identity = row.plan.decision.identity;
            let outcome = match people.contains(&identity) {
                true => Err(UndoRefusal::SamePerson(plan).into()),
                false => self.undo_one(plan, &asked, mass, by).await,
            };
            let refused = |error: &EngineError, message| Undone {
                of: plan,
                identity,
                lines: Vec::new(),
                asked: None,
                refused: Some((error.code(), message)),
            };
            out.push(match outcome {
                Ok(undone) => {
                    people.extend(undone.asked.is_some().then_some(identity));
                    undone
                }
                Err(EngineError::Undo(why)) if mass => {
                    refused(&EngineError::Undo(why.clone()), why.to_string())
                }
                Err(EngineError::Exception(why)) if mass && of_person(&why) => {
                    let message = why.to_string();
                    refused(&EngineError::Exception(why), message)
                }
                Err(error) => return Err(error),
            });
        }
        Ok(out)
    }

    async fn undo_one(&self, plan: PlanId, asked: &UndoRequest, mass: bool, by: &Operator) -> Result<Undone> {
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let past = self.past(&mut *tx, plan).await?;
        undo::undoable(&past.row.plan, &past.done, past.under_way)?;
        let who = past.row.plan.decision.identity;
        let identity = get::<Identity>(&mut *tx, self.tenant(), &who.to_string())
            .await?
            .ok_or_else(|| EngineError::NotFound { kind: "identity", name: who.to_string() })?;
        let lines = self.judge_undo(&mut *tx, &catalogue, &past, &identity.value, mass).await?;
        let entitlements = undo::back(&lines);
        let nothing = entitlements.is_empty();
        let mut undone = Undone { of: plan, identity: who, lines, asked: None, refused: None };
        if nothing {
            return Ok(undone);
        }
        let power = |name: &EntitlementName| catalogue.entitlements.get(name).is_some_and(|e| e.privileged);
        let power = entitlements.iter().any(power);
        let now = self.now();
        let terms = Terms {
            exception: ExceptionId::new(now, self.entropy()),
            identity: who,
            entitlements,
            minutes: asked.minutes,
            because: Because::Undo { plan, reason: asked.reason.clone() },
            requester: Some(by.id),
        };
        let lapses = now.saturating_add(SignedDuration::from_hours(LAPSES_HOURS)).unwrap_or(now);
        let made = exception::ask_for(terms, power, &identity.value.lifecycle, now, lapses)?;
        let waits = self.ask_exception(&mut *tx, identity, &made, lapses, by).await?;
        tx.commit().await?;
        undone.asked = Some((made.terms.exception, waits));
        Ok(undone)
    }

    async fn judge_undo(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        past: &Past,
        identity: &Identity,
        mass: bool,
    ) -> Result<Vec<Line>> {
        let plan = &past.row.plan;
        let taken = undo::taken(plan, &past.done, &catalogue.entitlements);
        let holding = catalogue.policies.holds_beside(identity.kind.as_str(), &identity.attributes, &taken);
        let holding = holding.map_err(|fault| EngineError::Undecidable(fault.to_string()))?;
        let theirs =
            |table| Select::from(table).filter(Filter::Is("identity", identity.id.to_string().into()));
        let accounts = select::<Account>(tx, self.tenant(), theirs(Table::Accounts)).await?;
        let accounts = accounts.into_iter().map(|s| (s.value.system.clone(), s.value)).collect();
        let runs = select::<Run>(tx, self.tenant(), theirs(Table::Runs)).await?;
        let rows = select::<PlanRow>(tx, self.tenant(), theirs(Table::Plans)).await?;
        let rows: BTreeMap<PlanId, PlanRow> = rows.into_iter().map(|s| (s.value.plan.id, s.value)).collect();
        let later = later(plan.id, &rows, runs.iter().map(|s| &s.value));
        let mut by_person = BTreeSet::new();
        for system in plan.systems() {
            let by_hand =
                |route: crate::catalogue::Route<'_>| route.connector.capability().by_person.is_some();
            // What cannot be reached cannot be shown to have ended either.
            if catalogue.route(&system).map_or(true, by_hand) {
                by_person.insert(system);
            }
        }
        let present = Present {
            accounts: &accounts,
            holding: &holding,
            entitlements: &catalogue.entitlements,
            later: &later,
            by_person: &by_person,
            mass,
        };
        Ok(undo::judge(plan, &past.done, &present))
    }

    async fn undo_row(&self, tx: &mut dyn Tx, plan: PlanId) -> Result<PlanRow> {
        let stored = get::<PlanRow>(tx, self.tenant(), &plan.to_string()).await?;
        let missing = || EngineError::NotFound { kind: "plan", name: plan.to_string() };
        stored.map(|s| s.value).ok_or_else(missing)
    }

    async fn past(&self, tx: &mut dyn Tx, plan: PlanId) -> Result<Past> {
        let row = self.undo_row(tx, plan).await?;
        let of_plan = Select::from(Table::Runs).filter(Filter::Is("plan", plan.to_string().into()));
        let runs = select::<Run>(tx, self.tenant(), of_plan).await?;
        let done = runs.iter().flat_map(|s| done(&s.value)).collect();
        let under_way = runs.iter().any(|s| s.value.steps.values().any(open));
        Ok(Past { row, done, under_way })
    }

    /// The plans that followed from a delivery.
    async fn plans_of_batch(&self, batch: BatchId) -> Result<BTreeSet<PlanId>> {
        let mut tx = self.read().await?;
        let batch = get::<Batch>(&mut *tx, self.tenant(), &batch.to_string())
            .await?
            .ok_or_else(|| EngineError::NotFound { kind: "delivery", name: batch.to_string() })?
            .value;
        let events = self.events_of(&mut *tx, &batch).await?;
        let people: Vec<IdentityId> = events.values().copied().collect();
        let mut plans = BTreeSet::new();
        for some in people.chunks(CHUNK as usize) {
            let ids = some.iter().map(|id| id.to_string().into()).collect();
            let theirs = Select::from(Table::Plans).filter(Filter::In("identity", ids));
            let rows = select::<PlanRow>(&mut *tx, self.tenant(), theirs).await?;
            let of_batch = |row: &PlanRow| events.contains_key(&row.plan.decision.event);
            plans.extend(rows.into_iter().map(|s| s.value).filter(of_batch).map(|row| row.plan.id));
        }
        Ok(plans)
    }

    /// The events of a delivery. Their ids begin with the instant at which it was accepted, so they stand together.
    async fn events_of(&self, tx: &mut dyn Tx, batch: &Batch) -> Result<BTreeMap<EventId, IdentityId>> {
        let mut events = BTreeMap::new();
        let mut after = Some(first_of(batch.at).to_string());
        loop {
            let page = Select::from(Table::Events).page(after.take(), CHUNK);
            let page = select::<Event>(tx, self.tenant(), page).await?;
            after = page.last().map(|s| s.value.id.to_string());
            let more = page.last().is_some_and(|s| s.value.accepted <= batch.at);
            let ours = |event: &Event| event.accepted == batch.at && event.source == batch.source.as_str();
            let ours = page.into_iter().map(|s| s.value).filter(ours);
            events.extend(ours.map(|event| (event.id, event.identity)));
            if !more {
                return Ok(events);
            }
        }
    }
}

/// The smallest id of an event at that instant.
fn first_of(at: Timestamp) -> EventId {
    let millis = u64::try_from(at.as_millisecond()).unwrap_or(0).to_be_bytes();
    let mut bytes = [0; 16];
    let (head, tail) = (bytes.iter_mut().take(6), millis.iter().skip(2));
    head.zip(tail).for_each(|(to, from)| *to = *from);
    EventId::from_bytes(bytes)
}

/// Whether a refusal is about the person and not about what is asked of all.
const fn of_person(why: &ExceptionRefusal) -> bool {
    match why {
        ExceptionRefusal::NotHere(_)
        | ExceptionRefusal::Already(_)
        | ExceptionRefusal::Nothing
        | ExceptionRefusal::Forbidden { .. }
        | ExceptionRefusal::Withheld(_)
        | ExceptionRefusal::Unprovable(_) => true,
        ExceptionRefusal::TooLong { .. }
        | ExceptionRefusal::Longer { .. }
        | ExceptionRefusal::NotGiven(_)
        | ExceptionRefusal::NoReason
        | ExceptionRefusal::NotAsked(_)
        | ExceptionRefusal::NotEnded(_)
        | ExceptionRefusal::Reviewed(_)
        | ExceptionRefusal::Involved
        | ExceptionRefusal::NoPerson => false,
    }
}

/// What later plans than this one did, and the last that did it. Ids of plans ascend.
fn later<'r>(
    than: PlanId,
    rows: &BTreeMap<PlanId, PlanRow>,
    runs: impl Iterator<Item = &'r Run>,
) -> BTreeMap<Touch, PlanId> {
    let mut last = BTreeMap::new();
    for run in runs.filter(|run| run.plan > than) {
        let Some(row) = rows.get(&run.plan) else { continue };
        let did: Done = done(run).collect();
        let changes = row.plan.changes.iter().filter(|change| did.contains(&change.seq));
        for touch in changes.filter(|change| change.system == run.system).filter_map(undo::touch) {
            let known = last.entry(touch).or_insert(run.plan);
            *known = (*known).max(run.plan);
        }
    }
    last
}

fn done(run: &Run) -> impl Iterator<Item = u16> {
    run.steps.iter().filter(|(_, step)| matches!(step, Step::Applied { .. })).map(|(seq, _)| *seq)
}

const fn open(step: &Step) -> bool {
    match step {
        Step::Waiting | Step::Sent { .. } | Step::Asked { .. } | Step::Unknown { .. } => true,
        Step::Applied { .. } | Step::Refused { .. } | Step::Dropped => false,
    }
}
