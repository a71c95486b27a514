//! The bugs that can be planted, and the sentence that has to find each.

use super::Sentence;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bug {
    DeclaresRoles,
    CheckWrites,
    SkipsAtPageEnds,
    ClaimsAll,
    GetForgetsMarker,
    NoopDisable,
    CreatesTwice,
    IgnoresPrecondition,
    SaysDone,
    DropsUnknown,
    LostIsNone,
    TriesAgain,
    AdoptsTaken,
    LowersNames,
    LetsAnybodyIn,
    ForgetsTheGone,
    LogsNothing,
    Echoes,
    /// What was told of this goes into what the connector remembers and shows, and not to the system.
    Pretends(Deed),
}

/// What a connector may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Create,
    Set,
    Disable,
    Enable,
    Delete,
    Grant,
    Revoke,
    RevokeAll,
    Everything,
}

impl Deed {
    pub(super) const ALL: [Self; 9] = [
        Self::Create,
        Self::Set,
        Self::Disable,
        Self::Enable,
        Self::Delete,
        Self::Grant,
        Self::Revoke,
        Self::RevokeAll,
        Self::Everything,
    ];
}

impl Bug {
    pub(super) const ALL: [(Self, Sentence); 19] = [
        (Self::DeclaresRoles, Sentence::DeclaredIsImplemented),
        (Self::CheckWrites, Sentence::CheckChangesNothing),
        (Self::SkipsAtPageEnds, Sentence::ListVisitsEachOnce),
        (Self::ClaimsAll, Sentence::SaysWhenPartial),
        (Self::GetForgetsMarker, Sentence::GetAgreesWithList),
        (Self::NoopDisable, Sentence::ApplyThenGetHolds),
        (Self::CreatesTwice, Sentence::SameKeyOnce),
        (Self::IgnoresPrecondition, Sentence::StaleIsRefused),
        (Self::SaysDone, Sentence::AlreadySo),
        (Self::DropsUnknown, Sentence::UnknownAttributeRefused),
        (Self::LostIsNone, Sentence::LostAnswerIsUnknown),
        (Self::TriesAgain, Sentence::NeverWritesAgain),
        (Self::AdoptsTaken, Sentence::RefusalHasNoEffect),
        (Self::LowersNames, Sentence::IdentifiersAreKept),
        (Self::LetsAnybodyIn, Sentence::TriedTells),
        (Self::ForgetsTheGone, Sentence::NewsTells),
        (Self::LogsNothing, Sentence::AuditTells),
        (Self::Echoes, Sentence::NothingSecretInDebug),
        (Self::Pretends(Deed::Everything), Sentence::ApplyThenGetHolds),
    ];
}
