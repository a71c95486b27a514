//! How a simulated system deviates from what it promises.
//!
//! A faithful system, on deactivation (`active` becomes false by PATCH or PUT): ends the user's sessions, revokes
//! the user's API tokens, removes the licences, removes the direct group memberships, and ends everything else
//! that the user made, holds, or lets others have (see `held`). Re-activation restores nothing. DELETE does the same
//! and then forgets the user. Each behaviour changes exactly what it says and leaves the rest faithful; behaviours
//! combine.

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
    /// What runs by itself (class `automations`: bots, webhooks, app connections) goes on when its user is
    /// deactivated, and passes to somebody else, secret and all, when its user is deleted. Ending one by one works.
    BotSurvivor,
    /// A seat stays with its user: deactivation leaves licences in place, and removing one answers 204 and does
    /// nothing. DELETE of the user frees it.
    UnaffiliatedSeat,
    /// Half of SCIM: users without PATCH (501) and filters (501), and no groups (404). The service provider
    /// configuration still claims all of it.
    HalfScim,
    /// Leases (class `vault-tokens`) outlive their user, deactivated or deleted, until their time is over. Ending one
    /// by one works.
    LeasingVault,
    /// What is told is done when the next sync comes, after
    /// [`Timing::retain_ms`](crate::Timing::retain_ms): deactivation answers as requested, DELETE answers 204, and
    /// until then the user is there, active, and everything works. Activation before that calls it off.
    RetainingSync,
    /// Who owns something (class `owned-nhis`) cannot be deactivated (409). DELETE works, and passes what was owned to
    /// somebody else, secret and all.
    OwnerInherits,
    /// Rights on mailboxes (class `mailbox-rights`), which the user has on others' and others have on the user's,
    /// outlive the user, deactivated or deleted. Ending one by one works.
    Mailbox,
    /// A directory: deactivation leaves group memberships in place, and tickets (class `device-trust`), which
    /// nobody can recall (501), work until their time is over, whatever becomes of the user.
    Ad,
    /// A live session behind the bastion (class `pam-sessions`) goes on when its user is deactivated or deleted,
    /// until its time is over. Ending one by one works.
    Pam,
    /// API tokens are shown as revoked when they were to be, by deactivation or one by one, and work as before. The
    /// audit log has no word of it. DELETE of the user ends them.
    Liar,
    /// Every request but the back door's is answered with 503.
    Down,
}

impl Behaviour {
    /// All behaviours, faithful first.
    pub const ALL: [Behaviour; 21] = [
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
        Behaviour::BotSurvivor,
        Behaviour::UnaffiliatedSeat,
        Behaviour::HalfScim,
        Behaviour::LeasingVault,
        Behaviour::RetainingSync,
        Behaviour::OwnerInherits,
        Behaviour::Mailbox,
        Behaviour::Ad,
        Behaviour::Pam,
        Behaviour::Liar,
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
            Behaviour::BotSurvivor => "bot-survivor",
            Behaviour::UnaffiliatedSeat => "unaffiliated-seat",
            Behaviour::HalfScim => "half-scim",
            Behaviour::LeasingVault => "leasing-vault",
            Behaviour::RetainingSync => "retaining-sync",
            Behaviour::OwnerInherits => "owner-inherits",
            Behaviour::Mailbox => "mailbox",
            Behaviour::Ad => "ad",
            Behaviour::Pam => "pam",
            Behaviour::Liar => "liar",
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
