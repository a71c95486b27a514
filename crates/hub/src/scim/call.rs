//! Who calls, and where it called: the token of an integration, which names the source, and the address under which
//! what is here is told back.

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bailiwick_engine::Admitted;

use super::fault::Fault;
use crate::{
    api::{Hub, bearer, token_refused},
    problem::Problem,
};

/// The path below which everything is.
pub const BASE: &str = "/scim/v2";

/// A call of an integration.
#[derive(Clone)]
pub struct Call {
    /// Whose token came with it.
    pub caller: Admitted,
    /// The address of [`BASE`] as the caller has it.
    pub base: String,
}

fn refused() -> Fault {
    let detail = "the request has no token of an integration that is valid here";
    Problem::new(401, "caller-token-refused", detail).into()
}

/// Looks the token up by its digest and lets the request through, or answers 401 before anything of it is read.
pub async fn authenticate(State(hub): State<Hub>, mut request: Request, next: Next) -> Response {
    let found = match bearer(request.headers()) {
        Some(token) if request.method().is_safe() => hub.engine.admit_to_look(token).await,
        Some(token) => hub.engine.admit(token).await,
        None => Ok(None),
    };
    match found {
        Ok(Some(caller)) => {
            let entrance = &hub.entrance;
            let base = base(request.headers(), entrance.url.as_deref(), entrance.is_tls());
            request.extensions_mut().insert(Call { caller, base });
            next.run(request).await
        }
        Ok(None) => {
            token_refused(&hub, request.headers(), "caller-token-refused").await;
            refused().into_response()
        }
        Err(error) => Fault::from(error).into_response(),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Call {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        // Every route is behind `authenticate`; one that is not must not run.
        parts.extensions.get::<Self>().cloned().ok_or_else(refused)
    }
}

/// The address of the base: of the hub, where it was told its address; else of the host that the caller named, if that is
/// one, or else the path alone. Nothing of a header gets into another one but what a host may be.
fn base(headers: &HeaderMap, told: Option<&str>, tls: bool) -> String {
    if let Some(url) = told {
        return format!("{url}{BASE}");
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    if host.is_empty() || host.len() > 255 || !host.bytes().all(good) {
        return BASE.to_owned();
    }
    let forwarded = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    format!("http{}://{host}{BASE}", if tls || forwarded { "s" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_nothing_of_a_header_but_a_host() {
        let check = |host: &str, scheme: Option<&'static str>, expect: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            if let Some(scheme) = scheme {
                headers.insert("x-forwarded-proto", scheme.parse().unwrap());
            }
            assert_eq!(base(&headers, None, false), expect, "{host}");
        };
        check("hub.acme.example", None, "http://hub.acme.example/scim/v2");
        check("hub.acme.example:7460", Some("https"), "https://hub.acme.example:7460/scim/v2");
        check("[::1]:80", Some("https, http"), "http://[::1]:80/scim/v2");
        check("evil.example/x?y=", None, "/scim/v2");
        check("evil.example@hub", None, "/scim/v2");
        check("evil.example<script>", None, "/scim/v2");
        check(&"a".repeat(300), None, "/scim/v2");
        assert_eq!(base(&HeaderMap::new(), None, false), "/scim/v2");
    }

    #[test]
    fn an_address_is_the_hubs_own_and_as_secure_as_the_hub_is() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "10.0.0.7:7460".parse().unwrap());
        let check = |told, tls, expect: &str| assert_eq!(base(&headers, told, tls), expect);
        check(Some("https://hub.acme.example"), false, "https://hub.acme.example/scim/v2");
        check(Some("https://hub.acme.example:8443"), true, "https://hub.acme.example:8443/scim/v2");
        check(Some("http://localhost:7460"), false, "http://localhost:7460/scim/v2");
        check(None, true, "https://10.0.0.7:7460/scim/v2");
        check(None, false, "http://10.0.0.7:7460/scim/v2");
        assert_eq!(base(&HeaderMap::new(), None, true), "/scim/v2");
    }
}
