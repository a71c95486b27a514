//! How systems are met, so that one that hangs slows no other.
//!
//! Each system has a door for writes, one for leavers and one for readings: so many go through at a time. When a turn has
//! waited long enough, what is still under way goes on beside it, and until that has come back no more is taken up for the
//! system. One that was asked several times and never answered is left alone for a while. And nothing is begun so late that the
//! lease of the turn may end while a call is under way. Absent: anything that outlives the process; the queue does.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering},
    },
};

use bailiwick_connector::{ConnectorError, ErrorKind};
use bailiwick_core::{id::SystemName, time::Timestamp};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::{JoinError, JoinSet},
    time::Sleep,
};

use crate::apply::later;

/// How many go through a door at a time.
const AT_A_TIME: usize = 16;
/// After so many calls in a row without an answer a system is left alone.
const IN_VAIN: u32 = 8;
/// For how long it is.
const ALONE_MS: i64 = 15_000;
/// When what is not taken up now is looked at again.
const AGAIN_MS: i64 = 2_000;
/// For how long after its lease a turn begins anything. What a call takes at most comes on top: when somebody else may take
/// what it had, nothing is under way any more.
pub(crate) const BEGINS_MS: i64 = 25_000;

/// What goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    Writes,
    /// Writes of plans for leavers, which wait for nobody else.
    Leavers,
    Readings,
}

/// The doors of all systems.
#[derive(Default)]
pub(crate) struct Doors(Mutex<BTreeMap<(SystemName, What), Arc<Door>>>);

impl Doors {
    pub(crate) fn of(&self, system: &SystemName, what: What) -> Arc<Door> {
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(doors.entry((system.clone(), what)).or_insert_with(|| Arc::new(Door::new())))
    }
}

/// One door.
pub(crate) struct Door {
    places: Semaphore,
    /// What earlier turns left under way.
    behind: AtomicUsize,
    in_vain: AtomicU32,
    /// Until when the system is left alone, Unix milliseconds.
    alone: AtomicI64,
}

impl Door {
    fn new() -> Self {
        Self {
            places: Semaphore::new(AT_A_TIME),
            behind: AtomicUsize::new(0),
            in_vain: AtomicU32::new(0),
            alone: AtomicI64::new(i64::MIN),
        }
    }

    /// When to come again, if nothing more is taken up at the moment.
    pub(crate) fn closed(&self, now: Timestamp) -> Option<Timestamp> {
        let alone =
            Timestamp::from_millisecond(self.alone.load(Ordering::SeqCst)).ok().filter(|end| *end > now);
        let behind = (self.behind.load(Ordering::SeqCst) > 0).then(|| soon(now));
        alone.max(behind)
    }

    /// Waits for a place; `None` when it is too late by then, or the system was left alone meanwhile.
    pub(crate) async fn enter(
        &self,
        latest: Timestamp,
        now: impl Fn() -> Timestamp,
    ) -> Option<SemaphorePermit<'_>> {
        let place = self.places.acquire().await.ok()?;
        let at = now();
        (at < latest && self.alone.load(Ordering::SeqCst) <= at.as_millisecond()).then_some(place)
    }

    /// What came of a call: whether the system answered.
    pub(crate) fn came(&self, error: Option<&ConnectorError>, now: Timestamp) {
        let silent = |kind| matches!(kind, ErrorKind::Timeout | ErrorKind::Unreachable);
        if !error.is_some_and(|error| silent(error.kind)) {
            self.in_vain.store(0, Ordering::SeqCst);
        } else if self.in_vain.fetch_add(1, Ordering::SeqCst) + 1 >= IN_VAIN {
            let until = later(now, ALONE_MS);
            self.alone.store(until.as_millisecond(), Ordering::SeqCst);
        }
    }

    /// Says that a turn left something of it under way; until the token is dropped.
    pub(crate) fn left_behind(self: &Arc<Self>) -> Behind {
        self.behind.fetch_add(1, Ordering::SeqCst);
        Behind(Arc::clone(self))
    }
}

/// Something that a turn left under way.
pub(crate) struct Behind(Arc<Door>);

impl Drop for Behind {
    fn drop(&mut self) {
        self.0.behind.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What came back of what is under way.
pub(crate) enum Back<T> {
    /// These, and there may be more.
    Some(Vec<T>),
    /// Nothing is under way any more.
    All,
    /// The patience is over.
    NotYet,
}

/// Waits for what is under way. Whatever came back is given, so that none of it is lost when the patience is over: that ends the
/// waiting, never what is done with an answer.
pub(crate) async fn back<T: 'static>(
    under_way: &mut JoinSet<T>,
    patience: &mut Pin<Box<Sleep>>,
) -> Result<Back<T>, JoinError> {
    let first = tokio::select! {
        biased;
        next = under_way.join_next() => next,
        () = patience => return Ok(Back::NotYet),
    };
    let Some(first) = first else { return Ok(Back::All) };
    let mut some = vec![first?];
    while let Some(next) = under_way.try_join_next() {
        some.push(next?);
    }
    Ok(Back::Some(some))
}

/// When what could not be begun is looked at again.
pub(crate) fn soon(now: Timestamp) -> Timestamp {
    later(now, AGAIN_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[tokio::test]
    async fn a_system_that_never_answers_is_left_alone_for_a_while() {
        let door = Door::new();
        let silence = ConnectorError::unknown(ErrorKind::Timeout, "no answer");
        for _ in 1..IN_VAIN {
            door.came(Some(&silence), at(100));
            assert_eq!(door.closed(at(100)), None);
        }
        door.came(Some(&silence), at(100));
        assert_eq!(door.closed(at(101)), Some(at(115)));
        assert!(door.enter(at(200), || at(101)).await.is_none());
        // One that is asked again and is silent is left alone at once; one that answers is not.
        assert_eq!(door.closed(at(115)), None);
        door.came(Some(&silence), at(120));
        assert_eq!(door.closed(at(120)), Some(at(135)));
        door.came(Some(&ConnectorError::none(ErrorKind::Invalid, "no")), at(136));
        door.came(Some(&silence), at(137));
        assert_eq!(door.closed(at(137)), None);
    }

    #[tokio::test]
    async fn nothing_is_begun_after_its_time() {
        let door = Door::new();
        assert!(door.enter(at(30), || at(29)).await.is_some());
        assert!(door.enter(at(30), || at(30)).await.is_none());
    }

    #[test]
    fn what_was_left_under_way_keeps_the_rest_waiting_until_it_is_back() {
        let doors = Doors::default();
        let chat = SystemName::new("chat").unwrap();
        let behind = doors.of(&chat, What::Writes).left_behind();
        assert_eq!(doors.of(&chat, What::Writes).closed(at(5)), Some(at(7)));
        assert_eq!(doors.of(&chat, What::Leavers).closed(at(5)), None, "leavers wait for nobody else");
        drop(behind);
        assert_eq!(doors.of(&chat, What::Writes).closed(at(5)), None);
    }
}
