//! Proving that the grant of a killed integration is dead: each credential is tried, ended, and tried again.

use std::collections::BTreeMap;

use bailiwick_connector::{ConnectorError, ErrorKind, broker::KillLine};
use bailiwick_core::{
    access::AccessClass,
    case::{Case, Cell, closes},
    digest::Digest,
    gate::{Gate, HUB},
    id::{AccountId, CaseId, IntegrationName},
    integration::{Integration, Role},
    kill::{self, NoKill, Tried},
    record::RecordKind,
    time::Timestamp,
    verify::{Verdict, Witness},
};
use bailiwick_store::{
    Entity, Filter, Select, Stored, Table, Tx, Update, Work,
    entities::{Credential, Run},
    get, select,
};

use super::{grant_class, provider};
use crate::{Engine, EngineError, Result, activate::hub_system, apply::later, finding::Wrong};

/// The first pause before a credential is tried again, and the longest, milliseconds.
const PAUSE_MS: (i64, i64) = (60_000, 6 * 3_600_000);
/// How long it may stay unknown whether a provider rejects a credential, milliseconds.
pub(super) const WINDOW_MS: i64 = 24 * 3_600_000;
/// The finding that a provider still lets a credential in.
const ALIVE: &str = "residual-access";
/// The finding that it cannot be seen whether it does.
pub(crate) const UNPROVEN: &str = "grant-unproven";

/// What became of each credential, by its key.
type Fates = BTreeMap<String, Fate>;

/// What became of one credential.
enum Fate {
    /// The provider rejects it.
    Dead(Digest),
    /// The provider lets it in.
    Alive(Digest),
    /// Not answered this time.
    Unanswered(String),
    /// Nothing here can answer it.
    Unseen(String),
}

/// A killed integration whose grant is to be proven dead.
struct Killing {
    integration: Integration,
    case: Stored<Case>,
    credentials: Vec<Stored<Credential>>,
    cell: Option<Stored<Cell>>,
}

impl Engine {
    /// Tries, ends and tries the credentials of a killed integration.
    pub(crate) async fn kill_item(&self, item: &Work, name: &IntegrationName, case: CaseId) -> Result<()> {
        let Some(killing) = self.killing(name, case).await? else {
            let mut tx = self.begin().await?;
            tx.finish(self.tenant(), item).await?;
            return Ok(tx.commit().await?);
        };
        let mut fates = Fates::new();
        for credential in &killing.credentials {
            fates.insert(credential.value.key(), self.fate(&killing, credential).await?);
        }
        self.conclude_kill(item, name, case, fates).await
    }

    async fn killing(&self, name: &IntegrationName, case: CaseId) -> Result<Option<Killing>> {
        let mut tx = self.read().await?;
        let integration = get::<Integration>(&mut *tx, self.tenant(), name.as_str()).await?;
        let stored = get::<Case>(&mut *tx, self.tenant(), &case.to_string()).await?;
        let integration = integration.map(|stored| stored.value).filter(Integration::has_ended);
        let (Some(integration), Some(case)) = (integration, stored.filter(|s| s.value.closed.is_none()))
        else {
            return Ok(None);
        };
        let mut credentials = self.credentials_of(&mut *tx, name).await?;
        credentials.retain(|stored| stored.value.purpose.is_last());
        let key = Cell::key_of(case.value.id, &provider(&integration), grant_class(&integration));
        let cell = get::<Cell>(&mut *tx, self.tenant(), &key).await?;
        Ok(Some(Killing { integration, case, credentials, cell }))
    }

    /// What becomes of one credential. That it is about to be ended is recorded before.
    async fn fate(&self, killing: &Killing, stored: &Stored<Credential>) -> Result<Fate> {
        let permit = match kill::last_calls(&killing.integration) {
            Ok(permit) => permit,
            Err(no) => return Ok(Fate::Unseen(unseen(&no))),
        };
        let credential = &stored.value;
        let sealed = serde_json::from_value(credential.sealed.clone()).ok();
        let line =
            self.parts.broker.kill_line(&killing.integration, credential.purpose, sealed.as_ref(), permit);
        let first = tried(&line, credential.accepted.is_some()).await;
        match first {
            Ok((Tried::Rejected, answer)) => return Ok(Fate::Dead(answer)),
            Ok((Tried::Accepted | Tried::Forbidden, _)) => {}
            Ok((Tried::Unclear, _)) => {
                return Ok(Fate::Unanswered("the answer to trying it says neither yes nor no".into()));
            }
            Err(error) => return Ok(unanswered(&error)),
        }
        let accepted = credential.accepted.is_some() || matches!(first, Ok((Tried::Accepted, _)));
        self.note_revoke(killing, stored, accepted).await?;
        // Whatever it answers, and if it answers nothing: only trying tells.
        let _ = line.revoke().await;
        Ok(match tried(&line, accepted).await {
            Ok((Tried::Rejected, answer)) => Fate::Dead(answer),
            Ok((Tried::Accepted, answer)) => Fate::Alive(answer),
            Ok((Tried::Forbidden, _)) => Fate::Unseen(
                "the provider forbids the call that tries it, also before it was ended: it cannot tell"
                    .into(),
            ),
            Ok((Tried::Unclear, _)) => {
                Fate::Unanswered("the answer to trying it says neither yes nor no".into())
            }
            Err(error) => unanswered(&error),
        })
    }

    /// Records that a credential is about to be ended, and whether the provider let it in until now.
    async fn note_revoke(
        &self,
        killing: &Killing,
        stored: &Stored<Credential>,
        accepted: bool,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let current = get::<Credential>(&mut *tx, self.tenant(), &stored.value.key()).await?;
        let Some(current) = current else { return Ok(()) };
        let record = self
            .record(RecordKind::Sent, "kill")
            .event(killing.case.value.event)
            .identity(killing.case.value.identity)
            .case(killing.case.value.id)
            .fact("accepted", accepted)
            .fact("integration", &killing.integration.name)
            .fact("purpose", stored.value.purpose)
            .fact("tried", killing.cell.as_ref().map_or(0, |cell| cell.value.tried));
        let mut update = Update::new(record);
        if accepted && current.value.accepted.is_none() {
            let noted = Credential { accepted: Some(self.now()), ..current.value };
            update = update.replace(&noted, current.revision, self.entropy());
        }
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        Ok(tx.commit().await?)
    }

    async fn conclude_kill(
        &self,
        item: &Work,
        name: &IntegrationName,
        case: CaseId,
        fates: Fates,
    ) -> Result<()> {
        let Some(killing) = self.killing(name, case).await? else {
            return Err(EngineError::Inconsistent(format!(
                "the case {case} of `{name}` was closed meanwhile"
            )));
        };
        let now = self.now();
        let due = later(now, pause_ms(item.attempts));
        let mut tx = self.begin().await?;
        let mut dead = Vec::new();
        for stored in &killing.credentials {
            if let Some(Fate::Dead(answer)) = fates.get(&stored.value.key()) {
                dead.push(self.destroyed(&killing, stored, *answer));
            }
        }
        tx.write(self.tenant(), dead, self.entropy()).await?;
        let verdict = verdict_of(&killing, &fates, due, now);
        let cell = self.grant_cell(&killing, verdict, &fates);
        let mut updates = vec![self.judged(&killing, &cell, killing.cell.as_ref())];
        updates.extend(self.own_cells(&mut *tx, &killing).await?);
        updates.extend(self.tell(&mut *tx, &killing, &cell).await?);
        tx.write(self.tenant(), updates, self.entropy()).await?;
        let vendor = killing.integration.register.vendor.clone();
        self.settle_case(&mut *tx, killing.case.value.id).await?;
        self.end_sweep(&mut *tx, &vendor).await?;
        if matches!(cell.verdict, Verdict::Removed) {
            // Who left and answered for it may have waited for this.
            self.wake_watches(&mut *tx, [name.clone()]).await?;
        }
        // Where nothing declares how to try it, trying again shows nothing else: a person has to answer.
        match matches!(cell.verdict, Verdict::Removed) || killing.integration.kill.is_none() {
            true => tx.finish(self.tenant(), item).await?,
            false => tx.postpone(self.tenant(), item, due.as_millisecond(), true).await?,
        }
        Ok(tx.commit().await?)
    }

    /// The hub's copy goes, once the provider rejects the credential.
    fn destroyed(&self, killing: &Killing, stored: &Stored<Credential>, answer: Digest) -> Update {
        let record = self
            .record(RecordKind::CredentialDestroyed, "kill")
            .event(killing.case.value.event)
            .identity(killing.case.value.identity)
            .case(killing.case.value.id)
            .fact("answer", answer)
            .fact("integration", &killing.integration.name)
            .fact("purpose", stored.value.purpose);
        Update::new(record).delete::<Credential>(&stored.value.key(), stored.revision)
    }

    fn grant_cell(&self, killing: &Killing, verdict: Verdict, fates: &Fates) -> Cell {
        let before = killing.cell.as_ref().map(|stored| &stored.value);
        let answers: Vec<Digest> = fates
            .values()
            .filter_map(|fate| match fate {
                Fate::Dead(answer) | Fate::Alive(answer) => Some(*answer),
                Fate::Unanswered(_) | Fate::Unseen(_) => None,
            })
            .collect();
        let method = match (&killing.integration.kill, fates.is_empty()) {
            (_, true) => "the hub holds no credential of it".to_owned(),
            (Some(kill), false) => kill.probe.to_string(),
            (None, false) => "none".to_owned(),
        };
        Cell {
            case: killing.case.value.id,
            system: provider(&killing.integration),
            class: grant_class(&killing.integration),
            account: AccountId::from_bytes(*killing.case.value.identity.as_bytes()),
            verdict,
            at: self.now(),
            method,
            // The credential itself is the witness.
            witness: (!answers.is_empty()).then_some(Witness::Independent),
            answer: (!answers.is_empty()).then(|| Digest::of_value(&answers)),
            tried: before.map_or(0, |cell| cell.tried).saturating_add(1),
        }
    }

    fn judged(&self, killing: &Killing, cell: &Cell, before: Option<&Stored<Cell>>) -> Update {
        let record = self
            .record(RecordKind::Verified, "kill")
            .event(killing.case.value.event)
            .identity(killing.case.value.identity)
            .case(killing.case.value.id)
            .fact("answer", cell.answer)
            .fact("class", cell.class)
            .fact("integration", &killing.integration.name)
            .fact("method", &cell.method)
            .fact("system", &cell.system)
            .fact("verdict", cell.verdict.name());
        match before {
            Some(before) => Update::new(record).replace(cell, before.revision, self.entropy()),
            None => Update::new(record).insert(cell, self.entropy()),
        }
    }

    /// What the hub reads back of itself: the gates are gone, and nothing is under way or accepted any more.
    async fn own_cells(&self, tx: &mut dyn Tx, killing: &Killing) -> Result<Vec<Update>> {
        let integration = &killing.integration;
        let held: Vec<String> = Gate::ALL
            .into_iter()
            .filter(|gate| integration.gates.of(*gate).is_some())
            .map(|gate| gate.as_str().to_owned())
            .collect();
        let running = match &integration.role {
            Role::Target { system } => {
                let asked = Run::under_way_on(system);
                let runs = select::<Run>(tx, self.tenant(), asked).await?;
                let mine = runs.into_iter().filter(|s| s.value.event <= killing.case.value.event);
                mine.map(|stored| stored.value.id.to_string()).collect()
            }
            Role::Source { .. } | Role::Log { .. } | Role::Partner { .. } => Vec::new(),
        };
        let mut updates = Vec::new();
        for (class, left) in [(AccessClass::HubRoles, held), (AccessClass::Automations, running)] {
            let key = Cell::key_of(killing.case.value.id, &hub_system(), class);
            let Some(stored) = get::<Cell>(tx, self.tenant(), &key).await? else { continue };
            let verdict = match left.is_empty() {
                true => Verdict::Removed,
                false => Verdict::Residual { what: left },
            };
            if stored.value.verdict == verdict {
                continue;
            }
            let answer = Some(Digest::of_value(&(&integration.standing, &integration.gates)));
            let (at, method) = (self.now(), format!("read back from the store of `{HUB}`"));
            let cell = Cell { verdict, at, method, answer, ..stored.value.clone() };
            updates.push(self.judged(killing, &cell, Some(&stored)));
        }
        Ok(updates)
    }

    /// Says what is not as it must be, and takes back what was said and is mended.
    async fn tell(&self, tx: &mut dyn Tx, killing: &Killing, cell: &Cell) -> Result<Vec<Update>> {
        let name = &killing.integration.name;
        let (code, message) = match &cell.verdict {
            Verdict::Removed | Verdict::Blocked { .. } => (None, String::new()),
            Verdict::Pending { .. } => (None, String::new()),
            Verdict::Residual { what } => (
                Some(ALIVE),
                format!(
                    "`{name}` was killed and `{}` still lets its {} credential in: end it there by hand; it is \
                     tried again by itself",
                    cell.system,
                    what.join(" and ")
                ),
            ),
            Verdict::Unobservable { why, .. } => (
                Some(UNPROVEN),
                format!(
                    "`{name}` was killed and nothing proves that its grant on `{}` is dead: {why}",
                    cell.system
                ),
            ),
        };
        let mut updates = Vec::new();
        for known in [ALIVE, UNPROVEN] {
            let subject = about(name, cell.case);
            if code == Some(known) {
                let wrong = Wrong {
                    code: known,
                    subject,
                    identity: Some(killing.case.value.identity),
                    system: Some(cell.system.clone()),
                    message: message.clone(),
                    owner: killing.integration.owner.clone(),
                };
                updates.extend(self.open_finding(tx, wrong).await?);
            } else if !matches!(cell.verdict, Verdict::Pending { .. }) {
                updates.extend(self.close_finding(tx, known, &subject).await?);
            }
        }
        Ok(updates)
    }

    /// Whether the grant of an integration that has ended is proven dead.
    pub(crate) async fn proven_dead(&self, tx: &mut dyn Tx, name: &IntegrationName) -> Result<bool> {
        let Some(case) = self.case_of(tx, name).await? else { return Ok(true) };
        let mine = Select::from(Table::Cells).filter(Filter::Is("case_id", case.value.id.to_string().into()));
        let cells = select::<Cell>(tx, self.tenant(), mine).await?;
        Ok(case.value.closed.is_some() && closes(cells.iter().map(|stored| &stored.value), self.now()))
    }
}

/// Whether it has a grant somewhere: what reads a folder of this machine and what a person does has none.
fn has_grant(integration: &Integration) -> bool {
    let by_hand = ["file:", "person:"].iter().any(|scheme| integration.endpoint.starts_with(scheme));
    matches!(integration.role, Role::Partner { .. }) || !by_hand
}

/// Tries the credential of a line; gives what the provider said, and the digest of that.
pub(super) async fn tried(line: &KillLine, accepted: bool) -> Result<(Tried, Digest), ConnectorError> {
    let answer = line.probe().await?;
    Ok((kill::judge(answer.status, accepted), answer.digest()))
}

fn unanswered(error: &ConnectorError) -> Fate {
    match error.kind {
        ErrorKind::NoCredential | ErrorKind::Settings | ErrorKind::Unsupported => {
            Fate::Unseen(error.to_string())
        }
        ErrorKind::Unreachable
        | ErrorKind::Timeout
        | ErrorKind::Unauthorized
        | ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::AlreadyExists
        | ErrorKind::Invalid
        | ErrorKind::Stale
        | ErrorKind::RateLimited
        | ErrorKind::SystemFault
        | ErrorKind::Malformed
        | ErrorKind::OutOfScope
        | ErrorKind::OverBudget
        | ErrorKind::Quarantined
        | ErrorKind::Shut => Fate::Unanswered(format!("{}: {error}", error.code())),
    }
}

fn unseen(no: &NoKill) -> String {
    no.to_string()
}

/// What is known of the grant, from what became of each credential.
fn verdict_of(killing: &Killing, fates: &Fates, due: Timestamp, now: Timestamp) -> Verdict {
    let mut alive = Vec::new();
    let mut open = None;
    let mut unseen = None;
    for stored in &killing.credentials {
        match fates.get(&stored.value.key()) {
            Some(Fate::Dead(_)) => {}
            Some(Fate::Alive(_)) => {
                alive.push(stored.value.purpose.as_str().trim_start_matches("kill-").to_owned())
            }
            Some(Fate::Unanswered(why)) => open = Some(why.clone()),
            Some(Fate::Unseen(why)) => unseen = Some(why.clone()),
            None => open = Some("not tried yet".to_owned()),
        }
    }
    // The last copy goes in the same round in which the provider rejects it, so here there never was one.
    if killing.credentials.is_empty() && has_grant(&killing.integration) {
        unseen = Some("the hub holds no credential of it that could be tried".to_owned());
    }
    let accepted = match killing.cell.as_ref().map(|stored| &stored.value.verdict) {
        Some(Verdict::Unobservable { control, .. }) => control.clone(),
        _ => None,
    };
    let late = now >= later(killing.case.value.opened, WINDOW_MS);
    match (alive.is_empty(), unseen, open) {
        (false, ..) => Verdict::Residual { what: alive },
        (true, Some(why), _) => Verdict::Unobservable { why, control: accepted },
        (true, None, Some(why)) if late => Verdict::Unobservable { why, control: accepted },
        (true, None, Some(_)) => Verdict::Pending { until: due },
        (true, None, None) => Verdict::Removed,
    }
}

/// What findings about the grant of a killed integration are about.
pub(crate) fn about(name: &IntegrationName, case: CaseId) -> String {
    format!("{name}/{case}")
}

/// The pause before the next try.
pub(super) fn pause_ms(attempts: i64) -> i64 {
    let (first, longest) = PAUSE_MS;
    first.saturating_mul(1_i64 << attempts.clamp(0, 16)).min(longest)
}
