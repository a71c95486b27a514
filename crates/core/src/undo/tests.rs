//! Each kind of change, judged by each thing that can be so now; and the plans that are not undone.

use super::*;
use crate::{
    account::AccountAttributes,
    digest::Digest,
    event::FIRED,
    exception::{Because, Terms},
    id::{AccountId, EventId, IdentityId},
    plan::{Decision, Target},
    time::Timestamp,
};

fn named(text: &str) -> EntitlementName {
    EntitlementName::new(text).unwrap()
}

fn chat() -> SystemName {
    SystemName::new("chat").unwrap()
}

fn op(text: &str) -> (Option<EntitlementName>, Op) {
    let (class, external_id) = (AccessClass::DirectGroups, "x".to_owned());
    match text.split_once(' ') {
        Some(("-", name)) => (Some(named(name)), Op::Revoke { class, external_id }),
        Some(("+", name)) => (Some(named(name)), Op::Grant { class, external_id }),
        Some(("title", to)) => {
            let attributes = AccountAttributes::from([("title".to_owned(), to.into())]);
            (None, Op::SetAttributes { attributes })
        }
        Some(_) | None => match text {
            "disable" => (None, Op::Disable { way: 0 }),
            "enable" => (None, Op::Enable),
            "end" => (None, Op::RevokeAll { class: AccessClass::Sessions }),
            other => panic!("{other}"),
        },
    }
}

fn plan(changes: &[&str]) -> Plan {
    let target = Target::Known { account: AccountId::from_bytes([1; 16]), external_id: "u".into() };
    let change = |(seq, text): (usize, &&str)| {
        let (entitlement, op) = op(text);
        let seq = u16::try_from(seq).unwrap();
        Change { seq, system: chat(), target: target.clone(), entitlement, op, because: vec![] }
    };
    Plan {
        id: PlanId::from_bytes([1; 16]),
        decision: Decision {
            leads: None,
            event: EventId::from_bytes([2; 16]),
            identity: IdentityId::from_bytes([3; 16]),
            generation: 2,
            policy: Digest::of(b""),
            desired: BTreeMap::new(),
            forbidden: BTreeMap::new(),
        },
        rests_on: Digest::of(b""),
        cause: "mover".into(),
        changes: changes.iter().enumerate().map(change).collect(),
        before: BTreeMap::from([(chat(), state(true, "old", &["chat/eng", "chat/admins"]))]),
        missing: vec![],
        privileged: false,
        governs: None,
        exception: None,
        joint: None,
        stay: None,
        made: Timestamp::UNIX_EPOCH,
    }
}

fn state(active: bool, title: &str, held: &[&str]) -> AccountState {
    AccountState {
        active,
        attributes: AccountAttributes::from([("title".to_owned(), title.into())]),
        entitlements: held.iter().map(|name| named(name)).collect(),
    }
}

fn account(seen: AccountState, applied: AccountState) -> Account {
    Account {
        for_key: None,
        id: AccountId::from_bytes([1; 16]),
        system: chat(),
        external_id: "u".into(),
        username: "u".into(),
        identity: None,
        state: seen,
        applied: Some(applied),
        seen: Timestamp::UNIX_EPOCH,
    }
}

/// Everything that the tests know of the present; each changes what it is about.
struct Scene {
    account: Option<Account>,
    holding: Holding,
    entitlements: BTreeMap<EntitlementName, Entitlement>,
    later: BTreeMap<Touch, PlanId>,
    by_person: BTreeSet<SystemName>,
    mass: bool,
}

impl Scene {
    /// Somebody with an account that holds nothing, as the hub left it.
    fn new() -> Self {
        let declared = |(name, class, privileged): (&str, AccessClass, bool)| {
            let (label, name) = (name.to_owned(), named(name));
            let known = Entitlement {
                name: name.clone(),
                class,
                label,
                privileged,
                external_id: None,
                inside: vec![],
            };
            (name, known)
        };
        let all = [
            ("chat/account", AccessClass::PrimaryAccount, false),
            ("chat/admins", AccessClass::DirectGroups, true),
            ("chat/eng", AccessClass::DirectGroups, false),
        ];
        Self {
            account: Some(account(state(true, "new", &[]), state(true, "new", &[]))),
            holding: Holding::default(),
            entitlements: all.into_iter().map(declared).collect(),
            later: BTreeMap::new(),
            by_person: BTreeSet::new(),
            mass: false,
        }
    }

    fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut scene = Self::new();
        change(&mut scene);
        scene
    }

    fn fate(&self, change: &str) -> Fate {
        let accounts = self.account.iter().map(|account| (chat(), account.clone())).collect();
        let present = Present {
            accounts: &accounts,
            holding: &self.holding,
            entitlements: &self.entitlements,
            later: &self.later,
            by_person: &self.by_person,
            mass: self.mass,
        };
        judge(&plan(&[change]), &Done::from([0]), &present).pop().unwrap().fate
    }
}

fn policies() -> Vec<PolicyId> {
    vec![PolicyId::new("p")]
}

#[test]
fn what_was_taken_is_judged_by_what_is_so_now() {
    let check = |scene: Scene, change: &str, expect: Fate| assert_eq!(scene.fate(change), expect, "{change}");
    check(Scene::new(), "- chat/eng", Fate::Back);
    check(Scene::new(), "- chat/admins", Fate::Back);
    check(Scene::new(), "- chat/gone", Fate::Undeclared);
    check(Scene::with(|s| s.account = None), "- chat/eng", Fate::Back);
    check(Scene::with(|s| s.mass = true), "- chat/admins", Fate::Power);
    check(Scene::with(|s| s.mass = true), "- chat/eng", Fate::Back);
    check(Scene::with(|s| s.by_person = BTreeSet::from([chat()])), "- chat/eng", Fate::Unprovable);
    let forbidden = |s: &mut Scene| drop(s.holding.forbidden.insert(named("chat/eng"), policies()));
    check(Scene::with(forbidden), "- chat/eng", Fate::Forbidden { policies: policies() });
    let given = |s: &mut Scene| drop(s.holding.held.insert(named("chat/eng"), policies()));
    check(Scene::with(given), "- chat/eng", Fate::Given { policies: policies() });
    let later = PlanId::from_bytes([9; 16]);
    let changed = |s: &mut Scene| s.later = BTreeMap::from([((chat(), Some(named("chat/eng"))), later)]);
    check(Scene::with(changed), "- chat/eng", Fate::Later { plan: later });
}

#[test]
fn what_somebody_changed_since_is_left_alone() {
    let check = |seen: AccountState, change: &str, expect: Fate| {
        let scene = Scene::with(|s| s.account = Some(account(seen, state(true, "new", &[]))));
        assert_eq!(scene.fate(change), expect, "{change}");
    };
    check(state(true, "new", &["chat/eng"]), "- chat/eng", Fate::AsBefore);
    check(state(false, "new", &[]), "- chat/eng", Fate::Touched);
    check(state(true, "new", &["chat/admins"]), "- chat/eng", Fate::Touched);
    check(state(true, "by hand", &[]), "- chat/eng", Fate::Back);
}

#[test]
fn an_account_comes_back_by_what_stands_for_it_and_its_credentials_do_not() {
    let off = |s: &mut Scene| s.account = Some(account(state(false, "new", &[]), state(false, "new", &[])));
    assert_eq!(Scene::with(off).fate("disable"), Fate::Back);
    assert_eq!(Scene::new().fate("disable"), Fate::AsBefore);
    assert_eq!(Scene::with(off).fate("end"), Fate::Dead);
    let bare = Scene::with(|s| {
        off(s);
        s.entitlements.remove(&named("chat/account"));
    });
    assert_eq!(bare.fate("disable"), Fate::Carried);
}

#[test]
fn what_was_given_stays_while_a_policy_gives_it() {
    let holds = |s: &mut Scene| {
        let now = state(true, "new", &["chat/eng"]);
        s.account = Some(account(now.clone(), now));
    };
    let wanted = Scene::with(|s| {
        holds(s);
        s.holding.held.insert(named("chat/eng"), policies());
    });
    assert_eq!(wanted.fate("+ chat/eng"), Fate::Given { policies: policies() });
    assert_eq!(Scene::with(holds).fate("+ chat/eng"), Fate::Going);
    assert_eq!(Scene::new().fate("+ chat/eng"), Fate::AsBefore);
    assert_eq!(Scene::new().fate("enable"), Fate::Carried);
    assert_eq!(Scene::new().fate("title new"), Fate::Source);
    let back = |s: &mut Scene| s.account = Some(account(state(true, "old", &[]), state(true, "old", &[])));
    assert_eq!(Scene::with(back).fate("title new"), Fate::AsBefore);
}

#[test]
fn only_what_was_done_is_undone_and_only_that_is_asked_for() {
    let scene = Scene::new();
    let accounts = scene.account.iter().map(|account| (chat(), account.clone())).collect();
    let present = Present {
        accounts: &accounts,
        holding: &scene.holding,
        entitlements: &scene.entitlements,
        later: &scene.later,
        by_person: &scene.by_person,
        mass: false,
    };
    let plan = plan(&["- chat/eng", "- chat/admins", "end"]);
    let done = Done::from([0, 2]);
    let lines = judge(&plan, &done, &present);
    let fates: Vec<&Fate> = lines.iter().map(|line| &line.fate).collect();
    assert_eq!(fates, [&Fate::Back, &Fate::NotDone, &Fate::Dead]);
    assert_eq!(back(&lines), BTreeSet::from([named("chat/eng")]));
    assert_eq!(taken(&plan, &done, &scene.entitlements), BTreeSet::from([named("chat/eng")]));
}

#[test]
fn some_plans_are_not_undone() {
    let check = |alter: &dyn Fn(&mut Plan), done: &[u16], under_way, expect: Result<(), &str>| {
        let mut plan = plan(&["- chat/eng"]);
        alter(&mut plan);
        let told = undoable(&plan, &done.iter().copied().collect(), under_way);
        assert_eq!(told.map_err(|refusal| refusal.code()), expect);
    };
    let same = |_: &mut Plan| {};
    check(&same, &[0], false, Ok(()));
    check(&same, &[], false, Err("undo-not-done"));
    check(&same, &[], true, Err("undo-under-way"));
    check(&same, &[0], true, Err("undo-under-way"));
    check(&|plan| plan.cause = "leaver".into(), &[0], false, Err("undo-of-leaver"));
    check(&|plan| plan.cause = FIRED.into(), &[0], false, Err("undo-of-leaver"));
    let gave = |plan: &mut Plan| {
        plan.exception = Some(Terms {
            exception: ExceptionId::from_bytes([4; 16]),
            identity: plan.decision.identity,
            entitlements: BTreeSet::new(),
            minutes: 60,
            because: Because::Undo { plan: plan.id, reason: "a mistake".into() },
            requester: None,
        });
    };
    check(&gave, &[0], false, Err("undo-of-exception"));
}
