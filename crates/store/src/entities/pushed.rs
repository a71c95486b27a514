//! What a caller pushed of people and groups, as it said it: it reads back exactly.
//!
//! These rows are the caller's words and personal data, kept beside the identities that follow from them: what is
//! decided is never read from here. Their ids begin with the source, so that nothing of one source is ever found
//! in the name of another.

use bailiwick_core::{
    id::{IdentityId, PushedGroupId, PushedUserId, SourceName},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Entity, KeyValue, Table};

/// A person as a caller says they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PushedUser {
    /// The id that the caller uses.
    pub id: PushedUserId,
    /// The source that the caller is.
    pub source: SourceName,
    /// The identity that follows; none of somebody who was never active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityId>,
    /// The name that is unique in the source, whatever its case.
    pub user_name: String,
    /// The caller's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<String>,
    /// All of what was said.
    pub document: Map<String, Value>,
    /// When it was said first.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
}

/// A group as a caller says it is, without its members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PushedGroup {
    /// The id that the caller uses.
    pub id: PushedGroupId,
    /// The source that the caller is.
    pub source: SourceName,
    /// What it is called.
    pub display_name: String,
    /// The caller's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<String>,
    /// All of what was said, but for the members.
    pub document: Map<String, Value>,
    /// When it was said first.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
}

/// What is in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberKind {
    /// A person.
    User,
    /// Another group.
    Group,
}

/// That somebody or something is in a group: a row of its own, so that one more costs the same in any group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushedMember {
    /// The source of both.
    pub source: SourceName,
    /// The group.
    pub group: PushedGroupId,
    /// The id of who is in it.
    pub member: String,
    /// What that is.
    pub kind: MemberKind,
}

impl PushedUser {
    /// Its id in the store.
    pub fn key_of(source: &SourceName, id: PushedUserId) -> String {
        format!("{source}/{id}")
    }

    /// The name as it is unique.
    pub fn name_key(source: &SourceName, user_name: &str) -> String {
        format!("{source}/{}", user_name.to_lowercase())
    }
}

impl PushedGroup {
    /// Its id in the store.
    pub fn key_of(source: &SourceName, id: PushedGroupId) -> String {
        format!("{source}/{id}")
    }
}

impl PushedMember {
    /// Its id in the store.
    pub fn key_of(source: &SourceName, group: PushedGroupId, member: &str) -> String {
        format!("{source}/{group}/{member}")
    }
}

fn external(source: &SourceName, id: Option<&String>) -> KeyValue {
    id.map(|id| format!("{source}/{id}")).into()
}

impl Entity for PushedUser {
    const TABLE: Table = Table::PushedUsers;
    fn key(&self) -> String {
        Self::key_of(&self.source, self.id)
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![
            Self::name_key(&self.source, &self.user_name).into(),
            external(&self.source, self.external.as_ref()),
            self.source.as_str().into(),
            self.identity.map(|id| id.to_string()).into(),
        ]
    }
}

impl Entity for PushedGroup {
    const TABLE: Table = Table::PushedGroups;
    fn key(&self) -> String {
        Self::key_of(&self.source, self.id)
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![
            PushedUser::name_key(&self.source, &self.display_name).into(),
            external(&self.source, self.external.as_ref()),
            self.source.as_str().into(),
        ]
    }
}

impl Entity for PushedMember {
    const TABLE: Table = Table::PushedMembers;
    fn key(&self) -> String {
        Self::key_of(&self.source, self.group, &self.member)
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![self.group.to_string().into(), format!("{}/{}", self.source, self.member).into()]
    }
}
