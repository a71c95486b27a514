//! Steps 2 and 3, decide and plan: what should be, and what takes the world there.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    account::Account,
    case::Case,
    decide::{self, Catalogue as Declared},
    event::{Event, EventKind},
    id::{AccountId, CaseId, EventId, IdentityId, PlanId, SystemName},
    identity::{Identity, Lifecycle},
    plan::{self, Decision, Inputs, KnownAccount, Plan, Standpoint, Sweep},
    policy::Bulk,
    record::RecordKind,
};
use bailiwick_store::{
    Filter, KeyValue, NewWork, Select, Stored, Table, Tx, Update, Work,
    entities::{PlanRow, PlanState, Run, Step},
    select,
};

use crate::{Catalogue, Engine, Job, Result, finding::Wrong};

/// How many identities are decided in one transaction.
const CHUNK: usize = 512;
/// How many identities a change of the rules looks at in one item.
const REDECIDE: u32 = 512;
/// When to look again at systems whose last change is not settled yet, milliseconds.
const UNSETTLED_MS: i64 = 2_000;

/// One item to decide.
type Item = (Work, IdentityId, EventId);

/// What is known of the identities of a chunk, read at once.
struct Known {
    identities: BTreeMap<IdentityId, Stored<Identity>>,
    events: BTreeMap<EventId, Event>,
    accounts: BTreeMap<IdentityId, Vec<Account>>,
    runs: BTreeMap<IdentityId, Vec<Stored<Run>>>,
    drafts: BTreeMap<IdentityId, Vec<Stored<PlanRow>>>,
    cases: BTreeMap<IdentityId, Case>,
}

/// What deciding one identity wants written.
#[derive(Default)]
struct Outcome {
    updates: Vec<Update>,
    jobs: Vec<NewWork>,
    wrongs: Vec<Wrong>,
    /// Findings that are no longer true: code and subject.
    mended: Vec<(&'static str, String)>,
}

impl Engine {
    /// Decides and plans for all items, in groups.
    pub(crate) async fn decide_all(&self, items: Vec<Item>) -> Result<()> {
        for chunk in items.chunks(CHUNK) {
            let outcome = self.decide_chunk(chunk).await;
            if outcome.is_ok() {
                continue;
            }
            // One of them is in the way of the others: each by itself.
            for item in chunk {
                let outcome = self.decide_chunk(std::slice::from_ref(item)).await;
                self.settle(&item.0, outcome).await?;
            }
        }
        Ok(())
    }

    async fn decide_chunk(&self, items: &[Item]) -> Result<()> {
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let known = self.know(&mut *tx, items).await?;
        let mut all = Outcome::default();
        let mut bulk = catalogue.policies.bulk();
        let mut done = BTreeSet::new();
        for (_, identity, event) in items {
            let (Some(stored), Some(event)) = (known.identities.get(identity), known.events.get(event))
            else {
                continue;
            };
            if !done.insert((*identity, event.id)) {
                continue;
            }
            self.decide_one(&catalogue, &mut bulk, &known, &stored.value, event, &mut all);
        }
        for wrong in all.wrongs {
            all.updates.extend(self.open_finding(&mut *tx, wrong).await?);
        }
        all.updates.extend(self.close_findings(&mut *tx, &all.mended).await?);
        tx.write(self.tenant(), all.updates, self.entropy()).await?;
        self.enqueue(&mut *tx, all.jobs).await?;
        let works: Vec<Work> = items.iter().map(|(item, ..)| item.clone()).collect();
        tx.finish_all(self.tenant(), &works).await?;
        Ok(tx.commit().await?)
    }

    async fn know(&self, tx: &mut dyn Tx, items: &[Item]) -> Result<Known> {
        let ids: BTreeSet<IdentityId> = items.iter().map(|(_, identity, _)| *identity).collect();
        let texts = || ids.iter().map(|i| i.to_string().into()).collect::<Vec<_>>();
        let of = |table| Select::from(table).filter(Filter::In("identity", texts()));
        let by_state = |table, state: &str| of(table).filter(Filter::Is("state", state.into()));
        let with_id = |table, ids: Vec<KeyValue>| Select::from(table).filter(Filter::In("id", ids));
        let identities = select::<Identity>(tx, self.tenant(), with_id(Table::Identities, texts())).await?;
        let events = items.iter().map(|(_, _, event)| event.to_string().into()).collect();
        let events = select::<Event>(tx, self.tenant(), with_id(Table::Events, events)).await?;
        let mut known = Known {
            identities: identities.into_iter().map(|s| (s.value.id, s)).collect(),
            events: events.into_iter().map(|s| (s.value.id, s.value)).collect(),
            accounts: BTreeMap::new(),
            runs: BTreeMap::new(),
            drafts: BTreeMap::new(),
            cases: BTreeMap::new(),
        };
        for stored in select::<Account>(tx, self.tenant(), of(Table::Accounts)).await? {
            if let Some(identity) = stored.value.identity {
                known.accounts.entry(identity).or_default().push(stored.value);
            }
        }
        for stored in select::<Run>(tx, self.tenant(), by_state(Table::Runs, "running")).await? {
            known.runs.entry(stored.value.identity).or_default().push(stored);
        }
        for stored in select::<PlanRow>(tx, self.tenant(), by_state(Table::Plans, "drafted")).await? {
            known.drafts.entry(stored.value.plan.decision.identity).or_default().push(stored);
        }
        for stored in select::<Case>(tx, self.tenant(), by_state(Table::Cases, "open")).await? {
            known.cases.insert(stored.value.identity, stored.value);
        }
        Ok(known)
    }

    fn decide_one(
        &self,
        catalogue: &Catalogue,
        bulk: &mut Bulk<'_>,
        known: &Known,
        identity: &Identity,
        event: &Event,
        out: &mut Outcome,
    ) {
        let now = self.now();
        let subject = identity.id.to_string();
        let decision = match judge(catalogue, bulk, identity, event) {
            Ok(decision) => decision,
            Err(message) => {
                out.wrongs.push(Wrong {
                    code: "identity-undecidable",
                    subject,
                    identity: Some(identity.id),
                    system: None,
                    message,
                    owner: "operator".into(),
                });
                return;
            }
        };
        out.mended.push(("identity-undecidable", subject));
        let unsettled = self.supersede(known, identity, out);
        let case = self.open_case(known, identity, event, out);
        let accounts = known.accounts.get(&identity.id).map(Vec::as_slice).unwrap_or_default();
        let standpoints = standpoints(&decision, accounts, &unsettled);
        let planned = plan::make(Inputs {
            id: PlanId::new(now, self.entropy()),
            event,
            decision,
            marker: identity.source_key.to_string(),
            known: &standpoints,
            rules: &catalogue.rules,
            sweep: sweep(identity, event, catalogue),
            new_account: &mut || AccountId::new(now, self.entropy()),
            now,
        });
        out.updates.push(self.decided(identity, event, &planned));
        for missing in &planned.missing {
            out.wrongs.push(self.missing(catalogue, missing));
        }
        if !planned.changes.is_empty() {
            self.plan_row(catalogue, planned, case, event, out);
        }
        if !unsettled.is_empty() {
            let again = now.saturating_add(bailiwick_core::time::SignedDuration::from_millis(UNSETTLED_MS));
            let job = Job::Decide { identity: identity.id, event: event.id };
            out.jobs.push(job.work(None, None, identity_left(identity), again.unwrap_or(now)));
        }
    }

    /// Takes back what older plans have not begun. Gives the systems where a change is still under way
    /// or its outcome is not known: nothing can be planned there yet.
    fn supersede(&self, known: &Known, identity: &Identity, out: &mut Outcome) -> BTreeSet<SystemName> {
        let mut unsettled = BTreeSet::new();
        for draft in known.drafts.get(&identity.id).into_iter().flatten() {
            if draft.value.plan.decision.generation >= identity.generation {
                continue;
            }
            let state = PlanState::Superseded { by: identity.generation };
            let row = PlanRow { state, ..draft.value.clone() };
            let record = self
                .record(RecordKind::Superseded, "decide")
                .identity(identity.id)
                .plan(row.plan.id)
                .event(row.plan.decision.event);
            out.updates.push(Update::new(record).replace(&row, draft.revision, self.entropy()));
        }
        for stored in known.runs.get(&identity.id).into_iter().flatten() {
            let run = &stored.value;
            if run.generation >= identity.generation
                || run.steps.values().any(|s| matches!(s, Step::Sent { .. } | Step::Unknown { .. }))
            {
                unsettled.insert(run.system.clone());
                continue;
            }
            let mut run = run.clone();
            for step in run.steps.values_mut().filter(|s| **s == Step::Waiting) {
                *step = Step::Dropped;
            }
            let record = self
                .record(RecordKind::Superseded, "decide")
                .identity(identity.id)
                .plan(run.plan)
                .event(run.event)
                .fact("run", run.id)
                .fact("system", &run.system);
            out.updates.push(Update::new(record).replace(&run, stored.revision, self.entropy()));
        }
        unsettled
    }

    fn open_case(
        &self,
        known: &Known,
        identity: &Identity,
        event: &Event,
        out: &mut Outcome,
    ) -> Option<CaseId> {
        let Lifecycle::Left { at } = &identity.lifecycle else { return None };
        if let Some(case) = known.cases.get(&identity.id) {
            return Some(case.id);
        }
        if event.kind != EventKind::Left {
            return None;
        }
        let now = self.now();
        let case = Case {
            id: CaseId::new(now, self.entropy()),
            identity: identity.id,
            event: event.id,
            opened: now,
            effective: at.at,
            // Somebody without an account anywhere has nothing to prove.
            closed: (!known.accounts.contains_key(&identity.id)).then_some(now),
        };
        let record = self
            .record(RecordKind::CaseOpened, "decide")
            .event(event.id)
            .identity(identity.id)
            .case(case.id)
            .fact("effective", at.at);
        out.updates.push(Update::new(record).insert(&case, self.entropy()));
        case.closed.is_none().then_some(case.id)
    }

    fn decided(&self, identity: &Identity, event: &Event, planned: &Plan) -> Update {
        let decision = &planned.decision;
        let desired: BTreeMap<&SystemName, Vec<_>> = decision
            .desired
            .iter()
            .map(|(system, wanted)| (system, wanted.entitlements.iter().collect()))
            .collect();
        let policies: BTreeSet<_> = decision
            .desired
            .values()
            .flat_map(|d| d.because.iter().chain(d.entitlements.values().flatten()))
            .collect();
        let record = self
            .record(RecordKind::Decided, "decide")
            .event(event.id)
            .identity(identity.id)
            .fact("changes", planned.changes.len())
            .fact("desired", desired)
            .fact("forbidden", &decision.forbidden)
            .fact("generation", decision.generation)
            .fact("policies", policies)
            .fact("policy_version", decision.policy);
        Update::new(record)
    }

    /// Drafts the plan and lets the rules approve it, if they do.
    fn plan_row(
        &self,
        catalogue: &Catalogue,
        planned: Plan,
        case: Option<CaseId>,
        event: &Event,
        out: &mut Outcome,
    ) {
        let digest = planned.digest();
        let mut record = self
            .record(RecordKind::Planned, "plan")
            .event(event.id)
            .identity(planned.decision.identity)
            .plan(planned.id)
            .fact("cause", &planned.cause)
            .fact(
                "changes",
                planned.changes.iter().map(|c| format!("{} {}", c.system, c.op.words())).collect::<Vec<_>>(),
            )
            .fact("digest", digest)
            .fact("rests_on", planned.rests_on);
        record.case = case;
        let row = PlanRow { plan: planned, digest, requester: None, state: PlanState::Drafted };
        let approval = self.approve_by_rule(catalogue, &row).unwrap_or_else(|fault| {
            out.wrongs.push(Wrong {
                code: "approval-undecidable",
                subject: row.plan.id.to_string(),
                identity: Some(row.plan.decision.identity),
                system: None,
                message: format!("the approval policies cannot say, so a person must: {fault}"),
                owner: "operator".into(),
            });
            None
        });
        match approval {
            None => out.updates.push(Update::new(record).insert(&row, self.entropy())),
            Some(approval) => {
                let approved = PlanRow { state: PlanState::Approved { approval: approval.id }, ..row };
                out.updates.push(Update::new(record).insert(&approved, self.entropy()));
                let (update, jobs) = self.approved(&approved, approval, case);
                out.updates.push(update);
                out.jobs.extend(jobs);
            }
        }
    }

    fn missing(&self, catalogue: &Catalogue, name: &bailiwick_core::id::EntitlementName) -> Wrong {
        let system = name.system();
        let owner =
            catalogue.route(&system).map_or_else(|_| "operator".into(), |r| r.integration.owner.clone());
        Wrong {
            code: "entitlement-missing",
            subject: name.to_string(),
            identity: None,
            system: Some(system.clone()),
            message: format!(
                "`{name}` is wanted but was not found on `{system}`: make it there, or correct its label, then reconcile"
            ),
            owner,
        }
    }

    /// Looks at everybody after the rules changed, a page at a time, and files an event for each whose
    /// access would change.
    pub(crate) async fn redecide(&self, item: &Work, cause: &str, after: Option<IdentityId>) -> Result<()> {
        let mut tx = self.begin().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let page = Select::from(Table::Identities).page(after.map(|a| a.to_string()), REDECIDE);
        let identities: Vec<Stored<Identity>> = select(&mut *tx, self.tenant(), page).await?;
        let texts = identities.iter().map(|s| s.value.id.to_string().into()).collect();
        let theirs = Select::from(Table::Accounts).filter(Filter::In("identity", texts));
        let mut accounts: BTreeMap<IdentityId, Vec<Account>> = BTreeMap::new();
        for stored in select::<Account>(&mut *tx, self.tenant(), theirs).await? {
            if let Some(identity) = stored.value.identity {
                accounts.entry(identity).or_default().push(stored.value);
            }
        }
        let mut bulk = catalogue.policies.bulk();
        let last = identities.last().map(|s| s.value.id);
        let full = identities.len() == REDECIDE as usize;
        for stored in identities {
            let key = format!("rules/{cause}/{}", stored.value.id);
            let theirs = accounts.get(&stored.value.id).map(Vec::as_slice).unwrap_or_default();
            if self.would_change(&catalogue, &mut bulk, &stored.value, theirs) {
                let lifecycle = stored.value.lifecycle.clone();
                self.file(&mut *tx, stored, key, EventKind::PolicyChanged, lifecycle).await?;
            }
        }
        if full {
            let next = Job::Redecide { cause: cause.to_owned(), after: last };
            self.enqueue(&mut *tx, vec![next.work(None, None, false, self.now())]).await?;
        }
        tx.finish(self.tenant(), item).await?;
        Ok(tx.commit().await?)
    }

    fn would_change(
        &self,
        catalogue: &Catalogue,
        bulk: &mut Bulk<'_>,
        identity: &Identity,
        accounts: &[Account],
    ) -> bool {
        let now = self.now();
        let event = Event {
            id: EventId::from_bytes([0; 16]),
            source: "hub".into(),
            key: String::new(),
            identity: identity.id,
            kind: EventKind::PolicyChanged,
            effective: bailiwick_core::time::Effective::at(now),
            accepted: now,
        };
        // What cannot be decided becomes a finding by way of the event.
        let Ok(decision) = judge(catalogue, bulk, identity, &event) else { return true };
        let known = standpoints(&decision, accounts, &BTreeSet::new());
        let plan = plan::make(Inputs {
            id: PlanId::from_bytes([0; 16]),
            event: &event,
            decision,
            marker: String::new(),
            known: &known,
            rules: &catalogue.rules,
            sweep: Sweep::default(),
            new_account: &mut || AccountId::from_bytes([0; 16]),
            now,
        });
        !plan.changes.is_empty()
    }
}

/// What the policies and the catalogue say the identity should have; in words, why they cannot say.
fn judge(
    catalogue: &Catalogue,
    bulk: &mut Bulk<'_>,
    identity: &Identity,
    event: &Event,
) -> Result<Decision, String> {
    let holding = bulk
        .holds(identity.kind.as_str(), &identity.attributes)
        .map_err(|fault| format!("the policies cannot decide: {fault}"))?;
    let declared = Declared {
        systems: &catalogue.systems,
        entitlements: &catalogue.entitlements,
        policy: catalogue.policies.version(),
    };
    decide::decide(identity, event, &holding, &declared).map_err(|incomplete| incomplete.to_string())
}

fn identity_left(identity: &Identity) -> bool {
    matches!(identity.lifecycle, Lifecycle::Left { .. })
}

/// What is known of every system that matters for the decision, less those where a change is unsettled.
fn standpoints(
    decision: &Decision,
    accounts: &[Account],
    unsettled: &BTreeSet<SystemName>,
) -> BTreeMap<SystemName, Standpoint> {
    let mut out: BTreeMap<SystemName, Standpoint> = decision
        .desired
        .keys()
        .map(|system| (system.clone(), Standpoint { account: None, seen: None }))
        .collect();
    for account in accounts {
        let known = KnownAccount {
            id: account.id,
            external_id: account.external_id.clone(),
            state: account.state.clone(),
        };
        out.insert(account.system.clone(), Standpoint { account: Some(known), seen: Some(account.seen) });
    }
    out.retain(|system, _| !unsettled.contains(system));
    out
}

/// How thorough the removal is: a leaver's is, and residue is met with the next way, at last by deleting.
fn sweep(identity: &Identity, event: &Event, catalogue: &Catalogue) -> Sweep {
    let mut sweep = Sweep { thorough: identity_left(identity), ..Sweep::default() };
    match &event.kind {
        EventKind::Residue { system, tried, .. } => {
            sweep.only.insert(system.clone());
            let ways = catalogue.route(system).map_or(0, |r| r.connector.capability().disable_ways.len());
            if usize::from(*tried) < ways {
                sweep.ways.insert(system.clone(), *tried);
            } else {
                sweep.delete.insert(system.clone());
            }
        }
        EventKind::Purge { system } => {
            sweep.only.insert(system.clone());
            sweep.delete.insert(system.clone());
        }
        EventKind::Joined
        | EventKind::Changed { .. }
        | EventKind::Left
        | EventKind::Absent
        | EventKind::Returned
        | EventKind::PolicyChanged
        | EventKind::Drifted { .. }
        | EventKind::Requested { .. } => {}
    }
    sweep
}
