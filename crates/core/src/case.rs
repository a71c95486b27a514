//! Cases: a leaver's access, cell by cell, until every cell is proven.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::AccessClass,
    digest::Digest,
    exposure::Exposure,
    id::{AccountId, CaseId, EventId, IdentityId, SystemName},
    time::Timestamp,
    verify::{Verdict, Witness},
};

/// One leaver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// What they could still do, where the departure was told late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure>,
    /// When it was closed, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Timestamp>,
    /// The case of their next departure, where they were back before this one was proven: nothing more is proven here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followed: Option<CaseId>,
}

/// One cell: system × access class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// Digest of what the system answered, before anything was made of it; absent while nothing was read.
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

/// What is left of somebody's former access to a system, as far as it is in the way of coming back there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Former {
    /// Nothing that would wake with the account.
    Cleared,
    /// Not known yet.
    Unread,
    /// Of these classes something is only blocked, and would work again.
    Blocked {
        /// Which.
        classes: Vec<AccessClass>,
        /// When the system will have purged all of it, if it says so.
        purged: Option<Timestamp>,
    },
}

/// What the cells of one system in somebody's last case leave in the way (PRODUCT D9). The account itself is not: coming
/// back is to use it again. What is still alive is not either: using the account again wakes nothing of it.
pub fn former<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Former {
    let (mut classes, mut dates, mut unread, mut some) = (Vec::new(), Some(Vec::new()), false, false);
    for cell in cells {
        some = true;
        match &cell.verdict {
            _ if cell.class == AccessClass::PrimaryAccount => {}
            Verdict::Blocked { purges_at } => {
                classes.push(cell.class);
                dates = dates.zip(*purges_at).map(|(mut dates, date)| {
                    dates.push(date);
                    dates
                });
            }
            Verdict::Pending { .. } => unread = true,
            Verdict::Removed | Verdict::Residual { .. } | Verdict::Unobservable { .. } => {}
        }
    }
    match (classes.is_empty(), unread || !some) {
        (false, _) => Former::Blocked { classes, purged: dates.and_then(|dates| dates.into_iter().max()) },
        (true, true) => Former::Unread,
        (true, false) => Former::Cleared,
    }
}

/// Whether a case with these cells can close: there is no cell that does not close.
pub fn closes<'a>(cells: impl IntoIterator<Item = &'a Cell>, now: Timestamp) -> bool {
    cells.into_iter().all(|cell| cell.verdict.closes(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_wake_with_the_account_is_in_the_way_of_coming_back() {
        let t = |s| Timestamp::from_second(s).unwrap();
        let cell = |(class, verdict): &(AccessClass, Verdict)| Cell {
            case: CaseId::from_bytes([1; 16]),
            system: SystemName::new("chat").unwrap(),
            class: *class,
            account: AccountId::from_bytes([2; 16]),
            verdict: verdict.clone(),
            at: t(0),
            method: "list".into(),
            witness: None,
            answer: None,
            tried: 0,
        };
        let check = |cells: &[(AccessClass, Verdict)], expect: Former| {
            let cells: Vec<Cell> = cells.iter().map(cell).collect();
            assert_eq!(former(&cells), expect, "{cells:?}");
        };
        let blocked = |at: Option<i64>| Verdict::Blocked { purges_at: at.map(t) };
        let residual = Verdict::Residual { what: vec!["ci".into()] };
        let hidden = Verdict::Unobservable { why: "no".into(), control: None };
        let (tokens, sessions) = (AccessClass::ApiTokens, AccessClass::Sessions);
        check(&[], Former::Unread);
        check(
            &[(AccessClass::PrimaryAccount, blocked(Some(9))), (tokens, Verdict::Removed)],
            Former::Cleared,
        );
        check(&[(tokens, residual), (sessions, hidden)], Former::Cleared);
        check(&[(tokens, Verdict::Removed), (sessions, Verdict::Pending { until: t(5) })], Former::Unread);
        check(
            &[(tokens, blocked(Some(9))), (sessions, Verdict::Pending { until: t(5) })],
            Former::Blocked { classes: vec![tokens], purged: Some(t(9)) },
        );
        check(
            &[(tokens, blocked(Some(9))), (sessions, blocked(Some(7)))],
            Former::Blocked { classes: vec![tokens, sessions], purged: Some(t(9)) },
        );
        check(
            &[(tokens, blocked(Some(9))), (sessions, blocked(None))],
            Former::Blocked { classes: vec![tokens, sessions], purged: None },
        );
    }
}
