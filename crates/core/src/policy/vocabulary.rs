//! The words that policies may use: identity attributes with their types, entitlements, and resources.
//!
//! A policy that uses any other word is refused at load. Absent on purpose: values of anybody.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PolicyError;
use crate::{
    access::AccessClass,
    id::{ActionName, EntitlementName, ResourceTypeName, SystemName},
    identity::IdentityKind,
    resource::{self, ResourceType, SubjectType},
    time::Date,
};

/// The type of an identity attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AttributeType {
    /// Text.
    Text,
    /// A whole number.
    Number,
    /// True or false.
    Flag,
    /// A set of texts.
    TextSet,
    /// A calendar day, carried as the text `2026-11-21` (RFC 3339 §5.6 `full-date`). Policies can compare
    /// days for equality only.
    Date,
}

impl AttributeType {
    /// Whether a value that was delivered is of this type.
    pub fn admits(self, value: &AttributeValue) -> bool {
        match (self, value) {
            (Self::Text, AttributeValue::Text(_))
            | (Self::Number, AttributeValue::Number(_))
            | (Self::Flag, AttributeValue::Flag(_))
            | (Self::TextSet, AttributeValue::TextSet(_)) => true,
            (Self::Date, AttributeValue::Text(text)) => text.parse::<Date>().is_ok(),
            (Self::Text | Self::Number | Self::Flag | Self::TextSet | Self::Date, _) => false,
        }
    }
}

/// The value of an identity attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AttributeValue {
    /// Text, or a day.
    Text(String),
    /// A whole number.
    Number(i64),
    /// True or false.
    Flag(bool),
    /// A set of texts.
    TextSet(BTreeSet<String>),
}

impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::TextSet(set) => {
                let all: Vec<&str> = set.iter().map(String::as_str).collect();
                f.write_str(&all.join(", "))
            }
        }
    }
}

impl AttributeValue {
    /// Whether a policy that expects `expected` can read this value.
    pub(super) const fn is(&self, expected: AttributeType) -> bool {
        match self {
            Self::Text(_) => matches!(expected, AttributeType::Text | AttributeType::Date),
            Self::Number(_) => matches!(expected, AttributeType::Number),
            Self::Flag(_) => matches!(expected, AttributeType::Flag),
            Self::TextSet(_) => matches!(expected, AttributeType::TextSet),
        }
    }
}

/// The attributes of an identity, by name.
pub type Attributes = BTreeMap<String, AttributeValue>;

/// What policies see of an entitlement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntitlementFacts {
    /// Its name, `system/name`.
    pub name: EntitlementName,
    /// Its access class.
    pub class: AccessClass,
    /// Whether it gives power over others or over systems.
    pub privileged: bool,
    /// Labels from configuration, for policies over many entitlements.
    #[serde(default)]
    pub labels: BTreeSet<String>,
}

/// Everything that policies can refer to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vocabulary {
    /// The attributes of identities.
    pub identity: BTreeMap<String, AttributeType>,
    /// The attributes that every identity has. A policy reads them without `has`, and an identity without
    /// one is a [`PolicyFault`](super::PolicyFault), never a decision.
    #[serde(default)]
    pub required: BTreeSet<String>,
    /// All entitlements.
    pub entitlements: Vec<EntitlementFacts>,
    /// The kinds of subjects that may be asked about at request time.
    #[serde(default)]
    pub subjects: Vec<SubjectType>,
    /// The kinds of resources that may be asked about at request time.
    #[serde(default)]
    pub resources: Vec<ResourceType>,
}

/// The attribute of every identity that says what kind it is.
pub(super) const KIND: &str = "kind";

const KINDS: [IdentityKind; 5] = [
    IdentityKind::Person,
    IdentityKind::ServiceAccount,
    IdentityKind::Workload,
    IdentityKind::Agent,
    IdentityKind::Integration,
];

/// The vocabulary, checked and sorted for looking up.
pub(super) struct Words {
    pub(super) identity: BTreeMap<String, AttributeType>,
    pub(super) required: BTreeSet<String>,
    pub(super) entitlements: BTreeMap<EntitlementName, EntitlementFacts>,
    pub(super) systems: BTreeSet<SystemName>,
    /// Those that are declared, and the one of entitlements.
    pub(super) resources: BTreeMap<ResourceTypeName, ResourceType>,
    /// What resources have, of whatever type.
    pub(super) properties: Types,
    /// What callers may say, by [`SAID`].
    pub(super) said: [Types; 4],
}

/// Names with their types.
pub(super) type Types = BTreeMap<String, AttributeType>;

/// What callers may say something of, as policies name it.
pub(super) const SAID: [&str; 4] = ["subject", "action", "resource", "request"];

impl Words {
    pub(super) fn check(vocabulary: &Vocabulary) -> Result<Self, Vec<PolicyError>> {
        let mut errors = Vec::new();
        if vocabulary.identity.contains_key(KIND) {
            errors.push(PolicyError::vocabulary("every identity has `kind` already; rename the attribute"));
        }
        for name in vocabulary.required.iter().filter(|n| !vocabulary.identity.contains_key(*n)) {
            errors.push(PolicyError::vocabulary(&format!("`{name}` is required but not declared")));
        }
        let mut entitlements = BTreeMap::new();
        for facts in &vocabulary.entitlements {
            if entitlements.insert(facts.name.clone(), facts.clone()).is_some() {
                errors.push(PolicyError::vocabulary(&format!("`{}` is declared twice", facts.name)));
            }
        }
        let (properties, said) = said(vocabulary, &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        let systems = entitlements.keys().map(EntitlementName::system).collect();
        Ok(Self {
            identity: vocabulary.identity.clone(),
            required: vocabulary.required.clone(),
            entitlements,
            systems,
            resources: vocabulary
                .resources
                .iter()
                .cloned()
                .chain(built_in())
                .map(|r| (r.name.clone(), r))
                .collect(),
            properties,
            said,
        })
    }

    /// The names of everything of one sort.
    pub(super) fn of(&self, sort: Sort) -> Vec<&str> {
        match sort {
            Sort::Entitlement => self.entitlements.keys().map(EntitlementName::as_str).collect(),
            Sort::System => self.systems.iter().map(SystemName::as_str).collect(),
            Sort::Class => AccessClass::ALL.iter().map(|c| c.as_str()).collect(),
            Sort::Kind => KINDS.iter().map(|k| k.as_str()).collect(),
            Sort::Resource => self.resources.keys().map(ResourceTypeName::as_str).collect(),
            Sort::Action => {
                self.resources.values().flat_map(|r| &r.actions).map(ActionName::as_str).collect()
            }
        }
    }
}

/// The resource type of entitlements.
fn built_in() -> Option<ResourceType> {
    let name = ResourceTypeName::new(resource::ENTITLEMENT).ok()?;
    Some(ResourceType::entitlements(name, ActionName::new(resource::USE).ok()?))
}

/// What resources have and what callers may say, of all types together; one name has one type.
fn said(vocabulary: &Vocabulary, errors: &mut Vec<PolicyError>) -> (Types, [Types; 4]) {
    let mut said: [Types; 4] = Default::default();
    let subjects = vocabulary.subjects.iter().map(|subject| (0, &subject.properties));
    let of = |r: &'_ ResourceType| {
        [(1, r.action_properties.clone()), (2, r.properties.clone()), (3, r.context.clone())]
    };
    let resources = vocabulary.resources.iter().flat_map(of);
    let subjects = subjects.map(|(what, types)| (what, types.clone()));
    for (what, types) in subjects.chain(resources) {
        for (name, kind) in types {
            if what == 2 && RESOURCE_ATTRIBUTES.contains(&name.as_str()) {
                let message = format!("every resource has `{name}` already; rename the property");
                errors.push(PolicyError::vocabulary(&message));
            }
            match said[what].insert(name.clone(), kind) {
                Some(other) if other != kind => {
                    let message = format!("`{name}` of {} is declared with two types", SAID[what]);
                    errors.push(PolicyError::vocabulary(&message));
                }
                Some(_) | None => {}
            }
        }
    }
    (said[2].clone(), said)
}

/// What every resource has.
pub(super) const RESOURCE_ATTRIBUTES: [&str; 2] = ["type", "id"];

/// What a text in a policy names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sort {
    Entitlement,
    System,
    Class,
    Kind,
    Resource,
    Action,
}

impl Sort {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Entitlement => "entitlement",
            Self::System => "system",
            Self::Class => "access class",
            Self::Kind => "kind of identity",
            Self::Resource => "resource type",
            Self::Action => "action of a resource",
        }
    }
}
