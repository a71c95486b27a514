//! How far long work is: counts for whoever watches. Lost with the process, because nothing depends on them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bailiwick_core::id::SystemName;

use crate::Engine;

/// Systems that are being compared → the accounts that they have shown so far.
#[derive(Default)]
pub(crate) struct Progress(Mutex<BTreeMap<SystemName, Arc<AtomicU64>>>);

impl Progress {
    fn all(&self) -> MutexGuard<'_, BTreeMap<SystemName, Arc<AtomicU64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new count for a system.
    pub(crate) fn begin(&self, system: &SystemName) -> Arc<AtomicU64> {
        let count = Arc::<AtomicU64>::default();
        self.all().insert(system.clone(), count.clone());
        count
    }

    /// Forgets it.
    pub(crate) fn end(&self, system: &SystemName) {
        self.all().remove(system);
    }
}

impl Engine {
    /// How many accounts a system has shown so far, while it is being compared by this engine.
    pub fn seen_so_far(&self, system: &SystemName) -> Option<u64> {
        self.progress.all().get(system).map(|count| count.load(Ordering::Relaxed))
    }

    /// The same of all of them together, with how many there are: it differs whenever one has come further.
    pub fn seen_in_all(&self) -> u64 {
        let all = self.progress.all();
        all.values().fold(all.len() as u64, |sum, count| sum.wrapping_add(count.load(Ordering::Relaxed)))
    }
}
