//! That the hub was set back to an earlier state.

use bailiwick_core::{
    id::{OperatorId, RecoveryId},
    time::Timestamp,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Entity, KeyValue, Table};

/// The hub goes on from a backup. Until somebody releases it, it decides and plans, and changes no system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recovery {
    /// Its id.
    pub id: RecoveryId,
    /// When it was restored.
    pub at: Timestamp,
    /// The last that the backup knows of.
    pub of: Timestamp,
    /// The last checkpoint of the log before, signed by its key: what was published after it is not in this log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// That it was released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Release>,
}

/// That changes go out again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Release {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: OperatorId,
    /// What had not been looked at since the restore, if it was released all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
}

impl Recovery {
    /// `held` or `released`.
    pub const fn state(&self) -> &'static str {
        match self.released {
            None => Self::HELD,
            Some(_) => "released",
        }
    }

    /// The state in which no system is changed.
    pub const HELD: &str = "held";
}

impl Entity for Recovery {
    const TABLE: Table = Table::Recoveries;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.state().into()]
    }
}
