//! Every request has an id: the one that it came with, if that is a short word, or a new one. It is answered with, and
//! what is logged of the request names it, so that one line leads to the other. The trace that a request says it is a part of
//! is gone on with, if it says so to the letter of the standard.

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use tracing::Instrument as _;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::Hub;

const ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken over, letters.
const LONGEST: usize = 64;
/// The longest that a decision is answered with, letters.
const LONGEST_SAID: usize = 256;
const PARENT: HeaderName = HeaderName::from_static("traceparent");
/// How long a parent is in the version that is known, letters; a later one may go on after it (Trace Context §3.2.4).
const PARENT_LENGTH: usize = 55;

/// Gives it one.
pub async fn identify(State(hub): State<Hub>, request: Request, next: Next) -> Response {
    let id = request.headers().get(&ID).filter(|id| is_word(id)).cloned().unwrap_or_else(|| fresh(&hub));
    // The path may name people; the route does not, and says enough with the id.
    let said = said(&request);
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let span = tracing::info_span!(
        "request",
        id = id.to_str().unwrap_or_default(),
        method = %request.method(),
        route,
        status = tracing::field::Empty,
    );
    if let Some(parent) = parent(request.headers()) {
        // Without a collector there are no traces, and nothing to go on with.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
    let mut response = next.run(request).instrument(span.clone()).await;
    span.record("status", response.status().as_u16());
    response.headers_mut().insert(ID, said.unwrap_or(id));
    response
}

/// Whoever asks for a decision is answered with the very id that it came with (AuthZEN 1.0), within reason; what is
/// logged is a word all the same.
fn said(request: &Request) -> Option<HeaderValue> {
    let asks = request.uri().path().starts_with(crate::authzen::BASE);
    let visible = |id: &&HeaderValue| {
        let plain = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
        !id.is_empty() && id.len() <= LONGEST_SAID && id.as_bytes().iter().all(plain)
    };
    request.headers().get(&ID).filter(|_| asks).filter(visible).cloned()
}

/// The span of whoever asks that a request is a part of (W3C Trace Context §3.2). Whether it is written down is not theirs to
/// say, or whoever has something to hide would say no; and what vendors add (`tracestate`) is left, as it may name anybody.
fn parent(headers: &HeaderMap) -> Option<SpanContext> {
    let mut all = headers.get_all(&PARENT).iter();
    let (Some(one), None) = (all.next(), all.next()) else { return None };
    let (known, more) = one.to_str().ok()?.split_at_checked(PARENT_LENGTH)?;
    let parts: Vec<&str> = known.split('-').collect();
    let [version, trace, span, flags] = parts[..] else { return None };
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let formed = |part: &str, length| part.len() == length && part.bytes().all(digit);
    let formed = formed(version, 2) && formed(trace, 32) && formed(span, 16) && formed(flags, 2);
    let ends = more.is_empty() || version != "00" && more.starts_with('-');
    if !formed || !ends || version == "ff" {
        return None;
    }
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let parent = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE);
    parent.is_valid().then_some(parent)
}

fn is_word(id: &HeaderValue) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !id.is_empty() && id.len() <= LONGEST && id.as_bytes().iter().all(letter)
}

fn fresh(hub: &Hub) -> HeaderValue {
    let random = u128::from_be_bytes(hub.engine.parts().entropy.salt());
    HeaderValue::from_str(&format!("{random:032x}")).unwrap_or(HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_short_word_is_taken_over() {
        for (text, taken) in [
            ("7f3c-a_1.b", true),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            ("ü", false),
            (&"x".repeat(64), true),
            (&"x".repeat(65), false),
        ] {
            assert_eq!(
                HeaderValue::from_bytes(text.as_bytes()).is_ok_and(|id| is_word(&id)),
                taken,
                "{text}"
            );
        }
    }

    #[test]
    fn a_parent_is_one_to_the_letter_or_none() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let good = format!("00-{trace}-{span}-01");
        let check = |texts: &[&str], taken: bool| {
            let mut headers = HeaderMap::new();
            for text in texts {
                headers.append(PARENT, text.parse().unwrap());
            }
            let found = parent(&headers);
            let ids = found.as_ref().map(|found| (found.trace_id().to_string(), found.span_id().to_string()));
            assert_eq!(ids, taken.then(|| (trace.to_owned(), span.to_owned())), "{texts:?}");
            assert!(found.is_none_or(|found| found.is_sampled() && found.is_remote()), "{texts:?}");
        };
        check(&[&good], true);
        // Nobody says that nothing is to be written down of what they do.
        check(&[&format!("00-{trace}-{span}-00")], true);
        check(&[&format!("cc-{trace}-{span}-01-what-a-later-version-adds")], true);
        check(&[], false);
        check(&[&good, &good], false);
        for wrong in [
            String::new(),
            good.to_uppercase(),
            format!(" {good} x"),
            format!("{good}-more"),
            format!("{good}0"),
            format!("cc-{trace}-{span}-01more"),
            format!("ff-{trace}-{span}-01"),
            format!("0-{trace}-{span}-01"),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-+{}-{span}-01", &trace[1..]),
            format!("00-{}-{span}-011", &trace[1..]),
            format!("00-{trace}-{span}-zz"),
            format!("00-{trace}-{span}"),
            format!("00_{trace}_{span}_01"),
        ] {
            check(&[&wrong], false);
        }
    }
}
