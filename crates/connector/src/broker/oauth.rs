//! Tokens for client credentials (RFC 6749 §4.4): got from the integration's own host and nowhere else, kept
//! in memory until shortly before they expire, one for each integration and purpose.
//!
//! A token that is refused (401) is forgotten, and the refusal goes up as it is: the call is not sent again,
//! not even when it reads, because only the caller knows what else has changed since. The next call gets a
//! new token. Absent on purpose: refresh tokens, which §4.4.3 says are not given; token endpoints on another
//! host, which the credential is not sealed for.

use std::{collections::BTreeMap, sync::Arc};

use ::http::{Method, Request};
use bailiwick_core::{
    digest::Digest,
    id::IntegrationName,
    integration::Purpose,
    scope::Operation,
    time::{SignedDuration, Timestamp},
};
use bytes::Bytes;
use serde::Deserialize;

use super::{
    destination,
    line::{Line, answer, failure},
    ongoing::Outcome,
    settings::LineSettings,
};
use crate::{
    ConnectorError, ErrorKind, Result,
    seal::{Credential, CredentialScheme, Secret},
};

/// How long a token is kept whose life is not said, seconds.
const UNSAID: i64 = 300;
/// The longest that a token is kept, seconds.
const LONGEST: i64 = 24 * 3_600;
/// How long before its end a token is not used any more, seconds; a tenth of its life if that is less.
const MARGIN: i64 = 60;

/// The tokens at hand.
pub(super) type Tokens = BTreeMap<(IntegrationName, Purpose), Token>;

/// A token that was got.
pub(super) struct Token {
    /// The sealed credential that it was got with; another one gets another token.
    by: Option<Digest>,
    until: Timestamp,
    shown: Arc<Credential>,
}

/// A successful answer (RFC 6749 §5.1).
#[derive(Deserialize)]
struct Given {
    access_token: String,
    token_type: String,
    #[serde(default)]
    expires_in: Option<i64>,
}

/// Another answer (RFC 6749 §5.2).
#[derive(Default, Deserialize)]
struct Refused {
    #[serde(default)]
    error: String,
}

impl Line {
    /// What of a credential is shown to the system: itself or, for client credentials, a token.
    pub(super) async fn shown(
        &self,
        credential: Credential,
        settings: &LineSettings,
        origin: &str,
    ) -> Result<Arc<Credential>> {
        let CredentialScheme::ClientCredentials { .. } = credential.scheme else {
            return Ok(Arc::new(credential));
        };
        let by = self.sealed.as_ref().map(Digest::of_value);
        let key = (self.integration.name.clone(), self.purpose);
        if let Some(token) = self.broker.state().tokens.get(&key).filter(|token| token.by == by)
            && self.now() < token.until
        {
            return Ok(token.shown.clone());
        }
        let (until, token) = self.token(&credential, settings, origin).await?;
        let shown = Arc::new(token);
        self.broker.state().tokens.insert(key, Token { by, until, shown: shown.clone() });
        Ok(shown)
    }

    /// Forgets the token of this integration and purpose.
    pub(super) fn forget_token(&self) {
        self.broker.state().tokens.remove(&(self.integration.name.clone(), self.purpose));
    }

    /// Asks for a token; gives it, and when it is not to be used any more.
    async fn token(
        &self,
        credential: &Credential,
        settings: &LineSettings,
        origin: &str,
    ) -> Result<(Timestamp, Credential)> {
        let needed = "`token_path` says where client credentials get a token, such as `/oauth/token`";
        let path = settings.token_path.as_deref().ok_or_else(|| self.settings(needed.into()))?;
        if !path.starts_with('/') || path.contains("//") || path.contains(['?', '#', '@', '\\']) {
            return Err(
                self.settings("`token_path` is a path on the endpoint's host, such as `/oauth/token`".into())
            );
        }
        let mut form = "grant_type=client_credentials".to_owned();
        if let Some(scope) = &settings.token_scope {
            form.push_str("&scope=");
            destination::encode(scope, &mut form);
        }
        let mut request = Request::new(Bytes::from(form));
        *request.method_mut() = Method::POST;
        let uri = format!("{origin}{path}").parse();
        *request.uri_mut() =
            uri.map_err(|_| self.settings("`token_path` is not the path of an address".into()))?;
        let client = credential.client().ok_or_else(|| self.no_credential("is not text"))?;
        let (name, value) = self.header(&client)?;
        request.headers_mut().insert(name, value);
        for (name, value) in
            [("accept", "application/json"), ("content-type", "application/x-www-form-urlencoded")]
        {
            request.headers_mut().insert(name, ::http::HeaderValue::from_static(value));
        }
        let started = self.now();
        let call = self.begin(Operation::Discover, "POST");
        let sent = call.within(self.carry(request)).await;
        // For the system this is a question: it changes nothing that anybody else sees.
        let got = sent.map(answer).map_err(|error| failure(&error, Operation::Discover, origin));
        // A token is no answer of a reading, and another one each time.
        let outcome = self.outcome(Operation::Discover, got.as_ref().ok());
        self.ended(&call, &Outcome { digest: None, ..outcome });
        let got = got?;
        if got.status != 200 {
            return Err(self.refused(got.status, &got.body));
        }
        let given: Given = serde_json::from_slice(&got.body)
            .map_err(|_| self.no_token(ErrorKind::Malformed, "gave an answer that is no token"))?;
        if !given.token_type.eq_ignore_ascii_case("bearer") {
            return Err(self.no_token(ErrorKind::Malformed, "gave a token that is not a bearer token"));
        }
        let life = given.expires_in.unwrap_or(UNSAID).clamp(0, LONGEST);
        let until = started.saturating_add(SignedDuration::from_secs(life - MARGIN.min(life / 10)));
        let scheme = match &settings.token_header {
            Some(name) => CredentialScheme::Header { name: name.clone() },
            None => CredentialScheme::Bearer,
        };
        let secret = Secret::new(given.access_token);
        Ok((until.unwrap_or(started), Credential { scheme, secret }))
    }

    fn refused(&self, status: u16, body: &[u8]) -> ConnectorError {
        let said: Refused = serde_json::from_slice(body).unwrap_or_default();
        let error: String =
            said.error.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect();
        let kind = match (status, error.as_str()) {
            (400 | 401, "invalid_client" | "unauthorized_client") | (401 | 403, _) => ErrorKind::Unauthorized,
            (429, _) => ErrorKind::RateLimited,
            (500..=599, _) => ErrorKind::SystemFault,
            (400, _) => ErrorKind::Settings,
            (404 | 405, _) => ErrorKind::Settings,
            _ => ErrorKind::Malformed,
        };
        self.no_token(kind, &format!("was answered {status} {error}"))
    }

    fn no_token(&self, kind: ErrorKind, what: &str) -> ConnectorError {
        let what = what.trim_end();
        let message =
            format!("asking for a token for `{}` at its `token_path` {what}", self.integration.name);
        ConnectorError::none(kind, message)
    }
}
