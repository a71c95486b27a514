//! Time and chance for tests: a clock that stands still until it is moved, and random bytes from a seed.

use std::sync::{Mutex, PoisonError};

use bailiwick_core::{
    id::Entropy,
    time::{Clock, SignedDuration, Timestamp},
};

/// A clock whose hands are held.
pub struct Hands(Mutex<Timestamp>);

impl Hands {
    /// A clock that shows `at`.
    pub fn at(at: Timestamp) -> Self {
        Self(Mutex::new(at))
    }

    /// Moves the hands on.
    pub fn advance(&self, by: SignedDuration) {
        let mut at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *at = at.saturating_add(by).unwrap_or(*at);
    }
}

impl Default for Hands {
    /// A clock that shows 2027-01-15T08:00:00Z.
    fn default() -> Self {
        Self::at(Timestamp::constant(1_800_000_000, 0))
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Random bytes that are the same for the same seed (SplitMix64). For tests only.
pub struct Seeded(Mutex<u64>);

impl Seeded {
    /// Bytes from this seed.
    pub const fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    /// The next number.
    pub fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Entropy for Seeded {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}
