//! Approvals bind content, are used once, expire, and are never given by who asked or profits.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use bailiwick_core::{
    approval::{Approver, Asked, Refusal, approve},
    digest::Digest,
    id::{ApprovalId, EventId, IdentityId, OperatorId, PlanId},
    plan::{Decision, Plan},
    policy::PolicyId,
    time::{SignedDuration, Timestamp},
};

fn plan() -> Plan {
    let decision = Decision {
        leads: None,
        event: EventId::from_bytes([1; 16]),
        identity: IdentityId::from_bytes([2; 16]),
        generation: 1,
        policy: Digest::of(b"policies"),
        desired: BTreeMap::new(),
        forbidden: BTreeMap::new(),
    };
    Plan {
        id: PlanId::from_bytes([3; 16]),
        decision,
        rests_on: Digest::of(b""),
        cause: "joiner".into(),
        changes: vec![],
        before: BTreeMap::new(),
        missing: vec![],
        privileged: false,
        governs: None,
        exception: None,
        joint: None,
        stay: None,
        made: Timestamp::UNIX_EPOCH,
    }
}

fn asked(
    plan: &Plan,
    person: Option<u8>,
    requester: Option<u8>,
    policies: &[&str],
    seen: Digest,
) -> Result<bailiwick_core::approval::Approval, Refusal> {
    let operator = |n| OperatorId::from_bytes([n; 16]);
    approve(Asked {
        id: ApprovalId::from_bytes([4; 16]),
        plan,
        seen,
        by: Approver::Operator {
            id: operator(7),
            name: "kim".into(),
            person: person.map(|n| IdentityId::from_bytes([n; 16])),
        },
        requester: requester.map(operator),
        person: None,
        conflicts: Default::default(),
        proof: bailiwick_core::factor::Proof::Missing,
        tested: Vec::new(),
        policies: policies.iter().map(PolicyId::new).collect(),
        valid_ms: 1_000,
        now: Timestamp::UNIX_EPOCH,
    })
}

#[test]
fn who_may_not_approve_is_told_why() {
    let plan = plan();
    let check = |person, requester, policies: &[&str], seen, expect: Result<(), &str>| {
        let told = asked(&plan, person, requester, policies, seen).map(|_| ()).map_err(|r| r.code());
        assert_eq!(told, expect);
    };
    let good = plan.digest();
    check(Some(9), Some(8), &["p"], good, Ok(()));
    check(None, None, &["p"], good, Ok(()));
    check(Some(2), None, &["p"], good, Err("approval-by-beneficiary"));
    check(Some(9), Some(7), &["p"], good, Err("approval-by-requester"));
    check(Some(9), None, &[], good, Err("approval-not-allowed"));
    check(Some(9), None, &["p"], Digest::of(b"other"), Err("approval-digest-mismatch"));
}

#[test]
fn an_approval_counts_once_in_time_and_for_every_byte_of_its_plan() {
    let plan = plan();
    let approval = asked(&plan, None, None, &["p"], plan.digest()).unwrap();
    let at = |ms| Timestamp::UNIX_EPOCH + SignedDuration::from_millis(ms);
    let code = |plan: &Plan, ms| approval.clone().consume(plan, at(ms)).map(|_| ()).map_err(|r| r.code());
    assert_eq!(code(&plan, 999), Ok(()));
    assert_eq!(code(&plan, 1_000), Err("approval-expired"));
    let used = approval.clone().consume(&plan, at(1)).unwrap();
    assert_eq!(used.consume(&plan, at(2)).unwrap_err().code(), "approval-used");
    let altered: [fn(&mut Plan); 6] = [
        |p| p.cause.push('x'),
        |p| p.privileged = true,
        |p| p.decision.generation += 1,
        |p| p.decision.policy = Digest::of(b"other policies"),
        |p| p.rests_on = Digest::of(b"another world"),
        |p| p.id = PlanId::from_bytes([9; 16]),
    ];
    for alter in altered {
        let mut other = plan.clone();
        alter(&mut other);
        assert_eq!(code(&other, 1), Err("approval-digest-mismatch"), "{other:?}");
    }
}

#[test]
fn giving_power_over_other_access_takes_a_fresh_proof_of_a_person_and_none_of_a_rule() {
    use bailiwick_core::factor::Proof;
    let ordinary = plan();
    let power = Plan { privileged: true, ..plan() };
    let check = |plan: &Plan, by: Approver, proof: Proof, expect: Result<(), &str>| {
        let given = approve(Asked {
            id: ApprovalId::from_bytes([4; 16]),
            plan,
            seen: plan.digest(),
            by: by.clone(),
            requester: None,
            person: None,
            conflicts: Default::default(),
            proof,
            tested: Vec::new(),
            policies: vec![PolicyId::new("p")],
            valid_ms: 1_000,
            now: Timestamp::UNIX_EPOCH,
        });
        assert_eq!(given.map(|_| ()).map_err(|r| r.code()), expect, "{by:?} {proof:?}");
    };
    let kim = Approver::Operator { id: OperatorId::from_bytes([7; 16]), name: "kim".into(), person: None };
    check(&power, kim.clone(), Proof::Missing, Err("step-up-needed"));
    check(&power, kim.clone(), Proof::NotEnrolled, Err("step-up-not-enrolled"));
    check(&power, kim.clone(), Proof::Wrong, Err("step-up-wrong"));
    check(&power, kim.clone(), Proof::Fresh, Ok(()));
    check(&power, Approver::Rule, Proof::Missing, Ok(()));
    check(&ordinary, kim, Proof::Missing, Ok(()));
}

#[test]
fn breaking_the_glass_takes_a_known_person_and_a_fresh_proof() {
    use bailiwick_core::{
        exception::{Because, Terms},
        factor::Proof,
        id::{EntitlementName, ExceptionId, GlassName},
    };
    let terms = Terms {
        exception: ExceptionId::from_bytes([5; 16]),
        identity: IdentityId::from_bytes([2; 16]),
        entitlements: [EntitlementName::new("chat/admins").unwrap()].into(),
        minutes: 30,
        because: Because::BreakGlass { case: GlassName::new("outage").unwrap(), reason: "down".into() },
        requester: Some(OperatorId::from_bytes([8; 16])),
    };
    let plan = Plan { exception: Some(terms.clone()), ..plan() };
    let approver =
        |n| Approver::Operator { id: OperatorId::from_bytes([n; 16]), name: "kim".into(), person: None };
    let check = |by: Approver, person: Option<&str>, proof: Proof, expect: Result<(), &str>| {
        let given = approve(Asked {
            id: ApprovalId::from_bytes([4; 16]),
            plan: &plan,
            seen: plan.digest(),
            by: by.clone(),
            requester: terms.requester,
            person: person.map(str::to_owned),
            conflicts: Default::default(),
            proof,
            tested: Vec::new(),
            policies: vec![PolicyId::new("p")],
            valid_ms: 1_000,
            now: Timestamp::UNIX_EPOCH,
        });
        if let Ok(approval) = &given {
            assert_eq!(approval.covers, [terms.digest()], "what is approved is what was asked for");
        }
        assert_eq!(given.map(|_| ()).map_err(|r| r.code()), expect, "{by:?} {proof:?}");
    };
    check(Approver::Rule, None, Proof::Fresh, Err("approval-not-allowed"));
    check(approver(7), None, Proof::Fresh, Err("approver-unknown"));
    check(approver(8), Some("hr/8"), Proof::Fresh, Err("approval-by-requester"));
    check(approver(7), Some("hr/7"), Proof::Missing, Err("step-up-needed"));
    check(approver(7), Some("hr/7"), Proof::NotEnrolled, Err("step-up-not-enrolled"));
    check(approver(7), Some("hr/7"), Proof::Wrong, Err("step-up-wrong"));
    check(approver(7), Some("hr/7"), Proof::Slowed(Timestamp::UNIX_EPOCH), Err("step-up-slowed"));
    check(approver(7), Some("hr/7"), Proof::Fresh, Ok(()));
}
