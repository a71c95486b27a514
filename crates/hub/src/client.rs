//! Talks to a hub over its HTTP API, as every command does.
//!
//! A problem that the hub answers with becomes the command's failure; no hub at all becomes
//! `hub-unreachable`. Each change has a key of its own, so that it is done once although its answer was lost: then, and only
//! then, it is asked for again with the same key.

use std::{path::Path, time::Duration};

use bailiwick_core::id::Entropy as _;
use reqwest::{Method, StatusCode, Url, header};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    api::KEY,
    clock::{Stopwatch, SystemEntropy},
    failure::{Failure, Result},
    problem::{MEDIA_TYPE, Problem},
    profile::Profile,
};

/// Longer than any wait that a request may ask for.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often a change is asked for again whose answer was lost.
const AGAIN: u32 = 3;
/// How long is waited before that, and while it is under way.
const PAUSE: Duration = Duration::from_secs(1);
/// What the hub says while it is.
const UNDER_WAY: &str = "idempotency-key-in-use";

/// A hub, and who asks. No `Debug`: it holds the token.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: String,
}

/// One request in the making.
pub struct Request<'c> {
    client: &'c Client,
    method: Method,
    url: Url,
    body: Option<(&'static str, Vec<u8>)>,
}

impl Client {
    /// For the hub and operator of a profile.
    ///
    /// # Errors
    /// `profile-malformed` when its address is none.
    pub fn new(profile: &Profile) -> Result<Self> {
        let base = Url::parse(&profile.url)
            .ok()
            .filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
        let base = base.ok_or_else(|| {
            Failure::usage(
                "profile-malformed",
                format!("`{}` in the profile is not an http address", profile.url),
            )
        })?;
        let mut http = reqwest::Client::builder().timeout(PATIENCE).no_proxy();
        if let Some(ca) = &profile.ca {
            http = http.tls_certs_only(issuers(ca)?);
        }
        let http = http.build().map_err(|error| {
            Failure::unreachable("hub-unreachable", "cannot set up a connection").because(&error)
        })?;
        Ok(Self { http, base, token: profile.token.clone() })
    }

    /// A request for the resource at these path segments below `/api/v1`; they are encoded here.
    pub fn request(&self, method: Method, segments: &[&str]) -> Request<'_> {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "v1"]).extend(segments);
        }
        Request { client: self, method, url, body: None }
    }

    /// The address of a page of the console.
    pub fn page(&self, path: &str) -> String {
        format!("{}{path}", self.base.as_str().trim_end_matches('/'))
    }

    /// A `GET`.
    pub fn get(&self, segments: &[&str]) -> Request<'_> {
        self.request(Method::GET, segments)
    }

    /// A `POST`.
    pub fn post(&self, segments: &[&str]) -> Request<'_> {
        self.request(Method::POST, segments)
    }

    /// A `DELETE`.
    pub fn delete(&self, segments: &[&str]) -> Request<'_> {
        self.request(Method::DELETE, segments)
    }

    /// A `PUT`.
    pub fn put(&self, segments: &[&str]) -> Request<'_> {
        self.request(Method::PUT, segments)
    }
}

impl Request<'_> {
    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.url.query_pairs_mut().append_pair(name, &value.to_string());
        self
    }

    /// Adds a query parameter if there is a value.
    #[must_use]
    pub fn maybe(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Sends a JSON value along.
    #[must_use]
    pub fn json<T: Serialize>(mut self, value: &T) -> Self {
        // Our values have text keys only, so there is always a JSON form.
        self.body = Some(("application/json", serde_json::to_vec(value).unwrap_or_default()));
        self
    }

    /// Sends bytes along.
    #[must_use]
    pub fn bytes(mut self, bytes: Vec<u8>) -> Self {
        self.body = Some(("application/octet-stream", bytes));
        self
    }

    /// Sends it; the answer is a JSON value.
    ///
    /// # Errors
    /// The hub's problem, `hub-unreachable`, `answer-not-understood`.
    pub async fn send<T: DeserializeOwned>(self) -> Result<T> {
        let bytes = self.fetch().await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Failure::refused("answer-not-understood", "the hub's answer is not understood").because(&error)
        })
    }

    /// Sends it; the answer is empty or of no interest.
    ///
    /// # Errors
    /// As [`Request::send`].
    pub async fn done(self) -> Result<()> {
        self.fetch().await.map(drop)
    }

    /// Sends it; the answer is bytes.
    ///
    /// # Errors
    /// As [`Request::send`].
    pub async fn fetch(self) -> Result<Vec<u8>> {
        let Self { client, method, url, body } = self;
        let mut request = client.http.request(method.clone(), url).bearer_auth(&client.token);
        if let Some((kind, bytes)) = body {
            request = request.header(header::CONTENT_TYPE, kind).body(bytes);
        }
        if method == Method::GET {
            return client.answer(request).await.map_err(|lost| lost.failure);
        }
        let key = SystemEntropy.salt().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        client.once(request.header(KEY, format!("\"{key}\""))).await
    }
}

/// A request that has no answer of the hub, or a refusal.
struct Lost {
    failure: Failure,
    /// Whether it may have been done all the same.
    maybe: bool,
}

impl Client {
    /// Sends a change with its key until there is an answer to it.
    async fn once(&self, request: reqwest::RequestBuilder) -> Result<Vec<u8>> {
        let begun = Stopwatch::start();
        let mut lost = 0;
        loop {
            // A body of bytes can be sent again.
            let Some(next) = request.try_clone() else {
                return self.answer(request).await.map_err(|lost| lost.failure);
            };
            let again = match self.answer(next).await {
                Ok(bytes) => return Ok(bytes),
                Err(Lost { failure, maybe }) => {
                    lost += u32::from(maybe);
                    let under_way = failure.code() == UNDER_WAY && begun.elapsed().unsigned_abs() < PATIENCE;
                    (maybe && lost <= AGAIN || under_way).then_some(()).ok_or(failure)
                }
            };
            again?;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Sends a request once.
    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Vec<u8>, Lost> {
        let lost = |error: reqwest::Error| {
            // The last cause says it; those above only say on whose way.
            let cause =
                std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source()).last();
            let cause = cause.map(ToString::to_string).unwrap_or_default();
            // What was never sent was not done.
            let maybe = !error.is_connect() && !error.is_builder();
            let failure = Failure::unreachable(
                "hub-unreachable",
                format!("the hub at `{}` does not answer: {cause}", self.base),
            );
            Lost { failure, maybe }
        };
        let response = request.send().await.map_err(lost)?;
        let status = response.status();
        let is_problem = response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes() == MEDIA_TYPE.as_bytes());
        let bytes = response.bytes().await.map_err(lost)?;
        match status {
            status if status.is_success() => Ok(bytes.to_vec()),
            status => Err(Lost { failure: unwelcome(status, is_problem, &bytes), maybe: false }),
        }
    }
}

/// The certificates in a file.
fn issuers(file: &Path) -> Result<Vec<reqwest::Certificate>> {
    let unfit = || {
        let message = format!("`{}`, the `ca` of the profile, holds no certificates", file.display());
        Failure::usage("profile-malformed", message)
    };
    let bundle = std::fs::read(file).map_err(|error| unfit().because(&error))?;
    let issuers = reqwest::Certificate::from_pem_bundle(&bundle).map_err(|error| unfit().because(&error))?;
    if issuers.is_empty() { Err(unfit()) } else { Ok(issuers) }
}

fn unwelcome(status: StatusCode, is_problem: bool, body: &[u8]) -> Failure {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) if is_problem => problem.into(),
        _ => Failure::refused(
            "answer-not-understood",
            format!("the answer has status {status} and is not from a hub"),
        ),
    }
}
