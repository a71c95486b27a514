//! Step 4, approve: by a rule or by a person, on the same path.

use bailiwick_core::{
    approval::{Approval, Approver, Asked, Refusal, approve},
    case::Case,
    digest::Digest,
    event::{Event, EventKind, FIRED, MERGED},
    factor::Proof,
    gate::HUB,
    id::{ApprovalId, CaseId, IntegrationName, PlanId, RunId},
    identity::Identity,
    passkey::Purpose,
    plan::Plan,
    policy::{ApproverFacts, ApproverKind, Bulk, PolicyFault, PolicyId},
    record::{Actor, Record, RecordKind},
};
use bailiwick_store::{
    Filter, NewWork, Select, Table, Tx, Update,
    entities::{Charge, Operator, PlanRow, PlanState, Run, Step},
    get, select,
};

use crate::{Engine, EngineError, Haste, Job, Result, factor::Given, turn::GOVERN};

/// How long an approval by a rule can be used, milliseconds: it is used in the same transaction.
const RULE_VALID_MS: i64 = 60_000;
/// How long an approval by a person can be used, milliseconds.
const PERSON_VALID_MS: i64 = 8 * 3_600_000;

/// The cause of plans that end an exception, and the rule that approves them.
const EXCEPTION_END: &str = "exception-end";
const EXCEPTION_ENDS: &str = "hub-exception-ends";

/// The rule that approves the plans of those who were fired.
const TERMINATION_FIRES: &str = "hub-termination-fires";

/// The rule that approves for those who were joined or split what two people saw.
const PEOPLE_JOIN: &str = "hub-people-join";

/// Who decided on a plan, for callers.
pub type Decided = (PlanId, ApprovalId);

impl Engine {
    /// The rules' approval of a plan, used at once; `None` when they do not approve it. Fails when they
    /// cannot say.
    pub(crate) fn approve_by_rule(
        &self,
        bulk: &mut Bulk<'_>,
        row: &PlanRow,
        event: &Event,
    ) -> Result<Option<Approval>, PolicyFault> {
        let rule = ApproverFacts { kind: ApproverKind::Rule, name: "rule".into(), roles: Default::default() };
        let facts = row.plan.facts();
        let policies = match row.plan.cause.as_str() {
            // What was given until an end is taken at the end, whatever the policies say of removing.
            EXCEPTION_END if facts.removes_only => vec![PolicyId::new(EXCEPTION_ENDS)],
            // That they go was said by who may say it; what nobody approved to be deleted is not in the plan.
            FIRED if facts.removes_only => vec![PolicyId::new(TERMINATION_FIRES)],
            // Two people saw these changes and no others.
            MERGED if seen_before(&row.plan, event) => vec![PolicyId::new(PEOPLE_JOIN)],
            _ => {
                let answer = bulk.approves(&rule, facts)?;
                if answer.allowed { answer.policies } else { Vec::new() }
            }
        };
        if policies.is_empty() {
            return Ok(None);
        }
        let now = self.now();
        let asked = Asked {
            id: ApprovalId::new(now, self.entropy()),
            plan: &row.plan,
            seen: row.digest,
            by: Approver::Rule,
            requester: None,
            person: None,
            conflicts: Default::default(),
            policies,
            proof: Proof::NotEnrolled,
            tested: Vec::new(),
            valid_ms: RULE_VALID_MS,
            now,
        };
        Ok(approve(asked).and_then(|approval| approval.consume(&row.plan, now)).ok())
    }

    /// A person approves the plan whose digest they saw. Refused by core's hard rules, by the policies,
    /// and by the store when the plan has an approval already.
    pub async fn approve(&self, plan: PlanId, seen: Digest, by: &Operator) -> Result<Decided> {
        self.approve_with(plan, seen, by, None).await
    }

    /// The same with a code of the moment, for plans that take it.
    pub async fn approve_with(
        &self,
        plan: PlanId,
        seen: Digest,
        by: &Operator,
        code: Option<&str>,
    ) -> Result<Decided> {
        self.approve_given(plan, seen, by, code.into()).await
    }

    /// The same with whatever proves who approves: a code of the moment, or a passkey that signed for exactly this plan.
    pub async fn approve_given(
        &self,
        plan: PlanId,
        seen: Digest,
        by: &Operator,
        given: Given<'_>,
    ) -> Result<Decided> {
        let outcome = self.approve_as(plan, seen, by, given).await;
        if let Err(EngineError::Refused(refusal)) = &outcome {
            let record = self
                .record(RecordKind::Refused, "approve")
                .plan(plan)
                .fact("code", refusal.code())
                .fact("operator", by.id);
            let mut tx = self.begin().await?;
            tx.write(self.tenant(), vec![Update::new(record)], self.entropy()).await?;
            tx.commit().await?;
        }
        outcome
    }

    async fn approve_as(&self, id: PlanId, seen: Digest, by: &Operator, given: Given<'_>) -> Result<Decided> {
        let proof = self.proof_for(id, seen, by, given).await?;
        let mut tx = self.begin().await?;
        let decided = self.approve_in(&mut *tx, id, seen, by, proof).await?;
        tx.commit().await?;
        Ok(decided)
    }

    /// The same in a transaction that does more.
    pub(crate) async fn approve_in(
        &self,
        tx: &mut dyn Tx,
        id: PlanId,
        seen: Digest,
        by: &Operator,
        proof: Proof,
    ) -> Result<Decided> {
        let Some(asked) = get::<PlanRow>(tx, self.tenant(), &id.to_string()).await? else {
            return self.approve_ahead(tx, id, seen, by).await;
        };
        let stored = match asked.value.plan.governs {
            None => asked,
            Some(_) => {
                self.take_turn(tx, GOVERN).await?;
                get(tx, self.tenant(), &id.to_string()).await?.unwrap_or(asked)
            }
        };
        let catalogue = self.catalogue(tx).await?;
        let now = self.now();
        match &stored.value.state {
            PlanState::Drafted => {}
            PlanState::Superseded { .. } => return Err(Refusal::Superseded.into()),
            PlanState::Waiting { .. } | PlanState::Approved { .. } | PlanState::Done { .. } => {
                return Err(Refusal::Used(now).into());
            }
        }
        if let Some(refusal) = self.barred(tx, &stored.value.plan).await? {
            return Err(refusal.into());
        }
        let (persons, conflicts) = self.conflicts(tx, &stored.value).await?;
        let approver = self.person_of(tx, &persons, by).await?;
        let person = match &by.person {
            Some(key) => self.by_source_key(tx, key).await?.map(|s| s.value.id),
            None => None,
        };
        let facts =
            ApproverFacts { kind: ApproverKind::Operator, name: by.name.clone(), roles: by.roles.clone() };
        let answer = catalogue
            .policies
            .approves(&facts, &stored.value.plan.facts())
            .map_err(|fault| EngineError::Undecidable(fault.to_string()))?;
        let approval = approve(Asked {
            id: ApprovalId::new(now, self.entropy()),
            plan: &stored.value.plan,
            seen,
            by: Approver::Operator { id: by.id, name: by.name.clone(), person },
            requester: stored.value.requester,
            person: approver,
            conflicts,
            policies: if answer.allowed { answer.policies } else { Vec::new() },
            proof,
            tested: self.tested(tx, &stored.value).await?,
            valid_ms: PERSON_VALID_MS,
            now,
        })?;
        if stored.value.plan.governs.is_some() {
            let given = self.approve_governed(tx, stored, approval).await?;
            return Ok((id, given));
        }
        if stored.value.plan.stay.is_some() {
            let given = approval.id;
            self.stay_approved(tx, stored, approval).await?;
            return Ok((id, given));
        }
        if stored.value.plan.joint.is_some() {
            let given = approval.id;
            self.joint_approved(tx, stored, approval).await?;
            return Ok((id, given));
        }
        self.give_exception(tx, &stored.value.plan, &approval, by).await?;
        let approval = approval.consume(&stored.value.plan, now)?;
        let approval_id = approval.id;
        // What only stays needs nothing to be sent.
        let state = match stored.value.plan.changes.is_empty() {
            true => PlanState::Done { approval: approval.id },
            false => PlanState::Approved { approval: approval.id },
        };
        let row = PlanRow { state, ..stored.value };
        let open = Select::from(Table::Cases)
            .filter(Filter::Is("identity", row.plan.decision.identity.to_string().into()))
            .filter(Filter::Is("state", "open".into()));
        let case = select::<Case>(tx, self.tenant(), open).await?.pop().map(|s| s.value.id);
        let (update, jobs) = self.approved(&row, approval, case);
        let update = update.replace(&row, stored.revision, self.entropy());
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        self.enqueue(tx, jobs).await?;
        Ok((id, approval_id))
    }

    /// What proves who approves, for a plan that takes it; a code that is not asked for is not used up. What a passkey
    /// signs is looked at whenever it is there: it says what was seen.
    async fn proof_for(&self, id: PlanId, seen: Digest, by: &Operator, given: Given<'_>) -> Result<Proof> {
        let mut tx = self.read().await?;
        let stored = get::<PlanRow>(&mut *tx, self.tenant(), &id.to_string()).await?;
        drop(tx);
        let needed = stored.is_some_and(|s| s.value.plan.needs_step_up());
        if !needed && !matches!(given, Given::Passkey(..)) {
            return Ok(Proof::Missing);
        }
        let proof = self.prove(by, given, Some(Purpose::Approve(by.id, seen))).await?;
        if let Proof::Passkey(refusal) = proof {
            return Err(Refusal::Passkey(refusal).into());
        }
        Ok(proof)
    }

    /// What follows from an approval: the approval itself, a run for each system, and their work.
    pub(crate) fn approved(
        &self,
        row: &PlanRow,
        approval: Approval,
        case: Option<CaseId>,
    ) -> (Update, Vec<NewWork>) {
        let plan = &row.plan;
        let now = self.now();
        let approval = self.sealed(approval);
        let mut record = self.approval_record(plan, &approval);
        record.case = case;
        let haste = match plan.is_of_leaver() {
            true => Haste::Leaver,
            false => Haste::soon_if(plan.facts().removes_only),
        };
        let mut update = Update::new(record).insert(&approval, self.entropy());
        let mut jobs = Vec::new();
        for system in plan.systems() {
            let of_system = plan.changes.iter().filter(|c| c.system == system);
            let run = Run {
                id: RunId::new(now, self.entropy()),
                plan: plan.id,
                identity: plan.decision.identity,
                event: plan.decision.event,
                generation: plan.decision.generation,
                steps: of_system.clone().map(|c| (c.seq, Step::Waiting)).collect(),
                external_id: of_system.clone().find_map(|c| match &c.target {
                    bailiwick_core::plan::Target::Known { external_id, .. } => Some(external_id.clone()),
                    bailiwick_core::plan::Target::New { .. } => None,
                }),
                system,
                // Who was fired was let go by a person: no budget has to have room for it.
                charge: if plan.cause == FIRED { Charge::Released { at: now } } else { Charge::None },
            };
            update = update.insert(&run, self.entropy());
            jobs.push(Job::Apply { run: run.id }.work(Some(run.identity), Some(&run.system), haste, now));
        }
        (update, jobs)
    }

    /// Why nothing of the run may be sent: its plan is not approved, not by us, or not this plan.
    pub(crate) async fn unapproved(
        &self,
        tx: &mut dyn Tx,
        row: &PlanRow,
        run: &Run,
    ) -> Result<Option<&'static str>> {
        let PlanState::Approved { approval } = &row.state else {
            // What was sent before is still settled.
            return Ok(run.steps.values().any(|s| *s == Step::Waiting).then_some("approval-missing"));
        };
        let kept = get::<Approval>(tx, self.tenant(), &approval.to_string()).await?;
        Ok(match kept.map(|k| k.value) {
            None => Some("approval-missing"),
            Some(approval) if !self.genuine(&approval) => Some("approval-forged"),
            Some(approval) if approval.plan != row.plan.id || approval.digest != row.plan.digest() => {
                Some("approval-digest-mismatch")
            }
            Some(_) => None,
        })
    }

    /// The record of an approval.
    pub(crate) fn approval_record(&self, plan: &Plan, approval: &Approval) -> Record {
        let mut record = self
            .record(RecordKind::Approved, "approve")
            .event(plan.decision.event)
            .identity(plan.decision.identity)
            .plan(plan.id)
            .fact("digest", approval.digest)
            .fact("expires", approval.expires)
            .fact("policies", &approval.policies);
        record.actor = match &approval.by {
            Approver::Rule => Actor::Policy(
                approval.policies.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            ),
            Approver::Operator { name, .. } => Actor::Operator(name.clone()),
        };
        record
    }

    /// The approval with the seal that only a hub with this key can make.
    pub(crate) fn sealed(&self, approval: Approval) -> Approval {
        let seal = self.parts.broker.attest(&approval.sealed_bytes());
        Approval { seal, ..approval }
    }

    /// Whether this hub, or another with its key, made the approval and nobody has touched it since.
    pub(crate) fn genuine(&self, approval: &Approval) -> bool {
        self.parts.broker.attested(&approval.sealed_bytes(), &approval.seal)
    }

    /// Who is known by this key, as their own or besides.
    pub(crate) async fn by_source_key(
        &self,
        tx: &mut dyn Tx,
        key: &str,
    ) -> Result<Option<bailiwick_store::Stored<Identity>>> {
        let asked = Select::from(Table::Identities).filter(Filter::Is("source_key", key.into()));
        match select(tx, self.tenant(), asked).await?.pop() {
            Some(stored) => self.followed(tx, stored).await,
            None => Ok(None),
        }
    }

    /// A record about an integration. It is an identity, so whoever asks what happened to that finds the record.
    pub(crate) async fn record_of(
        &self,
        tx: &mut dyn Tx,
        (kind, step): (RecordKind, &str),
        name: &IntegrationName,
    ) -> Result<Record> {
        let mut record = self.record(kind, step).fact("integration", name);
        let known = self.by_source_key(tx, &format!("{HUB}/{name}")).await?;
        record.identity = known.map(|stored| stored.value.id);
        Ok(record)
    }
}

/// Whether the plan holds exactly what two people saw, who said that somebody is joined or split.
fn seen_before(plan: &Plan, event: &Event) -> bool {
    matches!(&event.kind, EventKind::Merged { seen, .. } if plan.shown() == *seen)
}
