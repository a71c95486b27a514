//! What a source said when it was read last.

use bailiwick_core::{
    id::{BatchId, SourceName},
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Entity, KeyValue, Table};

/// The last reading of a source that the hub reads by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fetched {
    /// The source.
    pub source: SourceName,
    /// When it was read.
    pub at: Timestamp,
    /// The delivery that this is, which has the digest of all that was said: the one before it, where it said the same again and the same came of it.
    pub batch: BatchId,
}

impl Entity for Fetched {
    const TABLE: Table = Table::Fetched;
    fn key(&self) -> String {
        self.source.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        Vec::new()
    }
}
