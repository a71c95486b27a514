//! What policies read and reach, as computed authority and explanations rely on.

use super::*;

#[test]
fn attributes_read_come_from_the_syntax_trees() {
    let check = |condition: &str, expect: &[&str]| {
        let set = load(&permit("resource", condition));
        assert_eq!(set.attributes_read(Action::Hold), &texts(expect), "{condition}");
        for other in [Action::Access, Action::Approve, Action::Perform] {
            assert!(set.attributes_read(other).is_empty(), "{condition}");
        }
    };
    let all = ["department", "employee_type", "level", "remote", "sites", "starts"];
    check("", &[]);
    check("when { resource.privileged && context.holding.contains(\"chat/account\") }", &[]);
    check("when { principal.kind == \"person\" }", &[]);
    check("when { principal.employee_type == \"x\" }", &["employee_type"]);
    check("when { principal has department }", &["department"]);
    check("unless { principal has level && principal.level > 3 }", &["level"]);
    check(
        "when { if principal has remote && principal.remote then principal has sites else principal has starts }",
        &["remote", "sites", "starts"],
    );
    check(
        "when { principal has sites && principal[\"sites\"].contains(principal.employee_type) }",
        &["employee_type", "sites"],
    );
    check("when { principal is Identity && principal has level }", &["level"]);
    check("when { {a: principal.employee_type}.a == \"x\" }", &["employee_type"]);
    // The identity as a whole: everything.
    check("when { principal == principal }", &all);
    check("when { (if resource.privileged then principal else principal).employee_type == \"x\" }", &all);
    check("when { [principal].contains(principal) }", &all);
}

#[test]
fn policies_of_other_actions_are_checked_and_do_not_give() {
    let set = load(
        r#"@id("a") permit(principal, action == Action::"access", resource) when { principal has level };
        @id("b") permit(principal, action == Action::"perform", resource);
        @id("c") permit(principal, action == Action::"approve", resource) when { !resource.privileged };"#,
    );
    assert_eq!(set.attributes_read(Action::Access), &texts(&["level"]));
    assert!(set.attributes_read(Action::Hold).is_empty());
    assert_eq!(set.holds("person", &Attributes::new()).unwrap(), Holding::default());
    let actions: Vec<(&str, Action)> = set.reads().iter().map(|r| (r.policy.as_str(), r.action)).collect();
    assert_eq!(actions, [("a", Action::Access), ("b", Action::Perform), ("c", Action::Approve)]);
    assert!(set.reads().iter().all(|r| r.entitlements.is_empty()));
}

#[test]
fn what_policies_read_and_touch_is_listed_for_computed_authority() {
    let set = load(
        r#"@id("by-department") permit(principal, action == Action::"hold", resource in System::"chat")
        when { principal has department && principal.kind == "person" };
        @id("four-eyes") forbid(principal, action == Action::"hold", resource == Entitlement::"erp/approve-payment")
        when { context.holding.contains("erp/create-payment") };"#,
    );
    let [department, eyes] = set.reads() else { panic!("two policies") };
    assert_eq!(department.attributes, texts(&["department", "kind"]));
    assert_eq!(department.entitlements, BTreeSet::from([name("chat/account"), name("chat/engineering")]));
    assert_eq!((department.forbids, department.holding), (false, false));
    assert_eq!(eyes.attributes, BTreeSet::new());
    assert_eq!(eyes.entitlements, BTreeSet::from([name("erp/approve-payment")]));
    assert_eq!((eyes.forbids, eyes.holding), (true, true));
}

#[test]
fn the_version_changes_with_any_byte_and_not_with_order() {
    let files = || vec![file("a.cedar", &permit("resource", "")), file("b.cedar", "// nothing")];
    let version =
        |files: &[PolicyFile], vocabulary: &Vocabulary| PolicySet::load(files, vocabulary).unwrap().version();
    let base = version(&files(), &vocabulary());

    let mut turned = files();
    turned.reverse();
    let mut same = vocabulary();
    same.entitlements.reverse();
    assert_eq!(version(&turned, &same), base);

    let mut versions = BTreeSet::from([base]);
    let mut other = |files: &[PolicyFile], vocabulary: &Vocabulary, what: &str| {
        assert!(versions.insert(version(files, vocabulary)), "{what}");
    };
    for at in 0..2 {
        let mut changed = files();
        changed[at].text.push(' ');
        other(&changed, &vocabulary(), "a byte of a text");
        let mut changed = files();
        changed[at].path.push('x');
        other(&changed, &vocabulary(), "a path");
        let mut changed = files();
        changed.push(file("c.cedar", ""));
        changed[2].path.push_str(&at.to_string());
        other(&changed, &vocabulary(), "an empty file more");
    }
    let mut changed = vocabulary();
    changed.identity.insert("site".into(), AttributeType::Text);
    other(&files(), &changed, "an attribute");
    let mut changed = vocabulary();
    changed.required.insert("level".into());
    other(&files(), &changed, "a required attribute");
    let mut changed = vocabulary();
    changed.entitlements[0].privileged = true;
    other(&files(), &changed, "an entitlement's facts");
    let mut changed = vocabulary();
    changed.entitlements.pop();
    other(&files(), &changed, "an entitlement");
}

#[test]
fn values_have_the_written_forms_that_others_rely_on() {
    let check = |value: AttributeValue, json: &str| {
        assert_eq!(serde_json::to_string(&value).unwrap(), json);
        assert_eq!(serde_json::from_str::<AttributeValue>(json).unwrap(), value);
    };
    check(text("2026-11-21"), "\"2026-11-21\"");
    check(AttributeValue::Number(-7), "-7");
    check(AttributeValue::Flag(true), "true");
    check(AttributeValue::TextSet(texts(&["b", "a"])), "[\"a\",\"b\"]");
    assert!(serde_json::from_str::<AttributeValue>("1.5").is_err());
    assert_eq!(serde_json::to_string(&AttributeType::TextSet).unwrap(), "\"text-set\"");
    assert_eq!(serde_json::to_string(&PolicyId::new("x")).unwrap(), "\"x\"");
    let errors = PolicySet::load(&[file("p.cedar", "oops")], &vocabulary()).err().unwrap();
    assert_eq!(serde_json::to_value(&errors).unwrap()[0]["mistake"], errors[0].code());
}

#[test]
fn policies_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&load(""));
}
