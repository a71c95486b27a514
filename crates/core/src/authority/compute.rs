//! From what an integration touches itself to everything that follows from it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Authority, Because, Class, Effect, Path, Touch, World, edges::Edges};
use crate::{
    id::SystemName,
    integration::{Integration, Role},
    scope::Operation,
    system::Entitlement,
};

/// What an integration can in effect do.
///
/// The answer may hold too much, never too little: what a rule of its scope allows counts, whether or not its
/// connector has a use for it.
pub fn compute(integration: &Integration, world: World<'_>) -> Authority {
    let edges = Edges::new(world);
    let mut paths = BTreeSet::new();
    for (start, most) in starts(integration, world) {
        follow(&start, most, &edges, &mut paths);
    }
    let class = paths.iter().map(|path| class_of(path.effect)).max().unwrap_or_default();
    Authority { class, paths }
}

const fn class_of(effect: Effect) -> Class {
    match effect {
        Effect::None => Class::Advisory,
        Effect::Influences | Effect::Executes => Class::Operational,
        Effect::Decides => Class::Authoritative,
    }
}

/// What it touches itself, each with the largest effect that can follow from it.
fn starts(integration: &Integration, world: World<'_>) -> BTreeMap<Touch, Effect> {
    let scope = &integration.scope;
    let mut starts = BTreeMap::new();
    let mut add = |touch: Touch, most: Effect| {
        let known = starts.entry(touch).or_insert(most);
        *known = most.max(*known);
    };
    // Whatever its role: nobody decides before what it does by itself, but where it asks the hub.
    scope.acts().for_each(|act| add(act.clone(), most(act)));
    match &integration.role {
        Role::Source { contract, .. } => {
            add(Touch::Identity, Effect::Decides);
            let written = contract.attributes.keys().filter(|name| scope.attributes.allows(name));
            written.for_each(|name| add(Touch::Attribute(name.clone()), Effect::Decides));
        }
        Role::Target { system } => {
            for operation in scope.rules.iter().map(|rule| rule.operation).collect::<BTreeSet<_>>() {
                match operation {
                    Operation::Create | Operation::Update | Operation::Delete => {
                        add(Touch::Account(system.clone()), Effect::Executes);
                    }
                    Operation::Grant | Operation::Revoke => {
                        held_on(system, integration, world, operation)
                            .for_each(|name| add(Touch::Entitlement(name.name.clone()), Effect::Executes));
                    }
                    // A credential lets somebody in whom nobody decided about.
                    Operation::Issue => add(Touch::Credential(system.clone()), Effect::Decides),
                    Operation::Discover | Operation::List | Operation::Get | Operation::Try => {}
                }
            }
        }
        // Reading who did what gives no access.
        Role::Log { .. } | Role::Partner { .. } => {}
    }
    starts
}

/// The largest effect that can follow from what it does by itself.
const fn most(act: &Touch) -> Effect {
    match act {
        Touch::Identity
        | Touch::Attribute(_)
        | Touch::Entitlement(_)
        | Touch::Account(_)
        | Touch::Credential(_)
        | Touch::Object(_)
        | Touch::Signal => Effect::Decides,
        // The hub decides, and it opens or does not.
        Touch::Decide(_) => Effect::Executes,
        Touch::Search(_) => Effect::None,
    }
}

/// The entitlements on its system that it gives or takes, within its limit.
fn held_on<'a>(
    system: &'a SystemName,
    integration: &'a Integration,
    world: World<'a>,
    operation: Operation,
) -> impl Iterator<Item = &'a Entitlement> {
    let classes =
        if operation == Operation::Grant { &world.semantics.grants } else { &world.semantics.removes };
    world.entitlements.iter().filter(move |entitlement| {
        entitlement.name.system() == *system
            && classes.contains(&entitlement.class)
            && integration.scope.entitlements.allows(&entitlement.name)
    })
}

/// What touching something amounts to by itself.
const fn weight(touch: &Touch) -> Effect {
    match touch {
        Touch::Identity
        | Touch::Entitlement(_)
        | Touch::Account(_)
        | Touch::Credential(_)
        | Touch::Decide(_) => Effect::Decides,
        // They matter by what follows from them.
        Touch::Attribute(_) | Touch::Object(_) | Touch::Signal | Touch::Search(_) => Effect::None,
    }
}

/// Steps from a start; with whether a person decides in one of them.
type Steps = Vec<(Because, Touch)>;

/// Adds the start itself and the shortest path to every end that amounts to something, of those the one
/// with the largest effect. Breadth first, each place entered once with and once without a person in between,
/// so cycles end.
fn follow(start: &Touch, most: Effect, edges: &Edges<'_>, paths: &mut BTreeSet<Path>) {
    paths.insert(Path { start: start.clone(), steps: Vec::new(), effect: most.min(weight(start)) });
    let mut best: BTreeMap<Touch, (Effect, Steps)> = BTreeMap::new();
    let mut entered: BTreeSet<(Touch, bool)> = BTreeSet::from([(start.clone(), false)]);
    let mut frontier: BTreeSet<(Steps, bool)> = BTreeSet::from([(Vec::new(), false)]);
    while !frontier.is_empty() {
        let mut next = BTreeSet::new();
        for (steps, person) in frontier {
            let here = steps.last().map_or(start, |(_, touch)| touch);
            for edge in edges.from(here) {
                let person = person || edge.by_person;
                let known = |person| entered.contains(&(edge.to.clone(), person));
                if known(false) || known(person) {
                    continue;
                }
                entered.insert((edge.to.clone(), person));
                let mut steps = steps.clone();
                steps.push((edge.because.clone(), edge.to.clone()));
                let effect = if person { most.min(Effect::Influences) } else { most };
                let effect = effect.min(weight(&edge.to));
                let less = best.get(&edge.to).is_none_or(|(known, _)| *known < effect);
                if less && effect > Effect::None && edge.to != *start {
                    best.insert(edge.to.clone(), (effect, steps.clone()));
                }
                next.insert((steps, person));
            }
        }
        frontier = next;
    }
    let path = |(_, (effect, steps))| Path { start: start.clone(), steps, effect };
    paths.extend(best.into_iter().map(path));
}
