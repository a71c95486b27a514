//! The log as a sequence of whole lines, from a place on, in windows of its file and then of the one that followed.

use std::{fmt, str::FromStr};

use bailiwick_connector::{Call, ConnectorError, ErrorKind, Line, Result, Start};
use bailiwick_core::{audit::LOST, digest::Digest, scope::Operation, time::Timestamp};
use bytes::Bytes;

use super::{
    decode,
    settings::{Settings, path},
};

/// How many bytes are read at a time.
const WINDOW: u64 = 1 << 20;
/// A longer line is none of the server's, which takes requests of 32 MiB.
const LONGEST: usize = 64 << 20;
/// By so much of its beginning, or by its first line, a file is known: it has the time in nanoseconds.
const BEGINNING: u64 = 1_024;

/// A place in the log: in the file that begins like this, behind so many bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    offset: u64,
    begins: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.offset, self.begins)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (offset, begins) = text.split_once('.').ok_or(())?;
        Ok(Self { offset: offset.parse().map_err(drop)?, begins: begins.to_owned() })
    }
}

/// One file of the log.
#[derive(Clone, Copy)]
struct File<'a> {
    line: &'a Line,
    name: &'a str,
}

impl File<'_> {
    /// At most so many bytes from a place on, and how long the file is; none where there is no such file.
    async fn part(&self, first: u64, count: u64) -> Result<Option<(Bytes, u64)>> {
        let range = format!("bytes={first}-{}", first.saturating_add(count - 1));
        let call = Call::new(Operation::List, "READ", path(self.name)?).header("range", range);
        let answer = self.line.send(call).await?;
        let size = answer.header("content-range").and_then(|range| range.rsplit('/').next()?.parse().ok());
        match (answer.status, size) {
            (404, _) => Ok(None),
            (416, Some(size)) => Ok(Some((Bytes::new(), size))),
            (_, Some(size)) => Ok(Some((answer.body, size))),
            (status, None) => {
                let message = format!("`{}`: reading it was answered with status {status}", self.name);
                Err(ConnectorError::none(ErrorKind::Malformed, message))
            }
        }
    }

    /// How it begins; none while it has no whole line, or is not there.
    async fn begins(&self) -> Result<Option<String>> {
        let Some((bytes, _)) = self.part(0, BEGINNING).await? else { return Ok(None) };
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let end = end.or((bytes.len() as u64 == BEGINNING).then_some(bytes.len()));
        Ok(end.map(|end| Digest::of(&bytes[..end]).to_string()))
    }

    /// Where to begin for what was logged since an instant: lines are in the order of time, but for moments.
    async fn since(&self, at: Timestamp) -> Result<u64> {
        let (mut low, mut high) = (0, self.part(0, 1).await?.map_or(0, |(_, size)| size));
        while high.saturating_sub(low) > WINDOW {
            let middle = low + (high - low) / 2;
            let bytes = self.part(middle, WINDOW).await?.map(|(bytes, _)| bytes).unwrap_or_default();
            let begin = bytes.iter().position(|byte| *byte == b'\n').map(|end| end + 1);
            match begin.and_then(|begin| Some((begin, decode::time(&bytes[begin..])?))) {
                Some((begin, time)) if time < at => low = middle + begin as u64,
                Some(_) => high = middle,
                // In the middle of a line that is longer.
                None => break,
            }
        }
        Ok(low)
    }
}

/// The rest of the log from a place on.
pub(super) struct Tail<'a> {
    /// Where it is read, and where it goes on.
    file: File<'a>,
    next: Option<File<'a>>,
    /// Behind the last line that was shown, and where that began.
    place: Place,
    began: u64,
    /// What is read and not yet dropped, how much of it was shown, and how much more has no end of a line.
    bytes: Vec<u8>,
    used: usize,
    looked: usize,
}

impl<'a> Tail<'a> {
    /// Finds where to go on.
    pub(super) async fn open(line: &'a Line, settings: &'a Settings, from: Start<'_>) -> Result<Self> {
        let current = File { line, name: &settings.file };
        let before = settings.rotated.as_ref().map(|name| File { line, name });
        let beginning = current.begins().await?;
        let earlier = match before {
            Some(before) => before.begins().await?.map(|begins| (before, begins)),
            None => None,
        };
        match from {
            Start::Mark(mark) => {
                let place: Place = mark.parse().map_err(|()| lost(settings))?;
                let (file, next) = match (earlier, &beginning) {
                    (_, Some(begins)) if *begins == place.begins => (current, None),
                    (Some((before, begins)), _) if begins == place.begins => (before, Some(current)),
                    (_, None) if current.part(0, 1).await?.is_none() => return Err(missing(settings)),
                    _ => return Err(lost(settings)),
                };
                let end = file.part(place.offset.saturating_sub(1), 1).await?;
                let behind_a_line = end.is_some_and(|(byte, _)| *byte == b"\n"[..]);
                match behind_a_line || place.offset == 0 {
                    true => Ok(Self::at(file, next, place)),
                    false => Err(lost(settings)),
                }
            }
            Start::Instant(at) => {
                let first = current.part(0, BEGINNING).await?.and_then(|(bytes, _)| decode::time(&bytes));
                let (file, next, begins) = match (earlier, beginning) {
                    (Some((before, begins)), _) if first.is_none_or(|first| at < first) => {
                        (before, Some(current), begins)
                    }
                    (_, Some(begins)) => (current, None, begins),
                    (_, None) if current.part(0, 1).await?.is_none() => return Err(missing(settings)),
                    // There is no line yet.
                    (_, None) => (current, None, String::new()),
                };
                Ok(Self::at(file, next, Place { offset: file.since(at).await?, begins }))
            }
        }
    }

    fn at(file: File<'a>, next: Option<File<'a>>, place: Place) -> Self {
        Self { began: place.offset, file, next, place, bytes: Vec::new(), used: 0, looked: 0 }
    }

    /// The next whole line, without its end; none: there is none yet.
    pub(super) async fn next(&mut self) -> Result<Option<&[u8]>> {
        let length = loop {
            let unread = &self.bytes[self.used..];
            if let Some(end) = unread[self.looked..].iter().position(|byte| *byte == b'\n') {
                break self.looked + end;
            }
            self.looked = unread.len();
            if self.looked > LONGEST {
                return Err(self.unreadable("is longer than 64 MiB"));
            }
            if self.place.begins.is_empty() || !self.fetch().await? && !self.go_on().await? {
                return Ok(None);
            }
        };
        let begin = self.used;
        self.used += length + 1;
        self.looked = 0;
        self.place.offset += length as u64 + 1;
        Ok(Some(&self.bytes[begin..begin + length]))
    }

    /// Reads on; whether there was more. What was read is of this file if it still begins as it did.
    async fn fetch(&mut self) -> Result<bool> {
        self.bytes.drain(..self.used);
        self.used = 0;
        let part = self.file.part(self.place.offset + self.bytes.len() as u64, WINDOW).await?;
        match part {
            Some((bytes, _)) if self.file.begins().await?.as_deref() == Some(&*self.place.begins) => {
                self.bytes.extend_from_slice(&bytes);
                Ok(!bytes.is_empty())
            }
            Some(_) | None => {
                let message = format!("`{}`: the file was replaced while it was read", self.file.name);
                Err(ConnectorError::none(ErrorKind::Stale, message))
            }
        }
    }

    /// Goes to the file that followed, once something is in it: then nothing more comes into this one.
    async fn go_on(&mut self) -> Result<bool> {
        let Some(next) = self.next else { return Ok(false) };
        let Some(begins) = next.begins().await? else { return Ok(false) };
        if !self.bytes.is_empty() {
            return Err(self.unreadable("has no end, and the file is followed by another one"));
        }
        *self = Self::at(next, None, Place { offset: 0, begins });
        Ok(true)
    }

    /// Gives what comes behind the last line that was shown.
    pub(super) fn mark(&self) -> String {
        self.place.to_string()
    }

    /// How many bytes of this file were shown.
    pub(super) fn passed(&self) -> u64 {
        self.place.offset - self.began
    }

    /// An error of the last line that was shown, or of the one that is read.
    pub(super) fn unreadable(&self, why: &str) -> ConnectorError {
        let message = format!(
            "`{}`: the line that ends at or goes on behind byte {} {why}; have the file shipped as the audit device writes it, \
             or begin a new one",
            self.file.name, self.place.offset
        );
        ConnectorError::none(ErrorKind::Malformed, message)
    }
}

fn lost(settings: &Settings) -> ConnectorError {
    let rotated = match &settings.rotated {
        Some(rotated) => format!("neither `{}` nor `{rotated}` is the file", settings.file),
        None => format!("`{}` is not the file", settings.file),
    };
    let message = format!("{rotated} that was read last, or it became shorter");
    ConnectorError::none(ErrorKind::NotFound, message).with_detail(LOST)
}

fn missing(settings: &Settings) -> ConnectorError {
    let message = format!("`{}`: there is no such file in the folder", settings.file);
    ConnectorError::none(ErrorKind::NotFound, message)
}
