//! The table, on a terminal and in `docs/performance.md`.

use std::{fmt::Write as _, fs, path::Path};

use crate::{Size, machine, row::Row};

/// What came out of a run.
pub struct Page {
    /// The rows, in their order.
    pub rows: Vec<Row>,
    /// How large the cases were.
    pub size: Size,
    /// Where.
    pub machine: String,
    /// Of what.
    pub commit: String,
}

const HEADINGS: [&str; 7] =
    ["#", "work", "compared with", "goal", "min / median / max", "verdict", "figures"];

impl Page {
    /// For a terminal: columns of the same width, and what both took below each row.
    pub fn text(&self) -> String {
        let rows: Vec<[String; 7]> = self.rows.iter().map(cells).collect();
        let wide = |column: usize| {
            let lengths = rows.iter().map(|row| row[column].chars().count());
            lengths.chain([HEADINGS[column].chars().count()]).max().unwrap_or(0)
        };
        // Verdicts are short but for a reason, which may stand out at the end.
        let widths: Vec<usize> = (0..5).map(wide).collect();
        let line = |cells: [&str; 6]| {
            let mut text = String::new();
            for (cell, width) in cells.iter().zip(&widths) {
                write!(text, "{cell:width$}  ").unwrap();
            }
            format!("{}{}", text, cells[5]).trim_end().to_owned()
        };
        let mut text = format!("{}, {}\n{}\n\n", self.size.name(), self.commit, self.machine);
        let headings: [&str; 6] = std::array::from_fn(|at| HEADINGS[at]);
        writeln!(text, "{}", line(headings)).unwrap();
        for row in &rows {
            writeln!(text, "{}", line(std::array::from_fn(|at| row[at].as_str()))).unwrap();
            if !row[6].is_empty() {
                writeln!(text, "{:width$}  {}", "", row[6], width = widths[0]).unwrap();
            }
        }
        text
    }

    /// Writes it where the documentation is.
    pub fn write(&self) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md");
        fs::write(path, self.markdown()).unwrap();
    }

    fn markdown(&self) -> String {
        let mut text = format!(
            "# What it costs\n\n\
             Written by `cargo bench -- --write`; not by hand. Every number is compared with a floor that was measured in the\n\
             same run, pair by pair, and counts by the median of the pairs; a row is void when its floor moved by more than two.\n\
             A ratio with a goal of *at most* is of what both took, one of *at least* is of their rates. What each case does, and\n\
             what it leaves out, stands at the head of its file in `benches/table/cases`.\n\n\
             | | |\n|---|---|\n| day | {} |\n| commit | {} |\n| machine | {} |\n| size | {} |\n\n",
            machine::day(),
            self.commit,
            self.machine,
            self.size.name()
        );
        writeln!(text, "| {} |\n|{}", HEADINGS.join(" | "), "---|".repeat(HEADINGS.len())).unwrap();
        for row in &self.rows {
            writeln!(text, "| {} |", cells(row).map(|cell| cell.replace('|', "\\|")).join(" | ")).unwrap();
        }
        text
    }
}

fn cells(row: &Row) -> [String; 7] {
    let measured = match row.unit.as_str() {
        "×" => row.measured(),
        unit if row.spread.is_some() => format!("{} {unit}", row.measured()),
        _ => row.measured(),
    };
    let goal = row.goal();
    [row.case.clone(), row.work.clone(), row.against.clone(), goal, measured, row.said(), row.figures.clone()]
}
