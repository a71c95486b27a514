//! The calls to a provider of identities: what it publishes, and a code for a token.
//!
//! Promises: calls go over TLS, or stay on this machine; they end after some seconds, follow no redirect, and take no more
//! than so many bytes; so many run at once. What comes back is verified by the core before anything is done with it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bailiwick_core::{
    openid::{Attempt, Expected, Identified, KeySet, Metadata, OpenIdRefusal, identify, is_safe},
    time::{SignedDuration, Timestamp},
};
use reqwest::{Client, RequestBuilder, Url, redirect::Policy};
use serde::Deserialize;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::{
    failure::{Failure, Result},
    problem::{Problem, chain},
};

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read, bytes.
const LONGEST: usize = 256 * 1024;
/// How long what a provider publishes is taken for true.
const KEPT: SignedDuration = SignedDuration::from_hours(1);
/// How soon its keys are asked for again when a token is signed with one that is not known.
const AGAIN: SignedDuration = SignedDuration::from_secs(30);
/// How many codes are changed into tokens at once.
const AT_ONCE: usize = 8;

/// A provider, and who the hub is for it. No `Debug`: it holds the secret.
pub struct Provider {
    issuer: String,
    client: String,
    secret: Option<Zeroizing<String>>,
    name: String,
    http: Client,
    known: Mutex<Option<Arc<Known>>>,
    places: Semaphore,
}

/// What it publishes, and since when that is known.
struct Known {
    metadata: Metadata,
    keys: KeySet,
    at: Timestamp,
}

/// What the token endpoint answers (RFC 6749 §5); nothing else of it is looked at.
#[derive(Deserialize)]
struct Answered {
    #[serde(default)]
    id_token: Option<String>,
    #[serde(default)]
    error: Option<String>,
}

impl From<OpenIdRefusal> for Problem {
    fn from(refusal: OpenIdRefusal) -> Self {
        let status = match refusal {
            OpenIdRefusal::Metadata(_) | OpenIdRefusal::Keys(_) => 502,
            OpenIdRefusal::Malformed(_)
            | OpenIdRefusal::Algorithm(_)
            | OpenIdRefusal::Key
            | OpenIdRefusal::Signature
            | OpenIdRefusal::Issuer(_)
            | OpenIdRefusal::Audience
            | OpenIdRefusal::Time
            | OpenIdRefusal::Nonce => 401,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl Provider {
    /// The provider at this address.
    ///
    /// # Errors
    /// `provider-settings` when it is not reached safely.
    pub fn new(issuer: String, client: String, secret: Option<String>, name: Option<String>) -> Result<Self> {
        if !is_safe(&issuer) || issuer.contains(['?', '#']) {
            let message = format!("the provider `{issuer}` is not reached by https");
            return Err(Failure::usage("provider-settings", message));
        }
        let http = Client::builder().timeout(PATIENCE).redirect(Policy::none()).no_proxy().build();
        let http = http.map_err(|error| {
            Failure::unreachable("transport", "cannot set up a connection to the provider").because(&error)
        })?;
        let name = name.or_else(|| Url::parse(&issuer).ok()?.host_str().map(str::to_owned));
        Ok(Self {
            name: name.unwrap_or_else(|| issuer.clone()),
            issuer,
            client,
            secret: secret.map(|secret| Zeroizing::new(secret.trim().to_owned())),
            http,
            known: Mutex::default(),
            places: Semaphore::new(AT_ONCE),
        })
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where somebody goes to sign in.
    pub async fn begin(&self, attempt: &Attempt, back: &str, now: Timestamp) -> Result<String, Problem> {
        let known = self.published(now, KEPT).await?;
        let mut url = Url::parse(&known.metadata.authorization_endpoint)
            .map_err(|error| OpenIdRefusal::Metadata(format!("its address for people is none: {error}")))?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("scope", "openid")
            .append_pair("client_id", &self.client)
            .append_pair("redirect_uri", back)
            .append_pair("state", &attempt.state)
            .append_pair("nonce", &attempt.nonce)
            .append_pair("code_challenge", &attempt.challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(url.into())
    }

    /// Whom the provider means by a code that somebody came back with. `said` is who it says that it is (RFC 9207).
    pub async fn finish(
        &self,
        attempt: &Attempt,
        code: &str,
        said: Option<&str>,
        back: &str,
        now: Timestamp,
    ) -> Result<Identified, Problem> {
        let known = self.published(now, KEPT).await?;
        match said {
            Some(said) if said != self.issuer => {
                Err(OpenIdRefusal::Issuer(said.chars().take(200).collect()))?
            }
            None if known.metadata.names_itself() => Err(OpenIdRefusal::Issuer(String::new()))?,
            Some(_) | None => {}
        }
        let token = {
            let _place = self.places.acquire().await;
            self.token(&known.metadata, attempt, code, back).await?
        };
        let expected = Expected { issuer: &self.issuer, client: &self.client, nonce: &attempt.nonce, now };
        match identify(&token, &known.keys, &expected) {
            // It may have changed its keys since.
            Err(OpenIdRefusal::Key) => {
                let newer = self.published(now, AGAIN).await?;
                Ok(identify(&token, &newer.keys, &expected)?)
            }
            judged => Ok(judged?),
        }
    }

    async fn token(
        &self,
        metadata: &Metadata,
        attempt: &Attempt,
        code: &str,
        back: &str,
    ) -> Result<String, Problem> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", back),
            ("code_verifier", &attempt.verifier),
        ];
        let request = self.http.post(&metadata.token_endpoint);
        let request = match (&self.secret, metadata.secret_in_form()) {
            (Some(secret), Some(false)) => {
                // Both are encoded before they are put together (RFC 6749 §2.3.1).
                let part = |text: &str| form_text(&[("", text)]).trim_start_matches('=').to_owned();
                request.basic_auth(part(&self.client), Some(part(secret.as_str())))
            }
            (Some(secret), _) => {
                form.extend([("client_id", self.client.as_str()), ("client_secret", secret.as_str())]);
                request
            }
            (None, _) => {
                form.push(("client_id", &self.client));
                request
            }
        };
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(form_text(&form));
        let (status, body) = self.answer(request).await?;
        let refused =
            |why: &str| Problem::new(401, "provider-refused", format!("the provider gives no token: {why}"));
        let answered: Answered =
            serde_json::from_slice(&body).map_err(|_| refused(&format!("status {status}")))?;
        match (answered.id_token, answered.error) {
            (Some(token), None) if status == 200 => Ok(token),
            (_, Some(error)) => Err(refused(&format!("`{}`", word(&error)))),
            (_, None) => Err(refused(&format!("status {status}, and no ID token"))),
        }
    }

    /// What it publishes, at most so old.
    async fn published(&self, now: Timestamp, old: SignedDuration) -> Result<Arc<Known>, Problem> {
        let kept = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = kept.filter(|known| now.duration_since(known.at) < old) {
            return Ok(known);
        }
        let address = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let metadata = Metadata::read(&self.document(&address).await?, &self.issuer)?;
        let keys = KeySet::read(&self.document(&metadata.jwks_uri).await?)?;
        let known = Arc::new(Known { metadata, keys, at: now });
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
        Ok(known)
    }

    async fn document(&self, address: &str) -> Result<Vec<u8>, Problem> {
        let (status, body) = self.answer(self.http.get(address)).await?;
        match status {
            200 => Ok(body),
            other => Err(unreachable(format!("it answers with status {other} at `{address}`"))),
        }
    }

    async fn answer(&self, request: RequestBuilder) -> Result<(u16, Vec<u8>), Problem> {
        // The error names the address and not what was sent there.
        let failed = |error: reqwest::Error| unreachable(chain(&error));
        let mut answer = request.send().await.map_err(failed)?;
        let (status, mut body) = (answer.status().as_u16(), Vec::new());
        while let Some(part) = answer.chunk().await.map_err(failed)? {
            if body.len() + part.len() > LONGEST {
                return Err(unreachable(format!("its answer is longer than {LONGEST} bytes")));
            }
            body.extend_from_slice(&part);
        }
        Ok((status, body))
    }
}

fn unreachable(why: String) -> Problem {
    Problem::new(502, "provider-unreachable", format!("the provider cannot be asked: {why}"))
}

fn form_text(pairs: &[(&str, &str)]) -> String {
    serde_urlencoded::to_string(pairs).unwrap_or_default()
}

/// A code of an error (RFC 6749 §4.1.2.1), or as much of it as is one.
pub fn word(text: &str) -> String {
    text.chars().filter(|sign| sign.is_ascii_alphanumeric() || matches!(sign, '_' | '-')).take(60).collect()
}
