//! Which entitlements a policy of `hold` can touch, whoever the identity is.
//!
//! An entitlement is out of reach if it is out of the policy's scope, or if Cedar finds a condition that
//! looks at the entitlement alone to be against the policy. Everything else is in reach, also where it will
//! never be given: the answer may hold too many, never too few.

use std::collections::BTreeSet;

use cedar_policy::{Context, Entities, EntityUid, EvalResult, Expression, Request, eval_expression, pst};

use super::{
    Action, EntitlementFacts, PolicyFault,
    check::Checked,
    reads::{Reads, Variable, conjuncts},
    schema,
    vocabulary::Words,
};
use crate::id::EntitlementName;

/// All entitlements, each with a question about it in which nothing of an identity is known.
pub(super) struct Reach<'a> {
    entitlements: Vec<(&'a EntitlementFacts, Request)>,
    world: Entities,
}

impl<'a> Reach<'a> {
    pub(super) fn new(words: &'a Words) -> Result<Self, PolicyFault> {
        let principal = principal();
        let action = action();
        let question = |facts: &'a EntitlementFacts| {
            let resource = schema::uid(schema::ENTITLEMENT, facts.name.as_str());
            Ok((facts, request(&principal, &action, &resource, Context::empty())?))
        };
        let entitlements = words.entitlements.values().map(question).collect::<Result<_, _>>()?;
        Ok(Self { entitlements, world: entities(words.entitlements.values())? })
    }

    /// The entitlements that `policy` can touch.
    pub(super) fn of(&self, policy: &Checked) -> BTreeSet<EntitlementName> {
        let conditions: Vec<(Expression, bool)> = conjuncts(&policy.body)
            .into_iter()
            .filter(|(expr, _)| is_about_the_entitlement(expr))
            .filter_map(|(expr, negated)| Some((expr.to_string().parse().ok()?, negated)))
            .collect();
        let in_reach = |(facts, question): &&(&EntitlementFacts, Request)| {
            in_scope(&policy.body, facts)
                && conditions.iter().all(|(expr, negated)| {
                    let value = eval_expression(question, &self.world, expr);
                    !matches!(value, Ok(EvalResult::Bool(value)) if value == *negated)
                })
        };
        self.entitlements.iter().filter(in_reach).map(|(facts, _)| facts.name.clone()).collect()
    }
}

fn is_about_the_entitlement(expr: &pst::Expr) -> bool {
    let reads = Reads::of_expr(expr);
    reads.uses(Variable::Resource) && !reads.uses(Variable::Principal) && !reads.uses(Variable::Context)
}

fn in_scope(policy: &pst::Template, facts: &EntitlementFacts) -> bool {
    let is = |entity: &pst::EntityOrSlot, kind: &str, name: &str| match entity {
        pst::EntityOrSlot::Entity(uid) => uid.eid == name && uid.ty.to_string() == kind,
        pst::EntityOrSlot::Slot(_) => true,
    };
    let itself = |entity| is(entity, schema::ENTITLEMENT, facts.name.as_str());
    match &policy.resource {
        pst::ResourceConstraint::Any | pst::ResourceConstraint::Is(_) => true,
        pst::ResourceConstraint::Eq(entity) => itself(entity),
        pst::ResourceConstraint::In(entity) | pst::ResourceConstraint::IsIn(_, entity) => {
            itself(entity) || is(entity, schema::SYSTEM, facts.name.system().as_str())
        }
    }
}

/// The entity that stands for whoever is asked about. Policies cannot name an identity, so one name is
/// enough for all.
pub(super) fn principal() -> EntityUid {
    schema::uid(schema::IDENTITY, "one")
}

/// The action of all questions about holding.
pub(super) fn action() -> EntityUid {
    schema::uid("Action", Action::Hold.as_str())
}

/// The entities of entitlements.
pub(super) fn entities<'a>(
    facts: impl Iterator<Item = &'a EntitlementFacts>,
) -> Result<Entities, PolicyFault> {
    let entities = facts.map(schema::entitlement).collect::<Result<Vec<_>, _>>()?;
    Entities::from_entities(entities, None).map_err(|e| PolicyFault::Facts(e.to_string()))
}

/// A question to Cedar.
pub(super) fn request(
    principal: &EntityUid,
    action: &EntityUid,
    resource: &EntityUid,
    context: Context,
) -> Result<Request, PolicyFault> {
    Request::new(principal.clone(), action.clone(), resource.clone(), context, None)
        .map_err(|e| PolicyFault::Facts(e.to_string()))
}
