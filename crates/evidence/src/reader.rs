//! Reading a published log: entries, roots and proofs at any size, from its tiles.
//!
//! Needs no lock and no key; a writer may append meanwhile. What it reads is not verified here: proofs are
//! checked by who receives them, the whole directory by [`crate::fsck`].

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    checkpoint::Checkpoint,
    error::EvidenceError,
    files::{Disk, Files},
    hash::Hash,
    merkle,
    tile::{self, HEIGHT, Kind, Tile, WIDTH},
};

/// The name of the checkpoint file in the directory of a log.
pub const CHECKPOINT: &str = "checkpoint";

/// Tiles kept by a view; at 8 KB each.
const CACHED_TILES: usize = 256;

/// A directory with a published log.
#[derive(Clone)]
pub struct Reader {
    files: Arc<dyn Files>,
    dir: PathBuf,
}

impl Reader {
    /// A reader of that directory; reads nothing yet.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self::with(Arc::new(Disk::default()), dir)
    }

    pub(crate) fn with(files: Arc<dyn Files>, dir: &Path) -> Self {
        Self { files, dir: dir.to_owned() }
    }

    /// The published checkpoint, not verified; `None` before the first.
    ///
    /// # Errors
    /// `Io`, or as [`Checkpoint::parse`].
    pub fn checkpoint(&self) -> Result<Option<Checkpoint>, EvidenceError> {
        let Some(bytes) = self.read(Path::new(CHECKPOINT))? else { return Ok(None) };
        let text = String::from_utf8(bytes).map_err(|_| EvidenceError::NoteMalformed { why: "not UTF-8" })?;
        Checkpoint::parse(&text).map(Some)
    }

    /// The tree of the first `size` entries. `size` must be that of a published checkpoint.
    #[must_use]
    pub fn at(&self, size: u64) -> View {
        View {
            reader: self.clone(),
            size,
            stored: size,
            tiles: RefCell::default(),
            last_bundle: RefCell::default(),
        }
    }

    /// The bytes of exactly that file, `None` if there is none.
    pub(crate) fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, EvidenceError> {
        let path = self.dir.join(path);
        self.files.read(&path).map_err(|source| EvidenceError::Io { action: "read", path, source })
    }

    /// The bytes of a tile's items: from its own file, or from the full tile that has replaced it.
    /// `measure` says how many bytes the first `width` items take, if they are there.
    fn tile(&self, tile: Tile, measure: impl Fn(&[u8]) -> Option<usize>) -> Result<Vec<u8>, EvidenceError> {
        let damaged = |why| EvidenceError::FileDamaged { path: self.dir.join(tile.to_string()), why };
        let mut why = "file is missing";
        for candidate in [tile, tile.full()] {
            let Some(mut bytes) = self.read(Path::new(&candidate.to_string()))? else { continue };
            match measure(&bytes) {
                // A partial tile of a smaller tree may be cut from the full one; its own file must fit exactly.
                Some(len) if candidate != tile || len == bytes.len() => {
                    bytes.truncate(len);
                    return Ok(bytes);
                }
                Some(_) => why = "file is too long",
                None => why = "file is too short",
            }
        }
        Err(damaged(why))
    }

    pub(crate) fn hash_tile(&self, tile: Tile) -> Result<Vec<u8>, EvidenceError> {
        let len = usize::from(tile.width) * Hash::LEN;
        self.tile(tile, |bytes| (bytes.len() >= len).then_some(len))
    }

    pub(crate) fn bundle(&self, tile: Tile) -> Result<Vec<u8>, EvidenceError> {
        self.tile(tile, |bytes| {
            let mut entries = tile::entries(bytes);
            (0..tile.width).try_fold(0, |len, _| Some(len + 2 + entries.next()?.len()))
        })
    }
}

/// The tree of a log at one size. Keeps tiles that it read, so reuse one view for many proofs.
pub struct View {
    reader: Reader,
    size: u64,
    /// The size that the files are of: at least `size`.
    stored: u64,
    tiles: RefCell<BTreeMap<Tile, Vec<Hash>>>,
    last_bundle: RefCell<Option<(Tile, Vec<u8>)>>,
}

impl View {
    /// An earlier tree out of the same files, whose own partial tiles may be gone.
    pub(crate) fn cut(self, size: u64) -> Self {
        Self { size: size.min(self.size), ..self }
    }

    /// Number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes of entry `index`.
    ///
    /// # Errors
    /// `OutOfRange`, `FileDamaged` or `Io`.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, EvidenceError> {
        let outside = || EvidenceError::OutOfRange { index, size: self.size };
        let tile = Some(index)
            .filter(|index| *index < self.size)
            .and_then(|index| Kind::Entries.tile_of(index, self.stored));
        let tile = tile.ok_or_else(outside)?;
        let mut last = self.last_bundle.borrow_mut();
        if last.as_ref().is_none_or(|(held, _)| *held != tile) {
            *last = Some((tile, self.bundle(tile)?));
        }
        let bundle = last.as_ref().map_or(&[][..], |(_, bytes)| bytes);
        let position = (index % u64::from(WIDTH)) as usize;
        tile::entries(bundle).nth(position).map(<[u8]>::to_vec).ok_or_else(outside)
    }

    /// Entries with their indices, read bundle by bundle.
    pub fn entries(
        &self,
        range: Range<u64>,
    ) -> impl Iterator<Item = Result<(u64, Vec<u8>), EvidenceError>> + '_ {
        range.map(|index| Ok((index, self.entry(index)?)))
    }

    /// Root of the tree.
    ///
    /// # Errors
    /// `FileDamaged` or `Io`.
    pub fn root(&self) -> Result<Hash, EvidenceError> {
        merkle::root_at(self.size, |height, index| self.subtree(height, index))
    }

    /// Inclusion proof of entry `index` in this tree.
    ///
    /// # Errors
    /// `OutOfRange`, `FileDamaged` or `Io`.
    pub fn prove_inclusion(&self, index: u64) -> Result<Vec<Hash>, EvidenceError> {
        merkle::inclusion_proof(index, self.size, |height, index| self.subtree(height, index))
    }

    /// Consistency proof from the tree of `old` entries to this tree.
    ///
    /// # Errors
    /// `OutOfRange`, `FileDamaged` or `Io`.
    pub fn prove_consistency(&self, old: u64) -> Result<Vec<Hash>, EvidenceError> {
        merkle::consistency_proof(old, self.size, |height, index| self.subtree(height, index))
    }

    /// Hash of the complete subtree over entries `index << height .. (index + 1) << height`.
    pub(crate) fn subtree(&self, height: u32, index: u64) -> Result<Hash, EvidenceError> {
        let kind = Kind::Hashes { level: (height / HEIGHT) as u8 };
        let count = 1 << (height % HEIGHT);
        let item = index * count;
        let outside = || EvidenceError::OutOfRange { index: item, size: self.size };
        let tile = kind.tile_of(item + count - 1, self.stored).ok_or_else(outside)?;
        let mut tiles = self.tiles.borrow_mut();
        if tiles.len() >= CACHED_TILES && !tiles.contains_key(&tile) {
            tiles.clear();
        }
        let hashes = match tiles.entry(tile) {
            std::collections::btree_map::Entry::Occupied(held) => held.into_mut(),
            std::collections::btree_map::Entry::Vacant(free) => free.insert(self.hashes(tile)?),
        };
        let start = (item % u64::from(WIDTH)) as usize;
        hashes.get(start..start + count as usize).map(merkle::root).ok_or_else(outside)
    }

    pub(crate) fn hashes(&self, tile: Tile) -> Result<Vec<Hash>, EvidenceError> {
        let bytes = self.reader.hash_tile(tile)?;
        tile::decode_hashes(&bytes).ok_or_else(|| EvidenceError::FileDamaged {
            path: self.path(Some(tile)),
            why: "not a whole number of hashes",
        })
    }

    pub(crate) fn bundle(&self, tile: Tile) -> Result<Vec<u8>, EvidenceError> {
        self.reader.bundle(tile)
    }

    pub(crate) fn path(&self, tile: Option<Tile>) -> PathBuf {
        tile.map_or_else(|| self.reader.dir.clone(), |tile| self.reader.dir.join(tile.to_string()))
    }
}
