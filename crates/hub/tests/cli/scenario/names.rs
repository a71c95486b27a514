//! Short names for what is another in each run: the first plan that is printed is `pln_1`.

use std::collections::BTreeMap;

use super::stage::ADDRESSES;
use crate::golden::{late, placeholders};

/// The names that were given, both ways.
#[derive(Default)]
pub struct Names {
    given: BTreeMap<String, String>,
    meaning: BTreeMap<String, String>,
}

impl Names {
    /// `text` with a name for each id, digest and token, and a placeholder for each instant.
    pub fn mask(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let part = |c: char| c.is_ascii_alphanumeric() || "_:.-+/=".contains(c);
            let begin = rest.find(part).unwrap_or(rest.len());
            out.push_str(&rest[..begin]);
            let end = rest[begin..].find(|c| !part(c)).map_or(rest.len(), |end| begin + end);
            let word = &rest[begin..end];
            rest = &rest[end..];
            let name = self.name(word);
            // Columns of a table stay where they are.
            let pad = if rest.starts_with("  ") { word.len().saturating_sub(name.len()) } else { 0 };
            let blanks = rest.len() - rest.trim_start_matches(' ').len();
            rest = &rest[name.len().saturating_sub(word.len()).min(blanks.saturating_sub(1))..];
            out.push_str(&format!("{name}{}", " ".repeat(pad)));
        }
        // How often something was called is a matter of the moment.
        let mut pieces = out.split(" calls, last ");
        let mut counted = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let kept = counted.trim_end_matches(|c: char| c.is_ascii_digit()).len();
            counted.replace_range(kept.., "N calls, last ");
            counted.push_str(piece);
        }
        // Which of two things that happen at once comes first in the log is one, too.
        let mut pieces = counted.split('#');
        let mut placed = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit());
            let digits = piece.len() - rest.len();
            placed.push('#');
            placed.push_str(&"N".repeat(digits.min(1)));
            placed.push_str(&" ".repeat(if rest.starts_with(' ') { digits.saturating_sub(1) } else { 0 }));
            placed.push_str(rest);
        }
        let placed = late(&placed);
        let lines: Vec<&str> = placed.lines().map(str::trim_end).collect();
        if lines.is_empty() { String::new() } else { lines.join("\n") + "\n" }
    }

    /// What the names in a word of a command stand for.
    pub fn meant(&self, word: &str) -> String {
        self.meaning.get(word).cloned().unwrap_or_else(|| {
            let (before, last) = word.rsplit_once(' ').unwrap_or(("", word));
            match self.meaning.get(last) {
                Some(meant) => format!("{before} {meant}"),
                None => word.to_owned(),
            }
        })
    }

    fn name(&mut self, word: &str) -> String {
        let core = word.trim_end_matches(['.', ':']);
        let tail = &word[core.len()..];
        if let Some(name) = self.given.get(core) {
            return format!("{name}{tail}");
        }
        if core.starts_with("secret=") {
            return "secret=SECRET".to_owned();
        }
        if core.contains(ADDRESSES.0) || core.contains(ADDRESSES.1) {
            // What an address ends with may have been made up just now.
            return match word.rsplit_once('/') {
                Some((place, id)) if is_uuid(id) => format!("{place}/{}", self.name(id)),
                Some(_) | None => word.to_owned(),
            };
        }
        let hex = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let kind = match core.split_once('_') {
            Some((kind, id)) if kind.len() == 3 && (id.len() == 26 || hex(id)) => format!("{kind}_"),
            _ if hex(core) => "DIGEST-".to_owned(),
            _ if is_uuid(core) => "UUID-".to_owned(),
            _ if is_span(core) => return format!("SPAN{tail}"),
            _ if is_day(core) => return format!("DAY{tail}"),
            _ => return placeholders(word),
        };
        let name =
            format!("{kind}{}", self.meaning.keys().filter(|name| name.starts_with(&kind)).count() + 1);
        self.given.insert(core.to_owned(), name.clone());
        if hex(core) {
            self.given.insert(core[..8].to_owned(), name.clone());
        }
        self.meaning.insert(name.clone(), core.to_owned());
        format!("{name}{tail}")
    }
}

/// Whether it is a date such as `2026-11-21`.
fn is_day(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    parts.iter().map(|part| part.len()).eq([4, 2, 2]) && parts.concat().bytes().all(|b| b.is_ascii_digit())
}

/// Whether it is how long something took, such as `240ms` or `+1.2s`.
fn is_span(word: &str) -> bool {
    let number = word.strip_suffix("ms").or_else(|| word.strip_suffix('s')).unwrap_or_default();
    let number = number.strip_prefix('+').unwrap_or(number);
    number.starts_with(|c: char| c.is_ascii_digit())
        && number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Whether it is a UUID, as the lab gives them to what it makes.
fn is_uuid(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.concat().bytes().all(|b| b.is_ascii_hexdigit())
}

#[test]
fn what_is_printed_again_has_the_same_name_and_means_what_it_was() {
    let mut names = Names::default();
    let (one, two) = ("pln_01jd3v8k5mfa8rsw1r2q9n6x4e", "pln_01jd3v8k5mfa8rsw1r2q9n6x4f");
    let digest = "0a".repeat(32);
    assert_eq!(
        names.mask(&format!("{two}  x\n{one} {two}: {digest} as 0a0a0a0a\n")),
        format!("pln_1{}  x\npln_2 pln_1: DIGEST-1 as DIGEST-1\n", " ".repeat(25))
    );
    assert_eq!(
        (names.meant("pln_1"), names.meant("DIGEST-1"), names.meant("chat")),
        (two.to_owned(), digest, "chat".to_owned())
    );
    assert_eq!(names.meant("Bearer pln_2"), format!("Bearer {one}"));
    assert_eq!(
        names.mask("x 2  (18 calls, last)\ny  (3 calls, last x)\n"),
        "x 2  (18 calls, last)\ny  (N calls, last x)\n"
    );
    assert_eq!(names.mask("took 5ms   late\ntook +120ms late\n"), "took SPAN  late\ntook SPAN late\n");
    assert_eq!(names.mask("on 2026-11-21: 1-2-3\n"), "on DAY: 1-2-3\n");
    assert_eq!(names.mask("hr/1 at 2026-11-21T03:04:05Z, so\n"), "hr/1 at TIME, so\n");
}
