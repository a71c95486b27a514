//! The Cedar schema that policies are checked against, made from the vocabulary, and the entities that
//! stand for facts.
//!
//! In Cedar's own notation, with the attributes of the vocabulary in place of `…`:
//!
//! ```text
//! entity Identity { kind: String, … };
//! entity System;
//! entity Entitlement in [System] { system: String, class: String, privileged: Bool, labels: Set<String> };
//! entity Operator, Rule { name: String, roles: Set<String> };
//! entity Change { cause: String, privileged: Bool, removes_only: Bool, destructive: Bool,
//!                 entitlements: Set<String>, systems: Set<String>, changes: Long,
//!                 question: String, class: String, widens: Bool };
//! entity Integration { name: String, class: String, writes: Bool };
//! entity Operation, ResourceType;
//! entity Right enum ["govern", "accept", "operate", "terminate"];
//! entity Resource in [ResourceType] { type: String, id: String, … };
//! action hold appliesTo { principal: Identity, resource: Entitlement, context: { holding: Set<String> } };
//! action approve appliesTo { principal: [Operator, Rule], resource: Change };
//! action exercise appliesTo { principal: Operator, resource: Right };
//! action perform appliesTo { principal: Integration, resource: Operation };
//! action access appliesTo { principal: [Identity, Integration], resource: Resource, context: { action: String,
//!                 said: { subject: {…}, action: {…}, resource: {…}, request: {…} } } };
//! ```

use cedar_policy::{Entity, EntityId, EntityUid, RestrictedExpression, Schema};
use serde_json::{Map, Value, json};

use super::{
    Action, AttributeType, AttributeValue, EntitlementFacts, PolicyError, PolicyFault,
    reads::Variable,
    vocabulary::{KIND, RESOURCE_ATTRIBUTES, SAID, Sort, Types, Words},
};
use crate::right::Right;

pub(super) const IDENTITY: &str = "Identity";
pub(super) const ENTITLEMENT: &str = "Entitlement";
pub(super) const SYSTEM: &str = "System";
pub(super) const CHANGE: &str = "Change";
pub(super) const HOLDING: &str = "holding";
pub(super) const INTEGRATION: &str = "Integration";
pub(super) const RESOURCE: &str = "Resource";
pub(super) const RESOURCE_TYPE: &str = "ResourceType";
pub(super) const RIGHT: &str = "Right";
/// The name of the action in the context of `access`, and what the caller said.
pub(super) const ACTION: &str = "action";
pub(super) const CALLER_SAID: &str = "said";

/// All types of entities, as policies write them.
pub(super) const TYPES: [&str; 11] = [
    CHANGE,
    ENTITLEMENT,
    IDENTITY,
    INTEGRATION,
    "Operation",
    "Operator",
    RESOURCE,
    RESOURCE_TYPE,
    RIGHT,
    "Rule",
    SYSTEM,
];

const ENTITLEMENT_ATTRIBUTES: [&str; 4] = ["system", "class", "privileged", "labels"];
const INTEGRATION_ATTRIBUTES: [&str; 3] = ["name", "class", "writes"];
const APPROVER_ATTRIBUTES: [&str; 2] = ["name", "roles"];
const CHANGE_ATTRIBUTES: [&str; 10] = [
    "cause",
    "privileged",
    "removes_only",
    "destructive",
    "entitlements",
    "systems",
    "changes",
    "question",
    "class",
    "widens",
];

/// The schema for a vocabulary.
pub(super) fn schema(words: &Words) -> Result<Schema, PolicyError> {
    let text = || json!({"type": "String"});
    let texts = || json!({"type": "Set", "element": {"type": "String"}});
    let flag = || json!({"type": "Boolean"});
    let record = |attributes: Value| json!({"type": "Record", "attributes": attributes});

    let mut identity = Map::new();
    identity.insert(KIND.to_owned(), text());
    for (name, kind) in &words.identity {
        identity.insert(name.clone(), shape(*kind, words.required.contains(name)));
    }
    let mut resource = optional(&words.properties);
    resource.extend(RESOURCE_ATTRIBUTES.map(|name| (name.to_owned(), text())));
    let said: Map<String, Value> = SAID
        .iter()
        .zip(&words.said)
        .map(|(of, types)| ((*of).to_owned(), record(Value::Object(optional(types)))))
        .collect();
    let approver = record(json!({"name": text(), "roles": texts()}));
    let schema = json!({"": {
        "entityTypes": {
            IDENTITY: {"shape": record(Value::Object(identity))},
            SYSTEM: {},
            ENTITLEMENT: {
                "memberOfTypes": [SYSTEM],
                "shape": record(json!({
                    "system": text(), "class": text(), "privileged": flag(), "labels": texts(),
                })),
            },
            "Operator": {"shape": approver.clone()},
            "Rule": {"shape": approver},
            CHANGE: {"shape": record(json!({
                "cause": text(), "privileged": flag(), "removes_only": flag(), "destructive": flag(),
                "entitlements": texts(), "systems": texts(), "changes": {"type": "Long"},
                "question": text(), "class": text(), "widens": flag(),
            }))},
            INTEGRATION: {"shape": record(json!({"name": text(), "class": text(), "writes": flag()}))},
            "Operation": {},
            RIGHT: {"enum": Right::ALL.map(Right::as_str)},
            RESOURCE_TYPE: {},
            RESOURCE: {"memberOfTypes": [RESOURCE_TYPE], "shape": record(Value::Object(resource))},
        },
        "actions": {
            "hold": {"appliesTo": {
                "principalTypes": [IDENTITY], "resourceTypes": [ENTITLEMENT],
                "context": record(json!({HOLDING: texts()})),
            }},
            "approve": {"appliesTo": {"principalTypes": ["Operator", "Rule"], "resourceTypes": [CHANGE]}},
            "exercise": {"appliesTo": {"principalTypes": ["Operator"], "resourceTypes": [RIGHT]}},
            "perform": {"appliesTo": {"principalTypes": ["Integration"], "resourceTypes": ["Operation"]}},
            "access": {"appliesTo": {
                "principalTypes": [IDENTITY, INTEGRATION], "resourceTypes": [RESOURCE],
                "context": record(json!({ACTION: text(), CALLER_SAID: record(Value::Object(said))})),
            }},
        },
    }});
    Schema::from_json_value(schema).map_err(|error| PolicyError::vocabulary(&error.to_string()))
}

/// What an attribute of the type is in a schema.
fn shape(kind: AttributeType, required: bool) -> Value {
    match kind {
        AttributeType::Text | AttributeType::Date => json!({"type": "String", "required": required}),
        AttributeType::Number => json!({"type": "Long", "required": required}),
        AttributeType::Flag => json!({"type": "Boolean", "required": required}),
        AttributeType::TextSet => {
            json!({"type": "Set", "element": {"type": "String"}, "required": required})
        }
    }
}

fn optional(types: &Types) -> Map<String, Value> {
    types.iter().map(|(name, kind)| (name.clone(), shape(*kind, false))).collect()
}

/// What a variable of a request stands for, and its attributes; for messages and checks.
pub(super) fn attributes(words: &Words, action: Action, of: Variable) -> (&'static str, Vec<&str>) {
    let identity = || words.identity.keys().map(String::as_str).chain([KIND]).collect();
    match (of, action) {
        (Variable::Principal, Action::Hold) => (IDENTITY, identity()),
        (Variable::Principal, Action::Access) => {
            ("Identity and Integration", identity().into_iter().chain(INTEGRATION_ATTRIBUTES).collect())
        }
        (Variable::Principal, Action::Approve) => ("Operator and Rule", APPROVER_ATTRIBUTES.to_vec()),
        (Variable::Principal, Action::Exercise) => ("Operator", APPROVER_ATTRIBUTES.to_vec()),
        (Variable::Principal, Action::Perform) => ("Integration", Vec::new()),
        (Variable::Resource, Action::Hold) => (ENTITLEMENT, ENTITLEMENT_ATTRIBUTES.to_vec()),
        (Variable::Resource, Action::Approve) => (CHANGE, CHANGE_ATTRIBUTES.to_vec()),
        (Variable::Resource, Action::Exercise) => (RIGHT, Vec::new()),
        (Variable::Resource, Action::Perform) => ("Operation", Vec::new()),
        (Variable::Resource, Action::Access) => {
            let properties = words.properties.keys().map(String::as_str);
            (RESOURCE, properties.chain(RESOURCE_ATTRIBUTES).collect())
        }
        (Variable::Context, Action::Hold) => ("the context", vec![HOLDING]),
        (Variable::Context, Action::Access) => ("the context", vec![ACTION, CALLER_SAID]),
        (Variable::Context, Action::Approve | Action::Exercise | Action::Perform) => {
            ("the context", Vec::new())
        }
        (Variable::Action, _) => ("Action", Vec::new()),
    }
}

/// What sort of name an attribute holds, if it holds names of a known sort.
pub(super) fn sort_of(action: Action, of: Variable, attribute: &str) -> Option<Sort> {
    match (action, of, attribute) {
        (Action::Hold, Variable::Context, HOLDING) => Some(Sort::Entitlement),
        (Action::Hold, Variable::Resource, "system") => Some(Sort::System),
        (Action::Hold, Variable::Resource, "class") => Some(Sort::Class),
        (Action::Hold | Action::Access, Variable::Principal, KIND) => Some(Sort::Kind),
        (Action::Access, Variable::Resource, "type") => Some(Sort::Resource),
        (Action::Access, Variable::Context, ACTION) => Some(Sort::Action),
        (Action::Approve, Variable::Resource, "entitlements") => Some(Sort::Entitlement),
        (Action::Approve, Variable::Resource, "systems") => Some(Sort::System),
        _ => None,
    }
}

/// The entity `kind::"name"`.
pub(super) fn uid(kind: &'static str, name: &str) -> EntityUid {
    let kind = kind.parse().expect("the names of our entity types are plain identifiers");
    EntityUid::from_type_name_and_id(kind, EntityId::new(name))
}

/// An entity with attributes and at most one parent.
pub(super) fn entity(
    uid: EntityUid,
    attributes: Vec<(&str, RestrictedExpression)>,
    parent: Option<EntityUid>,
) -> Result<Entity, PolicyFault> {
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value));
    Entity::new_with_tags(uid, attributes, parent, []).map_err(|e| PolicyFault::Facts(e.to_string()))
}

/// The entity that stands for an entitlement.
pub(super) fn entitlement(facts: &EntitlementFacts) -> Result<Entity, PolicyFault> {
    let system = facts.name.system();
    let attributes = vec![
        ("system", text(system.as_str())),
        ("class", text(facts.class.as_str())),
        ("privileged", RestrictedExpression::new_bool(facts.privileged)),
        ("labels", texts(facts.labels.iter().map(String::as_str))),
    ];
    entity(uid(ENTITLEMENT, facts.name.as_str()), attributes, Some(uid(SYSTEM, system.as_str())))
}

/// An attribute's value for Cedar.
pub(super) fn value(value: &AttributeValue) -> RestrictedExpression {
    match value {
        AttributeValue::Text(value) => text(value),
        AttributeValue::Number(value) => RestrictedExpression::new_long(*value),
        AttributeValue::Flag(value) => RestrictedExpression::new_bool(*value),
        AttributeValue::TextSet(value) => texts(value.iter().map(String::as_str)),
    }
}

/// A text for Cedar.
pub(super) fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

/// A set of texts for Cedar.
pub(super) fn texts<'a>(values: impl Iterator<Item = &'a str>) -> RestrictedExpression {
    RestrictedExpression::new_set(values.map(text))
}
