//! Governing the hub itself: what is declared becomes plans on the system that the hub is.
//!
//! An integration is an identity, what is declared of it are the attributes of its account on the hub, and
//! the two gates are entitlements of that account. So registering one is a joiner, a change of scope a
//! mover, retiring it a leaver. Here it is worked out which plans a declaration takes and which questions
//! they ask; nothing else is decided.
//!
//! | what is declared | plans |
//! |---|---|
//! | a new integration | connect it (first gate), and if it can have an effect: its authority (second gate) |
//! | more, or not comparable | the same two, and what is new must have been tried |
//! | less | one; one authorised person is enough |
//! | nothing any more | one, taking both gates |

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    access::AccessClass,
    account::{AccountAttributes, AccountState, AccountValue},
    authority::{Authority, Class, Touch},
    digest::Digest,
    event::{Cause, Event},
    gate::{Gate, HUB, covers},
    id::{AccountId, EntitlementName, IdentityId, IntegrationName, PlanId, SystemName},
    integration::{self, Integration, Role, Standing},
    plan::{Change, Decision, Desired, Governs, Op, Plan, Question, Target},
    policy::PolicyId,
    scope::Comparison,
    time::Timestamp,
};

/// The attribute that holds the authority that is to be certified.
const AUTHORITY: &str = "authority";
/// The fields of a declaration that are texts; all others are JSON.
const TEXTS: [&str; 5] = ["purpose", "owner", "backup", "connector", "endpoint"];

/// What is declared of an integration, as attributes of its account on the hub: a text for each field.
pub fn attributes(integration: &Integration) -> AccountAttributes {
    let Integration { name: _, purpose, owner, backup, connector, endpoint, .. } = integration;
    let Integration { role, register, scope, settings, kill, standing: _, gates: _, .. } = integration;
    let mut fields = json!({
        "purpose": purpose, "owner": owner, "backup": backup, "connector": connector, "endpoint": endpoint,
        "role": role, "register": register, "scope": scope, "settings": settings,
    });
    if let Some(kill) = kill {
        fields["kill"] = json!(kill);
    }
    let Value::Object(fields) = crate::record::sorted(fields) else { return AccountAttributes::new() };
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    fields.into_iter().map(|(name, value)| (name, AccountValue::Text(text(value)))).collect()
}

/// A value that is declared: an object or a list where the text is one, else the text.
pub fn declared_value(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => value,
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | Err(_) => text.into(),
    }
}

/// The integration that attributes declare. Fails with the field that is missing or not understood.
pub fn integration(name: &IntegrationName, attributes: &AccountAttributes) -> Result<Integration, String> {
    let mut fields = serde_json::Map::new();
    for (field, value) in attributes.iter().filter(|(field, _)| *field != AUTHORITY) {
        let AccountValue::Text(text) = value else { return Err(format!("`{field}` is no text")) };
        let value = match TEXTS.contains(&field.as_str()) {
            true => Value::String(text.clone()),
            false => serde_json::from_str(text).map_err(|error| format!("`{field}`: {error}"))?,
        };
        match (field.as_str(), value) {
            ("role", Value::Object(role)) => fields.extend(role),
            (_, value) => drop(fields.insert(field.clone(), value)),
        }
    }
    fields.insert("name".into(), json!(name));
    fields.insert("standing".into(), json!(Standing::Enabled));
    serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())
}

/// What a declaration of one integration is planned from.
#[derive(Clone, Copy)]
pub struct Declaration<'a> {
    /// The event.
    pub event: &'a Event,
    /// The identity that the integration is.
    pub identity: IdentityId,
    /// Its generation.
    pub generation: u64,
    /// The version of the policies that authority was computed with.
    pub policy: Digest,
    /// The integration.
    pub name: &'a IntegrationName,
    /// What is in force.
    pub before: Option<&'a Integration>,
    /// What is declared; `None` when it is to go.
    pub wanted: Option<&'a Integration>,
    /// What that can in effect do.
    pub authority: &'a Authority,
    /// The instant.
    pub now: Timestamp,
}

/// Whether there is anything that an integration could change, and so a second gate to open for it. What only
/// leaves notes has none.
pub fn can_write(integration: &Integration, authority: &Authority) -> bool {
    let acts = integration.scope.acts.iter().any(|touch| *touch != Touch::Signal);
    authority.class > Class::Advisory || acts
}

/// Why an integration is changed, if it is.
pub fn cause(before: Option<&Integration>, wanted: Option<&Integration>) -> Option<Cause> {
    match (before, wanted) {
        (None, None) => None,
        (None, Some(_)) => Some(Cause::Registration),
        (Some(_), None) => Some(Cause::Retirement),
        (Some(before), Some(wanted)) => match integration::compare(wanted, before) {
            Comparison::Same => None,
            // Of something that was never approved there is nothing to be narrower than.
            Comparison::Narrower if before.gates.integration.is_some() => Some(Cause::Narrowing),
            Comparison::Narrower | Comparison::Wider { .. } => Some(Cause::Widening),
        },
    }
}

impl Declaration<'_> {
    /// The plans, in the order in which they take effect; none when nothing changes.
    pub fn plans(&self, mut id: impl FnMut() -> PlanId) -> Vec<Plan> {
        let Some(cause) = cause(self.before, self.wanted) else { return Vec::new() };
        match (cause, self.wanted) {
            (Cause::Narrowing, Some(wanted)) => {
                let gates =
                    Gate::ALL.into_iter().filter(|g| self.before.is_some_and(|b| b.gates.of(*g).is_some()));
                // What it can do is certified as far as it shrank; what grew elsewhere stays uncertified.
                let held = self.before.and_then(|b| b.gates.authority.as_ref()).map(|c| &c.authority);
                let authority = held.filter(|held| !self.authority.within(held)).unwrap_or(self.authority);
                let less = Declaration { authority, ..*self };
                let mut ops = less.declare(wanted);
                if held.is_some() {
                    ops.push(certified(authority));
                }
                ops.extend(gates.map(|gate| less.open(gate, wanted)));
                vec![less.plan(id(), Question::Less, cause, ops)]
            }
            (_, Some(wanted)) => {
                let mut ops = self.declare(wanted);
                ops.push(self.open(Gate::IntegrationApproved, wanted));
                let mut plans = vec![self.plan(id(), Question::IntegrationApproved, cause, ops)];
                plans.extend(self.certify(id(), cause));
                plans
            }
            (_, None) => vec![self.retire(id())],
        }
    }

    /// The plan that ends the integration: both gates go, and nothing of it is used any more.
    pub fn retire(&self, id: PlanId) -> Plan {
        let ops = self.shut(Gate::ALL).chain([Op::Delete]).collect();
        self.plan(id, Question::Less, Cause::Retirement, ops)
    }

    /// The plan that asks for the second gate; `None` for an integration that can change nothing.
    pub fn certify(&self, id: PlanId, cause: Cause) -> Option<Plan> {
        let wanted = self.wanted.filter(|i| can_write(i, self.authority))?;
        let ops = vec![certified(self.authority), self.open(Gate::IdentityAuthorityApproved, wanted)];
        Some(self.plan(id, Question::IdentityAuthorityApproved, cause, ops))
    }

    /// The plan that asks for the first gate of what is in force.
    pub fn reopen(&self, id: PlanId, cause: Cause) -> Option<Plan> {
        let ops = vec![self.open(Gate::IntegrationApproved, self.wanted?)];
        Some(self.plan(id, Question::IntegrationApproved, cause, ops))
    }

    /// The plan that takes gates, alone or both.
    pub fn withdraw(&self, id: PlanId, gates: impl IntoIterator<Item = Gate>) -> Plan {
        self.plan(id, Question::Less, Cause::Withdrawal, self.shut(gates).collect())
    }

    /// Whether what is new must have been tried. What the hub has no line to cannot be, and where only words or
    /// people are new there is nothing to try.
    fn must_be_tried(&self, cause: Cause) -> bool {
        let (Cause::Widening, Some(before), Some(wanted)) = (cause, self.before, self.wanted) else {
            return false;
        };
        let tried = |i: &Integration| {
            (i.connector.clone(), i.endpoint.clone(), i.settings.clone(), i.scope.clone(), i.role.clone())
        };
        tried(before) != tried(wanted) && !matches!(wanted.role, Role::Partner { .. })
    }

    fn declare(&self, wanted: &Integration) -> Vec<Op> {
        let all = attributes(wanted);
        let Some(before) = self.before.map(attributes) else {
            return vec![Op::CreateAccount { marker: format!("{HUB}/{}", self.name), attributes: all }];
        };
        let attributes = all.into_iter().filter(|(name, value)| before.get(name) != Some(value)).collect();
        vec![Op::SetAttributes { attributes }]
    }

    fn open(&self, gate: Gate, wanted: &Integration) -> Op {
        let covers = covers(gate, wanted.declared(), self.authority);
        Op::Grant { class: AccessClass::HubRoles, external_id: format!("{}@{covers}", gate.as_str()) }
    }

    fn shut(&self, gates: impl IntoIterator<Item = Gate>) -> impl Iterator<Item = Op> {
        let held = gates.into_iter().filter_map(|gate| Some((gate, self.before?.gates.of(gate)?.covers)));
        held.map(|(gate, covers)| Op::Revoke {
            class: AccessClass::HubRoles,
            external_id: format!("{}@{covers}", gate.as_str()),
        })
    }

    fn plan(&self, id: PlanId, question: Question, cause: Cause, ops: Vec<Op>) -> Plan {
        let account = AccountId::from_bytes(*self.identity.as_bytes());
        let target = match self.before {
            Some(_) => Target::Known { account, external_id: self.name.to_string() },
            None => Target::New { account },
        };
        let people = [self.before, self.wanted].into_iter().flatten();
        let owners = people.flat_map(|i| [i.owner.clone(), i.backup.clone()]).collect();
        let governs = Governs {
            question,
            subject: self.name.clone(),
            class: self.authority.class,
            widens: cause == Cause::Widening,
            tested: question == Question::IdentityAuthorityApproved && self.must_be_tried(cause),
            owners,
        };
        let changes = changes(target, ops);
        let identity = (self.identity, self.generation, self.policy);
        let known = self.before.map(in_force);
        Plan {
            changes,
            governs: Some(governs),
            ..plan(id, self.event, identity, cause, known.as_ref(), self.now)
        }
    }
}

/// Says which authority is to be certified.
fn certified(authority: &Authority) -> Op {
    let text = serde_json::to_string(authority).unwrap_or_default();
    let attributes = AccountAttributes::from([(AUTHORITY.to_owned(), AccountValue::Text(text))]);
    Op::SetAttributes { attributes }
}

fn gates_held(integration: &Integration) -> Vec<EntitlementName> {
    let held = Gate::ALL.into_iter().filter(|gate| integration.gates.of(*gate).is_some());
    held.filter_map(|gate| EntitlementName::new(&gate.entitlement()).ok()).collect()
}

/// A part of the hub's own configuration, `kind/name`, as canonical JSON; `None` where there is none.
pub type Entries = BTreeMap<String, Option<String>>;

/// The plan that makes the hub's own configuration so: systems, entitlements, policies and what else is not
/// an integration. `before` has the same keys as `wanted`.
pub fn configuration(
    id: PlanId,
    event: &Event,
    identity: (IdentityId, u64, Digest),
    before: &Entries,
    wanted: &Entries,
    now: Timestamp,
) -> Plan {
    let account = AccountId::from_bytes(*identity.0.as_bytes());
    // What is not there is told from what is there and empty.
    let values = |entries: &Entries| -> AccountAttributes {
        let value =
            |text: &Option<String>| text.clone().map_or(AccountValue::Flag(false), AccountValue::Text);
        entries.iter().map(|(name, text)| (name.clone(), value(text))).collect()
    };
    let known = AccountState { active: true, attributes: values(before), entitlements: Vec::new() };
    let target = Target::Known { account, external_id: HUB.into() };
    let changes = changes(target, vec![Op::SetAttributes { attributes: values(wanted) }]);
    let governs = subject().map(|subject| Governs {
        question: Question::Configuration,
        subject,
        class: Class::Authoritative,
        widens: true,
        tested: false,
        owners: BTreeSet::new(),
    });
    Plan { changes, governs, ..plan(id, event, identity, Cause::Configuration, Some(&known), now) }
}

fn subject() -> Option<IntegrationName> {
    IntegrationName::new(HUB).ok()
}

fn changes(target: Target, ops: Vec<Op>) -> Vec<Change> {
    let Ok(system) = SystemName::new(HUB) else { return Vec::new() };
    let change = |(seq, op): (u16, Op)| Change {
        seq,
        system: system.clone(),
        target: target.clone(),
        entitlement: gate_of(&op).and_then(|(gate, _)| EntitlementName::new(&gate.entitlement()).ok()),
        op,
        because: Vec::new(),
    };
    (0..).zip(ops).map(change).collect()
}

/// The gate that an effect opens or shuts, and what it covers.
fn gate_of(op: &Op) -> Option<(Gate, Digest)> {
    let (Op::Grant { external_id, .. } | Op::Revoke { external_id, .. }) = op else { return None };
    let (gate, covers) = external_id.split_once('@')?;
    Some((Gate::ALL.into_iter().find(|g| g.as_str() == gate)?, covers.parse().ok()?))
}

fn plan(
    id: PlanId,
    event: &Event,
    (identity, generation, policy): (IdentityId, u64, Digest),
    cause: Cause,
    known: Option<&AccountState>,
    made: Timestamp,
) -> Plan {
    let desired: BTreeMap<SystemName, Desired> = BTreeMap::new();
    let decision = Decision {
        event: event.id,
        identity,
        generation,
        policy,
        desired,
        forbidden: BTreeMap::new(),
        leads: None,
    };
    Plan {
        id,
        decision,
        rests_on: rests_on(known),
        cause: cause.as_str().to_owned(),
        changes: Vec::new(),
        before: BTreeMap::new(),
        missing: Vec::new(),
        privileged: true,
        governs: None,
        exception: None,
        joint: None,
        stay: None,
        made,
    }
}

/// What a plan about the hub rests on: what was in force of its subject when it was made.
fn rests_on(state: Option<&AccountState>) -> Digest {
    Digest::of_value(&state)
}

/// What is in force of an integration, as plans rest on it.
fn in_force(integration: &Integration) -> AccountState {
    AccountState {
        active: !matches!(integration.standing, Standing::Ended { .. }),
        attributes: attributes(integration),
        entitlements: gates_held(integration),
    }
}

impl Plan {
    /// The gates that it opens, and what each covers.
    pub fn opens(&self) -> Vec<(Gate, Digest)> {
        let granted = self.changes.iter().filter(|c| matches!(c.op, Op::Grant { .. }));
        granted.filter_map(|c| gate_of(&c.op)).collect()
    }

    /// Whether it ends the integration that it is about.
    pub fn ends(&self) -> bool {
        self.governs.is_some() && self.changes.iter().any(|change| change.op == Op::Delete)
    }

    /// The gates that it shuts.
    pub fn shuts(&self) -> Vec<Gate> {
        let revoked = self.changes.iter().filter(|c| matches!(c.op, Op::Revoke { .. }));
        revoked.filter_map(|c| Some(gate_of(&c.op)?.0)).collect()
    }

    /// The attributes that it sets on the hub.
    pub fn declares(&self) -> AccountAttributes {
        let mut all = AccountAttributes::new();
        for change in &self.changes {
            if let Op::CreateAccount { attributes, .. } | Op::SetAttributes { attributes } = &change.op {
                all.extend(
                    attributes
                        .iter()
                        .filter(|(name, _)| *name != AUTHORITY)
                        .map(|(n, v)| (n.clone(), v.clone())),
                );
            }
        }
        all
    }

    /// The authority that it is to certify, if it says any.
    pub fn certifies(&self) -> Option<Authority> {
        self.changes.iter().find_map(|change| match &change.op {
            Op::SetAttributes { attributes } => match attributes.get(AUTHORITY)? {
                AccountValue::Text(text) => serde_json::from_str(text).ok(),
                AccountValue::Flag(_) | AccountValue::Many(_) => None,
            },
            Op::CreateAccount { .. }
            | Op::Enable
            | Op::Disable { .. }
            | Op::Delete
            | Op::Grant { .. }
            | Op::Revoke { .. }
            | Op::RevokeAll { .. } => None,
        })
    }
}

/// The policies that are part of the hub: who may open which gate where configuration says nothing more.
/// Configuration can only forbid on top of them.
pub const BUILT_IN: &str = include_str!("govern/gates.cedar");

/// The id of the rule by which the only administrator of a new hub needs no second person.
pub fn bootstrap() -> PolicyId {
    PolicyId::new("hub-bootstrap")
}

/// The id of the rule by which one authorised person is enough to take something away.
pub fn less_takes_one() -> PolicyId {
    PolicyId::new("hub-less-takes-one")
}

/// A part of the hub's own configuration that a plan is to change: `kind`, name and canonical JSON; `None`
/// where it is to go.
pub fn entries(plan: &Plan) -> Vec<(String, String, Option<String>)> {
    let declared = plan.declares();
    let parts = declared.into_iter().filter_map(|(key, value)| {
        let (kind, name) = key.split_once('/')?;
        let text = match value {
            AccountValue::Text(text) => Some(text),
            AccountValue::Flag(_) | AccountValue::Many(_) => None,
        };
        Some((kind.to_owned(), name.to_owned(), text))
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_reads_back_from_its_attributes() {
        for role in [
            json!({"role": "source", "source": "hr", "contract": {"attributes": {
                "email": {"type": "text", "required": true}}, "always_allowed": 5}}),
            json!({"role": "target", "system": "chat"}),
            json!({"role": "partner"}),
        ] {
            let mut fields = json!({
                "name": "chat", "purpose": "\"accounts\"", "owner": "hr/1", "backup": "hr/2", "connector": "scim",
                "endpoint": "https://chat.example", "standing": {"state": "enabled"},
                "scope": {"rules": ["get GET /Users/{id}"], "acts": ["attribute department"],
                          "attributes": ["department"], "population": {"department": ["Sales"]}},
                "register": {"boundary": "b", "data_flows": ["d"], "privilege_flows": ["p"], "vendor": "v"},
                "settings": {"z": 1, "a": {"y": [true, null], "b": "1"}},
                "kill": {"revoke": "POST /revoke", "probe": "GET /me", "class": "api-tokens"},
            });
            fields.as_object_mut().unwrap().extend(role.as_object().unwrap().clone());
            let declared: Integration = serde_json::from_value(fields).unwrap();
            let read = integration(&declared.name, &attributes(&declared)).unwrap();
            assert_eq!(read, declared);
            assert_eq!(read.declared(), declared.declared());
        }
    }
}
