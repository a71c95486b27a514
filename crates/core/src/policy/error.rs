//! What is wrong with a policy, and why a question has no answer.
//!
//! Every [`PolicyError`] has a place and a code; every [`PolicyFault`] means that nothing was decided.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AttributeType, PolicyId};

/// A sort of mistake in a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mistake {
    /// The text is not Cedar.
    #[serde(rename = "policy-syntax")]
    Syntax,
    /// It has no `@id`.
    #[serde(rename = "policy-no-id")]
    NoId,
    /// Another policy has the same `@id`.
    #[serde(rename = "policy-duplicate-id")]
    DuplicateId,
    /// It does not say which one action it is about.
    #[serde(rename = "policy-no-action")]
    NoAction,
    /// It reads an attribute that nothing declares.
    #[serde(rename = "policy-unknown-attribute")]
    UnknownAttribute,
    /// It names an entitlement or a system that nothing declares.
    #[serde(rename = "policy-unknown-entitlement")]
    UnknownEntitlement,
    /// It names a kind of resource that nothing declares.
    #[serde(rename = "policy-unknown-resource")]
    UnknownResource,
    /// It compares with a text that the thing can never be.
    #[serde(rename = "policy-unknown-value")]
    UnknownValue,
    /// It reads an attribute that may be absent, without asking for it.
    #[serde(rename = "policy-unguarded-attribute")]
    UnguardedAttribute,
    /// Its parts do not fit together.
    #[serde(rename = "policy-type")]
    Type,
    /// It can never apply.
    #[serde(rename = "policy-never-applies")]
    NeverApplies,
    /// The vocabulary contradicts itself.
    #[serde(rename = "policy-vocabulary")]
    Vocabulary,
}

impl Mistake {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Syntax => "policy-syntax",
            Self::NoId => "policy-no-id",
            Self::DuplicateId => "policy-duplicate-id",
            Self::NoAction => "policy-no-action",
            Self::UnknownAttribute => "policy-unknown-attribute",
            Self::UnknownEntitlement => "policy-unknown-entitlement",
            Self::UnknownResource => "policy-unknown-resource",
            Self::UnknownValue => "policy-unknown-value",
            Self::UnguardedAttribute => "policy-unguarded-attribute",
            Self::Type => "policy-type",
            Self::NeverApplies => "policy-never-applies",
            Self::Vocabulary => "policy-vocabulary",
        }
    }
}

/// Something wrong in a policy file. Prints as `path:line:column: message (help)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PolicyError {
    /// The path of the file, as it was given.
    pub file: String,
    /// The line, from 1; 0 where the mistake is in no file.
    pub line: u32,
    /// The column in characters, from 1; 0 where the mistake is in no file.
    pub column: u32,
    /// What sort of mistake it is.
    pub mistake: Mistake,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl PolicyError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        self.mistake.code()
    }

    pub(super) fn vocabulary(message: &str) -> Self {
        Self {
            file: "vocabulary".to_owned(),
            line: 0,
            column: 0,
            mistake: Mistake::Vocabulary,
            message: message.to_owned(),
            help: None,
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PolicyError {}

/// A question to the policies that has no answer. Never an allow, and never a deny either: whoever asked
/// must not act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFault {
    /// An attribute that every identity must have is missing.
    #[error("the identity has no `{attribute}`, which its source promises and policies read")]
    MissingAttribute {
        /// The attribute.
        attribute: String,
    },
    /// An attribute has a value of another type than declared.
    #[error("`{attribute}` of the identity is not of the declared type {expected:?}")]
    WrongType {
        /// The attribute.
        attribute: String,
        /// Its declared type.
        expected: AttributeType,
    },
    /// A policy could not be evaluated.
    #[error("policy `{policy}` failed: {message}")]
    Evaluation {
        /// The policy.
        policy: PolicyId,
        /// What Cedar says.
        message: String,
    },
    /// Cedar did not take the facts.
    #[error("the policies do not take the facts: {0}")]
    Facts(String),
}

impl PolicyFault {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MissingAttribute { .. } => "policy-missing-attribute",
            Self::WrongType { .. } => "policy-wrong-type",
            Self::Evaluation { .. } => "policy-evaluation",
            Self::Facts(_) => "policy-facts",
        }
    }
}

/// The hint for a wrong name: the nearest of `known`, if one is near enough to be meant.
pub(super) fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let limit = wrong.chars().count().div_ceil(3);
    let nearest = known.into_iter().map(|name| (distance(wrong, name), name)).min()?;
    (nearest.0 <= limit).then(|| format!("did you mean `{}`?", nearest.1))
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let replace = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_only_when_it_is_near() {
        let check = |wrong, expect: Option<&str>| {
            let known = ["department", "employee_type", "level", "site"];
            assert_eq!(did_you_mean(wrong, known), expect.map(|n| format!("did you mean `{n}`?")), "{wrong}");
        };
        check("departement", Some("department"));
        check("Department", Some("department"));
        check("employeeType", Some("employee_type"));
        check("levle", Some("level"));
        check("cost_centre", None);
        check("x", None);
        check("", None);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(did_you_mean("x", []), None);
    }
}
