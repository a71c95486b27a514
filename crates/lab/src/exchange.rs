//! What every request meets before its route, in this order: does the system exist, does the token work, is there
//! room in the minute, may the token write, was this very request answered before.
//!
//! The order is a promise: a request refused here had no effect and left no trace.

use axum::{
    body::Body,
    extract::Query,
    http::{HeaderMap, HeaderName, Method, Response, StatusCode, header, request::Parts},
};

use crate::{
    Behaviour, Dropped, Lab,
    ledger::{Cause, Credential},
    mint, oauth,
    refusal::Refusal,
    reply::{Door, Reply},
    scim,
    system::{Kept, System},
    vendor,
};

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A request that may reach its route.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a Method,
    /// Segments below the interface's base.
    pub(crate) path: Vec<&'a str>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    /// URL of the interface's base; without scheme and host if the request names none.
    pub(crate) base: String,
    pub(crate) now: i64,
    pub(crate) cause: Cause,
}

impl Call<'_> {
    /// A query parameter; names compare without case.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The refusal for a route that exists with other methods.
    pub(crate) fn not_allowed(&self) -> Refusal {
        Refusal::MethodNotAllowed(self.method.to_string())
    }

    /// The refusal for a route that does not exist.
    pub(crate) fn not_found(&self) -> Refusal {
        Refusal::NotFound(format!("/{}", self.path.join("/")))
    }
}

impl Lab {
    /// Answers a request to a system's interface; `rest` is the path below its base.
    pub(crate) fn answer(
        &self,
        door: Door,
        system: &str,
        rest: &str,
        parts: &Parts,
        body: &[u8],
    ) -> Response<Body> {
        let Some(system) = self.system(system) else {
            let refusal = Refusal::NotFound(format!("/{system}"));
            return Reply::refused(door, &refusal).into_response(door);
        };
        let now = self.now();
        let mut system = Lab::lock(system);
        system.settle(now);
        if door == Door::Vendor && parts.method == Method::GET && rest == "whoami" {
            let reply = vendor::whoami(&system, bearer(&parts.headers));
            return reply.unwrap_or_else(|refusal| Reply::refused(door, &refusal)).into_response(door);
        }
        let writes = is_write(parts, rest);
        if system.is(Behaviour::Down) {
            return Reply::refused(door, &Refusal::Down).into_response(door);
        }
        match admitted(&mut system, door, rest, parts, body, now) {
            Ok(Answer::Again(reply)) => reply.with(REPLAYED, "true").into_response(door),
            Ok(Answer::Fresh(reply)) => {
                let lost = writes && reply.is_success() && system.loses_answer();
                if lost {
                    let mut response = Response::new(Body::empty());
                    *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
                    response.extensions_mut().insert(Dropped);
                    return response;
                }
                reply.into_response(door)
            }
            Err(refusal) => Reply::refused(door, &refusal).into_response(door),
        }
    }
}

enum Answer {
    Fresh(Reply),
    Again(Reply),
}

fn admitted(
    system: &mut System,
    door: Door,
    rest: &str,
    parts: &Parts,
    body: &[u8],
    now: i64,
) -> Result<Answer, Refusal> {
    let grant = bearer(&parts.headers).and_then(|token| system.truth.grant(token));
    let may_write = grant.ok_or(Refusal::Unauthorized)?.writes;
    if let Some(retry_after_s) = system.over_limit(now) {
        return Err(Refusal::TooManyRequests { retry_after_s });
    }
    // Whoever holds a token may end it, whatever else it may (RFC 7009 §2.1).
    let ends = door == Door::Vendor && rest == oauth::REVOKE;
    if parts.method != Method::GET && !may_write && !ends {
        return Err(Refusal::ReadOnlyToken);
    }
    let writes = is_write(parts, rest);
    let key = parts.headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let query = parts.uri.query().unwrap_or_default();
    let print = mint::fingerprint(
        system.spec.seed,
        &[parts.method.as_str().as_bytes(), parts.uri.path().as_bytes(), query.as_bytes(), body],
    );
    let remembers = writes && system.spec.idempotency_keys;
    if let Some(kept) = key.as_ref().filter(|_| remembers).and_then(|key| system.kept.get(key)) {
        if kept.request != print {
            return Err(Refusal::IdempotencyKeyReused);
        }
        return Ok(Answer::Again(kept.reply.clone()));
    }
    if !ends {
        check_media_type(&parts.headers, body)?;
    }
    let Query(query) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
        .map_err(|_| Refusal::InvalidSyntax("the query is not form-encoded".into()))?;
    let cause = system.cause(parts.method.as_str(), parts.uri.path(), Credential::Write, key.clone());
    let call = Call {
        method: &parts.method,
        path: rest.split('/').filter(|segment| !segment.is_empty()).collect(),
        query,
        headers: &parts.headers,
        body,
        base: base(door, &system.spec.name, &parts.headers),
        now,
        cause,
    };
    let reply = match door {
        Door::Scim => scim::route(system, &call)?,
        Door::Vendor if call.path.first() == Some(&"oauth") => oauth::route(system, &call)?,
        Door::Vendor => vendor::route(system, &call)?,
    };
    // Only what had its effect is kept: a refused request had none, so doing it again is safe.
    if let Some(key) = key.filter(|_| remembers && reply.is_success()) {
        system.kept.insert(key, Kept { request: print, reply: reply.clone() });
    }
    Ok(Answer::Fresh(reply))
}

/// `POST …/.search` reads (RFC 7644 §3.4.3), whatever its method says.
fn is_write(parts: &Parts, rest: &str) -> bool {
    parts.method != Method::GET && !rest.trim_end_matches('/').ends_with(".search")
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn check_media_type(headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
    let Some(media) = headers.get(header::CONTENT_TYPE).filter(|_| !body.is_empty()) else { return Ok(()) };
    let media = media.to_str().unwrap_or_default();
    let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/scim+json" | "application/json" => Ok(()),
        _ => Err(Refusal::UnsupportedMediaType),
    }
}

fn base(door: Door, system: &str, headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = host.map(|host| format!("http://{host}")).unwrap_or_default();
    match door {
        Door::Scim => format!("{origin}/{system}/scim/v2"),
        Door::Vendor => format!("{origin}/{system}/api"),
    }
}
