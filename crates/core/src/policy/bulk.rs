//! Many decisions at the cost of few.
//!
//! Policies read a handful of attributes, so millions of identities are a few thousand different questions.
//! Each is asked once. Memory grows with the questions: a policy that reads an attribute which is different
//! for everybody makes every identity its own question. So it is with approvals: changes that look the same to
//! policies get the same answer.

use std::{collections::BTreeMap, sync::Arc};

use super::{ApprovalAnswer, ApproverFacts, Attributes, ChangeFacts, Holding, PolicyFault, PolicySet};
use crate::exception::Terms;

/// What was answered to one approver.
type Answers = BTreeMap<ChangeFacts, Result<ApprovalAnswer, PolicyFault>>;

/// Decides for many identities and remembers; see [`PolicySet::bulk`].
pub struct Bulk<'a> {
    policies: &'a PolicySet,
    known: BTreeMap<Box<[u8]>, Result<Arc<Holding>, PolicyFault>>,
    /// The tuple of the current question; kept for its memory.
    tuple: Vec<u8>,
    approvals: BTreeMap<ApproverFacts, Answers>,
    evaluations: u64,
}

impl<'a> Bulk<'a> {
    pub(super) const fn new(policies: &'a PolicySet) -> Self {
        Self {
            policies,
            known: BTreeMap::new(),
            tuple: Vec::new(),
            approvals: BTreeMap::new(),
            evaluations: 0,
        }
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
        let answer = self.policies.holds(kind, attributes).map(Arc::new);
        self.known.insert(self.tuple.as_slice().into(), answer.clone());
        answer
    }

    /// The same answer as [`PolicySet::holds_with`]; exceptions are not shared by many, so each question that has some is
    /// evaluated.
    pub fn holds_with(
        &mut self,
        kind: &str,
        attributes: &Attributes,
        exceptions: &[Terms],
    ) -> Result<Arc<Holding>, PolicyFault> {
        if exceptions.is_empty() {
            return self.holds(kind, attributes);
        }
        self.evaluations += 1;
        self.policies.holds_with(kind, attributes, exceptions).map(Arc::new)
    }

    /// The same answer as [`PolicySet::approves`], evaluated only if no change before had the same facts.
    pub fn approves(
        &mut self,
        approver: &ApproverFacts,
        change: ChangeFacts,
    ) -> Result<ApprovalAnswer, PolicyFault> {
        if let Some(known) = self.approvals.get(approver).and_then(|answers| answers.get(&change)) {
            return known.clone();
        }
        self.evaluations += 1;
        let answer = self.policies.approves(approver, &change);
        self.approvals.entry(approver.clone()).or_default().insert(change, answer.clone());
        answer
    }

    /// How often the policies were evaluated.
    pub const fn evaluations(&self) -> u64 {
        self.evaluations
    }

    /// How many different tuples of read attributes there were; approvals are not among them.
    pub fn distinct(&self) -> usize {
        self.known.len()
    }
}
