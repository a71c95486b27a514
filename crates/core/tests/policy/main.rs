//! The policy room from outside: what policies decide, what is refused at load and where, what is read.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accessing;
mod agreeing;
mod approving;
mod deciding;
mod exercising;
mod mistakes;
mod reading;

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
        ..Vocabulary::default()
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

/// Clerks create payments, leads approve them.
const PAYMENTS: &str = r#"
    @id("clerks") permit(principal, action == Action::"hold", resource == Entitlement::"erp/create-payment")
    when { principal has department && principal.department == "Finance" };
    @id("leads") permit(principal, action == Action::"hold", resource == Entitlement::"erp/approve-payment")
    when { principal has level && principal.level >= 5 };
"#;
