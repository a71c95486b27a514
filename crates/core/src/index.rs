//! The memory of a reconciliation: which accounts are expected, in which state, and which were seen.
//!
//! An account costs 24 bytes and a bit: 16 bytes of its id's digest, 8 of its state's. Two different
//! states of one account look the same with probability 2⁻⁶⁴, two accounts the same with 2⁻¹²⁸ for
//! each pair; digests are SHA-256, so nobody can aim for it.

use crate::digest::Digest;

/// What a comparison says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// Expected, and in the state that was expected.
    Same,
    /// Expected, in another state.
    Different,
    /// Not expected.
    New,
}

/// Expected accounts, filled with [`Index::expect`], then [`Index::seal`]ed, then asked.
#[derive(Debug, Default)]
pub struct Index {
    entries: Vec<(Place, u64)>,
    seen: Vec<u64>,
    count: usize,
}

impl Index {
    /// Room for `accounts` without growing.
    pub fn with_capacity(accounts: usize) -> Self {
        Self { entries: Vec::with_capacity(accounts), seen: Vec::new(), count: 0 }
    }

    /// Expects the account in a state.
    pub fn expect(&mut self, external_id: &str, state: &Digest) {
        self.entries.push((place(external_id), short(state)));
    }

    /// Ends the expecting.
    pub fn seal(&mut self) {
        self.entries.sort_unstable_by_key(|(place, _)| *place);
        self.entries.dedup_by_key(|(place, _)| *place);
        self.seen = vec![0; self.entries.len().div_ceil(64)];
    }

    /// Compares an account that was shown, and notes that it was.
    pub fn see(&mut self, external_id: &str, state: &Digest) -> Match {
        let Ok(at) = self.find(external_id) else { return Match::New };
        let bit = 1 << (at % 64);
        if self.seen[at / 64] & bit == 0 {
            self.seen[at / 64] |= bit;
            self.count += 1;
        }
        if self.entries[at].1 == short(state) { Match::Same } else { Match::Different }
    }

    /// Whether the account was shown.
    pub fn was_seen(&self, external_id: &str) -> bool {
        self.find(external_id).is_ok_and(|at| self.seen[at / 64] & (1 << (at % 64)) != 0)
    }

    /// How many expected accounts were not shown.
    pub fn unseen(&self) -> usize {
        self.entries.len() - self.count
    }

    /// How many bytes it occupies.
    pub fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<(Place, u64)>() + self.seen.capacity() * 8
    }

    fn find(&self, external_id: &str) -> Result<usize, usize> {
        let place = place(external_id);
        self.entries.binary_search_by_key(&place, |(p, _)| *p)
    }
}

/// The first 16 bytes of the digest of an account's id, as two words.
type Place = (u64, u64);

fn place(external_id: &str) -> Place {
    let digest = Digest::of(external_id.as_bytes());
    (word(&digest, 0), word(&digest, 8))
}

fn short(state: &Digest) -> u64 {
    word(state, 0)
}

fn word(digest: &Digest, at: usize) -> u64 {
    digest.0[at..at + 8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_expected_and_shown_is_told_apart() {
        let state = |text: &str| Digest::of(text.as_bytes());
        let mut index = Index::default();
        for n in 0..1_000 {
            index.expect(&format!("u{n}"), &state("a"));
        }
        index.seal();
        assert_eq!(index.see("u7", &state("a")), Match::Same);
        assert_eq!(index.see("u8", &state("b")), Match::Different);
        assert_eq!(index.see("U8", &state("a")), Match::New);
        assert_eq!(index.see("u7", &state("a")), Match::Same);
        assert_eq!(index.unseen(), 998);
        assert!(index.was_seen("u8") && !index.was_seen("u9") && !index.was_seen("U8"));
    }
}
