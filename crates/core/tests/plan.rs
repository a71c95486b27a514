//! Plans converge: what a plan does is what was wanted, and doing it again is nothing.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    access::AccessClass,
    account::{AccountState, AccountValue},
    digest::Digest,
    event::{Event, EventKind},
    id::{AccountId, EntitlementName, EventId, IdentityId, PlanId, SystemName},
    plan::{
        Change, Decision, Desired, EntitlementRule, Inputs, KnownAccount, Op, Plan, Rules, Standpoint, Sweep,
        make,
    },
    policy::PolicyId,
    system::OnLeave,
    time::{Effective, Timestamp},
};

const SEEDS: u64 = 2_000;

struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 27)) % end
    }

    fn yes(&mut self) -> bool {
        self.below(2) == 0
    }
}

fn entitlement(system: &SystemName, n: u64) -> EntitlementName {
    EntitlementName::new(&format!("{system}/e{n}")).unwrap()
}

fn rules(system: &SystemName, dice: &mut Dice) -> Rules {
    let rule = |n| EntitlementRule {
        class: AccessClass::DirectGroups,
        external_id: Some(format!("x{n}")),
        privileged: n == 4,
    };
    Rules {
        first_way: 0,
        on_leave: if dice.below(4) == 0 { OnLeave::Delete } else { OnLeave::Disable },
        kill: BTreeSet::from([AccessClass::Sessions]),
        strip: BTreeSet::from([AccessClass::DirectGroups]),
        entitlements: (0..5).map(|n| (entitlement(system, n), rule(n))).collect(),
    }
}

fn state(system: &SystemName, dice: &mut Dice) -> AccountState {
    AccountState {
        active: dice.yes(),
        attributes: BTreeMap::from([("name".into(), AccountValue::Text(format!("n{}", dice.below(3))))]),
        entitlements: (0..5).filter(|_| dice.yes()).map(|n| entitlement(system, n)).collect(),
    }
}

fn desired(system: &SystemName, dice: &mut Dice) -> Desired {
    let because = vec![PolicyId::new("p")];
    let AccountState { attributes, entitlements, .. } = state(system, dice);
    let entitlements = entitlements.into_iter().map(|e| (e, because.clone())).collect();
    Desired { attributes, entitlements, because }
}

fn plan(
    decision: &Decision,
    known: &BTreeMap<SystemName, Standpoint>,
    rules: &BTreeMap<SystemName, Rules>,
    thorough: bool,
) -> Plan {
    let event = Event {
        id: EventId::from_bytes([1; 16]),
        source: "test".into(),
        key: "1".into(),
        identity: decision.identity,
        kind: EventKind::PolicyChanged,
        effective: Effective::at(Timestamp::UNIX_EPOCH),
        accepted: Timestamp::UNIX_EPOCH,
    };
    make(Inputs {
        id: PlanId::from_bytes([2; 16]),
        event: &event,
        decision: decision.clone(),
        marker: "hr/1".into(),
        known,
        rules,
        sweep: Sweep { thorough, ..Sweep::default() },
        new_account: &mut || AccountId::from_bytes([3; 16]),
        now: Timestamp::UNIX_EPOCH,
    })
}

/// What a system that does what it is told makes of the changes.
fn obey(known: &mut BTreeMap<SystemName, Standpoint>, changes: &[Change]) {
    for change in changes {
        let standpoint =
            known.entry(change.system.clone()).or_insert(Standpoint { account: None, seen: None });
        if let Op::CreateAccount { attributes, .. } = &change.op {
            assert!(standpoint.account.is_none(), "a second account");
            let state = AccountState { active: true, attributes: attributes.clone(), entitlements: vec![] };
            let id = change.target.account();
            standpoint.account =
                Some(KnownAccount { id, external_id: "new".into(), state, stays_disabled: false });
            continue;
        }
        let account = &mut standpoint.account.as_mut().expect("a change of an account that is there").state;
        match &change.op {
            Op::CreateAccount { .. } => {}
            Op::SetAttributes { attributes } => account.attributes.extend(attributes.clone()),
            Op::Enable => account.active = true,
            Op::Disable { .. } => account.active = false,
            Op::Delete => standpoint.account = None,
            Op::Grant { .. } => {
                let name = change.entitlement.clone().unwrap();
                assert!(!account.entitlements.contains(&name), "granted twice");
                account.entitlements.push(name);
            }
            Op::Revoke { .. } => {
                let name = change.entitlement.as_ref().unwrap();
                assert!(account.entitlements.contains(name), "revoked what was not there");
                account.entitlements.retain(|e| e != name);
            }
            Op::RevokeAll { class: AccessClass::DirectGroups } => account.entitlements.clear(),
            Op::RevokeAll { .. } => {}
        }
    }
}

#[test]
fn a_plan_that_was_done_leaves_exactly_what_was_wanted_and_nothing_to_do() {
    for seed in 0..SEEDS {
        let mut dice = Dice(seed);
        let systems: Vec<SystemName> = ["a", "b", "c"].map(|n| SystemName::new(n).unwrap()).to_vec();
        let mut known = BTreeMap::new();
        let mut wanted = BTreeMap::new();
        let mut all_rules = BTreeMap::new();
        for system in &systems {
            all_rules.insert(system.clone(), rules(system, &mut dice));
            let account = dice.yes().then(|| KnownAccount {
                id: AccountId::from_bytes([4; 16]),
                external_id: "old".into(),
                state: state(system, &mut dice),
                stays_disabled: false,
            });
            known.insert(system.clone(), Standpoint { account, seen: None });
            if dice.yes() {
                wanted.insert(system.clone(), desired(system, &mut dice));
            }
        }
        let decision = Decision {
            leads: None,
            event: EventId::from_bytes([1; 16]),
            identity: IdentityId::from_bytes([5; 16]),
            generation: 1,
            policy: Digest::of(b""),
            desired: wanted.clone(),
            forbidden: BTreeMap::new(),
        };
        let thorough = wanted.is_empty() && dice.yes();
        let made = plan(&decision, &known, &all_rules, thorough);
        assert_eq!(made, plan(&decision, &known, &all_rules, thorough), "seed {seed}: not a function");
        let privileged = made.changes.iter().any(|c| {
            matches!(c.op, Op::Grant { .. })
                && c.entitlement.as_ref().is_some_and(|e| e.as_str().ends_with("e4"))
        });
        assert_eq!(made.privileged, privileged, "seed {seed}");
        in_order(&made, seed);
        obey(&mut known, &made.changes);
        for system in &systems {
            let account = known[system].account.as_ref();
            match (wanted.get(system), account) {
                (Some(wanted), Some(account)) => {
                    let held: BTreeSet<_> = account.state.entitlements.iter().collect();
                    assert_eq!(held, wanted.entitlements.keys().collect(), "seed {seed} {system}");
                    assert!(account.state.active, "seed {seed} {system}");
                    assert_eq!(account.state.attributes, wanted.attributes, "seed {seed} {system}");
                }
                (Some(_), None) => panic!("seed {seed} {system}: wanted and not there"),
                (None, Some(account)) => {
                    assert!(
                        !account.state.active && account.state.entitlements.is_empty(),
                        "seed {seed} {system}"
                    );
                }
                (None, None) => {}
            }
        }
        let again = plan(&decision, &known, &all_rules, false);
        assert!(again.changes.is_empty(), "seed {seed}: {:?}", again.changes);
    }
}

/// Live credentials go before the account, the account before what it holds; what is given comes last.
fn in_order(plan: &Plan, seed: u64) {
    for system in plan.systems() {
        let rank = |op: &Op| match op {
            Op::RevokeAll { class: AccessClass::Sessions } => 0,
            Op::Disable { .. } => 1,
            Op::Revoke { .. } | Op::RevokeAll { .. } => 2,
            Op::Delete => 3,
            Op::CreateAccount { .. } => 4,
            Op::SetAttributes { .. } => 5,
            Op::Enable => 6,
            Op::Grant { .. } => 7,
        };
        let ranks: Vec<u8> =
            plan.changes.iter().filter(|c| c.system == system).map(|c| rank(&c.op)).collect();
        assert!(ranks.is_sorted(), "seed {seed} {system}: {ranks:?}");
    }
}
