//! Takes evidence from the store into the published log.
//!
//! Writers never wait for it: a record is durable with the state it explains. One engine at a time, under
//! a lease, gives records their places, extends the tree, and moves the end of the log by
//! compare-and-swap. It can die between any two steps: the next one goes on from what the log holds.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use bailiwick_core::{
    id::{Entropy, Tenant},
    record::LONGEST,
    time::Timestamp,
};
use bailiwick_evidence::{Checkpoint, EvidenceError, JOURNAL_BYTES, Log, Signer, entry};
use bailiwick_store::{LogHead, Select, Store, Table, Tx, entities::Recovery, select};

use crate::{EngineError, Result};

// A record that the log refuses would keep everything after it out of the log.
const _: () = assert!(LONGEST <= entry::MAX_LEN);

/// How many records are taken at a time.
const BATCH: u32 = 4_096;
/// How long the lease lasts, milliseconds.
const LEASE_MS: i64 = 30_000;

/// The published log of one store.
pub struct Sequencer {
    store: Arc<dyn Store>,
    log: Arc<Mutex<Log>>,
    dir: PathBuf,
    holder: String,
    /// Held while publishing: two at once in one process would append the same records twice.
    publishing: tokio::sync::Mutex<()>,
}

impl Sequencer {
    /// Opens the log in `dir` for the store; repairs what a crash left. `holder` distinguishes this
    /// process from others on the same store.
    pub fn open(store: Arc<dyn Store>, dir: &Path, signer: Signer, entropy: &dyn Entropy) -> Result<Self> {
        Self::open_sized(store, dir, signer, entropy, JOURNAL_BYTES)
    }

    /// The same with the size in bytes that a new journal gets.
    pub fn open_sized(
        store: Arc<dyn Store>,
        dir: &Path,
        signer: Signer,
        entropy: &dyn Entropy,
        journal_bytes: u64,
    ) -> Result<Self> {
        let log = Log::open_sized(dir, signer, journal_bytes)
            .map_err(|e| EngineError::Evidence(format!("{}: {e}", e.code())))?;
        let holder = bailiwick_core::digest::Digest::of(&entropy.salt()).short();
        Ok(Self {
            store,
            log: Arc::new(Mutex::new(log)),
            dir: dir.to_owned(),
            holder,
            publishing: tokio::sync::Mutex::default(),
        })
    }

    /// The same, known to the store by a name that a process that comes back has again.
    #[must_use]
    pub fn named(self, holder: String) -> Self {
        Self { holder, ..self }
    }

    /// The folder of the log.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The log, for reading and proving.
    pub fn log(&self) -> Result<MutexGuard<'_, Log>> {
        self.log
            .lock()
            .map_err(|_| EngineError::Evidence("the log is in disorder after a failure; restart".into()))
    }

    /// Whether the end that the store remembers was signed with this key, so that this log is that one.
    pub async fn continues(&self) -> Result<bool> {
        let mut tx = self.store.read().await?;
        let head = tx.log_head().await?;
        self.is_ours(&mut *tx, head.as_ref()).await
    }

    /// A log that goes on from a restored store has another key: its first end follows the one of before.
    async fn is_ours(&self, tx: &mut dyn Tx, head: Option<&LogHead>) -> Result<bool> {
        let Some(head) = head else { return Ok(true) };
        let text = String::from_utf8_lossy(&head.checkpoint);
        let key = self.log()?.verifier().clone();
        if Checkpoint::open(&text, &[key]).is_ok() {
            return Ok(true);
        }
        let all = Select::from(Table::Recoveries);
        let restored = select::<Recovery>(tx, &Tenant::single(), all).await?;
        Ok(restored.iter().any(|stored| stored.value.before.as_deref() == Some(&*text)))
    }

    /// Publishes all records that were committed before the call. Gives the size of the log. Fails with
    /// `log-busy` while another process holds the lease and there is something to publish. Writes nothing otherwise: a hub that
    /// has nothing to do asks several times a second.
    pub async fn publish(&self, now: Timestamp) -> Result<u64> {
        let _alone = self.publishing.lock().await;
        if let Some(size) = self.published().await? {
            return Ok(size);
        }
        let mut tx = self.store.begin().await?;
        if tx.lock("sequencer", &self.holder, now.as_millisecond(), LEASE_MS).await?.is_none() {
            return Err(EngineError::LogBusy("another process publishes at this moment"));
        }
        while tx.sequence(BATCH).await? > 0 {}
        tx.commit().await?;
        let size = self.extend().await?;
        // Given back, so that who comes next need not wait until it runs out.
        let mut tx = self.store.begin().await?;
        tx.lock("sequencer", &self.holder, now.as_millisecond(), 0).await?;
        tx.commit().await?;
        Ok(size)
    }

    /// The size of the log, where it has all that was committed and the database remembers its end.
    async fn published(&self) -> Result<Option<u64>> {
        let mut tx = self.store.read().await?;
        let (indexed, written) = tx.entry_counts().await?;
        let head = tx.log_head().await?;
        if indexed != written || !self.is_ours(&mut *tx, head.as_ref()).await? {
            return Ok(None);
        }
        let log = self.log()?;
        let (size, root) = (log.checkpoint().size(), *log.checkpoint().root().as_bytes());
        let remembered = head.is_some_and(|head| head.root == root && u64::try_from(head.size) == Ok(size));
        let whole = log.durable() == size && u64::try_from(written) == Ok(size);
        Ok((remembered && whole).then_some(size))
    }

    /// Appends to the log what the database has more, then publishes it.
    async fn extend(&self) -> Result<u64> {
        loop {
            let size = self.log()?.durable();
            let from = i64::try_from(size).unwrap_or(i64::MAX);
            let mut tx = self.store.read().await?;
            let entries = tx.entries(from, BATCH).await?;
            let head = tx.log_head().await?;
            if !self.is_ours(&mut *tx, head.as_ref()).await? {
                return Err(EngineError::Evidence(
                    "log-key-wrong: the store's log is signed with another key; use that `log-key`".into(),
                ));
            }
            drop(tx);
            if entries.is_empty() {
                self.blocking(|log| log.publish().map(|_| ())).await?;
                self.advance(head).await?;
                return Ok(size);
            }
            self.blocking(move |log| {
                let bytes: Vec<&[u8]> = entries.iter().map(|e| e.bytes.as_slice()).collect();
                log.append(&bytes).map(|_| ())
            })
            .await?;
        }
    }

    /// Works on the log off the async threads, because it waits for the disk.
    async fn blocking(
        &self,
        work: impl FnOnce(&mut Log) -> std::result::Result<(), EvidenceError> + Send + 'static,
    ) -> Result<()> {
        let log = self.log.clone();
        let done = tokio::task::spawn_blocking(move || {
            let mut log = log.lock().map_err(|_| "the log is in disorder".to_owned())?;
            work(&mut log).map_err(|e| format!("{}: {e}", e.code()))
        });
        done.await.map_err(|e| EngineError::Evidence(e.to_string()))?.map_err(EngineError::Evidence)
    }

    /// Moves the end that the database remembers to where the log is.
    async fn advance(&self, before: Option<LogHead>) -> Result<()> {
        let head = {
            let log = self.log()?;
            let checkpoint = log.checkpoint();
            LogHead {
                size: i64::try_from(checkpoint.size()).unwrap_or(i64::MAX),
                root: *checkpoint.root().as_bytes(),
                checkpoint: checkpoint.to_string().into_bytes(),
            }
        };
        let old = before.as_ref().map(|h| h.size);
        if old.is_some_and(|size| size > head.size) {
            return Err(EngineError::Evidence(format!(
                "log-shrunk: the database remembers {} entries and the log has {}; restore the log folder",
                old.unwrap_or_default(),
                head.size
            )));
        }
        if old == Some(head.size) {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        tx.advance_log(old, &head).await?;
        Ok(tx.commit().await?)
    }
}
