//! How often an operator may call: what runs wild is slowed before it keeps others waiting (RFC 6585 §4).
//!
//! Counted in each process, by operator and not by token or address; a restart begins a new minute.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use bailiwick_connector::broker::Window;
use bailiwick_core::{id::OperatorId, time::Timestamp};

/// How many calls an operator has in a minute: twenty a second, for an hour.
const PER_MINUTE: u32 = 1_200;

/// The calls of the last minute, by operator.
#[derive(Default)]
pub struct Pace(Mutex<BTreeMap<OperatorId, Window>>);

impl Pace {
    /// Takes one call, or says after how many seconds there is the next.
    pub fn take(&self, operator: OperatorId, now: Timestamp) -> Result<(), u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(operator).or_default().take(now, PER_MINUTE).map_err(|wait| wait.as_secs().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_who_runs_wild_waits_and_nobody_else_does() {
        let pace = Pace::default();
        let (one, other) = (OperatorId::from_bytes([1; 16]), OperatorId::from_bytes([2; 16]));
        let at = |second: i64| Timestamp::from_second(1_000 + second).unwrap();
        assert!((0..PER_MINUTE).all(|_| pace.take(one, at(0)).is_ok()));
        assert_eq!(pace.take(one, at(10)), Err(50));
        assert_eq!(pace.take(other, at(10)), Ok(()));
        assert_eq!(pace.take(one, at(60)), Ok(()));
    }
}
