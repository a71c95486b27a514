//! Talks to a hub over its HTTP API, as every command does.
//!
//! A problem that the hub answers with becomes the command's failure; no hub at all becomes
//! `hub-unreachable`. Nothing is tried twice.

use std::{path::Path, time::Duration};

use reqwest::{Method, StatusCode, Url, header};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    failure::{Failure, Result},
    problem::{MEDIA_TYPE, Problem},
    profile::Profile,
};

/// Longer than any wait that a request may ask for.
const PATIENCE: Duration = Duration::from_secs(180);

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
        let mut request = client.http.request(method, url).bearer_auth(&client.token);
        if let Some((kind, bytes)) = body {
            request = request.header(header::CONTENT_TYPE, kind).body(bytes);
        }
        let lost = |error: reqwest::Error| {
            // The last cause says it; those above only say on whose way.
            let cause =
                std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source()).last();
            let cause = cause.map(ToString::to_string).unwrap_or_default();
            Failure::unreachable(
                "hub-unreachable",
                format!("the hub at `{}` does not answer: {cause}", client.base),
            )
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
            status => Err(unwelcome(status, is_problem, &bytes)),
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
