//! What operators may do, by roles and by policies.

use bailiwick_core::right::{Right, Rights};

use super::*;

fn given(set: &PolicySet, name: &str, roles: &[&str]) -> Vec<&'static str> {
    let rights = set.rights(name, &texts(roles));
    Right::ALL.into_iter().filter(|right| rights.has(*right)).map(Right::as_str).collect()
}

#[test]
fn without_policies_roles_give_what_the_table_says() {
    let set = load(r#"@id("any") permit(principal, action == Action::"approve", resource);"#);
    for role in ["admin", "approver", "operator", "terminator", "helpdesk"] {
        assert_eq!(set.rights("ada", &texts(&[role])), Rights::of_roles(&texts(&[role])), "{role}");
    }
    assert_eq!(given(&set, "ada", &["admin"]), ["govern", "accept", "operate"]);
    assert_eq!(given(&set, "ada", &["approver", "terminator"]), ["accept", "terminate"]);
    assert_eq!(given(&set, "ada", &["helpdesk"]), <[&str; 0]>::default());
}

#[test]
fn policies_give_rights_to_other_roles_and_take_them() {
    let set = load(
        r#"@id("helpdesk-delivers") permit(principal, action == Action::"exercise", resource == Right::"operate")
        when { principal.roles.contains("helpdesk") };
        @id("nobody-fires") forbid(principal, action == Action::"exercise", resource == Right::"terminate")
        unless { principal.roles.contains("hr") };
        @id("ben-is-away") forbid(principal, action == Action::"exercise", resource) when { principal.name == "ben" };"#,
    );
    assert_eq!(given(&set, "ada", &["helpdesk"]), ["operate"]);
    assert_eq!(given(&set, "ada", &["operator"]), ["operate"]);
    assert_eq!(given(&set, "ada", &["terminator"]), <[&str; 0]>::default());
    assert_eq!(given(&set, "ada", &["terminator", "hr"]), ["terminate"]);
    let taken = set.rights("ada", &texts(&["terminator"]));
    let by: Vec<&str> = taken.taken_by(Right::Terminate).unwrap().iter().map(PolicyId::as_str).collect();
    assert_eq!((by, taken.taken_by(Right::Accept)), (vec!["nobody-fires"], None));
    assert_eq!(given(&set, "ben", &["approver", "helpdesk"]), <[&str; 0]>::default());
    // Somebody must be able to mend the policies.
    assert_eq!(given(&set, "ben", &["admin"]), ["govern"]);
}

#[test]
fn a_policy_that_fails_takes_the_right_and_locks_nobody_out() {
    let set = load(
        r#"@id("breaks") forbid(principal, action == Action::"exercise", resource)
        when { 9223372036854775807 + (if principal.name == "ada" then 1 else 0) > 0 };"#,
    );
    assert_eq!(given(&set, "ada", &["admin", "operator"]), ["govern"]);
    let rights = set.rights("ada", &texts(&["operator"]));
    assert_eq!(rights.taken_by(Right::Operate), Some(&[PolicyId::new("breaks")][..]));
}

#[test]
fn a_right_that_is_none_and_a_subject_that_is_no_operator_are_refused() {
    let refused = |text: &str| {
        let files = [file("rights.cedar", text)];
        PolicySet::load(&files, &vocabulary()).err().unwrap().iter().map(|e| e.code()).collect::<Vec<_>>()
    };
    let none = r#"@id("x") permit(principal, action == Action::"exercise", resource == Right::"rule");"#;
    assert_eq!(refused(none), ["policy-type"]);
    let rule = r#"@id("x") permit(principal is Rule, action == Action::"exercise", resource);"#;
    assert_eq!(refused(rule), ["policy-never-applies"]);
    let attribute = r#"@id("x") permit(principal, action == Action::"exercise", resource) when { principal.role == "x" };"#;
    assert_eq!(refused(attribute), ["policy-unknown-attribute"]);
}

#[test]
fn a_token_has_no_more_than_its_operator_and_no_more_than_it_was_given() {
    let rights = Rights::of_roles(&texts(&["admin"])).within(&[Right::Operate, Right::Terminate].into());
    assert_eq!(Right::ALL.map(|right| rights.has(right)), [false, false, true, false]);
}
