//! What the hub is asked about at request time: kinds of subjects, and kinds of resources with what can be done to them.
//!
//! Both are declared. What is not declared is not known, and the answer about it is no. What a caller may say besides
//! (properties of the subject, of the action, of the resource, and of the request) is declared with its type, so that a
//! policy which reads something else is refused at load; it stays apart from what the hub knows. Absent: any answer.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    id::{ActionName, ResourceTypeName, SourceName, SubjectTypeName},
    identity::{Identity, IdentityKind},
    policy::{AttributeType, Attributes},
};

/// The subject type of integrations, which nobody declares.
pub const INTEGRATION: &str = "integration";
/// The subject type of identities by their source key, which nobody declares.
pub const IDENTITY: &str = "identity";
/// The resource type of entitlements, which nobody declares.
pub const ENTITLEMENT: &str = "entitlement";
/// What is done to an entitlement.
pub const USE: &str = "use";
/// Of how many permits one is recorded, where nothing else is said.
pub const SAMPLE: u32 = 100;

/// By what the id of a subject leads to an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum FoundBy {
    /// The e-mail address, whatever its case. Two who ever had the same one are nobody.
    Email,
    /// `source/key`.
    SourceKey,
    /// The key at one source.
    Key {
        /// The source.
        source: SourceName,
    },
}

impl FoundBy {
    /// The id by which the identity is found, if it can be.
    pub fn id_of(&self, identity: &Identity) -> Option<String> {
        match self {
            Self::Email => identity.text("email").filter(|email| !email.is_empty()).map(str::to_owned),
            Self::SourceKey => Some(identity.source_key.to_string()),
            Self::Key { source } => {
                (identity.source_key.source == *source).then(|| identity.source_key.key.clone())
            }
        }
    }
}

/// A kind of subject that stands for identities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubjectType {
    /// What callers call it: `user`.
    pub name: SubjectTypeName,
    /// By what its ids lead to identities.
    #[serde(flatten)]
    pub found: FoundBy,
    /// Only identities of this kind, if one is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<IdentityKind>,
    /// What a caller may say of one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, AttributeType>,
}

impl SubjectType {
    /// The one of identities by their source key.
    pub fn identities(name: SubjectTypeName) -> Self {
        Self { name, found: FoundBy::SourceKey, kind: None, properties: BTreeMap::new() }
    }
}

/// A kind of resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceType {
    /// What callers call it: `record`.
    pub name: ResourceTypeName,
    /// What can be done to one.
    pub actions: BTreeSet<ActionName>,
    /// What is known of one here, and what a caller may say of one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, AttributeType>,
    /// What a caller may say of an action on one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub action_properties: BTreeMap<String, AttributeType>,
    /// What a caller may say of the request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, AttributeType>,
    /// Those that are known, with what is known of each; only these are found by searches.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub known: BTreeMap<String, Attributes>,
    /// Of how many permits one is recorded; denials always are.
    pub sample: u32,
    /// Whether callers are told why, and by which policies.
    #[serde(default)]
    pub reasons: bool,
}

impl ResourceType {
    /// The one of entitlements.
    pub fn entitlements(name: ResourceTypeName, used: ActionName) -> Self {
        Self {
            name,
            actions: BTreeSet::from([used]),
            properties: BTreeMap::new(),
            action_properties: BTreeMap::new(),
            context: BTreeMap::new(),
            known: BTreeMap::new(),
            sample: SAMPLE,
            reasons: false,
        }
    }
}
