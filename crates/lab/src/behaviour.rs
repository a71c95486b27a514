//! How a simulated system deviates from what it promises.
//!
//! A faithful system, on deactivation (`active` becomes false by PATCH or PUT): ends the user's sessions, revokes
//! the user's API tokens, removes the licences and removes the direct group memberships. Re-activation restores
//! nothing. DELETE does the same and then forgets the user. Each behaviour changes exactly what it says and
//! leaves the rest faithful; behaviours combine.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// One way in which a simulated system differs from a faithful one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Behaviour {
    /// No deviation. Adding it to others changes nothing.
    Faithful,
    /// A PATCH or PUT that would deactivate a user answers 200 with the resource as requested (`active` false, a
    /// new version), and nothing at all of the request is done. DELETE works. Ending an integration's own token
    /// answers 200 too, and the token lives on.
    #[serde(rename = "noop-200")]
    Noop200,
    /// PATCH of a user answers 200 with the unchanged resource and is ignored; PUT is honoured. PATCH of a group
    /// is honoured. The service provider configuration still claims PATCH.
    PutOnly,
    /// PATCH of a user is honoured in one form alone, that of some old services: operations without a path, and
    /// yes or no as text (`"False"`). In any other form it answers 200 with the unchanged resource and is
    /// ignored. PUT of a user is refused (501). The service provider configuration still claims all of PATCH.
    LimitedPatch,
    /// Deactivation leaves group memberships and licences in place. Removing them one by one works, and DELETE
    /// removes them.
    KeepsGroups,
    /// DELETE of a user answers 204, and the user stays: inactive, hidden (404, not listed, vendor API too),
    /// still holding its `userName` (409 on re-creation). Sessions end, licences and memberships go, but API
    /// tokens stay as they were: whoever did not revoke them first leaves them working.
    SoftDelete,
    /// Changes of group membership are accepted at once and take effect after
    /// [`Timing::async_members_ms`](crate::Timing::async_members_ms). The answer to the write shows the
    /// membership as accepted; reads show the truth. DELETE of a user or group is not delayed.
    AsyncMembers,
    /// Reads (SCIM and vendor API, one or many) show the state as it was
    /// [`Timing::stale_read_ms`](crate::Timing::stale_read_ms) ago. Writes see, and answer with, the current
    /// state. Credentials are checked against the current state.
    StaleRead,
    /// Every k-th successful write ([`Timing::timeout_every`](crate::Timing::timeout_every), phase from the seed) is
    /// committed and its answer never sent: see [`Dropped`](crate::Dropped).
    TimeoutAfterCommit,
    /// Deactivation only suspends API tokens. They are listed as `suspended`, are revoked for good after
    /// [`Timing::purge_after_ms`](crate::Timing::purge_after_ms), and work again if the user is re-activated before
    /// that. DELETE of a token really revokes it.
    DormantToken,
    /// Every request but the back door's is answered with 503.
    Down,
}

impl Behaviour {
    /// All behaviours, faithful first.
    pub const ALL: [Behaviour; 11] = [
        Behaviour::Faithful,
        Behaviour::Noop200,
        Behaviour::PutOnly,
        Behaviour::LimitedPatch,
        Behaviour::KeepsGroups,
        Behaviour::SoftDelete,
        Behaviour::AsyncMembers,
        Behaviour::StaleRead,
        Behaviour::TimeoutAfterCommit,
        Behaviour::DormantToken,
        Behaviour::Down,
    ];

    /// The name used in configuration and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Behaviour::Faithful => "faithful",
            Behaviour::Noop200 => "noop-200",
            Behaviour::PutOnly => "put-only",
            Behaviour::LimitedPatch => "limited-patch",
            Behaviour::KeepsGroups => "keeps-groups",
            Behaviour::SoftDelete => "soft-delete",
            Behaviour::AsyncMembers => "async-members",
            Behaviour::StaleRead => "stale-read",
            Behaviour::TimeoutAfterCommit => "timeout-after-commit",
            Behaviour::DormantToken => "dormant-token",
            Behaviour::Down => "down",
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no behaviour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a behaviour: use one of {list}", list = Behaviour::ALL.map(Behaviour::name).join(", "))]
pub struct UnknownBehaviour(String);

impl FromStr for Behaviour {
    type Err = UnknownBehaviour;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Behaviour::ALL
            .into_iter()
            .find(|behaviour| behaviour.name() == text)
            .ok_or_else(|| UnknownBehaviour(text.to_owned()))
    }
}
