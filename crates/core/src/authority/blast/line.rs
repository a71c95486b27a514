//! What an integration can do: on its line, by itself, and by what follows.

use std::collections::BTreeSet;

use super::{Can, Part, Power, Thing};
use crate::{
    access::{AccessClass, Stage},
    authority::{Effect, Touch},
    id::SystemName,
    integration::Role,
    scope::{Operation, ScopeRule},
    system::Entitlement,
};

/// Everything, in no order.
pub(super) fn powers(part: Part<'_>, entitlements: &[Entitlement]) -> Vec<Power> {
    let mut out = Vec::new();
    let name = || part.integration.name.clone();
    for rule in &part.integration.scope.rules {
        for (can, thing) in by_call(part, rule) {
            let (call, by) = (Some(rule.clone()), rule.to_string());
            let limits = limits(part, can);
            out.push(Power { integration: name(), can, thing, call, by, by_person: false, limits });
        }
    }
    // The calls above say more than the starts of a target's paths do.
    let by_calls = |start: &Touch| {
        matches!(part.integration.role, Role::Target { .. }) && !part.integration.scope.acts.contains(start)
    };
    for path in &part.authority.paths {
        if path.steps.is_empty() && by_calls(&path.start) {
            continue;
        }
        let by_person = path.effect == Effect::Influences;
        let agrees = if by_person { ", if a person agrees" } else { "" };
        let by = format!("{}{agrees}", path.explain(&part.integration.name));
        for can in acts_on(path.end()) {
            let thing = touched(path.end(), entitlements);
            let (can, by, limits) = (*can, by.clone(), limits(part, *can));
            out.push(Power { integration: name(), can, thing, call: None, by, by_person, limits });
        }
    }
    out
}

/// What the calls of a rule can do. The broker knows where a call goes, not what its body says: a call that
/// has one can give as well as take, whatever the rule was meant for.
fn by_call(part: Part<'_>, rule: &ScopeRule) -> Vec<(Can, Thing)> {
    let semantics = part.semantics;
    let system = match &part.integration.role {
        Role::Target { system } => system.clone(),
        Role::Partner { system: Some(system) } => system.clone(),
        Role::Source { .. } | Role::Log { .. } | Role::Partner { system: None } => {
            return if rule.operation.reads() { vec![(Can::Read, Thing::Shown)] } else { Vec::new() };
        }
    };
    let accounts = || Thing::Accounts { system: system.clone() };
    let with = || Thing::WithAccounts { system: system.clone() };
    match rule.operation {
        Operation::Discover | Operation::List | Operation::Get | Operation::Try => {
            vec![(Can::Read, Thing::Shown)]
        }
        Operation::Create => vec![(Can::Create, accounts()), (Can::Change, accounts())],
        Operation::Update => vec![(Can::Change, accounts()), (Can::Change, with())],
        Operation::Delete => vec![(Can::Change, accounts()), (Can::Take, with())],
        Operation::Issue => {
            let classes = semantics.issues.iter().map(|class| Some(*class));
            let classes: Vec<_> = if semantics.issues.is_empty() { vec![None] } else { classes.collect() };
            let credentials = |class| (Can::Create, Thing::Credentials { system: system.clone(), class });
            classes.into_iter().map(credentials).collect()
        }
        Operation::Grant | Operation::Revoke => held(part, rule, &system),
    }
}

fn held(part: Part<'_>, rule: &ScopeRule, system: &SystemName) -> Vec<(Can, Thing)> {
    let there = |classes: &BTreeSet<AccessClass>| -> BTreeSet<AccessClass> {
        let has = |class: &&AccessClass| part.classes.is_none_or(|there| there.contains(class));
        classes.iter().filter(has).copied().collect()
    };
    let (grants, removes) = (there(&part.semantics.grants), there(&part.semantics.removes));
    let body = carries_a_body(&rule.verb);
    // What can be made at an address with a body may let somebody in.
    let live: Vec<AccessClass> =
        grants.iter().filter(|class| body && class.stage() == Stage::Kill).copied().collect();
    let (gives, takes) = match (body, rule.operation) {
        (true, _) => {
            let both: BTreeSet<AccessClass> = grants.union(&removes).copied().collect();
            (both.clone(), both)
        }
        (false, Operation::Revoke) => (BTreeSet::new(), removes),
        (false, _) => (grants, BTreeSet::new()),
    };
    let thing = |class: AccessClass| Thing::Held { system: system.clone(), class };
    let mut out: Vec<(Can, Thing)> = gives.into_iter().map(|class| (Can::Give, thing(class))).collect();
    out.extend(takes.into_iter().map(|class| (Can::Take, thing(class))));
    if at_an_address(&rule.verb) {
        out.push((Can::Change, Thing::Holders { system: system.clone() }));
    }
    let credentials = |class| Thing::Credentials { system: system.clone(), class: Some(class) };
    out.extend(live.into_iter().map(|class| (Can::Create, credentials(class))));
    out
}

/// Whether the verb comes with a body of which the scope says nothing.
fn carries_a_body(verb: &str) -> bool {
    matches!(verb, "POST" | "PUT" | "PATCH" | "ADD" | "MODIFY" | "RENAME")
}

/// Whether the verb is done to whatever is at an address, so that it can be done to the thing itself.
fn at_an_address(verb: &str) -> bool {
    carries_a_body(verb) || matches!(verb, "DELETE" | "REMOVE")
}

fn touched(touch: &Touch, entitlements: &[Entitlement]) -> Thing {
    match touch {
        Touch::Identity => Thing::Identities,
        Touch::Attribute(name) => Thing::Attribute { name: name.clone() },
        Touch::Entitlement(name) => {
            let class = entitlements.iter().find(|e| e.name == *name).map(|e| e.class);
            Thing::Entitlement { name: name.clone(), class }
        }
        Touch::Account(system) => Thing::Accounts { system: system.clone() },
        Touch::Credential(system) => Thing::Credentials { system: system.clone(), class: None },
        Touch::Object(name) => Thing::Objects { name: name.clone() },
        Touch::Decide(kind) | Touch::Search(kind) => Thing::Access { of: kind.clone() },
        Touch::Signal => Thing::Signals,
    }
}

const fn acts_on(touch: &Touch) -> &'static [Can] {
    match touch {
        Touch::Identity | Touch::Account(_) | Touch::Object(_) => &[Can::Create, Can::Change],
        Touch::Attribute(_) | Touch::Decide(_) => &[Can::Change],
        Touch::Search(_) => &[Can::Read],
        Touch::Entitlement(_) => &[Can::Give, Can::Take],
        Touch::Credential(_) | Touch::Signal => &[Can::Create],
    }
}

/// What limits it. The pace holds at the edge; the rest of a target's limits holds for what the hub plans.
/// What comes in is held by the hub itself.
fn limits(part: Part<'_>, can: Can) -> Vec<String> {
    let scope = &part.integration.scope;
    let mut limits = Vec::new();
    if can == Can::Read {
        return limits;
    }
    limits.extend(scope.writes_per_minute.map(|n| format!("{n} writes a minute")));
    let mut kept = Vec::new();
    kept.extend(scope.objects_per_run.map(|n| format!("{n} accounts a run")));
    kept.extend(scope.population_percent.map(|n| format!("{n} % of the accounts a day")));
    if can == Can::Give {
        kept.extend(scope.privileged_per_day.map(|n| format!("{n} privileged a day")));
    }
    for (name, values) in &scope.population.0 {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        kept.push(format!("only where {name} is {}", values.join(" or ")));
    }
    match &part.integration.role {
        Role::Target { .. } => {
            limits.extend(kept.into_iter().map(|limit| format!("{limit}, as the hub plans")))
        }
        Role::Source { contract, .. } => {
            let always = contract.always_allowed;
            limits.extend(kept);
            limits.push(format!(
                "a delivery may lose {} % of the people, or {always}",
                contract.max_loss_percent
            ));
            limits.push(format!("a delivery may change {} %, or {always}", contract.max_change_percent));
        }
        Role::Log { .. } | Role::Partner { .. } => limits.extend(kept),
    }
    limits
}
