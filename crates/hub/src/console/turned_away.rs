//! Who was turned away of late: slowed by way and by whose name was used, and noticed when they are many.
//!
//! Promises: only those who are turned away are slowed, so that nobody shuts others out by trying; what is remembered is
//! bounded. In each process by itself; a restart forgets.
//!
//! What is tried here has 256 bits or is a signature, so nobody guesses it, however often they may: who is right is let in while
//! others are slowed. The one secret that is short, a code of six digits, is not even looked at while it is slowed
//! (`core::factor`).

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use bailiwick_core::{
    id::OperatorId,
    time::{SignedDuration, Timestamp},
};
use bailiwick_engine::TurnedAway as Turned;

use super::trouble::Trouble;
use crate::{api::Hub, problem::Problem};

/// How many may be turned away in a minute by one way with a record each; after that they only wait.
const PER_MINUTE: usize = 10;
/// How many of one operator's name.
const PER_NAME: usize = 5;
/// How many within ten minutes are worth a finding.
const MANY: usize = 20;
/// How long they are remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_mins(10);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// By which way, and as whom.
type Key = (&'static str, Option<OperatorId>);

/// When somebody was turned away here, as far as it matters.
#[derive(Default)]
pub struct TurnedAway(Mutex<BTreeMap<Key, Vec<Timestamp>>>);

impl TurnedAway {
    /// Remembers one, if there is room; whether they are many by now. `None` when there is none: they wait.
    pub fn note(&self, turned: Turned, now: Timestamp) -> Option<bool> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (kept, recent) = (before(now, REMEMBERED), before(now, MINUTE));
        all.retain(|_, times| {
            times.retain(|at| *at > kept);
            !times.is_empty()
        });
        let since = |all: &BTreeMap<Key, Vec<Timestamp>>, key: Key, from: Timestamp| {
            all.get(&key).map_or(0, |times| times.iter().filter(|at| **at > from).count())
        };
        let (whole, name) = ((turned.by, None), (turned.by, turned.operator));
        let full = since(&all, whole, recent) >= PER_MINUTE
            || (turned.operator.is_some() && since(&all, name, recent) >= PER_NAME);
        if full {
            return None;
        }
        all.entry(whole).or_default().push(now);
        if turned.operator.is_some() {
            all.entry(name).or_default().push(now);
        }
        Some(since(&all, whole, kept) >= MANY)
    }
}

fn before(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.saturating_sub(span).unwrap_or(Timestamp::MIN)
}

/// Turns somebody away: writes it down, or lets them wait. Gives the answer of who has to wait.
///
/// # Errors
/// When it cannot be written down.
pub async fn turn_away(hub: &Hub, turned: Turned) -> Result<Option<Response>, Trouble> {
    match hub.turned_away.note(turned, hub.engine.now()) {
        Some(many) => {
            hub.engine.refused_session(turned, many).await?;
            Ok(None)
        }
        None => {
            let problem = Problem::new(429, "sign-in-slowed", "too many were turned away within a minute");
            Ok(Some(([(header::RETRY_AFTER, "60")], Trouble::from(problem)).into_response()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Turned = Turned { by: "link", code: "x", operator: None };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    #[test]
    fn who_is_turned_away_often_is_slowed_and_noticed() {
        let turned_away = TurnedAway::default();
        assert!((0..10).all(|n| turned_away.note(LINK, at(n)) == Some(false)));
        assert_eq!(turned_away.note(LINK, at(30)), None, "ten within a minute");
        assert_eq!(turned_away.note(LINK, at(60)), Some(false), "one of them is a minute ago");
        let many: Vec<_> = (0..10).map(|n| turned_away.note(LINK, at(130 + n))).collect();
        assert!(many.contains(&Some(true)), "twenty within ten minutes: {many:?}");
        assert_eq!(turned_away.note(LINK, at(900)), Some(false), "they are forgotten");
    }

    #[test]
    fn one_name_and_one_way_do_not_slow_the_others() {
        let turned_away = TurnedAway::default();
        let of =
            |id: u8| Turned { by: "passkey", code: "x", operator: Some(OperatorId::from_bytes([id; 16])) };
        assert!((0..5).all(|n| turned_away.note(of(1), at(n)).is_some()));
        assert_eq!(turned_away.note(of(1), at(6)), None, "five for one name");
        assert_eq!(turned_away.note(of(2), at(6)), Some(false));
        assert!((0..10).all(|n| turned_away.note(LINK, at(n)).is_some()), "another way");
        assert!((0..4).all(|n| turned_away.note(of(3), at(n)).is_some()));
        assert_eq!(turned_away.note(of(4), at(9)), None, "ten by one way");
    }
}
