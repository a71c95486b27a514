//! Checks a published log from outside: no writer, no journal, only files and public keys.
//!
//! Everything is derived again from the entry bundles and compared with the tiles, the signed checkpoint and
//! the earlier checkpoints that the caller kept elsewhere. What each can show:
//!
//! - an entry edited in place does not hash to its tile: its index is named;
//! - a removed tail is missing below the signed checkpoint: the first missing index is named;
//! - a tail rewritten with all hashes, or a log rolled back to an older checkpoint, agrees with itself. Only an
//!   earlier checkpoint (best one that a witness cosigned) shows it, and the bad record lies between the last
//!   earlier checkpoint that agrees and the first that does not.
//!
//! Absent: comparing entries with where they came from, which the caller can do with a [`View`](crate::reader::View).

use std::path::Path;

use crate::{
    checkpoint::Checkpoint,
    edge::{Edge, Written},
    entry,
    error::EvidenceError,
    hash::Hash,
    key::VerifierKey,
    merkle,
    reader::{CHECKPOINT, Reader},
    tile::{self, Kind, Tile},
};

/// A log that agrees with itself, its checkpoint and the earlier checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The published checkpoint.
    pub checkpoint: Checkpoint,
    /// Names of the given keys that signed it, the log's own first.
    pub signed_by: Vec<String>,
    /// Bytes of all entries.
    pub bytes: u64,
    /// How many earlier checkpoints were compared.
    pub earlier: usize,
}

/// What is wrong with the first bad record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no checkpoint, or none of the given keys signed it.
    Checkpoint,
    /// The entry is not there, though the checkpoint covers it.
    EntryMissing,
    /// The entry does not hash to what the tree holds for it.
    EntryChanged,
    /// The entry is in the tree but is not a canonical entry.
    EntryNotCanonical,
    /// A hash tile is missing or differs from what the entries give.
    Tile,
    /// The entries and tiles agree with each other but not with a signed checkpoint.
    Rewritten,
    /// The log is shorter than an earlier checkpoint.
    Shrunk,
}

impl Fault {
    fn sentence(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint is missing or not signed by a given key",
            Self::EntryMissing => "entry is missing",
            Self::EntryChanged => "entry was changed",
            Self::EntryNotCanonical => "entry is not canonical JSON",
            Self::Tile => "hash tile is missing or was changed",
            Self::Rewritten => "history was rewritten",
            Self::Shrunk => "log is shorter than it was",
        }
    }
}

/// The first damage that the check found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at {at}: {place}", what = fault.sentence(), at = range(*first, *before))]
pub struct Broken {
    /// What is wrong.
    pub fault: Fault,
    /// Index of the first entry that may be bad; before it all is well.
    pub first: u64,
    /// The bad entry lies before this index; `first + 1` if it is known exactly.
    pub before: u64,
    /// The file or checkpoint that shows it.
    pub place: String,
}

impl Broken {
    /// The stable kebab-case code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.fault {
            Fault::Checkpoint => "log-checkpoint-invalid",
            Fault::EntryMissing => "log-entry-missing",
            Fault::EntryChanged => "log-entry-changed",
            Fault::EntryNotCanonical => "log-entry-not-canonical",
            Fault::Tile => "log-tile-damaged",
            Fault::Rewritten => "log-rewritten",
            Fault::Shrunk => "log-shrunk",
        }
    }
}

fn range(first: u64, before: u64) -> String {
    if before == first + 1 { format!("index {first}") } else { format!("an index in {first}..{before}") }
}

/// Checks the whole log in `dir`. `keys` are the log's key and those of witnesses; `earlier` are checkpoints of the
/// same log that the caller trusts, in any order.
///
/// # Errors
/// `Broken` with the first bad record; `CheckpointMalformed` if an earlier checkpoint is of another log; `Io`.
pub fn fsck(dir: &Path, keys: &[VerifierKey], earlier: &[Checkpoint]) -> Result<Report, EvidenceError> {
    check(Reader::new(dir), keys, earlier)
}

pub(crate) fn check(
    reader: Reader,
    keys: &[VerifierKey],
    earlier: &[Checkpoint],
) -> Result<Report, EvidenceError> {
    let (checkpoint, signed_by) = published(&reader, keys)?;
    if earlier.iter().any(|known| known.origin() != checkpoint.origin()) {
        return Err(EvidenceError::CheckpointMalformed { why: "earlier checkpoint is of another log" });
    }
    let mut known: Vec<(u64, Hash, String)> = earlier
        .iter()
        .map(|c| (c.size(), c.root(), format!("earlier checkpoint of size {}", c.size())))
        .collect();
    known.push((checkpoint.size(), checkpoint.root(), CHECKPOINT.to_owned()));
    // Stable, so that an earlier checkpoint is asked before the published one of the same size.
    known.sort_by_key(|(size, ..)| *size);

    let mut walk = Walk { reader, size: checkpoint.size(), edge: Edge::default(), agreed: 0, bytes: 0 };
    let mut known = known.into_iter().peekable();
    walk.compare(&mut known)?;
    for bundle in Kind::Entries.tiles(checkpoint.size()) {
        walk.bundle(bundle, &mut known)?;
    }
    let rest = walk.edge.partials(0);
    walk.tiles(&rest)?;
    if let Some((before, _, place)) = known.next_back() {
        return Err(Broken { fault: Fault::Shrunk, first: walk.size, before, place }.into());
    }
    Ok(Report { checkpoint, signed_by, bytes: walk.bytes, earlier: earlier.len() })
}

fn published(reader: &Reader, keys: &[VerifierKey]) -> Result<(Checkpoint, Vec<String>), EvidenceError> {
    let broken =
        |place: &str| Broken { fault: Fault::Checkpoint, first: 0, before: 0, place: place.to_owned() };
    let checkpoint = match reader.checkpoint() {
        Ok(Some(checkpoint)) => checkpoint,
        Err(error @ EvidenceError::Io { .. }) => return Err(error),
        Ok(None) => return Err(broken("there is no checkpoint").into()),
        Err(error) => return Err(broken(&error.to_string()).into()),
    };
    match checkpoint.verify(keys) {
        Ok(verified) => {
            let names = verified.iter().map(|signed| signed.key.name().to_owned()).collect();
            Ok((checkpoint, names))
        }
        Err(error) => Err(broken(&error.to_string()).into()),
    }
}

/// The tiles of the hashes of entries.
const LEAVES: Kind = Kind::Hashes { level: 0 };

type Known = std::iter::Peekable<std::vec::IntoIter<(u64, Hash, String)>>;

struct Walk {
    reader: Reader,
    size: u64,
    edge: Edge,
    /// The largest size at which a signed root agreed.
    agreed: u64,
    bytes: u64,
}

impl Walk {
    fn bundle(&mut self, bundle: Tile, known: &mut Known) -> Result<(), EvidenceError> {
        let start = self.edge.size();
        let bytes = match self.reader.bundle(bundle) {
            Ok(bytes) => bytes,
            Err(EvidenceError::FileDamaged { .. }) => self.what_is_left(bundle)?,
            Err(error) => return Err(error),
        };
        let entries: Vec<&[u8]> = tile::entries(&bytes).take(usize::from(bundle.width)).collect();
        let leaves: Vec<Hash> = entries.iter().map(|entry| merkle::leaf_hash(entry)).collect();
        let mut full = Vec::new();
        let mut early = None;
        for (entry, leaf) in entries.iter().zip(&leaves) {
            self.edge.push_leaf(*leaf, &mut full);
            self.bytes += entry.len() as u64;
            if early.is_none() {
                early = self.compare(known).err();
            }
        }
        // The tile that names one entry is asked before the checkpoint that names a range.
        let agreed = self.leaves(bundle, &leaves)?;
        if entries.len() < usize::from(bundle.width) {
            let first = start + entries.len() as u64;
            return Err(self.broken(Fault::EntryMissing, first, first + 1, bundle));
        }
        if let Some(error) = early {
            return Err(error);
        }
        full.retain(|(tile, _)| !agreed || tile.kind != LEAVES);
        self.tiles(&full)?;
        match entries.iter().position(|entry| !entry::is_canonical(entry)) {
            Some(at) => {
                let first = start + at as u64;
                Err(self.broken(Fault::EntryNotCanonical, first, first + 1, bundle))
            }
            None => Ok(()),
        }
    }

    /// The bytes of a bundle that is not whole, so that its first bad entry can be named.
    fn what_is_left(&self, bundle: Tile) -> Result<Vec<u8>, EvidenceError> {
        for tile in [bundle, bundle.full()] {
            if let Some(bytes) = self.reader.read(Path::new(&tile.to_string()))? {
                return Ok(bytes);
            }
        }
        Ok(Vec::new())
    }

    /// Compares the hashes of entries with the tile above them. Gives back whether that is there.
    fn leaves(&self, bundle: Tile, leaves: &[Hash]) -> Result<bool, EvidenceError> {
        let tile = Tile { kind: LEAVES, ..bundle };
        let stored = match self.reader.hash_tile(tile) {
            Ok(bytes) => tile::decode_hashes(&bytes).unwrap_or_default(),
            Err(EvidenceError::FileDamaged { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        match leaves.iter().zip(&stored).position(|(leaf, hash)| leaf != hash) {
            Some(at) => {
                let first = bundle.first_entry() + at as u64;
                Err(self.broken(Fault::EntryChanged, first, first + 1, bundle))
            }
            None => Ok(leaves.len() == stored.len()),
        }
    }

    /// Compares hash tiles that the entries give with those that are stored.
    fn tiles(&self, derived: &[Written]) -> Result<(), EvidenceError> {
        for (tile, bytes) in derived.iter().filter(|(tile, _)| tile.kind != Kind::Entries) {
            let stored = match self.reader.hash_tile(*tile) {
                Ok(stored) => Some(stored),
                Err(EvidenceError::FileDamaged { .. }) => None,
                Err(error) => return Err(error),
            };
            if stored.as_ref() != Some(bytes) {
                return Err(self.broken(Fault::Tile, tile.first_entry(), self.edge.size(), *tile));
            }
        }
        Ok(())
    }

    /// Compares the root at the size reached with every signed root of that size.
    fn compare(&mut self, known: &mut Known) -> Result<(), EvidenceError> {
        let here = self.edge.size();
        while let Some((before, root, place)) = known.next_if(|(size, ..)| *size == here) {
            if root != self.edge.root() {
                return Err(Broken { fault: Fault::Rewritten, first: self.agreed, before, place }.into());
            }
            self.agreed = before;
        }
        Ok(())
    }

    fn broken(&self, fault: Fault, first: u64, before: u64, tile: Tile) -> EvidenceError {
        Broken { fault, first, before, place: tile.to_string() }.into()
    }
}
