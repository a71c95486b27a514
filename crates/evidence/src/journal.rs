//! The journal: one preallocated file in which a batch becomes durable with one write and one flush.
//!
//! Layout: two header slots of 4 KiB, then records. A header holds the checkpoint that the journal starts
//! from: everything before it is durable in tiles. A record holds the entries of a batch and the checkpoint
//! after it. There is no checksum of a record: it counts only if its entries lead from the tree before it to
//! the root that the log's key signed in it, so a torn record, or one left from an earlier use of the file,
//! cannot be taken for a whole one.
//!
//! To start over, the other header slot is written; the old header and its records stay valid until that is
//! durable. The file never grows, so a flush writes no metadata.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use crate::{
    checkpoint::Checkpoint,
    error::EvidenceError,
    files::{Durable, Files},
    hash::Hash,
    key::VerifierKey,
    tile,
};

const NAME: &str = "journal";
const MAGIC: &[u8; 8] = b"bwjrnl1\n";
const SLOT: u64 = 4096;
const RECORDS: u64 = 2 * SLOT;
/// Body length, first index, number of entries.
const RECORD_HEAD: u64 = 4 + 8 + 4;
const CHECKSUM: usize = Hash::LEN;

/// The smallest journal, so that at least one longest entry fits with its checkpoint.
pub(crate) const MIN_BYTES: u64 = 128 * 1024;

/// Where the next record goes.
pub(crate) struct Journal {
    path: PathBuf,
    bytes: u64,
    slot: u64,
    generation: u64,
    offset: u64,
}

/// A record as it lies in the file.
pub(crate) struct Record<'a> {
    pub(crate) start: u64,
    pub(crate) entries: Vec<&'a [u8]>,
    pub(crate) checkpoint: Checkpoint,
    raw: &'a [u8],
}

impl Journal {
    /// Where the journal of a log lies.
    pub(crate) fn path(dir: &Path) -> PathBuf {
        dir.join(NAME)
    }

    /// Makes the journal of a log that starts from `base`. It is there whole or not at all.
    pub(crate) fn create(
        files: &dyn Files,
        dir: &Path,
        bytes: u64,
        base: &Checkpoint,
    ) -> Result<Self, EvidenceError> {
        let (path, draft) = (Self::path(dir), dir.join("journal.new"));
        let mut content = header(0, base);
        content.resize(bytes as usize, 0);
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |source| EvidenceError::Io { action, path, source }
        };
        files.write(&draft, &content).map_err(io("write", &draft))?;
        files.sync(std::slice::from_ref(&draft)).map_err(io("flush", &draft))?;
        files.rename(&draft, &path).map_err(io("create", &path))?;
        flush_names(files, dir)?;
        Ok(Self { path, bytes, slot: 0, generation: 0, offset: RECORDS })
    }

    /// The journal of a file's content, with the checkpoint that it starts from.
    pub(crate) fn load(
        path: &Path,
        content: &[u8],
        key: &VerifierKey,
    ) -> Result<(Self, Checkpoint), EvidenceError> {
        let damaged = |why| EvidenceError::JournalDamaged { path: path.to_owned(), why };
        let slots: BTreeMap<u64, (u64, &str)> = (0..2)
            .filter_map(|slot| {
                let (generation, note) = parse_header(content.get((slot * SLOT) as usize..)?)?;
                Some((generation, (slot, note)))
            })
            .collect();
        let (generation, (slot, note)) =
            slots.into_iter().next_back().ok_or(damaged("there is no valid header"))?;
        let base = Checkpoint::open(note, std::slice::from_ref(key))
            .map_err(|_| damaged("its checkpoint is not signed by this key"))?;
        let bytes = content.len() as u64;
        Ok((Self { path: path.to_owned(), bytes, slot, generation, offset: RECORDS }, base))
    }

    /// The record at the current place of `content`, if there is one; its root and signature are not checked.
    pub(crate) fn peek<'a>(&self, content: &'a [u8]) -> Option<Record<'a>> {
        let rest = content.get(self.offset as usize..)?;
        let (len, body) = rest.split_first_chunk()?;
        let body = body.get(..u32::from_be_bytes(*len) as usize)?;
        let raw = &rest[..4 + body.len()];
        let (start, body) = body.split_first_chunk()?;
        let (count, body) = body.split_first_chunk()?;
        let count = u32::from_be_bytes(*count) as usize;
        let entries: Vec<_> = tile::entries(body).take(count).collect();
        if entries.len() < count || count == 0 {
            return None;
        }
        let len: usize = entries.iter().map(|entry| 2 + entry.len()).sum();
        let checkpoint = Checkpoint::parse(std::str::from_utf8(&body[len..]).ok()?).ok()?;
        Some(Record { start: u64::from_be_bytes(*start), entries, checkpoint, raw })
    }

    /// Steps over a record that counts.
    pub(crate) fn skip(&mut self, record: &Record<'_>) {
        self.offset += record.raw.len() as u64;
    }

    /// Makes durable what was read: a process may have died between a write and its flush. Only then may it
    /// be published.
    pub(crate) fn confirm(
        &self,
        files: &dyn Files,
        dir: &Path,
        content: &[u8],
        last: Option<&Record<'_>>,
    ) -> Result<(), EvidenceError> {
        flush_names(files, dir)?;
        let slot = (self.slot * SLOT) as usize;
        self.put(files, self.slot * SLOT, &content[slot..slot + SLOT as usize])?;
        match last {
            Some(record) => self.put(files, self.offset - record.raw.len() as u64, record.raw),
            None => Ok(()),
        }
    }

    /// Whether a record of that many bytes fits.
    pub(crate) fn fits(&self, len: u64) -> bool {
        self.offset + len <= self.bytes
    }

    /// The longest record that fits into an empty journal.
    pub(crate) fn capacity(&self) -> u64 {
        self.bytes - RECORDS
    }

    /// Writes a batch, and beside it the tiles that it fills; the batch is durable when it returns. The caller has
    /// made sure that it fits.
    pub(crate) fn append(
        &mut self,
        files: &dyn Files,
        start: u64,
        entries: &[&[u8]],
        checkpoint: &Checkpoint,
        tiles: &[(PathBuf, Vec<u8>)],
    ) -> Result<(), EvidenceError> {
        let note = checkpoint.to_string();
        let mut record = Vec::with_capacity(record_len(entries, note.len()) as usize);
        record.extend_from_slice(&[0; 4]);
        record.extend_from_slice(&start.to_be_bytes());
        record.extend_from_slice(&(entries.len() as u32).to_be_bytes());
        for entry in entries {
            tile::push_entry(&mut record, entry)?;
        }
        record.extend_from_slice(note.as_bytes());
        let body = (record.len() - 4) as u32;
        record[..4].copy_from_slice(&body.to_be_bytes());
        let durable = Durable { path: &self.path, offset: self.offset, bytes: &record };
        files.write_batch(durable, tiles).map_err(|source| EvidenceError::Io {
            action: "append to",
            path: self.path.clone(),
            source,
        })?;
        self.offset += record.len() as u64;
        Ok(())
    }

    /// Starts over from `base`, which is durable outside of the journal.
    pub(crate) fn restart(&mut self, files: &dyn Files, base: &Checkpoint) -> Result<(), EvidenceError> {
        let (slot, generation) = (1 - self.slot, self.generation + 1);
        self.put(files, slot * SLOT, &header(generation, base))?;
        (self.slot, self.generation, self.offset) = (slot, generation, RECORDS);
        Ok(())
    }

    /// How often it has started over.
    #[cfg(test)]
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    fn put(&self, files: &dyn Files, offset: u64, bytes: &[u8]) -> Result<(), EvidenceError> {
        files.write_durable(&self.path, offset, bytes).map_err(|source| EvidenceError::Io {
            action: "write",
            path: self.path.clone(),
            source,
        })
    }
}

/// Makes the journal's name durable, and those of the directories down to it.
fn flush_names(files: &dyn Files, dir: &Path) -> Result<(), EvidenceError> {
    // The directory may be new, and the one above it, and so on.
    for (above, dir) in dir.ancestors().enumerate() {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        match files.sync(&[dir.to_owned()]) {
            // Who may not read a directory far above has not made it either.
            Err(error) if above < 2 || error.kind() != ErrorKind::PermissionDenied => {
                let path = dir.to_owned();
                return Err(EvidenceError::Io { action: "flush", path, source: error });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Bytes of a record with a note of `note` bytes.
pub(crate) fn record_len(entries: &[&[u8]], note: usize) -> u64 {
    RECORD_HEAD + note as u64 + entries.iter().map(|entry| 2 + entry.len() as u64).sum::<u64>()
}

fn header(generation: u64, base: &Checkpoint) -> Vec<u8> {
    let note = base.to_string();
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&generation.to_be_bytes());
    bytes.extend_from_slice(&(note.len() as u32).to_be_bytes());
    bytes.extend_from_slice(note.as_bytes());
    let checksum = Hash::of(&bytes);
    bytes.extend_from_slice(checksum.as_bytes());
    bytes.resize(SLOT as usize, 0);
    bytes
}

fn parse_header(bytes: &[u8]) -> Option<(u64, &str)> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (generation, rest) = rest.split_first_chunk()?;
    let (len, rest) = rest.split_first_chunk()?;
    let (note, rest) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
    let signed = &bytes[..MAGIC.len() + 8 + 4 + note.len()];
    let checksum = rest.get(..CHECKSUM)?;
    if Hash::of(signed).as_bytes() != checksum {
        return None;
    }
    Some((u64::from_be_bytes(*generation), std::str::from_utf8(note).ok()?))
}
