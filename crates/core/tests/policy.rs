//! The policy room from outside: what policies decide, what is refused at load and where, what is read.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;

use bailiwick_core::{
    access::AccessClass,
    id::EntitlementName,
    policy::{
        Action, ApproverFacts, ApproverKind, AttributeType, AttributeValue, Attributes, ChangeFacts,
        EntitlementFacts, Holding, PolicyFault, PolicyFile, PolicyId, PolicySet, Vocabulary,
    },
};

fn file(path: &str, text: &str) -> PolicyFile {
    PolicyFile { path: path.into(), text: text.into() }
}

fn name(text: &str) -> EntitlementName {
    EntitlementName::new(text).unwrap()
}

fn texts(items: &[&str]) -> BTreeSet<String> {
    items.iter().map(|s| (*s).to_owned()).collect()
}

fn vocabulary() -> Vocabulary {
    let entitlement = |text: &str, class, privileged, labels: &[&str]| EntitlementFacts {
        name: name(text),
        class,
        privileged,
        labels: texts(labels),
    };
    Vocabulary {
        identity: [
            ("department", AttributeType::Text),
            ("level", AttributeType::Number),
            ("remote", AttributeType::Flag),
            ("sites", AttributeType::TextSet),
            ("starts", AttributeType::Date),
            ("employee_type", AttributeType::Text),
        ]
        .map(|(name, kind)| (name.to_owned(), kind))
        .into(),
        required: texts(&["employee_type"]),
        entitlements: vec![
            entitlement("chat/account", AccessClass::PrimaryAccount, false, &["everyone"]),
            entitlement("chat/engineering", AccessClass::DirectGroups, false, &[]),
            entitlement("erp/create-payment", AccessClass::Roles, false, &[]),
            entitlement("erp/approve-payment", AccessClass::Roles, true, &[]),
            entitlement("vault/token", AccessClass::VaultTokens, true, &["everyone"]),
        ],
    }
}

fn load(text: &str) -> PolicySet {
    PolicySet::load(&[file("p.cedar", text)], &vocabulary())
        .unwrap_or_else(|errors| panic!("{}", errors.iter().map(|e| format!("{e}\n")).collect::<String>()))
}

/// A permit of `hold` under the id `p`.
fn permit(scope: &str, condition: &str) -> String {
    format!("@id(\"p\") permit(principal, action == Action::\"hold\", {scope}) {condition};")
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::Text(value.into())
}

/// Attributes of an employee, and more.
fn employee(more: &[(&str, AttributeValue)]) -> Attributes {
    let mut attributes = Attributes::from([("employee_type".to_owned(), text("employee"))]);
    attributes.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    attributes
}

/// `+name by policies` for what is held, `-name by policies` for what is forbidden.
fn show(holding: &Holding) -> String {
    let line = |sign, (name, by): (&EntitlementName, &Vec<PolicyId>)| {
        let by: Vec<&str> = by.iter().map(PolicyId::as_str).collect();
        format!("{sign}{name} by {}", by.join(" "))
    };
    let held = holding.held.iter().map(|entry| line('+', entry));
    held.chain(holding.forbidden.iter().map(|entry| line('-', entry))).collect::<Vec<_>>().join(", ")
}

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

const PAYMENTS: &str = r#"
    @id("clerks") permit(principal, action == Action::"hold", resource == Entitlement::"erp/create-payment")
    when { principal has department && principal.department == "Finance" };
    @id("leads") permit(principal, action == Action::"hold", resource == Entitlement::"erp/approve-payment")
    when { principal has level && principal.level >= 5 };
"#;

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

/// Loads what must be refused; the errors as `code: text`.
fn refused(text: &str) -> Vec<String> {
    let errors = PolicySet::load(&[file("p.cedar", text)], &vocabulary()).err().unwrap_or_default();
    errors.iter().map(|e| format!("{} {e}", e.code())).collect()
}

#[test]
fn mistakes_are_refused_with_their_place() {
    let check = |text: &str, expect: &[&str]| assert_eq!(refused(text), expect, "{text}");
    let hold = |condition: &str| permit("resource", &format!("\nwhen {{ {condition} }}"));
    let scope = |scope: &str| permit(scope, "");

    // The text.
    check(
        "// ä\n@id(\"p\")\npermit(principal, action == Action::\"hold\", /* no */ resource);",
        &["policy-syntax p.cedar:3:45: unexpected token `/` (expected `)` or identifier)"],
    );
    check("permit(", &["policy-syntax p.cedar:1:8: unexpected end of input (expected `)` or identifier)"]);
    check("@id(\"p\")", &["policy-syntax p.cedar:1:9: unexpected end of input (expected `@` or identifier)"]);
    check(
        &hold("principal.employee_type == \"x"),
        &["policy-syntax p.cedar:2:35: invalid token (try checking that all strings are closed properly)"],
    );
    check(
        "@id(\"p\") permit(principal == ?principal, action == Action::\"hold\", resource);",
        &["policy-syntax p.cedar:1:30: a policy cannot have slots (write the entity out, or a condition)"],
    );

    // Its name and its action.
    check(
        "\n  permit(principal, action == Action::\"hold\", resource);",
        &[
            "policy-no-id p.cedar:2:3: the policy has no id (write `@id(\"a-name\")` before it; it is what evidence names)",
        ],
    );
    check(
        "@id(\" \") permit(principal, action == Action::\"hold\", resource);",
        &[
            "policy-no-id p.cedar:1:1: the policy has no id (write `@id(\"a-name\")` before it; it is what evidence names)",
        ],
    );
    check(
        &format!("{}\n{}", scope("resource"), scope("resource")),
        &["policy-duplicate-id p.cedar:2:5: the id `p` is taken (it is at p.cedar:1:5)"],
    );
    let choices = "write one of `action == Action::\"hold\"`, `action == Action::\"perform\"`, \
        `action == Action::\"approve\"`, `action == Action::\"access\"`";
    for action in
        ["action", "action in [Action::\"hold\"]", "action in [Action::\"hold\", Action::\"access\"]"]
    {
        check(
            &format!("@id(\"p\")\npermit(principal, {action}, resource);"),
            &[&format!("policy-no-action p.cedar:2:19: the policy is not about one action ({choices})")],
        );
    }
    check(
        "@id(\"p\")\npermit(principal, action == Action::\"hodl\", resource);",
        &["policy-no-action p.cedar:2:37: unknown action `hodl` (did you mean `hold`?)"],
    );

    // Attributes.
    check(
        &hold("principal has departement && principal.departement == \"x\""),
        &[
            "policy-unknown-attribute p.cedar:2:22: unknown attribute `departement` of Identity (did you mean `department`?)",
        ],
    );
    check(
        &hold("principal[\"cost centre\"] == \"x\""),
        &["policy-unknown-attribute p.cedar:2:18: unknown attribute `cost centre` of Identity"],
    );
    check(
        &hold("!(principal has departement)"),
        &[
            "policy-unknown-attribute p.cedar:2:24: unknown attribute `departement` of Identity (did you mean `department`?)",
        ],
    );
    check(
        &hold("resource.privileged && resource.labls.contains(\"x\")"),
        &[
            "policy-unknown-attribute p.cedar:2:40: unknown attribute `labls` of Entitlement (did you mean `labels`?)",
        ],
    );
    check(
        &hold("context.holdings.contains(\"chat/account\")"),
        &[
            "policy-unknown-attribute p.cedar:2:16: unknown attribute `holdings` of the context (did you mean `holding`?)",
        ],
    );
    check(
        &hold("principal.department == \"x\""),
        &[
            "policy-unguarded-attribute p.cedar:2:8: `principal.department` may be absent (ask with `has` before it, or let the source's contract require it)",
        ],
    );
    check(
        &hold("principal has department || principal.department == \"x\""),
        &[
            "policy-unguarded-attribute p.cedar:2:36: `principal.department` may be absent (ask with `has` before it, or let the source's contract require it)",
        ],
    );

    // Names.
    check(
        &scope("resource == Entitlement::\"chat/enginering\""),
        &[
            "policy-unknown-entitlement p.cedar:1:66: unknown entitlement `chat/enginering` (did you mean `chat/engineering`?)",
        ],
    );
    check(
        &scope("resource in System::\"crm\""),
        &["policy-unknown-entitlement p.cedar:1:66: unknown system `crm`"],
    );
    check(
        &hold("resource in [System::\"erp\", System::\"chta\"]"),
        &["policy-unknown-entitlement p.cedar:2:36: unknown system `chta` (did you mean `chat`?)"],
    );
    check(
        &hold("context.holding.containsAny([\"chat/account\", \"erp/creat-payment\"])"),
        &[
            "policy-unknown-entitlement p.cedar:2:53: unknown entitlement `erp/creat-payment` (did you mean `erp/create-payment`?)",
        ],
    );
    check(
        &hold("resource.system == \"epr\""),
        &["policy-unknown-entitlement p.cedar:2:27: unknown system `epr`"],
    );
    check(
        &hold("[\"role\"].contains(resource.class)"),
        &["policy-unknown-value p.cedar:2:9: unknown access class `role` (did you mean `roles`?)"],
    );
    check(
        &hold("principal.kind == \"persona\""),
        &["policy-unknown-value p.cedar:2:26: unknown kind of identity `persona` (did you mean `person`?)"],
    );
    check(
        "@id(\"p\") permit(principal == Identity::\"idn_1\", action == Action::\"hold\", resource);",
        &[
            "policy-type p.cedar:1:30: a policy cannot name one identity (write a condition on its attributes)",
        ],
    );

    // Types.
    check(
        &hold("principal.employee_type"),
        &["policy-type p.cedar:2:8: unexpected type: expected Bool but saw String"],
    );
    check(
        &hold("principal.employee_type == 3"),
        &[
            "policy-type p.cedar:2:8: the types Long and String are not compatible (both operands to a `==` expression must have compatible types. Types must be exactly equal to be compatible)",
        ],
    );
    check(
        &hold("principal has level && principal.level > \"3\""),
        &["policy-type p.cedar:2:49: unexpected type: expected Long but saw String"],
    );
    check(
        &hold("principal in Group::\"x\""),
        &["policy-type p.cedar:2:21: unrecognized entity type `Group` (did you mean `Rule`?)"],
    );
    check(
        "@id(\"p\") permit(principal is Rule, action == Action::\"hold\", resource);",
        &["policy-never-applies p.cedar:1:1: the policy can never apply"],
    );
    check(&hold("resource.privileged && !resource.privileged || false"), &[]);
    check(&hold("false"), &["policy-never-applies p.cedar:1:1: the policy can never apply"]);
    check(
        &hold("principal.employee_type == \"\u{202e}x\""),
        &["policy-syntax p.cedar:2:35: string `\"\\u{202e}x\"` contains BIDI control characters"],
    );
}

#[test]
fn all_mistakes_of_all_files_are_reported_in_order() {
    let good = permit("resource", "");
    let files = [
        file("b.cedar", &format!("permit(principal, action == Action::\"hold\", resource);\n{good}")),
        file(
            "a.cedar",
            &permit("resource", "when { principal.a && principal.b && resource == Entitlement::\"x/y\" }"),
        ),
        file("c.cedar", "oops"),
        file("d.cedar", "@id(\"q\") permit(principal, action, resource);"),
    ];
    let errors = PolicySet::load(&files, &vocabulary()).err().unwrap();
    let found: Vec<String> = errors.iter().map(|e| format!("{}:{} {}", e.file, e.line, e.code())).collect();
    assert_eq!(
        found,
        [
            "a.cedar:1 policy-unknown-attribute",
            "a.cedar:1 policy-unknown-attribute",
            "a.cedar:1 policy-unknown-entitlement",
            "b.cedar:1 policy-no-id",
            "b.cedar:2 policy-duplicate-id",
            "c.cedar:1 policy-syntax",
            "d.cedar:1 policy-no-action",
        ]
    );
    assert_eq!(errors[4].help.as_deref(), Some("it is at a.cedar:1:5"));
}

#[test]
fn a_vocabulary_that_contradicts_itself_is_refused() {
    let check = |change: &dyn Fn(&mut Vocabulary), expect: &str| {
        let mut vocabulary = vocabulary();
        change(&mut vocabulary);
        let errors = PolicySet::load(&[], &vocabulary).err().unwrap();
        assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), [expect]);
        assert_eq!(errors[0].code(), "policy-vocabulary");
    };
    check(
        &|v| {
            v.identity.insert("kind".into(), AttributeType::Text);
        },
        "vocabulary: every identity has `kind` already; rename the attribute",
    );
    check(
        &|v| v.required = texts(&["employee_type", "badge"]),
        "vocabulary: `badge` is required but not declared",
    );
    check(
        &|v| v.entitlements.push(v.entitlements[0].clone()),
        "vocabulary: `chat/account` is declared twice",
    );
}

#[test]
fn attributes_with_odd_names_can_be_read() {
    let mut vocabulary = vocabulary();
    vocabulary.identity.insert("cost centre".into(), AttributeType::Text);
    vocabulary.identity.insert("if".into(), AttributeType::Text);
    let condition = "when { principal has \"cost centre\" && principal[\"cost centre\"] == \"7\" && principal has \"if\" }";
    let set = PolicySet::load(&[file("p.cedar", &permit("resource", condition))], &vocabulary).unwrap();
    assert_eq!(set.attributes_read(Action::Hold), &texts(&["cost centre", "if"]));
    let facts = employee(&[("cost centre", text("7")), ("if", text(""))]);
    assert_eq!(set.holds("person", &facts).unwrap().held.len(), 5);
    assert_eq!(set.holds("person", &employee(&[])).unwrap().held.len(), 0);
}

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
    let check = |approver: &ApproverFacts, change: &ChangeFacts, allowed: bool, policies: &[&str]| {
        let answer = set.approves(approver, change).unwrap();
        let named: Vec<&str> = answer.policies.iter().map(PolicyId::as_str).collect();
        assert_eq!((answer.allowed, named.as_slice()), (allowed, policies), "{approver:?} {change:?}");
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

    let nobody = load("");
    assert!(!nobody.approves(&rule, &joiner).unwrap().allowed);
    let broken = load(
        r#"@id("all") permit(principal, action == Action::"approve", resource);
        @id("overflow") forbid(principal, action == Action::"approve", resource) when { resource.changes + 1 > 5 };"#,
    );
    let huge = ChangeFacts { changes: i64::MAX, ..joiner.clone() };
    assert_eq!(broken.approves(&rule, &huge).unwrap_err().code(), "policy-evaluation");
}

#[test]
fn mistakes_in_approval_policies_are_refused_too() {
    let approve = |condition: &str| {
        refused(&format!(
            "@id(\"p\") permit(principal, action == Action::\"approve\", resource)\nwhen {{ {condition} }};"
        ))
    };
    let check = |condition: &str, expect: &[&str]| assert_eq!(approve(condition), expect, "{condition}");
    check("principal.roles.contains(\"security\")", &[]);
    check("resource.cause == \"leaver\" && resource.removes_only && !resource.destructive", &[]);
    check(
        "principal.department == \"x\"",
        &["policy-unknown-attribute p.cedar:2:18: unknown attribute `department` of Operator and Rule"],
    );
    check(
        "resource.remove_only",
        &[
            "policy-unknown-attribute p.cedar:2:17: unknown attribute `remove_only` of Change (did you mean `removes_only`?)",
        ],
    );
    check(
        "resource.systems.contains(\"epr\")",
        &["policy-unknown-entitlement p.cedar:2:34: unknown system `epr`"],
    );
    check(
        "resource.entitlements.containsAny([\"erp/pay\"])",
        &["policy-unknown-entitlement p.cedar:2:43: unknown entitlement `erp/pay`"],
    );
}

/// SplitMix64: random enough for facts, and the same everywhere.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn facts(&mut self) -> (&'static str, Attributes) {
        let mut facts = Attributes::new();
        let mut put = |name: &str, value| drop(facts.insert(name.to_owned(), value));
        if self.below(10) > 0 {
            put("employee_type", text(["employee", "contractor"][self.below(2) as usize]));
        }
        if self.below(3) > 0 {
            put("department", text(["Finance", "Engineering", ""][self.below(3) as usize]));
        }
        if self.below(3) > 0 {
            put("level", AttributeValue::Number(self.below(7) as i64));
        }
        if self.below(3) > 0 {
            let sites = ["Basel", "Bern"].iter().filter(|_| self.below(2) > 0);
            put("sites", AttributeValue::TextSet(sites.map(|s| (*s).to_owned()).collect()));
        }
        // Read by no policy.
        put("starts", text(&self.below(1_000_000).to_string()));
        (["person", "agent", "workload"][self.below(3) as usize], facts)
    }
}

#[test]
fn bulk_gives_the_same_as_one_by_one_and_asks_once_for_each_tuple() {
    let rules = [
        PAYMENTS,
        r#"@id("four-eyes") forbid(principal, action == Action::"hold", resource == Entitlement::"erp/approve-payment")
        when { context.holding.contains("erp/create-payment") };"#,
        r#"@id("engineers") permit(principal, action == Action::"hold", resource in System::"chat")
        when { principal.employee_type == "employee" && principal has department && principal.department == "Engineering" };"#,
        r#"@id("bern") permit(principal, action == Action::"hold", resource == Entitlement::"vault/token")
        when { principal has sites && principal.sites.contains("Bern") && principal.kind == "agent" };"#,
    ];
    let read = ["department", "employee_type", "level", "sites"];
    // Without the last policy, the kind of the identity is not read.
    for (rules, kind_is_read) in [(rules.concat(), true), (rules[..3].concat(), false)] {
        for seed in 0..8u64 {
            let set = load(&rules);
            let mut seeded = Seeded(seed);
            let mut bulk = set.bulk();
            let mut tuples = BTreeSet::new();
            let mut held = 0;
            for _ in 0..200 {
                let (kind, facts) = seeded.facts();
                let one = set.holds(kind, &facts);
                let many = bulk.holds(kind, &facts);
                assert_eq!(one.as_ref().ok(), many.as_deref().ok(), "seed {seed}: {kind} {facts:?}");
                assert_eq!(one.as_ref().err(), many.as_ref().err(), "seed {seed}: {kind} {facts:?}");
                held += one.map_or(0, |h| h.held.len());
                let tuple = set.attributes_read(Action::Hold).iter().map(|a| facts.get(a).cloned());
                tuples.insert((kind_is_read.then_some(kind), tuple.collect::<Vec<_>>()));
            }
            let expect: Vec<&str> = read.into_iter().filter(|a| kind_is_read || *a != "sites").collect();
            assert_eq!(set.attributes_read(Action::Hold), &texts(&expect));
            assert_eq!(bulk.distinct(), tuples.len(), "seed {seed}");
            assert_eq!(bulk.evaluations(), tuples.len() as u64, "seed {seed}");
            assert!(tuples.len() < 190 && held > 20, "seed {seed}: {} tuples, {held} held", tuples.len());
        }
    }
}

/// The same question put to plain Cedar with all policies and all entities at once: no slices, no index.
struct Oracle {
    permits: cedar_policy::PolicySet,
    everything: cedar_policy::PolicySet,
    vocabulary: Vocabulary,
}

impl Oracle {
    fn new(rules: &str) -> Self {
        let parsed: cedar_policy::PolicySet = rules.parse().unwrap();
        let named = || {
            let id = |p: &cedar_policy::Policy| cedar_policy::PolicyId::new(p.annotation("id").unwrap());
            parsed.policies().map(move |p| p.new_id(id(p)))
        };
        let of = |policies: Vec<_>| cedar_policy::PolicySet::from_policies(policies).unwrap();
        let permits = named().filter(|p| p.effect() == cedar_policy::Effect::Permit);
        Self { permits: of(permits.collect()), everything: of(named().collect()), vocabulary: vocabulary() }
    }

    fn entities(&self, kind: &str, facts: &Attributes) -> cedar_policy::Entities {
        let mut attributes = serde_json::to_value(facts).unwrap();
        attributes["kind"] = kind.into();
        let identity = serde_json::json!({
            "uid": {"type": "Identity", "id": "somebody"}, "attrs": attributes, "parents": [],
        });
        let entitlements = self.vocabulary.entitlements.iter().map(|e| {
            let system = e.name.system();
            serde_json::json!({
                "uid": {"type": "Entitlement", "id": e.name.as_str()},
                "attrs": {"system": system, "class": e.class, "privileged": e.privileged, "labels": e.labels},
                "parents": [{"type": "System", "id": system}],
            })
        });
        let all = serde_json::Value::Array(entitlements.chain([identity]).collect());
        cedar_policy::Entities::from_json_value(all, None).unwrap()
    }

    fn holds(&self, kind: &str, facts: &Attributes) -> Holding {
        let entities = self.entities(kind, facts);
        let uid =
            |kind: &str, id: &str| format!("{kind}::{id:?}").parse::<cedar_policy::EntityUid>().unwrap();
        let pass = |holding: Vec<&EntitlementName>| {
            let mut out = Holding::default();
            for entitlement in &self.vocabulary.entitlements {
                let context = serde_json::json!({"holding": holding});
                let request = cedar_policy::Request::new(
                    uid("Identity", "somebody"),
                    uid("Action", "hold"),
                    uid("Entitlement", entitlement.name.as_str()),
                    cedar_policy::Context::from_json_value(context, None).unwrap(),
                    None,
                )
                .unwrap();
                let ask = |set| cedar_policy::Authorizer::new().is_authorized(&request, set, &entities);
                let answer = ask(&self.everything);
                let mut reasons: Vec<PolicyId> = answer.diagnostics().reason().map(PolicyId::new).collect();
                reasons.sort();
                if answer.decision() == cedar_policy::Decision::Allow {
                    out.held.insert(entitlement.name.clone(), reasons);
                } else if ask(&self.permits).decision() == cedar_policy::Decision::Allow {
                    out.forbidden.insert(entitlement.name.clone(), reasons);
                }
            }
            out
        };
        let first = pass(Vec::new());
        pass(first.held.keys().collect())
    }
}

#[test]
fn slices_and_needs_decide_as_plain_cedar_does() {
    const SCOPES: [&str; 6] = [
        "resource",
        "resource is Entitlement",
        "resource in System::\"erp\"",
        "resource == Entitlement::\"chat/engineering\"",
        "resource == Entitlement::\"erp/approve-payment\"",
        "resource is Entitlement in System::\"vault\"",
    ];
    const CONDITIONS: [&str; 16] = [
        "true",
        "resource.privileged",
        "resource.labels.contains(\"everyone\")",
        "resource.system == \"erp\" || principal.kind == \"agent\"",
        "principal.kind == \"person\"",
        "\"agent\" == principal.kind",
        "[\"person\", \"workload\"].contains(principal.kind)",
        "principal.employee_type == \"employee\"",
        "principal.employee_type != \"employee\"",
        "principal has department && principal.department == \"Finance\"",
        "principal has department && [\"Finance\", \"\"].contains(principal.department)",
        "!(principal has department) || principal.department == \"Engineering\"",
        "principal has level && principal.level == 3",
        "principal has sites && principal.sites.contains(principal.employee_type)",
        "context.holding.contains(\"erp/create-payment\")",
        "!context.holding.contains(\"chat/engineering\")",
    ];
    let (mut held, mut forbidden) = (0, 0);
    for seed in 0..100u64 {
        let mut seeded = Seeded(seed);
        let mut rules = String::new();
        for n in 0..1 + seeded.below(8) {
            let mut pick = |from: &[&'static str]| from[seeded.below(from.len() as u64) as usize];
            let effect = pick(&["permit", "permit", "permit", "forbid"]);
            let (scope, one, two) = (pick(&SCOPES), pick(&CONDITIONS), pick(&CONDITIONS));
            let clause = pick(&["when", "when", "unless"]);
            rules.push_str(&format!(
                "@id(\"p{n}\") {effect}(principal, action == Action::\"hold\", {scope}) when {{ {one} }} {clause} {{ {two} }};\n"
            ));
        }
        // Two random conditions can contradict each other, which is refused.
        let Ok(set) = PolicySet::load(&[file("p.cedar", &rules)], &vocabulary()) else { continue };
        let oracle = Oracle::new(&rules);
        for _ in 0..20 {
            let (kind, mut facts) = seeded.facts();
            facts.entry("employee_type".to_owned()).or_insert_with(|| text("employee"));
            let expect = oracle.holds(kind, &facts);
            assert_eq!(set.holds(kind, &facts).unwrap(), expect, "seed {seed}: {kind} {facts:?}\n{rules}");
            held += expect.held.len();
            forbidden += expect.forbidden.len();
        }
    }
    assert!(held > 1000 && forbidden > 100, "the rules are too dull: {held} held, {forbidden} forbidden");
}

#[test]
fn tuples_that_differ_are_never_taken_for_each_other() {
    let set = load(&permit(
        "resource",
        "when { principal has department && principal has starts && principal has sites && principal has level }",
    ));
    let mut bulk = set.bulk();
    let set_of = |items: &[&str]| AttributeValue::TextSet(texts(items));
    let facts = [
        vec![],
        vec![("department", text(""))],
        vec![("starts", text(""))],
        vec![("department", text("a")), ("starts", text("b"))],
        vec![("department", text("ab")), ("starts", text(""))],
        vec![("department", text("")), ("starts", text("ab"))],
        vec![("sites", set_of(&[]))],
        vec![("sites", set_of(&[""]))],
        vec![("sites", set_of(&["a", "b"]))],
        vec![("sites", set_of(&["ab"]))],
        vec![("level", AttributeValue::Number(0))],
        vec![("level", AttributeValue::Flag(false))],
    ];
    for facts in &facts {
        let facts: Attributes = facts.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        assert_eq!(bulk.holds("person", &facts).map(|h| (*h).clone()), set.holds("person", &facts));
    }
    assert_eq!(bulk.distinct(), facts.len());
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
