//! What is written down of decisions, many in one transaction.
//!
//! Whoever has something to be written adds it and, when nobody is at it, sets the writing off beside the request; what
//! comes meanwhile is written next, together. So one wait for the disk serves everybody who waits, and a request that
//! goes away loses no record. Memory is bounded: beyond so many that wait, a question is refused.

use std::{
    borrow::Cow,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bailiwick_core::{
    digest::Digest,
    id::{DecisionId, IdentityId},
    record::{Actor, Record, RecordKind},
    resource::ResourceType,
};
use bailiwick_store::Update;
use tokio::sync::oneshot;

use super::{AskRefusal, Asker, Question, Verdict};
use crate::{Engine, Result};

/// How many records may wait.
const WAITING: usize = 8_192;
/// How many are written together.
const TOGETHER: usize = 512;
/// How much of an id is written down, bytes: whoever asks chooses it.
const KEPT: usize = 1_024;

/// The records that wait.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Inner>);

#[derive(Default)]
struct Inner {
    queue: Mutex<Queue>,
    /// Those that are not written yet, also while they are.
    waiting: AtomicUsize,
}

#[derive(Default)]
struct Queue {
    records: Vec<(Record, oneshot::Sender<bool>)>,
    /// Whether somebody writes.
    writing: bool,
}

/// Says when something is written down. Whoever does not wait loses nothing.
#[must_use]
pub struct Written(Option<oneshot::Receiver<bool>>);

impl Written {
    /// There is nothing to be written.
    pub const fn nothing() -> Self {
        Self(None)
    }

    /// Whether it is on disk; `false` when the store did not take it.
    pub async fn wait(self) -> bool {
        match self.0 {
            None => true,
            Some(done) => done.await.unwrap_or(false),
        }
    }
}

/// Whether a permit is one of those that are recorded: one of `of`, by its id, so that anybody can tell which.
pub(super) fn sampled(id: DecisionId, of: u32) -> bool {
    let [.., a, b, c, d] = *id.as_bytes();
    of <= 1 || u32::from_be_bytes([a, b, c, d]) % of == 0
}

/// A text as it is written down; of a long one the beginning, and what identifies it.
fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= KEPT {
        return Cow::Borrowed(text);
    }
    let begin = &text[..text.floor_char_boundary(KEPT)];
    Cow::Owned(format!("{begin}… ({} bytes, SHA-256 {})", text.len(), Digest::of(text.as_bytes())))
}

impl Engine {
    /// The record of a decision. What a caller says may be personal: it is committed to, and so is the whole input by
    /// its digest.
    pub(super) fn decision_record(
        &self,
        asker: &Asker,
        (question, kind): (&Question, Option<&ResourceType>),
        verdict: &Verdict,
        identity: Option<IdentityId>,
    ) -> Record {
        let actor = Actor::Integration(asker.name.to_string());
        let Question { subject, action, resource, .. } = question;
        let asked = [&subject.kind, &subject.id, &action.0, &resource.kind, &resource.id];
        let asked = asked.map(|text| shortened(text));
        let mut record = Record::new(RecordKind::AccessDecided, self.now(), actor, self.entropy())
            .fact("because", verdict.reason.name())
            .fact("decision", verdict.id)
            .fact("integration", &asker.name)
            .fact("permits", verdict.permits())
            .fact("policies", &verdict.policies)
            .fact("policy", verdict.version)
            .personal("asked", asked)
            .personal("input", verdict.input);
        if let Some(kind) = kind {
            record = record.fact("resource_type", &kind.name);
        }
        record.identity = identity;
        record
    }

    /// Has a record written.
    ///
    /// # Errors
    /// [`AskRefusal::Full`].
    pub(super) fn write_down(&self, record: Record) -> Result<Written> {
        let inner = &self.ledger.0;
        if inner.waiting.fetch_add(1, Ordering::SeqCst) >= WAITING {
            inner.waiting.fetch_sub(1, Ordering::SeqCst);
            return Err(AskRefusal::Full.into());
        }
        let (done, written) = oneshot::channel();
        let begins = {
            let mut queue = inner.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.records.push((record, done));
            !std::mem::replace(&mut queue.writing, true)
        };
        if begins {
            let engine = self.clone();
            // Beside the request, which may go away.
            tokio::spawn(async move { engine.write_all().await });
        }
        Ok(Written(Some(written)))
    }

    /// Writes until nothing waits.
    async fn write_all(&self) {
        let inner = &self.ledger.0;
        loop {
            let some: Vec<_> = {
                let mut queue = inner.queue.lock().unwrap_or_else(PoisonError::into_inner);
                let count = queue.records.len().min(TOGETHER);
                queue.writing = count > 0;
                queue.records.drain(..count).collect()
            };
            if some.is_empty() {
                return;
            }
            let (records, done): (Vec<_>, Vec<_>) = some.into_iter().unzip();
            let count = records.len();
            let written = self.write_together(records).await;
            if let Err(error) = &written {
                tracing::error!(code = error.code(), count, "decisions are not written down");
            }
            inner.waiting.fetch_sub(count, Ordering::SeqCst);
            for done in done {
                // Who does not wait any more is told nothing.
                let _ = done.send(written.is_ok());
            }
        }
    }

    async fn write_together(&self, records: Vec<Record>) -> Result<()> {
        let updates = records.into_iter().map(Update::new).collect();
        let mut tx = self.begin().await?;
        tx.write(self.tenant(), updates, self.entropy()).await?;
        Ok(tx.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_so_many_permits_is_recorded_and_the_id_says_which() {
        let id = |n: u128| DecisionId::from_bytes(n.to_be_bytes());
        let count = |of| (0..10_000u128).filter(|n| sampled(id(n + (7 << 96)), of)).count();
        assert_eq!((count(0), count(1), count(10), count(100)), (10_000, 10_000, 1_000, 100));
        assert!(sampled(id(300), 100) && !sampled(id(301), 100));
    }

    #[test]
    fn an_id_of_any_length_takes_little_room_on_disk() {
        for short in ["", "record-1", &"x".repeat(KEPT)] {
            assert_eq!(shortened(short), short);
        }
        // Cut between two letters, and not within one.
        let long = format!("x{}", "ü".repeat(KEPT));
        let kept = shortened(&long);
        assert!(kept.starts_with(&format!("x{}… (2049 bytes", "ü".repeat(KEPT / 2 - 1))), "{kept}");
        assert!(kept.len() < KEPT + 120 && kept.contains(&Digest::of(long.as_bytes()).to_string()), "{kept}");
    }
}
