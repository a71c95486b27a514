//! May this person, or this rule, approve this change?
//!
//! A policy can only let somebody approve. The hard rules (nobody approves their own, an integration never
//! approves, binding to a digest) are in [`crate::approval`] and no policy switches them off.

use std::collections::BTreeSet;

use cedar_policy::{Context, RestrictedExpression};
use serde::{Deserialize, Serialize};

use super::{
    Action, PolicyFault, PolicyId,
    check::Checked,
    reach::request,
    schema,
    sides::{Said, Sides},
};
use crate::id::{EntitlementName, SystemName};

/// What sort of approver it is. An integration is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApproverKind {
    /// A person.
    Operator,
    /// A rule: the same path, without a person.
    Rule,
}

/// What policies see of an approver.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ApproverFacts {
    /// A person or a rule.
    pub kind: ApproverKind,
    /// The name.
    pub name: String,
    /// The roles in the hub; a rule has none.
    pub roles: BTreeSet<String>,
}

/// What approval policies see of a change.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ChangeFacts {
    /// What the change is for: `joiner`, `mover`, `leaver`, `drift`, `residue`, ….
    pub cause: String,
    /// Whether it gives something privileged.
    pub privileged: bool,
    /// Whether it only takes away.
    pub removes_only: bool,
    /// Whether something is lost that cannot be put back.
    pub destructive: bool,
    /// The entitlements it gives or takes.
    pub entitlements: BTreeSet<EntitlementName>,
    /// The systems it touches.
    pub systems: BTreeSet<SystemName>,
    /// How many single changes it has.
    pub changes: i64,
    /// What is asked: `access` for access of identities; for the hub itself `integration-approved`,
    /// `identity-authority-approved`, `configuration` or `less`.
    pub question: String,
    /// The class of the integration that it is about; empty when it is about none.
    pub class: String,
    /// Whether it gives an integration more than was certified.
    pub widens: bool,
}

/// Whether an approver may approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalAnswer {
    /// Whether some policy permits it and none forbids it.
    pub allowed: bool,
    /// The policies that permit it if it is allowed, else those that forbid it, in order of their ids. Empty
    /// where nothing permits it.
    pub policies: Vec<PolicyId>,
}

/// The policies of `approve`.
pub(super) struct Approve(Sides);

impl Approve {
    pub(super) fn new(policies: &[&Checked]) -> Result<Self, PolicyFault> {
        Sides::new(policies).map(Self)
    }

    pub(super) fn decide(
        &self,
        approver: &ApproverFacts,
        change: &ChangeFacts,
    ) -> Result<ApprovalAnswer, PolicyFault> {
        let principal = match approver.kind {
            ApproverKind::Operator => schema::uid("Operator", &approver.name),
            ApproverKind::Rule => schema::uid("Rule", &approver.name),
        };
        let resource = schema::uid(schema::CHANGE, "one");
        let question = request(
            &principal,
            &schema::uid("Action", Action::Approve.as_str()),
            &resource,
            Context::empty(),
        )?;
        let facts = vec![
            ("name", schema::text(&approver.name)),
            ("roles", schema::texts(approver.roles.iter().map(String::as_str))),
        ];
        let world = [schema::entity(principal, facts, None)?, schema::entity(resource, shape(change), None)?];
        let Said { permits, forbids } = self.0.ask(&question, world)?;
        let allowed = !permits.is_empty() && forbids.is_empty();
        Ok(ApprovalAnswer { allowed, policies: if allowed { permits } else { forbids } })
    }
}

fn shape(change: &ChangeFacts) -> Vec<(&'static str, RestrictedExpression)> {
    let flag = RestrictedExpression::new_bool;
    vec![
        ("cause", schema::text(&change.cause)),
        ("privileged", flag(change.privileged)),
        ("removes_only", flag(change.removes_only)),
        ("destructive", flag(change.destructive)),
        ("entitlements", schema::texts(change.entitlements.iter().map(EntitlementName::as_str))),
        ("systems", schema::texts(change.systems.iter().map(SystemName::as_str))),
        ("changes", RestrictedExpression::new_long(change.changes)),
        ("question", schema::text(&change.question)),
        ("class", schema::text(&change.class)),
        ("widens", flag(change.widens)),
    ]
}
