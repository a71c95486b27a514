//! What sources delivered.

use bailiwick_core::{
    contract::Breach,
    digest::Digest,
    guard::{Fate, Would},
    id::{BatchId, SourceName},
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Entity, KeyValue, Table};

/// One delivery of a feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Batch {
    /// Its id.
    pub id: BatchId,
    /// The source.
    pub source: SourceName,
    /// Digest of the delivered bytes: the same delivery twice is one.
    pub digest: Digest,
    /// When it came.
    pub at: Timestamp,
    /// How many records it has.
    pub rows: u64,
    /// How many events came of it.
    pub events: u64,
    /// How many records said nothing new.
    pub unchanged: u64,
    /// Why it is held; empty when it was accepted at once.
    pub breaches: Vec<Breach>,
    /// What it would have done, if it was held for less than its form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would: Option<Would>,
    /// What became of it.
    pub fate: Fate,
}

impl Batch {
    /// What somebody sees of a delivery that is held, and releases.
    pub fn shown(&self) -> Digest {
        Digest::of_value(&("batch-v1", self.id, &self.source, self.digest, &self.breaches, &self.would))
    }
}

impl Entity for Batch {
    const TABLE: Table = Table::Batches;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.source.as_str().into(), self.fate.name().into()]
    }
}
