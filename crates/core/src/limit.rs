//! Limits of a scope: sets that can be compared exactly.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::{AttributeValue, Attributes};

/// Anything, or only these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "LimitTo{T}")]
#[serde(untagged)]
pub enum Limit<T: Ord> {
    /// Only these; none when empty.
    Only(BTreeSet<T>),
    /// Anything.
    #[default]
    Any,
}

impl<T: Ord> Limit<T> {
    /// Whether it limits nothing.
    pub const fn is_any(&self) -> bool {
        matches!(self, Self::Any)
    }

    /// Whether `value` is inside.
    pub fn allows(&self, value: &T) -> bool {
        match self {
            Self::Any => true,
            Self::Only(these) => these.contains(value),
        }
    }
}

/// Identities by what their attributes are: each named attribute has one of the values. Without a
/// condition, everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Population(pub BTreeMap<String, BTreeSet<String>>);

impl Population {
    /// Whether it leaves nobody out.
    pub fn is_everybody(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether nobody belongs to it: some condition has no value that does.
    pub fn is_nobody(&self) -> bool {
        self.0.values().any(BTreeSet::is_empty)
    }

    /// Whether somebody with these attributes belongs to it. Who lacks a named attribute does not.
    pub fn has(&self, attributes: &Attributes) -> bool {
        self.0.iter().all(|(name, values)| match attributes.get(name) {
            Some(AttributeValue::Text(text)) => values.contains(text),
            Some(AttributeValue::Flag(flag)) => values.contains(if *flag { "true" } else { "false" }),
            Some(AttributeValue::Number(number)) => values.contains(&number.to_string()),
            Some(AttributeValue::TextSet(set)) => set.iter().any(|text| values.contains(text)),
            None => false,
        })
    }
}
