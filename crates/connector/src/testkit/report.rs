//! What a run of the kit found.

use std::fmt;

use crate::Sentence;

/// What is known of one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It says nothing about this connector, or this system cannot show it.
    NotApplicable(&'static str),
    /// It is broken, and known to be.
    Excepted(&'static str),
    /// It is broken.
    Broken(String),
}

impl Verdict {
    /// `✓`, `–` (not applicable), `e` (exception) or `✗`.
    pub const fn sign(&self) -> &'static str {
        match self {
            Self::Holds => "✓",
            Self::NotApplicable(_) => "–",
            Self::Excepted(_) => "e",
            Self::Broken(_) => "✗",
        }
    }

    /// Why it does not hold.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Holds => None,
            Self::NotApplicable(why) | Self::Excepted(why) => Some(why),
            Self::Broken(how) => Some(how),
        }
    }
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The sentence.
    pub sentence: Sentence,
    /// What is known of it.
    pub verdict: Verdict,
}

/// A sentence that a connector is known to break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// The sentence.
    pub sentence: Sentence,
    /// Why it is broken and stays so for now.
    pub reason: &'static str,
}

/// What a run of the kit found for one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The subject's name.
    pub subject: String,
    /// One row for each sentence.
    pub rows: Vec<Row>,
}

impl Report {
    pub(super) fn new(subject: String, mut rows: Vec<Row>, exceptions: &[Exception]) -> Self {
        for row in &mut rows {
            let Some(known) = exceptions.iter().find(|e| e.sentence == row.sentence) else { continue };
            row.verdict = match &row.verdict {
                Verdict::Broken(_) => Verdict::Excepted(known.reason),
                Verdict::Holds | Verdict::NotApplicable(_) | Verdict::Excepted(_) => Verdict::Broken(
                    format!("the exception is not needed any more, remove it: {}", known.reason),
                ),
            };
        }
        Self { subject, rows }
    }

    /// The rows that are broken and not excepted.
    pub fn broken(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| matches!(row.verdict, Verdict::Broken(_)))
    }

    /// Prints the list and the row of the table, and fails the test when a sentence is broken.
    pub fn assert(&self) {
        println!("{self}{}\n{}\n", Self::markdown_head(), self.markdown_row());
        assert!(self.broken().next().is_none(), "{} breaks the contract\n{self}", self.subject);
    }

    /// One row of a table with a column for each sentence, and the sign of its verdict in it.
    pub fn markdown_row(&self) -> String {
        let signs: Vec<&str> = self.rows.iter().map(|row| row.verdict.sign()).collect();
        format!("| {} | {} |", self.subject, signs.join(" | "))
    }

    /// The head of that table.
    pub fn markdown_head() -> String {
        let texts = Sentence::ALL.map(Sentence::text);
        format!("| connector | {} |\n|---|{}", texts.join(" | "), "---|".repeat(texts.len()))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.subject)?;
        for row in &self.rows {
            write!(f, "  {:<32} ", row.sentence.text())?;
            match &row.verdict {
                Verdict::Holds => writeln!(f, "holds")?,
                Verdict::NotApplicable(why) => writeln!(f, "not applicable: {why}")?,
                Verdict::Excepted(why) => writeln!(f, "exception: {why}")?,
                Verdict::Broken(how) => writeln!(f, "BROKEN: {how}")?,
            }
        }
        Ok(())
    }
}
