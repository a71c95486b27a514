//! Tables: columns, rows of cells, and what every table can do: be looked through, sorted, and taken along as CSV.
//!
//! Promises: what is sorted is sorted whole, so a table of which only a page is shown offers no sorting. What leaves as CSV
//! is what was asked for, all of it, and no cell of it is a formula to a spreadsheet.

use std::{cmp::Ordering, fmt::Write as _};

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use bailiwick_core::time::Timestamp;
use serde::Deserialize;

use super::{
    show::{Badge, Moment},
    signed_in::encoded,
};

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A message, with its code.
    Message(String, String),
    /// Something that leads somewhere.
    Link(String, String),
    /// The same, with a second line of words.
    Titled(String, String, String),
    /// A word with a tone.
    Badge(Badge),
    /// A number.
    Number(i64),
    /// An instant, or why there is none.
    At(Option<Moment>, &'static str),
}

impl Cell {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Something that leads somewhere: the text, then the address.
    pub fn link(text: impl Into<String>, href: impl Into<String>) -> Self {
        Self::Link(text.into(), href.into())
    }

    /// An instant.
    pub fn at(at: Timestamp, now: Timestamp) -> Self {
        Self::At(Some(Moment { at, now }), "")
    }

    /// The plain text of it, for CSV and for looking through.
    fn plain(&self) -> String {
        match self {
            Self::Text(text) | Self::Link(text, _) => text.clone(),
            Self::Message(text, _) => text.clone(),
            Self::Titled(text, second, _) if second.is_empty() => text.clone(),
            Self::Titled(text, second, _) => format!("{text} ({second})"),
            Self::Badge(badge) => badge.text.clone(),
            Self::Number(number) => number.to_string(),
            Self::At(Some(moment), _) => format!("{:.0}", moment.at),
            Self::At(None, absent) => (*absent).to_owned(),
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.cmp(b),
            (Self::At(a, _), Self::At(b, _)) => a.map(|m| m.at).cmp(&b.map(|m| m.at)),
            _ => self.plain().to_lowercase().cmp(&other.plain().to_lowercase()),
        }
    }
}

/// What is asked of a table.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct View {
    /// The column to sort by, from 0.
    sort: Option<usize>,
    /// From the end.
    #[serde(default)]
    down: bool,
    /// Only rows with this in them.
    #[serde(default)]
    has: String,
    /// Which state, where there are several.
    #[serde(default)]
    pub state: String,
    /// Only what is after this.
    pub after: Option<String>,
    /// `csv`.
    #[serde(default)]
    format: String,
    /// What was just done, for the notice.
    #[serde(default)]
    pub done: String,
}

impl View {
    /// Whether everything is wanted, as a file.
    pub fn is_csv(&self) -> bool {
        self.format == "csv"
    }

    fn query(&self, change: impl FnOnce(&mut Self)) -> String {
        let mut wanted = Self { done: String::new(), ..self.clone() };
        change(&mut wanted);
        let mut out = String::from("?");
        let mut add = |name: &str, value: &str| {
            if !value.is_empty() {
                let _ = write!(out, "{}{name}={}", if out.len() > 1 { "&" } else { "" }, encoded(value));
            }
        };
        add("state", &wanted.state);
        add("has", &wanted.has);
        add("sort", &wanted.sort.map_or(String::new(), |column| column.to_string()));
        add("down", if wanted.down { "true" } else { "" });
        add("after", wanted.after.as_deref().unwrap_or_default());
        add("format", &wanted.format);
        out
    }
}

/// One heading as a page shows it.
pub struct Heading {
    /// The column.
    pub name: &'static str,
    /// Where sorting by it leads, if the table can be sorted.
    pub href: Option<String>,
    /// `ascending`, `descending`, or nothing.
    pub sorted: &'static str,
    /// Whether numbers are in it.
    pub number: bool,
}

/// A table as a page shows it.
pub struct Table {
    /// The headings.
    pub headings: Vec<Heading>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
    /// What is said when there is nothing, and what to do then.
    pub empty: (&'static str, &'static str),
    /// What rows are looked through for.
    pub has: String,
    /// The state that is looked at.
    pub state: String,
    /// The next page.
    pub next: Option<String>,
    /// The first page, when this is another one.
    pub first: Option<String>,
    /// The same as a file.
    pub csv: String,
    /// Whether all there is is here.
    pub whole: bool,
    columns: &'static [&'static str],
}

impl Table {
    /// A table of these rows; `next` is where the next page begins, if there is one.
    pub fn new(
        columns: &'static [&'static str],
        mut rows: Vec<Vec<Cell>>,
        next: Option<String>,
        view: &View,
        empty: (&'static str, &'static str),
    ) -> Self {
        let whole = next.is_none() && view.after.is_none();
        let sought = view.has.trim().to_lowercase();
        if !sought.is_empty() {
            rows.retain(|row| row.iter().any(|cell| cell.plain().to_lowercase().contains(&sought)));
        }
        let sort = view.sort.filter(|column| whole && *column < columns.len());
        if let Some(column) = sort {
            rows.sort_by(|a, b| {
                let order = a[column].order(&b[column]);
                if view.down { order.reverse() } else { order }
            });
        }
        let heading = |(column, name): (usize, &&'static str)| {
            let by = sort == Some(column);
            Heading {
                name,
                href: whole.then(|| view.query(|v| (v.sort, v.down) = (Some(column), by && !view.down))),
                sorted: match (by, view.down) {
                    (false, _) => "",
                    (true, false) => "ascending",
                    (true, true) => "descending",
                },
                number: rows.first().is_some_and(|row| matches!(row.get(column), Some(Cell::Number(_)))),
            }
        };
        Self {
            headings: columns.iter().enumerate().map(heading).collect(),
            next: next.map(|after| view.query(|v| v.after = Some(after))),
            first: view.after.is_some().then(|| view.query(|v| v.after = None)),
            csv: view.query(|v| (v.format, v.after) = ("csv".into(), None)),
            has: view.has.clone(),
            state: view.state.clone(),
            rows,
            empty,
            whole,
            columns,
        }
    }

    /// A short table on a page about something else: all of it, as it is.
    pub fn plain(
        columns: &'static [&'static str],
        rows: Vec<Vec<Cell>>,
        empty: (&'static str, &'static str),
    ) -> Self {
        let mut table = Self::new(columns, rows, None, &View::default(), empty);
        table.headings.iter_mut().for_each(|heading| heading.href = None);
        table
    }

    /// The table as a file (RFC 4180).
    pub fn download(&self, name: &str) -> Response {
        let mut text = String::new();
        let headings = self.columns.iter().map(|name| (*name).to_owned()).collect();
        for row in
            std::iter::once(headings).chain(self.rows.iter().map(|row| row.iter().map(Cell::plain).collect()))
        {
            let row: Vec<String> = row;
            text.push_str(&row.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(","));
            text.push_str("\r\n");
        }
        let headers = [
            (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
            (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.csv\"")),
        ];
        (headers, text).into_response()
    }
}

/// A cell of CSV; one that a spreadsheet would calculate begins with an apostrophe.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[&str] = &["name", "size"];

    fn rows() -> Vec<Vec<Cell>> {
        [("b", 10), ("C", 9), ("a", 100)]
            .map(|(name, size)| vec![Cell::text(name), Cell::Number(size)])
            .into()
    }

    fn names(table: &Table) -> String {
        table.rows.iter().map(|row| row[0].plain()).collect()
    }

    #[test]
    fn a_table_is_sorted_and_looked_through_when_it_is_whole() {
        let made = |view: View, next: Option<&str>| {
            Table::new(COLUMNS, rows(), next.map(str::to_owned), &view, ("", ""))
        };
        let view = |sort, down, has: &str| View { sort, down, has: has.into(), ..View::default() };
        for (view, expect) in [
            (view(None, false, ""), "bCa"),
            (view(Some(0), false, ""), "abC"),
            (view(Some(0), true, ""), "Cba"),
            (view(Some(1), false, ""), "Cba"),
            (view(Some(7), false, ""), "bCa"),
            (view(None, false, "10"), "ba"),
            (view(Some(1), true, "c"), "C"),
        ] {
            assert_eq!(names(&made(view.clone(), None)), expect, "{view:?}");
        }
        let page = made(view(Some(0), false, ""), Some("id"));
        assert_eq!(names(&page), "bCa", "a part is not sorted");
        assert!(page.headings[0].href.is_none() && page.next.is_some_and(|next| next.ends_with("after=id")));
        let sorted = made(view(Some(0), false, "1"), None);
        assert_eq!(sorted.headings[0].sorted, "ascending");
        assert_eq!(sorted.headings[0].href.as_deref(), Some("?has=1&sort=0&down=true"));
    }

    #[test]
    fn no_cell_of_a_file_is_a_formula_or_breaks_out_of_its_place() {
        for (cell, expect) in [
            ("plain", "plain"),
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+1", "'+1"),
            ("\t=1", "'\t=1"),
            ("\r=1", "\"'\r=1\""),
            ("\n=1", "\"'\n=1\""),
            ("=HYPERLINK(\"x\",\"y\")", "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\""),
            ("a,b", "\"a,b\""),
            ("say \"x\"\r\ny", "\"say \"\"x\"\"\r\ny\""),
            ("-2,3", "\"'-2,3\""),
        ] {
            assert_eq!(quoted(cell), expect);
        }
    }
}
