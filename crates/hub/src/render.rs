//! What commands print: tables and lines for people, one JSON value for programs.
//!
//! Colours and progress appear on a terminal only. What a command found goes to standard output, what it
//! says meanwhile to standard error, so that output can be piped.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, LineStyle, Table, TableStyle};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

/// The width of tables where there is no terminal, and of prose.
pub const WIDTH: u16 = 100;

/// A line below the header and no others.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// How to print.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// One JSON value instead of text.
    pub json: bool,
    /// Nothing but results.
    pub quiet: bool,
    /// Whether colours are wanted and can be shown.
    pub color: bool,
}

/// What a line is about, shown by its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    Plain,
    /// As it should be.
    Good,
    /// Somebody has to look.
    Warn,
    /// Wrong.
    Bad,
    /// Less important.
    Dim,
}

impl Tone {
    const fn ansi(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "\u{1b}[32m",
            Self::Warn => "\u{1b}[33m",
            Self::Bad => "\u{1b}[31m",
            Self::Dim => "\u{1b}[2m",
        }
    }

    /// A table cell of this tone.
    pub fn cell(self, text: impl ToString) -> Cell {
        let cell = Cell::new(text);
        match self {
            Self::Plain => cell,
            Self::Good => cell.fg(Color::Green),
            Self::Warn => cell.fg(Color::Yellow),
            Self::Bad => cell.fg(Color::Red),
            Self::Dim => cell.add_attribute(Attribute::Dim),
        }
    }
}

impl Output {
    /// How to print, from the flags and the terminal.
    pub fn new(json: bool, quiet: bool, no_color: bool) -> Self {
        Self { json, quiet, color: !no_color && std::io::stdout().is_terminal() }
    }

    /// Prints the result: as JSON, or by `text`.
    pub fn result<T: Serialize>(self, value: &T, text: impl FnOnce(Self)) {
        if self.json {
            // Our values have text keys only, so there is always a JSON form.
            self.line(&serde_json::to_string_pretty(value).unwrap_or_default());
        } else {
            text(self);
        }
    }

    /// Prints a line of the result.
    pub fn line(self, text: &str) {
        // A reader who closed the pipe has seen enough.
        let _ = writeln!(std::io::stdout(), "{text}");
    }

    /// Prints a line of the result in a tone.
    pub fn toned(self, tone: Tone, text: &str) {
        self.line(&self.paint(tone, text));
    }

    /// Prints a sentence of the result in a tone; what does not fit into a line goes on below it.
    pub fn prose(self, tone: Tone, text: &str) {
        self.toned(tone, &folded(text));
    }

    /// The text in a tone, if colours are shown.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if self.color && tone != Tone::Plain {
            format!("{}{text}\u{1b}[0m", tone.ansi())
        } else {
            text.to_owned()
        }
    }

    /// Says something meanwhile; not when quiet or for programs.
    pub fn say(self, text: &str) {
        if !self.quiet && !self.json {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// Prints a table; columns are wrapped to the width.
    pub fn table(self, header: &[&str], rows: Vec<Vec<Cell>>) {
        self.line(&self.drawn(header, rows));
    }

    /// The text of a table without trailing blanks.
    pub fn drawn(self, header: &[&str], rows: Vec<Vec<Cell>>) -> String {
        let mut table = Table::new();
        table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(
            header.iter().map(|title| Cell::new(title).add_attribute(Attribute::Bold)).collect::<Vec<_>>(),
        );
        for row in rows {
            table.add_row(row);
        }
        if self.color {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        if !std::io::stdout().is_terminal() {
            table.set_width(WIDTH);
        }
        table.trim_fmt()
    }

    /// Shows that something is going on, on a terminal only, until the value is dropped.
    pub fn waiting(self, what: &str) -> Waiting {
        let target =
            if self.quiet || self.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Waiting(bar)
    }
}

/// The text in lines of at most [`WIDTH`] characters, broken at blanks where there are any.
fn folded(text: &str) -> String {
    const GOES_ON: &str = "\n    ";
    let (mut out, mut filled, width) = (String::new(), 0, usize::from(WIDTH));
    for (index, word) in text.split(' ').enumerate() {
        if index > 0 {
            if filled + 1 + word.chars().count() > width {
                out.push_str(GOES_ON);
                filled = GOES_ON.len() - 1;
            } else {
                out.push(' ');
                filled += 1;
            }
        }
        for sign in word.chars() {
            if filled == width {
                out.push_str(GOES_ON);
                filled = GOES_ON.len() - 1;
            }
            out.push(sign);
            filled += 1;
        }
    }
    out
}

/// A number of bytes as people read it, in the units of the SI.
pub fn bytes(count: u64) -> String {
    const STEP: u64 = 1_000;
    let mut unit = 1;
    for name in ["bytes", "kB", "MB", "GB"] {
        if count / unit < STEP {
            return if unit == 1 {
                format!("{count} {name}")
            } else {
                format!("{}.{} {name}", count / unit, count % unit * 10 / unit)
            };
        }
        unit *= STEP;
    }
    format!("{} TB", count / unit)
}

/// A running indicator; gone when dropped.
pub struct Waiting(ProgressBar);

/// How often the indicator asks how far something is.
const ASKING: Duration = Duration::from_millis(300);

impl Waiting {
    /// Says what is under way now.
    pub fn say(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    /// Waits for `done`, and meanwhile shows what `ask` says about how far it is. Where nothing is shown, nothing
    /// is asked.
    pub async fn watching<T>(
        &self,
        done: impl Future<Output = T>,
        ask: impl AsyncFn() -> Option<String>,
    ) -> T {
        let mut done = std::pin::pin!(done);
        loop {
            tokio::select! {
                done = &mut done => return done,
                () = tokio::time::sleep(ASKING) => {}
            }
            if self.0.is_hidden() {
                return done.await;
            }
            if let Some(told) = ask().await {
                self.0.set_message(told);
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// `1 person`, `2 people`.
pub fn count<N: Copy + PartialEq + From<u8> + std::fmt::Display>(number: N, one: &str, many: &str) -> String {
    format!("{number} {}", if number == N::from(1) { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_keeps_to_its_width_and_loses_no_word() {
        let words = "what nobody can see stands open until somebody answers for it ".repeat(5);
        let long = format!("  begins {}{} ends", words, "x".repeat(250));
        let text = folded(&long);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        assert!(text.starts_with("  begins what nobody"), "{text}");
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!(bare(&text), bare(&long));
        assert_eq!(folded("  as it is"), "  as it is");
    }
}
