//! Canonical JSON: one value, one sequence of bytes.
//!
//! Promise: `scan` accepts exactly what `encode` writes. Members are sorted by the UTF-8 bytes of their names, there
//! is no insignificant whitespace, numbers are integers from -2^63 to 2^64-1, strings use the shortest
//! escapes, nesting is at most 64 deep. This is RFC 8785 except that it sorts by UTF-8 instead of UTF-16
//! and keeps 64-bit integers.
//!
//! Absent: floating point, because its text is not one in all languages.

use std::borrow::Cow;

use serde_json::Value;

use crate::error::EvidenceError;

/// Bytes of a long string that are looked at together.
const BLOCK: usize = 32;

/// Bytes of a short string that are looked at together.
const WORD: usize = 8;

/// With so many digits every number is in range.
const SAFE_DIGITS: usize = 18;

/// Arrays and objects may nest this deep.
pub const MAX_DEPTH: usize = 64;

/// The canonical bytes of any JSON value.
///
/// # Errors
/// `NotCanonical` if it holds a number that is not a 64-bit integer or nests deeper than [`MAX_DEPTH`]; `at`
/// is the length of what was encoded before it.
pub fn encode(value: &Value) -> Result<Vec<u8>, EvidenceError> {
    let mut out = Vec::with_capacity(128);
    write(value, 0, &mut out)?;
    Ok(out)
}

fn write(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), EvidenceError> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => {
            let text = match (number.as_u64(), number.as_i64()) {
                (Some(n), _) => n.to_string(),
                (None, Some(n)) => n.to_string(),
                (None, None) => {
                    return Err(EvidenceError::NotCanonical {
                        at: out.len(),
                        why: "number is not a 64-bit integer",
                    });
                }
            };
            out.extend_from_slice(text.as_bytes());
        }
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            let depth = deeper(depth, out.len())?;
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(item, depth, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let depth = deeper(depth, out.len())?;
            // Whether the map keeps insertion order is a feature that any crate of the build may turn on.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
            out.push(b'{');
            for (i, (name, member)) in members.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_string(name, out);
                out.push(b':');
                write(member, depth, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn deeper(depth: usize, at: usize) -> Result<usize, EvidenceError> {
    if depth < MAX_DEPTH {
        Ok(depth + 1)
    } else {
        Err(EvidenceError::NotCanonical { at, why: "nested too deep" })
    }
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text.as_bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Checks that `bytes` are what [`encode`] writes for some value. Allocates only for member names with escapes.
///
/// # Errors
/// `NotCanonical` with the place of the first byte that differs.
pub fn scan(bytes: &[u8]) -> Result<(), EvidenceError> {
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(EvidenceError::NotCanonical { at: error.valid_up_to(), why: "not UTF-8" });
    }
    let mut scanner = Scanner { bytes, at: 0 };
    scanner.value(0)?;
    if scanner.at == bytes.len() { Ok(()) } else { scanner.refuse("text after the value") }
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn refuse<T>(&self, why: &'static str) -> Result<T, EvidenceError> {
        Err(EvidenceError::NotCanonical { at: self.at, why })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, why: &'static str) -> Result<(), EvidenceError> {
        if self.take(byte) { Ok(()) } else { self.refuse(why) }
    }

    fn value(&mut self, depth: usize) -> Result<(), EvidenceError> {
        match self.peek() {
            Some(b'{') => self.object(deeper(depth, self.at)?),
            Some(b'[') => self.array(deeper(depth, self.at)?),
            Some(b'"') => self.string().map(|_| ()),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            Some(b'-' | b'0'..=b'9') => self.integer(),
            _ => self.refuse("expected a value"),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), EvidenceError> {
        self.at += 1;
        if self.take(b'}') {
            return Ok(());
        }
        let mut last: Option<Cow<'a, [u8]>> = None;
        loop {
            if self.peek() != Some(b'"') {
                return self.refuse("expected a member name");
            }
            let start = self.at;
            let name = self.string()?;
            if last.is_some_and(|last| last >= name) {
                self.at = start;
                return self.refuse("member names are not in ascending order");
            }
            last = Some(name);
            self.expect(b':', "expected a colon")?;
            self.value(depth)?;
            if !self.take(b',') {
                return self.expect(b'}', "expected a comma or the end of the object");
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), EvidenceError> {
        self.at += 1;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.value(depth)?;
            if !self.take(b',') {
                return self.expect(b']', "expected a comma or the end of the array");
            }
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), EvidenceError> {
        if self.bytes[self.at..].starts_with(word) {
            self.at += word.len();
            return Ok(());
        }
        self.refuse("expected true, false or null")
    }

    fn integer(&mut self) -> Result<(), EvidenceError> {
        let start = self.at;
        let negative = self.take(b'-');
        let digits = self.at;
        self.at += self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let count = self.at - digits;
        let leading_zero = self.bytes.get(digits) == Some(&b'0') && (negative || count > 1);
        let in_range = (1..=SAFE_DIGITS).contains(&count) || {
            let text = std::str::from_utf8(&self.bytes[start..self.at]).unwrap_or_default();
            if negative { text.parse::<i64>().is_ok() } else { text.parse::<u64>().is_ok() }
        };
        if leading_zero || !in_range || matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            self.at = start;
            return self.refuse("number is not a 64-bit integer in its shortest form");
        }
        Ok(())
    }

    /// Consumes a string and gives its content back with escapes resolved.
    fn string(&mut self) -> Result<Cow<'a, [u8]>, EvidenceError> {
        self.at += 1;
        let start = self.at;
        let mut decoded: Option<Vec<u8>> = None;
        loop {
            let plain = plain(&self.bytes[self.at..]);
            if let Some(decoded) = &mut decoded {
                decoded.extend_from_slice(&self.bytes[self.at..self.at + plain]);
            }
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    let raw = &self.bytes[start..self.at];
                    self.at += 1;
                    return Ok(decoded.map_or(Cow::Borrowed(raw), Cow::Owned));
                }
                Some(b'\\') => {
                    let before = &self.bytes[start..self.at];
                    let byte = self.escape()?;
                    decoded.get_or_insert_with(|| before.to_vec()).push(byte);
                }
                Some(_) => return self.refuse("control character is not escaped"),
                None => return self.refuse("string does not end"),
            }
        }
    }

    fn escape(&mut self) -> Result<u8, EvidenceError> {
        let rest = &self.bytes[self.at + 1..];
        let (byte, len) = match rest.first() {
            Some(b'"') => (b'"', 2),
            Some(b'\\') => (b'\\', 2),
            Some(b'b') => (0x08, 2),
            Some(b't') => (b'\t', 2),
            Some(b'n') => (b'\n', 2),
            Some(b'f') => (0x0c, 2),
            Some(b'r') => (b'\r', 2),
            Some(b'u') if rest.len() >= 5 && rest[1..3] == *b"00" => {
                let (high, low) = (rest[3], rest[4]);
                let nibble = match low {
                    b'0'..=b'9' => low - b'0',
                    b'a'..=b'f' => low - b'a' + 10,
                    _ => return self.refuse("escape is not the shortest form"),
                };
                let byte = match high {
                    b'0' => nibble,
                    b'1' => 0x10 | nibble,
                    _ => return self.refuse("escape is not the shortest form"),
                };
                if matches!(byte, 0x08..=0x0a | 0x0c | 0x0d) {
                    return self.refuse("escape is not the shortest form");
                }
                (byte, 6)
            }
            _ => return self.refuse("escape is not the shortest form"),
        };
        self.at += len;
        Ok(byte)
    }
}

/// How many bytes at the start of `text` stand for themselves in a string.
fn plain(text: &[u8]) -> usize {
    // Names and most values end within two words; only what is longer is worth whole blocks.
    let (head, rest) = text.split_at(text.len().min(2 * WORD));
    let found = plain_by_words(head);
    if found < head.len() || rest.is_empty() {
        return found;
    }
    let special = |byte: u8| (byte < 0x20) | (byte == b'"') | (byte == b'\\');
    // Without a branch for each byte, the compiler compares a whole block at once.
    let clean = |block: &&[u8; BLOCK]| !block.iter().fold(false, |found, &byte| found | special(byte));
    let start = BLOCK * rest.as_chunks().0.iter().take_while(clean).count();
    found + start + plain_by_words(&rest[start..])
}

/// The same, eight bytes at a time.
fn plain_by_words(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; WORD]);
    const HIGH: u64 = ONES << 7;
    // The lowest byte that is marked is the first special one: a borrow marks wrong bytes only above a right one.
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGH;
    let equal = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let (words, rest) = text.as_chunks::<WORD>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let special = below(word, 0x20) | equal(word, b'"') | equal(word, b'\\');
        if special != 0 {
            return at * WORD + (special.trailing_zeros() / u8::BITS) as usize;
        }
    }
    let special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    words.len() * WORD + rest.iter().position(special).unwrap_or(rest.len())
}
