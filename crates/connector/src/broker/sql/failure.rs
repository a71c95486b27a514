//! What an error of a database means to who asked.
//!
//! PostgreSQL says it by SQLSTATE (appendix A of its manual), SQLite by its result codes. A statement that
//! was refused had no effect; where a connection broke after a writing one was sent, only reading tells.

use sqlx::{postgres::PgDatabaseError, sqlite::SqliteError};

use crate::{
    ConnectorError, Effect, ErrorKind,
    broker::transport::{TransportError, TransportErrorKind},
};

/// How far it had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing but the beginning of a transaction was sent.
    Opening,
    /// A statement was sent, and not what makes it last.
    Running,
    /// What makes it last was sent.
    Ending,
}

/// What happened instead of an answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The database, or the way to it.
    Sql(sqlx::Error),
    /// An answer that is not taken.
    Answer(ErrorKind, String),
    /// No answer in time.
    Late,
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// The way is broken, and the effect of what writes is not known.
pub(super) fn broken(trouble: &Trouble, stage: Stage) -> Option<TransportError> {
    let (kind, cause) = match trouble {
        Trouble::Sql(sqlx::Error::Database(_)) | Trouble::Answer(..) => return None,
        Trouble::Late => (TransportErrorKind::Timeout, "no answer in time".to_owned()),
        Trouble::Sql(error) => (TransportErrorKind::Broken, innermost(error)),
    };
    Some(TransportError { kind, sent: stage != Stage::Opening, cause })
}

/// No connection could be made; `None` when the database itself said no.
pub(super) fn unreachable(trouble: &Trouble) -> Option<TransportError> {
    let broken = broken(trouble, Stage::Opening)?;
    let kind = match broken.kind {
        TransportErrorKind::Broken => TransportErrorKind::Unreachable,
        other => other,
    };
    Some(TransportError { kind, ..broken })
}

/// The innermost cause says what happened; the layers above only say that something did.
fn innermost(error: &sqlx::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// What the database answered instead of doing what was asked. `what` was asked.
pub(super) fn refused(trouble: Trouble, stage: Stage, what: &str) -> ConnectorError {
    let error = match trouble {
        Trouble::Sql(sqlx::Error::Database(error)) => error,
        Trouble::Sql(error) => {
            return ConnectorError::none(ErrorKind::Malformed, format!("{what}: {}", innermost(&error)));
        }
        Trouble::Answer(kind, problem) => return ConnectorError::none(kind, format!("{what}: {problem}")),
        Trouble::Late => {
            return ConnectorError::none(ErrorKind::Timeout, format!("{what}: no answer in time"));
        }
    };
    let code = error.code().unwrap_or_default();
    let sqlite = error.try_downcast_ref::<SqliteError>().is_some();
    let kind = if sqlite { of_sqlite(&code) } else { of_postgres(&code) };
    // Once it was told to make it last, a server that failed may have done so before.
    let doubt = stage == Stage::Ending && if sqlite { primary(&code) == 10 } else { failed_itself(&code) };
    let effect = if doubt { Effect::Unknown } else { Effect::None };
    let mut message = format!("{what} is refused ({code}): {}", error.message());
    if let Some(objects) = dependents(&*error) {
        message.push_str(&format!(": {}", objects.replace('\n', "; ")));
    }
    let error = ConnectorError { kind, effect, detail: None, retry_after: None, message };
    match (sqlite, primary(&code), &*code) {
        (true, 8, _) | (false, _, "25006") => error.with_detail("statement-writes"),
        (true, 5 | 6, _) => error.with_detail("database-locked"),
        (false, _, "2BP01") => error.with_detail("others-depend-on-it"),
        (false, _, "3D000") => error,
        _ if kind == ErrorKind::Settings => error.with_detail("statement-wrong"),
        _ => error,
    }
}

/// What is in the way of what was to go.
fn dependents(error: &dyn sqlx::error::DatabaseError) -> Option<&str> {
    let error = error.try_downcast_ref::<PgDatabaseError>()?;
    error.detail().filter(|_| error.code() == "2BP01")
}

fn failed_itself(code: &str) -> bool {
    ["08", "57", "58", "XX", "40003"].iter().any(|class| code.starts_with(class))
}

/// The connector's word for a SQLSTATE.
fn of_postgres(code: &str) -> ErrorKind {
    let class = code.get(..2).unwrap_or_default();
    match (class, code) {
        (_, "23505" | "42710") => ErrorKind::AlreadyExists,
        (_, "P0002" | "42704") => ErrorKind::NotFound,
        (_, "25006") => ErrorKind::Forbidden,
        (_, "42501") => ErrorKind::Forbidden,
        (_, "57014") => ErrorKind::Timeout,
        (_, "53300") => ErrorKind::RateLimited,
        // Names that are too long, malformed or the server's own.
        (_, "42622" | "42602" | "42939") => ErrorKind::Invalid,
        ("28", _) => ErrorKind::Unauthorized,
        ("0A" | "0L" | "21" | "22" | "23" | "2B" | "44" | "P0", _) => ErrorKind::Invalid,
        ("3D" | "3F" | "42", _) => ErrorKind::Settings,
        ("08", _) | (_, "57P01" | "57P02" | "57P03" | "57P04") => ErrorKind::Unreachable,
        _ => ErrorKind::SystemFault,
    }
}

/// The low byte of a result code; the rest makes it more exact.
fn primary(code: &str) -> i32 {
    code.parse::<i32>().unwrap_or_default() & 0xff
}

/// The connector's word for a result code of SQLite.
fn of_sqlite(code: &str) -> ErrorKind {
    match (primary(code), code) {
        (19, "1555" | "2067" | "2579") => ErrorKind::AlreadyExists,
        (18..=20, _) => ErrorKind::Invalid,
        (5 | 6 | 9, _) => ErrorKind::Timeout,
        (8, _) => ErrorKind::Forbidden,
        (3 | 23, _) => ErrorKind::Forbidden,
        (11 | 26, _) => ErrorKind::Malformed,
        (14, _) => ErrorKind::Unreachable,
        (1 | 25, _) => ErrorKind::Settings,
        _ => ErrorKind::SystemFault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_meanings() {
        for (code, kind) in [
            ("23505", ErrorKind::AlreadyExists),
            ("23503", ErrorKind::Invalid),
            ("42501", ErrorKind::Forbidden),
            ("42601", ErrorKind::Settings),
            ("42622", ErrorKind::Invalid),
            ("42704", ErrorKind::NotFound),
            ("28P01", ErrorKind::Unauthorized),
            ("22021", ErrorKind::Invalid),
            ("40P01", ErrorKind::SystemFault),
            ("57014", ErrorKind::Timeout),
            ("57P01", ErrorKind::Unreachable),
            ("P0001", ErrorKind::Invalid),
            ("XX000", ErrorKind::SystemFault),
            ("", ErrorKind::SystemFault),
        ] {
            assert_eq!(of_postgres(code), kind, "{code}");
        }
        for (code, kind) in [
            ("2067", ErrorKind::AlreadyExists),
            ("787", ErrorKind::Invalid),
            ("5", ErrorKind::Timeout),
            ("517", ErrorKind::Timeout),
            ("8", ErrorKind::Forbidden),
            ("1", ErrorKind::Settings),
            ("14", ErrorKind::Unreachable),
            ("26", ErrorKind::Malformed),
            ("13", ErrorKind::SystemFault),
        ] {
            assert_eq!(of_sqlite(code), kind, "{code}");
        }
    }

    #[test]
    fn what_broke_after_it_was_sent_is_not_known() {
        let gone = || Trouble::Sql(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into());
        for (stage, sent) in [(Stage::Opening, false), (Stage::Running, true), (Stage::Ending, true)] {
            assert_eq!(broken(&gone(), stage).map(|e| e.sent), Some(sent));
            assert_eq!(broken(&Trouble::Late, stage).map(|e| e.kind), Some(TransportErrorKind::Timeout));
        }
        assert_eq!(unreachable(&gone()).map(|e| e.kind), Some(TransportErrorKind::Unreachable));
        assert!(failed_itself("57P01") && !failed_itself("23505") && !failed_itself("40001"));
    }
}
