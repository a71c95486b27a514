//! What went wrong, as it crosses the HTTP API: RFC 9457 with a stable code and what to do about it.

use std::{error::Error, fmt, fmt::Write as _};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::help;

/// Where the codes are explained.
pub const EXPLAINED: &str = "https://github.com/bailiwick-iam/bailiwick/blob/main/docs/errors.md";

/// The media type, RFC 9457 §6.1.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A problem details object (RFC 9457 §3.1) with three extension members: `code`, `help`, `errors`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// A page that explains the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong this time.
    pub detail: String,
    /// The stable code, kebab-case.
    pub code: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The single faults, where there are several or they have a place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
}

/// One fault of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// Its stable code.
    pub code: String,
    /// Where: a file and line, a setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What is wrong there.
    pub message: String,
}

impl Problem {
    /// A problem with the help that belongs to its code.
    pub fn new(status: u16, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{EXPLAINED}#{code}"),
            title: code.replace('-', " "),
            status,
            detail: detail.into(),
            code: code.to_owned(),
            help: help::of(code).map(str::to_owned),
            errors: Vec::new(),
        }
    }

    /// The same with single faults.
    #[must_use]
    pub fn faults(mut self, faults: Vec<Fault>) -> Self {
        self.errors = faults;
        self
    }
}

impl Fault {
    /// A fault without a place.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), place: None, message: message.into() }
    }

    /// The same at a place.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl Error for Problem {}

/// An error with all that caused it, in one line. Every error says only its own part.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_back_as_it_was_sent() {
        let sent = Problem::new(422, "feed-duplicate-key", "the delivery is held")
            .faults(vec![Fault::new("feed-duplicate-key", "twice").at("line 7")]);
        let text = serde_json::to_string(&sent).unwrap();
        assert!(
            text.contains(r#""type":"https://"#) && text.contains("errors.md#feed-duplicate-key"),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), sent);
    }
}
