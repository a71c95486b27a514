//! The second factor of an operator: codes of the moment (TOTP, RFC 6238), each accepted once.
//!
//! What a code is for a step of 30 seconds only the broker can tell, because only it opens the secret. Here is
//! what becomes of a try: which steps are looked at, that none counts twice, and that guessing is slow.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    id::OperatorId,
    passkey::PasskeyRefusal,
    time::{SignedDuration, Timestamp},
};

/// How long a code is the code of the moment, seconds (RFC 6238 §4.1).
pub const STEP_SECONDS: i64 = 30;
/// How many wrong codes in a row are nobody's concern.
const SLIPS: u32 = 2;
/// The longest that somebody who gave wrong codes has to wait, seconds.
const LONGEST_WAIT: i64 = 3_600;

/// The second factor of an operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Factor {
    /// Whose.
    pub operator: OperatorId,
    /// The secret, as the broker sealed it.
    pub sealed: Value,
    /// Since when.
    pub at: Timestamp,
    /// The last step of which a code was accepted: no code of it or before it counts any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<i64>,
    /// How many wrong codes there were since the last right one.
    #[serde(default)]
    pub wrong: u32,
    /// Before this no code is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Timestamp>,
}

/// Whether who approves has proved anew who they are: by a code of the moment, or by a passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// They have.
    Fresh,
    /// Nothing was given.
    Missing,
    /// There is no second factor that a code could be of.
    NotEnrolled,
    /// The code is not of this moment, was used before, or is somebody else's.
    Wrong,
    /// There were too many wrong codes; until then none is looked at.
    Slowed(Timestamp),
    /// What the passkey said does not count.
    Passkey(PasskeyRefusal),
}

impl Factor {
    /// A new one; the secret is sealed already.
    pub const fn new(operator: OperatorId, sealed: Value, at: Timestamp) -> Self {
        Self { operator, sealed, at, last: None, wrong: 0, again: None }
    }

    /// Tries a code: `is_of` says whether it is the one of a step. The clocks may differ by one step.
    #[must_use]
    pub fn attempt(self, now: Timestamp, is_of: impl Fn(i64) -> bool) -> (Self, Proof) {
        if let Some(again) = self.again.filter(|again| *again > now) {
            return (self, Proof::Slowed(again));
        }
        let step = now.as_second().div_euclid(STEP_SECONDS);
        let of = [step - 1, step, step + 1].into_iter().filter(|step| is_of(*step)).max();
        match of.filter(|step| self.last.is_none_or(|last| *step > last)) {
            Some(step) => (Self { last: Some(step), wrong: 0, again: None, ..self }, Proof::Fresh),
            None => {
                let wrong = self.wrong.saturating_add(1);
                let again = pause(wrong).map(|pause| now.saturating_add(pause).unwrap_or(Timestamp::MAX));
                (Self { wrong, again, ..self }, Proof::Wrong)
            }
        }
    }

    /// Whether somebody seems to be guessing.
    pub const fn is_guessed(&self) -> bool {
        self.wrong > SLIPS
    }
}

/// How long to wait after so many wrong codes: 30 s, doubling, at most an hour.
fn pause(wrong: u32) -> Option<SignedDuration> {
    let over = wrong.checked_sub(SLIPS + 1)?;
    let seconds = (STEP_SECONDS << over.min(10)).min(LONGEST_WAIT);
    Some(SignedDuration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn fresh() -> Factor {
        Factor::new(OperatorId::from_bytes([1; 16]), Value::Null, at(0))
    }

    #[test]
    fn a_code_counts_once_and_one_step_of_difference_is_forgiven() {
        // The step of the code, and what comes of it at second 3 000, step 100.
        let check = |last: Option<i64>, code: i64, expect: Proof| {
            let (after, proof) = Factor { last, ..fresh() }.attempt(at(3_000), |step| step == code);
            assert_eq!(proof, expect, "{last:?} {code}");
            assert_eq!(after.last, if proof == Proof::Fresh { Some(code) } else { last });
        };
        for code in [99, 100, 101] {
            check(None, code, Proof::Fresh);
            check(Some(98), code, Proof::Fresh);
            check(Some(code), code, Proof::Wrong);
            check(Some(101), code, Proof::Wrong);
        }
        check(None, 98, Proof::Wrong);
        check(None, 102, Proof::Wrong);
    }

    #[test]
    fn guessing_becomes_slow_and_a_right_code_ends_that() {
        let mut factor = fresh();
        let mut now = 3_000;
        for expect in [None, None, Some(30), Some(60), Some(120)] {
            let (after, proof) = factor.attempt(at(now), |_| false);
            assert_eq!(proof, Proof::Wrong);
            assert_eq!(after.again, expect.map(|wait| at(now + wait)));
            assert_eq!(after.is_guessed(), expect.is_some());
            if let Some(wait) = expect {
                // In between not even the right one is looked at, and nothing changes.
                let (same, proof) = after.clone().attempt(at(now + wait - 1), |_| true);
                assert_eq!((same, proof), (after.clone(), Proof::Slowed(at(now + wait))));
                now += wait;
            }
            factor = after;
        }
        let (after, proof) = factor.attempt(at(now), |_| true);
        assert_eq!((proof, after.wrong, after.again), (Proof::Fresh, 0, None));
        assert_eq!(pause(u32::MAX), Some(SignedDuration::from_secs(LONGEST_WAIT)));
    }
}
