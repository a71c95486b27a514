//! A system's own audit log against the hub's (PRODUCT H2): both ways, every quarter of an hour.
//!
//! What the hub was told was done, and the log has no word of, is a finding, and a leaver's cell that rests on it is not
//! believed. What the log has under the hub's name, and the hub never sent, is a finding about the credential. Where the
//! next comparison begins is written with what this one found: a process that dies in between compares again.

mod doubt;
mod explain;
pub(crate) mod log;
mod named;
mod own;

pub(crate) use doubt::unlogged;
pub(crate) use explain::Explaining;
pub(crate) use log::{Log, Read};

use bailiwick_core::{
    account::Account,
    audit::{Compared, Entry, LOST, Span, compare},
    id::SystemName,
    integration::Purpose,
    record::RecordKind,
    system::System,
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{
    Filter, Select, Stored, Table, Tx, Update, Work,
    entities::{Audit, Credential},
    get, select,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::own::Own;
use crate::{
    Catalogue, Engine, EngineError, Haste, Job, Result, canary::Cannot, catalogue::Route, finding::Wrong,
    reconcile::next,
};

/// How many entries one comparison takes; the rest is for the next, which follows at once.
const MOST: usize = 50_000;
/// The finding that somebody else uses the hub's credential.
const FOREIGN: &str = "credential-used-elsewhere";
/// How long somebody is told that a part of a log is not known.
const TOLD: SignedDuration = SignedDuration::from_hours(24);
/// How many entries are shown; all are counted.
const SHOWN: usize = 100;

/// What comparing the logs gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Audited {
    /// Up to when both logs were compared.
    pub until: Timestamp,
    /// How many entries the system's log had since the last time.
    pub entries: u64,
    /// How many changes of the hub are in it.
    pub found: u64,
    /// How many changes that the system said it made are not in it.
    pub silent: u64,
    /// How many that were missing before are in it now.
    pub late: u64,
    /// How many are still missing of earlier.
    pub missing: u64,
    /// What was done under the hub's name, and not by the hub; a hundred of them at most.
    pub foreign: Vec<Entry>,
    /// How many deeds of others about accounts it had.
    pub others: u64,
}

/// What a system's log had.
struct Theirs {
    entries: Vec<Entry>,
    /// There is more.
    more: bool,
    /// It does not go back to where it was read last.
    lost: bool,
}

/// Both logs, as they were read.
struct Logs<'a> {
    catalogue: &'a Catalogue,
    route: &'a Route<'a>,
    before: Option<Stored<Audit>>,
    span: Span,
    now: Timestamp,
    theirs: Theirs,
    own: Own,
}

impl Engine {
    /// Compares a system's audit log with the hub's own, since the last time. The first time there is nothing to compare.
    ///
    /// # Errors
    /// When its connector reads no audit log, when it cannot be read, and [`EngineError::Busy`] while another is at it.
    pub async fn audit(&self, system: &SystemName) -> Result<Audited> {
        let alone = self.alone("audit", system).await?;
        let outcome = self.audit_alone(system).await;
        let freed = self.let_go(alone).await;
        let audited = outcome?;
        freed?;
        Ok(audited)
    }

    /// Does what a tick asks for.
    pub(crate) async fn audit_item(
        &self,
        item: &Work,
        system: &SystemName,
        after: Option<Timestamp>,
    ) -> Result<()> {
        let mut tx = self.read().await?;
        let last =
            get::<Audit>(&mut *tx, self.tenant(), system.as_str()).await?.map(|stored| stored.value.at);
        drop(tx);
        let wanted = after.is_none_or(|after| last == Some(after));
        let cannot = Cannot { code: "cannot-audit", done: "audited", again_ms: System::usual_audit_every() };
        self.on_schedule(item, system, cannot, wanted, async || self.audit(system).await.map(drop)).await
    }

    async fn audit_alone(&self, system: &SystemName) -> Result<Audited> {
        let now = self.now();
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let before = get::<Audit>(&mut *tx, self.tenant(), system.as_str()).await?;
        drop(tx);
        let route = catalogue.route(system)?;
        let log = catalogue.log(system)?;
        let Some(declared) = catalogue.systems.get(system) else {
            return Err(EngineError::NotFound { kind: "system", name: system.to_string() });
        };
        let settled = before_by(now, declared.audit_lag_ms.max(1));
        let span = Span {
            from: before.as_ref().map_or(settled, |before| before.value.until),
            to: settled,
            delay: SignedDuration::from_millis(declared.convergence_ms),
        };
        let mark = before.as_ref().and_then(|before| before.value.mark.clone());
        let theirs = self.read_log(&catalogue, (system, &log), mark, span.read_from()).await?;
        // Of what was not read nothing is said.
        let end = theirs.entries.last().filter(|_| theirs.more).map_or(span.to, |last| last.at.min(span.to));
        let end = self.first_under_way(system).await?.map_or(end, |sent| end.min(sent));
        let span = Span { to: end.max(span.from), ..span };
        let own = self.own_writes(system, route.integration, before.as_ref(), &span).await?;
        let missing = before.as_ref().map(|before| before.value.missing.clone()).unwrap_or_default();
        let compared = compare(&span, &own.writes, &theirs.entries, missing);
        let logs = Logs { catalogue: &catalogue, route: &route, before, span, now, theirs, own };
        self.conclude_audit(logs, compared).await
    }

    /// What the system's log has since a mark.
    async fn read_log(
        &self,
        catalogue: &Catalogue,
        (system, route): (&SystemName, &Route<'_>),
        mark: Option<String>,
        begin: Timestamp,
    ) -> Result<Theirs> {
        let line = self.reading(catalogue, route.integration);
        let log = Log { connector: &**route.connector, line: &line };
        let (mut entries, mut read) = (Vec::new(), Read { mark, ..Read::default() });
        log.follow(&mut read, begin, MOST, &mut |entry| entries.push(entry)).await?;
        self.find_named(system, &mut entries).await?;
        Ok(Theirs { entries, more: !read.whole, lost: read.lost })
    }

    async fn conclude_audit(&self, logs: Logs<'_>, mut compared: Compared) -> Result<Audited> {
        let Logs { catalogue, route, before, span, now, theirs, own } = logs;
        let system = &own.system;
        let mut tx = self.begin().await?;
        compared.foreign = self.of_nobody_here(&mut *tx, &own, compared.foreign).await?;
        let next_span = Span { from: span.to, ..span };
        let known = theirs.entries.iter().take_while(|entry| entry.at < next_span.read_from()).last();
        let last_foreign = compared.foreign.iter().map(|entry| entry.at).max();
        let earlier = before.as_ref().and_then(|before| before.value.foreign);
        let mut foreign = last_foreign.or(earlier);
        let mut updates = Vec::new();
        match (last_foreign, foreign) {
            (Some(_), _) => {
                let wrong = used_elsewhere(route, system, &compared.foreign);
                updates.extend(self.renew_finding(&mut *tx, wrong).await?);
            }
            // Whoever had it does not have the one of now.
            (None, Some(at)) if self.set_since(&mut *tx, route, at).await? => {
                foreign = None;
                updates.extend(self.close_finding(&mut *tx, FOREIGN, system.as_str()).await?);
            }
            (None, _) => {}
        }
        let owner = &catalogue.log(system)?.integration.owner;
        let lost =
            self.tell_lost(&mut *tx, (system, owner), before.as_ref(), theirs.lost, &mut updates).await?;
        let audit = Audit {
            system: system.clone(),
            at: now,
            until: span.to,
            mark: known.map(|entry| entry.mark.clone()).or_else(|| {
                before.as_ref().filter(|_| !theirs.lost).and_then(|before| before.value.mark.clone())
            }),
            next: own.next,
            missing: compared.remembered(),
            foreign,
            lost,
        };
        // The rest was read to have what belongs to these.
        let fresh = || theirs.entries.iter().filter(|entry| span.has(entry.at));
        let record = self
            .record(RecordKind::AuditCompared, "audit")
            .fact("entries", fresh().count())
            .fact("foreign", compared.foreign.len())
            .fact("found", compared.found)
            .fact("late", compared.late.len())
            .fact("lost", theirs.lost)
            .fact("silent", compared.silent.len())
            .fact("system", system)
            .fact("until", span.to);
        updates.push(match before {
            Some(before) => Update::new(record).replace(&audit, before.revision, self.entropy()),
            None => Update::new(record).insert(&audit, self.entropy()),
        });
        tx.write(self.tenant(), updates, self.entropy()).await?;
        self.doubt_silent(&mut *tx, route, &compared.silent).await?;
        self.believe_late(&mut *tx, &compared.late).await?;
        self.schedule_audit(&mut *tx, catalogue, system, now, theirs.more).await?;
        tx.commit().await?;
        let others =
            fresh().filter(|entry| !entry.ours && (entry.account.is_some() || entry.says_what())).count();
        Ok(Audited {
            until: span.to,
            entries: fresh().count() as u64,
            found: compared.found,
            silent: compared.silent.len() as u64,
            late: compared.late.len() as u64,
            missing: compared.waiting.len() as u64,
            foreign: compared.foreign.into_iter().take(SHOWN).collect(),
            others: others as u64,
        })
    }

    /// Tells that a log does not go back to where it was read last, for a day. Gives when that was found last.
    async fn tell_lost(
        &self,
        tx: &mut dyn Tx,
        (system, owner): (&SystemName, &str),
        before: Option<&Stored<Audit>>,
        lost: bool,
        updates: &mut Vec<Update>,
    ) -> Result<Option<Timestamp>> {
        let now = self.now();
        match (before.filter(|_| lost), before.and_then(|before| before.value.lost)) {
            (Some(before), _) => {
                let wrong = not_all_known(owner, system, before.value.until);
                updates.extend(self.renew_finding(tx, wrong).await?);
                Ok(Some(now))
            }
            (None, Some(at)) if at.saturating_add(TOLD).is_ok_and(|until| until <= now) => {
                updates.extend(self.close_finding(tx, LOST, system.as_str()).await?);
                Ok(None)
            }
            (None, at) => Ok(at),
        }
    }

    /// Without what was done to canaries: they are nobody's accounts, and the hub's log says when it had some.
    async fn of_nobody_here(&self, tx: &mut dyn Tx, own: &Own, foreign: Vec<Entry>) -> Result<Vec<Entry>> {
        if foreign.is_empty() || own.canaries.is_empty() {
            return Ok(foreign);
        }
        let locator =
            |entry: &Entry| Account::locator_of(&own.system, entry.account.as_deref().unwrap_or_default());
        let asked = Select::from(Table::Accounts)
            .filter(Filter::In("locator", foreign.iter().map(|entry| locator(entry).into()).collect()));
        let known = select::<Account>(tx, self.tenant(), asked).await?;
        let is_known =
            |entry: &Entry| known.iter().any(|s| Some(&s.value.external_id) == entry.account.as_ref());
        Ok(foreign.into_iter().filter(|entry| is_known(entry) || !own.had_canary(entry.at)).collect())
    }

    /// Whether the credential that writes was set anew since.
    async fn set_since(&self, tx: &mut dyn Tx, route: &Route<'_>, at: Timestamp) -> Result<bool> {
        let key = Credential::key_of(&route.integration.name, Purpose::Write);
        let credential = get::<Credential>(tx, self.tenant(), &key).await?;
        Ok(credential.is_some_and(|stored| stored.value.at > at))
    }

    async fn schedule_audit(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        system: &SystemName,
        now: Timestamp,
        more: bool,
    ) -> Result<()> {
        let Some(declared) = catalogue.systems.get(system) else { return Ok(()) };
        let job = Job::Audit { system: system.clone(), after: Some(now) };
        let due = if more { now } else { next(now, declared.audit_every_ms) };
        self.enqueue(tx, vec![job.work(None, None, Haste::Usual, due)]).await
    }
}

/// The instant so many milliseconds before.
fn before_by(now: Timestamp, ms: i64) -> Timestamp {
    now.saturating_sub(SignedDuration::from_millis(ms)).unwrap_or(Timestamp::MIN)
}

fn not_all_known(owner: &str, system: &SystemName, since: Timestamp) -> Wrong {
    Wrong {
        code: LOST,
        subject: system.to_string(),
        identity: None,
        system: Some(system.clone()),
        message: format!(
            "the audit log of `{system}` does not go back to where it was read last: what was logged there since {since} may be \
             gone; have the system keep its log for longer than it is read (`audit_every`), and find out by other means who did \
             what there meanwhile"
        ),
        owner: owner.to_owned(),
    }
}

fn used_elsewhere(route: &Route<'_>, system: &SystemName, foreign: &[Entry]) -> Wrong {
    let (name, count) = (&route.integration.name, foreign.len());
    let first = foreign.iter().map(|entry| entry.at).min().unwrap_or(Timestamp::MIN);
    let changes = if count == 1 { "a change".to_owned() } else { format!("{count} changes") };
    Wrong {
        code: FOREIGN,
        subject: system.to_string(),
        identity: None,
        system: Some(system.clone()),
        message: format!(
            "the audit log of `{system}` has {changes} under the name of `{name}` that the hub never sent, the first at \
             {first}: somebody else has its credential; set it anew (`bailiwick credential set {name}`) and look at what \
             was done: `bailiwick audit {system}`"
        ),
        owner: route.integration.owner.clone(),
    }
}
