//! Calls as a description has them, and what an answer that is no success means.

use std::time::Duration;

use bailiwick_connector::{Answer, Call, ConnectorError, Effect, ErrorKind, Line, Result, seal::Credential};
use bailiwick_core::scope::Operation;
use serde_json::Value;

use super::{
    description::{Description, Request, Reset, Said},
    pointer::text,
    template::{Holes, plain},
};
use crate::http::retry_after;

/// Longer texts of the system are cut.
const MAX_DETAIL: usize = 200;

/// The line, what is at its end, and what the integration fills in.
#[derive(Clone, Copy)]
pub(super) struct Exchange<'a> {
    pub(super) line: &'a Line,
    pub(super) api: &'a Description,
    pub(super) parameters: &'a Holes,
}

/// What a call carries besides what its description says.
#[derive(Default)]
pub(super) struct Extra<'e> {
    /// Parameters that replace those of the same name.
    pub(super) query: Vec<(String, String)>,
    /// Another body.
    pub(super) body: Option<Value>,
    /// The idempotency key.
    pub(super) key: Option<String>,
    /// The version that what is changed must still have.
    pub(super) condition: Option<&'e str>,
    /// Somebody else's credential.
    pub(super) holder: Option<&'e Credential>,
}

/// An answer, and what was asked, for messages.
pub(super) struct Answered {
    pub(super) answer: Answer,
    pub(super) label: String,
}

impl Exchange<'_> {
    /// The integration's own holes and these.
    pub(super) fn holes<'h>(&self, more: impl IntoIterator<Item = (&'h str, &'h str)>) -> Holes {
        let mut holes = self.parameters.clone();
        holes.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value.into())));
        holes
    }

    /// Makes a call; gives the answer whatever its status.
    pub(super) async fn send(
        &self,
        operation: Operation,
        request: &Request,
        holes: &Holes,
        extra: Extra<'_>,
    ) -> Result<Answered> {
        let path = request.call.fill(holes)?;
        let label = format!("{} {path}", request.call.method);
        let mut call = Call::new(operation, request.call.method, path);
        if !self.api.headers.keys().any(|name| name.eq_ignore_ascii_case("accept")) {
            call = call.header("Accept", "application/json");
        }
        for (name, template) in &request.query {
            if extra.query.iter().any(|(replaced, _)| replaced == name) {
                continue;
            }
            match template.fill(holes)? {
                Some(Value::Array(several)) => {
                    for one in &several {
                        call = call.query(name.clone(), plain(name, one)?);
                    }
                }
                Some(one) => call = call.query(name.clone(), plain(name, &one)?),
                None => {}
            }
        }
        // Of several pairs of one name the last counts: a link names its page size too.
        for (at, (name, value)) in extra.query.iter().enumerate() {
            if !extra.query[at + 1..].iter().any(|(later, _)| later == name) {
                call = call.query(name.clone(), value.clone());
            }
        }
        for (name, value) in &self.api.headers {
            call = call.header(name.clone(), value.clone());
        }
        if let (Some(header), Some(key)) = (&self.api.idempotency_header, &extra.key) {
            call = call.header(header.clone(), key.clone());
        }
        if let Some(version) = extra.condition {
            call = call.header("If-Match", version);
        }
        let body = match (extra.body, &request.body) {
            (Some(body), _) => Some(body),
            (None, Some(template)) => Some(template.fill(holes)?),
            (None, None) => None,
        };
        if let Some(body) = body {
            call = call.header("Content-Type", "application/json").body(body.to_string());
        }
        let sent = match extra.holder {
            Some(credential) => self.line.send_as(call, credential).await,
            None => self.line.send(call).await,
        };
        let answer = sent.map_err(|error| match operation.reads() {
            true => ConnectorError { effect: Effect::None, ..error },
            false => error,
        })?;
        Ok(Answered { answer, label })
    }

    /// Makes a call that only reads; anything but a success is an error.
    pub(super) async fn read(
        &self,
        operation: Operation,
        request: &Request,
        holes: &Holes,
        query: Vec<(String, String)>,
    ) -> Result<(Answer, Value)> {
        let Answered { answer, label } =
            self.send(operation, request, holes, Extra { query, ..Extra::default() }).await?;
        match succeeded(request, answer.status) {
            true => json(&answer).map(|body| (answer, body)),
            false => Err(self.refusal(&label, Aim::Read, &answer)),
        }
    }

    /// Whether an answer is one of these.
    pub(super) fn is(&self, among: &[Said], answer: &Answer) -> bool {
        let mut here = among.iter().filter(|said| said.status == answer.status).peekable();
        if here.peek().is_none() {
            return false;
        }
        let (code, message) = self.said(answer);
        here.any(|said| fits(said.code.as_deref(), said.says.as_deref(), &code, &message))
    }

    /// The vendor's code and words in an answer.
    fn said(&self, answer: &Answer) -> (String, String) {
        let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else { return Default::default() };
        let errors = &self.api.errors;
        let code = errors.code.as_ref().and_then(|at| at.text(&body)).unwrap_or_default();
        let words = |value: &Value| text(value).map_or_else(|| value.to_string(), |text| text.into_owned());
        let message = errors.message.iter().filter_map(|at| at.get(&body)).find(|value| !value.is_null());
        (code.into_owned(), message.map(words).unwrap_or_default())
    }

    /// The error for an answer that is no success.
    pub(super) fn refusal(&self, label: &str, aim: Aim, answer: &Answer) -> ConnectorError {
        let (code, message) = self.said(answer);
        let wait = retry_after(answer).or_else(|| self.pause(answer));
        let mapped = self.api.errors.map.iter().find(|m| {
            m.status == answer.status && fits(m.code.as_deref(), m.says.as_deref(), &code, &message)
        });
        let kind = match (mapped, answer.status) {
            (Some(mapped), _) => mapped.is.0,
            (None, 403) if self.exhausted(answer) => ErrorKind::RateLimited,
            (None, 401) => ErrorKind::Unauthorized,
            (None, 403) => ErrorKind::Forbidden,
            (None, 404 | 410) => ErrorKind::NotFound,
            (None, 405 | 501) => ErrorKind::Unsupported,
            (None, 408) => ErrorKind::Timeout,
            (None, 409) if aim == Aim::Create => ErrorKind::AlreadyExists,
            (None, 409) if aim == Aim::Conditional => ErrorKind::Stale,
            (None, 412) => ErrorKind::Stale,
            (None, 429) => ErrorKind::RateLimited,
            (None, 400..=499) => ErrorKind::Invalid,
            (None, 500..=599) => ErrorKind::SystemFault,
            (None, _) => ErrorKind::Malformed,
        };
        let effect = match (aim, answer.status) {
            (Aim::Read, _) | (_, 400..=407 | 409..=499 | 501) => Effect::None,
            (_, 503) if wait.is_some() => Effect::None,
            (Aim::Create | Aim::Write | Aim::Conditional, _) => Effect::Unknown,
        };
        let mut words = format!("{label} was answered {}", answer.status);
        for part in [&code, &message].into_iter().filter(|part| !part.is_empty()) {
            words.push_str(": ");
            words.extend(part.chars().filter(|c| !c.is_control()).take(MAX_DETAIL));
        }
        ConnectorError { kind, effect, detail: None, retry_after: wait, message: words }
    }

    fn exhausted(&self, answer: &Answer) -> bool {
        let remaining =
            self.api.rate.as_ref().and_then(|rate| answer.header(&rate.remaining.to_ascii_lowercase()));
        remaining.is_some_and(|left| left.trim() == "0")
    }

    /// How long to wait, where the system says it in headers of its own.
    fn pause(&self, answer: &Answer) -> Option<Duration> {
        let rate = self.api.rate.as_ref().filter(|_| self.exhausted(answer) || answer.status == 429)?;
        let said: i64 = answer.header(&rate.reset.to_ascii_lowercase())?.trim().parse().ok()?;
        let seconds = match rate.reset_is {
            Reset::Seconds => said,
            Reset::Epoch => said.saturating_sub(self.line.now().as_second()),
        };
        Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0).min(24 * 3_600)))
    }
}

fn fits(code: Option<&str>, says: Option<&str>, its_code: &str, its_message: &str) -> bool {
    code.is_none_or(|code| code == its_code) && says.is_none_or(|part| its_message.contains(part))
}

/// What a refused call was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// It read.
    Read,
    /// It was to make something.
    Create,
    /// It was to change something, whatever its version.
    Write,
    /// It was to change something of a certain version.
    Conditional,
}

/// Whether a status is one of success.
pub(super) fn succeeded(request: &Request, status: u16) -> bool {
    match &request.ok[..] {
        [] => matches!(status, 200..=299),
        some => some.contains(&status),
    }
}

/// The body of an answer; an empty one is `null`.
///
/// # Errors
/// `Malformed` if it is no JSON.
pub(super) fn json(answer: &Answer) -> Result<Value> {
    if answer.body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&answer.body).map_err(|error| malformed(&error.to_string()))
}

pub(super) fn malformed(problem: &str) -> ConnectorError {
    ConnectorError::none(ErrorKind::Malformed, format!("the answer is not as described: {problem}"))
}
