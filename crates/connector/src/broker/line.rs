//! The line of one integration to its system: what a connector is given, and all that it is given.

use std::{fmt, sync::Arc, time::Duration};

use ::http::{HeaderName, HeaderValue, Method, Request};
use bailiwick_core::{
    integration::{Integration, Purpose, Standing},
    time::Timestamp,
};
use bytes::Bytes;

use super::{
    Answer, Call, Incident, Inner,
    destination::{self, Destination},
    file,
    settings::{Auth, LineSettings},
    transport::{TransportError, TransportErrorKind},
};
use crate::{
    ConnectorError, Effect, ErrorKind, Result,
    seal::{SealContext, Sealed},
};

/// Headers that say where a message goes, how long it is, who sends it, or that its method is another
/// one than the scope was asked for. A connector that sets one is trying to leave its scope.
const RESERVED: [&str; 13] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "upgrade",
    "forwarded",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
];

/// A way to one system, with one purpose. It can send calls that are in the integration's scope, and
/// nothing else; it shows no credential.
#[derive(Clone)]
pub struct Line {
    broker: Arc<Inner>,
    integration: Arc<Integration>,
    purpose: Purpose,
    sealed: Option<Sealed>,
    route: Result<(Destination, Auth)>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (integration, purpose) = (&self.integration.name, self.purpose.as_str());
        f.debug_struct("Line")
            .field("integration", integration)
            .field("purpose", &purpose)
            .finish_non_exhaustive()
    }
}

impl Line {
    pub(super) fn new(
        broker: Arc<Inner>,
        integration: &Integration,
        purpose: Purpose,
        sealed: Option<&Sealed>,
    ) -> Self {
        let route = LineSettings::split(&integration.settings)
            .and_then(|(settings, _)| Ok((Destination::parse(integration)?, settings.auth)));
        Self { broker, integration: Arc::new(integration.clone()), purpose, sealed: sealed.cloned(), route }
    }

    /// The instant it is now.
    pub fn now(&self) -> Timestamp {
        self.broker.clock.now()
    }

    /// Sends one call and gives back the answer, whatever its status. An error says what prevented an
    /// answer; its effect is `Unknown` only when the call writes and may have reached the system.
    pub async fn send(&self, call: Call) -> Result<Answer> {
        self.in_use()?;
        self.in_scope(&call)?;
        match self.route.clone()? {
            (Destination::Folder(folder), _) => {
                if call.method != "READ" {
                    return Err(self.settings(format!("a folder takes `READ`, not `{}`", call.method)));
                }
                let started = self.now();
                let (asked, limit) = (call.clone(), self.broker.file_limit);
                let read = tokio::task::spawn_blocking(move || file::read(&folder, &asked, limit)).await;
                let answer = read.unwrap_or_else(|e| {
                    Err(ConnectorError::none(ErrorKind::SystemFault, format!("reading was interrupted: {e}")))
                });
                self.count(&call, started, answer.as_ref().ok());
                answer
            }
            (Destination::Web { origin, prefix }, auth) => {
                let url = format!("{origin}{prefix}{}{}", call.path, destination::query(&call.query));
                self.exchange(call, origin, auth, &url).await
            }
        }
    }

    fn in_use(&self) -> Result<()> {
        let reason = match &self.integration.standing {
            Standing::Enabled => self.broker.state().stopped.get(&self.integration.name).cloned(),
            Standing::Quarantined { reason, .. } => Some(reason.clone()),
        };
        match reason {
            None => Ok(()),
            Some(reason) => {
                let message = format!("`{}` is stopped: {reason}", self.integration.name);
                Err(ConnectorError::none(ErrorKind::Quarantined, message))
            }
        }
    }

    fn in_scope(&self, call: &Call) -> Result<()> {
        let reserved =
            call.headers.iter().find(|(name, _)| RESERVED.contains(&name.to_ascii_lowercase().as_str()));
        let reason = if !self.integration.scope.allows(call.operation, call.method, &call.path) {
            "no rule of the scope allows it".to_owned()
        } else if self.purpose == Purpose::Verify && !call.operation.reads() {
            "it writes, and the line is for reading back".to_owned()
        } else if let Some((name, _)) = reserved {
            format!("it sets the header `{name}`")
        } else {
            return Ok(());
        };
        let (name, operation) = (self.integration.name.clone(), call.operation);
        let path = self.shape(&call.path);
        let what = format!("{} {} {path}", operation.as_str(), call.method);
        tracing::warn!(integration = %name, call = what, reason, "call blocked, integration stopped");
        let incident = Incident {
            integration: name.clone(),
            operation,
            method: call.method,
            path,
            called: call.path.clone(),
            reason: reason.clone(),
            at: self.now(),
        };
        let mut state = self.broker.state();
        state.stopped.insert(name.clone(), format!("`{what}` was not sent: {reason}"));
        state.incidents.push(incident);
        drop(state);
        let message =
            format!("`{name}` may not `{what}`: {reason}; it is stopped until its scope is looked at");
        Err(ConnectorError::none(ErrorKind::OutOfScope, message))
    }

    /// The path with every segment hidden that no rule of the scope has in clear.
    fn shape(&self, path: &str) -> String {
        let rules: Vec<String> = self.integration.scope.rules.iter().map(ToString::to_string).collect();
        let known = |segment: &str| rules.iter().any(|rule| rule.split('/').skip(1).any(|s| s == segment));
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let shown = path.split('/').skip(1).map(|s| if known(s) { s } else { "{}" });
        shown.fold(String::new(), |path, segment| path + "/" + segment)
    }

    async fn exchange(&self, call: Call, origin: String, auth: Auth, url: &str) -> Result<Answer> {
        let mut request = self.request(&call, url)?;
        let sealed = match (&self.sealed, auth) {
            (_, Auth::None) => None,
            (Some(sealed), Auth::Sealed) => Some(sealed),
            (None, Auth::Sealed) => {
                return Err(self.no_credential("has none; seal one, or set `auth = \"none\"`"));
            }
        };
        let started = self.now();
        self.in_budget(&call, started)?;
        if let Some(sealed) = sealed {
            let (name, value) = self.open(sealed, &origin)?;
            request.headers_mut().insert(name, value);
        }
        let sent = self.broker.transport.send(request).await;
        let answer = match sent {
            Ok(response) => Ok(answer(response)),
            Err(error) => Err(failure(&error, &call, &origin)),
        };
        self.count(&call, started, answer.as_ref().ok());
        answer
    }

    fn request(&self, call: &Call, url: &str) -> Result<Request<Bytes>> {
        let bad =
            |what: &str| self.settings(format!("{what} of a `{}` call is not HTTP", call.operation.as_str()));
        if call.method == "READ" {
            return Err(self.settings("`READ` is for files, and the endpoint is a web address".into()));
        }
        let method = Method::from_bytes(call.method.as_bytes()).map_err(|_| bad("the method"))?;
        let mut request = Request::new(call.body.clone().unwrap_or_default());
        *request.method_mut() = method;
        *request.uri_mut() = url.parse().map_err(|_| bad("the path or query"))?;
        for (name, value) in &call.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("a header"))?;
            let value = HeaderValue::from_str(value).map_err(|_| bad("a header"))?;
            request.headers_mut().append(name, value);
        }
        Ok(request)
    }

    fn in_budget(&self, call: &Call, now: Timestamp) -> Result<()> {
        let Some(limit) = self.integration.scope.writes_per_minute.filter(|_| !call.operation.reads()) else {
            return Ok(());
        };
        let mut state = self.broker.state();
        let window = state.windows.entry(self.integration.name.clone()).or_default();
        window.take(now, limit).map_err(|wait| ConnectorError {
            kind: ErrorKind::OverBudget,
            effect: Effect::None,
            detail: None,
            retry_after: Some(wait),
            message: format!("`{}` has had its {limit} writes of this minute", self.integration.name),
        })
    }

    fn open(&self, sealed: &Sealed, origin: &str) -> Result<(HeaderName, HeaderValue)> {
        let context = SealContext {
            tenant: self.broker.tenant.clone(),
            integration: self.integration.name.clone(),
            purpose: self.purpose,
            origin: origin.to_owned(),
        };
        let credential = self.broker.key.unseal(&context, sealed);
        let credential =
            credential.map_err(|e| self.no_credential(&format!("cannot be opened ({}): {e}", e.code())))?;
        credential
            .header()
            .ok_or_else(|| self.no_credential("cannot stand in a header; seal it again without line breaks"))
    }

    fn no_credential(&self, problem: &str) -> ConnectorError {
        let (name, purpose) = (&self.integration.name, self.purpose.as_str());
        let message = format!("the {purpose} credential of `{name}` {problem}");
        ConnectorError::none(ErrorKind::NoCredential, message)
    }

    fn settings(&self, problem: String) -> ConnectorError {
        ConnectorError::none(ErrorKind::Settings, format!("`{}`: {problem}", self.integration.name))
    }

    fn count(&self, call: &Call, started: Timestamp, answer: Option<&Answer>) {
        let waited = Duration::try_from(self.now().duration_since(started)).unwrap_or_default();
        let writes = !call.operation.reads();
        // Only of writes: hashing every page that is read would cost as much as parsing it.
        let digest = answer.filter(|_| writes).map(Answer::digest);
        let mut state = self.broker.state();
        let traffic = state.traffic.entry(self.integration.name.clone()).or_default();
        traffic.calls += 1;
        traffic.writes += u64::from(writes);
        traffic.unanswered += u64::from(answer.is_none());
        traffic.received += answer.map_or(0, |a| a.body.len() as u64);
        traffic.waited += waited;
        traffic.last_write = digest.or(traffic.last_write);
        drop(state);
        tracing::debug!(
            integration = %self.integration.name,
            operation = call.operation.as_str(),
            method = call.method,
            status = answer.map(|a| a.status),
            millis = waited.as_millis(),
            "call"
        );
    }
}

fn answer(response: ::http::Response<Bytes>) -> Answer {
    let (head, body) = response.into_parts();
    let value = |v: &HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    let headers = head.headers.iter().map(|(n, v)| (n.as_str().to_owned(), value(v))).collect();
    Answer { status: head.status.as_u16(), headers, body }
}

fn failure(error: &TransportError, call: &Call, origin: &str) -> ConnectorError {
    let (kind, what) = match error.kind {
        TransportErrorKind::Unreachable => (ErrorKind::Unreachable, "cannot be reached"),
        TransportErrorKind::Timeout => (ErrorKind::Timeout, "did not answer in time"),
        TransportErrorKind::Broken => (ErrorKind::Unreachable, "broke the connection"),
        TransportErrorKind::TooLarge => (ErrorKind::Malformed, "answered with too much"),
    };
    let effect = if error.sent && !call.operation.reads() { Effect::Unknown } else { Effect::None };
    ConnectorError {
        kind,
        effect,
        detail: None,
        retry_after: None,
        message: format!("`{origin}` {what}: {error}"),
    }
}
