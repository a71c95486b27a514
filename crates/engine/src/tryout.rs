//! Trials: what is new in the scope of an integration is tried before its second gate opens for it.
//!
//! The line is made from what is *declared*, as the approved first gate has it, and is lenient: a call outside
//! of the declared scope is not sent and stops nothing. Reading is tried on what is there, writing on a canary
//! that belongs to nobody and goes again. Nothing is sent for something that nobody has approved to connect.

use std::collections::BTreeSet;

use bailiwick_connector::{
    AccountWrite, Connector, ConnectorError, ErrorKind, Line, Listing, Locator, Pause,
};
use bailiwick_core::{
    access::AccessClass,
    account::AccountValue,
    approval::Approval,
    digest::Digest,
    gate::Permit,
    govern,
    id::IntegrationName,
    integration::{Integration, Purpose, Role},
    plan::{Op, Question},
    record::{Actor, RecordKind},
    scope::Operation,
    system::System,
    trial::{Shown, Trial, Tried},
};
use bailiwick_store::{
    Filter, Select, Stored, Table, Tx, Update,
    entities::{PlanRow, PlanState},
    get, select,
};

use crate::{
    Catalogue, Engine, EngineError, Result,
    apply::on_canary,
    canary::{MARKER, canary_attributes, suffix},
    observe::is_so,
};

/// The size of the one page that is listed.
const PAGE: u32 = 50;

/// What is declared, and what is in force.
struct Proposal {
    wanted: Integration,
    before: Option<Integration>,
}

impl Engine {
    /// Tries what is declared of an integration and waits for its second gate. `pause` waits until the
    /// system shows a change.
    ///
    /// # Errors
    /// When nothing of it waits, or nobody has opened the first gate for it. That something does not work is
    /// no error; the trial says so.
    pub async fn try_out(&self, name: &IntegrationName, by: Actor, pause: &dyn Pause) -> Result<Trial> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let proposal = self.proposal(&mut *tx, &catalogue, name).await?;
        let declared = proposal.wanted.declared();
        let before = get::<Trial>(&mut *tx, self.tenant(), &format!("{name}/{declared}")).await?;
        drop(tx);
        let connector = (self.parts.build)(&proposal.wanted.connector, &proposal.wanted.settings)?;
        let bench = self.trial_bench(&catalogue, &proposal, &*connector, pause);
        if let Some(left) = before.as_ref().and_then(|b| b.value.canary.clone()) {
            bench.remove(&left).await?;
        }
        let marker = format!("{MARKER}{}", suffix(self.entropy()));
        let by = match by {
            Actor::Hub(name)
            | Actor::Operator(name)
            | Actor::Source(name)
            | Actor::Policy(name)
            | Actor::Integration(name) => name,
        };
        let begun = Trial {
            integration: name.clone(),
            declared,
            at: self.now(),
            by,
            tried: Vec::new(),
            canary: bench.writes().then(|| marker.clone()),
            seal: String::new(),
        };
        let begun = self.keep_trial(begun, before.map(|b| b.revision), RecordKind::ScopeTestBegun).await?;
        let mut tried = bench.reading().await;
        let mut canary = None;
        // Where not even reading works, nothing is written.
        if bench.writes() && tried.iter().all(|t| !matches!(t.shown, Shown::Fails { .. })) {
            tried.extend(bench.writing(&marker).await);
            canary = bench.remove(&marker).await.err().map(|_| marker);
        }
        tried.extend(bench.not_shown());
        let trial = Trial { at: self.now(), tried, canary, ..begun.value };
        Ok(self.keep_trial(trial, Some(begun.revision), RecordKind::ScopeTested).await?.value)
    }

    async fn keep_trial(&self, trial: Trial, before: Option<i64>, kind: RecordKind) -> Result<Stored<Trial>> {
        let seal = self.parts.broker.attest(&Trial { seal: String::new(), ..trial.clone() }.sealed_bytes());
        let trial = Trial { seal, ..trial };
        let mut record = self
            .record(kind, "trial")
            .fact("declared", trial.declared)
            .fact("integration", &trial.integration)
            .fact("passed", trial.passed())
            .fact("tried", Digest::of_value(&trial.tried));
        record.actor = Actor::Operator(trial.by.clone());
        let update = Update::new(record);
        let update = match before {
            Some(revision) => update.replace(&trial, revision, self.entropy()),
            None => update.insert(&trial, self.entropy()),
        };
        let mut tx = self.begin().await?;
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok(Stored { value: trial, revision: before.unwrap_or(0) + 1 })
    }

    /// What was declared of the plan's integration and tried with success; one that somebody put into the
    /// database is none.
    pub(crate) async fn trials_of(&self, tx: &mut dyn Tx, row: &PlanRow) -> Result<Vec<Digest>> {
        let Some(governs) = &row.plan.governs else { return Ok(Vec::new()) };
        let asked =
            Select::from(Table::Trials).filter(Filter::Is("integration", governs.subject.as_str().into()));
        let all = select::<Trial>(tx, self.tenant(), asked).await?;
        let counts = |t: &Trial| t.passed() && self.parts.broker.attested(&t.sealed_bytes(), &t.seal);
        Ok(all.into_iter().map(|s| s.value).filter(counts).map(|trial| trial.declared).collect())
    }

    /// What waits for the second gate, once the first is open for it.
    async fn proposal(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        name: &IntegrationName,
    ) -> Result<Proposal> {
        let not_due = |why| EngineError::NotToBeTried(name.clone(), why);
        let before = catalogue.integrations.get(name).cloned();
        let open = vec!["drafted".into(), "waiting".into(), "done".into()];
        let asked = Select::from(Table::Plans).filter(Filter::In("state", open));
        let rows = select::<PlanRow>(tx, self.tenant(), asked).await?;
        let of = |row: &PlanRow, question| {
            row.plan.governs.as_ref().is_some_and(|g| g.subject == *name && g.question == question)
        };
        let mine = rows.into_iter().map(|s| s.value);
        let mine: Vec<PlanRow> = mine
            .filter(|row| {
                of(row, Question::IntegrationApproved) || of(row, Question::IdentityAuthorityApproved)
            })
            .collect();
        let second = mine
            .iter()
            .find(|row| row.state == PlanState::Drafted && of(row, Question::IdentityAuthorityApproved));
        let second = second.ok_or_else(|| not_due("no second gate of it waits for an approval"))?;
        let first = mine.iter().find(|row| {
            of(row, Question::IntegrationApproved)
                && row.plan.decision.generation == second.plan.decision.generation
        });
        match first.map(|row| (&row.state, row)) {
            Some((PlanState::Waiting { approval }, row)) => {
                let kept = get::<Approval>(tx, self.tenant(), &approval.to_string()).await?;
                if !kept.is_some_and(|a| self.genuine(&a.value) && a.value.digest == row.plan.digest()) {
                    return Err(not_due("the approval of its first gate is not ours"));
                }
                let mut all = before.as_ref().map(govern::attributes).unwrap_or_default();
                all.extend(row.plan.declares());
                let wanted = govern::integration(name, &all).map_err(EngineError::Inconsistent)?;
                Ok(Proposal { wanted, before })
            }
            Some((PlanState::Done { .. }, _)) | None => match before {
                // What is declared is in force as far as the first gate lets it be.
                Some(in_force) => Ok(Proposal { wanted: in_force, before: None }),
                None => Err(not_due("nothing of it is declared")),
            },
            Some(_) => {
                Err(not_due("its first gate is not open for what is declared; have that approved first"))
            }
        }
    }

    fn trial_bench<'a>(
        &self,
        catalogue: &'a Catalogue,
        proposal: &'a Proposal,
        connector: &'a dyn Connector,
        pause: &'a dyn Pause,
    ) -> TrialBench<'a> {
        let Proposal { wanted, before } = proposal;
        let permit = Permit { reads: Ok(()), writes: Ok(()) };
        let line = |purpose| {
            let sealed = catalogue
                .sealed(&wanted.name, purpose)
                .or_else(|| catalogue.sealed(&wanted.name, Purpose::Write));
            self.parts.broker.line(wanted, purpose, sealed).under(permit.clone()).lenient()
        };
        let known = before.as_ref().map(|b| b.scope.rules.as_slice()).unwrap_or_default();
        let new = wanted.scope.rules.iter().filter(|rule| !known.iter().any(|old| rule.within(old)));
        let system = match &wanted.role {
            Role::Target { system } => catalogue.systems.get(system),
            Role::Source { .. } | Role::Partner { .. } => None,
        };
        let group = catalogue.entitlements.values().find_map(|e| {
            let ordinary = system.is_some_and(|s| e.name.system() == s.name)
                && e.class == AccessClass::DirectGroups
                && !e.privileged;
            e.external_id.clone().filter(|_| ordinary)
        });
        TrialBench {
            wanted,
            connector,
            new: new.map(|rule| rule.operation).collect(),
            line: line(Purpose::Write),
            reader: line(Purpose::Verify),
            system,
            group,
            pause,
        }
    }
}

/// What a trial works with.
struct TrialBench<'a> {
    wanted: &'a Integration,
    connector: &'a dyn Connector,
    /// What the rules that are new are for.
    new: BTreeSet<Operation>,
    line: Line,
    reader: Line,
    system: Option<&'a System>,
    /// The system's id of an ordinary group.
    group: Option<String>,
    pause: &'a dyn Pause,
}

impl TrialBench<'_> {
    /// Whether something new writes, and a canary can show it.
    fn writes(&self) -> bool {
        let capability = self.connector.capability();
        // A canary is made, and goes again.
        let goes = [AccountWrite::Create, AccountWrite::Delete].iter().all(|w| capability.writes.contains(w));
        let able = goes && capability.by_person.is_none() && self.system.is_some();
        able && self.new.iter().any(|operation| !operation.reads())
    }

    /// What is new and nothing here can show.
    fn not_shown(&self) -> Vec<Tried> {
        if self.writes() {
            return Vec::new();
        }
        let writing = self.new.iter().filter(|operation| !operation.reads());
        let why = "no account that belongs to nobody can be made there".to_owned();
        writing.map(|o| tried(o.as_str(), Shown::CannotBeShown { why: why.clone() })).collect()
    }

    async fn reading(&self) -> Vec<Tried> {
        let mut out = vec![tried("check", shown(self.connector.check(&self.reader).await))];
        let listing = match self.wanted.role {
            Role::Source { .. } => Listing::People,
            Role::Target { .. } | Role::Partner { .. } => Listing::Accounts,
        };
        let mut first = None;
        let mut visit = |object: bailiwick_connector::Object<'_>| {
            first.get_or_insert_with(|| object.id.to_string());
        };
        let page = self.connector.list(&self.reader, listing, None, PAGE, &mut visit).await;
        out.push(tried("list one page", shown(page.map(drop))));
        out.push(match &first {
            Some(id) => {
                let locator = match self.wanted.role {
                    Role::Source { .. } => Locator::Person(id),
                    Role::Target { .. } | Role::Partner { .. } => Locator::Account(id),
                };
                tried("get the first", shown(self.connector.get(&self.reader, locator).await.map(drop)))
            }
            None => tried("get the first", Shown::CannotBeShown { why: "nothing was listed".into() }),
        });
        out
    }

    async fn settle(&self) {
        let lag = self.connector.capability().read_lag_ms;
        let window = self.system.map_or(0, |s| u64::try_from(s.convergence_ms).unwrap_or(0));
        self.pause.pause(std::time::Duration::from_millis(lag.max(window))).await;
    }

    /// Makes a canary and does to it, one after the other, everything that writes; each is read back.
    async fn writing(&self, marker: &str) -> Vec<Tried> {
        let Some(system) = self.system else { return Vec::new() };
        let name = marker.trim_start_matches("bailiwick/");
        let attributes = canary_attributes(system, name);
        let create = Op::CreateAccount { marker: marker.to_owned(), attributes: attributes.clone() };
        let (account, made) = self.one(None, &create, &format!("{name}.create")).await;
        let mut out = vec![tried("create an account", made)];
        let Some(account) = account else { return out };
        let mut ops: Vec<(&str, Op)> = Vec::new();
        let other = attributes.iter().find(|(attribute, _)| *attribute != "userName");
        if let Some((attribute, AccountValue::Text(text))) = other {
            let changed = [(attribute.clone(), AccountValue::Text(format!("x{text}")))].into();
            ops.push(("change an attribute", Op::SetAttributes { attributes: changed }));
        }
        match &self.group {
            Some(group) => {
                let (class, external_id) = (AccessClass::DirectGroups, group.clone());
                ops.push(("grant a group", Op::Grant { class, external_id: external_id.clone() }));
                ops.push(("revoke a group", Op::Revoke { class, external_id }));
            }
            None if self.new.contains(&Operation::Grant) || self.new.contains(&Operation::Revoke) => {
                let why = "no ordinary group of the system is known".into();
                out.push(tried("grant and revoke a group", Shown::CannotBeShown { why }));
            }
            None => {}
        }
        ops.push(("delete an account", Op::Delete));
        for (n, (what, op)) in ops.iter().enumerate() {
            // What is not in the declared scope at all is not what is tried.
            let in_scope = self.wanted.scope.rules.iter().any(|rule| rule.operation == op.operation());
            if in_scope {
                let (_, shown) = self.one(Some(&account), op, &format!("{name}.try{n}")).await;
                out.push(tried(what, shown));
            }
        }
        out
    }

    /// Does one thing to the canary and reads it back.
    async fn one(&self, account: Option<&str>, op: &Op, key: &str) -> (Option<String>, Shown) {
        let done = on_canary(self.connector, &self.line, account, op, None, key).await;
        self.settle().await;
        if let Err(error) = done {
            return (None, fails(&error));
        }
        match is_so(self.connector, &self.reader, account, op).await {
            Ok(Some(id)) => (Some(id), Shown::Works),
            Ok(None) => {
                let message = "the system answered that it did, and reading back shows that it did not";
                (None, Shown::Fails { code: "diverged".into(), message: message.into() })
            }
            Err(error) => (None, fails(&error)),
        }
    }

    /// Removes the canary with this marker, if it is there.
    async fn remove(&self, marker: &str) -> Result<()> {
        let Some(found) = self.connector.get(&self.reader, Locator::AccountMarked(marker)).await? else {
            return Ok(());
        };
        let key = format!("{}.remove", marker.trim_start_matches("bailiwick/"));
        on_canary(self.connector, &self.line, Some(&found.id), &Op::Delete, None, &key).await?;
        self.settle().await;
        match is_so(self.connector, &self.reader, Some(&found.id), &Op::Delete).await? {
            Some(_) => Ok(()),
            None => {
                let message = format!("the canary `{marker}` is still there; delete it on the system");
                Err(ConnectorError::none(ErrorKind::SystemFault, message).into())
            }
        }
    }
}

fn tried(what: &str, shown: Shown) -> Tried {
    Tried { what: what.to_owned(), shown }
}

fn shown(outcome: Result<(), ConnectorError>) -> Shown {
    match outcome {
        Ok(()) => Shown::Works,
        Err(error) if error.kind == ErrorKind::Unsupported => Shown::CannotBeShown { why: error.message },
        Err(error) => fails(&error),
    }
}

fn fails(error: &ConnectorError) -> Shown {
    Shown::Fails { code: error.code().to_owned(), message: error.message.clone() }
}
