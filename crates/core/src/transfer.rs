//! Transfers: an integration gets somebody else who answers for it, who says so themselves.
//!
//! Nobody inherits an integration. When its owner leaves or moves, somebody is proposed and has five working
//! days to accept; after that it writes nothing. Who accepts gets new credentials within as many days.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    event::EventKind,
    id::{IntegrationName, TransferId},
    integration::{Control, Integration, Standing},
    time::{Timestamp, working_days_after},
};

/// How many working days somebody has to accept, and then to have credentials set anew.
pub const DAYS: u8 = 5;

/// The attributes of a person whose change is a move.
pub const MOVES: [&str; 3] = ["department", "title", "manager"];

/// In which place somebody answers for an integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Post {
    /// As its owner.
    Owner,
    /// As the backup of the owner.
    Backup,
}

impl Post {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Owner, Self::Backup];

    /// The name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Backup => "backup",
        }
    }

    /// Who holds it.
    pub fn holder(self, integration: &Integration) -> &str {
        match self {
            Self::Owner => &integration.owner,
            Self::Backup => &integration.backup,
        }
    }
}

impl fmt::Display for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why somebody else is to answer for an integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Departure {
    /// Who did has left.
    Left,
    /// Who did has moved.
    Moved,
    /// Somebody asked for it; who did is still here.
    Asked,
}

impl Departure {
    /// The name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Moved => "moved",
            Self::Asked => "asked",
        }
    }
}

/// Where a transfer stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum TransferState {
    /// Nobody has accepted.
    Open,
    /// Somebody has; the credentials are to be set anew.
    Accepted {
        /// Who, as an operator.
        by: String,
        /// When.
        at: Timestamp,
        /// Until when it must be in force and the credentials set anew.
        rotate_by: Timestamp,
    },
    /// All of it is done.
    Done {
        /// When.
        at: Timestamp,
    },
    /// Nothing came of it: somebody asked and nobody accepted, or the integration has ended.
    Dropped {
        /// When.
        at: Timestamp,
    },
}

impl TransferState {
    /// The name, kebab-case.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted { .. } => "accepted",
            Self::Done { .. } => "done",
            Self::Dropped { .. } => "dropped",
        }
    }

    /// Whether there is nothing left to do.
    pub const fn ended(&self) -> bool {
        match self {
            Self::Open | Self::Accepted { .. } => false,
            Self::Done { .. } | Self::Dropped { .. } => true,
        }
    }
}

/// One post of one integration that goes to somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Transfer {
    /// Its id.
    pub id: TransferId,
    /// The integration.
    pub integration: IntegrationName,
    /// Which post.
    pub post: Post,
    /// Who held it, `source/key`.
    pub from: String,
    /// Who is proposed, `source/key`; absent while nobody is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Why.
    pub because: Departure,
    /// When it was opened.
    pub opened: Timestamp,
    /// Until when somebody must have accepted.
    pub deadline: Timestamp,
    /// Where it stands.
    #[serde(flatten)]
    pub state: TransferState,
}

/// What the state of a transfer asks for next, given the integration as it is in force and when the oldest of
/// its credentials was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Wait, at most until then.
    Wait(Timestamp),
    /// A control is missing until something is done.
    Missing(Control),
    /// It is done.
    Finish,
    /// Nothing came of it.
    Drop,
}

impl Transfer {
    /// The deadline of one that is opened at the instant.
    pub fn deadline(opened: Timestamp) -> Timestamp {
        working_days_after(opened, DAYS)
    }

    /// What comes next. `oldest` is when the credential that was not set for longest was set; none where the
    /// integration has none.
    pub fn step(&self, integration: Option<&Integration>, oldest: Option<Timestamp>, now: Timestamp) -> Step {
        let Some(integration) = integration.filter(|i| !matches!(i.standing, Standing::Ended { .. })) else {
            return Step::Drop;
        };
        match &self.state {
            TransferState::Open if now < self.deadline => Step::Wait(self.deadline),
            TransferState::Open => match self.because {
                Departure::Asked => Step::Drop,
                Departure::Left | Departure::Moved => Step::Missing(Control::Owner),
            },
            TransferState::Accepted { at, rotate_by, .. } => {
                let in_force = self.to.as_deref() == Some(self.post.holder(integration));
                let rotated = oldest.is_none_or(|oldest| *at <= oldest);
                match (in_force && rotated, now < *rotate_by) {
                    (true, _) => Step::Finish,
                    (false, true) => Step::Wait(*rotate_by),
                    (false, false) if in_force => Step::Missing(Control::Rotation),
                    (false, false) => Step::Missing(Control::Owner),
                }
            }
            TransferState::Done { .. } | TransferState::Dropped { .. } => Step::Finish,
        }
    }
}

/// How an integration stands once it is known which controls are missing; `None` when nothing changes. One that
/// is stopped or ended stays so.
pub fn standing_with(current: &Standing, missing: Option<Control>, now: Timestamp) -> Option<Standing> {
    match (current, missing) {
        (Standing::Quarantined { .. } | Standing::Ended { .. }, _) | (Standing::Enabled, None) => None,
        (Standing::Enabled, Some(control)) => Some(Standing::Paused { since: now, control }),
        (Standing::Paused { control, .. }, Some(missing)) if *control == missing => None,
        (Standing::Paused { .. }, Some(control)) => Some(Standing::Paused { since: now, control }),
        (Standing::Paused { .. }, None) => Some(Standing::Enabled),
    }
}

/// What an event makes of the posts that its person holds, if anything.
pub fn departure(kind: &EventKind) -> Option<Departure> {
    match kind {
        EventKind::Left | EventKind::Fired { .. } => Some(Departure::Left),
        EventKind::Changed { attributes } => {
            attributes.iter().any(|name| MOVES.contains(&name.as_str())).then_some(Departure::Moved)
        }
        EventKind::Joined
        | EventKind::Absent
        | EventKind::Returned
        | EventKind::PolicyChanged
        | EventKind::Drifted { .. }
        | EventKind::Residue { .. }
        | EventKind::Purge { .. }
        | EventKind::Cleared { .. }
        | EventKind::Governed { .. }
        | EventKind::ExceptionAsked { .. }
        | EventKind::ExceptionOver { .. }
        | EventKind::Merged { .. }
        | EventKind::Requested { .. } => None,
    }
}

/// Why a transfer is not proposed or not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransferRefusal {
    /// Nobody proposed the one who accepts.
    #[error("`{0}` is not proposed to you; `bailiwick integration transfer {0} --to SOURCE/KEY` proposes")]
    NotProposed(IntegrationName),
    /// The proposed one is not known or has left.
    #[error("`{0}` is nobody who is known and here")]
    Unknown(String),
    /// The backup who becomes the owner leaves nobody as backup.
    #[error(
        "you are its backup and become its owner: name another backup for `{0}` with `--backup SOURCE/KEY`"
    )]
    NoBackup(IntegrationName),
}

impl TransferRefusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotProposed(_) => "transfer-not-proposed",
            Self::Unknown(_) => "transfer-to-nobody",
            Self::NoBackup(_) => "transfer-backup-missing",
        }
    }
}
