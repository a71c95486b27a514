//! Where a listing stands between pages. The system gives its lists whole, so the keys are read once, at
//! the beginning, and pages are cut from them: each key is shown once, in ascending order.

use std::{
    collections::BTreeMap,
    str::FromStr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bailiwick_connector::{ConnectorError, ErrorKind, Page, Result};

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Entities,
    Groups,
    Accessors,
    /// Leases, which come after the accessors.
    Leases,
}

impl Phase {
    const ALL: [Self; 4] = [Self::Entities, Self::Groups, Self::Accessors, Self::Leases];

    const fn letter(self) -> &'static str {
        match self {
            Self::Entities => "e",
            Self::Groups => "g",
            Self::Accessors => "t",
            Self::Leases => "l",
        }
    }
}

/// Where a listing stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) phase: Phase,
    /// Which snapshot of the keys it walks through; 0 before there is one.
    generation: u64,
    /// Whether nothing was left out so far.
    pub(super) whole: bool,
    /// The last key that was dealt with; empty at the beginning.
    pub(super) after: String,
}

impl Place {
    /// The beginning.
    pub(super) const fn start(phase: Phase) -> Self {
        Self { phase, generation: 0, whole: true, after: String::new() }
    }

    /// The place that a cursor says, or the beginning.
    pub(super) fn of(cursor: Option<&str>, phase: Phase) -> Result<Self> {
        match cursor {
            None => Ok(Self::start(phase)),
            Some(text) => text.parse(),
        }
    }

    /// The beginning of what is listed next.
    pub(super) fn then(&self, phase: Phase) -> Self {
        Self { whole: self.whole, ..Self::start(phase) }
    }

    /// A page after which the listing goes on here.
    pub(super) fn goes_on(&self) -> Page {
        let Self { phase, generation, whole, after } = self;
        let next = format!("{}.{generation}.{}.{after}", phase.letter(), u8::from(*whole));
        Page { next: Some(next), complete: *whole }
    }

    /// The last page.
    pub(super) const fn over(&self) -> Page {
        Page { next: None, complete: self.whole }
    }
}

impl FromStr for Place {
    type Err = ConnectorError;

    fn from_str(text: &str) -> Result<Self> {
        let bad =
            || ConnectorError::none(ErrorKind::Invalid, format!("`{text}` is not a cursor of this listing"));
        let parts: Vec<&str> = text.splitn(4, '.').collect();
        let [letter, generation, whole, after] = parts[..] else { return Err(bad()) };
        let phase = Phase::ALL.into_iter().find(|phase| phase.letter() == letter).ok_or_else(bad)?;
        let generation = generation.parse().map_err(|_| bad())?;
        Ok(Self { phase, generation, whole: whole == "1", after: after.to_owned() })
    }
}

/// Keys, and which snapshot of them it is.
type Snapshot = (u64, Arc<Vec<String>>);

/// The keys of the listings that are under way, the newest of each kind. Another listing of the same kind
/// that goes on after a newer one began reads its keys again.
#[derive(Default)]
pub(super) struct Snapshots {
    generations: AtomicU64,
    newest: Mutex<BTreeMap<Phase, Snapshot>>,
}

impl Snapshots {
    /// The keys that a listing walks through, as they were when it began, if that is still known. `read`
    /// gives them ascending.
    pub(super) async fn keys(
        &self,
        place: &mut Place,
        read: impl Future<Output = Result<Vec<String>>>,
    ) -> Result<Arc<Vec<String>>> {
        let known = self.newest.lock().unwrap_or_else(PoisonError::into_inner).get(&place.phase).cloned();
        if let Some((generation, keys)) = known
            && generation == place.generation
        {
            return Ok(keys);
        }
        let keys = Arc::new(read.await?);
        place.generation = self.generations.fetch_add(1, Ordering::Relaxed) + 1;
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.insert(place.phase, (place.generation, keys.clone()));
        Ok(keys)
    }
}

/// The keys that come after the one that was dealt with last.
pub(super) fn rest<'k>(keys: &'k [String], place: &Place) -> &'k [String] {
    &keys[keys.partition_point(|key| *key <= place.after)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_and_what_is_not_ours_is_refused() {
        for after in ["", "a.b.c", "database/creds/x"] {
            let place = Place { phase: Phase::Leases, generation: 7, whole: false, after: after.into() };
            let page = place.goes_on();
            assert!(!page.complete);
            assert_eq!(page.next.unwrap().parse::<Place>().unwrap(), place);
        }
        for text in ["", "e", "e.1.1", "x.1.1.a", "e.a.1.a"] {
            assert_eq!(text.parse::<Place>().unwrap_err().kind, ErrorKind::Invalid, "{text}");
        }
    }

    #[tokio::test]
    async fn keys_are_read_once_for_a_listing_and_again_when_it_was_overtaken() {
        let snapshots = Snapshots::default();
        let reads = AtomicU64::new(0);
        let read = async || {
            reads.fetch_add(1, Ordering::Relaxed);
            Ok(vec!["a".to_owned(), "b".to_owned()])
        };
        let mut one = Place::start(Phase::Groups);
        let keys = snapshots.keys(&mut one, read()).await.unwrap();
        one.after = "a".into();
        assert_eq!(rest(&keys, &one), ["b"]);
        snapshots.keys(&mut one, read()).await.unwrap();
        assert_eq!(reads.load(Ordering::Relaxed), 1);
        let mut other = Place::start(Phase::Groups);
        snapshots.keys(&mut other, read()).await.unwrap();
        let keys = snapshots.keys(&mut one, read()).await.unwrap();
        assert_eq!((rest(&keys, &one), reads.load(Ordering::Relaxed)), (&["b".to_owned()][..], 3));
    }
}
