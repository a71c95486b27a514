//! What every connector that speaks HTTP does in the same way: an id in a path, a wait that was asked for.

use std::time::Duration;

use bailiwick_connector::{Answer, ConnectorError, ErrorKind, Result};
use jiff::fmt::rfc2822::DateTimeParser;

/// A system that wants more patience than this says something else.
const MAX_WAIT: Duration = Duration::from_secs(24 * 3_600);

/// `Retry-After` in seconds or as a date (RFC 9110 §10.2.3), the latter relative to the answer's own
/// `Date`.
pub(crate) fn retry_after(answer: &Answer) -> Option<Duration> {
    let text = answer.header("retry-after")?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = |text: &str| DateTimeParser::new().parse_timestamp(text).ok();
            let seconds = date(text)?.as_second() - date(answer.header("date")?)?.as_second();
            Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
        }
    };
    Some(wait.min(MAX_WAIT))
}

/// An id as a path segment (RFC 3986 §3.3): everything but unreserved characters is encoded.
///
/// # Errors
/// `Invalid` for an id that no segment can carry safely: servers disagree about `/`, `.` and `..`.
pub(crate) fn segment(id: &str) -> Result<String> {
    if matches!(id, "" | "." | "..") || id.contains(['/', '\\', '\0']) {
        return Err(ConnectorError::none(
            ErrorKind::Invalid,
            format!("the id `{id}` cannot be part of a path"),
        ));
    }
    let mut encoded = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (headers, seconds) in [
            (&[("retry-after", "120")][..], Some(120)),
            (&[("retry-after", "99999999999999")], Some(86_400)),
            (&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), date], Some(30)),
            (&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), date], Some(0)),
            (&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")], None),
            (&[("retry-after", "soon")], None),
            (&[], None),
        ] {
            let owned = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            let answer = Answer { status: 429, headers: owned, body: Bytes::new() };
            assert_eq!(retry_after(&answer), seconds.map(Duration::from_secs), "{headers:?}");
        }
    }

    #[test]
    fn ids_keep_their_bytes_in_a_segment_or_are_refused() {
        for (id, expect) in
            [("aZ9-._~", "aZ9-._~"), ("a b", "a%20b"), ("Ä%", "%C3%84%25"), ("a?b#c", "a%3Fb%23c")]
        {
            assert_eq!(segment(id).unwrap(), expect);
        }
        for id in ["", ".", "..", "a/b", "a\\b", "a\0b"] {
            assert_eq!(segment(id).unwrap_err().kind, ErrorKind::Invalid, "{id:?}");
        }
    }
}
