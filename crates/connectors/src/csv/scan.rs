//! Finding records in bytes: RFC 4180, strictly.
//!
//! A quote stands around a whole field or, doubled, inside of a quoted one; anywhere else it is an
//! error, and so is a quote that is never closed: one missing quote would swallow the rest of a feed
//! without a word. Records end with LF, CRLF or CR; blank lines are skipped. The bytes are of UTF-8 or
//! of an encoding in which quote, delimiter and line ends cannot be part of another character.

/// One record, its quotes taken away.
#[derive(Default)]
pub(super) struct Record {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// How many line ends are before it in the bytes that it was found in.
    pub(super) before: u64,
}

impl Record {
    /// The bytes of each field.
    pub(super) fn raw(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }

    fn end_field(&mut self) {
        self.ends.push(self.bytes.len());
    }
}

/// What stands at the beginning of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A record, `used` bytes and `lines` lines long, blank lines before it included.
    Record { used: usize, lines: u64 },
    /// Blank lines, then nothing more in these bytes.
    Blank { used: usize, lines: u64 },
    /// A part of a record; show more bytes.
    Part,
}

/// Why there is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A quote inside of a field that does not begin with one.
    Stray,
    /// Something other than a delimiter or a line end after a closing quote.
    Trailing,
    /// The bytes end inside of quotes.
    Unclosed,
}

impl Fault {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Stray => {
                "has a quote in the middle of a field; quote the whole field and double the quotes inside"
            }
            Self::Trailing => "has text after a closing quote; double the quotes inside of a quoted field",
            Self::Unclosed => "begins a record with a quote that is never closed",
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Start,
    Plain,
    Quoted,
    Closed,
}

/// Reads the first record of `text` into `record`. `last`: no bytes follow. A fault comes with the
/// number of line ends before it.
pub(super) fn record(
    text: &[u8],
    last: bool,
    delimiter: u8,
    record: &mut Record,
) -> Result<Found, (Fault, u64)> {
    record.bytes.clear();
    record.ends.clear();
    let (mut at, mut lines) = blank_lines(text, last);
    if at == text.len() {
        return Ok(Found::Blank { used: at, lines });
    }
    let mut state = State::Start;
    record.before = lines;
    while let Some(&byte) = text.get(at) {
        let next = text.get(at + 1);
        match (state, byte) {
            (State::Quoted, b'"') => state = State::Closed,
            (State::Closed, b'"') => {
                record.bytes.push(b'"');
                state = State::Quoted;
            }
            (State::Quoted, _) => {
                record.bytes.push(byte);
                lines += u64::from(byte == b'\n' || (byte == b'\r' && next != Some(&b'\n')));
            }
            (State::Start | State::Plain | State::Closed, b'\r') if next.is_none() && !last => {
                return Ok(Found::Part);
            }
            (State::Start | State::Plain | State::Closed, b'\r' | b'\n') => {
                record.end_field();
                let used = at + if byte == b'\r' && next == Some(&b'\n') { 2 } else { 1 };
                return Ok(Found::Record { used, lines: lines + 1 });
            }
            (State::Start | State::Plain | State::Closed, _) if byte == delimiter => {
                record.end_field();
                state = State::Start;
            }
            (State::Start, b'"') => state = State::Quoted,
            (State::Plain, b'"') => return Err((Fault::Stray, lines)),
            (State::Closed, _) => return Err((Fault::Trailing, lines)),
            (State::Start | State::Plain, _) => {
                record.bytes.push(byte);
                state = State::Plain;
            }
        }
        at += 1;
    }
    match state {
        _ if !last => Ok(Found::Part),
        State::Quoted => Err((Fault::Unclosed, record.before)),
        State::Start | State::Plain | State::Closed => {
            record.end_field();
            Ok(Found::Record { used: at, lines })
        }
    }
}

/// How many bytes and lines of nothing but line ends are at the beginning.
fn blank_lines(text: &[u8], last: bool) -> (usize, u64) {
    let (mut at, mut lines) = (0, 0);
    loop {
        at += match &text[at..] {
            [b'\r', b'\n', ..] => 2,
            [b'\r'] if !last => return (at, lines),
            [b'\r' | b'\n', ..] => 1,
            _ => return (at, lines),
        };
        lines += 1;
    }
}

/// How many line ends are in `text`.
pub(super) fn line_ends(text: &[u8]) -> u64 {
    let pairs = text.windows(2).filter(|w| w == b"\r\n").count();
    let all = text.iter().filter(|b| matches!(b, b'\r' | b'\n')).count();
    (all - pairs) as u64
}

#[cfg(test)]
mod tests;
