//! Names and layout of C2SP `tlog-tiles`: hash tiles and entry bundles.
//!
//! Absent: reading and writing them, which is `reader` and `log`.

use std::fmt;

use crate::{entry, error::EvidenceError, hash::Hash};

/// Hashes in a full tile, entries in a full bundle.
pub const WIDTH: u16 = 256;

/// Tree levels that one tile spans.
pub const HEIGHT: u32 = 8;

/// What a file under `tile/` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Length-prefixed entries.
    Entries,
    /// Hashes of complete subtrees of height `8 * level`.
    Hashes {
        /// 0 to 63; 0 holds leaf hashes.
        level: u8,
    },
}

impl Kind {
    /// How many items of this kind a tree of `size` leaves has in all.
    #[must_use]
    pub fn items(self, size: u64) -> u64 {
        match self {
            Self::Entries => size,
            Self::Hashes { level } => size.checked_shr(HEIGHT * u32::from(level)).unwrap_or(0),
        }
    }

    /// The tile that holds item number `item`, as wide as a tree of `size` leaves makes it. `None` if the item
    /// is not in that tree.
    #[must_use]
    pub fn tile_of(self, item: u64, size: u64) -> Option<Tile> {
        let items = self.items(size);
        let index = item / u64::from(WIDTH);
        let width = items.checked_sub(index * u64::from(WIDTH)).filter(|_| item < items)?;
        Some(Tile { kind: self, index, width: width.min(u64::from(WIDTH)) as u16 })
    }

    /// All tiles of this kind in a tree of `size` leaves, from left to right.
    pub fn tiles(self, size: u64) -> impl Iterator<Item = Tile> {
        (0..self.items(size).div_ceil(u64::from(WIDTH)))
            .filter_map(move |index| self.tile_of(index * u64::from(WIDTH), size))
    }
}

/// One file under `tile/`. Displayed as its path: `tile/0/x001/x234/067.p/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    /// What it holds.
    pub kind: Kind,
    /// Its number from the left.
    pub index: u64,
    /// How many items it holds, 1 to 256; below 256 it is partial.
    pub width: u16,
}

impl Tile {
    /// Whether it will never change.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.width == WIDTH
    }

    /// The same tile when it is full.
    #[must_use]
    pub fn full(self) -> Self {
        Self { width: WIDTH, ..self }
    }

    /// The first entry below it.
    #[must_use]
    pub fn first_entry(&self) -> u64 {
        let height = match self.kind {
            Kind::Entries => HEIGHT,
            Kind::Hashes { level } => HEIGHT * (u32::from(level) + 1),
        };
        self.index.checked_shl(height).unwrap_or(u64::MAX)
    }

    /// The tile of that path, if it is exactly one that this crate writes; for serving files by request path.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("tile/")?;
        let (kind, rest) = rest.split_once('/')?;
        let kind = if kind == "entries" {
            Kind::Entries
        } else {
            Kind::Hashes { level: kind.parse().ok().filter(|level| *level < 64)? }
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok().filter(|width| (1..WIDTH).contains(width))?),
            None => (rest, WIDTH),
        };
        let mut index: u64 = 0;
        for part in number.split('/') {
            let digits: u64 = part.strip_prefix('x').unwrap_or(part).parse().ok()?;
            index = index.checked_mul(1000)?.checked_add(digits)?;
        }
        let tile = Self { kind, index, width };
        // Leading zeros, signs and missing `x` all give another text back.
        (tile.to_string() == path).then_some(tile)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Entries => f.write_str("tile/entries/")?,
            Kind::Hashes { level } => write!(f, "tile/{level}/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups[1..].iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// The hashes of a hash tile's bytes; `None` if they are not a whole number of hashes.
#[must_use]
pub fn decode_hashes(bytes: &[u8]) -> Option<Vec<Hash>> {
    let (chunks, rest) = bytes.as_chunks::<{ Hash::LEN }>();
    rest.is_empty().then(|| chunks.iter().map(|chunk| Hash::from(*chunk)).collect())
}

/// The bytes of a hash tile.
#[must_use]
pub fn encode_hashes(hashes: &[Hash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(hashes.len() * Hash::LEN);
    hashes.iter().for_each(|hash| bytes.extend_from_slice(hash.as_bytes()));
    bytes
}

/// Appends one entry to a bundle: its length as 16 bits, big-endian, then its bytes.
///
/// # Errors
/// `EntryTooLarge`.
pub fn push_entry(bundle: &mut Vec<u8>, bytes: &[u8]) -> Result<(), EvidenceError> {
    let len = u16::try_from(bytes.len()).map_err(|_| EvidenceError::EntryTooLarge { len: bytes.len() })?;
    debug_assert!(bytes.len() <= entry::MAX_LEN);
    bundle.extend_from_slice(&len.to_be_bytes());
    bundle.extend_from_slice(bytes);
    Ok(())
}

/// The entries of a bundle, in order. Ends early at the first length that points outside of `bytes`.
pub fn entries(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, rest) = bytes.split_first_chunk::<2>()?;
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        bytes = rest;
        Some(entry)
    })
}
