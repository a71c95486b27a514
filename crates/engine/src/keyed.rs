//! Requests with a key of the caller's: the same one is done once.
//!
//! Promises: before a request is done it is written down that it was begun, and what it was answered with once it was. So
//! somebody who asks again is answered alike for a day, whichever process they reach; and where a process died in between
//! they are told that nobody knows, and neither that it was done nor that it was not. Under one key there is one request.
//! Absent: whether a request is under way in this process; who serves it knows that.

use bailiwick_core::{
    digest::Digest,
    id::OperatorId,
    record::{Actor, RecordKind},
    time::{SignedDuration, Timestamp},
};
use bailiwick_store::{
    Filter, Select, StoreError, Stored, Table, Tx, Update,
    entities::{KeptAnswer, KeyedRequest, Operator, RequestState},
    get, select,
};

use crate::{Engine, EngineError, Result};

/// How long a key stands for its request.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How many keys of one operator may stand at the same time.
const MOST: i64 = 5_000;
/// How many keys that are over are taken away with each new one.
const SWEPT: u32 = 20;

/// A request with a key is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// The key stands for something else.
    #[error("the key was used for another request, `{0}`; nothing was done")]
    Reused(String),
    /// It was begun, and nothing is known of its end.
    #[error(
        "a request with this key was begun at {0:.0} and nothing is known of its end: it may be done, or not"
    )]
    Unanswered(Timestamp),
    /// It was done or refused before, and the answer cannot be given again.
    #[error("the request was answered before with the status {status}, and {why}")]
    NotKept {
        /// With which status.
        status: u16,
        /// Why not.
        why: &'static str,
    },
    /// Too many keys stand.
    #[error("{MOST} keys of the last day stand for requests of this operator")]
    Full,
}

impl KeyRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Reused(_) => "idempotency-key-reused",
            Self::Unanswered(_) => "idempotency-key-unanswered",
            Self::NotKept { .. } => "idempotency-answer-not-kept",
            Self::Full => "idempotency-keys-full",
        }
    }
}

/// What there is under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnderKey {
    /// Nothing was: it is written down as begun, and is to be done now.
    New(Box<KeyedRequest>),
    /// The same request, begun before.
    Before(Box<KeyedRequest>),
}

impl Engine {
    /// What tells a request from another: what only the hub can make of its parts.
    pub fn request_seal(&self, parts: &[&[u8]]) -> String {
        let lengths: Vec<[u8; 8]> = parts.iter().map(|part| (part.len() as u64).to_be_bytes()).collect();
        let framed: Vec<&[u8]> =
            lengths.iter().zip(parts).flat_map(|(length, part)| [length.as_slice(), part]).collect();
        let digest = Digest::of_parts(&framed);
        self.parts.broker.attest(&[b"bailiwick/request/v1\n".as_slice(), &digest.0].concat())
    }

    /// Writes down that a request is begun under a key, or gives back the one that was.
    ///
    /// # Errors
    /// [`KeyRefusal::Reused`], [`KeyRefusal::Full`], and what the store does not do.
    pub async fn begin_request(
        &self,
        operator: &Operator,
        operation: &str,
        key: &str,
        request: String,
    ) -> Result<UnderKey> {
        let now = self.now();
        let new = KeyedRequest {
            operator: operator.id,
            key: Digest::of(key.as_bytes()),
            operation: operation.to_owned(),
            request,
            begun: now,
            until: now.saturating_add(KEPT).unwrap_or(now),
            state: RequestState::Begun,
        };
        match self.write_begun(operator, &new).await {
            // Somebody was faster with the same key.
            Err(EngineError::Store(StoreError::Conflict { .. })) => {
                let found =
                    self.standing(&mut *self.read().await?, (new.operator, new.key), &new.request).await?;
                found.map(|before| UnderKey::Before(Box::new(before.value))).ok_or_else(|| {
                    EngineError::Inconsistent("a key was taken and there is no request under it".into())
                })
            }
            other => other,
        }
    }

    /// The request that stands under a key.
    ///
    /// # Errors
    /// [`KeyRefusal::Reused`] when it is another one.
    pub async fn request_under(
        &self,
        operator: &Operator,
        key: &str,
        request: &str,
    ) -> Result<Option<KeyedRequest>> {
        let mut tx = self.read().await?;
        self.standing(&mut *tx, (operator.id, Digest::of(key.as_bytes())), request)
            .await
            .map(|found| Some(found?.value))
    }

    async fn write_begun(&self, operator: &Operator, new: &KeyedRequest) -> Result<UnderKey> {
        let mut tx = self.begin().await?;
        let stored =
            get::<KeyedRequest>(&mut *tx, self.tenant(), &KeyedRequest::id_of(new.operator, new.key)).await?;
        if let Some(before) = &stored
            && before.value.until > new.begun
        {
            return same(&before.value, &new.request)
                .map(|()| UnderKey::Before(Box::new(before.value.clone())));
        }
        let theirs = Select::from(Table::KeyedRequests)
            .filter(Filter::Is("operator", operator.id.to_string().into()))
            .filter(Filter::Above("until", new.begun.as_millisecond()));
        if tx.count(self.tenant(), theirs).await? >= MOST {
            return Err(KeyRefusal::Full.into());
        }
        let mut update = Update::new(self.request_record(RecordKind::RequestBegun, operator, new));
        update = match &stored {
            Some(over) => update.replace(new, over.revision, self.entropy()),
            None => update.insert(new, self.entropy()),
        };
        let over = Select::from(Table::KeyedRequests)
            .filter(Filter::AtMost("until", new.begun.as_millisecond()))
            .page(None, SWEPT);
        for over in select::<KeyedRequest>(&mut *tx, self.tenant(), over).await? {
            let id = KeyedRequest::id_of(over.value.operator, over.value.key);
            if id != KeyedRequest::id_of(new.operator, new.key) {
                update = update.delete::<KeyedRequest>(&id, over.revision);
            }
        }
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        tx.commit().await?;
        Ok(UnderKey::New(Box::new(new.clone())))
    }

    /// Writes down what a request was answered with.
    ///
    /// # Errors
    /// When the store does not do it.
    pub async fn answer_request(
        &self,
        operator: &Operator,
        request: &KeyedRequest,
        status: u16,
        answer: KeptAnswer,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let Some(stored) = self.standing(&mut *tx, (request.operator, request.key), &request.request).await?
        else {
            return Ok(());
        };
        let record =
            self.request_record(RecordKind::RequestAnswered, operator, request).fact("status", status);
        let answered = KeyedRequest { state: RequestState::Answered { status, answer }, ..stored.value };
        let update = Update::new(record).replace(&answered, stored.revision, self.entropy());
        tx.write(self.tenant(), vec![update], self.entropy()).await?;
        Ok(tx.commit().await?)
    }

    /// The same request under its key, as it is stored; one that is another is [`KeyRefusal::Reused`].
    async fn standing(
        &self,
        tx: &mut dyn Tx,
        (operator, key): (OperatorId, Digest),
        request: &str,
    ) -> Result<Option<Stored<KeyedRequest>>> {
        let id = KeyedRequest::id_of(operator, key);
        let found = get::<KeyedRequest>(tx, self.tenant(), &id).await?;
        if let Some(found) = &found {
            same(&found.value, request)?;
        }
        Ok(found)
    }

    fn request_record(
        &self,
        kind: RecordKind,
        operator: &Operator,
        request: &KeyedRequest,
    ) -> bailiwick_core::record::Record {
        // The path may name people; the operation does not.
        let mut record =
            self.record(kind, "request").fact("operator", operator.id).fact("operation", &request.operation);
        record.actor = Actor::Operator(operator.name.clone());
        record
    }

    /// Requests whose answers are kept, without them: an answer may name somebody who is erased.
    pub(crate) async fn requests_without_answers(&self, tx: &mut dyn Tx) -> Result<Vec<(KeyedRequest, i64)>> {
        let all = select::<KeyedRequest>(tx, self.tenant(), Select::from(Table::KeyedRequests)).await?;
        let bare = all.into_iter().filter_map(|Stored { value, revision, .. }| match value.state {
            RequestState::Answered { status, answer: KeptAnswer::Whole { ref body, .. } }
                if !body.is_empty() =>
            {
                let state = RequestState::Answered { status, answer: KeptAnswer::Erased };
                Some((KeyedRequest { state, ..value }, revision))
            }
            RequestState::Answered { .. } | RequestState::Begun => None,
        });
        Ok(bare.collect())
    }
}

fn same(before: &KeyedRequest, request: &str) -> Result<()> {
    match before.request == request {
        true => Ok(()),
        false => Err(KeyRefusal::Reused(before.operation.clone()).into()),
    }
}
