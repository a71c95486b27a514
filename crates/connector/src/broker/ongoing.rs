//! A call that is under way: in the books when it has ended, and a span for whoever traces.
//!
//! The span says whose call it is, what for and what became of it. Where it went is not in it: a path may name people.

use std::{future::Future, time::Duration};

use bailiwick_core::{digest::Digest, scope::Operation, time::Timestamp};
use tracing::{Instrument as _, Span, field::Empty};

use super::{Answer, line::Line};

/// A call that was begun and has not ended.
pub(super) struct Ongoing {
    operation: Operation,
    started: Timestamp,
    span: Span,
}

impl Ongoing {
    /// Does a part of it within its span.
    pub(super) async fn within<T>(&self, part: impl Future<Output = T>) -> T {
        part.instrument(self.span.clone()).await
    }
}

/// What came of a call that was sent, for the books.
#[derive(Default)]
pub(super) struct Outcome {
    /// Whether there was an answer.
    pub(super) answered: bool,
    /// The status or result code of the answer, where its protocol has one.
    pub(super) status: Option<u32>,
    /// How many bytes it had.
    pub(super) received: u64,
    /// Its digest, for evidence: of writes, and of what is heard.
    pub(super) digest: Option<Digest>,
}

impl Line {
    /// What came of a call over HTTP, or of one for a file.
    pub(super) fn outcome(&self, operation: Operation, answer: Option<&Answer>) -> Outcome {
        Outcome {
            answered: answer.is_some(),
            status: answer.map(|a| a.status.into()),
            received: answer.map_or(0, |a| a.body.len() as u64),
            digest: answer.filter(|_| self.digests(operation)).map(Answer::digest),
        }
    }

    /// Whether a digest of the answer is needed. Hashing every page of a listing would cost as much as parsing it.
    pub(super) fn digests(&self, operation: Operation) -> bool {
        !operation.reads() || self.heard.is_some()
    }

    /// Begins a call; `verb` is what its protocol calls it.
    pub(super) fn begin(&self, operation: Operation, verb: &str) -> Ongoing {
        let span = tracing::info_span!(
            "call",
            integration = %self.integration().name,
            operation = operation.as_str(),
            method = verb,
            status = Empty,
            answered = Empty,
        );
        Ongoing { operation, started: self.now(), span }
    }

    /// Counts a call that was sent.
    pub(super) fn ended(&self, call: &Ongoing, outcome: &Outcome) {
        let waited = Duration::try_from(self.now().duration_since(call.started)).unwrap_or_default();
        self.book(call.operation, waited, outcome);
        if let (Some(heard), Some(answer)) = (&self.heard, &outcome.digest) {
            heard.take(answer);
        }
        call.span.record("answered", outcome.answered);
        if let Some(status) = outcome.status {
            call.span.record("status", status);
        }
        tracing::debug!(
            integration = %self.integration().name,
            operation = call.operation.as_str(),
            answered = outcome.answered,
            millis = waited.as_millis(),
            "call"
        );
    }
}
