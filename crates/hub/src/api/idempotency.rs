//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a change that is asked for again is done once.
//!
//! Promises: under one key of one operator there is one request. Asked again with the same one, the hub gives the answer that
//! it gave. While that is not there, it says so and does nothing; and if a process died in between, it says that nobody knows.
//! What was begun under a key comes to its end although its caller goes away. An answer with a secret is not kept.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bailiwick_core::digest::Digest;
use bailiwick_engine::{KeyRefusal, UnderKey};
use bailiwick_store::entities::{KeptAnswer, KeyedRequest, RequestState};
use tracing::Instrument as _;

use super::{
    ApiError, Hub,
    answer::{NotKept, malformed},
    body,
    caller::Caller,
};
use crate::problem::{Problem, chain};

/// The header.
pub const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// What a key looks like: a string of RFC 9651 §3.3.3, or the same without its quotes.
pub const PATTERN: &str = r#"^("[!#-\[\]-~]{1,128}"|[!#-+.-\[\]-~-]{1,128})$"#;
/// The longest key, letters.
const LONGEST: usize = 128;
/// The longest answer that is kept, bytes.
const KEPT: usize = 64 * 1024;

/// The requests with a key that are under way in this process.
#[derive(Default)]
pub struct UnderWay(Mutex<BTreeSet<String>>);

/// That one is; until it is dropped.
struct Place {
    hub: Hub,
    id: String,
}

impl Place {
    /// Takes the place, or `None` when it is taken.
    fn take(hub: &Hub, id: String) -> Option<Self> {
        let mut all = hub.under_way.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(id.clone()).then(|| Self { hub: hub.clone(), id })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.hub.under_way.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.id);
    }
}

/// An operation that takes keys.
pub struct Keyed {
    /// Where it is done.
    pub hub: Hub,
    /// Its id.
    pub operation: &'static str,
}

/// Does a request once, if it has a key.
pub async fn once(State(keyed): State<Arc<Keyed>>, caller: Caller, request: Request, next: Next) -> Response {
    let key = match key(request.headers()) {
        Ok(None) => return next.run(request).await,
        Ok(Some(key)) => key,
        Err(error) => return error.into_response(),
    };
    keyed.under(key, caller, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

impl Keyed {
    async fn under(
        &self,
        key: String,
        caller: Caller,
        request: Request,
        next: Next,
    ) -> Result<Response, ApiError> {
        let Self { hub, operation } = self;
        let (parts, body) = request.into_parts();
        let mut reading = Request::new(body);
        *reading.extensions_mut() = parts.extensions.clone();
        let body = body::read(reading).await?;
        let address = parts.uri.path_and_query().map_or("", |address| address.as_str());
        let seal = hub.engine.request_seal(&[parts.method.as_str().as_bytes(), address.as_bytes(), &body]);
        let id = KeyedRequest::id_of(caller.0.id, Digest::of(key.as_bytes()));
        let Some(place) = Place::take(hub, id) else {
            // Only who has the place begins anything.
            let before = hub.engine.request_under(&caller.0, &key, &seal).await?;
            return before.map_or_else(|| Err(in_use()), |before| again(before, true));
        };
        match hub.engine.begin_request(&caller.0, operation, &key, seal).await? {
            UnderKey::New(begun) => {
                let request = Request::from_parts(parts, Body::from(body));
                let work = answered(place, caller, *begun, request, next).in_current_span();
                // It comes to its end although its caller goes away.
                let lost = |_| Problem::new(500, "inconsistent", "the request broke off");
                Ok(tokio::spawn(work).await.map_err(lost)?)
            }
            UnderKey::Before(before) => again(*before, false),
        }
    }
}

/// Does it, and keeps the answer.
async fn answered(
    place: Place,
    caller: Caller,
    begun: KeyedRequest,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = next.run(request).await.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return ApiError::from(Problem::new(500, "inconsistent", "an answer broke off")).into_response();
    };
    let media = parts.headers.get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok());
    let kept = match std::str::from_utf8(&body) {
        _ if parts.extensions.get::<NotKept>().is_some() => KeptAnswer::Secret,
        Ok(text) if text.len() <= KEPT => {
            KeptAnswer::Whole { media: media.map(str::to_owned), body: text.to_owned() }
        }
        Ok(_) | Err(_) => KeptAnswer::Long,
    };
    let status = parts.status.as_u16();
    if let Err(error) = place.hub.engine.answer_request(&caller.0, &begun, status, kept).await {
        // The caller has the answer; who asks again is told that it is not known.
        tracing::error!(error = chain(&error), "the answer to a request with a key was not written down");
    }
    drop(place);
    Response::from_parts(parts, Body::from(body))
}

/// Answers a request that was begun before.
fn again(before: KeyedRequest, under_way: bool) -> Result<Response, ApiError> {
    let not_kept = |status, why| Err(refused(KeyRefusal::NotKept { status, why }));
    match before.state {
        RequestState::Begun if under_way => Err(in_use()),
        RequestState::Begun => Err(refused(KeyRefusal::Unanswered(before.begun))),
        RequestState::Answered { status, answer } => match answer {
            KeptAnswer::Whole { media, body } => Ok(replayed(status, media, body.into())),
            KeptAnswer::Secret => not_kept(status, "its answer held a secret, which is shown once"),
            KeptAnswer::Long => not_kept(status, "its answer was too long to be kept"),
            KeptAnswer::Erased => {
                not_kept(status, "its answer was erased together with what is known of somebody")
            }
        },
    }
}

fn replayed(status: u16, media: Option<String>, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(media) = media.and_then(|media| HeaderValue::from_str(&media).ok()) {
        response.headers_mut().insert(header::CONTENT_TYPE, media);
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

fn refused(refusal: KeyRefusal) -> ApiError {
    Problem::from(refusal).into()
}

fn in_use() -> ApiError {
    Problem::new(
        409,
        "idempotency-key-in-use",
        "the request with this key is under way; its answer is not there yet",
    )
    .into()
}

/// The key of a request, if it has one.
fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut all = headers.get_all(HEADER).iter();
    let Some(value) = all.next() else { return Ok(None) };
    let bad = || {
        let detail = format!(
            "`Idempotency-Key` is one key of 1 to {LONGEST} letters, digits and signs, in quotes or without"
        );
        malformed(detail)
    };
    let text = value.to_str().ok().filter(|_| all.next().is_none()).ok_or_else(bad)?;
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let sign = |byte: u8| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~');
    let good = |key: &str| (1..=LONGEST).contains(&key.len()) && key.bytes().all(sign);
    match quoted {
        Some(key) if good(key) => Ok(Some(key.to_owned())),
        // Two keys in one header are none.
        None if good(text) && !text.contains(',') => Ok(Some(text.to_owned())),
        Some(_) | None => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_word_in_quotes_or_without() {
        let check = |values: &[&[u8]], expect: Result<Option<&str>, ()>| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(HEADER, HeaderValue::from_bytes(value).unwrap());
            }
            let got = key(&headers).map_err(|_| ());
            assert_eq!(got.as_ref().map(Option::as_deref), expect.as_ref().map(|key| *key));
        };
        check(&[], Ok(None));
        check(&[b"\"8e03978e-40d5\""], Ok(Some("8e03978e-40d5")));
        check(&[b"8e03978e-40d5"], Ok(Some("8e03978e-40d5")));
        check(&[b"\"a,b\""], Ok(Some("a,b")));
        check(&[b"a,b"], Err(()));
        check(&[b"a", b"b"], Err(()));
        check(&[b""], Err(()));
        check(&[b"\"\""], Err(()));
        check(&[b"\"a"], Err(()));
        check(&[b"a b"], Err(()));
        check(&[b"a\\b"], Err(()));
        check(&[b"\xff"], Err(()));
        check(&["x".repeat(128).as_bytes()], Ok(Some(&"x".repeat(128))));
        check(&["x".repeat(129).as_bytes()], Err(()));
    }
}
