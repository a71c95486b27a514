//! The Merkle tree of RFC 6962 §2.1: hashes, roots, inclusion and consistency proofs.
//!
//! Pure functions. Proofs are made from the hashes of complete subtrees, which the caller reads from tiles;
//! they are verified by the iterative algorithms of RFC 9162 §2.1.3.2 and §2.1.4.2, which share no code with
//! the makers.

use crate::{error::EvidenceError, hash::Hash};

/// Hash of a leaf: SHA-256 of `0x00 || entry` (RFC 6962 §2.1).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    // Most entries fit, and then nothing is allocated.
    let mut short = [0; 1024];
    match short.get_mut(1..=entry.len()) {
        Some(rest) => {
            rest.copy_from_slice(entry);
            Hash::of(&short[..=entry.len()])
        }
        None => Hash::of(&[&[0], entry].concat()),
    }
}

/// Hash of an inner node: SHA-256 of `0x01 || left || right` (RFC 6962 §2.1).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut message = [0x01; 1 + 2 * Hash::LEN];
    message[1..=Hash::LEN].copy_from_slice(left.as_bytes());
    message[1 + Hash::LEN..].copy_from_slice(right.as_bytes());
    Hash::of(&message)
}

/// Root of the empty tree: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    Hash::of(&[])
}

/// Root over leaf hashes, or over the hashes of complete subtrees of one height.
#[must_use]
pub fn root(hashes: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    for &hash in hashes {
        frontier.push(hash, |_, _| ());
    }
    frontier.root()
}

/// The right edge of a growing tree: one hash for each one-bit of its size.
#[derive(Clone, Debug, Default)]
pub struct Frontier {
    size: u64,
    /// Complete subtrees from left to right, so from tall to short.
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// The edge of an existing tree. `subtree(height, index)` gives the hash over leaves
    /// `index << height .. (index + 1) << height`.
    ///
    /// # Errors
    /// What `subtree` fails with.
    pub fn restore<E>(size: u64, mut subtree: impl FnMut(u32, u64) -> Result<Hash, E>) -> Result<Self, E> {
        let mut subtrees = Vec::new();
        for height in (0..u64::BITS).rev().filter(|height| size >> height & 1 == 1) {
            subtrees.push(subtree(height, (size >> height) - 1)?);
        }
        Ok(Self { size, subtrees })
    }

    /// Adds a leaf. `complete(height, hash)` hears of every subtree that it completes, the leaf itself first.
    pub fn push(&mut self, leaf: Hash, mut complete: impl FnMut(u32, Hash)) {
        let mut hash = leaf;
        complete(0, hash);
        for height in 1..=self.size.trailing_ones() {
            // A one-bit of the size has its subtree, by the definition of the field.
            let Some(left) = self.subtrees.pop() else { break };
            hash = node_hash(&left, &hash);
            complete(height, hash);
        }
        self.subtrees.push(hash);
        self.size += 1;
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree so far.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.subtrees
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(empty_root)
    }
}

/// Hash over the leaves `low..high`, made of complete subtrees; `low` is a multiple of the largest power of
/// two below `high - low`.
fn range<E>(low: u64, high: u64, subtree: &mut impl FnMut(u32, u64) -> Result<Hash, E>) -> Result<Hash, E> {
    let count = high - low;
    if count.is_power_of_two() {
        let height = count.trailing_zeros();
        return subtree(height, low >> height);
    }
    let middle = low + split(count);
    Ok(node_hash(&range(low, middle, subtree)?, &range(middle, high, subtree)?))
}

/// The largest power of two smaller than `count`, which is at least 2 (RFC 6962 §2.1).
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// Root of the first `size` leaves.
///
/// # Errors
/// What `subtree` fails with.
pub fn root_at<E>(size: u64, mut subtree: impl FnMut(u32, u64) -> Result<Hash, E>) -> Result<Hash, E> {
    if size == 0 { Ok(empty_root()) } else { range(0, size, &mut subtree) }
}

/// Inclusion proof of leaf `index` in the tree of `size` leaves, from the leaf's sibling to the root's child
/// (RFC 6962 §2.1.1).
///
/// # Errors
/// `OutOfRange` if `index >= size`, and what `subtree` fails with.
pub fn inclusion_proof(
    index: u64,
    size: u64,
    mut subtree: impl FnMut(u32, u64) -> Result<Hash, EvidenceError>,
) -> Result<Vec<Hash>, EvidenceError> {
    if index >= size {
        return Err(EvidenceError::OutOfRange { index, size });
    }
    let (mut low, mut high) = (0, size);
    let mut proof = Vec::new();
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            proof.push(range(middle, high, &mut subtree)?);
            high = middle;
        } else {
            proof.push(range(low, middle, &mut subtree)?);
            low = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// Consistency proof from the tree of `old` leaves to that of `new` leaves (RFC 6962 §2.1.2). Empty if
/// `old` is 0 or equal to `new`.
///
/// # Errors
/// `OutOfRange` if `old > new`, and what `subtree` fails with.
pub fn consistency_proof(
    old: u64,
    new: u64,
    mut subtree: impl FnMut(u32, u64) -> Result<Hash, EvidenceError>,
) -> Result<Vec<Hash>, EvidenceError> {
    if old > new {
        return Err(EvidenceError::OutOfRange { index: old, size: new });
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let (mut low, mut high) = (0, new);
    let mut proof = Vec::new();
    // Walk towards the last leaf of the old tree until a subtree of the new tree ends exactly there.
    while high != old {
        let middle = low + split(high - low);
        if old <= middle {
            proof.push(range(middle, high, &mut subtree)?);
            high = middle;
        } else {
            proof.push(range(low, middle, &mut subtree)?);
            low = middle;
        }
    }
    if low > 0 {
        proof.push(range(low, high, &mut subtree)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Verifies an inclusion proof by RFC 9162 §2.1.3.2.
///
/// # Errors
/// `ProofInvalid`, or `OutOfRange` if `index >= size`.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), EvidenceError> {
    if index >= size {
        return Err(EvidenceError::OutOfRange { index, size });
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(EvidenceError::ProofInvalid { why: "inclusion proof is too long" });
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(EvidenceError::ProofInvalid { why: "inclusion proof is too short" });
    }
    if hash == *root {
        Ok(())
    } else {
        Err(EvidenceError::ProofInvalid { why: "inclusion proof does not lead to the root" })
    }
}

/// Verifies a consistency proof by RFC 9162 §2.1.4.2. From the empty tree every tree is consistent, with an
/// empty proof.
///
/// # Errors
/// `ProofInvalid`, or `OutOfRange` if `old > new`.
pub fn verify_consistency(
    (old, old_root): (u64, &Hash),
    (new, new_root): (u64, &Hash),
    proof: &[Hash],
) -> Result<(), EvidenceError> {
    let refuse = |why| Err(EvidenceError::ProofInvalid { why });
    if old > new {
        return Err(EvidenceError::OutOfRange { index: old, size: new });
    }
    if (old == 0 && *old_root != empty_root()) || (new == 0 && *new_root != empty_root()) {
        return refuse("the empty tree has another root");
    }
    if old == new && old_root != new_root {
        return refuse("one size has two roots");
    }
    if old == 0 || old == new {
        return if proof.is_empty() { Ok(()) } else { refuse("consistency proof should be empty") };
    }
    // The old tree is itself a subtree of the new one: its root is the start and is not in the proof.
    let (first, rest) = match proof.split_first() {
        _ if old.is_power_of_two() && !proof.is_empty() => (*old_root, proof),
        Some((first, rest)) => (*first, rest),
        None => return refuse("consistency proof is empty"),
    };
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut old_hash, mut new_hash) = (first, first);
    for sibling in rest {
        if last == 0 {
            return refuse("consistency proof is too long");
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return refuse("consistency proof is too short");
    }
    if old_hash != *old_root {
        return refuse("consistency proof does not lead to the old root");
    }
    if new_hash != *new_root {
        return refuse("consistency proof does not lead to the new root");
    }
    Ok(())
}
