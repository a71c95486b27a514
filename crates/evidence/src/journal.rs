//! The journal: one preallocated file in which a batch becomes durable with one write and one flush.
//!
//! Layout: two header slots of 4 KiB, then records. A header holds the checkpoint that the journal starts
//! from: everything before it is durable in tiles. A record holds the root of the tree before it, the entries of
//! a batch, and a seal over both under a secret of the log's key. It counts only if it continues that tree and the
//! seal holds, so a torn record, one left from an earlier use of the file, or one by another hand cannot be taken
//! for a whole one. A signed root would say the same, but the flush would have to wait until the tree is hashed.
//!
//! To start over, the other header slot is written; the old header and its records stay valid until that is
//! durable. The file never grows, so a flush writes no metadata.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    mem,
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    aead::{AES_256_GCM, AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce},
    constant_time::verify_slices_are_equal,
    error::Unspecified,
};

use crate::{checkpoint::Checkpoint, error::EvidenceError, files::Files, hash::Hash, key::Signer, tile};

const NAME: &str = "journal";
const MAGIC: &[u8; 8] = b"bwjrnl3\n";
const SLOT: u64 = 4096;
const RECORDS: u64 = 2 * SLOT;
const CHECKSUM: usize = Hash::LEN;
/// Length of what follows; root before, first index, number of entries.
const RECORD_HEAD: usize = 4 + Hash::LEN + 8 + 4;
const SEAL: usize = 16;
const BLOCK_CONTEXT: &[u8] = b"bailiwick/journal/v3/block\n";
const SEAL_CONTEXT: &[u8] = b"bailiwick/journal/v3/seal\n";

/// The smallest journal, so that at least one longest entry fits with its checkpoint.
pub(crate) const MIN_BYTES: u64 = 128 * 1024;

/// Where the next record goes.
pub(crate) struct Journal {
    path: PathBuf,
    bytes: u64,
    slot: u64,
    generation: u64,
    offset: u64,
    seal: Seal,
    /// Room for a record, kept because fresh memory costs more than what is done with it.
    record: Vec<u8>,
}

/// A record as it lies in the file.
pub(crate) struct Record<'a> {
    pub(crate) entries: Vec<&'a [u8]>,
    raw: &'a [u8],
}

/// A keyed checksum in two steps. GHASH brings a record down to one block, because it is many times as fast as
/// anything else; AES-GCM-SIV seals the block. Both see one nonce again and again: after a crash, other entries may
/// follow the same tree. GCM-SIV may: equal blocks are all that it gives away. GCM may not, if two of its tags were
/// ever seen, for their difference tells its key; but they never leave this type. What remains is that two
/// records have equal blocks, which under a secret key takes chance: for two of a MiB, one in 2^112.
struct Seal {
    block: LessSafeKey,
    seal: LessSafeKey,
}

impl Seal {
    fn new(signer: &Signer) -> Result<Self, EvidenceError> {
        let key = |purpose, algorithm| signer.derive(purpose, algorithm).map(LessSafeKey::new);
        Ok(Self { block: key(BLOCK_CONTEXT, &AES_256_GCM)?, seal: key(SEAL_CONTEXT, &AES_256_GCM_SIV)? })
    }

    fn over(&self, body: &[u8]) -> Result<[u8; SEAL], Unspecified> {
        let tag = |key: &LessSafeKey, text: &[u8]| {
            let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
            key.seal_in_place_separate_tag(nonce, Aad::from(text), &mut [])
        };
        let block = tag(&self.block, body)?;
        tag(&self.seal, block.as_ref())?.as_ref().try_into().map_err(|_| Unspecified)
    }

    fn holds(&self, body: &[u8], seal: &[u8; SEAL]) -> bool {
        self.over(body).is_ok_and(|expected| verify_slices_are_equal(&expected, seal).is_ok())
    }
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
        signer: &Signer,
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
        let seal = Seal::new(signer)?;
        Ok(Self { path, bytes, slot: 0, generation: 0, offset: RECORDS, seal, record: Vec::new() })
    }

    /// The journal of a file's content, with the checkpoint that it starts from.
    pub(crate) fn load(
        path: &Path,
        content: &[u8],
        signer: &Signer,
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
        let base = Checkpoint::open(note, std::slice::from_ref(signer.verifier()))
            .map_err(|_| damaged("its checkpoint is not signed by this key"))?;
        let bytes = content.len() as u64;
        let (path, seal) = (path.to_owned(), Seal::new(signer)?);
        Ok((Self { path, bytes, slot, generation, offset: RECORDS, seal, record: Vec::new() }, base))
    }

    /// The record at the current place of `content` if it continues the tree of that size and root.
    pub(crate) fn peek<'a>(&self, content: &'a [u8], size: u64, root: Hash) -> Option<Record<'a>> {
        let rest = content.get(self.offset as usize..)?;
        let (len, body) = rest.split_first_chunk()?;
        let body = body.get(..u32::from_be_bytes(*len) as usize)?;
        let raw = &rest[..4 + body.len()];
        let (body, seal) = body.split_last_chunk()?;
        let entries = body.strip_prefix(root.as_bytes())?.strip_prefix(&size.to_be_bytes())?;
        let (count, entries) = entries.split_first_chunk()?;
        let count = u32::from_be_bytes(*count) as usize;
        if count == 0 || !self.seal.holds(body, seal) {
            return None;
        }
        let entries: Vec<_> = tile::entries(entries).collect();
        (entries.len() == count).then_some(Record { entries, raw })
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

    /// Bytes of the records since it started over.
    pub(crate) fn used(&self) -> u64 {
        self.offset - RECORDS
    }

    /// The longest record that fits into an empty journal.
    pub(crate) fn capacity(&self) -> u64 {
        self.bytes - RECORDS
    }

    /// Writes a batch that continues the tree of that size and root; it is durable when this returns. The caller
    /// has made sure that the batch fits.
    pub(crate) fn append(
        &mut self,
        files: &dyn Files,
        (size, root): (u64, Hash),
        entries: &[&[u8]],
    ) -> Result<(), EvidenceError> {
        let failed = |source| EvidenceError::Io { action: "append to", path: self.path.clone(), source };
        let mut record = mem::take(&mut self.record);
        record.clear();
        record.extend_from_slice(&((record_len(entries) - 4) as u32).to_be_bytes());
        record.extend_from_slice(root.as_bytes());
        record.extend_from_slice(&size.to_be_bytes());
        record.extend_from_slice(&(entries.len() as u32).to_be_bytes());
        for entry in entries {
            tile::push_entry(&mut record, entry)?;
        }
        let seal = self.seal.over(&record[4..]).map_err(|error| failed(io::Error::other(error)))?;
        record.extend_from_slice(&seal);
        files.write_durable(&self.path, self.offset, &record).map_err(failed)?;
        self.offset += record.len() as u64;
        self.record = record;
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

/// Bytes of a record.
pub(crate) fn record_len(entries: &[&[u8]]) -> u64 {
    (RECORD_HEAD + SEAL) as u64 + entries.iter().map(|entry| 2 + entry.len() as u64).sum::<u64>()
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
