//! What a provider publishes about itself (Discovery 1.0 §3, RFC 9207 §3).

use serde::Deserialize;

use super::{OpenIdRefusal, Result};

/// Where its parts are, and what it can do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Metadata {
    issuer: String,
    /// Where people go to sign in.
    pub authorization_endpoint: String,
    /// Where a code becomes a token.
    pub token_endpoint: String,
    /// Where its keys are.
    pub jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Reads what the provider at this address says.
    ///
    /// # Errors
    /// [`OpenIdRefusal::Metadata`] when it is another one, is not reached over TLS, or cannot do what is needed.
    pub fn read(document: &[u8], issuer: &str) -> Result<Self> {
        let bad = |why: String| OpenIdRefusal::Metadata(why);
        let found: Self = serde_json::from_slice(document)
            .map_err(|error| bad(format!("the document is not what it should be: {error}")))?;
        if found.issuer != issuer {
            return Err(bad("it calls itself by another address than the one that is configured".into()));
        }
        for address in [&found.authorization_endpoint, &found.token_endpoint, &found.jwks_uri] {
            if !is_safe(address) {
                return Err(bad(format!("`{address}` is not reached by https")));
            }
        }
        if found
            .code_challenge_methods_supported
            .as_ref()
            .is_some_and(|all| !all.iter().any(|one| one == "S256"))
        {
            return Err(bad("it does not know PKCE with S256".into()));
        }
        if found.secret_in_form().is_none() {
            return Err(bad("it takes a client's secret neither in the header nor in the form".into()));
        }
        Ok(found)
    }

    /// Whether the client's secret goes into the form instead of the header; `None` when it goes nowhere.
    pub fn secret_in_form(&self) -> Option<bool> {
        let Some(ways) = &self.token_endpoint_auth_methods_supported else { return Some(false) };
        let has = |way: &str| ways.iter().any(|one| one == way);
        match (has("client_secret_basic"), has("client_secret_post"), has("none")) {
            (true, _, _) => Some(false),
            (false, true, _) | (false, false, true) => Some(true),
            (false, false, false) => None,
        }
    }

    /// Whether every answer of it names it, so that one that does not is somebody else's (RFC 9207 §2.4).
    pub const fn names_itself(&self) -> bool {
        self.authorization_response_iss_parameter_supported
    }
}

/// Whether nobody in between reads or changes what is sent there: TLS, or this machine.
pub fn is_safe(address: &str) -> bool {
    if !address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return false;
    }
    let (tls, rest) = match (address.strip_prefix("https://"), address.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return false,
    };
    let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // A name before `@` is a user, and not where it leads to.
    if place.is_empty() || place.contains('@') {
        return false;
    }
    let port = |(_, port): &(&str, &str)| port.bytes().all(|byte| byte.is_ascii_digit());
    let host = place.rsplit_once(':').filter(port).map_or(place, |(host, _)| host);
    tls || matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}
