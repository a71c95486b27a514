//! What is refused at load, with its place and what to do; and odd names that are not.

use super::*;

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
        `action == Action::\"approve\"`, `action == Action::\"access\"`, `action == Action::\"exercise\"`";
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
        &[
            "policy-type p.cedar:2:21: unrecognized entity type `Group` (the types are `Change`, `Entitlement`, `Identity`, \
            `Integration`, `Operation`, `Operator`, `Resource`, `ResourceType`, `Right`, `Rule`, `System`)",
        ],
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
