//! Pages of a list: by index (RFC 7644 §3.4.2.4) and by cursor (RFC 9865).
//!
//! Resources are ordered by id. An index page is a slice of the list as it is now, so a list that changes between
//! pages can repeat or skip; a cursor resumes after the last id it gave and never does. A cursor says whose
//! query it belongs to and when it was made, and grants nothing: the token is checked on every page.

use serde_json::{Map, Value, json};

use crate::{Paging, exchange::Call, mint, refusal::Refusal, system::System};

/// How long a cursor lives, in seconds of the lab's clock.
pub(crate) const CURSOR_TIMEOUT_S: i64 = 3_600;

/// What a list request asks for.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pub(crate) filter: Option<String>,
    pub(crate) attributes: Option<String>,
    pub(crate) excluded: Option<String>,
    start_index: Option<String>,
    count: Option<String>,
    cursor: Option<String>,
}

impl Query {
    /// From the query of a GET.
    pub(crate) fn of(call: &Call) -> Self {
        let parameter = |name| call.parameter(name).map(str::to_owned);
        Self {
            filter: parameter("filter"),
            attributes: parameter("attributes"),
            excluded: parameter("excludedAttributes"),
            start_index: parameter("startIndex"),
            count: parameter("count"),
            cursor: parameter("cursor"),
        }
    }

    /// From a `SearchRequest` body (RFC 7644 §3.4.3).
    pub(crate) fn search(body: &[u8]) -> Result<Self, Refusal> {
        let body = super::document::object(body, "urn:ietf:params:scim:api:messages:2.0:SearchRequest")?;
        let text = |name: &str| match super::document::entry(&body, name) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            Some(Value::Array(names)) => {
                Some(names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","))
            }
            _ => None,
        };
        Ok(Self {
            filter: text("filter"),
            attributes: text("attributes"),
            excluded: text("excludedAttributes"),
            start_index: text("startIndex"),
            count: text("count"),
            cursor: text("cursor"),
        })
    }

    /// How many to give: what is asked for, between 0 and `max`. The error is the text that is no number.
    fn count(&self, max: usize) -> Result<usize, String> {
        let Some(text) = self.count.as_deref() else { return Ok(max) };
        let count = text.parse::<i64>().map_err(|_| text.to_owned())?;
        Ok(usize::try_from(count.max(0)).unwrap_or(usize::MAX).min(max))
    }

    fn print(&self, seed: u64, endpoint: &str) -> u64 {
        let filter = self.filter.as_deref().unwrap_or_default();
        let attributes = self.attributes.as_deref().unwrap_or_default();
        let excluded = self.excluded.as_deref().unwrap_or_default();
        mint::fingerprint(
            seed,
            &[endpoint.as_bytes(), filter.as_bytes(), attributes.as_bytes(), excluded.as_bytes()],
        )
    }
}

/// A page: which of the matching ids, and the envelope's members around them.
pub(crate) struct Page<'a> {
    pub(crate) ids: &'a [&'a str],
    pub(crate) envelope: Map<String, Value>,
}

/// Cuts the page that a query asks for out of the ids that match it, in order.
pub(crate) fn cut<'a>(
    system: &System,
    endpoint: &str,
    query: &Query,
    ids: &'a [&'a str],
    now: i64,
) -> Result<Page<'a>, Refusal> {
    let by_cursor = match (system.spec.paging, &query.cursor) {
        (Paging::Cursor, _) | (Paging::Both, Some(_)) => true,
        (Paging::Index, _) | (Paging::Both, None) => false,
    };
    let max = system.spec.max_page;
    let mut envelope = Map::new();
    envelope.insert("schemas".into(), json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));
    envelope.insert("totalResults".into(), ids.len().into());
    let page = if by_cursor {
        if query.start_index.is_some() {
            return Err(Refusal::InvalidValue("give `cursor` or `startIndex`, not both".into()));
        }
        let count = query.count(max).map_err(Refusal::InvalidCount)?;
        let print = query.print(system.spec.seed, endpoint);
        let first = match query.cursor.as_deref().filter(|cursor| !cursor.is_empty()) {
            None => 0,
            Some(cursor) => {
                let after = read_cursor(cursor, print, now)?;
                ids.partition_point(|id| *id <= after)
            }
        };
        let page = &ids[first..(first + count).min(ids.len())];
        if let Some(last) = page.last().filter(|_| first + page.len() < ids.len()) {
            envelope.insert("nextCursor".into(), write_cursor(last, print, now).into());
        }
        page
    } else {
        let invalid = |text| Refusal::InvalidValue(format!("`count` `{text}` is not a number"));
        let count = query.count(max).map_err(invalid)?;
        let start = match query.start_index.as_deref().map(str::parse::<i64>) {
            None => 1,
            Some(Ok(start)) => usize::try_from(start.max(1)).unwrap_or(usize::MAX),
            Some(Err(_)) => return Err(Refusal::InvalidValue("`startIndex` is not a number".into())),
        };
        let first = (start - 1).min(ids.len());
        let page = &ids[first..first.saturating_add(count).min(ids.len())];
        envelope.insert("startIndex".into(), start.into());
        page
    };
    envelope.insert("itemsPerPage".into(), page.len().into());
    Ok(Page { ids: page, envelope })
}

/// Hex digits and dots: all within RFC 3986 `unreserved`.
fn write_cursor(last: &str, print: u64, now: i64) -> String {
    let seal = mint::fingerprint(print, &[last.as_bytes(), &now.to_be_bytes()]);
    format!("{now:x}.{seal:016x}.{last}")
}

fn read_cursor(cursor: &str, print: u64, now: i64) -> Result<&str, Refusal> {
    let mut parts = cursor.splitn(3, '.');
    let (Some(made), Some(seal), Some(last)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Refusal::InvalidCursor);
    };
    let made = i64::from_str_radix(made, 16).map_err(|_| Refusal::InvalidCursor)?;
    if seal != format!("{:016x}", mint::fingerprint(print, &[last.as_bytes(), &made.to_be_bytes()])) {
        return Err(Refusal::InvalidCursor);
    }
    match now - made > CURSOR_TIMEOUT_S * 1_000 {
        true => Err(Refusal::ExpiredCursor),
        false => Ok(last),
    }
}
