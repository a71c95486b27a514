//! Splits Rust source into code, strings and comments, so that a check looks only where it means to.
//!
//! A lexer and no parser: it knows comments, strings, characters and brackets (Rust reference, "Tokens"),
//! nothing of items and types.

/// A file, taken apart. The three texts have the length and lines of the file; what is not of a kind is
/// blank in the text of that kind, but for one quote where a string begins.
#[derive(Debug, Default)]
pub(super) struct Rust {
    /// Code outside of tests, with strings and comments blank.
    pub code: String,
    /// All code, tests too.
    pub all_code: String,
    /// Comments, with their slashes.
    pub comments: String,
    /// String literals outside of tests with the line they begin on.
    pub strings: Vec<(usize, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Text,
}

impl Rust {
    /// Takes `text` apart.
    pub fn of(text: &str) -> Self {
        let spans = spans(text);
        let only = |kind: Kind| {
            let mut bytes: Vec<u8> = text.bytes().map(|b| if b == b'\n' { b } else { b' ' }).collect();
            for (_, start, end) in spans.iter().filter(|(k, ..)| *k == kind) {
                bytes[*start..*end].copy_from_slice(&text.as_bytes()[*start..*end]);
            }
            String::from_utf8(bytes).unwrap_or_default()
        };
        let mut all_code = only(Kind::Code);
        // A string leaves its first quote behind, so that an argument which is one does not vanish.
        for (_, start, _) in spans.iter().filter(|(kind, ..)| *kind == Kind::Text) {
            all_code.replace_range(*start..*start + 1, "\"");
        }
        let tests = tests(&all_code);
        let in_tests = |at: usize| tests.iter().any(|(start, end)| (*start..*end).contains(&at));
        let code = all_code
            .char_indices()
            .map(|(at, c)| if in_tests(at) && c != '\n' { " ".repeat(c.len_utf8()) } else { c.to_string() })
            .collect();
        let strings = spans
            .iter()
            .filter(|(kind, start, _)| *kind == Kind::Text && !in_tests(*start))
            .map(|(_, start, end)| (line(text, *start), text[*start..*end].to_owned()))
            .collect();
        Self { code, all_code, comments: only(Kind::Comment), strings }
    }
}

/// The line of a byte, from 1.
pub(super) fn line(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count()
}

/// All places of `word` in `text` where it stands alone, not as a part of another name.
pub(super) fn find_word<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    let name = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let (bytes, end) = (text.as_bytes(), at + word.len());
        let begins = !name(word.as_bytes().first()) || *at == 0 || !name(bytes.get(at - 1));
        let ends = !name(word.as_bytes().last()) || !name(bytes.get(end));
        begins && ends
    })
}

/// The text between the bracket at `open` and the one that closes it.
pub(super) fn bracketed(code: &str, open: usize) -> &str {
    let mut depth = 0_usize;
    for (at, b) in code.bytes().enumerate().skip(open) {
        match b {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return &code[open + 1..at];
        }
    }
    &code[(open + 1).min(code.len())..]
}

/// Where `#[cfg(test)] mod … { … }` begins and ends.
fn tests(code: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (at, marker) in code.match_indices("#[cfg(test)]") {
        let after = at + marker.len();
        let rest = code[after..].trim_start();
        let is_module = rest.starts_with("mod ") || rest.starts_with("pub mod ");
        if let Some(open) = code[after..].find(['{', ';']).map(|i| after + i)
            && is_module
            && code.as_bytes()[open] == b'{'
        {
            found.push((at, open + 1 + bracketed(code, open).len() + 1));
        }
    }
    found
}

fn spans(text: &str) -> Vec<(Kind, usize, usize)> {
    let bytes = text.as_bytes();
    let mut spans = Vec::new();
    let (mut at, mut code_from) = (0, 0);
    while at < bytes.len() {
        let rest = &text[at..];
        let (kind, length) = if rest.starts_with("//") {
            (Kind::Comment, rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            (Kind::Comment, block_comment(rest))
        } else if let Some(length) = raw_string(text, at) {
            (Kind::Text, length)
        } else if rest.starts_with('"') {
            (Kind::Text, quoted(rest))
        } else {
            // A quote begins a character or a lifetime; either is code, but a quoted `"` is no string.
            at += if rest.starts_with('\'') {
                character(rest)
            } else {
                rest.chars().next().map_or(1, char::len_utf8)
            };
            continue;
        };
        spans.push((Kind::Code, code_from, at));
        spans.push((kind, at, at + length));
        at += length;
        code_from = at;
    }
    spans.push((Kind::Code, code_from, bytes.len()));
    spans
}

fn block_comment(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of a raw string that begins at `at`: `r"…"`, `r#"…"#`, `br#"…"#`.
fn raw_string(text: &str, at: usize) -> Option<usize> {
    let in_a_name = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    if at > 0 && in_a_name(&text.as_bytes()[at - 1]) {
        return None;
    }
    let rest = &text[at..];
    let inner =
        rest.strip_prefix("br").or_else(|| rest.strip_prefix("cr")).or_else(|| rest.strip_prefix('r'))?;
    let hashes = inner.len() - inner.trim_start_matches('#').len();
    let body = inner[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let start = rest.len() - body.len();
    Some(body.find(&close).map_or(rest.len(), |end| start + end + close.len()))
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, b) in rest.bytes().enumerate().skip(1) {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            chars.next(); // what is escaped, which may be a quote
            chars.find(|(_, c)| *c == '\'').map_or(rest.len(), |(at, _)| at + 1)
        }
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            Some(_) | None => 1,
        },
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_strings_and_comments_are_told_apart() {
        let text = r##"a "s\"t" b // c "x"
/* d /* e */ "f" */ g r#"h "i" "# j '"' k 'l '\'' m b"n" "##;
        let rust = Rust::of(text);
        let strings: Vec<&str> = rust.strings.iter().map(|(_, s)| s.as_str()).collect();
        assert_eq!(strings, ["\"s\\\"t\"", "r#\"h \"i\" \"#", "\"n\""]);
        let words: Vec<&str> = rust.code.split_whitespace().collect();
        assert_eq!(words, ["a", "\"", "b", "g", "\"", "j", "'\"'", "k", "'l", "'\\''", "m", "b\""]);
        assert_eq!(rust.comments.split_whitespace().next(), Some("//"));
        assert_eq!(rust.code.len(), text.len());
        for odd in ["\"", "'", "r#\"", "/*", "'\\", "é'", "r", "b\"", "'é'"] {
            assert_eq!(Rust::of(odd).code.len(), odd.len(), "{odd}");
        }
    }

    #[test]
    fn tests_are_no_code_and_their_strings_do_not_count() {
        let text = "a(\"x\");\n#[cfg(test)]\nmod tests {\n  fn f() { b(\"y\") }\n}\nc();\n#[cfg(test)]\nmod far;\nd();";
        let rust = Rust::of(text);
        let words: Vec<&str> = rust.code.split_whitespace().collect();
        assert_eq!(words, ["a(\"", ");", "c();", "#[cfg(test)]", "mod", "far;", "d();"]);
        assert_eq!(rust.strings, [(1, "\"x\"".to_owned())]);
        assert!(rust.all_code.contains("b("));
    }

    #[test]
    fn a_word_is_not_a_part_of_another() {
        let count = |text: &str, word: &str| find_word(text, word).count();
        assert_eq!(count("Instant Instantly an_Instant ::Instant", "Instant"), 2);
        assert_eq!(count("x.apply(a) reapply(b)", ".apply("), 1);
    }
}
