//! What policies of `access` permit; that what the caller says stays apart from what is known; and that the index
//! agrees with plain Cedar, whatever the policies and the questions.

use std::collections::BTreeMap;

use bailiwick_core::{
    authority::Class,
    id::{IntegrationName, ResourceTypeName, SubjectTypeName},
    policy::{AccessPrincipal, AccessQuestion, Said},
    resource::{FoundBy, ResourceType, SubjectType},
};
use proptest::prelude::*;

use super::*;

fn types(pairs: &[(&str, AttributeType)]) -> BTreeMap<String, AttributeType> {
    pairs.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect()
}

fn kind(name: &str) -> ResourceTypeName {
    ResourceTypeName::new(name).unwrap()
}

/// Records, of which two are known, and doors, of which nothing is.
fn words() -> Vocabulary {
    let resource = |name: &str, actions: &[&str]| ResourceType {
        name: kind(name),
        actions: actions.iter().map(|action| action.parse().unwrap()).collect(),
        properties: types(&[("status", AttributeType::Text)]),
        action_properties: types(&[("soft", AttributeType::Flag)]),
        context: types(&[("hour", AttributeType::Number), ("places", AttributeType::TextSet)]),
        known: BTreeMap::new(),
        sample: 1,
        reasons: false,
    };
    let status = |of: &str| Attributes::from([("status".to_owned(), text(of))]);
    let mut records = resource("record", &["read", "write", "delete"]);
    records.known = [("r1", "active"), ("r2", "archived")].map(|(id, of)| (id.to_owned(), status(of))).into();
    let user = SubjectType {
        name: SubjectTypeName::new("user").unwrap(),
        found: FoundBy::Email,
        kind: None,
        properties: types(&[("role", AttributeType::Text)]),
    };
    Vocabulary { subjects: vec![user], resources: vec![records, resource("door", &["open"])], ..vocabulary() }
}

fn loaded(policies: &str) -> PolicySet {
    PolicySet::load(&[file("p.cedar", policies)], &words()).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// A policy of `access` with its id.
fn rule(id: &str, effect: &str, scope: &str, when: &str) -> String {
    format!(
        "@id(\"{id}\") {effect}(principal is Identity, action == Action::\"access\", {scope}) when {{ {when} }};\n"
    )
}

/// `+ policies` or `- policies`.
fn ask(set: &PolicySet, who: &Attributes, action: &str, resource: &str, said: &Said) -> String {
    let principal = set.access_identity("person", who).unwrap();
    let (of, id) = resource.split_once('/').unwrap();
    let question =
        AccessQuestion { principal: &principal, action, resource_type: &kind(of), resource: id, said };
    match set.allows(question) {
        Ok(answer) => {
            let ids: Vec<&str> = answer.policies.iter().map(PolicyId::as_str).collect();
            format!("{} {}", if answer.allowed { '+' } else { '-' }, ids.join(" "))
        }
        Err(fault) => format!("! {}", fault.code()),
    }
}

#[test]
fn policies_permit_and_forbid_by_what_is_known_and_by_what_is_said() {
    let of = "resource in ResourceType::\"record\"";
    let set = loaded(
        &[
            rule("readers", "permit", of, "context.action == \"read\" && principal.employee_type == \"employee\""),
            rule("writers", "permit", of, "[\"write\", \"delete\"].contains(context.action) && principal has level && principal.level >= 5"),
            rule("not-archived", "forbid", "resource", "context.action == \"write\" && resource has status && resource.status == \"archived\" \
                 && !(context.said.subject has role && context.said.subject.role == \"admin\")"),
            rule("said-archived", "forbid", "resource", "context.action == \"write\" && context.said.resource has status && context.said.resource.status == \"archived\""),
            rule("soft-only", "forbid", of, "context.action == \"delete\" && !(context.said.action has soft && context.said.action.soft)"),
            rule("night", "forbid", "resource == Resource::\"record/r1\"", "context.said.request has hour && context.said.request.hour < 6"),
        ]
        .concat(),
    );
    let (plain, lead) = (employee(&[]), employee(&[("level", AttributeValue::Number(5))]));
    let said = |of: &str, name: &str, value: AttributeValue| {
        let one = Attributes::from([(name.to_owned(), value)]);
        match of {
            "subject" => Said { subject: one, ..Said::default() },
            "action" => Said { action: one, ..Said::default() },
            "resource" => Said { resource: one, ..Said::default() },
            _ => Said { request: one, ..Said::default() },
        }
    };
    let nothing = Said::default();
    let flag = AttributeValue::Flag;
    for (who, action, resource, said, expect) in [
        (&plain, "read", "record/r1", nothing.clone(), "+ readers"),
        (&plain, "read", "record/unknown", nothing.clone(), "+ readers"),
        (&plain, "write", "record/r1", nothing.clone(), "- "),
        (&lead, "write", "record/r1", nothing.clone(), "+ writers"),
        (&lead, "write", "record/r2", nothing.clone(), "- not-archived"),
        (&lead, "write", "record/r2", said("subject", "role", text("admin")), "+ writers"),
        // What is known is not replaced by what is said.
        (&lead, "write", "record/r2", said("resource", "status", text("active")), "- not-archived"),
        (&lead, "write", "record/r1", said("resource", "status", text("archived")), "- said-archived"),
        (&plain, "write", "record/r1", said("subject", "level", AttributeValue::Number(9)), "- "),
        (&lead, "delete", "record/r1", nothing.clone(), "- soft-only"),
        (&lead, "delete", "record/r1", said("action", "soft", flag(true)), "+ writers"),
        (&lead, "delete", "record/r1", said("action", "soft", flag(false)), "- soft-only"),
        // Of another type than declared: as if it were not said.
        (&lead, "delete", "record/r1", said("action", "soft", text("true")), "- soft-only"),
        (&plain, "read", "record/r1", said("request", "hour", AttributeValue::Number(3)), "- night"),
        (&plain, "read", "record/r2", said("request", "hour", AttributeValue::Number(3)), "+ readers"),
        (&plain, "read", "door/r1", nothing.clone(), "- "),
        (&plain, "open", "door/front", nothing.clone(), "- "),
        (&plain, "steal", "record/r1", nothing.clone(), "- "),
        (&plain, "read", "nothing/r1", nothing.clone(), "- "),
    ] {
        assert_eq!(ask(&set, who, action, resource, &said), expect, "{action} {resource} {said:?}");
    }
    // An identity that lacks what its source promises is a fault and no answer.
    assert!(set.access_identity("person", &Attributes::new()).is_err());
}

#[test]
fn an_integration_is_a_subject_of_its_own_and_a_policy_that_fails_decides_nothing() {
    let set = loaded(
        r#"@id("robots") permit(principal is Integration, action == Action::"access", resource in ResourceType::"door")
            when { principal.class == "operational" && principal.writes };
        @id("one") permit(principal == Integration::"cleaner", action == Action::"access", resource == Resource::"door/back");
        @id("sum") permit(principal is Identity, action == Action::"access", resource in ResourceType::"door")
            when { principal has level && principal.level + 9223372036854775807 > 0 };"#,
    );
    let said = Said::default();
    let robot = |name: &str, class, writes| {
        set.access_integration(&IntegrationName::new(name).unwrap(), class, writes).unwrap()
    };
    let asked = |principal: &AccessPrincipal, resource: &str| {
        let resource_type = &kind("door");
        set.allows(AccessQuestion { principal, action: "open", resource_type, resource, said: &said })
            .unwrap()
            .allowed
    };
    assert!(asked(&robot("mower", Class::Operational, true), "front"));
    assert!(!asked(&robot("mower", Class::Operational, false), "front"));
    assert!(!asked(&robot("mower", Class::Authoritative, true), "front"));
    assert!(asked(&robot("cleaner", Class::Advisory, false), "back"));
    let lead = employee(&[("level", AttributeValue::Number(1))]);
    assert_eq!(ask(&set, &lead, "open", "door/front", &said), "! policy-evaluation");
    assert_eq!(ask(&set, &employee(&[]), "open", "door/front", &said), "- ");
}

#[test]
fn mistakes_have_their_place_and_what_was_meant() {
    let check = |scope: &str, when: &str, expect: &str| {
        let text = format!(
            "@id(\"p\")\npermit(principal, action == Action::\"access\", {scope}) when {{\n{when} }};"
        );
        let errors = PolicySet::load(&[file("p.cedar", &text)], &words()).err().unwrap_or_default();
        let shown: Vec<String> = errors.iter().map(|e| format!("{} {e}", e.code())).collect();
        assert!(shown.len() == 1 && shown[0].starts_with(expect), "{expect}\n{shown:#?}");
    };
    check(
        "resource in ResourceType::\"recrod\"",
        "true",
        "policy-unknown-resource p.cedar:2:59: unknown resource type `recrod` (did you mean `record`?)",
    );
    check(
        "resource == Resource::\"dor/1\"",
        "true",
        "policy-unknown-resource p.cedar:2:59: unknown resource type `dor`",
    );
    check(
        "resource",
        "resource.type == \"recrd\"",
        "policy-unknown-resource p.cedar:3:18: unknown resource type `recrd`",
    );
    check(
        "resource",
        "context.action == \"raed\"",
        "policy-unknown-value p.cedar:3:19: unknown action of a resource `raed` (did you mean `read`?)",
    );
    check(
        "resource",
        "resource has statsu",
        "policy-unknown-attribute p.cedar:3:14: unknown attribute `statsu` of Resource (did you mean `status`?)",
    );
    check(
        "resource",
        "context.sayd.action has soft",
        "policy-unknown-attribute p.cedar:3:9: unknown attribute `sayd` of the context (did you mean `said`?)",
    );
    check("resource", "context.said.action.sotf", "policy-unknown-attribute p.cedar:3:1: ");
    check(
        "resource",
        "principal.employee_type == \"employee\"",
        "policy-unknown-attribute p.cedar:3:1: attribute `employee_type` on entity type `Integration` not found",
    );
    check(
        "resource",
        "context.said.action.soft",
        "policy-unguarded-attribute p.cedar:3:1: `context.said.action.soft` may be absent",
    );
    let text = "@id(\"p\")\npermit(principal, action == Action::\"access\", resource) when {\nprincipal.employee_type == \"x\" };";
    let errors = PolicySet::load(&[file("p.cedar", text)], &words()).err().unwrap();
    assert!(errors[0].help.as_deref().unwrap().contains("principal is Identity"), "{errors:?}");
    let mut two = words();
    two.resources[1].properties = types(&[("status", AttributeType::Number)]);
    let errors = PolicySet::load(&[], &two).err().unwrap();
    assert!(errors[0].message.contains("`status` of resource is declared with two types"), "{errors:?}");
    two.resources[1].properties = types(&[("type", AttributeType::Text)]);
    assert!(
        PolicySet::load(&[], &two).err().unwrap()[0].message.contains("every resource has `type` already")
    );
}

#[test]
fn what_a_policy_reads_and_can_touch_is_never_too_little() {
    let set = loaded(
        &[
            rule("a", "permit", "resource in ResourceType::\"record\"", "principal has department"),
            rule("b", "permit", "resource", "[\"door\", \"record\"].contains(resource.type)"),
            rule("c", "permit", "resource", "resource.type == \"door\" || principal has level"),
            rule("d", "forbid", "resource == Resource::\"door/1\"", "principal.kind == \"agent\""),
        ]
        .concat(),
    );
    let reads: Vec<String> = set
        .reads()
        .iter()
        .map(|read| {
            let attributes: Vec<&str> = read.attributes.iter().map(String::as_str).collect();
            let resources: Vec<&str> = read.resources.iter().map(ResourceTypeName::as_str).collect();
            format!("{} {}: {} -> {}", read.policy, read.holding, attributes.join(" "), resources.join(" "))
        })
        .collect();
    assert_eq!(
        reads,
        [
            "a false: department -> record",
            "b false:  -> door record",
            "c false: level -> door entitlement record",
            "d false: kind -> door"
        ]
    );
    assert_ne!(set.version(), PolicySet::load(&[], &words()).unwrap().version());
    let mut other = words();
    other.resources[0].known.clear();
    assert_ne!(
        PolicySet::load(&[], &other).unwrap().version(),
        PolicySet::load(&[], &words()).unwrap().version()
    );
}

/// The parts that random policies are made of. None of them can fail.
fn random_rule() -> impl Strategy<Value = (bool, &'static str, Vec<&'static str>)> {
    let scope = prop::sample::select(vec![
        "resource",
        "resource in ResourceType::\"record\"",
        "resource in ResourceType::\"door\"",
        "resource == Resource::\"record/r1\"",
        "resource == Resource::\"record/r2\"",
        "resource == Resource::\"door/r1\"",
    ]);
    let part = prop::sample::select(vec![
        "principal.employee_type == \"employee\"",
        "[\"contractor\", \"employee\"].contains(principal.employee_type)",
        "principal.employee_type == \"contractor\"",
        "principal has department && principal.department == \"Sales\"",
        "principal has level && principal.level > 3",
        "principal.kind == \"person\"",
        "principal.kind == \"agent\"",
        "context.action == \"read\"",
        "[\"read\", \"write\"].contains(context.action)",
        "context.action == \"open\"",
        "context.action != \"read\"",
        "resource.type == \"record\"",
        "resource.id == \"r1\"",
        "[\"r1\", \"r2\"].contains(resource.id)",
        "resource has status && resource.status == \"active\"",
        "context.said.subject has role && context.said.subject.role == \"admin\"",
        "context.said.action has soft && context.said.action.soft",
        "context.said.request has places && context.said.request.places.contains(\"lab\")",
        "!(resource.id == \"r2\")",
    ]);
    (prop::bool::weighted(0.25), scope, prop::collection::vec(part, 0..4))
}

/// The same question put to plain Cedar, with all policies at once.
fn naive(
    all: &cedar_policy::PolicySet,
    who: &Attributes,
    is: &str,
    action: &str,
    of: (&str, &str),
    said: &Said,
) -> bool {
    use cedar_policy::{Authorizer, Context, Decision, Entities, Request};
    let record = |values: &Attributes| serde_json::to_value(values).unwrap();
    let mut identity = record(who);
    identity["kind"] = is.into();
    let status = match of {
        ("record", "r1") => Some("active"),
        ("record", "r2") => Some("archived"),
        _ => None,
    };
    let mut attrs = serde_json::json!({ "type": of.0, "id": of.1 });
    if let Some(status) = status {
        attrs["status"] = status.into();
    }
    let resource = format!("{}/{}", of.0, of.1);
    let entities = serde_json::json!([
        { "uid": { "type": "Identity", "id": "any" }, "attrs": identity, "parents": [] },
        { "uid": { "type": "Resource", "id": resource }, "attrs": attrs,
          "parents": [{ "type": "ResourceType", "id": of.0 }] },
    ]);
    let said = serde_json::json!({ "subject": record(&said.subject), "action": record(&said.action),
        "resource": record(&said.resource), "request": record(&said.request) });
    let context = serde_json::json!({ "action": action, "said": said });
    let uid = |text: String| text.parse().unwrap();
    let request = Request::new(
        uid("Identity::\"any\"".into()),
        uid("Action::\"access\"".into()),
        uid(format!("Resource::\"{resource}\"")),
        Context::from_json_value(context, None).unwrap(),
        None,
    );
    let entities = Entities::from_json_value(entities, None).unwrap();
    let answer = Authorizer::new().is_authorized(&request.unwrap(), all, &entities);
    assert_eq!(answer.diagnostics().errors().count(), 0);
    answer.decision() == Decision::Allow
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_index_answers_as_all_policies_at_once_do(
        rules in prop::collection::vec(random_rule(), 1..24),
        questions in prop::collection::vec(
            (0usize..3, 0usize..2, 0usize..6, 0usize..4, 0usize..3, 0usize..3, any::<[bool; 3]>()), 12),
    ) {
        let mut text = String::new();
        for (at, (forbids, scope, parts)) in rules.iter().enumerate() {
            let when = if parts.is_empty() { "true".to_owned() } else { parts.join(" && ") };
            text.push_str(&rule(&format!("p{at}"), if *forbids { "forbid" } else { "permit" }, scope, &when));
        }
        let all: cedar_policy::PolicySet = text.parse().unwrap();
        let set = loaded(&text);
        for (department, is, level, action, of, id, [admin, soft, lab]) in questions {
            let mut who = employee(&[("level", AttributeValue::Number(level as i64))]);
            if let Some(name) = ["Sales", "Finance"].get(department) {
                who.insert("department".into(), text_of(name));
            }
            if level == 0 {
                who.insert("employee_type".into(), text_of("contractor"));
            }
            let is = ["person", "agent"][is];
            let action = ["read", "write", "open", "other"][action];
            let of = (["record", "door", "record"][of], ["r1", "r2", "r3"][id]);
            let mut said = Said::default();
            if admin {
                said.subject.insert("role".into(), text_of("admin"));
            }
            said.action.insert("soft".into(), AttributeValue::Flag(soft));
            if lab {
                said.request.insert("places".into(), AttributeValue::TextSet(texts(&["lab"])));
            }
            let principal = set.access_identity(is, &who).unwrap();
            let question = AccessQuestion {
                principal: &principal, action, resource_type: &kind(of.0), resource: of.1, said: &said,
            };
            let expect = naive(&all, &who, is, action, of, &said);
            prop_assert_eq!(set.allows(question).unwrap().allowed, expect, "{:?} {} {:?}\n{}", who, action, of, text);
            let forbidden = !set.forbids(question).unwrap().is_empty();
            prop_assert!(!(forbidden && expect));
        }
    }
}

fn text_of(value: &str) -> AttributeValue {
    text(value)
}
