//! `docs/connectors.md`: what each kind can do, and which sentences of the contract each subject keeps.
//!
//! The page is never written by hand. Each test of the kit compares its rows with the page, and one test the
//! rest; with `BAILIWICK_BLESS=1` they write it. Whom the kit tests is declared in `page_subjects.rs`: each test
//! compares what it ran with that, so that a row of somebody who is not tested any more has nobody to declare it.

#![allow(dead_code, reason = "each test uses a part of it")]

#[path = "page_subjects.rs"]
pub mod subjects;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use bailiwick_connector::testkit::Report;
use subjects::{ABSENT, RUNS};

/// What stands before the rows of the kit.
pub const ROWS: &str = "## The contract, sentence by sentence\n";
/// What stands after them.
const NOT_THERE: &str = "### What has no row\n";

static WRITING: Mutex<()> = Mutex::new(());
/// Whom this process has tested.
static TESTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The sign of a verdict and, if the sentence does not hold, why.
type Cell = (String, Option<String>);

/// The page.
#[derive(Default)]
pub struct Page {
    /// Up to [`ROWS`].
    pub before: String,
    /// By subject.
    pub rows: BTreeMap<String, Vec<Cell>>,
}

pub fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/connectors.md"))
}

/// Whether the page is to be written.
pub fn blessing() -> bool {
    #[expect(clippy::disallowed_methods, reason = "whether to write is said from outside of the test")]
    let bless = std::env::var_os("BAILIWICK_BLESS");
    bless.is_some()
}

/// The text of the page.
pub fn text() -> String {
    fs::read_to_string(path()).unwrap_or_default()
}

/// Changes the page as it is written.
pub fn write(change: impl FnOnce(&mut Page)) {
    let _one_at_a_time = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut page = Page::read(&text());
    change(&mut page);
    fs::write(path(), page.text()).unwrap();
}

impl Page {
    pub fn read(text: &str) -> Self {
        let (before, after) = text.split_once(ROWS).unwrap_or((text, ""));
        let notes: BTreeMap<&str, &str> = after.lines().filter_map(|line| line.split_once(". ")).collect();
        let cell = |cell: &str| match cell.split_once(' ') {
            Some((sign, note)) => (sign.to_owned(), notes.get(note).map(|why| (*why).to_owned())),
            None => (cell.to_owned(), None),
        };
        let row = |line: &str| {
            let (subject, cells) = line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | ")?;
            subject
                .contains(" × ")
                .then(|| (subject.to_owned(), cells.split(" | ").map(cell).collect::<Vec<_>>()))
        };
        Self { before: before.to_owned(), rows: after.lines().filter_map(row).collect() }
    }

    /// Reasons are numbered in the order in which the rows need them.
    pub fn text(&self) -> String {
        let mut notes: Vec<&str> = Vec::new();
        let mut rows = String::new();
        for (subject, cells) in &self.rows {
            rows.push_str(&format!("| {subject} |"));
            for (sign, reason) in cells {
                let note = reason.as_deref().map(|reason| {
                    let at = notes.iter().position(|known| *known == reason).unwrap_or(notes.len());
                    notes.extend((at == notes.len()).then_some(reason));
                    format!(" {}", at + 1)
                });
                rows.push_str(&format!(" {sign}{} |", note.unwrap_or_default()));
            }
            rows.push('\n');
        }
        let notes: String = notes.iter().zip(1..).map(|(note, n)| format!("{n}. {note}\n")).collect();
        let absent =
            ABSENT.iter().map(|(to, against, why)| format!("| {to} | {} | {why} |\n", against.as_str()));
        format!(
            "{}{ROWS}\n✓ holds, – says nothing about this connector or cannot be shown on this system, e is excepted: for the \
             reason below that has the number.\n\n{}\n{rows}\n{notes}\n{NOT_THERE}\n| connector | against | why |\n|---|---|---|\n{}",
            self.before,
            Report::markdown_head(),
            absent.collect::<String>(),
        )
    }
}

/// Asserts that the subject keeps the contract, that it is declared, and that the page says so.
pub fn kept(report: &Report) {
    report.assert();
    let subject = &report.subject;
    let declared = RUNS.iter().any(|run| is_here(run) && run.subjects.contains(&subject.as_str()));
    assert!(
        declared,
        "`{subject}` is tested by {} and not declared so in page_subjects.rs",
        env!("CARGO_CRATE_NAME")
    );
    TESTED.lock().unwrap_or_else(PoisonError::into_inner).insert(subject.clone());
    let cell = |row: &bailiwick_connector::testkit::Row| {
        (row.verdict.sign().to_owned(), row.verdict.reason().map(str::to_owned))
    };
    let cells: Vec<Cell> = report.rows.iter().map(cell).collect();
    if blessing() {
        write(|page| drop(page.rows.insert(subject.clone(), cells)));
    } else {
        let page = Page::read(&text());
        assert_eq!(
            page.rows.get(subject),
            Some(&cells),
            "docs/connectors.md says otherwise of `{subject}`; run the test with BAILIWICK_BLESS=1"
        );
    }
}

/// Asserts that the test of this name has tested everybody who is declared to be tested by it.
pub fn all_kept(test: &str) {
    let declared = RUNS.iter().filter(|run| is_here(run) && run.test.1 == test).flat_map(|run| run.subjects);
    let tested = TESTED.lock().unwrap_or_else(PoisonError::into_inner);
    let missing: Vec<_> = declared.filter(|subject| !tested.contains(**subject)).collect();
    assert!(missing.is_empty(), "declared in page_subjects.rs and not tested by `{test}`: {missing:?}");
}

fn is_here(run: &subjects::Run) -> bool {
    run.test.0 == env!("CARGO_CRATE_NAME")
}
