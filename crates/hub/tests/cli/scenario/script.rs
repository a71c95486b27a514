//! A scenario as it is written: prose, files, and commands with what they print.

use std::path::{Path, PathBuf};

/// Who works when a prompt names nobody: the administrator who set the hub up.
pub const FIRST: &str = "ada";

/// A command and what the document says that it prints.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// Whose profile is used.
    pub operator: String,
    /// The words of the command line, the program first.
    pub words: Vec<String>,
    /// The line as it stands there, prompt and all.
    pub line: String,
    /// What it prints.
    pub output: String,
}

/// A part of a document. Put together in their order, they are the document again.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// What is only read.
    Prose(String),
    /// A file that is written, and the text that stands there, fences and all.
    File { path: String, content: String, text: String },
    /// A change of a file that was written: what stands there and what is to stand there.
    Edit { path: String, before: String, after: String, text: String },
    /// Commands, one after the other.
    Console(Vec<Step>),
}

/// A document.
pub struct Script {
    /// The document that must have happened before, from a line `Begins after [NAME](FILE)`.
    pub after: Option<PathBuf>,
    /// Its parts.
    pub parts: Vec<Part>,
}

const FENCE: &str = "```";

impl Script {
    /// Reads a document.
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let folder = path.parent().unwrap();
        let before =
            text.lines().find_map(|line| line.strip_prefix("Begins after [")?.split(['(', ')']).nth(1));
        Self { after: before.map(|file| folder.join(file)), parts: parts(&text) }
    }

    /// The document, with what was printed in place of what it said.
    pub fn write(&self) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Prose(text) | Part::File { text, .. } | Part::Edit { text, .. } => out.push_str(text),
                Part::Console(steps) => {
                    let steps: Vec<String> =
                        steps.iter().map(|step| format!("{}\n{}", step.line, step.output)).collect();
                    out.push_str(&format!("{FENCE}console\n{}{FENCE}\n", steps.join("\n")));
                }
            }
        }
        out
    }
}

fn parts(text: &str) -> Vec<Part> {
    let (mut parts, mut prose) = (Vec::new(), String::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix(FENCE) else {
            prose.push_str(line);
            prose.push('\n');
            continue;
        };
        let body: String = lines
            .by_ref()
            .take_while(|line| !line.starts_with(FENCE))
            .map(|line| format!("{line}\n"))
            .collect();
        if !prose.is_empty() {
            parts.push(Part::Prose(std::mem::take(&mut prose)));
        }
        let text = format!("{line}\n{body}{FENCE}\n");
        parts.push(match info.split_once(' ') {
            None if info == "console" => Part::Console(steps(&body)),
            Some(("diff", path)) => {
                let side = |other: char| {
                    body.lines()
                        .filter(|line| !line.starts_with(other))
                        .map(|line| format!("{}\n", line.get(1..).unwrap_or_default()))
                        .collect()
                };
                Part::Edit { path: path.to_owned(), before: side('+'), after: side('-'), text }
            }
            Some((_, path)) => Part::File { path: path.to_owned(), content: body, text },
            None => Part::Prose(text),
        });
    }
    if !prose.is_empty() {
        parts.push(Part::Prose(prose));
    }
    parts
}

fn steps(body: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in body.lines() {
        let prompt = line.split_once("$ ").filter(|(who, _)| who.bytes().all(|b| b.is_ascii_lowercase()));
        match (prompt, steps.last_mut()) {
            (Some((who, command)), _) => steps.push(Step {
                operator: if who.is_empty() { FIRST } else { who }.to_owned(),
                words: words(command),
                line: line.to_owned(),
                output: String::new(),
            }),
            (None, Some(step)) => step.output.push_str(&format!("{line}\n")),
            (None, None) => panic!("a console begins with a command, not with `{line}`"),
        }
    }
    // An empty line between two commands is nobody's output.
    let last = steps.len().saturating_sub(1);
    for step in &mut steps[..last] {
        step.output = step.output.strip_suffix('\n').unwrap_or_default().to_owned();
    }
    steps
}

/// The words of a command line, as a shell takes them: what is quoted is one word.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (_, _) => word.get_or_insert_default().push(c),
        }
    }
    assert!(quote.is_none(), "a quote is open: {line}");
    words.extend(word);
    words
}

#[test]
fn a_document_is_read_and_written_as_it_is() {
    let text = "# Title\n\n```toml a/b.toml\nx = 1\n```\n```diff a/b.toml\n-x = 1\n+x = 2\n y\n```\n\
                ```console\n$ bailiwick say 'two words'\nout\n\nmore\n\ncy$ bailiwick b\nexit code 1\n```\nEnd.\n";
    let script = Script { after: None, parts: parts(text) };
    assert_eq!(script.write(), text);
    let [
        _,
        Part::File { content, .. },
        Part::Edit { before, after, .. },
        Part::Console(steps),
        Part::Prose(_),
    ] = &script.parts[..]
    else {
        panic!("{:?}", script.parts)
    };
    assert_eq!((content.as_str(), before.as_str(), after.as_str()), ("x = 1\n", "x = 1\ny\n", "x = 2\ny\n"));
    assert_eq!((steps[0].operator.as_str(), steps[0].output.as_str()), (FIRST, "out\n\nmore\n"));
    assert_eq!(steps[0].words, ["bailiwick", "say", "two words"]);
    assert_eq!((steps[1].operator.as_str(), steps[1].output.as_str()), ("cy", "exit code 1\n"));
}
