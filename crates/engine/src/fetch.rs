//! Sources that the hub reads by itself: directories, databases, interfaces of HR systems, files that others put down.
//!
//! Promises: a source is read by one engine at a time, and whole; what it says is a delivery like any other, held by the
//! same contract, released by two people as they saw it. One that says what it said is not kept once more: only that it
//! was asked. The next reading is agreed on in the transaction of the one before, so that no reading is lost; one that
//! fails is tried again, and its owner is told.

use bailiwick_core::{
    id::{IntegrationName, SourceName},
    integration::{Integration, Role},
    record::RecordKind,
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{
    NewWork, Stored, Tx, Update, Work,
    entities::{Batch, Fetched},
    get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Catalogue, Doing, Engine, EngineError, Haste, Job, Result,
    alone::Alone,
    intake::{Imported, Taking},
};

/// When to ask again for a source that somebody is reading, milliseconds.
const BUSY_MS: i64 = 10_000;

/// How what a source says comes to the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Comes {
    /// Somebody delivers it to the hub's own folder, `file:feeds/SOURCE`.
    Delivered,
    /// The source pushes its people, one by one.
    Pushed,
    /// The hub asks for it.
    Read,
}

impl Catalogue {
    /// How what this integration says of people comes, if it is one of a source.
    pub fn comes(&self, name: &IntegrationName) -> Option<Comes> {
        let integration = self.integrations.get(name)?;
        let Role::Source { source, contract } = &integration.role else { return None };
        let folder = format!("file:feeds/{source}");
        let delivered = integration.endpoint == folder && contract.read_every_minutes.is_none();
        Some(match self.capability(name)?.pushed {
            true => Comes::Pushed,
            false if delivered => Comes::Delivered,
            false => Comes::Read,
        })
    }

    /// How what a source says comes.
    pub(crate) fn source_comes(&self, source: &SourceName) -> Result<Comes> {
        let route = self.source(source)?;
        let missing = || EngineError::NotFound { kind: "source", name: source.to_string() };
        self.comes(&route.integration.name).ok_or_else(missing)
    }

    /// Whether a source is to be read that was agreed on `after` a reading, and was read `last`.
    fn is_due(&self, source: &SourceName, after: Option<Timestamp>, last: Option<Timestamp>) -> bool {
        let Ok(route) = self.source(source) else { return false };
        let Role::Source { contract, .. } = &route.integration.role else { return false };
        let scheduled = || contract.read_every_minutes.is_some() && after == last;
        self.comes(&route.integration.name) == Some(Comes::Read) && (after.is_none() || scheduled())
    }
}

/// The reading that is due when an integration may do its work from now on, if it is of a source that is read by itself.
pub(crate) fn reading_of(integration: &Integration, now: Timestamp) -> Option<NewWork> {
    let Role::Source { source, contract } = &integration.role else { return None };
    contract.read_every_minutes?;
    Some(Job::Fetch { source: source.clone(), after: None }.work(None, None, Haste::Usual, now))
}

impl Engine {
    /// How what a source says comes to the hub.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn how_it_comes(&self, source: &SourceName) -> Result<Comes> {
        let mut tx = self.read().await?;
        self.catalogue(&mut *tx).await?.source_comes(source)
    }

    /// Reads a source now, and takes what it says as a delivery.
    ///
    /// # Errors
    /// [`EngineError::Held`], [`EngineError::Busy`] while somebody reads it, and why it cannot be read.
    pub fn read_source<'a>(&'a self, source: &'a SourceName) -> Doing<'a, Imported> {
        Box::pin(async move {
            let alone = self.alone("read", source).await?;
            let outcome = self.take_reading(source, &alone).await;
            // Whoever could not write before cannot do it now; the hold runs out by itself.
            let freed = self.let_go(alone).await;
            let imported = outcome?;
            freed?;
            Ok(imported)
        })
    }

    async fn take_reading(&self, source: &SourceName, alone: &Alone) -> Result<Imported> {
        let (delivery, owner, contract) = self.read_feed(source, None, Some(alone)).await?;
        let digest = delivery.digest();
        let mut tx = self.begin().await?;
        let last = self.last_read(&mut *tx, source).await?;
        let before = match &last {
            Some(last) => get::<Batch>(&mut *tx, self.tenant(), &last.value.batch.to_string()).await?,
            None => None,
        };
        let before = before.map(|stored| stored.value);
        let taking = Taking { may_be_old: true, before, ..Taking::of(digest) };
        let taken = self.take_delivery(&mut *tx, (source, &owner, &contract), &delivery, taking).await?;
        let now = self.now();
        let fetched = Fetched { source: source.clone(), at: now, batch: taken.batch.id };
        let record = self
            .record(RecordKind::SourceRead, "intake")
            .fact("batch", fetched.batch)
            .fact("delivered", digest)
            .fact("rows", delivery.rows())
            .fact("source", source);
        let update = Update::new(record);
        let update = match last {
            Some(last) => update.replace(&fetched, last.revision, self.entropy()),
            None => update.insert(&fetched, self.entropy()),
        };
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        if let Some(minutes) = contract.read_every_minutes {
            let due = now.saturating_add(SignedDuration::from_mins(i64::from(minutes))).unwrap_or(now);
            let job = Job::Fetch { source: source.clone(), after: Some(now) };
            self.enqueue(&mut *tx, vec![job.work(None, None, Haste::Usual, due)]).await?;
        }
        tx.commit().await?;
        taken.imported()
    }

    /// The last reading of a source.
    pub(crate) async fn last_read(
        &self,
        tx: &mut dyn Tx,
        source: &SourceName,
    ) -> Result<Option<Stored<Fetched>>> {
        Ok(get::<Fetched>(tx, self.tenant(), source.as_str()).await?)
    }

    /// Reads a source that is due, or that somebody said something new is in.
    pub(crate) async fn fetch_item(
        &self,
        item: &Work,
        source: &SourceName,
        after: Option<Timestamp>,
    ) -> Result<()> {
        let mut tx = self.read().await?;
        let catalogue = self.catalogue(&mut *tx).await?;
        let last = self.last_read(&mut *tx, source).await?.map(|last| last.value.at);
        drop(tx);
        let outcome = match catalogue.is_due(source, after, last) {
            true => self.read_source(source).await.map(drop),
            false => Ok(()),
        };
        let mut tx = self.begin().await?;
        match outcome {
            // What is held has agreed on the next reading; where a gate is shut, opening it has it read.
            Ok(()) | Err(EngineError::Held(_) | EngineError::Shut(..)) => {
                tx.finish(self.tenant(), item).await?;
            }
            Err(EngineError::Busy { .. }) => {
                let due = self.now().as_millisecond().saturating_add(BUSY_MS);
                tx.postpone(self.tenant(), item, due, false).await?;
            }
            Err(error) => return Err(error),
        }
        Ok(tx.commit().await?)
    }
}
