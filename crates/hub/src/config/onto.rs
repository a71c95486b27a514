//! Files that change a part: what they declare is put onto what is in force, and the rest stays as it is.
//!
//! Promises: they are held to the same rules as a whole folder, with what is kept as known. Something that what is kept may
//! rest on, a class of a system or an attribute that a source promises, is not taken away like this: whoever does that names
//! everything.

use std::collections::BTreeSet;

use bailiwick_core::{
    id::IntegrationName,
    integration::{Integration, Role},
    policy::PolicyFile,
    system::System,
};
use bailiwick_engine::Configuration;

use super::{
    error::{Code, Report, Spot},
    fields::Located,
    integration::Draft,
    scope::Named,
};

/// Where what is kept stands, as far as an error names it.
const IN_FORCE: Spot<'static> = Spot { file: "what is in force", text: "", at: 0 };

/// An integration that is kept, as far as others may name it.
fn kept<'t>(integration: &Integration) -> Draft<'t> {
    let (mut source, mut system, mut log, mut promised) = (None, None, None, None);
    match &integration.role {
        Role::Source { source: name, contract } => {
            source = Some(Located { value: name.clone(), spot: IN_FORCE });
            promised = Some(contract.attributes.keys().cloned().collect());
        }
        Role::Target { system: name } => system = Some(Located { value: name.clone(), spot: IN_FORCE }),
        Role::Log { system: name } => log = Some(Located { value: name.clone(), spot: IN_FORCE }),
        Role::Partner { .. } => {}
    }
    let acts = integration.scope.acts.iter().map(|act| Located { value: act.clone(), spot: IN_FORCE });
    let named = Named { acts: acts.collect(), ..Named::default() };
    Draft { integration: None, people: Vec::new(), source, system, log, grant: None, named, promised }
}

/// The integrations of `base` that are not declared anew.
pub(super) fn drafts<'t>(base: &Configuration, declared: &BTreeSet<IntegrationName>) -> Vec<Draft<'t>> {
    base.integrations.iter().filter(|one| !declared.contains(&one.name)).map(kept).collect()
}

/// Reports what a system had and has no more, on which what is kept may rest.
pub(super) fn narrowed(base: &Configuration, wanted: &System, spot: Spot<'_>, report: &mut Report) {
    let known = base.systems.iter().find(|system| system.name == wanted.name);
    let Some(known) = known else { return };
    known.classes.difference(&wanted.classes).for_each(|class| missing(class.as_str(), spot, report));
    let attributes = known.account.keys().filter(|name| !wanted.account.contains_key(*name));
    attributes.for_each(|name| missing(name, spot, report));
}

/// Reports the attributes that a source promised and promises no more.
pub(super) fn broken(base: &Configuration, wanted: &Integration, spot: Spot<'_>, report: &mut Report) {
    let Role::Source { contract, .. } = &wanted.role else { return };
    let known = base.integrations.iter().find(|one| one.name == wanted.name);
    let Some(Role::Source { contract: before, .. }) = known.map(|one| &one.role) else { return };
    let gone = before.attributes.keys().filter(|name| !contract.attributes.contains_key(*name));
    gone.for_each(|name| missing(name, spot, report));
}

fn missing(what: &str, spot: Spot<'_>, report: &mut Report) {
    let message =
        format!("`{what}` is missing, and what is kept may rest on it; apply the whole folder for that");
    report.add(Code::Dangling, spot, message);
}

/// What is declared, and of what is in force all that has another name.
pub(super) fn merged(declared: Configuration, base: &Configuration) -> Configuration {
    Configuration {
        systems: all(declared.systems, &base.systems, |one| one.name.clone()),
        entitlements: all(declared.entitlements, &base.entitlements, |one| one.name.clone()),
        integrations: all(declared.integrations, &base.integrations, |one| one.name.clone()),
        automations: all(declared.automations, &base.automations, |one| one.name.clone()),
        policies: all(declared.policies, &base.policies, |one: &PolicyFile| one.path.clone()),
        ties: all(declared.ties, &base.ties, |one| one.person.clone()),
        glass_cases: all(declared.glass_cases, &base.glass_cases, |one| one.name.clone()),
        subjects: all(declared.subjects, &base.subjects, |one| one.name.clone()),
        resources: all(declared.resources, &base.resources, |one| one.name.clone()),
    }
}

fn all<T: Clone, N: Ord>(mut declared: Vec<T>, base: &[T], name: impl Fn(&T) -> N) -> Vec<T> {
    let names: BTreeSet<N> = declared.iter().map(&name).collect();
    declared.extend(base.iter().filter(|one| !names.contains(&name(one))).cloned());
    declared.sort_by_key(name);
    declared
}
