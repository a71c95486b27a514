//! Governing the hub: what is declared becomes events, decisions and plans on the system that the hub is.
//!
//! The same steps as for people: an event is accepted for the identity that an integration is, plans are drafted,
//! rules or people approve them, and what is approved takes effect ([`crate::activate`]). Only two built-in
//! rules approve without a second person: the only administrator of a new hub may set it up, until a date
//! that a finding says; and one authorised person may always take something away.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    approval::{Approval, Approver, Asked, approve},
    authority::{self, Class, Semantics, Touch, World},
    event::{Cause, Event, EventKind},
    gate::{Gate, Gates, HUB, Permit, Shut},
    govern::{self, Declaration, bootstrap, less_takes_one},
    id::{ApprovalId, EventId, IdentityId, IntegrationName, OperatorId, PlanId, SourceName},
    identity::{Identity, IdentityKind, Lifecycle, SourceKey},
    integration::{Integration, Register, Role, Standing},
    person::{Conflict, Persons},
    plan::{Plan, Question},
    policy::PolicySet,
    record::{Actor, RecordKind},
    scope::Scope,
    time::{Effective, SignedDuration},
};
use bailiwick_store::{
    Filter, Select, Stored, Table, Tx, Update,
    entities::{Operator, PlanRow, PlanState},
    get, select,
};

use crate::{
    Catalogue, Engine, Requester, Result, Waiting,
    configure::{Declared, Difference},
    invite::persons_in,
};

/// How long an approval by the hub's own rules can be used, milliseconds; it is used at once.
const VALID_MS: i64 = 60_000;
/// How long a single administrator may set a hub up, hours.
const BOOTSTRAP_HOURS: i64 = 14 * 24;
/// The finding that says so.
const BOOTSTRAP: &str = "hub-bootstrap";

impl Engine {
    /// Drafts a plan for each thing that differs, lets the rules approve, and puts in force what can be.
    /// Gives what waits for people.
    pub(crate) async fn propose(
        &self,
        tx: &mut dyn Tx,
        difference: Difference,
        policies: &PolicySet,
        by: &Requester,
    ) -> Result<Vec<Waiting>> {
        let Difference { before, wanted, integrations, .. } = difference;
        let mut rows = Vec::new();
        if !wanted.is_empty() {
            let now = self.now();
            let make = |event: &Event, identity: &Identity| {
                let id = PlanId::new(now, self.entropy());
                let who = (identity.id, identity.generation, policies.version());
                vec![govern::configuration(id, event, who, &before, &wanted, now)]
            };
            rows.extend(self.draft(tx, &hub(), Cause::Configuration, None, by, make).await?);
        }
        for declared in integrations {
            self.request_transfers(tx, &declared, by).await?;
            rows.extend(self.draft_integration(tx, &declared, policies, by).await?);
        }
        self.decide_governed(tx, rows, by).await
    }

    /// Lets the rules approve what they may, puts in force what can be, and gives what waits.
    pub(crate) async fn decide_governed(
        &self,
        tx: &mut dyn Tx,
        rows: Vec<PlanRow>,
        by: &Requester,
    ) -> Result<Vec<Waiting>> {
        let alone = self.bootstrapping(tx).await?;
        let mut waiting = Vec::new();
        for row in rows {
            let given = match self.barred(tx, &row.plan).await? {
                Some(_) => None,
                None => self.built_in(&row, by, alone)?,
            };
            match given {
                Some(approval) => self.keep_approval(tx, row, 1, approval).await?,
                None => waiting.extend(row.plan.governs.map(|governs| Waiting {
                    plan: row.plan.id,
                    subject: governs.subject,
                    question: governs.question,
                })),
            }
        }
        self.activate(tx).await?;
        Ok(waiting)
    }

    pub(crate) async fn draft_integration(
        &self,
        tx: &mut dyn Tx,
        declared: &Declared,
        policies: &PolicySet,
        by: &Requester,
    ) -> Result<Vec<PlanRow>> {
        let Declared { before, wanted, authority } = declared;
        let before = before.as_ref().map(|stored| &stored.value);
        let Some(of) = wanted.as_ref().or(before) else { return Ok(Vec::new()) };
        let Some(cause) = govern::cause(before, wanted.as_ref()) else { return Ok(Vec::new()) };
        let now = self.now();
        let make = |event: &Event, identity: &Identity| {
            let declaration = Declaration {
                event,
                identity: identity.id,
                generation: identity.generation,
                policy: policies.version(),
                name: &of.name,
                before,
                wanted: wanted.as_ref(),
                authority,
                now,
            };
            declaration.plans(|| PlanId::new(now, self.entropy()))
        };
        self.draft(tx, &of.name, cause, Some(of), by, make).await
    }

    /// Accepts the event and drafts its plans; what older plans of the same subject have not done is void.
    pub(crate) async fn draft(
        &self,
        tx: &mut dyn Tx,
        subject: &IntegrationName,
        cause: Cause,
        of: Option<&Integration>,
        by: &Requester,
        make: impl FnOnce(&Event, &Identity) -> Vec<Plan>,
    ) -> Result<Vec<PlanRow>> {
        let now = self.now();
        let key = SourceKey { source: hub_source(), key: subject.to_string() };
        let known = self.by_source_key(tx, &key.to_string()).await?;
        let (id, revision, generation) = match &known {
            Some(stored) => (stored.value.id, Some(stored.revision), stored.value.generation + 1),
            None => (IdentityId::new(now, self.entropy()), None, 1),
        };
        let lifecycle = match cause {
            Cause::Retirement => Lifecycle::Left { at: Effective::at(now), kept_out: None },
            Cause::Registration
            | Cause::Widening
            | Cause::Narrowing
            | Cause::Withdrawal
            | Cause::Configuration
            | Cause::Review => Lifecycle::Active { ends: None },
        };
        let owner = of.and_then(|i| i.owner.split_once('/'));
        let owner = owner.and_then(|(source, key)| {
            Some(SourceKey { source: SourceName::new(source).ok()?, key: key.to_owned() })
        });
        let kind = IdentityKind::Integration;
        let attributes = BTreeMap::new();
        let (engagements, cancelled) = (Vec::new(), Vec::new());
        let identity = Identity {
            id,
            kind,
            source_key: key,
            attributes,
            lifecycle,
            owner,
            generation,
            engagements,
            cancelled,
            said: None,
        };
        let what = format!("{} of {subject}", cause.as_str());
        let event = Event {
            id: EventId::new(now, self.entropy()),
            source: HUB.into(),
            key: format!("{subject}/{generation}"),
            identity: id,
            kind: EventKind::Governed { cause, what },
            effective: Effective::at(now),
            accepted: now,
        };
        let plans = make(&event, &identity);
        let mut updates = vec![self.accepted(by.actor.clone(), &event, &identity, revision)];
        updates.extend(self.void_older(tx, &identity).await?);
        let requester = by.operator.as_ref().map(|operator| operator.id);
        let mut rows = Vec::new();
        for plan in plans {
            let digest = plan.digest();
            let row = PlanRow { plan, digest, requester, state: PlanState::Drafted };
            updates.push(self.drafted(&row, &event));
            rows.push(row);
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        Ok(rows)
    }

    fn drafted(&self, row: &PlanRow, event: &Event) -> Update {
        let plan = &row.plan;
        let mut record = self
            .record(RecordKind::Planned, "plan")
            .event(event.id)
            .identity(plan.decision.identity)
            .plan(plan.id)
            .fact("cause", &plan.cause)
            .fact("changes", plan.changes.iter().map(|c| c.op.words()).collect::<Vec<_>>())
            .fact("digest", row.digest)
            .fact("policy_version", plan.decision.policy)
            .fact("rests_on", plan.rests_on);
        if let Some(governs) = &plan.governs {
            record = record
                .fact("class", governs.class)
                .fact("question", governs.question)
                .fact("subject", &governs.subject);
        }
        if let Some(authority) = plan.certifies() {
            record = record.fact("authority", authority.digest());
        }
        Update::new(record).insert(row, self.entropy())
    }

    async fn void_older(&self, tx: &mut dyn Tx, identity: &Identity) -> Result<Vec<Update>> {
        let open = vec!["drafted".into(), "waiting".into()];
        let asked = Select::from(Table::Plans)
            .filter(Filter::Is("identity", identity.id.to_string().into()))
            .filter(Filter::In("state", open));
        let older = select::<PlanRow>(tx, self.tenant(), asked).await?;
        Ok(older.into_iter().map(|stored| self.void(stored, identity.generation)).collect())
    }

    /// Takes a plan back that nothing was done of.
    pub(crate) fn void(&self, stored: Stored<PlanRow>, by: u64) -> Update {
        let row = PlanRow { state: PlanState::Superseded { by }, ..stored.value };
        let record = self
            .record(RecordKind::Superseded, "plan")
            .identity(row.plan.decision.identity)
            .plan(row.plan.id)
            .event(row.plan.decision.event);
        Update::new(record).replace(&row, stored.revision, self.entropy())
    }

    /// The approval that the hub's own rules give, if they do.
    fn built_in(&self, row: &PlanRow, by: &Requester, alone: bool) -> Result<Option<Approval>> {
        let less = row.plan.governs.as_ref().is_some_and(|g| g.question == Question::Less);
        let policy = match (&by.operator, alone, less) {
            (_, true, _) => bootstrap(),
            (Some(_), false, true) => less_takes_one(),
            (None, false, true) | (_, false, false) => return Ok(None),
        };
        let now = self.now();
        let asked = Asked {
            id: ApprovalId::new(now, self.entropy()),
            plan: &row.plan,
            seen: row.digest,
            by: Approver::Rule,
            requester: row.requester,
            person: None,
            conflicts: BTreeMap::new(),
            policies: vec![policy],
            proof: bailiwick_core::factor::Proof::NotEnrolled,
            tested: Vec::new(),
            valid_ms: VALID_MS,
            now,
        };
        Ok(Some(approve(asked)?))
    }

    /// Keeps an approval of a plan about the hub; the plan then waits to take effect.
    pub(crate) async fn keep_approval(
        &self,
        tx: &mut dyn Tx,
        row: PlanRow,
        revision: i64,
        approval: Approval,
    ) -> Result<()> {
        let approval = self.sealed(approval);
        let row = PlanRow { state: PlanState::Waiting { approval: approval.id }, ..row };
        let record = self.approval_record(&row.plan, &approval);
        let update =
            Update::new(record).insert(&approval, self.entropy()).replace(&row, revision, self.entropy());
        Ok(tx.write(self.tenant(), vec![update], self.entropy()).await?)
    }

    /// A person's approval of a plan about the hub. Whoever gave the other gate may not give this one.
    pub(crate) async fn approve_governed(
        &self,
        tx: &mut dyn Tx,
        stored: Stored<PlanRow>,
        approval: Approval,
    ) -> Result<ApprovalId> {
        let id = approval.id;
        self.keep_approval(tx, stored.value, stored.revision, approval).await?;
        self.activate(tx).await?;
        Ok(id)
    }

    /// Everybody who may not approve the plan, and why.
    pub(crate) async fn conflicts(
        &self,
        tx: &mut dyn Tx,
        row: &PlanRow,
    ) -> Result<(Persons, BTreeMap<String, Conflict>)> {
        let persons = self.persons(tx).await?;
        let mut own: Vec<(String, Conflict)> = Vec::new();
        own.extend(self.part_of(tx, row.requester, Conflict::Requester).await?);
        let identity = get::<Identity>(tx, self.tenant(), &row.plan.decision.identity.to_string()).await?;
        if let Some(identity) = identity {
            own.push((identity.value.source_key.to_string(), Conflict::Beneficiary));
            own.extend(identity.value.owner.map(|owner| (owner.to_string(), Conflict::Owner)));
        }
        own.extend(row.plan.joint.iter().map(|joint| (joint.key.to_string(), Conflict::Beneficiary)));
        own.extend(persons_in(&row.plan).into_iter().map(|person| (person, Conflict::Beneficiary)));
        if let Some(governs) = &row.plan.governs {
            own.extend(governs.owners.iter().map(|owner| (owner.clone(), Conflict::Owner)));
            own.extend(self.other_gate(tx, row).await?.map(|person| (person, Conflict::OtherGate)));
        }
        let all = persons.conflicts(own.iter().map(|(who, why)| (who.as_str(), *why)));
        Ok((persons, all))
    }

    /// The person that an operator is, with the part that they had; nothing where that is not known.
    pub(crate) async fn part_of(
        &self,
        tx: &mut dyn Tx,
        operator: Option<OperatorId>,
        part: Conflict,
    ) -> Result<Option<(String, Conflict)>> {
        let Some(operator) = operator else { return Ok(None) };
        let known = get::<Operator>(tx, self.tenant(), &operator.to_string()).await?;
        Ok(known.and_then(|stored| stored.value.person).map(|person| (person, part)))
    }

    /// The person who opened the other gate of the same declaration.
    async fn other_gate(&self, tx: &mut dyn Tx, row: &PlanRow) -> Result<Option<String>> {
        let asked = Select::from(Table::Plans)
            .filter(Filter::Is("identity", row.plan.decision.identity.to_string().into()));
        let siblings = select::<PlanRow>(tx, self.tenant(), asked).await?;
        for sibling in siblings.into_iter().map(|s| s.value) {
            let other = sibling.plan.id != row.plan.id
                && sibling.plan.decision.generation == row.plan.decision.generation;
            let (PlanState::Waiting { approval } | PlanState::Done { approval }) = sibling.state else {
                continue;
            };
            if !other {
                continue;
            }
            let Some(approval) = get::<Approval>(tx, self.tenant(), &approval.to_string()).await? else {
                continue;
            };
            if let Approver::Operator { id, .. } = approval.value.by {
                let operator = get::<Operator>(tx, self.tenant(), &id.to_string()).await?;
                return Ok(operator.and_then(|o| o.value.person));
            }
        }
        Ok(None)
    }

    /// The person that an operator is, as long as they are here.
    pub(crate) async fn person_of(
        &self,
        tx: &mut dyn Tx,
        persons: &Persons,
        by: &Operator,
    ) -> Result<Option<String>> {
        let Some(person) = &by.person else { return Ok(None) };
        let known = self.by_source_key(tx, person).await?;
        let left = known.is_some_and(|s| matches!(s.value.lifecycle, Lifecycle::Left { .. }));
        Ok((!left).then(|| persons.resolve(person)))
    }

    /// Takes gates back, alone or both. One authorised person is enough; in force at once.
    pub async fn withdraw(
        &self,
        integration: &IntegrationName,
        gates: &[Gate],
        by: impl Into<Requester>,
    ) -> Result<Vec<Waiting>> {
        self.amend(integration, Cause::Withdrawal, by.into(), |declaration, _, id| {
            Some(declaration.withdraw(id, gates.iter().copied()))
        })
        .await
    }

    /// Asks again for the gate of what is in force that is shut: the first, or else the second with the authority
    /// as it is computed now.
    pub async fn recertify(
        &self,
        integration: &IntegrationName,
        by: impl Into<Requester>,
    ) -> Result<Vec<Waiting>> {
        self.amend(integration, Cause::Widening, by.into(), |declaration, permit, id| match permit.reads {
            Err(Shut::NotApproved) => declaration.reopen(id, Cause::Widening),
            Ok(()) | Err(_) => declaration.certify(id, Cause::Widening),
        })
        .await
    }

    pub(crate) async fn amend(
        &self,
        name: &IntegrationName,
        cause: Cause,
        by: Requester,
        make: impl FnOnce(&Declaration<'_>, &Permit, PlanId) -> Option<Plan>,
    ) -> Result<Vec<Waiting>> {
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let integration = catalogue.integration(name)?;
        let rows = self.amended(&mut *tx, &catalogue, integration, cause, &by, make).await?;
        let waiting = self.decide_governed(&mut *tx, rows, &by).await?;
        tx.commit().await?;
        Ok(waiting)
    }

    /// Drafts a plan about what is declared of an integration as it is.
    pub(crate) async fn amended(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        integration: &Integration,
        cause: Cause,
        by: &Requester,
        make: impl FnOnce(&Declaration<'_>, &Permit, PlanId) -> Option<Plan>,
    ) -> Result<Vec<PlanRow>> {
        let name = &integration.name;
        let authority = catalogue.authority(name).cloned().unwrap_or_default();
        let now = self.now();
        self.draft(tx, name, cause, Some(integration), by, |event, identity| {
            let declaration = Declaration {
                event,
                identity: identity.id,
                generation: identity.generation,
                policy: catalogue.policies.version(),
                name,
                before: Some(integration),
                wanted: Some(integration),
                authority: &authority,
                now,
            };
            make(&declaration, &catalogue.permit(name), PlanId::new(now, self.entropy()))
                .into_iter()
                .collect()
        })
        .await
    }

    /// Whether a single administrator still sets this hub up. It ends for good with a second one, and at the
    /// deadline of the finding.
    pub(crate) async fn bootstrapping(&self, tx: &mut dyn Tx) -> Result<bool> {
        let operators = select::<Operator>(tx, self.tenant(), Select::from(Table::Operators)).await?;
        if operators.iter().filter(|o| o.value.roles.contains("admin")).count() > 1 {
            return Ok(false);
        }
        let finding = self.open_with(tx, &format!("{BOOTSTRAP}:{HUB}")).await?;
        Ok(finding.is_none_or(|f| f.value.deadline > self.now()))
    }

    /// The hub is its own most authoritative integration, from the first administrator on.
    pub(crate) async fn register_hub(&self, tx: &mut dyn Tx, owner: &Operator) -> Result<()> {
        let catalogue = self.catalogue(tx).await?;
        if catalogue.integrations.contains_key(&hub()) || !owner.roles.contains("admin") {
            return Ok(());
        }
        let wanted = own_declaration(owner);
        let world =
            World { semantics: &Semantics::default(), entitlements: &[], policies: &[], automations: &[] };
        let authority = authority::compute(&wanted, world);
        let declared = Declared { before: None, wanted: Some(wanted), authority };
        let by = Requester::from(Actor::Hub("init".into()));
        let rows = self.draft_integration(tx, &declared, &catalogue.policies, &by).await?;
        self.decide_governed(tx, rows, &by).await.map(drop)
    }

    /// What an operator who is added makes of the bootstrap: the first administrator begins it, the second ends it.
    pub(crate) async fn note_bootstrap(&self, tx: &mut dyn Tx, added: &Operator) -> Result<Vec<Update>> {
        if !added.roles.contains("admin") {
            return Ok(Vec::new());
        }
        let operators = select::<Operator>(tx, self.tenant(), Select::from(Table::Operators)).await?;
        if operators.iter().any(|o| o.value.roles.contains("admin")) {
            return Ok(self.close_finding(tx, BOOTSTRAP, HUB).await?.into_iter().collect());
        }
        let wrong = crate::finding::Wrong {
            code: BOOTSTRAP,
            subject: HUB.into(),
            identity: None,
            system: None,
            message: format!(
                "`{}` is the only administrator and needs nobody's approval until the deadline: add a second \
                 one with `bailiwick operator add NAME --role admin --person SOURCE/KEY`, and one for each gate",
                added.name
            ),
            owner: added.name.clone(),
        };
        Ok(self
            .open_finding_within(tx, wrong, SignedDuration::from_hours(BOOTSTRAP_HOURS))
            .await?
            .into_iter()
            .collect())
    }
}

/// What the hub declares of itself.
fn own_declaration(owner: &Operator) -> Integration {
    let scope = Scope { acts: BTreeSet::from([Touch::Identity]), ..Scope::default() };
    let register = Register {
        boundary: "this installation: its store, its log and its key file".into(),
        data_flows: vec!["people from their sources into the store, and on to systems".into()],
        privilege_flows: vec!["what policies decide, to every system that is connected".into()],
        vendor: "bailiwick".into(),
        class: Some(Class::Authoritative),
        ..Register::default()
    };
    Integration {
        name: hub(),
        purpose: "decides who holds what, and changes it".into(),
        owner: owner.person.clone().unwrap_or_else(|| owner.name.clone()),
        backup: "the second administrator".into(),
        connector: "manual".into(),
        endpoint: "person:".into(),
        role: Role::Partner { system: None },
        register,
        scope,
        settings: serde_json::json!({}),
        standing: Standing::Enabled,
        gates: Gates::default(),
        kill: None,
    }
}

/// The name under which the hub is an integration of itself.
pub(crate) fn hub() -> IntegrationName {
    // A constant that is a name; a test says so.
    IntegrationName::new(HUB).unwrap_or_else(|_| unreachable!("`{HUB}` is a name"))
}

pub(crate) fn hub_source() -> SourceName {
    SourceName::new(HUB).unwrap_or_else(|_| unreachable!("`{HUB}` is a name"))
}
