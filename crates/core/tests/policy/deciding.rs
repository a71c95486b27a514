//! What policies decide from the facts: who holds what, what is forbidden, and what is not decided.

use super::*;

#[test]
fn a_condition_decides_from_the_facts() {
    let check = |condition: &str, facts: &[(&str, AttributeValue)], expect: bool| {
        let set = load(&permit("resource == Entitlement::\"chat/engineering\"", condition));
        let holding = set.holds("person", &employee(facts)).unwrap();
        let expect = if expect { "+chat/engineering by p" } else { "" };
        assert_eq!(show(&holding), expect, "{condition} for {facts:?}");
    };
    let sites = |items: &[&str]| [("sites", AttributeValue::TextSet(texts(items)))];
    let level = |n| [("level", AttributeValue::Number(n))];

    check("", &[], true);
    check("when { principal.employee_type == \"employee\" }", &[], true);
    check("when { principal.employee_type == \"contractor\" }", &[], false);
    check("when { principal.kind == \"person\" }", &[], true);
    check("when { principal.kind == \"agent\" }", &[], false);
    check("unless { principal.kind == \"person\" }", &[], false);
    check(
        "when { principal has department && principal.department == \"R&D\" }",
        &[("department", text("R&D"))],
        true,
    );
    check(
        "when { principal has department && principal.department == \"R&D\" }",
        &[("department", text("r&d"))],
        false,
    );
    check("when { principal has department && principal.department == \"R&D\" }", &[], false);
    check(
        "when { principal has department && principal.department like \"Eng*\" }",
        &[("department", text("Engineering"))],
        true,
    );
    check("when { principal has level && principal.level >= 3 }", &level(3), true);
    check("when { principal has level && principal.level >= 3 }", &level(2), false);
    check("when { principal has level && principal.level >= 3 }", &level(i64::MIN), false);
    check(
        "when { principal has remote && principal.remote }",
        &[("remote", AttributeValue::Flag(true))],
        true,
    );
    check(
        "when { principal has remote && principal.remote }",
        &[("remote", AttributeValue::Flag(false))],
        false,
    );
    check(
        "when { principal has sites && principal.sites.contains(\"Bern\") }",
        &sites(&["Basel", "Bern"]),
        true,
    );
    check("when { principal has sites && principal.sites.contains(\"Bern\") }", &sites(&[]), false);
    check(
        "when { principal has starts && principal.starts == \"2026-11-21\" }",
        &[("starts", text("2026-11-21"))],
        true,
    );
    check("when { !(principal has department) }", &[], true);
    check("when { !(principal has department) }", &[("department", text(""))], false);
}

#[test]
fn a_scope_decides_which_entitlements() {
    let check = |scope: &str, condition: &str, expect: &[&str]| {
        let set = load(&permit(scope, condition));
        let holding = set.holds("person", &employee(&[])).unwrap();
        let held: Vec<&str> = holding.held.keys().map(EntitlementName::as_str).collect();
        assert_eq!(held, expect, "{scope} {condition}");
        let reach: Vec<&str> = set.reads()[0].entitlements.iter().map(EntitlementName::as_str).collect();
        assert_eq!(reach, expect, "reach of {scope} {condition}");
    };
    let all =
        ["chat/account", "chat/engineering", "erp/approve-payment", "erp/create-payment", "vault/token"];
    check("resource", "", &all);
    check("resource is Entitlement", "", &all);
    check("resource == Entitlement::\"vault/token\"", "", &["vault/token"]);
    check("resource in Entitlement::\"vault/token\"", "", &["vault/token"]);
    check("resource in System::\"erp\"", "", &["erp/approve-payment", "erp/create-payment"]);
    check("resource is Entitlement in System::\"chat\"", "", &["chat/account", "chat/engineering"]);
    check("resource", "when { resource.system == \"chat\" }", &["chat/account", "chat/engineering"]);
    check("resource", "when { resource in System::\"chat\" }", &["chat/account", "chat/engineering"]);
    check("resource", "when { resource.labels.contains(\"everyone\") }", &["chat/account", "vault/token"]);
    check("resource", "when { resource.privileged }", &["erp/approve-payment", "vault/token"]);
    check(
        "resource",
        "unless { resource.privileged }",
        &["chat/account", "chat/engineering", "erp/create-payment"],
    );
    check(
        "resource",
        "when { resource.class == \"roles\" } unless { resource.privileged }",
        &["erp/create-payment"],
    );
    check(
        "resource",
        "when { resource.privileged || resource.system == \"chat\" }",
        &["chat/account", "chat/engineering", "erp/approve-payment", "vault/token"],
    );
    check(
        "resource",
        "when { principal.kind == \"person\" && resource.system == \"erp\" && !resource.privileged }",
        &["erp/create-payment"],
    );
}

#[test]
fn what_a_policy_could_give_is_in_its_reach_even_where_it_does_not() {
    let set = load(&permit("resource", "when { resource.privileged || principal.kind == \"agent\" }"));
    assert_eq!(set.reads()[0].entitlements.len(), 5);
    assert_eq!(set.holds("person", &employee(&[])).unwrap().held.len(), 2);
    assert_eq!(set.holds("agent", &employee(&[])).unwrap().held.len(), 5);
}

#[test]
fn every_policy_that_gives_or_forbids_is_named_in_order() {
    let set = load(
        r#"
        @id("z-all") permit(principal, action == Action::"hold", resource in System::"chat");
        @id("a-chat") permit(principal, action == Action::"hold", resource == Entitlement::"chat/account");
        @id("no-agents") forbid(principal, action == Action::"hold", resource) when { principal.kind == "agent" };
        @id("no-agents-in-chat") forbid(principal, action == Action::"hold", resource in System::"chat")
        when { principal.kind == "agent" };
        @id("nothing-to-take") forbid(principal, action == Action::"hold", resource in System::"erp");
        "#,
    );
    let check = |kind, expect: &str| assert_eq!(show(&set.holds(kind, &employee(&[])).unwrap()), expect);
    check("person", "+chat/account by a-chat z-all, +chat/engineering by z-all");
    check(
        "agent",
        "-chat/account by no-agents no-agents-in-chat, -chat/engineering by no-agents no-agents-in-chat",
    );
}

#[test]
fn nothing_is_held_without_a_permit() {
    for text in ["", "// nothing", "@id(\"f\") forbid(principal, action == Action::\"hold\", resource);"] {
        assert_eq!(load(text).holds("person", &employee(&[])).unwrap(), Holding::default(), "{text}");
    }
}

#[test]
fn separation_of_duties_looks_at_what_else_would_be_held() {
    let one_way = r#"@id("four-eyes")
        forbid(principal, action == Action::"hold", resource == Entitlement::"erp/approve-payment")
        when { context.holding.contains("erp/create-payment") };"#;
    let other_way = r#"@id("four-eyes-too")
        forbid(principal, action == Action::"hold", resource == Entitlement::"erp/create-payment")
        when { context.holding.contains("erp/approve-payment") };"#;
    let not_for_agents = r#"@id("no-agents")
        forbid(principal, action == Action::"hold", resource == Entitlement::"erp/create-payment")
        when { principal.kind == "agent" };"#;
    let follows = r#"@id("payers-need-a-token")
        permit(principal, action == Action::"hold", resource == Entitlement::"vault/token")
        when { context.holding.containsAny(["erp/create-payment", "erp/approve-payment"]) };
        @id("token-holders-chat")
        permit(principal, action == Action::"hold", resource == Entitlement::"chat/account")
        when { context.holding.contains("vault/token") };"#;
    let clerk = employee(&[("department", text("Finance"))]);
    let lead = employee(&[("level", AttributeValue::Number(5))]);
    let both = employee(&[("department", text("Finance")), ("level", AttributeValue::Number(5))]);
    let check = |rules: &[&str], kind, facts: &Attributes, expect: &str| {
        let set = load(&format!("{PAYMENTS}{}", rules.concat()));
        assert_eq!(show(&set.holds(kind, facts).unwrap()), expect, "{rules:?}");
    };
    let create = "+erp/create-payment by clerks";
    let approve = "+erp/approve-payment by leads";

    check(&[], "person", &both, &format!("{approve}, {create}"));
    check(&[one_way], "person", &clerk, create);
    check(&[one_way], "person", &lead, approve);
    check(&[one_way], "person", &both, &format!("{create}, -erp/approve-payment by four-eyes"));
    // Both ways: neither wins by its name, both go.
    check(
        &[one_way, other_way],
        "person",
        &both,
        "-erp/approve-payment by four-eyes, -erp/create-payment by four-eyes-too",
    );
    check(&[one_way, other_way], "person", &clerk, create);
    // What the first pass forbids is not held in the second.
    check(
        &[one_way, not_for_agents],
        "agent",
        &both,
        &format!("{approve}, -erp/create-payment by no-agents"),
    );
    // A permit that looks at what is held reaches one step: the token follows, the chat account does not.
    check(&[follows], "person", &clerk, &format!("{create}, +vault/token by payers-need-a-token"));
    check(&[follows], "person", &employee(&[]), "");
}

#[test]
fn missing_and_wrong_facts_decide_nothing() {
    let set = load(&permit(
        "resource == Entitlement::\"vault/token\"",
        "when { principal.employee_type == \"employee\" && principal has level && principal.level * 2 > 6 }",
    ));
    let check = |facts: &Attributes, expect: Result<usize, &str>| {
        let got = set.holds("person", facts).map(|h| h.held.len());
        assert_eq!(got.as_ref().copied().map_err(PolicyFault::code), expect, "{facts:?}");
        let bulk = set.bulk().holds("person", facts).map(|h| h.held.len());
        assert_eq!(bulk, got, "{facts:?}");
    };
    let level = |n| employee(&[("level", AttributeValue::Number(n))]);
    check(&level(4), Ok(1));
    check(&employee(&[]), Ok(0));
    check(&Attributes::new(), Err("policy-missing-attribute"));
    check(&employee(&[("level", text("4"))]), Err("policy-wrong-type"));
    check(&level(i64::MAX), Err("policy-evaluation"));
    // What no policy reads does not matter, and neither does what nothing declares.
    check(
        &employee(&[("level", AttributeValue::Number(4)), ("department", AttributeValue::Flag(true))]),
        Ok(1),
    );
    check(
        &employee(&[("level", AttributeValue::Number(4)), ("shoe_size", AttributeValue::Number(44))]),
        Ok(1),
    );
    let message = set.holds("person", &level(i64::MAX)).unwrap_err().to_string();
    assert!(message.starts_with("policy `p` failed: ") && message.contains("overflow"), "{message}");
}

#[test]
fn a_forbid_that_fails_is_no_allow() {
    let set = load(
        r#"@id("all") permit(principal, action == Action::"hold", resource);
        @id("low") forbid(principal, action == Action::"hold", resource)
        when { principal has level && principal.level - 1 < 0 };"#,
    );
    let level = |n| employee(&[("level", AttributeValue::Number(n))]);
    assert_eq!(set.holds("person", &level(1)).unwrap().held.len(), 5);
    assert_eq!(set.holds("person", &level(0)).unwrap().forbidden.len(), 5);
    assert_eq!(set.holds("person", &level(i64::MIN)).unwrap_err().code(), "policy-evaluation");
}
