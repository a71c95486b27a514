//! Reading policy files: every policy is named, about one action, made of known words, and well typed; or
//! none is taken. All mistakes of all files are reported at once, each with its place.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    ActionConstraint, Effect, Policy, PrincipalConstraint, ValidationError, ValidationMode,
    ValidationWarning, Validator, ffi::DetailedError, pst,
};

use super::{
    Action, Mistake, PolicyError, PolicyFile, PolicyId,
    error::did_you_mean,
    reads::{Reads, Variable},
    schema,
    source::{self, Statement, Word},
    vocabulary::{KIND, Sort, Words},
};

/// A policy that passed every check.
pub(super) struct Checked {
    pub(super) id: PolicyId,
    pub(super) action: Action,
    pub(super) effect: Effect,
    pub(super) reads: Reads,
    /// As Cedar evaluates it, under the id of its annotation.
    pub(super) policy: Policy,
    /// As a syntax tree.
    pub(super) body: pst::Template,
}

impl Checked {
    /// Whether it needs to know more of the resource than its name.
    pub(super) fn looks_at_the_resource(&self) -> bool {
        let by_name = match &self.body.resource {
            pst::ResourceConstraint::Any
            | pst::ResourceConstraint::Is(_)
            | pst::ResourceConstraint::Eq(_) => true,
            pst::ResourceConstraint::In(_) | pst::ResourceConstraint::IsIn(..) => false,
        };
        !by_name || self.reads.uses(Variable::Resource)
    }
}

/// Checks all files.
pub(super) fn check(files: &[&PolicyFile], words: &Words) -> Result<Vec<Checked>, Vec<PolicyError>> {
    let schema = schema::schema(words).map_err(|error| vec![error])?;
    let mut checker =
        Checker { words, validator: Validator::new(schema), seen: BTreeMap::new(), errors: Vec::new() };
    let checked = files.iter().flat_map(|file| checker.file(file)).collect();
    if checker.errors.is_empty() {
        return Ok(checked);
    }
    checker.errors.sort();
    checker.errors.dedup();
    Err(checker.errors)
}

struct Checker<'a> {
    words: &'a Words,
    validator: Validator,
    /// The ids so far, and where each stands.
    seen: BTreeMap<PolicyId, String>,
    errors: Vec<PolicyError>,
}

/// One policy of a file.
struct Site<'a> {
    file: &'a PolicyFile,
    words: &'a Statement<'a>,
}

impl Site<'_> {
    fn error(
        &self,
        at: Option<usize>,
        mistake: Mistake,
        message: String,
        help: Option<String>,
    ) -> PolicyError {
        let start = self.words.first().map_or(0, |(at, _)| *at);
        PolicyError::at(self.file, at.unwrap_or(start), mistake, message, help)
    }

    /// What Cedar found in a policy, in our words around its own.
    fn cedar(&self, found: DetailedError, mistake: Mistake, id: &PolicyId) -> PolicyError {
        let prefix = format!("for policy `{id}`, ");
        let plain = |text: String| text.strip_prefix(&prefix).map(str::to_owned).unwrap_or(text);
        let range = found.source_locations.first().map(|label| (label.loc.start, label.loc.end));
        let source = range.and_then(|(start, end)| self.file.text.get(start..end));
        let (message, help) = match (mistake, source) {
            (Mistake::UnguardedAttribute, Some(source)) => (
                format!("`{source}` may be absent"),
                Some("ask with `has` before it, or let the source's contract require it".to_owned()),
            ),
            (Mistake::NeverApplies, _) => ("the policy can never apply".to_owned(), None),
            _ => {
                let message = plain(found.message);
                let help = unknown_type(&message).or(found.help.map(plain));
                (message, help)
            }
        };
        self.error(range.map(|(start, _)| start), mistake, message, help)
    }
}

/// The hint for a type of entities that there is none of. Cedar's own names any that comes first.
fn unknown_type(message: &str) -> Option<String> {
    let name = message.strip_prefix("unrecognized entity type `")?.strip_suffix('`')?;
    let all = || format!("the types are {}", schema::TYPES.map(|name| format!("`{name}`")).join(", "));
    Some(did_you_mean(name, schema::TYPES).unwrap_or_else(all))
}

impl Site<'_> {
    /// An attribute that not every subject of `access` has, or that nobody declares for what a caller says.
    fn of_anybody(&self, found: DetailedError, id: &PolicyId) -> PolicyError {
        let at = found.source_locations.first().map(|label| label.loc.start);
        let word = at.and_then(|at| self.words.iter().find(|(word, _)| *word >= at));
        let error = self.cedar(found, Mistake::UnknownAttribute, id);
        match word {
            Some((_, Word::Name("principal"))) => {
                let help = "write `principal is Identity` or `principal is Integration` in the scope";
                PolicyError { help: Some(help.to_owned()), ..error }
            }
            _ => error,
        }
    }
}

impl Checker<'_> {
    fn file(&mut self, file: &PolicyFile) -> Vec<Checked> {
        let set = match file.text.parse::<cedar_policy::PolicySet>() {
            Ok(set) => set,
            Err(errors) => {
                for error in errors.iter() {
                    let found = DetailedError::from(error);
                    let label = found.source_locations.into_iter().next();
                    let at = label.as_ref().map_or(file.text.len(), |label| label.loc.start);
                    let help = found.help.or(label.and_then(|label| label.label));
                    self.errors.push(PolicyError::at(file, at, Mistake::Syntax, found.message, help));
                }
                return Vec::new();
            }
        };
        // Cedar numbers the policies of a text in their order: `policy0`, `policy1`, …
        let statements = source::statements(&file.text);
        let nowhere = Statement::new();
        let site = |id: &cedar_policy::PolicyId| {
            let text: &str = id.as_ref();
            let number = text.strip_prefix("policy").and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
            (number, Site { file, words: statements.get(number).unwrap_or(&nowhere) })
        };
        for template in set.templates() {
            let (_, site) = site(template.id());
            let slot = source::find(site.words, |[word]| word == Word::Sign('?'));
            let help = Some("write the entity out, or a condition".to_owned());
            let message = "a policy cannot have slots".to_owned();
            self.errors.push(site.error(slot, Mistake::Syntax, message, help));
        }
        let mut policies: Vec<_> = set.policies().map(|policy| (site(policy.id()), policy)).collect();
        policies.sort_by_key(|((number, _), _)| *number);
        policies.into_iter().filter_map(|((_, site), policy)| self.policy(&site, policy)).collect()
    }

    fn policy(&mut self, site: &Site<'_>, policy: &Policy) -> Option<Checked> {
        let id = self.id(site, policy);
        let action = self.action(site, policy);
        let (id, action) = (id?, action?);
        let policy = policy.new_id(cedar_policy::PolicyId::new(id.as_str()));
        let body = match policy.to_pst() {
            Ok(tree) => tree.body().clone(),
            Err(error) => {
                self.errors.push(site.error(None, Mistake::Syntax, error.to_string(), None));
                return None;
            }
        };
        let reads = Reads::of_policy(&body);
        let before = self.errors.len();
        self.attributes(site, action, &reads);
        let unknown_attributes = self.errors.len() > before;
        self.entities(site, &reads);
        self.texts(site, action, &reads);
        self.types(
            site,
            (&id, action == Action::Access),
            &policy,
            unknown_attributes,
            self.errors.len() > before,
        );
        let effect = policy.effect();
        (self.errors.len() == before).then_some(Checked { id, action, effect, reads, policy, body })
    }

    fn id(&mut self, site: &Site<'_>, policy: &Policy) -> Option<PolicyId> {
        let Some(text) = policy.annotation("id").filter(|text| !text.trim().is_empty()) else {
            let help = Some("write `@id(\"a-name\")` before it; it is what evidence names".to_owned());
            self.errors.push(site.error(None, Mistake::NoId, "the policy has no id".to_owned(), help));
            return None;
        };
        let id = PolicyId::new(text);
        let at = source::find(site.words, |[sign, name, open, text]| {
            sign == Word::Sign('@')
                && name == Word::Name("id")
                && open == Word::Sign('(')
                && matches!(text, Word::Text(_))
        });
        let here = site.error(at, Mistake::DuplicateId, format!("the id `{id}` is taken"), None);
        if let Some(first) = self.seen.get(&id) {
            self.errors.push(PolicyError { help: Some(format!("it is at {first}")), ..here });
            return None;
        }
        self.seen.insert(id.clone(), format!("{}:{}:{}", here.file, here.line, here.column));
        Some(id)
    }

    fn action(&mut self, site: &Site<'_>, policy: &Policy) -> Option<Action> {
        let choices = || Action::ALL.map(|a| format!("`action == Action::\"{}\"`", a.as_str())).join(", ");
        let (at, message, help) = match policy.action_constraint() {
            ActionConstraint::Eq(uid) if uid.type_name().to_string() == "Action" => {
                let name = uid.id().unescaped();
                if let Some(action) = Action::ALL.into_iter().find(|a| a.as_str() == name) {
                    return Some(action);
                }
                let help = did_you_mean(name, Action::ALL.map(Action::as_str));
                let at = source::find_text(site.words, name);
                (
                    at,
                    format!("unknown action `{name}`"),
                    help.unwrap_or_else(|| format!("one of {}", choices())),
                )
            }
            ActionConstraint::Any | ActionConstraint::Eq(_) | ActionConstraint::In(_) => {
                let at = source::find_name(site.words, "action");
                (at, "the policy is not about one action".to_owned(), format!("write one of {}", choices()))
            }
        };
        self.errors.push(site.error(at, Mistake::NoAction, message, Some(help)));
        None
    }

    fn attributes(&mut self, site: &Site<'_>, action: Action, reads: &Reads) {
        for (variable, names) in &reads.attributes {
            let (what, known) = schema::attributes(self.words, action, *variable);
            for name in names.iter().filter(|name| !known.contains(&name.as_str())) {
                let at = source::find_attribute(site.words, variable.as_str(), name);
                let message = format!("unknown attribute `{name}` of {what}");
                let help = did_you_mean(name, known.iter().copied());
                self.errors.push(site.error(at, Mistake::UnknownAttribute, message, help));
            }
        }
    }

    fn entities(&mut self, site: &Site<'_>, reads: &Reads) {
        for (kind, name) in &reads.entities {
            let at = source::find_entity(site.words, kind, name);
            match kind.as_str() {
                schema::ENTITLEMENT => self.known(site, at, Sort::Entitlement, name),
                schema::SYSTEM => self.known(site, at, Sort::System, name),
                schema::RESOURCE_TYPE => self.known(site, at, Sort::Resource, name),
                // `type/id`: the id may be any.
                schema::RESOURCE => {
                    let kind = name.split_once('/').map_or(name.as_str(), |(kind, _)| kind);
                    self.known(site, at, Sort::Resource, kind);
                }
                schema::IDENTITY => {
                    let message = "a policy cannot name one identity".to_owned();
                    let help = Some("write a condition on its attributes".to_owned());
                    self.errors.push(site.error(at, Mistake::Type, message, help));
                }
                // Anything else is known to the schema, or the validator finds it.
                _ => {}
            }
        }
    }

    fn texts(&mut self, site: &Site<'_>, action: Action, reads: &Reads) {
        for (variable, attribute, text) in &reads.texts {
            if let Some(sort) = schema::sort_of(action, *variable, attribute) {
                self.known(site, source::find_text(site.words, text), sort, text);
            }
        }
    }

    fn known(&mut self, site: &Site<'_>, at: Option<usize>, sort: Sort, name: &str) {
        let known = self.words.of(sort);
        if known.contains(&name) {
            return;
        }
        let mistake = match sort {
            Sort::Entitlement | Sort::System => Mistake::UnknownEntitlement,
            Sort::Resource => Mistake::UnknownResource,
            Sort::Class | Sort::Kind | Sort::Action => Mistake::UnknownValue,
        };
        let help = did_you_mean(name, known);
        let message = format!("unknown {} `{name}`", sort.word());
        self.errors.push(site.error(at, mistake, message, help));
    }

    /// Asks Cedar's validator. What follows from a mistake that is reported already is left out.
    fn types(
        &mut self,
        site: &Site<'_>,
        (id, access): (&PolicyId, bool),
        policy: &Policy,
        no_attribute: bool,
        wrong: bool,
    ) {
        let set = match cedar_policy::PolicySet::from_policies([policy.clone()]) {
            Ok(set) => set,
            Err(error) => {
                self.errors.push(site.error(None, Mistake::Syntax, error.to_string(), None));
                return;
            }
        };
        let result = self.validator.validate(&set, ValidationMode::Strict);
        let of_anybody = access && matches!(policy.principal_constraint(), PrincipalConstraint::Any);
        let before = self.errors.len();
        for error in result.validation_errors() {
            let mistake = match error {
                ValidationError::UnsafeAttributeAccess(_) if no_attribute => continue,
                // Of integrations, which the policy may not even mean.
                ValidationError::UnsafeAttributeAccess(_) if of_anybody => {
                    self.errors.push(site.of_anybody(DetailedError::from(error), id));
                    continue;
                }
                ValidationError::UnsafeAttributeAccess(_) => Mistake::UnknownAttribute,
                ValidationError::UnsafeOptionalAttributeAccess(_) => Mistake::UnguardedAttribute,
                _ => Mistake::Type,
            };
            self.errors.push(site.cedar(DetailedError::from(error), mistake, id));
        }
        let wrong = wrong || self.errors.len() > before;
        for warning in result.validation_warnings() {
            let mistake = match warning {
                ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_) => {
                    if wrong {
                        continue;
                    }
                    Mistake::NeverApplies
                }
                // Text that reads differently than it is.
                ValidationWarning::BidiCharsInString(_) | ValidationWarning::BidiCharsInIdentifier(_) => {
                    Mistake::Syntax
                }
                _ => continue,
            };
            self.errors.push(site.cedar(DetailedError::from(warning), mistake, id));
        }
    }
}

/// The schema's attributes that `reads` reads of an identity, everything where the identity as a whole is
/// used.
pub(super) fn identity_attributes(action: Action, reads: &Reads, words: &Words) -> BTreeSet<String> {
    match action {
        Action::Approve | Action::Exercise | Action::Perform => BTreeSet::new(),
        Action::Hold | Action::Access if reads.whole.contains(&Variable::Principal) => {
            words.identity.keys().map(String::as_str).chain([KIND]).map(str::to_owned).collect()
        }
        // What only integrations have is no attribute of an identity.
        Action::Hold | Action::Access => reads
            .attributes_of(Variable::Principal)
            .filter(|name| *name == KIND || words.identity.contains_key(*name))
            .cloned()
            .collect(),
    }
}
