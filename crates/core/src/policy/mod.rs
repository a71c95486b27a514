//! The policy room: [Cedar](https://www.cedarpolicy.com) decides everything.
//!
//! Policies are Cedar text, checked at load against a schema made from the [`Vocabulary`]: a policy without
//! an `@id`, without one action, with a word that nothing declares or with a type that does not fit is
//! refused with its place, and then nothing is loaded. Deny is the default, and a question that cannot be
//! answered is a [`PolicyFault`], never an allow.
//!
//! | action | question | here |
//! |---|---|---|
//! | `hold` | should this identity hold this entitlement? | [`PolicySet::holds`] |
//! | `approve` | may this approver approve this change? | [`PolicySet::approves`] |
//! | `access` | may this subject do this to this resource now? | [`PolicySet::allows`] |
//! | `exercise` | may this operator do this sort of thing in the hub? | [`PolicySet::rights`] |
//! | `perform` | may this integration do this operation? | checked at load only |
//!
//! Absent on purpose: I/O, time, and the hard rules of approval ([`crate::approval`]), which no policy can
//! switch off.

use std::{collections::BTreeSet, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    authority::Class,
    digest::Digest,
    exception::{self, Terms},
    id::{EntitlementName, IntegrationName, ResourceTypeName},
    right::Rights,
};

mod access;
mod approve;
mod bulk;
mod check;
mod declared;
mod error;
mod exercise;
mod hold;
mod needs;
mod reach;
mod reads;
mod schema;
mod sides;
mod source;
mod vocabulary;

pub use access::{AccessAnswer, AccessPrincipal, AccessQuestion, Said};
pub use approve::{ApprovalAnswer, ApproverFacts, ApproverKind, ChangeFacts};
pub use bulk::Bulk;
pub use error::{Mistake, PolicyError, PolicyFault};
pub use hold::Holding;
pub use vocabulary::{AttributeType, AttributeValue, Attributes, EntitlementFacts, Vocabulary};

use access::Access;
use approve::Approve;
use exercise::Exercise;
use hold::Hold;
use reach::Reach;
use reads::Variable;
use vocabulary::{KIND, Words};

/// A file of policies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct PolicyFile {
    /// Its path, for messages.
    pub path: String,
    /// Its text, Cedar.
    pub text: String,
}

/// The id of a policy: the text of its `@id` annotation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PolicyId(String);

impl PolicyId {
    /// The id with this text.
    pub fn new(text: impl ToString) -> Self {
        Self(text.to_string())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a policy is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// An identity holds an entitlement.
    Hold,
    /// An integration performs an operation.
    Perform,
    /// Somebody approves a change.
    Approve,
    /// An identity uses a resource, at request time.
    Access,
    /// An operator does something in the hub.
    Exercise,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 5] = [Self::Hold, Self::Perform, Self::Approve, Self::Access, Self::Exercise];

    /// The name in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Perform => "perform",
            Self::Approve => "approve",
            Self::Access => "access",
            Self::Exercise => "exercise",
        }
    }
}

/// What one policy reads and what it can change; the edges of hidden authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyReads {
    /// The policy.
    pub policy: PolicyId,
    /// What it is about.
    pub action: Action,
    /// Whether it forbids; else it permits.
    pub forbids: bool,
    /// The identity attributes it reads, `kind` among them.
    pub attributes: BTreeSet<String>,
    /// Whether it looks at what else is held, so that every attribute that decides that matters too.
    pub holding: bool,
    /// The entitlements it can touch, for `hold`; never too few.
    pub entitlements: BTreeSet<EntitlementName>,
    /// The types of resources it can touch, for `access`; never too few.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub resources: BTreeSet<ResourceTypeName>,
}

/// Policies that were loaded and checked.
pub struct PolicySet {
    version: Digest,
    reads: Vec<PolicyReads>,
    /// For each of [`Action::ALL`], what its policies read.
    attributes: [BTreeSet<String>; 5],
    hold: Hold,
    approve: Approve,
    access: Access,
    exercise: Exercise,
}

impl PolicySet {
    /// Loads policies: all of them, or none and every mistake in order of file, line and column.
    ///
    /// ```
    /// use std::collections::{BTreeMap, BTreeSet};
    /// use bailiwick_core::access::AccessClass;
    /// use bailiwick_core::id::EntitlementName;
    /// use bailiwick_core::policy::*;
    ///
    /// let vocabulary = Vocabulary {
    ///     identity: BTreeMap::from([("department".into(), AttributeType::Text)]),
    ///     required: BTreeSet::from(["department".into()]),
    ///     entitlements: vec![EntitlementFacts {
    ///         name: EntitlementName::new("chat/engineering")?,
    ///         class: AccessClass::DirectGroups,
    ///         privileged: false,
    ///         labels: BTreeSet::new(),
    ///     }],
    ///     ..Vocabulary::default()
    /// };
    /// let file = |text: &str| PolicyFile { path: "birthright.cedar".into(), text: text.into() };
    ///
    /// let policies = PolicySet::load(&[file(r#"
    ///     @id("engineers-chat")
    ///     permit(principal, action == Action::"hold", resource == Entitlement::"chat/engineering")
    ///     when { principal.department == "Engineering" };
    /// "#)], &vocabulary).expect("it is valid");
    /// let engineer = BTreeMap::from([("department".into(), AttributeValue::Text("Engineering".into()))]);
    /// let holding = policies.holds("person", &engineer)?;
    /// assert_eq!(holding.held.values().next(), Some(&vec![PolicyId::new("engineers-chat")]));
    ///
    /// let mistakes = PolicySet::load(&[file(r#"
    ///     @id("engineers-chat")
    ///     permit(principal, action == Action::"hold", resource)
    ///     when { principal.departement == "Engineering" };
    /// "#)], &vocabulary).err().expect("nothing declares `departement`");
    /// assert_eq!(
    ///     mistakes[0].to_string(),
    ///     "birthright.cedar:4:22: unknown attribute `departement` of Identity (did you mean `department`?)",
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn load(files: &[PolicyFile], vocabulary: &Vocabulary) -> Result<Self, Vec<PolicyError>> {
        let words = Words::check(vocabulary)?;
        let mut files: Vec<&PolicyFile> = files.iter().collect();
        files.sort();
        let checked = check::check(&files, &words)?;

        // The facts here are the vocabulary's own, so Cedar not taking them is a mistake in it.
        let mistake = |fault: PolicyFault| vec![PolicyError::vocabulary(&fault.to_string())];
        let reach = Reach::new(&words).map_err(mistake)?;
        let mut reads = Vec::with_capacity(checked.len());
        let mut attributes: [BTreeSet<String>; 5] = Default::default();
        let (mut hold, mut approve, mut access, mut exercise) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for policy in &checked {
            let read = check::identity_attributes(policy.action, &policy.reads, &words);
            attributes[policy.action as usize].extend(read.iter().cloned());
            let (mut entitlements, mut resources) = (BTreeSet::new(), BTreeSet::new());
            match policy.action {
                Action::Hold => {
                    entitlements = reach.of(policy);
                    hold.push((policy, entitlements.clone()));
                }
                Action::Approve => approve.push(policy),
                Action::Access => {
                    resources = access::reach(policy, &words);
                    access.push((policy, resources.clone()));
                }
                Action::Exercise => exercise.push(policy),
                Action::Perform => {}
            }
            reads.push(PolicyReads {
                policy: policy.id.clone(),
                action: policy.action,
                forbids: policy.effect == cedar_policy::Effect::Forbid,
                attributes: read,
                holding: policy.action == Action::Hold && policy.reads.uses(Variable::Context),
                entitlements,
                resources,
            });
        }
        reads.sort_by(|a, b| a.policy.cmp(&b.policy));
        let hold = Hold::new(&hold, &attributes[Action::Hold as usize], &words).map_err(mistake)?;
        let approve = Approve::new(&approve).map_err(mistake)?;
        let access = Access::new(&access, &attributes[Action::Access as usize], &words).map_err(mistake)?;
        let exercise = Exercise::new(&exercise).map_err(mistake)?;
        // `kind` is part of every identity and no attribute of the vocabulary.
        for read in &mut attributes {
            read.remove(KIND);
        }
        Ok(Self { version: version(&files, vocabulary), reads, attributes, hold, approve, access, exercise })
    }

    /// The version: a digest over all files and the vocabulary. The same files in another order are the
    /// same version; any other byte is another.
    pub const fn version(&self) -> Digest {
        self.version
    }

    /// The attributes of identities that some policy of `action` reads or asks for with `has`; all of them
    /// where a policy uses the identity as a whole. Empty for actions that are not about an identity. The
    /// kind of the identity is not listed: it never changes.
    pub const fn attributes_read(&self, action: Action) -> &BTreeSet<String> {
        &self.attributes[action as usize]
    }

    /// What each policy reads and can touch, in order of their ids.
    pub fn reads(&self) -> &[PolicyReads] {
        &self.reads
    }

    /// What an identity of this kind ([`IdentityKind::as_str`](crate::identity::IdentityKind::as_str)) with
    /// these attributes holds. Only the attributes that policies of `hold` read matter: one of those that is
    /// required and missing, or of another type than declared, is a fault, and so is a policy that fails.
    ///
    /// Decided in two passes, so that a policy can forbid by what else would be held, `context.holding`:
    /// first everything with nothing held, then again with what the first pass gave. Two entitlements that
    /// forbid each other are therefore both gone.
    pub fn holds(&self, kind: &str, attributes: &Attributes) -> Result<Holding, PolicyFault> {
        self.hold.decide(kind, attributes, &BTreeSet::new())
    }

    /// The same beside what exceptions give: that is not in the answer, but what forbids it is, and it counts as held
    /// where policies look at that.
    pub fn holds_beside(
        &self,
        kind: &str,
        attributes: &Attributes,
        excepted: &BTreeSet<EntitlementName>,
    ) -> Result<Holding, PolicyFault> {
        self.hold.decide(kind, attributes, excepted)
    }

    /// What is held while these exceptions count ([`exception::beside`]).
    pub fn holds_with(
        &self,
        kind: &str,
        attributes: &Attributes,
        exceptions: &[Terms],
    ) -> Result<Holding, PolicyFault> {
        let holding = self.holds_beside(kind, attributes, &exception::given_by(exceptions))?;
        Ok(exception::beside(holding, exceptions))
    }

    /// Decides for many identities, once for each distinct tuple of attributes read.
    pub const fn bulk(&self) -> Bulk<'_> {
        Bulk::new(self)
    }

    /// Whether the policies let `approver` approve `change`.
    pub fn approves(
        &self,
        approver: &ApproverFacts,
        change: &ChangeFacts,
    ) -> Result<ApprovalAnswer, PolicyFault> {
        self.approve.decide(approver, change)
    }

    /// What an operator of this name with these roles may do: what the roles give, and what policies give and take. A policy
    /// that cannot be evaluated takes the right that it is about.
    pub fn rights(&self, name: &str, roles: &BTreeSet<String>) -> Rights {
        self.exercise.decide(name, roles)
    }

    /// An identity of this kind with these attributes, as policies of `access` see it. Fails as [`holds`](Self::holds)
    /// does.
    pub fn access_identity(
        &self,
        kind: &str,
        attributes: &Attributes,
    ) -> Result<AccessPrincipal, PolicyFault> {
        self.access.identity(kind, attributes)
    }

    /// What policies of `access` see of such an identity: those of whom the same is seen get the same answers.
    pub fn access_known(&self, kind: &str, attributes: &Attributes) -> Result<Attributes, PolicyFault> {
        self.access.known(kind, attributes)
    }

    /// An integration of this class, as policies of `access` see it; `writes` is whether its second gate is open.
    pub fn access_integration(
        &self,
        name: &IntegrationName,
        class: Class,
        writes: bool,
    ) -> Result<AccessPrincipal, PolicyFault> {
        access::integration(name, class, writes)
    }

    /// Whether the policies let a subject do something to a resource.
    pub fn allows(&self, question: AccessQuestion<'_>) -> Result<AccessAnswer, PolicyFault> {
        self.access.decide(question)
    }

    /// The policies that forbid it, whatever permits it.
    pub fn forbids(&self, question: AccessQuestion<'_>) -> Result<Vec<PolicyId>, PolicyFault> {
        self.access.forbidding(question)
    }
}

impl fmt::Debug for PolicySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicySet")
            .field("version", &self.version)
            .field("policies", &self.reads.len())
            .field("entitlements", &self.hold.slices())
            .finish()
    }
}

fn version(files: &[&PolicyFile], vocabulary: &Vocabulary) -> Digest {
    let mut entitlements: Vec<&EntitlementFacts> = vocabulary.entitlements.iter().collect();
    entitlements.sort_by(|a, b| a.name.cmp(&b.name));
    let Vocabulary { identity, required, entitlements: _, subjects, resources } = vocabulary;
    if subjects.is_empty() && resources.is_empty() {
        return Digest::of_value(&("policies-v1", files, identity, required, entitlements));
    }
    Digest::of_value(&("policies-v2", files, identity, required, entitlements, subjects, resources))
}
