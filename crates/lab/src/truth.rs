//! Truth: a snapshot of a system's real state, whatever the system shows.
//!
//! No secrets in it. Lists are ordered by id, so equal states serialize to equal bytes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    held::Thing,
    system::System,
    world::{Group, MemberKind, TokenStatus, User, World},
};

/// The real state of one system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Name of the system.
    pub system: String,
    /// When the snapshot was taken, in ms of the lab's clock.
    pub at_ms: i64,
    /// Every user, the softly deleted ones too.
    pub users: Vec<TrueUser>,
    /// Every group.
    pub groups: Vec<TrueGroup>,
    /// Things of every other class; each works while it is there.
    #[serde(default)]
    pub held: Vec<TrueThing>,
    /// The grant of every integration, by name: whether whoever holds its token gets in now.
    #[serde(default)]
    pub grants: BTreeMap<String, bool>,
    /// Membership changes that are accepted and have not taken effect yet.
    pub pending: usize,
}

/// One user as it really is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrueUser {
    /// SCIM id.
    pub id: String,
    /// `userName`.
    pub user_name: String,
    /// Whether the user is active.
    pub active: bool,
    /// Softly deleted: exists, but the system does not show it.
    pub hidden: bool,
    /// When it was created, in ms.
    pub created_ms: i64,
    /// When its attributes last changed, in ms.
    pub modified_ms: i64,
    /// All SCIM attributes under canonical names.
    pub attributes: Map<String, Value>,
    /// Ids of the groups that it is directly in.
    pub groups: BTreeSet<String>,
    /// Ids of the groups that it is in directly or through nesting.
    pub effective_groups: BTreeSet<String>,
    /// Licences held.
    pub licences: BTreeSet<String>,
    /// API tokens, the revoked ones too.
    pub tokens: Vec<TrueToken>,
    /// Ids of the sessions that work.
    pub sessions: BTreeSet<String>,
    /// Ids of the things that it holds.
    #[serde(default)]
    pub held: BTreeSet<String>,
}

impl TrueUser {
    /// Whether nothing that gives access is left: inactive, no group, licence, session or thing, no token that works.
    pub fn is_stripped(&self) -> bool {
        !self.active
            && self.effective_groups.is_empty()
            && self.licences.is_empty()
            && self.sessions.is_empty()
            && self.held.is_empty()
            && self.tokens.iter().all(|token| !token.works)
    }
}

/// One API token as it really is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrueToken {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was created, in ms.
    pub created_ms: i64,
    /// Its status.
    pub status: TokenStatus,
    /// When it will be revoked for good, in ms, if it is suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purges_at_ms: Option<i64>,
    /// Whether whoever holds its secret gets in now.
    pub works: bool,
}

/// One thing of a class that has no words of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrueThing {
    /// Its id.
    pub id: String,
    /// Its class.
    pub class: String,
    /// Its name.
    pub name: String,
    /// Id of the user who made it.
    pub maker: String,
    /// Whom it lets in or acts for now: id of a user, or whoever else.
    pub holder: String,
    /// Id of the user on whose things it gives a right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// When it was made, in ms.
    pub created_ms: i64,
    /// When it ends by itself, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at_ms: Option<i64>,
}

/// One group as it really is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrueGroup {
    /// SCIM id.
    pub id: String,
    /// `displayName`.
    pub display_name: String,
    /// `externalId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Ids of the users directly in it.
    pub users: BTreeSet<String>,
    /// Ids of the groups directly in it.
    pub groups: BTreeSet<String>,
}

impl Truth {
    /// The user of this `userName`, compared without case.
    pub fn user(&self, user_name: &str) -> Option<&TrueUser> {
        self.users.iter().find(|user| user.user_name.to_lowercase() == user_name.to_lowercase())
    }

    /// The first group of this `displayName`.
    pub fn group(&self, display_name: &str) -> Option<&TrueGroup> {
        self.groups.iter().find(|group| group.display_name == display_name)
    }

    pub(crate) fn of(system: &System, now: i64) -> Self {
        let world = &system.truth;
        Self {
            system: system.spec.name.clone(),
            at_ms: now,
            users: world.all_users().map(|user| true_user(world, user)).collect(),
            groups: world.groups().map(true_group).collect(),
            held: world.things().map(true_thing).collect(),
            grants: world.grants().map(|grant| (grant.name.clone(), grant.alive)).collect(),
            pending: system.pending_members(),
        }
    }
}

pub(crate) fn true_user(world: &World, user: &User) -> TrueUser {
    let token = |token: &crate::world::Token| TrueToken {
        id: token.id.clone(),
        name: token.name.clone(),
        created_ms: token.created_ms,
        status: token.status,
        purges_at_ms: token.purges_at_ms,
        works: world.live(&user.id, &token.id),
    };
    TrueUser {
        id: user.id.clone(),
        user_name: user.user_name().to_owned(),
        active: user.active(),
        hidden: user.hidden,
        created_ms: user.created_ms,
        modified_ms: user.modified_ms,
        attributes: user.attributes.clone(),
        groups: world.parents(&user.id).map(|group| group.id.clone()).collect(),
        effective_groups: world.effective_groups(&user.id),
        licences: user.licences.clone(),
        tokens: user.tokens.values().map(token).collect(),
        sessions: user.sessions.keys().cloned().collect(),
        held: world.things().filter(|thing| thing.holder == user.id).map(|thing| thing.id.clone()).collect(),
    }
}

fn true_thing(thing: &Thing) -> TrueThing {
    TrueThing {
        id: thing.id.clone(),
        class: thing.class.clone(),
        name: thing.name.clone(),
        maker: thing.maker.clone(),
        holder: thing.holder.clone(),
        on: thing.on.clone(),
        created_ms: thing.created_ms,
        ends_at_ms: thing.ends_at_ms,
    }
}

fn true_group(group: &Group) -> TrueGroup {
    let of_kind = |kind| {
        let members = group.members.iter().filter(move |(_, member)| **member == kind);
        members.map(|(id, _)| id.clone()).collect()
    };
    TrueGroup {
        id: group.id.clone(),
        display_name: group.display_name().to_owned(),
        external_id: group.attributes.get("externalId").and_then(Value::as_str).map(str::to_owned),
        users: of_kind(MemberKind::User),
        groups: of_kind(MemberKind::Group),
    }
}
