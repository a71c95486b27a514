//! The memory of a reconciliation: which accounts are expected, in which state, and which were seen.
//!
//! An account costs 24 bytes and a bit, and 8 bytes for each 64 entitlements that can be held: 16 bytes
//! of its id's digest, 8 of its state's, and a bit for each entitlement. Two different
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
    /// `width` words for each entry: which entitlements it was seen to hold.
    held: Vec<u64>,
    width: usize,
}

impl Index {
    /// Room for `accounts` without growing.
    pub fn with_capacity(accounts: usize) -> Self {
        Self { entries: Vec::with_capacity(accounts), ..Self::default() }
    }

    /// Expects the account in a state.
    pub fn expect(&mut self, external_id: &str, state: &Digest) {
        self.entries.push((place(external_id), short(state)));
    }

    /// Ends the expecting; `entitlements` is how many can be held.
    pub fn seal(&mut self, entitlements: usize) {
        self.entries.sort_unstable_by_key(|(place, _)| *place);
        self.entries.dedup_by_key(|(place, _)| *place);
        self.seen = vec![0; self.entries.len().div_ceil(64)];
        self.width = entitlements.div_ceil(64);
        self.held = vec![0; self.entries.len() * self.width];
    }

    /// Notes that the account holds the entitlement with this number; `false` when the account is not
    /// expected, so that the caller has to remember it otherwise.
    pub fn hold(&mut self, external_id: &str, entitlement: usize) -> bool {
        let Some(at) = self.find(external_id) else { return false };
        self.held[at * self.width + entitlement / 64] |= 1 << (entitlement % 64);
        true
    }

    /// Whether the account is expected.
    pub fn expects(&self, external_id: &str) -> bool {
        self.find(external_id).is_some()
    }

    /// The numbers of the entitlements that an expected account was seen to hold, ascending.
    pub fn held_by(&self, external_id: &str) -> impl Iterator<Item = usize> {
        let words = match self.find(external_id) {
            Some(at) => &self.held[at * self.width..(at + 1) * self.width],
            None => &[],
        };
        words.iter().enumerate().flat_map(|(word, bits)| {
            (0..64).filter(move |bit| bits & (1 << bit) != 0).map(move |bit| word * 64 + bit)
        })
    }

    /// Compares an account that was shown, and notes that it was.
    pub fn see(&mut self, external_id: &str, state: &Digest) -> Match {
        let Some(at) = self.find(external_id) else { return Match::New };
        let bit = 1 << (at % 64);
        if self.seen[at / 64] & bit == 0 {
            self.seen[at / 64] |= bit;
            self.count += 1;
        }
        if self.entries[at].1 == short(state) { Match::Same } else { Match::Different }
    }

    /// Whether the account was expected and not shown.
    pub fn is_missing(&self, external_id: &str) -> bool {
        self.find(external_id).is_some_and(|at| self.seen[at / 64] & (1 << (at % 64)) == 0)
    }

    /// How many expected accounts were not shown.
    pub fn unseen(&self) -> usize {
        self.entries.len() - self.count
    }

    /// How many bytes it occupies.
    pub fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<(Place, u64)>()
            + (self.seen.capacity() + self.held.capacity()) * 8
    }

    /// Where an account stands. Digests are spread evenly, so its value says about where: a few steps by that get
    /// near, and touch far less memory than halving does.
    fn find(&self, external_id: &str) -> Option<usize> {
        let wanted = place(external_id);
        let last = self.entries.len().checked_sub(1)?;
        let mut at = ahead(wanted.0, last + 1).min(last);
        for _ in 0..LEAPS {
            let here = self.entries[at].0.0;
            at = match here <= wanted.0 {
                true => at.saturating_add(ahead(wanted.0 - here, last + 1)).min(last),
                false => at.saturating_sub(ahead(here - wanted.0, last + 1)),
            };
        }
        // From there on outwards, until it must be in between.
        let (mut low, mut high, mut step) = (at, at, 1);
        while 0 < low && wanted < self.entries[low].0 {
            low = low.saturating_sub(step);
            step *= 2;
        }
        step = 1;
        while high < last && self.entries[high].0 < wanted {
            high = high.saturating_add(step).min(last);
            step *= 2;
        }
        let found = self.entries[low..=high].binary_search_by_key(&wanted, |(place, _)| *place);
        found.ok().map(|found| low + found)
    }
}

/// How often the place is reckoned before it is looked for.
const LEAPS: usize = 3;

/// How many of `count` evenly spread words lie within a distance.
fn ahead(distance: u64, count: usize) -> usize {
    let places = u128::from(distance) * count as u128;
    usize::try_from(places >> 64).unwrap_or(usize::MAX)
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

/// A set of accounts by their ids, 16 bytes for each: filled, then [`Named::seal`]ed, then asked.
#[derive(Debug, Default)]
pub struct Named(Vec<Place>);

impl Named {
    /// Adds one.
    pub fn add(&mut self, external_id: &str) {
        self.0.push(place(external_id));
    }

    /// Ends the adding.
    pub fn seal(&mut self) {
        self.0.sort_unstable();
        self.0.dedup();
    }

    /// Whether it was added.
    pub fn has(&self, external_id: &str) -> bool {
        self.0.binary_search(&place(external_id)).is_ok()
    }
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
        index.seal(70);
        assert!(index.hold("u3", 0) && index.hold("u3", 69) && !index.hold("U3", 1));
        assert_eq!(index.held_by("u3").collect::<Vec<_>>(), [0, 69]);
        assert_eq!(index.held_by("u4").count(), 0);
        assert_eq!(index.see("u7", &state("a")), Match::Same);
        assert_eq!(index.see("u8", &state("b")), Match::Different);
        assert_eq!(index.see("U8", &state("a")), Match::New);
        assert_eq!(index.see("u7", &state("a")), Match::Same);
        assert_eq!(index.unseen(), 998);
        assert!(!index.is_missing("u8") && index.is_missing("u9") && !index.is_missing("U8"));
    }

    #[test]
    fn each_account_is_found_and_no_stranger_however_many_there_are() {
        let state = Digest::of(b"x");
        for count in [0_usize, 1, 2, 3, 10, 63, 64, 65, 1_000, 20_000] {
            let mut index = Index::with_capacity(count);
            (0..count).for_each(|n| index.expect(&format!("account-{n}"), &state));
            index.seal(0);
            for n in 0..count {
                assert_eq!(index.see(&format!("account-{n}"), &state), Match::Same, "{n} of {count}");
                assert_eq!(index.see(&format!("stranger-{n}"), &state), Match::New, "{n} of {count}");
            }
            assert_eq!(index.see("nobody", &state), Match::New);
            assert_eq!(index.unseen(), 0);
        }
    }

    #[test]
    fn what_was_named_is_known_by_its_bytes() {
        let mut named = Named::default();
        ["u2", "u1", "u2"].iter().for_each(|id| named.add(id));
        named.seal();
        assert_eq!(["u1", "u2", "U1", ""].map(|id| named.has(id)), [true, true, false, false]);
    }
}
