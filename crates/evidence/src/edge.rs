//! The right edge of the stored tree: what the next entry is added to.
//!
//! Promise: given the edge at a size, pushing entries yields the same tiles and the same root in whatever
//! batches they come. Pure; reading the edge from tiles goes through [`View`].

use crate::{
    error::EvidenceError,
    hash::Hash,
    merkle::{self, Frontier},
    reader::View,
    tile::{self, HEIGHT, Kind, Tile, WIDTH},
};

/// A tile with its bytes.
pub(crate) type Written = (Tile, Vec<u8>);

#[derive(Clone, Default)]
pub(crate) struct Edge {
    frontier: Frontier,
    /// The hashes of the partial tile of each level.
    hashes: Vec<Vec<Hash>>,
    /// The partial entry bundle.
    bundle: Vec<u8>,
}

impl Edge {
    /// The edge of the tree that `view` shows.
    pub(crate) fn restore(view: &View) -> Result<Self, EvidenceError> {
        let size = view.size();
        let frontier = Frontier::restore(size, |height, index| view.subtree(height, index))?;
        let mut hashes = Vec::new();
        for level in 0..(u64::BITS / HEIGHT) as u8 {
            let kind = Kind::Hashes { level };
            if kind.items(size) == 0 {
                break;
            }
            hashes.push(match partial(kind, size) {
                Some(tile) => view.hashes(tile)?,
                None => Vec::new(),
            });
        }
        let bundle = match partial(Kind::Entries, size) {
            Some(tile) => view.bundle(tile)?,
            None => Vec::new(),
        };
        let edge = Self { frontier, hashes, bundle };
        let leaves = edge.hashes.first().map_or(&[][..], Vec::as_slice);
        if tile::entries(&edge.bundle).map(merkle::leaf_hash).eq(leaves.iter().copied()) {
            return Ok(edge);
        }
        let path = view.path(partial(Kind::Entries, size));
        Err(EvidenceError::FileDamaged { path, why: "entries do not hash to their tile" })
    }

    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(crate) fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Adds an entry; the tiles that it fills go to `out`.
    pub(crate) fn push(&mut self, entry: &[u8], out: &mut Vec<Written>) -> Result<(), EvidenceError> {
        tile::push_entry(&mut self.bundle, entry)?;
        let size = self.size() + 1;
        if size.is_multiple_of(u64::from(WIDTH)) {
            let index = size / u64::from(WIDTH) - 1;
            // The next bundle will be about as long.
            let next = Vec::with_capacity(self.bundle.len());
            let full = std::mem::replace(&mut self.bundle, next);
            out.push((Tile { kind: Kind::Entries, index, width: WIDTH }, full));
        }
        self.push_leaf(merkle::leaf_hash(entry), out);
        Ok(())
    }

    /// The same where the entries are kept elsewhere: only hash tiles are filled.
    pub(crate) fn push_leaf(&mut self, leaf: Hash, out: &mut Vec<Written>) {
        let Self { frontier, hashes, .. } = self;
        let size = frontier.size() + 1;
        frontier.push(leaf, |height, hash| {
            if !height.is_multiple_of(HEIGHT) {
                return;
            }
            let level = (height / HEIGHT) as usize;
            if hashes.len() == level {
                hashes.push(Vec::with_capacity(usize::from(WIDTH)));
            }
            hashes[level].push(hash);
            if hashes[level].len() == usize::from(WIDTH) {
                let kind = Kind::Hashes { level: level as u8 };
                let index = kind.items(size) / u64::from(WIDTH) - 1;
                out.push((Tile { kind, index, width: WIDTH }, tile::encode_hashes(&hashes[level])));
                hashes[level].clear();
            }
        });
    }

    /// The partial tiles that a checkpoint at this size needs and one at `before` did not have.
    pub(crate) fn partials(&self, before: u64) -> Vec<Written> {
        let mut out = Vec::new();
        let size = self.size();
        let changed = |kind: Kind| partial(kind, size).filter(|_| kind.items(size) != kind.items(before));
        if let Some(tile) = changed(Kind::Entries) {
            out.push((tile, self.bundle.clone()));
        }
        for (level, hashes) in self.hashes.iter().enumerate() {
            if let Some(tile) = changed(Kind::Hashes { level: level as u8 }) {
                out.push((tile, tile::encode_hashes(hashes)));
            }
        }
        out
    }
}

/// The partial tile of that kind in a tree of `size` leaves, if there is one.
pub(crate) fn partial(kind: Kind, size: u64) -> Option<Tile> {
    let last = kind.items(size).checked_sub(1)?;
    kind.tile_of(last, size).filter(|tile| !tile.is_full())
}
