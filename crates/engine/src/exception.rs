//! Exceptions: breaking the glass, its end, and its review.
//!
//! An exception is asked for, approved, and ended by events and plans like everything else. It counts in
//! every decision from its approval to its end, if the approval is genuine: a row that somebody put into the
//! database gives nothing. Its end is a work item, so it comes whatever dies in between, and is over only when
//! reading the system shows that nothing is left.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    access::AccessClass,
    account::Account,
    approval::Approval,
    event::{Event, EventKind},
    exception::{self, Because, Exception, ExceptionRefusal, ExceptionState, Given, GlassCase, Terms},
    id::{EntitlementName, ExceptionId, GlassName, IdentityId, PlanId},
    identity::{Identity, Lifecycle},
    person::Conflict,
    plan::{Op, Plan},
    record::{Actor, Record, RecordKind},
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{
    Filter, NewWork, Select, Stored, Table, Tx, Update, Work,
    entities::{Operator, PlanRow},
    get, select,
};

use crate::{
    Catalogue, Engine, EngineError, Haste, Job, Result, finding::Wrong, observe::is_so, work::backoff_ms,
};

/// How long an approval may be waited for, minutes.
const LAPSES_MINS: i64 = 60;
/// How long after its end something may be left before somebody is told, milliseconds.
const NOT_ENDED_MS: i64 = 5 * 60_000;
/// When it is first looked whether something is left, milliseconds after the end.
const LOOK_MS: i64 = 5_000;
/// How long there is for a review, hours.
const REVIEW_HOURS: i64 = 72;
/// The findings.
const NOT_ENDED: &str = "access-not-ended";
const REVIEW: &str = "break-glass-review";

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct GlassRequest {
    /// Which case.
    pub case: GlassName,
    /// For whom: id, `source/key` or e-mail address.
    pub identity: String,
    /// For how long, minutes.
    pub minutes: u32,
    /// Why.
    pub reason: String,
}

impl Engine {
    /// Asks for a case to be opened for somebody. Gives the exception and the plan that waits for a second
    /// person.
    ///
    /// # Errors
    /// When there is no such case or person, and when [`ExceptionRefusal`] says why.
    pub async fn open_glass(&self, asked: GlassRequest, by: &Operator) -> Result<(Exception, PlanId)> {
        let who = self.find_identity(&asked.identity).await?.value.id;
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let case =
            get::<GlassCase>(&mut *tx, self.tenant(), asked.case.as_str()).await?.ok_or_else(|| {
                EngineError::NotFound { kind: "break-glass case", name: asked.case.to_string() }
            })?;
        let identity = get::<Identity>(&mut *tx, self.tenant(), &who.to_string())
            .await?
            .ok_or_else(|| EngineError::NotFound { kind: "identity", name: asked.identity.clone() })?;
        provable(&catalogue, &case.value.entitlements)?;
        let now = self.now();
        let terms = Terms {
            exception: ExceptionId::new(now, self.entropy()),
            identity: who,
            entitlements: case.value.entitlements.clone(),
            minutes: asked.minutes,
            because: Because::BreakGlass { case: asked.case, reason: asked.reason },
            requester: Some(by.id),
        };
        let lapses = now.saturating_add(SignedDuration::from_mins(LAPSES_MINS)).unwrap_or(now);
        let made = exception::ask(&case.value, terms, &identity.value.lifecycle, now, lapses)?;
        let plan = self.ask_exception(&mut *tx, identity, &made, lapses, by).await?;
        tx.commit().await?;
        Ok((made, plan))
    }

    /// Files what is asked for; gives the plan that waits for a second person. What cannot be given is an error, and
    /// leaves nothing behind when the transaction is dropped.
    pub(crate) async fn ask_exception(
        &self,
        tx: &mut dyn Tx,
        identity: Stored<Identity>,
        made: &Exception,
        lapses: Timestamp,
        by: &Operator,
    ) -> Result<PlanId> {
        self.not_twice(tx, made).await?;
        let mut record = self.exception_record(RecordKind::ExceptionAsked, made);
        record.actor = Actor::Operator(by.name.clone());
        let update = Update::new(record).insert(made, self.entropy());
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        let (id, systems) = (made.terms.exception, made.terms.systems());
        let (who, key) = (identity.value.id, format!("exception/{id}/asked"));
        self.file(tx, identity, key, EventKind::ExceptionAsked { exception: id, systems }, None).await?;
        let plan = self.plan_of(tx, id, who).await?.ok_or(ExceptionRefusal::Nothing)?;
        self.enqueue(tx, vec![watch(id, lapses)]).await?;
        Ok(plan)
    }

    /// All exceptions, oldest first.
    pub async fn exceptions(&self) -> Result<Vec<Exception>> {
        let mut tx = self.read().await?;
        let all = select::<Exception>(&mut *tx, self.tenant(), Select::from(Table::Exceptions)).await?;
        Ok(all.into_iter().map(|s| s.value).collect())
    }

    pub(crate) async fn not_twice(&self, tx: &mut dyn Tx, made: &Exception) -> Result<()> {
        let of = self.exceptions_of(tx, [made.terms.identity]).await?;
        // Of one case, or nothing that another does not give.
        let same = |other: &&Exception| match (&made.terms.because, &other.terms.because) {
            (Because::BreakGlass { case, .. }, Because::BreakGlass { case: another, .. }) => case == another,
            (Because::BreakGlass { .. }, _) | (_, Because::BreakGlass { .. }) => false,
            (one, another) => {
                one.withholds() == another.withholds()
                    && made.terms.entitlements.is_subset(&other.terms.entitlements)
            }
        };
        let withheld = |other: &&Exception| {
            let counts = other.live(self.now());
            !made.terms.because.withholds()
                && counts
                    .is_some_and(|terms| made.terms.entitlements.iter().any(|name| terms.withholds(name)))
        };
        if let Some(other) = of.values().flatten().find(withheld) {
            return Err(ExceptionRefusal::Withheld(other.terms.exception).into());
        }
        match of.values().flatten().find(same) {
            Some(other) => Err(ExceptionRefusal::Already(other.terms.exception).into()),
            None => Ok(()),
        }
    }

    async fn plan_of(
        &self,
        tx: &mut dyn Tx,
        id: ExceptionId,
        identity: IdentityId,
    ) -> Result<Option<PlanId>> {
        let asked = Select::from(Table::Plans)
            .filter(Filter::Is("identity", identity.to_string().into()))
            .filter(Filter::Is("state", "drafted".into()));
        let rows = select::<PlanRow>(tx, self.tenant(), asked).await?;
        let mine = |row: &PlanRow| row.plan.exception.as_ref().is_some_and(|terms| terms.exception == id);
        Ok(rows.into_iter().map(|s| s.value).find(mine).map(|row| row.plan.id))
    }

    pub(crate) fn exception_record(&self, kind: RecordKind, of: &Exception) -> Record {
        let record = self.record(kind, "exception").identity(of.terms.identity);
        let record = match &of.terms.because {
            Because::BreakGlass { case, reason } => record.fact("case", case).personal("reason", reason),
            Because::Asked { reason } => record.personal("reason", reason),
            Because::Undo { plan, reason } => record.fact("undoes", plan).personal("reason", reason),
            Because::Found { system } => record.fact("found", system),
            Because::Lost { system, whole } => record.fact("lost", system).fact("whole", whole),
        };
        record
            .fact("entitlements", &of.terms.entitlements)
            .fact("exception", of.terms.exception)
            .fact("minutes", of.terms.minutes)
            .fact("requester", of.terms.requester)
            .fact("state", of.state.name())
    }

    /// The exceptions that are asked for or count, of these identities. One whose approval is not ours, or is
    /// for something else, is none.
    pub(crate) async fn exceptions_of(
        &self,
        tx: &mut dyn Tx,
        ids: impl IntoIterator<Item = IdentityId>,
    ) -> Result<BTreeMap<IdentityId, Vec<Exception>>> {
        let ids = ids.into_iter().map(|id| id.to_string().into()).collect();
        let asked = Select::from(Table::Exceptions)
            .filter(Filter::In("identity", ids))
            .filter(Filter::In("state", vec!["asked".into(), "given".into()]));
        let mut out: BTreeMap<IdentityId, Vec<Exception>> = BTreeMap::new();
        for stored in select::<Exception>(tx, self.tenant(), asked).await? {
            let genuine = match stored.value.state.given() {
                Some(given) => self.was_given(tx, &stored.value.terms, given).await?,
                None => true,
            };
            if genuine {
                out.entry(stored.value.terms.identity).or_default().push(stored.value);
            }
        }
        Ok(out)
    }

    async fn was_given(&self, tx: &mut dyn Tx, terms: &Terms, given: &Given) -> Result<bool> {
        let kept = get::<Approval>(tx, self.tenant(), &given.approval.to_string()).await?;
        Ok(kept.is_some_and(|kept| {
            let approval = &kept.value;
            self.genuine(approval)
                && approval.covers.contains(&terms.digest())
                && given.from == approval.at
                && given.until == terms.until(approval.at)
        }))
    }

    /// What follows from the approval of a plan that begins an exception: it counts from now on, ends by
    /// itself, and is to be reviewed.
    pub(crate) async fn give_exception(
        &self,
        tx: &mut dyn Tx,
        plan: &Plan,
        approval: &Approval,
        by: &Operator,
    ) -> Result<()> {
        let Some(terms) = &plan.exception else { return Ok(()) };
        let id = terms.exception;
        let stored = get::<Exception>(tx, self.tenant(), &id.to_string())
            .await?
            .filter(|stored| stored.value.terms == *terms)
            .ok_or_else(|| EngineError::Inconsistent(format!("plan {} has no exception {id}", plan.id)))?;
        let given = stored.value.give(approval.id, by.id, approval.at)?;
        let until = given.terms.until(approval.at);
        let record = self
            .exception_record(RecordKind::ExceptionGiven, &given)
            .plan(plan.id)
            .fact("approval", approval.id)
            .fact("until", until);
        let mut updates = vec![Update::new(record).replace(&given, stored.revision, self.entropy())];
        if let Because::BreakGlass { case, .. } = &given.terms.because {
            let catalogue = self.catalogue(tx).await?;
            let wrong = to_be_reviewed(&catalogue, &given, case);
            let time = SignedDuration::from_hours(REVIEW_HOURS) + until.duration_since(self.now());
            updates.extend(self.open_finding_within(tx, wrong, time).await?);
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        self.enqueue(tx, vec![watch(id, until)]).await
    }

    /// Looks at an exception whose time has come.
    pub(crate) async fn watch_exception(&self, item: &Work, id: ExceptionId) -> Result<()> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let Some(stored) = get::<Exception>(&mut *tx, self.tenant(), &id.to_string()).await? else {
            tx.finish(self.tenant(), item).await?;
            return Ok(tx.commit().await?);
        };
        match stored.value.state.clone() {
            ExceptionState::Asked { lapses } if lapses <= now => {
                let lapsed = Exception { state: ExceptionState::Lapsed { lapsed: now }, ..stored.value };
                let record = self.exception_record(RecordKind::ExceptionEnded, &lapsed);
                let update = Update::new(record).replace(&lapsed, stored.revision, self.entropy());
                tx.write(self.tenant(), vec![update], self.entropy()).await?;
                // What its plan took the place of is planned again.
                self.decide_anew(&mut *tx, &lapsed, "lapsed", EventKind::PolicyChanged).await?;
                tx.finish(self.tenant(), item).await?;
                Ok(tx.commit().await?)
            }
            ExceptionState::Given(given) if given.until <= now => {
                let record = |over: &Exception| self.exception_record(RecordKind::ExceptionEnded, over);
                self.end_now(&mut *tx, stored, record).await?;
                tx.postpone(self.tenant(), item, now.as_millisecond() + LOOK_MS, false).await?;
                Ok(tx.commit().await?)
            }
            ExceptionState::Ending(given) => {
                drop(tx);
                self.prove_end(item, stored, given).await
            }
            ExceptionState::Asked { .. }
            | ExceptionState::Given(_)
            | ExceptionState::Ended { .. }
            | ExceptionState::Lapsed { .. } => {
                tx.finish(self.tenant(), item).await?;
                Ok(tx.commit().await?)
            }
        }
    }

    /// An exception is over: what it gave is taken, and that nothing is left is to be proven.
    async fn end_now(
        &self,
        tx: &mut dyn Tx,
        stored: Stored<Exception>,
        record: impl Fn(&Exception) -> Record,
    ) -> Result<Exception> {
        let over = stored.value.end(self.now())?;
        let update = Update::new(record(&over)).replace(&over, stored.revision, self.entropy());
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        let kind =
            EventKind::ExceptionOver { exception: over.terms.exception, systems: over.terms.systems() };
        self.decide_anew(tx, &over, "over", kind).await?;
        Ok(over)
    }

    /// Ends an exception before its time: less takes one person.
    ///
    /// # Errors
    /// When there is no such exception, or nothing of it counts.
    pub async fn end_exception(&self, id: ExceptionId, by: &Operator) -> Result<Exception> {
        let mut tx = self.begin().await?;
        let stored = get::<Exception>(&mut *tx, self.tenant(), &id.to_string())
            .await?
            .ok_or_else(|| EngineError::NotFound { kind: "exception", name: id.to_string() })?;
        let record = |over: &Exception| {
            let mut record = self.exception_record(RecordKind::ExceptionEnded, over);
            record.actor = Actor::Operator(by.name.clone());
            record
        };
        let over = self.end_now(&mut *tx, stored, record).await?;
        // The item that waits for its end would come then; this one looks at once.
        self.enqueue(&mut *tx, vec![watch(id, self.now())]).await?;
        tx.commit().await?;
        Ok(over)
    }

    async fn decide_anew(&self, tx: &mut dyn Tx, of: &Exception, why: &str, kind: EventKind) -> Result<()> {
        let id = of.terms.exception;
        let identity = get::<Identity>(tx, self.tenant(), &of.terms.identity.to_string()).await?;
        // The departure takes everything already, and its case proves it.
        let Some(identity) = identity.filter(|s| !matches!(s.value.lifecycle, Lifecycle::Left { .. })) else {
            return Ok(());
        };
        self.file(tx, identity, format!("exception/{id}/{why}"), kind, None).await?;
        Ok(())
    }

    /// Reads whether something of an exception is left. It ends when nothing is.
    async fn prove_end(&self, item: &Work, stored: Stored<Exception>, given: Given) -> Result<()> {
        let left = self.left_of(&stored.value.terms).await;
        let now = self.now();
        let id = stored.value.terms.exception;
        let mut tx = self.begin().await?;
        let what = match left {
            Ok(left) if left.is_empty() => {
                let record =
                    self.exception_record(RecordKind::Verified, &stored.value).fact("outcome", "removed");
                let ended = Exception { state: ExceptionState::Ended { given, ended: now }, ..stored.value };
                let mut updates = vec![Update::new(record).replace(&ended, stored.revision, self.entropy())];
                updates.extend(self.close_finding(&mut *tx, NOT_ENDED, &id.to_string()).await?);
                tx.write(self.tenant(), updates, self.entropy()).await?;
                // What could not be planned for beside the end is planned now.
                self.decide_anew(&mut *tx, &ended, "after", EventKind::PolicyChanged).await?;
                tx.finish(self.tenant(), item).await?;
                return Ok(tx.commit().await?);
            }
            Ok(left) => {
                let names: Vec<&str> = left.iter().map(EntitlementName::as_str).collect();
                format!("still held: {}", names.join(", "))
            }
            Err(EngineError::Connector(error)) => format!("cannot be read: {}: {error}", error.code()),
            Err(error) => return Err(error),
        };
        if now.as_millisecond() >= given.until.as_millisecond() + NOT_ENDED_MS {
            let catalogue = self.catalogue(&mut *tx).await?;
            let wrong = Wrong {
                code: "access-not-ended",
                subject: id.to_string(),
                identity: Some(stored.value.terms.identity),
                system: None,
                message: format!(
                    "the time of {id} is over since {} and its end is not proven: {what}. End it on the \
                     system by hand; it is read again until nothing is left",
                    given.until
                ),
                owner: owner_of(&catalogue, &stored.value.terms),
            };
            let opened = self.open_finding(&mut *tx, wrong).await?.into_iter().collect();
            tx.write(self.tenant(), opened, self.entropy()).await?;
        }
        let due = now.as_millisecond() + backoff_ms(item.attempts).max(LOOK_MS);
        tx.postpone(self.tenant(), item, due, true).await?;
        Ok(tx.commit().await?)
    }

    /// The entitlements that are read on the systems and that nothing else gives. What was withheld gave nothing.
    async fn left_of(&self, terms: &Terms) -> Result<BTreeSet<EntitlementName>> {
        if terms.because.withholds() {
            return Ok(BTreeSet::new());
        }
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let others = self.exceptions_of(&mut *tx, [terms.identity]).await?;
        let others: Vec<Terms> = counting(others.get(&terms.identity), None, self.now());
        let identity = get::<Identity>(&mut *tx, self.tenant(), &terms.identity.to_string()).await?;
        let theirs =
            Select::from(Table::Accounts).filter(Filter::Is("identity", terms.identity.to_string().into()));
        let accounts = select::<Account>(&mut *tx, self.tenant(), theirs).await?;
        drop(tx);
        let still = identity.map(|s| wanted(&catalogue, &s.value, &others)).unwrap_or_default();
        let mut left = BTreeSet::new();
        for name in terms.entitlements.iter().filter(|name| !still.contains(*name)) {
            let system = name.system();
            let rule = catalogue.rules.get(&system).and_then(|rules| rules.entitlements.get(name));
            let Some(rule) = rule else { continue };
            let route = catalogue.route(&system)?;
            let line = self.witnessing(&catalogue, route.integration).0;
            for account in accounts.iter().filter(|a| a.value.system == system) {
                let op = match (rule.class, &rule.external_id) {
                    (AccessClass::PrimaryAccount, _) => Op::Disable { way: 0 },
                    (class, Some(id)) => Op::Revoke { class, external_id: id.clone() },
                    (_, None) => continue,
                };
                let gone = is_so(&**route.connector, &line, Some(&account.value.external_id), &op).await?;
                if gone.is_none() {
                    left.insert(name.clone());
                }
            }
        }
        Ok(left)
    }

    /// A third person says what they make of it.
    ///
    /// # Errors
    /// When there is no such exception, and when [`ExceptionRefusal`] says why.
    pub async fn review_exception(&self, id: ExceptionId, reason: &str, by: &Operator) -> Result<Exception> {
        let mut tx = self.begin().await?;
        let stored = get::<Exception>(&mut *tx, self.tenant(), &id.to_string())
            .await?
            .ok_or_else(|| EngineError::NotFound { kind: "exception", name: id.to_string() })?;
        let terms = &stored.value.terms;
        let persons = self.persons(&mut *tx).await?;
        let mut own: Vec<(String, Conflict)> = Vec::new();
        let approver = stored.value.state.given().map(|given| given.approver);
        own.extend(self.part_of(&mut *tx, terms.requester, Conflict::Requester).await?);
        own.extend(self.part_of(&mut *tx, approver, Conflict::OtherGate).await?);
        let identity = get::<Identity>(&mut *tx, self.tenant(), &terms.identity.to_string()).await?;
        own.extend(identity.map(|s| (s.value.source_key.to_string(), Conflict::Beneficiary)));
        let conflicts = persons.conflicts(own.iter().map(|(who, why)| (who.as_str(), *why)));
        let person = self.person_of(&mut *tx, &persons, by).await?;
        let reviewed = stored.value.review(by.id, person.as_deref(), &conflicts, reason, self.now())?;
        let mut record =
            self.exception_record(RecordKind::ExceptionReviewed, &reviewed).personal("review", reason);
        record.actor = Actor::Operator(by.name.clone());
        let mut updates = vec![Update::new(record).replace(&reviewed, stored.revision, self.entropy())];
        updates.extend(self.close_finding(&mut *tx, REVIEW, &id.to_string()).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        tx.commit().await?;
        Ok(reviewed)
    }
}

/// What counts of somebody's exceptions: those that were given and are not over, and the one whose asking
/// is decided about.
pub(crate) fn counting(of: Option<&Vec<Exception>>, event: Option<&Event>, now: Timestamp) -> Vec<Terms> {
    let asked = event.and_then(|event| match &event.kind {
        EventKind::ExceptionAsked { exception, .. } => Some(*exception),
        EventKind::Joined
        | EventKind::Changed { .. }
        | EventKind::Left
        | EventKind::Fired { .. }
        | EventKind::Absent
        | EventKind::Returned
        | EventKind::PolicyChanged
        | EventKind::Drifted { .. }
        | EventKind::Residue { .. }
        | EventKind::Purge { .. }
        | EventKind::Cleared { .. }
        | EventKind::Governed { .. }
        | EventKind::ExceptionOver { .. }
        | EventKind::Merged { .. }
        | EventKind::Requested { .. } => None,
    });
    let counts = |e: &&Exception| {
        let is_asked = matches!(e.state, ExceptionState::Asked { .. }) && asked == Some(e.terms.exception);
        e.live(now).is_some() || is_asked
    };
    of.into_iter().flatten().filter(counts).map(|e| e.terms.clone()).collect()
}

/// What the identity is to hold without the exception that ends.
fn wanted(catalogue: &Catalogue, identity: &Identity, others: &[Terms]) -> BTreeSet<EntitlementName> {
    if !identity.lifecycle.may_hold() {
        return BTreeSet::new();
    }
    let holding = catalogue.policies.holds_with(identity.kind.as_str(), &identity.attributes, others);
    holding.map(|holding| holding.held.into_keys().collect()).unwrap_or_default()
}

/// Refuses what only a person could look at.
pub(crate) fn provable(catalogue: &Catalogue, entitlements: &BTreeSet<EntitlementName>) -> Result<()> {
    for name in entitlements {
        let route = catalogue.route(&name.system())?;
        if route.connector.capability().by_person.is_some() {
            return Err(ExceptionRefusal::Unprovable(name.clone()).into());
        }
    }
    Ok(())
}

pub(crate) fn watch(exception: ExceptionId, at: Timestamp) -> NewWork {
    Job::Exception { exception, at }.work(None, None, Haste::Soon, at)
}

/// Who answers for the first of the systems where access is given.
fn owner_of(catalogue: &Catalogue, terms: &Terms) -> String {
    let first = terms.entitlements.first();
    let route = first.and_then(|name| catalogue.route(&name.system()).ok());
    route.map_or_else(|| "operator".to_owned(), |route| route.integration.owner.clone())
}

fn to_be_reviewed(catalogue: &Catalogue, given: &Exception, case: &GlassName) -> Wrong {
    let id = given.terms.exception;
    Wrong {
        code: "break-glass-review",
        subject: id.to_string(),
        identity: Some(given.terms.identity),
        system: None,
        message: format!(
            "the glass of `{case}` was broken: when it is over, somebody who had no part in it looks at what was \
             done and says so with `bailiwick break-glass review {id} --reason TEXT`"
        ),
        owner: owner_of(catalogue, &given.terms),
    }
}
