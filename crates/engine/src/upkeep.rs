//! What becomes of an integration by the passing of time: reviews fall due, transfers run out, and what is
//! missing pauses its writes until it is there.
//!
//! One item of work for each integration looks at it, at the instant at which something can come next. An item
//! of an older instant finds that out and does nothing.

use std::collections::BTreeMap;

use bailiwick_core::{
    gate::Shut,
    id::IntegrationName,
    integration::{Control, Integration, Standing},
    record::RecordKind,
    review::{self, BARS_AFTER, Consequence, PAUSES_AFTER, Review, Trigger, Watch, Whereabouts, days_after},
    time::{SignedDuration, Timestamp},
    transfer::standing_with,
};
use bailiwick_store::{Stored, Tx, Update, Work, get};

use crate::{Catalogue, Engine, Haste, Job, Result, finding::Wrong};

/// How often use is written down, at most.
const BATCH: SignedDuration = SignedDuration::from_mins(15);

/// What an integration lacks, and when to look again.
#[derive(Default)]
pub(crate) struct Lack {
    /// What is missing, the worst first.
    pub missing: Vec<Control>,
    /// When something can come next.
    pub next: Vec<Timestamp>,
}

impl Engine {
    /// Has somebody look at the integrations now.
    pub(crate) async fn wake_watches(
        &self,
        tx: &mut dyn Tx,
        names: impl IntoIterator<Item = IntegrationName>,
    ) -> Result<()> {
        let now = self.now();
        for name in names {
            let known = get::<Watch>(tx, self.tenant(), name.as_str()).await?;
            if known.as_ref().is_some_and(|known| known.value.next == now) {
                continue;
            }
            let (watch, revision) = taken(known, &name, now);
            self.keep_watch(tx, Watch { next: now, ..watch }, revision).await?;
        }
        Ok(())
    }

    /// Keeps a watch, and an item of work for when it is to be looked at.
    async fn keep_watch(&self, tx: &mut dyn Tx, watch: Watch, revision: Option<i64>) -> Result<()> {
        let job = Job::Upkeep { integration: watch.integration.clone(), at: watch.next };
        let update = self.watched(tx, &watch, revision).await?;
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        self.enqueue(tx, vec![job.work(None, None, Haste::Usual, watch.next)]).await
    }

    /// The update that keeps a watch. Its record says how many rules of the scope were used since the last review.
    pub(crate) async fn watched(
        &self,
        tx: &mut dyn Tx,
        watch: &Watch,
        revision: Option<i64>,
    ) -> Result<Update> {
        let mut record = self
            .record(RecordKind::UseCounted, "review")
            .fact("integration", &watch.integration)
            .fact("next", watch.next);
        if let Some(integration) = self.catalogue(tx).await?.integrations.get(&watch.integration) {
            let used = watch.used_since(&integration.scope, watch.reviewed).len();
            record = record.fact("used", used).fact("declared", integration.scope.rules.len());
        }
        if let Some(reviewed) = watch.reviewed {
            record = record.fact("reviewed", reviewed);
        }
        Ok(match revision {
            Some(revision) => Update::new(record).replace(watch, revision, self.entropy()),
            None => Update::new(record).insert(watch, self.entropy()),
        })
    }

    /// Writes down the use of rules since the last time, unless that was a moment ago.
    pub(crate) async fn record_use_now_and_then(&self) -> Result<()> {
        let now = self.now();
        {
            let mut last = self.counted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if last.is_some_and(|last| now.duration_since(last) < BATCH) {
                return Ok(());
            }
            *last = Some(now);
        }
        self.record_use().await
    }

    /// Writes down the use of rules since the last time.
    pub(crate) async fn record_use(&self) -> Result<()> {
        let used = self.parts.broker.take_used();
        if used.is_empty() {
            return Ok(());
        }
        let written = self.write_use(&used).await;
        if written.is_err() {
            self.parts.broker.put_back(used);
        }
        written
    }

    async fn write_use(&self, used: &bailiwick_connector::broker::Used) -> Result<()> {
        let now = self.now();
        let mut tx = self.begin().await?;
        for (name, rules) in used {
            let known = get::<Watch>(&mut *tx, self.tenant(), name.as_str()).await?;
            let fresh = known.is_none();
            let (mut watch, revision) = taken(known, name, now);
            rules.iter().for_each(|(rule, more)| watch.add(rule, more));
            match fresh {
                true => self.keep_watch(&mut *tx, watch, revision).await?,
                false => {
                    let update = self.watched(&mut *tx, &watch, revision).await?;
                    tx.write(self.tenant(), vec![update], self.entropy()).await?;
                }
            }
        }
        Ok(tx.commit().await?)
    }

    /// Looks at an integration at the instant that was agreed on.
    pub(crate) async fn upkeep(&self, item: &Work, name: &IntegrationName, at: Timestamp) -> Result<()> {
        let pins = self.pins_to_be(name).await?;
        let now = self.now();
        let mut tx = self.begin().await?;
        let known = get::<Watch>(&mut *tx, self.tenant(), name.as_str()).await?;
        if known.as_ref().is_some_and(|known| known.value.next == at) {
            let (mut watch, revision) = taken(known, name, now);
            if let Some(pins) = pins {
                (watch.pins, watch.pinned) = (pins, Some(now));
            }
            let lack = self.look_at(&mut *tx, name, &watch).await?;
            match lack.next.into_iter().filter(|next| *next > now).min() {
                Some(next) => self.keep_watch(&mut *tx, Watch { next, ..watch }, revision).await?,
                None => {
                    let update = self.watched(&mut *tx, &watch, revision).await?;
                    tx.write(self.tenant(), vec![update], self.entropy()).await?;
                }
            }
        }
        tx.finish(self.tenant(), item).await?;
        Ok(tx.commit().await?)
    }

    /// Where the callbacks lead, if they are to be pinned: something was certified since they were.
    async fn pins_to_be(&self, name: &IntegrationName) -> Result<Option<BTreeMap<String, Whereabouts>>> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let Some(integration) = catalogue.integrations.get(name) else { return Ok(None) };
        let pinned = get::<Watch>(&mut *tx, self.tenant(), name.as_str()).await?;
        let callbacks = &integration.register.callbacks;
        // What is pinned is what is declared; that only changes when it is certified.
        let all =
            pinned.as_ref().is_some_and(|watch| callbacks.iter().all(|c| watch.value.pins.contains_key(c)));
        let pinned = pinned.and_then(|watch| watch.value.pinned).filter(|_| all);
        drop(tx);
        let gates = [&integration.gates.integration, &integration.gates.authority];
        let certified = gates.into_iter().flatten().map(|certificate| certificate.at).max();
        match certified {
            Some(at) if pinned.is_none_or(|pinned| pinned < at) => Ok(Some(self.places(callbacks).await)),
            Some(_) | None => Ok(None),
        }
    }

    /// Where addresses lead now. No transaction is open meanwhile.
    pub(crate) async fn places(&self, addresses: &[String]) -> BTreeMap<String, Whereabouts> {
        let mut out = BTreeMap::new();
        for address in addresses {
            out.insert(address.clone(), self.parts.broker.place(address).await);
        }
        out
    }

    async fn look_at(&self, tx: &mut dyn Tx, name: &IntegrationName, watch: &Watch) -> Result<Lack> {
        let catalogue = self.catalogue(tx).await?;
        let integration = catalogue.integrations.get(name);
        let mut lack = self.transfers_of(tx, name, integration).await?;
        let Some(integration) = integration else { return Ok(lack) };
        if !matches!(integration.standing, Standing::Ended { .. }) {
            self.review_of(tx, &catalogue, integration, watch, &mut lack).await?;
            // What cannot be taken back must not give more, until a drill shows that it can.
            if watch.drill.as_ref().is_some_and(|drill| !drill.passed) {
                lack.missing.push(Control::Drill);
            }
        }
        self.stand(tx, integration, &lack.missing).await?;
        Ok(lack)
    }

    /// Opens the review that is due or has a reason, and says what its lateness comes to.
    async fn review_of(
        &self,
        tx: &mut dyn Tx,
        catalogue: &Catalogue,
        integration: &Integration,
        watch: &Watch,
        lack: &mut Lack,
    ) -> Result<()> {
        let (name, now) = (&integration.name, self.now());
        let class = catalogue.authority(name).map(|a| a.class).unwrap_or_default();
        let due = review::due(integration, class, watch.reviewed);
        let failed = watch.drill.as_ref().filter(|drill| !drill.passed);
        let failed = failed.is_some_and(|drill| watch.reviewed.is_none_or(|at| at < drill.at));
        let mut reasons = vec![];
        if let Some(due) = due.filter(|due| *due <= now) {
            reasons.push((Trigger::Cadence, due));
        }
        if matches!(catalogue.permit(name).writes, Err(Shut::Void)) {
            reasons.push((Trigger::AuthorityVoid, now));
        }
        if failed {
            reasons.push((Trigger::DrillFailed, now));
        }
        for (trigger, due) in reasons {
            self.file_review(tx, name, trigger, due).await?;
        }
        lack.next.extend(due);
        let Some(open) = self.review_open(tx, name).await? else { return Ok(()) };
        lack.next.extend([BARS_AFTER, PAUSES_AFTER].map(|days| days_after(open.value.due, days)));
        match review::consequence(open.value.due, now) {
            Consequence::None => {}
            Consequence::Barred => self.say_overdue(tx, &open.value).await?,
            Consequence::Paused => {
                self.say_overdue(tx, &open.value).await?;
                lack.missing.push(Control::Review);
            }
        }
        Ok(())
    }

    async fn say_overdue(&self, tx: &mut dyn Tx, open: &Review) -> Result<()> {
        let name = &open.integration;
        let wrong = Wrong {
            code: "review-overdue",
            subject: name.to_string(),
            identity: None,
            system: None,
            message: format!(
                "the review of `{name}` was due on {:.0}: nothing more is approved of it, and {PAUSES_AFTER} days \
                 after that day it writes nothing; `bailiwick review show {name}`",
                open.due
            ),
            owner: "operator".into(),
        };
        let updates = self.open_finding(tx, wrong).await?.into_iter().collect();
        Ok(tx.write(self.tenant(), updates, self.entropy()).await?)
    }

    /// Pauses what lacks something, and lets go on what lacks nothing any more.
    async fn stand(&self, tx: &mut dyn Tx, integration: &Integration, missing: &[Control]) -> Result<()> {
        let (name, worst) =
            (&integration.name, missing.iter().min_by_key(|control| rank(**control)).copied());
        let mut updates = Vec::new();
        for control in [Control::Owner, Control::Rotation, Control::Drill] {
            match missing.contains(&control) {
                true => updates.extend(self.open_finding(tx, lacking(integration, control)).await?),
                false => updates.extend(self.close_finding(tx, control.code(), name.as_str()).await?),
            }
        }
        if let Some(standing) = standing_with(&integration.standing, worst, self.now())
            && let Some(stored) = get::<Integration>(tx, self.tenant(), name.as_str()).await?
        {
            let kind = match worst {
                Some(_) => RecordKind::ControlMissing,
                None => RecordKind::ControlMended,
            };
            let mut record = self.record_of(tx, (kind, "upkeep"), name).await?;
            if let Some(control) = worst {
                record = record.fact("control", control.code());
            }
            if worst.is_none() {
                self.wake_work(tx, integration).await?;
            }
            let next = Integration { standing, ..stored.value };
            updates.push(Update::new(record).replace(&next, stored.revision, self.entropy()));
        }
        Ok(tx.write(self.tenant(), updates, self.entropy()).await?)
    }
}

/// Which of several missing controls is said first.
const fn rank(control: Control) -> u8 {
    match control {
        Control::Owner => 0,
        Control::Rotation => 1,
        Control::Review => 2,
        Control::Drill => 3,
    }
}

fn lacking(integration: &Integration, control: Control) -> Wrong {
    let name = &integration.name;
    let (what, owner) = match control {
        Control::Rotation => (
            format!(
                "its credentials were not all set anew since `{}` accepted it: `bailiwick credential set {name} \
                 PURPOSE`",
                integration.owner
            ),
            integration.owner.clone(),
        ),
        Control::Drill => (
            format!(
                "the last drill of its kill failed: mend that, then `bailiwick kill {name} --drill` again"
            ),
            integration.owner.clone(),
        ),
        Control::Owner | Control::Review => (
            format!(
                "nobody has accepted to answer for it in time: `bailiwick integration transfer {name} --to \
                 SOURCE/KEY`, then `bailiwick integration accept {name}` by that person"
            ),
            "operator".to_owned(),
        ),
    };
    Wrong {
        code: control.code(),
        subject: name.to_string(),
        identity: None,
        system: None,
        message: format!("the writes of `{name}` are off: {what}"),
        owner,
    }
}

fn taken(known: Option<Stored<Watch>>, name: &IntegrationName, now: Timestamp) -> (Watch, Option<i64>) {
    match known {
        Some(known) => (known.value, Some(known.revision)),
        None => (Watch::new(name.clone(), now), None),
    }
}
