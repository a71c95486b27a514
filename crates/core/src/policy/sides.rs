//! The policies of one action by what they do: those that permit, and those that forbid.

use cedar_policy::{Authorizer, Effect, Entities, Request};

use super::{
    PolicyFault, PolicyId,
    check::Checked,
    hold::{satisfied, subset},
};

/// Both sides.
pub(super) struct Sides {
    permits: cedar_policy::PolicySet,
    forbids: cedar_policy::PolicySet,
}

/// Which policies permit something and which forbid it, in order of their ids.
pub(super) struct Said {
    pub(super) permits: Vec<PolicyId>,
    pub(super) forbids: Vec<PolicyId>,
}

impl Sides {
    pub(super) fn new(policies: &[&Checked]) -> Result<Self, PolicyFault> {
        let of = |effect| subset(policies.iter().copied().filter(move |p| p.effect == effect));
        Ok(Self { permits: of(Effect::Permit)?, forbids: of(Effect::Forbid)? })
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.permits.is_empty() && self.forbids.is_empty()
    }

    /// What they say to a question about these entities.
    pub(super) fn ask<const N: usize>(
        &self,
        question: &Request,
        world: [cedar_policy::Entity; N],
    ) -> Result<Said, PolicyFault> {
        let world = Entities::from_entities(world, None).map_err(|e| PolicyFault::Facts(e.to_string()))?;
        let authorizer = Authorizer::new();
        let of = |set| satisfied(&authorizer, question, &[set], &world);
        Ok(Said { permits: of(&self.permits)?, forbids: of(&self.forbids)? })
    }
}
