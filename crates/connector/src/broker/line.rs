//! The line of one integration to its system: what a connector is given, and all that it is given.

use std::{fmt, sync::Arc, time::Duration};

use ::http::{HeaderName, HeaderValue, Method, Request};
use bailiwick_core::{
    budget::kept_for_leavers,
    gate::{Permit, Shut},
    integration::{Integration, Purpose, Standing},
    review::{self, Use},
    scope::Operation,
    time::Timestamp,
};
use bytes::Bytes;

use super::{
    Answer, Call, Incident, Inner,
    destination::{self, Destination},
    file,
    heard::Heard,
    ldap,
    network::Reach,
    ongoing::Outcome,
    resolve::Guide,
    settings::{Auth, LineSettings},
    sql::Database,
    transport::{TransportError, TransportErrorKind, TrustAnchor},
};
use crate::{
    ConnectorError, Effect, ErrorKind, Result,
    seal::{Credential, CredentialScheme, SealContext, Sealed},
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

/// Whether only the broker may set the header, whatever the case of its name.
pub fn reserved(name: &str) -> bool {
    RESERVED.contains(&name.to_ascii_lowercase().as_str())
}

/// A way to one system, with one purpose. It can send calls that are in the integration's scope, and
/// nothing else; it shows no credential.
#[derive(Clone)]
pub struct Line {
    pub(super) broker: Arc<Inner>,
    pub(super) integration: Arc<Integration>,
    pub(super) purpose: Purpose,
    pub(super) sealed: Option<Sealed>,
    /// Whether a call outside of the scope is only not sent.
    lenient: bool,
    /// What was approved of the integration; without it, its standing alone decides.
    permit: Option<Permit>,
    /// Whether it is for reading, whatever its credential could do.
    reads_only: bool,
    /// Whether it takes away what a leaver had, and may use what is kept for that.
    of_leaver: bool,
    pub(super) route: Result<(Destination, LineSettings)>,
    /// Where the name of the endpoint may lead.
    pub(super) guide: Guide,
    database: Arc<Database>,
    /// The connections to a directory; the clones of a line share them.
    pub(super) directory: Arc<std::sync::Mutex<ldap::Held>>,
    /// What takes in the answers to a reading.
    pub(super) heard: Option<Heard>,
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
            .and_then(|(settings, _)| Ok((Destination::parse(integration)?, settings)));
        let reach = route.as_ref().map_or_else(
            |_| Reach::default(),
            |(destination, settings)| Reach::of(destination.host().unwrap_or_default(), &settings.networks),
        );
        let guide = Guide::new(broker.resolver.clone(), reach);
        let database = Arc::new(Database::new(&broker, integration));
        let (integration, sealed) = (Arc::new(integration.clone()), sealed.cloned());
        Self {
            broker,
            integration,
            purpose,
            sealed,
            lenient: false,
            permit: None,
            reads_only: false,
            of_leaver: false,
            route,
            guide,
            database,
            directory: Arc::default(),
            heard: None,
        }
    }

    /// The same line for learning what a connector may do: a call outside of the scope is still not sent, but
    /// does not stop the integration.
    #[must_use]
    pub fn lenient(self) -> Self {
        Self { lenient: true, ..self }
    }

    /// The same line for reading: a call that writes is outside of it, whatever its credential could do.
    #[must_use]
    pub fn reading(self) -> Self {
        Self { reads_only: true, ..self }
    }

    /// The same line for somebody who left: the writes of a minute that are kept for that are theirs too.
    #[must_use]
    pub fn for_leaver(self) -> Self {
        Self { of_leaver: true, ..self }
    }

    /// The same line, as far as was approved: a call for which `permit` is shut is not sent.
    #[must_use]
    pub fn under(self, permit: Permit) -> Self {
        Self { permit: Some(permit), ..self }
    }

    /// The integration that the line is of.
    pub(super) fn integration(&self) -> &Integration {
        &self.integration
    }

    /// Statements and connection, for a line that goes to a database.
    pub(super) fn databases(&self) -> &Database {
        &self.database
    }

    /// The instant it is now.
    pub fn now(&self) -> Timestamp {
        self.broker.clock.now()
    }

    /// Sends one call and gives back the answer, whatever its status. An error says what prevented an
    /// answer; its effect is `Unknown` only when the call writes and may have reached the system.
    pub async fn send(&self, call: Call) -> Result<Answer> {
        self.admit_call(&call)?;
        match self.route.clone()? {
            (Destination::Folder(folder), _) => self.read(call, folder).await,
            (
                Destination::Directory { .. }
                | Destination::Postgres { .. }
                | Destination::Sqlite(_)
                | Destination::Person,
                _,
            ) => Err(self.not_web()),
            (Destination::Web { origin, prefix, .. }, settings) => {
                let url = format!("{origin}{prefix}{}{}", call.path, destination::query(&call.query));
                let mut request = self.request(&call, &url)?;
                let credential = self.credential(settings.auth, &origin)?;
                self.in_budget(call.operation)?;
                if let Some(credential) = credential {
                    let shown = self.shown(credential, &settings, &origin).await?;
                    let (name, value) = self.header(&shown)?;
                    request.headers_mut().insert(name, value);
                }
                let answer = self.exchange(&call, &origin, request).await;
                if answer.as_ref().is_ok_and(|answer| answer.status == 401) {
                    self.forget_token();
                }
                answer
            }
        }
    }

    /// Path below the endpoint and query of an address that an answer gave, such as the next page; `None` when
    /// the address is anywhere else. An address without a host is taken for one of the endpoint's (RFC 3986
    /// §4.2).
    pub fn below(&self, address: &str) -> Option<(String, String)> {
        let Ok((Destination::Web { origin, prefix, .. }, _)) = &self.route else { return None };
        let uri: ::http::Uri = address.parse().ok()?;
        if let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) {
            let default = if scheme == "https" { 443 } else { 80 };
            let host = authority.host().to_ascii_lowercase();
            let port = authority.port_u16().unwrap_or(default);
            if authority.as_str().contains('@') || format!("{scheme}://{host}:{port}") != *origin {
                return None;
            }
        } else if !address.starts_with('/') || address.starts_with("//") {
            return None;
        }
        let path = uri.path().strip_prefix(prefix.as_str()).filter(|path| path.starts_with('/'))?;
        Some((path.to_owned(), uri.query().unwrap_or_default().to_owned()))
    }

    /// Sends one call with the credential of somebody else instead of the integration's: a canary's, to
    /// learn whether the system lets it in.
    pub async fn send_as(&self, call: Call, credential: &Credential) -> Result<Answer> {
        self.admit_call(&call)?;
        match self.route.clone()? {
            (Destination::Folder(_), _) => Err(self.settings("a folder asks nobody for a credential".into())),
            (
                Destination::Directory { .. }
                | Destination::Postgres { .. }
                | Destination::Sqlite(_)
                | Destination::Person,
                _,
            ) => Err(self.not_web()),
            (Destination::Web { origin, prefix, .. }, _) => {
                let url = format!("{origin}{prefix}{}{}", call.path, destination::query(&call.query));
                let mut request = self.request(&call, &url)?;
                let (name, value) = self.header(credential)?;
                request.headers_mut().insert(name, value);
                self.exchange(&call, &origin, request).await
            }
        }
    }

    /// Reads a file of the folder that the line goes to.
    async fn read(&self, call: Call, folder: std::path::PathBuf) -> Result<Answer> {
        if call.method != "READ" {
            return Err(self.settings(format!("a folder takes `READ`, not `{}`", call.method)));
        }
        let folder = match (&self.broker.folder, folder.is_absolute()) {
            (_, true) => folder,
            (Some(own), false) => own.join(folder),
            (None, false) => {
                return Err(self.settings("its endpoint is no absolute path, and there is no folder".into()));
            }
        };
        let ongoing = self.begin(call.operation, call.method);
        let (asked, limit) = (call.clone(), self.broker.file_limit);
        let read = tokio::task::spawn_blocking(move || file::read(&folder, &asked, limit)).await;
        let answer = read.unwrap_or_else(|e| {
            Err(ConnectorError::none(ErrorKind::SystemFault, format!("reading was interrupted: {e}")))
        });
        self.ended(&ongoing, &self.outcome(call.operation, answer.as_ref().ok()));
        answer
    }

    /// Where calls go, and what the settings say of the way.
    pub(super) fn route(&self) -> Result<(Destination, LineSettings)> {
        self.route.clone()
    }

    fn admit_call(&self, call: &Call) -> Result<()> {
        self.admit(call.operation, call.method, &call.path)?;
        let reserved = call.headers.iter().find(|(name, _)| self::reserved(name));
        match reserved {
            Some((name, _)) => Err(self.stop(
                call.operation,
                call.method,
                &call.path,
                format!("it sets the header `{name}`"),
            )),
            None => Ok(()),
        }
    }

    /// The gate before every wire: the integration is in use, a rule of its scope has the call, and the
    /// line's purpose allows it. A call outside stops the integration.
    pub(super) fn admit(&self, operation: Operation, verb: &'static str, target: &str) -> Result<()> {
        self.in_use(operation)?;
        let reason = if !self.integration.scope.allows(operation, verb, target) {
            "no rule of the scope allows it"
        } else if !operation.reads() && (self.reads_only || !self.purpose.writes()) {
            "it writes, and the line is for reading"
        } else if self.purpose.is_last() {
            "the credential is kept to end and to try it, and for nothing else"
        } else {
            self.note_use(operation, verb, target);
            return Ok(());
        };
        Err(self.stop(operation, verb, target, reason.to_owned()))
    }

    /// Writes down which rule a call uses; a reviewer looks at it.
    fn note_use(&self, operation: Operation, verb: &str, target: &str) {
        let Some(rule) = review::rule_of(&self.integration.scope, operation, verb, target) else { return };
        let now = self.now();
        let mut state = self.broker.state();
        let used = state.used.entry(self.integration.name.clone()).or_default();
        match used.get_mut(rule) {
            Some(known) => (known.calls, known.last) = (known.calls + 1, now),
            None => drop(used.insert(rule.clone(), Use { calls: 1, last: now })),
        }
    }

    fn in_use(&self, operation: Operation) -> Result<()> {
        let stopped = match &self.integration.standing {
            Standing::Enabled | Standing::Paused { .. } => {
                self.broker.state().stopped.get(&self.integration.name).cloned().map(Shut::Quarantined)
            }
            Standing::Quarantined { reason, .. } => Some(Shut::Quarantined(reason.clone())),
            Standing::Ended { since } => Some(Shut::Ended(*since)),
        };
        let permitted =
            |permit: &Permit| if operation.reads() { permit.reads.clone() } else { permit.writes.clone() };
        let shut = stopped.or_else(|| self.permit.as_ref().and_then(|permit| permitted(permit).err()));
        let Some(shut) = shut else { return Ok(()) };
        let kind = match &shut {
            Shut::Quarantined(_) => ErrorKind::Quarantined,
            _ => ErrorKind::Shut,
        };
        let message = format!("`{}` may not `{}`: {shut}", self.integration.name, operation.as_str());
        Err(ConnectorError::none(kind, message).with_detail(shut.code()))
    }

    /// Records a call that must not go out, and stops the integration.
    pub(super) fn stop(
        &self,
        operation: Operation,
        verb: &'static str,
        target: &str,
        reason: String,
    ) -> ConnectorError {
        let name = self.integration.name.clone();
        let shape = self.integration.scope.shape(verb, target);
        let what = format!("{} {verb} {shape}", operation.as_str());
        if self.lenient {
            return ConnectorError::none(
                ErrorKind::OutOfScope,
                format!("`{name}` may not `{what}`: {reason}"),
            );
        }
        tracing::warn!(integration = %name, call = what, reason, "call blocked, integration stopped");
        let incident = Incident {
            integration: name.clone(),
            operation,
            method: verb,
            path: shape,
            called: target.to_owned(),
            reason: reason.clone(),
            at: self.now(),
        };
        let mut state = self.broker.state();
        state.stopped.insert(name.clone(), format!("`{what}` was not sent: {reason}"));
        state.incidents.push(incident);
        drop(state);
        let message =
            format!("`{name}` may not `{what}`: {reason}; it is stopped until its scope is looked at");
        ConnectorError::none(ErrorKind::OutOfScope, message)
    }

    /// The credential to attach for what goes to `origin`; `None` when the settings say that the system
    /// wants none.
    pub(super) fn credential(&self, auth: Auth, origin: &str) -> Result<Option<Credential>> {
        let sealed = match (&self.sealed, auth) {
            (_, Auth::None) => return Ok(None),
            (Some(sealed), Auth::Sealed) => sealed,
            (None, Auth::Sealed) => {
                return Err(self.no_credential("is missing; set one, or say `auth = \"none\"`"));
            }
        };
        let (tenant, purpose) = (&self.broker.tenant, self.purpose);
        let context = SealContext::at(tenant, &self.integration, purpose, origin.to_owned());
        let opened = self.broker.key.unseal(&context, sealed);
        opened.map(Some).map_err(|e| self.no_credential(&format!("cannot be opened ({}): {e}", e.code())))
    }

    pub(super) fn header(&self, credential: &Credential) -> Result<(HeaderName, HeaderValue)> {
        credential.header().ok_or_else(|| match credential.scheme {
            CredentialScheme::AccessKey { .. } => {
                self.no_credential("is an access key, which signs actions and nothing else")
            }
            CredentialScheme::Bearer
            | CredentialScheme::ClientCredentials { .. }
            | CredentialScheme::Basic { .. }
            | CredentialScheme::Header { .. } => {
                self.no_credential("cannot stand in a header; seal it again without line breaks")
            }
        })
    }

    pub(super) async fn exchange(
        &self,
        call: &Call,
        origin: &str,
        request: Request<Bytes>,
    ) -> Result<Answer> {
        let ongoing = self.begin(call.operation, call.method);
        let answer = match ongoing.within(self.carry(request)).await {
            Ok(response) => Ok(answer(response)),
            Err(error) => Err(failure(&error, call.operation, origin)),
        };
        self.ended(&ongoing, &self.outcome(call.operation, answer.as_ref().ok()));
        answer
    }

    /// Hands a request for the endpoint's own host to the transport, with what it must know of the way. There is
    /// no other way for one.
    pub(super) async fn carry(
        &self,
        mut request: Request<Bytes>,
    ) -> Result<::http::Response<Bytes>, TransportError> {
        if let Ok((_, settings)) = &self.route
            && let Some(file) = &settings.ca_file
        {
            request.extensions_mut().insert(TrustAnchor(file.as_path().into()));
        }
        request.extensions_mut().insert(self.guide.clone());
        self.broker.transport.send(request).await
    }

    pub(super) fn request(&self, call: &Call, url: &str) -> Result<Request<Bytes>> {
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

    /// Takes one write out of the integration's budget; reads cost nothing.
    pub(super) fn in_budget(&self, operation: Operation) -> Result<()> {
        let Some(limit) = self.integration.scope.writes_per_minute.filter(|_| !operation.reads()) else {
            return Ok(());
        };
        let limit = if self.of_leaver { limit } else { limit - kept_for_leavers(limit) };
        let now = self.now();
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

    pub(super) fn no_credential(&self, problem: &str) -> ConnectorError {
        let (name, purpose) = (&self.integration.name, self.purpose.as_str());
        let message = format!("the {purpose} credential of `{name}` {problem}");
        ConnectorError::none(ErrorKind::NoCredential, message)
    }

    pub(super) fn not_web(&self) -> ConnectorError {
        self.settings(
            "its endpoint is neither a web address nor a folder, which this kind of connector needs".into(),
        )
    }

    pub(super) fn settings(&self, problem: String) -> ConnectorError {
        ConnectorError::none(ErrorKind::Settings, format!("`{}`: {problem}", self.integration.name))
    }

    /// Adds a call to the books.
    pub(super) fn book(&self, operation: Operation, waited: Duration, outcome: &Outcome) {
        let mut state = self.broker.state();
        let traffic = state.traffic.entry(self.integration.name.clone()).or_default();
        traffic.calls += 1;
        traffic.writes += u64::from(!operation.reads());
        traffic.unanswered += u64::from(!outcome.answered);
        traffic.received += outcome.received;
        traffic.waited += waited;
        traffic.last_write = outcome.digest.filter(|_| !operation.reads()).or(traffic.last_write);
    }
}

pub(super) fn answer(response: ::http::Response<Bytes>) -> Answer {
    let (head, body) = response.into_parts();
    let value = |v: &HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    let headers = head.headers.iter().map(|(n, v)| (n.as_str().to_owned(), value(v))).collect();
    Answer { status: head.status.as_u16(), headers, body }
}

/// A call without an answer, as a connector sees it.
pub(super) fn failure(error: &TransportError, operation: Operation, origin: &str) -> ConnectorError {
    let (kind, what) = match error.kind {
        TransportErrorKind::Unreachable => (ErrorKind::Unreachable, "cannot be reached"),
        TransportErrorKind::Timeout => (ErrorKind::Timeout, "did not answer in time"),
        TransportErrorKind::Broken => (ErrorKind::Unreachable, "broke the connection"),
        TransportErrorKind::TooLarge => (ErrorKind::Malformed, "answered with too much"),
        TransportErrorKind::Astray => (ErrorKind::Settings, "is not connected to"),
    };
    let effect = if error.sent && !operation.reads() { Effect::Unknown } else { Effect::None };
    ConnectorError {
        kind,
        effect,
        detail: (error.kind == TransportErrorKind::Astray).then_some("destination-refused"),
        retry_after: None,
        message: format!("`{origin}` {what}: {error}"),
    }
}
