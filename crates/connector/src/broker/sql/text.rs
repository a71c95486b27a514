//! The text of one statement, with its parameters written as `:name`.
//!
//! Names become the `$1`, `$2`, … that both databases bind. What is inside of quotes, dollar quotes and
//! comments is left alone. Whatever the two databases read differently, or what would put a second
//! statement or a parameter without a name into the text, is refused instead of understood.

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// What is sent.
    pub(super) sql: String,
    /// The name of `$1`, of `$2`, …, each once.
    pub(super) parameters: Vec<String>,
    /// Whether it has brackets, which are subscripts in PostgreSQL and quotes in SQLite.
    pub(super) brackets: bool,
}

const NAMED: &str = "write parameters as `:name`";

impl Text {
    /// Reads a text; the error says what will not do.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut read =
            Self { sql: String::with_capacity(text.len()), parameters: Vec::new(), brackets: false };
        let (mut rest, mut ended, mut empty) = (text, false, true);
        while let Some(first) = rest.chars().next() {
            let (token, length) = token(rest, first)?;
            let (taken, after) = rest.split_at(length);
            rest = after;
            match token {
                Token::Blank => {}
                _ if ended => return Err("it is more than one statement"),
                Token::End => {
                    ended = true;
                    continue;
                }
                Token::Plain | Token::Bracket | Token::Parameter => empty = false,
            }
            read.brackets |= token == Token::Bracket;
            if token == Token::Parameter {
                let place = read.place(&taken[1..]);
                read.sql.push_str(&format!("${place}"));
            } else {
                read.sql.push_str(taken);
            }
        }
        if empty { Err("it is empty") } else { Ok(read) }
    }

    /// The number of the parameter of this name, which it gets when it is new.
    fn place(&mut self, name: &str) -> usize {
        let known = self.parameters.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            self.parameters.push(name.to_owned());
            self.parameters.len() - 1
        }) + 1
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Blank,
    End,
    Plain,
    Bracket,
    Parameter,
}

/// The first token of a text that begins with `first`, and how long it is in bytes.
fn token(rest: &str, first: char) -> Result<(Token, usize), &'static str> {
    let next = rest[first.len_utf8()..].chars().next();
    let plain = |length| Ok((Token::Plain, length));
    match first {
        '\0' => Err("it has a NUL"),
        '\'' | '"' => quoted(rest, first).map(|length| (Token::Plain, length)),
        '`' => Err("quote names with `\"`"),
        '-' if next == Some('-') => Ok((Token::Blank, rest.find('\n').unwrap_or(rest.len()))),
        '/' if next == Some('*') => comment(rest).map(|length| (Token::Blank, length)),
        '$' => dollar(rest).map(|length| (Token::Plain, length)),
        '?' => Err(NAMED),
        '@' | '#' if next.is_some_and(begins_name) => Err(NAMED),
        ':' if matches!(next, Some(':' | '=')) => plain(2),
        ':' if next.is_some_and(begins_name) => Ok((Token::Parameter, 1 + name_length(&rest[1..]))),
        ';' => Ok((Token::End, 1)),
        '[' => Ok((Token::Bracket, 1)),
        c if begins_name(c) => {
            let length = name_length(rest);
            let escapes = rest[..length].eq_ignore_ascii_case("e") && rest[length..].starts_with('\'');
            if escapes { Err("strings with escapes (`E'…'`) are not taken") } else { plain(length) }
        }
        c if c.is_whitespace() => Ok((Token::Blank, c.len_utf8())),
        c => plain(c.len_utf8()),
    }
}

fn begins_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

/// How long the name is that the text begins with.
fn name_length(text: &str) -> usize {
    text.find(|c: char| !begins_name(c) && !c.is_ascii_digit() && c != '$').unwrap_or(text.len())
}

/// Up to the closing quote; a doubled one is one inside.
fn quoted(rest: &str, quote: char) -> Result<usize, &'static str> {
    let mut at = 1;
    loop {
        at += rest[at..].find(quote).ok_or("a quote is not closed")? + 1;
        if !rest[at..].starts_with(quote) {
            return Ok(at);
        }
        at += 1;
    }
}

/// Up to the end of a comment. PostgreSQL nests them and SQLite does not.
fn comment(rest: &str) -> Result<usize, &'static str> {
    let length = rest[2..].find("*/").ok_or("a comment is not closed")?;
    match rest[2..2 + length].contains("/*") {
        true => Err("a comment is inside of a comment"),
        false => Ok(length + 4),
    }
}

/// `$tag$ … $tag$` (PostgreSQL, 4.1.2.4).
fn dollar(rest: &str) -> Result<usize, &'static str> {
    let tag = rest[1..].find('$').map(|end| &rest[..end + 2]).ok_or(NAMED)?;
    let named = tag[1..tag.len() - 1].chars().enumerate();
    if !named.into_iter().all(|(at, c)| begins_name(c) || (at > 0 && c.is_ascii_digit())) {
        return Err(NAMED);
    }
    let length = rest[tag.len()..].find(tag).ok_or("a dollar quote is not closed")?;
    Ok(length + 2 * tag.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_places_and_quotes_are_left_alone() {
        for (text, sql, parameters) in [
            ("SELECT :a, :b, :a", "SELECT $1, $2, $1", "a b"),
            ("SELECT a::text, b := :x;", "SELECT a::text, b := $1", "x"),
            (
                "SELECT ':a', \":b\", 'it''s :c' /* :d ' */ -- :e '\n, :f",
                "SELECT ':a', \":b\", 'it''s :c' /* :d ' */ -- :e '\n, $1",
                "f",
            ),
            ("DO $do$ BEGIN x := ':a'; END $do$", "DO $do$ BEGIN x := ':a'; END $do$", ""),
            ("DO $$ ; $x$ ; $$ ; -- :end", "DO $$ ; $x$ ; $$  -- :end", ""),
            ("SELECT a$b$c, :x$y", "SELECT a$b$c, $1", "x$y"),
            ("SELECT 'ü' || :ü", "SELECT 'ü' || $1", "ü"),
            ("SELECT u&'\\0061', x'00', :a", "SELECT u&'\\0061', x'00', $1", "a"),
            ("SELECT e, 'e' :a", "SELECT e, 'e' $1", "a"),
        ] {
            let read = Text::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!((read.sql.as_str(), read.parameters.join(" ").as_str()), (sql, parameters));
            assert!(!read.brackets);
        }
        assert!(Text::parse("SELECT a[1] FROM t").is_ok_and(|read| read.brackets));
    }

    #[test]
    fn what_is_not_one_clear_statement_is_refused() {
        for (text, why) in [
            ("", "empty"),
            (" -- nothing\n;", "empty"),
            ("SELECT 1; SELECT 2", "more than one"),
            ("SELECT 1;;", "more than one"),
            ("SELECT 'a", "quote is not closed"),
            ("SELECT \"a''", "quote is not closed"),
            ("SELECT 'a'''; DROP TABLE x", "more than one"),
            ("SELECT /* a", "comment is not closed"),
            ("SELECT /* /* */ :a", "inside of a comment"),
            ("DO $a$ $b$", "dollar quote is not closed"),
            ("SELECT $1", ":name"),
            ("SELECT $1$a$1$", ":name"),
            ("SELECT ?", ":name"),
            ("SELECT @a", ":name"),
            ("SELECT E'\\'; DROP TABLE x; --'", "escapes"),
            ("SELECT `a`", "quote names"),
            ("SELECT '\0'", ""),
            ("SELECT \0", "NUL"),
        ] {
            match Text::parse(text) {
                Ok(read) => assert!(why.is_empty(), "{text}: {read:?}"),
                Err(problem) => assert!(!why.is_empty() && problem.contains(why), "{text}: {problem}"),
            }
        }
    }
}
