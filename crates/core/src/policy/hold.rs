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
//! Cedar's cost grows with every policy that it is given, so it is never given the whole set: an entitlement
//! is decided by the policies that can touch it ([`reach`]) and whose needs the identity meets ([`needs`]).
//! Where no permit is left, there is no question.
//!
//! What an exception gives beside the policies is a candidate like any other: a forbid takes it away as well, and
//! it counts as held where a policy forbids something else for it.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Authorizer, Context, Effect, Entities, Entity, EntityUid, Request, pst};
use serde::{Deserialize, Serialize};

use super::{
    AttributeValue, Attributes, PolicyFault, PolicyId,
    check::Checked,
    declared::Declared,
    needs::{self, Needs},
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
    /// The entitlements that no policy gives and some policy forbids: of interest when an exception gives one.
    forbidden: Vec<Slice>,
    /// The attributes that are read, as declared.
    attributes: Declared,
    reads_kind: bool,
    principal: EntityUid,
    action: EntityUid,
}

/// One entitlement and all policies that can touch it.
struct Slice {
    entitlement: EntitlementName,
    resource: EntityUid,
    /// The entitlement's facts, if a policy looks at them.
    facts: Option<Entity>,
    /// The question of the first pass, the same for every identity.
    first: Request,
    permits: Vec<Group>,
    forbids: Vec<Group>,
    reads_holding: bool,
}

/// Policies of one effect with the same needs.
struct Group {
    needs: Needs,
    policies: cedar_policy::PolicySet,
}

/// What the policies say of one entitlement.
enum Answer {
    Nothing,
    Held(Vec<PolicyId>),
    Forbidden(Vec<PolicyId>),
}

/// A slice, as far as it matters for one identity.
struct Question<'a> {
    slice: &'a Slice,
    permits: Vec<&'a cedar_policy::PolicySet>,
    forbids: Vec<&'a cedar_policy::PolicySet>,
    /// Whether an exception gives it.
    excepted: bool,
    answer: Answer,
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
        let needs: Vec<Needs> =
            policies.iter().map(|(policy, _)| needs::needs(&policy.body, &pst::Var::Principal)).collect();
        let (mut slices, mut forbidden) = (Vec::new(), Vec::new());
        for facts in words.entitlements.values() {
            let touching: Vec<(&Checked, &Needs)> = policies
                .iter()
                .zip(&needs)
                .filter(|((_, reach), _)| reach.contains(&facts.name))
                .map(|((policy, _), needs)| (*policy, needs))
                .collect();
            let permits = groups(&touching, Effect::Permit)?;
            let forbids = groups(&touching, Effect::Forbid)?;
            let into = match (permits.is_empty(), forbids.is_empty()) {
                (false, _) => &mut slices,
                (true, false) => &mut forbidden,
                (true, true) => continue,
            };
            let resource = schema::uid(schema::ENTITLEMENT, facts.name.as_str());
            let first = reach::request(&principal, &action, &resource, nothing.clone())?;
            let looked_at = touching.iter().any(|(policy, _)| policy.looks_at_the_resource());
            into.push(Slice {
                entitlement: facts.name.clone(),
                resource,
                facts: looked_at.then(|| schema::entitlement(facts)).transpose()?,
                first,
                permits,
                forbids,
                reads_holding: touching.iter().any(|(policy, _)| policy.reads.uses(Variable::Context)),
            });
        }
        let attributes = Declared::new(read, words);
        Ok(Self { slices, forbidden, attributes, reads_kind: read.contains(KIND), principal, action })
    }

    /// Decides for one identity, to which exceptions give `excepted`.
    pub(super) fn decide(
        &self,
        kind: &str,
        attributes: &Attributes,
        excepted: &BTreeSet<EntitlementName>,
    ) -> Result<Holding, PolicyFault> {
        let known = self.attributes.known(kind, attributes)?;
        let given = |slice: &Slice| excepted.contains(&slice.entitlement);
        let beside = self.forbidden.iter().filter(|slice| given(slice));
        let mut questions: Vec<Question<'_>> = self
            .slices
            .iter()
            .chain(beside)
            .filter_map(|slice| slice.question(&known, given(slice)))
            .collect();
        let world = self.world(&known, &questions)?;
        let authorizer = Authorizer::new();
        for question in &mut questions {
            question.answer = question.ask(&authorizer, &question.slice.first, &world)?;
        }
        let asked: BTreeSet<&EntitlementName> = questions.iter().map(|q| &q.slice.entitlement).collect();
        let untouched = excepted.iter().filter(|name| !asked.contains(name));
        let held = questions.iter().filter(|q| matches!(q.answer, Answer::Held(_)));
        let candidates: Vec<&str> =
            held.map(|q| &q.slice.entitlement).chain(untouched).map(EntitlementName::as_str).collect();
        if !candidates.is_empty() && questions.iter().any(|q| q.slice.reads_holding) {
            let context = holding(candidates.into_iter())?;
            for question in questions.iter_mut().filter(|q| q.slice.reads_holding) {
                let resource = &question.slice.resource;
                let second = reach::request(&self.principal, &self.action, resource, context.clone())?;
                question.answer = question.ask(&authorizer, &second, &world)?;
            }
        }
        let mut out = Holding::default();
        for Question { slice, answer, .. } in questions {
            let into = match answer {
                Answer::Nothing => continue,
                // Only an exception gives it.
                Answer::Held(policies) if policies.is_empty() => continue,
                Answer::Held(policies) => (&mut out.held, policies),
                Answer::Forbidden(policies) => (&mut out.forbidden, policies),
            };
            into.0.insert(slice.entitlement.clone(), into.1);
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
        for name in self.attributes.names() {
            match attributes.get(name) {
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

    /// The entities of all questions about one identity.
    fn world(&self, known: &Attributes, questions: &[Question<'_>]) -> Result<Entities, PolicyFault> {
        let attributes = known.iter().map(|(name, value)| (name.as_str(), schema::value(value))).collect();
        let identity = schema::entity(self.principal.clone(), attributes, None)?;
        let facts = questions.iter().filter_map(|q| q.slice.facts.clone());
        Entities::from_entities(facts.chain([identity]), None).map_err(|e| PolicyFault::Facts(e.to_string()))
    }

    /// How many entitlements some policy can give.
    pub(super) fn slices(&self) -> usize {
        self.slices.len()
    }
}

impl Slice {
    /// The question about this entitlement, if a permit is left for an identity of which this is known, or an exception
    /// gives it.
    fn question(&self, known: &Attributes, excepted: bool) -> Option<Question<'_>> {
        let permits = met(&self.permits, known);
        (excepted || !permits.is_empty()).then(|| Question {
            slice: self,
            permits,
            forbids: met(&self.forbids, known),
            excepted,
            answer: Answer::Nothing,
        })
    }
}

/// The policies whose needs an identity meets of which this is known.
fn met<'a>(groups: &'a [Group], known: &Attributes) -> Vec<&'a cedar_policy::PolicySet> {
    groups.iter().filter(|group| needs::met(&group.needs, known)).map(|group| &group.policies).collect()
}

impl Question<'_> {
    fn ask(
        &self,
        authorizer: &Authorizer,
        request: &Request,
        world: &Entities,
    ) -> Result<Answer, PolicyFault> {
        let permits = satisfied(authorizer, request, &self.permits, world)?;
        if permits.is_empty() && !self.excepted {
            return Ok(Answer::Nothing);
        }
        let forbids = satisfied(authorizer, request, &self.forbids, world)?;
        Ok(if forbids.is_empty() { Answer::Held(permits) } else { Answer::Forbidden(forbids) })
    }
}

/// The policies of `sets`, all of one effect, whose conditions are true, in order. One policy that fails
/// makes the whole question fail: Cedar would pass over it.
pub(super) fn satisfied(
    authorizer: &Authorizer,
    request: &Request,
    sets: &[&cedar_policy::PolicySet],
    world: &Entities,
) -> Result<Vec<PolicyId>, PolicyFault> {
    let fault = |error: &cedar_policy::AuthorizationError| match error {
        cedar_policy::AuthorizationError::PolicyEvaluationError(error) => {
            (PolicyId::new(error.policy_id()), error.inner().to_string())
        }
    };
    let mut policies = Vec::new();
    let mut faults = Vec::new();
    for set in sets {
        let response = authorizer.is_authorized(request, set, world);
        faults.extend(response.diagnostics().errors().map(fault));
        policies.extend(response.diagnostics().reason().map(PolicyId::new));
    }
    if let Some((policy, message)) = faults.into_iter().min() {
        return Err(PolicyFault::Evaluation { policy, message });
    }
    policies.sort();
    Ok(policies)
}

/// The policies of one effect, grouped by their needs.
fn groups(policies: &[(&Checked, &Needs)], effect: Effect) -> Result<Vec<Group>, PolicyFault> {
    let mut by_needs: BTreeMap<&Needs, Vec<&Checked>> = BTreeMap::new();
    for (policy, needs) in policies.iter().filter(|(policy, _)| policy.effect == effect) {
        by_needs.entry(needs).or_default().push(policy);
    }
    let group = |(needs, policies): (&Needs, Vec<&Checked>)| {
        Ok(Group { needs: needs.clone(), policies: subset(policies.into_iter())? })
    };
    by_needs.into_iter().map(group).collect()
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
