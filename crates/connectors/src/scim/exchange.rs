//! Calls and their refusals: what goes to the line, and what an answer that is no success means.

use bailiwick_connector::{Answer, Call, ConnectorError, Effect, ErrorKind, Line, Result};
use bailiwick_core::scope::Operation;

use super::decode::Said;
use crate::http::retry_after;
pub(super) use crate::http::segment;

/// The media type of SCIM (RFC 7644 §8.1); plain JSON is taken as well.
const ACCEPT: &str = "application/scim+json, application/json";
/// Longer texts of the system are cut.
const MAX_DETAIL: usize = 200;

/// The line, and where the SCIM interface begins.
#[derive(Clone, Copy)]
pub(super) struct Exchange<'a> {
    pub(super) line: &'a Line,
    pub(super) base: &'a str,
}

impl Exchange<'_> {
    /// A path below the base; the id is encoded.
    pub(super) fn resource(&self, endpoint: &str, id: &str) -> Result<String> {
        Ok(format!("{}/{endpoint}/{}", self.base, segment(id)?))
    }

    /// Reads, and gives back the answer whatever the status.
    pub(super) async fn ask(
        &self,
        operation: Operation,
        path: String,
        query: Vec<(&'static str, String)>,
    ) -> Result<Answer> {
        let mut call = Call::new(operation, "GET", path).header("Accept", ACCEPT);
        call.query = query.into_iter().map(|(name, value)| (name.into(), value)).collect();
        self.line.send(call).await.map_err(|error| ConnectorError { effect: Effect::None, ..error })
    }

    /// Makes a call that reads; anything but a success is an error without effect.
    pub(super) async fn read_by(&self, call: Call) -> Result<Answer> {
        let label = format!("{} {}", call.method, call.path);
        let answer = self.line.send(call).await;
        let answer = answer.map_err(|error| ConnectorError { effect: Effect::None, ..error })?;
        match answer.status {
            200..=299 => Ok(answer),
            _ => Err(refusal(&label, Kind::Read, &answer)),
        }
    }

    /// Reads; anything but a success is an error without effect.
    pub(super) async fn read(
        &self,
        operation: Operation,
        path: String,
        query: Vec<(&'static str, String)>,
    ) -> Result<Answer> {
        let label = format!("GET {path}");
        let answer = self.ask(operation, path, query).await?;
        match answer.status {
            200..=299 => Ok(answer),
            _ => Err(refusal(&label, Kind::Read, &answer)),
        }
    }

    /// Reads one thing; none if the system says that it is not there, by the status or, as some do, in
    /// the body of a 200.
    pub(super) async fn read_one(&self, endpoint: &str, id: &str) -> Result<Option<Answer>> {
        let path = self.resource(endpoint, id)?;
        let label = format!("GET {path}");
        let answer = self.ask(Operation::Get, path, Vec::new()).await?;
        match answer.status {
            404 | 410 => Ok(None),
            200..=299 if Said::of(&answer.body).not_found() => Ok(None),
            200..=299 => Ok(Some(answer)),
            _ => Err(refusal(&label, Kind::Read, &answer)),
        }
    }
}

/// Whether a refused call could have had an effect, and what a 409 means for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It read.
    Read,
    /// It was to make something.
    Create,
    /// It was to change something, whatever its version.
    Write,
    /// It was to change something of a certain version.
    Conditional,
}

/// The error for an answer that is no success (RFC 7644 §3.12).
pub(super) fn refusal(label: &str, call: Kind, answer: &Answer) -> ConnectorError {
    let said = Said::of(&answer.body);
    let code = said.code.as_deref().unwrap_or_default();
    let waits = answer.header("retry-after").is_some();
    let kind = match answer.status {
        401 => ErrorKind::Unauthorized,
        403 => ErrorKind::Forbidden,
        404 | 410 => ErrorKind::NotFound,
        405 | 501 => ErrorKind::Unsupported,
        408 => ErrorKind::Timeout,
        409 if code == "uniqueness" || call == Kind::Create => ErrorKind::AlreadyExists,
        409 if call == Kind::Conditional => ErrorKind::Stale,
        412 => ErrorKind::Stale,
        429 => ErrorKind::RateLimited,
        // A listing that has to be started again (RFC 9865 §2.1).
        400 if code == "expiredCursor" => ErrorKind::Stale,
        400..=499 => ErrorKind::Invalid,
        500..=599 => ErrorKind::SystemFault,
        _ => ErrorKind::Malformed,
    };
    let effect = match (call, answer.status) {
        (Kind::Read, _) => Effect::None,
        (_, 400..=407 | 409..=499 | 501) => Effect::None,
        (_, 503) if waits => Effect::None,
        (Kind::Create | Kind::Write | Kind::Conditional, _) => Effect::Unknown,
    };
    let mut message = format!("{label} was answered {}", answer.status);
    for part in [code, said.detail.as_deref().unwrap_or_default()].iter().filter(|part| !part.is_empty()) {
        message.push_str(": ");
        message.extend(part.chars().filter(|c| !c.is_control()).take(MAX_DETAIL));
    }
    ConnectorError { kind, effect, detail: None, retry_after: retry_after(answer), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &'static str) -> Answer {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Answer { status, headers, body: body.into() }
    }

    #[test]
    fn a_status_says_what_happened_and_whether_it_may_have_had_an_effect() {
        use {Effect as E, ErrorKind as K};
        let wait: &[_] = &[("retry-after", "7")];
        let unique = r#"{"scimType":"uniqueness","status":"409"}"#;
        let expired = r#"{"scimType":"expiredCursor"}"#;
        for (call, status, headers, body, kind, effect) in [
            (Kind::Write, 400, &[][..], "", K::Invalid, E::None),
            (Kind::Write, 401, &[], "", K::Unauthorized, E::None),
            (Kind::Write, 403, &[], "", K::Forbidden, E::None),
            (Kind::Write, 404, &[], "", K::NotFound, E::None),
            (Kind::Write, 405, &[], "", K::Unsupported, E::None),
            (Kind::Write, 408, &[], "", K::Timeout, E::Unknown),
            (Kind::Create, 409, &[], "", K::AlreadyExists, E::None),
            (Kind::Write, 409, &[], unique, K::AlreadyExists, E::None),
            (Kind::Conditional, 409, &[], "", K::Stale, E::None),
            (Kind::Write, 409, &[], "", K::Invalid, E::None),
            (Kind::Write, 410, &[], "", K::NotFound, E::None),
            (Kind::Conditional, 412, &[], "", K::Stale, E::None),
            (Kind::Write, 422, &[], "", K::Invalid, E::None),
            (Kind::Write, 429, wait, "", K::RateLimited, E::None),
            (Kind::Write, 500, &[], "", K::SystemFault, E::Unknown),
            (Kind::Read, 500, &[], "", K::SystemFault, E::None),
            (Kind::Write, 501, &[], "", K::Unsupported, E::None),
            (Kind::Write, 502, &[], "", K::SystemFault, E::Unknown),
            (Kind::Write, 503, wait, "", K::SystemFault, E::None),
            (Kind::Write, 503, &[], "", K::SystemFault, E::Unknown),
            (Kind::Write, 504, wait, "", K::SystemFault, E::Unknown),
            (Kind::Write, 302, &[], "", K::Malformed, E::Unknown),
            (Kind::Read, 302, &[], "", K::Malformed, E::None),
            (Kind::Read, 400, &[], expired, K::Stale, E::None),
        ] {
            let error = refusal("X", call, &answer(status, headers, body));
            assert_eq!((error.kind, error.effect), (kind, effect), "{call:?} {status} {body}");
        }
    }

    #[test]
    fn the_message_says_what_the_system_said_and_no_more_than_fits() {
        let scim = r#"{"scimType":"invalidPath","detail":"no\nsuch path","status":"400"}"#;
        let error = refusal("PATCH /Users/1", Kind::Write, &answer(400, &[], scim));
        assert_eq!(error.message, "PATCH /Users/1 was answered 400: invalidPath: nosuch path");
        let vendor = r#"{"error":"user-inactive","message":"not active"}"#;
        let error = refusal("PUT /x", Kind::Write, &answer(409, &[], vendor));
        assert_eq!(error.message, "PUT /x was answered 409: user-inactive: not active");
        let page = refusal("GET /x", Kind::Read, &answer(502, &[], "<html>secret</html>"));
        assert_eq!(page.message, "GET /x was answered 502");
        let long = Answer {
            body: format!(r#"{{"detail":"{}"}}"#, "ä".repeat(9_000)).into(),
            ..answer(400, &[], "")
        };
        assert!(refusal("GET /x", Kind::Read, &long).message.chars().count() < 250);
    }
}
