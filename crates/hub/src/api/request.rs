//! Every request has an id: the one that it came with, if that is a short word, or a new one. It is answered with, and
//! what is logged of the request names it, so that one line leads to the other.

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::Instrument as _;

use super::Hub;

const ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken over, letters.
const LONGEST: usize = 64;
/// The longest that a decision is answered with, letters.
const LONGEST_SAID: usize = 256;

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
}
