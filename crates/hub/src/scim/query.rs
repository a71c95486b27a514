//! What is asked for of a list: from the query of a GET, or the body of a POST to `.search` (RFC 7644 §3.4.2, §3.4.3;
//! cursors: RFC 9865 §2).

use bailiwick_core::{digest::Digest, id::SourceName};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{
    fault::{Fault, Result, Wrong},
    json::take,
    path::each,
};

/// The length of a page when none is asked for.
pub const LENGTH: u32 = 100;
/// The longest page.
pub const LONGEST: u32 = 1_000;
/// Hexadecimal digits of what a cursor is bound to.
const BOUND: usize = 24;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub filter: Option<String>,
    pub attributes: Option<String>,
    pub excluded: Option<String>,
    pub sort_by: Option<String>,
    pub descending: bool,
    pub page: Page,
}

/// Which part of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// From the `start`th, which is at least 1.
    Index { start: u32, count: u32 },
    /// After what the cursor says; at the beginning without one.
    Cursor { cursor: Option<String>, count: u32 },
}

impl Query {
    /// Reads the parameters of a query; others are somebody else's.
    ///
    /// # Errors
    /// When a parameter is given twice or cannot be read.
    pub fn of_pairs(pairs: Vec<(String, String)>) -> Result<Self> {
        let mut given = Map::new();
        for (name, value) in pairs {
            if given.insert(name.clone(), Value::String(value)).is_some() {
                let detail = format!("`{}` is given twice", super::path::shown(&name));
                return Err(Fault::new(Wrong::Value, detail));
            }
        }
        Self::read(given)
    }

    /// Reads the body of a search.
    ///
    /// # Errors
    /// When it is no search request.
    pub fn of_body(mut body: Map<String, Value>) -> Result<Self> {
        const URN: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
        let schemas = take(&mut body, "schemas");
        let names = |value: &Value| value.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(URN));
        if !schemas.iter().flat_map(each).any(names) {
            return Err(Fault::new(Wrong::Syntax, format!("`schemas` does not name `{URN}`")));
        }
        Self::read(body)
    }

    fn read(mut given: Map<String, Value>) -> Result<Self> {
        let mut text = |name: &str| match take(&mut given, name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Array(items)) => {
                let names: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
                let names =
                    names.ok_or_else(|| Fault::new(Wrong::Value, format!("`{name}` is a list of names")))?;
                Ok(Some(names.join(",")))
            }
            Some(Value::Bool(_) | Value::Object(_)) => {
                Err(Fault::new(Wrong::Value, format!("`{name}` is not what it can be")))
            }
        };
        let (filter, attributes, excluded) =
            (text("filter")?, text("attributes")?, text("excludedAttributes")?);
        let (sort_by, order) = (text("sortBy")?, text("sortOrder")?);
        let (start, count, cursor) = (text("startIndex")?, text("count")?, text("cursor")?);
        let descending = match order.map(|order| order.to_ascii_lowercase()).as_deref() {
            None | Some("ascending") => false,
            Some("descending") => true,
            Some(_) => {
                return Err(Fault::new(Wrong::Value, "`sortOrder` is `ascending` or `descending`"));
            }
        };
        let page = page(start.as_deref(), count.as_deref(), cursor)?;
        Ok(Self { filter, attributes, excluded, sort_by, descending, page })
    }

    /// What a cursor of this list is bound to: the same list of the same source.
    fn bound(&self, source: &SourceName, what: &str) -> String {
        let Self { filter, attributes, excluded, sort_by, descending, page: _ } = self;
        let of = Digest::of_value(&(
            "scim-cursor-v1",
            source,
            what,
            filter,
            attributes,
            excluded,
            sort_by,
            descending,
        ));
        of.to_string().chars().take(BOUND).collect()
    }

    /// The cursor after the resource with this id. It grants nothing: whose list it is is asked of the token.
    pub fn cursor(&self, source: &SourceName, what: &str, id: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}{id}", self.bound(source, what)))
    }

    /// The id that a cursor of this list says.
    ///
    /// # Errors
    /// `invalidCursor` for one of another list, or none.
    pub fn after(&self, source: &SourceName, what: &str, cursor: &str) -> Result<String> {
        let read = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let after = read.and_then(|text| text.strip_prefix(&self.bound(source, what)).map(str::to_owned));
        after.ok_or_else(|| {
            Fault::new(Wrong::Cursor, "this is no cursor of this list; begin again without one")
        })
    }
}

fn page(start: Option<&str>, count: Option<&str>, cursor: Option<String>) -> Result<Page> {
    let number = |text: Option<&str>, wrong| match text.map(str::parse::<i64>) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(Fault::new(wrong, "`startIndex` and `count` are whole numbers")),
    };
    let at_most = |number: i64, most: u32| u32::try_from(number.max(0)).unwrap_or(most).min(most);
    match cursor {
        Some(_) if start.is_some() => {
            Err(Fault::new(Wrong::Cursor, "a page is asked for by `cursor` or by `startIndex`, not by both"))
        }
        Some(cursor) => {
            let count = number(count, Wrong::Count)?.unwrap_or_else(|| LENGTH.into());
            if count < 0 {
                return Err(Fault::new(Wrong::Count, "`count` is not less than 0"));
            }
            let cursor = Some(cursor).filter(|cursor| !cursor.is_empty());
            Ok(Page::Cursor { cursor, count: at_most(count, LONGEST) })
        }
        None => {
            let start = number(start, Wrong::Value)?.unwrap_or(1).max(1);
            let count = number(count, Wrong::Value)?.map_or(LENGTH, |count| at_most(count, LONGEST));
            Ok(Page::Index { start: at_most(start, u32::MAX), count })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &[(&str, &str)]) -> Result<Query> {
        Query::of_pairs(query.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect())
    }

    #[test]
    fn a_page_is_asked_for_in_one_of_two_ways() {
        let check = |query: &[(&str, &str)], expect: Result<Page, &str>| {
            let got = read(query).map(|query| query.page).map_err(|fault| fault.code);
            assert_eq!(got, expect.map_err(str::to_owned), "{query:?}");
        };
        let index = |start, count| Ok(Page::Index { start, count });
        check(&[], index(1, 100));
        check(&[("startIndex", "0"), ("count", "-3")], index(1, 0));
        check(&[("STARTINDEX", "7"), ("count", "5000")], index(7, 1000));
        check(&[("startIndex", "99999999999"), ("count", "5")], index(u32::MAX, 5));
        check(&[("startIndex", "x")], Err("scim-value"));
        check(&[("cursor", ""), ("count", "3")], Ok(Page::Cursor { cursor: None, count: 3 }));
        check(&[("cursor", "abc")], Ok(Page::Cursor { cursor: Some("abc".into()), count: 100 }));
        check(&[("cursor", "abc"), ("startIndex", "1")], Err("scim-cursor"));
        check(&[("cursor", "abc"), ("count", "-1")], Err("scim-count"));
        check(&[("cursor", "abc"), ("count", "x")], Err("scim-count"));
        check(&[("filter", "a pr"), ("filter", "b pr")], Err("scim-value"));
        check(&[("sortOrder", "sideways")], Err("scim-value"));
    }

    #[test]
    fn a_cursor_is_of_one_list_of_one_source() {
        let source = |name: &str| SourceName::new(name).unwrap();
        let query = read(&[("filter", "userName pr"), ("cursor", "")]).unwrap();
        let cursor = query.cursor(&source("hr"), "User", "usr_7");
        assert!(cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)), "{cursor}");
        assert_eq!(query.after(&source("hr"), "User", &cursor).unwrap(), "usr_7");
        let other = read(&[("filter", "title pr"), ("cursor", "")]).unwrap();
        for (query, of, what, cursor) in [
            (&other, "hr", "User", cursor.as_str()),
            (&query, "agency", "User", &cursor),
            (&query, "hr", "Group", &cursor),
            (&query, "hr", "User", "x"),
            (&query, "hr", "User", "%%%"),
            (&query, "hr", "User", &cursor[4..]),
        ] {
            assert_eq!(query.after(&source(of), what, cursor).unwrap_err().code, "scim-cursor");
        }
    }
}
