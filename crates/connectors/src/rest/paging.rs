//! Where a listing stands between pages, as the opaque text that the caller hands back, and when it is over.
//!
//! Every listing ends: a server that repeats a page, gives a cursor back that it was given, or empty pages
//! without end is left, and the listing is not complete. A page that is shorter than asked is not the last one,
//! because servers have limits that they do not mention; an empty one is. Where the system says how many there
//! are, the total must not move, and as many must have come.

use bailiwick_connector::{ConnectorError, ErrorKind, Page, Result};
use bailiwick_core::digest::Digest;
use serde::{Deserialize, Serialize};

use super::description::Paging;

/// Empty pages in a row after which a cursor or link is not followed any further.
const MAX_EMPTY: u8 = 3;
/// Nobody has this many; a server that shows more is going round in circles.
const MAX_SEEN: u64 = 100_000_000;

/// Where a listing stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    size: u32,
    pages: u64,
    seen: u64,
    total: Option<u64>,
    /// Fingerprint of the first item of the page before.
    first: Option<String>,
    empty: u8,
    whole: bool,
    /// The server's cursor, or the query of its link.
    token: Option<String>,
}

/// What came with a page.
#[derive(Debug, Clone, Default)]
pub(super) struct Came {
    /// How many items.
    pub(super) items: u64,
    /// The first of them, in full.
    pub(super) first: Option<String>,
    pub(super) total: Option<u64>,
    /// The server's cursor, or the query of its link.
    pub(super) next: Option<String>,
    /// Whether the server says that it cut the list off here.
    pub(super) cut: bool,
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
    pub(super) fn start(size: u32) -> Self {
        let (total, first, token) = (None, None, None);
        Self { size: size.max(1), pages: 0, seen: 0, total, first, empty: 0, whole: true, token }
    }

    /// Where the text says.
    ///
    /// # Errors
    /// `Invalid` for a text that is not ours.
    pub(super) fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|_| {
            ConnectorError::none(ErrorKind::Invalid, format!("`{text}` is not a cursor of this listing"))
        })
    }

    /// The parameters that ask for the page that begins here; a later one of the same name counts.
    pub(super) fn query(&self, paging: &Paging) -> Vec<(String, String)> {
        let mut query = Vec::new();
        let size = match paging {
            Paging::None => None,
            Paging::Page { size, .. }
            | Paging::Offset { size, .. }
            | Paging::Cursor { size, .. }
            | Paging::Link { size, .. } => size.as_ref(),
        };
        query.extend(size.map(|name| (name.clone(), self.size.to_string())));
        match (paging, &self.token) {
            (Paging::Page { page, first, .. }, _) => {
                query.push((page.clone(), (first + self.pages).to_string()))
            }
            (Paging::Offset { offset, .. }, _) => query.push((offset.clone(), self.seen.to_string())),
            (Paging::Cursor { cursor, .. }, Some(token)) => query.push((cursor.clone(), token.clone())),
            (Paging::Link { .. }, Some(token)) => query.extend(pairs(token)),
            (Paging::None | Paging::Cursor { .. } | Paging::Link { .. }, _) => {}
        }
        query
    }

    /// What to do with the page that came, before its objects are shown.
    pub(super) fn judge(&self, paging: &Paging, came: &Came) -> Verdict {
        let print = came.first.as_ref().map(|first| Digest::of(first.as_bytes()).short());
        let over = |whole| Page { next: None, complete: whole };
        if print.is_some() && print == self.first {
            return Verdict { fresh: false, page: over(false) };
        }
        let moved = matches!((self.total, came.total), (Some(before), Some(now)) if before != now);
        let mut next = Self { whole: self.whole && !moved, total: came.total.or(self.total), ..self.clone() };
        next.pages += 1;
        next.seen += came.items;
        next.first = print.or(next.first);
        next.empty = if came.items == 0 { self.empty + 1 } else { 0 };
        let whole = next.whole && !came.cut && next.total.is_none_or(|total| total == next.seen);
        let page = match paging {
            _ if next.seen > MAX_SEEN => over(false),
            Paging::None => over(whole),
            Paging::Page { .. } | Paging::Offset { .. } => {
                let reached = next.total.is_some_and(|total| next.seen >= total);
                if reached || came.items == 0 { over(whole) } else { next.goes_on() }
            }
            Paging::Cursor { .. } | Paging::Link { .. } => match &came.next {
                None => over(whole),
                same if *same == self.token || next.empty > MAX_EMPTY => over(false),
                token => {
                    next.token.clone_from(token);
                    next.goes_on()
                }
            },
        };
        Verdict { fresh: true, page }
    }

    /// The same for a page of which some items could not be read.
    pub(super) fn unreadable(page: Page) -> Page {
        let place = page.next.and_then(|text| Self::parse(&text).ok());
        Page { next: place.map(|place| Self { whole: false, ..place }.text()), complete: false }
    }

    fn goes_on(self) -> Page {
        Page { complete: self.whole, next: Some(self.text()) }
    }

    fn text(&self) -> String {
        // Numbers, flags and texts always have a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The parameters in a query, decoded.
fn pairs(query: &str) -> Vec<(String, String)> {
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (decoded(name), decoded(value))
    };
    query.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|two| std::str::from_utf8(two).ok());
        let code = hex.filter(|_| *byte == b'%').and_then(|two| u8::from_str_radix(two, 16).ok());
        at += if code.is_some() { 3 } else { 1 };
        out.push(code.unwrap_or(if *byte == b'+' { b' ' } else { *byte }));
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The address with the relation `next` in a `Link` header (RFC 8288 §3).
pub(super) fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let (address, after) = after.split_once('>')?;
        let parameters = &after[..after.find('<').unwrap_or(after.len())];
        let next = parameters.split(';').any(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel")
                && value.split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case("next"))
        });
        if next {
            return Some(address);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paging(text: serde_json::Value) -> Paging {
        serde_json::from_value(text).unwrap()
    }

    /// A page: how many, the first, the total, the next cursor.
    type Shown = (u64, &'static str, Option<u64>, Option<&'static str>);

    /// Walks a scripted server; gives how many were shown as fresh on each page, and whether it was complete.
    fn walk(paging: &Paging, script: &[Shown]) -> (Vec<u64>, bool) {
        let mut place = Place::start(2);
        let mut fresh = Vec::new();
        for (items, first, total, next) in script {
            let came = Came {
                items: *items,
                first: (*items > 0).then(|| (*first).to_owned()),
                total: *total,
                next: next.map(str::to_owned),
                cut: false,
            };
            let verdict = place.judge(paging, &came);
            fresh.extend(verdict.fresh.then_some(*items));
            match verdict.page.next {
                Some(next) => place = Place::parse(&next).unwrap(),
                None => return (fresh, verdict.page.complete),
            }
        }
        panic!("the listing goes on after {script:?}");
    }

    #[test]
    fn a_listing_ends_and_knows_whether_it_was_complete() {
        let page = paging(json!({"style": "page", "page": "p", "size": "s"}));
        let offset = paging(json!({"style": "offset", "offset": "o"}));
        let (t, c) = (|total| Some(total), |cursor| Some(cursor));
        for paging in [&page, &offset] {
            for (what, script, fresh, complete) in [
                ("empty", &[(0, "", None, None)][..], &[0][..], true),
                (
                    "one short page is not the end",
                    &[(1, "a", None, None), (0, "", None, None)],
                    &[1, 0],
                    true,
                ),
                ("a total is believed", &[(2, "a", t(3), None), (1, "c", t(3), None)], &[2, 1], true),
                ("it stops short", &[(2, "a", t(5), None), (0, "", t(5), None)], &[2, 0], false),
                ("the total moves", &[(2, "a", t(5), None), (2, "c", t(4), None)], &[2, 2], false),
                ("the parameter is ignored", &[(2, "a", None, None), (2, "a", None, None)], &[2], false),
            ] {
                assert_eq!(walk(paging, script), (fresh.to_vec(), complete), "{what}");
            }
        }
        let cursor = paging(json!({"style": "cursor", "cursor": "c", "next": "/next"}));
        let link = paging(json!({"style": "link"}));
        for paging in [&cursor, &link] {
            for (what, script, fresh, complete) in [
                ("one page", &[(2, "a", None, None)][..], &[2][..], true),
                ("two pages", &[(2, "a", t(3), c("x")), (1, "c", t(3), None)], &[2, 1], true),
                ("the same cursor again", &[(2, "a", None, c("x")), (2, "c", None, c("x"))], &[2, 2], false),
                ("the same page again", &[(2, "a", None, c("x")), (2, "a", None, c("y"))], &[2], false),
                (
                    "empty pages without end",
                    &[
                        (0, "", None, c("a")),
                        (0, "", None, c("b")),
                        (0, "", None, c("c")),
                        (0, "", None, c("d")),
                    ],
                    &[0, 0, 0, 0],
                    false,
                ),
            ] {
                assert_eq!(walk(paging, script), (fresh.to_vec(), complete), "{what}");
            }
        }
    }

    #[test]
    fn what_could_not_be_read_or_was_cut_off_stays_missing_to_the_end() {
        let cursor = paging(json!({"style": "cursor", "cursor": "c", "next": "/next"}));
        let first = Came { items: 2, first: Some("a".into()), next: Some("x".into()), ..Came::default() };
        let page = Place::unreadable(Place::start(2).judge(&cursor, &first).page);
        let place = Place::parse(&page.next.unwrap()).unwrap();
        let last = Came { items: 1, first: Some("c".into()), ..Came::default() };
        assert_eq!(place.judge(&cursor, &last).page, Page { next: None, complete: false });
        let cut = Came { cut: true, ..last };
        assert!(!Place::start(2).judge(&Paging::None, &cut).page.complete);
        assert_eq!(Place::parse("x").unwrap_err().kind, ErrorKind::Invalid);
    }

    #[test]
    fn a_link_header_says_where_the_next_page_is() {
        for (header, expect) in [
            (
                "<https://a/x?page=2>; rel=\"next\", <https://a/x?page=9>; rel=\"last\"",
                Some("https://a/x?page=2"),
            ),
            (
                "<https://a/x?page=1>; rel=\"prev\",<https://a/x?page=3>; title=\"a,b\"; rel=next",
                Some("https://a/x?page=3"),
            ),
            ("</x?c=1>; rel=\"prefetch NEXT\"", Some("/x?c=1")),
            ("<https://a/x>; rel=\"nextish\"", None),
            ("https://a/x; rel=next", None),
            ("<https://a/x", None),
            ("", None),
        ] {
            assert_eq!(next_link(header), expect, "{header}");
        }
        assert_eq!(
            pairs("a=1&b%5B%5D=x+y&c"),
            [("a", "1"), ("b[]", "x y"), ("c", "")].map(|(n, v)| (n.into(), v.into()))
        );
        assert_eq!(decoded("%zz%4"), "%zz%4");
    }
}
