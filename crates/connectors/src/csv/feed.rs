//! A file as a sequence of rows of text, read in windows through the line.

use std::{borrow::Cow, fmt, str::FromStr};

use bailiwick_connector::{Call, ConnectorError, ErrorKind, Line, Result};
use bailiwick_core::scope::Operation;
use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::{
    scan::{self, Found, Record},
    settings::Settings,
};

/// The smallest and the largest window, bytes.
const WINDOW: (u64, u64) = (64 << 10, 1 << 20);
/// About what a record takes; for choosing a window that holds a page.
const USUAL_RECORD: u64 = 512;
/// A longer record is a missing quote.
const LONGEST_RECORD: usize = 1 << 20;

/// How text is made of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Charset(&'static Encoding);

impl Charset {
    /// The encoding with a WHATWG label, if a file with this delimiter can be read in it.
    pub(super) fn of(label: &str, delimiter: u8) -> Result<Self, String> {
        let Some(encoding) = Encoding::for_label(label.as_bytes()) else {
            return Err(format!(
                "has `{label}`, which is not an encoding; examples are utf-8, windows-1252, utf-16le"
            ));
        };
        let wide = encoding == UTF_16LE || encoding == UTF_16BE;
        if !wide && !encoding.is_ascii_compatible() || encoding.name() == "x-user-defined" {
            return Err(format!("has `{label}`, which is not supported for files"));
        }
        // In these the second byte of a character can be a letter or `|`, though never `,`, `;` or a tab.
        if !wide && encoding != UTF_8 && !encoding.is_single_byte() && delimiter >= 0x40 {
            return Err(format!("has `{label}`, in which the delimiter can be a part of another character"));
        }
        Ok(Self(encoding))
    }

    fn wide(self) -> bool {
        self.0 == UTF_16LE || self.0 == UTF_16BE
    }

    /// The text of a field, `None` when the bytes are none. Wide ones were made UTF-8 before.
    fn text(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        let text = if self.wide() || self.0 == UTF_8 {
            Cow::Borrowed(std::str::from_utf8(bytes).ok()?)
        } else {
            // The C1 controls stand for bytes that the encoding leaves undefined: mostly it is the wrong one.
            let text = self.0.decode_without_bom_handling_and_without_replacement(bytes)?;
            if text.chars().any(|c| ('\u{80}'..='\u{9f}').contains(&c)) {
                return None;
            }
            text
        };
        (!text.contains('\0')).then_some(text)
    }

    /// Where in `bytes` the first thing is that [`text`](Self::text) refuses.
    fn fault(self, bytes: &[u8]) -> usize {
        let bad = if self.wide() || self.0 == UTF_8 {
            std::str::from_utf8(bytes).map_or_else(|e| e.valid_up_to(), str::len)
        } else {
            let mut out = vec![0; bytes.len() * 4 + 16];
            match self
                .0
                .new_decoder_without_bom_handling()
                .decode_to_utf8_without_replacement(bytes, &mut out, true)
            {
                (DecoderResult::Malformed(length, after), read, _) => {
                    read - usize::from(length) - usize::from(after)
                }
                (DecoderResult::InputEmpty | DecoderResult::OutputFull, read, _) => read,
            }
        };
        let bad = bytes.iter().position(|b| *b == 0).map_or(bad, |zero| zero.min(bad));
        let undefined =
            |(at, _): &(usize, &u8)| self.0.is_single_byte() && self.text(&bytes[*at..=*at]).is_none();
        bytes[..bad].iter().enumerate().find(undefined).map_or(bad, |(at, _)| at)
    }
}

/// Where the next record is: its offset, the line ends before it, and which state of the file is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    offset: u64,
    lines: u64,
    etag: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.offset, self.lines, self.etag)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '.');
        let mut part = || parts.next().ok_or(());
        let (offset, lines) = (part()?.parse().map_err(drop)?, part()?.parse().map_err(drop)?);
        Ok(Self { offset, lines, etag: part()?.to_owned() })
    }
}

/// One record as text.
pub(super) struct Row<'f> {
    pub(super) cells: Vec<Cow<'f, str>>,
    /// The line it begins on, from 1.
    pub(super) line: u64,
}

/// A file that is being read.
pub(super) struct Feed<'a> {
    line: &'a Line,
    settings: &'a Settings,
    charset: Charset,
    path: String,
    window: u64,
    etag: String,
    size: u64,
    /// What is read and not yet dropped; UTF-8 when the charset is wide.
    bytes: Vec<u8>,
    /// How much of `bytes` was consumed.
    used: usize,
    /// The offset in the file of `bytes[used]`.
    offset: u64,
    /// The offset in the file of the end of `bytes`.
    fetched: u64,
    /// The line ends before `offset`.
    lines: u64,
    record: Record,
}

impl<'a> Feed<'a> {
    /// Opens the file; `wish` is how many records will be wanted.
    pub(super) async fn open(line: &'a Line, settings: &'a Settings, wish: u32) -> Result<Self> {
        let mut feed = Self {
            line,
            settings,
            charset: settings.charset,
            path: settings.file.split('/').fold(String::new(), |path, name| path + "/" + &encoded(name)),
            window: (u64::from(wish) * USUAL_RECORD).clamp(WINDOW.0, WINDOW.1),
            etag: String::new(),
            size: 0,
            bytes: Vec::new(),
            used: 0,
            offset: 0,
            fetched: 0,
            lines: 0,
            record: Record::default(),
        };
        let first = feed.fetch().await?;
        let mut begin = 0;
        if let Some((encoding, length)) = Encoding::for_bom(&first) {
            (feed.charset, begin) = (Charset(encoding), length);
        }
        (feed.offset, feed.fetched) = (begin as u64, begin as u64);
        feed.take(&first[begin..])?;
        Ok(feed)
    }

    /// Goes on at a place that was given out before.
    pub(super) fn go_to(&mut self, cursor: &str) -> Result<()> {
        let place: Place = cursor.parse().map_err(|()| {
            ConnectorError::none(ErrorKind::Invalid, "the cursor is not one that this listing gave")
        })?;
        if place.etag != self.etag || place.offset > self.size {
            return Err(self.changed());
        }
        self.bytes.clear();
        self.used = 0;
        (self.offset, self.fetched, self.lines) = (place.offset, place.offset, place.lines);
        Ok(())
    }

    /// The place after the last row; `None` at the end of the file.
    pub(super) fn place(&self) -> Option<Place> {
        let place = Place { offset: self.offset, lines: self.lines, etag: self.etag.clone() };
        (self.offset < self.size).then_some(place)
    }

    /// The next row; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Row<'_>>> {
        let (used, lines) = loop {
            let last = self.fetched == self.size;
            match scan::record(&self.bytes[self.used..], last, self.settings.delimiter, &mut self.record) {
                Ok(Found::Record { used, lines }) => break (used, lines),
                Ok(Found::Blank { used, lines }) => {
                    self.consume(used, lines);
                    if last {
                        return Ok(None);
                    }
                }
                Ok(Found::Part) if self.bytes.len() - self.used > LONGEST_RECORD => {
                    let problem = "begins a record of more than 1 MiB; is a quote missing?";
                    return Err(self.fault("feed-bad-quote", self.lines + 1, problem));
                }
                Ok(Found::Part) => {}
                Err((fault, before)) => {
                    return Err(self.fault("feed-bad-quote", self.lines + before + 1, fault.words()));
                }
            }
            let more = self.fetch().await?;
            self.bytes.drain(..self.used);
            self.used = 0;
            self.take(&more)?;
        };
        let line = self.lines + self.record.before + 1;
        let begin = self.used;
        self.consume(used, lines);
        if self.record.raw().any(|bytes| self.charset.text(bytes).is_none()) {
            let record = &self.bytes[begin..begin + used];
            return Err(self.bad_bytes(record, self.charset.fault(record), self.lines - lines));
        }
        let cells = self.record.raw().filter_map(|bytes| self.charset.text(bytes)).collect();
        Ok(Some(Row { cells, line }))
    }

    fn consume(&mut self, used: usize, lines: u64) {
        let consumed = &self.bytes[self.used..self.used + used];
        self.offset += if self.charset.wide() {
            let text = std::str::from_utf8(consumed).unwrap_or_default();
            2 * text.chars().map(|c| c.len_utf16() as u64).sum::<u64>()
        } else {
            used as u64
        };
        self.used += used;
        self.lines += lines;
    }

    /// The bytes of the next window.
    async fn fetch(&mut self) -> Result<bytes::Bytes> {
        let range = format!("bytes={}-{}", self.fetched, self.fetched + self.window - 1);
        let call = Call::new(Operation::List, "READ", self.path.as_str()).header("range", range);
        let answer = self.line.send(call).await?;
        let total = answer.header("content-range").and_then(|r| r.rsplit('/').next()?.parse().ok());
        let (Some(total), Some(etag)) = (total, answer.header("etag").map(|e| e.trim_matches('"'))) else {
            let file = &self.settings.file;
            return Err(match answer.status {
                404 => {
                    let message = format!("`{file}`: there is no such file in the folder");
                    ConnectorError::none(ErrorKind::NotFound, message).with_detail("feed-missing")
                }
                status => {
                    let message = format!("`{file}`: reading it was answered with status {status}");
                    ConnectorError::none(ErrorKind::Malformed, message)
                }
            });
        };
        if self.etag.is_empty() {
            self.etag = etag.to_owned();
            self.size = total;
        }
        if self.etag != etag || (answer.status == 416 && total > 0) {
            return Err(self.changed());
        }
        Ok(if answer.status == 416 { bytes::Bytes::new() } else { answer.body })
    }

    /// Adds the bytes of a window that begins at `fetched`, as far as they are whole characters.
    fn take(&mut self, raw: &[u8]) -> Result<()> {
        if !self.charset.wide() {
            self.bytes.extend_from_slice(raw);
            self.fetched += raw.len() as u64;
            return Ok(());
        }
        let last = self.fetched + raw.len() as u64 == self.size;
        let (pairs, odd) = raw.as_chunks::<2>();
        let unit = |pair: &[u8; 2]| {
            if self.charset.0 == UTF_16LE { u16::from_le_bytes(*pair) } else { u16::from_be_bytes(*pair) }
        };
        let cut = pairs.last().is_some_and(|pair| !last && (0xd800..0xdc00).contains(&unit(pair)));
        let whole = &pairs[..pairs.len() - usize::from(cut)];
        let mut text = String::with_capacity(raw.len());
        let mut good = true;
        for character in char::decode_utf16(whole.iter().map(unit)) {
            good &= character.is_ok();
            let Ok(character) = character else { break };
            text.push(character);
        }
        self.bytes.extend_from_slice(text.as_bytes());
        if !good || (last && !odd.is_empty()) {
            let unread = &self.bytes[self.used..];
            return Err(self.bad_bytes(unread, unread.len(), self.lines));
        }
        self.fetched += 2 * whole.len() as u64;
        Ok(())
    }

    fn changed(&self) -> ConnectorError {
        let message =
            format!("`{}`: the file was replaced while it was read; begin again", self.settings.file);
        ConnectorError::none(ErrorKind::Stale, message).with_detail("feed-changed")
    }

    /// An error on a line.
    fn fault(&self, code: &'static str, line: u64, problem: &str) -> ConnectorError {
        let message = format!("`{}`: line {line} {problem}", self.settings.file);
        ConnectorError::none(ErrorKind::Malformed, message).with_detail(code)
    }

    /// An error at `bytes[at]`; `lines` are the line ends before `bytes`.
    fn bad_bytes(&self, bytes: &[u8], at: usize, lines: u64) -> ConnectorError {
        let before = &bytes[..at.min(bytes.len())];
        let begin = before.iter().rposition(|b| matches!(b, b'\r' | b'\n')).map_or(0, |end| end + 1);
        let column = self.charset.text(&before[begin..]).map_or(at - begin, |text| text.chars().count()) + 1;
        let problem = format!(
            "column {column} is not {}; set `encoding` to what the file is written in",
            self.charset.0.name()
        );
        self.fault("feed-bad-encoding", lines + scan::line_ends(before) + 1, &problem)
    }
}

/// A file name as a path segment (RFC 3986 §3.3).
fn encoded(name: &str) -> String {
    name.bytes().fold(String::new(), |out, byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            out + char::from(byte).encode_utf8(&mut [0; 4])
        }
        other => out + &format!("%{other:02X}"),
    })
}
