//! How many calls there may be in a minute: a sliding window, no burst above the limit. A restart of the
//! process begins a new minute; budgets that must outlast it are the engine's.

use std::{collections::VecDeque, time::Duration};

use bailiwick_core::time::{SignedDuration, Timestamp};

const MINUTE: SignedDuration = SignedDuration::from_secs(60);

/// The calls of the last minute.
#[derive(Default)]
pub struct Window(VecDeque<Timestamp>);

impl Window {
    /// Takes one write at the instant `now`, or says how long to wait for the next.
    pub fn take(&mut self, now: Timestamp, limit: u32) -> Result<(), Duration> {
        while self.0.front().is_some_and(|first| now.duration_since(*first) >= MINUTE) {
            self.0.pop_front();
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if self.0.len() < limit {
            self.0.push_back(now);
            return Ok(());
        }
        // The write that must leave the window first; with a limit of zero none ever helps.
        let wait = match self.0.get(self.0.len() - limit) {
            Some(first) if limit > 0 => MINUTE - now.duration_since(*first),
            Some(_) | None => MINUTE,
        };
        // A clock that was set back must not make anybody wait for longer than the window.
        Err(Duration::try_from(wait.clamp(SignedDuration::ZERO, MINUTE)).unwrap_or(Duration::from_secs(60)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_as_many_writes_as_allowed() {
        let at = |s: i64| Timestamp::from_second(1_800_000_000 + s).unwrap();
        let check = |limit, times: &[(i64, Result<(), u64>)]| {
            let mut window = Window::default();
            for (s, expect) in times {
                let got = window.take(at(*s), limit).map_err(|d| d.as_secs());
                assert_eq!(got, *expect, "limit {limit}, second {s}");
            }
        };
        check(
            2,
            &[
                (0, Ok(())),
                (10, Ok(())),
                (20, Err(40)),
                (59, Err(1)),
                (60, Ok(())),
                (61, Err(9)),
                (70, Ok(())),
            ],
        );
        check(1, &[(0, Ok(())), (0, Err(60)), (60, Ok(()))]);
        check(0, &[(0, Err(60)), (600, Err(60))]);
        check(1, &[(1000, Ok(())), (0, Err(60))]);
    }

    #[test]
    fn what_is_kept_for_leavers_is_theirs_alone() {
        let at = |s: i64| Timestamp::from_second(1_800_000_000 + s).unwrap();
        let mut window = Window::default();
        // Of ten, others may use eight.
        let taken = (0..20).filter(|_| window.take(at(0), 8).is_ok()).count();
        assert_eq!(taken, 8);
        assert_eq!([(); 3].map(|()| window.take(at(1), 10).is_ok()), [true, true, false]);
        // What leavers used is used: others wait until it is old enough.
        assert!(window.take(at(59), 8).is_err() && window.take(at(60), 8).is_ok());
    }
}
