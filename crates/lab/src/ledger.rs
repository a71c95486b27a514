//! The ledger: every effect that a system ever had, with the request that caused it.
//!
//! A request that changed nothing (refused, ignored, already so) leaves no entry. Delayed effects are entered when
//! they happen, under the request that asked for them. The ledger never lies, whatever the system's behaviour.

use serde::{Deserialize, Serialize};

use crate::world::{Change, Grant, MemberKind};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each says what happened to the user or group of the entry")]
pub enum Effect {
    UserCreated,
    UserChanged,
    UserDeactivated,
    UserActivated,
    UserSoftDeleted,
    UserDeleted,
    GroupCreated,
    GroupChanged,
    GroupDeleted,
    MemberAdded,
    MemberRemoved,
    LicenceAssigned,
    LicenceRemoved,
    TokenCreated,
    TokenSuspended,
    TokenResumed,
    TokenRevoked,
    SessionStarted,
    SessionEnded,
    ThingMade,
    ThingPassed,
    ThingEnded,
    GrantIssued,
    GrantRevoked,
}

/// Who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Credential {
    /// The integration's write token.
    Write,
    /// An administrator behind the hub's back.
    BackDoor,
}

/// The request behind an effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Number of the request among those that reached a route; the effects of one request share it.
    pub request: u64,
    /// HTTP method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// Which credential it carried.
    pub credential: Credential,
    /// Its `Idempotency-Key`, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// One effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Position, from 1, without gaps.
    pub seq: u64,
    /// When it took effect, in ms of the lab's clock.
    pub at_ms: i64,
    /// What asked for it.
    #[serde(flatten)]
    pub cause: Cause,
    /// What happened.
    pub effect: Effect,
    /// Id of the user affected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Id of the group affected; for a membership, the group that has the member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What in particular: attribute names, licence, id of a token, session or thing, or the id of a nested group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl LedgerEntry {
    pub(crate) fn of(change: &Change, seq: u64, at_ms: i64, cause: Cause) -> Self {
        let mut entry =
            Self { seq, at_ms, cause, effect: effect(change), user: None, group: None, detail: None };
        match change {
            Change::UserCreated { id, .. } | Change::UserHidden { id } | Change::UserDeleted { id } => {
                entry.user = Some(id.clone());
            }
            Change::UserChanged { id, touched, .. } => {
                entry.user = Some(id.clone());
                entry.detail = Some(touched.join(","));
            }
            Change::GroupCreated { id, .. } | Change::GroupDeleted { id } => entry.group = Some(id.clone()),
            Change::GroupChanged { id, touched, .. } => {
                entry.group = Some(id.clone());
                entry.detail = Some(touched.join(","));
            }
            Change::MemberAdded { group, member, kind } | Change::MemberRemoved { group, member, kind } => {
                entry.group = Some(group.clone());
                match kind {
                    MemberKind::User => entry.user = Some(member.clone()),
                    MemberKind::Group => entry.detail = Some(member.clone()),
                }
            }
            Change::LicenceAssigned { user, sku: detail }
            | Change::LicenceRemoved { user, sku: detail }
            | Change::TokenSuspended { user, token: detail, .. }
            | Change::TokenResumed { user, token: detail }
            | Change::TokenRevoked { user, token: detail }
            | Change::TokenPurged { user, token: detail, .. }
            | Change::SessionEnded { user, session: detail } => {
                entry.user = Some(user.clone());
                entry.detail = Some(detail.clone());
            }
            Change::GrantIssued { grant: Grant { name, .. } } | Change::GrantRevoked { name } => {
                entry.detail = Some(name.clone());
            }
            Change::TokenCreated { user, token } => {
                entry.user = Some(user.clone());
                entry.detail = Some(token.id.clone());
            }
            Change::SessionStarted { user, session } => {
                entry.user = Some(user.clone());
                entry.detail = Some(session.id.clone());
            }
            Change::ThingMade { thing } => {
                entry.user = Some(thing.holder.clone());
                entry.detail = Some(thing.id.clone());
            }
            Change::ThingPassed { thing, from: holder, .. } | Change::ThingEnded { thing, holder } => {
                entry.user = Some(holder.clone());
                entry.detail = Some(thing.clone());
            }
        }
        entry
    }
}

fn effect(change: &Change) -> Effect {
    match change {
        Change::UserCreated { .. } => Effect::UserCreated,
        Change::UserChanged { attributes, touched, .. } if touched.iter().any(|name| name == "active") => {
            let inactive = attributes.get("active") == Some(&serde_json::Value::Bool(false));
            if inactive { Effect::UserDeactivated } else { Effect::UserActivated }
        }
        Change::UserChanged { .. } => Effect::UserChanged,
        Change::UserHidden { .. } => Effect::UserSoftDeleted,
        Change::UserDeleted { .. } => Effect::UserDeleted,
        Change::GroupCreated { .. } => Effect::GroupCreated,
        Change::GroupChanged { .. } => Effect::GroupChanged,
        Change::GroupDeleted { .. } => Effect::GroupDeleted,
        Change::MemberAdded { .. } => Effect::MemberAdded,
        Change::MemberRemoved { .. } => Effect::MemberRemoved,
        Change::LicenceAssigned { .. } => Effect::LicenceAssigned,
        Change::LicenceRemoved { .. } => Effect::LicenceRemoved,
        Change::TokenCreated { .. } => Effect::TokenCreated,
        Change::TokenSuspended { .. } => Effect::TokenSuspended,
        Change::TokenResumed { .. } => Effect::TokenResumed,
        Change::TokenRevoked { .. } | Change::TokenPurged { .. } => Effect::TokenRevoked,
        Change::SessionStarted { .. } => Effect::SessionStarted,
        Change::SessionEnded { .. } => Effect::SessionEnded,
        Change::ThingMade { .. } => Effect::ThingMade,
        Change::ThingPassed { .. } => Effect::ThingPassed,
        Change::ThingEnded { .. } => Effect::ThingEnded,
        Change::GrantIssued { .. } => Effect::GrantIssued,
        Change::GrantRevoked { .. } => Effect::GrantRevoked,
    }
}
