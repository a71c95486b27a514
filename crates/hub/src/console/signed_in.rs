//! Who is at the console: the cookie, and what a form must bring along.
//!
//! Promises: a page is made for nobody but an operator whose session is open; a form does nothing unless it comes from a
//! page of this console in the same session (a token that follows from the cookie, and what the browser says of where it
//! comes from). The cookie is for this host alone, is not shown to scripts, and is not sent along from elsewhere.

use axum::{
    extract::{FromRequest, FromRequestParts, Request, State},
    http::{HeaderMap, Method, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use bailiwick_core::digest::{self, Digest};
use bailiwick_store::entities::Session;
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    cookies::{Jar, named},
    trouble::Trouble,
};
use crate::{
    api::{Caller, Hub, Raw},
    problem::Problem,
};

/// What a page says that reads itself again while nobody uses it.
const BY_ITSELF: &str = "x-bailiwick-by-itself";

/// An operator at the console.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Who.
    pub caller: Caller,
    /// Their session.
    pub session: Session,
    /// What their forms bring along.
    pub token: String,
    /// `light` or `dark`, if they chose.
    pub theme: String,
}

/// Lets through whose session is open; sends who only wants to read to the door, and brings them back.
pub async fn require(State(hub): State<Hub>, mut request: Request, next: Next) -> Response {
    let secret = Jar::Session.read(&hub, request.headers());
    let idle = hub.entrance.idle;
    let found = match &secret {
        Some(secret) => hub.engine.operator_in_session(secret, idle).await,
        None => Ok(None),
    };
    match (found, secret) {
        (Ok(Some((operator, session))), Some(secret)) => {
            // A page that is open does not keep a session alive by itself.
            if !request.headers().contains_key(BY_ITSELF)
                && request.uri().path() != "/live"
                && let Err(error) = hub.engine.session_used(&session, idle).await
            {
                tracing::warn!(code = error.code(), "the use of a session could not be written down");
            }
            let theme = named(request.headers(), "theme").filter(|theme| theme == "light" || theme == "dark");
            let rights = hub.engine.rights(&operator).await;
            let signed_in = SignedIn {
                caller: Caller(operator, rights),
                session,
                token: token(&secret),
                theme: theme.unwrap_or_default(),
            };
            request.extensions_mut().insert(signed_in);
            next.run(request).await
        }
        (Ok(_), _) if request.method() == Method::GET => {
            let wanted = request.uri().path_and_query().map_or("/", |path| path.as_str());
            Redirect::to(&format!("/sign-in?next={}", encoded(wanted))).into_response()
        }
        (Ok(_), _) => {
            Trouble::from(Problem::new(401, "session-over", "your session is over; nothing was done"))
                .into_response()
        }
        (Err(error), _) => Trouble::from(error).into_response(),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Trouble> {
        // Every page is behind `require`; one that is not must not run.
        let signed_in = parts.extensions.get::<Self>().cloned();
        signed_in.ok_or_else(|| Problem::new(401, "session-over", "the request was not signed in").into())
    }
}

/// The fields of a form that comes from a page of this session.
pub struct Posted<T>(pub T);

/// A form with nothing in it but the token.
#[derive(Deserialize)]
pub struct Nothing {}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: String,
}

impl<T: DeserializeOwned> FromRequest<Hub> for Posted<T> {
    type Rejection = Trouble;

    async fn from_request(request: Request, hub: &Hub) -> Result<Self, Trouble> {
        let (mut parts, body) = request.into_parts();
        let signed_in = SignedIn::from_request_parts(&mut parts, hub).await?;
        from_here(&parts.headers)?;
        let request = Request::from_parts(parts, body);
        let Raw(bytes) = Raw::from_request(request, hub).await?;
        let Token { token } = fields(&bytes)?;
        if !digest::same(token.as_bytes(), signed_in.token.as_bytes()) {
            return Err(foreign());
        }
        fields(&bytes).map(Self)
    }
}

/// Reads the fields of a form.
pub fn fields<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Trouble> {
    serde_urlencoded::from_bytes(bytes).map_err(|error| {
        Problem::new(400, "request-malformed", format!("the form is not what this page takes: {error}"))
            .into()
    })
}

/// Refuses what the browser says comes from elsewhere. Browsers that say nothing are held by the token.
pub fn from_here(headers: &HeaderMap) -> Result<(), Trouble> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if text("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return Err(foreign());
    }
    match (text("origin"), text("host")) {
        (Some(origin), Some(host)) => {
            let theirs = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if theirs == Some(host) { Ok(()) } else { Err(foreign()) }
        }
        (Some(_), None) => Err(foreign()),
        (None, _) => Ok(()),
    }
}

fn foreign() -> Trouble {
    let detail = "the form does not come from a page of this session; nothing was done";
    Problem::new(403, "form-foreign", detail).into()
}

/// What the forms of a session bring along: it follows from the cookie, and the cookie does not follow from it.
fn token(secret: &str) -> String {
    Digest::of_parts(&[b"bailiwick/form/v1\n", secret.as_bytes()]).to_string()
}

/// A text as part of a query.
pub fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(byte.into())
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Where somebody wanted to go, if that is a page of this console; or home.
pub fn local(next: &str) -> &str {
    let own = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n']);
    if own { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (axum::http::header::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn only_forms_of_the_same_origin_pass() {
        let check = |pairs: &[(&'static str, &str)], passes: bool| {
            assert_eq!(from_here(&headers(pairs)).is_ok(), passes, "{pairs:?}");
        };
        check(&[("host", "hub:7460")], true);
        check(&[("host", "hub:7460"), ("origin", "http://hub:7460")], true);
        check(&[("host", "hub"), ("origin", "https://hub"), ("sec-fetch-site", "same-origin")], true);
        check(&[("host", "hub:7460"), ("origin", "http://hub:7461")], false);
        check(&[("host", "hub"), ("origin", "https://hub.evil.example")], false);
        check(&[("host", "hub"), ("origin", "null")], false);
        check(&[("origin", "https://hub")], false);
        check(&[("host", "hub"), ("sec-fetch-site", "cross-site")], false);
        check(&[("host", "hub"), ("sec-fetch-site", "same-site")], false);
    }

    #[test]
    fn nobody_is_sent_elsewhere_after_signing_in() {
        for (next, expect) in [
            ("/plans/pln_1?x=1", "/plans/pln_1?x=1"),
            ("", "/"),
            ("https://evil.example/", "/"),
            ("//evil.example/", "/"),
            ("/\\evil.example", "/"),
            ("/a\r\nSet-Cookie: x=1", "/"),
        ] {
            assert_eq!(local(next), expect);
        }
    }

    #[test]
    fn the_token_of_forms_follows_from_the_cookie_and_says_nothing_of_it() {
        assert_eq!(token("bws_a"), token("bws_a"));
        assert_ne!(token("bws_a"), token("bws_b"));
        assert!(!digest::same(b"bws_a", b"") && digest::same(b"x", b"x"));
    }
}
