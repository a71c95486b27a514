//! Should this identity hold this entitlement?
//!
//! Two passes, so that separation of duties can speak of what else is held:
//!
//! 1. every entitlement is decided with `context.holding` empty: permits minus forbids. What remains is the
//!    candidates;
//! 2. every entitlement is decided again with `context.holding` = the names of the candidates. That is the
//!    answer.
//!
//! So two entitlements that forbid each other are both removed: neither wins by its name, and a person has
//! to decide. A forbid that looks at `holding` sees birthright before separation of duties, and a permit
//! that looks at it reaches one step far. The second pass is made only for entitlements whose policies look.
//!
//! Each entitlement is decided by the policies that can touch it, never by the whole set: Cedar's cost
//! grows with every policy that it is given. An entitlement without a permit in its slice is never asked for.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Authorizer, Context, Effect, Entities, EntityUid, Request};
use serde::{Deserialize, Serialize};

use super::{
    AttributeType, AttributeValue, Attributes, PolicyFault, PolicyId,
    check::Checked,
    reach,
    reads::Variable,
    schema,
    vocabulary::{KIND, Words},
};
use crate::id::EntitlementName;

/// What an identity holds by policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// What it holds, and the policies that give it, in order of their ids.
    pub held: BTreeMap<EntitlementName, Vec<PolicyId>>,
    /// What some permit would have given, and the policies that forbid it, in order of their ids.
    pub forbidden: BTreeMap<EntitlementName, Vec<PolicyId>>,
}

/// The policies of `hold`, sliced by entitlement.
pub(super) struct Hold {
    slices: Vec<Slice>,
    /// The entities of all entitlements in `slices`.
    world: Entities,
    /// The attributes that are read, as declared.
    attributes: Vec<Attribute>,
    reads_kind: bool,
    principal: EntityUid,
    action: EntityUid,
}

struct Attribute {
    name: String,
    kind: AttributeType,
    required: bool,
}

/// One entitlement and all policies that can touch it.
struct Slice {
    entitlement: EntitlementName,
    resource: EntityUid,
    /// The question of the first pass, the same for every identity.
    first: Request,
    permits: cedar_policy::PolicySet,
    forbids: cedar_policy::PolicySet,
    reads_holding: bool,
}

/// What the policies say of one entitlement.
enum Answer {
    Nothing,
    Held(Vec<PolicyId>),
    Forbidden(Vec<PolicyId>),
}

impl Hold {
    /// Slices `policies`, each given with the entitlements that it can touch. `read` is the identity
    /// attributes that they read.
    pub(super) fn new(
        policies: &[(&Checked, BTreeSet<EntitlementName>)],
        read: &BTreeSet<String>,
        words: &Words,
    ) -> Result<Self, PolicyFault> {
        let (principal, action) = (reach::principal(), reach::action());
        let nothing = holding([].into_iter())?;
        let mut slices = Vec::new();
        for entitlement in words.entitlements.keys() {
            let touching: Vec<&Checked> =
                policies.iter().filter(|(_, reach)| reach.contains(entitlement)).map(|(p, _)| *p).collect();
            let of = |effect| subset(touching.iter().copied().filter(move |p| p.effect == effect));
            let (permits, forbids) = (of(Effect::Permit)?, of(Effect::Forbid)?);
            if permits.is_empty() {
                continue;
            }
            let resource = schema::uid(schema::ENTITLEMENT, entitlement.as_str());
            let first = reach::request(&principal, &action, &resource, nothing.clone())?;
            let reads_holding = touching.iter().any(|p| p.reads.uses(Variable::Context));
            let entitlement = entitlement.clone();
            slices.push(Slice { entitlement, resource, first, permits, forbids, reads_holding });
        }
        let world = reach::entities(slices.iter().filter_map(|s| words.entitlements.get(&s.entitlement)))?;
        let attributes =
            words.identity.iter().filter(|(name, _)| read.contains(*name)).map(|(name, kind)| Attribute {
                name: name.clone(),
                kind: *kind,
                required: words.required.contains(name),
            });
        let attributes = attributes.collect();
        Ok(Self { slices, world, attributes, reads_kind: read.contains(KIND), principal, action })
    }

    /// Decides for one identity.
    pub(super) fn decide(&self, kind: &str, attributes: &Attributes) -> Result<Holding, PolicyFault> {
        let world = self.world_with(kind, attributes)?;
        let authorizer = Authorizer::new();
        let mut answers = Vec::with_capacity(self.slices.len());
        let mut candidates = BTreeSet::new();
        for slice in &self.slices {
            let answer = slice.ask(&authorizer, &slice.first, &world)?;
            if matches!(answer, Answer::Held(_)) {
                candidates.insert(&slice.entitlement);
            }
            answers.push(answer);
        }
        if !candidates.is_empty() && self.slices.iter().any(|s| s.reads_holding) {
            let context = holding(candidates.iter().map(|e| e.as_str()))?;
            for (slice, answer) in self.slices.iter().zip(&mut answers).filter(|(s, _)| s.reads_holding) {
                let second = reach::request(&self.principal, &self.action, &slice.resource, context.clone())?;
                *answer = slice.ask(&authorizer, &second, &world)?;
            }
        }
        let mut out = Holding::default();
        for (slice, answer) in self.slices.iter().zip(answers) {
            match answer {
                Answer::Nothing => {}
                Answer::Held(policies) => drop(out.held.insert(slice.entitlement.clone(), policies)),
                Answer::Forbidden(policies) => {
                    out.forbidden.insert(slice.entitlement.clone(), policies);
                }
            }
        }
        Ok(out)
    }

    /// Writes what of an identity can make a difference: equal bytes, equal decision.
    pub(super) fn tuple(&self, kind: &str, attributes: &Attributes, out: &mut Vec<u8>) {
        let text = |text: &str, out: &mut Vec<u8>| {
            out.extend((text.len() as u64).to_be_bytes());
            out.extend(text.as_bytes());
        };
        if self.reads_kind {
            text(kind, out);
        }
        for attribute in &self.attributes {
            match attributes.get(&attribute.name) {
                None => out.push(0),
                Some(AttributeValue::Text(value)) => {
                    out.push(1);
                    text(value, out);
                }
                Some(AttributeValue::Number(value)) => {
                    out.push(2);
                    out.extend(value.to_be_bytes());
                }
                Some(AttributeValue::Flag(value)) => out.extend([3, u8::from(*value)]),
                Some(AttributeValue::TextSet(values)) => {
                    out.push(4);
                    out.extend((values.len() as u64).to_be_bytes());
                    values.iter().for_each(|value| text(value, out));
                }
            }
        }
    }

    /// The entities of a question about one identity. It has only what policies read, so that nothing else
    /// can matter.
    fn world_with(&self, kind: &str, attributes: &Attributes) -> Result<Entities, PolicyFault> {
        let mut known = Vec::with_capacity(self.attributes.len() + 1);
        known.push((KIND, schema::text(kind)));
        for Attribute { name, kind, required } in &self.attributes {
            match attributes.get(name) {
                Some(value) if value.is(*kind) => known.push((name, schema::value(value))),
                Some(_) => return Err(PolicyFault::WrongType { attribute: name.clone(), expected: *kind }),
                None if *required => return Err(PolicyFault::MissingAttribute { attribute: name.clone() }),
                None => {}
            }
        }
        let identity = schema::entity(self.principal.clone(), known, None)?;
        self.world.clone().add_entities([identity], None).map_err(|e| PolicyFault::Facts(e.to_string()))
    }

    /// How many entitlements some policy can give.
    pub(super) fn slices(&self) -> usize {
        self.slices.len()
    }
}

impl Slice {
    fn ask(
        &self,
        authorizer: &Authorizer,
        request: &Request,
        world: &Entities,
    ) -> Result<Answer, PolicyFault> {
        let permits = satisfied(authorizer, request, &self.permits, world)?;
        if permits.is_empty() {
            return Ok(Answer::Nothing);
        }
        if self.forbids.is_empty() {
            return Ok(Answer::Held(permits));
        }
        let forbids = satisfied(authorizer, request, &self.forbids, world)?;
        Ok(if forbids.is_empty() { Answer::Held(permits) } else { Answer::Forbidden(forbids) })
    }
}

/// The policies of `set`, all of one effect, whose conditions hold, in order. One policy that fails makes
/// the whole question fail: Cedar would pass over it.
pub(super) fn satisfied(
    authorizer: &Authorizer,
    request: &Request,
    set: &cedar_policy::PolicySet,
    world: &Entities,
) -> Result<Vec<PolicyId>, PolicyFault> {
    let response = authorizer.is_authorized(request, set, world);
    let fault = |error: &cedar_policy::AuthorizationError| match error {
        cedar_policy::AuthorizationError::PolicyEvaluationError(error) => {
            (PolicyId::new(error.policy_id()), error.inner().to_string())
        }
    };
    if let Some((policy, message)) = response.diagnostics().errors().map(fault).min() {
        return Err(PolicyFault::Evaluation { policy, message });
    }
    let mut policies: Vec<PolicyId> = response.diagnostics().reason().map(PolicyId::new).collect();
    policies.sort();
    Ok(policies)
}

/// The policies, as Cedar takes them.
pub(super) fn subset<'a>(
    policies: impl Iterator<Item = &'a Checked>,
) -> Result<cedar_policy::PolicySet, PolicyFault> {
    let policies = policies.map(|p| p.policy.clone());
    cedar_policy::PolicySet::from_policies(policies).map_err(|e| PolicyFault::Facts(e.to_string()))
}

fn holding<'a>(names: impl Iterator<Item = &'a str>) -> Result<Context, PolicyFault> {
    Context::from_pairs([(schema::HOLDING.to_owned(), schema::texts(names))])
        .map_err(|e| PolicyFault::Facts(e.to_string()))
}
