//! One error for all connectors: what happened, whether it may have had an effect, when to try again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Whether a failed call may have changed the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Certainly nothing was changed.
    None,
    /// It may have been: the answer was lost. Only reading tells.
    Unknown,
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The system cannot be reached, or the connection broke.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The credential is refused.
    Unauthorized,
    /// The credential is known and may not do this.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// There is such a thing already, with another id.
    AlreadyExists,
    /// It was changed since it was read.
    Stale,
    /// The system refuses the content.
    Invalid,
    /// Too many calls.
    RateLimited,
    /// The system failed on its own.
    SystemFault,
    /// The answer is not understood.
    Malformed,
    /// The connector cannot do this.
    Unsupported,
    /// The call is outside of the integration's scope; it was not sent.
    OutOfScope,
    /// The integration's budget is used up; the call was not sent.
    OverBudget,
    /// The integration is stopped; the call was not sent.
    Quarantined,
    /// Nobody has approved that the integration does this; the call was not sent.
    Shut,
    /// There is no credential for this purpose; the call was not sent.
    NoCredential,
    /// The connector's settings are wrong.
    Settings,
}

impl ErrorKind {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "system-unreachable",
            Self::Timeout => "system-timeout",
            Self::Unauthorized => "credential-refused",
            Self::Forbidden => "system-forbids",
            Self::NotFound => "not-found",
            Self::AlreadyExists => "already-exists",
            Self::Stale => "stale",
            Self::Invalid => "system-refuses",
            Self::RateLimited => "rate-limited",
            Self::SystemFault => "system-fault",
            Self::Malformed => "answer-malformed",
            Self::Unsupported => "unsupported",
            Self::OutOfScope => "out-of-scope",
            Self::OverBudget => "over-budget",
            Self::Quarantined => "integration-quarantined",
            Self::Shut => "integration-shut",
            Self::NoCredential => "no-credential",
            Self::Settings => "connector-settings",
        }
    }

    /// Whether trying the same again later can help.
    pub const fn transient(self) -> bool {
        match self {
            Self::Unreachable
            | Self::Timeout
            | Self::RateLimited
            | Self::SystemFault
            | Self::OverBudget
            | Self::Stale => true,
            Self::Unauthorized
            | Self::Forbidden
            | Self::NotFound
            | Self::AlreadyExists
            | Self::Invalid
            | Self::Malformed
            | Self::Unsupported
            | Self::OutOfScope
            | Self::Quarantined
            | Self::Shut
            | Self::NoCredential
            | Self::Settings => false,
        }
    }
}

/// A connector could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConnectorError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// Whether it may have had an effect.
    pub effect: Effect,
    /// A more exact stable code than the kind's, if the connector has one.
    pub detail: Option<&'static str>,
    /// The earliest sensible time for another try, if the system said so.
    pub retry_after: Option<Duration>,
    /// For the operator: what was asked and what came back, without secrets.
    pub message: String,
}

impl ConnectorError {
    /// A failure that had no effect.
    pub fn none(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, effect: Effect::None, detail: None, retry_after: None, message: message.into() }
    }

    /// A failure that may have had an effect.
    pub fn unknown(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, effect: Effect::Unknown, detail: None, retry_after: None, message: message.into() }
    }

    /// The same failure with a more exact stable code than its kind's, kebab-case.
    #[must_use]
    pub fn with_detail(mut self, code: &'static str) -> Self {
        self.detail = Some(code);
        self
    }

    /// The stable code: the detail, or else the kind's.
    pub fn code(&self) -> &'static str {
        self.detail.unwrap_or(self.kind.code())
    }
}

/// What connector operations give back.
pub type Result<T, E = ConnectorError> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_the_most_exact_one() {
        let plain = ConnectorError::none(ErrorKind::Malformed, "no");
        assert_eq!(plain.code(), "answer-malformed");
        let exact = plain.clone().with_detail("feed-bad-value");
        assert_eq!(exact.code(), "feed-bad-value");
        // Nothing else is different, and what is shown to people does not repeat the code.
        assert_eq!(ConnectorError { detail: None, ..exact.clone() }, plain);
        assert_eq!(exact.to_string(), "no");
    }
}
