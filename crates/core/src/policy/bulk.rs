//! Many decisions at the cost of few.
//!
//! Policies read a handful of attributes, so millions of identities are a few thousand different questions.
//! Each is asked once. Memory grows with the questions: a policy that reads an attribute which is different
//! for everybody makes every identity its own question.

use std::{collections::BTreeMap, sync::Arc};

use super::{Attributes, Holding, PolicyFault, PolicySet};

/// Decides for many identities and remembers; see [`PolicySet::bulk`].
pub struct Bulk<'a> {
    policies: &'a PolicySet,
    known: BTreeMap<Box<[u8]>, Result<Arc<Holding>, PolicyFault>>,
    /// The tuple of the current question; kept for its memory.
    tuple: Vec<u8>,
    evaluations: u64,
}

impl<'a> Bulk<'a> {
    pub(super) const fn new(policies: &'a PolicySet) -> Self {
        Self { policies, known: BTreeMap::new(), tuple: Vec::new(), evaluations: 0 }
    }

    /// The same answer as [`PolicySet::holds`], evaluated only if no identity before had the same values
    /// in all attributes that policies read.
    pub fn holds(&mut self, kind: &str, attributes: &Attributes) -> Result<Arc<Holding>, PolicyFault> {
        self.tuple.clear();
        self.policies.hold.tuple(kind, attributes, &mut self.tuple);
        if let Some(known) = self.known.get(self.tuple.as_slice()) {
            return known.clone();
        }
        self.evaluations += 1;
        let answer = self.policies.hold.decide(kind, attributes).map(Arc::new);
        self.known.insert(self.tuple.as_slice().into(), answer.clone());
        answer
    }

    /// How often the policies were evaluated.
    pub const fn evaluations(&self) -> u64 {
        self.evaluations
    }

    /// How many different tuples of read attributes there were.
    pub fn distinct(&self) -> usize {
        self.known.len()
    }
}
