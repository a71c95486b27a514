//! May this subject do this to this resource, now?
//!
//! A policy can permit and forbid; nothing is permitted by itself. What must be true before any policy is asked (that
//! somebody is here at all) is not decided here. What the caller says stands in `context.said` and nowhere else.
//!
//! Cedar's cost grows with every policy that it is given. So policies lie in an index: by the type of the resource, by
//! the action, by the id of the resource, and by one attribute that the subject needs. A thousand policies of which ten
//! are about the question cost what ten cost. The index only leaves out what Cedar would turn down.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    Authorizer, Context, Effect, Entities, Entity, EntityUid, Request, RestrictedExpression, pst,
};

use super::{
    Action, AttributeValue, Attributes, PolicyFault, PolicyId,
    check::Checked,
    declared::Declared,
    hold::{satisfied, subset},
    needs::{self, Needs, met},
    reach::{principal, request},
    reads::Variable,
    schema::{self, RESOURCE, RESOURCE_TYPE},
    vocabulary::{SAID, Types, Words},
};
use crate::{
    authority::Class,
    id::{ActionName, IntegrationName, ResourceTypeName},
};

/// Who is asked about, as policies see them; made once and asked about often.
#[derive(Clone)]
pub struct AccessPrincipal {
    uid: EntityUid,
    known: Attributes,
    world: Entities,
}

impl AccessPrincipal {
    /// What policies see of it.
    pub const fn known(&self) -> &Attributes {
        &self.known
    }

    fn new(uid: EntityUid, known: Attributes) -> Result<Self, PolicyFault> {
        let attributes = known.iter().map(|(name, value)| (name.as_str(), schema::value(value))).collect();
        let entity = schema::entity(uid.clone(), attributes, None)?;
        let world = Entities::from_entities([entity], None).map_err(|e| PolicyFault::Facts(e.to_string()))?;
        Ok(Self { uid, known, world })
    }
}

/// What a caller says and nobody has looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Said {
    /// Of the subject.
    pub subject: Attributes,
    /// Of the action.
    pub action: Attributes,
    /// Of the resource.
    pub resource: Attributes,
    /// Of the request.
    pub request: Attributes,
}

impl Said {
    fn parts(&self) -> [&Attributes; 4] {
        [&self.subject, &self.action, &self.resource, &self.request]
    }
}

/// A question.
#[derive(Clone, Copy)]
pub struct AccessQuestion<'a> {
    /// Who.
    pub principal: &'a AccessPrincipal,
    /// What is to be done.
    pub action: &'a str,
    /// The type of what it is done to.
    pub resource_type: &'a ResourceTypeName,
    /// And its id.
    pub resource: &'a str,
    /// What the caller says.
    pub said: &'a Said,
}

/// What the policies answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessAnswer {
    /// Whether some policy permits it and none forbids it.
    pub allowed: bool,
    /// The policies that permit it if it is allowed, else those that forbid it, in order of their ids. Empty where
    /// nothing permits it.
    pub policies: Vec<PolicyId>,
}

/// The policies of `access`, in the index.
pub(super) struct Access {
    types: BTreeMap<ResourceTypeName, OfType>,
    attributes: Declared,
    properties: Types,
    said: [Types; 4],
    action: EntityUid,
    /// The context in which nothing is said, by action.
    silent: BTreeMap<String, Context>,
}

/// What is about one type of resources.
#[derive(Default)]
struct OfType {
    permits: Index,
    forbids: Index,
    /// What is known of the resources that are known.
    known: BTreeMap<String, Attributes>,
    /// Whether some policy looks at more of the resource than its name.
    looks: bool,
    /// Whether some policy looks at what the caller says.
    listens: bool,
}

/// Policies of one effect: by action and then by id, where they are about one.
#[derive(Default)]
struct Index {
    groups: Vec<Group>,
    by_action: BTreeMap<String, ByResource>,
    any_action: ByResource,
}

#[derive(Default)]
struct ByResource {
    by_id: BTreeMap<String, ByNeed>,
    any_id: ByNeed,
}

/// The groups by the first thing that they need of the subject.
#[derive(Default)]
struct ByNeed {
    by_value: BTreeMap<String, BTreeMap<AttributeValue, Vec<usize>>>,
    rest: Vec<usize>,
}

/// Policies with the same needs.
struct Group {
    needs: Needs,
    policies: cedar_policy::PolicySet,
}

/// For which questions a policy is asked; without a set, for all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    actions: Option<BTreeSet<String>>,
    ids: Option<BTreeSet<String>>,
    needs: Needs,
}

/// The types of resources that a policy can touch; never too few.
pub(super) fn reach(policy: &Checked, words: &Words) -> BTreeSet<ResourceTypeName> {
    let scope = scope(&policy.body);
    let said = texts(needs::needs(&policy.body, &pst::Var::Resource).remove("type"));
    let touches = |name: &&ResourceTypeName| {
        scope.as_ref().is_none_or(|(kind, _)| kind == name.as_str())
            && said.as_ref().is_none_or(|kinds| kinds.contains(name.as_str()))
    };
    words.resources.keys().filter(touches).cloned().collect()
}

/// The type, and the id, that the scope of a policy says; `None` when it is about any.
fn scope(policy: &pst::Template) -> Option<(String, Option<String>)> {
    match &policy.resource {
        pst::ResourceConstraint::Any | pst::ResourceConstraint::Is(_) => None,
        pst::ResourceConstraint::Eq(entity)
        | pst::ResourceConstraint::In(entity)
        | pst::ResourceConstraint::IsIn(_, entity) => match entity {
            pst::EntityOrSlot::Entity(uid) if uid.ty.to_string() == RESOURCE => {
                let (kind, id) = uid.eid.split_once('/')?;
                Some((kind.to_owned(), Some(id.to_owned())))
            }
            pst::EntityOrSlot::Entity(uid) if uid.ty.to_string() == RESOURCE_TYPE => {
                Some((uid.eid.to_string(), None))
            }
            pst::EntityOrSlot::Entity(_) | pst::EntityOrSlot::Slot(_) => None,
        },
    }
}

/// The texts among values; a need that is no text is met by none.
fn texts(values: Option<BTreeSet<AttributeValue>>) -> Option<BTreeSet<String>> {
    let text = |value| match value {
        AttributeValue::Text(text) => Some(text),
        AttributeValue::Number(_) | AttributeValue::Flag(_) | AttributeValue::TextSet(_) => None,
    };
    values.map(|values| values.into_iter().filter_map(text).collect())
}

fn place(policy: &Checked) -> Place {
    let of = |var| needs::needs(&policy.body, &var);
    let said = texts(of(pst::Var::Resource).remove("id"));
    let ids = match scope(&policy.body) {
        Some((_, Some(id))) => Some(said.map_or_else(
            || BTreeSet::from([id.clone()]),
            |said| said.into_iter().filter(|said| *said == id).collect(),
        )),
        Some((_, None)) | None => said,
    };
    let actions = texts(of(pst::Var::Context).remove(schema::ACTION));
    Place { actions, ids, needs: of(pst::Var::Principal) }
}

impl Access {
    /// Indexes `policies`, each given with the types that it can touch. `read` is the identity attributes that they
    /// read.
    pub(super) fn new(
        policies: &[(&Checked, BTreeSet<ResourceTypeName>)],
        read: &BTreeSet<String>,
        words: &Words,
    ) -> Result<Self, PolicyFault> {
        let mut types = BTreeMap::new();
        for resource in words.resources.values() {
            let about: Vec<&Checked> = policies
                .iter()
                .filter(|(_, reach)| reach.contains(&resource.name))
                .map(|(policy, _)| *policy)
                .collect();
            let listens = |policy: &&Checked| {
                let mut read = policy.reads.attributes_of(Variable::Context);
                policy.reads.whole.contains(&Variable::Context) || read.any(|name| name != schema::ACTION)
            };
            let of_type = OfType {
                permits: Index::new(&about, Effect::Permit)?,
                forbids: Index::new(&about, Effect::Forbid)?,
                known: resource.known.clone(),
                looks: about.iter().any(|policy| policy.looks_at_the_resource()),
                listens: about.iter().any(listens),
            };
            types.insert(resource.name.clone(), of_type);
        }
        let actions = words.resources.values().flat_map(|resource| &resource.actions);
        let silent = |action: &ActionName| Ok((action.to_string(), silence(action.as_str())?));
        Ok(Self {
            silent: actions.map(silent).collect::<Result<_, PolicyFault>>()?,
            types,
            attributes: Declared::new(read, words),
            properties: words.properties.clone(),
            said: words.said.clone(),
            action: schema::uid("Action", Action::Access.as_str()),
        })
    }

    /// An identity as policies see it.
    pub(super) fn identity(
        &self,
        kind: &str,
        attributes: &Attributes,
    ) -> Result<AccessPrincipal, PolicyFault> {
        AccessPrincipal::new(principal(), self.known(kind, attributes)?)
    }

    /// What policies see of one.
    pub(super) fn known(&self, kind: &str, attributes: &Attributes) -> Result<Attributes, PolicyFault> {
        self.attributes.known(kind, attributes)
    }

    /// What policies permit.
    pub(super) fn decide(&self, question: AccessQuestion<'_>) -> Result<AccessAnswer, PolicyFault> {
        let nothing = AccessAnswer { allowed: false, policies: Vec::new() };
        let Some(about) = self.types.get(question.resource_type) else { return Ok(nothing) };
        let permits = about.permits.meant(question);
        if permits.is_empty() {
            return Ok(nothing);
        }
        let (request, world) = self.put(question, about)?;
        let authorizer = Authorizer::new();
        let permits = satisfied(&authorizer, &request, &permits, &world)?;
        if permits.is_empty() {
            return Ok(nothing);
        }
        let forbids = satisfied(&authorizer, &request, &about.forbids.meant(question), &world)?;
        let allowed = forbids.is_empty();
        Ok(AccessAnswer { allowed, policies: if allowed { permits } else { forbids } })
    }

    /// The policies that forbid it, whatever permits it.
    pub(super) fn forbidding(&self, question: AccessQuestion<'_>) -> Result<Vec<PolicyId>, PolicyFault> {
        let Some(about) = self.types.get(question.resource_type) else { return Ok(Vec::new()) };
        let forbids = about.forbids.meant(question);
        if forbids.is_empty() {
            return Ok(Vec::new());
        }
        let (request, world) = self.put(question, about)?;
        satisfied(&Authorizer::new(), &request, &forbids, &world)
    }

    /// The question as Cedar takes it.
    fn put(&self, question: AccessQuestion<'_>, about: &OfType) -> Result<(Request, Entities), PolicyFault> {
        let AccessQuestion { principal, action, resource_type, resource, said } = question;
        let uid = schema::uid(RESOURCE, &format!("{resource_type}/{resource}"));
        let context = match (about.listens, self.silent.get(action)) {
            (true, _) => self.context(action, said)?,
            (false, Some(silent)) => silent.clone(),
            (false, None) => silence(action)?,
        };
        let request = request(&principal.uid, &self.action, &uid, context)?;
        if !about.looks {
            return Ok((request, principal.world.clone()));
        }
        let resource = self.resource(uid, resource_type, resource, about.known.get(resource))?;
        let world = principal.world.clone().add_entities([resource], None);
        Ok((request, world.map_err(|e| PolicyFault::Facts(e.to_string()))?))
    }

    fn resource(
        &self,
        uid: EntityUid,
        kind: &ResourceTypeName,
        id: &str,
        known: Option<&Attributes>,
    ) -> Result<Entity, PolicyFault> {
        let mut attributes = vec![("type", schema::text(kind.as_str())), ("id", schema::text(id))];
        for (name, value) in known.into_iter().flatten() {
            if self.properties.get(name).is_some_and(|kind| value.is(*kind)) {
                attributes.push((name, schema::value(value)));
            }
        }
        schema::entity(uid, attributes, Some(schema::uid(RESOURCE_TYPE, kind.as_str())))
    }

    /// What the caller says, as far as it is declared.
    fn context(&self, action: &str, said: &Said) -> Result<Context, PolicyFault> {
        let fault = |error: &dyn std::fmt::Display| PolicyFault::Facts(error.to_string());
        let mut all = Vec::with_capacity(SAID.len());
        for ((name, types), values) in SAID.into_iter().zip(&self.said).zip(said.parts()) {
            let declared =
                values.iter().filter(|(name, value)| types.get(*name).is_some_and(|t| value.is(*t)));
            let fields = declared.map(|(name, value)| (name.clone(), schema::value(value)));
            let record = RestrictedExpression::new_record(fields).map_err(|e| fault(&e))?;
            all.push((name.to_owned(), record));
        }
        let said = RestrictedExpression::new_record(all).map_err(|e| fault(&e))?;
        let pairs =
            [(schema::ACTION.to_owned(), schema::text(action)), (schema::CALLER_SAID.to_owned(), said)];
        Context::from_pairs(pairs).map_err(|e| fault(&e))
    }
}

/// The context of an action of which the caller says nothing.
fn silence(action: &str) -> Result<Context, PolicyFault> {
    Context::from_pairs([(schema::ACTION.to_owned(), schema::text(action))])
        .map_err(|e| PolicyFault::Facts(e.to_string()))
}

/// An integration as policies see it.
pub(super) fn integration(
    name: &IntegrationName,
    class: Class,
    writes: bool,
) -> Result<AccessPrincipal, PolicyFault> {
    let text = |text: &str| AttributeValue::Text(text.to_owned());
    let known = Attributes::from([
        ("name".to_owned(), text(name.as_str())),
        ("class".to_owned(), text(class.as_str())),
        ("writes".to_owned(), AttributeValue::Flag(writes)),
    ]);
    AccessPrincipal::new(schema::uid(schema::INTEGRATION, name.as_str()), known)
}

impl Index {
    fn new(policies: &[&Checked], effect: Effect) -> Result<Self, PolicyFault> {
        let mut by_place: BTreeMap<Place, Vec<&Checked>> = BTreeMap::new();
        for policy in policies.iter().filter(|policy| policy.effect == effect) {
            by_place.entry(place(policy)).or_default().push(policy);
        }
        let mut index = Self::default();
        for (place, policies) in by_place {
            let group = index.groups.len();
            let Place { actions, ids, needs } = place;
            match actions {
                None => index.any_action.add(&ids, &needs, group),
                Some(actions) => {
                    for action in actions {
                        index.by_action.entry(action).or_default().add(&ids, &needs, group);
                    }
                }
            }
            index.groups.push(Group { needs, policies: subset(policies.into_iter())? });
        }
        Ok(index)
    }

    /// The policies that are meant by the question: all that could be satisfied are among them.
    fn meant(&self, question: AccessQuestion<'_>) -> Vec<&cedar_policy::PolicySet> {
        let known = &question.principal.known;
        let mut out = Vec::new();
        for resources in self.by_action.get(question.action).into_iter().chain([&self.any_action]) {
            for leaf in resources.by_id.get(question.resource).into_iter().chain([&resources.any_id]) {
                let needed = leaf.by_value.iter().filter_map(|(name, values)| values.get(known.get(name)?));
                let groups = needed.flatten().chain(&leaf.rest).map(|group| &self.groups[*group]);
                out.extend(groups.filter(|group| met(&group.needs, known)).map(|group| &group.policies));
            }
        }
        out
    }
}

impl ByResource {
    fn add(&mut self, ids: &Option<BTreeSet<String>>, needs: &Needs, group: usize) {
        match ids {
            None => self.any_id.add(needs, group),
            Some(ids) => {
                for id in ids {
                    self.by_id.entry(id.clone()).or_default().add(needs, group);
                }
            }
        }
    }
}

impl ByNeed {
    fn add(&mut self, needs: &Needs, group: usize) {
        // What has few values that do parts the most.
        match needs.iter().min_by_key(|(_, values)| values.len()) {
            None => self.rest.push(group),
            Some((name, values)) => {
                let by_value = self.by_value.entry(name.clone()).or_default();
                values.iter().for_each(|value| by_value.entry(value.clone()).or_default().push(group));
            }
        }
    }
}
