//! Who approves which change.

use super::*;

#[test]
fn approvals_follow_the_policies() {
    let set = load(
        r#"@id("routine") permit(principal is Rule, action == Action::"approve", resource)
        when { !resource.privileged && !resource.destructive && resource.changes <= 20 };
        @id("leavers") permit(principal is Rule, action == Action::"approve", resource)
        when { resource.cause == "leaver" && resource.removes_only };
        @id("security") permit(principal is Operator, action == Action::"approve", resource)
        when { principal.roles.contains("security") };
        @id("erp-is-audited") forbid(principal, action == Action::"approve", resource)
        when { resource.systems.contains("erp") && !principal.roles.contains("audit") };"#,
    );
    let approver = |kind, roles: &[&str]| ApproverFacts { kind, name: "ada".into(), roles: texts(roles) };
    let rule = approver(ApproverKind::Rule, &[]);
    let joiner = ChangeFacts { cause: "joiner".into(), changes: 3, ..ChangeFacts::default() };
    let privileged = ChangeFacts { privileged: true, ..joiner.clone() };
    let leaver =
        ChangeFacts { cause: "leaver".into(), removes_only: true, destructive: true, ..joiner.clone() };
    let erp = ChangeFacts { systems: [name("erp/x").system()].into(), ..joiner.clone() };
    let mut bulk = set.bulk();
    let mut check = |approver: &ApproverFacts, change: &ChangeFacts, allowed: bool, policies: &[&str]| {
        let answer = set.approves(approver, change).unwrap();
        let named: Vec<&str> = answer.policies.iter().map(PolicyId::as_str).collect();
        assert_eq!((answer.allowed, named.as_slice()), (allowed, policies), "{approver:?} {change:?}");
        for asked in ["first", "again"] {
            let same = bulk.approves(approver, change.clone()).unwrap();
            assert_eq!(same, answer, "asked {asked}: {approver:?} {change:?}");
        }
    };
    check(&rule, &joiner, true, &["routine"]);
    check(&rule, &ChangeFacts { changes: 21, ..joiner.clone() }, false, &[]);
    check(&rule, &privileged, false, &[]);
    check(&rule, &leaver, true, &["leavers"]);
    check(&rule, &ChangeFacts { removes_only: false, ..leaver.clone() }, false, &[]);
    check(&rule, &erp, false, &["erp-is-audited"]);
    check(&approver(ApproverKind::Operator, &[]), &joiner, false, &[]);
    check(&approver(ApproverKind::Operator, &["security"]), &privileged, true, &["security"]);
    check(&approver(ApproverKind::Operator, &["security"]), &erp, false, &["erp-is-audited"]);
    check(&approver(ApproverKind::Operator, &["audit", "security"]), &erp, true, &["security"]);
    check(&approver(ApproverKind::Operator, &["audit"]), &erp, false, &[]);
    assert_eq!(bulk.evaluations(), 11, "each question once");

    let nobody = load("");
    assert!(!nobody.approves(&rule, &joiner).unwrap().allowed);
    let broken = load(
        r#"@id("all") permit(principal, action == Action::"approve", resource);
        @id("overflow") forbid(principal, action == Action::"approve", resource) when { resource.changes + 1 > 5 };"#,
    );
    let huge = ChangeFacts { changes: i64::MAX, ..joiner.clone() };
    assert_eq!(broken.approves(&rule, &huge).unwrap_err().code(), "policy-evaluation");
}
