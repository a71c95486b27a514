//! The real clock and the real random numbers: the only place that reads either.

use std::sync::{PoisonError, RwLock};

use bailiwick_core::{
    id::{Ascending, Entropy},
    time::{Clock, SignedDuration, Timestamp},
};
use bailiwick_lab::LabClock;

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one real clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl LabClock for SystemClock {
    fn now_ms(&self) -> i64 {
        Clock::now(self).as_millisecond()
    }
}

/// The clock that all nodes of a store have: that of the store's server, counted on by this machine's stopwatch. A lease
/// ends for all of them at the same instant, whatever a machine's own clock says, and however it jumps.
#[derive(Debug)]
pub struct SharedClock(RwLock<(Timestamp, Stopwatch)>);

impl SharedClock {
    /// A clock that says `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(RwLock::new((now, Stopwatch::start())))
    }

    /// It is `now`, as was said when `asked` had just been started.
    pub fn set(&self, now: Timestamp, asked: Stopwatch) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = (now, asked);
    }
}

impl Clock for SharedClock {
    fn now(&self) -> Timestamp {
        let (then, since) = *self.0.read().unwrap_or_else(PoisonError::into_inner);
        then.saturating_add(since.elapsed()).unwrap_or(then)
    }
}

/// The operating system's random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[allow(clippy::disallowed_methods, reason = "the one real source of randomness")]
    fn fill(&self, out: &mut [u8]) {
        // It fails only where the operating system has no random numbers. Going on without would make
        // guessable keys.
        aws_lc_rs::rand::fill(out).expect("the operating system gives random numbers");
    }

    fn uuid(&self, millis: u64) -> u128 {
        static LAST: Ascending = Ascending::new();
        LAST.next(millis, &|out| self.fill(out))
    }
}

/// How long something took; never goes backwards.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts it.
    #[allow(clippy::disallowed_methods, reason = "the one stopwatch")]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// The time since the start.
    pub fn elapsed(self) -> SignedDuration {
        SignedDuration::try_from(self.0.elapsed()).unwrap_or(SignedDuration::MAX)
    }
}
