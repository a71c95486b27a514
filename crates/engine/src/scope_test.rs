//! Scope tests: what is new in the scope of an integration is tried before its second gate opens for it.
//!
//! The line is made from what is *declared*, as the approved first gate has it, and is lenient: a call outside
//! of the declared scope is not sent and stops nothing. Reading is tried on what is there, writing on a canary
//! that belongs to nobody and goes again. Nothing is sent for something that nobody has approved to connect.

use std::collections::BTreeSet;

use bailiwick_connector::{Connector, ConnectorError, ErrorKind, Line, Listing, Locator, Object, Pause};
use bailiwick_core::{
    access::AccessClass,
    account::AccountValue,
    approval::Approval,
    digest::Digest,
    gate::Permit,
    govern,
    id::{IntegrationName, SystemName},
    integration::{Integration, Purpose, Role},
    plan::{Op, Question},
    record::{Actor, RecordKind},
    scope::Operation,
    scope_test::{ScopeTest, Shown, Tried},
    time::Timestamp,
};
use bailiwick_store::{
    Filter, Select, Stored, Table, Tx, Update,
    entities::{PlanRow, PlanState},
    get, select,
};

use crate::{
    Catalogue, Engine, EngineError, Result,
    alone::Alone,
    audit::{Log, Read},
    canary::{Bench, MARKER, canary_attributes, makes_canaries, ordinary_group, suffix},
    observe::is_so,
};

/// The size of the one page that is listed.
const PAGE: u32 = 50;

/// What is declared, and what is in force.
struct Proposal {
    wanted: Integration,
    before: Option<Integration>,
}

impl Proposal {
    /// What the rules that are new are for.
    fn added(&self) -> BTreeSet<Operation> {
        let known = self.before.as_ref().map(|b| b.scope.rules.as_slice()).unwrap_or_default();
        let new = self.wanted.scope.rules.iter().filter(|rule| !known.iter().any(|old| rule.within(old)));
        new.map(|rule| rule.operation).collect()
    }

    /// Whether something new writes.
    fn writes(&self) -> bool {
        self.added().iter().any(|operation| !operation.reads())
    }

    /// What is new, writes and cannot be shown on a canary.
    fn not_shown(&self) -> Vec<Tried> {
        let writing = self.added().into_iter().filter(|operation| !operation.reads());
        let why = "no account that belongs to nobody can be made there".to_owned();
        writing.map(|o| tried(o.as_str(), Shown::CannotBeShown { why: why.clone() })).collect()
    }
}

impl Engine {
    /// Tries what is declared of an integration and waits for its second gate. `pause` waits until the
    /// system shows a change.
    ///
    /// # Errors
    /// When nothing of it waits, when nobody has opened the first gate for it, and while its system is probed
    /// or tried. That something does not work is no error; the test says so.
    pub async fn test_scope(
        &self,
        name: &IntegrationName,
        by: Actor,
        pause: &dyn Pause,
    ) -> Result<ScopeTest> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let proposal = self.proposal(&mut *tx, &catalogue, name).await?;
        drop(tx);
        let connector = self.fresh(&proposal.wanted, &[])?;
        match proposal.wanted.role.clone() {
            Role::Target { system } if proposal.writes() && makes_canaries(&*connector) => {
                // Canaries of one system are made one at a time.
                let alone = self.alone("probe", &system).await?;
                let outcome = self.test_writing(&catalogue, &proposal, &system, &by, pause, &alone).await;
                let freed = self.let_go(alone).await;
                let test = outcome?;
                freed?;
                Ok(test)
            }
            Role::Target { .. } | Role::Source { .. } | Role::Log { .. } | Role::Partner { .. } => {
                let begun = self.begin_test(&proposal.wanted, None, &by).await?;
                let reader = self.declared_line(&catalogue, &proposal.wanted, Purpose::Verify);
                let mut tried = reading(&*connector, &reader, &proposal.wanted).await;
                tried.extend(proposal.not_shown());
                self.end_test(begun, tried, None, &by).await
            }
        }
    }

    async fn test_writing(
        &self,
        catalogue: &Catalogue,
        proposal: &Proposal,
        system: &SystemName,
        by: &Actor,
        pause: &dyn Pause,
        alone: &Alone,
    ) -> Result<ScopeTest> {
        let wanted = &proposal.wanted;
        let bench = Bench {
            integration: wanted,
            system: catalogue
                .systems
                .get(system)
                .ok_or_else(|| EngineError::NotFound { kind: "system", name: system.to_string() })?,
            connector: self.fresh(wanted, &[])?,
            line: self.declared_line(catalogue, wanted, Purpose::Write),
            reader: self.declared_line(catalogue, wanted, Purpose::Verify),
            log: self.log_of(catalogue, system),
            group: ordinary_group(catalogue, system),
            pause,
            engine: self,
            alone,
        };
        let mut tx = self.read().await?;
        let before = get::<ScopeTest>(&mut *tx, self.tenant(), &test_key(wanted)).await?;
        drop(tx);
        if let Some(left) = before.and_then(|b| b.value.canary) {
            bench.remove(&left).await?;
        }
        let marker = format!("{MARKER}{}", suffix(self.entropy()));
        let begun = self.begin_test(wanted, Some(marker.clone()), by).await?;
        let mut tried = reading(&*bench.connector, &bench.reader, wanted).await;
        // Where not even reading works, nothing is written.
        if tried.iter().any(|t| matches!(t.shown, Shown::Fails { .. })) {
            return self.end_test(begun, tried, None, by).await;
        }
        let written = bench.try_writing(&marker, &proposal.added()).await;
        // Whatever was shown, the canary goes.
        let canary = bench.remove(&marker).await.err().map(|_| marker);
        let (written, failed) = match written {
            Ok(written) => (written, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        tried.extend(written);
        let test = self.end_test(begun, tried, canary, by).await?;
        failed.map_or(Ok(test), Err)
    }

    /// A line as it will be once what is declared is in force.
    fn declared_line(&self, catalogue: &Catalogue, wanted: &Integration, purpose: Purpose) -> Line {
        let sealed = catalogue
            .sealed(&wanted.name, purpose)
            .or_else(|| catalogue.sealed(&wanted.name, Purpose::Write));
        let permit = Permit { reads: Ok(()), writes: Ok(()) };
        self.parts.broker.line(wanted, purpose, sealed).under(permit).lenient()
    }

    async fn begin_test(
        &self,
        wanted: &Integration,
        canary: Option<String>,
        by: &Actor,
    ) -> Result<Stored<ScopeTest>> {
        let mut tx = self.read().await?;
        let before = get::<ScopeTest>(&mut *tx, self.tenant(), &test_key(wanted)).await?;
        drop(tx);
        let begun = ScopeTest {
            integration: wanted.name.clone(),
            declared: wanted.declared(),
            at: self.now(),
            by: by.name().to_owned(),
            tried: Vec::new(),
            canary,
            seal: String::new(),
        };
        self.keep_test(begun, before.map(|b| b.revision), RecordKind::ScopeTestBegun, by).await
    }

    async fn end_test(
        &self,
        begun: Stored<ScopeTest>,
        tried: Vec<Tried>,
        canary: Option<String>,
        by: &Actor,
    ) -> Result<ScopeTest> {
        let test = ScopeTest { at: self.now(), tried, canary, ..begun.value };
        Ok(self.keep_test(test, Some(begun.revision), RecordKind::ScopeTested, by).await?.value)
    }

    async fn keep_test(
        &self,
        test: ScopeTest,
        before: Option<i64>,
        kind: RecordKind,
        by: &Actor,
    ) -> Result<Stored<ScopeTest>> {
        let unsealed = ScopeTest { seal: String::new(), ..test };
        let seal = self.parts.broker.attest(&unsealed.sealed_bytes());
        let test = ScopeTest { seal, ..unsealed };
        let mut tx = self.begin().await?;
        let mut record = self
            .record_of(&mut *tx, (kind, "scope-test"), &test.integration)
            .await?
            .fact("declared", test.declared)
            .fact("passed", test.passed())
            .fact("tried", Digest::of_value(&test.tried));
        record.actor = by.clone();
        let update = Update::new(record);
        let update = match before {
            Some(revision) => update.replace(&test, revision, self.entropy()),
            None => update.insert(&test, self.entropy()),
        };
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok(Stored { value: test, revision: before.unwrap_or(0) + 1 })
    }

    /// What was declared of the plan's integration and tried with success; one that somebody put into the
    /// database is none.
    pub(crate) async fn tested(&self, tx: &mut dyn Tx, row: &PlanRow) -> Result<Vec<Digest>> {
        let Some(governs) = &row.plan.governs else { return Ok(Vec::new()) };
        let asked = Select::from(Table::ScopeTests)
            .filter(Filter::Is("integration", governs.subject.as_str().into()));
        let all = select::<ScopeTest>(tx, self.tenant(), asked).await?;
        let counts = |t: &ScopeTest| t.passed() && self.parts.broker.attested(&t.sealed_bytes(), &t.seal);
        Ok(all.into_iter().map(|s| s.value).filter(counts).map(|test| test.declared).collect())
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
}

/// The key under which the test of what is declared is kept.
fn test_key(wanted: &Integration) -> String {
    format!("{}/{}", wanted.name, wanted.declared())
}

/// Tries on what is there whether it can be read.
async fn reading(connector: &dyn Connector, reader: &Line, wanted: &Integration) -> Vec<Tried> {
    let mut out = vec![tried("check", shown(connector.check(reader).await))];
    let listing = match wanted.role {
        Role::Source { .. } => Listing::People,
        Role::Target { .. } | Role::Partner { .. } => Listing::Accounts,
        Role::Log { .. } => {
            let log = Log { connector, line: reader };
            let read = log.follow(&mut Read::default(), Timestamp::MIN, 1, &mut drop).await;
            out.push(tried("read the log", shown(read)));
            return out;
        }
    };
    let mut first = None;
    let mut visit = |object: Object<'_>| {
        first.get_or_insert_with(|| object.id.to_string());
    };
    let page = connector.list(reader, listing, None, PAGE, &mut visit).await;
    out.push(tried("list one page", shown(page.map(drop))));
    out.push(match &first {
        Some(id) => {
            let locator = match wanted.role {
                Role::Source { .. } => Locator::Person(id),
                Role::Target { .. } | Role::Log { .. } | Role::Partner { .. } => Locator::Account(id),
            };
            tried("get the first", shown(connector.get(reader, locator).await.map(drop)))
        }
        None => tried("get the first", Shown::CannotBeShown { why: "nothing was listed".into() }),
    });
    out
}

impl Bench<'_> {
    /// Makes a canary and does to it, one after the other, everything that writes; each is read back.
    async fn try_writing(&self, marker: &str, new: &BTreeSet<Operation>) -> Result<Vec<Tried>> {
        let name = marker.trim_start_matches("bailiwick/");
        let attributes = canary_attributes(self.system, name);
        let create = Op::CreateAccount { marker: marker.to_owned(), attributes: attributes.clone() };
        let (account, made) = self.try_one(None, &create, &format!("{name}.create")).await?;
        let mut out = vec![tried("create an account", made)];
        let Some(account) = account else { return Ok(out) };
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
            None if new.contains(&Operation::Grant) || new.contains(&Operation::Revoke) => {
                let why = "no ordinary group of the system is known".into();
                out.push(tried("grant and revoke a group", Shown::CannotBeShown { why }));
            }
            None => {}
        }
        ops.push(("delete an account", Op::Delete));
        for (n, (what, op)) in ops.iter().enumerate() {
            // What is not in the declared scope at all is not what is tried.
            let in_scope = self.integration.scope.rules.iter().any(|rule| rule.operation == op.operation());
            if in_scope {
                let (_, shown) = self.try_one(Some(&account), op, &format!("{name}.try{n}")).await?;
                out.push(tried(what, shown));
            }
        }
        Ok(out)
    }

    /// Does one thing to the canary and reads it back.
    async fn try_one(&self, account: Option<&str>, op: &Op, key: &str) -> Result<(Option<String>, Shown)> {
        let done = self.change(account, op, key).await;
        self.settle().await?;
        if let Err(error) = done {
            return Ok((None, fails(&error)));
        }
        Ok(match is_so(&*self.connector, &self.reader, account, op).await {
            Ok(Some(id)) => (Some(id), Shown::Works),
            Ok(None) => {
                let message = "the system answered that it did, and reading back shows that it did not";
                (None, Shown::Fails { code: "diverged".into(), message: message.into() })
            }
            Err(error) => (None, fails(&error)),
        })
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
