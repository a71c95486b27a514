//! Configuration as code: a folder of TOML and Cedar files, read into the values of the core.
//!
//! [`parse`] gives the whole configuration or everything that is wrong with it, each with its place. It
//! looks at names, types, owners and references. What policies say is checked by the engine, and
//! whether a connector understands its settings by the connector. Any TOML file may hold any of the
//! tables:
//!
//! ```toml
//! [system.chat]
//! title = "Team chat"
//! classes = ["primary-account", "direct-groups"]
//! on_leave = "disable"                      # or "delete"; the default is "disable"
//! convergence = "3s"                        # how long until a reader sees a change
//! retention_days = 30                       # how long a leaver's disabled account is kept; the default
//! account = { userName = "{email}", title = "?{title}" }     # `?`: left out when there is no value
//!
//! [system.chat.reconcile]                   # what is done about differences; these are the defaults
//! rogue = "revert"                          # or "adopt", or "except 30d": a person is asked whether it stays so
//! missing = "revert"                        # the same, of what somebody else took away
//! drifted = "revert"                        # the same, of accounts that somebody else blocked
//! max_change_percent = 30                   # of the known accounts, in one comparison; the rest is held
//! always_allowed = 25                       # so many always, whatever the share
//! shared = { "desk@acme.example" = "hr/1002" }     # used by several, looked after by somebody
//!
//! [entitlement."chat/engineering"]
//! class = "direct-groups"
//! label = "Engineering"                     # its name on the system; the default is `engineering`
//! privileged = false                        # the default
//!
//! [integration.chat]
//! purpose = "Accounts and groups of the team chat"
//! owner = "hr/1002"                         # source/key of a person
//! backup = "hr/1003"                        # somebody else
//! connector = "scim"
//! endpoint = "https://chat.example.com"    # or `ldaps:`, `postgres:`, `sqlite:`, `file:`, `person:`
//! system = "chat"                           # or `source = "hr"`, with a `contract`; where people are pushed
//!                                           # (`scim-push`) it says with `acts` what of them, and has no `scope`;
//!                                           # or `log_of = "vault"`: who did what there is read here
//! scope = ["list GET /scim/v2/Users", "update PATCH /scim/v2/Users/{id}"]
//! settings = { base = "/scim/v2" }
//!
//! boundary = "The vendor's cloud; over the internet"         # these four must be there
//! data_flows = ["names, e-mail and department → chat"]
//! privilege_flows = ["membership of groups → chat"]
//! vendor = "Chatterbox Ltd"
//! assurances = ["SOC 2 Type II"]            # unverified until a test backs them
//! callbacks = ["https://hooks.example.com/chat"]
//! class = "operational"                     # refused when it is more than that
//!
//! attributes = ["userName", "title"]        # limits; without one, any
//! entitlements = ["chat/engineering"]
//! population = { department = ["Engineering", "Sales"] }
//! writes_per_minute = 600
//! objects_per_run = 50
//! population_percent = 20                   # of the accounts, in a day
//! privileged_per_day = 1
//!
//! [integration.helpdesk]                    # one that acts by itself says what it does
//! partner = true
//! system = "itsm"                           # where its grant lies; may be left out
//! acts = ["object itsm/ticket"]
//!
//! [break-glass.outage]                      # who gets it, and for how long, is asked each time
//! purpose = "The mail is down"
//! entitlements = ["chat/admins"]            # nothing of the hub itself
//! longest_minutes = 60                      # at most a day
//!
//! [automation.vpn-tickets]                  # whoever does `from` does `to` as well
//! title = "itsm rule 12"
//! kind = "ticket-rule"
//! from = "object itsm/ticket"
//! to = "entitlement ad/vpn"
//! owner = "hr/1004"                         # who answers for it; when they leave, their case says so
//! by_person = false                         # the default: nobody decides in between
//!
//! [subject.user]                            # what the hub may be asked about by others: docs/authzen.md
//! id = "email"                              # or "source-key", or "key" with `source = "hr"`
//! properties = { role = "text" }            # what a caller may say of one, and policies may read
//!
//! [resource.record]
//! actions = ["read", "write"]
//! properties = { status = "text" }
//! action_properties = { soft = "flag" }
//! context = { hour = "number" }             # what a caller may say of the request
//! sample = 100                              # of so many permits one is recorded; the default
//! reasons = true                            # callers are told why; the default is not
//! known = { "record-1" = { status = "active" } }            # those that searches find
//! ```
//!
//! `[person."hr/1002"]` says with `also` who else is the same human being, and with `delegates` who acts for
//! them: none of these may approve what they may not.
//!
//! A description of an API, `settings = { description = "file:apis/erp.toml" }` of the connector `rest`, is a
//! file of its own in the same folder and none of the configuration.
//!
//! Deliberately absent: credentials, other including, variables, and defaults that come from the environment.

mod asked;
mod automation;
mod bundle;
mod contract;
mod description;
mod endpoint;
mod error;
#[cfg(test)]
mod example_tests;
mod fields;
mod glass;
#[cfg(test)]
mod governance_tests;
mod integration;
mod json;
mod kill;
mod onto;
#[cfg(test)]
mod onto_tests;
mod person;
mod reconcile;
mod references;
mod register;
mod scope;
mod secret;
mod suggest;
mod system;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bailiwick_core::{
    access::AccessClass,
    id::{
        AutomationName, EntitlementName, GlassName, IntegrationName, ResourceTypeName, SubjectTypeName,
        SystemName,
    },
    policy::PolicyFile,
    scope::ScopeRule,
    system::{Entitlement, System},
};
use bailiwick_engine::Configuration;
use toml::de::DeTable;

pub use self::{
    bundle::{Bundle, read_folder},
    error::ConfigError,
};
use self::{
    error::{Code, Report, Spot},
    fields::{Entry, entries},
    integration::{Connectors, Draft},
    references::Declared,
};

/// What a file can declare.
const TABLES: [&str; 8] =
    ["system", "entitlement", "integration", "automation", "person", "break-glass", "subject", "resource"];

/// Reads a configuration.
///
/// # Errors
/// Everything that is wrong, by place.
pub fn parse(bundle: &Bundle) -> Result<Configuration, Vec<ConfigError>> {
    parse_onto(bundle, &Configuration::default())
}

/// Reads files that change a part of `base`: what no file declares stays as it is there.
///
/// # Errors
/// Everything that is wrong, by place.
pub fn parse_onto(bundle: &Bundle, base: &Configuration) -> Result<Configuration, Vec<ConfigError>> {
    let settings = |kind: &str, settings: &serde_json::Value| {
        bailiwick_connectors::build(kind, settings).map(drop).map_err(|e| e.message)
    };
    let rule = |kind: &str, settings: &serde_json::Value, rule: &ScopeRule| {
        bailiwick_connectors::serves(kind, settings, rule).map_err(|e| e.message)
    };
    let kinds = &bailiwick_connectors::NAMES;
    parse_with(bundle, &Connectors { kinds, settings: &settings, rule: &rule }, base)
}

fn parse_with(
    bundle: &Bundle,
    connectors: &Connectors<'_>,
    base: &Configuration,
) -> Result<Configuration, Vec<ConfigError>> {
    let mut report = Report::default();
    let descriptions = description::files(bundle);
    let configures = |path: &str| path.ends_with(".toml") && !descriptions.contains(path);
    let documents = documents(bundle, &configures, &mut report);
    let complete = documents.len() == bundle.keys().filter(|path| configures(path)).count();
    let tables = Tables::of(&documents, &mut report);

    let (mut uses, mut people) = (Vec::new(), Vec::new());
    let mut systems: BTreeMap<SystemName, Option<System>> = BTreeMap::new();
    for (name, entry) in unique(&tables.systems, SystemName::new, &mut report) {
        let read = system::system(name.clone(), entry, &mut uses, &mut people, &mut report);
        read.iter().for_each(|system| onto::narrowed(base, system, entry.key.spot, &mut report));
        systems.insert(name, read);
    }
    for system in &base.systems {
        systems.entry(system.name.clone()).or_insert_with(|| Some(system.clone()));
    }
    let declared = unique(&tables.integrations, IntegrationName::new, &mut report);
    let names = declared.iter().map(|(name, _)| name.clone()).collect();
    let mut drafts: Vec<Draft<'_>> = onto::drafts(base, &names);
    for (name, entry) in declared {
        let draft = integration::integration(name, entry, connectors, bundle, &mut report);
        let made = draft.as_ref().and_then(|draft| draft.integration.as_ref());
        made.into_iter().for_each(|one| onto::broken(base, one, entry.key.spot, &mut report));
        drafts.extend(draft);
    }
    // A file that cannot be read may declare anything: what seems to dangle then may not.
    if !complete {
        return Err(report.into_errors());
    }
    let entitlements = entitlements(&tables, &systems, base, &mut report);
    let mut touches = Vec::new();
    let mut automations = Vec::new();
    for (name, entry) in unique(&tables.automations, AutomationName::new, &mut report) {
        automations.extend(automation::automation(name, entry, &mut touches, &mut people, &mut report));
    }
    let mut ties = Vec::new();
    for (name, entry) in unique(&tables.people, any_name, &mut report) {
        ties.extend(person::person(name, entry, &mut people, &mut report));
    }
    let (mut glass_cases, mut gives) = (Vec::new(), Vec::new());
    for (name, entry) in unique(&tables.glass_cases, GlassName::new, &mut report) {
        glass_cases.extend(glass::case(name, entry, &mut gives, &mut report));
    }
    let (mut subjects, mut resources, mut sources) = (Vec::new(), BTreeMap::new(), Vec::new());
    for (name, entry) in unique(&tables.subjects, SubjectTypeName::new, &mut report) {
        subjects.extend(asked::subject(name, entry, &mut sources, &mut report));
    }
    for (name, entry) in unique(&tables.resources, ResourceTypeName::new, &mut report) {
        resources.insert(name.clone(), asked::resource(name, entry, &mut report));
    }
    let declared =
        Declared { drafts: &drafts, systems: &systems, entitlements: &entitlements, people: &people };
    declared.check(&uses, &touches, &mut report);
    declared.given(&gives, &mut report);
    declared.asked(&sources, &resources, &mut report);
    let errors = report.into_errors();
    if !errors.is_empty() {
        return Err(errors);
    }
    let policies = bundle.iter().filter(|(path, _)| path.ends_with(".cedar"));
    let declared = Configuration {
        systems: systems.into_values().flatten().collect(),
        entitlements: entitlements.into_values().flatten().collect(),
        integrations: drafts.into_iter().filter_map(|d| d.integration).collect(),
        automations,
        policies: policies
            .map(|(path, text)| PolicyFile { path: path.clone(), text: text.clone() })
            .collect(),
        ties,
        glass_cases,
        subjects,
        resources: resources.into_values().flatten().collect(),
    };
    Ok(onto::merged(declared, base))
}

/// Whether a name is that of a person is checked with everything else that names people.
fn any_name(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(text.to_owned())
}

/// The TOML documents that can be read; syntax errors of the others go to the report.
fn documents<'t>(
    bundle: &'t Bundle,
    configures: &dyn Fn(&str) -> bool,
    report: &mut Report,
) -> Vec<(Spot<'t>, DeTable<'t>)> {
    let mut documents = Vec::new();
    for (file, text) in bundle.iter().filter(|(path, _)| configures(path)) {
        let spot = Spot { file, text, at: 0 };
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let at = spot.at(error.span().map_or(0, |span| span.start));
            let message = error.message().trim_end();
            let code = if message.starts_with("duplicate key") { Code::Duplicate } else { Code::Syntax };
            report.add(code, at, message);
        }
        if errors.is_empty() {
            documents.push((spot, document.into_inner()));
        }
    }
    documents
}

/// The declarations of all files, by kind.
#[derive(Default)]
struct Tables<'a, 't> {
    systems: Vec<Entry<'a, 't>>,
    entitlements: Vec<Entry<'a, 't>>,
    integrations: Vec<Entry<'a, 't>>,
    automations: Vec<Entry<'a, 't>>,
    people: Vec<Entry<'a, 't>>,
    glass_cases: Vec<Entry<'a, 't>>,
    subjects: Vec<Entry<'a, 't>>,
    resources: Vec<Entry<'a, 't>>,
}

impl<'a, 't> Tables<'a, 't> {
    fn of(documents: &'a [(Spot<'t>, DeTable<'t>)], report: &mut Report) -> Self {
        let mut tables = Self::default();
        for (spot, document) in documents {
            for top in entries(document, *spot) {
                let kind = match top.key.value {
                    "system" => &mut tables.systems,
                    "entitlement" => &mut tables.entitlements,
                    "integration" => &mut tables.integrations,
                    "automation" => &mut tables.automations,
                    "break-glass" => &mut tables.glass_cases,
                    "subject" => &mut tables.subjects,
                    "resource" => &mut tables.resources,
                    "person" => &mut tables.people,
                    other => {
                        let message = format!("there is no table `{other}`");
                        report.add_near(Code::UnknownKey, top.key.spot, message, other, TABLES);
                        continue;
                    }
                };
                match top.value.get_ref().as_table() {
                    Some(table) => kind.extend(entries(table, *spot)),
                    None => {
                        let message = format!("`{0}` is not a table; write `[{0}.NAME]`", top.key.value);
                        report.add(Code::Value, top.key.spot, message);
                    }
                }
            }
        }
        tables
    }
}

/// The entries whose key is a name that was not seen before; the others go to the report.
fn unique<'e, 'a, 't, N: Ord + Clone, E: std::fmt::Display>(
    declared: &'e [Entry<'a, 't>],
    new: impl Fn(&str) -> Result<N, E>,
    report: &mut Report,
) -> Vec<(N, &'e Entry<'a, 't>)> {
    let mut seen: BTreeMap<N, Spot<'_>> = BTreeMap::new();
    let mut kept = Vec::new();
    for entry in declared {
        let spot = entry.key.spot;
        match new(entry.key.value) {
            Ok(name) => match seen.get(&name) {
                Some(first) => {
                    let message = format!("`{}` is declared at {} already", entry.key.value, first.place());
                    report.add(Code::Duplicate, spot, message);
                }
                None => {
                    seen.insert(name.clone(), spot);
                    kept.push((name, entry));
                }
            },
            Err(error) => report.add(Code::Value, spot, error.to_string()),
        }
    }
    kept
}

fn entitlements(
    tables: &Tables<'_, '_>,
    systems: &BTreeMap<SystemName, Option<System>>,
    base: &Configuration,
    report: &mut Report,
) -> BTreeMap<EntitlementName, Option<Entitlement>> {
    let classes: BTreeMap<_, _> = systems
        .iter()
        .map(|(name, system)| (name.clone(), system.as_ref().map(|s| s.classes.clone())))
        .collect();
    let mut labels: BTreeMap<(SystemName, AccessClass, String), EntitlementName> = BTreeMap::new();
    let mut read = BTreeMap::new();
    let declared = unique(&tables.entitlements, EntitlementName::new, report);
    for kept in &base.entitlements {
        if !declared.iter().any(|(name, _)| *name == kept.name) {
            labels.insert(label(kept), kept.name.clone());
            read.insert(kept.name.clone(), Some(kept.clone()));
        }
    }
    for (name, entry) in declared {
        let Some(entitlement) = system::entitlement(name.clone(), entry, &classes, report) else {
            read.insert(name, None);
            continue;
        };
        let key = label(&entitlement);
        match labels.get(&key) {
            Some(other) => {
                let message = format!("`{}` is the same on the system as `{other}`", entitlement.name);
                report.add(Code::Duplicate, entry.key.spot, message);
            }
            None => drop(labels.insert(key, entitlement.name.clone())),
        }
        read.insert(name, Some(entitlement));
    }
    read
}

/// What only one entitlement may be.
fn label(entitlement: &Entitlement) -> (SystemName, AccessClass, String) {
    let label = match entitlement.class {
        AccessClass::PrimaryAccount => String::new(), // one of a system, whatever it is called
        _ => entitlement.label.clone(),
    };
    (entitlement.name.system(), entitlement.class, label)
}
