//! Names of those who left: kept when they leave, looked at before an account gets its name, released by two people.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    account::Account,
    finding::Finding,
    id::{IdentityId, ReservedId},
    identity::Identity,
    person::Conflict,
    plan::Plan,
    record::{Actor, RecordKind},
    reserved::{self, NameRefusal, Reserved, ReservedState},
    system::System,
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{
    Filter, Select, Stored, Table, Tx, Update,
    entities::{Operator, Run, Step},
    get, select,
};

use crate::{Catalogue, Engine, EngineError, Haste, Job, Result, catalogue::Route, finding::Wrong};

/// The finding that somebody waits for a name that was somebody else's.
const RESERVED: &str = "name-reserved";

impl Engine {
    /// Keeps the names of those who leave.
    pub(crate) async fn keep_names(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        gone: BTreeSet<IdentityId>,
    ) -> Result<()> {
        if gone.is_empty() || catalogue.systems.values().all(|system| system.unique.is_empty()) {
            return Ok(());
        }
        let ids = gone.iter().map(|id| id.to_string().into()).collect();
        let theirs = Select::from(Table::Accounts).filter(Filter::In("identity", ids));
        let mut kept: BTreeMap<String, Reserved> = BTreeMap::new();
        for account in select::<Account>(tx, self.tenant(), theirs).await?.into_iter().map(|s| s.value) {
            let Some(system) = catalogue.systems.get(&account.system) else { continue };
            for (attribute, name) in reserved::names(&account, system) {
                let one = self.reserve(&account, system, attribute, &name);
                kept.extend(one.map(|one| (one.digest.clone(), one)));
            }
        }
        let known = self.reserved_as(tx, kept.keys().cloned().collect()).await?;
        let mut updates = Vec::with_capacity(kept.len());
        for (digest, one) in kept {
            let record = self
                .record(RecordKind::NameReserved, "reserved")
                .identity(one.identity)
                .fact("attribute", &one.attribute)
                .fact("name", one.id)
                .fact("system", &one.system)
                .fact("until", one.until);
            let update = Update::new(record);
            updates.push(match known.get(&digest) {
                // Who has it last is the one it is kept for.
                Some(before) => {
                    let one = Reserved { id: before.value.id, ..one };
                    update.replace(&one, before.revision, self.entropy())
                }
                None => update.insert(&one, self.entropy()),
            });
        }
        Ok(tx.write(self.tenant(), updates, self.entropy()).await?)
    }

    fn reserve(&self, account: &Account, system: &System, attribute: String, name: &str) -> Option<Reserved> {
        let now = self.now();
        let days =
            |days: u32| now.saturating_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(now);
        Some(Reserved {
            id: ReservedId::new(now, self.entropy()),
            digest: self.keyed(system, &attribute, name),
            system: system.name.clone(),
            attribute,
            identity: account.identity?,
            since: now,
            until: system.reserved_days.map(days),
            state: ReservedState::Kept,
        })
    }

    fn keyed(&self, system: &System, attribute: &str, name: &str) -> String {
        self.parts.broker.attest(&reserved::bytes(&system.name, attribute, name))
    }

    async fn reserved_as(
        &self,
        tx: &mut dyn Tx,
        digests: Vec<String>,
    ) -> Result<BTreeMap<String, Stored<Reserved>>> {
        let digests = digests.into_iter().map(Into::into).collect();
        let asked = Select::from(Table::ReservedNames).filter(Filter::In("digest", digests));
        let all = select::<Reserved>(tx, self.tenant(), asked).await?;
        Ok(all.into_iter().map(|stored| (stored.value.digest.clone(), stored)).collect())
    }

    /// Whether the run would give a name that is kept for somebody else: then nothing of it is sent, and its owner is told.
    pub(crate) async fn waits_for_name(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        run: &Run,
        plan: &Plan,
    ) -> Result<bool> {
        let Some(system) = catalogue.systems.get(&run.system).filter(|system| !system.unique.is_empty())
        else {
            return Ok(false);
        };
        let waiting = |seq: &u16| run.steps.get(seq) == Some(&Step::Waiting);
        let changes =
            plan.changes.iter().filter(|change| change.system == run.system && waiting(&change.seq));
        let given = changes.flat_map(|change| reserved::given(&change.op, system));
        let digests: Vec<String> =
            given.map(|(attribute, name)| self.keyed(system, &attribute, &name)).collect();
        if digests.is_empty() {
            return Ok(false);
        }
        let now = self.now();
        let mut held = Vec::new();
        for stored in self.reserved_as(tx, digests).await?.into_values() {
            if stored.value.counts(now) && !self.is_same(tx, stored.value.identity, run.identity).await? {
                held.push(stored.value);
            }
        }
        let updates = match held.is_empty() {
            true => self.waits_no_more(tx, run).await?,
            false => {
                let route = catalogue.route(&run.system)?;
                let wrongs = held.iter().map(|name| kept_from(name, run, &route)).collect();
                self.open_all(tx, wrongs).await?
            }
        };
        tx.write(self.tenant(), updates, self.entropy()).await?;
        // Its item is done with, so that it stands in nobody's way; a release or the end of the time makes another.
        if let Some(until) = held.iter().filter_map(|name| name.until).max() {
            let job = Job::Apply { run: run.id };
            self.enqueue(tx, vec![job.work(None, None, Haste::Usual, until)]).await?;
        }
        Ok(!held.is_empty())
    }

    /// The findings that somebody waited for a name on the system: they have another, or may have it.
    async fn waits_no_more(&self, tx: &mut dyn Tx, run: &Run) -> Result<Vec<Update>> {
        let theirs = Select::from(Table::Findings)
            .filter(Filter::Is("identity", run.identity.to_string().into()))
            .filter(Filter::Is("state", "open".into()));
        let open = select::<Finding>(tx, self.tenant(), theirs).await?.into_iter().map(|s| s.value);
        let over =
            open.filter(|finding| finding.code == RESERVED && finding.system.as_ref() == Some(&run.system));
        let over: Vec<(&'static str, String)> = over.map(|finding| (RESERVED, finding.subject)).collect();
        self.close_findings(tx, &over).await
    }

    /// Whether both ids are one person's.
    async fn is_same(&self, tx: &mut dyn Tx, one: IdentityId, other: IdentityId) -> Result<bool> {
        if one == other {
            return Ok(true);
        }
        let found = get::<Identity>(tx, self.tenant(), &one.to_string()).await?;
        let Some(found) = found else { return Ok(false) };
        Ok(self.followed(tx, found).await?.is_some_and(|who| who.value.id == other))
    }

    /// All names that are or were kept, oldest first.
    pub async fn reserved_names(&self) -> Result<Vec<Reserved>> {
        let mut tx = self.read().await?;
        let all = select::<Reserved>(&mut *tx, self.tenant(), Select::from(Table::ReservedNames)).await?;
        Ok(all.into_iter().map(|stored| stored.value).collect())
    }

    /// Somebody wants a name released: the first one asks, and it is done when a second person says so too.
    ///
    /// # Errors
    /// When there is no such name, and when [`NameRefusal`] says why.
    pub async fn release_name(&self, id: ReservedId, reason: &str, by: &Operator) -> Result<Reserved> {
        if reason.trim().is_empty() {
            return Err(NameRefusal::NoReason.into());
        }
        let mut tx = self.begin().await?;
        let stored = get::<Reserved>(&mut *tx, self.tenant(), &id.to_string())
            .await?
            .ok_or_else(|| EngineError::NotFound { kind: "reserved name", name: id.to_string() })?;
        let persons = self.persons(&mut *tx).await?;
        let first = match stored.value.state {
            ReservedState::ReleaseAsked { by, .. } => Some(by),
            ReservedState::Kept | ReservedState::Released { .. } => None,
        };
        let mut own: Vec<(String, Conflict)> = Vec::new();
        own.extend(self.part_of(&mut *tx, first, Conflict::Requester).await?);
        let waiting = self.waiting_for(&mut *tx, id).await?;
        own.extend(waiting.iter().map(|who| (who.source_key.to_string(), Conflict::Beneficiary)));
        let conflicts = persons.conflicts(own.iter().map(|(who, why)| (who.as_str(), *why)));
        let person = self.person_of(&mut *tx, &persons, by).await?;
        let state = reserved::release(&stored.value, (by.id, person.as_deref()), &conflicts, self.now())?;
        let mut record = self
            .record(RecordKind::NameReleased, "reserved")
            .identity(stored.value.identity)
            .fact("name", id)
            .fact("state", state.name())
            .fact("system", &stored.value.system)
            .personal("reason", reason);
        record.actor = Actor::Operator(by.name.clone());
        let released = Reserved { state, ..stored.value };
        let mut updates = vec![Update::new(record).replace(&released, stored.revision, self.entropy())];
        if matches!(state, ReservedState::Released { .. }) {
            for who in &waiting {
                updates.extend(self.close_finding(&mut *tx, RESERVED, &subject(id, who.id)).await?);
            }
            self.wake_waiting(&mut *tx, &released, &waiting).await?;
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        tx.commit().await?;
        Ok(released)
    }

    /// Who waits for a name.
    async fn waiting_for(&self, tx: &mut dyn Tx, id: ReservedId) -> Result<Vec<Identity>> {
        let open = Select::from(Table::Findings).filter(Filter::Is("state", "open".into()));
        let open = select::<Finding>(tx, self.tenant(), open).await?.into_iter().map(|s| s.value);
        let of = |finding: Finding| {
            let ours = finding.code == RESERVED && finding.subject.starts_with(&format!("{id}/"));
            finding.identity.filter(|_| ours)
        };
        let mut out = Vec::new();
        for who in open.filter_map(of) {
            out.extend(get::<Identity>(tx, self.tenant(), &who.to_string()).await?.map(|s| s.value));
        }
        Ok(out)
    }

    /// What waited for the name goes on now.
    async fn wake_waiting(&self, tx: &mut dyn Tx, name: &Reserved, waiting: &[Identity]) -> Result<()> {
        let mut jobs = Vec::new();
        for who in waiting {
            let theirs = Select::from(Table::Runs)
                .filter(Filter::Is("identity", who.id.to_string().into()))
                .filter(Filter::Is("state", "running".into()));
            let runs = select::<Run>(tx, self.tenant(), theirs).await?.into_iter().map(|s| s.value);
            jobs.extend(runs.filter(|run| run.system == name.system).map(|run| {
                let job = Job::Apply { run: run.id };
                job.work(Some(run.identity), Some(&run.system), Haste::Usual, self.now())
            }));
        }
        self.enqueue(tx, jobs).await
    }
}

fn subject(id: ReservedId, who: IdentityId) -> String {
    format!("{id}/{who}")
}

fn kept_from(name: &Reserved, run: &Run, route: &Route<'_>) -> Wrong {
    let until = |at: Timestamp| format!("until {at:.0}");
    let until = name.until.map_or_else(|| "for ever".to_owned(), until);
    Wrong {
        code: RESERVED,
        subject: subject(name.id, run.identity),
        identity: Some(run.identity),
        system: Some(run.system.clone()),
        message: format!(
            "the `{}` that the account on `{}` would get was that of {}, who left: it is kept {until}, and nothing is made. \
             Give another at the source, or let two people run `bailiwick name release {} --reason TEXT`",
            name.attribute, name.system, name.identity, name.id
        ),
        owner: route.integration.owner.clone(),
    }
}
