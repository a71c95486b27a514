//! Calls and their refusals: what goes to the line, and what an answer that is no success means.

use std::time::Duration;

use bailiwick_connector::{Answer, Call, ConnectorError, Effect, ErrorKind, Line, Result};
use bailiwick_core::scope::Operation;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// Longer texts of the system are cut.
const MAX_DETAIL: usize = 200;
/// A system that wants more patience than this says something else.
const MAX_WAIT: Duration = Duration::from_secs(24 * 3_600);

/// What is wrong, where it has a more exact code than its kind's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    Sealed,
    NotInitialised,
    Standby,
    NoNamespace,
    NoMount,
    EntityOverwritten,
    LoginRemains,
}

impl Trouble {
    /// The stable code.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Sealed => "vault-sealed",
            Self::NotInitialised => "vault-not-initialised",
            Self::Standby => "vault-standby",
            Self::NoNamespace => "vault-no-namespace",
            Self::NoMount => "vault-no-mount",
            Self::EntityOverwritten => "vault-entity-overwritten",
            Self::LoginRemains => "vault-login-remains",
        }
    }
}

/// The line, and the namespace that calls are for.
#[derive(Clone, Copy)]
pub(super) struct Exchange<'a> {
    pub(super) line: &'a Line,
    pub(super) namespace: Option<&'a str>,
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<String>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    errors: Vec<String>,
}

impl Exchange<'_> {
    /// A call in the namespace.
    pub(super) fn call(&self, operation: Operation, method: &'static str, path: &str) -> Call {
        // The second header is what a proxy of the vendor's wants to see, against forged requests.
        let call = Call::new(operation, method, format!("/v1/{path}")).header("X-Vault-Request", "true");
        match self.namespace {
            Some(namespace) => call.header("X-Vault-Namespace", namespace),
            None => call,
        }
    }

    /// Sends what only reads, whatever the answer.
    pub(super) async fn send_read(&self, call: Call) -> Result<Answer> {
        self.line.send(call).await.map_err(|error| ConnectorError { effect: Effect::None, ..error })
    }

    /// Reads the data at a path; `None` if the system says that nothing is there.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        operation: Operation,
        path: &str,
    ) -> Result<Option<T>> {
        let answer = self.send_read(self.call(operation, "GET", path)).await?;
        match answer.status {
            200 => data(&answer).map(Some),
            404 if nothing_there(&answer) => Ok(None),
            _ => Err(refusal(&format!("GET {path}"), false, &answer)),
        }
    }

    /// The keys of a list, ascending; an empty list is what the system calls nothing.
    pub(super) async fn keys(&self, path: &str) -> Result<Vec<String>> {
        let call = self.call(Operation::List, "GET", path).query("list", "true");
        let answer = self.send_read(call).await?;
        match answer.status {
            200 => {
                let mut keys = data::<Keys>(&answer)?.keys;
                keys.sort_unstable();
                Ok(keys)
            }
            404 if nothing_there(&answer) => Ok(Vec::new()),
            _ => Err(refusal(&format!("LIST {path}"), false, &answer)),
        }
    }

    /// Asks a question that travels in a body; `None` if the answer is empty or one of `absent`.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        operation: Operation,
        path: &str,
        body: &Value,
        absent: &str,
    ) -> Result<Option<T>> {
        let answer = self.send_read(self.call(operation, "POST", path).body(body.to_string())).await?;
        match answer.status {
            200 => data(&answer).map(Some),
            204 => Ok(None),
            400..=404 if !absent.is_empty() && said(&answer).contains(absent) => Ok(None),
            _ => Err(refusal(&format!("POST {path}"), false, &answer)),
        }
    }

    /// Writes; anything but a success is an error.
    pub(super) async fn write(
        &self,
        operation: Operation,
        method: &'static str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer> {
        let mut call = self.call(operation, method, path);
        if let Some(body) = body {
            call = call.body(body.to_string());
        }
        let answer = self.line.send(call).await?;
        match answer.status {
            200..=299 => Ok(answer),
            _ => Err(refusal(&format!("{method} {path}"), true, &answer)),
        }
    }
}

/// The data of a success.
pub(super) fn data<T: DeserializeOwned>(answer: &Answer) -> Result<T> {
    let read = serde_json::from_slice::<Envelope<T>>(&answer.body);
    read.map(|envelope| envelope.data)
        .map_err(|error| malformed(&format!("its answer cannot be read: {error}")))
}

pub(super) fn malformed(problem: &str) -> ConnectorError {
    ConnectorError::none(ErrorKind::Malformed, problem)
}

/// What the system says went wrong, on one line.
pub(super) fn said(answer: &Answer) -> String {
    let said = serde_json::from_slice::<Said>(&answer.body).map(|said| said.errors.join("; "));
    said.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A 404 says that nothing is there only in this form: a mount or a namespace that is missing, and a
/// proxy's page, are 404 too, and prove nothing.
fn nothing_there(answer: &Answer) -> bool {
    serde_json::from_slice::<Said>(&answer.body).is_ok_and(|said| said.errors.is_empty())
        && serde_json::from_slice::<Value>(&answer.body).is_ok_and(|body| body.get("errors").is_some())
}

/// Whether a 403 is about the token itself, which is unknown, expired, revoked or of a disabled entity, and
/// not about what its policies allow: the one comes bare, the other in a list of one.
pub(super) fn turned_away(answer: &Answer) -> bool {
    let said = said(answer);
    answer.status == 403 && (said == "permission denied" || said.contains("invalid token"))
}

/// The error for an answer that is no success. A write that was answered 5xx may have happened, except
/// where the system says that it is not working at all.
pub(super) fn refusal(label: &str, writes: bool, answer: &Answer) -> ConnectorError {
    let said = said(answer);
    let sealed = said.contains("sealed");
    let (kind, detail, hint) = match answer.status {
        300..=399 => (
            ErrorKind::SystemFault,
            Some(Trouble::Standby),
            "it is not the active node; set the endpoint to that",
        ),
        400 => (ErrorKind::Invalid, None, ""),
        401 => (ErrorKind::Unauthorized, None, ""),
        403 if turned_away(answer) => (
            ErrorKind::Unauthorized,
            None,
            "the token is unknown, expired or revoked, or its entity is disabled",
        ),
        403 => (ErrorKind::Forbidden, None, "the token's policies do not allow it"),
        404 if said.contains("namespace not found") => {
            (ErrorKind::Settings, Some(Trouble::NoNamespace), "look at the setting `namespace`")
        }
        404 if said.contains("no handler for route") => (
            ErrorKind::Settings,
            Some(Trouble::NoMount),
            "nothing is mounted there, or the endpoint is not its address",
        ),
        404 if nothing_there(answer) => (ErrorKind::NotFound, None, ""),
        404 => (
            ErrorKind::Malformed,
            None,
            "that is not an answer of OpenBao; is the endpoint its address, without `/v1`?",
        ),
        405 | 501 => (ErrorKind::Unsupported, None, ""),
        408 => (ErrorKind::Timeout, None, ""),
        412 => {
            (ErrorKind::SystemFault, Some(Trouble::Standby), "this node does not yet have what was asked for")
        }
        429 => (ErrorKind::RateLimited, None, ""),
        402..=499 => (ErrorKind::Invalid, None, ""),
        503 if sealed => (ErrorKind::SystemFault, Some(Trouble::Sealed), "it has to be unsealed"),
        500..=599 => (ErrorKind::SystemFault, None, ""),
        _ => (ErrorKind::Malformed, None, ""),
    };
    let effect = match answer.status {
        _ if !writes => Effect::None,
        300..=407 | 409..=499 | 501 => Effect::None,
        503 if sealed => Effect::None,
        _ => Effect::Unknown,
    };
    let mut message = format!("{label} was answered {}", answer.status);
    for part in [said.as_str(), hint].iter().filter(|part| !part.is_empty()) {
        message.push_str(": ");
        message.extend(part.chars().filter(|c| !c.is_control()).take(MAX_DETAIL));
    }
    let wait = answer.header("retry-after").and_then(|text| text.trim().parse().ok());
    let retry_after = wait.map(|seconds| Duration::from_secs(seconds).min(MAX_WAIT));
    ConnectorError { kind, effect, detail: detail.map(Trouble::code), retry_after, message }
}

/// An id or a name as a segment of a path. The ids that the system makes pass as they are.
///
/// # Errors
/// `Invalid` for everything that the system could take for another path than is meant.
pub(super) fn segment(text: &str) -> Result<&str> {
    match super::settings::plain(text) {
        true => Ok(text),
        false => Err(ConnectorError::none(
            ErrorKind::Invalid,
            format!("`{}` is not an id of this system: it cannot be part of a path", text.escape_debug()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &'static str) -> Answer {
        Answer { status, headers: Vec::new(), body: body.into() }
    }

    #[test]
    fn a_status_says_what_happened_and_whether_it_may_have_had_an_effect() {
        use {Effect as E, ErrorKind as K};
        let denied = "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}";
        for (writes, status, body, kind, effect, code) in [
            (true, 400, r#"{"errors":["no"]}"#, K::Invalid, E::None, "system-refuses"),
            (
                true,
                403,
                r#"{"errors":["permission denied"]}"#,
                K::Unauthorized,
                E::None,
                "credential-refused",
            ),
            (
                true,
                403,
                r#"{"errors":["2 errors: permission denied, invalid token"]}"#,
                K::Unauthorized,
                E::None,
                "credential-refused",
            ),
            (true, 403, denied, K::Forbidden, E::None, "system-forbids"),
            (true, 404, r#"{"errors":[]}"#, K::NotFound, E::None, "not-found"),
            (
                false,
                404,
                r#"{"errors":["no handler for route \"x\". route entry not found."]}"#,
                K::Settings,
                E::None,
                "vault-no-mount",
            ),
            (false, 404, r#"{"errors":["namespace not found"]}"#, K::Settings, E::None, "vault-no-namespace"),
            (false, 404, "<html>", K::Malformed, E::None, "answer-malformed"),
            (false, 404, "{}", K::Malformed, E::None, "answer-malformed"),
            (true, 307, "", K::SystemFault, E::None, "vault-standby"),
            (true, 405, "", K::Unsupported, E::None, "unsupported"),
            (true, 408, "", K::Timeout, E::Unknown, "system-timeout"),
            (true, 412, "", K::SystemFault, E::None, "vault-standby"),
            (true, 429, "", K::RateLimited, E::None, "rate-limited"),
            (true, 500, r#"{"errors":["x"]}"#, K::SystemFault, E::Unknown, "system-fault"),
            (false, 500, "", K::SystemFault, E::None, "system-fault"),
            (true, 502, "", K::SystemFault, E::Unknown, "system-fault"),
            (true, 503, r#"{"errors":["Vault is sealed"]}"#, K::SystemFault, E::None, "vault-sealed"),
            (true, 503, "", K::SystemFault, E::Unknown, "system-fault"),
        ] {
            let error = refusal("X", writes, &answer(status, body));
            assert_eq!((error.kind, error.effect, error.code()), (kind, effect, code), "{status} {body}");
        }
    }

    #[test]
    fn the_message_says_what_the_system_said_and_no_more_than_fits() {
        let error =
            refusal("POST x", true, &answer(400, "{\"errors\":[\"1 error occurred:\\n\\t* bad\\n\"]}"));
        assert_eq!(error.message, "POST x was answered 400: 1 error occurred: * bad");
        let page = refusal("GET x", false, &answer(502, "<html>secret</html>"));
        assert_eq!(page.message, "GET x was answered 502");
        let body = format!("{{\"errors\":[\"{}\"]}}", "ä".repeat(9_000));
        let long = Answer { body: body.into(), ..answer(400, "") };
        assert!(refusal("GET x", false, &long).message.chars().count() < 250);
    }

    #[test]
    fn ids_keep_their_bytes_in_a_path_or_are_refused() {
        for id in ["5e3f-1", "aVi71VaucXmHlbIVx31dLoxS.qjpiML", "a_b", "ann@x"] {
            assert_eq!(segment(id).unwrap(), id);
        }
        for id in ["", ".", "..", "a/b", "a\\b", "a\0b", "a b", "ü", "%2f", "a?b", "a#b", "a;b"] {
            assert_eq!(segment(id).unwrap_err().kind, ErrorKind::Invalid, "{id:?}");
        }
    }
}
