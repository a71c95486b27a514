//! What follows from what: the edges of the graph of authority.

use std::collections::{BTreeMap, BTreeSet};

use super::{Because, Touch, World};
use crate::{
    access::AccessClass,
    automation::Automation,
    policy::{Action, PolicyReads},
};

/// One thing that follows from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    /// Why.
    pub(super) because: Because,
    /// What is touched then.
    pub(super) to: Touch,
    /// Whether a person decides in between.
    pub(super) by_person: bool,
}

/// All edges.
pub(super) struct Edges<'a> {
    world: World<'a>,
    /// What follows from a touch by policy and by nesting. Automations are few and are asked one by one.
    known: BTreeMap<Touch, BTreeSet<Edge>>,
}

impl<'a> Edges<'a> {
    pub(super) fn new(world: World<'a>) -> Self {
        let mut known = by_policy(world);
        for (inner, inside) in world.entitlements.iter().flat_map(|e| e.inside.iter().map(|i| (&e.name, i))) {
            known.entry(Touch::Entitlement(inner.clone())).or_default().insert(Edge {
                because: Because::Nested { through: inside.through.clone() },
                to: Touch::Entitlement(inside.of.clone()),
                by_person: false,
            });
        }
        Self { world, known }
    }

    /// What follows from `touch`, in order.
    pub(super) fn from(&self, touch: &Touch) -> BTreeSet<Edge> {
        let mut edges = self.known.get(touch).cloned().unwrap_or_default();
        let set_off = self.world.automations.iter().filter(|automation| self.sets_off(touch, automation));
        edges.extend(set_off.map(|automation| Edge {
            because: Because::Automation { name: automation.name.clone(), title: automation.title.clone() },
            to: automation.to.clone(),
            by_person: automation.by_person,
        }));
        edges
    }

    /// Whether `touch` is what sets an automation off. Who is given the entitlement that is the account
    /// itself is given an account.
    fn sets_off(&self, touch: &Touch, automation: &Automation) -> bool {
        match (touch, &automation.from) {
            (Touch::Entitlement(name), Touch::Account(system)) => {
                name.system() == *system
                    && self
                        .world
                        .entitlements
                        .iter()
                        .any(|e| e.name == *name && e.class == AccessClass::PrimaryAccount)
            }
            (touch, from) => touch == from,
        }
    }
}

/// What the policies make follow. An attribute leads to every entitlement that a policy of `hold` can touch
/// which reads it: a policy that forbids is controlled by whoever controls what it reads. A policy that looks
/// at what else is held reads, through that, what all policies of `hold` read. Whoever says who exists decides
/// for every permit whether there is somebody to hold it; a permit that reads nothing follows from that alone.
///
/// So it is with the policies of `access`, which lead to what may be done to resources of a type.
///
/// Policies of `approve` say who may approve. None of them gives anybody anything, so no attribute leads
/// through them.
fn by_policy(world: World<'_>) -> BTreeMap<Touch, BTreeSet<Edge>> {
    let of = |action| world.policies.iter().filter(move |policy| policy.action == action);
    let of_all: BTreeSet<&String> = of(Action::Hold)
        .filter(|policy| !policy.entitlements.is_empty())
        .flat_map(|p| &p.attributes)
        .collect();
    let mut edges: BTreeMap<Touch, BTreeSet<Edge>> = BTreeMap::new();
    for policy in world.policies {
        let touched = touched(policy);
        let mut read: BTreeSet<&String> = policy.attributes.iter().collect();
        if policy.holding {
            read.extend(&of_all);
        }
        let mut from: Vec<Touch> = read.into_iter().cloned().map(Touch::Attribute).collect();
        if !policy.forbids {
            from.push(Touch::Identity);
        }
        for touch in from.into_iter().filter(|_| !touched.is_empty()) {
            edges.entry(touch).or_default().extend(touched.iter().map(|to| Edge {
                because: Because::Policy(policy.policy.clone()),
                to: to.clone(),
                by_person: false,
            }));
        }
    }
    edges
}

/// What a policy gives, takes or opens.
fn touched(policy: &PolicyReads) -> Vec<Touch> {
    match policy.action {
        Action::Hold => policy.entitlements.iter().cloned().map(Touch::Entitlement).collect(),
        Action::Access => policy.resources.iter().cloned().map(Touch::Decide).collect(),
        Action::Approve | Action::Exercise | Action::Perform => Vec::new(),
    }
}
