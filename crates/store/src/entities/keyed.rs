//! Requests that came with a key of the caller's, so that the same one is done once.

use bailiwick_core::{digest::Digest, id::OperatorId, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Entity, KeyValue, Table};

/// A request under the key that its caller gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyedRequest {
    /// Whose it is.
    pub operator: OperatorId,
    /// SHA-256 of the key.
    pub key: Digest,
    /// Which operation of the API it is.
    pub operation: String,
    /// What only the hub can make of the whole request, hexadecimal: another request is told from it, and what was in it is
    /// not.
    pub request: String,
    /// When it was begun.
    pub begun: Timestamp,
    /// Until when the key stands for it.
    pub until: Timestamp,
    /// What became of it.
    #[serde(flatten)]
    pub state: RequestState,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum RequestState {
    /// It was begun; nothing is known of its end.
    Begun,
    /// It was answered.
    Answered {
        /// With which status.
        status: u16,
        /// The answer, as far as it is kept.
        answer: KeptAnswer,
    },
}

/// What is kept of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeptAnswer {
    /// All of it.
    Whole {
        /// Its media type; absent when there is no body.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        media: Option<String>,
        /// Its body.
        body: String,
    },
    /// Nothing: it holds a secret that is shown once.
    Secret,
    /// Nothing: it is too long.
    Long,
    /// Nothing any more: somebody was erased, and it may have named them.
    Erased,
}

impl KeyedRequest {
    /// The id in the store of the request under a key of an operator.
    pub fn id_of(operator: OperatorId, key: Digest) -> String {
        format!("{operator}/{key}")
    }
}

impl Entity for KeyedRequest {
    const TABLE: Table = Table::KeyedRequests;
    fn key(&self) -> String {
        Self::id_of(self.operator, self.key)
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.operator.to_string().into(), self.until.as_millisecond().into()]
    }
}
