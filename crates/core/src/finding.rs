//! Findings: something is wrong, and somebody has until a deadline to mend it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    id::{FindingId, IdentityId, SystemName},
    time::Timestamp,
};

/// Something wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Its id.
    pub id: FindingId,
    /// What kind of wrong; a stable code.
    pub code: String,
    /// What exactly, so that the same thing is one finding: `system/account/class`, a plan, a batch.
    pub subject: String,
    /// Whom it is about.
    pub identity: Option<IdentityId>,
    /// Where.
    pub system: Option<SystemName>,
    /// What is wrong and what to do, for people; no secrets and no personal values.
    pub message: String,
    /// Who must act: the owner of the integration, or `operator`.
    pub owner: String,
    /// Since when.
    pub opened: Timestamp,
    /// Until when it must be mended.
    pub deadline: Timestamp,
    /// When it was mended, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Timestamp>,
}

impl Finding {
    /// While it is open: the key by which the same thing is found again.
    pub fn open_key(&self) -> Option<String> {
        self.closed.is_none().then(|| Self::key_of(&self.code, &self.subject))
    }

    /// The key of the open finding with a code about a subject.
    pub fn key_of(code: &str, subject: &str) -> String {
        format!("{code}:{subject}")
    }
}
