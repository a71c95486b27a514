//! What may this operator do in the hub?
//!
//! The roles that come with the hub give rights ([`crate::right`]). Policies give more of them, to other roles, and take
//! them, also from who has them by a role. One thing no policy takes: whoever has the role `admin` may govern, or a
//! mistake in a policy would lock out who could mend it.

use std::collections::BTreeSet;

use cedar_policy::Context;

use super::{
    Action, PolicyFault,
    check::Checked,
    reach::request,
    schema,
    sides::{Said, Sides},
};
use crate::right::{Right, Rights};

/// The policies of `exercise`.
pub(super) struct Exercise(Sides);

impl Exercise {
    pub(super) fn new(policies: &[&Checked]) -> Result<Self, PolicyFault> {
        Sides::new(policies).map(Self)
    }

    /// What an operator may do. A policy that fails takes the right that it is about.
    pub(super) fn decide(&self, name: &str, roles: &BTreeSet<String>) -> Rights {
        let mut rights = Rights::of_roles(roles);
        if self.0.is_empty() {
            return rights;
        }
        for right in Right::ALL.into_iter().filter(|right| !right.is_kept_by(roles)) {
            match self.ask(name, roles, right) {
                Ok(said) if !said.forbids.is_empty() => rights.take(right, said.forbids),
                Ok(said) if !said.permits.is_empty() => rights.give(right),
                Ok(_) => {}
                Err(PolicyFault::Evaluation { policy, .. }) => rights.take(right, vec![policy]),
                Err(_) => rights.take(right, Vec::new()),
            }
        }
        rights
    }

    fn ask(&self, name: &str, roles: &BTreeSet<String>, right: Right) -> Result<Said, PolicyFault> {
        let (principal, resource) =
            (schema::uid("Operator", name), schema::uid(schema::RIGHT, right.as_str()));
        let action = schema::uid("Action", Action::Exercise.as_str());
        let question = request(&principal, &action, &resource, Context::empty())?;
        let facts =
            vec![("name", schema::text(name)), ("roles", schema::texts(roles.iter().map(String::as_str)))];
        let world = [schema::entity(principal, facts, None)?, schema::entity(resource, Vec::new(), None)?];
        self.0.ask(&question, world)
    }
}
