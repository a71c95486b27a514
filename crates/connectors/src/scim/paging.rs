//! Where a listing stands between pages, as the opaque text that the caller hands back, and when a
//! listing is over.
//!
//! Every listing ends: a server that repeats a page, gives a cursor back that it was given, or empty
//! pages without end is left, and the listing is not complete. Whether it was complete is decided over
//! all pages: the total must not move, and as many as the total must have come.
//! Absent on purpose: a memory of every id. A list by index that changes while it is read can repeat or
//! skip; its total tells most of the time, and where it matters there are cursors (RFC 9865 §1).

use std::str::FromStr;

use bailiwick_connector::{ConnectorError, ErrorKind, Page};
use bailiwick_core::digest::Digest;

use super::decode::PageInfo;

/// Empty pages in a row after which a cursor is not followed any further.
const MAX_EMPTY: u8 = 3;
/// Nobody has this many accounts; a server that shows more is going round in circles.
const MAX_SEEN: u64 = 100_000_000;

/// How the server is asked for the next page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Index,
    Cursor,
}

/// Where a listing stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    method: Method,
    /// The same for all pages: a server may refuse a cursor that comes with another (RFC 9865 §2.1).
    size: u32,
    seen: u64,
    total: Option<u64>,
    /// Fingerprint of the first id of the page before.
    first: Option<String>,
    empty: u8,
    whole: bool,
    /// The server's cursor.
    token: String,
}

/// What to do with a page that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Whether its objects were not shown before.
    pub(super) fresh: bool,
    /// Where the listing stands after it.
    pub(super) page: Page,
}

impl Place {
    /// The beginning of a listing.
    pub(super) fn start(method: Method, size: u32) -> Self {
        let (first, token) = (None, String::new());
        Self { method, size: size.max(1), seen: 0, total: None, first, empty: 0, whole: true, token }
    }

    /// The query that asks for the page that begins here.
    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        let count = ("count", self.size.to_string());
        match self.method {
            Method::Index => vec![("startIndex", (self.seen + 1).to_string()), count],
            Method::Cursor => vec![("cursor", self.token.clone()), count],
        }
    }

    /// What to do with the page that came, before its objects are shown.
    pub(super) fn judge(&self, info: &PageInfo) -> Verdict {
        let print = info.first.as_ref().map(|id| Digest::of(id.as_bytes()).short());
        let over = |whole| Page { next: None, complete: whole };
        if print.is_some() && print == self.first {
            return Verdict { fresh: false, page: over(false) };
        }
        let moved = matches!((self.total, info.total), (Some(before), Some(now)) if before != now);
        let mut next = Self { whole: self.whole && !moved, total: info.total.or(self.total), ..self.clone() };
        next.seen += info.resources;
        next.first = print.or(next.first);
        next.empty = if info.resources == 0 { self.empty + 1 } else { 0 };
        let whole = next.whole && next.total.is_none_or(|total| total == next.seen);
        let page = match (self.method, &info.next_cursor) {
            _ if next.seen > MAX_SEEN => over(false),
            (Method::Index, _) => {
                let reached = next.total.is_some_and(|total| next.seen >= total);
                match reached || info.resources == 0 {
                    true => over(whole),
                    false => next.goes_on(),
                }
            }
            (Method::Cursor, None) => over(whole),
            (Method::Cursor, Some(token)) if *token == self.token || next.empty > MAX_EMPTY => over(false),
            (Method::Cursor, Some(token)) => {
                next.token.clone_from(token);
                next.goes_on()
            }
        };
        Verdict { fresh: true, page }
    }

    /// The same for a page of which some objects could not be read.
    pub(super) fn unreadable(page: Page) -> Page {
        let next = page
            .next
            .and_then(|text| text.parse::<Self>().ok())
            .map(|place| Self { whole: false, ..place }.text());
        Page { next, complete: false }
    }

    fn goes_on(self) -> Page {
        Page { complete: self.whole, next: Some(self.text()) }
    }

    fn text(&self) -> String {
        let Self { method, size, seen, total, first, empty, whole, token } = self;
        let method = match method {
            Method::Index => 'i',
            Method::Cursor => 'c',
        };
        let total = total.map(|total| total.to_string()).unwrap_or_default();
        let first = first.as_deref().unwrap_or_default();
        format!("{method}.{size}.{seen}.{total}.{first}.{empty}.{}.{token}", u8::from(*whole))
    }
}

impl FromStr for Place {
    type Err = ConnectorError;

    fn from_str(text: &str) -> Result<Self, ConnectorError> {
        let bad =
            || ConnectorError::none(ErrorKind::Invalid, format!("`{text}` is not a cursor of this listing"));
        let parts: Vec<&str> = text.splitn(8, '.').collect();
        let [method, size, seen, total, first, empty, whole, token] = parts[..] else { return Err(bad()) };
        let method = match method {
            "i" => Method::Index,
            "c" => Method::Cursor,
            _ => return Err(bad()),
        };
        Ok(Self {
            method,
            size: size.parse().map_err(|_| bad())?,
            seen: seen.parse().map_err(|_| bad())?,
            total: (!total.is_empty()).then(|| total.parse()).transpose().map_err(|_| bad())?,
            first: (!first.is_empty()).then(|| first.to_owned()),
            empty: empty.parse().map_err(|_| bad())?,
            whole: whole == "1",
            token: token.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page: how many, the first id, the total, the next cursor.
    type Shown = (u64, &'static str, Option<u64>, Option<&'static str>);

    /// Walks a scripted server; gives how many were shown as fresh on each page, and whether the end was
    /// complete. Fails if the script is over before the listing is.
    fn walk(method: Method, script: &[Shown]) -> (Vec<u64>, bool) {
        let mut place = Place::start(method, 2);
        let mut fresh = Vec::new();
        for (resources, first, total, cursor) in script {
            let info = PageInfo {
                resources: *resources,
                unreadable: 0,
                total: *total,
                next_cursor: cursor.map(str::to_owned),
                first: (*resources > 0).then(|| (*first).to_owned()),
            };
            let verdict = place.judge(&info);
            fresh.extend(verdict.fresh.then_some(*resources));
            match verdict.page.next {
                Some(next) => {
                    place = next.parse().unwrap();
                    assert_eq!(place.text(), next);
                }
                None => return (fresh, verdict.page.complete),
            }
        }
        panic!("the listing goes on after {script:?}");
    }

    #[test]
    fn a_listing_by_index_ends_and_knows_whether_it_was_complete() {
        let t = |total| Some(total);
        for (what, script, fresh, complete) in [
            ("empty", &[(0, "", t(0), None)][..], &[0][..], true),
            ("one page", &[(2, "a", t(2), None)], &[2], true),
            (
                "three pages",
                &[(2, "a", t(5), None), (2, "c", t(5), None), (1, "e", t(5), None)],
                &[2, 2, 1],
                true,
            ),
            ("count ignored, all at once", &[(5, "a", t(5), None)], &[5], true),
            ("fewer than asked", &[(1, "a", t(2), None), (1, "b", t(2), None)], &[1, 1], true),
            (
                "no total",
                &[(2, "a", None, None), (1, "c", None, None), (0, "", None, None)],
                &[2, 1, 0],
                true,
            ),
            ("start ignored", &[(2, "a", t(5), None), (2, "a", t(5), None)], &[2], false),
            ("total shrinks", &[(2, "a", t(5), None), (2, "c", t(4), None)], &[2, 2], false),
            ("total grows", &[(2, "a", t(3), None), (2, "c", t(4), None)], &[2, 2], false),
            ("stops short", &[(2, "a", t(5), None), (0, "", t(5), None)], &[2, 0], false),
            ("more than the total", &[(2, "a", t(3), None), (2, "c", t(3), None)], &[2, 2], false),
            ("total without resources", &[(0, "", t(9), None)], &[0], false),
        ] {
            assert_eq!(walk(Method::Index, script), (fresh.to_vec(), complete), "{what}");
        }
    }

    #[test]
    fn a_listing_by_cursor_ends_and_knows_whether_it_was_complete() {
        let (t, c) = (|total| Some(total), |cursor| Some(cursor));
        for (what, script, fresh, complete) in [
            ("one page", &[(2, "a", t(2), None)][..], &[2][..], true),
            ("two pages", &[(2, "a", t(3), c("x.y")), (1, "c", t(3), None)], &[2, 1], true),
            ("no total", &[(2, "a", None, c("x")), (1, "c", None, None)], &[2, 1], true),
            (
                "an empty page between",
                &[(2, "a", t(3), c("x")), (0, "", t(3), c("y")), (1, "c", t(3), None)],
                &[2, 0, 1],
                true,
            ),
            ("an empty page at the end", &[(2, "a", t(2), c("x")), (0, "", t(2), None)], &[2, 0], true),
            ("the same cursor again", &[(2, "a", t(9), c("x")), (2, "c", t(9), c("x"))], &[2, 2], false),
            ("the same page again", &[(2, "a", t(9), c("x")), (2, "a", t(9), c("y"))], &[2], false),
            ("stops short", &[(2, "a", t(9), c("x")), (1, "c", t(9), None)], &[2, 1], false),
            (
                "empty pages without end",
                &[(0, "", None, c("a")), (0, "", None, c("b")), (0, "", None, c("c")), (0, "", None, c("d"))],
                &[0, 0, 0, 0],
                false,
            ),
        ] {
            assert_eq!(walk(Method::Cursor, script), (fresh.to_vec(), complete), "{what}");
        }
    }

    #[test]
    fn what_could_not_be_read_stays_missing_to_the_end() {
        let info = PageInfo { resources: 2, total: Some(3), first: Some("a".into()), ..PageInfo::default() };
        let page = Place::unreadable(Place::start(Method::Index, 2).judge(&info).page);
        assert!(!page.complete);
        let place: Place = page.next.unwrap().parse().unwrap();
        let last = PageInfo { resources: 1, total: Some(3), first: Some("c".into()), ..PageInfo::default() };
        assert_eq!(place.judge(&last).page, Page { next: None, complete: false });
    }

    #[test]
    fn a_cursor_that_is_not_ours_is_refused() {
        for text in ["", "i", "x.1.2.3.4.5.6.7", "i.a.0...0.1.", "i.2.0.x..0.1."] {
            assert_eq!(text.parse::<Place>().unwrap_err().kind, ErrorKind::Invalid, "{text}");
        }
    }
}
