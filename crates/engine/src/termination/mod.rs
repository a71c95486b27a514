//! Terminations: arming, seeing, taking back. Firing is in `fire`, what the source says afterwards in `source`.
//!
//! Who is armed is nobody's business but of those who may arm, and never of the armed person or of who acts for them.
//! So nothing here names a person in evidence, in a finding or in a plan that others can list, before it is fired; and
//! whoever may not see a termination is told what they would be told if it were not there.

mod fire;
mod source;

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    approval::{Approval, Approver, Asked, Refusal, approve},
    digest::Digest,
    event::{Event, EventKind},
    factor::Proof,
    id::{ApprovalId, EventId, IdentityId, PlanId, SystemName, TerminationId},
    identity::{Identity, IdentityKind},
    person::{Conflict, Persons},
    plan::Plan,
    policy::{ApproverFacts, ApproverKind, ChangeFacts},
    record::{Actor, Record, RecordKind},
    right::Right,
    termination::{Termination, TerminationRefusal, TerminationState, deleting, may_arm},
    time::{Effective, SignedDuration, Timestamp},
};
use bailiwick_store::{
    Filter, NewWork, Select, Stored, Table, Tx, Update, Work,
    entities::{Operator, PlanRow, PlanState},
    get, select,
};

pub use self::fire::Fired;
use crate::{Catalogue, Decided, Engine, EngineError, Haste, Job, Result, engagement::all_fired};

/// Who is to be armed.
#[derive(Debug, Clone)]
pub struct ArmRequest {
    /// Who: id, `source/key` or e-mail address.
    pub persons: Vec<String>,
    /// Why.
    pub reason: String,
    /// For how long, hours.
    pub hours: u32,
}

/// Who may arm, and how they are related to others.
struct Terminator {
    person: String,
    persons: Persons,
}

impl Terminator {
    /// Whether they are the person, or act for them.
    fn is_own(&self, key: &str) -> bool {
        self.persons.conflicts([(key, Conflict::Beneficiary)]).contains_key(&self.person)
    }
}

impl Engine {
    /// Makes everything ready for people to go, and changes nothing for them.
    ///
    /// # Errors
    /// When somebody is not known, and when [`TerminationRefusal`] says why.
    pub async fn arm(&self, asked: ArmRequest, by: &Operator) -> Result<Vec<Termination>> {
        let mut tx = self.begin().await?;
        let terminator = self.terminator(&mut *tx, by).await?;
        drop(tx);
        let mut who = BTreeMap::new();
        for name in &asked.persons {
            let identity = self.find_identity(name).await?;
            who.insert(identity.value.id, name.clone());
        }
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let mut armed = Vec::with_capacity(who.len());
        for (id, name) in who {
            let found = get::<Identity>(&mut *tx, self.tenant(), &id.to_string()).await?;
            let missing = || EngineError::NotFound { kind: "identity", name: name.clone() };
            let identity = found.ok_or_else(missing)?.value;
            // First, so that asking tells nobody anything about themselves.
            if terminator.is_own(&identity.source_key.to_string()) {
                return Err(TerminationRefusal::Own.into());
            }
            if identity.kind != IdentityKind::Person {
                return Err(TerminationRefusal::NoPerson(name).into());
            }
            may_arm(&name, &identity.lifecycle, &asked.reason, asked.hours)?;
            if let Some(known) = self.armed_now(&mut *tx, id).await? {
                return Err(TerminationRefusal::Already(name, known.value.id).into());
            }
            armed.push(self.arm_one(&mut *tx, &catalogue, &identity, &asked, by).await?);
        }
        tx.commit().await?;
        Ok(armed)
    }

    async fn arm_one(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        identity: &Identity,
        asked: &ArmRequest,
        by: &Operator,
    ) -> Result<Termination> {
        let now = self.now();
        let id = TerminationId::new(now, self.entropy());
        let plan = self.foresee(tx, catalogue, identity, id).await?;
        let hours = SignedDuration::from_hours(i64::from(asked.hours));
        let expires = now.saturating_add(hours).unwrap_or(now);
        let termination = Termination {
            id,
            identity: identity.id,
            reason: asked.reason.clone(),
            by: by.id,
            armed: now,
            digest: plan.digest(),
            asks: !deleting(&plan).is_empty() && !self.rule_deletes(catalogue, &plan)?,
            plan,
            state: TerminationState::Armed { expires },
        };
        let record = self
            .told(RecordKind::TerminationArmed, &termination, by)
            .fact("changes", termination.plan.changes.len())
            .fact("digest", termination.digest)
            .fact("expires", expires);
        let update = Update::new(record).insert(&termination, self.entropy());
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        self.enqueue(tx, vec![end_of(id, expires)]).await?;
        Ok(termination)
    }

    /// The plan that somebody would get who is fired at this moment, from all that is known.
    async fn foresee(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        identity: &Identity,
        termination: TerminationId,
    ) -> Result<Plan> {
        let now = self.now();
        let event = self.fired_event(identity, termination, BTreeSet::new());
        let gone = gone(identity, now);
        let known = self.know(tx, [identity.id].into()).await?;
        self.foreseen(catalogue, &known, &gone, &event).map_err(EngineError::Undecidable)
    }

    fn fired_event(
        &self,
        identity: &Identity,
        termination: TerminationId,
        spared: BTreeSet<SystemName>,
    ) -> Event {
        let now = self.now();
        Event {
            id: EventId::new(now, self.entropy()),
            source: "hub".into(),
            key: format!("termination/{termination}"),
            identity: identity.id,
            kind: EventKind::Fired { termination, spared },
            effective: Effective::at(now),
            accepted: now,
        }
    }

    /// Whether a rule would approve that the plan deletes accounts, if it were for somebody who left.
    fn rule_deletes(&self, catalogue: &Catalogue, plan: &Plan) -> Result<bool> {
        let rule = ApproverFacts { kind: ApproverKind::Rule, name: "rule".into(), roles: Default::default() };
        let cause = EventKind::Left.cause().to_owned();
        let facts = ChangeFacts { cause, destructive: true, ..plan.facts() };
        let answer = catalogue.policies.approves(&rule, &facts);
        Ok(answer.map_err(|fault| EngineError::Undecidable(fault.to_string()))?.allowed)
    }

    /// All terminations that the caller may see, oldest first, with the approval that was given ahead.
    ///
    /// # Errors
    /// When the caller may not see any.
    pub async fn terminations(&self, by: &Operator) -> Result<Vec<(Termination, Option<Approval>)>> {
        let mut tx = self.read().await?;
        let terminator = self.terminator(&mut *tx, by).await?;
        let all = select::<Termination>(&mut *tx, self.tenant(), Select::from(Table::Terminations)).await?;
        let mut out = Vec::with_capacity(all.len());
        for stored in all {
            if self.hidden(&mut *tx, &terminator, stored.value.identity).await? {
                continue;
            }
            let approval = self.approved_ahead(&mut *tx, stored.value.plan.id).await?;
            out.push((stored.value, approval.map(|stored| stored.value)));
        }
        Ok(out)
    }

    /// One of them: by its id, by its plan, or by the person who is armed.
    ///
    /// # Errors
    /// When there is none that the caller may see.
    pub async fn termination(&self, which: &str, by: &Operator) -> Result<(Termination, Option<Approval>)> {
        let mut tx = self.read().await?;
        let terminator = self.terminator(&mut *tx, by).await?;
        drop(tx);
        let found = self.find_termination(&terminator, which).await?.value;
        let mut tx = self.read().await?;
        let approval = self.approved_ahead(&mut *tx, found.plan.id).await?;
        Ok((found, approval.map(|stored| stored.value)))
    }

    /// Takes terminations back that were not fired. One authorised person is enough.
    ///
    /// # Errors
    /// When one of them cannot be; then none is.
    pub async fn disarm(&self, which: &[String], by: &Operator) -> Result<Vec<Termination>> {
        let found = self.find_all(which, by).await?;
        let now = self.now();
        let mut tx = self.begin().await?;
        let mut out = Vec::with_capacity(found.len());
        for stored in found {
            stored.value.armed_at(now)?;
            let state = TerminationState::Disarmed { at: now, by: by.id };
            let disarmed = Termination { state, ..stored.value };
            let record = self.told(RecordKind::TerminationDisarmed, &disarmed, by);
            let update = Update::new(record).replace(&disarmed, stored.revision, self.entropy());
            tx.write(self.tenant(), vec![update], self.entropy()).await?;
            out.push(disarmed);
        }
        tx.commit().await?;
        Ok(out)
    }

    /// The time of a termination is over.
    pub(crate) async fn lapse_termination(&self, item: &Work, id: TerminationId) -> Result<()> {
        let now = self.now();
        let mut tx = self.begin().await?;
        if let Some(stored) = get::<Termination>(&mut *tx, self.tenant(), &id.to_string()).await?
            && matches!(stored.value.state, TerminationState::Armed { expires } if expires <= now)
        {
            let lapsed = Termination { state: TerminationState::Lapsed { at: now }, ..stored.value };
            let record = self.record(RecordKind::TerminationLapsed, "termination").fact("termination", id);
            let update = Update::new(record).replace(&lapsed, stored.revision, self.entropy());
            tx.write(self.tenant(), vec![update], self.entropy()).await?;
        }
        tx.finish(self.tenant(), item).await?;
        Ok(tx.commit().await?)
    }

    /// Approves what was prepared, ahead of the moment: bound to its digest, used by the firing, or by nothing.
    pub(crate) async fn approve_ahead(
        &self,
        tx: &mut dyn Tx,
        plan: PlanId,
        seen: Digest,
        by: &Operator,
    ) -> Result<Decided> {
        let missing = || EngineError::NotFound { kind: "plan", name: plan.to_string() };
        let Some(found) = self.with_plan(tx, plan).await? else { return Err(missing()) };
        let terminator = self.terminator(tx, by).await.map_err(|_| missing())?;
        if self.hidden(tx, &terminator, found.value.identity).await? {
            return Err(missing());
        }
        let now = self.now();
        let termination = found.value;
        termination.armed_at(now)?;
        if let Some(given) = self.approved_ahead(tx, plan).await? {
            return Err(Refusal::Used(given.value.at).into());
        }
        let catalogue = self.catalogue(tx).await?;
        let TerminationState::Armed { expires } = termination.state else { return Err(missing()) };
        let row = as_row(termination);
        let (persons, conflicts) = self.conflicts(tx, &row).await?;
        let facts =
            ApproverFacts { kind: ApproverKind::Operator, name: by.name.clone(), roles: by.roles.clone() };
        let answer = catalogue
            .policies
            .approves(&facts, &row.plan.facts())
            .map_err(|fault| EngineError::Undecidable(fault.to_string()))?;
        let person = match &by.person {
            Some(key) => self.by_source_key(tx, key).await?.map(|s| s.value.id),
            None => None,
        };
        let approval = approve(Asked {
            id: ApprovalId::new(now, self.entropy()),
            plan: &row.plan,
            seen,
            by: Approver::Operator { id: by.id, name: by.name.clone(), person },
            requester: row.requester,
            person: self.person_of(tx, &persons, by).await?,
            conflicts,
            policies: if answer.allowed { answer.policies } else { Vec::new() },
            proof: Proof::Missing,
            tested: Vec::new(),
            valid_ms: i64::try_from(expires.duration_since(now).as_millis()).unwrap_or_default(),
            now,
        })?;
        let approval = self.sealed(approval);
        // Not whom it is about: that is nobody's business before it is fired.
        let mut record = self
            .record(RecordKind::Approved, "approve")
            .plan(plan)
            .fact("digest", approval.digest)
            .fact("expires", approval.expires)
            .fact("policies", &approval.policies);
        record.actor = Actor::Operator(by.name.clone());
        let update = Update::new(record).insert(&approval, self.entropy());
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        Ok((plan, approval.id))
    }

    /// The prepared plan, as plans are shown: drafted while it takes an approval that is not given.
    ///
    /// # Errors
    /// When there is none that the caller may see.
    pub async fn prepared(&self, plan: PlanId, by: &Operator) -> Result<PlanRow> {
        let (termination, approval) = self
            .termination(&plan.to_string(), by)
            .await
            .map_err(|_| EngineError::NotFound { kind: "plan", name: plan.to_string() })?;
        let row = as_row(termination);
        Ok(match approval {
            Some(approval) => PlanRow { state: PlanState::Waiting { approval: approval.id }, ..row },
            None => row,
        })
    }

    async fn approved_ahead(&self, tx: &mut dyn Tx, plan: PlanId) -> Result<Option<Stored<Approval>>> {
        let of = Select::from(Table::Approvals).filter(Filter::Is("plan", plan.to_string().into()));
        Ok(select::<Approval>(tx, self.tenant(), of).await?.pop())
    }

    async fn with_plan(&self, tx: &mut dyn Tx, plan: PlanId) -> Result<Option<Stored<Termination>>> {
        let of = Select::from(Table::Terminations).filter(Filter::Is("plan", plan.to_string().into()));
        Ok(select(tx, self.tenant(), of).await?.pop())
    }

    async fn armed_now(&self, tx: &mut dyn Tx, who: IdentityId) -> Result<Option<Stored<Termination>>> {
        let of = Select::from(Table::Terminations).filter(Filter::Is("open_key", who.to_string().into()));
        Ok(select(tx, self.tenant(), of).await?.pop())
    }

    /// Who the caller is, if they may arm.
    async fn terminator(&self, tx: &mut dyn Tx, by: &Operator) -> Result<Terminator> {
        let rights = self.catalogue(tx).await?.policies.rights(&by.name, &by.roles);
        if !rights.has(Right::Terminate) {
            return Err(TerminationRefusal::NotAllowed(by.name.clone()).into());
        }
        let persons = self.persons(tx).await?;
        let person = self.person_of(tx, &persons, by).await?.ok_or(TerminationRefusal::Unknown)?;
        Ok(Terminator { person, persons })
    }

    /// Whether it is the caller's own, or of somebody for whom they act.
    async fn hidden(&self, tx: &mut dyn Tx, terminator: &Terminator, who: IdentityId) -> Result<bool> {
        let identity = get::<Identity>(tx, self.tenant(), &who.to_string()).await?;
        Ok(identity.is_none_or(|s| terminator.is_own(&s.value.source_key.to_string())))
    }

    async fn find_all(&self, which: &[String], by: &Operator) -> Result<Vec<Stored<Termination>>> {
        let mut tx = self.read().await?;
        let terminator = self.terminator(&mut *tx, by).await?;
        drop(tx);
        let mut found: BTreeMap<TerminationId, Stored<Termination>> = BTreeMap::new();
        for name in which {
            let one = self.find_termination(&terminator, name).await?;
            found.insert(one.value.id, one);
        }
        Ok(found.into_values().collect())
    }

    /// By its id, by its plan, or by the person who is armed; else, who was fired last.
    async fn find_termination(&self, terminator: &Terminator, which: &str) -> Result<Stored<Termination>> {
        let missing = || EngineError::NotFound { kind: "termination", name: which.to_owned() };
        let found = if which.starts_with("trm_") {
            let mut tx = self.read().await?;
            get::<Termination>(&mut *tx, self.tenant(), which).await?
        } else if let Ok(plan) = which.parse::<PlanId>() {
            self.with_plan(&mut *self.read().await?, plan).await?
        } else {
            let who = self.find_identity(which).await?.value;
            let mut tx = self.read().await?;
            let ids = self.forwards(&mut *tx, &who).await?.into_iter().map(|other| other.value.id);
            let ids = ids.chain([who.id]).map(|id| id.to_string().into()).collect();
            let theirs = Select::from(Table::Terminations).filter(Filter::In("identity", ids));
            let theirs = select::<Termination>(&mut *tx, self.tenant(), theirs).await?;
            let armed = |t: &Termination| matches!(t.state, TerminationState::Armed { .. });
            theirs
                .into_iter()
                .max_by_key(|stored| (armed(&stored.value), stored.value.armed, stored.value.id))
        };
        let found = found.ok_or_else(missing)?;
        match self.hidden(&mut *self.read().await?, terminator, found.value.identity).await? {
            true => Err(missing()),
            false => Ok(found),
        }
    }

    /// A record about a termination that does not say who it is about.
    fn told(&self, kind: RecordKind, of: &Termination, by: &Operator) -> Record {
        let mut record = self.record(kind, "termination").plan(of.plan.id).fact("termination", of.id);
        record.actor = Actor::Operator(by.name.clone());
        record
    }
}

/// The same person, gone by the word of somebody here.
fn gone(identity: &Identity, now: Timestamp) -> Identity {
    let lifecycle = identity.lifecycle.left(Effective::at(now));
    let engagements = all_fired(identity, now);
    Identity { lifecycle, generation: identity.generation + 1, engagements, ..identity.clone() }
}

/// The prepared plan as the steps of the flow see plans.
fn as_row(of: Termination) -> PlanRow {
    let Termination { plan, digest, by, .. } = of;
    PlanRow { plan, digest, requester: Some(by), state: PlanState::Drafted }
}

fn end_of(termination: TerminationId, at: Timestamp) -> NewWork {
    Job::Disarm { termination }.work(None, None, Haste::Usual, at)
}
