//! Cases: a leaver's access, cell by cell, until every cell is proven.

use serde::{Deserialize, Serialize};

use crate::{
    access::AccessClass,
    digest::Digest,
    id::{AccountId, CaseId, EventId, IdentityId, SystemName},
    time::Timestamp,
    verify::{Verdict, Witness},
};

/// One leaver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its id.
    pub id: CaseId,
    /// Who left.
    pub identity: IdentityId,
    /// The event that opened it.
    pub event: EventId,
    /// When it was opened.
    pub opened: Timestamp,
    /// When the departure took effect; earlier than `opened` when it was reported late.
    pub effective: Timestamp,
    /// When it was closed, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Timestamp>,
}

/// One cell: system × access class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// The case.
    pub case: CaseId,
    /// The system.
    pub system: SystemName,
    /// The class.
    pub class: AccessClass,
    /// The account whose access it is.
    pub account: AccountId,
    /// What is known.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// When that was found.
    pub at: Timestamp,
    /// By which path.
    pub method: String,
    /// With whose credential; absent while nothing was read.
    pub witness: Option<Witness>,
    /// Digest of what was read; absent while nothing was read.
    pub answer: Option<Digest>,
    /// How many ways of removing it were tried.
    pub tried: u8,
}

impl Cell {
    /// Its id in the store.
    pub fn key(&self) -> String {
        Self::key_of(self.case, &self.system, self.class)
    }

    /// The id in the store of the cell with these coordinates.
    pub fn key_of(case: CaseId, system: &SystemName, class: AccessClass) -> String {
        format!("{case}/{system}/{class}")
    }
}

/// Whether a case with these cells can close: there is no cell that does not close.
pub fn closes<'a>(cells: impl IntoIterator<Item = &'a Cell>, now: Timestamp) -> bool {
    cells.into_iter().all(|cell| cell.verdict.closes(now))
}
