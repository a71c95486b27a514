//! The lab's time: a value that the caller owns.
//!
//! Nothing in the lab reads a clock of its own, so a test can hold time still, and a delay of thirty days costs
//! nothing. A wall clock is deliberately absent: whoever serves the lab to people brings one.

use std::sync::atomic::{AtomicI64, Ordering};

/// Where the lab gets the time from.
pub trait LabClock: Send + Sync {
    /// Milliseconds since the Unix epoch. Should not go backwards; delayed effects wait until it passes them.
    fn now_ms(&self) -> i64;
}

/// A clock that stands still until it is moved.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock standing at `now_ms`, milliseconds since the Unix epoch.
    pub fn new(now_ms: i64) -> Self {
        Self(AtomicI64::new(now_ms))
    }

    /// Moves the clock forward by `ms` milliseconds.
    pub fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl LabClock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// RFC 3339 text of an instant in milliseconds, as SCIM's `dateTime` wants it (RFC 7643 §2.3.5).
pub(crate) fn rfc3339(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(instant) => format!("{instant:.3}"),
        Err(_) => String::new(),
    }
}
