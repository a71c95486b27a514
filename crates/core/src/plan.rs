//! Plans: immutable, complete, bound to what they were made from.
//!
//! [`make`] compares what should be with what was observed and gives the changes, in the order in which
//! they are to be done. It is a fixed point: `make(d, apply(make(d, o), o))` is empty. A plan never
//! rests on more than it knows: a partial observation removes nothing that it did not see.

mod asks;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::asks::{Governs, Question};
use crate::{
    access::{AccessClass, Stage},
    account::{AccountAttributes, AccountState},
    authority::Class,
    digest::Digest,
    event::{Event, EventKind, FIRED},
    exception::Terms,
    id::{AccountId, EntitlementName, EventId, IdentityId, PlanId, SystemName},
    identity::SourceKey,
    join::Joint,
    policy::{ChangeFacts, PolicyId},
    scope::Operation,
    stay::Stay,
    system::OnLeave,
    time::Timestamp,
};

/// One effect on one account of one system: what a connector is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ChangeOp")]
#[serde(rename_all = "kebab-case", tag = "op")]
pub enum Op {
    /// Make the account.
    CreateAccount {
        /// The identity's source key, kept on the account as its external id.
        marker: String,
        /// Its attributes.
        attributes: AccountAttributes,
    },
    /// Set attributes of the account; others stay.
    SetAttributes {
        /// Name → value.
        attributes: AccountAttributes,
    },
    /// Make the account usable.
    Enable,
    /// Make the account unusable.
    Disable {
        /// Which of the connector's ways to use; 0 is the first.
        way: u8,
    },
    /// Remove the account.
    Delete,
    /// Give the account an entitlement.
    Grant {
        /// Its class.
        class: AccessClass,
        /// The system's id for it.
        external_id: String,
    },
    /// Take an entitlement from the account.
    Revoke {
        /// Its class.
        class: AccessClass,
        /// The system's id for it.
        external_id: String,
    },
    /// Take everything of a class from the account, whatever is found there.
    RevokeAll {
        /// The class.
        class: AccessClass,
    },
}

impl Op {
    /// A verb and what it is done to, for people.
    pub fn words(&self) -> String {
        match self {
            Self::CreateAccount { .. } => "create account".into(),
            Self::SetAttributes { attributes } => {
                let names: Vec<&str> = attributes.keys().map(String::as_str).collect();
                format!("set {}", names.join(", "))
            }
            Self::Enable => "enable account".into(),
            Self::Disable { way: 0 } => "disable account".into(),
            Self::Disable { way } => format!("disable account (way {})", way + 1),
            Self::Delete => "delete account".into(),
            Self::Grant { class, .. } => format!("grant {class}"),
            Self::Revoke { class, .. } => format!("revoke {class}"),
            Self::RevokeAll { class } => format!("end all {class}"),
        }
    }

    /// What it is for, as scopes say it.
    pub const fn operation(&self) -> Operation {
        match self {
            Self::CreateAccount { .. } => Operation::Create,
            Self::SetAttributes { .. } | Self::Enable | Self::Disable { .. } => Operation::Update,
            Self::Delete => Operation::Delete,
            Self::Grant { .. } => Operation::Grant,
            Self::Revoke { .. } | Self::RevokeAll { .. } => Operation::Revoke,
        }
    }

    /// Whether it only takes away.
    pub const fn removes(&self) -> bool {
        match self {
            Self::Disable { .. } | Self::Delete | Self::Revoke { .. } | Self::RevokeAll { .. } => true,
            Self::CreateAccount { .. } | Self::SetAttributes { .. } | Self::Enable | Self::Grant { .. } => {
                false
            }
        }
    }

    /// When it is done, relative to others on the same system. What is given is given last, and what
    /// is taken is taken in the order of a leaver: live credentials, account, the rest.
    fn rank(&self) -> u8 {
        let stage = |class: &AccessClass| match class.stage() {
            Stage::Kill => 0,
            Stage::Disable => 1,
            Stage::Strip => 2,
        };
        match self {
            Self::Revoke { class, .. } | Self::RevokeAll { class } => stage(class),
            Self::Disable { .. } => 1,
            Self::Delete => 3,
            Self::CreateAccount { .. } => 4,
            Self::SetAttributes { .. } => 5,
            Self::Enable => 6,
            Self::Grant { .. } => 7,
        }
    }
}

/// Which account a change is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ChangeTarget")]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// One that is known.
    Known {
        /// Its id here.
        account: AccountId,
        /// The system's id for it.
        external_id: String,
    },
    /// The one that the plan creates, or that is found to be there already with our marker.
    New {
        /// The id it gets here.
        account: AccountId,
    },
}

impl Target {
    /// The account's id here.
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Known { account, .. } | Self::New { account } => *account,
        }
    }
}

/// One change of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Its place in the plan; with the plan's id it is the idempotency key.
    pub seq: u16,
    /// The system.
    pub system: SystemName,
    /// The account.
    pub target: Target,
    /// The entitlement that configuration names, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitlement: Option<EntitlementName>,
    /// The effect.
    #[serde(flatten)]
    pub op: Op,
    /// The policies that want it; empty where it follows from something not being wanted any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<PolicyId>,
}

/// What one system should hold for an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Desired {
    /// The attributes of the account. Being in a decision means that the account should be there and be
    /// usable.
    pub attributes: AccountAttributes,
    /// What it should hold, and the policies that say so.
    pub entitlements: BTreeMap<EntitlementName, Vec<PolicyId>>,
    /// The policies that want the account.
    pub because: Vec<PolicyId>,
}

/// What should be, for one identity, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The event it answers.
    pub event: EventId,
    /// For whom.
    pub identity: IdentityId,
    /// The identity's generation; a newer one makes this void.
    pub generation: u64,
    /// The version of the policies.
    pub policy: Digest,
    /// System → what the identity should have there.
    pub desired: BTreeMap<SystemName, Desired>,
    /// What separation of duties took away, and the policies that did.
    pub forbidden: BTreeMap<EntitlementName, Vec<PolicyId>>,
    /// Of somebody with several records: the one that leads. Accounts that are made are made for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads: Option<SourceKey>,
}

/// What is known of one system when a plan is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standpoint {
    /// The account there, if there is one.
    pub account: Option<KnownAccount>,
    /// When that was seen; the plan rests on it.
    pub seen: Option<Timestamp>,
}

/// A known account as a plan sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownAccount {
    /// Its id here.
    pub id: AccountId,
    /// The system's id.
    pub external_id: String,
    /// Its state.
    pub state: AccountState,
    /// Somebody else disabled it, and who is disabled there is to have no access (PRODUCT E7): a person looks at that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stays_disabled: bool,
}

/// What a plan needs to know of a system's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What is done to the account of somebody who should have none.
    pub on_leave: OnLeave,
    /// The way of disabling to begin with: the first that was seen to work.
    pub first_way: u8,
    /// Classes whose live things are ended whenever access goes.
    pub kill: BTreeSet<AccessClass>,
    /// Classes that are stripped as a whole, whatever is found.
    pub strip: BTreeSet<AccessClass>,
    /// Entitlement → class and the system's id, as far as known.
    pub entitlements: BTreeMap<EntitlementName, EntitlementRule>,
}

/// One entitlement as a plan sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntitlementRule {
    /// Its class.
    pub class: AccessClass,
    /// The system's id, once seen.
    pub external_id: Option<String>,
    /// Whether it gives power over other access.
    pub privileged: bool,
}

/// A complete, immutable list of changes with what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// What should be.
    pub decision: Decision,
    /// What was known of each system; the digest of it is part of the plan's.
    pub rests_on: Digest,
    /// The event's cause, for approval: `joiner`, `mover`, `leaver`, …
    pub cause: String,
    /// What is done, in order for each system.
    pub changes: Vec<Change>,
    /// What was there before, of each account that it changes: undoing it is judged by this.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub before: BTreeMap<SystemName, AccountState>,
    /// Entitlements that are wanted but cannot be given, because the system has no such thing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<EntitlementName>,
    /// Whether anything in it gives power over other access.
    pub privileged: bool,
    /// What it changes of the hub itself; absent for plans about access on other systems.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governs: Option<Governs>,
    /// The exception that it begins; absent for all other plans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exception: Option<Terms>,
    /// The identities that it joins or splits; absent for all other plans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joint: Option<Joint>,
    /// The ends that it takes back; absent for all other plans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stay: Option<Stay>,
    /// When it was made.
    pub made: Timestamp,
}

impl Plan {
    /// The digest that an approval binds to: every byte of the plan.
    pub fn digest(&self) -> Digest {
        Digest::of_value(self)
    }

    /// A digest of what is changed where, but for the ids that new accounts get.
    pub fn shown(&self) -> Digest {
        let shown: Vec<_> = self
            .changes
            .iter()
            .map(|change| {
                let known = match &change.target {
                    Target::Known { account, .. } => Some(*account),
                    Target::New { .. } => None,
                };
                (&change.system, known, &change.entitlement, &change.op)
            })
            .collect();
        Digest::of_value(&shown)
    }

    /// What approval policies see as `question`.
    fn question(&self) -> &'static str {
        if self.stay.is_some() {
            return "stay";
        }
        match (&self.governs, &self.exception, &self.joint) {
            (Some(governs), _, _) => governs.question.as_str(),
            (None, Some(terms), _) => terms.because.question(),
            (None, None, Some(joint)) => joint.act.as_str(),
            (None, None, None) => "access",
        }
    }

    /// Whether it takes a known person, and no rule is enough.
    pub const fn takes_a_person(&self) -> bool {
        self.exception.is_some() || self.joint.is_some() || self.stay.is_some()
    }

    /// Whether who approves it must prove anew who they are: what gives somebody power over other access does,
    /// what gives the hub's parts authority over identities, and breaking the glass. Taking away never does.
    pub fn needs_step_up(&self) -> bool {
        let gives = match &self.governs {
            Some(governs) => governs.class == Class::Authoritative && governs.question != Question::Less,
            None => self.privileged,
        };
        gives || self.takes_a_person()
    }

    /// Whether it is for somebody who left: it goes before everything else.
    pub fn is_of_leaver(&self) -> bool {
        [EventKind::Left.cause(), FIRED].contains(&self.cause.as_str())
    }

    /// The systems it changes.
    pub fn systems(&self) -> BTreeSet<SystemName> {
        self.changes.iter().map(|c| c.system.clone()).collect()
    }

    /// The systems that it is about: those it changes, and those where its exception gives something.
    pub fn concerns(&self) -> BTreeSet<SystemName> {
        self.systems().into_iter().chain(self.exception.iter().flat_map(Terms::systems)).collect()
    }

    /// What approval policies see of it.
    pub fn facts(&self) -> ChangeFacts {
        let (changed, excepted) =
            (self.changes.iter().filter_map(|c| c.entitlement.clone()), self.exception.iter());
        ChangeFacts {
            cause: self.cause.clone(),
            privileged: self.privileged,
            // What is to stay takes nothing away, though nothing is changed.
            removes_only: !self.takes_a_person() && self.changes.iter().all(|c| c.op.removes()),
            destructive: self.changes.iter().any(|c| c.op == Op::Delete),
            entitlements: changed.chain(excepted.flat_map(|terms| terms.entitlements.clone())).collect(),
            systems: self.concerns(),
            changes: i64::try_from(self.changes.len()).unwrap_or(i64::MAX),
            question: self.question().to_owned(),
            class: self.governs.as_ref().map_or("", |g| g.class.as_str()).to_owned(),
            widens: self.governs.as_ref().is_some_and(|g| g.widens),
        }
    }
}

/// Everything that [`make`] is given.
pub struct Inputs<'a> {
    /// The plan's id.
    pub id: PlanId,
    /// The event.
    pub event: &'a Event,
    /// What should be.
    pub decision: Decision,
    /// The marker for new accounts, the identity's source key.
    pub marker: String,
    /// System → what is known of it. A system that is wanted but not in here gets nothing.
    pub known: &'a BTreeMap<SystemName, Standpoint>,
    /// System → its rules; must cover `known`.
    pub rules: &'a BTreeMap<SystemName, Rules>,
    /// Whether accounts that are not wanted are to be swept in full (leaver), and which way of disabling
    /// to use on which system.
    pub sweep: Sweep,
    /// Ids for accounts to be created, one for each system.
    pub new_account: &'a mut dyn FnMut() -> AccountId,
    /// The instant it is made at.
    pub now: Timestamp,
}

/// How thoroughly access that is not wanted is removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Remove everything from accounts that are already disabled too, as for a leaver: what is recorded
    /// of them is not believed.
    pub thorough: bool,
    /// System → the way of disabling to use.
    pub ways: BTreeMap<SystemName, u8>,
    /// Only these systems, or all when empty.
    pub only: BTreeSet<SystemName>,
    /// Remove the account instead of disabling it, where nothing else worked.
    pub delete: BTreeSet<SystemName>,
    /// Disable the account instead of removing it, whatever the system's rule is.
    pub spare: BTreeSet<SystemName>,
    /// Remove no account anywhere, whatever else is said: what is theirs is preserved.
    pub preserve: bool,
}

/// Makes the plan that takes what is known to what should be.
pub fn make(inputs: Inputs<'_>) -> Plan {
    let Inputs { id, event, decision, marker, known, rules, sweep, new_account, now } = inputs;
    let mut changes: Vec<Change> = Vec::new();
    let mut missing = Vec::new();
    let mut privileged = false;
    for (system, standpoint) in known {
        let Some(rule) = rules.get(system) else { continue };
        if !sweep.only.is_empty() && !sweep.only.contains(system) {
            continue;
        }
        let mut ops = Vec::new();
        let target = match (&standpoint.account, decision.desired.get(system)) {
            (None, None) => continue,
            (None, Some(wanted)) => {
                ops.push((
                    None,
                    Op::CreateAccount { marker: marker.clone(), attributes: wanted.attributes.clone() },
                    wanted.because.clone(),
                ));
                grants(wanted, &[], rule, &mut ops, &mut missing, &mut privileged);
                Target::New { account: new_account() }
            }
            (Some(account), Some(wanted)) => {
                keep(account, wanted, rule, &mut ops, &mut missing, &mut privileged);
                Target::Known { account: account.id, external_id: account.external_id.clone() }
            }
            (Some(account), None) => {
                remove(account, system, rule, &sweep, &mut ops);
                Target::Known { account: account.id, external_id: account.external_id.clone() }
            }
        };
        ops.sort_by_key(|(_, op, _)| op.rank());
        changes.extend(ops.into_iter().map(|(entitlement, op, because)| Change {
            seq: 0,
            system: system.clone(),
            target: target.clone(),
            entitlement,
            op,
            because,
        }));
    }
    for (seq, change) in (0..).zip(&mut changes) {
        change.seq = seq;
    }
    let rests_on = Digest::of_value(known);
    let cause = event.kind.cause().to_owned();
    let changed: BTreeSet<&SystemName> = changes.iter().map(|change| &change.system).collect();
    let state_of = |system: &SystemName| Some(known.get(system)?.account.as_ref()?.state.clone());
    let before = changed.into_iter().filter_map(|system| Some((system.clone(), state_of(system)?))).collect();
    Plan {
        id,
        decision,
        rests_on,
        cause,
        changes,
        before,
        missing,
        privileged,
        governs: None,
        exception: None,
        joint: None,
        stay: None,
        made: now,
    }
}

type Step = (Option<EntitlementName>, Op, Vec<PolicyId>);

fn grants(
    wanted: &Desired,
    held: &[EntitlementName],
    rule: &Rules,
    ops: &mut Vec<Step>,
    missing: &mut Vec<EntitlementName>,
    privileged: &mut bool,
) {
    for (name, because) in wanted.entitlements.iter().filter(|(name, _)| !held.contains(name)) {
        match rule.entitlements.get(name) {
            Some(EntitlementRule { class: AccessClass::PrimaryAccount, .. }) => {}
            Some(EntitlementRule { class, external_id: Some(external_id), privileged: power }) => {
                *privileged |= power;
                let op = Op::Grant { class: *class, external_id: external_id.clone() };
                ops.push((Some(name.clone()), op, because.clone()));
            }
            Some(EntitlementRule { external_id: None, .. }) | None => missing.push(name.clone()),
        }
    }
}

/// The account is there and wanted: exactly the target set, nothing kept.
fn keep(
    account: &KnownAccount,
    wanted: &Desired,
    rule: &Rules,
    ops: &mut Vec<Step>,
    missing: &mut Vec<EntitlementName>,
    privileged: &mut bool,
) {
    let differs: AccountAttributes = wanted
        .attributes
        .iter()
        .filter(|(name, value)| account.state.attributes.get(*name) != Some(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if !differs.is_empty() {
        ops.push((None, Op::SetAttributes { attributes: differs }, wanted.because.clone()));
    }
    if !account.state.active && !account.stays_disabled {
        ops.push((None, Op::Enable, wanted.because.clone()));
    }
    for name in account.state.entitlements.iter().filter(|name| !wanted.entitlements.contains_key(*name)) {
        revoke(name, rule, ops);
    }
    grants(wanted, &account.state.entitlements, rule, ops, missing, privileged);
}

fn revoke(name: &EntitlementName, rule: &Rules, ops: &mut Vec<Step>) {
    if let Some(EntitlementRule { class, external_id: Some(external_id), .. }) = rule.entitlements.get(name)
        && *class != AccessClass::PrimaryAccount
    {
        let op = Op::Revoke { class: *class, external_id: external_id.clone() };
        ops.push((Some(name.clone()), op, Vec::new()));
    }
}

/// The account is there and not wanted: credentials, account, the rest.
/// What is done to an account that should hold nothing, in order: as [`make`] plans it for a leaver.
pub fn departure(account: &KnownAccount, system: &SystemName, rule: &Rules, sweep: &Sweep) -> Vec<Op> {
    let mut ops = Vec::new();
    remove(account, system, rule, sweep, &mut ops);
    ops.sort_by_key(|(_, op, _)| op.rank());
    ops.into_iter().map(|(_, op, _)| op).collect()
}

fn remove(account: &KnownAccount, system: &SystemName, rule: &Rules, sweep: &Sweep, ops: &mut Vec<Step>) {
    let bare = !account.state.active && account.state.entitlements.is_empty();
    if bare && !sweep.thorough {
        return;
    }
    ops.extend(rule.kill.iter().map(|class| (None, Op::RevokeAll { class: *class }, Vec::new())));
    let by_rule = rule.on_leave == OnLeave::Delete && !sweep.spare.contains(system);
    let delete = !sweep.preserve && (by_rule || sweep.delete.contains(system));
    if !delete {
        let way = sweep.ways.get(system).copied().unwrap_or(rule.first_way);
        ops.push((None, Op::Disable { way }, Vec::new()));
    }
    let whole: BTreeSet<AccessClass> = if sweep.thorough { rule.strip.clone() } else { BTreeSet::new() };
    for name in &account.state.entitlements {
        if rule.entitlements.get(name).is_none_or(|e| !whole.contains(&e.class)) {
            revoke(name, rule, ops);
        }
    }
    ops.extend(whole.into_iter().map(|class| (None, Op::RevokeAll { class }, Vec::new())));
    if delete {
        ops.push((None, Op::Delete, Vec::new()));
    }
}
