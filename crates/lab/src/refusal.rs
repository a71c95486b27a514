//! Every way in which a simulated system refuses a request, with its status and its code.
//!
//! SCIM answers carry the `scimType` of RFC 7644 §3.12 and RFC 9865 §2; the vendor API carries [`Refusal::code`].

use axum::http::StatusCode;

/// A refused request. Nothing of it has taken effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    InvalidFilter(String),
    #[error("{0}")]
    InvalidPath(String),
    #[error("{0}")]
    NoTarget(String),
    #[error("{0}")]
    InvalidValue(String),
    #[error("{0}")]
    InvalidSyntax(String),
    #[error("attribute `{0}` is read-only")]
    Mutability(String),
    #[error("`{attribute}` `{value}` is taken")]
    Uniqueness { attribute: &'static str, value: String },
    #[error("the cursor is not one of this query")]
    InvalidCursor,
    #[error("the cursor has expired: start again without one")]
    ExpiredCursor,
    #[error("`count` `{0}` is not a number of at least 0")]
    InvalidCount(String),
    #[error("the resource has version {0}: read it again")]
    PreconditionFailed(String),
    #[error("`{0}` does not exist")]
    NotFound(String),
    #[error("{0} is not allowed here")]
    MethodNotAllowed(String),
    #[error("the bearer token is missing or does not work")]
    Unauthorized,
    #[error("this token may only read")]
    ReadOnlyToken,
    #[error("discovery cannot be filtered")]
    DiscoveryFiltered,
    #[error("too many requests: retry after {retry_after_s} s")]
    TooManyRequests { retry_after_s: i64 },
    #[error("{0} is not offered by this system")]
    NotImplemented(&'static str),
    #[error("the body must be `application/scim+json` or `application/json`")]
    UnsupportedMediaType,
    #[error("this idempotency key was used for another request")]
    IdempotencyKeyReused,
    #[error("the system is down")]
    Down,
    #[error("user `{0}` is not active")]
    UserInactive(String),
    #[error("user `{user}` owns {things} object(s): give them to somebody else first")]
    OwnsObjects { user: String, things: usize },
}

impl Refusal {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Refusal::InvalidFilter(_)
            | Refusal::InvalidPath(_)
            | Refusal::NoTarget(_)
            | Refusal::InvalidValue(_)
            | Refusal::InvalidSyntax(_)
            | Refusal::Mutability(_)
            | Refusal::InvalidCursor
            | Refusal::ExpiredCursor
            | Refusal::InvalidCount(_) => StatusCode::BAD_REQUEST,
            Refusal::Uniqueness { .. } | Refusal::UserInactive(_) | Refusal::OwnsObjects { .. } => {
                StatusCode::CONFLICT
            }
            Refusal::PreconditionFailed(_) => StatusCode::PRECONDITION_FAILED,
            Refusal::NotFound(_) => StatusCode::NOT_FOUND,
            Refusal::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Unauthorized => StatusCode::UNAUTHORIZED,
            Refusal::ReadOnlyToken | Refusal::DiscoveryFiltered => StatusCode::FORBIDDEN,
            Refusal::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Refusal::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Refusal::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Down => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    /// The `scimType`, for the refusals that have one.
    pub(crate) fn scim_type(&self) -> Option<&'static str> {
        match self {
            Refusal::InvalidFilter(_) => Some("invalidFilter"),
            Refusal::InvalidPath(_) => Some("invalidPath"),
            Refusal::NoTarget(_) => Some("noTarget"),
            Refusal::InvalidValue(_) => Some("invalidValue"),
            Refusal::InvalidSyntax(_) => Some("invalidSyntax"),
            Refusal::Mutability(_) => Some("mutability"),
            Refusal::Uniqueness { .. } => Some("uniqueness"),
            Refusal::InvalidCursor => Some("invalidCursor"),
            Refusal::ExpiredCursor => Some("expiredCursor"),
            Refusal::InvalidCount(_) => Some("invalidCount"),
            _ => None,
        }
    }

    /// The stable code that the vendor API answers with.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Refusal::InvalidFilter(_) => "invalid-filter",
            Refusal::InvalidPath(_) => "invalid-path",
            Refusal::NoTarget(_) => "no-target",
            Refusal::InvalidValue(_) => "invalid-value",
            Refusal::InvalidSyntax(_) => "invalid-syntax",
            Refusal::Mutability(_) => "read-only-attribute",
            Refusal::Uniqueness { .. } => "taken",
            Refusal::InvalidCursor => "invalid-cursor",
            Refusal::ExpiredCursor => "expired-cursor",
            Refusal::InvalidCount(_) => "invalid-count",
            Refusal::PreconditionFailed(_) => "precondition-failed",
            Refusal::NotFound(_) => "not-found",
            Refusal::MethodNotAllowed(_) => "method-not-allowed",
            Refusal::Unauthorized => "unauthorized",
            Refusal::ReadOnlyToken => "read-only-token",
            Refusal::DiscoveryFiltered => "discovery-filtered",
            Refusal::TooManyRequests { .. } => "too-many-requests",
            Refusal::NotImplemented(_) => "not-implemented",
            Refusal::UnsupportedMediaType => "unsupported-media-type",
            Refusal::IdempotencyKeyReused => "idempotency-key-reused",
            Refusal::UserInactive(_) => "user-inactive",
            Refusal::OwnsObjects { .. } => "owns-objects",
            Refusal::Down => "down",
        }
    }
}
