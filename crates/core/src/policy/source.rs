//! Where things stand in a policy file.
//!
//! Cedar's syntax trees carry no places, so the text is read once more, only into words: enough to find
//! the place of a name. Absent on purpose: any meaning; that comes from Cedar.

use super::{Mistake, PolicyError, PolicyFile};

/// A word of a policy file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// An identifier, keyword or number.
    Name(&'a str),
    /// A string, without its quotes, escapes as written.
    Text(&'a str),
    /// Anything else, one character each.
    Sign(char),
}

/// The words of a statement with their places, in bytes from the start of the file.
pub(super) type Statement<'a> = Vec<(usize, Word<'a>)>;

/// The words of each statement. A statement ends with `;`, which strings and comments cannot fake.
pub(super) fn statements(text: &str) -> Vec<Statement<'_>> {
    let mut statements = Vec::new();
    let mut current = Vec::new();
    for word in words(text) {
        if word.1 == Word::Sign(';') {
            statements.push(std::mem::take(&mut current));
        } else {
            current.push(word);
        }
    }
    if !current.is_empty() {
        statements.push(current);
    }
    statements
}

fn words(text: &str) -> Statement<'_> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if first == '"' {
            let inner = text_length(&rest[1..]);
            out.push((at, Word::Text(&rest[1..1 + inner])));
            (inner + 2).min(rest.len())
        } else if first.is_alphanumeric() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            out.push((at, Word::Name(&rest[..length])));
            length
        } else {
            if !first.is_whitespace() {
                out.push((at, Word::Sign(first)));
            }
            first.len_utf8()
        };
        at += length;
    }
    out
}

/// The length of a string up to its closing quote.
fn text_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            '"' if !escaped => return at,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// The place of the first run of words that `is` accepts; of the last word in the run.
pub(super) fn find<const N: usize>(
    words: &Statement<'_>,
    is: impl Fn([Word<'_>; N]) -> bool,
) -> Option<usize> {
    words.windows(N).find_map(|window| {
        let run: [(usize, Word<'_>); N] = window.try_into().ok()?;
        let place = run.last()?.0;
        is(run.map(|(_, word)| word)).then_some(place)
    })
}

/// The place where `attribute` of the variable `of` is first read.
pub(super) fn find_attribute(words: &Statement<'_>, of: &str, attribute: &str) -> Option<usize> {
    find(words, |[base, join, name]| {
        let dotted = matches!(join, Word::Sign('.') | Word::Name("has"));
        base == Word::Name(of) && (dotted && (name == Word::Name(attribute) || name == Word::Text(attribute)))
            || base == Word::Name(of) && join == Word::Sign('[') && name == Word::Text(attribute)
    })
    .or_else(|| find(words, |[name]| name == Word::Name(attribute) || name == Word::Text(attribute)))
}

/// The place where the entity `Kind::"name"` is first named.
pub(super) fn find_entity(words: &Statement<'_>, kind: &str, name: &str) -> Option<usize> {
    let start = words.windows(4).find(|run| {
        let is = |at: usize, word| run[at].1 == word;
        is(0, Word::Name(kind)) && is(1, Word::Sign(':')) && is(2, Word::Sign(':')) && is(3, Word::Text(name))
    });
    start.map(|run| run[0].0)
}

/// The place of the first string `text`.
pub(super) fn find_text(words: &Statement<'_>, text: &str) -> Option<usize> {
    find(words, |[word]| word == Word::Text(text))
}

/// The place of the first name `name`.
pub(super) fn find_name(words: &Statement<'_>, name: &str) -> Option<usize> {
    find(words, |[word]| word == Word::Name(name))
}

impl PolicyError {
    /// An error at the byte `offset` of `file`.
    pub(super) fn at(
        file: &PolicyFile,
        offset: usize,
        mistake: Mistake,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Self {
        let (line, column) = place(&file.text, offset);
        let message = printable(&message.into());
        Self { file: file.path.clone(), line, column, mistake, message, help: help.as_deref().map(printable) }
    }
}

/// The text with characters written out that would do something to a terminal, or turn the direction of
/// writing (Unicode UAX #9 §2): messages quote files.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if turns || c.is_control() { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// Line and column, from 1, the column in characters.
pub(super) fn place(text: &str, offset: usize) -> (u32, u32) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
    (count(before.matches('\n').count()), count(before[line_start..].chars().count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_comments_do_not_end_a_statement() {
        let text = "a \"x;\\\";\" ; // b; \"\nc;d";
        let found: Vec<Vec<Word<'_>>> =
            statements(text).into_iter().map(|s| s.into_iter().map(|(_, w)| w).collect()).collect();
        let expect =
            vec![vec![Word::Name("a"), Word::Text("x;\\\";")], vec![Word::Name("c")], vec![Word::Name("d")]];
        assert_eq!(found, expect);
        for odd in ["", "\"", "\"\\", "é", "//", "\"é", "\u{feff}a"] {
            statements(odd);
        }
    }

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let check = |text, offset, expect| assert_eq!(place(text, offset), expect, "{text:?} {offset}");
        check("", 0, (1, 1));
        check("ab\ncd", 0, (1, 1));
        check("ab\ncd", 4, (2, 2));
        check("äö\nüx", 7, (2, 2));
        check("äö", 1, (1, 1));
        check("a", 99, (1, 2));
    }

    #[test]
    fn the_place_of_a_name_is_where_it_is_meant() {
        let text = "@id(\"level\") permit(principal) when { resource.level && principal has level };";
        let words = &statements(text)[0];
        assert_eq!(find_attribute(words, "principal", "level"), text.rfind("level"));
        assert_eq!(find_attribute(words, "resource", "level"), Some(text.find(".level").unwrap() + 1));
        assert_eq!(find_attribute(words, "principal", "other"), None);
        let text = "x == A::\"b\"";
        assert_eq!(find_entity(&statements(text)[0], "A", "b"), Some(5));
    }
}
