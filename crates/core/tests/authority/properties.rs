//! What holds for every scope, policy and automation.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    authority::{Authority, Class, Effect, Touch, compute},
    id::IntegrationName,
    integration::{Integration, Role},
    policy::{Action, AttributeValue, Attributes},
    scope::{Comparison, Operation, Scope},
    system::Entitlement,
};
use proptest::prelude::*;

use crate::generated::{Surroundings, entitlement, integration, policy, role, scope, scopes, surroundings};

/// What a scope allows, spelled out over a universe in which every name has a stranger beside it.
fn allowed(scope: &Scope) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let segments = ["a", "b", "stranger"];
    let mut targets: Vec<String> = segments.map(|s| format!("/{s}")).into();
    targets.extend(segments.iter().flat_map(|s| segments.map(|t| format!("/{s}/{t}"))));
    for dn in ["dc=x", "ou=a,dc=x", "ou=b,dc=x", "uid=1,ou=a,dc=x", "uid=2,ou=a,dc=x", "uid=1,ou=b,dc=x"] {
        targets.push(dn.into());
        targets.push(format!("cn=stranger,{dn}"));
    }
    targets.extend(["rootDSE", "g", "h", "stranger"].map(str::to_owned));
    for operation in Operation::ALL {
        for verb in ["GET", "POST", "PATCH", "SEARCH", "MODIFY", "EXEC", "CALL", "ASK"] {
            let inside = targets.iter().filter(|target| scope.allows(operation, verb, target));
            all.extend(inside.map(|target| format!("{} {verb} {target}", operation.as_str())));
        }
    }
    all.extend(scope.acts().map(|act| format!("act {act}")));
    let attributes = ["a", "b", "c", "stranger"].map(str::to_owned);
    all.extend(attributes.iter().filter(|a| scope.attributes.allows(a)).map(|a| format!("attribute {a}")));
    let entitlements = ["s/x", "t/x", "t/y", "t/stranger"].map(entitlement);
    all.extend(entitlements.iter().filter(|e| scope.entitlements.allows(e)).map(|e| format!("hold {e}")));
    let people = ["", "a", "b", "stranger"];
    for (d, e) in people.iter().flat_map(|d| people.map(|e| (*d, e))) {
        let known = [("d", d), ("e", e)].into_iter().filter(|(_, value)| !value.is_empty());
        let text = |(name, value): (&str, &str)| (name.to_owned(), AttributeValue::Text(value.to_owned()));
        let somebody: Attributes = known.map(text).collect();
        if scope.population.has(&somebody) {
            all.insert(format!("identity {d}/{e}"));
        }
    }
    for number in 0..4 {
        let within = |limit: Option<u32>| limit.is_none_or(|limit| number <= limit);
        let budgets = [
            within(scope.writes_per_minute),
            within(scope.objects_per_run),
            within(scope.population_percent.map(u32::from)),
            within(scope.privileged_per_day),
        ];
        let inside = budgets.into_iter().enumerate().filter(|(_, within)| *within);
        all.extend(inside.map(|(budget, _)| format!("budget {budget}: {number}")));
    }
    all
}

/// Everything that is reached, by going round until nothing is new.
fn closure(integration: &Integration, around: &Surroundings) -> BTreeMap<Touch, Effect> {
    let mut reached: BTreeSet<(Touch, Effect)> = BTreeSet::new();
    let mut alone = Surroundings { policies: Vec::new(), automations: Vec::new(), ..around.clone() };
    alone.entitlements.iter_mut().for_each(|entitlement| entitlement.inside.clear());
    for path in compute(integration, alone.world()).paths {
        let issued = matches!(path.start, Touch::Credential(_));
        let by_itself = integration.scope.acts.contains(&path.start);
        let target = matches!(integration.role, Role::Target { .. });
        let most = if target && !issued && !by_itself { Effect::Executes } else { Effect::Decides };
        reached.insert((path.start, most));
    }
    loop {
        let before = reached.len();
        for (touch, most) in reached.clone() {
            let of = |e: &&Entitlement| matches!(&touch, Touch::Entitlement(name) if *name == e.name);
            for inside in around.entitlements.iter().filter(of).flat_map(|e| &e.inside) {
                reached.insert((Touch::Entitlement(inside.of.clone()), most));
            }
            for automation in &around.automations {
                let account = matches!((&touch, &automation.from), (Touch::Entitlement(e), Touch::Account(s))
                    if e.as_str() == "s/account" && s.as_str() == "s");
                if automation.from == touch || account {
                    let most = if automation.by_person { most.min(Effect::Influences) } else { most };
                    reached.insert((automation.to.clone(), most));
                }
            }
            for policy in around.policies.iter().filter(|p| p.action == Action::Hold) {
                let all = around.policies.iter().filter(|p| p.action == Action::Hold);
                let reads = match &touch {
                    Touch::Attribute(name) => {
                        policy.attributes.contains(name)
                            || policy.holding
                                && all
                                    .filter(|p| !p.entitlements.is_empty())
                                    .any(|p| p.attributes.contains(name))
                    }
                    Touch::Identity => !policy.forbids,
                    _ => false,
                };
                if reads {
                    reached.extend(policy.entitlements.iter().map(|e| (Touch::Entitlement(e.clone()), most)));
                }
            }
        }
        if reached.len() == before {
            break;
        }
    }
    let mut ends = BTreeMap::new();
    for (touch, most) in reached {
        if !matches!(touch, Touch::Attribute(_) | Touch::Object(_) | Touch::Signal) {
            let known = ends.entry(touch).or_insert(most);
            *known = most.max(*known);
        }
    }
    ends
}

fn ends(authority: &Authority) -> BTreeMap<Touch, Effect> {
    let mut ends = BTreeMap::new();
    for path in authority.paths.iter().filter(|path| path.effect > Effect::None) {
        let known = ends.entry(path.end().clone()).or_insert(path.effect);
        *known = path.effect.max(*known);
    }
    ends
}

proptest! {
    #[test]
    fn comparing_agrees_with_spelling_out([one, two, three] in scopes()) {
        for (new, certified) in [(&one, &two), (&two, &one), (&two, &three), (&three, &one), (&three, &three)] {
            let (mine, theirs) = (allowed(new), allowed(certified));
            let compared = new.compare(certified);
            prop_assert_eq!(matches!(compared, Comparison::Same), mine == theirs, "{:?}", compared);
            let narrower = mine.is_subset(&theirs) && mine != theirs;
            prop_assert_eq!(matches!(compared, Comparison::Narrower), narrower, "{:?}", compared);
            if let Comparison::Wider { beyond } = compared {
                prop_assert!(!beyond.is_empty());
            }
        }
    }

    #[test]
    fn comparing_is_an_order([one, two, three] in scopes()) {
        let inside = |a: &Scope, b: &Scope| !matches!(a.compare(b), Comparison::Wider { .. });
        prop_assert_eq!(one.compare(&one), Comparison::Same);
        if inside(&one, &two) && inside(&two, &one) {
            prop_assert_eq!(one.compare(&two), Comparison::Same);
            prop_assert_eq!(two.compare(&one), Comparison::Same);
        }
        if inside(&three, &two) && inside(&two, &one) {
            prop_assert!(inside(&three, &one));
        }
    }

    #[test]
    fn a_narrower_scope_never_has_more_authority(
        [one, two, _] in scopes(), role in role(), around in surroundings(),
    ) {
        for (new, certified) in [(&one, &two), (&two, &one)] {
            if !matches!(new.compare(certified), Comparison::Wider { .. }) {
                let new = compute(&integration(role.clone(), new.clone()), around.world());
                let certified = compute(&integration(role.clone(), certified.clone()), around.world());
                prop_assert!(new.within(&certified));
                prop_assert!(new.class <= certified.class);
            }
        }
    }

    #[test]
    fn less_around_it_is_never_more_authority(
        scope in scope(), role in role(), around in surroundings(), more in policy(), drop in 0..8usize,
    ) {
        let it = integration(role, scope);
        let authority = compute(&it, around.world());
        let mut fewer = around.clone();
        if drop < fewer.automations.len() {
            fewer.automations.remove(drop);
        }
        prop_assert!(compute(&it, fewer.world()).within(&authority));
        let mut flatter = around.clone();
        let last = flatter.entitlements.len() - 1;
        flatter.entitlements[drop.min(last)].inside.clear();
        prop_assert!(compute(&it, flatter.world()).within(&authority));
        let mut ruled = around.clone();
        ruled.policies.push(more);
        prop_assert!(authority.within(&compute(&it, ruled.world())));
    }

    #[test]
    fn what_is_reached_is_what_follows_and_the_class_is_its_largest_effect(
        scope in scope(), role in role(), around in surroundings(),
    ) {
        let it = integration(role, scope);
        let authority = compute(&it, around.world());
        prop_assert_eq!(ends(&authority), closure(&it, &around));
        let largest = authority.paths.iter().map(|path| path.effect).max();
        let class = match largest {
            None | Some(Effect::None) => Class::Advisory,
            Some(Effect::Influences | Effect::Executes) => Class::Operational,
            Some(Effect::Decides) => Class::Authoritative,
        };
        prop_assert_eq!(authority.class, class);
        prop_assert_eq!(authority.explain(&IntegrationName::new("it").unwrap()).len(), authority.paths.len());
    }

    #[test]
    fn the_order_of_what_is_known_does_not_matter(scope in scope(), role in role(), around in surroundings()) {
        let it = integration(role, scope);
        let mut turned = around.clone();
        turned.policies.reverse();
        turned.automations.reverse();
        turned.entitlements.reverse();
        prop_assert_eq!(compute(&it, around.world()), compute(&it, turned.world()));
    }
}
