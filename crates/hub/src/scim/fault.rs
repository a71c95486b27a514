//! What is wrong with a request, as SCIM says it (RFC 7644 §3.12, RFC 9865 §2.4), with our stable code in `detail`.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bailiwick_engine::{DoorRefusal, EngineError};
use bailiwick_store::StoreError;
use serde_json::{Value, json};

use crate::problem::Problem;

/// The media type, RFC 7644 §3.1.
pub const MEDIA_TYPE: &str = "application/scim+json";

/// What kind of thing is wrong with what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    Syntax,
    Filter,
    Path,
    NoTarget,
    Value,
    Mutability,
    TooMany,
    Cursor,
    CursorExpired,
    Count,
    Version,
    MediaType,
    TooLarge,
    BulkTooLarge,
    Nothing,
    Method,
    NotSpoken,
    Circle,
}

impl Wrong {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Syntax => "scim-syntax",
            Self::Filter => "scim-filter",
            Self::Path => "scim-path",
            Self::NoTarget => "scim-no-target",
            Self::Value => "scim-value",
            Self::Mutability => "scim-mutability",
            Self::TooMany => "scim-too-many",
            Self::Cursor => "scim-cursor",
            Self::CursorExpired => "scim-cursor-expired",
            Self::Count => "scim-count",
            Self::Version => "scim-version",
            Self::MediaType => "scim-media-type",
            Self::TooLarge => "request-too-large",
            Self::BulkTooLarge => "scim-bulk-too-large",
            Self::Nothing => "not-found",
            Self::Method => "method-not-allowed",
            Self::NotSpoken => "scim-not-spoken",
            Self::Circle => "scim-bulk-circle",
        }
    }

    const fn status(self) -> u16 {
        match self {
            Self::Syntax
            | Self::Filter
            | Self::Path
            | Self::NoTarget
            | Self::Value
            | Self::Mutability
            | Self::TooMany
            | Self::Cursor
            | Self::CursorExpired
            | Self::Count => 400,
            Self::Version => 412,
            Self::MediaType => 415,
            Self::TooLarge | Self::BulkTooLarge => 413,
            Self::Nothing => 404,
            Self::Method => 405,
            Self::NotSpoken => 501,
            Self::Circle => 409,
        }
    }
}

/// The `scimType` that belongs to a code.
fn scim_type(code: &str, status: u16) -> Option<&'static str> {
    Some(match code {
        "scim-syntax" | "request-malformed" => "invalidSyntax",
        "scim-filter" => "invalidFilter",
        "scim-path" => "invalidPath",
        "scim-no-target" => "noTarget",
        "scim-value" | "push-member-unknown" => "invalidValue",
        "scim-mutability" => "mutability",
        "scim-too-many" => "tooMany",
        "scim-cursor" => "invalidCursor",
        "scim-cursor-expired" => "expiredCursor",
        "scim-count" => "invalidCount",
        "push-not-unique" => "uniqueness",
        _ if code.starts_with("feed-") && status == 400 => "invalidValue",
        _ => return None,
    })
}

/// An answer that says what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub status: u16,
    pub code: String,
    pub detail: String,
    /// When to call again, seconds.
    pub after: Option<u64>,
}

/// What is done gives back.
pub type Result<T, E = Fault> = std::result::Result<T, E>;

impl Fault {
    /// Something is wrong with what was sent.
    pub fn new(wrong: Wrong, detail: impl Into<String>) -> Self {
        Self { status: wrong.status(), code: wrong.code().to_owned(), detail: detail.into(), after: None }
    }

    /// There is no such thing for this caller.
    pub fn no(what: &str, id: &str) -> Self {
        Self::new(Wrong::Nothing, format!("there is no {what} `{id}`"))
    }

    /// Whether what was read was changed before it was written: then it is read again.
    pub fn is_stale(&self) -> bool {
        matches!(self.code.as_str(), "push-stale" | "conflict")
    }

    /// The body (RFC 7644 §3.12).
    pub fn body(&self) -> Value {
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": self.status.to_string(),
            "detail": format!("{}: {}", self.code, self.detail),
        });
        if let Some(scim_type) = scim_type(&self.code, self.status) {
            body["scimType"] = scim_type.into();
        }
        body
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        let Problem { status, code, detail, errors, .. } = problem;
        // What SCIM has no status for is a value that is not taken.
        let status = if status == 422 { 400 } else { status };
        let detail = errors.into_iter().fold(detail, |text, fault| format!("{text}; {}", fault.message));
        Self { status, code, detail, after: None }
    }
}

impl From<EngineError> for Fault {
    fn from(error: EngineError) -> Self {
        let after = match &error {
            EngineError::Door(DoorRefusal::Busy { after, .. }) => Some(*after),
            _ => None,
        };
        let power = error.code() == "feed-privileged-change";
        let fault = Self::from(Problem::from(error));
        let status = if power { 403 } else { fault.status };
        Self { after, status, ..fault }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        if self.status >= 500 {
            tracing::error!(code = self.code, detail = self.detail, "a request failed");
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = self.body().to_string();
        let mut response = (status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        if let Some(after) = self.after {
            response.headers_mut().insert(header::RETRY_AFTER, after.into());
        }
        if self.status == 401 {
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}
