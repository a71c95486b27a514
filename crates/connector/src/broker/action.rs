//! Calls of an action API: a form with the name of an action and its parameters, signed with an access key
//! (the query protocol of AWS, AWS Signature Version 4).
//!
//! The form is made here from the action that was matched against the scope, so the action that is sent is
//! the one that was allowed. Absent on purpose: other methods than POST, paths, parameters in the address.

use std::borrow::Cow;

use ::http::{HeaderValue, Method, Request, header};
use bailiwick_core::scope::Operation;
use bytes::Bytes;

use super::{
    Answer, Destination, Line,
    destination::encode,
    line::{answer, failure},
    sigv4::{self, Place},
};
use crate::{Result, seal::Credential};

const REGION: &str = "us-east-1";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
/// The parameters that say which action it is, and those by which a form says who asks. A connector that sets
/// one is trying to leave its scope.
const RESERVED: [&str; 5] = ["action", "version", "awsaccesskeyid", "securitytoken", "signature"];

/// One action that a connector wants a system to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What for; matched against the scope.
    pub operation: Operation,
    /// The service that is asked, such as `iam`; it is signed for.
    pub service: &'static str,
    /// The version of its API, such as `2010-05-08`.
    pub version: &'static str,
    /// The action, such as `CreateUser`; matched against the scope.
    pub name: &'static str,
    /// Its parameters, not yet encoded.
    pub parameters: Vec<(Cow<'static, str>, String)>,
}

impl Action {
    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// `Action=…&Version=…&…`. A space is `+`, as forms have it: some servers compute the signature over the
    /// form as they would write it themselves.
    fn form(&self) -> Bytes {
        let mut form = String::new();
        let add = |text: &str, form: &mut String| {
            for (index, word) in text.split(' ').enumerate() {
                form.push_str(if index == 0 { "" } else { "+" });
                encode(word, form);
            }
        };
        let head = [("Action", self.name), ("Version", self.version)];
        for (name, value) in head.into_iter().chain(self.parameters.iter().map(|(n, v)| (&**n, v.as_str()))) {
            if !form.is_empty() {
                form.push('&');
            }
            add(name, &mut form);
            form.push('=');
            add(value, &mut form);
        }
        form.into()
    }
}

impl Line {
    /// Has the system take an action and gives back the answer, whatever its status. An error says what
    /// prevented an answer; its effect is `Unknown` only when the action writes and may have reached the
    /// system.
    pub async fn call(&self, action: Action) -> Result<Answer> {
        self.take(action, None).await
    }

    /// The same, signed with the access key of somebody else instead of the integration's: a canary's, to
    /// learn whether the system lets it in.
    pub async fn call_as(&self, action: Action, credential: &Credential) -> Result<Answer> {
        self.take(action, Some(credential)).await
    }

    async fn take(&self, action: Action, other: Option<&Credential>) -> Result<Answer> {
        let operation = action.operation;
        self.admit(operation, "CALL", action.name)?;
        let reserved = |name: &str| {
            let name = name.to_ascii_lowercase();
            name.starts_with("x-amz-") || RESERVED.contains(&name.as_str())
        };
        if let Some((name, _)) = action.parameters.iter().find(|(name, _)| reserved(name)) {
            return Err(self.stop(operation, "CALL", action.name, format!("it sets the parameter `{name}`")));
        }
        let (destination, settings) = self.route()?;
        let origin = match destination {
            Destination::Web { origin, prefix, .. } if prefix.is_empty() => origin,
            Destination::Web { .. } => {
                return Err(self.settings("its endpoint has a path, and actions are at the root".into()));
            }
            Destination::Folder(_)
            | Destination::Directory { .. }
            | Destination::Postgres { .. }
            | Destination::Sqlite(_)
            | Destination::Person => return Err(self.not_web()),
        };
        let mut request = self.form_request(&action, &origin)?;
        let sealed = match other {
            Some(_) => None,
            None => self.credential(settings.auth, &origin)?,
        };
        if other.is_none() {
            self.in_budget(operation)?;
        }
        if let Some(credential) = other.or(sealed.as_ref()) {
            let region = settings.region.as_deref().unwrap_or(REGION);
            let place = Place { region, service: action.service };
            sigv4::sign(&mut request, &place, credential, self.now()).ok_or_else(|| {
                self.no_credential("is not an access key; seal one with the scheme `access-key`")
            })?;
        }
        let ongoing = self.begin(operation, "CALL");
        let sent = ongoing.within(self.carry(request)).await;
        let sent = sent.map(answer).map_err(|error| failure(&error, operation, &origin));
        self.ended(&ongoing, &self.outcome(operation, sent.as_ref().ok()));
        sent
    }

    fn form_request(&self, action: &Action, origin: &str) -> Result<Request<Bytes>> {
        let bad = || self.settings("its endpoint is not HTTP".into());
        // What is signed is what is sent: a client leaves out the port that the scheme implies.
        let (scheme, host) = origin.split_once("://").ok_or_else(bad)?;
        let implied = if scheme == "https" { ":443" } else { ":80" };
        let host = HeaderValue::from_str(host.strip_suffix(implied).unwrap_or(host)).map_err(|_| bad())?;
        let mut request = Request::new(action.form());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("{origin}/").parse().map_err(|_| bad())?;
        request.headers_mut().insert(header::HOST, host);
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(FORM));
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bailiwick_core::{
        id::Tenant,
        integration::{Integration, Purpose},
    };
    use serde_json::json;

    use super::*;
    use crate::{
        Broker, ErrorKind,
        broker::{Transport, TransportError, TrustAnchor},
        seal::{CredentialScheme, SealContext, SealKey, Secret},
        testkit::{Hands, Seeded},
    };

    #[derive(Default)]
    struct Wire(Mutex<Vec<Request<Bytes>>>);

    #[async_trait::async_trait]
    impl Transport for Wire {
        async fn send(&self, request: Request<Bytes>) -> Result<::http::Response<Bytes>, TransportError> {
            self.0.lock().unwrap().push(request);
            Ok(::http::Response::new(Bytes::from_static(b"ok")))
        }
    }

    fn key(secret: &str) -> Credential {
        let scheme = CredentialScheme::AccessKey { id: "AKIA1".into() };
        Credential { scheme, secret: Secret::new(secret) }
    }

    fn bench(endpoint: &str, credential: &Credential) -> (Arc<Wire>, Line) {
        bench_with(endpoint, credential, json!({"region": "eu-west-1"}))
    }

    fn bench_with(endpoint: &str, credential: &Credential, settings: serde_json::Value) -> (Arc<Wire>, Line) {
        let integration: Integration = serde_json::from_value(json!({
            "name": "aws", "purpose": "test", "owner": "hr/1", "backup": "hr/2", "connector": "aws-iam",
            "endpoint": endpoint, "role": "target", "system": "aws",
            "scope": {"rules": ["create CALL CreateUser", "try CALL GetUser"]}, "standing": {"state": "enabled"},
            "settings": settings,
        }))
        .unwrap();
        let (wire, chance) = (Arc::new(Wire::default()), Seeded::new(1));
        let seal = Arc::new(SealKey::generate(&chance));
        let broker = Broker::new(Tenant::single(), wire.clone(), Arc::new(Hands::default()), seal.clone());
        let context = SealContext::of(&Tenant::single(), &integration, Purpose::Write).unwrap();
        let sealed = seal.seal(&context, credential, &chance);
        (wire, broker.line(&integration, Purpose::Write, Some(&sealed)))
    }

    fn action(operation: Operation, name: &'static str) -> Action {
        Action { operation, service: "iam", version: "2010-05-08", name, parameters: Vec::new() }
    }

    #[tokio::test]
    async fn the_action_that_was_matched_is_the_action_that_is_sent() {
        let (wire, line) = bench("https://iam.amazonaws.com", &key("secret-of-1"));
        let create = action(Operation::Create, "CreateUser").with("UserName", "a&Action=DeleteUser+ü %41\0");
        line.call(create).await.unwrap();
        let sent = wire.0.lock().unwrap();
        let request = &sent[0];
        assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/"));
        let form = "Action=CreateUser&Version=2010-05-08&UserName=a%26Action%3DDeleteUser%2B%C3%BC+%2541%00";
        assert_eq!(request.body(), form);
        assert_eq!(request.headers()["host"], "iam.amazonaws.com");
        let shown = request.headers()["authorization"].to_str().unwrap();
        assert!(shown.contains("Credential=AKIA1/20270115/eu-west-1/iam/aws4_request"), "{shown}");
        assert!(shown.contains("SignedHeaders=content-type;host;x-amz-date"), "{shown}");
        assert!(!format!("{request:?} {line:?}").contains("secret-of-1"));
    }

    #[tokio::test]
    async fn an_action_goes_to_whom_the_named_authority_vouches_for() {
        let with = |settings: serde_json::Value| bench_with("https://iam.acme.example", &key("k"), settings);
        for (settings, anchor) in
            [(json!({}), None), (json!({"ca_file": "/etc/ca.pem"}), Some("/etc/ca.pem"))]
        {
            let (wire, line) = with(settings);
            line.call(action(Operation::Create, "CreateUser")).await.unwrap();
            line.call_as(action(Operation::Try, "GetUser"), &key("c")).await.unwrap();
            for request in &*wire.0.lock().unwrap() {
                let trusted = request.extensions().get::<TrustAnchor>().and_then(|anchor| anchor.0.to_str());
                assert_eq!(trusted, anchor);
            }
        }
    }

    #[tokio::test]
    async fn an_action_outside_of_the_scope_stops_the_integration() {
        for outside in [
            action(Operation::Delete, "DeleteUser"),
            action(Operation::Delete, "CreateUser"),
            action(Operation::Create, "CreateUser").with("Action", "DeleteUser"),
            action(Operation::Create, "CreateUser").with("VERSION", "1999-01-01"),
            action(Operation::Create, "CreateUser").with("X-Amz-Security-Token", "x"),
        ] {
            let (wire, line) = bench("https://iam.amazonaws.com", &key("k"));
            let error = line.call(outside.clone()).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::OutOfScope, "{outside:?}");
            let next = line.call(action(Operation::Create, "CreateUser")).await.unwrap_err();
            assert_eq!(next.kind, ErrorKind::Quarantined, "{outside:?}");
            assert!(wire.0.lock().unwrap().is_empty());
        }
    }

    #[tokio::test]
    async fn an_action_needs_the_root_of_a_web_address_and_an_access_key() {
        let bearer = Credential::bearer(Secret::new("token"));
        for (endpoint, credential, kind) in [
            ("https://iam.amazonaws.com/x", &key("k"), ErrorKind::Settings),
            ("ldaps://dc1.acme.example", &key("k"), ErrorKind::Settings),
            ("https://iam.amazonaws.com", &bearer, ErrorKind::NoCredential),
        ] {
            let (wire, line) = bench(endpoint, credential);
            let error = line.call(action(Operation::Create, "CreateUser")).await.unwrap_err();
            assert_eq!(error.kind, kind, "{endpoint}: {error}");
            assert!(wire.0.lock().unwrap().is_empty());
        }
        let (wire, line) = bench("http://127.0.0.1:5000", &key("k"));
        let canary = Credential {
            scheme: CredentialScheme::AccessKey { id: "AKIA2".into() },
            secret: Secret::new("c"),
        };
        line.call_as(action(Operation::Try, "GetUser"), &canary).await.unwrap();
        let sent = wire.0.lock().unwrap();
        assert_eq!(sent[0].headers()["host"], "127.0.0.1:5000");
        assert!(sent[0].headers()["authorization"].to_str().unwrap().contains("Credential=AKIA2/"));
    }
}
