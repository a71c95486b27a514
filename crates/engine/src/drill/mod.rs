//! Drilling: a canary gets real credentials, leaves as a person would, and each credential is tried.
//!
//! What leaves is what a plan for a leaver would take, made by the same function from the same rules, through the
//! same connector: first by the way that was seen to work, then by the next, at last by deleting. Then every class
//! is read back by the verifier, judged as in a case, and every credential that had worked is tried from outside.
//!
//! Where one gets in behind a clean read, what is read of that class is not believed any more (`distrust.rs`).

mod distrust;
mod item;

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_connector::{Entry, Pause};
use bailiwick_core::{
    access::AccessClass,
    account::AccountState,
    digest::Digest,
    drill::{Drill, Drilled, Tried},
    id::{AccountId, SystemName},
    plan::{self, KnownAccount, Op, Rules, Sweep},
    record::{Actor, RecordKind},
    time::Timestamp,
    verify::{Verdict, judge},
};
use bailiwick_store::{Stored, Tx, Update, get};

use crate::{
    Catalogue, Engine, EngineError, Haste, Job, Result,
    alone::Alone,
    canary::{Bench, Given, MARKER, canary_attributes, refusal, suffix},
    finding::Wrong,
    observe::held,
    probe::basis,
    purge::purge_date,
    reconcile::next,
};

/// The finding that what is read of a system is not to be believed.
const UNTRUSTED: &str = "verification-untrusted";
/// The finding that something of a canary was left.
const ALIVE: &str = "drill-left-access";

/// A canary that is about to leave.
struct Canary {
    name: String,
    account: String,
    /// Whether it was put into a group.
    grouped: bool,
    given: Given,
}

impl Engine {
    /// Drills a system. It takes as long as the system needs to show each change; `pause` waits.
    ///
    /// # Errors
    /// When the system cannot be reached, when the connector makes no accounts there, and when the canary cannot be
    /// made or removed.
    pub async fn drill(&self, system: &SystemName, by: Actor, pause: &dyn Pause) -> Result<Drill> {
        let alone = self.alone("drill", system).await?;
        let outcome = self.drill_alone(system, by, pause, &alone).await;
        // Whoever could not write before cannot do it now; the hold runs out by itself.
        let freed = self.let_go(alone).await;
        let drill = outcome?;
        freed?;
        Ok(drill)
    }

    /// The last drill of a system.
    pub async fn last_drill(&self, system: &SystemName) -> Result<Option<Drill>> {
        let mut tx = self.read().await?;
        Ok(get::<Drill>(&mut *tx, self.tenant(), system.as_str()).await?.map(|stored| stored.value))
    }

    async fn drill_alone(
        &self,
        system: &SystemName,
        by: Actor,
        pause: &dyn Pause,
        alone: &Alone,
    ) -> Result<Drill> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let before = get::<Drill>(&mut *tx, self.tenant(), system.as_str()).await?;
        drop(tx);
        let mut bench = self.bench(&catalogue, system, pause, alone)?;
        // As leavers go: in the forms and by the way that a probe learned.
        bench.connector = catalogue.route(system)?.connector.clone();
        if let Some(left) = before.as_ref().and_then(|stored| stored.value.canary.clone()) {
            bench.remove(&left).await?;
        }
        let marker = format!("{MARKER}{}", suffix(self.entropy()));
        let begun = self.begin_drill(&bench, before, &marker, &by).await?;
        let drilled = self.leave_and_try(&catalogue, &bench, &marker).await;
        // Whatever was found, the canary goes.
        let gone = bench.remove(&marker).await;
        let kept = gone.is_err().then_some(marker);
        self.conclude_drill(&bench, begun, drilled, kept, &by).await
    }

    /// Records that a canary is about to be made.
    async fn begin_drill(
        &self,
        bench: &Bench<'_>,
        before: Option<Stored<Drill>>,
        marker: &str,
        by: &Actor,
    ) -> Result<Stored<Drill>> {
        let canary = Some(marker.to_owned());
        let mut record = self
            .record(RecordKind::DrillBegun, "drill")
            .fact("canary", marker)
            .fact("system", &bench.system.name);
        record.actor = by.clone();
        let (drill, revision) = match before {
            Some(stored) => (Drill { canary, ..stored.value }, stored.revision),
            None => (self.undrilled(bench, by, canary), 0),
        };
        let update = match revision {
            0 => Update::new(record).insert(&drill, self.entropy()),
            revision => Update::new(record).replace(&drill, revision, self.entropy()),
        };
        let mut tx = self.begin().await?;
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok(Stored { value: drill, revision: revision + 1 })
    }

    fn undrilled(&self, bench: &Bench<'_>, by: &Actor, canary: Option<String>) -> Drill {
        Drill {
            system: bench.system.name.clone(),
            integration: bench.integration.name.clone(),
            basis: basis(bench.integration),
            version: self.parts.version.clone(),
            at: self.now(),
            by: by.name().to_owned(),
            canary,
            ways: 0,
            drilled: Vec::new(),
            doubts: BTreeMap::new(),
        }
    }

    async fn leave_and_try(
        &self,
        catalogue: &Catalogue,
        bench: &Bench<'_>,
        marker: &str,
    ) -> Result<(u8, Vec<Drilled>)> {
        let canary = self.join_canary(bench, marker).await?;
        let rules = catalogue
            .rules
            .get(&bench.system.name)
            .ok_or_else(|| EngineError::NotFound { kind: "system", name: bench.system.name.to_string() })?;
        let ways = u8::try_from(bench.connector.capability().disable_ways.len()).unwrap_or(u8::MAX);
        let (mut way, mut used) = (rules.first_way, 0);
        loop {
            used += 1;
            self.leave(bench, &canary, rules, way, way >= ways).await?;
            let changed = self.now();
            bench.settle().await?;
            let read = self.read_canary(catalogue, bench, &canary, changed).await?;
            let left = read.iter().any(|(_, verdict)| matches!(verdict, Verdict::Residual { .. }));
            if !left || way >= ways {
                return Ok((used, bench.try_all(&canary, read).await?));
            }
            way = bench.connector.capability().way_from(way + 1).unwrap_or(ways);
        }
    }

    /// Makes the canary, and gives it what the connector gives.
    async fn join_canary(&self, bench: &Bench<'_>, marker: &str) -> Result<Canary> {
        let name = marker.trim_start_matches("bailiwick/").to_owned();
        let attributes = canary_attributes(bench.system, &name);
        let account = bench.make_canary(marker, &name, &attributes).await?;
        let mut grouped = false;
        if let Some(group) = &bench.group {
            let grant = Op::Grant { class: AccessClass::DirectGroups, external_id: group.clone() };
            match bench.change(Some(&account), &grant, &format!("{name}.grant")).await {
                Ok(_) => grouped = true,
                // That no group can be given is not what is drilled.
                Err(error) => drop(refusal(error)?),
            }
        }
        let given = bench.credentials(&account, self.entropy()).await?;
        Ok(Canary { name, account, grouped, given })
    }

    /// Does what a plan for a leaver would.
    async fn leave(
        &self,
        bench: &Bench<'_>,
        canary: &Canary,
        rules: &Rules,
        way: u8,
        delete: bool,
    ) -> Result<()> {
        for (step, op) in self.departure(bench, canary, rules, way, delete).into_iter().enumerate() {
            let key = format!("{}.leave{way}.{step}", canary.name);
            // What is refused shows in what is read and tried afterwards.
            if let Err(error) = bench.change(Some(&canary.account), &op, &key).await {
                refusal(error)?;
            }
        }
        Ok(())
    }

    /// What would be done to the account of a leaver, in order.
    fn departure(&self, bench: &Bench<'_>, canary: &Canary, rules: &Rules, way: u8, delete: bool) -> Vec<Op> {
        let system = &bench.system.name;
        let account = KnownAccount {
            id: AccountId::new(self.now(), self.entropy()),
            external_id: canary.account.clone(),
            state: AccountState { active: true, ..AccountState::default() },
            stays_disabled: false,
        };
        let sweep = Sweep {
            thorough: true,
            ways: [(system.clone(), way)].into(),
            delete: if delete { [system.clone()].into() } else { BTreeSet::new() },
            ..Sweep::default()
        };
        plan::departure(&account, system, rules, &sweep)
    }

    /// What the verifier reads of every class that the system has.
    async fn read_canary(
        &self,
        catalogue: &Catalogue,
        bench: &Bench<'_>,
        canary: &Canary,
        changed: Timestamp,
    ) -> Result<Vec<(AccessClass, Verdict)>> {
        let (line, witness) = self.witnessing(catalogue, bench.integration);
        let mut read = Vec::new();
        for class in &bench.system.classes {
            let verdict = match bench.connector.capability().observes.contains(class) {
                true => {
                    let seen = held(&*bench.connector, &line, witness, &canary.account, *class, self.now());
                    match judge(&seen.await?, changed, bench.system.convergence_ms) {
                        // A disabled account is kept for so long, then deleted.
                        Verdict::Blocked { purges_at: None } if *class == AccessClass::PrimaryAccount => {
                            Verdict::Blocked { purges_at: purge_date(bench.system, changed) }
                        }
                        verdict => verdict,
                    }
                }
                false => {
                    let why = format!("no connector can see {class} on `{}`", bench.system.name);
                    Verdict::Unobservable { why, control: None }
                }
            };
            read.push((*class, verdict));
        }
        Ok(read)
    }

    async fn conclude_drill(
        &self,
        bench: &Bench<'_>,
        begun: Stored<Drill>,
        outcome: Result<(u8, Vec<Drilled>)>,
        kept: Option<String>,
        by: &Actor,
    ) -> Result<Drill> {
        let (drill, failed) = match outcome {
            Ok((ways, drilled)) => {
                let drill = Drill { ways, drilled, ..self.undrilled(bench, by, kept) };
                (drill.doubting(&begun.value.doubts), None)
            }
            // What was known before is still the best that is known.
            Err(error) => (Drill { canary: kept, ..begun.value.clone() }, Some(error)),
        };
        let found = drill.drilled.iter().map(|d| (d.class.as_str(), d.finding().as_str()));
        let mut record = self
            .record(RecordKind::Drilled, "drill")
            .fact("classes", found.collect::<BTreeMap<_, _>>())
            .fact("drill", Digest::of_value(&drill))
            .fact("outcome", failed.as_ref().map_or("drilled", EngineError::code))
            .fact("system", &drill.system)
            .fact("untried", drill.untried())
            .fact("version", &drill.version)
            .fact("ways", drill.ways);
        record.actor = by.clone();
        let mut updates = vec![Update::new(record).replace(&drill, begun.revision, self.entropy())];
        let mut tx = self.begin().await?;
        if failed.is_none() {
            updates.extend(self.tell_of_drill(&mut *tx, bench, &drill).await?);
            let mut jobs = Vec::new();
            if !drill.untrusted().is_empty() {
                let job = Job::Distrust { system: drill.system.clone(), after: None };
                jobs.push(job.work(None, None, Haste::Soon, drill.at));
            }
            let job = Job::Drill { system: drill.system.clone(), after: drill.at };
            jobs.push(job.work(None, None, Haste::Usual, next(drill.at, bench.system.probe_every_ms)));
            self.enqueue(&mut *tx, jobs).await?;
        }
        tx.write(self.tenant(), updates, self.entropy()).await?;
        tx.commit().await?;
        match failed {
            Some(error) => Err(error),
            None => Ok(drill),
        }
    }

    /// Tells the owner what was left, and what is not believed any more.
    async fn tell_of_drill(&self, tx: &mut dyn Tx, bench: &Bench<'_>, drill: &Drill) -> Result<Vec<Update>> {
        let system = &drill.system;
        let names = |classes: BTreeSet<AccessClass>| {
            classes.iter().map(|class| class.as_str()).collect::<Vec<_>>().join(", ")
        };
        let untrusted = format!(
            "on `{system}` a canary that had left still got in by {}, behind a clean read: what is read of that is not \
             believed, and cases that rest on it are open again; end there what is alive, have it mended, run \
             `bailiwick drill {system}`, and accept in each case what stands in for reading",
            names(drill.untrusted()),
        );
        let alive = format!(
            "on `{system}` a canary that had left kept {}: leavers keep it too; look at `bailiwick drill {system} --show`",
            names(drill.alive()),
        );
        let mut updates = Vec::new();
        for (code, classes, message) in
            [(UNTRUSTED, drill.untrusted(), untrusted), (ALIVE, drill.alive(), alive)]
        {
            let wrong = Wrong {
                code,
                subject: system.to_string(),
                identity: None,
                system: Some(system.clone()),
                message,
                owner: bench.integration.owner.clone(),
            };
            updates.extend(match classes.is_empty() {
                true => self.close_finding(tx, code, system.as_str()).await?,
                false => self.open_finding(tx, wrong).await?,
            });
        }
        Ok(updates)
    }
}

impl Bench<'_> {
    /// Tries every credential that had worked, and puts what came of it beside what was read.
    async fn try_all(&self, canary: &Canary, read: Vec<(AccessClass, Verdict)>) -> Result<Vec<Drilled>> {
        let mut tried: Vec<(AccessClass, Tried)> = Vec::new();
        for one in &canary.given.working {
            let entry = match self.connector.attempt(&self.line, one).await {
                Ok(Entry::Accepted) => Tried::LetIn,
                Ok(Entry::Rejected) => Tried::TurnedAway,
                // Whoever cannot be asked did not turn anybody away.
                Err(error) => return Err(error.into()),
            };
            tried.push((one.class, entry));
        }
        for (class, why) in &canary.given.not {
            tried.push((*class, Tried::Not { why: why.clone() }));
        }
        let mut drilled = Vec::new();
        for (class, read) in read {
            let mine = tried.iter().position(|(of, _)| *of == class).map(|at| tried.remove(at).1);
            // It reads as gone also where there was never any.
            let had =
                class == AccessClass::PrimaryAccount || class == AccessClass::DirectGroups && canary.grouped;
            let none = || {
                let more = if had { "" } else { ", so the canary may have had nothing of it to lose" };
                Tried::Not { why: format!("the connector gives no credential of it{more}") }
            };
            drilled.push(Drilled { class, read, tried: mine.unwrap_or_else(none) });
        }
        // What is tried and not declared for the system shows all the same.
        drilled.extend(tried.into_iter().map(|(class, tried)| {
            let why = format!("`{}` does not declare it", self.system.name);
            Drilled { class, read: Verdict::Unobservable { why, control: None }, tried }
        }));
        Ok(drilled)
    }
}
