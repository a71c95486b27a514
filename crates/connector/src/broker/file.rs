//! Reading a file of the endpoint's folder, as if it were a resource.
//!
//! `READ` takes one `range` header (RFC 9110 §14.2, `bytes=FIRST-LAST`) and answers like a server would:
//! 200 or 206 with `content-range` and an `etag` that changes when the file is replaced or written;
//! 404 when there is no such file; 416 when the range begins behind its end.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    os::unix::{ffi::OsStringExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use super::{
    call::{Answer, Call},
    destination::percent_decode,
};
use crate::{ConnectorError, ErrorKind, Result};

/// Reads what the call asks for from a file inside of `folder`.
pub(super) fn read(folder: &Path, call: &Call, limit: u64) -> Result<Answer> {
    let range = match call.headers.iter().find(|(name, _)| *name == "range") {
        Some((_, value)) => Some(range(value).ok_or_else(|| {
            ConnectorError::none(
                ErrorKind::Invalid,
                format!("`{value}` is not a range of the form `bytes=FIRST-LAST`"),
            )
        })?),
        None => None,
    };
    let failed = |e: io::Error| match e.kind() {
        io::ErrorKind::PermissionDenied => {
            ConnectorError::none(ErrorKind::Forbidden, format!("the file `{}` may not be read", call.path))
        }
        _ => ConnectorError::none(
            ErrorKind::Unreachable,
            format!("the file `{}` cannot be read: {e}", call.path),
        ),
    };
    let missing = || Answer { status: 404, headers: Vec::new(), body: bytes::Bytes::new() };
    let (mut file, about) = match open(folder, &call.path) {
        Ok(Some(opened)) => opened,
        Ok(None) => return Ok(missing()),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            // A folder that is not there is not a file that is not there: that one is mounted elsewhere.
            return if folder.is_dir() { Ok(missing()) } else { Err(failed(e)) };
        }
        Err(e) => return Err(failed(e)),
    };
    let size = about.len();
    if size > limit {
        let message = format!("the file `{}` has {size} bytes, and at most {limit} are read", call.path);
        return Err(ConnectorError::none(ErrorKind::Malformed, message));
    }
    let etag = format!("\"{:x}-{:x}-{:x}-{:x}\"", about.ino(), size, about.mtime(), about.mtime_nsec());
    let mut headers = vec![("etag".to_owned(), etag)];
    let (first, count, status) = match range {
        None => (0, size, 200),
        Some((first, _)) if first >= size => {
            headers.push(("content-range".to_owned(), format!("bytes */{size}")));
            return Ok(Answer { status: 416, headers, body: bytes::Bytes::new() });
        }
        Some((first, last)) => {
            let last = last.min(size - 1);
            headers.push(("content-range".to_owned(), format!("bytes {first}-{last}/{size}")));
            (first, last - first + 1, 206)
        }
    };
    file.seek(SeekFrom::Start(first)).map_err(failed)?;
    let mut body = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    file.take(count).read_to_end(&mut body).map_err(failed)?;
    if body.len() as u64 != count {
        let message = format!("the file `{}` became shorter while it was read", call.path);
        return Err(ConnectorError::none(ErrorKind::Unreachable, message));
    }
    Ok(Answer { status, headers, body: body.into() })
}

/// `None`: there is something, and it is not a regular file inside of the folder.
fn open(folder: &Path, path: &str) -> io::Result<Option<(File, fs::Metadata)>> {
    let folder = folder.canonicalize()?;
    let mut inside = folder.clone();
    for segment in path.split('/').skip(1) {
        let Some(name) = percent_decode(segment) else { return Ok(None) };
        if name.is_empty() || name.contains(&b'/') || name.contains(&0) || name == b"." || name == b".." {
            return Ok(None);
        }
        inside.push(std::ffi::OsString::from_vec(name));
    }
    // What the links lead to counts, and it is opened only when it is a file: a pipe would block.
    let real: PathBuf = inside.canonicalize()?;
    if !real.starts_with(&folder) || !fs::symlink_metadata(&real)?.is_file() {
        return Ok(None);
    }
    let file = File::open(&real)?;
    let (about, named) = (file.metadata()?, fs::symlink_metadata(&real)?);
    // The name was exchanged meanwhile.
    if !about.is_file() || (about.dev(), about.ino()) != (named.dev(), named.ino()) {
        return Ok(None);
    }
    Ok(Some((file, about)))
}

fn range(value: &str) -> Option<(u64, u64)> {
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}
