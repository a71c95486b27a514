//! `docs/connectors.md`: what each kind can do, and which sentences of the contract each subject keeps.
//!
//! The page is never written by hand. Each test of the kit compares its row with the page, and one test the
//! rest; with `BAILIWICK_BLESS=1` they write it.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{fs, path::PathBuf, sync::Mutex};

use bailiwick_connector::testkit::{Report, Verdict};

/// What stands before the rows of the kit.
pub const ROWS: &str = "## The contract, sentence by sentence\n";

static WRITING: Mutex<()> = Mutex::new(());

pub fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/connectors.md"))
}

/// Whether the page is to be written.
pub fn blessing() -> bool {
    #[expect(clippy::disallowed_methods, reason = "whether to write is said from outside of the test")]
    let bless = std::env::var_os("BAILIWICK_BLESS");
    bless.is_some()
}

/// Asserts that the subject keeps the contract and that the page says so.
pub fn kept(report: &Report) {
    report.assert();
    let _one_at_a_time = WRITING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let text = fs::read_to_string(path()).unwrap_or_default();
    let row = report.markdown_row();
    let begins = format!("| {} |", report.subject);
    let excepted = report.rows.iter().filter_map(|row| match row.verdict {
        Verdict::Excepted(reason) => {
            Some(format!("* {}, \"{}\": {reason}", report.subject, row.sentence.text()))
        }
        Verdict::Holds | Verdict::NotApplicable(_) | Verdict::Broken(_) => None,
    });
    let excepted: Vec<String> = excepted.collect();
    if blessing() {
        let (before, after) = text.split_once(ROWS).unwrap_or((&text, ""));
        let mine =
            |line: &&str| line.starts_with(&begins) || line.starts_with(&format!("* {},", report.subject));
        let lines = after.lines().filter(|line| !mine(line));
        let mut rows: Vec<&str> =
            lines.clone().filter(|line| line.contains(" × ") && line.starts_with('|')).collect();
        let mut notes: Vec<&str> = lines.filter(|line| line.starts_with("* ")).collect();
        rows.push(&row);
        notes.extend(excepted.iter().map(String::as_str));
        rows.sort_unstable();
        notes.sort_unstable();
        let notes = if notes.is_empty() { "There are no exceptions.".into() } else { notes.join("\n") };
        let page = format!(
            "{before}{ROWS}\n✓ holds, – says nothing about this connector or cannot be shown on this system, \
             e is excepted with a reason below.\n\n{}\n{}\n\n{notes}\n",
            Report::markdown_head(),
            rows.join("\n"),
        );
        fs::write(path(), page).unwrap();
    } else {
        assert!(
            text.lines().any(|line| line == row) && excepted.iter().all(|note| text.contains(note)),
            "docs/connectors.md does not have\n{row}\n{}\nrun the test with BAILIWICK_BLESS=1",
            excepted.join("\n")
        );
    }
}
