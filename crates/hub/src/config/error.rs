//! What can be wrong with a configuration, where, and what to do about it.
//!
//! An error never repeats the value of a setting that looks like a secret.

use std::fmt;

use serde::Serialize;

/// The kind of an error; its name is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Code {
    /// The text is not TOML.
    #[serde(rename = "config-syntax")]
    Syntax,
    /// A key that means nothing here.
    #[serde(rename = "config-unknown-key")]
    UnknownKey,
    /// Something that must be said is not.
    #[serde(rename = "config-missing")]
    Missing,
    /// An integration for which nobody, or only one person, answers.
    #[serde(rename = "config-no-owner")]
    NoOwner,
    /// A value that is of the wrong type or out of range.
    #[serde(rename = "config-value")]
    Value,
    /// Something is declared twice.
    #[serde(rename = "config-duplicate")]
    Duplicate,
    /// A name that nothing bears.
    #[serde(rename = "config-dangling")]
    Dangling,
    /// A secret in plain text.
    #[serde(rename = "config-secret")]
    Secret,
}

impl Code {
    /// The stable name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "config-syntax",
            Self::UnknownKey => "config-unknown-key",
            Self::Missing => "config-missing",
            Self::NoOwner => "config-no-owner",
            Self::Value => "config-value",
            Self::Duplicate => "config-duplicate",
            Self::Dangling => "config-dangling",
            Self::Secret => "config-secret",
        }
    }
}

/// Where something stands: the file, and the line and column, both from 1. The column counts characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The path of the file within the bundle.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One thing that is wrong. Sorts by place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[error("{place}: {message}{}", .suggestion.as_ref().map(|s| format!(" (did you mean `{s}`?)")).unwrap_or_default())]
pub struct ConfigError {
    /// Where.
    pub place: Place,
    /// What kind of error.
    pub code: Code,
    /// What is wrong, and what would be right.
    pub message: String,
    /// What was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl ConfigError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        self.code.as_str()
    }
}

/// A spot in a text of the bundle, by byte; cheap to keep until it is known whether it is needed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'t> {
    /// The path of the file.
    pub file: &'t str,
    /// The whole text of the file.
    pub text: &'t str,
    /// The byte.
    pub at: usize,
}

impl<'t> Spot<'t> {
    /// Another spot in the same file.
    pub fn at(self, at: usize) -> Self {
        Self { at, ..self }
    }

    /// As line and column.
    pub fn place(self) -> Place {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = 1 + before.matches('\n').count();
        let column = 1 + before[line_start..].chars().filter(|c| *c != '\u{feff}').count();
        Place { file: self.file.to_owned(), line, column }
    }
}

/// Collects everything that is wrong, so that one look is enough to put all of it right.
#[derive(Debug, Default)]
pub(super) struct Report {
    errors: Vec<ConfigError>,
}

impl Report {
    /// Adds an error.
    pub fn add(&mut self, code: Code, spot: Spot<'_>, message: impl Into<String>) {
        let place = spot.place();
        self.errors.push(ConfigError { place, code, message: message.into(), suggestion: None });
    }

    /// Adds an error about `text`, and which of the `candidates` was probably meant.
    pub fn add_near<'c>(
        &mut self,
        code: Code,
        spot: Spot<'_>,
        message: impl Into<String>,
        text: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) {
        let suggestion = super::suggest::nearest(text, candidates).map(str::to_owned);
        self.errors.push(ConfigError { place: spot.place(), code, message: message.into(), suggestion });
    }

    /// All errors, by place.
    pub fn into_errors(mut self) -> Vec<ConfigError> {
        self.errors.sort();
        self.errors.dedup();
        self.errors
    }
}
